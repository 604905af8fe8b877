"""From `shifu demo` to the first page with live values, what controller and simulators cost, and a cold start.

    python benchmarks/demo.py [--seconds 60]

Prints one table with the aim beside each figure. Chromium is $CHROMIUM or /usr/bin/chromium.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.services.city import City, Client, wait_for

SITE = "config/taipei-city-hall"
ROOT = Path(__file__).resolve().parent.parent


def first_live_page(folder: Path) -> tuple[float, float, City]:
    """Start the demo with nothing there, sign in as a person would, and wait for a live main-meter value.

    Returns:
        Seconds to the printed address, seconds to the value on the page, and the running city.
    """
    start = time.monotonic()
    city = City(folder, days=7)
    city.__enter__()
    printed = time.monotonic() - start
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(city.links.pop("viewer"))
        page.wait_for_function(
            "() => /[1-9],\\d{3}/.test(document.querySelector('main')?.innerText ?? '')", timeout=60_000
        )
        live = time.monotonic() - start
        browser.close()
    return printed, live, city


def cost(processes: dict[str, list[psutil.Process]], seconds: float) -> dict[str, tuple[float, float]]:
    """Return CPU in per cent of one core and resident memory in MB of each group over `seconds`."""
    before = {name: sum(sum(p.cpu_times()[:2]) for p in group) for name, group in processes.items()}
    time.sleep(seconds)
    return {
        name: (
            (sum(sum(p.cpu_times()[:2]) for p in group) - before[name]) / seconds * 100,
            sum(p.memory_info().rss for p in group) / 1e6,
        )
        for name, group in processes.items()
    }


def cold_start(folder: Path) -> float:
    """Return the seconds from the start of `shifu run` until every polled and subscribed device was read."""
    folder.mkdir(parents=True)
    endpoints = folder / "endpoints.json"
    simulators = subprocess.Popen(
        [sys.executable, "-m", "simulators", "run", "--site", SITE, "--endpoints", str(endpoints)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = (folder / "run.log").open("w+")
    try:
        wait_for(endpoints.exists, 60, "the simulators do not start")
        options = ["--data", str(folder / "data"), "--port", "0", "--endpoints", str(endpoints)]
        start = time.monotonic()
        controller = subprocess.Popen(
            [sys.executable, "-m", "controller", "run", SITE, *options],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            link = wait_for(lambda: re.search(r"(http\S+)/link#token=\S+", (folder / "run.log").read_text()), 30)
            client = Client(link.group(1))
            client.sign_in(link.group(0))
            client.post("/session/password", {"new": "a long enough pass phrase"})

            def waiting() -> list[str]:
                items = client.get("/devices?limit=1000")["items"]
                return [i["id"] for i in items if i["protocol"] != "mqtt" and i["state"] != "good"]

            wait_for(lambda: not waiting(), 60, lambda: str(waiting()))
            return time.monotonic() - start
        finally:
            controller.send_signal(signal.SIGTERM)
            controller.wait(15)
    finally:
        simulators.terminate()
        simulators.wait(15)
        log.close()


def bundle() -> float:
    """Return the kB, compressed, of the JavaScript that the first page loads."""
    dist = ROOT / "dashboards" / "control_room" / "dist"
    html = (dist / "index.html").read_text("utf-8")
    scripts = re.findall(r'(?:src|href)="/?([^"]+\.js)"', html)
    return sum(len(gzip.compress((dist / name).read_bytes(), 9)) for name in scripts) / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        printed, live, city = first_live_page(folder / "demo")
        rows.append(("demo: to the printed address", f"{printed:.1f} s", ""))
        rows.append(("demo: to the first page with live values", f"{live:.1f} s", "≤ 20 s"))
        try:
            time.sleep(20)
            process = city._process
            assert process
            controller = psutil.Process(process.pid)
            children = controller.children(recursive=True)
            groups = {"controller": [controller], "simulators": children}
            for name_, (cpu, memory) in cost(groups, seconds).items():
                aim = "≤ 15 % and ≤ 250 MB" if name_ == "controller" else "≤ 50 %"
                rows.append((f"{name_}, {seconds:.0f} s at 1×", f"{cpu:.1f} % of a core, {memory:.0f} MB", aim))
        finally:
            city.stop()
        rows.append(("cold start: all polled and subscribed devices read", f"{cold_start(folder / 'cold'):.1f} s", ""))
    rows.append(("JavaScript of the first page, gzip", f"{bundle():.0f} kB", "≤ 250 kB"))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    width = max(len(row[0]) for row in rows)
    for what, figure, aim in rows:
        print(f"{what:<{width}}  {figure:<28} {aim}")


if __name__ == "__main__":
    main()
