"""The day files of the log on disk: their names, how they are read, and which may go.

A file is `<sequence>-<UTC day of its first commit>.db`. The sequence grows with every new file, so that the order of
the commits survives a clock that jumps; a damaged file keeps its place with `.damaged` behind its name.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.history.cursor import Position
from controller.history.damage import is_damage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LogReader", "Segment", "day_of", "expired", "segments"]

_log = logging.getLogger(__name__)
_NAME = re.compile(r"^(\d{8})-(\d{8})\.db(\.damaged)?$")
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One day file."""

    sequence: int
    day: int
    """Days since 1970-01-01 UTC."""
    path: Path

    def size(self) -> int:
        """Return its bytes on disk, with the write-ahead log."""
        total = 0
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                total += self.path.with_name(self.path.name + suffix).stat().st_size
        return total

    def unlink(self) -> None:
        """Remove the file with its write-ahead log. Only ever for a closed day: commits to an open one would vanish."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


def day_of(time_ns: int) -> int:
    """Return the UTC day of a time, in days since 1970."""
    return time_ns // _DAY_NS


def segments(folder: Path) -> list[Segment]:
    """Return the day files of a log, oldest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.match(path.name)
        if match:
            found.append(Segment(int(match[1]), int(match[2]), path))
    return sorted(found)


def expired(closed: list[Segment], today: int, keep_days: int, max_bytes: int, needed: Position) -> list[Segment]:
    """Return the closed files that may go, given the files oldest first.

    Files older than `keep_days` go when the reader that must not miss any (`needed`) is past them; beyond `max_bytes`
    the oldest go in any case. A day in the future (the clock was wrong) counts as the day of the file after it.
    """
    sizes = [segment.size() for segment in closed]
    total = sum(sizes)
    gone = []
    for index, segment in enumerate(closed):
        after = closed[index + 1 :]
        day = segment.day if segment.day <= today + 1 else min((later.day for later in after), default=today)
        old = day < today - keep_days and segment.sequence < needed.sequence
        if not old and total <= max_bytes:
            continue
        gone.append(segment)
        total -= sizes[index]
    return gone


class LogReader:
    """Reads frames in order, across files, beside the writer; not for two threads at once.

    `damaged` counts files of which a part could not be read: what could be is still delivered.
    """

    def __init__(self, folder: Path) -> None:
        """Read the log in `folder`."""
        self._folder = folder
        self._newest = 0
        self._open: tuple[Segment, sqlite3.Connection] | None = None
        self.damaged = 0

    def read(self, after: Position, limit: int, until: Position | None = None) -> list[tuple[Position, bytes]]:
        """Return up to `limit` frames after a position and up to `until` (included); empty when there are no more.

        Raises:
            OSError: the disk cannot be read.
        """
        found: list[tuple[Position, bytes]] = []
        files = segments(self._folder)
        self._newest = files[-1].sequence if files else 0
        for segment in files:
            if segment.sequence < after.sequence or (until is not None and segment.sequence > until.sequence):
                continue
            start = after.frame if segment.sequence == after.sequence else 0
            found += self._read_segment(segment, start, limit - len(found))
            if len(found) >= limit:
                break
        if until is not None:
            found = [item for item in found if item[0] <= until]
        return found

    def last(self) -> Position:
        """Return the newest frame's position; (0, 0) in an empty log."""
        for segment in reversed(segments(self._folder)):
            try:
                row = self._connection(segment).execute("SELECT max(id) FROM frame").fetchone()
            except sqlite3.Error:
                continue
            if row[0] is not None:
                return Position(segment.sequence, row[0])
        return Position(0, 0)

    def behind(self, after: Position) -> int:
        """Return how many frames come after a position, as near as the files' ids tell."""
        count = 0
        for segment in segments(self._folder):
            if segment.sequence < after.sequence:
                continue
            try:
                row = self._connection(segment).execute("SELECT max(id) FROM frame").fetchone()
            except sqlite3.Error:
                continue
            count += max(0, (row[0] or 0) - (after.frame if segment.sequence == after.sequence else 0))
        return count

    def close(self) -> None:
        """Close the file at hand."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _connection(self, segment: Segment) -> sqlite3.Connection:
        if self._open is not None and self._open[0] == segment:
            return self._open[1]
        self.close()
        # Not read-only: the first reader after a crash may have to recover the write-ahead log.
        connection = sqlite3.connect(f"file:{_quoted(segment.path)}?mode=rw", uri=True, check_same_thread=False)
        self._open = (segment, connection)
        return connection

    def _read_segment(self, segment: Segment, after: int, limit: int) -> list[tuple[Position, bytes]]:
        found: list[tuple[Position, bytes]] = []
        try:
            cursor = self._connection(segment).execute(
                "SELECT id, data FROM frame WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
            )
            while (row := cursor.fetchone()) is not None:
                found.append((Position(segment.sequence, row[0]), bytes(row[1])))
        except (sqlite3.Error, TypeError, ValueError) as error:
            newest = self._newest == segment.sequence
            if isinstance(error, sqlite3.Error) and not is_damage(error) and segment.path.exists():
                return found
            # A file is there for a moment before its table is.
            if newest and "no such table" in str(error):
                return found
            found += self._from_the_end(segment, found[-1][0].frame if found else after, limit - len(found), error)
        return found

    def _from_the_end(self, segment: Segment, after: int, limit: int, error: Exception) -> list[tuple[Position, bytes]]:
        """Read a damaged file backwards down to the damage."""
        self.close()
        if not segment.path.exists():
            return []
        self.damaged += 1
        _log.error("log: %s is damaged after frame %d: %s", segment.path.name, after, error)
        found: list[tuple[Position, bytes]] = []
        with contextlib.suppress(sqlite3.Error, TypeError, ValueError):
            cursor = self._connection(segment).execute(
                "SELECT id, data FROM frame WHERE id > ? ORDER BY id DESC", (after,)
            )
            while (row := cursor.fetchone()) is not None:
                found.append((Position(segment.sequence, row[0]), bytes(row[1])))
        self.close()
        return found[::-1][:limit]


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
