"""The shapes of schedules as `/schedules` takes and gives them: hours, exceptions, days, what holds now and will."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from controller.api.body import Body, Finite, Item, Line, NameReply
from controller.api.entry import Id, NameBody, Reason

__all__ = [
    "ExceptionBody",
    "ExceptionReply",
    "PlanBody",
    "PlanReply",
    "PointReply",
    "PreviewReply",
    "SchedulesReply",
]

DayType = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday", "makeup"]
Clock = Annotated[str, StringConstraints(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Date = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Values = Annotated[dict[Tag, Finite], Field(max_length=20)]
ScheduleIds = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_*-]{1,63}$")]], Field(min_length=1, max_length=100)
]


class SpanBody(Body):
    """A part of each day of some types. Over midnight it takes two."""

    days: Annotated[list[DayType], Field(min_length=1, max_length=9)]
    start: Annotated[Clock, Field(alias="from")]
    end: Annotated[Clock, Field(alias="to")]
    mode: Id


class BookingModeBody(Body):
    """What equipment does while a booking uses it."""

    mode: Id
    lead_min: Annotated[int, Field(ge=0, le=720)] = 0
    lag_min: Annotated[int, Field(ge=0, le=720)] = 0


class PlanBody(Body):
    """What a screen may change of a schedule; equipment, names and modes are the files'."""

    weekly: Annotated[list[SpanBody], Field(max_length=60)]
    default: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9_-]{0,62})?$")]
    """Mode outside of all spans; empty: everything is released."""
    booking: BookingModeBody | None = None
    enabled: bool = True
    values: Annotated[dict[Id, Values], Field(max_length=12)] = Field(default_factory=dict)
    """Values of modes, by mode and tag; a mode that is not named keeps those of the files."""
    reason: Reason
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "weekly": [{"days": ["mon", "tue"], "from": "07:45", "to": "17:30", "mode": "occupied"}],
                    "default": "unoccupied",
                    "booking": {"mode": "occupied", "lead_min": 60, "lag_min": 15},
                    "enabled": True,
                    "values": {"occupied": {"fan_cmd": 1.0, "zone_temp_sp": 26.0}},
                    "reason": "夏月提早開機",
                }
            ]
        }
    )


class ExceptionBody(Body):
    """Days on which schedules do something else: a mode between two times, or another type of day."""

    title: NameBody
    schedules: ScheduleIds
    """Ids, with `*` for any text."""
    first: Annotated[Date, Field(alias="from")]
    last: Annotated[Date, Field(alias="to")]
    mode: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9_-]{0,62})?$")] = ""
    start: Clock = "00:00"
    end: Clock = "24:00"
    day: DayType | Literal[""] = ""
    reason: Reason
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": {"zh": "颱風停班", "en": "Typhoon day"},
                    "schedules": ["office-*"],
                    "from": "2026-09-02",
                    "to": "2026-09-02",
                    "day": "holiday",
                    "reason": "市府公告停班",
                }
            ]
        }
    )


class DayReply(Item):
    """A day of the office calendar."""

    date: str
    type: DayType
    name: NameReply
    """Of the holiday, or of the make-up workday; empty on other days."""
    workday: bool
    """The offices are open: who is on duty on workdays is."""
    added: bool
    """The site's files say so, not the country's calendar."""
    published: bool
    """False: of this year only the law is known, and a bridge day may still be decided."""


class CauseReply(Item):
    """Why a mode holds."""

    kind: Literal["exception", "booking", "holiday", "makeup", "pattern", "default", "disabled"]
    id: str
    name: NameReply


class StateReply(Item):
    """A mode (empty: released) and why, from when (null: for days) until when it changes (null: for weeks)."""

    mode: str
    cause: CauseReply
    since: str | None
    until: str | None


class NextReply(Item):
    """The next change of a schedule as a whole; bookings change single pieces."""

    at: str | None
    mode: str
    cause: CauseReply


class ModeReply(Item):
    """One way to run the equipment."""

    id: str
    name: NameReply
    values: dict[str, float]


class SpanReply(Item):
    """A part of each day of some types."""

    days: list[DayType]
    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    mode: str


class BookingModeReply(Item):
    """What equipment does while a booking uses it."""

    mode: str
    lead_min: int
    lag_min: int


class PieceReply(Item):
    """Equipment that does something else than its schedule as a whole."""

    equipment: str
    mode: str
    """Empty: nothing is asked of it."""
    cause: CauseReply | None
    """Null: works have taken it out of service."""


class CountReply(Item):
    """How many points a schedule wants something of now."""

    wanted: int
    effective: int
    """Of them those that the schedule decides."""
    masked: int
    """A stronger slot decides."""
    refused: int
    """The slot could not be set, or not yet since the start."""


class ScheduleChangeReply(Item):
    """Who changed it on a screen, or put it in there."""

    owner: str
    reason: str
    since: str | None
    of_files: bool


