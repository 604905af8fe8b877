"""The inbox: where every link puts what it received, until the cycle takes it.

Bounded in readings and in events; what does not fit pushes out the oldest and is counted: late readings before live
ones, events before urgent events. An urgent batch or event wakes the cycle at once, the others wake it when its
coalescing time is over.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import merge
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drivers.driver import Device
    from drivers.event import Event
    from drivers.reading import Readings

__all__ = ["Delivery", "Inbox"]

_MAX_READINGS = 200_000
_MAX_EVENTS = 50_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has come since the last cycle, in order of arrival."""

    live: tuple[tuple[Readings, ...], ...]
    """Rounds: each has one batch of a device at most, so that a late turn joins no two polls of a point."""
    late: tuple[Readings, ...]
    events: tuple[Event, ...]


class _Lane:
    """Batches with their devices, oldest first, and how many readings they have."""

    def __init__(self) -> None:
        self.batches: deque[tuple[str, Readings]] = deque()
        self.readings = 0

    def put(self, device: str, batch: Readings) -> None:
        self.batches.append((device, batch))
        self.readings += len(batch)

    def shed(self) -> int:
        """Throw the oldest batch away; return its readings."""
        gone = len(self.batches.popleft()[1])
        self.readings -= gone
        return gone


class Inbox:
    """A sink of the links. Not thread-safe: links, field and cycle live on one event loop."""

    def __init__(
        self,
        wake: Callable[[bool], None],
        *,
        max_readings: int = _MAX_READINGS,
        max_events: int = _MAX_EVENTS,
    ) -> None:
        """Begin empty; `wake(urgent)` is called for each delivery and must return at once.

        `max_readings` bounds all readings that wait; the newest batch stays, even when it is larger alone.
        """
        self._wake = wake
        self._max_readings = max_readings
        self._max_events = max_events
        self._live, self._late = _Lane(), _Lane()
        self._events: deque[tuple[int, Event]] = deque()
        self._urgent: deque[tuple[int, Event]] = deque()
        self._order = count()
        self.received = 0
        """Readings taken in so far."""
        self.dropped_readings = 0
        self.dropped_events = 0

    def readings(self, device: Device, batch: Readings) -> None:
        """Take one batch; the oldest go when there are too many."""
        if not len(batch):
            return
        (self._late if batch.late else self._live).put(device.id, batch)
        self.received += len(batch)
        while self.waiting > self._max_readings and len(self._live.batches) + len(self._late.batches) > 1:
            self.dropped_readings += (self._late if self._late.batches else self._live).shed()
        self._wake(device.urgent)

    def events(self, device: Device, events: Sequence[Event]) -> None:
        """Take the events of one device; the oldest that are not urgent go when there are too many."""
        for event in events:
            (self._urgent if event.urgent else self._events).append((next(self._order), event))
            if len(self._events) + len(self._urgent) > self._max_events:
                (self._events or self._urgent).popleft()
                self.dropped_events += 1
        self._wake(device.urgent or any(event.urgent for event in events))

    @property
    def waiting(self) -> int:
        """Readings that wait for the cycle."""
        return self._live.readings + self._late.readings

    def drain(self) -> Delivery:
        """Hand over everything and be empty."""
        live, self._live = self._live, _Lane()
        late, self._late = self._late, _Lane()
        events, self._events = self._events, deque()
        urgent, self._urgent = self._urgent, deque()
        return Delivery(
            live=_rounds(live.batches),
            late=tuple(batch for _, batch in late.batches),
            events=tuple(event for _, event in merge(events, urgent, key=lambda item: item[0])),
        )


def _rounds(batches: deque[tuple[str, Readings]]) -> tuple[tuple[Readings, ...], ...]:
    rounds: list[list[Readings]] = []
    turn: dict[str, int] = {}
    for device, batch in batches:
        place = turn.get(device, 0)
        turn[device] = place + 1
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(batch)
    return tuple(map(tuple, rounds))
