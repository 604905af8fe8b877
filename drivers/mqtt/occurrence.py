"""JSON events: a payload that says something happened becomes one `Event` with a key that makes it count once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drivers.errors import DecodeError, ProfileError
from drivers.event import Event
from drivers.mqtt.payload import Path, find, parse_path, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EventMap", "Occurrence", "Replay", "parse_event_map"]

_KEYS = {
    "topic", "key", "sequence", "time", "type", "types", "data", "masked", "urgent", "late_s", "when", "replay",
}  # fmt: skip
_WORD = re.compile(r"[a-z][a-z0-9_]{0,47}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MAX_TEXT = 200
_FUTURE_NS = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event and the number its sender gave it."""

    event: Event
    sequence: int | None


@dataclass(frozen=True, slots=True)
class Replay:
    """How a sender is asked for what was lost: `{from}` in the payload is the first missing number."""

    topic: str
    payload: str

    def body(self, first: int) -> bytes:
        """Return the payload that asks for everything from `first` on."""
        return self.payload.replace("{from}", str(first)).encode()


@dataclass(frozen=True, slots=True)
class EventMap:
    """Where the parts of an event are in a payload."""

    topic: str
    """Template, filled with the device's options."""
    type: Path
    key: Path | None
    sequence: Path | None
    time: Path | None
    types: Mapping[str, str]
    """Words of the device and ours; empty takes the device's own words."""
    data: Mapping[str, Path]
    masked: frozenset[str]
    """Names in `data` that are about a person, such as a number plate: their middle never leaves the driver."""
    urgent: frozenset[str]
    late_s: float
    """An event older than this when it arrives was queued on the way; it raises no alarm."""
    when: tuple[Path, frozenset[str]] | None = None
    """Only payloads that have one of these texts at this path are events; None takes all."""
    replay: Replay | None = None
    """None: what is lost stays lost."""

    def applies(self, document: Mapping[str, Any]) -> bool:
        """Tell whether a payload is an event, or the sender's way of saying something else."""
        if self.when is None:
            return True
        word = find(document, self.when[0])
        return isinstance(word, str) and word in self.when[1]

    def read(self, document: Mapping[str, Any], source: str, now_ns: int) -> Occurrence:
        """Make the event of one payload. Its time is the sender's where that is usable, never in the future.

        Raises:
            DecodeError: no type, a type that is no word or not in `types`, or nothing that makes it unique.
        """
        word = find(document, self.type)
        if not isinstance(word, str):
            raise DecodeError(f"event of {source}: type: got {str(word)[:40]!r}, wanted a text")
        kind = self.types.get(word, "") if self.types else word.strip().lower().replace("-", "_").replace(" ", "_")
        if not _WORD.fullmatch(kind):
            known = f", wanted one of {', '.join(self.types)}" if self.types else ""
            raise DecodeError(f"event of {source}: type {word[:40]!r} is not known{known}")
        sent = parse_time(find(document, self.time)) if self.time else None
        usable = sent is not None and sent <= now_ns + _FUTURE_NS
        time_ns = min(sent, now_ns) if sent is not None and usable else now_ns
        number = find(document, self.sequence) if self.sequence else None
        sequence = number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None
        key = find(document, self.key) if self.key else None
        if isinstance(key, int) and not isinstance(key, bool):
            key = str(key)
        if not isinstance(key, str) or not key:
            # A counter begins again after a restart of its sender, so it is unique only together with the time.
            if sequence is None or sent is None:
                raise DecodeError(f"event of {source}: no id, and no sequence number with a time: cannot be told apart")
            key = f"{sequence}@{sent}"
        data: dict[str, str | int | float | bool] = {}
        for name, path in self.data.items():
            value = find(document, path)
            if name in self.masked:
                if value is not None:
                    data[name] = mask(str(value)[:_MAX_TEXT])
            elif isinstance(value, str):
                data[name] = _CONTROL.sub("�", value[:_MAX_TEXT])
            elif isinstance(value, bool | int | float):
                data[name] = value
        late = now_ns - time_ns > self.late_s * 1e9
        event = Event(_CONTROL.sub("�", key[:_MAX_TEXT]), source, kind, time_ns, data, kind in self.urgent, late)
        return Occurrence(event, sequence)


