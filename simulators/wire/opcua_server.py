"""The DDC server processes: each an OPC UA server whose values come by a local socket and whose writes go back by it.

Started by `simulators.wire.nursery` as `python -m simulators.wire.opcua_server SOCKET`. That process imports the
library and fills in the standard address space, which take 1.3 s of CPU, once, and then forks a server process for
each connection to SOCKET. One JSON object a line. The world says first the set-up, then
`{"time": ns, "values": [[node, value, status], …]}` and `{"answer": id, "value" | "refused": …}`; the server
`{"ready": port, "pid": …}` and `{"write": id, "object": n, "quantity": …, "value": …}`. A server ends when its
connection ends and the forking process when its standard input ends, so that neither outlives the world.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import math
import os
import select
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AttributeService
from asyncua.server.internal_server import InternalServer
from asyncua.server.server import Server
from asyncua.server.standard_address_space.standard_address_space import fill_address_space
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from cryptography.hazmat.primitives.serialization import Encoding

from simulators.wire.address_space import KINDS
from simulators.wire.certificate import SERVER_URI, issue
from simulators.wire.credential import Credentials

if TYPE_CHECKING:
    from cryptography import x509

    from simulators.wire.ddc import DdcNode

__all__ = ["main"]

_log = logging.getLogger(__name__)

_LINE = 16 * 1_048_576
_ANSWER_S = 5.0
_TYPES = {
    "Double": ua.VariantType.Double,
    "Boolean": ua.VariantType.Boolean,
    "Int16": ua.VariantType.Int16,
    "Int32": ua.VariantType.Int32,
    "UInt32": ua.VariantType.UInt32,
}
_LIMITS = TransportLimits(max_recv_buffer=65536, max_send_buffer=65536, max_chunk_count=64, max_message_size=4_194_304)


class _Login:
    """One user name and password; nobody is an administrator."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def get_user(
        self,
        iserver: InternalServer,  # noqa: ARG002 - the shape of asyncua's UserManager
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,  # noqa: ARG002
    ) -> User | None:
        if username == self._user and password == self._password:
            return User(role=UserRole.User, name=username)
        return None


class _Writes(AttributeService):
    """Writes of clients go to the world and come back as the value in effect."""

    def __init__(self, ddc: _Ddc) -> None:
        super().__init__(ddc.server.iserver.aspace)
        self._ddc = ddc

    async def write(
        self,
        params: ua.WriteParameters,
        user: User = User(role=UserRole.Admin),  # noqa: B008 - asyncua's signature
    ) -> list[ua.StatusCode]:
        if user.role == UserRole.Admin:
            return await super().write(params, user)
        return [_status(await self._ddc.written(item)) for item in params.NodesToWrite]


class _Prepared(InternalServer):
    """An internal server whose standard address space was filled in before the fork."""

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        """Do nothing: it is there."""


