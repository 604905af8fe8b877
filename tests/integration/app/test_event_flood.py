"""Ten thousand events in a second through a real broker: each kept once, found, counted, and the house stays alive."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import func, select
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from controller.app import Controller, Options
from controller.identity.permission import Role
from controller.journal.schema import event_entry
from tests.services.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)
UNIQUE, DOUBLE, DEVICES = 10_000, 2_500, 5

SITE = """
[site]
id = "small"
name = { zh = "小", en = "small" }
[[building]]
id = "hall"
name = { zh = "樓", en = "Hall" }
floors = ["1F"]
[[area]]
id = "garage"
name = { zh = "停車場", en = "Garage" }
building = "hall"
"""
EQUIPMENT = """
[[equipment]]
id = "hall.parking.bay{n}"
for = { n = "1..DEVICES" }
class = "environment"
name = { zh = "車位 {n}", en = "Bay {n}" }
floor = "1F"
area = "garage"
"""
DEVICE = """
[[device]]
id = "bay{n}"
for = { n = "1..DEVICES" }
equipment = "hall.parking.bay{n}"
profile = "test-bay"
endpoint = "ENDPOINT"
options = { n = "{n}" }
"""
PROFILE = """
[profile]
id = "test-bay"
equipment = "environment"
protocol = "mqtt"
vendor = "none"
model = "none"
source = "this test"
[profile.wire]
format = "json"
topic = "bay/{n}/state"
[profile.wire.events]
topic = "bay/{n}/event"
key = "id"
time = "time"
type = "type"
data = ["plate", "door"]
[[point]]
tag = "temperature"
unit = "°C"
zh = "溫度"
en = "Temperature"
wire = { path = "temperature" }
"""


def messages() -> list[tuple[str, str]]:
    now = datetime.now(UTC).isoformat()
    rows = []
    for number in range(UNIQUE):
        event = {
            "id": f"e{number}",
            "time": now,
            "type": "plate_read" if number % 2 else "door_forced",
            "plate": f"車{number:05}",
            "door": number % 7,
        }
        rows.append((f"bay/{number % DEVICES + 1}/event", json.dumps(event)))
    rng = random.Random(1)
    doubled = rows + rng.sample(rows, DOUBLE)
    rng.shuffle(doubled)
    return doubled


PUBLISHER = """
import json, sys, paho.mqtt.client as paho
client = paho.Client(paho.CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_start()
rows = json.load(sys.stdin)
sent = [client.publish(topic, payload, qos=qos) for topic, payload, qos in rows]
sent[-1].wait_for_publish(30)
client.disconnect()
client.loop_stop()
"""


async def publish(port: int, rows: list[tuple[str, str]]) -> None:
    """Send messages from a process of their own, as fast as it can; the last one is acknowledged."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PUBLISHER, str(port), stdin=asyncio.subprocess.PIPE
    )
    data = [(*row, 1 if place == len(rows) - 1 else 0) for place, row in enumerate(rows)]
    await child.communicate(json.dumps(data).encode())
    assert child.returncode == 0


async def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it is asked of the database
            await asyncio.sleep(0.1)