_CAUSE: dict[str, Any] = {"kind": "pattern", "id": "", "name": {"zh": "", "en": ""}}
_PLAN: dict[str, Any] = {
    "id": "office-west",
    "name": {"zh": "西區辦公空調", "en": "Office air, west wing"},
    "areas": ["west"],
    "equipment": ["cityhall.hvac.ahu_02f_w"],
    "tags": ["fan_cmd", "zone_temp_sp"],
    "modes": [
        {
            "id": "occupied",
            "name": {"zh": "上班", "en": "Occupied"},
            "values": {"fan_cmd": 1.0, "zone_temp_sp": 26.0},
        }
    ],
    "weekly": [{"days": ["mon", "tue"], "from": "07:45", "to": "17:30", "mode": "occupied"}],
    "default": "",
    "booking": {"mode": "occupied", "lead_min": 60, "lag_min": 15},
    "stagger_s": 5.0,
    "enabled": True,
    "now": {"mode": "occupied", "cause": _CAUSE, "since": None, "until": "2026-01-05T09:30:00.000Z"},
    "next": {"at": "2026-01-05T09:30:00.000Z", "mode": "", "cause": {**_CAUSE, "kind": "default"}},
    "different": [],
    "points": {"wanted": 2, "effective": 2, "masked": 0, "refused": 0},
    "change": None,
}


class PlanReply(Item):
    """A schedule, what it does now, and what comes next."""

    id: str
    name: NameReply
    areas: list[str]
    equipment: list[str]
    tags: list[str]
    modes: list[ModeReply]
    weekly: list[SpanReply]
    default: str
    booking: BookingModeReply | None
    stagger_s: float
    enabled: bool
    now: StateReply
    next: NextReply | None
    different: list[PieceReply]
    points: CountReply
    change: ScheduleChangeReply | None
    model_config = ConfigDict(json_schema_extra={"examples": [_PLAN]})


_EXCEPTION: dict[str, Any] = {
    "id": "typhoon",
    "title": {"zh": "颱風停班", "en": "Typhoon day"},
    "schedules": ["office-west"],
    "patterns": ["office-*"],
    "from": "2026-09-02",
    "to": "2026-09-02",
    "mode": "",
    "start": "00:00",
    "end": "24:00",
    "day": "holiday",
    "phase": "planned",
    "change": {"owner": "lin.yc", "reason": "市府公告停班", "since": "2026-09-01T12:00:00.000Z", "of_files": False},
}


class ExceptionReply(Item):
    """An exception; of its schedules those that whoever asks may see."""

    id: str
    title: NameReply
    schedules: list[str]
    patterns: list[str]
    first: Annotated[str, Field(alias="from")]
    last: Annotated[str, Field(alias="to")]
    mode: str
    start: str
    end: str
    day: str
    phase: Literal["planned", "on", "over"]
    change: ScheduleChangeReply | None
    model_config = ConfigDict(json_schema_extra={"examples": [_EXCEPTION]})


_DAY: dict[str, Any] = {
    "date": "2026-12-25",
    "type": "holiday",
    "name": {"zh": "行憲紀念日", "en": "Constitution Day"},
    "workday": False,
    "added": False,
    "published": True,
}


class SchedulesReply(Item):
    """All schedules, with what holds now."""

    time: str | None
    today: DayReply
    special: list[DayReply]
    """Holidays and make-up workdays of the next 120 days."""
    plans: list[PlanReply]
    exceptions: list[ExceptionReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "time": "2026-01-05T00:00:00.000Z",
                    "today": {
                        **_DAY,
                        "date": "2026-01-05",
                        "type": "mon",
                        "name": {"zh": "", "en": ""},
                        "workday": True,
                    },
                    "special": [_DAY],
                    "plans": [_PLAN],
                    "exceptions": [_EXCEPTION],
                }
            ]
        }
    )


class IntervalReply(Item):
    """A mode from one time to another."""

    start: str | None
    end: str | None
    mode: str
    cause: CauseReply


class BookedReply(Item):
    """A booking that switches equipment of a schedule, lead and lag counted in."""

    start: str | None
    end: str | None
    mode: str
    booking: str
    title: NameReply
    equipment: list[str]


class LineReply(Item):
    """What one schedule will do."""

    plan: str
    intervals: list[IntervalReply]
    bookings: list[BookedReply]


class PreviewReply(Item):
    """What all schedules will do, as they will be evaluated."""

    start: str | None
    end: str | None
    days: list[DayReply]
    lines: list[LineReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "start": "2026-01-04T16:00:00.000Z",
                    "end": "2026-01-05T16:00:00.000Z",
                    "days": [_DAY],
                    "lines": [{"plan": "office-west", "intervals": [], "bookings": []}],
                }
            ]
        }
    )


class PointReply(Item):
    """Why a point is as it is: what its schedule wants of it, and who decides."""

    point: str
    plan: str
    """Empty: no schedule speaks of it."""
    value: float | None
    """What the schedule wants; null: nothing."""
    now: StateReply | None
    slot: int
    """The slot that takes effect; 0: the relinquish default, or nobody."""
    present: float | None
    owner: Line
    why: NameReply
    refused: str
    """Why the schedule could not set it; empty when it could."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "point": "cityhall.hvac.ahu_02f_w.fan_cmd",
                    "plan": "office-west",
                    "value": 1.0,
                    "now": {"mode": "occupied", "cause": _CAUSE, "since": None, "until": None},
                    "slot": 8,
                    "present": 0.0,
                    "owner": "lin.yc",
                    "why": {"zh": "濾網更換", "en": "濾網更換"},
                    "refused": "",
                }
            ]
        }
    )
