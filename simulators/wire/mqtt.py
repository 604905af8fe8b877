"""The MQTT side of the fleet: LoRaWAN sensors that report to a broker, and devices that speak JSON there by themselves.

Where no broker is given, one of our own is started.
"""

from __future__ import annotations

import asyncio
import heapq
import zlib
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from simulators.wire.chirpstack import LORAWAN, Sensor
from simulators.wire.parking_talker import PARKING
from simulators.wire.port import free_port
from simulators.wire.security_talker import VOICES as SECURITY
from simulators.wire.talker import TALKERS, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from paho.mqtt.client import MQTTMessage

    from simulators.fault import Board, View

__all__ = ["Broker", "BrokerAddress", "Reporter"]

TALKERS.update(PARKING)
TALKERS.update(SECURITY)

_MAX_PAYLOAD = 1_048_576
_ATTEMPTS = 5


@runtime_checkable
class WithWill(Protocol):
    """A talker that left its last will with the broker."""

    def lost(self, now_ns: int) -> Iterable[Message]:
        """Return what the broker says when the device is cut off."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker and how to log in there."""

    host: str
    port: int
    user: str = ""
    password: str = ""

    @property
    def endpoint(self) -> str:
        """The broker as an endpoint string."""
        return f"mqtt://{self.host}:{self.port}"


class Broker:
    """rumqttd in a child process (package iotcore); it ends with us, for its standard input is our pipe."""

    def __init__(self) -> None:
        self._broker: Any = None

    @property
    def pid(self) -> int:
        """Process id of the broker; 0 while there is none."""
        process = getattr(self._broker, "_process", None)
        return int(process.pid) if process is not None else 0

    async def start(self) -> BrokerAddress:
        """Listen on a free port of loopback.

        Raises:
            RuntimeError: the package is missing, or the broker did not come up.
        """
        try:
            from iotcore import Broker as Embedded  # noqa: PLC0415 - optional: only without --mqtt
        except ImportError:
            raise RuntimeError(
                "no broker: install the extra with `pip install shifu-bms[demo]` (iotcore), or name one by --mqtt"
            ) from None
        failure: Exception | None = None
        for _ in range(_ATTEMPTS):
            port = free_port()
            broker = Embedded(port=port, listen="127.0.0.1", max_payload_size=_MAX_PAYLOAD)
            try:
                await asyncio.to_thread(broker.start)
            except (OSError, RuntimeError) as error:  # somebody took the port in between
                failure = error
                continue
            self._broker = broker
            return BrokerAddress("127.0.0.1", port)
        raise RuntimeError(f"the embedded MQTT broker did not start in {_ATTEMPTS} attempts: {failure}")

    async def stop(self) -> None:
        """End the broker's process."""
        if self._broker is not None:
            broker, self._broker = self._broker, None
            await asyncio.to_thread(broker.stop, 1.0)