class _Ddc:
    """The server with its nodes and the open questions to the world."""

    def __init__(self, prepared: InternalServer, setup: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.setup = setup
        self._writer = writer
        self._credentials = Credentials(Path(setup["folder"]), setup["user"], setup["password"])
        issue(self._credentials)
        self._client = self._credentials.client[0].read_bytes()
        prepared.user_manager = _Login(setup["user"], setup["password"])  # type: ignore[assignment]
        self.server = Server(iserver=prepared)
        self._nodes: list[ua.NodeId] = []
        self._places: list[tuple[int, DdcNode]] = []
        """Object and variable of each of `_nodes`."""
        self._index: dict[ua.NodeId, int] = {}
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self._loop = asyncio.get_running_loop()

    async def start(self) -> int:
        """Build the address space, listen, and return the port."""
        server, setup = self.server, self.setup
        await server.init()
        server.limits = _LIMITS
        await server.set_application_uri(SERVER_URI)
        server.set_server_name("Taipei City Hall DDC (simulated)")
        server.set_endpoint(f"opc.tcp://127.0.0.1:{setup['port']}")
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        server.set_identity_tokens([ua.UserNameIdentityToken])
        server.set_certificate_validator(self._trust)
        certificate, key = self._credentials.server
        await server.load_certificate(certificate)
        await server.load_private_key(key)
        for number in range(int(setup.get("namespaces", 0))):
            await server.register_namespace(f"urn:taipei-city-hall:other:{number}")
        await self._build()
        server.iserver.attribute_service = _Writes(self)
        await server.start()
        return int(setup["port"])

    async def _trust(self, certificate: x509.Certificate, description: ua.ApplicationDescription) -> None:  # noqa: ARG002
        if certificate.public_bytes(Encoding.PEM) != self._client:
            raise ServiceError(StatusCodes.BadCertificateUntrusted)

    async def _build(self) -> None:
        items: list[ua.AddNodesItem] = []
        namespaces: dict[str, int] = {}
        folders: dict[tuple[int, str], Any] = {}
        for number, (profile, prefix) in enumerate(self.setup["objects"]):
            kind = KINDS[profile]
            if kind.namespace not in namespaces:
                namespaces[kind.namespace] = await self.server.register_namespace(kind.namespace)
            namespace = namespaces[kind.namespace]
            name = prefix.split("/")[0]
            if (namespace, name) not in folders:
                folders[namespace, name] = await self.server.nodes.objects.add_folder(
                    _id(name, namespace), f"{namespace}:{name}"
                )
            parent = await folders[namespace, name].add_object(
                _id(prefix, namespace), f"{namespace}:{prefix.split('/')[-1]}"
            )
            for node in kind.nodes:
                nodeid = _id(f"{prefix}/{node.name}", namespace)
                self._index[nodeid] = len(self._nodes)
                self._nodes.append(nodeid)
                self._places.append((number, node))
                items += _variable(node, nodeid, parent.nodeid, namespace)
        for result in await self.server.iserver.isession.add_nodes(items):
            result.StatusCode.check()

    async def values(self, time_ns: int, values: list[list[Any]]) -> None:
        """Show new values: [node, value or null, name of the status code or ""]."""
        moment: Any = datetime.fromtimestamp(time_ns / 1e9, UTC)
        for index, value, status in values:
            node = self._places[index][1]
            code = _status(getattr(StatusCodes, status) if status else StatusCodes.Good)
            data = ua.DataValue(_variant(node, value), code, SourceTimestamp=moment, ServerTimestamp=moment)
            await self.server.write_attribute_value(self._nodes[index], data)

    async def written(self, item: ua.WriteValue) -> int:
        """Judge one write, ask the world, show what is in effect, and return the status code."""
        index = self._index.get(item.NodeId)
        if index is None or item.AttributeId != AttributeIds.Value:
            known = item.NodeId in self.server.iserver.aspace
            return StatusCodes.BadNotWritable if known else StatusCodes.BadNodeIdUnknown
        number_of_object, node = self._places[index]
        if not node.writable:
            return StatusCodes.BadNotWritable
        variant = item.Value.Value
        if variant is None or variant.VariantType != _TYPES[node.kind]:
            return StatusCodes.BadTypeMismatch
        value = float(variant.Value)
        if node.kind != "Boolean" and not node.low <= value <= node.high:
            return StatusCodes.BadOutOfRange
        self._count += 1
        number = self._count
        answer = self._answers[number] = self._loop.create_future()
        self.say({"write": number, "object": number_of_object, "quantity": node.quantity, "value": value})
        try:
            got = await asyncio.wait_for(answer, _ANSWER_S)
        except TimeoutError:
            return StatusCodes.BadTimeout
        finally:
            del self._answers[number]
        if "refused" in got:
            return int(getattr(StatusCodes, got["refused"]))
        if got.get("value") is not None:
            await self.values(got["time"], [[index, got["value"], ""]])
        return StatusCodes.Good

    def say(self, message: dict[str, Any]) -> None:
        """Tell the world."""
        self._writer.write(json.dumps(message).encode() + b"\n")

    def answer(self, message: dict[str, Any]) -> None:
        """Give the world's answer to the write that waits for it."""
        waiting = self._answers.get(message["answer"])
        if waiting is not None and not waiting.done():
            waiting.set_result(message)


def _id(identifier: Any, namespace: Any = 0) -> ua.NodeId:
    """Asyncua's constructor names int and str by types of its own; here they pass."""
    return ua.NodeId(identifier, namespace)


def _status(code: Any) -> ua.StatusCode:
    return ua.StatusCode(code)


def _variant(node: DdcNode, value: float | None) -> ua.Variant:
    kind = _TYPES[node.kind]
    if value is None:
        value = math.nan
    if node.kind == "Double":
        return ua.Variant(float(value), kind)
    if not math.isfinite(value):
        return ua.Variant(kind is not ua.VariantType.Boolean and 0, kind)
    return ua.Variant(value >= 0.5 if node.kind == "Boolean" else round(value), kind)


def _variable(node: DdcNode, nodeid: ua.NodeId, parent: ua.NodeId, namespace: int) -> list[ua.AddNodesItem]:
    """Return the variable and its properties (EURange, EngineeringUnits, EnumStrings, TrueState, FalseState)."""
    types = {"Double": ObjectIds.AnalogItemType, "Boolean": ObjectIds.TwoStateDiscreteType}
    kind = ObjectIds.MultiStateDiscreteType if node.states else types.get(node.kind, ObjectIds.BaseDataVariableType)
    items = [_item(nodeid, f"{namespace}:{node.name}", parent, ObjectIds.HasComponent, kind, _variant(node, 0.0),
                   writable=node.writable)]  # fmt: skip
    properties: dict[str, ua.Variant] = {}
    if node.kind == "Double":
        properties["EURange"] = ua.Variant(ua.Range(node.low, node.high))
        properties["EngineeringUnits"] = ua.Variant(ua.EUInformation(DisplayName=ua.LocalizedText(node.unit)))
    elif node.states:
        properties["EnumStrings"] = ua.Variant([ua.LocalizedText(state) for state in node.states])
    elif node.kind == "Boolean":
        properties["TrueState"] = ua.Variant(ua.LocalizedText("on"))
        properties["FalseState"] = ua.Variant(ua.LocalizedText("off"))
    items += [
        _item(_id(f"{nodeid.Identifier!s}/{name}", namespace), f"0:{name}", nodeid, ObjectIds.HasProperty,
              ObjectIds.PropertyType, value, writable=False)
        for name, value in properties.items()
    ]  # fmt: skip
    return items


def _item(
    nodeid: ua.NodeId, name: str, parent: ua.NodeId, reference: int, kind: int, value: ua.Variant, *, writable: bool
) -> ua.AddNodesItem:
    access = ua.AccessLevel.CurrentRead.mask | (ua.AccessLevel.CurrentWrite.mask if writable else 0)
    browse = ua.QualifiedName(name.split(":", 1)[1], int(name.split(":", 1)[0]))
    return ua.AddNodesItem(
        ParentNodeId=parent,
        ReferenceTypeId=_id(reference),
        RequestedNewNodeId=nodeid,
        BrowseName=browse,
        NodeClass=ua.NodeClass.Variable,
        NodeAttributes=ua.VariableAttributes(
            DisplayName=ua.LocalizedText(browse.Name),
            Description=ua.LocalizedText(browse.Name),
            WriteMask=0,
            UserWriteMask=0,
            Value=value,
            DataType=_id(_data_type(value)),
            ValueRank=ua.ValueRank.OneDimension if isinstance(value.Value, list) else ua.ValueRank.Scalar,
            AccessLevel=access,
            UserAccessLevel=access,
            Historizing=False,
        ),
        TypeDefinition=_id(kind),
    )


def _data_type(value: ua.Variant) -> int:
    if value.VariantType == ua.VariantType.ExtensionObject:
        return ObjectIds.Range if isinstance(value.Value, ua.Range) else ObjectIds.EUInformation
    return int(value.VariantType.value)


async def _run(prepared: InternalServer, connection: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_LINE)
    first = await reader.readline()
    if not first:
        return
    ddc = _Ddc(prepared, json.loads(first), writer)
    ddc.say({"ready": await ddc.start(), "pid": os.getpid()})
    while line := await reader.readline():
        message = json.loads(line)
        if "answer" in message:
            ddc.answer(message)
        else:
            await ddc.values(message["time"], message["values"])


def _serve(prepared: InternalServer, connection: socket.socket) -> None:
    """Be one server process, and end with the connection; never returns."""
    code = 1
    try:
        asyncio.run(_run(prepared, connection))
        code = 0
    except (OSError, asyncio.CancelledError):
        _log.exception("an OPC UA server process ended")
    finally:
        # The connection has ended, so the world has. Sessions need no farewell: the sockets close with the process.
        os._exit(code)


def main() -> None:
    """Fork a server for each connection until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # nobody waits for the servers: their connections tell that they ended
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    prepared = _Prepared()
    fill_address_space(prepared.node_mgt_service)  # type: ignore[no-untyped-call]
    gc.collect()
    gc.freeze()  # what is there stays shared: the collector of a child does not touch, and so copy, these pages
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            sys.stdin.close()
            _serve(prepared, connection)
        connection.close()


if __name__ == "__main__":
    main()
