"""Profiles: the map of a device model, as data.

A profile file says what points a model has and where they are on its wire. The part that every protocol shares is
read here; `Profile.wire` and `ProfilePoint.wire` stay plain mappings, checked by the protocol's own module
(`drivers.modbus.plan`, `drivers.opcua.node`, `drivers.mqtt.payload`), which alone knows the keys it needs.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drivers.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["KINDS", "PROTOCOLS", "Keepalive", "Profile", "ProfilePoint", "Write", "load_profile", "parse_profile"]

KINDS = ("analog", "binary", "multistate", "counter")
PROTOCOLS = ("modbus", "opcua", "mqtt")

_TAG = re.compile(r"[a-z][a-z0-9_]{0,47}")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_MAX_BYTES = 1 << 20
_MAX_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Write:
    """How a commandable point may be written."""

    low: float
    high: float
    """Accepted range in the point's unit, both ends included."""
    default: float | None = None
    """Relinquish default; None leaves the device alone when every slot is empty."""
    fail: str = "hold"
    """What the device does when the controller dies: `hold` (its last value), `watchdog` (falls back by itself)."""
    refresh_s: float | None = None
    """The device forgets the value unless it is written again this often."""
    readback: str | None = None
    """Tag that holds the value in effect, where it is another point than the written one."""
    tolerance: float = 1e-6
    """How far the read-back may be from the value written, in the point's unit."""
    settle_s: float = 0.0
    """How long the device needs before the read-back shows the value."""
    momentary: bool = False
    """A push-button (alarm reset): the device clears it by itself; it is written once and holds no slot."""


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """One point of a model."""

    tag: str
    kind: str
    unit: str
    """Unit as shown (`kW`, `°C`, `%`, empty for none); the reading is already in it."""
    zh: str
    en: str
    low: float = -math.inf
    high: float = math.inf
    """Plausible range in the unit; outside it a good value becomes uncertain (range)."""
    decimals: int = 1
    deadband: float = 0.0
    """Change of value below which screen and history need not be told, in the unit."""
    states: tuple[tuple[int, str, str], ...] = ()
    """Multistate and binary: (value, zh-TW, English)."""
    wrap_at: float | None = None
    """Counter: the value at which it begins again at 0."""
    write: Write | None = None
    haystack: str = ""
    brick: str = ""
    source: str = ""
    """Document and page, where it differs from the profile's."""
    wire: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The protocol's part: address, type, scale, function; node; path."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """A heartbeat that the link sends while it is healthy; it is not a command and is counted apart."""

    tag: str
    """Point to write; it is not shown to operators."""
    every_s: float
    mode: str = "count"
    """`count` writes 0, 1, 2 … 65535 in turn, `constant` writes `value`."""
    value: float = 1.0


@dataclass(frozen=True, slots=True)
class Profile:
    """The map of one device model."""

    id: str
    """Such as `eastron-sdm630`; also the file's name."""
    equipment: str
    """Class of equipment, a name of `drivers.equipment`."""
    protocol: str
    vendor: str
    model: str
    source: str
    """Where the map comes from: repository and commit, or document and page."""
    points: tuple[ProfilePoint, ...]
    period_s: float = 10.0
    keepalive: Keepalive | None = None
    wire: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def read_only(self) -> bool:
        """True when its transport can encode reads and nothing else (`read_only` of the wire)."""
        return self.wire.get("read_only") is True

    def point(self, tag: str) -> ProfilePoint:
        """Return the point called `tag`.

        Raises:
            KeyError: the profile has no such point.
        """
        return self.points[self.index(tag)]

    def index(self, tag: str) -> int:
        """Return the place of `tag` in `points`.

        Raises:
            KeyError: the profile has no such point.
        """
        for place, point in enumerate(self.points):
            if point.tag == tag:
                return place
        raise KeyError(tag)


