"""The plan of demand limiting: which sheds to begin now, so that the windows of the next three hours stay low enough.

A room whose set-point is raised gives its kW after some minutes and takes nearly all of it back within the hour: such a
shed moves load, it saves none. Whoever sheds when the need is there moves the load into the next window, and has used
up the times of the day before the peak. So it is planned, by the usual course of the building (day-ahead profile,
control reference 8.6) and by what one item was measured to give and to take back (`Group.answer`):

    minimise  Σ over_w + 5·highest + 0.5·Σ begun + 0.02·Σ (owed + moved)
    subject to, for each window w,
      over_w ≥ mean of (course − answers of what was and is begun − what can be shed at once − less) − limit
      0 ≤ over_w ≤ highest
      begun within any hour, today and now ≤ items that may
      owed of the next step ≥ what is not forgotten of owed + k_per_kwh · less, and ≤ most

`less` and `owed` are of machines whose limit is moved (`controller.strategy.throttle`): chillers, whose limit gives its
kilowatts at once, for as long as their water stays cold enough.

It is made anew every minute with what was measured meanwhile, and only its first step is carried out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from controller.strategy.window import WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from controller.strategy.highs import Model
    from controller.strategy.shed import Owed

__all__ = ["BINS", "BIN_S", "Begun", "Kind", "Plan", "Problem", "Store", "at_once", "course_kw", "effect_kw", "plan"]

BIN_S = 300.0
"""Width of one value of an answer, and of one step of the plan."""
BINS = 36
"""Three hours ahead: what is begun has been taken back whole after one and a half."""
_HOUR_S = 3600.0
_OVER_COST, _HIGHEST_COST, _BEGUN_COST, _AT_ONCE_COST, _OWED_COST = 1.0, 5.0, 0.5, 0.02, 0.02
_MOVED_COST = 0.02
_QUIET = 0.97
"""Of the limit: what is below it for the whole time needs no plan."""
_LATER = 1e-3
"""Of two equal ways the later one: it can still be changed."""
_PASSES_S = 1200.0
"""In which 63 % of what is unusual of the moment passes over, and of water that is too warm."""
_SETTLED_K = 0.3
"""Water that is no warmer: nothing is owed."""
_SECONDS = 10.0
"""Where a solve ends though the machine stands."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Items of one kind that were begun at one moment."""

    at: float
    """Monotonic s."""
    group: str
    count: int
    full: bool = False
    """The machines that cool did all they could."""


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


class Store(NamedTuple):
    """Machines whose limit is moved (`controller.strategy.throttle`)."""

    kw: float
    """What they draw less now than they would, kW."""
    owed_k: float
    """How much too warm their water is, K."""
    most_kw: float
    """What they can draw less now at most."""
    how: Owed
    """How they catch up."""


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
    store: Store | None = None

    @property
    def quiet(self) -> bool:
        """Whether nothing comes near the limit within the plan, so that none is needed."""
        if self.store is not None and self.store.owed_k > _SETTLED_K:
            return False  # what is owed comes back by plan, too
        most = max(one - given for one, given in zip(self.course_kw, self.known_kw, strict=True))
        return max(most, self.used_kws / max(self.elapsed_s, 1.0)) <= _QUIET * self.limit_kw


@dataclass(frozen=True, slots=True)
class Plan:
    """What to begin now."""

    begin: tuple[tuple[str, int], ...]
    """(kind, items)."""
    means_kw: tuple[float, ...]
    """Expected means of the windows under it, the present one first."""
    store_kw: float = math.nan
    """What the machines of the store are to draw less from now on."""


def effect_kw(answer: Sequence[float], from_s: float, until_s: float) -> float:
    """Return the mean kW that one item gives between two ages, s; 0 before its begin and after its answer."""
    if until_s <= max(from_s, 0.0) or from_s >= len(answer) * BIN_S:
        return 0.0
    edges = np.arange(len(answer) + 1) * BIN_S
    sums = np.concatenate(([0.0], np.cumsum(answer) * BIN_S))
    first, last = np.interp((from_s, until_s), edges, sums)
    return float((last - first) / (until_s - from_s))


