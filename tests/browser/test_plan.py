"""Floor plans in the browser: an alarm at its place, and an engineer who moves things by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Building, Room
from tests.services.city import City, Client, wait_for

FLOOR = "/floors/cityhall/9F"
EDIT = f"{FLOOR}/edit"
PLAN = "/plans/cityhall/9F"
AHU = "cityhall.hvac.ahu_09f_w"
SENSOR = "cityhall.environment.env033"
"""On 9F too; nobody placed it."""
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 380"><path d="M5 5h590v370H5z" fill="#888"/></svg>'


@pytest.fixture
def engineer(building: Building, people: Callable[[str], Client]) -> Iterator[Room]:
    """An engineer's window; the plan is that of the files before and after."""
    client = people("engineer")
    room = building.room("engineer", width=1366)
    yield room
    plan = client.get(PLAN)
    if plan["change"]:
        client.delete(f"{PLAN}?reason=the+test+is+over", plan["etag"])


def thing(page: Page, address: str) -> Locator:
    return page.locator(f'.layer [data-address="{address}"]')


def place_of(item: Locator) -> tuple[float, float]:
    found = re.search(r" ([\d.]+), ([\d.]+)", item.get_attribute("aria-label") or "")
    assert found
    return float(found[1]), float(found[2])


def drag(page: Page, item: Locator, by: tuple[float, float]) -> None:
    box = item.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0] / 2, y + by[1] / 2)
    page.mouse.move(x + by[0], y + by[1])
    page.mouse.up()


def save(page: Page, reason: str) -> None:
    page.get_by_role("button", name="儲存").click()
    page.get_by_label("原因").fill(reason)
    page.get_by_role("dialog").get_by_role("button", name="儲存").click()
    expect(page.get_by_text("平面圖已儲存").first).to_be_visible()


def test_a_thing_is_moved_by_mouse_and_by_keyboard_saved_and_taken_back(
    engineer: Room, people: Callable[[str], Client]
) -> None:
    page = engineer.load(EDIT)
    item = thing(page, SENSOR)
    start = place_of(item)
    drag(page, item, (60, 40))
    x, y = place_of(item)
    assert x > start[0] + 30, "by mouse"
    assert y > start[1] + 20
    assert x % 5 == y % 5 == 0, "on the grid"
    item.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    assert place_of(item) == (x + 5, y - 1), "by keyboard"
    page.get_by_label("X", exact=True).fill("123.5")
    page.get_by_label("X", exact=True).press("Enter")
    assert place_of(item) == (123.5, y - 1), "by a field"
    item.focus()
    page.keyboard.press("Control+z")
    assert place_of(item) == (x + 5, y - 1), "undone by keys"
    page.get_by_role("button", name="重做").click()
    assert place_of(item) == (123.5, y - 1)
    page.get_by_role("button", name="還原").click()
    kept = place_of(item)
    save(page, "moved to the window")

    page = engineer.load(EDIT)
    assert place_of(thing(page, SENSOR)) == kept, "it is still there"
    plan = people("engineer").get(PLAN)
    assert {item["address"] for item in plan["placements"]} == {AHU, SENSOR}
    assert plan["change"]["reason"] == "moved to the window"
    page.get_by_role("button", name="改回設定檔").click()
    page.get_by_label("原因").fill("it was not")
    page.get_by_role("dialog").get_by_role("button", name="改回設定檔").click()
    expect(page.get_by_text("平面圖已改回設定檔").first).to_be_visible()
    assert place_of(thing(page, SENSOR)) == start
    assert engineer.axe() == []


