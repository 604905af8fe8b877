"""The building stays a plausible building in every season, without a controller."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from simulators.memory import MemoryPlant
from simulators.plant.chiller import TRIPPED
from simulators.site import SimulatedSite, read_site
from simulators.world import World


@pytest.fixture(scope="module")
def site() -> SimulatedSite:
    return read_site(Path(__file__).parents[2] / "config" / "taipei-city-hall")


@pytest.mark.parametrize(("month", "day"), [(1, 14), (4, 15), (7, 15), (10, 14)])
def test_a_workday_of_each_season(site: SimulatedSite, month: int, day: int) -> None:
    start_ns = int(datetime(2026, month, day, 16, tzinfo=UTC).timestamp()) * 10**9
    world = World(site, month, start_ns)
    plant = MemoryPlant(world)
    zones, supply, load, previous = [], [], [], plant.values()
    rising = np.array([tag in {"energy_import", "energy", "run_hours", "starts"} for _, tag in plant.names])
    for _ in range(288):
        world.step(300.0)
        values = plant.values()
        assert np.isfinite(values).all()
        assert (values[rising] >= previous[rising]).all()
        previous = values
        zones.append(world.zones.air[:12].copy())
        supply.append(world.plant.supply_c)
        load.append(float(world.network.power[0]))
        assert all(chiller.state != TRIPPED for chiller in world.plant.chillers)
    office = np.array(zones)[126:204]  # 10:30 to 17:00
    assert 19.0 < office.min() < office.max() < 28.0
    assert supply[150] == pytest.approx(7.0, abs=0.5)
    assert 1400.0 < min(load) < 2200.0
    assert 2500.0 < max(load) < 5000.0


def test_a_hot_morning_starts_without_a_trip_in_live_steps(site: SimulatedSite) -> None:
    world = World(site, 1, int(datetime(2026, 7, 20, 23, 30, tzinfo=UTC).timestamp()) * 10**9)
    before = int((np.array([chiller.load_kw for chiller in world.plant.chillers]) > 0.0).sum())
    for _ in range(2700):
        world.step(2.0)
        assert all(chiller.state != TRIPPED for chiller in world.plant.chillers)
    assert sum(chiller.load_kw > 100.0 for chiller in world.plant.chillers) > before
    assert world.zones.air[:12].max() < 27.0
