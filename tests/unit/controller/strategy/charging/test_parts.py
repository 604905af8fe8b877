"""The small parts: values of chargers, what a car draws, room and its forecast, quarters."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from controller.strategy.charging.charger import Charger
from controller.strategy.charging.course import Course, learnt, usual
from controller.strategy.charging.demand import PHASE_KV, Circuit, Demand, Rank
from controller.strategy.charging.draw import Draw, watched
from controller.strategy.charging.ledger import booked
from controller.strategy.charging.room import Room, forecast, grid
from controller.strategy.charging.session import Weekdays
from controller.strategy.charging.setpoint import Wish, laxity_h, settle

ZONE = timezone(timedelta(hours=8))
AMPERE = Charger("a", "a.limit", "A", 32.0, 6.0)
FINITE = Charger("f", "f.limit", "A", 32.0, 8.0, values=(8.0, 16.0, 24.0, 32.0))
POWER = Charger("p", "p.limit", "kW", 22.0, 6.0 * PHASE_KV, step=0.1)
KW_A = 3.0 * PHASE_KV


@pytest.mark.parametrize(
    ("charger", "kw", "phases", "value"),
    [
        (AMPERE, 6.0 * KW_A, 3, 6.0),
        (AMPERE, 5.99 * KW_A, 3, 0.0),
        (AMPERE, 10.9 * KW_A, 3, 10.0),
        (AMPERE, 99.0, 3, 32.0),
        (AMPERE, 2.0, 1, 9.0),
        (FINITE, 15.9 * KW_A, 3, 8.0),
        (FINITE, 7.9 * KW_A, 3, 0.0),
        (POWER, 3.94, 3, 0.0),
        (POWER, 4.08, 3, 4.0),
        (POWER, 1.45, 1, 1.4),
        (POWER, 30.0, 3, 22.0),
    ],
)
def test_a_charger_rounds_down_and_never_below_6_a(charger: Charger, kw: float, phases: int, value: float) -> None:
    assert charger.down(kw, phases) == pytest.approx(value)


def test_the_next_value_up_begins_at_the_least_and_ends_at_the_most() -> None:
    assert [AMPERE.up(0.0), AMPERE.up(6.0), AMPERE.up(32.0)] == [6.0, 7.0, 32.0]
    assert [FINITE.up(0.0), FINITE.up(8.0), FINITE.up(32.0)] == [8.0, 16.0, 32.0]
    assert POWER.up(0.0) == pytest.approx(4.0)
    assert POWER.up(0.0, 1) == pytest.approx(1.4)
    assert AMPERE.kw(5.0) == 0.0


def test_a_car_on_one_phase_gets_a_third_of_a_limit_in_kw() -> None:
    assert POWER.most_kw(1) == pytest.approx(22.0 / 3.0)
    assert POWER.down(99.0, 1) == pytest.approx(7.3), "more than it can take would hold room for nothing"
    assert POWER.most_kw() == 22.0
    direct = Charger("d", "d.limit", "kW", 50.0, 5.0, 1.0, step=0.5, direct=True)
    assert (direct.most_kw(1), direct.down(99.0, 1)) == (50.0, 50.0)


def test_what_a_car_takes_of_its_least_is_learnt_near_to_its_least_alone() -> None:
    least = 6.0 * KW_A
    assert watched(Draw(), 20.0 * KW_A, 18.0 * KW_A, 18.0).low == 0.0
    draw = watched(Draw(), least, 0.93 * least, 5.6)
    assert draw.low == pytest.approx(0.93)
    assert watched(draw, least, 0.9 * least, 5.4).low == pytest.approx(0.93), "the largest: the safe side"


def test_a_car_that_takes_less_twice_is_planned_with_that_and_a_little_more() -> None:
    draw = watched(Draw(), 21.0, 11.0, 16.7)
    assert math.isinf(draw.cap_kw)
    draw = watched(draw, 21.0, 11.0, 16.7)
    assert draw.cap_kw == pytest.approx(11.0 + 2.5 * KW_A)
    same = watched(watched(draw, draw.cap_kw, 11.0, 16.7), draw.cap_kw, 11.0, 16.7)
    assert same.cap_kw == pytest.approx(draw.cap_kw), "no creeping down"
    more = watched(draw, draw.cap_kw, 12.0, 18.2)
    assert more.cap_kw == pytest.approx(12.0 + 2.5 * KW_A)


def test_an_assumed_cap_is_given_up_when_the_car_takes_it_all() -> None:
    draw = watched(Draw(7.0), 7.0, 6.4, 9.7)
    assert draw.cap_kw == pytest.approx(8.4), "by steps: who is thought to take much more seems to have time"
    assert not draw.measured
    assert watched(draw, 8.4, 7.8, 11.9).cap_kw == pytest.approx(10.08)


def test_one_phase_is_seen_by_power_and_current() -> None:
    assert watched(Draw(), 7.0, 6.6, 30.0).single
    assert not watched(Draw(), 7.0, 6.6, 10.0).single
    assert watched(Draw(single=True), 7.0, 6.6).single, "unknown current changes nothing"


def test_a_paused_car_tells_nothing_and_one_that_takes_nothing_is_idle() -> None:
    assert watched(Draw(7.0, below=1), 0.0, 0.0) == Draw(7.0, below=0)
    assert watched(Draw(), 7.0, math.nan) == Draw()
    idle = Draw()
    for _ in range(3):
        idle = watched(idle, 7.0, 0.0)
    assert idle.idle == 3
    assert watched(idle, 7.0, 6.0).idle == 0


def test_steps_go_to_the_next_quarter_and_then_by_quarters() -> None:
    assert grid(900.0 * 10, 900.0 * 12) == (0.25, 0.25)
    assert grid(900.0 * 10 + 300.0, 900.0 * 12) == pytest.approx((600.0 / 3600.0, 0.25))
    assert grid(900.0 * 10 + 870.0, 900.0 * 12) == pytest.approx((930.0 / 3600.0,)), "no sliver of a step"
    assert len(grid(0.0, 1e9, most=8)) == 8
    assert grid(0.0, 1.0) == (0.25,)


def test_a_forecast_is_the_usual_and_what_is_more_now_fading() -> None:
    expected = forecast(np.array([100.0, 100.0, math.nan]), (1.0, 1.0, 1.0), 120.0)
    assert expected == pytest.approx([100 + 20 * math.exp(-0.25), 100 + 20 * math.exp(-0.75), 120.0])


def test_the_usual_course_is_learnt_by_quarter_and_kind_of_day() -> None:
    course, calendar = Course(), Weekdays()
    monday = round(datetime(2026, 7, 13, 10, tzinfo=ZONE).timestamp() * 1e9)
    for minute in range(31):
        course = learnt(course, monday + minute * 60_000_000_000, 100.0 + minute, ZONE, calendar)
    kw = usual(course, monday, (0.25, 0.25, 0.25), ZONE, calendar)
    assert kw[:2] == pytest.approx([107.0, 122.0])
    assert math.isnan(kw[2])
    again = course
    for minute in range(31):
        again = learnt(again, monday + 86_400_000_000_000 + minute * 60_000_000_000, 207.0, ZONE, calendar)
    assert usual(again, monday, (0.25,), ZONE, calendar)[0] == pytest.approx(107.0 + 0.3 * 100.0)
    sunday = monday - 86_400_000_000_000
    assert math.isnan(usual(course, sunday, (0.25,), ZONE, calendar)[0])


def test_quarters_are_means_and_a_day_is_kept() -> None:
    past = booked((), 0, 10.0, 8.0, 50.0)
    past = booked(past, 60_000_000_000, 20.0, 10.0, 60.0)
    assert (past[0].planned_kw, past[0].actual_kw, past[0].room_kw) == (15.0, 9.0, 55.0)
    for quarter in range(1, 120):
        past = booked(past, quarter * 900_000_000_000, 1.0, 1.0, 1.0)
    assert len(past) == 96
    assert past[-1].begin_ns == 119 * 900_000_000_000


def test_room_is_the_smallest_of_all_circuits_and_phases() -> None:
    one = Demand("a", 1.0, 1.0, 11.0, phases=(True, False, False), least_kw=1.3)
    circuits = (
        Circuit("x", frozenset("a"), (10.0,)),
        Circuit("y", frozenset("a"), (math.inf,), 20.0),
        Circuit("z", frozenset("b"), (0.0,)),
    )
    room = Room([one], circuits)
    assert room.left(0) == pytest.approx(20.0 * PHASE_KV)
    room.take(0, 3.0)
    assert room.left(0) == pytest.approx(20.0 * PHASE_KV - 3.0)
    assert math.isinf(Room([one], ()).left(0))


def _wish(name: str, kw: float, kwh: float, **more: float) -> Wish:
    charger = Charger(name, f"{name}.limit", "A", 32.0, 6.0)
    return Wish(charger, Demand(name, kwh, 2.0, 21.0), kw, more.get("value", 0.0), more.get("changed_s", math.inf))


def test_what_rounding_leaves_goes_to_who_has_least_time() -> None:
    # 10.5 A each: 10 A, and the ampere that is left to the one with more to charge.
    wishes = [_wish("a", 10.5 * KW_A, 5.0), _wish("b", 10.5 * KW_A, 20.0)]
    assert laxity_h(wishes[1].demand) < laxity_h(wishes[0].demand)
    found = settle(wishes, [Circuit("x", frozenset("ab"), (21.0 * KW_A + 1e-6,))])
    assert found == [10.0, 11.0]


def test_a_change_waits_for_half_a_minute_unless_a_limit_takes_it_back() -> None:
    room = Circuit("x", frozenset("a"), (20.0,))
    assert settle([_wish("a", 20.0, 9.0, value=10.0, changed_s=20.0)], [room]) == [10.0]
    assert settle([_wish("a", 20.0, 9.0, value=10.0, changed_s=30.0)], [room]) == [30.0]
    tight = Circuit("x", frozenset("a"), (5.0,))
    assert settle([_wish("a", 20.0, 9.0, value=10.0, changed_s=4.0)], [tight]) == [10.0]
    assert settle([_wish("a", 20.0, 9.0, value=10.0, changed_s=6.0)], [tight]) == [7.0]


def test_what_a_car_does_not_take_is_room_for_others_where_a_meter_watches() -> None:
    # It may take 18 A and takes 12 A: the other may have the 12 that are free.
    taker = replace(_wish("a", 18.0 * KW_A, 9.0, value=18.0), drawn_kw=12.0 * KW_A)
    other = replace(_wish("b", 6.0 * KW_A, 20.0, value=6.0), more_kw=21.0, drawn_kw=6.0 * KW_A)
    room = Circuit("x", frozenset("ab"), (24.0 * KW_A + 1e-6,), metered=True)
    assert settle([taker, other], [room]) == [18.0, 12.0]
    assert settle([taker, other], [replace(room, metered=False)]) == [18.0, 6.0], "no meter: what it may take counts"
    branch = Circuit("x", frozenset("ab"), (math.inf,), 24.001, metered=True)
    assert settle([taker, other], [branch]) == [18.0, 6.0], "a breaker knows no mean"


def test_more_than_it_has_counts_in_full_until_it_is_seen() -> None:
    wish = replace(_wish("a", 20.0 * KW_A, 9.0, value=10.0), drawn_kw=8.0 * KW_A)
    assert wish.expected_kw(16.0) == pytest.approx(14.0 * KW_A)
    assert wish.expected_kw(7.0) == pytest.approx(7.0 * KW_A)
    assert replace(wish, drawn_kw=math.nan).expected_kw(16.0) == pytest.approx(16.0 * KW_A)


def test_what_a_car_leaves_of_its_value_is_room_for_itself_where_a_meter_watches() -> None:
    # It takes 2 A less than it may: there is room for 12 A, so it may have 14 A.
    wish = replace(_wish("a", 20.0 * KW_A, 9.0, value=10.0), drawn_kw=8.0 * KW_A)
    room = Circuit("x", frozenset("a"), (12.0 * KW_A + 1e-6,), metered=True)
    assert settle([wish], [room]) == [14.0], "what the plan has for it"
    assert settle([replace(wish, kw=0.0, more_kw=21.0)], [room]) == [14.0], "what the plan leaves"
    assert settle([wish], [replace(room, metered=False)]) == [12.0], "no meter: what it may take counts"
    assert settle([wish], [Circuit("x", frozenset("a"), (math.inf,), 12.001, metered=True)]) == [12.0], "a breaker"
    assert settle([wish], [replace(room, room_kw=(8.0 * KW_A + 1e-6,))]) == [10.0], "it takes no more than there is"
    assert settle([wish], [replace(room, room_kw=(7.0 * KW_A + 1e-6,))]) == [7.0], "it may take all of that"


def _flicker(kwh: float) -> list[int]:
    """Return the looks of three hours at which a car began or paused, while room comes and goes every minute."""
    on, turns = False, [-9999]
    for look in range(360):
        lately = sum(look - turn < 120 for turn in turns)
        wish = _wish("a", 21.0, kwh, value=6.0 if on else 0.0)
        held_h = (look - turns[-1]) / 120.0
        wish = replace(wish, demand=replace(wish.demand, on=on, held_h=held_h, switched=lately), more_kw=21.0)
        kw = 6.5 * KW_A if look // 2 % 2 == 0 else 0.0
        (value,) = settle([wish], [Circuit("x", frozenset("a"), (kw,))], 60.0)
        assert value * KW_A <= kw, "whatever the contactors: the limit holds"
        if (value > 0.0) != on:
            on = value > 0.0
            turns.append(look)
    return turns[1:]


@pytest.mark.parametrize(("kwh", "most"), [(5.0, 10), (60.0, 20)])
def test_contactors_switch_no_more_than_so_often_in_any_hour(kwh: float, most: int) -> None:
    turns = _flicker(kwh)
    assert max(sum(0 <= later - turn < 120 for later in turns) for turn in turns) == most


def test_a_pause_ends_where_what_the_car_takes_of_its_least_fits() -> None:
    paused = replace(_wish("a", 6.0 * KW_A, 20.0), low=0.93)
    room = Circuit("x", frozenset("a"), (5.7 * KW_A,), metered=True)
    assert settle([paused], [room]) == [6.0]
    assert settle([replace(paused, low=1.0)], [room]) == [0.0], "it never showed that it takes less"
    assert settle([replace(paused, kw=0.0, more_kw=21.0)], [room]) == [6.0], "room that the plan leaves"
    assert settle([paused], [replace(room, metered=False)]) == [0.0], "no meter: what it may take counts"
    assert settle([paused], [Circuit("x", frozenset("a"), (math.inf,), 5.7, metered=True)]) == [0.0], "a breaker"
    two = [paused, replace(_wish("b", 6.0 * KW_A, 10.0), low=0.93)]
    both = Circuit("x", frozenset("ab"), (11.3 * KW_A,), metered=True)
    assert settle(two, [both]) == [6.0, 6.0]
    assert settle(two, [replace(both, room_kw=(11.0 * KW_A,))]) == [6.0, 0.0]


def test_what_the_plan_leaves_goes_to_who_loses_nothing_by_it_and_has_least_time() -> None:
    calm, hurried = _wish("a", 6.0 * KW_A, 3.0), _wish("b", 6.0 * KW_A, 20.0)
    room = [Circuit("x", frozenset("ab"), (20.0 * KW_A + 1e-6,))]
    assert settle([calm, hurried], room) == [6.0, 6.0]
    assert settle([replace(calm, more_kw=21.0), replace(hurried, more_kw=21.0)], room) == [6.0, 14.0]
    assert settle([replace(calm, more_kw=21.0), hurried], room) == [14.0, 6.0]


def test_among_equals_each_has_its_least_before_one_has_more() -> None:
    first, second = _wish("a", 20.0 * KW_A, 30.0), _wish("b", 12.0 * KW_A, 10.0)
    room = [Circuit("x", frozenset("ab"), (22.0 * KW_A + 1e-6,))]
    assert settle([first, second], room) == [16.0, 6.0]
    official = replace(first, demand=replace(first.demand, rank=Rank.FLEET))
    assert settle([official, second], room) == [20.0, 0.0], "not among unequals"


@pytest.mark.parametrize(("kwh", "held_s", "value"), [(5.0, 120.0, 0.0), (40.0, 120.0, 6.0), (40.0, 45.0, 0.0)])
def test_a_pause_of_who_has_no_time_to_lose_is_short(kwh: float, held_s: float, value: float) -> None:
    wish = _wish("a", 6.0 * KW_A, kwh)
    paused = replace(wish, demand=replace(wish.demand, on=False, held_h=held_s / 3600.0))
    assert settle([paused], [Circuit("x", frozenset("a"), (20.0,))]) == [value]


def test_a_free_charger_stands_ready_where_there_is_room_for_all_that_it_gives() -> None:
    free = [replace(_wish(one, 6.0 * KW_A, 0.0), spare=True, more_kw=32.0 * KW_A) for one in "ab"]
    car = _wish("c", 20.0 * KW_A, 9.0)

    def found(amperes: float) -> list[float]:
        return settle([*free, car], [Circuit("x", frozenset("abc"), (amperes * KW_A + 1e-6,))])

    assert found(84.0) == [32.0, 32.0, 20.0]
    assert found(83.0) == [32.0, 6.0, 20.0]
    assert found(31.0) == [6.0, 0.0, 20.0]
    assert settle([replace(free[0], more_kw=0.0)], [Circuit("x", frozenset("a"), (99.0,))]) == [6.0]
    just = replace(free[0], changed_s=200.0, value=6.0)
    assert settle([just], [Circuit("x", frozenset("a"), (99.0,))]) == [6.0], "no value every half minute for nobody"
    stays = replace(free[0], changed_s=200.0, value=32.0)
    assert settle([stays], [Circuit("x", frozenset("a"), (99.0,))]) == [32.0]
