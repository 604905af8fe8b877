"""The models against published check values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulators.plant.air import dew_point, enthalpy, humidity_ratio, saturated_ratio, saturation_temperature, wet_bulb
from simulators.plant.chiller import CARRIER_19XR, TRANE_CVHE, YORK_YS, YORK_YT, ChillerCurve
from simulators.plant.coil import cool
from simulators.plant.cooling import saturation_kpa
from simulators.plant.tower import approach, evaporation_kg_s
from simulators.plant.transformer import ageing, hot_spot_rise, rated_losses


@pytest.mark.parametrize(
    ("celsius", "percent", "ratio", "heat", "wet"),
    [
        (35, 55, 0.0196, 85.4, 27.2),
        (26, 60, 0.0126, 58.3, 20.3),
        (25, 50, 0.0099, 50.3, 17.9),
        (13, 95, 0.0088, 35.4, 12.5),
    ],
)
def test_moist_air(celsius: float, percent: float, ratio: float, heat: float, wet: float) -> None:
    got = float(humidity_ratio(np.float64(celsius), np.float64(percent)))  # type: ignore[arg-type]
    assert got == pytest.approx(ratio, abs=6e-5)
    assert float(enthalpy(np.float64(celsius), np.float64(got))) == pytest.approx(heat, abs=0.06)  # type: ignore[arg-type]
    assert wet_bulb(celsius, got) == pytest.approx(wet, abs=0.06)


def test_saturated_air_has_its_own_temperature_as_wet_bulb_and_dew_point() -> None:
    grid = np.array([0.0, 7.0, 15.0, 30.0])
    ratio = saturated_ratio(grid)
    np.testing.assert_allclose(saturation_temperature(enthalpy(grid, ratio)), grid, atol=0.01)
    assert wet_bulb(15.0, float(ratio[2])) == pytest.approx(15.0, abs=0.01)
    assert dew_point(15.0, 100.0) == pytest.approx(15.0)


@pytest.mark.parametrize(
    ("curve", "capacity", "electric", "cop", "half_electric", "half_cop"),
    [
        (YORK_YT, 1591, 266.6, 5.97, 137.3, 6.28),
        (TRANE_CVHE, 1166, 205.9, 5.66, 87.4, 7.78),
        (CARRIER_19XR, 1306, 233.6, 5.59, 117.3, 6.17),
        (YORK_YS, 770, 154.5, 4.99, 70.6, 5.65),
    ],
)
def test_chiller_curves(
    curve: ChillerCurve, capacity: float, electric: float, cop: float, half_electric: float, half_cop: float
) -> None:
    full = curve.available_kw(7.0, 32.0)
    assert full == pytest.approx(capacity, abs=0.6)
    assert curve.power_kw(full, 7.0, 32.0) == pytest.approx(electric, abs=0.06)
    assert full / curve.power_kw(full, 7.0, 32.0) == pytest.approx(cop, abs=0.006)
    half = 0.5 * curve.available_kw(7.0, 28.0)
    assert curve.power_kw(half, 7.0, 28.0) == pytest.approx(half_electric, abs=0.06)
    assert half / curve.power_kw(half, 7.0, 28.0) == pytest.approx(half_cop, abs=0.006)


def test_a_demand_limit_is_the_inverse_of_the_power_curve() -> None:
    for load in (600.0, 1000.0, 1500.0):
        power = YORK_YT.power_kw(load, 7.0, 30.0)
        assert YORK_YT.load_at_power(power, 7.0, 30.0) == pytest.approx(load, rel=1e-9)


@pytest.mark.parametrize(
    ("range_k", "wet", "air", "wanted"),
    [
        (5.56, 25.56, 1, 3.84),
        (5, 28, 1, 3.12),
        (5, 28, 0.7, 4.83),
        (5, 28, 0.5, 7.17),
        (5, 20, 1, 4.64),
        (3, 28, 1, 2.16),
    ],
)
def test_tower_approach(range_k: float, wet: float, air: float, wanted: float) -> None:
    assert approach(range_k, wet, 1.0, air) == pytest.approx(wanted, abs=0.006)


def test_tower_evaporates_about_one_and_a_half_permille_a_kelvin() -> None:
    flow, range_k = 100.0, 5.0
    assert evaporation_kg_s(flow * 4.186 * range_k) == pytest.approx(0.00153 * range_k * flow, rel=0.06)


@pytest.mark.parametrize(
    ("ambient", "load", "hot_spot", "age"), [(20, 0.8, 107.0, 0.008), (20, 1.0, 145.0, 1.0), (30, 0.9, 136.0, 0.32)]
)
def test_transformer_hot_spot_and_ageing(ambient: float, load: float, hot_spot: float, age: float) -> None:
    got = ambient + float(hot_spot_rise(load))
    assert got == pytest.approx(hot_spot, abs=0.7)
    assert ageing(got) == pytest.approx(age, rel=0.1)


def test_fans_lower_the_hot_spot() -> None:
    assert float(hot_spot_rise(1.0, forced=True)) < 0.7 * float(hot_spot_rise(1.0))


def test_transformer_losses_of_listed_sizes() -> None:
    assert rated_losses(1000.0) == pytest.approx((1395.0, 9000.0))
    assert rated_losses(2000.0) == pytest.approx((2340.0, 16_000.0))
    # Best efficiency near 0.39 of rating.
    no_load, load = rated_losses(2000.0)
    assert math.sqrt(no_load / load) == pytest.approx(0.39, abs=0.01)


def test_refrigerant_pressure_at_two_known_points() -> None:
    assert saturation_kpa(5.0) == pytest.approx(349.9, rel=1e-3)
    assert saturation_kpa(40.0) == pytest.approx(1017.0, rel=2e-3)
    assert saturation_kpa(25.0) == pytest.approx(665.4, rel=0.01)


def test_coil_conserves_enthalpy_and_never_heats() -> None:
    celsius, ratio = np.array([26.0, 30.0, 20.0, 25.0]), np.array([0.0126, 0.02, 0.004, 0.011])
    air, water = np.array([5.0, 5.0, 5.0, 5.0]), np.array([4.0, 8.0, 3.0, 0.0])
    out = cool(celsius, ratio, air, water, 7.0, 1.2 * air)
    condensate = air * (ratio - out.ratio)
    taken = air * (enthalpy(celsius, ratio) - enthalpy(out.celsius, out.ratio)) - condensate * 4.186 * out.celsius
    np.testing.assert_allclose(out.heat_kw, taken, atol=1e-9)
    assert (out.celsius <= celsius).all()
    assert (out.celsius >= 7.0).all()
    assert (out.ratio <= ratio).all()
    assert condensate[0] > 0.0
    assert condensate[2] == 0.0  # dew point below the water: dry coil
    assert (out.heat_kw[3], out.celsius[3]) == (0.0, 25.0)  # no water, no cooling
