"""Register tables of the variable-frequency drives, each with its own control word.

Sources: ABB ACH580 firmware manual (3AXD50000016097 rev J, 3AXD50000027537), embedded fieldbus, ABB Drives profile;
Danfoss VLT FC 102 design guide, Modbus RTU and FC profile; Delta VFD-CP2000 user manual, chapter 12, group 09.

Speed in percent is that of the reference: 20000, 0x4000 or the rated frequency (60 Hz) = 100 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulators.plant.device import NotWritableError
from simulators.wire.register import Bank, BitBank, Cell, Source, StateMap, WriteCell
from simulators.wire.unit import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.wire.unit import Port

__all__ = ["abb_ach580", "danfoss_fc102", "delta_cp2000"]

RATED_HZ = 60.0
_ZERO = b"\0\0"


def _on(state: StateMap, quantity: str) -> bool:
    return state.get(quantity, 0.0) >= 0.5


def _reset(port: Port) -> None:
    """Clear a trip, where the machine has one to clear."""
    try:
        port.write("fault_reset", 1.0)
    except NotWritableError:
        return


def _held(port: Port, state: StateMap, quantity: str, written: float, effective: Callable[[float], float]) -> float:
    """What a command register reads: what the bus wrote, or what the plant's own automatic wants before that."""
    if quantity in port.device.commanded or quantity not in state:
        return written
    return effective(state[quantity])


@dataclass(slots=True)
class _AbbWords:
    """The ABB Drives profile's state machine, ACH580 manual, chapter EFB, "state transition diagram"."""

    port: Port
    inhibited: bool = False
    """SWITCH-ON INHIBITED: after a trip, coast or quick stop, until bit 0 was seen at 0."""
    control: int = 0x047E
    reference: int = 0
    reference_2: int = 0

    def view(self, state: StateMap) -> StateMap:
        """Return the quantities with the words of the profile."""
        tripped = _on(state, "fault")
        if tripped:
            self.inhibited = True
        running = _on(state, "run")
        word = 0
        ready = not self.inhibited and not tripped
        enabled = ready and (running or _on(state, "run_cmd"))
        word |= ready << 0 | enabled << 1 | (running and ready) << 2 | tripped << 3
        word |= bool(self.control & 2) << 4 | bool(self.control & 4) << 5 | self.inhibited << 6
        word |= _on(state, "at_setpoint") << 8 | _on(state, "remote") << 9
        word |= (state.get("speed", 0.0) > 100.0) << 10
        control = _held(self.port, state, "run_cmd", self.control, lambda on: 0x047F if on >= 0.5 else 0x047E)
        reference = _held(self.port, state, "speed_cmd", self.reference, lambda percent: percent * 200.0)
        return {**state, "status_word": float(word), "control_word": control, "reference": reference,
                "reference_2": float(self.reference_2)}  # fmt: skip

    def write(self, quantity: str, value: float) -> float:
        """Take the control word or a reference."""
        if quantity == "reference":
            self.reference = int(value)
            self.port.write("speed_cmd", max(0.0, value) / 200.0)
        elif quantity == "reference_2":
            self.reference_2 = int(value)
        else:
            self._control(int(value))
        return value

    def _control(self, word: int) -> None:
        before, self.control = self.control, word
        if not word & 0x0400:
            return  # bit 10 REMOTE_CMD: without it only OFF2 and OFF3 would count, which this drive has wired apart
        if word & 0x80 and not before & 0x80:
            _reset(self.port)
        state = self.port.device.state
        if _on(state, "fault"):
            self.inhibited = True
        off = not word & 2 or not word & 4
        if off:
            self.inhibited = True
        elif not word & 1 and not _on(state, "fault"):
            self.inhibited = False
        wanted = not self.inhibited and word & 0x7F == 0x7F
        self.port.write("run_cmd", float(wanted))


