"""Drills and real fires in any order, seeded, in the house of the fire tests: every rule of both is kept at once.

The rules of a fire are checked as in `tests.properties.test_fire`: from the panel's truth and the devices' own ledgers.
On top of them: no drill runs beside a fire, none begins or is restored before a fire is stood down, a drill writes
nothing and fills no slot, and what the point says that a drill plays with is what the panel says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from controller.drill import course
from controller.drill.course import Cause, Drill, Phase
from controller.drill.engine import DrillEngine
from controller.drill.presence import Presence
from controller.drill.scenario import Inject, Level, Scenario
from controller.drill.signal import Watch, fire_signals
from controller.errors import ShifuError
from controller.point.model import Name
from controller.safety.response import Phase as ResponsePhase
from simulators.plant.firepanel import FAULT, FIRE
from tests.properties.test_fire import act
from tests.virtual.fire import REACT_S, STEP_S, FireHouse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.journal.entry import DrillEntryRow, DrillRow

SEEDS = range(200)
GROUPS = 8
POINT = "cityhall.fire.zone24.state"
ENTRAPMENT = ("lift-01", "entrapment")
LIFT_S = 5.0 + REACT_S
"""The lift of this house is polled every five seconds."""
_TEXT = Name("狀況", "inject")
SCENARIO = Scenario(
    "tea",
    Name("茶水間火警", "Fire in the tea room"),
    "cityhall",
    "3F",
    600.0,
    injects=(
        Inject("detector", 0.0, _TEXT, point=POINT, value=2.0),
        Inject("lift", 3.0, _TEXT, point="cityhall.lift.l01.entrapment", value=1.0),
    ),
)


class DrillFireHouse(FireHouse):
    """The house of the fire tests, with drills in it."""

    drills: DrillEngine

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.kept: dict[str, Drill] = {}
        self.entries: list[DrillEntryRow] = []
        self.made_drills = 0
        self.started = 0
        self.ended: list[Cause] = []
        self._burning_s = 0.0
        self._trapped_s = 0.0
        self._faulty_s = 0.0
        self.real: set[str] = set()
        """Kinds of the signals that ended a drill."""
        self.journal.drill = self._keep  # type: ignore[attr-defined]

    def _keep(self, row: DrillRow | None, entries: Iterable[DrillEntryRow], *_: Any) -> None:
        def keep() -> None:
            if row is not None:
                self.kept[row.id] = Drill.of_json(row.data)
            self.entries += entries

        self.journal._do(keep)

    async def open(self) -> DrillFireHouse:
        await super().open()
        watch = Watch(lambda: self.made.site, lambda: self.made.alarms)
        self.drills = DrillEngine(
            self.clock,
            signals=lambda: (*watch.active(self.parts.table), *fire_signals(self.fire)),
            presence=Presence(lambda: self.made.site),
            record=self.recorder.drill,
            tell=lambda: None,
            recorded=lambda: self.journal.healthy,
        )
        self.drills.restore(self.kept.values(), {}, {})
        if [one for one in self.drills.open if one.phase in {Phase.RUNNING, Phase.REQUESTED}]:
            self.wrong.append("a drill went on over a restart")
        self.cycle.watches.append(("drill", self.drills.turn))
        return self

    def play_drill(self) -> None:
        """Do one thing with drills; what is refused changes nothing."""
        before = self.drills.open
        try:
            self._do_one()
        except ShifuError:
            if self.drills.open != before:
                self.wrong.append("a refused decision changed a drill")

    def _do_one(self) -> None:
        current = self.drills.current
        planned = [one for one in self.drills.open if one.phase is Phase.PLANNED]
        restored = [one for one in self.drills.open if one.phase is Phase.RESTORED]
        if current is None and restored:
            self.drills.act(restored[0].id, lambda one, now_ns: course.report(one, "officer", now_ns, "done"))
        elif current is None and planned:
            self.drills.request(planned[0].id, "officer")
        elif current is None:
            self.made_drills += 1
            now_ns = self.clock.now_ns()
            end_ns = now_ns + round(self.random.choice([10, 60, 600]) * 1e9)
            level = self.random.choice(list(Level))
            self.drills.add(course.plan(f"d-{self.made_drills}", SCENARIO, level, end_ns, "officer", now_ns))
        elif current.phase is Phase.REQUESTED:
            active = self.fire.response.phase is ResponsePhase.ACTIVE
            self.drills.confirm(current.id, "duty")
            self.started += 1
            if active:
                self.wrong.append("a drill has begun before a fire was stood down")
        elif current.phase is Phase.RUNNING:
            if self.random.random() < 0.1:
                self.drills.act(current.id, lambda one, now_ns: course.stand_down(one, "officer", now_ns, "enough"))
        else:
            self.drills.restored(current.id, "officer", [])
            if self.fire.response.phase is ResponsePhase.ACTIVE:
                self.wrong.append("a drill was restored while a fire has the building")

    def check(self) -> None:
        super().check()
        truth = float(self.plant.panel.zone[23])
        burning = bool((self.plant.panel.zone == FIRE).any()) and self._known_s > REACT_S
        self._burning_s = self._burning_s + STEP_S if burning else 0.0
        current = self.drills.current
        running = current is not None and current.phase is Phase.RUNNING
        trapped = bool(self.plant.forced.get(ENTRAPMENT)) and ENTRAPMENT[0] not in self.plant.deaf
        self._trapped_s = self._trapped_s + STEP_S if trapped else 0.0
        faulty = bool((self.plant.panel.zone == FAULT).any()) and self._known_s > REACT_S
        self._faulty_s = self._faulty_s + STEP_S if faulty else 0.0
        if running and (self._trapped_s > LIFT_S or self._faulty_s > REACT_S):
            self.wrong.append("a drill runs while somebody is trapped, or the panel has a fault")
        if current is not None:
            self.real |= {signal.kind for signal in current.real}
        if running and (self._burning_s > REACT_S or self.fire.response.phase is ResponsePhase.ACTIVE):
            self.wrong.append("a drill runs beside a fire")
        number = self.made.site.points[POINT].number
        if self._known_s > 3 * REACT_S and not self._hidden_s["test"] and truth == FIRE:
            shown = float(self.parts.table.value[number])
            if shown != truth:
                self.wrong.append(f"the panel says {truth:g} of the point of the drill, and {shown:g} is shown")
        for address in self.drills.view()["drill"]["values"] if running else ():
            if self.parts.table.value[number] == address["value"] and truth != FIRE and address["point"] == POINT:
                self.wrong.append("a drill value is in the point table")


async def play(seed: int) -> DrillFireHouse:
    house = await DrillFireHouse(seed).open()
    await house.run(4.0)
    for _ in range(house.random.randint(8, 14)):
        house.play_drill()
        current = house.drills.current
        if current is not None and current.phase is Phase.RUNNING and house.random.random() < 0.25:
            match house.random.choice(["fire", "fire", "trapped", "trapped", "fault"]):
                case "fire":
                    house.burn("3F")  # also at the point that the drill plays with
                case "trapped":
                    house.plant.forced[ENTRAPMENT] = 1.0
                    await house.run(2.0)
                case "fault":
                    house.happen("zone_fault", zone=house.random.randint(9, 28))
        elif house.random.random() < 0.3:
            house.plant.forced.pop(ENTRAPMENT, None)
            await act(house)
        await house.run(house.random.choice([0.5, 1.0, 3.0]))
    house.done()
    await house.kill()
    return house


@pytest.mark.parametrize("group", range(GROUPS))
async def test_drills_and_fires_in_any_order_keep_every_rule_of_both(group: int) -> None:
    started, ends, real = 0, [], set()
    for seed in SEEDS[group::GROUPS]:
        house = await play(seed)
        assert not house.wrong, (seed, house.wrong[:5])
        # A drill asks for nothing: who asked is known for every slot that was ever taken.
        owners = {slot.owner for slot in house.journal.slots.values()}
        assert owners <= {"schedule", "strategy", "operator", "guard", "officer"}, (seed, owners)
        assert all(entry.zh.startswith("演練 DRILL ") for entry in house.entries)
        started += house.started
        real |= house.real
        ends += [str(entry.data["cause"]) for entry in house.entries if entry.kind == "ended"]
    # The rules mean something only where they were put to the test.
    assert started >= len(SEEDS[group::GROUPS]) // 2
    assert ends.count("real") >= 2, ends
    assert len(set(ends)) >= 2, ends
    assert real >= {"fire", "trapped", "panel"}, real
