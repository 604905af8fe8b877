"""Cars: they come through a gate, drive to a bay, stay, and leave through another. Nothing is ever lost on the way.

Every bay knows its car; a car on its way holds its bay. Times are seconds since 1970. The course of a day: commuters of
a town hall in the morning, visitors at its counters, few at night; how many come in an hour is assumed so that about
four fifths of 500 bays are taken at noon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.weather import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simulators.plant.calendar import Moment
    from simulators.site import SimulatedVehicle

__all__ = ["CHARGERS", "GATES", "LEVELS", "ROW", "ROWS", "CarBank", "Passage", "Vehicle"]

LEVELS, ROW = 3, 20
ROWS = (8, 8, 9)
"""Rows of bays on B1, B2 and B3: 160, 160 and 180 bays."""
CHARGERS = 18
"""The first bays of B1 have them."""
_RESERVED = 8
"""The first of these are for official cars alone (assumed)."""
GATES = 4
"""Two in, two out."""
_COME = (1, 1, 1, 1, 1, 2, 12, 90, 190, 90, 45, 35, 30, 45, 40, 30, 20, 15, 12, 8, 5, 3, 2, 2)
_COMMUTE = (0, 0, 0, 0, 0, 0.2, 0.6, 0.85, 0.8, 0.5, 0.1, 0, 0, 0.05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""Cars an hour on a working day, and which share of them stays until the evening."""
_WEEKEND = 0.3
_POOL = 60
"""Official cars that are not electric yet; they live here too (assumed)."""
_ELECTRIC = 0.09
_PREFER = np.array([1.2, 1.0, 0.8])
_WAY_S = (55.0, 110.0)
"""Between gate and bay, by level B1 … B3: drawn between these, half a minute more a level."""
_ON_WAY = 96
_IN, _OUT = 1, 2
_OPEN_S, _LOOP_S = 8.0, 3.0
_DAY_S = 86_400.0
_BATTERY_S = 3.2e8
"""A sensor's battery lasts ten years."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What the chargers need to know of a car."""

    number: int
    """Of an official car, from 1; 0 for all others."""
    plate: str
    battery_kwh: float
    max_kw: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A car that went through a gate."""

    gate: int
    car: int
    at_s: float


class CarBank:
    """All bays, all cars on their way, and the four gates."""

    remembered = True

    def __init__(self, seed: int, fleet: Sequence[SimulatedVehicle]) -> None:
        """`fleet` are the official cars, which live here; everything random comes from `seed`."""
        counts = [rows * ROW for rows in ROWS]
        self.level = np.repeat(np.arange(LEVELS), counts)
        n = len(self.level)
        self._seed = seed
        self._draw = stream(seed, "parking")
        self._fleet = dict(enumerate(fleet, 1))
        self._house = len(fleet) + _POOL
        """Numbers up to this one are cars that live here."""
        self.car = np.zeros(n, np.int64)
        """Number of the car in each bay, 0 for none; the official ones come first."""
        self.since_s = np.zeros(n)
        self._leave_s = np.full(n, np.inf)
        self._held = np.zeros(n, np.bool_)
        """A car is on its way to it."""
        self.battery = 100.0 - 60.0 * self._draw.random(n)
        self._way_kind = np.zeros(_ON_WAY, np.int64)
        self._way_car = np.zeros(_ON_WAY, np.int64)
        self._way_bay = np.zeros(_ON_WAY, np.int64)
        self._way_done_s = np.zeros(_ON_WAY)
        self._way_stay_s = np.zeros(_ON_WAY)
        self._home_s = np.full(self._house + 1, np.inf)
        """When a car of the house that is out comes back."""
        self._next = 1000.0
        self._settled = 0.0
        self.passages = np.zeros(GATES)
        self.open_until_s = np.zeros(GATES)
        self.loop_until_s = np.zeros(GATES)
        self.driven_in_s = np.zeros(LEVELS)
        """Seconds that cars drove on each level in the last step, to their bays and out of them."""
        self.driven_out_s = np.zeros(LEVELS)
        self.turned_away = 0.0
        """Cars that found no bay, and drove on in the street."""

    @property
    def occupied(self) -> NDArray[np.bool_]:
        """Tell which bays have a car."""
        return np.asarray(self.car > 0)

    @property
    def inside(self) -> int:
        """Cars between the gates: in bays and on their way."""
        return int(np.count_nonzero(self.car) + np.count_nonzero(self._way_kind))

    def vehicle(self, car: int) -> Vehicle:
        """Return what is known of a car; a plate with I or O was never issued to anybody."""
        if car in self._fleet:
            official = self._fleet[car]
            return Vehicle(official.number, official.plate, official.battery_kwh, official.max_kw)
        draw = stream(self._seed, "car", car)
        letters = "".join("ABCDEFGHJKLMNPQRSTUVWXYZ"[k] for k in draw.integers(0, 24, 1))
        plate = f"IO{letters}-{draw.integers(0, 10_000):04}"
        return Vehicle(0, plate, float(draw.choice((50.0, 60.0, 77.0))), float(draw.choice((7.4, 11.0, 11.0, 22.0))))

    def electric(self, car: int) -> bool:
        """Tell whether a car may want to charge."""
        return car in self._fleet or (
            car > self._house and bool(stream(self._seed, "electric", car).random() < _ELECTRIC)
        )

    def step(self, dt_s: float, moment: Moment, broken: NDArray[np.bool_]) -> list[Passage]:
        """Advance to `moment`; `broken` (CHARGERS,) tells where nobody plugs in. Returns who went through a gate."""
        now_s = moment.time_ns / 1e9
        if not self._settled:
            self._settle(now_s, moment)
        self._settled = now_s
        self.driven_in_s[:] = self.driven_out_s[:] = 0.0
        passed: list[Passage] = []
        self.battery -= 100.0 * dt_s / _BATTERY_S
        self._depart(now_s)
        self._arrive(now_s, dt_s, moment, broken, passed)
        self._drive(now_s, dt_s, moment, passed)
        return passed

    def _settle(self, now_s: float, moment: Moment) -> None:
        """Put the cars of the house where they stand at night."""
        self.since_s[:] = now_s
        for car in range(1, self._house + 1):
            self._park(car, self._choose(car, np.zeros(CHARGERS, np.bool_)), now_s, moment, None)

    def _depart(self, now_s: float) -> None:
        """Start the cars whose time has come; a bay is free from that moment."""
        for bay in np.flatnonzero(self._leave_s <= now_s).tolist():
            place = self._free_place()
            if place < 0:
                return  # the ramp is full; they wait
            self._way_kind[place], self._way_car[place], self._way_bay[place] = _OUT, self.car[bay], bay
            self._way_done_s[place] = now_s + self._way_s(bay)
            self.car[bay], self._leave_s[bay], self.since_s[bay] = 0, np.inf, now_s

    def _arrive(
        self, now_s: float, dt_s: float, moment: Moment, broken: NDArray[np.bool_], passed: list[Passage]
    ) -> None:
        hour = int(moment.hour) % 24
        share = 1.0 if moment.workday else _WEEKEND
        count = int(self._draw.poisson(_COME[hour] * share * dt_s / 3600.0))
        coming = [int(self._next) + k for k in range(count)]
        self._next += count
        coming += np.flatnonzero(self._home_s <= now_s).tolist()
        for car in coming:
            place, bay = self._free_place(), self._choose(car, broken)
            if place < 0 or bay < 0:
                self.turned_away += car > self._house
                continue  # a car of the house tries again, for it lives here
            if car <= self._house:
                self._home_s[car] = np.inf
            stays = self._draw.random() < _COMMUTE[hour]
            evening_s = now_s + (17.7 + 0.5 * self._draw.standard_normal() - moment.hour) * 3600.0
            visit_s = now_s + 900.0 + self._draw.exponential(5800.0)
            self._way_stay_s[place] = max(evening_s, now_s + 1800.0) if stays else visit_s
            self._way_kind[place], self._way_car[place], self._way_bay[place] = _IN, car, bay
            self._way_done_s[place] = now_s + self._way_s(bay)
            self._held[bay] = True
            gate = int(self._draw.integers(0, GATES // 2))
            self._pass(gate, car, now_s, passed)

    def _drive(self, now_s: float, dt_s: float, moment: Moment, passed: list[Passage]) -> None:
        moving = np.flatnonzero(self._way_kind)
        if not len(moving):
            return
        level = self.level[self._way_bay[moving]]
        driven = np.clip(self._way_done_s[moving] - now_s + dt_s, 0.0, dt_s)
        inward = self._way_kind[moving] == _IN
        self.driven_in_s += np.bincount(level[inward], driven[inward], LEVELS)
        self.driven_out_s += np.bincount(level[~inward], driven[~inward], LEVELS)
        for place in moving[self._way_done_s[moving] <= now_s].tolist():
            car, bay = int(self._way_car[place]), int(self._way_bay[place])
            if self._way_kind[place] == _IN:
                self._held[bay] = False
                self._park(car, bay, now_s, moment, float(self._way_stay_s[place]))
            else:
                self._pass(int(self._draw.integers(GATES // 2, GATES)), car, now_s, passed)
                if car <= self._house:
                    self._home_s[car] = now_s + 3600.0 * self._draw.uniform(2.5, 6.0)
            self._way_kind[place] = 0

    def _park(self, car: int, bay: int, now_s: float, moment: Moment, leave_s: float | None) -> None:
        self.car[bay], self.since_s[bay] = car, now_s
        if leave_s is None or car <= self._house:
            leave_s = self._departure(car, now_s, moment)
        self._leave_s[bay] = max(leave_s, now_s + 60.0)

    def _departure(self, car: int, now_s: float, moment: Moment) -> float:
        """Return when a car of the house leaves next: at its time on the next working day, or in the course of it."""
        hour = self._fleet[car].departure_h if car in self._fleet else None
        wanted = self._draw.uniform(8.5, 11.0) if hour is None else hour
        for ahead in range(1, 5) if moment.hour > wanted - 1.0 else range(5):
            if (moment.day + ahead + 3) % 7 < 5:
                return now_s + (wanted - moment.hour) * 3600.0 + ahead * _DAY_S
        return now_s + _DAY_S

    def _choose(self, car: int, broken: NDArray[np.bool_]) -> int:
        """Return a free bay, -1 where there is none: a charger for a car that wants one, else none of those."""
        free = ~self.occupied & ~self._held
        if self.electric(car):
            plugs = free[:CHARGERS] & ~broken
            plugs[:_RESERVED] &= car in self._fleet
            if plugs.any():
                return int(self._draw.choice(np.flatnonzero(plugs)))
        free[:CHARGERS] = False
        weight = np.bincount(self.level[free], minlength=LEVELS) * _PREFER
        if not weight.any():
            return -1
        level = int(self._draw.choice(LEVELS, p=weight / weight.sum()))
        there = np.flatnonzero(free & (self.level == level))
        return int(there[int(self._draw.integers(0, len(there)))])

    def _pass(self, gate: int, car: int, now_s: float, passed: list[Passage]) -> None:
        self.passages[gate] += 1.0
        self.open_until_s[gate], self.loop_until_s[gate] = now_s + _OPEN_S, now_s + _LOOP_S
        passed.append(Passage(gate, car, now_s))

    def _free_place(self) -> int:
        free = np.flatnonzero(self._way_kind == 0)
        return int(free[0]) if len(free) else -1

    def _way_s(self, bay: int) -> float:
        return float(self._draw.uniform(*_WAY_S)) + 30.0 * float(self.level[bay])
