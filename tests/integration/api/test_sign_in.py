"""Signing in and out, links, lock-out, CSRF and Origin, tokens, and what of it is recorded."""

from __future__ import annotations

import asyncio
import logging
import resource
from typing import Any

import pytest
from sqlalchemy import select

from controller.errors import ConflictError
from controller.identity.identity import DEMO_ROLES, Identity, LockedError, SignInError
from controller.identity.permission import Role
from controller.journal import schema

PASSWORD = "four quiet words here"
OTHER = "five other words for now"


async def _as(browser: Any, name: str, password: str = PASSWORD) -> int:
    reply = await browser.sign_in(name, password)
    return int(reply.status_code)


async def test_first_link_makes_the_administrator_once(house: Any) -> None:
    token = await house.identity.first_link()
    first, second = house.browser(), house.browser()
    reply = await first("POST", "/session/link", json={"token": token})
    assert reply.status_code == 200
    assert reply.json()["must_set_password"] is True
    first.csrf = reply.json()["csrf"]
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await second("POST", "/session/link", json={"token": token})).status_code == 401

    # Until the password is set nothing else is possible.
    assert (await first("GET", "/users")).status_code == 403
    refused = await first("POST", "/session/password", json={"new": "administrator1"})
    assert refused.status_code == 422
    reply = await first("POST", "/session/password", json={"new": PASSWORD})
    assert reply.status_code == 200
    first.csrf = reply.json()["csrf"]
    assert (await first("GET", "/users")).status_code == 200
    assert await house.identity.first_link() is None
    assert await _as(house.browser(), "administrator") == 200


async def test_first_link_ends_after_a_day_and_earlier_ones_with_a_new_one(house: Any) -> None:
    old = await house.identity.first_link()
    new = await house.identity.first_link()
    assert (await house.browser()("POST", "/session/link", json={"token": old})).status_code == 401
    house.clock.move(24 * 3600 + 1)
    assert (await house.browser()("POST", "/session/link", json={"token": new})).status_code == 401


async def test_used_link_stays_used_after_a_restart(house: Any) -> None:
    token = await house.identity.first_link()
    assert (await house.browser()("POST", "/session/link", json={"token": token})).status_code == 200
    again = await Identity.open(house.journal, house.clock)
    assert again._links.find(token) is None
    # The administrator has no password yet, so the next start prints another link: nobody is locked out.
    assert await again.first_link() is not None
    again.close()


async def test_a_user_of_the_demo_gets_no_link_for_a_password(demo: Any) -> None:
    name = next(iter(demo.identity.users))

    with pytest.raises(ConflictError, match="no password"):
        await demo.identity.reset_link(name, "local", "local socket")


async def test_demo_links_are_for_each_role_once_and_for_this_machine(demo: Any) -> None:
    links = demo.identity.demo_links()
    assert set(links) == set(DEMO_ROLES)
    for role, token in links.items():
        assert (await demo.browser("10.1.2.3")("POST", "/session/link", json={"token": token})).status_code == 401
        browser = demo.browser()
        reply = await browser("POST", "/session/link", json={"token": token})
        assert reply.status_code == 200
        assert (reply.json()["demo"], reply.json()["user"]["role"]) == (True, role.value)
        assert (await demo.browser()("POST", "/session/link", json={"token": token})).status_code == 401
        # The cookie carried to another machine opens nothing there.
        stranger = demo.browser("10.1.2.3")
        stranger.http.cookies = browser.http.cookies
        assert (await stranger("GET", "/session")).status_code == 401
        assert (await browser("GET", "/session")).status_code == 200


async def test_demo_users_are_gone_without_demo(demo: Any) -> None:
    token = demo.identity.demo_links()[Role.ADMINISTRATOR]
    browser = demo.browser()
    await browser("POST", "/session/link", json={"token": token})
    real = await Identity.open(demo.journal, demo.clock)
    assert all(user.disabled for user in real.users.values())
    assert await real.first_link() is not None
    real.close()


async def test_lock_out_after_five_failures_is_neutral_and_only_for_that_place(house: Any) -> None:
    await house.user(Role.OPERATOR, name="wang")
    attacker, elsewhere = house.browser("10.0.0.66"), house.browser("10.0.0.5")
    unknown = [(await attacker.sign_in("nobody", "wrong wrong wrong")).json()["detail"] for _ in range(4)]
    known = [(await attacker.sign_in("wang", "wrong wrong wrong")).json()["detail"] for _ in range(4)]
    assert unknown == known
    assert await _as(attacker, "wang", "wrong wrong wrong") == 401
    locked = await attacker.sign_in("wang", PASSWORD)
    assert locked.status_code == 429
    assert 0 < int(locked.headers["retry-after"]) <= 900
    assert await _as(elsewhere, "wang") == 200
    house.clock.move(901)
    assert await _as(attacker, "wang") == 200


