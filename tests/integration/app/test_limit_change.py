"""Limits changed while running, in a whole controller: server, journal, alarms, a restart, and an end by itself."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.api.health import MEANINGS
from controller.app import Controller, Options
from controller.identity.permission import Role
from drivers.reading import Readings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

POWER = "main.electrical.meter1.power"
PATH = f"/api/v1/points/{POWER}/limits"
MINIMAL = Path(__file__).parents[3] / "config" / "minimal"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(MINIMAL, tmp_path / "site")
    alarms = tmp_path / "site" / "alarms.toml"
    alarms.write_text(alarms.read_text("utf-8").replace("on_delay_s = 60", "on_delay_s = 0"), "utf-8")
    device = tmp_path / "site" / "devices" / "meter.toml"
    # Nothing listens there: readings come from the test, through the inbox like those of a link.
    device.write_text(device.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:1"), "utf-8")
    return tmp_path


class Person:
    """A signed-in person at the real server."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, headers={"Origin": url}, timeout=10)

    async def sign_in(self, link: str) -> None:
        reply = await self.http.post("/api/v1/session/link", json={"token": link})
        reply.raise_for_status()
        self.http.headers["X-CSRF-Token"] = reply.json()["csrf"]

    async def put(self, high: float | None, etag: str, **more: Any) -> httpx.Response:
        body = {"high_high": None, "high": high, "low": None, "low_low": None, "reason": "test", **more}
        return await self.http.put(PATH, json=body, headers={"If-Match": etag})

    async def state(self) -> tuple[dict[str, Any], str]:
        reply = await self.http.get(PATH)
        return reply.json(), reply.headers["etag"]

    async def alarms(self) -> dict[str, dict[str, Any]]:
        items = (await self.http.get("/api/v1/alarms", params={"equipment": "main.electrical.meter1"})).json()["items"]
        return {item["id"]: item for item in items}

    async def audit(self) -> list[dict[str, Any]]:
        reply = await self.http.get("/api/v1/audit", params={"action": "limit_change"})
        return [dict(item) for item in reply.json()["items"]]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Controller, Person]]:
    controller = Controller(Options(folder / "site", folder / "data", port=0, demo=True))
    await controller.start()
    person = Person(controller.server.url)
    try:
        await until(lambda: answers(person))
        await person.sign_in(controller.identity.demo_links()[Role.ADMINISTRATOR])
        yield controller, person
    finally:
        await person.http.aclose()
        await controller.close()


