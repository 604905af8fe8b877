"""From a plan to the values that chargers take now: what is there now, rounded down, the rest to who has least time.

A plan is made every few minutes and the building moves in between. So each circuit is looked at again with what it has
room for now; who gives way is who would be short first. What the plan leaves, because a car was full earlier or takes
less than it may, or the building draws less than was thought, goes to cars that lose nothing by charging now: nobody
knows who comes next. A value is changed at most every half minute (IEC 61851-1 asks for 5 s, cars for more), only a
limit may take it back sooner; a car that began or paused stays so for the dwell, and contactors have their life.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from controller.strategy.charging.draw import LOW
from controller.strategy.charging.room import Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.strategy.charging.charger import Charger
    from controller.strategy.charging.demand import Circuit, Demand

__all__ = ["PACE_S", "SHORT_DWELL_S", "URGENT_H", "Wish", "laxity_h", "settle"]

PACE_S = 30.0
"""Between two changes of one charger's value."""
_YIELD_S = 5.0
"""The same when a limit takes it back."""
URGENT_H = 0.25
"""A car that cannot wait for longer than a quarter has no time to lose."""
SHORT_DWELL_S = 60.0
"""A pause where energy is at stake: smoothness gives way first (control reference, 9: 30 to 60 s in practice)."""
_SWITCHINGS, _URGENT_SWITCHINGS = 10, 20
"""Of a car's contactors in any hour (control reference, 10: 10); twice as many where it has no time to lose."""
_READY_S = 300.0
"""A free charger is not told more sooner than this after a change: nobody is there whom it would serve."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One car, and what the plan has for it now."""

    charger: Charger
    demand: Demand
    kw: float
    """What the plan gives it in this step; 0: a pause."""
    value: float
    """What the charger was told last, in its unit; 0: a pause."""
    changed_s: float = math.inf
    """Since then, s."""
    spare: bool = False
    """Nobody is there who wants energy: it gets what all others leave."""
    more_kw: float = 0.0
    """It may have up to this where the plan leaves room: charging now costs it no more than later."""
    drawn_kw: float = math.nan
    """What it takes now of what it was told; NaN where it had no time yet to show that."""
    low: float = 1.0
    """The largest share of its least that it was seen to take: so much less room does it need to begin with that."""

    def expected_kw(self, value: float) -> float:
        """Return what it takes at the most when it is told a value: what it does now, and all that it is given more."""
        phases = sum(self.demand.phases)
        told, now = self.charger.kw(value, phases), self.charger.kw(self.value, phases)
        first = told <= LOW * self.charger.least_kw(phases)
        if not math.isfinite(self.drawn_kw):
            return told * self.low if first and self.value <= 0.0 else told
        return min(told, self.drawn_kw + max(told - now, 0.0))


def laxity_h(demand: Demand) -> float:
    """Return how long a car could wait and still be full in time, hours; below 0 it will be short."""
    return demand.leaves_h - demand.kwh / demand.most_kw


def settle(wishes: Sequence[Wish], circuits: Sequence[Circuit], dwell_s: float = 900.0) -> list[float]:
    """Return each charger's value, in its unit; 0 for a pause.

    Args:
        wishes: the cars.
        circuits: what each has room for now, in the first of its steps.
        dwell_s: a car that began or paused stays so for this long, where the circuits have room.
    """
    room = Room([one.demand for one in wishes], circuits)
    found = [0.0] * len(wishes)

    def give(i: int, value: float) -> None:
        one, phases = wishes[i], sum(wishes[i].demand.phases)
        kw, before = one.charger.kw(value, phases), one.charger.kw(found[i], phases)
        room.take(i, kw - before, one.expected_kw(value) - (one.expected_kw(found[i]) if before else 0.0))
        found[i] = value

    def hold(i: int, value: float, sign: float) -> None:
        kw = wishes[i].charger.kw(value, sum(wishes[i].demand.phases))
        drawn = kw * wishes[i].low if kw and wishes[i].value <= 0.0 else kw
        room.take(i, sign * kw, sign * drawn)

    def left(i: int) -> float:
        one = wishes[i]
        return room.left(i, told_kw=one.charger.kw(one.value, sum(one.demand.phases)), drawn_kw=one.drawn_kw)

    def first_kw(i: int) -> float:
        return room.left(i, wishes[i].low if wishes[i].value <= 0.0 else 1.0)

    cars = [i for i, one in enumerate(wishes) if not one.spare]
    by_time = sorted(cars, key=lambda i: (laxity_h(wishes[i].demand), wishes[i].charger.id))
    for _, rank in groupby(sorted(by_time, key=lambda i: wishes[i].demand.rank), lambda i: wishes[i].demand.rank):
        equals = list(rank)
        # Among equals each keeps its least before one has more: a pause would last when the room has long come back.
        kept = {}
        for i in equals:
            kept[i] = _value(wishes[i], left(i), dwell_s, least=True, first_kw=first_kw(i))
            hold(i, kept[i], 1.0)
        for i in equals:
            hold(i, kept[i], -1.0)
            give(i, _value(wishes[i], left(i), dwell_s, first_kw=first_kw(i)))
    for i in by_time:
        one, phases = wishes[i], sum(wishes[i].demand.phases)
        got, more = one.charger.kw(found[i], phases), one.charger.up(found[i], phases)
        extra = one.charger.kw(more, phases) - got
        if 0.0 < got < one.kw - 1e-9 and 0.0 < extra <= room.left(i) and one.changed_s >= PACE_S:
            give(i, more)
    for i in by_time:
        value = found[i]
        give(i, 0.0)
        give(i, _more(wishes[i], value, left(i), dwell_s, first_kw(i)))
    spare = [i for i, one in enumerate(wishes) if one.spare]
    for i in spare:
        give(i, _value(wishes[i], room.left(i), 0.0))
    for i in spare:
        give(i, _ready(wishes[i], found[i], room.left(i)))
    return found


