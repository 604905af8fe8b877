"""Doors, zones, buttons, intercom, cameras: payloads typed from their documents, never made by the code under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.driver import Device
from drivers.equipment import check_profile
from drivers.mqtt.route import Intake, Parcel
from drivers.opcua.node import parse_nodes, resolve
from drivers.profile import Profile, load_profile

ROOT = Path(__file__).parents[2] / "config/profiles"
NOW = 1_772_414_130_000_000_000
"""2026-03-02 01:15:30 UTC, a few seconds after the payloads."""


def profile(path: str) -> Profile:
    loaded = load_profile(ROOT / f"{path}.toml")
    check_profile(loaded)
    return loaded


def intake(path: str, **options: str) -> Intake:
    loaded = profile(path)
    numbers = np.arange(len(loaded.points), dtype=np.int32)
    device = Device(
        "d", loaded, "mqtt://b:1883", numbers, period_s=30.0, options={"site": "taipei-city-hall", **options}
    )
    return Intake([device])


def take(there: Intake, topic: str, payload: bytes) -> Parcel:
    (parcel,) = there.take(topic, payload, retained=False, now_ns=NOW)
    return parcel


def values(there: Intake, topic: str, payload: bytes) -> dict[str, float]:
    parcel = take(there, topic, payload)
    points = parcel.device.profile.points
    return {
        points[number].tag: value
        for batch in parcel.batches
        for number, value in zip(batch.point.tolist(), batch.value.tolist(), strict=True)
    }


# The event of the site standard for access control, with a whole ULID in the place of its abbreviation.
DENIED = (
    b'{"id":"01JNA5Q8XH3Z7V9K2M4P6R8T0W","time":"2026-03-02T01:15:22.410Z","door":"W3-12","type":"access_denied",'
    b'"reason":"expired","direction":"in","credential":"h:9f2c","person":"p-10422","reader":"W3-12/in","seq":88123}'
)
ACCESS = "site/taipei-city-hall/access/w"


def test_a_card_that_is_refused() -> None:
    there = intake("access-controller/site-standard-access-controller", controller="w")
    (event,) = take(there, f"{ACCESS}/event", DENIED).events
    assert (event.key, event.type, event.time_ns) == (
        "01JNA5Q8XH3Z7V9K2M4P6R8T0W", "access_denied", 1_772_414_122_410_000_000,
    )  # fmt: skip
    assert event.data == {
        "door": "W3-12", "reader": "W3-12/in", "direction": "in", "reason": "expired", "credential": "h:9f2c",
        "person": "p-10422",
    }  # fmt: skip
    assert not event.urgent


@pytest.mark.parametrize(
    "word",
    [
        "access_granted",
        "access_taken",
        "access_not_taken",
        "access_denied",
        "duress",
        "door_forced",
        "door_held",
        "door_closed",
        "rex",
        "tamper",
        "fault",
        "mode_changed",
        "antipassback",
    ],
)
def test_every_kind_of_door_event_is_known(word: str) -> None:
    there = intake("access-controller/site-standard-access-controller", controller="w")
    payload = DENIED.replace(b"access_denied", word.encode())
    (event,) = take(there, f"{ACCESS}/event", payload).events
    assert event.type == word
    assert event.urgent == (word in {"duress", "door_forced"})


def test_a_gap_of_a_door_controller_is_asked_for_on_its_own_topic() -> None:
    there = intake("access-controller/site-standard-access-controller", controller="w")
    take(there, f"{ACCESS}/event", DENIED.replace(b"88123", b"88119"))
    (request,) = take(there, f"{ACCESS}/event", DENIED).requests
    assert (request.topic, request.payload) == (f"{ACCESS}/cmd/replay", b'{"from":88120}')


def test_the_last_will_of_a_door_controller() -> None:
    there = intake("access-controller/site-standard-access-controller", controller="w")
    assert values(there, f"{ACCESS}/status", b'{"state":"offline"}') == {"online": 0.0}
    assert values(there, f"{ACCESS}/status", b'{"state":"online","duress":true}') == {"online": 1.0, "duress": 1.0}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("disarmed", 0),
        ("armed", 1),
        ("entry", 2),
        ("exit", 3),
        ("alarm", 4),
        ("tamper", 5),
        ("bypass", 6),
        ("fault", 7),
    ],
)
def test_states_of_a_zone(word: str, value: int) -> None:
    there = intake("intrusion-zone/site-standard-intrusion-zone", zone="w-03f")
    payload = b'{"time":"2026-03-02T01:15:22Z","zone":"w-03f","state":"%b","battery_low":false}' % word.encode()
    topic = "site/taipei-city-hall/intrusion/w-03f/state"
    assert values(there, topic, payload) == {"state": float(value), "battery_low": 0.0}


# SIA DC-05, Contact ID: 1 new event or opening, 3 restoral or closing; 130 burglary, 137 tamper, 110 fire, 120 panic,
# 301 AC loss, 302 battery, 401 open/close by a user.
@pytest.mark.parametrize(
    ("code", "kind", "urgent"),
    [
        ("1130", "intrusion_burglary", True), ("3130", "intrusion_restored", False),
        ("1137", "intrusion_tamper", False), ("1110", "intrusion_fire", False), ("1120", "intrusion_panic", True),
        ("1301", "intrusion_mains_lost", False), ("1302", "intrusion_battery_low", False),
        ("1401", "intrusion_disarmed", False), ("3401", "intrusion_armed", False),
    ],
)  # fmt: skip
def test_contact_id(code: str, kind: str, urgent: bool) -> None:
    there = intake("intrusion-zone/site-standard-intrusion-zone", zone="w-03f")
    payload = b'{"id":"01JNA5","time":"2026-03-02T01:15:22Z","seq":4,"code":"%b"}' % code.encode()
    (event,) = take(there, "site/taipei-city-hall/intrusion/w-03f/event", payload).events
    assert (event.type, event.urgent) == (kind, urgent)


def test_an_sos_button_is_pressed_and_reset() -> None:
    there = intake("sos-button/site-standard-sos", button="w-05f")
    base = "site/taipei-city-hall/sos/w-05f"
    pressed = b'{"time":"2026-03-02T01:15:22Z","pressed":true,"tamper":false}'
    assert values(there, f"{base}/state", pressed) == {"pressed": 1.0, "tamper": 0.0}
    (event,) = take(there, f"{base}/event", b'{"id":"a","time":"2026-03-02T01:15:22Z","seq":1,"type":"pressed"}').events
    assert (event.type, event.urgent) == ("sos_pressed", True)
    (event,) = take(there, f"{base}/event", b'{"id":"b","time":"2026-03-02T01:15:25Z","seq":2,"type":"reset"}').events
    assert (event.type, event.urgent) == ("sos_reset", False)


@pytest.mark.parametrize(("word", "value"), [("ringing", 1.0), ("connected", 2.0), ("ended", 0.0)])
def test_a_call_of_an_intercom(word: str, value: float) -> None:
    there = intake("intercom/site-standard-intercom", station="w-ent-1")
    base = "site/taipei-city-hall/intercom/w-ent-1"
    assert values(there, f"{base}/call", b'{"state":"%b","with":"control-room"}' % word.encode()) == {"call": value}
    assert values(there, f"{base}/state", b'{"registered":true}') == {"registered": 1.0}


# onvif/specs: names of topics and of their data items.
@pytest.mark.parametrize(
    ("topic", "item", "tag"),
    [
        ("RuleEngine/CellMotionDetector/Motion", "IsMotion", "motion"),
        ("VideoSource/SignalLoss", "State", "signal_loss"),
        ("VideoSource/GlobalSceneChange/ImagingService", "State", "scene_change"),
        ("Device/HardwareFailure/StorageFailure", "Failed", "storage_failure"),
    ],
)
def test_onvif_events_by_the_bridge(topic: str, item: str, tag: str) -> None:
    there = intake("camera/onvif-bridge", camera="cam-1", snapshot="http://10.20.7.2:8080/onvif/cam-1/snapshot.jpg")
    for word, value in ((b"true", 1.0), (b"false", 0.0)):
        payload = b'{"time":"2026-03-02T01:15:22Z","topic":"tns1:%b","data":{"%b":%b}}' % (
            topic.encode(), item.encode(), word,
        )  # fmt: skip
        assert values(there, f"onvif/cam-1/{topic}", payload) == {tag: value}
    assert there.routes["d"].image_url == "http://10.20.7.2:8080/onvif/cam-1/snapshot.jpg"


# frigate docs/docs/integrations/mqtt.md.
@pytest.mark.parametrize(
    ("topic", "payload", "found"),
    [
        ("frigate/cam-1/status/detect", b"online", {"online": 1.0}),
        ("frigate/cam-1/status/detect", b"offline", {"online": 0.0}),
        ("frigate/cam-1/status/detect", b"disabled", {"online": 0.0}),
        ("frigate/cam-1/motion", b"ON", {"motion": 1.0}),
        ("frigate/cam-1/motion", b"OFF", {"motion": 0.0}),
    ],
)
def test_words_of_frigate(topic: str, payload: bytes, found: dict[str, float]) -> None:
    assert values(intake("camera/frigate", camera="cam-1"), topic, payload) == found


FRIGATE = (
    b'{"type":"%b","before":{},"after":{"id":"1607123955.475377-mxklsc","camera":"front_door","frame_time":1607123961.8,'
    b'"label":"person","sub_label":["John Smith",0.79],"top_score":0.958984375,"false_positive":false,'
    b'"start_time":1772414122.475377,"end_time":null,"score":0.7890625,"box":[424,500,536,712],"current_zones":[]}}'
)


def test_a_person_that_frigate_sees_is_one_event_without_a_face() -> None:
    there = intake("recorder/frigate-nvr")
    (event,) = take(there, "frigate/events", FRIGATE % b"new").events
    assert (event.key, event.type) == ("1607123955.475377-mxklsc", "person_seen")
    assert event.time_ns == 1_772_414_122_475_377_000 or abs(event.time_ns - 1_772_414_122_475_377_000) < 1000
    assert event.data == {"after_camera": "front_door", "after_top_score": 0.958984375}
    for kind in (b"update", b"end"):
        assert take(there, "frigate/events", FRIGATE % kind).events == []
    assert values(there, "frigate/available", b"stopped") == {"online": 0.0}


def test_nodes_of_a_door() -> None:
    door = profile("door/site-standard-door")
    device = Device(
        "d", door, "opc.tcp://10.20.6.11:4840", np.arange(10, dtype=np.int32), options={"node_prefix": "Door/W3-12"}
    )
    nodes = {node.tag: (node.namespace, resolve(node, device), node.type) for node in parse_nodes(door).nodes}
    space = "urn:taipei-city-hall:door"
    assert nodes == {
        "mode": (space, "Door/W3-12/Mode", "Enumeration"),
        "position": (space, "Door/W3-12/Position", "Enumeration"),
        "lock": (space, "Door/W3-12/Lock", "Enumeration"),
        "alarm": (space, "Door/W3-12/Alarm", "Enumeration"),
        "tamper": (space, "Door/W3-12/Tamper", "Boolean"),
        "fault": (space, "Door/W3-12/Fault", "Boolean"),
        "battery_low": (space, "Door/W3-12/BatteryLow", "Boolean"),
        "fire_released": (space, "Door/W3-12/FireReleased", "Boolean"),
        "momentary_unlock": (space, "Door/W3-12/MomentaryUnlockSeconds", "UInt32"),
        "ack_alarm": (space, "Door/W3-12/AckAlarm", "Boolean"),
    }
    states: dict[str, Any] = {point.tag: [value for value, _, _ in point.states] for point in door.points}
    assert states["mode"] == [0, 1, 2, 3, 4]
    assert door.point("fire_released").write is None, "the fire panel's wire comes first"
    unlock = door.point("momentary_unlock").write
    assert unlock is not None
    assert (unlock.low, unlock.high, unlock.momentary) == (1.0, 60.0, True)
