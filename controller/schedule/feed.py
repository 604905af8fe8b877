"""iCalendar: bookings as every calendar program writes them (RFC 5545), with their repetitions, and back again.

Repetitions are worked out by `recurring-ical-events`, in the zone of the event, for the span that is asked for. Rules
that repeat within a day are refused: they would be millions of bookings. So is whatever cannot be read: an event that
is passed over would be a venue that looks free.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import icalendar
import recurring_ical_events

from controller.errors import InvalidError
from controller.point.model import Name
from controller.schedule.booking import Booking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MAX_EVENTS", "Feed", "Note", "read_feed", "write_feed"]

MAX_EVENTS = 2_000
"""Events of one file."""
_MAX_OCCURRENCES = 5_000
_DAILY = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_RANGES: Mapping[str, int] = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
"""The greatest number of each part of a rule (RFC 5545, 3.3.10); but for months also negative, and never 0."""
_ONCE = ("UID", "SUMMARY", "LOCATION", "STATUS", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "SEQUENCE")
"""What an event has once (RFC 5545, 3.6.1)."""
_NEEDED = {*_ONCE, "RRULE", "RDATE", "EXDATE", None}
"""Without these a booking cannot be told; None is a line that is no property at all."""
_FAULTS = (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError)
"""What the libraries raise at an event that they cannot work with."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = timedelta(days=366)
_AROUND = timedelta(days=7)
"""So far around each begin repetitions are worked out when the file is read; what cannot be raises there."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One checked iCalendar file."""

    name: str
    """Its file, below the site's folder."""
    digest: str
    """Of its text; two feeds of one digest are the same."""
    venues: Mapping[str, str] = field(repr=False)
    """What a LOCATION says to the id of its venue."""
    zone: tzinfo = field(repr=False)
    calendar: icalendar.Calendar = field(repr=False, compare=False)

    def bookings(self, start_ns: int, end_ns: int) -> list[Booking]:
        """Return the bookings that touch a span, repetitions one by one; at most 5,000."""
        found = []
        query = recurring_ical_events.of(self.calendar, skip_bad_series=True)
        for event in query.between(_moment(start_ns), _moment(end_ns))[:_MAX_OCCURRENCES]:
            if _called_off(event):
                continue
            first, last = _span(event, self.zone)
            uid = _text(event, "UID")
            found.append(
                Booking(
                    id=f"{_slug(uid)}-{first.astimezone(self.zone):%Y%m%d%H%M}",
                    venue=self.venues[_text(event, "LOCATION")],
                    title=_title(event),
                    start_ns=_ns(first),
                    end_ns=_ns(last),
                    series=uid,
                )
            )
        return found


def read_feed(text: str, name: str, venues: Mapping[str, Name], zone: tzinfo) -> Feed:
    """Check an iCalendar file: each event has a UID, a title, a venue as its LOCATION (id or name), and a time.

    A time without a zone is refused, a whole day is one of `zone`. What has STATUS:CANCELLED books nothing, be it an
    event, a series or one day of it (RECURRENCE-ID); another LOCATION of one day moves that day alone.

    Raises:
        InvalidError: it is no iCalendar, or an event is not usable; the message names it by its UID or title.
    """
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except _FAULTS as error:
        raise InvalidError(f"no iCalendar: {str(error)[:120]}") from error
    if not isinstance(calendar, icalendar.Calendar):
        raise InvalidError("no iCalendar: BEGIN:VCALENDAR is wanted")
    if _text(calendar, "METHOD").upper() == "CANCEL":
        raise InvalidError("METHOD:CANCEL calls bookings off; wanted the calendar as it is, without those")
    events = calendar.walk("VEVENT")
    if len(events) > MAX_EVENTS:
        raise InvalidError(f"{len(events)} events; at most {MAX_EVENTS} are taken")
    known = {name: venue for venue, named in venues.items() for name in (venue, named.zh, named.en)}
    series: dict[str, list[Any]] = {}
    for number, event in enumerate(events, 1):
        uid = _text(event, "UID")
        where = f"event {uid[:60] or number}"
        _check_event(event, where, known, ", ".join(venues), zone)
        series.setdefault(uid, []).append(event)
    for uid, parts in series.items():
        _check_series(calendar, parts, f"event {uid[:60]}")
    return Feed(name, hashlib.sha256(text.encode()).hexdigest()[:16], known, zone, calendar)


@dataclass(frozen=True, slots=True)
class Note:
    """One line of a calendar that is written: a booking, works, an inspection that is due."""

    uid: str
    title: str
    start_ns: int
    end_ns: int
    category: str
    place: str = ""
    text: str = ""


def write_feed(notes: Iterable[Note], title: str, now_ns: int) -> bytes:
    """Return an iCalendar file of them, for any calendar program."""
    calendar = icalendar.Calendar()
    calendar.add("PRODID", "-//Shifu//Calendar//ZH")
    calendar.add("VERSION", "2.0")
    calendar.add("X-WR-CALNAME", title)
    for note in notes:
        event = icalendar.Event()
        event.add("UID", note.uid)
        event.add("DTSTAMP", _moment(now_ns))
        event.add("DTSTART", _moment(note.start_ns))
        event.add("DTEND", _moment(note.end_ns))
        event.add("SUMMARY", note.title)
        event.add("CATEGORIES", [note.category])
        if note.place:
            event.add("LOCATION", note.place)
        if note.text:
            event.add("DESCRIPTION", note.text)
        calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written


