"""The plan of demand limiting: which sheds to begin now, so that the windows of the next three hours stay low enough.

A room whose set-point is raised gives its kW after some minutes and takes nearly all of it back within the hour: such a
shed moves load, it saves none. Whoever sheds when the need is there moves the load into the next window, and has used
up the times of the day before the peak. So it is planned, by the usual course of the building (day-ahead profile,
control reference 8.6) and by what one item was measured to give and to take back (`Group.answer`):

    minimise  Σ over_w + 5·highest + 0.5·Σ begun
    subject to, for each window w,
      over_w ≥ mean of (course − answers of what was and is begun − what can be shed at once) − limit
      0 ≤ over_w ≤ highest
      begun within any hour, today and now ≤ items that may

It is made anew every minute with what was measured meanwhile, and only its first step is carried out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.strategy.window import WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from controller.strategy.highs import Model

__all__ = ["BINS", "BIN_S", "Begun", "Kind", "Plan", "Problem", "at_once", "course_kw", "effect_kw", "plan"]

BIN_S = 300.0
"""Width of one value of an answer, and of one step of the plan."""
BINS = 36
"""Three hours ahead: what is begun has been taken back whole after one and a half."""
_HOUR_S = 3600.0
_OVER_COST, _HIGHEST_COST, _BEGUN_COST, _AT_ONCE_COST = 1.0, 5.0, 0.5, 0.02
_QUIET = 0.97
"""Of the limit: what is below it for the whole time needs no plan."""
_LATER = 1e-3
"""Of two equal ways the later one: it can still be changed."""
_GAP, _SLACK_KW, _NODES, _SECONDS = 1e-2, 0.02, 500, 10.0
"""Where a solve ends: by gap and nodes, so that the same plan comes again; by time where the machine stands."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Items of one kind that were begun at one moment."""

    at: float
    """Monotonic s."""
    group: str
    count: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A group of the shed list that is planned."""

    id: str
    answer: tuple[float, ...]
    """(A,) kW that one item gives in each 5 minutes from its begin; below 0: what it takes back."""
    free: int
    """Items that may begin now."""
    usable: int
    """Items that may be shed within the hours to come, those that are shed now among them."""
    today: int
    """Begins that are left of the day."""
    ages_s: tuple[float, ...] = ()
    """How long ago those of the last hour began, one for each item, s."""
    whole: bool = False
    """All its items begin together or none."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is known at the moment of a plan."""

    elapsed_s: float
    """Of the present window."""
    used_kws: float
    """kW·s of it so far."""
    course_kw: tuple[float, ...]
    """(BINS,) expected power in each step from now on, with nothing of the kinds shed."""
    known_kw: tuple[float, ...]
    """(BINS,) what those that were begun already give in it."""
    at_once_kw: float
    """What can be shed at any moment and for any time: chargers."""
    limit_kw: float
    kinds: tuple[Kind, ...]

    @property
    def quiet(self) -> bool:
        """Whether nothing comes near the limit within the plan, so that none is needed."""
        most = max(one - given for one, given in zip(self.course_kw, self.known_kw, strict=True))
        return max(most, self.used_kws / max(self.elapsed_s, 1.0)) <= _QUIET * self.limit_kw


@dataclass(frozen=True, slots=True)
class Plan:
    """What to begin now."""

    begin: tuple[tuple[str, int], ...]
    """(kind, items)."""
    means_kw: tuple[float, ...]
    """Expected means of the windows under it, the present one first."""


def effect_kw(answer: Sequence[float], from_s: float, until_s: float) -> float:
    """Return the mean kW that one item gives between two ages, s; 0 before its begin and after its answer."""
    if until_s <= from_s:
        return 0.0
    edges = np.arange(len(answer) + 1) * BIN_S
    sums = np.concatenate(([0.0], np.cumsum(answer) * BIN_S))
    first, last = np.interp((from_s, until_s), edges, sums)
    return float((last - first) / (until_s - from_s))


def course_kw(usual: Sequence[float] | NDArray[np.float64], usual_now: float, now_kw: float) -> NDArray[np.float64]:
    """Return the expected course: the usual one, moved by what the building draws more or less than usual now.

    Where the usual course is not known the present power stands for it.
    """
    found = np.asarray(usual, float)
    moved = found + (now_kw - usual_now)
    return np.where(np.isfinite(moved), np.clip(moved, 0.0, None), now_kw)


def at_once(lacks_kw: float, rest_s: float, kind: Kind) -> int:
    """Return how many items to begin without a plan, for a window that lacks so much in its rest."""
    one = effect_kw(kind.answer, 0.0, rest_s)
    if lacks_kw <= 0.0 or one <= 0.0 or kind.whole:
        return 0
    return min(kind.free, math.ceil(lacks_kw / one))


