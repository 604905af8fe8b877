"""JSON payloads: bounded parsing, explicit paths, and fields with a type.

A payload comes from outside, so nothing here raises anything but `DecodeError`, whatever the bytes are. A path is a
dotted list of keys with indexes, `object.temperature` or `rxInfo[0].rssi`; there are no wildcards and no filters. A
field of type `text` without a path is the whole payload, one bare word such as `online`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from drivers.errors import DecodeError, ProfileError
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MAX_BYTES",
    "Field",
    "Path",
    "find",
    "parse_field",
    "parse_path",
    "parse_payload",
    "parse_time",
    "parse_word",
]

MAX_BYTES = 256 * 1024
"""Longest payload that is looked at."""

_MAX_WORD = 64

Path = tuple[str | int, ...]

_MISSING: Any = object()
_STEP = re.compile(r"([^.\[\]]+)((?:\[\d{1,4}\])*)")
_TYPES = ("number", "boolean", "text")
_FIELD_KEYS = {"path", "type", "scale", "offset", "map", "topic", "command"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_payload(payload: bytes) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        DecodeError: longer than `MAX_BYTES`, not UTF-8, not JSON (NaN is none), deeper than 1,024 levels, or no object.
    """
    if len(payload) > MAX_BYTES:
        raise DecodeError(f"payload of {len(payload)} bytes; at most {MAX_BYTES}")
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"payload is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise DecodeError(f"payload is a JSON {type(document).__name__}, wanted an object")
    return document


def parse_word(payload: bytes) -> str:
    """Read a payload that is one bare word.

    Raises:
        DecodeError: longer than 64 bytes, or not UTF-8.
    """
    if len(payload) > _MAX_WORD:
        raise DecodeError(f"payload of {len(payload)} bytes, wanted one word")
    try:
        return payload.decode().strip()
    except UnicodeDecodeError as error:
        raise DecodeError(f"payload is not UTF-8: {error}") from error


def parse_path(text: str, where: str) -> Path:
    """Read a path such as `rxInfo[0].rssi`.

    Raises:
        ProfileError: it is no path; `where` begins the message.
    """
    steps: list[str | int] = []
    for part in text.split("."):
        match = _STEP.fullmatch(part)
        if not match:
            raise ProfileError(f'{where}: path "{text}": wanted keys with dots and indexes, such as rxInfo[0].rssi')
        steps.append(match[1])
        steps.extend(int(index) for index in re.findall(r"\d+", match[2]))
    return tuple(steps)


def find(document: object, path: Path) -> Any:
    """Return what is at `path`, or None when a key or index on the way is not there."""
    value = _find(document, path)
    return None if value is _MISSING else value


def _find(document: object, path: Path) -> Any:
    here = document
    for step in path:
        if isinstance(step, int):
            if not isinstance(here, list) or step >= len(here):
                return _MISSING
            here = here[step]
        elif not isinstance(here, dict) or step not in here:
            return _MISSING
        else:
            here = here[step]
    return here


@dataclass(frozen=True, slots=True)
class Field:
    """One number of a payload: where it is and what it must be."""

    path: Path
    """Empty: the payload itself is the text."""
    type: str = "number"
    """`number` (no booleans, no texts), `boolean`, or `text` (one of `map`)."""
    scale: float = 1.0
    offset: float = 0.0
    """value = raw × scale + offset"""
    map: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def number(self, document: object) -> tuple[float, Quality] | None:
        """Return value and quality, or None when the payload does not have it; JSON null is a failed sensor.

        Raises:
            DecodeError: another type than the profile says, a text outside of `map`, or no finite number.
        """
        raw = _find(document, self.path)
        if raw is _MISSING:
            return None
        if raw is None:
            return math.nan, Quality.BAD_SENSOR
        if self.type == "text":
            if not isinstance(raw, str) or raw not in self.map:
                raise DecodeError(f"{self.name}: got {_short(raw)}, wanted one of {', '.join(self.map)}")
            return self.map[raw], Quality.GOOD
        if self.type == "boolean":
            if not isinstance(raw, bool):
                raise DecodeError(f"{self.name}: got {_short(raw)}, wanted true or false")
            return float(raw), Quality.GOOD
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            raise DecodeError(f"{self.name}: got {_short(raw)}, wanted a number")
        try:
            value = raw * self.scale + self.offset
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise DecodeError(f"{self.name}: got {_short(raw)}, wanted a finite number")
        return value, Quality.GOOD

    @property
    def name(self) -> str:
        """The path as it was written."""
        return ".".join(str(step) for step in self.path) or "payload"


def parse_field(wire: Mapping[str, Any], where: str) -> Field:
    """Check a point's `wire` table of a JSON profile.

    Raises:
        ProfileError: a key is unknown or its value not usable; `where` begins the message.
    """
    for key in wire:
        if key not in _FIELD_KEYS:
            raise ProfileError(f"{where}: wire.{key}: unknown key; known are {', '.join(sorted(_FIELD_KEYS))}")
    path = wire.get("path")
    kind = wire.get("type", "number")
    if not isinstance(path, str) and not (path is None and kind == "text"):
        raise ProfileError(f"{where}: wire.path: got {path!r}, wanted a path such as object.temperature")
    if kind not in _TYPES:
        raise ProfileError(f"{where}: wire.type: got {kind!r}, wanted one of {', '.join(_TYPES)}")
    values = wire.get("map", {})
    if not isinstance(values, dict) or any(not _is_number(value) for value in values.values()):
        raise ProfileError(f"{where}: wire.map: got {values!r}, wanted texts with a number each")
    if (kind == "text") != bool(values):
        raise ProfileError(f'{where}: wire.map: a field of type "text" needs it, and no other type may have it')
    return Field(
        path=() if path is None else parse_path(path, where),
        type=kind,
        scale=_number(wire, "scale", 1.0, where),
        offset=_number(wire, "offset", 0.0, where),
        map=MappingProxyType({key: float(value) for key, value in values.items()}),
    )


def parse_time(raw: object) -> int | None:
    """Read a time: ISO 8601 with its zone, or a number of seconds or milliseconds since 1970.

    Returns:
        ns since 1970 UTC, or None where it is no time between 2000 and 2100 (a naive time has no meaning here).
    """
    try:
        if isinstance(raw, str):
            moment = datetime.fromisoformat(raw)
            if moment.tzinfo is None:
                return None
            ns = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
        elif isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw):
            unit = 1_000_000 if abs(raw) > 1e11 else 1_000_000_000
            ns = raw * unit if isinstance(raw, int) else round(raw * unit)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return ns if 946_684_800_000_000_000 <= ns < 4_102_444_800_000_000_000 else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(wire: Mapping[str, Any], key: str, default: float, where: str) -> float:
    value = wire.get(key, default)
    if not _is_number(value) or (key == "scale" and value == 0):
        raise ProfileError(f"{where}: wire.{key}: got {value!r}, wanted a finite number other than a scale of 0")
    return float(value)


def _short(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:60]}…"
