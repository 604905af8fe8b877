"""Floor plans of the files: rows, drawings and the site brought together, with every contradiction at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.plan.picture import Picture, PictureError, read_picture
from controller.plan.plan import Drawing, Placement, Plan, Zone, faults
from controller.plan.store import digest
from controller.point.model import Name
from controller.settings.problem import MOST, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from controller.point.model import Building, Equipment, Point
    from controller.settings.file import PlanRow
    from controller.settings.row import Placed

__all__ = ["floor_plans", "picture_problem", "regular_file"]

_SHAPE = 0.01
"""How much the shape of the coordinates may differ from that of the drawing."""
_NO_DRAWING = (1200.0, 800.0)


def floor_plans(
    rows: Sequence[Placed[PlanRow]],
    buildings: Mapping[str, Building],
    equipment: Mapping[str, Equipment],
    points: Mapping[str, Point],
    folder: Path,
    problems: list[Problem],
) -> dict[tuple[str, str], Plan]:
    """Return the plans by building and floor; what is wrong is added to `problems`."""
    found: dict[tuple[str, str], Plan] = {}
    drawings: dict[str, Drawing | Problem] = {}
    for placed in rows:
        if len(problems) >= MOST:
            break
        row = placed.row
        if row.building not in buildings:
            todo = nearest(row.building, buildings)
            problems.append(_at(placed, ("building",), f'"{row.building}"', "a building of site.toml", todo))
            continue
        known = [floor.id for floor in buildings[row.building].floors]
        if row.floor not in known:
            wanted = f"one of {', '.join(known)}, the floors of {row.building}"
            problems.append(_at(placed, ("floor",), f'"{row.floor}"', wanted))
            continue
        if (row.building, row.floor) in found:
            problems.append(_at(placed, ("floor",), f"{row.building} {row.floor} twice", "one plan for each floor"))
            continue
        drawing = None
        if row.file is not None:
            if row.file not in drawings:
                drawings[row.file] = _drawing(placed, row.file, folder)
            seen = drawings[row.file]
            if isinstance(seen, Problem):
                if seen not in problems:
                    problems.append(seen)
                continue
            drawing = seen
        plan = _plan(row, drawing)
        if drawing and abs(plan.width / plan.height / (drawing.width / drawing.height) - 1) > _SHAPE:
            got = f"{plan.width:g} × {plan.height:g}"
            wanted = f"the shape of the drawing, {drawing.width:g} × {drawing.height:g}"
            problems.append(_at(placed, ("size",), got, wanted, "Leave the size out to take the drawing's."))
        for fault in faults(plan, equipment, points):
            problem = _at(placed, fault.path, fault.got, fault.wanted, fault.todo)
            if problem not in problems:
                problems.append(problem)
        found[plan.key] = plan
    return found


def regular_file(folder: Path, name: str) -> Path | None:
    """Return the path of a file of the folder; None where there is none, or a link that leads out of the folder."""
    path = folder / name
    return path if path.is_file() and path.resolve().is_relative_to(folder.resolve()) else None


def picture_problem(file: str, error: PictureError) -> Problem:
    """Say what is wrong with a picture at its line."""
    return Problem(file, error.line, "", error.got, error.wanted, error.todo)


def _drawing(placed: Placed[PlanRow], file: str, folder: Path) -> Drawing | Problem:
    path = regular_file(folder, file)
    if path is None:
        return _at(placed, ("file",), f'"{file}"', "a file that exists in the site's folder")
    try:
        content, picture = read_picture(path)
    except PictureError as error:
        return picture_problem(file, error)
    except OSError as error:
        return Problem(file, 0, "", str(error.strerror), "a file that can be read")
    return _kept(content, picture, file)


def _kept(content: bytes, picture: Picture, file: str) -> Drawing:
    return Drawing(digest(content), picture.kind, picture.width, picture.height, file)


def _plan(row: PlanRow, drawing: Drawing | None) -> Plan:
    width, height = row.size or ((drawing.width, drawing.height) if drawing else _NO_DRAWING)
    return Plan(
        row.building,
        row.floor,
        float(width),
        float(height),
        drawing,
        tuple(
            Zone(
                zone.id,
                Name(zone.name.zh, zone.name.en),
                tuple((float(x), float(y)) for x, y in zone.polygon),
                tuple(zone.holds),
            )
            for zone in row.zones
        ),
        tuple(Placement(item.address, float(item.at[0]), float(item.at[1])) for item in row.placements),
    )


def _at(placed: Placed[Any], path: tuple[str | int, ...], got: str, wanted: str, todo: str = "") -> Problem:
    key = ".".join(str(part) for part in ("plan", *path) if not isinstance(part, int))
    return Problem(placed.file, placed.source.line((*placed.path, *path)), key, got, wanted, todo)
