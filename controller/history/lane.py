"""How far InfluxDB is: one live lane and one backlog lane, each in order, kept in a small database of their own.

The live lane holds the newest frames. When it falls too far behind, what is missing becomes a range of the backlog and
the live lane goes on at the end of the log, so that the pages are current while the past is being sent.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from controller.history.cursor import CURSOR_TABLE, START, Position, load_cursor, move_cursor

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Lanes"]

_BACKLOG_TABLE = (
    "CREATE TABLE IF NOT EXISTS backlog (id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, frame INTEGER NOT NULL,"
    " until_sequence INTEGER NOT NULL, until_frame INTEGER NOT NULL)"
)
_LIVE = "influx"


class Lanes:
    """The live cursor and the ranges of the backlog; for one thread.

    A lost or damaged file is no loss of data: everything in the log is sent again, and the same series and time is the
    same point.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file; a damaged one is set aside.

        Raises:
            OSError, sqlite3.OperationalError: disk full, no permission.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.quarantined: Path | None = None
        try:
            self._open(path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                raise
            self.quarantined = path.with_name(path.name + ".damaged")
            path.rename(self.quarantined)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._open(path)

    def advance_live(self, position: Position) -> None:
        """Move the live cursor: the server has everything up to there."""
        move_cursor(self._connection, _LIVE, position)
        self.live = position

    def split(self, head: Position) -> None:
        """Make everything between the live cursor and `head` backlog, and go on live behind `head`."""
        start = self.live
        self._connection.execute("BEGIN")
        if self.backlog and self.backlog[-1][2] == start:
            row = self.backlog[-1][0]
            self._connection.execute(
                "UPDATE backlog SET until_sequence = ?, until_frame = ? WHERE id = ?", (*head, row)
            )
        else:
            self._connection.execute(
                "INSERT INTO backlog (sequence, frame, until_sequence, until_frame) VALUES (?, ?, ?, ?)",
                (*start, *head),
            )
        move_cursor(self._connection, _LIVE, head)
        self._connection.execute("COMMIT")
        self.live = head
        self._load()

    def advance_backlog(self, position: Position | None) -> None:
        """Move the oldest range's start; None ends the range."""
        row, _, until = self.backlog[0]
        if position is None or position >= until:
            self._connection.execute("DELETE FROM backlog WHERE id = ?", (row,))
        else:
            self._connection.execute("UPDATE backlog SET sequence = ?, frame = ? WHERE id = ?", (*position, row))
        self._load()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _open(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            # NORMAL: a cursor that is behind after a power cut sends some lines again, which does no harm.
            for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", CURSOR_TABLE, _BACKLOG_TABLE):
                self._connection.execute(statement)
            self.live = load_cursor(self._connection, _LIVE) or START
            self._load()
        except BaseException:
            self._connection.close()
            raise

    def _load(self) -> None:
        rows = self._connection.execute(
            "SELECT id, sequence, frame, until_sequence, until_frame FROM backlog ORDER BY sequence, frame"
        )
        self.backlog: list[tuple[int, Position, Position]] = [
            (row[0], Position(row[1], row[2]), Position(row[3], row[4])) for row in rows
        ]
