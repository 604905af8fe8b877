"""Rows of a profile that stand for many points."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.errors import ProfileError
from drivers.profile import Profile, parse_profile

ROW = {
    "tag": "zone_{n:02}_state", "zh": "分區 {n}", "en": "Zone {n}", "unit": "", "repeat": {"count": 3, "address": 2},
    "wire": {"address": 100, "type": "u16"},
}  # fmt: skip


def profile(**changed: Any) -> Profile:
    head = {"id": "test", "equipment": "e", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}
    return parse_profile({"profile": head, "point": [ROW | changed]}, "test.toml")


def test_a_repeated_row_makes_numbered_points_further_and_further_on() -> None:
    points = profile().points
    assert [point.tag for point in points] == ["zone_01_state", "zone_02_state", "zone_03_state"]
    assert [(point.zh, point.en) for point in points] == [(f"分區 {n}", f"Zone {n}") for n in (1, 2, 3)]
    assert [point.wire["address"] for point in points] == [100, 102, 104]
    assert all(point.wire["type"] == "u16" for point in points)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"repeat": {"count": 0}}, "repeat.count: got 0"),
        ({"repeat": {"count": 257}}, "repeat.count: got 257"),
        ({"repeat": {"count": 2, "bit": 1}}, "repeat.bit: got 1 beside wire.bit None"),
        ({"tag": "zone_state"}, r"wanted \{n\} in the tag"),
        ({"repeat": 3}, "wanted a table"),
    ],
)
def test_a_repetition_that_makes_no_points_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        profile(**changed)
