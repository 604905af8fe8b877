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

from controller.history.block import BlockError, Columns, Key, Summary, merge, pack, seal, summarise, unpack
from controller.history.cursor import CURSOR_TABLE, START, Position, load_cursor, move_cursor
from controller.history.damage import is_damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from drivers.driver import Clock

__all__ = ["DAY_NS", "SCHEMA_VERSION", "Row", "Shelf"]

_log = logging.getLogger(__name__)

DAY_NS = 86_400_000_000_000
"""The longest span of a block."""

_CURSOR = "embedded"
SCHEMA_VERSION = 2
_FIRST = f"""
CREATE TABLE IF NOT EXISTS block (
  number INTEGER NOT NULL, start_ns INTEGER NOT NULL, span_ns INTEGER NOT NULL,
  count INTEGER NOT NULL, used INTEGER NOT NULL, good INTEGER NOT NULL,
  minimum REAL, maximum REAL, total REAL NOT NULL, first REAL, last REAL,
  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, last_value REAL, last_quality INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (number, start_ns, span_ns));
CREATE INDEX IF NOT EXISTS block_start ON block (start_ns);
{CURSOR_TABLE};
"""
_SECOND = "ALTER TABLE block ADD COLUMN seal INTEGER"
"""Version 2: checksum of the aggregates. NULL in rows of version 1: their aggregates are computed from their block."""
_SUMMARY = "count, used, good, minimum, maximum, total, first, last, first_ns, last_ns, last_value, last_quality"
_COLUMNS = f"number, start_ns, span_ns, {_SUMMARY}, data, seal"
_MADE = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
_PUT = f"INSERT OR REPLACE INTO block ({_COLUMNS}) VALUES (?{', ?' * 16})"  # noqa: S608
_WINDOW = (
    f"SELECT start_ns, span_ns, {_SUMMARY}, seal FROM block"  # noqa: S608 column names of our own
    " WHERE number = ? AND start_ns > ? AND start_ns < ? ORDER BY start_ns, span_ns DESC"
)
_BACKWARDS = (
    f"SELECT start_ns, span_ns, {_SUMMARY}, seal FROM block"  # noqa: S608 column names of our own
    " WHERE number = ? AND start_ns < ? ORDER BY start_ns DESC"
)
_SALVAGE = "SELECT number, start_ns, span_ns, data FROM block NOT INDEXED ORDER BY rowid "
_DATA = "SELECT data FROM block WHERE number = ? AND start_ns = ? AND span_ns = ?"


