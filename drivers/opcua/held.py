"""What is known of every monitored item, and when it may be said again. No connection in here.

A server tells a value when it changes, and a value that does not change is as true as one that does, as long as
somebody looks. The point table calls a point stale when nothing came for 3 periods. So a device's values are handed
over again, under the present time, every `repeat_s` – while there is proof that the device samples: its counter moves
(`alive` in the profile), the server answers, and the subscription publishes. When the counter stands still for
`still_s`, nothing is repeated, and the points go stale by themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from drivers.opcua.node import Node, parse_nodes, resolve
from drivers.opcua.status import decode, nanoseconds, sample_time
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncua import ua
    from numpy.typing import NDArray

    from drivers.driver import Device

__all__ = ["STILL_S", "Columns", "Held", "Item", "repeat_s"]

STILL_S = 10.0
"""A counter that does not move for this long (or 3 periods, if longer) proves that nothing is sampled."""
_REPEAT_S = 5.0


def repeat_s(period_s: float) -> float:
    """Return how often unchanged values are said again: well before the stale limit of max(3 periods, 10 s)."""
    return max(_REPEAT_S, period_s)


@dataclass(frozen=True, slots=True)
class Item:
    """One node of one device. Its place in the list of items is its client handle on the wire."""

    device: int
    """Place of the device on the connection."""
    number: int
    """Point number, -1 where only the driver needs the node."""
    node: Node
    identifier: str | int


class Columns:
    """Readings of one device that wait for the end of the present turn of the loop."""

    __slots__ = ("point", "quality", "time_ns", "value")

    def __init__(self) -> None:
        self.point: list[int] = []
        self.value: list[float] = []
        self.time_ns: list[int] = []
        self.quality: list[int] = []

    def add(self, point: int, value: float, time_ns: int, quality: int) -> None:
        """Append one reading."""
        self.point.append(point)
        self.value.append(value)
        self.time_ns.append(time_ns)
        self.quality.append(quality)

    def batch(self) -> Readings:
        """Return them as one batch."""
        return Readings(
            np.array(self.point, np.int32),
            np.array(self.value, np.float64),
            np.array(self.time_ns, np.int64),
            np.array(self.quality, np.uint8),
        )


@dataclass(slots=True)
class _Life:
    """Whether a device samples."""

    handle: int | None
    """Item of the counter; None: the profile names none, and the server's answer is all the proof there is."""
    still_s: float
    counter: float = math.nan
    moved: float = -math.inf
    """Monotonic time of its last change."""
    heard: float = -math.inf
    """Monotonic time of its last notification."""
    items: list[int] = field(default_factory=list)


class Held:
    """Last value, quality and time of every item, in arrays by client handle."""

    def __init__(self, devices: Sequence[Device]) -> None:
        """Resolve the nodes of all devices.

        Raises:
            ProfileError: a profile or an option is wrong.
        """
        self.devices = tuple(devices)
        self.items: list[Item] = []
        self._lives: list[_Life] = []
        self.handles: dict[tuple[str, str], int] = {}
        """By (device id, tag); every point of every profile, used by the site or not."""
        maps = {device.profile.id: parse_nodes(device.profile) for device in devices}
        for place, device in enumerate(self.devices):
            plan = maps[device.profile.id]
            life = _Life(None, max(STILL_S, 3 * device.period_s))
            self._lives.append(life)
            for node in plan.nodes:
                handle = len(self.items)
                number = int(device.numbers[node.place])
                self.items.append(Item(place, number, node, resolve(node, device)))
                self.handles[device.id, node.tag] = handle
                if node.place == plan.alive:
                    life.handle = handle
                if number >= 0:
                    life.items.append(handle)
        size = len(self.items)
        self.number: NDArray[np.int32] = np.array([item.number for item in self.items], np.int32)
        self.value: NDArray[np.float64] = np.full(size, np.nan)
        self.quality: NDArray[np.uint8] = np.full(size, Quality.BAD_COMM, np.uint8)
        self.time_ns: NDArray[np.int64] = np.zeros(size, np.int64)
        self.said: NDArray[np.float64] = np.full(size, np.inf)
        """Monotonic time when the item was handed over last; inf before its first value of this connection."""
        self._members = [np.array(life.items, np.intp) for life in self._lives]

    def subscribed(self, handle: int) -> bool:
        """Tell whether the item is to be monitored: the site uses it, or it is the counter of life."""
        item = self.items[handle]
        return item.number >= 0 or self._lives[item.device].handle == handle

    def reset(self) -> None:
        """Begin a new connection: nothing has come yet. Times are kept, so that no point's time goes back."""
        self.said.fill(np.inf)
        for life in self._lives:
            life.moved = -math.inf
            life.counter = math.nan

    def take(
        self, handle: int, data: ua.DataValue, now_ns: int, now: float, *, trusted: bool
    ) -> tuple[float, Quality, int]:
        """Store one notification and return value, quality and time.

        Args:
            handle: Client handle; an unknown one raises IndexError.
            data: Value, status and times as the server sent them.
            now_ns: Calendar time of receipt.
            now: Monotonic time of receipt.
            trusted: Whether the server's clock is right.
        """
        item = self.items[handle]
        value, quality = decode(data, item.node)
        first = math.isinf(self.said[handle])
        time_ns = sample_time(
            nanoseconds(data.SourceTimestamp), now_ns, int(self.time_ns[handle]), trusted=trusted and not first
        )
        self.put(handle, value, quality, time_ns, now)
        life = self._lives[item.device]
        if life.handle == handle:
            life.heard = now
        if life.handle == handle and quality < Quality.UNCERTAIN_STALE and value != life.counter:
            # The first value shows no movement: a counter that stands still since before we came is not alive.
            if not math.isnan(life.counter):
                life.moved = now
            life.counter = value
        return value, quality, time_ns

    def put(self, handle: int, value: float, quality: Quality, time_ns: int, now: float) -> None:
        """Store what is known of an item without a notification (its node is missing)."""
        self.value[handle] = value
        self.quality[handle] = quality
        self.time_ns[handle] = time_ns
        self.said[handle] = now

    def untold(self, handle: int, data: ua.DataValue, now: float) -> bool:
        """Tell whether a read shows that a device's counter moves though no notification has come for `still_s`."""
        life = self._lives[self.items[handle].device]
        if life.handle != handle or math.isinf(self.said[handle]):
            return False
        value, quality = decode(data, self.items[handle].node)
        return quality < Quality.UNCERTAIN_STALE and value != life.counter and now - life.heard > life.still_s

    def samples(self, device: int, now: float) -> bool:
        """Tell whether there is proof that the device samples."""
        life = self._lives[device]
        return life.handle is None or now - life.moved <= life.still_s

    def repeat(self, device: int, now_ns: int, now: float) -> Readings | None:
        """Say unchanged values again, or return None where nothing is due or the device does not sample."""
        members = self._members[device]
        if not len(members) or not self.samples(device, now):
            return None
        due = members[now - self.said[members] >= repeat_s(self.devices[device].period_s)]
        if not len(due):
            return None
        self.said[due] = now
        self.time_ns[due] = now_ns
        return Readings(self.number[due], self.value[due], self.time_ns[due], self.quality[due])
