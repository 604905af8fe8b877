"""The recorder: takes what the cycle and the arbiter produce to log, journal, field and stream.

Every call returns at once. Alarms and commands are told to the screens when the journal has them; a life-safety alarm
is told at once and again when it is recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING

from controller.api.render import command_json, device_json, event_json
from controller.api.stream import EVENTS
from controller.errors import ConflictError, UnavailableError
from controller.field.execution import execute
from controller.journal.entry import (
    AlarmRow,
    AlarmStateRow,
    CommandRow,
    DrillEntryRow,
    DrillPersonRow,
    DrillRow,
    DrillTickRow,
    FireRow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from controller.alarm.definition import Alarm, AlarmEntry
    from controller.api.stream import StreamHub
    from controller.command.order import Command, Order
    from controller.cycle import Parts
    from controller.drill.engine import DrillEngine, Record
    from controller.field.field import Field
    from controller.history.log import FrameLog
    from controller.journal.entry import SlotRow
    from controller.journal.journal import Journal
    from controller.point.model import Site
    from controller.safety.watch import FireRecord, FireWatch
    from drivers.driver import Clock, Device
    from drivers.event import Event
    from drivers.link import DeviceHealth
    from drivers.reading import Readings

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)
_PROTECTION = (3, 4, 5, 7)
"""Slots whose orders go out even while the journal is down; they are recorded after."""
_EQUIPMENT = (3, 4, 5)
"""Slots of protection by programs: taken back by nobody but them."""


class Recorder:
    """One a controller; `run` announces, everything else is called by the cycle, the arbiter and the links."""

    def __init__(self, journal: Journal, log: FrameLog, clock: Clock, site: Callable[[], Site]) -> None:
        """Prepare; set `hub`, `field` and `parts` before the first turn."""
        self.hub: StreamHub | None = None
        self.field: Field | None = None
        self.parts: Parts | None = None
        self.drills: DrillEngine | None = None
        self.notify: Callable[[Sequence[Alarm]], None] = lambda _alarms: None
        """Takes alarms that changed, when the journal has them."""
        self.fire: FireWatch | None = None
        self._journal = journal
        self._log = log
        self._clock = clock
        self._site = site
        self._events: deque[tuple[Event, int]] = deque(maxlen=EVENTS)
        """The newest events of this turn with the time of their arrival, until the stream is told."""
        self._event_counts: Counter[str] = Counter()
        """How many came in this turn, by device."""
        self._orders: set[asyncio.Task[None]] = set()
        self._commands: dict[str, Command] = {}
        self._announced = 0
        self._flashed = 0
        """Version of the alarms up to which life safety was told without waiting for the journal."""
        self._silent = False
        """The journal takes nothing, and that was said."""
        self.faults = 0
        """Announcements that failed; the next ones go on."""
        self._lost: set[str] = set()
        """Generation of the configuration, and the equipment of each device in it."""
        self._something = asyncio.Event()

    # -- from the cycle ----------------------------------------------------------------------------------------------

    def readings(self, batch: Readings) -> None:
        """Append to the log."""
        self._log.append(batch)

    def event(self, event: Event) -> None:
        """Append to the event journal, once; the stream is told of all new ones at the end of the turn."""
        if not self._journal.event(event):
            return
        if self.drills is not None:
            self.drills.event(event)
        if self.hub is not None:
            self._events.append((event, self._clock.now_ns()))
            self._event_counts[event.source] += 1

    def changed(self, numbers: NDArray[np.int32]) -> None:
        """Tell the stream."""
        if self.hub is not None:
            self.hub.publish_values(numbers)

    def order(self, order: Order) -> None:
        """Carry out an order in a task of its own; the arbiter lets out one a point."""
        task = asyncio.create_task(self._carry(order), name=f"order {order.point.address}")
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)

    def calendar(self) -> None:
        """Tell the stream that a calendar changed, or what is out of service or in use."""
        if self.hub is not None:
            self.hub.publish_calendar()

    def tell_events(self) -> None:
        """Tell the stream of the turn's events in one message, however many they are."""
        if not self._event_counts or self.hub is None:
            return
        site, counts = self._site(), Counter[str]()
        equipment = {}
        for source, number in self._event_counts.items():
            status = None if self.field is None else self.field.status(source)
            found = None if status is None else site.equipment.get(status.equipment)
            equipment[source] = found
            counts["" if found is None else found.area] += number
        items = [
            event_json(
                {
                    "id": None,
                    "source": event.source,
                    "key": event.key,
                    "type": event.type,
                    "time_ns": event.time_ns,
                    "received_ns": received_ns,
                    "late": event.late,
                    "data": dict(event.data),
                },
                equipment[event.source],
            )
            for event, received_ns in reversed(self._events)
        ]
        self._events.clear()
        self._event_counts.clear()
        self.hub.publish_events(items, counts)

    def alarms(self) -> None:
        """Have changed alarms announced; life safety at once."""
        if self.parts is None or self.parts.alarms.version == self._announced:
            return
        if self.hub is not None:
            since = max(self._flashed, self._announced)
            self._flashed, changed = self.parts.alarms.changed_since(since)
            for alarm in changed:
                if alarm.definition.life_safety:
                    self.hub.publish_alarm({**alarm.to_json(), "unrecorded": True})
        self._something.set()

    def fire_entry(self, entry: FireRecord) -> None:
        """Append what happened in the response to a fire; it took effect already."""
        rows = [
            FireRow(entry.response, entry.time_ns, note.event, note.zone, note.point, note.who, note.reason)
            for note in entry.notes
        ]
        self._journal.fire(rows, entry.state)

    def fire_changed(self) -> None:
        """Tell the screens what is known of fire, at once; and again when the journal has it."""
        if self.fire is None:
            return
        if self.hub is not None:
            self.hub.publish_fire()
        if self.fire.recorded < self.fire.version:
            self._something.set()

    # -- from engines and links --------------------------------------------------------------------------------------

    def alarm_entry(self, entry: AlarmEntry) -> None:
        """Append one transition and the state after it, in one transaction."""
        state = entry.state
        self._journal.alarm(
            AlarmRow(
                occurrence=entry.occurrence,
                definition=entry.definition,
                time_ns=entry.time_ns,
                event=entry.event,
                from_state=entry.from_state,
                to_state=entry.to_state,
                value=entry.value,
                limit=entry.limit,
                user=entry.user,
                comment=entry.comment,
            ),
            AlarmStateRow(
                definition=state.definition,
                occurrence=state.occurrence,
                state=state.state,
                raised_ns=state.raised_ns,
                returned_ns=state.returned_ns,
                acknowledged_ns=state.acknowledged_ns,
                acknowledged_by=state.acknowledged_by,
                comment=state.comment,
                value=state.value,
                limit=state.limit,
                count=state.count,
                data=dict(state.data),
            ),
        )

    def command(self, command: Command, slots: tuple[SlotRow, ...]) -> None:
        """Append one state of a command with the slots that it changed.

        Raises:
            UnavailableError: the command is new and the journal cannot take it.
        """
        new = self.parts is not None and command.owner != "arbiter" and not self.parts.arbiter.knows(command.id)
        point = self._site().points.get(command.point)
        self._journal.command(
            CommandRow(
                command=command.id,
                time_ns=self._clock.now_ns(),
                point=command.point,
                number=point.number if point else -1,
                slot=command.slot,
                value=command.value,
                previous=command.previous,
                owner=command.owner,
                reason=command.reason,
                state=command.state,
                message=command.message,
                until_ns=command.until_ns,
                readback=command.readback,
            ),
            *slots,
            lost=partial(self._lose, command) if new else None,
        )
        self._commands[command.id] = command
        self._something.set()

    def drill(self, record: Record) -> None:
        """Append what happened in a drill; the screens are told at once, marked unrecorded while the disk fails."""
        drill = record.drill
        self._journal.drill(
            None if drill is None else DrillRow(drill.id, str(drill.phase), drill.planned_ns, drill.to_json()),
            [
                DrillEntryRow(one.drill, one.time_ns, one.kind, one.who, one.text.zh, one.text.en, dict(one.data))
                for one in record.entries
            ],
            [DrillTickRow(id_, tick.key, tick.received_ns, tick.to_json()) for id_, tick in record.ticks],
            [DrillPersonRow(id_, one.id, one.area, one.floor, one.door, one.seen_ns) for id_, one in record.people],
        )

    def tell_drill(self) -> None:
        """Tell every screen how the drill under way stands."""
        if self.hub is not None:
            self.hub.publish_drill()

    def _lose(self, command: Command, error: Exception) -> None:
        """Take back a new command that the journal had in its queue and could not keep; protection goes on."""
        if self.parts is not None and command.slot not in _EQUIPMENT:
            self.parts.arbiter.withdraw(command.id, f"not recorded and so not sent: {error}")

    def health(self, device: Device, health: DeviceHealth) -> None:
        """Take a change of a device's state: its alarm, its held points, the screens."""
        if self.parts is None or self.field is None:
            return
        lost = health.state in ("lost", "refused")
        self.parts.alarms.device(device.id, lost, health.message)
        if health.state == "good":
            self.parts.arbiter.device_back(device.id)
        if lost:
            self._lost.add(device.id)
            _log.warning("device %s is %s: %s", device.id, health.state, health.message)
        elif health.state == "good" and device.id in self._lost:
            self._lost.discard(device.id)
            _log.info("device %s answers again", device.id)
        status = self.field.status(device.id)
        if status is not None and self.hub is not None:
            self.hub.publish_device(device_json(status))
        self.alarms()

    # -- tasks -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Announce alarms and commands when the journal has them, until cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            try:
                await self._announce()
            except Exception:  # noqa: BLE001 - the task owner logs and goes on: one bad row must not silence the rest
                self.faults += 1
                _log.exception("an announcement failed (fault %d)", self.faults)

    async def _announce(self) -> None:
        # What is to be said is taken before the commit: what comes meanwhile is not durable yet, and waits its turn.
        commands, self._commands = self._commands, {}
        alarms: list[Alarm] = []
        if self.parts is not None:
            self._announced, alarms = self.parts.alarms.changed_since(self._announced)
        fire = 0 if self.fire is None else self.fire.version
        try:
            await self._journal.commit()
        except (UnavailableError, ConflictError) as error:
            # The building goes on without its journal; the screens must not fall silent with it.
            if not self._silent:
                _log.error("announced without a record, as all that follows: %s", error)
            self._silent = True
        else:
            self._silent = False
            if self.fire is not None:
                self.fire.confirm(fire)
        self.notify(alarms)
        if self.hub is None:
            return
        for alarm in alarms:
            self.hub.publish_alarm(alarm.to_json())
        for command in commands.values():
            self.hub.publish_command(command_json(command))

    async def _carry(self, order: Order) -> None:
        """Have the journal keep a command before the device gets it, then send it once."""
        if self.field is None or self.parts is None:
            return
        arbiter = self.parts.arbiter
        if order.command:
            try:
                await self._journal.commit()
            except (UnavailableError, ConflictError) as error:
                protects = order.automatic or arbiter.winner(order.point.address) in _PROTECTION
                if not protects or arbiter.withdrawn(order.command):
                    arbiter.refused(order, f"not recorded and so not sent: {error}")
                    return
                _log.error("order for %s goes out unrecorded: %s", order.point.address, error)
            if arbiter.withdrawn(order.command):
                # The journal is well again, but what it lost in between was refused to whoever asked.
                arbiter.refused(order, "not recorded and so not sent")
                return
        if arbiter.forbidden(order):
            arbiter.refused(order, "its point is held or paused since; nothing was sent")
            return
        arbiter.started(order, "pending")
        outcome = await execute(
            order,
            self.field,
            self._site(),
            self._clock,
            lambda: arbiter.started(order, "verifying"),
            lambda: arbiter.forbidden(order),
        )
        arbiter.completed(order, outcome)

    async def close(self) -> None:
        """Wait for orders that are out, at most 5 s."""
        if self._orders:
            await asyncio.wait(self._orders, timeout=5.0)
