"""Demand limiting (需量控制): keeps the mean of every 15-minute clock window below the contract capacity, at slot 9.

It forecasts the window, and when the power that is expected exceeds what the rest of the window allows, it sheds from a
ranked, rotating list within the comfort limits of `controller.strategy.shed`; afterwards it gives back one item at a
time, or by `controller.strategy.release` what ends together. Source of method and figures: control reference 8.6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from controller.alarm.definition import AlarmDefinition
from controller.point.model import Name
from controller.strategy import say
from controller.strategy.memory import SETTLE_S, Action, DemandMemory
from controller.strategy.planner import Planner
from controller.strategy.release import APART_S, Ending, due, returning
from controller.strategy.shed import (
    Candidate,
    Hold,
    Item,
    Spell,
    Verdict,
    choose,
    closed,
    eased,
    further,
    opened,
    shed_seconds,
    starts_today,
    survey,
    tired,
    value_at,
    verdict,
)
from controller.strategy.strategy import Decision, Figure, Part, Target
from controller.strategy.window import (
    WINDOW_S,
    Forecast,
    Track,
    advance,
    elapsed,
    forecast,
    recent_kw,
    window_of,
    without_ramp,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.strategy.strategy import Past, View

__all__ = ["Demand", "DemandMemory", "Price"]

SLOT = 9
_NAME = Name("需量控制", "Demand limiting")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOISE_S = 90.0
"""The first seconds of a window say little of it."""
_LATE_S = 45.0
"""What is shed so shortly before a window's end changes it no more."""
_NEED_S = 20.0
"""So long the need must last before something is done."""
_BETWEEN_S = 60.0
"""Between two sheds: what the first one gives is to be seen before more is asked for."""
_LEAST_MARGIN = 0.25
"""Of the margin, at a window's end: what is uncertain of a window is its rest, and the clock of the meter."""
_DEADBAND = 0.01
"""Of the contract capacity."""
_REBOUND = 1.2
"""An item that is given back takes so many times what it gave, until its room is right again."""
_PAUSE_S = 60.0
"""A longer time without a decision (switched off, standing still): what was held is taken as given back."""
_LEARN = 0.3
_FACTOR = (0.2, 1.5)


