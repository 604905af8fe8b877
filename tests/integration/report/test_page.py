"""PDF and workbook as the job process makes them, with the fonts of the built control room."""

from __future__ import annotations

from datetime import date

from controller.report.order import Order, made
from controller.report.page import pictures
from tests.unit.controller.report.stock import data


async def test_a_report_is_four_files_and_the_same_each_time() -> None:
    order = Order(await data("month", date(2025, 9, 1)))
    files = made(order)
    assert [(file.language, file.format) for file in files] == [
        ("zh", "pdf"), ("zh", "xlsx"), ("en", "pdf"), ("en", "xlsx"),
    ]  # fmt: skip
    again = made(order)
    for file, other in zip(files, again, strict=True):
        assert file.content.startswith({"pdf": b"%PDF-", "xlsx": b"PK"}[file.format])
        if file.format == "pdf":
            assert file.content == other.content
            assert b"NotoSansTC" in file.content
            assert 20_000 < len(file.content) < 400_000


async def test_a_month_of_one_use_is_two_pages_and_a_day_is_one() -> None:
    month, day = await data("month", date(2025, 9, 1)), await data("day", date(2025, 10, 9))
    for language in ("zh", "en"):
        assert [len(pictures(one, language)) for one in (month, day)] == [2, 1]
