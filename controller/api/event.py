"""`/events`: what devices reported and has no value to trend."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Address, Cursor, Item, Limit, Page
from controller.api.render import Json, event_json
from controller.api.runtime import Runtime
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal import schema
from controller.journal.query import among, page

__all__ = ["EventReply", "router"]

router = APIRouter(prefix="/events", tags=["events"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]


class EventReply(Item):
    """One event."""

    id: int
    source: str
    key: str
    type: str
    time: str | None
    received: str | None
    late: bool
    data: dict[str, str | int | float | bool | None]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 7,
                    "source": "ahu-01f-w",
                    "key": "4711",
                    "type": "freeze_stat",
                    "time": "2026-01-01T00:00:00.000Z",
                    "received": "2026-01-01T00:00:00.120Z",
                    "late": False,
                    "data": {"zone": "1F-W"},
                }
            ]
        }
    )


def _visible(runtime: Runtime, principal: Principal) -> set[str] | None:
    """Return the devices whose events may be seen; None means all."""
    if principal.permissions.areas(Action.VIEW) is None:
        return None
    equipment = runtime.site().equipment
    return {
        status.id
        for status in runtime.field.statuses()
        if status.equipment in equipment and principal.permissions.allows(Action.VIEW, equipment[status.equipment].area)
    }


def _personal(runtime: Runtime, principal: Principal) -> set[str] | None:
    """Return the devices of whose events the principal may know the persons; None means all."""
    areas = principal.permissions.areas(Action.SECURITY)
    if not areas:
        return None if areas is None else set()
    return {point.device for point in runtime.site().points.values() if point.area in areas}


@router.get("", response_model=Page[EventReply])
async def list_events(
    runtime: RuntimeDep,
    principal: Viewer,
    source: Address | None = None,
    type: Address | None = None,  # noqa: A002 - the word of the API
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Json:
    """Return events, newest first."""
    rows = schema.event_entry
    where: list[Any] = []
    if source is not None:
        where.append(rows.c.source == source)
    if type is not None:
        where.append(rows.c.type == type)
    seen = _visible(runtime, principal)
    if seen is not None:
        where.append(among(rows.c.source, seen))
    result = await page(runtime.journal, rows, *where, cursor=cursor, limit=limit)
    known = _personal(runtime, principal)
    items = [event_json(row, personal=known is None or row["source"] in known) for row in result.items]
    return Json({"items": items, "next": result.next})
