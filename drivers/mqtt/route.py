"""From one message to readings and events of one device; no socket and no clock in here.

`Route` is the map of one device: its topics and what each payload means. `Intake` is all devices of one broker, finds
the route of a topic, and counts what it drops. A message whose topic nobody has is dropped after one look-up.

Keys of `[profile.wire]` for JSON: `topic` and `time`, `image` (`{ topic = "…" }` for JPEG bytes that are published,
`{ url = "{snapshot}" }` for a picture that is fetched by HTTP), and `events`: `topic`, `type`, `types`, `key`,
`sequence`, `time`, `data`, `urgent`, `late_s`, `when = { path = "type", is = ["new"] }` for a topic that also says
other things, and `replay = { topic = "…", payload = '{"from":{from}}' }`: events that a gap in the sequence shows to be
lost are asked for again, and what then comes is late.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.errors import DecodeError, ProfileError
from drivers.mqtt.gap import Gaps
from drivers.mqtt.lorawan import Codec, Record, decode, parse_codec, parse_uplink
from drivers.mqtt.occurrence import EventMap, parse_event_map
from drivers.mqtt.payload import (
    MAX_BYTES,
    Field,
    Path,
    find,
    parse_field,
    parse_path,
    parse_payload,
    parse_time,
    parse_word,
)
from drivers.mqtt.topic import fill_topic
from drivers.picture import Picture, check_jpeg
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drivers.driver import Device
    from drivers.event import Event
    from drivers.profile import Profile

__all__ = ["Command", "Counts", "Intake", "Map", "Parcel", "Request", "Route", "parse_map", "stale_after_ns"]

_FUTURE_NS = 5_000_000_000
"""A source time this much after our own clock is not believed."""
_REMEMBERED = 64
"""Deduplication ids kept for each device; a repeat comes within seconds, so a few would do."""
_JSON_KEYS = {"format", "topic", "time", "events", "image"}
_FORMATS = ("json", "chirpstack")


@dataclass(slots=True)
class Counts:
    """What happened to the messages of one broker, since the start of the controller."""

    messages: int = 0
    readings: int = 0
    events: int = 0
    late: int = 0
    """Batches of the past: history records, retained and queued messages."""
    unknown_topic: int = 0
    too_large: int = 0
    invalid: int = 0
    """Payloads of which nothing could be used."""
    fields: int = 0
    """Single fields of another type than the profile says, and frames that were read in part."""
    duplicates: int = 0
    lost_frames: int = 0
    """Steps missing in a device's frame counter or sequence number."""
    replays: int = 0
    """Requests for events that were lost."""
    pictures: int = 0
    faults: int = 0
    """Exceptions caught in a call-back; each is a bug."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message that a device is sent so that it says again what was lost."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Command:
    """How one point is written."""

    topic: str
    payload: str
    """`{value}` is replaced by the number."""

    def body(self, value: float) -> bytes:
        """Return the payload for `value`; whole numbers are written without a decimal point."""
        return self.payload.replace("{value}", str(int(value)) if value == int(value) else repr(value)).encode()


@dataclass(frozen=True, slots=True)
class Map:
    """What a profile says of the wire, checked."""

    topic: str | None
    fields: tuple[tuple[int, str | None, Field], ...]
    """JSON: place of the point, its own topic template or None, and the field."""
    time: Path | None
    codec: Codec | None
    events: EventMap | None
    commands: Mapping[int, Command]
    binary: frozenset[int]
    image_topic: str = ""
    """Template of the topic on which the device's pictures come as JPEG bytes."""
    image_url: str = ""
    """Template of the address at which its picture is fetched."""


