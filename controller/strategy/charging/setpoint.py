"""From a plan to the values that chargers take now: what is there now, rounded down, the rest to who has least time.

A plan is made every few minutes and the building moves in between. So each circuit is looked at again with what it has
room for now; who gives way is who would be short first. A value is changed at most every half minute (IEC 61851-1 asks
for 5 s, cars for more), only a limit may take it back sooner; a car that began or paused stays so for the dwell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.strategy.charging.room import Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.strategy.charging.charger import Charger
    from controller.strategy.charging.demand import Circuit, Demand

__all__ = ["PACE_S", "Wish", "laxity_h", "settle"]

PACE_S = 30.0
"""Between two changes of one charger's value."""
_YIELD_S = 5.0
"""The same when a limit takes it back."""


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
    bound = [
        one.demand.on and one.value > 0.0 and one.demand.held_h * 3600.0 < dwell_s - 1e-6 and one.kw <= 0.0
        for one in wishes
    ]
    order = sorted(
        (i for i, one in enumerate(wishes) if not one.spare),
        key=lambda i: (wishes[i].demand.rank, laxity_h(wishes[i].demand), wishes[i].charger.id),
    )
    for i in order:
        found[i] = _value(wishes[i], room.left(i), bound=bound[i], dwell_s=dwell_s)
        room.take(i, wishes[i].charger.kw(found[i], sum(wishes[i].demand.phases)))
    for i in sorted(order, key=lambda i: (laxity_h(wishes[i].demand), wishes[i].charger.id)):
        one = wishes[i]
        phases = sum(one.demand.phases)
        got, more = one.charger.kw(found[i], phases), one.charger.up(found[i], phases)
        extra = one.charger.kw(more, phases) - got
        if 0.0 < got < one.kw - 1e-9 and 0.0 < extra <= room.left(i) and one.changed_s >= PACE_S:
            found[i] = more
            room.take(i, extra)
    for i, one in enumerate(wishes):
        if one.spare:
            found[i] = _value(one, room.left(i), bound=False, dwell_s=0.0)
            room.take(i, one.charger.kw(found[i], sum(one.demand.phases)))
    return found


def _value(one: Wish, left_kw: float, *, bound: bool, dwell_s: float) -> float:
    """Return what a charger is told, when this much is left for it."""
    phases = sum(one.demand.phases)
    waits = not one.demand.on and one.demand.held_h * 3600.0 < dwell_s - 1e-6
    wanted = 0.0 if waits else max(one.kw, one.charger.least_kw(phases) if bound else 0.0)
    value = one.charger.down(min(wanted, left_kw), phases)
    if value <= 0.0 and wanted >= one.charger.least_kw(phases) - 1e-6:
        # A least that lies between two values of the charger is rounded up, where there is room for that.
        value = _first(one, left_kw, phases)
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
