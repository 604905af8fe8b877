"""The chilled-water plant: four chillers, eight and eight pumps, four tower cells, header, and its own automatic.

The plant runs by itself: a machine, pump or fan that the controller commands leaves the automatic, the rest follow it.
Water temperatures are lumps of loop water; the network is solved in closed form at every step.
"""

from __future__ import annotations

import math

import numpy as np

from simulators.plant.chiller import ALARMS, CARRIER_19XR, RUNNING, WATER_KJ, YORK_YT, Chiller
from simulators.plant.device import NotWritableError
from simulators.plant.drive import DriveBank, LossAction
from simulators.plant.quantity import CHILLER, HEADER
from simulators.plant.tower import approach, evaporation_kg_s
from simulators.plant.weather import Outdoor, stream

__all__ = ["CHILLERS", "CONDENSER_PUMPS", "PUMPS", "TOWERS", "CoolingPlant"]

CHILLERS, PUMPS, CONDENSER_PUMPS, TOWERS = 4, 8, 8, 4
_CHW = slice(0, 8)
_CWP = slice(8, 16)
_FAN = slice(16, 20)
_PUMP_LS, _CONDENSER_LS, _CELL_LS = 36.0, 45.0, 90.0
_HEAD_KPA, _HEAD_FALL = 330.0, 0.055
"""Pump curve H = 330 n² - 0.055 q² kPa, q in L/s: 259 kPa at 36 L/s."""
_PIPE = 45.0 / 287.0**2
_EVAPORATOR_KPA = 70.0
_DESIGN_DP_KPA = 100.0
_RETURN_KG, _SUPPLY_KG, _BASIN_KG = 22_000.0, 10_000.0, 60_000.0
_ORDER = (3, 0, 1, 2)
"""The automatic starts the machine with the speed-controlled compressor first."""
_BASIN_MM, _BASIN_M2 = 450.0, 110.0
_BYPASS_LS = 170.0
_ISOLATION_S = 20.0
_FEED_US = 180.0
_BLOWDOWN_US = 900.0