async def test_a_restart_forgets_no_wrong_password(house: Any) -> None:
    await house.user(Role.OPERATOR, name="wang")
    stranger = house.browser("10.0.0.66")
    for _ in range(5):
        assert await _as(stranger, "wang", "wrong wrong wrong") == 401
    for _ in range(3):
        assert await _as(house.browser("10.0.0.7"), "wang", "wrong wrong wrong") == 401
    assert await _as(house.browser("10.0.0.8"), "wang", "wrong wrong wrong") == 401
    assert await _as(house.browser("10.0.0.8"), "wang") == 200
    await house.journal.commit()

    house.clock.move(300)
    again = await Identity.open(house.journal, house.clock)
    try:
        with pytest.raises(LockedError):
            await again.sign_in("wang", PASSWORD, "10.0.0.66")
        for _ in range(2):
            with pytest.raises(SignInError):
                await again.sign_in("wang", "wrong wrong wrong", "10.0.0.7")
        with pytest.raises(LockedError):
            await again.sign_in("wang", PASSWORD, "10.0.0.7")
        await again.sign_in("wang", PASSWORD, "10.0.0.8")
        house.clock.move(601)
        await again.sign_in("wang", PASSWORD, "10.0.0.66")
    finally:
        again.close()


async def test_changes_need_csrf_and_origin(house: Any) -> None:
    browser = await house.user(Role.OPERATOR)
    body = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25.0, "reason": "warm"}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:8080"},
        {"Origin": "http://127.0.0.1:8081"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 43},
        {"X-CSRF-Token": "é"},
    ):
        sent = {name: value.encode("latin-1") for name, value in headers.items()}
        assert (await browser("POST", "/commands", json=body, headers=sent)).status_code == 403, headers
    csrf = browser.csrf
    missing = await browser.http.post("/api/v1/commands", json=body, headers={"X-CSRF-Token": csrf})
    assert missing.status_code == 403
    assert house.arbiter.recent() == []
    assert (await browser("POST", "/commands", json=body)).status_code == 202


async def test_sign_in_from_a_page_of_another_site_is_refused(house: Any) -> None:
    await house.user(Role.OPERATOR, name="wang")
    reply = await house.browser()(
        "POST",
        "/session",
        json={"username": "wang", "password": PASSWORD},
        headers={"Origin": "http://evil.example"},
    )
    assert reply.status_code == 403


async def test_server_answers_only_to_its_own_names(house: Any) -> None:
    reply = await house.browser().http.get("/api/v1/session", headers={"Host": "evil.example:8080"})
    assert reply.status_code == 421


async def test_session_ends_by_logout_idleness_and_age(house: Any) -> None:
    browser = await house.user(Role.VIEWER, name="wang")
    assert (await browser("DELETE", "/session")).status_code == 204
    assert (await browser("GET", "/session")).status_code == 401

    await browser.sign_in("wang", PASSWORD)
    cookies = dict(browser.http.cookies)
    for _ in range(5):
        house.clock.move(29 * 60)
        assert (await browser("GET", "/session")).status_code == 200
    house.clock.move(30 * 60)
    assert (await browser("GET", "/session")).status_code == 401

    await browser.sign_in("wang", PASSWORD)
    assert dict(browser.http.cookies) != cookies
    for _ in range(12 * 3 - 1):
        house.clock.move(20 * 60)
        # The calendar set back an hour gives no more time.
        house.clock.jump(-3600)
        assert (await browser("GET", "/session")).status_code == 200
    house.clock.move(20 * 60)
    assert (await browser("GET", "/session")).status_code == 401


async def test_session_id_of_a_stranger_is_never_taken(house: Any) -> None:
    await house.user(Role.VIEWER, name="wang")
    browser = house.browser()
    browser.http.cookies.set("shifu", "chosen-by-an-attacker")
    reply = await browser.sign_in("wang", PASSWORD)
    assert "chosen-by-an-attacker" not in reply.headers["set-cookie"]


