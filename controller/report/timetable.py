"""When reports are made by themselves; the one module of reports that knows APScheduler.

It calls `Desk.catch_up` at the times of report.toml, and once a minute after the start. What a run makes is decided by
what is missing, so that a run that was missed or came twice does no harm.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from controller.errors import ShifuError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from controller.report.desk import Desk
    from drivers.driver import Clock

__all__ = ["ReportPlan", "Slot", "Timetable"]

_log = logging.getLogger(__name__)
_LATE_S = 6 * 3_600
"""A run that the machine slept through is made up to so many seconds later; after that the next one does it."""
_AFTER_START_S = 60.0
"""A start has more to do than reports."""


@dataclass(frozen=True, slots=True)
class Slot:
    """When reports of a kind are made, and how many are kept."""

    hour: int
    minute: int
    keep: int


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """What report.toml says; None: not by schedule."""

    day: Slot | None = None
    """Of the day before."""
    month: Slot | None = None
    """On the first, of the month before."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds that are made by schedule."""
        return tuple(kind for kind in ("day", "month") if getattr(self, kind) is not None)

    @property
    def keep(self) -> dict[str, int]:
        """Return how many of a kind are kept; of a kind that is not made by schedule, all."""
        slots = {"day": self.day, "month": self.month}
        return {kind: slot.keep for kind, slot in slots.items() if slot is not None}


class Timetable:
    """The schedule of one plan. `run` lives as long as the controller."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._plan = ReportPlan()
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def use(self, plan: ReportPlan, zone: ZoneInfo) -> None:
        """Follow a plan from now on."""
        self._plan = plan
        for kind, slot in (("day", plan.day), ("month", plan.month)):
            if slot is None:
                if self._scheduler.get_job(kind) is not None:
                    self._scheduler.remove_job(kind)
                continue
            on = None if kind == "day" else 1
            self._scheduler.add_job(
                self.look,
                CronTrigger(day=on, hour=slot.hour, minute=slot.minute, timezone=zone),
                id=kind,
                args=(kind,),
                replace_existing=True,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=_LATE_S,
            )

    async def look(self, *kinds: str) -> None:
        """Have made what is due of these kinds (none given: of all in the plan), and remove what is too old."""
        try:
            await self._desk.catch_up(kinds or self._plan.kinds)
            await self._desk.prune(self._plan.keep)
        except ShifuError as error:
            _log.warning("reports: %s", error)

    async def run(self) -> None:
        """Start the schedule, make up for what was missed, and stop when cancelled."""
        self._scheduler.start()
        try:
            await self._clock.sleep(_AFTER_START_S)
            await self.look()
            while True:
                await self._clock.sleep(86_400.0)
        finally:
            self._scheduler.shutdown(wait=False)
