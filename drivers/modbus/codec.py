"""Between bytes of a Modbus answer and values: a whole block at once, one numpy operation for each type in it."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drivers.errors import NotWritableError
from drivers.modbus.register import SIZE
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drivers.modbus.plan import Request
    from drivers.modbus.register import Register, WriteTarget

__all__ = ["BlockDecoder", "encode_value", "four_quadrant"]

_GOOD = int(Quality.GOOD)
_BAD_SENSOR = int(Quality.BAD_SENSOR)
"""As plain numbers: looking up a member of an enumeration costs as much as decoding a value."""

_DTYPE = {
    "u16": ">u2", "i16": ">i2", "u32": ">u4", "i32": ">i4", "f32": ">f4", "u64": ">u8", "i64": ">i8", "f64": ">f8",
}  # fmt: skip
_STRUCT = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f", "u64": ">Q", "i64": ">q", "f64": ">d"}


def four_quadrant(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn Schneider's power-factor code into the power factor, -1 to 1.

    x > 1 means 2 - x, leading; x < -1 means -2 - x, leading; else lagging as it is.
    Source: Schneider DOCA0005EN, power factor register format.
    """
    return np.where(code > 1.0, 2.0 - code, np.where(code < -1.0, -2.0 - code, code))


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Points of one type, word order and set of sentinels."""

    places: NDArray[np.intp] | slice
    index: NDArray[np.intp] | None
    """(n, size) registers of each value, high word first; None when they follow each other in the answer."""
    start: int
    count: int
    dtype: np.dtype[np.generic]
    raw: np.dtype[np.generic]
    """Unsigned type of the same width, in which sentinels are compared."""
    scale: NDArray[np.float64] | None
    offset: NDArray[np.float64] | None
    sentinels: tuple[int, ...]
    real: bool
    code: NDArray[np.intp]
    """Rows that are four-quadrant power factors."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Points that are a part of a register, or bits."""

    places: NDArray[np.intp] | slice
    index: NDArray[np.intp]
    shift: NDArray[np.uint16]
    mask: NDArray[np.uint16]
    equals: NDArray[np.int32]
    """-1 where the part itself is the value."""
    invert: NDArray[np.bool_]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    bits: bool


