"""The voices of security on MQTT: zones, buttons, intercom, cameras, recorder, door controllers.

Source: site standard for access control, intrusion, SOS and intercom; Contact ID codes after SIA DC-05; topics of ONVIF
events without their prefix tns1:; topics of Frigate after its own documentation. Typed here a second time.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from simulators.wire.chirpstack import iso
from simulators.wire.picture import draw
from simulators.wire.talker import Message, Talker, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from simulators.fault import View

    _Events = Iterable[tuple[str, dict[str, Any]]]
    """Type and data of what happened."""

__all__ = ["VOICES", "ChangeTalker", "Channel", "ControllerTalker", "RecorderTalker", "ulid"]

HEARTBEAT_S = 30.0
_KEPT = 1000
"""Events that a door controller can say again."""
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(time_ns: int, seed: str) -> str:
    """Return an identifier in the form of a ULID: 48 bits of ms since 1970, 80 bits that follow from `seed`."""
    tail = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=10).digest(), "big")
    number = (time_ns // 1_000_000 << 80) | tail
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic of a device: what it says of the state, as an object without its time, or as a bare word."""

    topic: str
    body: Callable[[Mapping[str, float]], dict[str, Any] | str | bytes]
    retain: bool = True


class ChangeTalker:
    """Tells each of its topics when its content changes and every 30 s, and what the changes mean as events."""

    topics: Sequence[str] = ()

    def __init__(
        self,
        view: View,
        channels: Sequence[Channel],
        event_topic: str = "",
        events: Callable[[Mapping[str, float], Mapping[str, float]], _Events] | None = None,
    ) -> None:
        """Speak for `view`; `events` says what happened between two states."""
        self._view = view
        self._channels = channels
        self._event_topic = event_topic
        self._events = events
        self._said: dict[str, dict[str, Any] | str | bytes] = {}
        self._state: Mapping[str, float] = {}
        self._due_s = 0.0
        # Where in the half minute this device says again what it said, so that not all speak at once.
        self._phase = zlib.crc32(view.device.id.encode()) % 1000 / 1000.0
        self.sequence = 0

    def speak(self, now_ns: int, elapsed_s: float) -> Iterable[Message]:
        """Return events and states that are due; nothing, most of the time."""
        occurrences = self._view.device.occurrences
        state = self._view.state()
        if state == self._state and elapsed_s < self._due_s and not occurrences:
            return ()
        before, self._state = self._state, state
        return list(self._messages(before, state, now_ns, elapsed_s))

    def _messages(
        self, before: Mapping[str, float], state: Mapping[str, float], now_ns: int, elapsed_s: float
    ) -> Iterator[Message]:
        if self._events is not None and before:
            for kind, data in self._events(before, state):
                yield self._event(kind, data, now_ns)
        while self._view.device.occurrences:
            one = self._view.device.occurrences.popleft()
            yield self._event(one.type, dict(one.data), one.time_ns)
        due = elapsed_s >= self._due_s
        if due:
            first = not self._said
            self._due_s = elapsed_s + HEARTBEAT_S * (self._phase if first else 1.0)
        for channel in self._channels:
            body = channel.body(state)
            if due or body != self._said.get(channel.topic):
                self._said[channel.topic] = body
                if isinstance(body, dict):
                    payload = encode({"time": iso(now_ns), **body})
                else:
                    payload = body.encode() if isinstance(body, str) else body
                yield Message(channel.topic, payload, retain=channel.retain, qos=1)

    def _event(self, kind: str, data: dict[str, Any], time_ns: int) -> Message:
        self.sequence += 1
        identifier = ulid(time_ns, f"{self._view.device.id}/{self.sequence}/{time_ns}")
        word = {"code": kind} if kind.isdigit() else {"type": kind}
        return Message(
            self._event_topic,
            encode({"id": identifier, "time": iso(time_ns), "seq": self.sequence, **word, **data}),
            qos=1,
        )

    def hear(self, topic: str, payload: bytes, now_ns: int) -> Iterable[Message]:  # noqa: ARG002 - it never listens
        """Return nothing: a device that only tells."""
        return ()


