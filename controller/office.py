"""The office calendar (辦公日曆): which days are holidays, and which Saturdays are workdays for a bridge day.

Taiwan's holidays come from `holidays`, whose list follows the Act of 28 May 2025 (紀念日及節日實施條例) and, up to
`PUBLISHED_UNTIL`, the work calendars of the Directorate-General of Personnel Administration (行政院人事行政總處).
Days that it does not know, such as typhoon days and later decisions, are added by the site's files.

There is one: schedules, the duty roster, routes of alarms and the rules' `workday` ask the same calendar, so a typhoon
day is one for all of them. The off-peak days of a tariff are not the office's (`controller.energy.festival`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import holidays

from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DAY_TYPES", "HOLIDAY", "MAKEUP", "PUBLISHED_UNTIL", "WEEKDAYS", "Day", "OfficeCalendar"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of `date.weekday()`."""
HOLIDAY, MAKEUP = "holiday", "makeup"
DAY_TYPES = (*WEEKDAYS, HOLIDAY, MAKEUP)
"""What a day can be: one of the week, a public holiday, or a workday that makes up for a bridge day."""
PUBLISHED_UNTIL = 2026
"""Last year whose work calendar `holidays` 0.109 was checked with; later years follow from the Act alone, so a bridge
day and its make-up workday may still be decided."""
_NOBODY = Name("", "")


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the office calendar."""

    day: date
    type: str
    """Of `DAY_TYPES`."""
    name: Name = _NOBODY
    """Of the holiday, or of what a workday makes up for."""
    added: bool = False
    """True where the site's files say so."""
    published: bool = True
    """False for a year of which only the law is known."""

    @property
    def workday(self) -> bool:
        """Tell whether the offices are open."""
        return self.type == MAKEUP or self.type in WEEKDAYS[:5]


@dataclass(frozen=True, slots=True)
class OfficeCalendar:
    """The country's calendar with what the site adds; what is added is above the country's."""

    country: str = "TW"
    """`TW`; the empty one has weekends alone."""
    added: Mapping[date, Day] = field(default_factory=dict)

    def day(self, day: date) -> Day:
        """Return what a day is, of a local time that of its day. Weekends without a holiday are `sat` and `sun`."""
        if isinstance(day, datetime):  # one is a date too, and would be found in no mapping of days
            day = day.date()
        found = self.added.get(day)
        if found is not None:
            return found
        published = day.year <= PUBLISHED_UNTIL or not self.country
        if self.country:
            named, makeup = _year(self.country, day.year)
            if day in named:
                return Day(day, HOLIDAY, named[day], published=published)
            if day in makeup:
                return Day(day, MAKEUP, Name("補班日", "Make-up workday"), published=published)
        return Day(day, WEEKDAYS[day.weekday()], published=published)

    def workday(self, day: date) -> bool:
        """Tell whether the offices are open on a local day."""
        return self.day(day).workday

    def special(self, first: date, days: int) -> list[Day]:
        """Return the holidays and make-up workdays among `days` days from `first`."""
        found = (self.day(first + timedelta(days=place)) for place in range(days))
        return [day for day in found if day.type in (HOLIDAY, MAKEUP)]


@lru_cache(maxsize=16)
def _year(country: str, year: int) -> tuple[Mapping[date, Name], frozenset[date]]:
    """Return the holidays of a year with their names, and the weekend days on which people work."""
    known = holidays.country_holidays(country, years=year, language="zh_TW")
    english = holidays.country_holidays(country, years=year, language="en_US")
    named = {day: Name(name, english.get(day, name)) for day, name in known.items() if day.year == year}
    return named, frozenset(day for day in known.weekend_workdays if day.year == year)
