"""Status codes and values: what a server says becomes a number and a quality. No connection in here.

Source of the codes: OPC UA Part 6, annex A (StatusCode.csv); of their meaning for data: Part 8, tables 28 to 30.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from drivers.opcua.node import family
from drivers.reading import Quality

if TYPE_CHECKING:
    from drivers.opcua.node import Node

__all__ = ["decode", "nanoseconds", "quality_of", "sample_time", "status_name"]

_CODES = StatusCodes
_QUALITY: dict[int, Quality] = {
    _CODES.GoodLocalOverride: Quality.GOOD_OVERRIDDEN,
    _CODES.UncertainLastUsableValue: Quality.UNCERTAIN_STALE,
    _CODES.UncertainNoCommunicationLastUsableValue: Quality.UNCERTAIN_STALE,
    _CODES.UncertainEngineeringUnitsExceeded: Quality.UNCERTAIN_RANGE,
    _CODES.UncertainSensorNotAccurate: Quality.UNCERTAIN_RANGE,
    _CODES.UncertainSubstituteValue: Quality.UNCERTAIN_SUBSTITUTE,
    _CODES.UncertainInitialValue: Quality.UNCERTAIN_SUBSTITUTE,
    _CODES.UncertainSubNormal: Quality.UNCERTAIN_SUBSTITUTE,
    _CODES.BadNoCommunication: Quality.BAD_COMM,
    _CODES.BadCommunicationError: Quality.BAD_COMM,
    _CODES.BadNotConnected: Quality.BAD_COMM,
    _CODES.BadTimeout: Quality.BAD_COMM,
    _CODES.BadWaitingForInitialData: Quality.BAD_COMM,
    _CODES.BadDeviceFailure: Quality.BAD_DEVICE,
    _CODES.BadSensorFailure: Quality.BAD_SENSOR,
    _CODES.BadConfigurationError: Quality.BAD_CONFIG,
    _CODES.BadNodeIdUnknown: Quality.BAD_CONFIG,
    _CODES.BadNodeIdInvalid: Quality.BAD_CONFIG,
    _CODES.BadAttributeIdInvalid: Quality.BAD_CONFIG,
    _CODES.BadTypeMismatch: Quality.BAD_CONFIG,
    _CODES.BadNotReadable: Quality.BAD_CONFIG,
    _CODES.BadNotSupported: Quality.BAD_CONFIG,
    _CODES.BadUserAccessDenied: Quality.BAD_CONFIG,
    _CODES.BadMonitoredItemFilterUnsupported: Quality.BAD_CONFIG,
    _CODES.BadOutOfService: Quality.BAD_OUT_OF_SERVICE,
}
_FLOATS = frozenset({ua.VariantType.Float, ua.VariantType.Double})
_INTEGERS = frozenset(
    {
        ua.VariantType.SByte, ua.VariantType.Byte, ua.VariantType.Int16, ua.VariantType.UInt16, ua.VariantType.Int32,
        ua.VariantType.UInt32, ua.VariantType.Int64, ua.VariantType.UInt64,
    }
)  # fmt: skip
_ALLOWED = {"float": _FLOATS, "integer": _INTEGERS, "boolean": frozenset({ua.VariantType.Boolean})}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_OLDEST_NS = 30_000_000_000
"""A source time further back than this is of another clock, or of a change long before we subscribed."""


def quality_of(code: int) -> Quality:
    """Map a status code; the info bits (overflow, limit) are ignored, and unknown codes go by their severity."""
    known = _QUALITY.get(code & 0xFFFF0000)
    if known is not None:
        return known
    if code < 0x40000000:
        return Quality.GOOD
    return Quality.UNCERTAIN_RANGE if code < 0x80000000 else Quality.BAD_DEVICE


def status_name(code: int) -> str:
    """Return the standard's name of a status code, or its number."""
    try:
        name: str = ua.StatusCode(ua.UInt32(code)).name
    except (AttributeError, KeyError, ValueError):
        return f"0x{code:08X}"
    return name


def decode(data: ua.DataValue, node: Node) -> tuple[float, Quality]:
    """Turn a value with its status into a number and a quality; never raises.

    A bad value carries NaN. A value of another type than the profile's, an array, or nothing under a good status is a
    wrong profile: BAD_CONFIG. NaN and infinity are a failed sensor.
    """
    code = data.StatusCode.value if data.StatusCode is not None else 0
    quality = quality_of(code)
    if quality >= Quality.BAD_COMM:
        return math.nan, quality
    variant = data.Value
    if variant is None or variant.Value is None:
        return math.nan, Quality.BAD_CONFIG if quality < Quality.UNCERTAIN_STALE else Quality.BAD_DEVICE
    if variant.VariantType not in _ALLOWED[family(node.type)] or not isinstance(variant.Value, int | float):
        return math.nan, Quality.BAD_CONFIG
    value = float(variant.Value) * node.scale
    if not math.isfinite(value):
        return math.nan, Quality.BAD_SENSOR
    return value, quality


def nanoseconds(moment: datetime | None) -> int | None:
    """Return ns since 1970 UTC; a time without a zone is UTC, as OPC UA times are."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND * 1000


def sample_time(source_ns: int | None, now_ns: int, last_ns: int, *, trusted: bool) -> int:
    """Choose the time of a value: the source's where it can be believed, else now; never in the future.

    Args:
        source_ns: The source's time stamp, or None.
        now_ns: Our own time of receipt.
        last_ns: The time under which the point's last value was handed over; time does not go back.
        trusted: False when the server's clock is wrong, or for the first value after subscribing, whose time stamp says
            when it changed last and not when it was seen.
    """
    if source_ns is None or not trusted or now_ns - source_ns > _OLDEST_NS:
        return now_ns
    return min(max(source_ns, last_ns), now_ns)
