"""kill -9 of the controller while readings flow and commands are posted: nothing committed is lost, nothing repeated.

Real processes: the simulators of a small site stay, the controller is killed again and again at seeded moments.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pytest

from controller.clock import SystemClock
from controller.history.cursor import START
from controller.history.embedded import EmbeddedHistory
from controller.history.frame import decode
from controller.history.segment import LogReader
from tests.services.city import Client, wait_for
from tests.services.simulation import simulated
from tests.services.small import small_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = 10
SEED = 20_260_101
POINT = "cityhall.plant.header.differential_pressure_setpoint"
ACKNOWLEDGED = "cityhall.meter.em001.frequency#high"
FINAL = {"done", "failed", "unknown", "masked", "expired"}
PASSWORD = "nine kilometres of blue cable"

ALARMS = """
[[alarm]]
class = "meter"
tag = "frequency"
kind = "high"
limit = 50.5
priority = 2
text = { zh = "頻率", en = "frequency" }
consequence = { zh = "無", en = "none" }
action = { zh = "看", en = "look" }
respond_min = 5
"""


class Run:
    """The controller of the small site as a process."""

    def __init__(self, folder: Path, turn: int) -> None:
        self.log = folder / f"controller-{turn}.log"
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "controller", "run", str(folder / "site"), "--data", str(folder / "data"),
                    "--endpoints", str(folder / "endpoints.json"), "--port", "0",
                ],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        found = wait_for(self._address, 40, self._tail)
        self.url = found.group(1)
        wait_for(self._listens, 20, self._tail)

    def _tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]

    def _address(self) -> re.Match[str] | None:
        assert self.process.poll() is None, f"the controller ended:\n{self._tail()}"
        return re.search(r"^Shifu is at (\S+)$", self._tail(), re.MULTILINE)

    def _listens(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def link(self) -> str:
        found = wait_for(lambda: re.search(r"(http\S+/link#token=\S+)", self._tail()), 10, self._tail)
        return str(found.group(1))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of a small site whose simulators run."""
    with simulated(tmp_path, {**small_site(3), "alarms": ALARMS}) as running:
        yield running


def committed(folder: Path) -> set[tuple[int, int, bytes]]:
    """Return (number, time, value) of every reading that the log has on disk."""
    found: set[tuple[int, int, bytes]] = set()
    reader = LogReader(folder / "data" / "log")
    after = START
    while frames := reader.read(after, 1000):
        for position, data in frames:
            readings = decode(data).readings
            after = position
            found |= {
                (number, time, np.float64(value).tobytes())
                for number, time, value in zip(
                    readings.point.tolist(), readings.time_ns.tolist(), readings.value.tolist(), strict=True
                )
            }
    reader.close()
    return found


