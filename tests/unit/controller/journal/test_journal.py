from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Insert, insert, select, update

from controller.clock import SystemClock, VirtualClock
from controller.errors import ConflictError, InvalidError, UnavailableError
from controller.journal.dump import dump_text
from controller.journal.entry import AlarmRow, AlarmStateRow, AuditRow, CommandRow, SlotRow
from controller.journal.journal import InlineExecutor, Journal
from controller.journal.query import page
from controller.journal.schema import (
    alarm_entry,
    alarm_state,
    audit_entry,
    command_entry,
    command_slot,
    event_entry,
    overlay,
    sign_in_link,
    user,
)
from drivers.event import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "state.db", SystemClock())
    yield journal
    await journal.close()


def new_user(name: str) -> Insert:
    return insert(user).values(name=name, role="viewer", created_ns=1, changed_ns=1)


def raised(number: int) -> AlarmRow:
    return AlarmRow(f"o{number}", "tx1.temp#high", number, "raised", "normal", "unacknowledged", 90.0, 80.0)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 the journal has no event for it
            await asyncio.sleep(0.01)


async def test_commit_makes_all_posts_durable_in_order(journal: Journal, tmp_path: Path) -> None:
    for number in range(50):
        journal.post(insert(overlay).values(key=f"k{number}", value={"n": number}, who="a", time_ns=number))
    journal.post(update(overlay).where(overlay.c.key == "k7").values(value={"n": "last"}))
    await journal.commit()
    with sqlite3.connect(tmp_path / "state.db") as other:
        rows = dict(other.execute("SELECT key, value FROM overlay").fetchall())
    other.close()
    assert len(rows) == 50
    assert rows["k7"] == '{"n":"last"}'
    assert journal.pending == 0


async def test_statements_of_one_post_stand_or_fall_together_and_spare_the_others(journal: Journal) -> None:
    journal.post(new_user("before"))
    journal.post(insert(overlay).values(key="half", value=1, who="a", time_ns=1), new_user("before"))
    journal.post(new_user("after"))
    with pytest.raises(ConflictError, match="UNIQUE"):
        await journal.commit()
    assert {row.name for row in await journal.fetch(select(user))} == {"before", "after"}
    assert await journal.fetch(select(overlay)) == []
    assert journal.refused == 1
    assert journal.healthy


async def test_write_counts_rows_so_that_a_link_is_used_once(journal: Journal) -> None:
    await journal.write(insert(sign_in_link).values(hash="h", role="administrator", created_ns=1, expires_ns=9))
    use = update(sign_in_link).where(sign_in_link.c.hash == "h", sign_in_link.c.used_ns.is_(None)).values(used_ns=5)
    counts = await asyncio.gather(*(journal.write(use) for _ in range(10)))
    assert sorted(count for (count,) in counts) == [0] * 9 + [1]
    with pytest.raises(ConflictError):
        await journal.write(insert(sign_in_link).values(hash="h", role="viewer", created_ns=1, expires_ns=9))


async def test_alarm_state_moves_with_its_entry_and_goes_when_normal(journal: Journal) -> None:
    journal.alarm(raised(1), AlarmStateRow("tx1.temp#high", "o1", "unacknowledged", raised_ns=1, data={"count": 2}))
    await journal.commit()
    (state,) = await journal.fetch(select(alarm_state))
    assert (state.state, state.raised_ns, state.data) == ("unacknowledged", 1, {"count": 2})
    back = AlarmRow("o1", "tx1.temp#high", 2, "returned", "unacknowledged", "normal")
    journal.alarm(back, AlarmStateRow("tx1.temp#high", "o1", "normal"))
    await journal.commit()
    assert await journal.fetch(select(alarm_state)) == []
    assert [row.event for row in await journal.fetch(select(alarm_entry).order_by(alarm_entry.c.id))] == [
        "raised",
        "returned",
    ]


