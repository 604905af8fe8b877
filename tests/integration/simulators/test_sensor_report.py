"""Room sensors report to a real Mosquitto and to the embedded broker."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from simulators.fault import Board
from simulators.site import SimulatedDevice
from simulators.wire.mqtt import Broker, BrokerAddress, Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator

_VALUES = {"temperature": 23.8, "humidity": 62.0, "co2": 936.0, "battery": 90.0}


class Listener:
    """Everything that is published under `application/`."""

    def __init__(self, host: str, port: int) -> None:
        self.messages: list[tuple[str, dict[str, Any] | None]] = []
        self._subscribed = threading.Event()
        self._more = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("application/#")
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.connect(host, port)
        self._client.loop_start()
        assert self._subscribed.wait(10), "the broker did not confirm the subscription"

    def _take(self, _client: Any, _user: Any, message: Any) -> None:
        try:
            body = json.loads(message.payload)
        except ValueError:
            body = None
        with self._more:
            self.messages.append((message.topic, body))
            self._more.notify_all()

    def wait(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.messages) >= count, 10), f"{len(self.messages)} of {count} came"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def sensors(world_of: Any, count: int) -> Any:
    return world_of(
        *(
            (
                SimulatedDevice(f"env{n:03}-sensor", "x", "milesight-am319", "mqtt://10.20.5.2:1883", 1, 600.0,
                                {"dev_eui": f"24E124710C{n:06x}", "application": "1"}),
                _VALUES,
                (),
            )
            for n in range(1, count + 1)
        )
    )  # fmt: skip


@pytest.fixture
def listener(mosquitto: Any) -> Iterator[Listener]:
    one = Listener("127.0.0.1", mosquitto.port)
    yield one
    one.close()


async def connected(reporter: Reporter, address: BrokerAddress) -> None:
    from asyncio import sleep
    from time import monotonic

    reporter.connect(address)
    deadline = monotonic() + 10
    while not reporter.connected:
        assert monotonic() < deadline, "the reporter did not reach the broker"
        await sleep(0.01)


async def test_all_report_within_ten_seconds_then_again_then_in_their_phase(
    world_of: Any, mosquitto: Any, listener: Listener
) -> None:
    world = sensors(world_of, 20)
    board = Board(world.devices, 3)
    reporter = Reporter(list(board.views.values()), board, lambda: world.time_ns, seed=3)
    await connected(reporter, BrokerAddress("127.0.0.1", mosquitto.port))
    try:
        counts = []
        for second in range(1861):
            reporter.run(float(second))
            counts.append(reporter.sent)
        assert (counts[10], counts[60]) == (20, 40)
        assert counts[660] == 80
        assert counts[1260] == 100
        assert counts[1860] == 120
        assert max(after - before for before, after in itertools.pairwise(counts[660:])) <= 2
        listener.wait(120)
    finally:
        reporter.close()
    topic, event = listener.messages[0]
    assert topic == "application/1/device/24e124710c000001/event/up"
    assert event is not None
    assert base64.b64decode(event["data"]) == bytes.fromhex("01755A 0367EE00 04687C 077DA803")
    frames = [e["fCnt"] for t, e in listener.messages if t == topic and e is not None]
    assert frames == [0, 1, 2, 3, 4, 5]


async def test_a_disconnected_sensor_is_silent_and_its_counter_shows_the_gap(
    world_of: Any, mosquitto: Any, listener: Listener
) -> None:
    world = sensors(world_of, 2)
    board = Board(world.devices, 3)
    reporter = Reporter(list(board.views.values()), board, lambda: world.time_ns)
    await connected(reporter, BrokerAddress("127.0.0.1", mosquitto.port))
    try:
        board.apply("disconnect", "env001-sensor")
        reporter.report(0)
        reporter.report(1)
        board.apply("clear", "env001-sensor")
        board.apply("corrupt", "env002-sensor")
        reporter.report(0)
        reporter.report(1)
        listener.wait(3)
    finally:
        reporter.close()
    first = [event for topic, event in listener.messages if topic.endswith("000001/event/up")]
    assert [event["fCnt"] for event in first if event] == [1]
    assert reporter.sent == 3


async def test_reports_repeated_disordered_and_of_a_wrong_clock(
    world_of: Any, mosquitto: Any, listener: Listener
) -> None:
    world = sensors(world_of, 3)
    board = Board(world.devices, 3)
    reporter = Reporter(list(board.views.values()), board, lambda: world.time_ns)
    await connected(reporter, BrokerAddress("127.0.0.1", mosquitto.port))
    try:
        board.apply("repeat", "env001-sensor")
        board.apply("disorder", "env002-sensor")
        board.apply("clock", "env003-sensor", ["-3600"])
        for index in (0, 1, 1, 1, 1, 2):
            reporter.report(index)
        listener.wait(7)
        board.apply("disorder", "env002-sensor")
        reporter.report(1)
        board.apply("clear", "env002-sensor")
        reporter.report(1)
        listener.wait(9)
    finally:
        reporter.close()
    events = [event for _, event in listener.messages if event is not None]
    of = {n: [event for event in events if event["deviceInfo"]["deviceName"] == f"env{n:03}-sensor"] for n in (1, 2, 3)}
    assert of[1][0] == of[1][1]  # the deduplication id too
    assert [event["fCnt"] for event in of[2]] == [1, 0, 3, 2, 5, 4]
    assert datetime.fromisoformat(of[3][0]["time"]).timestamp() == pytest.approx(world.time_ns / 1e9 - 3600, abs=0.01)


async def test_the_embedded_broker_carries_reports_and_ends(world_of: Any) -> None:
    broker = Broker()
    address = await broker.start()
    process = broker.pid
    listener = Listener(address.host, address.port)
    try:
        world = sensors(world_of, 1)
        board = Board(world.devices, 3)
        reporter = Reporter(list(board.views.values()), board, lambda: world.time_ns)
        await connected(reporter, address)
        reporter.report(0)
        listener.wait(1)
        reporter.close()
    finally:
        listener.close()
        await broker.stop()
    assert process > 0
    assert not Path(f"/proc/{process}").exists()
    with pytest.raises(OSError, match="refused"):
        Listener(address.host, address.port)
