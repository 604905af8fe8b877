"""`/calendar`: bookings of venues, works that take equipment out of service, inspections with their deadlines.

What is changed here is laid over the files (overlay `calendar/<kind>/<id>`), with who and why in the audit journal. All
who may look see the calendar of the whole house; of equipment each sees what is in the areas that are his.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.requests import Request
from fastapi.responses import Response

from controller.api.access import Allow, RuntimeDep, may
from controller.api.agenda import calendar_file, day_json, entry_json, entry_tag, seen, today
from controller.api.change import replaced
from controller.api.entry import (
    BookingBody,
    BookingReply,
    CalendarReply,
    DoneBody,
    EndBody,
    GoneReply,
    Id,
    InspectionReply,
    Kind,
    WorksBody,
    WorksReply,
)
from controller.api.limit import IfMatch, match
from controller.api.render import Json, iso, name_json, parse_time
from controller.api.runtime import Runtime
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.maintenance.inspection import Inspection, deadline, made
from controller.maintenance.works import Works, phase
from controller.schedule.booking import Booking, between, clashes
from controller.settings.calendar import Frame

__all__ = ["router"]

router = APIRouter(prefix="/calendar", tags=["calendar"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
Moment = Annotated[str | None, Query(max_length=40, description="ISO 8601 with a zone, or ms since 1970")]
MAX_ENTRIES = 2_000
"""Entries of a kind."""
_AHEAD_NS = 14 * 86_400_000_000_000
_WIDEST_NS = 800 * 86_400_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _span(runtime: Runtime, start: str | None, end: str | None) -> tuple[int, int]:
    now_ns = runtime.clock.now_ns()
    first = now_ns if start is None else parse_time(start, "start")
    last = first + _AHEAD_NS if end is None else parse_time(end, "end")
    if not 0 < last - first <= _WIDEST_NS:
        raise InvalidError(f"start and end are {(last - first) // 86_400_000_000_000} days apart; give 1 to 800 days")
    return first, last


def _find(runtime: Runtime, kind: str, id_: str) -> Booking | Works | Inspection:
    found = runtime.calendar.calendar().entries(kind).get(id_)
    if found is None:
        raise NotFoundError(f"no {kind} {id_!r}; GET /api/v1/calendar lists them")
    return found


@router.get("", response_model=CalendarReply)
async def read_calendar(
    runtime: RuntimeDep,
    principal: Viewer,
    start: Moment = None,
    end: Moment = None,
    format: Literal["json", "ics"] = "json",  # noqa: A002 - the word of the API
    language: Literal["zh", "en"] = "zh",
) -> Response:
    """Return works, inspections, and the bookings of a span (without one: of the next 14 days).

    `format=ics` is an iCalendar file of the span, for any calendar program, in one of the languages.
    """
    first, last = _span(runtime, start, end)
    if format == "ics":
        return calendar_file(runtime, first, last, language)
    view, site = runtime.calendar, runtime.site()
    calendar = view.calendar()
    bookings = between(calendar.all_bookings(first, last), first, last)
    points: dict[str, int] = {}
    out, table = view.outages(), runtime.table()
    if out:
        masked = set(table.out_of_service.tolist())
        for point in site.points.values():
            if point.number in masked:
                points[point.equipment] = points.get(point.equipment, 0) + 1
    return Json(
        {
            "time": iso(runtime.clock.now_ns()),
            "venues": [
                {
                    "id": venue.id,
                    "name": name_json(venue.name),
                    "area": venue.area,
                    "floor": venue.floor,
                    "equipment": seen(runtime, principal, venue.equipment),
                }
                for venue in calendar.venues.values()
            ],
            "bookings": [entry_json(runtime, principal, "booking", booking) for booking in bookings],
            "clashes": [[one.id, other.id] for one, other in clashes(bookings)],
            "works": [
                entry_json(runtime, principal, "works", works)
                for works in sorted(calendar.works, key=lambda works: (works.start_ns, works.id))
            ],
            "inspections": [
                entry_json(runtime, principal, "inspection", inspection)
                for inspection in sorted(calendar.inspections, key=lambda one: (deadline(one) or date.min, one.id))
            ],
            "out_of_service": [
                {
                    "equipment": address,
                    "works": out[address].id,
                    "title": name_json(out[address].title),
                    "why": name_json(out[address].reason),
                    "until": iso(out[address].end_ns),
                    "points": points.get(address, 0),
                }
                for address in seen(runtime, principal, tuple(sorted(out)))
            ],
            "in_use": [
                {
                    "equipment": address,
                    "booking": booking.id,
                    "title": name_json(booking.title),
                    "until": iso(booking.end_ns),
                }
                for address, booking in sorted(view.in_use().items())
                if seen(runtime, principal, (address,))
            ],
            "alarms_out_of_service": sum(
                principal.permissions.allows(Action.VIEW, alarm.area) for alarm in runtime.alarms.out_of_service()
            ),
        }
    )


@router.get("/{kind}/{entry_id}", response_model=BookingReply | WorksReply | InspectionReply)
async def read_entry(runtime: RuntimeDep, principal: Viewer, kind: Kind, entry_id: Id) -> Json:
    """Return one entry, with an ETag for changing it."""
    entry = entry_json(runtime, principal, kind, _find(runtime, kind, entry_id))
    return Json(entry, headers={"ETag": entry_tag(entry)})


async def _put(
    request: Request,
    runtime: Runtime,
    principal: Principal,
    kind: str,
    entry_id: str,
    value: dict[str, Any] | None,
    reason: str,
    if_match: str | None,
) -> Json:
    """Keep a row, or take an entry away. A new one needs no If-Match, and is refused when the id is there already."""
    view = runtime.calendar
    frame, calendar = Frame.of(runtime.site()), view.calendar()
    wanted = None if value is None else frame.read(kind, entry_id, value, calendar.venues)
    before = calendar.entries(kind).get(entry_id)
    if before is None and value is None:
        raise NotFoundError(f"no {kind} {entry_id!r}; GET /api/v1/calendar lists them")
    if before is None and len(calendar.entries(kind)) >= MAX_ENTRIES:
        raise ConflictError(f"there are {MAX_ENTRIES} entries of {kind}; take old ones away first")
    for entry in (before, wanted):
        _may_change(runtime, principal, entry)
    if isinstance(wanted, Booking):
        _check_free(calendar.all_bookings(wanted.start_ns, wanted.end_ns), wanted)
    if isinstance(wanted, Inspection):
        _check_only(calendar.inspections, wanted)

    def shown() -> dict[str, Any] | None:
        entry = view.calendar().entries(kind).get(entry_id)
        return None if entry is None else entry_json(runtime, principal, kind, entry)

    done = await replaced(
        request,
        runtime,
        principal,
        "calendar_change",
        f"{kind}/{entry_id}",
        reason=reason,
        before=shown(),
        wanted=value,
        check=lambda: _check_match(shown(), if_match),
        keep=lambda: view.set_entry(kind, entry_id, value, principal.actor, reason),
        after=lambda: (shown(), value),
    )
    if done is None:
        return Json({"id": entry_id, "gone": True})
    return Json(done, headers={"ETag": entry_tag(done)})


def _may_change(runtime: Runtime, principal: Principal, entry: Booking | Works | Inspection | None) -> None:
    """Want the right in every area that an entry touches; one that touches none needs it everywhere."""
    if entry is None:
        return
    known = runtime.site().equipment
    areas = {known[address].area for address in entry.equipment if address in known}
    areas |= {entry.area} if not isinstance(entry, Booking) and entry.area else set()
    for area in sorted(areas) or [""]:
        may(principal, Action.CONFIGURE, area)


def _check_match(shown: dict[str, Any] | None, if_match: str | None) -> None:
    match(if_match, None if shown is None else entry_tag(shown))


def _check_free(bookings: list[Booking], wanted: Booking) -> None:
    for booking in between(bookings, wanted.start_ns, wanted.end_ns):
        if booking.id != wanted.id and booking.venue == wanted.venue:
            raise ConflictError(
                f"{wanted.venue} is taken from {iso(booking.start_ns)} to {iso(booking.end_ns)} "
                f"by {booking.title.zh}; choose another time or venue"
            )


def _check_only(inspections: tuple[Inspection, ...], wanted: Inspection) -> None:
    for other in inspections:
        both = set(other.equipment) & set(wanted.equipment)
        if other.id != wanted.id and other.kind == wanted.kind and both:
            raise ConflictError(f"{min(both)} has the inspection {other.id} of this kind already; change that one")


@router.put("/booking/{entry_id}", response_model=BookingReply)
async def put_booking(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    entry_id: Id,
    body: BookingBody,
    if_match: IfMatch = None,
) -> Json:
    """Put in or change a booking. A venue is let to one at a time."""
    row = body.model_dump(exclude={"reason"})
    return await _put(request, runtime, principal, "booking", entry_id, row, body.reason, if_match)


@router.put("/works/{entry_id}", response_model=WorksReply)
async def put_works(
    request: Request, runtime: RuntimeDep, principal: Engineer, entry_id: Id, body: WorksBody, if_match: IfMatch = None
) -> Json:
    """Put in or change works; `entry_id` is the number of the work order. They have effect at once."""
    row = body.model_dump(by_alias=True, exclude={"reason", "why"})
    row["reason"] = None if body.why is None else body.why.model_dump()
    return await _put(request, runtime, principal, "works", entry_id, row, body.reason, if_match)


@router.post("/works/{entry_id}/end", response_model=WorksReply)
async def end_works(
    request: Request, runtime: RuntimeDep, principal: Engineer, entry_id: Id, body: EndBody, if_match: IfMatch = None
) -> Json:
    """End works now: what they took out of service is back at once."""
    works = _find(runtime, "works", entry_id)
    assert isinstance(works, Works)
    now_ns = runtime.clock.now_ns()
    if phase(works, now_ns) != "on":
        raise ConflictError(f"the works {entry_id} are {phase(works, now_ns)} and not under way; change their dates")
    row = {**_row(works, ZoneInfo(runtime.site().timezone)), "to": _local(now_ns, ZoneInfo(runtime.site().timezone))}
    return await _put(request, runtime, principal, "works", entry_id, row, body.reason, if_match)


def _local(time_ns: int, zone: ZoneInfo) -> str:
    moment = _EPOCH + timedelta(microseconds=time_ns // 1_000)
    return moment.astimezone(zone).isoformat(timespec="milliseconds")


def _row(works: Works, zone: ZoneInfo) -> dict[str, Any]:
    """Return the row that says these works, as a file would."""
    return {
        "kind": works.kind,
        "title": name_json(works.title),
        "from": _local(works.start_ns, zone),
        "to": _local(works.end_ns, zone),
        "area": works.area,
        "floors": list(works.floors),
        "equipment": list(works.patterns),
        "takes_out": works.takes_out,
        "contractor": name_json(works.contractor) if works.contractor.zh else None,
        "reason": name_json(works.reason) if works.reason.zh else None,
    }


@router.post("/inspection/{entry_id}/done", response_model=InspectionReply)
async def done_inspection(
    request: Request, runtime: RuntimeDep, principal: Engineer, entry_id: Id, body: DoneBody, if_match: IfMatch = None
) -> Json:
    """Say that an inspection was done; the next one is due an interval later, or when its certificate ends."""
    inspection = _find(runtime, "inspection", entry_id)
    assert isinstance(inspection, Inspection)
    on, until = _date(body.date, "date"), _date(body.certificate_until, "certificate_until")
    assert on is not None
    if on > today(runtime):
        raise InvalidError(f"date {on} is still to come; give the day on which it was done")
    if inspection.last_done is not None and on < inspection.last_done:
        raise InvalidError(f"date {on} is before {inspection.last_done}, when it was last done; give a later day")
    after = made(inspection, on, until)
    row = {
        "kind": after.kind,
        "title": name_json(after.title),
        "basis": after.basis,
        "interval_months": after.interval_months,
        "last_done": day_json(after.last_done),
        "certificate_until": day_json(after.certificate_until),
        "area": after.area,
        "equipment": list(after.equipment),
    }
    return await _put(request, runtime, principal, "inspection", entry_id, row, body.reason, if_match)


@router.post("/{kind}/{entry_id}/remove", response_model=GoneReply)
async def remove_entry(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    kind: Kind,
    entry_id: Id,
    body: EndBody,
    if_match: IfMatch = None,
) -> Json:
    """Take an entry away: a booking that was called off, works that will not be. Its history stays in the audit."""
    return await _put(request, runtime, principal, kind, entry_id, None, body.reason, if_match)


@router.post("/{kind}/{entry_id}/reset", response_model=BookingReply | WorksReply | InspectionReply)
async def reset_entry(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    kind: Kind,
    entry_id: Id,
    body: EndBody,
    if_match: IfMatch = None,
) -> Json:
    """Have an entry be as the files say again; what was changed on screens ends."""
    view = runtime.calendar
    before = _find(runtime, kind, entry_id)
    if not view.of_files(kind, entry_id) or view.change(kind, entry_id) is None:
        raise ConflictError(f"{kind} {entry_id!r} is as in the files, or in no file; there is nothing to go back to")
    _may_change(runtime, principal, before)

    def shown() -> dict[str, Any]:
        return entry_json(runtime, principal, kind, _find(runtime, kind, entry_id))

    done = await replaced(
        request,
        runtime,
        principal,
        "calendar_change",
        f"{kind}/{entry_id}",
        reason=body.reason,
        before=shown(),
        wanted="the files",
        check=lambda: _check_match(shown(), if_match),
        keep=lambda: view.reset_entry(kind, entry_id),
        after=lambda: (shown(), shown()),
    )
    return Json(done, headers={"ETag": entry_tag(done)})


def _date(text: str | None, name: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(f"{name} {text!r} is no day; give one such as 2026-11-20") from error
