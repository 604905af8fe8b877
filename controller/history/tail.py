"""The newest readings in memory: what the log has and the blocks have not yet."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.history.block import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drivers.reading import Readings

__all__ = ["Tail"]

_GATHER = 64


@dataclass(frozen=True, slots=True)
class _Chunk:
    point: NDArray[np.int32]
    columns: Columns
    ordered: bool
    """Sorted by point, so that a point is found by bisection."""

    def of(self, number: int) -> Columns:
        """Return the readings of one point, in the order in which they came."""
        columns = self.columns
        if self.ordered:
            low = int(np.searchsorted(self.point, number, "left"))
            high = int(np.searchsorted(self.point, number, "right"))
            return Columns(columns.time_ns[low:high], columns.value[low:high], columns.quality[low:high])
        mine = np.flatnonzero(self.point == number)
        return Columns(columns.time_ns[mine], columns.value[mine], columns.quality[mine])


class Tail:
    """Chunks of readings in the order of the log; every 64 small ones become one that is sorted by point."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chunks: list[_Chunk] = []
        self._loose = 0
        self.count = 0
        """Readings held, 21 bytes each."""

    def add(self, readings: Readings) -> None:
        """Append one batch; called by one thread."""
        columns = Columns(readings.time_ns, readings.value, readings.quality)
        with self._lock:
            self._chunks.append(_Chunk(readings.point, columns, ordered=False))
            self._loose += 1
            self.count += len(readings)
            loose = self._chunks[-self._loose :] if self._loose >= _GATHER else []
        if loose:
            joined = _join(loose)
            order = np.argsort(joined.point, kind="stable")
            part = joined.columns
            chunk = _Chunk(
                joined.point[order],
                Columns(part.time_ns[order], part.value[order], part.quality[order]),
                ordered=True,
            )
            with self._lock:
                self._chunks[-self._loose :] = [chunk]
                self._loose = 0

    def of(self, number: int) -> list[Columns]:
        """Return the readings of one point, in parts, in the order in which they came."""
        with self._lock:
            chunks = list(self._chunks)
        found = [chunk.of(number) for chunk in chunks]
        return [part for part in found if len(part)]

    def peek(self) -> tuple[NDArray[np.int32], Columns]:
        """Return everything; it stays until `drop`."""
        with self._lock:
            chunks = list(self._chunks)
        if not chunks:
            return np.empty(0, np.int32), Columns.empty()
        joined = _join(chunks)
        return joined.point, joined.columns

    def clear(self) -> None:
        """Forget everything; called by the thread that adds."""
        with self._lock:
            self._chunks = []
            self._loose = 0
            self.count = 0


def _join(chunks: list[_Chunk]) -> _Chunk:
    return _Chunk(
        np.concatenate([chunk.point for chunk in chunks]),
        Columns(
            np.concatenate([chunk.columns.time_ns for chunk in chunks]),
            np.concatenate([chunk.columns.value for chunk in chunks]),
            np.concatenate([chunk.columns.quality for chunk in chunks]),
        ),
        ordered=False,
    )
