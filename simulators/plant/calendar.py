"""Local days and hours of the building."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

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
    """Monday to Friday."""


class Calendar:
    """Turns ns UTC into local days and hours; one look-up of the zone an hour."""

    def __init__(self, timezone: str) -> None:
        """`timezone` is a name of the IANA database."""
        self._zone = ZoneInfo(timezone)
        self._hour = -1
        self._offset_s = 0.0

    def at(self, time_ns: int) -> Moment:
        """Return the local moment."""
        hour = time_ns // _HOUR_NS
        if hour != self._hour:
            offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(self._zone).utcoffset()
            self._offset_s = offset.total_seconds() if offset else 0.0
            self._hour = hour
        seconds = time_ns / 1e9 + self._offset_s
        day = int(seconds // _DAY_S)
        # 1970-01-01 was a Thursday.
        return Moment(time_ns, day, (seconds - day * _DAY_S) / 3600.0, (day + 3) % 7 < 5)
