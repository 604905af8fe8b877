"""A drill with real processes: killed in the middle, lied to over MQTT, ended by a fire at the panel; nothing moves.

A mail relay keeps what people are told meanwhile: of the drill 演練 DRILL first, of the fire 真實 REAL, and the fire's
own alarm by the routes of life safety.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.scenario.test_kill import Run, first_password, rows
from tests.services.city import Client, wait_for
from tests.services.receiver import MailRelay
from tests.services.simulation import simulated
from tests.virtual.drill import drill_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("site/small/drill", {"command": "stop"}),
    ("site/small/drill/cmd/stop", {}),
    ("drill/stop", {"id": "all"}),
    ("shifu/drill", {"phase": "stood_down"}),
    ("site/small/fire/event", {"type": "fire_clear", "id": "1", "seq": 1}),
    ("site/small/fire-panel/state", {"fire": False}),
    ("site/small/sos/b1/event", {"type": "drill_stop", "id": "lie-1", "seq": 900_001, "time": "2026-01-01T00:00:00Z"}),
    ("site/small/sos/b1/event", {"type": "fire_clear", "id": "lie-2", "seq": 900_002, "time": "2026-01-01T00:00:00Z"}),
    ("site/small/sos/b1/state", {"pressed": False, "tamper": False, "fire": False, "drill": "stop"}),
    ("site/small/sos/b1/event", {"type": "reset", "id": "lie-3", "seq": 900_003, "time": "2026-01-01T00:00:00Z"}),
)
"""What a device account might publish, through the broker that the controller listens to. The last one is an event that
a button may tell: when it has arrived, the ones before it have."""


NOTIFY = """
hosts = ["127.0.0.1"]
[[channel]]
id = "mail"
kind = "mail"
name = {{ zh = "郵件", en = "mail" }}
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "shifu@hall.invalid"
[[contact]]
id = "wardens"
name = {{ zh = "樓層引導員", en = "Floor wardens" }}
ways = [{{ channel = "mail", to = "wardens@hall.invalid" }}]
[[contact]]
id = "guard"
name = {{ zh = "駐衛警", en = "Guards" }}
ways = [{{ channel = "mail", to = "guard@hall.invalid" }}]
[[route]]
id = "life-safety"
name = {{ zh = "生命安全", en = "life safety" }}
life_safety = true
steps = [{{ to = ["contact:guard"] }}]
"""


@pytest.fixture
def relay() -> Iterator[MailRelay]:
    with MailRelay() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, relay: MailRelay) -> Iterator[Path]:
    """Yield the folder of a small house whose simulators run."""
    texts = {**drill_site(lift=False), "notify": NOTIFY.format(mail=relay.port)}
    assert "end_min = 30\n" in texts["drill"]
    texts["drill"] = texts["drill"].replace("end_min = 30\n", 'end_min = 30\nnotify = ["contact:wardens"]\n', 1)
    with simulated(tmp_path, texts) as running:
        yield running


def sim(folder: Path, *arguments: str) -> Any:
    """Speak to the simulators."""
    done = subprocess.run(
        [sys.executable, "-m", "simulators", arguments[0], "--run-dir", str(folder / "run"), *arguments[1:]],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout


def lie(folder: Path) -> None:
    """Publish everything that a device account might, and wait until the broker has it."""
    text = (folder / "endpoints.json").read_text("utf-8")
    real = next(value for value in _strings(json.loads(text)) if value.startswith("mqtt://"))
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", urlsplit(real).port or 0)
    client.loop_start()
    for topic, payload in LIES:
        client.publish(topic, json.dumps(payload), qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


class People:
    """The officer, the operator on duty and a warden, with sessions that live through a restart."""

    def __init__(self, run: Run) -> None:
        self.chief = Client(run.url)
        first_password(self.chief, run.link())
        self.officer = self._make(run, "officer", "safety_officer")
        self.duty = self._make(run, "duty", "operator")
        self.warden = self._make(run, "warden", "warden")

    def _make(self, run: Run, name: str, role: str) -> Client:
        made = self.chief.post("/users", {"name": name, "display_name": name, "role": role, "areas": []})
        client = Client(run.url)
        first_password(client, f"{run.url}/link#token={made['link_token']}")
        return client

    def move(self, run: Run) -> None:
        for client in (self.chief, self.officer, self.duty, self.warden):
            client.url = run.url

    def wait_until_clear(self) -> None:
        """Wait until the panel is read and nothing real is active."""

        def current() -> Any:
            return self.officer.get("/drills/current")

        wait_for(lambda: current()["clear"], 30, lambda: str(current()))

    def begin(self) -> str:
        """Start a drill, as two people."""
        wait_for(
            lambda: self.officer.get("/drills/current")["clear"], 30, lambda: str(self.officer.get("/drills/current"))
        )
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1500))
        id_ = str(self.officer.post("/drills", {"scenario": "tea", "level": "simulated", "end": end})["id"])
        self.officer.post(f"/drills/{id_}/request", {})
        assert self.duty.post(f"/drills/{id_}/confirm", {})["phase"] == "running"
        return id_


def heard_lie(client: Client) -> bool:
    """Tell whether the controller has the last of the lies."""
    return any(item["key"] == "lie-3" for item in client.get("/events?source=sos-b1")["items"])


def told(relay: MailRelay, who: str) -> list[str]:
    """Return the titles of what somebody was told, in its order."""
    return [mail.subject for mail in relay.mails if mail.to == [f"{who}@hall.invalid"]]


@pytest.mark.timeout(240)
def test_a_drill_killed_lied_to_and_ended_by_a_fire(folder: Path, relay: MailRelay) -> None:
    with Run(folder, 0) as run:
        people = People(run)
        id_ = people.begin()
        wait_for(lambda: people.duty.get("/drills/current")["drill"]["values"], 10, "no drill value is shown")
        assert people.duty.value("hall.fire.zone24.state")["value"] == 0.0

        lie(folder)
        wait_for(lambda: heard_lie(people.duty), 20, "the lies did not arrive, so this proves nothing")
        assert people.officer.get(f"/drills/{id_}")["phase"] == "running"

        now = round(time.time() * 1000)
        tick = {"key": "scenario-tick-1", "kind": "headcount", "at": now, "area": "east", "floor": "3F", "count": 2}
        assert people.warden.post(f"/drills/{id_}/muster", {"sent": now, "ticks": [tick]})["kept"] == [tick["key"]]
        wait_for(lambda: told(relay, "wardens"), 20, run._tail)
        run.kill()
    assert told(relay, "wardens") == ["演練 DRILL 模擬演練開始：茶水間火警"]
    assert rows(folder, f"SELECT phase FROM drill WHERE id = '{id_}'") == [("running",)]

    with Run(folder, 1) as run:
        people.move(run)
        current = people.duty.get("/drills/current")["drill"]
        assert (current["phase"], current["cause"], current["values"]) == ("stood_down", "restart", [])
        said = people.duty.get(f"/drills/{id_}/entries")["items"][0]
        assert (said["kind"], said["text"]["zh"]) == ("ended", "演練 DRILL 結束：控制器重新啟動")
        wait_for(lambda: len(told(relay, "wardens")) > 1, 20, run._tail)
        assert told(relay, "wardens")[1:] == ["演練 DRILL 結束（控制器重新啟動）：茶水間火警"], "and no second start"
        notices = people.duty.get(f"/drills/{id_}/notices")["items"]
        assert [(one["contact"], one["channel"]) for one in notices] == [("wardens", "mail")] * 2
        zones = people.officer.get(f"/drills/{id_}/muster")["zones"]
        assert [(zone["floor"], zone["visitors"]) for zone in zones] == [("3F", 2)]
        people.wait_until_clear()
        people.officer.post(f"/drills/{id_}/restore", {"steps": ["told"]})

        id_ = people.begin()
        wait_for(lambda: len(told(relay, "wardens")) > 2, 20, run._tail)
        assert told(relay, "guard") == [], "a drill raises no alarm"
        sim(folder, "fault", "event", "fire-panel", "fire", "zone=24")
        ended = wait_for(lambda: people.duty.get("/drills/current")["drill"]["cause"], 10, "the fire did not end it")
        current = people.duty.get("/drills/current")
        assert (ended, current["real"][0]["kind"]) == ("real", "fire")
        wait_for(lambda: len(told(relay, "wardens")) > 3 and told(relay, "guard"), 20, run._tail)
        real = next(mail for mail in relay.mails if mail.subject == told(relay, "wardens")[3])
        assert real.subject.startswith("真實 REAL 火警 3F 分區 24 告警"), "and what else of the panel is active by then"
        assert real.body.startswith("真實 REAL 這是真實狀況。")
        assert "演練" not in real.body
        alarm = next(mail for mail in relay.mails if mail.to == ["guard@hall.invalid"])
        assert (alarm.subject, "演練" in alarm.body) == ("【生命安全】分區 24 告警", False)
        assert "位置: 分區 24 · 3F · 東區" in alarm.body
        lie(folder)
        people.duty.value("hall.fire.zone24.state")
        assert people.duty.get("/drills/current")["real"], "a device account has put a fire out"
        sim(folder, "fault", "event", "fire-panel", "reset")
        people.wait_until_clear()
        people.officer.post(f"/drills/{id_}/restore", {"steps": ["told"]})

    for device in ("fire-panel", "header-io", "sos-b1"):
        assert sim(folder, "ledger", device) == [], f"{device} was written to"
    assert rows(folder, "SELECT count(*) FROM command_entry") == [(0,)]
