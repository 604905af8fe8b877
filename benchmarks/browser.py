"""Speed of the control room in Chromium, with the whole demo behind it.

    CHROMIUM=/usr/bin/chromium python benchmarks/browser.py

First paint of the overview (median of 9 cold loads), script of the first page on the wire, share of time in script over
10 s of the overview, and the time from a change in a register to its number on the page. A new value is set in the
simulator and the moment is taken when its text appears; the meter is polled once a second, so the wait for the next
poll (0 to 1 s) is taken off: the time runs from the moment at which the controller received the value.
"""

from __future__ import annotations

import datetime as dt
import functools
import gzip
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from simulators.control import ask
from tests.services.city import City, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

LOADS = 9
CHANGES = 60
SECONDS = 10
METER = "main-meter"
POINT = "cityhall.electrical.main.power"
_PAINT = """() => new Promise((done) => {
  const found = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
  const first = () => performance.getEntriesByName('first-paint')[0]?.startTime ?? 0;
  const tell = () => found() ? done([first(), found()]) : requestAnimationFrame(tell);
  tell(); })"""
_WATCH = """(selector) => { const node = document.querySelector(selector); window.seen = [];
  new MutationObserver(() => {
    window.seen.push([node.textContent.replace(/[^\\d.]/g, ''), performance.timeOrigin + performance.now()]);
  }).observe(node, { subtree: true, childList: true, characterData: true }); }"""
_PICKED = "(text) => window.seen.find(([shown]) => shown === text)?.[1] ?? null"


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that at least this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def metrics(session: CDPSession) -> dict[str, float]:
    """Return Chromium's counters of a page: seconds in script, layout, style and in all tasks."""
    return {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}


def paint(page: Page, url: str) -> list[float]:
    """Return first paint and first paint of content in ms after the navigation began, without a cache."""
    page.goto(url)
    return list(page.evaluate(_PAINT))


def change_latency(page: Page, city: City, client: Any) -> list[float]:
    """Return, for each change, ms from its reception by the controller until its text is on the page."""
    socket = city.folder / "run" / "control.sock"
    page.goto(f"{city.url}/electrical")
    tile = f'#content .tile a.value[href$="/{POINT.replace(".", "/")}"]'
    page.locator(f"{tile} .number").wait_for()
    page.evaluate(_WATCH, tile)
    found: list[float] = []
    for n in range(CHANGES):
        value = 2000 + n * 7
        ask(socket, "set", METER, ("power", str(value)))
        shown: Any = wait_for(functools.partial(page.evaluate, _PICKED, str(value)), 10, f"{value} kW is never shown")
        item = client.value(POINT)
        received = _ms(item["received"])
        if item["value"] == value and received <= shown:
            found.append(shown - received)
    ask(socket, "clear", METER)
    return found


def _ms(iso: str) -> float:
    return dt.datetime.fromisoformat(iso).timestamp() * 1000


def main() -> None:
    """Run and print one table."""
    with tempfile.TemporaryDirectory() as folder, City(Path(folder) / "demo") as city, sync_playwright() as playwright:
        client = city.client("operator")
        wait_for(lambda: client.value(POINT)["quality_name"] == "good", 60, "the main meter is not read")
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or "/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        cookies: Any = [{"name": c.name, "value": c.value or "", "url": city.url} for c in client.cookies]

        def window() -> Page:
            context = browser.new_context(viewport={"width": 1920, "height": 1080})
            context.add_cookies(cookies)
            context.add_init_script("localStorage.setItem('shifu.session', 'in')")
            return context.new_page()

        paints = []
        for _ in range(LOADS):
            page = window()
            paints.append(paint(page, city.url))
            page.context.close()
        print(f"first paint            median {statistics.median(p[0] for p in paints):6.0f} ms of {LOADS} cold loads")
        print(f"first paint of content median {statistics.median(p[1] for p in paints):6.0f} ms")

        page = window()
        wire: dict[str, int] = {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        names: dict[str, str] = {}
        session.on("Network.responseReceived", lambda e: names.__setitem__(e["requestId"], e["response"]["url"]))
        session.on("Network.loadingFinished", lambda e: wire.__setitem__(e["requestId"], int(e["encodedDataLength"])))
        page.goto(city.url)
        page.locator("#content .tile, #content .panel").first.wait_for()
        page.wait_for_load_state("networkidle")
        sizes = {
            names[key].rsplit("/", 1)[-1]: size for key, size in wire.items() if names.get(key, "").endswith(".js")
        }
        folder_of = Path(__file__).parents[1] / "dashboards/control_room/dist"
        packed = sum(len(gzip.compress(path.read_bytes(), 9)) for name in sizes for path in folder_of.rglob(name))
        print(
            f"script of first page   {sum(sizes.values()) / 1024:6.1f} kB on the wire, "
            f"{packed / 1024:.1f} kB as gzip -9 (limit 250 kB): {', '.join(sizes)}"
        )

        session.send("Performance.enable")
        before, start = metrics(session), time.monotonic()
        page.wait_for_timeout(SECONDS * 1000)
        after, took = metrics(session), time.monotonic() - start
        for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration"):
            print(f"overview, {name:20} {(after[name] - before[name]) / took * 100:6.2f} % of {took:.1f} s")
        print(f"overview, heap           {after['JSHeapUsedSize'] / 1e6:6.1f} MB, nodes {after['Nodes']:.0f}")

        latencies = change_latency(page, city, client)
        print(
            f"change received to text on the page: p50 {percentile(latencies, 0.5):.0f} ms, "
            f"p99 {percentile(latencies, 0.99):.0f} ms, most {max(latencies):.0f} ms of {len(latencies)} changes"
        )
        browser.close()


if __name__ == "__main__":
    main()
