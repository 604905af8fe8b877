"""A point from the search to the register and back: find, review, write, see it done, release."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Building, Room, slashed
from tests.services.city import City, wait_for

SETPOINT = "cityhall.plant.ch1.chw_setpoint"
POINT = f"/points/{slashed(SETPOINT)}"


def _search(page: Page, text: str) -> None:
    page.keyboard.press("/")
    box = page.get_by_role("combobox")
    expect(box).to_be_focused()
    box.fill(text)


@pytest.mark.parametrize(
    ("language", "text", "hit"),
    [
        ("zh", "CH-1 冰水出水溫度設定值", "冰水出水溫度設定值"),
        ("en", "CH-1 chilled water set-point", "Chilled water set-point"),
    ],
)
def test_slash_finds_the_set_point_in_both_languages(operator: Room, language: str, text: str, hit: str) -> None:
    operator.language(language)
    page = operator.go("/plant")
    _search(page, text)
    first = page.get_by_role("option").first

    expect(first).to_contain_text(hit)
    expect(first).to_contain_text(SETPOINT)
    expect(first).to_have_attribute("aria-selected", "true")
    assert not operator.axe("dialog")
    page.keyboard.press("Enter")
    operator.settle()
    assert page.url.endswith(POINT)
    expect(page.get_by_role("heading", level=1)).to_contain_text(hit)


def test_search_finds_nothing_says_so_and_closes(operator: Room) -> None:
    page = operator.go("/plant")
    _search(page, "zzzz")

    expect(page.get_by_role("dialog")).to_contain_text("找不到「zzzz」")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_written_set_point_reaches_the_register_once_and_is_released(operator: Room, city: City) -> None:
    page = operator.go(POINT)
    before = len([row for row in city.sim("ledger", "ch1-unit") if row["quantity"] == "chw_setpoint"])
    value = 9.5 if city.sim("values", "ch1-unit")["chw_setpoint"] != 9.5 else 10.5
    command = page.get_by_role("region", name="指令", exact=True)
    face = page.locator(".face")
    expect(face).to_contain_text("良好")
    expect(face.locator(".value.hero")).to_contain_text(re.compile(r"\d"))

    command.get_by_role("button", name="變更指令…").click()
    command.get_by_role("button", name="下一步：檢查").click()
    expect(command.get_by_role("alert")).to_have_text("請寫明原因，交班與稽核會看到。")
    command.get_by_label("新的值").fill("99")
    command.get_by_label("原因").fill("browser test")
    command.get_by_role("button", name="下一步：檢查").click()
    expect(command.get_by_role("alert")).to_have_text("超出範圍 5 – 15")
    command.get_by_label("新的值").fill(str(value))
    command.get_by_label("有效期間").select_option("3600")
    command.get_by_role("button", name="下一步：檢查").click()

    review = command.locator(".review")
    expect(review).to_contain_text(re.compile(rf"將 .*冰水出水溫度設定值 由 .* 改為 {value}"))
    expect(review).to_contain_text("有效至")
    expect(review).to_contain_text("設備的看門狗")
    expect(review).to_contain_text("原因：browser test")
    operator.picture("point-review-zh-night-1920")
    assert not operator.axe()
    assert city.sim("values", "ch1-unit")["chw_setpoint"] != value, "nothing is sent before the review is executed"
    # Every state that the result line shows on its way, so that "waiting" is seen even when it lasts 100 ms.
    page.evaluate(
        """() => { window.states = []; new MutationObserver(() => {
          const text = document.querySelector('.command .result b')?.textContent;
          if (text && window.states.at(-1) !== text) window.states.push(text);
        }).observe(document.querySelector('.command'), { subtree: true, childList: true, characterData: true }); }"""
    )
    command.get_by_role("button", name="執行").click()
    expect(command.locator(".result b")).to_have_text("完成", timeout=15_000)
    states = page.evaluate("window.states")
    assert states[-1] == "完成"
    assert set(states[:-1]) & {"已送出", "等待寫入", "驗證中"}, states
    operator.picture("point-done-zh-night-1920")

    assert city.sim("values", "ch1-unit")["chw_setpoint"] == pytest.approx(value)
    writes = [row for row in city.sim("ledger", "ch1-unit") if row["quantity"] == "chw_setpoint"]
    assert len(writes) == before + 1, writes
    slots = page.get_by_role("table", name=re.compile("優先權陣列"))
    row = slots.get_by_role("row").filter(has_text="browser test")
    expect(row).to_contain_text("▶8")
    expect(row).to_contain_text("operator")
    expect(row).to_contain_text(f"{value}")
    expect(face.locator(".value.hero")).to_contain_text(f"{value}")
    expect(face).to_contain_text("手動覆寫")

    row.get_by_role("button", name="釋放").click()
    command.get_by_label("原因").fill("browser test is over")
    command.get_by_role("button", name="下一步：檢查").click()
    expect(command.locator(".review")).to_contain_text("釋放")
    command.get_by_role("button", name="執行").click()
    expect(command.locator(".result b")).to_have_text("完成", timeout=15_000)
    expect(row).to_have_count(0)
    wait_for(lambda: city.sim("values", "ch1-unit")["chw_setpoint"] != value, 10)
    expect(face).to_contain_text("良好")
    command.get_by_role("button", name="關閉").click()


def test_refused_command_says_why_and_stays(operator: Room) -> None:
    page = operator.go(POINT)
    command = page.get_by_role("region", name="指令", exact=True)
    problem = {
        "title": "Unprocessable",
        "status": 422,
        "detail": "interlock: the chiller is in local control",
        "what_to_do": "Switch it to remote.",
    }
    page.route(
        "**/api/v1/commands",
        lambda route: (
            route.fulfill(status=422, content_type="application/problem+json", body=json.dumps(problem))
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    command.get_by_role("button", name="變更指令…").click()
    command.get_by_label("原因").fill("browser test")
    command.get_by_role("button", name="下一步：檢查").click()
    with operator.expect(r"422.*/api/v1/commands|/api/v1/commands\)$"):
        command.get_by_role("button", name="執行").click()
        expect(command.locator(".result")).to_contain_text("失敗")
        expect(command.locator(".result")).to_contain_text("interlock: the chiller is in local control")
    page.unroute("**/api/v1/commands")
    command.get_by_role("button", name="關閉").click()


def test_plant_command_asks_in_a_dialog_with_the_focus_on_cancel(operator: Room, city: City) -> None:
    page = operator.go(f"/points/{slashed('cityhall.plant.ch1.enable')}")
    before = len(city.sim("ledger", "ch1-unit"))
    command = page.get_by_role("region", name="指令", exact=True)
    command.get_by_role("button", name="變更指令…").click()
    command.get_by_role("radio").first.check()
    command.get_by_label("原因").fill("browser test")
    command.get_by_role("button", name="下一步：檢查").click()
    dialog = page.get_by_role("dialog")

    expect(dialog).to_contain_text("B 級指令")
    expect(dialog.get_by_role("button", name="取消")).to_be_focused()
    operator.picture("point-class-b-zh-night-1920")
    assert not operator.axe("dialog")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    command.get_by_role("button", name="取消").click()
    assert not [row for row in city.sim("ledger", "ch1-unit")[before:] if row["quantity"] == "enable"]


def test_viewer_is_told_why_there_is_no_button(building: Building) -> None:
    room = building.room("viewer")
    page = room.load(POINT)

    expect(page.get_by_text("您的角色沒有此區域的指令權限。")).to_be_visible()
    expect(page.get_by_role("button", name="變更指令…")).to_have_count(0)
    expect(page.get_by_role("button", name="釋放")).to_have_count(0)
