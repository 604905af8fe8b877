"""Devices that stand for several pieces of equipment: a fire panel with its zones, a pulse counter with its meters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PartPoint", "part_of"]

_NUMBERED = re.compile(r"(\d+)_(.+)")


@dataclass(frozen=True, slots=True)
class PartPoint:
    """Where a point of a device belongs."""

    key: str
    """The key of `parts` that says so."""
    address: str
    """Of the equipment."""
    tag: str
    """Of the point there."""


def part_of(tag: str, parts: Mapping[str, str]) -> PartPoint | None:
    """Return where the point `tag` of a profile belongs, or None where it is the device's own equipment.

    A key of `parts` is what the tag begins with: `ch_1` takes `ch_1_volume` to the tag `volume`; `zone_*` takes
    `zone_07_state` to the tag `state` of the equipment whose address has `07` for its `*`.
    """
    for key, address in parts.items():
        if key.endswith("*"):
            found = _NUMBERED.fullmatch(tag[len(key) - 1 :]) if tag.startswith(key[:-1]) else None
            if found:
                return PartPoint(key, address.replace("*", found[1]), found[2])
        elif tag.startswith(f"{key}_"):
            return PartPoint(key, address, tag[len(key) + 1 :])
    return None
