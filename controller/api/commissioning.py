"""`/commissioning`: the record of points that were compared with an instrument, kept for ever."""

import csv
import io
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, StringConstraints
from sqlalchemy import insert, select
from starlette.responses import Response, StreamingResponse

from controller.api.access import Allow, RuntimeDep, address_of, find_point, healthy, may
from controller.api.body import Address, Body, Cursor, Finite, Item, Limit, Line, Page
from controller.api.history import cell
from controller.api.render import Json, finite, iso, quality_name
from controller.api.runtime import Runtime
from controller.errors import ConflictError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal.entry import AuditRow
from controller.journal.query import MAX_PAGE, among, page
from controller.journal.schema import commissioning_entry
from controller.point.model import Point

__all__ = ["router"]

router = APIRouter(prefix="/commissioning", tags=["commissioning"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
Verdict = Literal["ok", "not_ok", "not_checked"]
_MOST_ROWS = 20_000
_EXAMPLE: dict[str, Any] = {
    "id": 7,
    "time": "2026-07-01T01:00:00.000Z",
    "device": "em132-meter",
    "point": "cityhall.meter.em132.power",
    "unit": "kW",
    "value": 12.4,
    "quality": 0,
    "quality_name": "good",
    "raw": "4146 6666",
    "reference": 12.5,
    "deviation": -0.1,
    "verdict": "ok",
    "note": "clamp meter 3 of the workshop",
    "who": "lin.yc",
}


class ComparisonBody(Body):
    """One point compared: what the instrument said, and what the engineer makes of it."""

    point: Address
    reference: Finite | None = None
    """In the point's unit; null where nothing was measured."""
    verdict: Verdict
    note: Line = ""
    raw: Annotated[Line, StringConstraints(max_length=200)] = ""
    """Bytes of the test read, where there was one."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"point": "cityhall.meter.em132.power", "reference": 12.5, "verdict": "ok", "note": "", "raw": ""}
            ]
        }
    )


class ComparisonReply(Item):
    """One line of the record; `value` is what the controller had read when it was written."""

    id: int
    time: str | None
    device: str
    point: str
    unit: str
    value: float | None
    quality: int
    quality_name: str
    raw: str
    reference: float | None
    deviation: float | None
    """Value less reference."""
    verdict: Verdict
    note: str
    who: str
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("id", "device", "point", "unit", "quality", "raw", "verdict", "note", "who")
    return {
        **{key: row[key] for key in kept},
        "time": iso(row["time_ns"]),
        "quality_name": quality_name(row["quality"]),
        **{key: finite(row[key]) for key in ("value", "reference", "deviation")},
    }


def _where(runtime: Runtime, principal: Principal, device: str | None, point: str | None) -> list[Any]:
    rows = commissioning_entry
    where: list[Any] = []
    if device is not None:
        where.append(rows.c.device == device)
    if point is not None:
        where.append(rows.c.point == point)
    areas = principal.permissions.areas(Action.VIEW)
    if areas is not None:
        seen = [address for address, found in runtime.site().points.items() if found.area in areas]
        where.append(among(rows.c.point, seen))
    return where


@router.get(
    "",
    response_model=Page[ComparisonReply],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def list_comparisons(
    runtime: RuntimeDep,
    principal: Viewer,
    device: Address | None = None,
    point: Address | None = None,
    cursor: Cursor = None,
    limit: Limit = 200,
    format: Annotated[Literal["json", "csv"], Query()] = "json",  # noqa: A002 - the word of the API
) -> Response:
    """Return the record, newest first; as CSV the newest 20,000 lines at once, the oldest first."""
    where = _where(runtime, principal, device, point)
    if format == "json":
        found = await page(runtime.journal, commissioning_entry, *where, cursor=cursor, limit=limit)
        return Json({"items": [_shown(row) for row in found.items], "next": found.next})
    rows: list[dict[str, Any]] = []
    following: str | None = cursor
    while len(rows) < _MOST_ROWS:
        found = await page(runtime.journal, commissioning_entry, *where, cursor=following, limit=MAX_PAGE)
        rows += found.items
        following = found.next
        if following is None:
            break
    rows.reverse()
    headers = {"Content-Disposition": 'attachment; filename="commissioning.csv"'}
    text = _csv(rows, dict(runtime.site().points), runtime.site().timezone)
    return StreamingResponse(text, headers=headers, media_type="text/csv; charset=utf-8")


@router.post("", status_code=201, response_model=ComparisonReply)
async def add_comparison(request: Request, runtime: RuntimeDep, principal: Engineer, body: ComparisonBody) -> Json:
    """Append one line with what the controller reads at this moment; lines are never changed."""
    point = find_point(runtime, principal, body.point)
    may(principal, Action.CONFIGURE, point.area)
    if not point.device:
        raise ConflictError(f"point {body.point!r} is computed and has no device; compare the points it comes from")
    healthy(runtime)
    table = runtime.table()
    value, now_ns = finite(float(table.value[point.number])), runtime.clock.now_ns()
    row = {
        "time_ns": now_ns,
        "device": point.device,
        "point": point.address,
        "number": point.number,
        "unit": point.unit,
        "value": value,
        "quality": int(table.quality[point.number]),
        "raw": body.raw,
        "reference": body.reference,
        "deviation": None if value is None or body.reference is None else value - body.reference,
        "verdict": body.verdict,
        "note": body.note,
        "who": principal.actor,
    }
    said = AuditRow(
        now_ns,
        principal.actor,
        "commissioning",
        point.address,
        outcome="done",
        client=address_of(request),
        data={"value": value, "reference": body.reference, "verdict": body.verdict},
    )
    await runtime.journal.change(said, insert(commissioning_entry).values(**row))
    mine = (commissioning_entry.c.point == point.address, commissioning_entry.c.time_ns == now_ns)
    newest = select(commissioning_entry).where(*mine).order_by(commissioning_entry.c.id.desc()).limit(1)
    (kept,) = await runtime.journal.fetch(newest)
    return Json(_shown(dict(kept._mapping)), 201)


def _csv(rows: list[dict[str, Any]], points: dict[str, Point], zone: str) -> Iterator[str]:
    """Yield the file in parts; the framework runs this in a thread."""
    place = ZoneInfo(zone)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    head = ("device", "point", "name", "unit", "value", "quality", "raw", "reference", "deviation", "verdict", "note")
    writer.writerow([f"time ({zone})", *head, "by"])
    for row in rows:
        point = points.get(row["point"])
        moment = datetime.fromtimestamp(row["time_ns"] // 10**6 / 1e3, place).isoformat(timespec="seconds")
        texts = [row["device"], row["point"], point.name.zh if point else "", row["unit"]]
        numbers = [_number(row["value"]), quality_name(row["quality"]), cell(row["raw"])]
        writer.writerow(
            [
                moment,
                *(cell(text) for text in texts),
                *numbers,
                _number(row["reference"]),
                _number(row["deviation"]),
                row["verdict"],
                cell(row["note"]),
                cell(row["who"]),
            ]
        )
        if buffer.tell() > 60_000:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.10g}"
