"""Planned sheds inside demand limiting: stages, turns, limits, and what happens while no plan comes."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.point.model import Name
from controller.strategy.foresight import Plan, Problem, plan
from controller.strategy.shed import Group, Item, Stage
from controller.strategy.strategy import JobResult
from tests.unit.controller.strategy.conftest import METER, Toy, demand, room

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from controller.strategy.strategy import Job

ANSWER = (8.0, 14.0, 8.0, -5.0, -5.0, -6.0, -7.0, -4.0, 0.0)
PLANNED = Group(
    "rooms", Name("房間", "Rooms"), 2, "raise", (0.5, 1.0), "K", kw=12.0, minutes_per_hour=30.0,
    answer=ANSWER, stages=(Stage(10.0, 2), Stage(10.0, 1)), beside="fans",
)  # fmt: skip
FANS = Group(
    "fans", Name("風機", "Fans"), 2, "at_most", (80.0, 60.0), "%", kw=4.0, minutes_per_hour=30.0,
    stages=(Stage(30.0, 2),),
)  # fmt: skip


def fan(number: int) -> Item:
    one = room(number)
    return replace(one, point=f"{one.equipment}.fan_cap", group=FANS, low=20.0, high=100.0)


class Planned(Toy):
    """The toy whose jobs are done between two decisions, and whose building answers as its items say."""

    jobs: list[Job]
    broken: bool = False
    course: dict[int, float] | None = None

    def usual(self, point: str, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.course is None:
            return np.full(len(ahead_s), math.nan)
        return np.array([self.course.get(int((self.now + one) // 900.0), 800.0) for one in ahead_s])

    def run(self, seconds: float, step_s: float = 5.0) -> object:  # type: ignore[override]
        self.jobs = getattr(self, "jobs", [])
        for _ in range(round(seconds / step_s)):
            self.now += step_s
            self.now_ns += round(step_s * 1e9)
            kw = self.kw if self.course is None else self.course.get(int(self.now // 900.0), 800.0)
            for one in self.memory.begun:
                place = int((self.now - one.at) // 300.0)
                kw -= one.count * (ANSWER[place] if place < len(ANSWER) else 0.0)
            self.values[METER] = kw
            decision = self.decide()
            self.result = None
            if decision.job is not None:
                self.jobs.append(decision.job)
                assert isinstance(decision.job.argument, Problem)
                self.result = (
                    JobResult(error="no job process") if self.broken else JobResult(plan(decision.job.argument))
                )
        return self.said[-1]


def house(rooms: int = 20) -> Planned:
    items = tuple(one for number in range(1, rooms + 1) for one in (replace(room(number), group=PLANNED), fan(number)))
    strategy = demand(0, items=items)
    toy = Planned(strategy)
    for item in items:
        if item.group is FANS:
            toy.bases[item.point] = 100.0
    return toy


def held(toy: Toy) -> dict[str, float]:
    return {target.point: target.value for target in toy.said[-1].targets}


def test_a_room_and_its_fan_begin_together_and_go_through_their_stages() -> None:
    toy = house(1)
    toy.run(60.0)
    toy.memory = replace(toy.memory, asked=toy.now)
    toy.result = JobResult(Plan((("rooms", 1),), (900.0,)))
    toy.run(5.0)
    assert held(toy) == {"b.hvac.ahu1.zone_temp_sp": 27.0, "b.hvac.ahu1.fan_cap": 60.0}
    toy.broken = True
    toy.run(600.0)
    assert held(toy) == {"b.hvac.ahu1.zone_temp_sp": 26.5, "b.hvac.ahu1.fan_cap": 60.0}
    toy.run(600.0)
    assert held(toy) == {"b.hvac.ahu1.fan_cap": 60.0}
    toy.run(600.0)
    assert held(toy) == {}
    (spell,) = toy.memory.spells["b.hvac.ahu1"]
    assert spell.end - spell.start == pytest.approx(1800.0, abs=10.0), "one spell of both"


def test_a_peak_that_is_known_is_moved_into_the_quiet_after_it() -> None:
    toy = house()
    toy.course = {0: 900.0, 1: 960.0, 2: 1080.0, 3: 900.0, 4: 800.0}
    toy.run(900.0)
    means = []
    for _ in range(5):
        samples = []
        for _ in range(30):
            toy.run(30.0)
            samples.append(toy.values[METER])
        means.append(float(np.mean(samples)))
    assert max(means) <= 1000.0, means
    assert toy.memory.begun or max(means) > 0.0
    assert any(one.state == "shed" for said in toy.said for one in said.parts)


def test_nobody_is_shed_for_longer_or_more_often_than_he_may_be() -> None:
    toy = house(4)
    toy.kw = 1300.0
    spans: dict[str, float] = {}
    for _ in range(round(6 * 3600 / 30)):
        toy.run(30.0, 30.0)
        for home in {point.rsplit(".", 1)[0] for point in held(toy)}:
            spans[home] = spans.get(home, 0.0) + 30.0
    assert spans, "it shed"
    for home, spells in toy.memory.spells.items():
        assert len(spells) <= 3, home
        assert spans[home] <= 3 * 1800.0 + 90.0
        for one, two in itertools.pairwise(spells):
            assert two.start - one.start >= 3600.0 - 60.0, "30 minutes in any hour"
    assert toy.memory.spells


@pytest.mark.parametrize("value", [28.3, math.nan])
def test_a_room_that_gets_too_warm_or_unknown_is_given_back_in_the_middle_of_a_stage(value: float) -> None:
    toy = house(1)
    toy.run(60.0)
    toy.result = JobResult(Plan((("rooms", 1),), (900.0,)))
    toy.run(5.0)
    assert held(toy)
    toy.values["b.hvac.ahu1.zone_temp"] = value
    toy.run(5.0)
    assert held(toy) == {}


def test_while_no_plan_comes_the_present_window_alone_counts() -> None:
    toy = house()
    toy.broken = True
    toy.kw = 1050.0
    toy.run(175.0)
    assert held(toy) == {}, "a first plan has three minutes to come"
    toy.run(120.0)
    assert held(toy), "then what the window lacks is shed"
    assert "本時段預測" in toy.said[-1].targets[0].why.zh
    assert "計畫未更新" in toy.said[-1].why.zh
    assert "no plan of the next three hours came" in toy.said[-1].why.en
    assert len(held(toy)) <= 2 * 20


def test_that_no_plan_can_help_any_more_is_the_alarm_s_business() -> None:
    toy = house(2)
    toy.kw = 1300.0
    toy.run(400.0)
    assert "excess" in toy.said[-1].trouble
    assert toy.said[-1].trouble["excess"], "two rooms against 300 kW"
    calm = house(40)
    calm.kw = 1020.0
    calm.run(400.0)
    assert not calm.said[-1].trouble["excess"], "the plan keeps this window"


def test_a_plan_is_asked_for_every_minute_where_something_is_planned_and_may_be_needed() -> None:
    toy = house()
    toy.kw = 980.0
    toy.run(600.0)
    assert len(toy.jobs) == 10
    figures = {figure.id: figure.value for figure in toy.said[-1].figures}
    assert figures["ahead"] == pytest.approx(980.0, abs=1.0), "what the plan expects is shown"
    assert "計畫" not in toy.said[-1].why.zh
    calm = house()
    calm.kw = 900.0
    calm.run(600.0)
    assert calm.jobs == [], "nothing comes near the limit"
    assert not calm.strategy._planner.stale(calm.memory, calm.now)
    plain = Planned(demand())
    plain.run(120.0)
    assert plain.jobs == []
    assert "ahead" not in {figure.id for figure in plain.said[-1].figures}


def test_a_room_that_had_its_minutes_of_the_hour_is_shown_as_resting_and_not_begun_again() -> None:
    toy = house(1)
    toy.broken = True
    toy.run(60.0)
    toy.result = JobResult(Plan((("rooms", 1),), (900.0,)))
    toy.run(1900.0)
    states = {part.points[0]: part.state for part in toy.said[-1].parts}
    assert set(states.values()) == {"resting"}
    toy.run(1000.0)
    assert {part.state for part in toy.said[-1].parts} == {"resting"}, "rested, and half an hour of this hour was used"
    toy.result = JobResult(Plan((("rooms", 1),), (900.0,)))
    toy.run(5.0)
    assert held(toy) == {}
    toy.run(900.0)
    assert {part.state for part in toy.said[-1].parts} == {"ready"}