async def test_password_change_ends_all_sessions_and_remembers_three(house: Any) -> None:
    browser = await house.user(Role.VIEWER, name="wang")
    other = house.browser()
    await other.sign_in("wang", PASSWORD)
    wrong = await browser("POST", "/session/password", json={"current": "not this one at all", "new": OTHER})
    assert wrong.status_code == 401
    reply = await browser("POST", "/session/password", json={"current": PASSWORD, "new": OTHER})
    assert reply.status_code == 200
    browser.csrf = reply.json()["csrf"]
    assert (await other("GET", "/session")).status_code == 401
    assert (await browser("GET", "/session")).status_code == 200
    back = await browser("POST", "/session/password", json={"current": OTHER, "new": PASSWORD})
    assert back.status_code == 422
    assert "last 3" in back.json()["detail"]
    for old, new in ((OTHER, "third password of mine"), ("third password of mine", "fourth password of mine")):
        reply = await browser("POST", "/session/password", json={"current": old, "new": new})
        browser.csrf = reply.json()["csrf"]
    reply = await browser("POST", "/session/password", json={"current": "fourth password of mine", "new": PASSWORD})
    assert reply.status_code == 200


async def test_loss_of_role_ends_sessions_and_needs_the_present_state(house: Any) -> None:
    admin = await house.user(Role.ADMINISTRATOR)
    wang = await house.user(Role.ENGINEER, name="wang")
    etag = (await admin("GET", "/users/wang")).headers["etag"]
    change = {"role": "viewer"}
    assert (await admin("PATCH", "/users/wang", json=change)).status_code == 428
    assert (await admin("PATCH", "/users/wang", json=change, headers={"If-Match": '"old"'})).status_code == 412
    assert (await wang("GET", "/session")).status_code == 200
    assert (await admin("PATCH", "/users/wang", json=change, headers={"If-Match": etag})).status_code == 200
    assert (await wang("GET", "/session")).status_code == 401
    assert (await admin("PATCH", "/users/wang", json=change, headers={"If-Match": etag})).status_code == 412

    etag = (await admin("GET", "/users/wang")).headers["etag"]
    await wang.sign_in("wang", PASSWORD)
    disabled = await admin("PATCH", "/users/wang", json={"disabled": True}, headers={"If-Match": etag})
    assert disabled.status_code == 200
    assert (await wang("GET", "/session")).status_code == 401
    assert await _as(wang, "wang") == 401


async def test_last_administrator_stays(house: Any) -> None:
    admin = await house.user(Role.ADMINISTRATOR, name="one")
    etag = (await admin("GET", "/users/one")).headers["etag"]
    own = await admin("PATCH", "/users/one", json={"role": "viewer"}, headers={"If-Match": etag})
    assert own.status_code == 409
    two = await house.user(Role.ADMINISTRATOR, name="two")
    assert (await two("DELETE", "/users/one", headers={"If-Match": etag})).status_code == 204
    with pytest.raises(Exception, match="last administrator"):
        await house.identity.delete_user("two", "somebody", "")


async def test_token_is_shown_once_has_less_and_ends(house: Any) -> None:
    admin = await house.user(Role.ADMINISTRATOR)
    body = {"name": "report", "permissions": [{"action": "view", "area": "west"}], "expires_s": 3600.0}
    made = (await admin("POST", "/tokens", json=body)).json()
    secret = made["secret"]
    assert secret.startswith("shifu_")
    assert secret not in (await admin("GET", "/tokens")).text
    assert secret.encode() not in b"".join(file.read_bytes() for file in house.path.iterdir())
    program = house.browser("10.9.9.9")
    bearer = {"Authorization": f"Bearer {secret}"}
    seen = (await program("GET", "/points", headers=bearer)).json()["items"]
    assert {point["equipment"] for point in seen} == {"hall.hvac.ahu1"}
    assert (await program("GET", "/users", headers=bearer)).status_code == 403
    command = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25.0, "reason": "x"}
    assert (await program("POST", "/commands", json=command, headers=bearer)).status_code == 403
    house.clock.move(3600)
    assert (await program("GET", "/points", headers=bearer)).status_code == 401

    await admin.sign_in("u.administrator", PASSWORD)
    body["permissions"] = [{"action": "safety", "area": "*"}]
    assert (await admin("POST", "/tokens", json=body)).status_code == 422
    body["permissions"] = [{"action": "manage_users", "area": "*"}]
    assert (await admin("POST", "/tokens", json=body)).status_code == 422

    body["permissions"] = [{"action": action, "area": "west"} for action in ("command", "view")]
    assert (await admin("POST", "/tokens", json=body)).status_code == 422, "who administers runs no plant"
    assert (await admin("POST", "/tokens", json={**body, "user": "nobody"})).status_code == 404
    operator = await house.user(Role.OPERATOR, areas=("west",))
    made = (await admin("POST", "/tokens", json={**body, "user": "u.operator", "expires_s": None})).json()
    assert made["token"]["user"] == "u.operator"
    assert (await operator("POST", "/tokens", json=body)).status_code == 403
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    accepted = await program("POST", "/commands", json=command, headers=bearer)
    assert accepted.status_code == 202
    assert accepted.json()["owner"] == f"u.operator/token:{made['token']['id']}"
    assert (await admin("DELETE", f"/tokens/{made['token']['id']}")).status_code == 204
    assert (await program("GET", "/session", headers=bearer)).status_code == 401


