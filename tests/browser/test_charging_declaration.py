"""A car at a charger in a browser: declared, first, stopped and undone, seen in the plan and on the set-point.

The controller is a real one on a clock that runs 40 times faster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Building, furnished, messages, people_of
from tests.services.charger_site import ONE, Post, charger_site
from tests.services.city import wait_for
from tests.services.hurry import Hurry

if TYPE_CHECKING:
    from collections.abc import Iterator

ZH, EN = messages("zh-TW"), messages("en")


@pytest.fixture(scope="module")
def post() -> Post:
    return Post()


@pytest.fixture(scope="module")
def hurry(tmp_path_factory: pytest.TempPathFactory, post: Post) -> Iterator[Hurry]:
    folder = tmp_path_factory.mktemp("chargers")
    charger_site(folder)
    with Hurry(folder, post.values) as running:
        yield running


@pytest.fixture(scope="module")
def building(hurry: Hurry) -> Iterator[Building]:
    with furnished(hurry.url, people_of(hurry)) as found:
        yield found


def slot(hurry: Hurry) -> float | None:
    held = hurry.controller.parts.arbiter.slots(f"{ONE}.current_limit")[11]
    return None if held is None else held.value


@pytest.mark.timeout(240)
def test_declared_first_stopped_and_undone(building: Building, hurry: Hurry, post: Post) -> None:
    room = building.room("operator", width=1366)
    page = room.load("/ev")
    card = page.locator(f'[data-charger="{ONE}"]')
    expect(card).to_contain_text(ZH["ev.verdict.in_time"], timeout=30_000)
    expect(card).to_be_in_viewport()

    card.get_by_role("button", name=re.compile("調整")).click()
    dialog = page.get_by_role("dialog")
    save = dialog.get_by_role("button", name=ZH["action.save"], exact=True)
    expect(save).to_be_disabled()
    dialog.get_by_label(ZH["ev.declare.leaves.declared"], exact=True).check()
    dialog.get_by_label(ZH["ev.declare.need.full"], exact=True).check()
    dialog.get_by_label(ZH["ev.declare.how.first"], exact=True).check()
    dialog.get_by_label(ZH["maintenance.form.reason"]).fill("下午出勤")
    assert room.axe("dialog") == []
    room.picture("ev-declare-zh")
    save.click()
    expect(card).to_contain_text(ZH["ev.told.first"], timeout=15_000)
    plan = page.get_by_role("region", name=ZH["ev.plan"])
    expect(plan.get_by_role("row", name=re.compile(ZH["ev.plan.rank.first"]))).to_have_count(1, timeout=30_000)
    wait_for(lambda: (slot(hurry) or 0.0) >= 6.0, 30, lambda: str(slot(hurry)))

    card.get_by_role("button", name=re.compile("調整")).click()
    dialog.get_by_label(ZH["ev.declare.how.stop"], exact=True).check()
    dialog.get_by_label(ZH["maintenance.form.reason"]).fill("車位要清空")
    stop = dialog.get_by_role("button", name=ZH["ev.declare.stop"])
    expect(stop).to_be_disabled()
    dialog.get_by_label(ZH["ev.declare.sure"]).check()
    stop.click()
    expect(card).to_contain_text(ZH["ev.told.stop"], timeout=15_000)
    expect(card).to_contain_text(ZH["ev.verdict.stopped"], timeout=30_000)
    wait_for(lambda: slot(hurry) == 0.0, 30, lambda: str(slot(hurry)))
    assert room.axe() == []
    room.picture("ev-stopped-zh")
    room.language("en")
    expect(card).to_contain_text(EN["ev.told.stop"])
    room.picture("ev-stopped-en")
    room.language("zh")

    card.get_by_role("button", name=re.compile("還原")).click()
    dialog.get_by_label(ZH["maintenance.form.reason"]).fill("車主已離開")
    dialog.get_by_role("button", name=ZH["ev.undo"], exact=True).click()
    expect(card).not_to_contain_text(ZH["ev.told.stop"], timeout=15_000)
    wait_for(lambda: (slot(hurry) or 0.0) >= 6.0, 30, lambda: str(slot(hurry)))
    client = building._people("operator")
    said = client.get(f"/charging/sessions/{ONE}")["declared"]
    assert (said["instruction"], said["full"], said["departure"] is None) == (None, True, False), "the rest stays"

    looking = building.room("viewer", width=390)
    small = looking.load("/ev")
    expect(small.locator(f'[data-charger="{ONE}"]')).to_be_visible()
    expect(small.get_by_role("button", name=re.compile("調整"))).to_have_count(0)

    post.heard = False
    expect(page.get_by_role("status").filter(has_text="安全電流")).to_be_visible(timeout=60_000)
    wait_for(lambda: slot(hurry) == 8.0, 30, lambda: str(slot(hurry)))
    expect(card).to_contain_text(ZH["ev.verdict.unknown"], timeout=20_000)
    answer = page.locator(".sum", has_text=ZH["ev.plan.sum"])
    expect(answer).to_contain_text(ZH["ev.verdict.unknown"])
    expect(answer).not_to_contain_text(ZH["ev.plan.idle"])
    room.theme("day")
    assert room.axe() == []
    room.picture("ev-stepped-back-zh")
    post.heard = True
