"""report.toml: when reports are made by themselves, and how many are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from controller.report.timetable import ReportPlan, Slot
from controller.settings.file import Clock  # noqa: TC001 - pydantic reads the annotations

__all__ = ["ReportFile", "report_plan"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DaySlotRow(_Row):
    """`[day]`: reports of the day before."""

    at: Clock
    """When they are made, in the site's zone."""
    keep: Annotated[int, Field(ge=1, le=3_700)] = 92
    """How many are kept; the older ones are removed."""


class MonthSlotRow(_Row):
    """`[month]`: reports of the month before, made on its first day."""

    at: Clock
    """When they are made, in the site's zone."""
    keep: Annotated[int, Field(ge=1, le=600)] = 60
    """How many are kept; the older ones are removed."""


class ReportFile(_Row):
    """report.toml; a kind that is left out is made on demand alone, and all of it is kept."""

    day: DaySlotRow | None = None
    month: MonthSlotRow | None = None


def report_plan(row: ReportFile) -> ReportPlan:
    """Return what report.toml says."""
    return ReportPlan(_slot(row.day), _slot(row.month))


def _slot(row: DaySlotRow | MonthSlotRow | None) -> Slot | None:
    if row is None:
        return None
    hour, _, minute = row.at.partition(":")
    return Slot(int(hour), int(minute), row.keep)
