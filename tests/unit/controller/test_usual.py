"""The usual course of a point: what history says it has at this quarter of such a day."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from controller.clock import VirtualClock
from controller.errors import UnavailableError
from controller.history.store import Buckets
from controller.office import OfficeCalendar
from controller.usual import QUARTER_NS, UsualCourse, learnt, through

if TYPE_CHECKING:
    from collections.abc import Sequence

ZONE = ZoneInfo("Asia/Taipei")
CALENDAR = OfficeCalendar("TW")
METER = "main.electrical.meter1.power"


def at_ns(day: int, hour: float) -> int:
    """Return a time of July 2026; the 13th is a Monday."""
    return round(datetime(2026, 7, day, tzinfo=ZONE).timestamp() * 1e9) + round(hour * 3.6e12)


def buckets(rows: Sequence[tuple[int, float, float]]) -> Buckets:
    start, mean, good = (np.array(column) for column in zip(*rows, strict=True))
    same = mean.astype(float)
    return Buckets(7, start.astype(np.int64), np.ones(len(rows), np.int64), same, same, same, same, good.astype(float))


class History:
    def __init__(self, found: Buckets) -> None:
        self.found = found
        self.asked: list[tuple[list[int], int, int, int]] = []
        self.fails = False

    async def aggregate(self, numbers: Sequence[int], start_ns: int, end_ns: int, bucket_ns: int) -> list[Buckets]:
        self.asked.append((list(numbers), start_ns, end_ns, bucket_ns))
        if self.fails:
            raise UnavailableError("the store is down")
        return [self.found]


def usual(history: Any, clock: VirtualClock) -> UsualCourse:
    site: Any = SimpleNamespace(timezone="Asia/Taipei", points={METER: SimpleNamespace(number=7)})
    return UsualCourse(history, lambda: site, lambda: CALENDAR, clock)


def test_workdays_and_other_days_have_a_course_each_and_newer_days_count_more() -> None:
    rows = [(at_ns(13, 9.0), 1000.0, 1.0), (at_ns(14, 9.0), 2000.0, 1.0), (at_ns(18, 9.0), 400.0, 1.0)]
    course = learnt(buckets(rows), ZONE, CALENDAR)
    assert course[0, 36] == pytest.approx(1300.0)
    assert course[1, 36] == 400.0, "the 18th is a Saturday"
    assert np.isnan(course[0, 37])


def test_a_quarter_that_was_hardly_seen_teaches_nothing() -> None:
    rows = [(at_ns(13, 9.0), 1000.0, 1.0), (at_ns(14, 9.0), 5000.0, 0.4), (at_ns(15, 9.0), np.nan, 1.0)]
    assert learnt(buckets(rows), ZONE, CALENDAR)[0, 36] == 1000.0


def test_a_holiday_of_the_week_is_no_workday() -> None:
    day = date(2026, 10, 9)
    start = round(datetime(day.year, day.month, day.day, 9, tzinfo=ZONE).timestamp() * 1e9)
    assert not CALENDAR.workday(day)
    course = learnt(buckets([(start, 300.0, 1.0)]), ZONE, CALENDAR)
    assert course[1, 36] == 300.0
    assert np.isnan(course[0, 36])


def test_it_is_asked_for_first_and_known_a_moment_later() -> None:
    rows = [(at_ns(13, 9.0 + k / 4), 1000.0 + 100.0 * k, 1.0) for k in range(3)]
    history, clock = History(buckets(rows)), VirtualClock(at_ns(14, 9.125))
    course = usual(history, clock)

    async def main() -> None:
        await course.refresh()
        assert history.asked == [], "nobody wants any"
        assert np.isnan(course.kw(METER, clock.now_ns(), np.zeros(2))).all()
        await course.refresh()
        # Where it rises evenly it is a straight line; beyond what was seen it is unknown.
        found = course.kw(METER, clock.now_ns(), np.array([450.0, 900.0, 1350.0, 3600.0]))
        assert found[:3] == pytest.approx([1050.0, 1100.0, 1150.0])
        assert np.isnan(found[3])
        numbers, start_ns, end_ns, bucket_ns = history.asked[0]
        assert (numbers, bucket_ns, end_ns - start_ns) == ([7], QUARTER_NS, 28 * 96 * QUARTER_NS)
        assert end_ns % QUARTER_NS == 0
        await course.refresh()
        assert len(history.asked) == 1, "again in an hour"
        clock.move(3601.0)
        await course.refresh()
        assert len(history.asked) == 2

    asyncio.run(main())


def test_a_store_that_fails_leaves_the_course_as_it_was_and_an_unknown_point_has_none() -> None:
    history, clock = History(buckets([(at_ns(13, 9.0), 1000.0, 1.0)])), VirtualClock(at_ns(14, 9.125))
    course = usual(history, clock)

    async def main() -> None:
        course.kw(METER, clock.now_ns(), np.zeros(1))
        course.kw("main.nobody.power", clock.now_ns(), np.zeros(1))
        await course.refresh()
        clock.move(86_400.0)
        history.fails = True
        await course.refresh()
        assert np.isnan(course.kw("main.nobody.power", at_ns(15, 9.125), np.zeros(1))).all()
        assert len(history.asked) == 2
        # Exactly in the middle of the quarter that was seen, the next one counts nothing.
        assert course.kw(METER, at_ns(15, 9.125), np.zeros(1))[0] == 1000.0

    asyncio.run(main())


def test_the_mean_of_each_quarter_is_kept_and_there_is_no_step_between_two() -> None:
    means = np.array([1000.0, 1020.0, 600.0, 580.0, 900.0])
    share = np.linspace(0.0005, 0.9995, 1000, dtype=np.float64)
    found = [through(means[k - 1], means[k], means[k + 1], share) for k in (1, 2, 3)]
    assert [float(one.mean()) for one in found] == pytest.approx([1020.0, 600.0, 580.0], abs=0.01)
    assert found[0][-1] == pytest.approx(found[1][0], abs=2.0)
    assert found[1][-1] == pytest.approx(found[2][0], abs=2.0)
    alone = through(np.array([np.nan]), np.array([700.0]), np.array([np.nan]), np.array([0.3]))
    assert alone == pytest.approx([700.0])


def test_over_midnight_each_quarter_is_of_its_own_day() -> None:
    rows = [(at_ns(16, 23.75), 500.0, 1.0), (at_ns(17, 23.75), 500.0, 1.0), (at_ns(18, 0.0), 200.0, 1.0)]
    history, clock = History(buckets(rows)), VirtualClock(at_ns(24, 23.875))
    course = usual(history, clock)

    async def main() -> None:
        course.kw(METER, clock.now_ns(), np.zeros(1))
        await course.refresh()
        # The 24th is a Friday: its last quarter is a workday's, the next one a Saturday's.
        quarter = np.arange(0.0, 900.0, 10.0) + 5.0
        before, after = (course.kw(METER, at_ns(24, 23.75) + k * QUARTER_NS, quarter) for k in (0, 1))
        assert (before.mean(), after.mean()) == pytest.approx((500.0, 200.0), abs=0.1)

    asyncio.run(main())
