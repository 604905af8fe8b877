"""From messages to readings and events: times, lateness, repeats, lost frames, and what is dropped."""

from __future__ import annotations

import base64
import json
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.driver import Device
from drivers.errors import ProfileError
from drivers.mqtt.route import Intake, parse_map
from drivers.profile import Profile, load_profile, parse_profile
from drivers.reading import Quality

AM319 = load_profile(Path(__file__).parents[4] / "config/profiles/environment/milesight-am319.toml")
NOW = 1_772_414_122_000_000_000
S = 1_000_000_000
EUI = "24e124710c000001"
TOPIC = f"application/1/device/{EUI}/event/up"


def sensor(**changes: Any) -> Device:
    options = {"application": "1", "dev_eui": EUI}
    return Device("env1", AM319, "mqtt://x", np.arange(11, dtype=np.int32), period_s=600.0, options=options, **changes)


def uplink(data: str = "0367EE00", **changes: Any) -> bytes:
    event = {
        "deduplicationId": "a", "time": "2026-03-02T01:15:20+00:00", "deviceInfo": {"devEui": EUI}, "fCnt": 10,
        "fPort": 85, "data": base64.b64encode(bytes.fromhex(data)).decode(), "object": {"temperature": 99.9},
        "rxInfo": [{"rssi": -80}],
    }  # fmt: skip
    return json.dumps({key: value for key, value in (event | changes).items() if value is not None}).encode()


def take(intake: Intake, payload: bytes, *, topic: str = TOPIC, retained: bool = False, now_ns: int = NOW) -> list[Any]:
    return [
        batch for parcel in intake.take(topic, payload, retained=retained, now_ns=now_ns) for batch in parcel.batches
    ]


def test_mqtt_uplink_is_decoded_here_under_its_own_time() -> None:
    (batch,) = take(Intake([sensor()]), uplink("0367EE00 04687C"))
    assert batch.point.tolist() == [0, 1]
    assert batch.value.tolist() == [23.8, 62.0]
    assert batch.time_ns.tolist() == [NOW - 2 * S] * 2
    assert not batch.late


@pytest.mark.parametrize(
    ("time", "retained", "time_ns", "late", "quality"),
    [
        ("2026-03-02T01:15:20Z", False, NOW - 2 * S, False, Quality.GOOD),
        ("2026-03-02T01:15:20Z", True, NOW - 2 * S, False, Quality.GOOD),
        ("2026-03-02T00:00:00Z", True, NOW - 4522 * S, True, Quality.GOOD),
        ("2026-03-02T00:00:00Z", False, NOW - 4522 * S, True, Quality.GOOD),
        ("2026-03-02T09:15:20Z", False, NOW, False, Quality.GOOD),
        ("2026-03-02T01:15:24Z", False, NOW, False, Quality.GOOD),
        ("1970-01-01T00:00:00Z", False, NOW, False, Quality.GOOD),
        (None, False, NOW, False, Quality.GOOD),
        (None, True, NOW, False, Quality.UNCERTAIN_STALE),
        ("2026-03-02T09:15:20Z", True, NOW, False, Quality.UNCERTAIN_STALE),
    ],
)
def test_mqtt_time_and_lateness(time: str | None, retained: bool, time_ns: int, late: bool, quality: Quality) -> None:
    (batch,) = take(Intake([sensor()]), uplink(time=time), retained=retained)
    assert batch.time_ns.tolist() == [time_ns]
    assert batch.late is late
    assert batch.quality.tolist() == [quality]


def test_mqtt_repeated_deduplication_id_counts_once_and_memory_is_bounded() -> None:
    intake = Intake([sensor()])
    assert len(take(intake, uplink())) == 1
    assert take(intake, uplink()) == []
    assert intake.counts.duplicates == 1
    for number in range(500):
        take(intake, uplink(deduplicationId=str(number), fCnt=11 + number))
    seen = intake.routes["env1"]._seen
    assert isinstance(seen, OrderedDict)
    assert len(seen) == 64
    assert len(take(intake, uplink(deduplicationId=None))) == 1


def test_mqtt_missing_frames_are_counted_and_a_restart_is_not() -> None:
    intake = Intake([sensor()])
    for count in (10, 11, 15, 0, 1):
        take(intake, uplink(deduplicationId=None, fCnt=count))
    assert intake.counts.lost_frames == 3


