"""Reading by hand, for commissioning: one block in every type and word order, or a whole profile.

A wrong word order or scale shows at a glance: only one row of the table looks like a voltage.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from drivers.driver import Device
from drivers.errors import ProfileError
from drivers.modbus.client import Connection, parse_endpoint, read_request
from drivers.modbus.driver import ModbusDriver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.driver import Clock
    from drivers.profile import Profile, ProfilePoint

__all__ = ["Probe", "ProfileProbe", "probe", "probe_profile"]

_TYPES = MappingProxyType(
    {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f", "u64": ">Q", "i64": ">q", "f64": ">d"}
)


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
    connection = Connection(parse_endpoint(endpoint))
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
    driver = ModbusDriver([device], clock)
    await driver.connect()
    try:
        batch = await driver.poll(device)
    finally:
        await driver.close()
    value, quality = [float("nan")] * len(numbers), [-1] * len(numbers)
    for number, one, good in zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
        value[number], quality[number] = one, good
    return ProfileProbe(profile.points, tuple(value), tuple(quality))


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
