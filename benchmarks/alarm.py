"""Cost of AlarmEngine.check: 12,400 readings against three definitions a point.

    python benchmarks/alarm.py

Limits: 0.5 µs a reading of a whole turn, 150 µs for one device's batch; 5,000 alarms at once within 0.5 s.
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


def show(name: str, value: float, unit: str, limit: float) -> None:
    """Print one line of the table."""
    print(f"{name:36s} {value:10.3f} {limit:10.3f} {unit:12s} {'met' if value <= limit else 'OVER'}")


def main() -> None:
    print(f"{'':36s} {'measured':>10s} {'limit':>10s}")
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
        show(f"{name}, 12,400", every / POINTS, "µs a reading", 0.5)
        show(f"{name}, 62", one, "µs a batch", 150.0)
    alarms = engine()
    show("tick, 37,200 definitions", best(alarms.tick, 200), "µs", 50.0)
    storm = engine(on_delay_s=0.0)
    value = np.full(POINTS, 92.0)
    once = timeit.timeit(lambda: storm.check(number, value, good), number=1) * 1e6
    show("12,400 raised at once", once / POINTS, "µs an alarm", 100.0)


if __name__ == "__main__":
    main()
