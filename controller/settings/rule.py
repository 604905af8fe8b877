"""Rule rows to rule definitions, and the virtual points that they make on each of their equipment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from controller.point.model import Name, Point
from controller.rule.definition import RuleDefinition, RuleError, RuleInput, VirtualPoint
from controller.rule.engine import RuleEngine
from controller.settings.problem import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.point.model import Equipment, Site
    from controller.point.registry import Registry
    from controller.settings.file import RuleRow
    from controller.settings.row import Placed
    from drivers.driver import Clock

__all__ = ["check_rules", "rules", "virtual_points"]

_STALE_S = 30.0
"""Least time after which a virtual point that was not given anew says so; never before the slowest of its inputs."""


def rules(rows: Sequence[Placed[RuleRow]], problems: list[Problem]) -> tuple[RuleDefinition, ...]:
    """Return the definitions; what the rows contradict themselves in is appended to `problems`."""
    found: dict[str, RuleDefinition] = {}
    for placed in rows:
        row = placed.row
        if (row.cls is None) == (row.equipment is None):
            problems.append(Problem(placed.file, placed.line, "rule", "", 'exactly one of "class" and "equipment"'))
            continue
        if row.id in found:
            problems.append(Problem(placed.file, placed.line, "rule.id", f'"{row.id}" twice', "each rule once"))
            continue
        point = row.point
        try:
            states = tuple((int(value), names[0], names[1]) for value, names in point.states.items())
        except (ValueError, IndexError):
            got = repr(dict(point.states))
            problems.append(Problem(placed.file, placed.line, "rule.point.states", got, '{ 1 = ["中", "English"] }'))
            continue
        found[row.id] = RuleDefinition(
            id=row.id,
            cls=row.cls or "",
            equipment=row.equipment or "",
            inputs={
                name: RuleInput(
                    point=item.point or "", parameter=item.parameter or "", unit=item.unit, window=item.window or ""
                )
                for name, item in row.inputs.items()
            },
            expression=row.expression,
            point=VirtualPoint(
                tag=point.tag,
                unit=point.unit,
                kind=point.kind,
                zh=point.zh,
                en=point.en,
                low=-math.inf if point.low is None else float(point.low),
                high=math.inf if point.high is None else float(point.high),
                decimals=point.decimals,
                deadband=float(point.deadband),
                states=states,
            ),
            file=placed.file,
            line=max(placed.line_of("expression"), 1),
        )
    return tuple(found.values())


def virtual_points(
    definitions: Sequence[RuleDefinition],
    equipment: Mapping[str, Equipment],
    points: Mapping[str, Point],
    registry: Registry,
    problems: list[Problem],
) -> dict[str, Point]:
    """Return the points that the rules make; a rule without equipment, or whose point exists, is a problem."""
    made: dict[str, Point] = {}
    stale: dict[str, float] = {}
    for point in points.values():
        stale[point.equipment] = max(stale.get(point.equipment, _STALE_S), point.stale_s)
    for rule in definitions:
        pieces = rule.matched(equipment.values())
        if not pieces:
            known = {piece.cls for piece in equipment.values()} if rule.cls else set(equipment)
            wanted = rule.cls or rule.equipment
            problems.append(
                Problem(
                    rule.file,
                    rule.line,
                    "rule",
                    f'"{wanted}"',
                    "a class or address of the site",
                    nearest(wanted, known),
                )
            )
        for piece in pieces:
            address = f"{piece.address}.{rule.point.tag}"
            if address in points or address in made:
                problems.append(Problem(rule.file, rule.line, "rule.point.tag", f'"{address}"', "a tag that is free"))
                break
            made[address] = Point(
                number=registry.number(address),
                address=address,
                kind=rule.point.kind,
                unit=rule.point.unit,
                name=Name(rule.point.zh, rule.point.en),
                equipment=piece.address,
                low=rule.point.low,
                high=rule.point.high,
                decimals=rule.point.decimals if rule.point.kind == "analog" else 0,
                deadband=rule.point.deadband,
                stale_s=stale.get(piece.address, _STALE_S),
                states=tuple((value, Name(zh, en)) for value, zh, en in rule.point.states),
                area=piece.area,
            )
    return made


def check_rules(definitions: Sequence[RuleDefinition], site: Site, clock: Clock) -> list[Problem]:
    """Compile all rules against a site and return what is wrong, one problem a rule at most."""
    try:
        RuleEngine(definitions, site, clock)
    except RuleError as error:
        first = error
    else:
        return []
    problems = []
    for definition in definitions:
        try:
            RuleEngine([definition], site, clock)
        except RuleError as error:
            problems.append(_problem(error, definition))
    # A rule that is good alone is wrong with others when they go round in a circle.
    return problems or [_problem(first, next(item for item in definitions if item.id == first.rule))]


def _problem(error: RuleError, definition: RuleDefinition) -> Problem:
    text = str(error).removeprefix(f"{definition.file}:{definition.line}: ")
    return Problem(definition.file, definition.line, "rule", text, "")
