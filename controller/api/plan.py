"""`/plans`: what stands where on a floor; changed with a reason and an ETag, over what the files say."""

import asyncio
import json
from collections.abc import Iterable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, Field, StringConstraints
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep, may
from controller.api.body import Address, Body, Finite, Item, Line, NameReply, Page
from controller.api.change import audited
from controller.api.drawing import DrawingReply, drawing_json, drawings_of, store_of
from controller.api.file import etag_of
from controller.api.limit import IfMatch, match
from controller.api.render import Json, iso, name_json
from controller.api.runtime import Runtime
from controller.errors import InvalidError, NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.plan.layout import lay_out
from controller.plan.plan import MOST_PLACEMENTS, MOST_VERTICES, MOST_ZONES, Drawing, Placement, Plan, Zone, faults
from controller.point.model import Name

__all__ = ["router"]

router = APIRouter(prefix="/plans", tags=["plans"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Label = Annotated[Line, StringConstraints(min_length=1, max_length=200)]
Length = Annotated[Finite, Field(gt=0, le=100_000)]
Vertex = Annotated[list[Finite], Field(min_length=2, max_length=2)]
_SIZE = (1200.0, 800.0)
"""Of a floor without a drawing."""
_SHAPE = 0.01


class ZoneName(Body):
    """A name in both languages."""

    zh: Label
    en: Label


class ZoneBody(Body):
    """A zone."""

    id: Word
    name: ZoneName
    polygon: Annotated[list[Vertex], Field(min_length=3, max_length=MOST_VERTICES)]
    holds: Annotated[list[Word], Field(max_length=50, default_factory=list)]


class PlacementBody(Body):
    """Where an equipment or a point stands."""

    address: Address
    x: Finite
    y: Finite


class PlanBody(Body):
    """The whole plan wanted; `drawing` is an id of /drawings, null for none."""

    width: Length
    height: Length
    drawing: Annotated[str, StringConstraints(max_length=64)] | None
    zones: Annotated[list[ZoneBody], Field(max_length=MOST_ZONES)]
    placements: Annotated[list[PlacementBody], Field(max_length=MOST_PLACEMENTS)]
    reason: Annotated[Line, StringConstraints(min_length=1)]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "width": 1200.0,
                    "height": 760.0,
                    "drawing": None,
                    "zones": [
                        {
                            "id": "west",
                            "name": {"zh": "西區", "en": "West wing"},
                            "polygon": [[20, 20], [300, 20], [300, 740], [20, 740]],
                            "holds": ["west"],
                        }
                    ],
                    "placements": [{"address": "cityhall.hvac.ahu_05f_w", "x": 160.0, "y": 380.0}],
                    "reason": "sensor moved to the north wall",
                }
            ]
        }
    )


class ZoneReply(Item):
    """A zone; `holds` names the wings and areas whose equipment is laid out in it."""

    id: str
    name: NameReply
    polygon: list[list[float]]
    holds: list[str]


class PlacementReply(Item):
    """Where somebody placed an equipment or a point."""

    address: str
    x: float
    y: float


class SpotReply(Item):
    """One label of the plan; `automatic` where nobody placed it."""

    address: str
    equipment: str
    x: float
    y: float
    zone: str
    automatic: bool


class PlanChangeReply(Item):
    """Who laid a plan over that of the files, why, and when."""

    owner: str
    reason: str
    since: str | None


class PlanReply(Item):
    """The plan of a floor as it is shown: `spots` in reading order, `homeless` what no zone holds."""

    building: str
    floor: str
    width: float
    height: float
    drawing: DrawingReply | None
    zones: list[ZoneReply]
    placements: list[PlacementReply]
    spots: list[SpotReply]
    homeless: list[str]
    change: PlanChangeReply | None
    etag: str
    """As the header ETag; for If-Match."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "building": "cityhall",
                    "floor": "5F",
                    "width": 1200.0,
                    "height": 760.0,
                    "drawing": None,
                    "zones": [],
                    "placements": [],
                    "spots": [],
                    "homeless": ["cityhall.hvac.ahu_05f_w"],
                    "change": None,
                    "etag": '"3f2a"',
                }
            ]
        }
    )


class PlanSummary(Item):
    """One floor of the list."""

    building: str
    floor: str
    drawing: bool
    zones: int
    placements: int
    changed: bool
    """True where it is not that of the files."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "building": "cityhall",
                    "floor": "5F",
                    "drawing": True,
                    "zones": 5,
                    "placements": 1,
                    "changed": False,
                }
            ]
        }
    )


