"""Register tables: which quantity stands where, of which type and scale, and how a request is answered from it.

A `Bank` is planned once for a model. For each device and tick of the world it is encoded into one image (bytes); a
request is a slice of it. Nothing here is shared with the drivers: a byte-order mistake on one side cannot cancel out.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Bank", "BitBank", "Cell", "ObjectBank", "Refusal", "Source", "StateMap", "WriteCell"]

StateMap = Mapping[str, float]
Source = str | float | Callable[[StateMap], float]
"""A quantity of the device, a constant, or what is computed from several quantities."""

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3

_FORMAT = {"f32": ">f", "f64": ">d", "i16": ">h", "u16": ">H", "i32": ">i", "u32": ">I", "i64": ">q", "u64": ">Q"}
_RANGE = {
    "i16": (-(2**15), 2**15 - 1), "u16": (0, 2**16 - 1), "i32": (-(2**31), 2**31 - 1), "u32": (0, 2**32 - 1),
    "i64": (-(2**63), 2**63 - 1), "u64": (0, 2**64 - 1),
}  # fmt: skip
_MISSING = {
    "f32": bytes.fromhex("7FC00000"), "f64": bytes.fromhex("7FF8000000000000"), "i16": bytes.fromhex("8000"),
    "u16": bytes.fromhex("FFFF"), "i32": bytes.fromhex("80000000"), "u32": bytes.fromhex("FFFFFFFF"),
    "i64": bytes.fromhex("8000000000000000"), "u64": bytes.fromhex("FFFFFFFFFFFFFFFF"),
}  # fmt: skip


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error of the simulator
    """The device answers with a Modbus exception."""

    def __init__(self, code: int) -> None:
        """`code` is the Modbus exception code."""
        super().__init__(f"exception {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Cell:
    """One value in a table: raw = value × factor, rounded and held at the ends of its type."""

    address: int
    """0-based address on the wire."""
    source: Source
    kind: str = "f32"
    """f32, f64, i16, u16, i32, u32, i64, u64, or `text`."""
    factor: float = 1.0
    missing: bytes | None = None
    """What is sent for NaN or a quantity that the device lacks; None takes the sentinel of the type."""
    low_word_first: bool = False
    text: bytes = b""
    """What a `text` says, or as many zeros where `spell` says it."""
    spell: Callable[[float], bytes] | None = None
    """Makes the text from the value of `source`; it is padded with NUL."""

    @property
    def words(self) -> int:
        """Registers that the value takes."""
        return len(self.text) // 2 if self.kind == "text" else struct.calcsize(_FORMAT[self.kind]) // 2

    def encode(self, state: StateMap) -> bytes:
        """Return the bytes of the value."""
        if self.kind == "text" and self.spell is None:
            return self.text
        source = self.source
        if isinstance(source, str):
            value = state.get(source, math.nan)
        elif isinstance(source, float | int):
            value = source
        else:
            value = source(state)
        if self.spell is not None:
            said = b"" if math.isnan(value) else self.spell(value)
            return said[: len(self.text)].ljust(len(self.text), b"\0")
        kind = self.kind
        if value != value:  # noqa: PLR0124 - NaN alone differs from itself; math.isnan costs three times as much
            data = _MISSING[kind] if self.missing is None else self.missing
        elif kind in _RANGE:
            low, high = _RANGE[kind]
            raw = value * self.factor
            number = low if raw <= low else high if raw >= high else round(raw)
            data = struct.pack(_FORMAT[kind], number)
        else:
            try:
                data = struct.pack(_FORMAT[kind], value * self.factor)
            except OverflowError:
                data = struct.pack(_FORMAT[kind], math.copysign(math.inf, value))
        return swap_words(data) if self.low_word_first else data


def swap_words(data: bytes) -> bytes:
    """Return the registers of `data` in reverse order (high word first <-> low word first)."""
    return b"".join(data[at : at + 2] for at in range(len(data) - 2, -1, -2))


class Bank:
    """A space of registers of one model: values, filler between them, and gaps that answer exception 2."""

    def __init__(
        self,
        cells: Sequence[Cell],
        *,
        fill: Sequence[tuple[int, int, bytes]] = (),
        max_read: int = 125,
        too_long: int = ILLEGAL_VALUE,
        whole: bool = False,
        alone: Sequence[Cell] = (),
    ) -> None:
        """Plan the bank.

        Args:
            cells: the values; later ones lie over earlier ones.
            fill: (first, last, pattern): addresses that may be read and hold no value; pattern has 2, 4 or 8 bytes.
            max_read: registers a request.
            too_long: exception for more than that.
            whole: a read that starts or ends inside a value is refused with exception 2.
            alone: values of one register that answer only when read by themselves; a longer read passes through.
        """
        self._made_of = (tuple(cells), tuple(fill), max_read, too_long, whole, tuple(alone))
        filler: dict[int, bytes] = {}
        for first, last, pattern in fill:
            for address in range(first, last + 1):
                at = (address - first) * 2 % len(pattern)
                filler[address] = pattern[at : at + 2]
        for cell in cells:
            for address in range(cell.address, cell.address + cell.words):
                filler.setdefault(address, b"\0\0")
        addresses = sorted(filler)
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._offsets: list[int] = []
        blank = bytearray()
        for address in addresses:
            if not self._ends or address != self._ends[-1]:
                self._starts.append(address)
                self._ends.append(address)
                self._offsets.append(len(blank))
            self._ends[-1] = address + 1
            blank += filler[address]
        self._blank = bytes(blank)
        self._plan = [(self._offset(cell.address), cell.words * 2, cell) for cell in cells]
        self._alone = {cell.address: cell for cell in alone}
        self._inside = (
            frozenset(a for cell in cells for a in range(cell.address + 1, cell.address + cell.words))
            if whole
            else frozenset()
        )
        self._max_read = max_read
        self._too_long = too_long

    def with_cells(self, *cells: Cell) -> Bank:
        """Return the same bank with more values, which lie over what was there."""
        before, fill, max_read, too_long, whole, alone = self._made_of
        return Bank([*before, *cells], fill=fill, max_read=max_read, too_long=too_long, whole=whole, alone=alone)

    def _offset(self, address: int) -> int:
        region = bisect_right(self._starts, address) - 1
        return self._offsets[region] + 2 * (address - self._starts[region])

    def image(self, state: StateMap, *, swapped: bool = False) -> bytes:
        """Return all registers of the bank for one state of the device; `swapped` turns the word order round."""
        image = bytearray(self._blank)
        for offset, length, cell in self._plan:
            data = cell.encode(state)
            image[offset : offset + length] = swap_words(data) if swapped else data
        return bytes(image)

    def read(self, image: bytes, state: StateMap, address: int, count: int) -> bytes:
        """Return the bytes of `count` registers.

        Raises:
            Refusal: exception 2 for a gap or a torn value, 3 (or what the model says) for a bad count.
        """
        if not 1 <= count <= 125:
            raise Refusal(ILLEGAL_VALUE)
        if count > self._max_read:
            raise Refusal(self._too_long)
        if count == 1 and address in self._alone:
            return self._alone[address].encode(state)
        region = bisect_right(self._starts, address) - 1
        if region < 0 or address + count > self._ends[region]:
            raise Refusal(ILLEGAL_ADDRESS)
        if address in self._inside or address + count in self._inside:
            raise Refusal(ILLEGAL_ADDRESS)
        at = self._offsets[region] + 2 * (address - self._starts[region])
        return image[at : at + 2 * count]


class ObjectBank:
    """Addresses that are object numbers: a float answers two registers though the next object is one address on.

    A read must name one object and its length; a block may hold one-register objects alone.
    Source: Carrier 23XRV controls manual, p. 70.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        """`cells` may overlap: each is an object of its own."""
        self._cells = {cell.address: cell for cell in cells}

    def image(self, state: StateMap, *, swapped: bool = False) -> bytes:  # noqa: ARG002 - the shape of ReadBank
        """Objects are encoded one by one."""
        return b""

    def read(self, image: bytes, state: StateMap, address: int, count: int) -> bytes:  # noqa: ARG002
        """Return one object, or a block of one-register objects.

        Raises:
            Refusal: exception 2 for an unknown object or a block over floats, 3 for a bad count.
        """
        if not 1 <= count <= 125:
            raise Refusal(ILLEGAL_VALUE)
        cell = self._cells.get(address)
        if cell is not None and cell.words == count:
            return cell.encode(state)
        block = [self._cells.get(at) for at in range(address, address + count)]
        if any(item is None or item.words != 1 for item in block):
            raise Refusal(ILLEGAL_ADDRESS)
        return b"".join(item.encode(state) for item in block if item is not None)


