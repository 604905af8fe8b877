"""Milliseconds from a fire in the panel's registers to the red band in the browser, the wait for the poll included.

    CHROMIUM=/usr/bin/chromium python benchmarks/fire.py [--samples 40]

A panel of ours answers function 3; a controller with the minimal site and `tests/services/fire.py` polls it as its
profile says, and Chromium shows the overview. The clock starts when the registers change, at a random moment of the
poll's period, and stops in the animation frame after the band is in the page; between them stands the moment at which
the panel first answered with the fire, so that the wait for the poll and the road to the screen are told apart.
Between two samples the panel is reset, an officer stands down, and everything is given back, so that each fire begins
in a house at rest: that is most of the three and a half seconds that a sample takes. Limit: 1 s at the 99th percentile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import shutil
import struct
import sys
import tempfile
import threading
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop
from playwright.sync_api import sync_playwright

from controller.app import Controller, Options
from controller.identity.permission import Role
from controller.share import share_dir
from tests.services.fire import DEVICES, FIRE, PANEL

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_MS = 1000.0
_WATCH = """() => { window.came = 0;
  const look = () => { if (document.querySelector('[data-fire="active"]')) {
    const note = () => { window.came = window.came || performance.timeOrigin + performance.now(); };
    if (!window.came) requestAnimationFrame(note);
  } else window.came = 0; };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true }); look(); }"""


class Panel(asyncio.Protocol):
    """The gateway: registers by the site standard, a heart that beats, function 3 alone."""

    words: dict[int, int] = {}  # noqa: RUF012 - one panel
    writes = 0
    told = 0.0
    """When the panel first answered with the fire; 0 while it has not."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data) - 11, 12):
            head, unit, function, first, count = struct.unpack_from(">H4xBBHH", data, start)
            Panel.writes += function != 3
            words = {**Panel.words, 0: int(time.monotonic()) & 0xFFFF}
            asked = [words.get(first + n, 0) for n in range(count)]
            if not Panel.told and any(asked[first == 0 :]):
                Panel.told = time.time()
            body = struct.pack(f">{count}H", *asked)
            self._transport.write(struct.pack(">HHHBBB", head, 0, 3 + len(body), unit, 3, len(body)) + body)


class Person:
    """Somebody who is signed in over HTTP."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.csrf = ""
        self.csrf = self("POST", "/session/link", {"token": token})["csrf"]

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        headers = {"Content-Type": "application/json", "Origin": self.url, "X-CSRF-Token": self.csrf}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers, method=method)
        with self._opener.open(request, timeout=20) as answer:
            return json.loads(answer.read())


def write_site(folder: Path, port: int) -> Path:
    """Write the minimal site with the panel at `port`, urgent as on the real site."""
    site = folder / "site"
    shutil.copytree(share_dir("config") / "minimal", site)
    (site / "equipment").mkdir()
    (site / "equipment" / "fire.toml").write_text(PANEL, "utf-8")
    panel = DEVICES.split("[[device]]")[1].replace("192.0.2.20:502", f"127.0.0.1:{port}")
    unit = DEVICES.split("[[device]]")[2].replace("192.0.2.21:4840", "127.0.0.1:2")
    rows = f"[[device]]{panel}urgent = true\n[[device]]{unit}"
    (site / "devices" / "fire.toml").write_text(rows, "utf-8")
    quick = 'zones = ["main.fire.zone*"]\nbatch = 100\npause_s = 1\n\n'
    (site / "fire.toml").write_text(FIRE.replace('zones = ["main.fire.zone*"]\n\n', quick, 1), "utf-8")
    return site


class House(threading.Thread):
    """Panel and controller on a loop of their own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.ready = threading.Event()
        self.url = ""
        self.links: dict[Role, str] = {}
        self._end: Callable[[], object] = lambda: None

    def run(self) -> None:
        """Serve until `stop`."""
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Panel, "127.0.0.1", 0)
        site = write_site(self.folder, server.sockets[0].getsockname()[1])
        controller = Controller(Options(site, self.folder / "data", port=0, demo=True))
        await controller.start()
        await asyncio.sleep(1)
        self.url, self.links = controller.server.url, dict(controller.identity.demo_links())
        self._end = lambda: loop.call_soon_threadsafe(controller.stop)
        self.ready.set()
        await controller.run()
        await controller.close()

    def stop(self) -> None:
        """End it and wait."""
        self._end()
        self.join(15)


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for a condition; return what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise SystemExit(f"gave up after {seconds:g} s")
        time.sleep(0.02)
    return found


def measure(house: House, samples: int) -> list[tuple[float, float]]:
    """Return the delays: until the panel was read, and from there to the band; ms."""
    officer = Person(house.url, house.links[Role.SAFETY_OFFICER])
    found: list[tuple[float, float]] = []
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        page = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]).new_page()
        page.goto(f"{house.url}/link#token={house.links[Role.OPERATOR]}")
        page.wait_for_selector("main[data-page=overview]")
        page.evaluate(_WATCH)
        until(lambda: officer("GET", "/fire")["reset"])
        for number in range(samples):
            time.sleep(random.uniform(0.0, 0.5))
            zone = number % 64
            Panel.told, begun = 0.0, time.time()
            Panel.words = {1: 1, 2: 1, 100 + zone: 2, 200 + zone: 7}
            came = until(lambda: page.evaluate("window.came"))
            read = Panel.told * 1000
            found.append((read - begun * 1000, came - read))
            Panel.words = {}
            until(lambda: officer("GET", "/fire")["reset"])
            response = officer("GET", "/fire")["response"]["id"]
            officer("POST", "/fire/stand-down", {"response": response, "reason": "benchmark"})
            until(lambda: officer("GET", "/fire")["response"] is None)
            until(lambda: not page.evaluate("window.came"))
            if (number + 1) % 5 == 0:
                print(f"{number + 1} of {samples} samples", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40)
    samples = parser.parse_args().samples
    print("the controller starts, then Chromium", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        house.start()
        if not house.ready.wait(60):
            raise SystemExit("the controller did not start")
        found = measure(house, samples)
        house.stop()
    print(f"fire in the registers -> band in the browser, {samples} samples, ms")
    print(f"{'':<28} {'p50':>6} {'p90':>6} {'p99':>6} {'worst':>6} {'limit p99':>10}")
    print(line("wait for the poll", [read for read, _ in found]))
    print(line("answer -> band", [road for _, road in found]))
    print(line("registers -> band", [read + road for read, road in found]) + f" {LIMIT_MS:10.0f}")
    print(f"writes to the panel: {Panel.writes}")


def line(name: str, delays: list[float]) -> str:
    """Return one line of the table: the value below which a share of the samples lies, by nearest rank."""
    ranked = sorted(delays)
    shares = [ranked[max(0, math.ceil(share * len(ranked)) - 1)] for share in (0.5, 0.9, 0.99, 1.0)]
    return f"{name:<28} " + " ".join(f"{value:6.0f}" for value in shares)


if __name__ == "__main__":
    main()
