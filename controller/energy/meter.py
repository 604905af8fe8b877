"""Reads the history of meters: quarter hours and days of energy, as `controller.energy.load` makes them.

A page asks for the month again and again, so that the readings at the edges of days that are over are kept for an hour
(late readings may still come) and only today is read anew.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from controller.energy.load import QUARTER_NS, Counter, Load, edge_readings, load_of, steps
from controller.history.store import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

    from controller.history.store import HistoryStore
    from drivers.driver import Clock

__all__ = ["Day", "Metering", "Meters", "Total", "local_day", "midnight_ns"]

_MINUTE_NS = 60_000_000_000
_APART_NS = 10 * _MINUTE_NS
"""Between readings at most so far apart the reading at an edge is interpolated; imported days have one in 5 min."""
_KEEP_S = 3_600.0
_MOST_DAYS = 2_000
"""Days of one counter that are kept: 1.6 kB each."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_HOURS = 20
"""Hours with readings that a day's mean temperature wants."""


@dataclass(frozen=True, slots=True)
class Meters:
    """What together measures something, each kilowatt-hour once."""

    energy: tuple[Counter, ...]
    reactive: tuple[Counter, ...] = ()
    """Counters of kvarh, one for each of `energy`; empty where one of the meters has none."""
    reactive_power: tuple[int, ...] = ()
    """Points of kvar, where there are no counters of kvarh."""


@dataclass(frozen=True, slots=True)
class Total:
    """What meters counted in a span."""

    kwh: float | None
    """None where nothing is known; where `whole` is false, at least so much."""
    whole: bool
    """Readings at both ends of the span, and no reset between."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day for a baseline."""

    day: date
    kwh: float
    """NaN where it is not known."""
    temperature: float
    """Mean outdoor temperature, °C; NaN where fewer than 20 hours have readings."""


