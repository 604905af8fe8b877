"""What energy costs at a time, for plans of a day: rows of a time-of-use table (時間電價)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DAYS", "Days", "Price", "PriceTable", "uncovered"]

Days = Literal["weekday", "saturday", "sunday"]
DAYS: tuple[Days, ...] = ("weekday", "saturday", "sunday")
_DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Price:
    """One price: in a part of the year, on a kind of day, between two times."""

    price: float
    """NT$/kWh."""
    first: tuple[int, int]
    """(month, day) of the first day; after `last` where it goes over New Year."""
    last: tuple[int, int]
    days: Days
    begin: int
    """Minutes after midnight."""
    end: int

    def has(self, month_day: tuple[int, int], days: Days) -> bool:
        """Tell whether it is of a kind of day on a date."""
        if self.first <= self.last:
            inside = self.first <= month_day <= self.last
        else:
            inside = month_day >= self.first or month_day <= self.last
        return inside and days == self.days

    def on(self, day: date) -> bool:
        """Tell whether it is of a day."""
        return self.has((day.month, day.day), DAYS[max(day.weekday() - 4, 0)])


@dataclass(frozen=True, slots=True)
class PriceTable:
    """All prices of an account."""

    rows: tuple[Price, ...]
    timezone: str = "Asia/Taipei"

    def at(self, time_ns: int) -> float:
        """Return NT$/kWh at a time; NaN where no row has it."""
        local = datetime.fromtimestamp(time_ns // 1_000_000_000, ZoneInfo(self.timezone))
        minute = local.hour * 60 + local.minute
        for row in self.rows:
            if row.begin <= minute < row.end and row.on(local):
                return row.price
        return math.nan


def uncovered(rows: Iterable[Price]) -> tuple[tuple[int, int], Days, int, str] | None:
    """Return the first date, kind of day and minute that has no price, or two, and which of these.

    Any date may be any kind of day in some year.
    """
    known = tuple(rows)
    year = [date(2028, 1, 1) + timedelta(days=at) for at in range(366)]
    for month_day, days in itertools.product(((one.month, one.day) for one in year), DAYS):
        reached = 0
        for begin, end in sorted((row.begin, row.end) for row in known if row.has(month_day, days)):
            if begin != reached:
                return month_day, days, min(begin, reached), "gap" if begin > reached else "overlap"
            reached = end
        if reached != _DAY_MINUTES:
            return month_day, days, reached, "gap"
    return None
