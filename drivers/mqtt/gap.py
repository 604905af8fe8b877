"""Gaps in a sender's sequence numbers: what is missing, when it is asked for again, and what comes late. Pure.

A sender counts its events 1, 2, 3 …. A step of more than one means that some were lost on the way; they are asked for,
and what then comes with a missing number is late. A number that was there already is a repetition; one that is
lower and newer means that the sender began to count again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["MOST_MISSING", "Gaps", "Verdict"]

MOST_MISSING = 1000
"""Numbers of one sender that are waited for; of a wider gap the newest."""
ASK_EVERY_S = 10.0
"""A sender is asked at most this often, however many gaps it has."""
TRIES = 3
"""Requests for one gap: a sender that no longer has the events is left in peace."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one number says."""

    lost: int = 0
    """Numbers that were found missing now."""
    ask_from: int | None = None
    """Ask for everything from this number on."""
    late: bool = False
    """It was missing, and has come after others."""
    repeated: bool = False
    """It has been there already."""


class Gaps:
    """The numbers of one sender."""

    def __init__(self) -> None:
        self._highest: int | None = None
        self._newest_ns = 0
        self._missing: set[int] = set()
        self._asked = -math.inf
        self._tries = 0

    @property
    def missing(self) -> int:
        """How many numbers are waited for."""
        return len(self._missing)

    def see(self, number: int, time_ns: int, now: float) -> Verdict:
        """Take the number of one event with its source time; `now` is monotonic, s."""
        if self._highest is None:
            self._highest, self._newest_ns = number, time_ns
            return Verdict()
        if number in self._missing:
            self._missing.discard(number)
            return Verdict(late=True)
        if number <= self._highest:
            if time_ns <= self._newest_ns:
                return Verdict(repeated=True)
            # It counts again from the start: what was missing before will not be told any more.
            self._missing.clear()
            self._highest, self._newest_ns = number, time_ns
            return Verdict()
        first, lost = self._highest + 1, number - self._highest - 1
        self._highest, self._newest_ns = number, max(self._newest_ns, time_ns)
        self._missing.update(range(max(first, number - MOST_MISSING), number))
        if len(self._missing) > MOST_MISSING:
            self._missing = set(sorted(self._missing)[-MOST_MISSING:])
        if lost:
            self._tries = 0
        if not self._missing or self._tries >= TRIES or now - self._asked < ASK_EVERY_S:
            return Verdict(lost=lost)
        self._asked, self._tries = now, self._tries + 1
        return Verdict(lost=lost, ask_from=min(self._missing))