class Price(Protocol):
    """What demand above the contract costs."""

    def cost(self, now_ns: int, mean_kw: float) -> float:
        """Return what the month pays more if its highest window, around `now_ns`, has this mean, NT$; NaN: unknown."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The strategy, as the site configures it."""

    meter: str
    """Point with the power of the whole supply, kW."""
    contract_kw: float
    items: tuple[Item, ...]
    timezone: str = "Asia/Taipei"
    check: tuple[str, ...] = ()
    """Points whose sum is to agree with the meter, kW; empty: it is not checked."""
    check_percent: float = 10.0
    margin_percent: float = 2.0
    price: Price | None = field(default=None, compare=False, repr=False)
    """None: what an excess costs is not said. Other prices make no other strategy: what it remembers stays."""
    restore_s: float = 90.0
    """Between two items given back."""
    period_s: float = 5.0
    name: Name = _NAME
    id: str = "demand"
    _planner: Planner = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the plan of its own items."""
        object.__setattr__(self, "_planner", Planner(self.items, self.meter, self.most_kw))

    @property
    def slot(self) -> int:
        """Slot 9."""
        return SLOT

    @property
    def inputs(self) -> tuple[str, ...]:
        """The meter and those that check it."""
        return (self.meter, *self.check)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The points of the shed list."""
        return tuple(item.point for item in self.items)

    @property
    def limit_kw(self) -> float:
        """What a window may have at its begin: the contract less the margin."""
        return self._limit(1.0)

    @property
    def most_kw(self) -> float:
        """What a window may reach by the forecast before something is shed: contract less a quarter of the margin."""
        return self._limit(_LEAST_MARGIN)

    def _limit(self, share: float) -> float:
        return self.contract_kw * (1.0 - share * self.margin_percent / 100.0)

    def _forecast(self, view: View, track: Track, memory: DemandMemory) -> Forecast:
        """Return the forecast against the contract less the margin; what has passed of the window needs none."""
        now, rest_s = view.now, WINDOW_S - elapsed(track)
        known = memory.unseen_kw(now) + returning(self._endings(memory, now), rest_s)
        drift_kw, track = self._planner.drift(view, memory, track, rest_s)
        return forecast(track, self._limit(max(rest_s / WINDOW_S, _LEAST_MARGIN)), known + drift_kw)

    def _endings(self, memory: DemandMemory, now: float) -> list[Ending]:
        """Return everything that is shed, with what is left of its time in this hour."""
        return [
            Ending(
                item.group.minutes_per_hour * 60.0 - shed_seconds(memory.spells.get(item.equipment, ()), now),
                item,
                hold.kw,
            )
            for item in self.items
            if (hold := memory.holds.get(item.point)) is not None and not item.group.planned
        ]

    @property
    def alarms(self) -> tuple[AlarmDefinition, ...]:
        """Over contract although everything that may be shed is."""
        definition = AlarmDefinition(
            "strategy#demand-excess",
            "system",
            device="strategy#demand-excess",
            priority=2,
            on_delay_s=30.0,
            off_delay_s=60.0,
            text=Name("需量預測超約，可卸載項目已用盡", "demand will exceed the contract, nothing is left to shed"),
            consequence=Name(
                "本月最高需量將超過契約容量，超約部分依電價表加倍計收基本電費",
                "The month's demand will exceed the contract, and what is above it is billed at multiples of the basic "
                "price",
            ),
            action=Name(
                "1. 由現場關閉可停之大型負載（展演設備、備用空調） 2. 勿關閉消防、電梯、托嬰中心與中控室之負載",
                "1. Switch off large loads that can wait (stage equipment, spare air-conditioning) "
                "2. Leave fire systems, lifts, the childcare centre and the control room alone",
            ),
            respond_s=300.0,
            system="system",
        )
        return (definition,)

    def begin(self, view: View, past: Sequence[Past]) -> DemandMemory:
        """Return the first memory, with what was shed today before a restart: no limit of a day is forgotten."""
        equipment = {item.point: item.equipment for item in self.items}
        spells: dict[str, tuple[Spell, ...]] = {}
        for change in past:
            name = equipment.get(change.point)
            if name is None:
                continue
            at = view.now - max(0.0, (view.now_ns - change.time_ns) / 1e9)
            before = spells.get(name, ())
            if change.value is None:
                spells[name] = closed(before, at)
            else:
                spells[name] = opened(before, at, self._day(change.time_ns))
        return DemandMemory(spells={name: closed(found, view.now) for name, found in spells.items()})

    def decide(self, view: View, memory: DemandMemory) -> tuple[Decision, DemandMemory]:
        """Return what to shed now, and why."""
        now = view.now
        if memory.track is not None and now - memory.track.now > _PAUSE_S:
            memory = memory.without_all(memory.track.now)
        kw, doubt, memory = self._power(view, memory)
        if doubt is not None:
            verdicts = self._verdicts(view)
            if now - memory.good <= 2.0 * self.period_s:
                return self._decision(view, memory, None, verdicts, ()), memory
            back = memory.without_all(now)
            parts = tuple(self._parts(view, back, verdicts))
            return Decision("stepped_back", doubt, figures=self._figures(None, back), parts=parts), back
        if view.dry:
            # Nothing that it decided happened, so the meter shows the building as if it had done nothing.
            kw = max(0.0, kw - sum(hold.kw for hold in memory.holds.values()))
        track = advance(memory.track, view.now_ns, now, kw)
        memory = self._learn(replace(memory, track=track, good=now), now)
        verdicts = self._verdicts(view)
        memory = self._planner.stages(self._ended(view, memory, verdicts), verdicts, now)
        memory = self._planner.watched(view, memory, verdicts)
        seen = self._forecast(view, track, memory)
        need = seen.power_kw - seen.allowed_kw
        memory, left = self._shed(view, memory, verdicts, seen, need)
        if need <= 0.0:
            memory = self._restore(memory, seen, now)
        memory, job = self._planner.step(view, memory, verdicts, seen, self._day(view.now_ns))
        # What was done in this very decision counts for what is said of it.
        after = self._forecast(view, memory.track or track, memory)
        return replace(self._decision(view, memory, after, verdicts, left), job=job), memory

    # -- reading -----------------------------------------------------------------------------------------------------

    def _power(self, view: View, memory: DemandMemory) -> tuple[float, Name | None, DemandMemory]:
        """Return the power, kW, or why it is not to be believed."""
        kw = view.value(self.meter)
        if math.isnan(kw):
            return kw, say.meter_unknown(self.meter), memory
        others = [view.value(point) for point in self.check]
        known = [value for value in others if not math.isnan(value)]
        if known:
            total = sum(known)
            slack = self.check_percent / 100.0 * max(kw, total, 0.02 * self.contract_kw)
            # More than those that are known may be what the others have; less cannot be.
            apart = total - kw > slack or (len(known) == len(others) and kw - total > slack)
            since = min(memory.contradicted, view.now) if apart else math.inf
            memory = replace(memory, contradicted=since)
            # A load that starts is seen by the meters one after the other.
            if view.now - since > _NEED_S:
                return kw, say.meter_contradicted(self.meter, kw, total), memory
        return kw, None, memory

    def _verdicts(self, view: View) -> dict[str, Verdict]:
        rooms = survey(self.items, view)
        return {item.point: verdict(item, view, rooms) for item in self.items}

    def _day(self, now_ns: int) -> int:
        moment = _EPOCH + timedelta(microseconds=now_ns // 1000)
        return moment.astimezone(ZoneInfo(self.timezone)).toordinal()

    def _learn(self, memory: DemandMemory, now: float) -> DemandMemory:
        """Compare what a shed took away with what was expected, and forget actions that have settled."""
        actions, factors = [], dict(memory.factors)
        for one in memory.actions:
            if now - one.at < SETTLE_S + 30.0:
                actions.append(one)
                continue
            alone = sum(abs(other.at - one.at) < SETTLE_S for other in memory.actions) == 1
            track = memory.track
            if alone and one.group and track is not None and -one.kw > _DEADBAND * self.contract_kw:
                recent = [kw for at, kw in track.samples if now - at <= 60.0]
                ratio = (one.before_kw - sum(recent) / len(recent)) / -one.kw
                old = factors.get(one.group, 1.0)
                new = old * (1.0 - _LEARN + _LEARN * min(max(ratio, 0.0), 2.0))
                factors[one.group] = min(max(new, _FACTOR[0]), _FACTOR[1])
        return replace(memory, actions=tuple(actions), factors=factors)

    # -- acting ------------------------------------------------------------------------------------------------------

    def _ended(self, view: View, memory: DemandMemory, verdicts: Mapping[str, Verdict]) -> DemandMemory:
        """Give back what comfort, circumstances or time no longer allow; machines that ramp begin early enough."""
        now, holds = view.now, dict(memory.holds)
        over: list[Item] = []
        wait: list[Ending] = []
        for one in self._endings(memory, now):
            item, left, group = one.item, one.left_s, one.item.group
            hold = holds[item.point]
            if not verdicts[item.point].may_stay or left <= 2.0 * self.period_s:
                over.append(item)
            elif not group.last:
                wait.append(one)
            elif left <= hold.level * group.step_s + 2.0 * self.period_s and now - hold.moved >= group.step_s:
                milder = eased(hold, now)
                if milder is None:
                    over.append(item)
                else:
                    holds[item.point] = replace(milder, kw=hold.kw * milder.level / hold.level)
        memory = replace(memory, holds=holds)
        if not over and now - memory.restored >= APART_S:
            over = due(wait, self.contract_kw, 2.0 * self.period_s)
            memory = replace(memory, restored=now) if over else memory
        return memory.without(over, self.items, now) if over else memory

    def _shed(
        self, view: View, memory: DemandMemory, verdicts: Mapping[str, Verdict], seen: Forecast, need: float
    ) -> tuple[DemandMemory, tuple[Candidate, ...]]:
        """Shed when the need has lasted; return what would give something and was not shed."""
        now = view.now
        candidates = self._candidates(view, memory, verdicts)
        if need <= _DEADBAND * self.contract_kw or seen.mean_kw <= self.most_kw:
            # A window that only touches the margin is let be: what is shed for it lacks when it is needed.
            return replace(memory, need_since=math.inf), candidates
        since = min(memory.need_since, now)
        memory = replace(memory, need_since=since)
        early, late = seen.elapsed_s < _NOISE_S, seen.elapsed_s > 900.0 - _LATE_S
        acted = max((one.at for one in memory.actions if one.kw < 0.0), default=-math.inf)
        if now - since < _NEED_S or now - acted < _BETWEEN_S or early or late:
            useful, _ = choose(candidates, math.inf, view, memory.factors)
            return memory, tuple(one for one, _, _ in useful)
        # No more than brings the window to what it may reach: who sheds for the whole margin has used up the times of
        # the day before its peak.
        lacks_kw = (seen.mean_kw - self.most_kw) * WINDOW_S / (WINDOW_S - seen.elapsed_s)
        chosen, _ = choose(candidates, lacks_kw, view, memory.factors)
        if not chosen:
            return memory, ()
        day, why = self._day(view.now_ns), say.need(seen, self.most_kw)
        window = window_of(view.now_ns)
        begun = []
        for one, level, kw in chosen:
            before_kw, since = (0.0, now) if one.held is None else (one.held.kw, one.held.since)
            begun.append((one.item, Hold(level, since, now, window, kw + before_kw, say.shed(one.item, level, why))))
        groups = {one.item.group.id for one, _, _ in chosen}
        kw = sum(kw for _, _, kw in chosen)
        track = memory.track
        before = math.nan if track is None else recent_kw(track)
        action = Action(now, -kw, groups.pop() if len(groups) == 1 else "", before)
        memory = replace(
            memory.holding(begun, now, day),
            actions=(*memory.actions, action),
            track=track and without_ramp(track),
            need_since=math.inf,
        )
        taken = {one.item.point for one, _, _ in chosen}
        useful, _ = choose(candidates, math.inf, view, memory.factors)
        return memory, tuple(one for one, _, _ in useful if one.item.point not in taken)

    def _candidates(self, view: View, memory: DemandMemory, verdicts: Mapping[str, Verdict]) -> tuple[Candidate, ...]:
        now, day, found = view.now, self._day(view.now_ns), []
        for item in self.items:
            said = verdicts[item.point]
            if not said.may_begin or item.group.planned:
                continue
            hold, spells = memory.holds.get(item.point), memory.spells.get(item.equipment, ())
            ended = memory.ended.get(item.point, -math.inf)
            if hold is None and tired(item, spells, ended, now, day):
                continue
            if levels := further(item, hold, now, view.base(item.point)):
                found.append(Candidate(item, hold, said, levels, ended))
        return tuple(found)

    def _restore(self, memory: DemandMemory, seen: Forecast, now: float) -> DemandMemory:
        """Give back one item, longest shed first and machines last, when the window has turned and there is room."""
        if now - memory.restored < self.restore_s or memory.track is None or not memory.holds:
            return memory
        # What is allowed late in a window that began low is more than the next window will allow.
        room = min(seen.allowed_kw, self._limit(0.5)) - seen.power_kw
        ready = [
            (item.group.last, memory.holds[item.point].since, -item.group.priority, item.point, item)
            for item in self.items
            if (hold := memory.holds.get(item.point)) is not None
            and not item.group.planned
            and hold.window < memory.track.window
            and now - hold.since >= item.group.least_s
            and now - hold.moved >= (item.group.step_s if item.group.last else 0.0)
        ]
        if not ready:
            return memory
        item = min(ready)[-1]
        hold = memory.holds[item.point]
        milder = eased(hold, now) if item.group.last else None
        share = 1.0 if milder is None else 1.0 - milder.level / hold.level
        if room < hold.kw * share * _REBOUND:
            return memory
        if milder is None:
            return replace(memory.without([item], self.items, now), restored=now)
        kept = replace(milder, kw=hold.kw * (1.0 - share))
        action = Action(now, hold.kw * share)
        return replace(
            memory,
            holds={**memory.holds, item.point: kept},
            restored=now,
            actions=(*memory.actions, action),
            track=without_ramp(memory.track),
        )

    # -- saying ------------------------------------------------------------------------------------------------------

    def _figures(self, seen: Forecast | None, memory: DemandMemory) -> tuple[Figure, ...]:
        shed = sum(hold.kw for hold in memory.holds.values())
        ahead = self._planner.highest(memory) if self._planner.plans else None
        return say.figures(seen, self.contract_kw, self.most_kw, shed, ahead)

    def _decision(
        self,
        view: View,
        memory: DemandMemory,
        seen: Forecast | None,
        verdicts: Mapping[str, Verdict],
        left: Sequence[Candidate],
    ) -> Decision:
        targets = []
        for item in self.items:
            if (hold := memory.holds.get(item.point)) is not None:
                base = view.base(item.point)
                if not math.isnan(base):
                    targets.append(Target(item.point, value_at(item, hold.level, base), hold.why))
        if seen is None:
            why = say.waiting(self.meter)
            return Decision("acting" if targets else "watching", why, tuple(targets), self._figures(None, memory))
        need = seen.power_kw - seen.allowed_kw
        over = seen.mean_kw - self.contract_kw
        short = over > 0.0 and need > _DEADBAND * self.contract_kw and not left
        helpless = short and self._planner.helpless(memory, verdicts, self.contract_kw, view.now)
        cost = math.nan if self.price is None or not helpless else self.price.cost(view.now_ns, seen.mean_kw)
        reason = say.excess(seen, self.contract_kw, cost) if helpless else ""
        why = say.sentence(seen, self.most_kw, self.contract_kw, memory.holds, exhausted=helpless)
        if self._planner.stale(memory, view.now):
            why = say.unplanned(why)
        return Decision(
            "acting" if targets else "watching",
            why,
            tuple(targets),
            self._figures(seen, memory),
            tuple(self._parts(view, memory, verdicts)),
            {"excess": reason},
        )

    def _parts(self, view: View, memory: DemandMemory, verdicts: Mapping[str, Verdict]) -> list[Part]:
        now, day = view.now, self._day(view.now_ns)
        return [
            say.part(
                item,
                memory.holds.get(item.point),
                verdicts[item.point],
                tired(
                    item,
                    memory.spells.get(item.equipment, ()),
                    memory.ended.get(item.point, -math.inf),
                    now,
                    day,
                ),
                shed_seconds(memory.spells.get(item.equipment, ()), now),
                starts_today(memory.spells.get(item.equipment, ()), day),
                now,
            )
            for item in self.items
        ]