def course_kw(
    usual: Sequence[float] | NDArray[np.float64], usual_now: float, now_kw: float, more_kw: float = math.nan
) -> NDArray[np.float64]:
    """Return the expected course (BINS,): the usual one, moved by what the building draws more or less than usual.

    What it draws more now goes over, in some twenty minutes, into `more_kw`, what it drew more for long: an answer that
    is not as it was measured is over by then. Where the usual course is not known the present power stands for it.
    """
    found = np.asarray(usual, float)
    now = now_kw - usual_now
    later = now if math.isnan(more_kw) else more_kw
    moved = found + later + (now - later) * np.exp(-(np.arange(len(found)) + 0.5) * BIN_S / _PASSES_S)
    return np.where(np.isfinite(moved), np.clip(moved, 0.0, None), now_kw)


def at_once(lacks_kw: float, rest_s: float, kind: Kind) -> int:
    """Return how many items to begin without a plan, for a window that lacks so much in its rest."""
    one = effect_kw(kind.answer, 0.0, rest_s)
    if lacks_kw <= 0.0 or one <= 0.0:
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
    less, owed = ([], []) if problem.store is None else _stored(model, cost, problem.store)
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
                    terms.append((one, -kw))
        if problem.store is not None:
            for k, one in enumerate(less):
                if weights[k] > 0.0:
                    terms.append((one, -float(weights[k])))
                    terms.append((owed[k], problem.store.how.kw_per_k * float(weights[k])))
        model.row(-np.inf, problem.limit_kw - mean, [one for one, _ in terms], [weight for _, weight in terms])
        model.row(-np.inf, 0.0, [over[at], highest], [1.0, -1.0])
        windows.append((mean, terms[1:]))
    found = solve(model, np.array(cost), whole=False, seconds=_SECONDS)
    if found.status == INFEASIBLE or not len(found.value):
        raise RuntimeError(f"the plan of demand limiting: {found.status}")
    begin = tuple((kind.id, round(float(found.value[row[0]]))) for kind, row in zip(problem.kinds, begun, strict=True))
    means = tuple(mean + sum(float(found.value[one]) * weight for one, weight in terms) for mean, terms in windows)
    return Plan(begin, means, float(found.value[less[0]]) if less else math.nan)


def _stored(model: Model, cost: list[float], store: Store) -> tuple[list[int], list[int]]:
    """Return the columns of what is drawn less in each step, and of what is owed at its begin."""
    how, hours = store.how, BIN_S / _HOUR_S
    kept = math.exp(-hours / how.hours)
    above_k = max(store.owed_k - how.most_k, 0.0)
    least_kw = min(-how.most_kw, store.most_kw)
    less = [_column(model, cost, store.most_kw, 0.0, lower=least_kw) for _ in range(BINS)]
    # Water that is too warm has a while to get colder.
    most_k = (how.most_k + above_k * math.exp(-k * BIN_S / _PASSES_S) for k in range(BINS + 1))
    owed = [_column(model, cost, one, _OWED_COST) for one in most_k]
    model.row(store.owed_k, store.owed_k, [owed[0]], [1.0])
    for k in range(BINS):
        model.row(0.0, np.inf, [owed[k + 1], owed[k], less[k]], [1.0, -kept, -hours * how.k_per_kwh])
        # What the limit moves, up or down.
        moved = _column(model, cost, np.inf, _MOVED_COST)
        for sign in (1.0, -1.0):
            if k == 0:
                model.row(-sign * store.kw, np.inf, [moved, less[k]], [1.0, -sign])
            else:
                model.row(0.0, np.inf, [moved, less[k], less[k - 1]], [1.0, -sign, sign])
    return less, owed


def _column(model: Model, cost: list[float], upper: float, price: float, *, lower: float = 0.0) -> int:
    cost.append(price)
    return model.column(lower, upper)


def _columns(model: Model, cost: list[float], kind: Kind) -> list[int]:
    last = BINS - 6  # what begins at the end has no time to give anything
    return [
        _column(model, cost, float(kind.usable) if k < last else 0.0, _BEGUN_COST * (1.0 - _LATER * k))
        for k in range(BINS)
    ]


def _bounds(model: Model, kind: Kind, row: list[int]) -> None:
    """Begins now, in any hour and today."""
    hour = round(_HOUR_S / BIN_S)
    model.upper[row[0]] = min(model.upper[row[0]], float(kind.free))
    for k in range(BINS):
        before = sum(age + k * BIN_S < _HOUR_S for age in kind.ages_s)
        most = max(0.0, float(kind.usable) - before)
        within = row[max(0, k - hour + 1) : k + 1]
        model.row(-np.inf, most, within, [1.0] * len(within))
    model.row(-np.inf, float(kind.today), row, [1.0] * BINS)


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