def test_mqtt_history_record_is_late_and_apart() -> None:
    intake = Intake([sensor()])
    record = "20CE" + (NOW // S - 7200).to_bytes(4, "little").hex() + "EE00 7C00 01 02 A803 2500 6627 2000 3000 0700"
    live, late = take(intake, uplink("0367F000" + record))
    assert (live.late, live.value.tolist()) == (False, [24.0])
    assert late.late
    assert set(late.time_ns.tolist()) == {NOW - 7200 * S}
    assert len(late) == 10
    future = "20CE" + (NOW // S + 7200).to_bytes(4, "little").hex() + "EE00 7C00 01 02 A803 2500 6627 2000 3000 0700"
    assert take(intake, uplink(future, deduplicationId="b")) == []
    assert intake.counts.fields == 1


@pytest.mark.parametrize(
    ("payload", "counter"),
    [
        (b"", "invalid"),
        (b"\xff", "invalid"),
        (b"[]", "invalid"),
        (uplink(data="").replace(b'""', b'"%%"'), "invalid"),
        (uplink(fPort=None), "invalid"),
        (uplink(fPort="85"), "invalid"),
        (uplink(fPort=True), "invalid"),
        (uplink(data="00" * 300), "invalid"),
        (uplink(deviceInfo={"devEui": "24e124710c000002"}), "invalid"),
        (b"{" + b" " * 300_000 + b"}", "too_large"),
        (uplink("7799"), "fields"),
    ],
    ids=range(11),
)
def test_mqtt_unusable_message_is_counted_and_never_raised(payload: bytes, counter: str) -> None:
    intake = Intake([sensor()])
    assert take(intake, payload) == []
    assert getattr(intake.counts, counter) == 1


def test_mqtt_other_port_and_unknown_topic_bring_nothing() -> None:
    intake = Intake([sensor()])
    assert take(intake, uplink(fPort=10)) == []
    assert intake.counts.invalid == 0
    for number in range(1000):
        assert take(intake, uplink(), topic=f"x/{number}") == []
    assert intake.counts.unknown_topic == 1000
    assert intake.topics == (TOPIC,)


def test_mqtt_point_that_the_site_does_not_use_is_left_out() -> None:
    numbers = np.full(11, -1, np.int32)
    numbers[1] = 77
    device = Device("e", AM319, "mqtt://x", numbers, period_s=600.0, options={"application": "1", "dev_eui": EUI})
    (batch,) = take(Intake([device]), uplink("0367EE00 04687C"))
    assert batch.point.tolist() == [77]


def bay(events: dict[str, Any] | None = None, **point: Any) -> Profile:
    wire: dict[str, Any] = {"format": "json", "topic": "site/{site}/bay/{n}", "time": "since"}
    if events is not None:
        wire["events"] = events
    head = {
        "id": "bay",
        "equipment": "bay",
        "protocol": "mqtt",
        "vendor": "v",
        "model": "m",
        "source": "s",
        "wire": wire,
    }
    rows = [
        {
            "tag": "occupied",
            "kind": "binary",
            "zh": "占用",
            "en": "Occupied",
            "wire": {"path": "occupied", "type": "boolean"},
        },
        {"tag": "battery", "zh": "電池", "en": "Battery", "wire": {"path": "battery"}},
        {"tag": "raw_flag", "kind": "binary", "zh": "旗標", "en": "Flag", "wire": {"path": "flag"}},
    ]
    return parse_profile({"profile": head, "point": [*rows, point] if point else rows}, "bay")


def bay_device(profile: Profile) -> Device:
    return Device(
        "bay7",
        profile,
        "mqtt://x",
        np.arange(len(profile.points), dtype=np.int32),
        period_s=60.0,
        options={"site": "ch", "n": 7},
    )


def test_mqtt_json_fields_are_independent_of_each_other() -> None:
    intake = Intake([bay_device(bay())])
    topic = "site/ch/bay/7"
    (batch,) = take(intake, b'{"occupied": true, "battery": "low", "since": "2026-03-02T01:15:00Z"}', topic=topic)
    assert batch.point.tolist() == [0]
    assert batch.time_ns.tolist() == [NOW - 22 * S]
    assert intake.counts.fields == 1
    (batch,) = take(intake, b'{"battery": null, "flag": 1}', topic=topic)
    assert batch.quality.tolist() == [Quality.BAD_SENSOR, Quality.GOOD]
    assert math.isnan(batch.value[0])
    assert take(intake, b'{"flag": 2}', topic=topic) == []
    assert intake.counts.invalid == 1
    assert take(intake, b'{"other": 2}', topic=topic) == []


EVENTS = {
    "topic": "site/{site}/access/{n}/event", "key": "id", "sequence": "seq", "time": "time", "type": "type",
    "types": {"door_forced": "door_forced", "SOS": "sos_pressed"}, "data": ["door", "reader.id"],
    "urgent": ["sos_pressed"],
}  # fmt: skip


def event(intake: Intake, payload: dict[str, Any], now_ns: int = NOW) -> list[Any]:
    parcels = intake.take("site/ch/access/7/event", json.dumps(payload).encode(), retained=False, now_ns=now_ns)
    return [one for parcel in parcels for one in parcel.events]


def test_mqtt_event_has_a_key_that_makes_it_count_once() -> None:
    intake = Intake([bay_device(bay(EVENTS))])
    sent = {
        "id": "01J8",
        "time": "2026-03-02T01:15:20Z",
        "type": "SOS",
        "door": "W3\n12",
        "reader": {"id": 4},
        "seq": 5,
    }
    (one,) = event(intake, sent)
    assert (one.key, one.source, one.type, one.time_ns) == ("01J8", "bay7", "sos_pressed", NOW - 2 * S)
    assert one.data == {"door": "W3\ufffd12", "reader_id": 4}
    assert one.urgent
    assert not one.late
    assert event(intake, sent)[0].key == one.key
    (late,) = event(intake, sent | {"id": 77, "time": "2026-03-02T00:15:20Z", "type": "door_forced", "seq": 9})
    assert (late.key, late.late, late.urgent) == ("77", True, False)
    assert intake.counts.lost_frames == 3
    (by_sequence,) = event(intake, {"time": "2026-03-02T01:15:21Z", "type": "SOS", "seq": 10})
    assert by_sequence.key == f"10@{NOW - S}"
    (future,) = event(intake, sent | {"id": "f", "time": "2026-03-02T09:15:20Z"})
    assert future.time_ns == NOW


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"id": "a"},
        {"id": "a", "type": "fire_clear"},
        {"id": "a", "type": 5},
        {"type": "SOS"},
        {"type": "SOS", "seq": 5},
        {"type": "SOS", "id": ""},
    ],
    ids=range(7),
)
def test_mqtt_event_that_is_unknown_or_cannot_be_told_apart_is_counted(payload: dict[str, Any]) -> None:
    intake = Intake([bay_device(bay(EVENTS))])
    assert event(intake, payload) == []
    assert intake.counts.invalid == 1


