"""Reading by hand, for commissioning: one block in every type and word order, or a whole profile.

A wrong word order or scale shows at a glance: only one row of the table looks like a voltage.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from drivers.driver import Device
from drivers.errors import DriverError, ProfileError, TryAgainError
from drivers.modbus.client import ReadConnection, parse_endpoint, read_request
from drivers.modbus.plan import plan_profile
from drivers.modbus.reader import ModbusReader
from drivers.modbus.station import NOT_READ, PlannedProfile
from drivers.trial import Exchange, Trial, TrialPoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.driver import Clock
    from drivers.modbus.plan import Request
    from drivers.modbus.register import Register
    from drivers.profile import Profile, ProfilePoint

__all__ = ["Probe", "ProfileProbe", "probe", "probe_profile", "try_profile"]

_TYPES = MappingProxyType(
    {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f", "u64": ">Q", "i64": ">q", "f64": ">d"}
)

_SILENT = 2
"""Blocks without an answer after which a device is taken for silent."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer to one read."""

    function: int
    register: int
    count: int
    raw: bytes
    """Data as it came, high byte of each register first; for functions 1 and 2 packed bits, low bit first."""
    values: Mapping[str, tuple[float, ...]]
    """By type, and for types of two or four registers by word order: `u16`, `f32 be`, `f32 le-word`; or `bit`.

    One value for each whole group of registers from the first on; integers are exact up to 2^53.
    """


@dataclass(frozen=True, slots=True)
class ProfileProbe:
    """One poll of a profile."""

    points: tuple[ProfilePoint, ...]
    value: tuple[float, ...]
    """NaN where there is none."""
    quality: tuple[int, ...]
    """As in `drivers.reading.Quality`; -1 where a busy device gave no answer."""


async def probe(
    endpoint: str, unit: int, register: int, count: int = 2, function: int = 3, *, timeout_s: float = 2.0
) -> Probe:
    """Read `count` registers (1 to 125) or bits (1 to 2000) from `register`, counted from 0, once.

    Raises:
        ProfileError: the endpoint, unit, register, count or function is not possible.
        DriverError: what the device says, see `drivers.errors`.
    """
    bits = function in (1, 2)
    most = 2000 if bits else 125
    if function not in (1, 2, 3, 4) or not 1 <= count <= most or not 0 <= register <= 65536 - count:
        raise ProfileError(
            f"got function {function}, {count} from {register}; wanted function 1 to 4, 1 to {most} from 0 to 65535"
        )
    if not 0 <= unit <= 255:
        raise ProfileError(f"unit: got {unit}, wanted 0 to 255")
    connection = ReadConnection(parse_endpoint(endpoint))
    await connection.connect()
    try:
        size = (count + 7) // 8 if bits else 2 * count
        raw = await connection.read(unit, read_request(function, register, count), size, timeout_s)
    finally:
        connection.close()
    return Probe(function, register, count, raw, MappingProxyType(_bits(raw, count) if bits else _values(raw)))


async def probe_profile(
    profile: Profile, endpoint: str, unit: int, clock: Clock, options: Mapping[str, object] | None = None
) -> ProfileProbe:
    """Poll every point of a profile once.

    Raises:
        ProfileError: the profile or the endpoint is wrong.
        DriverError: nothing was read.
    """
    numbers = np.arange(len(profile.points), dtype=np.int32)
    device = Device(f"unit {unit}", profile, endpoint, numbers, unit, options=options or {})
    driver = ModbusReader([device], clock)
    await driver.connect()
    try:
        batch = await driver.poll(device)
    finally:
        await driver.close()
    value, quality = [float("nan")] * len(numbers), [-1] * len(numbers)
    for number, one, good in zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
        value[number], quality[number] = one, good
    return ProfileProbe(profile.points, tuple(value), tuple(quality))


async def try_profile(
    profile: Profile, endpoint: str, unit: int, options: Mapping[str, object] | None = None, *, within_s: float = 10.0
) -> Trial:
    """Ask for every block of a profile once, and keep the bytes of each; a silent device ends it after two blocks.

    Raises:
        ProfileError: the profile, an option, the endpoint or the unit is wrong.
        ConnectError: nobody there, or refused.
    """
    if not 0 <= unit <= 255:
        raise ProfileError(f"unit: got {unit}, wanted 0 to 255")
    plan = plan_profile(profile, options)
    made = PlannedProfile(plan)
    connection = ReadConnection(parse_endpoint(endpoint), quiet_s=plan.quiet_s)
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    value, quality = made.blank.copy(), made.unread.copy()
    exchanges: list[Exchange] = []
    raw: dict[int, str] = {}
    silent, error = 0, ""
    try:
        for request, read in zip(plan.requests, made.reads, strict=True):
            await connection.connect()
            if (left := end - loop.time()) <= 0 or silent >= _SILENT:
                error = exchanges[-1].error or f"not everything was read within {within_s:g} s"
                break
            sent, received = bytearray(), bytearray()
            connection.watch = partial(_keep, sent, received)
            failure = ""
            try:
                data = await connection.read(unit, read.pdu, read.decoder.size, min(plan.timeout_s, left))
            except DriverError as fault:
                failure = str(fault)
                silent = silent + 1 if isinstance(fault, TryAgainError) else 0
            else:
                silent = 0
                read.decoder.decode(data, value, quality)
                raw |= {item.place: _own(item, request, data) for item in request.registers}
            exchanges.append(Exchange(_what(request), sent.hex(" "), received.hex(" "), failure))
    finally:
        connection.close()
    if not error and exchanges and all(item.error for item in exchanges):
        error = exchanges[0].error
    points = [
        TrialPoint(
            place=item.place,
            where=f"{item.function}:{item.address}" + (f"–{item.address + item.size - 1}" if item.size > 1 else ""),
            raw=raw.get(item.place, ""),
            value=float(value[item.place]),
            quality=None if quality[item.place] == NOT_READ else int(quality[item.place]),
        )
        for item in plan.registers.values()
    ]
    return Trial(tuple(exchanges), tuple(points), error)


def _keep(sent: bytearray, received: bytearray, out: bool, data: bytes) -> None:  # noqa: FBT001 - a call-back
    (sent if out else received).extend(data)


def _what(request: Request) -> str:
    last = request.address + request.count - 1
    return f"FC{request.function:02} {request.address}–{last}"


def _own(item: Register, request: Request, data: bytes) -> str:
    """Return the registers of one point in hexadecimal, or its bit."""
    at = item.address - request.address
    if request.function in (1, 2):
        return "".join(str(data[place >> 3] >> (place & 7) & 1) for place in range(at, at + item.size))
    return data[2 * at : 2 * (at + item.size)].hex(" ", 2)


def _bits(raw: bytes, count: int) -> dict[str, tuple[float, ...]]:
    return {"bit": tuple(float(raw[at >> 3] >> (at & 7) & 1) for at in range(count))}


def _values(raw: bytes) -> dict[str, tuple[float, ...]]:
    values: dict[str, tuple[float, ...]] = {}
    for name, code in _TYPES.items():
        size = struct.calcsize(code)
        groups = [raw[at : at + size] for at in range(0, len(raw) - size + 1, size)]
        if not groups:
            continue
        if size == 2:
            values[name] = tuple(float(struct.unpack(code, group)[0]) for group in groups)
            continue
        for order, step in (("be", 1), ("le-word", -1)):
            values[f"{name} {order}"] = tuple(float(struct.unpack(code, _words(group, step))[0]) for group in groups)
    return values


def _words(group: bytes, step: int) -> bytes:
    return b"".join([group[at : at + 2] for at in range(0, len(group), 2)][::step])
