"""Cost of AlarmEngine.check: 12,400 readings against three definitions a point.

    python -m benchmarks.alarm

Goal: 0.5 µs a reading.
"""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING

import numpy as np

from controller.alarm.definition import AlarmDefinition
from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS = 12_400
DEVICE = 62
LIMITS = (("high_high", 95.0), ("high", 90.0), ("low", 5.0))


def engine(on_delay_s: float = 1e9) -> AlarmEngine:
    definitions = [
        AlarmDefinition(f"hall.meter.p{n}#{kind}", kind, n, f"hall.meter.p{n}", limit=limit, on_delay_s=on_delay_s)
        for n in range(POINTS)
        for kind, limit in LIMITS
    ]
    return AlarmEngine(definitions, VirtualClock(), lambda _entry: None)


def best(call: Callable[[], object], loops: int) -> float:
    """Return the best of 9 runs, in µs a call."""
    return min(timeit.repeat(call, number=loops, repeat=9)) / loops * 1e6


def main() -> None:
    random = np.random.default_rng(1)
    number = random.permutation(POINTS).astype(np.int32)
    calm = random.uniform(10, 80, POINTS)
    good = np.zeros(POINTS, np.uint8)
    bad = np.full(POINTS, 128, np.uint8)
    tenth = np.where(random.random(POINTS) < 0.1, 92.0, calm)
    for name, value, quality in (
        ("all calm", calm, good),
        ("a tenth waits for its delay", tenth, good),
        ("all wait for their delay", np.full(POINTS, 99.0), good),
        ("all bad", np.full(POINTS, np.nan), bad),
    ):
        alarms = engine()
        every = best(lambda a=alarms, v=value, q=quality: a.check(number, v, q), 20)  # type: ignore[misc]
        one = best(lambda a=alarms, v=value, q=quality: a.check(number[:DEVICE], v[:DEVICE], q[:DEVICE]), 500)  # type: ignore[misc]
        print(f"{name:30s} 12,400: {every / POINTS:7.4f} µs a reading   62: {one:7.1f} µs a batch")
    alarms = engine()
    print(f"{'tick, 37,200 definitions':30s} {best(alarms.tick, 200):7.1f} µs")
    storm = engine(on_delay_s=0.0)
    value = np.full(POINTS, 92.0)
    once = timeit.timeit(lambda: storm.check(number, value, good), number=1) * 1e6
    print(f"{'12,400 raised at once':30s} {once / POINTS:7.1f} µs an alarm")


if __name__ == "__main__":
    main()
