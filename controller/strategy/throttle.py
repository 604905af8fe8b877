"""Machines whose limit is moved up and down by plan: chillers, all together, for what one does not do the others would.

A chiller that is held below what it would draw lets its water warm up. The air handlers then get what they need out of
warmer water, with more air and less drying, and a part of what was not done is never made good. The rest the chiller
draws when it is let go, as fast as its limit allows: while the limit binds, the machine draws what the limit says, so
that the plan says when that comes back, too.

    d owed / dt = k_per_kwh · kw − owed / hours          less at the main meter = kw − kw_per_k · owed

`owed` is how much warmer the water is for it, K, and is measured; `kw` what the machines draw less than they would,
below 0 while they catch up. How long they are held is bounded by the comfort of every room that they cool, and by the
water. What is `beside` them is held for as long, and while they catch up: pumps that hurry after warmer water take away
half of what the chillers give. Pure functions over what is remembered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from controller.strategy import say
from controller.strategy.foresight import Store
from controller.strategy.shed import Hold, value_at
from controller.strategy.window import window_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.point.model import Name
    from controller.strategy.memory import DemandMemory
    from controller.strategy.shed import Group, Item, Owed, Verdict
    from controller.strategy.strategy import View

__all__ = ["Throttle", "Throttled", "throttle"]

_BINDS = 0.95
"""Of its limit: a machine that draws less is not held by it."""
_MOVES_S = 120.0
"""So long after its limit moved a machine is still on its way."""
_FREE_S = 300.0
"""A limit that has not bound for so long holds nothing back."""
_RUNS = 0.1
"""Of its full power: a machine that draws less does not run."""
_OF_ROOMS = 0.75
"""Of what a shed of rooms gives: so much of it the machines draw less, fans and pumps the rest."""
_EASES = 0.7
"""Where a room is near its limit of comfort so much of it may go on, from plan to plan."""
_FOLLOWS = 0.4
"""Of what the building is usually about to draw more: the part of the machines."""
_FULL = 0.92
"""Of their full power: machines that draw more do all they can, for the power also follows the weather."""
_AFTER_S = 1200.0
"""What is beside the machines stays so long after them, while they catch up."""


class Throttled(NamedTuple):
    """What is known of the machines of a group."""

    base_kw: float = math.nan
    """What they drew before a limit held them; NaN while none does."""
    kw: float = 0.0
    """What they draw less than they would; below 0 while they catch up."""
    owed_k: float = 0.0
    """How much warmer the water is for it, K; NaN: not known."""
    own_c: float = math.nan
    """How warm the water was before a limit held them, °C."""
    given_kw: float = 0.0
    """What sheds of rooms give."""
    usual_kw: float = math.nan
    """What the building usually draws at this time; NaN: not known."""
    bound: float = -math.inf
    """When a limit last held them, monotonic s."""
    ended: float = -math.inf


@dataclass(frozen=True, slots=True)
class Throttle:
    """A group whose limit is moved, and what is held beside it."""

    group: Group
    owed: Owed
    items: tuple[Item, ...]
    beside: tuple[Item, ...] = ()

    def watched(self, view: View, memory: DemandMemory, given_kw: float, usual_kw: float) -> Throttled:
        """Return what is known of the machines now; `given_kw` and `usual_kw` as they are kept."""
        now, state = view.now, memory.throttled
        held, water_c = self._held(memory), view.value(self.owed.water)
        rises = usual_kw - state.usual_kw
        state = state._replace(given_kw=given_kw, usual_kw=usual_kw)
        if not held:
            # Soon after an end the water is still warm of it, and who begins anew does not begin from there.
            recovers = now - state.ended < _AFTER_S and math.isfinite(state.own_c)
            own_c = min(state.own_c, water_c) if recovers else water_c
            return state._replace(base_kw=math.nan, kw=0.0, owed_k=water_c - own_c, own_c=own_c)
        state = state._replace(owed_k=water_c - state.own_c)
        drawn, limit = self._drawn(view), self._limit(view, memory.holds)
        if not self._running(view):
            return state._replace(kw=0.0)
        if view.dry:
            drawn = min(drawn, limit)
        base = state.base_kw if math.isfinite(state.base_kw) else drawn
        base += _FOLLOWS * rises if math.isfinite(rises) else 0.0
        moved = now - max(memory.holds[item.point].moved for item in held) < _MOVES_S
        if moved or drawn >= _BINDS * limit:
            return state._replace(base_kw=base, kw=base - _OF_ROOMS * given_kw - drawn, bound=now)
        if now - state.bound > _FREE_S:
            base = drawn + _OF_ROOMS * given_kw
        return state._replace(base_kw=base, kw=0.0)

    def store(self, view: View, state: Throttled, verdicts: Mapping[str, Verdict]) -> Store:
        """Return it as a plan sees it."""
        owed, running = self.owed, self._running(view)
        least_kw = self.group.kw_per_unit * self.group.levels[-1] * len(running)
        most_kw = min(max(0.0, self._drawn(view) + state.kw - least_kw), owed.most_kw)
        if not running or not self._may(state, verdicts, running):
            most_kw = _EASES * max(state.kw, 0.0)
        known_k = 0.0 if math.isnan(state.owed_k) else max(state.owed_k, 0.0)
        return Store(state.kw, known_k, most_kw, owed)

    def less_kw(self, memory: DemandMemory) -> float:
        """Return what the main meter shows less because of it, kW."""
        state = memory.throttled
        if not self._held(memory) or math.isnan(state.owed_k):
            return 0.0
        return state.kw - self.owed.kw_per_k * min(max(state.owed_k, 0.0), self.owed.most_k)

    def to(
        self, view: View, memory: DemandMemory, verdicts: Mapping[str, Verdict], wanted_kw: float, why: Name, day: int
    ) -> DemandMemory:
        """Return the memory with the limit so that the machines draw `wanted_kw` less than they would."""
        now, state = view.now, memory.throttled
        held, running = self._held(memory), self._running(view)
        near = not self._may(state, verdicts, running)
        if near:
            wanted_kw = min(wanted_kw, _EASES * state.kw)
        if not running or (wanted_kw < 1.0 and not held):
            return memory
        if held and now - max(memory.holds[item.point].moved for item in held) < self.group.step_s:
            return memory
        wanted_kw = max(wanted_kw, -self.owed.most_kw)
        drawn, before = self._drawn(view), self._value(view, memory.holds)
        # While the limit binds, it says what one unit of it is.
        unit = drawn / before if held and state.bound == now else self.group.kw_per_unit * len(running)
        if not held:
            before = min(before, drawn / unit)
            state = state._replace(base_kw=drawn + _OF_ROOMS * state.given_kw, bound=now)
        step = self.group.step
        value = min(max((drawn + state.kw - wanted_kw) / unit, before - step), before + step)
        # The first limit that gives all that is wanted; near a room's limit the last one that gives no more.
        free = min(view.base(item.point) for item in running)
        level = sum(one > value + 1e-9 for one in (free, *self.group.levels)) - near
        level = min(max(level, 0), len(self.group.levels))
        if level == 0:
            return self.end(memory, now)
        window, found = window_of(view.now_ns), []
        for item in (*running, *self.beside):
            mine = item.group is self.group
            at = level if mine else len(item.group.levels)
            kw = max(0.0, wanted_kw) / len(running) if mine else 0.0
            hold = memory.holds.get(item.point)
            if hold is None or hold.level != at:
                since = now if hold is None else hold.since
                found.append((item, Hold(at, since, now, window, kw, say.shed(item, at, why))))
            else:
                found.append((item, replace(hold, kw=kw)))
        return replace(memory.holding(found, now, day), throttled=state)

    def end(self, memory: DemandMemory, now: float) -> DemandMemory:
        """Return the memory with the machines free again; what is beside them stays for a while."""
        held = self._held(memory)
        if not held:
            return memory
        memory = memory.without(held, self.items, now)
        return replace(memory, throttled=memory.throttled._replace(base_kw=math.nan, kw=0.0, ended=now))

    def tidied(self, memory: DemandMemory, verdicts: Mapping[str, Verdict], now: float) -> DemandMemory:
        """Return the memory without what may not stay, or has no reason to."""
        held = self._held(memory)
        if held and (math.isnan(memory.throttled.owed_k) or not all(verdicts[item.point].may_stay for item in held)):
            memory, held = self.end(memory, now), []
        over = [
            item
            for item in self.beside
            if item.point in memory.holds
            and (not verdicts[item.point].may_stay or (not held and now - memory.throttled.ended >= _AFTER_S))
        ]
        return memory.without(over, self.beside, now) if over else memory

    def full(self, view: View) -> bool:
        """Tell whether the machines do all they can."""
        running = self._running(view)
        whole = sum(self.group.kw_per_unit * view.base(item.point) for item in self.items)
        return len(running) == len(self.items) and self._drawn(view) > _FULL * whole

    @staticmethod
    def _may(state: Throttled, verdicts: Mapping[str, Verdict], running: Sequence[Item]) -> bool:
        """Tell whether no room is near its limit, and the water is known."""
        return math.isfinite(state.owed_k) and all(verdicts[item.point].may_begin for item in running)

    def _held(self, memory: DemandMemory) -> list[Item]:
        return [item for item in self.items if item.point in memory.holds]

    def _running(self, view: View) -> list[Item]:
        unit = self.group.kw_per_unit
        return [item for item in self.items if view.value(item.power) > _RUNS * unit * view.base(item.point)]

    def _drawn(self, view: View) -> float:
        return sum(view.value(item.power) for item in self._running(view))

    def _value(self, view: View, holds: Mapping[str, Hold]) -> float:
        """Return the mean limit of the machines that run."""
        found = list[float]()
        for item in self._running(view):
            base, hold = view.base(item.point), holds.get(item.point)
            found.append(base if hold is None else value_at(item, hold.level, base))
        return sum(found) / len(found) if found else math.nan

    def _limit(self, view: View, holds: Mapping[str, Hold]) -> float:
        return self.group.kw_per_unit * len(self._running(view)) * self._value(view, holds)


def throttle(items: Sequence[Item]) -> Throttle | None:
    """Return the group of a shed list whose limit is moved by plan; None where there is none."""
    found = tuple(item for item in items if item.group.owed is not None)
    if not found or (owed := found[0].group.owed) is None:
        return None
    group = found[0].group
    return Throttle(group, owed, found, tuple(item for item in items if item.group.id == group.beside))
