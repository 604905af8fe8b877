"""Lifts: people call cars, cars move floor by floor, doors open and close; and what can go wrong with people inside.

In steps of a second or two every car is a machine of phases. In the coarse steps of history only what adds up counts:
trips, door cycles, hours and energy by the mean of as many calls as came.
"""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.plant.device import Device, NotWritableError, RefusedError, State
from simulators.plant.quantity import Model
from simulators.plant.weather import stream
from simulators.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulators.plant.device import Occurrence
    from simulators.plant.part import Scene
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["LIFT", "LiftBank"]

LIFT = (
    "position", "direction", "door", "load", "mode", "passenger_alarm", "entrapment", "fault_code",
    "trips", "run_hours", "door_cycles", "energy", "park_floor", "service_request",
)  # fmt: skip
_ROW = {tag: row for row, tag in enumerate(LIFT)}
IDLE, OPENING, OPEN, CLOSING, MOVING = range(5)
_DOOR = np.array([0.0, 1.0, 2.0, 3.0, 0.0])
NORMAL, FIRE_RECALL, OUT_OF_SERVICE, POWER_FAIL = 0.0, 2.0, 5.0, 7.0
_STALLED, _DOOR_FAULT = 31.0, 12.0
"""Fault codes of this maker: stopped between landings; out of service by its own supervision."""
_FLOORS_S = 2.5 / 4.0
"""2.5 m/s and 4 m from floor to floor."""
_OPENING_S, _DWELL_S, _CLOSING_S = 2.5, 5.0, 3.0
_STOP_S = _OPENING_S + _DWELL_S + _CLOSING_S
_ENTRAPPED_S = 60.0
_STANDBY_KW, _EMPTY_KW, _FULL_KW = 0.6, 4.0, 14.0
"""Lights and drive; a car whose load and counterweight are even; what an uneven one needs more."""
_BALANCE = 0.45
_MEAN_KW = 7.0
_PARK_S = 30.0
_FINE_S = 5.0
_RUSH = (8.4, 12.1, 13.2, 17.6)
_MODES_AT_REST = (OUT_OF_SERVICE, POWER_FAIL)


