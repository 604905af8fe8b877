"""From what the protocol servers see to entries of the ledger, and back to what a test asks for."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from simulators.fault import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulators.ledger import Ledger
    from simulators.plant.device import Device

__all__ = ["recording", "writes_of"]

_WRITE = struct.Struct("<dd")
"""The value as it came and the value in effect, NaN where it was not carried out."""


def recording(ledger: Ledger, now_ns: Callable[[], int]) -> Record:
    """Return a record that appends to `ledger`.

    An answer is noted once a device and step of the world, with address `quantities` and, as `raw`, float64 (low byte
    first) for each of `device.quantities`, before the rounding of the registers. A write is noted with its quantity as
    address and two float64.
    """

    def served(device: Device, state: Mapping[str, float]) -> None:
        values = [state[name] for name in device.quantities]
        raw = struct.pack(f"<{len(values)}d", *values)
        ledger.serve(now_ns(), device.id, "quantities", len(values), raw)

    def written(device: Device, quantity: str, value: float, effect: float | None) -> None:
        raw = _WRITE.pack(value, math.nan if effect is None else effect)
        ledger.write(now_ns(), device.id, quantity, raw, accepted=effect is not None)

    return Record(served, written)


def writes_of(ledger: Ledger, device: str) -> list[dict[str, Any]]:
    """Return the writes that a device received, oldest first, as objects for JSON."""
    found = []
    for entry in ledger.written:
        if entry.device == device:
            value, effect = _WRITE.unpack(entry.raw)
            found.append(
                {
                    "time_ns": entry.time_ns,
                    "quantity": entry.address,
                    "value": value if math.isfinite(value) else None,
                    "effective": effect if math.isfinite(effect) else None,
                    "accepted": entry.accepted,
                }
            )
    return found
