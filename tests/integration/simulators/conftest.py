"""Devices with chosen values behind real sockets, and a real Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulators.plant.device import Device, NotWritableError, RefusedError, State

if TYPE_CHECKING:
    from simulators.site import SimulatedDevice


@dataclass
class TinyWorld:
    """A world of a few devices whose values the test sets."""

    devices: dict[str, Device]
    tables: dict[str, dict[str, float]]
    time_ns: int = 1_772_413_200_000_000_000

    def step(self, dt_s: float) -> None:
        self.time_ns += round(dt_s * 1e9)
        for identifier, device in self.devices.items():
            table, _, column = device.state.place(device.quantities[0])
            for row, name in enumerate(device.quantities):
                if name in ("watchdog", "gateway_heartbeat"):
                    self.tables[identifier][name] += 1
                table[row, column] = self.tables[identifier][name]


WorldOf = Callable[..., TinyWorld]


@pytest.fixture(scope="session")
def world_of() -> WorldOf:
    """`world_of((SimulatedDevice(…), {quantity: value}, (writable, …)), …)`."""

    def make(*rows: tuple[SimulatedDevice, Mapping[str, float], tuple[str, ...]]) -> TinyWorld:
        devices: dict[str, Device] = {}
        tables: dict[str, dict[str, float]] = {}
        for row, values, writable in rows:
            kept = dict(values)
            array = np.array([[value] for value in values.values()], dtype=np.float64)
            places = {name: at for at, name in enumerate(values)}

            def take(
                quantity: str, value: float, kept: dict[str, float] = kept, array: np.ndarray = array,
                places: dict[str, int] = places, writable: tuple[str, ...] = writable,
            ) -> float:  # fmt: skip
                if quantity not in writable:
                    raise NotWritableError(quantity)
                if kept.get("mode") == 3.0:
                    raise RefusedError("fire mode")
                kept[quantity] = array[places[quantity], 0] = value
                return value

            devices[row.id] = Device(row, State(places, array, 0), take)
            tables[row.id] = kept
        return TinyWorld(devices, tables)

    return make


@dataclass(frozen=True)
class MosquittoServer:
    port: int


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[MosquittoServer]:
    """A Mosquitto of this test on a free port of loopback."""
    import subprocess

    program = os.environ.get("MOSQUITTO") or shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    assert Path(program).exists(), "Mosquitto is missing: run tests/services/setup.sh"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            assert time.monotonic() < deadline, "Mosquitto did not start"
            assert process.poll() is None, "Mosquitto ended at once"
        yield MosquittoServer(port)
    finally:
        process.terminate()
        process.wait(5)


class Master:
    """A raw Modbus client: what is typed goes out, what comes back is shown as hexadecimal text."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, frame: str, length: int, timeout_s: float = 5.0) -> str:
        self._writer.write(bytes.fromhex(frame))
        data = await asyncio.wait_for(self._reader.readexactly(length), timeout_s)
        return data.hex(" ").upper()

    async def send(self, frame: str) -> None:
        self._writer.write(bytes.fromhex(frame))
        await self._writer.drain()

    async def first(self, timeout_s: float = 5.0) -> bytes:
        """Read whatever comes first."""
        return await asyncio.wait_for(self._reader.read(300), timeout_s)

    async def rest(self, timeout_s: float = 5.0) -> bytes:
        """Read until the server closes."""
        return await asyncio.wait_for(self._reader.read(-1), timeout_s)

    async def silent(self, seconds: float) -> bool:
        """Tell whether nothing comes for `seconds`."""
        try:
            await asyncio.wait_for(self._reader.readexactly(1), seconds)
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@pytest.fixture
async def master() -> AsyncIterator[Callable[[int], object]]:
    """`await master(port)` opens a connection that the test need not close."""
    opened: list[Master] = []

    async def connect(port: int) -> Master:
        opened.append(Master(*await asyncio.open_connection("127.0.0.1", port)))
        return opened[-1]

    yield connect
    for one in opened:
        await one.close()
