"""What a start reads from the state database: numbers, overlay, slots, alarms, what strategies did, cut commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from controller.alarm.definition import AlarmState
from controller.drill.presence import FORGET_S, PASSES
from controller.journal.entry import CommandRow, SlotRow
from controller.journal.schema import (
    alarm_state,
    command_entry,
    command_slot,
    event_entry,
    fire_state,
    overlay,
    point_number,
    setting,
)
from controller.settings.overlay import Change
from controller.strategy.strategy import Past

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.journal.journal import Journal
    from controller.strategy.strategy import Strategy
    from drivers.driver import Clock

__all__ = [
    "alarm_states",
    "changes",
    "end_cut_commands",
    "fire_response",
    "keep_numbers",
    "next_generation",
    "passes",
    "point_numbers",
    "slots",
    "strategy_past",
]

_OPEN_STATES = ("accepted", "pending", "verifying")
_LOOK_BACK = 20_000


async def point_numbers(journal: Journal) -> list[tuple[int, str]]:
    """Return every number that was ever given, with its address."""
    return [(row.number, row.address) for row in await journal.fetch(select(point_number))]


async def keep_numbers(journal: Journal, new: Iterable[tuple[int, str]], clock: Clock) -> None:
    """Make newly given numbers durable.

    Raises:
        UnavailableError: the state database cannot be written.
    """
    rows = [{"number": number, "address": address, "created_ns": clock.now_ns()} for number, address in new]
    if rows:
        journal.post(insert(point_number).values(rows).on_conflict_do_nothing())
        await journal.commit()


async def next_generation(journal: Journal, clock: Clock) -> int:
    """Return the number of the configuration that is about to run; it grows with each start and each apply."""
    rows = await journal.fetch(select(setting.c.value).where(setting.c.key == "generation"))
    generation = int(rows[0].value) + 1 if rows else 1
    statement = insert(setting).values(key="generation", value=generation, time_ns=clock.now_ns())
    journal.post(
        statement.on_conflict_do_update(
            index_elements=["key"], set_={"value": statement.excluded.value, "time_ns": statement.excluded.time_ns}
        )
    )
    return generation


async def changes(journal: Journal) -> list[Change]:
    """Return the overlay."""
    rows = await journal.fetch(select(overlay))
    return [Change(row.key, row.value, row.who, row.why, row.expires_ns, row.time_ns) for row in rows]


async def slots(journal: Journal) -> list[SlotRow]:
    """Return the filled slots of before the restart."""
    rows = await journal.fetch(select(command_slot))
    return [SlotRow(row.point, row.slot, row.value, row.owner, row.reason, row.since_ns, row.until_ns) for row in rows]


async def alarm_states(journal: Journal) -> list[AlarmState]:
    """Return the alarms that were not normal before the restart."""
    return [
        AlarmState(
            definition=row.definition,
            occurrence=row.occurrence,
            state=row.state,
            raised_ns=row.raised_ns,
            returned_ns=row.returned_ns,
            acknowledged_ns=row.acknowledged_ns,
            acknowledged_by=row.acknowledged_by,
            comment=row.comment,
            value=row.value,
            limit=row.limit,
            count=row._mapping["count"],
            data=row.data,
        )
        for row in await journal.fetch(select(alarm_state))
    ]


async def passes(journal: Journal, clock: Clock) -> list[tuple[str, int, dict[str, object]]]:
    """Return the events of cards at doors that still tell who is in the building: type, time and data, oldest first."""
    since = clock.now_ns() - round(FORGET_S * 1e9)
    rows = await journal.fetch(
        select(event_entry.c.type, event_entry.c.time_ns, event_entry.c.data)
        .where(event_entry.c.type.in_(sorted(PASSES)), event_entry.c.time_ns >= since)
        .order_by(event_entry.c.time_ns, event_entry.c.id)
    )
    return [(row.type, row.time_ns, row.data) for row in rows]


async def fire_response(journal: Journal) -> Mapping[str, Any] | None:
    """Return where the response to a fire stood before the restart; None when there was none."""
    rows = await journal.fetch(select(fire_state.c.data))
    return rows[0].data if rows else None


async def strategy_past(journal: Journal, strategies: Iterable[Strategy], since_ns: int) -> dict[str, list[Past]]:
    """Return what the slots of each strategy held since `since_ns`, by its id: what a day allows once is used once."""
    found: dict[str, list[Past]] = {}
    for strategy in strategies:
        outputs = frozenset(strategy.outputs)
        rows = await journal.fetch(
            select(command_entry)
            .where(command_entry.c.time_ns >= since_ns, command_entry.c.slot == strategy.slot)
            .order_by(command_entry.c.id)
        )
        found[strategy.id] = [
            Past(row.point, row.time_ns, row.value)
            for row in rows
            if row.point in outputs and (row.value is None or row.state in ("accepted", "masked"))
        ]
    return found


async def end_cut_commands(journal: Journal, clock: Clock) -> int:
    """Write `unknown` behind every command that the last run left open; return how many.

    Nobody knows whether the device has them, and they are never sent again.
    """
    newest = select(func.max(command_entry.c.id))
    recent = command_entry.c.id > newest.scalar_subquery() - _LOOK_BACK
    last = select(func.max(command_entry.c.id)).where(recent).group_by(command_entry.c.command)
    rows = await journal.fetch(
        select(command_entry).where(command_entry.c.id.in_(last), command_entry.c.state.in_(_OPEN_STATES))
    )
    for row in rows:
        journal.command(
            CommandRow(
                command=row.command,
                time_ns=clock.now_ns(),
                point=row.point,
                number=row.number,
                slot=row.slot,
                value=row.value,
                previous=row.previous,
                owner=row.owner,
                reason=row.reason,
                state="unknown",
                message="the controller stopped before the result was known; it was not sent again: check it on site",
                until_ns=row.until_ns,
            )
        )
    if rows:
        await journal.commit()
    return len(rows)
