from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from simulators.plant.catalogue import PARTS
from simulators.plant.device import NotWritableError
from simulators.site import SimulatedDevice, SimulatedEquipment, SimulatedSite, SiteError
from simulators.world import World


@pytest.fixture(scope="module")
def world(city_hall: SimulatedSite, start_ns: int) -> World:
    return World(city_hall, 1, start_ns)


def one(equipment: str, profile: str, **parameters: float | str) -> SimulatedSite:
    row = SimulatedDevice("d", equipment, profile, "tcp://127.0.0.1:502")
    return SimulatedSite(
        "one", equipment={equipment: SimulatedEquipment(equipment, parameters=parameters)}, devices=(row,)
    )


def test_a_summer_morning_looks_like_a_building_in_operation(world: World) -> None:
    state = {name: device.state for name, device in world.devices.items()}
    assert 3000.0 < state["main-meter"]["power"] < 6000.0
    assert 22_000.0 < state["main-meter"]["voltage_l12"] < 23_600.0
    assert 0.9 < state["main-meter"]["power_factor"] <= 1.0
    assert 59.8 < state["main-meter"]["frequency"] < 60.2
    assert 360.0 < state["lv3-meter"]["voltage_l31"] < 400.0
    assert 6.0 < state["header-io"]["chw_supply_temp"] < 8.5
    assert state["header-io"]["chw_return_temp"] > state["header-io"]["chw_supply_temp"] + 3.0
    assert 24.0 < state["ahu-05f-w"]["zone_temp"] < 28.5
    assert state["ahu-05f-w"]["supply_air_temp"] < 18.0
    assert state["ahu-05f-w"]["fan_run"] == 1.0
    assert state["env001-sensor"]["co2"] > 500.0
    assert state["ch1-unit"]["state"] == 2.0
    assert 4.0 < state["ch1-unit"]["load"] * 17.583 / state["ch1-unit"]["power"] < 9.0
    assert 40.0 < state["tx1-temp"]["winding_temp_a"] < 100.0
    assert state["tx1-cubicle"]["breaker_closed"] == 1.0


def test_every_quantity_of_every_device_is_finite(world: World) -> None:
    for device in world.devices.values():
        for quantity, value in device.state.items():
            assert math.isfinite(value), (device.id, quantity, value)
        assert device.state.snapshot() == dict(device.state)


def test_a_meter_is_consistent_with_itself(world: World) -> None:
    for name, device in world.devices.items():
        if not name.endswith("-meter"):
            continue
        s = device.state
        assert s["power"] == pytest.approx(s["power_l1"] + s["power_l2"] + s["power_l3"], rel=1e-9)
        assert s["apparent_power"] == pytest.approx(math.hypot(s["power"], s["reactive_power"]), rel=1e-9)
        volt_amps = sum(s[f"voltage_l{n}n"] * s[f"current_l{n}"] for n in (1, 2, 3)) / 1000.0
        assert volt_amps == pytest.approx(s["apparent_power"], rel=1e-9)
        assert s["voltage_l12"] == pytest.approx(math.sqrt(3.0) * s["voltage_l1n"], rel=0.01)


def test_sub_meters_and_the_unmetered_rest_make_the_feeder(world: World) -> None:
    network = world.network
    feeders = network.power[network.FEEDER : network.METER]
    below = np.bincount(network.topology.feeder_of_meter, network.power[network.METER : network.lone], 40)
    assert (below < feeders).all()
    np.testing.assert_allclose(below, 0.94 * feeders, rtol=1e-9)


def test_feeders_hang_where_the_files_say(city_hall: SimulatedSite, world: World) -> None:
    board = world.network.topology.board_of_feeder
    for n in range(1, 41):
        wanted = city_hall.equipment[f"cityhall.electrical.feeder{n:02}"].parameters["fed_by"]
        assert f"cityhall.electrical.lv{board[n - 1] + 1}" == wanted


