"""The MQTT driver against a real Mosquitto."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt import publish
from paho.mqtt.enums import CallbackAPIVersion

from controller.clock import SystemClock
from drivers.driver import Device, SubscribedDriver
from drivers.errors import ConnectError, DeviceTimeoutError, NotWritableError, ProfileError
from drivers.event import Event
from drivers.mqtt.driver import MqttDriver
from drivers.mqtt.sighting import probe
from drivers.profile import Profile, load_profile, parse_profile
from drivers.reading import Quality, Readings
from tests.services.mosquitto import Mosquitto, mosquitto_path

AM319 = load_profile(Path(__file__).parents[2] / "config/profiles/environment/milesight-am319.toml")
EUI = "24e124710c0000"


class Box:
    """A sink that keeps what it gets, and can be told to fail."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, Readings]] = []
        self.told: list[Event] = []
        self.changed = asyncio.Event()
        self.fail = 0

    def readings(self, device: Device, batch: Readings) -> None:
        if self.fail:
            self.fail -= 1
            raise RuntimeError("a fault of the sink")
        self.batches.append((device.id, batch))
        self.changed.set()

    def events(self, device: Device, events: Sequence[Event]) -> None:
        self.told.extend(events)
        self.changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as one:
        yield one


def sensors(endpoint: str, count: int = 2, **changes: Any) -> list[Device]:
    size = len(AM319.points)
    return [
        Device(
            f"env{n}", AM319, endpoint, np.arange(n * size, (n + 1) * size, dtype=np.int32), period_s=600.0,
            options={"application": "1", "dev_eui": f"{EUI}{n:02x}"} | changes.get("options", {}),
            secrets=changes.get("secrets", {}),
        )
        for n in range(count)
    ]  # fmt: skip


def uplink(temperature: float, n: int = 0, **changes: Any) -> bytes:
    data = b"\x03\x67" + round(temperature * 10).to_bytes(2, "little", signed=True)
    event = {
        "time": datetime.now(UTC).isoformat(),
        "deviceInfo": {"devEui": f"{EUI}{n:02x}"}, "fPort": 85, "data": base64.b64encode(data).decode(),
    }  # fmt: skip
    return json.dumps(event | changes).encode()


def topic(n: int = 0) -> str:
    return f"application/1/device/{EUI}{n:02x}/event/up"


async def send(broker: Mosquitto, *messages: tuple[str, bytes], retain: bool = False, qos: int = 1) -> None:
    rows: list[Any] = [{"topic": name, "payload": payload, "qos": qos, "retain": retain} for name, payload in messages]
    await asyncio.to_thread(publish.multiple, rows, hostname="127.0.0.1", port=broker.port)


@contextlib.asynccontextmanager
async def running(driver: MqttDriver, box: Box) -> AsyncIterator[asyncio.Task[None]]:
    await driver.connect()
    task = asyncio.ensure_future(driver.run(box))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await driver.close()


async def listening(driver: MqttDriver, box: Box, broker: Mosquitto) -> None:
    """Wait until the subscription is there: a message sent before would be lost, as on any site."""
    async with asyncio.timeout(10):
        while not box.batches:
            await send(broker, (topic(0), uplink(1.0)))
            with contextlib.suppress(TimeoutError):
                await box.until(lambda: bool(box.batches), 0.3)
    box.batches.clear()


async def test_mqtt_uplinks_of_two_devices_arrive_over_one_connection(broker: Mosquitto) -> None:
    driver, box = MqttDriver(sensors(broker.endpoint), SystemClock()), Box()
    assert isinstance(driver, SubscribedDriver)
    async with running(driver, box):
        await listening(driver, box, broker)
        await send(
            broker, (topic(0), uplink(23.8)), (topic(1), uplink(24.1, 1)), ("application/1/device/x/event/up", b"{}")
        )
        await box.until(lambda: len(box.batches) >= 2)
        assert [(name, batch.value.tolist()) for name, batch in box.batches] == [("env0", [23.8]), ("env1", [24.1])]
        assert driver.counts.faults == 0
        assert await driver.read(driver.devices[0], "temperature") == 23.8
        with pytest.raises(DeviceTimeoutError, match="reports by itself"):
            await driver.read(driver.devices[0], "co2")
        with pytest.raises(NotWritableError):
            await driver.write(driver.devices[0], "temperature", 1.0)