def _check_event(event: Any, where: str, known: Mapping[str, str], venues: str, zone: tzinfo) -> None:
    for key, said in event.errors:
        if key in _NEEDED:
            raise InvalidError(f"{where}: {key or 'a line'} cannot be read: {str(said)[:120]}")
    twice = next((key for key in _ONCE if isinstance(event.get(key), list)), None)
    if twice is not None:
        raise InvalidError(f"{where}: {twice} is there more than once")
    if not _text(event, "UID"):
        raise InvalidError(f"{where}: no UID; each event has one that never changes")
    if not _called_off(event):
        if not _text(event, "SUMMARY"):
            raise InvalidError(f"{where}: no SUMMARY; the title of the booking is wanted")
        location = _text(event, "LOCATION")
        if location not in known:
            raise InvalidError(f"{where}: LOCATION {location[:60]!r}; wanted one of {venues} or its name")
    _check_rule(event, where)
    try:
        first, last = _span(event, zone)
    except InvalidError as error:
        raise InvalidError(f"{where}: {error}") from error
    except _FAULTS as error:
        raise InvalidError(f"{where}: its time cannot be worked out: {str(error)[:120]}") from error
    if not timedelta(0) < last - first <= _LONGEST:
        raise InvalidError(
            f"{where}: begins {first:%Y-%m-%d %H:%M} and ends {last:%Y-%m-%d %H:%M}; wanted an end after it"
        )


def _check_series(calendar: icalendar.Calendar, parts: list[Any], where: str) -> None:
    """Refuse a UID that two events have, and repetitions that cannot be worked out, looking around each begin."""
    mains = [event for event in parts if "RECURRENCE-ID" not in event]
    if len(mains) > 1:
        named = " and ".join(f"{_text(event, 'SUMMARY')[:60]!r} of {event['DTSTART'].dt}" for event in mains[:2])
        raise InvalidError(f"{where}: {named} have the same UID; wanted one of its own for each")
    alone = icalendar.Calendar(calendar)
    alone.subcomponents = list(parts)
    try:
        query = recurring_ical_events.of(alone, skip_bad_series=False)
        for event in parts:
            begin = event["DTSTART"].dt
            query.between(begin - _AROUND, begin + _AROUND)
    except _FAULTS as error:
        raise InvalidError(f"{where}: its repetition cannot be worked out: {str(error)[:120]}") from error


def _check_rule(event: Any, where: str) -> None:
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if "FREQ" not in rule:
            raise InvalidError(f"{where}: RRULE without FREQ; wanted one of {', '.join(_DAILY)}")
        for frequency in rule.get("FREQ", []):
            if str(frequency).upper() not in _DAILY:
                raise InvalidError(f"{where}: FREQ={frequency}; wanted one of {', '.join(_DAILY)}")
        if any(key in rule for key in ("BYHOUR", "BYMINUTE", "BYSECOND")):
            raise InvalidError(f"{where}: repeats within a day; wanted one booking a day at most")
        if "COUNT" in rule and "UNTIL" in rule:
            raise InvalidError(f"{where}: COUNT and UNTIL in one RRULE; wanted one of the two")
        for key in ("INTERVAL", "COUNT"):
            if any(int(number) < 1 for number in rule.get(key, [])):
                raise InvalidError(f"{where}: {key}={rule[key][0]}; wanted 1 or more")
        for key, most in _RANGES.items():
            least = 1 if key == "BYMONTH" else -most
            for number in rule.get(key, []):
                if not least <= int(number) <= most or not int(number):
                    raise InvalidError(
                        f"{where}: {key}={number}; wanted {least} to {most}{'' if least > 0 else ', not 0'}"
                    )


def _span(event: Any, zone: tzinfo) -> tuple[datetime, datetime]:
    start, end = _time(event, "DTSTART"), _time(event, "DTEND")
    if start is None:
        raise InvalidError("no DTSTART; wanted when it begins")
    if end is None:
        length = event.get("DURATION")
        whole = timedelta(days=1) if not isinstance(start, datetime) else timedelta(0)
        end = start + (length.dt if length is not None else whole)
    return _aware(start, zone), _aware(end, zone)


def _time(event: Any, key: str) -> date | datetime | None:
    found = event.get(key)
    moment: date | datetime | None = getattr(found, "dt", None)
    return moment


def _aware(moment: date | datetime, zone: tzinfo) -> datetime:
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day, tzinfo=zone)
    if moment.tzinfo is None:
        raise InvalidError(f"{moment:%Y-%m-%d %H:%M} has no zone; wanted TZID=Asia/Taipei or a time that ends in Z")
    return moment


def _called_off(event: Any) -> bool:
    return _text(event, "STATUS").upper() == "CANCELLED"


def _title(event: Any) -> Name:
    zh = _text(event, "SUMMARY")
    return Name(zh, _text(event, "X-SHIFU-SUMMARY-EN") or zh)


def _text(event: Any, key: str) -> str:
    value = event.get(key, "")
    text = str(value[0] if isinstance(value, list) and value else value)
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]


def _slug(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:10]


def _moment(time_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_ns // 1_000)


def _ns(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
