"""A real Mosquitto on a free port of the loopback, with a configuration of its own in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Mosquitto", "mosquitto_path"]


def mosquitto_path() -> str:
    """Find the broker: $MOSQUITTO, the search path, or Debian's place; the tests need it (tests/services/setup.sh)."""
    for name in (os.environ.get("MOSQUITTO"), shutil.which("mosquitto"), "/usr/sbin/mosquitto"):
        if name and Path(name).is_file():
            return name
    raise FileNotFoundError("no mosquitto: run tests/services/setup.sh, or set MOSQUITTO")


class Mosquitto:
    """Use as a context manager: `with Mosquitto(tmp_path) as broker: ... broker.endpoint`.

    `extra` are further lines of its configuration (`acl_file …`, `password_file …`). The port stays the same over
    `kill` and `start`. Nothing is persisted, so retained messages and subscriptions are gone after a restart.
    """

    def __init__(self, folder: Path, *, extra: str = "allow_anonymous true") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._folder = folder
        self._file = folder / f"mosquitto-{self.port}.conf"
        # As root it would change to a user that cannot read the test's password and access files.
        user = "user root\n" if os.geteuid() == 0 else ""
        self._file.write_text(
            f"listener {self.port} 127.0.0.1\npersistence false\nmax_queued_messages 0\n{user}{extra}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with (self._folder / f"mosquitto-{self.port}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [mosquitto_path(), "-c", str(self._file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        text = (self._folder / f"mosquitto-{self.port}.log").read_text(errors="replace")
        self.kill()
        raise RuntimeError(f"mosquitto does not listen on port {self.port}: {text[-1000:]}")

    def kill(self) -> None:
        """End it at once, as a power failure does."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Let it accept connections and say nothing (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
