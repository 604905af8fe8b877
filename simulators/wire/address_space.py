"""What an object of each model shows on its OPC UA server: the namespace and the variables below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulators.wire import ddc, door_server, lift

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.wire.ddc import DdcNode

__all__ = ["KINDS", "ObjectKind"]


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """One kind of object; its node ids are `<node_prefix>/<name>`, in the folder that the prefix begins with."""

    namespace: str
    nodes: tuple[DdcNode, ...]


KINDS: Mapping[str, ObjectKind] = {
    "site-standard-ahu": ObjectKind(ddc.NAMESPACE, ddc.NODES),
    "site-standard-fcu": ObjectKind(ddc.NAMESPACE, ddc.FCU_NODES),
    "site-standard-door": ObjectKind(door_server.NAMESPACE, door_server.NODES),
    "site-standard-lift": ObjectKind(lift.NAMESPACE, lift.NODES),
}
"""By the profile id that the site's files use."""
