"""Energy and reports in a browser: the page's figures are the API's, and a report is made, listed and saved."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from playwright.sync_api import expect

from tests.browser.conftest import Building, messages
from tests.services.city import Client

ZH, EN = messages("zh-TW"), messages("en")


def _number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))


def _statement(client: Client, until: str) -> dict[str, Any] | None:
    """Return the month's statement; None when a quarter of an hour went by since the page was drawn."""
    found: dict[str, Any] = client.get("/energy/statement")
    return found if found["until"] == until else None


def test_the_figures_of_the_page_are_those_of_the_api(building: Building, people: Callable[[str], Client]) -> None:
    client = people("viewer")
    room = building.room("viewer", width=1366)
    for _ in range(3):  # a quarter of an hour may end between the two
        before: dict[str, Any] = client.get("/energy/statement")
        page = room.load("/energy")
        shown = {key: page.locator(f'[data-sum="{key}"] b').inner_text() for key in ("kwh", "bill", "peak", "carbon")}
        total = page.locator("[data-bill]").inner_text()
        statement = _statement(client, before["until"])
        if statement is not None:
            break
    assert statement is not None
    assert _number(shown["kwh"]) == round(statement["kwh"])
    assert _number(shown["bill"]) == _number(total) == statement["bill"]["total"]
    assert _number(shown["peak"]) == round(statement["peak"]["kw"])
    assert _number(shown["carbon"].partition("kg")[0]) == round(statement["carbon"]["kg"])
    expect(page.locator('[data-sum="bill"] b')).to_contain_text(ZH["unit.money"])
    expect(page.locator("main")).not_to_contain_text("NT$")
    for key in ("kwh", "bill", "peak", "quality"):
        expect(page.locator(f'[data-sum="{key}"]')).to_be_in_viewport()
    expect(page.get_by_role("img", name=ZH["energy.demand"])).to_be_in_viewport()
    expect(
        page.get_by_text(re.compile("無基準線：氣溫與用電皆齊全的日數為 [\\d,]+ 日，至少需要 270 日。"))
    ).to_be_visible()
    room.language("en")
    expect(page.get_by_role("heading", name=EN["energy.bill"], exact=True)).to_be_visible()
    assert room.axe() == []
    page.get_by_label(EN["energy.pick"]).select_option(index=1)
    expect(page.locator('[data-sum="kwh"]')).to_contain_text(EN["energy.month.whole"])
    expect(page).to_have_url(re.compile(r"month=\d{4}-\d\d-01"))


def test_a_report_is_made_listed_and_saved(building: Building, people: Callable[[str], Client], tmp_path: Path) -> None:
    room = building.room("engineer", width=1366)
    page = room.load("/reports")
    expect(page.get_by_role("heading", name=ZH["report.schedule"], exact=True)).to_be_visible()
    page.get_by_label(ZH["report.make.month"], exact=True).select_option(index=0)
    month = page.get_by_label(ZH["report.make.month"], exact=True).locator("option").first.inner_text()
    page.get_by_role("button", name=ZH["report.make"], exact=True).click()
    row = page.get_by_role("row").filter(has_text=f"{ZH['report.kind.month']} {month}")
    expect(row).to_be_visible(timeout=60_000)
    expect(row).to_contain_text(ZH["report.not-over"])
    assert room.axe() == []
    saved = {}
    for name in ("中文 PDF", "英文 XLSX"):
        with page.expect_download() as waiting:
            row.get_by_role("link").filter(has_text=name).click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        saved[name] = path
    assert saved["中文 PDF"].read_bytes().startswith(b"%PDF-")
    (item,) = [one for one in people("engineer").get("/reports")["items"] if one["kind"] == "month" and not one["over"]]
    assert saved["中文 PDF"].name == f"shifu-{item['id']}-zh.pdf"
    book = load_workbook(io.BytesIO(saved["英文 XLSX"].read_bytes()))
    summary = {line[0].value: line[1].value for line in book["Summary"].iter_rows(min_row=5)}
    assert summary["Energy"] == item["kwh"]
    assert summary["Bill (estimate)"] == item["total"]
    room.language("en")
    expect(page.get_by_role("button", name=EN["report.make"], exact=True)).to_be_visible()

    viewer = building.room("viewer", width=390)
    sheet = viewer.load("/reports")
    expect(sheet.get_by_role("link").filter(has_text="中文 PDF").first).to_be_visible()
    expect(sheet.get_by_role("button", name=ZH["report.make"], exact=True)).to_have_count(0)
