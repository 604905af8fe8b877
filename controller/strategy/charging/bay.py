"""A charger with the car at it as people ask for it: who, until when, how much, is there time, who said what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from controller.point.model import Name
    from controller.strategy.charging.declaration import Declared
    from controller.strategy.charging.demand import Rank

__all__ = ["SHORT_KWH", "Bay", "Verdict", "judged"]

Verdict = Literal["none", "in_time", "short", "stopped", "unknown"]
"""`in_time` and `short` are what the plan in force says of this very session; `unknown`: there is none that says."""
SHORT_KWH = 0.5
"""Less than this that a car will lack is not worth a word."""


@dataclass(frozen=True, slots=True)
class Bay:
    """One charger at the last decision."""

    charger: str
    state: str
    """See `controller.strategy.charging.saying.Row.state`."""
    there: bool | None
    """A car is plugged in; None: not known."""
    verdict: Verdict = "none"
    since_ns: int = 0
    """Beginning of the session; 0: there is none."""
    kwh: float = math.nan
    """Delivered so far."""
    wanted_kwh: float = math.nan
    """Still wanted; NaN when not known."""
    wanted_of: str = ""
    """`declared`, `measured` or `assumed`."""
    leaves_ns: int = 0
    leaves_of: str = ""
    """`declared`, `listed` or `assumed`."""
    who: Rank | None = None
    rank: Rank | None = None
    """Whom it is served with."""
    car: str = ""
    """The official car."""
    meter_kwh: float = math.nan
    """Counter of the charger at the beginning of the session."""
    short_kwh: float = math.nan
    """What it will lack by the plan; NaN when no plan says."""
    why: Name | None = None
    """Why the charger has its value; None where the strategy tells it none."""
    said: Declared | None = None
    """What was declared of this session."""


def judged(state: str, short_kwh: float) -> Verdict:
    """Return whether the car will have its energy when it leaves.

    Args:
        state: of the charger.
        short_kwh: what it will lack by the plan; NaN where no plan says.
    """
    if state == "free":
        return "none"
    if state in ("unknown", "held"):
        return "unknown"
    if state == "halted":
        return "stopped"
    if state == "content":
        return "in_time"
    if not math.isfinite(short_kwh):
        return "unknown"
    return "short" if short_kwh >= SHORT_KWH else "in_time"
