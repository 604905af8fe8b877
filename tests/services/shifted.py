"""A whole controller as a process of its own, on a calendar that the test sets and that runs some times faster.

Started again with the same arguments it is where its calendar would be by now: a process that is killed and its
successor share one time.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from controller.app import Controller, Options
from controller.identity.permission import Role
from controller.settings.build import Endpoints
from tests.services.city import Client, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Shifted", "ShiftedClock"]


@dataclass(frozen=True)
class ShiftedClock:
    """The machine's clocks: `base_ns` at the machine's `origin_ns`, and `speed` times as fast from then on."""

    base_ns: int
    origin_ns: int
    speed: float

    def now_ns(self) -> int:
        return self.base_ns + round((time.time_ns() - self.origin_ns) * self.speed)

    def monotonic(self) -> float:
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)


class Shifted:
    """`with Shifted(folder, clock, turn) as run:` runs `folder/site` on `folder/data` over `folder/endpoints.json`."""

    def __init__(self, folder: Path, clock: ShiftedClock, turn: int) -> None:
        self._log = folder / f"controller-{turn}.log"
        with self._log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.services.shifted", str(folder), json.dumps(asdict(clock))],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                cwd=Path(__file__).resolve().parents[2],
            )  # fmt: skip
        found = wait_for(self._ready, 60, self.tail)
        self.client = Client(found.group(1))
        wait_for(self._signed_in(found.group(2)), 20, self.tail)

    def tail(self) -> str:
        return self._log.read_text("utf-8", "replace")[-3000:]

    def _ready(self) -> re.Match[str] | None:
        assert self.process.poll() is None, f"the controller ended:\n{self.tail()}"
        return re.search(r"^READY (\S+) (\S+)$", self._log.read_text("utf-8", "replace"), re.MULTILINE)

    def _signed_in(self, token: str) -> Callable[[], bool]:
        def attempt() -> bool:
            try:
                self.client.sign_in(f"#token={token}")
            except OSError:
                return False
            return True

        return attempt

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


async def _main(folder: Path, clock: ShiftedClock) -> None:
    endpoints = Endpoints.read(folder / "endpoints.json")
    controller = Controller(Options(folder / "site", folder / "data", port=0, demo=True, endpoints=endpoints), clock)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, controller.stop)
    await controller.start()
    try:
        token = controller.identity.demo_links()[Role.ENGINEER]
        print(f"READY {controller.server.url} {token}", flush=True)  # noqa: T201 - read by the test
        await controller.run()
    finally:
        await controller.close()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), ShiftedClock(**json.loads(sys.argv[2]))))
