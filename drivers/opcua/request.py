"""Single requests: what is sent for a value or a monitored item, and what the library's errors mean."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from drivers.errors import ConnectError, DeviceRefusedError, DeviceTimeoutError, DriverError, NotWritableError
from drivers.opcua.node import family
from drivers.opcua.status import status_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.opcua.node import Node

__all__ = [
    "ABSENT",
    "FILTER_REFUSED",
    "GONE",
    "REQUEST_S",
    "encode",
    "monitored_item",
    "raw_text",
    "text_of",
    "translated",
]

REQUEST_S = 4.0
"""Time-out of one request."""
_QUEUE = 10

GONE = {
    StatusCodes.BadSessionIdInvalid,
    StatusCodes.BadSessionClosed,
    StatusCodes.BadSessionNotActivated,
    StatusCodes.BadSecureChannelIdInvalid,
    StatusCodes.BadSecureChannelClosed,
    StatusCodes.BadConnectionClosed,
    StatusCodes.BadShutdown,
    StatusCodes.BadServerHalted,
}
ABSENT = {StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid}
FILTER_REFUSED = {
    StatusCodes.BadMonitoredItemFilterUnsupported,
    StatusCodes.BadMonitoredItemFilterInvalid,
    StatusCodes.BadFilterNotAllowed,
    StatusCodes.BadDeadbandFilterInvalid,
}


def encode(value: float, node: Node, seen: ua.VariantType | None, what: str) -> ua.Variant:
    """Return `value` in the type that the server showed for the node (`seen`), else in the profile's.

    Raises:
        NotWritableError: no finite number, no whole number for an integer, or outside of the type; `what` begins it.
    """
    kind = ua.VariantType.Int32 if node.type == "Enumeration" else ua.VariantType[node.type]
    if seen is not None and family(seen.name) == family(node.type):
        kind = seen
    raw = value / node.scale
    if not math.isfinite(raw):
        raise NotWritableError(f"{what}: {value} cannot be written")
    shape = family(kind.name)
    if shape == "float":
        return ua.Variant(raw, kind)
    whole = round(raw)
    if abs(whole - raw) > 1e-6 or (shape == "boolean" and whole not in (0, 1)):
        raise NotWritableError(f"{what}: {value:g} is no {kind.name}")
    low, high = _limits(kind)
    if not low <= whole <= high:
        raise NotWritableError(f"{what}: {value:g} does not fit a {kind.name} ({low} to {high})")
    return ua.Variant(bool(whole) if shape == "boolean" else whole, kind)


def monitored_item(
    handle: int, node_id: ua.NodeId, node: Node, period_s: float, *, plain: bool
) -> ua.MonitoredItemCreateRequest:
    """Return the request for one item; `plain` leaves the deadband out, which not every server can do."""
    parameters = ua.MonitoringParameters(
        ClientHandle=ua.UInt32(handle),
        SamplingInterval=node.sampling_ms or period_s * 1000,
        QueueSize=ua.UInt32(_QUEUE),
        DiscardOldest=True,
    )
    if node.deadband and not plain:
        parameters.Filter = ua.DataChangeFilter(
            ua.DataChangeTrigger.StatusValue, ua.UInt32(ua.DeadbandType.Absolute), node.deadband / node.scale
        )
    return ua.MonitoredItemCreateRequest(
        ua.ReadValueId(node_id, AttributeIds.Value), ua.MonitoringMode.Reporting, parameters
    )


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Give the library's errors of one request our names."""
    try:
        yield
    except DriverError:
        raise
    except TimeoutError as error:
        raise DeviceTimeoutError(f"{what}: no answer within {REQUEST_S:g} s") from error
    except UaStatusCodeError as error:
        name = status_name(error.code)
        if error.code in GONE:
            raise ConnectError(f"{what}: {name}") from error
        if error.code == StatusCodes.BadTimeout:
            raise DeviceTimeoutError(f"{what}: {name}") from error
        raise DeviceRefusedError(f"{what}: {name}", error.code) from error
    except (OSError, UaError) as error:
        raise ConnectError(f"{what}: {text_of(error)}") from error


def _limits(kind: ua.VariantType) -> tuple[int, int]:
    if kind == ua.VariantType.Boolean:
        return 0, 1
    bits = {"SByte": 8, "Byte": 8}.get(kind.name) or int(kind.name.rpartition("Int")[2])
    signed = kind.name in ("SByte", "Int16", "Int32", "Int64")
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def raw_text(data: ua.DataValue) -> str:
    """Return type and value as the server sent them, shortened."""
    variant = data.Value
    return f"{variant.VariantType.name} {str(variant.Value)[:60]}" if variant is not None else "nothing"


def text_of(error: BaseException) -> str:
    """Return what an error says, or its name where it says nothing."""
    return str(error) or type(error).__name__
