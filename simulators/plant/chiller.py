"""Water-cooled chillers: electric EIR curves (DOE-2), and the machine around them with its own interlocks.

Coefficients: EnergyPlus data set `Chillers.idf` (CoolTools project). `x` is leaving chilled water, `y` entering
condenser water, °C.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from simulators.plant.device import NotWritableError, RefusedError

__all__ = [
    "CARRIER_19XR",
    "MINIMUM_OFF_S",
    "MINIMUM_ON_S",
    "TRANE_CVHE",
    "YORK_YS",
    "YORK_YT",
    "Chiller",
    "ChillerCurve",
]

WATER_KJ = 4.186
OFF, STARTING, RUNNING, UNLOADING, WAITING, TRIPPED = 0, 1, 2, 3, 5, 6
ALARMS = ("low_evap", "high_cond", "oil", "flow_evap", "flow_cond", "motor", "freeze", "vsd", "sensor")

MINIMUM_OFF_S = 300.0
MINIMUM_ON_S = 180.0
_STARTS_AN_HOUR = 4
_PRELUBE_S = 60.0
_RAMP_S = 300.0
_UNLOAD_S = 45.0
_PROOF_S = 30.0
_LOST_FLOW_S = 30.0
_LAG_S = 150.0
_WATCHDOG_S = 60.0
_DEFAULT_SETPOINT, _DEFAULT_LIMIT = 7.0, 100.0
_VANES_SHUT_C = 4.0
_FREEZE_C = 3.5
_HIGH_CONDENSING_C = 47.0


@dataclass(frozen=True, slots=True)
class ChillerCurve:
    """One machine's performance."""

    capacity_kw: float
    cop: float
    chilled_ls: float
    condenser_ls: float
    minimum_unload: float
    maximum_load: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    capft: tuple[float, float, float, float, float, float]
    eirft: tuple[float, float, float, float, float, float]
    eirfplr: tuple[float, float, float]

    def available_kw(self, x: float, y: float) -> float:
        """Return the cooling capacity at full load, kW."""
        return self.capacity_kw * _surface(self.capft, *self._box(x, y))

    def power_kw(self, load_kw: float, x: float, y: float) -> float:
        """Return the electric power at a load, kW; below the minimum unloading the machine cycles."""
        available = self.available_kw(x, y)
        part = load_kw / available
        shape = min(max(part, self.minimum_unload), self.maximum_load)
        a, b, c = self.eirfplr
        cycling = min(1.0, max(0.0, part) / self.minimum_unload)
        eir = _surface(self.eirft, *self._box(x, y)) * (a + b * shape + c * shape * shape)
        return available / self.cop * eir * cycling

    def load_at_power(self, power_kw: float, x: float, y: float) -> float:
        """Return the load at which the machine draws `power_kw`, kW: what a demand limit leaves."""
        available = self.available_kw(x, y)
        a, b, c = self.eirfplr
        wanted = power_kw / (available / self.cop * _surface(self.eirft, *self._box(x, y)))
        part = (-b + math.sqrt(max(b * b - 4.0 * c * (a - wanted), 0.0))) / (2.0 * c)
        return available * min(max(part, 0.0), self.maximum_load)

    def _box(self, x: float, y: float) -> tuple[float, float]:
        return (
            min(max(x, self.x_range[0]), self.x_range[1]),
            min(max(y, self.y_range[0]), self.y_range[1]),
        )


def _surface(k: tuple[float, float, float, float, float, float], x: float, y: float) -> float:
    return k[0] + k[1] * x + k[2] * x * x + k[3] * y + k[4] * y * y + k[5] * x * y


YORK_YT = ChillerCurve(
    1758.3, 6.28, 75.71, 94.64, 0.20, 1.06, (4.44, 8.89), (15.56, 35.0),
    (7.079149e-1, -2.006276e-3, -2.596043e-3, 3.005922e-2, -1.056423e-3, 2.045705e-3),
    (5.605391e-1, -1.377994e-2, 6.569542e-5, 1.321951e-2, 2.686074e-4, -5.011451e-4),
    (1.861223e-1, 5.482049e-1, 2.647377e-1),
)  # fmt: skip
TRANE_CVHE = ChillerCurve(
    1441.8, 6.61, 50.47, 50.47, 0.10, 1.07, (4.44, 8.89), (12.78, 35.0),
    (4.007341e-1, 1.148568e-3, 1.049504e-4, 5.574667e-2, -1.646131e-3, 1.323200e-3),
    (6.287646e-1, -3.024605e-2, 6.137016e-4, 1.805826e-2, 1.640653e-4, -1.113802e-4),
    (9.299787e-2, 3.244475e-1, 5.818753e-1),
)  # fmt: skip
CARRIER_19XR = ChillerCurve(
    1406.6, 6.04, 60.57, 75.71, 0.20, 1.04, (4.44, 10.0), (12.78, 32.22),
    (1.042261, 2.644821e-3, -1.468026e-3, 1.366256e-2, -8.302334e-4, 1.573579e-3),
    (1.026340, -1.612819e-2, -1.092591e-3, -1.784393e-2, 7.961842e-4, -9.586049e-5),
    (1.188880e-1, 6.723542e-1, 2.068754e-1),
)  # fmt: skip
YORK_YS = ChillerCurve(
    780.7, 5.42, 18.93, 37.85, 0.09, 1.01, (4.44, 8.89), (15.56, 35.0),
    (1.002148, 3.300191e-2, 3.741670e-4, -5.925358e-3, -2.599267e-5, -2.172126e-4),
    (4.475957e-1, -1.054652e-2, 7.126870e-4, 1.158632e-2, 5.151510e-4, -9.831355e-4),
    (2.519108e-1, 2.756914e-1, 4.725826e-1),
)  # fmt: skip


