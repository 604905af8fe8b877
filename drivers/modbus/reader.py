"""The Modbus driver of a line that is only read: devices of one line, in planned blocks.

There is no way to write here: neither an encoder nor a connection that would let a write out, and import-linter keeps
it so. It serves every line that has a device whose profile says `read_only`, and `ModbusDriver` stands on it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from drivers.errors import (
    DecodeError,
    DeviceRefusedError,
    DeviceTimeoutError,
    GiveUpError,
    NotWritableError,
    ProfileError,
    TryAgainError,
)
from drivers.modbus.client import ReadConnection, parse_endpoint
from drivers.modbus.station import NOT_READ, Station
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drivers.driver import Clock, Device
    from drivers.errors import DriverError
    from drivers.modbus.client import Endpoint
    from drivers.modbus.station import Block

__all__ = ["ModbusReader"]

_BAD_CONFIG = (1, 2, 3)
_BUSY = (5, 6)
_SILENT_BEHIND_GATEWAY = (10, 11)
_TOLD = 3


class ModbusReader:
    """Polls the devices behind one line; a `PolledDriver`. `drivers.link` supervises it."""

    def __init__(self, devices: Sequence[Device], clock: Clock) -> None:
        """Plan the profiles; nothing is opened.

        Raises:
            ProfileError: a profile, an endpoint or a unit is wrong, or the devices are not of one endpoint.
        """
        if not devices or len({device.endpoint for device in devices}) != 1:
            raise ProfileError(f"devices of one endpoint wanted, got {sorted({d.endpoint for d in devices})}")
        self._devices = tuple(devices)
        self._clock = clock
        self._stations = {device.id: Station(device) for device in devices}
        quiet = [station.map.plan.quiet_s for station in self._stations.values()]
        quiet_s = max((value for value in quiet if value), default=None)
        self._connection = self._line(parse_endpoint(devices[0].endpoint), quiet_s)

    def _line(self, endpoint: Endpoint, quiet_s: float | None) -> ReadConnection:
        """Return the connection to work over."""
        return ReadConnection(endpoint, quiet_s=quiet_s)

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

        A refused block yields bad readings of that block alone. A block that a busy device or a time-out kept from us
        is left out of the batch; the third time in a row its points are bad, and it is asked every 5 to 15 s only, as
        long as the device answers for others.

        Raises:
            ConnectError, DeviceTimeoutError: nothing was read.
            DeviceRefusedError: the device was busy for every block.
        """
        station = self._stations[device.id]
        value, quality = station.map.blank.copy(), station.map.unread.copy()
        now = self._clock.monotonic()
        failure: TryAgainError | DeviceRefusedError | None = None
        pause_s = station.map.plan.pause_s
        asked = False
        for block in tuple(station.blocks):
            if block.read.every_s and block.idle(value, now):
                continue
            if block.breaker.open and now < block.due:
                _fill(quality, block.read.decoder.places, block.quality)
                continue
            if asked and pause_s:
                await asyncio.sleep(pause_s)
            asked = True
            try:
                await self._fetch(station, block, value, quality)
            except DeviceRefusedError as error:
                if error.code not in _BUSY:
                    break  # its gateway does not reach it
                failure = error
            except TryAgainError as error:
                failure = error
                break
            except DecodeError:
                break  # the line was closed
        return self._batch(station, value, quality, failure)

    async def _fetch(
        self, station: Station, block: Block, value: NDArray[np.float64], quality: NDArray[np.uint8]
    ) -> None:
        """Ask for one block and put what came into the batch.

        Raises:
            DeviceRefusedError: busy, or silent behind its gateway.
            TryAgainError, DecodeError: nothing more can be asked in this turn.
        """
        read, places = block.read, block.read.decoder.places
        try:
            data = await self._connection.read(
                station.device.unit, read.pdu, read.decoder.size, station.map.plan.timeout_s
            )
            read.decoder.decode(data, value, quality)
        except DeviceRefusedError as error:
            if error.code in _BUSY:
                self._missed(station, block, error, Quality.BAD_COMM, quality)
                raise
            block.refused(error)
            if error.code in _SILENT_BEHIND_GATEWAY:
                _fill(quality, station.map.readable, Quality.BAD_DEVICE)
                raise
            _fill(quality, places, Quality.BAD_CONFIG if error.code in _BAD_CONFIG else Quality.BAD_DEVICE)
        except DecodeError as error:
            _fill(quality, places, Quality.BAD_CONFIG)
            if not self._connection.connected:
                self._missed(station, block, error, Quality.BAD_CONFIG, quality)
                raise
            block.refused(error)
        except TryAgainError as error:
            self._missed(station, block, error, Quality.BAD_COMM, quality)
            raise
        else:
            block.answered()
            block.taken(value, self._clock.monotonic())

    def _missed(
        self, station: Station, block: Block, error: DriverError, fallen: Quality, quality: NDArray[np.uint8]
    ) -> None:
        """Note a block that cost the line its turn; the others go first next time."""
        station.blocks.remove(block)
        station.blocks.append(block)
        block.failed(error, fallen, self._clock.monotonic())
        if block.breaker.open:
            _fill(quality, block.read.decoder.places, fallen)

    def _batch(
        self,
        station: Station,
        value: NDArray[np.float64],
        quality: NDArray[np.uint8],
        failure: TryAgainError | DeviceRefusedError | None,
    ) -> Readings:
        """Make the batch of what was read.

        Raises:
            TryAgainError, DeviceRefusedError: `failure`, where nothing at all was read.
        """
        if failure is not None and bool(((quality == NOT_READ) | (quality == Quality.BAD_COMM)).all()):
            # The device as a whole: the link knows how to wait for it.
            for block in station.blocks:
                if block.breaker.open:
                    block.breaker.succeeded()
            raise failure
        now_ns = self._clock.now_ns()
        numbers = station.numbers
        if station.select is not None:
            value, quality = value[station.select], quality[station.select]
        read = quality != NOT_READ
        if not read.all():
            numbers, value, quality = numbers[read], value[read], quality[read]
        time_ns = np.empty(len(value), np.int64)
        time_ns.fill(now_ns)
        return Readings(numbers, value, time_ns, quality)

    def trouble(self, device: Device) -> str:
        """Say what part of the device failed at its last poll, and why; empty when all of it answered."""
        return "; ".join([block.trouble for block in self._stations[device.id].blocks if block.trouble][:_TOLD])

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

    async def write(self, device: Device, tag: str, value: float) -> None:  # noqa: ARG002 - the shape of the contract
        """Refuse: nothing is ever written over this line.

        Raises:
            NotWritableError: always.
        """
        raise NotWritableError(f"device {device.id}: {tag} was not written; its line reads and can do nothing else")


def _fill(quality: NDArray[np.uint8], places: NDArray[np.intp], fallen: Quality) -> None:
    """Give the places that were not read yet a quality."""
    quality[places[quality[places] == NOT_READ]] = fallen
