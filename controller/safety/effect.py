"""Whether the building did what the cause-and-effect table expects, seen by its own feedback. Pure functions.

The panel commands by its own wires; nothing here makes anything happen. What is not seen in its time is an alarm, and
so is a feedback that cannot be read: unknown is not done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.safety.cause import Effect, FireTable
    from controller.safety.response import Response

__all__ = ["DEVIATIONS", "Sight", "SightState", "deviations", "expected", "look"]


class SightState(StrEnum):
    """How one expected effect stands."""

    WAITING = "waiting"
    """Not seen, and its time is not over."""
    DONE = "done"
    """Seen, and still so."""
    LATE = "late"
    """Seen after its time, and still so."""
    MISSING = "missing"
    """Its time is over, and the feedback says that it has not happened."""
    LOST = "lost"
    """It was seen, and is so no longer while the fire goes on."""
    UNKNOWN = "unknown"
    """The feedback cannot be read."""


LOST_S = 5.0
"""An effect that was seen is lost only after so long: at the panel's reset the building goes back before the relay says
so, and a contact may bounce."""
DEVIATIONS = frozenset({SightState.MISSING, SightState.LOST, SightState.UNKNOWN})
"""What is an alarm."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One expected effect and what was seen of it; times in ns UTC."""

    effect: Effect
    cause: str
    since_ns: int
    """When the fire called for it."""
    state: SightState = SightState.WAITING
    seen_ns: int | None = None
    """When it was first seen."""
    value: float | None = None
    """The feedback now; None while it cannot be read."""
    left_ns: int | None = None
    """Since when it is no longer as it was seen; None while it is."""

    @property
    def due_ns(self) -> int:
        """Until when it should have been seen."""
        return self.since_ns + round(self.effect.within_s * 1e9)

    @property
    def key(self) -> tuple[str, str]:
        """Kind and point: two causes that expect the same expect it once."""
        return self.effect.kind, self.effect.point


def expected(response: Response, table: FireTable) -> tuple[Sight, ...]:
    """Return everything that the fire calls for, each with the earliest time at which a zone called for it."""
    since = {item.zone: item.since_ns for item in response.zones}
    found: dict[tuple[str, str], Sight] = {}
    for cause in table.called(since, everywhere=response.everywhere_ns is not None):
        times = [since[zone] for zone in cause.zones if zone in since]
        if response.everywhere_ns is not None:
            times.append(response.everywhere_ns)
        for effect in cause.effects:
            sight = Sight(effect, cause.id, min(times))
            before = found.get(sight.key)
            if before is None or sight.since_ns < before.since_ns:
                found[sight.key] = sight
    return tuple(found.values())


def look(sight: Sight, value: float | None, now_ns: int) -> Sight:
    """Return the sight after a look at its feedback; `value` is None when it is not known."""
    effect, seen_ns, left_ns = sight.effect, sight.seen_ns, None
    if value is None:
        waits = seen_ns is None and now_ns < sight.due_ns
        state = SightState.WAITING if waits else SightState.UNKNOWN
    elif effect.low <= value <= effect.high:
        seen_ns = now_ns if seen_ns is None else seen_ns
        state = SightState.DONE if seen_ns <= sight.due_ns else SightState.LATE
    elif seen_ns is None:
        state = SightState.WAITING if now_ns < sight.due_ns else SightState.MISSING
    else:
        left_ns = now_ns if sight.left_ns is None else sight.left_ns
        state = SightState.LOST if now_ns - left_ns >= LOST_S * 1e9 else sight.state
    if (state, seen_ns, value, left_ns) == (sight.state, sight.seen_ns, sight.value, sight.left_ns):
        return sight
    return replace(sight, state=state, seen_ns=seen_ns, value=value, left_ns=left_ns)


def deviations(sights: Iterable[Sight]) -> tuple[Sight, ...]:
    """Return the effects that did not come as the table says."""
    return tuple(sight for sight in sights if sight.state in DEVIATIONS)
