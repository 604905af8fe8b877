"""Who is in the building and where, as the cards at the doors say.

A card that is let in at an entrance brings its holder into the house, one at a floor door to that floor; the way out
is the same backwards. It is what a muster begins with and nothing more: doors that stand open in a fire read no cards,
and visitors have none, so wardens count as well. A card not seen for `FORGET_S` is taken for one that left unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.point.model import Site

__all__ = ["FORGET_S", "PASSES", "Door", "Person", "Presence", "doors_of", "zones_of"]

PASSES = frozenset({"access_granted", "access_not_taken"})
"""Types of events that say where somebody is."""
FORGET_S = 16 * 3600.0
MOST = 50_000
"""Cards that are kept; the one not seen for longest goes first, and is counted."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a door means for the place of who passes it."""

    equipment: str
    area: str
    floor: str
    entrance: bool
    """True: it leads out of the building."""


@dataclass(frozen=True, slots=True)
class Person:
    """Where a card was seen last. The id is that of the access controllers, never a name."""

    id: str
    area: str
    floor: str
    """Empty: in the building, between two doors (stairs, lifts, lobby)."""
    door: str
    """Equipment address."""
    seen_ns: int
    inside: bool = True


def doors_of(site: Site) -> dict[str, Door]:
    """Return the doors of a site by the word that their controllers use: `w-05f-1` is `….access.w_05f_1`."""
    return {
        address.rsplit(".", 1)[1].replace("_", "-"): Door(
            address, piece.area, piece.floor, piece.parameters.get("use") == "entrance"
        )
        for address, piece in site.equipment.items()
        if piece.cls == "door"
    }


def zones_of(site: Site, building: str) -> tuple[tuple[str, str], ...]:
    """Return the zones of a building, (floor, area): where a door leads somebody may be, with a card or without."""
    doors = (piece for piece in site.equipment.values() if piece.cls == "door" and piece.building == building)
    return tuple(sorted({(door.floor, door.area) for door in doors if door.floor}))


class Presence:
    """Follows the events of the doors; every call returns at once."""

    def __init__(self, site: Callable[[], Site]) -> None:
        """Begin with an empty house; its doors are those of whatever site is in effect."""
        self._site = site
        self._of: Site | None = None
        self._doors: Mapping[str, Door] = {}
        self.dropped = 0
        """Cards that were forgotten because there were too many."""
        self._people: dict[str, Person] = {}
        self._before: dict[str, Person | None] = {}
        """Where somebody was before the last pass, in case that it was not taken."""

    def take(self, type_: str, time_ns: int, data: Mapping[str, Any]) -> Person | None:
        """Take one event; return where its person is now, None when it says nothing of anybody.

        An event older than what is known of the person changes nothing.
        """
        site = self._site()
        if site is not self._of:
            self._of, self._doors = site, doors_of(site)
        id_, door = data.get("person"), self._doors.get(str(data.get("door", "")))
        if type_ not in PASSES or not isinstance(id_, str) or not id_ or door is None:
            return None
        id_ = id_[:60]
        known = self._people.get(id_)
        if known is not None and time_ns < known.seen_ns:
            return None
        if type_ == "access_not_taken":
            if known is not None and known.door != door.equipment:
                return None  # given up for another door, through which they went
            before = self._before.pop(id_, known)
            if before is None:
                self._people.pop(id_, None)
                return None
            self._keep(before)
            return before
        outward = data.get("direction") == "out"
        person = Person(
            id_,
            door.area,
            "" if outward else door.floor,
            door.equipment,
            time_ns,
            inside=not (outward and door.entrance),
        )
        self._before[id_] = known
        self._keep(person)
        return person

    def _keep(self, person: Person) -> None:
        self._people.pop(person.id, None)
        self._people[person.id] = person
        if len(self._people) > MOST:
            oldest = next(iter(self._people))
            del self._people[oldest]
            self._before.pop(oldest, None)
            self.dropped += 1

    def inside(self, now_ns: int) -> Sequence[Person]:
        """Return the people in the building, by floor, area and id."""
        since = now_ns - round(FORGET_S * 1e9)
        found = [person for person in self._people.values() if person.inside and person.seen_ns >= since]
        return sorted(found, key=lambda person: (person.floor, person.area, person.id))
