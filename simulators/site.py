"""The simulators' own small reader of a site folder: devices, equipment, buildings.

Format: `site.toml`, `equipment.toml`, `equipment/*.toml`, `devices/*.toml`, `devices/*.csv`, `vehicles.csv`. An entry
may stand for many: `for = { n = "1..40" }` or `for = { w = ["w", "sw"] }` (several keys: their product), with `{n}`,
`{n:02}` and whole-number arithmetic such as `{n-12}` or `{(n-1)//8+1:02}` in every text.
"""

from __future__ import annotations

import ast
import csv
import itertools
import operator
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["SimulatedBuilding", "SimulatedDevice", "SimulatedEquipment", "SimulatedSite", "SimulatedVehicle",
           "SiteError", "point_address", "read_site"]  # fmt: skip

_HOLE = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_LIST_KEYS = ("omit",)


class SiteError(Exception):
    """A file of the site says something that cannot be simulated; names file, key, got and wanted."""


@dataclass(frozen=True, slots=True)
class SimulatedBuilding:
    """One building and its floors from the lowest to the highest."""

    id: str
    floors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimulatedEquipment:
    """A thing that devices measure or switch."""

    address: str
    cls: str = ""
    floor: str = ""
    area: str = ""
    wing: str = ""
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    """Nameplate and topology: `rated_kva`, `rated_kw`, `fed_by`, `feeds`."""


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """One device to be simulated, where it is and what it is attached to."""

    id: str
    equipment: str
    """Address of the equipment."""
    profile: str
    endpoint: str
    unit: int = 1
    period_s: float = 10.0
    options: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    """Put before every tag in the address of a point."""
    omit: tuple[str, ...] = ()
    """Tags that the site does not use."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Beginning of tags -> address of the other equipment that they belong to; a `*` at both ends is a number."""
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    """Parameters of the equipment."""


@dataclass(frozen=True, slots=True)
class SimulatedVehicle:
    """One official car."""

    number: int
    """The number at the end of its id."""
    plate: str
    battery_kwh: float
    max_kw: float
    departure_h: float | None = None
    """Local hour at which it leaves on working days; None: some time in the morning."""
    rfid: int = 0


@dataclass(frozen=True, slots=True)
class SimulatedSite:
    """What the simulators need of a site."""

    id: str
    timezone: str = "Asia/Taipei"
    country: str = ""
    """Whose public holidays keep the people away."""
    latitude: float = 25.04
    longitude: float = 121.56
    buildings: tuple[SimulatedBuilding, ...] = ()
    equipment: Mapping[str, SimulatedEquipment] = field(default_factory=dict)
    devices: tuple[SimulatedDevice, ...] = ()
    vehicles: tuple[SimulatedVehicle, ...] = ()
    """The official cars, of `vehicles.csv`."""
    simulation: Mapping[str, Any] = field(default_factory=dict)
    """The table `[simulation]`, which the simulators alone read."""


def point_address(row: SimulatedDevice, tag: str) -> str:
    """Return the address of the point that shows the quantity `tag` of a device."""
    for key, address in row.parts.items():
        start = key.removesuffix("*")
        if key == start and tag.startswith(f"{key}_"):
            return f"{address}.{tag[len(key) + 1 :]}"
        number, _, rest = tag[len(start) :].partition("_")
        if key != start and tag.startswith(start) and number.isdigit() and rest:
            return f"{address.replace('*', number)}.{rest}"
    return f"{row.equipment}.{row.prefix}{tag}"


