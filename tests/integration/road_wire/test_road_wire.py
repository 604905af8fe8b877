"""The drivers against the simulated city as it is started by hand: every model, every point, every command.

The two sides share no encoder: what is compared here went through two tables typed apart from the same documents.
"""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from controller.clock import SystemClock
from controller.share import share_dir
from drivers.driver import Device, Driver
from drivers.modbus.driver import ModbusDriver
from drivers.mqtt.driver import MqttDriver
from drivers.opcua.driver import OpcUaDriver
from drivers.profile import ProfilePoint, load_profile
from drivers.reading import Quality
from simulators.control import ask
from simulators.site import SimulatedDevice, read_site
from tests.services.modbus import Keeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from drivers.reading import Readings

ROOT = Path(__file__).parents[3]
SITE = ROOT / "config" / "taipei-city-hall"
PROFILES = {path.stem: load_profile(path) for path in (share_dir("config") / "profiles").glob("*/*.toml")}
ROWS = read_site(SITE).devices
MODBUS = sorted(name for name, profile in PROFILES.items() if profile.protocol == "modbus")
SENSOR = "env100-sensor"
"""The last one to report: ten seconds after the start, so that it can be frozen and subscribed to before."""
RELATIVE = {"f32": 2**-24, "f64": 2**-50}
WORDS = {"abb-ach580", "danfoss-fc102"}
"""Drives that give the words last written back, not what their automatic wants; compared when they are written."""
CARRIER_STATE = {0: {0, 2}, 1: {1, 4, 5}, 2: {7, 8, 9}, 3: {10}, 4: {13}, 5: {3}, 6: {11}, 7: {14}}
"""State of a machine -> states of the 23XRV that mean it (controls manual p. 70)."""
REGISTER = {("keba-p30", "failsafe_timeout"): 30.0}
"""What a model's register holds that is no quantity of the machine."""
CONNECTED = {"alfen-ng910": {3.0, 4.0}, "keba-p30": {4.0}}
"""States of a charger that these models tell as connected: they say what the cable is at, not why."""


