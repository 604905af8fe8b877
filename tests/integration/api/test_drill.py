"""A drill over the API: two people start it, everybody sees it, wardens count it, and its report is a PDF."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from controller.api.drill_shape import DrillReply, TicksReply
from controller.drill.signal import Signal
from controller.identity.permission import Role
from controller.journal.schema import audit_entry, drill_tick
from controller.notify.plan import Target
from controller.point.model import Name

END = "2026-01-01T09:00:00+08:00"
"""The clock of the house begins at 08:00 in Taipei."""
FIRE = Signal("fire", "hall.fire.zone01.state", Name("火警", "fire alarm"), place=Name("分區", "zone"), area="west")


@dataclass
class People:
    officer: Any
    duty: Any
    warden: Any
    viewer: Any


@pytest.fixture
async def people(house: Any) -> People:
    return People(
        Checked(await house.user(Role.SAFETY_OFFICER)),
        Checked(await house.user(Role.OPERATOR)),
        Checked(await house.user(Role.WARDEN, areas=("west",))),
        Checked(await house.user(Role.VIEWER)),
    )


class Checked:
    """A browser whose every good answer of a change fits its model."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.http = browser.http

    async def __call__(self, method: str, path: str, **more: Any) -> Any:
        reply = await self.browser(method, path, **more)
        if method == "POST" and reply.is_success:
            (TicksReply if path.endswith("/muster") else DrillReply).model_validate_json(reply.content)
        return reply


async def plan(people: People, **more: Any) -> Any:
    body = {"scenario": "tea", "level": "simulated", "end": END, **more}
    return await people.officer("POST", "/drills", json=body)


async def begin(people: People) -> str:
    id_ = str((await plan(people)).json()["id"])
    assert (await people.officer("POST", f"/drills/{id_}/request")).status_code == 200
    reply = await people.duty("POST", f"/drills/{id_}/confirm")
    assert (reply.status_code, reply.json()["phase"]) == (200, "running"), reply.text
    return id_


def tick(key: str, at: int, **more: Any) -> dict[str, Any]:
    row = {"key": key, "kind": "person", "at": at, "area": "west", "floor": "1F", "person": "p-1"}
    return {**row, "status": "accounted", **more}


async def test_a_drill_from_the_plan_to_its_report(house: Any, people: People) -> None:
    id_ = await begin(people)
    house.runtime.drills.turn()
    current = (await people.viewer("GET", "/drills/current")).json()
    assert current["drill"]["values"] == [{"point": "hall.hvac.ahu1.mode", "value": 1.0}]
    value = (await people.viewer("GET", "/values?points=hall.hvac.ahu1.mode")).json()["items"][0]
    assert value["value"] is None, "the present value of the point is not touched"

    answered = await people.duty("POST", f"/drills/{id_}/injects/detector/answer", json={"note": "119"})
    assert answered.json()["injects"][0]["answered_by"] == "u.operator"
    assert (await people.officer("POST", f"/drills/{id_}/injects/smoke/give")).status_code == 200
    assert (
        await people.duty("POST", f"/drills/{id_}/notes", json={"note": "=1+1 <b>門</b> #heading"})
    ).status_code == 200
    house.clock.move(100)
    assert (await people.duty("GET", f"/drills/{id_}/report")).status_code == 409
    done = await people.officer("POST", f"/drills/{id_}/stand-down", json={"reason": "目標達成"})
    assert (done.json()["phase"], done.json()["cause"], done.json()["elapsed_s"]) == ("stood_down", "stood_down", 100.0)
    assert (await people.officer("POST", f"/drills/{id_}/restore", json={"steps": []})).status_code == 409
    assert (await people.officer("POST", f"/drills/{id_}/restore", json={"steps": ["told"]})).status_code == 200
    draft = await people.viewer("GET", f"/drills/{id_}/report?language=en")
    closed = await people.officer("POST", f"/drills/{id_}/report", json={"conclusion": "改善列管"})
    assert closed.json()["phase"] == "reported"
    final = await people.viewer("GET", f"/drills/{id_}/report")
    for reply in (draft, final):
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"] == "application/pdf"
        assert reply.content.startswith(b"%PDF-")

    listed = (await people.viewer("GET", "/drills")).json()["items"]
    assert [(one["id"], one["phase"]) for one in listed] == [(id_, "reported")]
    record = (await people.viewer("GET", f"/drills/{id_}/entries")).json()["items"]
    assert [one["kind"] for one in reversed(record)] == [
        "planned", "requested", "started", "inject", "answer", "inject", "note", "ended", "restored", "reported",
    ]  # fmt: skip
    assert all(one["text"]["zh"].startswith("演練 DRILL ") for one in record)
    audit = await house.journal.fetch(select(audit_entry.c.action, audit_entry.c.actor, audit_entry.c.outcome))
    assert ("drill_confirm", "u.operator", "done") in [tuple(row) for row in audit]
    assert (await people.viewer("GET", "/drills/current")).json()["drill"] is None


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"end": "2026-01-01T07:59:00+08:00"}, 422, "lies in the past"),
        ({"end": ""}, 422, "end"),
        ({"scenario": "none"}, 404, "The files have tea"),
        ({"level": "live"}, 422, "level"),
        ({"end": None}, 422, "end"),
        ({"more": 1}, 422, "more"),
    ],
)
async def test_a_plan_that_cannot_be_is_refused_in_a_sentence(
    people: People, more: dict[str, Any], status: int, said: str
) -> None:
    reply = await plan(people, **more)
    assert reply.status_code == status, reply.text
    assert said in reply.text
    assert (await people.viewer("GET", "/drills")).json()["items"] == []