@pytest.mark.parametrize(
    ("equipment", "profile", "quantity"),
    [
        ("home.electrical.board", "eastron-sdm630", "power"),
        ("cityhall.electrical.main", "janitza-umg801", "power"),
        ("cityhall.electrical.tx5", "diel-mt200", "winding_temp_b"),
        ("cityhall.plant.ct4", "danfoss-fc102", "speed"),
        ("cityhall.hvac.ahu_12f_w", "site-standard-ahu", "zone_temp"),
        ("school.environment.room", "milesight-am319", "co2"),
    ],
)
def test_any_single_device_makes_a_world(equipment: str, profile: str, quantity: str, start_ns: int) -> None:
    world = World(one(equipment, profile, rated_kw=12.0), 4, start_ns)
    before = world.devices["d"].state[quantity]
    world.step(1.0)
    assert world.devices["d"].state[quantity] > 0.0
    assert world.devices["d"].state[quantity] == pytest.approx(before, rel=0.5)


def test_a_lone_meter_stays_within_its_rating(start_ns: int) -> None:
    world = World(one("home.electrical.board", "eastron-sdm630", rated_kw=10.0), 1, start_ns)
    assert 1.0 < world.devices["d"].state["power"] < 12.0


@pytest.mark.parametrize(
    ("equipment", "profile", "wanted"),
    [
        ("c.x.m", "acme-9000", "acme-9000"),
        ("cityhall.plant.ch9", "site-standard-chiller", "ch1 to ch4"),
        ("cityhall.plant.pump1", "abb-ach580", "chwp1"),
    ],
)
def test_what_cannot_be_simulated_is_said(equipment: str, profile: str, wanted: str, start_ns: int) -> None:
    with pytest.raises(SiteError, match=wanted):
        World(one(equipment, profile), 1, start_ns, warm=False)


def test_a_device_measures_the_same_whatever_else_the_site_has(city_hall: SimulatedSite, start_ns: int) -> None:
    # The parts of the building come with their devices and draw power: they are in both.
    parts = {profile for kind in PARTS for profile in kind.models}
    part = replace(
        city_hall,
        devices=tuple(
            row for row in city_hall.devices if row.id in {"em007-meter", "env042-sensor"} or row.profile in parts
        ),
    )
    worlds = [World(site, 1, start_ns) for site in (city_hall, part)]
    assert worlds[0].network.power[0] == worlds[1].network.power[0]
    energy = [world.devices["em007-meter"].state["energy_import"] for world in worlds]
    assert energy[0] == energy[1]


def test_start_may_be_a_datetime_with_zone_only(small_site: SimulatedSite, start_ns: int) -> None:
    start = datetime.fromtimestamp(start_ns / 1e9, UTC)
    assert World(small_site, 1, start, warm=False).time_ns == start_ns
    with pytest.raises(ValueError, match="time zone"):
        World(small_site, 1, start.replace(tzinfo=None), warm=False)


def test_a_step_must_go_forward(world: World) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        world.step(0.0)


def test_meters_cannot_be_written(world: World) -> None:
    with pytest.raises(NotWritableError):
        world.devices["main-meter"].write("power", 1.0)


def test_demand_is_the_mean_of_the_last_quarter_hour_at_its_end(small_site: SimulatedSite, start_ns: int) -> None:
    world = World(small_site, 2, start_ns)
    state = world.devices["main-meter"].state
    before = state["energy_import"]
    for _ in range(60):
        world.step(15.0)
    assert world.time_ns % (900 * 10**9) == 0
    assert state["demand"] == pytest.approx((state["energy_import"] - before) * 4.0, rel=1e-9)


def test_one_long_step_and_many_short_ones_agree(small_site: SimulatedSite, start_ns: int) -> None:
    long, short = World(small_site, 3, start_ns), World(small_site, 3, start_ns)
    for _ in range(10):
        long.step(60.0)
    for _ in range(600):
        short.step(1.0)
    assert short.time_ns == long.time_ns
    assert short.zones.air == pytest.approx(long.zones.air, abs=0.15)
    assert short.plant.load_kw == pytest.approx(long.plant.load_kw, rel=0.05)
    energy = [w.devices["main-meter"].state["energy_import"] for w in (short, long)]
    assert energy[0] == pytest.approx(energy[1], abs=15.0)
