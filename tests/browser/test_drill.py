"""A drill played in browsers to its PDF, a warden's phone without a network, and a fire that takes every screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import Building, Room, messages
from tests.services.city import City, Client, wait_for

ZH, EN = messages("zh-TW"), messages("en")
ZONE = "3F/east"
PEOPLE = ("p-90001", "p-90002", "p-90003")


def width(room: Room) -> int:
    return room.page.viewport_size["width"] if room.page.viewport_size else 0


def button(within: Page | Locator, key: str) -> Locator:
    return within.get_by_role("button", name=ZH[key], exact=True)


@pytest.fixture
def officer(city: City, people: Callable[[str], Client]) -> Iterator[Client]:
    """The safety officer, with three people on 3F, nothing real active before, and no drill or fire left behind."""
    client, operator = people("safety_officer"), people("operator")
    wait_for(lambda: client.get("/drills/current")["clear"], 120, lambda: str(client.get("/drills/current")))
    # What a door controller tells before anybody listens is told to nobody: it is told again until it was heard.
    for attempt in range(6):
        for person in PEOPLE:
            city.sim("fault", "event", "access-e", "access_granted", "door=e-03f-1", "direction=in", f"person={person}")
        try:
            wait_for(lambda: all(operator.get(f"/events?q={one}")["items"] for one in PEOPLE), 20, "no cards arrived")
        except AssertionError:
            if attempt == 5:
                raise
        else:
            break
    yield client
    city.sim("fault", "event", "fire-panel", "reset")
    _stand_down(client)
    wait_for(lambda: client.get("/drills/current")["clear"], 120, lambda: str(client.get("/drills/current")))
    for drill in client.get("/drills")["items"]:
        path = f"/drills/{drill['id']}"
        if drill["phase"] == "running":
            client.post(f"{path}/stand-down", {"reason": "end of the test"})
        if drill["phase"] in {"running", "stood_down"}:
            client.post(f"{path}/restore", {"steps": [step["id"] for step in drill["steps"]]})
        elif drill["phase"] in {"planned", "requested"}:
            client.post(f"{path}/cancel", {"reason": "end of the test"})
        # A drill without its report stays on wardens' phones.
        if drill["phase"] in {"running", "stood_down", "restored"}:
            client.post(f"{path}/report", {"conclusion": "end of the test"})

    def fires() -> list[str]:
        items = operator.get("/alarms?state=active&limit=1000")["items"]
        mine = [item for item in items if ".fire." in item["id"]]
        seen = [item["id"] for item in mine if item["state"] == "returned"]
        if seen:
            operator.post("/alarms/acknowledge", {"ids": seen, "comment": "end of the test"})
        return [item["id"] for item in mine]

    wait_for(lambda: not fires(), 60, "alarms of the fire stay")


def _stand_down(client: Client) -> None:
    """Stand down after a fire, if there was one, once the panel is known to be reset."""

    def done() -> bool:
        fire = client.get("/fire")
        active = fire["response"] is not None and fire["response"]["phase"] == "active"
        if active and fire["reset"]:
            client.post("/fire/stand-down", {"response": fire["response"]["id"], "reason": "end of the test"})
        return not active

    wait_for(done, 60, lambda: str(client.get("/fire"))[:500])


def start(building: Building) -> tuple[Room, Room]:
    """Plan the drill as the officer, and agree as the operator; return both windows, the officer's on the console."""
    first, second = building.room("safety_officer", width=1366), building.room("operator", width=1366)
    page = first.load("/drills")
    button(page, "drill.plan").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(ZH["drill.form.scenario"]).select_option("tearoom-3f")
    dialog.get_by_role("radio", name=ZH["drill.level.simulated"]).check()
    dialog.get_by_label(ZH["drill.form.notice"]).fill("函報消防局備查")
    dialog.get_by_label(re.compile(f"^{ZH['drill.form.time']}")).fill("00:00")
    dialog.get_by_label(re.compile(f"^{ZH['drill.form.day']}")).fill("114/01/01")
    expect(dialog).to_contain_text(ZH["drill.form.end.past"])
    expect(button(dialog, "drill.plan")).to_be_disabled()
    dialog.get_by_label(ZH["drill.form.scenario"]).select_option("car-b2")
    dialog.get_by_label(ZH["drill.form.scenario"]).select_option("tearoom-3f")
    dialog.get_by_role("radio", name=ZH["drill.level.simulated"]).check()
    assert first.axe("dialog") == []
    button(dialog, "drill.plan").click()
    button(page, "drill.request").click()
    expect(page.get_by_text(ZH["drill.confirm.other"])).to_be_visible()
    expect(button(page, "drill.confirm")).to_have_count(0)
    other = second.load(page.evaluate("location.pathname"))
    button(other, "drill.confirm").click()
    for window in (page, other):
        expect(window.locator(".band.drill")).to_contain_text("3 樓茶水間火警")
        expect(window.locator(".band.drill")).to_contain_text("演練 DRILL")
    return first, second


