"""Register tables of generator, transfer switch, UPS, capacitor bank and pulse counter.

Sources: Deep Sea DSE GenComm, 056-051, and victronenergy/dbus-modbus-client `dse.py`; networkupstools/nut
`drivers/apc_modbus.c`; the site standards "transfer switch", "capacitor bank" and "pulse counter".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.wire.register import ILLEGAL_VALUE, Bank, BitBank, Cell, Refusal, Source, StateMap, WriteCell
from simulators.wire.unit import Table

if TYPE_CHECKING:
    from simulators.wire.unit import Port

__all__ = ["apc_smart_ups", "deep_sea_dse8xxx", "site_standard_ats", "site_standard_capacitor",
           "site_standard_pulse_counter"]  # fmt: skip

_UNIMPLEMENTED = b"\xff\xff"
_START, _CANCEL = 35_732, 35_733
_KEYS = {_START: "test_start", _CANCEL: "test_cancel"}


def _nibbles(*names: str) -> Source:
    """Return a word of four alarm conditions, the first in the highest four bits; 15 where there is none."""
    return lambda state: float(
        sum(round(state.get(name, 15.0) if name else 15.0) << 12 - 4 * at for at, name in enumerate(names))
    )


class _Keys:
    """Control keys: a key and its complement in one request of two registers, or nothing happens."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def view(self, state: StateMap) -> StateMap:
        return state

    def write(self, quantity: str, value: float) -> float:  # noqa: ARG002 - the shape of Machine
        key, complement = divmod(int(value), 1 << 16)
        if complement != 0xFFFF - key or key not in _KEYS:
            raise Refusal(ILLEGAL_VALUE)
        return self._port.write(_KEYS[key], 1.0)


def deep_sea_dse8xxx(_unit: int) -> Table:
    """DSE 8xxx: GenComm pages of 256 registers; what a page has not got reads as unimplemented."""
    cells = [
        Cell(768, 1.0, "u16"),
        Cell(769, 8610.0, "u16"),
        Cell(770, 861_012_345.0, "u32"),
        Cell(772, "mode", "u16"),
        Cell(1024, "oil_pressure", "u16"),
        Cell(1025, "coolant_temp", "i16"),
        Cell(1027, "fuel", "u16"),
        Cell(1029, "battery_voltage", "u16", 10.0),
        Cell(1030, "speed", "u16"),
        Cell(1031, "frequency", "u16", 10.0),
        *(Cell(1032 + 2 * at, f"voltage_l{at + 1}n", "u32", 10.0) for at in range(3)),
        *(Cell(1044 + 2 * at, f"current_l{at + 1}", "u32", 10.0) for at in range(3)),
        *(Cell(1052 + 2 * at, lambda state: state["power"] / 3.0, "i32", 1000.0) for at in range(3)),
        Cell(1408, "state", "u16"),
        Cell(1536, "power", "i32", 1000.0),
        Cell(1558, "load", "i16", 10.0),
        Cell(1798, "run_time", "u32", 3600.0),
        Cell(1800, "energy", "u32", 10.0),
        Cell(1808, "starts", "u32"),
        Cell(4098, float(0b11 << 14), "u16"),
        Cell(39_424, "alarm_count", "u16"),
        Cell(39_425, _nibbles("", "low_oil_pressure", "high_coolant_temp", ""), "u16"),
        Cell(39_426, _nibbles("", "", "fail_to_start", ""), "u16"),
        Cell(39_431, _nibbles("", "", "low_fuel", ""), "u16"),
    ]
    pages = [(768, 772), (1024, 1066), (1408, 1408), (1536, 1558), (1798, 1809), (4096, 4103), (39_424, 39_440)]
    return Table(
        "deep-sea-dse8xxx",
        {3: Bank(cells, fill=[(first, last, _UNIMPLEMENTED) for first, last in pages])},
        Table.cells(WriteCell(4104, "control_key", "u32")),
        frozenset({16}),
        machine=_Keys,
    )


def apc_smart_ups(_unit: int) -> Table:
    """Smart-UPS: fixed point, raw / 2^scale; status bits in the low word of registers 0 and 1."""
    status = ["", "on_line", "on_battery", "bypass", "output_off", "fault", "input_bad", "test_runs"]
    battery = ["battery_disconnected", "", "replace_battery", "", "charger_fault", ""]
    test = ["", "", "test_passed", "test_failed"]
    cells = [
        Cell(0, _bits(status), "u32"),
        Cell(2, 0.0, "u16"),
        Cell(22, _bits(battery), "u16"),
        Cell(23, _bits(test), "u16"),
        Cell(24, 0.0, "u16"),
        Cell(128, "runtime", "u32"),
        Cell(130, "charge", "u16", 512.0),
        Cell(131, "battery_voltage", "i16", 32.0),
        Cell(135, "battery_temp", "i16", 128.0),
        Cell(136, "load", "u16", 256.0),
        Cell(138, "load_apparent", "u16", 256.0),
        Cell(140, "output_current", "u16", 32.0),
        Cell(142, "output_voltage", "u16", 64.0),
        Cell(144, "output_frequency", "u16", 128.0),
        Cell(151, "input_voltage", "u16", 64.0),
        Cell(154, "efficiency", "i16", 128.0),
        Cell(588, 10_000.0, "u16"),
        Cell(589, 10_000.0, "u16"),
    ]
    fill = [(0, 24, b"\0\0"), (128, 154, b"\0\0"), (516, 571, b"  "), (588, 589, b"\0\0")]
    return Table("apc-smart-ups", {3: Bank(cells, fill=fill)})


def _bits(names: list[str]) -> Source:
    return lambda state: float(sum(1 << bit for bit, name in enumerate(names) if name and state.get(name, 0.0) >= 0.5))


def site_standard_ats(_unit: int) -> Table:
    """Transfer switch: discrete inputs 0 normal source, 1 generator, 2 on normal, 3 on generator, 4 auto, 5 fault."""
    inputs: list[Source] = ["normal_source", "generator_source", "on_normal", "on_generator", "auto", "fault"]
    return Table("site-standard-ats", {2: BitBank(inputs)})


def site_standard_capacitor(_unit: int) -> Table:
    """Capacitor bank: 0 breaker, 1 tripped, 4 door, 6 auto as on a cubicle; 16-21 contactors, 24 fault, 25 too hot."""
    spare: Source = 0.0
    inputs: list[Source] = [
        "breaker_closed", "breaker_tripped", spare, spare, "door_open", spare, "auto", *[spare] * 9,
        *(f"step_{n}" for n in range(1, 7)), spare, spare, "step_fault", "over_temperature",
    ]  # fmt: skip
    return Table("site-standard-capacitor", {2: BitBank(inputs)})


def site_standard_pulse_counter(_unit: int) -> Table:
    """Pulse counter: FC04, at 16 n of channel n (from 0) u32 count, u16 state bits, u16 seconds since a pulse."""
    cells = []
    for channel in range(4):
        name = f"ch_{channel + 1}"
        bits = [f"{name}_input", f"{name}_overflow", f"{name}_battery_low"]
        cells += [
            Cell(16 * channel, f"{name}_pulses", "u32"),
            Cell(16 * channel + 2, _bits(bits), "u16"),
            Cell(16 * channel + 3, f"{name}_pause", "u16"),
        ]
    return Table("site-standard-pulse-counter", {4: Bank(cells)})
