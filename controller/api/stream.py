"""The stream: one WebSocket a client, subscribed by topic, first a snapshot and then changes.

Everything is encoded once a topic and class of privacy (set of areas that may be seen), and every client has its own
bounded queue and its own task: a client that stops reading delays nobody (measured elsewhere: with a plain loop over
`send` one deaf client froze all). What waits for a client is bounded (`controller.api.client`).

Alarms before values, always.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from controller.api.client import CLOSE_ENDED, CONTROL, DRILL, WHOLE, Channel, Client
from controller.api.frame import encode_frame
from controller.api.render import impersonal
from controller.api.topic import members
from controller.identity.permission import Action

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from controller.api.client import Areas
    from controller.identity.identity import Principal
    from controller.point.model import Site
    from controller.point.table import PointTable
    from drivers.driver import Clock

__all__ = ["StreamHub"]

HEARTBEAT_S = 1.0
RECHECK_S = 5.0
"""How often every client's session is looked at again (the API promises 5 s after logout)."""
SEND_S = 5.0
"""A send that takes longer closes the client."""
TOPICS = 64
"""Subscriptions of one client."""
EVENTS = 200
"""Events of one message: the newest of a turn. Of the others the client is told the number."""

_LISTS = ("alarms", "devices", "commands", "events", "calendar", "fire")


