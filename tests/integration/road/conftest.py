"""Real simulators, a real InfluxDB that can be stopped and started, and a controller in this process."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from controller.app import Controller, Options
from controller.settings.build import Endpoints
from tests.services.city import wait_for
from tests.services.influxdb import InfluxServer, influx_server
from tests.services.small import small_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["influx_server"]


@dataclass
class SmallSite:
    """A folder with a site, its endpoint map, and the running simulators."""

    folder: Path

    def sim(self, *arguments: str) -> str:
        """Speak to the simulators: `sim("fault", "disconnect", "em002-meter")`."""
        run = ["--run-dir", str(self.folder / "run")]
        command = [sys.executable, "-m", "simulators", arguments[0], *run, *arguments[1:]]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout

    def history_server(self, url: str, bucket: str, variable: str, reads: str = "embedded") -> None:
        """Name a history server in server.toml; its token is in the environment variable."""
        text = f'[history]\nreads = "{reads}"\n'
        text += f'[history.influx]\nurl = "{url}"\norg = "cityhall"\nbucket = "{bucket}"\ntoken_env = "{variable}"\n'
        (self.folder / "site" / "server.toml").write_text(text, "utf-8")


@pytest.fixture(scope="session")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallSite]:
    folder = tmp_path_factory.mktemp("small")
    site = folder / "site"
    (site / "devices").mkdir(parents=True)
    for name, text in small_site(4).items():
        (site / f"{name}.toml").write_text(text, "utf-8")
    log = folder / "simulators.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "simulators", "run", "--site", str(site), "--run-dir", str(folder / "run"),
                "--endpoints", str(folder / "endpoints.json"),
            ],
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for((folder / "endpoints.json").exists, 60, lambda: log.read_text("utf-8", "replace")[-2000:])
        yield SmallSite(folder)
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture
def small(simulators: SmallSite) -> Iterator[SmallSite]:
    """Yield the small site without a history server and without faults."""
    yield simulators
    (simulators.folder / "site" / "server.toml").unlink(missing_ok=True)
    for device in ("header-io", "em001-meter", "em002-meter", "em003-meter", "em004-meter"):
        simulators.sim("fault", "clear", device)


@asynccontextmanager
async def controlled(small: SmallSite, data: Path) -> AsyncIterator[Controller]:
    """Run a controller of the small site in this process, on a free port."""
    endpoints = Endpoints.read(small.folder / "endpoints.json")
    controller = Controller(Options(small.folder / "site", data, "127.0.0.1", 0, endpoints))
    await controller.start()
    try:
        yield controller
    finally:
        await controller.close()


class RestartableInflux:
    """A real InfluxDB whose process can be stopped and started on the same files and port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.start()
        token = secrets.token_urlsafe(24)
        body = {"username": "admin", "password": secrets.token_urlsafe(16), "org": "cityhall", "bucket": "b"}
        answer = httpx.post(f"{self.url}/api/v2/setup", json={**body, "token": token}, timeout=30)
        answer.raise_for_status()
        self.server = InfluxServer(self.url, "cityhall", answer.json()["org"]["id"], token, 0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start and wait until it answers."""
        setup = Path(__file__).resolve().parents[2] / "services" / "setup.sh"
        words = subprocess.run([str(setup), "env"], check=True, capture_output=True, text=True).stdout.split()
        program = next(word[8:] for word in words if word.startswith("INFLUXD="))
        command = [
            program, "run", f"--http-bind-address=127.0.0.1:{self._port}", f"--bolt-path={self._folder}/influxd.bolt",
            f"--sqlite-path={self._folder}/influxd.sqlite", f"--engine-path={self._folder}/engine",
            "--reporting-disabled", "--log-level=error",
        ]  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if not key.startswith("INFLUXD_")}
        with (self._folder / "influxd.log").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        wait_for(self._healthy, 60, "influxd did not become healthy")

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator[RestartableInflux]:
    folder = tmp_path / "influxd"
    folder.mkdir()
    server = RestartableInflux(folder)
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Fail what takes longer."""
    import asyncio

    start = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise AssertionError(f"not within {time.monotonic() - start:.0f} s") from None
