"""Strategies over the simulated plant in purely virtual time: the real engine, arbiter and point table, no drivers.

Every step the plant moves, its points are applied, strategies decide, and what the arbiter orders is written into the
plant once. Everything that is written is kept, as the devices' own ledger would.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.order import Outcome
from controller.job import InlineJobs
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.settings.load import load
from controller.strategy.engine import StrategyEngine, definitions
from drivers.reading import Readings
from simulators.memory import MemoryPlant
from simulators.plant.device import RefusedError
from simulators.site import read_site
from simulators.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from controller.alarm.definition import AlarmEntry
    from controller.command.order import Command
    from controller.journal.entry import SlotRow
    from controller.strategy.strategy import Entry, Usual

__all__ = ["StrategyBuilding", "Written"]


class Written(NamedTuple):
    """One write that reached a device."""

    time_s: float
    """Since the start."""
    point: str
    value: float
    slot: int
    """The slot that wins then; 0: the default."""


@dataclass
class StrategyBuilding:
    """City Hall with its strategies; make it with `open`."""

    clock: VirtualClock
    world: World
    plant: MemoryPlant
    table: PointTable
    arbiter: Arbiter
    alarms: AlarmEngine
    engine: StrategyEngine
    entries: tuple[Entry, ...]
    site_points: dict[str, tuple[str, str]]
    written: list[Written] = field(default_factory=list)
    kept: dict[tuple[str, int], SlotRow] = field(default_factory=dict)
    """Filled slots as the state database keeps them."""
    deaf: set[str] = field(default_factory=set)
    """Devices that do not answer."""
    lies: dict[str, float] = field(default_factory=dict)
    """Points that show something else."""
    elapsed_s: float = 0.0
    numbers: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    places: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    owners: list[str] = field(default_factory=list)
    """Device of each of `numbers`."""
    alive: list[tuple[str, str]] = field(default_factory=list)
    """Devices with a keep-alive, and its tag."""
    beats: int = 0
    usual: Usual | None = None

    @classmethod
    def open(
        cls,
        site: Path,
        *,
        seed: int,
        start_ns: int,
        change: Callable[[tuple[Entry, ...]], tuple[Entry, ...]] = lambda entries: entries,
        usual: Usual | None = None,
    ) -> StrategyBuilding:
        """Build it; `change` adapts the strategies of the site's files, `usual` is what history would know."""
        clock = VirtualClock(start_ns)
        configuration = load(site, Registry(), clock=clock)
        model = configuration.site
        entries = change(configuration.strategies)
        wanted = {point for entry in entries for point in (*entry.strategy.inputs, *entry.strategy.outputs)} | {
            f"{piece.address}.{tag}"
            for piece in model.equipment.values()
            if piece.cls in ("ahu", "fcu", "chiller", "charger", "meter", "transformer")
            for tag in ("zone_temp", "power", "vehicle", "apparent_power")
            if f"{piece.address}.{tag}" in model.points
        }
        devices = {model.points[address].device for address in wanted}
        simulated = read_site(site)
        # Lifts, gates and doors cost most of a step and draw what they usually draw without being simulated.
        simulated = replace(simulated, devices=tuple(row for row in simulated.devices if row.id in devices))
        world = World(simulated, seed, start_ns)
        plant = MemoryPlant(
            world, [one.id for one in configuration.devices if one.id in devices and one.id in world.devices]
        )
        counter = itertools.count()
        kept: dict[tuple[str, int], SlotRow] = {}

        def record(_: Command, rows: tuple[SlotRow, ...]) -> None:
            for row in rows:
                if row.value is None:
                    kept.pop((row.point, row.slot), None)
                else:
                    kept[row.point, row.slot] = row

        def entry(_: AlarmEntry) -> None:
            return None

        table = PointTable(model, clock)
        arbiter = Arbiter(model, clock, new_id=lambda: f"c{next(counter)}", record=record)
        alarms = AlarmEngine(definitions(one.strategy for one in entries), clock, entry)
        self = cls(
            clock,
            world,
            plant,
            table,
            arbiter,
            alarms,
            None,  # type: ignore[arg-type]
            entries,
            {address: (point.device, point.tag) for address, point in model.points.items()},
            kept=kept,
            usual=usual,
        )
        self.engine = self._engine()
        places = {name: place for place, name in enumerate(plant.names)}
        pairs = [
            (point.number, places[point.device, point.tag])
            for point in model.points.values()
            if (point.device, point.tag) in places
        ]
        self.numbers = np.array([number for number, _ in pairs], np.int32)
        self.places = np.array([place for _, place in pairs], np.intp)
        self.alive = [
            (one.id, one.profile.keepalive.tag)
            for one in configuration.devices
            if one.id in devices and one.profile.keepalive is not None
        ]
        self.owners = [plant.names[place][0] for _, place in pairs]
        return self

    def _engine(self) -> StrategyEngine:
        return StrategyEngine(
            lambda: self.entries,
            lambda: self.table,
            lambda: self.arbiter,
            lambda: self.alarms,
            self.clock,
            jobs=InlineJobs(),
            usual=self.usual,
        )

    def set_mode(self, strategy: str, mode: str) -> None:
        """Switch a strategy as the screen does."""
        self.entries = tuple(
            replace(entry, mode=mode) if entry.strategy.id == strategy else entry  # type: ignore[arg-type]
            for entry in self.entries
        )

    def kill(self) -> None:
        """Kill -9 and start anew: engine and arbiter are new, the devices and the state database as they were."""
        model = self.table.site
        counter = itertools.count()

        def record(_: Command, rows: tuple[SlotRow, ...]) -> None:
            for row in rows:
                if row.value is None:
                    self.kept.pop((row.point, row.slot), None)
                else:
                    self.kept[row.point, row.slot] = row

        self.arbiter = Arbiter(model, self.clock, new_id=lambda: f"k{next(counter)}", record=record)
        self.arbiter.restore(list(self.kept.values()))
        self.table = PointTable(model, self.clock)
        self.engine = self._engine()

    def read(self) -> None:
        """Apply what the plant shows now."""
        values = self.plant.values()[self.places]
        numbers = self.numbers
        if self.deaf:
            heard = np.array([device not in self.deaf for device in self.owners])
            numbers, values = numbers[heard], values[heard]
        if self.lies:
            site = self.table.site
            values = values.copy()
            for address, value in self.lies.items():
                values[numbers == site.points[address].number] = value
        n = len(numbers)
        time_ns = np.full(n, self.clock.now_ns(), np.int64)
        self.table.apply(Readings(numbers, values, time_ns, np.zeros(n, np.uint8)))

    def run(self, dt_s: float, *, world: bool = True) -> None:
        """Let `dt_s` pass where no event loop runs, and the jobs of strategies with it."""

        async def stepped() -> None:
            self.step(dt_s, world=world)
            await asyncio.sleep(0.0)
            await asyncio.sleep(0.0)

        asyncio.run(stepped())

    def step(self, dt_s: float, *, world: bool = True) -> None:
        """Let `dt_s` pass: plant, readings, strategies, arbiter, writes."""
        if world:
            self.world.step(dt_s)
        self.clock.move(dt_s)
        self.elapsed_s += dt_s
        self.read()
        self.table.expire()
        self.engine.step()
        self.alarms.tick()
        self.carry_out()
        self._beat()

    def _beat(self) -> None:
        """Send the keep-alive of every device that has one, as its link does while it is healthy."""
        self.beats += 1
        for device, tag in self.alive:
            if device not in self.deaf:
                self.plant.write(device, tag, float(self.beats % 65_536))

    def carry_out(self) -> None:
        """Write what the arbiter orders, once."""
        for order in self.arbiter.step():
            device, tag = self.site_points[order.point.address]
            self.arbiter.started(order, "pending")
            if device in self.deaf:
                self.arbiter.completed(order, Outcome("failed", None, "no answer"))
                continue
            if order.kind == "reassert":
                held = float(self.plant.values()[self.plant.names.index((device, tag))])
                if abs(held - order.value) < 1e-6:
                    self.arbiter.completed(order, Outcome("done", held, sent=False))
                    continue
            try:
                held = self.plant.write(device, tag, order.value)
            except RefusedError as error:
                self.arbiter.completed(order, Outcome("failed", None, str(error)))
                continue
            address = order.point.address
            self.written.append(Written(self.elapsed_s, address, order.value, self.arbiter.winner(address)))
            self.arbiter.completed(order, Outcome("done", held))

    def value(self, address: str) -> float:
        """Return a present value."""
        return float(self.table.value[self.table.site.points[address].number])

    def addresses(self, pattern: str) -> Iterable[str]:
        """Return the addresses that end in a tag."""
        return [address for address in self.table.site.points if address.endswith(pattern)]
