"""What the plan in force looks like, for those who show it: steps, prices, room, and the power of each car."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.strategy.charging.bay import Bay
    from controller.strategy.charging.demand import Demand
    from controller.strategy.charging.ledger import Quarter
    from controller.strategy.charging.plan import Plan

__all__ = ["Outlook", "Situation"]


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """A plan with what it was made from."""

    time_ns: int
    """Beginning of its first step."""
    hours: tuple[float, ...]
    price: tuple[float, ...]
    """NT$/kWh; empty where no tariff is valid all the time."""
    room_kw: tuple[float, ...]
    """What the contract leaves for cars in each step."""
    others_kw: tuple[float, ...]
    """What the building is expected to draw beside them."""
    demands: tuple[Demand, ...]
    """In the order of the rows of the plan."""
    plan: Plan


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """Plan against actual: the past day, and the plan in force."""

    past: tuple[Quarter, ...]
    outlook: Outlook | None
    bays: tuple[Bay, ...] = ()
    """Every charger at this decision."""
    over: tuple[tuple[str, int], ...] = ()
    """Declarations whose session has ended: charger, and when it was declared."""
