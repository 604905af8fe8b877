"""Lock-out after failed sign-ins, per user and address: five failures, then fifteen minutes (附表十, authentication).

The pair is locked and not the user, so that somebody at another address cannot keep an operator out. Monotonic time:
a clock that is set forward opens nothing. The counts are in memory; a restart takes them from the audit journal, which
has every failure (`read_failures`), so that whoever can have the controller restarted gets no five tries more.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.journal import schema

if TYPE_CHECKING:
    from controller.identity.account import StateStore
    from drivers.driver import Clock

__all__ = ["FAILURES", "LOCK_S", "Lockout", "read_failures"]

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

    def fail(self, user: str, address: str, ago_s: float = 0.0) -> bool:
        """Count one failure, of so long ago; True when it was the one that locks."""
        now = self._clock.monotonic() - ago_s
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


async def read_failures(store: StateStore, lockout: Lockout, clock: Clock) -> None:
    """Count the failures of the last fifteen minutes again that the audit journal has, at a start.

    Raises:
        UnavailableError: the state database cannot be read.
    """
    row, now_ns = schema.audit_entry.c, clock.now_ns()
    recent = (
        select(row.actor, row.client, row.outcome, row.time_ns)
        .where(row.time_ns > now_ns - round(LOCK_S * 1e9), row.action.in_(("sign_in", "password_change")))
        .order_by(row.id.desc())
        .limit(_CAPACITY)
    )
    for entry in reversed(await store.fetch(recent)):
        if entry.outcome == "failed":
            # A clock that was set back in between: as if it were now.
            lockout.fail(entry.actor, entry.client, max(0.0, (now_ns - entry.time_ns) / 1e9))
        elif entry.outcome == "done":
            lockout.succeed(entry.actor, entry.client)
