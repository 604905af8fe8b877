"""LoRaWAN devices through ChirpStack v4: the uplink event, Milesight's type-length-value bytes, and fixed layouts.

The network server may run a codec of its own (`object`); it is ignored, and `data` is decoded here, so that a changed
codec on the server cannot change a value.
Sources: chirpstack/chirpstack-docs `events.md` (topic and JSON keys of the `up` event); Milesight-IoT/SensorDecoders
`am-series/am319-hcho` at 7f40cc0 (channels, history records). Multi-byte values have the low byte first.

A profile with `length` in `[profile.wire]` has a fixed layout: each point says `at` which byte it begins, in place of
its channel.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drivers.errors import DecodeError, ProfileError
from drivers.mqtt.payload import parse_time
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Channel", "Codec", "Frame", "Record", "Uplink", "decode", "parse_codec", "parse_uplink"]

_MAX_DATA = 255
"""Longest LoRaWAN application payload, bytes (LoRaWAN Regional Parameters, DR at the highest rate: 242)."""

_FORMATS = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "f32": "f"}
_SENTINELS: dict[str, tuple[float, ...]] = {
    "u8": (0xFF,),
    "i8": (),
    "u16": (0xFFFF,),
    "i16": (0x7FFF, -0x8000),
    "u32": (0xFFFFFFFF,),
    "i32": (0x7FFFFFFF, -0x80000000),
    "f32": (),
}
_CHANNEL = re.compile(r"[0-9A-Fa-f]{4}")
_POINT_KEYS = {"channel", "type", "scale", "sentinels", "other_unit"}
_WIRE_KEYS = {"format", "topic", "f_port", "skip", "history"}
_FIXED_POINT_KEYS = {"at", "type", "scale", "sentinels"}
_FIXED_WIRE_KEYS = {"format", "topic", "f_port", "length"}


@dataclass(frozen=True, slots=True)
class Uplink:
    """What is used of one ChirpStack `up` event."""

    data: bytes
    f_port: int
    f_cnt: int | None
    dev_eui: str
    time_ns: int | None
    deduplication: str
    """Empty where the server gave none."""


def parse_uplink(document: Mapping[str, Any]) -> Uplink:
    """Take the parts of an `up` event; the keys of signal strength and gateway are not needed here.

    Raises:
        DecodeError: `data` is no base64 text, or `fPort` no number; both are missing in an empty frame.
    """
    data, port, count = document.get("data"), document.get("fPort"), document.get("fCnt", 0)
    if not isinstance(data, str) or len(data) > 2 * _MAX_DATA:
        raise DecodeError("uplink: data: wanted base64 of at most 255 bytes")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"uplink: data is not base64: {error}") from error
    if len(raw) > _MAX_DATA:
        raise DecodeError(f"uplink: data: {len(raw)} bytes, at most {_MAX_DATA}")
    if isinstance(port, bool) or not isinstance(port, int):
        raise DecodeError(f"uplink: fPort: got {str(port)[:20]!r}, wanted a number")
    info = document.get("deviceInfo")
    eui = info.get("devEui") if isinstance(info, dict) else None
    once = document.get("deduplicationId")
    return Uplink(
        data=raw,
        f_port=port,
        f_cnt=count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1 << 32 else None,
        dev_eui=eui.lower() if isinstance(eui, str) else "",
        time_ns=parse_time(document.get("time")),
        deduplication=once[:64] if isinstance(once, str) else "",
    )


@dataclass(frozen=True, slots=True)
class Channel:
    """How the bytes after one channel id and type become the value of one point."""

    place: int
    """Place of the point in the profile; -1 for bytes that are passed over."""
    form: struct.Struct
    scale: float = 1.0
    sentinels: tuple[float, ...] = ()
    binary: bool = False
    """True allows 0 and 1 alone."""
    refused: bool = False
    """True: the device reports the quantity in another unit than the profile's; the point is bad (config)."""

    def value(self, data: bytes, at: int) -> tuple[float, Quality]:
        """Decode at `at`; the caller has checked the length."""
        if self.refused:
            return math.nan, Quality.BAD_CONFIG
        raw = self.form.unpack_from(data, at)[0]
        if raw in self.sentinels or not math.isfinite(raw):
            return math.nan, Quality.BAD_SENSOR
        if self.binary and raw not in (0, 1):
            return math.nan, Quality.BAD_CONFIG
        # One rounding instead of two: 238 × 0.1 would be 23.8 with an error in the last place, 238 / 10 is not.
        return raw / round(1 / self.scale) if self.scale < 1 else raw * self.scale, Quality.GOOD


