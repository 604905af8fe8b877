"""fire.toml: the shape of its rows, and from them the cause-and-effect table that the watch over fire works by.

Whatever says fire must come over a transport that only reads (a profile with `read_only`): a panel that could be
written to, and a message that anybody on a broker could send, are refused here.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, FiniteFloat

from controller.point.model import Name
from controller.safety.cause import Call, Cause, Effect, FireTable, united
from controller.settings.file import Address, FloorId, NameRow, Pattern, Patterns, SettingsRow, Word
from controller.settings.problem import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.point.model import Equipment, Point
    from controller.settings.read import Rows
    from controller.settings.row import Placed
    from drivers.driver import Device

__all__ = ["CallRow", "CauseRow", "EffectRow", "FireHeadRow", "HoldRow", "fire_table"]

_PANEL = ("heartbeat", "fire", "fault")
"""Points without which a panel cannot be watched."""
Feedbacks = Annotated[list[Pattern], Field(min_length=1, max_length=50)]
Within = Annotated[FiniteFloat, Field(gt=0, le=600)]


class CallRow(SettingsRow):
    """Somebody who is called in a fire, by the role."""

    name: NameRow
    number: Annotated[str, Field(pattern=r"^[0-9+#*() -]{0,40}$")] = ""
    """Left out: it is said to be unknown."""


class FireHeadRow(SettingsRow):
    """`[fire]`: who says fire, and how it is given back."""

    panel: Address
    relay: Address | None = None
    """A hard-wired relay that tells fire and fault past the panel's gateway."""
    zones: Patterns
    """Equipment of class fire_zone, with `*` for any text."""
    batch: Annotated[int, Field(ge=1, le=100)] = 8
    """Pieces of equipment that are given back to the schedule at once."""
    pause_s: Annotated[FiniteFloat, Field(ge=1, le=600)] = 20.0
    """Time from one step of giving back to the next."""
    address: NameRow | None = None
    """Postal address of the building, for the summary for 119."""
    entrance: NameRow | None = None
    """Where fire engines come in."""
    calls: Annotated[list[CallRow], Field(max_length=8)] = []  # noqa: RUF012 - pydantic copies it
    """Whom 119 calls back, and whom else to call."""


class HoldRow(SettingsRow):
    """`[[hold]]`: commandable points whose slots 7 to 16 are emptied and held empty."""

    id: Word
    points: Feedbacks
    """Addresses of points, with `*` for any text."""
    anywhere: bool = False
    """True: in a fire on any floor; else only the points of equipment on the floors of the cause."""


class EffectRow(SettingsRow):
    """`[[effect]]`: what the building does by its own wires, and by which feedback it is seen."""

    id: Word
    name: NameRow
    points: Feedbacks
    anywhere: bool = False
    value: FiniteFloat | None = None
    """The feedback when it is done; or a range by `low` and `high`."""
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    within_s: Within


class CauseRow(SettingsRow):
    """`[[cause]]`, expanded: zones, and what a fire in any of them calls for."""

    id: Word
    name: NameRow
    zones: Annotated[list[Pattern], Field(min_length=1, max_length=200)]
    floors: Annotated[list[FloorId], Field(max_length=120)] = []  # noqa: RUF012 - pydantic copies it
    holds: Annotated[list[Word], Field(max_length=50)] = []  # noqa: RUF012 - pydantic copies it
    effects: Annotated[list[Word], Field(max_length=50)] = []  # noqa: RUF012 - pydantic copies it


@dataclass(frozen=True, slots=True)
class _Points:
    """The points that one row of holds or effects names."""

    addresses: tuple[str, ...]
    anywhere: bool


