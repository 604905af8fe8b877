"""`/audit`: who did what, and whether the chain of it is whole."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Address, Cursor, Item, Limit, Page
from controller.api.render import Json, iso
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal import schema
from controller.journal.query import page

__all__ = ["router"]

router = APIRouter(prefix="/audit", tags=["audit"])
Auditor = Annotated[Principal, Depends(Allow(Action.AUDIT))]


class AuditReply(Item):
    """One line; `hash` covers it and `previous`."""

    id: int
    time: str | None
    actor: str
    action: str
    target: str
    outcome: str
    reason: str
    client: str
    data: dict[str, Any]
    previous: str
    hash: str
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 12,
                    "time": "2026-01-01T01:00:00.000Z",
                    "actor": "wang.hm",
                    "action": "command",
                    "target": "cityhall.hvac.ahu_01f_w.zone_temp_sp",
                    "outcome": "requested",
                    "reason": "council visits the west wing",
                    "client": "10.20.0.5",
                    "data": {"slot": 8, "value": 25.0, "expires_s": 10800.0},
                    "previous": "0" * 64,
                    "hash": "9f" * 32,
                }
            ]
        }
    )


class ChainReply(Item):
    """What checking the whole chain found."""

    whole: bool
    entries: int
    broken_at: int | None
    message: str
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"whole": True, "entries": 4711, "broken_at": None, "message": ""}]}
    )


def _data(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except ValueError:
        return {"unreadable": text[:200]}
    return found if isinstance(found, dict) else {"value": found}


@router.get("", response_model=Page[AuditReply])
async def list_audit(
    runtime: RuntimeDep,
    _: Auditor,
    actor: Address | None = None,
    action: Address | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Json:
    """Return the audit journal, newest first."""
    rows = schema.audit_entry
    where: list[Any] = []
    if actor is not None:
        where.append(rows.c.actor == actor)
    if action is not None:
        where.append(rows.c.action == action)
    result = await page(runtime.journal, rows, *where, cursor=cursor, limit=limit)
    items = [
        {
            "id": row["id"],
            "time": iso(row["time_ns"]),
            "data": _data(row["data"]),
            **{key: row[key] for key in ("actor", "action", "target", "outcome", "reason", "client")},
            "previous": row["previous"],
            "hash": row["hash"],
        }
        for row in result.items
    ]
    return Json({"items": items, "next": result.next})


@router.get("/verify", response_model=ChainReply)
async def verify(runtime: RuntimeDep, _: Auditor) -> Json:
    """Check the hash chain from its first line."""
    report = await runtime.journal.verify_audit()
    return Json(
        {
            "whole": report.whole,
            "entries": report.entries,
            "broken_at": report.broken_at,
            "message": report.message,
        }
    )