class Chiller:
    """One machine: state, timers, alarms, commands."""

    def __init__(self, name: str, curve: ChillerCurve, *, gateway: bool, energy_kwh: float, hours: float) -> None:
        """`gateway` True: behind a gateway with heartbeat watchdog that refuses what is out of range; else it clips."""
        self.name = name
        self.curve = curve
        self.gateway = gateway
        self.rated_kw = curve.power_kw(curve.capacity_kw, 7.0, 32.0)
        self.state = OFF
        self.in_state_s = 3600.0
        self.on_s = 0.0
        self.off_s = 3600.0
        self.age_s = 0.0
        self.started: deque[float] = deque(maxlen=_STARTS_AN_HOUR)
        self.no_flow_s = 0.0
        self.alarms: dict[str, bool] = dict.fromkeys(ALARMS, False)
        self.remote_enable: float | None = None
        """What the controller wrote last; None leaves the machine to the plant's own sequence."""
        self.local_enable = False
        self.setpoint, self.limit = _DEFAULT_SETPOINT, _DEFAULT_LIMIT
        self.heartbeat = 0.0
        self.silent_s = math.inf
        self.load_kw = 0.0
        self.power_kw = 0.0
        self.leaving_c = 7.0
        self.condenser_c = 28.0
        self.energy_kwh = energy_kwh
        self.run_hours = hours
        self.starts = 800.0

    @property
    def enabled(self) -> bool:
        """Tell whether the machine is to run."""
        return self.local_enable if self.remote_enable is None else self.remote_enable >= 0.5

    @property
    def wants_water(self) -> bool:
        """Tell whether its isolation valves are open and pumps must run."""
        return self.state in {STARTING, RUNNING, UNLOADING}

    @property
    def start_wait_s(self) -> float:
        """Seconds until a start is allowed."""
        if self.wants_water:
            return 0.0
        wait = max(0.0, MINIMUM_OFF_S - self.off_s)
        if len(self.started) == _STARTS_AN_HOUR:
            wait = max(wait, 3600.0 - (self.age_s - self.started[0]))
        return wait

    @property
    def minimum_on_left_s(self) -> float:
        """Seconds that the machine still has to run."""
        return max(0.0, MINIMUM_ON_S - self.on_s) if self.wants_water else 0.0

    def forget(self) -> None:
        """Go back to the set-points of the machine and to the plant's own sequence."""
        self.remote_enable = None
        self.setpoint, self.limit = _DEFAULT_SETPOINT, _DEFAULT_LIMIT
        self.heartbeat, self.silent_s = 0.0, math.inf

    def take(self, tag: str, value: float) -> float:
        """Accept a write; returns the value in effect.

        Raises:
            NotWritableError, RefusedError: see `Device.write`.
        """
        if tag == "controller_heartbeat":
            if value != self.heartbeat or self.silent_s == math.inf:
                self.silent_s = 0.0
            self.heartbeat = value
            return value
        ranges = {
            "enable": (0.0, 1.0),
            "chw_setpoint": (5.0, 15.0),
            "demand_limit": (40.0, 100.0),
            "alarm_reset": (0.0, 1.0),
        }
        if tag not in ranges:
            raise NotWritableError(f"{self.name}: {tag} is read only")
        low, high = ranges[tag]
        if not low <= value <= high:
            if self.gateway:
                raise RefusedError(f"{self.name}: {tag}: got {value:g}, wanted {low:g} to {high:g}")
            value = min(max(value, low), high)
        if self.silent_s > _WATCHDOG_S:
            # A controller that comes back has one watchdog time to begin its heartbeat.
            self.silent_s = 0.0
        if tag == "enable":
            self.remote_enable = float(value >= 0.5)
            return self.remote_enable
        if tag == "chw_setpoint":
            self.setpoint = value
        elif tag == "demand_limit":
            self.limit = value
        elif value >= 0.5:
            self.alarms = dict.fromkeys(ALARMS, False)
            if self.state == TRIPPED:
                self._go(OFF)
        return value

    def trip(self, alarm: str) -> None:
        """Stop at once and stay stopped until the alarm is reset."""
        self.alarms[alarm] = True
        self._go(TRIPPED)
        self.load_kw = 0.0

    def _go(self, state: int) -> None:
        if state == STARTING:
            self.started.append(self.age_s)
            self.starts += 1.0
            self.on_s = self.no_flow_s = 0.0
        if self.wants_water and state not in {STARTING, RUNNING, UNLOADING}:
            self.off_s = 0.0
        self.state = state
        self.in_state_s = 0.0

    def step(self, dt_s: float, chilled_ls: float, condenser_ls: float, return_c: float, entering_c: float) -> None:
        """Advance by `dt_s` with these water flows, return temperature and entering condenser temperature."""
        self.age_s += dt_s
        self.in_state_s += dt_s
        self.silent_s += dt_s
        if self.gateway and self.silent_s > _WATCHDOG_S:
            self.setpoint, self.limit = _DEFAULT_SETPOINT, _DEFAULT_LIMIT
        if self.wants_water:
            self.on_s += dt_s
            self._check_flow(dt_s, chilled_ls, condenser_ls)
        else:
            self.off_s += dt_s
        self._sequence()
        self._refrigerate(dt_s, chilled_ls, condenser_ls, return_c, entering_c)
        self.energy_kwh += self.power_kw * dt_s / 3600.0
        if self.state in {RUNNING, UNLOADING}:
            self.run_hours += dt_s / 3600.0

    def _check_flow(self, dt_s: float, chilled_ls: float, condenser_ls: float) -> None:
        wet = chilled_ls >= 0.4 * self.curve.chilled_ls
        cooled = condenser_ls >= 0.4 * self.curve.condenser_ls
        # Time without flow counts from the step before, so that a long step leaves pumps their time to start.
        allowed = _PROOF_S if self.state == STARTING else _LOST_FLOW_S
        if wet and cooled:
            self.no_flow_s = 0.0
        elif self.no_flow_s > allowed:
            self.trip("flow_cond" if wet else "flow_evap")
        else:
            self.no_flow_s += dt_s

    def _sequence(self) -> None:
        enabled, free = self.enabled, self.start_wait_s <= 0.0
        if self.state in {OFF, WAITING}:
            if enabled:
                if free:
                    self._go(STARTING)
                elif self.state == OFF:
                    self._go(WAITING)
            elif self.state == WAITING:
                self._go(OFF)
        elif self.state == STARTING:
            if not enabled and self.minimum_on_left_s <= 0.0:
                self._go(OFF)
            elif self.in_state_s >= _PRELUBE_S and self.no_flow_s == 0.0:
                self._go(RUNNING)
        elif self.state == RUNNING and not enabled and self.minimum_on_left_s <= 0.0:
            self._go(UNLOADING)
        elif self.state == UNLOADING:
            if enabled:
                self._go(RUNNING)
            elif self.in_state_s >= _UNLOAD_S:
                self._go(OFF)

    def _refrigerate(
        self, dt_s: float, chilled_ls: float, condenser_ls: float, return_c: float, entering_c: float
    ) -> None:
        self.condenser_c = entering_c
        if self.state not in {RUNNING, UNLOADING} or chilled_ls <= 0.1:
            self.load_kw = self.power_kw = 0.0
            if chilled_ls > 0.1:
                self.leaving_c = return_c
            else:
                self.leaving_c += (22.0 - self.leaving_c) * (1.0 - math.exp(-dt_s / 2e4))
            if self.state == STARTING:
                self.power_kw = 2.0
            return
        curve, per_kelvin = self.curve, chilled_ls * WATER_KJ
        x = min(max(self.setpoint, 5.0), 15.0)
        ramp = 1.0 if self.state == UNLOADING else min(1.0, 0.25 + self.in_state_s / _RAMP_S)
        if self.on_s > _RAMP_S + _PRELUBE_S:
            ramp = 1.0
        most = curve.maximum_load * curve.available_kw(x, entering_c) * ramp
        if self.limit < 100.0:
            most = min(most, curve.load_at_power(self.limit / 100.0 * self.rated_kw, x, entering_c))
        if self.state == UNLOADING:
            most *= 0.2
        wanted = min(max(per_kelvin * (return_c - x), 0.0), most)
        self.load_kw += (wanted - self.load_kw) * (1.0 - math.exp(-dt_s / _LAG_S))
        # Low evaporating temperature closes the vanes at once.
        self.load_kw = min(self.load_kw, max(0.0, per_kelvin * (return_c - _VANES_SHUT_C)))
        self.leaving_c = return_c - self.load_kw / per_kelvin
        self.power_kw = curve.power_kw(self.load_kw, max(self.leaving_c, x), entering_c)
        if condenser_ls > 0.1:
            self.condenser_c = entering_c + (self.load_kw + self.power_kw) / (WATER_KJ * condenser_ls)
        if self.leaving_c < _FREEZE_C:
            self.trip("freeze")
        elif self.condenser_c + 2.5 > _HIGH_CONDENSING_C:
            self.trip("high_cond")
