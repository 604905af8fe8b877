"""Every page in both languages, both themes and three sizes: complete, accessible, nothing runs out of the window."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WIDTHS, WORDS, Building, Room, messages, slashed, untranslated
from tests.services.city import City, Client, wait_for

TX3 = "cityhall.electrical.tx3"


@dataclass(frozen=True)
class Sheet:
    """A page: address, key of its title, heading in both languages, and what shows that it is drawn."""

    id: str
    path: str
    title: str
    zh: str
    en: str
    drawn: str = "h1"


SHEETS = [
    Sheet("overview", "/", "overview", "總覽", "Overview"),
    Sheet("electrical", "/electrical", "electrical", "電力單線圖", "One-line diagram", ".drawing svg, details"),
    Sheet("electrical-list", "/electrical?view=list", "electrical", "電力單線圖", "One-line diagram", "details"),
    Sheet("plant", "/plant", "plant", "冰水主機房", "Chilled-water plant", "#content svg"),
    Sheet("floors", "/floors", "floors", "樓層空調", "Air conditioning", "table"),
    Sheet("floor", "/floors/cityhall/5F", "floor", "市政大樓 5 樓", "City Hall Floor 5", ".stage img, .rooms li"),
    Sheet(
        "floor-equipment",
        "/floors/cityhall/B1?by=equipment",
        "floor",
        "市政大樓 地下 1 樓",
        "City Hall Basement 1",
        ".stage img, .rooms li",
    ),
    Sheet("iaq", "/iaq", "iaq", "空氣品質", "Air quality", "table"),
    Sheet("car-park", "/car-park", "car-park", "停車場排風", "Car-park exhaust", "article"),
    Sheet("ev", "/ev", "ev", "充電與停車", "Charging and parking", ".cards li"),
    Sheet("maintenance", "/maintenance", "maintenance", "維護行事曆", "Maintenance calendar", "tbody tr"),
    Sheet("schedules", "/schedules", "schedules", "排程", "Schedules", "[data-plan]"),
    Sheet("events", "/events", "events", "事件", "Events"),
    Sheet("energy", "/energy", "energy", "能源與碳", "Energy and carbon", "tbody tr"),
    Sheet("reports", "/reports", "reports", "報表", "Reports"),
    Sheet("lifts", "/lifts", "lifts", "升降設備", "Lifts", "[data-lift]"),
    Sheet("fire", "/fire", "fire", "消防", "Fire", "[data-zone]"),
    Sheet("fire-matrix", "/fire/matrix", "fire-matrix", "因果矩陣", "Cause and effect", "tbody tr[data-cause]"),
    Sheet("drills", "/drills", "drills", "消防演練", "Fire drills", ".cards li"),
    Sheet("warden", "/warden", "warden", "樓層點名", "Floor muster", ".panel"),
    Sheet("standby", "/standby", "standby", "備援電力", "Standby power", "[data-bank]"),
    Sheet("meters", "/meters", "meters", "電表水表", "Meters", "[data-meter]"),
    Sheet("alarms", "/alarms", "alarms", "告警", "Alarms", "tbody tr"),
    Sheet("journal", "/alarms?tab=journal", "alarms", "告警", "Alarms", "tbody tr"),
    Sheet(
        "alarm",
        f"/alarms/{slashed(TX3)}/winding_temp_max%23high_high",
        "alarm",
        "高壓變壓器 TX-3 繞組溫度達警報值",
        "Transformer TX-3 winding temperature at alarm level",
        "canvas",
    ),
    Sheet("trend", f"/trend?points={TX3}.load_factor,{TX3}.winding_temp_max", "trend", "趨勢", "Trend", "canvas"),
    Sheet("trend-empty", "/trend", "trend", "趨勢", "Trend"),
    Sheet("devices", "/devices", "devices", "裝置", "Devices", "tbody tr"),
    Sheet("device", "/devices/ch1-unit", "device", "ch1-unit", "ch1-unit", "tbody tr"),
    Sheet(
        "point",
        "/points/cityhall/plant/ch1/chw_setpoint",
        "point",
        "冰水主機 CH-1 冰水出水溫度設定值",
        "Chiller CH-1 Chilled water set-point",
        "canvas",
    ),
    Sheet("equipment", f"/equipment/{slashed(TX3)}", "equipment", "高壓變壓器 TX-3", "Transformer TX-3", "tbody tr"),
    Sheet("duty", "/duty", "duty", "值勤表", "Duty roster", "tbody tr"),
    Sheet("notifications", "/notifications", "notifications", "通知紀錄", "Notification log", "[data-channel]"),
    Sheet("phone", "/phone", "phone", "我的手機", "My phone", ".guide"),
    Sheet("about", "/about", "about", "關於", "About", "tbody tr"),
    Sheet("more", "/more", "more", "更多", "More"),
    Sheet("password", "/password", "password", "設定新密碼", "Set a new password"),
    Sheet("missing", "/nowhere", "missing", "找不到頁面", "Page not found"),
]

# The text of an alarm is what a phone is taken out for.
_CUT = """() => [...document.querySelectorAll('#content tbody th.text a')]
  .filter((a) => a.getBoundingClientRect().right > a.closest('th').getBoundingClientRect().right + 1)
  .map((a) => `alarm is cut: ${a.textContent}`)"""
ZH = messages("zh-TW")
EN = messages("en")


@pytest.fixture(scope="module")
def hot(whole_city: City, people: Callable[[str], Client]) -> Iterator[None]:
    """A transformer that is far too hot: pages are looked at with alarms on them."""
    client = people("operator")

    def active() -> dict[str, str]:
        items = client.get("/alarms?state=active")["items"]
        return {item["id"]: item["state"] for item in items if item["equipment"] == TX3}

    whole_city.sim("fault", "set", "tx3-temp", "winding_temp_b", "145")
    try:
        wait_for(lambda: f"{TX3}.winding_temp_max#high_high" in active(), 60, lambda: str(active()))
        yield
    finally:
        whole_city.sim("fault", "clear", "tx3-temp")
    wait_for(lambda: set(active().values()) == {"returned"}, 40, lambda: str(active()))
    client.post("/alarms/acknowledge", {"ids": sorted(active()), "comment": "the relay was warmed for the pages"})
    wait_for(lambda: not active(), 40, lambda: str(active()))


@pytest.fixture(scope="module")
def room(building: Building, hot: None) -> Room:
    room = building.room("operator")
    room.load("/")
    return room


def _look(room: Room, sheet: Sheet, language: str, theme: str, width: int) -> list[str]:
    """Everything that is wrong with a page as it stands."""
    page = room.settle()
    page.locator(sheet.drawn).first.wait_for(state="attached")
    found = room.waiting()
    room.picture(f"{sheet.id}-{language}-{theme}-{width}")
    where = f"{sheet.id} {language} {theme} {width}: "
    words = messages("en" if language == "en" else "zh-TW")
    title = f"{words[f'page.{sheet.title}']} – {words['app.title']}"
    headings = [heading.inner_text() for heading in page.locator("h1").all()]
    found += room.axe()
    found += page.evaluate(WIDTHS)
    found += page.evaluate(_CUT)
    found += untranslated(page.evaluate(WORDS), language)
    if re.sub(r"^\(\d+\) ", "", page.title()) != title:
        found.append(f"title is {page.title()}, not {title}")
    if headings != [sheet.en if language == "en" else sheet.zh]:
        found.append(f"headings are {headings}")
    return [where + text for text in found]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.id)
def test_page_is_complete_and_accessible_in_languages_themes_and_sizes(room: Room, sheet: Sheet) -> None:
    found: list[str] = []
    room.size(1920)
    room.language("zh")
    room.theme("night")
    room.go(sheet.path)
    found += _look(room, sheet, "zh", "night", 1920)
    for width in (1366, 390):
        room.size(width)
        found += _look(room, sheet, "zh", "night", width)
    room.size(1920)
    room.theme("day")
    found += _look(room, sheet, "zh", "day", 1920)
    room.language("en")
    found += _look(room, sheet, "en", "day", 1920)
    room.theme("night")
    found += _look(room, sheet, "en", "night", 1920)

    assert not found, "\n".join(found)


def test_the_way_to_all_pages_is_seen_on_the_smallest_desk(room: Room) -> None:
    room.size(1366)
    room.go("/")
    rail = room.page.locator("nav.rail")
    expect(rail.locator('a[href="/more"]')).to_be_in_viewport(ratio=1)
    expect(rail.locator("li").first).to_be_in_viewport(ratio=1)


def test_both_languages_have_the_same_words_and_parameters() -> None:
    assert len(ZH) > 300
    assert ZH.keys() == EN.keys()
    different = {key for key in ZH if set(re.findall(r"\{\w+\}", ZH[key])) != set(re.findall(r"\{\w+\}", EN[key]))}
    assert not different


def test_first_words_are_chinese_before_anybody_chose(building: Building) -> None:
    page = building.room("viewer").load("/")

    assert page.evaluate("document.documentElement.lang") == "zh-Hant-TW"
    assert page.evaluate("document.documentElement.dataset.theme") == "night"


def test_language_and_theme_stay_at_the_station_over_a_reload(building: Building) -> None:
    room = building.room("viewer")
    room.load("/electrical")
    room.language("en")
    room.theme("day")
    page = room.load("/electrical")

    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.documentElement.dataset.theme") == "day"
    assert page.get_by_role("heading", name="One-line diagram").is_visible()
