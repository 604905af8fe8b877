"""The rounded plan: what a linear relaxation wants, made of real currents by going through the steps once.

It stands in where the search for whole numbers ended without an answer. It keeps every limit of every circuit, 6 A or
off, and the dwell where there is room for it; it is not the cheapest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.strategy.charging.room import Room

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from controller.strategy.charging.demand import Problem

__all__ = ["rounded"]


def rounded(problem: Problem, wish: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return powers (N, T), kW, near to `wish` (N, T), what the linear relaxation gives each car in each step.

    What a step leaves out or adds is carried to the next. Then what is still missing fills the cheapest steps.
    """
    demands, hours = problem.demands, np.asarray(problem.hours)
    overlap = problem.overlap()
    power = np.zeros(wish.shape)
    rooms = [Room(demands, problem.circuits, t) for t in range(len(hours))]
    able = [one.most_kw >= one.least_kw for one in demands]
    left = np.array([one.kwh for one in demands], np.float64)
    owed = np.zeros(len(demands))
    held = np.array([one.held_h for one in demands], np.float64)
    on = np.array([one.on and one.comes_h <= 0.0 for one in demands], np.bool_)
    for t, length in enumerate(hours):
        owed += wish[:, t] * overlap[:, t]
        bound = on & (held < problem.dwell_h - 1e-9)
        ends = [one.leaves_h - hours[:t].sum() for one in demands]
        order = sorted(
            np.flatnonzero(overlap[:, t] > 0.0).tolist(),
            key=lambda i: (not bound[i], demands[i].rank, ends[i] - left[i] / demands[i].most_kw, i),
        )
        for i in order:
            one, span = demands[i], overlap[i, t]
            waits = not on[i] and held[i] < problem.dwell_h - 1e-9
            want = min(owed[i] / span, one.most_kw) if left[i] > 1e-6 else 0.0
            if bound[i] or (want < one.least_kw and want >= one.least_kw / 2.0):
                want = max(want, one.least_kw)
            fit = min(want, rooms[t].left(i))
            if not able[i] or waits or fit < one.least_kw:
                fit = 0.0
            _give(power, rooms[t], i, t, fit)
            owed[i] -= fit * span
            left[i] -= fit * span
            held[i] = length + (held[i] if (fit > 0.0) == on[i] else 0.0)
            on[i] = fit > 0.0
    _fill(problem, power, overlap, rooms, left)
    return power


def _give(power: NDArray[np.float64], room: Room, i: int, t: int, kw: float) -> None:
    power[i, t] += kw
    room.take(i, kw)


def _fill(
    problem: Problem,
    power: NDArray[np.float64],
    overlap: NDArray[np.float64],
    rooms: list[Room],
    left: NDArray[np.float64],
) -> None:
    """Give what is missing, the most important cars first, in steps where they charge already, the cheapest first."""
    price = problem.prices()
    cheapest = sorted(range(len(problem.hours)), key=lambda t: (float(price[t]), t))
    for i in sorted(range(len(left)), key=lambda i: (problem.demands[i].rank, i)):
        one = problem.demands[i]
        for begin in (False, True):
            for t in cheapest:
                if left[i] <= 1e-3 or (power[i, t] <= 0.0) != begin or overlap[i, t] <= 0.0:
                    continue
                more = min(one.most_kw - power[i, t], rooms[t].left(i), left[i] / overlap[i, t])
                if begin:
                    # A new start is as long as a dwell, so it needs a step of that length to itself.
                    if problem.hours[t] < problem.dwell_h - 1e-9 or rooms[t].left(i) < one.least_kw:
                        continue
                    more = max(more, one.least_kw)
                    if one.most_kw < one.least_kw:
                        continue
                if more > 0.0:
                    _give(power, rooms[t], i, t, more)
                    left[i] -= more * overlap[i, t]
