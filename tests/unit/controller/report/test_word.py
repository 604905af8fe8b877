"""How reports write numbers, shares and days; and that what is laid out is what the figures say."""

from __future__ import annotations

import string
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from controller.report.page import document
from controller.report.word import _WORDS, day_text, moment_text, month_text, number, percent
from tests.unit.controller.report.stock import data


def test_days_are_in_years_of_the_republic_in_chinese() -> None:
    assert day_text("zh", date(2026, 11, 23)) == "115年11月23日"
    assert day_text("en", date(2026, 11, 23)) == "23 November 2026"
    assert month_text("zh", date(2026, 1, 1)) == "115年1月"
    assert moment_text("zh", "2026-12-31T16:05:00.000Z", ZoneInfo("Asia/Taipei")) == "116年1月1日 00:05"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (number(1234.5), "1,234"),
        (number(-1234.5, 1), "\u22121,234.5"),
        (number(-0.2), "0"),
        (number(None), "—"),
        (percent(0.9997), "99.9 %"),  # never 100 where something is missing
        (percent(1.0), "100.0 %"),
        (percent(0.03, sign=True), "+3.0 %"),
        (percent(-0.061, sign=True), "\u22126.1 %"),
        (percent(None), "—"),
    ],
)
def test_numbers(text: str, wanted: str) -> None:
    assert text == wanted


def test_every_text_is_in_both_languages_with_the_same_values() -> None:
    def holes(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, (chinese, english) in _WORDS.items():
        assert holes(chinese) == holes(english), key
        assert "\u2082" not in chinese + english, f"{key}: the font has no subscript two"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_pages_show_the_figures(language: str) -> None:
    made = await data("month", date(2025, 9, 1))
    statement, laid = made["statement"], document(made, language)
    assert [tile["value"] for tile in laid["tiles"]] == [
        number(statement["kwh"]),
        number(statement["bill"]["total"]),
        number(statement["peak"]["kw"]),
        number(statement["carbon"]["kg"]),
    ]
    assert laid["tiles"][1]["unit"] == {"zh": "元", "en": "NT$"}[language]

    def table(name: str) -> list[list[str]]:
        (found,) = [section for section in laid["sections"] if section["heading"] == name]
        return [row["cells"] for row in found["table"]["rows"]]

    names = {"zh": ("每日明細", "電費單（估算）"), "en": ("Day by day", "Bill (estimate)")}[language]
    assert [row[1] for row in table(names[0])] == [number(day["kwh"]) for day in statement["days"]]
    bill = table(names[1])
    assert [row[3] for row in bill[: len(statement["bill"]["lines"])]] == [
        number(line["amount"], 2) for line in statement["bill"]["lines"]
    ]
    assert bill[-1][3] == number(statement["bill"]["total"])
    (chart,) = [section["chart"] for section in laid["sections"] if section["chart"] is not None]
    assert [round(sum(bar["parts"]), 3) for bar in chart["bars"]] == [
        pytest.approx(day["kwh"], abs=0.01) if day["kwh"] is not None else 0 for day in statement["days"]
    ]
    assert [bar["missing"] for bar in chart["bars"]] == [day["missing"] > 0 for day in statement["days"]]
    assert chart["top"] >= max(sum(bar["parts"]) for bar in chart["bars"])


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_month_without_readings_has_no_zeros_and_no_bare_headings(language: str) -> None:
    laid = document(await data("month", date(2025, 3, 1)), language)
    assert [tile["value"] for tile in laid["tiles"]] == ["\u2014"] * 3
    for section in laid["sections"]:
        assert section["chart"] or section["table"] or section["notes"], section["heading"]
        rows = section["table"]["rows"] if section["table"] else []
        assert not [row["cells"] for row in rows if "0" in row["cells"][1:3]], section["heading"]


async def test_a_day_has_the_contract_in_its_chart() -> None:
    laid = document(await data("day", date(2025, 10, 9)), "zh")
    (chart,) = [section["chart"] for section in laid["sections"] if section["chart"] is not None]
    assert chart["limit"] == {"at": 5000.0, "text": "契約容量 5,000 kW"}
    assert len(chart["bars"]) == 96