class Reporter:
    """Publishes the reports of all sensors of one broker when they are due."""

    def __init__(
        self,
        views: Sequence[View],
        board: Board,
        now_ns: Callable[[], int],
        *,
        seed: int = 0,
        report_s: float = 600.0,
        first_s: float = 10.0,
    ) -> None:
        """Plan the reports.

        A sensor joins within `first_s`, reports, and repeats that report after 30 to 60 s and after one to three
        minutes, as a device does after a join whose listener may come later; then every `report_s` in a phase of its
        own, so that the sensors are spread evenly.
        """
        self.sent = 0
        self.lost = 0
        """Reports that could not be handed to the client (no connection)."""
        self._board = board
        self._now_ns = now_ns
        self._report_s = report_s
        random = Random(f"sensors/{seed}")
        sensors = [view for view in views if view.device.profile not in TALKERS]
        self._sensors = [
            Sensor(
                view.device.id,
                str(view.device.options.get("dev_eui", "")).lower(),
                str(view.device.options.get("application", "1")),
                Random(f"{seed}/{view.device.id}"),
                view.state,
                LORAWAN[view.device.profile],
            )
            for view in sensors
        ]
        self._views = sensors
        self._talkers = [(view, TALKERS[view.device.profile](view)) for view in views if view.device.profile in TALKERS]
        self._listening = {topic: pair for pair in self._talkers for topic in pair[1].topics}
        self._gone: set[str] = set()
        """Devices whose last will was told."""
        self._name = f"simulators-{zlib.crc32(views[0].device.endpoint.encode()):08x}" if views else "simulators"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held: dict[str, Message] = {}
        """Reports that wait for the next one of their device, to be sent after it."""
        self._due: list[tuple[float, int, bool]] = []
        # when, which sensor, and whether the report is one of the regular ones
        count = max(1, len(sensors))
        for index in range(len(sensors)):
            joined = first_s * (index + random.random()) / count
            regular = 60.0 + report_s * (index + random.random()) / count
            again = (30.0 + 30.0 * random.random(), 60.0 + 120.0 * random.random())
            self._due += [(joined, index, False), *((at, index, False) for at in again), (regular, index, True)]
        heapq.heapify(self._due)
        self._client: Client | None = None

    def connect(self, broker: BrokerAddress) -> None:
        """Begin to connect in the client's own thread; it reconnects by itself."""
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._name, protocol=MQTTv311, clean_session=True)
        if broker.user:
            client.username_pw_set(broker.user, broker.password)
        client.max_queued_messages_set(10_000)
        if self._listening:
            self._loop = asyncio.get_running_loop()
            client.on_connect = self._subscribe
            client.on_message = self._pass_on
        client.reconnect_delay_set(1, 8)
        client.connect_async(broker.host, broker.port, keepalive=15)
        client.loop_start()
        self._client = client

    def _subscribe(self, client: Client, *_: object) -> None:
        """Listen anew after every connect (the client's own thread)."""
        client.subscribe([(topic, 1) for topic in self._listening])

    def _pass_on(self, _client: object, _data: object, message: MQTTMessage) -> None:
        """Bring a command from the client's thread to the loop that owns the world."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hear, message.topic, bytes(message.payload))

    def _hear(self, topic: str, payload: bytes) -> None:
        view, talker = self._listening[topic]
        if not view.fault.disconnected:
            for message in talker.hear(topic, payload, self._now_ns()):
                self._send(view, message)

    @property
    def connected(self) -> bool:
        """True while the broker answers."""
        return self._client is not None and self._client.is_connected()

    def close(self) -> None:
        """Disconnect and end the client's thread."""
        if self._client is not None:
            client, self._client = self._client, None
            client.disconnect()
            client.loop_stop()

    def run(self, elapsed_s: float) -> None:
        """Publish everything that is due `elapsed_s` seconds after the start."""
        if not self.connected:
            return
        for view, talker in self._talkers:
            if view.fault.disconnected:
                if isinstance(talker, WithWill) and view.device.id not in self._gone:
                    self._gone.add(view.device.id)
                    for message in talker.lost(self._now_ns()):
                        self._publish(message)
                continue
            self._gone.discard(view.device.id)
            now_ns = self._now_ns() + round(view.fault.clock_s * 1e9)
            said = False
            for message in talker.speak(now_ns, elapsed_s):
                self._send(view, message)
                said = True
            if said:
                view.served()
        while self._due and self._due[0][0] <= elapsed_s:
            at, index, regular = heapq.heappop(self._due)
            self.report(index)
            if regular:
                missed = int((elapsed_s - at) // self._report_s)
                heapq.heappush(self._due, (at + (missed + 1) * self._report_s, index, True))

    def report(self, index: int) -> None:
        """Let one sensor report now, unless a fault keeps it silent."""
        view = self._views[index]
        fault = view.fault
        if fault.disconnected:
            self._sensors[index].frames += 1
            return
        topic = self._sensors[index].topic
        now_ns = self._now_ns() + round(fault.clock_s * 1e9)
        payload = self._sensors[index].uplink(now_ns, corrupt=fault.corrupt)
        view.served()
        self._send(view, Message(topic, payload))

    def _send(self, view: View, message: Message) -> None:
        """Publish as the faults of the device will have it: late, twice, in the wrong order, spoiled."""
        fault = view.fault
        if fault.corrupt and view.device.profile in TALKERS:
            message = replace(message, payload=message.payload[: self._board.random.randrange(len(message.payload))])
        messages = [message]
        held = self._held.pop(view.device.id, None)
        if fault.disordered and held is None:
            self._held[view.device.id] = message
            return
        if held is not None:
            messages.append(held)
        for each in messages:
            for _ in range(1 + fault.repeated):
                if fault.delay_s > 0:
                    asyncio.get_running_loop().call_later(fault.delay_s, self._publish, each)
                else:
                    self._publish(each)

    def _publish(self, message: Message) -> None:
        if self._client is None or not self.connected:
            self.lost += 1
            return
        self._client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
        self.sent += 1
