"""Car park and chargers: a fault at the wire changes the named element in the first view, in both languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, expect

from simulators.control import ask
from tests.browser.conftest import Building, Room
from tests.services.city import City, Client, wait_for

GAS = "cityhall.carpark.gas07"
ALFEN = "cityhall.ev.charger03"


@contextmanager
def fault(city: City, device: str, *pairs: tuple[str, str]) -> Iterator[None]:
    """Show other values than those measured, and clear them at the end."""
    for quantity, value in pairs:
        city.sim("fault", "set", device, quantity, value)
    try:
        yield
    finally:
        city.sim("fault", "clear", device)


def settled(client: Client, equipment: str) -> None:
    """Wait until every alarm of an equipment has returned, and acknowledge them."""

    def active() -> dict[str, str]:
        items = client.get("/alarms?state=active")["items"]
        return {item["id"]: item["state"] for item in items if item["equipment"] == equipment}

    wait_for(lambda: set(active().values()) <= {"returned"}, 60, lambda: str(active()))
    if active():
        client.post("/alarms/acknowledge", {"ids": sorted(active()), "comment": "put there by a test"})
    wait_for(lambda: not active(), 40, lambda: str(active()))


def in_view(page: Page, element: Locator) -> None:
    """The element is wholly in the first view, without scrolling."""
    expect(element).to_be_visible()
    box = element.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 768, box
    assert page.evaluate("document.querySelector('#content').scrollTop") == 0


@pytest.fixture(scope="module")
def client(people: Callable[[str], Client]) -> Client:
    return people("operator")


@pytest.fixture
def small(building: Building, whole_city: City) -> Room:
    room = building.room("operator", width=1366)
    room.load("/")
    return room


def test_carbon_monoxide_of_a_zone_is_seen_in_the_first_view_and_its_fan_answers(
    small: Room, whole_city: City, client: Client
) -> None:
    page = small.go("/car-park")
    zone = page.get_by_role("article", name="B2 第 3 區")
    in_view(page, zone)
    expect(zone).not_to_contain_text("一氧化碳")
    with fault(whole_city, "gas07-unit", ("co", "70"), ("co_mean", "62")):
        expect(zone).to_contain_text("一氧化碳過高（第二段）", timeout=20_000)
        expect(zone.get_by_role("img", name="高").first).to_be_visible()
        in_view(page, zone.get_by_text("一氧化碳過高（第二段）"))
        expect(page.locator(".sum").first).to_contain_text("第 2 段")
        # The detector's relay has the fan run, whatever else: the drive says so, and the switch in the duct.
        expect(zone).to_contain_text("運轉", timeout=20_000)
        expect(zone).to_contain_text("有風", timeout=30_000)
        items = [item for item in client.get("/alarms?state=active")["items"] if item["equipment"] == GAS]
        assert {item["id"] for item in items} == {f"{GAS}.co_mean#high", f"{GAS}.co_mean#high_high"}
        small.language("en")
        english = page.get_by_role("article", name="B2 zone 3")
        expect(english).to_contain_text("CO very high (stage 2)")
        expect(english).to_contain_text("Running")
        assert not small.axe()
        small.language("zh")
    settled(client, GAS)


def test_a_broken_head_is_no_clean_air(small: Room, whole_city: City, client: Client) -> None:
    page = small.go("/car-park")
    zone = page.get_by_role("article", name="B1 第 2 區")
    with fault(whole_city, "gas02-unit", ("no2_fault", "1")):
        expect(zone).to_contain_text("二氧化氮感測器故障", timeout=20_000)
        expect(page.locator(".sum").nth(1)).to_contain_text("1 處不明", timeout=20_000)
        expect(zone).to_contain_text("運轉", timeout=30_000)
    settled(client, "cityhall.carpark.gas02")


def test_a_fan_without_airflow_is_one_alarm_at_its_zone(small: Room, whole_city: City, client: Client) -> None:
    fan = "cityhall.carpark.fan10"
    page = small.go("/car-park")
    zone = page.get_by_role("article", name="B3 第 2 區")
    # Told to run, whatever the schedule says at this hour.
    command = {"point": f"{fan}.run_cmd", "value": 1, "slot": 8, "reason": "browser test", "expires_s": 600}
    client.post("/commands", command)
    try:
        with fault(whole_city, "fan10-drive", ("run", "1"), ("speed", "60"), ("airflow", "0")):
            expect(zone).to_contain_text("排風機運轉無風量", timeout=45_000)
            in_view(page, zone)
            items = [item["id"] for item in client.get("/alarms?state=active")["items"] if item["equipment"] == fan]
            assert items == [f"{fan}.no_airflow#state"]
    finally:
        client.post("/commands", {**command, "value": None, "expires_s": None})
    settled(client, fan)


def test_a_fan_is_commanded_from_its_zone_and_given_back(small: Room, whole_city: City, client: Client) -> None:
    point = "cityhall.carpark.fan11.speed_cmd"
    page = small.go("/car-park")
    zone = page.get_by_role("article", name="B3 第 3 區")
    expect(zone).to_contain_text("排程")  # each of its modes commands the fan
    command = {"point": point, "value": 45, "slot": 8, "reason": "browser test", "expires_s": 600}
    client.post("/commands", command)
    try:
        expect(zone).to_contain_text("手動", timeout=20_000)
    finally:
        client.post("/commands", {**command, "value": None, "expires_s": None})
    expect(zone).to_contain_text("排程", timeout=20_000)


def test_a_charger_with_a_fault_says_so_on_its_card(small: Room, whole_city: City, client: Client) -> None:
    page = small.go("/ev")
    card = page.get_by_role("listitem", name="充電樁 03")
    in_view(page, card)
    with fault(whole_city, "ev03-charger", ("state", "5")):
        expect(card).to_contain_text("充電樁故障", timeout=20_000)
        expect(card.get_by_role("img")).to_be_visible()
        in_view(page, card)
        expect(page.locator(".sum").nth(2)).to_contain_text("故障 1")
        items = [item["id"] for item in client.get("/alarms?state=active")["items"] if item["equipment"] == ALFEN]
        assert items == [f"{ALFEN}.state#state"]
        small.language("en")
        expect(page.get_by_role("listitem", name="Charger 03")).to_contain_text("charger fault")
        assert not small.axe()
        small.language("zh")
    settled(client, ALFEN)


def test_a_charger_that_is_silent_is_unknown_and_not_free(small: Room, whole_city: City, client: Client) -> None:
    page = small.go("/ev")
    card = page.get_by_role("listitem", name="充電樁 12")
    whole_city.sim("fault", "disconnect", "ev12-charger")
    try:
        expect(card).to_contain_text("通訊中斷", timeout=60_000)
        expect(card).to_contain_text("不明", timeout=30_000)
        expect(card).not_to_contain_text("空位")
        expect(page.locator(".sum").nth(2)).to_contain_text("≥")
    finally:
        whole_city.sim("fault", "clear", "ev12-charger")
    settled(client, "cityhall.ev.charger12")


def test_a_level_that_fills_says_full_and_its_sign_agrees(small: Room, whole_city: City, client: Client) -> None:
    page = small.go("/ev")
    level = page.get_by_role("group", name="B2：", exact=False)
    in_view(page, level)
    free = client.value("cityhall.parking.b2.free")["value"]
    assert free == client.value("cityhall.parking.sign_b2.free_shown")["value"]
    rows = [f"b2-row{n:02}" for n in range(1, 9)]
    try:
        for row in rows:
            for bay in range(1, 21):
                ask(whole_city.folder / "run" / "control.sock", "set", row, (f"bay_{bay:02}", "1"))
        whole_city.sim("fault", "set", "sign-b2", "free_shown", "0")
        expect(level).to_contain_text("滿位", timeout=20_000)
        expect(level).to_contain_text("100", timeout=20_000)
        small.language("en")
        expect(page.get_by_role("group", name="B2: full")).to_be_visible()
        small.language("zh")
        expect(level).to_contain_text("樓層滿位", timeout=40_000)
        in_view(page, level)
    finally:
        for row in (*rows, "sign-b2"):
            whole_city.sim("fault", "clear", row)
    settled(client, "cityhall.parking.b2")


@pytest.mark.parametrize("path", ["/car-park", "/ev"])
def test_a_phone_shows_both_pages_without_scrolling_sideways(building: Building, whole_city: City, path: str) -> None:
    room = building.room("operator", width=390)
    page = room.load(path)
    assert page.evaluate("document.querySelector('#content').scrollWidth") <= 390
    assert not room.axe()
