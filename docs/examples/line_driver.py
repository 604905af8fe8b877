"""A driver in one page: a weather station that answers `READ <place>` with a number and `SET <place> <number>` with OK.

It shows everything that a polled driver must do. Note what it does not do: it never reconnects, never repeats a write
and keeps no time of its own, because `drivers.link` does that for every driver alike.
"""
# ruff: noqa: INP001 - an example of the documentation, not a package

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from drivers.errors import (
    ConnectError,
    DecodeError,
    DeviceRefusedError,
    DeviceTimeoutError,
    NotWritableError,
    ProfileError,
)
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.driver import Clock, Device

__all__ = ["LineDriver"]

_CONNECT_S = 3.0
_ANSWER_S = 1.0


class LineDriver:
    """One connection and the devices behind it; a `drivers.driver.PolledDriver`."""

    def __init__(self, devices: Sequence[Device], clock: Clock) -> None:
        """Check everything that can be checked without a device; nothing is opened.

        Raises:
            ProfileError: a point has no place on the wire, or the endpoint has no host and port.
        """
        self._devices = tuple(devices)
        self._clock = clock
        self._places = {}
        for device in self._devices:
            for point in device.profile.points:
                place = point.wire.get("place")
                if type(place) is not int or not 0 <= place <= 99:
                    raise ProfileError(
                        f'profile {device.profile.id}: point "{point.tag}": wire.place: got {place!r}, wanted 0 to 99'
                    )
                self._places[device.id, point.tag] = place
        parts = urlsplit(self._devices[0].endpoint)
        if not parts.hostname or not parts.port:
            raise ProfileError(f"{self._devices[0].endpoint}: wanted tcp://host:port")
        self._host, self._port = parts.hostname, parts.port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def devices(self) -> Sequence[Device]:
        """The devices behind this connection."""
        return self._devices

    async def connect(self) -> None:
        """Open the connection.

        Raises:
            ConnectError: nobody there, or refused.
        """
        try:
            async with asyncio.timeout(_CONNECT_S):
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise ConnectError(f"{self._devices[0].endpoint}: {error}") from error

    async def poll(self, device: Device) -> Readings:
        """Read all points of one device. A point that the device refuses is bad, and the others are still read.

        Raises:
            ConnectError, DeviceTimeoutError: nothing was read.
        """
        numbers = device.numbers
        used = np.flatnonzero(numbers >= 0)
        value = np.full(len(used), np.nan)
        quality = np.full(len(used), int(Quality.GOOD), np.uint8)
        for row, place in enumerate(used.tolist()):
            try:
                value[row] = await self.read(device, device.profile.points[place].tag)
            except DeviceRefusedError:
                quality[row] = Quality.BAD_CONFIG
            except DecodeError:
                quality[row] = Quality.BAD_SENSOR
        time_ns = np.full(len(used), self._clock.now_ns(), np.int64)
        return Readings(numbers[used], value, time_ns, quality)

    async def read(self, device: Device, tag: str) -> float:
        """Read one point now.

        Raises:
            DriverError: what the device or the connection says.
        """
        answer = await self._ask(device, f"READ {self._places[device.id, tag]}")
        try:
            return float(answer)
        except ValueError:
            raise DecodeError(f"{device.id}: {tag}: got {answer!r}, wanted a number") from None

    async def write(self, device: Device, tag: str, value: float) -> None:
        """Write one point, in one attempt.

        Raises:
            NotWritableError: the profile does not let it be written.
            DriverError: what the device or the connection says.
        """
        if device.profile.point(tag).write is None:
            raise NotWritableError(f"{device.id}: {tag} cannot be written")
        await self._ask(device, f"SET {self._places[device.id, tag]} {value!r}")

    async def close(self) -> None:
        """Close the connection; safe to call twice and in any state."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _ask(self, device: Device, question: str) -> str:
        if self._reader is None or self._writer is None:
            raise ConnectError(f"{device.endpoint}: not connected")
        try:
            async with asyncio.timeout(_ANSWER_S):
                self._writer.write(question.encode() + b"\n")
                await self._writer.drain()
                line = await self._reader.readline()
        except TimeoutError:
            # A late answer would be taken for the next one: such a line is closed, and the link opens it again.
            await self.close()
            raise DeviceTimeoutError(f"{device.id}: no answer to {question!r} within {_ANSWER_S:g} s") from None
        except OSError as error:
            raise ConnectError(f"{device.endpoint}: {error}") from error
        if not line.endswith(b"\n"):
            raise ConnectError(f"{device.endpoint}: closed by the device")
        answer = line.decode("ascii", "replace").strip()
        if answer.startswith("ERROR"):
            raise DeviceRefusedError(f"{device.id}: {question!r}: {answer}", 1)
        return answer

    @property
    def connected(self) -> bool:
        """False after this driver closed the line itself, which tells the link to open it again."""
        return self._writer is not None
