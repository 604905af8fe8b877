"""Who is on duty: weekly pattern, holidays and make-up workdays of Taiwan, nights over midnight, substitutes."""

from __future__ import annotations

import itertools
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.notify.roster import DAYS, Duty, Hours, Quiet, Shift, Substitute, local, spans
from controller.office import Day, OfficeCalendar
from controller.point.model import Name

ZONE = ZoneInfo("Asia/Taipei")
WORKDAYS = OfficeCalendar("TW").workday
NAME = Name("值勤", "Duty")
DAY = Shift(Hours(("workday",), 8 * 60, 18 * 60), ("engineer",))
NIGHT = Shift(Hours(("workday",), 18 * 60, 8 * 60), ("contractor",))
HOLIDAY = Shift(Hours(("holiday",), 9 * 60, 17 * 60), ("guard",))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1_000_000_000


def duty(*shifts: Shift, substitutes: tuple[Substitute, ...] = ()) -> Duty:
    return Duty("plant", NAME, shifts or (DAY, NIGHT, HOLIDAY), ("control-room",), substitutes)


@pytest.mark.parametrize(
    ("moment", "who"),
    [
        ("2026-11-27T07:59:59", "contractor"),  # a Friday morning is Thursday's night shift
        ("2026-11-27T08:00", "engineer"),
        ("2026-11-27T17:59", "engineer"),
        ("2026-11-27T18:00", "contractor"),
        ("2026-11-28T07:00", "contractor"),  # Saturday morning: the shift that began on Friday
        ("2026-11-28T08:30", "control-room"),  # nobody is planned
        ("2026-11-28T12:00", "guard"),
        ("2026-11-29T20:00", "control-room"),
        ("2026-02-17T10:00", "guard"),  # Chinese New Year, a Tuesday
        ("2025-02-08T10:00", "engineer"),  # a Saturday that is a make-up workday
        ("2025-01-27T10:00", "guard"),  # the day off that it makes up for
        ("2026-10-09T10:00", "guard"),  # National Day is a Saturday: the Friday is observed
    ],
)
def test_the_pattern_follows_the_calendar_of_taiwan(moment: str, who: str) -> None:
    assert duty().on(at(moment), ZONE, WORKDAYS) == (who,)


def test_days_that_the_site_adds_move_the_roster() -> None:
    typhoon, saturday = date(2026, 11, 27), date(2026, 12, 5)
    added = {typhoon: Day(typhoon, "holiday", added=True), saturday: Day(saturday, "makeup", added=True)}
    workday = OfficeCalendar("TW", added).workday
    hours = ("2026-11-27T07:59", "2026-11-27T10:00", "2026-11-28T07:00", "2026-12-05T10:00", "2026-12-06T07:00")
    # Nobody's night shift begins on the typhoon day; that of the make-up Saturday ends on Sunday morning.
    wanted = [("contractor",), ("guard",), ("control-room",), ("engineer",), ("contractor",)]
    assert [duty().on(at(hour), ZONE, workday) for hour in hours] == wanted


def test_a_substitute_stands_in_from_the_first_to_before_the_last_moment() -> None:
    one = Substitute("engineer", "deputy", at("2026-11-27T10:00"), at("2026-11-27T12:00"))
    roster = duty(substitutes=(one,))
    found = {hour: roster.on(at(f"2026-11-27T{hour}"), ZONE, WORKDAYS) for hour in ("09:59", "10:00", "11:59", "12:00")}
    assert found == {"09:59": ("engineer",), "10:00": ("deputy",), "11:59": ("deputy",), "12:00": ("engineer",)}


def test_substitutes_of_substitutes_are_followed_and_a_ring_ends() -> None:
    begin, end = at("2026-11-27T00:00"), at("2026-11-28T00:00")
    chain = (Substitute("engineer", "a", begin, end), Substitute("a", "b", begin, end))
    assert duty(substitutes=chain).on(at("2026-11-27T09:00"), ZONE, WORKDAYS) == ("b",)
    ring = (Substitute("engineer", "a", begin, end), Substitute("a", "engineer", begin, end))
    assert duty(substitutes=ring).on(at("2026-11-27T09:00"), ZONE, WORKDAYS) == ("a",)


def test_two_who_are_replaced_by_one_are_one() -> None:
    both = Shift(Hours(), ("engineer", "guard"))
    one = Substitute("guard", "engineer", 0, at("2030-01-01T00:00"))
    assert duty(both, substitutes=(one,)).on(at("2026-11-27T09:00"), ZONE, WORKDAYS) == ("engineer",)