def test_a_thing_is_carried_from_the_list_or_put_there_by_a_button(engineer: Room) -> None:
    page = engineer.load(EDIT)
    page.get_by_label("搜尋設備").fill("EM009")
    row = page.locator('.list li[data-address="cityhall.meter.em009"]')
    stage = page.locator(".layer").bounding_box()
    source = row.bounding_box()
    assert stage
    assert source
    page.mouse.move(source["x"] + 20, source["y"] + 12)
    page.mouse.down()
    page.mouse.move(stage["x"] + 100, stage["y"] + 100)
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 4)
    page.mouse.up()
    x, y = place_of(thing(page, "cityhall.meter.em009"))
    assert (abs(x - 600) < 6, abs(y - 190) < 6) == (True, True)
    page.get_by_label("搜尋設備").fill("EM021")
    page.get_by_role("button", name=re.compile("放置.*EM021")).press("Enter")
    expect(thing(page, "cityhall.meter.em021")).to_be_focused()
    expect(page.locator('.list li[data-address="cityhall.meter.em021"]')).to_contain_text("已放置")


def test_leaving_with_unsaved_changes_asks(engineer: Room) -> None:
    page = engineer.load(EDIT)
    thing(page, SENSOR).focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("link", name="返回樓層").click()
    page.get_by_role("dialog").get_by_role("button", name="留在此頁").click()
    assert page.url.endswith(EDIT)
    engineer.turn("/alarms")  # as the back button does
    page.get_by_role("dialog").get_by_role("button", name="捨棄並離開").click()
    expect(page.locator("main h1")).to_have_text("告警")


def test_a_zone_is_drawn_and_one_over_another_is_refused_in_words(engineer: Room) -> None:
    page = engineer.load(EDIT)
    page.get_by_role("button", name="繪製區域").click()
    cover = page.locator(".cover")
    box = cover.bounding_box()
    assert box
    # In the corner of the drawing that no zone has: left of the north wing, above the west wing.
    for x, y in ((0.02, 0.02), (0.2, 0.02), (0.2, 0.12)):
        cover.click(position={"x": x * box["width"], "y": y * box["height"]})
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("^區域 6"))).to_be_visible()
    page.get_by_role("button", name="第 3 角").focus()
    for _ in range(16):
        page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="儲存").click()
    page.get_by_label("原因").fill("a store")
    with engineer.expect(r"answer 422: PUT .*/plans/", r"console error: .*422"):
        page.get_by_role("dialog").get_by_role("button", name="儲存").click()
        expect(page.get_by_text(re.compile('zone "zone-1" over zone "west"')).first).to_be_visible()
    page.get_by_role("button", name="還原").click()
    save(page, "a store")
    engineer.load(FLOOR)
    expect(page.locator(".zone", has_text="新區域")).to_be_visible()


def test_a_drawing_is_uploaded_with_a_preview_and_a_script_is_refused(engineer: Room, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.svg", tmp_path / "bad.svg"
    good.write_text(DRAWING)
    bad.write_text(DRAWING.replace("<path", "\n<script>alert(1)</script><path"))
    page = engineer.load(EDIT)
    with engineer.expect(r"answer 422: POST .*/drawings", r"console error: .*422"):
        page.get_by_label("上傳圖檔").set_input_files(bad)
        expect(page.get_by_text(re.compile("line 2: got an element <script>")).first).to_be_visible()
    page.get_by_label("上傳圖檔").set_input_files(good)
    expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="採用此圖檔").click()
    half = place_of(thing(page, AHU))
    assert half == (37.5, 302.5), "in proportion"
    page.get_by_role("button", name="捨棄變更").click()
    assert place_of(thing(page, AHU)) == (75.0, 605.0)


def test_who_may_not_edit_is_told_so(building: Building) -> None:
    page = building.room("operator").load(EDIT)
    expect(page.get_by_text("只有工程師可以編輯平面圖")).to_be_visible()
    page = building.room("viewer").load(FLOOR)
    expect(page.locator(".stage img")).to_be_visible()
    assert page.get_by_role("link", name="編輯平面圖").count() == 0


