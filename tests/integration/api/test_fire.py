"""Fire over the API: everybody sees it, a safety officer alone stands down, and nobody commands what the fire has."""

from __future__ import annotations

from typing import Any

import pytest

from controller.identity.permission import ROLES, Action, Role
from controller.safety.response import Phase

STAND_DOWN = {"response": "fire-1", "reason": "false alarm, panel reset"}
SP = "hall.hvac.ahu1.zone_temp_sp"


async def test_without_a_panel_nothing_is_known_and_nothing_is_said_to_be_normal(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    reply = (await viewer("GET", "/fire")).json()
    assert (reply["panel"], reply["status"], reply["response"]) == ("", "unknown", None)


async def test_everybody_sees_where_it_burns_and_of_the_rest_what_they_may_see(house: Any) -> None:
    house.burn()
    everywhere = await house.user(Role.VIEWER)
    plant = await house.user(Role.VIEWER, name="u.plant", areas=("plant",))
    whole = (await everywhere("GET", "/fire")).json()
    part = (await plant("GET", "/fire")).json()
    for reply in (whole, part):
        assert reply["status"] == "fire"
        assert [zone["status"] for zone in reply["zones"]] == ["fire"]
        assert reply["response"]["zones"][0]["zone"] == "hall.fire.zone1"
    assert [row["equipment"] for row in whole["response"]["held"]] == ["hall.hvac.ahu1"]
    assert part["response"]["held"] == []
    assert [row["point"] for row in part["response"]["effects"]] == ["hall.plant.ch1.enable"]
    causes = (await plant("GET", "/fire/causes")).json()
    assert causes[0]["holds"] == []
    assert causes[0]["effects"] == {"stopped": ["hall.plant.ch1.enable"]}


async def test_what_the_fire_has_is_refused_to_everybody_who_commands_and_audited(house: Any) -> None:
    house.burn()
    engineer, officer = await house.user(Role.ENGINEER), await house.user(Role.SAFETY_OFFICER)
    admin = await house.user(Role.ADMINISTRATOR)
    for person, slots in ((engineer, (8, 9, 12, 15, 16)), (officer, (7,))):
        for slot in slots:
            reply = await person("POST", "/commands", json={"point": SP, "value": 25.0, "slot": slot, "reason": "x"})
            assert reply.status_code == 409, reply.text
            assert "held empty by fire" in reply.json()["detail"]
    audit = (await admin("GET", f"/audit?action=command&actor={engineer_name()}")).json()["items"]
    assert [row["outcome"] for row in audit[:2]] == ["refused", "requested"]
    assert house.arbiter.slots(SP) == (None,) * 16


def engineer_name() -> str:
    return "u.engineer"


@pytest.mark.parametrize("role", list(Role))
async def test_a_safety_officer_alone_stands_down(house: Any, role: Role) -> None:
    house.burn(reset=True)
    person = await house.user(role)
    reply = await person("POST", "/fire/stand-down", json=STAND_DOWN)
    assert reply.status_code == (200 if Action.SAFETY in ROLES[role] else 403), reply.text
    wanted = Phase.RESTORING if Action.SAFETY in ROLES[role] else Phase.ACTIVE
    assert house.runtime.fire.response.phase is wanted


async def test_an_officer_of_one_area_does_not_stand_down_for_the_house(house: Any) -> None:
    house.burn(reset=True)
    person = await house.user(Role.SAFETY_OFFICER, areas=("west",))
    assert (await person("POST", "/fire/stand-down", json=STAND_DOWN)).status_code == 403


async def test_a_stand_down_is_refused_before_the_reset_and_for_another_response(house: Any) -> None:
    officer, admin = await house.user(Role.SAFETY_OFFICER), await house.user(Role.ADMINISTRATOR)
    reply = await officer("POST", "/fire/stand-down", json=STAND_DOWN)
    assert (reply.status_code, "runs is none" in reply.json()["detail"]) == (409, True)
    house.burn()
    reply = await officer("POST", "/fire/stand-down", json=STAND_DOWN)
    assert reply.status_code == 409
    assert "not reset" in reply.json()["detail"]
    house.burn(reset=True)
    reply = await officer("POST", "/fire/stand-down", json={**STAND_DOWN, "response": "fire-0"})
    assert reply.status_code == 409
    assert house.runtime.fire.response.phase is Phase.ACTIVE
    for body in ({}, {"response": "fire-1"}, {**STAND_DOWN, "reason": ""}, {**STAND_DOWN, "force": True}):
        assert (await officer("POST", "/fire/stand-down", json=body)).status_code == 422
    audit = (await admin("GET", "/audit?action=fire_stand_down")).json()["items"]
    assert [row["outcome"] for row in audit] == ["refused", "requested"] * 3

    assert (await officer("POST", "/fire/stand-down", json=STAND_DOWN)).status_code == 200
    reply = await officer("POST", "/fire/stand-down", json=STAND_DOWN)
    assert (reply.status_code, "already" in reply.json()["detail"]) == (409, True)
    shown = (await officer("GET", "/fire")).json()["response"]
    assert (shown["phase"], shown["stood_down_by"]) == ("restoring", "u.safety-officer")
    assert [step["state"] for step in shown["steps"]] == ["next", "waiting"]
    journal = (await officer("GET", "/fire/journal")).json()["items"]
    assert [(row["event"], row["who"]) for row in journal] == [("stood_down", "u.safety-officer")]


async def test_no_route_and_no_slot_reaches_the_panel(house: Any) -> None:
    """Every command to a point of the panel is unknown to the arbiter, whoever asks."""
    for role in Role:
        person = await house.user(role, name=f"u.{role.value.replace('_', '-')}.2")
        for tag in ("fire", "silenced", "zone_01_state"):
            for slot in (1, 2, 7, 8, 15):
                body = {"point": f"hall.fire.panel.{tag}", "value": 0.0, "slot": slot, "reason": "x"}
                reply = await person("POST", "/commands", json=body)
                assert reply.status_code in {403, 404}, reply.text
