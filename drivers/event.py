"""Events: something that happened and has no value to trend (door forced, SOS pressed, OPC UA condition)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Event"]


@dataclass(frozen=True, slots=True)
class Event:
    """One occurrence, reported by a device.

    `key` is idempotent: the device's own event id or sequence number, so that an event delivered twice is kept once.
    """

    key: str
    """Unique for ever within `source`, at most 200 characters."""
    source: str
    """Device id, as in `Device.id`."""
    type: str
    """Lower-case word of the field with underscores, such as `door_forced`."""
    time_ns: int
    """Source time, ns since 1970 UTC."""
    data: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    urgent: bool = False
    """True runs the controller's cycle at once (fire, SOS, intrusion, lift entrapment)."""
    late: bool = False
    """True when the device delivered it after the fact; it raises no alarm."""
