"""The alarm state machine as one table: ISA-18.2 / IEC 62682, states A to I.

Pure: given a state, an event and the guards, it says the next state. Times, people and journal belong to the engine. An
event that the table does not have for a state changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ANNUNCIATED", "HIDDEN", "TABLE", "Event", "Guard", "Row", "State", "Transition", "step"]


class State(StrEnum):
    """Alarm states; the letters are those of ISA-18.2."""

    NORMAL = "normal"
    """A"""
    UNACKNOWLEDGED = "unacknowledged"
    """B: condition active, nobody has seen it; sound and flash."""
    ACKNOWLEDGED = "acknowledged"
    """C: condition active and seen."""
    RETURNED = "returned"
    """D: condition gone before anybody acknowledged it."""
    LATCHED_UNACKNOWLEDGED = "latched_unacknowledged"
    """E: condition gone, latched, not acknowledged."""
    LATCHED_ACKNOWLEDGED = "latched_acknowledged"
    """F: condition gone, latched, acknowledged; waits for a reset."""
    SHELVED = "shelved"
    """G: put aside by an operator for a limited time."""
    SUPPRESSED = "suppressed"
    """H: by design, while its parent is off or in maintenance."""
    OUT_OF_SERVICE = "out_of_service"
    """I"""


class Event(StrEnum):
    """What can happen to an alarm."""

    RAISE = "raised"
    """The condition has held for the on-delay."""
    CLEAR = "returned"
    """The condition has been gone past the deadband for the off-delay."""
    ACKNOWLEDGE = "acknowledged"
    RESET = "reset"
    ESCALATE = "escalated"
    SHELVE = "shelved"
    UNSHELVE = "unshelved"
    """By the operator or by the end of its time."""
    SUPPRESS = "suppressed"
    UNSUPPRESS = "unsuppressed"
    REMOVE = "removed"
    """Out of service."""
    RESTORE = "restored"
    """Back to service."""


class Guard(StrEnum):
    """A condition on a row of the table."""

    ALWAYS = "always"
    ACTIVE = "active"
    INACTIVE = "inactive"
    LATCHING = "latching"
    NOT_LATCHING = "not latching"
    AUTOMATIC = "not latching, and acknowledges by itself"
    ORDINARY = "not life safety"


ANNUNCIATED = frozenset({State.UNACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED})
"""Sound and flash."""
HIDDEN = frozenset({State.SHELVED, State.SUPPRESSED, State.OUT_OF_SERVICE})
"""Not in the active list; they have lists of their own."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. Of several rows of one state and event the first whose guard holds is taken."""

    state: State
    event: Event
    to: State
    guard: Guard = Guard.ALWAYS
    occurrence: bool = False
    """True begins a new occurrence, with a new id; the old one stays in the journal."""


@dataclass(frozen=True, slots=True)
class Transition:
    """The answer of `step`."""

    to: State
    occurrence: bool


_A, _B, _C = State.NORMAL, State.UNACKNOWLEDGED, State.ACKNOWLEDGED
_D, _E, _F = State.RETURNED, State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED
_G, _H, _I = State.SHELVED, State.SUPPRESSED, State.OUT_OF_SERVICE
_LISTED = (_A, _B, _C, _D, _E, _F)


def _hidden(state: State, leave: Event) -> tuple[Row, ...]:
    """Return the rows of a hidden state: it follows the condition silently and leaves by the condition of the moment.

    Leaving with the condition active is a new occurrence in B, never C: whoever acknowledged it before may be gone.
    """
    return (
        Row(state, Event.RAISE, state),
        Row(state, Event.CLEAR, state),
        Row(state, leave, _B, Guard.ACTIVE, occurrence=True),
        Row(state, leave, _A, Guard.INACTIVE),
    )


TABLE: tuple[Row, ...] = (
    Row(_A, Event.RAISE, _B, occurrence=True),
    Row(_B, Event.ACKNOWLEDGE, _C),
    Row(_B, Event.CLEAR, _E, Guard.LATCHING),
    Row(_B, Event.CLEAR, _A, Guard.AUTOMATIC),
    Row(_B, Event.CLEAR, _D, Guard.NOT_LATCHING),
    Row(_C, Event.CLEAR, _F, Guard.LATCHING),
    Row(_C, Event.CLEAR, _A, Guard.NOT_LATCHING),
    Row(_C, Event.ESCALATE, _B),
    Row(_D, Event.ACKNOWLEDGE, _A),
    Row(_D, Event.RAISE, _B, occurrence=True),
    Row(_E, Event.ACKNOWLEDGE, _F),
    Row(_E, Event.RAISE, _B),
    Row(_E, Event.RESET, _D, Guard.INACTIVE),
    Row(_F, Event.RAISE, _C),
    Row(_F, Event.RESET, _A, Guard.INACTIVE),
    *(Row(state, Event.SHELVE, _G, Guard.ORDINARY) for state in _LISTED),
    *(Row(state, Event.SUPPRESS, _H, Guard.ORDINARY) for state in _LISTED),
    *(Row(state, Event.REMOVE, _I, Guard.ORDINARY) for state in (*_LISTED, _G, _H)),
    *_hidden(_G, Event.UNSHELVE),
    *_hidden(_H, Event.UNSUPPRESS),
    *_hidden(_I, Event.RESTORE),
)
"""The whole machine. A life-safety alarm has no way into G, H or I."""

_ROWS: dict[tuple[State, Event], tuple[Row, ...]] = {
    key: tuple(row for row in TABLE if (row.state, row.event) == key)
    for key in {(row.state, row.event) for row in TABLE}
}


def step(
    state: State,
    event: Event,
    *,
    active: bool,
    latching: bool = False,
    automatic: bool = False,
    life_safety: bool = False,
) -> Transition | None:
    """Return where `event` leads from `state`; None when the table has no such row, and nothing changes.

    Args:
        state: where the alarm stands.
        event: what happened.
        active: whether the condition holds now, after its delays.
        latching: the alarm stays after the condition until reset.
        automatic: a return to normal needs no acknowledgement.
        life_safety: the alarm cannot be hidden.
    """
    holds = {
        Guard.ALWAYS: True,
        Guard.ACTIVE: active,
        Guard.INACTIVE: not active,
        Guard.LATCHING: latching,
        Guard.NOT_LATCHING: not latching,
        Guard.AUTOMATIC: automatic and not latching,
        Guard.ORDINARY: not life_safety,
    }
    for row in _ROWS.get((state, event), ()):
        if holds[row.guard]:
            return Transition(row.to, row.occurrence)
    return None