@dataclass(frozen=True, slots=True)
class _Choice:
    """Bits of which exactly one is set."""

    place: int
    index: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Sum or quotient of two values."""

    place: int
    index: NDArray[np.intp]
    """(2, size) registers, high word first."""
    dtype: np.dtype[np.generic]
    raw: np.dtype[np.generic]
    sentinels: tuple[int, ...]
    scale: float
    offset: float
    over: bool


@dataclass(frozen=True, slots=True)
class _Mapped:
    """A number or text of which each value has a meaning of its own."""

    place: int
    at: int
    """First register in the answer."""
    register: Register

    def meaning(self, data: bytes) -> float:
        """Return what the answer says, NaN where the map does not know it."""
        register = self.register
        raw = data[2 * self.at : 2 * (self.at + register.size)]
        if register.type == "text":
            return register.map.get(raw.split(b"\0", 1)[0].decode("ascii", "replace").strip(), math.nan)
        if register.order == "le-word" and register.size == 2:
            raw = raw[2:] + raw[:2]
        return register.map.get(struct.unpack(_STRUCT[register.type], raw)[0], math.nan)


class BlockDecoder:
    """Decodes the answers to one request; built once for a profile and shared by its devices."""

    def __init__(self, request: Request) -> None:
        """Prepare index, scale and offset arrays."""
        self.bits = request.function in (1, 2)
        self.size = (request.count + 7) // 8 if self.bits else 2 * request.count
        """Bytes that the answer must have."""
        self.places: NDArray[np.intp] = np.array([register.place for register in request.registers], np.intp)
        numbers: dict[tuple[str, str, tuple[int, ...]], list[Register]] = {}
        parts: list[Register] = []
        choices: list[_Choice] = []
        pairs: list[_Pair] = []
        mapped: list[_Mapped] = []
        for register in request.registers:
            if register.map:
                mapped.append(_Mapped(register.place, register.address - request.address, register))
            elif register.one_hot:
                index = np.array([address - request.address for address in register.one_hot], np.intp)
                choices.append(_Choice(register.place, index))
            elif register.second is not None:
                pairs.append(_pair(register, request.address))
            elif self.bits or register.mask is not None:
                parts.append(register)
            else:
                numbers.setdefault((register.type, register.order, register.sentinels), []).append(register)
        self._count = request.count
        self._numbers = tuple(_numbers(group, request.address) for group in numbers.values())
        self._parts = _parts(parts, request.address, bits=self.bits) if parts else None
        self._choices = tuple(choices)
        self._pairs = tuple(pairs)
        self._mapped = tuple(mapped)
        faults = [(item.place, *item.fault) for item in request.registers if item.fault]
        self._faults = tuple((place, at - request.address, mask, equals) for place, at, mask, equals in faults)

    def decode(self, data: bytes, value: NDArray[np.float64], quality: NDArray[np.uint8]) -> None:
        """Write the block's points into `value` and `quality`, arrays over all points of the profile.

        `data` is the answer's data after the byte count and has `size` bytes. A sentinel, NaN or infinity becomes
        BAD_SENSOR with NaN, and so does what a `map` does not know.
        """
        if self.bits:
            words = np.unpackbits(np.frombuffer(data, np.uint8), count=self._count, bitorder="little")
        else:
            words = np.frombuffer(data, ">u2")
        with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN is data here, not a fault of ours
            for group in self._numbers:
                self._decode_numbers(group, data, words, value, quality)
        if self._parts is not None:
            part = self._parts
            raw = words[part.index]
            if not part.bits:
                raw = (raw >> part.shift) & part.mask
            flag = (raw == part.equals) ^ part.invert
            value[part.places] = np.where(part.equals >= 0, flag, raw * part.scale + part.offset)
            quality[part.places] = _GOOD
        for choice in self._choices:
            chosen = words[choice.index]
            if int(chosen.sum()) == 1:
                value[choice.place], quality[choice.place] = float(chosen.argmax()) + 1.0, _GOOD
            else:
                value[choice.place], quality[choice.place] = np.nan, _BAD_SENSOR
        for pair in self._pairs:
            raw = words[pair.index].view(pair.dtype).ravel()
            with np.errstate(all="ignore"):
                first, second = raw.astype(np.float64)
                number = (first / second if pair.over else first + second) * pair.scale + pair.offset
            good = np.isfinite(number) and not np.isin(raw.view(pair.raw), pair.sentinels).any()
            value[pair.place] = number if good else np.nan
            quality[pair.place] = _GOOD if good else _BAD_SENSOR
        for one in self._mapped:
            meaning = one.meaning(data)
            value[one.place], quality[one.place] = meaning, _GOOD if math.isfinite(meaning) else _BAD_SENSOR
        for place, at, mask, equals in self._faults:
            said = int(words[at]) & mask
            if said == equals if equals is not None else said:
                value[place], quality[place] = np.nan, _BAD_SENSOR

    @staticmethod
    def _decode_numbers(
        group: _Numbers,
        data: bytes,
        words: NDArray[np.generic],
        value: NDArray[np.float64],
        quality: NDArray[np.uint8],
    ) -> None:
        raw: NDArray[np.generic]
        if group.index is None:
            raw = np.frombuffer(data, group.dtype, group.count, group.start)
        else:
            raw = words[group.index].view(group.dtype).ravel()
        number = raw.astype(np.float64)
        if len(group.code):
            number[group.code] = four_quadrant(number[group.code])
        if group.scale is not None:
            number *= group.scale
        if group.offset is not None:
            number += group.offset
        quality[group.places] = _GOOD
        bad: NDArray[np.bool_] | None = None
        if group.real:
            finite = np.isfinite(number)
            if not finite.all():
                bad = ~finite
        for pattern in group.sentinels:
            hit = raw.view(group.raw) == pattern
            bad = hit if bad is None else bad | hit
        if bad is not None:
            number[bad] = np.nan
            quality[group.places] = np.where(bad, _BAD_SENSOR, _GOOD)
        value[group.places] = number


def _numbers(group: Sequence[Register], start: int) -> _Numbers:
    first = group[0]
    size = first.size
    index = np.array([range(item.address - start, item.address - start + size) for item in group], np.intp)
    if first.order == "le-word":
        index = index[:, ::-1].copy()
    flat = index.ravel()
    follows = bool((np.diff(flat) == 1).all())
    scale = np.array([item.scale for item in group])
    offset = np.array([item.offset for item in group])
    return _Numbers(
        places=_places(group),
        index=None if follows else index,
        start=int(flat[0]) * 2,
        count=len(group),
        dtype=np.dtype(_DTYPE[first.type]),
        raw=np.dtype(f">u{2 * size}"),
        scale=None if (scale == 1).all() else scale,
        offset=None if (offset == 0).all() else offset,
        sentinels=first.sentinels,
        real=first.type in ("f32", "f64"),
        code=np.array([row for row, item in enumerate(group) if item.code], np.intp),
    )


def _pair(register: Register, start: int) -> _Pair:
    assert register.second is not None
    size = SIZE[register.type]
    index = np.array([range(at - start, at - start + size) for at in (register.first, register.second)], np.intp)
    return _Pair(
        place=register.place,
        index=index[:, ::-1].copy() if register.order == "le-word" else index,
        dtype=np.dtype(_DTYPE[register.type]),
        raw=np.dtype(f">u{2 * size}"),
        sentinels=register.sentinels,
        scale=register.scale,
        offset=register.offset,
        over=register.over,
    )


def _parts(group: Sequence[Register], start: int, *, bits: bool) -> _Parts:
    return _Parts(
        places=_places(group),
        index=np.array([item.address - start for item in group], np.intp),
        shift=np.array([item.shift for item in group], np.uint16),
        mask=np.array([0xFFFF if item.mask is None else item.mask for item in group], np.uint16),
        equals=np.array(
            [(1 if item.invert else -1) if item.equals is None else item.equals for item in group], np.int32
        ),
        invert=np.array([item.invert for item in group], np.bool_),
        scale=np.array([item.scale for item in group]),
        offset=np.array([item.offset for item in group]),
        bits=bits,
    )


def _places(group: Sequence[Register]) -> NDArray[np.intp] | slice:
    """Return the places as a slice where they follow each other, which numpy handles faster."""
    places = [item.place for item in group]
    if places == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places, np.intp)


def encode_value(target: WriteTarget, value: float) -> tuple[int, ...]:
    """Return the registers that say `value`, first register first; one number 0 or 1 for a coil.

    Raises:
        NotWritableError: not finite, outside the profile's range, no such state, or too large for the type.
    """
    if not math.isfinite(value) or not target.low <= value <= target.high:
        raise NotWritableError(f"{target.tag}: got {value}, wanted {target.low:g} to {target.high:g}")
    if target.words:
        word = target.words.get(round(value)) if value == round(value) else None
        if word is None:
            raise NotWritableError(f"{target.tag}: got {value:g}, wanted one of {sorted(target.words)}")
        return (word,) if target.type == "bit" or SIZE[target.type] == 1 else (word >> 16, word & 0xFFFF)
    raw = (value - target.offset) / target.scale
    if target.type == "bit":
        if raw not in (0.0, 1.0):
            raise NotWritableError(f"{target.tag}: got {value:g}, wanted 0 or 1")
        return (int(raw),)
    try:
        data = struct.pack(_STRUCT[target.type], raw if target.type in ("f32", "f64") else round(raw))
    except (struct.error, OverflowError) as error:
        raise NotWritableError(
            f"{target.tag}: {value:g} does not fit into a {target.type} x {target.scale:g}"
        ) from error
    words = struct.unpack(f">{len(data) // 2}H", data)
    return words[::-1] if target.order == "le-word" else words
