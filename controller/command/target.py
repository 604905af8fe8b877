"""A commandable point as the arbiter keeps it: its slots, what holds them, and what is known of its device."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.command.priority import EMPTY, PriorityArray, wanted_value, winner

if TYPE_CHECKING:
    from controller.command.hold import Hold
    from controller.point.model import Point, WriteSpec

__all__ = ["PROTECTION", "Counts", "Target"]

PROTECTION = (3, 4, 5, 6)
"""Slots that nothing keeps from a device."""


@dataclass(slots=True)
class Target:
    """A commandable point and what is known of its device."""

    point: Point
    spec: WriteSpec
    array: PriorityArray = EMPTY
    sent: float | None = None
    """What the device was last told, as far as this process knows."""
    sent_at: float = -math.inf
    busy: bool = False
    pending: str = ""
    """Command that the next order belongs to."""
    compare: bool = False
    """True after a restart or a lost link: compare with the device before writing."""
    compare_at: float = -math.inf
    """Not before, monotonic s."""
    reasserted: float = -math.inf
    """When a comparison last ended in a write."""
    hold: Hold | None = None
    """Slots that stay empty; see `Arbiter.hold`."""

    def wanted(self) -> float | None:
        """Return the value that the point should have; None leaves the device alone."""
        return self.wanted_of(self.array)

    def wanted_of(self, array: PriorityArray) -> float | None:
        """Return the value that the point would have with other slots."""
        default = None if self.hold is not None and 16 in self.hold.slots else self.spec.default
        return wanted_value(array, default)

    @property
    def protected(self) -> bool:
        """True while protection or a minimum time decides."""
        return winner(self.array) in PROTECTION

    def timed(self) -> bool:
        """Tell whether time alone can change the point: an end, a refresh or a comparison is to come."""
        if self.compare or self.spec.refresh_s:
            return True
        return any(slot is not None and slot.ends is not None for slot in self.array)


@dataclass(slots=True)
class Counts:
    """For metrics."""

    commands: int = 0
    refreshes: int = 0
    reasserts: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
