"""Dry-type distribution transformers: losses, voltage, winding temperatures, fans.

Losses: EU 548/2014 tier 2, dry type up to 24 kV. Hot spot: IEC 60076-12, class F (155 °C system); what a Pt100
reads also has the warmth of the core in it: IEC 60076-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.quantity import CUBICLE, RELAY
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TransformerBank", "ageing", "hot_spot_rise", "rated_losses", "winding_reading_rise"]

_SIZE_KVA = (1000.0, 1600.0, 2000.0)
_NO_LOAD_W = (1395.0, 1980.0, 2340.0)
_LOAD_W = (9000.0, 13_000.0, 16_000.0)
_RISE_K = 125.0
"""145 °C rated hot spot of class F less 20 °C yearly ambient."""
_AIR_NATURAL, _AIR_FORCED = 0.8, 1.0
_FORCED_RATING = 1.3
"""Fans raise what the windings bear by about 30 to 40 %."""
_TIME_S = 3600.0
_FAN_ON_C, _FAN_OFF_C, _ALARM_C, _TRIP_C = 95.0, 85.0, 140.0, 150.0
_LIFE_A, _LIFE_B, _LIFE_H = 9.60e-17, 20_475.0, 180_000.0
_REACTANCE, _RESISTANCE = 0.0595, 0.008
_SENSOR_SHARE = 0.9
"""A Pt100 in its pocket reads this much of the hot-spot rise."""
_EXCITATION_K, _CORE_K = 12.0, 24.0
"""Rise of the windings and of the core at rated voltage without load: the inner winding stands around the warm leg."""
_CORE_SHARE = 0.35
"""Part of the windings' rise that the core takes on."""


def rated_losses(kva: float) -> tuple[float, float]:
    """Return (no-load, load) losses in W; between the listed sizes interpolated, outside scaled with S^0.75."""
    low, high = _SIZE_KVA[0], _SIZE_KVA[-1]
    inside = min(max(kva, low), high)
    scale = (kva / inside) ** 0.75
    return (
        float(np.interp(inside, _SIZE_KVA, _NO_LOAD_W)) * scale,
        float(np.interp(inside, _SIZE_KVA, _LOAD_W)) * scale,
    )


def hot_spot_rise(
    load: NDArray[np.float64] | float, *, forced: NDArray[np.bool_] | bool = False
) -> NDArray[np.float64]:
    """Return the ultimate hot-spot rise over ambient, K, at a load in per unit of the natural-air rating."""
    natural = _RISE_K * np.power(load, 2.0 * _AIR_NATURAL)
    driven = _RISE_K * np.power(np.asarray(load) / _FORCED_RATING, 2.0 * _AIR_FORCED)
    return np.where(forced, np.minimum(driven, natural), natural)


