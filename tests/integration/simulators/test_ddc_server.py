"""The OPC UA server process, asked by asyncua with certificate, user name and password."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import BadNotWritable, BadOutOfRange, BadTypeMismatch, BadUserAccessDenied

from simulators.fault import Board
from simulators.site import SimulatedDevice
from simulators.wire.certificate import CLIENT_URI, issue
from simulators.wire.credential import Credentials
from simulators.wire.ddc import NODES
from simulators.wire.nursery import Nursery
from simulators.wire.opcua import DdcLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

_TESTS = 11
_ENDPOINT = "opc.tcp://10.20.4.10:4840"
_VALUES = {node.quantity: 0.0 for node in NODES} | {
    "zone_temp": 24.53,
    "zone_temp_sp": 24.0,
    "mode": 1.0,
    "fan_run": 1.0,
}
_WRITABLE = tuple(node.quantity for node in NODES if node.writable)


class Ddc:
    def __init__(self, world: Any, board: Board, link: DdcLink, secrets: dict[str, str]) -> None:
        self.world, self.board, self.link, self.secrets = world, board, link, secrets
        self.used = 0
        self.first = self.second = ""

    def step(self) -> None:
        self.world.step(1.0)
        self.board.step()
        self.link.push()

    async def client(self, **changed: str) -> Client:
        secrets = self.secrets | changed
        client = Client(self.link.actual, timeout=10)
        client.application_uri = CLIENT_URI
        client.set_user(secrets["user"])
        client.set_password(secrets["password"])
        await client.set_security(
            SecurityPolicyBasic256Sha256, secrets["certificate"], secrets["private_key"],
            server_certificate=secrets["ca"], mode=ua.MessageSecurityMode.SignAndEncrypt,
        )  # fmt: skip
        return client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(world_of: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ddc]:
    """One server process for all tests of this file; each takes two air handlers that nobody used before."""
    rows = [
        (
            SimulatedDevice(f"ahu-{n:02}", "x", "site-standard-ahu", _ENDPOINT, 1, 1.0, {"node_prefix": f"AHU/{n:02}"}),
            _VALUES,
            _WRITABLE,
        )
        for n in range(1, 2 * _TESTS + 1)
    ]
    rows.append(
        (
            SimulatedDevice("fcu-07", "y", "site-standard-fcu", _ENDPOINT, 1, 1.0, {"node_prefix": "FCU/07"}),
            {"zone_temp": 26.34, "zone_temp_sp": 26.0, "fan_speed": 2.0, "valve_open": 1.0, "occupied": 1.0},
            ("zone_temp_sp",),
        )
    )
    world = world_of(*rows)
    board = Board(world.devices, 7)
    credentials = Credentials.anew(tmp_path_factory.mktemp("certificates"))
    nursery = Nursery(tmp_path_factory.mktemp("run") / "opcua.sock")
    link = DdcLink(_ENDPOINT, list(board.views.values()), board, lambda: world.time_ns, credentials, nursery)
    await link.start()
    try:
        yield Ddc(world, board, link, credentials.secrets())
    finally:
        await link.stop()
        await nursery.stop()


@pytest.fixture
def ddc(server: Ddc) -> Ddc:
    server.used += 2
    server.first, server.second = f"ahu-{server.used - 1:02}", f"ahu-{server.used:02}"
    return server


def node_id(identifier: Any, namespace: Any = 0) -> ua.NodeId:
    return ua.NodeId(identifier, namespace)


async def node(client: Client, name: str, device: str) -> Any:
    namespace = await client.get_namespace_index("urn:taipei-city-hall:ddc")
    return client.get_node(node_id(f"AHU/{device.removeprefix('ahu-')}/{name}", namespace))


async def eventually(condition: Any, wanted: Any, turns: int = 400) -> Any:
    """Ask again until the answer is the wanted one; each question is a round trip."""
    got = None
    for _ in range(turns):
        got = await condition()
        if got == wanted:
            return got
    raise AssertionError(f"got {got!r}, wanted {wanted!r}")


async def test_values_types_ranges_and_time_stamps(ddc: Ddc) -> None:
    async with await ddc.client() as client:
        zone = await node(client, "ZoneTemp", ddc.first)
        data = await zone.read_data_value()
        assert data.Value.Value == pytest.approx(24.55)  # resolution 0.05 K
        assert data.SourceTimestamp.isoformat() == "2026-03-02T01:00:00+00:00"
        assert (await (await node(client, "FanRun", ddc.first)).read_value()) is True
        mode = await node(client, "Mode", ddc.first)
        assert (await mode.read_data_value()).Value.VariantType == ua.VariantType.Int32
        span = await (await zone.get_child("0:EURange")).read_value()
        assert (span.Low, span.High) == (-10.0, 60.0)
        assert (await zone.read_type_definition()) == node_id(ObjectIds.AnalogItemType)
        parent = client.get_node(node_id(f"AHU/{ddc.second[4:]}", zone.nodeid.NamespaceIndex))
        assert len(await parent.get_variables()) == len(NODES) == 26


async def test_a_fan_coil_stands_beside_the_air_handlers(ddc: Ddc) -> None:
    async with await ddc.client() as client:
        namespace = await client.get_namespace_index("urn:taipei-city-hall:ddc")
        parent = client.get_node(node_id("FCU/07", namespace))
        names = [(await variable.read_browse_name()).Name for variable in await parent.get_variables()]
        assert sorted(names) == ["FanSpeed", "Occupied", "ValveOpen", "ZoneTemp", "ZoneTempSp"]
        speed = client.get_node(node_id("FCU/07/FanSpeed", namespace))
        data = await speed.read_data_value()
        assert data.Value is not None
        assert (data.Value.VariantType, data.Value.Value) == (ua.VariantType.Int32, 2)
        states = await (await speed.get_child("0:EnumStrings")).read_value()
        assert [state.Text for state in states] == ["off", "low", "medium", "high"]
        assert await client.get_node(node_id("FCU/07/ZoneTemp", namespace)).read_value() == pytest.approx(26.35)
        setpoint = client.get_node(node_id("FCU/07/ZoneTempSp", namespace))
        await setpoint.write_value(23.0, ua.VariantType.Double)
        assert ddc.world.devices["fcu-07"].state["zone_temp_sp"] == 23.0
        with pytest.raises(BadOutOfRange):
            await setpoint.write_value(30.0, ua.VariantType.Double)
        with pytest.raises(BadNotWritable):
            await speed.write_value(3, ua.VariantType.Int32)


async def test_a_write_takes_effect_in_the_device(ddc: Ddc) -> None:
    async with await ddc.client() as client:
        setpoint = await node(client, "ZoneTempSp", ddc.first)
        await setpoint.write_value(22.5, ua.VariantType.Double)
        assert ddc.world.devices[ddc.first].state["zone_temp_sp"] == 22.5
        assert ddc.world.devices[ddc.second].state["zone_temp_sp"] == 24.0
        assert await setpoint.read_value() == 22.5
        await (await node(client, "ControllerAlive", ddc.first)).write_value(1, ua.VariantType.UInt32)
        assert ddc.world.devices[ddc.first].state["controller_alive"] == 1.0


async def test_writes_that_are_refused(ddc: Ddc) -> None:
    async with await ddc.client() as client:
        with pytest.raises(BadOutOfRange):
            await (await node(client, "ZoneTempSp", ddc.first)).write_value(28.5, ua.VariantType.Double)
        with pytest.raises(BadOutOfRange):
            await (await node(client, "Mode", ddc.first)).write_value(3, ua.VariantType.Int32)
        with pytest.raises(BadNotWritable):
            await (await node(client, "ZoneTemp", ddc.first)).write_value(20.0, ua.VariantType.Double)
        with pytest.raises(BadTypeMismatch):
            await (await node(client, "ZoneTempSp", ddc.first)).write_value(22, ua.VariantType.Int32)
        ddc.world.tables[ddc.first]["mode"] = 3.0
        ddc.step()
        with pytest.raises(BadUserAccessDenied):
            await (await node(client, "FanCmd", ddc.first)).write_value(True, ua.VariantType.Boolean)


async def test_watchdog_counts_and_a_frozen_one_stands_still(ddc: Ddc) -> None:
    async with await ddc.client() as client:
        first, second = await node(client, "Watchdog", ddc.first), await node(client, "Watchdog", ddc.second)
        ddc.step()
        start = int(ddc.world.devices[ddc.first].state["watchdog"])
        await eventually(first.read_value, start)
        ddc.board.apply("freeze", ddc.first)
        ddc.step()
        ddc.step()
        await eventually(second.read_value, start + 2)
        assert await first.read_value() == start
        ddc.board.apply("clear", ddc.first)
        await eventually(first.read_value, start + 2)


async def test_a_disconnected_air_handler_says_no_communication(ddc: Ddc) -> None:
    async with await ddc.client() as client:
        zone, other = await node(client, "ZoneTemp", ddc.first), await node(client, "ZoneTemp", ddc.second)

        async def status() -> Any:
            return (await zone.read_data_value(raise_on_bad_status=False)).StatusCode.name

        ddc.board.apply("disconnect", ddc.first)
        await eventually(status, "BadNoCommunication")
        assert (await other.read_data_value()).StatusCode.is_good()
        ddc.board.apply("clear", ddc.first)
        await eventually(status, "Good")
        assert await zone.read_value() == pytest.approx(24.55)
        ddc.board.apply("set", ddc.first, ["zone_temp", "nan"])
        await eventually(status, "BadSensorFailure")


async def test_a_subscription_hears_of_changes(ddc: Ddc) -> None:
    heard: list[float] = []

    class Handler:
        def datachange_notification(self, node: Any, value: float, data: Any) -> None:
            heard.append(value)

    async with await ddc.client() as client:
        subscription = await client.create_subscription(50, Handler())
        zone = await node(client, "ZoneTemp", ddc.first)
        await subscription.subscribe_data_change(zone)
        ddc.world.tables[ddc.first]["zone_temp"] = 25.5
        ddc.step()
        await eventually(lambda: _last(zone, heard), 25.5)
        await subscription.delete()


async def _last(zone: Any, heard: list[float]) -> float | None:
    await zone.read_value()
    return heard[-1] if heard else None


async def test_a_wrong_password_or_a_foreign_certificate_is_refused(ddc: Ddc, tmp_path: Path) -> None:
    made = Credentials.anew(tmp_path / "foreign")
    issue(made)
    foreign = made.secrets()
    wrong: list[dict[str, str]] = [
        {"password": "guess"},
        {"certificate": foreign["certificate"], "private_key": foreign["private_key"]},
    ]
    for changed in wrong:
        client = await ddc.client(**changed)
        with pytest.raises(Exception, match=r"Bad|denied|certificate|closed"):
            async with client:
                raise AssertionError("the server let us in")
        with contextlib.suppress(Exception):
            client.disconnect_socket()


async def test_an_open_line_is_not_offered(ddc: Ddc) -> None:
    client = Client(ddc.link.actual, timeout=5)
    with pytest.raises(Exception, match=r"Bad|security|None"):
        async with client:
            await (await node(client, "ZoneTemp", ddc.first)).read_value()
    offered = await Client(ddc.link.actual, timeout=5).connect_and_get_server_endpoints()
    assert {one.SecurityPolicyUri.rsplit("#", 1)[-1] for one in offered} == {"Basic256Sha256"}
    assert {one.SecurityMode for one in offered} == {ua.MessageSecurityMode.SignAndEncrypt}
    assert {token.TokenType for one in offered for token in one.UserIdentityTokens} == {ua.UserTokenType.UserName}


async def test_a_killed_server_comes_back_at_its_port_with_its_values(ddc: Ddc) -> None:
    port = ddc.link.port
    ddc.world.tables[ddc.second]["zone_temp"] = 26.0
    ddc.step()
    os.kill(ddc.link.pid, signal.SIGKILL)
    deadline = asyncio.get_running_loop().time() + 60
    while ddc.link.restarts == 0 or ddc.link.port != port or not ddc.link.listening:
        assert asyncio.get_running_loop().time() < deadline, "the server did not come back"
        await asyncio.sleep(0.05)
    async with await ddc.client() as client:
        zone = await node(client, "ZoneTemp", ddc.second)
        await eventually(zone.read_value, 26.0)


async def test_a_server_with_other_namespaces_before_its_own_has_the_same_nodes_elsewhere(ddc: Ddc) -> None:
    """Last of this file, for the server process starts anew."""
    async with await ddc.client() as client:
        before = await client.get_namespace_index("urn:taipei-city-hall:ddc")
    restarts = ddc.link.restarts
    ddc.board.apply("namespaces", ddc.first, ["3"])
    deadline = asyncio.get_running_loop().time() + 60
    while ddc.link.restarts == restarts or not ddc.link.listening:
        assert asyncio.get_running_loop().time() < deadline, "the server did not come back"
        await asyncio.sleep(0.05)
    async with await ddc.client() as client:
        assert await client.get_namespace_index("urn:taipei-city-hall:ddc") == before + 3
        zone = await node(client, "ZoneTemp", ddc.first)
        await eventually(zone.read_value, 24.55)
