"""From a profile to requests: checks the `wire` tables of a Modbus profile and plans which registers are read together.

Keys of `[profile.wire]`:

| key | meaning | default |
|---|---|---|
| `function` | read function 1, 2, 3 or 4 | 3 |
| `word_order` | `be` (high word first) or `le-word` (low word first); bytes in a word are always high first | `be` |
| `base` | subtracted from every address to get the one on the wire; 1 for documents that count from 1 | 0 |
| `max_read` | registers (or bits) that one request may ask for | 125 (2000) |
| `blocks` | list of `{ name, first, last, function?, gap? }`: only points of one block are read together, with at
most `gap` unused registers between two of them | none: each point alone |
| `forbidden` | list of `[first, last]` that no request may touch | none |
| `sentinels` | raw patterns that mean "no value", by type: `{ i16 = [0x8000] }`; 64 bits as text | none |
| `timeout_s` | how long an answer may take, 0.05 to 10 | 1.0 |
| `quiet_s` | RTU framing: after a time-out keep the line, silent for so long, instead of closing it | close |
| `write_fc` | function for writes: 5 or 15 for coils, 6 or 16 for registers | 16 |

Keys of `[point.wire]`:

| key | meaning |
|---|---|
| `address` | number of the first register, coil or input |
| `type` | `u16 i16 u32 i32 u64 i64 f32 f64` or `bit` (functions 1 and 2); default `u16`, or `bit` |
| `function`, `word_order`, `sentinels` | as above, for this point |
| `scale`, `offset` | value = raw × scale + offset |
| `mask`, `shift` | value = (register >> shift) & mask; type u16 alone |
| `equals` | value is 1 when the masked register equals this, else 0 |
| `bit` | short for `shift = n, mask = 1` |
| `invert` | a bit or an `equals` that means the opposite |
| `one_hot` | list of bit addresses of which exactly one is set: value 1, 2, 3 … by place, otherwise bad |
| `code` | `four-quadrant-pf`: Schneider's power factor; x > 1 is 2 - x, x < -1 is -2 - x |
| `plus`, `over` | address of a second value of the same type: the point is the sum of both, or the quotient |
| `fault` | `{ address, mask }`: the value is bad while a bit of this register of the same request is set |
| `read` | false: the register can only be written |
| `write_address`, `write_type`, `write_scale`, `write_fc` | where writes differ from reads |
| `words` | the words that mean a value: `{ "0" = 0x047E, "1" = 0x047F }` |
| `prepare` | a word that goes first: `{ value = 1, word = 0x047E, wait_s = 0.1, skip_address = 3, skip_mask = 4 }`
before value 1 is written, unless register 3 has bit 2 set |

A point is writable when it has a `write` table, or is the profile's keep-alive.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from drivers.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drivers.profile import Profile, ProfilePoint

__all__ = ["SIZE", "Plan", "Prepare", "Register", "Request", "WriteTarget", "plan_profile"]

SIZE = MappingProxyType({"bit": 1, "u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4})
"""Registers (or bits) that a value of a type takes."""
_ORDERS = ("be", "le-word")
_CODES = ("", "four-quadrant-pf")
T = TypeVar("T")

_MAX_REGISTERS = 125
_MAX_BITS = 2000
_PROFILE_KEYS = {
    "function", "word_order", "base", "max_read", "blocks", "forbidden", "sentinels", "timeout_s", "quiet_s",
    "write_fc",
}  # fmt: skip
_POINT_KEYS = {
    "address", "type", "function", "word_order", "sentinels", "scale", "offset", "mask", "shift", "equals", "bit",
    "invert", "one_hot", "code", "read", "write_address", "write_type", "write_scale", "write_fc", "words", "prepare",
    "plus", "over", "fault",
}  # fmt: skip
_FAULT_KEYS = {"address", "mask"}
_BLOCK_KEYS = {"name", "first", "last", "function", "gap"}
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
    fault: tuple[int, int] | None = None
    """(address, mask) of a register that says whether the value is bad."""


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


@dataclass(frozen=True, slots=True)
class Request:
    """One read: `count` registers or bits from `address`, and the points in the answer."""

    function: int
    address: int
    count: int
    registers: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a device of a profile is asked, and how its points are written."""

    profile: Profile
    requests: tuple[Request, ...]
    registers: Mapping[str, Register]
    """Readable points by tag."""
    writes: Mapping[str, WriteTarget]
    timeout_s: float
    quiet_s: float | None


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    function: int
    first: int
    last: int
    gap: int


