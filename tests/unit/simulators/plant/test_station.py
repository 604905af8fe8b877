"""Quality stations: plausible air, and a failed sensor that says so."""

from __future__ import annotations

import math

import numpy as np

from simulators.plant.station import AirStations
from simulators.site import SimulatedSite
from simulators.wire.table.air import site_standard_iaq_station
from simulators.world import World

MIDNIGHT_NS = 1_784_044_800_000_000_000


def test_a_day_of_air_stays_within_the_act_and_follows_people_and_sun(city_hall: SimulatedSite) -> None:
    world = World(city_hall, 3, MIDNIGHT_NS)
    stations = world.parts["AirStations"]
    assert isinstance(stations, AirStations)
    seen = []
    for _ in range(96):
        world.step(900.0)
        seen.append(stations.table.copy())
    table = np.array(seen)
    rows = stations.rows
    for tag, limit in (("co", 9.0), ("o3", 60.0), ("hcho", 80.0), ("tvoc", 560.0), ("pm25", 35.0), ("pm10", 75.0)):
        assert 0.0 < table[:, rows[tag]].mean() < limit, tag
    night, noon = table[8:16], table[44:56]
    for tag in ("co2", "tvoc", "noise", "o3"):
        assert noon[:, rows[tag]].mean() > night[:, rows[tag]].mean(), tag
    assert (table[:, rows["pm1"]] < table[:, rows["pm25"]]).all()
    assert (table[:, rows["pm25"]] < table[:, rows["pm10"]]).all()


def test_a_sensor_without_a_value_sets_its_bit() -> None:
    bank = site_standard_iaq_station(1).reads[4]
    state = dict.fromkeys(AirStations.rows, 1.0) | {"co": math.nan, "sensor_faults": 0.0}
    image = bank.image(state)
    assert image[6:8] == bytes.fromhex("8000")
    assert image[28:30] == bytes.fromhex("0008")
    assert bank.image(state | {"co": 0.4, "sensor_faults": 2.0})[28:30] == bytes.fromhex("0002")
