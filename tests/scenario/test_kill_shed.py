"""kill -9 in the middle of a shed: what the dead held is given back once, and what a day allows is not forgotten.

Real processes on real sockets: the simulators of a meter and three chargers stay, the controller is killed. What the
chargers were told is read from their own ledger, each write once, heartbeats apart.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenario.test_kill import FINAL
from tests.services.city import wait_for
from tests.services.shifted import Shifted, ShiftedClock
from tests.services.simulation import simulated
from tests.services.small import small_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPEED = 3.0
MINUTE_NS = 60 * 10**9
BASE_NS = 1_784_095_200_000_000_000 + MINUTE_NS
"""2026-07-15 14:01 in Taipei: a minute into a window, of which the first 90 s say little."""
CHARGERS = (9, 10, 11)
FULL_KW, SHED_KW = 22.0, 8.0

EQUIPMENT = """
[[equipment]]
id = "cityhall.electrical.feeder06"
class = "meter"
name = { zh = "機房饋線", en = "Server feeder" }
floor = "B1"
area = "plant"
[[equipment]]
id = "cityhall.ev.charger{n:02}"
for = { n = "9..11" }
class = "charger"
name = { zh = "充電樁 {n}", en = "Charger {n}" }
floor = "B1"
area = "plant"
"""
DEVICES = """
[[device]]
id = "feeder06-meter"
equipment = "cityhall.electrical.feeder06"
profile = "eastron-sdm630"
endpoint = "tcp://10.20.3.12:502"
unit = 1
period_s = 1
[[device]]
id = "ev{n:02}"
for = { n = "9..11" }
equipment = "cityhall.ev.charger{n:02}"
profile = "delta-ac-max"
defaults = { power_limit = 22.0 }
endpoint = "tcp://10.20.7.{100+n}:502"
period_s = 5
"""
STRATEGY = """
[demand]
mode = "run"
meter = "cityhall.electrical.feeder06.power"
contract_kw = 100
period_s = 1
[[demand.shed]]
id = "chargers"
name = { zh = "充電樁", en = "Chargers" }
points = ["cityhall.ev.charger*.power_limit"]
priority = 1
at_most = [8]
kw = 10
times_per_day = 1
least_s = 60
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of a site whose meter is far above its contract, with its simulators running."""
    texts = small_site(1)
    texts = {**texts, "equipment": texts["equipment"] + EQUIPMENT, "devices/all": texts["devices/all"] + DEVICES}
    with simulated(tmp_path, {**texts, "strategy": STRATEGY}) as running:
        yield running


def told(folder: Path, charger: int) -> list[float]:
    """Return the limits that a charger was told, in order."""
    done = subprocess.run(
        [sys.executable, "-m", "simulators", "ledger", "--run-dir", str(folder / "run"), f"ev{charger:02}"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return [row["value"] for row in json.loads(done.stdout) if row["quantity"] == "power_limit"]


def rows(folder: Path, sql: str) -> list[Any]:
    """Ask the state database of a controller that is not running."""
    connection = sqlite3.connect(folder / "data" / "state.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def slots(folder: Path) -> set[tuple[str, float]]:
    return set(rows(folder, "SELECT point, value FROM command_slot WHERE slot = 9 AND value IS NOT NULL"))


@pytest.mark.timeout(180)
def test_what_the_dead_had_shed_is_given_back_once_and_not_shed_again_on_that_day(folder: Path) -> None:
    clock = ShiftedClock(BASE_NS, time.time_ns(), SPEED)
    points = {f"cityhall.ev.charger{n:02}.power_limit" for n in CHARGERS}
    with Shifted(folder, clock, 0) as run:
        wait_for(lambda: run.client.get("/strategies/demand")["state"] == "acting", 60, run.tail)
        wait_for(lambda: all(told(folder, n)[-1:] == [SHED_KW] for n in CHARGERS), 20, run.tail)
        run.kill()
    before = {n: told(folder, n) for n in CHARGERS}
    assert all(row.count(SHED_KW) == 1 for row in before.values()), before
    assert slots(folder) == {(point, SHED_KW) for point in points}, "the database knows what the dead held"

    with Shifted(folder, clock, 1) as run:
        wait_for(lambda: all(told(folder, n)[-1:] == [FULL_KW] for n in CHARGERS), 40, run.tail)
        assert slots(folder) == set()
        # The window is still far above the contract, and has been for longer than a need must last.
        seen = wait_for(lambda: _helpless(run.client.get("/strategies/demand")), 40, run.tail)
        assert {part["state"] for part in seen["parts"]} == {"resting"}, seen["parts"]
        threading.Event().wait(2.0)
        assert {n: told(folder, n) for n in CHARGERS} == {n: [*before[n], FULL_KW] for n in CHARGERS}
        assert slots(folder) == set()
        run.kill()

    # Every command of both lives has one end, and none was done twice.
    ends: dict[str, list[str]] = defaultdict(list)
    for command, state in rows(folder, "SELECT command, state FROM command_entry ORDER BY id"):
        if state in FINAL:
            ends[command].append(state)
    assert ends
    assert all(len(found) == 1 for found in ends.values()), ends


def _helpless(status: dict[str, Any]) -> dict[str, Any] | None:
    return status if status["troubles"].get("excess") else None