async def test_mqtt_broker_killed_and_restarted_is_subscribed_again(broker: Mosquitto) -> None:
    driver, box = MqttDriver(sensors(broker.endpoint), SystemClock()), Box()
    async with running(driver, box) as task:
        await listening(driver, box, broker)
        broker.kill()
        with pytest.raises(ConnectError, match="connection ended"):
            await asyncio.wait_for(task, 10)
    with pytest.raises(ConnectError):
        await driver.connect()
    await asyncio.to_thread(broker.start)
    async with running(driver, box):
        await listening(driver, box, broker)
        await send(broker, (topic(1), uplink(19.5, 1)))
        await box.until(lambda: bool(box.batches))
        assert box.batches[-1][1].value.tolist() == [19.5]


async def test_mqtt_frozen_broker_is_not_waited_for(broker: Mosquitto) -> None:
    broker.freeze()
    driver = MqttDriver(sensors(broker.endpoint), SystemClock())
    with pytest.raises(ConnectError, match=r"does not answer CONNECT|no answer"):
        await asyncio.wait_for(driver.connect(), 20)
    broker.thaw()
    await driver.connect()
    await driver.close()
    await driver.close()


async def test_mqtt_retained_old_value_is_late_and_a_fresh_one_is_not(broker: Mosquitto) -> None:
    now = datetime.now(UTC)
    await send(broker, (topic(0), uplink(15.0, time=(now - timedelta(hours=3)).isoformat())), retain=True)
    await send(broker, (topic(1), uplink(16.0, 1, time=(now - timedelta(minutes=5)).isoformat())), retain=True)
    driver, box = MqttDriver(sensors(broker.endpoint), SystemClock()), Box()
    async with running(driver, box):
        await box.until(lambda: len(box.batches) == 2)
        got = {name: (batch.late, batch.value.tolist(), int(batch.time_ns[0])) for name, batch in box.batches}
        assert got["env0"][:2] == (True, [15.0])
        assert got["env1"][:2] == (False, [16.0])
        assert abs(got["env0"][2] - int((now - timedelta(hours=3)).timestamp() * 1e9)) < 1e9
        with pytest.raises(DeviceTimeoutError):
            await driver.read(driver.devices[0], "temperature")


async def test_mqtt_broken_messages_are_counted_and_the_next_good_one_arrives(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    driver, box = MqttDriver(sensors(broker.endpoint), SystemClock()), Box()
    keys = "{" + ",".join(f'"{n}":1' for n in range(20_000)) + "}"
    broken = [
        b"",
        b"\xff\xfe",
        b"[1]",
        b'{"data": NaN}',
        b"[" * 50_000,
        keys.encode(),
        uplink(1.0, data=5),
        b"x" * 300_000,
    ]
    async with running(driver, box):
        await listening(driver, box, broker)
        await send(broker, *((topic(0), payload) for payload in broken))
        await send(
            broker, (topic(0), uplink(2.0, deduplicationId="same")), (topic(0), uplink(2.0, deduplicationId="same"))
        )
        await send(broker, (topic(1), uplink(3.0, 1)))
        await box.until(lambda: box.batches[-1:] != [] and box.batches[-1][0] == "env1")
        assert [batch.value.tolist() for _, batch in box.batches] == [[2.0], [3.0]]
        counts = driver.counts
        assert (counts.invalid, counts.too_large, counts.duplicates, counts.faults) == (7, 1, 1, 0)
        with caplog.at_level(logging.CRITICAL):
            box.fail = 1
            await send(broker, (topic(0), uplink(4.0)), (topic(0), uplink(5.0)))
            await box.until(lambda: box.batches[-1][1].value.tolist() == [5.0])
        assert counts.faults == 1


async def test_mqtt_huge_message_leaves_memory_flat_and_the_connection_open(broker: Mosquitto) -> None:
    driver, box = MqttDriver(sensors(broker.endpoint), SystemClock()), Box()
    async with running(driver, box):
        await listening(driver, box, broker)
        program = (
            "import sys, paho.mqtt.publish as p; "
            "p.single(sys.argv[1], bytes(64 << 20), qos=1, hostname='127.0.0.1', port=int(sys.argv[2]))"
        )
        Path("/proc/self/clear_refs").write_text("5")  # starts the peak anew
        before = peak_mib()
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, topic(0), str(broker.port))
        assert await asyncio.wait_for(process.wait(), 30) == 0
        await send(broker, (topic(1), uplink(7.0, 1)))
        await box.until(lambda: bool(box.batches), 30)
        assert box.batches[0][1].value.tolist() == [7.0]
        assert driver.counts.too_large == 1
        assert peak_mib() - before < 32, "64 MiB were sent; without shortening they are all here at once"


