"""The shapes of drills as `/drills` takes and gives them."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from controller.api.body import Address, Body, Item, Line, NameReply
from controller.api.notification import NotificationReply

__all__ = [
    "AnswerBody",
    "BoardReply",
    "CurrentReply",
    "DrillReply",
    "EntryReply",
    "NoteBody",
    "NoticesReply",
    "PlanBody",
    "ReportBody",
    "RestoreBody",
    "ScenariosReply",
    "TicksBody",
    "TicksReply",
    "WhyBody",
]

DrillId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T[0-9:.]{4,15}(Z|[+-]\d{2}:\d{2})$")]
Why = Annotated[Line, StringConstraints(min_length=1)]
Millis = Annotated[int, Field(ge=0, le=4_102_444_800_000)]
"""ms since 1970 by the clock that is named; up to 2100."""
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
_DRILL = "d-20261127-1"


class PlanBody(Body):
    """A drill to be planned."""

    scenario: Word
    level: Literal["table_top", "simulated"]
    end: Time
    """When it ends by itself at the latest; it must be still to come."""
    notice: Line = ""
    """How and when the fire authority was told."""
    remark: Line = ""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "scenario": "tearoom-3f",
                    "level": "simulated",
                    "end": "2026-11-27T15:00:00+08:00",
                    "notice": "115/11/13 函報消防局備查",
                }
            ]
        }
    )


class WhyBody(Body):
    """A reason, for the record."""

    reason: Why
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "演練目標已達成"}]})


class AnswerBody(Body):
    """What a team answered; may be empty."""

    note: Line = ""
    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "已通報，119 確認"}]})


class NoteBody(Body):
    """What somebody saw."""

    note: Why
    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "東側安全梯門未完全開啟"}]})


class RestoreBody(Body):
    """The steps that were checked."""

    steps: Annotated[list[Word], Field(max_length=50)]
    model_config = ConfigDict(json_schema_extra={"examples": [{"steps": ["told", "panel"]}]})


class ReportBody(Body):
    """The conclusion of the after-action review."""

    conclusion: Annotated[Line, StringConstraints(min_length=1)]
    model_config = ConfigDict(json_schema_extra={"examples": [{"conclusion": "安全梯門改善列管"}]})


class InjectReply(Item):
    """An inject, and what became of it."""

    id: str
    after_s: float
    text: NameReply
    team: str
    answer_s: float | None
    point: str
    value: float | None
    given: str | None
    """When it was given; null while it is not."""
    answered: str | None
    answered_by: str
    answered_after_s: float | None
    note: str


class GoalReply(Item):
    """A goal; how it was reached is in the report."""

    id: str
    kind: str
    text: NameReply
    within_s: float | None


class NamedReply(Item):
    """Something with an id and a name."""

    id: str
    text: NameReply


class AssemblyReply(Item):
    """An assembly point."""

    id: str
    name: NameReply
    floors: list[str]


class SignalReply(Item):
    """A real signal."""

    kind: str
    point: str
    text: NameReply
    equipment: str
    place: NameReply
    area: str
    floor: str


class DrillReply(Item):
    """One drill."""

    id: str
    phase: str
    level: str
    scenario: str
    name: NameReply
    building: str
    floor: str
    end: str | None
    """When it ends by itself."""
    length_s: float
    elapsed_s: float
    """On the monotonic clock while it runs."""
    confirm_s: float
    """How long the second person still has to confirm the start; 0 when nobody is waited for."""
    notice: str
    remark: str
    planned_by: str
    planned: str | None
    requested_by: str
    requested: str | None
    confirmed_by: str
    started: str | None
    ended: str | None
    cause: str | None
    ended_by: str
    ended_why: str
    real: list[SignalReply]
    """The real signals that ended it."""
    injects: list[InjectReply]
    goals: list[GoalReply]
    assembly: list[AssemblyReply]
    steps: list[NamedReply]
    checked: list[str]
    restored_by: str
    restored: str | None
    conclusion: str
    reported_by: str
    reported: str | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _DRILL,
                    "phase": "planned",
                    "level": "simulated",
                    "scenario": "tearoom-3f",
                    "name": {"zh": "3 樓茶水間火警", "en": "Fire in the tea room, 3F"},
                    "building": "cityhall",
                    "floor": "3F",
                    "end": "2026-11-27T07:00:00.000Z",
                    "length_s": 0.0,
                    "elapsed_s": 0.0,
                    "confirm_s": 0.0,
                    "notice": "",
                    "remark": "",
                    "planned_by": "s.officer",
                    "planned": "2026-11-27T05:00:00.000Z",
                    "requested_by": "",
                    "requested": None,
                    "confirmed_by": "",
                    "started": None,
                    "ended": None,
                    "cause": None,
                    "ended_by": "",
                    "ended_why": "",
                    "real": [],
                    "injects": [],
                    "goals": [],
                    "assembly": [],
                    "steps": [],
                    "checked": [],
                    "restored_by": "",
                    "restored": None,
                    "conclusion": "",
                    "reported_by": "",
                    "reported": None,
                }
            ]
        }
    )


class ScenarioReply(Item):
    """A scenario of the files."""

    id: str
    name: NameReply
    building: str
    floor: str
    levels: list[str]
    end_s: float
    injects: int
    goals: list[GoalReply]


class ScenariosReply(Item):
    """Everything that can be planned."""

    items: list[ScenarioReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "id": "tearoom-3f",
                            "name": {"zh": "3 樓茶水間火警", "en": "Fire in the tea room, 3F"},
                            "building": "cityhall",
                            "floor": "3F",
                            "levels": ["table_top", "simulated"],
                            "end_s": 3600.0,
                            "injects": 7,
                            "goals": [],
                        }
                    ]
                }
            ]
        }
    )


class CurrentReply(Item):
    """What every screen is told of the drill under way, and whether a real signal stands against one now."""

    drill: dict[str, Any] | None
    real: list[dict[str, Any]]
    more: int
    unrecorded: bool
    clear: bool
    """No real signal is active, and the fire panel's status is known: a drill may begin."""
    against: list[SignalReply]
    """The real signals that are active now, in the areas that you may see."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"drill": None, "real": [], "more": 0, "unrecorded": False, "clear": True, "against": []},
            ]
        }
    )


class EntryReply(Item):
    """One line of the record of a drill."""

    id: int
    time: str | None
    kind: str
    who: str
    text: NameReply
    data: dict[str, Any]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 1,
                    "time": "2026-11-27T06:00:00.000Z",
                    "kind": "started",
                    "who": "op.one",
                    "text": {
                        "zh": "演練 DRILL 開始：3 樓茶水間火警",
                        "en": "演練 DRILL started: Fire in the tea room, 3F",
                    },
                    "data": {},
                }
            ]
        }
    )


class NoticesReply(Item):
    """The messages to the people of a drill."""

    items: list[NotificationReply]
    model_config = ConfigDict(json_schema_extra={"examples": [{"items": []}]})


class ZoneReply(Item):
    """One zone of the muster."""

    area: str
    floor: str
    expected: int
    accounted: int
    missing: int
    rescue: int
    visitors: int
    conflicts: int
    late: int
    """What wardens said after the end of the drill, by their clocks; kept, and not counted in the times above."""
    swept: str | None
    reported: str | None
    complete: str | None
    wardens: list[str]


class PersonReply(Item):
    """One person of the muster; ids of the access controllers, no names."""

    person: str
    area: str
    floor: str
    door: str
    seen: str | None
    status: str | None
    who: str
    at: str | None
    assembly: str
    note: str
    conflict: list[str]
    expected: bool
    late: bool
    """It was said after the end of the drill."""


class BoardReply(Item):
    """The muster: zones for all who may look, people for those who secure or count their area."""

    drill: str
    phase: str
    time: str | None
    expected: int
    accounted: int
    missing: int
    rescue: int
    zones: list[ZoneReply]
    people: list[PersonReply]
    hidden: int
    """People in areas whose persons you may not see."""
    arrived_late: int
    """What phones sent after the end of the drill, whenever it was said."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "drill": _DRILL,
                    "phase": "running",
                    "time": "2026-11-27T06:04:00.000Z",
                    "expected": 142,
                    "accounted": 139,
                    "missing": 3,
                    "rescue": 0,
                    "zones": [],
                    "people": [],
                    "hidden": 142,
                    "arrived_late": 0,
                }
            ]
        }
    )


