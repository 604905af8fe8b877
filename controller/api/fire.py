"""`/fire`: what is known of fire, what is held back for it, what the building did, and the stand-down.

Where it burns is for everybody who is signed in, whatever their areas: it is their life. What is held and expected is
shown to those who may see the equipment. Nothing here, or anywhere, writes to the panel.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, StringConstraints

from controller.api.access import Allow, RuntimeDep, address_of, healthy, may
from controller.api.body import Body, Cursor, Item, Limit, Line, NameReply, Page
from controller.api.render import Json, iso, name_json
from controller.api.runtime import Runtime
from controller.errors import ConflictError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal import schema
from controller.journal.query import page
from controller.point.reason import spoken
from controller.safety.effect import DEVIATIONS, Sight, SightState
from controller.safety.fire import ZonePicture
from controller.safety.response import Phase, steps
from controller.safety.watch import FireWatch

__all__ = ["ZoneReply", "fire_json", "router", "visible", "zone_json"]

router = APIRouter(prefix="/fire", tags=["fire"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Officer = Annotated[Principal, Depends(Allow(Action.SAFETY))]


class StandDownBody(Body):
    """Why the fire is over."""

    reason: Annotated[Line, StringConstraints(min_length=1)]
    response: Annotated[Line, StringConstraints(min_length=1)]
    """Id of the response that was looked at: one that began meanwhile is not ended by mistake."""
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"response": "fire-1767229200000000000", "reason": "false alarm, panel reset"}]}
    )


class ZoneReply(Item):
    """A zone and what is known of it."""

    address: str
    name: NameReply
    floor: str
    wing: str
    status: str
    reason: str | None


class BurningReply(Item):
    """A zone that has been in fire."""

    zone: str
    name: NameReply
    floor: str
    since: str | None


class StepReply(Item):
    """One step of giving back: `done`, `next` or `waiting`."""

    slots: list[int]
    equipment: list[str]
    points: int
    state: str
    in_s: float | None


class HeldReply(Item):
    """Equipment whose slots are held empty."""

    equipment: str
    name: NameReply
    points: int
    slots: list[int]


class EmptiedReply(Item):
    """What was in a slot before it was emptied."""

    point: str
    slot: int
    value: float
    owner: str
    reason: NameReply


class EffectReply(Item):
    """One thing that the building must do by its own wires, and what was seen of it."""

    kind: str
    name: NameReply
    point: str
    point_name: NameReply
    equipment: str
    equipment_name: NameReply
    cause: str
    state: str
    within_s: float
    seen_after_s: float | None
    due: str | None
    seen_at: str | None
    value: float | None


class ResponseReply(Item):
    """The response that runs."""

    id: str
    phase: str
    since: str | None
    zones: list[BurningReply]
    everywhere: bool
    reset_at: str | None
    watched: bool
    """False from the panel's reset on: the building goes back, and the effects are as they were seen until then."""
    stood_down_at: str | None
    stood_down_by: str | None
    reason: str | None
    steps: list[StepReply]
    held: list[HeldReply]
    emptied: list[EmptiedReply]
    effects: list[EffectReply]


_NAME: Any = {"zh": "3F 北區火警分區", "en": "Fire zone 3F north"}
_BUSY: Any = {
    "id": "fire-1767229200000000000",
    "phase": "active",
    "since": "2026-01-01T01:00:00.000Z",
    "zones": [
        {"zone": "cityhall.fire.zone23", "name": _NAME, "floor": "3F", "since": "2026-01-01T01:00:00.000Z"}
    ],
    "everywhere": False,
    "reset_at": None,
    "watched": True,
    "stood_down_at": None,
    "stood_down_by": None,
    "reason": None,
    "steps": [
        {"slots": [7, 8, 15, 16], "equipment": ["cityhall.hvac.ahu_03f_n"], "points": 7, "state": "waiting",
         "in_s": None},
    ],
    "held": [
        {"equipment": "cityhall.hvac.ahu_03f_n", "name": {"zh": "3F 北區空調箱", "en": "AHU 3F north"}, "points": 7,
         "slots": [7, 8, 9, 10, 11, 12, 13, 14, 15, 16]},
    ],
    "emptied": [
        {"point": "cityhall.hvac.ahu_03f_n.fan_cmd", "slot": 15, "value": 1.0, "owner": "schedule",
         "reason": {"zh": "辦公區空調：使用（上班）", "en": "Office air: occupied (weekday)"}},
    ],
    "effects": [
        {"kind": "ahu_stopped", "name": {"zh": "空調箱停止", "en": "Air handlers stopped"},
         "point": "cityhall.hvac.ahu_03f_n.fan_run", "point_name": {"zh": "風機運轉", "en": "Fan runs"},
         "equipment": "cityhall.hvac.ahu_03f_n",
         "equipment_name": {"zh": "3F 北區空調箱", "en": "AHU 3F north"}, "cause": "floor-3f", "state": "done",
         "within_s": 30.0, "seen_after_s": 4.0, "due": "2026-01-01T01:00:30.000Z",
         "seen_at": "2026-01-01T01:00:04.000Z", "value": 0.0},
    ],
}  # fmt: skip


