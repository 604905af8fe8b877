"""Fire over the API: everybody sees it, a safety officer alone stands down, and nobody commands what the fire has."""

from __future__ import annotations

from typing import Any

import pytest

from controller.identity.permission import ROLES, Action, Role
from controller.safety.response import Phase, Response

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


@pytest.mark.parametrize("slot", [3, 4, 5])
async def test_protection_is_for_programs_nobody_fills_it_by_hand_while_a_fire_has_the_point(
    house: Any, slot: int
) -> None:
    engineer = await house.user(Role.ENGINEER)
    body = {"point": SP, "value": 25.0, "slot": slot, "reason": "x"}
    assert (await engineer("POST", "/commands", json=body)).status_code == 202
    house.burn()
    reply = await engineer("POST", "/commands", json=body | {"value": 26.0})
    assert (reply.status_code, "a fire has it" in reply.json()["detail"]) == (409, True), reply.text
    assert house.arbiter.slots(SP)[slot - 1].value == 25.0, "what protects stays"
    assert (await engineer("POST", "/commands", json=body | {"value": None})).status_code == 202, "and may be let go"
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


async def test_the_matrix_shows_what_burns_to_everybody_and_of_the_rest_what_they_may_see(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    empty = (await viewer("GET", "/fire/matrix")).json()
    assert (empty["panel"], empty["kinds"], empty["causes"]) == ("", [], [])

    house.burn()
    plant = await house.user(Role.VIEWER, name="u.plant", areas=("plant",))
    west = await house.user(Role.VIEWER, name="u.west", areas=("west",))
    found = {
        name: (await who("GET", "/fire/matrix")).json() for name, who in (("all", viewer), ("p", plant), ("w", west))
    }
    for reply in found.values():
        (row,) = reply["causes"]
        assert (row["id"], row["called"], row["zones"][0]["status"]) == ("floor-1f", True, "fire")
    (cell,) = found["all"]["causes"][0]["cells"]
    assert (cell["kind"], cell["state"], cell["hidden"]) == ("stopped", "waiting", 0)
    assert [output["point"] for output in cell["outputs"]] == ["hall.plant.ch1.enable"]
    assert found["all"]["causes"][0]["holds"] == {"equipment": ["hall.hvac.ahu1"], "held": 1, "hidden": 0}
    assert found["p"]["causes"][0]["holds"] == {"equipment": [], "held": 0, "hidden": 1}
    (hidden,) = found["w"]["causes"][0]["cells"]
    assert (hidden["state"], hidden["outputs"], hidden["hidden"]) == (None, [], 1), "not shown is not 'not applicable'"


async def test_a_matrix_at_rest_says_which_feedback_it_could_not_see(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    house.burn(reset=True)
    house.runtime.fire.response = Response()
    house.runtime.fire.sights = ()
    (row,) = (await viewer("GET", "/fire/matrix")).json()["causes"]
    assert (row["called"], row["cells"][0]["state"]) == (False, "unknown")
    house.put("hall.plant.ch1.enable", 1.0)
    (row,) = (await viewer("GET", "/fire/matrix")).json()["causes"]
    assert (row["cells"][0]["state"], row["cells"][0]["outputs"][0]["value"]) == ("rest", 1.0)


async def test_words_are_there_in_a_fire_alone_and_say_what_is_unknown(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    calm = (await viewer("GET", "/fire/words")).json()
    assert (calm["response"], calm["announcement"], calm["summary"]) == (None, None, None)
    house.burn()
    words = (await viewer("GET", "/fire/words")).json()
    assert words["response"] == "fire-1"
    assert "這是真實火警，不是演練" in words["announcement"]["zh"]
    assert "位置：1F 火警" in words["summary"]["zh"]
    assert "Call back: unknown" in words["summary"]["en"].splitlines()
    # Cards at the doors count people by floor, in areas that may be seen.
    assert "人數：1F 2、B1 1（依門禁刷卡，不含訪客）" in words["summary"]["zh"].splitlines()
    west = await house.user(Role.VIEWER, name="u.west", areas=("west",))
    part = (await west("GET", "/fire/words")).json()["summary"]["zh"]
    assert "人數：1F 2（依門禁刷卡，不含訪客及無權限查看的區域）" in part.splitlines()
    drills, house.runtime.drills = house.runtime.drills, None
    nobody = (await viewer("GET", "/fire/words")).json()["summary"]["zh"]
    assert "人數：不明" in nobody.splitlines(), "a controller that follows no cards does not say that nobody is there"
    house.runtime.drills = drills
    # After the stand-down there is nothing to announce any more.
    house.burn(reset=True)
    officer = await house.user(Role.SAFETY_OFFICER)
    assert (await officer("POST", "/fire/stand-down", json=STAND_DOWN)).status_code == 200
    over = (await viewer("GET", "/fire/words")).json()
    assert (over["announcement"], over["summary"]) == (None, None)
