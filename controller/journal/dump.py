"""The journals as canonical text: two runs of the same seed give the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.journal.audit import canonical
from controller.journal.database import make_engine
from controller.journal.schema import alarm_entry, audit_entry, command_entry, event_entry

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["dump_text"]


def dump_text(path: Path) -> bytes:
    """Return the alarm, command, event and audit journals of a state database, one JSON line a row, in order.

    Raises:
        FileNotFoundError: no such file.
        DatabaseError: it is not a state database.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no state database there")
    engine = make_engine(path)
    lines: list[bytes] = []
    try:
        with engine.connect() as connection:
            for table in (alarm_entry, command_entry, event_entry, audit_entry):
                rows = connection.execute(select(table).order_by(table.c.id)).mappings()
                lines += [table.name.encode() + b" " + canonical(dict(row)) for row in rows]
    finally:
        engine.dispose()
    return b"\n".join(lines) + b"\n"
