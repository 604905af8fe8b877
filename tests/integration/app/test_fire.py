"""Fire in a whole controller: held at once, through a crash, whatever a broker says, until somebody stands down."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from paho.mqtt import publish

from controller.app import Controller, Options
from controller.identity.permission import Role
from drivers.reading import Readings
from tests.services.fire import DEVICES, FIRE, GATE, PANEL
from tests.services.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from drivers.driver import Device

MINIMAL = Path(__file__).parents[3] / "config" / "minimal"
FAN = "main.hvac.ahu1.fan_cmd"
ORDER = {"point": FAN, "value": 1.0, "slot": 8, "reason": "by hand"}


class House:
    """One running controller, its people, and a panel that the test speaks for."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.people: dict[Role, httpx.AsyncClient] = {}
        self.told: dict[str, float] = {}
        self.beat = 0

    @property
    def panel(self) -> Device:
        return next(one for one in self.controller.configuration.devices if one.id == "fire-panel")

    def say(self, **changes: float) -> None:
        """Let one poll of the panel come in: what it said last, with these changes, and a heart that beats."""
        self.told |= changes
        self.beat += 1
        panel = self.panel
        values = np.zeros(len(panel.profile.points))
        for tag, value in (self.told | {"heartbeat": float(self.beat)}).items():
            values[panel.profile.index(tag)] = value
        batch = Readings.of(panel.numbers.tolist(), values.tolist(), self.controller.clock.now_ns())
        self.controller.inbox.readings(panel, batch)

    async def person(self, role: Role) -> httpx.AsyncClient:
        if role not in self.people:
            url = self.controller.server.url
            http = httpx.AsyncClient(base_url=f"{url}/api/v1", headers={"Origin": url}, timeout=10)
            token = self.controller.identity.demo_links()[role]
            reply = await http.post("/session/link", json={"token": token})
            http.headers["X-CSRF-Token"] = reply.json()["csrf"]
            self.people[role] = http
        return self.people[role]

    async def fire(self) -> dict[str, Any]:
        found: dict[str, Any] = (await (await self.person(Role.VIEWER)).get("/fire")).json()
        return found

    async def until(self, condition: Callable[[dict[str, Any]], bool], *, beats: bool = True) -> dict[str, Any]:
        """Wait for something to be known of fire, while the panel is polled."""
        async with asyncio.timeout(20):
            while not condition(found := await self.fire()):
                await asyncio.sleep(0.1)
                if beats:
                    self.say()
        return found


@asynccontextmanager
async def running(site: Path, data: Path) -> AsyncIterator[House]:
    controller = Controller(Options(site, data, port=0, demo=True))
    await controller.start()
    house = House(controller)
    async with asyncio.timeout(15), httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(f"{controller.server.url}/healthz")).status_code == 200:
                    break
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    try:
        yield house
    finally:
        for client in house.people.values():
            await client.aclose()
        await controller.close()