class BitBank:
    """Coils or discrete inputs from address `first` on, one source a bit (true when it is not 0)."""

    def __init__(self, sources: Sequence[Source], *, first: int = 0) -> None:
        """`sources[i]` is the bit at `first + i`."""
        self._sources = [Cell(first + at, source, "u16") for at, source in enumerate(sources)]
        self._first = first

    def image(self, state: StateMap, *, swapped: bool = False) -> bytes:  # noqa: ARG002 - bits have no words
        """Return one byte a bit, 0 or 1."""
        return bytes(cell.encode(state) not in (b"\0\0", b"\xff\xff") for cell in self._sources)

    def read(self, image: bytes, state: StateMap, address: int, count: int) -> bytes:  # noqa: ARG002
        """Return `count` bits packed low bit first.

        Raises:
            Refusal: exception 2 outside of the bank, 3 for a bad count.
        """
        if not 1 <= count <= 2000:
            raise Refusal(ILLEGAL_VALUE)
        at = address - self._first
        if at < 0 or at + count > len(image):
            raise Refusal(ILLEGAL_ADDRESS)
        packed = bytearray((count + 7) // 8)
        for bit in range(count):
            packed[bit >> 3] |= image[at + bit] << (bit & 7)
        return bytes(packed)


@dataclass(frozen=True, slots=True)
class WriteCell:
    """One register (or two) that can be written: value = raw / factor."""

    address: int
    quantity: str
    kind: str = "u16"
    factor: float = 1.0
    low: float = -math.inf
    """Least and greatest value; outside of them the device answers exception 3."""
    high: float = math.inf

    @property
    def words(self) -> int:
        """Registers that the value takes."""
        return struct.calcsize(_FORMAT[self.kind]) // 2

    def decode(self, data: bytes) -> float:
        """Return the value in the quantity's unit.

        Raises:
            Refusal: exception 3 when it is out of range or not a number.
        """
        value = float(struct.unpack(_FORMAT[self.kind], data)[0]) / self.factor
        if not self.low <= value <= self.high:
            raise Refusal(ILLEGAL_VALUE)
        return value
