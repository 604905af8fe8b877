"""`/alarms` and `/alarm-journal`: what needs somebody, and what happened."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, Field, StringConstraints

from controller.alarm.definition import Alarm
from controller.api.access import Allow, RuntimeDep, may
from controller.api.body import Address, Body, Cursor, Item, Limit, Line, NameReply, Page, page_of
from controller.api.change import audited
from controller.api.render import Json, finite, iso
from controller.api.runtime import Runtime
from controller.errors import NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal import schema
from controller.journal.query import among, page

__all__ = ["AlarmEntryReply", "entry_json", "router"]

router = APIRouter(tags=["alarms"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Operator = Annotated[Principal, Depends(Allow(Action.ACKNOWLEDGE))]
AlarmId = Annotated[Address, StringConstraints(max_length=300)]


class AlarmReply(Item):
    """One alarm as it stands."""

    id: str
    occurrence: str
    state: Literal[
        "unacknowledged",
        "acknowledged",
        "returned",
        "latched_unacknowledged",
        "latched_acknowledged",
        "normal",
        "shelved",
        "suppressed",
        "out_of_service",
    ]
    priority: int
    life_safety: bool
    kind: str
    point: str | None
    device: str | None
    equipment: str
    system: str
    area: str
    floor: str
    text: NameReply
    """Without the equipment, which is named beside it."""
    reason: NameReply | None
    """Communication and system alarms: what the link, the disk or the server said, in its own words."""
    consequence: NameReply
    action: NameReply
    respond_by: str | None
    value: float | None
    limit: float | None
    unit: str
    raised_at: str | None
    returned_at: str | None
    acknowledged_at: str | None
    acknowledged_by: str | None
    comment: str | None
    count: int
    bad_input: bool
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "cityhall.electrical.tx1.winding_temp_a#high",
                    "occurrence": "1767225600000000000-1",
                    "state": "unacknowledged",
                    "priority": 2,
                    "life_safety": False,
                    "kind": "high",
                    "point": "cityhall.electrical.tx1.winding_temp_a",
                    "device": "tx1-temp",
                    "equipment": "cityhall.electrical.tx1",
                    "system": "electrical",
                    "area": "substation",
                    "floor": "B3",
                    "text": {"zh": "繞組溫度過高", "en": "Winding temperature high"},
                    "reason": None,
                    "consequence": {"zh": "絕緣加速老化", "en": "Insulation ages faster"},
                    "action": {"zh": "檢查冷卻風扇並降載", "en": "Check the fans and reduce the load"},
                    "respond_by": "2026-01-01T00:30:00.000Z",
                    "value": 131.2,
                    "limit": 130.0,
                    "unit": "°C",
                    "raised_at": "2026-01-01T00:00:00.000Z",
                    "returned_at": None,
                    "acknowledged_at": None,
                    "acknowledged_by": None,
                    "comment": None,
                    "count": 1,
                    "bad_input": False,
                }
            ]
        }
    )


class AlarmEntryReply(Item):
    """One line of the alarm journal."""

    id: int
    alarm: str
    occurrence: str
    time: str | None
    event: str
    from_state: str
    to_state: str
    value: float | None
    limit: float | None
    user: str
    comment: str
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 41,
                    "alarm": "cityhall.electrical.tx1.winding_temp_a#high",
                    "occurrence": "1767225600000000000-1",
                    "time": "2026-01-01T00:02:00.000Z",
                    "event": "acknowledged",
                    "from_state": "unacknowledged",
                    "to_state": "acknowledged",
                    "value": 131.2,
                    "limit": 130.0,
                    "user": "wang.hm",
                    "comment": "on my way",
                }
            ]
        }
    )


class AlarmIds(Body):
    """Which alarms, and a comment for the journal."""

    ids: Annotated[list[AlarmId], Field(min_length=1, max_length=1000)]
    comment: Line = ""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ids": ["cityhall.electrical.tx1.winding_temp_a#high"], "comment": "on my way"}]
        }
    )


class Comment(Body):
    """A comment for the journal."""

    comment: Annotated[Line, StringConstraints(min_length=1)]
    model_config = ConfigDict(json_schema_extra={"examples": [{"comment": "fan 2 was stuck, is running again"}]})


def _find(runtime: Runtime, principal: Principal, alarm_id: str) -> Alarm:
    missing = f"no alarm {alarm_id[:120]!r}; GET /api/v1/alarms lists them"
    try:
        found = runtime.alarms.get(alarm_id)
    except NotFoundError:
        raise NotFoundError(missing) from None
    if not principal.permissions.allows(Action.VIEW, found.area):
        raise NotFoundError(missing)
    return found


def entry_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return one line of the alarm journal."""
    return {
        "id": row["id"],
        "alarm": row["definition"],
        "occurrence": row["occurrence"],
        "time": iso(row["time_ns"]),
        "event": row["event"],
        "from_state": row["from_state"],
        "to_state": row["to_state"],
        "value": finite(row["value"]),
        "limit": finite(row["limit"]),
        "user": row["user"],
        "comment": row["comment"],
    }