def parse_map(profile: Profile) -> Map:
    """Check the `wire` tables of an MQTT profile.

    Raises:
        ProfileError: a key is unknown, missing or not usable.
    """
    where = f"profile {profile.id}"
    wire = profile.wire
    form = wire.get("format", "json")
    if form not in _FORMATS:
        raise ProfileError(f"{where}: profile.wire.format: got {form!r}, wanted one of {', '.join(_FORMATS)}")
    topic = wire.get("topic")
    if topic is not None and not isinstance(topic, str):
        raise ProfileError(f"{where}: profile.wire.topic: got {topic!r}, wanted a text")
    binary = frozenset(place for place, point in enumerate(profile.points) if point.kind == "binary")
    if form == "chirpstack":
        if topic is None:
            raise ProfileError(f"{where}: profile.wire.topic is missing")
        codec = parse_codec(wire, [(point.tag, point.kind, point.wire) for point in profile.points], where)
        return Map(topic, (), None, codec, None, {}, binary)
    for key in wire:
        if key not in _JSON_KEYS:
            raise ProfileError(f"{where}: profile.wire.{key}: unknown key; known are {', '.join(sorted(_JSON_KEYS))}")
    time = wire.get("time")
    if time is not None and not isinstance(time, str):
        raise ProfileError(f"{where}: profile.wire.time: got {time!r}, wanted a path")
    fields: list[tuple[int, str | None, Field]] = []
    commands: dict[int, Command] = {}
    for place, point in enumerate(profile.points):
        here = f'{where}: point "{point.tag}"'
        own = point.wire.get("topic")
        if own is not None and not isinstance(own, str):
            raise ProfileError(f"{here}: wire.topic: got {own!r}, wanted a text")
        if "path" in point.wire or "command" not in point.wire:
            if own is None and topic is None:
                raise ProfileError(f"{here}: neither wire.topic nor profile.wire.topic is there")
            fields.append((place, own, parse_field(point.wire, here)))
        if "command" in point.wire:
            commands[place] = _command(point.wire["command"], here)
        if point.write is not None and place not in commands:
            raise ProfileError(f"{here}: it has [write] but no wire.command with topic and payload")
    return Map(
        topic,
        tuple(fields),
        parse_path(time, where) if time else None,
        None,
        parse_event_map(wire["events"], where) if "events" in wire else None,
        commands,
        binary,
        *_image(wire.get("image"), where),
    )


def _image(row: Any, where: str) -> tuple[str, str]:
    if row is None:
        return "", ""
    if not isinstance(row, dict) or set(row) not in ({"topic"}, {"url"}) or not all(map(_is_text, row.values())):
        raise ProfileError(f"{where}: profile.wire.image: got {row!r}, wanted {{ topic = '…' }} or {{ url = '…' }}")
    return row.get("topic", ""), row.get("url", "")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _command(row: Any, where: str) -> Command:
    if (
        not isinstance(row, dict)
        or set(row) != {"topic", "payload"}
        or not all(isinstance(v, str) for v in row.values())
    ):
        raise ProfileError(f"{where}: wire.command: got {row!r}, wanted {{ topic = '…', payload = '…{{value}}…' }}")
    if "{value}" not in row["payload"]:
        raise ProfileError(f"{where}: wire.command.payload: {row['payload']!r} has no {{value}}")
    return Command(row["topic"], row["payload"])


def stale_after_ns(period_s: float) -> int:
    """Return the age from which a value is stale: 3 report intervals, at least 10 s (ns)."""
    return round(max(3 * period_s, 10.0) * 1e9)


@dataclass(slots=True)
class Parcel:
    """What one message brought."""

    device: Device
    batches: list[Readings] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)


