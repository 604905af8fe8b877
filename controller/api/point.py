"""`/points`: what is measured and commanded, and the priority array of what is commanded."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep, find_point
from controller.api.body import Address, Cursor, Item, Limit, Line, NameReply, Page, page_of
from controller.api.render import Json, array_json, point_json
from controller.errors import ConflictError
from controller.identity.identity import Principal
from controller.identity.permission import Action

__all__ = ["POINT_EXAMPLE", "LimitsReply", "PointReply", "router"]

router = APIRouter(prefix="/points", tags=["points"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]

POINT_EXAMPLE: dict[str, Any] = {
    "number": 17,
    "address": "cityhall.electrical.tx1.winding_temp_a",
    "kind": "analog",
    "unit": "°C",
    "name": {"zh": "一號高壓變壓器 A相繞組溫度", "en": "TX1 winding temperature A"},
    "equipment": "cityhall.electrical.tx1",
    "device": "tx1-temp",
    "tag": "winding_temp_a",
    "low": -20.0,
    "high": 250.0,
    "decimals": 1,
    "deadband": 0.5,
    "stale_s": 30.0,
    "states": [],
    "limits": {"high_high": 150.0, "high": 130.0, "low": None, "low_low": None},
    "write": None,
    "area": "substation",
    "system": "electrical",
    "floor": "B3",
    "haystack": "",
    "brick": "",
}


class StateReply(Item):
    """One state of a multistate or binary point."""

    value: int
    name: NameReply


class LimitsReply(Item):
    """Alarm limits in the point's unit; null where there is none."""

    high_high: float | None
    high: float | None
    low: float | None
    low_low: float | None


class WriteReply(Item):
    """What may be commanded."""

    low: float | None
    high: float | None
    default: float | None
    fail: str
    confirm: str
    readback: str
    minimum_on_s: float | None
    minimum_off_s: float | None
    momentary: bool
    """A push-button: written once, it holds no slot."""


class PointReply(Item):
    """One point."""

    number: int
    address: str
    kind: str
    unit: str
    name: NameReply
    equipment: str
    device: str
    tag: str
    low: float | None
    high: float | None
    decimals: int
    deadband: float | None
    stale_s: float | None
    states: list[StateReply]
    limits: LimitsReply
    write: WriteReply | None
    area: str
    system: str
    floor: str
    haystack: str
    brick: str
    model_config = ConfigDict(json_schema_extra={"examples": [POINT_EXAMPLE]})


class SlotReply(Item):
    """One filled slot."""

    slot: int
    value: float | None
    owner: str
    reason: NameReply
    since: str | None
    until: str | None
    lease_s: float | None


class ArrayReply(Item):
    """A priority array; winner 0 means that the default is in effect."""

    point: str
    present: float | None
    winner: int
    default: float | None
    slots: list[SlotReply | None]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "point": "cityhall.hvac.ahu_01f_w.zone_temp_sp",
                    "present": 25.0,
                    "winner": 8,
                    "default": 26.0,
                    "slots": [
                        *[None] * 7,
                        {
                            "slot": 8,
                            "value": 25.0,
                            "owner": "wang.hm",
                            "reason": {"zh": "council visits the west wing", "en": "council visits the west wing"},
                            "since": "2026-01-01T01:00:00.000Z",
                            "until": "2026-01-01T04:00:00.000Z",
                            "lease_s": None,
                        },
                        *[None] * 8,
                    ],
                }
            ]
        }
    )


@router.get("", response_model=Page[PointReply])
async def list_points(
    runtime: RuntimeDep,
    principal: Viewer,
    equipment: Address | None = None,
    system: Address | None = None,
    area: Address | None = None,
    building: Address | None = None,
    floor: Address | None = None,
    q: Line | None = None,
    tags: Annotated[str | None, Query(max_length=400, description="last words of addresses, with commas")] = None,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> Json:
    """Return points in the order of the files; `q` is looked for in address and both names."""
    site = runtime.site()
    last = frozenset((tags or "").split(",")) if tags else None
    wanted = (q or "").casefold().split()
    found = []
    for point in site.points.values():
        owner = site.equipment.get(point.equipment)
        if not principal.permissions.allows(Action.VIEW, point.area):
            continue
        if equipment is not None and point.equipment != equipment:
            continue
        if system is not None and (owner is None or owner.system != system):
            continue
        if area is not None and point.area != area:
            continue
        if building is not None and (owner is None or owner.building != building):
            continue
        if floor is not None and (owner is None or owner.floor != floor):
            continue
        if last is not None and point.address.rsplit(".", 1)[1] not in last:
            continue
        text = f"{point.address} {point.name.zh} {point.name.en}".casefold()
        if all(word in text for word in wanted):
            found.append(point)
    page, following = page_of(found, cursor, limit, site.generation)
    return Json({"items": [point_json(point, site) for point in page], "next": following})


@router.get("/{address}", response_model=PointReply)
async def read_point(runtime: RuntimeDep, principal: Viewer, address: Address) -> Json:
    """Return one point."""
    return Json(point_json(find_point(runtime, principal, address), runtime.site()))


@router.get("/{address}/slots", response_model=ArrayReply)
async def read_slots(runtime: RuntimeDep, principal: Viewer, address: Address) -> Json:
    """Return the priority array of a commandable point."""
    point = find_point(runtime, principal, address)
    if point.write is None:
        raise ConflictError(f"point {address!r} cannot be commanded, so it has no slots; see `write` of the point")
    return Json(array_json(point, runtime.arbiter.slots(address)))
