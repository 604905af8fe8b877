"""Calendar rows to calendars: venues, bookings, works and inspections, from files and from what was changed on screens.

The rows of both are checked by the same `Frame`, so that a screen refuses what a file would be refused for.
"""

from __future__ import annotations

import fnmatch
import json
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from controller.errors import InvalidError
from controller.maintenance.inspection import Inspection
from controller.maintenance.works import Works
from controller.point.model import Name
from controller.schedule.booking import Booking, Venue, clashes
from controller.schedule.feed import Feed, read_feed
from controller.settings.file import BookingRow, InspectionRow, WorksRow
from controller.settings.problem import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.point.model import Area, Building, Equipment, Site
    from controller.settings.overlay import Change
    from controller.settings.read import Rows
    from controller.settings.row import Placed

__all__ = ["CALENDAR", "KINDS", "Calendar", "Frame", "build_calendar", "entry_key", "lay_calendar"]

_log = logging.getLogger(__name__)

CALENDAR = "calendar/"
"""Begin of the overlay's keys: `calendar/<kind>/<id>`, a whole row as JSON, or null for one that was taken away."""
KINDS = ("booking", "works", "inspection")
_ROWS: Mapping[str, type[BookingRow | WorksRow | InspectionRow]] = {
    "booking": BookingRow,
    "works": WorksRow,
    "inspection": InspectionRow,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_BOOKING = timedelta(days=60)
_LONGEST_WORKS = timedelta(days=3660)
_EMPTY: Mapping[str, Venue] = {}


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything that the site's calendars say."""

    venues: Mapping[str, Venue] = field(default_factory=lambda: _EMPTY)
    bookings: tuple[Booking, ...] = ()
    feeds: tuple[Feed, ...] = ()
    works: tuple[Works, ...] = ()
    inspections: tuple[Inspection, ...] = ()

    def all_bookings(self, start_ns: int, end_ns: int) -> list[Booking]:
        """Return single and repeated bookings; of the feeds those that touch the span."""
        found = list(self.bookings)
        for feed in self.feeds:
            found += feed.bookings(start_ns, end_ns)
        return found

    def entries(self, kind: str) -> Mapping[str, Booking | Works | Inspection]:
        """Return the entries of a kind by id; bookings of feeds are none, for they are changed in their feed."""
        rows: Mapping[str, tuple[Booking | Works | Inspection, ...]] = {
            "booking": self.bookings,
            "works": self.works,
            "inspection": self.inspections,
        }
        return {row.id: row for row in rows[kind]}


class _Issue(NamedTuple):
    key: str
    got: str
    wanted: str
    todo: str = ""


class Frame:
    """What rows are checked against and worked out with."""

    def __init__(
        self,
        equipment: Mapping[str, Equipment],
        areas: Mapping[str, Area],
        buildings: Mapping[str, Building],
        timezone: str,
    ) -> None:
        """Take the site as it is."""
        self._equipment = equipment
        self._areas = areas
        self._floors = list(dict.fromkeys(floor.id for one in buildings.values() for floor in one.floors))
        self.zone = ZoneInfo(timezone)

    @classmethod
    def of(cls, site: Site) -> Frame:
        """Return the frame of a site."""
        return cls(site.equipment, site.areas, site.buildings, site.timezone)

    def read(self, kind: str, id_: str, value: Any, venues: Mapping[str, Venue]) -> Booking | Works | Inspection:
        """Return the entry that a row of JSON says.

        Raises:
            InvalidError: it is not usable; the message says what is wanted.
        """
        try:
            row = _ROWS[kind].model_validate_json(json.dumps({**value, "id": id_}))
        except (ValidationError, TypeError, ValueError) as error:
            raise InvalidError(f"{kind} {id_}: {_said(error)}") from error
        made: Booking | Works | Inspection
        if isinstance(row, BookingRow):
            made, issues = self.booking(row, venues)
        elif isinstance(row, WorksRow):
            made, issues = self.works(row)
        else:
            made, issues = self.inspection(row)
        if issues:
            key, got, wanted, todo = issues[0]
            raise InvalidError(f"{key}: got {got}, wanted {wanted}" + (f". {todo}" if todo else ""))
        return made

    def booking(self, row: BookingRow, venues: Mapping[str, Venue]) -> tuple[Booking, list[_Issue]]:
        """Return a booking, and what is wrong with its row."""
        issues = self._patterns("equipment", row.equipment)
        if row.venue not in venues:
            todo = nearest(row.venue, venues) or f"Known are {', '.join(venues) or 'none'}."
            issues.append(_Issue("venue", f'"{row.venue}"', "a venue of the calendar", todo))
        issues += _order("end", row.start, row.end, _LONGEST_BOOKING)
        equipment = self._matching(patterns=row.equipment) if row.equipment else ()
        return Booking(row.id, row.venue, _name(row.title), _ns(row.start), _ns(row.end), equipment), issues

    def works(self, row: WorksRow) -> tuple[Works, list[_Issue]]:
        """Return works, and what is wrong with their row."""
        issues = self._patterns("equipment", row.equipment) + self._place(row.area, row.floors)
        start = row.first if isinstance(row.first, datetime) else self._midnight(row.first)
        end = row.last if isinstance(row.last, datetime) else self._midnight(row.last + timedelta(days=1))
        issues += _order("to", start, end, _LONGEST_WORKS)
        given = bool(row.area or row.floors or row.equipment)
        equipment = self._matching(row.area, row.floors, row.equipment) if given and not issues else ()
        if not given:
            issues.append(_Issue("equipment", "nothing", '"area", "floors" or "equipment"', "Say where it is."))
        elif row.takes_out and not equipment and not issues:
            todo = "With takes_out = false nothing goes out of service."
            issues.append(_Issue("equipment", "a place without equipment", "equipment that goes out of service", todo))
        made = Works(
            id=row.id,
            kind=row.kind,
            title=_name(row.title),
            start_ns=_ns(start),
            end_ns=_ns(end),
            area=row.area,
            floors=tuple(row.floors),
            equipment=equipment,
            patterns=tuple(row.equipment),
            takes_out=row.takes_out,
            contractor=_name(row.contractor),
            reason=_name(row.reason),
        )
        return made, issues

    def inspection(self, row: InspectionRow) -> tuple[Inspection, list[_Issue]]:
        """Return an inspection, and what is wrong with its row."""
        issues = self._patterns("equipment", row.equipment) + self._place(row.area, ())
        if row.last_done is None and row.due is None and row.certificate_until is None:
            issues.append(_Issue("due", "nothing", '"last_done", "due" or "certificate_until"', "Say when it is due."))
        if row.last_done and row.certificate_until and row.certificate_until <= row.last_done:
            got = f"{row.certificate_until} for an inspection of {row.last_done}"
            issues.append(_Issue("certificate_until", got, "a day after it"))
        made = Inspection(
            id=row.id,
            kind=row.kind,
            title=_name(row.title),
            basis=row.basis,
            interval_months=row.interval_months,
            last_done=row.last_done,
            due=row.due,
            certificate_until=row.certificate_until,
            equipment=self._matching(patterns=row.equipment) if row.equipment else (),
            area=row.area,
        )
        return made, issues

    def venue(self, row: Any) -> tuple[Venue, list[_Issue]]:
        """Return a venue, and what is wrong with its row."""
        issues = self._patterns("equipment", row.equipment) + self._place(row.area, [row.floor] if row.floor else ())
        equipment = self._matching(patterns=row.equipment) if row.equipment else ()
        return Venue(row.id, _name(row.name), row.area, row.floor, equipment), issues

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone)

    def _place(self, area: str, floors: Sequence[str]) -> list[_Issue]:
        issues = []
        if area and area not in self._areas:
            todo = nearest(area, self._areas) or f"Known are {', '.join(self._areas) or 'none'}."
            issues.append(_Issue("area", f'"{area}"', "an area of site.toml", todo))
        wanted = f"one of {', '.join(self._floors)}"
        issues += [_Issue("floors", f'"{floor}"', wanted) for floor in floors if floor not in self._floors]
        return issues

    def _patterns(self, key: str, patterns: Iterable[str]) -> list[_Issue]:
        return [
            _Issue(key, f'"{pattern}"', "equipment of this site", nearest(pattern, self._equipment))
            for pattern in patterns
            if not any(fnmatch.fnmatchcase(address, pattern) for address in self._equipment)
        ]

    def _matching(self, area: str = "", floors: Sequence[str] = (), patterns: Sequence[str] = ()) -> tuple[str, ...]:
        return tuple(
            sorted(
                address
                for address, piece in self._equipment.items()
                if (not area or piece.area == area)
                and (not floors or piece.floor in floors)
                and (not patterns or any(fnmatch.fnmatchcase(address, pattern) for pattern in patterns))
            )
        )


