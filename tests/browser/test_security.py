"""Security: what happens at a button, a door, a zone or a camera is in the first view of its page, without a click."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Building, Room
from tests.services.city import City, Client, wait_for

Fault = Callable[..., None]


@pytest.fixture
def fault(whole_city: City) -> Iterator[Fault]:
    """Make a device fail for one test; afterwards it is well and its alarms are acknowledged."""
    failed: list[str] = []

    def set_(device: str, quantity: str, value: str) -> None:
        if device not in failed:
            failed.append(device)
        whole_city.sim("fault", "set", device, quantity, value)

    yield set_
    for device in failed:
        whole_city.sim("fault", "clear", device)


@pytest.fixture
def calm(people: Callable[[str], Client]) -> Iterator[Client]:
    """Leave no alarm of security behind."""
    operator = people("operator")
    yield operator

    def gone() -> bool:
        left = [
            a for a in operator.get("/alarms?limit=1000")["items"] if a["system"] in SYSTEMS and a["state"] != "normal"
        ]
        open_ = [a["id"] for a in left if a["state"] in {"unacknowledged", "returned"}]
        if open_:
            operator.post("/alarms/acknowledge", {"ids": open_, "comment": ""})
        return not left

    wait_for(gone, 30, "alarms of security stay")


SYSTEMS = {"access", "intrusion", "sos", "intercom", "cctv"}


def seen(room: Room, element: Locator) -> None:
    """The element is drawn inside the first view: nobody scrolled."""
    expect(element).to_be_visible(timeout=15_000)
    box = element.bounding_box()
    assert box is not None
    size = room.page.viewport_size
    assert size is not None
    assert box["y"] >= 0
    assert box["y"] + min(box["height"], 60) <= size["height"], f"below the first view: {box}"
    assert room.page.evaluate("document.querySelector('#content').scrollTop") == 0


def alarm_of(client: Client, identifier: str) -> list[dict[str, object]]:
    found = [a for a in client.get("/alarms?limit=1000")["items"] if a["id"] == identifier and a["state"] != "normal"]
    return list(found)


def raised(client: Client, system: str) -> list[str]:
    return [
        a["id"] for a in client.get("/alarms?limit=1000")["items"] if a["system"] == system and a["state"] != "normal"
    ]


def test_a_pressed_button_asks_for_help_in_the_first_view(calm: Client, fault: Fault, operator: Room) -> None:
    operator.size(1366)
    page = operator.go("/security")
    expect(page.locator("[data-calm]")).to_be_visible()
    fault("sos-w-05f", "pressed", "1")
    call = page.locator('[data-call="cityhall.sos.w_05f"]')
    seen(operator, call)
    expect(call.get_by_role("heading", level=2)).to_contain_text("西區 5 樓緊急求助按鈕 緊急求助")
    expect(call).to_contain_text("5F 西區")
    expect(call).to_contain_text("派員到場")
    expect(call.locator("img")).to_have_count(2, timeout=15_000)
    expect(call.locator("[data-door]")).to_have_count(4)
    expect(page.locator(".banner")).to_contain_text("緊急求助")
    expect(page.locator('[role="log"] [data-type="sos_pressed"]').first).to_be_visible()
    assert raised(calm, "sos") == ["cityhall.sos.w_05f.pressed#state"]
    assert alarm_of(calm, "cityhall.sos.w_05f.pressed#state")[0]["life_safety"] is True
    help_page = operator.go("/security/help")
    seen(operator, help_page.locator('[data-call="cityhall.sos.w_05f"]'))
    expect(help_page.locator('[data-help="cityhall.sos.w_05f"]')).to_have_attribute("data-state", "pressed")
    assert operator.axe() == []
    operator.go("/security")
    call.get_by_role("textbox").fill("保全 2 號前往")
    call.get_by_role("button", name="應答").click()
    expect(call).to_contain_text("保全 2 號前往", timeout=10_000)


def test_a_forced_door_is_first_among_the_doors(calm: Client, fault: Fault, operator: Room) -> None:
    operator.size(1366)
    page = operator.go("/security/doors")
    fault("door-e-03f-2", "alarm", "1")
    chip = page.locator('section:has(.wrong) [data-door="cityhall.access.e_03f_2"]')
    seen(operator, chip)
    expect(chip).to_have_attribute("data-state", "forced")
    expect(chip.locator("svg.shape")).to_be_visible()
    expect(page.locator('[data-count="forced"]')).to_contain_text("1")
    wait_for(
        lambda: raised(calm, "access") == ["cityhall.access.e_03f_2.alarm#state"],
        10,
        lambda: str(raised(calm, "access")),
    )
    seen(operator, operator.go("/security").locator('[data-call="cityhall.access.e_03f_2"]'))
    # Held is another alarm of the same point, and a patient one.
    fault("door-e-03f-2", "alarm", "2")
    operator.go("/security/doors")
    expect(chip).to_have_attribute("data-state", "held", timeout=15_000)


def test_an_intrusion_is_named_with_its_zone(calm: Client, fault: Fault, operator: Room) -> None:
    operator.size(1366)
    page = operator.go("/security/intrusion")
    fault("zone-w-07f", "state", "4")
    seen(operator, page.locator('[data-call="cityhall.intrusion.w_07f"]'))
    expect(page.locator('[data-zone="cityhall.intrusion.w_07f"]')).to_have_attribute("data-state", "alarm")
    expect(page.locator('[data-count="alarm"]')).to_contain_text("1")
    expect(page.locator('[data-type="intrusion_burglary"]').first).to_be_visible()
    assert raised(calm, "intrusion") == ["cityhall.intrusion.w_07f.state#state"]
    operator.language("en")
    expect(page.locator('[data-call="cityhall.intrusion.w_07f"]')).to_contain_text(
        "West floor 7 intrusion zone intrusion"
    )


def test_a_lost_camera_is_hatched_and_not_asked(calm: Client, fault: Fault, operator: Room) -> None:
    operator.size(1366)
    page = operator.go("/security/cameras")
    fault("cam-n-02f-1", "signal_loss", "1")
    chip = page.locator('.wrong [data-camera="cityhall.cctv.n_02f_1"]')
    seen(operator, chip)
    expect(chip).to_have_class(re.compile("hatch"))
    expect(page.locator('[data-count="lost"]')).to_contain_text("1")
    wait_for(
        lambda: raised(calm, "cctv") == ["cityhall.cctv.n_02f_1.signal_loss#state"],
        15,
        lambda: str(raised(calm, "cctv")),
    )
    camera = operator.go("/security/cameras/cityhall/cctv/n_02f_1")
    seen(operator, camera.locator('[data-camera="cityhall.cctv.n_02f_1"]'))
    expect(camera.locator('[data-camera="cityhall.cctv.n_02f_1"]')).to_contain_text("無影像")
    expect(camera.locator("section[data-camera] img")).to_have_count(0)


def test_a_camera_shows_another_picture_each_second(whole_city: City, operator: Room) -> None:
    page = operator.go("/security/cameras/cityhall/cctv/w_05f_1")
    picture = page.locator("section[data-camera] img")
    expect(picture).to_be_visible(timeout=15_000)
    first = picture.get_attribute("src") or ""
    assert first.startswith("data:image/jpeg;base64,")
    expect(picture).not_to_have_attribute("src", first, timeout=10_000)
    assert picture.evaluate("e => e.naturalWidth") == 480


def test_a_ringing_station_is_seen_and_an_offline_controller_too(calm: Client, fault: Fault, operator: Room) -> None:
    operator.size(1366)
    page = operator.go("/security/help")
    fault("intercom-w-ent-1", "call", "1")
    seen(operator, page.locator('.rest [data-help="cityhall.intercom.w_ent_1"]'))
    fault("access-n", "online", "0")
    wait_for(
        lambda: raised(calm, "access") == ["cityhall.access.controller_n.online#state"],
        20,
        lambda: str(raised(calm, "access")),
    )
    tile = operator.go("/security").locator('[data-tile="doors"] svg.shape')
    seen(operator, tile)


def test_a_door_is_unlocked_with_a_reason_and_a_viewer_sees_neither_picture_nor_person(
    whole_city: City, building: Building, operator: Room, people: Callable[[str], Client]
) -> None:
    page = operator.go("/security/doors?door=cityhall.access.w_02f_1")
    panel = page.locator("section.door")
    panel.get_by_role("button", name="變更指令").click()
    panel.get_by_role("spinbutton").fill("10")
    panel.get_by_label("原因").fill("送貨")
    panel.get_by_role("button", name=re.compile("下一步")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="取消")).to_be_focused()
    dialog.get_by_role("button", name="執行").click()
    expect(panel).to_contain_text("完成", timeout=10_000)
    expect(page.locator('td [data-door="cityhall.access.w_02f_1"]')).to_have_attribute(
        "data-state", "unlocked", timeout=10_000
    )
    viewer = building.room("viewer", width=1366)
    plain = viewer.load("/security/cameras/cityhall/cctv/w_05f_1")
    expect(plain.locator("section[data-camera]")).to_contain_text("無檢視權限")
    viewer.go("/security/doors?door=cityhall.access.w_02f_1")
    expect(plain.locator("section.door")).to_contain_text("您的角色")
    events = people("viewer").get("/events?limit=200")["items"]
    assert any(e["type"].startswith("access_") for e in events)
    assert not any({"person", "credential"} & set(e["data"]) for e in events)


@pytest.mark.parametrize(
    "path",
    [
        "/security",
        "/security/doors",
        "/security/help",
        "/security/intrusion",
        "/security/cameras",
        "/security/cameras/cityhall/cctv/w_05f_1",
    ],
)
def test_pages_are_accessible_in_both_languages_and_fit_a_phone(whole_city: City, operator: Room, path: str) -> None:
    page = operator.go(path)
    for language, theme in (("zh", "night"), ("en", "day")):
        operator.language(language)
        operator.theme(theme)
        assert operator.axe() == []
    operator.size(390)
    operator.settle()
    assert (
        page.evaluate(
            "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('#content'))"
        )
        <= 0
    )
    operator.picture(f"security-{path.strip('/').replace('/', '-')}-390")
