"""What air handlers and fan coils show on their DDC server: node names, types, ranges and who may write.

Source: site standard "AHU / FCU DDC over OPC UA". Typed here a second time; shared by both ends of the pipe between the
world and the server process.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FCU_NODES", "NAMESPACE", "NODES", "DdcNode"]

NAMESPACE = "urn:taipei-city-hall:ddc"


@dataclass(frozen=True, slots=True)
class DdcNode:
    """One variable of an air handler."""

    name: str
    """Last part of the node id, `AHU/<id>/<name>`."""
    quantity: str
    kind: str = "Double"
    """Double, Boolean, Int16, Int32 (enumeration) or UInt32."""
    unit: str = ""
    low: float = 0.0
    """EURange; a write outside of it is refused."""
    high: float = 0.0
    writable: bool = False
    step: float = 0.0
    """Resolution of the controller's input or output; 0 for none."""
    states: tuple[str, ...] = ()


def _temperature(name: str, quantity: str) -> DdcNode:
    return DdcNode(name, quantity, unit="°C", low=-10.0, high=60.0, step=0.05)


def _percent(name: str, quantity: str, *, writable: bool = False, step: float = 0.1) -> DdcNode:
    return DdcNode(name, quantity, unit="%", high=100.0, writable=writable, step=step)


def _flag(name: str, quantity: str, *, writable: bool = False) -> DdcNode:
    return DdcNode(name, quantity, "Boolean", writable=writable)


NODES: tuple[DdcNode, ...] = (
    _temperature("SupplyAirTemp", "supply_air_temp"),
    _temperature("ReturnAirTemp", "return_air_temp"),
    _temperature("MixedAirTemp", "mixed_air_temp"),
    _temperature("OutdoorAirTemp", "outdoor_air_temp"),
    DdcNode("SupplyAirTempSp", "supply_air_temp_sp", unit="°C", low=12.0, high=26.0, writable=True),
    DdcNode("SupplyStaticPressure", "supply_static_pressure", unit="Pa", high=800.0, step=1.0),
    DdcNode("SupplyStaticPressureSp", "supply_static_pressure_sp", unit="Pa", high=800.0, writable=True),
    DdcNode("ReturnCO2", "return_co2", unit="ppm", high=5000.0, step=1.0),
    _percent("ReturnHumidity", "return_humidity"),
    _percent("ChwValveCmd", "chw_valve_cmd", writable=True, step=0.0),
    _percent("ChwValvePosition", "chw_valve_position", step=0.5),
    _temperature("ZoneTemp", "zone_temp"),
    DdcNode("ZoneTempSp", "zone_temp_sp", unit="°C", low=18.0, high=28.0, writable=True),
    DdcNode("FilterDP", "filter_dp", unit="Pa", high=500.0, step=1.0),
    _flag("FilterDirty", "filter_dirty"),
    _flag("FreezeStat", "freeze_stat"),
    _flag("SmokeDamperClosed", "smoke_damper_closed"),
    _flag("FanRun", "fan_run"),
    _flag("FanFault", "fan_fault"),
    _flag("FanCmd", "fan_cmd", writable=True),
    _percent("FanSpeedCmd", "fan_speed_cmd", writable=True, step=0.0),
    _percent("OutdoorDamperCmd", "outdoor_damper_cmd", writable=True, step=0.0),
    _percent("OutdoorDamperPosition", "outdoor_damper_position", step=0.5),
    DdcNode("Mode", "mode", "Int32", high=2.0, writable=True, states=("off", "auto", "manual", "fire")),
    DdcNode("Watchdog", "watchdog", "UInt32"),
    DdcNode("ControllerAlive", "controller_alive", "UInt32", high=4_294_967_295.0, writable=True),
)
FCU_NODES: tuple[DdcNode, ...] = (
    _temperature("ZoneTemp", "zone_temp"),
    DdcNode("ZoneTempSp", "zone_temp_sp", unit="°C", low=18.0, high=28.0, writable=True),
    DdcNode("FanSpeed", "fan_speed", "Int32", high=3.0, states=("off", "low", "medium", "high")),
    _flag("ValveOpen", "valve_open"),
    _flag("Occupied", "occupied"),
)
