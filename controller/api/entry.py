"""The shapes of calendar entries as `/calendar` takes and gives them: bookings, works, inspections, what holds now."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from controller.api.body import Body, Item, Line, NameReply

__all__ = [
    "BookingBody",
    "BookingReply",
    "CalendarReply",
    "DoneBody",
    "EndBody",
    "GoneReply",
    "Id",
    "InspectionReply",
    "Kind",
    "WorksBody",
    "WorksReply",
]

Kind = Literal["booking", "works", "inspection"]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
DayOrTime = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}(T[0-9:.]{4,15}(Z|[+-]\d{2}:\d{2}))?$")]
Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T[0-9:.]{4,15}(Z|[+-]\d{2}:\d{2})$")]
Reason = Annotated[Line, StringConstraints(min_length=1)]
Patterns = Annotated[list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.*-]{1,120}$")]], Field(max_length=200)]


class NameBody(Body):
    """A name in both languages."""

    zh: Annotated[Line, StringConstraints(min_length=1, max_length=200)]
    en: Annotated[Line, StringConstraints(min_length=1, max_length=200)]


class BookingBody(Body):
    """A booking of a venue."""

    venue: Id
    title: NameBody
    start: Time
    end: Time
    equipment: Patterns = Field(default_factory=list)
    reason: Reason
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "venue": "atrium",
                    "title": {"zh": "市政成果展", "en": "Exhibition"},
                    "start": "2026-12-05T09:00:00+08:00",
                    "end": "2026-12-05T17:00:00+08:00",
                    "reason": "場地租借申請",
                }
            ]
        }
    )


class WorksBody(Body):
    """Works: a day counts whole. What fits all of area, floors and equipment goes out of service."""

    kind: Literal["renovation", "maintenance"]
    title: NameBody
    first: Annotated[DayOrTime, Field(alias="from")]
    last: Annotated[DayOrTime, Field(alias="to")]
    area: Annotated[Line, StringConstraints(max_length=63)] = ""
    floors: Annotated[list[Annotated[str, StringConstraints(max_length=4)]], Field(max_length=120)] = Field(
        default_factory=list
    )
    equipment: Patterns = Field(default_factory=list)
    takes_out: bool = True
    contractor: NameBody | None = None
    why: NameBody | None = None
    """Why it takes equipment out of service, for the screens."""
    reason: Reason
    """Why the calendar is changed, for the audit journal."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "maintenance",
                    "title": {"zh": "冰水主機年度保養", "en": "Yearly service of a chiller"},
                    "from": "2026-12-01",
                    "to": "2026-12-03",
                    "equipment": ["cityhall.plant.ch4"],
                    "reason": "年度保養",
                }
            ]
        }
    )


class DoneBody(Body):
    """An inspection that was done."""

    date: Day
    certificate_until: Day | None = None
    reason: Reason
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"date": "2026-11-20", "certificate_until": "2027-05-19", "reason": "檢查合格，證明已張貼"}]
        }
    )


class EndBody(Body):
    """Why something is ended or taken away."""

    reason: Reason
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "提前完工"}]})


class ChangeReply(Item):
    """Who changed an entry of the files on a screen, or put a new one in."""

    owner: str
    reason: str
    since: str | None
    of_files: bool
    """The files have this entry too: POST …/reset has it be as they say again."""


class EntryReply(Item):
    """What every entry has."""

    id: str
    title: NameReply
    equipment: list[str]
    change: ChangeReply | None
    """Null: as in the files."""
    editable: bool
    """False: a booking of an iCalendar file, which is changed there."""


_EXAMPLE: dict[str, Any] = {
    "id": "115-0118",
    "title": {"zh": "廁所改造工程", "en": "New toilets"},
    "equipment": ["cityhall.environment.env028"],
    "change": {"owner": "lin.yc", "reason": "展延", "since": "2026-01-01T00:00:00.000Z", "of_files": True},
    "editable": True,
}


class BookingReply(EntryReply):
    """A booking; repeated ones come one by one, with the UID of their series."""

    venue: str
    start: str | None
    end: str | None
    series: str
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_EXAMPLE,
                    "venue": "atrium",
                    "start": "2026-12-05T01:00:00.000Z",
                    "end": "2026-12-05T09:00:00.000Z",
                    "series": "",
                }
            ]
        }
    )


class WorksReply(EntryReply):
    """Works; `end` is the first moment at which everything is back."""

    kind: str
    phase: Literal["planned", "on", "over"]
    start: str | None
    end: str | None
    area: str
    floors: list[str]
    patterns: list[str]
    takes_out: bool
    contractor: NameReply
    why: NameReply
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_EXAMPLE,
                    "kind": "renovation",
                    "phase": "on",
                    "start": "2026-06-30T16:00:00.000Z",
                    "end": "2026-12-31T16:00:00.000Z",
                    "area": "north",
                    "floors": ["7F"],
                    "patterns": ["cityhall.environment.*"],
                    "takes_out": True,
                    "contractor": {"zh": "營造廠商", "en": "Building contractor"},
                    "why": {"zh": "施工粉塵", "en": "Dust"},
                }
            ]
        }
    )


class InspectionReply(EntryReply):
    """An inspection with its deadline: when it is due, or when its certificate ends, whatever comes first."""

    kind: str
    standing: Literal["overdue", "due", "good"]
    basis: str
    interval_months: int
    last_done: str | None
    due: str | None
    certificate_until: str | None
    deadline: str | None
    area: str
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_EXAMPLE,
                    "kind": "lift-safety",
                    "standing": "due",
                    "basis": "建築物昇降設備設置及檢查管理辦法",
                    "interval_months": 6,
                    "last_done": "2025-07-10",
                    "due": None,
                    "certificate_until": "2026-01-10",
                    "deadline": "2026-01-10",
                    "area": "",
                }
            ]
        }
    )


class GoneReply(Item):
    """An entry that was taken away."""

    id: str
    gone: bool
    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "115-b031", "gone": True}]})


class VenueReply(Item):
    """A place that is let."""

    id: str
    name: NameReply
    area: str
    floor: str
    equipment: list[str]


class OutReply(Item):
    """Equipment out of service now."""

    equipment: str
    works: str
    title: NameReply
    why: NameReply
    until: str | None
    points: int
    """How many of its points; those of life safety stay in service."""


class UseReply(Item):
    """Equipment in use now."""

    equipment: str
    booking: str
    title: NameReply
    until: str | None


class CalendarReply(Item):
    """The calendars, with what holds now."""

    time: str | None
    venues: list[VenueReply]
    bookings: list[BookingReply]
    clashes: list[list[str]]
    """Pairs of bookings that want one venue at one time."""
    works: list[WorksReply]
    inspections: list[InspectionReply]
    out_of_service: list[OutReply]
    in_use: list[UseReply]
    alarms_out_of_service: int
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "time": "2026-01-01T00:00:00.000Z",
                    "venues": [],
                    "bookings": [],
                    "clashes": [],
                    "works": [],
                    "inspections": [],
                    "out_of_service": [],
                    "in_use": [],
                    "alarms_out_of_service": 0,
                }
            ]
        }
    )
