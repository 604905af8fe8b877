"""The OPC UA driver: one session with a server, subscriptions for all devices behind it.

The library's own reconnection is off (`Link` has that): a session is made, used and thrown away whole. The connection
is lost when the transport ends, when the server does not answer a read of its own state for `SILENT_S`, when a
subscription publishes nothing for three of its keep-alive intervals, when the server says that it is gone or no longer
knows a subscription, or when a device's counter moves and nobody tells us. With the server's state some nodes are read
in turn: a node that was deleted while we were connected is found so, where the server does not say it.

How fresh a value is, when a server tells only changes: see `drivers.opcua.held`.

Options of a device: those that its profile's nodes need (`node_prefix`), and `security` (see `drivers.opcua.trust`).
Secrets: `user`, `password`, and the paths `certificate`, `private_key`, `ca`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from drivers.errors import (
    ConnectError,
    DecodeError,
    DeviceRefusedError,
    NotWritableError,
    ProfileError,
)
from drivers.opcua.held import Columns, Held
from drivers.opcua.request import (
    ABSENT,
    FILTER_REFUSED,
    GONE,
    REQUEST_S,
    encode,
    monitored_item,
    raw_text,
    text_of,
    translated,
)
from drivers.opcua.session import Session
from drivers.opcua.status import decode, nanoseconds, quality_of, status_name
from drivers.opcua.trust import credentials_of
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.driver import Clock, Device, Sink

__all__ = ["OpcUaCounts", "OpcUaDriver"]

PROBE_S = 3.0
"""How often the server's state is read."""
SILENT_S = 8.0
"""Without an answer for this long the connection is given up."""
CLOCK_S = 5.0
"""A server whose clock differs by more is not asked for the time of its values."""
_KEEPALIVE_S = 3.0
_BATCH = 200
_MISSING_S = 30.0
_SESSION_MS = 60_000
_NAMED = 3
_AUDIT = 100
"""Nodes read with every probe."""

_STATE = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))
_TIME = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_CurrentTime))
_NAMESPACES = ua.NodeId(ua.Int32(ObjectIds.Server_NamespaceArray))
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class OpcUaCounts:
    """What happened, since the start of the controller."""

    notifications: int = 0
    publishes: int = 0
    repeats: int = 0
    """Batches of unchanged values that were said again."""
    faults: int = 0
    """Exceptions caught while a notification was handled; each is a bug."""
    clock_offset_s: float = 0.0
    """Server's clock minus ours."""


@dataclass(slots=True)
class _Channel:
    """One subscription: all devices of one period."""

    number: int
    """Subscription id."""
    heard: float
    """Monotonic time of its last publish response."""
    limit_s: float
    """Silence after which it is lost."""
    devices: frozenset[int]


