"""Milliseconds from a change on the wire to a WebSocket client: the value, and the alarm that it raises or ends.

    python benchmarks/alarm_latency.py [--samples 60]

A meter of a small site is polled each second by a controller in a process of its own; at each poll its power crosses
the alarm's limit. The clock starts when the meter's answer leaves it, and stops when the client has the message: this
comes on top of the poll. It holds the 100 ms for which the cycle waits for other batches, and for alarms the
group commit of the journal. Limit: 300 ms (1 s at most).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.cookiejar
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, cast

import numpy as np
import uvloop
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parents[1]
POWER = 52
"""Register of the total power, W, of the Eastron SDM630 (its "Modbus protocol", input register 30053)."""
LIMIT_MS = 300.0


class Meter(asyncio.Protocol):
    """Answers reads of input registers; the power is 10 kW and 60 kW in turns."""

    changed = 0.0
    """When the last change left, monotonic s."""
    high = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), 12):
            head, unit, function, first, count = struct.unpack_from(">H4xBBHH", data, start)
            values = [50.0] * (count // 2)
            if first <= POWER < first + count:
                Meter.high = not Meter.high
                values[(POWER - first) // 2] = 60_000.0 if Meter.high else 10_000.0
            body = struct.pack(f">{len(values)}f", *values)
            self._transport.write(struct.pack(">HHHBBB", head, 0, 3 + len(body), unit, function, len(body)) + body)
            if first <= POWER < first + count:
                Meter.changed = time.monotonic()


def site(folder: Path, port: int) -> None:
    """Write the minimal site with a meter at `port`, polled each second, and an alarm without delay."""
    shutil.copytree(ROOT / "config" / "minimal", folder)
    for name, old, new in (
        ("devices/meter.toml", r"tcp://192.0.2.10:502", f"tcp://127.0.0.1:{port}"),
        ("devices/meter.toml", r"period_s = 5", "period_s = 1"),
        ("alarms.toml", r"on_delay_s = 60", "on_delay_s = 0"),
    ):
        path = folder / name
        text = path.read_text("utf-8")
        if not re.search(old, text):
            raise SystemExit(f"{path}: no {old}")
        path.write_text(re.sub(old, new, text), "utf-8")


class Session:
    """The first administrator's, from the link that the controller prints."""

    def __init__(self, log: Path) -> None:
        text = log.read_text("utf-8")
        self.url = str(re.findall(r"^Shifu is at (\S+)$", text, re.MULTILINE)[0])
        token = re.findall(r"#token=(\S+)", text)[0]
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        csrf = self._post("/session/link", {"token": token}, "")["csrf"]
        self._post("/session/password", {"current": None, "new": "nine kilometres of blue cable"}, csrf)

    def _post(self, path: str, body: object, csrf: str) -> Any:
        headers = {"Content-Type": "application/json", "Origin": self.url, "X-CSRF-Token": csrf}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", json.dumps(body).encode(), headers)
        with self._opener.open(request, timeout=20) as answer:
            return json.loads(answer.read())

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)


async def listen(session: Session, samples: int) -> dict[str, list[float]]:
    """Return the delays, ms, of alarm messages and of value frames."""
    found: dict[str, list[float]] = {"alarm": [], "value": []}
    seen = 0.0
    headers = {"Cookie": session.cookie, "Origin": session.url}
    address = session.url.replace("http", "ws", 1) + "/api/v1/stream"
    async with connect(address, subprotocols=["shifu.v1"], additional_headers=headers) as stream:  # type: ignore[list-item]
        await stream.send(json.dumps({"subscribe": ["alarms", "point:main.electrical.meter1.power"]}))
        async for message in stream:
            now = time.monotonic()
            if isinstance(message, bytes):
                snapshot = struct.unpack_from("<I", message, 20)[0] & 1
                if not snapshot and Meter.changed != seen:
                    seen = Meter.changed
                    found["value"].append((now - Meter.changed) * 1000)
            elif json.loads(message).get("type") == "alarm":
                found["alarm"].append((now - Meter.changed) * 1000)
            if min(map(len, found.values())) >= samples:
                return found
    raise SystemExit("the stream was closed")


async def measure(samples: int, folder: Path) -> dict[str, list[float]]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Meter, "127.0.0.1", 0)
    site(folder / "site", server.sockets[0].getsockname()[1])
    log = folder / "controller.log"
    command = [sys.executable, "-m", "controller", "run", str(folder / "site"), "--data", str(folder / "data")]
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: ASYNC220 - once, before anything is measured
            [*command, "--port", "0"], stdout=file, stderr=file, env={**os.environ, "PYTHONUNBUFFERED": "1"}, cwd=ROOT
        )
    try:
        async with asyncio.timeout(60):
            while "#token=" not in log.read_text("utf-8"):  # noqa: ASYNC110 - another process's file
                await asyncio.sleep(0.2)
        await asyncio.sleep(2)
        session = await asyncio.to_thread(Session, log)
        async with asyncio.timeout(60 + 2 * samples):
            return await listen(session, samples)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 15)
        process.kill()
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = uvloop.run(measure(arguments.samples, Path(name)))
    print("change on the wire → WebSocket client, beyond the poll")
    print("| what | samples | p50 ms | p99 ms | limit ms |")
    print("|---|---|---|---|---|")
    for what, delays in found.items():
        p50, p99 = np.percentile(delays, (50, 99))
        print(f"| {what} | {len(delays)} | {p50:.0f} | {p99:.0f} | {LIMIT_MS:.0f} |")


if __name__ == "__main__":
    main()
