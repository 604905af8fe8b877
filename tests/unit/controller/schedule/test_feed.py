"""Bookings: what is in use at a time, clashes, and iCalendar files with their repetitions and traps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from controller.errors import InvalidError
from controller.point.model import Name
from controller.schedule.booking import Booking, Venue, between, clashes, in_use
from controller.schedule.feed import Note, read_feed, write_feed

TITLE = Name("市集", "Fair")
VENUES = {"atrium": Name("1 樓中庭", "Atrium"), "plaza": Name("市民廣場", "Plaza")}
ZONE = ZoneInfo("Asia/Taipei")
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1_000_000_000


def booking(id_: str, start: str, end: str, venue: str = "atrium", *equipment: str) -> Booking:
    return Booking(id_, venue, TITLE, at(start), at(end), equipment)


def feed(*lines: str, uid: str = "market@x", location: str = "市民廣場") -> str:
    body = [f"UID:{uid}", "SUMMARY:小農市集", f"LOCATION:{location}", *lines]
    return HEAD + "BEGIN:VEVENT\r\n" + "\r\n".join(body) + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def events(*each: list[str]) -> str:
    """Return one calendar with an event of the same UID for each list of lines."""
    bodies = [feed(*lines).removeprefix(HEAD).removesuffix("END:VCALENDAR\r\n") for lines in each]
    return HEAD + "".join(bodies) + "END:VCALENDAR\r\n"


HOUR = ("DTSTART:20260103T090000Z", "DTEND:20260103T100000Z")
WEEKLY = feed(
    "DTSTART;TZID=Asia/Taipei:20260103T090000",
    "DTEND;TZID=Asia/Taipei:20260103T170000",
    "RRULE:FREQ=WEEKLY;BYDAY=SA",
    "EXDATE;TZID=Asia/Taipei:20260117T090000",
)


def test_equipment_is_in_use_from_the_begin_to_before_the_end() -> None:
    venues = [Venue("atrium", VENUES["atrium"], equipment=("b.s.ahu",))]
    rows = [
        booking("a", "2026-05-01T09:00", "2026-05-01T12:00", "atrium", "b.s.stage"),
        booking("b", "2026-05-01T12:00", "2026-05-01T13:00"),
    ]
    assert in_use(rows, venues, at("2026-05-01T08:59")) == {}
    assert {key: one.id for key, one in in_use(rows, venues, at("2026-05-01T09:00")).items()} == {
        "b.s.ahu": "a",
        "b.s.stage": "a",
    }
    assert {key: one.id for key, one in in_use(rows, venues, at("2026-05-01T12:00")).items()} == {"b.s.ahu": "b"}
    assert in_use(rows, venues, at("2026-05-01T13:00")) == {}


def test_bookings_clash_when_they_overlap_at_one_venue_and_not_when_one_follows_the_other() -> None:
    whole = booking("whole", "2026-05-01T08:00", "2026-05-01T18:00")
    rows = [
        whole,
        booking("noon", "2026-05-01T11:00", "2026-05-01T12:00"),
        booking("late", "2026-05-01T17:00", "2026-05-01T19:00"),
        booking("after", "2026-05-01T19:00", "2026-05-01T20:00"),
        booking("other", "2026-05-01T09:00", "2026-05-01T10:00", "plaza"),
    ]
    assert [(one.id, other.id) for one, other in clashes(rows)] == [("whole", "noon"), ("whole", "late")]


def test_a_weekly_market_is_there_each_saturday_but_the_one_that_was_called_off() -> None:
    found = read_feed(WEEKLY, "hire.ics", VENUES, ZONE).bookings(at("2026-01-01"), at("2026-02-01"))
    assert [datetime.fromtimestamp(one.start_ns / 1e9, ZONE).strftime("%m-%d %H:%M") for one in found] == [
        "01-03 09:00",
        "01-10 09:00",
        "01-24 09:00",
        "01-31 09:00",
    ]
    assert {one.venue for one in found} == {"plaza"}
    assert len({one.id for one in found}) == 4
    assert (found[0].end_ns - found[0].start_ns) / 3.6e12 == 8
    # Ten years on it is still there, without anybody having counted up to it.
    late = read_feed(WEEKLY, "hire.ics", VENUES, ZONE).bookings(at("2036-01-01"), at("2036-01-08"))
    assert len(late) == 1


def test_a_whole_day_is_a_day_of_the_site() -> None:
    text = feed("DTSTART;VALUE=DATE:20260301", location="atrium")
    (one,) = read_feed(text, "hire.ics", VENUES, ZONE).bookings(at("2026-03-01"), at("2026-03-02"))
    assert (one.start_ns, one.end_ns) == (at("2026-03-01"), at("2026-03-02"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing", "no iCalendar"),
        (feed("DTSTART:20260103T090000", "DTEND:20260103T100000"), "has no zone; wanted TZID=Asia/Taipei"),
        (feed("DTSTART:20260103T090000Z", "DTEND:20260103T080000Z"), "wanted an end after it"),
        (feed("DTSTART:20260103T090000Z", location="rooftop"), "LOCATION 'rooftop'; wanted one of atrium, plaza"),
        (feed("DTSTART:20260103T090000Z", "DTEND:20260103T100000Z", "RRULE:FREQ=SECONDLY"), "FREQ=SECONDLY; wanted"),
        (
            feed("DTSTART:20260103T090000Z", "DTEND:20260103T100000Z", "RRULE:FREQ=DAILY;BYMINUTE=0,1"),
            "repeats within a day",
        ),
        (feed("DTEND:20260103T100000Z"), "no DTSTART"),
        (feed("DTSTART:banana", HOUR[1]), "event market@x: DTSTART cannot be read: Expected time, got: banana"),
        (feed(HOUR[0], "DTEND:banana"), "event market@x: DTEND cannot be read"),
        (feed(HOUR[0], "DURATION:banana"), "event market@x: DURATION cannot be read"),
        (feed(*HOUR, "RRULE:FREQ=WEEKLY;BYDAY=XX"), "event market@x: RRULE cannot be read"),
        (feed(*HOUR, "RDATE:banana"), "event market@x: RDATE cannot be read"),
        (feed(*HOUR, "RRULE:FREQ=WEEKLY", "EXDATE:banana"), "event market@x: EXDATE cannot be read"),
        (feed(*HOUR, "RECURRENCE-ID:banana"), "event market@x: RECURRENCE-ID cannot be read"),
        (feed(*HOUR, "SEQUENCE:banana"), "event market@x: SEQUENCE cannot be read"),
        (feed(*HOUR, 'STATUS;X="a:CANCELLED'), "event market@x: a line cannot be read"),
        (feed(*HOUR, "RRULE:COUNT=3"), "event market@x: RRULE without FREQ"),
        (feed(*HOUR, "RRULE:FREQ=WEEKLY;INTERVAL=0"), "event market@x: INTERVAL=0; wanted 1 or more"),
        (feed(*HOUR, "RRULE:FREQ=WEEKLY;COUNT=3;UNTIL=20260201T000000Z"), "COUNT and UNTIL in one RRULE"),
        (feed(*HOUR, "RRULE:FREQ=YEARLY;BYMONTH=13"), "BYMONTH=13; wanted 1 to 12"),
        (feed(*HOUR, "RRULE:FREQ=MONTHLY;BYMONTHDAY=0"), "BYMONTHDAY=0; wanted -31 to 31, not 0"),
        (feed("DTSTART:00010101T000000Z", "DTEND:00010101T010000Z"), "event market@x: its repetition cannot be"),
        (feed(*HOUR, "LOCATION:atrium"), "event market@x: LOCATION is there more than once"),
        (feed(*HOUR).replace("VERSION", "METHOD:CANCEL\r\nVERSION"), "METHOD:CANCEL calls bookings off"),
        (
            events([*HOUR], ["DTSTART:20260104T090000Z", "DTEND:20260104T100000Z"]),
            "event market@x: '小農市集' of 2026-01-03 09:00:00+00:00 and '小農市集' of 2026-01-04 09:00:00+00:00 have",
        ),
        (feed("DTSTART:20260103T090000Z", "DTEND:20260103T100000Z", uid=""), "no UID"),
    ],
)
def test_a_feed_that_cannot_be_used_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read_feed(text, "hire.ics", VENUES, ZONE)
    assert said in str(caught.value)


ON_10 = ["RECURRENCE-ID;TZID=Asia/Taipei:20260110T090000", "DTSTART;TZID=Asia/Taipei:20260110T090000"]
ON_10 += ["DTEND;TZID=Asia/Taipei:20260110T170000"]
SATURDAYS = ["DTSTART;TZID=Asia/Taipei:20260103T090000", "DTEND;TZID=Asia/Taipei:20260103T170000"]
SATURDAYS += ["RRULE:FREQ=WEEKLY;COUNT=3"]


def booked(text: str) -> list[tuple[str, str]]:
    found = read_feed(text, "hire.ics", VENUES, ZONE).bookings(at("2026-01-01"), at("2026-02-01"))
    return sorted((f"{datetime.fromtimestamp(one.start_ns / 1e9, ZONE):%m-%d}", one.venue) for one in found)


def test_what_was_called_off_books_nothing() -> None:
    assert booked(feed(*HOUR, "STATUS:CANCELLED")) == []
    assert booked(feed(*HOUR, "status:cancelled", location="")) == [], "its venue may be gone"
    assert booked(feed(*HOUR, "STATUS:TENTATIVE")) == [("01-03", "plaza")]
    one_day = events(SATURDAYS, [*ON_10, "STATUS:CANCELLED"])
    assert booked(one_day) == [("01-03", "plaza"), ("01-17", "plaza")]
    assert booked(events([*SATURDAYS, "STATUS:CANCELLED"], ON_10)) == [("01-10", "plaza")]


def test_one_day_of_a_series_at_another_venue_moves_that_day_alone() -> None:
    moved = events(SATURDAYS, ON_10).replace("LOCATION:市民廣場", "LOCATION:atrium")
    back = moved.replace("LOCATION:atrium", "LOCATION:市民廣場", 1)
    assert booked(back) == [("01-03", "plaza"), ("01-10", "atrium"), ("01-17", "plaza")]
    whichever = events(ON_10, SATURDAYS).replace("LOCATION:市民廣場", "LOCATION:atrium", 1)
    assert booked(whichever) == booked(back), "in whichever order they stand"


def test_what_is_written_can_be_read_by_any_calendar_program() -> None:
    note = Note("works-1@x", "工程; a, b\n第二行", at("2026-05-01"), at("2026-05-03"), "工單", "北區 7F", "粉塵")
    text = write_feed([note], "市政大樓", at("2026-01-01"))
    (event,) = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert event["SUMMARY"] == "工程; a, b\n第二行"
    start: Any = event["DTSTART"]
    assert start.dt == datetime(2026, 4, 30, 16, tzinfo=UTC)
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))


def test_between_takes_what_touches_the_span() -> None:
    rows = [booking("a", "2026-05-01T09:00", "2026-05-01T12:00")]
    assert between(rows, at("2026-05-01T12:00"), at("2026-05-02")) == []
    assert between(rows, at("2026-05-01T11:59"), at("2026-05-02")) == rows
    assert between(rows, at("2026-04-01"), at("2026-05-01T09:00")) == []