def read_site(folder: Path) -> SimulatedSite:
    """Read the folder of one site.

    Raises:
        SiteError: a file cannot be read or is not TOML, a key is missing or of the wrong kind, an id is there twice.
    """
    top = _toml(folder / "site.toml")
    head = top.get("site", {})
    if not isinstance(head, dict) or not isinstance(head.get("id"), str):
        raise SiteError(f'{folder / "site.toml"}: [site] id: got {head!r}, wanted a table with id = "…"')
    buildings = tuple(
        SimulatedBuilding(str(row["id"]), tuple(str(floor) for floor in row.get("floors", ())))
        for row in top.get("building", ())
    )
    equipment = _equipment(folder)
    return SimulatedSite(
        id=head["id"],
        timezone=str(head.get("timezone", "Asia/Taipei")),
        country=str(head.get("country", "")),
        latitude=float(head.get("latitude", 25.04)),
        longitude=float(head.get("longitude", 121.56)),
        buildings=buildings,
        equipment=equipment,
        devices=_devices(folder / "devices", equipment),
        vehicles=_vehicles(folder / "vehicles.csv"),
        simulation=top.get("simulation", {}),
    )


def _equipment(folder: Path) -> dict[str, SimulatedEquipment]:
    found: dict[str, SimulatedEquipment] = {}
    paths = [folder / "equipment.toml", *sorted((folder / "equipment").glob("*.toml"))]
    for path, row in ((file, row) for file in paths if file.exists() for row in _rows(file, "equipment")):
        address = _text(row, "id", path)
        if address in found:
            raise SiteError(f'{path}: equipment "{address}" is there twice')
        parameters = row.get("parameters", {})
        if not isinstance(parameters, dict):
            raise SiteError(f'{path}: equipment "{address}" parameters: got {parameters!r}, wanted a table')
        cls, floor, area, wing = (str(row.get(key, "")) for key in ("class", "floor", "area", "wing"))
        found[address] = SimulatedEquipment(address, cls, floor, area, wing, parameters)
    return found


def _devices(folder: Path, equipment: Mapping[str, SimulatedEquipment]) -> tuple[SimulatedDevice, ...]:
    found: dict[str, SimulatedDevice] = {}
    for path in sorted([*folder.glob("*.toml"), *folder.glob("*.csv")]):
        rows = _rows(path, "device") if path.suffix == ".toml" else _csv(path)
        for row in rows:
            identifier = _text(row, "id", path)
            if identifier in found:
                raise SiteError(f'{path}: device "{identifier}" is there twice')
            where = f'{path}: device "{identifier}"'
            address = _text(row, "equipment", path)
            known = equipment.get(address)
            if known is None:
                raise SiteError(f'{where} equipment: got "{address}", wanted an id of equipment.toml')
            found[identifier] = SimulatedDevice(
                id=identifier,
                equipment=address,
                profile=_text(row, "profile", path),
                endpoint=_text(row, "endpoint", path),
                unit=_whole(row.get("unit", 1), where),
                period_s=float(row.get("period_s", 10.0) or 10.0),
                options=row.get("options", {}),
                prefix=str(row.get("prefix", "")),
                omit=tuple(row.get("omit", ())),
                parts=row.get("parts", {}),
                parameters=known.parameters,
            )
    return tuple(found.values())


