"""Schedule rows to a timetable: schedules, exceptions and days, from files and from what was changed on screens.

The rows of both are checked by the same `ScheduleFrame`, so that a screen refuses what a file would be refused for.
"""

from __future__ import annotations

import fnmatch
import json
import logging
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from controller.command.admission import Request, admit
from controller.errors import ForbiddenError, InvalidError
from controller.office import DAY_TYPES, Day, OfficeCalendar
from controller.point.model import Name
from controller.schedule.schedule import DAY_MIN, Mode, Schedule, Span, SpecialPeriod
from controller.schedule.timetable import Timetable
from controller.settings.problem import Problem, nearest
from controller.settings.schedule_row import ScheduleRow, SpecialPeriodRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.point.model import Equipment, Point, Site
    from controller.settings.overlay import Change
    from controller.settings.read import Rows
    from controller.settings.row import Placed
    from controller.settings.schedule_row import ModeRow

__all__ = ["SCHEDULE", "SLOT", "ScheduleFrame", "build_timetable", "lay_timetable", "schedule_key"]

_log = logging.getLogger(__name__)

SCHEDULE = "schedule/"
"""Begin of the overlay's keys: `schedule/plan/<id>` (what a screen may change of a schedule, as JSON) and
`schedule/exception/<id>` (a whole row, or null for one that was taken away)."""
SLOT = 15
_CHANGEABLE = ("weekly", "default", "booking", "enabled", "values")
_LONGEST = timedelta(days=400)
_MAX_POINTS = 5_000


class Issue(NamedTuple):
    """What is wrong with one key of a row."""

    path: tuple[str | int, ...]
    got: str
    wanted: str
    todo: str = ""

    @property
    def key(self) -> str:
        """The path without places in lists, for people."""
        return ".".join(part for part in self.path if isinstance(part, str))


