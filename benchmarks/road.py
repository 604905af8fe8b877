"""µs of CPU a reading: Modbus socket → point table → limits → log → embedded history and InfluxDB.

    python benchmarks/road.py [--devices 200] [--floats 62] [--seconds 30] [--without-influx]

200 Modbus TCP devices of 62 floats, all polled each second, every value new at every poll (nothing is hidden by change
of value), a high and a low limit on every point. The devices are another process; InfluxDB is a real influxd 2.7. What
is counted is the CPU of the whole controller process: loop and all threads. Limit: 4.6 µs, 0.4 of what Telegraf takes
for Modbus → InfluxDB on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import random
import struct
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.alarm.definition import AlarmDefinition
from controller.alarm.engine import AlarmEngine
from controller.clock import SystemClock
from controller.command.arbiter import Arbiter
from controller.cycle import Cycle, Parts
from controller.field.field import Field
from controller.field.inbox import Inbox
from controller.history.delivery import Influx
from controller.history.embedded import EmbeddedHistory
from controller.history.influx import InfluxWriter
from controller.history.log import FrameLog
from controller.point.model import Building, Equipment, Name, Point, Site
from controller.point.table import PointTable
from controller.recorder import Recorder
from controller.rule.engine import RuleEngine
from drivers.driver import Device
from drivers.modbus.driver import ModbusDriver
from drivers.profile import parse_profile
from tests.services.influxdb import InfluxServer, start_influxd

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from controller.history.log import Committed

LIMIT_US = 4.6
NAME = Name("名", "name")
_VARIANTS = 64


class Answerer(asyncio.Protocol):
    """Answers every read of holding registers with new floats."""

    def __init__(self, answers: list[bytes], first: int) -> None:
        self._answers = answers
        self._next = first

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), 12):
            self._next = (self._next + 1) % _VARIANTS
            self._transport.write(data[start : start + 2] + self._answers[self._next])


def serve(pipe: Connection, devices: int, floats: int) -> None:
    """Run the devices, each on a port of its own."""
    rng = random.Random(1)
    answers = []
    for _ in range(_VARIANTS):
        data = b"".join(struct.pack(">f", 230.0 + rng.uniform(-5, 5)) for _ in range(floats))
        answers.append(struct.pack(">HHBBB", 0, 3 + len(data), 1, 3, len(data)) + data)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        servers = [
            await loop.create_server(partial(Answerer, answers, place % _VARIANTS), "127.0.0.1", 0)
            for place in range(devices)
        ]
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    uvloop.run(run())


def building(ports: list[int], floats: int) -> tuple[Site, list[Device], list[AlarmDefinition]]:
    """Return a site of meters, one a port, their devices and two limits a point."""
    profile = parse_profile(
        {
            "profile": {
                "id": "benchmark", "equipment": "meter", "protocol": "modbus", "vendor": "none", "model": "none",
                "source": "this file", "wire": {"blocks": [{"name": "all", "first": 0, "last": 2 * floats - 1}]},
            },
            "point": [
                {"tag": f"v{n}", "zh": "值", "en": "value", "wire": {"address": 2 * n, "type": "f32"}}
                for n in range(floats)
            ],
        },
        "benchmark",
    )  # fmt: skip
    points: dict[str, Point] = {}
    equipment: dict[str, Equipment] = {}
    devices, alarms = [], []
    for place, port in enumerate(ports):
        owner = f"cityhall.meter.em{place:03}"
        equipment[owner] = Equipment(owner, "meter", NAME, "cityhall", "meter")
        numbers = np.arange(place * floats, (place + 1) * floats, dtype=np.int32)
        device = f"em{place:03}"
        devices.append(Device(device, profile, f"tcp://127.0.0.1:{port}", numbers, 1, 1.0))
        for n, number in enumerate(numbers.tolist()):
            address = f"{owner}.v{n}"
            points[address] = Point(number, address, "analog", "V", NAME, owner, device, f"v{n}", low=0, high=1000)
            for kind, limit in (("high", 250.0), ("low", 200.0)):
                alarms.append(AlarmDefinition(f"{address}#{kind}", kind, number, address, device, limit=limit))
    site = Site(
        "benchmark", NAME, "Asia/Taipei", 1, {"cityhall": Building("cityhall", NAME, ())}, {}, equipment, points
    )
    return site, devices, alarms


def threads() -> dict[str, float]:
    """Return the CPU seconds of each thread of this process, by its name."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    used: dict[str, float] = {}
    for row in psutil.Process().threads():
        name = names.get(row.id, "other")
        used[name] = used.get(name, 0.0) + row.user_time + row.system_time
    return used