_PROFILE_KEYS = {"id", "equipment", "protocol", "vendor", "model", "source", "period_s", "keepalive", "wire"}
_REPEAT_MOST = 256
_HOLE = re.compile(r"\{n(?::0([1-9]))?\}")
_POINT_KEYS = {
    "tag", "kind", "unit", "zh", "en", "low", "high", "decimals", "deadband", "states", "wrap_at", "write", "haystack",
    "brick", "source", "wire",
}  # fmt: skip
_REPEATED_TEXTS = ("tag", "zh", "en")
_WRITE_KEYS = {"low", "high", "default", "fail", "refresh_s", "readback", "tolerance", "settle_s", "momentary"}
_KEEPALIVE_KEYS = {"tag", "every_s", "mode", "value"}


def load_profile(path: Path) -> Profile:
    """Read one profile file.

    Raises:
        ProfileError: the file cannot be read, is no TOML, is larger than 1 MiB, or says something wrong.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_BYTES:
        raise ProfileError(f"{path}: {len(raw)} bytes; a profile is at most {_MAX_BYTES}")
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: not TOML: {error}") from error
    return parse_profile(data, str(path))


def parse_profile(data: Mapping[str, Any], where: str) -> Profile:
    """Check a profile that was read already; `where` is the file's name for messages.

    Shape: a table `[profile]` (with `wire` for the protocol), and one `[[point]]` a point, or for many equal ones:
    `repeat = { count = 64, address = 1 }` makes 64 points of it, with `{n}` or `{n:02}` in `tag`, `zh` and `en` counted
    from 1, and each of them 1 further on in `wire.address` (any whole number of `wire` may go on so).

    Raises:
        ProfileError: a key is unknown, missing, or its value is not usable.
    """
    _only(data, {"profile", "point"}, where, "")
    head = _table(data, "profile", where)
    _only(head, _PROFILE_KEYS, where, "profile.")
    rows = data.get("point")
    if not isinstance(rows, list) or not rows:
        raise ProfileError(f"{where}: no [[point]]: a profile needs at least one point")
    rows = [made for place, row in enumerate(rows) for made in _repeated(row, where, f"point[{place}].")]
    if len(rows) > _MAX_POINTS:
        raise ProfileError(f"{where}: {len(rows)} points; at most {_MAX_POINTS}")
    identifier = _text(head, "id", where, "profile.")
    if not _ID.fullmatch(identifier):
        raise ProfileError(f'{where}: profile.id: got "{identifier}", wanted lower-case letters, digits and hyphens')
    protocol = _one_of(head, "protocol", PROTOCOLS, where, "profile.")
    points = tuple(_point(row, where, f"point[{place}].") for place, row in enumerate(rows))
    tags = [point.tag for point in points]
    for tag in tags:
        if tags.count(tag) > 1:
            raise ProfileError(f'{where}: point "{tag}" is there twice; each tag may be used once')
    for point in points:
        if point.write and point.write.readback and point.write.readback not in tags:
            raise ProfileError(
                f'{where}: point "{point.tag}": write.readback "{point.write.readback}" is no point of this profile'
                f"{_nearest(point.write.readback, tags)}"
            )
    keepalive = None
    if "keepalive" in head:
        row = _table(head, "keepalive", where, "profile.")
        _only(row, _KEEPALIVE_KEYS, where, "profile.keepalive.")
        keepalive = Keepalive(
            tag=_text(row, "tag", where, "profile.keepalive."),
            every_s=_number(row, "every_s", where, "profile.keepalive.", low=0.5, high=3600.0),
            mode=_one_of(row, "mode", ("count", "constant"), where, "profile.keepalive.", default="count"),
            value=_number(row, "value", where, "profile.keepalive.", default=1.0),
        )
        if keepalive.tag not in tags:
            raise ProfileError(
                f'{where}: profile.keepalive.tag: "{keepalive.tag}" is no point of this profile'
                f"{_nearest(keepalive.tag, tags)}"
            )
    return Profile(
        id=identifier,
        equipment=_text(head, "equipment", where, "profile."),
        protocol=protocol,
        vendor=_text(head, "vendor", where, "profile."),
        model=_text(head, "model", where, "profile."),
        source=_text(head, "source", where, "profile."),
        points=points,
        period_s=_number(head, "period_s", where, "profile.", default=10.0, low=0.1, high=86400.0),
        keepalive=keepalive,
        wire=MappingProxyType(dict(_table(head, "wire", where, "profile.", optional=True))),
    )


def _repeated(row: Any, where: str, key: str) -> list[Any]:
    """Return the rows that one row stands for; most stand for themselves."""
    if not isinstance(row, dict) or "repeat" not in row:
        return [row]
    steps = dict(_table(row, "repeat", where, key))
    count = steps.pop("count", None)
    if type(count) is not int or not 1 <= count <= _REPEAT_MOST:
        raise ProfileError(f"{where}: {key}repeat.count: got {count!r}, wanted a whole number from 1 to {_REPEAT_MOST}")
    wire = _table(row, "wire", where, key, optional=True)
    for name, step in steps.items():
        if type(step) is not int or type(wire.get(name)) is not int:
            raise ProfileError(
                f"{where}: {key}repeat.{name}: got {step!r} beside wire.{name} {wire.get(name)!r}, wanted whole numbers"
            )
    if count > 1 and not _HOLE.search(str(row.get("tag", ""))):
        raise ProfileError(f"{where}: {key}tag: got {row.get('tag')!r}, wanted {{n}} in the tag of a repeated point")
    rows = []
    for number in range(1, count + 1):
        made = {name: value for name, value in row.items() if name != "repeat"}
        for name in _REPEATED_TEXTS:
            if isinstance(made.get(name), str):
                made[name] = _HOLE.sub(lambda hole, n=number: f"{n:0{hole[1] or 1}}", made[name])  # type: ignore[misc]
        made["wire"] = {**wire, **{name: wire[name] + (number - 1) * step for name, step in steps.items()}}
        rows.append(made)
    return rows


def _point(row: Any, where: str, key: str) -> ProfilePoint:
    if not isinstance(row, dict):
        raise ProfileError(f"{where}: {key[:-1]}: got {row!r}, wanted a table")
    tag = _text(row, "tag", where, key)
    if not _TAG.fullmatch(tag):
        raise ProfileError(
            f'{where}: {key}tag: got "{tag}", wanted a lower-case letter, then letters, digits and underscores'
        )
    key = f'point "{tag}": '
    _only(row, _POINT_KEYS, where, key)
    kind = _one_of(row, "kind", KINDS, where, key, default="analog")
    states = row.get("states", {})
    if not isinstance(states, dict):
        raise ProfileError(f"{where}: {key}states: got {states!r}, wanted a table like {{ 0 = ['停止', 'stopped'] }}")
    if kind == "multistate" and not states:
        raise ProfileError(f"{where}: {key}states is missing: a multistate point names its states")
    write = None
    if "write" in row:
        table = _table(row, "write", where, key)
        _only(table, _WRITE_KEYS, where, f"{key}write.")
        refresh = _number(table, "refresh_s", where, f"{key}write.", default=0.0, low=0.0, high=86400.0)
        write = Write(
            low=_number(table, "low", where, f"{key}write.", default=0.0 if kind == "binary" else None),
            high=_number(table, "high", where, f"{key}write.", default=1.0 if kind == "binary" else None),
            default=_number(table, "default", where, f"{key}write.") if "default" in table else None,
            fail=_one_of(table, "fail", ("hold", "watchdog"), where, f"{key}write.", default="hold"),
            refresh_s=refresh or None,
            readback=_text(table, "readback", where, f"{key}write.") if "readback" in table else None,
            tolerance=_number(table, "tolerance", where, f"{key}write.", default=1e-6, low=0.0),
            settle_s=_number(table, "settle_s", where, f"{key}write.", default=0.0, low=0.0, high=60.0),
            momentary=_truth(table, "momentary", where, f"{key}write."),
        )
        if write.low > write.high:
            raise ProfileError(f"{where}: {key}write: low {write.low} is above high {write.high}")
        if write.momentary and write.default is not None:
            raise ProfileError(f"{where}: {key}write.default: a push-button holds no value, so it falls back to none")
        if write.default is not None and not write.low <= write.default <= write.high:
            raise ProfileError(
                f"{where}: {key}write.default: got {write.default:g}, wanted {write.low:g} to {write.high:g}"
            )
    low = _number(row, "low", where, key, default=-math.inf)
    high = _number(row, "high", where, key, default=math.inf)
    if low >= high:
        raise ProfileError(f"{where}: {key}low {low} is not below high {high}")
    return ProfilePoint(
        tag=tag,
        kind=kind,
        unit=_text(row, "unit", where, key, default=""),
        zh=_text(row, "zh", where, key),
        en=_text(row, "en", where, key),
        low=low,
        high=high,
        decimals=int(_number(row, "decimals", where, key, default=1.0 if kind == "analog" else 0.0, low=0, high=6)),
        deadband=_number(row, "deadband", where, key, default=0.0, low=0.0),
        states=tuple(_state(value, names, where, key) for value, names in states.items()),
        wrap_at=_number(row, "wrap_at", where, key, low=1.0) if "wrap_at" in row else None,
        write=write,
        haystack=_text(row, "haystack", where, key, default=""),
        brick=_text(row, "brick", where, key, default=""),
        source=_text(row, "source", where, key, default=""),
        wire=MappingProxyType(dict(_table(row, "wire", where, key, optional=True))),
    )


def _state(value: str, names: Any, where: str, key: str) -> tuple[int, str, str]:
    if not (isinstance(names, list) and len(names) == 2 and all(isinstance(name, str) and name for name in names)):
        raise ProfileError(f"{where}: {key}states.{value}: got {names!r}, wanted [zh-TW, English]")
    try:
        return int(value), names[0], names[1]
    except ValueError:
        raise ProfileError(f'{where}: {key}states: got key "{value}", wanted a whole number') from None


def _only(table: Mapping[str, Any], known: set[str], where: str, key: str) -> None:
    for name in table:
        if name not in known:
            raise ProfileError(f"{where}: {key}{name}: unknown key{_nearest(name, sorted(known))}")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.5)
    return f'; did you mean "{close[0]}"?' if close else f"; known are {', '.join(known[:20])}"


def _table(
    table: Mapping[str, Any], name: str, where: str, key: str = "", *, optional: bool = False
) -> Mapping[str, Any]:
    value = table.get(name, {} if optional else None)
    if not isinstance(value, dict):
        raise ProfileError(f"{where}: {key}{name}: got {value!r}, wanted a table")
    return value


def _text(table: Mapping[str, Any], name: str, where: str, key: str, *, default: str | None = None) -> str:
    value = table.get(name, default)
    if value is None:
        raise ProfileError(f"{where}: {key}{name} is missing")
    if not isinstance(value, str) or (default is None and not value.strip()) or len(value) > 500:
        raise ProfileError(f"{where}: {key}{name}: got {value!r}, wanted a text of 1 to 500 characters")
    return value


def _truth(table: Mapping[str, Any], name: str, where: str, key: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise ProfileError(f"{where}: {key}{name}: got {value!r}, wanted true or false")
    return value


def _one_of(
    table: Mapping[str, Any], name: str, known: tuple[str, ...], where: str, key: str, *, default: str | None = None
) -> str:
    value = _text(table, name, where, key, default=default)
    if value not in known:
        raise ProfileError(f'{where}: {key}{name}: got "{value}", wanted one of {", ".join(known)}')
    return value


def _number(
    table: Mapping[str, Any],
    name: str,
    where: str,
    key: str,
    *,
    default: float | None = None,
    low: float = -math.inf,
    high: float = math.inf,
) -> float:
    value = table.get(name, default)
    if value is None:
        raise ProfileError(f"{where}: {key}{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ProfileError(f"{where}: {key}{name}: got {value!r}, wanted a number")
    if not low <= value <= high:
        raise ProfileError(f"{where}: {key}{name}: got {value}, wanted {low:g} to {high:g}")
    return float(value)
