"""The charging plan on its page: the chart of all chargers and of one, the answer in the first view, both languages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Building
from tests.services.city import City, Client, wait_for


@pytest.fixture(scope="module")
def client(people: Callable[[str], Client]) -> Client:
    return people("operator")


def test_the_plan_says_whether_all_are_charged_in_time(building: Building, whole_city: City, client: Client) -> None:
    assert whole_city
    wait_for(lambda: client.get("/charging")["past"], 60, "the strategy has not looked yet")
    room = building.room("operator", width=1366)
    page = room.load("/ev")
    answer = page.locator(".sum", has_text="離場前充飽")
    expect(answer).to_contain_text(re.compile("輛|無法判斷"), timeout=20_000)
    box = answer.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 768
    plan = page.get_by_role("region", name="充電計畫與實際")
    chart = plan.get_by_role("img").first
    expect(chart).to_have_attribute("aria-label", re.compile("^全部充電樁：自"), timeout=20_000)
    cars = (client.get("/charging")["plan"] or {"cars": []})["cars"]
    expect(plan.get_by_role("row")).to_have_count(len(cars) + bool(cars), timeout=30_000)
    room.language("en")
    english = page.get_by_role("region", name="Charging plan and actual")
    expect(english.get_by_role("img").first).to_have_attribute("aria-label", re.compile("^All chargers: from"))
