"""Slots that are kept empty for a stronger reason than any of their owners has: a fire. Pure values.

Source of the rule: NFPA 72 chapter 21 and NFPA 92, as `docs/architecture.md` has it: in a fire the panel commands the
building by its own wires; a building controller takes its commands back and only watches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.command.priority import MINIMUM_TIME, filled

if TYPE_CHECKING:
    from controller.command.priority import PriorityArray, Slot

__all__ = ["ALL_HELD", "Hold", "emptied", "refusal"]

ALL_HELD = frozenset(range(7, 17))
"""Everything below life safety, protection and minimum times."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Slots of one point that stay empty until whoever holds them gives them back."""

    owner: str
    reason: str
    """A sentence; whoever is refused reads it."""
    slots: frozenset[int] = ALL_HELD
    """Of 7 to 16. With 16 in it the relinquish default waits too: the device is left alone."""


def emptied(array: PriorityArray, hold: Hold) -> tuple[PriorityArray, tuple[Slot, ...]]:
    """Return the array without the slots that are held, and what was in them.

    With 16 among them slot 6 is emptied too, although the rule names 7 to 16. A minimum on or off time is the arbiter's
    own echo of a command from below it, to spare a machine; it protects nobody. Left behind it would be the strongest
    value of a point that is the panel's now: Shifu would go on wanting it, refresh it, and write it to a device that
    comes back. Slots 3 to 5 protect (electrical, freeze, equipment) and stay. Nothing starts because slot 6 is empty: a
    held point has no value at all, and the machine's own controller keeps its own times.
    """
    taken = hold.slots | {MINIMUM_TIME} if 16 in hold.slots else hold.slots
    gone = tuple(slot for slot in array if slot is not None and slot.slot in taken)
    for slot in gone:
        array = filled(array, slot.slot, None)
    return array, gone


def refusal(address: str, slot: int, hold: Hold) -> str:
    """Return the sentence for whoever asks for a slot that is held."""
    return f"{address}: slot {slot} is held empty by {hold.owner}: {hold.reason}"
