"""A small house in virtual time for drills: a fire panel, an SOS button, a lift, and a header that takes commands.

The plant is a table of values with a ledger of every write that came: what a drill never does is checked there, at the
devices, and not in the code that promises it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from controller.alarm.engine import AlarmEngine
from controller.api.drill_record import musters_of, open_drills
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.cycle import Cycle, Parts
from controller.drill.engine import DrillEngine
from controller.drill.presence import Presence
from controller.drill.signal import Watch
from controller.field.field import Field
from controller.field.inbox import Inbox
from controller.journal.journal import InlineExecutor, Journal
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.recorder import Recorder
from controller.rule.engine import RuleEngine
from controller.settings.load import load
from tests.virtual.building import KeptLog, MemoryDriver

if TYPE_CHECKING:
    from pathlib import Path

    from controller.history.log import FrameLog
    from controller.point.model import Site
    from controller.settings.configuration import Configuration
    from simulators.memory import MemoryPlant

__all__ = ["DRILL_POINT", "SETPOINT", "DrillHouse", "LedgerPlant", "drill_site", "load_drill_site"]

DRILL_POINT = "hall.fire.zone24.state"
"""The point that the scenario plays with, and that burns in earnest too."""
SETPOINT = "hall.plant.header.differential_pressure_setpoint"

_SITE = """
[site]
id = "small"
name = { zh = "小", en = "small" }
timezone = "Asia/Taipei"
[[building]]
id = "hall"
name = { zh = "樓", en = "Hall" }
floors = ["B1", "1F", "2F", "3F"]
[[area]]
id = "west"
name = { zh = "西區", en = "West" }
building = "hall"
[[area]]
id = "east"
name = { zh = "東區", en = "East" }
building = "hall"
"""
_EQUIPMENT = """
[[equipment]]
id = "hall.fire.panel"
class = "fire_panel"
name = { zh = "受信總機", en = "Fire panel" }
floor = "1F"
area = "west"
[[equipment]]
id = "hall.fire.zone{n:02}"
for = { n = "1..64" }
class = "fire_zone"
name = { zh = "分區 {n}", en = "Zone {n}" }
floor = "3F"
area = "east"
[[equipment]]
id = "hall.fire.floor{n:02}"
for = { n = "1..16" }
class = "fire_floor"
name = { zh = "樓層 {n}", en = "Floor {n}" }
floor = "3F"
area = "east"
[[equipment]]
id = "hall.sos.b1"
class = "sos_button"
name = { zh = "求助鈕", en = "SOS button" }
floor = "B1"
area = "west"
[[equipment]]
id = "hall.lift.l01"
class = "lift"
name = { zh = "電梯", en = "Lift" }
floor = "1F"
area = "west"
[[equipment]]
id = "hall.plant.header"
class = "plant_header"
name = { zh = "集水管", en = "Header" }
floor = "B1"
area = "west"
[[equipment]]
id = "hall.access.ctl"
class = "access_controller"
name = { zh = "門禁控制器", en = "Door controller" }
floor = "1F"
area = "east"
[[equipment]]
id = "hall.access.e_ent_1"
class = "door"
name = { zh = "入口", en = "Entrance" }
floor = "1F"
area = "east"
parameters = { use = "entrance" }
[[equipment]]
id = "hall.access.e_03f_1"
class = "door"
name = { zh = "3 樓門", en = "Door 3F" }
floor = "3F"
area = "east"
parameters = { use = "floor" }
[[equipment]]
id = "hall.access.e_02f_1"
class = "door"
name = { zh = "2 樓門", en = "Door 2F" }
floor = "2F"
area = "west"
parameters = { use = "floor" }
"""
_DEVICES = """
[[device]]
id = "fire-panel"
equipment = "hall.fire.panel"
profile = "site-standard-fire"
endpoint = "tcp://10.20.9.10:502"
period_s = 0.5
urgent = true
parts = { "zone_*" = "hall.fire.zone*", "floor_*" = "hall.fire.floor*" }
[[device]]
id = "sos-b1"
equipment = "hall.sos.b1"
profile = "site-standard-sos"
endpoint = "mqtt://127.0.0.1:1883"
period_s = 0.5
urgent = true
options = { site = "small", button = "b1" }
[[device]]
id = "lift-01"
equipment = "hall.lift.l01"
profile = "site-standard-lift"
endpoint = "opc.tcp://10.20.7.10:4840"
period_s = 0.5
urgent = true
options = { node_prefix = "Lift/L01" }
[[device]]
id = "header-io"
equipment = "hall.plant.header"
profile = "site-standard-plant-header"
endpoint = "tcp://10.20.2.50:502"
unit = 50
period_s = 1
"""
_TEXTS = """
text = { zh = "告警", en = "alarm" }
consequence = { zh = "有", en = "some" }
action = { zh = "看", en = "look" }
respond_min = 5
"""
_ALARMS = "".join(
    f"[[alarm]]\n{head}\nkind = 'state'\nstates = [{state}]\npriority = {priority}\nlife_safety = {safety}\n{_TEXTS}"
    for head, state, priority, safety in (
        ("class = 'fire_zone'\ntag = 'state'", 2, 1, "true"),
        ("equipment = 'hall.fire.panel'\ntag = 'fault'", 1, 2, "false"),
        ("class = 'sos_button'\ntag = 'pressed'", 1, 1, "true"),
        ("class = 'lift'\ntag = 'entrapment'", 1, 1, "true"),
    )
)
_DRILL = """
[[assembly]]
id = "plaza"
name = { zh = "廣場", en = "Plaza" }
[[scenario]]
id = "tea"
name = { zh = "茶水間火警", en = "Fire in the tea room" }
building = "hall"
floor = "3F"
end_min = 30
[[scenario.inject]]
id = "detector"
at = "00:00"
text = { zh = "探測器動作", en = "a detector responds" }
team = "reporting"
answer_min = 2
point = "hall.fire.zone24.state"
value = 2
[[scenario.inject]]
id = "trapped"
at = "00:20"
text = { zh = "電梯困人", en = "somebody is trapped" }
point = "hall.lift.l01.entrapment"
value = 1
[[scenario.goal]]
id = "out"
kind = "accounted"
text = { zh = "全員到齊", en = "everybody is out" }
within_min = 15
[[scenario.goal]]
id = "answered"
kind = "answered"
text = { zh = "皆有回報", en = "all is answered" }
[[scenario.goal]]
id = "swept"
kind = "swept"
text = { zh = "巡視完畢", en = "all is swept" }
[[scenario.restore]]
id = "told"
text = { zh = "已通知", en = "everybody is told" }
"""


def drill_site(*, lift: bool = True) -> dict[str, str]:
    """Return the text of each file by its name below the site's folder, without `.toml`."""
    if not lift:
        # As a process the lift would need a server with certificates; the rest is the same house.
        texts = drill_site()
        for name, head in (("equipment", "hall.lift.l01"), ("devices/all", "lift-01"), ("alarms", ""), ("drill", "")):
            tables = ["[[" + part for part in texts[name].split("[[")[1:]]
            kept = [one for one in tables if not (head and f'id = "{head}"' in one) and "lift" not in one]
            texts[name] = "".join(kept)
        return texts
    return {
        "site": _SITE,
        "equipment": _EQUIPMENT,
        "devices/all": _DEVICES,
        "alarms": _ALARMS,
        "drill": _DRILL,
    }