class Row:
    """Where a block is and what is in it."""

    __slots__ = ("span_ns", "start_ns", "summary")

    def __init__(self, columns: tuple[float | int | None, ...]) -> None:
        """Take a row as the queries here return it.

        Raises:
            TypeError, ValueError: a damaged row holds something else than numbers.
        """
        self.start_ns = _whole(columns[0])
        self.span_ns = _whole(columns[1])
        count, used, good, minimum, maximum, total, first, last, first_ns, last_ns, value, quality = columns[2:]
        self.summary = Summary(
            _whole(count),
            _whole(used),
            _whole(good),
            _real(minimum),
            _real(maximum),
            _real(total),
            _real(first),
            _real(last),
            _whole(first_ns),
            _whole(last_ns),
            _real(value),
            _whole(quality),
        )


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
        self.broken: Exception | None = None
        """Damage that a query met; the compaction then calls `replace`."""
        self._write_lock = threading.Lock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._generation = 0
        try:
            self._writer = self._open()
        except (sqlite3.DatabaseError, ValueError) as error:
            # ValueError: names in the file that are no UTF-8.
            if isinstance(error, sqlite3.DatabaseError) and not is_damage(error):
                raise
            self._set_aside(error)
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
                    key = (number, start_ns, span_ns)
                    found = connection.execute(_DATA, key).fetchone()
                    if found is not None:
                        whole = merge([self._unpacked(found[0], key), columns])
                    connection.execute(_PUT, _columns(key, whole))
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
        found: list[Row] = []
        try:
            rows = self._reader().execute(_WINDOW, (number, start_ns - DAY_NS, end_ns))
            # One by one: what comes before the damage is kept.
            found.extend(row for columns in rows if (row := self._row(number, columns)) is not None)
        except (sqlite3.Error, TypeError, ValueError) as error:
            self._note_damage(error)
        return [row for row in found if row.summary.last_ns >= start_ns and row.summary.first_ns < end_ns]

    def backwards(self, number: int, before_ns: int) -> Iterator[Row]:
        """Yield the blocks of a point that begin before a time, the latest first."""
        try:
            for columns in self._reader().execute(_BACKWARDS, (number, before_ns)):
                if (row := self._row(number, columns)) is not None:
                    yield row
        except (sqlite3.Error, TypeError, ValueError) as error:
            self._note_damage(error)

    def data(self, number: int, row: Row) -> Columns:
        """Return a block's readings; none (and one more `damaged`) when it cannot be read."""
        try:
            found = self._reader().execute(_DATA, (number, row.start_ns, row.span_ns)).fetchone()
        except sqlite3.Error as error:
            self._note_damage(error)
            return Columns.empty()
        return Columns.empty() if found is None else self._unpacked(found[0], (number, row.start_ns, row.span_ns))

    def _row(self, number: int, columns: tuple[float | int | None, ...]) -> Row | None:
        """Return a row whose aggregates are sure: as sealed, or else computed from the block; None when it is lost."""
        row, sealed = Row(columns[:-1]), columns[-1]
        if sealed == seal((number, row.start_ns, row.span_ns), row.summary):
            return row
        if sealed is not None:
            self.damaged += 1
            _log.error(
                "history: the aggregates of point %d at %d are damaged; its block is asked", number, row.start_ns
            )
        whole = self.data(number, row)
        if not len(whole):
            return None
        row.summary = summarise(whole)
        return row

    def replace(self, error: Exception) -> None:
        """Set the damaged file aside and begin a new one, without a cursor; `salvage` then copies what can be read.

        Raises:
            OSError, sqlite3.Error: that cannot be done now.
        """
        with self._write_lock:
            with contextlib.suppress(sqlite3.Error):
                self._writer.close()
            self._set_aside(error)
            self._writer = self._open()
            self._generation += 1
            self.cursor = START

    def salvage(self, pause: threading.Event) -> int:
        """Copy the blocks that can be read out of the file set aside, from both ends; return how many."""
        if self.quarantined is None:
            return 0
        copied = 0
        with contextlib.closing(sqlite3.connect(self.quarantined, isolation_level=None)) as source:
            for order in ("ASC", "DESC"):
                try:
                    rows = source.execute(_SALVAGE + order)
                    while chunk := rows.fetchmany(500):
                        copied += self._copy(chunk)
                        pause.wait(0.001)
                except (sqlite3.Error, ValueError):
                    continue
                else:
                    break
        _log.warning("history: %d blocks were copied out of %s", copied, self.quarantined.name)
        return copied

    def _copy(self, rows: list[tuple[object, ...]]) -> int:
        whole = []
        for row in rows:
            try:
                key = (_whole(row[0]), _whole(row[1]), _whole(row[2]))
                whole.append(_columns(key, unpack(row[3], key)))  # type: ignore[arg-type]
            except (BlockError, TypeError) as error:
                self.damaged += 1
                _log.error("history: a block could not be copied: %s", error)
        with self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                before = self._writer.total_changes
                self._writer.executemany(_PUT.replace("REPLACE", "IGNORE"), whole)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return self._writer.total_changes - before

    def _set_aside(self, error: Exception) -> None:
        self.quarantined = self.path.with_name(f"{self.path.name}.damaged-{self._clock.now_ns()}")
        for suffix in ("", "-wal", "-shm"):
            source = self.path.with_name(self.path.name + suffix)
            if source.exists():
                source.rename(self.quarantined.with_name(self.quarantined.name + suffix))
        _log.error("history: %s was damaged and set aside: %s", self.path.name, error)

    def _note_damage(self, error: Exception) -> None:
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise error
        self.damaged += 1
        self.broken = error
        _log.error("history: a part cannot be read: %s", error)

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
            _make(connection)
            load_cursor(connection, _CURSOR)
            if dict(connection.execute(_MADE)) != _expected():
                raise sqlite3.DatabaseError("its tables are not as they were made")
            connection.execute(f"SELECT {_SUMMARY} FROM block LIMIT 1").fetchall()  # noqa: S608 column names of our own
        except BaseException:
            connection.close()
            raise
        return connection

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.generation != self._generation:
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
            connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
            self._local.generation = self._generation
            self._readers.append(connection)
        return connection

    def _unpacked(self, data: bytes, key: Key) -> Columns:
        try:
            return unpack(data, key)
        except (BlockError, TypeError) as error:
            self.damaged += 1
            _log.error("history: the block of point %d at %d is damaged: %s", key[0], key[1], error)
            return Columns.empty()


def _columns(key: Key, whole: Columns) -> tuple[object, ...]:
    summary = summarise(whole)
    return (*key, *astuple(summary), pack(whole, key), seal(key, summary))


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring those of version 1 to this one; in one transaction, and quick however long they are."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"its version {version} is newer than {SCHEMA_VERSION}, or damaged")
    second = f"{_SECOND};" if version < SCHEMA_VERSION else ""
    connection.executescript(f"BEGIN IMMEDIATE; {_FIRST} {second} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT")


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"block: got {type(value).__name__}, wanted an integer")
    return value


def _real(value: object) -> float:
    """Return a number; SQLite keeps NaN as NULL."""
    if value is None:
        return math.nan
    if not isinstance(value, int | float):
        raise TypeError(f"block: got {type(value).__name__}, wanted a number")
    return float(value)


def _expected() -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        _make(connection)
        return dict(connection.execute(_MADE))
