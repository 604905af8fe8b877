"""The table of present values: one row a point, in columns, applied a batch at a time.

Everything here is array work on whole batches: quality, plausible range, order of time, counters, change of value and
staleness. A batch of one device (about 60 values) takes some 10 µs, a joined batch of 12,400 well under 1 ms
(`benchmarks/point_table.py`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from controller.point.model import Site
    from drivers.driver import Clock

__all__ = ["CounterReset", "PointTable", "TableCounts"]

_NONE: NDArray[np.int32] = np.empty(0, np.int32)
_UNCERTAIN = np.uint8(64)
_BAD = np.uint8(128)
_STALE = np.uint8(Quality.UNCERTAIN_STALE)
_OUT = np.uint8(Quality.BAD_OUT_OF_SERVICE)
_LARGEST = 1e300
"""Beyond it nothing is a measurement, and differences of two values could overflow."""
_MAX_RESETS = 1_000
_WRAP_SHARE = 0.1
"""A counter that went back has wrapped, and not been reset, when it was in the last tenth below `wrap_at` and is in the
first tenth now."""


class CounterReset(NamedTuple):
    """A counter that went back without a roll-over: meter changed, device restarted, or a wrong value."""

    number: int
    old: float
    new: float


@dataclass(slots=True)
class TableCounts:
    """What was not applied as it came, since the start; for metrics."""

    applied: int = 0
    unknown: int = 0
    """Readings of a number that the site does not have."""
    out_of_order: int = 0
    """Readings older than the value held; not applied."""
    duplicates: int = 0
    """Readings of a point that came again, and newer, in the same batch."""
    out_of_range: int = 0
    non_finite: int = 0
    counter_wraps: int = 0
    counter_resets: int = 0
    resets_dropped: int = 0
    """Resets that nobody drained in time."""


class PointTable:
    """Present value, quality and times of every point, in arrays indexed by point number (size = highest number + 1).

    Numbers without a point hold NaN and `Quality.BAD_COMM`, like points never read. Other rooms read the arrays and
    never write them.
    """

    value: NDArray[np.float64]
    """Present value in the point's unit; NaN while the quality is bad. A point that is out of service keeps the value
    that arrives: its quality says that it is not to be believed, and history shows how the test runs went."""
    quality: NDArray[np.uint8]
    time_ns: NDArray[np.int64]
    """Source time, ns since 1970 UTC; 0 where never read."""
    received: NDArray[np.float64]
    """When it was applied, seconds on the monotonic clock; -inf where never read."""
    good_value: NDArray[np.float64]
    """The last good value; NaN where there was none."""
    good_time_ns: NDArray[np.int64]
    screened: Readings
    """The batch last applied as it was judged: known points, not older than what was held, with the quality that range
    and finiteness gave it, several readings of one point all kept. Alarm limits are checked on these."""

    def __init__(self, site: Site, clock: Clock) -> None:
        self.site = site
        self.counts = TableCounts()
        self._clock = clock
        self._resets: deque[CounterReset] = deque(maxlen=_MAX_RESETS)
        points = tuple(site.points.values())
        numbers = np.array([point.number for point in points], np.intp)
        if len(numbers) and int(numbers.min()) < 0:
            worst = min(points, key=lambda point: point.number)
            raise ValueError(f"{worst.address}: point number {worst.number}; a number from 0 is wanted")
        size = int(numbers.max()) + 1 if len(numbers) else 0
        self.size = size
        # One row more than there are numbers: clipped look-ups of foreign numbers end there, and it is not known.
        self._known = np.zeros(size + 1, np.bool_)
        self._known[numbers] = True

        self.value = np.full(size, np.nan)
        self.quality = np.full(size, Quality.BAD_COMM, np.uint8)
        self.time_ns = np.zeros(size, np.int64)
        self.received = np.full(size, -np.inf)
        self.good_value = np.full(size, np.nan)
        self.good_time_ns = np.zeros(size, np.int64)
        self._told = np.full(size, np.nan)
        self._place = np.zeros(size, np.intp)
        self._out = np.zeros(size, np.bool_)
        """The mask of what is out of service; see `take_out`."""
        self._any_out = False
        self._under = np.full(size, Quality.BAD_COMM, np.uint8)
        """Quality below the mask: what a masked point has when it comes back."""
        self._told_quality = np.full(size, Quality.BAD_COMM, np.uint8)

        # Infinite bounds become finite ones, so that the range check alone finds NaN and infinity too.
        self._low = np.full(size, -_LARGEST)
        self._high = np.full(size, _LARGEST)
        self._deadband = np.zeros(size)
        self._stale_s = np.full(size, np.inf)
        self._counter = np.zeros(size, np.bool_)
        self._wrap_at = np.full(size, np.nan)
        if points:
            self._low[numbers] = np.clip([point.low for point in points], -_LARGEST, _LARGEST)
            self._high[numbers] = np.clip([point.high for point in points], -_LARGEST, _LARGEST)
            self._deadband[numbers] = [point.deadband for point in points]
            self._stale_s[numbers] = [point.stale_s for point in points]
            self._counter[numbers] = [point.kind == "counter" for point in points]
            self._wrap_at[numbers] = [np.nan if point.wrap_at is None else point.wrap_at for point in points]
        self.screened = Readings.of([], [], 0)

    def apply(self, batch: Readings) -> NDArray[np.int32]:
        """Take a batch in; return the numbers whose value moved beyond its deadband or whose quality changed.

        Value and quality are compared with what was returned last for the point, so that a slow drift is told too.
        Readings of unknown numbers and readings older than the value held are counted and not applied; of several
        readings of one point the newest counts, of equal times the last. A held time that lies in the future (a clock
        was set back) does not count as newer. NaN and infinity (beyond 1e300) become `BAD_SENSOR`, a good value outside
        the plausible range `UNCERTAIN_RANGE`; a bad reading's value is NaN. Whatever a point that is out of service
        reads becomes `BAD_OUT_OF_SERVICE` and keeps its value.

        Raises:
            ValueError: the batch is late; late readings go to history alone.
        """
        if batch.late:
            raise ValueError("late readings go to history and never to the point table")
        self.screened = batch
        if not len(batch):
            return _NONE
        point, value, time_ns, quality = batch.point, batch.value, batch.time_ns, batch.quality
        counts = self.counts

        # Seen as unsigned, a negative number is a huge one; both end in the spare row.
        known = self._known.take(point.view(np.uint32), mode="clip")
        if (missing := len(point) - int(np.count_nonzero(known))) > 0:
            counts.unknown += missing
            point, value, time_ns, quality = point[known], value[known], time_ns[known], quality[known]
            self.screened = Readings(point, value, time_ns, quality)
        index = point.astype(np.intp)

        older = time_ns < self.time_ns[index]
        if np.count_nonzero(older):
            older &= self.time_ns[index] <= self._clock.now_ns()
        repeated = np.count_nonzero(point[1:] > point[:-1]) < len(point) - 1 and self._last(index).size < len(index)
        if repeated:
            older |= _older_within(index, time_ns, ~older & (time_ns <= self._clock.now_ns()))
        if (late := int(np.count_nonzero(older))) > 0:
            counts.out_of_order += late
            keep = ~older
            point, value, time_ns, quality = point[keep], value[keep], time_ns[keep], quality[keep]
            index = index[keep]
            self.screened = Readings(point, value, time_ns, quality)
        n = len(point)
        if n == 0:
            return _NONE

        fits = (value >= self._low[index]) & (value <= self._high[index])
        plain = np.count_nonzero(fits) == n and not np.count_nonzero(quality)
        if not plain:
            value, quality = self._screen(value, quality, fits)
            self.screened = Readings(point, value, time_ns, quality)
        if self._any_out and np.count_nonzero(masked := self._out[index]):
            self._under[index[masked]] = quality[masked]
            quality = np.where(masked, _OUT, quality)
            plain = False
            self.screened = Readings(point, value, time_ns, quality)

        if repeated:
            self._keep_good(index, value, time_ns, quality)
            last = self._last(index)
            counts.duplicates += n - len(last)
            point, value, time_ns, quality = point[last], value[last], time_ns[last], quality[last]
            index = index[last]

        counter = self._counter[index]
        if np.count_nonzero(counter):
            counter &= value < self.good_value[index]
            if np.count_nonzero(counter):
                self._count_back(index[counter], value[counter], quality[counter])
        counts.applied += len(point)
        self.value[index] = value
        self.time_ns[index] = time_ns
        self.received[index] = self._clock.monotonic()
        self.quality[index] = quality
        if plain:
            self.good_value[index] = value
            self.good_time_ns[index] = time_ns
        else:
            good = quality < _UNCERTAIN
            self.good_value[index[good]] = value[good]
            self.good_time_ns[index[good]] = time_ns[good]

        moved = value - self._told[index]
        changed = np.abs(moved, out=moved) > self._deadband[index]
        told_quality = self._told_quality[index]
        if not plain or np.count_nonzero(told_quality):
            changed |= quality != told_quality
        if self._any_out and not plain:
            # Out of service, a value may come and go without a change of quality.
            changed |= np.isnan(value) != np.isnan(self._told[index])
        which = changed.nonzero()[0]
        if not len(which):
            return _NONE
        told = index[which]
        self._told[told] = value[which]
        self._told_quality[told] = quality[which]
        numbers: NDArray[np.int32] = point[which]
        return numbers

    def expire(self) -> NDArray[np.int32]:
        """Mark every point whose last reading is older than its `stale_s`; return those marked now.

        Good and uncertain values become `UNCERTAIN_STALE` and keep their value; bad ones stay as they are. Age is
        measured from the moment of applying, on the monotonic clock: setting the calendar makes nothing stale.
        """
        due = (
            (self._clock.monotonic() - self.received > self._stale_s) & (self.quality < _BAD) & (self.quality != _STALE)
        )
        numbers = due.nonzero()[0]
        if not len(numbers):
            return _NONE
        self.quality[numbers] = _STALE
        self._told[numbers] = self.value[numbers]
        self._told_quality[numbers] = _STALE
        stale: NDArray[np.int32] = numbers.astype(np.int32)
        return stale

    def take_out(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """Set which points are out of service, in place of those before; return those that changed.

        A point that goes has `BAD_OUT_OF_SERVICE` at once and whatever it reads. One that comes back has the quality of
        its last reading again, and its next reading counts as changed, so that history sees it return.
        """
        mask = np.zeros(self.size, np.bool_)
        mask[numbers] = True
        mask &= self._known[: self.size]
        gone, back = mask & ~self._out, self._out & ~mask
        self._out, self._any_out = mask, bool(mask.any())
        self._under[gone] = self.quality[gone]
        self.quality[gone] = self._told_quality[gone] = _OUT
        self._told[gone] = self.value[gone]
        self.quality[back] = self._under[back]
        self.value[back & (self.quality >= _BAD)] = np.nan
        changed: NDArray[np.int32] = (gone | back).nonzero()[0].astype(np.int32)
        return changed

    @property
    def out_of_service(self) -> NDArray[np.int32]:
        """Numbers of the points that are out of service."""
        numbers: NDArray[np.int32] = self._out.nonzero()[0].astype(np.int32)
        return numbers

    def drain_resets(self) -> list[CounterReset]:
        """Return the counter resets since the last call, oldest first (at most 1,000 are kept)."""
        resets = list(self._resets)
        self._resets.clear()
        return resets

    def migrate(self, site: Site) -> PointTable:
        """Return the table of a new configuration; points of the same number, kind and unit keep what they hold."""
        table = PointTable(site, self._clock)
        before = self.site.by_number()
        kept = [
            point.number
            for point in site.points.values()
            if (old := before.get(point.number)) is not None and (old.kind, old.unit) == (point.kind, point.unit)
        ]
        numbers = np.array(kept, np.intp)
        for new, old_column in (
            (table.value, self.value),
            (table.quality, self.quality),
            (table.time_ns, self.time_ns),
            (table.received, self.received),
            (table.good_value, self.good_value),
            (table.good_time_ns, self.good_time_ns),
            (table._told, self._told),
            (table._told_quality, self._told_quality),
            (table._out, self._out),
            (table._under, self._under),
        ):
            new[numbers] = old_column[numbers]
        table._any_out = bool(table._out.any())
        table.counts = self.counts
        table._resets = self._resets
        return table

    def _screen(
        self, value: NDArray[np.float64], quality: NDArray[np.uint8], fits: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return value and quality of a batch with misfits: not finite, out of range, or not good as it came."""
        finite = np.abs(value) <= _LARGEST
        broken = ~finite & (quality < _BAD)
        outside = finite & ~fits & (quality < _UNCERTAIN)
        self.counts.non_finite += int(np.count_nonzero(broken))
        self.counts.out_of_range += int(np.count_nonzero(outside))
        quality = quality.copy()
        quality[broken] = Quality.BAD_SENSOR
        quality[outside] = Quality.UNCERTAIN_RANGE
        return np.where(quality >= _BAD, np.nan, value), quality

    def _keep_good(
        self,
        index: NDArray[np.intp],
        value: NDArray[np.float64],
        time_ns: NDArray[np.int64],
        quality: NDArray[np.uint8],
    ) -> None:
        """Store the newest good value of each point of a batch in which a newer reading of it may be bad."""
        good = quality < _UNCERTAIN
        index, value, time_ns = index[good], value[good], time_ns[good]
        last = self._last(index)
        self.good_value[index[last]] = value[last]
        self.good_time_ns[index[last]] = time_ns[last]

    def _last(self, index: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return, in the order of the batch, the place of the last reading of each point.

        Each reading writes its place in the batch into its point's row; of several the last stays.
        """
        place = np.arange(len(index))
        self._place[index] = place
        last: NDArray[np.intp] = (self._place[index] == place).nonzero()[0]
        return last

    def _count_back(self, index: NDArray[np.intp], value: NDArray[np.float64], quality: NDArray[np.uint8]) -> None:
        """Count counters that are below their last good value, as roll-over or as reset."""
        for number, new, judged in zip(index.tolist(), value.tolist(), quality.tolist(), strict=True):
            if judged >= _UNCERTAIN:
                continue
            old, wrap_at = float(self.good_value[number]), float(self._wrap_at[number])
            # Comparisons with NaN (no known roll-over) are false.
            if old >= wrap_at * (1 - _WRAP_SHARE) and new <= wrap_at * _WRAP_SHARE:
                self.counts.counter_wraps += 1
                continue
            self.counts.counter_resets += 1
            self.counts.resets_dropped += len(self._resets) == _MAX_RESETS
            self._resets.append(CounterReset(number, old, new))


def _older_within(index: NDArray[np.intp], time_ns: NDArray[np.int64], counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which readings are older than one of the same point before them in the batch.

    Only readings for which `counts` is true make later ones old.
    """
    order = np.argsort(index, kind="stable")
    # Ranks in place of times, and points far apart: one running maximum then serves all points.
    moments, rank = np.unique(time_ns, return_inverse=True)
    base = np.searchsorted(index[order], index[order]) * len(moments)
    key = base + rank[order]
    newest = np.maximum.accumulate(np.where(counts[order], key, base))
    older = np.zeros(len(index), np.bool_)
    older[order] = key < newest
    return older
