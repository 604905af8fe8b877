"""`/values`: what the points are now."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep, find_equipment, find_point
from controller.api.body import Address, Cursor, Item, Limit, Page, page_of
from controller.api.render import Json, value_json
from controller.api.runtime import Runtime
from controller.errors import InvalidError, NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.point.model import Point

__all__ = ["Addresses", "named_points", "router"]

router = APIRouter(prefix="/values", tags=["values"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Addresses = Annotated[str | None, Query(max_length=100_000, description="point addresses, separated by commas")]


class ValueReply(Item):
    """The present value of one point; `good_value` is the last good one, whatever the quality is now."""

    number: int
    address: str
    value: float | None
    quality: int
    quality_name: str
    time: str | None
    received: str | None
    good_value: float | None
    good_time: str | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": 17,
                    "address": "cityhall.electrical.tx1.winding_temp_a",
                    "value": 96.4,
                    "quality": 0,
                    "quality_name": "good",
                    "time": "2026-01-01T00:00:10.000Z",
                    "received": "2026-01-01T00:00:10.021Z",
                    "good_value": 96.4,
                    "good_time": "2026-01-01T00:00:10.000Z",
                }
            ]
        }
    )


def named_points(runtime: Runtime, principal: Principal, text: str, most: int) -> list[Point]:
    """Return the points of a comma-separated list, without doubles.

    Raises:
        InvalidError: none, or too many.
        NotFoundError: one is unknown or not for these eyes.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not 1 <= len(names) <= most:
        raise InvalidError(f"points names {len(names)} points; give 1 to {most} addresses separated by commas")
    return [find_point(runtime, principal, name) for name in names]


@router.get("", response_model=Page[ValueReply])
async def list_values(
    runtime: RuntimeDep,
    principal: Viewer,
    points: Addresses = None,
    equipment: Address | None = None,
    system: Address | None = None,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> Json:
    """Return present values: of named points, of one piece of equipment, or of one system."""
    site = runtime.site()
    if sum(choice is not None for choice in (points, equipment, system)) != 1:
        raise InvalidError("one of points, equipment and system is wanted; give exactly one")
    if points is not None:
        found = named_points(runtime, principal, points, 1000)
    elif equipment is not None:
        find_equipment(runtime, principal, equipment)
        found = [p for p in site.of_equipment(equipment) if principal.permissions.allows(Action.VIEW, p.area)]
    else:
        inside = {entry.address for entry in site.equipment.values() if entry.system == system}
        if not inside:
            raise NotFoundError(f"no system {system!r}; GET /api/v1/site lists them")
        found = [
            point
            for point in site.points.values()
            if point.equipment in inside and principal.permissions.allows(Action.VIEW, point.area)
        ]
    page, following = page_of(found, cursor, limit, site.generation)
    return Json({"items": value_json(page, runtime.table(), runtime.clock), "next": following})
