"""Perfect foresight of demand limiting: the fewest windows above contract that any shedding of a known day could leave.

A mixed-integer programme over the day's 15-minute windows, with the undisturbed load, comfort and power of every item
known before. It is a bound: wherever it is simpler than the building or the strategy, it is so in the optimum's favour.

Held as the strategy holds it: which items there are; what an air handler may be shed an hour and a day (a spell is
never longer than what an hour allows: three spells a day are three times that at most); that nothing is shed
in minutes in which a room is known to be too warm or its air too bad, nor begun near that; that fan and room of one air
handler share their time; and that the building takes back a part of what it gave.

In the optimum's favour:
- minutes of a window are a number without order: neither least times, rests and rates, nor the settling of the power,
  nor whole items; an hour is four windows, not any 60 minutes;
- comfort is that of the undisturbed day: what a shed warms up itself never ends it, and never forbids another one;
- what a group gives is what the whole of it was seen to give on that very day, in relation to what its machines draw
  (`responses`): the greater of two sheds and a quarter more, all that came until the building took it back, in the
  window of the shed or the one after it as suits best; groups together give the sum;
- what is taken back is the smaller of two sheds, a quarter less, in whichever of six windows hurts least;
- chargers and chillers give all that is above their last level, and pumps all that they draw: no car needs it later,
  no water warms up, and nothing is taken back.

That it is a bound in spite of being measured is asserted by whoever prints it: no day under the strategy may be better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.strategy.highs import OPTIMAL, Model, solve
from tests.virtual.demand_day import WINDOWS, groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tests.virtual.demand_day import Response, Undisturbed

__all__ = ["Optimum", "optimum"]

_HOUR = 4
_WINDOW_MIN = 15.0
_FAVOUR, _MILD = 1.25, 0.75
_BACK = 6
"""Windows within which what is taken back comes."""
_WINDOW_COST = 1e5
"""kW that one window above the contract weighs: more than all of a day can be above it together."""
_SHED_COST = 1e-4
"""kW that one minute of one item weighs: of equal ways the one that sheds least."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """What perfect foresight reaches."""

    above: int
    """Windows above the contract."""
    over_kw: float
    """Σ kW above it, over those windows."""
    kw: NDArray[np.float64]
    """(W,) mean power."""
    item_minutes: float


@dataclass(slots=True)
class _Program:
    """The rows as they come together; `kw[w]` collects (column, kW a unit) of each window."""

    model: Model
    cost: list[float]
    kw: list[list[tuple[int, float]]]

    def column(self, upper: float, cost: float = 0.0, *, whole: bool = False) -> int:
        self.cost.append(cost)
        return self.model.column(0.0, upper, whole=whole)

    def at_most(self, limit: float, *terms: tuple[int, float]) -> None:
        self.model.row(-np.inf, limit, [column for column, _ in terms], [weight for _, weight in terms])

    def zero(self, *terms: tuple[int, float]) -> None:
        self.model.row(0.0, 0.0, [column for column, _ in terms], [weight for _, weight in terms])


def optimum(day: Undisturbed, responses: Mapping[str, Response], contract_kw: float) -> Optimum:
    """Return the optimum of a day against a contract capacity, kW.

    Raises:
        RuntimeError: the programme was not solved to its end.
    """
    program = _Program(Model(), [], [[] for _ in range(WINDOWS)])
    minutes = _items(program, day)
    for group, places in groups(day.demand).items():
        if group in responses:
            _answered(program, day, responses[group], {at: minutes[at] for at in places})
        else:
            _measured(program, day, {at: minutes[at] for at in places})
    most = float(day.kw.max())
    above = [program.column(1.0, _WINDOW_COST, whole=True) for _ in range(WINDOWS)]
    over = [program.column(most, 1.0) for _ in range(WINDOWS)]
    for window in range(WINDOWS):
        program.at_most(contract_kw - day.kw[window], (over[window], -1.0), *program.kw[window])
        program.at_most(0.0, (over[window], 1.0), (above[window], -most))
    found = solve(program.model, np.array(program.cost), whole=True, gap=1e-7, slack=0.02, seconds=60.0)
    if found.status != OPTIMAL:
        raise RuntimeError(f"the optimum against {contract_kw:.0f} kW: {found.status}")
    kw = np.array(
        [day.kw[w] + sum(found.value[column] * weight for column, weight in program.kw[w]) for w in range(WINDOWS)]
    )
    return Optimum(
        above=round(sum(found.value[column] for column in above)),
        over_kw=float(sum(found.value[column] for column in over)),
        kw=kw,
        item_minutes=float(sum(found.value[column] for row in minutes for column in row)),
    )


def _items(program: _Program, day: Undisturbed) -> list[list[int]]:
    """Return the column with the minutes of each item and window, bound by comfort, hour and day."""
    items = day.demand.items
    found = [
        [program.column(min(_WINDOW_MIN, float(day.minutes[at, window])), _SHED_COST) for window in range(WINDOWS)]
        for at in range(len(items))
    ]
    together: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        together.setdefault(item.equipment, []).append(at)
    for places in together.values():
        limits = [items[at].group for at in places if np.isfinite(items[at].group.minutes_per_hour)]
        if not limits:
            continue
        most = max(limits, key=lambda group: group.minutes_per_hour)
        rows = [(found[at], items[at].group) for at in places]
        if len(places) > 1:
            shared = [program.column(_WINDOW_MIN) for _ in range(WINDOWS)]
            for row, _ in rows:
                for one, whole in zip(row, shared, strict=True):
                    program.at_most(0.0, (one, 1.0), (whole, -1.0))
            rows.append((shared, most))
        for row, group in rows:
            for first in range(WINDOWS - _HOUR + 1):
                program.at_most(group.minutes_per_hour, *((column, 1.0) for column in row[first : first + _HOUR]))
            program.at_most(group.minutes_per_hour * group.times_per_day, *((column, 1.0) for column in row))
    return found


def _measured(program: _Program, day: Undisturbed, minutes: Mapping[int, list[int]]) -> None:
    """What is above the last level of an item whose power is measured."""
    for at, row in minutes.items():
        group = day.demand.items[at].group
        for window, column in enumerate(row):
            above = max(0.0, float(day.power[at, window]) - group.kw_per_unit * group.levels[-1])
            program.kw[window].append((column, -above / _WINDOW_MIN))


def _answered(program: _Program, day: Undisturbed, response: Response, minutes: Mapping[int, list[int]]) -> None:
    """What a group was seen to give and take back, in relation to what its machines draw."""
    given = [program.column(np.inf) for _ in range(WINDOWS)]
    later = [program.column(np.inf) for _ in range(WINDOWS)]
    for window in range(WINDOWS):
        # Mean kW of a window: what was given in it at once, and what comes in the next one.
        terms = [
            (row[window], _FAVOUR * response.gain * float(day.power[at, window]) / _WINDOW_MIN)
            for at, row in minutes.items()
        ]
        program.zero((given[window], -1.0), (later[window], -1.0), *terms)
        program.kw[window].append((given[window], -1.0))
        if window + 1 < WINDOWS:
            program.kw[window + 1].append((later[window], -1.0))
        if response.rebound > 0.0:
            back = []
            for after in range(window + 1, window + 1 + _BACK):
                column = program.column(np.inf)
                back.append((column, 1.0))
                if after < WINDOWS:
                    program.kw[after].append((column, 1.0))
            share = _MILD * response.rebound / (_FAVOUR * response.gain)
            program.zero(*back, (given[window], -share), (later[window], -share))
