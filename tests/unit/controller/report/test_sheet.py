"""The workbook: its cells are the figures, its words those of the language, and it says what is missing."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
from openpyxl import load_workbook

from controller.report.sheet import workbook
from tests.unit.controller.report.stock import data


def read(content: bytes) -> dict[str, list[list[Any]]]:
    book = load_workbook(io.BytesIO(content))
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book.worksheets}


def charts(content: bytes) -> int:
    return sum(len(sheet._charts) for sheet in load_workbook(io.BytesIO(content)).worksheets)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_months_cells_are_its_figures(language: str) -> None:
    made = await data("month", date(2025, 9, 1))
    statement, content = made["statement"], workbook(made, language)
    sheets = read(content)
    names = {"zh": ["摘要", "每日", "電費", "用途"], "en": ["Summary", "Days", "Bill", "Uses"]}[language]
    assert list(sheets) == names
    summary = {row[0]: row[1] for row in sheets[names[0]][4:]}
    energy, total = {"zh": ("用電量", "電費（估算）"), "en": ("Energy", "Bill (estimate)")}[language]
    assert summary[energy] == statement["kwh"]
    assert summary[total] == statement["bill"]["total"]
    days = sheets[names[1]][1:]
    assert [row[-3] for row in days] == [day["kwh"] for day in statement["days"]]
    assert [row[-2] for row in days] == [day["peak_kw"] for day in statement["days"]]
    assert [row[-1] for row in days] == [day["missing"] for day in statement["days"]]
    assert [row[1] for row in days] == [day["periods"].get("peak") for day in statement["days"]]
    bill = sheets[names[2]][1:]
    lines = statement["bill"]["lines"]
    assert [row[4] for row in bill[: len(lines)]] == [line["amount"] for line in lines]
    assert bill[-1][4] == statement["bill"]["total"]
    assert sheets[names[3]][1] == [
        {"zh": "冰水系統", "en": "Chilled water"}[language],
        statement["uses"][0]["kwh"],
        None,
    ]
    assert charts(content) == 2


async def test_what_is_missing_is_said_in_both_languages() -> None:
    made = await data("month", date(2025, 9, 1))
    assert made["statement"]["missing"] == 65
    chinese = "\n".join(str(row[0]) for row in read(workbook(made, "zh"))["摘要"])
    assert "市政大樓 能源月報 114年9月" in chinese
    assert "資料品質 97.7 %：2,880 個 15 分鐘時段中缺 65 個，未估補" in chinese
    assert "kWh 在缺值期間計得，無法歸入時段" in chinese
    assert "113 年電力排碳係數" in chinese
    assert "114 年係數尚未公告，暫用 113 年係數" in chinese
    assert "無基準線：氣溫與用電皆齊全的日數為 0 日，至少需要 270 日。" in chinese
    english = "\n".join(str(row[0]) for row in read(workbook(made, "en"))["Summary"])
    assert "City Hall · Monthly energy report · September 2025" in english
    assert "65 of 2,880 quarter hours are missing; none was filled in" in english


async def test_a_day_has_its_quarter_hours_and_a_running_month_says_so() -> None:
    day = await data("day", date(2025, 10, 9))
    content = workbook(day, "zh")
    sheets = read(content)
    assert list(sheets) == ["摘要", "15 分鐘", "用途"]
    assert [row[1] for row in sheets["15 分鐘"][1:]] == [window["kw"] for window in day["statement"]["load"]]
    assert sheets["15 分鐘"][1][0] == "00:00"
    assert charts(content) == 2
    running = await data("month", date(2025, 11, 1))
    text = "\n".join(str(row[0]) for row in read(workbook(running, "zh"))["摘要"])
    assert "資料截至 114年11月1日 10:00，期間尚未結束" in text


async def test_nothing_known_is_no_number() -> None:
    empty = await data("month", date(2025, 3, 1))
    rows = {row[0]: row[1] for row in read(workbook(empty, "zh"))["摘要"][4:]}
    assert rows["用電量"] == "無資料"
    assert rows["碳排放量"] == "無資料"
    assert "此期間沒有任何讀值" in rows
