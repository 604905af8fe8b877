"""A meter that no file knows: added, compared, taken out of service and removed by the screen alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Building, Room
from tests.services.city import City, Client, wait_for
from tests.services.spare import SpareMeter

PAGES = ("/devices/new", "/devices/em001-meter/edit", "/commissioning?device=em001-meter")


@pytest.fixture(scope="module")
def engineer(building: Building) -> Room:
    room = building.room("engineer", width=1366)
    room.load("/devices")
    return room


@pytest.fixture
def spare(whole_city: City, people: Callable[[str], Client]) -> Iterator[SpareMeter]:
    """A meter on the wire; whatever was made for it on the screen is gone afterwards."""
    client = people("engineer")
    before = {item["key"] for item in client.get("/inventory")["items"]}
    with SpareMeter() as meter:
        yield meter
        for item in client.get("/inventory")["items"]:
            if item["key"] not in before and item["key"].startswith("device/"):
                path = f"/inventory/devices/{item['key'].removeprefix('device/')}"
                client.delete(path, client.etag(path))


def step(page: Page, number: int) -> None:
    steps = page.get_by_role("navigation", name="步驟").get_by_role("listitem")
    expect(steps.nth(number - 1).get_by_role("button")).to_have_attribute("aria-current", "step")
    expect(page.locator("section h2").first).to_be_focused()


def forward(page: Page) -> None:
    page.get_by_role("button", name="下一步").click()


def test_a_new_device_is_added_by_the_screen_alone_and_read_within_ten_seconds(
    engineer: Room, spare: SpareMeter, people: Callable[[str], Client]
) -> None:
    client = people("engineer")
    page = engineer.go("/devices")
    page.get_by_role("link", name="新增裝置").click()
    expect(page.get_by_role("heading", name="要加入哪一類設備？")).to_be_visible()
    page.get_by_role("button", name=re.compile("智慧型電表")).click()
    step(page, 2)
    page.get_by_label("搜尋廠牌、型號或協定").fill("eastron")
    page.get_by_role("radio").check()
    forward(page)
    step(page, 3)
    forward(page)
    expect(page.get_by_text("請填寫端點與必填選項。")).to_be_visible()

    # A wrong address first: the refusal is told, and nothing that was typed is lost.
    address = page.get_by_label(re.compile("^端點"))
    address.fill("opc.tcp://127.0.0.1:4840")
    page.keyboard.press("Enter")
    step(page, 4)
    with engineer.expect("422"):
        page.locator("section").get_by_role("button", name="測試讀取", exact=True).click()
        expect(page.get_by_text("端點不正確：通訊協定必須與型號檔相同")).to_be_visible()
    page.get_by_role("button", name="上一步").click()
    expect(address).to_have_value("opc.tcp://127.0.0.1:4840")
    address.fill(spare.endpoint)
    page.keyboard.press("Enter")
    step(page, 4)
    page.locator("section").get_by_role("button", name="測試讀取", exact=True).click()
    row = page.get_by_role("row", name=re.compile("^有效功率"))
    # 12.3 kW are 12,300 W, as an IEEE 754 single 46 40 30 00 in the registers 52 and 53 (SDM630 protocol, Eastron).
    expect(row).to_contain_text("4640 3000")
    expect(row).to_contain_text("12.3 kW")
    expect(page.get_by_text("28 / 28 點良好")).to_be_visible()
    expect(page.locator(".wire .block").first).to_contain_text("01 04 00 00 00 4e")
    assert engineer.axe("#content") == []
    engineer.picture("device-new-test")
    forward(page)

    step(page, 5)
    device_id = page.get_by_label("裝置代號")
    expect(page.locator("output").first).to_have_text(re.compile(r"^em\d+-meter$"))
    template = device_id.input_value()
    device_id.fill("em001-meter")
    forward(page)
    step(page, 6)
    page.get_by_label("原因").fill("新租戶電表")
    with engineer.expect("422"):
        page.keyboard.press("Enter")
        step(page, 5)
    expect(page.get_by_text("裝置代號已被使用")).to_be_visible()
    expect(device_id).to_have_value("em001-meter")
    assert engineer.axe("#content") == []
    device_id.fill(template)
    made = page.locator("output").first.inner_text()
    forward(page)
    step(page, 6)
    expect(page.get_by_label("原因")).to_have_value("新租戶電表")
    page.get_by_role("button", name="儲存", exact=True).click()
    began = time.monotonic()
    page.wait_for_url(f"**/devices/{made}")
    expect(page.get_by_role("row", name=re.compile("^有效功率"))).to_contain_text("12.3", timeout=10_000)
    assert time.monotonic() - began < 10.0
    expect(page.get_by_text("良好", exact=True)).to_be_visible()
    equipment = client.get(f"/devices/{made}")["equipment"]
    assert client.value(f"{equipment}.power")["value"] == pytest.approx(12.3)

    _compare(engineer, page, made)
    _retire_restore_remove(engineer, page, made, equipment, client)


def _compare(engineer: Room, page: Page, made: str) -> None:
    """Two points of the commissioning record, and the sheet to sign."""
    page.get_by_role("link", name="試運轉紀錄").click()
    reference = page.get_by_label(re.compile("^參考值"))
    expect(page.get_by_role("heading", name=re.compile("^L1-N 電壓"))).to_be_visible()
    reference.fill("230")
    expect(page.locator("output")).to_have_text("0.20 V")
    page.get_by_role("radio", name="合格", exact=True).check()
    page.get_by_label("備註").fill("夾式電表 3 號")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("^L2-N 電壓"))).to_be_visible()
    expect(reference).to_be_focused()
    reference.fill("225")
    page.get_by_role("radio", name="不合格").check()
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 / 28 點已比對")).to_be_visible()
    expect(page.get_by_text("1 點不合格")).to_be_visible()
    page.get_by_role("button", name=re.compile("L1-N 電壓")).click()
    expect(page.locator("main table tbody tr")).to_have_count(1)
    assert engineer.axe("#content") == []
    engineer.picture("commissioning")
    page.get_by_role("button", name="列印檢視").click()
    sheet = page.locator("article")
    expect(sheet).to_contain_text(made)
    expect(sheet).to_contain_text("市政大樓")
    expect(sheet).to_contain_text("測試人員簽名")
    expect(sheet).to_contain_text(re.compile(r"\b1\d\d/\d\d/\d\d \d\d:\d\d:\d\d"))
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation")).to_have_count(0)
    expect(page.get_by_role("button", name="列印")).to_be_hidden()
    expect(sheet).to_be_visible()
    page.emulate_media(media="screen")
    page.get_by_role("button", name="返回填寫").click()


def _retire_restore_remove(engineer: Room, page: Page, made: str, equipment: str, client: Client) -> None:
    engineer.go(f"/devices/{made}/edit")
    page.get_by_role("button", name="停用裝置").click()
    expect(page.get_by_text("請填寫原因。")).to_be_visible()
    page.get_by_label("原因").fill("送校正")
    page.get_by_role("button", name="停用裝置").click()
    expect(page.get_by_text(re.compile(r"由 demo-engineer 於 .* 停用：送校正"))).to_be_visible(timeout=15_000)
    wait_for(lambda: client.value(f"{equipment}.power")["quality_name"] == "bad_out_of_service", 5)
    assert engineer.axe("#content") == []
    engineer.picture("device-edit")
    page.get_by_label("原因").fill("校正完成")
    page.get_by_role("button", name="恢復使用").click()
    wait_for(lambda: client.value(f"{equipment}.power")["value"] == pytest.approx(12.3), 10)
    page.get_by_label("原因").fill("租戶遷出")
    page.get_by_role("button", name="刪除畫面上的設定").click()
    page.wait_for_url("**/devices")
    items = client.all("/devices")
    assert made not in {item["id"] for item in items}
    expect(page.get_by_role("link", name=made)).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1366])
def test_the_pages_of_an_engineer_fit_in_both_languages(engineer: Room, width: int) -> None:
    engineer.size(width)
    for language, theme in (("zh", "night"), ("en", "day")):
        engineer.language(language)
        engineer.theme(theme)
        for path in PAGES:
            page = engineer.go(path)
            assert engineer.waiting() == [], path
            over = page.evaluate("document.getElementById('content').scrollWidth - innerWidth")
            assert over <= 0, f"{path} at {width} is {over} px too wide"
            assert engineer.axe("#content") == [], path
    engineer.language("zh")
    engineer.theme("night")


def test_who_may_not_configure_is_told_so(operator: Room) -> None:
    page = operator.go("/devices/new")
    expect(page.get_by_text("新增與變更裝置需要設定權限。")).to_be_visible()
    page = operator.go("/devices")
    expect(page.get_by_role("link", name="新增裝置")).to_have_count(0)
    page = operator.go("/commissioning?device=em001-meter")
    expect(page.get_by_text("您可以檢視紀錄；記錄需要設定權限。")).to_be_visible()
