"""Bad input is answered with a 4xx and a clear sentence; nothing of it is a 500 and nothing of it does anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from controller.identity.permission import Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

COMMAND = '{"point": "hall.hvac.ahu1.zone_temp_sp", "value": %s, "reason": "x"}'
HEAD = {"Content-Type": "application/json"}

BODIES = {
    "NaN": (COMMAND % "NaN", 422),
    "too large for a float": (COMMAND % "1e999", 422),
    "minus infinity": (COMMAND % "-Infinity", 422),
    "infinity as text": (COMMAND % '"Infinity"', 422),
    "number as text": (COMMAND % '"25"', 422),
    "true for a number": (COMMAND % "true", 422),
    "list for a number": (COMMAND % "[25]", 422),
    "huge": (COMMAND % "1e300", 422),
    "integer of 5,000 digits": (COMMAND % ("9" * 5000), 400),
    "out of the point's range": (COMMAND % "99", 422),
    "unknown key": (COMMAND.replace("{", '{"x": 1, ') % "25", 422),
    "no reason": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25}', 422),
    "empty reason": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": ""}', 422),
    "blank reason": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "  "}', 422),
    "line feed in the reason": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "a\\nb"}', 422),
    "lone surrogate": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "\\ud800"}', 422),
    "escape sequence": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "\\u001b[2J"}', 422),
    "right-to-left override": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "\\u202e"}', 422),
    "unknown point": ('{"point": "hall.hvac.ahu9.zone_temp_sp", "value": 25, "reason": "x"}', 404),
    "point that only measures": ('{"point": "hall.hvac.ahu1.zone_temp", "value": 25, "reason": "x"}', 409),
    "the fireman's slot": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "x", "slot": 1}', 403),
    "slot 0": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "x", "slot": 0}', 422),
    "slot 8.5": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "x", "slot": 8.5}', 422),
    "expires in the past": (
        '{"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25, "reason": "x", "expires_s": -1}',
        422,
    ),
    "state that does not exist": ('{"point": "hall.hvac.ahu1.mode", "value": 7, "reason": "x"}', 422),
    "release of an empty slot": ('{"point": "hall.hvac.ahu1.zone_temp_sp", "value": null, "reason": "x"}', 409),
    "empty body": ("", 422),
    "no JSON": ("value=25", 400),
    "half of it": ('{"point": ', 400),
    "list": ("[]", 422),
    "null": ("null", 422),
    "brackets": ("[" * 200_000, 400),
    "deep objects": ('{"a":' * 50_000 + "1" + "}" * 50_000, 400),
    "not UTF-8": (b'{"point": "\xff\xfe"}', 400),
}


@pytest.fixture
async def engineer(house: Any) -> AsyncIterator[Any]:
    yield await house.user(Role.ENGINEER)
    assert house.arbiter.recent() == []


def _is_clear(reply: Any, status: int) -> None:
    assert reply.status_code == status, f"{reply.status_code} {reply.text[:300]}"
    problem = reply.json()
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(problem) >= {"type", "title", "status", "detail", "what_to_do"}
    assert problem["status"] == status
    assert len(problem["detail"]) > 8
    assert len(problem["what_to_do"]) > 8


@pytest.mark.parametrize("case", list(BODIES))
async def test_command(engineer: Any, case: str) -> None:
    body, status = BODIES[case]
    _is_clear(await engineer("POST", "/commands", content=body, headers=HEAD), status)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_other_media_than_json(engineer: Any, media: str | None) -> None:
    headers = {} if media is None else {"Content-Type": media}
    reply = await engineer("POST", "/commands", content=(COMMAND % "25").encode(), headers=headers)
    _is_clear(reply, 422)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/points?limit=0", 422),
        ("/points?limit=1001", 422),
        ("/points?limit=1e3", 422),
        ("/points?limit=" + "9" * 400, 422),
        ("/points?cursor=1", 422),
        ("/points?cursor=1.-5", 422),
        ("/points?cursor=' OR 1=1", 422),
        ("/points?q=" + "x" * 600, 422),
        ("/points?q=%00", 422),
        ("/points/nothing.like.that", 404),
        ("/points/%00", 422),
        ("/points/" + "x" * 201, 422),
        ("/points/..%2f..%2fetc%2fpasswd", 404),
        ("/points/hall.hvac.ahu1.zone_temp/slots", 409),
        ("/values", 422),
        ("/values?points=", 422),
        ("/values?points=a,b&system=hvac", 422),
        ("/values?system=nothing", 404),
        ("/values?equipment=nothing", 404),
        ("/values?points=" + ",".join(f"p{n}" for n in range(1001)), 422),
        ("/history?points=hall.hvac.ahu1.zone_temp", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=yesterday&end=now", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=2026-01-01T00:00:00&end=2026-01-02T00:00:00", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=5000&end=5000", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=9000&end=5000", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=-1&end=5000", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=0&end=" + "9" * 30, 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=0001-01-01T00:00:00Z&end=5000", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=0&end=9999-12-31T23:59:59-23:59", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=0&end=4000000000000", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=0&end=5000&buckets=5001", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=0&end=5000&buckets=-1", 422),
        ("/history?points=hall.hvac.ahu1.zone_temp&start=0&end=5000&format=xlsx", 422),
        ("/history?points=" + "%2C".join(["hall.hvac.ahu1.zone_temp"] * 2 + ["x"]) + "&start=0&end=5000", 404),
        ("/alarms?priority=0", 422),
        ("/alarms?state=none", 422),
        ("/alarms/none", 404),
        ("/alarms/none/journal", 404),
        ("/alarm-journal?cursor=-1", 422),
        ("/alarm-journal?cursor=" + "9" * 30, 422),
        ("/events?cursor=x", 422),
        ("/events?source=%0a", 422),
        ("/commands/none", 404),
        ("/commands?point=none", 404),
        ("/devices/none", 404),
        ("/devices?state=happy", 422),
        ("/search", 422),
        ("/search?q=", 422),
        ("/search?q=" + "x" * 101, 422),
        ("/search?q=%ff%fe&limit=101", 422),
        ("/equipment/none", 404),
        ("/nothing", 404),
        ("/points/a/b/c/d", 404),
    ],
)
async def test_address(engineer: Any, path: str, status: int) -> None:
    _is_clear(await engineer("GET", path), status)


async def test_method_that_does_not_exist(engineer: Any) -> None:
    reply = await engineer("PUT", "/site", json={})
    _is_clear(reply, 405)


@pytest.mark.parametrize("chunked", [False, True])
async def test_body_of_30_megabytes(engineer: Any, chunked: bool) -> None:
    served = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal served
        for _ in range(30):
            served += 1
            yield b"x" * 1_000_000

    content: Any = parts() if chunked else b"x" * 30_000_000
    _is_clear(await engineer("POST", "/commands", content=content, headers=HEAD), 413)


async def test_compressed_body(engineer: Any) -> None:
    reply = await engineer("POST", "/commands", content=b"\x1f\x8b", headers={**HEAD, "Content-Encoding": "gzip"})
    _is_clear(reply, 415)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "A", "display_name": "x", "role": "viewer"}, 422),
        ({"name": "demo-wang", "display_name": "x", "role": "viewer"}, 422),
        ({"name": "../wang", "display_name": "x", "role": "viewer"}, 422),
        ({"name": "wang", "display_name": "", "role": "viewer"}, 422),
        ({"name": "wang", "display_name": "x", "role": "king"}, 422),
        ({"name": "wang", "display_name": "x", "role": "viewer", "areas": ["moon"]}, 422),
        ({"name": "wang", "display_name": "x", "role": "viewer", "password": "hello"}, 422),
        ({"name": "u.administrator", "display_name": "x", "role": "viewer"}, 409),
    ],
)
async def test_user(house: Any, body: dict[str, Any], status: int) -> None:
    admin = await house.user(Role.ADMINISTRATOR)
    _is_clear(await admin("POST", "/users", json=body), status)
    assert set(house.identity.users) == {"u.administrator"}


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"high": 150.0, "high_high": 120.0}, 422),
        ({"high": 5000.0}, 422),
        ({"high": 120.0, "low": 10.0}, 422),
        ({"high": "120"}, 422),
    ],
)
async def test_limits(house: Any, engineer: Any, limits: dict[str, Any], status: int) -> None:
    path = "/points/hall.electrical.tx1.winding_temp_a/limits"
    house.runtime.base_limits = lambda address: house.site.points[address].limits
    etag = (await engineer("GET", path)).headers["etag"]
    body = {"high_high": None, "high": None, "low": None, "low_low": None, "reason": "x", **limits}
    _is_clear(await engineer("PUT", path, json=body, headers={"If-Match": etag}), status)
    _is_clear(await engineer("PUT", path, json={**body, "high": 120.0, "high_high": None, "low": None}), 428)
    assert house.limits == []


async def test_a_mistake_of_ours_is_a_problem_too(house: Any, engineer: Any) -> None:
    house.history.error = RuntimeError("secret detail of the inside")
    reply = await engineer("GET", "/history?points=hall.hvac.ahu1.zone_temp&start=0&end=5000")
    assert reply.status_code == 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert "incident" in reply.json()["detail"]
    assert "secret detail" not in reply.text
    assert reply.headers["x-content-type-options"] == "nosniff"
