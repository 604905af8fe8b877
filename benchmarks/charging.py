"""Charging of eighteen cars: days of the strategy beside none and beside perfect foresight; time of a plan.

    python benchmarks/charging.py [--seeds 20] [--solves 200]

Each seed is a summer weekday from 06:00 to 09:00 of the next day, with arrivals of benchmarks/charging_arrivals.csv and
a building that leaves little of a contract of 5,000 kW at noon. The strategy learns of a car when it comes, with the
departure and the energy that its driver declares, and knows of the building what it did yesterday and does now. Cost is
of the cars' energy by the tariff (three sections, summer); what they lack is priced at the peak price. The optimum
knows all before, and its cars take whatever they are offered.

Goals: cost at most 1.10 of the optimum on average with all deliverable energy delivered; a plan in 0.5 s (95 of 100).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.strategy.charging.plan import make_plan
from tests.virtual.charging import CONTRACT_KW, draw_visits, read_visits, write_visits
from tests.virtual.charging_day import Wrong, crowd, optimum, strategy_day, uncontrolled_day

if TYPE_CHECKING:
    from tests.virtual.charging import Model, Visit

ARRIVALS = Path(__file__).with_name("charging_arrivals.csv")
PEAK_PRICE = 9.39
GOAL, GOAL_S = 1.10, 0.5
WRONG = Wrong(hours=1.0, energy=0.2)


def lacking(model: Model, visits: list[Visit], deliverable: dict[Visit, float]) -> float:
    """Return what the cars lack of what could have been delivered, kWh."""
    return sum(max(deliverable[one] - model.delivered.get(one, 0.0), 0.0) for one in visits)


def days(seeds: int) -> None:
    visits = read_visits(ARRIVALS)
    print(f"{'':5s} {'NT$ of the cars':>38s}  {'peak quarter, kW':>17s}  {'feeder over':>11s} {'lack kWh of':>20s}")
    print(
        f"{'seed':5s} {'none':>9s} {'strategy':>9s} {'wrong':>9s} {'optimum':>8s}  {'none':>8s} {'strategy':>8s}"
        f"  {'none':>5s} {'str.':>5s} {'wanted':>7s} {'str.':>6s} {'wrong':>6s} {'ratio':>7s}"
    )
    ratios, wrongs, seconds = [], [], []
    lack = lack_wrong = 0.0
    over = 0
    for seed in range(1, seeds + 1):
        own = [one for one in visits if one.seed == seed]
        plan, problem = optimum(seed, own)
        given = [demand.kwh - short for demand, short in zip(problem.demands, plan.short_kwh, strict=True)]
        none = uncontrolled_day(seed, own)
        # Neither the limits nor the car itself, at its full rate from the first minute, allow more.
        deliverable = {one: min(kwh, none.delivered[one]) for one, kwh in zip(own, given, strict=True)}
        day = strategy_day(seed, own)
        off = strategy_day(seed, own, wrong=WRONG)
        seconds += day.seconds
        missing, missing_wrong = (lacking(one.model, own, deliverable) for one in (day, off))
        ratio = (day.model.energy_cost() + missing * PEAK_PRICE + day.model.excess_cost()) / plan.cost
        wrong = (off.model.energy_cost() + missing_wrong * PEAK_PRICE + off.model.excess_cost()) / plan.cost
        over += (day.model.peak_kw() > CONTRACT_KW) + (off.model.peak_kw() > CONTRACT_KW)
        ratios.append(ratio)
        wrongs.append(wrong)
        lack, lack_wrong = lack + missing, lack_wrong + missing_wrong
        print(
            f"{seed:<5d} {none.energy_cost() + none.excess_cost():9.0f} {day.model.energy_cost():9.0f}"
            f" {off.model.energy_cost():9.0f} {plan.cost:8.0f}  {none.peak_kw():8.0f} {day.model.peak_kw():8.0f}"
            f"  {none.overload_s / 60:4.0f}m {day.model.overload_s / 60:4.0f}m {sum(deliverable.values()):7.1f}"
            f" {missing:6.2f} {missing_wrong:6.2f} {ratio:7.3f}",
            flush=True,
        )
    mean = float(np.mean(ratios))
    verdict = "met" if mean <= GOAL else "OVER"
    print(f"\ncost by the optimum, mean {mean:.3f}, worst {max(ratios):.3f} (goal {GOAL:.2f}): {verdict}")
    print(f"with departures off by up to 1 h and up to 20 % more wanted than said: mean {np.mean(wrongs):.3f}")
    print(f"deliverable energy not delivered: {lack:.2f} kWh in all ({lack_wrong:.2f} kWh with wrong words)")
    print(f"quarters over the contract of {CONTRACT_KW:.0f} kW: {over} (goal 0)")
    print(f"plans of these days: {len(seconds)}, p95 {np.percentile(seconds, 95):.3f} s, worst {max(seconds):.3f} s")


def solves(seeds: int) -> None:
    """Time one plan a seed with all eighteen chargers taken, the largest that the site knows."""
    taken, gaps = [], []
    methods: dict[str, int] = {}
    relaxed = 0
    for seed in range(1000, 1000 + seeds):
        problem = crowd(seed)
        begin = time.perf_counter()
        plan = make_plan(problem)
        taken.append(time.perf_counter() - begin)
        gaps.append(plan.gap)
        relaxed += bool(plan.relaxed)
        methods[plan.method] = methods.get(plan.method, 0) + 1
    p50, p95, worst = np.percentile(taken, [50, 95, 100])
    verdict = "met" if p95 <= GOAL_S else "OVER"
    print(f"{seeds} plans of 18 cars over 96 steps, {relaxed} of them with too little room for all:")
    print(f"median {p50:.3f} s, p95 {p95:.3f} s, worst {worst:.3f} s (goal: p95 {GOAL_S} s): {verdict}")
    print(f"{methods}, distance from the optimum at most {100 * max(gaps):.3f} %\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--solves", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="draw the arrivals anew")
    given = parser.parse_args()
    if given.write:
        write_visits(ARRIVALS, [one for seed in range(1, 21) for one in draw_visits(seed)])
    if given.solves:
        solves(given.solves)
    if given.seeds:
        days(given.seeds)


if __name__ == "__main__":
    main()
