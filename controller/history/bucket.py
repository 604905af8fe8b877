"""Aggregates over equal spans of time, from readings and from the aggregates of whole blocks alike.

Both become **cells**: a reading is a cell of one, a block a cell of many. Cells of one bucket are then folded.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from controller.history.store import Buckets
from drivers.reading import is_bad, is_good

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from controller.history.block import Columns, Summary

__all__ = ["Cells", "cells_of_readings", "cells_of_summaries", "fold"]


@dataclass(frozen=True, slots=True)
class Cells:
    """Aggregates in columns; any order."""

    time_ns: NDArray[np.int64]
    """A time within the cell: which bucket it is in, and which cell of a bucket is the last."""
    count: NDArray[np.int64]
    used: NDArray[np.int64]
    good: NDArray[np.int64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    total: NDArray[np.float64]
    last: NDArray[np.float64]


def cells_of_readings(columns: Columns) -> Cells:
    """Return a cell a reading."""
    used = np.isfinite(columns.value) & ~is_bad(columns.quality)
    value = np.where(used, columns.value, np.nan)
    ones = np.ones(len(columns), np.int64)
    good = is_good(columns.quality).astype(np.int64)
    total = np.where(used, columns.value, 0.0)
    return Cells(columns.time_ns, ones, used.astype(np.int64), good, value, value, total, value)


def cells_of_summaries(rows: Sequence[Summary]) -> Cells:
    """Return a cell a block."""
    return Cells(
        np.array([row.last_ns for row in rows], np.int64),
        np.array([row.count for row in rows], np.int64),
        np.array([row.used for row in rows], np.int64),
        np.array([row.good for row in rows], np.int64),
        np.array([row.minimum for row in rows], np.float64),
        np.array([row.maximum for row in rows], np.float64),
        np.array([row.total for row in rows], np.float64),
        np.array([row.last for row in rows], np.float64),
    )


def fold(number: int, parts: Sequence[Cells], start_ns: int, bucket_ns: int) -> Buckets:
    """Return the buckets of one point; cells must lie within one bucket each and after `start_ns`."""
    joined = [np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Cells)]
    order = np.argsort(joined[0], kind="stable")
    time, count, used, good, minimum, maximum, total, last = (column[order] for column in joined)
    if not len(time):
        none = np.empty(0, np.float64)
        whole = np.empty(0, np.int64)
        return Buckets(number, whole, whole, none, none, none, none, none)
    bucket = (time - start_ns) // bucket_ns
    edge = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    counts = np.add.reduceat(count, edge)
    uses = np.add.reduceat(used, edge)
    newest = np.maximum.reduceat(np.where(used > 0, np.arange(len(time)), -1), edge)
    some = uses > 0
    mean = np.full(len(edge), np.nan)
    np.divide(np.add.reduceat(total, edge), uses, out=mean, where=some)
    return Buckets(
        number,
        start_ns + bucket[edge] * bucket_ns,
        counts,
        np.fmin.reduceat(minimum, edge),
        np.fmax.reduceat(maximum, edge),
        mean,
        np.where(some, last[newest], np.nan),
        np.add.reduceat(good, edge) / counts,
    )
