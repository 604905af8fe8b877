"""Charging on the simulated City Hall: what is charged fills under every limit, and what is let go falls back."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.strategy.charging.outlook import Situation
from controller.strategy.charging.strategy import ChargingStrategy
from tests.virtual.shed import StrategyBuilding

if TYPE_CHECKING:
    from controller.strategy.strategy import Entry

CITY = Path(__file__).parents[2] / "config" / "taipei-city-hall"
BEGIN_NS = 1_783_899_000_000_000_000
"""2026-07-13 (Monday) 07:30 in Taipei."""
DT_S = 15.0
METER = "cityhall.electrical.main.power"


def charging_alone(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Run the charging strategy against a contract that leaves little from eight o'clock on."""
    found = []
    for entry in entries:
        if not isinstance(entry.strategy, ChargingStrategy):
            continue
        first, *rest = entry.strategy.supplies
        tight = replace(entry.strategy, supplies=(replace(first, limit_kw=4060.0), *rest))
        found.append(replace(entry, strategy=tight, mode="run"))
    return tuple(found)


async def steps(house: StrategyBuilding, seconds: float) -> None:
    for _ in range(round(seconds / DT_S)):
        house.step(DT_S)
        await asyncio.sleep(0)


@pytest.mark.timeout(300)
async def test_a_morning_under_a_tight_contract_then_faults_then_off() -> None:
    house = StrategyBuilding.open(CITY, seed=3, start_ns=BEGIN_NS, change=charging_alone)
    strategy = house.entries[0].strategy
    assert isinstance(strategy, ChargingStrategy)
    limits = {charger.limit: charger for charger in strategy.chargers}
    powers = [f"{charger.id}.power" for charger in strategy.chargers]
    contract = strategy.supplies[0].limit_kw
    counters = [address for address in house.addresses(".energy") if ".ev.charger" in address]
    await steps(house, 60.0)
    before = {address: house.value(address) for address in counters}
    planned, over, tight = 0, 0, 0
    for _ in range(round(0.9 * 3600.0 / DT_S)):
        await steps(house, DT_S)
        drawn = sum(house.value(one) for one in powers)
        site = house.value(METER)
        # Only what charges can be less; a building that is over by itself gets no car beside it.
        over += site > contract + 12.0 and drawn > 12.0
        tight += site > contract - 60.0
        detail = house.engine.status("charging").decision.detail
        planned += isinstance(detail, Situation) and detail.outlook is not None
    assert house.engine.status("charging").refused == {}
    assert planned > 100, "cars were planned"
    assert tight > 20, "the contract was near"
    assert over <= 4, "a charger takes a few seconds to follow"
    given = sum(house.value(address) - before[address] for address in counters)
    assert given > 10.0, "what is charged fills"
    values = {row.value for row in house.written if row.point in limits and limits[row.point].unit == "A"}
    assert values <= {0.0, *np.arange(6.0, 33.0).tolist()}

    house.deaf = {"ev02-charger"}
    await steps(house, 60.0)
    status = house.engine.status("charging")
    unknown = [part.id for part in status.decision.parts if part.state == "unknown"]
    assert unknown == ["cityhall.ev.charger02"], "a charger that is not heard touches only itself"
    assert "cityhall.ev.charger02.current_limit" not in status.held
    assert "cityhall.ev.charger03.current_limit" in status.held
    house.deaf = set()

    house.lies = {METER: math.nan}
    await steps(house, 2 * DT_S)
    status = house.engine.status("charging")
    assert status.decision.state == "stepped_back"
    await steps(house, 60.0)
    assert house.value("cityhall.ev.charger01.current_limit_applied") in (0.0, 6.0, 8.0), "safe, whatever it had"
    told = {point: house.arbiter.slots(point)[11] for point in limits if limits[point].unit == "A"}
    assert all(slot is not None and slot.value <= 8.0 for slot in told.values()), "what is safe without the meter"

    house.lies = {}
    await steps(house, 2 * DT_S)
    assert house.engine.status("charging").decision.state == "acting"
    house.set_mode("charging", "off")
    await steps(house, 2 * DT_S)
    assert all(house.arbiter.slots(point)[11] is None for point in strategy.outputs)
    await steps(house, 60.0)
    assert house.value("cityhall.ev.charger01.current_limit_applied") == 32.0, "its default, from the site's files"
