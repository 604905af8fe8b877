"""The clock port: the only module that asks the machine for the time.

`SystemClock` runs at 1x. `VirtualClock` stands still until it is told to move, and wakes sleepers in the order of their
ends, so that a day passes in seconds and twice in the same way.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time

__all__ = ["SystemClock", "VirtualClock"]


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Return the calendar time, ns since 1970 UTC."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds since some start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 or less only yields."""
        await asyncio.sleep(max(0.0, seconds))


class VirtualClock:
    """A clock that moves when `advance` says so. Used by tests and by the virtual building."""

    def __init__(self, start_ns: int = 1_767_225_600_000_000_000) -> None:
        """Begin at `start_ns` (default 2026-01-01 00:00 UTC)."""
        self._now_ns = start_ns
        self._elapsed_ns = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now_ns(self) -> int:
        """Return the virtual calendar time, ns since 1970 UTC."""
        return self._now_ns

    def monotonic(self) -> float:
        """Return virtual seconds since the start."""
        return self._elapsed_ns / 1e9

    def jump(self, seconds: float) -> None:
        """Set the calendar forward or back without any time passing, as an operator or NTP does."""
        self._now_ns += round(seconds * 1e9)

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has passed the end."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_ns + round(seconds * 1e9), next(self._order), future))
        await future

    def move(self, seconds: float) -> None:
        """Let time pass where nobody sleeps on this clock (purely synchronous use)."""
        step = round(seconds * 1e9)
        self._elapsed_ns += step
        self._now_ns += step

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, waking each sleeper at its own moment and letting the loop run after each."""
        end = self._elapsed_ns + round(seconds * 1e9)
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, future = heapq.heappop(self._sleepers)
            self._now_ns += at - self._elapsed_ns
            self._elapsed_ns = at
            if not future.done():
                future.set_result(None)
            await self._settle()
        self._now_ns += end - self._elapsed_ns
        self._elapsed_ns = end
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
