"""milesight-am319: bytes typed from the vendor's decoder document, and the values it prints beside them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from drivers.mqtt.lorawan import Frame, decode
from drivers.mqtt.route import parse_map
from drivers.profile import load_profile
from drivers.reading import Quality

PROFILE = load_profile(Path(__file__).parents[2] / "config/profiles/environment/milesight-am319.toml")
CODEC = parse_map(PROFILE).codec
assert CODEC is not None


def read(text: str) -> Frame:
    assert CODEC is not None
    return decode(CODEC, bytes.fromhex(text.replace(" ", "")))


def values(frame: Frame) -> dict[str, float]:
    return {
        PROFILE.points[place].tag: value
        for place, value in zip(frame.present.places, frame.present.values, strict=True)
    }


def test_am319_example_of_the_vendor() -> None:
    # Milesight-IoT/SensorDecoders, am-series/am319-hcho/README.md
    frame = read("0367EE00 04687C 050001 06CB02 077DA803 087D2500 09736627 0A7D0700 0B7D2000 0C7D3000")
    assert frame.error == ""
    assert set(frame.present.qualities) == {Quality.GOOD}
    assert values(frame) == {
        "temperature": 23.8, "humidity": 62.0, "occupied": 1.0, "light_level": 2.0, "co2": 936.0, "tvoc": 0.37,
        "pressure": 1008.6, "hcho": 0.07, "pm25": 32.0, "pm10": 48.0,
    }  # fmt: skip


def test_am319_same_family_am103() -> None:
    # Same repository, am-series/am103/README.md
    frame = read("0175640367180104686D077DC501")
    assert values(frame) == {"battery": 100.0, "temperature": 28.0, "humidity": 54.5, "co2": 453.0}


def test_am319_below_zero_and_the_buzzer() -> None:
    assert values(read("0367 9CFF 0E01 01 0175 2A")) == {"temperature": -10.0, "battery": 42.0}


def test_am319_stored_record_has_its_own_time_and_order() -> None:
    # 20 CE: time, temperature i16/10, humidity u16/2, pir, light, co2, tvoc/100, pressure/10, pm2.5, pm10, hcho/100
    frame = read("20CE 5AE3A469 EE00 7C00 01 02 A803 2500 6627 2000 3000 0700 0175 64")
    (record,) = frame.history
    assert record.time_ns == 0x69A4E35A * 10**9
    got = {PROFILE.points[place].tag: value for place, value in zip(record.places, record.values, strict=True)}
    assert got == {
        "temperature": 23.8, "humidity": 62.0, "occupied": 1.0, "light_level": 2.0, "co2": 936.0, "tvoc": 0.37,
        "pressure": 1008.6, "pm25": 32.0, "pm10": 48.0, "hcho": 0.07,
    }  # fmt: skip
    assert values(frame) == {"battery": 100.0}
    (other,) = read("21CE 5AE3A469 EE00 7C00 01 02 A803 2500 6627 2000 3000 0700").history
    assert "tvoc" not in {PROFILE.points[place].tag for place in other.places}


def test_am319_tvoc_in_the_other_unit_is_no_rating() -> None:
    frame = read("0367EE00 08E6 2C01 0B7D2000")
    assert values(frame)["temperature"] == 23.8
    tvoc = frame.present.places.index(PROFILE.index("tvoc"))
    assert math.isnan(frame.present.values[tvoc])
    assert frame.present.qualities[tvoc] == Quality.BAD_CONFIG
    assert values(frame)["pm25"] == 32.0


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("0367FF7F", "temperature"),
        ("03670080", "temperature"),
        ("0468FF", "humidity"),
        ("0B7DFFFF", "pm25"),
        ("0B7DFEFF", "pm25"),
        ("0175FF", "battery"),
    ],
)
def test_am319_sentinel_is_a_failed_sensor(text: str, tag: str) -> None:
    frame = read(text)
    assert frame.present.places == (PROFILE.index(tag),)
    assert frame.present.qualities == (Quality.BAD_SENSOR,)
    assert math.isnan(frame.present.values[0])


@pytest.mark.parametrize("text", ["0367EE00 7799 0102", "0367EE00 0468", "0367EE00 04", "0367EE00 20CE 0000"])
def test_am319_unknown_or_short_keeps_what_was_read(text: str) -> None:
    frame = read(text)
    assert values(frame) == {"temperature": 23.8}
    assert frame.error


def test_am319_units_and_the_class() -> None:
    assert {point.tag: point.unit for point in PROFILE.points} == {
        "temperature": "°C", "humidity": "%", "co2": "ppm", "pm25": "µg/m³", "pm10": "µg/m³", "tvoc": "",
        "hcho": "mg/m³", "pressure": "hPa", "light_level": "", "occupied": "", "battery": "%",
    }  # fmt: skip
    assert (PROFILE.equipment, PROFILE.period_s, PROFILE.wire["f_port"]) == ("environment", 600.0, 85)
