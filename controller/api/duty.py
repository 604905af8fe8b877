"""`/duties`: who is on duty now and in the coming days; rosters changed on the screen, laid over the files.

Contacts are shown by role and by what kinds of ways reach them, never with their addresses.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, Field, StringConstraints

from controller.api.access import Allow, RuntimeDep, may
from controller.api.body import Body, Item, Line, NameReply
from controller.api.change import replaced
from controller.api.limit import IfMatch, match
from controller.api.problem import Problem
from controller.api.render import Json, iso, name_json, parse_time
from controller.api.runtime import Runtime
from controller.api.schedule import day_json
from controller.api.timetable import DayReply
from controller.errors import NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.notify.plan import NotifyPlan
from controller.notify.roster import Duty, local, spans
from controller.settings.roster import RosterFrame, roster_json

__all__ = ["router"]

router = APIRouter(prefix="/duties", tags=["duties"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T[0-9:.]{4,15}(Z|[+-]\d{2}:\d{2})$")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "workday", "holiday", "every"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_NS = 86_400_000_000_000


class Shift(Body):
    """Who is on duty on which days, from a time of day to another; an end not after the begin is on the next day."""

    days: Annotated[list[Day], Field(min_length=1, max_length=10)]
    first: Annotated[Clock, Field(alias="from")]
    last: Annotated[Clock, Field(alias="to")]
    contacts: Annotated[list[Id], Field(min_length=1, max_length=20)]


class Substitute(Body):
    """Who stands in for whom, and until when."""

    contact: Id
    by: Id
    first: Annotated[Time, Field(alias="from")]
    last: Annotated[Time, Field(alias="to")]
    reason: Annotated[Line, StringConstraints(max_length=200)] = ""


class RosterBody(Body):
    """A whole roster of a duty, and why it is changed."""

    shifts: Annotated[list[Shift], Field(max_length=50)]
    substitutes: Annotated[list[Substitute], Field(max_length=200)]
    reason: Annotated[Line, StringConstraints(min_length=1)]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "shifts": [{"days": ["workday"], "from": "08:00", "to": "18:00", "contacts": ["engineer"]}],
                    "substitutes": [
                        {
                            "contact": "engineer",
                            "by": "control-room",
                            "from": "2026-12-05T00:00:00+08:00",
                            "to": "2026-12-06T00:00:00+08:00",
                            "reason": "教育訓練",
                        }
                    ],
                    "reason": "調整班表",
                }
            ]
        }
    )


class Reason(Body):
    """Why."""

    reason: Annotated[Line, StringConstraints(min_length=1)]
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "代理結束"}]})


class SpanReply(Item):
    """A time in which the same contacts are on duty; `covered` false: nobody was planned, these stand in."""

    start: str
    end: str
    contacts: list[str]
    covered: bool


class ChangeReply(Item):
    """Who changed the roster on the screen."""

    owner: str
    reason: str
    since: str


class DutyReply(Item):
    """One duty."""

    id: str
    name: NameReply
    now: list[str]
    otherwise: list[str]
    shifts: list[dict[str, Any]]
    substitutes: list[dict[str, Any]]
    spans: list[SpanReply]
    change: ChangeReply | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "plant",
                    "name": {"zh": "機電值勤", "en": "Plant duty"},
                    "now": ["engineer"],
                    "otherwise": ["control-room"],
                    "shifts": [{"days": ["workday"], "from": "08:00", "to": "18:00", "contacts": ["engineer"]}],
                    "substitutes": [],
                    "spans": [
                        {
                            "start": "2026-01-02T00:00:00.000Z",
                            "end": "2026-01-02T10:00:00.000Z",
                            "contacts": ["engineer"],
                            "covered": True,
                        }
                    ],
                    "change": None,
                }
            ]
        }
    )


class ContactReply(Item):
    """One contact: a role of the house."""

    id: str
    name: NameReply
    ways: list[str]
    """Kinds of its ways in their order: `push`, `mail`, `webhook`, `app`."""
    reachable: bool
    """One of its ways at least is set up here."""


class DutiesReply(Item):
    """Who is on duty now and in the asked days."""

    time: str
    duties: list[DutyReply]
    contacts: list[ContactReply]
    days: list[DayReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "time": "2026-01-02T01:00:00.000Z",
                    "duties": [],
                    "contacts": [
                        {
                            "id": "engineer",
                            "name": {"zh": "值班工程師", "en": "Duty engineer"},
                            "ways": ["push", "mail"],
                            "reachable": True,
                        }
                    ],
                    "days": [
                        {
                            "date": "2026-01-01",
                            "type": "holiday",
                            "name": {"zh": "中華民國開國紀念日", "en": "Founding Day of the Republic of China"},
                            "workday": False,
                            "added": False,
                            "published": True,
                        }
                    ],
                }
            ]
        }
    )


def _span(runtime: Runtime, start: str | None, days: int) -> tuple[int, int]:
    """Return the asked days as ns: from local midnight of the first one."""
    zone = ZoneInfo(runtime.site().timezone)
    asked = runtime.clock.now_ns() if start is None else parse_time(start, "start")
    first = local(asked, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return tuple(
        (moment.astimezone(UTC) - _EPOCH).days * _DAY_NS + (moment.astimezone(UTC) - _EPOCH).seconds * 10**9
        for moment in (first, first + timedelta(days=days))
    )  # type: ignore[return-value]


def _entry(runtime: Runtime, duty: Duty, start_ns: int, end_ns: int) -> dict[str, Any]:
    workday = runtime.schedules.timetable().office.workday
    zone = ZoneInfo(runtime.site().timezone)
    change = runtime.notify.change(duty.id)
    return {
        "id": duty.id,
        "name": name_json(duty.name),
        "now": list(duty.on(runtime.clock.now_ns(), zone, workday)),
        "otherwise": list(duty.otherwise),
        **roster_json(duty),
        "spans": [
            {
                "start": iso(span.start_ns),
                "end": iso(span.end_ns),
                "contacts": list(span.contacts),
                "covered": span.covered,
            }
            for span in spans(duty, start_ns, end_ns, zone, workday)
        ],
        "change": None
        if change is None
        else {"owner": change.owner, "reason": change.reason, "since": iso(change.since_ns)},
    }


def _etag(entry: dict[str, Any]) -> str:
    kept = {key: entry[key] for key in ("id", "shifts", "substitutes", "change")}
    return f'"{hashlib.sha256(orjson.dumps(kept)).hexdigest()[:24]}"'


def _find(plan: NotifyPlan, duty_id: str) -> Duty:
    found = plan.duties.get(duty_id)
    if found is None:
        raise NotFoundError(f"no duty {duty_id!r}; GET /api/v1/duties lists them")
    return found


@router.get("", response_model=DutiesReply)
async def read_duties(
    runtime: RuntimeDep,
    principal: Viewer,  # noqa: ARG001 - all who may look at anything see who is on duty
    start: Annotated[str | None, Query(max_length=40, description="ISO 8601 with a zone; today without it")] = None,
    days: Annotated[int, Query(ge=1, le=31)] = 7,
) -> Json:
    """Return who is on duty now and on the asked days, with holidays and make-up workdays."""
    plan, office = runtime.notify.plan(), runtime.schedules.timetable().office
    start_ns, end_ns = _span(runtime, start, days)
    first = local(start_ns, ZoneInfo(runtime.site().timezone)).date()
    shown = [first + timedelta(days=number) for number in range(days)]
    return Json(
        {
            "time": iso(runtime.clock.now_ns()),
            "duties": [_entry(runtime, duty, start_ns, end_ns) for duty in plan.duties.values()],
            "contacts": [
                {
                    "id": contact.id,
                    "name": name_json(contact.name),
                    "ways": [plan.channels[way.channel].kind for way in contact.ways if way.channel in plan.channels],
                    "reachable": any(
                        way.channel in plan.channels and not plan.channels[way.channel].missing for way in contact.ways
                    ),
                }
                for contact in plan.contacts.values()
            ],
            "days": [day_json(office.day(day)) for day in shown],
        }
    )


@router.get("/{duty_id}", response_model=DutyReply)
async def read_duty(runtime: RuntimeDep, principal: Viewer, duty_id: Id) -> Json:  # noqa: ARG001
    """Return one duty with its next seven days, and an ETag for changing it."""
    entry = _entry(runtime, _find(runtime.notify.plan(), duty_id), *_span(runtime, None, 7))
    return Json(entry, headers={"ETag": _etag(entry)})


@router.put("/{duty_id}", response_model=DutyReply)
async def change_roster(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    duty_id: Id,
    body: RosterBody,
    if_match: IfMatch = None,
) -> Json:
    """Change the roster of a duty; it has effect at once and outlives a restart."""
    value = {
        "shifts": [shift.model_dump(by_alias=True) for shift in body.shifts],
        "substitutes": [one.model_dump(by_alias=True) for one in body.substitutes],
    }
    return await _put(request, runtime, principal, duty_id, value, body.reason, if_match)


@router.post("/{duty_id}/reset", response_model=DutyReply)
async def reset_roster(
    request: Request, runtime: RuntimeDep, principal: Engineer, duty_id: Id, body: Reason, if_match: IfMatch = None
) -> Json:
    """Have a roster be as the files say again."""
    return await _put(request, runtime, principal, duty_id, None, body.reason, if_match)


async def _put(
    request: Request,
    runtime: Runtime,
    principal: Principal,
    duty_id: str,
    value: dict[str, Any] | None,
    reason: str,
    if_match: str | None,
) -> Json:
    # A duty belongs to the whole house.
    may(principal, Action.CONFIGURE, "")
    span = _span(runtime, None, 7)
    view = runtime.notify
    duty = _find(view.plan(), duty_id)
    if value is not None:
        RosterFrame(view.plan().contacts).read(duty, value)
    elif view.change(duty_id) is None:
        raise Problem(409, f"the roster of {duty_id} is as the files say already")

    def shown() -> dict[str, Any]:
        return _entry(runtime, _find(view.plan(), duty_id), *span)

    def said(entry: dict[str, Any]) -> dict[str, Any]:
        return {key: entry[key] for key in ("shifts", "substitutes")}

    done = await replaced(
        request,
        runtime,
        principal,
        "roster_change",
        duty_id,
        reason=reason,
        before=said(shown()),
        wanted=value,
        check=lambda: match(if_match, _etag(shown())),
        keep=lambda: view.set_roster(duty_id, value, principal.actor, reason),
        after=lambda: (shown(), said(shown())),
    )
    return Json(done, headers={"ETag": _etag(done)})
