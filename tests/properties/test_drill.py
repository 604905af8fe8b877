"""Seeded interleavings of drills and real signals of every kind, checked at the devices' own ledger.

Each seed is its own evening: people plan, ask, confirm, stand down, break off and restore in any order, wardens count,
cards pass, the controller is restarted, the clock is set, and in between it burns in earnest, also at the very point
that the drill plays with. Whatever happens: a real signal ends the drill within a second, a drill writes nothing, and
every slot is as people left it. `test_drill_fire.py` does the same beside the response to a fire.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from controller.drill import course
from controller.drill.course import Cause, Phase
from controller.drill.muster import Status, Tick, TickKind
from controller.drill.scenario import Level
from controller.errors import ShifuError
from controller.journal.schema import command_entry, drill_entry, drill_tick
from drivers.event import Event
from tests.virtual.drill import DRILL_POINT, SETPOINT, DrillHouse, load_drill_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from controller.settings.configuration import Configuration

SEEDS, CHUNKS = 60, 2
STEPS, STEP_S = 60, 0.5
REAL = (
    ("fire-panel", "zone_24_state", 2.0),  # the point that the drill plays with
    ("fire-panel", "zone_03_state", 2.0),
    ("fire-panel", "fire", 1.0),
    ("fire-panel", "fault", 1.0),
    ("sos-b1", "pressed", 1.0),
    ("lift-01", "entrapment", 1.0),
)
PEOPLE = ("officer", "duty", "other")


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    return load_drill_site(tmp_path_factory.mktemp("site"))


class Evening:
    """One seed's evening, and what must hold at every moment of it."""

    def __init__(self, house: DrillHouse, seed: int) -> None:
        self.house = house
        self.random = random.Random(seed)
        self.commanded: list[float] = []
        self.real_s = 0.0
        """How long a real signal has been so at a device."""
        self.made = 0
        self.ticks = 0
        self.started = 0
        self.ended: dict[str, int] = {}
        self.steps: list[Callable[[], object]] = []
        """What somebody has begun and goes on with."""

    def act(self) -> None:
        """Let somebody do something, sensible or not; what is refused changes nothing."""
        choices = [
            (self.plan, 4), (self.request, 6), (self.confirm, 8), (self.stand_down, 2), (self.abort, 1),
            (self.restore, 4), (self.tick, 4), (self.card, 3), (self.burn, 3), (self.calm, 5), (self.command, 2),
            (self.jump, 1), (self.give, 2), (self.answer, 2), (self.begin, 8),
        ]  # fmt: skip
        work = (
            self.steps.pop(0)
            if self.steps
            else self.random.choices([one for one, _ in choices], [weight for _, weight in choices])[0]
        )
        before = self.house.drills.open
        try:
            work()
        except ShifuError:
            assert self.house.drills.open == before, "what was refused has changed something"

    def _some(self) -> str:
        drills = self.house.drills.open
        return self.random.choice(drills).id if drills else "d-none"

    def plan(self) -> None:
        self.made += 1
        now_ns = self.house.clock.now_ns()
        end_ns = now_ns + round(self.random.choice([-5, 8, 20, 600]) * 1e9)
        level = self.random.choice(list(Level))
        scenario = self.house.configuration.scenarios["tea"]
        self.house.drills.add(course.plan(f"d-{self.made}", scenario, level, end_ns, "officer", now_ns))

    def request(self) -> None:
        self.house.drills.request(self._some(), self.random.choice(PEOPLE))

    def confirm(self) -> None:
        who, id_ = self.random.choice(PEOPLE), self._some()
        drill = self.house.drills.get(id_)
        asked = "" if drill is None else drill.requested_by
        signals = self.house.drills.signals()
        self.house.drills.confirm(id_, who)
        assert who != asked, "one person has started a drill alone"
        assert not signals, "a drill has begun beside a real signal"
        self.started += 1

    def begin(self) -> None:
        """Go the whole way, so that enough drills run."""
        self.made += 1
        drills, now_ns = self.house.drills, self.house.clock.now_ns()
        scenario = self.house.configuration.scenarios["tea"]
        end_ns = now_ns + round(self.random.choice([8, 20, 600]) * 1e9)
        move = course.plan(f"d-{self.made}", scenario, self.random.choice(list(Level)), end_ns, "officer", now_ns)
        drills.add(move)
        self.steps = [lambda: drills.request(move.drill.id, "officer"), lambda: self.second(move.drill.id)]

    def second(self, id_: str) -> None:
        signals = self.house.drills.signals()
        self.house.drills.confirm(id_, "duty")
        assert not signals, "a drill has begun beside a real signal"
        self.started += 1

    def stand_down(self) -> None:
        self.house.drills.act(self._some(), lambda one, now_ns: course.stand_down(one, "officer", now_ns, "enough"))

    def abort(self) -> None:
        self.house.drills.act(self._some(), lambda one, now_ns: course.abort(one, "duty", now_ns, "stop"))

    def restore(self) -> None:
        id_ = self._some()
        signals = self.house.drills.signals()
        self.house.drills.restored(id_, "officer", self.random.choice([[], ["told"]]))
        assert not signals, "normal operation goes on beside a real signal"
        if self.random.random() < 0.5:
            self.house.drills.act(id_, lambda one, now_ns: course.report(one, "officer", now_ns, "good"))

    def give(self) -> None:
        inject = self.random.choice(["detector", "trapped", "none"])
        self.house.drills.act(self._some(), lambda one, now_ns: course.give(one, inject, "officer", now_ns))

    def answer(self) -> None:
        self.house.drills.act(self._some(), lambda one, now_ns: course.answer(one, "detector", "duty", now_ns))

    def tick(self) -> None:
        self.ticks += 1
        now_ns = self.house.clock.now_ns()
        key = f"tick-{self.random.randint(0, self.ticks):06}"
        tick = Tick(
            key,
            TickKind.PERSON,
            "warden",
            now_ns,
            now_ns,
            now_ns,
            "east",
            "3F",
            "p-1",
            self.random.choice(list(Status)),
        )
        self.house.drills.ticks(self._some(), [tick, tick])

    def card(self) -> None:
        self.ticks += 1
        data = {
            "door": self.random.choice(["e-ent-1", "e-03f-1"]),
            "direction": self.random.choice(["in", "out"]),
            "person": f"p-{self.random.randint(1, 3)}",
        }
        event = Event(f"e{self.ticks}", "access-ctl", "access_granted", self.house.clock.now_ns(), data)
        self.house.recorder.event(event)

    def burn(self) -> None:
        self.house.plant.set(*self.random.choice(REAL))

    def calm(self) -> None:
        for device, tag, _ in REAL:
            self.house.plant.set(device, tag, 0.0)

    def command(self) -> None:
        value = float(self.random.randint(80, 160))
        self.house.parts.arbiter.request(SETPOINT, 8, value, "duty", "by hand", expires_s=7200.0)
        self.commanded.append(value)

    def jump(self) -> None:
        self.house.clock.jump(self.random.choice([-3600.0, 3600.0, 86_400.0]))

    async def step(self) -> None:
        house = self.house
        before = house.told
        running = [one.id for one in house.drills.open if one.phase is Phase.RUNNING]
        slots = {address: row for address, row in house.slots().items() if address != SETPOINT}
        await house.run(STEP_S, STEP_S)
        burning = any(house.plant.get(device, tag) == value for device, tag, value in REAL)
        self.real_s = self.real_s + STEP_S if burning else 0.0

        assert all(row == (None,) * 16 for row in slots.values()), "a slot was filled that nobody filled"
        seen = house.value(DRILL_POINT)
        assert seen == house.plant.get("fire-panel", "zone_24_state"), "a present value is not what the device says"
        now_running = [one for one in house.drills.open if one.phase is Phase.RUNNING]
        assert len(now_running) <= 1
        if self.real_s >= 1.0:
            # Every device here is polled at least once a second.
            assert not now_running, f"a drill still runs {self.real_s} s after a real signal"
        for drill in now_running:
            assert house.drills.elapsed_s(drill) <= drill.length_s + STEP_S
            assert drill.requested_by != drill.confirmed_by
        for id_ in set(running) - {one.id for one in now_running}:
            drill = next(one for one in house.drills.open if one.id == id_)
            if drill.cause is Cause.REAL:
                assert house.told > before, "the screens were not told"
                view = house.drills.view()
                assert view["drill"]["cause"] == "real"
                assert view["drill"]["values"] == []

    async def close(self) -> None:
        """Check what stays: the ledger of the devices, and the journal."""
        house = self.house
        self.calm()
        await house.run(3.0)
        wrote = [value for _, _, value in house.plant.written]
        assert {(device, tag) for device, tag, _ in house.plant.written} <= {
            ("header-io", "differential_pressure_setpoint")
        }, "a device was written to that nobody commanded"
        assert set(wrote) <= set(self.commanded)
        assert len(wrote) <= len(self.commanded), "a command was repeated"
        commands = await house.journal.fetch(select(command_entry.c.owner).distinct())
        assert {row.owner for row in commands} <= {"duty", "arbiter"}
        entries = await house.journal.fetch(select(drill_entry).order_by(drill_entry.c.id))
        starts = [row.drill for row in entries if row.kind == "started"]
        ends = [row.drill for row in entries if row.kind == "ended"]
        running = [one.id for one in house.drills.open if one.phase is Phase.RUNNING]
        assert sorted(starts) == sorted([*ends, *running]), "a drill that began has not one end"
        assert len(starts) == self.started
        for row in entries:
            assert row.zh.startswith("演練 DRILL ")
            assert row.en.startswith("演練 DRILL ")
            if row.kind == "ended":
                cause = row.data["cause"]
                self.ended[cause] = self.ended.get(cause, 0) + 1
        keys = [(row.drill, row.key) for row in await house.journal.fetch(select(drill_tick))]
        assert len(keys) == len(set(keys))
        for drill in house.drills.open:
            board = house.drills.muster(drill.id)
            assert board.expected == board.accounted + board.missing + board.rescue
        assert house.cycle.counts.faults == 0


