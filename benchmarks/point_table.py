"""Cost of PointTable.apply: one device's batch of 62 values, and a joined batch of 12,400.

    python benchmarks/point_table.py

Limits: 15 µs for 62 values, 1 ms for 12,400 values, on a machine that does nothing else.
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


def show(name: str, value: float, unit: str, limit: float) -> None:
    """Print one line of the table."""
    print(f"{name:36s} {value:10.3f} {limit:10.3f} {unit:12s} {'met' if value <= limit else 'OVER'}")


def main() -> None:
    print(f"{'':36s} {'measured':>10s} {'limit':>10s}")
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
    show("62 values, all changed", best(lambda: table.apply(one[next(turn) & 1]), 2000), "µs", 15.0)
    show("62 values, none changed", best(lambda: table.apply(one[0]), 2000), "µs", 15.0)
    show("12,400 values, all changed", best(lambda: table.apply(every[next(turn) & 1]), 30), "µs", 1000.0)
    show("12,400 values, a tenth bad", best(lambda: table.apply(mixed), 30), "µs", 1000.0)
    show("expire, 12,400 points", best(table.expire, 200), "µs", 50.0)


if __name__ == "__main__":
    main()
