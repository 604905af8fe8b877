"""A real broker and the site's own profiles: a lost event is asked for once and comes late; a picture arrives."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from controller.clock import SystemClock
from drivers.driver import Device
from drivers.event import Event
from drivers.mqtt.driver import MqttDriver
from drivers.profile import load_profile
from drivers.reading import Readings
from tests.services.mosquitto import Mosquitto

PROFILES = Path(__file__).parents[3] / "config/profiles"
BASE = "site/taipei-city-hall/access/w"
JPEG = b"\xff\xd8\xff\xe0" + bytes(300) + b"\xff\xd9"


class Box:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.values: list[float] = []
        self.changed = asyncio.Event()

    def readings(self, device: Device, batch: Readings) -> None:
        self.values += batch.value.tolist()
        self.changed.set()

    def events(self, device: Device, events: Any) -> None:
        self.told += events
        self.changed.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(15):
            while not condition():
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.05)


class DoorController:
    """The other side of the broker, with a memory of its events."""

    def __init__(self, port: int) -> None:
        self.asked: list[bytes] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="controller-w")
        self.client.on_message = self._heard
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(f"{BASE}/cmd/replay", 1)
        self.client.loop_start()

    def event(self, number: int) -> None:
        payload = {"id": f"01J{number}", "time": "2026-03-02T01:15:22.410Z", "door": "W3-12", "type": "access_denied",
                   "reason": "expired", "direction": "in", "credential": "h:9f2c", "person": "p-10422",
                   "reader": "W3-12/in", "seq": number}  # fmt: skip
        self.client.publish(f"{BASE}/event", json.dumps(payload), qos=1).wait_for_publish(5)

    def _heard(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.asked.append(bytes(message.payload))
        for number in range(json.loads(message.payload)["from"], 88124):
            self.client.publish(
                f"{BASE}/event",
                json.dumps(
                    {"id": f"01J{number}", "time": "2026-03-02T01:15:22Z", "type": "door_closed", "seq": number}
                ),
                qos=1,
            )


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as one:
        yield one


def device(name: str, profile: str, port: int, **options: str) -> Device:
    loaded = load_profile(PROFILES / profile)
    numbers = np.arange(len(loaded.points), dtype=np.int32)
    return Device(name, loaded, f"mqtt://127.0.0.1:{port}", numbers, 1, 30.0, options=options)


async def test_a_lost_event_is_asked_for_once_and_comes_late(broker: Mosquitto) -> None:
    doors = device(
        "access-w", "access-controller/site-standard-access-controller.toml", broker.port,
        site="taipei-city-hall", controller="w",
    )  # fmt: skip
    driver, box = MqttDriver([doors], SystemClock()), Box()
    await driver.connect()
    running = asyncio.ensure_future(driver.run(box))
    controller = DoorController(broker.port)
    try:
        while not box.told:  # the subscription of the driver may not be there yet
            await asyncio.to_thread(controller.event, 88119)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await box.changed.wait()
        box.told.clear()
        await asyncio.to_thread(controller.event, 88123)
        await box.until(lambda: {event.key for event in box.told} >= {f"01J{n}" for n in range(88120, 88124)})
    finally:
        controller.client.loop_stop()
        controller.client.disconnect()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await driver.close()
    assert controller.asked == [b'{"from":88120}']
    first = {event.key: event for event in reversed(box.told)}
    assert first["01J88123"].data["person"] == "p-10422"
    assert [first[f"01J{n}"].late for n in (88120, 88121, 88122)] == [True] * 3
    assert driver.counts.replays == 1
    assert driver.counts.lost_frames == 3


async def test_words_and_a_picture_of_a_frigate_camera(broker: Mosquitto) -> None:
    camera = device("cam-b1-1", "camera/frigate.toml", broker.port, camera="cam-b1-1")
    driver, box = MqttDriver([camera], SystemClock()), Box()
    sender = paho.Client(CallbackAPIVersion.VERSION2, client_id="frigate")
    sender.connect("127.0.0.1", broker.port)
    sender.loop_start()
    sender.publish("frigate/cam-b1-1/person/snapshot", JPEG, qos=1, retain=True).wait_for_publish(5)
    sender.publish("frigate/cam-b1-1/status/detect", "online", qos=1, retain=True).wait_for_publish(5)
    await driver.connect()
    running = asyncio.ensure_future(driver.run(box))
    try:
        await box.until(lambda: box.values == [1.0] and driver.counts.pictures == 1)
        kept = await driver.picture(camera)
        assert (kept.data, kept.aged) == (JPEG, True)
        newer = JPEG[:-2] + b"\x01\xff\xd9"
        sender.publish("frigate/cam-b1-1/person/snapshot", newer, qos=1).wait_for_publish(5)
        await box.until(lambda: driver.counts.pictures == 2)
        fresh = await driver.picture(camera)
        assert (fresh.data, fresh.aged) == (newer, False)
    finally:
        sender.loop_stop()
        sender.disconnect()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await driver.close()
