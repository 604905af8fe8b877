"""What the charging strategy carries from decision to decision: sessions, values, and the plan in force."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.strategy.charging.outlook import Outlook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.strategy.charging.course import Course
    from controller.strategy.charging.declaration import Declared
    from controller.strategy.charging.demand import Demand, Problem
    from controller.strategy.charging.ledger import Quarter
    from controller.strategy.charging.plan import Plan
    from controller.strategy.charging.session import Session

__all__ = ["Asked", "Memory"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A plan that was asked for."""

    problem: Problem
    cars: tuple[tuple[str, int], ...]
    """Charger and beginning of each session, in the order of the problem's demands."""
    now_ns: int
    now: float
    room_kw: tuple[float, ...]
    """What the first circuit, the contract, leaves for cars in each step."""
    said: tuple[Declared | None, ...] = ()
    """What was declared of each car, in the same order."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What goes from decision to decision."""

    sessions: Mapping[str, Session] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    """What each charger was told last, in its unit; 0: a pause."""
    changed: Mapping[str, float] = field(default_factory=dict)
    """When that last changed, monotonic s."""
    courses: Mapping[str, Course] = field(default_factory=dict)
    asked: Asked | None = None
    held: tuple[Asked, Plan] | None = None
    """The plan in force."""
    trouble: str = ""
    """Why there is no new plan."""
    past: tuple[Quarter, ...] = ()
    met: frozenset[str] = frozenset()
    """Chargers that told whether a car is there, since the last gap in looking."""
    looked_ns: int = 0
    """When it looked last; 0: never."""
    left_ns: int = 0
    """When somebody looked last before the latest gap; 0: not known."""

    def since(self, values: Mapping[str, float], now: float) -> dict[str, float]:
        """Return when each of `values` was first told, monotonic s: `now` where it is another than before."""
        return {
            one: now if value != self.values.get(one) else self.changed.get(one, now) for one, value in values.items()
        }

    @property
    def outlook(self) -> Outlook | None:
        """Return the plan in force as it is shown; None where there is none."""
        if self.held is None:
            return None
        asked, plan = self.held
        return Outlook(
            asked.now_ns, asked.problem.hours, asked.problem.price, asked.room_kw, asked.problem.other_kw,
            asked.problem.demands, plan,
        )  # fmt: skip

    def plan_now(self, now_ns: int, demands: Mapping[str, Demand]) -> dict[str, float]:
        """Return what the plan has for each car now, kW; cars that it does not know are not in it.

        A car that it gives all that was thought it takes gets all that it is known to take by now.
        """
        if self.held is None:
            return {}
        asked, plan = self.held
        gone_h = (now_ns - asked.now_ns) / 3.6e12
        ends = np.cumsum(asked.problem.hours)
        step = int(np.searchsorted(ends, gone_h, side="right"))
        if step >= len(ends):
            return {}
        found = {}
        for i, (charger, since_ns) in enumerate(asked.cars):
            if charger in self.sessions and self.sessions[charger].since_ns == since_ns:
                kw = float(plan.power_kw[i, step])
                thought, known = asked.problem.demands[i].most_kw, demands.get(charger)
                found[charger] = known.most_kw if known is not None and kw >= 0.99 * thought else kw
        return found