def plan_profile(profile: Profile, options: Mapping[str, object] | None = None) -> Plan:
    """Check the Modbus part of a profile and plan its requests.

    `options` of a device may replace `word_order` and `base`, which differ by firmware and are found at commissioning.

    Raises:
        ProfileError: a key is unknown or its value is not usable; the message names profile, point and key.
    """
    name = f"profile {profile.id}"
    if profile.protocol != "modbus":
        raise ProfileError(f"{name}: protocol: got {profile.protocol!r}, wanted 'modbus'")
    wire = dict(profile.wire)
    wire.update({key: value for key, value in (options or {}).items() if key in ("word_order", "base")})
    head = _Reader(wire, f"{name}: wire.", _PROFILE_KEYS)
    base = head.whole("base", 0, -1, 1)
    function = head.choice("function", (1, 2, 3, 4), 3)
    order = head.choice("word_order", _ORDERS, "be")
    max_read = head.whole("max_read", 0, 0, _MAX_BITS)
    write_fc = head.choice("write_fc", (5, 6, 15, 16), 16)
    sentinels = _sentinel_table(head.table("sentinels"), name)
    blocks = _blocks(head, name, function, base)
    forbidden = _forbidden(head, name, base)
    quiet_s = head.number("quiet_s", 0.0, 0.0, 10.0)

    registers: dict[str, Register] = {}
    writes: dict[str, WriteTarget] = {}
    for place, point in enumerate(profile.points):
        where = f'{name}: point "{point.tag}": wire.'
        reader = _Reader(point.wire, where, _POINT_KEYS)
        register = _register(reader, point, place, function, order, base, sentinels)
        if reader.truth("read", default=True):
            for first, last in forbidden:
                if register.address <= last and register.address + register.size > first:
                    raise ProfileError(
                        f"{where}address: {register.address} to {register.address + register.size - 1} "
                        f"touches the forbidden range {first} to {last}"
                    )
            registers[point.tag] = register
        keepalive = profile.keepalive is not None and profile.keepalive.tag == point.tag
        if point.write is not None or keepalive:
            writes[point.tag] = _write_target(reader, point, register, write_fc, base)
    requests = _merge(list(registers.values()), blocks, forbidden, max_read)
    _check_faults(requests, name)
    return Plan(
        profile=profile,
        requests=requests,
        registers=MappingProxyType(registers),
        writes=MappingProxyType(writes),
        timeout_s=head.number("timeout_s", 1.0, 0.05, 10.0),
        quiet_s=quiet_s or None,
    )


def _register(
    reader: _Reader,
    point: ProfilePoint,
    place: int,
    function: int,
    order: str,
    base: int,
    sentinels: Mapping[str, tuple[int, ...]],
) -> Register:
    function = reader.choice("function", (1, 2, 3, 4), function)
    bits = function in (1, 2)
    kind = reader.choice("type", tuple(SIZE), "bit" if bits else "u16")
    if bits != (kind == "bit"):
        raise ProfileError(f"{reader.where}type: got {kind!r}; functions 1 and 2 read bits, 3 and 4 registers")
    one_hot = tuple(value - base for value in reader.wholes("one_hot"))
    if one_hot and (not bits or len(one_hot) < 2 or len(set(one_hot)) != len(one_hot)):
        raise ProfileError(f"{reader.where}one_hot: got {one_hot}, wanted two or more different bit addresses")
    if one_hot:
        address, size = min(one_hot), max(one_hot) - min(one_hot) + 1
    else:
        address, size = reader.whole("address", None, 0, 65536) - base, SIZE[kind]
    first, second = address, None
    for key in ("plus", "over"):
        if key in reader.table_:
            if second is not None or bits:
                raise ProfileError(f"{reader.where}{key}: only one of plus and over, and only for registers")
            second = reader.whole(key, None, 0, 65536) - base
            address, size = min(first, second), abs(first - second) + size
    fault = None
    if "fault" in reader.table_:
        inner = _Reader(reader.table("fault"), f"{reader.where}fault.", _FAULT_KEYS)
        fault = (inner.whole("address", None, 0, 65536) - base, inner.whole("mask", None, 1, 65535))
    if not 0 <= address <= 65536 - size:
        raise ProfileError(f"{reader.where}address: {address} on the wire; a {kind} must lie within 0 to 65535")
    shift, mask = reader.whole("shift", 0, 0, 15), reader.optional_whole("mask", 1, 65535)
    if "bit" in reader.table_:
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
    for pattern in own:
        _check_pattern(pattern, kind, reader.where)
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
        order=reader.choice("word_order", _ORDERS, order),
        scale=scale,
        offset=reader.number("offset", 0.0, -1e12, 1e12),
        sentinels=own if "sentinels" in reader.table_ else (() if mask is not None else sentinels.get(kind, ())),
        mask=mask,
        shift=shift,
        equals=equals,
        invert=invert,
        one_hot=one_hot,
        code=reader.choice("code", _CODES, ""),
        first=first,
        second=second,
        over="over" in reader.table_,
        fault=fault,
    )


