"""What demand limiting remembers from decision to decision, and how that changes when something is given back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from controller.strategy.shed import closed, opened
from controller.strategy.throttle import Throttled
from controller.strategy.window import without_ramp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.strategy.foresight import Begun, Plan
    from controller.strategy.shed import Hold, Item, Spell
    from controller.strategy.window import Track

__all__ = ["SETTLE_S", "Action", "DemandMemory"]

SETTLE_S = 150.0
"""Until an action is seen whole in the power of the building."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something done that the recent power does not show whole yet; kW, negative when shed."""

    at: float
    kw: float
    group: str = ""
    """The only group that was touched; empty when nothing can be learned from it."""
    before_kw: float = math.nan


@dataclass(frozen=True, slots=True)
class DemandMemory:
    """What demand limiting remembers."""

    track: Track | None = None
    holds: Mapping[str, Hold] = field(default_factory=dict)
    """By point."""
    spells: Mapping[str, tuple[Spell, ...]] = field(default_factory=dict)
    """By equipment."""
    ended: Mapping[str, float] = field(default_factory=dict)
    """When each item was last given back, by point."""
    good: float = -math.inf
    """When the meter was last believed."""
    need_since: float = math.inf
    restored: float = -math.inf
    actions: tuple[Action, ...] = ()
    factors: Mapping[str, float] = field(default_factory=dict)
    """By group: what was measured in relation to what its `kw` says."""
    contradicted: float = math.inf
    """Since when the meter and those that check it say different things."""
    begun: tuple[Begun, ...] = ()
    """Planned sheds whose answer is not over."""
    asked: float = -math.inf
    """When a plan was last asked for."""
    plan: Plan | None = None
    planned: float = -math.inf
    """When it came; when the first one was asked for, before that."""
    throttled: Throttled = field(default_factory=Throttled)
    more_kw: float = math.nan
    """What the building draws more than usual, for long."""

    def unseen_kw(self, now: float) -> float:
        """Return what recent actions will still change, kW: the mean of the last 90 s lags behind them."""
        return sum(one.kw * max(0.0, 1.0 - (now - one.at) / SETTLE_S) for one in self.actions)

    def holding(self, found: Iterable[tuple[Item, Hold]], now: float, day: int) -> DemandMemory:
        """Return the memory with items held so; `day` is the ordinal of the local day."""
        holds, spells = dict(self.holds), dict(self.spells)
        for item, hold in found:
            holds[item.point] = hold
            spells[item.equipment] = opened(spells.get(item.equipment, ()), now, day)
        return replace(self, holds=holds, spells=spells)

    def without_all(self, now: float) -> DemandMemory:
        """Return the memory with everything given back."""
        spells = {name: closed(found, now) for name, found in self.spells.items()}
        ended = {**self.ended, **dict.fromkeys(self.holds, now)}
        return replace(self, holds={}, spells=spells, ended=ended, need_since=math.inf, actions=(), track=None)

    def without(self, items: Sequence[Item], every: Iterable[Item], now: float) -> DemandMemory:
        """Return the memory with some of `every` item given back."""
        holds, spells = dict(self.holds), dict(self.spells)
        # What a planned shed takes back is in its answer.
        kw = sum(holds[item.point].kw for item in items if not item.group.planned)
        for item in items:
            del holds[item.point]
        held = {item.equipment for item in every if item.point in holds}
        for item in items:
            if item.equipment not in held:
                spells[item.equipment] = closed(spells.get(item.equipment, ()), now)
        actions = (*self.actions, Action(now, kw)) if kw > 0.0 else self.actions
        track = self.track and without_ramp(self.track)
        ended = {**self.ended, **{item.point: now for item in items}}
        return replace(self, holds=holds, spells=spells, ended=ended, actions=actions, track=track)
