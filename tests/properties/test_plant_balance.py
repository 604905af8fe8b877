"""Conservation over whole seeded days, as an auditor with the meters' readings would check it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulators.memory import MemoryPlant
from simulators.plant.transformer import rated_losses
from simulators.site import SimulatedSite, read_site
from simulators.world import World

MONDAY_NS = 1_783_872_000_000_000_000
"""2026-07-12 16:00 UTC: midnight before a Monday in Taipei."""
NOVEMBER_SUNDAY_NS = 1_795_276_800_000_000_000
"""2026-11-21 16:00 UTC."""


@pytest.fixture(scope="module")
def site() -> SimulatedSite:
    return read_site(Path(__file__).parents[2] / "config" / "taipei-city-hall")


@pytest.mark.parametrize(("start_ns", "seed"), [(MONDAY_NS, 11), (NOVEMBER_SUNDAY_NS, 4)])
def test_in_every_quarter_hour_of_a_day_the_meters_agree_within_one_percent(
    site: SimulatedSite, start_ns: int, seed: int
) -> None:
    world = World(site, seed, start_ns)
    plant = MemoryPlant(world, [device for device in world.devices if device.endswith("-meter")])
    energy = {name: place for place, (name, tag) in enumerate(plant.names) if tag == "energy_import"}
    power = {name: place for place, (name, tag) in enumerate(plant.names) if tag == "apparent_power"}
    main = energy["main-meter"]
    boards = [energy[f"lv{n}-meter"] for n in range(1, 6)]
    feeders = [energy[f"feeder{n:02}-meter"] for n in range(1, 41)]
    load = [power[f"lv{n}-meter"] for n in range(1, 6)]
    no_load_w, load_w = rated_losses(2000.0)
    before = plant.values()
    worst = []
    for _ in range(96):
        losses = 0.0
        for _ in range(15):
            world.step(60.0)
            now = plant.values()
            # The standard's formula alone, from what the boards' meters show; the simulator adds heat and harmonics.
            losses += float(np.sum(no_load_w + load_w * (now[load] / 2000.0) ** 2)) / 1000.0 / 60.0
        used = now - before
        before = now
        worst.append(
            (
                (used[boards].sum() + losses) / used[main] - 1.0,
                (used[feeders].sum() + losses) / used[main] - 1.0,
                used[feeders].sum() / used[main] - 1.0,
            )
        )
        assert used[main] > 300.0
    assert np.abs(np.array(worst)).max() < 0.01, np.abs(np.array(worst)).max(axis=0)
    # Metered apart: the readings are not sums of each other.
    assert np.abs(np.array(worst)).min() > 0.0


def test_every_watt_of_heat_is_stored_or_leaves(site: SimulatedSite) -> None:
    world = World(site, 3, MONDAY_NS)
    zones = world.zones
    for _ in range(288):
        before = zones.stored_j()
        world.step(60.0)
        residual = (zones.gain_w + zones.flow_w) * 60.0 - (zones.stored_j() - before)
        assert np.abs(residual).max() < 1e-7 * np.abs(before).max()


def test_the_chillers_take_out_what_the_coils_bring_in(site: SimulatedSite) -> None:
    world = World(site, 3, MONDAY_NS)
    plant = world.plant
    brought = taken = 0.0
    start_c = (plant.supply_c, plant.return_c)
    for _ in range(1440):
        world.step(60.0)
        brought += world.coil_kw
        taken += plant.load_kw
    # What is left is the change of the water's temperature: 32 t of loop water.
    stored = 4.186 * (10_000.0 * (plant.supply_c - start_c[0]) + 22_000.0 * (plant.return_c - start_c[1])) / 60.0
    assert brought > 0.0
    assert (brought - stored) / taken == pytest.approx(1.0, abs=0.01)


def test_the_same_seed_and_steps_give_the_same_numbers_and_another_seed_others(site: SimulatedSite) -> None:
    runs = []
    for seed in (7, 7, 8):
        world = World(site, seed, MONDAY_NS + 10 * 3600 * 10**9)
        plant = MemoryPlant(world)
        taken = [plant.values()]
        for step_s in (1.0, 0.5, 60.0, 300.0):
            world.step(step_s)
            taken.append(plant.values())
        runs.append(np.array(taken))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.mean(runs[0] != runs[2]) > 0.5
