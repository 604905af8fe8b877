"""Memory of rules: aggregates over the last minutes or hours, and how long a condition has held.

Both keep arrays of bounded size over all equipment of a rule, on the monotonic clock: setting the calendar moves
nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AGGREGATES", "COVERAGE", "Gained", "Held", "Window", "parse_window"]

AGGREGATES = ("mean", "min", "max", "rate")
COVERAGE = 0.5
"""Share of the window that must be known; below it the aggregate is unknown."""
_BUCKETS = 60
_LONGEST_S = 86_400
_NAME = re.compile(rf"({'|'.join(AGGREGATES)})_([1-9]\d{{0,4}})(s|min|h)")
_SECONDS = {"s": 1, "min": 60, "h": 3600}


def parse_window(name: str) -> tuple[str, float]:
    """Return (aggregate, span in s) of a window such as `mean_15min`.

    Raises:
        ValueError: it is not written so, or is longer than 24 h.
    """
    found = _NAME.fullmatch(name)
    span = int(found[2]) * _SECONDS[found[3]] if found else 0
    if not found or span > _LONGEST_S:
        raise ValueError(f"window {name!r}; wanted is <{'|'.join(AGGREGATES)}>_<n><s|min|h>, at most 24 h")
    return found[1], float(span)


class Window:
    """Aggregates of `size` values that are held from one update to the next, over the last `span_s` seconds.

    The span is cut into 60 buckets, so that its far edge moves in steps of a sixtieth, and memory is 61 rows of six
    arrays whatever the rate of updates. Unknown stretches weigh nothing.
    """

    def __init__(self, aggregate: str, span_s: float, size: int) -> None:
        self.aggregate = aggregate
        self.span_s = span_s
        self.size = size
        self._step = span_s / _BUCKETS
        shape = (_BUCKETS + 1, size)
        self._seconds = np.zeros(shape)
        """Known time in each bucket."""
        self._sum = np.zeros(shape)
        self._low = np.full(shape, np.inf)
        self._high = np.full(shape, -np.inf)
        self._first_at = np.full(shape, np.inf)
        self._first = np.zeros(shape)
        self._held = np.zeros(size)
        self._held_known = np.zeros(size, np.bool_)
        self._held_at = np.zeros(size)
        self._at: float | None = None
        self._bucket = 0
        self._began = np.inf
        """Moment of the first update; what is filled in ends there."""
        self._settled: int | None = None
        """Bucket at which the sums below were made; all buckets but that one are in them and change no more."""
        self._settled_seconds = np.zeros(size)
        self._settled_sum = np.zeros(size)

    def update(self, now: float, value: NDArray[np.float64], known: NDArray[np.bool_]) -> None:
        """Take the values of the moment `now` (monotonic s, never smaller than before)."""
        if self._at is None:
            self._at, self._bucket = now, int(now // self._step)
        self._began = min(self._began, now)
        self._pass(now)
        self._held = np.where(known, value, 0.0)
        self._held_known = np.array(np.broadcast_to(known, self.size))
        self._held_at = np.full(self.size, now)
        self._note(self._bucket % (_BUCKETS + 1))

    def result(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the aggregate at the last update and whether it is known.

        `rate` is the change a second, between the oldest and the newest known value of the window, each taken for the
        moment of its update.
        """
        row = self._bucket % (_BUCKETS + 1)
        if self._settled != self._bucket:
            self._settled = self._bucket
            self._settled_seconds = self._seconds.sum(axis=0) - self._seconds[row]
            self._settled_sum = self._sum.sum(axis=0) - self._sum[row]
        seconds = self._settled_seconds + self._seconds[row]
        known = seconds >= COVERAGE * self.span_s * (1 - 1e-9)
        if self.aggregate == "mean":
            value = (self._settled_sum + self._sum[row]) / np.where(known, seconds, 1.0)
        elif self.aggregate == "min":
            value = self._low.min(axis=0)
        elif self.aggregate == "max":
            value = self._high.max(axis=0)
        else:
            oldest = self._first_at.argmin(axis=0)
            column = np.arange(self.size)
            began, start = self._first_at[oldest, column], self._first[oldest, column]
            elapsed = self._held_at - began
            known = known & self._held_known & (elapsed > 0)
            value = (self._held - start) / np.where(known, elapsed, 1.0)
        return np.where(known, value, np.nan), known

    def fill(
        self, column: int, at: NDArray[np.float64], value: NDArray[np.float64], known: NDArray[np.bool_], now: float
    ) -> None:
        """Put the past of one column in, once: what was before its first update.

        History is asked for while the building is already looked at; what has been seen since is not touched.

        Args:
            column: which of the `size` values.
            at: monotonic times in rising order, all at most `now`; each value holds until the next.
            value: the values at these times.
            known: whether each is good.
            now: the present moment, the same for all columns.
        """
        fresh = self._began > now
        if fresh:
            self._at, self._bucket = now, int(now // self._step)
        self._settled = None
        begin = (self._bucket - _BUCKETS) * self._step
        now = min(now, self._began)
        before = at < now if not fresh else np.ones(len(at), np.bool_)
        at, value, known = at[before], value[before], known[before]
        if not len(at) or now <= begin:
            return
        edges = np.arange(self._bucket - _BUCKETS, self._bucket + 1) * self._step
        edges = edges[edges < now]
        times = np.union1d(edges, at[(at > begin) & (at < now)])
        source = np.searchsorted(at, times, side="right") - 1
        usable = (source >= 0) & (times < now)
        times, source = times[usable], source[usable]
        usable = known[source]
        length = np.diff(np.append(times, now))[usable]
        times, source = times[usable], source[usable]
        row = np.floor(times / self._step + 1e-9).astype(np.int64) % (_BUCKETS + 1)
        held = value[source]
        np.add.at(self._seconds[:, column], row, length)
        np.add.at(self._sum[:, column], row, length * held)
        np.minimum.at(self._low[:, column], row, held)
        np.maximum.at(self._high[:, column], row, held)
        # Of a row that is there several times the last one written stays: backwards, so that it is the first.
        self._first_at[row[::-1], column], self._first[row[::-1], column] = at[source[::-1]], held[::-1]
        if not fresh:
            return
        self._held_known[column] = bool(known[-1])
        self._held[column] = value[-1] if known[-1] else 0.0
        self._held_at[column] = at[-1]

    def _pass(self, now: float) -> None:
        """Give the held values their time from the last update to `now`, bucket by bucket."""
        assert self._at is not None
        bucket = int(now // self._step)
        if bucket - self._bucket > _BUCKETS:  # a gap longer than the window: only its last part counts
            self._bucket = bucket - _BUCKETS - 1
            self._at = (self._bucket + 1) * self._step
        while True:
            end = min(now, (self._bucket + 1) * self._step)
            if end > self._at:
                row = self._bucket % (_BUCKETS + 1)
                passed = np.where(self._held_known, end - self._at, 0.0)
                self._seconds[row] += passed
                self._sum[row] += passed * self._held
                self._at = end
            if self._bucket >= bucket:
                break
            self._bucket += 1
            self._clear(self._bucket % (_BUCKETS + 1))
            self._note(self._bucket % (_BUCKETS + 1))
        self._at = now

    def _clear(self, row: int) -> None:
        self._seconds[row] = 0.0
        self._sum[row] = 0.0
        self._low[row] = np.inf
        self._high[row] = -np.inf
        self._first_at[row] = np.inf

    def _note(self, row: int) -> None:
        """Let the held values count for the extremes and the first value of a bucket."""
        known = self._held_known
        self._low[row] = np.where(known, np.minimum(self._low[row], self._held), self._low[row])
        self._high[row] = np.where(known, np.maximum(self._high[row], self._held), self._high[row])
        first = known & ~np.isfinite(self._first_at[row])
        self._first_at[row] = np.where(first, self._held_at, self._first_at[row])
        self._first[row] = np.where(first, self._held, self._first[row])


class Held:
    """Whether each of `size` conditions has been true for all of the last `span_s` seconds, with three values.

    False as soon as it is known that it was not true at some moment of the span, unknown when some moment of it is
    unknown, true otherwise. Nothing is known of the time before the first update,
    whose condition is taken to have been unknown since `now`.
    """

    def __init__(self, span_s: float, size: int, now: float) -> None:
        self._span = span_s
        self._false_until = np.full(size, -np.inf)
        self._unknown_until = np.full(size, now)
        self._was_false = np.zeros(size, np.bool_)
        self._was_unknown = np.ones(size, np.bool_)

    def update(
        self, now: float, value: NDArray[np.bool_], known: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Take the condition of the moment `now` (monotonic s); return (value, known)."""
        false, unknown = known & ~value, ~known
        # A value holds from one update to the next, so the state before counts up to this moment.
        self._false_until = np.where(false | self._was_false, now, self._false_until)
        self._unknown_until = np.where(unknown | self._was_unknown, now, self._unknown_until)
        self._was_false, self._was_unknown = false, unknown
        begin = now - self._span + 1e-9 * self._span
        not_all = false | (self._false_until > begin)
        open_ = unknown | (self._unknown_until > begin)
        return ~not_all & ~open_, not_all | ~open_


class Gained:
    """How much each of `size` values has grown since its condition last became true.

    Unknown until the condition was seen to become true; when it ends, what was gained stays. A value that is lower than
    at the beginning was set back in between: then nobody knows.
    """

    def __init__(self, size: int) -> None:
        self._was_false = np.zeros(size, np.bool_)
        self._begins = np.zeros(size, np.bool_)
        """The condition holds, and its first known value is still awaited."""
        self._first = np.full(size, np.nan)
        self._gained = np.full(size, np.nan)

    def update(
        self,
        value: NDArray[np.float64],
        known: NDArray[np.bool_],
        holds: NDArray[np.bool_],
        holds_known: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Take value and condition of the moment; return (gained, known)."""
        true, false = holds & holds_known, ~holds & holds_known
        begins = true & self._was_false
        self._begins = (self._begins | begins) & ~false
        self._gained = np.where(begins, np.nan, self._gained)
        first = self._begins & known
        self._first = np.where(first, value, self._first)
        self._begins &= ~first
        grows = true & known & ~self._begins
        self._gained = np.where(grows, value - self._first, self._gained)
        self._was_false = np.where(holds_known, false, self._was_false)
        return self._gained, self._gained >= 0.0
