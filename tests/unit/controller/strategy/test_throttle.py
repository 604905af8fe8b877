"""Chillers whose limit is moved by plan: what they give, how it comes back, and what ends it at once."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from controller.point.model import Name
from controller.strategy.foresight import Plan, plan
from controller.strategy.shed import Group, Item, Owed
from controller.strategy.strategy import JobResult
from tests.unit.controller.strategy.conftest import METER, Toy, chiller, demand, room

WATER = "b.plant.header.chw_supply_temp"
PUMPS = "b.plant.header.pressure_sp"
LIMITED = Group(
    "chillers", Name("主機", "Chillers"), 3, "at_most", tuple(float(one) for one in range(98, 38, -2)), "%",
    kw_per_unit=2.5, step=10.0, step_s=60.0, minutes_per_hour=math.inf, times_per_day=1000, beside="pumps",
    owed=Owed(WATER, k_per_kwh=0.08, hours=0.55, kw_per_k=9.0, most_k=4.0, most_kw=150.0),
)  # fmt: skip
PRESSURE = Group(
    "pumps", Name("水泵", "Pumps"), 3, "at_most", (60.0,), "kPa", kw=20.0, minutes_per_hour=math.inf,
    times_per_day=1000, follows=True,
)  # fmt: skip
ROOM = "b.hvac.ahu1.zone_temp"
NEED_KW = 200.0
"""What each of four chillers would draw; 250 at its full power."""


class Plant(Toy):
    """Four chillers that draw what is needed and owed, as far as their limit allows, and water that shows it."""

    course: float = 800.0
    """What the building would draw, kW."""
    broken: bool = False
    plans: int = 0
    stands: int = 0
    """A chiller that does not run."""

    def limits(self) -> list[float]:
        held = {target.point: target.value for target in self.said[-1].targets} if self.said and not self.dry else {}
        return [held.get(item.point, 100.0) for item in self.strategy.items if item.group is LIMITED]

    def run(self, seconds: float, step_s: float = 5.0) -> object:  # type: ignore[override]
        for _ in range(round(seconds / step_s)):
            self.now += step_s
            self.now_ns += round(step_s * 1e9)
            owed_k = self.values.get("owed", 0.0)
            # Warm water is cooled as fast as the limit allows.
            drawn = [min(NEED_KW + 25.0 * owed_k, 250.0, 2.5 * limit) for limit in self.limits()]
            if self.stands:
                drawn[self.stands - 1] = 0.0
            less_kw = sum(NEED_KW - one for one in drawn)
            hours = step_s / 3600.0
            self.values["owed"] = max(0.0, owed_k + 0.08 * less_kw * hours - owed_k * hours / 0.55)
            self.values |= {f"b.plant.ch{n + 1}.power": one for n, one in enumerate(drawn)}
            if WATER in self.values:
                self.values[WATER] = 7.0 + self.values["owed"]
            self.values[METER] = self.course - less_kw + 9.0 * self.values["owed"]
            decision = self.decide()
            self.result = None
            if decision.job is not None:
                self.plans += 1
                self.result = JobResult(error="none") if self.broken else JobResult(plan(decision.job.argument))
        return self.said[-1]

    def held(self) -> dict[str, float]:
        return {target.point: target.value for target in self.said[-1].targets}

    def windows(self, count: int) -> list[float]:
        """Return the means of the next windows, kW."""
        found = []
        for _ in range(count):
            samples = []
            for _ in range(180):
                self.run(5.0)
                samples.append(self.values[METER])
            found.append(float(np.mean(samples)))
        return found


def plant(course: float = 800.0) -> Plant:
    rooms = (room(1),)
    items = [replace(chiller(number, rooms), group=LIMITED) for number in range(1, 5)]
    items.append(Item(PUMPS, "b.plant.header", Name("集水管", "header"), PRESSURE, low=30.0, high=200.0))
    toy = Plant(demand(0, items=tuple(items)))
    toy.course = course
    toy.values[WATER] = 7.0
    toy.bases["b.hvac.ahu1.zone_temp_sp"] = 26.0
    toy.run(900.0 - toy.now)  # to the begin of a window
    return toy


def told(toy: Plant, less_kw: float) -> None:
    """Let a plan come that wants so much less."""
    toy.memory = replace(toy.memory, asked=toy.now)
    toy.result = JobResult(Plan((), (900.0,), less_kw))
    toy.run(5.0)


def test_all_chillers_are_limited_alike_and_the_pumps_with_them() -> None:
    toy = plant()
    assert toy.held() == {}
    told(toy, 60.0)
    # 800 kW drawn, 740 wanted of 4 × 250: 74 %.
    assert toy.held() == {f"b.plant.ch{n}.demand_limit": 74.0 for n in range(1, 5)} | {PUMPS: 60.0}
    toy.run(30.0)
    assert sum(toy.values[f"b.plant.ch{n}.power"] for n in range(1, 5)) == pytest.approx(740.0)
    assert toy.memory.throttled.kw == pytest.approx(60.0, abs=1.0)


def test_a_plateau_is_lowered_for_an_hour_and_the_water_stays_cold_enough() -> None:
    toy = plant(1050.0)
    means = toy.windows(5)
    assert max(means[1:]) <= 1000.5, means
    assert 0.0 < toy.values["owed"] <= 4.0
    toy.course = 850.0
    after = toy.windows(3)
    assert max(after) <= 1000.0, "what is owed comes back where there is room"
    assert not any(point.endswith("demand_limit") for point in toy.held())
    assert toy.values["owed"] < 0.5


def test_what_two_hours_owe_is_bounded_by_the_water_and_not_by_a_clock() -> None:
    toy = plant(1120.0)
    means = toy.windows(8)
    assert max(means[2:]) < 1120.0
    assert toy.values["owed"] <= 4.6
    limits = {
        value for said in toy.said for point, value in ((t.point, t.value) for t in said.targets) if "ch" in point
    }
    assert len(limits) > 3, "it is moved up and down"


def test_a_limit_moves_by_ten_per_cent_a_minute_at_most() -> None:
    toy = plant(1200.0)
    seen = []
    for _ in range(720):
        toy.run(5.0)
        # A limit above what is drawn holds nothing.
        seen.append((toy.now, min(toy.held().get("b.plant.ch1.demand_limit", 100.0), 100.0 * NEED_KW / 250.0)))
    moves = [(a, b) for a, b in pairwise(seen) if a[1] != b[1]]
    assert moves
    assert all(abs(b[1] - a[1]) <= 10.0 for a, b in moves)
    assert all(b[1][0] - a[1][0] >= 55.0 for a, b in pairwise(moves))


@pytest.mark.parametrize("value", [28.1, math.nan])
def test_a_room_that_is_too_warm_or_unknown_lets_all_go_at_once(value: float) -> None:
    toy = plant()
    told(toy, 100.0)
    toy.run(120.0)
    toy.values[ROOM] = value
    toy.run(5.0)
    assert not any(point.endswith("demand_limit") for point in toy.held())
    told(toy, 100.0)
    assert not any(point.endswith("demand_limit") for point in toy.held()), "and it does not begin"


def test_near_the_limit_of_a_room_nothing_more_is_taken_and_it_eases() -> None:
    toy = plant(1060.0)
    toy.run(600.0)
    before = toy.memory.throttled.kw
    assert before > 30.0
    toy.values[ROOM] = 27.7
    toy.run(300.0)
    assert toy.memory.throttled.kw < 0.5 * before


def test_without_the_water_nobody_is_limited() -> None:
    toy = plant(1060.0)
    toy.run(300.0)
    assert toy.held()
    del toy.values[WATER]
    toy.run(5.0)
    assert not any(point.endswith("demand_limit") for point in toy.held())
    toy.run(300.0)
    assert not any(point.endswith("demand_limit") for point in toy.held())


def test_pumps_stay_while_the_chillers_catch_up() -> None:
    toy = plant(1060.0)
    toy.run(900.0)
    toy.course = 700.0
    seen = []
    for _ in range(60):
        toy.run(60.0)
        seen.append(frozenset(toy.held()))
    ended = next(at for at, held in enumerate(seen) if not any("ch" in point for point in held))
    stayed = [at for at, held in enumerate(seen) if held == {PUMPS}]
    assert stayed == list(range(ended, ended + len(stayed)))
    assert 19 <= len(stayed) <= 21, "minutes"
    assert not seen[-1]


def test_who_begins_again_soon_owes_what_is_still_owed() -> None:
    toy = plant(1060.0)
    toy.run(1500.0)
    owed = toy.values["owed"]
    assert owed > 1.0
    toy.memory = toy.strategy._planner.throttle.end(toy.memory, toy.now)  # type: ignore[union-attr]
    toy.run(5.0)
    told(toy, 50.0)
    toy.run(10.0)
    assert toy.memory.throttled.owed_k == pytest.approx(toy.values["owed"], abs=0.05)


def test_a_chiller_that_stands_is_left_alone() -> None:
    toy = plant()
    toy.stands = 4
    toy.run(5.0)
    told(toy, 40.0)
    assert sorted(toy.held()) == [*(f"b.plant.ch{n}.demand_limit" for n in (1, 2, 3)), PUMPS]


def test_in_a_dry_run_it_is_said_and_nothing_is_reckoned_twice() -> None:
    toy = plant(1060.0)
    toy.dry = True
    toy.run(900.0)
    assert toy.memory.throttled.kw <= 150.0
    assert toy.held(), "the page shows what it would do"


def test_while_no_plan_comes_the_present_window_moves_the_limit() -> None:
    toy = plant(1060.0)
    toy.broken = True
    toy.run(900.0)
    assert any(point.endswith("demand_limit") for point in toy.held())
    assert max(toy.windows(2)) <= 1012.0


def test_the_day_before_a_quiet_night_asks_for_no_plan() -> None:
    toy = plant(600.0)
    before = toy.plans
    toy.run(600.0)
    assert toy.plans == before
