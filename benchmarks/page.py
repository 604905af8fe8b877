"""What a page costs the browser while every point of the whole City Hall changes, and whether it grows with time.

    python benchmarks/page.py [--minutes 60] [--pages /,/floors,/meters]

The real application serves the real site, without devices: a child process gives every point a new value at a set rate
(1 Hz for the share of time; as fast as frames are taken for "an hour", which is minutes × 60 frames). Chromium shows
each page at 1920 × 1080; script, layout and style are its own counters. Limits: script 10 % of a core at 1 Hz, memory
after an hour flat (within 10 MB of what it was after the first minute).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from controller.alarm.engine import AlarmEngine
from controller.api.app import create_app
from controller.api.runtime import Runtime
from controller.api.server import HttpSettings, build_server
from controller.clock import SystemClock
from controller.command.arbiter import Arbiter
from controller.connection import check_devices
from controller.cycle import Parts
from controller.field.field import DeviceStatus
from controller.history.embedded import EmbeddedHistory
from controller.identity.identity import Identity
from controller.journal.journal import Journal
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.rule.engine import RuleEngine
from controller.safety.watch import FireWatch
from controller.settings.load import load
from controller.share import share_dir
from drivers.errors import DeviceTimeoutError
from drivers.reading import Readings
from tests.services.city import Client, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

    from controller.point.model import Site
    from drivers.picture import Picture

SECONDS = 15.0
LOADS = 5
PAGES = ("/", "/floors", "/meters", "/iaq", "/devices")
_PAINT = """() => new Promise((done) => {
  const tell = () => {
    const found = performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
    if (found) done(found); else requestAnimationFrame(tell); };
  tell(); })"""


class Everything:
    """All devices, always good."""

    def __init__(self, statuses: list[DeviceStatus]) -> None:
        self._statuses = statuses

    def statuses(self) -> list[DeviceStatus]:
        return self._statuses

    async def picture(self, device: str) -> Picture:
        raise DeviceTimeoutError(f"{device}: nobody looks here")


def moving(site: Site, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], ...]:
    """Return number, centre and swing of every point: values that stay plausible and cross the deadband each time."""
    points = list(site.points.values())
    number = np.array([point.number for point in points], np.int32)
    low = np.array([max(point.low, -1e3) for point in points])
    high = np.array([min(point.high, 1e3) for point in points])
    states = np.array([point.kind in ("binary", "multistate") for point in points])
    centre = np.where(states, low, (low + high) / 2)
    swing = np.where(states, 0.0, (high - low) / 4) * rng.uniform(0.3, 1.0, len(points))
    return number, centre, swing


async def serve(folder: Path) -> None:
    """Serve the site; lines on standard input set how often a second every point changes ("0.5", "40", "0")."""
    clock = SystemClock()
    site_folder = share_dir("config") / "taipei-city-hall"
    made = load(site_folder, Registry({}), clock=clock, check_devices=check_devices)
    site = made.site
    journal = await Journal.open(folder / "state.db", clock)
    identity = await Identity.open(journal, clock, demo=True)
    history = EmbeddedHistory(folder / "history.db", folder / "log", clock)
    table = PointTable(site, clock)
    status = DeviceStatus(
        id="", profile="", protocol="modbus", endpoint="", unit=1, equipment="", points=0, state="good",
        last_good_ns=clock.now_ns(), since_ns=clock.now_ns(), polls=1, errors=0, timeouts=0, refused=0,
        latency_p95_ms=3.0, message="", keepalives=0, writes=0,
    )  # fmt: skip
    devices = [
        replace(
            status, id=device.id, profile=device.profile.id, protocol=device.profile.protocol,
            endpoint=device.endpoint, equipment=made.equipment[device.id], points=len(device.numbers),
        )
        for device in made.devices
    ]  # fmt: skip

    async def no_limits(*_: object) -> None:
        return None

    limits: Any = no_limits
    alarms = AlarmEngine(made.alarms, clock, lambda _: None)
    arbiter = Arbiter(site, clock, new_id=lambda: "c", record=lambda *_: None)
    parts = Parts(table, RuleEngine((), site, clock), alarms, arbiter)
    fire = FireWatch(lambda: made.fire, parts, clock, record=lambda _: None, changed=lambda: None)
    runtime = Runtime(
        site=lambda: site, table=lambda: table, alarms=alarms, arbiter=arbiter, fire=fire,
        field=Everything(devices), history=history, journal=journal, identity=identity, clock=clock, version="0",
        set_limits=limits, overview=lambda: list(site.points),
    )  # fmt: skip
    app = create_app(runtime, static_dir=share_dir("dashboards") / "control_room" / "dist")
    server = build_server(app, HttpSettings(port=0), clock)
    serving = asyncio.create_task(server.run_until_stopped())
    token = next(token for role, token in identity.demo_links().items() if role.value == "operator")
    print(f"{server.url}/link#token={token} {len(site.points)}", flush=True)
    rate = asyncio.get_running_loop().create_future()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    rng = np.random.default_rng(1)
    number, centre, swing = moving(site, rng)
    hub = runtime.hub
    assert hub is not None
    per_s, frames = 1.0, 0

    async def listen() -> None:
        nonlocal per_s
        while line := await reader.readline():
            per_s = float(line)
            print(frames, flush=True)
        rate.set_result(None)

    listening = asyncio.create_task(listen())
    while not rate.done():
        if per_s > 0:
            value = centre + swing * rng.uniform(-1.0, 1.0, len(number))
            batch = Readings(number, value, np.full(len(number), clock.now_ns()), np.zeros(len(number), np.uint8))
            hub.publish_values(table.apply(batch))
            frames += 1
        await asyncio.sleep(1.0 / per_s if per_s > 0 else 0.1)
    await listening
    server.stop()
    await serving


def metrics(session: CDPSession) -> dict[str, float]:
    """Return Chromium's counters of a page."""
    return {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}


