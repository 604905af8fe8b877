"""Forty-eight zones with a machine each, the control room with two, and rooms with a fan coil."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulators.plant.device import NotWritableError, Occurrence, RefusedError
from simulators.plant.layout import (
    CONTROL,
    FANCOIL_M2,
    HANDLER_NAMES,
    HOUSE,
    XINYI,
    handler_column,
    place_of,
    zone_area,
    zone_heads,
)
from simulators.site import SimulatedBuilding, SimulatedEquipment, SimulatedSite
from simulators.world import World

NIGHT_NS = 1_784_044_800_000_000_000
"""2026-07-14 16:00 UTC: midnight in Taipei."""
NOON_NS = NIGHT_NS + 11 * 3_600_000_000_000


def minutes(world: World, count: int) -> None:
    for _ in range(count):
        world.step(60.0, 20.0)


@pytest.fixture
def noon(city_hall: SimulatedSite) -> World:
    return World(city_hall, 5, NOON_NS)


def test_the_house_is_as_large_as_it_was_and_has_its_people() -> None:
    area = zone_area()
    assert area[HOUSE].sum() + FANCOIL_M2.sum() == pytest.approx(12 * 1500.0 + 36_000.0)
    assert (area > 0.0).all()
    assert zone_heads(6000.0)[HOUSE].sum() == pytest.approx(6000.0)


@pytest.mark.parametrize(
    ("address", "column"),
    [
        ("cityhall.hvac.ahu_01f_w", 0),
        ("cityhall.hvac.ahu_12f_w", 11),
        ("cityhall.hvac.ahu_05f_sw", 16),
        ("cityhall.hvac.ahu_12f_n", 47),
        ("cityhall.hvac.ahu_cr_2", 49),
        ("cityhall.hvac.ahu_13f_w", None),
        ("cityhall.hvac.ahu_01f_s", None),
        ("cityhall.hvac.ahu_cr_3", None),
    ],
)
def test_an_address_names_a_machine(address: str, column: int | None) -> None:
    assert handler_column(address) == column
    if column is not None and "cr" not in address:
        assert HANDLER_NAMES[column] == address.rsplit(".", 1)[-1].replace("_", "-")


@pytest.mark.parametrize(
    ("address", "floor", "area", "wing", "zone"),
    [
        ("b.e.x", "5F", "southwest", "southwest", 16),
        ("b.e.x", "1F", "childcare", "east", 24),
        ("b.e.x", "B1", "control_room", "", CONTROL),
        ("b.e.x", "1F", "public", "", 0),
        ("xinyi.e.x", "3F", "xinyi", "", XINYI),
    ],
)
def test_a_place_is_in_a_zone(address: str, floor: str, area: str, wing: str, zone: int) -> None:
    equipment = SimulatedEquipment(address, floor=floor, area=area, wing=wing)
    buildings = (SimulatedBuilding("b", ("1F",)), SimulatedBuilding("xinyi", ("1F",)))
    site = SimulatedSite("s", buildings=buildings, equipment={address: equipment})
    assert place_of(site, address) == zone


def test_the_control_room_is_cool_day_and_night_on_one_machine(city_hall: SimulatedSite) -> None:
    world = World(city_hall, 1, NIGHT_NS)
    lead, standby = (world.devices[f"ahu-cr-{n}"].state for n in (1, 2))
    room = []
    for _ in range(48):
        world.step(1800.0)
        room.append(float(world.zones.air[CONTROL]))
        assert lead["fan_run"] == 1.0
        # The water is too warm for an hour when the whole house starts; then both may be wanted.
        assert standby["fan_run"] == 0.0 or room[-1] > 24.4
    assert max(room) < 26.0
    assert np.median(room) == pytest.approx(24.0, abs=0.2)


def test_the_standby_machine_takes_over_when_the_first_one_fails_and_gives_back(noon: World) -> None:
    lead, standby = noon.devices["ahu-cr-1"], noon.devices["ahu-cr-2"]
    lead.occurrences.append(Occurrence(noon.time_ns, "fan_trip"))
    noon.step(10.0, 10.0)
    assert (lead.state["fan_fault"], standby.state["fan_run"]) == (1.0, 0.0)
    minutes(noon, 30)
    assert (lead.state["fan_run"], lead.state["fan_cmd"], standby.state["fan_run"]) == (0.0, 1.0, 1.0)
    assert noon.zones.air[CONTROL] < 25.0
    lead.occurrences.append(Occurrence(noon.time_ns, "repaired"))
    minutes(noon, 2)
    assert (lead.state["fan_run"], lead.state["fan_fault"], standby.state["fan_run"]) == (1.0, 0.0, 0.0)


def test_without_both_machines_the_control_room_is_soon_too_hot(noon: World) -> None:
    for n in (1, 2):
        noon.devices[f"ahu-cr-{n}"].write("mode", 0.0)
        noon.devices[f"ahu-cr-{n}"].write("controller_alive", 1.0)
    before = noon.zones.air[CONTROL]
    for minute in range(40):
        for n in (1, 2):
            noon.devices[f"ahu-cr-{n}"].write("controller_alive", float(minute))
        noon.step(60.0, 20.0)
    assert noon.zones.air[CONTROL] > before + 2.5


def test_a_lost_belt_turns_and_moves_nothing(noon: World) -> None:
    unit = noon.devices["ahu-07f-e"]
    assert unit.state["supply_static_pressure"] > 100.0
    unit.occurrences.append(Occurrence(noon.time_ns, "belt_off"))
    minutes(noon, 3)
    assert (unit.state["fan_run"], unit.state["fan_cmd"]) == (1.0, 1.0)
    assert unit.state["supply_static_pressure"] < 10.0
    column = handler_column(unit.equipment)
    assert column is not None
    assert noon.handlers.air_kg[column] == 0.0
    minutes(noon, 90)
    others = [noon.devices[f"ahu-{floor:02}f-e"].state["zone_temp"] for floor in (6, 8)]
    assert unit.state["zone_temp"] > max(others) + 0.5


def test_fan_coils_hold_rooms_in_use_and_rest_in_empty_ones(city_hall: SimulatedSite) -> None:
    world = World(city_hall, 2, NIGHT_NS)
    coils = world.fancoils
    minutes(world, 120)
    assert not coils.table[2].any()
    world.step(9.0 * 3600.0)  # 11:00
    busy = coils.table[4] > 0.0
    assert 4 <= busy.sum() < 40
    assert (coils.table[4, 36:] > 0.0).all()  # children
    warm = []
    for _ in range(60):
        world.step(60.0)
        warm.append(np.abs(coils.air[36:] - coils.table[1, 36:]).max())
    assert max(warm) < 1.2
    assert coils.heat_kw > 0.0


def test_a_fan_coil_takes_a_set_point_and_nothing_else(noon: World) -> None:
    unit = noon.devices["fcu-37"]
    assert unit.write("zone_temp_sp", 23.0) == 23.0
    with pytest.raises(RefusedError, match="18 to 28"):
        unit.write("zone_temp_sp", 30.0)
    with pytest.raises(NotWritableError):
        unit.write("fan_speed", 3.0)
    minutes(noon, 60)
    assert unit.state["zone_temp"] == pytest.approx(23.0, abs=1.0)


def test_what_a_room_leaks_its_zone_gets(noon: World) -> None:
    coils, zones = noon.fancoils, noon.zones
    before = coils.air.copy()
    noon.step(60.0)
    leak = 6.0 * FANCOIL_M2 * (coils.air - zones.air[coils._zone])
    # The zone's own air moved in the same step, so that the room's view of it is a minute old.
    np.testing.assert_allclose(np.bincount(coils._zone, leak, len(zones.air)), coils.to_zone_w, atol=400.0)
    assert coils.to_zone_w[XINYI] == coils.to_zone_w[CONTROL] == 0.0
    assert not np.array_equal(before, coils.air)


def test_the_xinyi_building_hangs_on_its_own_supply(city_hall: SimulatedSite, noon: World) -> None:
    lone = [row.equipment for row in city_hall.devices if row.equipment.startswith("xinyi.meter")]
    assert len(lone) == 6
    assert noon.network.nodes - noon.network.lone == 6
    without = replace(
        city_hall, devices=tuple(row for row in city_hall.devices if not row.equipment.startswith("xinyi."))
    )
    assert World(without, 5, NOON_NS).network.power[0] == noon.network.power[0]
    assert noon.devices["xinyi-env01-sensor"].state["temperature"] > noon.devices["env001-sensor"].state["temperature"]
