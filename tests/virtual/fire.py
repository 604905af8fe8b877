"""A house on fire in virtual time: the real watch, arbiter, cycle, recorder, links and execution over a few devices.

The panel is the simulated one, everything else a device that keeps what it is told; all of them write down every write
that reaches them. `FireHouse` does what a script says and checks after each half second what must always hold,
from the truth in the panel and from the devices' own ledgers and not from what the controller says of itself.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.cycle import Cycle, Parts
from controller.errors import ConflictError, ForbiddenError, NotFoundError, UnavailableError
from controller.field.field import Field
from controller.field.inbox import Inbox
from controller.journal.entry import SlotRow
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.recorder import Recorder
from controller.rule.engine import RuleEngine
from controller.safety.alarm import definitions
from controller.safety.effect import SightState
from controller.safety.fire import FireStatus
from controller.safety.response import Phase
from controller.safety.watch import FireWatch
from controller.settings.load import load
from drivers.errors import DeviceTimeoutError
from drivers.reading import Readings
from simulators.ledger import Ledger
from simulators.plant.device import Device as Simulated
from simulators.plant.device import Occurrence
from simulators.plant.firepanel import FIRE, TEST, FirePanel
from simulators.plant.part import Wires
from simulators.site import read_site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.history.log import FrameLog
    from controller.journal.journal import Journal
    from controller.point.model import Site
    from controller.safety.cause import FireTable
    from controller.safety.effect import Sight
    from drivers.driver import Device
    from simulators.plant.part import Scene

__all__ = ["FIRE_DEVICES", "FireHouse", "reduced"]

CITY = Path(__file__).parents[2] / "config" / "taipei-city-hall"
START_NS = 1_784_088_000_000_000_000
STEP_S = 0.5
REACT_S = 2.0
"""What a panel that answers tells is known after so long: polls of 0.25 s, a turn, and two steps of this house."""
FIRE_DEVICES = ("fire-panel", "fire-relay")
MACHINES = {
    "ahu-03f-n": "3F", "ahu-04f-n": "4F", "door-n-03f-1": "3F", "fan01-drive": "B1", "ev01-charger": "B1",
    "lift-01": "*", "ch1-unit": "",
}  # fmt: skip
"""Devices, with the floor whose fire holds them: any for `*`, none for the chiller."""
ASKED = {
    "cityhall.hvac.ahu_03f_n.fan_cmd": (0.0, 1.0), "cityhall.hvac.ahu_03f_n.zone_temp_sp": (24.0, 26.0),
    "cityhall.hvac.ahu_04f_n.fan_cmd": (0.0, 1.0), "cityhall.access.n_03f_1.mode": (0.0, 1.0),
    "cityhall.carpark.fan01.run_cmd": (0.0, 1.0), "cityhall.ev.charger01.current_limit": (6.0, 32.0),
    "cityhall.lift.l01.park_floor": (1.0, 3.0), "cityhall.plant.ch1.chw_setpoint": (7.0, 9.0),
}  # fmt: skip
ZONES = {"3F": (21, 24), "4F": (25, 28), "B1": (9, 12)}
"""Panel zones of the floors that have machines here."""


@dataclass(frozen=True)
class Reduced:
    """City Hall with a few devices."""

    site: Site
    devices: tuple[Device, ...]
    equipment: Mapping[str, str]
    table: FireTable
    alarms: tuple[Any, ...]
    simulated: Any


@cache
def reduced() -> Reduced:
    """Return City Hall with the panel, its relay and a few machines; the cause-and-effect table is the real one."""
    whole = load(CITY, Registry(), clock=VirtualClock(START_NS))
    wanted = {*FIRE_DEVICES, *MACHINES}
    devices = tuple(
        one if one.id in FIRE_DEVICES else replace(one, period_s=5.0) for one in whole.devices if one.id in wanted
    )
    points = {address: point for address, point in whole.site.points.items() if point.device in wanted}
    numbers = {point.number for point in points.values()}
    causes = tuple(
        replace(
            cause,
            points=tuple(point for point in cause.points if point in points),
            effects=tuple(effect for effect in cause.effects if effect.point in points),
        )
        for cause in whole.fire.causes
    )
    table = replace(whole.fire, causes=causes, batch=3, pause_s=1.0)
    alarms = tuple(item for item in whole.alarms if item.number in numbers and item.kind == "state")
    return Reduced(
        replace(whole.site, points=points),
        devices,
        {one.id: whole.equipment[one.id] for one in devices},
        table,
        (*alarms, *definitions(table)),
        read_site(CITY),
    )


class MemoryJournal:
    """In place of the state database: what a restart finds, and a switch for a disk that fails."""

    def __init__(self) -> None:
        self.down = False
        self.slots: dict[tuple[str, int], SlotRow] = {}
        self.fire_state: Mapping[str, Any] | None = None
        self.fire_events: list[str] = []
        self._waiting: list[Any] = []
        self.commands: Counter[str] = Counter()

    @property
    def healthy(self) -> bool:
        return not self.down

    def _do(self, work: Any) -> None:
        self._waiting.append(work)
        self.flush()

    def flush(self) -> None:
        while self._waiting and not self.down:
            self._waiting.pop(0)()

    def alarm(self, *_: Any) -> None:
        return None

    def event(self, *_: Any) -> bool:
        return True

    def command(self, row: Any, *slots: Any, lost: Any = None) -> None:
        if self.down and (lost is not None or row.state == "accepted"):
            raise UnavailableError("the journal is down")
        self.commands[row.state] += 1
        for slot in slots:
            self._do(lambda slot=slot: self._slot(slot))

    def _slot(self, slot: Any) -> None:
        if slot.value is None:
            self.slots.pop((slot.point, slot.slot), None)
        else:
            self.slots[slot.point, slot.slot] = slot

    def fire(self, rows: Sequence[Any], state: Mapping[str, Any] | None) -> None:
        self._do(lambda: self._fire(rows, state))

    def _fire(self, rows: Sequence[Any], state: Mapping[str, Any] | None) -> None:
        self.fire_state = state
        self.fire_events += [row.event for row in rows]

    async def commit(self) -> None:
        self.flush()
        if self.down:
            raise UnavailableError("the journal is down")


@dataclass
class Plant:
    """The panel and the machines, each with what was written to it."""

    clock: VirtualClock
    panel: FirePanel
    simulated: dict[str, Simulated]
    held: dict[str, dict[str, float]] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)
    forced: dict[tuple[str, str], float] = field(default_factory=dict)
    """What a register shows in place of the truth: (device, tag)."""
    ledger: Ledger = field(default_factory=Ledger)
    wires: Wires = field(default_factory=Wires)
    on_write: list[Any] = field(default_factory=list)

    def step(self, dt_s: float) -> None:
        self.panel.step(dt_s, cast("Scene", SimpleNamespace(wires=self.wires)))
        self.panel.show()

    def value(self, device: str, tag: str) -> float:
        if (device, tag) in self.forced:
            return self.forced[device, tag]
        if device in FIRE_DEVICES:
            return self.simulated[device].state[tag]
        held = self.held.setdefault(device, {})
        return held.get(tag.removesuffix("_applied").replace("effective_", ""), 0.0)


class PlantDriver:
    """A polled driver over the plant."""

    def __init__(self, plant: Plant, devices: Sequence[Device]) -> None:
        self.devices = devices
        self._plant = plant

    async def connect(self) -> None:
        return None

    async def close(self) -> None:
        return None

    def _hear(self, device: Device) -> None:
        if device.id in self._plant.deaf:
            raise DeviceTimeoutError(f"{device.id}: no answer")

    async def poll(self, device: Device) -> Readings:
        self._hear(device)
        plant, known = self._plant, device.numbers >= 0
        tags = [point.tag for point, there in zip(device.profile.points, known.tolist(), strict=True) if there]
        if device.id in FIRE_DEVICES:
            shown = plant.simulated[device.id].state.snapshot()
            values = [shown[tag] for tag in tags]
        else:
            values = [plant.value(device.id, tag) for tag in tags]
        for (name, tag), value in plant.forced.items():
            if name == device.id:
                values[tags.index(tag)] = value
        return Readings.of(device.numbers[known].tolist(), values, plant.clock.now_ns())

    async def read(self, device: Device, tag: str) -> float:
        self._hear(device)
        return self._plant.value(device.id, tag)

    async def write(self, device: Device, tag: str, value: float) -> None:
        plant = self._plant
        plant.ledger.write(plant.clock.now_ns(), device.id, tag, repr(value).encode(), accepted=True)
        for check in plant.on_write:
            check(device.id, tag, value)
        self._hear(device)
        plant.held.setdefault(device.id, {})[tag] = value


class FireHouse:
    """One house; `open`, then let a script act and `run`. `wrong` collects every rule that was broken."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.made = reduced()
        self.clock = VirtualClock(START_NS)
        self.journal = MemoryJournal()
        rows = [row for row in self.made.simulated.devices if row.id in FIRE_DEVICES]
        panel = FirePanel(seed, self.made.simulated, rows)
        self.plant = Plant(self.clock, panel, {row.id: panel.device(row) for row in rows})
        self.plant.on_write.append(self._written)
        self.wrong: list[str] = []
        self.refused = 0
        self.taken = 0
        self.stood_down = 0
        self.must_hold: set[str] = set()
        """Devices that nobody may write to: from the panel's truth."""
        self.again = 0
        """Fires that came before an earlier one was given back whole."""
        self._known_s = 0.0
        self._over = True
        """The panel was seen to be reset since the last fire."""
        self._fires_open = False
        self._called: dict[tuple[tuple[str, str], int], float] = {}
        self._done: set[tuple[str, str]] = set()
        """Effects whose feedback has been as it should since this fire began."""
        self._burns_s: dict[str, float] = {}
        self._hidden_s: dict[str, float] = defaultdict(float)
        self._names = itertools_ids(seed)
        self._keepalives = {one.profile.keepalive.tag for one in self.made.devices if one.profile.keepalive}
        """What links send so that a device knows that its controller lives: no command, and nothing that moves."""
        self._next_ask = 0.0

    # -- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> FireHouse:
        """Start a controller over the journal as it is; also after a kill."""
        made, clock = self.made, self.clock
        journal = cast("Journal", self.journal)
        log = cast("FrameLog", SimpleNamespace(append=lambda _batch: None))
        self.recorder = Recorder(journal, log, clock, lambda: made.site)
        arbiter = Arbiter(made.site, clock, new_id=lambda: next(self._names), record=self.recorder.command)
        alarms = AlarmEngine(made.alarms, clock, self.recorder.alarm_entry)
        self.parts = Parts(PointTable(made.site, clock), RuleEngine((), made.site, clock), alarms, arbiter)
        self.cycle = Cycle(self.parts, clock, self.recorder)
        inbox = Inbox(self.cycle.wake)
        self.cycle.attach(inbox)
        self.field = Field(
            lambda _endpoint, group: PlantDriver(self.plant, group),
            inbox,
            clock,
            rng=random.Random(self.random.random()),
            on_health=self.recorder.health,
        )
        self.fire = FireWatch(
            lambda: made.table,
            self.parts,
            clock,
            record=self.recorder.fire_entry,
            changed=self.recorder.fire_changed,
        )
        self.recorder.field, self.recorder.parts, self.recorder.fire = self.field, self.parts, self.fire
        arbiter.restore(self.journal.slots.values())
        self.fire.restore(self.journal.fire_state)
        self.cycle.watches.append(("fire", self.fire.look))
        self._announcing = asyncio.create_task(self.recorder.run())
        await self.field.apply(made.devices, made.equipment)
        self._known_s = 0.0
        return self

    async def kill(self) -> None:
        """End it without a word to anybody; what the journal has not got is gone."""
        self._announcing.cancel()
        for task in list(self.recorder._orders):
            task.cancel()
        await self.field.close()
        self.journal._waiting.clear()

    async def restart(self) -> None:
        """Kill it and start it again."""
        await self.kill()
        await self.open()

    async def run(self, seconds: float) -> None:
        """Let time pass; programs ask for what they want all the while, and every rule is checked."""
        for _ in range(round(seconds / STEP_S)):
            self.plant.step(STEP_S)
            self._ask()
            await self.clock.advance(STEP_S)
            self.cycle.step()
            self.check()

    # -- what happens ------------------------------------------------------------------------------------------------

    def happen(self, kind: str, **data: Any) -> None:
        """Let something happen at the panel."""
        device = self.plant.simulated["fire-panel"]
        device.occurrences.append(
            Occurrence(self.clock.now_ns(), kind, {key: str(value) for key, value in data.items()})
        )

    def burn(self, floor: str) -> None:
        """Set one zone of a floor on fire."""
        self.happen("fire", zone=self.random.randint(*ZONES[floor]))

    def _ask(self) -> None:
        """Schedules and strategies ask for what they want, as the state at this time; all day long."""
        now = self.clock.monotonic()
        if now < self._next_ask:
            return
        self._next_ask = now + 2.0
        for address, values in ASKED.items():
            wanted = values[int(now / 20.0) % 2]
            self.ask(address, 15, wanted, "schedule")
            if int(now / 10.0) % 3 == 0:
                self.ask(address, self.random.choice([9, 12, 14]), wanted, "strategy", lease_s=8.0)

    def ask(self, address: str, slot: int, value: float, owner: str, lease_s: float | None = None) -> None:
        """Ask for a slot, as anybody may try."""
        arbiter = self.parts.arbiter
        before = arbiter.held(address)
        try:
            arbiter.request(address, slot, value, owner, "it is wanted", None, lease_s)
        except ConflictError:
            self.refused += 1
            if before is None or slot not in before.slots:
                self.wrong.append(f"{address}: slot {slot} was refused and is not held")
        except UnavailableError:
            if not self.journal.down:
                self.wrong.append(f"{address}: refused for a journal that is well")
        except (ForbiddenError, NotFoundError):
            pass
        else:
            self.taken += 1

    def stand_down(self) -> bool:
        """Try to stand down, as somebody in a hurry would; it may only succeed on a panel that is reset."""
        burning = bool((self.plant.panel.zone == FIRE).any())
        lost = "fire-panel" in self.plant.deaf and self._hidden_s["deaf"] > REACT_S
        try:
            self.fire.stand_down("officer", "panel reset")
        except ConflictError:
            return False
        self.stood_down += 1
        if burning and self._known_s > REACT_S:
            self.wrong.append("stood down while a zone burns")
        if lost and self._hidden_s["deaf"] > 12.0:
            self.wrong.append("stood down while nobody knows")
        self.must_hold.clear()
        return True

    # -- rules -------------------------------------------------------------------------------------------------------

    def _written(self, device: str, tag: str, _value: float) -> None:
        if device in FIRE_DEVICES:
            self.wrong.append(f"{device}: {tag} was written")
        if device in self.must_hold and tag not in self._keepalives:
            self.wrong.append(f"{device}: {tag} was written while the fire has it")

    def _mask(self) -> str:
        """Return what hides the truth now: `deaf`, `frozen`, `denied`, `test` or nothing."""
        plant = self.plant
        if "fire-panel" in plant.deaf:
            return "deaf"
        if ("fire-panel", "heartbeat") in plant.forced:
            return "frozen"
        if ("fire-panel", "fire") in plant.forced:
            return "denied"
        return ""

    def check(self) -> None:
        """Look whether every rule holds now."""
        mask, plant, watch = self._mask(), self.plant, self.fire
        status = self.field.status("fire-panel")
        tested = bool((plant.panel.zone == TEST).any()) and not mask
        answers = status is not None and status.state == "good"
        for name in ("deaf", "frozen", "denied"):
            # What is frozen is seen to be so only over a link that answers.
            counts = mask == name and (answers or name != "frozen")
            self._hidden_s[name] = self._hidden_s[name] + STEP_S if counts else 0.0
        self._hidden_s["test"] = self._hidden_s["test"] + STEP_S if tested else 0.0
        self._hidden_s["relay"] = self._hidden_s["relay"] + STEP_S if "fire-relay" in plant.deaf else 0.0
        good = status is not None and status.state == "good" and not mask
        self._known_s = self._known_s + STEP_S if good else 0.0
        burning = {floor for floor, (low, high) in ZONES.items() if (plant.panel.zone[low - 1 : high] == FIRE).any()}
        self._burns_s = {floor: self._burns_s.get(floor, 0.0) + STEP_S for floor in burning}
        seen = {floor for floor in burning if min(self._burns_s[floor], self._known_s) > REACT_S}
        if seen:
            self.must_hold |= {name for name, floor in MACHINES.items() if floor in seen or floor == "*"}
            if watch.picture.status is not FireStatus.FIRE:
                self.wrong.append(f"a fire on {seen} is shown as {watch.picture.status}")
            if watch.response.phase is not Phase.ACTIVE:
                self.wrong.append(f"a fire on {seen} and the response is {watch.response.phase}")
        self._check_status(bool(burning))
        self._check_slots()
        self._check_effects()

    def _check_effects(self) -> None:
        """An effect counts as seen only when its feedback was so in this very fire, whatever an earlier one had."""
        picture, table = self.fire.picture, self.parts.table
        if picture.evidence and self._over:
            self.again += self._fires_open
            self._over, self._fires_open = False, True
            self._done.clear()
        self._over = self._over or picture.reset
        if self.fire.response.phase is Phase.IDLE:
            self._fires_open = False
        for sight in self.fire.sights:
            number = self.made.site.points[sight.effect.point].number
            if table.quality[number] < 64 and sight.effect.low <= table.value[number] <= sight.effect.high:
                self._done.add(sight.key)
            elif self._over or sight.key in self._done:
                continue
            elif sight.state in (SightState.DONE, SightState.LATE, SightState.LOST):
                self.wrong.append(f"{sight.key} is {sight.state} and has not been so in this fire")
            elif sight.state is SightState.WAITING and self._waits(sight):
                self.wrong.append(f"{sight.key} waits beyond its time")

    def _waits(self, sight: Sight) -> bool:
        """Tell whether an effect is waited for longer than it has, by a clock that nobody sets."""
        since = self._called.setdefault((sight.key, sight.since_ns), self.clock.monotonic())
        return self.clock.monotonic() - since > sight.effect.within_s + REACT_S

    def _check_status(self, burning: bool) -> None:
        status, hidden = self.fire.picture.status, self._hidden_s
        unsure = max(hidden["deaf"], hidden["relay"]) > 12.0 or hidden["frozen"] > 7.0
        if status is FireStatus.NORMAL and (unsure or (burning and hidden["denied"] > REACT_S)):
            self.wrong.append(f"normal, while it is {dict(hidden)}")
        if status is FireStatus.NORMAL and min(hidden["test"], self._known_s) > REACT_S:
            self.wrong.append("normal in a walk test")

    def _check_slots(self) -> None:
        arbiter, watch = self.parts.arbiter, self.fire
        for address in ASKED:
            point = self.made.site.points[address]
            array = arbiter.slots(address)
            filled = [slot.slot for slot in array[6:] if slot is not None]
            if point.device in self.must_hold and filled and watch.response.phase is not Phase.RESTORING:
                self.wrong.append(f"{address}: slots {filled} are filled while the fire has it")
            if array[0] is not None or array[1] is not None:
                self.wrong.append(f"{address}: a slot of the fire panel is filled")

    def commanded(self) -> int:
        """Return how many commands have reached the machines that a fire may hold."""
        machines = {name for name, floor in MACHINES.items() if floor}
        written = self.plant.ledger.written
        return sum(entry.device in machines and entry.address not in self._keepalives for entry in written)

    def done(self) -> None:
        """Check what only the end can tell."""
        if self.cycle.counts.faults:
            self.wrong.append(f"{self.cycle.counts.faults} faults in turns")
        written = {entry.device for entry in self.plant.ledger.written}
        if written & set(FIRE_DEVICES):
            self.wrong.append(f"written to: {written & set(FIRE_DEVICES)}")


def itertools_ids(seed: int) -> Any:
    """Yield ids that are the same for the same seed."""
    names = random.Random(seed)
    while True:
        yield names.randbytes(10).hex()
