"""Time-of-use tariff (時間電價): which price a quarter of an hour has. Everything that Taipower may change is data.

A day has a season (夏月, 非夏月) and a day type (weekday, Saturday, or off-peak day 離峰日: Sundays and the tariff's
own list, which is not the office calendar); the two give the periods (時段) of its 24 hours.

Source of the rules: Taipower tariff book 電價表, in force from 1 October 2025 (text of 17 November 2025), chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from controller.energy.festival import festival

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from controller.point.model import Name

__all__ = [
    "DAY_MINUTES",
    "DAY_TYPES",
    "KINDS",
    "PERIODS",
    "SEASONS",
    "Account",
    "Contract",
    "ExcessTier",
    "Hours",
    "OffPeakDay",
    "PowerFactorRule",
    "Season",
    "Tariff",
    "TariffPlan",
    "uncovered",
]

PERIODS = ("peak", "half_peak", "saturday", "off_peak")
"""尖峰, 半尖峰, 週六半尖峰, 離峰; in the order in which over-contract is counted."""
SEASONS = ("summer", "non_summer")
DAY_TYPES = ("weekday", "saturday", "off_peak_day")
KINDS = ("two_section", "three_section")
"""二段式, 三段式 (fixed peak)."""
DAY_MINUTES = 1_440


@dataclass(frozen=True, slots=True)
class Season:
    """A span of the year, both days included; it may go over New Year."""

    id: str
    first: tuple[int, int]
    """(month, day)"""
    last: tuple[int, int]

    def has(self, day: date) -> bool:
        """Tell whether a day is in it."""
        at = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last


@dataclass(frozen=True, slots=True)
class Hours:
    """The periods of a day of one season and type."""

    season: str
    day_type: str
    spans: tuple[tuple[int, int, str], ...]
    """(from, to, period): minutes after midnight, `from` included; in order, without gap or overlap."""


@dataclass(frozen=True, slots=True)
class OffPeakDay:
    """A rule for days that are off-peak as a whole: a day of the year, or a festival, and days around it."""

    name: Name
    month: int = 0
    day: int = 0
    festival: str = ""
    """One of `controller.energy.festival.FESTIVALS`; empty where month and day say it."""
    offset: int = 0
    """Days from that day to the first of the span."""
    days: int = 1

    def dates(self, year: int) -> list[date]:
        """Return the days that belong to one year's day or festival."""
        begin = festival(self.festival, year) if self.festival else date(year, self.month, self.day)
        return [begin + timedelta(days=self.offset + at) for at in range(self.days)]


@dataclass(frozen=True, slots=True)
class ExcessTier:
    """A part of what was used over the contract, and how many times the basic price it costs."""

    share: Decimal | None
    """Of the contract capacity of the period; None: all beyond the tiers before."""
    times: Decimal


@dataclass(frozen=True, slots=True)
class PowerFactorRule:
    """How the month's mean power factor changes the bill, per whole per cent."""

    base_percent: int
    cap_percent: int
    step: Decimal
    """Share of basic and energy charge a point: 0.001 is 0.1 %."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """One price table with its dates of validity."""

    id: str
    kind: str
    voltage: str
    valid_from: date
    valid_to: date | None
    """Its last day; None: until another one is known."""
    checked_until: date
    """Up to which day somebody compared the prices with the published ones; a later bill says so."""
    source: str
    seasons: tuple[Season, ...]
    hours: tuple[Hours, ...]
    basic: Mapping[str, Mapping[str, Decimal]]
    """NT$ a kW and month, by season and period of the contract capacity."""
    energy: Mapping[str, Mapping[str, Decimal]]
    """NT$ a kWh, by season and period."""
    tiers: tuple[ExcessTier, ...]
    power_factor: PowerFactorRule
    off_peak_days: tuple[OffPeakDay, ...]
    note: str = ""

    def season_of(self, day: date) -> str:
        """Return the season of a day."""
        return next(season.id for season in self.seasons if season.has(day))

    def day_type(self, day: date) -> str:
        """Return the day type."""
        if day.weekday() == 6 or day in _off_peak(self.off_peak_days, day.year):
            return "off_peak_day"
        return "saturday" if day.weekday() == 5 else "weekday"

    def spans_of(self, day: date) -> tuple[tuple[int, int, str], ...]:
        """Return the periods of a day: (from, to, period) in minutes after midnight."""
        season, kind = self.season_of(day), self.day_type(day)
        return next(hours.spans for hours in self.hours if (hours.season, hours.day_type) == (season, kind))

    def period_at(self, day: date, minute: int) -> str:
        """Return the period of a minute of a day, 0..1439."""
        return next(period for begin, end, period in self.spans_of(day) if begin <= minute < end)


@dataclass(frozen=True, slots=True)
class Contract:
    """Contract capacities (契約容量), kW."""

    regular: Decimal
    """經常契約"""
    half_peak: Decimal
    """半尖峰契約; with two sections 非夏月契約"""
    saturday: Decimal
    """週六半尖峰契約"""
    off_peak: Decimal
    """離峰契約"""


@dataclass(frozen=True, slots=True)
class Account:
    """The site's account with the utility."""

    kind: str
    voltage: str
    contract: Contract
    coefficient: Decimal
    """電價調整係數 of the industry; 1 where there is none."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class TariffPlan:
    """What tariff.toml says: the account, and the tables of its kind in the order of their dates."""

    account: Account | None = None
    tables: tuple[Tariff, ...] = field(default=())

    def table_of(self, day: date) -> Tariff | None:
        """Return the table that is valid on a day; None before the first and after the last one."""
        for table in self.tables:
            if table.valid_from <= day and (table.valid_to is None or day <= table.valid_to):
                return table
        return None


def uncovered(spans: Iterable[tuple[int, int, str]]) -> tuple[int, str] | None:
    """Return the first minute at which the spans of a day are not a partition of it, and `gap` or `overlap`."""
    reached = 0
    for begin, end, _ in sorted(spans):
        if begin != reached:
            return min(begin, reached), "gap" if begin > reached else "overlap"
        reached = end
    return None if reached == DAY_MINUTES else (reached, "gap")


@lru_cache(maxsize=64)
def _off_peak(rules: tuple[OffPeakDay, ...], year: int) -> frozenset[date]:
    # A festival of the moon is weeks away from New Year; a span around a fixed day may reach over it.
    return frozenset(
        day
        for rule in rules
        for near in ((year,) if rule.festival else (year - 1, year, year + 1))
        for day in rule.dates(near)
    )
