"""Supervision of one connection: it connects, polls or subscribes, sends keep-alives and knows how each device is.

    link = Link(driver, sink, clock, rng, limiter=limiter, on_health=callback)
    task = asyncio.create_task(link.run())     # until cancelled

A driver says "no" by raising; the link decides when to try again. Nothing that a driver or a sink does ends the link.

For drivers:
- A batch of which every reading is BAD_CONFIG, BAD_DEVICE or BAD_COMM is handed on, but is no good answer.
- A batch without readings says "the device is there, nothing changed" (subscriptions with a deadband): it counts as a
  good answer and is not handed on.
- A polled driver may have `connected` (False after it closed the line by itself, as RTU framing must after a time-out)
  and `async probe(device, timeout_s)` (one short request to a device that was silent).
- A driver may have `trouble(device)`: what part of a device that answers cannot be had, and why; empty for none.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import math
from typing import TYPE_CHECKING, Any

from drivers.driver import PolledDriver, SubscribedDriver
from drivers.errors import (
    ConnectError,
    DecodeError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DriverError,
    NotSentError,
    TryAgainError,
    cause_of,
)
from drivers.health import NOTHING, DeviceHealth, Member, Trouble
from drivers.picture import PictureDriver
from drivers.ratelog import RateLog
from drivers.reading import Quality, Readings
from drivers.supervision import Backoff, Breaker, ConnectLimiter, loss_limit_s, missed_slots, next_slot

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from drivers.driver import Clock, Device, Driver, Sink
    from drivers.event import Event
    from drivers.picture import Picture

__all__ = ["PROBE_TIMEOUT_S", "ConnectLimiter", "DeviceHealth", "Link"]

PROBE_TIMEOUT_S = 0.3
"""Time-out of the probe of a device whose breaker is open."""
_LOST_AFTER_FAILURES = 3
_STEADY_S = 10.0
_CANCEL_AGAIN_S = 0.5
_WATCH_S = 0.5
_LOSS_SHORTEST_S = 10.0
_TOLERANCE_S = 0.05

_BAD = int(Quality.BAD_COMM)

_log = logging.getLogger(__name__)


class Link:
    """Supervises one driver, that is one connection and the devices behind it."""

    def __init__(
        self,
        driver: Driver,
        sink: Sink,
        clock: Clock,
        rng: random.Random,
        *,
        limiter: ConnectLimiter | None = None,
        on_health: Callable[[Device, DeviceHealth], None] | None = None,
    ) -> None:
        """Prepare; nothing is opened before `run`.

        `limiter` is shared by all links of the process (10 connects a second in all).
        """
        self._driver = driver
        self._sink = sink
        self._clock = clock
        self._limiter = limiter or ConnectLimiter(clock)
        self._on_health = on_health
        self._trouble: Callable[[Device], str] | None = getattr(driver, "trouble", None)
        self._backoff = Backoff(rng)
        now, now_ns = clock.monotonic(), clock.now_ns()
        self._members = {
            device.id: Member(device, DeviceHealth(since_ns=now_ns), Breaker(), now) for device in driver.devices
        }
        self._lock = asyncio.Lock()
        self._open = False
        self._answered = False
        self._tried = False
        self._say = RateLog(_log, clock)
        self.sink_errors = 0
        """Batches or events that the sink, against its contract, raised on."""

    @property
    def devices(self) -> Sequence[Device]:
        """The devices behind the connection."""
        return self._driver.devices

    @property
    def health(self) -> Mapping[str, DeviceHealth]:
        """How each device is, by device id."""
        return {device_id: member.health for device_id, member in self._members.items()}

    @property
    def up(self) -> bool:
        """True when the connection is open and a good answer has come over it."""
        return self._open and self._answered

    async def run(self) -> None:
        """Keep the connection until cancelled; then close it."""
        now = self._clock.monotonic()
        for member in self._members.values():
            member.seen = now
        loops = {"session": self._session, "watch": self._watch}
        if any(member.device.profile.keepalive for member in self._members.values()):
            loops["keep-alive"] = self._keep_alive
        tasks = {asyncio.create_task(self._guard(what, loop)) for what, loop in loops.items()}
        try:
            await asyncio.gather(*tasks)
        finally:
            await _end(tasks)
            self._open = False
            await self._close()

    async def read(self, device_id: str, tag: str) -> float:
        """Read one point now, in turn with the polls of the line; one attempt.

        Raises:
            KeyError: no such device on this link.
            DriverError: what the driver says; ConnectError at once when there is no connection.
        """
        member = self._members[device_id]
        async with self._turn():
            await self._ready(member)
            return await self._driver.read(member.device, tag)

    async def picture(self, device_id: str) -> Picture:
        """Return the newest picture of a device; beside the line, for a picture is no register of it.

        Raises:
            KeyError: no such device on this link.
            DriverError: it has none now, or what it gave is no picture.
        """
        if not isinstance(self._driver, PictureDriver):
            raise NotSentError(f"{device_id}: a device of this kind has no pictures")
        return await self._driver.picture(self._members[device_id].device)

    async def write(
        self,
        device_id: str,
        tag: str,
        value: float,
        *,
        before: float = math.inf,
        unless: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write one point, in turn with the polls of the line; one attempt, never repeated.

        `before` is the monotonic time, s, after which it is not sent any more; `unless` is asked last of all.

        Raises:
            KeyError: no such device on this link.
            NotSentError: there is no connection, the line was free too late, or `unless` was true; nothing was sent.
            ConnectError: the connection broke; unknown whether it arrived.
            DeviceTimeoutError: unknown whether it arrived.
            DeviceRefusedError, NotWritableError: it was not taken.
        """
        member = self._members[device_id]
        async with self._turn():
            await self._ready(member)
            if self._clock.monotonic() > before:
                raise NotSentError(f"{device_id}: the line was busy until the time of the write was over")
            if unless():
                raise NotSentError(f"{device_id}: {tag} must not be written any more; nothing was sent")
            member.health.writes += 1
            await self._driver.write(member.device, tag, value)

    def enable(self, device_id: str, *, on: bool) -> None:
        """Take a device out of the polls (state `disabled`) or put it back (state `starting`).

        Raises:
            KeyError: no such device on this link.
        """
        member = self._members[device_id]
        if on and member.health.state == "disabled":
            member.seen = member.due = self._clock.monotonic()
            member.breaker.succeeded()
            self._set_state(member, "starting", NOTHING)
        elif not on:
            self._set_state(member, "disabled", Trouble("taken out of service", "service"))

    # -- session -------------------------------------------------------------------------------------------------

    async def _guard(self, what: str, loop: Callable[[], Any]) -> None:
        """Run a loop for ever: a fault in it is logged, counted and followed by a new start after a pause."""
        while True:
            try:
                await loop()
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 - a fault of others is logged, counted, survived
                self._say(logging.ERROR, "link %s: the %s loop failed and starts again", self._name, what, fault=True)
            await self._clock.sleep(1.0)

    async def _session(self) -> None:
        while True:
            await self._limiter.wait(first=not self._tried)
            self._tried = True
            for member in self._members.values():
                if member.health.state == "starting" and not member.tried:
                    # The wait for one's turn to connect is not the device's silence (a start of 200 links takes 20 s).
                    member.seen, member.tried = self._clock.monotonic(), True
            try:
                await self._driver.connect()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a driver raises, the link lives on
                if not isinstance(error, TryAgainError):
                    self._say(logging.ERROR, "link %s: connect failed: %s", self._name, error, fault=True)
                await self._pause(Trouble(f"no connection: {error}", cause_of(error)))
                continue
            self._open, self._answered = True, False
            start = self._clock.monotonic()
            try:
                reason = await self._serve()
            finally:
                self._open = False
            await self._close()
            if self._answered and self._clock.monotonic() - start >= _STEADY_S:
                self._backoff.reset()
            await self._pause(reason)

    async def _serve(self) -> Trouble:
        """Poll or subscribe until the connection is gone.

        Returns:
            What happened.
        """
        if isinstance(self._driver, PolledDriver):
            return await self._poll_loop(self._driver)
        if isinstance(self._driver, SubscribedDriver):
            try:
                await self._driver.run(_CountingSink(self))
            except asyncio.CancelledError:
                raise
            except ConnectError as error:
                return Trouble(str(error), cause_of(error))
            except Exception as error:  # noqa: BLE001 - a fault of others is logged, counted, survived
                self._say(logging.ERROR, "link %s: the driver failed: %s", self._name, error, fault=True)
                for member in self._members.values():
                    member.health.errors += 1
                return Trouble(f"the driver failed: {error!r}", "fault")
            return Trouble("the driver ended without saying why", "fault")
        raise TypeError(f"{type(self._driver).__name__} is neither a PolledDriver nor a SubscribedDriver")

    async def _pause(self, trouble: Trouble) -> None:
        """Wait before the next connect; every device is tried at once when the connection is back."""
        for member in self._members.values():
            member.due = 0.0
            if member.health.state != "disabled":
                member.health.say(trouble)
        await self._clock.sleep(self._backoff.failed(self._clock.monotonic()))

    async def _close(self) -> None:
        try:
            await self._driver.close()
        except Exception as error:  # noqa: BLE001 - closing is best effort; the next connect starts anew
            self._say(logging.WARNING, "link %s: close failed: %s", self._name, error)

    # -- polls ---------------------------------------------------------------------------------------------------

    async def _poll_loop(self, driver: PolledDriver) -> Trouble:
        members = list(self._members.values())
        queue = [(member.due, place) for place, member in enumerate(members)]
        heapq.heapify(queue)
        while True:
            due, place = queue[0]
            member = members[place]
            delay = due - self._clock.monotonic()
            if delay > 0:
                await self._clock.sleep(delay)
            if member.health.state != "disabled":
                async with self._lock:
                    gone = await self._poll(driver, member)
                if gone:
                    return gone
            now = self._clock.monotonic()
            period = member.device.period_s
            following = next_slot(max(now, due), period)
            if due and not member.breaker.open:
                member.health.missed += missed_slots(due, following, period)
            member.due = max(following, next_slot(now + member.breaker.interval_s - period, period))
            heapq.heapreplace(queue, (member.due, place))

    async def _poll(self, driver: PolledDriver, member: Member) -> Trouble:
        """Poll one device once.

        Returns:
            Why the connection is to be given up, or nothing.
        """
        health = member.health
        health.polls += 1
        try:
            await self._reopen()
            start = self._clock.monotonic()
            if member.breaker.short and hasattr(driver, "probe"):
                await driver.probe(member.device, PROBE_TIMEOUT_S)
            batch = await driver.poll(member.device)
        except asyncio.CancelledError:
            raise
        except ConnectError as error:
            lost = Trouble(f"connection lost: {error}", cause_of(error))
            self._failed(member, lost)
            return lost
        except DeviceTimeoutError as error:
            health.timeouts += 1
            self._failed(member, Trouble(str(error), cause_of(error)))
        except DeviceRefusedError as error:
            health.refused += 1
            self._failed(member, Trouble(str(error), cause_of(error)), state="refused")
        except (DecodeError, DriverError) as error:
            health.errors += 1
            self._failed(member, Trouble(str(error), cause_of(error)))
        except Exception as error:  # noqa: BLE001 - a fault of others is logged, counted, survived
            health.errors += 1
            self._say(logging.ERROR, "device %s: the driver failed: %r", member.device.id, error, fault=True)
            self._failed(member, Trouble(f"the driver failed: {error!r}", "fault"))
        else:
            health.latencies_s.append(self._clock.monotonic() - start)
            self._received(member, batch)
        return NOTHING

    def _received(self, member: Member, batch: Readings) -> None:
        """Judge one batch and hand it on."""
        health = member.health
        if health.state == "disabled":
            return
        if len(batch) and batch.quality[0] >= _BAD and not _useful(batch):
            health.refused += 1
            if bool((batch.quality == Quality.BAD_CONFIG).any()):
                self._failed(member, Trouble("the device refuses every read", "refused"), state="refused")
            else:
                self._failed(member, Trouble("the device or its gateway reports a failure", "failure"))
            self._deliver(member.device, batch)
            return
        member.seen = self._clock.monotonic()
        member.breaker.succeeded()
        health.last_good_ns = self._clock.now_ns()
        self._answered = True
        if health.state != "good":
            self._set_state(member, "good", NOTHING)
            if member.device.profile.keepalive:
                member.keepalive_due = member.seen
        self._judge_part(member)
        if len(batch):
            self._deliver(member.device, batch)

    def _judge_part(self, member: Member) -> None:
        """Count and tell what part of a device that answers cannot be had; its beginning and its end are logged."""
        health = member.health
        trouble = self._trouble(member.device) if self._trouble else ""
        if trouble:
            if isinstance(self._driver, PolledDriver) or not member.troubled:
                health.errors += 1
            if not member.troubled:
                self._say(logging.WARNING, "device %s: a part of it cannot be had: %s", member.device.id, trouble)
        elif member.troubled:
            self._say(logging.INFO, "device %s: all of it answers again", member.device.id)
        member.troubled = bool(trouble)
        health.say(Trouble(trouble, "part") if trouble else NOTHING)

    def _deliver(self, device: Device, batch: Readings) -> None:
        try:
            self._sink.readings(device, batch)
        except Exception:  # noqa: BLE001 - a fault of others is logged, counted, survived
            self.sink_errors += 1
            self._say(logging.ERROR, "device %s: the sink failed on a batch", device.id, fault=True)

    def _failed(self, member: Member, trouble: Trouble, *, state: str = "lost") -> None:
        """Count a poll that brought nothing good."""
        mates = any(
            other is not member and other.health.state == "good" and not other.breaker.open
            for other in self._members.values()
        )
        member.breaker.failed(mates_answer=mates)
        member.health.say(trouble)
        if member.health.state == "disabled":
            return
        if member.breaker.failures >= _LOST_AFTER_FAILURES:
            self._set_state(member, state, trouble)

    # -- watch, keep-alive ---------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Declare devices lost in time, whatever the poll loop is waiting for.

        Sleeps until the first device could be due, so that a healthy link costs a wake-up in ten seconds.
        """
        while True:
            now = self._clock.monotonic()
            delay = _LOSS_SHORTEST_S
            for member in self._members.values():
                if member.health.state in ("starting", "good"):
                    delay = min(delay, member.seen + loss_limit_s(member.device.period_s) - now)
            delay = max(delay, _WATCH_S)
            await self._clock.sleep(delay)
            stalled = self._clock.monotonic() - now - delay > _WATCH_S
            now = self._clock.monotonic()
            for member in self._members.values():
                if member.health.state not in ("starting", "good"):
                    continue
                if stalled or not member.tried:
                    # We stood still (stopped process, stalled loop) or have not tried yet: not the device is silent.
                    member.seen = now
                silent = now - member.seen
                if silent >= loss_limit_s(member.device.period_s) - _TOLERANCE_S:
                    said = Trouble(member.health.message, member.health.cause)
                    self._set_state(member, "lost", said or Trouble(f"no good answer for {silent:.0f} s", "silent"))

    async def _keep_alive(self) -> None:
        """Write each healthy device's heartbeat in its period."""
        while True:
            now = self._clock.monotonic()
            for member in self._members.values():
                keepalive = member.device.profile.keepalive
                if keepalive is None or member.keepalive_due > now or member.health.state != "good" or not self._open:
                    continue
                member.keepalive_due = now + keepalive.every_s
                value = float(member.keepalive_count) if keepalive.mode == "count" else keepalive.value
                member.keepalive_count = (member.keepalive_count + 1) % 65536
                await self._beat(member, keepalive.tag, value)
            await self._clock.sleep(_WATCH_S)

    async def _beat(self, member: Member, tag: str, value: float) -> None:
        try:
            async with self._turn():
                await self._ready(member)
                await self._driver.write(member.device, tag, value)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a heartbeat that fails is counted and told once
            member.health.errors += 1
            if not member.keepalive_failing:
                self._say(logging.WARNING, "device %s: keep-alive failed: %s", member.device.id, error)
            member.keepalive_failing = True
        else:
            member.health.keepalives += 1
            member.keepalive_failing = False

    # -- small things --------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return next((device.endpoint for device in self._driver.devices), type(self._driver).__name__)

    def _turn(self) -> contextlib.AbstractAsyncContextManager[Any]:
        """One request at a time on a polled line; subscribed protocols order their requests themselves."""
        return self._lock if isinstance(self._driver, PolledDriver) else contextlib.nullcontext()

    async def _reopen(self) -> None:
        """Open the line again where the driver closed it after a time-out.

        Raises:
            ConnectError: it cannot be opened.
        """
        if not getattr(self._driver, "connected", True):
            await self._limiter.wait()
            await self._driver.connect()

    async def _ready(self, member: Member) -> None:
        if not self._open:
            raise NotSentError(f"{member.device.id}: no connection to {member.device.endpoint}; nothing was sent")
        try:
            await self._reopen()
        except ConnectError as error:
            raise NotSentError(f"{error}; nothing was sent") from error

    def _set_state(self, member: Member, state: str, trouble: Trouble) -> None:
        health = member.health
        if health.state == state:
            return
        before = health.state
        health.state, health.since_ns = state, self._clock.now_ns()
        health.say(trouble)
        device = member.device
        if state == "good":
            if before != "starting":
                self._say(logging.INFO, "device %s (%s): answers again", device.id, device.endpoint)
        elif state in ("lost", "refused"):
            self._say(logging.WARNING, "device %s (%s): %s: %s", device.id, device.endpoint, state, trouble.message)
        if self._on_health is not None:
            try:
                self._on_health(device, health)
            except Exception:  # noqa: BLE001 - a fault of others is logged, counted, survived
                self.sink_errors += 1
                self._say(logging.ERROR, "device %s: on_health failed", device.id, fault=True)


