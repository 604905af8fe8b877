"""axioma-qalcosonic-w1: bytes typed from the codec's layout, and what of them becomes a value."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from drivers.mqtt.lorawan import Frame, decode
from drivers.mqtt.route import parse_map
from drivers.profile import load_profile
from drivers.reading import Quality
from simulators.wire.chirpstack import encode_w1

PROFILE = load_profile(Path(__file__).parents[2] / "config/profiles/water-meter/axioma-qalcosonic-w1.toml")
CODEC = parse_map(PROFILE).codec
# u32 time, u8 status, u32 litres, u32 log time, u32 log litres, 15 x u16 litres, one byte over; low byte first
HEAD = "5AE3A469 00 87D61200 00E1A469 80D51200"
DELTAS = "0700" * 15 + "00"


def read(text: str) -> Frame:
    assert CODEC is not None
    return decode(CODEC, bytes.fromhex(text.replace(" ", "")))


def test_w1_volume_of_the_document() -> None:
    # 87 D6 12 00 = 1234.567 m³
    frame = read(HEAD + DELTAS)
    assert frame.error == ""
    assert frame.present.values == (1234.567, 0.0)
    assert set(frame.present.qualities) == {Quality.GOOD}


@pytest.mark.parametrize(("code", "name"), [("04", "battery low"), ("30", "leakage"), ("B0", "burst")])
def test_w1_status_has_a_word(code: str, name: str) -> None:
    value = read(f"5AE3A469 {code} 87D61200 00E1A469 80D51200" + DELTAS).present.values[1]
    assert {state: en for state, _, en in PROFILE.point("status").states}[int(value)] == name


def test_w1_without_a_reading_is_a_failed_sensor() -> None:
    frame = read("5AE3A469 00 FFFFFFFF 00E1A469 80D51200" + DELTAS)
    assert math.isnan(frame.present.values[0])
    assert frame.present.qualities == (Quality.BAD_SENSOR, Quality.GOOD)


@pytest.mark.parametrize("text", [HEAD, HEAD + DELTAS + "00", "", "00"])
def test_w1_of_another_length_is_not_read_at_all(text: str) -> None:
    frame = read(text)
    assert frame.present.places == ()
    assert "wanted 48" in frame.error


def test_w1_simulated_bytes_are_those_of_the_layout() -> None:
    state = {"volume": 1234.567, "status": 0.0, "log_time": 0x69A4E100, "log_volume": 1234.304}
    state |= {f"delta_{n}": 0.007 for n in range(1, 16)}
    assert encode_w1(state, 0x69A4E35A * 10**9).hex() == (HEAD + DELTAS).replace(" ", "").lower()


def test_w1_port_and_report() -> None:
    assert (PROFILE.equipment, PROFILE.period_s, PROFILE.wire["f_port"]) == ("water_meter", 900.0, 100)
