"""Simulated hot working days of demand limiting in virtual time, beside nothing done and beside perfect foresight.

    python benchmarks/demand.py [--seeds 5,6,7,19,21] [--cuts 2,3,4] [--step 30] [--processes 2]

The whole City Hall without lifts, gates and doors (they draw their usual course): weather, people, plant, chargers and
meters of the simulators, the real strategy, engine and arbiter, with the site's own shed list. A seed is a day of its
own: weather, people, cars and loads. Contracts are so many per cent below the day's highest window with nothing done. A
window is the mean of 15 minutes at the main meter. Comfort is K·h above set-point + 2 K, mean of the 48 office zones
(control reference 13, tdis), from 8:00 to 17:30. "Minutes" are those of single items shed.

Ours has seen four other days before (`--learnt`, undisturbed days of other seeds) and knows nothing of this one.

Perfect foresight stands beside it twice. "Day known" is the same control in the same building, told the day's own
undisturbed course before it begins. "Bound" is an optimum over linear answers that no control can pass
(tests/virtual/demand_optimum.py says what it is bound by and what it is spared: a building that takes back less, later
and where it suits; it is no plan that could be carried out). The aim is none above the contract where shedding can
avoid it. Each window of ours above the contract is named, with what was left to shed
at its end.
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

from tests.virtual.demand_day import BEGIN_H, Course, limited, responses, undisturbed
from tests.virtual.demand_optimum import optimum

if TYPE_CHECKING:
    from tests.virtual.demand_day import Ours, Undisturbed
    from tests.virtual.demand_optimum import Optimum


@dataclass(frozen=True)
class Row:
    """One contract of one seed."""

    contract_kw: float
    ours: Ours
    known: Ours
    best: Optimum


def run(seed: int, cuts: list[float], step_s: float, learnt: Course) -> tuple[int, Undisturbed, list[Row], float]:
    """Return a seed's days."""
    begun = time.perf_counter()
    idle = undisturbed(seed, step_s)
    answers = responses(seed, step_s, idle)
    rows = []
    for cut in cuts:
        contract_kw = float(round(float(idle.kw.max()) * (1.0 - cut / 100.0)))
        ours = limited(seed, step_s, contract_kw, learnt)
        known = limited(seed, step_s, contract_kw, Course([idle]))
        rows.append(Row(contract_kw, ours, known, optimum(idle, answers, contract_kw)))
    return seed, idle, rows, time.perf_counter() - begun


def show(seed: int, idle: Undisturbed, rows: list[Row]) -> tuple[int, int, int]:
    """Print a seed; return how many windows ours, ours with the day known, and the bound have above the contract."""
    total = [0, 0, 0]
    for row in rows:
        contract, ours, best = row.contract_kw, row.ours, row.best
        over = [kw > contract for kw in ours.kw]
        over_kw = float((ours.kw - contract).clip(0.0).sum())
        assert best.above <= sum(over), "the optimum is no bound"
        assert best.over_kw <= over_kw + 0.1 or best.above < sum(over), "the optimum is no bound"
        total[0] += sum(over)
        known = sum(kw > contract for kw in row.known.kw)
        total[1] += known
        total[2] += best.above
        print(
            f"{seed:4d} {contract:5.0f} kW  {int((idle.kw > contract).sum()):7d}"
            f" {sum(over):5d} {known:6d} {best.above:6d}"
            f"  {idle.kw.max():7.0f} {ours.kw.max():5.0f} {row.known.kw.max():6.0f}"
            f"  {over_kw:6.1f} {float((row.known.kw - contract).clip(0.0).sum()):6.1f}"
            f"  {idle.kwh - ours.kwh:6.0f}  {ours.item_minutes:6.0f}"
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
    return total[0], total[1], total[2]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="5,6,7,19,21")
    parser.add_argument("--cuts", default="2,3,4", help="contracts, per cent below the highest window")
    parser.add_argument("--learnt", default="1,2,3,4", help="seeds of the days that were seen before")
    parser.add_argument("--step", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    cuts = [float(cut) for cut in given.cuts.split(",")]
    print("               windows above contract         highest window, kW    kW above, Σ      kWh          comfort")
    print("seed contract  nothing  ours  known  bound  nothing  ours  known    ours  known  saved  minutes   none  ours"
          "  sheds writes")  # fmt: skip
    ours = known = best = 0
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        seen = [int(seed) for seed in given.learnt.split(",")]
        learnt = Course(pool.map(partial(undisturbed, step_s=given.step), seen))
        for seed, idle, rows, seconds in pool.imap(partial(run, cuts=cuts, step_s=given.step, learnt=learnt), seeds):
            one, two, three = show(seed, idle, rows)
            ours, known, best = ours + one, known + two, best + three
            print(f"      ({seconds:.0f} s)", flush=True)
    print(f"\nwindows above contract: ours {ours}, with the day known {known}, bound {best}")
    print("aim: none that shedding can avoid")


if __name__ == "__main__":
    main()
