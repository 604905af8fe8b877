"""Pictures of cameras for those who look: one fetch for all of them, a short memory, and no more than a few at once.

A camera wall asks sixteen cameras every few seconds, and ten stations may have one open. A picture is kept for a
second and a failure for three, so a camera is never asked more often than that, however many look.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.errors import UnavailableError
from drivers.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.driver import Clock
    from drivers.picture import Picture

__all__ = ["Snapshots"]

KEEP_S = 1.0
KEEP_FAILURE_S = 3.0
AT_ONCE = 8
"""Fetches under way."""
WAITING = 64
"""Fetches that wait for their turn; beyond it the caller is told to come again."""
KEEP_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    picture: Picture | None
    reason: str


class Snapshots:
    """The newest picture of each camera, fetched when somebody asks."""

    def __init__(self, fetch: Callable[[str], Awaitable[Picture]], clock: Clock) -> None:
        """`fetch` gets the id of a camera's device."""
        self._fetch = fetch
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._running: dict[str, asyncio.Task[_Kept]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.fetched = 0
        self.failed = 0

    async def get(self, device: str) -> tuple[Picture | None, str]:
        """Return the picture, or None and why there is none.

        Raises:
            UnavailableError: too many wait already.
        """
        kept = self._kept.get(device)
        if kept is not None and self._clock.monotonic() < kept.until:
            return kept.picture, kept.reason
        task = self._running.get(device)
        if task is None:
            if len(self._running) >= WAITING:
                raise UnavailableError(f"{len(self._running)} pictures are being fetched; ask again in some seconds")
            task = asyncio.create_task(self._get(device), name=f"picture {device}")
            self._running[device] = task
            task.add_done_callback(lambda _: self._running.pop(device, None))
        # Whoever leaves does not take the picture away from the others.
        kept = await asyncio.shield(task)
        return kept.picture, kept.reason

    async def _get(self, device: str) -> _Kept:
        async with self._turn:
            try:
                picture = await self._fetch(device)
            except DriverError as error:
                self.failed += 1
                kept = _Kept(self._clock.monotonic() + KEEP_FAILURE_S, None, str(error))
            else:
                self.fetched += 1
                kept = _Kept(self._clock.monotonic() + KEEP_S, picture, "")
        self._keep(device, kept)
        return kept

    def _keep(self, device: str, kept: _Kept) -> None:
        now = self._clock.monotonic()
        self._kept[device] = kept
        self._kept.move_to_end(device)
        for name in [name for name, one in self._kept.items() if one.until < now]:
            del self._kept[name]
        while sum(len(one.picture.data) for one in self._kept.values() if one.picture) > KEEP_BYTES:
            self._kept.popitem(last=False)
