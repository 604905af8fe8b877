"""Duty roster, messages, phones and acknowledge links over the API."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controller.api.render import parse_time
from controller.identity.permission import Role
from controller.notify.link import digest
from tests.services.hall import build_notify
from tests.services.receiver import Post, WebReceiver

SHIFT = {"days": ["every"], "from": "00:00", "to": "00:00", "contacts": ["room"]}
ROSTER = {"shifts": [SHIFT], "substitutes": [], "reason": "調整班表"}


def substitute(by: str, start: str, end: str) -> dict[str, Any]:
    return {"contact": "room", "by": by, "from": f"{start}T00:00Z", "to": f"{end}T00:00Z"}


ALARM = "hall.electrical.tx1.winding_temp_a#high"


@dataclass
class Phone:
    """A browser's side of a push subscription: keys of its own, with which it reads what came."""

    endpoint: str
    label: str = "Pixel"
    secret: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    def body(self) -> dict[str, Any]:
        """Return what `PushSubscription.toJSON` says."""
        point = self.secret.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": point, "auth": self.auth}
        coded = {name: base64.urlsafe_b64encode(value).rstrip(b"=").decode() for name, value in keys.items()}
        return {"endpoint": self.endpoint, "keys": coded, "label": self.label}

    def read(self, post: Post) -> Any:
        """Decrypt a message (RFC 8291)."""
        plain = http_ece.decrypt(
            post.body, private_key=self.secret, auth_secret=self.auth, version=post.headers["Content-Encoding"]
        )
        return json.loads(plain)


def subscription(endpoint: str) -> dict[str, Any]:
    return Phone(endpoint).body()


def link(house: Any, user: str, alarm: str = ALARM, occurrence: str = "") -> str:
    found = occurrence or house.runtime.alarms.get(alarm).state.occurrence
    return str(house.runtime.notify.desk.links.make(user, alarm, found, "m-1"))


# -- rosters ---------------------------------------------------------------------------------------------------------