async def test_a_drill_whose_point_is_gone_since_it_was_planned_does_not_begin(house: Any, people: People) -> None:
    id_ = (await plan(people)).json()["id"]
    points = {key: point for key, point in house.site.points.items() if key != "hall.hvac.ahu1.mode"}
    whole, house.site = house.site, replace(house.site, points=points)
    reply = await people.officer("POST", f"/drills/{id_}/request")
    said = reply.json()
    assert (reply.status_code, said["detail"], said["what_to_do"]) == (
        422,
        "inject 'detector' plays with hall.hvac.ahu1.mode, which this site has not got",
        "Cancel the drill and plan it again.",
    )
    assert (await people.viewer("GET", f"/drills/{id_}")).json()["phase"] == "planned"
    house.site = whole
    assert (await people.officer("POST", f"/drills/{id_}/request")).status_code == 200


async def test_one_person_cannot_start_a_drill_and_neither_can_a_program(house: Any, people: People) -> None:
    id_ = (await plan(people)).json()["id"]
    assert (await people.duty("POST", f"/drills/{id_}/request")).status_code == 403
    assert (await people.duty("POST", f"/drills/{id_}/confirm")).status_code == 409
    assert (await people.officer("POST", f"/drills/{id_}/request")).status_code == 200
    alone = await people.officer("POST", f"/drills/{id_}/confirm")
    assert (alone.status_code, "Another person" in alone.text) == (403, True)
    admin = await house.user(Role.ADMINISTRATOR)
    rights = [{"action": "view", "area": "*"}, {"action": "acknowledge", "area": "*"}]
    made = await admin("POST", "/tokens", json={"name": "t", "user": "u.operator", "permissions": rights})
    assert made.status_code == 201, made.text
    program = house.browser()
    reply = await program(
        "POST", f"/drills/{id_}/confirm", headers={"Authorization": f"Bearer {made.json()['secret']}"}
    )
    assert (reply.status_code, "token" in reply.text) == (403, True)
    house.clock.move(301)
    late = await people.duty("POST", f"/drills/{id_}/confirm")
    assert (late.status_code, "sk for the start again" in late.text) == (409, True)
    west = await house.user(Role.OPERATOR, name="u.west", areas=("west",))
    assert (await west("POST", f"/drills/{id_}/confirm")).status_code == 403, "a drill is a matter of the whole house"


