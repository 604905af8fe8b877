"""Rows to objects: site, equipment, points and devices, with every contradiction between rows found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from controller.point.model import Area, Building, Equipment, Floor, Name, Point, WriteSpec
from controller.settings.problem import Problem, nearest
from controller.settings.secret import KEYS, resolve
from drivers.driver import Device

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from controller.point.registry import Registry
    from controller.settings.file import DeviceRow, NameRow
    from controller.settings.library import Library
    from controller.settings.read import Placed, Rows
    from drivers.profile import Profile, ProfilePoint

__all__ = ["Builder", "Endpoints"]

_ROOF_INDEX = 99
_STALE_PERIODS = 3
_STALE_S = 10.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """A map that is laid over the configured endpoints, as the simulators write it."""

    actual: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Endpoints:
        """Read the JSON of an endpoint map."""
        secrets = data.get("secrets", {})
        return cls({key: value for key, value in data.items() if isinstance(value, str)}, secrets)


class Builder:
    """Collects objects and problems while it goes through the rows once."""

    def __init__(
        self,
        rows: Rows,
        library: Library,
        registry: Registry,
        *,
        folder: Path,
        environment: Mapping[str, str],
        endpoints: Endpoints,
    ) -> None:
        """Prepare; nothing is read from the network."""
        self._rows = rows
        self._library = library
        self._registry = registry
        self._folder = folder
        self._environment = environment
        self._endpoints = endpoints
        self.problems: list[Problem] = []
        self._missing: dict[str, list[str]] = {}
        self.buildings: dict[str, Building] = {}
        self.areas: dict[str, Area] = {}
        self.equipment: dict[str, Equipment] = {}
        self.points: dict[str, Point] = {}
        self.devices: list[Device] = []
        self.equipment_of: dict[str, str] = {}

    def build(self) -> None:
        """Go through all rows; look at `problems` afterwards."""
        self._places()
        self._pieces()
        seen: dict[tuple[str, int], tuple[str, str, int]] = {}
        for placed in self._rows.devices:
            self._device(placed, seen)

    @property
    def notices(self) -> tuple[str, ...]:
        """What is allowed but should be known, one sentence a cause."""
        return tuple(
            f"{sentence}: device {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            for sentence, names in self._missing.items()
        )

    def _places(self) -> None:
        for row in self._rows.site.building:
            if row.id in self.buildings:
                self._say("site.toml", 0, "building.id", f'"{row.id}" twice', "each building once")
            floors = tuple(Floor(name, _floor_index(name), _floor_name(name)) for name in row.floors)
            self.buildings[row.id] = Building(row.id, _name(row.name), floors)
        for area in self._rows.site.area:
            if area.id in self.areas:
                self._say("site.toml", 0, "area.id", f'"{area.id}" twice', "each area once")
            if area.building not in self.buildings:
                todo = nearest(area.building, self.buildings)
                self._say("site.toml", 0, "area.building", f'"{area.building}"', "a building of this site", todo)
            self.areas[area.id] = Area(area.id, _name(area.name), area.building)

    def _pieces(self) -> None:
        places: dict[str, tuple[str, int]] = {}
        for placed in self._rows.equipment:
            row, file, line = placed.row, placed.file, placed.line
            building, system, _ = row.id.split(".")
            if row.id in self.equipment:
                first = f"{places[row.id][0]}:{places[row.id][1]}"
                self._say(file, line, "equipment.id", f'"{row.id}"', "an address of its own", f"It is at {first} too.")
                continue
            if building not in self.buildings:
                todo = nearest(building, self.buildings)
                self._say(file, line, "equipment.id", f'building "{building}"', "a building of site.toml", todo)
                continue
            known = [floor.id for floor in self.buildings[building].floors]
            if row.floor and row.floor not in known:
                self._say(file, line, "equipment.floor", f'"{row.floor}"', f"one of {', '.join(known)}")
            if row.area and row.area not in self.areas:
                self._say(
                    file, line, "equipment.area", f'"{row.area}"', "an area of site.toml", nearest(row.area, self.areas)
                )
            places[row.id] = (file, line)
            self.equipment[row.id] = Equipment(
                address=row.id,
                cls=row.cls,
                name=_name(row.name),
                building=building,
                system=system,
                floor=row.floor,
                area=row.area,
                wing=row.wing,
                maker=row.maker,
                model=row.model,
                serial=row.serial,
                parameters=row.parameters,
            )

    def _device(self, placed: Placed[DeviceRow], seen: dict[tuple[str, int], tuple[str, str, int]]) -> None:
        row, file, line = placed.row, placed.file, placed.line
        if row.id in self.equipment_of:
            self._say(file, line, "device.id", f'"{row.id}" twice', "a name of its own")
            return
        profile = self._library.get(row.profile)
        if isinstance(profile, Problem):
            if profile.file:
                self._add(profile)
            else:
                self._say(file, line, "device.profile", profile.got, profile.wanted, profile.todo)
            return
        piece = self.equipment.get(row.equipment)
        if piece is None:
            todo = nearest(row.equipment, self.equipment)
            self._say(file, line, "device.equipment", f'"{row.equipment}"', "an address of equipment.toml", todo)
            return
        if profile.protocol == "modbus":
            twin = seen.setdefault((row.endpoint, row.unit), (row.id, file, line))
            if twin[0] != row.id:
                got = f"{row.endpoint} unit {row.unit}"
                self._say(
                    file,
                    line,
                    "device.unit",
                    got,
                    "an address of its own",
                    f'"{twin[0]}" is there: {twin[1]}:{twin[2]}.',
                )
        secrets, wrong, missing = resolve(row.secrets, self._environment, self._folder)
        for key in wrong:
            allowed = ", ".join(f"{name}_env or {name}_file" for name in KEYS)
            self._say(file, line, f"device.secrets.{key}", "an unknown key", allowed)
        laid = self._endpoints.secrets.get(row.endpoint)
        if laid is None:
            for sentence in missing:
                self._missing.setdefault(sentence, []).append(row.id)
        else:
            secrets |= laid
        period_s = row.period_s or profile.period_s
        numbers = self._points(placed, profile, piece, period_s)
        self.devices.append(
            Device(
                id=row.id,
                profile=profile,
                endpoint=self._endpoints.actual.get(row.endpoint, row.endpoint),
                numbers=numbers,
                unit=row.unit,
                period_s=period_s,
                urgent=row.urgent,
                options=row.options,
                secrets=secrets,
            )
        )
        self.equipment_of[row.id] = piece.address

    def _points(
        self, placed: Placed[DeviceRow], profile: Profile, piece: Equipment, period_s: float
    ) -> np.ndarray[Any, np.dtype[np.int32]]:
        row = placed.row
        tags = {point.tag for point in profile.points}
        for tag in row.omit:
            if tag not in tags:
                self._say(
                    placed.file, placed.line, "device.omit", f'"{tag}"', "a tag of the profile", nearest(tag, tags)
                )
        heartbeat = profile.keepalive.tag if profile.keepalive else None
        numbers = np.full(len(profile.points), -1, np.int32)
        for place, source in enumerate(profile.points):
            if source.tag in row.omit or source.tag == heartbeat:
                continue
            address = f"{piece.address}.{row.prefix}{source.tag}"
            twin = self.points.get(address)
            if twin is not None:
                todo = 'Give one of them a prefix, or list the tag under "omit".'
                self._say(
                    placed.file, placed.line, "device", f'"{address}", which "{twin.device}" has', "one source", todo
                )
                continue
            number = self._registry.number(address)
            numbers[place] = number
            self.points[address] = Point(
                number=number,
                address=address,
                kind=source.kind,
                unit=source.unit,
                name=Name(source.zh, source.en),
                equipment=piece.address,
                device=row.id,
                tag=source.tag,
                low=source.low,
                high=source.high,
                decimals=source.decimals,
                deadband=source.deadband,
                stale_s=max(_STALE_PERIODS * period_s, _STALE_S),
                states=tuple((value, Name(zh, en)) for value, zh, en in source.states),
                wrap_at=source.wrap_at,
                write=_write(source, piece, row.prefix),
                haystack=source.haystack,
                brick=source.brick,
                urgent=row.urgent,
                area=piece.area,
            )
        return numbers

    def _say(self, file: str, line: int, key: str, got: str, wanted: str, todo: str = "") -> None:
        self._add(Problem(file, line, key, got, wanted, todo))

    def _add(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _write(source: ProfilePoint, piece: Equipment, prefix: str) -> WriteSpec | None:
    spec = source.write
    if spec is None:
        return None
    binary = source.kind == "binary"
    return WriteSpec(
        low=spec.low,
        high=spec.high,
        default=spec.default,
        fail=spec.fail,
        refresh_s=spec.refresh_s,
        readback=f"{piece.address}.{prefix}{spec.readback}" if spec.readback else "",
        tolerance=spec.tolerance,
        settle_s=spec.settle_s,
        minimum_on_s=_parameter(piece, "minimum_on_s") if binary and not spec.momentary else 0.0,
        minimum_off_s=_parameter(piece, "minimum_off_s") if binary and not spec.momentary else 0.0,
        momentary=spec.momentary,
        confirm="B" if binary else "A",
    )


def _parameter(piece: Equipment, name: str) -> float:
    value = piece.parameters.get(name, 0.0)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _name(row: NameRow) -> Name:
    return Name(row.zh, row.en)


def _floor_index(floor: str) -> int:
    if floor == "RF":
        return _ROOF_INDEX
    return -int(floor[1:]) if floor[0] == "B" else int(floor[:-1])


def _floor_name(floor: str) -> Name:
    if floor == "RF":
        return Name("屋頂", "Roof")
    if floor[0] == "B":
        return Name(f"地下 {floor[1:]} 樓", f"Basement {floor[1:]}")
    return Name(f"{floor[:-1]} 樓", f"Floor {floor[:-1]}")