def rows(folder: Path, sql: str) -> list[Any]:
    """Ask the state database of a controller that is not running."""
    connection = sqlite3.connect(folder / "data" / "state.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def whole(folder: Path) -> None:
    """Check every database of the data folder."""
    for path in [folder / "data" / "state.db", folder / "data" / "history.db", *(folder / "data" / "log").glob("*.db")]:
        connection = sqlite3.connect(path)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path.name
        finally:
            connection.close()


def written(folder: Path) -> list[float]:
    """Return the set-points that the simulated device was told, in order."""
    done = subprocess.run(
        [sys.executable, "-m", "simulators", "ledger", "--run-dir", str(folder / "run"), "header-io"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return [row["value"] for row in json.loads(done.stdout) if row["quantity"] == "differential_pressure_setpoint"]


def held(folder: Path) -> float | None:
    found = rows(folder, f"SELECT value FROM command_slot WHERE point = '{POINT}' AND slot = 8")
    return float(found[0][0]) if found else None


def alarm_states(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return state, people and times of the process alarms as the database has them."""
    sql = "SELECT definition, state, raised_ns, acknowledged_by, comment FROM alarm_state"
    return {row[0]: row[1:] for row in rows(folder, sql) if row[0].endswith("#high")}


def first_password(client: Client, link: str) -> None:
    """Use a sign-in link and set the password that it asks for."""
    client.sign_in(link)
    client._csrf = client.post("/session/password", {"current": None, "new": PASSWORD})["csrf"]


def post(client: Client, value: float, accepted: dict[float, str]) -> None:
    """Post one command; the answer may never come."""
    try:
        made = client.post("/commands", {"point": POINT, "value": value, "reason": "test"})
    except (AssertionError, OSError, urllib.error.URLError):
        return
    accepted[value] = made["id"]


class Witness:
    """Remembers what was on disk when the controller died, and looks for it afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = random.Random(SEED)
        self.client: Client | None = None
        self.readings: set[tuple[int, int, bytes]] = set()
        self.alarms: dict[str, tuple[Any, ...]] = {}
        self.slot: float | None = None
        self.told: list[float] = []
        self.asked: list[float] = []
        self.accepted: dict[float, str] = {}

    def sign_in(self, run: Run) -> Client:
        """Return a client; the session of the first start lives through all restarts."""
        if self.client is None:
            chief, self.client = Client(run.url), Client(run.url)
            first_password(chief, run.link())
            user = {"name": "chen.yl", "display_name": "陳", "role": "operator", "areas": []}
            first_password(self.client, f"{run.url}/link#token={chief.post('/users', user)['link_token']}")
        self.client.url = run.url
        client = self.client
        wait_for(lambda: client.get("/devices/header-io")["state"] == "good", 20, run._tail)
        return client

    def look_after_start(self, client: Client) -> None:
        """Check that readings, alarms and the held set-point are there again."""
        newest = max(time for _, time, _ in self.readings)
        number, time, value = max(row for row in self.readings if row[1] == newest)
        points = client.get("/points?limit=500")["items"]
        address = next(item["address"] for item in points if item["number"] == number)
        path = f"/history?points={address}&start={iso(time)}&end={iso(time + 1_000_000)}&buckets=0"
        got = wait_for(lambda: client.get(path)["series"][0]["value"], 10, path)
        wanted = float(np.frombuffer(value)[0])
        assert got == [None if np.isnan(wanted) else pytest.approx(wanted)]

        active = {item["id"]: item for item in client.get("/alarms?state=active")["items"]}
        for definition, (state, raised_ns, by, comment) in self.alarms.items():
            alarm = active[definition]
            assert alarm["state"] == state
            assert (alarm["acknowledged_by"] or "", alarm["comment"] or "") == (by, comment)
            assert alarm["raised_at"][:23] == iso(raised_ns)[:23]

        if self.slot is not None:
            # The device is given what its slot still holds; that, when it differs, is all it is told.
            wait_for(lambda: client.value(POINT)["value"] == pytest.approx(self.slot), 15, f"slot 8 holds {self.slot}")
            again = written(self.folder)[len(self.told) :]
            assert again in ([], [self.slot]), (again, self.slot)

    def disturb(self, client: Client) -> None:
        """Wait for a committed reading, then post commands at random moments."""
        wait_for(lambda: committed(self.folder) - self.readings, 15, "no reading was committed after the start")
        for _ in range(self.random.randint(1, 3)):
            self.asked.append(100.0 + 0.5 * len(self.asked))
            sender = threading.Thread(target=post, args=(client, self.asked[-1], self.accepted), daemon=True)
            sender.start()
            sender.join(self.random.uniform(0.0, 0.3))
        threading.Event().wait(self.random.uniform(0.0, 0.3))

    def look_at_the_dead(self) -> None:
        """Check every file, and remember what is in them."""
        whole(self.folder)
        now = committed(self.folder)
        assert self.readings <= now, "a committed reading is gone from the log"
        self.readings = now
        self.alarms = alarm_states(self.folder)
        self.slot = held(self.folder)
        self.told = written(self.folder)
        known = {row[0] for row in rows(self.folder, "SELECT DISTINCT command FROM command_entry")}
        assert set(self.accepted.values()) <= known, "a command that was answered with 202 is not in the journal"

    def look_at_commands(self) -> None:
        """Check at the end that each command was carried out at most once and has one end."""
        counts = Counter(written(self.folder))
        assert all(count == 1 for count in counts.values()), counts
        assert set(counts) <= set(self.asked)
        history: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
        sql = "SELECT command, state, owner, value FROM command_entry ORDER BY id"
        for command, state, owner, value in rows(self.folder, sql):
            history[command].append((state, owner, value))
        for command, entries in history.items():
            states = [state for state, _, _ in entries]
            assert states[-1] in FINAL, (command, entries)
            assert sum(state in FINAL for state in states) == 1, (command, entries)
            if states[-1] == "done":
                assert counts[entries[0][2]] == 1, (command, entries)


@pytest.mark.timeout(400)
def test_a_controller_killed_ten_times_loses_no_committed_reading_and_repeats_no_command(folder: Path) -> None:
    witness = Witness(folder)
    for turn in range(KILLS):
        with Run(folder, turn) as run:
            client = witness.sign_in(run)
            if turn:
                witness.look_after_start(client)
            else:
                wait_for(lambda: len(client.get("/alarms?state=active")["items"]) >= 3, 20)  # noqa: B023 - used at once
                client.post("/alarms/acknowledge", {"ids": [ACKNOWLEDGED], "comment": "I look at it"})
            witness.disturb(client)
            run.kill()
        witness.look_at_the_dead()
        assert witness.alarms[ACKNOWLEDGED][0] == "acknowledged"
        assert len(witness.alarms) == 3
    with Run(folder, KILLS) as run:
        witness.look_after_start(witness.sign_in(run))
    whole(folder)
    witness.look_at_commands()
    assert len(witness.asked) >= KILLS

    everything = EmbeddedHistory(folder / "data" / "history.db", folder / "data" / "log", SystemClock())
    everything.start()
    try:
        check_history(everything, committed(folder))
    finally:
        everything.close()


def check_history(history: EmbeddedHistory, readings: set[tuple[int, int, bytes]]) -> None:
    """Compare what queries return with every reading that was ever committed."""
    numbers = sorted({number for number, _, _ in readings})
    start, end = min(time for _, time, _ in readings), max(time for _, time, _ in readings) + 1
    wait_for(lambda: not history.status().rebuilding and history.status().lag_frames == 0, 20)
    found = set()
    for series in asyncio.run(history.raw(numbers, start, end)):
        found |= {
            (series.number, time, np.float64(value).tobytes())
            for time, value in zip(series.time_ns.tolist(), series.value.tolist(), strict=True)
        }
    lost = {(number, time) for number, time, _ in readings} - {(number, time) for number, time, _ in found}
    assert not lost, f"{len(lost)} of {len(readings)} committed readings are not in history"
    assert len(found) == len({(number, time) for number, time, _ in found}), "a reading is there twice"


def iso(time_ns: int) -> str:
    """Return a time as the API reads and writes it."""
    whole_s, rest = divmod(time_ns, 10**9)
    text = datetime.datetime.fromtimestamp(whole_s, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}Z"
