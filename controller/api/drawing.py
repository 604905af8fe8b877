"""`/drawings`: the pictures behind floor plans, by the SHA-256 of their content."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, StringConstraints
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep, may
from controller.api.body import Address, Item
from controller.api.change import audited
from controller.api.file import FILE, file_response
from controller.api.problem import Problem
from controller.api.render import Json
from controller.api.runtime import Runtime
from controller.errors import NotFoundError, UnavailableError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.plan.picture import MEDIA
from controller.plan.plan import Drawing
from controller.plan.store import DrawingStore, read_checked

__all__ = ["DrawingReply", "drawing_json", "drawings_of", "router"]

router = APIRouter(prefix="/drawings", tags=["plans"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
DrawingId = Annotated[Address, StringConstraints(max_length=64)]
_BODY = {
    "required": True,
    "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA.values()},
}
_EVER = "private, max-age=31536000, immutable"
"""The address says the content, so it never changes."""


class DrawingReply(Item):
    """A picture that was looked at."""

    id: str
    kind: str
    width: float
    height: float
    file: str
    """Name below the site's folder; empty for one that was uploaded."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "9f86d081884c7d65", "kind": "svg", "width": 1200.0, "height": 760.0, "file": ""}]
        }
    )


def drawing_json(drawing: Drawing | None) -> dict[str, Any] | None:
    """Return a drawing."""
    if drawing is None:
        return None
    return {
        "id": drawing.id,
        "kind": drawing.kind,
        "width": drawing.width,
        "height": drawing.height,
        "file": drawing.file,
    }


def drawings_of(runtime: Runtime) -> dict[str, Drawing]:
    """Return the drawings of all plans, those of the files too, by id."""
    plans = [*runtime.plans().values(), *runtime.base_plans().values()]
    return {plan.drawing.id: plan.drawing for plan in plans if plan.drawing is not None}


def store_of(runtime: Runtime) -> DrawingStore:
    """Return the uploaded drawings.

    Raises:
        UnavailableError: this controller keeps none.
    """
    if runtime.drawings is None:
        raise UnavailableError("drawings cannot be kept here")
    return runtime.drawings


@router.post("", status_code=201, response_model=DrawingReply, openapi_extra={"requestBody": _BODY})
async def upload(request: Request, runtime: RuntimeDep, principal: Engineer) -> Json:
    """Check and keep an SVG or PNG of at most 5 MiB; a plan that names its id shows it.

    Until a plan does, nobody sees it, and it makes room for others when 100 are kept.
    """
    may(principal, Action.CONFIGURE, "")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA.values():
        raise Problem(415, f"a body of {media[:60] or 'no type'}", f"Send {' or '.join(MEDIA.values())}.")
    content = await request.body()
    store, used = store_of(runtime), frozenset(drawings_of(runtime))

    async def act() -> tuple[Drawing, dict[str, Any]]:
        made = await asyncio.to_thread(store.keep, content, used)
        return made, {"id": made.id, "bytes": len(content)}

    data = {"bytes": len(content), "media": media}
    made = await audited(request, runtime, principal, "drawing_upload", "drawings", reason="", data=data, act=act)
    return Json(drawing_json(made), 201)


@router.get("/{drawing_id}", response_class=Response, response_model=None, responses=FILE)
async def read_drawing(request: Request, runtime: RuntimeDep, _: Viewer, drawing_id: DrawingId) -> Response:
    """Return the picture itself, shut into a sandbox: it is made to be shown through `<img>`."""
    found = drawings_of(runtime).get(drawing_id)
    if found is not None and found.file:
        if runtime.folder is None:
            raise NotFoundError(f"no drawing {drawing_id!r}")
        content = await asyncio.to_thread(read_checked, runtime.folder / found.file, found.id)
        media = MEDIA[found.kind]
    else:
        media, content = await asyncio.to_thread(store_of(runtime).read, drawing_id)
    name = f"{drawing_id[:12]}.{'png' if media == MEDIA['png'] else 'svg'}"
    return file_response(request, content, media, name, f'"{drawing_id}"', caching=_EVER)