@pytest.fixture
def faulty(whole_city: City, people: Callable[[str], Client]) -> Iterator[str]:
    """The supply fan of the air handler of 9F is at fault; afterwards everything is as it was."""
    client = people("operator")

    def active() -> list[dict[str, Any]]:
        return [item for item in client.get("/alarms?state=active")["items"] if item["equipment"] == AHU]

    whole_city.sim("fault", "set", "ahu-09f-w", "fan_fault", "1")
    try:
        wait_for(active, 60, lambda: "no alarm of the fan")
        yield str(active()[0]["text"]["zh"])
    finally:
        whole_city.sim("fault", "clear", "ahu-09f-w")
    wait_for(lambda: all(item["returned_at"] for item in active()), 60, lambda: str(active()))
    ids = sorted(item["id"] for item in active())
    if ids:
        client.post("/alarms/acknowledge", {"ids": ids, "comment": "a test of the floor's page"})
        for item in active():
            if item["state"].startswith("latched"):
                client.post("/alarms/reset", {"ids": [item["id"]], "comment": "a test of the floor's page"})
    wait_for(lambda: not active(), 40, lambda: str(active()))


def test_an_alarm_is_at_its_place_on_the_floor_and_in_words(operator: Room, faulty: str) -> None:
    page = operator.go(FLOOR)
    label = page.locator(f'.stage [data-address="{AHU}"]')
    expect(label.locator(".shape")).to_be_visible()
    assert faulty in (label.get_attribute("aria-label") or "")
    expect(page.locator(".side").get_by_text(faulty).first).to_be_visible()
    # The label stands in the lower left, where the machine room of the west wing is.
    stage, box = page.locator(".stage").bounding_box(), label.bounding_box()
    assert stage
    assert box
    assert abs((box["x"] + box["width"] / 2 - stage["x"]) / stage["width"] - 75 / 1200) < 0.01
    assert abs((box["y"] + box["height"] / 2 - stage["y"]) / stage["height"] - 605 / 760) < 0.01
    # It is there whatever the plan shows; the picker marks the floor; the first of the list is this one.
    page.get_by_label("顯示").select_option("pm25")
    expect(label.locator(".shape")).to_be_visible()
    expect(
        page.get_by_role("navigation", name="選擇樓層").get_by_role("link", name=re.compile("^9F")).locator(".shape")
    ).to_be_visible()
    label.click()
    expect(page.locator("main h1")).to_have_text("9 樓西區空調箱")


def test_the_labels_are_walked_by_arrow_keys_in_the_order_of_the_plan(operator: Room, whole_city: City) -> None:
    page = operator.go(f"{FLOOR}?by=equipment")
    labels = page.locator(".stage a.label")
    expect(labels.first).to_be_visible()
    order = [item.get_attribute("data-address") for item in labels.all()]
    assert len(order) == len(set(order)) > 20
    labels.first.focus()
    for address in order[1:4]:
        page.keyboard.press("ArrowRight")
        expect(page.locator(":focus")).to_have_attribute("data-address", address or "")
    page.keyboard.press("End")
    expect(page.locator(":focus")).to_have_attribute("data-address", order[-1] or "")
    assert page.locator('.stage a.label[tabindex="0"]').count() == 1, "one stop for Tab"


def test_a_phone_has_the_list_first_and_the_drawing_behind_a_button(operator: Room, whole_city: City) -> None:
    operator.size(390)
    page = operator.go(FLOOR)
    expect(page.locator(".rooms li").first).to_be_visible()
    assert page.locator(".stage").count() == 0
    page.get_by_role("button", name="顯示平面圖").click()
    expect(page.locator(".stage img")).to_be_visible()
    operator.size(1920)


def test_an_equipment_has_its_page_without_drawing_anything(operator: Room, whole_city: City) -> None:
    page = operator.go(f"/equipment/{AHU.replace('.', '/')}")
    for heading in ("近 24 小時", "設備資料", "文件", "經過"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator("main canvas").first).to_be_attached()
    picture = page.get_by_role("img", name="空調箱外觀")
    expect(picture).to_be_visible()
    assert picture.evaluate("e => e.naturalWidth") > 0
    with page.expect_download() as started:
        page.get_by_role("link", name="空調箱巡檢與處置").click()
    assert Path(started.value.path()).read_bytes().startswith(b"%PDF-")
    page.get_by_role("button", name="指令", exact=True).click()
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    page.get_by_role("link", name="在平面圖上查看").click()
    expect(page.locator("main h1")).to_have_text("市政大樓 9 樓")
