"""The report of a drill as PDF: what was wanted, what came of it, who was accounted for when, and what deviated.

`render` runs in the job process: its argument and its result can be pickled, and it touches nothing else. The
fonts are those of the other reports. Fields as the fire-prevention plan wants them (消防法施行細則: date,
length, notice to the fire authority, the teams of the self-defence fire brigade, what was found).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from controller.drill.course import Cause, Phase
from controller.drill.words import WORDS
from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.drill.course import Drill
    from controller.drill.muster import Board
    from controller.drill.scenario import Goal

__all__ = ["GoalResult", "NoticeLine", "ReportData", "content", "goals", "render"]

FAMILY = "Noto Sans TC"
_SHOWN_ZONES = 12
LEAST_S = 4 * 3600.0
"""What the law wants of the half-yearly drills together (消防法施行細則, text of 113-01-22, item 5): four hours."""


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One message to one of the people of the drill, and what became of it."""

    time_ns: int
    title: Name
    """Begins with its mark."""
    to: Name
    channel: Name | None
    """None: it went by none."""
    state: str
    """As of `controller.notify.notice`."""
    repeat: bool


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a report says, and in which language."""

    drill: Drill
    entries: tuple[tuple[int, str, str, str, str, Mapping[str, Any]], ...]
    """Time ns, kind, who, text zh, text en, data; oldest first."""
    board: Board
    site: Name
    building: Name
    areas: Mapping[str, Name]
    timezone: str
    language: str
    """`zh` or `en`."""
    made_ns: int
    notices: tuple[NoticeLine, ...] = ()
    """Oldest first."""
    zones: tuple[tuple[str, str], ...] = ()
    """Floor and area of every zone of the building, also of those where nobody was expected."""


@dataclass(frozen=True, slots=True)
class GoalResult:
    """A goal and how it was reached."""

    goal: Goal
    reached: bool | None
    """None: it cannot be told, such as an evacuation of a house in which no card had brought anybody."""
    after_s: float | None
    """When it was reached, seconds after the start; None while it was not."""
    done: int
    wanted: int


def goals(drill: Drill, board: Board, zones: Iterable[tuple[str, str]] = ()) -> list[GoalResult]:
    """Return how every goal of a drill was reached; `zones` are to be walked through beside those of the board."""
    start_ns = drill.started_ns or 0
    found = []
    for goal in drill.scenario.goals:
        limit_s = drill.length_s if goal.within_s is None else goal.within_s
        if goal.kind == "answered":
            injects = [one for one in drill.scenario.injects if one.answer_s is not None]
            answers = {one.inject: one for one in drill.answers}
            good = [
                one
                for one in injects
                if one.id in answers and one.answer_s is not None and answers[one.id].after_s <= one.answer_s
            ]
            last = max((answers[one.id].time_ns for one in good), default=None)
            whole = len(good) == len(injects)
            found.append(_result(goal, whole, last if whole else None, start_ns, limit_s, len(good), len(injects)))
        elif goal.kind == "swept":
            swept = _swept(board, zones)
            times = [time_ns for time_ns in swept.values() if time_ns is not None]
            whole = bool(swept) and len(times) == len(swept)
            last = max(times) if whole else None
            found.append(_result(goal, whole if swept else None, last, start_ns, limit_s, len(times), len(swept)))
        else:
            last = board.complete_ns
            known = last is not None if board.expected else None
            found.append(_result(goal, known, last, start_ns, limit_s, board.accounted, board.expected))
    return found


def _swept(board: Board, zones: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int | None]:
    """Return when each zone was walked through; who is between two doors is in none."""
    found = {(zone.floor, zone.area): zone.swept_ns for zone in board.zones if zone.floor}
    return dict.fromkeys(zones) | found


def _result(
    goal: Goal,
    reached: bool | None,  # noqa: FBT001 - one caller
    last_ns: int | None,
    start_ns: int,
    limit_s: float,
    done: int,
    wanted: int,
) -> GoalResult:
    after_s = None if last_ns is None else max(0.0, (last_ns - start_ns) / 1e9)
    in_time = reached if after_s is None or not reached else after_s <= limit_s
    return GoalResult(goal, in_time, after_s, done, wanted)


def content(data: ReportData) -> dict[str, Any]:
    """Return what the template sets: every text is finished, in the language of the report."""
    drill, board, language = data.drill, data.board, data.language
    words = WORDS[language]
    zone = ZoneInfo(data.timezone)

    def moment(time_ns: int | None, *, day: bool = True) -> str:
        if time_ns is None:
            return "–"
        at = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).astimezone(zone)
        clock = f"{at:%H:%M:%S}"
        return f"{_day(at, language)} {clock}" if day else clock

    def named(name: Name) -> str:
        return str(getattr(name, language))

    def person(who: str) -> str:
        return words["controller"] if who == "system" else who

    def area(id_: str) -> str:
        return named(data.areas[id_]) if id_ in data.areas else id_

    start_ns, end_ns = drill.started_ns, drill.ended_ns
    length_s = (end_ns - start_ns) / 1e9 if start_ns is not None and end_ns is not None else 0.0
    cause = words[f"cause.{drill.cause}"] if drill.cause else "–"
    answers = {one.inject: one for one in drill.answers}
    given = dict(drill.given)
    injects = []
    for inject in drill.scenario.injects:
        said = answers.get(inject.id)
        late = said is not None and inject.answer_s is not None and said.after_s > inject.answer_s
        if inject.id not in given:
            verdict = words["inject.not-given"]
        elif inject.answer_s is None:
            verdict = "–"
        elif said is None:
            verdict = words["inject.unanswered"]
        else:
            verdict = words["inject.late" if late else "inject.in-time"]
        injects.append(
            [
                _elapsed(inject.after_s),
                moment(given.get(inject.id), day=False),
                named(inject.text),
                words[f"team.{inject.team}"] if inject.team else "–",
                "–" if said is None else _elapsed(said.after_s),
                verdict,
            ]
        )
    results = []
    for result in goals(drill, board, data.zones):
        limit = "–" if result.goal.within_s is None else _elapsed(result.goal.within_s)
        reached = words["goal.unknown"] if result.reached is None else words["yes" if result.reached else "no"]
        when = "–" if result.after_s is None else _elapsed(result.after_s)
        results.append([named(result.goal.text), limit, f"{result.done} / {result.wanted}", when, reached])
    zones = [
        [
            (one.floor or words["between"]) + " " + area(one.area),
            str(one.expected),
            str(one.accounted),
            str(one.missing),
            str(one.rescue),
            str(one.visitors),
            "–" if one.swept_ns is None or start_ns is None else _elapsed((one.swept_ns - start_ns) / 1e9),
            "–" if one.complete_ns is None or start_ns is None else _elapsed((one.complete_ns - start_ns) / 1e9),
        ]
        for one in board.zones
    ]
    place = 3 if language == "zh" else 4
    times = [
        (words["time.planned"], moment(drill.planned_ns), drill.planned_by),
        (words["time.requested"], moment(drill.requested_ns), drill.requested_by),
        (words["time.started"], moment(start_ns), drill.confirmed_by),
        (words["time.ended"], moment(end_ns), f"{cause} {person(drill.ended_by)}".strip()),
        (words["time.restored"], moment(drill.restored_ns), drill.restored_by),
        (words["time.reported"], moment(drill.reported_ns), drill.reported_by),
    ]
    return {
        "language": "zh" if language == "zh" else "en",
        "region": "TW" if language == "zh" else "GB",
        "family": FAMILY,
        "mark": "演練 DRILL",
        "title": words["title"],
        "site": named(data.site),
        "name": named(drill.scenario.name),
        "draft": "" if drill.phase is Phase.REPORTED else words["draft"],
        "made": f"{words['made']} {moment(data.made_ns)}",
        "words": words,
        "facts": [
            [words["fact.id"], drill.id],
            [words["fact.day"], "–" if start_ns is None else moment(start_ns).rsplit(" ", 1)[0]],
            [words["fact.level"], words[f"level.{drill.level}"]],
            [words["fact.place"], f"{named(data.building)} {drill.scenario.floor}"],
            [words["fact.length"], f"{_elapsed(length_s)} {_least(length_s, words)}"],
            [words["fact.notice"], drill.notice or words["none"]],
            [words["fact.remark"], drill.remark or words["none"]],
        ],
        "times": [list(row) for row in times],
        "goals": results,
        "muster": [
            [words["muster.expected"], str(board.expected)],
            [words["muster.accounted"], str(board.accounted)],
            [words["muster.missing"], str(board.missing)],
            [words["muster.rescue"], str(board.rescue)],
            [words["muster.others"], str(len(board.others))],
        ],
        "zones": zones,
        "notices": [
            [
                moment(one.time_ns, day=False),
                named(one.title),
                named(one.to),
                "–" if one.channel is None else named(one.channel),
                words[f"notice.{one.state}"] + (f" · {words['notice.repeat']}" if one.repeat else ""),
            ]
            for one in data.notices
        ],
        "injects": injects,
        "deviations": _deviations(data, words),
        "conclusion": drill.conclusion,
        "steps": [named(step.text) for step in drill.scenario.steps if step.id in drill.steps],
        "record": [[moment(row[0], day=False), person(row[2]), str(row[place])] for row in data.entries],
    }


def _least(length_s: float, words: Mapping[str, str]) -> str:
    return "" if length_s >= LEAST_S else words["length.short"]


def _deviations(data: ReportData, words: Mapping[str, str]) -> list[str]:
    """Return what did not go as planned, and what people observed."""
    drill, board, language = data.drill, data.board, data.language
    found = []
    if drill.cause is not Cause.STOOD_DOWN and drill.cause is not None:
        told = [str(getattr(signal.public().text, language)) for signal in drill.real[:5]]
        signals = ("、" if language == "zh" else ", ").join(text for text in told if text)
        found.append(words["deviation.ended"].format(cause=words[f"cause.{drill.cause}"], what=signals or "–"))
    if board.missing:
        found.append(words["deviation.missing"].format(count=board.missing))
    conflicts = sum(zone.conflicts for zone in board.zones)
    if conflicts:
        found.append(words["deviation.conflict"].format(count=conflicts))
    if not board.expected:
        found.append(words["deviation.nobody"])
    left = [key for key, time_ns in _swept(board, data.zones).items() if time_ns is None]
    if left and any(goal.kind == "swept" for goal in drill.scenario.goals):
        found.append(words["deviation.unswept"].format(zones=_zones(left, data)))
    if late := sum(zone.late for zone in board.zones):
        found.append(words["deviation.late"].format(count=late))
    if arrived := board.arrived_late:
        found.append(words["deviation.arrived"].format(count=arrived))
    if failed := sum(one.state in {"failed", "unknown"} for one in data.notices):
        found.append(words["deviation.notices"].format(count=failed))
    found += [str(row[5].get("note", "")) for row in data.entries if row[1] == "note"]
    return found


def _zones(keys: Sequence[tuple[str, str]], data: ReportData) -> str:
    """Return zones by name, the first of them."""
    names = [(floor, data.areas[area]) if area in data.areas else (floor, Name(area, area)) for floor, area in keys]
    shown = [f"{floor} {getattr(area, data.language)}" for floor, area in names[:_SHOWN_ZONES]]
    more = len(names) - len(shown)
    said = ("、" if data.language == "zh" else ", ").join(shown)
    return said + ((f" 等 {len(names)} 區" if data.language == "zh" else f" and {more} more") if more else "")


def _day(at: datetime, language: str) -> str:
    """Return a day: in Chinese by the years of the Republic (民國)."""
    if language == "zh":
        return f"民國 {at.year - 1911} 年 {at.month} 月 {at.day} 日"
    return f"{at.day} {at:%B} {at.year}"


def _elapsed(seconds: float) -> str:
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"


def render(data: ReportData) -> bytes:
    """Return the PDF.

    Raises:
        UnavailableError: there are no fonts.
        typst.TypstError: the template and the data do not go together.
    """
    import typst  # noqa: PLC0415 - the job process alone needs these two

    from controller.report.page import font_folder  # noqa: PLC0415

    template = files("controller.drill").joinpath("report.typ").read_bytes()
    made: bytes = typst.compile(
        template,
        font_paths=typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[font_folder()]),
        sys_inputs={"data": json.dumps(content(data), ensure_ascii=False)},
    )
    return made