async def test_no_drill_beside_a_real_signal_and_a_real_one_ends_it_on_every_screen(house: Any, people: People) -> None:
    house.signals.append(FIRE)
    id_ = (await plan(people)).json()["id"]
    refused = await people.officer("POST", f"/drills/{id_}/request")
    assert (refused.status_code, "real signal" in refused.text) == (409, True)
    current = (await people.viewer("GET", "/drills/current")).json()
    assert (current["clear"], current["against"][0]["kind"]) == (False, "fire")
    house.signals.clear()
    assert (await people.officer("POST", f"/drills/{id_}/request")).status_code == 200
    assert (await people.duty("POST", f"/drills/{id_}/confirm")).status_code == 200

    client = house.runtime.hub.join(house.identity.of_cookie(people.viewer.http.cookies["shifu"], "127.0.0.1"))
    assert client is not None
    client.texts.clear()
    house.signals.append(FIRE)
    house.runtime.drills.turn()
    (message,) = [text for topic, text in client.texts if topic == "drill"]
    assert b'"cause":"real"' in message
    assert b'"kind":"fire"' in message
    assert (await people.officer("POST", f"/drills/{id_}/restore", json={"steps": ["told"]})).status_code == 409
    house.signals.clear()
    house.runtime.drills.turn()
    assert (await people.officer("POST", f"/drills/{id_}/restore", json={"steps": ["told"]})).status_code == 200


async def test_a_duress_is_not_told_to_every_screen(house: Any, people: People) -> None:
    id_ = await begin(people)
    house.signals.append(Signal("duress", "hall.access.a.duress", Name("脅迫", "duress"), place=Name("門", "door")))
    house.runtime.drills.turn()
    shown = house.runtime.drills.view()
    assert shown["drill"]["cause"] == "real"
    assert shown["real"] == [
        {"kind": "other", "text": {"zh": "", "en": ""}, "place": {"zh": "", "en": ""}, "floor": ""}
    ]
    for path in ("/drills", f"/drills/{id_}", f"/drills/{id_}/entries", "/drills/current"):
        reply = await people.viewer("GET", path)
        assert reply.status_code == 200
        assert "duress" not in reply.text, path


async def test_everybody_on_duty_may_break_a_drill_off(people: People) -> None:
    id_ = await begin(people)
    assert (await people.warden("POST", f"/drills/{id_}/abort", json={"reason": "x"})).status_code == 403
    reply = await people.duty("POST", f"/drills/{id_}/abort", json={"reason": "有人受傷"})
    assert (reply.json()["cause"], reply.json()["ended_why"]) == ("aborted", "有人受傷")


async def test_wardens_count_late_twice_and_in_any_order(house: Any, people: People) -> None:
    id_ = await begin(people)
    house.clock.move(30)
    now = house.clock.now_ns() // 1_000_000
    slow = now - 600_000  # a phone whose clock is ten minutes behind
    ticks = [tick("aaaaaaaa-2", slow - 1_000), tick("aaaaaaaa-1", slow - 5_000, status="missing")]
    for batch in (ticks, ticks[::-1]):
        reply = (await people.warden("POST", f"/drills/{id_}/muster", json={"sent": slow, "ticks": batch})).json()
        assert sorted(reply["kept"]) == ["aaaaaaaa-1", "aaaaaaaa-2"]
        assert reply["offset_ms"] == 600_000
    zone = {"person": "", "status": None}
    swept = [tick("aaaaaaaa-3", now, kind="swept", **zone), tick("aaaaaaaa-4", now, kind="report", **zone)]
    assert (await people.warden("POST", f"/drills/{id_}/muster", json={"sent": now, "ticks": swept})).status_code == 200

    board = (await people.officer("GET", f"/drills/{id_}/muster")).json()
    west = next(zone for zone in board["zones"] if zone["area"] == "west")
    assert (west["expected"], west["accounted"], west["missing"], west["wardens"]) == (2, 1, 1, ["u.warden"])
    assert west["swept"] == west["reported"] == "2026-01-01T00:00:30.000Z"
    first = next(one for one in board["people"] if one["person"] == "p-1")
    assert (first["status"], first["at"]) == ("accounted", "2026-01-01T00:00:29.000Z")
    assert len(await house.journal.fetch(select(drill_tick))) == 4

    await people.officer("POST", f"/drills/{id_}/stand-down", json={"reason": "x"})
    late = {"sent": now, "ticks": [tick("aaaaaaaa-5", now - 60_000, person="p-2")]}
    assert (await people.warden("POST", f"/drills/{id_}/muster", json=late)).json()["kept"] == ["aaaaaaaa-5"]
    assert (await people.officer("GET", f"/drills/{id_}/muster")).json()["accounted"] == 2