def make_site(folder: Path, *, more: str = "", equipment: str = "", panel: str = "127.0.0.1:1") -> Path:
    site = folder / "site"
    shutil.copytree(MINIMAL, site)
    (site / "equipment").mkdir()
    (site / "equipment" / "fire.toml").write_text(PANEL + equipment, "utf-8")
    # Nothing listens there: readings come from the test, through the inbox like those of a link.
    devices = DEVICES.replace("192.0.2.20:502", panel).replace("192.0.2.21:4840", "127.0.0.1:2")
    (site / "devices" / "fire.toml").write_text(devices + more, "utf-8")
    meter = site / "devices" / "meter.toml"
    meter.write_text(meter.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:3"), "utf-8")
    quick = 'zones = ["main.fire.zone*"]\nbatch = 100\npause_s = 1\n\n'
    (site / "fire.toml").write_text(FIRE.replace('zones = ["main.fire.zone*"]\n\n', quick, 1), "utf-8")
    return site


async def test_a_fire_is_held_through_a_crash_until_the_panel_is_reset_and_somebody_stands_down(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    async with running(site, tmp_path / "data") as house:
        assert (await house.fire())["status"] == "unknown", "before the heart was seen to beat"
        await house.until(lambda fire: fire["status"] == "normal")
        operator = await house.person(Role.OPERATOR)
        assert (await operator.post("/commands", json=ORDER)).status_code == 202
        house.say(fire=1.0, zones_in_fire=1.0, zone_07_state=2.0)
        fire = await house.until(lambda fire: fire["status"] == "fire" and not fire["unrecorded"])
        assert fire["response"]["zones"][0]["zone"] == "main.fire.zone07"
        assert [item["slot"] for item in fire["response"]["emptied"]] == [8]
        reply = await operator.post("/commands", json=ORDER)
        assert (reply.status_code, "held empty by fire" in reply.json()["detail"]) == (409, True)
        alarms = {item["id"] for item in (await operator.get("/alarms?limit=100")).json()["items"]}
        assert "fire#response" in alarms
        # What the disk has at this moment is what a crash leaves.
        shutil.copytree(tmp_path / "data", tmp_path / "crashed", ignore=shutil.ignore_patterns("*.sock", "*.lock"))

    async with running(site, tmp_path / "crashed") as house:
        fire = await house.fire()
        assert (fire["status"], fire["response"]["phase"]) == ("unknown", "active")
        officer, operator = await house.person(Role.SAFETY_OFFICER), await house.person(Role.OPERATOR)
        assert (await operator.post("/commands", json=ORDER)).status_code == 409
        body = {"response": fire["response"]["id"], "reason": "false alarm"}
        assert (await officer.post("/fire/stand-down", json=body)).status_code == 409, "nobody knows whether it is over"
        house.say(fire=1.0, zones_in_fire=1.0, zone_07_state=2.0)
        await house.until(lambda fire: fire["status"] == "fire")
        assert (await officer.post("/fire/stand-down", json=body)).status_code == 409
        # A new table in the middle of it changes what is expected and lets go of nothing.
        table = site / "fire.toml"
        table.write_text(table.read_text("utf-8").replace("within_s = 30", "within_s = 45"), "utf-8")
        assert (await house.controller.apply()).fire.changed == ("cause house",)
        fire = await house.until(lambda fire: fire["response"]["effects"][0]["within_s"] == 45.0)
        assert (await operator.post("/commands", json=ORDER)).status_code == 409

        house.say(fire=0.0, zones_in_fire=0.0, zone_07_state=0.0)
        await house.until(lambda fire: bool(fire["reset"]))
        assert (await operator.post("/commands", json=ORDER)).status_code == 409, "reset is not stood down"
        assert (await officer.post("/fire/stand-down", json=body)).status_code == 200
        await house.until(lambda fire: fire["response"] is None)
        assert (await operator.post("/commands", json=ORDER)).status_code == 202
        entries = (await officer.get("/fire/journal?limit=100")).json()["items"]
        events = [item["event"] for item in reversed(entries) if item["event"] != "effect"]
        assert events[:2] == ["began", "first"]
        assert events[-4:] == ["stood_down", "given_back", "given_back", "ended"]
        assert "restarted" in events
        assert next(item["who"] for item in entries if item["event"] == "stood_down") == "demo-safety_officer"


async def test_a_spoofed_message_from_a_device_account_clears_nothing(tmp_path: Path) -> None:
    access = tmp_path / "access"
    # The account of a device may say anything here: that the code does not listen is what is shown.
    access.write_text("topic readwrite #\n", "utf-8")
    with Mosquitto(tmp_path, extra=f"allow_anonymous true\nacl_file {access}") as broker:
        gate, equipment = GATE
        site = make_site(tmp_path, more=gate.replace("mqtt://192.0.2.23:1883", broker.endpoint), equipment=equipment)
        async with running(site, tmp_path / "data") as house:
            await house.until(lambda fire: fire["status"] == "normal")
            house.say(fire=1.0, zones_in_fire=1.0, zone_07_state=2.0)
            before = await house.until(lambda fire: fire["status"] == "fire")
            own = "site/main/parking/gate/gate1"
            clear = {"fire": 0, "fire_clear": True, "status": "normal", "zone_07_state": 0, "stand_down": True}
            topics = ["fire/clear", "fire", "site/main/fire/panel", "site/main/fire/clear", "drill/stop", own,
                      "shifu/fire/clear", "main.fire.panel.fire", "site/main/cmd/fire"]  # fmt: skip
            said: list[Any] = [(topic, json.dumps({"state": "open", **clear}), 1, True) for topic in topics]
            for number, kind in enumerate(("fire_clear", "fire", "reset", "drill_stop", "stand_down")):
                event = {"id": f"e{number}", "seq": number, "type": kind, **clear}
                said.append((f"{own}/event", json.dumps(event), 1, False))
            await asyncio.to_thread(publish.multiple, said, hostname="127.0.0.1", port=broker.port)
            viewer = await house.person(Role.VIEWER)
            async with asyncio.timeout(15):  # the gate's own message has arrived, so the others have been sent too
                while True:
                    items = (await viewer.get("/values?points=main.parking.gate1.state")).json()["items"]
                    if items[0]["value"] == 1.0:
                        break
                    house.say()
                    await asyncio.sleep(0.1)
            after = await house.fire()
            assert (after["status"], after["reset"]) == ("fire", False)
            assert after["response"]["id"] == before["response"]["id"]
            assert after["response"]["phase"] == "active"
            operator = await house.person(Role.OPERATOR)
            assert (await operator.post("/commands", json=ORDER)).status_code == 409