def heap(session: CDPSession) -> float:
    """Return the MB in use after a collection."""
    session.send("HeapProfiler.collectGarbage")
    return metrics(session)["JSHeapUsedSize"] / 1e6


class Server:
    """The child that serves."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        link, points = self._process.stdout.readline().split()
        self.link, self.points = link, int(points)
        self.url = link.split("/link#", 1)[0]

    def rate(self, per_s: float) -> int:
        """Set the changes a second of every point; return the frames sent so far."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{per_s}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)


def share(page: Page, session: CDPSession) -> tuple[float, float]:
    """Return script and all work of the page's main thread, per cent of a core."""
    before, start = metrics(session), time.monotonic()
    page.wait_for_timeout(SECONDS * 1000)
    after, took = metrics(session), time.monotonic() - start
    return (
        (after["ScriptDuration"] - before["ScriptDuration"]) / took * 100,
        (after["TaskDuration"] - before["TaskDuration"]) / took * 100,
    )


def hour(page: Page, session: CDPSession, server: Server, frames: int) -> tuple[float, float, float, float]:
    """Let a minute of frames pass, then the rest; return heap and nodes after the first and at the end."""
    first = server.rate(20.0)
    wait_for(lambda: server.rate(20.0) - first >= 60, 60, "frames do not flow")
    early, nodes = heap(session), metrics(session)["Nodes"]
    wait_for(lambda: server.rate(20.0) - first >= frames, frames / 5, "frames do not flow")
    server.rate(1.0)
    page.wait_for_timeout(2000)
    return early, heap(session), nodes, metrics(session)["Nodes"]


def main() -> None:
    """Run and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--pages", default=",".join(PAGES))
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        client = Client(server.url)
        client.sign_in(server.link)
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or "/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        cookies: Any = [{"name": c.name, "value": c.value or "", "url": server.url} for c in client.cookies]

        def window() -> Page:
            context = browser.new_context(viewport={"width": 1920, "height": 1080})
            context.add_cookies(cookies)
            context.add_init_script("localStorage.setItem('shifu.session', 'in')")
            return context.new_page()

        print(f"{server.points} points, each changes once a second")
        print(f"{'page':<12} {'script %':>9} {'all %':>7} {'limit':>6} {'paint ms':>9}  heap MB, nodes: minute -> end")
        for path in options.pages.split(","):
            paints = []
            for _ in range(LOADS):
                page = window()
                page.goto(server.url + path)
                paints.append(page.evaluate(_PAINT))
                page.context.close()
            page = window()
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable")
            page.goto(server.url + path)
            page.locator("main h1").first.wait_for(state="attached")
            page.wait_for_timeout(3000)
            script, work = share(page, session)
            early, late, nodes, more = hour(page, session, server, round(options.minutes * 60))
            print(
                f"{path:<12} {script:9.1f} {work:7.1f} {10:6d} {statistics.median(paints):9.0f}  "
                f"{early:.1f} -> {late:.1f}, {nodes:.0f} -> {more:.0f}"
            )
            page.context.close()
        browser.close()
        server.close()


if __name__ == "__main__":
    main()
