"""Field, history and presence of `tests.services.hall`, in memory: what a test says that there is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from controller.drill.presence import Person, Presence
from controller.field.field import DeviceStatus
from controller.history.store import Before, Buckets, Series
from drivers.errors import DeviceTimeoutError
from drivers.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence


from tests.services.hall import START_NS

__all__ = ["KnownPresence", "MemoryField", "MemoryHistory"]


class MemoryField:
    """States of devices that the test sets."""

    def __init__(self) -> None:
        self.devices = {
            device: DeviceStatus(
                id=device,
                profile="site-standard",
                protocol="modbus",
                endpoint="tcp://10.0.0.1:502",
                unit=1,
                equipment=equipment,
                points=2,
                state="good",
                last_good_ns=START_NS,
                since_ns=START_NS,
                polls=3,
                errors=0,
                timeouts=0,
                refused=0,
                latency_p95_ms=math.nan,
                message="",
                keepalives=0,
                writes=0,
            )
            for device, equipment in (
                ("dev-tx1", "hall.electrical.tx1"),
                ("dev-ahu1", "hall.hvac.ahu1"),
                ("dev-ch1", "hall.plant.ch1"),
            )
        }

        self.pictures: dict[str, Picture] = {}
        self.asked: list[str] = []

    def statuses(self) -> list[DeviceStatus]:
        return list(self.devices.values())

    async def picture(self, device: str) -> Picture:
        self.asked.append(device)
        if device not in self.pictures:
            raise DeviceTimeoutError(f"{device}: no picture")
        return self.pictures[device]


class MemoryHistory:
    """Readings that the test puts in, answered in the shapes of the contract."""

    def __init__(self) -> None:
        self.readings: dict[int, list[tuple[int, float, int]]] = {}
        self.error: Exception | None = None

    async def raw(self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000) -> list[Series]:
        if self.error:
            raise self.error
        found = []
        for number in numbers:
            rows = sorted(self.readings.get(number, []))
            inside = [r for r in rows if start_ns <= r[0] < end_ns]
            earlier = [r for r in rows if r[0] < start_ns]
            kept = inside[:limit]
            found.append(
                Series(
                    number,
                    np.array([r[0] for r in kept], np.int64),
                    np.array([r[1] for r in kept], np.float64),
                    np.array([r[2] for r in kept], np.uint8),
                    earlier[-1] if earlier else None,
                    truncated=len(inside) > limit,
                )
            )
        return found

    async def before(self, numbers: Sequence[int], time_ns: int) -> list[Before | None]:
        return [series.before for series in await self.raw(numbers, time_ns, time_ns + 1)]

    async def aggregate(self, numbers: Sequence[int], start_ns: int, end_ns: int, bucket_ns: int) -> list[Buckets]:
        found = []
        for series in await self.raw(numbers, start_ns, end_ns):
            place = (series.time_ns - start_ns) // bucket_ns
            columns: list[list[float]] = [[] for _ in range(7)]
            for bucket in np.unique(place):
                values = series.value[place == bucket]
                good = (series.quality[place == bucket] < 64) & np.isfinite(values)
                kept = values[good] if good.any() else np.array([np.nan])
                line = (start_ns + int(bucket) * bucket_ns, len(values), kept.min(), kept.max(), kept.mean(), kept[-1])
                for column, value in zip(columns, (*line, good.mean()), strict=True):
                    column.append(float(value) if column is not columns[0] else value)
            arrays = [np.array(column, np.float64) for column in columns[2:]]
            start, count = (np.array(column, np.int64) for column in columns[:2])
            found.append(Buckets(series.number, start, count, *arrays))
        return found


class KnownPresence(Presence):
    """Everybody whom a test put into the building."""

    def inside(self, now_ns: int) -> list[Person]:
        return [
            Person("p-1", "west", "1F", "hall.access.w_01f_1", now_ns - 1_000_000_000),
            Person("p-2", "west", "1F", "hall.access.w_01f_1", now_ns - 1_000_000_000),
            Person("p-3", "plant", "B1", "hall.access.p_b1_1", now_ns - 1_000_000_000),
        ]
