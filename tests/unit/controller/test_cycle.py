"""The cycle: its order, its pace on the injected clock, and that no part stops another."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.alarm.definition import AlarmDefinition, AlarmEntry
from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.order import Order
from controller.cycle import Cycle, Parts
from controller.field.inbox import Inbox
from controller.point.model import Building, Equipment, Name, Point, Site, WriteSpec
from controller.point.table import PointTable
from controller.rule.definition import RuleDefinition, RuleInput, VirtualPoint
from controller.rule.engine import RuleEngine
from drivers.driver import Device
from drivers.event import Event
from drivers.profile import parse_profile
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray

NAME = Name("名", "name")
PROFILE = parse_profile(
    {
        "profile": {
            "id": "fake", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "this file"
        },
        "point": [{"tag": "value", "zh": "值", "en": "value"}],
    },
    "fake",
)  # fmt: skip
T, LOAD, SETPOINT, RATIO = 1, 2, 3, 4


def _point(number: int, tag: str, unit: str = "°C", **more: object) -> Point:
    point = Point(number, f"b.s.e.{tag}", "analog", unit, NAME, "b.s.e", device="d", tag=tag, stale_s=10.0)
    return replace(point, **more)  # type: ignore[arg-type]


SITE = Site(
    "s",
    NAME,
    "Asia/Taipei",
    1,
    {"b": Building("b", NAME, ())},
    {},
    {"b.s.e": Equipment("b.s.e", "meter", NAME, "b", "s")},
    {
        point.address: point
        for point in (
            _point(T, "t", deadband=0.5),
            _point(LOAD, "load", "kW"),
            _point(SETPOINT, "setpoint", write=WriteSpec(0, 100)),
            _point(RATIO, "twice", "kW", device="", stale_s=float("inf")),
        )
    },
)
HIGH = AlarmDefinition("b.s.e.t#high", "high", T, "b.s.e.t", "d", limit=10.0)


class Log:
    """A recorder that writes down what it is told, in one list."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.fail: set[str] = set()
        self.entries: list[AlarmEntry] = []

    def _note(self, name: str, what: object) -> None:
        self.calls.append((name, what))
        if name in self.fail:
            raise RuntimeError(f"{name} is broken")

    def readings(self, batch: Readings) -> None:
        self._note("readings", batch)

    def event(self, event: Event) -> None:
        self._note("event", event)

    def tell_events(self) -> None:
        self._note("tell_events", None)

    def changed(self, numbers: NDArray[np.int32]) -> None:
        self._note("changed", numbers.tolist())

    def order(self, order: Order) -> None:
        self._note("order", order)

    def alarms(self) -> None:
        self._note("alarms", None)

    def of(self, name: str) -> list[object]:
        return [what for said, what in self.calls if said == name]

    def logged(self) -> list[tuple[int, float, int]]:
        """Return (number, value, quality) of every reading that went to the log."""
        rows = []
        for batch in self.of("readings"):
            assert isinstance(batch, Readings)
            rows += list(zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True))
        return rows


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.log = Log()
        ids = count()
        rule = RuleDefinition(
            id="double",
            cls="meter",
            point=VirtualPoint(tag="twice", unit="kW"),
            inputs={"p": RuleInput(point="load", unit="kW")},
            expression="p * 2",
        )
        self.parts = Parts(
            PointTable(SITE, self.clock),
            RuleEngine([rule], SITE, self.clock),
            AlarmEngine([HIGH], self.clock, self.log.entries.append),
            Arbiter(SITE, self.clock, new_id=lambda: f"c{next(ids)}", record=lambda command, slots: None),
        )
        self.cycle = Cycle(self.parts, self.clock, self.log)
        self.inbox = Inbox(self.cycle.wake)
        self.cycle.attach(self.inbox)

    def deliver(
        self, number: int, value: float, device: str = "d", *, late: bool = False, urgent: bool = False
    ) -> None:
        source = Device(device, PROFILE, "tcp://h:1", np.array([number], np.int32), urgent=urgent)
        self.inbox.readings(source, Readings.of([number], [value], self.clock.now_ns(), late=late))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_turn_goes_in_the_order_of_the_road(bench: Bench) -> None:
    bench.parts.arbiter.request("b.s.e.setpoint", 8, 5.0, "alice", "x")
    bench.deliver(LOAD, 30.0)
    source = Device("d", PROFILE, "tcp://h:1", np.array([1], np.int32))
    bench.inbox.events(source, [Event("1", "d", "door_forced", 0)])
    bench.cycle.step()

    wanted = ["event", "tell_events", "readings", "readings", "order", "changed", "alarms"]
    assert [name for name, _ in bench.log.calls] == wanted
    assert bench.log.logged() == [(LOAD, 30.0, 0), (RATIO, 60.0, 0)]
    assert bench.log.of("changed") == [[LOAD, RATIO]]


