"""Plans, drawings and documents over HTTP: limits, headers, ETags, names that try to leave their folder, audit."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from controller.identity.permission import Role
from controller.journal.entry import AlarmRow
from controller.plan.store import MOST_FILES, digest
from drivers.event import Event

PLAN = "/plans/hall/1F"
SVG = {"Content-Type": "image/svg+xml"}
AHU = "hall.hvac.ahu1"


def drawing(text: str = "", size: str = "0 0 600 400") -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}">{text}<path d="M0 0h9"/></svg>'.encode()


@pytest.fixture
async def engineer(house: Any) -> Any:
    return await house.user(Role.ENGINEER)


async def change(engineer: Any, etag: str | None = None, **wanted: Any) -> Any:
    plan = (await engineer("GET", PLAN)).json()
    body = {key: plan[key] for key in ("width", "height", "zones", "placements")}
    body |= {"drawing": plan["drawing"]["id"] if plan["drawing"] else None, "reason": "moved", **wanted}
    return await engineer("PUT", PLAN, json=body, headers={"If-Match": etag or plan["etag"]})


async def test_everything_stands_somewhere_without_a_placement(engineer: Any) -> None:
    plan = (await engineer("GET", PLAN)).json()

    (spot,) = plan["spots"]
    assert (spot["address"], spot["zone"], spot["automatic"]) == (AHU, "west", True)
    assert 0 < spot["x"] < 600
    assert plan["homeless"] == ["hall.electrical.tx1", "hall.plant.ch1"]
    assert (await engineer("GET", "/plans/hall/9F")).status_code == 404
    items = (await engineer("GET", "/plans")).json()["items"]
    assert [(item["floor"], item["drawing"], item["changed"]) for item in items] == [
        ("B1", False, False),
        ("1F", True, False),
    ]


async def test_a_placement_is_kept_with_who_and_why(engineer: Any, house: Any) -> None:
    at = {"address": AHU, "x": 100.0, "y": 200.0}
    reply = await change(engineer, placements=[at], reason="seen on site")

    assert reply.status_code == 200, reply.text
    again = (await engineer("GET", PLAN)).json()
    assert again["placements"] == [at]
    assert again["spots"][0]["automatic"] is False
    assert (again["change"]["owner"], again["change"]["reason"]) == ("u.engineer", "seen on site")
    administrator = await house.user(Role.ADMINISTRATOR)
    lines = (await administrator("GET", "/audit", params={"action": "plan_change"})).json()["items"]
    assert [line["outcome"] for line in lines] == ["done", "requested"]
    assert {line["reason"] for line in lines} == {"seen on site"}


async def test_two_who_read_the_same_do_not_overwrite_each_other(engineer: Any) -> None:
    etag = (await engineer("GET", PLAN)).headers["etag"]
    house_rule = {"address": AHU, "x": 100.0, "y": 200.0}
    assert (await change(engineer, etag, placements=[house_rule])).status_code == 200
    assert (await change(engineer, etag, placements=[])).status_code == 412
    body: dict[str, Any] = {"width": 1, "height": 1, "drawing": None, "zones": [], "placements": [], "reason": "x"}
    assert (await engineer("PUT", PLAN, json=body)).status_code == 428


async def test_back_to_the_files(engineer: Any) -> None:
    await change(engineer, placements=[{"address": AHU, "x": 100.0, "y": 200.0}])
    etag = (await engineer("GET", PLAN)).headers["etag"]
    assert (await engineer("DELETE", PLAN, headers={"If-Match": etag})).status_code == 422, "why?"
    reply = await engineer("DELETE", f"{PLAN}?reason=moved+back", headers={"If-Match": etag})

    assert reply.status_code == 200
    assert (reply.json()["placements"], reply.json()["change"]) == ([], None)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"placements": [{"address": "hall.hvac.ahu9", "x": 1.0, "y": 1.0}]}, "an equipment or a point of this site"),
        ({"placements": [{"address": AHU, "x": 1201.0, "y": 1.0}]}, "inside of the drawing"),
        ({"placements": [{"address": AHU, "x": 1.0, "y": 1.0}] * 2}, "each thing once"),
        (
            {
                "zones": [
                    {"id": name, "name": {"zh": "區", "en": "Zone"}, "polygon": [[x, 0], [x + 300, 0], [x, 300]]}
                    for name, x in (("a", 0), ("b", 100))
                ]
            },
            'zone "b" over zone "a"',
        ),
        ({"width": 500.0}, "the shape of the drawing"),
    ],
)
async def test_a_plan_that_contradicts_itself_is_refused(engineer: Any, wanted: dict[str, Any], words: str) -> None:
    reply = await change(engineer, **wanted)

    assert reply.status_code == 422
    problem = reply.json()
    assert words in f"{problem['detail']} {problem['what_to_do']}"
    assert (await engineer("GET", PLAN)).json()["change"] is None


async def test_uploaded_drawings_are_served_in_a_sandbox(engineer: Any) -> None:
    content = drawing()
    made = await engineer("POST", "/drawings", content=content, headers=SVG)
    assert made.status_code == 201
    found = made.json()
    assert (found["id"], found["width"], found["height"]) == (digest(content), 600.0, 400.0)

    reply = await engineer("GET", f"/drawings/{found['id']}")
    assert reply.content == content
    assert reply.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in reply.headers["content-security-policy"]
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    same = await engineer("GET", f"/drawings/{found['id']}", headers={"If-None-Match": reply.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")

    assert (await change(engineer, drawing=found["id"], width=600.0, height=400.0, zones=[])).status_code == 200
    assert (await engineer("GET", PLAN)).json()["drawing"]["id"] == found["id"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (drawing("<script>alert(1)</script>"), SVG, 422),
        (drawing('<image href="http://198.51.100.1/x.png"/>'), SVG, 422),
        (b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + drawing("&x;"), SVG, 422),
        (b"", SVG, 422),
        (b"\x89PNG\r\n\x1a\n", {"Content-Type": "image/png"}, 422),
        (drawing(), {"Content-Type": "text/html"}, 415),
        (drawing(), {}, 415),
        (drawing(" " * (5 << 20)), SVG, 413),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,
)
async def test_bad_drawings_are_refused_and_not_kept(
    house: Any, engineer: Any, content: bytes, headers: dict[str, str], status: int
) -> None:
    reply = await engineer("POST", "/drawings", content=content, headers=headers)

    assert reply.status_code == status, reply.text
    assert len(reply.json()["what_to_do"]) > 8
    assert not (house.path / "drawings").exists()


async def test_other_routes_keep_their_small_limit(engineer: Any) -> None:
    reply = await engineer("PUT", PLAN, content=b" " * (2 << 20), headers={"Content-Type": "application/json"})
    assert reply.status_code == 413


@pytest.mark.parametrize(
    "name", ["..%2f..%2fstate.db", "%2fetc%2fpasswd", "%2e%2e", "plans%2fhall.svg", "0" * 64, "x" * 64, "A" * 64]
)
async def test_no_name_leaves_the_folder(engineer: Any, house: Any, name: str) -> None:
    await engineer("POST", "/drawings", content=drawing(), headers=SVG)
    for path in (f"/drawings/{name}", f"/equipment/{AHU}/documents/{name}"):
        reply = await engineer("GET", path)
        assert reply.status_code in {404, 422}, path
        assert b"SQLite" not in reply.content


async def test_the_oldest_unused_drawing_makes_room(engineer: Any, house: Any) -> None:
    first = (await engineer("POST", "/drawings", content=drawing(), headers=SVG)).json()["id"]
    assert (await change(engineer, drawing=first, width=600.0, height=400.0, zones=[])).status_code == 200
    for number in range(MOST_FILES):
        reply = await engineer("POST", "/drawings", content=drawing(f"<title>{number}</title>"), headers=SVG)
        assert reply.status_code == 201

    assert len(list((house.path / "drawings").glob("*.svg"))) == MOST_FILES
    assert (await engineer("GET", f"/drawings/{first}")).status_code == 200, "a plan shows it"


async def test_a_drawing_that_was_changed_on_the_disk_is_not_handed_out(engineer: Any, house: Any) -> None:
    name = (await engineer("GET", PLAN)).json()["drawing"]["id"]
    (house.runtime.folder / "plans/hall.svg").write_bytes(drawing("<script/>"))
    reply = await engineer("GET", f"/drawings/{name}")

    assert reply.status_code == 409
    assert "shifu apply" in reply.json()["what_to_do"]


async def test_the_export_is_the_plan(engineer: Any) -> None:
    await change(engineer, placements=[{"address": AHU, "x": 100.5, "y": 200.0}])
    data = tomllib.loads((await engineer("GET", f"{PLAN}/export")).text)

    (plan,) = data["plan"]
    assert (plan["building"], plan["floor"], plan["file"]) == ("hall", "1F", "plans/hall.svg")
    assert plan["placements"] == [{"address": AHU, "at": [100.5, 200]}]
    assert plan["zones"][0]["polygon"] == [[0, 0], [600, 0], [600, 800], [0, 800]]


async def test_a_person_of_one_area_sees_its_things_and_changes_nothing(house: Any, engineer: Any) -> None:
    plant = await house.user(Role.ENGINEER, name="plant", areas=("plant",))
    plan = (await plant("GET", PLAN)).json()
    assert (plan["spots"], plan["homeless"]) == ([], ["hall.plant.ch1"])
    assert (await change(plant, placements=[])).status_code == 403
    assert (await plant("POST", "/drawings", content=drawing(), headers=SVG)).status_code == 403
    assert (await plant("GET", f"/equipment/{AHU}/documents")).status_code == 404


async def test_documents_are_saved_not_run(engineer: Any) -> None:
    (document,) = (await engineer("GET", f"/equipment/{AHU}/documents")).json()["items"]
    assert (document["kind"], document["media"]) == ("manual", "application/pdf")

    reply = await engineer("GET", f"/equipment/{AHU}/documents/{document['id']}")
    assert reply.content.startswith(b"%PDF-")
    assert reply.headers["content-disposition"] == 'attachment; filename="ahu.pdf"'
    assert "sandbox" in reply.headers["content-security-policy"]
    assert (await engineer("GET", f"/equipment/hall.plant.ch1/documents/{document['id']}")).status_code == 404


async def test_what_happened_to_an_equipment_and_to_no_other(engineer: Any, house: Any) -> None:
    body = {"point": f"{AHU}.zone_temp_sp", "value": 25.0, "reason": "warm", "expires_s": 60.0}
    assert (await engineer("POST", "/commands", json=body)).status_code == 202
    assert (
        await engineer("POST", "/commands", json={**body, "point": "hall.plant.ch1.enable", "value": 1.0})
    ).is_success
    house.journal.event(Event("k1", "dev-ahu1", "filter", house.clock.now_ns()))
    house.journal.event(Event("k2", "dev-tx1", "door", house.clock.now_ns()))
    house.journal.alarm(
        AlarmRow("o", "hall.electrical.tx1.winding_temp_a#high", 1, "raised", "normal", "unacknowledged")
    )
    await house.journal.commit()

    (command,) = (await engineer("GET", f"/equipment/{AHU}/commands")).json()["items"]
    assert (command["point"], command["owner"], command["reason"]["zh"]) == (
        f"{AHU}.zone_temp_sp",
        "u.engineer",
        "warm",
    )
    (event,) = (await engineer("GET", f"/equipment/{AHU}/events")).json()["items"]
    assert event["source"] == "dev-ahu1"
    assert (await engineer("GET", f"/equipment/{AHU}/alarms")).json()["items"] == []
    (entry,) = (await engineer("GET", "/equipment/hall.electrical.tx1/alarms")).json()["items"]
    assert entry["event"] == "raised"


async def test_the_model_is_that_of_the_areas_that_may_be_seen(engineer: Any, house: Any) -> None:
    west = await house.user(Role.VIEWER, name="west", areas=("west",))
    whole, part = [(await who("GET", "/site.haystack.json?values=true")).json() for who in (engineer, west)]
    points = [{row["id"]["val"] for row in grid["rows"] if "point" in row} for grid in (whole, part)]
    assert points[0] == set(house.site.points)
    assert points[1] == {f"{AHU}.zone_temp", f"{AHU}.zone_temp_sp", f"{AHU}.mode"}

    reply = await west("GET", "/site.ttl")
    assert reply.headers["content-type"].startswith("text/turtle")
    assert "tx1" not in reply.text
    again = await west("GET", "/site.ttl", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    house.site = replace(house.site, generation=2)
    assert (await west("GET", "/site.ttl", headers={"If-None-Match": reply.headers["etag"]})).status_code == 200
