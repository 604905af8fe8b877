"""Simulated hot working days of demand limiting in virtual time, beside nothing done and beside perfect foresight.

    python benchmarks/demand.py [--seeds 5,6,7,19,21] [--cuts 2,3,4] [--step 30] [--processes 2]

The whole City Hall without lifts, gates and doors (they draw their usual course): weather, people, plant, chargers and
meters of the simulators, the real strategy, engine and arbiter, with the site's own shed list. A seed is a day of its
own: weather, people, cars and loads. Contracts are so many per cent below the day's highest window with nothing done. A
window is the mean of 15 minutes at the main meter. Comfort is K·h above set-point + 2 K, mean of the 48 office zones
(control reference 13, tdis), from 8:00 to 17:30. "Minutes" are those of single items shed.

The optimum knows the whole day before (tests/virtual/demand_optimum.py says what it is bound by and what it is spared):
a bound that no control can pass. The aim is none above the contract where shedding can avoid it: as few as the optimum.
Each window of ours above the contract that the optimum has not is named, with what was left to shed at its end.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.virtual.demand_day import BEGIN_H, limited, responses, undisturbed
from tests.virtual.demand_optimum import optimum

if TYPE_CHECKING:
    from tests.virtual.demand_day import Ours, Undisturbed
    from tests.virtual.demand_optimum import Optimum


@dataclass(frozen=True)
class Row:
    """One contract of one seed."""

    contract_kw: float
    ours: Ours
    best: Optimum


def run(seed: int, cuts: list[float], step_s: float) -> tuple[int, Undisturbed, list[Row], float]:
    """Return a seed's days."""
    begun = time.perf_counter()
    idle = undisturbed(seed, step_s)
    answers = responses(seed, step_s, idle)
    rows = []
    for cut in cuts:
        contract_kw = float(round(float(idle.kw.max()) * (1.0 - cut / 100.0)))
        rows.append(Row(contract_kw, limited(seed, step_s, contract_kw), optimum(idle, answers, contract_kw)))
    return seed, idle, rows, time.perf_counter() - begun


def show(seed: int, idle: Undisturbed, rows: list[Row]) -> tuple[int, int]:
    """Print a seed; return how many windows ours and the optimum have above the contract."""
    total = [0, 0]
    for row in rows:
        contract, ours, best = row.contract_kw, row.ours, row.best
        over = [kw > contract for kw in ours.kw]
        over_kw = float((ours.kw - contract).clip(0.0).sum())
        assert best.above <= sum(over), "the optimum is no bound"
        assert best.over_kw <= over_kw + 0.1 or best.above < sum(over), "the optimum is no bound"
        total[0] += sum(over)
        total[1] += best.above
        print(
            f"{seed:4d} {contract:5.0f} kW  {int((idle.kw > contract).sum()):7d} {sum(over):5d} {best.above:8d}"
            f"  {idle.kw.max():7.0f} {ours.kw.max():5.0f} {best.kw.max():8.0f}  {over_kw:6.1f} {best.over_kw:8.1f}"
            f"  {idle.kwh - ours.kwh:6.0f}  {ours.item_minutes:6.0f} {best.item_minutes:8.0f}"
            f"  {idle.comfort_kh:5.2f} {ours.comfort_kh:5.2f}  {ours.sheds:5d} {ours.commands:6d}"
        )
        for window, above in enumerate(over):
            if above:
                hour = BEGIN_H + window / 4.0
                print(
                    f"      {int(hour):02d}:{round(hour % 1.0 * 60.0):02d}  {ours.kw[window]:.0f} kW,"
                    f" {ours.kw[window] - contract:.0f} above; undisturbed {idle.kw[window]:.0f};"
                    f" {ours.left[window]} of fans, rooms and chillers ready a minute before its end"
                )
    return total[0], total[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="5,6,7,19,21")
    parser.add_argument("--cuts", default="2,3,4", help="contracts, per cent below the highest window")
    parser.add_argument("--step", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    cuts = [float(cut) for cut in given.cuts.split(",")]
    print(
        "               windows above contract     highest window, kW  kW above        kWh   minutes          comfort"
    )
    print("seed contract  nothing  ours  optimum  nothing  ours  optimum    ours  optimum  saved    ours  optimum"
          "   none  ours  sheds writes")  # fmt: skip
    ours = best = 0
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        for seed, idle, rows, seconds in pool.imap(partial(run, cuts=cuts, step_s=given.step), seeds):
            one, two = show(seed, idle, rows)
            ours, best = ours + one, best + two
            print(f"      ({seconds:.0f} s)", flush=True)
    print(f"\nwindows above contract: ours {ours}, perfect foresight {best} (aim: the same)")


if __name__ == "__main__":
    main()