@pytest.mark.timeout(300)
def test_a_drill_is_played_to_its_pdf(building: Building, officer: Client, tmp_path: Path) -> None:
    first, second = start(building)
    page = first.page
    expect(button(page, "drill.stand-down")).to_be_in_viewport()
    expect(page.locator(".sums b").first).to_be_in_viewport()
    expect(page.locator(".line li").first).to_be_in_viewport()

    # The point that the drill plays with: the drill's value beside what the detector says, and not in its place.
    point = second.load("/points/cityhall/fire/zone24/state")
    expect(point.locator(".face .played")).to_have_text(f"{ZH['drill.short']} 火警")
    expect(point.locator(".face .number").first).to_have_text("正常")
    assert second.axe() == []
    other = second.load(page.evaluate("location.pathname"))
    button(other, "drill.inject.answer").first.click()
    expect(other.locator(".line li").first).to_contain_text(ZH["drill.standing.answered"])
    other.get_by_label(ZH["drill.note"], exact=True).fill("東側安全梯門未完全開啟")
    button(other, "drill.note.add").click()
    expect(page.get_by_role("list", name=ZH["drill.record"])).to_contain_text("東側安全梯門未完全開啟")

    phone = building.room("safety_officer", width=390)
    with phone.expect(*OFFLINE):
        _count_without_network(phone)
    expect(page.get_by_role("row", name=re.compile("^3F 東區")).locator("td").nth(1)).not_to_have_text("0")
    for room in (first, phone):
        for language in ("en", "zh"):
            for theme in ("day", "night"):
                room.language(language)
                room.theme(theme)
                assert room.axe() == [], f"{room.page.url} {language} {theme}"
                assert room.page.evaluate(SIDEWAYS) == [], f"{room.page.url} {language}"
                room.picture(f"drill-{width(room)}-{language}-{theme}")

    told = page.get_by_role("table", name=ZH["drill.notices"])
    expect(told).to_contain_text("演練 DRILL 模擬演練開始：3 樓茶水間火警")
    expect(told.get_by_role("rowheader", name="樓層引導員")).to_have_count(1)
    phone.language("zh")
    phone.theme("night")
    cookies = phone.context.cookies()
    phone.context.set_offline(True)
    button(page, "drill.stand-down").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("目標達成")
    button(dialog, "drill.stand-down").click()
    expect(page.locator(".band.over")).to_contain_text("待復原")
    with phone.expect(*OFFLINE, r"401"):
        _come_back_after_the_end(phone, cookies)
    expect(page.get_by_text(ZH["drill.arrived-late"].replace("{count}", "1"))).to_be_visible(timeout=20_000)
    expect(button(page, "drill.restore")).to_be_disabled()
    for check in page.locator(".checks input").all():
        check.check()
    button(page, "drill.restore").click()
    page.get_by_label(ZH["drill.report.conclusion"]).fill("安全梯門改善列管")
    button(page, "drill.report.finish").click()
    with page.expect_download() as started:
        page.get_by_role("link", name=ZH["drill.report.pdf"]).click()
    saved = tmp_path / "report.pdf"
    started.value.save_as(saved)
    assert saved.read_bytes().startswith(b"%PDF-")
    assert saved.stat().st_size > 10_000, "a report without its font is smaller"
    drill = officer.get(page.evaluate("location.pathname"))
    assert (drill["phase"], drill["cause"]) == ("reported", "stood_down")
    expect(page.locator(".bands .band")).to_have_count(0)


SIDEWAYS = """[...document.querySelectorAll('main .scroll')].filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.getAttribute('aria-label') ?? e.textContent.slice(0, 60))"""
OFFLINE = (r"ERR_INTERNET_DISCONNECTED", r"WebSocket", r"request failed")


