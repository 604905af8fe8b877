"""The maintenance calendar in a browser: works put in on the screen take equipment out of service, and give it back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Building, Room, messages, slashed
from tests.services.city import City, Client, wait_for

TX5 = "cityhall.electrical.tx5"
POINT = f"{TX5}.winding_temp_max"
LIMITS = f"/points/{POINT}/limits"
ALARM = f"{POINT}#high"
ORDER = "test-0001"
ZH, EN = messages("zh-TW"), messages("en")


def _active(client: Client) -> bool:
    return any(item["id"] == ALARM for item in client.get("/alarms?state=active")["items"])


@pytest.fixture(scope="module")
def warm(whole_city: City, people: Callable[[str], Client]) -> Iterator[Client]:
    """A transformer whose limit is far below its temperature; the files' limit afterwards, and no works of the test."""
    client = people("engineer")
    state = client.get(LIMITS)
    before = {kind: state["limits"][kind] for kind in ("high_high", "high", "low", "low_low")}
    client.put(LIMITS, {**before, "high": 1.0, "reason": "a test of the calendar"}, client.etag(LIMITS))
    try:
        wait_for(lambda: _active(client), 60, "no alarm of a transformer above its limit")
        yield client
    finally:
        if any(works["id"] == ORDER for works in client.get("/calendar")["works"]):
            path = f"/calendar/works/{ORDER}"
            body = {"reason": "end of the test"}
            client._ask("POST", f"{path}/remove", body, {"If-Match": client.etag(path)})
        client.put(LIMITS, {**before, "reason": "end of the test"}, client.etag(LIMITS))
    wait_for(lambda: _gone(client), 60, lambda: str(client.get("/alarms?state=active")["items"]))


def _gone(client: Client) -> bool:
    mine = [item for item in client.get("/alarms?state=active")["items"] if item["id"] == ALARM]
    if any(item["state"] == "returned" for item in mine):
        client.post("/alarms/acknowledge", {"ids": [ALARM], "comment": "end of the test"})
    return not mine


def _form(page: Page, values: dict[str, str]) -> None:
    dialog = page.get_by_role("dialog")
    for key, value in values.items():
        dialog.get_by_label(re.compile(f"^{re.escape(ZH[key])}")).fill(value)


def test_works_of_the_screen_take_out_of_service_and_give_back(building: Building, warm: Client) -> None:
    room = building.room("engineer", width=1366)
    page = room.load("/maintenance")
    equipment = building.room("engineer", width=1366)
    sheet = equipment.load(f"/equipment/{slashed(TX5)}")
    value = sheet.locator(f'#content a.value[href$="{slashed(POINT)}"]').first
    expect(value.locator(".number.good")).to_be_visible(timeout=20_000)
    active = sheet.get_by_role("table", name=ZH["alarm.list"])
    alarms = active.locator(f'a[href*="{slashed(ALARM)}"]')
    expect(alarms.first).to_be_visible(timeout=20_000)

    page.get_by_role("button", name=ZH["maintenance.add.works"]).click()
    _form(
        page,
        {
            "maintenance.form.order": ORDER,
            "maintenance.form.zh": "變壓器汰換",
            "maintenance.form.equipment": TX5,
            "maintenance.form.why": "停電更換",
            "maintenance.form.reason": "工單申請",
        },
    )
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("符合 1 個設備")
    assert room.axe("dialog") == []
    page.get_by_role("dialog").get_by_role("button", name=ZH["action.save"]).click()
    expect(page.locator(f'[data-works="{ORDER}"]')).to_contain_text("變壓器汰換")
    out = page.locator('[data-panel="out"]')
    expect(out).to_contain_text(f"工單 {ORDER}")
    expect(out).to_be_in_viewport()

    # On its own page, without a reload: every value says so, the reason stands above, and its alarm is gone.
    expect(value).to_have_text(re.compile(ZH["service.short"]))
    expect(sheet.get_by_role("note")).to_contain_text(f"工單 {ORDER}")
    expect(sheet.get_by_role("note")).to_contain_text("停電更換")
    expect(alarms).to_have_count(0)
    assert not _active(warm)
    assert equipment.axe() == []

    room.language("en")
    expect(page.get_by_role("heading", name=EN["page.maintenance"], exact=True)).to_be_visible()
    expect(page.locator('[data-panel="out"]')).to_contain_text(f"Work order {ORDER}")
    room.language("zh")

    row = page.locator(f'[data-works="{ORDER}"]')
    row.get_by_role("button", name=ZH["maintenance.end"], exact=True).click()
    _form(page, {"maintenance.form.reason": "提前完工"})
    page.get_by_role("dialog").get_by_role("button", name=ZH["maintenance.end"], exact=True).click()
    expect(out).not_to_contain_text(ORDER)
    expect(value.locator(".number.good")).to_be_visible()
    expect(sheet.get_by_role("note")).to_have_count(0)
    expect(alarms.first).to_be_visible(timeout=40_000)  # it is still too warm: the alarm comes, after its delay


def test_what_is_overdue_is_first_and_can_be_entered_as_done(building: Building, warm: Client) -> None:
    inspections = warm.get("/calendar")["inspections"]
    mine = min(inspections, key=lambda one: one["deadline"])
    room: Room = building.room("engineer", width=1366)
    page = room.load("/maintenance")
    first = page.locator("[data-inspection]").first
    expect(first).to_have_attribute("data-inspection", mine["id"])
    expect(first).to_be_in_viewport()
    expect(page.get_by_text(ZH["maintenance.sum.overdue"])).to_be_in_viewport()
    first.get_by_role("button", name=ZH["maintenance.done"]).click()
    day = warm.get("/calendar")["time"][:10]
    _form(page, {"maintenance.form.done-on": day, "maintenance.form.reason": "檢查合格"})
    page.get_by_role("dialog").get_by_role("button", name=ZH["action.save"]).click()
    row = page.locator(f'[data-inspection="{mine["id"]}"]')
    try:
        expect(row).to_contain_text(ZH["maintenance.standing.good"])
        expect(page.locator("[data-inspection]").first).not_to_have_attribute("data-inspection", mine["id"])
    finally:
        # As it was: the overlay of the test is laid over once more with the files' day.
        path = f"/calendar/inspection/{mine['id']}"
        warm._ask("POST", f"{path}/reset", {"reason": "end of the test"}, {"If-Match": warm.etag(path)})
