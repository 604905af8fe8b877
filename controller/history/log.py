"""The log: every reading of the controller on disk within a second, one commit a second or 5,000 readings.

`append` never blocks and never fails: a thread of its own writes. While the disk does not take frames they wait in
memory, up to a bound; beyond it the oldest are thrown away and counted. A file belongs to the UTC day of its commits,
is checkpointed and closed when the day is over, and is never opened for writing again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.history.cursor import START, Position
from controller.history.damage import is_damage
from controller.history.frame import encode
from controller.history.segment import Segment, day_of, expired, segments
from drivers.reading import Readings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivers.driver import Clock

__all__ = ["Committed", "FrameLog", "LogStatus"]

_log = logging.getLogger(__name__)

COMMIT_S = 1.0
COMMIT_READINGS = 5_000
_FRAME_READINGS = 200_000
_TABLE = "CREATE TABLE frame (id INTEGER PRIMARY KEY, data BLOB NOT NULL)"


@dataclass(frozen=True, slots=True)
class LogStatus:
    """Numbers for health and metrics."""

    healthy: bool
    reason: str
    """Why frames cannot be written; empty when they can."""
    pending: int
    """Readings in memory alone."""
    written: int
    dropped: int
    """Readings thrown away because too many were pending."""
    failures: int
    """Commits that failed."""
    damaged: tuple[str, ...]
    """Day files that were found damaged since the start."""
    expired: int
    """Day files removed by retention."""
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """One frame that is durable."""

    previous: Position
    """The frame before it; a reader that stands elsewhere reads the log instead."""
    position: Position
    readings: Readings
    imported: bool


@dataclass(frozen=True, slots=True)
class _Batch:
    readings: Readings
    imported: bool


class FrameLog:
    """Appends readings to the day files of `folder`; use `start` and `close`."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        generation: int = 0,
        max_pending: int = 1_000_000,
        keep_days: int = 7,
        max_bytes: int = 2 * 1024**3,
        file_bytes: int = 256 * 1024**2,
        committed: Callable[[Committed], None] | None = None,
        needed: Callable[[], Position] | None = None,
    ) -> None:
        """Configure; nothing is opened yet.

        `max_pending` bounds the readings in memory (21 bytes each). `committed` is called on the log's thread after
        each frame. A file that grows beyond `file_bytes` is closed before its day is over, so that `max_bytes` (of all
        files) can be kept on a busy site. `needed` says which frame the reader that may miss none has
        reached; younger files stay.
        """
        self.folder = folder
        self.generation = generation
        """Of the configuration in effect; set it when a new one is applied."""
        self._clock = clock
        self._max_pending = max_pending
        self._keep_days = keep_days
        self._max_bytes = max_bytes
        self._file_bytes = file_bytes
        self._bytes = 0
        self._committed = committed
        self._needed = needed or (lambda: Position(2**62, 0))
        self._pending: deque[_Batch] = deque()
        self._count = 0
        self._wake = threading.Condition()
        self._commit_asked = 0
        self._commit_done = 0
        self._stop = False
        self._segment: Segment | None = None
        self._connection: sqlite3.Connection | None = None
        self._position = START
        self._thread: threading.Thread | None = None
        self._healthy, self._reason = True, ""
        self._written = self._dropped = self._failures = self._expired = self._frames = 0
        self._damaged: list[str] = []

    def start(self) -> None:
        """Start the writer's thread."""
        self._thread = threading.Thread(target=self._work, name="history-log", daemon=True)
        self._thread.start()

    def append(self, readings: Readings, *, imported: bool = False) -> None:
        """Queue a batch; returns at once and never raises.

        The arrays must not be changed afterwards. `imported` marks what the embedded history has already.
        """
        n = len(readings)
        if n == 0:
            return
        with self._wake:
            for part in _parts(readings):
                self._pending.append(_Batch(part, imported))
            self._count += n
            while self._count > self._max_pending and len(self._pending) > 1:
                oldest = len(self._pending.popleft().readings)
                self._count -= oldest
                self._dropped += oldest
            if self._count >= COMMIT_READINGS:
                self._wake.notify_all()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Commit now what was appended before; return whether it is durable. Blocks: not for the event loop."""
        with self._wake:
            self._commit_asked += 1
            mine = self._commit_asked
            self._wake.notify_all()
            return self._wake.wait_for(lambda: self._commit_done >= mine, timeout_s)

    def wait_for_room(self, pending: int, timeout_s: float) -> bool:
        """Wait until no more than `pending` readings are in memory alone; return whether that came to be. Blocks."""
        with self._wake:
            return self._wake.wait_for(lambda: self._count <= pending or self._stop, timeout_s)

    def status(self) -> LogStatus:
        """Return the present numbers."""
        with self._wake:
            return LogStatus(
                self._healthy,
                self._reason,
                self._count,
                self._written,
                self._dropped,
                self._failures,
                tuple(self._damaged),
                self._expired,
                self._frames,
            )

    def close(self) -> None:
        """Commit what is pending (one attempt) and stop. The day stays open for the next start. Blocks."""
        with self._wake:
            self._stop = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(self._due, COMMIT_S)
                stopping, asked = self._stop, self._commit_asked
            done = self._commit_pending()
            with self._wake:
                if done:
                    self._commit_done = max(self._commit_done, asked)
                self._wake.notify_all()
                if not done and not stopping:
                    # The disk may need a moment: not thousands of attempts a second while readings pour in.
                    self._wake.wait_for(lambda: self._stop, COMMIT_S)
            if stopping:
                break
        self._disconnect(checkpoint=True)

    def _due(self) -> bool:
        return self._stop or self._count >= COMMIT_READINGS or self._commit_asked > self._commit_done

    def _commit_pending(self) -> bool:
        with self._wake:
            taken = list(self._pending)
        frames = _frames(taken)
        try:
            connection = self._day_file()
            if frames:
                committed = self._write(connection, frames)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return False
        if not frames:
            return True
        with self._wake:
            if not self._healthy:
                _log.warning("log writes again")
            self._healthy, self._reason = True, ""
            # Batches may have been thrown away from the left in the meantime, new ones came on the right.
            gone = {id(batch) for batch in taken}
            while self._pending and id(self._pending[0]) in gone:
                self._count -= len(self._pending.popleft().readings)
            self._written += sum(len(batch.readings) for batch in taken)
            self._frames += len(frames)
        if self._committed is not None:
            for item in committed:
                self._committed(item)
        return True

    def _write(self, connection: sqlite3.Connection, frames: list[_Batch]) -> list[Committed]:
        assert self._segment is not None
        data = [(encode(frame.readings, self.generation, imported=frame.imported),) for frame in frames]
        committed: list[Committed] = []
        previous = self._position
        try:
            connection.execute("BEGIN IMMEDIATE")
            for row, frame in zip(data, frames, strict=True):
                cursor = connection.execute("INSERT INTO frame (data) VALUES (?)", row)
                position = Position(self._segment.sequence, int(cursor.lastrowid or 0))
                committed.append(Committed(previous, position, frame.readings, frame.imported))
                previous = position
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._position = previous
        self._bytes += sum(len(row[0]) for row in data)
        return committed

    def _day_file(self) -> sqlite3.Connection:
        today = day_of(self._clock.now_ns())
        if self._connection is not None and self._segment is not None:
            full = self._bytes >= self._file_bytes
            if self._segment.day == today and not full:
                return self._connection
            self._disconnect(checkpoint=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        known = segments(self.folder)
        last = known[-1] if known else None
        if last is not None and last.day == today and last.path.suffix == ".db" and last.size() < self._file_bytes:
            try:
                return self._connect(last, known=True)
            except (sqlite3.DatabaseError, ValueError) as error:
                # ValueError: names in the file that are no UTF-8.
                if isinstance(error, sqlite3.DatabaseError) and not is_damage(error):
                    raise
                self._set_aside(last, error)
        sequence = last.sequence + 1 if last is not None else 1
        connection = self._connect(Segment(sequence, today, self.folder / f"{sequence:08d}-{today:08d}.db"))
        self._retain(today)
        return connection

    def _connect(self, segment: Segment, *, known: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(segment.path, isolation_level=None, check_same_thread=False, timeout=1.0)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            if known:
                _check(connection)
            else:
                connection.execute(_TABLE)
            newest = connection.execute("SELECT max(id) FROM frame").fetchone()[0] or 0
        except BaseException:
            connection.close()
            raise
        self._segment, self._connection, self._bytes = segment, connection, segment.size()
        if newest:
            self._position = Position(segment.sequence, newest)
        return connection

    def _set_aside(self, segment: Segment, error: Exception) -> None:
        _log.error("log: %s is damaged and set aside: %s", segment.path.name, error)
        for suffix in ("", "-wal", "-shm"):
            source = segment.path.with_name(segment.path.name + suffix)
            if source.exists():
                source.rename(source.with_name(segment.path.name + ".damaged" + suffix))
        with self._wake:
            self._damaged.append(segment.path.name)

    def _retain(self, today: int) -> None:
        closed = segments(self.folder)[:-1]
        for segment in expired(closed, today, self._keep_days, self._max_bytes, self._needed()):
            try:
                segment.unlink()
            except OSError as error:
                _log.warning("log: %s cannot be removed: %s", segment.path.name, error)
                continue
            with self._wake:
                self._expired += 1
            _log.info("log: %s removed by retention", segment.path.name)

    def _fail(self, error: Exception) -> None:
        if self._segment is not None and self._connection is not None and is_damage(error):
            segment = self._segment
            self._disconnect(checkpoint=False)
            self._set_aside(segment, error)
        self._disconnect(checkpoint=False)
        with self._wake:
            if self._healthy:
                _log.error("log cannot be written: %s", error)
            self._healthy, self._reason = False, str(error)
            self._failures += 1

    def _disconnect(self, *, checkpoint: bool) -> None:
        if self._connection is None:
            return
        try:
            if checkpoint:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._connection.close()
        except sqlite3.Error as error:
            _log.warning("log: closing the day file failed: %s", error)
        self._connection = None


def _parts(readings: Readings) -> list[Readings]:
    if len(readings) <= _FRAME_READINGS:
        return [readings]
    return [
        Readings(
            readings.point[cut : cut + _FRAME_READINGS],
            readings.value[cut : cut + _FRAME_READINGS],
            readings.time_ns[cut : cut + _FRAME_READINGS],
            readings.quality[cut : cut + _FRAME_READINGS],
            readings.late,
        )
        for cut in range(0, len(readings), _FRAME_READINGS)
    ]


def _frames(batches: list[_Batch]) -> list[_Batch]:
    """Join batches of one sort into frames of bounded size, live ones first."""
    frames: list[_Batch] = []
    for late, imported in ((False, False), (True, False), (False, True), (True, True)):
        group: list[Readings] = []
        size = 0
        for batch in batches:
            if batch.readings.late != late or batch.imported != imported:
                continue
            if group and size + len(batch.readings) > _FRAME_READINGS:
                frames.append(_Batch(Readings.join(group), imported))
                group, size = [], 0
            group.append(batch.readings)
            size += len(batch.readings)
        if group:
            frames.append(_Batch(Readings.join(group), imported))
    return frames


def _check(connection: sqlite3.Connection) -> None:
    """Check a file that is gone on with: its frame numbers must go on too, or readers would pass over new frames.

    Raises:
        sqlite3.DatabaseError: damaged. Reads the whole file, on the log's thread; `file_bytes` bounds the time.
    """
    if connection.execute("SELECT sql FROM sqlite_schema").fetchall() != [(_TABLE,)]:
        raise sqlite3.DatabaseError("the table of frames is not there as it was made")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(str(found))
