"""The keyboard alone is enough, and single letters never disturb who is typing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Room

_FOCUS = """() => { const e = document.activeElement; if (!e || e === document.body) return null;
  const box = e.getBoundingClientRect(); const style = getComputedStyle(e);
  return { name: e.getAttribute('aria-label') ?? e.textContent.trim().slice(0, 40),
    inside: !!e.closest('#content'), bar: !!e.closest('.top'), rail: !!e.closest('.rail'),
    outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.height > 0 && box.top >= -1 && box.left >= -1 && box.bottom <= innerHeight + 1 }; }"""


@pytest.mark.parametrize(
    ("letter", "path"),
    [
        ("o", "/"),
        ("e", "/electrical"),
        ("p", "/plant"),
        ("f", "/floors"),
        ("q", "/iaq"),
        ("a", "/alarms"),
        ("t", "/trend"),
        ("d", "/devices"),
    ],
)
def test_g_and_a_letter_go_to_a_page(operator: Room, letter: str, path: str) -> None:
    page = operator.go("/about")
    page.keyboard.press("g")
    page.keyboard.press(letter)

    expect(page).to_have_url(operator.url + path)


def test_search_and_help_open_close_and_give_the_focus_back(operator: Room) -> None:
    page = operator.go("/devices")
    link = page.get_by_role("link", name="ch1-unit", exact=True).or_(page.locator("tbody a").first).first
    link.focus()
    for key, heading in (("/", "搜尋"), ("Control+k", "搜尋"), ("?", "說明與快速鍵")):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog", name=heading)).to_be_visible()
        assert not operator.axe("dialog")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(link).to_be_focused()


def test_letters_are_dead_in_inputs_and_when_turned_off(operator: Room) -> None:
    page = operator.go("/devices")
    box = page.get_by_role("searchbox", name="篩選裝置")
    box.press_sequentially("g/e?")
    expect(box).to_have_value("g/e?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "/devices" in page.url
    box.fill("")
    box.blur()
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="啟用單鍵快速鍵").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "/devices" in page.url
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="說明與快速鍵").click()
    page.get_by_role("checkbox", name="啟用單鍵快速鍵").check()
    page.keyboard.press("Escape")


@pytest.mark.parametrize("path", ["/", "/electrical", "/plant", "/alarms", "/points/cityhall/plant/ch1/chw_setpoint"])
def test_tab_reaches_the_content_and_the_focus_is_always_seen(operator: Room, path: str) -> None:
    page = operator.load(path)
    page.keyboard.press("Tab")
    first = page.evaluate(_FOCUS)
    assert first["name"] == "跳到內容"
    assert first["seen"]
    seen = []
    for _ in range(45):
        page.keyboard.press("Tab")
        focus = page.evaluate(_FOCUS)
        if focus is None:
            break
        seen.append(focus)
        assert focus["outline"], f"no outline on {focus}"
        assert focus["seen"], f"focus is out of sight on {focus}"
    order = "".join("b" if f["bar"] else "r" if f["rail"] else "c" if f["inside"] else "-" for f in seen)

    assert re.match(r"-*b+-*r+c", order), order


def test_skip_link_leads_past_the_bar_and_the_rail(operator: Room) -> None:
    page = operator.load("/electrical")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate(_FOCUS)["inside"]
    expect(page.get_by_role("heading", level=1)).to_have_text("電力單線圖")