class FireReply(Item):
    """What is known of fire. `panel` is empty where the site has none: then nothing is known and nothing watched."""

    panel: str
    status: str
    reasons: list[str]
    reset: bool
    unrecorded: bool
    """The journal has not got the newest of it yet; it is in effect all the same."""
    zones: list[ZoneReply]
    response: ResponseReply | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "panel": "cityhall.fire.panel",
                    "status": "fire",
                    "reasons": [],
                    "reset": False,
                    "unrecorded": False,
                    "zones": [
                        {
                            "address": "cityhall.fire.zone23",
                            "name": _NAME,
                            "floor": "3F",
                            "wing": "north",
                            "status": "fire",
                            "reason": None,
                        }
                    ],
                    "response": _BUSY,
                }
            ]
        }
    )


class FireEntryReply(Item):
    """One thing that happened in a response."""

    id: int
    time: str | None
    response: str
    event: str
    zone: str
    point: str
    who: str
    reason: str
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 3,
                    "time": "2026-01-01T01:00:04.000Z",
                    "response": "fire-1767229200000000000",
                    "event": "effect",
                    "zone": "",
                    "point": "cityhall.hvac.ahu_03f_n.fan_run",
                    "who": "",
                    "reason": "ahu_stopped: done",
                }
            ]
        }
    )


class CauseReply(Item):
    """One line of the cause-and-effect table; addresses of what the asker may see."""

    id: str
    name: NameReply
    zones: list[str]
    holds: list[str]
    effects: dict[str, list[str]]
    """Points of feedback by kind of effect."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "floor-3f",
                    "name": {"zh": "3F 火警", "en": "Fire on 3F"},
                    "zones": ["cityhall.fire.zone23"],
                    "holds": ["cityhall.hvac.ahu_03f_n"],
                    "effects": {"ahu_stopped": ["cityhall.hvac.ahu_03f_n.fan_run"]},
                }
            ]
        }
    )


def fire_json(watch: FireWatch) -> dict[str, Any]:
    """Return what the stream tells everybody: status, where it burns, how the response stands."""
    response, picture = watch.response, watch.picture
    counts = {"done": 0, "waiting": 0, "deviating": 0}
    for sight in watch.sights:
        counts[_counted(sight)] += 1
    return {
        "panel": watch.table.panel,
        "version": watch.version,
        "status": str(picture.status),
        "reasons": [str(reason) for reason in picture.reasons],
        "reset": picture.reset,
        "phase": str(response.phase),
        "response": response.id or None,
        "since": iso(response.since_ns),
        "zones": [item.zone for item in response.zones],
        "everywhere": response.everywhere_ns is not None,
        "effects": counts,
        "given_back": response.given_back,
        "unrecorded": watch.unrecorded,
    }


def _counted(sight: Sight) -> str:
    if sight.state in DEVIATIONS:
        return "deviating"
    return "waiting" if sight.state is SightState.WAITING else "done"


@router.get("", response_model=FireReply)
async def read_fire(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return what is known of fire now, and the response to it."""
    return Json(_whole(runtime, principal))


@router.post("/stand-down", response_model=FireReply)
async def stand_down(request: Request, runtime: RuntimeDep, principal: Officer, body: StandDownBody) -> Json:
    """Begin to give back what is held: first to people and schedule, step by step, then to the strategies.

    Only when the panel is seen to be reset. The audit entry is durable before anything is given back.
    """
    may(principal, Action.SAFETY, "")
    healthy(runtime)
    client, audit = address_of(request), runtime.identity.audit
    await audit(
        principal.actor, "fire_stand_down", body.response, outcome="requested", reason=body.reason, client=client
    )
    try:
        if body.response != runtime.fire.response.id:
            running = runtime.fire.response.id or "none"
            raise ConflictError(f"the response that runs is {running}, not {body.response}; look again, then decide")
        runtime.fire.stand_down(principal.actor, body.reason)
    except ConflictError as error:
        await audit(
            principal.actor, "fire_stand_down", body.response, outcome="refused", reason=str(error), client=client
        )
        raise
    return Json(_whole(runtime, principal))


@router.get("/journal", response_model=Page[FireEntryReply])
async def list_journal(runtime: RuntimeDep, _: Viewer, cursor: Cursor = None, limit: Limit = 100) -> Json:
    """Return what happened in the responses to fires, newest first."""
    result = await page(runtime.journal, schema.fire_entry, cursor=cursor, limit=limit)
    keys = ("id", "response", "event", "zone", "point", "who", "reason")
    items = [{"time": iso(row["time_ns"]), **{key: row[key] for key in keys}} for row in result.items]
    return Json({"items": items, "next": result.next})


