"""Strategies over the API: what each does and why, who may switch it, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.identity.permission import Role
from drivers.reading import Readings

SP = "hall.hvac.ahu1.zone_temp_sp"
OFF = {"mode": "off", "reason": "council night"}


def feed(house: Any, kw: float, celsius: float = 25.0) -> None:
    """Give the table a main meter, a room and its set-point, all good."""
    points = house.site.points
    values = {
        "hall.electrical.tx1.power": kw,
        "hall.hvac.ahu1.zone_temp": celsius,
        SP: 26.0,
    }
    numbers = np.array([points[address].number for address in values], np.int32)
    now = np.full(len(values), house.clock.now_ns(), np.int64)
    table = house.runtime.table()
    table.apply(Readings(numbers, np.array(list(values.values())), now, np.zeros(len(values), np.uint8)))


def run(house: Any, kw: float, seconds: float) -> None:
    for _ in range(round(seconds / 5.0)):
        house.clock.move(5.0)
        feed(house, kw)
        house.strategies.step()


async def test_the_list_says_what_each_does_now_and_why(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    run(house, 900.0, 60.0)
    (row,) = (await viewer("GET", "/strategies")).json()["items"]
    assert (row["id"], row["mode"], row["state"], row["slot"]) == ("demand", "run", "watching", 9)
    assert row["why"]["zh"].startswith("本時段預測 900 kW，低於上限 995 kW")
    assert row["change"] is None
    assert row["inputs_bad"] == 0
    assert {one["id"] for one in row["figures"]} >= {"forecast", "contract", "limit", "shed"}


async def test_the_detail_has_inputs_outputs_the_list_and_the_timeline(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    run(house, 1100.0, 200.0)
    reply = await viewer("GET", "/strategies/demand")
    body = reply.json()
    assert reply.headers["etag"]
    assert [row["point"] for row in body["inputs"]] == ["hall.electrical.tx1.power"]
    (target,) = body["targets"]
    assert (target["point"], target["slot"], target["value"], target["held"]) == (SP, 9, 27.0, True)
    assert (target["winner"], target["refused"]) == (9, "")
    (part,) = body["parts"]
    assert (part["group"]["en"], part["state"]) == ("Rooms", "shed")
    assert [said["state"] for said in body["said"]] == ["acting", "watching"]
    excess = body["troubles"]["excess"]
    assert (excess["zh"][:2], excess["en"][:8]) == ("預測", "forecast"), "one room is not enough for 120 kW"
    slots = (await viewer("GET", f"/points/{SP}/slots")).json()
    assert "需量控制卸載" in str(slots), "the point says why"


async def test_an_unknown_one_and_a_meter_that_is_not_known(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    assert (await viewer("GET", "/strategies/nobody")).status_code == 404
    house.clock.move(30.0)
    house.strategies.step()
    (row,) = (await viewer("GET", "/strategies")).json()["items"]
    assert (row["state"], row["inputs_bad"]) == ("stepped_back", 1)
    figures = {one["id"]: one["value"] for one in row["figures"]}
    assert figures["forecast"] is None


async def test_who_sees_a_part_of_the_building_sees_a_part_of_the_list(house: Any) -> None:
    run(house, 1100.0, 200.0)
    local = await house.user(Role.VIEWER, areas=("substation",))
    body = (await local("GET", "/strategies/demand")).json()
    assert (body["targets"], body["parts"]) == ([], [])
    assert [row["point"] for row in body["inputs"]] == ["hall.electrical.tx1.power"]


async def test_an_engineer_switches_it_with_a_reason_and_it_lets_go(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    run(house, 1100.0, 200.0)
    assert house.arbiter.slots(SP)[8] is not None
    etag = (await engineer("GET", "/strategies/demand")).headers["etag"]
    reply = await engineer("PUT", "/strategies/demand/mode", json=OFF, headers={"If-Match": etag})
    assert reply.status_code == 200
    body = reply.json()
    assert (body["mode"], body["change"]["reason"]) == ("off", "council night")
    run(house, 1100.0, 5.0)
    assert house.arbiter.slots(SP)[8] is None
    assert reply.headers["etag"] != etag


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.GUARD, Role.SAFETY_OFFICER, Role.ADMINISTRATOR])
async def test_nobody_else_switches_it(house: Any, role: Role) -> None:
    other = await house.user(role)
    etag = (await other("GET", "/strategies/demand")).headers["etag"]
    reply = await other("PUT", "/strategies/demand/mode", json=OFF, headers={"If-Match": etag})
    assert reply.status_code == 403
    assert house.strategies.status("demand").mode == "run"


async def test_an_engineer_of_one_area_does_not_switch_what_works_in_all(house: Any) -> None:
    local = await house.user(Role.ENGINEER, areas=("west",))
    reply = await local("PUT", "/strategies/demand/mode", json=OFF, headers={"If-Match": "x"})
    assert reply.status_code == 403


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (OFF, {}, 428),
        (OFF, {"If-Match": '"other"'}, 412),
        ({"mode": "on", "reason": "x"}, {"If-Match": "x"}, 422),
        ({"mode": "off"}, {"If-Match": "x"}, 422),
        ({"mode": "off", "reason": ""}, {"If-Match": "x"}, 422),
        ({"mode": "off", "reason": "a\nb"}, {"If-Match": "x"}, 422),
        ({"mode": "off", "reason": "x", "more": 1}, {"If-Match": "x"}, 422),
    ],
)
async def test_a_switch_without_etag_reason_or_mode_changes_nothing(
    house: Any, body: Any, headers: Any, status: int
) -> None:
    engineer = await house.user(Role.ENGINEER)
    reply = await engineer("PUT", "/strategies/demand/mode", json=body, headers=headers)
    assert reply.status_code == status
    assert house.strategies.status("demand").mode == "run"


async def test_the_audit_has_who_switched_it_and_why(house: Any) -> None:
    engineer, administrator = await house.user(Role.ENGINEER), await house.user(Role.ADMINISTRATOR)
    etag = (await engineer("GET", "/strategies/demand")).headers["etag"]
    await engineer("PUT", "/strategies/demand/mode", json=OFF, headers={"If-Match": etag})
    rows = [row for row in (await administrator("GET", "/audit")).json()["items"] if row["action"] == "strategy_change"]
    assert {row["outcome"] for row in rows} == {"requested", "done"}
    assert {row["reason"] for row in rows} == {"council night"}
