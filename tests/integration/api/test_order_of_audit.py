"""What is changed and what is recorded: the wish before the act, the result before the answer, and no lies between."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import select

from controller.identity.permission import Role
from controller.journal import schema

if TYPE_CHECKING:
    from pathlib import Path


class Failing:
    """A real failure of the real database: another process holds its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path / "state.db"

    def __enter__(self) -> None:
        self.other = sqlite3.connect(self.path, isolation_level=None)
        self.other.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self.other.execute("ROLLBACK")
        self.other.close()


async def test_an_alarm_is_not_acknowledged_when_the_wish_cannot_be_recorded(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    alarm = house.raise_alarm()
    await house.journal.commit()
    for path, body in (
        ("/alarms/acknowledge", {"ids": [alarm]}),
        (f"/alarms/{alarm.replace('#', '%23')}/comment", {"comment": "seen"}),
    ):
        with Failing(house.path):
            # The journal looks well; that it is not shows only when it is written.
            assert house.journal.healthy
            reply = await operator("POST", path, json=body)
        assert reply.status_code == 503, path
        found = house.runtime.alarms.get(alarm)
        assert found.state.state == "unacknowledged"
        assert not found.state.comment
        await settled(house.journal)
    reply = await operator("POST", "/alarms/acknowledge", json={"ids": [alarm], "comment": "on my way"})
    assert reply.status_code == 200
    rows = await house.journal.fetch(select(schema.alarm_entry.c.event).order_by(schema.alarm_entry.c.id))
    assert [row.event for row in rows] == ["raised", "acknowledged"]
    audit = schema.audit_entry
    found_rows = await house.journal.fetch(
        select(audit).where(audit.c.action == "alarm_acknowledge").order_by(audit.c.id)
    )
    assert [(row.outcome, orjson.loads(row.data)) for row in found_rows] == [
        ("requested", {"ids": [alarm]}),
        ("done", {"states": {alarm: "acknowledged"}}),
    ]


async def test_an_alarm_acknowledged_while_the_journal_broke_is_said_to_be_so(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    alarm = house.raise_alarm()
    await house.journal.commit()
    failing = Failing(house.path)
    acknowledge = house.runtime.alarms.acknowledge

    def breaks(*arguments: Any) -> Any:
        failing.__enter__()
        return acknowledge(*arguments)

    house.runtime.alarms.acknowledge = breaks
    reply = await operator("POST", "/alarms/acknowledge", json={"ids": [alarm]})
    failing.__exit__()
    assert reply.status_code == 503
    assert "has taken effect" in reply.json()["detail"]
    assert house.runtime.alarms.get(alarm).state.state == "acknowledged"
    await settled(house.journal)
    rows = await house.journal.fetch(select(schema.alarm_entry.c.event).order_by(schema.alarm_entry.c.id))
    assert [row.event for row in rows] == ["raised", "acknowledged"], "the fact is written when the disk is back"


@pytest.mark.parametrize(("slot", "value"), [(8, 25.0), (15, 24.0)])
async def test_a_command_answered_503_was_not_taken(house: Any, slot: int, value: float) -> None:
    engineer = await house.user(Role.ENGINEER)
    point = "hall.hvac.ahu1.zone_temp_sp"
    first = {"point": point, "value": 22.0, "slot": 8, "reason": "x"}
    assert (await engineer("POST", "/commands", json=first)).status_code == 202
    failing = Failing(house.path)
    request = house.arbiter.request

    def breaks(*arguments: Any) -> Any:
        failing.__enter__()
        return request(*arguments)

    house.runtime.arbiter.request = breaks
    body = {"point": point, "value": value, "slot": slot, "reason": "y"}
    reply = await engineer("POST", "/commands", json=body)
    failing.__exit__()
    assert reply.status_code == 503, reply.text
    await settled(house.journal)
    slots = (await engineer("GET", f"/points/{point}/slots")).json()
    assert (slots["present"], slots["winner"]) == (22.0, 8)
    assert slots["slots"][slot - 1] is None or slot == 8
    assert [order.value for order in house.arbiter.step()] == [22.0]
    commands = (await engineer("GET", "/commands")).json()["items"]
    assert next(item for item in commands if item["value"] == value)["state"] == "failed"


async def settled(journal: Any) -> None:
    """Return when the journal writes again; it tries by itself, and this journal works on the test's own loop."""
    async with asyncio.timeout(10):
        while not journal.healthy:
            await asyncio.sleep(0.05)
            journal._flush_inline()
    await journal.commit()
