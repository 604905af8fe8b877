"""The timetable: the state at any time is that of the interval around it, and that of a plain reading of the rules."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.office import DAY_TYPES, WEEKDAYS, Day, OfficeCalendar
from controller.point.model import Name
from controller.schedule.booking import Booking
from controller.schedule.schedule import Mode, Schedule, Span, SpecialPeriod
from controller.schedule.timetable import Timetable, Use

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = Name("名", "name")
MINUTE_NS = 60_000_000_000
FIRST = date(2026, 10, 20)
"""Before the clocks are set back in Berlin (25 October) and in New York (1 November)."""
DAYS = 16
MODES = {id_: Mode(id_, NAME, {}) for id_ in ("a", "b", "c")}
modes = st.sampled_from(sorted(MODES))
zones = st.sampled_from(["Asia/Taipei", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, ...]:
    """Return spans that do not overlap on any type of day."""
    found = []
    for day in DAY_TYPES:
        edges = sorted(draw(st.sets(st.integers(0, 96), min_size=0, max_size=4)))
        pairs = zip(edges[::2], edges[1::2], strict=False)
        found += [Span((day,), start * 15, end * 15, draw(modes)) for start, end in pairs]
    return tuple(found)


@st.composite
def timetables(draw: st.DrawFn) -> tuple[Timetable, Schedule, list[Use]]:
    schedule = Schedule(
        "s", NAME, MODES, draw(spans()), ("e",), draw(st.sampled_from(["", "a"])),
        draw(st.sampled_from(["", "b"])), draw(st.integers(0, 90)), draw(st.integers(0, 90)),
    )  # fmt: skip
    exceptions = {}
    if draw(st.booleans()):
        first = FIRST + timedelta(days=draw(st.integers(0, DAYS)))
        last = first + timedelta(days=draw(st.integers(0, 3)))
        start, end = sorted(draw(st.tuples(st.integers(0, 1439), st.integers(0, 1440)).filter(lambda t: t[0] != t[1])))
        exceptions["x"] = SpecialPeriod("x", NAME, ("s",), first, last, draw(modes), start, end)
    if draw(st.booleans()):
        first = FIRST + timedelta(days=draw(st.integers(0, DAYS)))
        exceptions["y"] = SpecialPeriod("y", NAME, ("s",), first, first, day_type=draw(st.sampled_from(DAY_TYPES)))
    added = {
        day: Day(day, draw(st.sampled_from(["holiday", "makeup"])), NAME, added=True)
        for day in draw(st.sets(st.integers(0, DAYS).map(lambda n: FIRST + timedelta(days=n)), max_size=3))
    }
    zone = ZoneInfo(draw(zones))
    timetable = Timetable(zone, OfficeCalendar("TW", added), {"s": schedule}, exceptions)
    begin = timetable.instant(FIRST, 0)
    used = [
        Use(
            Booking(str(start), "v", NAME, begin + start * MINUTE_NS, begin + (start + span) * MINUTE_NS),
            frozenset("e"),
        )
        for start, span in draw(st.lists(st.tuples(st.integers(0, DAYS * 1440), st.integers(1, 600)), max_size=3))
    ]
    return timetable, schedule, used


def plain(timetable: Timetable, schedule: Schedule, time_ns: int, used: Sequence[Use]) -> str:
    """Return the mode as somebody reads it off the rules, clock in hand."""
    wall = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).astimezone(timetable.zone)
    now = wall.hour * 60 + wall.minute
    special = [one for one in timetable.exceptions.values() if one.first <= wall.date() <= one.last]
    for one in special:
        if one.mode and one.start_min <= now < one.end_min:
            return one.mode
    for use in used:
        begin = use.booking.start_ns - schedule.lead_min * MINUTE_NS
        if schedule.booking_mode and begin <= time_ns < use.booking.end_ns + schedule.lag_min * MINUTE_NS:
            return schedule.booking_mode
    kind = next((one.day_type for one in special if one.day_type), timetable.office.day(wall.date()).type)
    if kind == "makeup" and all("makeup" not in span.days for span in schedule.weekly):
        kind = "fri"
    for span in schedule.weekly:
        if kind in span.days and span.start_min <= now < span.end_min:
            return span.mode
    return schedule.default


@given(timetables(), st.lists(st.integers(0, DAYS * 86_400), min_size=1, max_size=40))
@settings(max_examples=150, deadline=None)
def test_the_state_at_a_time_is_that_of_the_edges_before_it(
    given_: tuple[Timetable, Schedule, list[Use]], seconds: list[int]
) -> None:
    timetable, schedule, used = given_
    begin = timetable.instant(FIRST, 0)
    end = begin + DAYS * 86_400_000_000_000
    intervals = timetable.intervals(schedule, begin, end, "e", used)
    assert intervals[0].start_ns == begin
    assert intervals[-1].end_ns == end
    assert all(one.end_ns == two.start_ns for one, two in pairwise(intervals))
    assert all(one.state != two.state for one, two in pairwise(intervals))
    # The seconds come in any order: a clock that is set forward or back changes nothing.
    for second in seconds:
        time_ns = min(begin + second * 1_000_000_000, end - 1)
        state = timetable.state(schedule, time_ns, "e", used)
        assert state.mode == plain(timetable, schedule, time_ns, used)
        (around,) = [one for one in intervals if one.start_ns <= time_ns < one.end_ns]
        assert around.state == state


@given(timetables(), st.integers(0, DAYS * 86_400))
@settings(max_examples=100, deadline=None)
def test_the_next_change_is_the_first_time_at_which_another_mode_holds(
    given_: tuple[Timetable, Schedule, list[Use]], second: int
) -> None:
    timetable, schedule, used = given_
    begin = timetable.instant(FIRST, 0) + second * 1_000_000_000
    until = begin + 3 * 86_400_000_000_000
    found = timetable.next_change(schedule, begin, until, "e", used)
    now = timetable.state(schedule, begin, "e", used).mode
    first = found.start_ns if found else until
    if found is not None:
        assert found.state.mode != now
        assert timetable.state(schedule, first, "e", used).mode == found.state.mode
        assert timetable.state(schedule, first - 1, "e", used).mode == now
    for place in range(20):
        between = begin + (first - begin) * place // 20
        assert timetable.state(schedule, between, "e", used).mode == now


@given(st.dates(date(2001, 1, 1), date(2030, 12, 31)))
def test_a_day_is_one_of_its_types_and_a_make_up_day_is_at_a_weekend(day: date) -> None:
    found = OfficeCalendar("TW").day(day)
    assert found.type in DAY_TYPES
    if found.type == "makeup":
        assert day.weekday() >= 5
        assert found.workday
    if found.type in WEEKDAYS:
        assert found.type == WEEKDAYS[day.weekday()]