async def test_audit_has_each_sign_in_and_change_and_is_whole(house: Any) -> None:
    admin = await house.user(Role.ADMINISTRATOR, name="boss")
    engineer = await house.user(Role.ENGINEER, name="lin")
    alarm = house.raise_alarm()
    await house.browser("10.0.0.66").sign_in("boss", "wrong wrong wrong")
    await engineer("POST", "/alarms/acknowledge", json={"ids": [alarm], "comment": "on my way"})
    await engineer("POST", f"/alarms/{alarm.replace('#', '%23')}/comment", json={"comment": "fan stuck"})
    await engineer(
        "POST", "/commands", json={"point": "hall.hvac.ahu1.zone_temp_sp", "value": 99.0, "reason": "too hot"}
    )
    etag = (await admin("GET", "/points/hall.electrical.tx1.winding_temp_a/limits")).headers["etag"]
    limits = {"high_high": 150.0, "high": 120.0, "low": None, "low_low": None, "reason": "summer"}
    changed = await admin(
        "PUT", "/points/hall.electrical.tx1.winding_temp_a/limits", json=limits, headers={"If-Match": etag}
    )
    assert changed.status_code == 200
    await admin("POST", "/users", json={"name": "chen", "display_name": "陳", "role": "viewer", "areas": ["west"]})
    await admin("DELETE", "/session")
    await admin.sign_in("boss", PASSWORD)
    items = (await admin("GET", "/audit")).json()["items"]
    seen = [(item["action"], item["outcome"], item["actor"]) for item in reversed(items)]
    for line in (
        ("sign_in", "failed", "boss"),
        ("alarm_acknowledge", "requested", "lin"),
        ("alarm_acknowledge", "done", "lin"),
        ("alarm_comment", "done", "lin"),
        ("command", "requested", "lin"),
        ("command", "refused", "lin"),
        ("limit_change", "requested", "boss"),
        ("limit_change", "done", "boss"),
        ("user_create", "done", "boss"),
        ("sign_out", "done", "boss"),
    ):
        assert line in seen, seen
    assert [item["client"] for item in items if item["outcome"] == "failed"] == ["10.0.0.66"]
    report = (await admin("GET", "/audit/verify")).json()
    assert report["whole"] is True
    assert report["entries"] == len(items)
    assert PASSWORD not in str(items)


