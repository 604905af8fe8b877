"""Lifts, fire, standby power and meters: each page shows its condition at its element, in both languages, unasked.

The window is 1366 x 768, nobody clicks, and the city is left as it was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Building, Room
from tests.services.city import City, Client, wait_for

LANGUAGES = ("zh", "en")


@pytest.fixture(scope="module")
def client(whole_city: City, people: Callable[[str], Client]) -> Iterator[Client]:
    """Afterwards nothing of this module is active, and what returned is acknowledged."""
    client = people("operator")
    yield client
    for device, *event in (
        ("lift-07", "rescue"), ("fire-panel", "reset"), ("standby-generator", "mode", "value=1"),
        ("capacitor-3", "step_fault", "step=2", "value=0"),
    ):  # fmt: skip
        whole_city.sim("fault", "event", device, *event)
    for device in ("fire-panel", "em002-meter"):
        whole_city.sim("fault", "clear", device)
    if (client.get("/fire")["response"] or {}).get("phase") == "active":
        stand_down(people("safety_officer"))
    mine = re.compile(r"cityhall\.(lift|fire|standby)\.|^fire#|em002-meter|cityhall\.meter\.em002")

    def left() -> list[str]:
        items = client.get("/alarms?state=active&limit=1000")["items"]
        waiting = [item["id"] for item in items if mine.search(item["id"]) and item["state"] == "returned"]
        if waiting:
            client.post("/alarms/acknowledge", {"ids": waiting, "comment": "tidied"})
        return [item["id"] for item in items if mine.search(item["id"])]

    wait_for(lambda: not left(), 90, lambda: f"still there: {left()}")


@pytest.fixture(scope="module")
def room(building: Building) -> Room:
    found = building.room("operator", width=1366)
    found.load("/")
    return found


def in_first_view(room: Room, target: Locator) -> None:
    """The element is there without scrolling and without a click."""
    expect(target).to_be_visible(timeout=20_000)
    expect(target).to_be_in_viewport(ratio=0.9)
    assert room.page.evaluate("document.querySelector('main').scrollTop") == 0


def stand_down(officer: Client) -> None:
    """Stand down from the response that runs, as soon as the panel is seen to be reset."""
    wait_for(lambda: officer.get("/fire")["reset"], 30, "the panel is not reset")
    response = officer.get("/fire")["response"]["id"]
    officer.post("/fire/stand-down", {"response": response, "reason": "false alarm"})


def raised(client: Client, pattern: str) -> list[str]:
    items = client.get("/alarms?state=active&limit=1000")["items"]
    return [item["id"] for item in items if re.search(pattern, item["id"]) and item["state"] != "returned"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_trapped_passenger_is_first_with_what_to_say_and_whom_to_call(
    room: Room, whole_city: City, client: Client, language: str
) -> None:
    room.language(language)
    page = room.go("/lifts")
    expect(page.locator(".answer h2")).to_contain_text({"zh": "無人受困", "en": "Nobody trapped"}[language])
    whole_city.sim("fault", "event", "lift-07", "stall", "since=60", "load=40")
    shaft = page.locator('[data-lift="cityhall.lift.l07"]')
    expect(shaft).to_contain_text({"zh": "困人", "en": "trapped"}[language], timeout=20_000)
    in_first_view(room, shaft)
    in_first_view(room, page.locator(".people li").filter(has_text={"zh": "電梯 7 號", "en": "Lift 7"}[language]))
    in_first_view(
        room, page.get_by_text(re.compile({"zh": "車廂對講告知", "en": "Speak by the car's intercom"}[language]))
    )
    in_first_view(room, page.get_by_text("119", exact=True))
    assert raised(client, r"cityhall\.lift\.") == ["cityhall.lift.l07.entrapment#state"]
    room.picture(f"lifts-trapped-{language}-1366")
    assert not room.axe()
    whole_city.sim("fault", "event", "lift-07", "rescue")
    expect(page.locator(".answer h2")).to_contain_text(
        {"zh": "無人受困", "en": "Nobody trapped"}[language], timeout=20_000
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_fire_has_its_zone_its_time_and_what_the_building_did(
    room: Room, whole_city: City, client: Client, people: Callable[[str], Client], language: str
) -> None:
    room.language(language)
    page = room.go("/fire")
    band = page.locator("[data-status]")
    expect(band).to_have_attribute("data-status", "normal")
    whole_city.sim("fault", "event", "fire-panel", "fire", "zone=28", "detector=7")
    zone = page.locator('[data-zone="cityhall.fire.zone28"]')
    expect(zone).to_have_text(re.compile({"zh": "火警", "en": "fire"}[language]), timeout=20_000)
    in_first_view(room, zone)
    expect(band).to_have_attribute("data-status", "fire")
    expect(band).to_contain_text({"zh": "真實火警", "en": "Real fire"}[language])
    expect(band).to_contain_text({"zh": "4F 東區火警分區", "en": "Fire zone 4F east"}[language])
    expect(band).to_contain_text({"zh": "探測器 7", "en": "Detector 7"}[language])
    doors = page.locator('[data-effect="fire_door"]')
    expect(doors).to_contain_text("3 / 3", timeout=30_000)
    in_first_view(room, doors)
    assert sorted(raised(client, r"^(cityhall\.)?fire[.#]")) == ["cityhall.fire.zone28.state#state", "fire#response"]
    room.picture(f"fire-{language}-1366")
    assert not room.axe()
    whole_city.sim("fault", "event", "fire-panel", "reset")
    expect(band).to_have_attribute("data-status", "normal", timeout=30_000)
    expect(page.locator('[data-fire="active"]')).to_be_visible()
    stand_down(people("safety_officer"))
    expect(page.locator('[data-fire="active"]')).to_have_count(0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_panel_whose_heartbeat_stands_still_is_unknown_and_nothing_of_it_is_normal(
    room: Room, whole_city: City, client: Client, language: str
) -> None:
    room.language(language)
    page = room.go("/fire")
    band = page.locator("[data-status]")
    expect(band).to_have_attribute("data-status", "normal", timeout=30_000)
    whole_city.sim("fault", "freeze", "fire-panel")
    expect(band).to_have_attribute("data-status", "unknown", timeout=12_000)
    in_first_view(room, band)
    expect(band).to_contain_text({"zh": "火警狀態不明", "en": "Fire status unknown"}[language])
    expect(page.locator(".zone.normal")).to_have_count(0)
    expect(page.locator(".zone.unknown")).to_have_count(64)
    wait_for(lambda: raised(client, r"cityhall\.fire\.|fire-panel|fire#"), 15, "no alarm")
    assert raised(client, r"cityhall\.fire\.|fire-panel|fire#") == ["fire#status"]
    room.picture(f"fire-unknown-{language}-1366")
    assert not room.axe()
    whole_city.sim("fault", "clear", "fire-panel")
    expect(band).to_have_attribute("data-status", "normal", timeout=30_000)


@pytest.mark.timeout(300)
def test_the_matrix_shows_what_burns_first_and_each_output_as_it_answers(
    building: Building, whole_city: City, client: Client, people: Callable[[str], Client]
) -> None:
    room = building.room("operator", width=1366)
    page = room.load("/fire/matrix")
    rows = page.locator("tbody tr[data-cause]")
    expect(rows).to_have_count(16)
    four, five = page.locator('[data-cause="floor-4f"]'), page.locator('[data-cause="floor-5f"]')
    expect(four).to_have_attribute("data-called", "false")
    doors = four.locator('[data-kind="fire_door"]')
    expect(doors).to_have_attribute("data-state", "rest")
    expect(four.locator('[data-kind="exhaust_full"]')).to_have_attribute("data-state", "none")
    room.picture("fire-matrix-rest-zh-1366")
    assert not room.axe()

    # A gas valve that does not shut: ten seconds are what it has. That it was seen shut in an earlier fire, which may
    # still be given back, helps it nothing.
    whole_city.sim("fault", "event", "fire-panel", "jam", "output=gas_valve_1")
    whole_city.sim("fault", "event", "fire-panel", "fire", "zone=28", "detector=7")
    expect(four).to_have_attribute("data-called", "true", timeout=20_000)
    expect(rows.first).to_have_attribute("data-cause", "floor-4f")
    in_first_view(room, four)
    expect(four.locator('[data-zone="cityhall.fire.zone28"]')).to_contain_text("東區 火警")
    expect(doors).to_have_attribute("data-state", "done", timeout=30_000)
    expect(doors).to_contain_text("3 / 3")
    expect(four.locator('[data-kind="gas_shut"]')).to_have_attribute("data-state", "missing", timeout=30_000)
    expect(four.locator(".holds")).not_to_have_attribute("data-held", "0")
    expect(five).to_have_attribute("data-called", "false")
    expect(five.locator('[data-kind="fire_door"]')).to_have_attribute("data-state", "rest")
    room.picture("fire-matrix-zh-1366")
    assert not room.axe()

    page.get_by_role("button", name=re.compile("^偏差")).click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name=re.compile("^全部")).click()
    page.get_by_role("searchbox").fill("停車場排風")
    expect(rows).to_have_count(3)
    page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(16)

    # Tab reaches one cell, the arrows the others, Enter opens what is behind it.
    four.locator('[data-cell="fire_door"]').focus()
    page.keyboard.press("ArrowRight")
    expect(four.locator('[data-cell="smoke_damper"]')).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1).locator('[data-cell="smoke_damper"]')).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.locator('button[data-cell][tabindex="0"]').count() == 1
    four.locator('[data-cell="gas_shut"]').focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator('[data-output="cityhall.fire.panel.gas_valve_1"]')).to_contain_text("未動作")
    room.picture("fire-matrix-cell-zh-1366")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    with page.expect_download() as download:
        page.get_by_role("button", name="匯出 CSV").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    (line,) = [
        line for line in text.splitlines() if line.startswith("4F 火警,") and "cityhall.fire.panel.gas_valve_1," in line
    ]
    assert "火警中,4F 東區火警分區 火警,瓦斯遮斷," in line
    assert line.endswith(",未動作,,10")

    room.language("en")
    room.picture("fire-matrix-en-1366")
    room.theme("day")
    room.size(1920)
    room.picture("fire-matrix-en-1920-day")
    assert not room.axe()
    room.language("zh")
    room.size(390)
    expect(four).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    room.picture("fire-matrix-zh-390")
    assert not room.axe()
    room.size(1366)
    page.emulate_media(media="print")
    expect(page.get_by_role("searchbox")).not_to_be_visible()
    expect(page.get_by_role("navigation")).not_to_be_visible()
    expect(four.locator('[data-kind="gas_shut"]')).to_be_visible()
    room.picture("fire-matrix-print")
    page.emulate_media(media="screen")
    room.theme("night")

    words(room, client)
    whole_city.sim("fault", "event", "fire-panel", "reset")
    stand_down(people("safety_officer"))
    room.go("/fire/matrix")
    expect(four).to_have_attribute("data-called", "false", timeout=20_000)
    expect(four.locator(".holds")).not_to_have_attribute("data-held", "0")


def words(room: Room, client: Client) -> None:
    """Copy the broadcast and the summary from the page of the fire; then the same where the clipboard is refused."""
    room.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=room.url)
    page = room.go("/fire")
    page.get_by_role("button", name="複製廣播詞").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[data-outcome]")).to_have_attribute("data-outcome", "done")
    told = client.get("/fire/words")
    assert page.evaluate("navigator.clipboard.readText()") == told["announcement"]["zh"]
    assert "4F 發生火警。這是真實火警，不是演練。" in told["announcement"]["zh"]
    dialog.get_by_role("button", name="複製英文").click()
    expect(dialog.locator("textarea")).to_have_value(told["announcement"]["en"])
    assert page.evaluate("navigator.clipboard.readText()") == told["announcement"]["en"]
    room.picture("fire-words-announcement-1366")
    page.keyboard.press("Escape")

    page.get_by_role("button", name="複製 119 摘要").click()
    expect(dialog.locator("[data-outcome]")).to_have_attribute("data-outcome", "done")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert any(line.startswith("位置：4F 東區火警分區（") for line in copied)
    assert "地點：臺北市政府市政大樓，臺北市信義區市府路 1 號" in copied
    assert "受困、受傷：不明" in copied
    assert any("未動作或不明：" in line and "瓦斯" in line for line in copied)
    room.picture("fire-words-summary-1366")
    assert not room.axe()
    page.keyboard.press("Escape")

    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    page.get_by_role("button", name="複製 119 摘要").click()
    expect(dialog.locator("[data-outcome]")).to_have_attribute("data-outcome", "refused")
    box = dialog.locator("textarea")
    assert box.evaluate("b => b.selectionEnd - b.selectionStart === b.value.length && b.value.length > 100")
    room.size(390)
    room.picture("fire-words-refused-390")
    page.keyboard.press("Escape")
    room.size(1366)
    room.picture("fire-busy-zh-1366")


def test_fire_matrix_and_drills_lead_to_each_other(room: Room) -> None:
    room.language("zh")
    page = room.go("/more")
    for path in ("/drills", "/fire/matrix"):
        expect(page.locator(f'main a[href="{path}"]')).to_be_visible()
    for start, end in (
        ("/fire", "/drills"),
        ("/drills", "/fire"),
        ("/fire", "/fire/matrix"),
        ("/fire/matrix", "/fire"),
    ):
        room.go(start)
        page.locator(f'main a[href="{end}"]').first.click()
        expect(page).to_have_url(re.compile(f"{end}$"))


def test_nobody_ever_wrote_to_the_panel(whole_city: City, client: Client) -> None:
    for device in ("fire-panel", "fire-relay"):
        assert client.get(f"/devices/{device}")["writes"] == 0
        assert whole_city.sim("ledger", device) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_generator_that_is_not_in_auto_fails_the_verdict(
    room: Room, whole_city: City, client: Client, language: str
) -> None:
    room.language(language)
    page = room.go("/standby")
    verdict = page.locator(".verdict h2")
    expect(verdict).to_contain_text({"zh": "可以承受停電", "en": "Ready for a power failure"}[language], timeout=30_000)
    whole_city.sim("fault", "event", "standby-generator", "mode", "value=0")
    expect(verdict).to_contain_text({"zh": "未備妥：發電機", "en": "Not ready: Generator"}[language], timeout=20_000)
    in_first_view(room, verdict)
    in_first_view(
        room, page.get_by_role("link", name={"zh": "發電機不在自動", "en": "generator not in auto"}[language])
    )
    assert raised(client, r"cityhall\.standby\.") == ["cityhall.standby.generator.not_in_auto#state"]
    assert not room.axe()
    whole_city.sim("fault", "event", "standby-generator", "mode", "value=1")
    expect(verdict).to_contain_text({"zh": "可以承受停電", "en": "Ready for a power failure"}[language], timeout=30_000)


def test_a_capacitor_step_that_is_out_is_marked_at_its_bank(room: Room, whole_city: City, client: Client) -> None:
    room.language("zh")
    page = room.go("/standby")
    whole_city.sim("fault", "event", "capacitor-3", "step_fault", "step=2")
    bank = page.locator('[data-bank="cityhall.standby.cap3"]')
    expect(bank).to_contain_text("電容器段故障", timeout=20_000)
    in_first_view(room, bank)
    whole_city.sim("fault", "event", "capacitor-3", "step_fault", "step=2", "value=0")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_silent_sub_meter_makes_the_sum_of_its_feeder_a_lower_bound(
    room: Room, whole_city: City, client: Client, language: str
) -> None:
    room.language(language)
    page = room.go("/meters")
    answer = page.locator('[data-answer="electricity"]')
    expect(answer).to_contain_text({"zh": "未計量", "en": "unmetered"}[language], timeout=20_000)
    expect(page.locator('[data-silent="electricity"]')).to_have_count(0, timeout=30_000)
    whole_city.sim("fault", "disconnect", "em002-meter")
    silent = page.locator('[data-silent="electricity"]')
    expect(silent).to_contain_text("EM002", timeout=60_000)
    in_first_view(room, silent)
    feeder = page.locator("tr").filter(has=page.locator('[data-meter="cityhall.electrical.feeder02"]'))
    expect(feeder).to_contain_text("≥")
    expect(feeder).to_contain_text({"zh": "缺 1 表", "en": "1 missing"}[language])
    in_first_view(room, feeder)
    room.picture(f"meters-missing-{language}-1366")
    assert not room.axe()
    whole_city.sim("fault", "clear", "em002-meter")
    expect(silent).to_have_count(0, timeout=60_000)


def test_a_meter_is_found_and_the_whole_tree_is_exported(room: Room, whole_city: City) -> None:
    room.language("zh")
    page = room.go("/meters")
    search = page.get_by_role("searchbox", name="搜尋電表或水表")
    search.fill("EM150")
    expect(page.locator('[data-meter="cityhall.meter.em150"]')).to_be_visible()
    expect(page.locator("[data-meter]")).to_have_count(5)
    search.fill("")
    with page.expect_download() as started:
        page.get_by_role("button", name="電力 CSV").click()
    text = started.value.path().read_text("utf-8-sig")
    assert len(text.strip().splitlines()) == 1 + 1 + 5 + 5 + 40 + 150
    page.get_by_role("region", name="電力平衡").get_by_role("button", name="全部展開").click()
    rows = page.get_by_role("table", name=re.compile("電表：現在功率"))
    expect(rows).to_have_attribute("aria-rowcount", "202")
    assert rows.locator("tbody tr").count() < 80
