"""A whole controller in a thread of this process, on a clock that runs many times faster, without any device.

What its points read comes from the test. Waiting for the next quarter of an hour then takes seconds.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Self

import numpy as np

from controller.app import Controller, Options
from drivers.reading import Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Hurry", "HurryClock"]

_FEED_S = 0.1


class HurryClock:
    """The machine's clocks, `speed` times as fast from now on."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._calendar, self._begun = time.time_ns(), time.monotonic()

    def now_ns(self) -> int:
        return self._calendar + round((time.monotonic() - self._begun) * self.speed * 1e9)

    def monotonic(self) -> float:
        return self._begun + (time.monotonic() - self._begun) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)


class Hurry:
    """`with Hurry(folder, values) as house:` runs the site in `folder/site`.

    `values` is called every 0.1 s of real time with the controller and returns what points read, by address.
    """

    def __init__(
        self, folder: Path, values: Callable[[Controller], Mapping[str, float]], *, speed: float = 40.0
    ) -> None:
        self._folder, self._values = folder, values
        self._clock = HurryClock(speed)
        self._ready = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._error: BaseException | None = None
        self.controller: Controller
        self.url = ""
        self.links: dict[str, str] = {}

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001 - told to the test
            self._error = error
            self._ready.set()

    async def _run(self) -> None:
        options = Options(self._folder / "site", self._folder / "data", port=0, demo=True)
        controller = self.controller = Controller(options, self._clock)
        await controller.start()
        try:
            self.url = controller.server.url
            self.links = {str(role): token for role, token in controller.identity.demo_links().items()}
            self._ready.set()
            while not self._end.is_set():
                self._feed(controller)
                await asyncio.sleep(_FEED_S)
        finally:
            await controller.close()

    def _feed(self, controller: Controller) -> None:
        points, rows = controller.configuration.site.points, dict(self._values(controller))
        by_device: dict[str, list[str]] = {}
        for address in rows:
            by_device.setdefault(points[address].device, []).append(address)
        for device in controller.configuration.devices:
            if mine := by_device.get(device.id):
                numbers = np.array([points[address].number for address in mine], np.int32)
                values = np.array([rows[address] for address in mine])
                now = np.full(len(mine), self._clock.now_ns(), np.int64)
                controller.inbox.readings(device, Readings(numbers, values, now, np.zeros(len(mine), np.uint8)))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60.0), "the controller did not start within 60 s"
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(30.0)
