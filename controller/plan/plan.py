"""A floor plan as data: a drawing, zones on it, and where equipment or single points stand.

Coordinates count from the upper left corner of the drawing, in units of `width` × `height`. A plan may have no drawing,
no zone or no placement: what a floor has comes from the equipment, and `controller.plan.layout` finds places for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.plan import polygon
from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controller.plan.polygon import Vertex
    from controller.point.model import Equipment, Point

__all__ = ["MOST_PLACEMENTS", "MOST_VERTICES", "MOST_ZONES", "Drawing", "Fault", "Placement", "Plan", "Zone", "faults"]

MOST_ZONES = 100
MOST_VERTICES = 60
MOST_PLACEMENTS = 2_000
_LEAST_AREA = 100.0
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A checked picture; `id` is the SHA-256 of its bytes in hex."""

    id: str
    kind: str
    """`svg` or `png`."""
    width: float
    height: float
    file: str = ""
    """Its name below the site's folder; empty for one that was uploaded."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the floor."""

    id: str
    name: Name
    polygon: tuple[Vertex, ...]
    holds: tuple[str, ...] = ()
    """Wings and areas whose equipment is laid out in it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the middle of the label of an equipment or a point stands."""

    address: str
    x: float
    y: float

    @property
    def equipment(self) -> str:
        """Address of its equipment."""
        return ".".join(self.address.split(".")[:3])


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one floor."""

    building: str
    floor: str
    width: float
    height: float
    drawing: Drawing | None = None
    zones: tuple[Zone, ...] = ()
    placements: tuple[Placement, ...] = ()

    @property
    def key(self) -> Key:
        """Building and floor."""
        return self.building, self.floor

    def to_json(self) -> dict[str, Any]:
        """Return what `parse` takes, as the overlay keeps it."""
        drawing = self.drawing
        return {
            "width": self.width,
            "height": self.height,
            "drawing": None
            if drawing is None
            else {
                "id": drawing.id,
                "kind": drawing.kind,
                "width": drawing.width,
                "height": drawing.height,
                "file": drawing.file,
            },
            "zones": [
                {
                    "id": zone.id,
                    "name": {"zh": zone.name.zh, "en": zone.name.en},
                    "polygon": [list(vertex) for vertex in zone.polygon],
                    "holds": list(zone.holds),
                }
                for zone in self.zones
            ],
            "placements": [{"address": item.address, "x": item.x, "y": item.y} for item in self.placements],
        }

    @classmethod
    def parse(cls, building: str, floor: str, data: Mapping[str, Any]) -> Plan:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        drawing = data["drawing"]
        return cls(
            building,
            floor,
            float(data["width"]),
            float(data["height"]),
            None if drawing is None else Drawing(**drawing),
            tuple(
                Zone(
                    zone["id"],
                    Name(zone["name"]["zh"], zone["name"]["en"]),
                    tuple((float(x), float(y)) for x, y in zone["polygon"]),
                    tuple(zone["holds"]),
                )
                for zone in data["zones"]
            ),
            tuple(Placement(item["address"], float(item["x"]), float(item["y"])) for item in data["placements"]),
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a plan; `path` leads to it from the plan: `("zones", 1, "polygon")`."""

    path: tuple[str | int, ...]
    got: str
    wanted: str
    todo: str = ""

    def __str__(self) -> str:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path).lstrip(".")
        return f"{place}: got {self.got}, wanted {self.wanted}" + (f"; {self.todo}" if self.todo else "")


def faults(plan: Plan, equipment: Mapping[str, Equipment], points: Mapping[str, Point]) -> Iterator[Fault]:
    """Yield everything that contradicts itself, the drawing or the site."""
    inside = f"between 0, 0 and {plan.width:g}, {plan.height:g}"
    good: list[tuple[int, Zone]] = []
    for place, zone in enumerate(plan.zones):
        path = ("zones", place, "polygon")
        if any(other.id == zone.id for other in plan.zones[:place]):
            yield Fault(("zones", place, "id"), f'"{zone.id}" twice', "each zone once")
        outside = [vertex for vertex in zone.polygon if not _within(plan, *vertex)]
        if outside:
            yield Fault(path, f"a corner at {_shown(outside[0])}", f"corners inside of the drawing, {inside}")
        elif not polygon.is_simple(zone.polygon):
            yield Fault(path, f'an outline of "{zone.id}" that crosses itself', "corners in the order of the outline")
        elif polygon.area(zone.polygon) < _LEAST_AREA:
            yield Fault(path, f'"{zone.id}" without an inside', f"at least {_LEAST_AREA:g} square units")
        else:
            for _, other in good:
                if polygon.overlap(zone.polygon, other.polygon):
                    got = f'zone "{zone.id}" over zone "{other.id}"'
                    yield Fault(path, got, "zones beside each other", "Move their corners until they only touch.")
            good.append((place, zone))
    seen: set[str] = set()
    for place, item in enumerate(plan.placements):
        where = ("placements", place)
        if item.address in seen:
            yield Fault((*where, "address"), f'"{item.address}" twice', "each thing once")
        seen.add(item.address)
        found = equipment.get(item.equipment)
        if found is None or (item.address != item.equipment and item.address not in points):
            yield Fault((*where, "address"), f'"{item.address}"', "an equipment or a point of this site")
        elif (found.building, found.floor) != plan.key:
            got = f'"{item.address}", which is on {found.floor or "no floor"} of {found.building}'
            yield Fault((*where, "address"), got, f"something on {plan.floor} of {plan.building}")
        if not _within(plan, item.x, item.y):
            yield Fault((*where, "at"), _shown((item.x, item.y)), f"a place inside of the drawing, {inside}")


def _within(plan: Plan, x: float, y: float) -> bool:
    return math.isfinite(x) and math.isfinite(y) and 0 <= x <= plan.width and 0 <= y <= plan.height


def _shown(vertex: Vertex) -> str:
    return f"{vertex[0]:g}, {vertex[1]:g}"
