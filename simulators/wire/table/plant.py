"""Register tables of the chilled-water plant: chillers and the header's I/O.

Sources: site standards "chiller" and "plant header"; Carrier AquaEdge 23XRV controls manual, p. 70.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulators.wire.register import Bank, Cell, ObjectBank, Source, StateMap, WriteCell
from simulators.wire.unit import Table

if TYPE_CHECKING:
    from simulators.wire.unit import Port

__all__ = ["carrier_23xrv", "site_standard_chiller", "site_standard_plant_header"]

_ALARMS = (
    "alarm_low_evap", "alarm_high_cond", "alarm_oil", "alarm_flow_evap", "alarm_flow_cond", "alarm_motor",
    "alarm_freeze", "alarm_vsd", "alarm_sensor",
)  # fmt: skip
_CARRIER_STATE = {0: 0, 1: 5, 2: 7, 3: 10, 4: 13, 5: 3, 6: 11, 7: 14}
"""State of the physics (the site standard's list) -> status word of the 23XRV."""


def _alarm_word(state: StateMap) -> float:
    word = sum(1 << bit for bit, name in enumerate(_ALARMS) if state.get(name, 0.0) >= 0.5)
    return float(word | (0x8000 if word or state.get("alarm", 0.0) >= 0.5 else 0))


def site_standard_chiller(_unit: int) -> Table:
    """Site standard chiller: block A 0-59, block B 100-119, 60-99 refused, FC03 and FC16 only, 60 registers a read."""
    cells = [
        Cell(0, "state", "u16"),
        Cell(1, _alarm_word, "u16"),
        Cell(2, "remote", "u16"),
        Cell(3, "chw_supply_temp", "i16", 100.0),
        Cell(4, "chw_return_temp", "i16", 100.0),
        Cell(5, "cw_leaving_temp", "i16", 100.0),
        Cell(6, "cw_entering_temp", "i16", 100.0),
        Cell(7, "chw_flow", "u16", 10.0),
        Cell(8, "cw_flow", "u16", 10.0),
        Cell(9, "load", "u16", 10.0),
        Cell(10, "power", "u32", 100.0),
        Cell(12, "motor_current", "u16", 10.0),
        Cell(13, "vane", "u16", 10.0),
        Cell(14, "evap_pressure", "i16"),
        Cell(15, "cond_pressure", "i16"),
        Cell(16, "oil_pressure", "i16"),
        Cell(17, "discharge_temp", "i16", 10.0),
        Cell(18, "evap_sat_temp", "i16", 100.0),
        Cell(19, "cond_sat_temp", "i16", 100.0),
        Cell(20, "energy", "u32", 10.0),
        Cell(22, "run_hours", "u32", 10.0),
        Cell(24, "starts", "u32"),
        Cell(26, "start_wait", "u16"),
        Cell(27, "minimum_on_left", "u16"),
        Cell(28, "gateway_heartbeat", "u32"),
        Cell(100, "enable", "u16"),
        Cell(101, "chw_setpoint", "i16", 100.0),
        Cell(102, "demand_limit", "u16", 10.0),
        Cell(103, 0.0, "u16"),
        Cell(104, "controller_heartbeat", "u16"),
        Cell(105, "effective_chw_setpoint", "i16", 100.0),
        Cell(106, "effective_demand_limit", "u16", 10.0),
    ]
    writes = Table.cells(
        WriteCell(100, "enable", low=0, high=1),
        WriteCell(101, "chw_setpoint", "i16", 100.0, 5.0, 15.0),
        WriteCell(102, "demand_limit", "u16", 10.0, 40.0, 100.0),
        WriteCell(103, "alarm_reset", low=0, high=1),
        WriteCell(104, "controller_heartbeat"),
    )
    bank = Bank(cells, fill=[(0, 59, b"\0\0"), (100, 119, b"\0\0")], max_read=60)
    return Table("site-standard-chiller", {3: bank}, writes, frozenset({16}), max_write=60, machine=_Remembered)


class _Remembered:
    """Registers that read back what was last written to them, where the physics does not show it."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def view(self, state: StateMap) -> StateMap:
        return {**self._port.device.commanded, **state}

    def write(self, quantity: str, value: float) -> float:
        return self._port.write(quantity, value)


def _minutes(quantity: str) -> Source:
    return lambda state: state.get(quantity, math.nan) / 60.0


def _carrier_state(state: StateMap) -> float:
    value = state.get("state", math.nan)
    return float(_CARRIER_STATE.get(round(value), 0)) if math.isfinite(value) else math.nan


def _carrier_system(state: StateMap) -> float:
    """0 off, 1 on, 2 alarm, 3 lock-out."""
    value = state.get("state", 0.0)
    return 3.0 if value >= 7 else 2.0 if value >= 6 else 1.0 if value >= 1 else 0.0


def carrier_23xrv(_unit: int) -> Table:
    """Carrier 23XRV: object numbers; floats one address apart, each answered alone; FC03 holding, FC04 input."""
    holding = [
        Cell(0x28, _carrier_state, "u16"),
        Cell(0x2A, _minutes("start_wait")),
        Cell(0x2B, _minutes("minimum_on_left")),
        Cell(0x2E, 0.0, "u16"),
        Cell(0x2F, "enable", "u16"),
        Cell(0x30, "chw_setpoint"),
        Cell(0x31, 0.0, "u16"),
        Cell(0x32, "demand_limit", "u16"),
        Cell(0x33, 100.0, "u16"),
        Cell(0x36, _carrier_system, "u16"),
        Cell(0x38, 0.0, "u16"),
        Cell(0x39, 0.0, "u16"),
    ]
    measured = [
        Cell(0x3B, "chw_return_temp"),
        Cell(0x3C, "chw_supply_temp"),
        Cell(0x3D, "cw_entering_temp"),
        Cell(0x3E, "cw_leaving_temp"),
        Cell(0x41, "evap_sat_temp"),
        Cell(0x42, "evap_sat_temp"),
    ]
    writes = Table.cells(
        WriteCell(0x2F, "enable", low=0, high=1),
        WriteCell(0x30, "chw_setpoint", "f32", 1.0, -20.0, 67.0),
        WriteCell(0x32, "demand_limit", "u16", 1.0, 0.0, 100.0),
    )
    return Table(
        "carrier-23xrv",
        {3: ObjectBank(holding), 4: ObjectBank(measured)},
        writes,
        frozenset({6, 16}),
        machine=_Remembered,
    )


def site_standard_plant_header(_unit: int) -> Table:
    """Header I/O: FC04 int16; set-points at 100-102 by FC16, read back by FC03."""
    cells = [
        Cell(0, "chw_supply_temp", "i16", 100.0),
        Cell(1, "chw_return_temp", "i16", 100.0),
        Cell(2, "differential_pressure", "i16", 10.0),
        Cell(3, "bypass_valve", "i16"),
        Cell(4, "outdoor_temp", "i16", 10.0),
        Cell(5, "wet_bulb_temp", "i16", 10.0),
        Cell(6, "basin_level", "i16"),
        Cell(7, "makeup_flow", "i16"),
        Cell(8, "conductivity", "i16"),
    ]
    held = [
        Cell(100, "bypass_valve_cmd", "i16"),
        Cell(101, 15.0, "u16"),
        Cell(102, "differential_pressure_setpoint", "i16", 10.0),
    ]
    writes = Table.cells(
        WriteCell(100, "bypass_valve_cmd", "i16", 1.0, 0.0, 100.0),
        WriteCell(101, "isolation_valves", "u16", 1.0, 0.0, 15.0),
        WriteCell(102, "differential_pressure_setpoint", "i16", 10.0, 0.0, 500.0),
    )
    return Table(
        "site-standard-plant-header", {4: Bank(cells), 3: Bank(held)}, writes, frozenset({16}), machine=_Remembered
    )