def _useful(batch: Readings) -> bool:
    """Tell whether anything in the batch was measured (a broken sensor of a device that answers counts as that)."""
    quality = batch.quality
    answered = (quality < Quality.BAD_COMM) | (quality == Quality.BAD_SENSOR)
    return bool((answered | (quality == Quality.BAD_OUT_OF_SERVICE)).any())


class _CountingSink:
    """Stands between a subscribed driver and the sink, and sees that each device lives."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def readings(self, device: Device, batch: Readings) -> None:
        """Judge and hand on one batch."""
        member = self._link._members.get(device.id)
        if member is None:
            return
        member.health.polls += 1
        self._link._received(member, batch)

    def events(self, device: Device, events: Sequence[Event]) -> None:
        """Hand on events; a device that sends events is alive."""
        link = self._link
        member = link._members.get(device.id)
        if member is None:
            return
        link._received(member, Readings.of([], [], 0))
        try:
            link._sink.events(device, events)
        except Exception:  # noqa: BLE001 - a fault of others is logged, counted, survived
            link.sink_errors += 1
            link._say(logging.ERROR, "device %s: the sink failed on events", device.id, fault=True)


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel until all have ended.

    Once is not enough: `asyncio.wait_for` of Python 3.11, which the protocol libraries use, hands on the answer and
    forgets the cancel when both come in one turn of the loop.
    """
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=_CANCEL_AGAIN_S)
