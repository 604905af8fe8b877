"""What a link knows of each device: how it is for others to see, and what must be remembered to judge it."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from drivers.driver import Device
    from drivers.supervision import Breaker

__all__ = ["NOTHING", "DeviceHealth", "Member", "Trouble"]


class Trouble(NamedTuple):
    """What is wrong: a sentence, and its word of `drivers.errors.CAUSES`."""

    message: str
    cause: str

    def __bool__(self) -> bool:
        return bool(self.message)


NOTHING = Trouble("", "")


@dataclass(slots=True)
class DeviceHealth:
    """How one device is. The link changes it in place; `state` changes are told to `on_health`."""

    state: str = "starting"
    """`starting` (no answer yet), `good`, `lost` (silent), `refused` (answers, but refuses everything), `disabled`."""
    last_good_ns: int | None = None
    """Calendar time of the last good answer, ns UTC."""
    since_ns: int = 0
    """Calendar time at which the state began, ns UTC."""
    polls: int = 0
    """Answers asked for, or batches received from a subscription."""
    missed: int = 0
    """Slots skipped because the line was busy; they are never made up."""
    errors: int = 0
    """Polls (on a subscription: occasions) of which a part or the whole could not be used; faults of the driver."""
    timeouts: int = 0
    refused: int = 0
    """Polls to which the device said no as a whole."""
    message: str = ""
    """What went wrong last, or what part of a good device cannot be had; empty while all of it answers."""
    cause: str = ""
    """The word of `drivers.errors.CAUSES` for `message`."""
    keepalives: int = 0
    writes: int = 0
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=128), repr=False)

    def say(self, trouble: Trouble) -> None:
        """Take a sentence and its word together."""
        self.message, self.cause = trouble

    @property
    def latency_p95_ms(self) -> float:
        """95th percentile of the last 128 polls, ms; NaN before the first."""
        return float(np.percentile(self.latencies_s, 95)) * 1000 if self.latencies_s else math.nan


@dataclass(slots=True)
class Member:
    """One device of the link, with what the link must remember of it."""

    device: Device
    health: DeviceHealth
    breaker: Breaker
    seen: float
    """Monotonic time of the last good answer, or of the start."""
    due: float = 0.0
    tried: bool = False
    """A first connection was attempted."""
    keepalive_due: float = math.inf
    keepalive_count: int = 0
    keepalive_failing: bool = False
    troubled: bool = False
    """True while a part of it cannot be had."""
