"""Keeps a storm of alarms from becoming a storm of messages: one a contact, with a count. Pure but for its own memory.

Whoever gets more than `Pace.most` messages within `Pace.within_s` gets the rest as one message. Life safety never
passes through here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from controller.notify.plan import Pace

__all__ = ["Gate"]

SETTLE_S = 1.0
"""How long a new group waits for what comes at the same time."""
CRITICAL_S = 60.0
"""A group with an alarm of priority 1 waits no longer than this after the last one."""


@dataclass(slots=True)
class Gate:
    """What one contact was sent lately; times are monotonic seconds."""

    _singles: deque[float] = field(default_factory=deque)
    _last_group: float = -1e12
    due: float | None = None
    """When the open group goes out; None while none is open."""

    def take(self, pace: Pace, now: float, count: int, *, critical: bool = False) -> Literal["single", "group"]:
        """Say how `count` messages that come together are sent; `critical`: one of them has priority 1."""
        if self.due is None:
            while self._singles and self._singles[0] <= now - pace.within_s:
                self._singles.popleft()
            if len(self._singles) + count <= pace.most:
                self._singles.extend([now] * count)
                return "single"
        due = max(now + SETTLE_S, self._last_group + (min(CRITICAL_S, pace.within_s) if critical else pace.within_s))
        self.due = due if self.due is None else min(self.due, due)
        return "group"

    def close(self) -> None:
        """Note that the open group was sent."""
        if self.due is not None:
            self._last_group = self.due
        self.due = None