def _write_target(reader: _Reader, point: ProfilePoint, register: Register, write_fc: int, base: int) -> WriteTarget:
    function = reader.choice("write_fc", (5, 6, 15, 16), write_fc)
    kind = reader.choice("write_type", tuple(SIZE), register.type)
    coil = function in (5, 15)
    if coil != (kind == "bit"):
        raise ProfileError(
            f"{reader.where}write_fc: got {function} for a {kind}; coils take 5 or 15, registers 6 or 16"
        )
    if function == 6 and SIZE[kind] != 1:
        raise ProfileError(f"{reader.where}write_fc: 6 writes one register, a {kind} has {SIZE[kind]}; wanted 16")
    if "write_address" in reader.table_:
        address = reader.whole("write_address", None, 0, 65536) - base
    else:
        address = register.address
        if register.function in (2, 4):
            raise ProfileError(
                f"{reader.where}write_address is missing: the point is read with function {register.function}, "
                "which nothing writes"
            )
    words = reader.words("words")
    if register.mask is not None and not words and "write_address" not in reader.table_:
        raise ProfileError(f"{reader.where}words is missing: a part of a register is never written without its rest")
    prepare = None
    if "prepare" in reader.table_:
        inner = _Reader(reader.table("prepare"), f"{reader.where}prepare.", _PREPARE_KEYS)
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


def _merge(
    registers: Sequence[Register], blocks: Sequence[_Block], forbidden: Sequence[tuple[int, int]], max_read: int
) -> tuple[Request, ...]:
    """Put points into requests: together only inside one block, never a value in two requests."""
    alone: dict[tuple[int, int, int], list[Register]] = {}
    inside: dict[int, list[Register]] = {}
    for register in registers:
        for number, block in enumerate(blocks):
            last = register.address + register.size - 1
            if block.function == register.function and block.first <= register.address and last <= block.last:
                inside.setdefault(number, []).append(register)
                break
        else:
            alone.setdefault((register.function, register.address, register.size), []).append(register)
    requests = [Request(function, address, size, tuple(group)) for (function, address, size), group in alone.items()]
    for number, members in inside.items():
        block = blocks[number]
        limit = max_read or (_MAX_BITS if block.function in (1, 2) else _MAX_REGISTERS)
        if block.function in (3, 4):
            limit = min(limit, _MAX_REGISTERS)
        group: list[Register] = []
        start = end = 0
        for register in sorted(members, key=lambda item: (item.address, item.size)):
            stop = register.address + register.size
            broken = any(first < register.address and last >= end for first, last in forbidden)
            if group and (register.address - end > block.gap or max(stop, end) - start > limit or broken):
                requests.append(Request(block.function, start, end - start, tuple(group)))
                group = []
            if not group:
                start = end = register.address
            group.append(register)
            end = max(end, stop)
        requests.append(Request(block.function, start, end - start, tuple(group)))
    return tuple(sorted(requests, key=lambda item: (item.registers[0].place, item.address)))


def _check_faults(requests: Sequence[Request], name: str) -> None:
    for request in requests:
        for register in request.registers:
            if register.fault and not 0 <= register.fault[0] - request.address < request.count:
                raise ProfileError(
                    f'{name}: point "{register.tag}": wire.fault: register {register.fault[0]} is not read in the same '
                    f"request ({request.address} to {request.address + request.count - 1}); mend the blocks"
                )


