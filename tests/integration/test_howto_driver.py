"""The driver of docs/how-to/write-a-driver.md, against a small device on a loopback socket and under a real link."""

from __future__ import annotations

import asyncio
import importlib.util
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller.clock import SystemClock
from drivers.driver import Device, PolledDriver
from drivers.errors import (
    ConnectError,
    DecodeError,
    DeviceRefusedError,
    DeviceTimeoutError,
    NotWritableError,
    ProfileError,
)
from drivers.event import Event
from drivers.link import Link
from drivers.profile import parse_profile
from drivers.reading import Quality, Readings

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "line_driver.py"


def _driver(devices: list[Device]) -> Any:
    spec = importlib.util.spec_from_file_location("line_driver", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LineDriver(devices, SystemClock())


class Station:
    """The device: places 0 and 1 have a number, 2 a broken sensor, 3 can be set, 4 never answers, others refuse."""

    def __init__(self) -> None:
        self.values = {0: "21.5", 1: "63", 2: "broken", 3: "5.0"}
        self.port = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while line := await reader.readline():
            word, place, *rest = line.decode().split()
            if int(place) == 4:
                continue
            if int(place) not in self.values:
                writer.write(b"ERROR no such place\n")
            elif word == "READ":
                writer.write(self.values[int(place)].encode() + b"\n")
            else:
                self.values[int(place)] = rest[0]
                writer.write(b"OK\n")
        writer.close()


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    made = Station()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


def device(port: int, *places: int) -> Device:
    head = {"id": "weather-line", "equipment": "environment", "protocol": "modbus", "vendor": "example",
            "model": "Line 1", "source": "docs/how-to/write-a-driver.md"}  # fmt: skip
    points: list[dict[str, object]] = [
        {"tag": f"place_{place}", "zh": "值", "en": "Value", "wire": {"place": place}} for place in places
    ]
    for point in points:
        if point["tag"] == "place_3":
            point["write"] = {"low": 0, "high": 10}
    profile = parse_profile({"profile": head, "point": points}, "example")
    numbers = np.arange(10, 10 + len(places), dtype=np.int32)
    return Device("weather1", profile, f"tcp://127.0.0.1:{port}", numbers, period_s=0.1)


async def test_poll_says_of_every_point_how_good_it_is(station: Station) -> None:
    weather = device(station.port, 0, 1, 2, 9)
    driver = _driver([weather])
    await driver.connect()
    batch = await driver.poll(weather)
    await driver.close()
    await driver.close()

    assert isinstance(driver, PolledDriver)
    assert [10, 11, 12, 13] == batch.point.tolist()
    assert [21.5, 63.0] == batch.value[:2].tolist()
    assert np.isnan(batch.value[2:]).all()
    assert [Quality.GOOD, Quality.GOOD, Quality.BAD_SENSOR, Quality.BAD_CONFIG] == batch.quality.tolist()


async def test_a_point_that_the_site_leaves_out_is_not_asked_for(station: Station) -> None:
    weather = device(station.port, 9, 0)
    weather.numbers[0] = -1
    driver = _driver([weather])
    await driver.connect()
    batch = await driver.poll(weather)
    await driver.close()

    assert [11] == batch.point.tolist()
    assert [21.5] == batch.value.tolist()


async def test_write_and_read_back(station: Station) -> None:
    weather = device(station.port, 0, 3)
    driver = _driver([weather])
    await driver.connect()
    await driver.write(weather, "place_3", 7.25)
    held = await driver.read(weather, "place_3")
    with pytest.raises(NotWritableError):
        await driver.write(weather, "place_0", 1.0)
    await driver.close()

    assert held == 7.25
    assert station.values[3] == "7.25"


async def test_errors_say_what_the_caller_can_do(station: Station) -> None:
    weather = device(station.port, 2, 4, 9)
    driver = _driver([weather])
    with pytest.raises(ConnectError, match="not connected"):
        await driver.read(weather, "place_2")
    await driver.connect()
    with pytest.raises(DecodeError, match="wanted a number"):
        await driver.read(weather, "place_2")
    with pytest.raises(DeviceRefusedError, match="no such place"):
        await driver.read(weather, "place_9")
    with pytest.raises(DeviceTimeoutError, match="no answer"):
        await driver.read(weather, "place_4")

    assert not driver.connected


def test_a_wrong_profile_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ProfileError, match=r'point "place_100": wire\.place: got 100'):
        _driver([device(1, 100)])


class Sink:
    def __init__(self) -> None:
        self.batches: list[Readings] = []
        self.came = asyncio.Event()

    def readings(self, device: Device, batch: Readings) -> None:
        assert device.id == "weather1"
        self.batches.append(batch)
        self.came.set()

    def events(self, device: Device, events: object) -> None:
        raise AssertionError(f"a polled driver has no events: {device.id} {events!r} {Event!r}")


async def test_the_link_polls_it_and_finds_it_again(station: Station) -> None:
    sink = Sink()
    link = Link(_driver([device(station.port, 0, 1)]), sink, SystemClock(), random.Random(1))
    task = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(20):
            await sink.came.wait()
            await link._driver.close()
            sink.came.clear()
            await sink.came.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert [21.5, 63.0] == sink.batches[-1].value.tolist()
    assert link.health["weather1"].state == "good"
    assert station.connections == 2
