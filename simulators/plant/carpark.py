"""The underground car park: cars, bays, gates and signs, the air and its fans, and the chargers, as one part."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.plant.charging import ALFEN, ALPITRONIC, DELTA, KEBA, ChargerBank
from simulators.plant.device import Device, Occurrence, State
from simulators.plant.garage import ZONES, Garage
from simulators.plant.parking import CHARGERS, GATES, LEVELS, ROW, ROWS, CarBank
from simulators.plant.quantity import Model
from simulators.plant.weather import stream
from simulators.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.plant.parking import Passage
    from simulators.plant.part import Scene
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["CarPark"]

_KINDS = (ALFEN,) * 8 + (DELTA,) * 6 + (KEBA,) * 2 + (ALPITRONIC,) * 2
"""Which model stands at which bay."""
_QUANTITIES = {
    "alfen-ng910": ("state", "vehicle_connected", "power", "current", "voltage", "energy", "current_limit",
                    "current_limit_applied", "limit_valid", "safe_current"),
    "delta-ac-max": ("state", "vehicle_connected", "power", "current", "voltage", "session_energy", "session_time",
                     "power_limit"),
    "keba-p30": ("state", "vehicle_connected", "error_code", "power", "current", "voltage", "energy",
                 "session_energy", "current_limit", "enable", "rfid"),
    "alpitronic-hyc50": ("state", "voltage", "current", "power", "session_time", "session_energy", "soc", "max_power",
                         "energy", "power_limit"),
    "site-standard-charging-bay": ("bay_occupied", "vehicle"),
}  # fmt: skip
_KIND_OF = {"alfen-ng910": ALFEN, "delta-ac-max": DELTA, "keba-p30": KEBA, "alpitronic-hyc50": ALPITRONIC}
_GATE_STATES = (0.0, 1.0)
_LIVE_S = 10.0
"""Only steps this short are told as events: nobody waits for those of the days before."""
_NUMBER = re.compile(r"(?:b([1-3])_)?[a-z_]*?(\d+)")


class CarPark:
    """A `Part`: 500 bays on three levels, four gates, twelve zones of air with a fan each, eighteen chargers."""

    remembered = True
    models: ClassVar[Mapping[str, Model]] = {
        "abb-ach580-fan": Model("fan", history=("run", "speed", "power")),
        "msr-polygard2-dgc06": Model("gas", history=("co", "no2", "co_mean", "no2_mean")),
        "alfen-ng910": Model("charger", history=("state", "power", "energy")),
        "delta-ac-max": Model("charger", history=("state", "power", "session_energy")),
        "keba-p30": Model("charger", history=("state", "power", "energy", "session_energy")),
        "alpitronic-hyc50": Model("charger", history=("state", "power", "energy", "session_energy")),
        "site-standard-charging-bay": Model("charger", history=("vehicle",)),
        "site-standard-parking-row": Model("row"),
        "site-standard-gate": Model("gate", history=("passages",)),
        "site-standard-guidance-sign": Model("sign", history=("free_shown",)),
    }

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:
        """Lay out the car park; `rows` are the devices that look at it.

        Raises:
            SiteError: a device looks at something that it has not got.
        """
        self.cars = CarBank(seed, site.vehicles)
        self.garage = Garage(seed)
        draw = stream(seed, "chargers")
        self.chargers = ChargerBank(np.array(_KINDS), draw.uniform(900.0, 9000.0, CHARGERS))
        self._draw = draw
        self._fleet = dict(enumerate(site.vehicles, 1))
        self._charge = np.full(len(site.vehicles) + 1, 0.6)
        """What the official cars have in their batteries, 0 to 1."""
        self._plugged = np.zeros(CHARGERS, np.int64)
        """The car at each charger."""
        self._number = np.zeros(CHARGERS)
        self._time_s = 0.0
        self._open = False
        """The fire panel's wire holds all gates open."""
        names = [f"{kind}_{n:02}" for kind in ("bay", "battery", "since") for n in range(1, ROW + 1)]
        self._row_rows = {tag: row for row, tag in enumerate([*names, "chargers", "battery", "battery_bay"])}
        self._rows = np.zeros((3 * ROW + 3, sum(ROWS)))
        self._rows[3 * ROW, 0] = CHARGERS
        self._gate_rows = {"state": 0, "loop": 1, "passages": 2}
        self._gates = np.zeros((3, GATES))
        self._sign_rows = {"free_shown": 0, "fault": 1}
        self._signs = np.zeros((2, LEVELS))
        self._devices = {row.id: self._make(row) for row in rows}
        self._fans = self._of("fan")
        self._heads = self._of("gas")
        self._posts = self._of("charger")
        self._barriers = self._of("gate")

    # -- devices -----------------------------------------------------------------------------------------------------

    def _of(self, cls: str) -> Sequence[tuple[Device, int]]:
        """Return the devices of a class with their places."""
        return [
            (device, _place(device, *self._shape(cls)))
            for device in self._devices.values()
            if self.models[device.profile].cls == cls and device.profile != "site-standard-charging-bay"
        ]

    @staticmethod
    def _shape(kind: str) -> tuple[str, int]:
        return {"fan": ("fan", ZONES), "gas": ("gas", ZONES), "charger": ("charger", CHARGERS), "gate": ("gate", GATES),
                "sign": ("sign_b", LEVELS), "row": ("row", sum(ROWS))}[kind]  # fmt: skip

    def _make(self, row: SimulatedDevice) -> Device:
        cls = self.models[row.profile].cls
        column = _place(row, *self._shape(cls))
        garage, chargers = self.garage, self.chargers
        match cls:
            case "fan":
                fans = garage.fans
                state = State(garage.fan_rows, garage.fan_table, column)
                return Device(row, state, partial(fans.take, column), partial(fans.forget, column))
            case "gas":
                return Device(row, State(garage.gas_rows, garage.gas_table, column))
            case "charger":
                wanted = _KIND_OF.get(row.profile, _KINDS[column])
                if wanted != _KINDS[column]:
                    raise SiteError(f'device "{row.id}" profile: got "{row.profile}", another model stands there')
                shown = {tag: chargers.rows[tag] for tag in _QUANTITIES[row.profile]}
                state = State(shown, chargers.table, column)
                if row.profile == "site-standard-charging-bay":
                    return Device(row, state)
                return Device(row, state, partial(chargers.take, column), partial(chargers.forget, column))
            case "row":
                return Device(row, State(self._row_rows, self._rows, column))
            case "gate":
                return Device(row, State(self._gate_rows, self._gates, column))
            case _:
                return Device(row, State(self._sign_rows, self._signs, column))

    def device(self, row: SimulatedDevice) -> Device:
        """Return what one of `rows` looks at."""
        return self._devices[row.id]

    # -- time --------------------------------------------------------------------------------------------------------

    def step(self, dt_s: float, scene: Scene) -> None:
        """Advance by `dt_s` > 0."""
        self._time_s = scene.moment.time_ns / 1e9
        fans, chargers = self.garage.fans, self.chargers
        for device, column in self._fans:
            device.silent_s += dt_s
            fans.silent[column] = device.listening and device.silent_s > fans.loss_after_s
        silent_s = np.full(CHARGERS, np.inf)
        for device, column in self._posts:
            device.silent_s += dt_s
            silent_s[column] = device.silent_s if device.listening else np.inf
            chargers.fault[column] = device.forced.get("state", 0.0) == 5.0
        self._open = bool(scene.wires.fire_floors)
        self.garage.fire(scene.wires.fire_floors)
        passed = self.cars.step(dt_s, scene.moment, chargers.fault)
        self._plug()
        chargers.step(dt_s, silent_s)
        self.garage.step(dt_s, self.cars, self._seen())
        if dt_s <= _LIVE_S:
            self._tell(passed)

    def _seen(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Return what the heads tell the local automatic: it looks at the same sensors as we do, broken ones too."""
        seen = self.garage.ppm.copy()
        for device, column in self._heads:
            forced = device.forced
            for gas, tag in enumerate(("co", "no2")):
                seen[gas, column] = forced.get(tag, seen[gas, column])
                if forced.get(f"{tag}_fault", 0.0) >= 0.5:
                    seen[gas, column] = math.nan
        return seen

    def _plug(self) -> None:
        """Connect the cars that came to a charger, and let those go that left."""
        there = self.cars.car[:CHARGERS]
        for column in np.flatnonzero(there != self._plugged).tolist():
            before, now = int(self._plugged[column]), int(there[column])
            if before:
                charge = self.chargers.unplug(column)
                if before in self._fleet:
                    # It comes back with what its trip leaves: a fifth to a half of the battery is used.
                    self._charge[before] = max(charge - self._draw.uniform(0.2, 0.5), 0.08)
            if now:
                charge = self._charge[now] if now in self._fleet else self._draw.uniform(0.25, 0.7)
                rfid = float(self._fleet[now].rfid) if now in self._fleet else 0.0
                vehicle = self.cars.vehicle(now)
                self.chargers.plug(column, vehicle, float(charge), rfid)
                self._number[column] = vehicle.number
            else:
                self._number[column] = 0.0
            self._plugged[column] = now

    def _tell(self, passed: Sequence[Passage]) -> None:
        for passage in passed:
            for device, column in self._barriers:
                if column == passage.gate:
                    vehicle = self.cars.vehicle(passage.car)
                    data: dict[str, str | int | float | bool] = {
                        "plate": vehicle.plate,
                        "confidence": round(float(self._draw.uniform(0.9, 0.995)), 3),
                        "lane": column % 2 + 1,
                        "dir": "in" if column < GATES // 2 else "out",
                        "vehicle": vehicle.number,
                    }
                    device.occurrences.append(Occurrence(round(passage.at_s * 1e9), "plate_read", data))

    def show(self) -> None:
        """Bring the tables of the devices up to date with the last step."""
        cars = self.cars
        occupied = cars.occupied
        self.garage.show()
        self.chargers.show(occupied[:CHARGERS], self._number)
        self._rows[:ROW] = occupied.reshape(-1, ROW).T
        self._rows[ROW : 2 * ROW] = np.floor(cars.battery).reshape(-1, ROW).T
        self._rows[2 * ROW : 3 * ROW] = cars.since_s.reshape(-1, ROW).T
        batteries = self._rows[ROW : 2 * ROW]
        self._rows[3 * ROW + 1] = batteries.min(axis=0)
        self._rows[3 * ROW + 2] = batteries.argmin(axis=0) + 1
        self._gates[0] = np.where((cars.open_until_s > self._time_s) | self._open, *_GATE_STATES[::-1])
        self._gates[1] = cars.loop_until_s > self._time_s
        self._gates[2] = cars.passages
        self._signs[0] = np.bincount(cars.level[~occupied], minlength=LEVELS)

    def loads_kw(self) -> Mapping[str, float]:
        """Return what fans and chargers draw; 4 % of a charger's power stays in it."""
        return {"park": float(self.garage.fans.power_kw.sum() + 1.04 * self.chargers.power_kw.sum())}


def _place(row: SimulatedDevice | Device, name: str, count: int) -> int:
    """Return the place of `…fan07`, `…b2_row03` or `…sign_b1` among all of its kind, from 0.

    Raises:
        SiteError: there is no such thing.
    """
    last = row.equipment.rsplit(".", 1)[-1]
    match = _NUMBER.fullmatch(last)
    number = int(match[2]) if match and name in last else 0
    if number and name == "row":
        level = int(match[1] or 0) if match else 0
        number = sum(ROWS[: level - 1]) + number if level and number <= ROWS[level - 1] else 0
    if not 1 <= number <= count:
        raise SiteError(
            f'device "{row.id}" equipment: got "{row.equipment}", the car park has {name}1 to {name}{count} '
            f"(rows: b1_row01 to b3_row{ROWS[2]:02})"
        )
    return number - 1
