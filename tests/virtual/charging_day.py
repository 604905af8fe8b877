"""The charging strategy steering a day of the model, and the optimum of the same day with all known before."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np

from controller.point.model import Name
from controller.strategy.charging.charger import Charger
from controller.strategy.charging.course import Course, learnt
from controller.strategy.charging.declaration import Declarations
from controller.strategy.charging.demand import PHASE_KV, Circuit, Demand, Effort, Problem, Rank
from controller.strategy.charging.plan import make_plan
from controller.strategy.charging.session import Car, Declared, Garage, Weekdays
from controller.strategy.charging.strategy import ChargingStrategy, Memory, Setting
from controller.strategy.charging.supply import Supply
from controller.strategy.strategy import JobResult
from tests.virtual.charging import (
    BEGIN_H,
    CONTRACT_KW,
    DAY_NS,
    FEEDER_A,
    HOURS,
    MAIN,
    Model,
    base_kw,
    feeder_of,
    posts,
    price_at,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.strategy.charging.plan import Plan
    from tests.virtual.charging import Post, Spot, Visit

__all__ = [
    "DayPrices",
    "Wrong",
    "charger_of",
    "crowd",
    "energy_first_day",
    "optimum",
    "strategy_day",
    "strategy_of",
    "uncontrolled_day",
]

ZONE = timezone(timedelta(hours=8))
LIMIT_KW = 0.98 * CONTRACT_KW
RANKS = {"fleet": Rank.FLEET, "staff": Rank.STAFF, "visitor": Rank.VISITOR}
_KW = 7.0
"""What a car that nobody knows is taken to take of alternating current, until it takes more."""
VIRTUAL = Effort(gap=5e-4, nodes=200)


@dataclass(frozen=True, slots=True)
class DayPrices:
    """The tariff of the model's days."""

    def at(self, time_ns: int) -> float:
        """Return NT$/kWh."""
        return price_at(BEGIN_H + (time_ns - DAY_NS) / 3.6e12)


@dataclass(frozen=True, slots=True)
class Wrong:
    """How far what people declare is from what they do."""

    hours: float = 0.0
    """Up to this much earlier or later than they say."""
    energy: float = 0.0
    """They want up to this share more than they say."""


def charger_of(post: Post) -> Charger:
    """Return a charger of the model as the strategy knows it."""
    limit = f"{post.id}.{'current_limit' if post.unit == 'A' else 'power_limit'}"
    if post.direct:
        return Charger(post.id, limit, "kW", 50.0, 5.0, 1.0, step=0.5, phase=post.phase, direct=True)
    if post.unit == "kW":
        return Charger(post.id, limit, "kW", 22.0, 1.4, step=0.1, phase=post.phase)
    return Charger(post.id, limit, "A", 32.0, 6.0, phase=post.phase)


def supplies_of() -> tuple[Supply, ...]:
    """Return the contract and the five feeders."""
    ids = [post.id for post in posts()]
    feeders = [
        Supply(f"feeder{k}", Name("饋線", "Feeder"), frozenset(one.id for one in posts() if feeder_of(one.number) == k),
               limit_a=FEEDER_A)
        for k in range(5)
    ]  # fmt: skip
    return (Supply("contract", Name("契約", "Contract"), frozenset(ids), LIMIT_KW, MAIN), *feeders)


def strategy_of(said: Declarations, setting: Setting) -> ChargingStrategy:
    """Return the strategy of the model's site."""
    cars = {n: Car(f"car-{n:02}", f"XEV-{n:04}", 60.0, 22.0, 480) for n in range(1, 9)}
    return ChargingStrategy(
        tuple(charger_of(post) for post in posts()),
        {post.id: Name(f"充電樁 {post.number + 1:02}", f"Charger {post.number + 1:02}") for post in posts()},
        supplies_of(), DayPrices(), ZONE, Garage(numbers=cars), said, setting,
    )  # fmt: skip


