"""The road with real devices on the wire and a real InfluxDB: what is committed is in both stores, nothing waits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from sqlalchemy import delete, select

from controller.errors import InvalidError, UnavailableError
from controller.history.cursor import START
from controller.history.frame import decode
from controller.history.segment import LogReader
from controller.journal import schema
from drivers.reading import Quality

from .conftest import controlled, deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from controller.app import Controller
    from tests.services.influxdb import InfluxServer

    from .conftest import RestartableInflux, SmallSite

VARIABLE = "SHIFU_ROAD_TOKEN"


def committed(data: Path) -> set[tuple[int, int]]:
    """Return (number, time) of every reading in the log."""
    found: set[tuple[int, int]] = set()
    reader, after = LogReader(data / "log"), START
    while frames := reader.read(after, 1000):
        after = frames[-1][0]
        for _, frame in frames:
            readings = decode(frame).readings
            found |= set(zip(readings.point.tolist(), readings.time_ns.tolist(), strict=True))
    reader.close()
    return found


async def until(condition: Callable[[], object], seconds: float) -> None:
    """Wait for a condition on the running loop."""
    async with deadline(seconds):
        while not condition():  # noqa: ASYNC110 - conditions of threads and other processes
            await asyncio.sleep(0.05)


def all_good(controller: Controller) -> bool:
    return {status.state for status in controller.field.statuses()} == {"good"}


async def page(controller: Controller, path: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"{controller.server.url}{path}", timeout=10)


def metric(text: str, name: str) -> float:
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"shifu_{name} "))


class Turns:
    """Measures how long each turn of the cycle takes and when it comes."""

    def __init__(self, controller: Controller) -> None:
        self.took: list[float] = []
        self.at: list[float] = []
        clock, real = controller.clock, controller.cycle.step

        def step() -> None:
            start = clock.monotonic()
            real()
            self.at.append(start)
            self.took.append(clock.monotonic() - start)

        controller.cycle.step = step  # type: ignore[method-assign]


async def test_an_influxdb_that_was_away_for_ten_seconds_has_every_reading_once(
    small: SmallSite, restartable: RestartableInflux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, restartable.server.token)
    small.history_server(restartable.url, "b", VARIABLE)
    data = tmp_path / "data"
    async with controlled(small, data) as controller:
        influx = controller.historian.influx
        assert influx is not None
        await until(lambda: influx.status().written > 50, 30)
        written = influx.status().written

        await asyncio.to_thread(restartable.stop)
        await until(lambda: not influx.status().healthy, 20)
        text = (await page(controller, "/metrics")).text
        assert metric(text, "influx_healthy") == 0
        assert (await page(controller, "/readyz")).status_code == 200, "the controller does not need the server"
        turns = controller.cycle.counts.turns
        logged = controller.historian.log.status().written
        await asyncio.sleep(10)
        assert controller.cycle.counts.turns >= turns + 9
        assert controller.historian.log.status().written > logged
        assert controller.historian.log.status().dropped == 0

        await asyncio.to_thread(restartable.start)
        await until(lambda: influx.status().healthy and influx.status().written > written, 40)
        await controller.field.close()
        await asyncio.to_thread(controller.historian.log.flush)
        assert await asyncio.to_thread(influx.wait_until_sent, 40)
        text = (await page(controller, "/metrics")).text
        assert metric(text, "influx_healthy") == 1

        readings = committed(data)
        numbers = sorted({number for number, _ in readings})
        first, last = min(time for _, time in readings), max(time for _, time in readings) + 1
        series = await controller.historian.embedded.raw(numbers, first, last)
        stored = {(one.number, time) for one in series for time in one.time_ns.tolist()}
    # Closing logs a few more: every point turns stale when its link is gone for ten seconds.
    assert readings == stored
    in_influx = restartable.server.count("b")
    assert len(readings) <= in_influx <= len(committed(data))
    times = sorted({time for _, time in readings})
    assert max(np.diff(times)) < 2.5e9, "no gap while the server was away"


@pytest.fixture
def hanging() -> Iterator[str]:
    """Yield the address of a server that takes requests and never answers."""
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            stopped.wait(60)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class says so
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    stopped.set()
    server.shutdown()
    server.server_close()
    thread.join()


async def test_an_influxdb_that_hangs_delays_neither_turns_nor_polls_nor_the_log(
    small: SmallSite, hanging: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "whatever")
    small.history_server(hanging, "b", VARIABLE)
    data = tmp_path / "data"
    async with controlled(small, data) as controller:
        await until(lambda: all_good(controller), 20)
        turns = Turns(controller)
        await asyncio.sleep(8)

        assert max(turns.took) < 0.2, f"the slowest turn took {max(turns.took):.3f} s"
        assert max(np.diff(turns.at)) < 1.5
        assert all_good(controller)
        assert controller.historian.log.status().pending < 2000
        influx = controller.historian.influx
        assert influx is not None
        await until(lambda: not influx.status().healthy, 15)
        assert "does not answer" in influx.status().reason
        start = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - start < 20, "closing waits for one request at most"


async def test_a_refused_token_is_said_and_loses_nothing(
    small: SmallSite, influx_server: InfluxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = f"b{uuid.uuid4().hex}"
    influx_server.make_bucket(bucket)
    small.history_server(influx_server.url, bucket, VARIABLE)
    data = tmp_path / "data"
    monkeypatch.setenv(VARIABLE, "not the token")
    async with controlled(small, data) as controller:
        influx = controller.historian.influx
        assert influx is not None
        await until(lambda: not influx.status().healthy, 20)
        assert influx.status().code == 401
        assert "token" in influx.status().reason
        assert "not the token" not in influx.status().reason
        assert metric((await page(controller, "/metrics")).text, "influx_healthy") == 0
    refused = committed(data)
    assert refused

    monkeypatch.setenv(VARIABLE, influx_server.token)
    async with controlled(small, data) as controller:
        again = controller.historian.influx
        assert again is not None
        taken = again.status
        await until(lambda: taken().healthy and taken().written >= len(refused), 30)
    assert influx_server.count(bucket) >= len(refused)


async def test_trends_can_be_answered_by_influxdb_and_are_the_same(
    small: SmallSite, influx_server: InfluxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = f"b{uuid.uuid4().hex}"
    influx_server.make_bucket(bucket)
    small.history_server(influx_server.url, bucket, VARIABLE, reads="influx")
    monkeypatch.setenv(VARIABLE, influx_server.token)
    async with controlled(small, tmp_path / "data") as controller:
        influx = controller.historian.influx
        assert influx is not None
        await until(lambda: influx.status().written > 50, 30)
        await controller.field.close()
        await asyncio.to_thread(controller.historian.log.flush)
        assert await asyncio.to_thread(influx.wait_until_sent, 40)
        assert controller.runtime.history is controller.historian.reader
        number = min({number for number, _ in committed(tmp_path / "data")})
        now = controller.clock.now_ns()
        (remote,) = await controller.runtime.history.raw([number], now - 600 * 10**9, now)
        (local,) = await controller.historian.embedded.raw([number], now - 600 * 10**9, now)

    assert len(remote.time_ns) > 0
    assert remote.time_ns.tolist() == local.time_ns.tolist()
    np.testing.assert_array_equal(remote.value, local.value)


async def test_a_history_server_without_its_token_is_refused_with_the_variable_s_name(
    small: SmallSite, tmp_path: Path
) -> None:
    assert VARIABLE not in os.environ
    small.history_server("http://127.0.0.1:9", "b", VARIABLE)
    with pytest.raises(InvalidError, match=VARIABLE):
        async with controlled(small, tmp_path / "data"):
            pass


async def test_a_deaf_device_delays_nobody_and_touches_its_own_points_alone(small: SmallSite, tmp_path: Path) -> None:
    async with controlled(small, tmp_path / "data") as controller:
        await until(lambda: all_good(controller), 20)
        table, site = controller.parts.table, controller.configuration.site
        mine = [point.number for point in site.points.values() if point.device == "em002-meter"]
        others = [point.number for point in site.points.values() if point.device not in ("", "em002-meter")]
        await asyncio.sleep(1.5)
        good = [number for number in others if table.quality[number] == Quality.GOOD]
        header = next(point.number for point in site.points.values() if point.device == "header-io")
        await asyncio.to_thread(small.sim, "fault", "disconnect", "em002-meter")
        start = controller.clock.monotonic()
        ages: list[float] = []
        async with deadline(20):
            while (table.quality[mine] == Quality.GOOD).any():
                ages.append(controller.clock.monotonic() - float(table.received[header]))
                await asyncio.sleep(0.05)
        took = controller.clock.monotonic() - start

        assert took < 13.0, "3 polls or 10 s, and what the command took"
        assert max(ages) < 2.0, "a device on another line goes on at its period"
        assert (table.quality[good] == Quality.GOOD).all()
        await until(lambda: not all_good(controller), 13)
        lost = [status.id for status in controller.field.statuses() if status.state != "good"]
        assert lost == ["em002-meter"]
        assert (table.quality[good] == Quality.GOOD).all()
        await asyncio.to_thread(small.sim, "fault", "clear", "em002-meter")
        await until(lambda: all_good(controller), 20)
        await until(lambda: bool((table.quality[mine] == Quality.GOOD).any()), 10)


async def test_a_command_that_is_out_when_the_controller_stops_is_read_back_first(
    small: SmallSite, tmp_path: Path
) -> None:
    point = "cityhall.plant.header.differential_pressure_setpoint"
    data = tmp_path / "data"
    async with controlled(small, data) as controller:
        await until(lambda: all_good(controller), 20)
        arbiter = controller.parts.arbiter
        command = arbiter.request(point, 8, 123.5, "alice", "test", None, None)
        await until(lambda: arbiter.get(command.id).state == "verifying", 10)
    with contextlib.closing(sqlite3.connect(data / "state.db")) as state:
        found = state.execute("SELECT state, readback FROM command_entry WHERE command = ? ORDER BY id", (command.id,))
        last = found.fetchall()[-1]

    assert last == ("done", pytest.approx(123.5))


async def test_a_state_database_that_cannot_be_written_is_an_alarm_and_delays_nothing(
    small: SmallSite, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with controlled(small, data) as controller:
        await until(lambda: all_good(controller), 20)
        turns = Turns(controller)
        alarm = controller.parts.alarms.get

        with contextlib.closing(sqlite3.connect(data / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(UnavailableError, match="locked"):
                await controller.journal.write(delete(schema.overlay))
            await until(lambda: alarm("shifu#journal").state.state == "unacknowledged", 15)
            assert "locked" in alarm("shifu#journal").reason()
            ready = await page(controller, "/readyz")
            assert (ready.status_code, ready.json()["checks"]["journal"]) == (503, False)
            assert all_good(controller)
            other.execute("ROLLBACK")
        await until(lambda: alarm("shifu#journal").state.state == "returned", 20)

        assert max(turns.took) < 0.2, f"the slowest turn took {max(turns.took):.3f} s"
        assert max(np.diff(turns.at)) < 1.5
        # What was raised while the database was locked is in it now.
        await controller.journal.commit()
        entry = schema.alarm_entry.c
        rows = await controller.journal.fetch(select(entry.event).where(entry.definition == "shifu#journal"))
        assert [row.event for row in rows] == ["raised", "returned"]
