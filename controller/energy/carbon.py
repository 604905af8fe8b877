"""Carbon: metered energy times the factor of its year (電力排碳係數), each factor with its source.

The Energy Administration publishes the factor of a year in the spring after it. A year has its own factor; one that has
none yet takes the latest before it, and says so: such a figure is provisional and is stated anew when the factor comes.
Location-based, without certificates of renewable energy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Emission", "Factor", "Used", "emission", "factor_of"]


@dataclass(frozen=True, slots=True)
class Factor:
    """The factor of one year (AD)."""

    year: int
    kg_per_kwh: float
    """kg CO2e per kWh."""
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """A factor as it is used for a year."""

    year: int
    factor: Factor
    provisional: bool
    """True: the year has no factor of its own, and that of the year before (the first one: after) stands in."""


@dataclass(frozen=True, slots=True)
class Emission:
    """The carbon of a span."""

    kg: float
    used: tuple[Used, ...]
    """One a year that the span touches."""


def factor_of(factors: Iterable[Factor], year: int) -> Used | None:
    """Return the factor for a year; None when there is none at all."""
    known = sorted(factors, key=lambda factor: factor.year)
    if not known:
        return None
    earlier = [factor for factor in known if factor.year <= year]
    factor = earlier[-1] if earlier else known[0]
    return Used(year, factor, provisional=factor.year != year)


def emission(factors: Iterable[Factor], kwh: Mapping[int, float]) -> Emission | None:
    """Return the carbon of energy by year; None when no factor is known."""
    known = tuple(factors)
    used = [factor_of(known, year) for year in sorted(kwh)]
    found = [one for one in used if one is not None]
    if not found or len(found) < len(used):
        return None
    return Emission(sum(kwh[one.year] * one.factor.kg_per_kwh for one in found), tuple(found))