def _ready(one: Wish, value: float, left_kw: float) -> float:
    """Return what a free charger is told when there is room for more than its least: all that it may, or the least."""
    got, more = one.charger.kw(value), one.charger.down(one.more_kw)
    extra = one.charger.kw(more) - got
    stays = one.value >= more or one.changed_s >= _READY_S
    return more if stays and got > 0.0 and 0.0 < extra <= left_kw else value


def _more(one: Wish, value: float, left_kw: float, dwell_s: float, first_kw: float) -> float:
    """Return what a charger is told when there is this much room for it, the plan's value in it."""
    phases = sum(one.demand.phases)
    got = one.charger.kw(value, phases)
    if one.changed_s < PACE_S or one.more_kw <= got or (value <= 0.0 and _waits(one, dwell_s)):
        return value
    more = one.charger.down(min(one.more_kw, left_kw), phases)
    return max(value, more if more > 0.0 or value > 0.0 else _first(one, first_kw, phases))


def _waits(one: Wish, dwell_s: float) -> bool:
    """Tell whether a car that pauses may not begin yet: for too short a time, or its contactors switched too often."""
    if one.demand.on:
        return False
    urgent = laxity_h(one.demand) < URGENT_H
    least_s = min(dwell_s, SHORT_DWELL_S) if urgent else dwell_s
    # Who begins has to be able to pause again.
    often = one.demand.switched > (_URGENT_SWITCHINGS if urgent else _SWITCHINGS) - 2
    return often or one.demand.held_h * 3600.0 < least_s - 1e-6


def _value(one: Wish, left_kw: float, dwell_s: float, *, least: bool = False, first_kw: float | None = None) -> float:
    """Return what a charger is told, when this much is left for it; no more than its least with `least`.

    Args:
        one: the car.
        left_kw: what is left.
        dwell_s: as of `settle`.
        least: no more than its least.
        first_kw: what is left where it begins with its least; None: the same.
    """
    phases = sum(one.demand.phases)
    began = one.demand.on and one.value > 0.0 and one.demand.held_h * 3600.0 < dwell_s - 1e-6
    bound = began and one.kw <= 0.0 and not one.spare
    wanted = 0.0 if _waits(one, dwell_s) else max(one.kw, one.charger.least_kw(phases) if bound else 0.0)
    if least:
        wanted = min(wanted, one.charger.least_kw(phases))
    value = one.charger.down(min(wanted, left_kw), phases)
    if value <= 0.0 and wanted >= one.charger.least_kw(phases) - 1e-6:
        # A least that lies between two values of the charger is rounded up, where there is room for that.
        value = _first(one, left_kw if first_kw is None else first_kw, phases)
    return _paced(one, value, left_kw, phases)


def _first(one: Wish, left_kw: float, phases: int) -> float:
    """Return the smallest value that charges, where there is room for it."""
    value = one.charger.up(0.0, phases)
    return value if one.charger.kw(value, phases) <= left_kw else 0.0


def _paced(one: Wish, value: float, left_kw: float, phases: int) -> float:
    """Return the new value, or the present one while it is too early for a change."""
    fits = one.charger.kw(one.value, phases) <= left_kw
    pause = PACE_S if fits else _YIELD_S
    return one.value if value != one.value and one.changed_s < pause else value
