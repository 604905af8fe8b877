"""Sites for the tests of the simulated building."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.site import SimulatedDevice, SimulatedEquipment, SimulatedSite, read_site


def device(identifier: str, equipment: str, profile: str) -> SimulatedDevice:
    return SimulatedDevice(identifier, equipment, profile, "tcp://127.0.0.1:502")


@pytest.fixture(scope="session")
def start_ns() -> int:
    """2026-07-15 02:00 UTC: a Wednesday in Taipei, 10:00."""
    return 1_784_080_800_000_000_000


@pytest.fixture(scope="session")
def city_hall() -> SimulatedSite:
    return read_site(Path(__file__).parents[3] / "config" / "taipei-city-hall")


@pytest.fixture(scope="session")
def small_site() -> SimulatedSite:
    """One device of each kind."""
    rows = (
        ("main-meter", "cityhall.electrical.main", "janitza-umg801"),
        ("tx1-temp", "cityhall.electrical.tx1", "tecsystem-nt935"),
        ("tx1-cubicle", "cityhall.electrical.tx1", "site-standard-cubicle"),
        ("em001-meter", "cityhall.meter.em001", "eastron-sdm630"),
        ("ch1-unit", "cityhall.plant.ch1", "site-standard-chiller"),
        ("ch4-unit", "cityhall.plant.ch4", "carrier-23xrv"),
        ("chwp1-drive", "cityhall.plant.chwp1", "abb-ach580"),
        ("cwp1-drive", "cityhall.plant.cwp1", "delta-cp2000"),
        ("ct1-drive", "cityhall.plant.ct1", "danfoss-fc102"),
        ("header-io", "cityhall.plant.header", "site-standard-plant-header"),
        ("ahu-05f-w", "cityhall.hvac.ahu_05f_w", "site-standard-ahu"),
        ("env001-sensor", "cityhall.environment.env001", "milesight-am319"),
    )
    equipment = {address: SimulatedEquipment(address) for _, address, _ in rows}
    return SimulatedSite("small", equipment=equipment, devices=tuple(device(*row) for row in rows))
