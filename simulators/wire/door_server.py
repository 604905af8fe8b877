"""What a door shows on its controller's OPC UA server: node names, types, ranges and who may write.

Source: site standard for doors over OPC UA, `Door/<id>/`. Typed here a second time. The method MomentaryUnlock(seconds,
reason) is served as the variable MomentaryUnlockSeconds, and AckAlarm() as the variable AckAlarm.
"""

from __future__ import annotations

from simulators.wire.ddc import DdcNode

__all__ = ["NAMESPACE", "NODES"]

NAMESPACE = "urn:taipei-city-hall:door"


def _enumeration(name: str, quantity: str, states: tuple[str, ...], *, writable: bool = False) -> DdcNode:
    return DdcNode(name, quantity, "Int32", high=float(len(states) - 1), writable=writable, states=states)


NODES: tuple[DdcNode, ...] = (
    _enumeration("Mode", "mode", ("Locked", "Controlled", "Unlocked", "LockedDown", "Blocked"), writable=True),
    _enumeration("Position", "position", ("Closed", "Open")),
    _enumeration("Lock", "lock", ("Locked", "Unlocked")),
    _enumeration("Alarm", "alarm", ("Normal", "Forced", "Held")),
    DdcNode("Tamper", "tamper", "Boolean"),
    DdcNode("Fault", "fault", "Boolean"),
    DdcNode("BatteryLow", "battery_low", "Boolean"),
    DdcNode("FireReleased", "fire_released", "Boolean"),
    DdcNode("MomentaryUnlockSeconds", "momentary_unlock", "UInt32", low=1.0, high=60.0, writable=True),
    DdcNode("AckAlarm", "ack_alarm", "Boolean", writable=True),
)
