"""The charging strategy: follows the cars, has a plan made, and gives each charger its part of it.

What it needs is the meter of the contract; without it it steps back, and chargers get what the site chose for that: a
safe current, a pause, or their defaults. What people declared of a car goes before what is assumed. A charger that is
not heard, out of order or held by a stronger slot is left alone: what it draws counts as the building's. A circuit
whose meter is not to be believed gives each of its cars the safe current only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from controller.point.model import Name
from controller.strategy.charging.course import Course, learnt
from controller.strategy.charging.declaration import Declarations, over, recognised
from controller.strategy.charging.demand import Demand, Effort, Problem, Rank
from controller.strategy.charging.fallback import StepBack, fall_back
from controller.strategy.charging.ledger import booked
from controller.strategy.charging.memory import Asked, Memory
from controller.strategy.charging.outlook import Situation
from controller.strategy.charging.plan import SMOOTHNESS, make_plan
from controller.strategy.charging.room import QUARTER_S, grid
from controller.strategy.charging.row import Row, bays, occupied, told
from controller.strategy.charging.saying import (
    ALARMS,
    HELD,
    NAME,
    at_risk,
    figures,
    instructed,
    lost,
    reason,
    sentence,
    unbalanced,
)
from controller.strategy.charging.session import (
    Charged,
    Garage,
    demand_of,
    follow,
    present,
    rank_of,
    said_of,
    shown,
)
from controller.strategy.charging.setpoint import PACE_S, SHORT_DWELL_S, URGENT_H, Wish, laxity_h, settle
from controller.strategy.charging.supply import ahead, at_once, others_kw
from controller.strategy.strategy import Decision, Job, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from controller.alarm.definition import AlarmDefinition
    from controller.strategy.charging.charger import Charger
    from controller.strategy.charging.declaration import Declared
    from controller.strategy.charging.supply import Supply
    from controller.strategy.strategy import Past, View

__all__ = ["ChargingStrategy", "Memory", "Prices", "Setting"]

_SECOND_NS = 1_000_000_000
_HORIZON_S = 86_400.0
_PLAN_AGE_S = 1800.0
"""A plan older than this is none any more."""
_GAP_S = 120.0
"""After so long without a look the car at a charger may be another."""
_STAY_H = 6.0
"""Longer than who cannot wait stays."""
_SHOWN_KW = 0.2
"""A car that takes less is about to begin, or has done: what it takes says nothing of what it will."""
_LEAST_READING, _MOST_READING = -0.1, 1.2
"""kW, and share of the rating: a power outside of these is none that a charger can have."""


class Prices(Protocol):
    """What energy costs."""

    def at(self, time_ns: int) -> float:
        """Return NT$/kWh; NaN where no tariff is known."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How the strategy works."""

    period_s: float = 15.0
    replan_s: float = 300.0
    limit_s: float = 5.0
    """The job process gives a plan up after this."""
    effort: Effort = field(default_factory=lambda: Effort(nodes=None, seconds=1.0))
    dwell_s: float = 900.0
    ramp_kw: float = math.inf
    unbalance_a: float = 20.0
    peak_kw: float = math.inf
    peak_price: float = 0.0
    step_back: StepBack = "safe"