@dataclass
class Day:
    """What came of a day."""

    model: Model
    plans: int = 0
    relaxed: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of each plan."""


def strategy_day(
    seed: int,
    visits: Sequence[Visit],
    *,
    dt_s: float = 30.0,
    replan_s: float = 300.0,
    wrong: Wrong | None = None,
    effort: Effort = VIRTUAL,
) -> Day:
    """Return a day that the strategy steered. What a car wants and when it leaves is declared as it comes."""
    model = Model(seed, visits)
    said = Declarations()
    strategy = strategy_of(said, Setting(period_s=dt_s, replan_s=replan_s, effort=effort, unbalance_a=40.0))
    memory = strategy.begin(model, ())
    course = _yesterday(seed)
    memory = Memory(courses={**memory.courses, "contract": course})
    random = np.random.default_rng([seed, 5])
    day = Day(model)
    job = None
    while model.now_s < HOURS * 3600.0 - dt_s / 2.0:
        moved = model.step(dt_s)
        if job is not None:
            begin = time.perf_counter()
            plan: Plan = job.work(job.argument)
            day.seconds.append(time.perf_counter() - begin)
            day.plans += 1
            day.relaxed += bool(plan.relaxed)
            model.result = JobResult(plan)
        decision, memory = strategy.decide(model, memory)
        model.result = None
        job = decision.job
        for target in decision.targets:
            model.tell(target.point, target.value)
        for one in moved:
            _declare(model, memory, said, one, wrong or Wrong(), random)
    return day


def _yesterday(seed: int) -> Course:
    course = Course()
    for minute, kw in enumerate(base_kw(seed, -1).tolist()):
        course = learnt(course, DAY_NS - 86_400_000_000_000 + minute * 60_000_000_000, kw, ZONE, Weekdays())
    return course


def _declare(
    model: Model, memory: Memory, said: Declarations, charger: str, wrong: Wrong, random: np.random.Generator
) -> None:
    visit = model.spots[int(charger[-2:]) - 1].visit
    if visit is None or charger not in memory.sessions:
        return
    leaves = visit.leaves_h + float(random.uniform(-wrong.hours, wrong.hours))
    leaves = max(leaves, model.hour + 0.25)
    kwh = visit.kwh * (1.0 - float(random.uniform(0.0, wrong.energy)))
    since = memory.sessions[charger].since_ns
    leaves_ns = DAY_NS + round((leaves - BEGIN_H) * 3.6e12)
    said.say(charger, Declared(since, leaves_ns, kwh, RANKS[visit.kind]), model.now_ns)


def uncontrolled_day(seed: int, visits: Sequence[Visit], *, dt_s: float = 30.0) -> Model:
    """Return a day on which every charger gives all that it has."""
    model = Model(seed, visits, uncontrolled=True)
    while model.now_s < HOURS * 3600.0 - dt_s / 2.0:
        model.step(dt_s)
    return model


def energy_first_day(seed: int, visits: Sequence[Visit], *, told: bool = True, dt_s: float = 30.0) -> Model:
    """Return a day on which everything is charged at once, whatever it costs, under the same limits: no foresight.

    It knows of each car that is there what it wants and when it goes; not who will come. Each time that it looks, all
    room goes to who has least time, official cars first, with no dwell and no pace; what is left stands ready at the
    free chargers. What it misses of the optimum took knowing the future.

    Args:
        seed: the day.
        visits: its cars.
        told: it knows besides, as no controller does, what each car takes of any value before it was told one. Else it
            knows what it saw: of what a car is told more it is taken to take all, and it is taken to have `_KW` or the
            most that it took.
        dt_s: between two looks.
    """
    model = Model(seed, visits)
    chargers = {post.number: charger_of(post) for post in posts()}
    most: dict[Visit, float] = {}
    while model.now_s < HOURS * 3600.0 - dt_s / 2.0:
        model.step(dt_s)
        kw = LIMIT_KW - (model.site_kw - model.ev_kw)
        amperes = np.full((5, 3), FEEDER_A)
        here = {spot.post.number: spot.visit for spot in model.spots if spot.visit is not None}
        wants = {spot.post.number: spot.visit.kwh - spot.given_kwh for spot in model.spots if spot.visit is not None}
        for number, car in here.items():
            assumed = car.most_kw if told else chargers[number].most_kw() if chargers[number].direct else _KW
            most[car] = max(most.get(car, assumed), model.spots[number].power_kw)

        def laxity(number: int, here: dict[int, Visit] = here, wants: dict[int, float] = wants) -> tuple[float, float]:
            visit = here[number]
            return RANKS[visit.kind], visit.leaves_h - model.hour - wants[number] / most[visit]

        order = sorted((number for number in here if wants[number] > 1e-6), key=laxity)
        for number in [*order, *(number for number in chargers if number not in order)]:
            charger, visit, spot = chargers[number], here.get(number), model.spots[number]
            phases = charger.phases(single=visit is not None and visit.phases == 1)
            feeder = amperes[feeder_of(number)]
            room = min(kw, float(feeder[list(phases)].min()) * PHASE_KV * sum(phases))
            # Cars take up to 2 A less than they may: begin there, and come down to what fits.
            value = charger.down(max(room + 2.1 * PHASE_KV * sum(phases), 0.0), sum(phases))
            while value > 0.0 and _takes(model, spot, charger, value, told=told) > room:
                value = charger.down(charger.kw(value, sum(phases)) - 1e-6, sum(phases))
            taken = _takes(model, spot, charger, value, told=told)
            kw -= taken
            feeder -= np.array(phases) * taken / (PHASE_KV * sum(phases))
            model.tell(charger.limit, value)
    return model


def _takes(model: Model, spot: Spot, charger: Charger, value: float, *, told: bool) -> float:
    """Return what a car takes when it is told a value, kW: what it does, or as far as was seen."""
    if told:
        return model.draw_kw(spot, value)
    phases = spot.visit.phases if spot.visit is not None and not charger.direct else 3
    may, before = charger.kw(value, phases), charger.kw(spot.value, phases)
    return min(may, spot.power_kw + max(may - before, 0.0)) if spot.power_kw > 0.0 else may


def optimum(seed: int, visits: Sequence[Visit]) -> tuple[Plan, Problem]:
    """Return the cheapest plan with every arrival, departure, energy and the building known before.

    Its cars take all that they may up to their greatest power, whatever their charge: it is cheaper than what any
    controller can reach with the model's cars.
    """
    by_number = {post.number: post for post in posts()}
    steps = HOURS * 4
    building = base_kw(seed).reshape(steps, 15).mean(axis=1)
    demands = []
    for visit in visits:
        charger = charger_of(by_number[visit.charger])
        phases = charger.phases(single=visit.phases == 1)
        count = 3 if charger.direct else visit.phases
        demands.append(
            Demand(
                charger.id, visit.kwh, visit.leaves_h - BEGIN_H, min(charger.most_kw(count), visit.most_kw),
                charger.least_kw(count), RANKS[visit.kind], phases, visit.comes_h - BEGIN_H,
            )
        )  # fmt: skip
    circuits = [
        Circuit(
            one.id,
            one.chargers,
            tuple(float(LIMIT_KW - kw) for kw in building) if one.meter else (np.inf,) * steps,
            one.limit_a,
        )
        for one in supplies_of()
    ]
    prices = tuple(price_at(BEGIN_H + (at + 0.5) / 4.0) for at in range(steps))
    problem = Problem((0.25,) * steps, prices, tuple(demands), tuple(circuits), effort=Effort(gap=1e-3, nodes=2000))
    return make_plan(problem), problem


def crowd(seed: int, *, effort: Effort | None = None) -> Problem:
    """Return the largest plan that the site knows: a car at each of the eighteen chargers, some with too little room.

    A day's 96 steps from 08:00 of a summer weekday; the contract leaves 30 to 120 kW, each feeder 100 A.
    """
    random = np.random.default_rng([seed, 96])
    steps = 96
    demands = []
    for post in posts():
        charger = charger_of(post)
        single = not post.direct and bool(random.random() < 0.25)
        phases = charger.phases(single=single)
        count = 1 if single else 3
        most = min(charger.most_kw(count), float(random.choice((7.04, 11.0, 22.0, 50.0))))
        leaves = float(random.uniform(1.0, 24.0))
        kwh = float(np.clip(random.gamma(3.0, 5.0), 4.0, 45.0))
        least = charger.least_kw(count)
        most = max(most, least)
        rank = Rank(int(random.integers(0, 4)))
        on = bool(random.random() < 0.5)
        held = float(random.uniform(0.0, 1.0))
        demands.append(
            Demand(charger.id, min(kwh, most * leaves), leaves, most, least, rank, phases, on=on, held_h=held)
        )
    room = float(random.uniform(30.0, 120.0)) + random.normal(0.0, 8.0, steps)
    rooms = {"contract": tuple(np.clip(room, 0.0, None).tolist())}
    circuits = tuple(
        Circuit(one.id, one.chargers, rooms.get(one.id, (np.inf,) * steps), one.limit_a) for one in supplies_of()
    )
    prices = tuple(price_at(8.0 + (at + 0.5) / 4.0) for at in range(steps))
    return Problem(
        (0.25,) * steps,
        prices,
        tuple(demands),
        circuits,
        unbalance_a=40.0,
        effort=effort or Effort(gap=5e-4, nodes=200),
    )
