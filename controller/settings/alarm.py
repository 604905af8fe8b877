"""Alarm rows to alarm definitions: classes and patterns spread over points, later rows over earlier ones.

A row with an area (a childcare centre with limits of its own) is nearer to its equipment than a row for the whole
class: it goes before it, wherever the two stand.
"""

from __future__ import annotations

import fnmatch
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.alarm.definition import LIMIT_KINDS, AlarmDefinition, definition_id
from controller.errors import InvalidError
from controller.point.model import Limits, Name
from controller.settings.problem import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from controller.point.model import Equipment, Point
    from controller.settings.file import AlarmRow
    from controller.settings.row import Placed

__all__ = ["communication_alarms", "point_alarms", "with_limits"]

_WORDS = {
    "high_high": Name("過高（上上限）", "very high"),
    "high": Name("過高", "high"),
    "low": Name("過低", "low"),
    "low_low": Name("過低（下下限）", "very low"),
    "state": Name("異常", "abnormal"),
}
_COMMUNICATION = Name("通訊中斷", "communication lost")
_CONSEQUENCE = Name("此裝置的數值已過期，不可據以操作", "Its values are out of date and must not be acted on")
_ACTION = Name(
    "檢查裝置電源、網路與閘道器；於裝置頁查看最後錯誤",
    "Check power, network and gateway; see its last error on the devices page",
)


def point_alarms(
    rows: Sequence[Placed[AlarmRow]],
    equipment: Mapping[str, Equipment],
    points: Mapping[str, Point],
    problems: list[Problem],
    areas: Collection[str] = (),
) -> dict[str, AlarmDefinition]:
    """Return the alarms of points by id; what is wrong is appended to `problems`. `areas` are the site's."""
    found: dict[str, AlarmDefinition] = {}
    places: dict[str, Placed[AlarmRow]] = {}
    for placed in rows:
        row, file, line = placed.row, placed.file, placed.line
        if row.area is not None and row.area not in areas:
            line, todo = placed.line_of("area"), nearest(row.area, areas)
            problems.append(Problem(file, line, "alarm.area", f'"{row.area}"', "an area of site.toml", todo))
            continue
        if row.kind == "communication":
            _check_communication(placed, equipment, problems)
            continue
        if (row.cls is None) == (row.equipment is None):
            problems.append(Problem(file, line, "alarm", "", 'exactly one of "class" and "equipment"'))
            continue
        if row.tag is None:
            problems.append(Problem(file, line, "alarm.tag", "nothing", "the tag of a point", "Add it."))
            continue
        pieces = _pieces(row, equipment)
        if not pieces:
            _say_nobody(placed, equipment, problems)
            continue
        targets = [points[address] for piece in pieces if (address := f"{piece.address}.{row.tag}") in points]
        if not targets:
            tags = {
                point.address.rsplit(".", 1)[1] for point in points.values() if point.equipment == pieces[0].address
            }
            line = placed.line_of("tag")
            wanted = f"a point of {pieces[0].address}" if tags else f"a point; {pieces[0].address} has no device"
            problems.append(Problem(file, line, "alarm.tag", f'"{row.tag}"', wanted, nearest(row.tag, tags)))
            continue
        for point in targets:
            try:
                definition = _definition(row, point, equipment[point.equipment])
            except InvalidError as error:
                problems.append(Problem(file, line, "alarm", str(error), ""))
                break
            if definition.id in places and _yields(row, places[definition.id].row):
                continue
            found[definition.id] = definition
            places[definition.id] = placed
    _check_order(found, places, problems)
    return found


def _yields(row: AlarmRow, to: AlarmRow) -> bool:
    """Tell whether a row for a whole class comes after one for an area of it, which stays."""
    return row.cls is not None and row.area is None and to.area is not None


def _say_nobody(placed: Placed[AlarmRow], equipment: Mapping[str, Equipment], problems: list[Problem]) -> None:
    row = placed.row
    key, wanted = ("class", "a class of the site") if row.cls else ("equipment", "an address of the site")
    given = row.cls or row.equipment or ""
    known = {piece.cls for piece in equipment.values()} if row.cls else set(equipment)
    if row.area is not None and _pieces(row.model_copy(update={"area": None}), equipment):
        key, given, wanted, known = "area", row.area, f"an area with {row.cls or 'such equipment'} in it", set()
    line = placed.line_of(key)
    problems.append(Problem(placed.file, line, f"alarm.{key}", f'"{given}"', wanted, nearest(given, known)))


def _check_communication(placed: Placed[AlarmRow], equipment: Mapping[str, Equipment], problems: list[Problem]) -> None:
    """Every device has this alarm; a row only says how important it is, for a class, for addresses, or for all."""
    if placed.row.cls is not None and placed.row.equipment is not None:
        wanted = 'at most one of "class" and "equipment"'
        problems.append(Problem(placed.file, placed.line, "alarm", "", wanted))
    elif not _pieces(placed.row, equipment):
        _say_nobody(placed, equipment, problems)