async def test_command_and_its_slots_are_one_transaction(journal: Journal) -> None:
    row = CommandRow("c1", 5, "a.b.c.d", 7, 8, 21.5, None, "op", "too warm", "accepted")
    journal.command(row, SlotRow("a.b.c.d", 8, 21.5, "op", "too warm", 5), SlotRow("a.b.c.d", 12, 20.0, "s", "", 5))
    journal.command(None, SlotRow("a.b.c.d", 12, None))
    await journal.commit()
    assert [(slot.slot, slot.value) for slot in await journal.fetch(select(command_slot))] == [(8, 21.5)]


async def test_event_is_kept_once_also_over_a_restart(tmp_path: Path) -> None:
    event = Event("e-1", "door7", "door_forced", 100, {"badge": "17"})
    first = await Journal.open(tmp_path / "state.db", VirtualClock(500))
    assert first.event(event)
    assert not first.event(event)
    await first.close()
    second = await Journal.open(tmp_path / "state.db", VirtualClock(600))
    assert not second.event(event)
    assert second.event(Event("e-1", "door8", "door_forced", 100))
    await second.commit()
    rows = await second.fetch(select(event_entry).order_by(event_entry.c.id))
    assert [(row.source, row.received_ns, row.data) for row in rows] == [
        ("door7", 500, {"badge": "17"}),
        ("door8", 600, {}),
    ]
    await second.close()


