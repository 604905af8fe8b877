"""AM319 payloads and ChirpStack events against the vendor's example."""

from __future__ import annotations

import base64
import json
from random import Random

from simulators.wire.chirpstack import Sensor, encode_am319

_EXAMPLE = {
    "temperature": 23.8, "humidity": 62.0, "occupied": 1.0, "light_level": 2.0, "co2": 936.0, "tvoc": 0.37,
    "pressure": 1008.6, "hcho": 0.07, "pm25": 32.0, "pm10": 48.0,
}  # fmt: skip
_BYTES = "0367EE00 04687C 050001 06CB02 077DA803 087D2500 09736627 0A7D0700 0B7D2000 0C7D3000"


def test_the_example_of_the_decoder_repository() -> None:
    assert encode_am319(_EXAMPLE) == bytes.fromhex(_BYTES)


def test_battery_comes_first_and_a_lost_value_is_left_out() -> None:
    assert encode_am319({"battery": 98.0, "temperature": -5.5}) == bytes.fromhex("017562 0367C9FF")
    assert encode_am319({"battery": 98.0, "temperature": float("nan")}) == bytes.fromhex("017562")
    assert encode_am319({"battery": 98.0, "humidity": 50.0}, battery=False) == bytes.fromhex("046864")


def test_uplink_has_the_keys_of_the_event_and_counts_frames() -> None:
    sensor = Sensor("env001-sensor", "24e124710c000001", "1", Random(1), lambda: _EXAMPLE)

    first, second = (json.loads(sensor.uplink(1_772_413_200_500_000_000)) for _ in range(2))

    assert sensor.topic == "application/1/device/24e124710c000001/event/up"
    assert first["time"] == "2026-03-02T01:00:00.500+00:00"
    assert (first["fCnt"], second["fCnt"], first["fPort"]) == (0, 1, 85)
    assert first["deviceInfo"]["devEui"] == "24e124710c000001"
    assert base64.b64decode(first["data"]) == bytes.fromhex(_BYTES)
    assert first["deduplicationId"] != second["deduplicationId"]
    assert set(first["rxInfo"][0]) >= {"gatewayId", "rssi", "snr"}


def test_spoilt_uplinks_never_carry_the_payload() -> None:
    sensor = Sensor("env001-sensor", "24e124710c000001", "1", Random(1), lambda: _EXAMPLE)
    for _ in range(100):
        raw = sensor.uplink(0, corrupt="random")
        try:
            event = json.loads(raw)
        except ValueError:
            continue
        assert not isinstance(event, dict) or event["data"] != base64.b64encode(bytes.fromhex(_BYTES)).decode()
