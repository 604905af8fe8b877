"""The planned part of demand limiting: asks for plans, begins what they want, and brings every shed through its stages.

While no plan comes (no job process, a solve that fails) it goes by the present window alone and says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.strategy import foresight, say
from controller.strategy.foresight import BIN_S, BINS, Begun, Plan, Problem
from controller.strategy.rota import Rota, begun_kw, free, kinds, known_kw, rota, teams
from controller.strategy.shed import Hold, reduction, staged
from controller.strategy.strategy import Job
from controller.strategy.throttle import Throttle, throttle
from controller.strategy.window import RECENT_S, WINDOW_S, recent_kw, window_of, without_ramp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.point.model import Name
    from controller.strategy.foresight import Kind
    from controller.strategy.memory import DemandMemory
    from controller.strategy.rota import Team
    from controller.strategy.shed import Item, Verdict
    from controller.strategy.strategy import View
    from controller.strategy.window import Forecast, Track

__all__ = ["Planner"]

_PLAN_S = 60.0
"""A plan is made anew so often."""
_STALE_S = 180.0
"""Without a new plan for so long the present window alone counts."""
_LIMIT_S = 20.0
_NOISE_S, _LATE_S = 90.0, 300.0
"""Parts of a window, its first and its last, in which nothing is begun without a plan: it says little, or a room's
answer comes too late for it."""
_BETWEEN_S = 60.0
_LATELY_S = 30.0
_SOON = 4
"""Windows that must have room for what comes back."""
_FAST_S, _SLOW_S = 600.0, 3600.0
"""In which what the building draws more than usual is learnt: with nothing shed, and while something is."""
_USUAL_STEP_S = 60.0
_LONGEST_S = 3600.0
"""So long what was begun counts, at least: an hour's limit is counted from it."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans the groups that have an answer."""

    items: tuple[Item, ...]
    meter: str
    limit_kw: float
    """What a window may reach."""
    teams: Mapping[str, tuple[Team, ...]] = field(init=False, default_factory=dict)
    """By planned group with an answer."""
    throttle: Throttle | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Put the teams together."""
        object.__setattr__(self, "teams", rota(self.items))
        object.__setattr__(self, "throttle", throttle(self.items))

    @property
    def plans(self) -> bool:
        """Whether anything is planned."""
        return bool(self.teams) or self.throttle is not None

    def drift(self, view: View, memory: DemandMemory, track: Track, rest_s: float) -> tuple[float, Track]:
        """Return what changes by itself in the rest of the window, kW, and the track to forecast it from.

        What is known, the usual course and the answers of what was begun, counts in place of a ramp that was measured.
        """
        if not self.plans:
            return 0.0, track
        ahead = np.arange(0.0, max(rest_s, 1.0), _USUAL_STEP_S)
        usual = view.usual(self.meter, ahead)
        known = bool(np.isfinite(usual).all())
        kw = float(usual.mean() - usual[0]) if known else 0.0
        kw += begun_kw(self.teams, memory.begun, view.now, -RECENT_S, 0.0)
        kw -= begun_kw(self.teams, memory.begun, view.now, 0.0, rest_s)
        return kw, without_ramp(track) if known or memory.begun else track

    def watched(self, view: View, memory: DemandMemory, verdicts: Mapping[str, Verdict]) -> DemandMemory:
        """Return the memory with what is known of machines whose limit is moved; they are let go where comfort asks."""
        if self.throttle is None:
            return memory
        given_kw = begun_kw(self.teams, memory.begun, view.now, -_LATELY_S, 0.0)
        usual_kw = float(view.usual(self.meter, np.zeros(1))[0])
        memory = replace(memory, throttled=self.throttle.watched(view, memory, given_kw, usual_kw))
        return self.throttle.tidied(memory, verdicts, view.now)

    def stages(self, memory: DemandMemory, verdicts: Mapping[str, Verdict], now: float) -> DemandMemory:
        """Bring planned sheds to the level of their stage; end those that are over, or that comfort ends."""
        holds, over = dict(memory.holds), []
        for item in self.items:
            hold = holds.get(item.point)
            if hold is None or not item.group.stages:
                continue
            age = now - hold.since
            level = staged(item.group, age)
            if level == 0 or not verdicts[item.point].may_stay:
                over.append(item)
                continue
            kw = max(0.0, foresight.effect_kw(item.group.answer, age, age + 60.0)) if item.group.answer else 0.0
            holds[item.point] = replace(hold, level=level, moved=hold.moved if level == hold.level else now, kw=kw)
        longest = max((len(row[0].items[0].group.answer) for row in self.teams.values()), default=0) * BIN_S
        begun = tuple(one for one in memory.begun if now - one.at < max(longest, _LONGEST_S))
        memory = replace(memory, holds=holds, begun=begun)
        return memory.without(over, self.items, now) if over else memory

    def step(
        self, view: View, memory: DemandMemory, verdicts: Mapping[str, Verdict], seen: Forecast, day: int
    ) -> tuple[DemandMemory, Job | None]:
        """Begin what the last plan wants, and ask for the next one."""
        if not self.plans or memory.track is None:
            return memory, None
        now = view.now
        came = view.result is not None and isinstance(view.result.value, Plan)
        if not came and not self.stale(memory, now) and now - memory.asked < _PLAN_S:
            return memory, None
        look = Rota(verdicts, memory.spells, memory.holds, memory.ended, now, day)
        full = self.throttle is not None and self.throttle.full(view)
        found = kinds(self.teams, memory.begun, look, full=full)
        wanted: Mapping[str, int] = {}
        why, less_kw = say.ahead(self.limit_kw), math.nan
        if view.result is not None and isinstance(view.result.value, Plan):
            memory = replace(memory, plan=view.result.value, planned=now)
            wanted, less_kw = dict(view.result.value.begin), self._less(view.result.value)
        elif self.stale(memory, now):
            wanted, why = self._unplanned(memory, seen, found, now), say.need(seen, self.limit_kw)
            less_kw = max(0.0, memory.throttled.kw + seen.power_kw - seen.allowed_kw)
        if self.throttle is not None and math.isfinite(less_kw):
            memory = self.throttle.to(view, memory, verdicts, less_kw, why, day)
        for kind in found:
            if count := free(kind, wanted.get(kind.id, 0)):
                memory = self._begin(
                    view, memory, teams(self.teams[kind.id], look)[:count], kind.id, day, why, full=full
                )
        if now - memory.asked < _PLAN_S:
            return memory, None
        found = kinds(self.teams, memory.begun, look._replace(holds=memory.holds, spells=memory.spells), full=full)
        memory, problem = self._problem(view, memory, verdicts, seen, found)
        if problem.quiet:
            if self.throttle is not None:
                memory = self.throttle.end(memory, now)
            return replace(memory, asked=now, plan=None, planned=now), None
        planned = now if math.isinf(memory.planned) else memory.planned
        return replace(memory, asked=now, planned=planned), Job(foresight.plan, problem, _LIMIT_S)

    @staticmethod
    def highest(memory: DemandMemory) -> float:
        """Return the highest mean of a window that the last plan expects, kW; NaN while there is none."""
        return math.nan if memory.plan is None else max(memory.plan.means_kw)

    def stale(self, memory: DemandMemory, now: float) -> bool:
        """Tell whether a plan should have come and has not."""
        return self.plans and now - memory.planned > _STALE_S and math.isfinite(memory.planned)

    def helpless(self, memory: DemandMemory, verdicts: Mapping[str, Verdict], contract_kw: float, now: float) -> bool:
        """Tell whether nothing planned can still bring the present window below the contract."""
        if not self.plans:
            return True
        if memory.plan is not None and not self.stale(memory, now):
            return memory.plan.means_kw[0] > contract_kw
        ready = (team for row in self.teams.values() for team in row if team.items[0].point not in memory.holds)
        return not any(verdicts[item.point].may_begin for team in ready for item in team.items)

    def _unplanned(self, memory: DemandMemory, seen: Forecast, found: Sequence[Kind], now: float) -> dict[str, int]:
        """Return what to begin while no plan comes: what the present window lacks."""
        rest_s = WINDOW_S - seen.elapsed_s
        acted = max((one.at for one in memory.begun), default=-math.inf)
        if now - acted < _BETWEEN_S or seen.elapsed_s < _NOISE_S or rest_s < _LATE_S:
            return {}
        lacks_kw = (seen.mean_kw - self.limit_kw) * WINDOW_S / rest_s
        return {kind.id: foresight.at_once(lacks_kw, rest_s, kind) for kind in found}

    @staticmethod
    def _begin(
        view: View, memory: DemandMemory, found: Sequence[Team], group: str, day: int, why: Name, *, full: bool
    ) -> DemandMemory:
        now, window, holds = view.now, window_of(view.now_ns), []
        for item in (item for team in found for item in team.items):
            level = staged(item.group, 0.0)
            holds.append((item, Hold(level, now, now, window, 0.0, say.shed(item, level, why))))
        begun = (*memory.begun, Begun(now, group, len(found), full))
        return replace(memory.holding(holds, now, day), begun=begun)

    def _less(self, found: Plan) -> float:
        """Return what machines are to draw less, kW; a plan that needs nothing of them lets them catch up."""
        room_kw = self.limit_kw - max(found.means_kw[:_SOON])
        return found.store_kw if found.store_kw > 1.0 or room_kw <= 0.0 else -room_kw

    def _more(self, memory: DemandMemory, now_kw: float) -> float:
        """Return what the building draws more than usual for long: hardly moved while answers are on their way."""
        if math.isnan(memory.more_kw):
            return now_kw
        busy = bool(memory.begun) or (self.throttle is not None and self.throttle.less_kw(memory) != 0.0)
        return memory.more_kw + (now_kw - memory.more_kw) * _PLAN_S / (_SLOW_S if busy else _FAST_S)

    def _problem(
        self,
        view: View,
        memory: DemandMemory,
        verdicts: Mapping[str, Verdict],
        seen: Forecast,
        found: tuple[Kind, ...],
    ) -> tuple[DemandMemory, Problem]:
        now, track = view.now, memory.track
        kw = math.nan if track is None else recent_kw(track)
        # What it would draw with nothing shed, and what of that can be shed at any moment.
        kw += begun_kw(self.teams, memory.begun, now, -60.0, 0.0) + memory.unseen_kw(now)
        store = None
        if self.throttle is not None:
            kw += self.throttle.less_kw(memory)
            store = self.throttle.store(view, memory.throttled, verdicts)
        at_once_kw = 0.0
        for item in self.items:
            if item.group.planned:
                continue
            hold = memory.holds.get(item.point)
            held_kw = 0.0 if hold is None else hold.kw
            kw += held_kw
            if verdicts[item.point].may_begin:
                factor = memory.factors.get(item.group.id, 1.0)
                at_once_kw += held_kw + reduction(item, len(item.group.levels), view, factor, hold)
        usual = view.usual(self.meter, np.concatenate(([0.0], (np.arange(BINS) + 0.5) * BIN_S)))
        memory = replace(memory, more_kw=self._more(memory, kw - float(usual[0])))
        return memory, Problem(
            elapsed_s=seen.elapsed_s,
            used_kws=0.0 if math.isnan(seen.used_kw) else seen.used_kw * seen.elapsed_s,
            course_kw=tuple(map(float, foresight.course_kw(usual[1:], float(usual[0]), kw, memory.more_kw))),
            known_kw=known_kw(self.teams, memory.begun, now),
            at_once_kw=at_once_kw,
            limit_kw=self.limit_kw,
            kinds=found,
            store=store,
        )