def _blocks(head: _Reader, name: str, function: int, base: int) -> tuple[_Block, ...]:
    rows = head.table_.get("blocks", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProfileError(f"{name}: wire.blocks: got {rows!r}, wanted a list of tables {{ name, first, last }}")
    blocks = []
    for row in rows:
        reader = _Reader(row, f"{name}: wire.blocks.", _BLOCK_KEYS)
        block = _Block(
            name=str(row.get("name", "")),
            function=reader.choice("function", (1, 2, 3, 4), function),
            first=reader.whole("first", None, 0, 65536) - base,
            last=reader.whole("last", None, 0, 65536) - base,
            gap=reader.whole("gap", 0, 0, 2000),
        )
        if not block.name or block.first > block.last:
            raise ProfileError(f"{name}: wire.blocks: got {row!r}, wanted a name, and first not above last")
        blocks.append(block)
    return tuple(blocks)


def _forbidden(head: _Reader, name: str, base: int) -> tuple[tuple[int, int], ...]:
    rows = head.table_.get("forbidden", [])
    ranges = []
    for row in rows if isinstance(rows, list) else [rows]:
        if not (
            isinstance(row, list) and len(row) == 2 and all(type(part) is int for part in row) and row[0] <= row[1]
        ):
            raise ProfileError(f"{name}: wire.forbidden: got {row!r}, wanted [first, last]")
        ranges.append((row[0] - base, row[1] - base))
    return tuple(ranges)


def _sentinel_table(table: Mapping[str, Any], name: str) -> Mapping[str, tuple[int, ...]]:
    where = f"{name}: wire.sentinels."
    reader = _Reader(table, where, set(SIZE) - {"bit"})
    for kind in table:
        for pattern in reader.wholes(kind):
            _check_pattern(pattern, kind, where)
    return {kind: reader.wholes(kind) for kind in table}


def _check_pattern(pattern: int, kind: str, where: str) -> None:
    if not 0 <= pattern < 1 << 16 * SIZE[kind]:
        raise ProfileError(f"{where}sentinels: got {pattern}, wanted the raw pattern of a {kind}, not negative")


class _Reader:
    """Typed access to one table of a profile, with messages that say where."""

    def __init__(self, table: Mapping[str, Any], where: str, known: set[str]) -> None:
        self.table_ = table
        self.where = where
        for key in table:
            if key not in known:
                raise ProfileError(f"{where}{key}: unknown key; known are {', '.join(sorted(known))}")

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        value = self.table_.get(key, default)
        if value is None:
            raise ProfileError(f"{self.where}{key} is missing")
        if type(value) is not int or not low <= value <= high:
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted a whole number from {low} to {high}")
        return value

    def optional_whole(self, key: str, low: int, high: int) -> int | None:
        return self.whole(key, None, low, high) if key in self.table_ else None

    def number(self, key: str, default: float | None, low: float, high: float) -> float:
        value = self.table_.get(key, default)
        if value is None:
            raise ProfileError(f"{self.where}{key} is missing")
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted a number from {low:g} to {high:g}")
        return float(value)

    def choice(self, key: str, known: tuple[T, ...], default: T) -> T:
        value = self.table_.get(key, default)
        if isinstance(value, bool) or value not in known:
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted one of {', '.join(str(k) for k in known)}")
        return cast("T", value)

    def truth(self, key: str, *, default: bool) -> bool:
        value = self.table_.get(key, default)
        if not isinstance(value, bool):
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted true or false")
        return value

    def table(self, key: str) -> Mapping[str, Any]:
        value = self.table_.get(key, {})
        if not isinstance(value, dict):
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted a table")
        return value

    def wholes(self, key: str) -> tuple[int, ...]:
        """Read a list of whole numbers; patterns above 2^63 - 1, which TOML has not, as text: "0xFFFFFFFFFFFFFFFF"."""
        value = self.table_.get(key, [])
        if not isinstance(value, list):
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted a list of whole numbers")
        numbers = []
        for item in value:
            if type(item) is int:
                numbers.append(item)
            elif isinstance(item, str) and re.fullmatch("0x[0-9A-Fa-f]{1,16}", item):
                numbers.append(int(item, 16))
            else:
                raise ProfileError(f"{self.where}{key}: got {item!r}, wanted a whole number")
        return tuple(numbers)

    def words(self, key: str) -> Mapping[int, int]:
        words = {}
        for state, word in self.table(key).items():
            if not state.lstrip("-").isdigit() or type(word) is not int or not 0 <= word <= 0xFFFF:
                raise ProfileError(f'{self.where}{key}: got {state} = {word!r}, wanted a state like "1" and a word')
            words[int(state)] = word
        return MappingProxyType(words)
