"""What a lift shows on its OPC UA server: node names, types, ranges and who may write.

Source: site standard "Lift/<id>/" (no companion specification for lifts is in OPCFoundation/UA-Nodeset).
"""

from __future__ import annotations

from simulators.wire.ddc import DdcNode

__all__ = ["NAMESPACE", "NODES"]

NAMESPACE = "urn:taipei-city-hall:lift"
_DIRECTIONS = ("none", "up", "down")
_DOORS = ("closed", "opening", "open", "closing", "fault")
_MODES = (
    "normal", "inspection", "fire recall", "firefighter", "independent", "out of service", "earthquake", "power fail",
)  # fmt: skip
_MOST = 4_294_967_295.0

NODES: tuple[DdcNode, ...] = (
    DdcNode("Position", "position", "Int16", low=-9.0, high=99.0),
    DdcNode("Direction", "direction", "Int32", high=2.0, states=_DIRECTIONS),
    DdcNode("Door", "door", "Int32", high=4.0, states=_DOORS),
    DdcNode("Load", "load", unit="%", high=120.0, step=1.0),
    DdcNode("Mode", "mode", "Int32", high=7.0, states=_MODES),
    DdcNode("PassengerAlarm", "passenger_alarm", "Boolean"),
    DdcNode("Entrapment", "entrapment", "Boolean"),
    DdcNode("FaultCode", "fault_code", "UInt32", high=_MOST),
    DdcNode("Trips", "trips", "UInt32", high=_MOST),
    DdcNode("RunHours", "run_hours", unit="h", high=1e6, step=0.1),
    DdcNode("DoorCycles", "door_cycles", "UInt32", high=_MOST),
    DdcNode("Energy", "energy", unit="kWh", high=1e7, step=0.1),
    DdcNode("ParkFloor", "park_floor", "Int16", low=-9.0, high=99.0, writable=True),
    DdcNode("ServiceModeRequest", "service_request", "Boolean", writable=True),
)
