"""The controller's own tasks: started by name, watched, and cancelled by the one who owns them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine

    from drivers.driver import Clock

__all__ = ["LoopWatch", "Tasks"]

_log = logging.getLogger(__name__)

_LOOK_S = 0.5
_SLOW_S = 2.0
"""A loop that stands still for longer is worth a line."""


class Tasks:
    """Tasks that run as long as the controller; one that ends by a fault is logged, and the others go on."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, work: Coroutine[Any, Any, Any], name: str, *, ends: bool = False) -> None:
        """Run `work`. `ends`: it comes to an end by itself, and is forgotten then."""
        task: asyncio.Task[Any] = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(_say_fault)
        if ends:
            task.add_done_callback(self._tasks.remove)

    async def first_end(self, vital: Collection[str], stopping: asyncio.Event) -> None:
        """Return when `stopping` is set or one of the tasks named in `vital` has ended; raises what ended that."""
        stopped = asyncio.create_task(stopping.wait())
        watched = [task for task in self._tasks if task.get_name() in vital]
        done, _ = await asyncio.wait([stopped, *watched], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def close(self, spared: Collection[str] = ()) -> None:
        """Cancel all but those named in `spared`, which end by themselves, and wait for all."""
        tasks = list(self._tasks)
        for task in tasks:
            if task.get_name() not in spared:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class LoopWatch:
    """Measures how late the event loop wakes."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is measured before `run`."""
        self._clock = clock
        self.slowest_s = 0.0
        """The latest that it ever woke."""

    async def run(self) -> None:
        """Look twice a second; a loop that stood still is said."""
        while True:
            before = self._clock.monotonic()
            await self._clock.sleep(_LOOK_S)
            late = self._clock.monotonic() - before - _LOOK_S
            self.slowest_s = max(self.slowest_s, late)
            if late > _SLOW_S:
                _log.warning("the event loop stood still for %.1f s", late)


def _say_fault(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.error("task %s ended: %r", task.get_name(), error)