def load_drill_site(folder: Path) -> Configuration:
    """Write the small site into a folder, and read it as the controller does."""
    (folder / "devices").mkdir(parents=True, exist_ok=True)
    for name, text in drill_site().items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return load(folder, Registry(), clock=VirtualClock())


class LedgerPlant:
    """Every quantity of the polled devices, set by the test; keeps every write that came."""

    def __init__(self, configuration: Configuration) -> None:
        self.names = [(device.id, point.tag) for device in configuration.devices for point in device.profile.points]
        self._value = np.zeros(len(self.names))
        self._place = {name: at for at, name in enumerate(self.names)}
        self.written: list[tuple[str, str, float]] = []

    def values(self) -> np.ndarray[Any, Any]:
        return self._value

    def set(self, device: str, tag: str, value: float) -> None:
        """Let something be so."""
        self._value[self._place[device, tag]] = value

    def get(self, device: str, tag: str) -> float:
        """Return what is so."""
        return float(self._value[self._place[device, tag]])

    def write(self, device: str, tag: str, value: float) -> float:
        """Take a write, as the device does, and keep it."""
        self.written.append((device, tag, value))
        self.set(device, tag, value)
        return value


class DrillHouse:
    """Everything of a controller that a drill touches, without sockets and threads; make it with `open`."""

    configuration: Configuration
    site: Site
    clock: VirtualClock
    plant: LedgerPlant
    deaf: set[str]
    """Devices that do not answer."""
    told: int
    """How often the screens were told."""
    journal: Journal
    recorder: Recorder
    parts: Parts
    cycle: Cycle
    inbox: Inbox
    field: Field
    drills: DrillEngine

    @classmethod
    async def open(cls, folder: Path, configuration: Configuration, seed: int) -> DrillHouse:
        """Start with an empty journal in `folder`."""
        self = cls()
        self.configuration = configuration
        site = configuration.site
        self.site = site
        self.clock = clock = VirtualClock(1_784_044_800_000_000_000)
        self.plant = LedgerPlant(configuration)
        self.deaf = set()
        self.told = 0
        self.journal = await Journal.open(folder / "state.db", clock, InlineExecutor())
        self.recorder = Recorder(self.journal, cast("FrameLog", KeptLog()), clock, lambda: site)
        names = random.Random(seed)
        self.parts = Parts(
            PointTable(site, clock),
            RuleEngine(configuration.rules, site, clock),
            AlarmEngine(configuration.alarms, clock, self.recorder.alarm_entry),
            Arbiter(site, clock, new_id=lambda: names.randbytes(10).hex(), record=self.recorder.command),
        )
        self.cycle = Cycle(self.parts, clock, self.recorder)
        self.inbox = Inbox(self.cycle.wake)
        self.cycle.attach(self.inbox)
        plant = cast("MemoryPlant", self.plant)
        self.field = Field(
            lambda _endpoint, group: MemoryDriver(plant, group, clock, self.deaf),
            self.inbox,
            clock,
            rng=random.Random(seed),
            on_health=self.recorder.health,
        )
        self.recorder.field, self.recorder.parts = self.field, self.parts
        await self.field.apply(configuration.devices, configuration.equipment)
        await self.restart()
        return self

    async def restart(self) -> None:
        """Throw the engine away and make a new one of what the journal has, as a start of the controller does."""
        presence = Presence(lambda: self.site)
        watch = Watch(lambda: self.site, lambda: self.configuration.alarms)

        def tell() -> None:
            self.told += 1

        self.drills = DrillEngine(
            self.clock,
            signals=lambda: watch.active(self.parts.table),
            presence=presence,
            record=self.recorder.drill,
            tell=tell,
            recorded=lambda: self.journal.healthy,
        )
        self.recorder.drills = self.drills
        found = await open_drills(self.journal)
        self.drills.restore(found, *await musters_of(self.journal, [one.id for one in found]))
        self.cycle.watches[:] = [("drill", self.drills.turn)]

    async def run(self, seconds: float, step_s: float = 0.5) -> None:
        """Let time pass."""
        for _ in range(round(seconds / step_s)):
            await self.clock.advance(step_s)
            self.cycle.step()

    def value(self, address: str) -> float:
        """Return the present value of a point."""
        return float(self.parts.table.value[self.site.points[address].number])

    def slots(self) -> dict[str, tuple[Any, ...]]:
        """Return the priority array of every commandable point."""
        points = [point.address for point in self.site.points.values() if point.write is not None]
        return {address: tuple(self.parts.arbiter.slots(address)) for address in points}

    async def close(self) -> None:
        """Stop the links and close the journal."""
        await self.field.close()
        await self.journal.close()
