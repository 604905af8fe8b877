"""Properties of the Modbus codec, against `struct` and by hand."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import NotWritableError
from drivers.modbus.codec import BlockDecoder, encode_value, four_quadrant
from drivers.modbus.plan import Request, plan_profile
from drivers.profile import parse_profile
from drivers.reading import Quality

CODES = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f", "u64": ">Q", "i64": ">q", "f64": ">d"}


def swap(data: bytes) -> bytes:
    return b"".join(data[at : at + 2] for at in range(len(data) - 2, -1, -2))


def numbers(kind: str) -> st.SearchStrategy[float]:
    if kind in ("f32", "f64"):
        return st.floats(width=32 if kind == "f32" else 64)
    size = 8 * struct.calcsize(CODES[kind])
    return st.integers(0, 2**size - 1) if kind[0] == "u" else st.integers(-(2 ** (size - 1)), 2 ** (size - 1) - 1)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Request, bytes, list[float], list[float]]:
    """Values of any types, word orders, scales and gaps in one block, packed by `struct`."""
    rows, data, raw, scaled = [], b"", [], []
    for place in range(draw(st.integers(1, 12))):
        kind, order = draw(st.sampled_from(sorted(CODES))), draw(st.sampled_from(["be", "le-word"]))
        data += bytes(2 * draw(st.integers(0, 3)))
        value, scale = draw(numbers(kind)), draw(st.sampled_from([1.0, 0.1, 0.001, -2.0]))
        packed = struct.pack(CODES[kind], value)
        address = len(data) // 2
        data += packed if order == "be" else swap(packed)
        raw.append(value)
        scaled.append(float(value) * scale)
        wire = {"address": 100 + address, "type": kind, "word_order": order, "scale": scale}
        rows.append({"tag": f"v{place}", "zh": "點", "en": "p", "wire": wire})
    head = {"id": "test", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s",
            "wire": {"blocks": [{"name": "b", "first": 0, "last": 999, "gap": 3}]}}  # fmt: skip
    (request,) = plan_profile(parse_profile({"profile": head, "point": rows}, "test")).requests
    return request, data[2 * (request.address - 100) :], raw, scaled


@given(blocks())
def test_a_block_decodes_to_what_struct_packed(case: tuple[Request, bytes, list[float], list[float]]) -> None:
    request, data, raw, scaled = case
    decoder = BlockDecoder(request)
    assert decoder.size == len(data)
    value, quality = np.full(len(raw), np.nan), np.full(len(raw), 255, np.uint8)
    decoder.decode(data, value, quality)
    for place, wanted in enumerate(scaled):
        if math.isfinite(wanted):
            assert value[place] == wanted
            assert quality[place] == Quality.GOOD
        else:
            assert math.isnan(value[place])
            assert quality[place] == Quality.BAD_SENSOR


@given(st.sampled_from(["u16", "i16", "u32", "i32", "u64", "i64"]), st.data())
def test_a_sentinel_is_never_a_number_and_nothing_else_is_a_sentinel(kind: str, data: st.DataObject) -> None:
    size = struct.calcsize(CODES[kind])
    pattern = data.draw(st.integers(0, 256**size - 1))
    other = data.draw(st.integers(0, 256**size - 1))
    wire = {"sentinels": {kind: [f"0x{pattern:X}"]}, "blocks": [{"name": "b", "first": 0, "last": 9}]}
    head = {"id": "test", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s",
            "wire": wire}  # fmt: skip
    rows = [
        {"tag": tag, "zh": "點", "en": "p", "wire": {"address": n * size // 2, "type": kind}}
        for n, tag in enumerate("ab")
    ]
    (request,) = plan_profile(parse_profile({"profile": head, "point": rows}, "test")).requests
    value, quality = np.zeros(2), np.zeros(2, np.uint8)
    BlockDecoder(request).decode(pattern.to_bytes(size, "big") + other.to_bytes(size, "big"), value, quality)
    assert quality[0] == Quality.BAD_SENSOR
    assert math.isnan(value[0])
    assert (quality[1] == Quality.BAD_SENSOR) == (other == pattern)


@given(
    st.sampled_from(sorted(CODES)), st.sampled_from(["be", "le-word"]), st.sampled_from([1.0, 0.1, 0.01]),
    st.floats(0, 6000),
)  # fmt: skip
def test_what_is_written_reads_back_within_half_a_step(kind: str, order: str, scale: float, value: float) -> None:
    wire = {"address": 0, "type": kind, "word_order": order, "scale": scale}
    head = {"id": "test", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}
    rows = [{"tag": "a", "zh": "點", "en": "p", "wire": wire, "write": {"low": 0, "high": 6000}}]
    plan = plan_profile(parse_profile({"profile": head, "point": rows}, "test"))
    step = scale if kind[0] != "f" else 1e-3
    try:
        words = encode_value(plan.writes["a"], value)
    except NotWritableError:
        assert round(value / scale) > (65535 if kind == "u16" else 32767)
        return
    seen, quality = np.zeros(1), np.zeros(1, np.uint8)
    BlockDecoder(plan.requests[0]).decode(b"".join(word.to_bytes(2, "big") for word in words), seen, quality)
    assert quality[0] == Quality.GOOD
    assert abs(seen[0] - value) <= step / 2 + 1e-9


@given(st.floats())
def test_nothing_outside_the_range_is_ever_encoded(value: float) -> None:
    head = {"id": "test", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}
    rows = [{"tag": "a", "zh": "點", "en": "p", "wire": {"address": 0, "type": "i16"}, "write": {"low": 5, "high": 15}}]
    target = plan_profile(parse_profile({"profile": head, "point": rows}, "test")).writes["a"]
    if 5 <= value <= 15:
        assert encode_value(target, value) == (round(value),)
    else:
        with pytest.raises(NotWritableError):
            encode_value(target, value)


@given(st.floats(-1, 1))
def test_four_quadrant_codes_give_the_power_factor_back(factor: float) -> None:
    leading = 2.0 - factor if factor >= 0 else -2.0 - factor
    assert four_quadrant(np.array([factor]))[0] == factor
    assert four_quadrant(np.array([leading]))[0] == pytest.approx(factor, abs=1e-12)


@given(st.integers(0, 0xFFFF), st.integers(0, 15), st.booleans())
def test_bits_of_a_register(word: int, bit: int, invert: bool) -> None:
    head = {"id": "test", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}
    rows = [{"tag": "a", "zh": "點", "en": "p", "wire": {"address": 0, "bit": bit, "invert": invert}}]
    (request,) = plan_profile(parse_profile({"profile": head, "point": rows}, "test")).requests
    value, quality = np.zeros(1), np.zeros(1, np.uint8)
    BlockDecoder(request).decode(word.to_bytes(2, "big"), value, quality)
    assert value[0] == float(bool(word & (1 << bit)) != invert)


@given(st.lists(st.booleans(), min_size=5, max_size=5))
def test_one_of_several_contacts(contacts: list[bool]) -> None:
    head = {"id": "test", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}
    rows = [{"tag": "a", "zh": "點", "en": "p", "wire": {"function": 2, "one_hot": [8, 9, 10, 11, 12]}}]
    (request,) = plan_profile(parse_profile({"profile": head, "point": rows}, "test")).requests
    assert (request.address, request.count) == (8, 5)
    value, quality = np.zeros(1), np.zeros(1, np.uint8)
    BlockDecoder(request).decode(bytes([sum(closed << n for n, closed in enumerate(contacts))]), value, quality)
    if sum(contacts) == 1:
        assert value[0] == contacts.index(True) + 1
        assert quality[0] == Quality.GOOD
    else:
        assert quality[0] == Quality.BAD_SENSOR
