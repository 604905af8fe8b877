"""Strategies in a browser: a shed from forecast to restore, the point that says why, and switching with a reason.

The controller is a real one on a clock that runs 40 times faster, so that a quarter of an hour takes 23 s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Building, furnished, messages, people_of, slashed
from tests.services.city import wait_for
from tests.services.handlers import handled
from tests.services.hurry import Hurry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controller.app import Controller

ZH, EN = messages("zh-TW"), messages("en")
METER = "main.electrical.meter1.power"
ROOMS = tuple(f"main.hvac.ahu{n}" for n in (1, 2, 3))
STRATEGY = """[demand]
mode = "run"
meter = "main.electrical.meter1.power"
contract_kw = 500
margin_percent = 2
restore_s = 60

[[demand.shed]]
id = "rooms"
name = { zh = "區域溫度設定值", en = "Room set-points" }
points = ["main.hvac.ahu*.zone_temp_sp"]
priority = 1
higher = [1.0]
kw = 15
running = "fan_run"
comfort = true
"""


class House:
    """What the points read; the power falls with what is shed."""

    kw = 460.0

    def values(self, controller: Controller) -> Mapping[str, float]:
        arbiter = controller.parts.arbiter
        shed = sum(arbiter.slots(f"{room}.zone_temp_sp")[8] is not None for room in ROOMS)
        rows = {METER: self.kw - 15.0 * shed}
        for room in ROOMS:
            rows |= {f"{room}.zone_temp": 25.0, f"{room}.return_co2": 700.0, f"{room}.fan_run": 1.0}
            rows[f"{room}.zone_temp_sp"] = 26.0
        return rows


@pytest.fixture(scope="module")
def house() -> House:
    return House()


@pytest.fixture(scope="module")
def hurry(tmp_path_factory: pytest.TempPathFactory, house: House) -> Iterator[Hurry]:
    folder = tmp_path_factory.mktemp("hurry")
    handled(folder, len(ROOMS), STRATEGY)
    with Hurry(folder, house.values) as running:
        yield running


@pytest.fixture(scope="module")
def building(hurry: Hurry) -> Iterator[Building]:
    with furnished(hurry.url, people_of(hurry)) as found:
        yield found


@pytest.mark.timeout(240)
def test_a_shed_from_forecast_to_restore(building: Building, house: House) -> None:
    room = building.room("engineer", width=1366)
    page = room.load("/strategies")
    card = page.locator('[data-strategy="demand"]')
    expect(card).to_contain_text("不需卸載", timeout=20_000)
    window = page.locator("[data-demand-window]")
    expect(window.get_by_role("img")).to_have_attribute("aria-label", re.compile("契約容量 500 kW"))
    expect(window).to_be_in_viewport()

    house.kw = 520.0
    shed = page.locator('[data-part][data-state="shed"]')
    expect(shed.first).to_be_visible(timeout=60_000)
    expect(card).to_contain_text("已卸載")
    expect(page.locator("main")).to_contain_text("需量控制卸載：設定值 +1 K；本時段預測")
    assert room.axe() == []
    room.picture("strategies-shed-zh")

    point = shed.first.get_attribute("data-part")
    assert point
    other = building.room("viewer", width=1366)
    faceplate = other.load(f"/points/{slashed(point)}")
    expect(faceplate.locator("main")).to_contain_text(re.compile("為什麼.*需量控制"))
    expect(faceplate.locator("main")).to_contain_text("需量控制卸載：設定值 +1 K")
    other.language("en")
    expect(faceplate.locator("main")).to_contain_text("demand limiting: set-point +1 K")
    expect(faceplate.locator("main")).not_to_contain_text("需量控制卸載")

    room.language("en")
    expect(card).to_contain_text(re.compile(r"items? shed"))
    room.theme("day")
    for width in (1920, 390):
        room.size(width)
        assert room.axe() == []
        tall = "cells => cells.map((e) => e.getBoundingClientRect().height).filter((h) => h > 90)"
        assert page.locator(".side tbody td").evaluate_all(tall) == [], "a state is written one letter a line"
        heads = page.locator("main thead th:visible").evaluate_all(tall)
        assert heads == [], "a head is written one letter a line"
        room.picture(f"strategies-shed-en-{width}")
    room.size(1366)
    room.theme("night")
    room.language("zh")

    house.kw = 430.0
    expect(shed).to_have_count(0, timeout=90_000)
    expect(card).to_contain_text("不需卸載")
    expect(page.locator("main")).to_contain_text(ZH["strategy.targets.none"])


def test_a_dry_run_with_a_reason_and_who_may_not(building: Building, house: House) -> None:
    house.kw = 430.0
    looking = building.room("viewer", width=1366)
    page = looking.load("/strategies")
    expect(page.get_by_role("button", name=ZH["strategy.mode.off"], exact=True)).to_be_disabled()

    room = building.room("engineer", width=390)
    page = room.load("/strategies/demand")
    page.get_by_role("button", name=ZH["strategy.mode.dry_run"], exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("由執行切換為試跑")
    send = dialog.get_by_role("button", name=re.compile("試跑"))
    expect(send).to_be_disabled()
    dialog.get_by_label(ZH["maintenance.form.reason"]).fill("先看一週")
    assert room.axe("dialog") == []
    send.click()
    expect(page.locator('[data-strategy="demand"]')).to_contain_text("試跑")
    expect(page.locator("main")).to_contain_text("先看一週")
    client = building._people("engineer")
    wait_for(lambda: client.get("/strategies/demand")["mode"] == "dry_run", 10, "not switched")
    path = "/strategies/demand"
    client.put(f"{path}/mode", {"mode": "run", "reason": "end of the test"}, client.etag(path))
    room.language("en")
    expect(page.locator('[data-strategy="demand"]')).to_contain_text(EN["strategy.mode.run"], timeout=15_000)