def _find(runtime: Runtime, building: str, floor: str) -> Plan:
    """Return the plan in effect; an empty one for a floor that has none.

    Raises:
        NotFoundError: the site has no such floor.
    """
    known = runtime.site().buildings.get(building)
    if known is None or floor not in [item.id for item in known.floors]:
        raise NotFoundError(f"no floor {floor[:20]!r} of {building[:40]!r}; GET /api/v1/buildings lists them")
    return runtime.plans().get((building, floor)) or Plan(building, floor, *_SIZE)


def _etag(runtime: Runtime, plan: Plan) -> str:
    change = runtime.plan_change(*plan.key)
    return etag_of(orjson.dumps([plan.to_json(), change.since_ns if change else 0]))


def _reply(runtime: Runtime, principal: Principal, plan: Plan) -> Json:
    site = runtime.site()
    change = runtime.plan_change(*plan.key)
    seen = {
        address: item
        for address, item in site.equipment.items()
        if principal.permissions.allows(Action.VIEW, item.area)
    }
    spots, homeless = lay_out(plan, seen.values())
    etag = _etag(runtime, plan)
    body = {
        "building": plan.building,
        "floor": plan.floor,
        "width": plan.width,
        "height": plan.height,
        "drawing": drawing_json(plan.drawing),
        "zones": [
            {
                "id": zone.id,
                "name": name_json(zone.name),
                "polygon": [list(vertex) for vertex in zone.polygon],
                "holds": list(zone.holds),
            }
            for zone in plan.zones
        ],
        "placements": [
            {"address": item.address, "x": item.x, "y": item.y} for item in plan.placements if item.equipment in seen
        ],
        "spots": [
            {
                "address": spot.address,
                "equipment": spot.equipment,
                "x": spot.x,
                "y": spot.y,
                "zone": spot.zone,
                "automatic": spot.automatic,
            }
            for spot in spots
        ],
        "homeless": homeless,
        "change": None
        if change is None
        else {"owner": change.owner, "reason": change.reason, "since": iso(change.since_ns)},
        "etag": etag,
    }
    return Json(body, headers={"ETag": etag})


@router.get("", response_model=Page[PlanSummary])
async def list_plans(runtime: RuntimeDep, _: Viewer) -> Json:
    """Return all floors of all buildings, with what their plans have."""
    items = []
    for building in runtime.site().buildings.values():
        for floor in building.floors:
            plan = _find(runtime, building.id, floor.id)
            items.append(
                {
                    "building": building.id,
                    "floor": floor.id,
                    "drawing": plan.drawing is not None,
                    "zones": len(plan.zones),
                    "placements": len(plan.placements),
                    "changed": runtime.plan_change(building.id, floor.id) is not None,
                }
            )
    return Json({"items": items, "next": None})


@router.get("/{building}/{floor}", response_model=PlanReply)
async def read_plan(runtime: RuntimeDep, principal: Viewer, building: Address, floor: Address) -> Json:
    """Return the plan of a floor, with an ETag for changing it."""
    return _reply(runtime, principal, _find(runtime, building, floor))


@router.put("/{building}/{floor}", response_model=PlanReply)
async def change_plan(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    building: Address,
    floor: Address,
    body: PlanBody,
    if_match: IfMatch = None,
) -> Json:
    """Change the plan of a floor; it has effect at once, outlives a restart, and is written nowhere into the files.

    A plan as the files have it ends the change.
    """
    may(principal, Action.CONFIGURE, "")
    old = _find(runtime, building, floor)
    match(if_match, _etag(runtime, old))
    drawing = None if body.drawing is None else await _drawing(runtime, body.drawing)
    plan = Plan(
        building,
        floor,
        body.width,
        body.height,
        drawing,
        tuple(
            Zone(
                zone.id,
                Name(zone.name.zh, zone.name.en),
                tuple((float(x), float(y)) for x, y in zone.polygon),
                tuple(zone.holds),
            )
            for zone in body.zones
        ),
        tuple(Placement(item.address, float(item.x), float(item.y)) for item in body.placements),
    )
    if drawing and abs(plan.width / plan.height / (drawing.width / drawing.height) - 1) > _SHAPE:
        raise InvalidError(
            f"width and height: got {plan.width:g} × {plan.height:g}, wanted the shape of the drawing, "
            f"{drawing.width:g} × {drawing.height:g}; take the drawing's own"
        )
    site = runtime.site()
    for fault in faults(plan, site.equipment, site.points):
        raise InvalidError(str(fault))
    await _set(request, runtime, principal, plan, body.reason, if_match)
    return _reply(runtime, principal, _find(runtime, building, floor))


