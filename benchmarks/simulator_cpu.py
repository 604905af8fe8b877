"""CPU of the simulated city hall: one step of every device, a virtual day, a week of history.

Run: `python benchmarks/simulator_cpu.py`. A step must stay under 3 ms so that all simulators fit in half a core at 1x.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from simulators.history import write_history  # noqa: E402
from simulators.memory import MemoryPlant  # noqa: E402
from simulators.site import read_site  # noqa: E402
from simulators.world import World  # noqa: E402

START_NS = 1_784_080_800_000_000_000


def main() -> None:
    site = read_site(ROOT / "config" / "taipei-city-hall")
    rows: list[tuple[str, str]] = [("devices", f"{len(site.devices)}")]
    begin = time.process_time()
    world = World(site, 1, START_NS)
    rows.append(("make and warm up a world", f"{time.process_time() - begin:.2f} s"))
    plant = MemoryPlant(world)
    rows.append(("quantities", f"{len(plant.names)}"))
    begin = time.process_time()
    for _ in range(1000):
        world.step(1.0)
    rows.append(("one step of 1 s", f"{time.process_time() - begin:.2f} ms"))
    begin = time.process_time()
    for _ in range(200):
        plant.values()
    rows.append(("all values as an array", f"{(time.process_time() - begin) * 5000:.0f} µs"))
    device = world.devices["main-meter"]
    begin = time.process_time()
    for _ in range(10_000):
        device.state.snapshot()
    rows.append(("snapshot of one meter", f"{(time.process_time() - begin) * 100:.1f} µs"))
    begin = time.process_time()
    for _ in range(1440):
        world.step(60.0)
    rows.append(("a virtual day at 60 s", f"{time.process_time() - begin:.2f} s"))
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        result = write_history(site, 1, START_NS, 7.0, 300.0, Path(folder) / "history.npz")
        rows.append(
            (
                f"history of 7 days at 300 s, {result.points} points",
                f"{time.process_time() - begin:.2f} s, {result.path.stat().st_size / 1e6:.0f} MB",
            )
        )
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


if __name__ == "__main__":
    main()
