"""A running controller and its files: what `shifu apply` changes, what it leaves alone, and how `shifu run` ends."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.city import Client, wait_for
from tests.services.process import Shifu, WordServer, shifu

SITE = """\
[site]
id = "small"
name = { zh = "小樓", en = "Small" }
[[building]]
id = "main"
name = { zh = "主樓", en = "Main" }
floors = ["B1", "1F"]
"""
EQUIPMENT = """\
[[equipment]]
id = "main.electrical.meter{n}"
for = { n = "1..3" }
class = "meter"
name = { zh = "電表 {n}", en = "Meter {n}" }

[[equipment]]
id = "main.plant.header"
class = "plant_header"
name = { zh = "冰水集管", en = "Header" }
"""
ALARMS = """\
[[alarm]]
equipment = "main.electrical.meter1"
tag = "power"
kind = "high"
limit = 50
priority = 2
"""
BROKEN_ICS = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:x\nDTSTART:banana\nEND:VEVENT\nEND:VCALENDAR\n"
POWER = 0x0034
SETPOINT = 102
POINT = "main.plant.header.differential_pressure_setpoint"
ALARM = "main.electrical.meter1.power#high"


def device(name: str, equipment: str, profile: str, endpoint: str, period_s: float = 0.5) -> str:
    return (
        f'[[device]]\nid = "{name}"\nequipment = "{equipment}"\nprofile = "{profile}"\nendpoint = "{endpoint}"\n'
        f"period_s = {period_s}\n"
    )


def meter(number: int, server: WordServer, period_s: float = 0.5) -> str:
    return device(f"m{number}", f"main.electrical.meter{number}", "eastron-sdm630", server.endpoint, period_s)


class Small:
    """Two meters and a plant header on hand-made devices, and the controller that runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first, self.second, self.header = WordServer(), WordServer(), WordServer()
        self.first.put_float(POWER, 80_000.0)
        self.second.put_float(POWER, 20_000.0)
        self.running: Shifu
        self.client: Client

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, "utf-8")

    def base(self) -> None:
        self.write("site.toml", SITE)
        self.write("equipment.toml", EQUIPMENT)
        self.write("alarms.toml", ALARMS)
        self.write("devices/a.toml", meter(1, self.first) + meter(2, self.second))
        self.write(
            "devices/b.toml", device("header", "main.plant.header", "site-standard-plant-header", self.header.endpoint)
        )

    def good(self, device_id: str) -> Any:
        return wait_for(lambda: self.client.get(f"/devices/{device_id}")["state"] == "good", 20)

    def alarm(self) -> dict[str, Any]:
        return next((item for item in self.client.get("/alarms?state=active")["items"] if item["id"] == ALARM), {})

    def numbers(self) -> dict[str, int]:
        items = self.client.get("/points?limit=1000")["items"]
        return {item["address"]: item["number"] for item in items}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    place = tmp_path_factory.mktemp("small")
    site = Small(place / "site")
    site.base()
    with site.first, site.second, site.header, Shifu(place / "site", place / "data") as running:
        site.running, site.client = running, running.user("engineer")
        for name in ("m1", "m2", "header"):
            site.good(name)
        yield site
        assert running.stop(seconds=10.0) == 0


def test_only_changed_links_restart_and_everything_else_stays(small: Small) -> None:
    client = small.client
    wait_for(lambda: small.alarm().get("state") == "unacknowledged", 10)
    client.post("/alarms/acknowledge", {"ids": [ALARM], "comment": "seen"})
    command = client.post("/commands", {"point": POINT, "value": 120, "reason": "test", "expires_s": None})
    wait_for(lambda: client.get(f"/commands/{command['id']}")["state"] == "done", 15)
    numbers, before = small.numbers(), (small.first.connections, small.second.connections, small.header.connections)
    writes = len(small.header.writes)
    alarm = small.alarm()
    with WordServer() as third:
        third.put_float(POWER, 5_000.0)
        small.write("devices/a.toml", meter(1, small.first) + meter(2, small.second, 0.4) + meter(3, third))

        planned = json.loads(small.running.apply("--dry-run", "--json").stdout)
        assert third.connections == 0
        done = json.loads(small.running.apply("--json").stdout)
        small.good("m3")
        small.good("m2")

        assert done == planned
        assert done["devices"] == {"added": ["m3"], "removed": [], "changed": ["m2"]}
        assert done["links"] == sorted([small.second.endpoint, third.endpoint])
        assert (small.first.connections, small.header.connections) == (before[0], before[2])
        assert small.second.connections == before[1] + 1
        assert third.connections == 1
        after = small.numbers()
        assert {address: after[address] for address in numbers} == numbers
        power = wait_for(lambda: client.value("main.electrical.meter3.power")["value"], 5)
        assert power == pytest.approx(5.0)
        slots = client.get(f"/points/{POINT}/slots")
        assert (slots["winner"], slots["slots"][7]["value"], slots["slots"][7]["reason"]["en"]) == (8, 120, "test")
        assert len(small.header.writes) == writes, "a command is not sent again by apply"
        assert small.alarm() == {**alarm, "value": small.alarm()["value"]}
        assert small.alarm()["state"] == "acknowledged"

        small.base()
        back = json.loads(small.running.apply("--json").stdout)
        assert back["devices"]["removed"] == ["m3"]
    assert small.numbers() == numbers
    assert small.running.apply().stdout == "Nothing changes.\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("devices/a.toml", "[[device]\n", "devices/a.toml:1: got a line that is no TOML"),
        ("devices/a.toml", '[[device]]\nid = "x"\n', "devices/a.toml:1: device.equipment: got nothing"),
        ("devices/a.toml", "#" * 2_000_000, "devices/a.toml: got 2000000 bytes"),
        ("alarms.toml", ALARMS.replace("50", "nan"), "alarms.toml:5: alarm.limit: got nan"),
        ("rules.toml", '[[rule]]\nid = "r"\n', "rules.toml:1: rule.point: got nothing"),
        ("devices/c.csv", "id;profil\n", "devices/c.csv:1: profil: got an unknown column"),
        ("calendar/hire.ics", BROKEN_ICS, "calendar/hire.ics: event 1: DTSTART cannot be read"),
    ],
    ids=["no TOML", "no equipment", "too long", "no number", "no point", "unknown column", "no time"],
)
def test_a_bad_file_leaves_the_old_configuration_running(small: Small, name: str, text: str, message: str) -> None:
    before = (small.first.connections, small.second.connections, small.header.connections)
    numbers, generation = small.numbers(), small.client.get("/site")["generation"]
    small.write(name, text)
    try:
        done = small.running.apply(check=2)
    finally:
        (small.folder / name).unlink()
        small.base()

    assert message in done.stderr
    assert small.numbers() == numbers
    assert small.client.get("/site")["generation"] == generation
    assert (small.first.connections, small.second.connections, small.header.connections) == before
    small.first.put_float(POWER, 81_000.0)
    wait_for(lambda: small.client.value("main.electrical.meter1.power")["value"] == pytest.approx(81.0), 10)


