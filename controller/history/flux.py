"""Reads of the past from InfluxDB 2. Every value in a query is a parameter; the query texts are constants.

InfluxDB binds parameters as typed constants before the query, so that an address can never become code.
"""

from __future__ import annotations

import asyncio
import csv
import io
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.domain.dialect import Dialect
from urllib3.exceptions import HTTPError

from controller.errors import InvalidError, UnavailableError
from controller.history.line import tags_of
from controller.history.store import Before, Buckets, Series
from controller.history.window import check_buckets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.history.delivery import Influx

__all__ = ["InfluxHistory"]

_LOOK_BACK_NS = 31 * 86_400_000_000_000
"""How far `before` looks: an unbounded search opens every shard."""

_SOURCE = """
from(bucket: bucket)
  |> range(start: time(v: start), stop: time(v: stop))
  |> filter(fn: (r) => r._measurement == system and r.building == building and r.equipment == equipment
      and r.point == point)
"""
_RAW = (
    _SOURCE
    + """
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> limit(n: count)
  |> map(fn: (r) => ({r with ns: int(v: r._time)}))
  |> drop(columns: ["_start", "_stop", "_time", "_measurement", "building", "equipment", "point"])
"""
)
_LAST = (
    _SOURCE
    + """
  |> last()
  |> map(fn: (r) => ({field: r._field, text: string(v: r._value), ns: int(v: r._time)}))
"""
)
_AGGREGATE = (
    "readings = "
    + _SOURCE
    + """
values = readings |> filter(fn: (r) => r._field == "value")
qualities = readings |> filter(fn: (r) => r._field == "quality")
spans = (tables=<-, fn) => tables
  |> aggregateWindow(every: duration(v: span), offset: duration(v: offset), fn: fn, createEmpty: false,
      timeSrc: "_start")
  |> map(fn: (r) => ({ns: int(v: r._time), number: float(v: r._value)}))
values |> spans(fn: min) |> yield(name: "minimum")
values |> spans(fn: max) |> yield(name: "maximum")
values |> spans(fn: mean) |> yield(name: "mean")
values |> spans(fn: last) |> yield(name: "last")
qualities |> spans(fn: count) |> yield(name: "count")
qualities |> filter(fn: (r) => r._value < 64) |> spans(fn: count) |> yield(name: "good")
"""
)


class InfluxHistory:
    """A `HistoryStore` over InfluxDB; `close` it."""

    def __init__(self, influx: Influx, addresses: Mapping[int, str]) -> None:
        """Make the client; it connects when first asked."""
        self._influx = influx
        self._addresses = addresses
        self._client = influx.client()
        self._api = self._client.query_api()
        self._threads = ThreadPoolExecutor(2, "history-flux")

    def configure(self, addresses: Mapping[int, str]) -> None:
        """Use a new configuration's addresses."""
        self._addresses = addresses

    async def raw(self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000) -> list[Series]:
        """See `HistoryStore.raw`."""
        if end_ns <= start_ns or limit < 1:
            raise InvalidError(f"window: {start_ns} to {end_ns}, limit {limit}; wanted a window and a limit above 0")
        return await self._each(numbers, lambda number: self._raw(number, start_ns, end_ns, limit))

    async def aggregate(self, numbers: Sequence[int], start_ns: int, end_ns: int, bucket_ns: int) -> list[Buckets]:
        """See `HistoryStore.aggregate`."""
        check_buckets(start_ns, end_ns, bucket_ns)
        return await self._each(numbers, lambda number: self._aggregate(number, start_ns, end_ns, bucket_ns))

    async def before(self, numbers: Sequence[int], time_ns: int) -> list[Before | None]:
        """See `HistoryStore.before`; looks back 31 days."""
        return await self._each(numbers, lambda number: self._before(number, time_ns))

    def close(self) -> None:
        """Wait for running queries and close the connections."""
        self._threads.shutdown(wait=True)
        self._client.close()  # type: ignore[no-untyped-call]

    async def _each(self, numbers: Sequence[int], work: Callable[[int], Any]) -> list[Any]:
        loop = asyncio.get_running_loop()
        try:
            return list(
                await asyncio.gather(*(loop.run_in_executor(self._threads, work, number) for number in numbers))
            )
        except (InfluxDBError, HTTPError, OSError) as error:
            raise UnavailableError(f"InfluxDB at {self._influx.url} does not answer the query: {error}") from error

    def _query(self, text: str, number: int, start_ns: int, end_ns: int, **more: int) -> list[dict[str, str]]:
        """Return the rows of all results; `result` names the yield."""
        address = self._addresses.get(number)
        if address is None or end_ns <= start_ns:
            return []
        system, building, equipment, point = tags_of(address)
        params: dict[str, Any] = {
            "bucket": self._influx.bucket,
            "start": start_ns,
            "stop": end_ns,
            "system": system,
            "building": building,
            "equipment": equipment,
            "point": point,
            **more,
        }
        dialect = Dialect(header=True, annotations=[], delimiter=",")  # type: ignore[no-untyped-call]
        response = self._api.query_raw(text, org=self._influx.org, dialect=dialect, params=params)
        rows: list[dict[str, str]] = []
        names: list[str] | None = None
        # Tables of different columns follow each other, each after an empty line and with its own header.
        for cells in csv.reader(io.StringIO(response.data.decode())):
            if not cells:
                names = None
            elif names is None:
                names = cells
            else:
                rows.append(dict(zip(names, cells, strict=False)))
        if rows and "error" in rows[0]:
            raise UnavailableError(f"InfluxDB at {self._influx.url} could not answer: {rows[0]['error']}")
        return rows

    def _raw(self, number: int, start_ns: int, end_ns: int, limit: int) -> Series:
        rows = self._query(_RAW, number, start_ns, end_ns, count=limit + 1)
        time = np.array([int(row["ns"]) for row in rows], np.int64)
        value = np.array([float(row.get("value") or "nan") for row in rows], np.float64)
        quality = np.array([int(row.get("quality") or 0) for row in rows], np.uint8)
        order = np.argsort(time, kind="stable")[:limit]
        before = self._before(number, start_ns)
        return Series(number, time[order], value[order], quality[order], before, truncated=len(rows) > limit)

    def _aggregate(self, number: int, start_ns: int, end_ns: int, bucket_ns: int) -> Buckets:
        rows = self._query(_AGGREGATE, number, start_ns, end_ns, span=bucket_ns, offset=start_ns % bucket_ns)
        found: dict[str, dict[int, float]] = {}
        for row in rows:
            found.setdefault(row["result"], {})[int(row["ns"])] = float(row["number"])
        starts = sorted(found.get("count", {}))

        def column(name: str, missing: float) -> np.ndarray[Any, np.dtype[np.float64]]:
            values = found.get(name, {})
            return np.array([values.get(start, missing) for start in starts], np.float64)

        count = column("count", 0.0)
        return Buckets(
            number,
            np.array(starts, np.int64),
            count.astype(np.int64),
            column("minimum", math.nan),
            column("maximum", math.nan),
            column("mean", math.nan),
            column("last", math.nan),
            column("good", 0.0) / np.maximum(count, 1.0),
        )

    def _before(self, number: int, time_ns: int) -> Before | None:
        rows = self._query(_LAST, number, max(0, time_ns - _LOOK_BACK_NS), time_ns)
        last = {row["field"]: (int(row["ns"]), row["text"]) for row in rows}
        if "quality" not in last:
            return None
        at, quality = last["quality"]
        value_at, value = last.get("value", (0, ""))
        return at, float(value) if value_at == at else math.nan, int(quality)