class ControllerTalker(ChangeTalker):
    """A door controller: its status with a last will, its doors' events, and the same events again when asked."""

    def __init__(self, view: View) -> None:
        """Speak for one controller."""
        base = f"site/{_option(view, 'site')}/access/{_option(view, 'controller')}"
        self._status = f"{base}/status"
        super().__init__(view, [Channel(self._status, _online)], f"{base}/event", _controller_events)
        self.topics = (f"{base}/cmd/replay",)
        self._kept: deque[tuple[int, Message]] = deque(maxlen=_KEPT)

    def _event(self, kind: str, data: dict[str, Any], time_ns: int) -> Message:
        message = super()._event(kind, data, time_ns)
        self._kept.append((self.sequence, message))
        return message

    def lost(self, now_ns: int) -> Iterable[Message]:
        """Return the last will, which the broker says when the controller is cut off."""
        self._said.clear()
        self._due_s = 0.0
        return (Message(self._status, encode({"time": iso(now_ns), "state": "offline"}), retain=True, qos=1),)

    def hear(self, topic: str, payload: bytes, now_ns: int) -> Iterable[Message]:  # noqa: ARG002 - one topic alone
        """Say again the events from a number on, as many as are kept."""
        try:
            first = json.loads(payload)["from"]
        except (ValueError, TypeError, KeyError):
            return ()
        if isinstance(first, bool) or not isinstance(first, int):
            return ()
        return [message for number, message in self._kept if number >= first]


class RecorderTalker(ChangeTalker):
    """A Frigate recorder: whether it is there, and what its detectors see. Its events have a form of their own."""

    def __init__(self, view: View) -> None:
        """Speak for the recorder."""
        super().__init__(
            view,
            [Channel("frigate/available", lambda state: "online" if state["online"] else "offline")],
            "frigate/events",
        )

    def _event(self, kind: str, data: dict[str, Any], time_ns: int) -> Message:  # noqa: ARG002 - it has its own times
        start, end = float(data.get("start", 0.0)), float(data.get("end", 0.0))
        camera, score = str(data.get("camera", "")), float(data.get("score", 0.0))
        tail = hashlib.blake2b(f"{camera}/{start}".encode(), digest_size=3).hexdigest()
        after = {
            "id": f"{start:.6f}-{tail}",
            "camera": camera,
            "label": "person",
            "sub_label": None,
            "top_score": score,
            "score": score,
            "start_time": start,
            "end_time": end or None,
            "has_snapshot": True,
            "stationary": False,
        }
        return Message(self._event_topic, encode({"type": kind, "before": after, "after": after}), qos=1)


def _option(view: View, name: str) -> str:
    return str(view.device.options.get(name, view.device.id))


def _online(state: Mapping[str, float]) -> dict[str, Any]:
    return {"state": "online" if state["online"] else "offline", "duress": bool(state["duress"])}


def _controller_events(before: Mapping[str, float], state: Mapping[str, float]) -> _Events:
    if state["duress"] and not before["duress"]:
        yield "duress", {}


_ZONE = ("disarmed", "armed", "entry", "exit", "alarm", "tamper", "bypass", "fault")
_CODES = {(3, 1): "3401", (0, 1): "3401", (1, 0): "1401", (2, 0): "1401"}
"""Contact ID: 401 opening (1) and closing (3) by a user."""


def _zone_events(before: Mapping[str, float], state: Mapping[str, float]) -> _Events:
    was, now = int(before["state"]), int(state["state"])
    if was == now:
        return
    for place, code in ((4, "130"), (5, "137")):
        if now == place:
            yield f"1{code}", {}
        elif was == place:
            yield f"3{code}", {}
    if (was, now) in _CODES:
        yield _CODES[was, now], {"person": "p-90001"}


def _zone(view: View) -> Talker:
    base = f"site/{_option(view, 'site')}/intrusion/{_option(view, 'zone')}"
    name = _option(view, "zone")

    def body(state: Mapping[str, float]) -> dict[str, Any]:
        number = int(state["state"])
        word = _ZONE[number] if 0 <= number < len(_ZONE) else "fault"
        return {"zone": name, "state": word, "battery_low": bool(state["battery_low"])}

    return ChangeTalker(view, [Channel(f"{base}/state", body)], f"{base}/event", _zone_events)


