"""States of a page: loading, empty, error, connection lost and back."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Route, WebSocketRoute, expect

from tests.browser.conftest import Building

POINT = "/points/cityhall/plant/ch1/chw_setpoint"
_OFFLINE = (r"ERR_INTERNET_DISCONNECTED", r"WebSocket connection to")


def test_lost_connection_says_since_when_makes_values_old_and_stops_commands(building: Building) -> None:
    """The network goes away for as long as it takes to be sure (10 s), and comes back."""
    room = building.room("operator")
    page = room.load(POINT)
    expect(page.locator(".face")).to_contain_text("良好", timeout=60_000)  # a young city may not have read it yet
    phone = building.room("operator", width=390)
    phone.load("/electrical")
    change = page.get_by_role("button", name="變更指令…")
    expect(change).to_be_enabled()
    expect(page.locator("header.top")).to_contain_text("即時")
    with room.expect(*_OFFLINE), phone.expect(*_OFFLINE):
        phone.context.set_offline(offline=True)
        room.context.set_offline(offline=True)
        expect(page.locator("header.top")).to_contain_text("延遲", timeout=10_000)
        band = page.locator(".bands .band")
        expect(band).to_contain_text("與控制器失去連線", timeout=20_000)
        first = _seconds(band.inner_text())
        expect(band).to_contain_text(re.compile(rf"畫面為 (?!{first} )\d+ 秒前（\d\d:\d\d:\d\d）"))
        assert _seconds(band.inner_text()) > first, "a frozen age is a frozen page"
        expect(page.locator("header.top")).to_contain_text("中斷")
        expect(change).to_be_disabled()
        expect(page.get_by_text("連線中斷，無法下達指令")).to_be_visible()
        expect(page.locator(".face .number.stale")).to_be_visible()
        expect(page.locator(".face")).to_contain_text("資料過期")
        expect(page.locator("#say-status")).to_have_text("與控制器失去連線，畫面資料可能已不正確")
        assert not room.axe()
        room.picture("lost-point-zh-night-1920")
        expect(phone.page.locator(".bands .band")).to_contain_text("與控制器失去連線", timeout=20_000)
        assert phone.page.evaluate("document.scrollingElement.scrollWidth") <= 390
        assert not phone.axe()
        phone.picture("lost-electrical-zh-night-390")
        phone.context.set_offline(offline=False)
        room.context.set_offline(offline=False)
        expect(page.locator(".bands .band")).to_contain_text("連線已恢復，中斷", timeout=20_000)
        expect(phone.page.locator(".bands .band")).to_contain_text("連線已恢復，中斷", timeout=20_000)
    expect(page.locator("header.top")).to_contain_text("即時")
    expect(change).to_be_enabled()
    expect(page.locator(".face .number.stale")).to_have_count(0)


def test_socket_closed_by_the_server_is_opened_again_by_itself(building: Building) -> None:
    room = building.room("viewer")
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    room.page.route_web_socket("**/api/v1/stream", pass_on)
    page = room.load("/electrical")
    expect(page.locator("header.top")).to_contain_text("即時")
    assert not room.waiting()
    sockets[0].close(code=1012, reason="restart")
    expect(page.locator("header.top .age")).to_have_text(re.compile("^[01] s$"), timeout=10_000)
    expect(page.locator("header.top")).to_contain_text("即時", timeout=10_000)

    assert len(sockets) == 2
    assert not room.waiting()


def test_nothing_to_do_is_said_and_not_left_blank(building: Building) -> None:
    """An alarm list without alarms: the messages of the stream are let through without what is active just now."""
    room = building.room("viewer")

    def without_alarms(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(
            lambda message: socket.send(
                '{"type":"alarms","items":[]}'
                if isinstance(message, str) and message.startswith('{"type":"alarms"')
                else message
            )
        )

    room.page.route_web_socket("**/api/v1/stream", without_alarms)
    page = room.load("/alarms")

    expect(page.get_by_text("沒有作用中的告警。異常發生時會列在這裡，並顯示在上方橫幅。")).to_be_visible()
    expect(page.get_by_role("region", name="告警橫幅")).to_contain_text("目前無告警")
    room.picture("empty-alarms-zh-night-1920")
    page.get_by_role("searchbox").fill("zzzz")
    expect(page.get_by_text("沒有符合篩選條件的告警。")).to_be_visible()
    page.get_by_role("button", name="清除篩選").click()
    expect(page.get_by_role("searchbox")).to_have_value("")
    assert not room.axe()


def test_failed_request_says_what_and_can_be_tried_again(building: Building) -> None:
    room = building.room("viewer")
    room.load("/")
    page = room.page
    with room.expect("/api/v1/devices/ch1-unit"):
        page.route("**/api/v1/devices/ch1-unit", _broken)
        room.turn("/devices/ch1-unit")
        expect(page.get_by_text("控制器發生錯誤。")).to_be_visible()
        expect(page.get_by_text("the controller made a mistake; incident 5f3a")).to_be_visible()
        expect(page.get_by_text("請重試；持續發生時通知系統管理人員。")).to_be_visible()
        assert not room.axe()
        room.picture("error-device-zh-night-1920")
    page.unroute("**/api/v1/devices/ch1-unit")
    page.get_by_role("button", name="重試").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ch1-unit")


def test_slow_page_shows_a_skeleton_then_words_then_the_page(building: Building) -> None:
    room = building.room("viewer")
    room.load("/")
    page = room.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/v1/devices/ch1-unit", hold)
    room.turn("/devices/ch1-unit")

    expect(page.locator('#content [aria-busy="true"] .skeleton').first).to_be_visible()
    expect(page.locator('#content [aria-busy="true"]')).to_contain_text("載入中", timeout=6_000)
    room.picture("loading-device-zh-night-1920")
    held[0].continue_()
    expect(page.get_by_role("heading", level=1)).to_have_text("ch1-unit")
    expect(page.locator('#content [aria-busy="true"]')).to_have_count(0)


def _broken(route: Route) -> None:
    body = {"title": "Internal Server Error", "status": 500, "detail": "the controller made a mistake; incident 5f3a"}
    route.fulfill(status=500, content_type="application/problem+json", body=json.dumps(body))


def _seconds(text: str) -> int:
    found = re.search(r"畫面為 (\d+) 秒前", text)
    assert found, text
    return int(found.group(1))