def mask(text: str) -> str:
    """Return a text whose middle cannot be read: `EAA-0107` becomes `EA****07`; a short one is all stars."""
    clean = _CONTROL.sub("�", text)
    return "*" * len(clean) if len(clean) < 6 else f"{clean[:2]}{'*' * (len(clean) - 4)}{clean[-2:]}"


def parse_event_map(wire: object, where: str) -> EventMap:
    """Check `profile.wire.events`.

    Shape: `topic`, `type` and `time` (paths), `key` or `sequence` (or both), `types = { "help" = "sos_pressed" }`,
    `data = ["door", "reader.id"]`, `masked = ["plate"]` (of `data`: only the first and last two characters are kept),
    `urgent = ["sos_pressed"]`, `late_s = 300`, `when = { path = "type", is = ["new"] }` for a topic that also says
    other things, and with a sequence `replay = { topic = "…/cmd/replay", payload = '{"from":{from}}' }` to ask for
    numbers that were lost.

    Raises:
        ProfileError: a key is unknown, missing or not usable; `where` begins the message.
    """
    where = f"{where}: profile.wire.events"
    if not isinstance(wire, dict):
        raise ProfileError(f"{where}: got {wire!r}, wanted a table")
    for key in wire:
        if key not in _KEYS:
            raise ProfileError(f"{where}.{key}: unknown key; known are {', '.join(sorted(_KEYS))}")
    for key in ("topic", "type"):
        if not isinstance(wire.get(key), str):
            raise ProfileError(f"{where}.{key}: got {wire.get(key)!r}, wanted a text")
    if "key" not in wire and not ("sequence" in wire and "time" in wire):
        raise ProfileError(f"{where}: wanted key, or sequence with time: an event that comes twice must be known")

    def path(name: str) -> Path | None:
        value = wire.get(name)
        if value is not None and not isinstance(value, str):
            raise ProfileError(f"{where}.{name}: got {value!r}, wanted a path")
        return parse_path(value, f"{where}.{name}") if value else None

    types, data, urgent = wire.get("types", {}), wire.get("data", []), wire.get("urgent", [])
    masked = wire.get("masked", [])
    if not isinstance(types, dict) or any(not isinstance(v, str) or not _WORD.fullmatch(v) for v in types.values()):
        raise ProfileError(f"{where}.types: got {types!r}, wanted device's words with lower-case words of ours")
    for name, value in (("data", data), ("urgent", urgent), ("masked", masked)):
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ProfileError(f"{where}.{name}: got {value!r}, wanted a list of texts")
    if not set(masked) <= set(data):
        raise ProfileError(f"{where}.masked: got {masked!r}, wanted some of data ({', '.join(data)})")
    late_s = wire.get("late_s", 300.0)
    if isinstance(late_s, bool) or not isinstance(late_s, int | float) or not 1 <= late_s <= 86400:
        raise ProfileError(f"{where}.late_s: got {late_s!r}, wanted 1 to 86400 seconds")
    when, replay = wire.get("when"), wire.get("replay")
    if when is not None and not (
        isinstance(when, dict)
        and set(when) == {"path", "is"}
        and isinstance(when["path"], str)
        and isinstance(when["is"], list)
        and all(isinstance(one, str) for one in when["is"])
    ):
        raise ProfileError(f'{where}.when: got {when!r}, wanted {{ path = "type", is = ["new"] }}')
    if replay is not None and not (
        isinstance(replay, dict)
        and set(replay) == {"topic", "payload"}
        and all(isinstance(one, str) for one in replay.values())
        and "{from}" in replay["payload"]
        and "sequence" in wire
    ):
        raise ProfileError(
            f"{where}.replay: got {replay!r}, wanted {{ topic = '…', payload = '…{{from}}…' }} beside a sequence"
        )
    kind = path("type")
    assert kind is not None
    return EventMap(
        topic=wire["topic"],
        type=kind,
        key=path("key"),
        sequence=path("sequence"),
        time=path("time"),
        types=dict(types),
        data={_name(one): parse_path(one, f"{where}.data") for one in data},
        masked=frozenset(_name(one) for one in masked),
        urgent=frozenset(urgent),
        late_s=float(late_s),
        when=None if when is None else (parse_path(when["path"], f"{where}.when"), frozenset(when["is"])),
        replay=None if replay is None else Replay(replay["topic"], replay["payload"]),
    )


def _name(path: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", path.lower()).strip("_") or "value"