class Metering:
    """Asks the history; keeps what does not change any more."""

    def __init__(self, history: HistoryStore, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._kept: OrderedDict[tuple[int, int, int], tuple[float, NDArray[np.float64]]] = OrderedDict()

    async def load(self, meters: Meters, start_ns: int, end_ns: int) -> Load:
        """Return the quarter hours of a span; `start_ns` is on a quarter, of the last one begun only what is over.

        Raises:
            UnavailableError: the history does not answer now.
        """
        end_ns = start_ns + (min(end_ns, self._clock.now_ns()) - start_ns) // QUARTER_NS * QUARTER_NS
        if end_ns <= start_ns or not meters.energy:
            return Load(np.empty(0, np.int64), np.empty(0), np.empty(0))
        edges = np.arange(start_ns, end_ns + 1, QUARTER_NS, dtype=np.int64)
        energy = await self._readings(meters.energy, edges)
        if meters.reactive:
            reactive = await self._readings(meters.reactive, edges)
            parts = [
                steps(reading, counter.wrap_at)[0] for counter, reading in zip(meters.reactive, reactive, strict=True)
            ]
            kvarh = np.sum(parts, axis=0)
        else:
            kvarh = await self._from_power(meters.reactive_power, start_ns, end_ns)
        return load_of(edges, list(zip(meters.energy, energy, strict=True)), kvarh)

    async def total(self, meters: Meters, start_ns: int, end_ns: int) -> Total:
        """Return what was counted in a span, from hourly aggregates: cheap also for many meters and long spans.

        Raises:
            UnavailableError: the history does not answer now.
        """
        end_ns = min(end_ns, self._clock.now_ns())
        if end_ns <= start_ns or not meters.energy:
            return Total(None, whole=False)
        edges = np.arange(start_ns, end_ns + 1, HOUR_NS, dtype=np.int64)
        numbers = [counter.number for counter in meters.energy]
        hours = await self._history.aggregate(numbers, start_ns, end_ns + _APART_NS, HOUR_NS)
        ends = await self._history.aggregate(numbers, end_ns - _APART_NS, end_ns + _APART_NS, _MINUTE_NS)
        last = np.array([end_ns], np.int64)
        total, whole, known = 0.0, True, False
        for counter, buckets, end in zip(meters.energy, hours, ends, strict=True):
            reading = edge_readings(buckets, edges, HOUR_NS)
            if int(edges[-1]) != end_ns:
                reading = np.append(reading, edge_readings(end, last, _APART_NS))
            counted, back = steps(reading[np.isfinite(reading)], counter.wrap_at)
            total += float(np.nansum(counted))
            known |= len(counted) > 0
            whole &= bool(np.isfinite(reading[[0, -1]]).all()) and not back.any()
        return Total(total if known else None, whole=known and whole)

    async def days(self, meters: Meters, outdoor: int | None, first: date, count: int, zone: ZoneInfo) -> list[Day]:
        """Return energy and temperature of days that are over, from hourly aggregates.

        Raises:
            UnavailableError: the history does not answer now.
        """
        listed = [first + timedelta(days=at) for at in range(count + 1)]
        edges = np.array([midnight_ns(day, zone) for day in listed], np.int64)
        kwh = np.zeros(count)
        numbers = [counter.number for counter in meters.energy]
        span = (int(edges[0]) - HOUR_NS, int(edges[-1]) + HOUR_NS)
        found = await self._history.aggregate(numbers, *span, HOUR_NS) if numbers and count else []
        for counter, buckets in zip(meters.energy, found, strict=False):
            kwh = kwh + steps(edge_readings(buckets, edges, HOUR_NS), counter.wrap_at)[0]
        warm = np.full(count, np.nan)
        if outdoor is not None and count:
            (hours,) = await self._history.aggregate([outdoor], int(edges[0]), int(edges[-1]), HOUR_NS)
            good = np.isfinite(hours.mean)
            place = np.searchsorted(edges, hours.start_ns[good], "right") - 1
            there = np.bincount(place, minlength=count)[:count]
            total = np.bincount(place, hours.mean[good], minlength=count)[:count]
            warm = np.where(there >= _LEAST_HOURS, total / np.maximum(there, 1), np.nan)
        unknown = np.full(count, np.nan) if not numbers else kwh
        return [Day(*row) for row in zip(listed, unknown.tolist(), warm.tolist(), strict=False)]

    async def _readings(self, counters: Sequence[Counter], edges: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        """Return what each counter showed at the edges, from parts of 96 of them."""
        found: list[list[NDArray[np.float64]]] = [[] for _ in counters]
        now_ns = self._clock.now_ns()
        for low in range(0, len(edges), 96):
            part = edges[low : low + 96]
            over = int(part[-1]) + 2 * HOUR_NS < now_ns
            kept = {counter.number: self._keeping(counter.number, part) for counter in counters}
            numbers = [number for number, reading in kept.items() if reading is None]
            if numbers:
                begin, end = int(part[0]) - _APART_NS, int(part[-1]) + _APART_NS
                for buckets in await self._history.aggregate(numbers, begin, end, _MINUTE_NS):
                    reading = kept[buckets.number] = edge_readings(buckets, part, _APART_NS)
                    if over:
                        self._keep(buckets.number, part, reading)
            for place, counter in enumerate(counters):
                known = kept[counter.number]
                found[place].append(np.full(len(part), np.nan) if known is None else known)
        return [np.concatenate(parts) for parts in found]

    def _keeping(self, number: int, part: NDArray[np.int64]) -> NDArray[np.float64] | None:
        kept = self._kept.get((number, int(part[0]), len(part)))
        if kept is None or self._clock.monotonic() - kept[0] > _KEEP_S:
            return None
        return kept[1]

    def _keep(self, number: int, part: NDArray[np.int64], reading: NDArray[np.float64]) -> None:
        self._kept[number, int(part[0]), len(part)] = (self._clock.monotonic(), reading)
        while len(self._kept) > _MOST_DAYS:
            self._kept.popitem(last=False)

    async def _from_power(self, numbers: Sequence[int], start_ns: int, end_ns: int) -> NDArray[np.float64]:
        """Return kvarh of each window from the mean reactive power in it; NaN where a meter has no reading."""
        count = (end_ns - start_ns) // QUARTER_NS
        total = np.full(count, np.nan if not numbers else 0.0)
        for buckets in await self._history.aggregate(list(numbers), start_ns, end_ns, QUARTER_NS) if numbers else []:
            mean = np.full(count, np.nan)
            mean[(buckets.start_ns - start_ns) // QUARTER_NS] = buckets.mean / 4
            total = total + mean
        return total


def local_day(time_ns: int, zone: ZoneInfo) -> date:
    """Return the day of a moment."""
    return (_EPOCH + timedelta(microseconds=time_ns // 1_000)).astimezone(zone).date()


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """Return the beginning of a day, ns UTC."""
    moment = datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH
    return (moment.days * 86_400 + moment.seconds) * 1_000_000_000
