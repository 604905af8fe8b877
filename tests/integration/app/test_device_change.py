"""A device added, tested, changed, retired and removed in a whole controller, with a meter on a real socket."""

from __future__ import annotations

import asyncio
import io
import shutil
import zipfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from controller.app import Controller, Options
from controller.identity.permission import Role
from drivers.reading import Quality
from tests.services.modbus import serving
from tests.services.process import WordServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

MINIMAL = Path(__file__).parents[3] / "config" / "minimal"
POWER = "main.electrical.meter1.power"
NEW = "main.electrical.meter2"
SETPOINT = "main.plant.header.differential_pressure_setpoint"
REGISTER = 0x0034
"""Total system power of the SDM630, W (Eastron, Modbus protocol V1.5)."""


class Site:
    """The packaged minimal site with its meter on loopback, and a second meter that no file knows."""

    def __init__(self, folder: Path, first: WordServer, spare: WordServer) -> None:
        self.folder, self.first, self.spare = folder, first, spare
        shutil.copytree(MINIMAL, folder / "site")
        device = folder / "site" / "devices" / "meter.toml"
        text = device.read_text("utf-8").replace("tcp://192.0.2.10:502", first.endpoint)
        device.write_text(text.replace("period_s = 5", "period_s = 0.2"), "utf-8")
        header = (
            f'[[device]]\nid = "header"\nequipment = "main.plant.header"\nperiod_s = 0.2\n'
            f'profile = "site-standard-plant-header"\nendpoint = "{first.endpoint}"\nunit = 9\n'
        )
        (folder / "site" / "devices" / "header.toml").write_text(header, "utf-8")
        with (folder / "site" / "equipment.toml").open("a", encoding="utf-8") as file:
            file.write('[[equipment]]\nid = "main.plant.header"\nclass = "plant_header"\n')
            file.write('name = { zh = "集管", en = "Header" }\narea = "office"\n')
        first.put_float(REGISTER, 20_000.0)
        spare.put_float(REGISTER, 7_000.0)

    def body(self, **more: Any) -> dict[str, Any]:
        device = {"id": "meter2", "equipment": NEW, "profile": "eastron-sdm630", "endpoint": self.spare.endpoint}
        piece = {
            "id": NEW,
            "class": "meter",
            "name": {"zh": "電表 2", "en": "Meter 2"},
            "floor": "1F",
            "area": "office",
            "parameters": {"limit_kw": 5},
        }
        return {"device": {**device, "period_s": 0.2, **more}, "equipment": piece, "reason": "new tenant"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with WordServer() as first, WordServer() as spare:
        yield Site(tmp_path, first, spare)


class Engineer:
    """An engineer at the real server."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        url = controller.server.url
        self.http = httpx.AsyncClient(base_url=url, headers={"Origin": url}, timeout=20)

    async def sign_in(self) -> None:
        token = self.controller.identity.demo_links()[Role.ENGINEER]
        reply = await self.http.post("/api/v1/session/link", json={"token": token})
        reply.raise_for_status()
        self.http.headers["X-CSRF-Token"] = reply.json()["csrf"]

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        if "/inventory/devices/" in path and method != "GET" and "headers" not in more:
            read = await self.http.get("/api/v1" + "/".join(path.split("/")[:4]).partition("?")[0])
            more["headers"] = {"If-Match": read.headers.get("etag", "")}
        return await self.http.request(method, "/api/v1" + path, **more)

    async def device(self, name: str) -> dict[str, Any]:
        return dict((await self.ask("GET", f"/devices/{name}")).json())

    async def value(self, address: str) -> dict[str, Any]:
        return dict((await self.ask("GET", f"/values?points={address}")).json()["items"][0])

    async def reads(self, address: str, value: float) -> None:
        async def right() -> bool:
            return bool((await self.value(address))["value"] == pytest.approx(value))

        await until(right)


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[tuple[Controller, Engineer]]:
    controller = Controller(Options(site.folder / "site", site.folder / "data", port=0, demo=True))
    await controller.start()
    engineer = Engineer(controller)
    try:
        await until(lambda: answers(engineer))
        await engineer.sign_in()
        yield controller, engineer
    finally:
        await engineer.http.aclose()
        await controller.close()


async def answers(engineer: Engineer) -> bool:
    try:
        return (await engineer.http.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 15.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - it is asked over HTTP
            await asyncio.sleep(0.05)
        return found


def numbers(controller: Controller) -> dict[str, int]:
    return {address: point.number for address, point in controller.configuration.site.points.items()}


async def test_a_device_lives_on_the_screen_alone(site: Site) -> None:
    async with running(site) as (controller, engineer):
        await engineer.reads(POWER, 20.0)
        command = {"point": SETPOINT, "value": 120, "reason": "test", "expires_s": None}
        assert (await engineer.ask("POST", "/commands", json=command)).status_code == 202
        kept, links = numbers(controller), site.first.connections
        limits = await engineer.ask("GET", f"/points/{POWER}/limits")
        wanted = {"high_high": None, "high": 15.0, "low": None, "low_low": None, "reason": "watch"}
        etag = {"If-Match": limits.headers["etag"]}
        assert (await engineer.ask("PUT", f"/points/{POWER}/limits", json=wanted, headers=etag)).status_code == 200

        tried = await engineer.ask(
            "POST", "/test-reads", json={"profile": "eastron-sdm630", "endpoint": site.spare.endpoint}
        )
        assert tried.status_code == 200, tried.text
        assert tried.json()["error"] == ""
        power = next(point for point in tried.json()["points"] if point["tag"] == "power")
        assert (power["raw"], power["value"], power["quality_name"]) == ("45da c000", pytest.approx(7.0), "good")
        block = next(item for item in tried.json()["exchanges"] if "45 da c0 00" in item["answer"])
        assert block["request"].split()[6:8] == ["01", "04"]
        assert await asyncio.to_thread(site.spare.idle, 5.0)

        made = await engineer.ask("POST", "/inventory/devices", json=site.body())
        assert made.status_code == 201, made.text
        await engineer.reads(f"{NEW}.power", 7.0)
        assert {address: numbers(controller)[address] for address in kept} == kept
        assert site.first.connections == links, "the other link goes on"
        after = (await engineer.ask("GET", f"/points/{POWER}/limits")).json()["limits"]
        assert after["high"] == 15.0, "limits that were changed stay"
        slots = (await engineer.ask("GET", f"/points/{SETPOINT}/slots")).json()
        assert (slots["winner"], slots["slots"][7]["reason"]["zh"]) == (8, "test"), "what was commanded stays"
        new = numbers(controller)[f"{NEW}.power"]

    # The files know nothing of it: it comes from the state database after a restart.
    async with running(site) as (controller, engineer):
        await engineer.reads(f"{NEW}.power", 7.0)
        assert numbers(controller)[f"{NEW}.power"] == new

        changed = site.body(names={"power": {"zh": "租戶用電", "en": "Tenant power"}}, omit=["frequency"])
        reply = await engineer.ask("PUT", "/inventory/devices/meter2", json=changed)
        assert reply.status_code == 200, reply.text
        assert controller.configuration.site.points[f"{NEW}.power"].name.zh == "租戶用電"
        assert f"{NEW}.frequency" not in controller.configuration.site.points

        reply = await engineer.ask("POST", "/inventory/devices/meter2/retire", json={"reason": "calibration"})
        assert reply.json()["retired"]["reason"] == "calibration"
        device = await engineer.device("meter2")
        assert (device["state"], device["message"]) == (
            "disabled", "taken out of service by demo-engineer: calibration",
        )  # fmt: skip
        out = await until(lambda: out_of_service(engineer))
        assert out["value"] is None
        assert out["good_value"] == pytest.approx(7.0)
        assert await asyncio.to_thread(site.spare.idle, 5.0)
        again = await engineer.ask("POST", "/inventory/devices/meter2/retire", json={"reason": "x"})
        assert again.status_code == 409

    async with running(site) as (controller, engineer):
        await until(lambda: out_of_service(engineer))
        reply = await engineer.ask("POST", "/inventory/devices/meter2/restore", json={"reason": "calibrated"})
        assert reply.json()["retired"] is None
        await engineer.reads(f"{NEW}.power", 7.0)

        reply = await engineer.ask("DELETE", "/inventory/devices/meter2?reason=tenant+left")
        assert reply.status_code == 204, reply.text
        assert (await engineer.ask("GET", "/devices/meter2")).status_code == 404
        assert (await engineer.ask("GET", f"/equipment/{NEW}")).status_code == 404
        assert numbers(controller) == kept
        rows = await controller.journal.read(audited_changes)
        assert [row for row in rows if row[1] == "done"] == [
            ("meter2", "done", reason)
            for reason in ("new tenant", "new tenant", "calibration", "calibrated", "tenant left")
        ]
        assert (await controller.journal.verify_audit()).whole


def audited_changes(connection: Any) -> list[tuple[str, str, str]]:
    rows = connection.exec_driver_sql(
        "SELECT target, outcome, reason FROM audit_entry WHERE action = 'device_change' ORDER BY id"
    )
    return [tuple(row) for row in rows]


async def out_of_service(engineer: Engineer) -> dict[str, Any] | None:
    found = await engineer.value(f"{NEW}.power")
    return found if found["quality"] == Quality.BAD_OUT_OF_SERVICE else None


async def test_alarms_of_a_retired_device_end_and_those_of_others_stay(site: Site) -> None:
    alarms = site.folder / "site" / "alarms.toml"
    alarms.write_text(alarms.read_text("utf-8").replace("on_delay_s = 60", "on_delay_s = 0"), "utf-8")
    site.first.put_float(REGISTER, 60_000.0)
    site.spare.put_float(REGISTER, 60_000.0)
    async with running(site) as (_, engineer):

        async def active() -> set[str]:
            items = (await engineer.ask("GET", "/alarms?state=active")).json()["items"]
            return {item["id"] for item in items}

        async def both() -> bool:
            return await active() == {f"{POWER}#high", f"{NEW}.power#high"}

        assert (await engineer.ask("POST", "/inventory/devices", json=site.body())).status_code == 201
        await until(both)
        await engineer.ask("POST", "/alarms/acknowledge", json={"ids": [f"{POWER}#high"], "comment": "seen"})
        await engineer.ask("POST", "/inventory/devices/meter2/retire", json={"reason": "x"})
        assert await active() == {f"{POWER}#high"}
        (kept,) = (await engineer.ask("GET", "/alarms?state=active")).json()["items"]
        assert (kept["state"], kept["comment"]) == ("acknowledged", "seen")
        await engineer.ask("POST", "/inventory/devices/meter2/restore", json={"reason": "x"})
        await until(both)


async def test_files_win_when_they_are_applied_and_exported_files_end_the_change(site: Site) -> None:
    async with running(site) as (controller, engineer):
        assert (await engineer.ask("POST", "/inventory/devices", json=site.body())).status_code == 201
        await engineer.reads(f"{NEW}.power", 7.0)
        links = site.spare.connections
        packed = await engineer.ask("GET", "/inventory/export")
        with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
            archive.extractall(site.folder / "site")
        assert await controller.apply() is not None
        assert controller.configuration.aside == {}
        assert (await engineer.ask("GET", "/inventory")).json() == {"items": []}
        sheet = (await engineer.ask("GET", "/inventory/devices/meter2")).json()
        assert (sheet["origin"], sheet["removable"]) == ("files", False)
        assert site.spare.connections == links, "the same device goes on"
        await engineer.reads(f"{NEW}.power", 7.0)

        # Now over the files: another port; then the files take that port for another device.
        body = site.body(endpoint=site.first.endpoint, unit=2)
        assert (await engineer.ask("PUT", "/inventory/devices/meter2", json=body)).status_code == 200
        row = f'[[device]]\nid = "rival"\nequipment = "main.electrical.meter1"\nprofile = "eastron-sdm630"\n\
endpoint = "{site.first.endpoint}"\nunit = 2\nprefix = "r_"\n'
        (site.folder / "site" / "devices" / "rival.toml").write_text(row, "utf-8")
        difference = await controller.apply()
        assert difference.aside[0].startswith("device/meter2 is set aside: overlay device/meter2: device.unit: got")
        device = await engineer.device("meter2")
        assert device["endpoint"] == site.spare.endpoint
        sheet = (await engineer.ask("GET", "/inventory/devices/meter2")).json()
        assert sheet["aside"][0]["key"] == "device.unit"
        assert "rival" in sheet["aside"][0]["what_to_do"]
        assert (await engineer.ask("DELETE", "/inventory/devices/meter2")).status_code == 204
        assert (await engineer.ask("GET", "/inventory")).json() == {"items": []}


async def test_what_the_running_controller_reads_is_not_asked_twice(site: Site) -> None:
    async with running(site) as (_, engineer):
        await engineer.reads(POWER, 20.0)
        links = site.first.connections
        read = {"profile": "eastron-sdm630", "endpoint": site.first.endpoint}
        found = (await engineer.ask("POST", "/test-reads", json=read)).json()
        assert (found["source"], found["device"], found["exchanges"]) == ("running", "meter1", [])
        assert next(point for point in found["points"] if point["tag"] == "power")["value"] == pytest.approx(20.0)
        assert site.first.connections == links
        other = await engineer.ask("POST", "/test-reads", json={**read, "profile": "abb-b23"})
        assert other.status_code == 409
        assert other.json()["what_to_do"].startswith("Take it out of service first")


async def test_a_silent_address_is_told_and_a_second_test_read_waits(site: Site) -> None:
    async with serving(lambda _: []) as (silent, endpoint), running(site) as (controller, engineer):
        read = {"profile": "eastron-sdm630", "endpoint": endpoint}
        first = asyncio.create_task(engineer.ask("POST", "/test-reads", json=read))

        async def asked() -> bool:
            return silent.connects > 0

        await until(asked)
        second = await engineer.ask("POST", "/test-reads", json={**read, "endpoint": "tcp://127.0.0.1:1"})
        assert second.status_code == 409
        assert "wait until it has ended" in second.json()["what_to_do"].lower()
        found = (await first).json()
        assert "no answer in" in found["error"]
        assert [item["answer"] for item in found["exchanges"]] == ["", ""], "two blocks, then it is given up"
        assert len(silent.requests) == 2
        assert {point["quality"] for point in found["points"]} == {None}
        nobody = await engineer.ask("POST", "/test-reads", json={**read, "endpoint": "tcp://127.0.0.1:1"})
        assert "127.0.0.1:1" in nobody.json()["error"]
        rows = await controller.journal.read(
            lambda connection: connection.exec_driver_sql(
                "SELECT target FROM audit_entry WHERE action = 'test_read' AND outcome = 'requested'"
            ).fetchall()
        )
        assert read["endpoint"] in {row[0] for row in rows}
