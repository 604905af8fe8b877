"""The controller's watch over itself: what ails its records, stores and disk becomes an alarm like that of a device.

Such an alarm waits for its delay and goes by itself when its cause has gone. It belongs to no area, so people whose
rights end at an area do not see it. What cannot be told from inside (the loop stands still, the process is gone) is for
`/healthz` and whoever restarts it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from controller.alarm.definition import AlarmDefinition
from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from controller.alarm.engine import AlarmEngine
    from controller.history.embedded import EmbeddedStatus
    from controller.history.influx import InfluxStatus
    from controller.history.log import LogStatus
    from controller.journal.journal import Journal
    from drivers.driver import Clock

__all__ = ["DEFINITIONS", "DiskCheck", "SelfCheck", "damage", "influx_trouble", "log_trouble"]

_log = logging.getLogger(__name__)

PERIOD_S = 1.0
_DISK_PERIOD_S = 10.0
_GIB = 1024**3
_AGAIN = 1.1
"""Free space comes back to a tenth above the limit before the alarm goes, or it would come and go at the limit."""


def _definition(
    part: str, on_delay_s: float, respond_min: float, text: Name, consequence: Name, action: Name, priority: int = 2
) -> AlarmDefinition:
    return AlarmDefinition(
        f"shifu#{part}",
        "system",
        device=f"shifu#{part}",
        priority=priority,
        on_delay_s=on_delay_s,
        off_delay_s=5.0,
        text=text,
        consequence=consequence,
        action=action,
        respond_s=respond_min * 60.0,
        system="system",
    )


DEFINITIONS = (
    # A full disk must be an alarm within 10 s (docs/operations.md); one failed commit is tried again after 1 s.
    _definition(
        "journal",
        3.0,
        10,
        Name("控制器無法寫入紀錄", "the controller cannot write its records"),
        Name(
            "指令、告警確認與設定變更一律被拒絕；監視與告警照常，但未留下紀錄",
            "Commands, acknowledgements and changes are refused; monitoring and alarms go on without a record",
        ),
        Name(
            "1. 檢查控制器的磁碟空間與資料夾權限 2. 排除後自動恢復，不必重新啟動",
            "1. Check the controller's disk space and the rights of its data folder 2. It recovers without a restart",
        ),
    ),
    _definition(
        "log",
        3.0,
        15,
        Name("控制器無法寫入歷史資料", "the controller cannot write its history"),
        Name(
            "讀值暫存於記憶體，最多一百萬筆；之後最舊的會遺失",
            "Readings wait in memory, a million at most; then the oldest are lost",
        ),
        Name(
            "1. 檢查控制器的磁碟空間與資料夾權限 2. 排除後自動補寫，不必重新啟動",
            "1. Check the controller's disk space and the rights of its data folder 2. It catches up without a restart",
        ),
    ),
    _definition(
        "disk",
        30.0,
        240,
        Name("控制器磁碟空間即將用盡", "the controller's disk is nearly full"),
        Name(
            "用盡後無法寫入紀錄與歷史資料，變更會被拒絕",
            "When it is full neither records nor history are written, and changes are refused",
        ),
        Name(
            "1. 移走不屬於控制器的檔案 2. 縮短保存期限（server.toml 的 retention_days）或加大磁碟",
            "1. Move away what is not the controller's 2. Shorten retention_days in server.toml, or enlarge the disk",
        ),
    ),
    # A server that is started again is no alarm; the log keeps seven days.
    _definition(
        "influx",
        120.0,
        1440,
        Name("InfluxDB 不接受資料", "InfluxDB takes no readings"),
        Name(
            "資料暫存於控制器的日誌，最多七天；超過後 InfluxDB 會缺資料，控制器本身的歷史不受影響",
            "Readings wait in the controller's log, seven days at most; then InfluxDB has a gap, history here not",
        ),
        Name(
            "1. 檢查 InfluxDB 主機與網路 2. 檢查權杖、組織與儲存區（server.toml 的 [history.influx]）",
            "1. Check the server and the network 2. Check token, org and bucket ([history.influx] of server.toml)",
        ),
    ),
    # A channel counts as broken when all its attempts failed, and a contact as lost when every way did: no delay.
    _definition(
        "notify",
        0.0,
        30,
        Name("告警通知無法送達", "notifications cannot be delivered"),
        Name(
            "值勤人員可能收不到告警；中控室畫面不受影響",
            "People on duty may not be told of alarms; the screens of the control room are not affected",
        ),
        Name(
            "1. 查看通知紀錄的原因 2. 檢查郵件伺服器、對外閘道與權杖，以及聯絡對象是否已設定手機 "
            "3. 按「測試此管道」，成功後此告警消失",
            "1. Read the reason in the notification log 2. Check mail server, gateway and tokens, and that the contact "
            "has a phone 3. Test this channel; the alarm goes when that succeeds",
        ),
    ),
    _definition(
        "damage",
        0.0,
        1440,
        Name("控制器的資料檔曾損毀，已移開", "a file of the controller was damaged and set aside"),
        Name(
            "可讀的部分已救回；其餘紀錄或歷史可能缺漏",
            "What could be read was kept; some records or history may be missing",
        ),
        Name(
            "1. 檢查磁碟健康 2. 需要時由備份還原 3. 下次啟動後此告警消失",
            "1. Check the health of the disk 2. Restore the backup if it is needed 3. The next start ends this alarm",
        ),
        priority=3,
    ),
)
"""All of them, whether or not the site has an InfluxDB: what is never said to be lost is never raised."""


def log_trouble(log: LogStatus, embedded: EmbeddedStatus) -> str:
    """Return why readings do not reach the disk; empty when they do."""
    if not log.healthy:
        return log.reason
    return "" if embedded.healthy else embedded.reason


def influx_trouble(influx: InfluxStatus) -> str | None:
    """Return why the server takes no readings; empty when it does, None while it was not asked since the start."""
    if not influx.healthy:
        return influx.reason
    return "" if influx.written or influx.quarantined else None


def damage(journal: Journal, log: LogStatus, embedded: EmbeddedStatus) -> str:
    """Return which files were found damaged since the start; empty when none was."""
    names = [] if journal.quarantined is None else [f"{journal.quarantined.name}: {journal.damage}"]
    names += log.damaged
    return ", ".join([*names, embedded.quarantined] if embedded.quarantined else names)


class DiskCheck:
    """Whether the disk of a folder is nearly full; `measure` asks it, calling gives the last answer."""

    def __init__(self, folder: Path) -> None:
        """Nothing is known before the first `measure`."""
        self._folder = folder
        self._reason: str | None = None

    def __call__(self) -> str | None:
        """Return how little is left; empty while there is enough, None before the first `measure`."""
        return self._reason

    def measure(self) -> None:
        """Ask the file system. Blocks: a network disk that hangs must not stop the loop.

        Raises:
            OSError: it does not say.
        """
        found = os.statvfs(self._folder)
        free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        limit = least_free(size) * (_AGAIN if self._reason else 1.0)
        said = f"{free / _GIB:.2f} GiB of {size / _GIB:.1f} GiB are free, wanted {limit / _GIB:.2f} GiB"
        self._reason = said if free < limit else ""


def least_free(size: int) -> float:
    """Return how many bytes are to be free on a disk of so many: 5 %, from 1 to 10 GiB, on a small one a fifth."""
    return min(size / 5, max(_GIB, size / 20), 10 * _GIB)


class SelfCheck:
    """Tells the alarm engine, once a second, what each of `checks` says: empty for well, None for not known yet."""

    def __init__(
        self,
        clock: Clock,
        alarms: Callable[[], AlarmEngine],
        checks: Mapping[str, Callable[[], str | None]],
        disk: DiskCheck,
    ) -> None:
        """Prepare. The keys of `checks` are the words behind `shifu#` in `DEFINITIONS`."""
        self._clock = clock
        self._alarms = alarms
        self._checks: dict[str, Callable[[], str | None]] = {**checks, "disk": disk}
        self._disk = disk
        self._broken: set[str] = set()

    def look(self) -> None:
        """Tell the engine how everything is now; the delays are the engine's."""
        for part, check in self._checks.items():
            try:
                reason = check()
            except Exception:  # noqa: BLE001 - a check that cannot say anything must not silence the others
                self._say_broken(part)
                continue
            if reason is not None:
                self._alarms().device(f"shifu#{part}", bool(reason), reason)

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._measure())
            while True:
                self.look()
                await self._clock.sleep(PERIOD_S)

    async def _measure(self) -> None:
        """Ask the disk, beside the looking: it may not answer."""
        while True:
            try:
                await asyncio.to_thread(self._disk.measure)
            except OSError:
                self._say_broken("disk")
            await self._clock.sleep(_DISK_PERIOD_S)

    def _say_broken(self, part: str) -> None:
        if part not in self._broken:
            self._broken.add(part)
            _log.exception("the watch over %s failed; said once", part)
