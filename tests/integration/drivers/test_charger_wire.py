"""One charger of each model: our driver and the simulated charger on a real socket; limits, and what silence does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest

from controller.clock import SystemClock
from controller.share import share_dir
from drivers.driver import Device
from drivers.errors import DeviceRefusedError, NotWritableError
from drivers.modbus.driver import ModbusDriver
from drivers.profile import load_profile
from simulators.fault import Board
from simulators.plant.carpark import CarPark
from simulators.plant.charging import KW_A, SAFE_A
from simulators.plant.parking import Vehicle
from simulators.site import read_site
from simulators.wire.modbus import lines_of
from simulators.world import World

START_NS = 1_784_080_800_000_000_000
CAR = Vehicle(0, "IOA-0001", 60.0, 22.0)


@dataclass
class Charger:
    """A charger with a car at it, and the driver that speaks to it."""

    driver: ModbusDriver
    device: Device
    world: World
    board: Board
    column: int

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.step(1.0)
            self.board.step()

    async def read(self, tag: str) -> float:
        return await self.driver.read(self.device, tag)

    async def write(self, tag: str, value: float) -> None:
        await self.driver.write(self.device, tag, value)

    @property
    def limit_kw(self) -> float:
        part = self.world.parts["CarPark"]
        assert isinstance(part, CarPark)
        return float(part.chargers.limit_kw[self.column])


@asynccontextmanager
async def charger(number: int) -> AsyncIterator[Charger]:
    site = read_site(share_dir("config") / "taipei-city-hall")
    (row,) = (row for row in site.devices if row.id == f"ev{number:02}-charger")
    world = World(replace(site, devices=(row,)), 1, START_NS, warm=False)
    part = world.parts["CarPark"]
    assert isinstance(part, CarPark)
    part.cars.car[number - 1], part.cars._leave_s[number - 1] = 5000, np.inf
    part._plugged[number - 1] = 5000
    part.chargers.plug(number - 1, CAR, 0.3, 0.0)
    board = Board(world.devices)
    (line,) = lines_of(board)
    await line.open()
    (path,) = (share_dir("config") / "profiles" / "charger").glob(f"{row.profile}.toml")
    profile = load_profile(path)
    device = Device(row.id, profile, line.actual, np.arange(len(profile.points), dtype=np.int32), row.unit)
    driver = ModbusDriver([device], SystemClock())
    await driver.connect()
    try:
        yield Charger(driver, device, world, board, number - 1)
    finally:
        await driver.close()
        await line.close()


async def test_alfen_takes_a_current_and_goes_back_to_its_safe_one_without_it() -> None:
    async with charger(3) as one:
        one.pass_time(30)
        assert await one.read("state") == 2.0
        assert await one.read("power") == pytest.approx(min(CAR.max_kw, 32 * KW_A), abs=0.2)
        await one.write("current_limit", 16.0)
        one.pass_time(10)
        assert await one.read("current_limit_applied") == pytest.approx(16.0, abs=0.05)
        assert await one.read("power") == pytest.approx(16 * KW_A, abs=0.1)
        assert 40.0 <= await one.read("limit_valid") <= 55.0
        # Reading is not enough for an Alfen: it wants its set-point again.
        one.pass_time(40)
        assert await one.read("current_limit_applied") == pytest.approx(16.0, abs=0.05)
        one.pass_time(30)
        assert await one.read("current_limit_applied") == pytest.approx(SAFE_A, abs=0.05)
        assert await one.read("power") == pytest.approx(SAFE_A * KW_A, abs=0.1)
        await one.write("current_limit", 4.0)  # IEC 61851 knows no current below 6 A
        one.pass_time(10)
        assert await one.read("current_limit_applied") == 0.0
        assert await one.read("state") == 1.0


async def test_keba_takes_six_amperes_or_more_pauses_by_its_switch_and_wants_its_heartbeat() -> None:
    async with charger(15) as one:
        await one.write("failsafe_timeout", 30.0)
        await one.write("current_limit", 10.0)
        one.pass_time(10)
        assert await one.read("current_limit") == pytest.approx(10.0, abs=0.01)
        assert await one.read("power") == pytest.approx(10 * KW_A, abs=0.1)
        with pytest.raises(NotWritableError):
            await one.write("current_limit", 3.0)
        await one.write("enable", 0.0)
        one.pass_time(10)
        assert (await one.read("state"), await one.read("enable")) == (3.0, 0.0)
        await one.write("enable", 1.0)
        await one.write("failsafe_timeout", 30.0)
        one.pass_time(20)
        assert one.limit_kw == pytest.approx(10 * KW_A)
        one.pass_time(20)
        assert one.limit_kw == pytest.approx(SAFE_A * KW_A)


async def test_delta_takes_watts_and_falls_back_when_nobody_asks() -> None:
    async with charger(9) as one:
        await one.write("power_limit", 11.0)
        one.pass_time(15)
        assert await one.read("power_limit") == pytest.approx(11.0)
        assert await one.read("power") == pytest.approx(11.0, abs=0.1)
        assert await one.read("state") == 2.0
        one.pass_time(50)
        await one.read("power")  # any request will do
        one.pass_time(50)
        assert one.limit_kw == pytest.approx(11.0)
        one.pass_time(20)
        assert one.limit_kw == pytest.approx(4.2)


async def test_alpitronic_pauses_below_its_least_power_and_is_never_told_zero() -> None:
    async with charger(17) as one:
        await one.write("power_limit", 30.0)
        one.pass_time(20)
        assert await one.read("power") == pytest.approx(30.0, abs=0.2)
        assert await one.read("soc") == pytest.approx(30.0, abs=2.0)
        await one.write("power_limit", 1.0)
        one.pass_time(20)
        assert (await one.read("power"), await one.read("state")) == (0.0, 3.0)
        with pytest.raises(NotWritableError):
            await one.write("power_limit", 0.0)
        one.pass_time(70)
        assert one.limit_kw == pytest.approx(10.0)


async def test_a_whole_poll_of_each_model_is_good_and_the_counters_agree() -> None:
    for number in (1, 9, 17):
        async with charger(number) as one:
            one.pass_time(120)
            batch = await one.driver.poll(one.device)
            assert len(batch) == len(one.device.profile.points)
            assert not batch.quality.any(), one.device.profile.id


async def test_delta_answers_exception_2_for_the_register_that_it_lacks() -> None:
    async with charger(9) as one:
        with pytest.raises(DeviceRefusedError, match="2"):
            await one.driver._connection.read(1, bytes.fromhex("04 03 e8 00 02"), 4, 1.0)