def _count_without_network(phone: Room) -> None:
    """Count on the phone while it has no network, load the page again meanwhile; nothing is lost, all is sent once."""
    page = phone.load("/warden")
    page.get_by_label(ZH["warden.zone"]).select_option(ZONE)
    people = page.get_by_role("list", name=ZH["page.warden"])
    expect(people).to_contain_text(PEOPLE[0])
    expect(page.locator(".panel.top")).to_contain_text(ZH["warden.ready"], timeout=20_000)
    phone.context.set_offline(True)
    expect(page.locator(".net")).to_contain_text(ZH["warden.offline"], timeout=20_000)
    page.get_by_role("button", name=f"{PEOPLE[0]} {ZH['warden.here']}").click()
    page.get_by_role("button", name=f"{PEOPLE[1]} {ZH['warden.rescue']}").click()
    page.get_by_role("textbox", name=ZH["warden.rescue.where"]).fill("東側廁所")
    button(page, "warden.rescue.send").click()
    expect(page.locator(".net")).to_contain_text(waiting(2))

    page.reload()
    expect(page.locator(".net")).to_contain_text(waiting(2), timeout=20_000)
    expect(page.get_by_label(ZH["warden.zone"])).to_have_value(ZONE)
    expect(people.locator("li", has_text=PEOPLE[1])).to_contain_text("東側廁所")
    button(page, "warden.more").click()
    button(page, "warden.swept").scroll_into_view_if_needed()
    button(page, "warden.swept").click()
    expect(page.locator(".net")).to_contain_text(waiting(4))
    sums = page.locator(".sums")
    expect(sums.locator("p", has_text=ZH["drill.muster.rescue"]).locator("b")).to_have_text("1")
    assert phone.axe() == []
    phone.picture("drill-390-offline")
    page.reload()
    expect(page.locator(".net")).to_contain_text(waiting(4), timeout=20_000)

    sent: list[list[str]] = []
    page.on("request", lambda request: sent.append(_keys(request)) if request.method == "POST" else None)
    phone.context.set_offline(False)
    expect(page.locator(".net")).to_contain_text(ZH["warden.sent"], timeout=30_000)
    expect(people.locator("li", has_text=PEOPLE[1])).to_contain_text("東側廁所")
    assert [len(keys) for keys in sent] == [4], "all of it, once"
    assert sent[0] == sorted(sent[0], key=lambda one: int(one.split(" ")[0])), "oldest first"


def _keys(request: Request) -> list[str]:
    return [f"{tick['at']} {tick['key']}" for tick in (request.post_data_json or {}).get("ticks", [])]


def waiting(count: int) -> str:
    return ZH["warden.waiting"].replace("{count}", str(count))


def _come_back_after_the_end(phone: Room, cookies: list[Any]) -> None:
    """Come back with a late count when the drill is over and the sign-in has run out: said, and nothing is lost."""
    page = phone.page
    page.get_by_role("button", name=f"{PEOPLE[2]} {ZH['warden.here']}").click()
    expect(page.locator(".net")).to_contain_text(waiting(1))
    phone.context.clear_cookies()
    page.reload()
    expect(page.locator(".net")).to_contain_text(waiting(1), timeout=20_000)
    phone.context.set_offline(False)
    expect(page.get_by_text(ZH["warden.signed-out"])).to_be_visible(timeout=30_000)
    expect(page.locator(".net")).to_contain_text(waiting(1))
    page.reload()
    expect(page.locator(".net")).to_contain_text(waiting(1), timeout=20_000)
    phone.picture("drill-390-lapsed")
    button(page, "action.sign-in").click()
    expect(page.locator(".card")).to_contain_text(ZH["sign-in.counted"].replace("{count}", "1"))
    phone.context.add_cookies(cookies)
    page.evaluate("localStorage.setItem('shifu.session', 'in')")
    page.reload()
    expect(page.locator(".net")).to_contain_text(ZH["warden.sent"], timeout=30_000)
    expect(page.get_by_text(ZH["warden.late"].replace("{count}", "1"))).to_be_visible()
    expect(page.locator(".trouble")).to_contain_text(ZH["drill.cause.stood_down"])
    people = page.get_by_role("list", name=ZH["page.warden"])
    expect(people.locator("li", has_text=PEOPLE[2])).to_contain_text(ZH["warden.late.mark"])
    assert phone.axe() == []
    phone.picture("drill-390-late")


def test_a_real_fire_at_the_very_point_takes_every_screen(building: Building, officer: Client, city: City) -> None:
    first, second = start(building)
    viewer, phone = building.room("viewer", width=1366), building.room("safety_officer", width=390)
    looking = viewer.load("/plant")
    counting = phone.load("/warden")
    expect(looking.locator(".band.drill")).to_be_visible()
    city.sim("fault", "event", "fire-panel", "fire", "zone=24")
    for page in (looking, first.page, second.page):
        expect(page.locator(".band.fire")).to_contain_text("真實火警 REAL FIRE", timeout=10_000)
    expect(counting.get_by_role("heading", level=1)).to_have_text("真實火警 REAL FIRE")
    expect(counting.get_by_role("button", name=ZH["warden.report"])).to_have_count(0)
    for room in (viewer, phone, first):
        assert room.axe() == []
        room.picture(f"drill-real-{width(room)}")
    current = officer.get("/drills/current")["drill"]
    assert (current["cause"], current["values"]) == ("real", [])
    listed = viewer.load("/alarms")
    expect(listed.locator("td.place", has_text="3F 東區火警分區")).to_have_text("3F 東區火警分區")
    looking = viewer.load("/plant")
    city.sim("fault", "event", "fire-panel", "reset")
    _stand_down(officer)
    wait_for(lambda: officer.get("/drills/current")["clear"], 120, lambda: str(officer.get("/drills/current")))
    expect(looking.locator(".band.fire")).to_have_count(0, timeout=20_000)
    expect(looking.locator(".band.over")).to_contain_text(ZH["drill.cause.real"])
