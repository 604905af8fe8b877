"""Where everything on a floor stands: placements first, the rest on a grid inside the zone that holds its wing or area.

So a floor shows all that it has without a line of configuration but its zones. What no zone holds is named, not hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.plan import polygon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.plan.plan import Plan, Zone
    from controller.point.model import Equipment

__all__ = ["Spot", "lay_out"]

_NAME = (110.0, 28.0)
"""Room that the name of a zone and its mean take, in units of a plan of some 1,200."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One label."""

    address: str
    """Of an equipment, or of a single point."""
    equipment: str
    x: float
    y: float
    zone: str = ""
    automatic: bool = False
    """True where nobody placed it."""


def lay_out(plan: Plan, equipment: Iterable[Equipment]) -> tuple[list[Spot], list[str]]:
    """Return the labels in reading order (zone by zone, row by row), and the equipment for which there is no zone."""
    here = {item.address: item for item in equipment if (item.building, item.floor) == plan.key}
    spots = [
        Spot(item.address, item.equipment, item.x, item.y, _zone_at(plan, item.x, item.y))
        for item in plan.placements
        if item.equipment in here
    ]
    placed = {spot.address for spot in spots}
    waiting: dict[str, list[str]] = {}
    homeless = []
    for address, item in here.items():
        if address in placed:
            continue
        zone = _home(plan, item)
        if zone is None:
            homeless.append(address)
        else:
            waiting.setdefault(zone.id, []).append(address)
    for zone in plan.zones:
        names = waiting.get(zone.id, [])
        taken = [_name_place(zone), *((spot.x, spot.y) for spot in spots if spot.zone == zone.id)]
        for address, (x, y) in zip(names, polygon.spread(zone.polygon, len(names), taken), strict=True):
            spots.append(Spot(address, address, round(x, 1), round(y, 1), zone.id, automatic=True))
    order = {zone.id: place for place, zone in enumerate(plan.zones)}
    spots.sort(key=lambda spot: (order.get(spot.zone, len(order)), spot.y, spot.x))
    return spots, homeless


def _home(plan: Plan, item: Equipment) -> Zone | None:
    """Return the zone that names its wing, else its area."""
    for word in (item.wing, item.area):
        if word:
            for zone in plan.zones:
                if word in (zone.holds or (zone.id,)):
                    return zone
    return None


def _name_place(zone: Zone) -> tuple[float, float]:
    """Return the middle of the zone's name, which stands at the left end of its upper side: it is kept free."""
    top = min(y for _, y in zone.polygon)
    return min(x for x, y in zone.polygon if y <= top + 1) + _NAME[0] / 2, top + _NAME[1] / 2


def _zone_at(plan: Plan, x: float, y: float) -> str:
    return next((zone.id for zone in plan.zones if polygon.contains(zone.polygon, x, y, margin=-1e-9)), "")
