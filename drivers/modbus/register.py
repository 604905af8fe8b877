"""Where a point is on the wire, what its raw value means and how it is written: the tables `[point.wire]` of a profile.

The keys are listed in `drivers.modbus.plan`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from drivers.errors import ProfileError
from drivers.modbus.keytable import KeyTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.profile import ProfilePoint

__all__ = ["ORDERS", "POINT_KEYS", "SIZE", "Prepare", "Register", "WriteTarget", "check_pattern", "parse_register",
           "parse_write"]  # fmt: skip

SIZE = MappingProxyType({"bit": 1, "u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4})
"""Registers (or bits) that a value of a type takes."""
ORDERS = ("be", "le-word")
_TEXT = "text"
_MAX_TEXT = 20
"""Registers of a text: two characters each."""
_WHOLE = ("u16", "i16", "u32", "i32")
_CODES = ("", "four-quadrant-pf")
POINT_KEYS = {
    "address", "type", "function", "word_order", "sentinels", "scale", "offset", "mask", "shift", "equals", "bit",
    "invert", "one_hot", "code", "read", "write_address", "write_type", "write_scale", "write_fc", "words", "prepare",
    "plus", "over", "fault", "map", "length",
}  # fmt: skip
_FAULT_KEYS = {"address", "mask", "equals"}
_PREPARE_KEYS = {"value", "word", "wait_s", "skip_address", "skip_mask"}


@dataclass(frozen=True, slots=True)
class Register:
    """Where one point is and what its raw value means."""

    tag: str
    place: int
    """Place of the point in `Profile.points`."""
    function: int
    address: int
    """On the wire, counted from 0."""
    size: int
    """Registers, or bits for functions 1 and 2."""
    type: str
    order: str = "be"
    scale: float = 1.0
    offset: float = 0.0
    sentinels: tuple[int, ...] = ()
    """Raw patterns, unsigned."""
    mask: int | None = None
    shift: int = 0
    equals: int | None = None
    invert: bool = False
    one_hot: tuple[int, ...] = ()
    """Wire addresses of the bits."""
    code: str = ""
    first: int = 0
    """Address of the value itself, where `address` and `size` span two values."""
    second: int | None = None
    over: bool = False
    """The point is first / second; else first + second."""
    fault: tuple[int, int, int | None] | None = None
    """(address, mask, equals) of a register that says whether the value is bad; without equals any bit will do."""
    map: Mapping[int | str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Raw numbers, or the texts of a `text`, and what they mean; empty where the number is the value."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """A word that must go before another, unless the device is there already."""

    value: float
    word: int
    wait_s: float
    skip_address: int | None
    skip_mask: int


@dataclass(frozen=True, slots=True)
class WriteTarget:
    """How a value is written."""

    tag: str
    function: int
    address: int
    type: str
    order: str
    scale: float
    offset: float
    low: float
    high: float
    words: Mapping[int, int]
    prepare: Prepare | None
    read_function: int


def parse_register(
    reader: KeyTable,
    point: ProfilePoint,
    place: int,
    function: int,
    order: str,
    base: int,
    sentinels: Mapping[str, tuple[int, ...]],
) -> Register:
    """Read where a point is and what its raw value means.

    `function`, `order`, `base` and `sentinels` are those of the profile, for what the point does not say itself.

    Raises:
        ProfileError: a key is missing, or its value is not usable.
    """
    function = reader.choice("function", (1, 2, 3, 4), function)
    bits = function in (1, 2)
    kind = reader.choice("type", (*SIZE, _TEXT), "bit" if bits else "u16")
    if bits != (kind == "bit"):
        raise ProfileError(f"{reader.where}type: got {kind!r}; functions 1 and 2 read bits, 3 and 4 registers")
    one_hot = tuple(value - base for value in reader.wholes("one_hot"))
    if one_hot and (not bits or len(one_hot) < 2 or len(set(one_hot)) != len(one_hot)):
        raise ProfileError(f"{reader.where}one_hot: got {one_hot}, wanted two or more different bit addresses")
    if one_hot:
        address, size = min(one_hot), max(one_hot) - min(one_hot) + 1
    else:
        size = reader.whole("length", None, 1, _MAX_TEXT) if kind == _TEXT else SIZE[kind]
        address = reader.whole("address", None, 0, 65536) - base
    meanings = _meanings(reader, kind)
    first, second = address, None
    for key in ("plus", "over"):
        if key in reader.keys:
            if second is not None or bits or meanings:
                raise ProfileError(
                    f"{reader.where}{key}: only one of plus and over, and only for registers without map"
                )
            second = reader.whole(key, None, 0, 65536) - base
            address, size = min(first, second), abs(first - second) + size
    fault = None
    if "fault" in reader.keys:
        inner = KeyTable(reader.table("fault"), f"{reader.where}fault.", _FAULT_KEYS)
        fault = (
            inner.whole("address", None, 0, 65536) - base,
            inner.whole("mask", None, 1, 65535),
            inner.optional_whole("equals", 0, 65535),
        )
    if not 0 <= address <= 65536 - size:
        raise ProfileError(f"{reader.where}address: {address} on the wire; a {kind} must lie within 0 to 65535")
    shift, mask = reader.whole("shift", 0, 0, 15), reader.optional_whole("mask", 1, 65535)
    if "bit" in reader.keys:
        shift, mask = reader.whole("bit", None, 0, 15), 1
    equals = reader.optional_whole("equals", 0, 65535)
    if (mask is not None or shift or equals is not None) and kind != "u16":
        raise ProfileError(f"{reader.where}mask, shift, bit and equals need type u16; got {kind}")
    if (shift or equals is not None) and mask is None:
        mask = 0xFFFF >> shift
    scale = reader.number("scale", 1.0, -1e12, 1e12)
    if scale == 0:
        raise ProfileError(f"{reader.where}scale: got 0; every value would be the offset")
    own = reader.wholes("sentinels")
    if own and kind == _TEXT:
        raise ProfileError(f"{reader.where}sentinels: a text that means nothing is left out of its map")
    for pattern in own:
        check_pattern(pattern, kind, reader.where)
    invert = reader.truth("invert", default=False)
    if invert and kind != "bit" and mask != 1 and equals is None:
        raise ProfileError(f"{reader.where}invert: only for a bit or with equals")
    return Register(
        tag=point.tag,
        place=place,
        function=function,
        address=address,
        size=size,
        type=kind,
        order=reader.choice("word_order", ORDERS, order),
        scale=scale,
        offset=reader.number("offset", 0.0, -1e12, 1e12),
        sentinels=own if "sentinels" in reader.keys else (() if mask is not None else sentinels.get(kind, ())),
        mask=mask,
        shift=shift,
        equals=equals,
        invert=invert,
        one_hot=one_hot,
        code=reader.choice("code", _CODES, ""),
        first=first,
        second=second,
        over="over" in reader.keys,
        fault=fault,
        map=meanings,
    )


def _meanings(reader: KeyTable, kind: str) -> Mapping[int | str, float]:
    """Read `map`: what the raw numbers or texts of a register mean."""
    if (kind == _TEXT) != ("length" in reader.keys):
        raise ProfileError(f"{reader.where}length: a text needs its length in registers, and no other type may have it")
    table = reader.numbers("map")
    text = kind == _TEXT
    if text and not table:
        raise ProfileError(f'{reader.where}map is missing: what the texts mean, such as {{ "A" = 0, "B" = 1 }}')
    if not table:
        return MappingProxyType({})
    if kind not in (*_WHOLE, _TEXT) or {"mask", "shift", "bit", "equals", "scale", "offset"} & reader.keys.keys():
        raise ProfileError(f"{reader.where}map: needs one of {', '.join(_WHOLE)}, text, as it is: no scale and no mask")
    try:
        return MappingProxyType({raw if text else int(raw): value for raw, value in table.items()})
    except ValueError:
        raise ProfileError(f'{reader.where}map: got {", ".join(table)}, wanted raw numbers such as "3"') from None


def parse_write(reader: KeyTable, point: ProfilePoint, register: Register, write_fc: int, base: int) -> WriteTarget:
    """Read how a point is written.

    Raises:
        ProfileError: a key is missing, or its value is not usable.
    """
    function = reader.choice("write_fc", (5, 6, 15, 16), write_fc)
    kind = reader.choice("write_type", tuple(SIZE), register.type)
    coil = function in (5, 15)
    if coil != (kind == "bit"):
        raise ProfileError(
            f"{reader.where}write_fc: got {function} for a {kind}; coils take 5 or 15, registers 6 or 16"
        )
    if function == 6 and SIZE[kind] != 1:
        raise ProfileError(f"{reader.where}write_fc: 6 writes one register, a {kind} has {SIZE[kind]}; wanted 16")
    if "write_address" in reader.keys:
        address = reader.whole("write_address", None, 0, 65536) - base
    else:
        address = register.address
        if register.function in (2, 4):
            raise ProfileError(
                f"{reader.where}write_address is missing: the point is read with function {register.function}, "
                "which nothing writes"
            )
    words = reader.words("words", min(SIZE[kind], 2))
    if register.map and not words and "write_address" not in reader.keys:
        raise ProfileError(f"{reader.where}words is missing: what is read through a map is not written as it is")
    if register.mask is not None and not words and "write_address" not in reader.keys:
        raise ProfileError(f"{reader.where}words is missing: a part of a register is never written without its rest")
    prepare = None
    if "prepare" in reader.keys:
        inner = KeyTable(reader.table("prepare"), f"{reader.where}prepare.", _PREPARE_KEYS)
        skip = inner.optional_whole("skip_address", 0, 65536)
        prepare = Prepare(
            value=inner.number("value", None, -1e9, 1e9),
            word=inner.whole("word", None, 0, 65535),
            wait_s=inner.number("wait_s", 0.0, 0.0, 5.0),
            skip_address=None if skip is None else skip - base,
            skip_mask=inner.whole("skip_mask", 0, 0, 65535),
        )
    return WriteTarget(
        tag=point.tag,
        function=function,
        address=address,
        type=kind,
        order=register.order,
        scale=reader.number("write_scale", register.scale, -1e12, 1e12),
        offset=register.offset,
        low=-math.inf if point.write is None else point.write.low,
        high=math.inf if point.write is None else point.write.high,
        words=words,
        prepare=prepare,
        read_function=3 if register.function in (1, 2) else register.function,
    )


def check_pattern(pattern: int, kind: str, where: str) -> None:
    """Refuse a sentinel that is no raw pattern of its type.

    Raises:
        ProfileError: it does not fit, or is negative.
    """
    if not 0 <= pattern < 1 << 16 * SIZE[kind]:
        raise ProfileError(f"{where}sentinels: got {pattern}, wanted the raw pattern of a {kind}, not negative")
