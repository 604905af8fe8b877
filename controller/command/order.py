"""What passes between whoever asks, the arbiter, the journal and the field: commands, orders, outcomes, kept slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.journal.entry import SlotRow

if TYPE_CHECKING:
    from controller.command.priority import Slot
    from controller.point.model import Point

__all__ = ["Command", "Order", "Outcome", "slot_row"]


@dataclass(frozen=True, slots=True)
class Command:
    """One request of somebody, and what became of it."""

    id: str
    point: str
    slot: int
    value: float | None
    """None releases the slot."""
    previous: float | None
    """The value in effect before, as far as known."""
    owner: str
    reason: str
    state: str
    """`accepted`, `pending`, `verifying`, `done`, `failed`, `unknown`, `masked` or `expired`."""
    message: str
    requested_ns: int
    finished_ns: int | None = None
    until_ns: int | None = None
    readback: float | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One write to carry out, in one attempt."""

    point: Point
    value: float
    kind: str
    """`command`, `release`, `refresh` (profile's refresh_s) or `reassert` (compare first, write when it differs)."""
    command: str
    """Id of the command that it belongs to; empty for refresh and reassert."""
    expires: float
    """Monotonic time after which it must not be sent."""
    automatic: bool = False
    """The arbiter's own: a slot ended or became the winner. It goes out even while the journal is down."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an order."""

    state: str
    """`done`, `failed`, `unknown` or `expired`."""
    readback: float | None = None
    message: str = ""
    sent: bool = True
    """False when it is certain that nothing was written."""


def slot_row(point: str, number: int, slot: Slot | None) -> SlotRow:
    """Return a slot of a point as the state database keeps it; None is an empty one."""
    if slot is None:
        return SlotRow(point, number, None)
    return SlotRow(point, number, slot.value, slot.owner, slot.reason, slot.since_ns, slot.until_ns)
