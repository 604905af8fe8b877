"""Windows and spans: which blocks a query must open, and into which blocks readings are cut. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.errors import InvalidError
from controller.history.block import Columns
from controller.history.store import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from controller.history.shelf import Row

__all__ = ["MAX_BUCKETS", "check_buckets", "check_window", "hours", "spans", "split"]

MAX_BUCKETS = 20_000


def check_buckets(start_ns: int, end_ns: int, bucket_ns: int) -> None:
    """Check the spans of an aggregate query.

    Raises:
        InvalidError: the window is empty, or holds more than `MAX_BUCKETS` spans.
    """
    check_window(start_ns, end_ns)
    if bucket_ns < 1 or (end_ns - start_ns) // bucket_ns > MAX_BUCKETS:
        raise InvalidError(
            f"bucket: {bucket_ns} ns in a window of {end_ns - start_ns} ns, wanted 1 to {MAX_BUCKETS} buckets"
        )


def check_window(start_ns: int, end_ns: int) -> None:
    """Check the window of a query.

    Raises:
        InvalidError: it is empty.
    """
    if end_ns <= start_ns:
        raise InvalidError(f"window: ends at {end_ns}, which is not after its start at {start_ns}")


def split(
    rows: Sequence[Row], tail: Sequence[Columns], start_ns: int, end_ns: int, bucket_ns: int
) -> tuple[list[Row], list[Row]]:
    """Tell the blocks whose aggregates can stand for them from those that must be opened.

    A block stands for itself when its readings lie within the window and one bucket and no other block or tail has
    readings of its time.
    """
    spans = [(row.summary.first_ns, row.summary.last_ns) for row in rows]
    spans += [(int(part.time_ns.min()), int(part.time_ns.max())) for part in tail]
    whole: list[Row] = []
    cut: list[Row] = []
    order = sorted(range(len(spans)), key=spans.__getitem__)
    alone = [True] * len(spans)
    reach, holder = -1, -1
    for index in order:
        first, last = spans[index]
        if holder >= 0 and first <= reach:
            alone[index] = alone[holder] = False
        if last > reach:
            reach, holder = last, index
    for index, row in enumerate(rows):
        first, last = spans[index]
        inside = first >= start_ns and last < end_ns
        one = (first - start_ns) // bucket_ns == (last - start_ns) // bucket_ns
        (whole if inside and one and alone[index] else cut).append(row)
    return whole, cut


def hours(point: NDArray[np.int32], columns: Columns) -> Iterator[tuple[int, int, int, Columns]]:
    """Sort readings by point and time, drop repeats (the later stays), and cut them into hours."""
    if not len(point):
        return
    order = np.lexsort((columns.time_ns, point))
    point, time = point[order], columns.time_ns[order]
    stays = np.append((np.diff(point) != 0) | (np.diff(time) != 0), True)
    order, point, time = order[stays], point[stays], time[stays]
    value, quality = columns.value[order], columns.quality[order]
    hour = time // HOUR_NS
    edges = np.flatnonzero((np.diff(point) != 0) | (np.diff(hour) != 0)) + 1
    low = 0
    for high in [*edges.tolist(), len(point)]:
        part = Columns(time[low:high], value[low:high], quality[low:high])
        yield int(point[low]), int(hour[low]) * HOUR_NS, HOUR_NS, part
        low = high


def spans(number: int, columns: Columns, span_ns: int) -> Iterator[tuple[int, int, int, Columns]]:
    """Cut the readings of one point, in order, into spans of UTC."""
    span = columns.time_ns // span_ns
    edges = np.flatnonzero(np.diff(span)) + 1
    low = 0
    for high in [*edges.tolist(), len(columns)]:
        if high > low:
            part = Columns(columns.time_ns[low:high], columns.value[low:high], columns.quality[low:high])
            yield number, int(span[low]) * span_ns, span_ns, part
        low = high
