"""Whatever bytes a device, a codec or an attacker sends: nothing is raised, and no good value is not a number."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Device
from drivers.mqtt.lorawan import decode
from drivers.mqtt.route import Intake, parse_map
from drivers.profile import load_profile
from drivers.reading import Quality

PROFILE = load_profile(Path(__file__).parents[2] / "config/profiles/environment/milesight-am319.toml")
CODEC = parse_map(PROFILE).codec
assert CODEC is not None
HEADS = [key.to_bytes(2, "big") for key in (*CODEC.channels, *CODEC.history)]
NOW = 1_772_414_122_000_000_000
TOPIC = "application/1/device/24e124710c000001/event/up"

pieces = st.lists(st.tuples(st.sampled_from(HEADS), st.binary(max_size=26)), max_size=12).map(
    lambda parts: b"".join(head + body for head, body in parts)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
event_keys = st.sampled_from(["time", "deviceInfo", "fCnt", "fPort", "data", "deduplicationId", "object"])


def intake() -> Intake:
    options = {"application": "1", "dev_eui": "24e124710c000001"}
    numbers = np.arange(len(PROFILE.points), dtype=np.int32)
    return Intake([Device("e", PROFILE, "mqtt://x", numbers, period_s=600.0, options=options)])


def check(payload: bytes) -> None:
    one = intake()
    for parcel in one.take(TOPIC, payload, retained=False, now_ns=NOW):
        for batch in parcel.batches:
            good = batch.quality < Quality.BAD_COMM
            assert np.isfinite(batch.value[good]).all()
            assert np.isnan(batch.value[~good]).all()
            assert (batch.time_ns <= NOW + 5_000_000_000).all()
            assert set(batch.point.tolist()) <= set(range(len(PROFILE.points)))
    assert one.counts.faults == 0


@given(pieces | st.binary(max_size=300))
def test_lorawan_decoder_takes_any_bytes(data: bytes) -> None:
    assert CODEC is not None
    frame = decode(CODEC, data)
    for record in (frame.present, *frame.history):
        for value, quality in zip(record.values, record.qualities, strict=True):
            assert math.isfinite(value) if quality == Quality.GOOD else math.isnan(value)
    again = decode(CODEC, data)
    assert (again.present.places, again.error, len(again.history)) == (
        frame.present.places,
        frame.error,
        len(frame.history),
    )


@given(pieces)
def test_lorawan_uplink_with_any_data_is_taken(data: bytes) -> None:
    event = {"time": "2026-03-02T01:15:20Z", "fPort": 85, "fCnt": 1, "data": base64.b64encode(data).decode()}
    check(json.dumps(event).encode())


@given(st.dictionaries(event_keys, json_values) | json_values)
def test_lorawan_any_json_is_taken(document: object) -> None:
    check(json.dumps(document).encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_lorawan_any_payload_is_taken(payload: bytes) -> None:
    check(payload)
