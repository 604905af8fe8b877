"""Calendars in a whole controller: works put in on a screen take equipment out of service and give it back."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from controller.app import Controller
from drivers.reading import Quality, Readings
from tests.services.controller import running, until

if TYPE_CHECKING:
    pass

METER = "main.electrical.meter1"
POWER = f"{METER}.power"
MINIMAL = Path(__file__).parents[3] / "config" / "minimal"
TODAY = datetime.now(UTC).date()
FIRST, LAST = (TODAY - timedelta(days=2)).isoformat(), (TODAY + timedelta(days=30)).isoformat()
OUT = int(Quality.BAD_OUT_OF_SERVICE)
WORKS = {
    "kind": "maintenance",
    "title": {"zh": "電表更換", "en": "A new meter"},
    "from": FIRST,
    "to": LAST,
    "equipment": ["main.electrical.*"],
    "why": {"zh": "停電", "en": "no power"},
    "reason": "工單申請",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(MINIMAL, tmp_path / "site")
    alarms = tmp_path / "site" / "alarms.toml"
    alarms.write_text(alarms.read_text("utf-8").replace("on_delay_s = 60", "on_delay_s = 0"), "utf-8")
    device = tmp_path / "site" / "devices" / "meter.toml"
    # Nothing listens there: readings come from the test, through the inbox like those of a link.
    device.write_text(device.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:1"), "utf-8")
    return tmp_path


def read(controller: Controller, power: float) -> None:
    site = controller.configuration.site
    device = controller.configuration.devices[0]
    controller.inbox.readings(device, Readings.of([site.points[POWER].number], [power], controller.clock.now_ns()))


async def value(http: httpx.AsyncClient) -> dict[str, Any]:
    items = (await http.get("/values", params={"points": POWER})).json()["items"]
    return dict(items[0])


async def alarms(http: httpx.AsyncClient) -> set[str]:
    items = (await http.get("/alarms", params={"equipment": METER})).json()["items"]
    return {item["id"] for item in items if item["state"] != "normal"}


async def test_works_take_out_of_service_end_and_give_back(folder: Path) -> None:
    async with running(folder) as (controller, http):
        read(controller, 60.0)
        await until(lambda: _is(http, 60.0, 0))
        assert f"{POWER}#high" in await until(lambda: alarms(http))
        reply = await http.put("/calendar/works/115-0001", json=WORKS)
        assert reply.status_code == 200, reply.text
        assert (reply.json()["phase"], reply.json()["equipment"]) == ("on", [METER])

        read(controller, 80.0)
        await until(lambda: _is(http, 80.0, OUT))
        assert await alarms(http) == set()
        calendar = (await http.get("/calendar")).json()
        (out,) = calendar["out_of_service"]
        assert (out["equipment"], out["works"], out["points"]) == (METER, "115-0001", 28)
        assert calendar["alarms_out_of_service"] == 2

        # History has what came meanwhile, flagged.
        await until(lambda: _in_history(http, 80.0))

    # Through a restart it stays out, before the first reading comes.
    async with running(folder) as (controller, http):
        assert (await value(http))["quality"] == OUT
        read(controller, 90.0)
        await until(lambda: _is(http, 90.0, OUT))
        assert await alarms(http) == set()
        etag = (await http.get("/calendar/works/115-0001")).headers["etag"]
        assert (await http.post("/calendar/works/115-0001/end", json={"reason": "完工"})).status_code == 428
        reply = await http.post("/calendar/works/115-0001/end", json={"reason": "完工"}, headers={"If-Match": etag})
        assert reply.json()["phase"] == "over"
        read(controller, 90.0)
        await until(lambda: _is(http, 90.0, 0))
        assert f"{POWER}#high" in await until(lambda: alarms(http))


async def _is(http: httpx.AsyncClient, wanted: float, quality: int) -> bool:
    found = await value(http)
    return bool(found["value"] == wanted and found["quality"] == quality)


async def _in_history(http: httpx.AsyncClient, wanted: float) -> bool:
    now = round(datetime.now(UTC).timestamp() * 1000)
    found = await http.get("/history", params={"points": POWER, "start": now - 60_000, "end": now + 1000, "buckets": 0})
    series = found.json()["series"][0]
    return (wanted, OUT) in zip(series["value"], series["quality"], strict=True)


async def test_works_of_the_files_begin_with_an_apply_and_end_by_themselves(folder: Path) -> None:
    async with running(folder) as (controller, http):
        read(controller, 10.0)
        await until(lambda: _is(http, 10.0, 0))
        text = f"""
[[works]]
id = "115-0002"
title = {{ zh = "整修", en = "Renovation" }}
from = {FIRST}
to = {LAST}
area = "office"
"""
        (folder / "site" / "calendar.toml").write_text(text, "utf-8")
        difference = await controller.apply()
        assert difference.calendar.added == ("works 115-0002",)
        assert (await value(http))["quality"] == OUT
        entry = await http.get("/calendar/works/115-0002")
        assert entry.json()["change"] is None
        # Taken away on the screen: the file keeps its row, and the overlay says that it is not to count.
        reply = await http.post(
            "/calendar/works/115-0002/remove", json={"reason": "取消"}, headers={"If-Match": entry.headers["etag"]}
        )
        assert reply.json() == {"id": "115-0002", "gone": True}
        assert (await value(http))["quality"] == 0
    async with running(folder) as (_, http):
        assert (await http.get("/calendar/works/115-0002")).status_code == 404
        assert (await http.get("/calendar")).json()["out_of_service"] == []
