"""`/equipment/{address}/documents`: photo, manual and drawing of equipment, read only, and what happened to it."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, StringConstraints
from sqlalchemy import func, select
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep, find_equipment
from controller.api.alarm import AlarmEntryReply, entry_json
from controller.api.body import Address, Cursor, Item, Limit, NameReply, Page
from controller.api.event import EventReply
from controller.api.file import FILE, file_response
from controller.api.render import Json, event_json, finite, iso, name_json
from controller.errors import NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal import schema
from controller.journal.query import among, page
from controller.plan.store import read_checked
from controller.point.reason import spoken

__all__ = ["router"]

router = APIRouter(prefix="/equipment", tags=["equipment"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Digest = Annotated[Address, StringConstraints(max_length=64)]


class DocumentReply(Item):
    """A document; `id` is the SHA-256 of its content."""

    id: str
    kind: str
    title: NameReply
    file: str
    media: str
    size: int
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "9f86d081884c7d65",
                    "kind": "manual",
                    "title": {"zh": "操作說明", "en": "Operating instructions"},
                    "file": "documents/ahu.pdf",
                    "media": "application/pdf",
                    "size": 23_000,
                }
            ]
        }
    )


class CommandEntryReply(Item):
    """A command as it ended, or as it stands."""

    id: int
    command: str
    point: str
    slot: int
    value: float | None
    previous: float | None
    owner: str
    reason: NameReply
    state: str
    message: str
    time: str | None
    until: str | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 12,
                    "command": "c-1767229200000-1",
                    "point": "cityhall.hvac.ahu_01f_w.zone_temp_sp",
                    "slot": 8,
                    "value": 25.0,
                    "previous": 26.0,
                    "owner": "wang.hm",
                    "reason": {"zh": "council visits the west wing", "en": "council visits the west wing"},
                    "state": "done",
                    "message": "",
                    "time": "2026-01-01T01:00:01.200Z",
                    "until": "2026-01-01T04:00:00.000Z",
                }
            ]
        }
    )


@router.get("/{address}/documents", response_model=Page[DocumentReply])
async def list_documents(runtime: RuntimeDep, principal: Viewer, address: Address) -> Json:
    """Return the documents of an equipment and of its class."""
    items = [
        {
            "id": item.digest,
            "kind": item.kind,
            "title": name_json(item.title),
            "file": item.file,
            "media": item.media,
            "size": item.size,
        }
        for item in find_equipment(runtime, principal, address).documents
    ]
    return Json({"items": items, "next": None})


@router.get("/{address}/documents/{digest}", response_class=Response, response_model=None, responses=FILE)
async def read_document(
    request: Request, runtime: RuntimeDep, principal: Viewer, address: Address, digest: Digest
) -> Response:
    """Return a document: pictures are shown, all else is saved by the browser."""
    found = find_equipment(runtime, principal, address)
    document = next((item for item in found.documents if item.digest == digest), None)
    if document is None or runtime.folder is None:
        raise NotFoundError(f"{address} has no document {digest[:12]!r}; its list names them")
    content = await asyncio.to_thread(read_checked, runtime.folder / document.file, document.digest)
    name = document.file.rpartition("/")[2]
    return file_response(request, content, document.media, name, f'"{document.digest}"')


@router.get("/{address}/commands", response_model=Page[CommandEntryReply])
async def list_past_commands(
    runtime: RuntimeDep, principal: Viewer, address: Address, cursor: Cursor = None, limit: Limit = 50
) -> Json:
    """Return the commands to all points of an equipment, each as it ended, newest first, from the journal."""
    find_equipment(runtime, principal, address)
    rows = schema.command_entry
    points = [
        point.address
        for point in runtime.site().of_equipment(address)
        if point.write is not None and principal.permissions.allows(Action.VIEW, point.area)
    ]
    last = select(func.max(rows.c.id)).where(among(rows.c.point, points)).group_by(rows.c.command)
    result = await page(runtime.journal, rows, rows.c.id.in_(last), cursor=cursor, limit=limit)
    return Json({"items": [_command(row) for row in result.items], "next": result.next})


@router.get("/{address}/alarms", response_model=Page[AlarmEntryReply])
async def list_past_alarms(
    runtime: RuntimeDep, principal: Viewer, address: Address, cursor: Cursor = None, limit: Limit = 50
) -> Json:
    """Return what happened to all alarms of an equipment, newest first."""
    find_equipment(runtime, principal, address)
    rows = schema.alarm_entry
    names = [
        item.id
        for item in runtime.alarms.definitions
        if item.equipment == address and principal.permissions.allows(Action.VIEW, item.area)
    ]
    result = await page(runtime.journal, rows, among(rows.c.definition, names), cursor=cursor, limit=limit)
    return Json({"items": [entry_json(row) for row in result.items], "next": result.next})


@router.get("/{address}/events", response_model=Page[EventReply])
async def list_past_events(
    runtime: RuntimeDep, principal: Viewer, address: Address, cursor: Cursor = None, limit: Limit = 50
) -> Json:
    """Return what the devices of an equipment reported, newest first."""
    piece = find_equipment(runtime, principal, address)
    rows = schema.event_entry
    devices = [status.id for status in runtime.field.statuses() if status.equipment == address]
    result = await page(runtime.journal, rows, among(rows.c.source, devices), cursor=cursor, limit=limit)
    return Json({"items": [event_json(row, piece) for row in result.items], "next": result.next})


def _command(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "command": row["command"],
        "point": row["point"],
        "slot": row["slot"],
        "value": finite(row["value"]),
        "previous": finite(row["previous"]),
        "owner": row["owner"],
        "reason": name_json(spoken(row["reason"])),
        "state": row["state"],
        "message": row["message"],
        "time": iso(row["time_ns"]),
        "until": iso(row["until_ns"]),
    }
