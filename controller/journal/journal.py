"""The state database as the other rooms see it: post, commit, fetch, and typed appends.

    journal = await Journal.open(folder / "state.db", clock)
    journal.post(update(overlay)…, insert(…)…)    # together, or not at all
    await journal.commit()                        # now durable, or UnavailableError: then nothing of it will be

The appends of facts (`alarm`, `event`, `fact`, results of commands) never raise for a failing disk: they wait in memory
and are written when it is back. Whoever needs to know looks at `healthy`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from controller.errors import UnavailableError
from controller.journal import audit as chain
from controller.journal.database import open_database
from controller.journal.reserve import Reserve
from controller.journal.schema import (
    alarm_entry,
    alarm_state,
    command_entry,
    command_slot,
    drill,
    drill_entry,
    drill_person,
    drill_tick,
    event_entry,
    fire_entry,
    fire_state,
)
from controller.journal.writer import Barrier, Unit, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Executable, Row, Table

    from controller.journal.audit import ChainReport
    from controller.journal.database import Opened
    from controller.journal.entry import (
        AlarmRow,
        AlarmStateRow,
        AuditRow,
        CommandRow,
        DrillEntryRow,
        DrillPersonRow,
        DrillRow,
        DrillTickRow,
        FireRow,
        SlotRow,
    )
    from drivers.driver import Clock
    from drivers.event import Event

__all__ = ["InlineExecutor", "Journal"]

_log = logging.getLogger(__name__)
T = TypeVar("T")

GATHER_S = 0.02
"""A group is gathered no longer than this; as soon as somebody waits for it, it is written."""
_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_CLOSE_S = 5.0
_KEYS = 20_000


def _replacing(table: Table) -> Executable:
    statement = upsert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)


_alarm_insert = insert(alarm_entry)
_alarm_upsert = _replacing(alarm_state)
_alarm_delete = delete(alarm_state).where(alarm_state.c.definition == bindparam("of_definition"))
_command_insert = insert(command_entry)
_slot_upsert = _replacing(command_slot)
_slot_delete = delete(command_slot).where(
    command_slot.c.point == bindparam("of_point"), command_slot.c.slot == bindparam("of_slot")
)
_drill_upsert = _replacing(drill)
_drill_insert = insert(drill_entry)
_tick_insert = upsert(drill_tick).on_conflict_do_nothing(index_elements=["drill", "key"])
_person_insert = upsert(drill_person).on_conflict_do_nothing(index_elements=["drill", "person"])
_fire_insert = insert(fire_entry)
_fire_upsert = _replacing(fire_state)
_fire_delete = delete(fire_state).where(fire_state.c.key == bindparam("of_key"))
_FIRE = "response"
_event_insert = upsert(event_entry).on_conflict_do_nothing(index_elements=["source", "key"])


class InlineExecutor:
    """Has the journal work on the caller's thread, for virtual mode: same calls, same file, byte for byte.

    Nothing is synchronised to disk: a virtual building has no power to lose.
    """


class Journal:
    """One open state database; use `open`."""

    def __init__(self, opened: Opened, path: Path, clock: Clock, *, inline: bool) -> None:
        """Work on a database that `open_database` made ready."""
        self.path = path
        self.quarantined = opened.quarantined
        """Where a damaged file found at the start was put; None when it was whole."""
        self.damage = opened.damage
        self.saved = opened.saved
        self._clock = clock
        self._engine = opened.engine
        self._inline = inline
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(opened.engine, Reserve(path.with_name(path.name + ".reserve")))
        self._stop = False
        self._failed = 0
        self._scheduled = False
        self._keys: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._reading: Connection | None = None
        self._reader = None if inline else ThreadPoolExecutor(1, "journal-reader")
        self._thread = None if inline else threading.Thread(target=self._work, name="journal-writer", daemon=True)

    @classmethod
    async def open(cls, path: Path, clock: Clock, executor: InlineExecutor | None = None) -> Journal:
        """Open or make the database at `path`, migrate it, and start its writer.

        A damaged file is moved aside and what is readable is kept: see `quarantined`, `damage` and `saved`.

        Raises:
            InvalidError: a newer release wrote it.
            UnavailableError: it cannot be opened now (locked, disk full, no permission).
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        inline = executor is not None
        synchronous = "OFF" if inline else "FULL"
        try:
            if inline:
                opened = open_database(path, clock, synchronous=synchronous)
            else:
                opened = await asyncio.to_thread(open_database, path, clock, synchronous=synchronous)
        except (DBAPIError, OSError) as error:
            raise UnavailableError(f"{path}: cannot open the state database: {error}") from error
        journal = cls(opened, path, clock, inline=inline)
        journal._writer.reserve.hold()
        known = select(event_entry.c.source, event_entry.c.key).order_by(event_entry.c.id.desc()).limit(_KEYS)
        for row in reversed(await journal.fetch(known)):
            journal._keys[row.source, row.key] = None
        if journal._thread is not None:
            journal._thread.start()
        return journal

    @property
    def healthy(self) -> bool:
        """False while the database cannot be written; changes are refused until it is True again."""
        return self._writer.healthy

    @property
    def reason(self) -> str:
        """Why it is not healthy; empty when it is."""
        return self._writer.reason

    @property
    def pending(self) -> int:
        """Entries that are not durable yet."""
        return self._writer.pending

    @property
    def failures(self) -> int:
        """Groups that could not be written so far."""
        return self._writer.failures

    @property
    def dropped(self) -> int:
        """Entries thrown away: queue full, or a change while the database failed (its poster was told)."""
        return self._writer.dropped

    @property
    def refused(self) -> int:
        """Entries that the schema refused (unique, not null)."""
        return self._writer.refused

    def post(self, *statements: Executable) -> None:
        """Queue statements for the next group, in order, together or not at all; returns at once.

        Raises:
            UnavailableError: the queue is full or the database cannot be written.
        """
        self._add(Unit(statements))

    async def write(self, *statements: Executable) -> list[int]:
        """Post statements, wait until they are durable, and return how many rows each touched.

        Raises:
            ConflictError: a constraint refused one of them; none is in the database.
            UnavailableError: the database cannot be written; none is or will be in the database.
        """
        future: asyncio.Future[list[int]] = self._loop.create_future()
        self._add(Unit(statements, answer=self._answer(future)))
        return await self._result(future)

    async def commit(self) -> None:
        """Return when everything posted so far is durable.

        Raises:
            ConflictError: a constraint refused something posted since the last group.
            UnavailableError: the database cannot be written; changes posted and not yet durable are thrown away.
        """
        future: asyncio.Future[list[int]] = self._loop.create_future()
        self._add(Barrier(self._answer(future)))
        await self._result(future)

    async def fetch(self, statement: Executable) -> list[Row[Any]]:
        """Return the rows of a query over what is durable.

        Raises:
            UnavailableError: the database cannot be read now.
        """
        return await self.read(lambda connection: list(connection.execute(statement).fetchall()))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a read connection, off the loop; for reads of more than one statement.

        Raises:
            UnavailableError: the database cannot be read now.
        """
        try:
            if self._reader is None:
                self._flush_inline()
                return self._read(work)
            return await self._loop.run_in_executor(self._reader, self._read, work)
        except DBAPIError as error:
            raise UnavailableError(f"the state database cannot be read: {error.orig}") from error

    def alarm(self, row: AlarmRow, state: AlarmStateRow | None = None) -> None:
        """Append one transition of an alarm, and its state, in one transaction. Never raises for a failing disk."""
        rows: list[tuple[Executable, dict[str, Any]]] = [(_alarm_insert, _columns(row))]
        if state is not None and state.state == "normal":
            rows.append((_alarm_delete, {"of_definition": state.definition}))
        elif state is not None:
            rows.append((_alarm_upsert, _columns(state)))
        self._add_fact(Unit(rows=rows, fact=True))

    def fact(self, *rows: tuple[Executable, dict[str, Any]]) -> None:
        """Append prepared statements with their parameters, in one transaction. Never raises for a failing disk.

        For what has happened and must be known later (a message was handed over); `commit` tells when it is durable.
        """
        self._add_fact(Unit(rows=rows, fact=True))

    def command(self, row: CommandRow | None, *slots: SlotRow, lost: Callable[[Exception], None] | None = None) -> None:
        """Append one state of a command and the slots that it changed, in one transaction.

        A new command (state `accepted`, or with `lost`) is a change, later states are facts; `row=None` writes slots
        alone. `lost` is called on the loop when the database did not take it after all, before `commit` raises.

        Raises:
            UnavailableError: the command is new and the database cannot be written.
        """
        rows: list[tuple[Executable, dict[str, Any]]] = []
        if row is not None:
            rows.append((_command_insert, _columns(row)))
        for slot in slots:
            if slot.value is None:
                rows.append((_slot_delete, {"of_point": slot.point, "of_slot": slot.slot}))
            else:
                rows.append((_slot_upsert, _columns(slot)))
        if lost is not None or (row is not None and row.state == "accepted"):
            self._add(Unit(rows=rows, answer=None if lost is None else self._on_loop(_of_loss(lost))))
        else:
            self._add_fact(Unit(rows=rows, fact=True))

    def event(self, event: Event) -> bool:
        """Append a device's event; return False when this source's key was seen before (the last 20,000 are known).

        Older repeats are kept out by the database. Never raises for a failing disk.
        """
        name = (event.source, event.key)
        if name in self._keys:
            return False
        self._keys[name] = None
        if len(self._keys) > _KEYS:
            self._keys.popitem(last=False)
        row = {
            "source": event.source,
            "key": event.key,
            "type": event.type,
            "time_ns": event.time_ns,
            "received_ns": self._clock.now_ns(),
            "late": event.late,
            "data": dict(event.data),
        }
        self._add_fact(Unit(rows=[(_event_insert, row)], fact=True))
        return True

    def drill(
        self,
        row: DrillRow | None,
        entries: Iterable[DrillEntryRow] = (),
        ticks: Iterable[DrillTickRow] = (),
        people: Iterable[DrillPersonRow] = (),
    ) -> None:
        """Append what happened in a drill, and how it stands, in one transaction. Never raises for a failing disk.

        A tick or person that is there already stays as it is.
        """
        rows: list[tuple[Executable, dict[str, Any]]] = []
        if row is not None:
            rows.append((_drill_upsert, _columns(row)))
        rows += [(_drill_insert, _columns(entry)) for entry in entries]
        rows += [(_tick_insert, _columns(tick)) for tick in ticks]
        rows += [(_person_insert, _columns(person)) for person in people]
        self._add_fact(Unit(rows=rows, fact=True))

    def fire(self, rows: Sequence[FireRow], state: Mapping[str, Any] | None) -> None:
        """Append what happened in the response to a fire, and where it stands, in one transaction; None ends it.

        Never raises for a failing disk: a fire is answered without its record, which is written when it can be.
        """
        written: list[tuple[Executable, dict[str, Any]]] = [(_fire_insert, _columns(row)) for row in rows]
        if state is None:
            written.append((_fire_delete, {"of_key": _FIRE}))
        else:
            written.append((_fire_upsert, {"key": _FIRE, "data": dict(state)}))
        self._add_fact(Unit(rows=written, fact=True))

    def audit(self, row: AuditRow) -> None:
        """Append to the audit journal; order of calls = order of the chain.

        Raises:
            UnavailableError: the queue is full or the database cannot be written: refuse what was to be audited.
        """
        self._add(Unit(audit=row))

    async def change(self, row: AuditRow, *statements: Executable) -> list[int]:
        """Write a change and its line of audit together or not at all; return when both are durable.

        Returns how many rows each statement touched.

        Raises:
            ConflictError: a constraint refused one of them; none is in the database.
            UnavailableError: the database cannot be written; none is or will be in the database.
        """
        future: asyncio.Future[list[int]] = self._loop.create_future()
        self._add(Unit(statements, audit=row, answer=self._answer(future)))
        return await self._result(future)

    async def verify_audit(self) -> ChainReport:
        """Check the whole hash chain.

        Raises:
            UnavailableError: the database cannot be read now.
        """
        return await self.read(chain.verify)

    async def close(self) -> None:
        """Write what is queued (5 s at most), checkpoint, and stop."""
        if self._thread is not None:
            with self._writer.changed:
                self._stop = True
                self._writer.changed.notify()
            await asyncio.to_thread(self._thread.join, _CLOSE_S)
        else:
            self._flush_inline()
            self._writer.close()
        if self._reader is not None:
            await self._loop.run_in_executor(self._reader, self._disconnect_reader)
            self._reader.shutdown(wait=True)
        else:
            self._disconnect_reader()
        self._engine.dispose()

    def _add(self, item: Unit | Barrier) -> None:
        self._writer.add(item)
        if self._inline and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush_inline)

    def _add_fact(self, unit: Unit) -> None:
        try:
            self._add(unit)
        except UnavailableError as error:
            # Counted by the writer. An alarm must never be stopped by its own record.
            _log.error("journal: an entry was lost: %s", error)

    def _answer(self, future: asyncio.Future[list[int]]) -> Callable[[list[int], Exception | None], None]:
        def settle(counts: list[int], error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(counts)

        return self._on_loop(settle)

    def _on_loop(
        self, settle: Callable[[list[int], Exception | None], None]
    ) -> Callable[[list[int], Exception | None], None]:
        """Return what the writer may call on its thread; answers reach the loop in the order of the queue."""

        def answer(counts: list[int], error: Exception | None) -> None:
            if self._inline:
                settle(counts, error)
                return
            try:
                self._loop.call_soon_threadsafe(settle, counts, error)
            except RuntimeError:
                _log.warning("journal: the loop was closed before an answer could be given")

        return answer

    async def _result(self, future: asyncio.Future[list[int]]) -> list[int]:
        if self._inline:
            self._flush_inline()
        return await future

    def _flush_inline(self) -> None:
        self._scheduled = False
        while self._writer.pending:
            if not self._writer.flush():
                self._loop.call_later(_RETRY_S[-1], self._flush_inline)
                return
        if not self._writer.healthy:
            self._writer.flush()

    def _work(self) -> None:
        """The writer's thread: gather, flush, back off while the database fails."""
        writer = self._writer
        while True:
            with writer.changed:
                while not (writer.pending or self._stop or not writer.healthy):
                    writer.changed.wait()
                if writer.healthy and not writer.urgent and not self._stop:
                    writer.changed.wait_for(lambda: writer.urgent or self._stop, GATHER_S)
            if writer.flush():
                self._failed = 0
                if self._stop and not writer.pending:
                    break
                continue
            self._failed += 1
            if self._stop and self._failed > 3:
                break
            with writer.changed:
                writer.changed.wait_for(lambda: self._stop, _RETRY_S[min(self._failed, len(_RETRY_S)) - 1])
        writer.close()

    def _read(self, work: Callable[[Connection], T]) -> T:
        if self._reading is None:
            self._reading = self._engine.connect()
        try:
            with self._reading.begin():
                return work(self._reading)
        except DBAPIError:
            self._disconnect_reader()
            raise

    def _disconnect_reader(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None


def _of_loss(lost: Callable[[Exception], None]) -> Callable[[list[int], Exception | None], None]:
    def settle(_counts: list[int], error: Exception | None) -> None:
        if error is not None:
            lost(error)

    return settle


def _columns(
    row: AlarmRow
    | AlarmStateRow
    | CommandRow
    | FireRow
    | SlotRow
    | DrillRow
    | DrillEntryRow
    | DrillTickRow
    | DrillPersonRow,
) -> dict[str, Any]:
    return {item.name: getattr(row, item.name) for item in fields(row)}
