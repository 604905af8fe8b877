"""The field: all links of the site, each in a task of its own, and how every device is.

Devices with one endpoint share one link. A new configuration stops and starts only the links whose devices changed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drivers.errors import NotSentError
from drivers.link import ConnectLimiter, Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from drivers.driver import Clock, Device, Driver, Sink
    from drivers.link import DeviceHealth
    from drivers.picture import Picture

__all__ = ["DeviceStatus", "Field", "Idle"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """How one device is, for screens and API. Times are ns UTC."""

    id: str
    profile: str
    protocol: str
    endpoint: str
    unit: int
    equipment: str
    points: int
    state: str
    """`starting`, `good`, `lost`, `refused` or `disabled`."""
    last_good_ns: int | None
    since_ns: int | None
    polls: int
    errors: int
    timeouts: int
    refused: int
    latency_p95_ms: float | None
    message: str
    keepalives: int
    writes: int
    cause: str = ""
    """The word of `drivers.errors.CAUSES` for the message; screens say it in their language."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A device that is configured and out of service: it has a state, and no link."""

    device: Device
    message: str
    since_ns: int


@dataclass(slots=True)
class _Running:
    """One link, its devices, and the task that runs it."""

    link: Link
    devices: tuple[Device, ...]
    task: asyncio.Task[None]


