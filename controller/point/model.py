"""The site as data: buildings, floors, areas, equipment and points, with everything that a screen shows of them.

Built once by `controller.settings`, replaced whole by `shifu apply`, never changed in place. An address names a thing
for people and files; a point number names it in arrays, log and stream, for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Area", "Building", "Document", "Equipment", "Floor", "Limits", "Name", "Point", "Site", "WriteSpec"]


@dataclass(frozen=True, slots=True)
class Name:
    """A name in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Floor:
    """One level; `index` sorts them from the lowest (B3 = -3, 1F = 1, RF above the highest)."""

    id: str
    index: int
    name: Name


@dataclass(frozen=True, slots=True)
class Building:
    """One building of the site."""

    id: str
    name: Name
    floors: tuple[Floor, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a building that permissions and pages speak of: a wing, the car park, the plant room."""

    id: str
    name: Name
    building: str


@dataclass(frozen=True, slots=True)
class Document:
    """A checked file of the site's folder that belongs to equipment."""

    kind: str
    """`photo`, `manual` or `drawing`."""
    title: Name
    file: str
    """Below the site's folder."""
    media: str
    size: int
    digest: str
    """SHA-256 in hex."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """A thing that has points: a transformer, a chiller, a meter, a room sensor."""

    address: str
    """`building.system.equipment`"""
    cls: str
    """Class, a name of `drivers.equipment`: `transformer`, `meter`, `chiller`, `ahu`, `environment` …"""
    name: Name
    building: str
    system: str
    floor: str = ""
    area: str = ""
    wing: str = ""
    maker: str = ""
    model: str = ""
    serial: str = ""
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    """Nameplate and topology: `rated_kva`, `rated_kw`, `feeds`, `fed_by`."""
    documents: tuple[Document, ...] = ()
    """Its own first, then those of its class."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Alarm limits of an analog point in its unit; NaN where there is none."""

    high_high: float = math.nan
    high: float = math.nan
    low: float = math.nan
    low_low: float = math.nan


@dataclass(frozen=True, slots=True)
class WriteSpec:
    """What the arbiter must know of a commandable point; taken from the profile, narrowed by the site."""

    low: float
    high: float
    default: float | None = None
    fail: str = "hold"
    refresh_s: float | None = None
    readback: str = ""
    """Address of the point that holds the value in effect; empty when it is the point itself."""
    tolerance: float = 1e-6
    settle_s: float = 0.0
    minimum_on_s: float = 0.0
    minimum_off_s: float = 0.0
    """Binary points: how long the arbiter holds a state at slot 6 after a change."""
    momentary: bool = False
    """Written once and not held: the device clears it by itself."""
    confirm: str = "A"
    """Class of the two-step command: A inline, B dialogue, C second person."""


@dataclass(frozen=True, slots=True)
class Point:
    """One measured, commanded or computed quantity."""

    number: int
    address: str
    """`building.system.equipment.point`"""
    kind: str
    """`analog`, `binary`, `multistate` or `counter`."""
    unit: str
    name: Name
    equipment: str
    """Address of its equipment."""
    device: str = ""
    """Device id; empty for a virtual point."""
    tag: str = ""
    """Tag in the device's profile; empty for a virtual point."""
    low: float = -math.inf
    high: float = math.inf
    decimals: int = 1
    deadband: float = 0.0
    stale_s: float = 30.0
    states: tuple[tuple[int, Name], ...] = ()
    wrap_at: float | None = None
    limits: Limits = Limits()
    write: WriteSpec | None = None
    haystack: str = ""
    brick: str = ""
    urgent: bool = False
    area: str = ""
    """Area for permissions; the equipment's unless the file says otherwise."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the configuration says of the place, indexed.

    `generation` counts applied configurations; log frames and stream snapshots carry it.
    """

    id: str
    name: Name
    timezone: str
    generation: int
    buildings: Mapping[str, Building]
    areas: Mapping[str, Area]
    equipment: Mapping[str, Equipment]
    points: Mapping[str, Point]
    """By address, in the order of the files."""

    def by_number(self) -> dict[int, Point]:
        """Return the points by number."""
        return {point.number: point for point in self.points.values()}

    def of_equipment(self, address: str) -> tuple[Point, ...]:
        """Return the points of one equipment, in the order of the files."""
        return tuple(point for point in self.points.values() if point.equipment == address)
