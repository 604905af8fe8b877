"""The Modbus driver: devices of one line, read in planned blocks, written one request at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drivers.errors import (
    ConnectError,
    DecodeError,
    DeviceRefusedError,
    DeviceTimeoutError,
    GiveUpError,
    NotWritableError,
    ProfileError,
    TryAgainError,
)
from drivers.modbus.client import Connection, parse_endpoint, read_request, write_request
from drivers.modbus.codec import BlockDecoder, encode_value
from drivers.modbus.plan import Request, plan_profile
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drivers.driver import Clock, Device
    from drivers.modbus.plan import Plan, Register, WriteTarget
    from drivers.profile import Profile

__all__ = ["ModbusDriver", "PlannedProfile", "planned"]

_BAD_CONFIG = (1, 2, 3)
_BUSY = (5, 6)
_SILENT_BEHIND_GATEWAY = (10, 11)
_CACHE_SIZE = 512
_NOT_READ = 255
"""Marks places of a batch under construction; never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One request as bytes, with its decoder."""

    pdu: bytes
    decoder: BlockDecoder


class PlannedProfile:
    """A profile made ready for the wire: request bytes and decoders, shared by all its devices."""

    def __init__(self, plan: Plan) -> None:
        """Encode every request once."""
        self.plan = plan
        self.count = len(plan.profile.points)
        self.reads = tuple(_read(request) for request in plan.requests)
        readable = [register.place for register in plan.registers.values()]
        self.readable: NDArray[np.intp] = np.array(sorted(readable), np.intp)
        self.blank = np.full(self.count, np.nan)
        self.unread: NDArray[np.uint8] = np.full(self.count, _NOT_READ, np.uint8)
        smallest = min(plan.requests, key=lambda request: request.count, default=None)
        self.probe = None if smallest is None else _read(smallest)

    def single(self, register: Register) -> _Read:
        """Return the request for one point alone."""
        return _read(Request(register.function, register.address, register.size, (register,)))


def _read(request: Request) -> _Read:
    return _Read(read_request(request.function, request.address, request.count), BlockDecoder(request))


_planned: dict[tuple[int, str, str], tuple[Profile, PlannedProfile]] = {}


def planned(device: Device) -> PlannedProfile:
    """Return the planned profile of a device; planned once for all devices of the same profile and options.

    Raises:
        ProfileError: the profile's Modbus part is wrong.
    """
    key = (id(device.profile), repr(device.options.get("word_order")), repr(device.options.get("base")))
    found = _planned.get(key)
    if found is None:
        if len(_planned) >= _CACHE_SIZE:
            _planned.clear()
        found = _planned[key] = (device.profile, PlannedProfile(plan_profile(device.profile, device.options)))
    return found[1]


class _Station:
    """One device as the driver needs it."""

    def __init__(self, device: Device) -> None:
        if not 0 <= device.unit <= 255:
            raise ProfileError(f"device {device.id}: unit: got {device.unit}, wanted 0 to 255")
        self.device = device
        self.map = planned(device)
        if len(device.numbers) != self.map.count:
            raise ProfileError(
                f"device {device.id}: {len(device.numbers)} point numbers for {self.map.count} points of its profile"
            )
        used = np.zeros(self.map.count, np.bool_)
        used[self.map.readable] = True
        used &= device.numbers >= 0
        self.select: NDArray[np.intp] | None = None if used.all() else np.flatnonzero(used)
        self.numbers = np.ascontiguousarray(
            device.numbers if self.select is None else device.numbers[self.select], np.int32
        )
        self.reads = [read for read in self.map.reads if used[read.decoder.places].any()]
        """In the order of the next poll: a block that timed out goes to the end."""


class ModbusDriver:
    """Polls and writes the devices behind one line; a `PolledDriver`. `drivers.link` supervises it."""

    def __init__(self, devices: Sequence[Device], clock: Clock) -> None:
        """Plan the profiles; nothing is opened.

        Raises:
            ProfileError: a profile, an endpoint or a unit is wrong, or the devices are not of one endpoint.
        """
        if not devices or len({device.endpoint for device in devices}) != 1:
            raise ProfileError(f"devices of one endpoint wanted, got {sorted({d.endpoint for d in devices})}")
        self._devices = tuple(devices)
        self._clock = clock
        self._stations = {device.id: _Station(device) for device in devices}
        quiet = [station.map.plan.quiet_s for station in self._stations.values()]
        self._connection = Connection(
            parse_endpoint(devices[0].endpoint), quiet_s=max((value for value in quiet if value), default=None)
        )

    @property
    def devices(self) -> Sequence[Device]:
        """The devices behind this line."""
        return self._devices

    @property
    def connected(self) -> bool:
        """False before `connect`, and after the line was closed, by the other side or because of a doubt."""
        return self._connection.connected

    @property
    def rejected(self) -> int:
        """Answers that were not what was asked for; none of their values was used."""
        return self._connection.rejected

    async def connect(self) -> None:
        """Open the line.

        Raises:
            ConnectError: nobody there, refused, or no answer in 3 s.
        """
        await self._connection.connect()

    async def close(self) -> None:
        """Close the line."""
        self._connection.close()

    async def poll(self, device: Device) -> Readings:
        """Read all points of one device.

        A refused block yields bad readings of that block; a block that a busy device or a time-out kept from us is
        left out of the batch.

        Raises:
            ConnectError, DeviceTimeoutError: nothing was read.
            DeviceRefusedError: the device was busy for every block.
        """
        station = self._stations[device.id]
        plan = station.map.plan
        connection = self._connection
        value, quality = station.map.blank.copy(), station.map.unread.copy()
        whole = True
        failure: TryAgainError | DeviceRefusedError | None = None
        for read in tuple(station.reads):
            try:
                data = await connection.read(device.unit, read.pdu, read.decoder.size, plan.timeout_s)
                read.decoder.decode(data, value, quality)
            except DeviceRefusedError as error:
                if error.code in _BUSY:
                    whole, failure = False, error
                    continue
                silent = error.code in _SILENT_BEHIND_GATEWAY
                places = station.map.readable if silent else read.decoder.places
                left = places[quality[places] == _NOT_READ]
                quality[left] = Quality.BAD_CONFIG if error.code in _BAD_CONFIG else Quality.BAD_DEVICE
                if silent:
                    break
            except DecodeError:
                quality[read.decoder.places] = Quality.BAD_CONFIG
                if not connection.connected:
                    whole = False
                    break
            except TryAgainError as error:
                whole, failure = False, error
                station.reads.remove(read)
                station.reads.append(read)
                break
        now_ns = self._clock.now_ns()
        if whole:
            if station.select is not None:
                value, quality = value[station.select], quality[station.select]
            time_ns = np.empty(len(value), np.int64)
            time_ns.fill(now_ns)
            return Readings(station.numbers, value, time_ns, quality)
        select = station.select if station.select is not None else np.arange(station.map.count)
        select = select[quality[select] != _NOT_READ]
        if not len(select) and failure is not None:
            raise failure
        return Readings(
            device.numbers[select].astype(np.int32),
            value[select],
            np.full(len(select), now_ns, np.int64),
            quality[select],
        )

    async def probe(self, device: Device, timeout_s: float) -> None:
        """Ask the device for its smallest block; any answer of its own will do.

        Raises:
            ConnectError, DeviceTimeoutError: it is still silent.
        """
        station = self._stations[device.id]
        read = station.map.probe
        if read is None:
            return
        try:
            await self._connection.read(
                device.unit, read.pdu, read.decoder.size, min(timeout_s, station.map.plan.timeout_s)
            )
        except DeviceRefusedError as error:
            if error.code in _SILENT_BEHIND_GATEWAY:
                raise DeviceTimeoutError(str(error)) from error
        except DecodeError as error:
            raise DeviceTimeoutError(str(error)) from error

    async def read(self, device: Device, tag: str) -> float:
        """Read one point now.

        Raises:
            GiveUpError: the profile has no such readable point.
            DecodeError: the device gives no value (sentinel, NaN), or an answer of another shape.
            DeviceRefusedError, DeviceTimeoutError, ConnectError: as the device says.
        """
        station = self._stations[device.id]
        register = station.map.plan.registers.get(tag)
        if register is None:
            raise GiveUpError(f"device {device.id}: profile {device.profile.id} has no readable point {tag!r}")
        read = station.map.single(register)
        value = np.full(station.map.count, np.nan)
        quality = np.zeros(station.map.count, np.uint8)
        data = await self._connection.read(device.unit, read.pdu, read.decoder.size, station.map.plan.timeout_s)
        read.decoder.decode(data, value, quality)
        if quality[register.place] != Quality.GOOD:
            raise DecodeError(f"device {device.id}: {tag} has no value: the device says {data.hex(' ')}")
        return float(value[register.place])

    async def write(self, device: Device, tag: str, value: float) -> None:
        """Write one point, in one attempt.

        Raises:
            NotWritableError: the profile has no way to write it, or the value is outside its range.
            DeviceRefusedError: an exception answer: not executed.
            DeviceTimeoutError, ConnectError: unknown whether it arrived.
        """
        station = self._stations[device.id]
        target = station.map.plan.writes.get(tag)
        if target is None:
            raise NotWritableError(f"device {device.id}: profile {device.profile.id} has no way to write {tag!r}")
        words = encode_value(target, value)
        timeout_s = station.map.plan.timeout_s
        await self._prepare(device, target, value, timeout_s)
        await self._connection.write(device.unit, write_request(target.function, target.address, words), timeout_s)

    async def _prepare(self, device: Device, target: WriteTarget, value: float, timeout_s: float) -> None:
        """Send the word that a drive wants to see first, unless it is there already."""
        prepare = target.prepare
        if prepare is None or prepare.value != value:
            return
        if prepare.skip_address is not None:
            pdu = read_request(target.read_function, prepare.skip_address, 1)
            try:
                status = await self._connection.read(device.unit, pdu, 2, timeout_s)
            except DecodeError as error:
                raise ConnectError(f"{error}; nothing was written") from error
            if int.from_bytes(status, "big") & prepare.skip_mask:
                return
        await self._connection.write(
            device.unit, write_request(target.function, target.address, (prepare.word,)), timeout_s
        )
        await asyncio.sleep(prepare.wait_s)
