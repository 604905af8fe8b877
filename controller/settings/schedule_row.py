"""The shape of schedule.toml and of the files in schedule/, as strict models."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from controller.settings.file import Clock, NameRow, Patterns, Tag, Word  # noqa: TC001 - pydantic reads them

__all__ = ["BookingModeRow", "DayRow", "ModeRow", "ScheduleRow", "SpanRow", "SpecialPeriodRow"]

EndClock = Annotated[str, StringConstraints(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
ScheduleIds = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_*-]+$", max_length=63)]],
    Field(min_length=1, max_length=100),
]
DayType = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday", "makeup"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ModeRow(_Row):
    """`[[schedule.mode]]`: one way to run the equipment."""

    id: Word
    name: NameRow
    values: Annotated[dict[Tag, FiniteFloat], Field(max_length=20)]
    """Tag of a commandable point of each piece of equipment, and its value in the point's unit."""


class SpanRow(_Row):
    """`[[schedule.weekly]]`: a part of some days. Over midnight it takes two."""

    days: Annotated[list[DayType], Field(min_length=1, max_length=9)]
    """`holiday`: public holidays, on which the days of the week do not count; `makeup`: workdays at a weekend (without
    a pattern of their own they are like Fridays)."""
    start: Annotated[Clock, Field(alias="from")]
    end: Annotated[EndClock, Field(alias="to")]
    mode: Word


class BookingModeRow(_Row):
    """`booking = { … }`: what equipment does while a booking uses it."""

    mode: Word
    lead_min: Annotated[int, Field(ge=0, le=720)] = 0
    lag_min: Annotated[int, Field(ge=0, le=720)] = 0


class ScheduleRow(_Row):
    """`[[schedule]]`: equipment that is switched together."""

    id: Word
    name: NameRow
    equipment: Annotated[Patterns, Field(min_length=1)]
    """Addresses, with `*` for any text."""
    mode: Annotated[list[ModeRow], Field(min_length=1, max_length=12)]
    weekly: Annotated[list[SpanRow], Field(max_length=60)] = []
    default: Word | Literal[""] = ""
    """Mode outside of all spans; empty: every point is released."""
    booking: BookingModeRow | None = None
    stagger_s: Annotated[FiniteFloat, Field(ge=0, le=60)] = 0.0
    """Each piece of equipment changes so long after the one before it."""
    enabled: bool = True


class SpecialPeriodRow(_Row):
    """`[[exception]]`: days on which schedules do something else."""

    id: Word
    title: NameRow
    schedules: ScheduleIds
    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    """The last day, included."""
    mode: Word | Literal[""] = ""
    start: Clock = "00:00"
    end: EndClock = "24:00"
    """Times of each of the days between which the mode holds."""
    day: DayType | Literal[""] = ""
    """In place of a mode: the type of day whose pattern holds."""


class DayRow(_Row):
    """`[[day]]`: a holiday or a make-up workday that the country's calendar does not have."""

    date: date
    type: Literal["holiday", "makeup"]
    name: NameRow
