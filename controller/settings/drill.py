"""Drill rows to scenarios: every point, floor and time is checked where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.drill.scenario import Assembly, Goal, Inject, Level, Scenario, Step
from controller.point.model import Name
from controller.settings.problem import Problem, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.point.model import Building, Point
    from controller.settings.file import LongNameRow, NameRow
    from controller.settings.read import Rows
    from controller.settings.row import Placed
    from controller.settings.scenario import InjectRow, ScenarioRow

__all__ = ["scenarios"]


def scenarios(
    rows: Rows, buildings: Mapping[str, Building], points: Mapping[str, Point], problems: list[Problem]
) -> dict[str, Scenario]:
    """Return the scenarios of the files by id; what is wrong is appended to `problems`."""
    floors = {floor.id for building in buildings.values() for floor in building.floors}
    assembly: dict[str, Assembly] = {}
    places: dict[str, str] = {}
    for point_row in rows.assembly:
        row = point_row.row
        _once(point_row, row.id, "assembly.id", places, problems)
        for floor in row.floors:
            if floor not in floors:
                line = point_row.line_of("floors")
                wanted = f"a floor of the site ({', '.join(sorted(floors))})"
                problems.append(Problem(point_row.file, line, "assembly.floors", f'"{floor}"', wanted))
        assembly[row.id] = Assembly(row.id, _name(row.name), tuple(row.floors))
    known = [f"contact:{one.id}" for one in rows.notify.contact] + [f"duty:{one.id}" for one in rows.notify.duty]
    found: dict[str, Scenario] = {}
    for placed in rows.scenarios:
        _once(placed, placed.row.id, "scenario.id", places, problems)
        _check_targets(placed, known, problems)
        found[placed.row.id] = _scenario(placed, tuple(assembly.values()), buildings, points, problems)
    return found


def _check_targets(placed: Placed[ScenarioRow], known: Sequence[str], problems: list[Problem]) -> None:
    """Check who is to be told: contacts and duties of notify.toml."""
    listed: list[tuple[tuple[str | int, ...], str, list[str]]] = [(("notify",), "notify", placed.row.notify)]
    listed += [(("inject", at, "notify"), "inject.notify", one.notify) for at, one in enumerate(placed.row.inject)]
    for path, key, targets in listed:
        for at, target in enumerate(targets):
            if target not in known:
                line = placed.source.line((*placed.path, *path, at))
                wanted = "a contact or duty of notify.toml"
                todo = nearest(target, known)
                problems.append(Problem(placed.file, line, f"scenario.{key}", f'"{target}"', wanted, todo))


def _once(placed: Placed[Any], id_: str, key: str, places: dict[str, str], problems: list[Problem]) -> None:
    here = f"{placed.file}:{placed.line}"
    other = places.setdefault(f"{key} {id_}", here)
    if other != here:
        problems.append(
            Problem(placed.file, placed.line_of("id"), key, f'"{id_}"', "an id of its own", f"It is at {other} too.")
        )


def _scenario(
    placed: Placed[ScenarioRow],
    assembly: tuple[Assembly, ...],
    buildings: Mapping[str, Building],
    points: Mapping[str, Point],
    problems: list[Problem],
) -> Scenario:
    row = placed.row

    def wrong(path: tuple[str | int, ...], key: str, got: str, wanted: str, todo: str = "") -> None:
        line = placed.source.line((*placed.path, *path))
        problems.append(Problem(placed.file, line, f"scenario.{key}", got, wanted, todo))

    building = buildings.get(row.building)
    if building is None:
        wrong(
            ("building",), "building", f'"{row.building}"', "a building of site.toml", nearest(row.building, buildings)
        )
    elif row.floor not in {floor.id for floor in building.floors}:
        known = ", ".join(floor.id for floor in building.floors)
        wrong(("floor",), "floor", f'"{row.floor}"', f"a floor of {building.id} ({known})")
    end_s = row.end_min * 60.0
    injects = []
    for at, inject in enumerate(row.inject):
        after_s = _seconds(inject.at)
        if after_s >= end_s:
            got = f"{inject.at}, when the drill is over"
            wrong(("inject", at, "at"), "inject.at", got, f"a time before its end, {row.end_min:g} minutes")
        _check_point(at, inject, points, wrong)
        answer_s = None if inject.answer_min is None else inject.answer_min * 60.0
        injects.append(
            Inject(
                inject.id,
                after_s,
                _name(inject.text),
                inject.team,
                answer_s,
                inject.point,
                inject.value,
                _once_each(inject.notify),
            )
        )
    for kind, listed in (("inject", row.inject), ("goal", row.goal), ("restore", row.restore)):
        ids = [one.id for one in listed]
        for at, id_ in enumerate(ids):
            if id_ in ids[:at]:
                wrong((kind, at, "id"), f"{kind}.id", f'"{id_}" twice', "an id of its own")
    for at, goal in enumerate(row.goal):
        if goal.within_min is not None and goal.within_min > row.end_min:
            got = f"{goal.within_min:g}, when the drill is over"
            wrong(("goal", at, "within_min"), "goal.within_min", got, f"at most {row.end_min:g}")
        if goal.kind == "answered" and not any(inject.answer_min for inject in row.inject):
            todo = "Give an inject answer_min."
            wrong(
                ("goal", at, "kind"), "goal.kind", "answered, though no inject wants an answer", "a goal to reach", todo
            )
    return Scenario(
        id=row.id,
        name=_name(row.name),
        building=row.building,
        floor=row.floor,
        end_s=end_s,
        levels=tuple(Level(level) for level in dict.fromkeys(row.levels or Level)),
        injects=tuple(sorted(injects, key=lambda inject: inject.after_s)),
        goals=tuple(
            Goal(one.id, one.kind, _name(one.text), None if one.within_min is None else one.within_min * 60.0)
            for one in row.goal
        ),
        assembly=assembly,
        steps=tuple(Step(one.id, _name(one.text)) for one in row.restore),
        notify=_once_each(row.notify),
    )


def _check_point(at: int, row: InjectRow, points: Mapping[str, Point], wrong: Callable[..., None]) -> None:
    """Check what an inject plays with: a point of the site, and a value that it can have."""
    if not row.point:
        if row.value is not None:
            wrong(
                ("inject", at, "value"), "inject.value", shown(row.value), "a point to show it for", 'Give "point" too.'
            )
        return
    point = points.get(row.point)
    if point is None:
        todo = nearest(row.point, points)
        wrong(("inject", at, "point"), "inject.point", f'"{row.point}"', "a point of this site", todo)
        return
    if row.value is None:
        wrong(("inject", at, "point"), "inject.value", "nothing", f"the value that the drill shows for {row.point}")
        return
    states = [value for value, _ in point.states]
    if (states and row.value not in states) or not point.low <= row.value <= point.high:
        wanted = (
            f"one of {', '.join(map(str, states))}"
            if states
            else f"a value of {row.point}, {point.low:g} to {point.high:g}"
        )
        wrong(("inject", at, "value"), "inject.value", f"{row.value:g}", wanted)


def _once_each(targets: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(targets))


def _seconds(text: str) -> float:
    minutes, _, seconds = text.partition(":")
    return int(minutes) * 60.0 + int(seconds)


def _name(row: NameRow | LongNameRow) -> Name:
    return Name(row.zh, row.en)
