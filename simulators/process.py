"""The fleet: one world that steps once a second and all its protocol servers, in one process with two helpers.

Modbus endpoints and the MQTT reports live on the loop that steps the world, so that a write acts on the one world there
is. Each OPC UA server is a process at the end of a connection (its cryptography and address space would hold the loop
up), and so is the embedded broker. All of them end when this process does, however it dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from simulators.fault import Board
from simulators.wire.credential import Credentials
from simulators.wire.modbus import lines_of
from simulators.wire.mqtt import Broker, BrokerAddress, Reporter
from simulators.wire.nursery import Nursery
from simulators.wire.opcua import DdcLink
from simulators.wire.snapshot import servers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from simulators.control import Control
    from simulators.fault import Record, View
    from simulators.plant.device import Device

__all__ = ["Fleet", "FleetOptions", "SteppedWorld", "machine_time_ns", "serve"]

_STEP_S = 1.0
_CATCH_UP_S = 3600.0
_BEHIND_S = 10.0
"""A loop that was held up for longer does not make up for it: the world's clock is then behind by that much."""


class Prelude(Protocol):
    """What brings a world to its present before it is served."""

    def __call__(self, *, stopped: Callable[[], bool]) -> object:
        """Work until done; InterruptedError soon after `stopped` says so."""


class SteppedWorld(Protocol):
    """What the fleet needs of a world."""

    @property
    def devices(self) -> Mapping[str, Device]:
        """All devices by id."""

    @property
    def time_ns(self) -> int:
        """The world's calendar time, ns since 1970 UTC."""

    def step(self, dt_s: float) -> None:
        """Let `dt_s` seconds pass."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How a fleet is run."""

    run_dir: Path
    """Certificates, keys and the control socket; made with mode 0700."""
    seed: int = 0
    broker: BrokerAddress | None = None
    """None starts the embedded one where a sensor needs it."""
    report_s: float = 600.0
    first_report_s: float = 10.0


