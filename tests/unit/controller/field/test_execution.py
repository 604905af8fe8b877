"""Carrying out an order: one write, one verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from controller.clock import VirtualClock
from controller.command.order import Order, Outcome
from controller.field.execution import execute
from controller.point.model import Building, Equipment, Name, Point, Site, WriteSpec
from drivers.errors import ConnectError, DecodeError, DeviceRefusedError, DeviceTimeoutError, NotSentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.field.field import Field

NAME = Name("名", "name")
SP, EFFECTIVE = "b.plant.ch1.chw_setpoint", "b.plant.ch1.effective"


def point(number: int, tag: str, write: WriteSpec | None = None, device: str = "ch1") -> Point:
    return Point(number, f"b.plant.ch1.{tag}", "analog", "°C", NAME, "b.plant.ch1", device, tag, write=write)


SETPOINT = point(1, "chw_setpoint", WriteSpec(5, 15, settle_s=2.0, tolerance=0.05))
SITE = Site(
    "s",
    NAME,
    "Asia/Taipei",
    1,
    {"b": Building("b", NAME, ())},
    {},
    {"b.plant.ch1": Equipment("b.plant.ch1", "chiller", NAME, "b", "plant")},
    {SP: SETPOINT, EFFECTIVE: point(2, "effective", device="ch1-panel")},
)


class Hands:
    """A field whose one device does what the test says."""

    def __init__(self, clock: VirtualClock, held: float = 9.0) -> None:
        self.clock = clock
        self.held = held
        self.up = True
        self.takes = True
        self.write_error: Exception | None = None
        self.read_errors: list[Exception | None] = []
        self.writes: list[tuple[str, str, float]] = []
        self.reads: list[tuple[str, str]] = []
        self.read_at: list[float] = []
        self.deadlines: list[float] = []

    def connected(self, device: str) -> bool:
        return self.up

    async def write(self, device: str, tag: str, value: float, *, before: float, unless: Callable[[], bool]) -> None:
        self.deadlines.append(before)
        if unless():
            raise NotSentError("must not be written any more")
        if isinstance(self.write_error, NotSentError):
            raise self.write_error
        self.writes.append((device, tag, value))
        if self.takes:
            self.held = value
        if self.write_error is not None:
            raise self.write_error

    async def read(self, device: str, tag: str) -> float:
        self.reads.append((device, tag))
        self.read_at.append(self.clock.monotonic())
        error = self.read_errors.pop(0) if self.read_errors else None
        if error is not None:
            raise error
        return self.held


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def hands(clock: VirtualClock) -> Hands:
    return Hands(clock)


async def carry(
    hands: Hands, clock: VirtualClock, *, kind: str = "command", of: Point = SETPOINT, expires: float = 10.0
) -> tuple[Outcome, int]:
    import asyncio

    seen: list[None] = []
    order = Order(of, 6.0, kind, "c1", expires)
    task = asyncio.create_task(execute(order, cast("Field", hands), SITE, clock, lambda: seen.append(None)))
    for _ in range(12):
        await clock.advance(1.0)
    assert task.done()
    return task.result(), len(seen)


async def test_a_write_that_is_read_back_is_done(hands: Hands, clock: VirtualClock) -> None:
    outcome, verifying = await carry(hands, clock)

    assert outcome == Outcome("done", 6.0, "")
    assert verifying == 1
    assert hands.writes == [("ch1", "chw_setpoint", 6.0)]
    assert hands.deadlines == [10.0]
    assert hands.read_at == [2.0], "the read-back waits for the device to settle"


async def test_a_value_within_the_tolerance_agrees_and_one_outside_does_not(hands: Hands, clock: VirtualClock) -> None:
    hands.takes = False
    hands.held = 6.04
    assert (await carry(hands, clock))[0].state == "done"
    hands.held = 6.06
    assert (await carry(hands, clock, expires=100))[0].state == "failed"


async def test_a_device_that_takes_it_and_holds_another_value_fails_with_that_value(
    hands: Hands, clock: VirtualClock
) -> None:
    hands.takes = False
    outcome, _ = await carry(hands, clock)

    assert (outcome.state, outcome.readback) == ("failed", 9.0)
    assert "holds 9 °C" in outcome.message
    assert len(hands.writes) == 1
    assert len(hands.reads) == 3


async def test_a_refusal_fails_and_reads_nothing(hands: Hands, clock: VirtualClock) -> None:
    hands.write_error = DeviceRefusedError("illegal data value", 3)
    outcome, verifying = await carry(hands, clock)

    assert outcome == Outcome("failed", None, "illegal data value")
    assert (verifying, hands.reads) == (0, [])


@pytest.mark.parametrize("error", [DeviceTimeoutError("silence"), ConnectError("reset by peer")])
async def test_a_lost_answer_is_settled_by_the_read_back(hands: Hands, clock: VirtualClock, error: Exception) -> None:
    hands.write_error = error
    outcome, _ = await carry(hands, clock)
    assert (outcome.state, outcome.readback) == ("done", 6.0)
    assert "answer was lost" in outcome.message

    hands.takes, hands.held = False, 9.0
    outcome, _ = await carry(hands, clock, expires=100)
    assert outcome.state == "failed"
    assert len(hands.writes) == 2


async def test_nobody_knows_when_neither_answer_nor_read_back_comes(hands: Hands, clock: VirtualClock) -> None:
    hands.write_error = DeviceTimeoutError("silence")
    hands.read_errors = [DeviceTimeoutError("silence")] * 3
    outcome, _ = await carry(hands, clock)

    assert (outcome.state, outcome.readback, outcome.sent) == ("unknown", None, True)
    assert len(hands.writes) == 1


async def test_a_point_that_cannot_be_read_back_is_unknown_at_once(hands: Hands, clock: VirtualClock) -> None:
    hands.read_errors = [DecodeError("short")]
    outcome, _ = await carry(hands, clock)

    assert outcome.state == "unknown"
    assert len(hands.reads) == 1


async def test_an_order_whose_time_is_over_is_not_sent(hands: Hands, clock: VirtualClock) -> None:
    clock.move(11)
    outcome, _ = await carry(hands, clock)

    assert (outcome.state, outcome.sent, hands.writes) == ("expired", False, [])


async def test_an_order_that_waited_too_long_for_its_line_is_expired(hands: Hands, clock: VirtualClock) -> None:
    hands.write_error = NotSentError("the line was busy")
    real = hands.write

    async def late(device: str, tag: str, value: float, *, before: float, unless: Callable[[], bool]) -> None:
        clock.move(20)
        await real(device, tag, value, before=before, unless=unless)

    hands.write = late  # type: ignore[method-assign]
    outcome, _ = await carry(hands, clock)

    assert (outcome.state, outcome.sent, hands.writes) == ("expired", False, [])


async def test_without_a_connection_nothing_is_sent(hands: Hands, clock: VirtualClock) -> None:
    hands.up = False
    outcome, _ = await carry(hands, clock)

    assert (outcome.state, outcome.sent, hands.writes) == ("failed", False, [])


async def test_a_connection_lost_before_the_write_left_is_a_plain_failure(hands: Hands, clock: VirtualClock) -> None:
    hands.write_error = NotSentError("no connection; nothing was sent")
    outcome, verifying = await carry(hands, clock)

    assert (outcome.state, outcome.sent, verifying, hands.reads) == ("failed", False, 0, [])


async def test_a_comparison_that_agrees_writes_nothing(hands: Hands, clock: VirtualClock) -> None:
    hands.held = 6.0
    outcome, _ = await carry(hands, clock, kind="reassert")

    assert (outcome.state, outcome.sent, hands.writes) == ("done", False, [])


async def test_a_comparison_that_differs_writes_once(hands: Hands, clock: VirtualClock) -> None:
    outcome, _ = await carry(hands, clock, kind="reassert")

    assert (outcome.state, outcome.sent) == ("done", True)
    assert len(hands.writes) == 1


@pytest.mark.parametrize("how", ["down", "silent", "no value"])
async def test_what_cannot_be_compared_is_not_written(hands: Hands, clock: VirtualClock, how: str) -> None:
    hands.up = how != "down"
    hands.read_errors = [DeviceTimeoutError("silence")] if how == "silent" else []
    hands.held = float("nan") if how == "no value" else 9.0
    outcome, _ = await carry(hands, clock, kind="reassert")

    assert (outcome.state, outcome.sent, hands.writes) == ("unknown", False, [])


async def test_the_value_in_effect_is_read_where_the_profile_says(hands: Hands, clock: VirtualClock) -> None:
    other = replace(SETPOINT, write=WriteSpec(5, 15, readback=EFFECTIVE))
    await carry(hands, clock, of=other)

    assert hands.reads == [("ch1-panel", "effective")]


async def test_a_push_button_is_not_read_back(hands: Hands, clock: VirtualClock) -> None:
    push = replace(SETPOINT, write=WriteSpec(0, 10, momentary=True))
    assert (await carry(hands, clock, of=push))[0].state == "done"
    hands.write_error = DeviceTimeoutError("silence")
    assert (await carry(hands, clock, of=push, expires=100))[0].state == "unknown"
    assert hands.reads == []
    assert len(hands.writes) == 2


async def test_a_fault_of_a_driver_still_gives_a_verdict(hands: Hands, clock: VirtualClock) -> None:
    hands.write_error = RuntimeError("a bug")
    outcome, _ = await carry(hands, clock)

    assert outcome.state == "unknown"
    assert "a bug" in outcome.message
    assert len(hands.writes) == 1


async def test_what_is_forbidden_while_it_waits_for_its_turn_is_never_written(clock: VirtualClock) -> None:
    hands, order = Hands(clock), Order(SETPOINT, 6.0, "command", "c1", 10.0)
    outcome = await execute(order, cast("Field", hands), SITE, clock, lambda: None, lambda: True)
    assert (outcome.state, outcome.sent, hands.writes) == ("expired", False, [])
    assert "held or paused" in outcome.message
