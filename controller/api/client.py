"""One open stream: what it subscribed to, and what waits for it, bounded.

Whoever is slow gets the latest value instead of the backlog: beyond a few frames the queue of a topic is replaced by
one snapshot made at the moment of sending.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.identity.permission import Action

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from controller.identity.identity import Principal

    Areas = frozenset[str] | None
    """Areas that a client may see; None means all."""

__all__ = [
    "CLOSE_ENDED", "CLOSE_FLOOD", "CLOSE_SLOW", "CONTROL", "DRILL", "FRAMES", "TEXTS", "WHOLE", "Channel", "Client",
]  # fmt: skip

FRAMES = 8
"""Delta frames of one topic that wait for one client before a snapshot replaces them."""
TEXTS = 512
"""Text messages that wait for one client."""
CLOSE_ENDED = 4401
"""The session has ended or its rights have changed: sign in, then connect again."""
CLOSE_SLOW = 4408
"""The client does not read."""
CLOSE_FLOOD = 4429
"""The client sends too much."""

CONTROL = "control"
"""Answers to the client itself; they are never dropped."""
DRILL = "drill"
"""How the drill under way stands; the latest takes the place of one that still waits, and is never dropped."""

WHOLE = frozenset({"alarms", "devices", "fire"})
"""Of these a client that was left behind, or has just come, is sent the present whole."""


@dataclass(slots=True, eq=False)
class Channel:
    """One topic of values as one class of clients sees it."""

    topic: str
    areas: Areas
    id: int
    numbers: NDArray[np.int32]
    member: NDArray[np.bool_]
    sequence: int = 1
    clients: set[Client] = field(default_factory=set)
    snapshot: bytes = b""
    snapshot_of: tuple[int, float] = (-1, -1.0)


class Client:
    """One open socket: what waits for it."""

    def __init__(self, principal: Principal) -> None:
        """Begin without subscriptions."""
        self.principal = principal
        self.areas: Areas = principal.permissions.areas(Action.VIEW)
        self.channels: dict[str, Channel] = {}
        self.lists: set[str] = set()
        self.texts: deque[tuple[str, bytes]] = deque()
        self.frames: dict[Channel, deque[bytes]] = {}
        self.stale: set[Channel] = set()
        """Channels whose next frame is a snapshot made when it is sent."""
        self.stale_lists: set[str] = set()
        self.dropped = 0
        self.close_code = 0
        self.wake = asyncio.Event()

    def sees(self, area: str) -> bool:
        """Tell whether the client may see things of an area."""
        return self.areas is None or (bool(area) and area in self.areas)

    def text(self, message: bytes, topic: str = CONTROL) -> None:
        """Queue a text message. Beyond the bound alarms and devices are sent whole again, the rest is lost, counted."""
        if topic in self.stale_lists:
            return
        if len(self.texts) >= TEXTS:
            kept = [entry for entry in self.texts if entry[0] in {CONTROL, DRILL}]
            self.dropped += len(self.texts) - len(kept)
            self.texts = deque(kept)
            self.stale_lists.update(self.lists & WHOLE)
            if len(kept) >= TEXTS:
                self.end(CLOSE_FLOOD)
                return
        if topic not in self.stale_lists:
            self.texts.append((topic, message))
        self.wake.set()

    def latest(self, message: bytes, topic: str) -> None:
        """Queue a text message in the place of one of the same topic that still waits."""
        self.texts = deque(entry for entry in self.texts if entry[0] != topic)
        self.texts.append((topic, message))
        self.wake.set()

    def frame(self, channel: Channel, frame: bytes) -> None:
        """Queue a delta frame; beyond the bound a snapshot takes the place of all."""
        if channel not in self.stale:
            waiting = self.frames.setdefault(channel, deque())
            waiting.append(frame)
            if len(waiting) > FRAMES:
                self.dropped += len(waiting)
                waiting.clear()
                self.stale.add(channel)
        self.wake.set()

    def end(self, code: int) -> None:
        """Have the socket closed."""
        self.close_code = self.close_code or code
        self.wake.set()
