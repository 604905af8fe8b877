"""Demand limiting: when it sheds, what, how long, and how it gives back; on a building of a few lines."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest

from controller.strategy.shed import Spell, shed_seconds, starts_today
from controller.strategy.strategy import Past
from tests.unit.controller.strategy.conftest import METER, MIDNIGHT_NS, ROOMS, Toy, demand, room

HOUR_NS = 3_600_000_000_000


def shed(toy: Toy) -> list[str]:
    return sorted(point.split(".")[2] for point in toy.memory.holds)


def figure(toy: Toy, word: str) -> float:
    return next(one.value for one in toy.said[-1].figures if one.id == word)


def test_below_the_limit_it_watches_and_says_the_forecast() -> None:
    toy = Toy(demand(), kw=800.0)
    decision = toy.run(600.0)
    assert (decision.state, decision.targets) == ("watching", ())
    assert decision.why.zh == "本時段預測 800 kW，低於上限 1,000 kW，不需卸載"
    assert figure(toy, "forecast") == pytest.approx(800.0)


def test_above_the_limit_it_sheds_enough_once_and_no_more_than_enough() -> None:
    toy = Toy(demand(), kw=1030.0)
    toy.run(85.0)
    assert shed(toy) == [], "the first 90 s of a window are noise"
    toy.run(40.0)

    kw = sum(hold.kw for hold in toy.memory.holds.values())
    assert 30.0 <= kw <= 60.0
    first = next(decision for decision in toy.said if decision.targets)
    assert first.why.zh.startswith("已卸載"), "what it has just done counts for what it says"
    assert not any(decision.trouble["excess"] for decision in toy.said)
    decision = toy.run(600.0)
    assert sum(hold.kw for hold in toy.memory.holds.values()) == kw, "what was shed suffices"
    assert figure(toy, "forecast") <= 1000.0 + 10.0
    assert decision.state == "acting"
    target = decision.targets[0]
    assert 26.5 <= target.value <= 28.0
    assert "設定值 +" in target.why.zh
    assert "limit 1,000 kW" in target.why.en


def test_it_aims_at_what_a_window_may_reach_and_not_at_the_margin_of_its_begin() -> None:
    toy = Toy(
        demand(8, margin_percent=4.0, items=tuple(room(at, replace(ROOMS, kw=5.0)) for at in range(1, 21))), kw=1020
    )
    toy.run(130.0)
    kw = sum(hold.kw for hold in toy.memory.holds.values())
    # 990 kW, a quarter of the margin below the contract, is a mean of 30 less: 35 for the rest; 960 at once were 70.
    assert 30.0 <= kw <= 40.0
    toy.run(765.0)
    assert figure(toy, "used") < 1000.0


def test_a_need_inside_the_deadband_or_shorter_than_20_s_sheds_nothing() -> None:
    toy = Toy(demand(), kw=1006.0)
    toy.run(300.0)
    assert shed(toy) == []
    toy.run(500.0)
    assert shed(toy), "late in the window the same excess is more than the rest of it can bear"
    short = Toy(demand(), kw=980.0)
    short.run(300.0)
    short.kw = 1300.0
    short.run(10.0)
    short.kw = 980.0
    short.run(300.0)
    assert shed(short) == []


def test_the_next_window_gives_back_one_at_a_time_only_when_there_is_room_for_the_rebound() -> None:
    toy = Toy(demand(), kw=1100.0)
    toy.run(700.0)
    before = len(toy.memory.holds)
    assert before >= 4
    toy.run(230.0)
    assert len(toy.memory.holds) == before, "the window has turned, but 1,100 kW would come back"
    toy.kw = 900.0
    times = []
    for _ in range(200):
        count = len(toy.memory.holds)
        toy.run(5.0)
        if len(toy.memory.holds) < count:
            assert len(toy.memory.holds) == count - 1, "also where the time of all of them ends together"
            times.append(toy.now)
    assert toy.memory.holds == {}
    assert all(b - a >= 60.0 for a, b in pairwise(times)), times


def test_a_room_is_never_shed_while_it_is_too_warm_stuffy_or_unknown() -> None:
    toy = Toy(demand(5), kw=1200.0)
    toy.values["b.hvac.ahu1.zone_temp"] = 27.95
    toy.values["b.hvac.ahu2.return_co2"] = 990.0
    toy.values.pop("b.hvac.ahu3.zone_temp")
    toy.values["b.hvac.ahu4.fan_run"] = 0.0
    toy.run(600.0)
    assert shed(toy) == ["ahu5"]
    states = {part.id.split(".")[2]: part.state for part in toy.said[-1].parts}
    assert states == {"ahu1": "warm", "ahu2": "co2", "ahu3": "unknown", "ahu4": "stopped", "ahu5": "shed"}


@pytest.mark.parametrize(
    ("point", "value"),
    [("zone_temp", 27.95), ("zone_temp", math.nan), ("return_co2", 985.0), ("return_co2", math.nan), ("fan_run", 0.0)],
)
def test_a_room_that_gets_too_warm_stuffy_or_unknown_is_given_back_at_once(point: str, value: float) -> None:
    toy = Toy(demand(1), kw=1200.0)
    toy.run(200.0)
    assert shed(toy) == ["ahu1"]
    toy.values[f"b.hvac.ahu1.{point}"] = value
    decision = toy.run(5.0)
    assert (shed(toy), decision.targets) == ([], ())


def test_an_operator_at_the_point_ends_its_shed() -> None:
    toy = Toy(demand(1), kw=1200.0)
    toy.run(200.0)
    toy.stronger.add("b.hvac.ahu1.zone_temp_sp")
    toy.run(5.0)
    assert shed(toy) == []


def test_a_room_is_shed_20_minutes_an_hour_and_three_times_a_day_and_rooms_take_turns() -> None:
    toy = Toy(demand(3), kw=1300.0, answers=False)
    toy.run(12 * 3600.0, 10.0)
    for number in (1, 2, 3):
        spells = toy.memory.spells[f"b.hvac.ahu{number}"]
        assert starts_today(spells, spells[0].day) <= 3
        edges = [*(spell.start for spell in spells), *(spell.end for spell in spells)]
        assert all(shed_seconds(spells, at) <= 20.0 * 60.0 for at in edges if math.isfinite(at))
    assert toy.memory.holds == {}
    assert {part.state for part in toy.said[-1].parts} == {"resting"}


def test_a_room_set_point_moves_a_kelvin_in_15_minutes_and_machines_10_percent_a_minute() -> None:
    slow = replace(ROOMS, step=1.0, step_s=900.0, minutes_per_hour=30.0)
    strategy = demand(1, 1)
    items = tuple(replace(item, group=slow) if item.group.id == "rooms" else item for item in strategy.items)
    toy = Toy(replace(strategy, items=items), kw=1600.0, answers=False)
    values: dict[str, list[tuple[float, float]]] = {}
    for _ in range(500):
        decision = toy.run(5.0)
        wanted = {target.point: target.value for target in decision.targets}
        for item in toy.strategy.items:
            value = wanted.get(item.point, toy.bases[item.point])
            row = values.setdefault(item.point, [(0.0, toy.bases[item.point])])
            if row[-1][1] != value:
                row.append((toy.now, value))
    rising = [(b, a) for a, b in pairwise(values["b.hvac.ahu1.zone_temp_sp"]) if b[1] > a[1]]
    assert all(b[1] - a[1] <= 1.0 for b, a in rising)
    assert all(b[0][0] - a[0][0] >= 900.0 for a, b in pairwise(rising) if b[0][1] > a[0][1])
    limit = values["b.plant.ch1.demand_limit"]
    assert min(value for _, value in limit) == 60.0
    assert all(abs(b[1] - a[1]) <= 10.0 for a, b in pairwise(limit))
    assert all(b[0] - a[0] >= 60.0 for a, b in pairwise(limit[1:]))
    assert limit[-1][1] == 100.0, "it began to give back early enough for its half hour"


def test_a_window_that_only_touches_the_margin_is_let_be_and_one_that_would_pass_the_contract_is_not() -> None:
    toy = Toy(demand(margin_percent=2.0), kw=990.0)
    toy.run(3600.0)
    assert not any(decision.targets for decision in toy.said), "980 kW is the aim, 1,000 the contract"
    toy.kw = 1001.0
    toy.run(900.0)
    assert shed(toy)
    assert toy.run(5.0).why.zh.startswith("已卸載")
    assert toy.memory.track is not None
    toy.kw = 1001.0
    means = []
    for _ in range(4):
        toy.run(890.0)
        means.append(figure(toy, "used"))
        toy.run(10.0)
    assert max(means) < 1000.0


def test_what_is_left_over_contract_with_nothing_to_shed_is_an_alarm_with_its_cost() -> None:
    toy = Toy(demand(1), kw=1400.0)
    toy.run(300.0)
    reason = toy.said[-1].trouble["excess"]
    over = figure(toy, "forecast") - 1000.0
    # The first 100 kW at twice the basic price of NT$ 200, what is beyond at three times.
    cost = 200.0 * (2.0 * 100.0 + 3.0 * (over - 100.0))
    assert f"NT$ {cost:,.0f}" in reason
    assert f"超約 {over:,.0f} kW" in reason
    toy.run(590.0)
    assert all(decision.trouble["excess"] for decision in toy.said[-110:]), "to the end of the window, without a gap"
    toy.kw = 700.0
    toy.run(900.0)
    assert toy.said[-1].trouble["excess"] == ""


@pytest.mark.parametrize(
    "price", [None, SimpleNamespace(cost=lambda *_: math.nan), SimpleNamespace(cost=lambda *_: 0.0)]
)
def test_a_cost_that_nobody_knows_is_not_said(price: object) -> None:
    toy = Toy(demand(1, price=price), kw=1400.0)
    toy.run(300.0)
    assert "kW over" in toy.said[-1].trouble["excess"]
    assert "NT$" not in toy.said[-1].trouble["excess"]


def test_a_meter_that_falls_silent_is_waited_for_twice_and_then_everything_is_given_back() -> None:
    toy = Toy(demand(), kw=1200.0)
    toy.run(300.0)
    held = toy.said[-1].targets
    del toy.values[METER]
    assert toy.run(10.0).targets == held
    decision = toy.run(5.0)
    assert (decision.state, decision.targets) == ("stepped_back", ())
    assert METER in decision.why.zh
    assert all(math.isfinite(spell.end) for found in toy.memory.spells.values() for spell in found)


def test_a_meter_that_lies_is_found_by_those_below_it() -> None:
    strategy = demand(check=("b.electrical.lv1.power", "b.electrical.lv2.power"))
    toy = Toy(strategy, kw=900.0)
    toy.values |= {"b.electrical.lv1.power": 450.0, "b.electrical.lv2.power": 440.0}
    toy.run(300.0)
    toy.kw = 1500.0  # stuck high, while the boards say 890
    toy.run(15.0)
    toy.run(30.0)
    toy.kw = 900.0
    toy.run(60.0)
    states = [decision.state for decision in toy.said]
    assert set(states[:63]) == {"watching"}
    assert (states[68], shed(toy)) == ("stepped_back", [])
    assert "矛盾" in toy.said[68].why.zh
    assert states[-1] == "watching"
    # One board that is silent says nothing against the meter.
    del toy.values["b.electrical.lv1.power"]
    toy.kw = 1500.0
    toy.run(300.0)
    assert shed(toy)


def test_a_meter_that_shows_less_than_those_below_it_lies_also_when_one_of_them_is_silent() -> None:
    toy = Toy(demand(check=("b.lv1", "b.lv2", "b.lv3")), kw=600.0)
    toy.values |= {"b.lv1": 400.0, "b.lv2": 400.0}
    assert toy.run(15.0).state == "watching"
    assert toy.run(30.0).state == "stepped_back"
    assert "below the sum" in toy.said[-1].why.en
    toy.kw = 1500.0
    assert toy.run(60.0).state == "acting", "more than those that are known is what the silent one has"


def test_a_dry_run_reckons_with_what_it_would_have_shed() -> None:
    toy = Toy(demand(), kw=1030.0, dry=True)
    toy.run(600.0)
    kw = sum(hold.kw for hold in toy.memory.holds.values())
    assert 30.0 <= kw <= 60.0, "it does not shed everything only because nothing falls"


def test_a_restart_forgets_no_limit_of_the_day() -> None:
    toy = Toy(demand(1), kw=1300.0)
    now_ns = MIDNIGHT_NS + 10 * HOUR_NS
    point = "b.hvac.ahu1.zone_temp_sp"
    past = []
    for hours in (2.0, 4.0, 6.0):
        at = MIDNIGHT_NS + round(hours * HOUR_NS)
        past += [Past(point, at, 27.0), Past(point, at + 600_000_000_000, None)]
    toy.memory = toy.strategy.begin(toy, past)
    assert toy.now_ns == now_ns
    spells = toy.memory.spells["b.hvac.ahu1"]
    assert [round(spell.end - spell.start) for spell in spells] == [600, 600, 600]
    toy.run(900.0)
    assert shed(toy) == [], "three times today already"

    # Killed in the middle of a shed: what was open ended at the latest with the restart.
    toy.memory = toy.strategy.begin(toy, [Past(point, toy.now_ns - 900_000_000_000, 27.0)])
    (spell,) = toy.memory.spells["b.hvac.ahu1"]
    assert spell.end == toy.now
    assert spell.end - spell.start == pytest.approx(900.0)
    toy.run(300.0)
    assert shed(toy) == [], "15 of 20 minutes are used: what is left is less than the shortest shed, and it rests"


def test_a_pause_without_decisions_ends_what_was_shed() -> None:
    toy = Toy(demand(1), kw=1300.0)
    toy.run(200.0)
    assert shed(toy) == ["ahu1"]
    toy.now += 3600.0
    toy.now_ns += HOUR_NS
    toy.run(5.0)
    assert shed(toy) == []
    (spell,) = toy.memory.spells["b.hvac.ahu1"]
    assert spell.end - spell.start < 200.0


def test_what_was_measured_corrects_what_a_group_is_said_to_give() -> None:
    toy = Toy(demand(10), kw=1080.0)
    for item in toy.strategy.items:
        assert item.group.kw == 20.0

    class Half(Toy):
        pass

    half = Half(demand(10), kw=1080.0)
    for _ in range(120):
        half.now += 5.0
        half.now_ns += 5_000_000_000
        kw = sum(hold.kw for hold in half.memory.holds.values())
        half.values[METER] = 1080.0 - 0.5 * kw
        half.decide()
    assert half.memory.factors["rooms"] < 0.9
    toy.run(600.0)
    assert toy.memory.factors["rooms"] == pytest.approx(1.0, abs=0.1)


def test_spells_count_the_sliding_hour_and_the_local_day() -> None:
    spells = (Spell(0.0, 600.0, 1), Spell(3000.0, 3300.0, 1), Spell(6000.0, math.inf, 2))
    assert shed_seconds(spells, 3600.0) == 900.0
    assert shed_seconds(spells, 3900.0) == 600.0
    assert shed_seconds(spells, 6600.0) == 300.0 + 600.0
    assert (starts_today(spells, 1), starts_today(spells, 2)) == (2, 1)
