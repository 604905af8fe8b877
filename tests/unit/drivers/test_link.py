"""Supervision of a link, with drivers that do what each test says, on a virtual clock."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.clock import VirtualClock
from drivers.driver import Device
from drivers.errors import ConnectError, DeviceRefusedError, DeviceTimeoutError
from drivers.event import Event
from drivers.link import ConnectLimiter, DeviceHealth, Link
from drivers.profile import Profile, parse_profile
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from drivers.driver import Sink


def profile(*, keepalive: str = "") -> Profile:
    head: dict[str, object] = {
        "id": "fake", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "this file",
    }  # fmt: skip
    if keepalive:
        head["keepalive"] = {"tag": "beat", "every_s": 15.0, "mode": keepalive, "value": 7.0}
    points = [{"tag": tag, "zh": "點", "en": tag} for tag in ("value", "beat")]
    return parse_profile({"profile": head, "point": points}, "fake")


def device(name: str = "a", period_s: float = 1.0, made: Profile | None = None) -> Device:
    return Device(name, made or profile(), "tcp://10.0.0.1:502", np.array([1, 2], np.int32), 1, period_s)


class FakeDriver:
    """A polled driver whose answers each test chooses."""

    def __init__(self, clock: VirtualClock, *devices: Device) -> None:
        self.clock = clock
        self.devices: Sequence[Device] = devices
        self.connected = False
        self.reachable = True
        self.connects: list[float] = []
        self.polls: list[tuple[float, str]] = []
        self.probes: list[tuple[float, str]] = []
        self.writes: list[tuple[float, str, str, float]] = []
        self.failing: dict[str, Exception] = {}
        self.takes: dict[str, float] = {}
        self.quality = Quality.GOOD
        self.closes = 0
        self.busy = False

    async def connect(self) -> None:
        self.connects.append(self.clock.monotonic())
        if not self.reachable:
            raise ConnectError("refused")
        self.connected = True

    async def close(self) -> None:
        self.connected = False
        self.closes += 1

    async def _use(self, name: str) -> None:
        assert not self.busy, "two requests at once on one line"
        self.busy = True
        try:
            await self.clock.sleep(self.takes.get(name, 0.01))
        finally:
            self.busy = False
        if name in self.failing:
            raise self.failing[name]

    async def poll(self, device: Device) -> Readings:
        self.polls.append((self.clock.monotonic(), device.id))
        await self._use(device.id)
        return Readings.of([1, 2], [1.0, 2.0], self.clock.now_ns(), int(self.quality))

    async def probe(self, device: Device, timeout_s: float) -> None:
        self.probes.append((self.clock.monotonic(), device.id))
        await self.clock.sleep(timeout_s)
        if device.id in self.failing:
            raise self.failing[device.id]

    async def read(self, device: Device, tag: str) -> float:
        await self._use("read")
        return 5.0

    async def write(self, device: Device, tag: str, value: float) -> None:
        self.writes.append((self.clock.monotonic(), device.id, tag, value))
        await self._use("write")

    def polled(self, name: str) -> list[float]:
        return [at for at, polled in self.polls if polled == name]


class Keeper:
    def __init__(self) -> None:
        self.batches: list[tuple[str, Readings]] = []
        self.kept: list[Event] = []
        self.broken = False

    def readings(self, device: Device, batch: Readings) -> None:
        if self.broken:
            raise RuntimeError("sink")
        self.batches.append((device.id, batch))

    def events(self, device: Device, events: Sequence[Event]) -> None:
        self.kept.extend(events)


class Stage:
    """A link under test, with everything around it."""

    def __init__(self, clock: VirtualClock, driver: FakeDriver) -> None:
        self.clock, self.driver, self.sink = clock, driver, Keeper()
        self.changes: list[tuple[float, str, str]] = []
        self.link = Link(driver, self.sink, clock, random.Random(7), on_health=self.note)

    def note(self, device: Device, health: DeviceHealth) -> None:
        self.changes.append((self.clock.monotonic(), device.id, health.state))

    def state(self, name: str = "a") -> str:
        return self.link.health[name].state


@asynccontextmanager
async def stage(*devices: Device, prepare: Callable[[FakeDriver], None] | None = None) -> AsyncIterator[Stage]:
    clock = VirtualClock()
    driver = FakeDriver(clock, *(devices or (device(),)))
    if prepare:
        prepare(driver)
    made = Stage(clock, driver)
    task = asyncio.create_task(made.link.run())
    try:
        yield made
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert driver.closes >= 1


async def test_a_device_is_good_after_its_first_answer_and_polled_in_shared_slots() -> None:
    async with stage(device("a", 1.0), device("b", 5.0)) as it:
        assert (it.state(), it.link.up) == ("starting", False)
        await it.clock.advance(20.05)
        assert it.changes == [(0.01, "a", "good"), (0.02, "b", "good")]
        assert it.link.up
        assert it.driver.polled("a")[1:5] == [1.0, 2.0, 3.0, 4.0]
        # b comes after a where both are due, in the same slot
        assert it.driver.polled("b")[1:] == pytest.approx([5.01, 10.01, 15.01, 20.01])
        assert it.link.health["a"].polls == len(it.driver.polled("a"))
        assert it.link.health["a"].latency_p95_ms == pytest.approx(10.0)
        assert it.link.health["a"].last_good_ns == it.clock.now_ns() - 40_000_000


async def test_links_poll_in_the_same_slot_whenever_they_started() -> None:
    clock = VirtualClock()
    drivers = [FakeDriver(clock, device("a", 2.0)) for _ in range(3)]
    tasks = []
    for driver in drivers:
        tasks.append(asyncio.create_task(Link(driver, Keeper(), clock, random.Random(1)).run()))
        await clock.advance(0.37)
    await clock.advance(10.0)
    for driver in drivers:
        assert driver.polled("a")[1:5] == [2.0, 4.0, 6.0, 8.0]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_slot_that_passed_is_skipped_and_counted_never_made_up() -> None:
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(1.5)
        it.driver.takes["a"] = 2.3
        await it.clock.advance(8.0)  # 2.0 to 4.3, 5.0 to 7.3, 8.0 to …
        assert it.driver.polled("a")[2:] == [2.0, 5.0, 8.0]
        assert it.link.health["a"].missed == 4


async def test_connects_back_off_with_full_jitter_and_recover_within_15_s() -> None:
    async with stage(prepare=lambda driver: setattr(driver, "reachable", False)) as it:
        await it.clock.advance(120)
        gaps = np.diff(it.driver.connects)
        assert it.state() == "lost"
        assert (gaps <= 15.1).all()
        for place, gap in enumerate(gaps[:4]):
            assert gap <= 2.0**place + 0.11
        assert len(set(gaps.round(6))) > len(gaps) // 2
        it.driver.reachable = True
        back = it.clock.monotonic()
        await it.clock.advance(15.2)
        assert it.state() == "good"
        assert it.changes[-1][0] - back <= 15.2


async def test_a_long_outage_is_asked_about_once_a_minute_at_most() -> None:
    async with stage(prepare=lambda driver: setattr(driver, "reachable", False)) as it:
        await it.clock.advance(7200)
        gaps = np.diff([at for at in it.driver.connects if at > 900])
        assert gaps.max() > 15.1
        assert gaps.max() <= 60.2


async def test_two_hundred_links_start_at_thirty_a_second_and_return_at_ten() -> None:
    clock = VirtualClock()
    limiter = ConnectLimiter(clock)
    drivers = [FakeDriver(clock, device(f"d{n}")) for n in range(200)]
    tasks = [
        asyncio.create_task(Link(driver, Keeper(), clock, random.Random(n), limiter=limiter).run())
        for n, driver in enumerate(drivers)
    ]
    await clock.advance(7)
    times = sorted(at for driver in drivers for at in driver.connects)
    assert len(times) == 200
    assert min(b - a for a, b in pairwise(times)) >= 0.033
    for driver in drivers:
        driver.failing[driver.devices[0].id] = ConnectError("reset by peer")
    await clock.advance(1.5)
    for driver in drivers:
        driver.failing.clear()
    await clock.advance(60)
    assert all(driver.connected for driver in drivers)
    again = sorted(at for driver in drivers for at in driver.connects if at > 7)
    assert len(again) >= 200
    for start in range(len(again) - 10):
        assert again[start + 10] - again[start] >= 0.999
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("period", [1.0, 2.0, 5.0, 10.0, 30.0])
async def test_a_silent_device_is_lost_within_three_polls_or_ten_seconds(period: float) -> None:
    async with stage(device("a", period)) as it:
        await it.clock.advance(3 * period)
        assert it.state() == "good"
        last = it.clock.now_ns() - (it.link.health["a"].last_good_ns or 0)
        silent_from = it.clock.monotonic() - last / 1e9
        it.driver.failing["a"] = DeviceTimeoutError("no answer in 1 s")
        it.driver.takes["a"] = 0.3
        await it.clock.advance(4 * period + 11)
        lost = [at for at, _, state in it.changes if state == "lost"]
        assert len(lost) == 1
        assert lost[0] - silent_from <= max(3 * period, 10.0) + 0.31
        assert it.link.health["a"].message.startswith("no answer")
        assert it.link.health["a"].cause == "silent"
        del it.driver.failing["a"]
        await it.clock.advance(4 * period + 70)
        assert (it.state(), it.link.health["a"].message, it.link.health["a"].cause) == ("good", "", "")


async def test_a_driver_that_hangs_does_not_hide_the_loss() -> None:
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(2.5)
        it.driver.takes["a"] = 1e6
        await it.clock.advance(10.5)
        assert it.state() == "lost"


async def test_a_process_that_stood_still_does_not_blame_its_devices() -> None:
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(5.5)
        it.clock.move(60.0)  # SIGSTOP for a minute
        await it.clock.advance(5.0)
        assert [state for _, _, state in it.changes] == ["good"]


async def test_the_calendar_may_jump() -> None:
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(5)
        for jump in (-3600.0, 86400.0 * 30):
            it.clock.jump(jump)
            before = len(it.driver.polls)
            await it.clock.advance(5)
            assert len(it.driver.polls) - before == 5
        assert [state for _, _, state in it.changes] == ["good"]


async def test_a_dead_device_is_probed_shortly_and_rarely_while_its_mates_answer() -> None:
    async with stage(device("a", 1.0), device("b", 1.0)) as it:
        await it.clock.advance(2.5)
        it.driver.failing["b"] = DeviceTimeoutError("silent")
        it.driver.takes["b"] = 1.0
        await it.clock.advance(600)
        tries = len([at for at, name in it.driver.probes + it.driver.polls if name == "b" and at > 10])
        assert 8 <= tries <= 30
        gaps = np.diff(sorted(at for at, name in it.driver.probes + it.driver.polls if name == "b" and at > 10))
        assert gaps.max() <= 61.5
        assert gaps[-1] > gaps[0]
        assert len(it.driver.polled("a")) >= 0.97 * 600
        assert it.state("b") == "lost"
        assert it.state("a") == "good"
        # back again: a probe that is answered closes the breaker at once
        del it.driver.failing["b"]
        it.driver.takes["b"] = 0.01
        await it.clock.advance(62)
        assert it.state("b") == "good"
        before = len(it.driver.polled("b"))
        await it.clock.advance(10)
        assert len(it.driver.polled("b")) - before >= 9


async def test_a_lonely_dead_device_is_found_again_within_fifteen_seconds() -> None:
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(2.5)
        it.driver.failing["a"] = DeviceTimeoutError("silent")
        await it.clock.advance(3000)
        del it.driver.failing["a"]
        await it.clock.advance(7)
        assert it.state() == "good"


async def test_a_slow_device_is_not_kept_out_by_short_probes() -> None:
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(1.5)
        it.driver.failing["a"] = DeviceTimeoutError("silent")
        await it.clock.advance(30)
        assert len(it.driver.polled("a")) >= 3 + 1  # every third try is a full poll


@pytest.mark.parametrize(
    ("quality", "state"),
    [(Quality.BAD_CONFIG, "refused"), (Quality.BAD_DEVICE, "lost"), (Quality.BAD_SENSOR, "good")],
)
async def test_an_answer_that_says_nothing_is_no_good_answer(quality: Quality, state: str) -> None:
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(2.5)
        it.driver.quality = quality
        await it.clock.advance(10)
        assert it.state() == state
        assert it.sink.batches[-1][1].quality.tolist() == [quality, quality]
        it.driver.quality = Quality.GOOD
        await it.clock.advance(10)
        assert it.state() == "good"


async def test_refusals_are_counted_apart_from_time_outs() -> None:
    async with stage(device("a", 1.0)) as it:
        it.driver.failing["a"] = DeviceRefusedError("busy", 6)
        await it.clock.advance(5)
        health = it.link.health["a"]
        assert (health.state, health.refused >= 3, health.timeouts) == ("refused", True, 0)


async def test_a_lost_connection_is_opened_again_and_polled_at_once() -> None:
    async with stage(device("a", 10.0)) as it:
        await it.clock.advance(12)
        it.driver.failing["a"] = ConnectError("reset")
        await it.clock.advance(8.05)  # the poll at 20 finds it
        del it.driver.failing["a"]
        await it.clock.advance(1.5)
        assert len(it.driver.connects) == 2
        assert it.driver.polled("a")[-1] < 21.5
        assert it.state() == "good"


async def test_a_line_that_the_driver_closed_is_opened_without_back_off() -> None:
    async with stage(device("a", 1.0), device("b", 1.0)) as it:
        await it.clock.advance(2.5)
        it.driver.connected = False
        assert await asyncio.wait_for(_advanced(it.clock, it.link.read("a", "value")), 5) == 5.0
        assert len(it.driver.connects) == 2
        it.driver.connected = False
        await it.clock.advance(1.0)
        assert len(it.driver.connects) == 3
        assert it.state() == "good"


async def _advanced(clock: VirtualClock, call: object) -> object:
    task = asyncio.ensure_future(call)  # type: ignore[call-overload]
    await clock.advance(0.4)
    return await task


async def test_a_write_is_sent_once_even_when_it_times_out() -> None:
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(2.5)
        it.driver.failing["write"] = DeviceTimeoutError("no answer")
        task = asyncio.create_task(it.link.write("a", "value", 3.0))
        await it.clock.advance(60)
        with pytest.raises(DeviceTimeoutError):
            await task
        assert it.driver.writes == [(2.5, "a", "value", 3.0)]
        assert it.link.health["a"].writes == 1
        assert it.link.health["a"].keepalives == 0


async def test_without_a_connection_nothing_is_sent_and_nothing_waits() -> None:
    async with stage(prepare=lambda driver: setattr(driver, "reachable", False)) as it:
        await it.clock.advance(5)
        with pytest.raises(ConnectError, match="nothing was sent"):
            await it.link.write("a", "value", 1.0)
        assert it.driver.writes == []
        with pytest.raises(KeyError):
            await it.link.write("nobody", "value", 1.0)


async def test_writes_wait_for_the_poll_under_way_and_go_before_the_next() -> None:
    async with stage(device("a", 1.0), device("b", 1.0)) as it:
        await it.clock.advance(1.5)
        it.driver.takes.update(a=0.3, b=0.3)
        await it.clock.advance(0.6)  # in the middle of a's poll at 2.0
        task = asyncio.create_task(it.link.write("a", "value", 3.0))
        await it.clock.advance(1.5)
        await task
        assert it.driver.writes[0][0] == pytest.approx(2.3)
        assert it.driver.polled("b")[-1] >= 2.3


async def test_the_keep_alive_counts_while_the_device_is_healthy_and_stops_when_it_is_not() -> None:
    async with stage(device("a", 1.0, profile(keepalive="count"))) as it:
        await it.clock.advance(60)
        beats = [(at, tag, value) for at, _, tag, value in it.driver.writes]
        assert [value for _, _, value in beats] == [0.0, 1.0, 2.0, 3.0]
        assert {tag for _, tag, _ in beats} == {"beat"}
        assert np.diff([at for at, _, _ in beats]) == pytest.approx([15, 15, 15], abs=0.6)
        health = it.link.health["a"]
        assert (health.keepalives, health.writes) == (4, 0)
        it.driver.failing["a"] = DeviceTimeoutError("silent")
        await it.clock.advance(12)
        sent = len(it.driver.writes)
        await it.clock.advance(120)
        assert len(it.driver.writes) == sent


async def test_a_constant_keep_alive_that_fails_is_told_once_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with stage(device("a", 1.0, profile(keepalive="constant"))) as it:
        await it.clock.advance(1)
        it.driver.failing["write"] = DeviceTimeoutError("no answer")
        await it.clock.advance(100)
        assert {value for _, _, _, value in it.driver.writes} == {7.0}
        assert len(it.driver.writes) == 7
        assert len([record for record in caplog.records if "keep-alive" in record.message]) == 1
        assert it.state() == "good"


async def test_a_fault_in_driver_sink_or_callback_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with stage(device("a", 1.0), device("b", 1.0)) as it:
        await it.clock.advance(2.5)
        it.sink.broken = True
        await it.clock.advance(3)
        assert it.link.sink_errors == 6
        it.sink.broken = False
        it.driver.failing["a"] = ZeroDivisionError("a fault of the driver")
        await it.clock.advance(20)
        assert it.state("a") == "lost"
        assert it.state("b") == "good"
        assert it.link.health["a"].errors >= 3
        del it.driver.failing["a"]
        await it.clock.advance(20)
        assert it.state("a") == "good"
        assert caplog.records


async def test_loss_and_return_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with stage(device("a", 1.0)) as it:
        await it.clock.advance(5)
        it.driver.failing["a"] = DeviceTimeoutError("silent")
        await it.clock.advance(300)
        del it.driver.failing["a"]
        await it.clock.advance(30)
    lines = [record.message for record in caplog.records]
    assert len([line for line in lines if ": lost: " in line]) == 1
    assert len([line for line in lines if "answers again" in line]) == 1
    assert len(lines) == 2


async def test_logs_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    async with stage(device("a", 0.1)) as it:
        it.sink.broken = True
        await it.clock.advance(60)
        assert it.link.sink_errors > 500
        assert len(caplog.records) <= 65


async def test_a_disabled_device_is_left_alone() -> None:
    async with stage(device("a", 1.0), device("b", 1.0)) as it:
        await it.clock.advance(2.5)
        it.link.enable("a", on=False)
        before = len(it.driver.polled("a"))
        await it.clock.advance(30)
        assert len(it.driver.polled("a")) == before
        assert it.state("a") == "disabled"
        it.link.enable("a", on=True)
        await it.clock.advance(2)
        assert it.state("a") == "good"


class Teller:
    """A subscribed driver: delivers what the test puts into its queue."""

    def __init__(self, *devices: Device) -> None:
        self.devices: Sequence[Device] = devices
        self.queue: asyncio.Queue[Callable[[Sink], None]] = asyncio.Queue()
        self.connects = 0
        self.wrote: list[float] = []

    async def connect(self) -> None:
        self.connects += 1

    async def run(self, sink: Sink) -> None:
        while True:
            (await self.queue.get())(sink)

    async def read(self, device: Device, tag: str) -> float:
        return 1.0

    async def write(self, device: Device, tag: str, value: float) -> None:
        self.wrote.append(value)

    async def close(self) -> None:
        pass


def lose(_: Sink) -> None:
    raise ConnectError("session closed")


def fault(_: Sink) -> None:
    raise ValueError("a fault of the driver")


async def test_a_subscribed_driver_is_judged_by_what_it_delivers_and_run_again_after_a_loss() -> None:
    clock = VirtualClock()
    one = device("a", 1.0)
    driver, sink = Teller(one), Keeper()
    link = Link(driver, sink, clock, random.Random(3))
    task = asyncio.create_task(link.run())
    batch = Readings.of([1], [5.0], 0)
    driver.queue.put_nowait(lambda to: to.readings(one, batch))
    await clock.advance(1)
    assert link.health["a"].state == "good"
    for _ in range(10):  # nothing changed, but the device is there
        driver.queue.put_nowait(lambda to: to.readings(one, Readings.of([], [], 0)))
        await clock.advance(5)
    assert link.health["a"].state == "good"
    assert len(sink.batches) == 1
    await clock.advance(10.1)
    assert link.health["a"].state == "lost"
    driver.queue.put_nowait(lambda to: to.events(one, [Event("1", "a", "door_forced", 0)]))
    await clock.advance(0.1)
    assert link.health["a"].state == "good"
    assert [event.key for event in sink.kept] == ["1"]
    for loss in (lose, fault):
        before = driver.connects
        driver.queue.put_nowait(loss)
        await clock.advance(5)
        assert driver.connects == before + 1
    await link.write("a", "value", 4.0)
    assert driver.wrote == [4.0]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancel_that_a_library_swallows_ends_the_link_all_the_same() -> None:
    # asyncio.wait_for of Python 3.11 returns the answer when answer and cancel come in one turn of the loop.
    class Swallowing(FakeDriver):
        async def poll(self, device: Device) -> Readings:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.swallowed = getattr(self, "swallowed", 0) + 1
                if self.swallowed > 1:
                    raise
            return Readings.of([1], [1.0], self.clock.now_ns(), 0)

    clock = VirtualClock()
    driver = Swallowing(clock, device("a"))
    task = asyncio.create_task(Link(driver, Keeper(), clock, random.Random(1)).run())
    await clock.advance(1)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done
    assert task.cancelled()
    assert not driver.connected
