"""What `answer`, `stages`, `beside` and `whole` of strategy.toml must be: the keys of a planned shed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.settings.strategy import ShedRow

__all__ = ["Fault", "plan_faults"]


class Fault(NamedTuple):
    """A key that cannot be so."""

    row: int
    """Place in the list."""
    key: str
    got: str
    wanted: str


def plan_faults(rows: Sequence[ShedRow]) -> Iterator[Fault]:
    """Return what is wrong with the planned groups of a shed list."""
    known = {row.id: row for row in rows}
    named = {row.beside for row in rows if row.beside is not None}
    for at, row in enumerate(rows):
        other = known.get(row.beside or "")
        if row.answer and not row.stages:
            yield Fault(at, "stages", "nothing", "what the shed of this answer goes through")
        if row.answer and max(row.answer) <= 0.0:
            yield Fault(at, "answer", "nothing above 0", "kW that one item gives in each 5 minutes from its begin")
        if row.stages and not row.answer and row.id not in named:
            yield Fault(at, "stages", "no answer", 'an "answer", or a group that names this one in "beside"')
        if (row.beside is not None or row.whole) and not row.answer:
            yield Fault(at, "beside" if row.beside else "whole", "no answer", "this key beside an answer only")
        if row.beside is not None and (other is None or other is row or other.answer or not other.stages):
            yield Fault(at, "beside", f'"{row.beside}"', "a group of the list with stages and without an answer")
        yield from _stage_faults(at, row)


def _stage_faults(at: int, row: ShedRow) -> Iterator[Fault]:
    levels = row.higher or row.at_most or []
    minutes = sum(stage.minutes for stage in row.stages)
    if minutes > row.minutes_per_hour:
        yield Fault(at, "stages", f"{minutes:g} min", f"at most minutes_per_hour, {row.minutes_per_hour:g}")
    for stage in row.stages:
        if stage.level > len(levels):
            yield Fault(at, "stages", f"level {stage.level}", f"1 to {len(levels)}, the levels of this group")
            return
    if row.step is None:
        return
    if row.stages and row.higher and levels[row.stages[0].level - 1] > row.step + 1e-9:
        yield Fault(at, "stages", f"{levels[row.stages[0].level - 1]:g} at once", f"at most step, {row.step:g}")
    for one, two in itertools.pairwise(row.stages):
        change = abs(levels[two.level - 1] - levels[one.level - 1])
        # What is raised may be let down at any time; a machine moves at its rate in both directions.
        bound = two.level > one.level or row.at_most is not None
        if bound and (change > row.step + 1e-9 or one.minutes * 60.0 < row.step_s):
            got = f"{change:g} after {one.minutes:g} min"
            yield Fault(at, "stages", got, f"at most step, {row.step:g}, and step_s, {row.step_s:g} s, apart")
