"""Register tables of the power meters, typed from the vendors' documents.

Sources: Eastron SDM630 Modbus Protocol; Schneider Electric DOCA0005 (iEM3000) and PM5000 register lists; ABB B23/B24
user manual, chapter Modbus; Carlo Gavazzi EM24 serial protocol, p. 4; Siemens PAC2200/PAC3200 manual, pp. 89-100;
Janitza UMG 96RM-E/801 Modbus address list; Delta DPM-C530A user manual (2015-07), pp. 22 and 77.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulators.wire.register import Bank, Cell, Source, StateMap
from simulators.wire.unit import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "abb_b23", "carlo_gavazzi_em24", "delta_dpm_c530a", "eastron_sdm630", "janitza_umg801", "schneider_iem3155",
    "schneider_pm5320", "schneider_pm5560", "siemens_pac3200",
]  # fmt: skip

_PHASES = (1, 2, 3)
_VOLTAGE = [f"voltage_l{n}n" for n in _PHASES]
_BETWEEN = ["voltage_l12", "voltage_l23", "voltage_l31"]
_CURRENT = [f"current_l{n}" for n in _PHASES]
_POWER = [f"power_l{n}" for n in _PHASES]
_THD_V = [f"thd_v_l{n}" for n in _PHASES]
_THD_I = [f"thd_i_l{n}" for n in _PHASES]
_ZERO = b"\0\0"
_NAN = bytes.fromhex("FFC00000")


def _row(address: int, step: int, sources: Iterable[Source], kind: str, factor: float, **more: object) -> list[Cell]:
    """Return cells of one kind that follow each other every `step` registers."""
    return [Cell(address + step * at, source, kind, factor, **more) for at, source in enumerate(sources)]  # type: ignore[arg-type]


def _mean(*quantities: str) -> Callable[[StateMap], float]:
    return lambda state: sum(state.get(name, math.nan) for name in quantities) / len(quantities)


def _apparent(phase: int) -> Callable[[StateMap], float]:
    """Apparent power of a phase, kVA = V·I / 1000."""
    return lambda state: state.get(f"voltage_l{phase}n", math.nan) * state.get(f"current_l{phase}", math.nan) / 1000.0


def _reactive(phase: int) -> Callable[[StateMap], float]:
    """Reactive power of a phase, kvar, with the sign of the total."""
    apparent = _apparent(phase)

    def value(state: StateMap) -> float:
        rest = apparent(state) ** 2 - state.get(f"power_l{phase}", math.nan) ** 2
        return math.copysign(math.sqrt(max(0.0, rest)), state.get("reactive_power", 0.0)) if rest == rest else rest  # noqa: PLR0124

    return value


def _factor(phase: int) -> Callable[[StateMap], float]:
    """Power factor of a phase, -1 to 1."""
    apparent = _apparent(phase)

    def value(state: StateMap) -> float:
        total = apparent(state)
        power = state.get(f"power_l{phase}", math.nan)
        return max(-1.0, min(1.0, power / total)) if total > 0 else (1.0 if total == 0 else math.nan)

    return value


def _share(quantity: str, phase: int) -> Callable[[StateMap], float]:
    """A third of a total: no counter of the simulation is kept by phase. The phases add up to the total."""
    del phase
    return lambda state: state.get(quantity, math.nan) / 3.0


def _sum(*quantities: str) -> Callable[[StateMap], float]:
    return lambda state: sum(state.get(name, 0.0) for name in quantities)


def eastron_sdm630(unit: int) -> Table:
    """Eastron SDM630: float32, high word first, FC04, 80 registers a read; FC03 gives settings."""
    cells = [
        *_row(0x00, 2, _VOLTAGE, "f32", 1.0),
        *_row(0x06, 2, _CURRENT, "f32", 1.0),
        *_row(0x0C, 2, _POWER, "f32", 1000.0),
        *_row(0x12, 2, [_apparent(n) for n in _PHASES], "f32", 1000.0),
        *_row(0x18, 2, [_reactive(n) for n in _PHASES], "f32", 1000.0),
        *_row(0x1E, 2, [_factor(n) for n in _PHASES], "f32", 1.0),
        Cell(0x2A, _mean(*_VOLTAGE)),
        Cell(0x2E, _mean(*_CURRENT)),
        Cell(0x30, _sum(*_CURRENT)),
        Cell(0x34, "power", factor=1000.0),
        Cell(0x38, "apparent_power", factor=1000.0),
        Cell(0x3C, "reactive_power", factor=1000.0),
        Cell(0x3E, "power_factor"),
        Cell(0x42, _phase_angle),
        Cell(0x46, "frequency"),
        Cell(0x48, "energy_import"),
        Cell(0x4A, "energy_export"),
        Cell(0x4C, "reactive_energy_import"),
        Cell(0x4E, 0.0),
        Cell(0x54, "demand", factor=1000.0),
        Cell(0x56, "demand", factor=1000.0),
        *_row(0xC8, 2, _BETWEEN, "f32", 1.0),
        Cell(0xE0, "current_n"),
        *_row(0xEA, 2, _THD_V, "f32", 1.0),
        *_row(0xF0, 2, _THD_I, "f32", 1.0),
        Cell(0xF8, _mean(*_THD_V)),
        Cell(0xFA, _mean(*_THD_I)),
        Cell(0x156, _sum("energy_import", "energy_export")),
        Cell(0x158, "reactive_energy_import"),
        *_row(0x15A, 2, [_share("energy_import", n) for n in _PHASES], "f32", 1.0),
        *_row(0x160, 2, [_share("energy_export", n) for n in _PHASES], "f32", 1.0),
        *_row(0x166, 2, [_share("energy_import", n) for n in _PHASES], "f32", 1.0),
        *_row(0x16C, 2, [_share("reactive_energy_import", n) for n in _PHASES], "f32", 1.0),
        *_row(0x172, 2, [0.0, 0.0, 0.0], "f32", 1.0),
        *_row(0x178, 2, [_share("reactive_energy_import", n) for n in _PHASES], "f32", 1.0),
    ]
    cells = [Cell(c.address, c.source, c.kind, c.factor, b"\0\0\0\0") for c in cells]
    settings = [Cell(0x0A, 3.0), Cell(0x0C, 100.0), Cell(0x12, 0.0), Cell(0x14, float(unit)), Cell(0x1C, 2.0)]
    return Table(
        "eastron-sdm630",
        {
            4: Bank(cells, fill=[(0x00, 0x57, _ZERO), (0xC8, 0xFB, _ZERO)], max_read=80),
            3: Bank(settings, fill=[(0x00, 0x1D, _ZERO)], max_read=80),
        },
        write_functions=frozenset({16}),
    )


def _phase_angle(state: StateMap) -> float:
    factor = state.get("power_factor", math.nan)
    return math.degrees(math.acos(max(-1.0, min(1.0, factor)))) if math.isfinite(factor) else math.nan


def _quadrant_factor(state: StateMap) -> float:
    """4-quadrant code of DOCA0005: lagging as it is, leading 2 - PF (import) or -2 - PF (export)."""
    factor = state.get("power_factor", math.nan)
    if state.get("reactive_power", 0.0) >= 0.0 or not math.isfinite(factor):
        return factor
    return 2.0 - factor if factor >= 0 else -2.0 - factor


def _schneider(model: str, *, panel: bool, own: frozenset[str] = frozenset()) -> Table:
    """Float32 and int64, high word first; only FC03 and FC16 exist. What a model lacks reads NaN, not an exception."""
    cells = [
        *_row(0x0BB7, 2, _CURRENT, "f32", 1.0),
        Cell(0x0BBD, "current_n"),
        Cell(0x0BC1, _mean(*_CURRENT)),
        *_row(0x0BCB, 2, _BETWEEN, "f32", 1.0),
        Cell(0x0BD1, _mean(*_BETWEEN)),
        *_row(0x0BD3, 2, _VOLTAGE, "f32", 1.0),
        Cell(0x0BDB, _mean(*_VOLTAGE)),
        *_row(0x0BED, 2, _POWER, "f32", 1.0),
        Cell(0x0BF3, "power"),
        *_row(0x0BF5, 2, [_reactive(n) for n in _PHASES], "f32", 1.0),
        Cell(0x0BFB, "reactive_power"),
        *_row(0x0BFD, 2, [_apparent(n) for n in _PHASES], "f32", 1.0),
        Cell(0x0C03, "apparent_power"),
        Cell(0x0C0B, _quadrant_factor),
        Cell(0x0C25, "frequency"),
    ]
    energy = [
        Cell(0x0C83, "energy_import", "i64", 1000.0),
        Cell(0x0C87, "energy_export", "i64", 1000.0),
        Cell(0x0C93, "reactive_energy_import", "i64", 1000.0),
        Cell(0x0C97, 0.0, "i64", 1000.0),
        *_row(0x0DBD, 4, [_share("energy_import", n) for n in _PHASES], "i64", 1000.0),
    ]
    fill = [
        (0x0BB7, 0x0C28, _NAN),
        (0x0C83, 0x0C9A, bytes.fromhex("8000000000000000")),
    ]
    if panel:
        cells += [
            Cell(0x0EB5, "demand"),
            *_row(0x5333, 2, _THD_I, "f32", 1.0),
            *_row(0x5351, 2, _THD_V, "f32", 1.0),
        ]
        fill += [(0x0EB5, 0x0EBA, _NAN), (0x5333, 0x535A, _NAN)]
    cells = [Cell(c.address, c.source, c.kind, c.factor, _NAN) for c in cells if c.source not in own]
    return Table(model, {3: Bank([*cells, *energy], fill=fill)}, write_functions=frozenset({16}))


def schneider_iem3155(_unit: int) -> Table:
    """Schneider iEM3155: the layout of DOCA0005 without demand and harmonics, which iEM3000 lacks; no neutral."""
    return _schneider("schneider-iem3155", panel=False, own=frozenset({"current_n"}))


def schneider_pm5320(_unit: int) -> Table:
    """Schneider PM5320: the same floats, with demand (3766) and THD (21300 and on)."""
    return _schneider("schneider-pm5320", panel=True)


def schneider_pm5560(_unit: int) -> Table:
    """Schneider PM5560: as PM5320."""
    return _schneider("schneider-pm5560", panel=True)


def abb_b23(unit: int) -> Table:
    """ABB B23: integers, high word first, FC03; all ones (unsigned) or 0x7FFF... (signed) = not supported."""
    no_i32, no_i16 = bytes.fromhex("7FFFFFFF"), bytes.fromhex("7FFF")
    cells = [
        Cell(0x5000, "energy_import", "u64", 100.0),
        Cell(0x5004, "energy_export", "u64", 100.0),
        *_row(0x5460, 4, [_share("energy_import", n) for n in _PHASES], "u64", 100.0),
        *_row(0x546C, 4, [_share("energy_export", n) for n in _PHASES], "u64", 100.0),
        *_row(0x5B00, 2, _VOLTAGE, "u32", 10.0),
        *_row(0x5B06, 2, [_BETWEEN[0], _BETWEEN[1], _BETWEEN[2]], "u32", 10.0),
        *_row(0x5B0C, 2, _CURRENT, "u32", 100.0),
        Cell(0x5B12, "current_n", "u32", 100.0),
        *_row(0x5B14, 2, ["power", *_POWER], "i32", 100_000.0, missing=no_i32),
        *_row(0x5B1C, 2, ["reactive_power", *(_reactive(n) for n in _PHASES)], "i32", 100_000.0, missing=no_i32),
        *_row(0x5B24, 2, ["apparent_power", *(_apparent(n) for n in _PHASES)], "i32", 100_000.0, missing=no_i32),
        Cell(0x5B2C, "frequency", "u16", 100.0),
        *_row(0x5B3A, 1, ["power_factor", *(_factor(n) for n in _PHASES)], "i16", 1000.0, missing=no_i16),
    ]
    identity = [
        Cell(0x8900, float(20_230_000 + unit), "u32"),
        Cell(0x8908, 0.0, "text", text=b"B2.02.00".ljust(16, b"\0")),
    ]
    return Table(
        "abb-b23",
        {3: Bank([*cells, *identity], fill=[(0x5B2D, 0x5B39, no_i16)])},
        write_functions=frozenset({6, 16}),
    )


def carlo_gavazzi_em24(_unit: int) -> Table:
    """Carlo Gavazzi EM24 (RS-485 map): int32 LOW word first, FC04, 11 registers a read; 0x0B alone is the model."""
    cells = [
        *_row(0x00, 2, _VOLTAGE, "i32", 10.0),
        *_row(0x06, 2, _BETWEEN, "i32", 10.0),
        *_row(0x0C, 2, _CURRENT, "i32", 1000.0),
        *_row(0x12, 2, _POWER, "i32", 10_000.0),
        *_row(0x18, 2, [_apparent(n) for n in _PHASES], "i32", 10_000.0),
        *_row(0x1E, 2, [_reactive(n) for n in _PHASES], "i32", 10_000.0),
        Cell(0x24, _mean(*_VOLTAGE), "i32", 10.0),
        Cell(0x26, _mean(*_BETWEEN), "i32", 10.0),
        Cell(0x28, "power", "i32", 10_000.0),
        Cell(0x2A, "apparent_power", "i32", 10_000.0),
        Cell(0x2C, "reactive_power", "i32", 10_000.0),
        Cell(0x2E, "demand", "i32", 10_000.0),
        *_row(0x32, 1, [*(_factor(n) for n in _PHASES), "power_factor"], "i16", 1000.0),
        Cell(0x37, "frequency", "u16", 10.0),
        Cell(0x42, "energy_import", "i32", 10.0),
        Cell(0x44, "reactive_energy_import", "i32", 10.0),
        *_row(0x46, 2, [_share("energy_import", n) for n in _PHASES], "i32", 10.0),
        Cell(0x5C, "energy_export", "i32", 10.0),
    ]
    cells = [
        Cell(c.address, c.source, c.kind, c.factor, b"\x7f\xff")
        if c.words == 1
        else Cell(c.address, c.source, c.kind, c.factor, bytes.fromhex("7FFFFFFF"), low_word_first=True)
        for c in cells
    ]
    return Table(
        "carlo-gavazzi-em24",
        {
            4: Bank(cells, fill=[(0x00, 0x5F, _ZERO)], max_read=11, alone=[Cell(0x0B, 71.0, "u16")]),
            3: Bank([Cell(0xA000, 7.0, "u16"), Cell(0xA100, 3.0, "u16")], max_read=11),
        },
        write_functions=frozenset({6}),
    )


def siemens_pac3200(_unit: int) -> Table:
    """Siemens PAC3200: float32 at odd offsets, float64 energies; a read that tears a value is refused."""
    cells = [
        *_row(1, 2, _VOLTAGE, "f32", 1.0),
        *_row(7, 2, _BETWEEN, "f32", 1.0),
        *_row(13, 2, _CURRENT, "f32", 1.0),
        *_row(19, 2, [_apparent(n) for n in _PHASES], "f32", 1000.0),
        *_row(25, 2, _POWER, "f32", 1000.0),
        *_row(31, 2, [_reactive(n) for n in _PHASES], "f32", 1000.0),
        *_row(37, 2, [_factor(n) for n in _PHASES], "f32", 1.0),
        *_row(43, 2, _THD_V, "f32", 1.0),
        *_row(49, 2, _THD_I, "f32", 1.0),
        Cell(55, "frequency"),
        Cell(57, _mean(*_VOLTAGE)),
        Cell(59, _mean(*_BETWEEN)),
        Cell(61, _mean(*_CURRENT)),
        Cell(63, "apparent_power", factor=1000.0),
        Cell(65, "power", factor=1000.0),
        Cell(67, "reactive_power", factor=1000.0),
        Cell(69, "power_factor"),
        *_row(207, 2, [0.0, 0.0, 1.0], "u32", 1.0),
        Cell(501, "demand", factor=1000.0),
        Cell(503, 0.0),
        Cell(505, 0.0),
        *_row(507, 2, [0.0] * 6, "f32", 1.0),
        Cell(519, _period_second, "u32"),
        Cell(801, "energy_import", "f64", 1000.0),
        Cell(805, 0.0, "f64"),
        Cell(809, "energy_export", "f64", 1000.0),
        Cell(813, 0.0, "f64"),
    ]
    bank = Bank(cells, whole=True, too_long=2)
    return Table("siemens-pac3200", {3: bank, 4: bank}, write_functions=frozenset({6, 16}))


def _period_second(state: StateMap) -> float:
    return state.get("period_second", 0.0)


def janitza_umg801(_unit: int) -> Table:
    """Janitza UMG 801: float32, high word first, FC03, base 19000."""
    cells = [
        *_row(19000, 2, _VOLTAGE, "f32", 1.0),
        *_row(19006, 2, _BETWEEN, "f32", 1.0),
        *_row(19012, 2, _CURRENT, "f32", 1.0),
        Cell(19018, "current_n"),
        *_row(19020, 2, _POWER, "f32", 1000.0),
        Cell(19026, "power", factor=1000.0),
        *_row(19028, 2, [_apparent(n) for n in _PHASES], "f32", 1000.0),
        Cell(19034, "apparent_power", factor=1000.0),
        *_row(19036, 2, [_reactive(n) for n in _PHASES], "f32", 1000.0),
        Cell(19042, "reactive_power", factor=1000.0),
        *_row(19044, 2, [_factor(n) for n in _PHASES], "f32", 1.0),
        Cell(19050, "frequency"),
        Cell(19052, 1.0),
        Cell(19062, "energy_import", factor=1000.0),
        Cell(19070, "energy_export", factor=1000.0),
        *_row(19110, 2, _THD_V, "f32", 1.0),
        *_row(19116, 2, _THD_I, "f32", 1.0),
    ]
    return Table("janitza-umg801", {3: Bank(cells, fill=[(19000, 19121, _ZERO)])}, write_functions=frozenset({6, 16}))


def delta_dpm_c530a(_unit: int) -> Table:
    """Delta DPM-C530A: float32, FC03 to read; FC06 alone writes, and nothing that the controller may write."""
    identity = [
        Cell(0x06, 7.0, "u16"),
        Cell(0x0C, 0.0, "u16"),
        Cell(0x0D, 0.0, "u16"),
        Cell(0x0E, 400.0, "u16"),
        Cell(0x0F, 1.0, "u16"),
        Cell(0x10, 1.0, "u16"),
        Cell(0x11, 1.0, "u16"),
        Cell(0x12, 1.0, "u16"),
        Cell(0xEB, 3.0, "u16"),
    ]
    cells = [
        *_row(0x100, 2, [*_VOLTAGE, _mean(*_VOLTAGE), *_BETWEEN, _mean(*_BETWEEN)], "f32", 1.0),
        *_row(0x110, 2, _unbalances(_VOLTAGE) + _unbalances(_BETWEEN), "f32", 1.0),
        *_row(0x120, 2, [*_CURRENT, _mean(*_CURRENT), "current_n"], "f32", 1.0),
        *_row(0x12A, 2, _unbalances(_CURRENT), "f32", 1.0),
        *_row(0x132, 2, ["power_factor", *(_factor(n) for n in _PHASES)], "f32", 1.0),
        *_row(0x13A, 2, ["power_factor", *(_factor(n) for n in _PHASES)], "f32", 1.0),
        Cell(0x142, "frequency"),
        *_row(0x144, 2, ["power", *_POWER], "f32", 1.0),
        *_row(0x14C, 2, ["reactive_power", *(_reactive(n) for n in _PHASES)], "f32", 1.0),
        *_row(0x154, 2, ["apparent_power", *(_apparent(n) for n in _PHASES)], "f32", 1.0),
        # register 0xEB = 3: energies count in 0.1 kWh
        Cell(0x15C, "energy_import", factor=10.0),
        Cell(0x15E, "energy_export", factor=10.0),
        Cell(0x160, "reactive_energy_import", factor=10.0),
        Cell(0x162, 0.0),
        Cell(0x164, 0.0),
        Cell(0x166, 0.0),
        Cell(0x168, _sum("energy_import", "energy_export"), factor=10.0),
        Cell(0x16A, lambda s: s.get("energy_import", 0.0) - s.get("energy_export", 0.0), factor=10.0),
    ]
    fill = [(0x00, 0x12, _ZERO)]
    return Table("delta-dpm-c530a", {3: Bank([*identity, *cells], fill=fill)}, write_functions=frozenset({6}))


def _unbalances(quantities: list[str]) -> list[Source]:
    """Deviation of each from the mean, %, and the mean of the three."""

    def one(state: StateMap, name: str) -> float:
        values = [state.get(quantity, math.nan) for quantity in quantities]
        mean = sum(values) / 3.0
        return 100.0 * abs(state.get(name, math.nan) - mean) / mean if mean else 0.0

    singles: list[Source] = [lambda state, name=name: one(state, name) for name in quantities]  # type: ignore[misc]
    return [*singles, lambda state: sum(one(state, name) for name in quantities) / 3.0]
