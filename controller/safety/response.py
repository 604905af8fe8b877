"""The response to a fire: what is held empty, since when, and how it is given back. Pure functions.

    idle ── a source says fire ──► active ── panel reset, then a safety officer stands down ──► restoring ──► idle
                                     ▲                                                              │
                                     └───────────────────── a source says fire ─────────────────────┘

A source that says fire after the panel's reset tells a new fire, stood down from or not: the building has gone back by
its own wires. It belongs to the same response, which goes on holding what the earlier fires hold, and begins anew in
everything else: its zones and their times, and what the building is expected to do and seen to have done.

There is no way back by time. Giving back is in steps: first what the schedule and people may fill, a few pieces of
equipment at a time, so that not everything starts at once; last the strategies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.command.hold import ALL_HELD, Hold
from controller.errors import ConflictError
from controller.safety.cause import united

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.safety.cause import Cause, FireTable
    from controller.safety.fire import FirePicture

__all__ = [
    "OWNER",
    "Burning",
    "Note",
    "Phase",
    "Response",
    "Step",
    "advance",
    "held_causes",
    "held_points",
    "holds",
    "stand_down",
    "steps",
]

OWNER = "fire"
SCHEDULED = frozenset({7, 8, 15, 16})
"""Given back first: emergency and operator, who are people, schedule and default."""
STRATEGIC = ALL_HELD - SCHEDULED
"""Given back last: demand limit, drill, strategies, trims."""


class Phase(StrEnum):
    """Where a response stands."""

    IDLE = "idle"
    ACTIVE = "active"
    RESTORING = "restoring"


@dataclass(frozen=True, slots=True)
class Burning:
    """A zone that has been in fire, and since when, ns UTC."""

    zone: str
    since_ns: int


@dataclass(frozen=True, slots=True)
class Response:
    """One response, from the first sign of fire until all is given back; a fire that comes meanwhile belongs to it."""

    id: str = ""
    phase: Phase = Phase.IDLE
    since_ns: int = 0
    """Of the present fire, ns UTC; the id has the time of the first."""
    zones: tuple[Burning, ...] = ()
    """Of the present fire, in the order in which they came; the first leads."""
    everywhere_ns: int | None = None
    """Since when it may be anywhere: there was a sign of fire and no zone that showed it."""
    earlier: tuple[str, ...] = ()
    """Zones of earlier fires of this response: what they hold stays held until all is given back."""
    kept: tuple[str, ...] = ()
    """Points that it held by files that were in effect before: other files let go of nothing."""
    earlier_everywhere: bool = False
    """An earlier fire of this response may have been anywhere."""
    over: bool = False
    """The panel has been reset since the present fire, whatever came after: the building is no longer looked at."""
    reset_ns: int | None = None
    """Since when the panel has been reset; None while it is not."""
    stood_down_ns: int | None = None
    stood_down_by: str = ""
    reason: str = ""
    given_back: int = 0
    """Steps of giving back that are done."""

    def to_json(self) -> dict[str, Any]:
        """Return it for the journal; times are ns."""
        zones = [[item.zone, item.since_ns] for item in self.zones]
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **fields,
            "phase": str(self.phase),
            "zones": zones,
            "earlier": list(self.earlier),
            "kept": list(self.kept),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Response:
        """Return what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is not one.
        """
        zones = tuple(Burning(str(zone), int(since)) for zone, since in data["zones"])
        earlier = tuple(str(zone) for zone in data.get("earlier", ()))
        kept = tuple(str(point) for point in data.get("kept", ()))
        return cls(**{**data, "phase": Phase(data["phase"]), "zones": zones, "earlier": earlier, "kept": kept})


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened in a response, for its journal."""

    event: str
    """`began`, `spread`, `unlocated`, `reset`, `reset_lost`, `stood_down`, `given_back`, `again`, `ended`; of effects
    `effect` with the state, of the start `restarted`."""
    zone: str = ""
    point: str = ""
    who: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of giving back."""

    slots: frozenset[int]
    points: tuple[str, ...]


def advance(
    response: Response, picture: FirePicture, table: FireTable, now_ns: int
) -> tuple[Response, tuple[Note, ...]]:
    """Return the response after what is known now, and what happened."""
    notes: list[Note] = []
    if picture.evidence:
        if response.phase is Phase.IDLE:
            response = Response(f"fire-{now_ns}", Phase.ACTIVE, now_ns)
            notes.append(Note("began"))
        elif response.over or response.phase is Phase.RESTORING:
            response = _anew(response, now_ns)
            notes.append(Note("again"))
    if response.phase is Phase.IDLE:
        return response, ()
    known = {item.zone for item in response.zones}
    fresh = [table.zones[place] for place in picture.burning if table.zones[place] not in known]
    if fresh:
        notes += [Note("spread" if known or place else "first", zone) for place, zone in enumerate(fresh)]
        response = replace(response, zones=(*response.zones, *(Burning(zone, now_ns) for zone in fresh)))
    if picture.unlocated and response.everywhere_ns is None:
        notes.append(Note("unlocated"))
        response = replace(response, everywhere_ns=now_ns)
    if response.phase is Phase.ACTIVE and picture.reset != (response.reset_ns is not None):
        notes.append(Note("reset" if picture.reset else "reset_lost"))
        reset_ns = now_ns if picture.reset else None
        response = replace(response, reset_ns=reset_ns, over=response.over or picture.reset)
    return response, tuple(notes)


def _anew(response: Response, now_ns: int) -> Response:
    """Return the response at the beginning of a new fire, before its zones are known."""
    zones = united((response.earlier, [item.zone for item in response.zones]))
    everywhere = response.earlier_everywhere or response.everywhere_ns is not None
    return Response(response.id, Phase.ACTIVE, now_ns, earlier=zones, kept=response.kept, earlier_everywhere=everywhere)


def stand_down(response: Response, picture: FirePicture, who: str, reason: str, now_ns: int) -> Response:
    """Return the response after a safety officer stood down.

    Raises:
        ConflictError: there is nothing to stand down from, or the panel is not seen to be reset.
    """
    if response.phase is Phase.IDLE:
        raise ConflictError("there is no response to a fire; nothing to stand down from")
    if response.phase is Phase.RESTORING:
        raise ConflictError(f"{response.stood_down_by} stood down already; it is being given back")
    if not picture.reset:
        known = "the fire status is unknown" if not picture.evidence else "a source still says fire"
        raise ConflictError(f"the panel is not reset: {known}; reset it at the panel itself, then stand down")
    return replace(
        response, phase=Phase.RESTORING, stood_down_ns=now_ns, stood_down_by=who, reason=reason, given_back=0
    )


def held_points(response: Response, table: FireTable) -> tuple[str, ...]:
    """Return the points that the response holds, or held, in the order of the table."""
    return united([*(cause.points for cause in held_causes(response, table)), response.kept])


def held_causes(response: Response, table: FireTable) -> tuple[Cause, ...]:
    """Return the causes whose points the response holds, or held: of the present fire and of earlier ones."""
    zones = {*response.earlier, *(item.zone for item in response.zones)}
    everywhere = response.earlier_everywhere or response.everywhere_ns is not None
    return table.called(zones, everywhere=everywhere)


def steps(response: Response, table: FireTable) -> tuple[Step, ...]:
    """Return how what is held is given back, first to last."""
    points = held_points(response, table)
    pieces = united([point.rsplit(".", 1)[0]] for point in points)
    size = max(1, table.batch)
    groups = [set(pieces[at : at + size]) for at in range(0, len(pieces), size)]
    first = [Step(SCHEDULED, tuple(point for point in points if point.rsplit(".", 1)[0] in group)) for group in groups]
    return (*first, Step(STRATEGIC, points))


def holds(response: Response, table: FireTable, why: str) -> dict[str, Hold]:
    """Return what the arbiter must hold now; `why` is the sentence for whoever is refused."""
    if response.phase is Phase.IDLE:
        return {}
    left = dict.fromkeys(held_points(response, table), ALL_HELD)
    if response.phase is Phase.RESTORING:
        for step in steps(response, table)[: response.given_back]:
            for point in step.points:
                left[point] -= step.slots
    return {point: Hold(OWNER, why, slots) for point, slots in left.items() if slots}