def test_mqtt_what_is_about_a_person_leaves_its_middle_behind() -> None:
    intake = Intake([bay_device(bay(EVENTS | {"data": ["plate", "lane"], "masked": ["plate"]}))])
    sent = {"id": "7", "time": "2026-03-02T01:15:20Z", "type": "SOS", "plate": "EAA-0107", "lane": 2}
    assert event(intake, sent)[0].data == {"plate": "EA****07", "lane": 2}
    assert event(intake, sent | {"plate": "A-12"})[0].data["plate"] == "****"
    assert event(intake, sent | {"plate": 1234567})[0].data["plate"] == "12***67"
    assert "plate" not in event(intake, sent | {"plate": None})[0].data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"topic": None}, "events.topic"),
        ({"type": None}, "events.type"),
        ({"key": None, "sequence": None}, "wanted key"),
        ({"types": {"a": "Not A Word"}}, "events.types"),
        ({"data": "door"}, "events.data"),
        ({"masked": ["plate"]}, "events.masked: got"),
        ({"late_s": 0}, "events.late_s"),
        ({"keys": "id"}, "keys: unknown key"),
    ],
)
def test_mqtt_wrong_event_map_is_refused(changes: dict[str, Any], message: str) -> None:
    events = {key: value for key, value in (EVENTS | changes).items() if value is not None}
    with pytest.raises(ProfileError, match=message):
        parse_map(bay(events))


