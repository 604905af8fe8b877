"""Amendments: rows of equipment and devices that were made on the screen, laid over those of the files.

Keys of the overlay: `equipment/<address>` and `device/<id>` (JSON of `row`, as it would stand in TOML, and of `base`,
the files' row that it replaces, or null for a new one), and `retired/<device id>` (the device is out of service).

The rows go in before anything is built from them, so everything behind them (names, rules, alarms, point numbers) is
found and checked in the same way. The files have the last word: where a later change of theirs contradicts an
amendment, the amendment is set aside and said, and the controller goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from controller.settings.file import DeviceRow, EquipmentRow
from controller.settings.problem import Problem
from controller.settings.row import Placed, check_row
from controller.settings.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.settings.overlay import Change
    from controller.settings.read import Rows

__all__ = ["DEVICE", "EQUIPMENT", "RETIRED", "Amended", "amended", "blamed", "is_amendment", "plain_row"]

EQUIPMENT = "equipment/"
DEVICE = "device/"
RETIRED = "retired/"
_MODELS: Mapping[str, type[DeviceRow | EquipmentRow]] = {EQUIPMENT: EquipmentRow, DEVICE: DeviceRow}


def is_amendment(key: str) -> bool:
    """Tell whether a key of the overlay is one of these."""
    return key.startswith((EQUIPMENT, DEVICE, RETIRED))


def plain_row(row: DeviceRow | EquipmentRow) -> dict[str, Any]:
    """Return a row as it would stand in TOML, without what is default anyway."""
    return row.model_dump(by_alias=True, exclude_defaults=True)


@dataclass(slots=True)
class Amended:
    """The files' rows with the amendments in effect."""

    rows: Rows
    placed: dict[str, Placed[Any]] = field(default_factory=dict)
    """The amendments in effect, by key."""
    retired: dict[str, Change] = field(default_factory=dict)
    """By device id; only devices that there are."""
    aside: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    same: list[str] = field(default_factory=list)
    """Keys whose row the files have too, word for word."""


def amended(rows: Rows, changes: Iterable[Change], aside: Mapping[str, tuple[Problem, ...]]) -> Amended:
    """Lay amendments over the files' rows, the oldest first; those in `aside` stay out."""
    made = Amended(replace(rows, equipment=list(rows.equipment), devices=list(rows.devices)), aside=dict(aside))
    ordered = sorted((change for change in changes if is_amendment(change.key)), key=lambda change: change.time_ns)
    for prefix, kept in ((EQUIPMENT, made.rows.equipment), (DEVICE, made.rows.devices)):
        for change in ordered:
            if change.key.startswith(prefix) and change.key not in made.aside:
                _lay(made, kept, change, prefix)
    known = {placed.row.id for placed in made.rows.devices}
    for change in ordered:
        name = change.key.removeprefix(RETIRED)
        if change.key.startswith(RETIRED) and change.key not in made.aside:
            if name in known:
                made.retired[name] = change
            else:
                made.aside[change.key] = (Problem(_shown(change.key), 0, "retired", f'"{name}"', "a device"),)
    return made


def _lay(made: Amended, kept: list[Placed[Any]], change: Change, prefix: str) -> None:
    source = Source(_shown(change.key), {})
    noun = prefix[:-1]
    value = change.value if isinstance(change.value, dict) else {}
    row, problems = check_row(_MODELS[prefix], value.get("row") or {}, source, (noun,))
    if row is None:
        made.aside[change.key] = tuple(problems)
        return
    places = {placed.row.id: place for place, placed in enumerate(kept)}
    place = places.get(row.id)
    base = value.get("base")
    if place is not None and plain_row(kept[place].row) == plain_row(row):
        made.same.append(change.key)
        return
    if place is None and base is not None:
        todo = "Delete the change, or put the row back into the files."
        made.aside[change.key] = (Problem(source.name, 0, f"{noun}.id", f'"{row.id}"', "a row of the files", todo),)
        return
    if place is not None and (base is None or plain_row(kept[place].row) != base):
        where = f"{kept[place].file}:{kept[place].line}"
        got = f'"{row.id}", which {"is in the files too" if base is None else "the files have changed since"}'
        todo = f"The files' row is in effect ({where}). Delete the change made on the screen, or make it again."
        made.aside[change.key] = (Problem(source.name, 0, f"{noun}.id", got, "a row that the files leave alone", todo),)
        return
    laid = Placed(row, source, (noun,))
    made.placed[change.key] = laid
    if place is None:
        kept.append(laid)
    elif prefix == EQUIPMENT:
        kept[place] = laid
    else:
        # Behind the files' rows: where two contradict each other, the later one is told so.
        del kept[place]
        kept.append(laid)


def blamed(made: Amended, problems: Sequence[Problem]) -> dict[str, tuple[Problem, ...]]:
    """Return the amendments that problems come from: those they stand in, else those they name, else all there are."""
    by_file = {placed.file: key for key, placed in made.placed.items()}
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.file in by_file:
            found.setdefault(by_file[problem.file], []).append(problem)
    if not found:
        for key, placed in made.placed.items():
            names = {placed.row.id, getattr(placed.row, "equipment", placed.row.id)}
            if hit := [problem for problem in problems if any(name in str(problem) for name in names)]:
                found[key] = hit
    if not found:
        found = {key: list(problems) for key in made.placed}
    return {key: tuple(said) for key, said in found.items()}


def _shown(key: str) -> str:
    return f"overlay {key}"