async def _evening(folder: Path, configuration: Configuration, seed: int) -> dict[str, Any]:
    folder.mkdir()
    house = await DrillHouse.open(folder, configuration, seed)
    evening = Evening(house, seed)
    restarts = 0
    await house.run(2.0)
    for _ in range(STEPS):
        if evening.random.random() < 0.5:
            evening.act()
        if evening.random.random() < 0.015:
            restarts += 1
            await house.restart()
            assert not [one for one in house.drills.open if one.phase in {Phase.RUNNING, Phase.REQUESTED}]
        await evening.step()
    await evening.close()
    await house.close()
    return {**evening.ended, "starts": evening.started, "restarts": restarts}


@pytest.mark.parametrize("chunk", range(CHUNKS))
async def test_a_real_signal_ends_every_drill_and_no_drill_moves_anything(
    tmp_path: Path, configuration: Configuration, chunk: int
) -> None:
    total: dict[str, int] = {}
    for seed in range(chunk * SEEDS // CHUNKS, (chunk + 1) * SEEDS // CHUNKS):
        for key, count in (await _evening(tmp_path / str(seed), configuration, seed)).items():
            total[key] = total.get(key, 0) + count
    # The evenings are worth something only if drills began and ended in many ways.
    assert total["starts"] >= 10
    assert total.get("real", 0) >= 3
    assert sum(count for cause, count in total.items() if cause not in {"starts", "real", "restarts"}) >= 2