def peak_mib() -> float:
    """Highest resident memory of this process since the mark was cleared, MiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def test_mqtt_flood_is_bounded_and_the_loop_stays_awake(broker: Mosquitto) -> None:
    driver, box = MqttDriver(sensors(broker.endpoint), SystemClock()), Box()
    clock = SystemClock()
    lags: list[float] = []

    async def watch() -> None:
        while True:
            wanted = clock.monotonic() + 0.02
            await clock.sleep(0.02)
            lags.append(clock.monotonic() - wanted)

    async with running(driver, box):
        await listening(driver, box, broker)
        Path("/proc/self/clear_refs").write_text("5")
        before = peak_mib()
        watching = asyncio.ensure_future(watch())
        good = uplink(21.0)
        rows = [(topic(0), good if n % 2 else b"rubbish") for n in range(20_000)]
        start = driver.counts.messages
        await send(broker, *rows, qos=0)
        await box.until(lambda: driver.counts.messages - start >= 20_000, 60)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert driver.counts.invalid == 10_000
        assert len(box.batches) == 10_000
        assert max(lags) < 1.0
        grown_mib = peak_mib() - before
        assert grown_mib < 100, f"{grown_mib:.0f} MiB more, of which the test keeps 10,000 batches and 20,000 rows"


async def test_mqtt_second_client_of_our_name_takes_over_and_we_say_so(broker: Mosquitto) -> None:
    driver, box = MqttDriver(sensors(broker.endpoint, options={"client_id": "shifu-1"}), SystemClock()), Box()
    async with running(driver, box) as task:
        await listening(driver, box, broker)
        rival = paho.Client(CallbackAPIVersion.VERSION2, client_id="shifu-1")
        await asyncio.to_thread(rival.connect, "127.0.0.1", broker.port)
        with pytest.raises(ConnectError, match="connection ended"):
            await asyncio.wait_for(task, 10)
        rival.disconnect()


async def test_mqtt_wrong_password_is_refused(tmp_path: Path) -> None:
    tool = shutil.which("mosquitto_passwd") or str(Path(mosquitto_path()).with_name("mosquitto_passwd"))
    (tmp_path / "passwords").write_text("")
    process = await asyncio.create_subprocess_exec(tool, "-b", str(tmp_path / "passwords"), "shifu", "right")
    assert await process.wait() == 0
    with Mosquitto(tmp_path, extra=f"allow_anonymous false\npassword_file {tmp_path}/passwords") as broker:
        for secrets in ({}, {"user": "shifu", "password": "wrong"}):
            with pytest.raises(ConnectError, match="refused the connection") as refused:
                await MqttDriver(sensors(broker.endpoint, secrets=secrets), SystemClock()).connect()
            assert refused.value.cause == "sign_in"
        driver = MqttDriver(sensors(broker.endpoint, secrets={"user": "shifu", "password": "right"}), SystemClock())
        await driver.connect()
        await driver.close()


@contextlib.asynccontextmanager
async def refusing(codes: bytes) -> AsyncIterator[str]:
    """A peer that speaks just enough MQTT 3.1.1 to refuse topics; Mosquitto grants them and stays silent instead."""

    peers: list[asyncio.Task[Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peers.append(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readexactly(2):
                length, shift = head[1] & 127, 7
                while head[-1] & 128:
                    head += await reader.readexactly(1)
                    length, shift = length | (head[-1] & 127) << shift, shift + 7
                body = await reader.readexactly(length)
                if head[0] >> 4 == 1:
                    writer.write(b"\x20\x02\x00\x00")
                elif head[0] >> 4 == 8:
                    writer.write(b"\x90" + bytes([2 + len(codes)]) + body[:2] + codes)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*peers), 10)


async def test_mqtt_refused_topics_make_their_points_bad() -> None:
    async with refusing(b"\x01\x80") as endpoint:
        box = Box()
        async with running(MqttDriver(sensors(endpoint), SystemClock()), box):
            await box.until(lambda: bool(box.batches))
            ((name, batch),) = box.batches
            assert name == "env1"
            assert len(batch) == len(AM319.points)
            assert set(batch.quality.tolist()) == {int(Quality.BAD_CONFIG)}
    async with refusing(b"\x80\x80") as endpoint:
        driver = MqttDriver(sensors(endpoint), SystemClock())
        await driver.connect()
        with pytest.raises(ConnectError, match="refuses all 2 topics"):
            await driver.run(box)
        await driver.close()


def gate() -> Profile:
    command = {"topic": "gate/{n}/set", "payload": '{"open": {value}}'}
    head = {
        "id": "gate", "equipment": "gate", "protocol": "mqtt", "vendor": "v", "model": "m", "source": "s",
        "wire": {
            "format": "json", "topic": "gate/{n}/state",
            "events": {"topic": "gate/{n}/event", "key": "id", "time": "time", "type": "type", "urgent": ["forced"]},
        },
    }  # fmt: skip
    row = {
        "tag": "open",
        "kind": "binary",
        "zh": "開啟",
        "en": "Open",
        "write": {},
        "wire": {"path": "open", "command": command},
    }
    return parse_profile({"profile": head, "point": [row]}, "gate")


async def test_mqtt_command_is_published_once_and_read_back_from_the_report(broker: Mosquitto) -> None:
    device = Device("gate1", gate(), broker.endpoint, np.array([5], np.int32), period_s=60.0, options={"n": 1})
    driver, box = MqttDriver([device], SystemClock()), Box()
    got: list[bytes] = []
    gate_device = paho.Client(CallbackAPIVersion.VERSION2)
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()

    def subscribed(*_: Any) -> None:
        loop.call_soon_threadsafe(ready.set)

    gate_device.on_subscribe = subscribed

    def obey(client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        got.append(bytes(message.payload))
        client.publish("gate/1/state", message.payload, qos=1)
        client.publish("gate/1/event", json.dumps({"id": "e1", "type": "forced"}), qos=1)

    gate_device.on_message = obey
    await asyncio.to_thread(gate_device.connect, "127.0.0.1", broker.port)
    gate_device.subscribe("gate/1/set", 1)
    gate_device.loop_start()
    try:
        await asyncio.wait_for(ready.wait(), 10)
        async with running(driver, box):
            # The driver subscribes first of all, and a broker handles packets of one client in order.
            await driver.write(device, "open", 1.0)
            await box.until(lambda: bool(box.batches) and bool(box.told))
            assert got == [b'{"open": 1}']
            assert await driver.read(device, "open") == 1.0
            assert [(one.key, one.type, one.urgent) for one in box.told] == [("e1", "forced", True)]
            with pytest.raises(NotWritableError):
                await driver.write(device, "open", float("nan"))
    finally:
        await asyncio.to_thread(gate_device.disconnect)
        await asyncio.to_thread(gate_device.loop_stop)
    with pytest.raises(ConnectError):
        await driver.write(device, "open", 0.0)


async def test_mqtt_write_to_a_frozen_broker_is_unknown(broker: Mosquitto) -> None:
    device = Device("gate1", gate(), broker.endpoint, np.array([5], np.int32), options={"n": 1, "write_timeout_s": 0.5})
    driver, box = MqttDriver([device], SystemClock()), Box()
    async with running(driver, box):
        await driver.write(device, "open", 1.0)
        broker.freeze()
        with pytest.raises(DeviceTimeoutError, match="may have arrived"):
            await driver.write(device, "open", 0.0)
        broker.thaw()


async def test_mqtt_probe_shows_raw_and_values(broker: Mosquitto) -> None:
    await send(broker, ("a/b", b'{"x": {"y": [1, true]}}'), ("a/c", b"\xff\x00"), retain=True)
    seen = await probe(f"{broker.endpoint}/a/b", SystemClock(), timeout_s=5)
    assert (seen.topic, seen.retained, seen.values) == ("a/b", True, (("x.y[0]", "1"), ("x.y[1]", "True")))
    raw = await probe(f"{broker.endpoint}/a/c", SystemClock(), timeout_s=5)
    assert (raw.raw, raw.values) == (b"\xff\x00", ())
    assert "not JSON" in raw.note
    with pytest.raises(DeviceTimeoutError):
        await probe(f"{broker.endpoint}/nobody", SystemClock(), timeout_s=0.2)
    with pytest.raises(ProfileError, match="no topic"):
        await probe(broker.endpoint, SystemClock())


@pytest.mark.parametrize("version", [4, 5])
async def test_mqtt_both_versions_of_the_protocol(broker: Mosquitto, version: int) -> None:
    driver, box = MqttDriver(sensors(broker.endpoint, options={"version": version}), SystemClock()), Box()
    async with running(driver, box):
        await listening(driver, box, broker)


@pytest.mark.parametrize(
    "endpoint", ["mqtt://127.0.0.1:1", "http://127.0.0.1:1883", "mqtt://:1883", "mqtt://127.0.0.1:x"]
)
async def test_mqtt_nobody_there_or_no_endpoint(endpoint: str) -> None:
    with pytest.raises(ConnectError, match=r"mqtt|http"):
        await MqttDriver(sensors(endpoint), SystemClock()).connect()
