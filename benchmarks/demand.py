"""A simulated summer day of demand limiting in virtual time, beside the same day with nothing done.

    python benchmarks/demand.py [--seeds 7,5] [--contracts 4700,4650,4600] [--step 15]

The whole City Hall without lifts, gates and doors (they draw their usual course): weather, people, plant, chargers
and meters of the simulators, the real strategies, engine and arbiter, with the site's own shed list. Both days have
the same seed. A window is the mean of 15 minutes at the main meter. "Avoidable" is a window above contract in which
something that may be shed was left unshed to its end; the aim is none. Comfort is K·h above set-point + 2 K, mean of
the 48 office zones (control reference 13, tdis), from 8:00 to 17:30.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.virtual.shed import StrategyBuilding

if TYPE_CHECKING:
    from controller.strategy.strategy import Entry, Mode

CITY = Path(__file__).resolve().parents[1] / "config" / "taipei-city-hall"
DAY_NS = 1_784_044_800_000_000_000
"""2026-07-15 00:00 in Taipei, a Wednesday."""
BEGIN_H, END_H = 7.5, 18.0
_OPEN_H = (8.0, 17.5)


@dataclass
class Day:
    """What came of a day."""

    windows: list[float]
    avoidable: int
    kwh: float
    comfort_kh: float
    sheds: int
    commands: int
    decide_ms: float


def run(seed: int, contract_kw: float, mode: Mode, step_s: float) -> Day:
    """Let a day pass and return what came of it."""

    def change(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return tuple(
            replace(entry, strategy=replace(entry.strategy, contract_kw=contract_kw), mode=mode)  # type: ignore[type-var]
            if entry.strategy.id == "demand"
            else replace(entry, mode="off")
            for entry in entries
        )

    house = StrategyBuilding.open(CITY, seed=seed, start_ns=DAY_NS, change=change)
    house.world.step(BEGIN_H * 3600.0)
    house.clock.move(BEGIN_H * 3600.0)
    windows: list[float] = []
    energy = total = comfort = decided = 0.0
    seconds, avoidable, left, steps = 0.0, 0, False, 0
    before: set[str] = set()
    sheds = 0
    for _ in range(round((END_H - BEGIN_H) * 3600.0 / step_s)):
        begun = time.perf_counter()
        house.world.step(step_s)
        moved = time.perf_counter() - begun
        house.step(step_s, world=False)
        decided += time.perf_counter() - begun - moved
        steps += 1
        kw = float(house.world.network.power[0])
        energy += kw * step_s
        total += kw * step_s / 3600.0
        seconds += step_s
        hour = (house.clock.now_ns() - DAY_NS) / 3.6e12
        if _OPEN_H[0] <= hour <= _OPEN_H[1]:
            comfort += float((house.world.zones.air[:48] - 28.0).clip(0.0).mean()) * step_s / 3600.0
        decision = house.engine.status("demand").decision
        held = {target.point for target in decision.targets}
        sheds += len(held - before) if mode == "run" else 0
        before = held
        if house.clock.now_ns() % 900_000_000_000 == 0:
            windows.append(energy / seconds)
            avoidable += windows[-1] > contract_kw and left
            energy = seconds = 0.0
        # Said only when the window will be above contract and nothing is left that may be shed.
        left = not decision.trouble.get("excess")
    return Day(windows, avoidable, total, comfort, sheds, len(house.written), 1000.0 * decided / steps)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="7,5")
    parser.add_argument("--contracts", default="4700,4650,4600")
    parser.add_argument("--step", type=float, default=15.0)
    given = parser.parse_args()
    head = "seed  contract  what      highest  above contract  avoidable (aim 0)     kWh  over comfort"
    print(f"{head}  sheds  writes  turn")
    for seed in map(int, given.seeds.split(",")):
        idle = run(seed, 1e6, "dry_run", given.step)
        for contract in map(float, given.contracts.split(",")):
            above = sum(kw > contract for kw in idle.windows)
            print(
                f"{seed:4d}  {contract:5.0f} kW  nothing   {max(idle.windows):4.0f} kW  {above:14d}  {'-':>17s}"
                f"  {idle.kwh:6.0f}  {idle.comfort_kh:8.2f} K·h"
            )
            day = run(seed, contract, "run", given.step)
            above = sum(kw > contract for kw in day.windows)
            print(
                f"{seed:4d}  {contract:5.0f} kW  limited   {max(day.windows):4.0f} kW  {above:14d}"
                f"  {day.avoidable:17d}  {day.kwh:6.0f}  {day.comfort_kh:8.2f} K·h {day.sheds:5d} {day.commands:6d}"
                f" {day.decide_ms:.1f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
