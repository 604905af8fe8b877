"""Air handlers with their own controls (DDC): coil, valve, fan, filter, dampers, modes, schedule, watchdog.

One machine a floor and wing, and two for the control room, of which one runs and the other takes over from it.
A VAV machine: the room's controller moves the flow, the fan holds the duct pressure, the valve the supply temperature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.air import relative_humidity
from simulators.plant.coil import cool
from simulators.plant.device import NotWritableError, RefusedError
from simulators.plant.layout import FLOORS, HANDLER_NAMES, HANDLER_ZONE, WING_ZONES, ZONES
from simulators.plant.quantity import AHU
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.plant.calendar import Moment
    from simulators.plant.weather import Outdoor
    from simulators.plant.zone import ZoneBank

__all__ = ["HandlerBank"]

OFF, AUTO, MANUAL, FIRE = 0.0, 1.0, 2.0, 3.0
_WATCHDOG_S = 120.0
_DUCT_PA = 250.0
_DESIGN_DP_KPA = 100.0
_RANGES = {
    "supply_air_temp_sp": (12.0, 26.0),
    "supply_static_pressure_sp": (0.0, 800.0),
    "zone_temp_sp": (18.0, 28.0),
    "chw_valve_cmd": (0.0, 100.0),
    "fan_speed_cmd": (0.0, 100.0),
    "outdoor_damper_cmd": (0.0, 100.0),
    "fan_cmd": (0.0, 1.0),
}
_SETPOINTS = ("supply_air_temp_sp", "supply_static_pressure_sp", "zone_temp_sp")
_ACTUATORS = ("fan_cmd", "fan_speed_cmd", "chw_valve_cmd", "outdoor_damper_cmd")
_ROW = {tag: row for row, tag in enumerate(AHU)}
_SLOT = {tag: row for row, tag in enumerate((*_SETPOINTS, *_ACTUATORS))}
_VALVE_RANGE = 50.0
_TAKE_OVER_S = 20.0
"""How long the control room's standby machine waits for the other one."""
_HELP_K, _ENOUGH_K = 2.0, 0.5
"""Both machines of the control room run when it is so much too warm, until it is nearly right again."""
_CR = slice(WING_ZONES, WING_ZONES + 2)


