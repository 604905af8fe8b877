"""Standby power: generator, transfer switch and UPS of the essential board, and the capacitor banks of the five boards.

The essential board loses its normal source when that happens (`shifu sim fault event standby-ats mains_failure
seconds=90`): the UPS carries the control room, the generator starts, the switch goes over, and back when the source is
there again. Wednesdays at 10:00 the generator's own timer lets it run for ten minutes without load.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.plant.device import Device, NotWritableError, RefusedError, State
from simulators.plant.quantity import Model
from simulators.plant.weather import stream
from simulators.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulators.plant.calendar import Moment
    from simulators.plant.device import Occurrence
    from simulators.plant.part import Scene
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["ATS", "CAPACITOR", "GENERATOR", "STEPS", "UPS", "Standby"]

GENERATOR = (
    "mode", "state", "oil_pressure", "coolant_temp", "fuel", "battery_voltage", "speed", "frequency",
    "voltage_l1n", "voltage_l2n", "voltage_l3n", "current_l1", "current_l2", "current_l3", "power", "load",
    "run_time", "energy", "starts", "alarm_count", "fail_to_start", "low_oil_pressure", "high_coolant_temp", "low_fuel",
    "test_start", "test_cancel",
)  # fmt: skip
ATS = ("normal_source", "generator_source", "on_normal", "on_generator", "auto", "fault")
UPS = (
    "on_line", "on_battery", "bypass", "output_off", "fault", "input_bad", "test_runs", "replace_battery",
    "battery_disconnected", "charger_fault", "test_passed", "test_failed", "runtime", "charge", "battery_voltage",
    "battery_temp", "load", "load_apparent", "output_current", "output_voltage", "output_frequency", "input_voltage",
    "efficiency",
)  # fmt: skip
STEPS = 6
CAPACITOR = (
    "breaker_closed", "breaker_tripped", "door_open", "auto", *(f"step_{n}" for n in range(1, STEPS + 1)),
    "step_fault", "over_temperature",
)  # fmt: skip
STOPPED, PRE_START, WARM_UP, RUNNING, COOLING = range(5)
_AUTO = 1.0
_PRE_START_S, _WARM_UP_S, _COOLING_S, _BACK_S, _CRANKING_S = 3.0, 6.0, 60.0, 30.0, 30.0
_RATED_KW, _ESSENTIAL_KW = 800.0, 420.0
_TANK_L, _IDLE_LH, _L_KWH = 2000.0, 30.0, 0.26
"""A set of 1,000 kVA: litres an hour without load, and a kWh."""
_NO_ALARM, _WARNING, _SHUTDOWN = 1.0, 2.0, 3.0
"""GenComm condition codes: 1 inactive, 2 warning, 3 shutdown."""
_LOW_FUEL = 25.0
_UPS_W, _UPS_VA, _UPS_WH = 4200.0, 10_000.0, 1700.0
_CHARGE_S = 4 * 3600.0
_PART_S = 2.0
_EXERCISE = (2, 10.0, 10.0 + 1.0 / 6.0)
"""Weekday (Monday 0) and hours of the weekly run."""
_BOARDS = 5


class Standby:
    """One generator with its switch, one UPS, five capacitor banks; a table of one column for each but the banks."""

    models: ClassVar[Mapping[str, Model]] = {
        "deep-sea-dse8xxx": Model(
            "generator", history=("mode", "state", "fuel", "battery_voltage", "power", "run_time", "starts")
        ),
        "site-standard-ats": Model("ats", history=("on_normal", "on_generator")),
        "apc-smart-ups": Model("ups", history=("on_battery", "charge", "runtime", "load", "battery_temp")),
        "site-standard-capacitor": Model("capacitor", history=("step_fault",)),
    }

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:  # noqa: ARG002
        """Begin with everything ready."""
        self._noise = stream(seed, "standby")
        self._mains_s = 0.0
        """Seconds for which the normal source stays away."""
        self._back_s = _BACK_S
        """Seconds since it is there again."""
        self._on_generator = 0.0
        self._ats_fault = 0.0
        self.mode = _AUTO
        self.state = float(STOPPED)
        self._timer_s = 0.0
        self._test = 0.0
        self._no_start = 0.0
        self._failed_to_start = 0.0
        self.fuel = 87.0
        self.run_s = 412.0 * 3600.0
        self.energy_kwh = 36_500.0
        self.starts = 618.0
        self._coolant_c = 41.0
        self._battery_v = 27.3
        self.charge = 100.0
        self._test_passed, self._replace, self._ups_c = 1.0, 0.0, 27.0
        self._steps = np.zeros(_BOARDS)
        self._broken = np.zeros((_BOARDS, STEPS))
        self._devices: list[Device] = []
        self._tables = {
            "deep-sea-dse8xxx": (_rows(GENERATOR), np.zeros((len(GENERATOR), 1))),
            "site-standard-ats": (_rows(ATS), np.zeros((len(ATS), 1))),
            "apc-smart-ups": (_rows(UPS), np.zeros((len(UPS), 1))),
            "site-standard-capacitor": (_rows(CAPACITOR), np.zeros((len(CAPACITOR), _BOARDS))),
        }

    def device(self, row: SimulatedDevice) -> Device:
        """Return what a device looks at.

        Raises:
            SiteError: a capacitor bank of a board that is not there.
        """
        rows, table = self._tables[row.profile]
        column = 0
        if row.profile == "site-standard-capacitor":
            column = _board(row.equipment)
            if not 0 <= column < _BOARDS:
                raise SiteError(f'device "{row.id}" equipment: got "{row.equipment}", wanted …cap1 to cap{_BOARDS}')
        take: Callable[[str, float], float] | None = self._take if row.profile == "deep-sea-dse8xxx" else None
        device = Device(row, State(rows, table, column), take, partial(self._forget) if take else None)
        self._devices.append(device)
        return device

    def loads_kw(self) -> Mapping[str, float]:
        """Return what the city's supply is relieved of while the essential board is not on it."""
        relieved = self._on_generator > 0.5 or self._mains_s > 0.0
        return {"server": -_ESSENTIAL_KW if relieved else 0.0}

    def step(self, dt_s: float, scene: Scene) -> None:
        """Advance by `dt_s`, in parts of two seconds while anything moves."""
        for device in self._devices:
            while device.occurrences:
                self._happen(device, device.occurrences.popleft())
        self._steps[: len(scene.steps)] = scene.steps[:_BOARDS]
        quiet = self._mains_s <= 0.0 and self.state == STOPPED and not self._wanted(scene.moment)
        parts = 1 if quiet and self._on_generator < 0.5 else max(1, math.ceil(dt_s / _PART_S))
        for _ in range(parts):
            self._run(dt_s / parts, scene.moment)
        wires = scene.wires
        wires.supply = self._supplied()
        wires.lost_steps = tuple(self._broken.sum(axis=1).tolist())

    def _supplied(self) -> bool:
        return self.state == RUNNING if self._on_generator > 0.5 else self._mains_s <= 0.0

    def _wanted(self, moment: Moment) -> bool:
        """Tell whether the set should run: the source is away, a test was asked for, or the weekly run is due."""
        weekday, start, end = _EXERCISE
        exercise = (moment.day + 3) % 7 == weekday and start <= moment.hour < end
        return self.mode == _AUTO and (
            self._mains_s > 0.0 or (self._on_generator > 0.5 and self._back_s < _BACK_S) or self._test > 0.5 or exercise
        )

    def _run(self, dt_s: float, moment: Moment) -> None:
        self._mains_s = max(self._mains_s - dt_s, 0.0)
        self._back_s = 0.0 if self._mains_s > 0.0 else self._back_s + dt_s
        self._crank(dt_s, self._wanted(moment) and not self._failed_to_start)
        if self._ats_fault < 0.5:
            if self._on_generator < 0.5 and self._mains_s > 0.0 and self.state == RUNNING:
                self._on_generator = 1.0
            elif self._on_generator > 0.5 and self._back_s >= _BACK_S:
                self._on_generator = 0.0
        runs = self.state in (WARM_UP, RUNNING, COOLING)
        power = self._power()
        self.run_s += dt_s * runs
        self.energy_kwh += power * dt_s / 3600.0
        litres = runs * (_IDLE_LH + _L_KWH * power) * dt_s / 3600.0
        self.fuel = max(self.fuel - 100.0 * litres / _TANK_L, 0.0)
        # The jacket heater keeps a set that stands at 41 °C.
        warm = 86.0 if runs else 41.0
        self._coolant_c += (warm - self._coolant_c) * (1.0 - math.exp(-dt_s / (120.0 if runs else 1800.0)))
        self._battery_v = 28.1 if runs else 24.6 if self.state == PRE_START else 27.3
        watt_s = _UPS_WH * 3600.0
        change = 100.0 * dt_s / _CHARGE_S if self._supplied() else -100.0 * _UPS_W * dt_s / watt_s
        self.charge = min(max(self.charge + change, 0.0), 100.0)

    def _crank(self, dt_s: float, wanted: bool) -> None:  # noqa: FBT001 - the condition itself
        """Advance the engine's own sequence."""
        self._timer_s += dt_s
        state = self.state
        if state == STOPPED:
            after = PRE_START if wanted else STOPPED
        elif state == PRE_START and self._no_start:
            # Three cranks; then it is locked out until somebody resets it.
            self._failed_to_start = float(self._timer_s >= _CRANKING_S)
            after = STOPPED if self._failed_to_start or not wanted else PRE_START
        elif state == PRE_START:
            after = (WARM_UP if self._timer_s >= _PRE_START_S else PRE_START) if wanted else STOPPED
        elif state == WARM_UP:
            after = RUNNING if self._timer_s >= _WARM_UP_S else WARM_UP
        elif state == RUNNING:
            after = RUNNING if wanted else COOLING
        else:
            after = RUNNING if wanted else STOPPED if self._timer_s >= _COOLING_S else COOLING
        if after != state:
            self.starts += after == WARM_UP
            self.state, self._timer_s = float(after), 0.0

    def _power(self) -> float:
        return _ESSENTIAL_KW if self._on_generator > 0.5 and self.state == RUNNING else 0.0

    def _happen(self, device: Device, occurrence: Occurrence) -> None:
        """Let something happen at one of the machines; other words are nothing to it."""
        data = occurrence.data
        match device.profile, occurrence.type:
            case "site-standard-ats", "mains_failure":
                self._mains_s = float(data.get("seconds", 60))
            case "site-standard-ats", "mains_back":
                self._mains_s = 0.0
            case "site-standard-ats", "fault":
                self._ats_fault = float(data.get("value", 1))
            case "deep-sea-dse8xxx", "mode":
                self.mode = float(data.get("value", 1))
            case "deep-sea-dse8xxx", "fail_to_start":
                self._no_start = 1.0
            case "deep-sea-dse8xxx", "reset":
                self._no_start = self._failed_to_start = 0.0
            case "deep-sea-dse8xxx", "fuel":
                self.fuel = min(max(float(data.get("percent", 87)), 0.0), 100.0)
            case "apc-smart-ups", "replace_battery":
                self._replace = float(data.get("value", 1))
            case "site-standard-capacitor", "step_fault":
                self._broken[_board(device.equipment), int(data.get("step", 1)) - 1] = float(data.get("value", 1))

    def _take(self, tag: str, value: float) -> float:
        """Accept the monthly test.

        Raises:
            NotWritableError, RefusedError: see `Device.write`; a set that is not in auto takes no test.
        """
        if tag not in ("test_start", "test_cancel"):
            raise NotWritableError(f"generator: {tag} is read only")
        if tag == "test_start" and self.mode != _AUTO:
            raise RefusedError(f"generator: mode {self.mode:g}; a test is taken in auto alone")
        self._test = float(tag == "test_start")
        return value

    def _forget(self) -> None:
        self._test = 0.0

    def show(self) -> None:
        """Bring the tables up to date."""
        noise = self._noise.standard_normal(6).tolist()
        runs, power = self.state in (WARM_UP, RUNNING, COOLING), self._power()
        volts = [220.5 + 0.4 * n if runs else 0.0 for n in noise[:3]]
        amps = [power * 1000.0 / 3.0 / 0.9 / v if v else 0.0 for v in volts]
        low_fuel = _WARNING if self.fuel < _LOW_FUEL else _NO_ALARM
        no_start = _SHUTDOWN if self._failed_to_start else _NO_ALARM
        self._tables["deep-sea-dse8xxx"][1][:, 0] = [
            self.mode, self.state, 415.0 + 4.0 * noise[3] if runs else 0.0, self._coolant_c, self.fuel,
            self._battery_v, 1800.0 + 2.0 * noise[4] if runs else 0.0, 60.0 + 0.03 * noise[4] if runs else 0.0,
            *volts, *amps, power, 100.0 * power / _RATED_KW, self.run_s / 3600.0, self.energy_kwh, self.starts,
            28.0, no_start, _NO_ALARM, _NO_ALARM, low_fuel, float(self.state == RUNNING), float(self.state == COOLING),
        ]  # fmt: skip
        generator = self._on_generator > 0.5
        self._tables["site-standard-ats"][1][:, 0] = [
            self._mains_s <= 0.0, self.state == RUNNING, not generator, generator, 1.0, self._ats_fault
        ]  # fmt: skip
        supplied = self._supplied()
        battery = not supplied and self.charge > 0.0
        load = 100.0 * _UPS_W / _UPS_VA
        self._tables["apc-smart-ups"][1][:, 0] = [
            supplied, battery, 0.0, not supplied and not battery, 0.0, not supplied, 0.0, self._replace, 0.0, 0.0,
            self._test_passed, 0.0, _UPS_WH * 36.0 * self.charge / _UPS_W, self.charge,
            218.0 if supplied else 192.0 + 0.12 * self.charge, self._ups_c + 0.1 * noise[5], load, load * 1.06,
            _UPS_W / 220.0 if supplied or battery else 0.0, 220.0 if supplied or battery else 0.0,
            60.0 if supplied or battery else 0.0, 219.0 + noise[5] if supplied else 0.0, 94.0 if supplied else 0.0,
        ]  # fmt: skip
        bank = self._tables["site-standard-capacitor"][1]
        bank[0] = bank[3] = 1.0
        for board in range(_BOARDS):
            healthy = (self._broken[board] < 0.5).nonzero()[0][: round(float(self._steps[board]))]
            bank[4 : 4 + STEPS, board] = 0.0
            bank[4 + healthy, board] = 1.0
            bank[4 + STEPS, board] = self._broken[board].any()


def _board(address: str) -> int:
    """Return the board of a capacitor bank from its address, from 0; -1 where it names none."""
    number = address.rsplit(".", 1)[-1].removeprefix("cap")
    return int(number) - 1 if number.isdigit() else -1


def _rows(tags: Sequence[str]) -> dict[str, int]:
    return {tag: row for row, tag in enumerate(tags)}