class _Maker:
    def __init__(self, rows: Rows, equipment: Mapping[str, Equipment], points: Mapping[str, Point]) -> None:
        self.rows, self.equipment, self.points = rows, equipment, points
        self.problems: list[Problem] = []

    def say(self, placed: Placed[Any], key: str, got: str, wanted: str, todo: str = "") -> None:
        table = str(placed.path[0])
        self.problems.append(Problem(placed.file, placed.line_of(key), f"{table}.{key}", got, wanted, todo))

    def points_of(self, placed: Placed[HoldRow] | Placed[EffectRow], *, commanded: bool) -> _Points:
        found: dict[str, None] = {}
        for pattern in placed.row.points:
            match = re.compile(fnmatch.translate(pattern)).match
            fitting = [address for address in self.points if match(address)]
            chosen = [address for address in fitting if not commanded or self.points[address].write is not None]
            if not chosen:
                got = f"{fitting[0]}, which cannot be commanded" if fitting else f'"{pattern}"'
                wanted = "points that can be commanded" if commanded else "points of this site"
                self.say(placed, "points", got, wanted, "" if fitting else nearest(pattern, self.points))
            found |= dict.fromkeys(chosen)
        return _Points(tuple(found), placed.row.anywhere)

    def on(self, chosen: _Points, floors: Sequence[str], building: str) -> tuple[str, ...]:
        if chosen.anywhere:
            return chosen.addresses
        return tuple(address for address in chosen.addresses if self._is_on(address, floors, building))

    def _is_on(self, address: str, floors: Sequence[str], building: str) -> bool:
        piece = self.equipment[self.points[address].equipment]
        return piece.building == building and piece.floor in floors

    def effects(self, placed: Placed[EffectRow], chosen: _Points) -> dict[str, Effect]:
        row = placed.row
        low = row.value if row.value is not None else row.low
        high = row.value if row.value is not None else row.high
        if (row.value is None) == (row.low is None and row.high is None):
            self.say(placed, "value", "", 'either "value", or "low" and "high"')
        low, high = float("-inf") if low is None else float(low), float("inf") if high is None else float(high)
        if low > high:
            self.say(placed, "low", f"{low:g}", f"at most high, {high:g}")
        else:
            self.check_told(placed, low, high, chosen)
        name = Name(row.name.zh, row.name.en)
        return {point: Effect(row.id, name, point, low, high, float(row.within_s)) for point in chosen.addresses}

    def check_told(self, placed: Placed[EffectRow], low: float, high: float, chosen: _Points) -> None:
        """Check that a feedback can say that it is done, and that it is not: else it proves nothing, or never does."""
        key = "value" if placed.row.value is not None else "low" if placed.row.low is not None else "high"
        got = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        for address in chosen.addresses:
            point = self.points[address]
            states = [float(state) for state, _ in point.states]
            ends = states or [point.low, point.high]
            can = ", ".join(f"{state:g}" for state in states) if states else f"{point.low:g} to {point.high:g}"
            if not (any(low <= state <= high for state in states) if states else low <= ends[1] and ends[0] <= high):
                kind = "a state" if states else "a part of the range"
                self.say(placed, key, got, f"{kind} of {address}{f' ({can})' if states else f', {can}'}")
                return
            if all(low <= end <= high for end in ends):
                wanted = f"less than everything that {address} can be{f' ({can})' if states else f', {can}'}"
                self.say(placed, key, got, wanted, "It would count as done whatever the building does.")
                return

    def named(self, placed: Placed[CauseRow], key: str, names: Iterable[str], known: Iterable[str]) -> list[str]:
        known = list(known)
        for name in names:
            if name not in known:
                self.say(placed, key, f'"{name}"', f"the id of a row [[{key.rstrip('s')}]]", nearest(name, known))
        return [name for name in names if name in known]


def fire_table(
    rows: Rows,
    equipment: Mapping[str, Equipment],
    points: Mapping[str, Point],
    devices: Iterable[Device],
    problems: list[Problem],
) -> FireTable:
    """Return what fire.toml says; what is wrong is appended to `problems`."""
    _check_written(rows, equipment, points, problems)
    head, places = rows.fire, rows.fire_places
    if head is None:
        stray: dict[str, Sequence[Placed[Any]]]
        stray = {"hold": rows.fire_holds, "effect": rows.fire_effects, "cause": rows.fire_causes}
        for kind, given in stray.items():
            if given:
                line = given[0].line
                problems.append(Problem(places.name, line, kind, "no table [fire]", "the panel that says fire"))
                break
        return FireTable()
    maker = _Maker(rows, equipment, points)
    zones = _sources(head, maker, {device.id: device for device in devices})
    holds = {placed.row.id: maker.points_of(placed, commanded=True) for placed in rows.fire_holds}
    effects: dict[str, tuple[_Points, dict[str, Effect]]] = {}
    for effect in rows.fire_effects:
        chosen = maker.points_of(effect, commanded=False)
        effects[effect.row.id] = chosen, maker.effects(effect, chosen)
    groups: tuple[Sequence[Placed[Any]], ...] = (rows.fire_holds, rows.fire_effects, rows.fire_causes)
    for group in groups:
        for place, placed in enumerate(group):
            if any(placed.row.id == other.row.id for other in group[:place]):
                maker.say(placed, "id", f'"{placed.row.id}" twice', "an id of its own")
                break
    building = head.panel.split(".", 1)[0]
    causes: dict[str, Cause] = {}
    for cause in rows.fire_causes:
        row = cause.row
        mine = [zone for zone in zones if any(fnmatch.fnmatchcase(zone, pattern) for pattern in row.zones)]
        for pattern in row.zones:
            if not any(fnmatch.fnmatchcase(zone, pattern) for zone in zones):
                maker.say(cause, "zones", f'"{pattern}"', "zones of [fire]", nearest(pattern, zones))
        for floor in row.floors:
            if not any(piece.building == building and piece.floor == floor for piece in equipment.values()):
                maker.say(cause, "floors", f'"{floor}"', f"a floor of {building} with equipment")
        held = maker.named(cause, "holds", row.holds, holds)
        asked = maker.named(cause, "effects", row.effects, effects)
        if not row.effects:
            maker.say(cause, "effects", "nothing", "at least one effect that shows the building's answer")
        taken = united(maker.on(holds[name], row.floors, building) for name in held)
        seen = [effects[name][1][at] for name in asked for at in maker.on(effects[name][0], row.floors, building)]
        floors = ", ".join(row.floors) or "no floor"
        if asked and not seen:
            got = f"{', '.join(asked)}, of which nothing is on {floors}"
            maker.say(cause, "effects", got, "at least one effect that shows the building's answer")
        causes[row.id] = Cause(row.id, Name(row.name.zh, row.name.en), tuple(mine), taken, tuple(seen))
    caused = {zone for cause in causes.values() for zone in cause.zones}
    if zones and (left := [zone for zone in zones if zone not in caused]):
        todo = "Add it to a [[cause]], or a fire there would hold nothing back."
        line = places.line(("fire", "zones"))
        maker.problems.append(Problem(places.name, line, "fire.zones", left[0], "each zone in a cause", todo))
    problems.extend(maker.problems)
    panel = equipment.get(head.panel)
    return FireTable(
        panel=head.panel,
        relay=head.relay or "",
        zones=zones,
        causes=tuple(causes.values()),
        batch=head.batch,
        pause_s=float(head.pause_s),
        area=panel.area if panel else "",
        floor=panel.floor if panel else "",
        zone_names=tuple(equipment[zone].name for zone in zones),
        address=_name(head.address),
        entrance=_name(head.entrance),
        calls=tuple(Call(Name(row.name.zh, row.name.en), row.number) for row in head.calls),
    )