class Route:
    """One device: its topics, and the meaning of its payloads."""

    def __init__(self, device: Device, plan: Map | None = None) -> None:
        """Fill the profile's templates with the device's options.

        Raises:
            ProfileError: the profile is wrong, or an option is missing.
        """
        self.device = device
        self.map = plan or parse_map(device.profile)
        where = f"device {device.id}"
        self.fields: dict[str, list[tuple[int, Field]]] = {}
        for place, own, part in self.map.fields:
            template = own or self.map.topic
            assert template is not None
            self.fields.setdefault(fill_topic(template, device.options, where), []).append((place, part))
        self.uplink = ""
        if self.map.codec is not None:
            assert self.map.topic is not None
            self.uplink = fill_topic(self.map.topic, device.options, where)
        self.event_topic = fill_topic(self.map.events.topic, device.options, where) if self.map.events else ""
        self.replay_topic = ""
        if self.map.events and self.map.events.replay:
            self.replay_topic = fill_topic(self.map.events.replay.topic, device.options, where)
        self.image_topic = fill_topic(self.map.image_topic, device.options, where) if self.map.image_topic else ""
        self.image_url = _fill_url(self.map.image_url, device, where) if self.map.image_url else ""
        self.picture: Picture | None = None
        """The newest one that came on the image topic."""
        self._bare = _bare_topics(self.fields, (self.uplink, self.event_topic), where)
        self.commands = {
            place: (fill_topic(command.topic, device.options, where), command)
            for place, command in self.map.commands.items()
        }
        self._stale_ns = stale_after_ns(device.period_s)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._frame: int | None = None
        self._gaps = Gaps()

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics to subscribe."""
        own = (*self.fields, self.uplink, self.event_topic, self.image_topic)
        return tuple(dict.fromkeys(topic for topic in own if topic))

    def take(
        self, topic: str, payload: bytes, *, retained: bool, now_ns: int, counts: Counts, now: float = 0.0
    ) -> Parcel:
        """Decode one message; `now` is monotonic, s.

        Raises:
            DecodeError: nothing of it can be used.
        """
        parcel = Parcel(self.device)
        if topic == self.image_topic:
            self.picture = Picture(check_jpeg(payload), now_ns, aged=retained)
            counts.pictures += 1
            return parcel
        if topic in self._bare:
            self._take_fields(self.fields[topic], parse_word(payload), retained, now_ns, counts, parcel)
            return parcel
        document = parse_payload(payload)
        if topic == self.uplink:
            self._take_uplink(document, retained, now_ns, counts, parcel)
        if topic in self.fields:
            self._take_fields(self.fields[topic], document, retained, now_ns, counts, parcel)
        if topic == self.event_topic and self.map.events is not None and self.map.events.applies(document):
            self._take_event(self.map.events, document, now_ns, now, counts, parcel)
        return parcel

    def _take_event(
        self, events: EventMap, document: dict[str, Any], now_ns: int, now: float, counts: Counts, parcel: Parcel
    ) -> None:
        """Hand an event over; a gap before it is asked for, and what fills a gap is late."""
        one = events.read(document, self.device.id, now_ns)
        event = one.event
        if one.sequence is not None:
            verdict = self._gaps.see(one.sequence, event.time_ns, now)
            counts.lost_frames += verdict.lost
            # A repetition goes on all the same: its key makes it count once, also where the first one was lost here.
            counts.duplicates += verdict.repeated
            if verdict.ask_from is not None and events.replay is not None:
                counts.replays += 1
                parcel.requests.append(Request(self.replay_topic, events.replay.body(verdict.ask_from)))
            if verdict.late:
                event = replace(event, late=True)
        parcel.events.append(event)

    def _take_uplink(
        self,
        document: dict[str, Any],
        retained: bool,  # noqa: FBT001 - one caller
        now_ns: int,
        counts: Counts,
        parcel: Parcel,
    ) -> None:
        codec = self.map.codec
        assert codec is not None
        uplink = parse_uplink(document)
        expected = str(self.device.options.get("dev_eui", "")).lower()
        if uplink.dev_eui and expected and uplink.dev_eui != expected:
            raise DecodeError(f"uplink of {uplink.dev_eui[:16]!r} on the topic of {expected!r}")
        if uplink.deduplication:
            if uplink.deduplication in self._seen:
                counts.duplicates += 1
                return
            self._seen[uplink.deduplication] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        if uplink.f_cnt is not None:
            if self._frame is not None and uplink.f_cnt > self._frame + 1:
                counts.lost_frames += uplink.f_cnt - self._frame - 1
            if not retained:
                self._frame = uplink.f_cnt
        if uplink.f_port != codec.f_port:
            return  # another port carries configuration and time requests, not measurements
        frame = decode(codec, uplink.data)
        if frame.error:
            counts.fields += 1
        self._add(frame.present, uplink.time_ns, retained, now_ns, counts, parcel)
        for record in frame.history:
            # The device's own clock: seconds in the future are not believed, and there is no better time for them.
            if (
                record.time_ns is None
                or record.time_ns > now_ns + _FUTURE_NS
                or parse_time(record.time_ns // 10**9) is None
            ):
                counts.fields += 1
                continue
            batch = self._batch(record.places, record.values, record.qualities, record.time_ns, late=True)
            if len(batch):
                counts.late += 1
                parcel.batches.append(batch)

    def _take_fields(
        self,
        fields: Sequence[tuple[int, Field]],
        document: dict[str, Any] | str,
        retained: bool,  # noqa: FBT001 - one caller
        now_ns: int,
        counts: Counts,
        parcel: Parcel,
    ) -> None:
        places: list[int] = []
        values: list[float] = []
        qualities: list[Quality] = []
        fault: DecodeError | None = None
        for place, part in fields:
            try:
                pair = part.number(document)
                if pair is None:
                    continue
                if place in self.map.binary and pair[0] not in (0.0, 1.0) and pair[1] == Quality.GOOD:
                    raise DecodeError(f"{part.name}: got {pair[0]:g}, wanted 0 or 1")
            except DecodeError as error:
                counts.fields += 1
                fault = error
                continue
            places.append(place)
            values.append(pair[0])
            qualities.append(pair[1])
        if not places and fault is not None:
            raise fault
        time_ns = parse_time(find(document, self.map.time)) if self.map.time else None
        self._add(
            Record(None, tuple(places), tuple(values), tuple(qualities)), time_ns, retained, now_ns, counts, parcel
        )

    def _add(
        self,
        record: Record,
        sent_ns: int | None,
        retained: bool,  # noqa: FBT001 - one caller
        now_ns: int,
        counts: Counts,
        parcel: Parcel,
    ) -> None:
        """Give a record its time: the sender's, unless it is in the future; late when that is past the stale limit."""
        qualities = record.qualities
        if sent_ns is None or sent_ns > now_ns + _FUTURE_NS:
            time_ns, late = now_ns, False
            if retained:
                # Nobody knows how old a retained value without a time is: shown, but it does not drive control.
                qualities = tuple(
                    Quality.UNCERTAIN_STALE if quality == Quality.GOOD else quality for quality in qualities
                )
        else:
            time_ns = min(sent_ns, now_ns)
            late = now_ns - time_ns > self._stale_ns
        batch = self._batch(record.places, record.values, qualities, time_ns, late=late)
        if len(batch):
            counts.late += late
            parcel.batches.append(batch)

    def _batch(
        self, places: Sequence[int], values: Sequence[float], qualities: Sequence[Quality], time_ns: int, *, late: bool
    ) -> Readings:
        numbers = self.device.numbers[list(places)]
        used = numbers >= 0
        return Readings(
            numbers[used],
            np.asarray(values, np.float64)[used],
            np.full(int(used.sum()), time_ns, np.int64),
            np.asarray(qualities, np.uint8)[used],
            late,
        )


