"""Cost of RuleEngine.evaluate: ten rules over 48 air handlers each, beside a table of 12,400 points.

    python benchmarks/rule.py

Limit: 0.3 ms a rule and turn, so that fifty such rules take 15 ms of a turn of 100 ms.
"""

from __future__ import annotations

import timeit

import numpy as np

from controller.clock import VirtualClock
from controller.point.model import Equipment, Name, Point, Site
from controller.point.table import PointTable
from controller.rule.definition import RuleDefinition, RuleInput, VirtualPoint
from controller.rule.engine import RuleEngine
from drivers.reading import Readings

UNITS = 48
POINTS = 12_400
NAME = Name("空調箱", "Air handler")
INPUTS = {
    "t": RuleInput("t", unit="degC"),
    "sp": RuleInput("sp", unit="degC"),
    "on": RuleInput("on"),
    "out": RuleInput("t", unit="degC", window="mean_15min"),
}
EXPRESSION = "on and t - sp > K(2) and out > degC(24) and for_at_least(t > degC(26), minutes(10)) or hour > 22 and on"


def site(rules: int) -> Site:
    equipment: dict[str, Equipment] = {}
    points: dict[str, Point] = {}
    for k in range(UNITS):
        address = f"hall.hvac.ahu{k}"
        equipment[address] = Equipment(address, "ahu", NAME, "hall", "hvac")
        tags = [("t", "analog", "°C"), ("sp", "analog", "°C"), ("on", "binary", "")]
        for tag, kind, unit in [*tags, *((f"v{n}", "binary", "") for n in range(rules))]:
            number = POINTS - 1 - len(points)
            points[f"{address}.{tag}"] = Point(number, f"{address}.{tag}", kind, unit, NAME, address)
    return Site("hall", NAME, "Asia/Taipei", 1, {}, {}, equipment, points)


def show(name: str, value: float, unit: str, limit: float) -> None:
    """Print one line of the table."""
    print(f"{name:36s} {value:10.3f} {limit:10.3f} {unit:12s} {'met' if value <= limit else 'OVER'}")


def main() -> None:
    print(f"{'':36s} {'measured':>10s} {'limit':>10s}")
    for rules in (1, 10):
        whole = site(rules)
        clock = VirtualClock()
        table = PointTable(whole, clock)
        numbers = [point.number for point in whole.points.values()]
        values = np.random.default_rng(1).uniform(20, 30, len(numbers))
        table.apply(Readings.of(numbers, values.tolist(), clock.now_ns()))
        definitions = [
            RuleDefinition(f"r{n}", INPUTS, EXPRESSION, VirtualPoint(f"v{n}", "", "binary"), cls="ahu")
            for n in range(rules)
        ]
        engine = RuleEngine(definitions, whole, clock)

        def cycle(engine: RuleEngine = engine, clock: VirtualClock = clock, table: PointTable = table) -> None:
            clock.move(0.1)
            engine.evaluate(table)

        best = min(timeit.repeat(cycle, number=100, repeat=9)) / 100 * 1e6
        show(f"{rules} rules × {UNITS} pieces of equipment", best, "µs a turn", 300.0 * rules)


if __name__ == "__main__":
    main()
