"""The air of the car park: carbon monoxide and nitrogen dioxide of twelve zones, and the exhaust fan of each.

One well-mixed room a zone, solved implicitly, so that every step keeps the balance: what cars give is what is there,
what the fan took out, and what leaked. Emissions: ASHRAE Handbook, HVAC Applications, "Enclosed Vehicular Facilities":
CO of a warm engine 1.89 g/min, of a cold one 3.66 g/min (summer); NO2 is taken as 1.5 % of that (assumed).
1 ppm CO = 1.145 mg/m³, 1 ppm NO2 = 1.88 mg/m³ at 25 °C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.drive import DriveBank, LossAction
from simulators.plant.parking import LEVELS
from simulators.plant.quantity import DRIVE
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.plant.parking import CarBank

__all__ = ["FLOW_M3S", "RATED_KW", "VOLUME_M3", "ZONES", "Garage"]

ZONES = 4 * LEVELS
VOLUME_M3 = 3750.0
"""About 1,250 m² of each level, 3 m high."""
FLOW_M3S, RATED_KW = 6.25, 7.5
"""Six air changes an hour at full speed."""
_LEAK_M3S, _MIX_S = 0.3, 900.0
_OUTDOOR = np.array([0.4, 0.02])
_WARM_GS, _COLD_GS, _NO2_SHARE = 1.89 / 60.0, 3.66 / 60.0, 0.015
_MG_PPM = np.array([1.145, 1.88])
_ZONE_SHARE = np.array([0.34, 0.26, 0.22, 0.18])
"""The ramp is in the first zone."""
_ON, _FULL, _OFF = np.array([9.0, 0.6]), np.array([25.0, 2.0]), np.array([6.0, 0.4])
"""ppm at which the local automatic starts a fan at its least speed, has it at full speed, and stops it."""
_ALARM, _CALM = np.array([30.0, 3.0]), np.array([20.0, 2.0])
"""ppm at which the detector's relay, wired to the drive, has the fan at full speed whatever the bus says; its end."""
_LEAST = 0.3
_PROOF = 0.15
"""Speed from which the differential-pressure switch closes."""
_RING = 15


