"""The usual course of a circuit's other load: what it draws at each quarter of a workday and of other days, as learnt.

A mean of the days seen, newer ones counting more. Nothing is known at first; a forecast then has to take the present
value for all times to come.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from controller.strategy.charging.room import QUARTER_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray

    from controller.strategy.charging.session import Calendar

__all__ = ["Course", "learnt", "usual"]

_QUARTERS = 96
_NEW = 0.3
"""Share of the latest day in the mean."""


def _unknown() -> NDArray[np.float64]:
    return np.full((2, _QUARTERS), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What was learnt of one circuit."""

    kw: NDArray[np.float64] = field(default_factory=_unknown)
    """(2, 96): workdays and other days, each quarter; NaN where nothing was seen."""
    bin: tuple[int, int] = (-1, -1)
    """The quarter that is being measured."""
    sum_kw: float = 0.0
    count: int = 0


def learnt(course: Course, now_ns: int, now_kw: float, zone: tzinfo, calendar: Calendar) -> Course:
    """Return the course with one more measured value."""
    place = _place(now_ns, zone, calendar)
    if place == course.bin:
        return replace(course, sum_kw=course.sum_kw + now_kw, count=course.count + 1)
    kw = course.kw
    if course.count:
        kw = kw.copy()
        mean, before = course.sum_kw / course.count, kw[course.bin]
        kw[course.bin] = mean if np.isnan(before) else before + _NEW * (mean - before)
    return Course(kw, place, now_kw, 1)


def usual(course: Course, now_ns: int, hours: Sequence[float], zone: tzinfo, calendar: Calendar) -> NDArray[np.float64]:
    """Return the usual course in each step from now on, kW (T,); NaN where it is not known."""
    spans = np.asarray(hours)
    middle = np.cumsum(spans) - spans / 2.0
    return np.array([course.kw[_place(now_ns + round(h * 3.6e12), zone, calendar)] for h in middle])


def _place(time_ns: int, zone: tzinfo, calendar: Calendar) -> tuple[int, int]:
    local = datetime.fromtimestamp(time_ns // 1_000_000_000, zone)
    second = (local.hour * 60 + local.minute) * 60 + local.second
    return (0 if calendar.workday(local) else 1, int(second // QUARTER_S))