@router.get("/alarms", response_model=Page[AlarmReply])
async def list_alarms(
    runtime: RuntimeDep,
    principal: Viewer,
    state: Literal["active", "all"] = "active",
    priority: Annotated[int | None, Query(ge=1, le=4)] = None,
    system: Address | None = None,
    area: Address | None = None,
    equipment: Address | None = None,
    q: Line | None = None,
    cursor: Cursor = None,
    limit: Limit = 500,
) -> Json:
    """Return the active list, life safety first; `state=all` also has those that were active since the start."""
    alarms = runtime.alarms.active() if state == "active" else runtime.alarms.changed_since(0)[1][::-1]
    wanted = (q or "").casefold().split()
    found = []
    for alarm in alarms:
        definition = alarm.definition
        if not principal.permissions.allows(Action.VIEW, alarm.area):
            continue
        if priority is not None and definition.priority != priority:
            continue
        if any(
            want is not None and want != have
            for want, have in ((system, definition.system), (area, alarm.area), (equipment, definition.equipment))
        ):
            continue
        piece = runtime.site().equipment.get(definition.equipment)
        where = f"{piece.name.zh} {piece.name.en}" if piece else ""
        text = f"{alarm.id} {where} {definition.text.zh} {definition.text.en}".casefold()
        if all(word in text for word in wanted):
            found.append(alarm)
    items, following = page_of(found, cursor, limit, runtime.site().generation)
    return Json({"items": [alarm.to_json() for alarm in items], "next": following})


@router.post("/alarms/acknowledge", response_model=Page[AlarmReply])
async def acknowledge(request: Request, runtime: RuntimeDep, principal: Operator, body: AlarmIds) -> Json:
    """Acknowledge alarms; all or, when one is unknown or not allowed, none."""
    return await _operate(request, runtime, principal, body, "acknowledge")


@router.post("/alarms/reset", response_model=Page[AlarmReply])
async def reset(request: Request, runtime: RuntimeDep, principal: Operator, body: AlarmIds) -> Json:
    """Reset latched alarms whose condition has gone."""
    return await _operate(request, runtime, principal, body, "reset")


async def _operate(request: Request, runtime: Runtime, principal: Principal, body: AlarmIds, what: str) -> Json:
    ids = list(dict.fromkeys(body.ids))
    for alarm_id in ids:
        may(principal, Action.ACKNOWLEDGE, _find(runtime, principal, alarm_id).area)

    async def act() -> tuple[list[Alarm], dict[str, Any]]:
        # Asked for now: `shifu apply` may have put another engine in its place meanwhile.
        call = runtime.alarms.acknowledge if what == "acknowledge" else runtime.alarms.reset
        alarms = call(ids, principal.actor, body.comment)
        return alarms, {"states": {alarm.id: alarm.state.state for alarm in alarms}}

    alarms = await audited(
        request,
        runtime,
        principal,
        f"alarm_{what}",
        ids[0] if len(ids) == 1 else f"{len(ids)} alarms",
        reason=body.comment,
        data={"ids": ids},
        act=act,
    )
    return Json({"items": [alarm.to_json() for alarm in alarms], "next": None})


@router.get("/alarms/{alarm_id}", response_model=AlarmReply)
async def read_alarm(runtime: RuntimeDep, principal: Viewer, alarm_id: AlarmId) -> Json:
    """Return one alarm; `#` in its id is written %23 in the address."""
    return Json(_find(runtime, principal, alarm_id).to_json())


@router.get("/alarms/{alarm_id}/journal", response_model=Page[AlarmEntryReply])
async def read_alarm_journal(
    runtime: RuntimeDep, principal: Viewer, alarm_id: AlarmId, cursor: Cursor = None, limit: Limit = 100
) -> Json:
    """Return what happened to one alarm, newest first."""
    found = _find(runtime, principal, alarm_id)
    rows = schema.alarm_entry
    result = await page(runtime.journal, rows, rows.c.definition == found.id, cursor=cursor, limit=limit)
    return Json({"items": [entry_json(row) for row in result.items], "next": result.next})


@router.post("/alarms/{alarm_id}/comment", response_model=AlarmReply)
async def comment(request: Request, runtime: RuntimeDep, principal: Operator, alarm_id: AlarmId, body: Comment) -> Json:
    """Add a comment to the present occurrence of an alarm."""
    found = _find(runtime, principal, alarm_id)
    may(principal, Action.ACKNOWLEDGE, found.area)

    async def act() -> tuple[Alarm, dict[str, Any]]:
        alarm = runtime.alarms.comment(alarm_id, principal.actor, body.comment)
        return alarm, {"occurrence": alarm.state.occurrence}

    alarm = await audited(request, runtime, principal, "alarm_comment", alarm_id, reason=body.comment, data={}, act=act)
    return Json(alarm.to_json())


@router.get("/alarm-journal", response_model=Page[AlarmEntryReply])
async def read_journal(runtime: RuntimeDep, principal: Viewer, cursor: Cursor = None, limit: Limit = 100) -> Json:
    """Return what happened to all alarms that the principal may see, newest first."""
    rows = schema.alarm_entry
    # In the query and not after it: a page of somebody who sees little is as full as everybody's.
    where = (
        []
        if principal.permissions.areas(Action.VIEW) is None
        else [among(rows.c.definition, _seen(runtime, principal))]
    )
    result = await page(runtime.journal, rows, *where, cursor=cursor, limit=limit)
    return Json({"items": [entry_json(row) for row in result.items], "next": result.next})


def _seen(runtime: Runtime, principal: Principal) -> set[str]:
    """Return the alarms of the areas that may be seen; the area of one that is no longer configured is not known."""
    return {item.id for item in runtime.alarms.definitions if principal.permissions.allows(Action.VIEW, item.area)}
