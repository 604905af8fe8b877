"""The trend: drawn, as a table, compared, moved in time, and taken home as a file."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Room

POINTS = ["cityhall.electrical.main.power", "cityhall.electrical.tx1.winding_temp_max"]
TREND = f"/trend?points={','.join(POINTS)}&range=24h"
_INK = """() => { const canvas = document.querySelector('.trend canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let ink = 0; for (let i = 3; i < data.length; i += 4) if (data[i] > 40) ink += 1;
  return ink / (data.length / 4); }"""


def test_chart_is_drawn_and_says_in_words_what_it_shows(operator: Room) -> None:
    page = operator.go(TREND)
    page.locator(".trend canvas").wait_for()

    assert page.evaluate(_INK) > 0.01
    name = page.get_by_role("img", name=re.compile("最小"))
    expect(name).to_have_accessible_name(re.compile(r"高壓總表.*最小 [\d,.]+，最大 [\d,.]+，最後 [\d,.]+.*TX-1"))
    table = page.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("columnheader")).to_contain_text(
        ["點位", "游標處", "最小", "平均", "最大", "最後", "品質"]
    )


def test_table_shows_the_same_numbers(operator: Room) -> None:
    page = operator.go(TREND)
    page.locator(".trend canvas").wait_for()
    page.get_by_role("button", name="以表格顯示").click()
    rows = page.get_by_role("table").last.get_by_role("row")

    expect(rows.nth(20)).to_be_attached()
    cells = rows.nth(20).get_by_role("cell").all_inner_texts()
    assert len(cells) == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rows.nth(20).get_by_role("rowheader").inner_text())
    assert any(re.search(r"\d", text) for text in rows.nth(20).get_by_role("cell").all_inner_texts())
    assert not operator.axe()
    assert "view=table" in page.url
    page.get_by_role("button", name="以圖顯示").click()
    page.locator(".trend canvas").wait_for()


def test_file_has_every_point_and_the_time_with_its_zone(operator: Room, tmp_path: Path) -> None:
    page = operator.go(TREND)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="匯出 CSV").click()
    file = tmp_path / "trend.csv"
    waiting.value.save_as(file)
    rows = list(csv.reader(io.StringIO(file.read_text("utf-8-sig"))))

    assert waiting.value.suggested_filename.endswith(".csv")
    assert len(rows) > 50
    text = "\n".join(",".join(row) for row in rows)
    assert all(point in text for point in POINTS)
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text)


def test_comparison_asks_for_the_day_before_and_is_kept_in_the_address(operator: Room) -> None:
    page = operator.go(TREND)
    page.locator(".trend canvas").wait_for()
    with (
        page.expect_request(lambda request: "/history?" in request.url) as first,
        page.expect_response(lambda answer: "/history?" in answer.url),
    ):
        page.get_by_label("比較").select_option("1d")
    operator.settle()

    assert "compare=1d" in page.url
    assert "points=" in first.value.url
    page.locator(".trend canvas").wait_for()
    assert page.evaluate(_INK) > 0.01
    operator.picture("trend-compare-zh-night-1920")


@pytest.mark.parametrize(("key", "name"), [("[", "往前一段"), ("]", "往後一段")])
def test_range_steps_by_its_own_length_by_key_and_by_button(operator: Room, key: str, name: str) -> None:
    page = operator.go(TREND)
    page.keyboard.press(key)
    expect(page).to_have_url(re.compile("from="))
    by_key = page.url
    page.keyboard.press("l")
    expect(page).not_to_have_url(re.compile("from="))
    page.get_by_role("button", name=name).click()
    expect(page).to_have_url(re.compile("from="))
    operator.settle()

    assert re.sub(r"(from|to)=[^&]*", "", by_key) == re.sub(r"(from|to)=[^&]*", "", page.url)


def test_points_are_added_by_search_and_removed(operator: Room) -> None:
    page = operator.go("/trend")
    expect(page.get_by_text("加入點位以畫出趨勢")).to_be_visible()
    page.get_by_role("button", name="加入點位").last.click()
    dialog = page.get_by_role("dialog", name="加入點位")
    dialog.get_by_role("combobox").fill("TX-1 load factor")
    expect(dialog.get_by_role("option").first).to_contain_text("load_factor")
    page.keyboard.press("Enter")
    page.locator(".trend canvas").wait_for()
    assert "tx1.load_factor" in page.url
    page.get_by_role("button", name=re.compile("^移除")).click()
    expect(page.get_by_text("加入點位以畫出趨勢")).to_be_visible()
