"""A timetable with its engine, and what a screen changes of it: for tests of the API and of browsers' data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from controller.api.runtime import LimitChange, ScheduleView
from controller.office import OfficeCalendar
from controller.schedule.engine import ScheduleEngine
from controller.schedule.timetable import Timetable, Use, uses
from controller.settings.overlay import Change, forget, store
from controller.settings.schedule import ScheduleFrame, lay_timetable, schedule_key
from controller.settings.schedule_row import ScheduleRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.clock import VirtualClock
    from controller.command.arbiter import Arbiter
    from controller.journal.journal import Journal
    from controller.point.model import Site
    from controller.settings.calendar import Calendar

__all__ = ["ScheduleDesk"]

OFFICE = {
    "id": "office",
    "name": {"zh": "辦公空調", "en": "Office air"},
    "equipment": ["hall.hvac.ahu1"],
    "mode": [
        {"id": "on", "name": {"zh": "上班", "en": "Occupied"}, "values": {"mode": 1, "zone_temp_sp": 26}},
        {"id": "off", "name": {"zh": "停機", "en": "Off"}, "values": {"mode": 0}},
    ],
    "weekly": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "07:30", "to": "18:00", "mode": "on"}],
    "default": "off",
    "booking": {"mode": "on", "lead_min": 60, "lag_min": 30},
}
PLANT = {
    "id": "plant",
    "name": {"zh": "冰水主機", "en": "Chiller"},
    "equipment": ["hall.plant.ch1"],
    "mode": [{"id": "on", "name": {"zh": "啟動", "en": "On"}, "values": {"enable": 1}}],
    "weekly": [{"days": ["mon", "holiday"], "from": "07:00", "to": "18:00", "mode": "on"}],
}
CLEANING = {
    "title": {"zh": "打掃", "en": "Cleaning"},
    "schedules": ["office"],
    "from": "2026-01-04",
    "to": "2026-01-04",
    "mode": "on",
    "start": "08:00",
    "end": "12:00",
}


class ScheduleDesk:
    """Two schedules and an exception of the test's house, kept as the controller keeps them."""

    def __init__(
        self,
        site: Site,
        arbiter: Arbiter,
        journal: Journal,
        clock: VirtualClock,
        calendar: Callable[[], Calendar],
    ) -> None:
        self._site, self._journal, self._clock, self._calendar = site, journal, clock, calendar
        self._changes: dict[str, Change] = {}
        frame = ScheduleFrame.of(site)
        made = [frame.schedule(ScheduleRow.model_validate(row)) for row in (OFFICE, PLANT)]
        assert not any(issues for _, issues in made), made
        schedules = {schedule.id: schedule for schedule, _ in made}
        special = frame.special("cleaning", CLEANING, schedules)
        self.files = Timetable(ZoneInfo("Asia/Taipei"), OfficeCalendar("TW"), schedules, {"cleaning": special})
        self.engine = ScheduleEngine(
            timetable=self.timetable,
            used=self.used,
            site=lambda: site,
            arbiter=arbiter,
            out=tuple,
            ready=lambda _device: True,
            clock=clock,
            changed=lambda: None,
        )

    def timetable(self) -> Timetable:
        return lay_timetable(self.files, self._changes.values(), self._site)

    def used(self, start_ns: int, end_ns: int) -> list[Use]:
        calendar = self._calendar()
        return uses(calendar.all_bookings(start_ns, end_ns), calendar.venues)

    async def set(self, kind: str, id_: str, value: Any, owner: str, reason: str) -> None:
        if value is None and id_ not in self.files.exceptions:
            await self.reset(kind, id_)
            return
        change = Change(schedule_key(kind, id_), value, owner, reason, None, self._clock.now_ns())
        await self._journal.write(store(change))
        self._changes[change.key] = change
        self.engine.look()

    async def reset(self, kind: str, id_: str) -> None:
        await self._journal.write(forget(schedule_key(kind, id_)))
        self._changes.pop(schedule_key(kind, id_), None)
        self.engine.look()

    def _change(self, kind: str, id_: str) -> LimitChange | None:
        change = self._changes.get(schedule_key(kind, id_))
        return None if change is None else LimitChange(change.who, change.why, change.time_ns, None)

    def view(self) -> ScheduleView:
        return ScheduleView(
            timetable=self.timetable,
            base=lambda: self.files,
            used=self.used,
            wishes=lambda: self.engine.wishes,
            refused=lambda: self.engine.refused,
            change=self._change,
            set=self.set,
            reset=self.reset,
        )
