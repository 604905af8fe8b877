"""CPU of one MQTT message: the bare library on the loop, and our driver with decoding, beside our own limits.

    python benchmarks/mqtt_cpu.py [messages]

A child process publishes 36-byte payloads at 6,000 a second through a real Mosquitto; counted is the CPU time of the
receiving process alone (user and system), under uvloop.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.clock import SystemClock
from drivers.driver import Device
from drivers.mqtt.driver import MqttDriver
from drivers.mqtt.session import Login, Session
from drivers.profile import parse_profile
from tests.services.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.event import Event
    from drivers.reading import Readings

RATE = 6000
LIMIT_US = {"library on the loop": 30.0, "driver, JSON to readings": 60.0}
PUBLISHER = """
import sys, time, paho.mqtt.client as p
port, count, rate = (int(word) for word in sys.argv[1:])
client = p.Client(p.CallbackAPIVersion.VERSION2); client.connect("127.0.0.1", port); client.loop_start()
start = time.monotonic()
for n in range(count):
    client.publish(f"bench/{n % 50}", (b'{"value": %.3f, "unit": "degC"}' % (20 + n % 100 / 10)).ljust(36))
    ahead = n / rate - (time.monotonic() - start)
    if ahead > 0.002: time.sleep(ahead)
time.sleep(1); client.disconnect(); client.loop_stop()
"""


class Count:
    def __init__(self) -> None:
        self.messages = 0
        self.values = 0

    def readings(self, _device: Device, batch: Readings) -> None:
        self.messages += 1
        self.values += len(batch)

    def events(self, _device: Device, _events: Sequence[Event]) -> None:
        raise AssertionError("no events here")


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def publish(port: int, count: int) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PUBLISHER, str(port), str(count), str(RATE))
    assert await process.wait() == 0


async def bare(broker: Mosquitto, count: int) -> tuple[int, float]:
    seen = 0

    def receive(_topic: str, _payload: bytes, _retained: bool, _large: bool) -> None:
        nonlocal seen
        seen += 1

    session = Session(Login(broker.endpoint, "bench"), receive, lambda: None)
    await session.open()
    await session.subscribe([f"bench/{n}" for n in range(50)])
    before = cpu_s()
    await publish(broker.port, count)
    used = cpu_s() - before
    session.close()
    return seen, used


async def driver(broker: Mosquitto, count: int) -> tuple[int, float]:
    head = {
        "id": "bench", "equipment": "bench", "protocol": "mqtt", "vendor": "v", "model": "m", "source": "s",
        "wire": {"format": "json", "topic": "bench/{n}"},
    }  # fmt: skip
    profile = parse_profile(
        {"profile": head, "point": [{"tag": "value", "zh": "值", "en": "Value", "wire": {"path": "value"}}]}, "bench"
    )
    devices = [Device(f"d{n}", profile, broker.endpoint, np.array([n], np.int32), options={"n": n}) for n in range(50)]
    one, sink = MqttDriver(devices, SystemClock()), Count()
    await one.connect()
    running = asyncio.ensure_future(one.run(sink))
    deadline = time.monotonic() + 5
    while one.counts.messages == 0 and time.monotonic() < deadline:
        await publish(broker.port, 1)
    sink.messages = 0
    before = cpu_s()
    await publish(broker.port, count)
    used = cpu_s() - before
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await one.close()
    return sink.messages, used


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder)) as broker:
        print(f"{'':28}{'messages':>10}{'µs CPU each':>14}{'limit':>8}")
        for name, run in (("library on the loop", bare), ("driver, JSON to readings", driver)):
            seen, used = await run(broker, count)
            each = used / max(seen, 1) * 1e6
            print(f"{name:28}{seen:>10,}{each:>14.1f}{LIMIT_US[name]:>8.0f}")
        print(f"{count:,} messages of 36 bytes at {RATE:,} a second; 78 to 105 µs were measured through aiomqtt.")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000))