def test_mqtt_command_is_filled_and_checked() -> None:
    command = {"topic": "site/{site}/cmd/{n}", "payload": '{"mode": {value}}'}
    point: dict[str, Any] = {
        "tag": "mode",
        "kind": "binary",
        "zh": "模式",
        "en": "Mode",
        "write": {},
        "wire": {"command": command},
    }
    route = Intake([bay_device(bay(**point))]).routes["bay7"]
    topic, one = route.commands[3]
    assert topic == "site/ch/cmd/7"
    assert [one.body(value) for value in (1.0, 0.25)] == [b'{"mode": 1}', b'{"mode": 0.25}']
    assert json.loads(one.body(1e20))["mode"] == 1e20
    for wrong, message in (
        ({"path": "x"}, "no wire.command"),
        ({"command": {"topic": "a"}}, "wire.command: got"),
        ({"command": {"topic": "a", "payload": "on"}}, "has no"),
    ):
        with pytest.raises(ProfileError, match=message):
            parse_map(bay(**(point | {"wire": wrong})))


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ({"format": "xml"}, "got 'xml', wanted one of json, chirpstack"),
        ({"format": "chirpstack", "f_port": 85}, "topic is missing"),
        ({"format": "chirpstack", "topic": "t"}, "f_port: got None"),
        ({"format": "chirpstack", "topic": "t", "f_port": 85, "port": 1}, "port: unknown key"),
        ({"format": "chirpstack", "topic": "t", "f_port": 85, "skip": {"0E": 1}}, "four hex digits"),
        ({"format": "chirpstack", "topic": "t", "f_port": 85, "skip": {"0367": 1}}, "there twice"),
        (
            {"format": "chirpstack", "topic": "t", "f_port": 85, "history": {"20CE": [["nobody", "u8"]]}},
            "tag of a point",
        ),
    ],
)
def test_mqtt_wrong_profile_is_refused_with_its_key(wire: dict[str, Any], message: str) -> None:
    head = {"id": "xx", "equipment": "e", "protocol": "mqtt", "vendor": "v", "model": "m", "source": "s", "wire": wire}
    row = {"tag": "t", "zh": "溫", "en": "T", "wire": {"channel": "0367", "type": "i16", "scale": 0.1}}
    with pytest.raises(ProfileError, match=message):
        parse_map(parse_profile({"profile": head, "point": [row]}, "x"))


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"channel": "03", "type": "i16"}, "four hex digits"),
        ({"channel": "0367", "type": "i24"}, "got 'i24'"),
        ({"channel": "0367", "type": "i16", "scale": 0}, "scale: got 0"),
        ({"channel": "0367", "type": "i16", "scale": 0.3}, "one whole part"),
        ({"channel": "0367", "type": "i16", "sentinels": ["x"]}, "sentinels"),
        ({"channel": "0367", "type": "i16", "unit": "C"}, "unit: unknown key"),
    ],
)
def test_lorawan_wrong_channel_is_refused(point: dict[str, Any], message: str) -> None:
    wire = {"format": "chirpstack", "topic": "t", "f_port": 85}
    head = {"id": "xx", "equipment": "e", "protocol": "mqtt", "vendor": "v", "model": "m", "source": "s", "wire": wire}
    with pytest.raises(ProfileError, match=message):
        parse_map(parse_profile({"profile": head, "point": [{"tag": "t", "zh": "溫", "en": "T", "wire": point}]}, "x"))


# -- lost events, bare words, pictures -----------------------------------------------------------------------------

REPLAY = EVENTS | {"replay": {"topic": "site/{site}/access/{n}/cmd/replay", "payload": '{"from":{from}}'}}


def test_mqtt_lost_events_are_asked_for_once_and_come_late() -> None:
    intake = Intake([bay_device(bay(REPLAY))])
    sent = {"time": "2026-03-02T01:15:20Z", "type": "door_forced"}

    def take(number: int) -> Any:
        payload = json.dumps(sent | {"id": f"e{number}", "seq": number}).encode()
        (parcel,) = intake.take("site/ch/access/7/event", payload, retained=False, now_ns=NOW, now=5.0)
        return parcel

    assert take(1).requests == []
    (request,) = take(4).requests
    assert (request.topic, request.payload) == ("site/ch/access/7/cmd/replay", b'{"from":2}')
    parcels = [take(number) for number in (2, 3, 4)]
    assert [parcel.events[0].late for parcel in parcels] == [True, True, False]
    assert all(parcel.requests == [] for parcel in parcels)
    assert (intake.counts.lost_frames, intake.counts.replays, intake.counts.duplicates) == (2, 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"replay": {"topic": "t"}},
        {"replay": {"topic": "t", "payload": "again"}},
        {"replay": REPLAY["replay"], "sequence": None},
        {"when": {"path": "type"}},
        {"when": {"path": "type", "is": "new"}},
    ],
)
def test_mqtt_wrong_replay_or_condition_is_refused(changes: dict[str, Any]) -> None:
    events = {key: value for key, value in (EVENTS | changes).items() if value is not None}
    with pytest.raises(ProfileError, match=r"events\.(replay|when)"):
        Intake([bay_device(bay(events))])


