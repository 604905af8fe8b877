"""Demand limiting on the simulated City Hall: a summer week keeps every limit, and what is shed falls."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.virtual.shed import StrategyBuilding

if TYPE_CHECKING:
    from controller.strategy.strategy import Entry, Mode

CITY = Path(__file__).parents[2] / "config" / "taipei-city-hall"
MONDAY_NS = 1_783_872_000_000_000_000
"""2026-07-13 00:00 in Taipei."""
HOUR = 3600.0
NEVER = ("cityhall.hvac.ahu_cr", "cityhall.hvac.fcu", "cityhall.carpark", "cityhall.fire", "cityhall.lift")


def against(contract_kw: float, mode: Mode = "run") -> object:
    """Return a change of the site's strategies: another contract, demand limiting alone."""

    def change(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return tuple(
            replace(entry, strategy=replace(entry.strategy, contract_kw=contract_kw), mode=mode)  # type: ignore[type-var]
            if entry.strategy.id == "demand"
            else replace(entry, mode="off")
            for entry in entries
        )

    return change


def skip(house: StrategyBuilding, seconds: float) -> None:
    """Let a night pass in coarse steps, without decisions."""
    house.world.step(seconds)
    house.clock.move(seconds)
    house.elapsed_s += seconds


@pytest.mark.timeout(300)
def test_a_summer_week_breaks_no_limit_of_comfort() -> None:
    house = StrategyBuilding.open(CITY, seed=5, start_ns=MONDAY_NS, change=against(4450.0))  # type: ignore[arg-type]
    handlers = [address.rsplit(".", 1)[0] for address in house.addresses(".supply_static_pressure_sp")]
    shed: dict[str, list[list[float]]] = defaultdict(list)
    acted = 0
    for _day in range(5):
        skip(house, 8.0 * HOUR)
        for _ in range(round(9.5 * HOUR / 50.0)):
            house.run(50.0)
            held = {
                address.rsplit(".", 1)[0]: slot.value
                for address in house.engine.status("demand").held
                if (slot := house.arbiter.slots(address)[8]) is not None
            }
            acted += bool(held)
            for home in set(held) | set(shed):
                spans = shed[home]
                if home in held and not (spans and math.isinf(spans[-1][1])):
                    spans.append([house.elapsed_s, math.inf])
                elif home not in held and spans and math.isinf(spans[-1][1]):
                    spans[-1][1] = house.elapsed_s
            for home in handlers:
                warm, air = house.value(f"{home}.zone_temp"), house.value(f"{home}.return_co2")
                if home in held:
                    assert warm <= 26.0 + 2.0, (home, warm)
                    assert air <= 1000.0, (home, air)
                if any("plant" in one for one in held):
                    limit = 24.0 if "_cr_" in home else 26.0
                    assert warm <= limit + 2.0, ("chillers", home, warm)
        skip(house, 24.0 * HOUR - 17.5 * HOUR)

    assert acted > 60, "a contract that the week exceeds"
    touched = {one.point for one in house.written}
    assert not [point for point in touched if point.startswith(NEVER)]
    assert all(one.slot in (0, 9) for one in house.written)
    rooms = [one for one in house.written if one.point.endswith("zone_temp_sp")]
    assert all(26.0 <= one.value <= 28.0 for one in rooms)
    for home, spans in shed.items():
        if "charger" in home or "plant" in home:
            continue  # no room's set-point moves: its warmth alone counts, minute by minute
        for begin, _ in spans:
            day = [one for one in spans if one[0] // 86_400 == begin // 86_400]
            assert len(day) <= 3, home
        for _, end in spans:
            if math.isfinite(end):
                used = sum(max(0.0, min(b, end) - max(a, end - 3600.0)) for a, b in spans)
                assert used <= 30.0 * 60.0, home
    limits: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in house.written:
        if one.point.endswith("demand_limit"):
            limits[one.point].append((one.time_s, one.value))
    # From no limit to the first one a chiller goes by what it draws, and that is not written.
    falling = [(a, b) for row in limits.values() for a, b in pairwise(row) if b[1] < a[1] < 100.0]
    assert falling
    assert all(a[1] - b[1] <= 10.0 for a, b in falling)
    assert all(b[0] - a[0] >= 60.0 for a, b in falling)
    assert house.engine.faults == 0


@pytest.mark.timeout(120)
def test_what_is_shed_falls_and_kill_9_in_the_middle_gives_it_back() -> None:
    noon = MONDAY_NS + round(34.4 * HOUR * 1e9)  # Tuesday 10:24
    house = StrategyBuilding.open(CITY, seed=5, start_ns=noon, change=against(4200.0))  # type: ignore[arg-type]
    for _ in range(88):
        house.run(15.0)
    held = set(house.engine.status("demand").held)
    fans = [point for point in held if point.endswith("supply_static_pressure_sp")]
    assert fans
    drawn = house.world.handlers.power_kw.sum()
    shown = {point: house.plant.values()[house.plant.names.index(house.site_points[point])] for point in fans}
    assert set(shown.values()) <= {150.0, 200.0}
    assert {key for key in house.kept if key[1] == 9} == {(point, 9) for point in held}

    house.kill()  # everything in the process is gone, the devices hold what they were told
    house.written.clear()
    house.entries = tuple(replace(entry, mode="off") for entry in house.entries)
    for _ in range(8):
        house.run(15.0)
    assert house.world.handlers.power_kw.sum() > drawn + 1.5 * len(fans), "what was shed had fallen"
    given_back = {one.point for one in house.written if one.slot == 0}
    assert given_back == held
    assert all(house.arbiter.slots(point) == (None,) * 16 for point in held)
    assert house.kept == {}
    again = {house.plant.values()[house.plant.names.index(house.site_points[point])] for point in fans}
    assert again == {250.0}


@pytest.mark.timeout(120)
def test_a_meter_that_falls_silent_and_one_that_lies_make_it_step_back_with_an_alarm() -> None:
    noon = MONDAY_NS + round(34.4 * HOUR * 1e9)
    house = StrategyBuilding.open(CITY, seed=5, start_ns=noon, change=against(4200.0))  # type: ignore[arg-type]
    for _ in range(40):
        house.run(15.0)
    assert house.engine.status("demand").held
    house.deaf.add(house.site_points["cityhall.electrical.main.power"][0])
    for _ in range(8):
        house.run(15.0)
    status = house.engine.status("demand")
    assert (status.held, status.decision.state) == ((), "stepped_back")
    assert "strategy#demand" in [alarm.id for alarm in house.alarms.active()]
    house.deaf.clear()
    house.lies["cityhall.electrical.main.power"] = 9000.0
    for _ in range(8):
        house.run(15.0)
    status = house.engine.status("demand")
    assert status.held == (), "a meter that says 9 MW where its boards say 4.4 sheds nothing"
    assert "矛盾" in status.decision.why.zh