@router.delete("/{building}/{floor}", response_model=PlanReply)
async def forget_plan(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    building: Address,
    floor: Address,
    reason: Annotated[Line, Query(min_length=1)],
    if_match: IfMatch = None,
) -> Json:
    """Set the plan of a floor back to that of the files."""
    may(principal, Action.CONFIGURE, "")
    old = _find(runtime, building, floor)
    match(if_match, _etag(runtime, old))
    await _set(request, runtime, principal, None, reason, if_match, old.key)
    return _reply(runtime, principal, _find(runtime, building, floor))


async def _set(
    request: Request,
    runtime: Runtime,
    principal: Principal,
    plan: Plan | None,
    reason: str,
    if_match: str | None,
    key: tuple[str, str] = ("", ""),
) -> None:
    building, floor = plan.key if plan else key

    async def act() -> tuple[None, dict[str, Any]]:
        async with runtime.changing:
            # Once more, now that nobody else can come between.
            match(if_match, _etag(runtime, _find(runtime, building, floor)))
            await runtime.set_plan(building, floor, plan, principal.actor, reason)
        return None, _summary(plan)

    target = f"{building} {floor}"
    await audited(request, runtime, principal, "plan_change", target, reason=reason, data=_summary(plan), act=act)


def _summary(plan: Plan | None) -> dict[str, Any]:
    """Return what the audit journal keeps of a plan: enough to tell, not the thousands of numbers."""
    if plan is None:
        return {"plan": "that of the files"}
    return {
        "drawing": plan.drawing.id if plan.drawing else None,
        "zones": [zone.id for zone in plan.zones],
        "placements": len(plan.placements),
        "digest": etag_of(orjson.dumps(plan.to_json())).strip('"'),
    }


async def _drawing(runtime: Runtime, name: str) -> Drawing:
    known = drawings_of(runtime).get(name)
    return await asyncio.to_thread(store_of(runtime).find, name) if known is None else known


@router.get(
    "/{building}/{floor}/export",
    response_class=Response,
    response_model=None,
    responses={200: {"content": {"application/toml": {"schema": {"type": "string"}}}}},
)
async def export_plan(runtime: RuntimeDep, principal: Viewer, building: Address, floor: Address) -> Response:
    """Return the plan in effect as TOML, to be put into the files of the site."""
    plan = _find(runtime, building, floor)
    site = runtime.site()
    seen = {item.address for item in site.equipment.values() if principal.permissions.allows(Action.VIEW, item.area)}
    headers = {"Content-Disposition": f'attachment; filename="{plan.building}-{plan.floor.lower()}.toml"'}
    text = "\n".join(_toml(plan, seen)) + "\n"
    return Response(text, media_type="application/toml; charset=utf-8", headers=headers)


def _toml(plan: Plan, seen: set[str]) -> Iterable[str]:
    yield "[[plan]]"
    yield f"building = {_text(plan.building)}"
    yield f"floor = {_text(plan.floor)}"
    if plan.drawing is not None:
        name = plan.drawing.file or f"plans/{plan.building}-{plan.floor.lower()}.{plan.drawing.kind}"
        note = "" if plan.drawing.file else f"  # save it from /api/v1/drawings/{plan.drawing.id}"
        yield f"file = {_text(name)}{note}"
    yield f"size = [{plan.width:g}, {plan.height:g}]"
    for zone in plan.zones:
        yield "\n[[plan.zones]]"
        yield f"id = {_text(zone.id)}"
        yield f"name = {{ zh = {_text(zone.name.zh)}, en = {_text(zone.name.en)} }}"
        yield f"polygon = [{', '.join(f'[{x:g}, {y:g}]' for x, y in zone.polygon)}]"
        if zone.holds:
            yield f"holds = [{', '.join(_text(word) for word in zone.holds)}]"
    for item in plan.placements:
        if item.equipment in seen:
            yield "\n[[plan.placements]]"
            yield f"address = {_text(item.address)}"
            yield f"at = [{item.x:g}, {item.y:g}]"


def _text(value: str) -> str:
    """Return a TOML text, escaped as JSON is. A brace would begin a template, so it becomes a parenthesis."""
    return json.dumps(value, ensure_ascii=False).replace("{", "(").replace("}", ")")
