"""Schedules over the API: what runs and why, what will, who may change it, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from controller.identity.permission import Role

PLAN = {
    "weekly": [{"days": ["thu", "holiday"], "from": "08:00", "to": "17:30", "mode": "on"}],
    "default": "off",
    "booking": {"mode": "on", "lead_min": 0, "lag_min": 0},
    "enabled": True,
    "values": {"on": {"mode": 1.0, "zone_temp_sp": 25.5}},
    "reason": "元旦值班",
}
TYPHOON = {
    "title": {"zh": "颱風停班", "en": "Typhoon day"},
    "schedules": ["office"],
    "from": "2026-01-05",
    "to": "2026-01-05",
    "day": "holiday",
    "reason": "市府公告",
}


def local(text: str | None) -> str:
    assert text is not None
    return f"{datetime.fromisoformat(text).astimezone(UTC) + timedelta(hours=8):%m-%d %H:%M}"


async def plan(client: Any, id_: str = "office") -> dict[str, Any]:
    found: dict[str, Any] = (await client("GET", f"/schedules/plan/{id_}")).json()
    return found


async def test_a_schedule_says_what_it_wants_now_why_and_what_comes_next(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    found = (await viewer("GET", "/schedules")).json()
    assert (found["today"]["type"], found["today"]["name"]["zh"]) == ("holiday", "中華民國開國紀念日")
    assert [one["id"] for one in found["plans"]] == ["office", "plant"]
    office = found["plans"][0]
    # 2026-01-01 08:00, a holiday; Friday the 2nd is a workday, and on Saturday the hall is let from 09:00.
    assert office["now"]["mode"] == "off"
    assert (office["now"]["cause"]["kind"], office["now"]["cause"]["name"]["en"]) == (
        "holiday",
        "Founding Day of the Republic of China",
    )
    assert local(office["now"]["since"]) == "12-31 18:00"
    assert (local(office["next"]["at"]), office["next"]["mode"]) == ("01-02 07:30", "on")
    assert local(found["plans"][1]["now"]["until"]) == "01-01 18:00"
    assert found["exceptions"][0]["phase"] == "planned"
    assert "2026-02-17" in [day["date"] for day in found["special"]]


async def test_fourteen_days_are_shown_as_they_will_be_with_bookings_and_exceptions(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    found = (await viewer("GET", "/schedules/preview")).json()
    assert len(found["days"]) == 14
    assert [day["type"] for day in found["days"][:5]] == ["holiday", "fri", "sat", "sun", "mon"]
    line = found["lines"][0]
    shown = [(local(one["start"]), local(one["end"]), one["mode"], one["cause"]["kind"]) for one in line["intervals"]]
    assert shown[0] == ("01-01 00:00", "01-02 00:00", "off", "holiday")
    assert ("01-02 07:30", "01-02 18:00", "on", "pattern") in shown
    assert ("01-04 08:00", "01-04 12:00", "on", "exception") in shown
    assert all(one[1] == other[0] for one, other in pairwise(shown))
    (booked,) = line["bookings"]
    assert (local(booked["start"]), local(booked["end"]), booked["equipment"]) == (
        "01-03 08:00",
        "01-03 17:30",
        ["hall.hvac.ahu1"],
    )
    assert (await viewer("GET", "/schedules/preview?days=63")).status_code == 422
    assert (await viewer("GET", "/schedules/preview?plan=none")).status_code == 404


async def test_a_point_says_which_schedule_wants_what_and_who_decides(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    etag = (await engineer("GET", "/schedules/plan/office")).headers["etag"]
    assert (await engineer("PUT", "/schedules/plan/office", json=PLAN, headers={"If-Match": etag})).status_code == 200
    address = "/schedules/points/hall.hvac.ahu1.zone_temp_sp"
    found = (await engineer("GET", address)).json()
    assert (found["plan"], found["value"], found["slot"], found["present"]) == ("office", 25.5, 15, 25.5)
    assert found["now"]["mode"] == "on"
    assert "Office air: Occupied (holiday Founding Day" in found["why"]["en"]
    assert not found["why"]["zh"].isascii()
    assert "Office" not in found["why"]["zh"]
    body = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 24.0, "reason": "too warm"}
    assert (await engineer("POST", "/commands", json=body)).status_code == 202
    found = (await engineer("GET", address)).json()
    assert (found["value"], found["slot"], found["present"], found["owner"]) == (25.5, 8, 24.0, "u.engineer")
    assert (await plan(engineer))["points"] == {"wanted": 2, "effective": 1, "masked": 1, "refused": 0}
    other = (await engineer("GET", "/schedules/points/hall.electrical.tx1.power")).json()
    assert (other["plan"], other["now"]) == ("", None)


async def test_of_two_who_change_the_same_schedule_the_second_is_told(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    etag = (await engineer("GET", "/schedules/plan/office")).headers["etag"]
    assert (await engineer("PUT", "/schedules/plan/office", json=PLAN)).status_code == 428
    changed = await engineer("PUT", "/schedules/plan/office", json=PLAN, headers={"If-Match": etag})
    assert changed.status_code == 200, changed.text
    assert changed.json()["change"]["reason"] == "元旦值班"
    assert changed.json()["now"]["mode"] == "on"
    assert house.arbiter.present("hall.hvac.ahu1.zone_temp_sp") == (25.5, 15)
    assert (await engineer("PUT", "/schedules/plan/office", json=PLAN, headers={"If-Match": etag})).status_code == 412
    etag = changed.headers["etag"]
    back = await engineer("POST", "/schedules/plan/office/reset", json={"reason": "x"}, headers={"If-Match": etag})
    assert (back.status_code, back.json()["change"]) == (200, None)
    assert house.arbiter.present("hall.hvac.ahu1.mode") == (0.0, 15)
    again = {"If-Match": back.headers["etag"]}
    assert (
        await engineer("POST", "/schedules/plan/office/reset", json={"reason": "x"}, headers=again)
    ).status_code == 409
    admin = await house.user(Role.ADMINISTRATOR)
    audit = (await admin("GET", "/audit", params={"action": "schedule_change"})).json()["items"]
    done = [row for row in audit if row["outcome"] == "done"]
    assert [row["target"] for row in done] == ["plan/office", "plan/office"]
    assert done[1]["data"]["before"]["weekly"][0]["from"] == "07:30"
    assert done[1]["data"]["after"]["weekly"][0]["from"] == "08:00"


@pytest.mark.parametrize(
    "changes",
    [
        {"weekly": [{"days": ["mon"], "from": "18:00", "to": "08:00", "mode": "on"}]},
        {"weekly": [{"days": ["mon"], "from": "08:00", "to": "08:61", "mode": "on"}]},
        {"weekly": [{"days": ["someday"], "from": "08:00", "to": "09:00", "mode": "on"}]},
        {"weekly": [{"days": ["mon"], "from": "08:00", "to": "09:00", "mode": "nothing"}]},
        {
            "weekly": [
                {"days": ["mon"], "from": "08:00", "to": "12:00", "mode": "on"},
                {"days": ["mon"], "from": "11:00", "to": "13:00", "mode": "on"},
            ]
        },
        {"default": "nothing"},
        {"values": {"on": {"zone_temp_sp": 60.0}}},
        {"values": {"on": {"zone_temp": 26.0}}},
        {"values": {"nothing": {}}},
        {"booking": {"mode": "on", "lead_min": 5000, "lag_min": 0}},
        {"reason": ""},
        {"equipment": ["hall.plant.ch1"]},
    ],
)
async def test_hours_that_cannot_be_are_refused_and_nothing_changes(house: Any, changes: dict[str, Any]) -> None:
    engineer = await house.user(Role.ENGINEER)
    before = await engineer("GET", "/schedules/plan/office")
    etag = {"If-Match": before.headers["etag"]}
    reply = await engineer("PUT", "/schedules/plan/office", json={**PLAN, **changes}, headers=etag)
    assert reply.status_code == 422, reply.text
    assert reply.json()["what_to_do"]
    assert (await engineer("GET", "/schedules/plan/office")).headers["etag"] == before.headers["etag"]


async def test_exceptions_are_put_in_changed_and_taken_away(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    made = await engineer("PUT", "/schedules/exception/typhoon", json=TYPHOON)
    assert (made.status_code, made.json()["phase"]) == (200, "planned")
    house.clock.move(4 * 86_400 + 3600)  # Monday the 5th, 09:00
    engineer = await house.user(Role.ENGINEER, name="later")
    found = await plan(engineer)
    assert (found["now"]["mode"], found["now"]["cause"]["kind"], found["now"]["cause"]["id"]) == (
        "off",
        "exception",
        "typhoon",
    )
    assert (await engineer("PUT", "/schedules/exception/typhoon", json=TYPHOON)).status_code == 428
    other = {**TYPHOON, "schedules": ["*"], "day": "sun"}
    assert (await engineer("PUT", "/schedules/exception/other", json=other)).status_code == 409
    etag = {"If-Match": made.headers["etag"]}
    gone = await engineer("POST", "/schedules/exception/typhoon/remove", json={"reason": "照常上班"}, headers=etag)
    assert gone.json() == {"id": "typhoon", "gone": True}
    assert (await plan(engineer))["now"]["mode"] == "on"
    # One of the files can be taken away too.
    etag = {"If-Match": (await engineer("GET", "/schedules/exception/cleaning")).headers["etag"]}
    gone = await engineer("POST", "/schedules/exception/cleaning/remove", json={"reason": "x"}, headers=etag)
    assert gone.status_code == 200
    assert (await engineer("GET", "/schedules/exception/cleaning")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"to": "2026-01-04"}, 422),
        ({"from": "2026-02-30"}, 422),
        ({"schedules": ["none*"]}, 422),
        ({"schedules": []}, 422),
        ({"mode": "on"}, 422),
        ({"day": "", "mode": ""}, 422),
        ({"day": "", "mode": "night"}, 422),
        ({"day": "", "mode": "on", "start": "10:00", "end": "09:00"}, 422),
        ({"day": "", "mode": "off", "from": "2026-01-04"}, 409),
        ({"title": {"zh": "\u202e", "en": "x"}}, 422),
    ],
)
async def test_exceptions_that_cannot_be_are_refused(house: Any, changes: dict[str, Any], status: int) -> None:
    engineer = await house.user(Role.ENGINEER)
    reply = await engineer("PUT", "/schedules/exception/typhoon", json={**TYPHOON, **changes})
    assert reply.status_code == status, reply.text
    assert reply.json()["what_to_do"]
    assert (await engineer("GET", "/schedules/exception/typhoon")).status_code == 404


async def test_each_sees_and_changes_what_is_in_his_areas(house: Any) -> None:
    west = await house.user(Role.ENGINEER, areas=("west",))
    found = (await west("GET", "/schedules")).json()
    assert [one["id"] for one in found["plans"]] == ["office"]
    assert (await west("GET", "/schedules/plan/plant")).status_code == 404
    assert len((await west("GET", "/schedules/preview")).json()["lines"]) == 1
    assert (await west("GET", "/schedules/points/hall.plant.ch1.enable")).status_code == 404
    assert (await west("PUT", "/schedules/exception/typhoon", json=TYPHOON)).status_code == 200
    both = {**TYPHOON, "schedules": ["*"], "from": "2026-01-07", "to": "2026-01-07"}
    assert (await west("PUT", "/schedules/exception/both", json=both)).status_code == 403
    plant = await house.user(Role.ENGINEER, areas=("plant",), name="plant")
    assert (await plant("GET", "/schedules/exception/typhoon")).status_code == 404
    etag = {"If-Match": (await west("GET", "/schedules/plan/office")).headers["etag"]}
    assert (await plant("PUT", "/schedules/plan/office", json=PLAN, headers=etag)).status_code == 404
