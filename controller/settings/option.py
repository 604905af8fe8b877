"""The options that a device may have: those of its protocol, and the names that its profile's templates ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drivers.profile import Profile

__all__ = ["known_options", "template_options"]

_PROTOCOL = {
    "modbus": ("word_order", "base"),
    "opcua": ("security",),
    "mqtt": ("version", "client_id", "write_timeout_s", "dev_eui"),
}
_OURS = ("value", "tag", "from")
"""What the drivers fill in by themselves."""
_HOLE = re.compile(r"\{([A-Za-z_]\w*)\}")


def known_options(profile: Profile) -> tuple[str, ...]:
    """Return the names in the order in which a message should list them."""
    return tuple(dict.fromkeys((*_PROTOCOL[profile.protocol], *template_options(profile))))


def template_options(profile: Profile) -> tuple[str, ...]:
    """Return the names that the profile's topics and nodes have in braces: a device must give them."""
    names = [
        name
        for wire in (profile.wire, *(point.wire for point in profile.points))
        for text in _texts(wire)
        for name in _HOLE.findall(text)
        if name not in _OURS
    ]
    return tuple(dict.fromkeys(names))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for child in children for text in _texts(child)]
