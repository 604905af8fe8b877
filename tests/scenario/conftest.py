"""One city for all scenario tests of a session that do not break it for good."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.city import City


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with City(tmp_path_factory.mktemp("city") / "demo") as running:
        yield running
