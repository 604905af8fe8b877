"""µs of CPU a value: 200 Modbus TCP devices of 62 floats, all polled in the same slot, the server in another process.

    .venv/bin/python benchmarks/modbus_cpu.py [--devices 200] [--floats 62] [--seconds 10]

Goal: 1.3 µs a float with polls together (the figure of a bare pymodbus client under uvloop on the same machine).
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import struct
import time
from typing import TYPE_CHECKING, cast

import numpy as np
import uvloop

from controller.clock import SystemClock
from drivers.driver import Device
from drivers.link import ConnectLimiter, Link
from drivers.modbus.driver import ModbusDriver
from drivers.profile import parse_profile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from drivers.event import Event
    from drivers.reading import Readings


class Answerer(asyncio.Protocol):
    """Answers every read of holding registers with the same floats."""

    def __init__(self, floats: int) -> None:
        data = b"".join(struct.pack(">f", 230.0 + place) for place in range(floats))
        self._tail = struct.pack(">HHBBB", 0, 3 + len(data), 1, 3, len(data)) + data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), 12):
            self._transport.write(data[start : start + 2] + self._tail)


def serve(pipe: Connection, floats: int) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Answerer(floats), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


class Counter:
    """A sink that counts."""

    def __init__(self) -> None:
        self.values = self.batches = 0

    def readings(self, _device: Device, batch: Readings) -> None:
        self.values += len(batch)
        self.batches += 1

    def events(self, _device: Device, _events: Sequence[Event]) -> None:
        raise AssertionError("no events here")


async def measure(port: int, devices: int, floats: int, seconds: float) -> dict[str, float]:
    profile = parse_profile(
        {
            "profile": {
                "id": "benchmark", "equipment": "meter", "protocol": "modbus", "vendor": "none", "model": "none",
                "source": "this file", "wire": {"blocks": [{"name": "all", "first": 0, "last": 2 * floats - 1}]},
            },
            "point": [
                {"tag": f"v{n}", "zh": "值", "en": "value", "wire": {"address": 2 * n, "type": "f32", "scale": 0.1}}
                for n in range(floats)
            ],
        },
        "benchmark",
    )  # fmt: skip
    clock, sink = SystemClock(), Counter()
    limiter = ConnectLimiter(clock, per_second=1000)
    links = []
    for place in range(devices):
        numbers = np.arange(place * floats, (place + 1) * floats, dtype=np.int32)
        device = Device(f"d{place}", profile, f"tcp://127.0.0.1:{port}", numbers, 1, 1.0)
        links.append(Link(ModbusDriver([device], clock), sink, clock, random.Random(place), limiter=limiter))
    tasks = [asyncio.create_task(link.run()) for link in links]
    while not all(link.up for link in links):  # noqa: ASYNC110 - a benchmark may ask now and then
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.5 - time.monotonic() % 1.0)
    values, cpu, wall = sink.values, time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    values, cpu, wall = sink.values - values, time.process_time() - cpu, time.monotonic() - wall
    missed = sum(health.missed for link in links for health in link.health.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"values": values, "cpu_s": cpu, "wall_s": wall, "us_a_float": cpu / values * 1e6, "missed": missed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--floats", type=int, default=62)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, arguments.floats), daemon=True)
    server.start()
    try:
        port = ours.recv()
        result = uvloop.run(measure(port, arguments.devices, arguments.floats, arguments.seconds))
    finally:
        server.terminate()
        server.join()
    print(f"{arguments.devices} devices x {arguments.floats} floats, 1 s, together")
    print("| values/s | CPU s/s | µs a float | missed slots | goal µs |")
    print("|---|---|---|---|---|")
    print(
        f"| {result['values'] / result['wall_s']:.0f} | {result['cpu_s'] / result['wall_s']:.3f} "
        f"| {result['us_a_float']:.2f} | {result['missed']:.0f} | 1.30 |"
    )


if __name__ == "__main__":
    main()
