"""Local days and hours of the building."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

__all__ = ["Calendar", "Moment"]

_HOUR_NS = 3_600_000_000_000
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in local time."""

    time_ns: int
    day: int
    """Local days since 1970-01-01."""
    hour: float
    """0 <= hour < 24."""
    workday: bool
    """Monday to Friday and no public holiday, or a day at a weekend that makes up for one."""


class Calendar:
    """Turns ns UTC into local days and hours; one look-up of the zone an hour, and of the holidays a day."""

    def __init__(self, timezone: str, country: str = "") -> None:
        """`timezone` is a name of the IANA database, `country` an ISO 3166 code; empty: no public holidays."""
        self._country = country
        self._zone = ZoneInfo(timezone)
        self._hour = -1
        self._offset_s = 0.0
        self._day = -1
        self._workday = False

    def at(self, time_ns: int) -> Moment:
        """Return the local moment."""
        hour = time_ns // _HOUR_NS
        if hour != self._hour:
            offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(self._zone).utcoffset()
            self._offset_s = offset.total_seconds() if offset else 0.0
            self._hour = hour
        seconds = time_ns / 1e9 + self._offset_s
        day = int(seconds // _DAY_S)
        if day != self._day:
            self._day, self._workday = day, _works(self._country, day)
        return Moment(time_ns, day, (seconds - day * _DAY_S) / 3600.0, self._workday)


def _works(country: str, day: int) -> bool:
    # 1970-01-01 was a Thursday.
    weekday = (day + 3) % 7 < 5
    if not country:
        return weekday
    when = date.fromordinal(date(1970, 1, 1).toordinal() + day)
    free, worked = _year(country, when.year)
    return when in worked or (weekday and when not in free)


@lru_cache(maxsize=8)
def _year(country: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """Return the public holidays of a year, and the days at weekends on which people work."""
    known = holidays.country_holidays(country, years=year)
    return frozenset(known), frozenset(known.weekend_workdays)
