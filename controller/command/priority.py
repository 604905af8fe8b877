"""The 16-slot priority array: pure functions over immutable slots.

Source of the semantics: ASHRAE 135 (BACnet) clause 19.2. The lowest-numbered filled slot wins, else the relinquish
default; emptying a slot touches only that slot; slot 6 belongs to the minimum on/off time and nobody may write it.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.point.reason import english

__all__ = [
    "EMPTY",
    "MINIMUM_TIME",
    "NEVER_WRITTEN",
    "OPERATOR",
    "RECORDED",
    "RESTORED",
    "PriorityArray",
    "Slot",
    "expired",
    "explained",
    "filled",
    "wanted_value",
    "winner",
]

NEVER_WRITTEN = (1, 2)
"""The fire panel's and the fireman's: Shifu holds them empty for ever."""
MINIMUM_TIME = 6
"""Written by the arbiter alone."""
OPERATOR = 8
RESTORED = (3, 4, 5, 8)
"""Slots that live through a restart; the others are computed anew by whoever owns them."""
RECORDED = (*RESTORED, 7, 9, 10, 11, 12, 13, 14, 15)
"""Slots that the state database keeps while they are filled. Those held by lease are not filled again at a start, but
the device may still have their value, and somebody must know."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One filled slot."""

    slot: int
    """1 to 16."""
    value: float
    owner: str
    reason: str
    since_ns: int
    """Calendar time, ns UTC."""
    until_ns: int | None = None
    """Calendar end for people to read; None means until released."""
    ends: float | None = None
    """End on the monotonic clock, s: the earlier of expiry and lease."""
    lease_s: float | None = None
    """The owner must ask again within this time, or the slot empties by itself."""


PriorityArray = tuple[Slot | None, ...]
"""16 slots; index 0 is slot 1."""

EMPTY: PriorityArray = (None,) * 16


def winner(array: PriorityArray) -> int:
    """Return the number (1..16) of the slot that wins, or 0 when all are empty."""
    for number, slot in enumerate(array, 1):
        if slot is not None:
            return number
    return 0


def expired(array: PriorityArray, now: float) -> tuple[int, ...]:
    """Return the numbers of the slots whose end has passed; `now` is monotonic, s."""
    return tuple(
        number
        for number, slot in enumerate(array, 1)
        if slot is not None and slot.ends is not None and slot.ends <= now
    )


def wanted_value(array: PriorityArray, default: float | None) -> float | None:
    """Return the value of the slot that wins, or the relinquish default; None leaves the device alone."""
    top = winner(array)
    slot = array[top - 1] if top else None
    return slot.value if slot else default


def filled(array: PriorityArray, number: int, slot: Slot | None) -> PriorityArray:
    """Return the array with one slot filled, or emptied by None."""
    return (*array[: number - 1], slot, *array[number:])


def explained(array: PriorityArray) -> str:
    """Return in a sentence who decides, at most 500 characters."""
    top = winner(array)
    slot = array[top - 1] if top else None
    if slot is None:
        return "all slots are empty: relinquish default"
    return f"slot {top} takes effect: {slot.owner}: {english(slot.reason)}"[:500]
