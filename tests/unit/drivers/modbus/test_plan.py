"""Planning of requests, and the messages about wrong profiles."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.errors import ProfileError
from drivers.modbus.plan import plan_profile
from drivers.profile import Profile, parse_profile


def profile(points: dict[str, dict[str, Any]], *, protocol: str = "modbus", **wire: Any) -> Profile:
    rows = []
    for tag, row in points.items():
        write = row.pop("write", None)
        rows.append({"tag": tag, "zh": "點", "en": tag, "wire": row} | ({"write": write} if write else {}))
    head = {"id": "test", "equipment": "meter", "protocol": protocol, "vendor": "v", "model": "m", "source": "s"}
    return parse_profile({"profile": head | {"wire": wire}, "point": rows}, "test.toml")


def requests(points: dict[str, dict[str, Any]], **wire: Any) -> list[tuple[int, int, int]]:
    plan = plan_profile(profile(points, **wire))
    return [(request.function, request.address, request.count) for request in plan.requests]


def block(first: int, last: int, **more: Any) -> dict[str, Any]:
    return {"name": "b", "first": first, "last": last} | more


def test_without_a_block_every_point_is_read_alone() -> None:
    assert requests({"a": {"address": 10}, "b": {"address": 11}}) == [(3, 10, 1), (3, 11, 1)]


def test_points_of_one_register_share_its_request() -> None:
    assert requests({"a": {"address": 10, "bit": 0}, "b": {"address": 10, "bit": 1}}) == [(3, 10, 1)]


def test_objects_one_address_apart_that_answer_two_registers_stay_apart() -> None:
    points = {"a": {"address": 0x3B, "type": "f32"}, "b": {"address": 0x3C, "type": "f32"}}
    assert requests(points, function=4) == [(4, 0x3B, 2), (4, 0x3C, 2)]


def test_a_block_is_read_in_one_request_over_gaps_that_it_allows() -> None:
    points: dict[str, dict[str, Any]] = {
        "a": {"address": 0, "type": "f32"},
        "b": {"address": 4, "type": "f32"},
        "c": {"address": 20},
    }
    assert requests(points, blocks=[block(0, 30)]) == [(3, 0, 2), (3, 4, 2), (3, 20, 1)]
    assert requests(points, blocks=[block(0, 30, gap=2)]) == [(3, 0, 6), (3, 20, 1)]
    assert requests(points, blocks=[block(0, 30, gap=14)]) == [(3, 0, 21)]


def test_nothing_is_merged_across_blocks_or_functions() -> None:
    points = {"a": {"address": 0}, "b": {"address": 1}, "c": {"address": 2, "function": 4}}
    assert requests(points, blocks=[block(0, 0), block(1, 9, gap=9)]) == [(3, 0, 1), (3, 1, 1), (4, 2, 1)]


def test_a_value_is_never_split_over_two_requests() -> None:
    points = {f"v{n}": {"address": 4 * n, "type": "u64"} for n in range(5)}
    assert requests(points, blocks=[block(0, 99)], max_read=11) == [(3, 0, 8), (3, 8, 8), (3, 16, 4)]


def test_no_request_is_longer_than_125_registers() -> None:
    points = {f"v{n}": {"address": 2 * n, "type": "f32"} for n in range(100)}
    assert requests(points, blocks=[block(0, 999)]) == [(3, 0, 124), (3, 124, 76)]


def test_a_forbidden_range_ends_a_request() -> None:
    points = {"a": {"address": 0}, "b": {"address": 5}}
    assert requests(points, blocks=[block(0, 9, gap=9)], forbidden=[[2, 3]]) == [(3, 0, 1), (3, 5, 1)]


def test_a_base_moves_every_address() -> None:
    plan = plan_profile(profile({"a": {"address": 25}}, blocks=[block(25, 25)]), {"base": 1})
    assert [(request.address, request.count) for request in plan.requests] == [(24, 1)]


def test_the_word_order_may_be_given_by_the_device() -> None:
    made = profile({"a": {"address": 0, "type": "f32"}})
    assert plan_profile(made).registers["a"].order == "be"
    assert plan_profile(made, {"word_order": "le-word", "dev_eui": "x"}).registers["a"].order == "le-word"


def test_a_write_only_point_is_not_read() -> None:
    plan = plan_profile(
        profile({"a": {"address": 1}, "b": {"address": 2, "read": False, "write": {"low": 0, "high": 1}}})
    )
    assert set(plan.registers) == {"a"}
    assert set(plan.writes) == {"b"}


WRONG: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("wire.functon: unknown key", {"a": {"address": 0}}, {"functon": 4}),
    ("wire.function: got 5", {"a": {"address": 0}}, {"function": 5}),
    ("wire.function: got True", {"a": {"address": 0}}, {"function": True}),
    ("wire.word_order: got 'middle'", {"a": {"address": 0}}, {"word_order": "middle"}),
    ("wire.timeout_s: got 60", {"a": {"address": 0}}, {"timeout_s": 60}),
    ('point "a": wire.address is missing', {"a": {}}, {}),
    ('point "a": wire.address: got -1', {"a": {"address": -1}}, {}),
    ("must lie within 0 to 65535", {"a": {"address": 65535, "type": "f32"}}, {}),
    ("must lie within 0 to 65535", {"a": {"address": 0}}, {"base": 1}),
    ("wire.type: got 'f16'", {"a": {"address": 0, "type": "f16"}}, {}),
    ("functions 1 and 2 read bits", {"a": {"address": 0, "type": "f32"}}, {"function": 2}),
    ("functions 1 and 2 read bits", {"a": {"address": 0, "type": "bit"}}, {}),
    ("wire.scale: got 0", {"a": {"address": 0, "scale": 0}}, {}),
    ("need type u16", {"a": {"address": 0, "type": "i16", "bit": 3}}, {}),
    ("wire.bit: got 16", {"a": {"address": 0, "bit": 16}}, {}),
    ("wire.invert: only for", {"a": {"address": 0, "invert": True}}, {}),
    ("one_hot: got (1,)", {"a": {"one_hot": [1]}}, {"function": 2}),
    ("one_hot: got (1, 2)", {"a": {"one_hot": [1, 2], "address": 0}}, {}),
    ("only one of plus and over", {"a": {"address": 0, "plus": 4, "over": 6}}, {}),
    ("wire.fault: register 9 is not read", {"a": {"address": 0, "fault": {"address": 9, "mask": 1}}}, {}),
    ("wanted the raw pattern of a i16", {"a": {"address": 0}}, {"sentinels": {"i16": [-1]}}),
    ("wire.sentinels.i24: unknown key", {"a": {"address": 0}}, {"sentinels": {"i24": [1]}}),
    ("wire.blocks: got", {"a": {"address": 0}}, {"blocks": [{"name": "b", "first": 9, "last": 1}]}),
    ("wire.blocks.size: unknown key", {"a": {"address": 0}}, {"blocks": [{"name": "b", "size": 1}]}),
    ("wire.forbidden: got", {"a": {"address": 0}}, {"forbidden": [[5, 1]]}),
    ("touches the forbidden range 60 to 99", {"a": {"address": 59, "type": "u32"}}, {"forbidden": [[60, 99]]}),
    ("write_address is missing", {"a": {"address": 0, "write": {"low": 0, "high": 1}}}, {"function": 4}),
    ("6 writes one register", {"a": {"address": 0, "type": "f32", "write_fc": 6, "write": {"low": 0, "high": 1}}}, {}),
    ("coils take 5 or 15", {"a": {"address": 0, "write_fc": 5, "write": {"low": 0, "high": 1}}}, {}),
    ("words is missing", {"a": {"address": 0, "bit": 1, "write": {"low": 0, "high": 1}}}, {}),
    ("wire.words: got on = 1, wanted a state",
     {"a": {"address": 0, "words": {"on": 1}, "write": {"low": 0, "high": 1}}}, {}),
    ("prepare.word: got 70000",
     {"a": {"address": 0, "prepare": {"value": 1, "word": 70000}, "write": {"low": 0, "high": 1}}}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "points", "wire"), WRONG, ids=[message for message, _, _ in WRONG])
def test_a_wrong_profile_is_refused_with_profile_point_and_key(
    message: str, points: dict[str, Any], wire: dict[str, Any]
) -> None:
    made = profile({tag: dict(row) for tag, row in points.items()}, **wire)
    with pytest.raises(ProfileError) as caught:
        plan_profile(made)
    assert message in str(caught.value)
    assert str(caught.value).startswith("profile test: ")


def test_a_profile_of_another_protocol_is_refused() -> None:
    with pytest.raises(ProfileError, match="wanted 'modbus'"):
        plan_profile(profile({"a": {"address": 0}}, protocol="mqtt"))
