"""Air-conditioning and air quality: what goes wrong is seen at its own place in the first view, without a click."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Room
from tests.services.city import City, Client, wait_for

SOON = 20_000
LATER = 90_000
"""An alarm with its delay, and a device that is given up."""


def in_first_view(room: Room, locator: Locator) -> None:
    """Whole inside the window as it was opened."""
    box = locator.bounding_box()
    size = room.page.viewport_size
    assert box
    assert size
    assert box["y"] >= 0, box
    assert box["y"] + box["height"] <= size["height"], f"{box} is below {size}"


@pytest.fixture
def wrong(whole_city: City, people: Callable[[str], Client]) -> Iterator[Callable[..., None]]:
    """Make devices fail; afterwards they are well and nothing of them waits for anybody."""
    client = people("operator")
    touched: set[str] = set()

    def fault(kind: str, device: str, *arguments: str) -> None:
        touched.add(device)
        whole_city.sim("fault", kind, device, *arguments)

    yield fault
    equipment = {item["equipment"] for item in client.all("/devices") if item["id"] in touched}
    for device in touched:
        whole_city.sim("fault", "clear", device)

    def mine() -> dict[str, str]:
        items = client.get("/alarms?state=active")["items"]
        return {item["id"]: item["state"] for item in items if item["equipment"] in equipment}

    wait_for(lambda: set(mine().values()) <= {"returned"}, 90, lambda: str(mine()))
    if waiting := sorted(mine()):
        client.post("/alarms/acknowledge", {"ids": waiting, "comment": "after the test"})


@contextmanager
def opened(room: Room, path: str, width: int = 1366) -> Iterator[Room]:
    room.size(width)
    room.go(path)
    wait_for(lambda: not room.waiting(), 10)
    yield room


def test_a_hot_wing_and_a_failed_fan_show_in_their_cells(operator: Room, wrong: Callable[..., None]) -> None:
    with opened(operator, "/floors") as room:
        page = room.page
        hot, still = page.locator('[data-cell="5F|southwest"]'), page.locator('[data-cell="9F|north"]')
        expect(hot).not_to_contain_text("過熱")
        expect(still).not_to_contain_text("風機故障")
        assert page.locator("[data-cell]").count() == 48
        for cell in (hot, still, page.locator('[data-cell="1F|west"]')):
            in_first_view(room, cell)

        wrong("set", "ahu-05f-sw", "zone_temp", "33")
        wrong("set", "ahu-09f-n", "fan_fault", "1")
        expect(hot).to_contain_text("過熱", timeout=SOON)
        expect(hot).to_contain_text("33.0")
        expect(hot.locator(".middle svg")).to_be_visible()
        expect(still).to_contain_text("風機故障", timeout=SOON)
        expect(still.locator(".shape.p2")).to_be_visible(timeout=SOON)
        # Beside it the list says why, the failed machine first.
        expect(page.locator("tbody tr").filter(has_text="9 樓北區空調箱")).to_contain_text("風機故障", timeout=SOON)
        in_first_view(room, page.locator("tbody tr").filter(has_text="9 樓北區空調箱"))
        room.picture("air-floors-zh-night-1366")
        assert not room.axe()


def test_a_cell_filters_the_list_and_a_floor_leads_to_its_plan(operator: Room, whole_city: City) -> None:
    with opened(operator, "/floors") as room:
        page = room.page
        page.locator('[data-cell="1F|east"]').click()
        rows = page.get_by_role("table", name="1F 東區").locator("tbody tr")
        expect(rows).to_have_count(4)  # air handler, meeting room, two of the childcare centre
        expect(rows.filter(has_text="托嬰中心")).to_have_count(2)
        page.get_by_role("button", name="清除篩選").click()
        page.get_by_role("button", name="西南區", exact=True).click()
        expect(page.get_by_role("table", name="西南區 的").locator("tbody tr")).to_have_count(24)
        assert page.get_by_role("link", name="5F", exact=True).get_attribute("href") == "/floors/cityhall/5F"


def test_the_control_room_says_that_its_standby_machine_took_over(
    operator: Room, whole_city: City, wrong: Callable[..., None]
) -> None:
    with opened(operator, "/floors") as room:
        block = room.page.get_by_role("region", name="中控室")
        expect(block).to_contain_text("備用機待命", timeout=SOON)
        in_first_view(room, block)
        wrong("event", "ahu-cr-1", "fan_trip")
        try:
            expect(block).to_contain_text("風機故障", timeout=SOON)
            expect(block.locator(".shape.p2")).to_be_visible(timeout=SOON)
            # The second machine starts 20 s after the first one has failed.
            expect(block.get_by_role("listitem").nth(1)).to_contain_text("運轉", timeout=LATER)
        finally:
            whole_city.sim("fault", "event", "ahu-cr-1", "repaired")
        expect(block.get_by_role("listitem").nth(0)).to_contain_text("運轉", timeout=LATER)
        expect(block.get_by_role("listitem").nth(1)).to_contain_text("待命", timeout=LATER)


def test_carbon_monoxide_and_a_silent_sensor_show_at_their_places(operator: Room, wrong: Callable[..., None]) -> None:
    with opened(operator, "/iaq") as room:
        page = room.page
        children = page.locator("tbody tr").filter(has_text="托嬰中心")
        expect(page.locator("tbody tr[data-id]").first).to_contain_text("托嬰中心環境品質監控站")
        gas = page.locator('[data-cell="cityhall.environment.iaq05.co"]')
        silent = page.locator('[data-cell="cityhall.environment.wall05.co2"]')
        expect(silent).not_to_contain_text("過期")

        wrong("set", "iaq05-station", "co", "60")
        wrong("disconnect", "wall05-sensor")
        expect(gas).to_contain_text("超限 60.0", timeout=SOON)
        expect(gas.locator(".shape.p2")).to_be_visible(timeout=LATER)
        expect(silent).to_contain_text("過期", timeout=LATER)
        row = children.filter(has=page.locator('[data-cell="cityhall.environment.wall05.co2"]'))
        expect(row.locator("th .shape.p4")).to_be_visible(timeout=LATER)
        for cell in (gas, silent):
            in_first_view(room, cell)
        room.picture("air-iaq-zh-night-1366")
        assert not room.axe()
    with opened(operator, "/iaq", 390) as room:
        worst = room.page.get_by_role("listitem").filter(has_text="1 樓西區服務大廳")
        expect(worst).to_contain_text("現值超限")
        in_first_view(room, worst)
        room.picture("air-iaq-zh-night-390")
