"""`/history`: what the points were, as buckets, raw, or as a CSV file for a spreadsheet."""

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict
from starlette.responses import Response, StreamingResponse

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item
from controller.api.render import Json, finite, parse_time
from controller.api.runtime import Runtime
from controller.api.value import named_points
from controller.errors import InvalidError, UnavailableError
from controller.history.store import Before as Reading
from controller.history.store import Buckets, Series
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.point.model import Point

__all__ = ["cell", "router"]

router = APIRouter(prefix="/history", tags=["history"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]

MOST_POINTS = 50
MOST_CELLS = 200_000
"""Points times buckets of one answer."""
RAW_LIMIT = 100_000
_LONGEST_NS = 20 * 366 * 86_400_000_000_000
_WAIT_S = 30.0


class Before(Item):
    """The last reading before the start."""

    time: float
    value: float | None


class SeriesReply(Item):
    """One point: buckets (min, mean, max, last, good) or, with buckets=0, raw readings (value, quality); times in ms.

    Buckets without readings are left out; `truncated` says that there are more raw readings than the limit.
    """

    address: str
    number: int
    unit: str
    resolution_s: float
    time: list[int]
    min: list[float | None] | None = None
    mean: list[float | None] | None = None
    max: list[float | None] | None = None
    last: list[float | None] | None = None
    good: list[float | None] | None = None
    value: list[float | None] | None = None
    quality: list[int] | None = None
    truncated: bool = False
    before: Before | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "address": "cityhall.electrical.tx1.power",
                    "number": 3,
                    "unit": "kW",
                    "resolution_s": 60.0,
                    "time": [1767225600000, 1767225660000],
                    "min": [810.2, None],
                    "mean": [815.5, None],
                    "max": [822.9, None],
                    "last": [818.0, None],
                    "good": [1.0, 0.0],
                    "before": {"time": 1767225599000, "value": 811.0},
                }
            ]
        }
    )


class HistoryReply(Item):
    """The series in the order asked for."""

    series: list[SeriesReply]


def cell(text: str) -> str:
    """Return text for a cell that no spreadsheet takes for a formula (CWE-1236)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} else text


@router.get(
    "",
    response_model=HistoryReply,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def read_history(
    runtime: RuntimeDep,
    principal: Viewer,
    points: Annotated[str, Query(max_length=20_000, description="point addresses, separated by commas")],
    start: Annotated[str, Query(max_length=40, description="ISO 8601 with a zone, or ms since 1970")],
    end: Annotated[str, Query(max_length=40, description="ISO 8601 with a zone, or ms since 1970; not included")],
    buckets: Annotated[int, Query(ge=0, le=5000, description="0 = raw readings")] = 600,
    format: Annotated[Literal["json", "csv"], Query()] = "json",  # noqa: A002 - the word of the API
) -> Response:
    """Return the history of up to 50 points."""
    found = named_points(runtime, principal, points, MOST_POINTS)
    start_ns, end_ns = parse_time(start, "start"), parse_time(end, "end")
    if not 0 < end_ns - start_ns <= _LONGEST_NS:
        raise InvalidError("end is not after start, or more than 20 years after it; choose another span")
    if len(found) * buckets > MOST_CELLS:
        raise InvalidError(f"{len(found)} points × {buckets} buckets are more than {MOST_CELLS}; ask for fewer")
    try:
        async with asyncio.timeout(_WAIT_S):
            series = await _read(runtime, found, start_ns, end_ns, buckets)
    except TimeoutError:
        raise UnavailableError(f"the history did not answer within {_WAIT_S:g} s; ask for a shorter span") from None
    if format == "csv":
        zone = runtime.site().timezone
        headers = {"Content-Disposition": 'attachment; filename="history.csv"'}
        rows = _csv(found, series, zone)
        return StreamingResponse(rows, headers=headers, media_type="text/csv; charset=utf-8")
    return Json({"series": series})


async def _read(
    runtime: Runtime, points: list[Point], start_ns: int, end_ns: int, buckets: int
) -> list[dict[str, Any]]:
    numbers = [point.number for point in points]
    if buckets == 0:
        limit = max(1, RAW_LIMIT // len(points))
        raw = {entry.number: entry for entry in await runtime.history.raw(numbers, start_ns, end_ns, limit)}
        return [_raw(point, raw.get(point.number)) for point in points]
    bucket_ns = max(1_000_000_000, -(-(end_ns - start_ns) // buckets))
    bucket_ns = -(-bucket_ns // 1_000_000) * 1_000_000
    found = await runtime.history.aggregate(numbers, start_ns, end_ns, bucket_ns)
    earlier = dict(zip(numbers, await runtime.history.before(numbers, start_ns), strict=True))
    by_number = {entry.number: entry for entry in found}
    return [
        _bucketed(point, by_number.get(point.number), earlier.get(point.number), bucket_ns / 1e9) for point in points
    ]


def _before(reading: Reading | None) -> dict[str, Any] | None:
    return None if reading is None else {"time": reading[0] / 1e6, "value": finite(reading[1])}


def _raw(point: Point, series: Series | None) -> dict[str, Any]:
    return {
        "address": point.address,
        "number": point.number,
        "unit": point.unit,
        "resolution_s": 0.0,
        "time": [] if series is None else series.time_ns // 1_000_000,
        "value": [] if series is None else _column(series.value),
        "quality": [] if series is None else np.ascontiguousarray(series.quality, np.uint8),
        "truncated": series is not None and series.truncated,
        "before": None if series is None else _before(series.before),
    }


def _bucketed(point: Point, buckets: Buckets | None, earlier: Reading | None, resolution_s: float) -> dict[str, Any]:
    return {
        "address": point.address,
        "number": point.number,
        "unit": point.unit,
        "resolution_s": resolution_s,
        "time": [] if buckets is None else buckets.start_ns // 1_000_000,
        "min": [] if buckets is None else _column(buckets.minimum),
        "mean": [] if buckets is None else _column(buckets.mean),
        "max": [] if buckets is None else _column(buckets.maximum),
        "last": [] if buckets is None else _column(buckets.last),
        "good": [] if buckets is None else _column(buckets.good_share),
        "before": _before(earlier),
    }


def _column(values: Any) -> Any:
    return np.ascontiguousarray(values, np.float64)


def _csv(points: list[Point], series: list[dict[str, Any]], zone: str) -> Iterator[str]:
    """Yield the file in parts; the framework runs this in a thread."""
    raw = "value" in series[0]
    columns = ("value", "quality") if raw else ("min", "mean", "max", "last", "good")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([f"time ({zone})", "point", "name", "unit", *columns])
    place = ZoneInfo(zone)
    for point, entry in zip(points, series, strict=True):
        head = [cell(point.address), cell(point.name.zh), cell(point.unit)]
        arrays = [entry[column] for column in columns]
        for row, time_ms in enumerate(entry["time"]):
            moment = datetime.fromtimestamp(int(time_ms) / 1e3, place).isoformat(timespec="milliseconds")
            writer.writerow([moment, *head, *(_number(array[row]) for array in arrays)])
            if buffer.tell() > 60_000:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
    yield buffer.getvalue()


def _number(value: Any) -> str:
    return "" if not np.isfinite(value) else f"{value:.10g}"
