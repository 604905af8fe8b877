from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulators.history import load_world, state_path, write_history
from simulators.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.site import SimulatedSite

NS = 1_000_000_000


@pytest.fixture(scope="module")
def written(city_hall: SimulatedSite, start_ns: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "h.npz"
    result = write_history(city_hall, 1, start_ns + 137 * NS, 0.5, 300.0, path)
    assert (result.samples, result.path, result.state) == (144, path, state_path(path))
    return path


def test_the_file_has_the_importers_shape(written: Path, start_ns: int) -> None:
    with np.load(written, allow_pickle=False) as file:
        address, time_ns, value = file["address"], file["time_ns"], file["value"]
    assert address.dtype.kind == "U"
    assert (time_ns.dtype, value.dtype) == (np.dtype(np.int64), np.dtype(np.float64))
    assert value.shape == (len(address), len(time_ns))
    assert len(set(address.tolist())) == len(address) > 1500
    assert (np.diff(time_ns) == 300 * NS).all()
    assert time_ns[-1] == start_ns
    assert np.isfinite(value).all()


def test_counters_only_rise_and_go_on_in_the_live_world(written: Path, city_hall: SimulatedSite, start_ns: int) -> None:
    with np.load(written, allow_pickle=False) as file:
        address, value = file["address"].tolist(), file["value"]
    rows = [row for row, name in enumerate(address) if name.endswith((".energy_import", ".energy", ".run_hours"))]
    assert len(rows) > 200
    assert (np.diff(value[rows], axis=1) >= 0.0).all()
    live = load_world(city_hall, 1, start_ns + 137 * NS, state_path(written))
    assert live.time_ns == start_ns + 137 * NS
    for device in live.devices.values():
        name = f"{device.equipment}.energy_import"
        if device.id.endswith("-meter"):
            row = address.index(name)
            rise = device.state["energy_import"] - value[row, -1]
            usual = float(value[row, -1] - value[row, -2])
            assert 0.0 <= rise < usual, name
    before = live.devices["main-meter"].state["energy_import"]
    live.step(1.0)
    power = live.devices["main-meter"].state["power"]
    assert live.devices["main-meter"].state["energy_import"] - before == pytest.approx(power / 3600.0, rel=0.05)


def test_a_later_start_lets_the_time_between_go_by(written: Path, city_hall: SimulatedSite, start_ns: int) -> None:
    early = load_world(city_hall, 1, start_ns + 137 * NS, state_path(written))
    late = load_world(city_hall, 1, start_ns + 3737 * NS, state_path(written))
    assert late.time_ns == start_ns + 3737 * NS
    rise = late.devices["main-meter"].state["energy_import"] - early.devices["main-meter"].state["energy_import"]
    assert 0.8 < rise / early.devices["main-meter"].state["power"] < 1.2


def test_a_restored_world_goes_on_exactly_as_the_one_that_was_saved(city_hall: SimulatedSite, start_ns: int) -> None:
    first = World(city_hall, 5, start_ns)
    first.devices["ch1-unit"].write("chw_setpoint", 8.5)
    first.devices["ahu-03f-w"].write("zone_temp_sp", 25.0)
    for _ in range(5):
        first.step(1.0)
    second = World(city_hall, 5, start_ns + 5 * NS, warm=False)
    second.restore(first.state_dict())
    for _ in range(20):
        first.step(1.0)
        second.step(1.0)
    for name, device in first.devices.items():
        assert device.state.snapshot() == second.devices[name].state.snapshot(), name


def test_the_state_of_other_devices_is_refused(written: Path, city_hall: SimulatedSite, start_ns: int) -> None:
    part = replace(city_hall, devices=city_hall.devices[:30])
    with pytest.raises(ValueError, match=r"other devices|another site"):
        load_world(part, 1, start_ns, state_path(written))


def test_prefix_and_omitted_tags(small_site: SimulatedSite, start_ns: int, tmp_path: Path) -> None:
    rows = tuple(replace(row, prefix="x_", omit=("co2",)) for row in small_site.devices if row.id == "env001-sensor")
    write_history(replace(small_site, devices=rows), 1, start_ns, 0.05, 300.0, tmp_path / "h.npz", every_tag=True)
    with np.load(tmp_path / "h.npz") as file:
        address = file["address"].tolist()
    assert "cityhall.environment.env001.x_temperature" in address
    assert "cityhall.environment.env001.x_battery" in address
    assert not any(name.endswith("co2") for name in address)


def test_nothing_asked_is_an_error(small_site: SimulatedSite, start_ns: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        write_history(small_site, 1, start_ns, 0.0, 300.0, tmp_path / "h.npz")
