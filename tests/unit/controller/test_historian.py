"""The historian: what is committed reaches its readers, and what cannot be opened is said in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.clock import VirtualClock
from controller.errors import InvalidError, UnavailableError
from controller.historian import Historian
from controller.point.model import Name, Site
from controller.settings.file import HistoryRow, InfluxRow
from drivers.reading import Readings

if TYPE_CHECKING:
    from pathlib import Path

SERVER = InfluxRow(url="http://127.0.0.1:1", org="o", bucket="b", token_env="SHIFU_TEST_INFLUX")


@pytest.fixture
def site() -> Site:
    return Site("s", Name("", "S"), "Asia/Taipei", 3, {}, {}, {}, {})


async def test_what_is_committed_is_in_the_store(tmp_path: Path, site: Site) -> None:
    clock = VirtualClock()
    historian = Historian(tmp_path, tmp_path, HistoryRow(), site, clock)
    historian.start()
    try:
        now = clock.now_ns()
        historian.log.append(Readings.of([7], [21.5], now))
        historian.log.flush()
        assert historian.embedded.settle()
        (series,) = await historian.store.raw([7], now - 1, now + 1)
        assert series.value.tolist() == [21.5]
    finally:
        historian.close()
    assert historian.log_trouble() == ""
    assert historian.influx_trouble() == "", "no server, no trouble"


def test_one_that_never_started_closes(tmp_path: Path, site: Site) -> None:
    Historian(tmp_path, tmp_path, HistoryRow(), site, VirtualClock()).close()


def test_server_is_written_and_asked_as_the_site_says(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIFU_TEST_INFLUX", "secret")
    for reads in ("embedded", "influx"):
        row = HistoryRow.model_validate({"influx": SERVER, "reads": reads})
        historian = Historian(tmp_path / reads, tmp_path, row, site, VirtualClock())
        assert historian.influx is not None
        assert historian.influx_trouble() is None, "not asked yet"
        assert historian.store is (historian.embedded if reads == "embedded" else historian.reader)
        historian.close()


def test_server_without_a_token_is_refused(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHIFU_TEST_INFLUX", raising=False)
    with pytest.raises(InvalidError, match=r"\[history.influx\] has no token: environment variable SHIFU_TEST_INFLUX"):
        Historian(tmp_path, tmp_path, HistoryRow(influx=SERVER), site, VirtualClock())


def test_folder_that_cannot_be_opened_is_named(tmp_path: Path, site: Site) -> None:
    (tmp_path / "history.db").mkdir()
    with pytest.raises(UnavailableError, match=r"history\.db: cannot be opened"):
        Historian(tmp_path, tmp_path, HistoryRow(), site, VirtualClock())
