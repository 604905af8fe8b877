"""A Modbus server that answers, frame by frame, what a test says; and a link with a sink to look at it through."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.clock import SystemClock
from drivers.driver import Device
from drivers.link import ConnectLimiter, Link
from drivers.modbus.driver import ModbusDriver
from drivers.profile import Profile, parse_profile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from drivers.event import Event
    from drivers.reading import Readings


def crc(frame: bytes) -> bytes:
    """CRC16 of Modbus, bit by bit, from the specification."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value.to_bytes(2, "little")


def profile(timeout_s: float = 0.3, **wire: object) -> Profile:
    """Two registers in blocks of their own (20 and 30), one that can be written (40)."""
    return parse_profile(
        {
            "profile": {
                "id": "test-device", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m",
                "source": "this file", "wire": {"timeout_s": timeout_s, **wire},
            },
            "point": [
                {"tag": "twenty", "zh": "甲", "en": "a", "wire": {"address": 20}},
                {"tag": "thirty", "zh": "乙", "en": "b", "wire": {"address": 30}},
                {"tag": "forty", "zh": "丙", "en": "c", "wire": {"address": 40, "read": False},
                 "write": {"low": 0, "high": 100}},
            ],
        },
        "test",
    )  # fmt: skip


class Server:
    """A Modbus server of which each test says, frame by frame, what it answers."""

    def __init__(self, answer: Callable[[bytes], Sequence[tuple[float, bytes]]], *, rtu: bool) -> None:
        self.answer = answer
        self.rtu = rtu
        self.requests: list[bytes] = []
        self.connects = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readexactly(2 if self.rtu else 8)
                function = head[-1]
                rest = await reader.readexactly(4 if function < 15 else 5)
                if function >= 15:
                    rest += await reader.readexactly(rest[-1])
                if self.rtu:
                    await reader.readexactly(2)
                frame = head + rest
                self.requests.append(frame)
                for delay, data in self.answer(frame):
                    task = asyncio.create_task(self.later(writer, delay, data))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def later(writer: asyncio.StreamWriter, delay: float, data: bytes) -> None:
        await asyncio.sleep(delay)
        if data:
            writer.write(data)
        else:
            writer.transport.abort()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@asynccontextmanager
async def serving(
    answer: Callable[[bytes], Sequence[tuple[float, bytes]]], *, rtu: bool = False
) -> AsyncIterator[tuple[Server, str]]:
    server = Server(answer, rtu=rtu)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield server, f"{'rtu+tcp' if rtu else 'tcp'}://127.0.0.1:{port}"
    finally:
        listener.close()
        server.hang_up()
        for task in list(server.tasks):
            task.cancel()
        await asyncio.sleep(0)


def device(endpoint: str, unit: int = 1, made: Profile | None = None, period_s: float = 0.2) -> Device:
    return Device(f"unit{unit}", made or profile(), endpoint, np.array([1, 2, 3], np.int32), unit, period_s)


@asynccontextmanager
async def connected(target: Device) -> AsyncIterator[ModbusDriver]:
    driver = ModbusDriver([target], SystemClock())
    await driver.connect()
    try:
        yield driver
    finally:
        await driver.close()


def register(frame: bytes) -> int:
    """Address asked for in an MBAP or RTU request."""
    return int.from_bytes(frame[8:10] if len(frame) >= 12 else frame[2:4], "big")


def tcp(frame: bytes, body: str) -> bytes:
    """Answer with the request's transaction: `body` is unit, function and data in hex."""
    data = bytes.fromhex(body)
    return frame[:2] + b"\0\0" + len(data).to_bytes(2, "big") + data


def rtu(body: str) -> bytes:
    data = bytes.fromhex(body)
    return data + crc(data)


def good(frame: bytes) -> str:
    """A register holds its own address."""
    unit, function = (frame[6], frame[7]) if len(frame) >= 12 else (frame[0], frame[1])
    return f"{unit:02x} {function:02x} 02 {register(frame):04x}"


class Keeper:
    """A sink that remembers and can be waited for."""

    def __init__(self) -> None:
        self.batches: dict[str, list[Readings]] = {}
        self.changed = asyncio.Event()

    def readings(self, device: Device, batch: Readings) -> None:
        self.batches.setdefault(device.id, []).append(batch)
        self.changed.set()

    def events(self, device: Device, events: Sequence[Event]) -> None:
        raise AssertionError("a Modbus device has no events")

    def count(self, device_id: str) -> int:
        return len(self.batches.get(device_id, []))

    async def until(self, condition: Callable[[], bool], deadline_s: float = 10.0) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def linked(devices: list[Device], sink: Keeper) -> AsyncIterator[Link]:
    clock = SystemClock()
    link = Link(ModbusDriver(devices, clock), sink, clock, random.Random(1), limiter=ConnectLimiter(clock, 100))
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
