"""CPU per reading of the way into history: log, embedded history, InfluxDB lines and, with a real server, sending.

    .venv/bin/python benchmarks/history.py [seconds of readings, default 30]

12,400 readings a second in batches of 62 (200 devices). Times are process CPU, all threads.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.clock import SystemClock
from controller.history.delivery import Influx
from controller.history.embedded import EmbeddedHistory
from controller.history.importer import import_history
from controller.history.influx import InfluxWriter
from controller.history.line import LineBuilder
from controller.history.log import FrameLog
from drivers.reading import Readings
from tests.services.influxdb import start_influxd

RATE = 12_400
DEVICES = 200
START_NS = 1_767_225_600_000_000_000
GOAL_US = 1.5


def seconds(count: int) -> list[list[Readings]]:
    """Make readings of sensors that wander by tenths."""
    random = np.random.default_rng(1)
    each = RATE // DEVICES
    numbers = np.arange(RATE, dtype=np.int32).reshape(DEVICES, each)
    value = np.full((DEVICES, each), 20.0)
    quality = np.zeros(each, np.uint8)
    made = []
    for second in range(count):
        value = (value + random.normal(0, 0.1, value.shape)).round(1)
        at = START_NS + second * 10**9
        made.append(
            [
                Readings(numbers[device], value[device], np.full(each, at + device * 5_000_000), quality)
                for device in range(DEVICES)
            ]
        )
    return made


def addresses() -> dict[int, str]:
    return {number: f"cityhall.electrical.feeder{number // 62:03}.quantity_{number % 62}" for number in range(RATE)}


def row(name: str, cpu_s: float, readings: int, note: str = "") -> None:
    print(f"{name:<34}{cpu_s / readings * 1e6:8.3f} µs CPU a reading  {note}", flush=True)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    made = seconds(count)
    total = count * RATE
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = FrameLog(folder / "log", clock)
        log.start()
        begin = time.process_time()
        for second in made:
            for batch in second:
                log.append(batch)
            log.flush()
        log_cpu = time.process_time() - begin
        log.close()
        size = sum(path.stat().st_size for path in (folder / "log").iterdir())
        row("log", log_cpu, total, f"{size / total:.1f} bytes a reading")

        builder = LineBuilder(addresses())
        joined = [Readings.join(second) for second in made]
        begin = time.process_time()
        for readings in joined:
            builder.build(readings)
        line_cpu = time.process_time() - begin
        row("influx lines", line_cpu, total)
        goal = (log_cpu + line_cpu) / total * 1e6
        print(f"{'log + influx lines':<34}{goal:8.3f} µs, goal {GOAL_US}: {'met' if goal <= GOAL_US else 'MISSED'}")

        history = EmbeddedHistory(folder / "history.db", folder / "log", clock)
        begin = time.process_time()
        history.start()
        history.wait_until_current(600)
        row("embedded, from the log to memory", time.process_time() - begin, total)
        begin = time.process_time()
        history.settle(600)
        row(
            "embedded, one merge into blocks",
            time.process_time() - begin,
            total,
            f"{history.status().blocks_written} blocks",
        )

        random = np.random.default_rng(2)
        np.savez(
            folder / "past.npz",
            address=np.array(list(addresses().values())[:3500]),
            time_ns=START_NS - 7 * 86_400 * 10**9 + np.arange(2016, dtype=np.int64) * 300 * 10**9,
            value=(20 + np.cumsum(random.normal(0, 0.1, (3500, 2016)), axis=1)).round(1),
        )
        numbers = {address: number for number, address in addresses().items()}
        begin, wall = time.process_time(), time.perf_counter()
        done = import_history(folder / "past.npz", numbers, history)
        cpu = time.process_time() - begin
        print(
            f"import of {done.readings:,} readings: {cpu:.1f} s CPU, {time.perf_counter() - wall:.1f} s (goal 10 s CPU)"
        )
        history.close()
        print(f"history.db: {(folder / 'history.db').stat().st_size / (total + done.readings):.1f} bytes a reading")

        (folder / "influxd").mkdir()
        running = start_influxd(folder / "influxd")
        server = next(running)
        try:
            influx = Influx(server.url, server.org, "history", server.token)
            writer = InfluxWriter(folder / "state", folder / "log", influx, addresses(), clock)
            begin, wall = time.process_time(), time.perf_counter()
            writer.start()
            writer.wait_until_sent(600)
            cpu = time.process_time() - begin
            took = time.perf_counter() - wall
            writer.close()
            row(
                "influx, log to the server's 204",
                cpu,
                total,
                f"{total / took:,.0f} readings/s, stored {server.count('history'):,} of {total:,}",
            )
        finally:
            running.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
