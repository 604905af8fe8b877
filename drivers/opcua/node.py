"""Nodes: the OPC UA part of a profile, checked, and the node ids of one device.

    [profile.wire]
    namespace = "urn:taipei-city-hall:ddc"   # by URI; its index may change and is looked up at every connect
    alive = "watchdog"                       # tag of a counter that moves while the device samples (optional)

    [[point]]
    wire = { node = "{node_prefix}/SupplyAirTemp", type = "Double" }

Further keys of a point: `sampling_ms` (default: the device's period), `deadband` (absolute, in the server; default
none), `scale` (value = raw × scale), `namespace` (where it differs from the profile's). A node is a string identifier;
`i=2258` names a numeric one.

A deadband in the server saves traffic and costs truth: some servers compare with the last sample instead of the last
value sent, so that a slow drift is never told, and swallow changes of status. So it is off unless the profile says so;
the point table has a deadband of its own.
"""

from __future__ import annotations

import math
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drivers.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.driver import Device
    from drivers.profile import Profile

__all__ = ["TYPES", "Node", "NodeMap", "family", "parse_nodes", "resolve"]

TYPES = (
    "Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double",
    "Enumeration",
)  # fmt: skip
"""Data types of OPC UA Part 6, 5.1.2 that are numbers; an Enumeration travels as Int32."""
_POINT_KEYS = {"node", "type", "sampling_ms", "deadband", "scale", "namespace"}
_WIRE_KEYS = {"namespace", "alive"}
_NUMERIC = re.compile(r"i=(\d{1,10})")
_MAX_IDENTIFIER = 4096
"""OPC UA Part 3, 8.2.3: a string identifier has at most 4,096 characters."""


@dataclass(frozen=True, slots=True)
class Node:
    """Where one point of a profile is."""

    place: int
    tag: str
    namespace: str
    template: str
    type: str
    sampling_ms: float | None
    deadband: float
    scale: float


@dataclass(frozen=True, slots=True)
class NodeMap:
    """The nodes of a profile, in the order of its points."""

    nodes: tuple[Node, ...]
    alive: int | None
    """Place of the point that shows that the device samples."""


def family(kind: str) -> str:
    """Return `boolean`, `integer` or `float`: types of one family are read alike, others are a wrong profile."""
    if kind == "Boolean":
        return "boolean"
    return "float" if kind in ("Float", "Double") else "integer"


def parse_nodes(profile: Profile) -> NodeMap:
    """Check the `wire` tables of an OPC UA profile.

    Raises:
        ProfileError: a key is unknown, missing, or its value is not usable.
    """
    where = f"profile {profile.id}"
    for key in profile.wire:
        if key not in _WIRE_KEYS:
            raise ProfileError(f"{where}: profile.wire.{key}: unknown key; known are {', '.join(sorted(_WIRE_KEYS))}")
    namespace = _uri(profile.wire.get("namespace"), f"{where}: profile.wire.namespace")
    alive = profile.wire.get("alive")
    tags = [point.tag for point in profile.points]
    if alive is not None and alive not in tags:
        raise ProfileError(f"{where}: profile.wire.alive: {alive!r} is no point of this profile")
    nodes = []
    for place, point in enumerate(profile.points):
        here = f'{where}: point "{point.tag}": wire'
        for key in point.wire:
            if key not in _POINT_KEYS:
                raise ProfileError(f"{here}.{key}: unknown key; known are {', '.join(sorted(_POINT_KEYS))}")
        template = point.wire.get("node")
        if not isinstance(template, str) or not template:
            raise ProfileError(f"{here}.node: got {template!r}, wanted a node such as {{node_prefix}}/SupplyAirTemp")
        try:
            list(string.Formatter().parse(template))
        except ValueError as error:
            raise ProfileError(f"{here}.node: {template!r}: {error}") from error
        kind = point.wire.get("type")
        if kind not in TYPES:
            raise ProfileError(f"{here}.type: got {kind!r}, wanted one of {', '.join(TYPES)}")
        if point.kind == "binary" and family(kind) == "float":
            raise ProfileError(f"{here}.type: a binary point cannot be a {kind}")
        deadband = _number(point.wire, "deadband", 0.0, 0.0, here)
        if deadband and family(kind) == "boolean":
            raise ProfileError(f"{here}.deadband: a Boolean has none")
        sampling = point.wire.get("sampling_ms")
        nodes.append(
            Node(
                place=place,
                tag=point.tag,
                namespace=_uri(point.wire.get("namespace", namespace), f"{here}.namespace"),
                template=template,
                type=kind,
                sampling_ms=None if sampling is None else _number(point.wire, "sampling_ms", 0.0, 10.0, here),
                deadband=deadband,
                scale=_number(point.wire, "scale", 1.0, 1e-9, here),
            )
        )
    return NodeMap(tuple(nodes), None if alive is None else tags.index(alive))


def resolve(node: Node, device: Device) -> str | int:
    """Fill the template with the device's options.

    Returns:
        A string identifier, or a number for `i=…`.

    Raises:
        ProfileError: an option is missing or the identifier too long.
    """
    where = f"device {device.id}: point {node.tag!r}"
    values = {}
    for _, name, _, _ in string.Formatter().parse(node.template):
        if name is None:
            continue
        option = device.options.get(name)
        if isinstance(option, bool) or not isinstance(option, str | int) or option == "":
            raise ProfileError(
                f"{where}: node {node.template!r} needs the option {name!r}; got {option!r}, wanted a text. "
                f"Add it to the device's options"
            )
        values[name] = option
    text = node.template.format(**values)
    if len(text) > _MAX_IDENTIFIER:
        raise ProfileError(f"{where}: node id of {len(text)} characters; at most {_MAX_IDENTIFIER}")
    match = _NUMERIC.fullmatch(text)
    return int(match[1]) if match else text


def _uri(value: object, where: str) -> str:
    if not isinstance(value, str) or ":" not in value:
        raise ProfileError(f"{where}: got {value!r}, wanted the URI of a namespace, such as urn:vendor:device")
    return value


def _number(wire: Mapping[str, Any], name: str, default: float, low: float, where: str) -> float:
    value = wire.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < low:
        raise ProfileError(f"{where}.{name}: got {value!r}, wanted a number from {low:g}")
    return float(value)
