"""Cameras, doors and the persons of card events: who may see and do what, and what is written down of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.api.client import Client
from controller.identity.permission import Role
from controller.journal.entry import AuditRow
from controller.point.model import Equipment, Name, Point, WriteSpec
from drivers.event import Event
from drivers.picture import Picture

JPEG = b"\xff\xd8\xff\xe0picture\xff\xd9"
CAMERA, DOOR = "hall.cctv.cam1", "hall.access.door1"


def furnish(house: Any) -> None:
    """Put a camera and a door into the west wing."""
    equipment, points = dict(house.site.equipment), dict(house.site.points)
    for address, cls, system in ((CAMERA, "camera", "cctv"), (DOOR, "door", "access")):
        equipment[address] = Equipment(address, cls, Name("x", "x"), "hall", system, "1F", "west", parameters={})
    made = (
        Point(90, f"{CAMERA}.motion", "binary", "", Name("x", "x"), CAMERA, "cam1", "motion", area="west"),
        Point(91, f"{DOOR}.mode", "multistate", "", Name("x", "x"), DOOR, "door1", "mode", area="west",
              states=((0, Name("x", "locked")), (2, Name("x", "unlocked"))), write=WriteSpec(0.0, 4.0)),
    )  # fmt: skip
    points |= {point.address: point for point in made}
    house.site = replace(house.site, equipment=equipment, points=points, generation=house.site.generation + 1)
    house.arbiter.migrate(house.site)


@pytest.fixture
def rooms(house: Any) -> Any:
    furnish(house)
    house.field.pictures["cam1"] = Picture(JPEG, house.clock.now_ns())
    return house


ROUTE = f"/cameras/{CAMERA}/snapshot"


async def test_a_guard_sees_the_picture_once_fetched_and_it_is_written_down_once(rooms: Any) -> None:
    guard = await rooms.user(Role.GUARD)
    replies = [await guard("GET", ROUTE) for _ in range(3)]

    assert [reply.content for reply in replies] == [JPEG] * 3
    assert replies[0].headers["content-type"] == "image/jpeg"
    assert replies[0].headers["cache-control"] == "no-store"
    assert replies[0].headers["x-content-type-options"] == "nosniff"
    assert replies[0].headers["x-picture-time"] == "2026-01-01T00:00:00.000Z"
    assert rooms.field.asked == ["cam1"], "a picture is kept for a second"
    again = await guard("GET", ROUTE, headers={"If-None-Match": replies[0].headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await rooms.journal.commit()
    auditor = await rooms.user(Role.ADMINISTRATOR)
    rows = (await auditor("GET", "/audit?limit=500")).json()["items"]
    assert [(row["actor"], row["target"]) for row in rows if row["action"] == "camera_view"] == [("u.guard", CAMERA)]


async def test_a_camera_without_a_picture_answers_so_and_is_not_asked_again_at_once(rooms: Any) -> None:
    rooms.field.pictures.clear()
    operator = await rooms.user(Role.OPERATOR)
    replies = [await operator("GET", ROUTE) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [204, 204]
    assert replies[0].headers["x-picture-problem"] == "cam1: no picture"
    assert rooms.field.asked == ["cam1"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ENGINEER, Role.SAFETY_OFFICER, Role.ADMINISTRATOR, Role.WALL])
async def test_nobody_else_sees_a_picture(rooms: Any, role: Role) -> None:
    browser = await rooms.user(role)
    assert (await browser("GET", ROUTE)).status_code == 403
    assert not rooms.field.asked


async def test_a_guard_of_another_area_learns_nothing_of_the_camera(rooms: Any) -> None:
    guard = await rooms.user(Role.GUARD, areas=("plant",))
    assert (await guard("GET", ROUTE)).status_code == 404
    assert (await guard("GET", "/cameras/hall.electrical.tx1/snapshot")).status_code == 404


async def test_looking_is_limited_a_person(rooms: Any) -> None:
    guard = await rooms.user(Role.GUARD)
    codes = [(await guard("GET", ROUTE)).status_code for _ in range(165)]
    assert codes.count(200) == 160
    assert codes[-1] == 429


async def test_a_guard_works_doors_and_nothing_else(rooms: Any) -> None:
    guard = await rooms.user(Role.GUARD)

    async def ask(point: str, **more: Any) -> int:
        body = {"point": point, "value": 2.0, "slot": 8, "reason": "delivery", **more}
        return int((await guard("POST", "/commands", json=body)).status_code)

    assert await ask(f"{DOOR}.mode") == 202
    assert await ask(f"{DOOR}.mode", slot=7) == 403, "an emergency is the safety officer's"
    assert await ask(f"{DOOR}.mode", slot=15) == 403
    assert await ask("hall.hvac.ahu1.zone_temp_sp", value=25.0) == 403
    viewer = await rooms.user(Role.VIEWER)
    body = {"point": f"{DOOR}.mode", "value": 2.0, "slot": 8, "reason": "x"}
    assert (await viewer("POST", "/commands", json=body)).status_code == 403


CARD = Event("01J8", "door1", "access_granted", 1_767_225_600_000_000_000, {
    "door": "w-1", "person": "p-10422", "credential": "h:9f2c", "direction": "in"})  # fmt: skip


async def test_persons_are_shown_to_security_alone(rooms: Any) -> None:
    rooms.journal.event(CARD)
    await rooms.journal.commit()
    seen = {}
    for role, areas in ((Role.GUARD, ()), (Role.VIEWER, ()), (Role.ENGINEER, ())):
        browser = await rooms.user(role, areas=areas)
        (item,) = (await browser("GET", "/events")).json()["items"]
        seen[role] = item["data"]
    assert seen[Role.GUARD] == dict(CARD.data)
    assert seen[Role.VIEWER] == seen[Role.ENGINEER] == {"door": "w-1", "direction": "in"}
    guard = await rooms.user(Role.GUARD, name="u.west", areas=("west",))
    assert (await guard("GET", "/events")).json()["items"] == [], "the test's field has no such device"


async def test_the_stream_strips_persons_too(rooms: Any) -> None:
    hub = rooms.runtime.hub
    clients = {}
    for role in (Role.OPERATOR, Role.VIEWER):
        browser = await rooms.user(role)
        cookie = browser.http.cookies.get("shifu")
        principal = rooms.identity.of_cookie(cookie, "127.0.0.1", touch=False)
        client: Client | None = hub.join(principal)
        assert client is not None
        hub.receive(client, {"subscribe": ["events"]})
        client.texts.clear()
        clients[role] = client
    hub.publish_events([{"id": None, "area": "west", "data": dict(CARD.data)}], {"west": 1})
    texts = {role: client.texts[-1][1] for role, client in clients.items()}
    assert b"p-10422" in texts[Role.OPERATOR]
    assert b"p-10422" not in texts[Role.VIEWER]
    assert b"w-1" in texts[Role.VIEWER]


async def test_who_looks_is_not_lost_when_the_journal_is_down(rooms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from controller.errors import UnavailableError

    def down(row: AuditRow) -> None:
        raise UnavailableError("disk full")

    guard = await rooms.user(Role.GUARD)
    monkeypatch.setattr(rooms.journal, "audit", down)
    assert (await guard("GET", ROUTE)).status_code == 200
