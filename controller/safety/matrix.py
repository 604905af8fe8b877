"""The cause-and-effect table as it stands now: each cause, what it calls for, and how far that is. Pure functions.

A cause that no fire calls for has a state too: an output whose feedback cannot be read now could not be verified in a
fire either, and is unknown; everything else is at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.safety.fire import FireStatus, ZonePicture
from controller.safety.response import Phase, held_causes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.point.model import Name
    from controller.safety.cause import Cause, Effect, FireTable
    from controller.safety.effect import Sight
    from controller.safety.fire import FirePicture
    from controller.safety.response import Response

__all__ = ["Cell", "CellState", "Kind", "Matrix", "Output", "Row", "ZoneLine", "matrix"]


class CellState(StrEnum):
    """How an output stands, or the worst of a cell's. Not applicable is no state: such a cell is not there."""

    REST = "rest"
    """No fire calls for it."""
    WAITING = "waiting"
    """Called for; not seen, and its time is not over."""
    DONE = "done"
    """Called for and seen in time."""
    LATE = "late"
    """Called for and seen after its time."""
    MISSING = "missing"
    """Called for, and its time is over."""
    LOST = "lost"
    """It was seen, and is so no longer while the fire goes on."""
    UNKNOWN = "unknown"
    """Its feedback cannot be read."""


_WORST = (
    CellState.MISSING,
    CellState.LOST,
    CellState.UNKNOWN,
    CellState.WAITING,
    CellState.LATE,
    CellState.DONE,
    CellState.REST,
)


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a cell."""

    point: str
    """Address of its feedback."""
    state: CellState
    value: float | None
    """The feedback now, in the point's unit; None while it cannot be read."""
    seen_after_s: float | None
    """Time from the fire until it was first seen; None at rest and before."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cause calls for of one kind."""

    kind: str
    within_s: float
    """The longest time that any of them has."""
    outputs: tuple[Output, ...]

    @property
    def state(self) -> CellState:
        """The worst of the outputs."""
        found = {output.state for output in self.outputs}
        return next((state for state in _WORST if state in found), CellState.REST)


@dataclass(frozen=True, slots=True)
class Kind:
    """One column."""

    id: str
    name: Name


@dataclass(frozen=True, slots=True)
class ZoneLine:
    """A zone of a cause, and what is known of it."""

    address: str
    picture: ZonePicture


@dataclass(frozen=True, slots=True)
class Row:
    """One cause."""

    cause: Cause
    called: bool
    """True: a fire calls for it, and nobody has stood down."""
    held: bool
    """True: the response holds its points, or did; also while they are given back."""
    since_ns: int | None
    """When it was first called for, ns UTC."""
    zones: tuple[ZoneLine, ...]
    cells: tuple[Cell, ...]
    """Of the kinds that it calls for, in the order of the columns."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The table now."""

    kinds: tuple[Kind, ...]
    rows: tuple[Row, ...]
    watched: bool
    """False from the panel's reset to the stand-down: the building goes back, and what is shown was seen until then."""


def matrix(
    table: FireTable,
    picture: FirePicture,
    response: Response,
    sights: Sequence[Sight],
    feedback: Callable[[str], float | None],
) -> Matrix:
    """Return the table with what is known now; `feedback` gives the value of a point, None when it cannot be read."""
    kinds = {effect.kind: Kind(effect.kind, effect.name) for cause in table.causes for effect in cause.effects}
    order = {kind: place for place, kind in enumerate(kinds)}
    known = dict(zip(table.zones, picture.zones, strict=False))
    burning = {item.zone: item.since_ns for item in response.zones}
    concerned: set[str] = set()
    called: set[str] = set()
    if response.phase is not Phase.IDLE:
        concerned = {cause.id for cause in held_causes(response, table)}
        called = {cause.id for cause in table.called(burning, everywhere=response.everywhere_ns is not None)}
    seen = {sight.key: sight for sight in sights}
    rows = []
    for cause in table.causes:
        times = [burning[zone] for zone in cause.zones if zone in burning]
        if response.everywhere_ns is not None:
            times.append(response.everywhere_ns)
        held = cause.id in concerned
        mine = cause.id in called and response.phase is Phase.ACTIVE
        cells = _cells(cause.effects, seen if mine else {}, feedback)
        rows.append(
            Row(
                cause,
                mine,
                held,
                min(times) if mine else None,
                tuple(ZoneLine(zone, known.get(zone, ZonePicture(FireStatus.UNKNOWN))) for zone in cause.zones),
                tuple(sorted(cells, key=lambda cell: order[cell.kind])),
            )
        )
    watched = response.phase is not Phase.ACTIVE or not response.over
    return Matrix(tuple(kinds.values()), tuple(rows), watched)


def _cells(
    effects: Sequence[Effect], seen: Mapping[tuple[str, str], Sight], feedback: Callable[[str], float | None]
) -> list[Cell]:
    outputs: dict[str, list[Output]] = {}
    within: dict[str, float] = {}
    for effect in effects:
        sight = seen.get((effect.kind, effect.point))
        outputs.setdefault(effect.kind, []).append(_output(effect, sight, feedback(effect.point)))
        within[effect.kind] = max(effect.within_s, within.get(effect.kind, 0.0))
    return [Cell(kind, within[kind], tuple(found)) for kind, found in outputs.items()]


def _output(effect: Effect, sight: Sight | None, value: float | None) -> Output:
    if sight is None:
        return Output(effect.point, CellState.UNKNOWN if value is None else CellState.REST, value, None)
    after_s = None if sight.seen_ns is None else (sight.seen_ns - sight.since_ns) / 1e9
    return Output(effect.point, CellState(str(sight.state)), value, after_s)