def winding_reading_rise(rise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rise over ambient, K, that a Pt100 shows at a rise `rise` from load alone.

    Load and excitation together: rise [1 + (excitation / rise)^(1/0.8)]^0.8, the simulated load method of IEC 60076-11
    (temperature-rise test, natural air).
    """
    power = 1.0 / _AIR_NATURAL
    return np.asarray((np.maximum(rise, 0.0) ** power + _EXCITATION_K**power) ** _AIR_NATURAL)


def ageing(hot_spot_c: float) -> float:
    """Return the ageing relative to 145 °C: 180,000 h over the life at that temperature, class F."""
    return float(_LIFE_H / (_LIFE_A * np.exp(_LIFE_B / (hot_spot_c + 273.0))))


class TransformerBank:
    """Transformers as arrays (N,); `relay` and `cubicle` tables (Q, N) hold what their devices measure."""

    relay_rows = {tag: row for row, tag in enumerate(RELAY)}  # noqa: RUF012
    cubicle_rows = {tag: row for row, tag in enumerate(CUBICLE)}  # noqa: RUF012

    def __init__(self, seed: int, rated_kva: NDArray[np.float64]) -> None:
        """`rated_kva` (N,) is the natural-air rating of each."""
        n = len(rated_kva)
        draw = stream(seed, "transformer")
        self.rated_kva = rated_kva
        losses = np.array([rated_losses(kva) for kva in rated_kva]) / 1000.0
        self._no_load_kw, self._load_kw = losses[:, 0], losses[:, 1]
        self._sensor = draw.normal(0.0, 0.6, (4, n))
        self._noise = stream(seed, "transformer noise")
        self.tap = np.full(n, 3.0)
        self.rise = np.full((3, n), 25.0)
        """Hot-spot rise of each winding over ambient, K."""
        self.fan = np.zeros(n, np.bool_)
        self.ambient_c = 27.0
        self.losses_kw = self._no_load_kw.copy()
        self.voltage_pu = np.ones(n)
        """Secondary voltage over 380 V."""
        self.relay = np.zeros((len(RELAY), n))
        self.cubicle = np.zeros((len(CUBICLE), n))

    def step(
        self,
        dt_s: float,
        outdoor_c: float,
        supply_pu: float,
        power_kw: NDArray[np.float64],
        reactive_kvar: NDArray[np.float64],
        shares: NDArray[np.float64],
        thd_percent: NDArray[np.float64],
    ) -> None:
        """Advance by `dt_s` with the secondary's load; `shares` (3, N) is each phase's part of the power."""
        load = np.hypot(power_kw, reactive_kvar) / self.rated_kva
        # Eddy share of 10 % under a K-factor that grows with the square of the distortion.
        harmonic = 1.0 + 0.1 * 30.0 * (thd_percent / 100.0) ** 2
        warm = 1.0 + 0.0035 * (self.ambient_c + self.rise.mean(axis=0) - 120.0)
        self.losses_kw = self._no_load_kw * supply_pu**2 + self._load_kw * load**2 * harmonic * warm
        drop = (_RESISTANCE * power_kw + _REACTANCE * reactive_kvar) / self.rated_kva
        self.voltage_pu = supply_pu / (1.0 + 0.025 * (self.tap - 3.0)) * (1.0 - drop)
        room = 27.0 + 0.35 * (outdoor_c - 25.0) + 0.06 * float(self.losses_kw.sum())
        self.ambient_c += (room - self.ambient_c) * (1.0 - np.exp(-dt_s / 7200.0))
        each = load * 3.0 * shares
        ultimate = hot_spot_rise(each, forced=self.fan)
        # IEC 60076-12: tau = tau_R (u - i) / (u^(1/m) - i^(1/m)), u and i in parts of the rated rise.
        u, i = np.maximum(ultimate / _RISE_K, 1e-3), np.maximum(self.rise / _RISE_K, 1e-3)
        power = 1.0 / _AIR_NATURAL
        below = u**power - i**power
        tau = _TIME_S * np.where(np.abs(below) > 1e-6, (u - i) / np.where(np.abs(below) > 1e-6, below, 1.0), 1.0)
        self.rise = self.rise + (ultimate - self.rise) * (1.0 - np.exp(-dt_s / np.maximum(tau, 300.0)))
        hottest = self.ambient_c + winding_reading_rise(_SENSOR_SHARE * self.rise.max(axis=0))
        self.fan = np.where(self.fan, hottest > _FAN_OFF_C, hottest > _FAN_ON_C)

    def show(self) -> None:
        """Bring the tables of relays and cubicles up to date."""
        noise = 0.1 * self._noise.standard_normal((4, len(self.rated_kva)))
        shown = winding_reading_rise(_SENSOR_SHARE * self.rise)
        self.relay[0:3] = self.ambient_c + shown + self._sensor[:3] + noise[:3]
        core = _CORE_K + _CORE_SHARE * self.rise.mean(axis=0)
        self.relay[3] = self.ambient_c + core + self._sensor[3] + noise[3]
        hottest = self.relay[0:3].max(axis=0)
        self.relay[4] = hottest >= _ALARM_C
        self.relay[5] = hottest >= _TRIP_C
        self.relay[7] = self.relay[8] = self.fan
        self.cubicle[0] = self.cubicle[2] = self.cubicle[6] = self.cubicle[7] = 1.0
        self.cubicle[8] = self.tap
        self.cubicle[9] = self.cubicle[10] = self.fan