class StreamHub:
    """Knows who wants what, encodes once, and puts it into the queues. All calls return at once."""

    def __init__(
        self,
        *,
        site: Callable[[], Site],
        table: Callable[[], PointTable],
        clock: Clock,
        version: str,
        overview: Callable[[], Sequence[str]],
        alarms: Callable[[], Sequence[Mapping[str, Any]]],
        devices: Callable[[], Sequence[Mapping[str, Any]]],
        again: Callable[[Principal], Principal | None],
        drill: Callable[[], Mapping[str, Any]] | None = None,
        fire: Callable[[], Mapping[str, Any]] = dict,
        capacity: int = 1_000,
    ) -> None:
        """Begin without clients. `alarms` and `devices` return the JSON objects of a snapshot.

        `fire` and `drill` return what every signed-in person is told of fire and of a drill: they know no areas.
        """
        self._site = site
        self._table = table
        self._clock = clock
        self._version = version
        self._overview = overview
        self._alarms = alarms
        self._devices = devices
        self._again = again
        self._drill = drill
        self._fire = fire
        self._capacity = capacity
        self._generation = -1
        self._channels: dict[tuple[str, Areas], Channel] = {}
        self._clients: set[Client] = set()
        self._next_id = 0
        self.dropped = 0
        self.encoded = 0
        """Value frames encoded so far; deltas and snapshots."""

    @property
    def clients(self) -> int:
        """Open streams."""
        return len(self._clients)

    # ------------------------------------------------------------------ what the rest of the controller calls

    def publish_values(self, numbers: NDArray[np.int32]) -> None:
        """Send what changed to whoever subscribed; called by the cycle once a tick, at most every 100 ms.

        `numbers` are point numbers, without order; the values are taken from the point table now.
        """
        self._follow_site()
        if not self._channels or not len(numbers):
            return
        for channel in self._channels.values():
            inside = numbers[numbers < len(channel.member)]
            changed = inside[channel.member[inside]]
            if len(changed):
                channel.sequence += 1
                frame = self._encode(channel, changed, snapshot=False)
                for client in channel.clients:
                    client.frame(channel, frame)

    def publish_alarm(self, item: Mapping[str, Any]) -> None:
        """Send one alarm as it is now (the Alarm of the API)."""
        self._publish("alarms", "alarm", item, str(item.get("area") or ""))

    def publish_device(self, item: Mapping[str, Any]) -> None:
        """Send one device as it is now."""
        found = self._site().equipment.get(str(item.get("equipment") or ""))
        self._publish("devices", "device", item, found.area if found else "")

    def publish_lists(self) -> None:
        """Send alarms and devices whole to everybody who looks at them: with a new configuration some came or went."""
        for client in self._clients:
            client.stale_lists.update(client.lists & {"alarms", "devices"})
            client.wake.set()

    def publish_command(self, item: Mapping[str, Any]) -> None:
        """Send one command as it is now."""
        found = self._site().points.get(str(item.get("point") or ""))
        self._publish("commands", "command", item, found.area if found else "")

    def publish_events(self, items: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> None:
        """Send the events of one turn in one message: at most the newest 200 of them, newest first.

        `counts` says how many there were by `area`; events without an area go only to clients that see everything. A
        client is told how many it may see and how many of these are not in the message.
        """
        messages: dict[tuple[Areas, Areas], bytes] = {}
        for client in self._clients:
            if "events" not in client.lists:
                continue
            named = client.principal.permissions.areas(Action.SECURITY)
            kind = (client.areas, named)
            if kind not in messages:
                seen = [
                    item if named is None or item.get("area") in named else {**item, "data": impersonal(item["data"])}
                    for item in items
                    if client.sees(str(item.get("area") or ""))
                ][:EVENTS]
                count = sum(number for area, number in counts.items() if client.sees(area))
                text = {"type": "events", "items": seen, "count": count, "left_out": count - len(seen)}
                messages[kind] = _json(text) if count else b""
            if messages[kind]:
                client.text(messages[kind], "events")

    def publish_calendar(self) -> None:
        """Say that a calendar changed, or what is out of service or in use."""
        message = _json({"type": "calendar"})
        for client in self._clients:
            if "calendar" in client.lists:
                client.text(message, "calendar")

    def publish_drill(self) -> None:
        """Tell every client, whatever it subscribed to, how the drill under way stands; never dropped."""
        message = self._drill_message()
        for client in self._clients:
            client.latest(message, DRILL)

    def _drill_message(self) -> bytes:
        return _json({"type": "drill", "time": self._now_ms(), "item": self._drill() if self._drill else None})

    def publish_fire(self) -> None:
        """Send what is known of fire to everybody who looks, before all else that waits for them but answers."""
        for client in self._clients:
            if "fire" in client.lists:
                client.stale_lists.add("fire")
                client.wake.set()

    def _publish(self, topic: str, kind: str, item: Mapping[str, Any], area: str) -> None:
        message = b""
        for client in self._clients:
            if topic in client.lists and client.sees(area):
                message = message or _json({"type": kind, "item": item})
                client.text(message, topic)

    async def run(self) -> None:
        """Send heartbeats and look at sessions again, until cancelled."""
        checked = self._clock.monotonic()
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            self.beat()
            if self._clock.monotonic() - checked >= RECHECK_S - HEARTBEAT_S:
                checked = self._clock.monotonic()
                self.recheck()

    def beat(self) -> None:
        """Send one heartbeat to everybody."""
        self._follow_site()
        message = _json({"type": "heartbeat", "time": self._now_ms(), "generation": self._generation})
        for client in self._clients:
            client.text(message, "heartbeat")

    def recheck(self) -> None:
        """Close every client whose session has ended or whose rights have changed."""
        for client in list(self._clients):
            now = self._again(client.principal)
            if now is None or now.permissions != client.principal.permissions or now.must_set_password:
                client.end(CLOSE_ENDED)

    # ------------------------------------------------------------------ what the socket calls

    def join(self, principal: Principal) -> Client | None:
        """Add a client; None when the house is full."""
        if len(self._clients) >= self._capacity:
            return None
        client = Client(principal)
        self._clients.add(client)
        generation = self._site().generation
        client.text(
            _json({"type": "hello", "generation": generation, "time": self._now_ms(), "version": self._version})
        )
        if self._drill is not None:
            client.latest(self._drill_message(), DRILL)
        return client

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self._clients.discard(client)
        self.dropped += client.dropped
        for topic in list(client.channels):
            self._drop(client, topic)

    def receive(self, client: Client, message: object) -> None:
        """Carry out one message of a client; what makes no sense is answered with `refused`."""
        if not isinstance(message, dict) or not message.keys() <= {"subscribe", "unsubscribe"} or not message:
            client.text(_refused("", 'send {"subscribe": [topics]} or {"unsubscribe": [topics]}'))
            return
        for key, call in (("unsubscribe", self._unsubscribe), ("subscribe", self._subscribe)):
            topics = message.get(key, [])
            if not isinstance(topics, list) or len(topics) > TOPICS or not all(isinstance(t, str) for t in topics):
                client.text(_refused("", f"{key} is a list of at most {TOPICS} topics"))
                continue
            for topic in topics:
                call(client, topic)

    def _subscribe(self, client: Client, topic: str) -> None:
        shown = topic[:200]
        if topic in client.lists:
            client.lists.discard(topic)
        elif topic in client.channels:
            self._drop(client, topic)
        elif len(client.lists) + len(client.channels) >= TOPICS:
            client.text(_refused(shown, f"at most {TOPICS} topics; unsubscribe from one that is not shown"))
            return
        if topic in _LISTS:
            client.lists.add(topic)
            client.text(_json({"type": "subscribed", "topic": topic, "id": 0}))
            if topic in WHOLE:
                client.stale_lists.add(topic)
            client.wake.set()
            return
        channel = self._channel(topic, client.areas)
        if channel is None:
            client.text(_refused(shown, "no such topic, or nothing in it that you may see"))
            return
        channel.clients.add(client)
        client.channels[topic] = channel
        client.stale.add(channel)
        client.text(_json({"type": "subscribed", "topic": topic, "id": channel.id}))

    def _unsubscribe(self, client: Client, topic: str) -> None:
        client.lists.discard(topic)
        client.stale_lists.discard(topic)
        self._drop(client, topic)

    def _drop(self, client: Client, topic: str) -> None:
        channel = client.channels.pop(topic, None)
        if channel is None:
            return
        client.frames.pop(channel, None)
        client.stale.discard(channel)
        channel.clients.discard(client)
        if not channel.clients:
            self._channels.pop((channel.topic, channel.areas), None)

    async def pump(
        self, client: Client, text: Callable[[bytes], Awaitable[None]], frame: Callable[[bytes], Awaitable[None]]
    ) -> int:
        """Send what waits for a client until it is to be closed; returns the close code.

        Raises:
            TimeoutError: one send took longer than 5 s.
        """
        while True:
            await client.wake.wait()
            client.wake.clear()
            while not client.close_code and (message := self._next(client)) is not None:
                is_text, data = message
                async with asyncio.timeout(SEND_S):
                    await (text if is_text else frame)(data)
            if client.close_code:
                return client.close_code

    def _next(self, client: Client) -> tuple[bool, bytes] | None:
        if "fire" in client.stale_lists and not (client.texts and client.texts[0][0] == CONTROL):
            client.stale_lists.discard("fire")
            return True, _json({"type": "fire", "item": self._fire()})
        if client.texts:
            return True, client.texts.popleft()[1]
        for topic, items in (("alarms", self._alarms), ("devices", self._devices)):
            if topic in client.stale_lists:
                client.stale_lists.discard(topic)
                seen = [item for item in items() if self._visible(client, topic, item)]
                return True, _json({"type": topic, "items": seen})
        for channel in client.channels.values():
            if channel in client.stale:
                client.stale.discard(channel)
                client.frames.pop(channel, None)
                return False, self._snapshot(channel)
            waiting = client.frames.get(channel)
            if waiting:
                return False, waiting.popleft()
        return None

    def _visible(self, client: Client, topic: str, item: Mapping[str, Any]) -> bool:
        if client.areas is None:
            return True
        if topic == "alarms":
            return client.sees(str(item.get("area") or ""))
        found = self._site().equipment.get(str(item.get("equipment") or ""))
        return client.sees(found.area if found else "")

    # ------------------------------------------------------------------ channels

    def _channel(self, topic: str, areas: Areas) -> Channel | None:
        self._follow_site()
        found = self._channels.get((topic, areas))
        if found is not None:
            return found
        numbers = self._members(topic, areas)
        if not len(numbers):
            return None
        used = {channel.id for channel in self._channels.values()}
        while True:
            self._next_id = self._next_id % 0xFFFF + 1
            if self._next_id not in used:
                break
        channel = Channel(topic, areas, self._next_id, numbers, self._mask(numbers))
        self._channels[topic, areas] = channel
        return channel

    def _members(self, topic: str, areas: Areas) -> NDArray[np.int32]:
        return members(topic, areas, self._site(), self._overview, len(self._table().value))

    def _mask(self, numbers: NDArray[np.int32]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._table().value), np.bool_)
        mask[numbers] = True
        return mask

    def _follow_site(self) -> None:
        """After `shifu apply` work out all members anew; everybody gets a snapshot."""
        generation = self._site().generation
        if generation == self._generation:
            return
        self._generation = generation
        for key, channel in list(self._channels.items()):
            channel.numbers = self._members(channel.topic, channel.areas)
            channel.member = self._mask(channel.numbers)
            channel.snapshot_of = (-1, -1.0)
            for client in list(channel.clients):
                if len(channel.numbers):
                    client.stale.add(channel)
                    client.wake.set()
                else:
                    self._drop(client, channel.topic)
                    client.text(_refused(channel.topic, "the new configuration has nothing in it"))
            if not len(channel.numbers):
                self._channels.pop(key, None)

    def _snapshot(self, channel: Channel) -> bytes:
        now = self._clock.monotonic()
        sequence, made = channel.snapshot_of
        if sequence != channel.sequence or now - made > 0.1:
            channel.snapshot = self._encode(channel, channel.numbers, snapshot=True)
            channel.snapshot_of = (channel.sequence, now)
        return channel.snapshot

    def _encode(self, channel: Channel, numbers: NDArray[np.int32], *, snapshot: bool) -> bytes:
        table = self._table()
        self.encoded += 1
        return encode_frame(
            numbers,
            table.value[numbers],
            table.quality[numbers],
            table.time_ns[numbers],
            now_ns=self._clock.now_ns(),
            sequence=channel.sequence,
            topic=channel.id,
            snapshot=snapshot,
        )

    def _now_ms(self) -> float:
        return self._clock.now_ns() / 1e6


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _refused(topic: str, reason: str) -> bytes:
    return _json({"type": "refused", "topic": topic, "reason": reason})