@router.get("/causes", response_model=list[CauseReply])
async def list_causes(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return the cause-and-effect table."""
    found = []
    for cause in runtime.fire.table.causes:
        effects: dict[str, list[str]] = {}
        for effect in cause.effects:
            if visible(runtime, principal, effect.point):
                effects.setdefault(effect.kind, []).append(effect.point)
        held = [point for point in cause.points if visible(runtime, principal, point)]
        found.append(
            {
                "id": cause.id,
                "name": name_json(cause.name),
                "zones": list(cause.zones),
                "holds": list(dict.fromkeys(point.rsplit(".", 1)[0] for point in held)),
                "effects": effects,
            }
        )
    return Json(found)


def visible(runtime: Runtime, principal: Principal, address: str) -> bool:
    """Tell whether somebody may see a point."""
    point = runtime.site().points.get(address)
    return point is not None and principal.permissions.allows(Action.VIEW, point.area)


def zone_json(runtime: Runtime, address: str, zone: ZonePicture) -> dict[str, Any]:
    """Return one zone of the panel as the API tells it."""
    piece = runtime.site().equipment.get(address)
    return {
        "address": address,
        "name": name_json(runtime.fire.table.name_of(address)),
        "floor": piece.floor if piece else "",
        "wing": piece.wing if piece else "",
        "status": str(zone.status),
        "reason": None if zone.reason is None else str(zone.reason),
    }


def _whole(runtime: Runtime, principal: Principal) -> dict[str, Any]:
    watch = runtime.fire
    picture = watch.picture
    return {
        "panel": watch.table.panel,
        "status": str(picture.status),
        "reasons": [str(reason) for reason in picture.reasons],
        "reset": picture.reset,
        "unrecorded": watch.unrecorded,
        "zones": [
            zone_json(runtime, address, zone) for address, zone in zip(watch.table.zones, picture.zones, strict=False)
        ],
        "response": None if watch.response.phase is Phase.IDLE else _response(runtime, principal),
    }


def _response(runtime: Runtime, principal: Principal) -> dict[str, Any]:
    watch, site = runtime.fire, runtime.site()
    response = watch.response
    burning = []
    for item in response.zones:
        piece = site.equipment.get(item.zone)
        burning.append(
            {
                "zone": item.zone,
                "name": name_json(watch.table.name_of(item.zone)),
                "floor": piece.floor if piece else "",
                "since": iso(item.since_ns),
            }
        )
    return {
        "id": response.id,
        "phase": str(response.phase),
        "since": iso(response.since_ns),
        "zones": burning,
        "everywhere": response.everywhere_ns is not None,
        "reset_at": iso(response.reset_ns),
        "watched": not response.over,
        "stood_down_at": iso(response.stood_down_ns),
        "stood_down_by": response.stood_down_by or None,
        "reason": response.reason or None,
        "steps": _steps(runtime, principal),
        "held": _held(runtime, principal),
        "emptied": [
            {
                "point": item.point,
                "slot": item.slot,
                "value": item.value,
                "owner": item.owner,
                "reason": name_json(spoken(item.reason)),
            }
            for item in watch.emptied
            if visible(runtime, principal, item.point)
        ],
        "effects": [
            _effect(runtime, sight) for sight in watch.sights if visible(runtime, principal, sight.effect.point)
        ],
    }


def _steps(runtime: Runtime, principal: Principal) -> list[dict[str, Any]]:
    watch = runtime.fire
    wait_s, restoring = watch.next_step_s(), watch.response.phase is Phase.RESTORING
    found = []
    for place, step in enumerate(steps(watch.response, watch.table)):
        ahead = place - watch.response.given_back
        points = [point for point in step.points if visible(runtime, principal, point)]
        found.append(
            {
                "slots": sorted(step.slots),
                "equipment": list(dict.fromkeys(point.rsplit(".", 1)[0] for point in points)),
                "points": len(points),
                "state": "done" if ahead < 0 else "next" if restoring and ahead == 0 else "waiting",
                "in_s": None if wait_s is None or ahead < 0 else wait_s + ahead * watch.table.pause_s,
            }
        )
    return found


def _held(runtime: Runtime, principal: Principal) -> list[dict[str, Any]]:
    watch, site = runtime.fire, runtime.site()
    found: dict[str, dict[str, Any]] = {}
    for address in watch.held():
        hold = runtime.arbiter.held(address)
        if hold is None or not visible(runtime, principal, address):
            continue
        piece = site.equipment[site.points[address].equipment]
        row = found.setdefault(
            piece.address, {"equipment": piece.address, "name": name_json(piece.name), "points": 0, "slots": []}
        )
        row["points"] += 1
        row["slots"] = sorted({*row["slots"], *hold.slots})
    return list(found.values())


def _effect(runtime: Runtime, sight: Sight) -> dict[str, Any]:
    site = runtime.site()
    piece = site.equipment[site.points[sight.effect.point].equipment]
    seen_ns = sight.seen_ns
    return {
        "kind": sight.effect.kind,
        "name": name_json(sight.effect.name),
        "point": sight.effect.point,
        "point_name": name_json(site.points[sight.effect.point].name),
        "equipment": piece.address,
        "equipment_name": name_json(piece.name),
        "cause": sight.cause,
        "state": str(sight.state),
        "within_s": sight.effect.within_s,
        "seen_after_s": None if seen_ns is None else (seen_ns - sight.since_ns) / 1e9,
        "due": iso(sight.due_ns),
        "seen_at": iso(seen_ns),
        "value": sight.value,
    }
