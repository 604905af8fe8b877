"""Moist air at sea level: humidity ratio, enthalpy, dew point, wet bulb. Arrays or numbers, element by element.

Magnus form of saturation pressure (Alduchov and Eskridge 1996); the rest from the ASHRAE Handbook Fundamentals,
chapter 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "PRESSURE_KPA",
    "dew_point",
    "enthalpy",
    "humidity_ratio",
    "relative_humidity",
    "saturated_ratio",
    "saturation_temperature",
    "wet_bulb",
]

PRESSURE_KPA = 101.3

_GRID_C = np.linspace(-10.0, 60.0, 1401)


def saturation_pressure(celsius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the saturation pressure over water, kPa."""
    return np.asarray(0.61094 * np.exp(17.625 * celsius / (celsius + 243.04)))


def saturated_ratio(celsius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the humidity ratio of saturated air, kg water per kg dry air."""
    pressure = saturation_pressure(celsius)
    return np.asarray(0.622 * pressure / (PRESSURE_KPA - pressure))


def humidity_ratio(celsius: NDArray[np.float64], percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the humidity ratio at a relative humidity in percent, kg/kg."""
    pressure = saturation_pressure(celsius) * percent / 100.0
    return np.asarray(0.622 * pressure / (PRESSURE_KPA - pressure))


def relative_humidity(celsius: NDArray[np.float64], ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the relative humidity in percent; above 100 means fog."""
    return np.asarray(100.0 * ratio * PRESSURE_KPA / ((0.622 + ratio) * saturation_pressure(celsius)))


def enthalpy(celsius: NDArray[np.float64], ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the enthalpy of moist air, kJ per kg dry air."""
    return np.asarray(1.006 * celsius + ratio * (2501.0 + 1.86 * celsius))


def dew_point(celsius: float, percent: float) -> float:
    """Return the dew point, °C."""
    x = math.log(percent / 100.0) + 17.625 * celsius / (celsius + 243.04)
    return 243.04 * x / (17.625 - x)


_GRID_H = enthalpy(_GRID_C, saturated_ratio(_GRID_C))


def saturation_temperature(kj_kg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the temperature at which saturated air has this enthalpy, °C (table of 0.05 K between -10 and 60 °C)."""
    return np.asarray(np.interp(kj_kg, _GRID_H, _GRID_C))


def wet_bulb(celsius: float, ratio: float) -> float:
    """Return the thermodynamic wet bulb, °C, by bisection on the psychrometric equation."""
    low, high = -20.0, celsius
    for _ in range(24):
        middle = (low + high) / 2.0
        pressure = 0.61094 * math.exp(17.625 * middle / (middle + 243.04))
        saturated = 0.622 * pressure / (PRESSURE_KPA - pressure)
        reached = ((2501.0 - 2.326 * middle) * saturated - 1.006 * (celsius - middle)) / (
            2501.0 + 1.86 * celsius - 4.186 * middle
        )
        if reached > ratio:
            high = middle
        else:
            low = middle
    return (low + high) / 2.0