def build_calendar(rows: Rows, frame: Frame, problems: list[Problem]) -> Calendar:
    """Return the calendars of the files; what is wrong is appended to `problems`."""
    venues: dict[str, Venue] = {}
    places: dict[tuple[str, str], Placed[Any]] = {}
    for venue_row in rows.venues:
        venue, issues = frame.venue(venue_row.row)
        _note(venue_row, issues, places, problems)
        venues[venue.id] = venue
    bookings = []
    for booking_row in rows.bookings:
        booking, issues = frame.booking(booking_row.row, venues)
        _note(booking_row, issues, places, problems)
        bookings.append(booking)
    works = []
    for works_row in rows.works:
        one, issues = frame.works(works_row.row)
        _note(works_row, issues, places, problems)
        works.append(one)
    inspections = []
    for inspection_row in rows.inspections:
        inspection, issues = frame.inspection(inspection_row.row)
        _note(inspection_row, issues, places, problems)
        inspections.append(inspection)
    for first, second in clashes(booking for booking in bookings if booking.end_ns > booking.start_ns):
        placed, other = places["booking", second.id], places["booking", first.id]
        todo = f'"{first.id}" is there: {other.file}:{other.line}.'
        line = placed.line_of("start")
        problems.append(
            Problem(placed.file, line, "booking.start", f"{second.venue} at that time", "a free venue", todo)
        )
    _certificates(inspections, places, problems)
    feeds = []
    for source in rows.feeds:
        try:
            named = {venue.id: venue.name for venue in venues.values()}
            feeds.append(read_feed(source.data["text"], source.name, named, frame.zone))
        except InvalidError as error:
            problems.append(Problem(source.name, 0, "", str(error), ""))
    return Calendar(venues, tuple(bookings), tuple(feeds), tuple(works), tuple(inspections))


