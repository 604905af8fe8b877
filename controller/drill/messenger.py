"""Puts what the people of a drill are told into the outbox of notifications, one after another.

    messenger = Messenger(…)
    engine = DrillEngine(…, announce=messenger.take)
    await messenger.start(notifier)     # after a crash: what nobody needs any more, and ends that were not told
    await messenger.run()

The engine hands over what it has recorded already, so the journal has the line before the message. What was asked for
while the drill ran is not told when it is over, and the message of its end takes back everything that still waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from controller.drill.course import Entry, Phase
from controller.drill.notice import end_key, prefix, told
from controller.errors import ConflictError, NotFoundError, UnavailableError
from controller.notify.plan import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from controller.drill.course import Drill
    from controller.drill.notice import DrillNotice
    from controller.point.model import Name
    from drivers.driver import Clock

__all__ = ["Messenger", "Outlet"]

_log = logging.getLogger(__name__)

MOST = 1_000
"""Messages that wait for the outbox; more are counted and not told, but for the end of a drill."""
RETRY_S = 1.0


class Outlet(Protocol):
    """The notifier, as a drill needs it."""

    async def post(
        self,
        key: str,
        to: Iterable[Target],
        title: Name,
        body: Name,
        *,
        life_safety: bool = False,
        drill: bool = False,
        real: bool = False,
        see: str = "",
    ) -> list[str]:
        """Put a message into the outbox, once to each contact."""

    def withdraw(self, keys: str, *, but: str = "") -> None:
        """Take back what was not handed over yet."""

    async def posted(self, key: str) -> bool:
        """Tell whether a key was posted before."""


class Messenger:
    """One a controller. `take` returns at once and never raises."""

    def __init__(
        self,
        drill: Callable[[str], Drill | None],
        zone: Callable[[], str],
        clock: Clock,
        lost: Callable[[str, str], None],
    ) -> None:
        """Prepare.

        Args:
            drill: a drill that is not closed, by id.
            zone: the site's time zone.
            clock: the time.
            lost: told of a drill, and of a contact or duty that notify.toml has no longer.
        """
        self._drill = drill
        self._zone = zone
        self._clock = clock
        self._lost = lost
        self._outlet: Outlet | None = None
        self._queue: deque[DrillNotice] = deque()
        self._more = asyncio.Event()
        self._said: set[tuple[str, str]] = set()
        """Whom a drill could not tell, by drill; said once."""
        self._late = False
        """The outbox takes nothing, and that was said."""
        self.dropped = 0
        """Messages that were not told because too many waited; 0 in health."""

    def take(self, drill: Drill, entries: Sequence[Entry]) -> None:
        """Take what was recorded of a drill."""
        zone = ZoneInfo(self._zone())
        for entry in entries:
            notice = told(drill, entry, zone)
            if notice is None:
                continue
            if len(self._queue) >= MOST and not notice.end:
                self.dropped += 1
                continue
            self._queue.append(notice)
            if notice.end:
                self._take_back(notice)
        self._more.set()

    def _take_back(self, notice: DrillNotice) -> None:
        if self._outlet is not None:
            self._outlet.withdraw(prefix(notice.drill), but=notice.key)

    async def start(self, outlet: Outlet, drills: Iterable[Drill]) -> None:
        """Begin to use the outbox, before anything of it is sent.

        What the last run left of drills that are over is taken back; where people were told of a start and the
        controller died before it told them of the end, it does so now.

        Raises:
            UnavailableError: the outbox cannot be read.
        """
        self._outlet = outlet
        waiting = {notice.key for notice in self._queue}
        for drill in drills:
            if drill.phase is not Phase.STOOD_DOWN:
                continue
            outlet.withdraw(prefix(drill.id), but=end_key(drill.id))
            if end_key(drill.id) not in waiting and await outlet.posted(f"{prefix(drill.id)}start"):
                self.take(drill, [Entry(drill.id, drill.ended_ns or 0, "ended", "system", drill.scenario.name)])

    async def run(self) -> None:
        """Tell what waits, in its order, until cancelled."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._queue:
                try:
                    done = await self._tell(self._queue[0])
                except Exception:  # noqa: BLE001 - one that breaks must not silence the end of a drill
                    _log.exception("drill %s: a message could not be told", self._queue[0].drill)
                    done = True
                if done:
                    self._queue.popleft()
                else:
                    await self._clock.sleep(RETRY_S)

    async def _tell(self, notice: DrillNotice) -> bool:
        """Put one message into the outbox; False when it is to be tried again."""
        if self._outlet is None:
            return False
        drill = self._drill(notice.drill)
        if not notice.end and (drill is None or drill.phase is not Phase.RUNNING):
            return True
        gone = False
        for target in notice.to:
            kind, _, id_ = target.partition(":")
            try:
                await self._outlet.post(
                    notice.key,
                    [Target("duty" if kind == "duty" else "contact", id_)],
                    notice.title,
                    notice.body,
                    life_safety=notice.real,
                    drill=not notice.real,
                    real=notice.real,
                    see=notice.see,
                )
            except NotFoundError:
                if (notice.drill, target) not in self._said:
                    self._said.add((notice.drill, target))
                    self._lost(notice.drill, target)
            except (UnavailableError, ConflictError) as error:
                if not self._late:
                    _log.warning("drill %s: %s is not told yet: %s", notice.drill, target, error)
                gone = True
        self._late = gone
        if notice.end:
            self._take_back(notice)
        return not gone
