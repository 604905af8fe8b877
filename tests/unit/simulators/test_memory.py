from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulators.memory import MemoryPlant
from simulators.plant.device import NotWritableError
from simulators.world import World

if TYPE_CHECKING:
    from simulators.site import SimulatedSite


def test_values_are_those_of_the_devices_in_the_order_of_names(small_site: SimulatedSite, start_ns: int) -> None:
    world = World(small_site, 1, start_ns)
    plant = MemoryPlant(world)
    assert {name for name, _ in plant.names} == set(world.devices)
    for _ in range(3):
        world.step(1.0)
        values = plant.values()
        assert values.shape == (len(plant.names),)
        for place, (device, quantity) in enumerate(plant.names):
            assert values[place] == world.devices[device].state[quantity]


def test_a_write_is_seen_after_the_next_step(small_site: SimulatedSite, start_ns: int) -> None:
    world = World(small_site, 1, start_ns)
    plant = MemoryPlant(world, ["chwp1-drive", "header-io"])
    assert {name for name, _ in plant.names} == {"chwp1-drive", "header-io"}
    assert plant.write("chwp1-drive", "run_cmd", 1.0) == 1.0
    assert plant.write("chwp1-drive", "speed_cmd", 55.0) == 55.0
    for _ in range(30):
        plant.values()
        world.step(2.0)
    assert plant.values()[plant.names.index(("chwp1-drive", "speed"))] == pytest.approx(55.0)
    with pytest.raises(NotWritableError):
        plant.write("header-io", "outdoor_temp", 1.0)
    with pytest.raises(KeyError):
        plant.write("ch1-unit", "enable", 1.0)


def test_an_unknown_device_is_an_error(small_site: SimulatedSite, start_ns: int) -> None:
    with pytest.raises(KeyError):
        MemoryPlant(World(small_site, 1, start_ns, warm=False), ["nobody"])
