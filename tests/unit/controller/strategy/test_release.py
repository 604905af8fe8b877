"""Giving back what ends together: in portions of kW, apart from each other, as late as that allows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from controller.strategy.release import APART_S, Ending, due, returning
from tests.unit.controller.strategy.conftest import ROOMS, Toy, demand, room

SMALL = replace(ROOMS, id="small", kw=4.0, minutes_per_hour=30.0)


def endings(count: int, left_s: float, kw: float) -> list[Ending]:
    return [Ending(left_s, room(number, SMALL), kw) for number in range(1, count + 1)]


def test_nothing_is_given_back_while_all_of_it_can_wait() -> None:
    assert due([], 1000.0, 10.0) == []
    assert due(endings(1, math.inf, 4.0), 1000.0, 10.0) == [], "cars have no end"
    # 20 kW of a contract of 4,000 at once: 20 items of 4 kW are four portions, three times 60 s apart.
    assert due(endings(20, 3 * APART_S + 10.1, 4.0), 4000.0, 10.0) == []


def test_small_items_come_back_several_at_once_and_a_large_one_alone() -> None:
    small = due(endings(20, 3 * APART_S + 10.0, 4.0), 4000.0, 10.0)
    assert [item.point for item in small] == [one.item.point for one in sorted(endings(20, 0.0, 4.0), key=_point)][:5]
    large = due(endings(4, 3 * APART_S + 10.0, 26.0), 4000.0, 10.0)
    assert len(large) == 1


def test_where_there_are_many_the_portions_grow_so_that_half_of_their_time_is_enough() -> None:
    many = endings(200, 15.0 * 60.0, 4.0)  # 800 kW: 40 portions of 20 kW would take longer than their 30 minutes
    first = due(many, 4000.0, 10.0)
    assert sum(4.0 for _ in first) == pytest.approx(800.0 / 15.0, abs=4.0)


def test_what_began_together_is_held_for_most_of_its_time_and_is_back_in_small_steps_in_time() -> None:
    items = tuple(room(number, SMALL) for number in range(1, 26))
    toy = Toy(replace(demand(), items=items, contract_kw=2000.0, price=None), kw=2075.0)
    toy.run(130.0)
    first = set(toy.memory.holds)
    assert len(first) >= 15
    begun = {point: hold.since for point, hold in toy.memory.holds.items()}
    held: dict[str, float] = {}
    while first - set(held):
        before = set(toy.memory.holds)
        toy.run(5.0)
        gone = before - set(toy.memory.holds)
        assert len(gone) <= 2, "10 kW at once"
        held |= {point: toy.now - begun[point] for point in gone & first}
    assert max(held.values()) <= 1800.0
    assert sum(held.values()) / len(held) > 0.78 * 1800.0, "one after the other it is less than 0.7 of it"


def test_what_comes_back_within_the_window_counts_with_the_time_it_is_back() -> None:
    # 100 s before the end of 400 s: a quarter of them; after it: nothing; its time is over already: all of them.
    assert returning([*endings(1, 300.0, 8.0), *endings(1, 400.0, 8.0), *endings(1, math.inf, 8.0)], 400.0) == 2.0
    assert returning(endings(2, -5.0, 8.0), 400.0) == 16.0
    assert returning([], 400.0) == 0.0


def test_a_return_that_is_known_is_made_up_for_before_it_comes() -> None:
    """Rooms whose 20 minutes end in the middle of a window that is just below its limit with them shed."""
    toy = Toy(demand(10, restore_s=60.0), kw=1060.0)
    toy.run(130.0)
    first = set(toy.memory.holds)
    assert first
    means: list[float] = []
    while toy.now < 2700.0:
        toy.run(5.0)
        if toy.memory.track is not None and toy.now % 900.0 == 895.0:
            means.append(next(one.value for one in toy.said[-1].figures if one.id == "used"))
    assert not first & set(toy.memory.holds), "their time ended"
    assert max(means[1:]) <= 1000.0, means


def _point(one: Ending) -> str:
    return one.item.point
