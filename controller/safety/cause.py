"""The cause-and-effect table as data: which zones call for what, by which point that is seen, and what is held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Call", "Cause", "Effect", "FireTable", "united"]

_NAMELESS = Name("", "")


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that the building does in a fire by its own wires, and the point by which it is seen."""

    kind: str
    """Id of its kind, such as `ahu_stop`."""
    name: Name
    point: str
    """Address of the feedback."""
    low: float
    high: float
    """It is done while the feedback is within these, both ends included, in the point's unit."""
    within_s: float
    """Time that the building has for it, from the fire on."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Zones, and what a fire in any of them calls for."""

    id: str
    name: Name
    zones: tuple[str, ...]
    """Addresses of equipment."""
    points: tuple[str, ...] = ()
    """Commandable points whose slots 7 to 16 are emptied and held empty."""
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A place, by its role, that is called in a fire."""

    name: Name
    number: str = ""
    """Empty: not known."""


@dataclass(frozen=True, slots=True)
class FireTable:
    """What the site's files say of fire. Without a panel there is nothing to watch."""

    panel: str = ""
    """Address of the equipment."""
    relay: str = ""
    """Hard-wired relay that tells fire and fault past the panel's gateway; empty where there is none."""
    zones: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    batch: int = 8
    """Pieces of equipment that are given back to the schedule in one step: they may all start."""
    pause_s: float = 20.0
    """Time from one step of giving back to the next."""
    area: str = ""
    """Area of the panel's equipment; that of the alarms."""
    floor: str = ""
    zone_names: tuple[Name, ...] = ()
    """In the order of `zones`."""
    address: Name | None = None
    """Postal address, as 119 wants it."""
    entrance: Name | None = None
    """Where fire engines come in."""
    calls: tuple[Call, ...] = ()
    """Whom 119 calls back, and whom else to call."""

    def called(self, zones: Collection[str], *, everywhere: bool) -> tuple[Cause, ...]:
        """Return the causes that a fire in these zones calls for; all of them when nobody knows where it is."""
        return tuple(cause for cause in self.causes if everywhere or not set(zones).isdisjoint(cause.zones))

    @property
    def points(self) -> tuple[str, ...]:
        """Every point that any cause holds back, each once."""
        return united(cause.points for cause in self.causes)

    def name_of(self, zone: str) -> Name:
        """Return the name of a zone."""
        place = self.zones.index(zone) if zone in self.zones else -1
        return self.zone_names[place] if 0 <= place < len(self.zone_names) else _NAMELESS


def united(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return what is in any of the groups, each once, in the order of the table."""
    return tuple(dict.fromkeys(item for group in groups for item in group))
