"""The MQTT driver: one connection to a broker for all devices that report through it.

Freshness: a device that reports is believed for 3 of its intervals (`stale_after_ns`); an older message (retained,
queued on the way, a LoRaWAN history record) is handed over as late, which goes to history and drives nothing.
A retained value without a time of its own is uncertain (stale), for nobody knows its age.

Options of a device, the same for all of a broker: `client_id` (else a random one: two clients of one id throw each
other out), `version` (4 = MQTT 3.1.1, the default; 5), `write_timeout_s`. Secrets: `user`, `password`, `ca`,
`certificate`, `private_key` (the last three are paths). With `ca`, or an endpoint `mqtts://`, the connection is TLS
and the certificate is checked.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from typing import TYPE_CHECKING

import numpy as np

from drivers.errors import (
    ConnectError,
    DecodeError,
    DeviceTimeoutError,
    DriverError,
    NotWritableError,
    ProfileError,
)
from drivers.mqtt.route import Counts, Intake, Request, stale_after_ns
from drivers.mqtt.session import Login, Session
from drivers.picture import Picture, fetch_jpeg
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from drivers.driver import Clock, Device, Sink

__all__ = ["MqttDriver", "login_of"]

_WRITE_TIMEOUT_S = 5.0
_REQUESTS = 100
"""Requests for lost events that wait to be sent; one more is dropped, and the sender is asked at its next event."""

_log = logging.getLogger(__name__)


class _Latest:
    """The last value of each point of one device, for read-back."""

    def __init__(self, size: int) -> None:
        self.value: NDArray[np.float64] = np.full(size, np.nan)
        self.quality: NDArray[np.uint8] = np.full(size, Quality.BAD_COMM, np.uint8)
        self.received: NDArray[np.float64] = np.full(size, -math.inf)
        """Monotonic seconds."""
        self.written = -math.inf
        """Monotonic time of the last write to the device."""


class MqttDriver:
    """A `SubscribedDriver` for devices that report over MQTT."""

    def __init__(self, devices: Sequence[Device], clock: Clock) -> None:
        """Check the profiles and build the routes; nothing is opened.

        Raises:
            ProfileError: a profile or an option is wrong, or the devices differ in endpoint or login.
        """
        self._devices = tuple(devices)
        self._clock = clock
        self._intake = Intake(self._devices)
        self._login = login_of(self._devices)
        self._session: Session | None = None
        self._sink: Sink | None = None
        self._latest = {device.id: _Latest(len(device.profile.points)) for device in self._devices}
        self._places = {
            device.id: {int(number): place for place, number in enumerate(device.numbers) if number >= 0}
            for device in self._devices
        }
        self._requests: asyncio.Queue[Request] = asyncio.Queue(_REQUESTS)
        self._write_timeout_s = _seconds(self._devices[0].options.get("write_timeout_s", _WRITE_TIMEOUT_S))

    @property
    def devices(self) -> Sequence[Device]:
        """The devices behind this broker."""
        return self._devices

    @property
    def counts(self) -> Counts:
        """What happened to the messages."""
        return self._intake.counts

    async def connect(self) -> None:
        """Connect to the broker.

        Raises:
            ConnectError: nobody there, refused, or the certificate is not trusted.
        """
        await self.close()
        session = Session(self._login, self._receive, self._count_fault)
        await session.open()
        self._session = session

    async def run(self, sink: Sink) -> None:
        """Subscribe to every topic anew and deliver until the connection ends.

        Raises:
            ConnectError: the connection was lost, or the broker refuses every topic.
        """
        session = self._session
        if session is None:
            raise ConnectError(f"{self._login.endpoint}: not connected")
        self._sink = sink
        asking = asyncio.create_task(self._ask(session), name=f"replay {self._login.endpoint}")
        try:
            topics = self._intake.topics
            refused = await session.subscribe(topics)
            for topic, reason in refused.items():
                _log.warning("%s: the broker refuses %s: %s", self._login.endpoint, topic, reason)
            if topics and len(refused) == len(topics):
                raise ConnectError(
                    f"{self._login.endpoint}: the broker refuses all {len(topics)} topics "
                    f"({next(iter(refused.values()))}); check the access list of the user"
                )
            self._refuse(refused.keys(), sink)
            await session.serve(self._clock)
        finally:
            self._sink = None
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self, session: Session) -> None:
        """Send the requests for lost events one after the other; a failure costs that request alone."""
        while True:
            request = await self._requests.get()
            try:
                await session.publish(request.topic, request.payload, self._write_timeout_s)
            except DriverError as error:
                _log.warning("%s: lost events could not be asked for: %s", self._login.endpoint, error)

    async def picture(self, device: Device) -> Picture:
        """Return the newest picture: fetched now from the camera, or the last one that came over MQTT.

        Raises:
            DeviceTimeoutError: none has come within 3 report intervals, or the camera was too slow.
            ConnectError, DeviceRefusedError, DecodeError: the camera gave none.
        """
        route = self._intake.routes[device.id]
        if route.image_url:
            data = await fetch_jpeg(route.image_url)
            return Picture(data, self._clock.now_ns())
        picture = route.picture
        if picture is None or self._clock.now_ns() - picture.time_ns > stale_after_ns(device.period_s):
            raise DeviceTimeoutError(f"{device.id}: no picture has come within {3 * device.period_s:g} s")
        return picture

    async def read(self, device: Device, tag: str) -> float:
        """Return the last value when it came after the last write to the device; MQTT devices cannot be asked.

        Raises:
            KeyError: the profile has no such point.
            DeviceTimeoutError: nothing has come since the write (without a write: within 3 report intervals).
            DecodeError: what came is bad.
        """
        place = device.profile.index(tag)
        latest = self._latest[device.id]
        received = latest.received[place]
        oldest = self._clock.monotonic() - max(3 * device.period_s, 10.0)
        if received < max(latest.written, oldest):
            raise DeviceTimeoutError(
                f"{device.id}: {tag}: no value has come since the last write; an MQTT device reports by itself and "
                f"cannot be asked (every {device.period_s:g} s)"
            )
        if latest.quality[place] >= 128:
            raise DecodeError(f"{device.id}: {tag}: the last value is {Quality(int(latest.quality[place])).name}")
        return float(latest.value[place])

    async def write(self, device: Device, tag: str, value: float) -> None:
        """Publish the profile's command once with QoS 1. The broker acknowledges it, not the device: read back.

        Raises:
            KeyError: the profile has no such point.
            NotWritableError: the profile has no command for it, or the value is no number.
            DeviceRefusedError: the broker refused it.
            DeviceTimeoutError, ConnectError: unknown whether it arrived.
        """
        place = device.profile.index(tag)
        command = self._intake.routes[device.id].commands.get(place)
        if command is None:
            raise NotWritableError(f"{device.id}: {tag}: profile {device.profile.id} has no wire.command for it")
        if not math.isfinite(value):
            raise NotWritableError(f"{device.id}: {tag}: {value} cannot be written")
        if self._session is None:
            raise ConnectError(f"{self._login.endpoint}: not connected")
        topic, template = command
        self._latest[device.id].written = self._clock.monotonic()
        await self._session.publish(topic, template.body(value), self._write_timeout_s)

    async def close(self) -> None:
        """Close the connection; safe to call twice and in any state."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    # -- receiving -------------------------------------------------------------------------------------------------

    def _receive(self, topic: str, payload: bytes, retained: bool, large: bool) -> None:  # noqa: FBT001 - call-back
        if large:
            self._intake.counts.messages += 1
            self._intake.counts.too_large += 1
            return
        sink = self._sink
        if sink is None:
            return
        now_ns, now = self._clock.now_ns(), self._clock.monotonic()
        for parcel in self._intake.take(topic, payload, retained=retained, now_ns=now_ns, now=now):
            for batch in parcel.batches:
                if not batch.late:
                    self._remember(parcel.device, batch)
                sink.readings(parcel.device, batch)
            if parcel.events:
                sink.events(parcel.device, parcel.events)
            for request in parcel.requests:
                if not self._requests.full():
                    self._requests.put_nowait(request)

    def _remember(self, device: Device, batch: Readings) -> None:
        latest, places = self._latest[device.id], self._places[device.id]
        at = [places[number] for number in batch.point.tolist()]
        latest.value[at] = batch.value
        latest.quality[at] = batch.quality
        latest.received[at] = self._clock.monotonic()

    def _refuse(self, topics: Iterable[str], sink: Sink) -> None:
        """Points that the broker will never tell us are bad (config), not merely silent."""
        for topic in topics:
            for route in self._intake.of_topic(topic):
                if topic in (route.event_topic, route.image_topic):
                    continue
                places = (
                    [place for place, _ in route.fields[topic]]
                    if topic in route.fields
                    else list(range(len(route.device.numbers)))
                )
                numbers = route.device.numbers[places]
                numbers = numbers[numbers >= 0]
                if len(numbers):
                    sink.readings(route.device, Readings.bad(numbers, self._clock.now_ns(), Quality.BAD_CONFIG))

    def _count_fault(self) -> None:
        self._intake.counts.faults += 1


