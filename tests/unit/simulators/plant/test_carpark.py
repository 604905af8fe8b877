"""The car park adds up: cars, bays, gates, air, energy; its fans and chargers do what they are told, or know better."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.fault import Board
from simulators.plant.calendar import Calendar
from simulators.plant.carpark import CarPark
from simulators.plant.charging import ALFEN, ALPITRONIC, DELTA, KEBA, ChargerBank
from simulators.plant.device import NotWritableError, RefusedError
from simulators.plant.garage import VOLUME_M3, ZONES, Garage
from simulators.plant.memento import collect, restore
from simulators.plant.parking import CHARGERS, LEVELS, CarBank, Vehicle
from simulators.site import SimulatedDevice, SimulatedEquipment, SimulatedSite, SimulatedVehicle, SiteError
from simulators.world import World

TUESDAY_NS = 1_783_958_400_000_000_000
"""2026-07-13 16:00 UTC: midnight before a Tuesday in Taipei."""
HOUR_NS = 3_600_000_000_000
FLEET = tuple(SimulatedVehicle(n, f"XEV-{n:04}", 60.0, 11.0, 8.5, 0xF1EE7000 + n) for n in range(1, 13))
WORKS = np.zeros(CHARGERS, np.bool_)


def drive(cars: CarBank, hours: float, step_s: float, start_ns: int = TUESDAY_NS) -> None:
    calendar = Calendar("Asia/Taipei")
    for k in range(1, round(hours * 3600.0 / step_s) + 1):
        before = cars.inside
        settled = cars._settled
        passed = cars.step(step_s, calendar.at(start_ns + round(k * step_s * 1e9)), WORKS)
        came = sum(one.gate < 2 for one in passed)
        if settled:
            assert cars.inside == before + came - (len(passed) - came)


@pytest.mark.parametrize(("seed", "step_s"), [(1, 150.0), (2, 100.0), (3, 20.0)])
def test_no_car_is_lost_and_no_bay_holds_two(seed: int, step_s: float) -> None:
    cars = CarBank(seed, FLEET)
    drive(cars, 18.5 if step_s > 50 else 9.0, step_s)
    parked = cars.car[cars.occupied]
    moving = cars._way_car[cars._way_kind > 0]
    everybody = np.concatenate([parked, moving])
    assert len(everybody) == len(set(everybody.tolist())) == cars.inside
    assert not (cars.occupied & cars._held).any()
    began = len(FLEET) + 60
    assert cars.passages[:2].sum() - cars.passages[2:].sum() == cars.inside - began
    # Those who live here are either here or expected back.
    away = np.isfinite(cars._home_s[1:]).sum()
    assert away + (everybody <= began).sum() == began


def test_a_working_noon_is_four_fifths_full_and_a_sunday_is_not() -> None:
    weekday, sunday = CarBank(1, FLEET), CarBank(1, FLEET)
    drive(weekday, 12.0, 100.0)
    drive(sunday, 12.0, 100.0, TUESDAY_NS + 5 * 24 * HOUR_NS)
    assert 320 <= np.count_nonzero(weekday.car) <= 470
    assert np.count_nonzero(sunday.car) < 0.6 * np.count_nonzero(weekday.car)


def test_official_cars_stand_at_the_chargers_at_night_and_nobody_else_at_the_first_eight() -> None:
    cars = CarBank(4, FLEET)
    drive(cars, 0.5, 100.0)
    assert set(range(1, len(FLEET) + 1)) <= set(cars.car[:CHARGERS].tolist())
    drive(cars, 11.0, 100.0, TUESDAY_NS + HOUR_NS // 2)
    first = cars.car[:8]
    assert ((first == 0) | (first <= len(FLEET))).all()
    assert all(cars.electric(int(car)) for car in cars.car[:CHARGERS] if car)


def test_a_full_car_park_turns_cars_away_and_stays_whole() -> None:
    cars = CarBank(1, ())
    drive(cars, 0.1, 60.0)
    cars.car[:] = np.where(cars.car == 0, 100_000 + np.arange(len(cars.car)), cars.car)
    cars._leave_s[:] = np.inf
    before = cars.inside
    drive(cars, 2.0, 60.0, TUESDAY_NS + 8 * HOUR_NS)
    assert cars.turned_away > 50
    assert cars.inside <= before
    assert cars.occupied.all()


def test_no_plate_can_be_somebody_s() -> None:
    cars = CarBank(1, FLEET)
    assert cars.vehicle(3) == Vehicle(3, "XEV-0003", 60.0, 11.0)
    for car in range(1000, 1050):
        made = cars.vehicle(car)
        # The letters I and O were never issued in Taiwan.
        assert made.plate.startswith("IO")
        assert made == cars.vehicle(car)
        assert made.number == 0


# --- air --------------------------------------------------------------------------------------------------------------


def still(cars: CarBank, seconds_in: float = 0.0) -> CarBank:
    cars.driven_in_s[:] = seconds_in
    return cars


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.5, 150.0),
    st.lists(st.tuples(st.floats(0.0, 4000.0), st.floats(0.0, 300.0), st.floats(0.0, 1.0)), min_size=1, max_size=30),
)
def test_what_cars_give_is_there_or_went_out(dt_s: float, steps: list[tuple[float, float, float]]) -> None:
    garage, cars = Garage(1), CarBank(1, ())
    for column in range(ZONES):
        garage.fans.take(column, "run_cmd", 1.0)
    for warm_s, cold_s, speed in steps:
        garage.fans.take(0, "speed_cmd", 100.0 * speed)
        cars.driven_in_s[:], cars.driven_out_s[:] = warm_s, cold_s
        before = garage.ppm.sum(axis=1) * VOLUME_M3
        garage.step(dt_s, cars, garage.ppm.copy())
        change = garage.ppm.sum(axis=1) * VOLUME_M3 - before
        np.testing.assert_allclose(
            change, garage.given.sum(axis=1) - garage.taken.sum(axis=1), atol=1e-6 * VOLUME_M3, rtol=1e-9
        )
        assert (garage.ppm > 0.0).all()


def gassed(ppm: float) -> Garage:
    garage = Garage(1)
    garage.ppm[0] = ppm
    return garage


def run(garage: Garage, seconds: int, seen: float | None = None) -> None:
    cars = still(CarBank(1, ()))
    for _ in range(seconds // 5):
        told = garage.ppm.copy()
        if seen is not None:
            told[0, 0] = seen
        garage.step(5.0, cars, told)


def test_carbon_monoxide_falls_when_the_fans_run_and_hardly_when_they_do_not() -> None:
    fanned, stopped = gassed(20.0), gassed(20.0)
    for column in range(ZONES):
        stopped.fans.take(column, "run_cmd", 0.0)
    run(fanned, 600)
    run(stopped, 600)
    assert fanned.fans.speed.max() > 0.3
    assert stopped.fans.speed.max() == 0.0
    assert fanned.ppm[0].max() < 13.0
    assert stopped.ppm[0].min() > 18.0


def test_a_faster_fan_clears_faster() -> None:
    left = []
    for speed in (30.0, 60.0, 100.0):
        garage = gassed(20.0)
        for column in range(ZONES):
            garage.fans.take(column, "run_cmd", 1.0)
            garage.fans.take(column, "speed_cmd", speed)
        run(garage, 600)
        left.append(garage.ppm[0].mean())
        garage.show()
        assert garage.fan_table[garage.fan_rows["airflow"]].all()
    assert left[0] > left[1] > left[2]


def test_the_automatic_starts_at_its_threshold_and_stops_below_it_with_hysteresis() -> None:
    garage = Garage(1)
    run(garage, 60, seen=8.0)
    assert garage.fans.speed[0] == 0.0
    run(garage, 60, seen=10.0)
    assert garage.fans.speed[0] >= 0.3
    run(garage, 60, seen=7.0)  # below where it starts, above where it stops
    assert garage.fans.speed[0] >= 0.3
    run(garage, 60, seen=5.0)
    assert garage.fans.speed[0] == 0.0


@pytest.mark.parametrize("seen", [31.0, math.nan])
def test_high_gas_or_a_broken_head_has_the_fan_at_full_speed_whatever_was_commanded(seen: float) -> None:
    garage = Garage(1)
    garage.fans.take(0, "run_cmd", 0.0)
    run(garage, 60, seen=20.0)
    assert garage.fans.speed[0] == 0.0
    run(garage, 60, seen=seen)
    assert garage.fans.speed[0] == 1.0
    assert garage.fans.speed[1] == 0.0
    assert garage.fans.run_cmd[0] == 0.0
    run(garage, 60, seen=10.0)
    assert garage.fans.speed[0] == 0.0


def test_the_mean_is_that_of_a_quarter_of_an_hour() -> None:
    garage, cars = Garage(1), still(CarBank(1, ()))
    garage.show()
    start = garage.gas_table[4, 0]
    for _ in range(5):
        garage.ppm[0] = 45.0
        garage.step(60.0, cars, np.zeros((2, ZONES)))
    garage.show()
    assert garage.gas_table[4].max() == pytest.approx((5 * 45.0 + 10 * start) / 15.0, rel=0.05)


# --- chargers ---------------------------------------------------------------------------------------------------------

KINDS = np.array((ALFEN,) * 8 + (DELTA,) * 6 + (KEBA,) * 2 + (ALPITRONIC,) * 2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 150.0))
def test_session_meter_and_battery_count_the_same_energy_whatever_is_written(seed: int, dt_s: float) -> None:
    draw = np.random.default_rng(seed)
    bank = ChargerBank(KINDS, np.full(CHARGERS, 100.0))
    asked = np.full(CHARGERS, 1.0)
    for _ in range(60):
        column = int(draw.integers(0, CHARGERS))
        if bank.connected[column] and draw.random() < 0.2:
            bank.unplug(column)
        elif not bank.connected[column]:
            bank.plug(column, Vehicle(0, "x", 50.0, 11.0), float(draw.uniform(0.1, 1.0)), 0.0)
        for tag, value in (("current_limit", draw.uniform(0, 40)), ("power_limit", draw.uniform(0, 60))):
            try:
                bank.take(column, tag, float(value))
            except (NotWritableError, RefusedError):
                continue
        total, session, held = bank.total_kwh.copy(), bank.session_kwh.copy(), bank.held_kwh.copy()
        bank.step(dt_s, asked)
        grown = bank.total_kwh - total
        np.testing.assert_allclose(bank.session_kwh - session, grown, atol=1e-12)
        np.testing.assert_allclose(bank.held_kwh - held, grown, atol=1e-9)
        np.testing.assert_allclose(bank.power_kw * dt_s / 3600.0, grown, atol=1e-9)
        assert (bank.held_kwh <= bank.battery_kwh + 1e-9).all()
        assert (grown >= 0.0).all()
        assert (bank.power_kw[~bank.connected] == 0.0).all()


def test_power_keeps_to_the_limit_and_ramps_to_it() -> None:
    bank = ChargerBank(KINDS, np.zeros(CHARGERS))
    bank.plug(0, Vehicle(0, "x", 60.0, 22.0), 0.3, 0.0)
    asked = np.zeros(CHARGERS)
    bank.step(1.0, asked)
    assert 0.0 < bank.power_kw[0] <= 3.0
    for _ in range(20):
        bank.step(1.0, asked)
    assert bank.power_kw[0] == pytest.approx(32 * math.sqrt(3) * 0.38, rel=1e-3)
    bank.take(0, "current_limit", 6.0)
    for _ in range(20):
        bank.step(1.0, asked)
    assert bank.power_kw[0] == pytest.approx(6 * math.sqrt(3) * 0.38, rel=1e-3)


# --- the whole part ---------------------------------------------------------------------------------------------------


def row(identifier: str, equipment: str, profile: str) -> SimulatedDevice:
    return SimulatedDevice(identifier, equipment, profile, "tcp://127.0.0.1:502")


@pytest.fixture(scope="module")
def world(city_hall: SimulatedSite) -> World:
    rows = tuple(device for device in city_hall.devices if device.profile in CarPark.models)
    return World(replace(city_hall, devices=rows, vehicles=FLEET), 1, TUESDAY_NS + 10 * HOUR_NS)


def park(world: World) -> CarPark:
    part = world.parts["CarPark"]
    assert isinstance(part, CarPark)
    return part


def test_signs_bays_and_gates_agree(world: World) -> None:
    world.step(1.0)
    cars = park(world).cars
    shown = [world.devices[f"sign-b{level}"].state["free_shown"] for level in range(1, LEVELS + 1)]
    rows = [device for name, device in world.devices.items() if "-row" in name]
    taken = [sum(device.state[f"bay_{n:02}"] for n in range(1, 21)) for device in rows]
    assert len(rows) == 25
    assert sum(shown) + sum(taken) == 500
    assert sum(taken) == np.count_nonzero(cars.car)
    assert sum(taken[:8]) + shown[0] == 160


def test_a_car_that_passes_is_an_event_with_its_plate(world: World) -> None:
    gates = [world.devices[f"gate{n}"] for n in range(1, 5)]
    for gate in gates:
        gate.occurrences.clear()
    before = [gate.state["passages"] for gate in gates]
    for _ in range(240):
        world.step(5.0)
    for gate, passages in zip(gates, before, strict=True):
        assert len(gate.occurrences) == gate.state["passages"] - passages
    told = [one for gate in gates for one in gate.occurrences]
    assert told
    assert {one.data["dir"] for one in told} == {"in", "out"}
    assert all(str(one.data["plate"]).startswith(("IO", "XEV")) for one in told)
    assert all((one.data["vehicle"] != 0) == str(one.data["plate"]).startswith("XEV") for one in told)


def test_a_fault_that_shows_gas_has_the_fan_of_that_zone_run(world: World) -> None:
    board = Board(world.devices)
    fan = world.devices["fan05-drive"]
    board.apply("set", "gas05-unit", ["co", "160"])
    for _ in range(60):
        world.step(1.0)
    assert fan.state["speed"] == 100.0
    board.apply("clear", "gas05-unit")
    board.apply("set", "gas06-unit", ["no2_fault", "1"])
    for _ in range(60):
        world.step(1.0)
    assert fan.state["speed"] < 100.0
    assert world.devices["fan06-drive"].state["speed"] == 100.0
    board.apply("clear", "gas06-unit")


def test_a_charger_with_a_fault_gives_nothing(world: World) -> None:
    part, board = park(world), Board(world.devices)
    column = int(np.flatnonzero(part.chargers.connected)[0])
    name = f"ev{column + 1:02}-charger"
    board.apply("set", name, ["state", "5"])
    before = part.chargers.total_kwh[column]
    for _ in range(30):
        world.step(1.0)
    assert part.chargers.power_kw[column] == 0.0
    assert part.chargers.total_kwh[column] == before
    board.apply("clear", name)


def test_what_it_draws_is_what_its_feeders_carry(world: World) -> None:
    part = park(world)
    drawn = part.loads_kw()["park"]
    assert drawn == pytest.approx(part.garage.fans.power_kw.sum() + 1.04 * part.chargers.power_kw.sum())
    quiet = world.network.power[world.network.FEEDER + 7 : world.network.METER : 8].sum()
    assert quiet > drawn


def test_its_state_can_be_put_back(city_hall: SimulatedSite) -> None:
    rows = tuple(device for device in city_hall.devices if device.profile in CarPark.models)
    site = replace(city_hall, devices=rows, vehicles=FLEET)
    one, two = World(site, 1, TUESDAY_NS + 9 * HOUR_NS), World(site, 2, TUESDAY_NS + 9 * HOUR_NS, warm=False)
    restore(park(two), collect(park(one)))
    np.testing.assert_array_equal(park(one).cars.car, park(two).cars.car)
    calendar = Calendar("Asia/Taipei")
    for cars in (park(one).cars, park(two).cars):
        cars.step(30.0, calendar.at(TUESDAY_NS + 9 * HOUR_NS + 30 * 10**9), WORKS)
    np.testing.assert_array_equal(park(one).cars.passages, park(two).cars.passages)
    np.testing.assert_array_equal(park(one).chargers.total_kwh, park(two).chargers.total_kwh)


@pytest.mark.parametrize(
    ("equipment", "profile"),
    [
        ("cityhall.carpark.fan13", "abb-ach580-fan"),
        ("cityhall.parking.b1_row09", "site-standard-parking-row"),
        ("cityhall.parking.b4_row01", "site-standard-parking-row"),
        ("cityhall.parking.gate5", "site-standard-gate"),
        ("cityhall.ev.charger01", "keba-p30"),
        ("cityhall.carpark.pump1", "msr-polygard2-dgc06"),
    ],
)
def test_what_the_car_park_has_not_got_is_refused(equipment: str, profile: str) -> None:
    site = SimulatedSite("one", equipment={equipment: SimulatedEquipment(equipment)})
    with pytest.raises(SiteError):
        CarPark(1, site, [row("d", equipment, profile)])