def test_a_week_is_shown_in_spans_without_gaps() -> None:
    start, end = at("2026-11-27T00:00"), at("2026-11-30T00:00")
    found = spans(duty(), start, end, ZONE, WORKDAYS)
    assert (found[0].start_ns, found[-1].end_ns) == (start, end)
    assert all(one.end_ns == other.start_ns for one, other in itertools.pairwise(found))
    assert [one.contacts[0] for one in found] == [
        "contractor", "engineer", "contractor", "control-room", "guard", "control-room", "guard", "control-room",
    ]  # fmt: skip
    assert [one.covered for one in found] == [True, True, True, False, True, False, True, False]


def test_quiet_hours_end_in_the_morning() -> None:
    quiet = Quiet(("every",), 22 * 60, 7 * 60)
    assert quiet.end_ns(at("2026-11-27T23:15"), ZONE, WORKDAYS) == at("2026-11-28T07:00")
    assert quiet.end_ns(at("2026-11-28T06:59:30"), ZONE, WORKDAYS) == at("2026-11-28T07:00")


@pytest.mark.parametrize(
    ("quiet", "moment", "end"),
    [
        (Quiet(("sat", "sun")), "2026-11-28T10:00", "2026-11-30T00:00"),
        (Quiet(("sat", "sun")), "2026-11-29T23:59:59", "2026-11-30T00:00"),
        (Quiet(("holiday",)), "2026-02-14T10:00", "2026-02-23T00:00"),  # Chinese New Year 2026: nine days
        (Quiet(("fri", "sat"), 20 * 60, 20 * 60), "2026-11-27T21:00", "2026-11-29T20:00"),
        (Quiet(("mon", "tue"), 22 * 60, 7 * 60), "2026-11-30T23:00", "2026-12-01T07:00"),
        (Quiet(("sat",)), "2026-11-28T10:00", "2026-11-29T00:00"),
    ],
)
def test_quiet_days_in_a_row_end_after_the_last_one(quiet: Quiet, moment: str, end: str) -> None:
    assert quiet.end_ns(at(moment), ZONE, WORKDAYS) == at(end)


def test_hours_that_are_always_quiet_hold_a_message_for_a_month_at_most() -> None:
    quiet = Quiet(("every",))
    assert quiet.end_ns(at("2026-11-28T10:00"), ZONE, WORKDAYS) == at("2026-12-29T00:00")


@given(
    st.builds(
        Quiet,
        st.lists(st.sampled_from(DAYS[:9]), min_size=1, max_size=2).map(tuple),
        st.integers(0, 1439),
        st.integers(0, 1439),
    ),
    st.integers(at("2026-01-01T00:00") // 10**9, at("2027-01-01T00:00") // 10**9),
)
def test_quiet_hours_last_exactly_as_long_as_they_cover(quiet: Quiet, second: int) -> None:
    start = second * 10**9
    if not quiet.cover(local(start, ZONE), WORKDAYS):
        return
    end = quiet.end_ns(start, ZONE, WORKDAYS)
    assert not quiet.cover(local(end, ZONE), WORKDAYS) or end - start > 30 * 86_400 * 10**9
    assert all(quiet.cover(local(moment, ZONE), WORKDAYS) for moment in range(start, end, 600 * 10**9))


SHIFTS = st.builds(
    Shift,
    st.builds(
        Hours,
        st.lists(st.sampled_from(DAYS), min_size=1, max_size=3).map(tuple),
        st.integers(0, 1439),
        st.integers(0, 1439),
    ),
    st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=2).map(tuple),
)


@given(st.lists(SHIFTS, max_size=4), st.integers(at("2024-01-01T00:00") // 10**9, at("2028-01-01T00:00") // 10**9))
def test_somebody_is_always_on_duty_and_the_spans_say_the_same(shifts: list[Shift], second: int) -> None:
    roster = Duty("d", NAME, tuple(shifts), ("fallback",))
    start = second * 10**9
    found = spans(roster, start, start + 3 * 86_400 * 10**9, ZONE, WORKDAYS)
    for span in found:
        for moment in (span.start_ns, (span.start_ns + span.end_ns) // 2, span.end_ns - 1):
            assert roster.on(moment, ZONE, WORKDAYS) == span.contacts != ()