class OpcUaDriver:
    """A `SubscribedDriver` for the devices behind one OPC UA server."""

    def __init__(self, devices: Sequence[Device], clock: Clock) -> None:
        """Check the profiles and resolve the nodes; nothing is opened.

        Raises:
            ProfileError: a profile or an option is wrong, or the devices differ in endpoint or credentials.
        """
        if not devices:
            raise ProfileError("an OPC UA connection needs at least one device")
        self._devices = tuple(devices)
        self._endpoint = devices[0].endpoint
        for device in devices:
            if device.endpoint != self._endpoint:
                raise ProfileError(f"devices {devices[0].id} and {device.id}: one connection, but different endpoints")
        self._clock = clock
        self._credentials = credentials_of(devices)
        self._held = Held(devices)
        self._opened: Session | None = None
        self._sink: Sink | None = None
        self._types: dict[int, ua.VariantType] = {}
        self._channels: list[_Channel] = []
        self._missing: set[int] = set()
        self._fresh: dict[int, Columns] = {}
        self._flushing = False
        self._audited = 0
        self._confirms = True
        self.counts = OpcUaCounts()

    @property
    def devices(self) -> Sequence[Device]:
        """The devices behind this server."""
        return self._devices

    # -- connect -----------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Open a session; look up the namespaces.

        Raises:
            ConnectError: nobody there, refused, or the server's certificate is not trusted.
        """
        await self.close()
        session = Session(self._endpoint, self._credentials, self._clock)
        await session.open()
        self._opened = session

    async def close(self) -> None:
        """Close the session; safe to call twice and in any state."""
        session, self._opened = self._opened, None
        self._channels = []
        if session is not None:
            await session.close()

    @property
    def _session(self) -> Session:
        if self._opened is None:
            raise ConnectError(f"{self._endpoint}: not connected")
        return self._opened

    def _node_id(self, handle: int) -> ua.NodeId | None:
        item = self._held.items[handle]
        return self._session.node_id(item.node.namespace, item.identifier)

    # -- subscribe ---------------------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Subscribe everything anew, and deliver until the connection is lost.

        Raises:
            ConnectError: always, with the reason.
        """
        session = self._session
        self._sink = sink
        self._held.reset()
        self._fresh.clear()
        self._missing.clear()
        try:
            await self._subscribe(session)
            await self._watch(session)
        except ConnectError:
            raise
        except (UaError, OSError, TimeoutError) as error:
            raise ConnectError(f"{self._endpoint}: {text_of(error)}") from error
        finally:
            self._sink = None

    async def _subscribe(self, session: Session) -> None:
        self._channels = []
        periods: dict[float, list[int]] = {}
        for place, device in enumerate(self._devices):
            periods.setdefault(device.period_s, []).append(place)
        for period_s, places in periods.items():
            chosen = frozenset(places)
            interval_s = min(period_s, 60.0)
            keepalive = max(1, math.ceil(_KEEPALIVE_S / interval_s))
            parameters = ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=interval_s * 1000,
                RequestedLifetimeCount=ua.UInt32(max(3 * keepalive, math.ceil(60 / interval_s))),
                RequestedMaxKeepAliveCount=ua.UInt32(keepalive),
                MaxNotificationsPerPublish=ua.UInt32(0),
                PublishingEnabled=True,
                Priority=ua.Byte(0),
            )
            channel = _Channel(0, self._clock.monotonic(), math.inf, chosen)
            self._channels.append(channel)
            result = await session.client.create_subscription(
                parameters, callback=lambda published, channel=channel: self._published(channel, published)
            )
            channel.number = result.SubscriptionId
            alive_s = result.RevisedPublishingInterval / 1000 * (result.RevisedMaxKeepAliveCount or 1)
            channel.heard = self._clock.monotonic()
            channel.limit_s = max(SILENT_S, 3 * alive_s + REQUEST_S)
            handles = [
                handle
                for handle, item in enumerate(self._held.items)
                if item.device in chosen and self._held.subscribed(handle)
            ]
            await self._monitor(channel, handles)

    async def _monitor(self, channel: _Channel, handles: Sequence[int]) -> None:
        """Create monitored items; a node that is not there is bad (config), alone, and is looked for again later."""
        known: list[tuple[int, ua.NodeId]] = []
        for handle in handles:
            node_id = self._node_id(handle)
            if node_id is None:
                self._absent(handle, StatusCodes.BadNodeIdUnknown)
            else:
                known.append((handle, node_id))
        plain: set[int] = set()
        while known:
            part, known = known[:_BATCH], known[_BATCH:]
            results = await self._session.client.create_monitored_items(
                ua.CreateMonitoredItemsParameters(
                    ua.UInt32(channel.number),
                    ua.TimestampsToReturn.Both,
                    [self._request(handle, node_id, plain=handle in plain) for handle, node_id in part],
                )
            )
            for (handle, node_id), result in zip(part, results, strict=True):
                code = result.StatusCode.value
                if code in FILTER_REFUSED and handle not in plain:
                    plain.add(handle)
                    known.append((handle, node_id))
                elif code >= 0x80000000:
                    self._absent(handle, code)
                else:
                    self._missing.discard(handle)
        self._flush_soon()

    def _request(self, handle: int, node_id: ua.NodeId, *, plain: bool) -> ua.MonitoredItemCreateRequest:
        item = self._held.items[handle]
        return monitored_item(handle, node_id, item.node, self._devices[item.device].period_s, plain=plain)

    def _absent(self, handle: int, code: int) -> None:
        """Say of one point that its node cannot be monitored."""
        item = self._held.items[handle]
        if handle not in self._missing:
            self._missing.add(handle)
            _log.warning(
                "%s: device %s: node %s cannot be monitored: %s",
                self._endpoint, self._devices[item.device].id, item.identifier, status_name(code),
            )  # fmt: skip
        quality = max(quality_of(code), Quality.BAD_DEVICE)
        now_ns = self._clock.now_ns()
        self._held.put(handle, math.nan, quality, now_ns, self._clock.monotonic())
        self._collect(handle, math.nan, quality, now_ns)

    # -- watch -------------------------------------------------------------------------------------------------------

    async def _watch(self, session: Session) -> None:
        """Every second: is everybody there, and what may be said again? Ends by raising."""
        clock = self._clock
        answered = probed = searched = clock.monotonic()
        running = True
        while True:
            await self._pause(session.ended, 1.0)
            if session.ended.done():
                raise ConnectError(f"{self._endpoint}: {session.ended.result()}")
            now = clock.monotonic()
            if now - probed >= PROBE_S:
                probed = now
                try:
                    running = await self._probe()
                    answered = clock.monotonic()
                    await self._confirm()
                except (TimeoutError, UaStatusCodeError) as error:
                    if isinstance(error, UaStatusCodeError) and error.code in GONE:
                        raise
                    if clock.monotonic() - answered >= SILENT_S:
                        raise ConnectError(
                            f"{self._endpoint}: no answer for {clock.monotonic() - answered:.0f} s: {text_of(error)}"
                        ) from error
                now = clock.monotonic()
            for channel in self._channels:
                if now - channel.heard > channel.limit_s:
                    raise ConnectError(
                        f"{self._endpoint}: subscription {channel.number} published nothing "
                        f"for {now - channel.heard:.0f} s"
                    )
            if running and now - answered <= SILENT_S:
                self._repeat(now)
            if self._missing and now - searched >= _MISSING_S:
                searched = now
                await self._search()

    async def _pause(self, lost: asyncio.Future[str], seconds: float) -> None:
        pause = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((pause, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pause

    async def _probe(self) -> bool:
        """Read the server's state and clock; True while it runs."""
        part = self._audit(_AUDIT)
        state, moment, *values = await self._session.read([_STATE, _TIME, *(node_id for _, node_id in part)])
        server_ns = None
        if moment.Value is not None and moment.Value.VariantType == ua.VariantType.DateTime:
            server_ns = nanoseconds(moment.Value.Value)
        if server_ns is not None:
            self.counts.clock_offset_s = (server_ns - self._clock.now_ns()) / 1e9
        now = self._clock.monotonic()
        for (handle, _), data in zip(part, values, strict=True):
            code = data.StatusCode.value if data.StatusCode is not None else 0
            if code in ABSENT:
                self._absent(handle, code)
            elif self._held.untold(handle, data, now):
                node = self._held.items[handle].identifier
                raise ConnectError(f"{self._endpoint}: {node} moves, but its subscription does not tell it")
        self._flush_soon()
        return state.Value is not None and state.Value.Value == ua.ServerState.Running

    def _audit(self, count: int) -> list[tuple[int, ua.NodeId]]:
        """Return the next `count` monitored nodes in turn, those that are known to be missing left out."""
        size = len(self._held.items)
        part = []
        for step in range(min(count, size)):
            handle = (self._audited + step) % size
            if self._held.subscribed(handle) and handle not in self._missing:
                node_id = self._node_id(handle)
                if node_id is not None:
                    part.append((handle, node_id))
        self._audited = (self._audited + count) % max(size, 1)
        return part

    async def _confirm(self) -> None:
        """Ask whether the server still knows our subscriptions; switching them on again changes nothing.

        Raises:
            ConnectError: it has forgotten one.
        """
        if not self._confirms or not self._channels:
            return
        numbers = [ua.UInt32(channel.number) for channel in self._channels]
        request = ua.SetPublishingModeParameters(PublishingEnabled=True, SubscriptionIds=numbers)
        try:
            results = await self._session.client.set_publishing_mode(request)
        except UaStatusCodeError as error:
            if error.code in GONE:
                raise
            # A server that cannot do this; the silence of the subscription will show it later.
            self._confirms = False
            return
        for channel, result in zip(self._channels, results, strict=False):
            if result.value == StatusCodes.BadSubscriptionIdInvalid:
                raise ConnectError(f"{self._endpoint}: the server has forgotten subscription {channel.number}")

    def trouble(self, device: Device) -> str:
        """Say which nodes of the device cannot be monitored; empty when all can."""
        if not self._missing:
            return ""
        items = [self._held.items[handle] for handle in sorted(self._missing)]
        names = [str(item.identifier) for item in items if self._devices[item.device] is device]
        if not names:
            return ""
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"{len(names)} of its nodes cannot be monitored: {', '.join(names[:_NAMED])}{more}"

    def _repeat(self, now: float) -> None:
        sink = self._sink
        if sink is None:
            return
        now_ns = self._clock.now_ns()
        for place, device in enumerate(self._devices):
            batch = self._held.repeat(place, now_ns, now)
            if batch is not None:
                self.counts.repeats += 1
                sink.readings(device, batch)

    async def _search(self) -> None:
        """Look again for nodes that were not there: a DDC loads its program after its server is up."""
        await self._session.look_up()
        for channel in self._channels:
            handles = [handle for handle in sorted(self._missing) if self._held.items[handle].device in channel.devices]
            if handles:
                await self._monitor(channel, handles)

    # -- notifications -----------------------------------------------------------------------------------------------

    def _published(self, channel: _Channel, result: ua.PublishResult) -> None:
        """Take one publish response: it stores and collects, and nothing in it can end the library's loop."""
        now = channel.heard = self._clock.monotonic()
        now_ns = self._clock.now_ns()
        self.counts.publishes += 1
        trusted = abs(self.counts.clock_offset_s) <= CLOCK_S
        for notice in result.NotificationMessage.NotificationData or ():
            if isinstance(notice, ua.DataChangeNotification):
                for one in notice.MonitoredItems:
                    try:
                        self._notified(one, now_ns, now, trusted=trusted)
                    except Exception:  # noqa: BLE001 - one odd notification must not cost the others
                        self.counts.faults += 1
                        _log.exception("%s: a notification could not be handled", self._endpoint)
            elif isinstance(notice, ua.StatusChangeNotification) and self._opened is not None:
                code = notice.Status.value if notice.Status is not None else 0
                if code >= 0x80000000:
                    self._opened.end(f"subscription {channel.number} ended: {status_name(code)}")
        self._flush_soon()

    def _notified(self, one: ua.MonitoredItemNotification, now_ns: int, now: float, *, trusted: bool) -> None:
        handle, data = int(one.ClientHandle), one.Value
        self.counts.notifications += 1
        if data.Value is not None and data.Value.VariantType is not ua.VariantType.Null:
            self._types[handle] = data.Value.VariantType
        code = data.StatusCode.value if data.StatusCode is not None else 0
        if code in ABSENT:
            self._missing.add(handle)
        value, quality, time_ns = self._held.take(handle, data, now_ns, now, trusted=trusted)
        self._collect(handle, value, quality, time_ns)

    def _collect(self, handle: int, value: float, quality: Quality, time_ns: int) -> None:
        item = self._held.items[handle]
        if item.number >= 0:
            self._fresh.setdefault(item.device, Columns()).add(item.number, value, time_ns, quality)

    def _flush_soon(self) -> None:
        if self._fresh and not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        fresh, self._fresh = self._fresh, {}
        sink = self._sink
        if sink is None:
            return
        for place, columns in fresh.items():
            sink.readings(self._devices[place], columns.batch())

    # -- read and write ----------------------------------------------------------------------------------------------

    async def read(self, device: Device, tag: str) -> float:
        """Read one point now.

        Raises:
            KeyError: the profile has no such point.
            DeviceRefusedError: a bad status; `code` is its number.
            DecodeError: another type than the profile says, or no number.
            DeviceTimeoutError, ConnectError: no answer.
        """
        handle, node_id = self._find(device, tag)
        with translated(f"{device.id}: {tag}"):
            (data,) = await self._session.read([node_id])
        code = data.StatusCode.value if data.StatusCode is not None else 0
        if code >= 0x80000000:
            raise DeviceRefusedError(f"{device.id}: {tag}: {status_name(code)}", code)
        value, quality = decode(data, self._held.items[handle].node)
        if quality >= Quality.BAD_COMM:
            raise DecodeError(
                f"{device.id}: {tag}: got {raw_text(data)}, wanted a {self._held.items[handle].node.type}"
            )
        return value

    async def write(self, device: Device, tag: str, value: float) -> None:
        """Write one point once, in the data type that the server uses for it.

        Raises:
            KeyError: the profile has no such point.
            NotWritableError: the profile has no [write] for it, or the value does not fit its type.
            DeviceRefusedError: a bad status, such as BadUserAccessDenied in fire mode; `code` is its number.
            DeviceTimeoutError, ConnectError: unknown whether it arrived.
        """
        point = device.profile.point(tag)
        keepalive = device.profile.keepalive
        if point.write is None and (keepalive is None or keepalive.tag != tag):
            raise NotWritableError(f"{device.id}: {tag}: profile {device.profile.id} does not let it be written")
        handle, node_id = self._find(device, tag)
        variant = encode(value, self._held.items[handle].node, self._types.get(handle), f"{device.id}: {tag}")
        # Value alone: many servers refuse to have a status or a time written (BadWriteNotSupported).
        request = ua.WriteValue(node_id, AttributeIds.Value, "", ua.DataValue(variant, None))
        with translated(f"{device.id}: {tag}"):
            (status,) = await self._session.client.write(ua.WriteParameters([request]))
        if status.value >= 0x80000000:
            name = status_name(status.value)
            raise DeviceRefusedError(f"{device.id}: {tag}: the server refuses {value:g}: {name}", status.value)

    def _find(self, device: Device, tag: str) -> tuple[int, ua.NodeId]:
        handle = self._held.handles.get((device.id, tag))
        if handle is None:
            raise KeyError(tag)
        node_id = self._node_id(handle)
        if node_id is None:
            uri = self._held.items[handle].node.namespace
            raise DeviceRefusedError(
                f"{device.id}: {tag}: the server has no namespace {uri}", int(StatusCodes.BadNodeIdUnknown)
            )
        return handle, node_id
