"""Doors and their controllers: locks, leaves, cards, and what the controllers tell of them.

A card that is granted unlocks its door for five seconds; the leaf opens and falls shut by its closer. A door that
stands open for half a minute is held; people do that now and then, and go on. Counts of people behind doors follow from
cards alone: in minus out.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.plant.badge import DENIED, IN, Badges, Pass
from simulators.plant.device import Device, NotWritableError, Occurrence, RefusedError, State
from simulators.plant.quantity import Model
from simulators.plant.weather import stream
from simulators.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.plant.part import Scene
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["CONTROLLER", "DOOR", "DoorPart"]

DOOR = (
    "mode", "position", "lock", "alarm", "tamper", "fault", "battery_low", "fire_released", "momentary_unlock",
    "ack_alarm",
)  # fmt: skip
CONTROLLER = ("online", "duress")
_LOCKED, _CONTROLLED, _UNLOCKED = 0.0, 1.0, 2.0
_MODES = ("locked", "controlled", "unlocked", "locked_down", "blocked")
_NORMAL, _HELD = 0.0, 2.0
_WRITABLE = {"mode": (0.0, 4.0), "momentary_unlock": (1.0, 60.0), "ack_alarm": (1.0, 1.0)}
_GRANT_S = 5.0
_HELD_S = 30.0
_TALK_S = 5.0
"""Steps longer than this are history: nobody is told."""


class DoorPart:
    """All doors of the site and the controllers that they belong to."""

    models: ClassVar[Mapping[str, Model]] = {
        "site-standard-door": Model("door"),
        "site-standard-access-controller": Model("access_controller"),
    }

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:
        """Lay out the doors.

        Raises:
            SiteError: no entrance or no floor door for the people, or a door of a controller that is not there.
        """
        self._doors = [row for row in rows if row.profile == "site-standard-door"]
        house = f"{site.buildings[0].id}." if site.buildings else ""
        self._mine = np.array([row.equipment.startswith(house) for row in self._doors], np.bool_)
        """Doors of the first building: its fire panel's wires reach them."""
        self._controllers = [row for row in rows if row.profile != "site-standard-door"]
        self._names = [str(row.options.get("node_prefix", row.id)).split("/")[-1] for row in self._doors]
        known = {str(row.options.get("controller", row.id)): place for place, row in enumerate(self._controllers)}
        self._controller = [self._owner(row, known) for row in self._doors]
        uses: dict[str, dict[int, list[int]]] = {"entrance": {}, "floor": {}}
        for place, row in enumerate(self._doors):
            use = str(row.parameters.get("use", ""))
            if use in uses:
                uses[use].setdefault(self._controller[place], []).append(place)
        wings = sorted(set(uses["entrance"]) & set(uses["floor"]))
        self._badges: Badges | None = None
        if wings:
            self._badges = Badges(
                seed, [uses["entrance"][wing] for wing in wings], [uses["floor"][wing] for wing in wings]
            )
        elif self._doors:
            raise SiteError('doors: no wing has both a door with use = "entrance" and one with use = "floor"')
        self.floor = [
            site.equipment[row.equipment].floor if row.equipment in site.equipment else "" for row in self._doors
        ]
        self._random = stream(seed, "door")
        count, people = len(self._doors), self._badges.people if self._badges else 0
        self.rows = {quantity: place for place, quantity in enumerate(DOOR)}
        self.table = np.zeros((len(DOOR), count))
        self.controller_rows = {quantity: place for place, quantity in enumerate(CONTROLLER)}
        self.controller_table = np.zeros((len(CONTROLLER), len(self._controllers)))
        self.controller_table[0] = 1.0
        self._mode = np.full(count, _CONTROLLED)
        self._free_until = np.zeros(count)
        self._open_from = np.zeros(count)
        self._open_until = np.zeros(count)
        self._held = np.zeros(count)
        self._was_open = np.zeros(count)
        self._last = np.full(count, -1.0)
        """Who opened each door last."""
        self._outward = np.zeros(count)
        """Whether that was on the way out."""
        self.inside = np.full(people, -1.0)
        """The floor door behind which each person is; -1 for nobody's floor."""
        self._in_house = np.zeros(people)
        self._now = 0.0
        self._day, self._second = -1, 0.0
        self._made: dict[str, Device] = {}

    def _owner(self, row: SimulatedDevice, known: Mapping[str, int]) -> int:
        name = str(row.parameters.get("controller", ""))
        if name not in known:
            wanted = f"a controller of the site ({', '.join(known) or 'none'})"
            raise SiteError(f'device "{row.id}" parameters.controller: got "{name}", wanted {wanted}')
        return known[name]

    def step(self, dt_s: float, scene: Scene) -> None:
        """Let people pass and doors move."""
        self._now = scene.time_ns / 1e9
        told = dt_s <= _TALK_S
        day, second = scene.moment.day, scene.moment.hour * 3600.0
        if self._badges is not None:
            if self._day not in (day, day - 1):
                # The first step of all, or one after a long pause: the morning is made up for.
                self._day, self._second = day, 0.0
            if self._day == day - 1:
                self._pass_all(self._day, self._second, 86_400.0, scene, told=told)
                self._second = 0.0
            self._pass_all(day, self._second, second, scene, told=told)
        self._day, self._second = day, second
        self._release(scene.wires.fire_floors)
        self._move(told=told)

    def _pass_all(self, day: int, after: float, until: float, scene: Scene, *, told: bool) -> None:
        assert self._badges is not None
        workday = (day + 3) % 7 < 5
        start = self._now - scene.moment.hour * 3600.0 - (scene.moment.day - day) * 86_400.0
        for one in self._badges.day(day, workday=workday).between(after, until):
            self._pass(one, start + one.second, told=told)

    def _pass(self, one: Pass, at: float, *, told: bool) -> None:
        """Judge one card at one door."""
        entrance = bool(self._badges and one.door in self._badges.entrance)
        barred = self._mode[one.door] not in (_CONTROLLED, _UNLOCKED)
        present = self._in_house[one.person] > 0 if entrance else self.inside[one.person] == one.door
        if one.kind not in (IN, DENIED) and not present:
            return  # was never let in
        if one.kind == DENIED or barred:
            if told:
                reason = "expired" if one.kind == DENIED else "door_locked"
                self._tell(one.door, at, "access_denied", self._card(one.person, "in"), reason=reason)
            return
        if entrance:
            self._in_house[one.person] = float(one.kind == IN)
        else:
            self.inside[one.person] = float(one.door) if one.kind == IN else -1.0
        if told:
            self._tell(one.door, at, "access_granted", self._card(one.person, "in" if one.kind == IN else "out"))
        self._last[one.door], self._outward[one.door] = one.person, float(one.kind != IN)
        self._free_until[one.door] = max(self._free_until[one.door], at + _GRANT_S)
        if self._open_until[one.door] < at:
            self._open_from[one.door] = at + 1.0
        slow = self._random.random() < 0.003
        shut = at + (self._random.uniform(35.0, 50.0) if slow else self._random.uniform(3.5, 7.0))
        self._open_until[one.door] = max(self._open_until[one.door], shut)

    def _release(self, floors: frozenset[str]) -> None:
        """Take the lock of every door of these floors away by hard wire; it comes back with the panel's reset."""
        released = np.array([floor in floors for floor in self.floor], np.bool_) & self._mine
        self.table[self.rows["fire_released"]] = released

    def _move(self, *, told: bool) -> None:
        now = self._now
        is_open = (self._open_from <= now) & (now < self._open_until)
        held = is_open & (now - self._open_from > _HELD_S) & (self._mode != _UNLOCKED)
        if told:
            for door in np.flatnonzero(is_open & (self._was_open == 0)).tolist():
                person = int(self._last[door])
                card = self._card(person, "out" if self._outward[door] else "in") if person >= 0 else {}
                self._tell(door, now, "access_taken", card)
            for door in np.flatnonzero(held & (self._held == 0)).tolist():
                self._tell(door, now, "door_held", {})
            for door in np.flatnonzero(~held & (self._held > 0)).tolist():
                self._tell(door, now, "door_closed", {})
        self._was_open, self._held = is_open.astype(float), held.astype(float)

    def show(self) -> None:
        """Bring the tables up to date."""
        rows, table, now = self.rows, self.table, self._now
        table[rows["mode"]] = self._mode
        table[rows["position"]] = self._was_open
        table[rows["lock"]] = (now < self._free_until) | (self._mode == _UNLOCKED) | (table[rows["fire_released"]] > 0)
        table[rows["alarm"]] = np.where(self._held > 0, _HELD, _NORMAL)
        # The time that an operator gave is over: the node reads 0 again.
        table[rows["momentary_unlock"], now >= self._free_until] = 0.0

    def device(self, row: SimulatedDevice) -> Device:
        """Return a door or a controller."""
        if row in self._doors:
            place = self._doors.index(row)
            made = Device(
                row, State(self.rows, self.table, place), partial(self._take, place), partial(self._forget, place)
            )
        else:
            place = self._controllers.index(row)
            made = Device(row, State(self.controller_rows, self.controller_table, place))
        self._made[row.id] = made
        return made

    def loads_kw(self) -> Mapping[str, float]:
        """Return nothing: door controllers are part of the sockets' base."""
        return {}

    def by_floor(self) -> dict[str, int]:
        """Return how many people are behind the floor doors of each floor, by the cards."""
        found: dict[str, int] = {}
        for door in self.inside[self.inside >= 0].astype(int).tolist():
            found[self.floor[door]] = found.get(self.floor[door], 0) + 1
        return found

    def _take(self, door: int, tag: str, value: float) -> float:
        low, high = _WRITABLE.get(tag, (0.0, -1.0))
        if high < low:
            raise NotWritableError(f"{self._doors[door].id}: {tag} is measured, not set")
        if not low <= value <= high:
            raise RefusedError(f"{self._doors[door].id}: {tag} {value:g} is not within {low:g} to {high:g}")
        if self.table[self.rows["fire_released"], door] > 0:
            raise RefusedError(f"{self._doors[door].id}: released by the fire panel")
        if tag == "mode":
            self._mode[door] = self.table[self.rows["mode"], door] = round(value)
            self._tell(door, self._now, "mode_changed", {}, mode=_MODES[round(value)])
        elif tag == "momentary_unlock":
            self._free_until[door] = self._now + value
            self.table[self.rows["momentary_unlock"], door] = value
            self.table[self.rows["lock"], door] = 1.0
        return value

    def _forget(self, door: int) -> None:
        self._mode[door] = _CONTROLLED
        self._free_until[door] = 0.0

    def _card(self, person: int, direction: str) -> dict[str, str]:
        assert self._badges is not None
        return {
            "direction": direction,
            "credential": self._badges.credential(person),
            "person": self._badges.person(person),
        }

    def _tell(self, door: int, at: float, kind: str, data: Mapping[str, str], **more: str) -> None:
        made = self._made.get(self._controllers[self._controller[door]].id)
        if made is not None:
            name = self._names[door]
            where = {"door": name, "reader": f"{name}/{data.get('direction', 'in')}"}
            made.occurrences.append(Occurrence(round(at * 1e9), kind, {**where, **data, **more}))
