"""The whole fleet as a user starts it: map, control socket, faults, ledger, and an end without orphans."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[3]
_SITE = """
[site]
id = "small"
name = { zh = "小", en = "Small" }
timezone = "Asia/Taipei"
latitude = 25.04
longitude = 121.56
[[building]]
id = "cityhall"
name = { zh = "市政大樓", en = "City Hall" }
floors = ["B1", "1F", "2F"]
"""
_EQUIPMENT = "".join(
    f'[[equipment]]\nid = "cityhall.{address}"\nclass = "{cls}"\nname = {{ zh = "x", en = "x" }}\nfloor = "1F"\n'
    for address, cls in (
        ("electrical.main", "meter"), ("electrical.tx1", "transformer"), ("plant.ch1", "chiller"),
        ("hvac.ahu_01f_w", "ahu"), ("environment.env001", "environment"),
    )
)  # fmt: skip
_DEVICES = """
[[device]]
id = "main-meter"
equipment = "cityhall.electrical.main"
profile = "janitza-umg801"
endpoint = "tcp://10.20.1.2:502"
[[device]]
id = "tx1-temp"
equipment = "cityhall.electrical.tx1"
profile = "tecsystem-nt935"
endpoint = "rtu+tcp://10.20.1.10:4001"
[[device]]
id = "ch1-unit"
equipment = "cityhall.plant.ch1"
profile = "site-standard-chiller"
endpoint = "tcp://10.20.2.11:502"
[[device]]
id = "ahu-01f-w"
equipment = "cityhall.hvac.ahu_01f_w"
profile = "site-standard-ahu"
endpoint = "opc.tcp://10.20.4.10:4840"
options = { node_prefix = "AHU/01F-W" }
[[device]]
id = "env001-sensor"
equipment = "cityhall.environment.env001"
profile = "milesight-am319"
endpoint = "mqtt://10.20.5.2:1883"
options = { dev_eui = "24e124710c000001", application = "1" }
"""


class Running:
    def __init__(self, folder: Path, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self.folder, self.process, self.ready = folder, process, ready
        self.map_path = folder / "map.json"
        self.map: dict[str, Any] = json.loads(self.map_path.read_text("utf-8"))

    def tell(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "simulators", arguments[0], "--endpoints", str(self.map_path), *arguments[1:]],
            cwd=_ROOT, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout or done.stderr

    def port(self, endpoint: str) -> int:
        return int(self.map[endpoint].rsplit(":", 1)[1])


def start(folder: Path, site: Path) -> Running:
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators", "run", "--site", str(site), "--endpoints", str(folder / "map.json")],
        cwd=_ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    timer = threading.Timer(60, process.kill)
    timer.start()
    assert process.stdout is not None
    line = process.stdout.readline()
    timer.cancel()
    assert line, "the fleet ended before it was ready"
    return Running(folder, process, json.loads(line))


def gone(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "devices").mkdir(parents=True)
    (folder / "site.toml").write_text(_SITE, "utf-8")
    (folder / "equipment.toml").write_text(_EQUIPMENT, "utf-8")
    (folder / "devices" / "all.toml").write_text(_DEVICES, "utf-8")
    return folder


@pytest.fixture
def fleet(tmp_path: Path, site: Path) -> Iterator[Running]:
    running = start(tmp_path, site)
    yield running
    running.process.kill()
    running.process.wait(5)
    assert running.process.stdout is not None
    running.process.stdout.close()
    assert gone(running.ready["children"], 5.0)


async def ask(port: int, frame: str, length: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(bytes.fromhex(frame))
    data = await asyncio.wait_for(reader.readexactly(length), 5)
    writer.close()
    await writer.wait_closed()
    return data.hex(" ").upper()


async def test_map_faults_ledger_and_a_clean_end(fleet: Running) -> None:
    assert (fleet.ready["ready"], fleet.ready["devices"], len(fleet.ready["children"])) == (True, 5, 2)
    assert set(fleet.map) == {
        "tcp://10.20.1.2:502", "rtu+tcp://10.20.1.10:4001", "tcp://10.20.2.11:502", "opc.tcp://10.20.4.10:4840",
        "mqtt://10.20.5.2:1883", "secrets",
    }  # fmt: skip
    assert all(actual.split("://")[1].startswith("127.0.0.1:") for key, actual in fleet.map.items() if key != "secrets")
    assert fleet.map["rtu+tcp://10.20.1.10:4001"].startswith("rtu+tcp://")
    secrets = fleet.map["secrets"]["opc.tcp://10.20.4.10:4840"]
    assert set(secrets) == {"user", "password", "ca", "certificate", "private_key"}
    assert all(Path(secrets[key]).is_file() for key in ("ca", "certificate", "private_key"))
    assert fleet.map_path.stat().st_mode & 0o077 == 0
    assert Path(secrets["private_key"]).stat().st_mode & 0o077 == 0

    relay = fleet.port("rtu+tcp://10.20.1.10:4001")
    assert fleet.tell("fault", "set", "tx1-temp", "winding_temp_a", "141")[0] == 0
    assert (await ask(relay, "01 03 00 19 00 01 55 CD", 7)).startswith("01 03 02 00 8D")
    assert json.loads(fleet.tell("fault", "list")[1]) == {"tx1-temp": {"fixed": {"winding_temp_a": 141.0}}}
    code, said = fleet.tell("fault", "set", "tx1-temp", "colour", "3")
    assert code == 2
    assert "winding_temp_a" in said
    code, said = fleet.tell("fault", "freeze", "tx1-tmp")
    assert code == 2
    assert "tx1-temp" in said
    assert fleet.tell("fault", "clear", "tx1-temp")[1].strip() == "{}"

    chiller = fleet.port("tcp://10.20.2.11:502")
    answer = await ask(chiller, "00 01 00 00 00 09 01 10 00 65 00 01 02 02 EE", 12)
    assert answer == "00 01 00 00 00 06 01 10 00 65 00 01"
    writes = json.loads(fleet.tell("ledger", "ch1-unit")[1])
    assert [(row["quantity"], row["value"], row["effective"]) for row in writes] == [("chw_setpoint", 7.5, 7.5)]
    assert json.loads(fleet.tell("values", "ch1-unit")[1])["chw_setpoint"] == 7.5

    began = time.monotonic()
    fleet.process.send_signal(signal.SIGTERM)
    assert fleet.process.wait(5) == 0
    assert time.monotonic() - began < 2.0
    assert gone(fleet.ready["children"], 2.0)
    assert not fleet.map_path.exists()
    assert not Path(fleet.ready["control"]).exists()
    assert fleet.tell("status")[0] == 2


def test_killed_it_leaves_no_orphan(fleet: Running) -> None:
    fleet.process.kill()
    fleet.process.wait(5)
    assert gone(fleet.ready["children"], 2.0)


def test_it_ends_with_the_process_that_started_it(tmp_path: Path, site: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-m', 'simulators', 'run', '--site', {str(site)!r}, '--endpoints',"
        f" {str(tmp_path / 'map.json')!r}])\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    ready = json.loads(parent.stdout.readline())
    parent.kill()
    parent.wait(5)
    try:
        assert gone([ready["pid"], *ready["children"]], 5.0)
    finally:
        parent.stdout.close()


def test_what_cannot_be_served_is_said(tmp_path: Path, site: Path) -> None:
    text = (site / "devices" / "all.toml").read_text("utf-8").replace("tcp://10.20.1.2:502", "serial:/dev/ttyUSB0")
    (site / "devices" / "all.toml").write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "simulators", "run", "--site", str(site), "--endpoints", str(tmp_path / "map.json")],
        cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "opc.tcp:// and mqtt://" in done.stderr
    assert not (tmp_path / "map.json").exists()
