"""`/schedules`: what runs by the clock, why, and what will in the next 14 days.

Each sees the schedules that switch something in his areas; `controller.api.schedule_change` has the changes.
"""

import asyncio
import hashlib
from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query

from controller.api.access import Allow, RuntimeDep, find_point
from controller.api.body import Address
from controller.api.entry import Id
from controller.api.render import Json, iso, name_json, parse_time
from controller.api.runtime import Runtime
from controller.api.timetable import (
    ExceptionReply,
    PlanReply,
    PointReply,
    PreviewReply,
    SchedulesReply,
)
from controller.command.priority import winner
from controller.errors import NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.office import Day
from controller.point.reason import spoken
from controller.schedule.engine import SLOT
from controller.schedule.schedule import Schedule, SpecialPeriod
from controller.schedule.timetable import Cause, Interval, State, span_of, touching
from controller.settings.schedule import clock, schedule_row

__all__ = ["change_json", "find_plan", "find_special", "plan_json", "plan_tag", "router", "special_json", "special_tag"]

router = APIRouter(prefix="/schedules", tags=["schedules"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Moment = Annotated[str | None, Query(max_length=40, description="ISO 8601 with a zone, or ms since 1970")]
_DAY_NS = 86_400_000_000_000
_BACK_NS, _AHEAD_NS = 4 * _DAY_NS, 14 * _DAY_NS
_SPECIAL_DAYS = 120


def _seen(runtime: Runtime, principal: Principal, schedule: Schedule) -> list[str]:
    known = runtime.site().equipment
    return [
        address
        for address in schedule.equipment
        if address in known and principal.permissions.allows(Action.VIEW, known[address].area)
    ]


def _plans(runtime: Runtime, principal: Principal) -> dict[str, Schedule]:
    found = runtime.schedules.timetable().schedules
    return {id_: schedule for id_, schedule in found.items() if _seen(runtime, principal, schedule)}


def find_plan(runtime: Runtime, principal: Principal, id_: str) -> Schedule:
    """Return a schedule that the principal may see.

    Raises:
        NotFoundError: it does not exist, or is not for these eyes.
    """
    found = _plans(runtime, principal).get(id_)
    if found is None:
        raise NotFoundError(f"no schedule {id_!r}; GET /api/v1/schedules lists them")
    return found


def find_special(runtime: Runtime, principal: Principal, id_: str) -> SpecialPeriod:
    """Return an exception of schedules that the principal may see.

    Raises:
        NotFoundError: it does not exist, or is not for these eyes.
    """
    found = runtime.schedules.timetable().exceptions.get(id_)
    if found is None or not set(found.schedules) & _plans(runtime, principal).keys():
        raise NotFoundError(f"no exception {id_!r}; GET /api/v1/schedules lists them")
    return found


def _cause(cause: Cause) -> dict[str, Any]:
    return {"kind": cause.kind, "id": cause.id, "name": name_json(cause.name)}


def day_json(day: Day) -> dict[str, Any]:
    return {
        "date": day.day.isoformat(),
        "type": day.type,
        "name": name_json(day.name),
        "workday": day.workday,
        "added": day.added,
        "published": day.published,
    }


def change_json(runtime: Runtime, kind: str, id_: str) -> dict[str, Any] | None:
    """Return who changed a schedule (`plan`) or an exception on a screen; None when nobody did."""
    change = runtime.schedules.change(kind, id_)
    if change is None:
        return None
    base = runtime.schedules.base()
    of_files = id_ in (base.schedules if kind == "plan" else base.exceptions)
    return {"owner": change.owner, "reason": change.reason, "since": iso(change.since_ns), "of_files": of_files}


def _standing(intervals: list[Interval], now_ns: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the state now with its times, and the next one in which another mode holds."""
    place = next(place for place, one in enumerate(intervals) if one.start_ns <= now_ns < one.end_ns)
    now = intervals[place]
    first, last = place, place
    while first and intervals[first - 1].state.mode == now.state.mode:
        first -= 1
    while last + 1 < len(intervals) and intervals[last + 1].state.mode == now.state.mode:
        last += 1
    after = intervals[last + 1] if last + 1 < len(intervals) else None
    standing = {
        "mode": now.state.mode,
        "cause": _cause(now.state.cause),
        "since": iso(intervals[first].start_ns) if first else None,
        "until": iso(after.start_ns) if after else None,
    }
    if after is None:
        return standing, None
    return standing, {"at": iso(after.start_ns), "mode": after.state.mode, "cause": _cause(after.state.cause)}


def plan_json(runtime: Runtime, principal: Principal, schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as the API shows it, with what it wants now and next."""
    view, now_ns = runtime.schedules, runtime.clock.now_ns()
    timetable = view.timetable()
    now, after = _standing(timetable.intervals(schedule, now_ns - _BACK_NS, now_ns + _AHEAD_NS), now_ns)
    wishes, refused, seen = view.wishes(), view.refused(), _seen(runtime, principal, schedule)
    of_piece: dict[str, State] = {}
    counts = {"wanted": 0, "effective": 0, "masked": 0, "refused": 0}
    for address, wish in wishes.items():
        if wish.schedule != schedule.id or wish.equipment not in seen:
            continue
        of_piece[wish.equipment] = wish.state
        slots = tuple(runtime.arbiter.slots(address))
        top = winner(slots)
        held = slots[SLOT - 1] is not None and address not in refused
        counts["wanted"] += 1
        counts["effective"] += held and top == SLOT
        counts["masked"] += 0 < top < SLOT
        counts["refused"] += not held and not 0 < top < SLOT
    out = runtime.calendar.outages()
    different: list[dict[str, Any]] = []
    for address in seen:
        state = of_piece.get(address)
        if address in out:
            different.append({"equipment": address, "mode": "", "cause": None})
        elif state is not None and state.mode != now["mode"]:
            different.append({"equipment": address, "mode": state.mode, "cause": _cause(state.cause)})
    row = schedule_row(schedule)
    return {
        "id": schedule.id,
        "name": row["name"],
        "areas": list(schedule.areas),
        "equipment": seen,
        "tags": list(schedule.tags),
        "modes": row["mode"],
        "weekly": row["weekly"],
        "default": schedule.default,
        "booking": row["booking"],
        "stagger_s": schedule.stagger_s,
        "enabled": schedule.enabled,
        "now": now,
        "next": after,
        "different": different,
        "points": counts,
        "change": change_json(runtime, "plan", schedule.id),
    }


def special_json(runtime: Runtime, principal: Principal, special: SpecialPeriod) -> dict[str, Any]:
    """Return an exception as the API shows it."""
    today = runtime.schedules.timetable().local(runtime.clock.now_ns())[0]
    phase = "planned" if today < special.first else "on" if today <= special.last else "over"
    seen = _plans(runtime, principal)
    return {
        "id": special.id,
        "title": name_json(special.title),
        "schedules": [id_ for id_ in special.schedules if id_ in seen],
        "patterns": list(special.patterns),
        "from": special.first.isoformat(),
        "to": special.last.isoformat(),
        "mode": special.mode,
        "start": clock(special.start_min),
        "end": clock(special.end_min),
        "day": special.day_type,
        "phase": phase,
        "change": change_json(runtime, "exception", special.id),
    }


def _tag(entry: Any) -> str:
    return f'"{hashlib.sha256(orjson.dumps(entry)).hexdigest()[:24]}"'


def plan_tag(runtime: Runtime, schedule: Schedule) -> str:
    """Return the ETag of a schedule."""
    # What the schedule says and not what time makes of it.
    return _tag([schedule_row(schedule), change_json(runtime, "plan", schedule.id)])


def special_tag(runtime: Runtime, special: SpecialPeriod) -> str:
    """Return the ETag of an exception."""
    said = [str(special.first), str(special.last), special.start_min, special.end_min, special.mode, special.day_type]
    names = [name_json(special.title), special.patterns, special.schedules]
    return _tag([special.id, said, names, change_json(runtime, "exception", special.id)])


@router.get("", response_model=SchedulesReply)
async def read_schedules(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return all schedules with what they want now and next, their exceptions, and the holidays ahead."""
    timetable, now_ns = runtime.schedules.timetable(), runtime.clock.now_ns()
    today = timetable.local(now_ns)[0]
    plans = []
    for schedule in _plans(runtime, principal).values():
        plans.append(plan_json(runtime, principal, schedule))
        await asyncio.sleep(0)  # a site of many schedules must not hold the loop
    seen = {plan["id"] for plan in plans}
    exceptions = sorted(timetable.exceptions.values(), key=lambda one: (one.first, one.start_min, one.id))
    return Json(
        {
            "time": iso(now_ns),
            "today": day_json(timetable.office.day(today)),
            "special": [day_json(day) for day in timetable.office.special(today, _SPECIAL_DAYS)],
            "plans": plans,
            "exceptions": [special_json(runtime, principal, one) for one in exceptions if seen & set(one.schedules)],
        }
    )


@router.get("/preview", response_model=PreviewReply)
async def read_preview(
    runtime: RuntimeDep,
    principal: Viewer,
    start: Moment = None,
    days: Annotated[int, Query(ge=1, le=62)] = 14,
    plan: Annotated[str | None, Query(max_length=63, description="one schedule")] = None,
) -> Json:
    """Return what each schedule will do, interval by interval, from local midnight of a day (today)."""
    view = runtime.schedules
    timetable = view.timetable()
    first = timetable.local(runtime.clock.now_ns() if start is None else parse_time(start, "start"))[0]
    begin, end = timetable.instant(first, 0), timetable.instant(first + timedelta(days=days), 0)
    chosen = _plans(runtime, principal) if plan is None else {plan: find_plan(runtime, principal, plan)}
    used = view.used(begin - _DAY_NS, end + _DAY_NS)
    lines = []
    for schedule in chosen.values():
        seen = set(_seen(runtime, principal, schedule))
        lines.append(
            {
                "plan": schedule.id,
                "intervals": [
                    {
                        "start": iso(one.start_ns),
                        "end": iso(one.end_ns),
                        "mode": one.state.mode,
                        "cause": _cause(one.state.cause),
                    }
                    for one in timetable.intervals(schedule, begin, end)
                ],
                "bookings": [
                    {
                        "start": iso(span_of(schedule, use.booking)[0]),
                        "end": iso(span_of(schedule, use.booking)[1]),
                        "mode": schedule.booking_mode,
                        "booking": use.booking.id,
                        "title": name_json(use.booking.title),
                        "equipment": sorted(use.equipment & seen),
                    }
                    for use in touching(used, schedule, begin, end)
                    if use.equipment & seen
                ],
            }
        )
        await asyncio.sleep(0)
    kinds = [day_json(timetable.office.day(first + timedelta(days=place))) for place in range(days)]
    return Json({"start": iso(begin), "end": iso(end), "days": kinds, "lines": lines})


@router.get("/points/{address}", response_model=PointReply)
async def read_point(runtime: RuntimeDep, principal: Viewer, address: Address) -> Json:
    """Return what its schedule wants of a point, why, and who decides at last."""
    point, view, now_ns = find_point(runtime, principal, address), runtime.schedules, runtime.clock.now_ns()
    timetable = view.timetable()
    plan = next(
        (
            schedule
            for schedule in timetable.schedules.values()
            if point.equipment in schedule.equipment and address.rpartition(".")[2] in schedule.tags
        ),
        None,
    )
    now = None
    if plan is not None:
        span = (now_ns - _BACK_NS, now_ns + _AHEAD_NS)
        used = touching(view.used(*span), plan, *span)
        now = _standing(timetable.intervals(plan, *span, point.equipment, used), now_ns)[0]
    slots = tuple(runtime.arbiter.slots(address)) if point.write is not None else ()
    top = winner(slots)
    slot = slots[top - 1] if top else None
    wish = view.wishes().get(address)
    default = point.write.default if point.write is not None else None
    return Json(
        {
            "point": address,
            "plan": plan.id if plan else "",
            "value": wish.value if wish else None,
            "now": now,
            "slot": top,
            "present": slot.value if slot else default,
            "owner": slot.owner if slot else "",
            "why": name_json(spoken(slot.reason if slot else "")),
            "refused": view.refused().get(address, ""),
        }
    )


@router.get("/plan/{plan_id}", response_model=PlanReply)
async def read_plan(runtime: RuntimeDep, principal: Viewer, plan_id: Id) -> Json:
    """Return one schedule, with an ETag for changing it."""
    schedule = find_plan(runtime, principal, plan_id)
    return Json(plan_json(runtime, principal, schedule), headers={"ETag": plan_tag(runtime, schedule)})


@router.get("/exception/{exception_id}", response_model=ExceptionReply)
async def read_exception(runtime: RuntimeDep, principal: Viewer, exception_id: Id) -> Json:
    """Return one exception, with an ETag for changing it."""
    special = find_special(runtime, principal, exception_id)
    return Json(special_json(runtime, principal, special), headers={"ETag": special_tag(runtime, special)})