def _limit(value: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return `numpy.clip` of short arrays at a third of its cost."""
    return np.asarray(np.minimum(np.maximum(value, low), high))


class HandlerBank:
    """All air handlers as arrays (N,); `table` (Q, N) holds what they measure."""

    rows = _ROW

    def __init__(self, seed: int, design_kg: NDArray[np.float64]) -> None:
        """`design_kg` (N,) is the design air flow of each machine of `simulators.plant.layout`, kg/s."""
        n = len(design_kg)
        self._names = HANDLER_NAMES
        self._zone = HANDLER_ZONE
        self._first = np.searchsorted(HANDLER_ZONE, np.arange(WING_ZONES + 1))
        self._design_kg = design_kg
        self.design_water_kg = design_kg * 0.75
        self._transfer_kg = 1.1 * design_kg
        self._fan_kw = design_kg / 1.2 * 1.4
        draw = stream(seed, "handler")
        self._offset = draw.normal(0.0, 1.0, (8, n))
        self._dirt = draw.uniform(0.1, 0.75, n)
        self._noise = stream(seed, "handler noise")
        self._written = np.full((len(_SLOT), n), np.nan)
        self._mode = np.full(n, AUTO)
        self._silent_s = np.full(n, np.inf)
        self._counter = 0.0
        self._local_zone_sp = np.full(n, 26.0)
        self._local_zone_sp[_CR] = 24.0
        self._tripped = np.zeros(n, np.bool_)
        self._slack = np.zeros(n, np.bool_)
        """The belt is off: the motor turns and moves no air."""
        self._alone_s = np.zeros(2)
        """How long each machine of the control room has waited for the other one."""
        self._both = False
        on, off, always = _hours(n)
        self._on, self._off, self._always = on, off, always
        self.opening = np.full(n, 0.6)
        self.valve = np.full(n, 0.4)
        self._damper = np.full(n, 0.2)
        self._damper_target = np.full(n, 0.2)
        self._speed = np.zeros(n)
        self._error = np.zeros(n)
        self._coil_c = np.full(n, 18.0)
        self._supply_c = np.full(n, 20.0)
        self.supply_ratio = np.full(n, 0.011)
        self.air_kg = np.zeros(n)
        self.water_kg = np.zeros(n)
        self.heat_kw = np.zeros(n)
        self.power_kw = np.zeros(n)
        self.outdoor_share = np.zeros(n)
        self.table = np.zeros((len(AHU), n))

    @property
    def supply_c(self) -> NDArray[np.float64]:
        """Return the temperature of the supply air behind the fan, °C."""
        return self._supply_c

    def conductance(self) -> NDArray[np.float64]:
        """Return the flow of each chilled-water valve at design pressure, kg/s."""
        flow = self.design_water_kg * np.maximum(_VALVE_RANGE ** (self.valve - 1.0) - 0.02, 0.0005) / 0.98
        return np.asarray(flow)

    def take(self, column: int, tag: str, value: float) -> float:
        """Accept a write for one machine; returns the value in effect.

        Raises:
            NotWritableError, RefusedError: see `Device.write`.
        """
        name = self._names[column]
        if tag == "controller_alive":
            self._silent_s[column] = 0.0
            return value
        if tag != "mode" and tag not in _RANGES:
            raise NotWritableError(f"{name}: {tag} is read only")
        if self._mode[column] == FIRE:
            raise RefusedError(f"{name}: in fire mode every write is refused")
        low, high = (OFF, MANUAL) if tag == "mode" else _RANGES[tag]
        if not low <= value <= high:
            raise RefusedError(f"{name}: {tag}: got {value:g}, wanted {low:g} to {high:g}")
        if self._silent_s[column] > _WATCHDOG_S:
            # A controller that comes back has one watchdog time to begin its heartbeat.
            self._silent_s[column] = 0.0
        if tag == "mode":
            self._set_mode(column, float(round(value)))
            return float(self._mode[column])
        if tag == "fan_cmd":
            value = float(value >= 0.5)
        elif tag == "fan_speed_cmd" and 0.0 < value < 25.0:
            value = 25.0
        self._written[_SLOT[tag], column] = value
        self.table[_ROW[tag], column] = value
        return value

    def _set_mode(self, column: int, mode: float) -> None:
        actuators = slice(len(_SETPOINTS), None)
        if mode == AUTO:
            self._written[actuators, column] = np.nan
        elif mode == MANUAL:
            now = self.table[[_ROW[tag] for tag in _ACTUATORS], column]
            held = self._written[actuators, column]
            self._written[actuators, column] = np.where(np.isnan(held), now, held)
        self._mode[column] = mode
        self.table[_ROW["mode"], column] = mode

    def forget(self, column: int) -> None:
        """Run on the machine's own set-points and schedule again; its fire mode is hard wired and stays."""
        self._written[:, column] = np.nan
        self._silent_s[column] = np.inf
        if self._mode[column] != FIRE:
            self._set_mode(column, AUTO)

    def happen(self, column: int, what: str) -> bool:
        """Let a fan fail or be repaired: `fan_trip`, `belt_off`, `repaired`; False for a word that is none of these."""
        if what not in ("fan_trip", "belt_off", "repaired"):
            return False
        self._tripped[column] = what == "fan_trip"
        self._slack[column] = what == "belt_off"
        return True

    def fire(self, column: int, *, active: bool) -> None:
        """The fire panel's hard wire: dampers shut, fan off; afterwards the machine is back in auto."""
        self._set_mode(column, FIRE if active else AUTO)

    def step(
        self, dt_s: float, moment: Moment, outdoor: Outdoor, zones: ZoneBank, water_c: float, dp_kpa: float
    ) -> None:
        """Advance controls and air side by `dt_s` with chilled water of `water_c` °C at `dp_kpa`."""
        self._silent_s += dt_s
        lost = (self._silent_s > _WATCHDOG_S) & (self._mode != FIRE)
        self._written[:, lost] = np.nan
        self._mode[lost] = AUTO
        self._counter += dt_s
        written = self._written
        zone_sp = np.where(np.isnan(written[2]), self._local_zone_sp, written[2])
        room_c, room_ratio = zones.air[self._zone], zones.ratio[self._zone]
        error = room_c - zone_sp
        # Supply temperature is reset upwards where the room is cold at minimum flow.
        local_sp = _limit(15.0 - 4.0 * np.minimum(error + 0.3, 0.0), 15.0, 21.0)
        supply_sp = np.where(np.isnan(written[0]), local_sp, written[0])
        duct_sp = np.where(np.isnan(written[1]), _DUCT_PA, written[1])
        stopped = (self._mode == OFF) | (self._mode == FIRE)
        schedule = self._schedule(moment)
        schedule[_CR] = self._stand_by(dt_s, error[_CR], stopped[_CR])
        fan_cmd = np.where(np.isnan(written[3]), schedule, written[3])
        run = (fan_cmd >= 0.5) & ~stopped & ~self._tripped
        self.opening = _limit(self.opening + 0.5 * (error - self._error) + error * min(dt_s / 900.0, 0.3), 0.25, 1.0)
        self._error = error
        # Duct: 0.4 of the design pressure at the sensor, 0.6 in coil and filter, a fan curve 1.2 n² - 0.2 q².
        dirt = 1.0 + 0.4 * self._dirt
        resistance = 0.4 + (0.2 + 0.6 * dirt) * self.opening**2
        wanted = np.sqrt(np.maximum(duct_sp, 1.0) / _DUCT_PA * resistance / 1.2)
        wanted = np.where(np.isnan(written[4]), wanted, written[4] / 100.0)
        wanted = np.where(run, _limit(wanted, 0.25, 1.0), 0.0)
        ramp = dt_s / 40.0
        self._speed = self._speed + _limit(wanted - self._speed, -ramp, ramp)
        duct = 1.2 * self._speed**2 / resistance
        flow = self.opening * np.sqrt(duct)
        flow = np.where(self._slack, 0.0, flow)
        duct = np.where(self._slack, 0.0, duct)
        self.air_kg = np.where(self._speed > 0.02, self._design_kg * flow, 0.0)
        self._step_dampers(dt_s, zones, run)
        # The valve integrates on the coil's own outlet; closed with the fan off.
        away = (self._coil_c - (supply_sp - 0.9)) / 20.0 * (1.0 - np.exp(-dt_s / 90.0))
        stroke = dt_s / 90.0
        target = np.where(run, self.valve + away, 0.0)
        target = np.where(np.isnan(written[5]), _limit(target, 0.02, 1.0), written[5] / 100.0)
        target = np.where(stopped | ~run, 0.0, target)
        self.valve = _limit(self.valve + _limit(target - self.valve, -stroke, stroke), 0.0, 1.0)
        self.water_kg = self.conductance() * np.sqrt(max(dp_kpa, 0.0) / _DESIGN_DP_KPA)
        share = self.outdoor_share
        mixed_c = room_c + 0.3 + share * (outdoor.temperature - room_c - 0.3)
        mixed_ratio = room_ratio + share * (outdoor.ratio - room_ratio)
        flow_share = np.maximum(self.air_kg / self._design_kg, 1e-3)
        water_share = np.maximum(self.water_kg / self.design_water_kg, 1e-4)
        outlet = cool(
            mixed_c, mixed_ratio, self.air_kg, self.water_kg, water_c,
            self._transfer_kg * flow_share**0.6 * water_share**0.3,
        )  # fmt: skip
        self._coil_c = outlet.celsius
        lag = 1.0 - np.exp(-dt_s / 60.0)
        blown = np.where(self.air_kg > 0.0, outlet.celsius + 0.9 * self._speed, room_c)
        self._supply_c = self._supply_c + lag * (blown - self._supply_c)
        self.supply_ratio = self.supply_ratio + lag * (outlet.ratio - self.supply_ratio)
        self.heat_kw = outlet.heat_kw
        self.power_kw = np.where(self._speed > 0.02, self._fan_kw * (0.04 + 0.96 * self._speed**2.8), 0.0)
        self._dirt = np.minimum(self._dirt + flow * dt_s / 1.5e7, 1.6)
        self._shown = (supply_sp, duct_sp, zone_sp, fan_cmd, wanted, target, duct, mixed_c, run)

    def _step_dampers(self, dt_s: float, zones: ZoneBank, run: NDArray[np.bool_]) -> None:
        # House rule: outside air moderated in summer; more only when CO2 asks for it.
        local = _limit(0.15 + (zones.co2[self._zone] - 750.0) / 400.0, 0.15, 0.8)
        written = self._written[6]
        target = np.where(np.isnan(written), local, written / 100.0)
        target = np.where(run, target, 0.0)
        stroke = dt_s / 100.0
        self._damper = self._damper + _limit(target - self._damper, -stroke, stroke)
        self._damper_target = target
        self.outdoor_share = self._damper

    def _schedule(self, moment: Moment) -> NDArray[np.float64]:
        """The DDC's own time table."""
        on = (moment.hour >= self._on) & (moment.hour < self._off)
        if not moment.workday:
            on &= self._always
        return on.astype(np.float64)

    def _stand_by(self, dt_s: float, error: NDArray[np.float64], stopped: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The control room's own logic: the first machine runs, the second when it cannot or cannot do it alone."""
        asked_off = self._written[3, _CR] < 0.5
        able = ~(stopped | self._tripped[_CR] | self._slack[_CR] | asked_off)
        self._alone_s = np.where(able[::-1], 0.0, self._alone_s + dt_s)
        warm = float(error.max())
        self._both = warm > (_ENOUGH_K if self._both else _HELP_K)
        return np.array([1.0, float(self._both or self._alone_s[1] >= _TAKE_OVER_S)])

    def supply(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return what the machines blow into each zone (ZONES,): kg/s, °C, kg/kg, and its share of outdoor air."""
        kg = np.zeros(ZONES)
        air = np.zeros((3, ZONES))
        served = slice(0, WING_ZONES + 1)
        kg[served] = np.add.reduceat(self.air_kg, self._first)
        each = self.air_kg * np.array([self._supply_c, self.supply_ratio, self.outdoor_share])
        air[:, served] = np.add.reduceat(each, self._first, axis=1)
        air /= np.maximum(kg, 1e-9)
        return kg, air[0], air[1], air[2]

    def show(self, outdoor: Outdoor, zones: ZoneBank) -> None:
        """Bring the table up to date with the last step."""
        supply_sp, duct_sp, zone_sp, fan_cmd, speed, valve, duct, mixed_c, run = self._shown
        noise = self._noise.standard_normal((8, len(speed)))
        table, offset = self.table, self._offset
        room_c = zones.air[self._zone]
        jitter = 0.15 * offset[:5] + 0.03 * noise[:5]
        table[0] = self._supply_c + jitter[0]
        table[1] = room_c + 0.3 + jitter[1]
        table[2] = np.where(self._speed > 0.02, mixed_c, room_c) + jitter[2]
        table[3] = outdoor.temperature + jitter[3]
        table[4] = supply_sp
        table[5] = np.maximum(duct * _DUCT_PA * (1.0 + 0.01 * noise[5]), 0.0)
        table[6] = duct_sp
        table[7] = zones.co2[self._zone] + 12.0 * offset[6] + 3.0 * noise[6]
        damp = relative_humidity(room_c, zones.ratio[self._zone])
        table[8] = _limit(damp + offset[7] + 0.2 * noise[7], 1.0, 100.0)
        table[9] = 100.0 * valve
        table[10] = 100.0 * self.valve
        table[11] = room_c + jitter[4]
        table[12] = zone_sp
        flow = self.air_kg / self._design_kg
        table[13] = 140.0 * flow**2 * (1.0 + self._dirt) * (1.0 + 0.005 * noise[5])
        table[14] = self._dirt > 1.0
        table[15] = (mixed_c < 3.0) & run
        table[16] = self._mode == FIRE
        table[17] = self._speed > 0.05
        table[18] = self._tripped
        table[19] = fan_cmd
        table[20] = 100.0 * speed
        table[21] = 100.0 * self._damper_target
        table[22] = 100.0 * self._damper
        table[23] = self._mode
        table[24] = float(int(self._counter) & 0xFFFFFFFF)


def _hours(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return start and end of each machine's day, and which run on days off too.

    Central air 08:00 to 17:30 by house rule, started a little before; the hall of the west wing longer and every day.
    """
    start, stop = np.full(n, 7.75), np.full(n, 17.5)
    start[FLOORS:WING_ZONES], stop[FLOORS:WING_ZONES] = 7.5, 18.0
    start[0], stop[0] = 7.0, 20.5
    return start, stop, np.arange(n) == 0
