"""The duty roster: who is on duty at a time, by weekly pattern, holidays and substitutes. Pure, as the state at a time.

A shift names days (`mon` … `sun`, `workday`, `holiday`, `every`) and a time of day; one that ends at or before its
begin runs into the next day and belongs to the day on which it begins. Everybody whose shift covers the time is on
duty. Where nobody is, those of `otherwise` are: a duty is never without anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from zoneinfo import ZoneInfo

    from controller.point.model import Name

__all__ = ["DAYS", "Duty", "Hours", "Quiet", "Shift", "Span", "Substitute", "local", "spans"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "workday", "holiday", "every")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MIN = 1440
_MOST_DAYS = 31


def local(time_ns: int, zone: ZoneInfo) -> datetime:
    """Return a time of the site, exact to the microsecond."""
    return (_EPOCH + timedelta(microseconds=time_ns // 1_000)).astimezone(zone)


@dataclass(frozen=True, slots=True)
class Hours:
    """Days and a time of day: minutes after local midnight, 0..1439; an end not after the start is the next day's."""

    days: tuple[str, ...] = ("every",)
    start_min: int = 0
    end_min: int = 0

    def cover(self, moment: datetime, workday: Callable[[date], bool]) -> bool:
        """Tell whether a local time is within."""
        day, minute = moment.date(), moment.hour * 60 + moment.minute
        if self.start_min < self.end_min:
            return self._on(day, workday) and self.start_min <= minute < self.end_min
        if minute >= self.start_min and self._on(day, workday):
            return True
        return minute < self.end_min and self._on(day - timedelta(days=1), workday)

    def _on(self, day: date, workday: Callable[[date], bool]) -> bool:
        names = {"every", DAYS[day.weekday()], "workday" if workday(day) else "holiday"}
        return not names.isdisjoint(self.days)


@dataclass(frozen=True, slots=True)
class Quiet(Hours):
    """Hours in which messages of these priorities wait; never those of life safety."""

    priorities: tuple[int, ...] = (3, 4)

    def end_ns(self, time_ns: int, zone: ZoneInfo, workday: Callable[[date], bool]) -> int:
        """Return when the quiet hours that cover `time_ns` end: where the next begin as these end, when those do.

        Hours that never end hold a message for `_MOST_DAYS`.
        """
        end = local(time_ns, zone).replace(second=0, microsecond=0)
        for _ in range(_MOST_DAYS):
            minute = end.hour * 60 + end.minute
            end += timedelta(minutes=(self.end_min - minute) % _DAY_MIN or _DAY_MIN)
            if not self.cover(end, workday):
                break
        since = end.astimezone(UTC) - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is on duty in which hours; contacts by id."""

    hours: Hours
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Substitute:
    """Somebody who stands in for a contact for a time."""

    contact: str
    by: str
    start_ns: int
    end_ns: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Duty:
    """One duty of the house, such as that of the electrical engineer on call."""

    id: str
    name: Name
    shifts: tuple[Shift, ...]
    otherwise: tuple[str, ...]
    """Who is told while nobody is on duty."""
    substitutes: tuple[Substitute, ...] = ()

    def on(self, time_ns: int, zone: ZoneInfo, workday: Callable[[date], bool]) -> tuple[str, ...]:
        """Return who is on duty, in the order of the shifts, each once; `otherwise` where nobody is."""
        return self._planned(time_ns, zone, workday) or self.otherwise

    def _planned(self, time_ns: int, zone: ZoneInfo, workday: Callable[[date], bool]) -> tuple[str, ...]:
        moment = local(time_ns, zone)
        planned = [name for shift in self.shifts if shift.hours.cover(moment, workday) for name in shift.contacts]
        return tuple(dict.fromkeys(self._instead(name, time_ns) for name in planned))

    def _instead(self, contact: str, time_ns: int) -> str:
        """Follow substitutes of substitutes; two who stand in for each other end at the first one met twice."""
        seen = {contact}
        while True:
            found = next(
                (one.by for one in self.substitutes if one.contact == contact and one.start_ns <= time_ns < one.end_ns),
                "",
            )
            if not found or found in seen:
                return contact
            seen.add(found)
            contact = found

    def covered(self, time_ns: int, zone: ZoneInfo, workday: Callable[[date], bool]) -> bool:
        """Tell whether a shift covers the time, so that `otherwise` is not needed."""
        return bool(self._planned(time_ns, zone, workday))


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which the same people are on duty."""

    start_ns: int
    end_ns: int
    contacts: tuple[str, ...]
    covered: bool
    """False: nobody was planned, and these are those of `otherwise`."""


def spans(duty: Duty, start_ns: int, end_ns: int, zone: ZoneInfo, workday: Callable[[date], bool]) -> list[Span]:
    """Return who is on duty from `start_ns` to `end_ns`, neighbours with the same people joined."""
    found: list[Span] = []
    edges = sorted({start_ns, *(edge for edge in _edges(duty, start_ns, end_ns, zone) if start_ns < edge < end_ns)})
    for at, until in zip(edges, [*edges[1:], end_ns], strict=True):
        one = Span(at, until, duty.on(at, zone, workday), duty.covered(at, zone, workday))
        last = found[-1] if found else None
        if last is not None and (last.contacts, last.covered) == (one.contacts, one.covered):
            found[-1] = Span(last.start_ns, until, last.contacts, last.covered)
        else:
            found.append(one)
    return found


def _edges(duty: Duty, start_ns: int, end_ns: int, zone: ZoneInfo) -> Iterator[int]:
    """Yield every time at which somebody may change, also some at which nobody does."""
    for substitute in duty.substitutes:
        yield from (substitute.start_ns, substitute.end_ns)
    minutes = {0} | {edge for shift in duty.shifts for edge in (shift.hours.start_min, shift.hours.end_min)}
    day = local(start_ns, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while True:
        since = day.astimezone(UTC) - _EPOCH
        if (since.days * 86_400 + since.seconds) * 1_000_000_000 >= end_ns:
            return
        for minute in minutes:
            at = day.replace(hour=minute // 60, minute=minute % 60).astimezone(UTC) - _EPOCH
            yield (at.days * 86_400 + at.seconds) * 1_000_000_000
        day += timedelta(days=1)
