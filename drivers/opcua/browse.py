"""For `shifu read opc.tcp://…`: connect, read one node or list what is below it, and show what the server says."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from drivers.errors import ConnectError, DeviceRefusedError
from drivers.opcua.node import parse_nodes, resolve
from drivers.opcua.request import REQUEST_S, raw_text, text_of, translated
from drivers.opcua.session import Session
from drivers.opcua.status import decode, nanoseconds, quality_of, status_name
from drivers.opcua.trust import Credentials, credentials_of, secure
from drivers.reading import Quality
from drivers.trial import Trial, TrialPoint

if TYPE_CHECKING:
    from drivers.driver import Clock, Device

__all__ = ["Finding", "probe", "try_device"]

_MAX = 500
_PART = 200
"""Nodes of one read request."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One node as the server shows it."""

    node: str
    """Node id, such as `ns=2;s=AHU/01F-W/SupplyAirTemp`."""
    name: str
    value: str
    """Type and value as they came; empty for a node that is no variable."""
    status: str
    quality: str
    """Our quality of that status."""
    source_time_ns: int | None
    server_time_ns: int | None


async def probe(
    endpoint: str, clock: Clock, *, nodes: tuple[str, ...] = (), credentials: Credentials | None = None
) -> list[Finding]:
    """Read `nodes`; a node that is no variable, or none at all (then Objects), lists its children, at most 500.

    Args:
        endpoint: `opc.tcp://host:port`.
        clock: Checks the dates of certificates.
        nodes: Node ids such as `ns=2;s=…`, or `nsu=urn:…;s=…` by namespace URI.
        credentials: None connects without security and without a user.

    Raises:
        ConnectError: nobody there, refused, or the server's certificate is not trusted.
        DeviceRefusedError: a node id that the server does not know.
    """
    client = Client(endpoint, timeout=REQUEST_S, watchdog_intervall=3600.0)
    try:
        await secure(client, credentials or Credentials(security="none"), endpoint, clock.now_ns())
        await client.connect(auto_reconnect=False)
        uris = await client.get_namespace_array()
        findings: list[Finding] = []
        for text in nodes or ("i=85",):
            findings.extend(await _look(client, _node_id(text, uris, endpoint)))
        return findings[:_MAX]
    except UaStatusCodeError as error:
        raise ConnectError(f"{endpoint}: the server refuses: {status_name(error.code)}") from error
    except TimeoutError as error:
        raise ConnectError(f"{endpoint}: no answer within {REQUEST_S:g} s") from error
    except (OSError, UaError) as error:
        raise ConnectError(f"{endpoint}: {text_of(error)}") from error
    finally:
        for step in (client.close_session, client.close_secure_channel):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(step(), 1.0)
        with contextlib.suppress(Exception):
            client.disconnect_socket()


async def try_device(device: Device, clock: Clock) -> Trial:
    """Read every node of a device's profile once; one that is not there says so by itself.

    Raises:
        ProfileError: the profile or an option is wrong.
        ConnectError: nobody there, refused, or the server's certificate is not trusted.
        DeviceTimeoutError, DeviceRefusedError: the server did not answer, or refused the read as a whole.
    """
    nodes = parse_nodes(device.profile).nodes
    names = [resolve(node, device) for node in nodes]
    session = Session(device.endpoint, credentials_of([device]), clock)
    try:
        await session.open()
        ids = [session.node_id(node.namespace, name) for node, name in zip(nodes, names, strict=True)]
        known = [node_id for node_id in ids if node_id is not None]
        answers: list[ua.DataValue] = []
        with translated(device.endpoint):
            for start in range(0, len(known), _PART):
                answers += await session.read(known[start : start + _PART])
    finally:
        await session.close()
    told = iter(answers)
    points = []
    for node, node_id in zip(nodes, ids, strict=True):
        if node_id is None:
            where = f"{node.namespace};{node.template}"
            points.append(TrialPoint(node.place, where, "", math.nan, Quality.BAD_CONFIG, "no such namespace"))
            continue
        data = next(told)
        value, quality = decode(data, node)
        code = data.StatusCode.value if data.StatusCode is not None else 0
        points.append(TrialPoint(node.place, node_id.to_string(), raw_text(data), value, quality, status_name(code)))
    absent = all(point.quality == Quality.BAD_CONFIG for point in points)
    error = f"{device.endpoint}: none of the nodes is there; look at the options of the device" if absent else ""
    return Trial((), tuple(points), error)


def _node_id(text: str, uris: list[str], endpoint: str) -> ua.NodeId:
    if text.startswith("nsu="):
        uri, _, rest = text[4:].partition(";")
        if uri not in uris:
            raise DeviceRefusedError(f"{endpoint}: no namespace {uri}; the server has {', '.join(uris)}", 0x80340000)
        text = f"ns={uris.index(uri)};{rest}"
    try:
        return ua.NodeId.from_string(text)
    except (ValueError, UaError) as error:
        raise DeviceRefusedError(
            f"{text!r} is no node id; wanted ns=2;s=name or nsu=urn:…;s=name", 0x80330000
        ) from error


async def _look(client: Client, node_id: ua.NodeId) -> list[Finding]:
    (kind,) = await _read(client, [node_id], AttributeIds.NodeClass)
    if kind.StatusCode is not None and kind.StatusCode.value >= 0x80000000:
        name = status_name(kind.StatusCode.value)
        raise DeviceRefusedError(f"{node_id.to_string()}: {name}", kind.StatusCode.value)
    if kind.Value is not None and kind.Value.Value == ua.NodeClass.Variable:
        return await _show(client, [(node_id, "")])
    below = ua.BrowseDescription(
        NodeId=node_id,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences)),
        IncludeSubtypes=True,
        NodeClassMask=ua.UInt32(0),
        ResultMask=ua.UInt32(ua.BrowseResultMask.All),
    )
    (result,) = await client.uaclient.browse(ua.BrowseParameters(NodesToBrowse=[below]))
    children = [(one.NodeId, one.BrowseName.Name or "") for one in (result.References or [])[:_MAX]]
    return await _show(client, children)


async def _show(client: Client, nodes: list[tuple[ua.NodeId, str]]) -> list[Finding]:
    if not nodes:
        return []
    values = await _read(client, [node for node, _ in nodes], AttributeIds.Value)
    findings = []
    for (node, name), data in zip(nodes, values, strict=True):
        code = data.StatusCode.value if data.StatusCode is not None else 0
        variable = status_name(code) != "BadAttributeIdInvalid"
        findings.append(
            Finding(
                node=node.to_string(),
                name=name,
                value=raw_text(data) if variable else "",
                status=status_name(code) if variable else "",
                quality=quality_of(code).name if variable else "",
                source_time_ns=nanoseconds(data.SourceTimestamp),
                server_time_ns=nanoseconds(data.ServerTimestamp),
            )
        )
    return findings


async def _read(client: Client, nodes: list[ua.NodeId], attribute: AttributeIds) -> list[ua.DataValue]:
    return await client.uaclient.read(
        ua.ReadParameters(0, ua.TimestampsToReturn.Both, [ua.ReadValueId(node, attribute) for node in nodes])
    )
