"""Register tables of the car park: exhaust fans, gas detectors and four models of chargers.

Sources: MSR GA_GC06_Modbus_supplement_E, pp. 6-9; Alfen Modbus TCP/IP implementation 2.3; KeContact P30 Modbus TCP
guide V1.02; Delta AC MAX and Alpitronic HYC as evcc reads them (charger/delta.go, charger/alpitronic.go).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from simulators.wire.register import Bank, Cell, StateMap, WriteCell
from simulators.wire.table.drive import abb_ach580
from simulators.wire.unit import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["abb_ach580_fan", "alfen_ng910", "alpitronic_hyc50", "delta_ac_max", "keba_p30", "msr_polygard2_dgc06"]

_FREE, _CONNECTED, _CHARGING, _PAUSED, _FULL, _FAULT, _UNAVAILABLE = range(7)
_ALFEN = {_FREE: b"A", _CONNECTED: b"B1", _CHARGING: b"C2", _PAUSED: b"B2", _FULL: b"B1", _FAULT: b"F",
          _UNAVAILABLE: b"F"}  # fmt: skip
_KEBA = {_FREE: 1, _CONNECTED: 2, _CHARGING: 3, _PAUSED: 5, _FULL: 2, _FAULT: 4, _UNAVAILABLE: 0}
_DELTA = {_FREE: 1, _CONNECTED: 3, _CHARGING: 4, _PAUSED: 7, _FULL: 6, _FAULT: 9, _UNAVAILABLE: 0}
_ALPITRONIC = {_FREE: 0, _CONNECTED: 2, _CHARGING: 3, _PAUSED: 5, _FULL: 6, _FAULT: 10, _UNAVAILABLE: 8}
_WORD = b"\0\0"
_BROKEN = -32000
"""Error bits of a DGC-06: anything below -16385."""


def _coded(codes: Mapping[int, int]) -> Callable[[StateMap], float]:
    return lambda state: float(codes.get(int(state.get("state", _UNAVAILABLE)), 0))


def abb_ach580_fan(unit: int) -> Table:
    """ABB ACH580 with 58.107 on 10.02: register 400007 holds the digital inputs, bit 2 (DI3) is the airflow switch."""
    drive = abb_ach580(unit)
    bank = drive.reads[3]
    assert isinstance(bank, Bank)
    inputs = Cell(6, lambda s: 4.0 if s.get("airflow", 0.0) >= 0.5 else 0.0, "u16")
    return replace(drive, model="abb-ach580-fan", reads={3: bank.with_cells(inputs)})


def _gas(tag: str, factor: float) -> Callable[[StateMap], float]:
    broken = f"{tag.removesuffix('_mean')}_fault"
    return lambda state: _BROKEN if state.get(broken, 0.0) >= 0.5 else state.get(tag, math.nan) * factor


def msr_polygard2_dgc06(_unit: int) -> Table:
    """DGC-06: register number N is wire N - 1; CO 0-300 ppm x 10, NO2 0-30 ppm x 100; values, averages, ranges."""
    cells = [
        Cell(1000, _gas("co", 10.0), "i16"),
        Cell(1001, _gas("no2", 100.0), "i16"),
        Cell(3000, _gas("co_mean", 10.0), "i16"),
        Cell(3001, _gas("no2_mean", 100.0), "i16"),
        Cell(5000, 300.0, "u16"),
        Cell(5001, 30.0, "u16"),
    ]
    spare = [(1000, 1095, _WORD), (2000, 2031, _WORD), (3000, 3095, _WORD), (4000, 4031, _WORD), (5000, 5095, _WORD)]
    return Table("msr-polygard2-dgc06", {3: Bank(cells, fill=spare)})


def alfen_ng910(_unit: int) -> Table:
    """Alfen socket 1: floats high word first, energy as a double, the state a text of five registers."""
    mode = Cell(1201, "state", "text", text=bytes(10), spell=lambda state: _ALFEN.get(int(state), b"F"))
    cells = [
        *(Cell(306 + 2 * phase, "voltage") for phase in range(3)),
        *(Cell(320 + 2 * phase, "current") for phase in range(3)),
        Cell(344, "power", "f32", 1000.0),
        Cell(374, "energy", "f64", 1000.0),
        Cell(1200, lambda s: float(s.get("state", 0.0) not in (_FAULT, _UNAVAILABLE)), "u16"),
        mode,
        Cell(1206, "current_limit_applied"),
        Cell(1208, "limit_valid", "u32"),
        Cell(1210, "current_limit"),
        Cell(1212, "safe_current"),
        Cell(1214, 1.0, "u16"),
        Cell(1215, 3.0, "u16"),
    ]
    return Table("alfen-ng910", {3: Bank(cells)}, Table.cells(WriteCell(1210, "current_limit", "f32")), frozenset({16}))


def keba_p30(_unit: int) -> Table:
    """KEBA P30: one value of 32 bits a request, function 6 alone for writes."""
    cells = [
        Cell(1000, _coded(_KEBA), "u32"),
        Cell(1004, lambda s: 7.0 if s.get("vehicle_connected", 0.0) >= 0.5 else 0.0, "u32"),
        Cell(1006, "error_code", "u32"),
        *(Cell(1008 + 2 * phase, "current", "u32", 1000.0) for phase in range(3)),
        Cell(1016, 304_921.0, "u32"),
        Cell(1018, 0x0A_0A_10_00, "u32"),
        Cell(1020, "power", "u32", 1e6),
        Cell(1036, "energy", "u32", 10_000.0),
        *(Cell(1040 + 2 * phase, "voltage", "u32") for phase in range(3)),
        Cell(1100, "current_limit", "u32", 1000.0),
        Cell(1110, 32_000.0, "u32"),
        Cell(1500, "rfid", "u32"),
        Cell(1502, "session_energy", "u32", 10_000.0),
        Cell(1600, 8_000.0, "u32"),
        Cell(1602, 30.0, "u32"),
    ]
    writes = Table.cells(
        WriteCell(5004, "current_limit", "u16", 1000.0),
        WriteCell(5014, "enable", "u16", 1.0, 0.0, 1.0),
        WriteCell(5018, "failsafe_timeout", "u16", 1.0, 0.0, 600.0),
    )
    return Table("keba-p30", {3: Bank(cells, max_read=2, whole=True)}, writes, frozenset({6}))


def delta_ac_max(_unit: int) -> Table:
    """Delta AC MAX: input registers, EVSE 1 from 1000, +1 absent; the limit in W among the holding registers."""
    cells = [
        Cell(100, lambda s: 10.0 if s.get("state") == _FAULT else 1.0, "u16"),
        Cell(102, 1.0, "u16"),
        Cell(1000, _coded(_DELTA), "u16"),
        Cell(1003, "voltage"),
        Cell(1005, "power", "u32", 1000.0),
        Cell(1007, "current"),
        Cell(1017, "session_time", "u32"),
        Cell(1019, "session_energy", "u32", 1000.0),
        Cell(1600, "power_limit", "u32", 1000.0),
    ]
    return Table(
        "delta-ac-max", {4: Bank(cells)}, Table.cells(WriteCell(1600, "power_limit", "u32", 1000.0)), frozenset({16})
    )


def alpitronic_hyc50(_unit: int) -> Table:
    """Alpitronic HYC50, connector 1: input registers 100-135 in one block of 36, the limit in holding register 100."""
    cells = [
        Cell(100, _coded(_ALPITRONIC), "u16"),
        Cell(101, "voltage", "u32", 100.0),
        Cell(103, "current", "u16", 100.0),
        Cell(104, "power", "u32", 1000.0),
        Cell(106, "session_time", "u16"),
        Cell(107, "session_energy", "u16", 100.0),
        Cell(108, "soc", "u16", 100.0),
        Cell(109, lambda s: 1.0 if s.get("state", 0.0) != _FREE else 0.0, "u16"),
        Cell(110, "max_power", "u32", 1000.0),
        Cell(112, 1547.0, "u32"),
        Cell(132, "energy", "i64", 1000.0),
    ]
    limit = Bank([Cell(100, "power_limit", "u32", 1000.0)])
    return Table(
        "alpitronic-hyc50",
        {3: limit, 4: Bank(cells, fill=[(100, 136, _WORD)], max_read=36)},
        Table.cells(WriteCell(100, "power_limit", "u32", 1000.0)),
        frozenset({16}),
    )