def machine_time_ns() -> int:
    """Return the machine's calendar time: the moment at which a world on sockets begins."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


class Fleet:
    """All protocol servers of one world."""

    def __init__(self, world: SteppedWorld, options: FleetOptions, record: Record | None = None) -> None:
        """Plan the endpoints of all devices; nothing listens yet.

        Raises:
            ValueError: two devices at one endpoint and unit, or a profile or kind of endpoint that nothing serves.
        """
        self.world = world
        self.options = options
        self.board = Board(world.devices, options.seed, record, lambda: world.time_ns)
        self.lines = lines_of(self.board)
        self.links: list[DdcLink] = []
        self.reporters: dict[str, Reporter] = {}
        self.cameras = servers_of(self.board.views.values(), self._now_ns)
        self.credentials: dict[str, Credentials] = {}
        self._broker = Broker()
        self._nursery = Nursery(options.run_dir / "opcua.sock")
        self._address = options.broker
        self._elapsed_s = 0.0
        for endpoint, views in self._by_endpoint("opc.tcp://").items():
            folder = options.run_dir / "certificates" / str(len(self.links) + 1)
            credentials = self.credentials[endpoint] = Credentials.anew(folder)
            self.links.append(DdcLink(endpoint, views, self.board, self._now_ns, credentials, self._nursery))
        for endpoint, views in self._by_endpoint("mqtt://").items():
            self.reporters[endpoint] = Reporter(
                views, self.board, self._now_ns, seed=options.seed,
                report_s=options.report_s, first_s=options.first_report_s,
            )  # fmt: skip
        served = len(self.lines) + len(self.links) + len(self.reporters)
        wanted = len({device.endpoint for device in world.devices.values()})
        if served != wanted:
            kinds = "tcp://, rtu+tcp://, opc.tcp:// and mqtt://"
            raise ValueError(
                f"{wanted} endpoints are configured and {served} can be served; the simulators know {kinds}"
            )

    def _by_endpoint(self, scheme: str) -> dict[str, list[View]]:
        found: dict[str, list[View]] = {}
        for view in self.board.views.values():
            if view.device.endpoint.startswith(scheme):
                found.setdefault(view.device.endpoint, []).append(view)
        return found

    def _now_ns(self) -> int:
        return self.world.time_ns

    async def start(self) -> dict[str, Any]:
        """Listen everywhere and return the endpoint map.

        Raises:
            RuntimeError: a child process did not start.
            OSError: no port.
        """
        if self.links:
            self._nursery.start()
        for line in self.lines:
            await line.open()
        for camera in self.cameras:
            await camera.open()
        if self.reporters:
            if self._address is None:
                self._address = await self._broker.start()
            for reporter in self.reporters.values():
                reporter.connect(self._address)
        await asyncio.gather(*(link.start() for link in self.links))
        return self.endpoints()

    def catch_up(self, now_ns: int) -> None:
        """Let the time go by that passed while the fleet was made (up to an hour), so that its clock is right."""
        behind_s = (now_ns - self.world.time_ns) / 1e9
        if 0.0 < behind_s <= _CATCH_UP_S:
            self.world.step(behind_s)
            self.board.step()

    def endpoints(self) -> dict[str, Any]:
        """Return configured -> actual endpoint, and under `secrets` what a client needs to log in."""
        found: dict[str, Any] = {line.endpoint: line.actual for line in self.lines}
        found |= {link.endpoint: link.actual for link in self.links}
        found |= {camera.place: camera.actual for camera in self.cameras}
        secrets = {endpoint: credentials.secrets() for endpoint, credentials in self.credentials.items()}
        for endpoint in self.reporters:
            assert self._address is not None
            found[endpoint] = self._address.endpoint
            if self._address.user:
                secrets[endpoint] = {"user": self._address.user, "password": self._address.password}
        return found | {"secrets": secrets}

    def step(self, dt_s: float = _STEP_S) -> None:
        """Let the world move and show what changed."""
        self.world.step(dt_s)
        self._elapsed_s += dt_s
        self.board.step()
        for link in self.links:
            link.push()
        for reporter in self.reporters.values():
            reporter.run(self._elapsed_s)

    async def run(self, stop: asyncio.Event, alive: Callable[[], bool] = lambda: True) -> None:
        """Step at 1x until `stop` is set or `alive` says no.

        Raises:
            RuntimeError: an OPC UA server process ended by itself and could not be started again.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() + _STEP_S
        while not stop.is_set() and alive():
            try:
                await asyncio.wait_for(stop.wait(), max(0.0, due - loop.time()))
            except TimeoutError:
                self.step()
                due = max(due + _STEP_S, loop.time() - _BEHIND_S)
            for link in self.links:
                link.check()

    async def stop(self) -> None:
        """Close every socket and end every child."""
        for reporter in self.reporters.values():
            reporter.close()
        for line in self.lines:
            await line.close()
        for camera in self.cameras:
            await camera.close()
        await asyncio.gather(self._broker.stop(), *(link.stop() for link in self.links))
        await self._nursery.stop()

    def status(self) -> dict[str, Any]:
        """Return counters for people and tests."""
        return {
            "time_ns": self.world.time_ns,
            "devices": len(self.board.views),
            "requests": sum(line.requests for line in self.lines),
            "dropped": sum(line.dropped for line in self.lines),
            "reports": sum(reporter.sent for reporter in self.reporters.values()),
            "snapshots": sum(camera.served for camera in self.cameras),
            "reports_lost": sum(reporter.lost for reporter in self.reporters.values()),
            "children": [link.pid for link in self.links] + ([self._broker.pid] if self._broker.pid else []),
        }


def write_map(path: Path, endpoints: Mapping[str, Any]) -> None:
    """Write the endpoint map so that a reader sees all of it or none; it holds passwords, so it is ours alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(endpoints, file, indent=1)
    draft.replace(path)


def remove_map(path: Path) -> None:
    """Take the map away: an old one would lead a controller to ports of somebody else."""
    path.unlink(missing_ok=True)


async def serve(
    fleet: Fleet,
    endpoints: Path,
    control: Control,
    say: Callable[[str], None],
    *,
    with_parent: bool = True,
    prelude: Prelude | None = None,
) -> None:
    """Run a fleet until SIGTERM, SIGINT or, with `with_parent`, until the process that started this one is gone.

    The map at `endpoints` is there exactly while everything listens. `say` is given one JSON line when it is ready.
    `prelude` brings the world to its present while the servers start, on a thread of its own.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = os.getppid()
    past: asyncio.Task[object] | None = None
    remove_map(endpoints)
    try:
        if prelude is not None:
            past = asyncio.create_task(asyncio.to_thread(prelude, stopped=stop.is_set))
        found = await fleet.start()
        if past is not None:
            await past
        fleet.catch_up(machine_time_ns())
        await control.open()
        write_map(endpoints, found)
        say(
            json.dumps(
                {"ready": True, "endpoints": str(endpoints), "control": str(control.path), "pid": os.getpid()}
                | {key: value for key, value in fleet.status().items() if key in ("devices", "children")}
            )
        )
        await fleet.run(stop, lambda: not with_parent or os.getppid() == parent)
    except InterruptedError:
        pass  # asked to stop while the past was simulated
    finally:
        stop.set()
        if past is not None:
            await asyncio.gather(past, return_exceptions=True)
        remove_map(endpoints)
        await control.close()
        await fleet.stop()
