"""The overlay: what was changed while running, over what the files say. Kept in the state database with who and why.

A key is `limits/<point address>` (a JSON object of `high_high`, `high`, `low`, `low_low`; null takes a limit away),
`plan/<building>/<floor>` (a whole plan, as `controller.plan.plan.Plan.to_json` writes it),
`calendar/<kind>/<id>` (see `controller.settings.calendar`), `schedule/<kind>/<id>` (see
`controller.settings.schedule`), `strategy/<id>` (a mode), `charging/<charger>` and `charging_seen` (see
`controller.settings.declaration`), or `roster/<duty>` (see `controller.settings.roster`). Those of equipment and
devices are in `controller.settings.amendment`.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete
from sqlalchemy.dialects.sqlite import insert

from controller.alarm.definition import LIMIT_KINDS
from controller.errors import NotFoundError
from controller.journal.schema import overlay
from controller.plan.plan import Plan, faults
from controller.point.model import Limits
from controller.settings.calendar import lay_calendar
from controller.settings.declaration import lay_declarations
from controller.settings.roster import lay_rosters
from controller.settings.schedule import lay_timetable
from controller.settings.strategy import lay_strategies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Executable

    from controller.alarm.definition import AlarmDefinition
    from controller.settings.configuration import Configuration

__all__ = [
    "LIMITS",
    "PLAN",
    "Change",
    "apply_limits",
    "apply_plans",
    "forget",
    "lay_over",
    "limit_change",
    "plan_change",
    "plan_key",
    "store",
]

LIMITS = "limits/"
PLAN = "plan/"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the overlay."""

    key: str
    value: Any
    who: str = ""
    why: str = ""
    expires_ns: int | None = None
    time_ns: int = 0
    """When it was made."""

    def over(self, now_ns: int) -> bool:
        """Tell whether its time has passed."""
        return self.expires_ns is not None and self.expires_ns <= now_ns


def apply_limits(
    alarms: Mapping[str, AlarmDefinition], changes: Iterable[Change], now_ns: int
) -> dict[str, AlarmDefinition]:
    """Return the alarms with changed limits; a limit set to null removes its alarm. Expired changes do nothing.

    Only alarms that the files define can be changed: priority and texts come from there.
    """
    result = dict(alarms)
    for change in changes:
        if not change.key.startswith(LIMITS) or not isinstance(change.value, dict):
            continue
        if change.over(now_ns):
            continue
        address = change.key.removeprefix(LIMITS)
        for kind in LIMIT_KINDS:
            identifier = f"{address}#{kind}"
            if kind not in change.value or identifier not in alarms:
                continue
            limit = change.value[kind]
            if limit is None:
                result.pop(identifier, None)
            elif isinstance(limit, int | float) and not isinstance(limit, bool) and math.isfinite(limit):
                result[identifier] = replace(alarms[identifier], limit=float(limit))
    return result


def apply_plans(base: Configuration, changes: Iterable[Change]) -> dict[tuple[str, str], Plan]:
    """Return the plans of the files with those that were changed in their place.

    A change outlives what it speaks of: placements of equipment that the files no longer have do nothing, a drawing of
    the files is the one that they have now, and a change that no longer fits at all is left out and said so.
    """
    plans = dict(base.plans)
    for change in changes:
        if not change.key.startswith(PLAN):
            continue
        building, _, floor = change.key.removeprefix(PLAN).partition("/")
        known = base.site.buildings.get(building)
        if known is None or floor not in [item.id for item in known.floors]:
            continue
        try:
            plan = Plan.parse(building, floor, change.value)
        except (KeyError, TypeError, ValueError) as error:
            _log.warning(
                "the changed plan of %s %s cannot be read (%r); that of the files is shown", building, floor, error
            )
            continue
        if plan.drawing is not None and plan.drawing.file:
            old = plans.get(plan.key)
            plan = replace(plan, drawing=old.drawing if old else None)
        wrong = {
            fault.path[1]
            for fault in faults(plan, base.site.equipment, base.site.points)
            if fault.path[0] == "placements"
        }
        kept = tuple(item for place, item in enumerate(plan.placements) if place not in wrong)
        plans[plan.key] = replace(plan, placements=kept)
    return plans


def plan_key(building: str, floor: str) -> str:
    """Return the key of a floor's plan in the overlay."""
    return f"{PLAN}{building}/{floor}"


def plan_change(base: Configuration, plan: Plan, change: Change) -> Change | None:
    """Return `change` with the value of this plan; None when it is that of the files, so that nothing changes."""
    old = base.plans.get(plan.key)
    return None if old == plan else replace(change, key=plan_key(*plan.key), value=plan.to_json())


def lay_over(base: Configuration, changes: Iterable[Change], now_ns: int, generation: int) -> Configuration:
    """Return the configuration of the files with what was changed: limits, plans, calendars, schedules, strategies."""
    live = [change for change in changes if not change.over(now_ns)]
    alarms = apply_limits({alarm.id: alarm for alarm in base.alarms}, live, now_ns)
    points = dict(base.site.points)
    for change in live:
        address = change.key.removeprefix(LIMITS)
        if change.key.startswith(LIMITS) and address in points:
            kept = {kind: alarms.get(f"{address}#{kind}") for kind in LIMIT_KINDS}
            limits = Limits(**{kind: alarm.limit for kind, alarm in kept.items() if alarm is not None})
            points[address] = replace(points[address], limits=limits)
    site = replace(base.site, points=points, generation=generation)
    return replace(
        base,
        alarms=tuple(alarms.values()),
        site=site,
        plans=apply_plans(base, live),
        calendar=lay_calendar(base.calendar, live, base.site),
        notify=lay_rosters(base.notify, live),
        timetable=lay_timetable(base.timetable, live, base.site),
        strategies=lay_declarations(lay_strategies(base.strategies, live), live),
    )


def limit_change(base: Configuration, address: str, limits: Limits, change: Change) -> Change | None:
    """Return `change` with the value of these limits; None when they are those of the files, so that nothing changes.

    Raises:
        NotFoundError: no such point.
    """
    point = base.site.points.get(address)
    if point is None:
        raise NotFoundError(f"no point {address[:100]!r}")
    value = _value(limits)
    return None if value == _value(point.limits) else replace(change, key=LIMITS + address, value=value)


def store(change: Change) -> Executable:
    """Return the statement that keeps a change; `version` grows by one."""
    values = {
        "value": change.value,
        "who": change.who,
        "why": change.why,
        "time_ns": change.time_ns,
        "expires_ns": change.expires_ns,
    }
    statement = insert(overlay).values(key=change.key, version=1, **values)
    return statement.on_conflict_do_update(index_elements=["key"], set_={**values, "version": overlay.c.version + 1})


def forget(key: str, made_ns: int | None = None) -> Executable:
    """Return the statement that ends a change; with `made_ns` only the one that was made then."""
    statement = delete(overlay).where(overlay.c.key == key)
    return statement if made_ns is None else statement.where(overlay.c.time_ns == made_ns)


def _value(limits: Limits) -> dict[str, float | None]:
    found = ((kind, getattr(limits, kind)) for kind in LIMIT_KINDS)
    return {kind: limit if math.isfinite(limit) else None for kind, limit in found}
