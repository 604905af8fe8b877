"""Bookings of venues (場地租借): which are on at a time, and what equipment they use.

State at time t, like everything of a calendar: see `controller.maintenance.works`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.point.model import Name

__all__ = ["Booking", "Venue", "between", "clashes", "in_use"]


@dataclass(frozen=True, slots=True)
class Venue:
    """A place that is let: 1 樓中庭, 市民廣場."""

    id: str
    name: Name
    area: str = ""
    floor: str = ""
    equipment: tuple[str, ...] = ()
    """What every booking of it uses: air handlers, lighting feeders, the stage's power."""


@dataclass(frozen=True, slots=True)
class Booking:
    """One use of a venue. The occurrences of a repeated one are bookings of their own, with one `series`."""

    id: str
    venue: str
    title: Name
    start_ns: int
    end_ns: int
    """The first moment at which the venue is free again, ns UTC."""
    equipment: tuple[str, ...] = ()
    """Addresses of what it uses beside the venue's own, sorted."""
    series: str = ""
    """UID in the iCalendar feed that it comes from; empty for a single booking."""


def between(bookings: Iterable[Booking], start_ns: int, end_ns: int) -> list[Booking]:
    """Return the bookings that touch the span, in the order of their beginnings."""
    found = [booking for booking in bookings if booking.start_ns < end_ns and booking.end_ns > start_ns]
    return sorted(found, key=lambda booking: (booking.start_ns, booking.venue, booking.id))


def in_use(bookings: Iterable[Booking], venues: Iterable[Venue], time_ns: int) -> dict[str, Booking]:
    """Return each piece of equipment in use at a time, with its booking; of several the one that ends last."""
    own = {venue.id: venue.equipment for venue in venues}
    found: dict[str, Booking] = {}
    for booking in between(bookings, time_ns, time_ns + 1):
        for address in (*own.get(booking.venue, ()), *booking.equipment):
            other = found.get(address)
            if other is None or booking.end_ns > other.end_ns:
                found[address] = booking
    return found


def clashes(bookings: Iterable[Booking]) -> list[tuple[Booking, Booking]]:
    """Return the pairs of bookings that want one venue at one time; each booking with its neighbour in time."""
    by_venue: dict[str, list[Booking]] = {}
    for booking in sorted(bookings, key=lambda booking: (booking.start_ns, booking.id)):
        by_venue.setdefault(booking.venue, []).append(booking)
    pairs = []
    for row in by_venue.values():
        longest = row[0]
        for _, booking in pairwise(row):
            if booking.start_ns < longest.end_ns:
                pairs.append((longest, booking))
            if booking.end_ns > longest.end_ns:
                longest = booking
    return pairs
