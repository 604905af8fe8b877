"""The Modbus driver of a line that may be written to: what `ModbusReader` does, and one write at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from drivers.errors import ConnectError, DecodeError, NotWritableError, ProfileError
from drivers.modbus.client import ReadConnection, read_request
from drivers.modbus.codec import encode_value
from drivers.modbus.reader import ModbusReader
from drivers.modbus.writer import Connection, write_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.driver import Clock, Device
    from drivers.modbus.client import Endpoint
    from drivers.modbus.register import WriteTarget

__all__ = ["ModbusDriver", "modbus_driver"]


def modbus_driver(devices: Sequence[Device], clock: Clock) -> ModbusReader:
    """Return the driver of a line: one that can only read where any device of it must never be written to.

    Raises:
        ProfileError: see `ModbusReader`; or a device that is commanded shares the line with one that is only read.
    """
    read = [device for device in devices if device.profile.read_only]
    written = [device for device in devices if any(point.write for point in device.profile.points)]
    if read and written:
        pair = f"{read[0].id} must never be written to, and {written[0].id} is commanded"
        raise ProfileError(f"{pair}: give them a line each")
    if read:
        return ModbusReader(devices, clock)
    return ModbusDriver(devices, clock)


class ModbusDriver(ModbusReader):
    """Polls and writes the devices behind one line; a `PolledDriver`. `drivers.link` supervises it."""

    def _line(self, endpoint: Endpoint, quiet_s: float | None) -> ReadConnection:
        if any(station.map.plan.read_only for station in self._stations.values()):
            return super()._line(endpoint, quiet_s)
        return Connection(endpoint, quiet_s=quiet_s)

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
        await self._writer(device).write(device.unit, write_request(target.function, target.address, words), timeout_s)

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
        await self._writer(device).write(
            device.unit, write_request(target.function, target.address, (prepare.word,)), timeout_s
        )
        await asyncio.sleep(prepare.wait_s)

    def _writer(self, device: Device) -> Connection:
        connection = self._connection
        if isinstance(connection, ReadConnection) and not isinstance(connection, Connection):
            raise NotWritableError(f"device {device.id}: its line reads and can do nothing else")
        return connection
