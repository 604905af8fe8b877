"""The engine: leases, dry run, switching, faults, jobs, restart; it reaches a device through the arbiter alone."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from controller.alarm.definition import AlarmDefinition
from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.hold import ALL_HELD, Hold
from controller.command.order import Outcome
from controller.errors import NotFoundError, UnavailableError
from controller.point.model import Building, Equipment, Name, Point, Site, WriteSpec
from controller.point.table import PointTable
from controller.strategy.engine import StrategyEngine, definitions, owner_of
from controller.strategy.strategy import Decision, Entry, Job, Past, Target
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.command.order import Command
    from controller.journal.entry import SlotRow
    from controller.strategy.strategy import Mode, View

NAME = Name("名", "name")
POWER, SP, FAN = "b.hvac.ahu.power", "b.hvac.ahu.sp", "b.hvac.ahu.fan"
POINTS = (
    Point(0, POWER, "analog", "kW", NAME, "b.hvac.ahu"),
    Point(1, SP, "analog", "°C", NAME, "b.hvac.ahu", "ahu", "sp", write=WriteSpec(18, 28, default=26.0)),
    Point(2, FAN, "analog", "%", NAME, "b.hvac.ahu", "ahu", "fan", write=WriteSpec(0, 100, default=100.0)),
)
SITE = Site(
    "s",
    NAME,
    "Asia/Taipei",
    1,
    {"b": Building("b", NAME, ())},
    {},
    {"b.hvac.ahu": Equipment("b.hvac.ahu", "ahu", NAME, "b", "hvac")},
    {point.address: point for point in POINTS},
)


@dataclass(frozen=True, slots=True)
class Toy:
    """Raises the set-point by a kelvin while the power is above 100 kW."""

    id: str = "toy"
    rule: Callable[[View, Any], tuple[Decision, Any]] | None = None
    name: Name = field(default_factory=lambda: Name("玩具", "Toy"))
    slot: int = 9
    period_s: float = 5.0
    inputs: tuple[str, ...] = (POWER,)
    outputs: tuple[str, ...] = (SP, FAN)
    alarms: tuple[AlarmDefinition, ...] = ()

    def begin(self, view: View, past: Sequence[Past]) -> Any:
        return list(past)

    def decide(self, view: View, memory: Any) -> tuple[Decision, Any]:
        if self.rule is not None:
            return self.rule(view, memory)
        seen = view.see(POWER)
        if not seen.known:
            return Decision("stepped_back", Name("電表不明", "the meter is not known")), memory
        if seen.value > 100.0:
            target = Target(SP, view.base(SP) + 1.0, Name("太高", "too high"))
            return Decision("acting", Name(f"{seen.value}", f"{seen.value} kW"), (target,)), memory
        return Decision("watching", Name("正常", "all is well")), memory


class House:
    """An engine with everything around it."""

    def __init__(
        self, *toys: Any, mode: Mode = "run", jobs: Any = None, past: Mapping[str, list[Past]] | None = None
    ) -> None:
        self.clock = VirtualClock()
        self.table = PointTable(SITE, self.clock)
        self.recorded: list[Command] = []
        self.broken = False
        self.entries = tuple(Entry(toy, mode) for toy in toys)
        numbers = itertools.count(1)

        def record(command: Command, rows: tuple[SlotRow, ...]) -> None:
            if self.broken:
                raise UnavailableError("the journal is down")
            self.recorded.append(command)

        self.arbiter = Arbiter(SITE, self.clock, new_id=lambda: f"c{next(numbers)}", record=record)
        self.alarms = AlarmEngine(definitions(toys), self.clock, lambda _: None)
        self.engine = StrategyEngine(
            lambda: self.entries,
            lambda: self.table,
            lambda: self.arbiter,
            lambda: self.alarms,
            self.clock,
            jobs=jobs,
            past=past,
        )
        self.written: list[tuple[str, float]] = []

    def power(self, kw: float, quality: int = Quality.GOOD) -> None:
        now = np.array([self.clock.now_ns()], np.int64)
        self.table.apply(Readings(np.array([0], np.int32), np.array([kw]), now, np.array([quality], np.uint8)))

    def turn(self, seconds: float = 5.0) -> None:
        """One turn of the cycle after some time."""
        self.clock.move(seconds)
        self.engine.step()
        self.carry_out()

    def carry_out(self) -> None:
        for order in self.arbiter.step():
            self.arbiter.started(order, "pending")
            self.written.append((order.point.address, order.value))
            self.arbiter.completed(order, Outcome("done", order.value))

    def switch(self, mode: Mode) -> None:
        self.entries = tuple(replace(entry, mode=mode) for entry in self.entries)

    def active(self) -> list[str]:
        self.alarms.tick()
        return [alarm.id for alarm in self.alarms.active()]


def test_it_writes_through_the_arbiter_with_owner_reason_and_lease() -> None:
    house = House(Toy())
    house.power(150.0)
    house.turn()

    assert house.written == [(SP, 27.0)]
    slot = house.arbiter.slots(SP)[8]
    assert slot is not None
    assert (slot.owner, slot.reason, slot.lease_s) == ("strategy:toy", "太高\ntoo high", 60.0)
    assert house.engine.status("toy").held == (SP,)


def test_renewing_sends_nothing_and_an_end_of_need_releases() -> None:
    house = House(Toy())
    house.power(150.0)
    for _ in range(30):
        house.turn()
        house.power(150.0 + house.clock.monotonic() / 100.0)
    assert house.written == [(SP, 27.0)], "150 s of renewals, two lease times"
    house.power(50.0)
    house.turn()
    assert house.written == [(SP, 27.0), (SP, 26.0)]
    assert house.arbiter.slots(SP) == (None,) * 16


def test_when_the_engine_is_not_called_any_more_the_lease_gives_the_point_back() -> None:
    house = House(Toy())
    house.power(150.0)
    house.turn()
    house.clock.move(59.0)
    house.carry_out()
    assert house.written == [(SP, 27.0)]
    house.clock.move(1.5)
    house.carry_out()

    assert house.written == [(SP, 27.0), (SP, 26.0)]
    assert house.recorded[-1].reason.startswith("all slots are empty")
    assert any(command.reason == "lease ran out: strategy:toy" for command in house.recorded)


def test_a_dry_run_decides_says_what_it_would_do_and_writes_nothing() -> None:
    house = House(Toy(), mode="dry_run")
    house.power(150.0)
    house.turn()

    status = house.engine.status("toy")
    assert (status.decision.state, [target.value for target in status.decision.targets]) == ("acting", [27.0])
    assert (status.held, house.written, house.recorded) == ((), [], [])


@pytest.mark.parametrize("mode", ["off", "dry_run"])
def test_switching_it_off_or_to_a_dry_run_releases_at_the_next_turn(mode: Mode) -> None:
    house = House(Toy())
    house.power(150.0)
    house.turn()
    house.switch(mode)
    house.turn(1.0)

    assert house.written == [(SP, 27.0), (SP, 26.0)]
    assert house.arbiter.slots(SP) == (None,) * 16
    house.switch("run")
    house.turn(1.0)
    assert house.written[-1] == (SP, 27.0)


@pytest.mark.parametrize("quality", [Quality.UNCERTAIN_STALE, Quality.BAD_COMM, Quality.BAD_OUT_OF_SERVICE])
def test_an_input_that_is_not_good_makes_it_step_back_and_that_is_an_alarm(quality: int) -> None:
    house = House(Toy())
    house.power(150.0)
    house.turn()
    house.power(900.0, quality)
    house.turn()

    assert house.written == [(SP, 27.0), (SP, 26.0)], "900 kW of a bad meter drive nothing"
    assert house.engine.status("toy").decision.state == "stepped_back"
    assert house.active() == []
    house.turn(61.0)
    assert house.active() == ["strategy#toy"]
    house.power(50.0)
    house.turn()
    house.clock.move(11.0)
    house.alarms.tick()
    assert house.alarms.get("strategy#toy").state.returned_ns is not None


def test_what_a_dry_run_imagined_never_counts_as_done() -> None:
    def count(view: View, memory: Any) -> tuple[Decision, Any]:
        return Decision("watching", Name("計", f"{len(memory)}")), [*memory, view.dry]

    house = House(Toy(rule=count))
    for _ in range(2):
        house.turn()
    before = house.engine.status("toy").decision.why.en
    house.entries = (replace(house.entries[0], mode="dry_run"),)
    for _ in range(6):
        house.turn()
    assert int(house.engine.status("toy").decision.why.en) > int(before) + 3
    house.entries = (replace(house.entries[0], mode="off"),)
    for _ in range(2):
        house.turn()
    house.entries = (replace(house.entries[0], mode="run"),)
    for _ in range(1):
        house.turn()
    assert int(house.engine.status("toy").decision.why.en) <= int(before) + 2
    assert True not in house.engine._runs["toy"].memory
    fresh = House(Toy(rule=count), mode="dry_run")
    for _ in range(6):
        fresh.turn()
    fresh.entries = (replace(fresh.entries[0], mode="run"),)
    for _ in range(1):
        fresh.turn()
    assert fresh.engine._runs["toy"].memory == [False]


def test_an_exception_costs_that_strategy_alone() -> None:
    def bad(view: View, memory: Any) -> tuple[Decision, Any]:
        if view.value(POWER) > 200.0:
            raise ZeroDivisionError
        return Decision("acting", NAME, (Target(FAN, 50.0, NAME),)), memory

    house = House(Toy("bad", bad, outputs=(FAN,)), Toy(outputs=(SP,)))
    house.power(150.0)
    house.turn()
    assert house.written == [(FAN, 50.0), (SP, 27.0)]
    house.power(250.0)
    house.turn()

    assert house.written[2:] == [(FAN, 100.0)], "its slots are empty at once, the other one holds"
    assert house.engine.status("bad").decision.state == "stepped_back"
    assert house.engine.status("toy").held == (SP,)
    assert house.engine.faults == 1
    house.power(150.0)
    house.turn()
    assert house.written[-1] == (FAN, 50.0), "it is tried again, from the beginning"


def test_a_target_that_is_none_of_its_outputs_is_a_fault_and_written_nowhere() -> None:
    def bold(view: View, memory: Any) -> tuple[Decision, Any]:
        return Decision("acting", NAME, (Target(SP, 27.0, NAME), Target(FAN, 0.0, NAME))), memory

    house = House(Toy(rule=bold, outputs=(SP,)))
    house.turn()
    assert (house.written, house.engine.faults) == ([], 1)


def test_what_the_arbiter_refuses_is_said_and_the_rest_is_done() -> None:
    def wild(view: View, memory: Any) -> tuple[Decision, Any]:
        return Decision("acting", NAME, (Target(SP, 99.0, NAME), Target(FAN, 40.0, NAME))), memory

    house = House(Toy(rule=wild))
    house.turn()
    status = house.engine.status("toy")
    assert house.written == [(FAN, 40.0)]
    assert "wanted 18 to 28" in status.refused[SP]
    assert status.held == (FAN,)


def test_what_a_fire_has_taken_is_not_said_to_be_held_and_comes_back_with_its_end() -> None:
    def steady(view: View, memory: Any) -> tuple[Decision, Any]:
        return Decision("acting", NAME, (Target(SP, 27.0, NAME),)), memory

    house = House(Toy(rule=steady))
    house.turn()
    assert house.engine.status("toy").held == (SP,)
    house.arbiter.hold({SP: Hold("fire", "fire in a zone", ALL_HELD)})
    house.turn()
    status = house.engine.status("toy")
    assert (status.held, "is held empty by fire" in status.refused[SP]) == ((), True)
    assert house.arbiter.slots(SP) == (None,) * 16
    house.arbiter.hold({})
    house.turn()
    status = house.engine.status("toy")
    assert (status.held, dict(status.refused)) == ((SP,), {})


def test_with_the_journal_down_nothing_new_is_written_and_what_is_held_goes_on() -> None:
    house = House(Toy())
    house.power(150.0)
    house.turn()
    house.broken = True
    for _ in range(20):
        house.turn()
        house.power(150.0)
    assert house.written == [(SP, 27.0)], "renewals need no record"

    other = House(Toy())
    other.broken = True
    other.power(150.0)
    other.turn()
    assert other.written == []
    assert "journal" in other.engine.status("toy").refused[SP]


def test_an_operator_is_stronger_and_the_strategy_sees_what_is_beneath_itself() -> None:
    house = House(Toy())
    house.arbiter.request(SP, 15, 25.0, "schedule", "office hours", lease_s=3600)
    house.arbiter.request(SP, 8, 20.0, "alice", "by hand")
    house.power(150.0)
    house.turn()

    assert house.arbiter.present(SP) == (20.0, 8)
    slot = house.arbiter.slots(SP)[8]
    assert slot is not None
    assert slot.value == 26.0, "the schedule's 25 °C and one kelvin"
    assert house.written == [(SP, 20.0)]


def test_the_timeline_has_a_line_a_change_and_not_a_line_a_decision() -> None:
    house = House(Toy())
    for kw in (50.0, 60.0, 150.0, 160.0, 170.0, 50.0):
        house.power(kw)
        house.turn()
    said = house.engine.status("toy").said
    assert [one.decision.state for one in said] == ["watching", "acting", "watching"]
    assert house.engine.status("toy").time_ns == house.clock.now_ns()


def test_a_new_configuration_keeps_what_is_the_same_and_releases_what_is_gone() -> None:
    house = House(
        Toy(), Toy("other", outputs=(FAN,), rule=lambda _, m: (Decision("acting", NAME, (Target(FAN, 30.0, NAME),)), m))
    )
    house.power(150.0)
    house.turn()
    assert sorted(house.written) == [(FAN, 30.0), (SP, 27.0)]
    house.entries = house.entries[:1]
    house.turn()
    assert house.written[2:] == [(FAN, 100.0)]
    with pytest.raises(NotFoundError):
        house.engine.status("other")
    house.entries = (Entry(Toy(outputs=(FAN,), rule=lambda _, m: (Decision("watching", NAME), m)), "run"),)
    house.turn()
    assert house.written[3:] == [(SP, 26.0)], "what it held and may set no more is given back"


def test_a_restart_tells_the_strategy_what_its_slots_held_today() -> None:
    past = [Past(SP, 1, 27.0), Past(SP, 2, None)]
    seen: list[Any] = []

    def look(view: View, memory: Any) -> tuple[Decision, Any]:
        seen.append(memory)
        return Decision("watching", NAME), memory

    house = House(Toy(rule=look), past={"toy": past})
    house.turn()
    assert seen == [past]
    assert owner_of("toy") == "strategy:toy"


def _one_more(number: int) -> int:
    return number + 1


class Jobs:
    """A job process that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run(self, work: Any, argument: Any, *, limit_s: float) -> Any:
        self.asked.append((argument, limit_s))
        await self.answer
        return work(argument)


@pytest.mark.parametrize(
    ("answer", "value", "error"),
    [(1, 4, ""), (UnavailableError("full"), None, "full"), (KeyError(1), None, "KeyError(1)")],
)
async def test_a_job_runs_beside_the_turns_one_at_a_time_and_its_result_comes_once(
    answer: Any, value: Any, error: str
) -> None:
    results: list[Any] = []

    def plan(view: View, memory: Any) -> tuple[Decision, Any]:
        if view.result is not None:
            results.append(view.result)
        return Decision("watching", NAME, job=None if results else Job(_one_more, 3, 2.0)), memory

    jobs = Jobs()
    house = House(Toy(rule=plan), jobs=jobs)
    for _ in range(3):
        house.turn()
        await asyncio.sleep(0)
    assert jobs.asked == [(3, 2.0)], "asked for at each decision, begun once"
    if isinstance(answer, Exception):
        jobs.answer.set_exception(answer)
    else:
        jobs.answer.set_result(answer)
    for _ in range(3):
        await asyncio.sleep(0)
        house.turn()
    assert [(one.value, one.error) for one in results] == [(value, error)]
    house.engine.close()
