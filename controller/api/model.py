"""`/site.haystack.json` and `/site.ttl`: the site in the words of Project Haystack and of Brick."""

import asyncio
from dataclasses import replace
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep
from controller.api.file import etag_of, not_modified
from controller.api.runtime import Runtime
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.ontology import brick, haystack
from controller.point.model import Site

__all__ = ["router"]

router = APIRouter(tags=["site"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]


def _seen(runtime: Runtime, principal: Principal) -> Site:
    site, allows = runtime.site(), principal.permissions.allows
    if principal.permissions.areas(Action.VIEW) is None:
        return site
    equipment = {key: item for key, item in site.equipment.items() if allows(Action.VIEW, item.area)}
    points = {key: item for key, item in site.points.items() if allows(Action.VIEW, item.area)}
    return replace(site, equipment=equipment, points=points)


def _headers(runtime: Runtime, principal: Principal, name: str) -> dict[str, str]:
    areas = principal.permissions.areas(Action.VIEW)
    basis = [runtime.site().id, runtime.site().generation, runtime.version, None if areas is None else sorted(areas)]
    return {
        "ETag": etag_of(orjson.dumps([name, *basis])),
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{name}"',
    }


@router.get(
    "/site.haystack.json",
    response_class=Response,
    response_model=None,
    responses={200: {"content": {haystack.MEDIA_TYPE: {"schema": {"type": "object"}}}}, 304: {"description": "same"}},
)
async def read_haystack(request: Request, runtime: RuntimeDep, principal: Viewer, *, values: bool = False) -> Response:
    """Return the site as a Haystack 4 grid (Hayson); with `values` also `curVal` and `curStatus` of every point."""
    site, headers = _seen(runtime, principal), _headers(runtime, principal, "site.haystack.json")
    present: dict[int, tuple[float, int]] | None = None
    if values:
        table = runtime.table()
        numbers = [point.number for point in site.points.values()]
        present = {number: (float(table.value[number]), int(table.quality[number])) for number in numbers}
        del headers["ETag"]
    elif not_modified(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    # Off the loop: 10,000 points take some tenths of a second.
    content = await asyncio.to_thread(lambda: orjson.dumps(haystack.haystack_grid(site, present)))
    return Response(content, media_type=haystack.MEDIA_TYPE, headers=headers)


@router.get(
    "/site.ttl",
    response_class=Response,
    response_model=None,
    responses={200: {"content": {brick.MEDIA_TYPE: {"schema": {"type": "string"}}}}, 304: {"description": "same"}},
)
async def read_brick(request: Request, runtime: RuntimeDep, principal: Viewer) -> Response:
    """Return the site as a Brick 1.4 graph in Turtle."""
    site, headers = _seen(runtime, principal), _headers(runtime, principal, "site.ttl")
    if not_modified(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    text = await asyncio.to_thread(brick.brick_turtle, site)
    return Response(text, media_type=f"{brick.MEDIA_TYPE}; charset=utf-8", headers=headers)
