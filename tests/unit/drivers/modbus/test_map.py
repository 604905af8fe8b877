"""Registers whose numbers or texts have meanings, and values that a register declares bad."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivers.errors import ProfileError
from drivers.modbus.codec import BlockDecoder
from drivers.modbus.plan import plan_profile
from drivers.profile import parse_profile
from drivers.reading import Quality

HEAD = {"id": "test", "equipment": "charger", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}


def decode(rows: dict[str, dict[str, Any]], data: str) -> dict[str, float | None]:
    points = [{"tag": tag, "unit": "", "zh": "點", "en": "p", "wire": wire} for tag, wire in rows.items()]
    head = {**HEAD, "wire": {"blocks": [{"name": "all", "first": 0, "last": 99, "gap": 9}]}}
    plan = plan_profile(parse_profile({"profile": head, "point": points}, "test.toml"))
    (request,) = plan.requests
    value, quality = np.zeros(len(rows)), np.full(len(rows), 255, np.uint8)
    BlockDecoder(request).decode(bytes.fromhex(data), value, quality)
    return {tag: float(value[place]) if quality[place] == Quality.GOOD else None for place, tag in enumerate(rows)}


STATES = {"1": 0, "4": 2, "9": 5}


def test_a_number_means_what_the_map_says_and_an_unknown_one_nothing() -> None:
    rows: dict[str, dict[str, Any]] = {
        "a": {"address": 0, "map": STATES},
        "b": {"address": 1, "map": STATES},
        "c": {"address": 2},
    }
    assert decode(rows, "0004 0005 0005") == {"a": 2.0, "b": None, "c": 5.0}


def test_signs_and_word_order_are_those_of_the_type() -> None:
    rows = {
        "low": {"address": 0, "type": "u32", "word_order": "le-word", "map": {"65537": 1, "131073": 2}},
        "minus": {"address": 2, "type": "i16", "map": {"-1": 7}},
    }
    assert decode(rows, "0001 0002 FFFF") == {"low": 2.0, "minus": 7.0}


def test_a_text_ends_at_the_first_nul_and_blanks_are_not_part_of_it() -> None:
    wire = {"type": "text", "length": 2, "map": {"A": 0, "C2": 2}}
    rows = {"a": {"address": 0, **wire}, "b": {"address": 2, **wire}, "c": {"address": 4, **wire}}
    assert decode(rows, "4100 4242 4332 2020 FF32 0000") == {"a": 0.0, "b": 2.0, "c": None}


def test_a_value_is_bad_where_its_own_bits_say_so_and_a_small_negative_one_is_not() -> None:
    """MSR DGC-06: below -16385 are error bits; -2 is the noise of a head in clean air."""
    fault = {"mask": 0xC000, "equals": 0x8000}
    rows = {
        name: {"address": place, "type": "i16", "scale": 0.1, "fault": {"address": place, **fault}}
        for place, name in enumerate(("clean", "broken", "dirty", "least"))
    }
    found = decode(rows, "FFFE 8001 7FFF BFFE")
    assert found["broken"] is found["least"] is None
    assert found["clean"] == pytest.approx(-0.2)
    assert found["dirty"] == pytest.approx(3276.7)


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ({"type": "text", "map": {"A": 0}}, "length is missing"),
        ({"type": "text", "length": 2}, "map is missing"),
        ({"type": "text", "length": 21, "map": {"A": 0}}, "length: got 21"),
        ({"length": 2}, "length: a text needs"),
        ({"map": {"A": 0}}, "wanted raw numbers"),
        ({"map": {"1": "free"}}, "got 1 = 'free', wanted a number"),
        ({"type": "f32", "map": {"1": 0}}, "map: needs one of"),
        ({"map": {"1": 0}, "scale": 0.1}, "map: needs one of"),
        ({"map": {"1": 0}, "plus": 4}, "only one of plus and over"),
        ({"type": "text", "length": 1, "map": {"A": 0}, "sentinels": [1]}, "sentinels: a text"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(wire: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        decode({"a": {"address": 0, **wire}}, "0000")


def test_what_is_read_through_a_map_is_written_somewhere_else_or_by_words() -> None:
    point = {
        "tag": "enable",
        "kind": "binary",
        "unit": "",
        "zh": "允許",
        "en": "enabled",
        "write": {"low": 0, "high": 1},
    }
    wire = {"address": 0, "map": {"1": 0, "4": 1}}
    with pytest.raises(ProfileError, match="words is missing"):
        plan_profile(parse_profile({"profile": HEAD, "point": [{**point, "wire": wire}]}, "test.toml"))
    apart = {**wire, "write_address": 9}
    plan = plan_profile(parse_profile({"profile": HEAD, "point": [{**point, "wire": apart}]}, "test.toml"))
    assert plan.writes["enable"].address == 9
