"""Signing in and out, and what the page does when a session ends under it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Building, Room
from tests.services.city import City, Client

PASSWORD = "correct horse battery staple 7"


@pytest.fixture
def newcomer(building: Building, city: City, people: Callable[[str], Client]) -> Iterator[tuple[str, str]]:
    """A new viewer with a first link; gone afterwards."""
    administrator = people("administrator")
    made = administrator.post("/users", {"name": "browser.viewer", "display_name": "browser viewer", "role": "viewer"})
    yield "browser.viewer", f"{city.url}/link#token={made['link_token']}"
    building.close(list(building.rooms))
    _forget(administrator, "browser.viewer")


def _at_the_door(building: Building, path: str = "/") -> Room:
    room = building.room(None)
    room.page.goto(room.url + path)
    expect(room.page.get_by_role("heading", level=1)).to_have_text("登入中控室")
    return room


@pytest.mark.parametrize("width", [1920, 1366, 390])
def test_sign_in_page_is_accessible_in_both_languages_and_themes(building: Building, width: int) -> None:
    room = _at_the_door(building)
    room.size(width)
    page = room.page
    for language in ("zh", "en"):
        room.language(language)
        for theme, button in (("day", "改用日間佈景|Day|day"), ("night", "改用夜間佈景|Night|night")):
            page.get_by_role("button", name=re.compile(button)).click()
            expect(page.locator(f"html[data-theme={theme}]")).to_be_attached()
            room.picture(f"sign-in-{language}-{theme}-{width}")
            assert not room.axe()
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert not re.search("[\u4e00-\u9fff]", page.get_by_role("main").inner_text().replace("中文", ""))


def test_wrong_password_says_nothing_about_which_was_wrong(building: Building) -> None:
    room = _at_the_door(building)
    page = room.page
    said = []
    for user in ("demo-operator", "nobody.here"):
        page.get_by_label("帳號").fill(user)
        page.get_by_label("密碼").fill("wrong password 123")
        with room.expect("/api/v1/session"):
            page.get_by_role("button", name="登入", exact=True).click()
            expect(page.get_by_role("main").get_by_role("alert")).to_be_visible()
            expect(page.get_by_role("button", name="登入", exact=True)).to_be_enabled()
        said.append(page.get_by_role("main").get_by_role("alert").inner_text())
        expect(page.get_by_label("密碼")).to_have_value("")

    assert said == ["帳號或密碼不正確。"] * 2


def test_used_or_broken_link_is_refused_with_what_to_do(building: Building) -> None:
    room = building.room(None)
    with room.expect("/api/v1/session/link"):
        room.page.goto(f"{room.url}/link#token=this-is-not-a-token-of-anybody-at-all-0123456")
        expect(room.page.get_by_role("main").get_by_role("alert")).to_contain_text("登入連結已使用過或已過期")
    assert "token" not in room.page.url


def test_first_link_asks_for_a_password_that_signs_in_the_next_time(
    building: Building, newcomer: tuple[str, str]
) -> None:
    name, link = newcomer
    room = building.room(None)
    page = room.page
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("設定新密碼")
    assert "token" not in page.url
    assert not room.axe()
    room.picture("first-password-zh-night-1920")
    page.get_by_label("新密碼").fill("short")
    page.get_by_label("再輸入一次").fill("short")
    page.get_by_role("button", name="儲存").click()
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("密碼太短")
    page.get_by_label("新密碼").fill(PASSWORD)
    page.get_by_label("再輸入一次").fill(PASSWORD)
    page.get_by_role("button", name="儲存").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("總覽", timeout=20_000)
    room.settle()
    page.wait_for_load_state("networkidle")

    page.get_by_role("button", name="登出").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("登入中控室")
    page.goto(f"{room.url}/electrical")
    expect(page.get_by_role("heading", level=1)).to_have_text("登入中控室")
    page.get_by_label("帳號").fill(name)
    page.get_by_label("密碼").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("電力單線圖", timeout=20_000)


def test_ended_session_keeps_the_picture_and_asks_to_sign_in(
    building: Building, newcomer: tuple[str, str], people: Callable[[str], Client]
) -> None:
    name, link = newcomer
    room = building.room(None)
    page = room.page
    page.goto(link)
    page.get_by_label("新密碼").fill(PASSWORD)
    page.get_by_label("再輸入一次").fill(PASSWORD)
    page.get_by_role("button", name="儲存").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("總覽", timeout=20_000)
    room.go("/electrical")
    with room.expect(r"\b401\b|WebSocket connection to"):
        _forget(people("administrator"), name)
        expect(page.get_by_text("登入已失效，畫面只供檢視。")).to_be_visible(timeout=15_000)
        expect(page.get_by_role("heading", level=1)).to_have_text("電力單線圖")
        room.picture("ended-electrical-zh-night-1920")
        page.get_by_role("link", name="登入", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("登入中控室")


def _forget(administrator: Client, name: str) -> None:
    """Delete a user, if there still is one."""
    for user in administrator.get("/users")["items"]:
        if user["name"] == name:
            administrator.delete(f"/users/{name}", user["etag"])
