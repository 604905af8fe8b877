"""All schedules of a site, evaluated as the state at a time: what each piece of equipment should do, and why.

Nothing here remembers an edge. Whoever looks late, after a restart or after the clock was set, sees the same state as
one who looked all the time. Above all is an exception with a mode, then a booking, then the pattern of the day, whose
type an exception may change; outside of its spans the schedule's default holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from controller.office import HOLIDAY, MAKEUP, WEEKDAYS, Day, OfficeCalendar
from controller.point.model import Name
from controller.schedule.booking import between
from controller.schedule.schedule import DAY_MIN, Schedule, SpecialPeriod

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.schedule.booking import Booking, Venue

__all__ = ["Cause", "Interval", "State", "Timetable", "Use", "span_of", "touching", "uses"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_NS = 60_000_000_000
_STEP_MIN = 15
"""Zones change their offset at whole quarters of an hour."""
_NOBODY = Name("", "")


class Cause(NamedTuple):
    """Why a mode holds."""

    kind: str
    """`exception`, `booking`, `holiday`, `makeup`, `pattern`, `default` or `disabled`."""
    id: str = ""
    """Of the exception or booking."""
    name: Name = _NOBODY
    """Of the exception, booking or holiday."""


class State(NamedTuple):
    """What a schedule wants at a time."""

    mode: str
    """Empty: nothing, the points are released."""
    cause: Cause


@dataclass(frozen=True, slots=True)
class Interval:
    """A state from one time to another, ns UTC; `end_ns` is the first moment after it."""

    start_ns: int
    end_ns: int
    state: State


@dataclass(frozen=True, slots=True)
class Use:
    """A booking with every piece of equipment that it uses: its own and its venue's."""

    booking: Booking
    equipment: frozenset[str]


def uses(bookings: Iterable[Booking], venues: Mapping[str, Venue]) -> list[Use]:
    """Return bookings with all that they use, those that use nothing left out."""
    found = []
    for booking in bookings:
        venue = venues.get(booking.venue)
        equipment = frozenset(booking.equipment) | frozenset(venue.equipment if venue else ())
        if equipment:
            found.append(Use(booking, equipment))
    return found


