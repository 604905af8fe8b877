"""Inspections: what the law or the house wants looked at again and again, when it is due, and for how long it holds."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from controller.point.model import Name

__all__ = ["LEAD_DAYS", "Inspection", "deadline", "later", "made", "standing"]

LEAD_DAYS = 30
"""So long before its deadline an inspection is shown as due: an inspector is not there the next day."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """One duty. At least one of `last_done`, `due` and `certificate_until` is known."""

    id: str
    kind: str
    """What is inspected, as a word: `lift-safety`, `fire-equipment`. A piece of equipment has one of a kind at most."""
    title: Name
    basis: str
    """The law or rule that wants it, in its own words."""
    interval_months: int
    last_done: date | None = None
    due: date | None = None
    """When the next one is due; None: an interval after the last one."""
    certificate_until: date | None = None
    """合格證明有效期限; None where there is no certificate."""
    equipment: tuple[str, ...] = ()
    area: str = ""


def later(day: date, months: int) -> date:
    """Return the day so many months later; the last of a month where that month is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return day.replace(year=year, month=month + 1, day=min(day.day, calendar.monthrange(year, month + 1)[1]))


def deadline(inspection: Inspection) -> date | None:
    """Return the day on which it must be done again at the latest: when it is due, or when its certificate ends."""
    due = inspection.due
    if due is None and inspection.last_done is not None:
        due = later(inspection.last_done, inspection.interval_months)
    days = [day for day in (due, inspection.certificate_until) if day is not None]
    return min(days) if days else None


def standing(inspection: Inspection, today: date) -> str:
    """Return `overdue` (the deadline has passed), `due` (within 30 days) or `good`."""
    last = deadline(inspection)
    if last is None or last < today:
        return "overdue"
    return "due" if (last - today).days <= LEAD_DAYS else "good"


def made(inspection: Inspection, on: date, certificate_until: date | None) -> Inspection:
    """Return the inspection after it was done; the next one is due an interval later."""
    return replace(inspection, last_done=on, due=None, certificate_until=certificate_until)