class ScheduleFrame:
    """What rows are checked against."""

    def __init__(self, equipment: Mapping[str, Equipment], points: Mapping[str, Point]) -> None:
        """Take the site as it is."""
        self._equipment = equipment
        self._points = points

    @classmethod
    def of(cls, site: Site) -> ScheduleFrame:
        """Return the frame of a site."""
        return cls(site.equipment, site.points)

    def changed(self, schedule: Schedule, value: Any) -> Schedule:
        """Return a schedule with what a screen changed: pattern, default, booking, enabled, values of its modes.

        Raises:
            InvalidError: it is not usable; the message says what is wanted.
        """
        if not isinstance(value, dict) or not value.keys() <= set(_CHANGEABLE):
            raise InvalidError(f"schedule {schedule.id}: wanted some of {', '.join(_CHANGEABLE)}")
        row = schedule_row(schedule)
        values = value.get("values", {})
        row |= {key: item for key, item in value.items() if key != "values"}
        if not isinstance(values, dict) or not values.keys() <= schedule.modes.keys():
            raise InvalidError(f"values: wanted modes of the schedule: {', '.join(schedule.modes)}")
        for mode in row["mode"]:
            mode["values"] = values.get(mode["id"], mode["values"])
        try:
            parsed = ScheduleRow.model_validate_json(json.dumps(row))
        except (ValidationError, TypeError, ValueError) as error:
            raise InvalidError(f"schedule {schedule.id}: {_said(error)}") from error
        made, issues = self.schedule(parsed)
        _refuse(issues)
        return made

    def special(self, id_: str, value: Any, schedules: Mapping[str, Schedule]) -> SpecialPeriod:
        """Return the exception that a row of JSON says.

        Raises:
            InvalidError: it is not usable; the message says what is wanted.
        """
        try:
            row = SpecialPeriodRow.model_validate_json(json.dumps({**value, "id": id_}))
        except (ValidationError, TypeError, ValueError) as error:
            raise InvalidError(f"exception {id_}: {_said(error)}") from error
        made, issues = self.exception(row, schedules)
        _refuse(issues)
        return made

    def schedule(self, row: ScheduleRow) -> tuple[Schedule, list[Issue]]:
        """Return a schedule, and what is wrong with its row."""
        equipment = tuple(
            sorted(address for address in self._equipment if any(_fits(address, one) for one in row.equipment))
        )
        issues = [
            Issue(("equipment",), f'"{one}"', "equipment of this site", nearest(one, self._equipment))
            for one in row.equipment
            if not any(_fits(address, one) for address in self._equipment)
        ]
        modes: dict[str, Mode] = {}
        for place, mode in enumerate(row.mode):
            if mode.id in modes:
                issues.append(Issue(("mode", place, "id"), f'"{mode.id}" twice', "each mode once"))
            modes[mode.id] = Mode(mode.id, Name(mode.name.zh, mode.name.en), dict(mode.values))
            issues += self._values(place, mode, equipment)
        issues += _modes(row, modes)
        spans = tuple(
            Span(tuple(day for day in DAY_TYPES if day in span.days), minutes(span.start), minutes(span.end), span.mode)
            for span in row.weekly
        )
        issues += _overlaps(row, spans)
        tags = tuple(sorted({tag for mode in modes.values() for tag in mode.values}))
        if len(tags) * len(equipment) > _MAX_POINTS:
            issues.append(Issue(("equipment",), f"{len(tags) * len(equipment)} points", f"at most {_MAX_POINTS}"))
        made = Schedule(
            id=row.id,
            name=Name(row.name.zh, row.name.en),
            modes=modes,
            weekly=spans,
            equipment=equipment,
            default=row.default,
            booking_mode=row.booking.mode if row.booking else "",
            lead_min=row.booking.lead_min if row.booking else 0,
            lag_min=row.booking.lag_min if row.booking else 0,
            stagger_s=row.stagger_s,
            enabled=row.enabled,
            patterns=tuple(row.equipment),
            areas=tuple(sorted({self._equipment[address].area for address in equipment})),
            tags=tags,
        )
        return made, issues

    def _values(self, place: int, mode: ModeRow, equipment: Sequence[str]) -> Iterable[Issue]:
        """Find points that are none, that nobody commands, and values that they do not take; one a tag."""
        for tag, value in mode.values.items():
            for address in equipment:
                path, point = ("mode", place, "values", tag), self._points.get(f"{address}.{tag}")
                if point is None:
                    tags = [one.removeprefix(f"{address}.") for one in self._points if one.startswith(f"{address}.")]
                    wanted = f"a point of {address}"
                    yield Issue(path, f'"{tag}"', wanted, nearest(tag, tags))
                elif point.write is None:
                    yield Issue(path, f"{point.address}, which is only read", "a point that can be commanded")
                elif point.write.momentary:
                    yield Issue(path, f"{point.address}, which clears itself", "a point that holds its value")
                else:
                    try:
                        admit(point, point.write, Request(SLOT, value, "schedule"))
                    except (InvalidError, ForbiddenError) as error:
                        got, _, wanted = str(error).partition("; wanted ")
                        yield Issue(path, got, wanted or "a value that the point takes")
                    else:
                        continue
                break

    def exception(self, row: SpecialPeriodRow, schedules: Mapping[str, Schedule]) -> tuple[SpecialPeriod, list[Issue]]:
        """Return an exception, and what is wrong with its row."""
        mine = tuple(sorted(id_ for id_ in schedules if any(_fits(id_, one) for one in row.schedules)))
        issues = [
            Issue(
                ("schedules",), f'"{one}"', "a schedule", nearest(one, schedules) or f"Known: {', '.join(schedules)}."
            )
            for one in row.schedules
            if not any(_fits(id_, one) for id_ in schedules)
        ]
        if row.last < row.first:
            issues.append(Issue(("to",), f"{row.last}", f"{row.first}, when it begins, or a day after it"))
        elif row.last - row.first > _LONGEST:
            issues.append(Issue(("to",), f"{(row.last - row.first).days} days", f"at most {_LONGEST.days}"))
        start, end = minutes(row.start), minutes(row.end)
        if end <= start:
            issues.append(Issue(("end",), row.end, f"a time after {row.start}, when it begins", _OVER_MIDNIGHT))
        if bool(row.mode) == bool(row.day):
            issues.append(Issue(("mode",), "both" if row.mode else "nothing", 'exactly one of "mode" and "day"'))
        if row.day and (start, end) != (0, DAY_MIN):
            issues.append(Issue(("start",), f"{row.start} to {row.end}", 'whole days with "day"'))
        for id_ in mine if row.mode else ():
            if row.mode not in schedules[id_].modes:
                known = schedules[id_].modes
                todo = nearest(row.mode, known) or f"It has {', '.join(known)}."
                issues.append(Issue(("mode",), f'"{row.mode}"', f"a mode of {id_}", todo))
        made = SpecialPeriod(
            id=row.id,
            title=Name(row.title.zh, row.title.en),
            schedules=mine,
            first=row.first,
            last=row.last,
            mode=row.mode,
            start_min=start,
            end_min=end,
            day_type=row.day,
            patterns=tuple(row.schedules),
        )
        return made, issues


