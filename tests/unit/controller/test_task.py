"""The controller's own tasks: a fault of one is said and leaves the others alone; a vital one's ends the run."""

from __future__ import annotations

import asyncio
import logging

import pytest

from controller.clock import VirtualClock
from controller.task import LoopWatch, Tasks


async def _fail(message: str) -> None:
    raise RuntimeError(message)


async def test_fault_of_one_task_is_said_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    tasks, lives = Tasks(), asyncio.Event()

    async def other() -> None:
        await lives.wait()
        lives.clear()

    tasks.start(_fail("no ink"), "reports")
    tasks.start(other(), "recorder")
    with caplog.at_level(logging.ERROR):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert "task reports ended: RuntimeError('no ink')" in caplog.text
    lives.set()
    await tasks.close(spared=("recorder",))
    assert not lives.is_set()


async def test_vital_task_that_fails_ends_the_run_with_its_fault() -> None:
    tasks = Tasks()
    tasks.start(asyncio.Event().wait(), "server")
    tasks.start(_fail("stuck"), "cycle")
    with pytest.raises(RuntimeError, match="stuck"):
        await tasks.first_end(("cycle", "server"), asyncio.Event())
    await tasks.close()


async def test_run_ends_when_it_is_told_to() -> None:
    tasks, stopping = Tasks(), asyncio.Event()
    tasks.start(asyncio.Event().wait(), "cycle")
    stopping.set()
    await tasks.first_end(("cycle",), stopping)
    await tasks.close()


async def test_task_that_comes_to_an_end_is_forgotten() -> None:
    tasks, done = Tasks(), asyncio.Event()
    done.set()
    tasks.start(done.wait(), "window refill", ends=True)
    tasks.start(asyncio.Event().wait(), "cycle")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [task.get_name() for task in tasks._tasks] == ["cycle"]
    await tasks.close()
    assert all(task.cancelled() for task in tasks._tasks)


class LateClock(VirtualClock):
    """Every sleep takes longer than asked by the next of `late`; after the last it ends the run."""

    def __init__(self, *late: float) -> None:
        super().__init__()
        self.late = list(late)

    async def sleep(self, seconds: float) -> None:
        if not self.late:
            raise asyncio.CancelledError
        self.move(seconds + self.late.pop(0))


async def test_loop_that_stood_still_is_measured_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = LoopWatch(LateClock(0.01, 3.5, 1.9))
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        await watch.run()
    assert watch.slowest_s == pytest.approx(3.5)
    assert [record.getMessage() for record in caplog.records] == ["the event loop stood still for 3.5 s"]