@dataclass(frozen=True, slots=True)
class Codec:
    """The channels of one model, by (id << 8 | type)."""

    f_port: int
    channels: Mapping[int, Channel]
    history: Mapping[int, tuple[Channel, ...]]
    """Channels of one stored record, after its u32 of seconds since 1970."""
    layout: tuple[tuple[int, Channel], ...] = ()
    """Of a fixed layout: the byte at which each value begins; then there are no channels."""
    length: int = 0
    """Bytes of a fixed layout."""


@dataclass(frozen=True, slots=True)
class Record:
    """Values taken at one time; the columns belong together."""

    time_ns: int | None
    """None: now (the uplink's own time)."""
    places: tuple[int, ...]
    values: tuple[float, ...]
    qualities: tuple[Quality, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What one payload holds."""

    present: Record
    history: tuple[Record, ...]
    error: str
    """Why parsing stopped before the end, empty when it did not; what was read until there is kept."""


def decode(codec: Codec, data: bytes) -> Frame:
    """Read a payload. Never raises, whatever the bytes are.

    A fixed layout of another length is not read at all, for nobody knows where which value would be. An unknown channel
    ends the reading, for its length is unknown and the next byte could be anything.
    """
    if codec.length:
        return _decode_layout(codec, data)
    places: list[int] = []
    values: list[float] = []
    qualities: list[Quality] = []
    history: list[Record] = []
    error = ""
    at, end = 0, len(data)
    while at < end:
        if end - at < 2:
            error = f"one byte left over at {at}"
            break
        key = data[at] << 8 | data[at + 1]
        at += 2
        record = codec.history.get(key)
        if record is not None:
            size = 4 + sum(channel.form.size for channel in record)
            if end - at < size:
                error = f"history record {key:04X} cut short: {end - at} of {size} bytes"
                break
            history.append(_record(record, data, at))
            at += size
            continue
        channel = codec.channels.get(key)
        if channel is None:
            error = f"unknown channel {key:04X} at byte {at - 2}"
            break
        if end - at < channel.form.size:
            error = f"channel {key:04X} cut short: {end - at} of {channel.form.size} bytes"
            break
        if channel.place >= 0:
            value, quality = channel.value(data, at)
            places.append(channel.place)
            values.append(value)
            qualities.append(quality)
        at += channel.form.size
    return Frame(Record(None, tuple(places), tuple(values), tuple(qualities)), tuple(history), error)


def _decode_layout(codec: Codec, data: bytes) -> Frame:
    if len(data) != codec.length:
        return Frame(Record(None, (), (), ()), (), f"{len(data)} bytes, wanted {codec.length}")
    read = [(channel.place, *channel.value(data, at)) for at, channel in codec.layout]
    places, values, qualities = zip(*read, strict=True)
    return Frame(Record(None, places, values, qualities), (), "")


def _record(channels: Sequence[Channel], data: bytes, at: int) -> Record:
    seconds = int.from_bytes(data[at : at + 4], "little")
    at += 4
    places: list[int] = []
    values: list[float] = []
    qualities: list[Quality] = []
    for channel in channels:
        if channel.place >= 0:
            value, quality = channel.value(data, at)
            places.append(channel.place)
            values.append(value)
            qualities.append(quality)
        at += channel.form.size
    return Record(seconds * 1_000_000_000, tuple(places), tuple(values), tuple(qualities))


def parse_codec(wire: Mapping[str, Any], points: Sequence[tuple[str, str, Mapping[str, Any]]], where: str) -> Codec:
    """Check the `wire` tables of a ChirpStack profile; `points` are (tag, kind, wire), in the profile's order.

    Shape: `f_port = 85`, `skip = { 0E01 = 1 }` (channel and its bytes), `history = { 20CE = [["temperature", "i16",
    0.1], ["", "u16"]] }` (after the time; an empty tag passes over), and for each point `channel = "0367"`,
    `type = "i16"`, `scale = 0.1`, `sentinels = [65534]` (beside the type's own), `other_unit = ["08E6"]`. With
    `length = 48` a fixed layout, whose points have `at = 5` in place of `channel` and of `other_unit`.

    Raises:
        ProfileError: a key is unknown, missing or not usable; `where` begins the message.
    """
    known = _FIXED_WIRE_KEYS if "length" in wire else _WIRE_KEYS
    for key in wire:
        if key not in known:
            raise ProfileError(f"{where}: profile.wire.{key}: unknown key; known are {', '.join(sorted(known))}")
    port = wire.get("f_port")
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 223:
        raise ProfileError(f"{where}: profile.wire.f_port: got {port!r}, wanted 1 to 223")
    if "length" in wire:
        return _parse_layout(port, wire["length"], points, where)
    channels: dict[int, Channel] = {}
    places: dict[str, tuple[int, bool]] = {}

    def add(key: str, channel: Channel, name: str) -> None:
        if not _CHANNEL.fullmatch(key):
            raise ProfileError(f'{where}: {name}: got "{key}", wanted channel id and type as four hex digits')
        if int(key, 16) in channels:
            raise ProfileError(f"{where}: {name}: channel {key} is there twice")
        channels[int(key, 16)] = channel

    for place, (tag, kind, point) in enumerate(points):
        name = f'point "{tag}": wire'
        for key in point:
            if key not in _POINT_KEYS:
                raise ProfileError(f"{where}: {name}.{key}: unknown key; known are {', '.join(sorted(_POINT_KEYS))}")
        channel = _channel(place, kind == "binary", point.get("type"), point, f"{where}: {name}")
        add(str(point.get("channel")), channel, f"{name}.channel")
        places[tag] = (place, kind == "binary")
        for other in _list(point, "other_unit", f"{where}: {name}"):
            add(str(other), Channel(place, channel.form, refused=True), f"{name}.other_unit")
    for key, size in _table(wire, "skip", where).items():
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= 64:
            raise ProfileError(f"{where}: profile.wire.skip.{key}: got {size!r}, wanted 0 to 64 bytes")
        add(key, Channel(-1, struct.Struct(f"<{size}x")), "profile.wire.skip")
    history: dict[int, tuple[Channel, ...]] = {}
    for key, rows in _table(wire, "history", where).items():
        name = f"{where}: profile.wire.history.{key}"
        if not _CHANNEL.fullmatch(key) or int(key, 16) in channels or not isinstance(rows, list) or not rows:
            raise ProfileError(f"{name}: wanted an unused channel (four hex digits) with a list of [tag, type, scale]")
        parsed = []
        for row in rows:
            if not isinstance(row, list) or len(row) not in (2, 3) or (row[0] and row[0] not in places):
                raise ProfileError(f"{name}: got {row!r}, wanted [tag of a point or empty, type, scale]")
            place, binary = places[row[0]] if row[0] else (-1, False)
            parsed.append(_channel(place, binary, row[1], {"scale": row[2] if len(row) == 3 else 1.0}, name))
        history[int(key, 16)] = tuple(parsed)
    return Codec(port, channels, history)


def _parse_layout(port: int, length: object, points: Sequence[tuple[str, str, Mapping[str, Any]]], where: str) -> Codec:
    if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= _MAX_DATA:
        raise ProfileError(f"{where}: profile.wire.length: got {length!r}, wanted 1 to {_MAX_DATA} bytes")
    layout = []
    for place, (tag, kind, point) in enumerate(points):
        name = f'{where}: point "{tag}": wire'
        for key in point:
            if key not in _FIXED_POINT_KEYS:
                raise ProfileError(f"{name}.{key}: unknown key; known are {', '.join(sorted(_FIXED_POINT_KEYS))}")
        channel = _channel(place, kind == "binary", point.get("type"), point, name)
        at = point.get("at")
        if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= length - channel.form.size:
            raise ProfileError(f"{name}.at: got {at!r}, wanted a byte from 0 to {length - channel.form.size}")
        layout.append((at, channel))
    return Codec(port, {}, {}, tuple(layout), length)


def _channel(place: int, binary: bool, kind: object, row: Mapping[str, Any], where: str) -> Channel:  # noqa: FBT001 - one caller
    if not isinstance(kind, str) or kind not in _FORMATS:
        raise ProfileError(f"{where}.type: got {kind!r}, wanted one of {', '.join(_FORMATS)}")
    scale = row.get("scale", 1.0)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or scale <= 0:
        raise ProfileError(f"{where}.scale: got {scale!r}, wanted a number above 0")
    if scale < 1 and abs(round(1 / scale) * scale - 1) > 1e-9:
        raise ProfileError(f"{where}.scale: got {scale!r}; below 1 it must be one whole part, such as 0.1 or 0.5")
    more = _list(row, "sentinels", where)
    if any(isinstance(one, bool) or not isinstance(one, int) for one in more):
        raise ProfileError(f"{where}.sentinels: got {more!r}, wanted whole numbers")
    sentinels = () if binary else _SENTINELS[kind]
    return Channel(place, struct.Struct(f"<{_FORMATS[kind]}"), float(scale), (*sentinels, *more), binary)


def _table(wire: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    value = wire.get(name, {})
    if not isinstance(value, dict):
        raise ProfileError(f"{where}: profile.wire.{name}: got {value!r}, wanted a table")
    return value


def _list(row: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = row.get(name, [])
    if not isinstance(value, list):
        raise ProfileError(f"{where}.{name}: got {value!r}, wanted a list")
    return value
