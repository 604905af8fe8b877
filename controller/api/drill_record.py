"""What the journal keeps of fire drills, read back: how each stands, its record, its muster, whom it told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from controller.drill.course import OPEN, Drill
from controller.drill.muster import Tick
from controller.drill.notice import prefix
from controller.drill.presence import Person
from controller.journal.schema import drill, drill_entry, drill_person, drill_tick, notification

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row

    from controller.journal.journal import Journal

__all__ = ["drill_of", "entries_of", "musters_of", "notices_of", "open_drills"]

MOST_ENTRIES = 5_000
"""Lines of the record of one drill that a report takes."""


async def open_drills(journal: Journal) -> list[Drill]:
    """Return the drills that are not closed."""
    rows = await journal.fetch(select(drill).where(drill.c.phase.in_(sorted(OPEN))))
    return [Drill.of_json(row.data) for row in rows]


async def drill_of(journal: Journal, id_: str) -> Drill | None:
    """Return one drill as the journal has it."""
    rows = await journal.fetch(select(drill.c.data).where(drill.c.id == id_))
    return Drill.of_json(rows[0].data) if rows else None


async def entries_of(journal: Journal, id_: str) -> list[Row[Any]]:
    """Return the record of a drill, oldest first."""
    statement = select(drill_entry).where(drill_entry.c.drill == id_).order_by(drill_entry.c.id).limit(MOST_ENTRIES)
    return await journal.fetch(statement)


async def notices_of(journal: Journal, id_: str) -> list[dict[str, Any]]:
    """Return the messages to the people of a drill, oldest first: rows of the outbox."""
    first = f"post~{prefix(id_)}"
    rows = notification.c
    of_drill = (rows.occurrence >= first, rows.occurrence < f"{first}\uffff")
    found = await journal.fetch(select(notification).where(*of_drill).order_by(rows.id).limit(MOST_ENTRIES))
    return [dict(row._mapping) for row in found]


async def musters_of(journal: Journal, ids: Iterable[str]) -> tuple[dict[str, list[Person]], dict[str, list[Tick]]]:
    """Return who was in the building at the start of each drill, and every tick of it."""
    wanted = list(ids)
    people: dict[str, list[Person]] = {}
    for row in await journal.fetch(select(drill_person).where(drill_person.c.drill.in_(wanted))):
        people.setdefault(row.drill, []).append(Person(row.person, row.area, row.floor, row.door, row.seen_ns))
    ticks: dict[str, list[Tick]] = {}
    for row in await journal.fetch(select(drill_tick).where(drill_tick.c.drill.in_(wanted))):
        ticks.setdefault(row.drill, []).append(Tick.of_json(row.data))
    return people, ticks
