"""`/search`: points and equipment by any part of their names."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, StringConstraints

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item, Line
from controller.api.equipment import EquipmentReply
from controller.api.point import POINT_EXAMPLE, PointReply
from controller.api.render import Json, equipment_json, point_json
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.point.search import SearchIndex

__all__ = ["router"]

router = APIRouter(prefix="/search", tags=["search"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
_SPARE = 5
"""Hits asked for beyond the limit, times it, so that those of hidden areas leave enough."""


class SearchReply(Item):
    """What was found, best first."""

    points: list[PointReply]
    equipment: list[EquipmentReply]
    model_config = ConfigDict(json_schema_extra={"examples": [{"points": [POINT_EXAMPLE], "equipment": []}]})


@router.get("", response_model=SearchReply)
async def search(
    request: Request,
    runtime: RuntimeDep,
    principal: Viewer,
    q: Annotated[Line, StringConstraints(min_length=1, max_length=100)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Json:
    """Search names in Chinese and English, addresses, ids and initials."""
    site = runtime.site()
    known: tuple[int, SearchIndex] | None = getattr(request.app.state, "search", None)
    if known is None or known[0] != site.generation:
        # Off the loop: a site of 12,000 points takes some tenths of a second.
        known = (site.generation, await asyncio.to_thread(SearchIndex, site))
        request.app.state.search = known
    points: list[dict[str, Any]] = []
    equipment: list[dict[str, Any]] = []
    for hit in known[1].search(q, limit * _SPARE):
        point, owner = site.points.get(hit.address), site.equipment.get(hit.address)
        thing = point if hit.kind == "point" else owner
        if thing is None or not principal.permissions.allows(Action.VIEW, thing.area):
            continue
        if hit.kind == "point" and point is not None:
            points.append(point_json(point, site))
        elif owner is not None:
            equipment.append(equipment_json(owner))
    return Json({"points": points[:limit], "equipment": equipment[:limit]})
