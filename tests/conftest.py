"""What scenario and browser tests share: one running city a session, and its people."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.services.city import City, Client
from tests.services.influxdb import InfluxServer, influx_server

__all__ = ["influx_server"]

BUCKET = "city"


@pytest.hookimpl(tryfirst=True)  # before the markers are turned into groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file together when tests run side by side, and everything that needs the city: there is one of it."""
    for item in items:
        needs_city = "city" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("city" if needs_city else str(item.path)))


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory, influx_server: InfluxServer) -> Iterator[City]:
    """One city for all tests of a session that do not break it for good; both its stores are real ones."""
    influx_server.make_bucket(BUCKET)
    where = f"{influx_server.url}/{influx_server.org}/{BUCKET}"
    with City(tmp_path_factory.mktemp("city") / "demo", influx=where, token=influx_server.token) as running:
        yield running


@pytest.fixture(scope="session")
def people(city: City) -> Callable[[str], Client]:
    """Signed-in clients by role. A role's link is good once, so everybody who needs one asks here."""
    known: dict[str, Client] = {}

    def client(role: str) -> Client:
        if role not in known:
            known[role] = city.client(role)
        return known[role]

    return client