def _note(
    placed: Placed[Any], issues: Iterable[_Issue], places: dict[tuple[str, str], Placed[Any]], problems: list[Problem]
) -> None:
    noun = str(placed.path[0])
    twin = places.setdefault((noun, placed.row.id), placed)
    if twin is not placed:
        got, todo = f'"{placed.row.id}"', f"It is at {twin.file}:{twin.line} too."
        problems.append(Problem(placed.file, placed.line_of("id"), f"{noun}.id", got, "an id of its own", todo))
    for issue in issues:
        problem = Problem(placed.file, placed.line_of(issue.key), f"{noun}.{issue.key}", *issue[1:])
        if problem not in problems:
            problems.append(problem)


def _certificates(
    inspections: Iterable[Inspection], places: Mapping[tuple[str, str], Placed[Any]], problems: list[Problem]
) -> None:
    """Say where equipment has two inspections of one kind: nobody could tell which certificate counts."""
    seen: dict[tuple[str, str], str] = {}
    for inspection in inspections:
        for address in inspection.equipment:
            other = seen.setdefault((inspection.kind, address), inspection.id)
            if other != inspection.id:
                placed, twin = places["inspection", inspection.id], places["inspection", other]
                got = f'a second "{inspection.kind}" of {address}'
                todo = f'"{other}" is there: {twin.file}:{twin.line}.'
                line = placed.line_of("equipment")
                problems.append(
                    Problem(placed.file, line, "inspection.equipment", got, "one inspection of a kind for each", todo)
                )
                break


def entry_key(kind: str, id_: str) -> str:
    """Return the overlay's key of an entry."""
    return f"{CALENDAR}{kind}/{id_}"


def lay_calendar(base: Calendar, changes: Iterable[Change], site: Site) -> Calendar:
    """Return the calendars with what was changed on screens.

    A change that does not fit the site any more (its equipment or venue is gone) is passed over and logged: it must not
    keep the controller from starting.
    """
    mine = [change for change in changes if change.key.startswith(CALENDAR)]
    if not mine:
        return base
    frame = Frame.of(site)
    entries = {kind: dict(base.entries(kind)) for kind in KINDS}
    for change in mine:
        kind, _, id_ = change.key.removeprefix(CALENDAR).partition("/")
        if kind not in entries:
            continue
        if change.value is None:
            entries[kind].pop(id_, None)
            continue
        try:
            entries[kind][id_] = frame.read(kind, id_, change.value, base.venues)
        except InvalidError as error:
            _log.warning("calendar: the change of %s %s by %s does not fit any more: %s", kind, id_, change.who, error)
    return replace(
        base,
        bookings=tuple(row for row in entries["booking"].values() if isinstance(row, Booking)),
        works=tuple(row for row in entries["works"].values() if isinstance(row, Works)),
        inspections=tuple(row for row in entries["inspection"].values() if isinstance(row, Inspection)),
    )


def _order(key: str, start: datetime, end: datetime, longest: timedelta) -> list[_Issue]:
    if end <= start:
        return [_Issue(key, f"{end:%Y-%m-%d %H:%M}", f"a time after {start:%Y-%m-%d %H:%M}, when it begins")]
    if end - start > longest:
        return [_Issue(key, f"{(end - start).days} days", f"at most {longest.days}")]
    return []


def _said(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part not in {"date", "datetime"})
    return f"{place}: {str(first['msg'])[:200]}"


def _name(row: Any) -> Name:
    return Name("", "") if row is None else Name(row.zh, row.en)


def _ns(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
