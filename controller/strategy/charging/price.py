"""What energy costs at a time, for plans of a day: rows of a time-of-use table (時間電價)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

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

    def on(self, day: date) -> bool:
        """Tell whether it is of a day."""
        at = (day.month, day.day)
        inside = self.first <= at <= self.last if self.first <= self.last else at >= self.first or at <= self.last
        return inside and DAYS[max(day.weekday() - 4, 0)] == self.days


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


def uncovered(rows: Iterable[Price], days: Iterable[date]) -> tuple[date, int, str] | None:
    """Return the first day and minute that has no price, or two, and which of these: `gap` or `overlap`."""
    known = tuple(rows)
    for day in days:
        reached = 0
        for begin, end in sorted((row.begin, row.end) for row in known if row.on(day)):
            if begin != reached:
                return day, min(begin, reached), "gap" if begin > reached else "overlap"
            reached = end
        if reached != _DAY_MINUTES:
            return day, reached, "gap"
    return None
