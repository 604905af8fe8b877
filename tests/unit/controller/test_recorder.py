"""The recorder: nothing is announced or sent before the journal has it, and nothing that fails silences the rest."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from controller.alarm.definition import AlarmDefinition
from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.cycle import Parts
from controller.errors import UnavailableError
from controller.point.model import Building, Equipment, Name, Point, Site, WriteSpec
from controller.recorder import Recorder
from drivers.event import Event
from drivers.link import DeviceHealth
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from controller.api.stream import StreamHub
    from controller.field.field import Field
    from controller.history.log import FrameLog
    from controller.journal.journal import Journal
    from drivers.driver import Device

NAME = Name("名", "name")
SP = "b.plant.ch1.setpoint"
SITE = Site(
    "s",
    NAME,
    "Asia/Taipei",
    1,
    {"b": Building("b", NAME, ())},
    {},
    {"b.plant.ch1": Equipment("b.plant.ch1", "chiller", NAME, "b", "plant")},
    {SP: Point(1, SP, "analog", "°C", NAME, "b.plant.ch1", "ch1", "setpoint", write=WriteSpec(0, 20, default=7.0))},
)
FIRE = AlarmDefinition("b.plant.ch1.setpoint#high", "high", 1, SP, "ch1", limit=50.0, life_safety=True, priority=1)
WARM = AlarmDefinition("b.plant.ch1.setpoint#low", "low", 1, SP, "ch1", limit=-50.0)
LOST = AlarmDefinition("ch1#communication", "communication", device="ch1")


class Book:
    """A journal, a log, a hub and a field in one, which write everything down in one list."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.down = False
        self.seen: set[tuple[str, str]] = set()
        self.writes: list[float] = []
        self.broken = 0
        self.losers: list[Any] = []

    # journal
    def alarm(self, row: Any, state: Any) -> None:
        self.said.append(("alarm row", row.event))

    def command(self, row: Any, *slots: Any, lost: Any = None) -> None:
        if row.state == "accepted" and self.down:
            raise UnavailableError("the disk is full")
        if lost is not None:
            self.losers.append(lost)
        self.said.append(("command row", row.state))
        self.said += [("slot row", (slot.slot, slot.value)) for slot in slots]

    def event(self, event: Event) -> bool:
        known = (event.source, event.key) in self.seen
        self.seen.add((event.source, event.key))
        return not known

    async def commit(self) -> None:
        await self.gate.wait()
        if self.down:
            raise UnavailableError("the disk is full")
        self.said.append(("commit", None))

    # log
    def append(self, batch: Readings) -> None:
        self.said.append(("log", len(batch)))

    # hub
    def publish_alarm(self, alarm: dict[str, Any]) -> None:
        if self.broken:
            self.broken -= 1
            raise RuntimeError("a client of another shape")
        self.said.append(("alarm", (alarm["state"], alarm.get("unrecorded", False))))

    def publish_command(self, command: dict[str, Any]) -> None:
        self.said.append(("command", command["state"]))

    def publish_events(self, events: list[dict[str, Any]], counts: dict[str, int]) -> None:
        self.said.append(("events", ([event["key"] for event in events], dict(counts))))

    def publish_values(self, numbers: Any) -> None:
        self.said.append(("values", numbers.tolist()))

    def publish_device(self, device: dict[str, Any]) -> None:
        raise AssertionError("the field knows no device here")

    # field
    def connected(self, device: str) -> bool:
        return True

    async def write(self, device: str, tag: str, value: float, *, before: float, unless: Callable[[], bool]) -> None:
        assert not unless()
        self.said.append(("write", value))
        self.writes.append(value)

    async def read(self, device: str, tag: str) -> float:
        return self.writes[-1] if self.writes else 0.0

    def status(self, device: str) -> None:
        return None

    def of(self, name: str) -> list[Any]:
        return [what for said, what in self.said if said == name]


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.book = Book()
        self.recorder = Recorder(cast("Journal", self.book), cast("FrameLog", self.book), self.clock, lambda: SITE)
        self.alarms = AlarmEngine([FIRE, WARM, LOST], self.clock, self.recorder.alarm_entry)
        names = iter(f"c{n}" for n in range(100))
        self.arbiter = Arbiter(SITE, self.clock, new_id=lambda: next(names), record=self.recorder.command)
        self.recorder.parts = Parts(cast("Any", None), cast("Any", None), self.alarms, self.arbiter)
        self.recorder.field = cast("Field", self.book)
        self.recorder.hub = cast("StreamHub", self.book)

    def reading(self, value: float) -> None:
        self.alarms.check(np.array([1], np.int32), np.array([value]), np.array([0], np.uint8))
        self.recorder.alarms()

    async def settle(self, seconds: float = 0.0) -> None:
        await self.clock.advance(seconds)

    async def carry(self) -> None:
        for order in self.arbiter.step():
            self.recorder.order(order)
        await self.settle(5)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    task = asyncio.create_task(made.recorder.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_an_alarm_is_announced_after_it_is_durable(bench: Bench) -> None:
    bench.book.gate.clear()
    bench.reading(-60.0)
    await bench.settle()
    assert bench.book.of("alarm") == []
    bench.book.gate.set()
    await bench.settle()

    assert [name for name, _ in bench.book.said] == ["alarm row", "commit", "alarm"]
    assert bench.book.of("alarm") == [("unacknowledged", False)]


async def test_what_is_raised_while_a_commit_runs_waits_for_the_next_commit(bench: Bench) -> None:
    bench.book.gate.clear()
    bench.alarms.device("ch1", True, "silence")
    bench.recorder.alarms()
    await bench.settle()
    bench.reading(-60.0)
    bench.book.gate.set()
    await bench.settle()

    assert [name for name, _ in bench.book.said] == ["alarm row", "alarm row", "commit", "alarm", "commit", "alarm"]


async def test_life_safety_is_told_at_once_and_again_when_it_is_recorded(bench: Bench) -> None:
    bench.book.gate.clear()
    bench.reading(60.0)
    for _ in range(20):
        bench.recorder.alarms()
        await bench.settle(0.1)
    assert bench.book.of("alarm") == [("unacknowledged", True)], "once, not once a turn"
    bench.book.gate.set()
    await bench.settle()

    assert bench.book.of("alarm") == [("unacknowledged", True), ("unacknowledged", False)]


async def test_without_a_journal_alarms_are_announced_all_the_same(bench: Bench) -> None:
    bench.book.down = True
    bench.reading(-60.0)
    await bench.settle()

    assert bench.book.of("alarm") == [("unacknowledged", False)]


async def test_an_announcement_that_fails_does_not_end_announcing(bench: Bench) -> None:
    bench.book.broken = 1
    bench.reading(-60.0)
    await bench.settle()
    assert bench.recorder.faults == 1
    bench.reading(0.0)
    await bench.settle()

    assert bench.book.of("alarm") == [("returned", False)]


async def test_a_command_is_durable_before_the_device_gets_it(bench: Bench) -> None:
    bench.book.gate.clear()
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    await bench.carry()
    assert bench.book.writes == []
    bench.book.gate.set()
    await bench.settle(5)

    assert bench.book.writes == [6.0]
    names = [name for name, _ in bench.book.said]
    assert names.index("commit") < names.index("write")
    assert bench.book.of("command row") == ["accepted", "pending", "verifying", "done"]
    assert bench.book.of("command")[-1] == "done"


async def test_a_command_that_cannot_be_recorded_is_not_sent_and_holds_no_slot(bench: Bench) -> None:
    command = bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    bench.book.down = True
    await bench.carry()

    assert bench.book.writes == []
    assert bench.arbiter.get(command.id).state == "failed"
    assert bench.arbiter.slots(SP)[7] is None
    assert bench.book.of("slot row")[-1] == (8, None)
    bench.book.down = False
    bench.arbiter.device_back("ch1")
    await bench.carry()
    assert bench.book.writes == []


async def test_a_command_lost_while_the_journal_failed_for_a_moment_is_not_sent(bench: Bench) -> None:
    bench.book.losers.clear()
    command = bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    (lost,) = bench.book.losers
    lost(UnavailableError("the disk was full"))
    await bench.carry()  # the journal is well again: its commit says nothing of what was thrown away

    assert bench.book.writes == []
    assert bench.arbiter.withdrawn(command.id)
    assert bench.arbiter.slots(SP)[7] is None


async def test_a_command_lost_after_its_order_was_made_is_not_sent(bench: Bench) -> None:
    bench.book.gate.clear()
    command = bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    await bench.carry()
    bench.book.losers[-1](UnavailableError("the disk was full"))
    bench.book.gate.set()
    await bench.settle(5)

    assert bench.book.writes == []
    assert bench.arbiter.get(command.id).state == "failed"
    bench.arbiter.request(SP, 8, 7.0, "alice", "again")
    await bench.carry()
    assert bench.book.writes == [7.0]


async def test_protection_goes_out_though_the_journal_is_down(bench: Bench) -> None:
    bench.arbiter.request(SP, 5, 12.0, "protection", "flow lost")
    bench.book.down = True
    await bench.carry()

    assert bench.book.writes == [12.0]


async def test_a_lease_that_ends_gives_the_point_back_though_the_journal_is_down(bench: Bench) -> None:
    bench.arbiter.request(SP, 12, 9.0, "reset", "x", lease_s=30)
    await bench.carry()
    bench.book.down = True
    bench.clock.move(31)
    await bench.carry()

    assert bench.book.writes == [9.0, 7.0]


async def test_an_event_is_told_once(bench: Bench) -> None:
    for key in ("1", "1", "2"):
        bench.recorder.event(Event(key, "door", "door_forced", 0))
    bench.recorder.tell_events()
    bench.recorder.tell_events()

    assert bench.book.of("events") == [(["2", "1"], {"": 2})]


async def test_a_lost_device_raises_one_alarm_and_its_return_compares_what_is_held(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    await bench.carry()
    device = cast("Device", type("D", (), {"id": "ch1"}))
    for state in ("lost", "good"):
        bench.recorder.health(device, DeviceHealth(state=state, message="silence"))
        await bench.settle()

    assert bench.book.of("alarm row") == ["raised", "returned"]
    assert [order.kind for order in bench.arbiter.step()] == ["reassert"]


async def test_readings_and_values_go_on_at_once(bench: Bench) -> None:
    bench.book.gate.clear()
    bench.recorder.readings(Readings.of([1], [2.0], 0, Quality.GOOD))
    bench.recorder.changed(np.array([1], np.int32))

    assert bench.book.said == [("log", 1), ("values", [1])]


async def test_closing_waits_for_orders_that_are_out(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    for order in bench.arbiter.step():
        bench.recorder.order(order)
    closing = asyncio.create_task(bench.recorder.close())
    await bench.settle(5)
    await closing

    assert bench.book.writes == [6.0]
    assert bench.book.of("command row")[-1] == "done"