async def test_ten_thousand_events_are_kept_once_found_counted_and_the_house_is_alive(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        site = tmp_path / "site"
        (site / "profiles").mkdir(parents=True)
        for name, text in (
            ("site.toml", SITE),
            ("equipment.toml", EQUIPMENT),
            ("devices.toml", DEVICE.replace("ENDPOINT", broker.endpoint)),
            ("profiles/test-bay.toml", PROFILE),
        ):
            (site / name).write_text(text.replace("DEVICES", str(DEVICES)), "utf-8")
        controller = Controller(Options(site, tmp_path / "data", port=0, demo=True))
        await controller.start()
        try:
            await _flood(controller, broker.port)
        finally:
            await controller.close()


async def _flood(controller: Controller, port: int) -> None:
    url = controller.server.url
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers={"Origin": url}, timeout=20) as http:

        async def in_journal() -> int:
            rows = await controller.journal.fetch(select(func.count()).select_from(event_entry))
            return int(rows[0][0])

        async def signed_in() -> bool:
            with suppress(httpx.TransportError):
                link = controller.identity.demo_links()[Role.ADMINISTRATOR]
                reply = await http.post("/session/link", json={"token": link})
                http.headers["X-CSRF-Token"] = reply.json()["csrf"]
                return reply.is_success
            return False

        await until(signed_in)
        # Number plates are for those who guard the house alone: a program looks for them in a guard's name.
        user = {"name": "watch", "display_name": "值班", "role": "guard", "areas": []}
        (await http.post("/users", json=user)).raise_for_status()
        rights = [{"action": action, "area": "*"} for action in ("view", "security")]
        token = await http.post("/tokens", json={"name": "flood", "user": "watch", "permissions": rights})
        bearer = {"Authorization": f"Bearer {token.json()['secret']}"}
        http.headers.update(bearer)

        async def listening() -> bool:
            await publish(port, [("bay/1/event", '{"id": "first", "type": "x", "time": 1}')])
            return await in_journal() > 0

        await until(listening)
        told: list[dict[str, Any]] = []
        beats: list[float] = []
        loop = asyncio.get_running_loop()
        async with connect(
            f"ws{url.removeprefix('http')}/api/v1/stream",
            subprotocols=[Subprotocol("shifu.v1")],
            proxy=None,
            additional_headers={**bearer, "Origin": url},
            max_size=None,
        ) as socket:
            await socket.send(json.dumps({"subscribe": ["events"]}))

            async def listen() -> None:
                async for raw in socket:
                    message = json.loads(raw)
                    if message["type"] == "events":
                        told.append(message)
                    elif message["type"] == "heartbeat":
                        beats.append(loop.time())

            ear = asyncio.create_task(listen())
            rows = messages()
            began = loop.time()
            sending = asyncio.create_task(publish(port, rows))
            answers = []
            while not sending.done():
                before = loop.time()
                assert (await http.get(f"{url}/healthz")).status_code == 200
                answers.append(loop.time() - before)
                await asyncio.sleep(0.02)
            await sending

            async def all_there() -> bool:
                return await in_journal() == UNIQUE + 1

            await until(all_there)
            took = loop.time() - began
            counted = 0

            async def all_told() -> bool:
                nonlocal counted
                counted = sum(message["count"] for message in told)
                return counted >= UNIQUE

            await until(all_told)
            ear.cancel()

        assert counted == UNIQUE, "the stream tells each new event once, and none of the repeated ones"
        assert all(len(message["items"]) <= 200 for message in told)
        assert all(message["left_out"] == message["count"] - len(message["items"]) for message in told)
        assert await in_journal() == UNIQUE + 1
        assert controller.inbox.dropped_events == 0
        assert controller.journal.dropped == 0
        keys = await controller.journal.fetch(select(func.count(func.distinct(event_entry.c.key))))
        assert keys[0][0] == UNIQUE + 1

        one = (await http.get("/events", params={"q": "車07321"})).json()["items"]
        assert [(item["key"], item["equipment"], item["area"]) for item in one] == [
            ("e7321", "hall.parking.bay2", "garage")
        ]
        forced: dict[str, Any] = {"type": ["door_forced"], "source": ["bay1", "bay2"], "limit": 1000}
        found = (await http.get("/events", params=forced)).json()
        assert len(found["items"]) == 1000
        assert {item["type"] for item in found["items"]} == {"door_forced"}
        assert (await http.get("/events/types")).json()["types"] == ["door_forced", "plate_read", "x"]
        _log.info(
            "%.0f events/s kept; slowest answer %.2f s, longest silence of the stream %.2f s, slowest turn %.2f s",
            UNIQUE / took,
            max(answers),
            max((after - before for before, after in pairwise(beats)), default=0.0),
            controller.cycle.counts.slowest_s,
        )