class CoolingPlant:
    """Chilled and condenser water together."""

    chiller_rows = {tag: row for row, tag in enumerate(CHILLER)}  # noqa: RUF012
    header_rows = {tag: row for row, tag in enumerate(HEADER)}  # noqa: RUF012

    def __init__(self, seed: int) -> None:
        """All machines stand still; run a day to warm up."""
        draw = stream(seed, "plant")
        curves = (YORK_YT, YORK_YT, YORK_YT, CARRIER_19XR)
        self.chillers = [
            Chiller(
                f"ch{n + 1}",
                curve,
                gateway=n < 3,
                energy_kwh=float(draw.uniform(5e5, 1.5e6)),
                hours=float(draw.uniform(4e3, 9e3)),
            )
            for n, curve in enumerate(curves)
        ]
        names = [f"{kind}{n + 1}" for kind, count in (("chwp", 8), ("cwp", 8), ("ct", 4)) for n in range(count)]
        rated = np.array([37.0] * 8 + [45.0] * 8 + [30.0] * 4)
        loss = np.array([LossAction.SAFE_SPEED] * 8 + [LossAction.HOLD] * 12)
        self.drives = DriveBank(seed, names, rated, loss)
        self._noise = stream(seed, "plant noise")
        self._offset = draw.normal(0.0, 0.05, (4, CHILLERS))
        self.supply_c, self.return_c, self.basin_c = 8.0, 13.0, 27.0
        self.dp_kpa = _DESIGN_DP_KPA
        self.dp_setpoint = _DESIGN_DP_KPA
        self.bypass, self.bypass_cmd = 0.0, math.nan
        self._bypass_local = 0.0
        self.isolation = [0.0] * CHILLERS
        self._design = self._condenser_design = self._asked = self._unit = 0.0
        self.flow_ls = self.condenser_ls = 0.0
        self.level_mm, self.makeup_lmin, self.conductivity = _BASIN_MM, 0.0, 700.0
        self._up_s = self._down_s = self._since_s = 0.0
        self._fan_level = 0.5
        self._pumps = 0
        self._age_s = 0.0
        self.chiller_table = np.zeros((len(CHILLER), CHILLERS))
        self.header_table = np.zeros((len(HEADER), 1))

    @property
    def load_kw(self) -> float:
        """Return the cooling that the machines deliver now, kW."""
        return sum(chiller.load_kw for chiller in self.chillers)

    def take_header(self, tag: str, value: float) -> float:
        """Accept a write to the header's I/O, clipped silently.

        Raises:
            NotWritableError: any other tag.
        """
        if tag == "bypass_valve_cmd":
            self.bypass_cmd = min(max(value, 0.0), 100.0) / 100.0
            self.header_table[self.header_rows[tag], 0] = 100.0 * self.bypass_cmd
            return 100.0 * self.bypass_cmd
        if tag == "differential_pressure_setpoint":
            self.dp_setpoint = min(max(value, 30.0), 200.0)
            self.header_table[self.header_rows[tag], 0] = self.dp_setpoint
            return self.dp_setpoint
        raise NotWritableError(f"header: {tag} is read only")

    def forget_header(self) -> None:
        """Put back the header's own set-points."""
        self.bypass_cmd, self.dp_setpoint = math.nan, _DESIGN_DP_KPA

    def step(self, dt_s: float, outdoor: Outdoor, conductance: float, heat_kw: float) -> None:
        """Advance by `dt_s`: valves of `conductance` L/s at 100 kPa, which brought `heat_kw` into the water."""
        self._age_s += dt_s
        self._stage(dt_s, heat_kw)
        self._open(dt_s, conductance)
        self._command_drives(dt_s, outdoor)
        self.drives.ramp(dt_s)
        self._flow()
        cooled = self._condenser_design
        pushed = float(np.sum(self.drives.speed[_CWP]))
        # Constant pipe work: flow follows the speed, more pumps than machines add a little each.
        self.condenser_ls = min(_CONDENSER_LS * pushed, 1.25 * cooled)
        for n, chiller in enumerate(self.chillers):
            chiller.step(dt_s, self.chilled_ls(n), self.cooled_ls(n), self.return_c, self.basin_c)
        self._mix(dt_s, heat_kw)
        rejected = sum(chiller.load_kw + chiller.power_kw for chiller in self.chillers if chiller.load_kw > 0.0)
        self._tower(dt_s, outdoor, rejected)
        self._powers()

    def chilled_ls(self, n: int) -> float:
        """Return the flow through the evaporator of machine `n`, L/s."""
        share = self.isolation[n] * self.chillers[n].curve.chilled_ls
        return self.flow_ls * share / self._design if self._design > 0.0 else 0.0

    def cooled_ls(self, n: int) -> float:
        """Return the flow through the condenser of machine `n`, L/s."""
        share = self.isolation[n] * self.chillers[n].curve.condenser_ls
        return self.condenser_ls * share / self._condenser_design if self._condenser_design > 0.0 else 0.0

    def _open(self, dt_s: float, conductance: float) -> None:
        """Move isolation and bypass valves; the bypass keeps the evaporators above 0.6 of their flow."""
        stroke = dt_s / _ISOLATION_S
        for n, chiller in enumerate(self.chillers):
            target = float(chiller.wants_water)
            self.isolation[n] += min(max(target - self.isolation[n], -stroke), stroke)
        pairs = list(zip(self.isolation, self.chillers, strict=True))
        self._design = sum(opening * chiller.curve.chilled_ls for opening, chiller in pairs)
        self._condenser_design = sum(opening * chiller.curve.condenser_ls for opening, chiller in pairs)
        pressure = math.sqrt(self.dp_setpoint / _DESIGN_DP_KPA)
        needed = 0.6 * sum(c.curve.chilled_ls for c in self.chillers if c.wants_water)
        self._bypass_local = min(max((needed / pressure - conductance) / _BYPASS_LS, 0.0), 1.0)
        target = self._bypass_local if math.isnan(self.bypass_cmd) else self.bypass_cmd
        stroke = dt_s / 30.0
        self.bypass += min(max(target - self.bypass, -stroke), stroke)
        self._asked = (conductance + _BYPASS_LS * max(self.bypass, target)) * pressure
        self._unit = (conductance + _BYPASS_LS * self.bypass) / math.sqrt(_DESIGN_DP_KPA)

    def _resistance(self, pumps: int) -> float:
        """Return pump head over header pressure: evaporators, pipe and the pumps' own fall."""
        evaporators = max(self._design, 12.0) / math.sqrt(_EVAPORATOR_KPA)
        return 1.0 + (1.0 / evaporators**2 + _PIPE + _HEAD_FALL / pumps**2) * self._unit**2

    def _flow(self) -> None:
        speed = self.drives.speed[_CHW]
        turning = speed > 0.02
        pumps = int(np.count_nonzero(turning))
        self.flow_ls = self.dp_kpa = 0.0
        if pumps:
            self.dp_kpa = _HEAD_KPA * float(np.mean(speed[turning] ** 2)) / self._resistance(pumps)
            self.flow_ls = self._unit * math.sqrt(self.dp_kpa)

    def _mix(self, dt_s: float, heat_kw: float) -> None:
        if self.flow_ls <= 0.1:
            # Standing water follows the plant room.
            self.supply_c += (24.0 - self.supply_c) * (1.0 - math.exp(-dt_s / 3e4))
            self.return_c += (24.0 - self.return_c) * (1.0 - math.exp(-dt_s / 3e4))
            return
        warm = self.supply_c + heat_kw / (WATER_KJ * self.flow_ls)
        self.return_c += (warm - self.return_c) * (1.0 - math.exp(-self.flow_ls * dt_s / _RETURN_KG))
        cold = self.return_c
        if self._design > 0.0:
            parts = zip(self.isolation, self.chillers, strict=True)
            cold = sum(part * c.curve.chilled_ls * c.leaving_c for part, c in parts) / self._design
        self.supply_c += (cold - self.supply_c) * (1.0 - math.exp(-self.flow_ls * dt_s / _SUPPLY_KG))

    def _stage(self, dt_s: float, heat_kw: float) -> None:
        """The automatic: one more machine when the water stays warm, one less when the rest can do it."""
        self._since_s += dt_s
        free = [
            n for n in _ORDER if self.chillers[n].remote_enable is None and not any(self.chillers[n].alarms.values())
        ]
        on = [n for n in free if self.chillers[n].local_enable]
        for chiller in self.chillers:
            if chiller.remote_enable is not None or any(chiller.alarms.values()):
                chiller.local_enable = False
        enabled = [chiller for chiller in self.chillers if chiller.enabled]
        if not free:
            return
        capacity = sum(chiller.curve.capacity_kw * 0.92 for chiller in enabled)
        setpoint = min((chiller.setpoint for chiller in enabled), default=7.0)
        short = not enabled or self.supply_c > setpoint + 1.0 or heat_kw > 0.97 * capacity
        self._up_s = self._up_s + dt_s if short else 0.0
        spare = len(on) > 1 or (len(on) == 1 and len(enabled) > 1)
        rest = capacity - self.chillers[on[-1]].curve.capacity_kw * 0.92 if on else 0.0
        self._down_s = self._down_s + dt_s if spare and heat_kw < 0.80 * rest else 0.0
        if self._up_s > 300.0 and self._since_s > 600.0 and len(on) < len(free):
            self.chillers[next(n for n in free if n not in on)].local_enable = True
            self._up_s = self._since_s = 0.0
        elif not enabled:
            self.chillers[free[0]].local_enable = True
        elif self._down_s > 900.0 and self._since_s > 900.0:
            self.chillers[on[-1]].local_enable = False
            self._down_s = self._since_s = 0.0

    def _command_drives(self, dt_s: float, outdoor: Outdoor) -> None:
        drives = self.drives
        wet = [chiller for chiller in self.chillers if chiller.wants_water]
        chilled = sum(chiller.curve.chilled_ls for chiller in wet)
        cooled = sum(chiller.curve.condenser_ls for chiller in wet)
        wanted = min(self._asked, 1.15 * chilled) / _PUMP_LS
        if not wet:
            self._pumps = 0
        elif wanted > self._pumps + 0.1 or wanted < self._pumps - 1.3:
            # One less only when the rest would have a third of a pump to spare.
            self._pumps = min(max(1, math.ceil(wanted - 0.1)), PUMPS)
        needed = self._pumps
        self._staff(_CHW, min(needed, PUMPS))
        speed = math.sqrt(self.dp_setpoint * self._resistance(max(needed, 1)) / _HEAD_KPA)
        drives.local_speed[_CHW] = min(max(speed, 0.35), 1.0)
        cells = min(max(round(cooled / _CELL_LS), 1), TOWERS) if wet else 0
        needed = max(1, math.ceil(cooled / _CONDENSER_LS - 0.2)) if wet else 0
        self._staff(_CWP, needed)
        drives.local_speed[_CWP] = min(max(cooled / (_CONDENSER_LS * max(needed, 1)), 0.6), 1.0)
        self._staff(_FAN, cells)
        target = max(outdoor.wet_bulb + 3.5, 21.0)
        self._fan_level += (self.basin_c - target) * 0.04 * (1.0 - math.exp(-dt_s / 90.0))
        self._fan_level = min(max(self._fan_level, 0.25), 1.0)
        drives.local_speed[_FAN] = self._fan_level

    def _staff(self, part: slice, needed: int) -> None:
        """Let the automatic run as many drives as are still needed beside those that the bus commands."""
        drives = self.drives
        bus, fault = drives.on_bus[part], drives.fault[part] > 0.5
        left = needed - int(np.sum(drives.run_cmd[part][bus & ~fault]))
        local = drives.local_run[part]
        for n in range(len(local)):
            usable = not bus[n] and not fault[n]
            local[n] = float(usable and left > 0)
            left -= int(usable)

    def _tower(self, dt_s: float, outdoor: Outdoor, rejected_kw: float) -> None:
        flow = self.condenser_ls
        if flow > 1.0:
            speeds = self.drives.speed[_FAN]
            cells = max(1, min(TOWERS, round(flow / _CELL_LS)))
            air = float(np.sum(np.sort(speeds)[-cells:])) / cells
            range_k = rejected_kw / (WATER_KJ * flow)
            left = outdoor.wet_bulb + approach(range_k, outdoor.wet_bulb, flow / (cells * _CELL_LS), air)
            hot = self.basin_c + range_k
            left = min(left, hot) if range_k > 0.2 else self.basin_c - 0.2
            # Through the tower once in basin / flow seconds.
            self.basin_c += (left - self.basin_c) * (1.0 - math.exp(-flow * dt_s / _BASIN_KG))
        else:
            self.basin_c += (outdoor.wet_bulb + 2.0 - self.basin_c) * (1.0 - math.exp(-dt_s / 4e4))
        self.basin_c = max(self.basin_c, outdoor.wet_bulb + 0.5, 14.0)
        lost = evaporation_kg_s(rejected_kw) + 0.0001 * flow
        blowdown = 0.4 * lost if self.conductivity > _BLOWDOWN_US else 0.0
        self.makeup_lmin = min(max((_BASIN_MM - self.level_mm) * 12.0, 0.0), 900.0)
        change = (self.makeup_lmin / 60.0 - lost - blowdown) * dt_s / _BASIN_M2
        self.level_mm = min(max(self.level_mm + change, 50.0), 520.0)
        salt = self.makeup_lmin / 60.0 * _FEED_US - blowdown * self.conductivity
        mass = _BASIN_KG + (self.level_mm - _BASIN_MM) * _BASIN_M2
        self.conductivity += (salt - self.conductivity * (self.makeup_lmin / 60.0 - lost - blowdown)) * dt_s / mass
        self.conductivity = min(max(self.conductivity, 150.0), 3000.0)

    def _powers(self) -> None:
        speed, power = self.drives.speed, self.drives.power_kw
        pumps = max(1, int(np.count_nonzero(speed[_CHW] > 0.02)))
        flow = self.flow_ls / pumps
        turn = np.maximum(speed[_CHW], 0.02)
        head = np.maximum(_HEAD_KPA * turn**2 - _HEAD_FALL * flow**2, 10.0)
        best = np.clip(flow / (_PUMP_LS * turn), 0.3, 1.6)
        efficiency = 0.76 * (1.0 - 0.6 * (best - 1.0) ** 2) * 0.93 * 0.96
        power[_CHW] = np.where(speed[_CHW] > 0.02, flow * head / 1000.0 / efficiency + 0.3, 0.15)
        # 45 L/s against 270 kPa at full speed.
        power[_CWP] = np.where(speed[_CWP] > 0.02, 17.5 * speed[_CWP] ** 3 + 0.4, 0.15)
        power[_FAN] = np.where(speed[_FAN] > 0.02, 27.0 * speed[_FAN] ** 3 + 0.3, 0.15)

    def show(self, outdoor: Outdoor) -> None:
        """Bring the tables up to date."""
        self.drives.show()
        noise = self._noise.standard_normal((6, CHILLERS))
        for n, chiller in enumerate(self.chillers):
            self.chiller_table[:, n] = self._measure(n, chiller, noise[:, n].tolist())
        table, spare = self.header_table[:, 0], noise[5]
        table[0] = self.supply_c + 0.01 * spare[0]
        table[1] = self.return_c + 0.01 * spare[1]
        table[2] = max(0.0, self.dp_kpa * (1.0 + 0.006 * spare[2]))
        table[3] = 100.0 * self.bypass
        table[4] = outdoor.temperature + 0.03 * spare[3]
        table[5] = outdoor.wet_bulb + 0.03 * noise[4, 0]
        table[6] = self.level_mm + 0.4 * noise[4, 1]
        table[7] = self.makeup_lmin
        table[8] = self.conductivity
        table[9] = 100.0 * (self._bypass_local if math.isnan(self.bypass_cmd) else self.bypass_cmd)
        table[10] = self.dp_setpoint

    def _measure(self, n: int, chiller: Chiller, noise: list[float]) -> list[float]:
        runs = chiller.load_kw > 0.0
        wet = chiller.wants_water
        chilled, condenser = self.chilled_ls(n), self.cooled_ls(n)
        part = chiller.load_kw / chiller.curve.capacity_kw
        evaporating = chiller.leaving_c - (0.8 + 2.2 * part) if runs else 15.0
        condensing = chiller.condenser_c + (0.8 + 1.6 * part) if runs else 24.0
        power = chiller.power_kw * (1.0 + 0.003 * noise[0])
        offset = self._offset[:, n].tolist()
        remote = chiller.remote_enable if chiller.remote_enable is not None else float(chiller.local_enable)
        alarms = [float(chiller.alarms[name]) for name in ALARMS]
        return [
            float(chiller.state), float(any(alarms)), *alarms, 1.0,
            chiller.leaving_c + offset[0] + 0.015 * noise[1], self.return_c + offset[1] + 0.015 * noise[2],
            chiller.condenser_c + offset[2] + 0.015 * noise[3], self.basin_c + offset[3] + 0.015 * noise[4],
            chilled * (1.0 + 0.004 * noise[1]), condenser * (1.0 + 0.004 * noise[2]),
            100.0 * part, power, 100.0 * (0.08 + 0.92 * chiller.power_kw / chiller.rated_kw) if runs else 0.0,
            min(100.0, 100.0 * (0.12 + 0.9 * part)) if runs else 0.0,
            saturation_kpa(evaporating), saturation_kpa(condensing), 175.0 + 3.0 * noise[3] if wet else 0.0,
            condensing + 9.0 + 10.0 * part if runs else 26.0, evaporating, condensing,
            chiller.energy_kwh, chiller.run_hours, chiller.starts,
            chiller.start_wait_s, chiller.minimum_on_left_s, float(int(self._age_s)),
            remote, chiller.setpoint, chiller.limit, 0.0, chiller.heartbeat, chiller.setpoint, chiller.limit,
        ]  # fmt: skip

    def running(self) -> int:
        """Return how many machines cool now."""
        return sum(chiller.state == RUNNING for chiller in self.chillers)


def saturation_kpa(celsius: float) -> float:
    """Return the absolute saturation pressure of R-134a, kPa.

    Antoine form through 349.9 kPa at 5 °C and 1,017 kPa at 40 °C (ASHRAE refrigerant tables), within 1 % from 0 to 50.
    """
    return math.exp(14.485 - 2139.6 / (celsius + 243.0))
