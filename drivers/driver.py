"""The contract of a driver: one connection and the devices behind it.

A driver knows bytes and profiles. It knows nothing of alarms, priorities or databases. It never reconnects, retries a
write or keeps time by itself: `drivers.link` supervises it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drivers.event import Event
    from drivers.profile import Profile
    from drivers.reading import Readings

__all__ = ["Clock", "Device", "Driver", "PolledDriver", "Sink", "SubscribedDriver"]


class Clock(Protocol):
    """What everything that needs the time is given; `controller.clock` has the real and the virtual one."""

    def now_ns(self) -> int:
        """Return the calendar time, ns since 1970 UTC; it may jump."""

    def monotonic(self) -> float:
        """Return seconds since some start; it never goes back. Periods, time-outs and leases use this."""

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock; 0 or less only yields."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device on a connection, with the point numbers of its profile's points."""

    id: str
    """Unique in the site, such as `tx1-temp`."""
    profile: Profile
    endpoint: str
    """Where it is: `tcp://host:502`, `rtu+tcp://host:4001`, `serial:/dev/ttyUSB0?baudrate=9600&parity=N`,
    `opc.tcp://host:4840`, `mqtt://host:1883`. Devices of one endpoint share one connection."""
    numbers: NDArray[np.int32]
    """Point number of each of `profile.points`, in that order; -1 where the site does not use the point."""
    unit: int = 1
    """Modbus unit id; unused elsewhere."""
    period_s: float = 10.0
    """Poll period, sampling interval or report interval."""
    urgent: bool = False
    """True runs the controller's cycle at once for every batch of this device."""
    options: Mapping[str, object] = field(default_factory=dict)
    """What the protocol needs beside: `node_prefix`, `dev_eui`, `topic`, `security`, `word_order`."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`user`, `password`, `certificate`, `private_key`, `ca`: resolved by the settings, never logged."""

    def same_as(self, other: Device) -> bool:
        """Tell whether a link need not be started anew for `other`. (`==` cannot: it meets an array of numbers.)."""
        return (
            self.id == other.id
            and self.profile == other.profile
            and self.endpoint == other.endpoint
            and self.unit == other.unit
            and self.period_s == other.period_s
            and self.urgent == other.urgent
            and self.options == other.options
            and self.secrets == other.secrets
            and np.array_equal(self.numbers, other.numbers)
        )


class Sink(Protocol):
    """Where a driver puts what it received. Both calls return at once and never raise."""

    def readings(self, device: Device, batch: Readings) -> None:
        """Take one batch of one device."""

    def events(self, device: Device, events: Sequence[Event]) -> None:
        """Take the events of one device."""


@runtime_checkable
class Driver(Protocol):
    """What every driver can do. All calls run on the event loop and none blocks it."""

    @property
    def devices(self) -> Sequence[Device]:
        """The devices behind this connection."""

    async def connect(self) -> None:
        """Open the connection.

        Raises:
            ConnectError: nobody there, refused, or the certificate is not trusted.
        """

    async def read(self, device: Device, tag: str) -> float:
        """Read one point now, past any subscription; used to verify a write.

        Raises:
            DriverError: any of its subclasses, see `drivers.errors`.
        """

    async def write(self, device: Device, tag: str, value: float) -> None:
        """Write one point, in one attempt. After a time-out the device may or may not have taken it.

        Raises:
            NotWritableError: the profile has no way to write it.
            DeviceRefusedError: the device said no.
            DeviceTimeoutError, ConnectError: unknown whether it arrived.
        """

    async def close(self) -> None:
        """Close the connection; safe to call twice and in any state."""


@runtime_checkable
class PolledDriver(Driver, Protocol):
    """A driver that is asked (Modbus)."""

    async def poll(self, device: Device) -> Readings:
        """Read all points of one device; a refused block yields bad readings of that block alone.

        Raises:
            ConnectError, DeviceTimeoutError: nothing was read.
        """


@runtime_checkable
class SubscribedDriver(Driver, Protocol):
    """A driver that is told (OPC UA, MQTT)."""

    async def run(self, sink: Sink) -> None:
        """Subscribe, deliver into `sink`, and return only by raising when the connection is lost.

        Raises:
            ConnectError: the connection was lost.
        """
