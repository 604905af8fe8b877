"""Every route with every role: the matrix is generated from the application, not from a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from controller.alarm.definition import AlarmDefinition
from controller.api.access import SAFE, Allow, SignedIn
from controller.identity.permission import ROLES, Action, Role
from controller.journal.entry import AlarmRow
from drivers.event import Event

if TYPE_CHECKING:
    from fastapi import FastAPI

PUBLIC = {
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/session/link"),
    ("POST", "/api/v1/acknowledge-links/look"),
    ("POST", "/api/v1/acknowledge-links/use"),
    ("POST", "/api/v1/phone/receipts"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/{path:path}"),
    ("HEAD", "/{path:path}"),
}
"""Routes without a person, each on purpose."""

ANYBODY_SIGNED_IN = {
    ("GET", "/api/v1/session"),
    ("DELETE", "/api/v1/session"),
    ("POST", "/api/v1/session/password"),
    ("GET", "/api/v1/phone"),
    ("PUT", "/api/v1/phone/language"),
    ("POST", "/api/v1/phone/subscriptions"),
    ("DELETE", "/api/v1/phone/subscriptions/{phone_id}"),
    ("POST", "/api/v1/phone/test"),
}

WEST = AlarmDefinition(
    "hall.hvac.ahu1.zone_temp#high", "high", 2, "hall.hvac.ahu1.zone_temp", "dev-ahu1", limit=30.0, area="west"
)
VALUES = {
    "address": "hall.hvac.ahu1.zone_temp_sp",
    "alarm_id": "hall.electrical.tx1.winding_temp_a%23high",
    "command_id": "c-1",
    "device_id": "dev-tx1",
    "name": "nobody",
    "profile_id": "eastron-sdm630",
    "token_id": "0123456789abcdef",
    "kind": "works",
    "entry_id": "w1",
    "plan_id": "office",
    "exception_id": "cleaning",
    "reported": "xev0001",
    "strategy": "demand",
    "charger": "hall.hvac.ahu1",
    "building": "hall",
    "floor": "1F",
    "drawing_id": "0" * 64,
    "digest": "0" * 64,
    "drill_id": "d-1",
    "inject": "detector",
    "duty_id": "plant",
    "channel_id": "hook",
    "phone_id": "0" * 16,
    "report_id": "month-2025-12-01",
    "language": "zh",
    "format": "pdf",
}


def _calls(dependant: Any) -> list[Any]:
    return [dependant.call, *(call for inner in dependant.dependencies for call in _calls(inner))]


def routes(app: FastAPI) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIWebSocketRoute):
            assert context.path == "/api/v1/stream"
            continue
        assert isinstance(route, APIRoute), f"unknown kind of route {route!r}"
        found += [(method, str(context.path), route) for method in sorted(route.methods or ())]
    return found


async def test_every_route_has_a_guard(house: Any) -> None:
    seen = routes(house.app)
    assert len(seen) > 40
    for method, path, route in seen:
        guards = [call for call in _calls(route.dependant) if isinstance(call, SignedIn)]
        public = [call for call in _calls(route.dependant) if getattr(call, "public", False)]
        if (method, path) in PUBLIC:
            assert public, f"{method} {path} is listed as public, but does not say so itself"
            continue
        assert len(guards) == 1, f"{method} {path} has {len(guards)} permission dependencies; wanted exactly one"
        if (method, path) not in ANYBODY_SIGNED_IN:
            assert isinstance(guards[0], Allow), f"{method} {path} names no action"


BEYOND_VIEW = {
    ("POST", "/api/v1/alarms/acknowledge"): Action.ACKNOWLEDGE,
    ("POST", "/api/v1/alarms/reset"): Action.ACKNOWLEDGE,
    ("POST", "/api/v1/alarms/{alarm_id}/comment"): Action.ACKNOWLEDGE,
    ("POST", "/api/v1/commands"): Action.COMMAND,
    ("PUT", "/api/v1/points/{address}/limits"): Action.CONFIGURE,
    ("GET", "/api/v1/profiles"): Action.CONFIGURE,
    ("GET", "/api/v1/profiles/{profile_id}"): Action.CONFIGURE,
    ("GET", "/api/v1/profiles/{profile_id}/suggestion"): Action.CONFIGURE,
    ("POST", "/api/v1/test-reads"): Action.CONFIGURE,
    ("GET", "/api/v1/inventory"): Action.CONFIGURE,
    ("GET", "/api/v1/inventory/export"): Action.CONFIGURE,
    ("GET", "/api/v1/inventory/secrets"): Action.CONFIGURE,
    ("POST", "/api/v1/inventory/devices"): Action.CONFIGURE,
    ("GET", "/api/v1/inventory/devices/{device_id}"): Action.CONFIGURE,
    ("PUT", "/api/v1/inventory/devices/{device_id}"): Action.CONFIGURE,
    ("DELETE", "/api/v1/inventory/devices/{device_id}"): Action.CONFIGURE,
    ("POST", "/api/v1/inventory/devices/{device_id}/retire"): Action.CONFIGURE,
    ("POST", "/api/v1/inventory/devices/{device_id}/restore"): Action.CONFIGURE,
    ("POST", "/api/v1/commissioning"): Action.CONFIGURE,
    ("PUT", "/api/v1/calendar/booking/{entry_id}"): Action.CONFIGURE,
    ("PUT", "/api/v1/calendar/works/{entry_id}"): Action.CONFIGURE,
    ("POST", "/api/v1/calendar/works/{entry_id}/end"): Action.CONFIGURE,
    ("POST", "/api/v1/calendar/inspection/{entry_id}/done"): Action.CONFIGURE,
    ("POST", "/api/v1/calendar/{kind}/{entry_id}/remove"): Action.CONFIGURE,
    ("POST", "/api/v1/calendar/{kind}/{entry_id}/reset"): Action.CONFIGURE,
    ("PUT", "/api/v1/duties/{duty_id}"): Action.CONFIGURE,
    ("POST", "/api/v1/duties/{duty_id}/reset"): Action.CONFIGURE,
    ("POST", "/api/v1/notification-channels/{channel_id}/test"): Action.CONFIGURE,
    ("PUT", "/api/v1/schedules/plan/{plan_id}"): Action.CONFIGURE,
    ("PUT", "/api/v1/schedules/exception/{exception_id}"): Action.CONFIGURE,
    ("POST", "/api/v1/schedules/exception/{exception_id}/remove"): Action.CONFIGURE,
    ("POST", "/api/v1/schedules/{kind}/{entry_id}/reset"): Action.CONFIGURE,
    ("PUT", "/api/v1/strategies/{strategy}/mode"): Action.CONFIGURE,
    ("PUT", "/api/v1/charging/sessions/{charger}"): Action.COMMAND,
    ("POST", "/api/v1/drawings"): Action.CONFIGURE,
    ("POST", "/api/v1/drills"): Action.SAFETY,
    ("POST", "/api/v1/drills/{drill_id}/request"): Action.SAFETY,
    ("POST", "/api/v1/drills/{drill_id}/confirm"): Action.ACKNOWLEDGE,
    ("POST", "/api/v1/drills/{drill_id}/cancel"): Action.SAFETY,
    ("POST", "/api/v1/drills/{drill_id}/stand-down"): Action.SAFETY,
    ("POST", "/api/v1/drills/{drill_id}/abort"): Action.ACKNOWLEDGE,
    ("POST", "/api/v1/drills/{drill_id}/injects/{inject}/give"): Action.SAFETY,
    ("POST", "/api/v1/drills/{drill_id}/injects/{inject}/answer"): Action.ACKNOWLEDGE,
    ("POST", "/api/v1/drills/{drill_id}/notes"): Action.ACKNOWLEDGE,
    ("POST", "/api/v1/drills/{drill_id}/restore"): Action.SAFETY,
    ("POST", "/api/v1/drills/{drill_id}/report"): Action.SAFETY,
    ("POST", "/api/v1/drills/{drill_id}/muster"): Action.MUSTER,
    ("POST", "/api/v1/reports"): Action.CONFIGURE,
    ("PUT", "/api/v1/plans/{building}/{floor}"): Action.CONFIGURE,
    ("DELETE", "/api/v1/plans/{building}/{floor}"): Action.CONFIGURE,
    ("GET", "/api/v1/users"): Action.MANAGE_USERS,
    ("POST", "/api/v1/users"): Action.MANAGE_USERS,
    ("GET", "/api/v1/users/{name}"): Action.MANAGE_USERS,
    ("PATCH", "/api/v1/users/{name}"): Action.MANAGE_USERS,
    ("DELETE", "/api/v1/users/{name}"): Action.MANAGE_USERS,
    ("POST", "/api/v1/users/{name}/link"): Action.MANAGE_USERS,
    ("GET", "/api/v1/tokens"): Action.MANAGE_USERS,
    ("POST", "/api/v1/tokens"): Action.MANAGE_USERS,
    ("DELETE", "/api/v1/tokens/{token_id}"): Action.MANAGE_USERS,
    ("GET", "/api/v1/cameras/{address}/snapshot"): Action.SECURITY,
    ("POST", "/api/v1/fire/stand-down"): Action.SAFETY,
    ("GET", "/api/v1/audit"): Action.AUDIT,
    ("GET", "/api/v1/audit/verify"): Action.AUDIT,
}
"""The published matrix: what is not here needs `view` and nothing more."""


async def test_matrix_is_the_published_one(house: Any) -> None:
    for method, path, route in routes(house.app):
        for call in _calls(route.dependant):
            if isinstance(call, Allow):
                wanted = BEYOND_VIEW.get((method, path), Action.VIEW)
                assert call.action is wanted, f"{method} {path}"
                assert wanted is not Action.VIEW or method in SAFE, f"{method} {path} changes something with view alone"


@pytest.mark.parametrize("role", list(Role))
async def test_every_route_with_every_role(house: Any, role: Role) -> None:
    browser = await house.user(role)
    checked = 0
    for method, path, route in routes(house.app):
        guard = next((call for call in _calls(route.dependant) if isinstance(call, Allow)), None)
        if guard is None:
            continue
        address = path.removeprefix("/api/v1").format(**VALUES)
        # An empty object is no valid body anywhere, so that nothing is changed and only the permission counts.
        reply = await browser(method, address, json={} if method in {"POST", "PUT", "PATCH"} else None)
        assert reply.status_code < 500, f"{method} {path}: {reply.text}"
        if set(guard.actions) & ROLES[role]:
            assert reply.status_code not in {401, 403}, f"{method} {path} as {role}: {reply.text}"
        else:
            assert reply.status_code == 403, f"{method} {path} as {role}: {reply.status_code} {reply.text}"
        checked += 1
    assert checked > 30


SLOTS: dict[int, set[Role]] = {
    3: {Role.ENGINEER},
    7: {Role.SAFETY_OFFICER},
    8: {Role.OPERATOR, Role.ENGINEER},
    15: {Role.ENGINEER},
    1: set(),
    2: set(),
    6: set(),
}
"""The published matrix of slots: who may fill and empty them."""


@pytest.mark.parametrize("role", list(Role))
async def test_every_slot_with_every_role(house: Any, role: Role) -> None:
    browser = await house.user(role)
    for slot, roles in SLOTS.items():
        for value in (25.0, None):
            body = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": value, "slot": slot, "reason": "x"}
            reply = await browser("POST", "/commands", json=body)
            assert reply.status_code == (202 if role in roles else 403), f"slot {slot}: {reply.text}"


async def test_the_emergency_of_an_area_is_not_that_of_another(house: Any) -> None:
    browser = await house.user(Role.SAFETY_OFFICER, areas=("west",))
    body = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25.0, "slot": 7, "reason": "lock-down"}
    assert (await browser("POST", "/commands", json=body)).status_code == 202
    body["point"] = "hall.plant.ch1.enable"
    assert (await browser("POST", "/commands", json={**body, "value": 0.0})).status_code == 404


async def test_nobody_gets_in_anywhere(house: Any) -> None:
    browser = house.browser()
    for method, path, _ in routes(house.app):
        if (method, path) in PUBLIC:
            continue
        address = path.removeprefix("/api/v1").format(**VALUES)
        reply = await browser(method, address, json={} if method in {"POST", "PUT", "PATCH"} else None)
        assert reply.status_code == 401, f"{method} {path}: {reply.status_code}"
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["what_to_do"]


async def test_person_of_one_area_sees_and_commands_only_that(house: Any) -> None:
    browser = await house.user(Role.OPERATOR, areas=("west",))
    house.raise_alarm()
    assert {item["address"] for item in (await browser("GET", "/points")).json()["items"]} == {
        "hall.hvac.ahu1.zone_temp",
        "hall.hvac.ahu1.zone_temp_sp",
        "hall.hvac.ahu1.mode",
    }
    assert [item["address"] for item in (await browser("GET", "/site")).json()["equipment"]] == ["hall.hvac.ahu1"]
    assert [item["id"] for item in (await browser("GET", "/devices")).json()["items"]] == ["dev-ahu1"]
    assert (await browser("GET", "/alarms")).json()["items"] == []
    assert (await browser("GET", "/alarm-journal")).json()["items"] == []
    assert (await browser("GET", "/search", params={"q": "tx1"})).json() == {"points": [], "equipment": []}
    for path in (
        "/points/hall.electrical.tx1.power",
        "/points/hall.plant.ch1.enable/slots",
        "/points/hall.electrical.tx1.power/limits",
        "/equipment/hall.plant.ch1",
        "/values?points=hall.plant.ch1.cop",
        "/values?equipment=hall.plant.ch1",
        "/history?points=hall.plant.ch1.cop&start=0&end=1000",
        "/alarms/hall.electrical.tx1.winding_temp_a%23high",
        "/alarms/hall.electrical.tx1.winding_temp_a%23high/journal",
        "/devices/dev-tx1",
        "/commands?point=hall.plant.ch1.enable",
    ):
        assert (await browser("GET", path)).status_code == 404, path
    outside = {"point": "hall.plant.ch1.enable", "value": 1.0, "reason": "try"}
    assert (await browser("POST", "/commands", json=outside)).status_code == 404
    ids = {"ids": ["hall.electrical.tx1.winding_temp_a#high"]}
    assert (await browser("POST", "/alarms/acknowledge", json=ids)).status_code == 404
    inside = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25.0, "reason": "too warm"}
    assert (await browser("POST", "/commands", json=inside)).status_code == 202
    assert house.runtime.alarms.active()[0].state.state == "unacknowledged"


async def test_pages_of_journals_are_full_for_a_person_of_one_area(house: Any) -> None:
    browser = await house.user(Role.VIEWER, areas=("west",))
    for number in range(30):
        for device in ("dev-tx1", "dev-ahu1"):
            house.journal.event(Event(f"{device}-{number}", device, "test", number))
    house.raise_alarm()
    for number in range(40):
        definition = "hall.electrical.tx1.winding_temp_a#high" if number % 4 else "hall.hvac.ahu1.zone_temp#high"
        house.journal.alarm(AlarmRow(f"o{number}", definition, number, "raised", "normal", "unacknowledged"))
    await house.journal.commit()
    house.runtime.alarms = house.runtime.alarms.migrate([*house.runtime.alarms.definitions, WEST])
    for path, key, wanted in (("/events", "source", "dev-ahu1"), ("/alarm-journal", "alarm", WEST.id)):
        first = (await browser("GET", f"{path}?limit=8")).json()
        assert [item[key] for item in first["items"]] == [wanted] * 8, path
        rest, cursor = [], first["next"]
        while cursor:
            page = (await browser("GET", f"{path}?limit=8&cursor={cursor}")).json()
            rest += page["items"]
            cursor = page["next"]
        assert {item[key] for item in rest} == {wanted}
        assert len(rest) == (22 if path == "/events" else 2)
    everything = await house.user(Role.VIEWER, name="all")
    assert {item["source"] for item in (await everything("GET", "/events")).json()["items"]} == {"dev-tx1", "dev-ahu1"}
