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
        range(len(wishes)),
        key=lambda i: (wishes[i].demand.rank, laxity_h(wishes[i].demand), wishes[i].charger.id),
    )
    for i in order:
        one = wishes[i]
        phases = sum(one.demand.phases)
        waits = not one.demand.on and one.demand.held_h * 3600.0 < dwell_s - 1e-6
        wanted = 0.0 if waits else one.charger.least_kw(phases) if bound[i] else one.kw
        value = one.charger.down(min(wanted, room.left(i)), phases)
        if bound[i] and value <= 0.0:
            value = _first(one, room.left(i), phases)
        found[i] = _paced(one, value, room.left(i), phases)
        room.take(i, one.charger.kw(found[i], phases))
    for i in sorted(order, key=lambda i: (laxity_h(wishes[i].demand), wishes[i].charger.id)):
        one = wishes[i]
        phases = sum(one.demand.phases)
        got = one.charger.kw(found[i], phases)
        more = one.charger.up(found[i], phases)
        extra = one.charger.kw(more, phases) - got
        if 0.0 < got < one.kw - 1e-9 and 0.0 < extra <= room.left(i) and one.changed_s >= PACE_S:
            found[i] = more
            room.take(i, extra)
    return found


def _first(one: Wish, left_kw: float, phases: int) -> float:
    """Return the smallest value that charges, where there is room for it."""
    value = one.charger.up(0.0, phases)
    return value if one.charger.kw(value, phases) <= left_kw else 0.0


def _paced(one: Wish, value: float, left_kw: float, phases: int) -> float:
    """Return the new value, or the present one while it is too early for a change."""
    fits = one.charger.kw(one.value, phases) <= left_kw
    pause = PACE_S if fits else _YIELD_S
    return one.value if value != one.value and one.changed_s < pause else value
