"""The watch over the controller itself: what is said to ail it becomes an alarm after its delay, and goes by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, cast

import pytest

from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.history.embedded import EmbeddedStatus
from controller.history.influx import InfluxStatus
from controller.history.log import LogStatus
from controller.selfcheck import DEFINITIONS, DiskCheck, SelfCheck, damage, influx_trouble, least_free, log_trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from controller.alarm.definition import AlarmEntry
    from controller.journal.journal import Journal

GIB = 1024**3
LOG = LogStatus(True, "", 0, 0, 0, 0, (), 0)
EMBEDDED = EmbeddedStatus(True, "", False, 0, 0, 0, 0, "", 0)
INFLUX = InfluxStatus(True, "", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0)
JOURNAL = cast("Journal", type("J", (), {"quarantined": None, "damage": ""}))


class Bench:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.entries: list[AlarmEntry] = []
        self.alarms = AlarmEngine(DEFINITIONS, self.clock, self.entries.append)
        self.said: dict[str, str | None] = {"journal": "", "log": "", "influx": None, "damage": ""}
        checks: dict[str, Callable[[], str | None]] = {part: self._check(part) for part in self.said}
        self.disk = DiskCheck(folder)
        self.check = SelfCheck(self.clock, lambda: self.alarms, checks, self.disk)

    def _check(self, part: str) -> Callable[[], str | None]:
        def check() -> str | None:
            if self.said[part] == "broken":
                raise RuntimeError(part)
            return self.said[part]

        return check

    def seconds(self, number: int) -> None:
        for _ in range(number):
            self.clock.move(1.0)
            self.check.look()
            self.alarms.tick()

    @property
    def active(self) -> list[str]:
        return [alarm.id for alarm in self.alarms.active()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_every_alarm_of_the_controller_tells_in_both_languages_what_to_do() -> None:
    assert [definition.id for definition in DEFINITIONS] == [
        "shifu#journal",
        "shifu#log",
        "shifu#disk",
        "shifu#influx",
        "shifu#notify",
        "shifu#damage",
    ]
    for definition in DEFINITIONS:
        assert definition.kind == definition.system == "system"
        assert definition.area == ""
        assert definition.respond_s
        for name in (definition.text, definition.consequence, definition.action):
            assert name.zh
            assert name.en


@pytest.mark.parametrize(("part", "delay_s"), [("journal", 3), ("log", 3), ("influx", 120)])
def test_what_fails_is_an_alarm_after_its_delay_and_goes_by_itself(bench: Bench, part: str, delay_s: int) -> None:
    bench.said[part] = "disk full"
    bench.seconds(delay_s)
    assert bench.active == []
    bench.seconds(2)
    assert bench.active == [f"shifu#{part}"]
    alarm = bench.alarms.get(f"shifu#{part}").to_json()
    assert (alarm["reason"]["en"], alarm["priority"], alarm["device"], alarm["point"]) == ("disk full", 2, None, None)

    bench.said[part] = ""
    bench.seconds(7)
    assert bench.alarms.get(f"shifu#{part}").state.state == "returned"
    bench.alarms.acknowledge([f"shifu#{part}"], "alice")
    assert bench.active == []
    assert [entry.event for entry in bench.entries] == ["raised", "returned", "acknowledged"]


def test_a_server_that_is_started_again_is_no_alarm(bench: Bench) -> None:
    for _ in range(5):
        bench.said["influx"] = "no answer"
        bench.seconds(60)
        bench.said["influx"] = ""
        bench.seconds(60)

    assert bench.entries == []


def test_a_restart_keeps_the_alarm_until_the_server_was_asked(bench: Bench, tmp_path: Path) -> None:
    bench.said["influx"] = "401: token"
    bench.seconds(125)
    again = Bench(tmp_path)
    again.alarms.restore(bench.alarms.states())
    again.seconds(30)
    assert again.active == ["shifu#influx"]
    again.said["influx"] = ""
    again.seconds(7)

    assert again.alarms.get("shifu#influx").state.state == "returned"


def test_a_check_that_breaks_silences_no_other(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.said |= {"journal": "broken", "log": "input/output error"}
    bench.seconds(10)

    assert bench.active == ["shifu#log"]
    assert sum("the watch over journal failed" in record.message for record in caplog.records) == 1


def full(monkeypatch: pytest.MonkeyPatch, free: float, size: float) -> None:
    found = os.statvfs_result((4096, 4096, int(size / 4096), 0, int(free / 4096), 0, 0, 0, 0, 255))
    monkeypatch.setattr("controller.selfcheck.os.statvfs", lambda _: found)


@pytest.mark.parametrize(("size_gib", "wanted_gib"), [(2, 0.4), (5, 1), (10, 1), (100, 5), (200, 10), (10_000, 10)])
def test_how_much_is_to_be_free(size_gib: float, wanted_gib: float) -> None:
    assert least_free(int(size_gib * GIB)) == pytest.approx(wanted_gib * GIB)


def test_a_disk_nearly_full_is_an_alarm_until_there_is_clearly_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.disk() is None
    full(monkeypatch, 4.9 * GIB, 100 * GIB)
    bench.disk.measure()
    bench.seconds(32)
    assert bench.active == ["shifu#disk"]
    assert bench.alarms.get("shifu#disk").reason() == "4.90 GiB of 100.0 GiB are free, wanted 5.00 GiB"

    full(monkeypatch, 5.2 * GIB, 100 * GIB)
    bench.disk.measure()
    bench.seconds(10)
    assert bench.alarms.get("shifu#disk").state.state == "unacknowledged"
    full(monkeypatch, 5.6 * GIB, 100 * GIB)
    bench.disk.measure()
    bench.seconds(7)
    assert bench.alarms.get("shifu#disk").state.state == "returned"


async def test_it_looks_by_itself_and_does_not_wait_for_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    asked: list[Any] = []

    async def hang(work: Any) -> None:
        asked.append(work)
        await asyncio.Event().wait()

    monkeypatch.setattr("controller.selfcheck.asyncio.to_thread", hang)
    bench.said["journal"] = "disk full"
    task = asyncio.create_task(bench.check.run())
    await bench.clock.advance(10)
    bench.alarms.tick()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert bench.active == ["shifu#journal"]
    assert asked == [bench.disk.measure]


def test_what_the_parts_say(tmp_path: Path) -> None:
    assert log_trouble(LOG, EMBEDDED) == ""
    assert log_trouble(LogStatus(False, "no space", 9, 0, 0, 1, (), 0), EMBEDDED) == "no space"
    assert log_trouble(LOG, EmbeddedStatus(False, "locked", False, 0, 0, 0, 0, "", 1)) == "locked"
    assert influx_trouble(INFLUX) is None
    assert influx_trouble(InfluxStatus(True, "", 0, 0, 0, 7, 0, 0, 0, 0, 0, 0.0)) == ""
    assert influx_trouble(InfluxStatus(False, "401", 401, 0, 0, 7, 0, 0, 0, 0, 1, 0.0)) == "401"
    assert damage(JOURNAL, LOG, EMBEDDED) == ""
    broken = cast("Journal", type("J", (), {"quarantined": tmp_path / "state.db.damaged-1", "damage": "malformed"}))
    log = LogStatus(True, "", 0, 0, 0, 0, ("00000001.db",), 0)
    history = EmbeddedStatus(True, "", False, 0, 0, 0, 0, "history.db.damaged", 0)
    said = damage(broken, log, history)
    assert said == "state.db.damaged-1: malformed, 00000001.db, history.db.damaged"