def test_a_virtual_point_follows_its_input_within_the_same_turn(bench: Bench) -> None:
    for value in (1.0, 2.0, 3.0):
        bench.deliver(LOAD, value)
        bench.cycle.step()
        assert bench.parts.table.value[RATIO] == 2 * value


def test_limits_see_every_reading_though_the_deadband_hides_it(bench: Bench) -> None:
    bench.deliver(T, 9.8)
    bench.cycle.step()
    bench.clock.move(1)
    bench.deliver(T, 10.1)
    bench.cycle.step()

    assert [row for row in bench.log.logged() if row[0] == T] == [(T, 9.8, 0)]
    assert [entry.event for entry in bench.log.entries] == ["raised"]
    assert bench.log.entries[0].value == 10.1


def test_late_readings_go_to_history_alone(bench: Bench) -> None:
    bench.deliver(T, 99.0, late=True)
    bench.cycle.step()

    batch = bench.log.of("readings")[0]
    assert isinstance(batch, Readings)
    assert batch.late
    assert np.isnan(bench.parts.table.value[T])
    assert bench.log.entries == []
    assert bench.cycle.counts.late == 1
    assert T not in [number for numbers in bench.log.of("changed") for number in numbers]  # type: ignore[attr-defined]


def test_two_polls_of_a_point_in_one_late_turn_are_both_kept(bench: Bench) -> None:
    bench.deliver(T, 1.0)
    bench.clock.move(1)
    bench.deliver(T, 50.0)
    bench.clock.move(1)
    bench.deliver(T, 1.0)
    bench.cycle.step()

    assert [value for number, value, _ in bench.log.logged() if number == T] == [1.0, 50.0, 1.0]
    assert [entry.event for entry in bench.log.entries] == ["raised", "returned"]


def test_a_silent_point_turns_stale_keeps_its_value_and_is_logged_without_one(bench: Bench) -> None:
    bench.deliver(T, 5.0)
    bench.deliver(LOAD, 7.0, "other")
    bench.cycle.step()
    for _ in range(11):
        bench.clock.move(1.0)
        bench.deliver(LOAD, 7.0, "other")
        bench.cycle.step()

    table = bench.parts.table
    assert (table.value[T], table.quality[T]) == (5.0, Quality.UNCERTAIN_STALE)
    assert table.quality[LOAD] == Quality.GOOD, "its neighbour is not touched"
    assert [(number, np.isnan(value), quality) for number, value, quality in bench.log.logged() if number == T] == [
        (T, False, 0),
        (T, True, Quality.UNCERTAIN_STALE),
    ]


def test_a_bad_batch_touches_its_own_device_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = PointTable.apply

    def apply(table: PointTable, batch: Readings) -> NDArray[np.int32]:
        if 99.0 in batch.value:
            raise RuntimeError("a batch of another shape")
        return real(table, batch)

    monkeypatch.setattr(PointTable, "apply", apply)
    bench.deliver(T, 5.0, "a")
    bench.deliver(SETPOINT, 99.0, "b")
    bench.deliver(LOAD, 7.0, "c")
    bench.cycle.step()

    assert (bench.parts.table.value[T], bench.parts.table.value[LOAD]) == (5.0, 7.0)
    assert bench.cycle.counts.faults == 1


