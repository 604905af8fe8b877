"""`[[demand.shed]]` of strategy.toml: its keys, and what those of a planned shed must be."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from controller.settings.file import NameRow, Pattern, Short, Tag, Word  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Fault", "PointPattern", "ShedRow", "held_long", "plan_faults"]

PointPattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.*-]+$", max_length=160)]
PointPatterns = Annotated[list[PointPattern], Field(min_length=1, max_length=100)]
Levels = Annotated[list[FiniteFloat], Field(min_length=1, max_length=40)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StageRow(_Row):
    """A part of a planned shed."""

    minutes: Annotated[FiniteFloat, Field(gt=0, le=60)]
    level: Annotated[int, Field(ge=1, le=10)]
    """Of the group's levels, the first is 1."""


class OwedRow(_Row):
    """How machines that cool water, and whose limit is moved, catch up."""

    water: Short
    """Point with the temperature of the water that they cool."""
    k_per_kwh: Annotated[FiniteFloat, Field(gt=0, le=10)]
    """Kelvin that it warms up for each kWh that they draw less."""
    hours: Annotated[FiniteFloat, Field(gt=0, le=24)]
    """In which 63 % of what is owed is forgotten."""
    kw_per_k: Annotated[FiniteFloat, Field(ge=0, le=10_000)]
    """kW that fans and pumps draw more for each kelvin."""
    most_k: Annotated[FiniteFloat, Field(gt=0, le=10)]
    """So much warmer the water may become for it."""
    most_kw: Annotated[FiniteFloat, Field(ge=0, le=100_000)]
    """What they may draw less at most, and more while they catch up."""


class ShedRow(_Row):
    """`[[demand.shed]]`: points of one kind that may be reduced."""

    id: Word
    name: NameRow
    points: PointPatterns
    """Points that are set, by pattern; each must be commandable and have a relinquish default."""
    priority: Annotated[int, Field(ge=1, le=100)]
    """Lower ones are shed first."""
    higher: Levels | None = None
    """Added to the value beneath, mildest first: `[0.5, 1.0, 2.0]` K of a room's set-point."""
    at_most: Levels | None = None
    """Caps, mildest first: `[90, 80, 70, 60]` % of a chiller's demand limit."""
    kw: Annotated[FiniteFloat, Field(ge=0, le=100_000)] = 0.0
    """What one item gives at its last level, before anything was measured."""
    power: Tag | None = None
    """Tag of its power, kW; of the meter that feeds it (parameter `fed_by`) where it has none itself."""
    kw_per_unit: Annotated[FiniteFloat, Field(ge=0, le=10_000)] = 0.0
    """kW of one unit of the cap, with `power`: 0.658 of an ampere of three phases at 380 V."""
    running: Tag | None = None
    """Tag that must be 1."""
    comfort: bool = False
    """The equipment serves a room: tags zone_temp, zone_temp_sp and, where there is one, return_co2."""
    guards: Annotated[list[Pattern], Field(max_length=100)] = []
    """Other equipment whose rooms suffer with it, by pattern; for chillers all air handlers."""
    step: Annotated[FiniteFloat, Field(gt=0)] | None = None
    """Largest change of one action, in the unit of the levels."""
    step_s: Annotated[FiniteFloat, Field(ge=0, le=86_400)] = 0.0
    """Between two actions on one item."""
    minutes_per_hour: Annotated[FiniteFloat, Field(gt=0, le=60)] = 20.0
    """Of shed in any hour; at most 30 where people sit. 60: without end."""
    times_per_day: Annotated[int, Field(ge=1, le=1000)] = 3
    """Sheds of a day; at most 3 where people sit."""
    least_s: Annotated[FiniteFloat, Field(ge=0, le=3600)] = 300.0
    """An item stays shed so long, unless comfort or a limit ends it."""
    rest_s: Annotated[FiniteFloat, Field(ge=0, le=86_400)] = 900.0
    """An item rests so long after a shed."""
    last: bool = False
    """Given back after all others and level by level."""
    answer: Annotated[list[FiniteFloat], Field(max_length=36)] = []
    """kW that one item gives in each 5 minutes from its begin, below 0 what it takes back: it is shed by plan."""
    answer_full: Annotated[list[FiniteFloat], Field(max_length=36)] = []
    """The same while the chillers do all they can and cannot take anything back."""
    stages: Annotated[list[StageRow], Field(max_length=20)] = []
    """What a planned shed goes through, from its begin to its end."""
    beside: Word | None = None
    """Group of the list whose item of the same equipment begins with it; it has stages of its own and no answer."""
    owed: OwedRow | None = None
    """The limit of all items together is moved by plan, as of chillers: what one does not do the others would."""


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
        if row.beside is not None:
            yield from _beside_faults(at, row, other)
        if row.owed is not None:
            yield from _owed_faults(at, row, rows[:at])
        yield from _stage_faults(at, row)


def held_long(row: ShedRow, rows: Sequence[ShedRow]) -> bool:
    """Tell whether comfort and water alone say how long it may be shed: no room's set-point moves."""
    return row.owed is not None or any(one.owed is not None and one.beside == row.id for one in rows)


def _beside_faults(at: int, row: ShedRow, other: ShedRow | None) -> Iterator[Fault]:
    got = f'"{row.beside}"'
    if row.owed is not None:
        if other is None or other is row or other.answer or other.stages or other.owed or other.comfort:
            yield Fault(at, "beside", got, "a group of the list without answer, stages, owed and comfort")
    elif not row.answer:
        yield Fault(at, "beside", "no answer", 'this key beside "answer" or "owed" only')
    elif other is None or other is row or other.answer or not other.stages:
        yield Fault(at, "beside", got, "a group of the list with stages and without an answer")


def _owed_faults(at: int, row: ShedRow, before: Sequence[ShedRow]) -> Iterator[Fault]:
    if row.answer or row.stages:
        yield Fault(at, "owed", "answer or stages too", "a limit that is moved, or a shed in stages")
    if not row.at_most or row.power is None or row.kw_per_unit == 0.0:
        wanted = '"at_most", "power" and "kw_per_unit": what a limit lets the machines draw'
        yield Fault(at, "owed", "no power", wanted)
    if not row.guards:
        yield Fault(at, "owed", "no guards", '"guards": the rooms that the machines cool, which bound how long')
    if any(one.owed is not None for one in before):
        yield Fault(at, "owed", "a second one", "one group whose limit is moved")


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