_OVER_MIDNIGHT = "Over midnight it takes two: one to 24:00, one from 00:00."


def minutes(text: str) -> int:
    """Return minutes since midnight of a checked time of day; 24:00 is 1,440."""
    return int(text[:2]) * 60 + int(text[3:])


def clock(minute: int) -> str:
    """Return a minute of a day as a file has it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def schedule_row(schedule: Schedule) -> dict[str, Any]:
    """Return the row that says a schedule, as a file would."""
    booking = {"mode": schedule.booking_mode, "lead_min": schedule.lead_min, "lag_min": schedule.lag_min}
    return {
        "id": schedule.id,
        "name": {"zh": schedule.name.zh, "en": schedule.name.en},
        "equipment": list(schedule.patterns),
        "mode": [
            {"id": mode.id, "name": {"zh": mode.name.zh, "en": mode.name.en}, "values": dict(mode.values)}
            for mode in schedule.modes.values()
        ],
        "weekly": [
            {"days": list(span.days), "from": clock(span.start_min), "to": clock(span.end_min), "mode": span.mode}
            for span in schedule.weekly
        ],
        "default": schedule.default,
        "booking": booking if schedule.booking_mode else None,
        "stagger_s": schedule.stagger_s,
        "enabled": schedule.enabled,
    }


def conflict(special: SpecialPeriod, others: Iterable[SpecialPeriod]) -> SpecialPeriod | None:
    """Return another exception that says something else for the same schedule at the same time; None when none does."""
    for other in others:
        same = set(special.schedules) & set(other.schedules)
        days = special.first <= other.last and other.first <= special.last
        times = special.start_min < other.end_min and other.start_min < special.end_min
        # Two of a kind contradict each other; a mode over another type of day does not, for modes are above.
        if other.id != special.id and same and days and times and bool(other.mode) == bool(special.mode):
            return other
    return None


def build_timetable(
    rows: Rows,
    equipment: Mapping[str, Equipment],
    points: Mapping[str, Point],
    zone: str,
    problems: list[Problem],
) -> Timetable:
    """Return the timetable of the files; what is wrong is appended to `problems`."""
    frame = ScheduleFrame(equipment, points)
    schedules: dict[str, Schedule] = {}
    places: dict[str, Placed[Any]] = {}
    for placed in rows.schedules:
        schedule, issues = frame.schedule(placed.row)
        _note(placed, placed.row.id, issues, places, problems)
        schedules[schedule.id] = schedule
    _shared(schedules, places, problems)
    exceptions: dict[str, SpecialPeriod] = {}
    places = {}
    for special_row in rows.exceptions:
        special, issues = frame.exception(special_row.row, schedules)
        _note(special_row, special_row.row.id, issues, places, problems)
        other = conflict(special, exceptions.values())
        if other is not None and not issues:
            at, todo = places[other.id], f'"{other.id}" is there: {places[other.id].file}:{places[other.id].line}.'
            if at is not special_row:
                got, wanted = "schedules that another exception has at that time", "one exception at a time"
                problems.append(
                    Problem(special_row.file, special_row.line_of("from"), "exception.from", got, wanted, todo)
                )
        exceptions[special.id] = special
    added: dict[Any, Day] = {}
    for day_row in rows.days:
        row = day_row.row
        if row.date in added:
            got = f"{row.date} twice"
            problems.append(Problem(day_row.file, day_row.line_of("date"), "day.date", got, "each day once"))
        added[row.date] = Day(row.date, row.type, Name(row.name.zh, row.name.en), added=True)
    office = OfficeCalendar(rows.site.site.country, added)
    return Timetable(ZoneInfo(zone), office, schedules, exceptions)


def _note(
    placed: Placed[Any], id_: str, issues: Iterable[Issue], places: dict[str, Placed[Any]], problems: list[Problem]
) -> None:
    noun = str(placed.path[0])
    twin = places.setdefault(id_, placed)
    if twin is not placed:
        todo = f"It is at {twin.file}:{twin.line} too."
        problems.append(Problem(placed.file, placed.line_of("id"), f"{noun}.id", f'"{id_}"', "an id of its own", todo))
    for issue in issues:
        line = placed.source.line((*placed.path, *issue.path))
        problem = Problem(placed.file, line, f"{noun}.{issue.key}", issue.got, issue.wanted, issue.todo)
        if problem not in problems:
            problems.append(problem)


def _shared(schedules: Mapping[str, Schedule], places: Mapping[str, Placed[Any]], problems: list[Problem]) -> None:
    """Say where two schedules want one point: one slot holds one wish."""
    owner: dict[tuple[str, str], str] = {}
    for schedule in schedules.values():
        for address in schedule.equipment:
            found = [(tag, other) for tag in schedule.tags if (other := owner.get((address, tag)))]
            if found:
                tag, other = found[0]
                placed, twin = places[schedule.id], places[other]
                todo = f'"{other}" is there: {twin.file}:{twin.line}.'
                got, wanted = f"{address}.{tag}, which {other} has", "one schedule a point"
                problems.append(
                    Problem(placed.file, placed.line_of("equipment"), "schedule.equipment", got, wanted, todo)
                )
                break
            owner |= dict.fromkeys(((address, tag) for tag in schedule.tags), schedule.id)


def _modes(row: ScheduleRow, modes: Mapping[str, Mode]) -> Iterable[Issue]:
    """Find names of modes that the schedule does not have."""
    asked: list[tuple[tuple[str | int, ...], str]] = [
        (("weekly", place, "mode"), span.mode) for place, span in enumerate(row.weekly)
    ]
    if row.default:
        asked.append((("default",), row.default))
    if row.booking is not None:
        asked.append((("booking",), row.booking.mode))
    for path, mode in asked:
        if mode not in modes:
            todo = nearest(mode, modes) or f"It has {', '.join(modes)}."
            yield Issue(path, f'"{mode}"', "a mode of this schedule", todo)


def _overlaps(row: ScheduleRow, spans: Sequence[Span]) -> Iterable[Issue]:
    for place, (given, span) in enumerate(zip(row.weekly, spans, strict=True)):
        if span.end_min <= span.start_min:
            wanted = f"a time after {given.start}, when it begins"
            yield Issue(("weekly", place, "to"), given.end, wanted, _OVER_MIDNIGHT)
    for day in DAY_TYPES:
        mine = sorted((span.start_min, span.end_min, place) for place, span in enumerate(spans) if day in span.days)
        for (_, end, _), (start, until, place) in pairwise(mine):
            if start < end and until > start:
                got = f"{row.weekly[place].start} on {day}, inside another span"
                yield Issue(("weekly", place, "from"), got, f"{clock(end)} or later")
                return


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern)


def _refuse(issues: Sequence[Issue]) -> None:
    if issues:
        first = issues[0]
        raise InvalidError(
            f"{first.key}: got {first.got}, wanted {first.wanted}" + (f". {first.todo}" if first.todo else "")
        )


def _said(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {str(first['msg'])[:200]}"


def schedule_key(kind: str, id_: str) -> str:
    """Return the overlay's key of a schedule (`plan`) or an exception (`exception`)."""
    return f"{SCHEDULE}{kind}/{id_}"


