"""Doors and cards: what the controllers tell adds up to who is inside, at any length of step."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from simulators.plant.badge import Badges
from simulators.plant.calendar import Calendar
from simulators.plant.device import Occurrence, RefusedError
from simulators.plant.door import DoorPart
from simulators.plant.part import Scene, Wires
from simulators.site import SimulatedSite

HOUR = 3_600_000_000_000


class House:
    """The doors alone, without the rest of the building: a second costs microseconds."""

    def __init__(self, site: SimulatedSite, start_ns: int) -> None:
        rows = [row for row in site.devices if row.profile in DoorPart.models]
        self.part = DoorPart(1, site, rows)
        self.devices = {row.id: self.part.device(row) for row in rows}
        self.time_ns = start_ns
        self.wires = Wires()
        self._calendar = Calendar("Asia/Taipei")

    def step(self, dt_s: float) -> None:
        self.time_ns += round(dt_s * 1e9)
        moment = self._calendar.at(self.time_ns)
        self.part.step(dt_s, cast("Scene", SimpleNamespace(time_ns=self.time_ns, moment=moment, wires=self.wires)))
        self.part.show()

    def part_doors(self) -> list[str]:
        return [row.id for row in self.part._doors]

    def told(self) -> list[Occurrence]:
        """Take what the controllers were told since the last call."""
        found: list[Occurrence] = []
        for device in self.devices.values():
            found += device.occurrences
            device.occurrences.clear()
        return sorted(found, key=lambda one: one.time_ns)


def test_what_cards_say_adds_up_to_who_is_inside(city_hall: SimulatedSite, start_ns: int) -> None:
    house = House(city_hall, start_ns - 3 * HOUR)
    part = house.part
    floors = dict(zip(part._names, part.floor, strict=True))
    uses = {name: row.parameters["use"] for name, row in zip(part._names, part._doors, strict=True)}
    house.step(1.0)
    before = Counter(part.by_floor())
    told: list[Occurrence] = []
    for _ in range(3600):  # 7 to 8 in the morning: people come
        house.step(1.0)
        told += house.told()
    moved: Counter[str] = Counter()
    for one in told:
        if one.type == "access_granted" and uses[str(one.data["door"])] == "floor":
            moved[floors[str(one.data["door"])]] += 1 if one.data["direction"] == "in" else -1
    after = Counter(part.by_floor())
    assert {floor: after[floor] - before[floor] for floor in after | before} == {
        floor: moved[floor] for floor in after | before
    }
    assert sum(after.values()) > 30
    assert all(set(one.data) >= {"person", "credential"} for one in told if one.type.startswith("access_"))
    assert {str(one.data["person"])[:2] for one in told if "person" in one.data} == {"p-"}


def test_long_steps_of_history_let_in_the_same_people(city_hall: SimulatedSite, start_ns: int) -> None:
    fine, coarse = (House(city_hall, start_ns - 3 * HOUR) for _ in range(2))
    for _ in range(1800):
        fine.step(1.0)
    for _ in range(12):
        coarse.step(150.0)
    assert np.array_equal(fine.part.inside, coarse.part.inside)
    assert coarse.told() == [], "history is not told"


def test_a_day_ends_with_nobody_inside_but_the_guard(city_hall: SimulatedSite, start_ns: int) -> None:
    house = House(city_hall, start_ns)
    for _ in range(24 * 14):
        house.step(150.0)
    # 24:00 local: the guards are behind two doors at most.
    assert sum(house.part.by_floor().values()) <= 2
    assert house.part._in_house.sum() == 0


def test_a_card_opens_a_door_and_a_locked_one_refuses_it(city_hall: SimulatedSite, start_ns: int) -> None:
    house = House(city_hall, start_ns)
    house.step(1.0)
    for row in city_hall.devices:
        if row.profile == "site-standard-door":
            house.devices[row.id].write("mode", 0.0)
    house.told()
    told: list[Occurrence] = []
    for _ in range(600):
        house.step(1.0)
        told += house.told()
    kinds = Counter(one.type for one in told)
    assert kinds["access_denied"] > 3
    assert kinds["access_granted"] == 0
    assert {one.data.get("reason") for one in told if one.type == "access_denied"} <= {"door_locked", "expired"}


def test_a_momentary_unlock_ends_by_itself(city_hall: SimulatedSite, start_ns: int) -> None:
    house = House(city_hall, start_ns + 20 * HOUR)
    door = house.devices["door-control-room-1"]
    house.step(1.0)
    assert door.write("momentary_unlock", 5.0) == 5.0
    assert (door.state["lock"], door.state["momentary_unlock"]) == (1.0, 5.0)
    house.step(3.0)
    assert door.state["lock"] == 1.0
    house.step(3.0)
    assert (door.state["lock"], door.state["momentary_unlock"]) == (0.0, 0.0)


def test_the_same_seed_has_the_same_day_and_no_door_stands_open_for_ever(
    city_hall: SimulatedSite, start_ns: int
) -> None:
    badges = Badges(3, [[0, 1]], [[2, 3, 4]])
    assert badges.day(20_000, workday=True).passes == Badges(3, [[0, 1]], [[2, 3, 4]]).day(20_000, workday=True).passes
    assert badges.person(422) == "p-10422"
    assert badges.credential(422) != badges.credential(423)
    house = House(city_hall, start_ns)
    longest = np.zeros(200)
    now = np.zeros(200)
    for _ in range(1800):
        house.step(1.0)
        now = np.where(house.part.table[1] > 0, now + 1, 0)
        longest = np.maximum(longest, now)
    assert longest.max() < 90, "held open now and then, but no alarm after a minute in a healthy house"


def test_the_fire_panels_wire_releases_the_doors_of_its_floor_until_the_reset(
    city_hall: SimulatedSite, start_ns: int
) -> None:
    house = House(city_hall, start_ns)
    doors = {name: house.devices[name] for name in house.part_doors()}
    floor = dict(zip(doors, house.part.floor, strict=True))
    house.step(1.0)
    assert not any(door.state["fire_released"] for door in doors.values())
    one = next(door for name, door in doors.items() if floor[name] == "1F")
    one.write("mode", 0.0)
    house.wires.fire_floors = frozenset({"1F"})
    house.step(1.0)
    for name, door in doors.items():
        assert door.state["fire_released"] == (floor[name] == "1F")
    assert one.state["lock"] == 1.0, "locked, and free all the same"
    with pytest.raises(RefusedError, match="released by the fire panel"):
        one.write("mode", 0.0)
    house.wires.fire_floors = frozenset()
    house.step(1.0)
    assert (one.state["fire_released"], one.state["lock"]) == (0.0, 0.0)
