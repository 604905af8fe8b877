"""Whatever house, rooms, sensors and people do: demand limiting keeps every limit of comfort.

The limits (control reference 8.6) are counted here from the targets alone, not from what the strategy remembers.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.strategy.foresight import Plan
from controller.strategy.strategy import JobResult
from tests.unit.controller.strategy.conftest import METER, Toy, demand
from tests.unit.controller.strategy.test_planner import house

STEP_S = 15.0
HOURS = 8.0


class Ledger:
    """What was shed when, from the targets."""

    def __init__(self) -> None:
        self.spans: dict[str, list[list[float]]] = defaultdict(list)
        self.values: dict[str, tuple[float, float]] = {}

    def note(self, now: float, targets: dict[str, float]) -> None:
        held = {point.rsplit(".", 1)[0] for point in targets}
        for home in held | set(self.spans):
            spans = self.spans[home]
            is_open = bool(spans) and math.isinf(spans[-1][1])
            if home in held and not is_open:
                spans.append([now, math.inf])
            elif home not in held and is_open:
                spans[-1][1] = now

    def seconds(self, home: str, now: float) -> float:
        """Return how long it was shed in the last hour."""
        return sum(max(0.0, min(end, now) - max(begin, now - 3600.0)) for begin, end in self.spans[home])


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), base_kw=st.sampled_from([930.0, 1020.0, 1150.0, 1500.0]))
def test_no_limit_of_comfort_is_ever_broken(seed: int, base_kw: float) -> None:
    random_ = random.Random(seed)
    toy = Toy(demand(6, 2), kw=base_kw)
    ledger = Ledger()
    rooms = [item for item in toy.strategy.items if item.group.id == "rooms"]
    for item in rooms:
        toy.values[item.comfort[0].temperature] = random_.uniform(25.0, 27.6)
        toy.values[item.comfort[0].co2] = random_.uniform(600.0, 950.0)
    truth = dict(toy.values)
    hidden: dict[str, float] = {}
    before = dict(toy.bases)
    moved: dict[str, float] = {}
    silent = 0.0
    for _ in range(round(HOURS * 3600.0 / STEP_S)):
        toy.kw = max(300.0, toy.kw + random_.gauss((base_kw - toy.kw) * 0.01, 6.0))
        for item in rooms:
            room = item.comfort[0]
            shed = item.point in toy.memory.holds
            truth[room.temperature] += random_.gauss(0.004 if shed else (26.2 - truth[room.temperature]) * 0.01, 0.01)
            truth[room.co2] = max(450.0, truth[room.co2] + random_.gauss((780.0 - truth[room.co2]) * 0.005, 6.0))
        if random_.random() < 0.004:
            hidden[random_.choice(list(truth))] = toy.now + random_.uniform(20.0, 900.0)
        if random_.random() < 0.002:
            toy.stronger ^= {random_.choice(rooms).point}
        toy.values.update(truth)
        for point in [point for point, until in hidden.items() if until < toy.now]:
            del hidden[point]
        for point in hidden:
            toy.values[point] = math.nan
        meter_gone = METER in hidden or random_.random() < 0.01
        if meter_gone:
            toy.values[METER] = math.nan
        toy.now += STEP_S
        toy.now_ns += round(STEP_S * 1e9)
        if not meter_gone:
            toy.values[METER] = max(0.0, toy.kw - sum(hold.kw for hold in toy.memory.holds.values()))
        silent = silent + STEP_S if meter_gone else 0.0

        decision = toy.decide()
        targets = {target.point: target.value for target in decision.targets}
        ledger.note(toy.now, targets)

        warm = [item for item in rooms if not toy.values[item.comfort[0].temperature] <= 28.0]
        stuffy = [item for item in rooms if not toy.values[item.comfort[0].co2] <= 1000.0]
        for item in toy.strategy.items:
            value = targets.get(item.point)
            if value is None:
                continue
            touched = [item] if item.group.id == "rooms" else rooms
            assert not [one.point for one in touched if one in warm], "too warm, or nobody knows"
            assert not [one.point for one in touched if one in stuffy]
            assert item.point not in toy.stronger
            assert item.low <= value <= item.high
            if item.group.id == "rooms":
                assert toy.values[item.running] == 1.0
                assert 26.0 < value <= 28.0
            minutes = item.group.minutes_per_hour
            assert ledger.seconds(item.equipment, toy.now) <= minutes * 60.0
            assert len(ledger.spans[item.equipment]) <= 3, "eight hours of one day"
        assert not (targets and silent > 2.0 * toy.strategy.period_s + STEP_S)
        for item in toy.strategy.items:
            value = targets.get(item.point, toy.bases[item.point])
            if item.group.id == "chillers" and value < before[item.point]:
                assert before[item.point] - value <= 10.0
                assert toy.now - moved.get(item.point, -math.inf) >= 60.0
            if value != before[item.point]:
                moved[item.point] = toy.now
            before[item.point] = value


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_same_view_and_memory_give_the_same_decision(seed: int) -> None:
    random_ = random.Random(seed)
    toy = Toy(demand(4, 1), kw=1100.0)
    for _ in range(40):
        toy.kw = random_.uniform(700.0, 1400.0)
        toy.run(random_.choice([5.0, 30.0, 60.0]))
        first = toy.strategy.decide(toy, toy.memory)
        assert first == toy.strategy.decide(toy, toy.memory)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_whatever_a_plan_wants_no_limit_of_comfort_is_broken(seed: int) -> None:
    random_ = random.Random(seed)
    toy, ledger = house(6), Ledger()
    rooms = [item for item in toy.strategy.items if item.group.answer]
    limits = {item.point: item.comfort[0] for item in toy.strategy.items}
    for _ in range(round(HOURS * 3600.0 / STEP_S)):
        toy.now += STEP_S
        toy.now_ns += round(STEP_S * 1e9)
        toy.values[METER] = random_.uniform(900.0, 1400.0)
        for item in rooms:
            room = item.comfort[0]
            toy.values[room.temperature] = random_.choice([25.0, 26.5, 27.3]) if random_.random() < 0.97 else 28.4
            toy.values[room.co2] = random_.uniform(500.0, 880.0) if random_.random() < 0.97 else 1010.0
            if random_.random() < 0.01:
                toy.values[room.temperature] = math.nan
            toy.values[item.running] = float(random_.random() < 0.995)
        if random_.random() < 0.2:
            toy.result = JobResult(Plan((("rooms", random_.randrange(9)),), (random_.uniform(900.0, 1300.0),)))
        decision = toy.decide()
        toy.result = None
        targets = {target.point: target.value for target in decision.targets}
        ledger.note(toy.now, targets)
        for point, value in targets.items():
            room = limits[point]
            assert toy.values[room.temperature] <= 28.0, "too warm, or nobody knows"
            assert toy.values[room.co2] <= 1000.0
            assert 26.0 < value <= 27.0 or value == 60.0
        for home, spans in ledger.spans.items():
            assert ledger.seconds(home, toy.now) <= 1800.0 + STEP_S, home
            assert len(spans) <= 3, "eight hours of one day"
    assert ledger.spans, "it shed"