def test_mqtt_a_topic_that_also_says_other_things_is_read_where_it_speaks_of_events() -> None:
    intake = Intake([bay_device(bay(EVENTS | {"when": {"path": "kind", "is": ["new"]}}))])
    sent = {"id": "a", "time": "2026-03-02T01:15:20Z", "type": "SOS"}
    assert [len(event(intake, sent | {"kind": kind})) for kind in ("new", "update", ["new"], None)] == [1, 0, 0, 0]
    assert intake.counts.invalid == 0


def camera_device(wire: dict[str, Any], points: list[dict[str, Any]], **options: Any) -> Device:
    profile = parse_profile(
        {
            "profile": {"id": "cam", "equipment": "camera", "protocol": "mqtt", "vendor": "v", "model": "m",
                        "source": "s", "wire": wire},
            "point": points,
        },
        "cam.toml",
    )  # fmt: skip
    return Device("cam1", profile, "mqtt://b:1883", np.arange(len(points), dtype=np.int32), 1, 30.0, options=options)


ONLINE: dict[str, Any] = {
    "tag": "online", "kind": "binary", "zh": "連線", "en": "online",
    "wire": {"topic": "frigate/{camera}/status/detect", "type": "text", "map": {"online": 1.0, "offline": 0.0}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "value"),
    [(b"online", 1.0), (b" offline\n", 0.0), (b"ONLINE", None), (b"x" * 65, None), (b"\xff\xfe", None), (b"", None)],
)
def test_mqtt_a_bare_word_is_a_value_when_the_profile_knows_it(payload: bytes, value: float | None) -> None:
    intake = Intake([camera_device({}, [ONLINE], camera="c1")])
    parcels = intake.take("frigate/c1/status/detect", payload, retained=False, now_ns=NOW)
    if value is None:
        assert parcels == []
        assert intake.counts.invalid == 1
    else:
        assert parcels[0].batches[0].value.tolist() == [value]


def test_mqtt_one_topic_is_not_a_word_and_json_at_once() -> None:
    other = ONLINE | {"tag": "motion", "wire": ONLINE["wire"] | {"path": "a"}}
    with pytest.raises(ProfileError, match="bare word"):
        Intake([camera_device({}, [ONLINE, other], camera="c1")])


JPEG = b"\xff\xd8\xff\xe0" + bytes(20) + b"\xff\xd9"


def test_mqtt_pictures_are_kept_when_they_are_whole_jpegs() -> None:
    device = camera_device({"image": {"topic": "frigate/{camera}/person/snapshot"}}, [ONLINE], camera="c1")
    intake = Intake([device])
    route = intake.routes["cam1"]
    assert "frigate/c1/person/snapshot" in route.topics
    intake.take("frigate/c1/person/snapshot", JPEG, retained=True, now_ns=NOW)
    assert route.picture is not None
    assert (route.picture.data, route.picture.time_ns, route.picture.aged) == (JPEG, NOW, True)
    for payload in (JPEG[:-2], b"<html>", b""):
        intake.take("frigate/c1/person/snapshot", payload, retained=False, now_ns=NOW)
    assert route.picture.data == JPEG
    assert (intake.counts.pictures, intake.counts.invalid) == (1, 3)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        ({"url": "{snapshot}"}, {}),
        ({"url": "{snapshot}"}, {"snapshot": "file:///etc/passwd"}),
        ({"url": "{snapshot.__class__}"}, {"snapshot": "http://10.0.0.1/"}),
        ({"url": "http://a/", "topic": "b"}, {}),
        ("http://a/", {}),
    ],
)
def test_mqtt_an_address_of_pictures_that_cannot_be_used_is_refused(image: Any, options: dict[str, str]) -> None:
    with pytest.raises(ProfileError, match="image"):
        Intake([camera_device({"image": image}, [ONLINE], camera="c1", **options)])
