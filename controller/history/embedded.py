"""The embedded history: reads the log with a cursor, keeps blocks, and answers queries without any server.

The newest readings stay in memory (`Tail`) until they are merged into their hours' blocks, every ten minutes; the
cursor moves in that transaction. After a restart the tail is read again from the log, in the background: queries answer
at once with what is there, and `status().rebuilding` says that more is coming.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from controller.errors import InvalidError, UnavailableError
from controller.history.block import Columns, merge
from controller.history.bucket import Cells, cells_of_readings, cells_of_summaries, fold
from controller.history.damage import is_damage
from controller.history.frame import FrameError, decode
from controller.history.segment import LogReader
from controller.history.shelf import DAY_NS, Row, Shelf
from controller.history.store import Before, Buckets, Series
from controller.history.tail import Tail
from controller.history.window import check_buckets, check_window, hours, spans, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from controller.history.cursor import Position
    from controller.history.log import Committed
    from drivers.driver import Clock

__all__ = ["EmbeddedHistory", "EmbeddedStatus"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

FLUSH_S = 600.0
FLUSH_READINGS = 3_000_000
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """Numbers for health and metrics."""

    healthy: bool
    reason: str
    rebuilding: bool
    """True while frames of the log are still being read after a start or an overload."""
    lag_frames: int
    """Frames of the log that queries do not see yet."""
    tail: int
    """Readings in memory, not in a block yet (they are in the log)."""
    blocks_written: int
    damaged: int
    """Frames and blocks that could not be read."""
    quarantined: str
    """Name of the damaged file set aside at the start; empty when it was whole."""
    failures: int


class EmbeddedHistory:
    """A `HistoryStore` in one file; use `start`, `on_committed`, `close`."""

    def __init__(
        self,
        path: Path,
        log_folder: Path,
        clock: Clock,
        *,
        keep_days: int = 800,
        flush_s: float = FLUSH_S,
        flush_readings: int = FLUSH_READINGS,
    ) -> None:
        """Open the file at `path`; blocks older than `keep_days` are deleted little by little.

        Raises:
            OSError, sqlite3.OperationalError: it cannot be opened now.
        """
        self._clock = clock
        self._keep_ns = keep_days * DAY_NS
        self._flush_s = flush_s
        self._flush_readings = flush_readings
        self._shelf = Shelf(path, clock)
        self._reader = LogReader(log_folder)
        self._tail = Tail()
        self._position = self._shelf.cursor
        self._arrived: deque[Committed] = deque()
        self._overrun = True
        self._wake = threading.Condition()
        self._pace = threading.Event()
        self._stop = False
        self._flush_asked = 0
        self._flush_done = 0
        self._flushed_at = clock.monotonic()
        self._failed_at: float | None = None
        self._healthy, self._reason = True, ""
        self._blocks = self._damaged = self._failures = self._lag = 0
        self._thread: threading.Thread | None = None
        self._queries = ThreadPoolExecutor(2, "history-query")

    @property
    def cursor(self) -> Position:
        """What of the log is in blocks; the log must keep everything after it."""
        return self._shelf.cursor

    def start(self) -> None:
        """Start the background thread, which first reads what the log has after the cursor."""
        self._thread = threading.Thread(target=self._work, name="history-embedded", daemon=True)
        self._thread.start()

    def on_committed(self, item: Committed) -> None:
        """Take one durable frame from the log's thread; returns at once."""
        with self._wake:
            self._arrived.append(item)
            if len(self._arrived) > 4 * _AT_ONCE:
                # Behind: the log has it all, and memory stays bounded.
                self._arrived.clear()
                self._overrun = True
            self._wake.notify_all()

    def status(self) -> EmbeddedStatus:
        """Return the present numbers."""
        with self._wake:
            return EmbeddedStatus(
                self._healthy,
                self._reason,
                self._overrun,
                self._lag,
                self._tail.count,
                self._blocks,
                self._damaged + self._shelf.damaged + self._reader.damaged,
                self._shelf.quarantined.name if self._shelf.quarantined else "",
                self._failures,
            )

    def settle(self, timeout_s: float = 30.0) -> bool:
        """Read all that the log has and merge it into blocks now; return whether done. Blocks: not for the loop."""
        with self._wake:
            self._overrun = True
            self._flush_asked += 1
            mine = self._flush_asked
            self._wake.notify_all()
            return self._wake.wait_for(lambda: self._flush_done >= mine, timeout_s)

    def wait_until_current(self, timeout_s: float = 30.0) -> bool:
        """Wait until the log has been read to its end; return whether it was. Blocks: not for the loop."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._overrun and not self._arrived, timeout_s)

    def absorb(self, number: int, columns: Columns) -> Iterator[tuple[int, int, int, Columns]]:
        """Cut readings in order into parts of one UTC day each, for `put`."""
        return spans(number, columns, DAY_NS)

    def put(self, parts: Sequence[tuple[int, int, int, Columns]]) -> None:
        """Write imported parts as blocks; blocks the calling thread.

        Raises:
            UnavailableError: the file cannot be written now; none of it was.
        """
        try:
            self._shelf.put(parts, None)
        except sqlite3.Error as error:
            raise UnavailableError(f"{self._shelf.path}: cannot be written: {error}") from error
        with self._wake:
            self._blocks += len(parts)

    async def raw(self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000) -> list[Series]:
        """See `HistoryStore.raw`."""
        check_window(start_ns, end_ns)
        if limit < 1:
            raise InvalidError(f"limit: got {limit}, wanted 1 or more")
        return await self._query(lambda: [self._raw(number, start_ns, end_ns, limit) for number in numbers])

    async def aggregate(self, numbers: Sequence[int], start_ns: int, end_ns: int, bucket_ns: int) -> list[Buckets]:
        """See `HistoryStore.aggregate`; spans of whole hours on the hour are answered from the blocks' aggregates."""
        check_buckets(start_ns, end_ns, bucket_ns)
        return await self._query(lambda: [self._aggregate(number, start_ns, end_ns, bucket_ns) for number in numbers])

    async def before(self, numbers: Sequence[int], time_ns: int) -> list[Before | None]:
        """See `HistoryStore.before`."""
        return await self._query(lambda: [self._before(number, time_ns) for number in numbers])

    def close(self) -> None:
        """Merge the tail into blocks (one attempt) and stop. Blocks."""
        with self._wake:
            self._stop = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._queries.shutdown(wait=True)
        self._reader.close()
        self._shelf.close()

    async def _query(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._queries, work)
        except sqlite3.Error as error:
            raise UnavailableError(f"{self._shelf.path}: cannot be read: {error}") from error

    def _readings(self, number: int, rows: Sequence[Row], tail: Sequence[Columns]) -> Columns:
        # Imported days first, then hours, then the tail: of one time the later part's reading stays.
        ordered = sorted(rows, key=lambda row: -row.span_ns)
        return merge([*(self._shelf.data(number, row) for row in ordered), *tail])

    def _raw(self, number: int, start_ns: int, end_ns: int, limit: int) -> Series:
        # The tail before the blocks: a merge between the two shows readings twice (and they are made one), never not.
        tail = self._tail.of(number)
        rows = self._shelf.window(number, start_ns, end_ns)
        found = self._readings(number, rows, tail).window(start_ns, end_ns)
        return Series(
            number,
            found.time_ns[:limit],
            found.value[:limit],
            found.quality[:limit],
            self._before(number, start_ns),
            truncated=len(found) > limit,
        )

    def _aggregate(self, number: int, start_ns: int, end_ns: int, bucket_ns: int) -> Buckets:
        tail = [part for part in self._tail.of(number) if len(part)]
        rows = self._shelf.window(number, start_ns, end_ns)
        whole, cut = split(rows, tail, start_ns, end_ns, bucket_ns)
        parts: list[Cells] = [cells_of_summaries([row.summary for row in whole])]
        if cut or tail:
            # Readings of blocks that stand for themselves are not in here, so nothing counts twice.
            parts.append(cells_of_readings(self._readings(number, cut, tail).window(start_ns, end_ns)))
        return fold(number, parts, start_ns, bucket_ns)

    def _before(self, number: int, time_ns: int) -> Before | None:
        best: Before | None = None
        for part in self._tail.of(number):
            early = np.flatnonzero(part.time_ns < time_ns)
            if len(early):
                at = early[len(early) - 1 - int(np.argmax(part.time_ns[early][::-1]))]
                if best is None or part.time_ns[at] >= best[0]:
                    best = (int(part.time_ns[at]), float(part.value[at]), int(part.quality[at]))
        for row in self._shelf.backwards(number, time_ns):
            if best is not None and row.start_ns + DAY_NS <= best[0]:
                break
            summary = row.summary
            if best is not None and summary.last_ns <= best[0]:
                continue
            if summary.last_ns < time_ns:
                best = (summary.last_ns, summary.last_value, summary.last_quality)
                continue
            early_part = self._shelf.data(number, row).window(0, time_ns)
            if len(early_part) and (best is None or early_part.time_ns[-1] > best[0]):
                best = (int(early_part.time_ns[-1]), float(early_part.value[-1]), int(early_part.quality[-1]))
        return best

    def _work(self) -> None:
        self._salvage()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stop or self._arrived or self._overrun, 1.0)
                stopping, asked, behind = self._stop, self._flush_asked, self._overrun
            if stopping:
                self._flush()
                return
            try:
                if behind:
                    self._read_log()
                else:
                    self._take_arrived()
            except OSError as error:
                self._fail(error)
                self._pace.wait(0.5)
            due = self._clock.monotonic() - self._flushed_at >= self._flush_s
            full = self._tail.count >= self._flush_readings
            asked_now = asked > self._flush_done and not self._overrun
            if due or asked_now or full:
                self._merge(asked if asked_now else None)

    def _merge(self, asked: int | None) -> None:
        now = self._clock.monotonic()
        if self._failed_at is not None and asked is None and now - self._failed_at < 1.0:
            self._pace.wait(0.05)
            return
        if self._flush() and asked is not None:
            with self._wake:
                self._flush_done = max(self._flush_done, asked)
                self._wake.notify_all()

    def _read_log(self) -> None:
        if self._tail.count >= self._flush_readings:
            return
        with self._wake:
            self._arrived.clear()
        frames = self._reader.read(self._position, _AT_ONCE)
        for position, data in frames:
            try:
                frame = decode(data)
            except FrameError as error:
                self._damaged += 1
                _log.error("log: frame %d of file %d cannot be read: %s", position.frame, position.sequence, error)
            else:
                if not frame.imported:
                    self._tail.add(frame.readings)
            self._position = position
        with self._wake:
            self._lag = 0 if len(frames) < _AT_ONCE else self._reader.behind(self._position)
            if not frames:
                # What was committed since that read is in `_arrived`, or comes there.
                self._overrun = bool(self._arrived and self._arrived[0].previous > self._position)
                self._wake.notify_all()

    def _take_arrived(self) -> None:
        while True:
            with self._wake:
                item = self._arrived[0] if self._arrived else None
                if item is None:
                    self._wake.notify_all()
                    return
                if item.position <= self._position:
                    self._arrived.popleft()
                    continue
                if item.previous != self._position or self._tail.count >= 2 * self._flush_readings:
                    self._arrived.clear()
                    self._overrun = True
                    return
            if not item.imported:
                self._tail.add(item.readings)
            self._position = item.position
            with self._wake:
                # Only now: an empty queue means that queries see everything.
                if self._arrived and self._arrived[0] is item:
                    self._arrived.popleft()

    def _flush(self) -> bool:
        self._flushed_at = self._clock.monotonic()
        if self._shelf.broken is not None and not self._stop:
            self._begin_again(self._shelf.broken)
            return False
        point, columns = self._tail.peek()
        if self._position == self._shelf.cursor:
            return True
        parts = list(hours(point, columns))
        try:
            self._shelf.put(parts, self._position, None if self._stop else self._pace)
            self._shelf.prune(self._clock.now_ns() - self._keep_ns)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            if is_damage(error):
                self._begin_again(error)
            return False
        self._tail.clear()
        with self._wake:
            self._blocks += len(parts)
            self._failed_at = None
            self._healthy, self._reason = True, ""
        return True

    def _begin_again(self, error: Exception) -> None:
        """Leave a damaged file: what of it can be read is copied, and the log is read from its first frame."""
        try:
            self._shelf.replace(error)
        except (sqlite3.Error, OSError) as again:
            self._fail(again)
            return
        self._shelf.broken = None
        self._tail.clear()
        self._position = self._shelf.cursor
        with self._wake:
            self._arrived.clear()
            self._overrun = True
        self._salvage()

    def _salvage(self) -> None:
        try:
            self._shelf.salvage(self._pace)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failed_at = self._clock.monotonic()
        with self._wake:
            if self._healthy:
                _log.error("embedded history cannot be written: %s", error)
            self._healthy, self._reason = False, str(error)
            self._failures += 1