@dataclass(frozen=True, slots=True)
class ChargingStrategy:
    """See the module."""

    chargers: tuple[Charger, ...]
    names: Mapping[str, Name]
    supplies: tuple[Supply, ...]
    """The first is the contract: it has a meter."""
    prices: Prices
    zone: tzinfo
    garage: Garage = field(default_factory=Garage)
    said: Declarations = field(default_factory=Declarations, compare=False)
    setting: Setting = field(default_factory=Setting)
    slot: int = 12
    id: str = "charging"

    @property
    def name(self) -> Name:
        """Its name."""
        return NAME

    @property
    def period_s(self) -> float:
        """How often it decides."""
        return self.setting.period_s

    @property
    def inputs(self) -> tuple[str, ...]:
        """The meter of the contract."""
        return (self.supplies[0].meter,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The limits, and what pauses a charger whose limit knows no pause."""
        return tuple(one for charger in self.chargers for one in (charger.limit, charger.enable) if one)

    @property
    def alarms(self) -> tuple[AlarmDefinition, ...]:
        """Cars at risk, phases out of balance, and no plan in time."""
        return ALARMS

    def begin(self, view: View, past: Sequence[Past]) -> Memory:
        """Begin with nothing known; cars that are there are found at the first decision."""
        del view, past
        return Memory(courses={one.id: Course() for one in self.supplies})

    def decide(self, view: View, memory: Any) -> tuple[Decision, Memory]:
        """Return what each charger is to be told now."""
        seen = {charger.id: shown(view.value, charger.id) for charger in self.chargers}
        masked = {charger.id: self._masked(view, charger) for charger in self.chargers}
        memory = self._listen(view, memory, seen, masked)
        drawn = self._drawn(seen, masked)
        others = {one.id: others_kw(one, view.value(one.meter) if one.meter else 0.0, drawn) for one in self.supplies}
        first = self.supplies[0]
        if math.isnan(others[first.id]):
            text = lost(first.meter, self.setting.step_back, first.safe_kw)
            memory, targets = self._fall_back(view, memory, others, drawn, masked, text)
            rows = self._rows(view, memory, seen, masked, self._demands(view, memory, drawn), {})
            parts = tuple(row.part(self.zone, view.now_ns) for row in rows)
            detail = Situation(memory.past, None, bays(rows, targets), self._over(memory, seen))
            return Decision("stepped_back", text, targets, parts=parts, detail=detail), memory
        memory = self._answered(view, self._learn(view, memory, others))
        demands = self._demands(view, memory, drawn)
        memory = self._ask(view, memory, demands, others)
        plan = memory.plan_now(view.now_ns, demands)
        memory, targets = self._tell(view, memory, demands, plan, others, drawn, masked)
        room = first.limit_kw - others[first.id]
        planned = sum(kw for one, kw in plan.items() if one in demands)
        memory = replace(memory, past=booked(memory.past, view.now_ns, planned, sum(drawn.values()), room))
        outlook = memory.outlook
        given = sum(self._given_kw(memory, demand) for demand in demands.values())
        asked = memory.asked
        rows = self._rows(view, memory, seen, masked, demands, plan)
        decision = Decision(
            "acting" if targets else "watching",
            sentence(len(demands), given, room, outlook, waits=asked is not None and not memory.trouble),
            targets,
            figures(len(demands), given, room, outlook),
            tuple(row.part(self.zone, view.now_ns) for row in rows),
            {"short": at_risk(outlook, self.names), "unbalance": unbalanced(outlook), "plan": memory.trouble},
            Job(make_plan, asked.problem, self.setting.limit_s) if asked is not None else None,
            Situation(memory.past, outlook, bays(rows, targets), self._over(memory, seen)),
        )
        return decision, memory

    # -- looking -----------------------------------------------------------------------------------------------------

    def _masked(self, view: View, charger: Charger) -> bool:
        return view.masked(charger.limit) or bool(charger.enable and view.masked(charger.enable))

    def _listen(self, view: View, memory: Memory, seen: Mapping[str, Charged], masked: Mapping[str, bool]) -> Memory:
        """Follow every session by one more look."""
        if not memory.looked_ns:
            memory = replace(memory, left_ns=self.said.seen_ns)
        elif view.now_ns - memory.looked_ns > _GAP_S * _SECOND_NS:
            memory = replace(memory, sessions={}, met=frozenset(), left_ns=memory.looked_ns)
        away_s = (view.now_ns - memory.left_ns) / _SECOND_NS if memory.left_ns else math.inf
        sessions, met = {}, set(memory.met)
        for charger in self.chargers:
            before = memory.sessions.get(charger.id)
            # In a dry run nothing is told: chargers give what they would without it.
            value = charger.most if view.dry else memory.values.get(charger.id, charger.most)
            phases = 3 if before is None else sum(charger.phases(single=before.draw.single))
            steady = not masked[charger.id] and view.now - memory.changed.get(charger.id, view.now) >= PACE_S
            limit_kw = charger.kw(value, phases)
            after = follow(before, charger, seen[charger.id], limit_kw, view.now_ns, self.garage, steady=steady)
            if after is not None and before is None and charger.id not in met:
                after = recognised(self.said.of(charger.id), after, seen[charger.id], view.now_ns, away_s)
            if after is not None:
                sessions[charger.id] = after
            if present(seen[charger.id]) is not None:
                met.add(charger.id)
        return replace(memory, sessions=sessions, met=frozenset(met), looked_ns=view.now_ns)

    def _over(self, memory: Memory, seen: Mapping[str, Charged]) -> tuple[tuple[str, int], ...]:
        """Return the declarations whose session has ended: charger, and when it was declared."""
        return tuple(
            (one, said.made_ns)
            for one, said in self.said.by_charger.items()
            if one in seen and over(said, memory.sessions.get(one), there=present(seen[one]))
        )

    def _drawn(self, seen: Mapping[str, Charged], masked: Mapping[str, bool]) -> dict[str, float]:
        """Return what the chargers draw that can be commanded; all others are a part of the building."""
        found = {}
        for charger in self.chargers:
            power = seen[charger.id].power_kw
            believed = _LEAST_READING <= power <= _MOST_READING * charger.most_kw()
            if believed and not masked[charger.id] and present(seen[charger.id]) is not None:
                found[charger.id] = max(power, 0.0)
        return found

    def _learn(self, view: View, memory: Memory, others: Mapping[str, float]) -> Memory:
        calendar = self.garage.calendar
        courses = {
            one: course if math.isnan(others[one]) else learnt(course, view.now_ns, others[one], self.zone, calendar)
            for one, course in memory.courses.items()
        }
        return replace(memory, courses=courses)

    def _demands(self, view: View, memory: Memory, drawn: Mapping[str, float]) -> dict[str, Demand]:
        found = {}
        for charger in self.chargers:
            session = memory.sessions.get(charger.id)
            if session is not None and charger.id in drawn:
                demand = demand_of(session, charger, view.now_ns, self.zone, self.garage, self.said.of(charger.id))
                if demand is not None:
                    found[charger.id] = demand
        return found

    # -- planning ----------------------------------------------------------------------------------------------------

    def _answered(self, view: View, memory: Memory) -> Memory:
        """Take the plan that came, or the reason why none did."""
        result, asked = view.result, memory.asked
        if result is not None and asked is not None:
            if result.error:
                memory = replace(memory, asked=None, trouble=result.error)
            else:
                memory = replace(memory, asked=None, held=(asked, result.value), trouble="")
        if memory.held is not None and view.now - memory.held[0].now > _PLAN_AGE_S:
            memory = replace(memory, held=None)
        return memory

    def _ask(self, view: View, memory: Memory, demands: Mapping[str, Demand], others: Mapping[str, float]) -> Memory:
        """Ask for a plan when cars came or went, every few minutes, and at each quarter by the clock."""
        cars = tuple((one, memory.sessions[one].since_ns) for one in demands)
        said = tuple(said_of(memory.sessions[one], self.said.of(one)) for one in demands)
        if not cars:
            return replace(memory, held=None, trouble="")
        if memory.asked is not None:
            return memory
        held = memory.held[0] if memory.held is not None else None
        quarter = 900 * _SECOND_NS
        if (
            held is not None
            and (held.cars, held.said) == (cars, said)
            and view.now - held.now < self.setting.replan_s
            and held.now_ns // quarter == view.now_ns // quarter
            and not memory.trouble
        ):
            return memory
        until_s = view.now_ns / 1e9 + min(max(one.leaves_h for one in demands.values()) * 3600.0, _HORIZON_S)
        hours = grid(view.now_ns / 1e9, until_s)
        circuits = ahead(
            self.supplies, others, list(demands), memory.courses, view.now_ns, hours, self.zone, self.garage.calendar
        )
        middles = np.cumsum(hours) - np.asarray(hours) / 2.0
        prices = [self.prices.at(view.now_ns + round(h * 3.6e12)) for h in middles]
        # An hour without a price cannot be compared with the others: money is not guessed, energy comes first then.
        priced = all(map(math.isfinite, prices))
        other = tuple(self.supplies[0].limit_kw - room for room in circuits[0].room_kw)
        problem = Problem(
            hours,
            tuple(prices) if priced else (),
            tuple(demands.values()),
            circuits,
            other,
            self.setting.peak_kw,
            self.setting.peak_price,
            self.setting.ramp_kw,
            self.setting.unbalance_a,
            self.setting.dwell_s / 3600.0,
            self.setting.effort,
        )
        return replace(memory, asked=Asked(problem, cars, view.now_ns, view.now, circuits[0].room_kw, said))

    # -- telling -----------------------------------------------------------------------------------------------------

    def _tell(
        self,
        view: View,
        memory: Memory,
        demands: Mapping[str, Demand],
        plan: Mapping[str, float],
        others: Mapping[str, float],
        drawn: Mapping[str, float],
        masked: Mapping[str, bool],
    ) -> tuple[Memory, tuple[Target, ...]]:
        """Return the targets: of cars by the plan, of all other chargers that are heard the least that they give."""
        ours = [one for one in self.chargers if one.id in drawn]
        cheap_h = self._cheap_h(view, demands)
        wishes = [self._wish(view, memory, one, demands.get(one.id), plan, drawn, cheap_h) for one in ours]
        circuits = at_once(self.supplies, others, [one.id for one in ours])
        # Where the plan had to give up smoothness there is not enough for all, and no room may lie idle.
        tight = memory.held is not None and SMOOTHNESS in memory.held[1].relaxed
        found = settle(wishes, circuits, min(self.setting.dwell_s, SHORT_DWELL_S) if tight else self.setting.dwell_s)
        values = {one.id: value for one, value in zip(ours, found, strict=True)}
        changed = memory.since(values, view.now)
        targets = []
        for one in self.chargers:
            if masked[one.id]:
                # It is not ours now; what it gets when the stronger slot is empty again is what it had, or the least.
                held = memory.values.get(one.id, one.least)
                values[one.id], changed[one.id] = held, memory.changed.get(one.id, view.now)
                targets += told(one, held, HELD)
        for one in ours:
            text = instructed(self._said(memory, one.id), self.zone, view.now_ns)
            text = text or reason(one, demands.get(one.id), plan.get(one.id), values[one.id])
            targets += told(one, values[one.id], text)
        return replace(memory, values=values, changed=changed), tuple(targets)

    def _cheap_h(self, view: View, demands: Mapping[str, Demand]) -> float:
        """Return for how long nothing is cheaper than now, hours: a car that goes before then gains nothing by waiting.

        Infinite where no tariff is valid; 0 where a higher peak costs, for then only the plan knows what is cheap.
        """
        if self.setting.peak_price > 0.0:
            return 0.0
        now = self.prices.at(view.now_ns)
        until_h = max(_STAY_H, *(one.leaves_h for one in demands.values()), 0.0)
        at = QUARTER_S / 3600.0
        while at < until_h + QUARTER_S / 3600.0:
            if self.prices.at(view.now_ns + round(at * 3.6e12)) < now:
                return at - QUARTER_S / 3600.0
            at += QUARTER_S / 3600.0
        return math.inf

    def _wish(
        self,
        view: View,
        memory: Memory,
        charger: Charger,
        demand: Demand | None,
        plan: Mapping[str, float],
        drawn: Mapping[str, float],
        cheap_h: float,
    ) -> Wish:
        value = memory.values.get(charger.id, 0.0)
        since = view.now - memory.changed.get(charger.id, -math.inf)
        if demand is None:
            # Nobody there, or a car that wants nothing as far as is known: the least, last in the row, so that one
            # that comes begins at once, and one with a timer of its own can. Where nothing is cheaper soon and nobody
            # else wants the room, it stands ready with all: who has no time to lose loses none.
            free = Demand(charger.id, 0.0, 24.0, charger.most_kw(), charger.least_kw(), Rank.VISITOR)
            said = self._said(memory, charger.id)
            if said is not None and (said.how == "stop" or said.waits_ns > view.now_ns):
                return Wish(charger, free, 0.0, value, since, spare=True)
            more = charger.most_kw() if cheap_h > _STAY_H else 0.0
            return Wish(charger, free, charger.least_kw(), value, since, spare=True, more_kw=more)
        if demand.comes_h > 0.0:
            # It waits because somebody said so: at once, whatever the dwell.
            return Wish(charger, replace(demand, held_h=math.inf), 0.0, value, since)
        # Not in the plan yet: the least. No plan to be had, or no time to lose until it comes: all that there is room
        # for, by rank and least time.
        urgent = laxity_h(demand) < URGENT_H
        alone = urgent or (memory.trouble and not plan)
        kw = plan.get(charger.id, demand.most_kw if alone else demand.least_kw)
        phases = sum(demand.phases)
        session = memory.sessions[charger.id]
        # What it takes at the most is only assumed until it was seen: where there is room it may show it.
        most = demand.most_kw if session.draw.measured or session.car is not None else charger.most_kw(phases)
        early = demand.leaves_h <= cheap_h or urgent
        if urgent and kw >= 0.99 * demand.most_kw:
            # All that is assumed of it is not enough: it shows what it takes before others have more than their least.
            kw = most
        shown = value > 0.0 and since >= PACE_S and drawn[charger.id] > _SHOWN_KW
        return Wish(
            charger, demand, kw, value, since,
            more_kw=most if early else 0.0,
            drawn_kw=drawn[charger.id] if shown else math.nan,
            low=session.draw.low or 1.0,
        )  # fmt: skip

    def _given_kw(self, memory: Memory, demand: Demand) -> float:
        charger = next(one for one in self.chargers if one.id == demand.charger)
        return charger.kw(memory.values.get(charger.id, 0.0), sum(demand.phases))

    def _said(self, memory: Memory, charger: str) -> Declared | None:
        """Return what was declared of the session at a charger."""
        session = memory.sessions.get(charger)
        return None if session is None else said_of(session, self.said.of(charger))

    def _fall_back(
        self,
        view: View,
        memory: Memory,
        others: Mapping[str, float],
        drawn: Mapping[str, float],
        masked: Mapping[str, bool],
        text: Name,
    ) -> tuple[Memory, tuple[Target, ...]]:
        """Return what chargers are told while the room is not known, by the site's choice."""
        how, first = self.setting.step_back, self.supplies[0]
        memory = replace(memory, held=None, asked=None)
        if how == "default":
            return replace(memory, values={}, changed={}), ()
        ours = [one for one in self.chargers if one.id in drawn]
        circuits = at_once(self.supplies, {**others, first.id: math.nan}, [one.id for one in ours])
        ranks = {
            charger.id: rank_of(session, charger, self.zone, self.garage, self.said.of(charger.id))
            for charger in ours
            if (session := memory.sessions.get(charger.id)) is not None
        }
        since = {name: view.now - at for name, at in memory.changed.items()}
        values = fall_back(
            ours, ranks, memory.sessions, self.said, circuits, how, first.safe_kw, view.now_ns, memory.values, since
        )
        # What a stronger slot holds gets the safe value too when it is released.
        values |= {
            one.id: 0.0 if how == "pause" else one.down(first.safe_kw) for one in self.chargers if masked[one.id]
        }
        changed = memory.since(values, view.now)
        targets: list[Target] = []
        for one in self.chargers:
            if one.id in values:
                said = instructed(self._said(memory, one.id), self.zone, view.now_ns)
                targets += told(one, values[one.id], said or text)
        return replace(memory, values=values, changed=changed), tuple(targets)

    def _rows(
        self,
        view: View,
        memory: Memory,
        seen: Mapping[str, Charged],
        masked: Mapping[str, bool],
        demands: Mapping[str, Demand],
        plan: Mapping[str, float],
    ) -> tuple[Row, ...]:
        short: dict[tuple[str, int, Declared | None], float] = {}
        if memory.held is not None:
            asked, made = memory.held
            keys = ((*car, said) for car, said in zip(asked.cars, asked.said, strict=True))
            short = {key: float(kwh) for key, kwh in zip(keys, made.short_kwh, strict=True)}
        found = []
        for charger in self.chargers:
            session, said = memory.sessions.get(charger.id), self._said(memory, charger.id)
            name = self.names.get(charger.id, Name(charger.id, charger.id))
            row = Row(charger, name, present(seen[charger.id]), masked[charger.id], demand=demands.get(charger.id))
            if session is not None:
                row = occupied(row, session, view.now_ns, self.zone, self.garage, said)
                # A plan of another session, or of before this was declared, says nothing of it.
                row = replace(row, short_kwh=short.get((charger.id, session.since_ns, said), math.nan))
            found.append(replace(row, planned_kw=plan.get(charger.id), value=memory.values.get(charger.id)))
        return tuple(found)
