"""Rows to objects: site, equipment, points and devices, with every contradiction between rows found."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from controller.errors import InvalidError
from controller.point.model import Area, Building, Equipment, Floor, Name, Point, WriteSpec
from controller.settings.option import known_options
from controller.settings.part import part_of
from controller.settings.problem import MOST, Problem, nearest
from controller.settings.secret import KEYS, resolve
from drivers.driver import Device

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from controller.point.registry import Registry
    from controller.settings.file import DeviceRow, NameRow
    from controller.settings.library import Library
    from controller.settings.read import Rows
    from controller.settings.row import Placed
    from drivers.profile import Profile, ProfilePoint

__all__ = ["MAX_POINTS", "SCHEMES", "Builder", "Endpoints"]

MAX_POINTS = 200_000
"""Points of one controller."""
_ROOF_INDEX = 99
SCHEMES = {"modbus": ("tcp", "rtu+tcp", "serial"), "opcua": ("opc.tcp",), "mqtt": ("mqtt", "mqtts")}
_STALE_PERIODS = 3
_STALE_S = 10.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """A map that is laid over the configured endpoints, as the simulators write it."""

    actual: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: object) -> Endpoints:
        """Take the JSON of an endpoint map.

        Raises:
            InvalidError: it has another shape.
        """
        if not isinstance(data, dict):
            raise InvalidError('an endpoint map is a JSON object: {"tcp://10.0.0.5:502": "tcp://127.0.0.1:40001", …}')
        secrets = data.get("secrets", {})
        if not (isinstance(secrets, dict) and all(isinstance(value, dict) for value in secrets.values())):
            raise InvalidError('an endpoint map: "secrets" wanted as {"<endpoint>": {"user": "…", …}, …}')
        return cls({key: value for key, value in data.items() if isinstance(value, str)}, secrets)

    @classmethod
    def read(cls, path: Path) -> Endpoints:
        """Read the file of an endpoint map.

        Raises:
            InvalidError: it cannot be read, or is no such map.
        """
        try:
            return cls.parse(json.loads(path.read_text("utf-8")))
        except OSError as error:
            raise InvalidError(f"{path}: {error.strerror}; wanted the map that the simulators write") from error
        except ValueError as error:
            raise InvalidError(f"{path}: no JSON ({error}); wanted the map that the simulators write") from error


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
        retired: Collection[str] = (),
    ) -> None:
        """Prepare; nothing is read from the network.

        A device of `retired` gives way: another may have its address on the wire and its points.
        """
        self._rows = rows
        self._library = library
        self._registry = registry
        self._folder = folder
        self._environment = environment
        self._endpoints = endpoints
        self._retired = retired
        self.problems: list[Problem] = []
        self._missing: dict[str, list[str]] = {}
        self._where: dict[str, str] = {}
        self._options: dict[str, tuple[str, ...]] = {}
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
        if self.problems:
            return  # devices stand on equipment: what they would say follows from what is said already
        seen: dict[tuple[str, int], tuple[str, str, int]] = {}
        total = 0
        for placed in self._rows.devices:  # before anything is built: so many points take seconds to make
            profile = self._library.get(placed.row.profile)
            total += 0 if isinstance(profile, Problem) else len(profile.points)
            if total > MAX_POINTS:
                todo = "Split the site among several controllers."
                self._say(placed, "", f"more than {MAX_POINTS} points up to here", f"at most {MAX_POINTS}", todo)
                return
        for placed in sorted(self._rows.devices, key=lambda item: item.row.id in self._retired):
            if len(self.problems) >= MOST:
                return
            self._device(placed, self._library.get(placed.row.profile), seen)

    @property
    def notices(self) -> tuple[str, ...]:
        """What is allowed but should be known, one sentence a cause."""
        return tuple(
            f"{sentence}: device {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            for sentence, names in self._missing.items()
        )

    def _places(self) -> None:
        places = self._rows.places
        for at, row in enumerate(self._rows.site.building):
            if row.id in self.buildings:
                line = places.line(("building", at, "id"))
                self._add(Problem(places.name, line, "building.id", f'"{row.id}" twice', "each building once"))
            for floor in row.floors:
                if row.floors.count(floor) > 1:
                    line = places.line(("building", at, "floors"))
                    self._add(Problem(places.name, line, "building.floors", f'"{floor}" twice', "each floor once"))
            floors = tuple(Floor(name, _floor_index(name), _floor_name(name)) for name in row.floors)
            self.buildings[row.id] = Building(row.id, _name(row.name), floors)
        for at, area in enumerate(self._rows.site.area):
            if area.id in self.areas:
                line = places.line(("area", at, "id"))
                self._add(Problem(places.name, line, "area.id", f'"{area.id}" twice', "each area once"))
            if area.building not in self.buildings:
                line, todo = places.line(("area", at, "building")), nearest(area.building, self.buildings)
                wanted = "a building of this site"
                self._add(Problem(places.name, line, "area.building", f'"{area.building}"', wanted, todo))
            self.areas[area.id] = Area(area.id, _name(area.name), area.building)

    def _pieces(self) -> None:
        places: dict[str, str] = {}
        for placed in self._rows.equipment:
            if len(self.problems) >= MOST:
                return
            row = placed.row
            building, system, _ = row.id.split(".")
            if row.id in self.equipment:
                self._say(placed, "id", f'"{row.id}"', "an address of its own", f"It is at {places[row.id]} too.")
                continue
            if building not in self.buildings:
                todo = nearest(building, self.buildings)
                self._say(placed, "id", f'building "{building}"', "a building of site.toml", todo)
                continue
            known = [floor.id for floor in self.buildings[building].floors]
            if row.floor and row.floor not in known:
                wanted = f"one of {', '.join(known)}, the floors of {building}"
                self._say(placed, "floor", f'"{row.floor}"', wanted)
            if row.area and row.area not in self.areas:
                todo = nearest(row.area, self.areas) or f"Known are {', '.join(self.areas) or 'none'}."
                self._say(placed, "area", f'"{row.area}"', "an area of site.toml", todo)
            places[row.id] = f"{placed.file}:{placed.line}"
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

    def _device(
        self, placed: Placed[DeviceRow], profile: Profile | Problem, seen: dict[tuple[str, int], tuple[str, str, int]]
    ) -> None:
        row = placed.row
        if row.id in self.equipment_of:
            self._say(placed, "id", f'"{row.id}"', "a name of its own", f"It is at {self._where[row.id]} too.")
            return
        self._where[row.id] = f"{placed.file}:{placed.line}"
        if isinstance(profile, Problem):
            if profile.file:
                self._add(profile)
            else:
                self._say(placed, "profile", profile.got, profile.wanted, profile.todo)
            return
        piece = self.equipment.get(row.equipment)
        if piece is None:
            todo = nearest(row.equipment, self.equipment)
            self._say(placed, "equipment", f'"{row.equipment}"', "an address of equipment.toml", todo)
            return
        self._endpoint(placed, profile)
        if profile.protocol == "modbus" and row.id not in self._retired:
            twin = seen.setdefault((row.endpoint, row.unit), (row.id, placed.file, placed.line))
            if twin[0] != row.id:
                got = f"{row.endpoint} unit {row.unit}"
                todo = f'"{twin[0]}" is there: {twin[1]}:{twin[2]}.'
                self._say(placed, "unit", got, "an address of its own", todo)
        if profile.id not in self._options:
            self._options[profile.id] = known_options(profile)
        known = self._options[profile.id]
        for key in row.options:
            if key not in known:
                todo = nearest(key, known) or f"The profile {profile.id} has no such option."
                self._say(placed, f"options.{key}", "an unknown option", f"one of {', '.join(known)}", todo)
        secrets, wrong, missing = resolve(row.secrets, self._environment, self._folder)
        for key in wrong:
            allowed = ", ".join(f"{name}_env or {name}_file" for name in KEYS)
            self._say(
                placed, f"secrets.{key}", "an unknown key", allowed, "A secret itself never stands in these files."
            )
        laid = self._endpoints.secrets.get(row.endpoint)
        if laid is None:
            for sentence in missing:
                self._missing.setdefault(sentence.en, []).append(row.id)
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
                options=self._located(row.options),
                secrets=secrets,
            )
        )
        self.equipment_of[row.id] = piece.address

    def _located(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options in which the address of a web server is the actual one, where the endpoint map has it."""
        actual = {place: found for place, found in self._endpoints.actual.items() if place.startswith("http")}
        located = dict(options)
        for key, value in options.items():
            if actual and isinstance(value, str) and value.startswith("http"):
                server, slash, path = value.partition("//")[2].partition("/")
                place = f"{value.partition('//')[0]}//{server}"
                located[key] = f"{actual.get(place, place)}{slash}{path}"
        return located

    def _points(
        self, placed: Placed[DeviceRow], profile: Profile, piece: Equipment, period_s: float
    ) -> np.ndarray[Any, np.dtype[np.int32]]:
        row = placed.row
        tags = {point.tag for point in profile.points}
        for tag in row.omit:
            if tag not in tags:
                self._say(placed, "omit", f'"{tag}"', f"a tag of the profile {profile.id}", nearest(tag, tags))
        for tag in row.names:
            if tag not in tags:
                self._say(placed, f"names.{tag}", f'"{tag}"', f"a tag of the profile {profile.id}", nearest(tag, tags))
        self._defaults(placed, profile)
        homes = self._homes(placed, profile, piece)
        overlap: dict[str, list[str]] = {}
        heartbeat = profile.keepalive.tag if profile.keepalive else None
        numbers = np.full(len(profile.points), -1, np.int32)
        for place, source in enumerate(profile.points):
            if source.tag in row.omit or source.tag == heartbeat:
                continue
            home, tag = homes[source.tag]
            address = f"{home.address}.{tag}"
            twin = self.points.get(address)
            if twin is not None and row.id in self._retired:
                continue
            if twin is not None:
                overlap.setdefault(twin.device or "", []).append(source.tag)
                continue
            number = self._registry.number(address)
            numbers[place] = number
            self.points[address] = Point(
                number=number,
                address=address,
                kind=source.kind,
                unit=source.unit,
                name=_name(row.names[source.tag]) if source.tag in row.names else Name(source.zh, source.en),
                equipment=home.address,
                device=row.id,
                tag=source.tag,
                low=source.low,
                high=source.high,
                decimals=source.decimals,
                deadband=source.deadband,
                stale_s=max(_STALE_PERIODS * period_s, _STALE_S),
                states=tuple((value, Name(zh, en)) for value, zh, en in source.states),
                wrap_at=source.wrap_at,
                write=_write(source, home, homes, row.defaults.get(source.tag)),
                haystack=source.haystack,
                brick=source.brick,
                urgent=row.urgent,
                area=home.area,
            )
        for device, twice in overlap.items():
            names = ", ".join(twice[:3]) + (", …" if len(twice) > 3 else "")
            got = f'{len(twice)} points of {piece.address} that "{device}" ({self._where[device]}) has too: {names}'
            todo = 'Give one of the two devices a prefix, or list the tags under "omit".'
            self._say(placed, "", got, "one source for each point", todo)
        return numbers

    def _defaults(self, placed: Placed[DeviceRow], profile: Profile) -> None:
        """Check the relinquish defaults that the site gives."""
        commandable = {point.tag: point.write for point in profile.points if point.write and not point.write.momentary}
        for tag, value in placed.row.defaults.items():
            spec = commandable.get(tag)
            if spec is None:
                wanted = f"a tag of the profile {profile.id} that can be commanded"
                todo = nearest(tag, commandable) or f"Those are {', '.join(commandable) or 'none'}."
                self._say(placed, f"defaults.{tag}", f'"{tag}"', wanted, todo)
            elif not spec.low <= value <= spec.high:
                self._say(placed, f"defaults.{tag}", f"{value:g}", f"{spec.low:g} to {spec.high:g}")

    def _homes(self, placed: Placed[DeviceRow], profile: Profile, piece: Equipment) -> dict[str, tuple[Equipment, str]]:
        """Return, by tag of the profile, the equipment that the point belongs to and its tag there."""
        row = placed.row
        homes: dict[str, tuple[Equipment, str]] = {}
        unused = dict(row.parts)
        for point in profile.points:
            found = part_of(point.tag, row.parts)
            if found is None:
                homes[point.tag] = piece, f"{row.prefix}{point.tag}"
                continue
            unused.pop(found.key, None)
            home = self.equipment.get(found.address)
            if home is None:
                todo = nearest(found.address, self.equipment)
                self._say(placed, "parts", f'"{found.address}"', "an address of equipment.toml", todo)
                home = piece
            homes[point.tag] = home, found.tag
        for key in unused:
            self._say(placed, "parts", f'"{key}"', f"what tags of the profile {profile.id} begin with")
        return homes

    def _endpoint(self, placed: Placed[DeviceRow], profile: Profile) -> None:
        """Check what the form of an endpoint cannot say: its port, and that its protocol is the profile's."""
        endpoint = placed.row.endpoint
        scheme = endpoint.split(":", 1)[0]
        if scheme not in SCHEMES[profile.protocol]:
            wanted = f"one that begins with {' or '.join(f'{name}:' for name in SCHEMES[profile.protocol])}"
            todo = f"The profile {profile.id} speaks {profile.protocol}."
            self._say(placed, "endpoint", f'"{endpoint}"', wanted, todo)
        port = re.search(r":(\d+)(?:/|$)", endpoint.split("://", 1)[-1])
        if scheme != "serial" and port and not 1 <= int(port.group(1)) <= 65_535:
            self._say(placed, "endpoint", f'port {port.group(1)} in "{endpoint}"', "a port from 1 to 65535")

    def _say(self, placed: Placed[Any], key: str, got: str, wanted: str, todo: str = "") -> None:
        """Note a problem of a row: `key` is below the row, empty for the row itself."""
        noun = str(placed.path[0])
        line = placed.line_of(*key.split(".")) if key else placed.line
        self._add(Problem(placed.file, line, f"{noun}.{key}" if key else noun, got, wanted, todo))

    def _add(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _write(
    source: ProfilePoint, piece: Equipment, homes: Mapping[str, tuple[Equipment, str]], default: float | None
) -> WriteSpec | None:
    spec = source.write
    if spec is None:
        return None
    binary = source.kind == "binary"
    return WriteSpec(
        low=spec.low,
        high=spec.high,
        default=spec.default if default is None else default,
        fail=spec.fail,
        refresh_s=spec.refresh_s,
        readback=f"{homes[spec.readback][0].address}.{homes[spec.readback][1]}" if spec.readback else "",
        tolerance=spec.tolerance,
        settle_s=spec.settle_s,
        minimum_on_s=_parameter(piece, "minimum_on_s") if binary and not spec.momentary else 0.0,
        minimum_off_s=_parameter(piece, "minimum_off_s") if binary and not spec.momentary else 0.0,
        momentary=spec.momentary,
        confirm="B" if binary or spec.momentary or piece.cls == "door" else "A",
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
