"""Reports are whole or not there, the newest stay, and what cannot be read harms no other."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from pathlib import Path

import pytest

from controller.errors import NotFoundError, UnavailableError
from controller.report.order import File
from controller.report.shelf import Report, Shelf


def report(kind: str = "day", first: date = date(2026, 3, 1), by: str = "schedule", *, over: bool = True) -> Report:
    return Report(kind, first, 1_000, by, over, 0.98, 28_800.0, None)


FILES = (File("zh", "pdf", b"%PDF-1"), File("en", "xlsx", b"PK"))


def test_what_is_put_is_found_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "reports")
    assert shelf.all() == []
    kept = shelf.put(report(), FILES)
    assert Shelf(tmp_path / "reports").all() == [kept]
    assert shelf.find("day-2026-03-01") == kept
    assert shelf.content("day-2026-03-01", "zh", "pdf") == b"%PDF-1"
    assert (tmp_path / "reports").stat().st_mode & 0o077 == 0


def test_a_newer_one_of_a_span_takes_the_place_of_the_older(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(report(over=False), FILES)
    shelf.put(report(by="lin.yc"), (File("zh", "pdf", b"%PDF-2"),))
    (kept,) = shelf.all()
    assert (kept.report.made_by, kept.report.over) == ("lin.yc", True)
    assert shelf.content(kept.report.id, "zh", "pdf") == b"%PDF-2"
    assert [path.name for path in tmp_path.iterdir()] == ["day-2026-03-01"]


@pytest.mark.parametrize("id_", ["day-2026-03-02", "../day-2026-03-01", "year-2026-03-01", "", "day-2026-03-01/.."])
def test_what_is_not_there_is_not_found(tmp_path: Path, id_: str) -> None:
    shelf = Shelf(tmp_path / "reports")
    shelf.put(report(), FILES)
    with pytest.raises(NotFoundError):
        shelf.find(id_)
    with pytest.raises(NotFoundError):
        shelf.content(id_, "zh", "pdf")


def test_a_file_that_it_has_not_is_not_found(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(report(), FILES)
    for language, format_ in (("en", "pdf"), ("../zh", "pdf"), ("zh", "json")):
        with pytest.raises(NotFoundError):
            shelf.content("day-2026-03-01", language, format_)


def test_the_newest_stay(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for at in range(5):
        shelf.put(report(first=date(2026, 3, 1) + timedelta(days=at)), FILES)
    shelf.put(report("month", date(2026, 2, 1)), FILES)
    assert shelf.prune({"day": 2}) == ["day-2026-03-03", "day-2026-03-02", "day-2026-03-01"]
    assert [kept.report.id for kept in shelf.all()] == ["day-2026-03-05", "day-2026-03-04", "month-2026-02-01"]


def test_the_month_stands_before_its_first_day(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(report("day", date(2026, 2, 1)), FILES)
    shelf.put(report("month", date(2026, 2, 1)), FILES)
    assert [kept.report.kind for kept in shelf.all()] == ["month", "day"]


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"report": {"kind": "day"}, "files": []}', b"\xff"])
def test_a_folder_that_cannot_be_read_is_left_out_and_said_once(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(report(), FILES)
    spoilt = tmp_path / "day-2026-03-02"
    spoilt.mkdir()
    (spoilt / "report.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert [kept.report.id for kept in shelf.all()] == ["day-2026-03-01"]
        shelf.all()
    assert len(caplog.records) == 1


def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path)
    old = shelf.put(report(), FILES)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("controller.report.shelf.os.fsync", full)
    with pytest.raises(UnavailableError, match="No space left"):
        shelf.put(report(by="lin.yc"), FILES)
    assert shelf.all() == [old]
    assert [path.name for path in tmp_path.iterdir()] == ["day-2026-03-01"]
