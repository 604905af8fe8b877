"""What feeds the chargers: the contract, transformers, feeders; what each has left now and in the steps to come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.strategy.charging.course import usual
from controller.strategy.charging.demand import PHASE_KV, Circuit
from controller.strategy.charging.room import forecast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import tzinfo

    from controller.point.model import Name
    from controller.strategy.charging.course import Course
    from controller.strategy.charging.session import Calendar

__all__ = ["Supply", "ahead", "at_once", "others_kw"]


@dataclass(frozen=True, slots=True)
class Supply:
    """One limit that chargers share, and the meter that tells how much of it is used."""

    id: str
    name: Name
    chargers: frozenset[str]
    limit_kw: float = math.inf
    """Of all that the meter sees; kVA where the meter counts these, which is the same or safer."""
    meter: str = ""
    """Address of a point in kW or kVA; empty where only chargers hang on it."""
    limit_a: float = math.inf
    """Of each phase, for the chargers alone."""
    safe_kw: float = 3.0 * PHASE_KV * 8.0
    """What each of its cars may have while its meter is not to be believed: the safe current of 8 A."""


def others_kw(supply: Supply, reading: float, drawn: Mapping[str, float]) -> float:
    """Return what else than planned cars a circuit carries, kW; NaN when its meter is not to be believed.

    Args:
        supply: the circuit.
        reading: of its meter; NaN when bad or stale.
        drawn: what the planned chargers draw, kW. One that is not here is a part of the others.
    """
    if not supply.meter:
        return 0.0
    return max(reading - sum(kw for one, kw in drawn.items() if one in supply.chargers), 0.0)


def at_once(supplies: Iterable[Supply], others: Mapping[str, float], cars: Iterable[str]) -> tuple[Circuit, ...]:
    """Return the circuits with what they have left now, in one step."""
    here = tuple(cars)
    return tuple(
        Circuit(
            one.id, one.chargers, (_left(one, others[one.id], here),), one.limit_a,
            metered=bool(one.meter) and math.isfinite(others[one.id]),
        )
        for one in supplies
    )  # fmt: skip


def ahead(
    supplies: Iterable[Supply],
    others: Mapping[str, float],
    cars: Iterable[str],
    courses: Mapping[str, Course],
    now_ns: int,
    hours: Sequence[float],
    zone: tzinfo,
    calendar: Calendar,
) -> tuple[Circuit, ...]:
    """Return the circuits with what they will have left in each step."""
    found = []
    here = tuple(cars)
    for one in supplies:
        now_kw = others[one.id]
        if not one.meter or math.isnan(now_kw):
            row = (_left(one, now_kw, here),) * len(hours)
        else:
            expected = forecast(usual(courses[one.id], now_ns, hours, zone, calendar), hours, now_kw)
            row = tuple(float(one.limit_kw - kw) for kw in expected)
        found.append(Circuit(one.id, one.chargers, row, one.limit_a))
    return tuple(found)


def _left(supply: Supply, others: float, cars: tuple[str, ...]) -> float:
    if math.isnan(others):
        return supply.safe_kw * sum(one in supply.chargers for one in cars)
    return supply.limit_kw - others