async def measure(
    ports: list[int], floats: int, seconds: float, folder: Path, influxd: InfluxServer | None
) -> dict[str, Any]:
    """Run the road for some seconds and return its counts and CPU."""
    site, devices, definitions = building(ports, floats)
    clock = SystemClock()
    embedded = EmbeddedHistory(folder / "history.db", folder / "log", clock)
    writer = None
    if influxd is not None:
        addresses = {point.number: address for address, point in site.points.items()}
        influx = Influx(influxd.url, influxd.org, "history", influxd.token)
        writer = InfluxWriter(folder / "influx", folder / "log", influx, addresses, clock)

    def committed(item: Committed) -> None:
        embedded.on_committed(item)
        if writer is not None:
            writer.on_committed(item)

    log = FrameLog(folder / "log", clock, generation=1, committed=committed)
    recorder = Recorder(cast("Any", None), log, clock, lambda: site)
    parts = Parts(
        PointTable(site, clock),
        RuleEngine([], site, clock),
        AlarmEngine(definitions, clock, recorder.alarm_entry),
        Arbiter(site, clock, new_id=lambda: "", record=recorder.command),
    )
    cycle = Cycle(parts, clock, recorder)
    inbox = Inbox(cycle.wake)
    cycle.attach(inbox)
    field = Field(lambda _endpoint, group: ModbusDriver(group, clock), inbox, clock, rng=random.Random(1))
    recorder.field, recorder.parts = field, parts
    log.start()
    embedded.start()
    if writer is not None:
        writer.start()
    turning = asyncio.create_task(cycle.run())
    await field.apply(devices, {})
    while not all(status.state == "good" for status in field.statuses()):  # noqa: ASYNC110 - a benchmark may ask
        await asyncio.sleep(0.5)
    await asyncio.sleep(4.5 - time.monotonic() % 1.0)

    cycle.counts.slowest_s = 0.0
    readings, turns, written = cycle.counts.readings, cycle.counts.turns, log.status().written
    sent = writer.status().written if writer is not None else 0
    cpu, wall, by_thread = time.process_time(), time.monotonic(), threads()
    await asyncio.sleep(seconds)
    after = threads()
    result: dict[str, Any] = {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.monotonic() - wall,
        "readings": cycle.counts.readings - readings,
        "logged": log.status().written - written,
        "sent": writer.status().written - sent if writer is not None else 0,
        "turns": cycle.counts.turns - turns,
        "slowest_ms": cycle.counts.slowest_s * 1000,
        "missed": sum(health.missed for run in field._links.values() for health in run.link.health.values()),
        "dropped": log.status().dropped + inbox.dropped_readings,
        "faults": cycle.counts.faults,
        "threads": {name: used - by_thread.get(name, 0.0) for name, used in after.items()},
    }
    await field.close()
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)
    await asyncio.to_thread(log.close)
    if writer is not None:
        await asyncio.to_thread(writer.close)
    await asyncio.to_thread(embedded.close)
    return result


def show(result: dict[str, Any], devices: int, floats: int) -> None:
    """Print the table."""
    cost = result["cpu_s"] / max(1, result["readings"]) * 1e6
    print(f"{devices} devices x {floats} floats each second, {result['wall_s']:.0f} s")
    print(
        "| readings/s | logged | to InfluxDB | CPU s/s | µs a reading | limit µs | slowest turn ms | missed | dropped |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {result['readings'] / result['wall_s']:.0f} | {result['logged']} | {result['sent']} "
        f"| {result['cpu_s'] / result['wall_s']:.3f} | {cost:.2f} | {LIMIT_US} | {result['slowest_ms']:.0f} "
        f"| {result['missed']} | {result['dropped']} |"
    )
    print()
    print("| thread | µs a reading |")
    print("|---|---|")
    for name, used in sorted(result["threads"].items(), key=lambda item: -item[1]):
        if not math.isclose(used, 0.0, abs_tol=0.02):
            print(f"| {name} | {used / max(1, result['readings']) * 1e6:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--floats", type=int, default=62)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--without-influx", action="store_true")
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(theirs, arguments.devices, arguments.floats), daemon=True
    )
    process.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "influxd").mkdir()
        server = None if arguments.without_influx else start_influxd(folder / "influxd")
        try:
            influxd = None if server is None else next(server)
            result = uvloop.run(measure(ours.recv(), arguments.floats, arguments.seconds, folder / "data", influxd))
        finally:
            if server is not None:
                server.close()  # type: ignore[attr-defined]
            process.terminate()
            process.join()
    show(result, arguments.devices, arguments.floats)


if __name__ == "__main__":
    main()
