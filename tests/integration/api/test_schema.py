"""The description of the API is true: examples fit their models, answers fit the description, and nothing is a 5xx."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import schemathesis
from fastapi.routing import APIRoute, iter_route_contexts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from schemathesis.core.result import Ok

from controller.api.body import Page
from controller.drill import course
from controller.drill.scenario import Level
from controller.identity.permission import Role
from controller.plan.store import digest
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI


DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1200 800"><path d="M0 0h1200v800H0z"/></svg>'
MANUAL = b"%PDF-1.4 how to run it"
"""As in the house of conftest.py."""
FILES = ("application/pdf", "image/svg+xml", "application/toml", "text/turtle", "application/vnd.haystack+json")


def _models(app: FastAPI) -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            body = [field.field_info.annotation for field in route.dependant.body_params]
            for model in (route.response_model, *body):
                if isinstance(model, type) and issubclass(model, BaseModel):
                    found.add(model)
                    arguments = model.__pydantic_generic_metadata__["args"]
                    found.update(entry for entry in arguments if issubclass(entry, BaseModel))
    return found


async def test_every_model_has_a_true_example(house: Any) -> None:
    models = _models(house.app)
    assert len(models) > 25
    without = []
    for model in models:
        examples = model.model_json_schema().get("examples", [])
        if issubclass(model, Page):
            continue
        if not examples:
            without.append(model.__name__)
        for example in examples:
            TypeAdapter(model).validate_json(orjson.dumps(example))
    # These are lists of things that have examples of their own.
    assert sorted(without) == ["HistoryReply", "LinkReply", "SiteReply", "TokenMade"]


HOURS = {
    "weekly": [{"days": ["mon"], "from": "08:00", "to": "12:00", "mode": "on"}],
    "default": "off",
    "booking": None,
    "enabled": True,
    "values": {"on": {"mode": 1.0}},
    "reason": "x",
}
TYPHOON = {
    "title": {"zh": "颱風停班", "en": "Typhoon day"},
    "schedules": ["office"],
    "from": "2026-01-05",
    "to": "2026-01-05",
    "day": "holiday",
    "reason": "x",
}


async def _fill(house: Any) -> Any:
    """Put something of everything into the house; return two people who together may use every route."""
    admin, engineer = await house.user(Role.ADMINISTRATOR), await house.user(Role.ENGINEER)
    house.put("hall.electrical.tx1.winding_temp_a", 96.5)
    house.put("hall.electrical.tx1.power", 812.0)
    house.runtime.table().apply(Readings.of([2], [float("nan")], house.clock.now_ns(), Quality.BAD_SENSOR))
    house.history.readings[0] = [
        (house.clock.now_ns() - 3_000_000_000, 95.0, 0),
        (house.clock.now_ns() - 2_000_000_000, float("nan"), int(Quality.BAD_SENSOR)),
        (house.clock.now_ns() - 1_000_000_000, 96.0, 0),
    ]
    house.raise_alarm()
    drills, now_ns = house.runtime.drills, house.clock.now_ns()
    scenario = house.runtime.scenarios()["tea"]
    drills.add(course.plan("d-1", scenario, Level.SIMULATED, now_ns + 3_600_000_000_000, "officer", now_ns))
    drills.request("d-1", "officer")
    drills.confirm("d-1", "duty")
    drills.turn()
    drills.act("d-1", lambda drill, at: course.stand_down(drill, "officer", at, "enough"))
    drills.restored("d-1", "officer", ["told"])
    body = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25.0, "reason": "warm", "expires_s": 60.0}
    assert (await engineer("POST", "/commands", json=body)).status_code == 202
    house.burn(reset=True)
    await admin("POST", "/tokens", json={"name": "t", "permissions": [{"action": "view", "area": "*"}]})
    return admin, engineer


async def test_answers_fit_their_models_and_hold_no_nan(house: Any) -> None:
    admin, _ = await _fill(house)
    now = house.clock.now_ns() // 1_000_000
    span = f"points=hall.electrical.tx1.winding_temp_a&start={now - 2500}&end={now}"
    concrete = {
        "/history": [f"/history?{span}&buckets=2", f"/history?{span}&buckets=0"],
        "/values": ["/values?system=electrical", "/values?equipment=hall.hvac.ahu1"],
        "/search": ["/search?q=temp"],
        "/points/{address}": ["/points/hall.hvac.ahu1.mode", "/points/hall.electrical.tx1.winding_temp_a"],
        "/points/{address}/slots": ["/points/hall.hvac.ahu1.zone_temp_sp/slots"],
        "/points/{address}/limits": ["/points/hall.electrical.tx1.winding_temp_a/limits"],
        "/equipment/{address}": ["/equipment/hall.plant.ch1"],
        **{
            f"/equipment/{{address}}/{noun}": [f"/equipment/hall.hvac.ahu1/{noun}"]
            for noun in ("documents", "alarms", "commands", "events")
        },
        "/equipment/{address}/documents/{digest}": [f"/equipment/hall.hvac.ahu1/documents/{digest(MANUAL)}"],
        "/drawings/{drawing_id}": [f"/drawings/{digest(DRAWING)}"],
        "/plans/{building}/{floor}": ["/plans/hall/1F", "/plans/hall/B1"],
        "/plans/{building}/{floor}/export": ["/plans/hall/1F/export"],
        "/alarms/{alarm_id}": ["/alarms/hall.electrical.tx1.winding_temp_a%23high"],
        "/alarms/{alarm_id}/journal": ["/alarms/hall.electrical.tx1.winding_temp_a%23high/journal"],
        "/commands/{command_id}": ["/commands/c-1"],
        "/devices/{device_id}": ["/devices/dev-tx1"],
        "/users/{name}": ["/users/u.administrator"],
        "/profiles/{profile_id}": ["/profiles/site-standard-ahu"],
        "/profiles/{profile_id}/suggestion": ["/profiles/eastron-sdm630/suggestion", "/profiles/abb-ach580/suggestion"],
        "/inventory/devices/{device_id}": ["/inventory/devices/dev-tx1"],
        "/inventory/secrets": ["/inventory/secrets?endpoint=opc.tcp://10.0.0.3:4840"],
        "/inventory/export": [],
        "/calendar/{kind}/{entry_id}": [
            "/calendar/booking/b1",
            "/calendar/works/w1",
            "/calendar/inspection/i1",
        ],
        "/drills/{drill_id}": ["/drills/d-1"],
        "/drills/{drill_id}/entries": ["/drills/d-1/entries"],
        "/drills/{drill_id}/notices": ["/drills/d-1/notices"],
        "/drills/{drill_id}/muster": ["/drills/d-1/muster"],
        "/drills/{drill_id}/report": ["/drills/d-1/report?language=en"],
        "/duties/{duty_id}": ["/duties/plant"],
        "/reports/{report_id}/{language}/{format}": [],  # files; test_report.py looks at them
        "/schedules/plan/{plan_id}": ["/schedules/plan/office"],
        "/schedules/exception/{exception_id}": ["/schedules/exception/cleaning"],
        "/schedules/points/{address}": [
            "/schedules/points/hall.hvac.ahu1.mode",
            "/schedules/points/hall.electrical.tx1.power",
        ],
        "/strategies/{strategy}": ["/strategies/demand"],
        "/vehicles/{reported}": ["/vehicles/xev%200001", "/vehicles/F1EE7001", "/vehicles/car-01"],
    }
    checked = 0
    for context in iter_route_contexts(house.app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or "GET" not in (route.methods or ()) or not route.include_in_schema:
            continue
        path = str(context.path).removeprefix("/api/v1")
        if path in ("/cameras/{address}/snapshot", "/charging/sessions/{charger}"):
            continue  # a picture, and what a site with chargers has; test_security.py, test_charging_session.py
        for address in concrete.get(path, [path]):
            reply = await admin("GET", address)
            assert reply.status_code == 200, f"{address}: {reply.text}"
            if route.response_model is None:  # a file, or the model in the words of others
                assert reply.headers["content-type"].split(";")[0] in FILES, address
                continue
            assert "NaN" not in reply.text
            TypeAdapter(route.response_model).validate_json(reply.content)
            checked += 1
    assert checked > 25


async def test_answers_to_changes_fit_their_models(house: Any) -> None:
    admin, engineer = await _fill(house)
    alarm = "hall.electrical.tx1.winding_temp_a%23high"
    limits = "/points/hall.electrical.tx1.winding_temp_a/limits"
    etag = (await engineer("GET", limits)).headers["etag"]
    works = {"kind": "maintenance", "title": {"zh": "保養", "en": "Service"}, "from": "2026-01-01", "to": "2026-01-02"}
    booking = {"venue": "hall", "title": {"zh": "展", "en": "Show"}, "start": "2026-02-03T09:00Z", "end": "2026-02-04"}

    async def match(path: str) -> dict[str, str]:
        return {"If-Match": (await engineer("GET", path)).headers["etag"]}

    changed = {**works, "equipment": ["hall.plant.ch1"], "reason": "x"}
    path = "/calendar/works/w1"
    assert (await engineer("PUT", path, json=changed, headers=await match(path))).status_code == 200
    user = {"name": "chen", "display_name": "陳", "role": "viewer", "areas": ["west"]}
    state = house.runtime.alarms.get(alarm.replace("%23", "#")).state
    links = house.runtime.notify.desk.links
    look, use = (links.make("u.engineer", state.definition, state.occurrence, "m") for _ in range(2))
    roster = {"shifts": [], "substitutes": [], "reason": "x"}
    phone = {"endpoint": "https://fcm.googleapis.com/fcm/send/1", "keys": {"p256dh": "B" * 87, "auth": "A" * 22}}
    officer = await house.user(Role.SAFETY_OFFICER)
    calls: dict[tuple[str, str], tuple[Any, str, dict[str, Any]]] = {
        ("PUT", "/duties/{duty_id}"): (engineer, "/duties/plant", {"json": roster}),
        ("POST", "/duties/{duty_id}/reset"): (engineer, "/duties/plant/reset", {"json": {"reason": "x"}}),
        ("POST", "/notification-channels/{channel_id}/test"): (
            engineer,
            "/notification-channels/hook/test",
            {"json": {"contact": "room"}},
        ),
        ("PUT", "/phone/language"): (engineer, "", {"json": {"language": "en"}}),
        ("POST", "/phone/subscriptions"): (engineer, "", {"json": phone}),
        ("POST", "/phone/test"): (engineer, "", {}),
        ("POST", "/acknowledge-links/look"): (house.browser(), "", {"json": {"token": look}}),
        ("POST", "/acknowledge-links/use"): (house.browser(), "", {"json": {"token": use}}),
        ("POST", "/fire/stand-down"): (officer, "", {"json": {"response": "fire-1", "reason": "false alarm"}}),
        ("POST", "/alarms/acknowledge"): (engineer, "", {"json": {"ids": [alarm.replace("%23", "#")]}}),
        ("POST", "/alarms/reset"): (engineer, "", {"json": {"ids": [alarm.replace("%23", "#")]}}),
        ("POST", "/alarms/{alarm_id}/comment"): (engineer, f"/alarms/{alarm}/comment", {"json": {"comment": "x"}}),
        ("POST", "/commands"): (
            engineer,
            "",
            {"json": {"point": "hall.plant.ch1.enable", "value": 1.0, "reason": "x"}},
        ),
        ("PUT", "/points/{address}/limits"): (
            engineer,
            limits,
            {
                "json": {"high_high": 150.0, "high": 120.0, "low": None, "low_low": None, "reason": "x"},
                "headers": {"If-Match": etag},
            },
        ),
        ("POST", "/test-reads"): (
            engineer,
            "",
            {"json": {"profile": "eastron-sdm630", "endpoint": "tcp://10.0.0.5:502"}},
        ),
        ("POST", "/inventory/devices"): (
            engineer,
            "",
            {
                "json": {
                    "device": {
                        "id": "em004-meter",
                        "equipment": "hall.meter.em004",
                        "profile": "eastron-sdm630",
                        "endpoint": "tcp://10.0.0.2:502",
                        "unit": 4,
                    },
                    "equipment": {
                        "id": "hall.meter.em004",
                        "class": "meter",
                        "name": {"zh": "電表 4", "en": "Meter 4"},
                    },
                    "reason": "new",
                }
            },
        ),
        ("PUT", "/inventory/devices/{device_id}"): (
            engineer,
            "/inventory/devices/dev-tx1",
            {
                "json": {
                    "device": {
                        "id": "dev-tx1",
                        "equipment": "hall.electrical.tx1",
                        "profile": "tecsystem-nt935",
                        "endpoint": "rtu+tcp://10.0.0.9:4002",
                    },
                    "reason": "other port",
                }
            },
        ),
        ("POST", "/inventory/devices/{device_id}/retire"): (
            engineer,
            "/inventory/devices/dev-tx1/retire",
            {"json": {"reason": "away"}},
        ),
        ("POST", "/inventory/devices/{device_id}/restore"): (
            engineer,
            "/inventory/devices/dev-tx1/restore",
            {"json": {"reason": "back"}},
        ),
        ("POST", "/commissioning"): (
            engineer,
            "",
            {"json": {"point": "hall.electrical.tx1.power", "reference": 811.0, "verdict": "ok"}},
        ),
        ("PUT", "/strategies/{strategy}/mode"): (
            engineer,
            "/strategies/demand/mode",
            {"json": {"mode": "dry_run", "reason": "x"}, "headers": await match("/strategies/demand")},
        ),
        ("PUT", "/calendar/booking/{entry_id}"): (
            engineer,
            "/calendar/booking/b2",
            {"json": {**booking, "end": "2026-02-03T12:00Z", "reason": "x"}},
        ),
        ("PUT", "/calendar/works/{entry_id}"): (
            engineer,
            "/calendar/works/w2",
            {"json": {**works, "equipment": ["hall.hvac.*"], "reason": "x"}},
        ),
        ("POST", "/calendar/works/{entry_id}/end"): (engineer, "/calendar/works/w2/end", {"json": {"reason": "x"}}),
        ("POST", "/calendar/inspection/{entry_id}/done"): (
            engineer,
            "/calendar/inspection/i1/done",
            {"json": {"date": "2025-12-30", "certificate_until": "2026-06-30", "reason": "x"}},
        ),
        ("POST", "/calendar/{kind}/{entry_id}/remove"): (
            engineer,
            "/calendar/booking/b1/remove",
            {"json": {"reason": "x"}},
        ),
        ("POST", "/calendar/{kind}/{entry_id}/reset"): (
            engineer,
            "/calendar/works/w1/reset",
            {"json": {"reason": "x"}},
        ),
        ("PUT", "/schedules/plan/{plan_id}"): (
            engineer,
            "/schedules/plan/office",
            {"json": HOURS, "headers": await match("/schedules/plan/office")},
        ),
        ("PUT", "/schedules/exception/{exception_id}"): (engineer, "/schedules/exception/typhoon", {"json": TYPHOON}),
        ("POST", "/schedules/exception/{exception_id}/remove"): (
            engineer,
            "/schedules/exception/typhoon/remove",
            {"json": {"reason": "x"}},
        ),
        ("POST", "/schedules/{kind}/{entry_id}/reset"): (
            engineer,
            "/schedules/plan/office/reset",
            {"json": {"reason": "x"}},
        ),
        ("POST", "/drawings"): (engineer, "", {"content": DRAWING, "headers": {"Content-Type": "image/svg+xml"}}),
        ("PUT", "/plans/{building}/{floor}"): (
            engineer,
            "/plans/hall/1F",
            {
                "json": {"width": 1200, "height": 800, "drawing": None, "zones": [], "placements": [], "reason": "x"},
                "headers": {"If-Match": (await engineer("GET", "/plans/hall/1F")).headers["etag"]},
            },
        ),
        ("POST", "/users"): (admin, "", {"json": user}),
        ("PATCH", "/users/{name}"): (admin, "/users/chen", {"json": {"display_name": "陳小姐"}}),
        ("POST", "/users/{name}/link"): (admin, "/users/chen/link", {}),
        ("POST", "/tokens"): (admin, "", {"json": {"name": "u", "permissions": [{"action": "view", "area": "*"}]}}),
        ("POST", "/session"): (
            house.browser(),
            "",
            {"json": {"username": "u.engineer", "password": "four quiet words here"}},
        ),
    }
    checked = set()
    for context in iter_route_contexts(house.app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute):
            continue
        path = str(context.path).removeprefix("/api/v1")
        for method in route.methods or ():
            if (method, path) in calls:
                person, address, more = calls[method, path]
                if "/inventory/devices/" in path:
                    read = await engineer("GET", "/inventory/devices/dev-tx1")
                    more = {**more, "headers": {"If-Match": read.headers["etag"]}}
                if method == "PATCH":
                    more = {**more, "headers": {"If-Match": (await admin("GET", "/users/chen")).headers["etag"]}}
                if address.startswith("/duties"):
                    more = {**more, "headers": await match("/duties/plant")}
                if address.startswith(("/calendar", "/schedules")) and method == "POST":
                    more = {**more, "headers": await match(address.rpartition("/")[0])}
                reply = await person(method, address or path, **more)
                assert reply.is_success, f"{method} {path}: {reply.text}"
                TypeAdapter(route.response_model).validate_json(reply.content)
                checked.add((method, path))
            elif method not in {"GET", "HEAD", "DELETE"} and route.include_in_schema:
                # Tests of their own try these, with the same look at the models (test_drill.py, test_report.py …).
                others = ("/session/password", "/session/link", "/phone/", "/drills", "/reports", "/charging/")
                assert path.startswith(others), f"{method} {path} is not tried here"
    assert checked == calls.keys()


async def test_about_names_what_it_stands_on_with_licences(house: Any) -> None:
    admin, _ = await _fill(house)
    about = (await admin("GET", "/about")).json()
    found = {entry["name"]: entry for entry in about["components"]}
    assert {"numpy", "fastapi", "pymodbus", "asyncua", "paho-mqtt", "sqlalchemy"} <= found.keys()
    without = [name for name, entry in found.items() if not entry["license"] or not entry["version"]]
    assert without == []


async def test_history_has_gaps_as_null_and_what_was_before(house: Any) -> None:
    admin, _ = await _fill(house)
    now = house.clock.now_ns() // 1_000_000
    reply = await admin(
        "GET", f"/history?points=hall.electrical.tx1.winding_temp_a&start={now - 2500}&end={now}&buckets=0"
    )
    series = reply.json()["series"][0]
    assert series["time"] == [now - 2000, now - 1000]
    assert series["value"] == [None, 96.0]
    assert series["quality"] == [130, 0]
    assert series["before"] == {"time": now - 3000, "value": 95.0}


async def test_history_file_opens_in_a_spreadsheet_without_running_anything(house: Any) -> None:
    admin, _ = await _fill(house)
    points = dict(house.site.points)
    first = points["hall.electrical.tx1.winding_temp_a"]
    points[first.address] = replace(first, name=replace(first.name, zh='=HYPERLINK("http://evil.example")'))
    house.site = replace(house.site, points=points)
    now = house.clock.now_ns() // 1_000_000
    reply = await admin("GET", f"/history?points={first.address}&start={now - 5000}&end={now}&buckets=0&format=csv")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in reply.headers["content-disposition"]
    lines = reply.text.removeprefix("\ufeff").splitlines()
    assert lines[0] == "time (Asia/Taipei),point,name,unit,value,quality"
    assert lines[1].startswith("2026-01-01T07:59:57.000+08:00,hall.electrical.tx1.winding_temp_a,\"'=HYPERLINK(")
    assert lines[1].endswith(",°C,95,0")
    assert lines[2].endswith(",°C,,130")


async def test_site_is_not_sent_twice(house: Any) -> None:
    admin = await house.user(Role.VIEWER)
    first = await admin("GET", "/site")
    again = await admin("GET", "/site", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    house.site = replace(house.site, generation=2)
    assert (await admin("GET", "/site", headers={"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_pages_join_to_the_whole(house: Any) -> None:
    admin = await house.user(Role.ADMINISTRATOR)
    for path, key in (("/points", "address"), ("/audit", "id")):
        whole = [item[key] for item in (await admin("GET", f"{path}?limit=1000")).json()["items"]]
        parts, cursor = [], ""
        while cursor is not None:
            page = (await admin("GET", f"{path}?limit=2&cursor={cursor}")).json()
            assert len(page["items"]) <= 2
            parts += [item[key] for item in page["items"]]
            cursor = page["next"]
        assert parts == whole
        assert len(whole) > 4


_ADMINISTERED = ("/api/v1/users", "/api/v1/tokens", "/api/v1/audit")


def test_generated_requests_never_give_a_5xx(tmp_path: Path, opener: Any) -> None:
    """Requests made from the description, good and bad, by people who may: no 5xx."""
    open_house, close_house = opener
    with asyncio.Runner() as runner:
        house = runner.run(open_house(tmp_path))
        admin, engineer = runner.run(_fill(house))
        schema = schemathesis.openapi.from_dict(house.app.openapi())
        tried = 0
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if operation.path.startswith("/api/v1/session"):
                continue
            person = admin if operation.path.startswith(_ADMINISTERED) else engineer
            strategy = st.one_of(
                operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
                operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
            )

            @settings(
                max_examples=12,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def attempt(case: Any) -> None:
                nonlocal tried
                tried += 1
                sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8080")
                reply = runner.run(_send(person, sent))  # noqa: B023 - called within the turn
                assert reply.status_code < 500, f"{sent}: {reply.text}"
                if reply.status_code >= 400:
                    assert reply.headers["content-type"] == "application/problem+json"
                    assert reply.json()["what_to_do"]

            attempt()
        runner.run(close_house(house))
    assert tried > 200


async def _send(admin: Any, sent: dict[str, Any]) -> Any:
    headers = {str(key): str(value) for key, value in (sent.get("headers") or {}).items()}
    encoded = {key: value.encode("utf-8", "replace") for key, value in headers.items() if key.lower() != "cookie"}
    body = {key: sent[key] for key in ("json", "data", "content") if sent.get(key) is not None}
    if isinstance(body.get("data"), bytes | str):
        body["content"] = body.pop("data")
    try:
        request = admin.http.build_request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers={"Origin": "http://127.0.0.1:8080", "X-CSRF-Token": admin.csrf, **encoded},
            **body,
        )
    except (httpx.InvalidURL, TypeError, UnicodeError, ValueError, AttributeError):
        # What cannot be written as an HTTP request cannot arrive.
        return httpx.Response(204)
    return await admin.http.send(request)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health(house: Any, path: str) -> None:
    assert (await house.browser("10.0.0.9")("GET", path)).status_code == 200


async def test_metrics_are_for_this_machine_or_the_token(house: Any) -> None:
    await _fill(house)
    text = (await house.browser()("GET", "/metrics")).text
    assert 'shifu_devices{state="good"} 3.0' in text
    assert 'shifu_alarms_active{priority="2"} 1.0' in text
    assert 'shifu_points{quality="good"} 2.0' in text
    assert 'route="/api/v1/commands"' in text
    assert (await house.browser("10.0.0.9")("GET", "/metrics")).status_code == 401
