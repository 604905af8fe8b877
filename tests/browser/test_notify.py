"""From a fault at the wire to the acknowledgement on a phone; push in a real service worker; the roster."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Building, Room, messages
from tests.services.city import City, Client, wait_for

SOS = "cityhall.sos.w_05f.pressed#state"
ZH = messages("zh-TW")
PUSHED = {
    "id": "1-1~0~control-room",
    "tag": "t" * 32,
    "kind": "raised",
    "title": "【高】高壓變壓器 TX-3 繞組溫度過高",
    "body": "降載並檢查風扇",
    "lang": "zh-Hant-TW",
    "see": "/duty",
    "acknowledge": "/ack#token=" + "x" * 43,
    "receipt": "r" * 22,
    "stays": True,
    "names": {"acknowledge": "確認", "open": "詳情"},
}


def state_of(client: Client, alarm: str) -> str:
    found = [item for item in client.get("/alarms?limit=1000")["items"] if item["id"] == alarm]
    return str(found[0]["state"]) if found else "normal"


@pytest.fixture
def pressed(city: City, people: Callable[[str], Client]) -> Iterator[Client]:
    """Somebody presses an SOS button: an alarm of life safety. Afterwards it is well and acknowledged."""
    operator = people("operator")
    wait_for(lambda: operator.get("/devices/sos-w-05f")["state"] == "good", 240, "the button never reported")
    city.sim("fault", "set", "sos-w-05f", "pressed", "1")
    try:
        wait_for(lambda: state_of(operator, SOS) == "unacknowledged", 30, "no SOS alarm")
        yield operator
    finally:
        city.sim("fault", "clear", "sos-w-05f")

    def over() -> bool:
        state = state_of(operator, SOS)
        if state in {"unacknowledged", "returned"}:
            operator.post("/alarms/acknowledge", {"ids": [SOS], "comment": "end of the test"})
        return state == "normal"

    wait_for(over, 60, lambda: state_of(operator, SOS))


def phone(building: Building, role: str | None) -> Room:
    return building.room(role, width=390, has_touch=True, is_mobile=True, device_scale_factor=2)


def test_a_fault_is_acknowledged_on_the_phone_and_the_page_says_whom_it_was_told(
    building: Building, pressed: Client
) -> None:
    room = phone(building, "operator")
    page = room.load("/alarms")
    page.get_by_role("link", name=re.compile("緊急求助")).first.click()
    room.settle()
    expect(page.locator("h1")).to_contain_text("緊急求助")
    # Nobody of this city has set up a phone, and the page does not pretend that anybody was told.
    told = page.locator("section", has=page.get_by_role("heading", name=ZH["notify.told"]))
    expect(told.locator('[data-state="failed"]').first).to_be_visible(timeout=15_000)
    expect(told).to_contain_text(ZH["notify.cause.no-phone"])
    assert not room.axe()
    room.picture("notify-alarm-phone")
    page.get_by_label(ZH["alarm.comment"]).fill("guard 2 is on the way")
    page.get_by_role("button", name=ZH["alarm.comment.add"]).click()
    expect(page.locator(".timeline")).to_contain_text("guard 2 is on the way")
    page.locator(".page-head").get_by_role("button", name=ZH["action.acknowledge"], exact=True).click()
    wait_for(lambda: state_of(pressed, SOS) == "acknowledged", 10, lambda: state_of(pressed, SOS))


def acknowledge_link(city: City, client: Client, alarm: str) -> str:
    """Return the path of a link as a message to the operator would carry it: the state database has its hash."""
    occurrence = client.get(f"/alarms/{alarm.replace('#', '%23')}")["occurrence"]
    token, now = secrets.token_urlsafe(32), time.time_ns()
    row = (hashlib.sha256(token.encode()).hexdigest(), "demo-operator", alarm, occurrence, "m", now, now + 3600 * 10**9)
    database = sqlite3.connect(city.folder / "data" / "state.db", timeout=20)
    with database:
        database.execute("INSERT INTO acknowledge_link VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
    database.close()
    return f"/ack#token={token}"


def test_the_link_of_a_message_acknowledges_once_after_a_tap_and_never_by_being_opened(
    building: Building, pressed: Client, city: City
) -> None:
    path = acknowledge_link(city, pressed, SOS)
    for _ in range(2):  # a scanner of mail, then the person
        room = phone(building, None)
        page = room.load(path)
        expect(page.get_by_role("heading", level=2)).to_contain_text("緊急求助")
        assert page.url.endswith("/ack"), "the secret stays in the address"
        assert state_of(pressed, SOS) == "unacknowledged"
    assert not room.axe()
    room.picture("notify-link-phone")
    page.get_by_label(ZH["alarm.link.comment"]).fill("on my way")
    page.get_by_role("button", name=ZH["alarm.link.button"]).tap()
    expect(page.get_by_role("status").filter(has_text=ZH["alarm.link.done"])).to_be_visible()
    assert state_of(pressed, SOS) == "acknowledged"
    assert pressed.get(f"/alarms/{SOS.replace('#', '%23')}")["acknowledged_by"] == "demo-operator"
    again = phone(building, None)
    with again.expect("answer 410", "status of 410"):
        again.page.goto(again.url + path)
        expect(again.page.get_by_role("alert").filter(has_text=ZH["alarm.link.bad"])).to_be_visible()


class Worker:
    """The service worker of a page, and a way to hand it push messages."""

    def __init__(self, room: Room) -> None:
        self.page: Page = room.page
        room.context.grant_permissions(["notifications"], origin=room.url)
        self._origin = room.url
        self._registration = ""
        self._devtools = room.context.new_cdp_session(room.page)
        self._devtools.on("ServiceWorker.workerRegistrationUpdated", self._registered)
        self._devtools.send("ServiceWorker.enable")
        self.page.evaluate(
            "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => 0)"
        )
        wait_for(self._known, 10, "no registration of the service worker")

    def _registered(self, event: Any) -> None:
        for one in event["registrations"]:
            if not one["isDeleted"]:
                self._registration = one["registrationId"]

    def _known(self) -> bool:
        self.page.evaluate("0")
        return bool(self._registration)

    def push(self, data: str) -> None:
        self._devtools.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": self._origin, "registrationId": self._registration, "data": data},
        )

    def shown(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate(
            "navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => "
            "all.map(({ title, body, tag, lang, data }) => ({ title, body, tag, lang, data })))"
        )
        return found


def test_a_push_message_is_shown_and_what_is_over_takes_its_place(building: Building) -> None:
    room = phone(building, "operator")
    room.load("/phone")
    worker = Worker(room)
    worker.push(json.dumps(PUSHED))
    wait_for(worker.shown, 10, "no notification")
    (one,) = worker.shown()
    assert (one["title"], one["tag"], one["lang"]) == (PUSHED["title"], PUSHED["tag"], "zh-Hant-TW")
    assert one["data"] == {"see": "/duty", "acknowledge": PUSHED["acknowledge"]}
    worker.push(json.dumps({**PUSHED, "kind": "cleared", "title": "【已恢復】高壓變壓器 TX-3", "acknowledge": ""}))
    wait_for(
        lambda: [n["title"] for n in worker.shown()] == ["【已恢復】高壓變壓器 TX-3"], 10, lambda: str(worker.shown())
    )
    # Every push shows something, also one that nobody can read.
    worker.push("not json")
    wait_for(lambda: len(worker.shown()) == 2, 10, lambda: str(worker.shown()))


def test_the_worker_keeps_the_shell_and_no_answer_of_the_api(building: Building) -> None:
    room = phone(building, "operator")
    page = room.load("/phone")
    Worker(room)
    room.load("/duty")
    room.load("/alarms")
    kept = page.evaluate(
        "caches.keys().then((names) => Promise.all(names.map((n) => caches.open(n).then((c) => c.keys())))"
        ".then((all) => all.flat().map((r) => new URL(r.url).pathname)))"
    )
    assert "/" in kept
    assert any(path.startswith("/assets/") for path in kept)
    assert not [path for path in kept if path.startswith(("/api", "/healthz", "/readyz", "/metrics"))]
    with room.expect("request failed", "ERR_INTERNET_DISCONNECTED", "WebSocket"):
        room.context.set_offline(True)
        page.reload()
        # The shell is there and says that it does not reach the controller; no value is to be seen.
        expect(page.locator("main")).to_contain_text(ZH["sign-in.unreachable"], timeout=15_000)
        room.context.set_offline(False)


def test_an_installed_application_has_its_manifest_and_icons(building: Building) -> None:
    room = phone(building, None)
    page = room.load("/sign-in")
    sizes = page.evaluate(
        """async () => {
          const manifest = await (await fetch('/manifest.webmanifest')).json();
          return Promise.all(manifest.icons.map(async (icon) => {
            const image = new Image();
            image.src = icon.src;
            await image.decode();
            return [icon.sizes, `${image.naturalWidth}x${image.naturalHeight}`, icon.purpose];
          }));
        }"""
    )
    assert all(said == found for said, found, _ in sizes)
    assert {purpose for _, _, purpose in sizes} == {"any", "maskable"}
    assert page.locator('link[rel="apple-touch-icon"]').count() == 1


def test_a_substitute_put_in_on_the_screen_is_on_duty_at_once(
    building: Building, people: Callable[[str], Client]
) -> None:
    room = building.room("engineer", width=1366)
    page = room.load("/duty")
    card = page.locator('.card[data-duty="security"]')
    expect(card.locator(".who")).to_have_text("駐衛警")
    try:
        page.locator('tr[data-duty="security"]').get_by_role("button", name=ZH["duty.edit"]).click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name=ZH["duty.form.add-substitute"]).click()
        dialog.get_by_label(ZH["duty.form.for"]).select_option("guard")
        dialog.get_by_label(re.compile(f"^{ZH['duty.form.by']}")).select_option("fire-prevention-manager")
        dialog.get_by_label(ZH["duty.form.from"]).last.fill("115/01/01 00:00")
        dialog.get_by_label(ZH["duty.form.to"]).last.fill("116/01/31 00:00")
        dialog.get_by_label(ZH["duty.form.reason"]).fill("教育訓練")
        assert not room.axe("dialog")
        room.picture("notify-roster")
        dialog.get_by_role("button", name=ZH["action.save"]).click()
        expect(card.locator(".who")).to_have_text("防火管理人")
        expect(page.locator('tr[data-duty="security"]')).to_contain_text("教育訓練")
    finally:
        client = people("engineer")
        path = "/duties/security"
        if client.get(path)["change"]:
            client._ask("POST", f"{path}/reset", {"reason": "end of the test"}, {"If-Match": client.etag(path)})
    page = room.load("/duty")
    expect(card.locator(".who")).to_have_text("駐衛警")
