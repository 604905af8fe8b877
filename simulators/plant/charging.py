"""Eighteen chargers: a car that is plugged in takes what it can, the limit lets it, and the charger is worth.

A limit is a current (Alfen, KEBA) or a power (Delta, Alpitronic). Each model has its own watchdog: Alfen wants its
set-point again, KEBA its fail-safe register, Delta and Alpitronic any request; without it they fall back by themselves.
A charger that nobody ever commanded charges with all that it has. Below 6 A IEC 61851 knows no current: it pauses.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.device import NotWritableError, RefusedError
from simulators.plant.parking import CHARGERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.plant.parking import Vehicle

__all__ = ["ALFEN", "ALPITRONIC", "DELTA", "KEBA", "KW_A", "SAFE_A", "ChargerBank"]

ALFEN, DELTA, KEBA, ALPITRONIC = 0, 1, 2, 3
KW_A = math.sqrt(3.0) * 0.38
"""kW of one ampere of three phases at 380 V."""
_LEAST_A, _MOST_A = 6.0, 32.0
SAFE_A = 8.0
"""Safe current of Alfen and KEBA, as commissioned."""
_DELTA_KW, _DELTA_SAFE_KW = 22.0, 4.2
_DC_KW, _DC_LEAST_KW, _DC_SAFE_KW = 50.0, 1.547, 10.0
_VALID_S = np.array([60.0, 60.0, 30.0, 60.0])
"""Alfen: validity of a set-point; the others: silence until they fall back."""
_RAMP_KWS = 3.0
_TAPER = 0.85
"""State of charge from which a battery takes less and less."""
_FREE, _CONNECTED, _CHARGING, _PAUSED, _FULL, _FAULT, _UNAVAILABLE = range(7)
_TAGS = (
    "state", "vehicle_connected", "power", "current", "voltage", "energy", "session_energy", "session_time",
    "current_limit", "current_limit_applied", "limit_valid", "safe_current", "power_limit", "enable", "error_code",
    "soc", "max_power", "rfid", "bay_occupied", "vehicle",
)  # fmt: skip


class ChargerBank:
    """Chargers as arrays (CHARGERS,); `table` holds what they show."""

    remembered = True
    rows = {tag: row for row, tag in enumerate(_TAGS)}  # noqa: RUF012

    def __init__(self, kind: NDArray[np.int64], totals_kwh: NDArray[np.float64]) -> None:
        """`kind` is the model of each, `totals_kwh` what its meter shows at the beginning."""
        n = CHARGERS
        self.kind = kind
        self.connected = np.zeros(n, np.bool_)
        self.battery_kwh = np.ones(n)
        self.held_kwh = np.zeros(n)
        """Energy in the car's battery."""
        self.car_kw = np.zeros(n)
        self.official = np.zeros(n)
        self.rfid = np.zeros(n)
        self.power_kw = np.zeros(n)
        self.session_kwh = np.zeros(n)
        self.session_s = np.zeros(n)
        self.total_kwh = totals_kwh.copy()
        self.setpoint = np.full(n, np.nan)
        """A or kW, as the model takes it; NaN: never commanded."""
        self.age_s = np.zeros(n)
        """Since the set-point (Alfen) or the fail-safe register (KEBA) was last written."""
        self.watched = np.zeros(n, np.bool_)
        self.enabled = np.ones(n, np.bool_)
        self.fault = np.zeros(n, np.bool_)
        self.limit_kw = np.zeros(n)
        self.table = np.zeros((len(_TAGS), n))

    def plug(self, column: int, vehicle: Vehicle, charge: float, rfid: float) -> None:
        """Connect a car whose battery holds the share `charge`: a session begins."""
        self.connected[column] = True
        self.battery_kwh[column] = vehicle.battery_kwh
        self.held_kwh[column] = charge * vehicle.battery_kwh
        dc = self.kind[column] == ALPITRONIC
        self.car_kw[column] = max(vehicle.max_kw, _DC_KW) if dc else vehicle.max_kw
        self.official[column], self.rfid[column] = vehicle.number, rfid
        self.session_kwh[column] = self.session_s[column] = 0.0

    def unplug(self, column: int) -> float:
        """Let the car go; returns the charge of its battery, 0 to 1."""
        self.connected[column] = False
        self.official[column] = self.rfid[column] = 0.0
        return float(self.held_kwh[column] / self.battery_kwh[column])

    def take(self, column: int, tag: str, value: float) -> float:
        """Accept a limit (`current_limit` A, `power_limit` kW), `enable`, or the fail-safe register of KEBA.

        Raises:
            NotWritableError: the model has no such set-point.
            RefusedError: KEBA knows no current below 6 A.
        """
        kind = int(self.kind[column])
        if tag == "current_limit" and kind in (ALFEN, KEBA):
            if kind == KEBA and not _LEAST_A <= value <= 63.0:
                raise RefusedError(f"current_limit: {value:g} A")
            value = min(max(value, 0.0), _MOST_A)
            value = 0.0 if value < _LEAST_A else value
            self.table[self.rows[tag], column] = self.table[self.rows["current_limit_applied"], column] = value
        elif tag == "power_limit" and kind in (DELTA, ALPITRONIC):
            value = min(max(value, 0.0), _DELTA_KW if kind == DELTA else _DC_KW)
            self.table[self.rows[tag], column] = value
        elif tag == "enable" and kind == KEBA:
            self.enabled[column] = value >= 0.5
            self.table[self.rows[tag], column] = float(value >= 0.5)
            return float(value >= 0.5)
        elif tag == "failsafe_timeout" and kind == KEBA:
            self.age_s[column], self.watched[column] = 0.0, True
            return value
        else:
            raise NotWritableError(f"charger {column + 1}: {tag} is read only")
        self.setpoint[column] = value
        if kind == ALFEN:
            self.age_s[column], self.watched[column] = 0.0, True
        return value

    def forget(self, column: int) -> None:
        """Be as after a power failure: no set-point, nothing plugged out."""
        self.setpoint[column] = np.nan
        self.watched[column], self.enabled[column] = False, True

    def step(self, dt_s: float, silent_s: NDArray[np.float64]) -> None:
        """Advance; `silent_s` is since when nobody asked, infinite before anybody did."""
        self.age_s += dt_s
        self.limit_kw = self._limits(silent_s)
        soc = self.held_kwh / self.battery_kwh
        able = self.car_kw * np.clip((1.0 - soc) / (1.0 - _TAPER), 0.05, 1.0)
        wanted = np.where(self.connected & ~self.fault & (soc < 1.0), np.minimum(able, self.limit_kw), 0.0)
        change = np.clip(wanted - self.power_kw, -_RAMP_KWS * dt_s, _RAMP_KWS * dt_s)
        power = np.where(self.connected & ~self.fault, self.power_kw + change, 0.0)
        room = np.maximum(self.battery_kwh - self.held_kwh, 0.0)
        given = np.where(self.connected, np.minimum(power * dt_s / 3600.0, room), 0.0)
        self.power_kw = given * 3600.0 / dt_s
        self.held_kwh += given
        self.held_kwh[given >= room - 1e-9] = self.battery_kwh[given >= room - 1e-9]
        self.session_kwh += given
        self.total_kwh += given
        self.session_s += np.where(self.connected, dt_s, 0.0)

    def _limits(self, silent_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the limit in effect, kW."""
        kind, setpoint = self.kind, self.setpoint
        unset = np.isnan(setpoint)
        alfen, keba = kind == ALFEN, kind == KEBA
        lost = np.where(
            alfen | keba,
            self.watched & (self.age_s > _VALID_S[kind]),
            np.isfinite(silent_s) & (silent_s > _VALID_S[kind]) & ~unset,
        )
        amps = np.where(lost, SAFE_A, np.where(unset, _MOST_A, np.nan_to_num(setpoint)))
        amps = np.where((amps < _LEAST_A) | ~self.enabled, 0.0, amps)
        most = np.where(kind == DELTA, _DELTA_KW, _DC_KW)
        safe = np.where(kind == DELTA, _DELTA_SAFE_KW, _DC_SAFE_KW)
        kw = np.where(lost, safe, np.where(unset, most, np.nan_to_num(setpoint)))
        least = np.where(kind == DELTA, _LEAST_A * KW_A, _DC_LEAST_KW)
        return np.where(alfen | keba, amps * KW_A, np.where(kw < least, 0.0, kw))

    def show(self, occupied: NDArray[np.bool_], vehicle: NDArray[np.float64]) -> None:
        """Bring the table up to date; `occupied` and `vehicle` are what the cameras over the bays see."""
        table, rows = self.table, self.rows
        soc = self.held_kwh / self.battery_kwh
        aborted = (self.kind == ALPITRONIC) & (self.setpoint == 0.0)
        table[rows["state"]] = np.select(
            [self.fault, aborted, ~self.connected, self.power_kw > 0.05, soc >= 1.0, self.limit_kw <= 0.0],
            [_FAULT, _UNAVAILABLE, _FREE, _CHARGING, _FULL, _PAUSED],
            _CONNECTED,
        )
        dc = self.kind == ALPITRONIC
        amps = self.limit_kw / KW_A
        table[rows["vehicle_connected"]] = self.connected
        table[rows["power"]] = self.power_kw
        table[rows["current"]] = np.where(dc, self.power_kw / 0.4, self.power_kw / KW_A)
        table[rows["voltage"]] = np.where(dc, np.where(self.connected, 400.0, 0.0), 219.4)
        table[rows["energy"]] = self.total_kwh
        table[rows["session_energy"]] = self.session_kwh
        # The register of the HYC has 16 bits and stays at its end.
        table[rows["session_time"]] = np.where(dc, np.minimum(self.session_s, 65_535.0), self.session_s)
        alfen = self.kind == ALFEN
        unset = np.isnan(self.setpoint)
        # KEBA shows what is in effect; Alfen shows the set-point apart.
        table[rows["current_limit"]] = np.where(
            alfen, np.where(unset, _MOST_A, self.setpoint), np.where(self.enabled, amps, 0.0)
        )
        table[rows["current_limit_applied"]] = amps
        table[rows["limit_valid"]] = np.where(self.watched, np.maximum(_VALID_S[self.kind] - self.age_s, 0.0), 0.0)
        table[rows["safe_current"]] = SAFE_A
        table[rows["power_limit"]] = np.where(unset, np.where(dc, _DC_KW, _DELTA_KW), self.setpoint)
        table[rows["enable"]] = self.enabled
        table[rows["error_code"]] = self.fault
        table[rows["soc"]] = np.where(self.connected, 100.0 * soc, 0.0)
        table[rows["max_power"]] = _DC_KW
        table[rows["rfid"]] = self.rfid
        table[rows["bay_occupied"]] = occupied
        table[rows["vehicle"]] = vehicle
