"""What is written to the simulated machines is seen in what they measure; without a master they fall back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulators.plant.device import Device, NotWritableError, RefusedError
from simulators.world import World

if TYPE_CHECKING:
    import numpy as np

    from simulators.site import SimulatedSite


@pytest.fixture(scope="module")
def warm(small_site: SimulatedSite, start_ns: int) -> dict[str, np.ndarray[Any, Any]]:
    return World(small_site, 1, start_ns).state_dict()


@pytest.fixture
def world(small_site: SimulatedSite, start_ns: int, warm: dict[str, np.ndarray[Any, Any]]) -> World:
    world = World(small_site, 1, start_ns, warm=False)
    world.restore(warm)
    return world


def run(world: World, seconds: int, step_s: float = 5.0, *beats: Device) -> None:
    """Step, with a heartbeat to `beats` every 20 s as a healthy controller sends it."""
    since, count = 20.0, 0
    for _ in range(int(seconds / step_s)):
        if since >= 20.0:
            since, count = 0.0, count + 1
            for device in beats:
                device.write("controller_alive" if "ahu" in device.id else "controller_heartbeat", count)
        since += step_s
        world.step(step_s)


def test_the_chilled_water_follows_the_set_point(world: World) -> None:
    chiller = world.devices["ch1-unit"]
    assert chiller.state["state"] == 2.0
    assert chiller.state["chw_supply_temp"] == pytest.approx(7.0, abs=0.4)
    assert chiller.write("chw_setpoint", 9.0) == 9.0
    assert chiller.state["chw_setpoint"] == chiller.state["effective_chw_setpoint"] == 9.0
    assert chiller.commanded == {"chw_setpoint": 9.0}
    power = chiller.state["power"]
    world.step(1.0)
    assert chiller.state["chw_supply_temp"] < 7.6  # not at once
    run(world, 900, 5.0, chiller)
    assert chiller.state["chw_supply_temp"] == pytest.approx(9.0, abs=0.3)
    assert chiller.state["power"] < power


def test_a_demand_limit_cuts_the_power(world: World) -> None:
    chiller = world.devices["ch1-unit"]
    rated = world.plant.chillers[0].rated_kw
    assert chiller.state["power"] > 0.5 * rated
    chiller.write("demand_limit", 40.0)
    run(world, 900, 5.0, chiller)
    assert chiller.state["power"] <= 0.41 * rated


def test_without_heartbeat_the_gateway_holds_enable_and_returns_set_points(world: World) -> None:
    chiller = world.devices["ch1-unit"]
    chiller.write("controller_heartbeat", 1.0)
    chiller.write("enable", 1.0)
    chiller.write("chw_setpoint", 9.0)
    chiller.write("demand_limit", 60.0)
    for _ in range(55):
        world.step(1.0)
    assert chiller.state["effective_chw_setpoint"] == 9.0
    chiller.write("controller_heartbeat", 1.0)  # the same count again is no sign of life
    for _ in range(7):
        world.step(1.0)
    assert chiller.state["effective_chw_setpoint"] == 7.0
    assert chiller.state["effective_demand_limit"] == 100.0
    assert chiller.state["enable"] == 1.0


def test_minimum_on_and_minimum_off_are_kept_by_the_machine(world: World) -> None:
    chiller = world.devices["ch1-unit"]
    chiller.write("enable", 0.0)
    run(world, 180)
    assert chiller.state["state"] == 0.0
    assert chiller.state["power"] == 0.0
    chiller.write("enable", 1.0)
    world.step(1.0)
    wait = chiller.state["start_wait"]
    assert 100.0 < wait <= 300.0
    assert chiller.state["state"] == 5.0
    run(world, int(wait) - 10)
    assert chiller.state["state"] == 5.0
    starts = chiller.state["starts"]
    run(world, 20)
    assert chiller.state["state"] == 1.0
    assert chiller.state["starts"] == starts + 1
    chiller.write("enable", 0.0)
    run(world, 100)
    assert chiller.state["state"] in {1.0, 2.0}
    assert chiller.state["minimum_on_left"] > 0.0
    run(world, 160)
    assert chiller.state["state"] == 0.0


def test_a_start_without_flow_trips_until_reset(world: World) -> None:
    chiller = world.devices["ch1-unit"]
    for column in range(16):
        world.plant.drives.take(column, "run_cmd", 0.0)
    run(world, 120, 1.0)
    assert chiller.state["state"] == 6.0
    assert chiller.state["alarm"] == chiller.state["alarm_flow_evap"] == 1.0
    assert chiller.state["power"] == 0.0
    for column in range(16):
        world.plant.drives.take(column, "run_cmd", 1.0)
        world.plant.drives.take(column, "speed_cmd", 90.0)
    run(world, 60, 1.0)
    assert chiller.state["state"] == 6.0
    chiller.write("alarm_reset", 1.0)
    world.step(1.0)
    assert chiller.state["alarm"] == chiller.state["alarm_reset"] == 0.0
    assert chiller.state["state"] in {0.0, 5.0}


def test_the_gateway_refuses_what_is_out_of_range_and_the_other_machine_clips(world: World) -> None:
    with pytest.raises(RefusedError, match="5 to 15"):
        world.devices["ch1-unit"].write("chw_setpoint", 20.0)
    assert world.devices["ch1-unit"].state["chw_setpoint"] == 7.0
    assert world.devices["ch4-unit"].write("chw_setpoint", 20.0) == 15.0
    with pytest.raises(NotWritableError):
        world.devices["ch1-unit"].write("power", 1.0)


def test_a_pump_follows_its_speed_command(world: World) -> None:
    pump = world.devices["chwp1-drive"]
    pump.write("run_cmd", 1.0)
    assert pump.write("speed_cmd", 120.0) == 100.0
    run(world, 60)
    assert (pump.state["speed"], pump.state["frequency"]) == (100.0, 60.0)
    power = pump.state["power"]
    pump.write("speed_cmd", 60.0)
    world.step(2.0)
    assert 60.0 < pump.state["speed"] < 100.0
    run(world, 60)
    assert pump.state["speed"] == pytest.approx(60.0)
    assert pump.state["at_setpoint"] == 1.0
    assert pump.state["power"] < power
    pump.write("run_cmd", 0.0)
    run(world, 60)
    assert (pump.state["run"], pump.state["speed"], pump.state["current"]) == (0.0, 0.0, 0.0)


def test_silence_sends_one_drive_to_its_safe_speed_and_the_other_holds(world: World) -> None:
    safe, hold = world.devices["chwp1-drive"], world.devices["cwp1-drive"]
    for drive in (safe, hold):
        drive.write("run_cmd", 1.0)
        drive.write("speed_cmd", 90.0)
    for _ in range(30):
        safe.heard()
        hold.heard()
        world.step(2.0)
    assert (safe.state["speed"], hold.state["speed"]) == (90.0, 90.0)
    run(world, 90, 2.0)
    assert (safe.state["speed"], hold.state["speed"]) == pytest.approx((60.0, 90.0))
    safe.heard()
    run(world, 20, 2.0)
    assert safe.state["speed"] == pytest.approx(90.0)


def test_the_header_keeps_its_differential_pressure(world: World) -> None:
    header = world.devices["header-io"]
    assert header.state["differential_pressure"] == pytest.approx(100.0, rel=0.1)
    speed = world.plant.drives.local_speed[0]
    header.write("differential_pressure_setpoint", 60.0)
    run(world, 600)
    assert header.state["differential_pressure"] == pytest.approx(60.0, rel=0.1)
    assert world.plant.drives.local_speed[0] < speed
    header.write("bypass_valve_cmd", 40.0)
    run(world, 60)
    assert header.state["bypass_valve"] == pytest.approx(40.0)


def test_the_supply_air_follows_its_set_point_and_goes_back_without_a_controller(world: World) -> None:
    handler = world.devices["ahu-05f-w"]
    handler.write("controller_alive", 1.0)
    assert handler.write("supply_air_temp_sp", 18.0) == 18.0
    assert handler.state["supply_air_temp_sp"] == 18.0
    run(world, 1800, 5.0, handler)
    assert handler.state["supply_air_temp"] == pytest.approx(18.0, abs=0.6)
    handler.write("controller_alive", 2.0)
    run(world, 115)
    assert handler.state["supply_air_temp_sp"] == 18.0
    run(world, 30)
    assert handler.state["supply_air_temp_sp"] == pytest.approx(15.0, abs=0.5)
    run(world, 1200)
    assert handler.state["supply_air_temp"] == pytest.approx(15.0, abs=0.8)


def test_the_room_follows_its_set_point(world: World) -> None:
    handler = world.devices["ahu-05f-w"]
    before = handler.state["zone_temp"]
    handler.write("zone_temp_sp", 24.0)
    run(world, 3600, 20.0, handler)
    assert handler.state["zone_temp"] < before - 1.0


def test_actuators_can_be_taken_and_are_given_back_in_auto(world: World) -> None:
    handler = world.devices["ahu-05f-w"]
    handler.write("chw_valve_cmd", 0.0)
    handler.write("fan_speed_cmd", 10.0)
    handler.write("outdoor_damper_cmd", 70.0)
    assert handler.state["fan_speed_cmd"] == 25.0  # the machine's least speed
    run(world, 600, 5.0, handler)
    assert handler.state["chw_valve_position"] == 0.0
    assert handler.state["supply_air_temp"] > 20.0
    assert handler.state["outdoor_damper_position"] == pytest.approx(70.0)
    assert world.handlers.power_kw[4] < 1.0
    handler.write("mode", 1.0)
    run(world, 1200, 5.0, handler)
    assert handler.state["supply_air_temp"] < 17.0
    handler.write("fan_cmd", 0.0)
    run(world, 60, 5.0, handler)
    assert (handler.state["fan_run"], handler.state["supply_static_pressure"]) == (0.0, 0.0)


def test_fire_mode_refuses_every_write(world: World) -> None:
    handler = world.devices["ahu-05f-w"]
    world.handlers.fire(4, active=True)
    run(world, 120)
    assert (handler.state["mode"], handler.state["smoke_damper_closed"], handler.state["fan_run"]) == (3.0, 1.0, 0.0)
    assert handler.state["outdoor_damper_position"] == 0.0
    with pytest.raises(RefusedError, match="fire mode"):
        handler.write("fan_cmd", 1.0)
    world.handlers.fire(4, active=False)
    run(world, 120)
    assert handler.state["fan_run"] == 1.0
    with pytest.raises(RefusedError, match="0 to 2"):
        handler.write("mode", 3.0)


def test_the_watchdog_counter_of_the_air_handler_counts_seconds(world: World) -> None:
    handler = world.devices["ahu-05f-w"]
    before = handler.state["watchdog"]
    run(world, 10, 1.0)
    assert handler.state["watchdog"] == before + 10


def test_a_faulty_pump_stops_another_takes_over_and_a_reset_brings_it_back(world: World) -> None:
    pump = world.devices["chwp1-drive"]
    running = int((world.plant.drives.speed[:8] > 0.0).sum())
    world.plant.drives.fault[0] = 1.0
    run(world, 90)
    assert (pump.state["fault"], pump.state["run"]) == (1.0, 0.0)
    assert int((world.plant.drives.speed[:8] > 0.0).sum()) >= running
    assert world.devices["header-io"].state["differential_pressure"] == pytest.approx(100.0, rel=0.1)
    pump.write("fault_reset", 1.0)
    run(world, 90)
    assert (pump.state["fault"], pump.state["run"]) == (0.0, 1.0)
