"""The hash chain of the audit journal.

Each row's hash is SHA-256 over the hash of the row before it and the row itself as canonical JSON (UTF-8, sorted keys,
no spaces). Changing, removing or inserting a row breaks the chain at that place; the head kept in `setting` shows rows
cut off at the end.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from controller.journal.schema import audit_entry, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from controller.journal.entry import AuditRow

__all__ = ["GENESIS", "HEAD_KEY", "ChainReport", "canonical", "chained", "link", "verify"]

GENESIS = "0" * 64
"""What the first row calls the hash before it."""
HEAD_KEY = "audit_head"

_FIELDS = ("time_ns", "actor", "action", "target", "outcome", "reason", "client", "data", "previous")


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What checking the whole chain found."""

    whole: bool
    entries: int
    """Rows that were checked."""
    broken_at: int | None = None
    """Id of the first row that does not fit; None when only the end is missing or all is whole."""
    message: str = ""


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return the one JSON text of a value: UTF-8, sorted keys, no spaces.

    Raises:
        TypeError: the value holds something that JSON has no word for.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def link(fields: Mapping[str, Any]) -> str:
    """Return the hash of a row whose `previous` is set."""
    body = canonical({name: fields[name] for name in _FIELDS})
    return hashlib.sha256(str(fields["previous"]).encode() + body).hexdigest()


def chained(row: AuditRow, previous: str) -> dict[str, Any]:
    """Return the columns of a row that follows the row with hash `previous`."""
    fields: dict[str, Any] = {
        "time_ns": row.time_ns,
        "actor": row.actor,
        "action": row.action,
        "target": row.target,
        "outcome": row.outcome,
        "reason": row.reason,
        "client": row.client,
        "data": canonical(row.data).decode(),
        "previous": previous,
    }
    fields["hash"] = link(fields)
    return fields


def _fits(row: Mapping[str, Any]) -> bool:
    try:
        return link(row) == str(row["hash"])
    except TypeError:
        # A column of another type than was written: JSON has no word for it.
        return False


def verify(connection: Connection) -> ChainReport:
    """Read the audit journal from its first row and check every link and the end."""
    previous, checked, last = GENESIS, 0, 0
    rows = connection.execution_options(yield_per=1000).execute(select(audit_entry).order_by(audit_entry.c.id))
    for row in rows.mappings():
        if row["previous"] != previous:
            return ChainReport(
                False,
                checked,
                row["id"],
                f"row {row['id']} does not follow row {last}: rows between were removed or added",
            )
        if not _fits(dict(row)):
            return ChainReport(False, checked, row["id"], f"row {row['id']} was changed after it was written")
        previous, last = row["hash"], row["id"]
        checked += 1
    head = connection.execute(select(setting.c.value).where(setting.c.key == HEAD_KEY)).scalar()
    expected = head["hash"] if isinstance(head, dict) else GENESIS
    if expected != previous:
        wanted = head["id"] if isinstance(head, dict) else 0
        return ChainReport(False, checked, None, f"the journal ends with row {last}, it must end with row {wanted}")
    return ChainReport(True, checked)