def _bare_topics(fields: Mapping[str, list[tuple[int, Field]]], documents: Sequence[str], where: str) -> frozenset[str]:
    """Return the topics whose payload is one bare word."""
    bare = frozenset(topic for topic, parts in fields.items() if any(not part.path for _, part in parts))
    for topic in bare:
        if topic in documents or any(part.path for _, part in fields[topic]):
            raise ProfileError(f"{where}: topic {topic!r} is read as a bare word by one point and as JSON by another")
    return bare


def _fill_url(template: str, device: Device, where: str) -> str:
    """Return the address of a device's picture."""
    values = {name: value for name, value in device.options.items() if isinstance(value, str | int)}
    try:
        url = template.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise ProfileError(
            f"{where}: image url {template!r} needs the option {error}; add it to its options"
        ) from error
    if not url.startswith(("http://", "https://")):
        raise ProfileError(f"{where}: image url {url[:100]!r}: wanted http://host:port/path")
    return url


class Intake:
    """All devices of one broker: routes by topic, and the counters."""

    def __init__(self, devices: Sequence[Device]) -> None:
        """Build the routes.

        Raises:
            ProfileError: a profile is wrong, or an option is missing.
        """
        self.counts = Counts()
        self._routes: dict[str, list[Route]] = {}
        self.routes: dict[str, Route] = {}
        """By device id."""
        plans: dict[str, Map] = {}
        for device in devices:
            plan = plans.setdefault(device.profile.id, parse_map(device.profile))
            route = self.routes[device.id] = Route(device, plan)
            for topic in route.topics:
                self._routes.setdefault(topic, []).append(route)

    @property
    def topics(self) -> tuple[str, ...]:
        """All topics to subscribe, each once."""
        return tuple(self._routes)

    def of_topic(self, topic: str) -> Sequence[Route]:
        """Return the routes that want `topic`."""
        return self._routes.get(topic, ())

    def take(self, topic: str, payload: bytes, *, retained: bool, now_ns: int, now: float = 0.0) -> list[Parcel]:
        """Decode one message for every device that wants it; what cannot be used is counted, never raised."""
        counts = self.counts
        counts.messages += 1
        routes = self._routes.get(topic)
        if routes is None:
            counts.unknown_topic += 1
            return []
        if len(payload) > MAX_BYTES:
            counts.too_large += 1
            return []
        parcels = []
        for route in routes:
            try:
                parcel = route.take(topic, payload, retained=retained, now_ns=now_ns, counts=counts, now=now)
            except DecodeError:
                counts.invalid += 1
                continue
            counts.readings += sum(len(batch) for batch in parcel.batches)
            counts.events += len(parcel.events)
            parcels.append(parcel)
        return parcels