def login_of(devices: Sequence[Device]) -> Login:
    """Take the login from the devices; it must be the same for all of a broker.

    Raises:
        ProfileError: no device, or they differ.
    """
    if not devices:
        raise ProfileError("an MQTT connection needs at least one device")
    first = devices[0]
    for device in devices:
        if device.endpoint != first.endpoint or dict(device.secrets) != dict(first.secrets):
            raise ProfileError(f"devices {first.id} and {device.id}: one connection, but different endpoint or secrets")
    version = first.options.get("version", 4)
    if version not in (4, 5):
        raise ProfileError(f"device {first.id}: option version: got {version!r}, wanted 4 (MQTT 3.1.1) or 5")
    client_id = next((str(device.options["client_id"]) for device in devices if device.options.get("client_id")), "")
    return Login(
        endpoint=first.endpoint,
        client_id=client_id or f"shifu-{secrets.token_hex(6)}",
        user=first.secrets.get("user", ""),
        password=first.secrets.get("password", ""),
        ca=first.secrets.get("ca", ""),
        certificate=first.secrets.get("certificate", ""),
        private_key=first.secrets.get("private_key", ""),
        version=int(version),
    )


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 60:
        raise ProfileError(f"option write_timeout_s: got {value!r}, wanted 0.1 to 60 seconds")
    return float(value)