def test_a_new_name_of_the_site_is_applied_and_a_new_port_waits_for_the_next_start(small: Small) -> None:
    small.write("site.toml", SITE.replace("Small", "Renamed"))
    small.write("server.toml", "[http]\nport = 9999\n")
    try:
        said = small.running.apply().stdout
        assert small.client.get("/site")["name"]["en"] == "Renamed"
    finally:
        (small.folder / "server.toml").unlink()
        small.base()
        small.running.apply()

    assert "~ site: site" in said
    assert "note: server.toml: http.port takes effect at the next start" in said
    assert "0 connections were opened or closed; all go on." in said


def test_another_folder_is_refused(small: Small, tmp_path: Path) -> None:
    done = shifu("apply", str(tmp_path), "--data", str(small.running.data), check=1)

    assert f"this controller runs {small.folder}" in done.stderr


def test_a_second_controller_on_the_same_data_folder_is_refused(small: Small) -> None:
    done = shifu("run", str(small.folder), "--data", str(small.running.data), "--port", "0", check=1)

    assert f"in use by the controller with pid {small.running.pid}" in done.stderr
    assert f"kill {small.running.pid}" in done.stderr
    assert small.client.get("/devices/m1")["state"] == "good"


def test_the_socket_is_for_its_owner_alone(small: Small) -> None:
    assert (small.running.data / "control.sock").stat().st_mode & 0o777 == 0o600


def test_users_are_made_changed_and_listed(small: Small) -> None:
    data = str(small.running.data)
    link = shifu("user", "add", "wang.hm", "--role", "operator", "--display-name", "王", "--data", data).stdout.strip()
    changed = shifu("user", "change", "wang.hm", "--role", "viewer", "--disable", "--data", data).stdout
    users = {row["name"]: row for row in json.loads(shifu("user", "list", "--json", "--data", data).stdout)}
    twice = shifu("user", "add", "wang.hm", "--role", "operator", "--data", data, check=1)
    wrong = shifu("user", "add", "li.x", "--role", "boss", "--data", data, check=2)

    assert link.startswith(f"{small.running.url}/link#token=")
    assert changed == "wang.hm: viewer, disabled\n"
    assert users["wang.hm"] == {"name": "wang.hm", "role": "viewer", "disabled": True}
    assert "exists" in twice.stderr
    assert "wanted one of viewer, guard, operator" in wrong.stderr


def test_it_starts_with_everything_down_joins_what_appears_and_stops_within_ten_seconds(tmp_path: Path) -> None:
    with WordServer() as gone:
        port = gone.port
    site = tmp_path / "site"
    for name, text in (("site.toml", SITE), ("equipment.toml", EQUIPMENT)):
        site.mkdir(exist_ok=True)
        (site / name).write_text(text, "utf-8")
    (site / "devices").mkdir()
    (site / "devices" / "a.toml").write_text(meter(1, gone), "utf-8")
    (site / "server.toml").write_text(
        '[history.influx]\nurl = "http://127.0.0.1:9"\norg = "o"\nbucket = "b"\ntoken_env = "NO_TOKEN"\n', "utf-8"
    )
    os.environ["NO_TOKEN"] = "not-a-secret"
    try:
        with Shifu(site, tmp_path / "data") as running:
            client = running.user("engineer")
            wait_for(lambda: client.get("/devices/m1")["state"] == "lost", 20)
            with WordServer(port) as here:
                here.put_float(POWER, 7_000.0)
                wait_for(lambda: client.get("/devices/m1")["state"] == "good", 40)
                wait_for(lambda: client.value("main.electrical.meter1.power")["value"] == pytest.approx(7.0), 10)
                start = time.monotonic()
                assert running.stop(signal.SIGTERM) == 0
                assert time.monotonic() - start < 10.0
            log = running.log
    finally:
        del os.environ["NO_TOKEN"]

    lines = [json.loads(line)["event"] for line in log.splitlines()]
    assert [line for line in lines if line.startswith(("started", "stopping", "stopped"))] == [
        f"started: site small, generation 1, 1 devices on 1 connections, at {running.url}",
        "stopping",
        "stopped",
    ]
    assert "not-a-secret" not in log
    assert sum("m1" in line and "lost" in line for line in log.splitlines()) <= 2
