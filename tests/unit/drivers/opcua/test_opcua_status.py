"""Status codes, values and times of OPC UA; the codes are typed from OPC UA Part 6, annex A (StatusCode.csv)."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from asyncua import ua

from drivers.errors import NotWritableError
from drivers.opcua.node import Node
from drivers.opcua.request import encode
from drivers.opcua.status import decode, nanoseconds, quality_of, sample_time
from drivers.reading import Quality

S = 1_000_000_000
NOW = 1_800_000_000 * S


def node(kind: str = "Double", scale: float = 1.0) -> Node:
    return Node(0, "t", "urn:x", "T", kind, None, 0.0, scale)


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (0x00000000, Quality.GOOD),
        (0x00000480, Quality.GOOD),  # overflow bit of a queue
        (0x00960000, Quality.GOOD_OVERRIDDEN),
        (0x40000000, Quality.UNCERTAIN_RANGE),
        (0x408F0000, Quality.UNCERTAIN_STALE),
        (0x40900000, Quality.UNCERTAIN_STALE),
        (0x40910000, Quality.UNCERTAIN_SUBSTITUTE),
        (0x40940000, Quality.UNCERTAIN_RANGE),
        (0x80310000, Quality.BAD_COMM),
        (0x80320000, Quality.BAD_COMM),
        (0x808B0000, Quality.BAD_DEVICE),
        (0x808C0000, Quality.BAD_SENSOR),
        (0x808C0400, Quality.BAD_SENSOR),
        (0x80890000, Quality.BAD_CONFIG),
        (0x80340000, Quality.BAD_CONFIG),
        (0x80740000, Quality.BAD_CONFIG),
        (0x808D0000, Quality.BAD_OUT_OF_SERVICE),
        (0x80AB0000, Quality.BAD_DEVICE),
        (0xC0000000, Quality.BAD_DEVICE),
    ],
)
def test_opcua_status_code_becomes_quality(code: int, quality: Quality) -> None:
    assert quality_of(code) == quality


@pytest.mark.parametrize(
    ("variant", "kind", "wanted"),
    [
        (ua.Variant(21.5, ua.VariantType.Double), "Double", (21.5, Quality.GOOD)),
        (ua.Variant(21.5, ua.VariantType.Float), "Double", (21.5, Quality.GOOD)),
        (ua.Variant(True, ua.VariantType.Boolean), "Boolean", (1.0, Quality.GOOD)),
        (ua.Variant(3, ua.VariantType.UInt32), "Enumeration", (3.0, Quality.GOOD)),
        (ua.Variant(21, ua.VariantType.Int32), "Double", (math.nan, Quality.BAD_CONFIG)),
        (ua.Variant("21", ua.VariantType.String), "Double", (math.nan, Quality.BAD_CONFIG)),
        (ua.Variant(True, ua.VariantType.Boolean), "Double", (math.nan, Quality.BAD_CONFIG)),
        (ua.Variant([1.0, 2.0], ua.VariantType.Double), "Double", (math.nan, Quality.BAD_CONFIG)),
        (ua.Variant(None), "Double", (math.nan, Quality.BAD_CONFIG)),
        (ua.Variant(math.nan, ua.VariantType.Double), "Double", (math.nan, Quality.BAD_SENSOR)),
        (ua.Variant(math.inf, ua.VariantType.Double), "Double", (math.nan, Quality.BAD_SENSOR)),
    ],
)
def test_opcua_value_is_decoded_by_its_family(variant: ua.Variant, kind: str, wanted: tuple[float, Quality]) -> None:
    value, quality = decode(ua.DataValue(variant), node(kind))
    assert quality == wanted[1]
    assert value == wanted[0] or (math.isnan(value) and math.isnan(wanted[0]))


def test_opcua_bad_status_carries_no_value_and_scale_is_applied() -> None:
    bad = ua.DataValue(ua.Variant(5.0, ua.VariantType.Double), ua.StatusCode(ua.UInt32(0x808C0000)))
    assert math.isnan(decode(bad, node())[0])
    assert decode(ua.DataValue(ua.Variant(0.5, ua.VariantType.Double)), node(scale=100.0)) == (50.0, Quality.GOOD)
    assert encode(50.0, node(scale=100.0), None, "x").Value == 0.5


@pytest.mark.parametrize(
    ("source", "last", "trusted", "wanted"),
    [
        (NOW - S, 0, True, NOW - S),
        (NOW - S, 0, False, NOW),  # the first value after subscribing, or a wrong clock
        (None, 0, True, NOW),
        (NOW + 3600 * S, 0, True, NOW),
        (NOW - 3600 * S, 0, True, NOW),
        (NOW - 2 * S, NOW - S, True, NOW - S),  # said again meanwhile: time does not go back
        (NOW - S, NOW + S, True, NOW),
    ],
)
def test_opcua_time_of_a_value(source: int | None, last: int, trusted: bool, wanted: int) -> None:
    assert sample_time(source, NOW, last, trusted=trusted) == wanted


def test_opcua_times_are_utc_and_exact() -> None:
    assert nanoseconds(None) is None
    moment = datetime(2026, 3, 2, 1, 15, 22, 410_001, tzinfo=UTC)
    assert nanoseconds(moment) == 1_772_414_122_410_001_000
    assert nanoseconds(moment.replace(tzinfo=None)) == 1_772_414_122_410_001_000


@pytest.mark.parametrize(
    ("value", "kind", "seen", "wanted"),
    [
        (1.0, "Boolean", None, (True, ua.VariantType.Boolean)),
        (2.0, "Enumeration", None, (2, ua.VariantType.Int32)),
        (2.0, "Enumeration", ua.VariantType.UInt32, (2, ua.VariantType.UInt32)),
        (21.5, "Double", ua.VariantType.Float, (21.5, ua.VariantType.Float)),
        (21.5, "Double", ua.VariantType.String, (21.5, ua.VariantType.Double)),
        (65535.0, "UInt16", None, (65535, ua.VariantType.UInt16)),
        (-128.0, "SByte", None, (-128, ua.VariantType.SByte)),
    ],
)
def test_opcua_write_uses_the_type_that_was_seen(
    value: float, kind: str, seen: ua.VariantType | None, wanted: tuple[object, ua.VariantType]
) -> None:
    variant = encode(value, node(kind), seen, "x")
    assert (variant.Value, variant.VariantType) == wanted


@pytest.mark.parametrize(
    ("value", "kind"),
    [(0.5, "Boolean"), (2.0, "Boolean"), (1.5, "Int32"), (65536.0, "UInt16"), (-1.0, "UInt32"), (math.inf, "Double")],
)
def test_opcua_value_that_does_not_fit_is_not_written(value: float, kind: str) -> None:
    with pytest.raises(NotWritableError, match="tx: "):
        encode(value, node(kind), None, "tx")
