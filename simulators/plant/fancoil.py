"""Fan coils in rooms of their own inside a wing's zone: meeting rooms, the childcare centre, the kindergarten.

A room is one node of air and furniture that leaks heat to its zone; its thermostat picks one of three fan speeds. What
it takes from the room goes into the chilled water, what it leaks goes to the zone: no watt is lost between them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.device import NotWritableError, RefusedError
from simulators.plant.layout import FANCOIL_M2, FANCOIL_ZONE, FANCOILS, ZONES
from simulators.plant.people import occupancy
from simulators.plant.quantity import FCU
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.plant.calendar import Moment
    from simulators.plant.zone import ZoneBank

__all__ = ["FanCoilBank"]

_CHILDREN = slice(36, FANCOILS)
_SPEED = np.array([0.0, 0.45, 0.7, 1.0])
"""Air flow of the three speeds, as a share of the highest."""
_FAN_KW_M2 = 0.9e-3
_HEAT_J_M2 = 60e3
"""Air and furniture that follows it within the hour, J/(K m²)."""
_LEAK_W_M2 = 6.0
"""Doors, partition walls and the air that goes through them, W/(K m²)."""
_COIL_W_M2 = 9.0
"""Heat a kelvin between room and chilled water at full speed: 170 W/m² at 26 °C and 7 °C."""
_M2_PERSON = 4.0
_LOW_C, _HIGH_C = 18.0, 28.0
_DESIGN_DP_KPA = 100.0
_WATER_K = 5.0
_SLOTS = 48
"""Half hours for which a meeting room is booked or not."""


class FanCoilBank:
    """All fan coils as arrays (N,); `table` (Q, N) holds what they show."""

    rows = {tag: row for row, tag in enumerate(FCU)}  # noqa: RUF012
    remembered = True

    def __init__(self, seed: int) -> None:
        """All rooms begin at 26 °C with their thermostats at it."""
        self._seed = seed
        self._zone = FANCOIL_ZONE
        self._setpoint = np.full(FANCOILS, 26.0)
        self._setpoint[_CHILDREN] = 25.0
        self._own = self._setpoint.copy()
        self.air = np.full(FANCOILS, 26.0)
        self._speed = np.zeros(FANCOILS, np.int64)
        self._occupied = np.zeros(FANCOILS)
        self._noise = stream(seed, "fan coil noise")
        self._offset = stream(seed, "fan coil").normal(0.0, 0.12, FANCOILS)
        self._booked = lru_cache(maxsize=4)(self._book)
        self.heat_kw = 0.0
        """What the coils put into the chilled water, kW."""
        self.power_kw = 0.0
        self.to_zone_w: NDArray[np.float64] = np.zeros(ZONES)
        """What the rooms leak into each zone, W."""
        self.table = np.zeros((len(FCU), FANCOILS))

    def _book(self, day: int) -> NDArray[np.bool_]:
        """Return which meeting rooms are booked in each half hour of a day (48, N)."""
        return np.asarray(stream(self._seed, "meeting", day).random((_SLOTS, FANCOILS)) < 0.55)

    def take(self, column: int, tag: str, value: float) -> float:
        """Accept a set-point; returns it.

        Raises:
            NotWritableError, RefusedError: see `Device.write`.
        """
        if tag != "zone_temp_sp":
            raise NotWritableError(f"fcu {column + 1}: {tag} is read only")
        if not _LOW_C <= value <= _HIGH_C:
            raise RefusedError(f"fcu {column + 1}: {tag}: got {value:g}, wanted {_LOW_C:g} to {_HIGH_C:g}")
        self._setpoint[column] = value
        self.table[self.rows[tag], column] = value
        return value

    def forget(self, column: int) -> None:
        """Go back to the thermostat's own set-point."""
        self._setpoint[column] = self._own[column]

    def conductance(self) -> float:
        """Return the flow through all open valves at design pressure, kg/s."""
        design = _COIL_W_M2 * 19.0 * FANCOIL_M2 / (4186.0 * _WATER_K)
        return float(np.sum(design * (self._speed > 0)))

    def step(self, dt_s: float, moment: Moment, zones: ZoneBank, lamps: float, water_c: float, dp_kpa: float) -> None:
        """Advance by `dt_s` beside `zones`, with chilled water of `water_c` °C at `dp_kpa`."""
        self._people(moment)
        occupied = self._occupied
        # In use the room may be 0.4 K off its set-point, each further 0.6 K is one speed more; empty, the coil is off.
        error = self.air - self._setpoint
        rise, fall = error > 0.3 + 0.6 * self._speed, error < -0.5 + 0.6 * self._speed
        speed = np.minimum(np.maximum(self._speed + rise - fall, 0), 3)
        self._speed = np.where(occupied > 0.0, speed, 0)
        share = min(1.0, np.sqrt(max(dp_kpa, 0.0) / _DESIGN_DP_KPA))
        coil = _COIL_W_M2 * FANCOIL_M2 * _SPEED[self._speed] * share
        leak = _LEAK_W_M2 * FANCOIL_M2
        gain = (75.0 + 25.0) * occupied * FANCOIL_M2 / _M2_PERSON + (10.0 * lamps + 2.0) * FANCOIL_M2
        store = _HEAT_J_M2 * FANCOIL_M2 / dt_s
        near = zones.air[self._zone]
        self.air = (store * self.air + gain + leak * near + coil * water_c) / (store + leak + coil)
        self.heat_kw = float(np.sum(coil * (self.air - water_c))) / 1000.0
        self.to_zone_w = np.asarray(np.bincount(self._zone, leak * (self.air - near), ZONES), np.float64)
        self.power_kw = float(np.sum(_FAN_KW_M2 * FANCOIL_M2 * _SPEED[self._speed]))

    def people_w(self) -> NDArray[np.float64]:
        """Return the heat of the people who sit in these rooms and not in the open part of their zone, W (ZONES,)."""
        seated = 75.0 * self._occupied * FANCOIL_M2 / _M2_PERSON
        return np.asarray(np.bincount(self._zone, seated, ZONES), np.float64)

    def socket_kw(self, lamps: float) -> tuple[float, float]:
        """Return what lamps and plugs of the rooms draw, kW."""
        plugs = 25.0 * self._occupied * FANCOIL_M2 / _M2_PERSON + 2.0 * FANCOIL_M2
        return float(np.sum(10.0 * lamps * FANCOIL_M2)) / 1000.0, float(np.sum(plugs)) / 1000.0

    def _people(self, moment: Moment) -> None:
        """A booked room holds a third to all of its seats; children come from 7:30 to 18:00 on workdays."""
        busy = occupancy(moment.hour, workday=moment.workday)
        booked = self._booked(moment.day)[int(moment.hour * 2.0)]
        self._occupied = np.where(booked & (busy > 0.3), 0.35 + 0.5 * busy, 0.0)
        self._occupied[_CHILDREN] = 0.6 if moment.workday and 7.5 <= moment.hour < 18.0 else 0.0

    def show(self) -> None:
        """Bring the table up to date with the last step."""
        table = self.table
        table[0] = self.air + self._offset + 0.02 * self._noise.standard_normal(FANCOILS)
        table[1] = self._setpoint
        table[2] = self._speed
        table[3] = self._speed > 0
        table[4] = self._occupied > 0.0
