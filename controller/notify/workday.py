"""Workdays of Taiwan: holidays, observed days off and make-up workdays (補班日). The one module that knows `holidays`.

Source of the days: the library `holidays`, country TW, which follows 紀念日及節日實施條例 and the yearly calendar of
the Directorate-General of Personnel Administration (行政院人事行政總處).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import holidays

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Workdays"]


class Workdays:
    """Tells workdays from holidays; the years are worked out when they are first asked for, in about a millisecond."""

    def __init__(self) -> None:
        self._days = holidays.country_holidays("TW", language="zh_TW")

    def __call__(self, day: date) -> bool:
        """Tell whether a local day is a workday; a make-up Saturday is one."""
        return bool(self._days.is_working_day(day))

    def name(self, day: date) -> str:
        """Return the holiday's name in zh-TW; empty on a day without one."""
        return str(self._days.get(day) or "")
