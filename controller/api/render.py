"""The JSON of the things that the API shows; ±infinity and NaN are null, times are ISO 8601 UTC with milliseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from starlette.responses import Response

from controller.errors import InvalidError
from controller.point.reason import spoken
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.command.order import Command
    from controller.command.priority import Slot
    from controller.field.field import DeviceStatus
    from controller.point.model import Equipment, Limits, Name, Point, Site
    from controller.point.table import PointTable
    from drivers.driver import Clock

__all__ = [
    "Json",
    "array_json",
    "command_json",
    "device_json",
    "equipment_json",
    "event_json",
    "finite",
    "iso",
    "limits_json",
    "name_json",
    "parse_time",
    "point_json",
    "quality_name",
    "value_json",
]

_LATEST_NS = 4_102_444_800_000_000_000
"""2100-01-01 UTC; later times are mistakes."""
_QUALITY = {quality.value: quality.name.lower() for quality in Quality}


class Json(Response):
    """A JSON response by orjson: NaN and infinity become null, numpy arrays become lists."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def finite(value: float | None) -> float | None:
    """Return the value, or None when it is no finite number."""
    return None if value is None or not math.isfinite(value) else float(value)


def iso(time_ns: int | None) -> str | None:
    """Return ns UTC as ISO 8601 with milliseconds; None for None and 0 (never)."""
    if not time_ns:
        return None
    seconds, rest = divmod(int(time_ns), 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def parse_time(text: str, name: str) -> int:
    """Return ns UTC of ISO 8601 with a zone, or of whole milliseconds since 1970.

    Raises:
        InvalidError: neither, without a zone, or not between 1970 and 2100.
    """
    wanted = "give ISO 8601 with a zone such as 2026-01-01T08:00:00+08:00, or milliseconds since 1970"
    try:
        if text.isascii() and text.isdigit() and len(text) <= 15:
            time_ns = int(text) * 1_000_000
        else:
            # In an address a "+" that was not encoded arrives as a space.
            moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
            if moment.tzinfo is None:
                raise InvalidError(f"{name} {text[:40]!r} has no zone; {wanted}")
            since = moment - datetime(1970, 1, 1, tzinfo=UTC)
            time_ns = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
    except (ValueError, OverflowError) as error:
        raise InvalidError(f"{name} {text[:40]!r} is no time; {wanted}") from error
    if not 0 <= time_ns <= _LATEST_NS:
        raise InvalidError(f"{name} {text[:40]!r} is not between 1970 and 2100; {wanted}")
    return time_ns


def quality_name(quality: int) -> str:
    """Return the word of a quality; of an unknown one that of its severity."""
    return _QUALITY.get(quality, "bad" if quality >= 128 else "uncertain")


def name_json(name: Name) -> dict[str, str]:
    """Return a name in both languages."""
    return {"zh": name.zh, "en": name.en}


def limits_json(limits: Limits) -> dict[str, float | None]:
    """Return alarm limits; null where there is none."""
    return {
        "high_high": finite(limits.high_high),
        "high": finite(limits.high),
        "low": finite(limits.low),
        "low_low": finite(limits.low_low),
    }


def equipment_json(equipment: Equipment) -> dict[str, Any]:
    """Return one piece of equipment."""
    return {
        "address": equipment.address,
        "cls": equipment.cls,
        "name": name_json(equipment.name),
        "building": equipment.building,
        "system": equipment.system,
        "floor": equipment.floor,
        "area": equipment.area,
        "wing": equipment.wing,
        "maker": equipment.maker,
        "model": equipment.model,
        "serial": equipment.serial,
        "parameters": {
            key: value if isinstance(value, str) else finite(value) for key, value in equipment.parameters.items()
        },
    }


def point_json(point: Point, site: Site) -> dict[str, Any]:
    """Return one point with what it takes from its equipment."""
    equipment = site.equipment.get(point.equipment)
    write = point.write
    return {
        "number": point.number,
        "address": point.address,
        "kind": point.kind,
        "unit": point.unit,
        "name": name_json(point.name),
        "equipment": point.equipment,
        "device": point.device,
        "tag": point.tag,
        "low": finite(point.low),
        "high": finite(point.high),
        "decimals": point.decimals,
        "deadband": finite(point.deadband),
        "stale_s": finite(point.stale_s),
        "states": [{"value": value, "name": name_json(name)} for value, name in point.states],
        "limits": limits_json(point.limits),
        "write": None
        if write is None
        else {
            "low": finite(write.low),
            "high": finite(write.high),
            "default": finite(write.default),
            "fail": write.fail,
            "confirm": write.confirm,
            "readback": write.readback,
            "minimum_on_s": finite(write.minimum_on_s),
            "minimum_off_s": finite(write.minimum_off_s),
            "momentary": write.momentary,
        },
        "area": point.area,
        "system": equipment.system if equipment else "",
        "floor": equipment.floor if equipment else "",
        "haystack": point.haystack,
        "brick": point.brick,
    }


def value_json(points: Iterable[Point], table: PointTable, clock: Clock) -> list[dict[str, Any]]:
    """Return the present values of points. `received` is worked out from the monotonic time of arrival."""
    now_ns, now = clock.now_ns(), clock.monotonic()
    items = []
    for point in points:
        number = point.number
        quality = int(table.quality[number])
        time_ns = int(table.time_ns[number])
        received = float(table.received[number])
        good_time = int(table.good_time_ns[number])
        read = time_ns > 0 and np.isfinite(received)
        items.append(
            {
                "number": number,
                "address": point.address,
                "value": finite(float(table.value[number])),
                "quality": quality,
                "quality_name": quality_name(quality),
                "time": iso(time_ns) if time_ns > 0 else None,
                "received": iso(now_ns - round((now - received) * 1e9)) if read else None,
                "good_value": finite(float(table.good_value[number])),
                "good_time": iso(good_time) if good_time > 0 else None,
            }
        )
    return items


def command_json(command: Command) -> dict[str, Any]:
    """Return one command."""
    return {
        "id": command.id,
        "point": command.point,
        "slot": command.slot,
        "value": finite(command.value),
        "previous": finite(command.previous),
        "owner": command.owner,
        "reason": name_json(spoken(command.reason)),
        "state": command.state,
        "message": command.message,
        "requested_at": iso(command.requested_ns),
        "finished_at": iso(command.finished_ns),
        "until": iso(command.until_ns),
        "readback": finite(command.readback),
    }


def array_json(point: Point, slots: Sequence[Slot | None]) -> dict[str, Any]:
    """Return a priority array; `winner` 0 means that the default is in effect."""
    winner = next((slot for slot in slots if slot is not None), None)
    default = finite(point.write.default) if point.write else None
    return {
        "point": point.address,
        "present": default if winner is None else finite(winner.value),
        "winner": 0 if winner is None else winner.slot,
        "default": default,
        "slots": [
            None
            if slot is None
            else {
                "slot": slot.slot,
                "value": finite(slot.value),
                "owner": slot.owner,
                "reason": name_json(spoken(slot.reason)),
                "since": iso(slot.since_ns),
                "until": iso(slot.until_ns),
                "lease_s": finite(slot.lease_s),
            }
            for slot in slots
        ],
    }


def device_json(device: DeviceStatus) -> dict[str, Any]:
    """Return the state of one device."""
    return {
        "id": device.id,
        "profile": device.profile,
        "protocol": device.protocol,
        "endpoint": device.endpoint,
        "unit": device.unit,
        "equipment": device.equipment,
        "points": device.points,
        "state": device.state,
        "last_good": iso(device.last_good_ns),
        "since": iso(device.since_ns),
        "polls": device.polls,
        "errors": device.errors,
        "timeouts": device.timeouts,
        "refused": device.refused,
        "latency_p95_ms": finite(device.latency_p95_ms),
        "message": device.message,
        "cause": device.cause,
        "keepalives": device.keepalives,
        "writes": device.writes,
    }


_PERSONAL = frozenset({"person", "credential"})


def event_json(row: Mapping[str, Any], equipment: Equipment | None, *, personal: bool = True) -> dict[str, Any]:
    """Return one device event of the journal, with the place of the equipment that it is about.

    Without `personal` nobody can tell who it was.
    """
    return {
        "id": row["id"],
        "source": row["source"],
        "key": row["key"],
        "type": row["type"],
        "time": iso(row["time_ns"]),
        "received": iso(row["received_ns"]),
        "late": bool(row["late"]),
        "data": row["data"] if personal else impersonal(row["data"]),
        "equipment": equipment.address if equipment else "",
        "area": equipment.area if equipment else "",
        "floor": equipment.floor if equipment else "",
    }


def impersonal(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of an event without what tells who it was."""
    return {key: value for key, value in data.items() if key not in _PERSONAL}