def _name(row: NameRow | None) -> Name | None:
    return None if row is None else Name(row.zh, row.en)


def _sources(head: FireHeadRow, maker: _Maker, devices: Mapping[str, Device]) -> tuple[str, ...]:
    """Check panel, relay and zones, and return the zones in the order of the files."""
    equipment, points, places = maker.equipment, maker.points, maker.rows.fire_places

    def say(key: str, got: str, wanted: str, todo: str = "") -> None:
        maker.problems.append(Problem(places.name, places.line(("fire", key)), f"fire.{key}", got, wanted, todo))

    zones = tuple(
        address
        for address, piece in equipment.items()
        if piece.cls == "fire_zone" and any(fnmatch.fnmatchcase(address, pattern) for pattern in head.zones)
    )
    if not zones:
        say("zones", ", ".join(head.zones) or "nothing", "equipment of class fire_zone")
    named = {"panel": (head.panel, "fire_panel", _PANEL), "relay": (head.relay, "fire_relay", ("fire",))}
    asked: list[tuple[str, str]] = [("zones", f"{zone}.state") for zone in zones]
    for key, (address, cls, tags) in named.items():
        if address is None:
            continue
        piece = equipment.get(address)
        if piece is None or piece.cls != cls:
            got = f'"{address}"' if piece is None else f"{address} of class {piece.cls}"
            say(key, got, f"equipment of class {cls}", "" if piece else nearest(address, equipment))
            continue
        asked += [(key, f"{address}.{tag}") for tag in tags]
    for key, address in asked:
        point = points.get(address)
        if point is None:
            say(key, f"no point {address}", "a device that reads it")
            break
        device = devices.get(point.device)
        if device is None or not device.profile.read_only:
            profile = "no device" if device is None else f"profile {device.profile.id}"
            wanted = "a profile with read_only = true in [profile.wire]"
            say(key, f"{address} by {profile}", wanted, "Nothing that can be written to, or spoofed, may say fire.")
            break
    return zones


def _check_written(
    rows: Rows, equipment: Mapping[str, Equipment], points: Mapping[str, Point], problems: list[Problem]
) -> None:
    """Refuse every commandable point on fire equipment, with or without a fire.toml."""
    for point in points.values():
        piece = equipment.get(point.equipment)
        if point.write is None or piece is None or not piece.cls.startswith("fire_"):
            continue
        placed = next((item for item in rows.devices if item.row.id == point.device), None)
        file, line = (placed.file, placed.line) if placed else ("devices.toml", 0)
        todo = "The fire panel is watched and never commanded."
        wanted = f"no commandable point on equipment of class {piece.cls}"
        problems.append(Problem(file, line, "device", f"{point.address}, which can be written", wanted, todo))
        return