def abb_ach580(_unit: int) -> Table:
    """ABB ACH580: control 0, reference 1, status 3, actual 4, data I/O 6-13; parameters from 100 (mode 0)."""
    cells = [
        Cell(0, "control_word", "u16"),
        Cell(1, "reference", "i16"),
        Cell(2, "reference_2", "i16"),
        Cell(3, "status_word", "u16"),
        Cell(4, "speed", "i16", 200.0),
        Cell(5, lambda s: s.get("frequency", math.nan) / RATED_HZ, "i16", 20_000.0),
        # parameters: number 400000 + 100 x group + index, wire = number - 400001, 16 bit, scale 100
        Cell(105, "frequency", "i16", 100.0),
        Cell(106, "current", "i16", 100.0),
        Cell(113, "power", "i16", 100.0),
        # the same as 32 bit: 420000 + 200 x group + 2 x index, LOW word first (58.34 LO-HI)
        Cell(20_211, "frequency", "i32", 100.0, low_word_first=True),
        Cell(20_213, "current", "i32", 100.0, low_word_first=True),
        Cell(20_227, "power", "i32", 100.0, low_word_first=True),
    ]
    bank = Bank(cells, fill=[(6, 13, _ZERO), (89, 99, _ZERO), (100, 119, _ZERO)])
    writes = Table.cells(
        WriteCell(0, "control_word"), WriteCell(1, "reference", "i16"), WriteCell(2, "reference_2", "i16")
    )
    return Table("abb-ach580", {3: bank}, writes, frozenset({6, 16}), machine=_AbbWords)


@dataclass(slots=True)
class _DanfossWords:
    """The FC profile: without bit 10 "data valid" the control word is ignored."""

    port: Port
    control: int = 0x043C
    reference: int = 0
    coils: int = 0x043C
    array_index: int = 0

    def view(self, state: StateMap) -> StateMap:
        """Return the quantities with the words of the profile."""
        running, tripped = _on(state, "run"), _on(state, "fault")
        word = 1 | (not tripped) << 1 | (running or _on(state, "run_cmd")) << 2 | tripped << 3
        word |= _on(state, "at_setpoint") << 8 | _on(state, "remote") << 9 | running << 11
        control = _held(self.port, state, "run_cmd", self.control, lambda on: 0x047C if on >= 0.5 else 0x043C)
        reference = _held(self.port, state, "speed_cmd", self.reference, lambda percent: percent * 163.84)
        return {**state, "status_word": float(word), "control_word": control, "reference": reference,
                "array_index": float(self.array_index)}  # fmt: skip

    def write(self, quantity: str, value: float) -> float:
        """Take the control word, the reference, or one bit of either (coils 1-32)."""
        if quantity == "reference":
            self._reference(int(value))
        elif quantity == "control_word":
            self._control(int(value))
        elif quantity == "array_index":
            self.array_index = int(value)
        else:
            bit = int(quantity.removeprefix("coil_"))
            both = self.control | (self.reference & 0xFFFF) << 16
            both = both | 1 << bit if value else both & ~(1 << bit)
            if bit < 16:
                self._control(both & 0xFFFF)
            else:
                raw = both >> 16
                self._reference(raw - 0x10000 if raw & 0x8000 else raw)
        return value

    def _reference(self, raw: int) -> None:
        self.reference = raw
        self.port.write("speed_cmd", max(0.0, raw * 100.0 / 0x4000))

    def _control(self, word: int) -> None:
        before = self.control
        if not word & 0x0400:
            self.control = word
            return
        self.control = word
        if word & 0x80 and not before & 0x80:
            _reset(self.port)
        # 2 ramp, 3 no coast, 4 no quick stop, 5 ramp output, 6 start
        self.port.write("run_cmd", float(word & 0x7C == 0x7C))


