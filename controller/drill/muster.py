"""The muster: who of the people that were in the building when the drill began is accounted for, zone by zone.

A zone is a floor within an area (3F, east). Wardens count with their phones, offline too, so ticks arrive late, twice
and in any order: a tick has a key of its own, the time of the warden's clock, and the clock's error as it was when the
phone sent it. The board is a pure function of the set of ticks: whatever the order of their arrival, it is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.drill.presence import Person

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["CARD", "Board", "Standing", "Status", "Tick", "TickKind", "ZoneCount", "board", "is_late"]

CARD = "card"
"""Who made a tick that a card at an exit made."""


class TickKind(StrEnum):
    """What a tick says."""

    PERSON = "person"
    """A person's status."""
    HEADCOUNT = "headcount"
    """People of the zone without a card (visitors) at the assembly point."""
    SWEPT = "swept"
    """The zone was walked through, nobody is left in it (全區已巡視)."""
    REPORT = "report"
    """The warden's count is finished (回報完成)."""


class Status(StrEnum):
    """Of a person."""

    ACCOUNTED = "accounted"
    MISSING = "missing"
    RESCUE = "rescue"
    """Needs rescue (待救援); the note says where."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One thing that a warden said."""

    key: str
    """Made by the phone; unique in the drill, so that a tick that is sent twice is kept once."""
    kind: TickKind
    who: str
    at_ns: int
    """By the warden's clock, corrected by its error, ns UTC."""
    phone_ns: int
    """As the phone had it."""
    received_ns: int
    area: str
    floor: str
    person: str = ""
    status: Status | None = None
    """None for a person: what was said before is taken back (a card at an exit whose holder did not go through)."""
    count: int = 0
    assembly: str = ""
    note: str = ""

    @property
    def order(self) -> tuple[int, str]:
        """Which of two ticks is the later one; equal times are told apart by their keys, the same way everywhere."""
        return (self.at_ns, self.key)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the journal."""
        return {
            name: str(value) if isinstance(value := getattr(self, name), StrEnum) else value
            for name in self.__dataclass_fields__
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Tick:
        """Return the tick that `to_json` wrote."""
        status = data["status"]
        return cls(**{**data, "kind": TickKind(data["kind"]), "status": None if status is None else Status(status)})


@dataclass(frozen=True, slots=True)
class ZoneCount:
    """One zone as the board shows it."""

    area: str
    floor: str
    expected: int
    accounted: int
    missing: int
    """Nobody has said anything of them, or a warden said that they are missing."""
    rescue: int
    visitors: int
    """Counted by wardens, without a card."""
    conflicts: int
    """People of whom two wardens say different things."""
    late: int
    """Ticks that were made after the end of the drill, by the wardens' clocks."""
    swept_ns: int | None
    reported_ns: int | None
    complete_ns: int | None
    """When the last of the expected was accounted for; None while somebody is not."""
    wardens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one person."""

    person: Person
    status: Status | None
    """None: nothing was said."""
    who: str = ""
    at_ns: int | None = None
    assembly: str = ""
    note: str = ""
    conflict: tuple[str, ...] = ()
    """Who says something else, when two do not agree."""
    late: bool = False
    """It was said after the end of the drill."""


@dataclass(frozen=True, slots=True)
class Board:
    """All zones and people."""

    zones: tuple[ZoneCount, ...]
    people: tuple[Standing, ...]
    """Those who were in the building."""
    others: tuple[Standing, ...] = ()
    """Those of whom a warden spoke though no card had brought them in."""
    arrived_late: int = 0
    """Ticks of wardens that came after the end of the drill, whenever they were made."""

    @property
    def expected(self) -> int:
        """People in the building at the start."""
        return sum(zone.expected for zone in self.zones)

    @property
    def accounted(self) -> int:
        """People accounted for."""
        return sum(zone.accounted for zone in self.zones)

    @property
    def missing(self) -> int:
        """People of whom nothing good is known."""
        return sum(zone.missing for zone in self.zones)

    @property
    def rescue(self) -> int:
        """People who need rescue."""
        return sum(zone.rescue for zone in self.zones)

    @property
    def complete_ns(self) -> int | None:
        """When everybody was accounted for; None while somebody is not, or nobody was expected."""
        times = [zone.complete_ns for zone in self.zones if zone.expected]
        if not times or any(time is None for time in times):
            return None
        return max(time for time in times if time is not None)


def board(
    people: Sequence[Person], ticks: Iterable[Tick], ended_ns: int | None = None, closed_ns: int | None = None
) -> Board:
    """Return the board of the people who were in the building and everything that was said.

    The last tick of a person by the wardens' clocks counts. Where another warden's own last word of the same person
    says something else, both are shown until they agree.

    Args:
        people: who was in the building at the start.
        ticks: everything that was said, in any order.
        ended_ns: end of the drill: what was said later is marked as late.
        closed_ns: when its report was finished; what came later changes nothing of it and is only counted.
    """
    said: dict[str, dict[str, Tick]] = {}
    zoned: dict[tuple[str, str], list[Tick]] = {}
    listed = {tick.key: tick for tick in sorted(ticks, key=lambda tick: tick.order)}.values()
    arrived = sum(is_late(tick.received_ns, ended_ns) for tick in listed if tick.who != CARD)
    for tick in listed:
        if is_late(tick.received_ns, closed_ns):
            continue
        zoned.setdefault((tick.floor, tick.area), []).append(tick)
        if tick.kind is TickKind.PERSON and tick.person:
            words = said.setdefault(tick.person, {})
            if tick.status is None:
                words.pop(tick.who, None)
            else:
                words[tick.who] = tick
    standings = [_standing(person, said.get(person.id, {}), ended_ns) for person in people]
    by_zone: dict[tuple[str, str], list[Standing]] = {}
    for standing in standings:
        by_zone.setdefault((standing.person.floor, standing.person.area), []).append(standing)
    zones = [
        _zone(key, by_zone.get(key, []), zoned.get(key, []), ended_ns)
        for key in sorted(by_zone.keys() | zoned.keys(), key=lambda key: (_level(key[0]), key[1]))
    ]
    expected = {person.id for person in people}
    others = [
        _standing(Person(id_, last.area, last.floor, "", last.at_ns), words, ended_ns)
        for id_, words in sorted(said.items())
        if id_ not in expected and words and (last := max(words.values(), key=lambda tick: tick.order))
    ]
    return Board(tuple(zones), tuple(standings), tuple(others), arrived)


def is_late(time_ns: int, end_ns: int | None) -> bool:
    """Tell whether a time lies after an end; never where there is none."""
    return end_ns is not None and time_ns > end_ns


def _standing(person: Person, words: Mapping[str, Tick], ended_ns: int | None) -> Standing:
    if not words:
        return Standing(person, None)
    last = max(words.values(), key=lambda tick: tick.order)
    # A card at an exit contradicts nobody: it tells that somebody has come out since.
    others = tuple(sorted(who for who, tick in words.items() if who != CARD and tick.status is not last.status))
    late = is_late(last.at_ns, ended_ns)
    return Standing(person, last.status, last.who, last.at_ns, last.assembly, last.note, others, late)


def _zone(
    key: tuple[str, str], standings: Sequence[Standing], ticks: Sequence[Tick], ended_ns: int | None
) -> ZoneCount:
    status = [standing.status for standing in standings]
    accounted = status.count(Status.ACCOUNTED)
    counts = {tick.who: tick.count for tick in ticks if tick.kind is TickKind.HEADCOUNT}
    times = [standing.at_ns for standing in standings if standing.at_ns is not None]
    whole = bool(standings) and accounted == len(standings)
    return ZoneCount(
        area=key[1],
        floor=key[0],
        expected=len(standings),
        accounted=accounted,
        missing=len(standings) - accounted - status.count(Status.RESCUE),
        rescue=status.count(Status.RESCUE),
        visitors=sum(counts.values()),
        conflicts=sum(bool(standing.conflict) for standing in standings),
        late=sum(is_late(tick.at_ns, ended_ns) for tick in ticks if tick.who != CARD),
        swept_ns=_last(ticks, TickKind.SWEPT),
        reported_ns=_last(ticks, TickKind.REPORT),
        complete_ns=max(times) if whole else None,
        wardens=tuple(sorted({tick.who for tick in ticks if tick.who != CARD})),
    )


def _last(ticks: Sequence[Tick], kind: TickKind) -> int | None:
    times = [tick.at_ns for tick in ticks if tick.kind is kind]
    return max(times) if times else None


def _level(floor: str) -> tuple[int, str]:
    """Return what sorts floors from the highest: RF, 12F … 1F, B1 … B3, and people between two doors last."""
    if floor == "RF":
        return (-1000, floor)
    digits = "".join(char for char in floor if char.isdigit())
    if not digits:
        return (1000, floor)
    return (int(digits) if floor.startswith("B") else -int(digits), floor)
