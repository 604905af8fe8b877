"""One Modbus unit: a device behind its register table, from request PDU to answer PDU."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from simulators.plant.device import Device, NotWritableError, RefusedError
from simulators.wire.register import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    Refusal,
    StateMap,
    WriteCell,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Machine", "Port", "ReadBank", "Table", "Unit"]

_HEAD = struct.Struct(">HH")
_WRITES = (5, 6, 15, 16, 22, 23)


class ReadBank(Protocol):
    """What `Bank`, `ObjectBank` and `BitBank` have in common."""

    def image(self, state: StateMap, *, swapped: bool = False) -> bytes:
        """Encode all values once."""

    def read(self, image: bytes, state: StateMap, address: int, count: int) -> bytes:
        """Answer one request from the image."""


class Machine(Protocol):
    """Registers with a will of their own: the control-word state machine of a drive, the memory of a relay."""

    def view(self, state: StateMap) -> StateMap:
        """Return the quantities of the device and those of the registers."""

    def write(self, quantity: str, value: float) -> float:
        """Take what was written to one register; returns the value in effect.

        Raises:
            Refusal: the answer is an exception.
        """


class Port(Protocol):
    """What a unit sees of its device: values as the faults of the simulation let them through, and the way back."""

    @property
    def device(self) -> Device:
        """The device."""

    @property
    def tick(self) -> int:
        """Changes whenever `state` may have changed."""

    @property
    def swapped(self) -> bool:
        """True while the word order of the device is turned round."""

    def state(self) -> StateMap:
        """Return what the device shows now."""

    def write(self, quantity: str, value: float) -> float:
        """Write to the device and into the ledger; see `Device.write`."""

    def served(self) -> None:
        """Say that the present state was given to a client."""

    def refused(self, address: int) -> None:
        """Say that somebody tried to write where nothing can be written."""


@dataclass(frozen=True)
class Table:
    """The register map of one model."""

    model: str
    reads: Mapping[int, ReadBank]
    """Function code (1 to 4) -> bank."""
    writes: Mapping[int, WriteCell] = field(default_factory=dict)
    write_functions: frozenset[int] = frozenset()
    """Of 6 and 16."""
    max_write: int = 123
    """Registers a write request."""
    coils: Mapping[int, str] = field(default_factory=dict)
    """Address of a coil -> quantity, for function codes 5 and 15."""
    machine: Callable[[Port], Machine] | None = None

    @staticmethod
    def cells(*cells: WriteCell) -> dict[int, WriteCell]:
        """Index write cells by address."""
        return {cell.address: cell for cell in cells}


class Unit:
    """Answers the requests for one device."""

    def __init__(self, port: Port, table: Table) -> None:
        """`port` is the device as the faults show it."""
        self.port = port
        self.table = table
        self._machine = table.machine(port) if table.machine else None
        self._images: dict[int, bytes] = {}
        self._tick = -1
        self._state: StateMap = {}

    def answer(self, pdu: bytes) -> bytes:
        """Return the answer PDU; an exception PDU where the device refuses."""
        function = pdu[0]
        try:
            if function in self.table.reads:
                answer = self._read(function, pdu)
            elif function in self.table.write_functions or (function in (5, 15) and self.table.coils):
                answer = self._write(function, pdu)
            else:
                if function in _WRITES:
                    self.port.refused(int.from_bytes(pdu[1:3], "big"))
                raise Refusal(ILLEGAL_FUNCTION)
        except Refusal as refusal:
            return bytes((function | 0x80, refusal.code))
        self.port.device.heard()
        return answer

    def _read(self, function: int, pdu: bytes) -> bytes:
        if len(pdu) != 5:
            raise Refusal(ILLEGAL_VALUE)
        address, count = _HEAD.unpack_from(pdu, 1)
        bank = self.table.reads[function]
        tick = self.port.tick
        if tick != self._tick:
            self._tick = tick
            self._state = self._machine.view(self.port.state()) if self._machine else self.port.state()
            self._images.clear()
            self.port.served()
        image = self._images.get(id(bank))
        if image is None:
            image = self._images[id(bank)] = bank.image(self._state, swapped=self.port.swapped)
        data = bank.read(image, self._state, address, count)
        return bytes((function, len(data))) + data

    def _write(self, function: int, pdu: bytes) -> bytes:
        if function == 6:
            if len(pdu) != 5:
                raise Refusal(ILLEGAL_VALUE)
            address = int.from_bytes(pdu[1:3], "big")
            self._registers(address, pdu[3:5])
        elif function == 16:
            if len(pdu) < 8:
                raise Refusal(ILLEGAL_VALUE)
            address, count = _HEAD.unpack_from(pdu, 1)
            if not 1 <= count <= self.table.max_write or pdu[5] != 2 * count or len(pdu) != 6 + 2 * count:
                raise Refusal(ILLEGAL_VALUE)
            self._registers(address, pdu[6:])
        else:
            self._coils(function, pdu)
        self._tick = -1
        return pdu[:5]

    def _registers(self, address: int, data: bytes) -> None:
        values = []
        end = address + len(data) // 2
        while address < end:
            cell = self.table.writes.get(address)
            if cell is None or address + cell.words > end:
                raise Refusal(ILLEGAL_ADDRESS)
            values.append((cell.quantity, cell.decode(data[: 2 * cell.words])))
            data = data[2 * cell.words :]
            address += cell.words
        self._apply(values)

    def _coils(self, function: int, pdu: bytes) -> None:
        if len(pdu) < 5:
            raise Refusal(ILLEGAL_VALUE)
        address, count = _HEAD.unpack_from(pdu, 1)
        if function == 5:
            if count not in (0x0000, 0xFF00):
                raise Refusal(ILLEGAL_VALUE)
            bits = [count != 0]
        else:
            if not 1 <= count <= 1968 or len(pdu) != 6 + (count + 7) // 8 or pdu[5] != (count + 7) // 8:
                raise Refusal(ILLEGAL_VALUE)
            bits = [bool(pdu[6 + (at >> 3)] >> (at & 7) & 1) for at in range(count)]
        if any(address + at not in self.table.coils for at in range(len(bits))):
            raise Refusal(ILLEGAL_ADDRESS)
        self._apply([(self.table.coils[address + at], float(bit)) for at, bit in enumerate(bits)])

    def _apply(self, values: list[tuple[str, float]]) -> None:
        write = self._machine.write if self._machine else self.port.write
        for quantity, value in values:
            try:
                write(quantity, value)
            except NotWritableError:
                raise Refusal(ILLEGAL_ADDRESS) from None
            except RefusedError:
                raise Refusal(ILLEGAL_VALUE) from None
