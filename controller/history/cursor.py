"""Where a reader of the log stands.

A cursor lives in its reader's own database and moves in the transaction of what was read, so that a crash between the
two cannot happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

__all__ = ["CURSOR_TABLE", "START", "Position", "load_cursor", "move_cursor"]


class Position(NamedTuple):
    """A frame of the log; positions compare in the order of the commits."""

    sequence: int
    """Number of the day file; grows for ever."""
    frame: int
    """Number of the frame in that file, from 1."""


START = Position(0, 0)
"""Before the first frame."""

CURSOR_TABLE = (
    "CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL, frame INTEGER NOT NULL)"
)


def load_cursor(connection: sqlite3.Connection, name: str) -> Position | None:
    """Return a cursor, or None when it never moved."""
    row = connection.execute("SELECT sequence, frame FROM cursor WHERE name = ?", (name,)).fetchone()
    return None if row is None else Position(*row)


def move_cursor(connection: sqlite3.Connection, name: str, position: Position) -> None:
    """Move a cursor within the transaction that is open."""
    connection.execute(
        "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET sequence = excluded.sequence, frame = excluded.frame",
        (name, *position),
    )
