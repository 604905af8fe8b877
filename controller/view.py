"""What the API sees of the running controller: the views of calendars, schedules, strategies and notification.

A view joins what is in effect now, what the files say, and who changed it; the routers know neither the revision nor
an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.api.runtime import CalendarView, NotifyView, ScheduleView, StrategyView
from controller.settings.calendar import entry_key
from controller.settings.roster import roster_key
from controller.settings.schedule import schedule_key
from controller.settings.strategy import strategy_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.almanac import Almanac
    from controller.notify.desk import NotifyDesk
    from controller.point.model import Site
    from controller.revision import Revision
    from controller.schedule.engine import ScheduleEngine
    from controller.schedule.timetable import Use
    from controller.strategy.engine import StrategyEngine

__all__ = ["calendar_view", "notify_view", "overview", "schedule_view", "strategy_view"]

_MANY = ("meter", "environment")
"""Systems of so many points that the overview does without them."""


def calendar_view(revision: Revision, almanac: Almanac) -> CalendarView:
    """Return the view of works, inspections and bookings."""
    return CalendarView(
        calendar=lambda: revision.configuration.calendar,
        outages=lambda: almanac.outages,
        in_use=lambda: almanac.in_use,
        change=lambda kind, id_: revision.change(entry_key(kind, id_)),
        of_files=lambda kind, id_: id_ in revision.files.calendar.entries(kind),
        set_entry=revision.set_entry,
        reset_entry=revision.reset_entry,
    )


def schedule_view(
    revision: Revision, engine: ScheduleEngine, used: Callable[[int, int], Sequence[Use]]
) -> ScheduleView:
    """Return the view of the schedules; `used` gives the bookings between two times, ns UTC."""
    return ScheduleView(
        timetable=lambda: revision.configuration.timetable,
        base=lambda: revision.files.timetable,
        used=used,
        wishes=lambda: engine.wishes,
        refused=lambda: engine.refused,
        change=lambda kind, id_: revision.change(schedule_key(kind, id_)),
        set=revision.set_schedule,
        reset=revision.reset_schedule,
    )


def strategy_view(revision: Revision, engine: StrategyEngine) -> StrategyView:
    """Return the view of the strategies."""
    return StrategyView(
        statuses=engine.statuses,
        status=engine.status,
        change=lambda strategy: revision.change(strategy_key(strategy)),
        set_mode=revision.set_mode,
        declare=revision.declare,
    )


def notify_view(revision: Revision, desk: NotifyDesk) -> NotifyView:
    """Return the view of contacts, routes and rosters."""
    return NotifyView(
        plan=lambda: revision.configuration.notify,
        desk=desk,
        change=lambda duty: revision.change(roster_key(duty)),
        set_roster=revision.set_roster,
    )


def overview(site: Site) -> list[str]:
    """Return the points of the overview: everything but the many meters and rooms."""
    return [point.address for point in site.points.values() if site.equipment[point.equipment].system not in _MANY]
