"""Which zones City Hall is cut into, which air handler serves which, and which rooms have a fan coil.

Twelve floors of four wings (assumed: 1,500 m² each in the west, the rest of 36,000 m² among the other three and the
control room), and the Xinyi building, which no machine of City Hall cools.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from simulators.site import SimulatedSite

__all__ = [
    "CONTROL",
    "CONTROL_FLOOR",
    "CONTROL_KW",
    "FANCOILS",
    "FANCOIL_M2",
    "FANCOIL_ZONE",
    "FLOORS",
    "HANDLER_NAMES",
    "HANDLER_ZONE",
    "HOUSE",
    "WINGS",
    "WING_ZONES",
    "XINYI",
    "ZONES",
    "fancoil_room",
    "glass_share",
    "handler_column",
    "place_of",
    "wall_share",
    "zone_area",
    "zone_heads",
]

FLOORS = 12
WINGS = ("west", "southwest", "east", "north")
_SUFFIX = ("w", "sw", "e", "n")
WING_ZONES = FLOORS * len(WINGS)
"""Zone of floor f in wing k: 12 k + f - 1, so that the west wing is the first dozen."""
CONTROL = WING_ZONES
CONTROL_FLOOR = "B1"
XINYI = CONTROL + 1
ZONES = XINYI + 1
HOUSE = slice(0, XINYI)
"""The zones of City Hall, whose lamps and plugs hang on its feeders."""

_WEST_M2, _REST_M2, _CONTROL_M2, _XINYI_M2 = 1500.0, 36_000.0, 240.0, 2000.0
_WEST_HEADS, _CONTROL_HEADS, _XINYI_HEADS = 125.0, 6.0, 24.0
CONTROL_KW = 12.0
"""Screens, servers and radio of the control room, day and night (assumed)."""

HANDLER_ZONE = np.array([*range(WING_ZONES), CONTROL, CONTROL])
"""The control room has two machines, of which one can carry it."""
HANDLER_NAMES = (
    *(f"ahu-{floor + 1:02}f-{suffix}" for suffix in _SUFFIX for floor in range(FLOORS)),
    "ahu-cr-1",
    "ahu-cr-2",
)

FANCOILS = 40
_MEETING_M2, _CHILDCARE_M2, _KINDERGARTEN_M2 = 60.0, 120.0, 150.0
_EAST, _NORTH = 2, 3
FANCOIL_ZONE = np.array(
    # 1 to 36: a meeting room on each floor in the south-west, east and north; 37, 38: childcare; 39, 40: kindergarten.
    [(1 + n % 3) * FLOORS + n // 3 for n in range(36)] + [_EAST * FLOORS] * 2 + [_NORTH * FLOORS] * 2
)
FANCOIL_M2 = np.array([_MEETING_M2] * 36 + [_CHILDCARE_M2] * 2 + [_KINDERGARTEN_M2] * 2)
_AREA_ROOMS = {"childcare": 36, "kindergarten": 38}
"""The first fan-coil room of an area that has some of its own."""

_HANDLER = re.compile(r"ahu_(?:(\d+)f_(w|sw|e|n)|cr_([12]))")
_FLOOR = re.compile(r"(\d+)F")


def zone_area() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the floor area of each zone, m² (ZONES,), without the rooms that have a fan coil."""
    wing = (_REST_M2 - _CONTROL_M2) / (WING_ZONES - FLOORS)
    area = np.array([_WEST_M2] * FLOORS + [wing] * (WING_ZONES - FLOORS) + [_CONTROL_M2, _XINYI_M2])
    return np.asarray(area - np.bincount(FANCOIL_ZONE, FANCOIL_M2, ZONES))


def zone_heads(occupants: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return how many people belong to each zone (ZONES,), `occupants` of them to City Hall."""
    rest = max(occupants - FLOORS * _WEST_HEADS - _CONTROL_HEADS, 100.0) / (WING_ZONES - FLOORS)
    return np.array([_WEST_HEADS] * FLOORS + [rest] * (WING_ZONES - FLOORS) + [_CONTROL_HEADS, _XINYI_HEADS])


def glass_share() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return m² of glass a m² of floor (ZONES,); the control room lies below the street."""
    return np.array([0.10] * FLOORS + [0.06] * (WING_ZONES - FLOORS) + [0.0, 0.08])


def wall_share() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return how the glass of each zone is spread over its walls (ZONES, 4): north, east, south, west."""
    faces = ([0.0, 0.0, 0.2, 0.8], [0.0, 0.0, 0.5, 0.5], [0.1, 0.8, 0.1, 0.0], [0.8, 0.1, 0.0, 0.1])
    return np.array([face for face in faces for _ in range(FLOORS)] + [[0.25] * 4] * 2)


def handler_column(address: str) -> int | None:
    """Return the column of an air handler by the last word of its address, such as `ahu_05f_sw` or `ahu_cr_1`."""
    found = _HANDLER.fullmatch(address.rsplit(".", 1)[-1])
    if found is None:
        return None
    if found[3]:
        return WING_ZONES + int(found[3]) - 1
    floor = int(found[1])
    return _SUFFIX.index(found[2]) * FLOORS + floor - 1 if 1 <= floor <= FLOORS else None


def _zone(floor: str, wing: str, area: str, *, foreign: bool = False) -> int:
    """Return the zone of a place in the words of the site's files; a floor without a wing is its west wing's.

    `foreign` is a place in another building than City Hall.
    """
    if foreign:
        return XINYI
    if area == "control_room":
        return CONTROL
    found = _FLOOR.fullmatch(floor)
    level = min(max(int(found[1]), 1), FLOORS) if found else 1
    return (WINGS.index(wing) if wing in WINGS else 0) * FLOORS + level - 1


def fancoil_room(area: str) -> int | None:
    """Return the fan-coil room that stands for an area of its own, such as `childcare`."""
    return _AREA_ROOMS.get(area)


def place_of(site: SimulatedSite, address: str) -> int:
    """Return the zone in which an equipment stands."""
    equipment = site.equipment.get(address)
    foreign = bool(site.buildings) and not address.startswith(f"{site.buildings[0].id}.")
    if equipment is None:
        return _zone("", "", "", foreign=foreign)
    return _zone(equipment.floor, equipment.wing or equipment.area, equipment.area, foreign=foreign)
