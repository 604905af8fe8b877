"""Chilled-water reset: the figures of Guideline 36 by hand, requests of coils, bounds, rates, and stepping back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.point.model import Name
from controller.strategy.reset import Coil, Machine, Reset
from controller.strategy.strategy import Seen
from controller.strategy.trim import PLANT_RESET, RequestMemory, Trim, requests, trimmed
from drivers.reading import Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from controller.strategy.reset import ResetMemory
    from controller.strategy.strategy import Decision

NAME = Name("名", "name")
MACHINES = tuple(Machine(NAME, f"b.plant.ch{n}.state", (2,), f"b.plant.ch{n}.chw_setpoint") for n in (1, 2))
COILS = tuple(
    Coil(
        Name(f"{n} 號", f"coil {n}"),
        f"b.hvac.ahu{n}.valve",
        f"b.hvac.ahu{n}.fan",
        f"b.hvac.ahu{n}.supply",
        f"b.hvac.ahu{n}.supply_sp",
        f"b.hvac.ahu{n}.rh",
    )
    for n in range(1, 7)
)
PRESSURE = "b.plant.header.dp_sp"


@dataclass
class Plant:
    """What the reset sees; the valves as they are set."""

    strategy: Reset
    now_ns: int = 0
    now: float = 0.0
    dry: bool = False
    result: None = None
    values: dict[str, float] = field(default_factory=dict)
    said: list[Decision] = field(default_factory=list)
    memory: ResetMemory = field(init=False)

    def __post_init__(self) -> None:
        self.run_machines(2.0)
        for coil in self.strategy.coils:
            self.values |= {coil.valve: 60.0, coil.fan: 1.0, coil.supply: 15.0, coil.supply_setpoint: 15.0}
            self.values[coil.humidity] = 55.0
        self.memory = self.strategy.begin(self, ())

    def run_machines(self, *states: float) -> None:
        for at, machine in enumerate(self.strategy.machines):
            self.values[machine.state] = states[at % len(states)]

    def see(self, point: str) -> Seen:
        return Seen(self.value(point), int(Quality.GOOD), 1.0)

    def value(self, point: str) -> float:
        return self.values.get(point, math.nan)

    def base(self, point: str) -> float:
        return 7.0

    def usual(self, point: str, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(ahead_s), math.nan)

    def masked(self, point: str) -> bool:
        return False

    def run(self, minutes: float) -> Decision:
        for _ in range(round(minutes * 2)):
            self.now += 30.0
            self.now_ns += 30_000_000_000
            decision, self.memory = self.strategy.decide(self, self.memory)
            self.said.append(decision)
        return self.said[-1]

    def water(self) -> list[float]:
        """Return the set-point of the first machine, decision by decision; NaN where there was none."""
        found = []
        for decision in self.said:
            values = [one.value for one in decision.targets if one.point == MACHINES[0].setpoint]
            found.append(values[0] if values else math.nan)
        return found


def reset(**more: object) -> Reset:
    return Reset(MACHINES, COILS, pressure=PRESSURE, **more)  # type: ignore[arg-type]


def test_the_loop_trims_responds_and_clamps_as_the_guideline_says() -> None:
    state = trimmed(PLANT_RESET, Trim(1.0), 0.0, 1, 0, 900.0)
    assert (state.value, state.due) == (1.0, 900.0)
    assert trimmed(PLANT_RESET, state, 899.0, 1, 9, 900.0) == state
    state = trimmed(PLANT_RESET, state, 900.0, 1, 0, 900.0)
    assert state.value == pytest.approx(0.98)
    state = trimmed(PLANT_RESET, state, 1200.0, 1, 2, 900.0)
    assert state.value == pytest.approx(0.96), "two requests are ignored"
    state = trimmed(PLANT_RESET, state, 1500.0, 1, 3, 900.0)
    assert state.value == pytest.approx(0.96 - 0.02 + 0.03)
    low = trimmed(PLANT_RESET, Trim(0.5, 0.0, 0.0, -math.inf, 1), 1800.0, 1, 40, 900.0)
    assert low.value == pytest.approx(0.5 - 0.02 + 0.07), "no response is larger than 0.07"
    high = trimmed(PLANT_RESET, Trim(0.99, 0.0, 0.0, -math.inf, 1), 1800.0, 1, 40, 900.0)
    assert high.value == 1.0
    bottom = trimmed(PLANT_RESET, Trim(0.01, 0.0, 0.0, -math.inf, 1), 1800.0, 1, 0, 900.0)
    assert bottom.value == 0.0
    assert trimmed(PLANT_RESET, bottom, 1900.0, 0, 0, 900.0) == Trim(1.0), "off is the start again"


def test_while_a_chiller_starts_or_stops_the_loop_is_held_for_15_minutes() -> None:
    state = Trim(0.6, 0.0, 300.0, -math.inf, 1)
    state = trimmed(PLANT_RESET, state, 300.0, 2, 9, 900.0)
    assert state.value == 0.6
    state = trimmed(PLANT_RESET, state, 1100.0, 2, 9, 900.0)
    assert state.value == 0.6
    state = trimmed(PLANT_RESET, state, 1400.0, 2, 9, 900.0)
    assert state.value == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("valve", "above", "humidity", "after_s", "number"),
    [
        (60.0, 0.0, 55.0, 0.0, 0),
        (96.0, 0.0, 55.0, 0.0, 1),
        (60.0, 2.5, 55.0, 100.0, 0),
        (60.0, 2.5, 55.0, 120.0, 2),
        (96.0, 3.1, 55.0, 120.0, 3),
        (60.0, 0.0, 70.0, 500.0, 0),
        (60.0, 0.0, 70.0, 600.0, 1),
        (96.0, 3.1, 70.0, 600.0, 4),
        (96.0, math.nan, math.nan, 600.0, 1),
        (math.nan, 3.1, 70.0, 600.0, 0),
    ],
)
def test_requests_of_a_coil(valve: float, above: float, humidity: float, after_s: float, number: int) -> None:
    _, memory = requests(RequestMemory(), 1000.0, valve, above, humidity, 65.0)
    found, _ = requests(memory, 1000.0 + after_s, valve, above, humidity, 65.0)
    assert found.number == number


def test_a_valve_asks_from_95_percent_until_it_is_below_85() -> None:
    memory, asked = RequestMemory(), []
    for valve in (94.0, 96.0, 90.0, 86.0, 84.0, 90.0):
        found, memory = requests(memory, 0.0, valve, 0.0, 50.0, 65.0)
        asked.append(found.number)
    assert asked == [0, 1, 1, 1, 0, 0]


def test_contented_coils_let_the_water_warm_half_a_kelvin_a_look_at_most_and_then_the_pressure_fall() -> None:
    plant = Plant(reset())
    plant.run(14.5)
    assert set(plant.water()) == {7.0}
    plant.run(260.0)
    water = plant.water()
    assert max(b - a for a, b in pairwise(water)) <= 0.5
    assert water[-1] == 10.0, "never warmer: the coils must dry the air"
    pressure = [one.value for one in plant.said[-1].targets if one.point == PRESSURE]
    assert pressure == [60.0]
    assert {one.point for one in plant.said[-1].targets} == {*(one.setpoint for one in MACHINES), PRESSURE}


def test_open_valves_bring_the_cold_water_back_and_the_sentence_says_how_many_ask() -> None:
    plant = Plant(reset())
    plant.run(255.0)
    for coil in COILS:
        plant.values[coil.valve] = 98.0
    decision = plant.run(180.0)
    assert plant.water()[-1] == 7.0
    assert "6 個需求" in decision.why.zh
    assert [part.state for part in decision.parts] == ["valve"] * 6


def test_without_a_running_chiller_nothing_is_set() -> None:
    plant = Plant(reset())
    plant.run(60.0)
    plant.run_machines(0.0)
    decision = plant.run(1.0)
    assert (decision.state, decision.targets) == ("watching", ())


def test_a_chiller_of_which_nobody_knows_whether_it_runs_is_not_said_to_stand() -> None:
    plant = Plant(reset())
    plant.run(60.0)
    plant.run_machines(0.0)
    plant.values[MACHINES[1].state] = math.nan
    decision = plant.run(1.0)
    assert (decision.state, decision.targets) == ("stepped_back", ())
    assert MACHINES[1].name.zh in decision.why.zh
    assert MACHINES[1].name.en in decision.why.en
    plant.run_machines(0.0)
    assert plant.run(1.0).state == "watching"


def test_most_valves_unknown_or_no_chiller_known_step_back() -> None:
    plant = Plant(reset())
    plant.run(60.0)
    for coil in COILS[:4]:
        plant.values[coil.valve] = math.nan
    assert plant.run(0.5).state == "stepped_back"
    plant.values |= {coil.valve: 60.0 for coil in COILS}
    assert plant.run(0.5).state == "acting"
    plant.run_machines(math.nan)
    assert (plant.run(0.5).state, plant.said[-1].targets) == ("stepped_back", ())


def test_a_fan_that_stands_asks_for_nothing_and_one_unknown_valve_of_many_is_left_out() -> None:
    plant = Plant(reset())
    for coil in COILS[:3]:
        plant.values |= {coil.fan: 0.0, coil.valve: 100.0}
    plant.values[COILS[3].valve] = math.nan
    decision = plant.run(2.0)
    assert decision.state == "acting"
    assert [part.state for part in decision.parts] == ["unknown"]


def test_a_coil_that_asks_nearly_always_is_named_a_rogue() -> None:
    plant = Plant(reset())
    plant.values[COILS[0].valve] = 99.0
    decision = plant.run(5 * 60.0)
    assert decision.parts[0].note is not None
    assert "檢查" in decision.parts[0].note.zh
    assert plant.water()[-1] == 10.0, "one that never has enough does not hold the plant"