@pytest.mark.parametrize("broken", ["event", "tell_events", "changed", "alarms", "rules", "limits"])
def test_a_part_that_fails_is_counted_and_the_others_go_on(
    bench: Bench, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("broken")

    bench.log.fail = {broken}
    if broken == "rules":
        monkeypatch.setattr(RuleEngine, "evaluate", fail)
    if broken == "limits":
        monkeypatch.setattr(AlarmEngine, "check", fail)
    bench.parts.arbiter.request("b.s.e.setpoint", 8, 5.0, "alice", "x")
    bench.inbox.events(
        Device("d", PROFILE, "tcp://h:1", np.array([1], np.int32)), [Event(str(n), "d", "x", 0) for n in range(2)]
    )
    bench.deliver(T, 5.0)
    bench.cycle.step()

    said = {name for name, _ in bench.log.calls}
    assert {"order", "alarms", "event"} <= said
    assert bench.parts.table.value[T] == 5.0
    assert (T, 5.0, 0) in bench.log.logged()
    assert bench.cycle.counts.faults >= 1
    assert bench.cycle.counts.turns == 1


# -- pace --------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def turning(bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.cycle.run())
    await bench.clock.advance(1.0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_batches_that_arrive_together_share_a_turn_within_100_ms(bench: Bench) -> None:
    async with turning(bench):
        turns = bench.cycle.counts.turns
        for number in range(5):
            bench.deliver(T, float(number), f"d{number}")
            await bench.clock.advance(0.015)
        assert bench.cycle.counts.turns == turns
        await bench.clock.advance(0.03)

        assert bench.cycle.counts.turns == turns + 1
        assert bench.cycle.counts.readings >= 5


async def test_an_urgent_batch_runs_the_cycle_at_once(bench: Bench) -> None:
    async with turning(bench):
        turns = bench.cycle.counts.turns
        bench.deliver(T, 1.0)
        await bench.clock.advance(0.01)
        bench.deliver(LOAD, 2.0, "fire", urgent=True)
        await bench.clock.advance(0)

        assert bench.cycle.counts.turns == turns + 1
        assert bench.parts.table.value[LOAD] == 2.0


async def test_a_tick_comes_every_second_when_nothing_arrives_and_when_much_does(bench: Bench) -> None:
    async with turning(bench):
        ticks: list[float] = []
        real = bench.parts.alarms.tick

        def tick() -> None:
            ticks.append(bench.clock.monotonic())
            real()

        bench.parts.alarms.tick = tick  # type: ignore[method-assign]
        await bench.clock.advance(10)
        assert len(ticks) == 10
        ticks.clear()
        bench.parts.table.expire = lambda: ticks.append(bench.clock.monotonic()) or np.empty(0, np.int32)  # type: ignore[method-assign,func-returns-value]
        bench.parts.alarms.tick = real  # type: ignore[method-assign]
        for _ in range(100):
            bench.deliver(T, 1.0)
            await bench.clock.advance(0.13)
        assert len(ticks) >= 11
        assert max(np.diff(ticks)) < 1.2


async def test_setting_the_calendar_changes_no_pace(bench: Bench) -> None:
    async with turning(bench):
        turns = bench.cycle.counts.turns
        for jump in (3600.0, -7200.0, 30 * 86_400.0, -10 * 365 * 86_400.0):
            bench.clock.jump(jump)
            await bench.clock.advance(2)

        assert bench.cycle.counts.turns == turns + 8
        assert bench.cycle.counts.faults == 0


async def test_a_turn_that_fails_whole_is_followed_by_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Inbox, "drain", lambda inbox: 1 / 0)
    async with turning(bench):
        await bench.clock.advance(5)

        assert 5 <= bench.cycle.counts.faults <= 60, "it neither stops nor spins"
        monkeypatch.undo()
        bench.deliver(T, 4.0)
        await bench.clock.advance(0.2)
        assert bench.parts.table.value[T] == 4.0
    assert sum("failed" in record.message for record in caplog.records) <= 2, "the log is not flooded"


def test_what_is_out_of_service_is_masked_flagged_and_silent_until_it_is_back(bench: Bench) -> None:
    bench.deliver(T, 5.0)
    bench.deliver(LOAD, 3.0)
    bench.clock.move(1)
    bench.cycle.step()
    bench.log.calls.clear()
    bench.cycle.take_out({"b.s.e": "工單 1"})
    out = Quality.BAD_OUT_OF_SERVICE
    assert {number for number, _, quality in bench.log.logged() if quality == out} == {T, LOAD, SETPOINT, RATIO}
    assert bench.log.of("changed") == [[T, LOAD, SETPOINT, RATIO]]

    bench.log.calls.clear()
    bench.deliver(T, 50.0)
    bench.deliver(LOAD, 9.0)
    bench.clock.move(1)
    bench.cycle.step()
    assert (T, 50.0, out) in bench.log.logged()  # values keep arriving, and history has them flagged
    assert bench.parts.alarms.active() == []
    assert bench.parts.table.quality[RATIO] == out  # what is computed from them is not believed either

    bench.cycle.take_out({})
    bench.deliver(T, 50.0)
    bench.deliver(LOAD, 9.0)
    bench.clock.move(1)
    bench.cycle.step()
    assert [alarm.id for alarm in bench.parts.alarms.active()] == ["b.s.e.t#high"]
    assert (bench.parts.table.value[RATIO], bench.parts.table.quality[RATIO]) == (18.0, 0)
    assert (T, 50.0, 0) in bench.log.logged()


def test_points_of_life_safety_stay_in_service(bench: Bench) -> None:
    bench.parts.alarms = AlarmEngine([replace(HIGH, life_safety=True)], bench.clock, lambda _: None)
    bench.cycle.take_out({"b.s.e": "工單 1"})
    assert T not in bench.parts.table.out_of_service.tolist()
    bench.deliver(T, 50.0)
    bench.cycle.step()
    assert [alarm.id for alarm in bench.parts.alarms.active()] == ["b.s.e.t#high"]
