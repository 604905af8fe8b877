"""An OPC UA server of air handlers in the same process, over real sockets, whose nodes each test moves or breaks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.server import Server

from controller.clock import SystemClock
from drivers.driver import Device
from drivers.event import Event
from drivers.opcua.driver import OpcUaDriver
from drivers.profile import Profile, load_profile, parse_profile
from drivers.reading import Quality, Readings

URI = "urn:taipei-city-hall:ddc"
AHU = Path(__file__).parents[2] / "config/profiles/ahu/site-standard-ahu.toml"
KINDS = {
    "Double": (ua.VariantType.Double, 21.5),
    "Boolean": (ua.VariantType.Boolean, False),
    "UInt32": (ua.VariantType.UInt32, 0),
    "Enumeration": (ua.VariantType.Int32, 1),
}


class Box:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, Readings]] = []
        self.changed = asyncio.Event()

    def readings(self, device: Device, batch: Readings) -> None:
        self.batches.append((device.id, batch))
        self.changed.set()

    def events(self, device: Device, events: Sequence[Event]) -> None:
        raise AssertionError("no events are subscribed")

    def last(self, number: int) -> tuple[float, Quality, int] | None:
        for _, batch in reversed(self.batches):
            at = np.flatnonzero(batch.point == number)
            if len(at):
                place = at[-1]
                return float(batch.value[place]), Quality(int(batch.quality[place])), int(batch.time_ns[place])
        return None

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.1)


class HastyClock(SystemClock):
    """Three seconds pass in one, for what waits by design; the library's own times stay real."""

    def monotonic(self) -> float:
        return 3 * super().monotonic()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 3)


class Users:
    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        if username is None:
            return User(role=UserRole.User)
        if username == "shifu" and password == "right":
            return User(role=UserRole.Admin)
        return None


class Ddc:
    """A controller with air handlers; `before` shifts the namespace index."""

    def __init__(self, port: int, *, prefixes: Sequence[str] = ("AHU/01F-W",), before: int = 0) -> None:
        self.port = port
        self.prefixes = prefixes
        self.before = before
        self.nodes: dict[str, Any] = {}
        self.server: Server | None = None
        self.certificate: tuple[Path, Path] | None = None

    async def start(self, profile: Profile, *, types: dict[str, ua.VariantType] | None = None) -> None:
        await until_free(self.port)
        ruleset = SimpleRoleRuleset()  # type: ignore[no-untyped-call]
        server = self.server = Server(user_manager=Users())  # type: ignore[arg-type]
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}")
        if self.certificate:
            await server.load_certificate(self.certificate[0])
            await server.load_private_key(self.certificate[1])
            server.set_security_policy(
                [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt], permission_ruleset=ruleset
            )
        else:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for extra in range(self.before):
            await server.register_namespace(f"urn:something:else:{extra}")
        index = await server.register_namespace(URI)
        for prefix in self.prefixes:
            parent = await server.nodes.objects.add_object(ua.NodeId(ua.String(prefix), ua.Int16(index)), prefix)
            for point in profile.points:
                kind, value = KINDS[point.wire["type"]]
                name = point.wire["node"].format(node_prefix=prefix)
                if types and point.tag in types:
                    kind, value = types[point.tag], "twenty"  # type: ignore[assignment]
                node = await parent.add_variable(
                    ua.NodeId(ua.String(name), ua.Int16(index)), point.tag, ua.Variant(value, kind)
                )
                await node.set_writable()
                self.nodes[name] = node
        await server.start()

    async def stop(self) -> None:
        server, self.server = self.server, None
        if server is not None:
            await server.stop()

    async def put(self, name: str, data: ua.DataValue) -> None:
        assert self.server is not None
        await self.server.write_attribute_value(self.nodes[name].nodeid, data)


async def until_free(port: int, seconds: float = 10.0) -> None:
    """Wait until nobody has the port: between two servers on it, somebody's outgoing connection may."""
    async with asyncio.timeout(seconds):
        while True:
            with socket.socket() as probe_socket, contextlib.suppress(OSError):
                probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe_socket.bind(("127.0.0.1", port))
                return
            await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port: int = probe_socket.getsockname()[1]
        return port


def device(
    profile: Profile, port: int, *, name: str = "ahu", prefix: str = "AHU/01F-W", first: int = 0, **changes: Any
) -> Device:
    options = {"node_prefix": prefix, "security": "none", **changes.pop("options", {})}
    numbers = np.arange(first, first + len(profile.points), dtype=np.int32)
    return Device(
        name,
        profile,
        f"opc.tcp://127.0.0.1:{port}",
        numbers,
        period_s=changes.pop("period_s", 0.2),
        options=options,
        **changes,
    )


def small(*tags: str, alive: bool = True) -> Profile:
    """The air handler's profile with some of its points (a server with few nodes starts fast)."""
    whole = load_profile(AHU)
    wire = {"namespace": URI} | ({"alive": "watchdog"} if alive else {})
    chosen = [whole.point(tag) for tag in (*tags, *(("watchdog",) if alive else ()))]
    rows = []
    for point in chosen:
        row: dict[str, Any] = {
            "tag": point.tag,
            "kind": point.kind,
            "zh": point.zh,
            "en": point.en,
            "wire": dict(point.wire),
        }
        if point.states:
            row["states"] = {str(value): [zh, en] for value, zh, en in point.states}
        if point.write:
            row["write"] = {"low": point.write.low, "high": point.write.high}
        rows.append(row)
    head = {
        "id": "small-ahu", "equipment": "ahu", "protocol": "opcua", "vendor": "v", "model": "m", "source": "test",
        "wire": wire,
    }  # fmt: skip
    return parse_profile({"profile": head, "point": rows}, "small")


@contextlib.asynccontextmanager
async def running(driver: OpcUaDriver, box: Box) -> AsyncIterator[asyncio.Task[None]]:
    await driver.connect()
    task = asyncio.ensure_future(driver.run(box))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await driver.close()


@contextlib.asynccontextmanager
async def ddc(profile: Profile, **changes: Any) -> AsyncIterator[Ddc]:
    server = Ddc(free_port(), **changes)
    await server.start(profile)
    try:
        yield server
    finally:
        await server.stop()
