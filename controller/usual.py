"""The usual course of a point (慣常曲線), from its history: its mean at each quarter of a workday and of other days.

Newer days count more. It is asked for by address; who asks for a point for the first time gets "not known", and the
course is there a moment later. A day of which half of a quarter is missing leaves that quarter as it was.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from controller.errors import ShifuError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from controller.history.store import Buckets, HistoryStore
    from controller.office import OfficeCalendar
    from controller.point.model import Site
    from drivers.driver import Clock

__all__ = ["UsualCourse", "learnt", "through"]

_log = logging.getLogger(__name__)

QUARTER_NS = 900_000_000_000
_QUARTERS = 96
_DAYS = 28
_NEW = 0.3
"""Share of the latest day in the mean."""
_SEEN = 0.5
"""Of a quarter's readings that must be good."""
_LOOK_S, _AGAIN_S = 5.0, 3600.0
_MOST = 100
"""Points that are followed."""


class UsualCourse:
    """Knows the courses of the points that were asked for."""

    def __init__(
        self, history: HistoryStore, site: Callable[[], Site], calendar: Callable[[], OfficeCalendar], clock: Clock
    ) -> None:
        """Prepare; `run` fetches. `calendar` says which days are workdays."""
        self._history, self._site, self._calendar, self._clock = history, site, calendar, clock
        self._courses: dict[str, NDArray[np.float64]] = {}
        self._due: dict[str, float] = {}

    def kw(self, point: str, now_ns: int, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the usual value so many seconds after `now_ns` (T,), NaN where it is not known."""
        if point not in self._due and len(self._due) < _MOST:
            self._due[point] = self._clock.monotonic()
        course = self._courses.get(point)
        if course is None:
            return np.full(len(ahead_s), np.nan)
        zone, calendar = ZoneInfo(self._site().timezone), self._calendar()
        places = (now_ns + ahead_s * 1e9) / QUARTER_NS
        first = np.floor(places)
        wanted = {*(first - 1.0), *first, *(first + 1.0)}
        at = {number: course[_place(int(number) * QUARTER_NS, zone, calendar)] for number in wanted}
        before, mean, after = (np.array([at[one + k] for one in first]) for k in (-1.0, 0.0, 1.0))
        return through(before, mean, after, places - first)

    async def run(self) -> None:
        """Fetch what was asked for, and again every hour."""
        while True:
            await self.refresh()
            await self._clock.sleep(_LOOK_S)

    async def refresh(self) -> None:
        """Fetch the courses that are due."""
        for point, due in list(self._due.items()):
            if due > self._clock.monotonic():
                continue
            self._due[point] = self._clock.monotonic() + _AGAIN_S
            found = self._site().points.get(point)
            if found is None:
                self._courses.pop(point, None)
                continue
            end_ns = self._clock.now_ns() // QUARTER_NS * QUARTER_NS
            try:
                (buckets,) = await self._history.aggregate(
                    [found.number], end_ns - _DAYS * _QUARTERS * QUARTER_NS, end_ns, QUARTER_NS
                )
            except ShifuError as error:
                _log.warning("the usual course of %s stays as it was: %s", point, error)
                continue
            self._courses[point] = learnt(buckets, ZoneInfo(self._site().timezone), self._calendar())


def through(
    before: NDArray[np.float64], mean: NDArray[np.float64], after: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a course through quarters (T,), at `share` 0 to 1 of one whose mean is known, and those beside it.

    It has no steps, and the mean of each quarter is what it was: who draws straight lines from middle to middle lowers
    the last quarter before a fall. A quarter that is not known takes that of its neighbour; NaN where `mean` is not.
    """
    first = np.where(np.isnan(before), mean, 0.5 * (before + mean))
    last = np.where(np.isnan(after), mean, 0.5 * (mean + after))
    square = share * share
    return np.asarray(
        first * (1.0 - 4.0 * share + 3.0 * square) + last * (3.0 * square - 2.0 * share) + 6.0 * mean * (share - square)
    )


def learnt(buckets: Buckets, zone: ZoneInfo, calendar: OfficeCalendar) -> NDArray[np.float64]:
    """Return the course (2, 96), workdays and other days, from means of quarters in the order of time; NaN: unseen."""
    course = np.full((2, _QUARTERS), np.nan)
    for start_ns, mean, good in zip(buckets.start_ns, buckets.mean, buckets.good_share, strict=True):
        if good < _SEEN or not np.isfinite(mean):
            continue
        place = _place(int(start_ns), zone, calendar)
        before = course[place]
        course[place] = mean if np.isnan(before) else before + _NEW * (mean - before)
    return course


def _place(time_ns: int, zone: ZoneInfo, calendar: OfficeCalendar) -> tuple[int, int]:
    local = datetime.fromtimestamp(time_ns // 1_000_000_000, zone)
    quarter = (local - local.replace(hour=0, minute=0, second=0, microsecond=0)) // timedelta(minutes=15)
    return (0 if calendar.workday(local.date()) else 1, min(quarter, _QUARTERS - 1))