async def answers(person: Person) -> bool:
    try:
        return (await person.http.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 15.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - it is asked over HTTP
            await asyncio.sleep(0.05)
        return found


def reads(controller: Controller, power: float) -> None:
    site = controller.configuration.site
    device = controller.configuration.devices[0]
    controller.inbox.readings(device, Readings.of([site.points[POWER].number], [power], controller.clock.now_ns()))


async def raised(person: Person, limit: float) -> bool:
    alarm = (await person.alarms()).get(f"{POWER}#high")
    return alarm is not None and alarm["limit"] == limit and alarm["returned_at"] is None


async def test_changed_limits_alarm_outlive_a_restart_and_go_back_to_the_files(folder: Path) -> None:
    async with running(folder) as (controller, person):
        state, etag = await person.state()
        assert state["limits"]["high"] == 50.0
        assert state["change"] is None
        reads(controller, 45.0)
        reply = await person.put(40.0, etag)
        assert reply.status_code == 200, reply.text
        assert reply.json()["limits"]["high"] == 40.0
        assert reply.json()["change"]["reason"] == "test"
        assert (await person.http.get(f"/api/v1/points/{POWER}")).json()["limits"]["high"] == 40.0
        assert (await person.put(30.0, etag)).status_code == 412
        reads(controller, 45.0)
        await until(lambda: raised(person, 40.0))
        windows = controller.parts.rules
        assert (await person.put(39.0, reply.headers["etag"])).status_code == 200
        assert controller.parts.rules is windows, "a limit must not empty the rules' windows"
        rows = await person.audit()
        assert [(row["outcome"], row["data"]["before"]["high"], row["data"]["after"]["high"]) for row in rows] == [
            ("done", 40.0, 39.0),
            ("requested", 40.0, 39.0),
            ("done", 50.0, 40.0),
            ("requested", 50.0, 40.0),
        ]

    # Files that are wrong by now, and were not applied, must not come in with a limit.
    async with running(folder) as (controller, person):
        state, etag = await person.state()
        assert state["limits"]["high"] == 39.0
        assert state["base"]["high"] == 50.0
        assert f"{POWER}#high" in await person.alarms()
        (folder / "site" / "equipment.toml").write_text("this is no TOML", "utf-8")
        reply = await person.put(50.0, etag)
        assert reply.status_code == 200, reply.text
        assert reply.json()["change"] is None
        reads(controller, 45.0)
        await until(lambda: returned(person))
    shutil.copy(MINIMAL / "equipment.toml", folder / "site" / "equipment.toml")
    async with running(folder) as (_, person):
        state, _ = await person.state()
        assert state["limits"]["high"] == 50.0
        assert state["change"] is None


async def returned(person: Person) -> bool:
    alarm = (await person.alarms()).get(f"{POWER}#high")
    return alarm is None or alarm["returned_at"] is not None


async def test_a_change_with_an_end_ends_by_itself_and_says_so(folder: Path) -> None:
    async with running(folder) as (controller, person):
        _, etag = await person.state()
        reply = await person.put(40.0, etag, expires_s=1.0)
        assert reply.status_code == 200, reply.text
        assert reply.json()["change"]["until"] is not None

        async def ended() -> bool:
            return bool((await person.state())[0]["limits"]["high"] == 50.0)

        await until(ended)
        assert (await person.state())[0]["change"] is None
        rows = await until(lambda: ended_rows(person))
        assert rows[0]["reason"] == "its time is over"
        assert rows[0]["data"] == {
            "before": {"high_high": None, "high": 40.0, "low": None, "low_low": None},
            "after": {"high_high": None, "high": 50.0, "low": None, "low_low": None},
            "by": "demo-administrator",
        }
        reads(controller, 45.0)
        assert (await person.http.get("/api/v1/audit/verify")).json()["whole"]


async def ended_rows(person: Person) -> list[dict[str, Any]]:
    return [row for row in await person.audit() if row["actor"] == "system"]


async def test_a_change_that_ended_while_nothing_ran_is_not_in_effect_and_is_recorded(folder: Path) -> None:
    async with running(folder) as (_, person):
        _, etag = await person.state()
        assert (await person.put(40.0, etag, expires_s=0.001)).status_code == 200
    async with running(folder) as (_, person):
        assert (await person.state())[0]["limits"]["high"] == 50.0
        assert len(await until(lambda: ended_rows(person))) == 1
    async with running(folder) as (_, person):
        assert len(await until(lambda: ended_rows(person))) == 1


async def test_a_limit_taken_away_ends_its_alarm_and_the_point_says_none(folder: Path) -> None:
    async with running(folder) as (controller, person):
        reads(controller, 60.0)
        await until(lambda: raised(person, 50.0))
        _, etag = await person.state()
        reply = await person.put(None, etag)
        assert reply.status_code == 200, reply.text
        assert (await person.http.get(f"/api/v1/points/{POWER}")).json()["limits"]["high"] is None
        assert f"{POWER}#high" not in await person.alarms()


async def test_every_metric_says_what_it_means_and_is_of_its_kind(folder: Path) -> None:
    async with running(folder) as (controller, person):
        ready = (await person.http.get("/readyz")).json()
        assert ready == {
            "status": "ready",
            "checks": {"journal": True, "started": True, "log": True, "history": True},
        }
        assert set(controller.runtime.metrics()) <= MEANINGS.keys()
        families = list(text_string_to_metric_families((await person.http.get("/metrics")).text))
    found = {family.name: family for family in families}
    assert {"shifu_devices", "shifu_journal_healthy", "shifu_log_healthy", "shifu_history_healthy"} <= found.keys()
    for family in families:
        counts = any(sample.name.endswith("_total") for sample in family.samples)
        assert (family.type == "counter") == counts, family.name
        assert " " in family.documentation, family.name