async def test_while_another_process_holds_the_lock_changes_are_refused_and_facts_wait(
    journal: Journal, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal.post(new_user("lost"))
    journal.alarm(raised(1))
    with pytest.raises(UnavailableError, match="locked"):
        await journal.commit()
    assert not journal.healthy
    assert journal.failures >= 1
    with pytest.raises(UnavailableError, match="refused until it can"):
        journal.post(new_user("refused"))
    with pytest.raises(UnavailableError):
        journal.audit(AuditRow(1, "op", "limit_change"))
    with pytest.raises(UnavailableError):
        journal.command(CommandRow("c", 1, "p", 1, 8, 1.0, None, "op", "", "accepted"))
    journal.alarm(raised(2))
    other.execute("ROLLBACK")
    other.close()
    await until(lambda: journal.healthy and journal.pending == 0)
    await journal.commit()
    assert [row.occurrence for row in await journal.fetch(select(alarm_entry).order_by(alarm_entry.c.id))] == [
        "o1",
        "o2",
    ]
    assert await journal.fetch(select(user)) == []


async def test_a_new_command_that_is_lost_says_so_before_the_commit_does(journal: Journal, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    said: list[str] = []
    accepted = CommandRow("c1", 1, "p", 1, 8, 1.0, None, "op", "", "accepted")
    masked = CommandRow("c2", 1, "p", 1, 8, 1.0, None, "op", "", "masked")
    journal.command(accepted, lost=lambda error: said.append(f"c1 {error}"))
    journal.command(masked, lost=lambda error: said.append(f"c2 {error}"))
    with pytest.raises(UnavailableError):
        await journal.commit()
    assert [text[:2] for text in said] == ["c1", "c2"]
    assert "nothing was changed" in said[0]
    other.execute("ROLLBACK")
    other.close()
    await until(lambda: journal.healthy and journal.pending == 0)
    journal.command(accepted, lost=lambda error: said.append("no"))
    await journal.commit()
    assert len(said) == 2
    assert [row.command for row in await journal.fetch(select(command_entry))] == ["c1"]


async def test_a_change_and_its_audit_stand_or_fall_together_and_a_stranger_s_mistake_does_not_matter(
    journal: Journal,
) -> None:
    await journal.change(AuditRow(1, "op", "user_create", "chen"), new_user("chen"))
    twice, other = await asyncio.gather(
        journal.change(AuditRow(2, "op", "user_create", "chen"), new_user("chen")),
        journal.change(AuditRow(3, "op", "user_create", "lin"), new_user("lin")),
        return_exceptions=True,
    )
    assert isinstance(twice, ConflictError)
    assert other == [1]
    rows = await journal.fetch(select(audit_entry.c.target).order_by(audit_entry.c.id))
    assert [row.target for row in rows] == ["chen", "lin"]
    assert (await journal.verify_audit()).whole


async def test_the_loop_never_waits_for_the_database(journal: Journal, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal.post(new_user("refused"))
    turns = 0
    waiting = asyncio.create_task(journal.commit())
    while not waiting.done():
        # Each turn is the loop's own; had a call waited for the lock (a second), there would be a handful at most.
        await asyncio.sleep(0.001)
        turns += 1
    with pytest.raises(UnavailableError):
        await waiting
    other.execute("ROLLBACK")
    other.close()
    assert turns > 50


async def test_full_database_gives_back_the_reserve_and_goes_on(journal: Journal, tmp_path: Path) -> None:
    reserve = tmp_path / "state.db.reserve"
    assert reserve.stat().st_size == 4 * 1024 * 1024
    await journal.commit()
    held = []
    release = journal._writer.reserve.release
    journal._writer.reserve.release = lambda: held.append(reserve.exists()) or release()  # type: ignore[method-assign,func-returns-value]
    # This connection may not grow the file: SQLite answers as on a full disk, until it connects anew.
    connection = journal._writer._connection
    assert connection is not None
    connection.connection.cursor().execute("PRAGMA max_page_count=1").close()
    for number in range(500):
        journal.alarm(raised(number))
    await journal.commit()
    assert held == [True]
    assert journal.healthy
    assert len(await journal.fetch(select(alarm_entry))) == 500


async def test_queue_is_bounded_and_counts_what_it_drops(journal: Journal, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal._writer._limit = 100
    for number in range(130):
        journal.alarm(raised(number))
    assert journal.dropped == 30
    assert journal.pending == 100
    other.execute("ROLLBACK")
    other.close()
    await until(lambda: journal.pending == 0 and journal.healthy)
    assert len(await journal.fetch(select(alarm_entry))) == 100


async def test_pages_are_newest_first_without_gap_or_repeat_while_rows_arrive(journal: Journal) -> None:
    for number in range(25):
        journal.alarm(raised(number))
    await journal.commit()
    seen: list[int] = []
    cursor = None
    while True:
        part = await page(journal, alarm_entry, cursor=cursor, limit=10)
        seen += [item["time_ns"] for item in part.items]
        journal.alarm(raised(1000))
        await journal.commit()
        cursor = part.next
        if cursor is None:
            break
    assert seen == list(range(24, -1, -1))
    with pytest.raises(InvalidError, match="cursor"):
        await page(journal, alarm_entry, cursor="1 OR 1=1")
    with pytest.raises(InvalidError, match="limit"):
        await page(journal, alarm_entry, limit=0)


async def run_inline(path: Path) -> bytes:
    clock = VirtualClock()
    journal = await Journal.open(path, clock, InlineExecutor())
    for number in range(200):
        clock.move(1.5)
        journal.alarm(raised(number), AlarmStateRow("tx1.temp#high", f"o{number}", "unacknowledged"))
        journal.event(Event(f"e{number}", "door", "opened", clock.now_ns(), {"b": 1, "a": number}))
        journal.audit(AuditRow(clock.now_ns(), "system", "tick", data={"z": 1.5, "a": [number]}))
        if number % 7 == 0:
            await journal.commit()
    await journal.close()
    return dump_text(path)


async def test_inline_journal_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    first, second = await run_inline(tmp_path / "a.db"), await run_inline(tmp_path / "b.db")
    assert first == second
    assert first.count(b"\n") == 600
    assert first.startswith(b'alarm_entry {"comment":"","definition":"tx1.temp#high","event":"raised","from_state"')


async def test_inline_post_is_written_without_anybody_waiting(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "state.db", VirtualClock(), InlineExecutor())
    journal.alarm(raised(1))
    assert journal.pending == 1
    await asyncio.sleep(0)
    assert journal.pending == 0
    await journal.close()


async def test_a_storm_of_5000_alarms_is_durable_in_a_few_groups(journal: Journal) -> None:
    for number in range(5000):
        journal.alarm(raised(number), AlarmStateRow(f"d{number}", f"o{number}", "unacknowledged"))
    await journal.commit()
    assert len(await journal.fetch(select(alarm_state))) == 5000
    # 2,000 entries share one synchronisation of the disk; a few more groups for the time that posting took.
    assert journal._writer.committed <= 30