def plan(problem: Problem) -> Plan:
    """Return what to begin. For the job process.

    Raises:
        RuntimeError: the programme was not solved.
    """
    from controller.strategy.highs import INFEASIBLE, Model, solve  # noqa: PLC0415 - the job's

    model, cost = Model(), list[float]()

    spans = _spans(problem.elapsed_s)
    over = [_column(model, cost, np.inf, _OVER_COST) for _ in spans]
    highest = _column(model, cost, np.inf, _HIGHEST_COST)
    at_once_ = [_column(model, cost, 1.0, _AT_ONCE_COST) for _ in range(BINS)]
    begun = [_columns(model, cost, kind) for kind in problem.kinds]
    for kind, row in zip(problem.kinds, begun, strict=True):
        _bounds(model, kind, row)
    windows = list[tuple[float, list[tuple[int, float]]]]()
    for at, (first_s, last_s) in enumerate(spans):
        weights = _overlap(first_s, last_s) / WINDOW_S
        mean = float(weights @ (np.array(problem.course_kw) - np.array(problem.known_kw)))
        if at == 0:
            mean += problem.used_kws / WINDOW_S
        terms: list[tuple[int, float]] = [(over[at], -1.0)]
        terms += [(one, -problem.at_once_kw * float(weights[k])) for k, one in enumerate(at_once_) if weights[k] > 0.0]
        for kind, row in zip(problem.kinds, begun, strict=True):
            for k, one in enumerate(row):
                share = (last_s - first_s) / WINDOW_S
                kw = effect_kw(kind.answer, first_s - k * BIN_S, last_s - k * BIN_S) * share
                if kw != 0.0:
                    terms.append((one, -kw * _size(kind)))
        model.row(-np.inf, problem.limit_kw - mean, [one for one, _ in terms], [weight for _, weight in terms])
        model.row(-np.inf, 0.0, [over[at], highest], [1.0, -1.0])
        windows.append((mean, terms[1:]))
    found = solve(model, np.array(cost), whole=True, gap=_GAP, slack=_SLACK_KW, nodes=_NODES, seconds=_SECONDS)
    if found.status == INFEASIBLE or not len(found.value):
        raise RuntimeError(f"the plan of demand limiting: {found.status}")
    begin = tuple(
        (kind.id, round(float(found.value[row[0]])) * _size(kind))
        for kind, row in zip(problem.kinds, begun, strict=True)
    )
    means = tuple(mean + sum(float(found.value[one]) * weight for one, weight in terms) for mean, terms in windows)
    return Plan(begin, means)


def _column(model: Model, cost: list[float], upper: float, price: float, *, whole: bool = False) -> int:
    cost.append(price)
    return model.column(0.0, upper, whole=whole)


def _size(kind: Kind) -> int:
    return kind.usable if kind.whole else 1


def _columns(model: Model, cost: list[float], kind: Kind) -> list[int]:
    price = _BEGUN_COST * _size(kind)
    most = 1.0 if kind.whole else float(kind.usable)
    last = BINS - 6  # what begins at the end has no time to give anything
    return [
        _column(model, cost, most if k < last else 0.0, price * (1.0 - _LATER * k), whole=kind.whole)
        for k in range(BINS)
    ]


def _bounds(model: Model, kind: Kind, row: list[int]) -> None:
    """Begins now, in any hour and today."""
    size = _size(kind)
    hour = round(_HOUR_S / BIN_S)
    now = (kind.free // size if size else 0) if kind.whole else kind.free
    model.upper[row[0]] = min(model.upper[row[0]], float(now))
    for k in range(BINS):
        before = sum(age + k * BIN_S < _HOUR_S for age in kind.ages_s) / max(size, 1)
        most = max(0.0, (1.0 if kind.whole else float(kind.usable)) - before)
        within = row[max(0, k - hour + 1) : k + 1]
        model.row(-np.inf, most, within, [1.0] * len(within))
    model.row(-np.inf, float(kind.today // max(size, 1)), row, [1.0] * BINS)


def _spans(elapsed_s: float) -> list[tuple[float, float]]:
    """Return the windows from now on, each from and until so many seconds from now; whole ones within the plan."""
    spans = [(0.0, WINDOW_S - elapsed_s)]
    while spans[-1][1] + WINDOW_S <= BINS * BIN_S:
        spans.append((spans[-1][1], spans[-1][1] + WINDOW_S))
    return spans


def _overlap(first_s: float, last_s: float) -> NDArray[np.float64]:
    """Return the seconds that each step of the plan has within a span (BINS,)."""
    begins = np.arange(BINS) * BIN_S
    return np.asarray(np.clip(np.minimum(last_s, begins + BIN_S) - np.maximum(first_s, begins), 0.0, None))