async def test_log_and_database_have_no_secret(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = await house.identity.first_link()
    browser = house.browser()
    reply = await browser("POST", "/session/link", json={"token": link})
    browser.csrf = reply.json()["csrf"]
    await browser("POST", "/session/password", json={"new": PASSWORD})
    await browser.sign_in("administrator", "a wrong secret word")
    await browser.sign_in("administrator", PASSWORD)
    cookie = browser.http.cookies["shifu"]
    await browser("POST", "/session/link", json={"token": [link]})
    await house.journal.commit()
    stored = b"".join(file.read_bytes() for file in house.path.iterdir() if file.is_file())
    for secret in (link, PASSWORD, "a wrong secret word", cookie):
        assert secret not in caplog.text
        assert secret.encode() not in stored


async def test_changes_are_refused_while_the_journal_is_broken(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, engineer = await house.user(Role.ADMINISTRATOR), await house.user(Role.ENGINEER)
    alarm = house.raise_alarm()
    monkeypatch.setattr(type(house.journal), "healthy", property(lambda _: False))
    for method, path, body in (
        ("POST", "/commands", {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25.0, "reason": "x"}),
        ("POST", "/alarms/acknowledge", {"ids": [alarm]}),
        ("POST", "/users", {"name": "chen", "display_name": "陳", "role": "viewer"}),
        ("POST", "/tokens", {"name": "t", "permissions": [{"action": "view", "area": "*"}]}),
    ):
        reply = await (admin if path in {"/users", "/tokens"} else engineer)(method, path, json=body)
        assert reply.status_code == 503, path
        assert "changes are refused" in reply.json()["detail"]
    assert (await admin("GET", "/alarms")).status_code == 200
    assert (await admin("GET", "/readyz")).status_code == 503
    assert house.arbiter.recent() == []


async def test_sessions_tokens_and_rights_are_the_same_after_a_restart(house: Any, opener: Any) -> None:
    open_house, close_house = opener
    admin, viewer = await house.user(Role.ADMINISTRATOR), await house.user(Role.VIEWER, areas=("west",))
    gone, idle = await house.user(Role.VIEWER, name="gone"), await house.user(Role.VIEWER, name="idle")
    await gone("DELETE", "/session")
    body = {"name": "t", "permissions": [{"action": "view", "area": "*"}], "expires_s": 3600.0}
    made = [(await admin("POST", "/tokens", json=body)).json() for _ in range(2)]
    assert (await admin("DELETE", f"/tokens/{made[1]['token']['id']}")).status_code == 204
    house.clock.move(20 * 60)
    for browser in (admin, viewer):
        assert (await browser("GET", "/session")).status_code == 200
    attacker = house.browser("10.0.0.66")
    for _ in range(5):
        await attacker.sign_in("u.viewer", "wrong wrong wrong")
    assert (await attacker.sign_in("u.viewer", PASSWORD)).status_code == 429
    await house.journal.commit()

    # The power fails: nothing is closed in order.
    copied = house.path / "copy"
    copied.mkdir()
    for name in ("state.db", "state.db-wal"):
        (copied / name).write_bytes((house.path / name).read_bytes())
    again = await open_house(copied, start_ns=house.clock.now_ns() + 15 * 60 * 10**9)
    for before, status in ((admin, 200), (viewer, 200), (gone, 401), (idle, 401)):
        after = again.browser()
        after.http.cookies = before.http.cookies
        after.csrf = before.csrf
        assert (await after("GET", "/session")).status_code == status
        if before is viewer:
            assert [item["id"] for item in (await after("GET", "/devices")).json()["items"]] == ["dev-ahu1"]
        if before is admin:
            assert (
                await after("POST", "/users", json={"name": "new", "display_name": "N", "role": "viewer"})
            ).is_success
    program = again.browser()
    for token, status in zip(made, (200, 401), strict=True):
        bearer = {"Authorization": f"Bearer {token['secret']}"}
        assert (await program("GET", "/points", headers=bearer)).status_code == status
    # The counts of failures are in memory: a restart is not in the hands of who tries passwords, and the audit has all.
    audit = await again.journal.fetch(
        select(schema.audit_entry.c.reason).where(schema.audit_entry.c.action == "sign_in")
    )
    assert [row.reason for row in audit if row.reason] == ["locked after this failure", "locked"]
    await close_house(again)


async def test_a_really_full_disk_refuses_changes_shows_alarms_and_heals(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    command = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25.0, "reason": "x"}
    assert (await engineer("POST", "/commands", json=command)).status_code == 202
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file of this process may grow beyond what the database's log has already: a write fails as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, ((house.path / "state.db-wal").stat().st_size // 2, hard))
    try:
        refused = await engineer("POST", "/commands", json={**command, "value": 26.0})
        assert refused.status_code == 503, refused.text
        alarm = house.raise_alarm()
        assert [item["id"] for item in (await engineer("GET", "/alarms")).json()["items"]] == [alarm]
        for path, body in (("/alarms/acknowledge", {"ids": [alarm]}), ("/commands", {**command, "value": 27.0})):
            reply = await engineer("POST", path, json=body)
            assert reply.status_code == 503
            assert "changes are refused" in reply.json()["detail"]
        ready = await engineer("GET", "/readyz")
        assert (ready.status_code, ready.json()["checks"]["journal"]) == (503, False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    async with asyncio.timeout(10):
        while not house.journal.healthy:
            house.journal._flush_inline()
            await asyncio.sleep(0.01)
    assert (await engineer("POST", "/alarms/acknowledge", json={"ids": [alarm]})).status_code == 200
    rows = await house.journal.fetch(select(schema.alarm_entry.c.event).order_by(schema.alarm_entry.c.id))
    assert [row.event for row in rows] == ["raised", "acknowledged"], "the alarm of the incident is in the journal too"
    assert (await engineer("GET", "/points/hall.hvac.ahu1.zone_temp_sp/slots")).json()["present"] == 25.0
    assert (await house.journal.verify_audit()).whole
