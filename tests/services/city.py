"""The whole city for tests: simulators, controller and control room, as processes, on free loopback ports."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROLES = ("viewer", "operator", "engineer", "safety_officer", "administrator")


class City:
    """`with City(folder) as city:` runs the demo; `city.links` has a sign-in link a role, good once."""

    def __init__(self, folder: Path, *, days: int = 1, mqtt: str = "", influx: str = "", token: str = "") -> None:
        self.folder = folder
        self.url = ""
        self.links: dict[str, str] = {}
        self._arguments = ["demo", "--folder", str(folder), "--port", "0", "--days", str(days)]
        if mqtt:
            self._arguments += ["--mqtt", mqtt]
        if influx:
            self._arguments += ["--influx", influx]
        self._token = token
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the demo printed so far."""
        path = self.folder.parent / f"{self.folder.name}.log"
        return path.read_text("utf-8") if path.exists() else ""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder.parent / f"{self.folder.name}.log"
        with path.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controller", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "SHIFU_INFLUX_TOKEN": self._token},
            )
        try:
            wait_for(lambda: "Ctrl-C stops it" in self.log or self._process_ended(), 240, lambda: self.log[-2000:])
        except AssertionError:
            self._process.kill()
            self._process.wait(10)
            raise
        if self._process_ended():
            raise AssertionError(f"the demo ended at its start:\n{self.log[-3000:]}")
        found = re.search(r"Shifu is at (\S+)", self.log)
        assert found
        self.url = found.group(1)
        self.links = dict(re.findall(r"^  (\w+)\s+(http\S+)$", self.log, re.MULTILINE))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the process with the controller in it; the simulators are its children."""
        assert self._process
        return self._process.pid

    def _process_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop the demo; return its exit code."""
        process = self._process
        assert process
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
                raise AssertionError(f"the demo did not stop within 20 s:\n{self.log[-2000:]}") from None
        return process.returncode

    def sim(self, *arguments: str) -> Any:
        """Speak to the simulators: `city.sim("fault", "disconnect", "tx1-meter")`."""
        run = ["--run-dir", str(self.folder / "run")]
        done = subprocess.run(
            [sys.executable, "-m", "simulators", arguments[0], *run, *arguments[1:]],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"simulators {arguments}: {done.stderr or done.stdout}")
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout

    def client(self, role: str) -> Client:
        """Return a signed-in client; a role's link works once, so ask once a role."""
        client = Client(self.url)
        client.sign_in(self.links.pop(role))
        return client


class Client:
    """The API as a program uses it, with a session of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = http.cookiejar.CookieJar()
        self._csrf = ""
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def sign_in(self, link: str) -> None:
        """Use a sign-in link."""
        token = link.partition("#token=")[2]
        self._csrf = self.post("/session/link", {"token": token})["csrf"]

    def get(self, path: str) -> Any:
        """Return the JSON of `/api/v1{path}`."""
        return self._ask("GET", path, None)

    def all(self, path: str) -> list[Any]:
        """Return the items of every page of a list."""
        items: list[Any] = []
        more = "?" if "?" not in path else "&"
        cursor = ""
        while True:
            page = self.get(f"{path}{more}limit=1000{cursor}")
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = f"&cursor={page['next']}"

    def post(self, path: str, body: object) -> Any:
        """Post JSON to `/api/v1{path}`."""
        return self._ask("POST", path, body)

    def put(self, path: str, body: object, etag: str = "") -> Any:
        """Put JSON to `/api/v1{path}`; with an ETag only as it was when it had this one."""
        return self._ask("PUT", path, body, {"If-Match": etag} if etag else None)

    def etag(self, path: str) -> str:
        """Return the ETag of `/api/v1{path}`."""
        with self._opener.open(f"{self.url}/api/v1{path}", timeout=20) as answer:
            return str(answer.headers["ETag"])

    def delete(self, path: str, etag: str) -> None:
        """Delete `/api/v1{path}` as it was when it had this ETag."""
        self._ask("DELETE", path, None, {"If-Match": etag})

    def value(self, address: str) -> dict[str, Any]:
        """Return the present value of one point."""
        items = self.get(f"/values?points={address}")["items"]
        return dict(items[0])

    def _ask(self, method: str, path: str, body: object, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Origin": self.url, "X-CSRF-Token": self._csrf, **(headers or {})},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=20) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error


def wait_for(condition: Callable[[], Any], seconds: float, why: Callable[[], str] | str = "") -> Any:
    """Ask until the condition holds; fail with a reason after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {why() if callable(why) else why}")
        time.sleep(0.1)
