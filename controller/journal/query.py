"""Pages of the journals, newest first, by the id where the last page ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ColumnElement, Select, Table, func, select

from controller.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column

    from controller.journal.journal import Journal

__all__ = ["MAX_PAGE", "Page", "among", "page", "statement"]

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next ones begin."""

    items: list[dict[str, Any]]
    next: str | None
    """Cursor of the next page; None when there is none."""


def statement(table: Table, *where: ColumnElement[bool], cursor: str | None = None, limit: int = 100) -> Select[Any]:
    """Return the query of one page of a journal (`*_entry`, `point_rename`), one row longer than `limit`.

    Raises:
        InvalidError: the cursor is none of ours, or `limit` is not 1 to 1,000.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidError(f"limit: got {limit}, wanted 1 to {MAX_PAGE}")
    query = select(table).where(*where).order_by(table.c.id.desc()).limit(limit + 1)
    if cursor:
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
            raise InvalidError(f"cursor: got {cursor[:40]!r}, wanted the `next` of an earlier page")
        query = query.where(table.c.id < int(cursor))
    return query


def among(column: Column[str], values: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a text column has one of many values; one parameter, however many there are."""
    listed = func.json_each(orjson.dumps(sorted(values)).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


async def page(
    journal: Journal, table: Table, *where: ColumnElement[bool], cursor: str | None = None, limit: int = 100
) -> Page:
    """Return one page, newest first.

    Raises:
        InvalidError: the cursor is none of ours, or `limit` is out of range.
        UnavailableError: the database cannot be read now.
    """
    rows = await journal.fetch(statement(table, *where, cursor=cursor, limit=limit))
    items = [dict(row._mapping) for row in rows[:limit]]
    return Page(items, str(items[-1]["id"]) if len(rows) > limit else None)
