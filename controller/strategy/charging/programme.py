"""The charging programme: cars, steps, limits and prices as a mixed-integer linear programme (control reference, 9).

Power p and "on" z of each car in each step while it is there, what stays unserved u, and the month's peak m:

    minimise   Σ price·h·p + peak price·m + a little for late charging
    energy     Σ h·p + u − v = wanted           v: the last bit of a car that is full before its least current says so
    6 A or off least·z ≤ p ≤ most·z
    circuit    Σ p ≤ room, and of each phase Σ p/kW_A ≤ amperes        never relaxed
    dwell      z[t] − z[t−1] ≤ z[s], and the other way round, for steps s that begin within the dwell
    ramp       |Σ p[t] − Σ p[t−1]| ≤ ramp
    unbalance  |I of a phase − I of another| ≤ unbalance
    peak       m ≥ Σ p + other − peak
    share      u ≤ wanted·w of its rank: among equals the largest missing share is kept small

Measured with HiGHS 1.16 as `benchmarks/charging.py` prints it.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from controller.strategy.charging.demand import Rank
from controller.strategy.highs import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from controller.strategy.charging.demand import Problem

__all__ = ["Programme"]

_LATE = 0.2
"""NT$/kWh for charging some time instead of now. Prices by day and by night differ by much more, so it decides between
nearly equal ones: early is safe, for who comes later finds room."""
_SOON_H = 2.0
"""Of that, two thirds in the first hours: over a day it would drown in the gap that the search may leave."""
_MARGIN = 1e-5
"""kW and A kept off each limit, above the tolerance of the solver."""
_ENOUGH_KWH = 0.005
"""So much may be missing of a car that counts as served: a wish that fills a limit exactly is no shortage."""
_MISSING = 100.0
"""NT$/kWh of that, so that it is used where it must be only."""
_SMALL_KW = 1e-6
_SHARE_KWH = 1.0
"""What a whole missing share costs beside the missing energy itself."""


class Programme:
    """A problem as columns and rows, and the ways in which it may be relaxed."""

    def __init__(self, problem: Problem) -> None:
        """Put it together: rigid, with nothing unserved."""
        self.problem = problem
        self.model = Model()
        self.overlap = problem.overlap()
        self.hours = np.asarray(problem.hours)
        demands = problem.demands
        able = np.array([one.most_kw >= one.least_kw for one in demands], np.bool_)
        self.power = np.full(self.overlap.shape, -1, np.int64)
        """Column of each car and step; −1 where it is not there (N, T)."""
        self._on = np.full(self.overlap.shape, -1, np.int64)
        for i, t in zip(*np.nonzero((self.overlap > 0.0) & able.reshape(-1, 1)), strict=True):
            self.power[i, t] = self.model.column(0.0, demands[i].most_kw)
            self._on[i, t] = self.model.column(0.0, 1.0, whole=True)
        most = np.array([one.most_kw for one in demands])
        self.reach = np.where(able, self.overlap.sum(axis=1) * most, 0.0)
        """kWh that each could take until it goes with no limit but its own."""
        self.wanted = np.minimum([one.kwh for one in demands], self.reach)
        self._short = [self.model.column(0.0, _ENOUGH_KWH) for _ in demands]
        self._share = {rank: self.model.column(0.0, 1.0) for rank in Rank}
        self._peak = self.model.column(0.0, math.inf)
        self._smooth: list[int] = []
        self._balance: list[int] = []
        self._cars()
        self._dwell()
        self._circuits()
        self._ramp()
        self._unbalance()
        self._peaks()

    # -- rows --------------------------------------------------------------------------------------------------------

    def _there(self, i: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.power[i] >= 0)

    def _cars(self) -> None:
        longest = max(self.problem.dwell_h, *self.problem.hours)
        for i, one in enumerate(self.problem.demands):
            steps = self._there(i)
            rest = self.model.column(0.0, one.least_kw * longest)
            index = [*self.power[i, steps].tolist(), self._short[i], rest]
            weight = [*self.overlap[i, steps].tolist(), 1.0, -1.0]
            self.model.row(self.wanted[i], self.wanted[i], index, weight)
            self.model.row(-math.inf, _ENOUGH_KWH, [self._short[i], self._share[one.rank]], [1.0, -self.wanted[i]])
            for t in steps:
                pair = [int(self.power[i, t]), int(self._on[i, t])]
                self.model.row(-math.inf, 0.0, pair, [1.0, -one.most_kw])
                self.model.row(0.0, math.inf, pair, [1.0, -one.least_kw])

    def _dwell(self) -> None:
        dwell = self.problem.dwell_h - 1e-9
        starts = np.cumsum(self.hours) - self.hours
        for i, one in enumerate(self.problem.demands):
            steps, on = self._there(i), self._on[i]
            if one.comes_h <= 0.0:
                for t in steps[starts[steps] < dwell - one.held_h]:
                    self._smooth.append(self.model.row(float(one.on), float(one.on), [int(on[t])], [1.0]))
            for at, t in enumerate(steps):
                before = int(on[steps[at - 1]]) if at else -1
                was = float(one.on and one.comes_h <= 0.0) if at == 0 else 0.0
                for s in steps[at + 1 :]:
                    if starts[s] - starts[t] >= dwell:
                        break
                    index = [int(on[t]), int(on[s])] if before < 0 else [int(on[t]), int(on[s]), before]
                    self._smooth.append(self.model.row(-math.inf, was, index, [1.0, -1.0, -1.0][: len(index)]))
                    self._smooth.append(self.model.row(-math.inf, 1.0 - was, index, [-1.0, 1.0, 1.0][: len(index)]))

    def _circuits(self) -> None:
        demands = self.problem.demands
        for circuit in self.problem.circuits:
            members = [i for i, one in enumerate(demands) if one.charger in circuit.chargers]
            for t in range(len(self.hours)):
                here = [i for i in members if self.power[i, t] >= 0]
                room = max(circuit.room_kw[t] - _MARGIN, 0.0)
                if sum(demands[i].most_kw for i in here) > room:
                    self.model.row(-math.inf, room, self.power[here, t].tolist(), [1.0] * len(here))
                if math.isfinite(circuit.room_a):
                    self._phases(here, t, max(circuit.room_a - _MARGIN, 0.0))

    def _phases(self, here: list[int], t: int, room_a: float) -> None:
        demands = self.problem.demands
        seen: set[tuple[int, ...]] = set()
        for phase in range(3):
            on = tuple(i for i in here if demands[i].phases[phase])
            if on in seen or sum(demands[i].most_kw / demands[i].kw_a for i in on) <= room_a:
                continue
            seen.add(on)
            weight = [1.0 / demands[i].kw_a for i in on]
            self.model.row(-math.inf, room_a, self.power[list(on), t].tolist(), weight)

    def _ramp(self) -> None:
        if not math.isfinite(self.problem.ramp_kw):
            return
        for t in range(1, len(self.hours)):
            after, before = self.power[:, t], self.power[:, t - 1]
            index = [*after[after >= 0].tolist(), *before[before >= 0].tolist()]
            weight = [1.0] * int((after >= 0).sum()) + [-1.0] * int((before >= 0).sum())
            if index:
                self._smooth.append(self.model.row(-self.problem.ramp_kw, self.problem.ramp_kw, index, weight))

    def _unbalance(self) -> None:
        demands, limit = self.problem.demands, self.problem.unbalance_a
        if not math.isfinite(limit):
            return
        uneven = [i for i, one in enumerate(demands) if not all(one.phases)]
        for t in range(len(self.hours)):
            here = [i for i in uneven if self.power[i, t] >= 0]
            for one, other in combinations(range(3), 2):
                sign = [float(demands[i].phases[one]) - float(demands[i].phases[other]) for i in here]
                index = [int(self.power[i, t]) for i, by in zip(here, sign, strict=True) if by]
                weight = [by / demands[i].kw_a for i, by in zip(here, sign, strict=True) if by]
                if index:
                    self._balance.append(self.model.row(-limit + _MARGIN, limit - _MARGIN, index, weight))

    def _peaks(self) -> None:
        problem = self.problem
        if not problem.price or problem.peak_price <= 0.0 or not math.isfinite(problem.peak_kw):
            return
        other = problem.other_kw or (0.0,) * len(self.hours)
        for t, hours in enumerate(self.hours):
            here = np.flatnonzero(self.power[:, t] >= 0)
            weight = (self.overlap[here, t] / hours).tolist()
            room = problem.peak_kw - other[t]
            self.model.row(-math.inf, room, [*self.power[here, t].tolist(), self._peak], [*weight, -1.0])

    # -- relaxing ----------------------------------------------------------------------------------------------------

    def relax_smoothness(self) -> None:
        """Drop ramp and dwell."""
        self._drop(self._smooth)

    def relax_unbalance(self) -> None:
        """Drop the limit between phases; the amperes of each phase stay."""
        self._drop(self._balance)

    def _drop(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.model.row_lower[row], self.model.row_upper[row] = -math.inf, math.inf

    def relax(self, rank: Rank) -> None:
        """Let the cars of a rank be short."""
        for i, one in enumerate(self.problem.demands):
            if one.rank == rank:
                self.model.upper[self._short[i]] = max(self.wanted[i], _ENOUGH_KWH)

    def hold(self, rank: Rank, value: NDArray[np.float64]) -> None:
        """Keep a rank as well served as in a solution: a later stage takes nothing from it."""
        index = [self._short[i] for i, one in enumerate(self.problem.demands) if one.rank == rank]
        if index:
            self.model.row(-math.inf, float(value[index].sum()) + 0.02, index, [1.0] * len(index))
            share = self._share[rank]
            self.model.upper[share] = min(self.model.upper[share], float(value[share]) + 0.01)

    def near(self, value: NDArray[np.float64]) -> tuple[list[float], list[float]]:
        """Return the bounds of all columns around the linear relaxation: only what it leaves open stays open.

        A car is off where it gets nothing, on where it gets its least or more; open are the steps between these, and
        their neighbours, so that two halves can become one whole.
        """
        there = self.power >= 0
        power = np.zeros(self.overlap.shape)
        power[there] = value[self.power[there]]
        least = np.array([one.least_kw for one in self.problem.demands]).reshape(-1, 1)
        unsure = (power > _SMALL_KW) & (power < least - _SMALL_KW)
        wide = unsure.copy()
        wide[:, 1:] |= unsure[:, :-1]
        wide[:, :-1] |= unsure[:, 1:]
        lower, upper = list(self.model.lower), list(self.model.upper)
        for i, t in zip(*np.nonzero(there & ~wide), strict=True):
            on = int(self._on[i, t])
            lower[on] = upper[on] = float(power[i, t] > _SMALL_KW)
        return lower, upper

    # -- objectives and answers --------------------------------------------------------------------------------------

    def shortage(self, rank: Rank) -> NDArray[np.float64]:
        """Return the objective "as little as possible unserved in this rank, and evenly"."""
        cost = np.zeros(len(self.model.lower))
        cost[[self._short[i] for i, one in enumerate(self.problem.demands) if one.rank == rank]] = 1.0
        cost[self._share[rank]] = _SHARE_KWH
        return cost

    def cost(self) -> NDArray[np.float64]:
        """Return the objective in NT$."""
        cost = np.zeros(len(self.model.lower))
        middle = np.cumsum(self.hours) - self.hours / 2.0
        late = _LATE * (1.0 - np.exp(-middle / _SOON_H))
        # Who needs most of his time to be full comes first: he may take less at the end than he says, or go earlier.
        share = self.wanted / np.maximum(self.reach, 1e-9)
        there = self.power >= 0
        rate = self.problem.prices() + late * (0.5 + share).reshape(-1, 1)
        cost[self.power[there]] = (rate * self.overlap)[there]
        cost[self._peak] = self.problem.peak_price
        for short in self._short:
            if self.model.upper[short] <= _ENOUGH_KWH:
                cost[short] = _MISSING
        return cost

    def powers(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the power of each car and step, kW (N, T): 0, or between its least and its most."""
        found = np.zeros(self.overlap.shape)
        there = self.power >= 0
        found[there] = value[self.power[there]]
        least = np.array([one.least_kw for one in self.problem.demands]).reshape(-1, 1)
        most = np.array([one.most_kw for one in self.problem.demands]).reshape(-1, 1)
        return np.where(found < least / 2.0, 0.0, np.clip(found, least, most))
