"""JSON paths, fields, times and topics of MQTT devices."""

from __future__ import annotations

import math
from typing import Any

import pytest

from drivers.errors import DecodeError, ProfileError
from drivers.mqtt.payload import MAX_BYTES, find, parse_field, parse_path, parse_payload, parse_time
from drivers.mqtt.topic import check_topic, fill_topic
from drivers.reading import Quality

DOCUMENT = {"object": {"temperature": 21.5, "on": True, "state": "open"}, "rxInfo": [{"rssi": -84}], "none": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("object.temperature", 21.5),
        ("rxInfo[0].rssi", -84),
        ("rxInfo[1].rssi", None),
        ("object.temperature.deeper", None),
        ("rxInfo.rssi", None),
        ("object[0]", None),
        ("nothing", None),
    ],
)
def test_mqtt_path_is_followed_or_nothing(path: str, value: object) -> None:
    assert find(DOCUMENT, parse_path(path, "here")) == value


@pytest.mark.parametrize("path", ["", ".", "a..b", "a[", "a[x]", "a[-1]", "[0]", "a[99999]"])
def test_mqtt_path_that_is_none(path: str) -> None:
    with pytest.raises(ProfileError, match="here: path"):
        parse_path(path, "here")


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ({"path": "object.temperature"}, 21.5),
        ({"path": "object.temperature", "scale": 2, "offset": 1}, 44.0),
        ({"path": "object.on", "type": "boolean"}, 1.0),
        ({"path": "object.state", "type": "text", "map": {"closed": 0, "open": 1}}, 1.0),
    ],
)
def test_mqtt_field_becomes_a_number(wire: dict[str, Any], value: float) -> None:
    assert parse_field(wire, "here").number(DOCUMENT) == (value, Quality.GOOD)


def test_mqtt_field_that_is_missing_or_null() -> None:
    assert parse_field({"path": "nothing"}, "here").number(DOCUMENT) is None
    pair = parse_field({"path": "none"}, "here").number(DOCUMENT)
    assert pair is not None
    assert math.isnan(pair[0])
    assert pair[1] == Quality.BAD_SENSOR


@pytest.mark.parametrize(
    ("wire", "raw"),
    [
        ({"path": "x"}, True),
        ({"path": "x"}, "21"),
        ({"path": "x"}, [21]),
        ({"path": "x"}, {"y": 1}),
        ({"path": "x"}, 10**400),
        ({"path": "x", "scale": 1e300}, 1e300),
        ({"path": "x", "type": "boolean"}, 1),
        ({"path": "x", "type": "text", "map": {"a": 1}}, "b"),
        ({"path": "x", "type": "text", "map": {"a": 1}}, 1),
    ],
)
def test_mqtt_field_of_another_type_is_refused(wire: dict[str, Any], raw: object) -> None:
    with pytest.raises(DecodeError, match="x: got"):
        parse_field(wire, "here").number({"x": raw})


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ({}, "wire.path: got None"),
        ({"path": "a", "typ": "number"}, "typ: unknown key"),
        ({"path": "a", "type": "float"}, "got 'float', wanted one of number"),
        ({"path": "a", "scale": 0}, "wire.scale"),
        ({"path": "a", "scale": math.nan}, "wire.scale"),
        ({"path": "a", "type": "text"}, "wire.map"),
        ({"path": "a", "map": {"x": 1}}, "wire.map"),
        ({"path": "a", "type": "text", "map": {"x": "y"}}, "wire.map"),
    ],
)
def test_mqtt_wrong_field_is_refused_with_its_key(wire: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        parse_field(wire, "here")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1',
        b"[1]",
        b"1",
        b"null",
        b'"text"',
        b"[" * 5000,
        b'{"a":' * 5000,
        b'{"a": "' + b"x" * MAX_BYTES + b'"}',
    ],
    ids=range(12),
)
def test_mqtt_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_payload(payload)


@pytest.mark.parametrize(
    ("raw", "ns"),
    [
        ("2026-03-02T01:15:22.410Z", 1_772_414_122_410_000_000),
        ("2026-03-02T01:15:22.410123456+00:00", 1_772_414_122_410_123_000),
        ("2026-03-02T09:15:22.410+08:00", 1_772_414_122_410_000_000),
        (1_772_414_122, 1_772_414_122_000_000_000),
        (1_772_414_122_410, 1_772_414_122_410_000_000),
        ("2026-03-02T01:15:22", None),
        ("yesterday", None),
        ("1970-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        (math.nan, None),
        (1e300, None),
        (-1, None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_mqtt_time_is_exact_or_none(raw: object, ns: int | None) -> None:
    assert parse_time(raw) == ns


@pytest.mark.parametrize("topic", ["", "a/+/b", "a/#", "a\x00b", "a\nb", "a\ud800", "x" * 201, "市" * 67])
def test_mqtt_topic_that_would_cost_the_connection(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        check_topic(topic)


def test_mqtt_topic_is_filled_from_options() -> None:
    options = {"application": "1", "dev_eui": "24e124710c000001", "n": 7}
    assert (
        fill_topic("application/{application}/device/{dev_eui}/up", options, "x")
        == "application/1/device/24e124710c000001/up"
    )
    assert check_topic("市政府/" + "x" * 100)
    for wrong, message in (
        ({}, "needs the option 'n'"),
        ({"n": "a/b"}, "another topic"),
        ({"n": "+"}, "wildcards"),
        ({"n": True}, "needs the option 'n'"),
    ):
        with pytest.raises(ProfileError, match=message):
            fill_topic("bay/{n}", wrong, "device bay-1")
    with pytest.raises(ProfileError, match="device bay-1"):
        fill_topic("bay/{n", options, "device bay-1")
