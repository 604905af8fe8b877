"""The inbox: where every link puts what it received, until the cycle takes it.

Bounded in readings and in events; what does not fit pushes out the oldest and is counted. An urgent batch or event
wakes the cycle at once, the others wake it when its coalescing time is over.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
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

    live: tuple[Readings, ...]
    late: tuple[Readings, ...]
    events: tuple[Event, ...]


class Inbox:
    """A sink of the links. Not thread-safe: links, field and cycle live on one event loop."""

    def __init__(
        self,
        wake: Callable[[bool], None],
        *,
        max_readings: int = _MAX_READINGS,
        max_events: int = _MAX_EVENTS,
    ) -> None:
        """Begin empty; `wake(urgent)` is called for each delivery and must return at once."""
        self._wake = wake
        self._max_readings = max_readings
        self._max_events = max_events
        self._batches: deque[Readings] = deque()
        self._waiting = 0
        self._events: deque[Event] = deque()
        self.received = 0
        """Readings taken in so far."""
        self.dropped_readings = 0
        self.dropped_events = 0

    def readings(self, device: Device, batch: Readings) -> None:
        """Take one batch; the oldest go when there are too many."""
        if not len(batch):
            return
        self._batches.append(batch)
        self._waiting += len(batch)
        self.received += len(batch)
        while self._waiting > self._max_readings and len(self._batches) > 1:
            gone = self._batches.popleft()
            self._waiting -= len(gone)
            self.dropped_readings += len(gone)
        self._wake(device.urgent)

    def events(self, device: Device, events: Sequence[Event]) -> None:
        """Take the events of one device; the oldest that are not urgent go when there are too many."""
        self._events.extend(events)
        while len(self._events) > self._max_events:
            victim = next((event for event in self._events if not event.urgent), self._events[0])
            self._events.remove(victim)
            self.dropped_events += 1
        self._wake(device.urgent or any(event.urgent for event in events))

    @property
    def waiting(self) -> int:
        """Readings that wait for the cycle."""
        return self._waiting

    def drain(self) -> Delivery:
        """Hand over everything and be empty."""
        batches, self._batches, self._waiting = self._batches, deque(), 0
        events, self._events = tuple(self._events), deque()
        return Delivery(
            live=tuple(batch for batch in batches if not batch.late),
            late=tuple(batch for batch in batches if batch.late),
            events=events,
        )
