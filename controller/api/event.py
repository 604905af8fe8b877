"""`/events`: what devices reported and has no value to trend, found by time, type, source, place and text."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field, StringConstraints
from sqlalchemy import Text, and_, cast, func, or_, select

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Address, Cursor, Item, Limit, Line, Page
from controller.api.render import Json, event_json, parse_time
from controller.api.runtime import Runtime
from controller.errors import InvalidError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal import schema
from controller.journal.query import among, page
from controller.point.model import Equipment

__all__ = ["EventReply", "router"]

router = APIRouter(prefix="/events", tags=["events"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Several = Annotated[list[Address], Field(max_length=50), Query()]
Moment = Annotated[str | None, Query(max_length=40, description="ISO 8601 with a zone, or ms since 1970")]
_MAX_TYPES = 500
LOOK_BACK = 200_000
"""Entries, the newest, that a text is looked for in: it has no index (`benchmarks/events.py`: 0.15 s for 100,000)."""


class EventReply(Item):
    """One event, with the equipment that its source belongs to and where that is (empty when it is not known)."""

    id: int
    source: str
    key: str
    type: str
    time: str | None
    received: str | None
    late: bool
    data: dict[str, str | int | float | bool | None]
    equipment: str
    area: str
    floor: str
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
                    "equipment": "cityhall.hvac.ahu_01f_w",
                    "area": "west",
                    "floor": "1F",
                }
            ]
        }
    )


class EventTypes(Item):
    """The types that the journal has, in the order of their names."""

    types: list[str]
    model_config = ConfigDict(json_schema_extra={"examples": [{"types": ["card_refused", "door_forced"]}]})


def _places(runtime: Runtime) -> dict[str, Equipment]:
    """Return the equipment of every device."""
    equipment = runtime.site().equipment
    return {
        status.id: equipment[status.equipment] for status in runtime.field.statuses() if status.equipment in equipment
    }


def _sources(
    principal: Principal, places: dict[str, Equipment], equipment: str | None, area: str | None, floor: str | None
) -> set[str] | None:
    """Return the devices whose events may be seen and are asked for; None means all."""
    if principal.permissions.areas(Action.VIEW) is None and not (equipment or area or floor):
        return None
    return {
        device
        for device, piece in places.items()
        if principal.permissions.allows(Action.VIEW, piece.area)
        and (not equipment or piece.address == equipment)
        and (not area or piece.area == area)
        and (not floor or piece.floor == floor)
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
    source: Several = [],  # noqa: B006 - FastAPI copies it
    type: Several = [],  # noqa: A002, B006 - the word of the API
    q: Annotated[Line, StringConstraints(max_length=100)] = "",
    start: Moment = None,
    end: Moment = None,
    equipment: Address | None = None,
    area: Address | None = None,
    floor: Address | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Json:
    """Return events, newest first. `source` and `type` may be given more than once; every word of `q` must be found.

    Words are looked for in type, source, data, and the names of the equipment; among the newest 200,000 events.
    """
    rows = schema.event_entry
    where: list[Any] = []
    places = _places(runtime)
    if source:
        where.append(among(rows.c.source, source))
    if type:
        where.append(among(rows.c.type, type))
    if start is not None:
        where.append(rows.c.time_ns >= parse_time(start, "start"))
    if end is not None:
        where.append(rows.c.time_ns < parse_time(end, "end"))
    if start is not None and end is not None and parse_time(end, "end") <= parse_time(start, "start"):
        raise InvalidError(f"end {end[:40]!r} is not after start {start[:40]!r}; give a span of time")
    seen = _sources(principal, places, equipment, area, floor)
    if seen is not None:
        where.append(among(rows.c.source, seen))
    known = _personal(runtime, principal)
    words = q.split()
    if words:
        newest = select(func.max(rows.c.id)).scalar_subquery()
        where.append(rows.c.id > newest - LOOK_BACK)
    for word in words:
        named = {
            device
            for device, piece in places.items()
            if word.casefold() in f"{piece.name.zh} {piece.name.en} {piece.address}".casefold()
        }
        found = (rows.c.type + " " + rows.c.source).contains(word, autoescape=True)
        inside = cast(rows.c.data, Text).contains(word, autoescape=True)
        # Who may not see persons may not ask for them either: whether a word is found would tell.
        found = or_(found, inside if known is None else and_(inside, among(rows.c.source, known)))
        where.append(or_(found, among(rows.c.source, named)) if named else found)
    result = await page(runtime.journal, rows, *where, cursor=cursor, limit=limit)
    items = [
        event_json(row, places.get(row["source"]), personal=known is None or row["source"] in known)
        for row in result.items
    ]
    return Json({"items": items, "next": result.next})


@router.get("/types", response_model=EventTypes)
async def list_types(runtime: RuntimeDep, principal: Viewer) -> Json:  # noqa: ARG001 - the guard is the parameter
    """Return the types of events that were ever seen, for a filter."""
    rows = schema.event_entry
    # One look into the index a type, and not one a row.
    first = select(func.min(rows.c.type).label("type")).cte("kind", recursive=True)
    after = select(func.min(rows.c.type)).where(rows.c.type > first.c.type).scalar_subquery()
    kinds = first.union_all(select(after).where(first.c.type.is_not(None)))
    found = await runtime.journal.fetch(select(kinds.c.type).where(kinds.c.type.is_not(None)).limit(_MAX_TYPES))
    return Json({"types": [row.type for row in found]})