def _button_events(before: Mapping[str, float], state: Mapping[str, float]) -> _Events:
    for quantity, came, went in (("pressed", "pressed", "reset"), ("tamper", "tamper", "tamper_restored")):
        if bool(before[quantity]) != bool(state[quantity]):
            yield came if state[quantity] else went, {}


def _button(view: View) -> Talker:
    base = f"site/{_option(view, 'site')}/sos/{_option(view, 'button')}"

    def body(state: Mapping[str, float]) -> dict[str, Any]:
        return {"pressed": bool(state["pressed"]), "tamper": bool(state["tamper"])}

    return ChangeTalker(view, [Channel(f"{base}/state", body)], f"{base}/event", _button_events)


_CALL = ("ended", "ringing", "connected")


def _call_word(state: Mapping[str, float]) -> str:
    number = int(state["call"])
    return _CALL[number] if 0 <= number < len(_CALL) else "ended"


def _call_events(before: Mapping[str, float], state: Mapping[str, float]) -> _Events:
    if before["call"] != state["call"]:
        yield _call_word(state), {"with": "control-room"}


def _intercom(view: View) -> Talker:
    base = f"site/{_option(view, 'site')}/intercom/{_option(view, 'station')}"
    channels = [
        Channel(f"{base}/call", lambda state: {"state": _call_word(state), "with": "control-room"}),
        Channel(f"{base}/state", lambda state: {"registered": bool(state["registered"])}),
    ]
    return ChangeTalker(view, channels, f"{base}/event", _call_events)


_ONVIF = (
    ("motion", "RuleEngine/CellMotionDetector/Motion", "IsMotion"),
    ("signal_loss", "VideoSource/SignalLoss", "State"),
    ("scene_change", "VideoSource/GlobalSceneChange/ImagingService", "State"),
    ("storage_failure", "Device/HardwareFailure/StorageFailure", "Failed"),
)


def _item(quantity: str, topic: str, name: str, state: Mapping[str, float]) -> dict[str, Any]:
    return {"topic": f"tns1:{topic}", "data": {name: bool(state[quantity])}}


def _onvif(view: View) -> Talker:
    camera = _option(view, "camera")
    return ChangeTalker(
        view, [Channel(f"onvif/{camera}/{topic}", partial(_item, tag, topic, name)) for tag, topic, name in _ONVIF]
    )


class _FrigateTalker(ChangeTalker):
    """A camera of the recorder: two bare words, and a picture every half minute."""

    def __init__(self, view: View) -> None:
        camera = _option(view, "camera")
        super().__init__(
            view,
            [
                Channel(f"frigate/{camera}/status/detect", lambda state: "online" if state["online"] else "offline"),
                Channel(f"frigate/{camera}/motion", lambda state: "ON" if state["motion"] else "OFF", retain=False),
            ],
        )
        self._camera = camera
        self._picture = f"frigate/{camera}/person/snapshot"
        self._next_s = HEARTBEAT_S * self._phase

    def speak(self, now_ns: int, elapsed_s: float) -> Iterable[Message]:
        """Say the words, and show a picture where one is due and the camera sees."""
        said = list(super().speak(now_ns, elapsed_s))
        if elapsed_s >= self._next_s:
            self._next_s = elapsed_s + HEARTBEAT_S
            if self._state.get("online"):
                data = draw(self._camera, now_ns, motion=bool(self._state["motion"]))
                said.append(Message(self._picture, data, retain=True))
        return said


VOICES: Mapping[str, Callable[[View], Talker]] = {
    "site-standard-access-controller": ControllerTalker,
    "site-standard-intrusion-zone": _zone,
    "site-standard-sos": _button,
    "site-standard-intercom": _intercom,
    "onvif-bridge": _onvif,
    "frigate": _FrigateTalker,
    "frigate-nvr": RecorderTalker,
}
"""By profile id."""
