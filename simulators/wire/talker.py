"""Devices that speak JSON over MQTT by themselves: their state when it changes and now and then, and their events.

A `Talker` is asked once a step for what it has to say. The faults of its device (silence, delay, repetition, disorder,
spoiled payloads) are the reporter's business, not its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from simulators.wire.chirpstack import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from simulators.fault import View
    from simulators.plant.device import Occurrence

__all__ = ["TALKERS", "Message", "StateTalker", "Talker", "encode"]


@dataclass(frozen=True, slots=True)
class Message:
    """One publication."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 0


class Talker(Protocol):
    """The voice of one device."""

    @property
    def topics(self) -> Sequence[str]:
        """Topics that it listens to."""

    def speak(self, now_ns: int, elapsed_s: float) -> Iterable[Message]:
        """Return what is to be said, `elapsed_s` seconds after the fleet's start."""

    def hear(self, topic: str, payload: bytes, now_ns: int) -> Iterable[Message]:
        """Take what came on one of `topics` and return the answer."""


def encode(document: Mapping[str, Any]) -> bytes:
    """Return compact JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


class StateTalker:
    """Tells its device's state, retained, when it changes and every `heartbeat_s`; and each event as it happens."""

    topics: Sequence[str] = ()

    def __init__(
        self,
        view: View,
        topic: str,
        body: Callable[[Mapping[str, float]], dict[str, Any]],
        *,
        heartbeat_s: float = 3600.0,
        phase: float = 0.0,
        event_topic: str = "",
        event: Callable[[Occurrence, int], dict[str, Any]] | None = None,
    ) -> None:
        """Speak for `view`.

        Args:
            view: the device as its faults show it.
            topic: where the state goes.
            body: makes the state's JSON, without its time, from the quantities.
            heartbeat_s: the state is told again after so long without a change.
            phase: 0 to 1, spreads the heartbeats of many devices.
            event_topic: where events go; empty for a device without any.
            event: makes the event's JSON from an occurrence and its sequence number.
        """
        self._view = view
        self._topic = topic
        self._body = body
        self._heartbeat_s = heartbeat_s
        self._event_topic = event_topic
        self._event = event
        self._said: dict[str, Any] | None = None
        self._due_s = heartbeat_s * phase
        self.sequence = 0

    def speak(self, now_ns: int, elapsed_s: float) -> Iterable[Message]:
        """Return the events that happened, then the state where it is due."""
        found = []
        occurrences = self._view.device.occurrences
        while occurrences:
            occurrence = occurrences.popleft()
            self.sequence += 1
            if self._event is not None:
                found.append(Message(self._event_topic, encode(self._event(occurrence, self.sequence)), qos=1))
        body = self._body(self._view.state())
        if body != self._said or elapsed_s >= self._due_s:
            self._said = body
            self._due_s = elapsed_s + self._heartbeat_s
            found.append(Message(self._topic, encode({"time": iso(now_ns), **body}), retain=True, qos=1))
        return found

    def hear(self, topic: str, payload: bytes, now_ns: int) -> Iterable[Message]:  # noqa: ARG002 - it never listens
        """Return nothing: a device that only tells."""
        return ()


TALKERS: dict[str, Callable[[View], Talker]] = {}
"""Profile id -> the voice of a device of that model."""
