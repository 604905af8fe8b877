"""One OPC UA session: opened, asked, given up. It is made new for every connection, so that nothing old stays in it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaStatusCodeError

from drivers.errors import ConnectError
from drivers.opcua.request import REQUEST_S
from drivers.opcua.status import status_name
from drivers.opcua.trust import secure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncua.client.ua_client import UaClient

    from drivers.driver import Clock
    from drivers.opcua.trust import Credentials

__all__ = ["Session"]

_SESSION_MS = 60_000
_NAMESPACES = ua.NodeId(ua.Int32(ObjectIds.Server_NamespaceArray))


class Session:
    """A session with one server, from `open` to its end."""

    def __init__(self, endpoint: str, credentials: Credentials, clock: Clock) -> None:
        """Prepare; nothing is opened.

        Raises:
            ConnectError: the endpoint cannot be used.
        """
        self._endpoint = endpoint
        self._credentials = credentials
        self._clock = clock
        self._index: dict[str, int] = {}
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done when the connection is gone; its result is the reason."""
        try:
            self._client = Client(endpoint, timeout=REQUEST_S, watchdog_intervall=3600.0)
        except ValueError as error:
            raise ConnectError(f"{endpoint}: {error}; wanted opc.tcp://host:port") from error
        self._client.name = self._client.description = "Shifu"
        self._client.session_timeout = _SESSION_MS
        self._client.connection_lost_callback = self._lost

    async def open(self) -> None:
        """Connect, log in and look up the namespaces.

        Raises:
            ConnectError: nobody there, refused, or the server's certificate is not trusted.
        """
        try:
            await secure(self._client, self._credentials, self._endpoint, self._clock.now_ns())
            await self._client.connect(auto_reconnect=False)
            await self.look_up()
        except asyncio.CancelledError:
            await self.close()
            raise
        except Exception as error:
            # Sockets, name resolution, keys and certificates fail with types of many libraries; all mean: no session.
            await self.close()
            if isinstance(error, ConnectError):
                raise
            if isinstance(error, TimeoutError):
                reason = f"no answer within {REQUEST_S:g} s"
            elif isinstance(error, UaStatusCodeError):
                reason = f"the server refuses: {status_name(error.code)}"
            else:
                reason = str(error) or type(error).__name__
            raise ConnectError(f"{self._endpoint}: {reason}", cause=_cause(error)) from error

    async def close(self) -> None:
        """Say goodbye if there is somebody, and close the socket."""
        self.end("closed by us")
        for step in (self._client.close_session, self._client.close_secure_channel):
            with contextlib.suppress(Exception):  # a dead peer cannot say goodbye
                await asyncio.wait_for(step(), 1.0)
        with contextlib.suppress(Exception):
            self._client.disconnect_socket()

    def end(self, reason: str) -> None:
        """Note that the connection is of no more use; the first reason stays."""
        if not self.ended.done():
            self.ended.set_result(reason)

    async def _lost(self, error: Exception) -> None:
        self.end(f"the connection ended: {error or type(error).__name__}")

    @property
    def client(self) -> UaClient:
        """The library's client for single requests.

        Raises:
            ConnectError: the connection has ended.
        """
        if self.ended.done():
            raise ConnectError(f"{self._endpoint}: not connected: {self.ended.result()}")
        return self._client.uaclient

    async def look_up(self) -> None:
        """Read the namespace array: a server may number its namespaces anew at every start.

        Raises:
            ConnectError: the server has none, or the connection has ended.
        """
        (data,) = await self.read([_NAMESPACES])
        uris = data.Value.Value if data.Value is not None else None
        if not isinstance(uris, list):
            raise ConnectError(f"{self._endpoint}: the server has no namespace array")
        self._index = {str(uri): place for place, uri in enumerate(uris)}

    def node_id(self, namespace: str, identifier: str | int) -> ua.NodeId | None:
        """Return the node id on this server; None where it does not have the namespace."""
        place = self._index.get(namespace)
        if place is None:
            return None
        if isinstance(identifier, int):
            return ua.NodeId(ua.Int32(identifier), ua.Int16(place))
        return ua.NodeId(ua.String(identifier), ua.Int16(place))

    async def read(self, nodes: Sequence[ua.NodeId]) -> list[ua.DataValue]:
        """Read the values of some nodes in one request.

        Raises:
            ConnectError: the connection has ended.
            TimeoutError, UaError: as the library says.
        """
        parameters = ua.ReadParameters(
            0, ua.TimestampsToReturn.Both, [ua.ReadValueId(node, AttributeIds.Value) for node in nodes]
        )
        return await self.client.read(parameters)


def _cause(error: Exception) -> str:
    """Return what the server's refusal is about, where its status says so."""
    name = status_name(error.code) if isinstance(error, UaStatusCodeError) else ""
    if "Identity" in name or name == "BadUserAccessDenied":
        return "sign_in"
    if "Certificate" in name or name == "BadSecurityChecksFailed":
        return "trust"
    return "unreachable" if isinstance(error, TimeoutError) else ""