def lay_timetable(base: Timetable, changes: Iterable[Change], site: Site) -> Timetable:
    """Return the timetable with what was changed on screens.

    A change that does not fit the site any more is passed over and logged: it must not keep the controller from
    starting. Exceptions are laid when all schedules are.
    """
    mine = [change for change in changes if change.key.startswith(SCHEDULE)]
    if not mine:
        return base
    frame = ScheduleFrame.of(site)
    schedules, exceptions = dict(base.schedules), dict(base.exceptions)
    for change in sorted(mine, key=lambda change: change.key.startswith(f"{SCHEDULE}exception/")):
        kind, _, id_ = change.key.removeprefix(SCHEDULE).partition("/")
        try:
            if kind == "plan" and id_ in schedules:
                schedules[id_] = frame.changed(base.schedules[id_], change.value)
            elif kind == "exception" and change.value is None:
                exceptions.pop(id_, None)
            elif kind == "exception":
                exceptions[id_] = frame.special(id_, change.value, schedules)
            else:
                _log.warning("schedules: the change of %s %s by %s speaks of nothing any more", kind, id_, change.who)
        except InvalidError as error:
            _log.warning("schedules: the change of %s %s by %s does not fit: %s", kind, id_, change.who, error)
    return replace(base, schedules=schedules, exceptions=exceptions)
