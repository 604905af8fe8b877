"""Lock-out after failed sign-ins, per user and address: five failures, then fifteen minutes (附表十, authentication).

The pair is locked and not the user, so that somebody at another address cannot keep an operator out. Monotonic time:
a clock that is set forward opens nothing. The counts are in memory alone: writing one for each wrong password would let
a stranger fill the disk, restarts are not in a stranger's hands, and the audit journal has every failure.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.driver import Clock

__all__ = ["FAILURES", "LOCK_S", "Lockout"]

FAILURES = 5
LOCK_S = 15 * 60.0
_CAPACITY = 20_000


@dataclass(slots=True)
class _Count:
    failures: int
    last: float
    until: float = 0.0


class Lockout:
    """Counts failures in memory, at most 20,000 pairs; the oldest go first and are counted in `dropped`."""

    def __init__(self, clock: Clock, failures: int = FAILURES, lock_s: float = LOCK_S) -> None:
        """Begin with nobody locked."""
        self._clock = clock
        self._failures = failures
        self._lock_s = lock_s
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self.dropped = 0

    def remaining(self, user: str, address: str) -> int:
        """Return the seconds for which the pair is still locked, 0 when it is not."""
        count = self._counts.get((user, address))
        return 0 if count is None else max(0, math.ceil(count.until - self._clock.monotonic()))

    def fail(self, user: str, address: str) -> bool:
        """Count one failure; True when it was the one that locks."""
        now = self._clock.monotonic()
        key = (user, address)
        count = self._counts.pop(key, None)
        if count is None or now - count.last > self._lock_s or (count.until and now >= count.until):
            count = _Count(0, now)
        count.failures += 1
        count.last = now
        locked = count.failures >= self._failures
        if locked:
            count.until = now + self._lock_s
        self._counts[key] = count
        if len(self._counts) > _CAPACITY:
            self._counts.popitem(last=False)
            self.dropped += 1
        return locked

    def forgive(self, user: str, address: str) -> None:
        """Take back one failure that was none: the server was too busy to look."""
        count = self._counts.get((user, address))
        if count is not None:
            count.failures -= 1
            count.until = 0.0 if count.failures < self._failures else count.until

    def succeed(self, user: str, address: str) -> None:
        """Forget the failures of the pair."""
        self._counts.pop((user, address), None)
