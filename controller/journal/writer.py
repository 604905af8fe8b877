"""The one writer of the state database: a bounded queue, groups of at most 20 ms, one transaction a group.

A **unit** is what one call posted: its statements are in the database together or not at all. There are two sorts:

- a **change** is somebody's wish (a limit, a user, a new command). When the database fails, changes that are not yet
  durable are thrown away and whoever waits is told: a refused change never turns up later.
- a **fact** has happened already (an alarm, a command's result, a device's event). Facts are kept and written when the
  database is back, up to the bound of the queue.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from controller.errors import ConflictError, UnavailableError
from controller.journal.audit import GENESIS, HEAD_KEY, chained
from controller.journal.schema import audit_entry, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine, Executable

    from controller.journal.entry import AuditRow
    from controller.journal.reserve import Reserve

__all__ = ["Barrier", "Unit", "Writer"]

_log = logging.getLogger(__name__)

_SQLITE_FULL = 13
_audit_insert = insert(audit_entry)
_head = upsert(setting)
_head_upsert = _head.on_conflict_do_update(index_elements=["key"], set_={"value": _head.excluded.value})


@dataclass(slots=True)
class Unit:
    """What one call posted."""

    statements: Sequence[Executable] = ()
    rows: Sequence[tuple[Executable, dict[str, Any]]] = ()
    """Prepared statement and its parameters: written many at a time, in order within each statement."""
    audit: AuditRow | None = None
    fact: bool = False
    answer: Callable[[list[int], Exception | None], None] | None = None
    """Called by the writer with the counts of rows touched by `statements`, or with what went wrong."""


@dataclass(slots=True)
class Barrier:
    """A mark in the queue: `answer` is called when everything before it is durable or refused."""

    answer: Callable[[list[int], Exception | None], None]


class Writer:
    """Queue and group commit; `flush` does the work on whichever thread calls it, one at a time.

    Numbers for health: `failures` (groups that failed), `refused` (units the schema refused), `dropped` (units thrown
    away because the queue was full or because the database failed), `committed` (groups).
    """

    def __init__(self, engine: Engine, reserve: Reserve, limit: int = 20_000, group: int = 2_000) -> None:
        """Write through one connection of `engine`; hold at most `limit` units, `group` in one transaction."""
        self._engine = engine
        self.reserve = reserve
        self._limit = limit
        self._group = group
        self._queue: deque[Unit | Barrier] = deque()
        self._connection: Connection | None = None
        self._chain: tuple[int, str] | None = None
        self.changed = threading.Condition()
        self.urgent = False
        """Somebody waits: the group is not to be gathered any longer."""
        self.healthy = True
        self.reason = ""
        self.failures = 0
        self.refused = 0
        self.dropped = 0
        self.committed = 0

    @property
    def pending(self) -> int:
        """Units and marks not yet durable."""
        return len(self._queue)

    def add(self, item: Unit | Barrier) -> None:
        """Queue one item; returns at once.

        Raises:
            UnavailableError: the queue is full, or the database fails and this is a change.
        """
        with self.changed:
            fact = isinstance(item, Unit) and item.fact
            if not self.healthy and not fact:
                raise UnavailableError(
                    f"the journal cannot be written ({self.reason}): changes are refused until it can. "
                    "Look at the disk of the data folder; recovery needs no restart."
                )
            if len(self._queue) >= self._limit:
                self.dropped += 1
                raise UnavailableError(f"the journal has {self._limit} entries waiting to be written; try again later")
            self._queue.append(item)
            if isinstance(item, Barrier) or item.answer is not None:
                self.urgent = True
            self.changed.notify()

    def flush(self) -> bool:
        """Write one group and tell who waits; return whether the database took it (or nothing was there).

        Never raises for what the database does; errors of the program pass.
        """
        with self.changed:
            items = [self._queue[index] for index in range(min(self._group, len(self._queue)))]
            self.urgent = False
        if not items and self.healthy:
            return True
        try:
            answers = self._write(items)
        except DBAPIError as error:
            if _code(error) == _SQLITE_FULL and self.reserve.release():
                _log.warning("disk full: the journal's reserve was given back")
                self._disconnect()
                return self.flush()
            self._fail(error)
            return False
        except (OSError, SQLAlchemyError) as error:
            self._fail(error)
            return False
        with self.changed:
            for _ in items:
                self._queue.popleft()
            if not self.healthy:
                _log.warning("journal writes again")
            self.healthy, self.reason = True, ""
        if items:
            self.committed += 1
        for answer, counts, refusal in answers:
            answer(counts, refusal)
        if self.committed % 64 == 0 or not self.reserve.present:
            self.reserve.hold()
        return True

    def close(self) -> None:
        """Give up what is still queued (counted), checkpoint and disconnect."""
        with self.changed:
            left = list(self._queue)
            self._queue.clear()
        for item in left:
            if isinstance(item, Unit):
                self.dropped += 1
            if item.answer is not None:
                item.answer([], UnavailableError("the journal was closed before this could be written"))
        if self._connection is not None and self.healthy:
            try:
                self._connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            except (DBAPIError, OSError) as error:
                _log.warning("journal: checkpoint at close failed: %s", error)
        self._disconnect()

    def _write(self, items: list[Unit | Barrier]) -> list[tuple[Callable[..., None], list[int], Exception | None]]:
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection
        units = [item for item in items if isinstance(item, Unit)]
        chain = self._chain
        results: dict[int, tuple[list[int], Exception | None]] = {}
        try:
            try:
                with connection.begin():
                    if not self.healthy:
                        # An empty transaction would succeed on a full disk too.
                        connection.execute(_head_upsert, [{"key": "probe", "value": self.failures, "time_ns": 0}])
                    for number, counts in enumerate(self._run(connection, units)):
                        results[number] = (counts, None)
            except (IntegrityError, DataError, ProgrammingError, TypeError, ValueError):
                # One unit spoils the group: each for itself then, so that only the culprit is refused.
                self._chain = chain
                results.clear()
                with connection.begin():
                    for number, unit in enumerate(units):
                        results[number] = self._run_alone(connection, unit)
        except BaseException:
            self._chain = chain
            raise
        answers: list[tuple[Callable[..., None], list[int], Exception | None]] = []
        spoiled: Exception | None = None
        number = 0
        for item in items:
            if isinstance(item, Barrier):
                answers.append((item.answer, [], spoiled))
                continue
            counts, refusal = results[number]
            number += 1
            if refusal is not None:
                self.refused += 1
                spoiled = refusal
                _log.error("journal: entry refused: %s", refusal)
            if item.answer is not None:
                answers.append((item.answer, counts, refusal))
        return answers

    def _run_alone(self, connection: Connection, unit: Unit) -> tuple[list[int], Exception | None]:
        chain = self._chain
        try:
            with connection.begin_nested():
                return self._run(connection, [unit])[0], None
        except (IntegrityError, DataError, ProgrammingError, TypeError, ValueError) as error:
            self._chain = chain
            return [], ConflictError(f"the journal refused an entry: {getattr(error, 'orig', error)}")

    def _run(self, connection: Connection, units: list[Unit]) -> list[list[int]]:
        """Execute the units; prepared rows of neighbouring units go many at a time."""
        waiting: dict[int, tuple[Executable, list[dict[str, Any]]]] = {}
        counts: list[list[int]] = []

        def settle() -> None:
            for statement, rows in waiting.values():
                connection.execute(statement, rows)
            waiting.clear()

        chain = self._chain
        for unit in units:
            for statement, row in unit.rows:
                waiting.setdefault(id(statement), (statement, []))[1].append(row)
            if unit.audit is not None:
                chain = chain or self._head_of(connection)
                fields = chained(unit.audit, chain[1])
                # The id is ours, not AUTOINCREMENT's: the head must name it before the rows are written.
                fields["id"] = chain[0] + 1
                chain = (chain[0] + 1, fields["hash"])
                waiting.setdefault(id(_audit_insert), (_audit_insert, []))[1].append(fields)
            if unit.statements:
                settle()
            counts.append([max(0, connection.execute(statement).rowcount) for statement in unit.statements])
        if chain is not None and chain != self._chain:
            head = {"key": HEAD_KEY, "value": {"id": chain[0], "hash": chain[1]}, "time_ns": 0}
            waiting[id(_head_upsert)] = (_head_upsert, [head])
        settle()
        self._chain = chain
        return counts

    @staticmethod
    def _head_of(connection: Connection) -> tuple[int, str]:
        row = connection.execute(
            audit_entry.select()
            .with_only_columns(audit_entry.c.id, audit_entry.c.hash)
            .order_by(audit_entry.c.id.desc())
        ).first()
        return (row[0], row[1]) if row is not None else (0, GENESIS)

    def _fail(self, error: Exception) -> None:
        reason = str(getattr(error, "orig", None) or error)
        self._disconnect()
        lost: list[Unit | Barrier] = []
        with self.changed:
            if self.healthy:
                _log.error("journal cannot be written: %s", reason)
            self.healthy, self.reason = False, reason
            self.failures += 1
            kept: deque[Unit | Barrier] = deque(item for item in self._queue if isinstance(item, Unit) and item.fact)
            lost = [item for item in self._queue if not (isinstance(item, Unit) and item.fact)]
            self._queue = kept
        self.dropped += sum(isinstance(item, Unit) for item in lost)
        for item in lost:
            if item.answer is not None:
                item.answer([], UnavailableError(f"the journal could not be written ({reason}); nothing was changed"))

    def _disconnect(self) -> None:
        if self._connection is not None:
            try:
                self._connection.invalidate()
                self._connection.close()
            except (DBAPIError, OSError, SQLAlchemyError) as error:
                _log.warning("journal: disconnecting failed: %s", error)
            self._connection = None


def _code(error: DBAPIError) -> int:
    return int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF
