"""Schedules in a browser: an exception put in by keyboard switches the machine; taking it away gives it back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Building, messages
from tests.services.city import City, Client, wait_for

PLAN, AHU = "office-east", "cityhall.hvac.ahu_01f_e"
ZH, EN = messages("zh-TW"), messages("en")
OPPOSITE = {"occupied": ("unoccupied", "停機", 0.0), "unoccupied": ("occupied", "上班", 1.0)}


def _ask(client: Client, path: str, body: dict[str, Any]) -> None:
    client._ask("POST", f"{path}/{body.pop('verb')}", body, {"If-Match": client.etag(path)})


@pytest.fixture
def engineer(whole_city: City, people: Callable[[str], Client]) -> Iterator[Client]:
    """The engineer; afterwards the schedules are as the files say."""
    client = people("engineer")
    yield client
    for one in client.get("/schedules")["exceptions"]:
        if one["change"] and not one["change"]["of_files"]:
            _ask(client, f"/schedules/exception/{one['id']}", {"verb": "remove", "reason": "end of the test"})
    if client.get(f"/schedules/plan/{PLAN}")["change"]:
        _ask(client, f"/schedules/plan/{PLAN}", {"verb": "reset", "reason": "end of the test"})


def _save(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name=ZH["action.save"]).click()
    page.get_by_role("dialog").wait_for(state="hidden")


def test_an_exception_switches_the_machine_and_gives_it_back(building: Building, engineer: Client) -> None:
    before = engineer.get(f"/schedules/plan/{PLAN}")
    mode, said, command = OPPOSITE[before["now"]["mode"]]
    wait_for(lambda: engineer.value(f"{AHU}.fan_cmd")["value"] == 1.0 - command, 60, "not as its schedule says")
    room = building.room("engineer", width=1366)
    page = room.load("/schedules")
    row = page.locator(f'[data-plan="{PLAN}"]')
    expect(page.locator('[data-sum="next"] b')).to_be_in_viewport()
    expect(page.locator("[data-plan]").last).to_be_in_viewport()

    page.get_by_role("button", name=ZH["schedule.exception.add"]).press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(ZH["schedule.form.zh"]).fill("加班測試")
    dialog.get_by_label("西區辦公空調", exact=True).press("Space")  # chosen at first
    dialog.get_by_label("東區辦公空調", exact=True).press("Space")
    dialog.get_by_label(ZH["schedule.form.from"], exact=True).fill("00:00")
    dialog.get_by_label(ZH["schedule.form.to"], exact=True).fill("23:00")
    dialog.get_by_label(ZH["schedule.form.to"], exact=True).fill("24:00")
    dialog.get_by_role("combobox", name=ZH["schedule.form.mode"]).select_option(mode)
    dialog.get_by_label(ZH["schedule.form.reason"]).fill("測試")
    assert room.axe("dialog") == []
    _save(page)

    expect(row).to_contain_text(f"{said}例外：加班測試")
    wait_for(lambda: engineer.value(f"{AHU}.fan_cmd")["value"] == command, 60, "the exception was not commanded")
    wait_for(lambda: engineer.value(f"{AHU}.fan_run")["value"] == command, 90, "the machine does not follow")
    why = engineer.get(f"/schedules/points/{AHU}.fan_cmd")
    assert (why["slot"], why["owner"], why["value"], why["now"]["cause"]["kind"]) == (
        15,
        "schedule",
        command,
        "exception",
    )
    room.language("en")
    expect(row).to_contain_text("exception: 加班測試")
    expect(page.get_by_role("heading", name=EN["page.schedules"], exact=True)).to_be_visible()
    assert room.axe() == []
    room.language("zh")

    mine = page.locator("[data-exception]").filter(has_text="加班測試")
    mine.get_by_role("button", name=ZH["schedule.delete"]).click()
    page.get_by_role("dialog").get_by_label(re.compile(ZH["maintenance.form.reason"])).fill("測試結束")
    page.get_by_role("dialog").get_by_role("button", name=ZH["schedule.delete"]).click()
    expect(mine).to_have_count(0)
    expect(row).not_to_contain_text("加班測試")
    wait_for(lambda: engineer.value(f"{AHU}.fan_cmd")["value"] == 1.0 - command, 60, "it was not given back")


def test_hours_are_changed_by_keyboard_and_go_back_to_the_files(building: Building, engineer: Client) -> None:
    room = building.room("engineer", width=1366)
    page = room.load(f"/schedules?plan={PLAN}")
    panel = page.locator('[data-panel="plan"]')
    expect(panel.get_by_role("heading", name="東區辦公空調")).to_be_visible()
    panel.get_by_role("button", name=ZH["schedule.edit"]).press("Enter")
    dialog = page.get_by_role("dialog")
    save = dialog.get_by_role("button", name=ZH["action.save"])
    end = dialog.get_by_label(ZH["schedule.form.to"], exact=True).first
    dialog.get_by_label(ZH["schedule.form.reason"]).fill("夏月延長")
    end.fill("06:00")
    expect(dialog).to_contain_text(ZH["schedule.wrong.order"])
    expect(save).to_be_disabled()
    end.fill("19:15")
    dialog.get_by_label(ZH["schedule.day.sat"], exact=True).press("Space")
    dialog.get_by_role("spinbutton", name=re.compile("區域溫度設定值")).first.fill("40")
    with room.expect(r"answer 422.*/schedules/plan/", r"422"):
        save.click()
        expect(dialog.get_by_role("alert")).to_contain_text("18 to 28")
    dialog.get_by_role("spinbutton", name=re.compile("區域溫度設定值")).first.fill("26.5")
    assert room.axe("dialog") == []
    _save(page)
    expect(panel).to_contain_text("07:30–19:15 上班")
    expect(panel).to_contain_text("26.5 °C")
    expect(panel).to_contain_text("變更：夏月延長")
    kept = engineer.get(f"/schedules/plan/{PLAN}")
    assert kept["weekly"][0]["days"] == ["mon", "tue", "wed", "thu", "fri", "sat"]
    noon = datetime.now(UTC) + timedelta(days=(5 - datetime.now(UTC).weekday()) % 7)
    line = engineer.get(f"/schedules/preview?plan={PLAN}&start={noon:%Y-%m-%dT04:00:00Z}&days=1")["lines"][0]
    if not any(one["cause"]["kind"] in ("holiday", "exception") for one in line["intervals"]):
        assert [one["mode"] for one in line["intervals"]] == ["unoccupied", "occupied", "unoccupied"]

    panel.get_by_role("button", name=ZH["schedule.reset"]).click()
    page.get_by_role("dialog").get_by_label(re.compile(ZH["maintenance.form.reason"])).fill("測試結束")
    page.get_by_role("dialog").get_by_role("button", name=ZH["schedule.reset"]).click()
    expect(panel).to_contain_text("07:30–18:00 上班")
    assert engineer.get(f"/schedules/plan/{PLAN}")["change"] is None