def _vehicles(path: Path) -> tuple[SimulatedVehicle, ...]:
    """Read the list of official cars: `id`, `plate`, `battery_kwh`, `max_kw`, `departure` (HH:MM) and `rfid` (hex)."""
    if not path.exists():
        return ()
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    found: list[SimulatedVehicle] = []
    for row in rows:
        number = re.search(r"\d+$", row.get("id") or "")
        hour, _, minute = (row.get("departure") or "").partition(":")
        try:
            found.append(
                SimulatedVehicle(
                    number=int(number[0]) if number else len(found) + 1,
                    plate=str(row["plate"]),
                    battery_kwh=float(row["battery_kwh"]),
                    max_kw=float(row["max_kw"]),
                    departure_h=int(hour) + int(minute) / 60.0 if minute else None,
                    rfid=int(row.get("rfid") or "0", 16),
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SiteError(f"{path}: {row.get('id', '?')}: {error}; wanted id, plate, battery_kwh, max_kw") from None
    return tuple(found)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SiteError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SiteError(f"{path}: not TOML: {error}") from error


def _rows(path: Path, name: str) -> Iterator[dict[str, Any]]:
    for row in _toml(path).get(name, ()):
        each = row.get("each", {})
        for filled, values in _expand(row, f'{path}: {name} "{row.get("id", "?")}"'):
            filled.pop("each", None)
            for choice in (",".join(values.values()), *values.values()):
                if choice in each:
                    overrides = _fill(each[choice], values, str(path))
                    for key, value in overrides.items():
                        both = isinstance(value, dict) and isinstance(filled.get(key), dict)
                        filled[key] = {**filled[key], **value} if both else value
                    break
            yield filled


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SiteError(f"{path}: cannot be read as CSV: {error}") from error
    for line, cells in enumerate(table, 2):
        row: dict[str, Any] = {}
        for key, cell in cells.items():
            if not key or not cell:
                continue
            if key in _LIST_KEYS:
                row[key] = re.split(r"[;,\s]+", cell.strip())
            elif "." in key:
                group, name = key.split(".", 1)
                row.setdefault("options" if group in {"option", "options"} else group, {})[name] = cell.strip()
            elif key == "for":
                row[key] = dict(part.split("=", 1) for part in re.split(r"[;\s]+", cell.strip()))
            else:
                row[key] = cell.strip()
        yield from (filled for filled, _ in _expand(row, f"{path}: line {line}"))


def _expand(row: Mapping[str, Any], where: str) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield the entry once for each combination of its `for`, holes filled, with the values that were used."""
    ranges = row.get("for", {})
    if not isinstance(ranges, dict):
        raise SiteError(f'{where}: for: got {ranges!r}, wanted a table such as {{ n = "1..40" }}')
    body = {key: value for key, value in row.items() if key not in {"for", "each"}}
    choices = [_choices(value, f"{where}: for.{key}") for key, value in ranges.items()]
    for combination in itertools.product(*choices):
        values = dict(zip(ranges, combination, strict=True))
        filled = _fill(body, values, where) if values else dict(body)
        yield filled, {key: str(value) for key, value in values.items()}


def _choices(value: object, where: str) -> Sequence[int | str]:
    if isinstance(value, str):
        match = _RANGE.fullmatch(value.strip())
        if match:
            return range(int(match[1]), int(match[2]) + 1)
    if isinstance(value, list):
        return [item if isinstance(item, int) else str(item) for item in value]
    raise SiteError(f'{where}: got {value!r}, wanted a range "1..40" or a list')


def _fill(value: Any, values: Mapping[str, int | str], where: str) -> Any:
    if isinstance(value, str):
        return _HOLE.sub(lambda match: _hole(match, values, where), value)
    if isinstance(value, list):
        return [_fill(item, values, where) for item in value]
    if isinstance(value, dict):
        return {key: _fill(item, values, where) for key, item in value.items()}
    return value


def _hole(match: re.Match[str], values: Mapping[str, int | str], where: str) -> str:
    name, form = match[1].strip(), match[2] or ""
    try:
        value = values[name] if name in values else _work_out(ast.parse(name, mode="eval").body, values)
        return format(value, form)
    except (SyntaxError, ValueError, TypeError, KeyError, ZeroDivisionError) as error:
        raise SiteError(
            f'{where}: "{match[0]}": {error}; wanted whole-number arithmetic over for ({", ".join(values) or "none"})'
        ) from error


def _work_out(node: ast.expr, values: Mapping[str, int | str]) -> int:
    match node:
        case ast.Constant(value=int() as number):
            return number
        case ast.Name(id=name):
            return int(values[name])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_work_out(operand, values)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_work_out(left, values), _work_out(right, values))
    raise ValueError(f"cannot work out {ast.unparse(node)}")


def _text(row: Mapping[str, Any], key: str, where: object) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise SiteError(f"{where}: {row.get('id', '?')} {key}: got {value!r}, wanted a text")
    return value


def _whole(value: object, where: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise SiteError(f"{where} unit: got {value!r}, wanted a whole number") from None
