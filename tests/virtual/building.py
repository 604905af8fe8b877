"""A building in virtual time: the real road from drivers to journal, over the plant in memory; no sockets, no threads.

The plant's points come as arrays from `simulators.memory`; `MemoryDriver` is the small adapter between them and the
contract of the drivers. Neither side knows the other. Time moves when `run` says so; the same seed gives the same
journal byte for byte.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.cycle import Cycle, Parts
from controller.field.field import Field
from controller.field.inbox import Inbox
from controller.journal.journal import InlineExecutor, Journal
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.recorder import Recorder
from controller.rule.engine import RuleEngine
from controller.safety.alarm import definitions as fire_alarms
from controller.safety.watch import FireWatch
from controller.settings.load import load
from drivers.errors import DeviceRefusedError, DeviceTimeoutError, NotWritableError
from drivers.reading import Readings
from simulators.memory import MemoryPlant
from simulators.plant.device import NotWritableError as PlantCannotError
from simulators.plant.device import RefusedError
from simulators.site import read_site
from simulators.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from controller.history.log import FrameLog
    from controller.settings.configuration import Configuration
    from drivers.driver import Device

__all__ = ["MemoryDriver", "VirtualBuilding"]

DAY_S = 86_400.0


class MemoryDriver:
    """A polled driver over the plant in memory."""

    def __init__(self, plant: MemoryPlant, devices: Sequence[Device], clock: VirtualClock, deaf: set[str]) -> None:
        self.devices = devices
        self._plant = plant
        self._clock = clock
        self._deaf = deaf
        place = {name: index for index, name in enumerate(plant.names)}
        self._columns: dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
        self._place = place
        for device in devices:
            pairs = [
                (number, place[device.id, point.tag])
                for number, point in zip(device.numbers.tolist(), device.profile.points, strict=True)
                if number >= 0 and (device.id, point.tag) in place
            ]
            self._columns[device.id] = (
                np.array([number for number, _ in pairs], np.int32),
                np.array([index for _, index in pairs], np.intp),
            )

    async def connect(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def poll(self, device: Device) -> Readings:
        self._hear(device)
        numbers, places = self._columns[device.id]
        time_ns = np.full(len(numbers), self._clock.now_ns(), np.int64)
        return Readings(numbers, self._plant.values()[places], time_ns, np.zeros(len(numbers), np.uint8))

    async def read(self, device: Device, tag: str) -> float:
        self._hear(device)
        return float(self._plant.values()[self._place[device.id, tag]])

    async def write(self, device: Device, tag: str, value: float) -> None:
        self._hear(device)
        try:
            self._plant.write(device.id, tag, value)
        except PlantCannotError as error:
            raise NotWritableError(str(error)) from error
        except RefusedError as error:
            raise DeviceRefusedError(str(error), 3) from error

    def _hear(self, device: Device) -> None:
        if device.id in self._deaf:
            raise DeviceTimeoutError(f"{device.id}: no answer")


@dataclass
class KeptLog:
    """In place of the log on disk: counts, and what was logged, for comparison."""

    readings: int = 0
    batches: list[Readings] = field(default_factory=list)

    def append(self, batch: Readings) -> None:
        self.readings += len(batch)
        self.batches.append(batch)

    def to_bytes(self) -> bytes:
        """Return everything that was logged."""
        parts = [(one.point.tobytes(), one.value.tobytes(), one.time_ns.tobytes()) for one in self.batches]
        return b"".join(part for row in parts for part in row)


class VirtualBuilding:
    """Everything of a controller but sockets and threads; make it with `open`."""

    clock: VirtualClock
    configuration: Configuration
    world: World
    plant: MemoryPlant
    journal: Journal
    log: KeptLog
    recorder: Recorder
    parts: Parts
    cycle: Cycle
    inbox: Inbox
    field: Field
    fire: FireWatch
    deaf: set[str]
    """Devices that do not answer."""

    @classmethod
    async def open(
        cls, folder: Path, site: Path, *, seed: int, start_ns: int, devices: Sequence[str] | None = None
    ) -> VirtualBuilding:
        """Build the site at `site` with its journal in `folder`; `devices` restricts which are polled."""
        self = cls()
        self.clock = clock = VirtualClock(start_ns)
        self.configuration = load(site, Registry(), clock=clock)
        polled = [one for one in self.configuration.devices if devices is None or one.id in devices]
        self.world = World(read_site(site), seed, start_ns)
        self.plant = MemoryPlant(self.world, [one.id for one in polled])
        self.deaf = set()
        self.journal = await Journal.open(folder / "state.db", clock, InlineExecutor())
        self.log = KeptLog()
        model = self.configuration.site
        self.recorder = Recorder(self.journal, cast("FrameLog", self.log), clock, lambda: model)
        names = random.Random(seed)
        self.parts = Parts(
            PointTable(model, clock),
            RuleEngine(self.configuration.rules, model, clock),
            AlarmEngine(
                [*self.configuration.alarms, *fire_alarms(self.configuration.fire)], clock, self.recorder.alarm_entry
            ),
            Arbiter(model, clock, new_id=lambda: names.randbytes(10).hex(), record=self.recorder.command),
        )
        self.cycle = Cycle(self.parts, clock, self.recorder)
        self.inbox = Inbox(self.cycle.wake)
        self.cycle.attach(self.inbox)
        self.field = Field(
            lambda endpoint, group: MemoryDriver(self.plant, group, clock, self.deaf),
            self.inbox,
            clock,
            rng=random.Random(seed),
            on_health=self.recorder.health,
        )
        self.recorder.field, self.recorder.parts = self.field, self.parts
        self.fire = FireWatch(
            lambda: self.configuration.fire,
            self.parts,
            clock,
            record=self.recorder.fire_entry,
            changed=self.recorder.fire_changed,
        )
        self.recorder.fire = self.fire
        self.cycle.watches.append(("fire", self.fire.look))
        await self.field.apply(polled, self.configuration.equipment)
        return self

    async def run(
        self,
        seconds: float,
        step_s: float,
        script: dict[float, Callable[[], object]] | None = None,
        *,
        plant_s: float | None = None,
    ) -> None:
        """Let time pass in steps; `script` gives what happens at which second from now.

        `plant_s` is how often the plant moves, a multiple of `step_s`: its physics cost more than the whole road.
        """
        due = sorted((script or {}).items())
        every = round((plant_s or step_s) / step_s)
        for turn in range(round(seconds / step_s)):
            while due and due[0][0] <= turn * step_s:
                due.pop(0)[1]()
            if turn % every == 0:
                self.world.step(step_s * every)
            await self.clock.advance(step_s)
            self.cycle.step()

    def value(self, address: str) -> float:
        """Return the present value of a point."""
        return float(self.parts.table.value[self.configuration.site.points[address].number])

    async def close(self) -> None:
        """Stop the links and close the journal."""
        await self.field.close()
        await self.journal.close()