class Field:
    """Runs the links. `build` makes the driver of one endpoint; only the composition root knows the concrete ones."""

    def __init__(
        self,
        build: Callable[[str, Sequence[Device]], Driver],
        sink: Sink,
        clock: Clock,
        *,
        rng: random.Random | None = None,
        on_health: Callable[[Device, DeviceHealth], None] | None = None,
    ) -> None:
        """Prepare; nothing is opened before `apply`."""
        self._build = build
        self._sink = sink
        self._clock = clock
        self._rng = rng or random.Random()
        self._on_health = on_health
        self._limiter = ConnectLimiter(clock)
        self._links: dict[str, _Running] = {}
        self._where: dict[str, str] = {}
        self._equipment: Mapping[str, str] = {}
        self._idle: dict[str, Idle] = {}

    async def apply(
        self, devices: Iterable[Device], equipment: Mapping[str, str], idle: Iterable[Idle] = ()
    ) -> tuple[str, ...]:
        """Run exactly these devices; links whose devices are the same go on untouched.

        `equipment` gives each device's equipment address; `idle` are those that are out of service.

        Returns:
            The endpoints that were started or stopped.
        """
        wanted: dict[str, list[Device]] = defaultdict(list)
        for device in devices:
            wanted[device.endpoint].append(device)
        changed = []
        for endpoint in list(self._links):
            if not _same(self._links[endpoint].devices, wanted.get(endpoint, [])):
                await self._stop(endpoint)
                changed.append(endpoint)
        for endpoint, group in wanted.items():
            if endpoint not in self._links:
                self._start(endpoint, tuple(group))
                changed.append(endpoint)
        self._equipment = equipment
        self._idle = {item.device.id: item for item in idle}
        self._where = {device.id: endpoint for endpoint, run in self._links.items() for device in run.devices}
        return tuple(dict.fromkeys(changed))

    async def close(self) -> None:
        """Stop all links and wait until their connections are closed."""
        for run in self._links.values():
            run.task.cancel()
        await asyncio.gather(*(run.task for run in self._links.values()), return_exceptions=True)
        self._links.clear()

    async def write(
        self,
        device: str,
        tag: str,
        value: float,
        *,
        before: float = math.inf,
        unless: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write one point of a device in one attempt. Called by the cycle for the arbiter, and by nothing else.

        `before` is the monotonic time, s, after which it is not sent any more, nor when `unless` is true by then.

        Raises:
            DriverError: see `drivers.errors`; NotSentError also when the site has no such device now.
        """
        await self._link(device).write(device, tag, value, before=before, unless=unless)

    async def read(self, device: str, tag: str) -> float:
        """Read one point of a device now.

        Raises:
            DriverError: see `drivers.errors`.
        """
        return await self._link(device).read(device, tag)

    async def picture(self, device: str) -> Picture:
        """Return the newest picture of a camera.

        Raises:
            DriverError: see `drivers.errors`.
        """
        return await self._link(device).picture(device)

    def connected(self, device: str) -> bool:
        """Tell whether the device's link is open and has had a good answer."""
        run = self._links.get(self._where.get(device, ""))
        return run is not None and run.link.up

    def statuses(self) -> list[DeviceStatus]:
        """Return how every device is, in the order of the configuration."""
        running = [self._status(run.link, device) for run in self._links.values() for device in run.devices]
        return running + [self._still(item) for item in self._idle.values()]

    def status(self, device: str) -> DeviceStatus | None:
        """Return how one device is; None when the site has none of that id."""
        run = self._links.get(self._where.get(device, ""))
        if run is None:
            return self._still(self._idle[device]) if device in self._idle else None
        return next((self._status(run.link, item) for item in run.devices if item.id == device), None)

    def _status(self, link: Link, device: Device) -> DeviceStatus:
        health = link.health[device.id]
        latency = health.latency_p95_ms
        return DeviceStatus(
            id=device.id,
            profile=device.profile.id,
            protocol=device.profile.protocol,
            endpoint=device.endpoint,
            unit=device.unit,
            equipment=self._equipment.get(device.id, ""),
            points=int(np.count_nonzero(device.numbers >= 0)),
            state=health.state,
            last_good_ns=health.last_good_ns,
            since_ns=health.since_ns,
            polls=health.polls,
            errors=health.errors,
            timeouts=health.timeouts,
            refused=health.refused,
            latency_p95_ms=None if np.isnan(latency) else float(latency),
            message=health.message,
            keepalives=health.keepalives,
            writes=health.writes,
            cause=health.cause,
        )

    def _still(self, item: Idle) -> DeviceStatus:
        device = item.device
        return DeviceStatus(
            id=device.id,
            profile=device.profile.id,
            protocol=device.profile.protocol,
            endpoint=device.endpoint,
            unit=device.unit,
            equipment=self._equipment.get(device.id, ""),
            points=int(np.count_nonzero(device.numbers >= 0)),
            state="disabled",
            last_good_ns=None,
            since_ns=item.since_ns,
            polls=0,
            errors=0,
            timeouts=0,
            refused=0,
            latency_p95_ms=None,
            message=item.message,
            keepalives=0,
            writes=0,
            cause="service",
        )

    def _link(self, device: str) -> Link:
        run = self._links.get(self._where.get(device, ""))
        if run is None and device in self._idle:
            raise NotSentError(f'device "{device}" is out of service: {self._idle[device].message}')
        if run is None:
            raise NotSentError(f'no device "{device}" in the running configuration')
        return run.link

    def _start(self, endpoint: str, devices: tuple[Device, ...]) -> None:
        driver = self._build(endpoint, devices)
        link = Link(driver, self._sink, self._clock, self._rng, limiter=self._limiter, on_health=self._on_health)
        task = asyncio.create_task(self._supervise(link, endpoint), name=f"link {endpoint}")
        self._links[endpoint] = _Running(link, devices, task)

    async def _supervise(self, link: Link, endpoint: str) -> None:
        """Run a link for ever; it never ends by itself, and if it did it would be said and started again."""
        while True:
            try:
                await link.run()
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 - the task owner logs and starts again
                _log.exception("the link of %s ended; it is started again", endpoint)
            await self._clock.sleep(5.0)

    async def _stop(self, endpoint: str) -> None:
        run = self._links.pop(endpoint)
        run.task.cancel()
        await asyncio.gather(run.task, return_exceptions=True)


def _same(old: Sequence[Device], new: Sequence[Device]) -> bool:
    return len(old) == len(new) and all(a.same_as(b) for a, b in zip(old, new, strict=True))