class LiftBank:
    """All lifts as arrays (N,); `table` (Q, N) holds what they show."""

    models: ClassVar[Mapping[str, Model]] = {
        "site-standard-lift": Model("lift", history=("mode", "trips", "run_hours", "door_cycles", "energy")),
    }

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:
        """Lay out the cars; each serves every floor of its building below the roof."""
        count = len(rows)
        self.names = tuple(row.id for row in rows)
        floors = {building.id: _landings(building.floors) for building in site.buildings}
        for row in rows:
            if not floors.get(row.equipment.split(".", 1)[0]):
                raise SiteError(f'device "{row.id}" equipment: got "{row.equipment}", wanted a building with floors')
        self._landings = [floors[row.equipment.split(".", 1)[0]] for row in rows]
        self._top = np.array([len(landings) - 1 for landings in self._landings])
        self._number = np.zeros((count, int(self._top.max()) + 1))
        for column, landings in enumerate(self._landings):
            self._number[column, : len(landings)] = landings
        self._home = np.array([landings.index(1) for landings in self._landings])
        self._addresses = [row.equipment for row in rows]
        self._mine = np.array([row.equipment.startswith(f"{site.buildings[0].id}.") for row in rows])
        """Lifts of the first building: its fire panel and its supply are theirs."""
        self._busy = np.where(self._mine, 1.0, 0.3)
        # Calls of one building do not hang on what the site knows of another.
        self._draw, self._draw_elsewhere = stream(seed, "lift calls"), stream(seed, "lift calls elsewhere")
        start = np.array([stream(seed, "lift", zlib.crc32(row.id.encode())).random(2) for row in rows]).T
        self.at = np.floor(start[0] * (self._top + 1))
        self.phase = np.zeros(count, np.int64)
        self._timer = np.zeros(count)
        self._target = self.at.astype(np.int64)
        self._next = np.full(count, -1)
        """Landing that the passengers want after the one where they get in; -1: none."""
        self._errand = np.zeros(count, np.bool_)
        """The car goes without passengers and opens no door."""
        self.load = np.zeros(count)
        self.mode = np.full(count, NORMAL)
        self._idle_s = np.zeros(count)
        self._park = np.full(count, np.nan)
        self._service = np.zeros(count)
        self._code = np.zeros(count)
        self._button = np.zeros(count)
        self._stall_s = np.full(count, -1.0)
        """Seconds since the car stopped between landings; below 0: it has not."""
        self.trips = np.floor(2e5 + 7e5 * start[1])
        self.door_cycles = np.floor(self.trips * 1.02)
        self.run_s = self.trips * 11.0
        self.energy_kwh = self.trips * 0.03
        self.power_kw = np.full(count, _STANDBY_KW)
        self._devices: dict[str, Device] = {}
        self.table = np.zeros((len(LIFT), count))

    def device(self, row: SimulatedDevice) -> Device:
        """Return what a device looks at."""
        column = self.names.index(row.id)
        state = State(_ROW, self.table, column)
        found = Device(row, state, partial(self._take, column), partial(self._forget, column))
        self._devices[row.id] = found
        return found

    def loads_kw(self) -> Mapping[str, float]:
        """Return what the cars of the first building draw; others have a supply of their own."""
        return {"lift": float(self.power_kw[self._mine].sum())}

    def step(self, dt_s: float, scene: Scene) -> None:
        """Advance by `dt_s`: in parts of a second or two, or in one coarse step."""
        for column, name in enumerate(self.names):
            occurrences = self._devices[name].occurrences if name in self._devices else ()
            while occurrences:
                self._happen(column, occurrences.popleft())
        self._set_modes(scene)
        moment = scene.moment
        rush = max(max(0.0, 1.0 - abs(moment.hour - at) / 0.5) for at in _RUSH) * moment.workday
        calls_s = (1.0 + 45.0 * scene.crowd + 70.0 * rush) * self._busy / 3600.0
        if dt_s <= _FINE_S:
            parts = max(1, round(dt_s))
            for _ in range(parts):
                self._run(dt_s / parts, calls_s)
        else:
            self._add_up(dt_s, calls_s)
        stands = (self.phase == OPEN) & (self.mode == FIRE_RECALL) & (self.at == self._recall(scene))
        scene.wires.recalled = frozenset(self._addresses[column] for column in stands.nonzero()[0])
        self._stall_s = np.where(self._stall_s >= 0.0, self._stall_s + dt_s, self._stall_s)

    def _recall(self, scene: Scene) -> NDArray[np.int64]:
        """Return the landing to which the fire panel calls the cars: 1F, or 2F when the fire is there."""
        return np.asarray(np.minimum(self._home + ("1F" in scene.wires.fire_floors), self._top), np.int64)

    def _set_modes(self, scene: Scene) -> None:
        """Let fire, power and the service request decide the mode, in this order."""
        mine = self._mine
        fire = mine & bool(scene.wires.fire_floors) & (self._stall_s < 0.0)
        dark = np.full(len(mine), not scene.wires.supply) & mine
        resting = (self._service > 0.5) & (self.phase == IDLE) | (self._code == _DOOR_FAULT)
        wanted = np.where(dark, POWER_FAIL, np.where(fire, FIRE_RECALL, np.where(resting, OUT_OF_SERVICE, NORMAL)))
        called = (wanted == FIRE_RECALL) & (self.mode != FIRE_RECALL)
        self._target = np.where(called, self._recall(scene), self._target)
        self._next = np.where(called, -1, self._next)
        self._errand &= ~called
        # A car elsewhere first closes its door and then goes; one that is there opens it or lets it open.
        there = self.at == self._target
        closed = (wanted == FIRE_RECALL) & (self.phase == IDLE)
        self._enter(closed & there, OPENING, _OPENING_S)
        self._enter(closed & ~there, MOVING, 0.0)
        self._enter(called & ~there & ((self.phase == OPEN) | (self.phase == OPENING)), CLOSING, _CLOSING_S)
        released = (self.mode == FIRE_RECALL) & (wanted != FIRE_RECALL)
        self._enter(released & (self.phase == OPEN), CLOSING, _CLOSING_S)
        self.mode = wanted

    def _enter(self, which: NDArray[np.bool_], phase: int, seconds: float) -> None:
        if which.any():
            self.phase = np.where(which, phase, self.phase)
            self._timer = np.where(which, seconds, self._timer)

    def _run(self, dt_s: float, calls_s: NDArray[np.float64]) -> None:
        """Advance every car through its phases by a second or two."""
        chance, origin, goal, people = self._random(4)
        frozen = np.isin(self.mode, _MODES_AT_REST) | (self._stall_s >= 0.0)
        self._call(dt_s, calls_s, chance, origin, goal)
        moving = (self.phase == MOVING) & ~frozen
        way = self._target - self.at
        self.at = self.at + np.where(moving, np.sign(way) * np.minimum(np.abs(way), _FLOORS_S * dt_s), 0.0)
        uneven = np.maximum(np.sign(way) * (self.load / 100.0 - _BALANCE), 0.0)
        self.power_kw = _STANDBY_KW + np.where(moving, _EMPTY_KW + _FULL_KW * uneven, 0.0)
        arrived = moving & (self.at == self._target)
        self._enter(arrived & self._errand, IDLE, 0.0)
        self._enter(arrived & ~self._errand, OPENING, _OPENING_S)
        self._timer = np.where(frozen, self._timer, self._timer - dt_s)
        due = (self._timer <= 0.0) & ~frozen & ~arrived
        closed = due & (self.phase == CLOSING)
        opened, full = due & (self.phase == OPENING), due & (self.phase == OPEN) & (self.mode != FIRE_RECALL)
        self.door_cycles = self.door_cycles + opened
        self.load = np.where(opened, np.where(self._next >= 0, np.round(8.0 + 60.0 * people), 0.0), self.load)
        self._enter(opened, OPEN, _DWELL_S)
        self._enter(full, CLOSING, _CLOSING_S)
        goes = closed & (self._next >= 0)
        self._target = np.where(goes, self._next, self._target)
        self._next = np.where(goes, -1, self._next)
        # A car that is recalled closes with its target set already.
        goes |= closed & (self.at != self._target)
        self._enter(closed & ~goes, IDLE, 0.0)
        self._enter(goes, MOVING, 0.0)
        self.trips = self.trips + goes
        self._idle_s = np.where(self.phase == IDLE, self._idle_s + dt_s, 0.0)
        self.run_s = self.run_s + moving * dt_s
        self.energy_kwh = self.energy_kwh + self.power_kw * (dt_s / 3600.0)

    def _random(self, rows: int) -> NDArray[np.float64]:
        """Return numbers from 0 to 1, (rows, N)."""
        found = np.empty((rows, len(self.at)))
        here = int(np.count_nonzero(self._mine))
        found[:, self._mine] = self._draw.random((rows, here))
        found[:, ~self._mine] = self._draw_elsewhere.random((rows, len(self.at) - here))
        return found

    def _call(
        self,
        dt_s: float,
        calls_s: NDArray[np.float64],
        chance: NDArray[np.float64],
        origin: NDArray[np.float64],
        goal: NDArray[np.float64],
    ) -> None:
        """Let people call idle cars, and idle cars go to where they are parked."""
        free = (self.phase == IDLE) & (self.mode == NORMAL) & (self._service < 0.5) & (self._stall_s < 0.0)
        called = free & (chance < 1.0 - np.exp(-calls_s * dt_s))
        floors = self._top + 1
        at = np.floor(origin * floors).astype(np.int64)
        to = (at + 1 + np.floor(goal * self._top).astype(np.int64)) % floors
        self._next = np.where(called, to, self._next)
        self._target = np.where(called, at, self._target)
        self._errand &= ~called
        here = called & (self.at == at)
        self._enter(here, OPENING, _OPENING_S)
        self._enter(called & ~here, MOVING, 0.0)
        parked = free & ~called & np.isfinite(self._park) & (self._idle_s > _PARK_S) & (self.at != self._park)
        self._target = np.where(parked, np.nan_to_num(self._park).astype(np.int64), self._target)
        self._errand |= parked
        self._enter(parked, MOVING, 0.0)
        self.trips = self.trips + ((called & ~here) | parked)

    def _add_up(self, dt_s: float, calls_s: NDArray[np.float64]) -> None:
        """Let many seconds pass at once: as many trips as calls came, at their mean length."""
        running = (self.mode == NORMAL) & (self._stall_s < 0.0)
        floors = self._top + 1
        # Two numbers of n drawn at random are (n² - 1) / 3n apart in the mean.
        move_s = (floors * floors - 1.0) / (3.0 * floors) / _FLOORS_S
        most = dt_s / (2.0 * (move_s + _STOP_S))
        (place,) = self._random(1)
        calls = np.zeros(len(self.at))
        calls[self._mine] = self._draw.poisson(calls_s[self._mine] * dt_s)
        calls[~self._mine] = self._draw_elsewhere.poisson(calls_s[~self._mine] * dt_s)
        calls = np.minimum(calls, most) * running
        moves = np.round(calls * (2.0 - 1.0 / floors))
        self.trips = self.trips + moves
        self.door_cycles = self.door_cycles + np.round(2.0 * calls)
        driven_s = np.minimum(moves * move_s, dt_s)
        self.run_s = self.run_s + driven_s
        self.power_kw = _STANDBY_KW + _MEAN_KW * driven_s / dt_s
        self.energy_kwh = self.energy_kwh + self.power_kw * (dt_s / 3600.0)
        place = np.floor(place * floors)
        place = np.where(running & (calls > 0), place, np.round(self.at))
        place = np.where(self.mode == FIRE_RECALL, self._target, place)
        self.at = np.where(self._stall_s < 0.0, place, self.at)
        self._target = place.astype(np.int64)
        settled = self._stall_s < 0.0
        recalled = settled & (self.mode == FIRE_RECALL)
        self.phase = np.where(recalled, OPEN, np.where(settled, IDLE, self.phase))
        self.load = np.where(settled, 0.0, self.load)
        self._next = np.where(settled, -1, self._next)
        self._errand &= ~settled

    def _happen(self, column: int, occurrence: Occurrence) -> None:
        """Let something happen to one car; other words are nothing to it."""
        data = occurrence.data
        match occurrence.type:
            case "stall":
                # Between two landings, with people inside; `since` seconds ago, `alarm=1` when they press the button.
                self.at[column] = min(np.floor(self.at[column]), self._top[column] - 1) + 0.4
                self.phase[column] = MOVING
                self._next[column] = -1
                self.load[column] = float(data.get("load", 25))
                self._button[column] = float(data.get("alarm", 0))
                self._stall_s[column] = float(data.get("since", 0))
                self._code[column] = _STALLED
            case "rescue":
                self.at[column] = np.floor(self.at[column])
                self._target[column] = int(self.at[column])
                self.load[column] = self._button[column] = self._code[column] = 0.0
                self._stall_s[column] = -1.0
                self.phase[column] = IDLE
            case "alarm":
                self._button[column] = 1.0
            case "fault":
                self._code[column] = _DOOR_FAULT
            case "repair":
                self._code[column] = self._button[column] = 0.0

    def _take(self, column: int, tag: str, value: float) -> float:
        """Accept a command for one car.

        Raises:
            NotWritableError, RefusedError: see `Device.write`.
        """
        if tag == "service_request":
            self._service[column] = value = float(value >= 0.5)
        elif tag == "park_floor":
            if value not in self._landings[column]:
                raise RefusedError(f"{self.names[column]}: it does not serve floor {value:g}")
            self._park[column] = self._landings[column].index(int(value))
        else:
            raise NotWritableError(f"{self.names[column]}: {tag} is read only")
        self.table[_ROW[tag], column] = value
        return value

    def _forget(self, column: int) -> None:
        """Be parked nowhere and in service again."""
        self._park[column] = np.nan
        self._service[column] = 0.0

    def show(self) -> None:
        """Bring the table up to date."""
        table, columns = self.table, np.arange(len(self.at))
        table[0] = self._number[columns, np.clip(np.round(self.at), 0, self._top).astype(np.int64)]
        way = np.sign(self._target - self.at)
        frozen = np.isin(self.mode, _MODES_AT_REST) | (self._stall_s >= 0.0)
        table[1] = np.where((self.phase == MOVING) & ~frozen, np.where(way > 0, 1.0, np.where(way < 0, 2.0, 0.0)), 0.0)
        table[2] = np.where(self._code == _DOOR_FAULT, 4.0, _DOOR[self.phase])
        table[3] = self.load
        table[4] = self.mode
        table[5] = self._button
        table[6] = (self._stall_s > _ENTRAPPED_S) & ((self.load > 0.0) | (self._button > 0.5))
        table[7] = self._code
        table[8] = self.trips
        table[9] = self.run_s / 3600.0
        table[10] = self.door_cycles
        table[11] = self.energy_kwh
        parked = np.where(np.isfinite(self._park), self._park, self._home).astype(np.int64)
        table[12] = self._number[columns, parked]
        table[13] = self._service


def _landings(floors: Sequence[str]) -> list[int]:
    """Return the numbers of the floors that a lift serves: B3 is -3, 12F is 12, the roof is none."""
    return [-int(floor[1:]) if floor.startswith("B") else int(floor[:-1]) for floor in floors if floor != "RF"]
