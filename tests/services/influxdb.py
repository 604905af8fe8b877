"""A real InfluxDB 2.7 for a test session: free loopback ports, its files in a temporary folder, set up by its API."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["InfluxServer", "influx_server"]

ORG = "cityhall"


@dataclass(frozen=True)
class InfluxServer:
    """A running server with an organisation and an all-access token."""

    url: str
    org: str
    org_id: str
    token: str
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.token}"}

    def make_bucket(self, name: str) -> None:
        """Make a bucket without retention."""
        body = {"orgID": self.org_id, "name": name, "retentionRules": []}
        httpx.post(f"{self.url}/api/v2/buckets", json=body, headers=self.headers, timeout=30).raise_for_status()

    def query(self, flux: str) -> list[dict[str, str]]:
        """Return the rows of a query."""
        headers = {**self.headers, "Content-Type": "application/vnd.flux", "Accept": "application/csv"}
        answer = httpx.post(
            f"{self.url}/api/v2/query", params={"org": self.org}, content=flux, headers=headers, timeout=60
        )
        answer.raise_for_status()
        rows: list[dict[str, str]] = []
        names: list[str] | None = None
        for line in answer.text.splitlines():
            if not line:
                names = None
            elif names is None:
                names = line.split(",")
            else:
                rows.append(dict(zip(names, line.split(","), strict=False)))
        return rows

    def count(self, bucket: str, field: str = "quality") -> int:
        """Return how many readings a bucket holds; a series and time counts once."""
        rows = self.query(
            f'from(bucket: "{bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
            f' |> filter(fn: (r) => r._field == "{field}") |> count() |> group() |> sum()'
        )
        return sum(int(row["_value"]) for row in rows)


def _program() -> str:
    setup = Path(__file__).with_name("setup.sh")
    text = subprocess.run([str(setup), "env"], check=True, capture_output=True, text=True).stdout
    found = next((word[8:] for word in text.split() if word.startswith("INFLUXD=")), "")
    if not found or shutil.which(found) is None:
        raise FileNotFoundError(f"influxd is missing: run {setup} first, or set INFLUXD to a ready influxd 2.7")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_influxd(folder: Path) -> Iterator[InfluxServer]:
    """Run a server on free ports until the generator is closed."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        _program(),
        "run",
        f"--http-bind-address=127.0.0.1:{port}",
        f"--bolt-path={folder}/influxd.bolt",
        f"--sqlite-path={folder}/influxd.sqlite",
        f"--engine-path={folder}/engine",
        "--reporting-disabled",
        "--log-level=error",
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("INFLUXD_")}
    with (folder / "influxd.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        deadline = time.monotonic() + 60
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"influxd ended: {(folder / 'influxd.log').read_text()[-2000:]}")
            try:
                if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError("influxd did not become healthy in 60 s")
            process_wait(process, 0.1)
        token = secrets.token_urlsafe(24)
        body = {
            "username": "admin",
            "password": secrets.token_urlsafe(16),
            "org": ORG,
            "bucket": "history",
            "token": token,
        }
        answer = httpx.post(f"{url}/api/v2/setup", json=body, timeout=30)
        answer.raise_for_status()
        yield InfluxServer(url, ORG, answer.json()["org"]["id"], token, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def process_wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the end of a process, or for some time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """One server for all tests of the session; each test makes a bucket of its own."""
    yield from start_influxd(tmp_path_factory.mktemp("influxd"))