async def test_nothing_was_counted_before_the_drill_began(house: Any, people: People) -> None:
    id_ = await begin(people)
    house.clock.move(30)
    now = house.clock.now_ns() // 1_000_000
    sent = {"sent": now, "ticks": [tick("eeeeeeee-1", 0), tick("eeeeeeee-2", now - 3_600_000, person="p-2")]}
    assert len((await people.warden("POST", f"/drills/{id_}/muster", json=sent)).json()["kept"]) == 2
    board = (await people.officer("GET", f"/drills/{id_}/muster")).json()
    began = (await people.officer("GET", f"/drills/{id_}")).json()["started"]
    assert [one["at"] for one in board["people"] if one["status"]] == [began, began]
    assert next(zone["complete"] for zone in board["zones"] if zone["area"] == "west") == began


async def _close(people: People, id_: str) -> None:
    assert (await people.officer("POST", f"/drills/{id_}/stand-down", json={"reason": "x"})).status_code == 200
    assert (await people.officer("POST", f"/drills/{id_}/restore", json={"steps": ["told"]})).status_code == 200
    assert (await people.officer("POST", f"/drills/{id_}/report", json={"conclusion": "done"})).status_code == 200


async def test_what_is_counted_after_the_end_is_kept_as_late(house: Any, people: People) -> None:
    id_ = await begin(people)
    house.clock.move(100)
    await people.officer("POST", f"/drills/{id_}/stand-down", json={"reason": "x"})
    house.clock.move(60)
    now = house.clock.now_ns() // 1_000_000
    ticks = [tick("cccccccc-1", now - 61_000), tick("cccccccc-2", now - 1_000, person="p-2")]
    reply = (await people.warden("POST", f"/drills/{id_}/muster", json={"sent": now, "ticks": ticks})).json()
    assert (reply["phase"], reply["late"]) == ("stood_down", ["cccccccc-2"])
    assert reply["kept"] == ["cccccccc-1", "cccccccc-2"]
    board = (await people.officer("GET", f"/drills/{id_}/muster")).json()
    assert {one["person"]: one["late"] for one in board["people"]} == {"p-1": False, "p-2": True, "p-3": False}
    west = next(zone for zone in board["zones"] if zone["area"] == "west")
    assert (west["late"], west["accounted"], board["arrived_late"]) == (1, 2, 2)


async def test_a_phone_that_comes_back_after_the_report_loses_nothing_and_changes_nothing(
    house: Any, people: People
) -> None:
    id_ = await begin(people)
    at = house.clock.now_ns() // 1_000_000
    house.clock.move(10)
    await _close(people, id_)
    before = (await people.officer("GET", f"/drills/{id_}/muster")).json()
    house.clock.move(600)
    now = house.clock.now_ns() // 1_000_000
    ticks = [tick("dddddddd-1", at), tick("dddddddd-2", at, person="p-3"), tick("dddddddd-3", now, area="plant")]
    for _ in range(2):
        reply = (await people.warden("POST", f"/drills/{id_}/muster", json={"sent": now, "ticks": ticks})).json()
        assert (reply["phase"], reply["kept"], reply["late"]) == ("reported", ["dddddddd-1"], ["dddddddd-1"])
        assert [one["key"] for one in reply["refused"]] == ["dddddddd-2", "dddddddd-3"], "the same rights as before"
    after = (await people.officer("GET", f"/drills/{id_}/muster")).json()
    assert after["arrived_late"] == 1
    assert {**after, "arrived_late": 0, "time": ""} == {**before, "time": ""}
    assert len(await house.journal.fetch(select(drill_tick).where(drill_tick.c.drill == id_))) == 1
    cancelled = str((await plan(people)).json()["id"])
    await people.officer("POST", f"/drills/{cancelled}/cancel", json={"reason": "x"})
    reply = await people.warden("POST", f"/drills/{cancelled}/muster", json={"sent": now, "ticks": ticks[:1]})
    assert reply.status_code == 409
    missing = await people.warden("POST", "/drills/d-none/muster", json={"sent": now, "ticks": ticks[:1]})
    assert missing.status_code == 404