@dataclass(frozen=True)
class City:
    endpoints: dict[str, Any]
    control: Path

    def device(self, row: SimulatedDevice) -> Device:
        profile = PROFILES[row.profile]
        secrets = self.endpoints["secrets"].get(row.endpoint, {})
        return Device(
            row.id, profile, self.endpoints[row.endpoint], np.arange(len(profile.points), dtype=np.int32), row.unit,
            profile.period_s, options=dict(row.options), secrets={key: str(value) for key, value in secrets.items()},
        )  # fmt: skip

    async def ask(self, command: str, device: str) -> Any:
        return await asyncio.to_thread(ask, self.control, command, device)

    async def values(self, device: str) -> dict[str, float]:
        shown = (await self.ask("values", device))["values"]
        return {name: math.nan if value is None else float(value) for name, value in shown.items()}

    async def writes(self, device: str) -> list[dict[str, Any]]:
        return list((await self.ask("ledger", device))["writes"])


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    map_path = tmp_path_factory.mktemp("road") / "map.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators", "run", "--site", str(SITE), "--endpoints", str(map_path)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    timer = threading.Timer(90, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the fleet ended before it was ready"
        control = Path(json.loads(line)["control"])
        ask(control, "freeze", SENSOR)
        yield City(json.loads(map_path.read_text("utf-8")), control)
    finally:
        timer.cancel()
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def first_of(profile: str) -> SimulatedDevice:
    return next(row for row in ROWS if row.profile == profile)


def quantum(point: ProfilePoint, value: float) -> float:
    """Half of the least step of the point's register (or of its float), in the point's unit."""
    kind = str(point.wire.get("type", "u16"))
    scale = abs(float(point.wire.get("scale", 1.0)))
    if kind in RELATIVE:
        return abs(value) * RELATIVE[kind] * 1.01 + 1e-9
    return 0.5 * scale * 1.001 + abs(value) * 1e-9


def compare(device: Device, batch: Readings, shown: dict[str, float]) -> int:
    """Compare every point of the batch with what the device shows; returns how many."""
    for number, value, quality in zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
        point = device.profile.points[number]
        what = f"{device.profile.id} {point.tag}"
        if device.profile.id in WORDS and point.write is not None:
            continue
        assert quality == Quality.GOOD, what
        if (device.profile.id, point.tag) == ("carrier-23xrv", "state"):
            assert value in CARRIER_STATE[int(shown["state"])], what
        elif device.profile.id in CONNECTED and point.tag == "state":
            assert value == (1.0 if shown["state"] in CONNECTED[device.profile.id] else shown["state"]), what
        elif (device.profile.id, point.tag) == ("carrier-23xrv", "alarm"):
            assert value == (shown["state"] == 6.0), what
        elif (device.profile.id, point.tag) == ("janitza-umg801", "power_factor"):
            assert value == pytest.approx(shown["power"] / shown["apparent_power"], rel=1e-6), what
        elif (device.profile.id, point.tag) in REGISTER:
            assert value == REGISTER[device.profile.id, point.tag], what
        else:
            assert value == pytest.approx(shown[point.tag], abs=quantum(point, shown[point.tag])), what
    return len(batch)


def wanted_value(point: ProfilePoint) -> float:
    """A value that differs from what a plant in service usually has."""
    assert point.write is not None
    if point.kind == "analog":
        return round(point.write.low + 0.62 * (point.write.high - point.write.low), 0)
    return 1.0 if point.kind == "binary" else point.write.high


async def read_back(driver: Driver, device: Device, point: ProfilePoint, value: float) -> None:
    assert point.write is not None
    tag, got = point.write.readback or point.tag, math.nan
    deadline = SystemClock().monotonic() + point.write.settle_s + 5.0
    while SystemClock().monotonic() < deadline:
        got = await driver.read(device, tag)
        if abs(got - value) <= point.write.tolerance:
            return
    raise AssertionError(f"{device.profile.id} {tag}: {got} is read back, {value} was written")


async def command_all(city: City, driver: Driver, device: Device) -> list[str]:
    """Write every command of a device once; each is in effect, and the device saw one write each."""
    commands = [point for point in device.profile.points if point.write is not None and not point.write.momentary]
    for point in commands:
        assert point.write is not None
        value = wanted_value(point)
        before = await city.writes(device.id)
        await driver.write(device, point.tag, value)
        shown = await city.values(device.id)
        assert shown[point.tag] == pytest.approx(value, abs=point.write.tolerance), point.tag
        await read_back(driver, device, point, value)
        new = (await city.writes(device.id))[len(before) :]
        # A drive that is not ready yet takes two control words: prepare, then run.
        steps = 1 if point.wire.get("prepare") is None else 2
        assert new, point.tag
        assert [entry["quantity"] for entry in new] == [point.tag] * min(len(new), steps), new
        assert new[-1]["accepted"]
        assert new[-1]["value"] == pytest.approx(value, abs=point.write.tolerance)
    return [point.tag for point in commands]


@asynccontextmanager
async def opened(driver: Driver) -> AsyncIterator[None]:
    await driver.connect()
    try:
        yield
    finally:
        await driver.close()


def test_the_city_has_every_model() -> None:
    assert {row.profile for row in ROWS} == set(PROFILES)
    assert len(PROFILES) >= 20


async def test_a_room_sensor_reports_what_it_measures(city: City) -> None:
    row = next(row for row in ROWS if row.id == SENSOR)
    device = city.device(row)
    driver, sink = MqttDriver([device], SystemClock()), Keeper()
    async with opened(driver):
        task = asyncio.ensure_future(driver.run(sink))
        try:
            await sink.until(lambda: sink.count(device.id) >= 1, 90.0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    batch = sink.batches[device.id][0]
    shown = await city.values(device.id)
    steps = {"temperature": 0.1, "humidity": 0.5, "pressure": 0.1, "tvoc": 0.01, "hcho": 0.01, "co2": 1.0, "pm25": 1.0}
    assert len(batch) == len(device.profile.points)
    for number, value, quality in zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
        tag = device.profile.points[number].tag
        assert quality == Quality.GOOD, tag
        assert value == pytest.approx(shown[tag], abs=0.501 * steps.get(tag, 1.0)), tag


async def test_an_air_handler_is_read_and_commanded_through_its_encrypted_session(city: City) -> None:
    row = first_of("site-standard-ahu")
    await city.ask("freeze", row.id)
    device = city.device(row)
    driver, sink = OpcUaDriver([device], SystemClock()), Keeper()
    async with opened(driver):
        task = asyncio.ensure_future(driver.run(sink))
        try:
            everything = len(device.profile.points)
            await sink.until(lambda: sum(map(len, sink.batches.get(device.id, []))) >= everything)
            latest: dict[int, tuple[float, int]] = {}
            for batch in sink.batches[device.id]:
                latest |= {
                    point: (value, quality)
                    for point, value, quality in zip(
                        batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
                    )
                }
            shown = await city.values(device.id)
            for number, (value, quality) in latest.items():
                point = device.profile.points[number]
                assert quality == Quality.GOOD, point.tag
                step = {"°C": 0.05, "%": 0.5, "Pa": 1.0, "ppm": 5.0}.get(point.unit, 0.0)
                assert value == pytest.approx(shown[point.tag], abs=0.501 * step), point.tag
            assert len(latest) == everything
            await city.ask("clear", row.id)
            assert len(await command_all(city, driver, device)) == 8
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("profile", MODBUS)
async def test_every_point_of_a_modbus_model_is_read_and_commanded(city: City, profile: str) -> None:
    row = first_of(profile)
    await city.ask("freeze", row.id)
    device = city.device(row)
    driver = ModbusDriver([device], SystemClock())
    async with opened(driver):
        shown = await city.values(row.id)
        assert compare(device, await driver.poll(device), shown) == len(device.profile.points)
        await city.ask("clear", row.id)
        commands = await command_all(city, driver, device)
        wanted = {point.tag for point in device.profile.points if point.write and not point.write.momentary}
        assert set(commands) == wanted
        assert driver.rejected == 0