def danfoss_fc102(_unit: int) -> Table:
    """Danfoss FC 102: register number N is wire N - 1; words ten apart; coils 1-64; parameters PP-XX at PPXX x 10."""
    frequency = _bits(lambda s: s.get("speed", 0.0) * 0x4000 / 100.0)
    cells = [
        Cell(8, "array_index", "u16"),
        Cell(49_999, "control_word", "u16"),
        Cell(50_009, "reference", "i16"),
        Cell(50_199, "status_word", "u16"),
        Cell(50_209, "speed", "i16", 163.84),
        Cell(16_099, "power", "u32", 100.0),
        Cell(16_119, lambda s: 380.0 * s.get("frequency", math.nan) / RATED_HZ, "u16", 10.0),
        Cell(16_129, "frequency", "u16", 10.0),
        Cell(16_139, "current", "u32", 100.0),
        Cell(16_169, lambda s: s.get("frequency", math.nan) * 29.0, "i32"),
        Cell(16_299, 540.0, "u16"),
        Cell(16_339, lambda s: 30.0 + 0.2 * s.get("speed", 0.0), "i16"),
    ]
    sources: list[Source] = []
    for name in ("control_word", "reference", "status_word"):
        sources += _bits(_named(name))
    coils = {bit: f"coil_{bit}" for bit in range(32)}
    writes = Table.cells(
        WriteCell(8, "array_index"), WriteCell(49_999, "control_word"), WriteCell(50_009, "reference", "i16")
    )
    return Table(
        "danfoss-fc102",
        {1: BitBank([*sources, *frequency]), 3: Bank(cells, max_read=10)},
        writes,
        frozenset({6, 16}),
        coils=coils,
        machine=_DanfossWords,
    )


def _named(quantity: str) -> Callable[[StateMap], float]:
    return lambda state: state.get(quantity, 0.0)


def _bits(word: Callable[[StateMap], float]) -> list[Source]:
    return [_bit(word, bit) for bit in range(16)]


def _bit(word: Callable[[StateMap], float], bit: int) -> Source:
    def value(state: StateMap) -> float:
        raw = word(state)
        return float(int(raw) >> bit & 1) if math.isfinite(raw) else 0.0

    return value


@dataclass(slots=True)
class _DeltaWords:
    """Command 0x2000, frequency 0x2001 and reset 0x2002 can only be written; status is read at 0x2100."""

    port: Port
    by_bus: bool = False
    stopping: bool = False

    def view(self, state: StateMap) -> StateMap:
        """Return the quantities with the status word."""
        running, commanded = _on(state, "run"), _on(state, "run_cmd")
        low = 0b11 if running and commanded else 0b01 if running else 0b10 if commanded else 0b00
        word = low | _on(state, "remote") << 10
        return {**state, "status_word": float(word), "error_word": 16.0 if _on(state, "fault") else 0.0}

    def write(self, quantity: str, value: float) -> float:
        """Take a command word, a frequency, or a reset."""
        word = int(value)
        if quantity == "frequency_command":
            return self.port.write("speed_cmd", value / RATED_HZ * 100.0)
        if quantity == "reset_word":
            if word & 2:
                _reset(self.port)
        elif word & 3 == 1:
            self.port.write("run_cmd", 0.0)
        elif word & 3 == 2:
            self.port.write("run_cmd", 1.0)
        return value


def delta_cp2000(_unit: int) -> Table:
    """Delta CP2000: 0x2000-0x2002 write only, 0x2100 and on read, 8 registers a request, FC03/06/16."""
    cells = [
        Cell(0x2100, "error_word", "u16"),
        Cell(0x2101, "status_word", "u16"),
        Cell(0x2102, lambda s: s.get("speed_cmd", math.nan) / 100.0 * RATED_HZ, "u16", 100.0),
        Cell(0x2103, "frequency", "u16", 100.0),
        Cell(0x2104, "current", "u16", 100.0),
        Cell(0x2105, 540.0, "u16", 10.0),
        Cell(0x2106, lambda s: 380.0 * s.get("frequency", math.nan) / RATED_HZ, "u16", 10.0),
        Cell(0x2206, "power", "u16", 10.0),
        Cell(0x220E, lambda s: 30.0 + 0.2 * s.get("speed", 0.0), "u16", 10.0),
        Cell(0x2226, 0.0, "u16"),
        Cell(0x2229, 0.0, "u16", 10.0),
    ]
    writes = Table.cells(
        WriteCell(0x2000, "command_word"),
        WriteCell(0x2001, "frequency_command", "u16", 100.0, 0.0, 600.0),
        WriteCell(0x2002, "reset_word"),
    )
    return Table(
        "delta-cp2000",
        {3: Bank(cells, max_read=8)},
        writes,
        frozenset({6, 16}),
        max_write=8,
        machine=_DeltaWords,
    )
