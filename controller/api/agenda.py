"""Calendar entries as the API shows them, their ETags, and the calendar as an iCalendar file."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from fastapi.responses import Response

from controller.api.render import iso, name_json
from controller.api.runtime import Runtime
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.maintenance.inspection import Inspection, deadline, standing
from controller.maintenance.works import Works, phase
from controller.schedule.booking import Booking, between
from controller.schedule.feed import Note, write_feed

__all__ = ["calendar_file", "day_json", "entry_json", "entry_tag", "seen", "today"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seen(runtime: Runtime, principal: Principal, equipment: tuple[str, ...]) -> list[str]:
    """Return which of some equipment the principal may see."""
    known = runtime.site().equipment
    return [
        address
        for address in equipment
        if address in known and principal.permissions.allows(Action.VIEW, known[address].area)
    ]


def today(runtime: Runtime) -> date:
    """Return the day of the site."""
    moment = _EPOCH + timedelta(microseconds=runtime.clock.now_ns() // 1_000)
    return moment.astimezone(ZoneInfo(runtime.site().timezone)).date()


def day_json(day: date | None) -> str | None:
    """Return a day as the API has it."""
    return None if day is None else day.isoformat()


def entry_json(
    runtime: Runtime, principal: Principal, kind: str, entry: Booking | Works | Inspection
) -> dict[str, Any]:
    """Return an entry, with who changed it; of its equipment what the principal may see."""
    change = runtime.calendar.change(kind, entry.id)
    common: dict[str, Any] = {
        "id": entry.id,
        "title": name_json(entry.title),
        "equipment": seen(runtime, principal, entry.equipment),
        "change": None
        if change is None
        else {
            "owner": change.owner,
            "reason": change.reason,
            "since": iso(change.since_ns),
            "of_files": runtime.calendar.of_files(kind, entry.id),
        },
        "editable": True,
    }
    if isinstance(entry, Booking):
        return {
            **common,
            "editable": not entry.series,
            "venue": entry.venue,
            "start": iso(entry.start_ns),
            "end": iso(entry.end_ns),
            "series": entry.series,
        }
    if isinstance(entry, Works):
        return {
            **common,
            "kind": entry.kind,
            "phase": phase(entry, runtime.clock.now_ns()),
            "start": iso(entry.start_ns),
            "end": iso(entry.end_ns),
            "area": entry.area,
            "floors": list(entry.floors),
            "patterns": list(entry.patterns),
            "takes_out": entry.takes_out,
            "contractor": name_json(entry.contractor),
            "why": name_json(entry.reason),
        }
    return {
        **common,
        "kind": entry.kind,
        "standing": standing(entry, today(runtime)),
        "basis": entry.basis,
        "interval_months": entry.interval_months,
        "last_done": day_json(entry.last_done),
        "due": day_json(entry.due),
        "certificate_until": day_json(entry.certificate_until),
        "deadline": day_json(deadline(entry)),
        "area": entry.area,
    }


def entry_tag(entry: dict[str, Any]) -> str:
    """Return the ETag of an entry."""
    # What the calendar says and not what time makes of it: an entry that begins meanwhile is the same entry.
    kept = {key: value for key, value in entry.items() if key not in {"phase", "standing"}}
    return f'"{hashlib.sha256(orjson.dumps(kept)).hexdigest()[:24]}"'


def calendar_file(runtime: Runtime, first: int, last: int, language: str) -> Response:
    """Return bookings, works and deadlines as an iCalendar file."""
    now_ns, calendar, site = runtime.clock.now_ns(), runtime.calendar.calendar(), runtime.site()

    def said(name: Any) -> str:
        return str(getattr(name, language) or name.zh)

    words = {"zh": ("場地租借", "工單", "到期"), "en": ("Venue hire", "Work order", "Due")}[language]
    notes = [
        Note(
            f"booking-{booking.id}@{site.id}",
            said(booking.title),
            booking.start_ns,
            booking.end_ns,
            words[0],
            said(calendar.venues[booking.venue].name) if booking.venue in calendar.venues else "",
        )
        for booking in between(calendar.all_bookings(first, last), first, last)
    ]
    notes += [
        Note(
            f"works-{works.id}@{site.id}",
            said(works.title),
            works.start_ns,
            works.end_ns,
            words[1],
            " ".join((said(site.areas[works.area].name) if works.area in site.areas else "", *works.floors)).strip(),
            f"{words[1]} {works.id} {said(works.reason)}".strip(),
        )
        for works in calendar.works
        if works.start_ns < last and works.end_ns > first
    ]
    zone = ZoneInfo(site.timezone)
    for inspection in calendar.inspections:
        day = deadline(inspection)
        if day is None:
            continue
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH
        begin = (midnight.days * 86_400 + midnight.seconds) * 1_000_000_000
        if first <= begin < last:
            until = begin + 86_400_000_000_000
            title = f"{words[2]} {said(inspection.title)}"
            notes.append(
                Note(f"inspection-{inspection.id}@{site.id}", title, begin, until, words[2], "", inspection.basis)
            )
    data = write_feed(notes, said(site.name), now_ns)
    headers = {"Content-Disposition": 'attachment; filename="shifu-calendar.ics"'}
    return Response(data, media_type="text/calendar; charset=utf-8", headers=headers)
