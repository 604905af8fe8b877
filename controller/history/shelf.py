"""The file of the embedded history: one row a block, and the cursor of the log.

One connection writes (under a lock: the compaction and the importer), each reading thread has its own.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sqlite3
import threading
from dataclasses import astuple
from typing import TYPE_CHECKING

from controller.history.block import BlockError, Columns, Summary, merge, pack, summarise, unpack
from controller.history.cursor import CURSOR_TABLE, START, Position, load_cursor, move_cursor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from drivers.driver import Clock

__all__ = ["DAY_NS", "Row", "Shelf"]

_log = logging.getLogger(__name__)

DAY_NS = 86_400_000_000_000
"""The longest span of a block."""

_CURSOR = "embedded"
_SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS block (
  number INTEGER NOT NULL, start_ns INTEGER NOT NULL, span_ns INTEGER NOT NULL,
  count INTEGER NOT NULL, used INTEGER NOT NULL, good INTEGER NOT NULL,
  minimum REAL, maximum REAL, total REAL NOT NULL, first REAL, last REAL,
  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, last_value REAL, last_quality INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (number, start_ns, span_ns));
CREATE INDEX IF NOT EXISTS block_start ON block (start_ns);
{CURSOR_TABLE};
PRAGMA user_version = {_SCHEMA_VERSION};
"""
_SUMMARY = "count, used, good, minimum, maximum, total, first, last, first_ns, last_ns, last_value, last_quality"
_PUT = f"INSERT OR REPLACE INTO block (number, start_ns, span_ns, {_SUMMARY}, data) VALUES (?{', ?' * 15})"  # noqa: S608
_WINDOW = (
    f"SELECT start_ns, span_ns, {_SUMMARY} FROM block"  # noqa: S608 column names of our own
    " WHERE number = ? AND start_ns > ? AND start_ns < ? ORDER BY start_ns, span_ns DESC"
)
_BACKWARDS = (
    f"SELECT start_ns, span_ns, {_SUMMARY} FROM block"  # noqa: S608 column names of our own
    " WHERE number = ? AND start_ns < ? ORDER BY start_ns DESC"
)
_DATA = "SELECT data FROM block WHERE number = ? AND start_ns = ? AND span_ns = ?"


class Row:
    """Where a block is and what is in it."""

    __slots__ = ("span_ns", "start_ns", "summary")

    def __init__(self, columns: tuple[float | int | None, ...]) -> None:
        """Take a row as the queries here return it."""
        self.start_ns = int(columns[0] or 0)
        self.span_ns = int(columns[1] or 0)
        # SQLite keeps NaN as NULL.
        self.summary = Summary(*(math.nan if value is None else value for value in columns[2:]))  # type: ignore[arg-type]


class Shelf:
    """The open file; `quarantined` names where a damaged one was put."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make the file; a damaged one is moved aside and a new one begun (the log fills it again).

        Raises:
            OSError, sqlite3.OperationalError: disk full, no permission: nothing is wrong with the data.
        """
        self.path = path
        self.quarantined: Path | None = None
        self.damaged = 0
        """Blocks that could not be read so far."""
        self._write_lock = threading.Lock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._writer = self._open()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self.quarantined = path.with_name(f"{path.name}.damaged-{clock.now_ns() // 1_000_000_000}")
            for suffix in ("", "-wal", "-shm"):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    source.rename(self.quarantined.with_name(self.quarantined.name + suffix))
            _log.error("history: %s was damaged and set aside: %s", path.name, error)
            self._writer = self._open()
        self.cursor = load_cursor(self._writer, _CURSOR) or START

    def put(
        self,
        parts: Iterable[tuple[int, int, int, Columns]],
        cursor: Position | None,
        pause: threading.Event | None = None,
    ) -> None:
        """Merge readings into blocks and move the cursor, all in one transaction.

        `parts` are (point number, start, span, readings in order). With `pause` the work is done in small portions with
        a moment between them, so that the event loop's thread gets its turn.

        Raises:
            sqlite3.Error: nothing was changed.
        """
        with self._write_lock:
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                for index, (number, start_ns, span_ns, columns) in enumerate(parts):
                    whole = columns
                    found = connection.execute(_DATA, (number, start_ns, span_ns)).fetchone()
                    if found is not None:
                        whole = merge([self._unpacked(found[0], number, start_ns), columns])
                    row = (number, start_ns, span_ns, *astuple(summarise(whole)), pack(whole))
                    connection.execute(_PUT, row)
                    if pause is not None and index % 50 == 49:
                        pause.wait(0.001)
                if cursor is not None:
                    move_cursor(connection, _CURSOR, cursor)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        if cursor is not None:
            self.cursor = cursor

    def prune(self, before_ns: int, limit: int = 5_000) -> int:
        """Delete up to `limit` blocks that begin more than a day before a time; return how many."""
        with self._write_lock:
            cursor = self._writer.execute(
                "DELETE FROM block WHERE rowid IN (SELECT rowid FROM block WHERE start_ns < ? LIMIT ?)",
                (before_ns - DAY_NS, limit),
            )
        return cursor.rowcount

    def window(self, number: int, start_ns: int, end_ns: int) -> list[Row]:
        """Return the blocks of a point that may have readings in a window, by start; of one start the longer first."""
        rows = self._reader().execute(_WINDOW, (number, start_ns - DAY_NS, end_ns)).fetchall()
        found = [Row(row) for row in rows]
        return [row for row in found if row.summary.last_ns >= start_ns and row.summary.first_ns < end_ns]

    def backwards(self, number: int, before_ns: int) -> Iterator[Row]:
        """Yield the blocks of a point that begin before a time, the latest first."""
        for row in self._reader().execute(_BACKWARDS, (number, before_ns)):
            yield Row(row)

    def data(self, number: int, row: Row) -> Columns:
        """Return a block's readings; none (and one more `damaged`) when it cannot be read."""
        found = self._reader().execute(_DATA, (number, row.start_ns, row.span_ns)).fetchone()
        return Columns.empty() if found is None else self._unpacked(found[0], number, row.start_ns)

    def close(self) -> None:
        """Checkpoint and close every connection."""
        with self._write_lock:
            for reader in self._readers:
                reader.close()
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._writer.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-8000", "cell_size_check=ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.executescript(_SCHEMA)
            load_cursor(connection, _CURSOR)
            connection.execute(f"SELECT {_SUMMARY} FROM block LIMIT 1").fetchall()  # noqa: S608 column names of our own
        except BaseException:
            connection.close()
            raise
        return connection

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
            connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
            self._readers.append(connection)
        return connection

    def _unpacked(self, data: bytes, number: int, start_ns: int) -> Columns:
        try:
            return unpack(data)
        except BlockError as error:
            self.damaged += 1
            _log.error("history: the block of point %d at %d is damaged: %s", number, start_ns, error)
            return Columns.empty()


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
