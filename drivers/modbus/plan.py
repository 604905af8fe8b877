"""From a profile to requests: checks the `wire` tables of a Modbus profile and plans which registers are read together.

Keys of `[profile.wire]`:

| key | meaning | default |
|---|---|---|
| `function` | read function 1, 2, 3 or 4 | 3 |
| `word_order` | `be` (high word first) or `le-word` (low word first); bytes in a word are always high first | `be` |
| `base` | subtracted from every address to get the one on the wire; 1 for documents that count from 1 | 0 |
| `max_read` | registers (or bits) that one request may ask for | 125 (2000) |
| `blocks` | list of `{ name, first, last, function?, gap?, every_s?, follows? }`: only points of one block are read
together, with at most `gap` unused registers between two of them; a block with `every_s` is read so often only, and at
once when the point `follows`, which stands in a block before it, has changed | none: each point alone |
| `read_only` | true: no write may ever leave for this device; a profile with a point to write is refused, and so is
every write by the line that the device is on | false |
| `forbidden` | list of `[first, last]` that no request may touch | none |
| `sentinels` | raw patterns that mean "no value", by type: `{ i16 = [0x8000] }`; 64 bits as text | none |
| `timeout_s` | how long an answer may take, 0.05 to 10 | 1.0 |
| `quiet_s` | RTU framing: after a time-out keep the line, silent for so long, instead of closing it | close |
| `pause_s` | how long a device wants to be left alone between two requests of one poll, 0 to 2 | 0 |
| `write_fc` | function for writes: 5 or 15 for coils, 6 or 16 for registers | 16 |

Keys of `[point.wire]`:

| key | meaning |
|---|---|
| `address` | number of the first register, coil or input |
| `type` | `u16 i16 u32 i32 u64 i64 f32 f64`, `text`, or `bit` (functions 1 and 2); default `u16`, or `bit` |
| `function`, `word_order`, `sentinels` | as above, for this point |
| `scale`, `offset` | value = raw × scale + offset |
| `mask`, `shift` | value = (register >> shift) & mask; type u16 alone |
| `equals` | value is 1 when the masked register equals this, else 0 |
| `bit` | short for `shift = n, mask = 1` |
| `invert` | a bit or an `equals` that means the opposite |
| `one_hot` | list of bit addresses of which exactly one is set: value 1, 2, 3 … by place, otherwise bad |
| `code` | `four-quadrant-pf`: Schneider's power factor; x > 1 is 2 - x, x < -1 is -2 - x |
| `plus`, `over` | address of a second value of the same type: the point is the sum of both, or the quotient |
| `map` | what each raw number means: `{ "1" = 0, "4" = 2 }`; one that is not there is bad; types `u16 i16 u32 i32`.
With `type = "text"` the texts: `{ "A" = 0, "C2" = 2 }`, padded with NUL or spaces, two characters a register |
| `length` | of a `text`: its registers, 1 to 20 |
| `fault` | `{ address, mask, equals? }`: the value is bad while a bit of this register of the same request is set, or
while the masked register equals `equals` |
| `read` | false: the register can only be written |
| `write_address`, `write_type`, `write_scale`, `write_fc` | where writes differ from reads |
| `words` | the words that mean a value: `{ "0" = 0x047E, "1" = 0x047F }`; with a type of 32 bits both registers, high
word first: `{ "1" = 0x8B94746B }` |
| `prepare` | a word that goes first: `{ value = 1, word = 0x047E, wait_s = 0.1, skip_address = 3, skip_mask = 4 }`
before value 1 is written, unless register 3 has bit 2 set |

A point is writable when it has a `write` table, or is the profile's keep-alive.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drivers.errors import ProfileError
from drivers.modbus.keytable import KeyTable
from drivers.modbus.register import (
    ORDERS,
    POINT_KEYS,
    SIZE,
    Register,
    WriteTarget,
    check_pattern,
    parse_register,
    parse_write,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drivers.profile import Profile

__all__ = ["Plan", "Request", "plan_profile"]

_MAX_REGISTERS = 125
_MAX_BITS = 2000
_PROFILE_KEYS = {
    "function", "word_order", "base", "max_read", "blocks", "forbidden", "sentinels", "timeout_s", "quiet_s",
    "pause_s", "write_fc", "read_only",
}  # fmt: skip
_BLOCK_KEYS = {"name", "first", "last", "function", "gap", "every_s", "follows"}


@dataclass(frozen=True, slots=True)
class Request:
    """One read: `count` registers or bits from `address`, and the points in the answer."""

    function: int
    address: int
    count: int
    registers: tuple[Register, ...]
    every_s: float = 0.0
    """Least time between two reads; 0: at every poll."""
    follows: int = -1
    """Place of the point whose change has it read at once; -1: none."""


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
    pause_s: float = 0.0
    read_only: bool = False
    """No write may ever be encoded."""


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    function: int
    first: int
    last: int
    gap: int
    every_s: float
    follows: int


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
    head = KeyTable(wire, f"{name}: wire.", _PROFILE_KEYS)
    base = head.whole("base", 0, -1, 1)
    function = head.choice("function", (1, 2, 3, 4), 3)
    order = head.choice("word_order", ORDERS, "be")
    max_read = head.whole("max_read", 0, 0, _MAX_BITS)
    write_fc = head.choice("write_fc", (5, 6, 15, 16), 16)
    sentinels = _sentinel_table(head.table("sentinels"), name)
    blocks = _blocks(head, name, function, base, [point.tag for point in profile.points])
    forbidden = _forbidden(head, name, base)
    quiet_s = head.number("quiet_s", 0.0, 0.0, 10.0)

    registers: dict[str, Register] = {}
    writes: dict[str, WriteTarget] = {}
    for place, point in enumerate(profile.points):
        where = f'{name}: point "{point.tag}": wire.'
        reader = KeyTable(point.wire, where, POINT_KEYS)
        register = parse_register(reader, point, place, function, order, base, sentinels)
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
            writes[point.tag] = parse_write(reader, point, register, write_fc, base)
    read_only = head.truth("read_only", default=False)
    if read_only and writes:
        raise ProfileError(f"{name}: wire.read_only: the profile writes {', '.join(writes)}; wanted no point to write")
    requests = _merge(list(registers.values()), blocks, forbidden, max_read)
    _check_faults(requests, name)
    return Plan(
        profile=profile,
        requests=requests,
        registers=MappingProxyType(registers),
        writes=MappingProxyType(writes),
        timeout_s=head.number("timeout_s", 1.0, 0.05, 10.0),
        quiet_s=quiet_s or None,
        pause_s=head.number("pause_s", 0.0, 0.0, 2.0),
        read_only=read_only,
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
                requests.append(_request(block, start, end, group))
                group = []
            if not group:
                start = end = register.address
            group.append(register)
            end = max(end, stop)
        requests.append(_request(block, start, end, group))
    return tuple(sorted(requests, key=lambda item: (item.registers[0].place, item.address)))


def _request(block: _Block, start: int, end: int, group: Sequence[Register]) -> Request:
    return Request(block.function, start, end - start, tuple(group), block.every_s, block.follows)


def _check_faults(requests: Sequence[Request], name: str) -> None:
    for request in requests:
        for register in request.registers:
            if register.fault and not 0 <= register.fault[0] - request.address < request.count:
                raise ProfileError(
                    f'{name}: point "{register.tag}": wire.fault: register {register.fault[0]} is not read in the same '
                    f"request ({request.address} to {request.address + request.count - 1}); mend the blocks"
                )


def _blocks(head: KeyTable, name: str, function: int, base: int, tags: Sequence[str]) -> tuple[_Block, ...]:
    rows = head.keys.get("blocks", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProfileError(f"{name}: wire.blocks: got {rows!r}, wanted a list of tables {{ name, first, last }}")
    blocks = []
    for row in rows:
        reader = KeyTable(row, f"{name}: wire.blocks.", _BLOCK_KEYS)
        follows = row.get("follows", "")
        if follows and follows not in tags:
            raise ProfileError(f"{name}: wire.blocks: follows: {follows!r} is no point of this profile")
        block = _Block(
            name=str(row.get("name", "")),
            function=reader.choice("function", (1, 2, 3, 4), function),
            first=reader.whole("first", None, 0, 65536) - base,
            last=reader.whole("last", None, 0, 65536) - base,
            gap=reader.whole("gap", 0, 0, 2000),
            every_s=reader.number("every_s", 0.0, 0.0, 86_400.0),
            follows=tags.index(follows) if follows else -1,
        )
        if not block.name or block.first > block.last:
            raise ProfileError(f"{name}: wire.blocks: got {row!r}, wanted a name, and first not above last")
        blocks.append(block)
    return tuple(blocks)


def _forbidden(head: KeyTable, name: str, base: int) -> tuple[tuple[int, int], ...]:
    rows = head.keys.get("forbidden", [])
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
    reader = KeyTable(table, where, set(SIZE) - {"bit"})
    for kind in table:
        for pattern in reader.wholes(kind):
            check_pattern(pattern, kind, where)
    return {kind: reader.wholes(kind) for kind in table}
