"""Cost of PointTable.apply: one device's batch of 62 values, and a joined batch of 12,400.

    python -m benchmarks.point_table

Goals: 15 µs for 62 values, 1 ms for 12,400 values.
"""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING

import numpy as np

from controller.clock import VirtualClock
from controller.point.model import Name, Point, Site
from controller.point.table import PointTable
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS = 12_400
DEVICE = 62


def site() -> Site:
    points = {}
    for number in range(POINTS):
        kind = "counter" if number % 20 == 0 else "analog"
        address = f"hall.meter.em{number // DEVICE}.p{number % DEVICE}"
        points[address] = Point(
            number,
            address,
            kind,
            "kW",
            Name("點", "Point"),
            address.rpartition(".")[0],
            low=0.0,
            high=1e9,
            deadband=0.5,
        )
    return Site("hall", Name("市府", "Hall"), "Asia/Taipei", 1, {}, {}, {}, points)


def best(call: Callable[[], object], loops: int) -> float:
    """Return the best of 9 runs, in µs a call."""
    return min(timeit.repeat(call, number=loops, repeat=9)) / loops * 1e6


def main() -> None:
    clock = VirtualClock()
    table = PointTable(site(), clock)
    random = np.random.default_rng(1)
    now = clock.now_ns()
    numbers = np.arange(POINTS, dtype=np.int32)
    value = np.sort(random.uniform(0, 1000, POINTS))
    one = [Readings.of(range(620, 620 + DEVICE), (value[:DEVICE] + k).tolist(), now) for k in range(2)]
    shuffled = random.permutation(numbers)
    every = [Readings.of(shuffled.tolist(), (value + k).tolist(), now) for k in range(2)]
    mixed = Readings.of(
        shuffled.tolist(), value.tolist(), now, np.where(shuffled % 10 == 0, Quality.BAD_COMM, 0).tolist()
    )
    turn = iter(range(10**9))
    print(f"62 values, all changed      {best(lambda: table.apply(one[next(turn) & 1]), 2000):8.1f} µs")
    print(f"62 values, none changed     {best(lambda: table.apply(one[0]), 2000):8.1f} µs")
    print(f"12,400 values, all changed  {best(lambda: table.apply(every[next(turn) & 1]), 30):8.1f} µs")
    print(f"12,400 values, a tenth bad  {best(lambda: table.apply(mixed), 30):8.1f} µs")
    print(f"expire, 12,400 points       {best(table.expire, 200):8.1f} µs")


if __name__ == "__main__":
    main()