class TickBody(Body):
    """One thing that a warden said, as the phone kept it."""

    key: Key
    """Made by the phone once: a tick that is sent again is kept once."""
    kind: Literal["person", "headcount", "swept", "report"]
    at: Millis
    """By the phone's clock."""
    area: Annotated[Address, StringConstraints(max_length=63)]
    floor: Annotated[Line, StringConstraints(max_length=4)]
    person: Annotated[Line, StringConstraints(max_length=60)] = ""
    status: Literal["accounted", "missing", "rescue"] | None = None
    count: Annotated[int, Field(ge=0, le=10_000)] = 0
    assembly: Annotated[Line, StringConstraints(max_length=63)] = ""
    note: Annotated[Line, StringConstraints(max_length=200)] = ""


class TicksBody(Body):
    """What a phone had waiting."""

    sent: Millis
    """The phone's clock when it sent this, so that its error is known."""
    ticks: Annotated[list[TickBody], Field(min_length=1, max_length=500)]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sent": 1_795_759_442_000,
                    "ticks": [
                        {
                            "key": "f3b0c1d2-0001",
                            "kind": "person",
                            "at": 1_795_759_440_000,
                            "area": "east",
                            "floor": "3F",
                            "person": "p-10023",
                            "status": "accounted",
                        }
                    ],
                }
            ]
        }
    )


class TickRefusal(Item):
    """A tick that is not kept, and why; sending it again does not help."""

    key: str
    reason: str


class TicksReply(Item):
    """The keys that are durable now, and those that are refused."""

    kept: list[str]
    refused: list[TickRefusal]
    offset_ms: int
    """How far the phone's clock is behind the server's."""
    phase: str
    """Of the drill, as it was when they came."""
    late: list[str]
    """Keys of those that were said after the end of the drill, or came after its report: kept as late."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kept": ["f3b0c1d2-0001"], "refused": [], "offset_ms": 120, "phase": "running", "late": []}]
        }
    )
