"""The outbox in the state database: a message is durable there before it is sent, and so is each attempt.

Open messages are in memory too. Of an alarm that still waits for somebody all ids are known, so that it is never told
twice by the same step; they are forgotten when it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert

from controller.journal.schema import acknowledge_link, notification
from controller.notify.notice import EXERCISE, FINAL, Notice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.journal.journal import Journal

__all__ = ["Outbox", "read_notice"]

MOST_OPEN = 20_000
"""Messages that wait at once; more are counted and not made, but for life safety."""
KEEP_DAYS = 400
_KEYS = ("message", "created_ns")
_insert = insert(notification)
_upsert = _insert.on_conflict_do_update(
    index_elements=["message"],
    set_={
        column.name: _insert.excluded[column.name]
        for column in notification.columns
        if column.name not in ("id", *_KEYS)
    },
)


def _row(notice: Notice) -> dict[str, Any]:
    values = {name: getattr(notice, name) for name in Notice.__dataclass_fields__}
    values["message"] = values.pop("id")
    return {**values, "data": dict(notice.data), "history": [dict(line) for line in notice.history]}


def read_notice(row: Any) -> Notice:
    """Return the notice of a row of the outbox."""
    values = {name: getattr(row, name) for name in Notice.__dataclass_fields__ if name not in ("id", "history", "data")}
    return Notice(id=row.message, data=row.data or {}, history=tuple(row.history or ()), **values)


class Outbox:
    """What is to be sent and what is known of the open alarms; every change is posted to the journal."""

    def __init__(self, journal: Journal) -> None:
        """Begin empty; `read` takes over what the last run left."""
        self._journal = journal
        self.open: dict[str, Notice] = {}
        """Not final, by id."""
        self._known: dict[str, dict[str, str]] = {}
        """State by id of every notice of an occurrence that may still be told of."""
        self.dropped = 0
        """Messages that were not made because too many waited; 0 in health."""

    async def read(self, occurrences: Iterable[str]) -> list[Notice]:
        """Take over the open messages, and what is known of these occurrences; returns those that were being sent.

        Raises:
            UnavailableError: the state database cannot be read.
        """
        rows = await self._journal.fetch(select(notification).where(notification.c.state.not_in(FINAL)))
        cut = []
        for row in rows:
            notice = read_notice(row)
            self.open[notice.id] = notice
            if notice.state == "sending":
                cut.append(notice)
        wanted = set(occurrences) | {notice.occurrence for notice in self.open.values() if notice.occurrence}
        columns = select(notification.c.occurrence, notification.c.message, notification.c.state)
        listed = sorted(wanted)
        for start in range(0, len(listed), 500):
            part = columns.where(notification.c.occurrence.in_(listed[start : start + 500]))
            for row in await self._journal.fetch(part):
                self._known.setdefault(row.occurrence, {})[row.message] = row.state
        return cut

    async def last(self, since_ns: int) -> list[Notice]:
        """Return of each contact the last message that got through and, by `only`, the last that did not; oldest first.

        Raises:
            UnavailableError: the state database cannot be read.
        """
        columns = notification.c
        latest = (
            select(func.max(columns.id))
            .where(columns.created_ns >= since_ns, columns.state.in_(("sent", "failed")))
            .group_by(columns.contact, columns.state, columns.only)
        )
        query = select(notification).where(columns.id.in_(latest)).order_by(columns.changed_ns, columns.id)
        return [read_notice(row) for row in await self._journal.fetch(query)]

    def known(self, occurrence: str) -> dict[str, str]:
        """Return the state of every notice of an occurrence, by id."""
        return self._known.get(occurrence, {})

    async def ids(self, occurrence: str) -> set[str]:
        """Return the ids of every notice of an occurrence, also of one that was forgotten.

        Raises:
            UnavailableError: the state database cannot be read.
        """
        query = select(notification.c.message).where(notification.c.occurrence == occurrence)
        return {row.message for row in await self._journal.fetch(query)} | set(self.known(occurrence))

    def occurrences(self) -> list[str]:
        """Return the occurrences of which something is known."""
        return list(self._known)

    def forget(self, occurrence: str) -> None:
        """Let go of an occurrence that is over and of which nothing more will be told."""
        self._known.pop(occurrence, None)

    def put(self, *notices: Notice) -> None:
        """Keep notices as they stand now, new or changed; durable after the journal's next commit."""
        kept = []
        for notice in notices:
            if notice.id not in self.open and len(self.open) >= MOST_OPEN and not notice.life_safety:
                self.dropped += 1
                continue
            if notice.occurrence:
                self._known.setdefault(notice.occurrence, {})[notice.id] = notice.state
            if notice.state in FINAL:
                self.open.pop(notice.id, None)
            else:
                self.open[notice.id] = notice
            kept.append((_upsert, _row(notice)))
        if kept:
            self._journal.fact(*kept)

    async def commit(self) -> None:
        """Return when everything put so far is durable.

        Raises:
            UnavailableError, ConflictError: the state database cannot be written; what was put is written later.
        """
        await self._journal.commit()

    async def prune(self, now_ns: int) -> None:
        """Take away messages and links that are older than `KEEP_DAYS`; those of drills belong to their record.

        Raises:
            UnavailableError: the state database cannot be written.
        """
        before = now_ns - KEEP_DAYS * 86_400_000_000_000
        await self._journal.write(
            delete(notification).where(
                notification.c.created_ns < before,
                notification.c.state.in_(FINAL),
                notification.c.occurrence.not_like(f"post~{EXERCISE}%"),
            ),
            delete(acknowledge_link).where(acknowledge_link.c.expires_ns < before),
        )
