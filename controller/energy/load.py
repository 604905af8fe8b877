"""Quarter hours of energy from the readings of counters: what is not known stays unknown (NaN) and is counted.

A counter's reading at the edge of a window is taken from the readings around it, where they are near: energy is a
difference of two such readings, never an integral over a gap. A counter that rolled over goes on from zero; one that
was reset leaves the window in which it happened unknown. What a counter counted over a gap is known as a sum and
belongs to no window: it is **unplaced**.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from controller.history.store import Buckets

__all__ = ["QUARTER_NS", "Counter", "Load", "edge_readings", "load_of", "steps"]

QUARTER_NS = 900_000_000_000
_WRAP_SHARE = 0.1
"""As in `controller.point.table`: a roll-over falls from the last tenth below `wrap_at` to the first tenth."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter of the history: its point number, and where its register begins again (None: not known)."""

    number: int
    wrap_at: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Energy of equal windows, side by side; each array has one item a window."""

    start_ns: NDArray[np.int64]
    """ns UTC."""
    kwh: NDArray[np.float64]
    """NaN where readings are missing, or where a counter was reset."""
    kvarh: NDArray[np.float64]
    """NaN where it is not known."""
    resets: int = 0
    """How often a counter went back; what it had counted until then is lost."""
    unplaced_kwh: float = 0.0
    """Counted between two readings with windows of unknown energy between them."""
    whole: bool = False
    """Whether `total_kwh` is that of the whole span: readings at both of its ends, and no reset between."""

    def __len__(self) -> int:
        return len(self.start_ns)

    @property
    def missing(self) -> int:
        """Windows whose energy is not known."""
        return int(np.count_nonzero(~np.isfinite(self.kwh)))

    @property
    def total_kwh(self) -> float | None:
        """All that was counted, also what belongs to no window; None where nothing is known."""
        if self.missing == len(self) and not self.unplaced_kwh:
            return None
        return float(np.nansum(self.kwh)) + self.unplaced_kwh


def edge_readings(buckets: Buckets, edges: NDArray[np.int64], apart_ns: int) -> NDArray[np.float64]:
    """Return what a counter showed at each of `edges` (ns UTC, rising); NaN where no reading is near.

    The least value of a bucket is its first reading, and is taken to be of the bucket's beginning. Between two readings
    at most `apart_ns` apart the counter is taken to have risen evenly, and between two equal ones to have stood still;
    across a fall (a reset, a roll-over) nothing is assumed.
    """
    good = np.isfinite(buckets.minimum)
    # A bucket in which the counter fell has no first reading that can be told from its aggregates.
    good &= ~(buckets.maximum > buckets.last)
    time, value = buckets.start_ns[good], buckets.minimum[good]
    found = np.full(len(edges), np.nan)
    if not len(time):
        return found
    after = np.searchsorted(time, edges)
    exact = after < len(time)
    exact[exact] = time[after[exact]] == edges[exact]
    found[exact] = value[after[exact]]
    inside = ~exact & (after > 0) & (after < len(time))
    high, low = after[inside], after[inside] - 1
    span = time[high] - time[low]
    rise = value[high] - value[low]
    near = (span <= apart_ns) & (rise >= 0) | (rise == 0)
    share = (edges[inside] - time[low]) / np.maximum(span, 1)
    found[inside] = np.where(near, value[low] + rise * share, np.nan)
    return found


def steps(reading: NDArray[np.float64], wrap_at: float | None = None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what was counted between neighbouring readings, and where the counter was reset (NaN there).

    A fall from the last tenth below `wrap_at` into the first tenth is a roll-over: the counter went on from zero.
    """
    before, after = reading[:-1], reading[1:]
    step = after - before
    back = step < 0
    if wrap_at is not None:
        over = back & (before >= (1 - _WRAP_SHARE) * wrap_at) & (after <= _WRAP_SHARE * wrap_at)
        step = np.where(over, step + wrap_at, step)
        back &= ~over
    return np.where(back, np.nan, step), back


def load_of(
    edges: NDArray[np.int64],
    counters: Sequence[tuple[Counter, NDArray[np.float64]]],
    kvarh: NDArray[np.float64],
) -> Load:
    """Return the load of counters together, from their readings at each edge (one more than windows).

    A window that one of them does not know is unknown; what the others counted in it is then unplaced.
    """
    known = np.zeros(max(0, len(edges) - 1))
    if not counters or not len(known):
        return Load(edges[:-1], np.full(len(known), np.nan), kvarh)
    total, resets, whole = 0.0, 0, True
    for counter, reading in counters:
        known = known + steps(reading, counter.wrap_at)[0]
        counted, back = steps(reading[np.isfinite(reading)], counter.wrap_at)
        total += float(np.nansum(counted))
        resets += int(np.count_nonzero(back))
        whole &= bool(np.isfinite(reading[[0, -1]]).all())
    unplaced = total - float(np.nansum(known))
    # Sums in another order differ in the last digits; a counter's step is far above that.
    unplaced = unplaced if unplaced > 1e-6 * max(1.0, total) else 0.0
    return Load(edges[:-1], known, kvarh, resets, unplaced, whole and not resets)
