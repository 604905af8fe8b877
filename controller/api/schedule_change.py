"""Changes of `/schedules`: hours, values and bookings of a schedule, and exceptions.

What is changed is laid over the files (overlay `schedule/<kind>/<id>`), with who and why in the audit journal, and
needs the right in every area of the schedules that it touches.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.requests import Request

from controller.api.access import Allow, RuntimeDep, may
from controller.api.change import replaced
from controller.api.entry import EndBody, GoneReply, Id
from controller.api.limit import IfMatch, match
from controller.api.render import Json, name_json
from controller.api.runtime import Runtime
from controller.api.schedule import (
    change_json,
    find_plan,
    find_special,
    plan_json,
    plan_tag,
    special_json,
    special_tag,
)
from controller.api.timetable import ExceptionBody, ExceptionReply, PlanBody, PlanReply
from controller.errors import ConflictError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.schedule.schedule import Schedule, SpecialPeriod
from controller.settings.schedule import ScheduleFrame, clock, conflict, schedule_row

__all__ = ["router"]

router = APIRouter(prefix="/schedules", tags=["schedules"])
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
Kind = Literal["plan", "exception"]
MAX_EXCEPTIONS = 1_000


def _may_change(principal: Principal, schedules: list[Schedule]) -> None:
    for area in sorted({area for schedule in schedules for area in schedule.areas}) or [""]:
        may(principal, Action.CONFIGURE, area)


def _of(runtime: Runtime, special: SpecialPeriod | None) -> list[Schedule]:
    found = runtime.schedules.timetable().schedules
    return [found[id_] for id_ in special.schedules if id_ in found] if special else []


@router.put("/plan/{plan_id}", response_model=PlanReply)
async def put_plan(
    request: Request, runtime: RuntimeDep, principal: Engineer, plan_id: Id, body: PlanBody, if_match: IfMatch = None
) -> Json:
    """Change hours, values, bookings or the switch of a schedule; in effect at once."""
    before = find_plan(runtime, principal, plan_id)
    _may_change(principal, [before])
    value = body.model_dump(by_alias=True, exclude={"reason"})
    base = runtime.schedules.base().schedules.get(plan_id, before)
    ScheduleFrame.of(runtime.site()).changed(base, value)
    return await _keep(request, runtime, principal, "plan", plan_id, value, body.reason, if_match)


@router.put("/exception/{exception_id}", response_model=ExceptionReply)
async def put_exception(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    exception_id: Id,
    body: ExceptionBody,
    if_match: IfMatch = None,
) -> Json:
    """Put in or change an exception. A new one needs no If-Match, and is refused when the id is there already."""
    timetable = runtime.schedules.timetable()
    value = body.model_dump(by_alias=True, exclude={"reason"})
    wanted = ScheduleFrame.of(runtime.site()).special(exception_id, value, timetable.schedules)
    before = timetable.exceptions.get(exception_id)
    _may_change(principal, _of(runtime, before) + _of(runtime, wanted))
    if before is None and len(timetable.exceptions) >= MAX_EXCEPTIONS:
        raise ConflictError(f"there are {MAX_EXCEPTIONS} exceptions; take old ones away first")
    other = conflict(wanted, timetable.exceptions.values())
    if other is not None:
        same = ", ".join(sorted(set(other.schedules) & set(wanted.schedules)))
        raise ConflictError(
            f"{other.title.zh} ({other.id}) says something else for {same} from {other.first} to {other.last}; "
            "choose other times or schedules, or change that one"
        )
    return await _keep(request, runtime, principal, "exception", exception_id, value, body.reason, if_match)


@router.post("/exception/{exception_id}/remove", response_model=GoneReply)
async def remove_exception(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    exception_id: Id,
    body: EndBody,
    if_match: IfMatch = None,
) -> Json:
    """Take an exception away; its history stays in the audit."""
    before = find_special(runtime, principal, exception_id)
    _may_change(principal, _of(runtime, before))
    return await _keep(request, runtime, principal, "exception", exception_id, None, body.reason, if_match)


@router.post("/{kind}/{entry_id}/reset", response_model=PlanReply | ExceptionReply)
async def reset_schedule(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    kind: Kind,
    entry_id: Id,
    body: EndBody,
    if_match: IfMatch = None,
) -> Json:
    """Have a schedule or an exception be as the files say again; what was changed on screens ends."""
    view = runtime.schedules
    if kind == "plan":
        schedule = find_plan(runtime, principal, entry_id)
        _may_change(principal, [schedule])
    else:
        special = find_special(runtime, principal, entry_id)
        _may_change(principal, _of(runtime, special) + _of(runtime, view.base().exceptions.get(entry_id)))
    change = change_json(runtime, kind, entry_id)
    if change is None or not change["of_files"]:
        raise ConflictError(f"{kind} {entry_id!r} is as in the files, or in no file; there is nothing to go back to")
    return await _keep(request, runtime, principal, kind, entry_id, None, body.reason, if_match, reset=True)


def _rows(runtime: Runtime, kind: str, id_: str) -> Any:
    """Return what the timetable says of an entry, for the audit journal."""
    timetable = runtime.schedules.timetable()
    if kind == "plan":
        return schedule_row(timetable.schedules[id_])
    special = timetable.exceptions.get(id_)
    if special is None:
        return None
    return {
        "title": name_json(special.title),
        "schedules": list(special.patterns),
        "from": special.first.isoformat(),
        "to": special.last.isoformat(),
        "mode": special.mode,
        "start": clock(special.start_min),
        "end": clock(special.end_min),
        "day": special.day_type,
    }


async def _keep(
    request: Request,
    runtime: Runtime,
    principal: Principal,
    kind: str,
    id_: str,
    value: dict[str, Any] | None,
    reason: str,
    if_match: str | None,
    *,
    reset: bool = False,
) -> Json:
    """Keep a change, or end one; of two who read the same the second is told."""
    view = runtime.schedules

    def check() -> None:
        if kind == "plan":
            match(if_match, plan_tag(runtime, find_plan(runtime, principal, id_)))
        else:
            special = view.timetable().exceptions.get(id_)
            match(if_match, None if special is None else special_tag(runtime, special))

    await replaced(
        request,
        runtime,
        principal,
        "schedule_change",
        f"{kind}/{id_}",
        reason=reason,
        before=_rows(runtime, kind, id_),
        wanted="the files" if reset else value,
        check=check,
        keep=lambda: view.reset(kind, id_) if reset else view.set(kind, id_, value, principal.actor, reason),
        after=lambda: (None, _rows(runtime, kind, id_)),
    )
    if kind == "plan":
        schedule = find_plan(runtime, principal, id_)
        return Json(plan_json(runtime, principal, schedule), headers={"ETag": plan_tag(runtime, schedule)})
    special = view.timetable().exceptions.get(id_)
    if special is None:
        return Json({"id": id_, "gone": True})
    return Json(special_json(runtime, principal, special), headers={"ETag": special_tag(runtime, special)})