async def test_the_roster_of_a_week_names_roles_and_no_address(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    reply = (await viewer("GET", "/duties")).json()
    (plant,) = reply["duties"]
    assert plant["now"] == ["room"]  # 2026-01-01 is a holiday
    assert [(day["type"], day["workday"], day["published"]) for day in reply["days"][:2]] == [
        ("holiday", False, True),
        ("fri", True, True),
    ]
    (later,) = (await viewer("GET", "/duties?start=2027-02-06T00:00:00Z&days=1")).json()["days"]
    assert (later["date"], later["type"], later["published"]) == ("2027-02-06", "holiday", False), "of the Act alone"
    assert [span["contacts"] for span in plant["spans"]][:3] == [["room"], ["engineer"], ["room"]]
    assert {item["id"]: item["ways"] for item in reply["contacts"]} == {
        "room": ["push", "webhook", "mail"],
        "engineer": ["webhook", "mail"],
    }
    assert "secret-box" not in str(reply)


async def test_a_changed_roster_has_effect_at_once_and_is_audited(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    read = await engineer("GET", "/duties/plant")
    assert (await engineer("PUT", "/duties/plant", json=ROSTER)).status_code == 428
    changed = await engineer("PUT", "/duties/plant", json=ROSTER, headers={"If-Match": read.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["now"] == ["room"]
    assert changed.json()["change"]["reason"] == "調整班表"
    again = await engineer("PUT", "/duties/plant", json=ROSTER, headers={"If-Match": read.headers["etag"]})
    assert again.status_code == 412
    etag = {"If-Match": changed.headers["etag"]}
    reset = await engineer("POST", "/duties/plant/reset", json={"reason": "恢復"}, headers=etag)
    assert (reset.status_code, reset.json()["change"]) == (200, None)
    admin = await house.user(Role.ADMINISTRATOR)
    audit = (await admin("GET", "/audit", params={"action": "roster_change"})).json()["items"]
    assert [row["outcome"] for row in audit].count("done") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"shifts": [{**SHIFT, "contacts": ["nobody"]}]},
        {"shifts": [{**SHIFT, "from": "24:00"}]},
        {"shifts": [{**SHIFT, "days": ["someday"]}]},
        {"shifts": [{**SHIFT, "days": []}]},
        {"substitutes": [{"contact": "room", "by": "room", "from": "2026-01-02T00:00Z", "to": "2026-01-03T00:00Z"}]},
        {
            "substitutes": [
                {"contact": "room", "by": "engineer", "from": "2026-01-03T00:00Z", "to": "2026-01-02T00:00Z"}
            ]
        },
        {
            "substitutes": [
                {"contact": "room", "by": "engineer", "from": "2026-01-02T00:00Z", "to": "2028-01-02T00:00Z"}
            ]
        },
        {"reason": ""},
        {"extra": 1},
    ],
)
async def test_a_roster_that_cannot_be_is_refused_and_changes_nothing(house: Any, changes: dict[str, Any]) -> None:
    engineer = await house.user(Role.ENGINEER)
    read = await engineer("GET", "/duties/plant")
    body = {**ROSTER, **changes}
    reply = await engineer("PUT", "/duties/plant", json=body, headers={"If-Match": read.headers["etag"]})
    assert reply.status_code == 422
    assert (await engineer("GET", "/duties/plant")).json() == read.json()


async def test_the_roster_belongs_to_the_whole_house(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER, areas=("west",))
    read = await engineer("GET", "/duties/plant")
    reply = await engineer("PUT", "/duties/plant", json=ROSTER, headers={"If-Match": read.headers["etag"]})
    assert reply.status_code == 403


# -- messages and channels -------------------------------------------------------------------------------------------


async def settle(house: Any) -> None:
    """Have one look and wait for what it began."""
    dispatcher = house.runtime.notify.desk.dispatcher
    dispatcher._look()
    await asyncio.gather(*dispatcher._tasks)


async def test_an_alarm_is_told_and_the_log_says_by_which_way(house: Any) -> None:
    with WebReceiver() as web:
        house.notify = build_notify(f"{web.url}/hook/secretpath")
        desk = house.runtime.notify.desk
        await desk.start()
        house.raise_alarm()
        desk.notifier.tell([house.runtime.alarms.get(ALARM)])
        await settle(house)  # push: nobody has a phone
        await settle(house)
    (post,) = web.posts
    assert "繞組溫度過高" in post.json["title"]
    viewer = await house.user(Role.VIEWER)
    (item,) = (await viewer("GET", "/notifications")).json()["items"]
    assert (item["state"], item["channel"], item["contact"], item["alarm"]) == ("sent", "hook", "room", ALARM)
    assert [(step["state"], step["channel"]) for step in item["history"]] == [
        ("sending", "phone"), ("queued", "phone"), ("sending", "hook"), ("sent", "hook"),
    ]  # fmt: skip
    assert "secretpath" not in str(item)
    west = await house.user(Role.VIEWER, name="west", areas=("west",))
    assert (await west("GET", "/notifications")).json()["items"] == []
    assert (await viewer("GET", "/notifications", params={"state": "failed"})).json()["items"] == []
    assert len((await viewer("GET", "/notifications", params={"alarm": ALARM})).json()["items"]) == 1


async def test_channels_say_what_is_not_set_up(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    reply = (await viewer("GET", "/notification-channels")).json()
    assert {item["id"]: item["ready"] for item in reply["items"]} == {"phone": True, "hook": True, "mail": False}
    assert "secret-box" not in str(reply)


async def test_a_channel_is_tested_and_its_trouble_is_an_alarm_until_a_test_succeeds(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    desk = house.runtime.notify.desk
    reply = await engineer("POST", "/notification-channels/hook/test", json={"contact": "room"})
    assert (reply.status_code, reply.json()["state"]) == (200, "failed")
    assert "hook" in desk.trouble()
    with WebReceiver() as web:
        house.notify = build_notify(f"{web.url}/hook")
        reply = await engineer("POST", "/notification-channels/hook/test", json={"contact": "room"})
    assert reply.json() == {"state": "sent", "text": ""}
    assert "測試通知" in web.posts[0].json["title"]
    assert desk.trouble() == ""
    # No phone and a relay that is not there: each is tested alone, and with the last way the contact is lost.
    house.notify = build_notify("http://127.0.0.1:1/hook")
    for channel in ("phone", "hook"):
        assert "contact room" not in desk.trouble()
        await engineer("POST", f"/notification-channels/{channel}/test", json={"contact": "room"})
    assert "contact room is reached by no way" in desk.trouble()
    with WebReceiver() as web:
        house.notify = build_notify(f"{web.url}/hook")
        await engineer("POST", "/notification-channels/hook/test", json={"contact": "room"})
    assert desk.trouble() == ""
    for contact, channel, status in (("nobody", "hook", 404), ("engineer", "phone", 404), ("room", "nowhere", 404)):
        reply = await engineer("POST", f"/notification-channels/{channel}/test", json={"contact": contact})
        assert reply.status_code == status
    local = await house.user(Role.ENGINEER, name="local", areas=("west",))
    reply = await local("POST", "/notification-channels/hook/test", json={"contact": "room"})
    assert reply.status_code == 403


# -- phones ----------------------------------------------------------------------------------------------------------


async def test_a_phone_gets_an_encrypted_test_and_says_that_it_came(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    with WebReceiver() as web:
        mine = Phone(f"{web.url}/push/1")
        made = await operator("POST", "/phone/subscriptions", json=mine.body())
        assert made.status_code == 201
        assert (await operator("POST", "/phone/test")).json() == {"state": "sent", "text": ""}
    (post,) = web.posts
    assert post.headers["Authorization"].startswith("vapid ")
    assert [post.headers[name] for name in ("Urgency", "TTL", "Content-Encoding")] == ["normal", "14400", "aes128gcm"]
    said = mine.read(post)
    assert (said["title"], said["lang"], said["kind"]) == ("測試通知", "zh-Hant-TW", "test")
    phone = (await operator("GET", "/phone")).json()["items"][0]
    assert phone["sent_at"]
    assert phone["received_at"] is None
    assert "endpoint" not in phone
    nobody = house.browser()
    assert (await nobody("POST", "/phone/receipts", json={"receipt": "x" * 22})).status_code == 204
    assert (await operator("GET", "/phone")).json()["items"][0]["received_at"] is None
    assert (await nobody("POST", "/phone/receipts", json={"receipt": said["receipt"]})).status_code == 204
    assert (await operator("GET", "/phone")).json()["items"][0]["received_at"]
    assert (await operator("POST", "/phone/test")).status_code == 429


async def test_an_alarm_on_a_phone_can_be_acknowledged_by_its_link(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    await operator("PUT", "/phone/language", json={"language": "en"})
    west = await house.user(Role.OPERATOR, name="west", areas=("west",))
    desk = house.runtime.notify.desk
    await desk.start()
    with WebReceiver() as web:
        mine, other = Phone(f"{web.url}/push/1"), Phone(f"{web.url}/push/2")
        await operator("POST", "/phone/subscriptions", json=mine.body())
        await west("POST", "/phone/subscriptions", json=other.body())
        house.raise_alarm()
        desk.notifier.tell([house.runtime.alarms.get(ALARM)])
        await settle(house)
    # The alarm is not for the eyes of the other one.
    (post,) = web.posts
    said = mine.read(post)
    assert (post.path, said["title"]) == ("/push/1", "【High】hall.electrical.tx1 Winding temperature high")
    assert said["see"] == f"/alarms/{quote(ALARM, safe='')}"
    assert post.headers["Topic"] == said["tag"]
    token = said["acknowledge"].removeprefix("/ack#token=")
    used = await house.browser()("POST", "/acknowledge-links/use", json={"token": token})
    assert (used.status_code, used.json()["alarm"]["acknowledged_by"]) == (200, "u.operator")


async def test_a_subscription_that_is_over_loses_its_keys_and_the_person_is_told(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    with WebReceiver(status=410) as web:
        await operator("POST", "/phone/subscriptions", json=subscription(f"{web.url}/push/1"))
        reply = (await operator("POST", "/phone/test")).json()
    assert (reply["state"], reply["text"]) == ("refused", "the phone's subscription is over")
    (phone,) = (await operator("GET", "/phone")).json()["items"]
    assert phone["gone_at"]
    assert await house.runtime.notify.desk.phones.of(["u.operator"]) == []
    assert (await operator("DELETE", f"/phone/subscriptions/{phone['id']}")).status_code == 204
    assert (await operator("GET", "/phone")).json()["items"] == []


async def test_forged_subscriptions_are_refused(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    good = subscription("https://fcm.googleapis.com/fcm/send/1")
    for wrong in (
        {"endpoint": "https://10.1.2.3/x"},
        {"endpoint": "http://fcm.googleapis.com/x"},
        {"endpoint": "https://fcm.googleapis.com/" + "x" * 1000},
        {"keys": {"p256dh": "no", "auth": good["keys"]["auth"]}},
        {"label": "x" * 81},
        {"label": "\u202e"},
    ):
        reply = await operator("POST", "/phone/subscriptions", json={**good, **wrong})
        assert reply.status_code == 422, wrong
    assert (await operator("GET", "/phone")).json()["items"] == []


async def test_nobody_takes_anothers_phone_away(house: Any) -> None:
    operator, guard = await house.user(Role.OPERATOR), await house.user(Role.GUARD)
    made = await operator("POST", "/phone/subscriptions", json=subscription("https://fcm.googleapis.com/fcm/send/1"))
    assert (await guard("DELETE", f"/phone/subscriptions/{made.json()['id']}")).status_code == 404
    assert (await guard("GET", "/phone")).json()["items"] == []
    for number in range(2, 11):
        endpoint = f"https://fcm.googleapis.com/fcm/send/{number}"
        assert (await operator("POST", "/phone/subscriptions", json=subscription(endpoint))).status_code == 201
    eleventh = subscription("https://fcm.googleapis.com/fcm/send/11")
    assert (await operator("POST", "/phone/subscriptions", json=eleventh)).status_code == 409


async def test_who_is_deleted_gets_no_more_messages(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    await operator("POST", "/phone/subscriptions", json=subscription("https://fcm.googleapis.com/fcm/send/1"))
    await house.identity.delete_user("u.operator", "test", "127.0.0.1")
    assert await house.runtime.notify.desk.phones.all_of("u.operator") == []


async def test_the_language_is_the_persons_own(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    assert (await operator("GET", "/phone")).json()["language"] is None
    assert (await operator("PUT", "/phone/language", json={"language": "en"})).status_code == 200
    reply = (await operator("GET", "/phone")).json()
    assert (reply["language"], reply["contacts"], reply["available"]) == ("en", ["room"], True)
    assert len(base64.urlsafe_b64decode(reply["public_key"] + "=")) == 65
    assert (await operator("PUT", "/phone/language", json={"language": "fr"})).status_code == 422


async def test_a_token_has_no_phone(house: Any) -> None:
    operator = await house.user(Role.OPERATOR)
    admin = await house.user(Role.ADMINISTRATOR)
    made = await admin("POST", "/tokens", json={
        "name": "t", "user": "u.operator", "permissions": [{"action": "view", "area": "*"}], "expires_s": 600,
    })  # fmt: skip
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert (await house.browser()("GET", "/phone", headers=headers)).status_code == 409
    assert operator


# -- acknowledge links -----------------------------------------------------------------------------------------------


async def test_a_link_acknowledges_once_and_looking_does_not(house: Any) -> None:
    await house.user(Role.OPERATOR)
    house.raise_alarm()
    body, visitor = {"token": link(house, "u.operator")}, house.browser()
    for _ in range(3):
        looked = await visitor("POST", "/acknowledge-links/look", json=body)
        assert (looked.status_code, looked.json()["current"]) == (200, True)
    assert house.runtime.alarms.get(ALARM).state.state == "unacknowledged"
    used = await visitor("POST", "/acknowledge-links/use", json={**body, "comment": "前往查看"})
    assert (used.status_code, used.json()["alarm"]["state"]) == (200, "acknowledged")
    state = house.runtime.alarms.get(ALARM).state
    assert (state.acknowledged_by, state.comment) == ("u.operator", "前往查看")
    for path in ("look", "use"):
        assert (await visitor("POST", f"/acknowledge-links/{path}", json=body)).status_code == 410
    admin = await house.user(Role.ADMINISTRATOR)
    (done,) = [
        row
        for row in (await admin("GET", "/audit", params={"action": "alarm_acknowledge"})).json()["items"]
        if row["outcome"] == "done"
    ]
    assert (done["actor"], done["reason"]) == ("u.operator", "前往查看")


async def test_a_link_has_the_rights_of_its_person_now(house: Any) -> None:
    await house.user(Role.VIEWER)
    await house.user(Role.OPERATOR, areas=("west",))
    await house.user(Role.GUARD)
    house.raise_alarm()
    visitor = house.browser()
    for user, look, use in (("u.viewer", 200, 403), ("u.operator", 403, 403)):
        body = {"token": link(house, user)}
        assert (await visitor("POST", "/acknowledge-links/look", json=body)).status_code == look
        assert (await visitor("POST", "/acknowledge-links/use", json=body)).status_code == use
    body = {"token": link(house, "u.guard")}
    await house.identity.change_user("u.guard", {"disabled": True}, "test", "127.0.0.1")
    assert (await visitor("POST", "/acknowledge-links/use", json=body)).status_code == 410
    assert house.runtime.alarms.get(ALARM).state.state == "unacknowledged"


async def test_a_link_is_for_one_occurrence_and_for_twelve_hours(house: Any) -> None:
    await house.user(Role.OPERATOR)
    house.raise_alarm()
    visitor = house.browser()
    old = {"token": link(house, "u.operator", occurrence="earlier-1")}
    looked = await visitor("POST", "/acknowledge-links/look", json=old)
    assert (looked.status_code, looked.json()["current"]) == (200, False)
    assert (await visitor("POST", "/acknowledge-links/use", json=old)).status_code == 409
    body = {"token": link(house, "u.operator")}
    house.clock.move(12 * 3600 + 1)
    assert (await visitor("POST", "/acknowledge-links/use", json=body)).status_code == 410
    assert (await visitor("POST", "/acknowledge-links/use", json={"token": "x" * 43})).status_code == 410
    assert (await visitor("POST", "/acknowledge-links/use", json={"token": "x"})).status_code == 422


async def test_a_link_is_not_followed_from_anothers_page_and_kept_as_a_hash(house: Any) -> None:
    await house.user(Role.OPERATOR)
    house.raise_alarm()
    token = link(house, "u.operator")
    headers = {"Origin": "https://elsewhere.example"}
    reply = await house.browser()("POST", "/acknowledge-links/use", json={"token": token}, headers=headers)
    assert reply.status_code == 403
    await house.journal.commit()
    data = b"".join(path.read_bytes() for path in house.path.glob("state.db*"))
    assert token.encode() not in data
    assert digest(token).encode() in data


async def test_two_who_use_a_link_at_once_use_it_once(house: Any) -> None:
    await house.user(Role.OPERATOR)
    house.raise_alarm()
    body, visitor = {"token": link(house, "u.operator")}, house.browser()
    replies = await asyncio.gather(*(visitor("POST", "/acknowledge-links/use", json=body) for _ in range(5)))
    assert min(reply.status_code for reply in replies) == 200
    assert [reply.status_code for reply in replies].count(200) == 1


async def test_times_are_those_of_the_house(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    spans = (await viewer("GET", "/duties", params={"days": 2})).json()["duties"][0]["spans"]
    assert parse_time(spans[-1]["end"], "end") - parse_time(spans[0]["start"], "start") == 2 * 86_400 * 10**9
    assert spans[0]["start"] == "2025-12-31T16:00:00.000Z"