def _check_order(
    found: Mapping[str, AlarmDefinition], places: Mapping[str, Placed[AlarmRow]], problems: list[Problem]
) -> None:
    """Say where limits of one point contradict each other; each pair of rows once."""
    said = set()
    for one in found.values():
        for lower, upper in (("low_low", "low"), ("low", "high"), ("high", "high_high")):
            other = found.get(definition_id(upper, point=one.point)) if one.kind == lower else None
            if other is None or one.limit < other.limit or (lower != "low" and one.limit == other.limit):
                continue
            pair = places[one.id], places[other.id]
            if (id(pair[0]), id(pair[1])) not in said:
                said.add((id(pair[0]), id(pair[1])))
                got = f"{lower} {one.limit:g} and {upper} {other.limit:g} of {one.point}"
                todo = f"The other row is {pair[0].file}:{pair[0].line}."
                line = pair[1].line_of("limit")
                problems.append(Problem(pair[1].file, line, "alarm.limit", got, f"{lower} below {upper}", todo))


def communication_alarms(
    rows: Sequence[Placed[AlarmRow]], devices: Mapping[str, str], equipment: Mapping[str, Equipment]
) -> dict[str, AlarmDefinition]:
    """Return one alarm for each device (`devices` gives its equipment), with what the rows say of its priority."""
    found = {}
    for device, address in devices.items():
        piece = equipment[address]
        matching = [
            placed.row
            for placed in rows
            if placed.row.kind == "communication" and piece in _pieces(placed.row, {address: piece})
        ]
        row: AlarmRow | None = None
        for one in matching:
            if row is None or not _yields(one, row):
                row = one
        identifier = definition_id("communication", device=device)
        found[identifier] = AlarmDefinition(
            id=identifier,
            kind="communication",
            device=device,
            priority=row.priority if row else 3,
            life_safety=row.life_safety if row else False,
            on_delay_s=row.on_delay_s if row else 0.0,
            off_delay_s=row.off_delay_s if row else 0.0,
            text=_name(row.text) if row and row.text else _COMMUNICATION,
            consequence=_name(row.consequence) if row and row.consequence else _CONSEQUENCE,
            action=_name(row.action) if row and row.action else _ACTION,
            respond_s=row.respond_min * 60.0 if row and row.respond_min else None,
            equipment=address,
            system=piece.system,
            area=piece.area,
            floor=piece.floor,
        )
    return found


def with_limits(points: Mapping[str, Point], alarms: Iterable[AlarmDefinition]) -> dict[str, Point]:
    """Return the points with the limits that their alarms have, for screens."""
    limits: dict[str, dict[str, float]] = {}
    for alarm in alarms:
        if alarm.kind in LIMIT_KINDS:
            limits.setdefault(alarm.point, {})[alarm.kind] = alarm.limit
    return {
        address: replace(point, limits=Limits(**limits[address])) if address in limits else point
        for address, point in points.items()
    }


def _pieces(row: AlarmRow, equipment: Mapping[str, Equipment]) -> list[Equipment]:
    pattern = row.equipment or "*"
    return [
        piece
        for piece in equipment.values()
        if (piece.cls == row.cls if row.cls is not None else fnmatch.fnmatchcase(piece.address, pattern))
        and row.area in (None, piece.area)
    ]


def _definition(row: AlarmRow, point: Point, piece: Equipment) -> AlarmDefinition:
    limit = math.nan
    if row.kind in LIMIT_KINDS:
        limit = _limit(row, piece)
    word = _WORDS[row.kind]
    # The equipment is named beside the text wherever an alarm is shown.
    text = _name(row.text) if row.text else Name(f"{point.name.zh}{word.zh}", f"{point.name.en} {word.en}")
    return AlarmDefinition(
        id=definition_id(row.kind, point=point.address, word=row.word or ""),
        kind=row.kind,
        number=point.number,
        point=point.address,
        device=point.device,
        limit=limit,
        states=tuple(row.states),
        unit=point.unit,
        priority=row.priority,
        life_safety=row.life_safety,
        on_delay_s=float(row.on_delay_s),
        off_delay_s=float(row.off_delay_s),
        deadband=float(row.deadband),
        latching=row.latching,
        text=text,
        consequence=_name(row.consequence),
        action=_name(row.action),
        respond_s=row.respond_min * 60.0 if row.respond_min else None,
        equipment=piece.address,
        system=piece.system,
        area=piece.area,
        floor=piece.floor,
    )


def _limit(row: AlarmRow, piece: Equipment) -> float:
    if isinstance(row.limit, str):
        value = piece.parameters.get(row.limit)
        if not isinstance(value, int | float):
            raise InvalidError(f'limit = "{row.limit}": {piece.address} has no such number among its parameters')
        return float(value)
    if row.limit is None:
        raise InvalidError(f'kind "{row.kind}" needs a limit: a number, or the name of a parameter')
    return float(row.limit)


def _name(row: object) -> Name:
    return Name(row.zh, row.en) if row is not None else Name("", "")  # type: ignore[attr-defined]  # LongNameRow
