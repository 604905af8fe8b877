"""Somebody pulls the plug of one meter: exactly its points look old, one alarm, and all is well when it is back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Room, slashed
from tests.services.city import City, Client, wait_for

DEVICE = "lv2-meter"
LV2 = "cityhall.electrical.lv2"
ALARM = f"{DEVICE}#communication"
# What every value of the one-line diagram looks like: whose it is, and form, glyph and words of its quality.
_VALUES = """() => [...document.querySelectorAll('#content a.value')].map((a) => ({
  equipment: decodeURIComponent(a.getAttribute('href')).replace('/points/', '').split(/[./]/).slice(0, 3).join('.'),
  stale: !!a.querySelector('.number.stale'), bad: !!a.querySelector('.number.bad'),
  glyph: !!a.querySelector('.slot svg'), label: a.getAttribute('aria-label'),
  decoration: getComputedStyle(a.querySelector('.number')).textDecorationStyle,
}))"""


@pytest.fixture(scope="module")
def healed(whole_city: City, people: Callable[[str], Client]) -> Iterator[Client]:
    """Nothing waits for anybody before, and the plug is in afterwards."""
    client = people("operator")
    if waiting := [item["id"] for item in client.get("/alarms?state=active")["items"]]:
        client.post("/alarms/acknowledge", {"ids": waiting, "comment": "before the test"})
    yield client
    whole_city.sim("fault", "clear", DEVICE)


def _banner(page: Page) -> Locator:
    return page.get_by_role("region", name="告警橫幅")


def _active(page: Page) -> int:
    """Number of active alarms that the banner counts, over all priorities."""
    labels = [
        link.get_attribute("aria-label") or ""
        for link in _banner(page).get_by_role("listitem").get_by_role("link").all()
    ]
    assert len(labels) == 4, labels
    return sum(int(found.group(1)) for label in labels if (found := re.search(r"：(\d+) 件", label)))


def _ids(client: Client) -> set[str]:
    return {item["id"] for item in client.get("/alarms?state=active&limit=1000")["items"]}


def _rows(page: Page) -> Locator:
    return (
        page.get_by_role("table", name=re.compile("作用中告警"))
        .locator("tbody tr")
        .filter(has=page.locator(f'a[href*="{DEVICE}"]'))
    )


def test_pulled_plug_on_the_one_line_in_the_lists_and_back(operator: Room, whole_city: City, healed: Client) -> None:
    page = operator.go("/electrical")
    wait_for(lambda: not operator.waiting(), 10)
    before = page.evaluate(_VALUES)
    mine = [value for value in before if value["equipment"] == LV2]
    assert mine, "the low-voltage main has no value on the diagram"
    assert not [value for value in before if value["stale"] or value["bad"]]
    start = _ids(healed)

    whole_city.sim("fault", "disconnect", DEVICE)
    tile = page.locator(f'#content a.value[href*="{slashed(LV2)}/"]').first
    expect(tile.locator(".number.stale")).to_be_visible(timeout=20_000)
    # The device is given up a moment after its values are old: the alarm says so.
    expect(_banner(page)).to_contain_text(re.compile("通訊"), timeout=20_000)
    operator.picture("plug-electrical-zh-night-1920")
    after = page.evaluate(_VALUES)
    old = [value for value in after if value["stale"] or value["bad"]]
    assert {value["equipment"] for value in old} == {LV2}
    assert len(old) == len(mine), "some of its values still look good"
    for value in old:
        assert value["glyph"], f"colour alone: {value}"
        assert value["decoration"] == "dotted", value
        assert re.search(r"資料過期, \d+ ?(秒|分)前", value["label"]), value
    assert not operator.axe()

    operator.go(f"/equipment/{slashed(LV2)}")
    values = page.locator("#content a.value")
    expect(values.filter(has=page.locator(".number.stale"))).to_have_count(values.count())
    assert all(re.search(r"\d+ ?(秒|分)前", text) for text in values.all_inner_texts()), values.all_inner_texts()
    operator.picture("plug-equipment-zh-night-1920")

    # An alarm of earlier may return meanwhile: what is new is the plug's alone, and every count is of the same list.
    assert _ids(healed) - start == {ALARM}
    wait_for(lambda: _active(page) == len(_ids(healed)), 10, lambda: f"{_active(page)} of {_ids(healed)}")
    operator.go("/alarms")
    expect(_rows(page)).to_have_count(1)
    expect(_rows(page)).to_contain_text("未確認")
    expect(page.locator("tbody tr")).to_have_count(len(_ids(healed)))
    operator.picture("plug-alarms-zh-night-1920")
    operator.go(f"/devices/{DEVICE}")
    expect(page.locator(".page-head").first).to_contain_text("逾時")
    operator.picture("plug-device-zh-night-1920")
    operator.go("/devices")
    expect(page.locator("tbody tr").first).to_contain_text(DEVICE)
    expect(page.locator("tbody tr").first).to_contain_text("逾時")

    whole_city.sim("fault", "clear", DEVICE)
    operator.go("/electrical")
    expect(page.locator("#content .number.stale, #content .number.bad")).to_have_count(0, timeout=60_000)
    assert len([value for value in page.evaluate(_VALUES) if value["equipment"] == LV2]) == len(mine)
    operator.go("/alarms")
    expect(_rows(page)).to_contain_text("已恢復未確認", timeout=20_000)
    expect(_rows(page).locator(".shape.hollow")).to_be_visible()


@pytest.fixture
def returned(whole_city: City, healed: Client) -> Client:
    """The plug was out and is in again, and nobody has acknowledged it: what a person finds in the morning."""

    def states() -> list[str]:
        items = healed.get("/alarms?state=active")["items"]
        return [item["state"] for item in items if item["id"] == ALARM]

    if states() != ["returned"]:
        whole_city.sim("fault", "disconnect", DEVICE)
        wait_for(lambda: states() == ["unacknowledged"], 40, lambda: str(states()))
        whole_city.sim("fault", "clear", DEVICE)
        wait_for(lambda: states() == ["returned"], 40, lambda: str(states()))
    return healed


def test_alarm_is_acknowledged_with_a_comment_by_keyboard_alone(operator: Room, returned: Client) -> None:
    page = operator.load("/electrical")
    expect(_banner(page)).to_contain_text("通訊", timeout=20_000)
    page.keyboard.press("F8")
    operator.settle()
    expect(page.get_by_role("heading", level=1)).to_contain_text("通訊")
    comment = page.get_by_label("留言", exact=True)
    acknowledge = page.locator("#content").get_by_role("button", name="確認", exact=True)
    _tab(page, comment)
    page.keyboard.type("plug was loose")
    _tab(page, acknowledge, "Shift+Tab")
    page.keyboard.press("Enter")

    expect(page.locator(".toast").get_by_text("已確認：")).to_be_visible()
    expect(_banner(page)).not_to_contain_text("通訊")
    operator.go("/alarms")
    expect(_rows(page)).to_have_count(0)
    entries = returned.get(f"/alarms/{ALARM.replace('#', '%23')}/journal")["items"]
    assert next(entry["comment"] for entry in entries if entry["event"] == "acknowledged") == "plug was loose"


def _tab(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press Tab until the target has the focus, as a person without a mouse does."""
    for _ in range(60):
        if target.evaluate("e => e === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never reaches {target}")