@dataclass(frozen=True, slots=True)
class Timetable:
    """Schedules, exceptions, and the calendar of the offices; never changed."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Taipei"))
    office: OfficeCalendar = field(default_factory=OfficeCalendar)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    exceptions: Mapping[str, SpecialPeriod] = field(default_factory=dict)

    def local(self, time_ns: int) -> tuple[date, int]:
        """Return the local day, and the whole minutes of its clock since midnight."""
        moment = (_EPOCH + timedelta(microseconds=time_ns // 1_000)).astimezone(self.zone)
        return moment.date(), moment.hour * 60 + moment.minute

    def instant(self, day: date, minute: int, *, again: bool = False) -> int:
        """Return ns UTC of a local day and minute; 1,440 is the next midnight.

        `again` is its second time in a night in which the clocks are set back.
        """
        moment = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - its zone follows
        since = moment.replace(tzinfo=self.zone, fold=int(again)) - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000_000

    def day(self, schedule: Schedule, day: date) -> tuple[Day, SpecialPeriod | None]:
        """Return what a day is for a schedule, and the exception that makes it so."""
        for special in self._special(schedule):
            if special.day_type and special.first <= day <= special.last:
                return Day(day, special.day_type, special.title), special
        return self.office.day(day), None

    def state(self, schedule: Schedule, time_ns: int, equipment: str = "", used: Sequence[Use] = ()) -> State:
        """Return what a schedule wants of a piece of equipment at a time; without one bookings do not count."""
        if not schedule.enabled:
            return State("", Cause("disabled"))
        day, minute = self.local(time_ns)
        for special in self._special(schedule):
            within = special.first <= day <= special.last and special.start_min <= minute < special.end_min
            if special.mode and within:
                return State(special.mode, Cause("exception", special.id, special.title))
        if equipment and schedule.booking_mode:
            found = [use.booking for use in used if equipment in use.equipment and _holds(schedule, use, time_ns)]
            if found:
                booking = max(found, key=lambda one: (one.end_ns, one.id))
                return State(schedule.booking_mode, Cause("booking", booking.id, booking.title))
        what, special_day = self.day(schedule, day)
        mode = _pattern(schedule, what.type, minute)
        return State(schedule.default if mode is None else mode, _cause(what, special_day, inside=mode is not None))

    def intervals(
        self, schedule: Schedule, start_ns: int, end_ns: int, equipment: str = "", used: Sequence[Use] = ()
    ) -> list[Interval]:
        """Return the states from one time to another, one after the other, each as long as it stays the same."""
        edges = sorted({start_ns, *self._edges(schedule, start_ns, end_ns, equipment, used)})
        found: list[Interval] = []
        for place, edge in enumerate(edges):
            until = edges[place + 1] if place + 1 < len(edges) else end_ns
            state = self.state(schedule, edge, equipment, used)
            if found and found[-1].state == state:
                found[-1] = Interval(found[-1].start_ns, until, state)
            else:
                found.append(Interval(edge, until, state))
        return found

    def next_change(
        self, schedule: Schedule, time_ns: int, until_ns: int, equipment: str = "", used: Sequence[Use] = ()
    ) -> Interval | None:
        """Return the first interval after a time in which another mode holds; None when there is none until then."""
        now = self.state(schedule, time_ns, equipment, used)
        for interval in self.intervals(schedule, time_ns, until_ns, equipment, used):
            if interval.state.mode != now.mode:
                return interval
        return None

    def _special(self, schedule: Schedule) -> list[SpecialPeriod]:
        return [special for special in self.exceptions.values() if schedule.id in special.schedules]

    def _edges(
        self, schedule: Schedule, start_ns: int, end_ns: int, equipment: str, used: Sequence[Use]
    ) -> Iterable[int]:
        minutes = {0} | {minute for span in schedule.weekly for minute in (span.start_min, span.end_min)}
        minutes |= {minute for special in self._special(schedule) for minute in (special.start_min, special.end_min)}
        day, last = self.local(start_ns)[0], self.local(end_ns)[0]
        while day <= last:
            edges = {self.instant(day, minute) for minute in minutes}
            if self.instant(day, DAY_MIN) - self.instant(day, 0) != DAY_MIN * _MINUTE_NS:
                # The clocks are set in this night: a time of day comes twice or never, so every quarter is looked at.
                midnight = self.instant(day, 0)
                edges |= {self.instant(day, minute, again=True) for minute in minutes}
                edges |= {midnight + step * _STEP_MIN * _MINUTE_NS for step in range(104)}
            yield from (edge for edge in edges if start_ns < edge < end_ns)
            day += timedelta(days=1)
        for use in used if equipment and schedule.booking_mode else ():
            if equipment in use.equipment:
                yield from (edge for edge in span_of(schedule, use.booking) if start_ns < edge < end_ns)


def span_of(schedule: Schedule, booking: Booking) -> tuple[int, int]:
    """Return from when to when a booking switches its equipment, ns UTC, lead and lag counted in."""
    return booking.start_ns - schedule.lead_min * _MINUTE_NS, booking.end_ns + schedule.lag_min * _MINUTE_NS


def _holds(schedule: Schedule, use: Use, time_ns: int) -> bool:
    start_ns, end_ns = span_of(schedule, use.booking)
    return start_ns <= time_ns < end_ns


def _pattern(schedule: Schedule, day_type: str, minute: int) -> str | None:
    """Return the mode of a span; None outside of all. A make-up workday without a pattern of its own is a Friday."""
    if day_type == MAKEUP and not any(MAKEUP in span.days for span in schedule.weekly):
        day_type = WEEKDAYS[4]
    for span in schedule.weekly:
        if day_type in span.days and span.start_min <= minute < span.end_min:
            return span.mode
    return None


def _cause(day: Day, special: SpecialPeriod | None, *, inside: bool) -> Cause:
    if special is not None:
        return Cause("exception", special.id, special.title)
    if day.type in (HOLIDAY, MAKEUP):
        return Cause(day.type, "", day.name)
    return Cause("pattern" if inside else "default")


def touching(used: Iterable[Use], schedule: Schedule, start_ns: int, end_ns: int) -> list[Use]:
    """Return the uses that switch something of a schedule between two times, lead and lag counted in."""
    if not schedule.booking_mode:
        return []
    mine = frozenset(schedule.equipment)
    by_booking = {use.booking.id: use for use in used if use.equipment & mine}
    wide = between(
        (use.booking for use in by_booking.values()),
        start_ns - schedule.lag_min * _MINUTE_NS,
        end_ns + schedule.lead_min * _MINUTE_NS,
    )
    return [by_booking[booking.id] for booking in wide]
