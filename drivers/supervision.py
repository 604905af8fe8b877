"""Decisions of the supervision of a link: when to connect again, when to poll, when to leave a silent device alone.

No I/O and no tasks here; `drivers.link` acts on what these say. All times are monotonic seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from drivers.driver import Clock

__all__ = ["SLOT_S", "Backoff", "Breaker", "ConnectLimiter", "loss_limit_s", "missed_slots", "next_slot"]

SLOT_S = 0.1
"""Width of a poll slot. Devices polled in one slot share the wake-up of the event loop."""
_EPSILON = 1e-6
_LOSS_POLLS = 3
_LOSS_S = 10.0


def next_slot(now: float, period_s: float) -> float:
    """Return the first start of a poll strictly after `now`.

    Starts are multiples of the period, moved up to the next multiple of `SLOT_S`, so that all devices of one period
    on all links start together.
    """
    period = max(period_s, SLOT_S)
    turn = math.floor(now / period + _EPSILON) + 1
    slot = math.ceil(turn * period / SLOT_S - _EPSILON) * SLOT_S
    while slot <= now + _EPSILON:
        turn += 1
        slot = math.ceil(turn * period / SLOT_S - _EPSILON) * SLOT_S
    return slot


def missed_slots(due: float, following: float, period_s: float) -> int:
    """Return how many starts were skipped between the poll of `due` and the one of `following`."""
    return max(0, round((following - due) / max(period_s, SLOT_S)) - 1)


def loss_limit_s(period_s: float) -> float:
    """Return the time without a good answer after which a device is lost: 3 periods, at least 10 s."""
    return max(_LOSS_POLLS * period_s, _LOSS_S)


@dataclass(slots=True)
class Backoff:
    """Exponential back-off with full jitter.

    The ceiling doubles from 1 s. For the first ten minutes of an outage it stops at 15 s, so that what comes back is
    seen within 15 s; after that it goes on to 60 s.
    """

    rng: random.Random
    first_s: float = 1.0
    short_cap_s: float = 15.0
    cap_s: float = 60.0
    patience_s: float = 600.0
    attempt: int = 0
    since: float | None = None

    def ceiling(self, now: float) -> float:
        """Return the longest wait before the next attempt."""
        outage = 0.0 if self.since is None else now - self.since
        cap = self.cap_s if outage >= self.patience_s else self.short_cap_s
        return min(cap, self.first_s * 2.0 ** min(self.attempt - 1, 16))

    def failed(self, now: float) -> float:
        """Count a failed attempt and return how long to wait, 0 to the ceiling."""
        if self.since is None:
            self.since = now
        self.attempt += 1
        return self.rng.uniform(0.0, self.ceiling(now))

    def reset(self) -> None:
        """Forget the failures: a good answer came."""
        self.attempt = 0
        self.since = None


@dataclass(slots=True)
class ConnectLimiter:
    """At most `per_second` connects over all links that share it (200 devices that return at once).

    A link's first connect waits less: at a start there are no polls yet that it could delay, and nobody sees the
    building before it.
    """

    clock: Clock
    per_second: float = 10.0
    first_per_second: float = 30.0
    _next: float = field(default=-math.inf, init=False)

    async def wait(self, *, first: bool = False) -> None:
        """Wait for one's turn to connect."""
        now = self.clock.monotonic()
        turn = max(now, self._next)
        self._next = turn + 1.0 / (max(self.first_per_second, self.per_second) if first else self.per_second)
        if turn > now:
            await self.clock.sleep(turn - now)


@dataclass(slots=True)
class Breaker:
    """Circuit breaker of one device: after `threshold` failures in a row it is only probed.

    While others on the line answer, the interval grows from `first_s` by `growth` to `cap_s`: one short probe costs
    them a few per cent at first, less later. Where nobody else answers nobody pays, and it stays at `alone_s`.
    """

    threshold: int = 3
    first_s: float = 10.0
    growth: float = 1.5
    cap_s: float = 60.0
    alone_s: float = 5.0
    failures: int = 0
    interval_s: float = 0.0

    @property
    def open(self) -> bool:
        """True while the device is only probed."""
        return self.failures >= self.threshold

    @property
    def short(self) -> bool:
        """True when the next try is a short probe; every third one waits in full: it may be slow, not dead."""
        return self.open and self.failures % 3 != 2

    def failed(self, *, mates_answer: bool) -> float:
        """Count a failure; return seconds until the next try, 0 for "at the next slot"."""
        self.failures += 1
        if not self.open:
            return 0.0
        if not mates_answer:
            self.interval_s = self.alone_s
        elif self.interval_s < self.first_s:
            self.interval_s = self.first_s
        else:
            self.interval_s = min(self.cap_s, self.interval_s * self.growth)
        return self.interval_s

    def succeeded(self) -> None:
        """Close the breaker."""
        self.failures = 0
        self.interval_s = 0.0
