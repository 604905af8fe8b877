"""The pages of fire while it burns, while it is given back and after: in the language of the screen, within the window.

At rest they are looked at like every other page; here with what only a fire fills.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WIDTHS, WORDS, Building, Room, messages, untranslated
from tests.services.city import City, Client, wait_for

_OPEN = "() => document.querySelectorAll('#content details').forEach((e) => { e.open = true; })"
_OVER = """() => [...document.querySelectorAll('#content .names, #content .steps')]
  .filter((e) => e.scrollWidth > e.clientWidth).map((e) => `list is ${e.scrollWidth} px wide in ${e.clientWidth}`)"""


@pytest.fixture
def officer(whole_city: City, people: Callable[[str], Client]) -> Iterator[Client]:
    """Afterwards nothing is held and nobody is asked to acknowledge anything."""
    officer = people("safety_officer")
    wait_for(lambda: officer.get("/fire")["response"] is None, 150, "an earlier fire is still given back")
    yield officer
    whole_city.sim("fault", "event", "fire-panel", "reset")
    if (officer.get("/fire")["response"] or {}).get("phase") == "active":
        stand_down(officer)

    def left() -> list[str]:
        items = [item for item in officer.get("/alarms?state=active&limit=1000")["items"] if "fire" in item["id"]]
        if waiting := [item["id"] for item in items if item["state"] == "returned"]:
            people("operator").post("/alarms/acknowledge", {"ids": waiting, "comment": "tidied"})
        return [item["id"] for item in items]

    wait_for(lambda: not left(), 90, lambda: f"still there: {left()}")


def stand_down(officer: Client) -> None:
    wait_for(lambda: officer.get("/fire")["reset"], 30, "the panel is not reset")
    response = officer.get("/fire")["response"]["id"]
    officer.post("/fire/stand-down", {"response": response, "reason": "119"})


def wrong(room: Room, state: str, *paths: str) -> list[str]:
    """Return what is foreign or too wide on these pages, in both languages and on two sizes of window."""
    found = []
    for path in paths:
        page = room.go(path)
        for language in ("zh", "en"):
            room.language(language)
            for width in (1366, 390):
                room.size(width)
                room.settle()
                page.evaluate(_OPEN)
                said = page.evaluate(WIDTHS) + page.evaluate(_OVER) + untranslated(page.evaluate(WORDS), language)
                if (width, path, language) == (390, "/fire", "en"):
                    said += room.axe()
                found += [f"{state} {path} {language} {width}: {text}" for text in said]
                room.picture(f"{path[1:].replace('/', '-')}-{state}-{language}-{width}")
    return found


@pytest.mark.timeout(420)
def test_the_pages_of_fire_speak_one_language_in_every_state(
    building: Building, whole_city: City, officer: Client
) -> None:
    room = building.room("operator", width=1366)
    page = room.load("/fire")
    whole_city.sim("fault", "event", "fire-panel", "jam", "output=gas_valve_1")
    whole_city.sim("fault", "event", "fire-panel", "fire", "zone=28", "detector=7")
    expect(page.locator('[data-phase="active"]')).to_be_visible(timeout=20_000)
    wait_for(lambda: officer.get("/fire")["response"]["emptied"], 20, "nothing was in the slots")
    wait_for(
        lambda: "missing" in {one["state"] for one in officer.get("/fire")["response"]["effects"]},
        30,
        "no effect missing",
    )
    found = wrong(room, "fire", "/fire", "/fire/matrix", "/drills")

    whole_city.sim("fault", "event", "fire-panel", "reset")
    stand_down(officer)
    room.language("zh")
    page = room.go("/fire")
    expect(page.locator('[data-phase="restoring"]')).to_be_visible(timeout=20_000)
    emptied = officer.get("/fire")["response"]["emptied"]
    assert {one["owner"] for one in emptied} >= {"schedule"}
    assert all(one["reason"]["zh"] != one["reason"]["en"] for one in emptied if one["owner"] == "schedule")
    found += wrong(room, "restoring", "/fire", "/fire/matrix")
    assert officer.get("/fire")["response"]["phase"] == "restoring", "it was looked at in another state"

    wait_for(lambda: officer.get("/fire")["response"] is None, 150, "it is not given back")
    found += wrong(room, "after", "/fire")
    assert not found, "\n".join(found)


def test_while_the_status_is_unknown_a_phone_says_first_what_to_do(
    building: Building, officer: Client, whole_city: City
) -> None:
    room = building.room("safety_officer", width=390)
    page = room.load("/fire")
    whole_city.sim("fault", "freeze", "fire-panel")
    try:
        expect(page.locator('[data-status="unknown"]')).to_be_visible(timeout=30_000)
        for language in ("zh", "en"):
            room.language(language)
            words = messages("en" if language == "en" else "zh-TW")
            steps = page.get_by_role("region", name=words["fire.guidance"]).locator("li").first
            expect(steps).to_be_visible(timeout=20_000)
            zone = page.locator("[data-zone]").first
            expect(zone).to_contain_text(words["fire.state.unknown"])
            reactions = page.get_by_role("region", name=words["fire.answers"]).bounding_box()
            above, below = steps.bounding_box(), zone.bounding_box()
            assert above is not None
            assert below is not None
            assert reactions is not None
            assert above["y"] < min(reactions["y"], below["y"]), "what to do stands before 64 zones that nobody knows"
            assert below["height"] < 50, "a word of a zone is broken"
            assert page.evaluate(WIDTHS) == []
    finally:
        whole_city.sim("fault", "clear", "fire-panel")
