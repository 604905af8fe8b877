"""From an alarm to whom it is told and when. Pure: the same alarm, plan and roster give the same answer at any time.

That makes a restart harmless: what was told already has the same id as what is found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.notify.roster import local

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from zoneinfo import ZoneInfo

    from controller.alarm.definition import AlarmDefinition
    from controller.notify.plan import NotifyPlan, Route

__all__ = ["Call", "calls", "takes"]


@dataclass(frozen=True, slots=True)
class Call:
    """One contact that is to be told of one alarm."""

    contact: str
    after_s: float
    """So long after the alarm was raised, when nobody has acknowledged it by then."""
    route: str


def takes(route: Route, alarm: AlarmDefinition) -> bool:
    """Tell whether a route takes an alarm, whatever the time."""
    return (
        (route.life_safety is None or route.life_safety == alarm.life_safety)
        # An alarm of life safety is never left out for its priority: it is a class above all of them.
        and (alarm.life_safety or alarm.priority in route.priorities)
        and (not route.systems or alarm.system in route.systems)
        and (not route.areas or alarm.area in route.areas)
        and (not route.floors or alarm.floor in route.floors)
    )


def calls(
    plan: NotifyPlan, alarm: AlarmDefinition, raised_ns: int, zone: ZoneInfo, workday: Callable[[date], bool]
) -> list[Call]:
    """Return whom an alarm raised at `raised_ns` is told, in the order of time.

    Who is on duty is asked for the time of the step. A contact that two routes name for one time is told once. Hours of
    a route are those in which the alarm was raised; life safety knows no hours.
    """
    moment = local(raised_ns, zone)
    found: dict[tuple[float, str], Call] = {}
    for route in plan.routes:
        if not takes(route, alarm):
            continue
        if route.hours is not None and not alarm.life_safety and not route.hours.cover(moment, workday):
            continue
        for step in route.steps:
            due_ns = raised_ns + round(step.after_s * 1e9)
            for target in step.to:
                names: tuple[str, ...] = (target.id,)
                if target.kind == "duty":
                    names = plan.duties[target.id].on(due_ns, zone, workday)
                for name in names:
                    found.setdefault((step.after_s, name), Call(name, step.after_s, route.id))
    return sorted(found.values(), key=lambda call: call.after_s)