class Garage:
    """Zones as arrays (2 gases, ZONES); `fans` answers to the bus."""

    remembered = True
    fan_rows = {tag: row for row, tag in enumerate((*DRIVE, "airflow"))}  # noqa: RUF012
    gas_rows = {tag: row for row, tag in enumerate(("co", "no2", "co_fault", "no2_fault", "co_mean", "no2_mean"))}  # noqa: RUF012

    def __init__(self, seed: int) -> None:
        """Begin with the air of the street."""
        names = [f"fan{n + 1:02}" for n in range(ZONES)]
        rated = np.full(ZONES, RATED_KW)
        self.fans = DriveBank(seed + 7919, names, rated, np.full(ZONES, LossAction.SAFE_SPEED, np.int64))
        self.fan_table = np.zeros((len(self.fan_rows), ZONES))
        self.fans.table = self.fan_table[: len(DRIVE)]
        self.gas_table = np.zeros((len(self.gas_rows), ZONES))
        self.ppm = np.repeat(_OUTDOOR[:, None], ZONES, axis=1)
        self.given = np.zeros((2, ZONES))
        """ppm·m³ that cars gave in the last step, and that went outside."""
        self.taken = np.zeros((2, ZONES))
        self._noise = stream(seed, "gas heads")
        self._ring = np.repeat(self.ppm[:, None, :], _RING, axis=1)
        self._sum = np.zeros((2, ZONES))
        self._sum_s = 0.0
        self._place = 0
        self._runs = np.zeros(ZONES)
        self._relay = np.zeros(ZONES)
        self._smoke = np.zeros(ZONES)

    def fire(self, levels: frozenset[str]) -> None:
        """The fire panel's hard wire: the fans of these levels run at full speed, whatever bus and automatic say."""
        self._smoke = np.repeat([float(f"B{level + 1}" in levels) for level in range(LEVELS)], ZONES // LEVELS)

    def step(self, dt_s: float, cars: CarBank, seen: NDArray[np.float64]) -> None:
        """Advance; `seen` (2, ZONES) is what the heads tell the local automatic, NaN for a broken one."""
        self._automatic(seen)
        self._turn(dt_s)
        flow = FLOW_M3S * self.fans.speed + _LEAK_M3S
        grams = _WARM_GS * cars.driven_in_s + _COLD_GS * cars.driven_out_s
        mg = 1000.0 * np.repeat(grams, ZONES // LEVELS) * np.tile(_ZONE_SHARE, LEVELS)
        self.given = np.stack([mg, _NO2_SHARE * mg]) / _MG_PPM[:, None]
        hold = VOLUME_M3 / dt_s
        fresh = (hold * self.ppm + self.given / dt_s + flow * _OUTDOOR[:, None]) / (hold + flow)
        self.taken = flow * (fresh - _OUTDOOR[:, None]) * dt_s
        # The zones of a level are one hall: their air mixes.
        hall = fresh.reshape(2, LEVELS, ZONES // LEVELS)
        hall += (hall.mean(axis=2, keepdims=True) - hall) * (1.0 - np.exp(-dt_s / _MIX_S))
        self.ppm = hall.reshape(2, ZONES)
        self._average(dt_s)
        speed = self.fans.speed
        self.fans.power_kw = np.where(speed > 0.005, RATED_KW * (0.04 + 0.96 * speed**3), 0.0)

    def _automatic(self, seen: NDArray[np.float64]) -> None:
        broken = np.isnan(seen).any(axis=0)
        known = np.nan_to_num(seen, nan=0.0)
        high = (known >= _ALARM[:, None]).any(axis=0) | ((self._relay > 0.5) & (known > _CALM[:, None]).any(axis=0))
        self._relay = (high | broken).astype(np.float64)
        span = (known - _ON[:, None]) / (_FULL - _ON)[:, None]
        wanted = _LEAST + (1.0 - _LEAST) * np.clip(span.max(axis=0), 0.0, 1.0)
        on = (known >= _ON[:, None]).any(axis=0) | ((self._runs > 0.5) & (known > _OFF[:, None]).any(axis=0))
        self._runs = (on | broken).astype(np.float64)
        self.fans.local_run = self._runs.copy()
        self.fans.local_speed = np.where(broken, 1.0, wanted)

    def _turn(self, dt_s: float) -> None:
        """Move the fans as the bus or their own automatic says, or at full speed by the gas relay or the fire panel."""
        fans, relay = self.fans, (self._relay > 0.5) | (self._smoke > 0.5)
        run, speed = fans.run_cmd, fans.speed_cmd
        fans.run_cmd, fans.speed_cmd = np.where(relay, 1.0, run), np.where(relay, 1.0, speed)
        fans.ramp(dt_s)
        fans.run_cmd, fans.speed_cmd = run, speed

    def _average(self, dt_s: float) -> None:
        """Keep the mean of the last quarter of an hour, minute by minute."""
        self._sum += self.ppm * dt_s
        self._sum_s += dt_s
        if self._sum_s < 60.0:
            return
        mean = self._sum / self._sum_s
        for _ in range(min(round(self._sum_s / 60.0), _RING)):
            self._ring[:, self._place] = mean
            self._place = (self._place + 1) % _RING
        self._sum[:] = 0.0
        self._sum_s = 0.0

    def show(self) -> None:
        """Bring the tables up to date."""
        self.fans.show()
        self.fan_table[self.fan_rows["airflow"]] = self.fans.speed > _PROOF
        noise = self._noise.standard_normal((2, ZONES)) * np.array([[0.15], [0.01]])
        self.gas_table[0:2] = self.ppm + noise
        self.gas_table[4:6] = self._ring.mean(axis=1)
