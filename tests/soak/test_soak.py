"""A long run of the whole city under churn: faults come and go, people come and go, commands and acknowledgements.

    make soak                 # two hours
    SOAK_MINUTES=30 make soak

Not part of the gate, and for a machine that does nothing else. After the warm-up memory, descriptors and threads of the
controller must stand still, nothing may have been dropped, and no turn may have been slow. The memory of the embedded
history grows by a few MiB at each of its first flushes, one in ten minutes, and levels off after about seven; a run of
less than 100 minutes says nothing about the slope and only bounds the whole.
"""

from __future__ import annotations

import json
import os
import random
import time
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.services.city import City, Client, wait_for

if TYPE_CHECKING:
    from pathlib import Path

MINUTES = float(os.environ.get("SOAK_MINUTES", "120"))
SEED = 20_260_101
SAMPLE_S = 5.0
SLOPE_MIB_H = 10.0
"""Growth of the resident memory that is allowed after the warm-up."""
MOST_MIB = 400.0
WARM_S = min(4500.0, MINUTES * 20)
SLACK = 5
"""Descriptors and threads that may be more at the end than after the warm-up."""
POINT = "cityhall.plant.header.differential_pressure_setpoint"
FAULTS = (
    ("disconnect",), ("delay", "0.8"), ("freeze",), ("corrupt", "random"), ("exception", "4"), ("mute",),
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    at_s: float
    mib: float
    descriptors: int
    threads: int


class Crowd:
    """People who open the control room, look at other pages, and leave without a word; one of them never reads."""

    def __init__(self, client: Client, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        self._open: list[ClientConnection] = []
        self._topics = ["overview", "alarms", "devices", "commands", "events"]
        self._topics += [f"system:{item['id']}" for item in client.get("/site")["systems"]]

    def come(self) -> None:
        """Open a stream on a few topics."""
        cookie = "; ".join(f"{item.name}={item.value}" for item in self._client.cookies)
        stream = connect(
            self._client.url.replace("http", "ws", 1) + "/api/v1/stream",
            subprotocols=["shifu.v1"],  # type: ignore[list-item]
            origin=self._client.url,  # type: ignore[arg-type]
            additional_headers={"Cookie": cookie},
        )
        stream.send(json.dumps({"subscribe": self._rng.sample(self._topics, 3)}))
        self._open.append(stream)

    def churn(self) -> None:
        """Read what came, then let somebody come and somebody go. The first one never reads."""
        for stream in self._open[1:]:
            with suppress(TimeoutError, ConnectionClosed):
                for _ in range(200):
                    stream.recv(timeout=0)
        self.come()
        while len(self._open) > 8:
            self._open.pop(self._rng.randrange(1, len(self._open))).close()

    def close(self) -> None:
        """All leave."""
        for stream in self._open:
            stream.close()


class Churn:
    """Breaks and mends one device after the other, commands, acknowledges, asks for history."""

    def __init__(self, city: City, client: Client, rng: random.Random) -> None:
        self._city = city
        self._client = client
        self._rng = rng
        self._devices = [item["id"] for item in client.all("/devices")]
        self._broken: list[str] = []
        self._turn = 0

    def step(self) -> None:
        """One of each."""
        self._turn += 1
        device = self._rng.choice(self._devices)
        # A fault that the device's protocol does not have is refused by the simulators, which is no news.
        with suppress(AssertionError):
            fault, *arguments = self._rng.choice(FAULTS)
            self._city.sim("fault", fault, device, *arguments)
            self._broken.append(device)
        while len(self._broken) > 5:
            self._city.sim("fault", "clear", self._broken.pop(0))
        with suppress(AssertionError):
            self._client.post("/commands", {"point": POINT, "value": 100 + self._turn % 50, "reason": "soak"})
        waiting = [item["id"] for item in self._client.get("/alarms?state=active")["items"]][:20]
        if waiting:
            self._client.post("/alarms/acknowledge", {"ids": waiting, "comment": "soak"})
        now_ms = time.time_ns() // 1_000_000
        self._client.get(f"/history?points={POINT}&start={now_ms - 3_600_000}&end={now_ms}&buckets=400")

    def mend(self) -> None:
        """End all faults."""
        for device in self._broken:
            self._city.sim("fault", "clear", device)


def metrics(city: City) -> dict[str, float]:
    with urllib.request.urlopen(f"{city.url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name.removeprefix("shifu_"): float(value) for name, value in rows}


def slope_mib_h(samples: list[Sample]) -> float:
    at = np.array([sample.at_s for sample in samples])
    return float(np.polyfit(at, [sample.mib for sample in samples], 1)[0] * 3600)


@pytest.mark.timeout(MINUTES * 60 + 300)
def test_nothing_grows_while_devices_and_people_come_and_go(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    samples: list[Sample] = []
    with ExitStack() as stack:
        city = stack.enter_context(City(tmp_path / "demo"))
        process = psutil.Process(city.pid)
        client = city.client("operator")
        wait_for(lambda: metrics(city).get('devices{state="good"}', 0) > 300, 60)
        crowd, churn = Crowd(client, rng), Churn(city, client, rng)
        stack.callback(crowd.close)
        start = time.monotonic()
        while (at_s := time.monotonic() - start) < MINUTES * 60:
            churn.step()
            crowd.churn()
            sample = Sample(at_s, process.memory_info().rss / 2**20, process.num_fds(), process.num_threads())
            samples.append(sample)
            print(
                f"{at_s:7.0f} s  {sample.mib:7.1f} MiB  {sample.descriptors} fds  {sample.threads} threads", flush=True
            )
            time.sleep(max(0.0, SAMPLE_S - (time.monotonic() - start - at_s)))
        churn.mend()
        after = metrics(city)
        wait_for(lambda: metrics(city).get('devices{state="good"}', 0) > 300, 120, "the devices did not come back")
        assert city.stop() == 0

    steady = [sample for sample in samples if sample.at_s >= WARM_S]
    growth = slope_mib_h(steady)
    print(f"{len(steady)} samples after {WARM_S:.0f} s: {growth:+.1f} MiB/h, {_facts(after)}")
    assert max(sample.mib for sample in samples) < MOST_MIB
    assert MINUTES < 100 or growth < SLOPE_MIB_H
    for what in ("descriptors", "threads"):
        first = max(getattr(sample, what) for sample in steady[: len(steady) // 3])
        last = max(getattr(sample, what) for sample in steady[-len(steady) // 3 :])
        assert last <= first + SLACK, f"{what}: {first} after the warm-up, {last} at the end"
    for name in (
        "log_dropped",
        "inbox_dropped_readings",
        "inbox_dropped_events",
        "cycle_faults",
        "announcement_faults",
    ):
        assert after[f"{name}_total"] == 0, name
    assert after["loop_slowest_seconds"] < 1.0


def _facts(found: dict[str, Any]) -> str:
    names = ("readings_total", "commands_total", "log_written_total", "stream_dropped_total", "loop_slowest_seconds")
    return ", ".join(f"{name} {found[name]:g}" for name in names)
