"""Time of a month's report: figures from the history, then PDF and XLSX in both languages in the job process.

    .venv/bin/python benchmarks/report.py [a history file of `python -m simulators history` with 31 days or more]

Without a file the last 31 days of the city are simulated first (a minute or more of CPU). The second history is as a
running controller keeps it: a reading a second of the main meter.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.clock import SystemClock, VirtualClock
from controller.energy.meter import Metering, local_day
from controller.history.block import Columns
from controller.history.embedded import EmbeddedHistory
from controller.history.importer import import_history
from controller.job import JobProcess
from controller.point.registry import Registry
from controller.report.desk import Desk
from controller.settings.energy import books_of
from controller.settings.load import load
from controller.share import share_dir
from simulators.history import write_history
from simulators.site import read_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.settings.configuration import Configuration

CITY = share_dir("config") / "taipei-city-hall"
GOAL_S = 10.0


def row(name: str, taken_s: float, note: str = "") -> None:
    print(f"{name:<58}{taken_s:8.2f} s  {note}", flush=True)


def simulated(folder: Path) -> Path:
    begin = time.perf_counter()
    path = folder / "history.npz"
    write_history(read_site(CITY), 1, time.time_ns(), 31.0, path=path)
    row("simulating 31 days of the city (not part of it)", time.perf_counter() - begin)
    return path


def dense(numbers: dict[str, int], history: EmbeddedHistory, end_ns: int) -> None:
    """Put a reading a second of the main meter's counter and reactive power, 31 days of them."""
    time_ns = np.arange(end_ns - 31 * 86_400 * 10**9, end_ns, 10**9)
    power = 2_500 + 1_500 * np.sin((time_ns // 10**9 % 86_400) / 86_400 * 2 * np.pi)
    quality = np.zeros(len(time_ns), np.uint8)
    for tag, value in (("energy_import", 1e6 + np.cumsum(power) / 3_600), ("reactive_power", power * 0.3)):
        number = numbers[f"cityhall.electrical.main.{tag}"]
        for start in range(0, len(time_ns), 3_600):
            cut = slice(start, start + 3_600)
            history.put(list(history.absorb(number, Columns(time_ns[cut], value[cut].round(2), quality[cut]))))


async def measure(name: str, folder: Path, site: Configuration, history: EmbeddedHistory, now_ns: int) -> None:
    clock = VirtualClock(now_ns)
    jobs = JobProcess()

    def desk(place: str) -> Desk:
        books = books_of(site.energy, site.tariff, site.site)
        return Desk(folder / place, Metering(history, clock), lambda: books, lambda: site.site.name, jobs, clock, "0")

    today = local_day(now_ns, books_of(site.energy, site.tariff, site.site).zone)
    first = today.replace(day=1) if today.day > 20 else (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    print(f"\n{name}: {first:%B %Y}")
    slowest = 0.0

    async def watch() -> None:
        nonlocal slowest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            slowest = max(slowest, time.perf_counter() - before - 0.01)

    watching = asyncio.create_task(watch())
    try:
        for place in ("first report, the job process starts", "second report"):
            cpu, begin = time.process_time(), time.perf_counter()
            found = desk(place)
            task = asyncio.create_task(found.run())
            found.ask("month", first, "benchmark")
            while any(run.open for run in found.runs()):  # noqa: ASYNC110 - it makes no event of its own
                await asyncio.sleep(0.01)
            task.cancel()
            (run,) = found.runs()
            taken = time.perf_counter() - begin
            note = f"goal {GOAL_S:.0f}; {time.process_time() - cpu:.2f} s of CPU in the controller"
            row(f"  {place}", taken, note if run.state == "done" else f"FAILED: {run.message}")
            (kept,) = found.shelf.all()
            size = sum(file.size for file in kept.files)
        row("  the loop stood still at most", slowest)
        known, kwh = kept.report.quality or 0.0, kept.report.kwh or 0.0
        print(f"  quality {known:.1%}, {kwh:,.0f} kWh, {size / 1024:.0f} KiB in 4 files")
    finally:
        watching.cancel()
        await jobs.close()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"  CPU of job processes so far: {used.ru_utime + used.ru_stime:.2f} s")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = Path(sys.argv[1]) if len(sys.argv) > 1 else simulated(folder)
        registry = Registry()
        site = load(CITY, registry, clock=SystemClock(), environment={})
        numbers = {address: point.number for address, point in site.site.points.items()}
        with np.load(file, allow_pickle=False) as saved:
            end_ns = int(saved["time_ns"][-1])
        fill: dict[str, Callable[[EmbeddedHistory], object]] = {
            "the whole city, a reading in 5 min": lambda history: import_history(file, numbers, history),
            "the main meter, a reading a second": lambda history: dense(numbers, history, end_ns),
        }
        for kind, put in fill.items():
            place = folder / f"{len(kind)}-{kind[:9].strip()}"
            place.mkdir()
            history = EmbeddedHistory(place / "history.db", place / "log", VirtualClock(end_ns), keep_days=400)
            history.start()
            begin = time.perf_counter()
            put(history)
            row(f"filling the history ({kind}; not part of it)", time.perf_counter() - begin)
            asyncio.run(measure(kind, place, site, history, end_ns))
            history.close()


if __name__ == "__main__":
    main()
