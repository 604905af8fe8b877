"""What a schedule is: modes with the values that they command, a weekly pattern, exceptions, and what bookings do.

Times of a day are minutes since local midnight, 0 to 1,440 (24:00). The words are those of BACnet (ASHRAE 135, clause
12.24): weekly schedule, exception schedule, schedule default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from controller.point.model import Name

__all__ = ["DAY_MIN", "Mode", "Schedule", "Span", "SpecialPeriod"]

DAY_MIN = 1_440


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to run the equipment, such as 上班, 停機 or 尖峰."""

    id: str
    name: Name
    values: Mapping[str, float]
    """Tag of a commandable point of each piece of equipment → its value, in the point's unit. A point that a mode does
    not name is released in it: the device, or a weaker slot, decides."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of each day of some types."""

    days: tuple[str, ...]
    """Of `controller.office.DAY_TYPES`, in their order."""
    start_min: int
    end_min: int
    """Later than `start_min`."""
    mode: str


@dataclass(frozen=True, slots=True)
class SpecialPeriod:
    """An exception (例外): days on which schedules do something else.

    Either a mode between two times of each day, which is above everything, or another type of day, so that the pattern
    of that type holds (a typhoon day as a holiday).
    """

    id: str
    title: Name
    schedules: tuple[str, ...]
    """Ids of the schedules, sorted."""
    first: date
    last: date
    """The last day, included."""
    mode: str = ""
    start_min: int = 0
    end_min: int = DAY_MIN
    day_type: str = ""
    """Of `controller.office.DAY_TYPES`; empty where `mode` is given."""
    patterns: tuple[str, ...] = ()
    """The schedules as they were asked for, with `*` for any text."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule: equipment that is switched together."""

    id: str
    name: Name
    modes: Mapping[str, Mode]
    weekly: tuple[Span, ...]
    """No two spans of a type of day overlap."""
    equipment: tuple[str, ...]
    """Addresses, sorted; the order in which they are switched."""
    default: str = ""
    """Mode outside of all spans; empty: every point is released."""
    booking_mode: str = ""
    """Mode of a piece of equipment while a booking uses it; empty: bookings switch nothing here."""
    lead_min: int = 0
    lag_min: int = 0
    """How long before and after a booking its equipment is in that mode."""
    stagger_s: float = 0.0
    """Each piece of equipment changes so much after the one before it, so that motors do not start at once."""
    enabled: bool = True
    """False: it commands nothing, and its points are released."""
    patterns: tuple[str, ...] = ()
    """The equipment as it was asked for, with `*` for any text."""
    areas: tuple[str, ...] = ()
    """Areas of its equipment, sorted."""
    tags: tuple[str, ...] = field(default=())
    """Tags that any of its modes names, sorted."""

    def mode(self, id_: str) -> Mode | None:
        """Return a mode; None for the empty name, which releases."""
        return self.modes.get(id_)
