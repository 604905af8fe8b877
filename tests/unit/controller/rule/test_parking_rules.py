"""The rules of the car park as the site has them: what the screens are told is what the bays say."""

from __future__ import annotations

import pytest

from controller.clock import VirtualClock
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.rule.engine import RuleEngine
from controller.settings.load import load
from controller.share import share_dir
from drivers.reading import Readings

LEVELS = {"b1": 160, "b2": 160, "b3": 180}


@pytest.fixture(scope="module")
def park() -> tuple[VirtualClock, PointTable, RuleEngine]:
    clock = VirtualClock()
    made = load(share_dir("config") / "taipei-city-hall", Registry(), clock=clock, environment={})
    mine = [rule for rule in made.rules if rule.id == "level-share"]
    return clock, PointTable(made.site, clock), RuleEngine(mine, made.site, clock)


@pytest.mark.parametrize("level", LEVELS)
async def test_the_last_bay_is_told(park: tuple[VirtualClock, PointTable, RuleEngine], level: str) -> None:
    clock, table, engine = park
    occupied = table.site.points[f"cityhall.parking.{level}.occupied"].number
    share = table.site.points[f"cityhall.parking.{level}.occupancy"].number
    told = float("nan")
    for cars in (0, LEVELS[level] - 1, LEVELS[level]):
        await clock.advance(1.0)
        table.apply(Readings.of([occupied], [float(cars)], clock.now_ns()))
        if share in table.apply(engine.evaluate(table)):
            told = float(table.value[share])
    assert told == 100.0
