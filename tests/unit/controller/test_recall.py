"""What a start reads back: cut commands end unknown, slots and alarms are the same, numbers stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller import recall
from controller.alarm.definition import AlarmDefinition
from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.order import Outcome
from controller.journal.journal import InlineExecutor, Journal
from controller.journal.schema import command_entry
from controller.point.model import Building, Equipment, Name, Point, Site, WriteSpec
from controller.point.registry import Registry
from controller.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Any

NAME = Name("名", "name")
POINTS = tuple(
    Point(n, f"b.plant.ch{n}.sp", "analog", "°C", NAME, "b.plant.ch1", f"ch{n}", "sp", write=WriteSpec(0, 20))
    for n in range(1, 6)
)
SITE = Site(
    "s",
    NAME,
    "Asia/Taipei",
    1,
    {"b": Building("b", NAME, ())},
    {},
    {"b.plant.ch1": Equipment("b.plant.ch1", "chiller", NAME, "b", "plant")},
    {point.address: point for point in POINTS},
)
ALARMS = [AlarmDefinition(f"ch{n}#communication", "communication", device=f"ch{n}", latching=n == 3) for n in (1, 2, 3)]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def journal(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "state.db", clock, InlineExecutor())
    yield opened
    await opened.close()


def recorder(journal: Journal, clock: VirtualClock) -> Recorder:
    log: Any = None
    return Recorder(journal, log, clock, lambda: SITE)


async def states(journal: Journal) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in await journal.fetch(select(command_entry).order_by(command_entry.c.id)):
        found.setdefault(row.command, []).append(row.state)
    return found


async def test_commands_that_were_cut_short_end_unknown_once_and_finished_ones_stay(
    journal: Journal, clock: VirtualClock
) -> None:
    names = iter("abcdefgh")
    arbiter = Arbiter(SITE, clock, new_id=lambda: next(names), record=recorder(journal, clock).command)
    for point in POINTS[:4]:
        arbiter.request(point.address, 8, 6.0, "alice", "x")
    orders = {order.command: order for order in arbiter.step()}
    arbiter.started(orders["b"], "pending")
    arbiter.started(orders["c"], "verifying")
    arbiter.completed(orders["d"], Outcome("done", 6.0))

    assert await recall.end_cut_commands(journal, clock) == 3
    assert await states(journal) == {
        "a": ["accepted", "unknown"],
        "b": ["accepted", "pending", "unknown"],
        "c": ["accepted", "verifying", "unknown"],
        "d": ["accepted", "done"],
    }
    assert await recall.end_cut_commands(journal, clock) == 0


async def test_slots_of_operators_are_given_back_and_others_are_not(journal: Journal, clock: VirtualClock) -> None:
    names = iter("abcdefgh")
    arbiter = Arbiter(SITE, clock, new_id=lambda: next(names), record=recorder(journal, clock).command)
    arbiter.request(POINTS[0].address, 8, 6.0, "alice", "by hand", expires_s=600)
    arbiter.request(POINTS[0].address, 12, 9.0, "reset", "trim", lease_s=60)
    arbiter.request(POINTS[1].address, 5, 0.0, "protection", "flow")
    arbiter.request(POINTS[2].address, 8, 1.0, "alice", "x")
    arbiter.request(POINTS[2].address, 8, None, "alice", "x")
    clock.move(100)
    again = Arbiter(SITE, clock, new_id=lambda: next(names), record=recorder(journal, clock).command)
    again.restore(await recall.slots(journal))

    held = again.slots(POINTS[0].address)
    assert held[7] is not None
    assert (held[7].owner, held[7].reason, held[7].ends) == ("alice", "by hand", clock.monotonic() + 500)
    assert held[11] is None
    assert again.present(POINTS[1].address) == (0.0, 5)
    assert again.slots(POINTS[2].address) == (None,) * 16


async def test_alarms_and_acknowledgements_are_the_same_after_a_restart(journal: Journal, clock: VirtualClock) -> None:
    engine = AlarmEngine(ALARMS, clock, recorder(journal, clock).alarm_entry)
    for name in ("ch1", "ch2", "ch3"):
        engine.device(name, True, "silence")
    clock.move(5)
    engine.acknowledge(["ch2#communication"], "alice", "I know")
    engine.device("ch3", False)
    before = [alarm.to_json() for alarm in engine.active()]
    assert sorted(alarm["state"] for alarm in before) == ["acknowledged", "latched_unacknowledged", "unacknowledged"]
    clock.move(3600)
    again = AlarmEngine(ALARMS, clock, recorder(journal, clock).alarm_entry)
    again.restore(await recall.alarm_states(journal))

    assert [alarm.to_json() for alarm in again.active()] == before


async def test_numbers_stay_and_generations_grow(journal: Journal, clock: VirtualClock) -> None:
    registry = Registry(await recall.point_numbers(journal))
    numbers = {address: registry.number(address) for address in ("x.y.z.a", "x.y.z.b")}
    await recall.keep_numbers(journal, registry.new, clock)
    again = Registry(await recall.point_numbers(journal))

    assert {address: again.number(address) for address in numbers} == numbers
    assert again.new == []
    assert [await recall.next_generation(journal, clock) for _ in range(3)] == [1, 2, 3]