async def test_the_record_says_whom_a_drill_told_and_whether_it_came(house: Any, people: People) -> None:
    id_ = await begin(people)
    notifier = house.runtime.notify.desk.notifier
    text = Name("開始", "begins")
    await notifier.post(f"exercise/{id_}/start", [Target("contact", "room")], text, text, drill=True)
    await notifier.post("exercise/d-other/start", [Target("contact", "room")], text, text, drill=True)
    await notifier.post(f"exercise/{id_}/end", [Target("contact", "engineer")], text, text, real=True, life_safety=True)
    await house.journal.commit()
    items = (await people.viewer("GET", f"/drills/{id_}/notices")).json()["items"]
    assert [(one["contact"], one["title"]["zh"], one["state"]) for one in items] == [
        ("room", "演練 DRILL 開始", "queued"),
        ("engineer", "真實 REAL 開始", "queued"),
    ]
    assert "secret-box" not in str(items)
    assert (await people.viewer("GET", "/drills/d-none/notices")).status_code == 404
    await _close(people, id_)
    report = await people.viewer("GET", f"/drills/{id_}/report")
    assert report.content.startswith(b"%PDF-")


async def test_what_a_warden_may_not_count_is_refused_alone(house: Any, people: People) -> None:
    id_ = await begin(people)
    now = house.clock.now_ns() // 1_000_000
    ticks = [
        tick("bbbbbbbb-1", now),
        tick("bbbbbbbb-2", now, area="plant"),
        tick("bbbbbbbb-3", now, person="p-3"),
        tick("bbbbbbbb-4", now, area="nowhere"),
        tick("bbbbbbbb-5", now, status=None),
        tick("bbbbbbbb-6", now, person="p-77"),
        tick("bbbbbbbb-7", now, kind="swept", person="", status=None, floor="99F"),
    ]
    reply = (await people.warden("POST", f"/drills/{id_}/muster", json={"sent": now, "ticks": ticks})).json()
    assert reply["kept"] == ["bbbbbbbb-1", "bbbbbbbb-6"]
    assert [one["key"] for one in reply["refused"]] == [f"bbbbbbbb-{n}" for n in (2, 3, 4, 5, 7)]
    assert reply["refused"][-1]["reason"].startswith("no floor '99F' on this site; it has ")
    board = (await people.officer("GET", f"/drills/{id_}/muster")).json()
    assert "99F" not in [zone["floor"] for zone in board["zones"]]
    assert (await people.viewer("POST", f"/drills/{id_}/muster", json={"sent": now, "ticks": ticks})).status_code == 403


async def test_persons_are_for_those_who_secure_or_count_their_area(people: People) -> None:
    id_ = await begin(people)

    async def seen(browser: Any) -> tuple[list[str], int, int]:
        board = (await browser("GET", f"/drills/{id_}/muster")).json()
        return [one["person"] for one in board["people"]], board["hidden"], board["expected"]

    assert await seen(people.viewer) == ([], 3, 3), "counts for all, persons for nobody"
    assert await seen(people.warden) == (["p-1", "p-2"], 1, 2)
    assert await seen(people.duty) == (["p-1", "p-2", "p-3"], 0, 3)
    assert await seen(people.officer) == (["p-1", "p-2", "p-3"], 0, 3)


async def test_with_the_journal_down_nothing_is_changed(house: Any, people: People, monkeypatch: Any) -> None:
    id_ = (await plan(people)).json()["id"]
    monkeypatch.setattr(type(house.journal), "healthy", property(lambda _: False))
    assert (await people.officer("POST", f"/drills/{id_}/request")).status_code == 503
    assert house.runtime.drills.get(id_).phase == "planned"
