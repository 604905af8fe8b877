"""Lifts, fire panel, standby power and water: what people and causes do to them, and what hangs together by wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from simulators.plant.device import NotWritableError, Occurrence, RefusedError
from simulators.plant.firepanel import FLOOR_OUTPUTS, GAS_VALVES, PANEL
from simulators.plant.layout import HANDLER_NAMES
from simulators.plant.memento import collect, restore
from simulators.world import World

if TYPE_CHECKING:
    from simulators.plant.device import Device
    from simulators.plant.lift import LiftBank
    from simulators.plant.water import WaterBank
    from simulators.site import SimulatedSite

NOON_NS = 1_784_088_000_000_000_000
"""2026-07-15 04:00 UTC: a Wednesday in Taipei, 12:00."""
NIGHT_NS = NOON_NS + 14 * 3600 * 1_000_000_000
"""Two in the morning of the Thursday."""


@pytest.fixture(scope="module")
def mine(city_hall: SimulatedSite) -> SimulatedSite:
    wanted = ("lift-", "fire-", "standby-", "capacitor-", "water-")
    return replace(city_hall, devices=tuple(row for row in city_hall.devices if row.id.startswith(wanted)))


@pytest.fixture
def world(mine: SimulatedSite) -> World:
    made = World(mine, 1, NOON_NS, warm=False)
    made.step(1.0)
    return made


def run(world: World, seconds: float, dt_s: float = 1.0) -> None:
    for _ in range(round(seconds / dt_s)):
        world.step(dt_s)


def happen(world: World, device: str, kind: str, **data: Any) -> Device:
    """Have something happen at a device, as `shifu sim fault event` does."""
    world.devices[device].occurrences.append(Occurrence(0, kind, {key: str(value) for key, value in data.items()}))
    world.step(1.0)
    return world.devices[device]


def test_cars_carry_people_and_coarse_steps_add_up_to_the_same(world: World) -> None:
    bank = cast("LiftBank", world.parts["LiftBank"])
    found = {}
    for name, dt_s in (("fine", 1.0), ("coarse", 150.0)):
        before = bank.trips.sum(), bank.energy_kwh.sum(), bank.run_s.sum(), bank.door_cycles.sum()
        run(world, 1800.0, dt_s)
        trips, energy, moved, doors = (
            float(after - start)
            for after, start in zip(
                (bank.trips.sum(), bank.energy_kwh.sum(), bank.run_s.sum(), bank.door_cycles.sum()), before, strict=True
            )
        )
        assert 300 < trips < 3000, name
        found[name] = energy / trips, moved / trips, doors / trips
    # A trip costs the same whichever way time passes.
    assert found["coarse"] == pytest.approx(found["fine"], rel=0.35)
    assert world.parts["LiftBank"].loads_kw()["lift"] > 16 * 0.5


def test_a_car_moves_floor_by_floor_with_its_door_closed(world: World) -> None:
    state = world.devices["lift-03"].state
    last = state["position"]
    seen: set[float] = set()
    for _ in range(900):
        world.step(1.0)
        position = state["position"]
        order = [*range(-3, 0), *range(1, 13)]
        assert abs(order.index(int(position)) - order.index(int(last))) <= 1
        if state["direction"]:
            assert state["door"] == 0.0
        seen.add(position)
        last = position
    assert len(seen) > 4


def test_a_stalled_car_with_people_is_an_entrapment_after_a_minute_and_ends_with_the_rescue(world: World) -> None:
    state = happen(world, "lift-05", "stall", load=40).state
    run(world, 57)
    assert (state["entrapment"], state["fault_code"], state["direction"]) == (0.0, 31.0, 0.0)
    run(world, 5)
    assert state["entrapment"] == 1.0
    assert happen(world, "lift-05", "rescue").state["entrapment"] == 0.0
    assert state["fault_code"] == 0.0


def test_an_empty_stalled_car_traps_nobody(world: World) -> None:
    state = happen(world, "lift-05", "stall", load=0, since=100).state
    assert state["entrapment"] == 0.0
    happen(world, "lift-05", "alarm")
    assert state["entrapment"] == state["passenger_alarm"] == 1.0


def test_lift_commands_are_park_floor_and_service_alone(world: World) -> None:
    lift = world.devices["lift-ext1"]
    assert lift.write("park_floor", 3.0) == 3.0
    with pytest.raises(RefusedError, match="does not serve floor 12"):
        lift.write("park_floor", 12.0)
    with pytest.raises(NotWritableError):
        lift.write("mode", 0.0)
    lift.write("service_request", 1.0)
    run(world, 120)
    assert lift.state["mode"] == 5.0
    lift.write("service_request", 0.0)
    run(world, 2)
    assert lift.state["mode"] == 0.0


def test_a_zone_in_fire_moves_panel_floor_lifts_and_air_handler_and_the_reset_gives_all_back(world: World) -> None:
    panel, relay = happen(world, "fire-panel", "fire", zone=28, detector=7).state, world.devices["fire-relay"].state
    run(world, 90)
    assert [panel[name] for name in ("fire", "evacuation", "zones_in_fire", "zone_28_state", "zone_28_detector")] == [
        1.0, 1.0, 1.0, 2.0, 7.0
    ]  # fmt: skip
    assert relay["fire"] == 1.0
    # Zone 28 is 4F east: the outputs of the seventh floor from below, and of no other.
    for name in PANEL:
        if name.startswith("floor_"):
            assert panel[name] == float(name.startswith("floor_07_")), name
    assert all(panel[f"lift_recall_{n:02}"] == 1.0 for n in range(1, 17))
    lifts = [world.devices[f"lift-{n:02}"].state for n in range(1, 17)]
    assert {(lift["mode"], lift["position"], lift["door"]) for lift in lifts} == {(2.0, 1.0, 2.0)}
    assert world.devices["lift-ext1"].state["mode"] == 0.0
    assert world.handlers.table[world.handlers.rows["mode"]].tolist() == [
        3.0 if name.startswith("ahu-04f-") else 1.0 for name in HANDLER_NAMES
    ]

    happen(world, "fire-panel", "reset")
    run(world, 20)
    assert not any(panel[name] for name in PANEL if name != "heartbeat")
    assert {lift["mode"] for lift in lifts} == {0.0}
    assert world.handlers.table[world.handlers.rows["mode"]].tolist() == [1.0] * len(HANDLER_NAMES)


def test_an_output_that_jams_does_not_follow(world: World) -> None:
    happen(world, "fire-panel", "jam", output="floor_07_fire_door_2")
    panel = happen(world, "fire-panel", "fire", zone=28).state
    run(world, 60)
    still = [what for what in FLOOR_OUTPUTS if panel[f"floor_07_{what}"] == 0.0]
    assert still == ["fire_door_2"]


def test_a_gas_valve_that_jams_stays_open_until_the_reset(world: World) -> None:
    happen(world, "fire-panel", "jam", output="gas_valve_2")
    panel = happen(world, "fire-panel", "fire", zone=28).state
    run(world, 10)
    assert [number for number in range(1, GAS_VALVES + 1) if panel[f"gas_valve_{number}"] == 0.0] == [2]
    happen(world, "fire-panel", "reset")
    happen(world, "fire-panel", "fire", zone=28)
    run(world, 10)
    assert panel["gas_valve_2"] == 1.0


def test_panel_bits_tell_faults_and_isolation_and_the_relay_falls_with_a_fault(world: World) -> None:
    panel = happen(world, "fire-panel", "zone_fault", zone=3).state
    happen(world, "fire-panel", "disable", zone=4)
    happen(world, "fire-panel", "battery_fault")
    assert [panel[bit] for bit in ("fire", "fault", "disablement", "battery_fault", "mains_fail")] == [0, 1, 1, 1, 0]
    assert (panel["zones_in_fault"], panel["panel_word"]) == (1.0, float(1 << 2 | 1 << 3 | 1 << 8))
    assert world.devices["fire-relay"].state["fault"] == 1.0


@pytest.mark.parametrize("device", ["fire-panel", "fire-relay"])
def test_the_panel_takes_no_write(world: World, device: str) -> None:
    with pytest.raises(NotWritableError):
        world.devices[device].write("fire", 0.0)


def test_a_mains_failure_starts_the_generator_and_the_ups_bridges_the_seconds_before(world: World) -> None:
    generator, ups = world.devices["standby-generator"].state, world.devices["standby-ups"].state
    ats = happen(world, "standby-ats", "mains_failure", seconds=60).state
    run(world, 4)
    assert (ats["normal_source"], ups["on_battery"], generator["state"]) == (0.0, 1.0, 2.0)
    run(world, 20)
    assert (ats["on_normal"], ats["on_generator"], ups["on_battery"]) == (0.0, 1.0, 0.0)
    assert generator["power"] == pytest.approx(420.0)
    assert world.parts["Standby"].loads_kw() == {"server": -420.0}
    fuel = generator["fuel"]
    run(world, 80)
    assert (ats["on_normal"], generator["state"], generator["power"]) == (1.0, 4.0, 0.0)
    assert generator["fuel"] < fuel
    run(world, 70)
    assert generator["state"] == 0.0
    assert world.parts["Standby"].loads_kw() == {"server": 0.0}


def test_a_generator_that_does_not_start_says_so_and_the_ups_runs_down(world: World) -> None:
    happen(world, "standby-generator", "fail_to_start")
    happen(world, "standby-ats", "mains_failure", seconds=3000)
    generator, ups = world.devices["standby-generator"].state, world.devices["standby-ups"].state
    run(world, 40)
    assert (generator["state"], generator["fail_to_start"], ups["on_battery"]) == (0.0, 3.0, 1.0)
    run(world, 1600, 10.0)
    assert (ups["charge"], ups["on_battery"], ups["output_off"]) == (0.0, 0.0, 1.0)


def test_the_monthly_test_is_taken_in_auto_alone_and_cancelled(world: World) -> None:
    generator = world.devices["standby-generator"]
    generator.write("test_start", 1.0)
    run(world, 15)
    assert (generator.state["state"], generator.state["power"], generator.state["test_start"]) == (3.0, 0.0, 1.0)
    generator.write("test_cancel", 1.0)
    run(world, 5)
    assert generator.state["state"] == 4.0
    happen(world, "standby-generator", "mode", value=0)
    with pytest.raises(RefusedError, match="in auto alone"):
        generator.write("test_start", 1.0)


def test_a_broken_capacitor_step_stays_out_and_its_board_has_one_less(world: World) -> None:
    run(world, 1200, 60.0)
    steps = float(world.network.steps[1])
    bank = happen(world, "capacitor-2", "step_fault", step=1)
    run(world, 1200, 60.0)
    assert (bank.state["step_fault"], bank.state["step_1"]) == (1.0, 0.0)
    assert world.network.steps[1] <= 5.0
    assert sum(bank.state[f"step_{n}"] for n in range(1, 7)) == world.network.steps[1] <= max(steps, 5.0)


def test_the_water_main_counts_its_parts_and_a_little_more(world: World) -> None:
    bank = cast("WaterBank", world.parts["WaterBank"])
    before = bank.volume_m3.copy()
    run(world, 86_400, 120.0)
    day = bank.volume_m3 - before
    direct = day[1:16].sum()  # wm02 to wm16 hang on wm01
    assert 200 < day[0] < 600
    assert direct < day[0] < 1.04 * direct
    for floor in range(12):
        toilets = [16 + 2 * floor, 17 + 2 * floor]
        assert 0.7 < day[toilets].sum() / day[4 + floor] < 1.0


def test_at_night_nothing_flows_but_to_the_towers_and_out_of_a_leak(mine: SimulatedSite) -> None:
    world = World(mine, 1, NIGHT_NS)
    bank = cast("WaterBank", world.parts["WaterBank"])
    happen(world, "water-meter-23", "leak", lps=0.05)
    before = bank.volume_m3.copy()
    run(world, 7200, 60.0)
    night = bank.volume_m3 - before
    # wm23 is on 4F (wm08); the main feeds both, and the towers (wm02).
    flows = {f"wm{n + 1:02}" for n in range(40) if night[n] > 1e-6}
    assert flows == {"wm01", "wm02", "wm08", "wm23"}
    assert night[22] == pytest.approx(0.05 * 7200 / 1000, rel=0.02)
    run(world, 86_400, 150.0)
    assert world.devices["water-meter-23"].state["status"] == 48.0


def test_pulses_are_litres_over_their_worth_and_the_counter_tells_its_battery(world: World) -> None:
    bank = cast("WaterBank", world.parts["WaterBank"])
    counter = happen(world, "water-counter-1", "battery_low", channel=2).state
    assert counter["ch_1_pulses"] == np.floor(bank.volume_m3[0] * 1000.0 / 100.0)
    assert counter["ch_2_pulses"] == np.floor(bank.volume_m3[1] * 1000.0 / 10.0)
    assert [counter[f"ch_{n}_battery_low"] for n in range(1, 5)] == [0.0, 1.0, 0.0, 0.0]


def test_parts_go_on_from_a_saved_state(mine: SimulatedSite) -> None:
    first = World(mine, 1, NOON_NS, warm=False)
    happen(first, "fire-panel", "fire", zone=5, detector=3)
    happen(first, "lift-02", "stall", since=30)
    run(first, 30)
    second = World(mine, 1, NOON_NS, warm=False)
    for name, part in first.parts.items():
        restore(second.parts[name], collect(part))
        second.parts[name].show()
    for name in ("fire-panel", "lift-02", "standby-generator", "water-meter-30"):
        assert second.devices[name].state.snapshot() == first.devices[name].state.snapshot(), name
