"""The field: which links run, what a new configuration restarts, and that a device touches only its own points."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.clock import VirtualClock
from controller.field.field import Field
from drivers.driver import Device
from drivers.errors import ConnectError, DeviceTimeoutError, NotSentError
from drivers.link import Link
from drivers.profile import parse_profile
from drivers.reading import Readings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from drivers.event import Event
    from drivers.link import DeviceHealth

PROFILE = parse_profile(
    {
        "profile": {
            "id": "fake", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "this file"
        },
        "point": [{"tag": tag, "zh": "值", "en": tag} for tag in ("value", "spare")],
    },
    "fake",
)  # fmt: skip


def device(name: str, endpoint: str, number: int) -> Device:
    return Device(name, PROFILE, endpoint, np.array([number, -1], np.int32), 1, 1.0)


class FakeDriver:
    """Answers polls after some time; what fails is chosen by device id."""

    def __init__(self, bench: Bench, devices: Sequence[Device]) -> None:
        self.bench = bench
        self.devices = devices
        self.closed = 0

    async def connect(self) -> None:
        self.bench.connects.append(self.devices[0].endpoint)
        if self.devices[0].endpoint in self.bench.unreachable:
            raise ConnectError("refused")

    async def close(self) -> None:
        self.closed += 1

    async def poll(self, device: Device) -> Readings:
        await self.bench.clock.sleep(self.bench.takes.get(device.id, 0.01))
        if device.id in self.bench.deaf:
            raise DeviceTimeoutError("no answer")
        return Readings.of([int(device.numbers[0])], [1.0], self.bench.clock.now_ns())

    async def read(self, device: Device, tag: str) -> float:
        return 5.0

    async def write(self, device: Device, tag: str, value: float) -> None:
        self.bench.written.append((device.id, tag, value))


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.connects: list[str] = []
        self.unreachable: set[str] = set()
        self.deaf: set[str] = set()
        self.takes: dict[str, float] = {}
        self.written: list[tuple[str, str, float]] = []
        self.drivers: list[FakeDriver] = []
        self.batches: list[tuple[float, str]] = []
        self.states: list[tuple[str, str]] = []
        self.field = Field(self._build, self, self.clock, rng=random.Random(1), on_health=self._health)

    def _build(self, endpoint: str, devices: Sequence[Device]) -> FakeDriver:
        self.drivers.append(FakeDriver(self, devices))
        return self.drivers[-1]

    def _health(self, device: Device, health: DeviceHealth) -> None:
        self.states.append((device.id, health.state))

    def readings(self, device: Device, batch: Readings) -> None:
        self.batches.append((self.clock.monotonic(), device.id))

    def events(self, device: Device, events: Sequence[Event]) -> None:
        raise AssertionError("no events here")

    def polls(self, name: str) -> list[float]:
        return [at for at, polled in self.batches if polled == name]


A, B, C = device("a", "tcp://h:1", 1), device("b", "tcp://h:2", 2), device("c", "tcp://h:2", 3)


@asynccontextmanager
async def running(*devices: Device) -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.field.apply(devices, {one.id: f"b.s.{one.id}" for one in devices})
    await bench.clock.advance(0.5)
    try:
        yield bench
    finally:
        await bench.field.close()


async def test_devices_of_one_endpoint_share_one_connection() -> None:
    async with running(A, B, C) as bench:
        await bench.clock.advance(3)

        assert sorted(bench.connects) == ["tcp://h:1", "tcp://h:2"]
        assert {name for _, name in bench.batches} == {"a", "b", "c"}


async def test_a_new_configuration_restarts_only_the_links_that_changed() -> None:
    async with running(A, B, C) as bench:
        await bench.clock.advance(2)
        changed = await bench.field.apply([A, B, replace(C, period_s=5.0)], {})
        await bench.clock.advance(2)

        assert changed == ("tcp://h:2",)
        assert bench.connects.count("tcp://h:1") == 1
        assert bench.connects.count("tcp://h:2") == 2
        assert [driver.closed > 0 for driver in bench.drivers] == [False, True, False]


async def test_new_point_numbers_alone_restart_a_link() -> None:
    async with running(A, B) as bench:
        assert await bench.field.apply([A, replace(B, numbers=np.array([9, -1], np.int32))], {}) == ("tcp://h:2",)


async def test_a_device_that_is_taken_away_is_no_longer_there() -> None:
    async with running(A, B) as bench:
        await bench.clock.advance(2)
        await bench.field.apply([A], {})

        assert bench.field.status("b") is None
        assert [status.id for status in bench.field.statuses()] == ["a"]
        assert not bench.field.connected("b")
        with pytest.raises(NotSentError, match='"b"'):
            await bench.field.write("b", "value", 1.0)


async def test_a_write_goes_to_the_device_of_that_id() -> None:
    async with running(A, B, C) as bench:
        await bench.clock.advance(2)
        await bench.field.write("c", "value", 7.0)

        assert bench.written == [("c", "value", 7.0)]
        status = bench.field.status("c")
        assert status is not None
        assert (status.writes, status.state, status.equipment, status.points) == (1, "good", "b.s.c", 1)


async def test_a_write_whose_time_is_over_when_the_line_is_free_is_not_sent() -> None:
    async with running(B, C) as bench:
        await bench.clock.advance(2)
        bench.takes["b"] = 30.0
        await bench.clock.advance(1.05)  # the poll of b holds the line
        write = asyncio.create_task(bench.field.write("c", "value", 7.0, before=bench.clock.monotonic() + 10))
        await bench.clock.advance(40)

        with pytest.raises(NotSentError):
            await write
        assert bench.written == []


async def test_a_deaf_device_and_a_closed_port_delay_nobody_on_other_lines() -> None:
    async with running(A, B, C) as bench:
        await bench.clock.advance(5)
        bench.deaf = {"b", "c"}
        bench.takes = {"b": 3.0, "c": 3.0}
        bench.batches.clear()
        await bench.clock.advance(60)

        mine = bench.polls("a")
        assert len(mine) == 60
        assert max(later - sooner for sooner, later in pairwise(mine)) < 1.11
        assert {name for name, state in bench.states if state == "lost"} == {"b", "c"}
        assert bench.polls("b") == []


async def test_a_dead_device_is_said_lost_within_three_polls_or_ten_seconds() -> None:
    async with running(A, B) as bench:
        await bench.clock.advance(5)
        bench.deaf, bench.takes = {"b"}, {"b": 1.0}
        await bench.clock.advance(10.5)

        assert ("b", "lost") in bench.states
        assert ("a", "lost") not in bench.states


async def test_an_endpoint_that_refuses_is_tried_again_and_joins() -> None:
    bench = Bench()
    bench.unreachable = {"tcp://h:2"}
    await bench.field.apply([A, B], {})
    await bench.clock.advance(60)
    assert bench.field.connected("a")
    assert not bench.field.connected("b")
    tries = bench.connects.count("tcp://h:2")
    assert 4 <= tries <= 60
    bench.unreachable = set()
    await bench.clock.advance(16)

    assert bench.field.connected("b")
    await bench.field.close()


async def test_a_link_that_ends_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    real = Link.run

    async def run(link: Link) -> None:
        starts.append(link.devices[0].id)
        if len(starts) == 1:
            raise RuntimeError("the task died")
        await real(link)

    monkeypatch.setattr(Link, "run", run)
    async with running(A) as bench:
        await bench.clock.advance(8)

        assert starts == ["a", "a"]
        assert bench.field.connected("a")


async def test_closing_closes_every_connection() -> None:
    async with running(A, B) as bench:
        await bench.clock.advance(2)

    assert all(driver.closed for driver in bench.drivers)
    assert bench.field.statuses() == []


async def test_a_start_of_many_links_calls_none_lost_while_they_wait_for_their_turn() -> None:
    devices = [device(f"d{n}", f"tcp://h:{n}", n) for n in range(150)]
    async with running(*devices) as bench:
        await bench.clock.advance(20)

        assert len(bench.connects) == 150
        assert {state for _, state in bench.states} == {"good"}


async def test_a_silent_device_among_many_is_still_called_lost() -> None:
    devices = [device(f"d{n}", f"tcp://h:{n}", n) for n in range(120)]
    bench = Bench()
    bench.unreachable = {"tcp://h:119"}
    await bench.field.apply(devices, {})
    await bench.clock.advance(26)

    assert [name for name, state in bench.states if state == "lost"] == ["d119"]
    await bench.field.close()
