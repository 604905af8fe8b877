"""The plan: the programme solved in stages, what had to be relaxed for it, and who will be short.

Where not everything is possible, limits and wishes give way in this order, one after the other until there is a plan:
smoothness (ramp and dwell), unbalance of the phases, then energy of visitors, staff, childcare and disabled bays, the
fleet, and last of who was declared first. Limits of circuits never give way. Within a rank as little as possible is
unserved, and evenly; only then the cost is as small as it can be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.clock import SystemClock
from controller.strategy.charging.demand import Rank
from controller.strategy.charging.programme import Programme
from controller.strategy.charging.rounding import rounded
from controller.strategy.highs import INFEASIBLE, OPTIMAL, Solution, solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from controller.strategy.charging.demand import Effort, Problem

__all__ = ["ORDER", "SMOOTHNESS", "Plan", "make_plan"]

SMOOTHNESS, UNBALANCE = "smoothness", "unbalance"
ORDER: tuple[str, ...] = (SMOOTHNESS, UNBALANCE, "visitor", "staff", "priority", "fleet", "first")
"""What gives way, the first first."""
_SLACK_KWH = 0.02
"""A rank is served well enough when this much or less could still be gained."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """An answer to a problem."""

    power_kw: NDArray[np.float64]
    """Of each car in each step (N, T): 0, or from its least to its most."""
    short_kwh: NDArray[np.float64]
    """Of each car, what it will lack when it goes (N,)."""
    hopeless_kwh: NDArray[np.float64]
    """Part of that which no plan could deliver: it goes too soon for what it takes (N,)."""
    cost: float
    """NT$ of energy and peak; NaN where no price is known."""
    relaxed: tuple[str, ...]
    """Of `ORDER`, what gave way."""
    method: str
    """`optimal` within the gap, `stopped` with the gap reached, or `rounded`."""
    gap: float
    """Relative distance from the best bound; infinite when rounded."""
    nodes: int


class _Search:
    """The effort, and what is left of it."""

    def __init__(self, effort: Effort) -> None:
        self._effort = effort
        self._now = SystemClock().monotonic
        self._ends = None if effort.seconds is None else self._now() + effort.seconds

    def solve(self, programme: Programme, cost: NDArray[np.float64], *, slack: float = 1e-6) -> Solution:
        """Search: the linear relaxation, then near to it, and everywhere only where that is not good enough.

        Near to it is nearly always within the gap of the bound that the relaxation gives, and twenty times faster.
        """
        effort, model = self._effort, programme.model
        relaxed = solve(model, cost, whole=False)
        if not relaxed.value.size:
            return relaxed
        near = solve(
            model,
            cost,
            whole=True,
            gap=effort.gap / 10.0,
            slack=slack / 10.0,
            nodes=effort.nodes,
            seconds=self._left(),
            bounds=programme.near(relaxed.value),
        )
        start = None
        if near.value.size:
            start = near.value
            distance = near.objective - relaxed.objective
            if distance <= max(effort.gap * abs(near.objective), slack):
                gap = max(distance, 0.0) / max(abs(near.objective), slack)
                return Solution(OPTIMAL, near.value, near.objective, gap, near.nodes)
        left = self._left()
        found = solve(
            model, cost, whole=True, gap=effort.gap, slack=slack, nodes=effort.nodes, seconds=left, start=start
        )
        return replace(found, nodes=found.nodes + near.nodes)

    def _left(self) -> float | None:
        return None if self._ends is None else self._ends - self._now()


def make_plan(problem: Problem) -> Plan:
    """Return the plan; a module-level function of one picklable argument, as the job process wants it.

    Raises:
        ValueError: the problem has no car.
    """
    if not problem.demands:
        raise ValueError("a plan without a car")
    effort = _Search(problem.effort)
    programme = Programme(problem)
    relaxed = 0
    nodes = 0
    while True:
        _relax(programme, relaxed)
        done = _search(programme, effort, relaxed)
        nodes += done.nodes
        if done.status != INFEASIBLE:
            break
        if relaxed == len(ORDER):
            done = Solution(INFEASIBLE, np.empty(0), np.inf, np.inf, nodes)
            break
        relaxed += 1
    if done.value.size:
        power = programme.powers(done.value)
        method = "optimal" if done.status == OPTIMAL else "stopped"
    else:
        power, method = rounded(problem, _relaxation(programme, relaxed)), "rounded"
    return _report(programme, power, ORDER[:relaxed], method, done, nodes)


def _relax(programme: Programme, relaxed: int) -> None:
    """Apply the latest of the first `relaxed` steps of `ORDER`."""
    if relaxed:
        what = ORDER[relaxed - 1]
        if what == SMOOTHNESS:
            programme.relax_smoothness()
        elif what == UNBALANCE:
            programme.relax_unbalance()
        else:
            programme.relax(Rank[what.upper()])


def _search(programme: Programme, effort: _Search, relaxed: int) -> Solution:
    """Serve the ranks that may be short, the most important first, then look for the least cost."""
    nodes = 0
    for what in reversed(ORDER[2:relaxed]):
        rank = Rank[what.upper()]
        if not any(one.rank == rank for one in programme.problem.demands):
            continue
        found = effort.solve(programme, programme.shortage(rank), slack=_SLACK_KWH)
        nodes += found.nodes
        if not found.value.size:
            return Solution(found.status, found.value, found.objective, found.gap, nodes)
        programme.hold(rank, found.value)
    found = effort.solve(programme, programme.cost())
    return Solution(found.status, found.value, found.objective, found.gap, nodes + found.nodes)


def _relaxation(programme: Programme, relaxed: int) -> NDArray[np.float64]:
    """Return what the linear relaxation gives, in the same stages, kW (N, T); zeros where it has no answer."""
    for what in reversed(ORDER[2:relaxed]):
        found = solve(programme.model, programme.shortage(Rank[what.upper()]), whole=False)
        if found.value.size:
            programme.hold(Rank[what.upper()], found.value)
    found = solve(programme.model, programme.cost(), whole=False)
    wish = np.zeros(programme.overlap.shape)
    if found.value.size:
        there = programme.power >= 0
        wish[there] = found.value[programme.power[there]]
    return wish


def _report(
    programme: Programme,
    power: NDArray[np.float64],
    relaxed: tuple[str, ...],
    method: str,
    done: Solution,
    nodes: int,
) -> Plan:
    problem = programme.problem
    wanted = np.array([one.kwh for one in problem.demands])
    given = (power * programme.overlap).sum(axis=1)
    energy = float((problem.prices() * power * programme.overlap).sum()) if problem.price else np.nan
    mean = (power * programme.overlap).sum(axis=0) / programme.hours
    other = np.asarray(problem.other_kw or (0.0,) * len(programme.hours))
    peak = max(float((mean + other).max()) - problem.peak_kw, 0.0) * problem.peak_price if problem.peak_price else 0.0
    gap = done.gap if method != "rounded" else np.inf
    short = np.clip(wanted - given, 0.0, None)
    short[short < _SLACK_KWH] = 0.0
    return Plan(power, short, np.clip(wanted - programme.reach, 0.0, None), energy + peak, relaxed, method, gap, nodes)
