"""The cycle: one straight line from what the drivers delivered to alarms, rules, commands, log and stream.

    inbox → point table → limits of every reading → virtual points (the same way) → fire → strategies → arbiter → log
    and stream

`step` does one turn and never waits; `run` calls it when something came (coalesced to 100 ms, at once when urgent) and
at least once a second. Whatever is slow (disk, database, browsers, devices) works from queues of its own.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from controller.alarm.engine import AlarmEngine
    from controller.command.arbiter import Arbiter
    from controller.command.order import Order
    from controller.field.inbox import Inbox
    from controller.point.table import PointTable
    from controller.rule.engine import RuleEngine
    from drivers.driver import Clock
    from drivers.event import Event

__all__ = ["Cycle", "Parts", "Recorder", "Strategies"]

_log = logging.getLogger(__name__)

COALESCE_S = 0.1
"""Batches that arrive together wait this long at most for each other."""
TICK_S = 1.0
"""Delays, staleness, leases and rules over time are looked at this often when nothing arrives."""
_SLACK_S = 0.001
"""A sleep that ends a rounding error early still makes a tick."""


class Recorder(Protocol):
    """Where the cycle puts what it has; every call returns at once."""

    def readings(self, batch: Readings) -> None:
        """Append to the log."""

    def event(self, event: Event) -> None:
        """Append to the event journal."""

    def tell_events(self) -> None:
        """Tell the stream of the events of this turn."""

    def changed(self, numbers: NDArray[np.int32]) -> None:
        """Tell the stream that these points changed."""

    def order(self, order: Order) -> None:
        """Carry out an order of the arbiter."""

    def alarms(self) -> None:
        """Look whether alarms changed, and announce them when the journal has them."""


class Strategies(Protocol):
    """Programs that decide commands (`controller.strategy.engine`)."""

    def step(self) -> None:
        """Have those decide whose time has come."""


@dataclass(slots=True)
class Parts:
    """What a turn works on; `shifu apply` replaces it whole between two turns."""

    table: PointTable
    rules: RuleEngine
    alarms: AlarmEngine
    arbiter: Arbiter
    strategies: Strategies | None = None


@dataclass(slots=True)
class CycleCounts:
    """For metrics."""

    turns: int = 0
    readings: int = 0
    late: int = 0
    events: int = 0
    faults: int = 0
    """Parts of turns that raised; the parts and turns after them went on."""
    slowest_s: float = 0.0


class Cycle:
    """Owns the turn. Everything it calls is synchronous and quick."""

    def __init__(self, parts: Parts, clock: Clock, recorder: Recorder) -> None:
        """Prepare; give `wake` to the inbox, then `attach` the inbox."""
        self.parts = parts
        self.counts = CycleCounts()
        self._clock = clock
        self._recorder = recorder
        self._inbox: Inbox | None = None
        self.watches: list[tuple[str, Callable[[], None]]] = []
        """What looks at the point table in every turn, after the alarms and before the commands: by name, in order."""
        self._arrived = asyncio.Event()
        self._urgent = asyncio.Event()
        self._ticked = -np.inf

    def attach(self, inbox: Inbox) -> None:
        """Drain this inbox from now on."""
        self._inbox = inbox

    def wake(self, urgent: bool) -> None:  # noqa: FBT001 - the inbox's callback
        """Ask for a turn: at once, or when the coalescing time is over."""
        self._arrived.set()
        if urgent:
            self._urgent.set()

    def step(self) -> None:
        """Do one turn. A part that fails is logged and counted, and the parts after it have their turn all the same."""
        now = self._clock.monotonic()
        changed: list[NDArray[np.int32]] = []
        live = False
        if self._inbox is not None:
            delivery = self._inbox.drain()
            live = bool(delivery.live)
            for batch in delivery.late:
                self.counts.late += len(batch)
                self._recorder.readings(batch)
            for event in delivery.events:
                self.counts.events += 1
                self._part("events", partial(self._recorder.event, event))
            if delivery.events:
                self._part("event stream", self._recorder.tell_events)
            for batches in delivery.live:
                self._part("readings", partial(self._live, batches, changed))
        tick = now - self._ticked >= TICK_S - _SLACK_S
        if tick:
            self._ticked = now
            self._part("staleness", partial(self._expire, changed))
        if live or tick:
            self._part("rules", partial(self._rules, changed))
            self._part("alarms", self.parts.alarms.tick)
        for name, look in self.watches:
            self._part(name, look)
        if tick and self.parts.strategies is not None:
            self._part("strategies", self.parts.strategies.step)
        self._part("commands", self._orders)
        if changed:
            touched = np.zeros(self.parts.table.size, np.bool_)
            for part in changed:
                touched[part] = True
            numbers = touched.nonzero()[0].astype(np.int32)
            if len(numbers):
                self._part("stream", partial(self._recorder.changed, numbers))
        self._part("announcements", self._recorder.alarms)
        self.counts.turns += 1

    def take_out(self, reasons: Mapping[str, str]) -> None:
        """Set the equipment that is out of service, each with the reason; between two turns.

        One mask of point numbers does it: whatever these points read is `BAD_OUT_OF_SERVICE` from here on, so that no
        limit, rule or strategy believes it. Points that an alarm of life safety watches are left in service.
        """
        parts = self.parts
        kept = parts.alarms.life_safety_points
        numbers = [
            point.number
            for point in parts.table.site.points.values()
            if point.equipment in reasons and point.number not in kept
        ]
        parts.alarms.take_out(reasons)
        changed = parts.table.take_out(np.array(numbers, np.int32))
        if len(changed):
            gone = changed[parts.table.quality[changed] == Quality.BAD_OUT_OF_SERVICE]
            flagged = Readings.bad(gone, self._clock.now_ns(), Quality.BAD_OUT_OF_SERVICE)
            parts.alarms.check(flagged.point, flagged.value, flagged.quality)
            self._part("log", partial(self._recorder.readings, flagged))
            self._part("stream", partial(self._recorder.changed, changed))
        self._part("announcements", self._recorder.alarms)

    def _part(self, name: str, work: Callable[[], None]) -> bool:
        """Do one part of a turn; a fault in it costs that part alone."""
        try:
            work()
        except Exception:  # noqa: BLE001 - logged, counted, survived: no fault may stop the building
            self.counts.faults += 1
            if self.counts.faults in (1, 10, 100) or self.counts.faults % 1000 == 0:
                _log.exception("%s: this part of a turn failed (fault %d)", name, self.counts.faults)
            return False
        return True

    def _live(self, batches: tuple[Readings, ...], changed: list[NDArray[np.int32]]) -> None:
        try:
            joined = Readings.join(batches)
            changed.append(self._take(joined))
        except Exception:
            if len(batches) == 1:
                raise
            # One of them cannot be taken: each for itself then, so that a bad batch touches its own device alone.
            for batch in batches:
                self._part("readings", partial(self._live, (batch,), changed))

    def _expire(self, changed: list[NDArray[np.int32]]) -> None:
        stale = self.parts.table.expire()
        if len(stale):
            changed.append(stale)
            gone = Readings.bad(stale, self._clock.now_ns(), Quality.UNCERTAIN_STALE)
            self.parts.alarms.check(gone.point, gone.value, gone.quality)
            self._recorder.readings(gone)

    def _rules(self, changed: list[NDArray[np.int32]]) -> None:
        virtual = self.parts.rules.evaluate(self.parts.table)
        if len(virtual):
            changed.append(self._take(virtual))

    def _orders(self) -> None:
        for order in self.parts.arbiter.step():
            self._recorder.order(order)

    def _take(self, batch: Readings) -> NDArray[np.int32]:
        """Apply a batch, check the limits of every reading in it, and log what changed."""
        table = self.parts.table
        changed = table.apply(batch)
        screened = table.screened
        self.counts.readings += len(batch)
        if len(changed):
            self._recorder.readings(
                Readings(changed, table.value[changed], table.time_ns[changed], table.quality[changed])
            )
        self.parts.alarms.check(screened.point, screened.value, screened.quality)
        return changed

    async def run(self) -> None:
        """Turn until cancelled."""
        while True:
            await self._wait()
            start = self._clock.monotonic()
            self._part("turn", self.step)
            self.counts.slowest_s = max(self.counts.slowest_s, self._clock.monotonic() - start)

    async def _wait(self) -> None:
        """Return at once when urgent, 100 ms after the first arrival, or when the next tick is due."""
        until_tick = self._ticked + TICK_S - self._clock.monotonic()
        # Never at once: a turn that fails before its tick would spin.
        await self._first(self._arrived, min(TICK_S, max(COALESCE_S, until_tick)))
        if self._arrived.is_set() and not self._urgent.is_set():
            await self._first(self._urgent, COALESCE_S)
        self._arrived.clear()
        self._urgent.clear()

    async def _first(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for the event, at most so long on the injected clock."""
        if event.is_set():
            await asyncio.sleep(0)
            return
        racers = (asyncio.create_task(event.wait()), asyncio.create_task(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(racers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for racer in racers:
                racer.cancel()
