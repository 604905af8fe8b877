"""Heavy work in its own process: done, raised, killed, over its time, cancelled, too much of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import psutil
import pytest

from controller.errors import UnavailableError
from controller.job import InlineJobs, JobError, JobProcess
from controller.strategy.foresight import BINS, Kind, Plan, Problem, Store, plan
from controller.strategy.shed import Owed


def double(number: int) -> int:
    return 2 * number


def fail(number: int) -> int:
    raise ValueError(f"{number} is not wanted")


def whose(_: None) -> tuple[int, int]:
    return os.getpid(), os.nice(0)


def die(_: None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def spin(seconds: float) -> float:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds


def unsendable(_: None) -> object:
    return lambda: 0


async def test_work_is_done_in_one_process_of_low_priority_and_faults_cost_that_work_alone() -> None:
    jobs = JobProcess()
    try:
        assert await jobs.run(double, 21, limit_s=60) == 42
        pid, nice = await jobs.run(whose, None, limit_s=60)
        assert pid != os.getpid()
        assert nice >= 10
        with pytest.raises(JobError, match="ValueError: 3 is not wanted"):
            await jobs.run(fail, 3, limit_s=60)
        with pytest.raises(JobError, match="pickle"):
            await jobs.run(unsendable, None, limit_s=60)
        with pytest.raises(JobError, match="pickle"):
            await jobs.run(lambda _: 0, None, limit_s=60)
        with pytest.raises(JobError, match="ended"):
            await jobs.run(die, None, limit_s=60)
        assert await jobs.run(double, 4, limit_s=60) == 8, "a new process after the dead one"
    finally:
        last = jobs.pid
        await jobs.close()
    assert last is not None
    assert not psutil.pid_exists(last)


async def test_what_takes_too_long_is_stopped_and_the_loop_goes_on_meanwhile() -> None:
    jobs = JobProcess()
    try:
        await jobs.run(double, 1, limit_s=60)
        running = asyncio.create_task(jobs.run(spin, 60.0, limit_s=0.5))
        turns = 0
        while not running.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises(JobError, match=r"spin took longer than 0\.5 s and was stopped"):
            await running
        assert turns > 5
        assert jobs.counts["killed"] == 1
    finally:
        await jobs.close()


async def test_a_cancelled_wait_ends_the_child() -> None:
    jobs = JobProcess()
    try:
        pid, _ = await jobs.run(whose, None, limit_s=60)
        running = asyncio.create_task(jobs.run(spin, 60.0, limit_s=60))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        assert await jobs.run(double, 5, limit_s=60) == 10
    finally:
        await jobs.close()


async def test_more_work_than_the_queue_holds_is_refused() -> None:
    jobs = JobProcess(waiting=2)
    try:
        first, second = (asyncio.create_task(jobs.run(spin, 0.2, limit_s=60)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="2 pieces of heavy work wait already"):
            await jobs.run(double, 1, limit_s=60)
        assert [await first, await second] == [0.2, 0.2]
        assert jobs.counts["refused"] == 1
    finally:
        await jobs.close()


async def test_nothing_asked_for_a_while_ends_the_child() -> None:
    jobs = JobProcess(idle_s=0.05)
    try:
        pid, _ = await jobs.run(whose, None, limit_s=60)
        gone = psutil.Process(pid)
        while jobs.pid is not None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        psutil.wait_procs([gone], timeout=10)
        assert not gone.is_running() or gone.status() == psutil.STATUS_ZOMBIE
    finally:
        await jobs.close()


async def test_in_place() -> None:
    assert await InlineJobs().run(double, 3, limit_s=1) == 6
    with pytest.raises(JobError, match="ValueError"):
        await InlineJobs().run(fail, 3, limit_s=1)


async def test_a_plan_of_demand_limiting_comes_out_of_the_job_process_as_it_does_here() -> None:
    kind = Kind("rooms", (6.0, 12.0, 6.0, -4.0, -8.0, -8.0, -4.0), free=40, usable=40, today=120)
    course = (1060.0, 1060.0, 1060.0, *(850.0,) * (BINS - 3))
    owed = Owed("b.water", k_per_kwh=0.08, hours=0.55, kw_per_k=9.0, most_k=4.0, most_kw=20.0)
    store = Store(0.0, 0.0, most_kw=20.0, how=owed)
    problem = Problem(0.0, 0.0, course, (0.0,) * BINS, 0.0, 1000.0, (kind,), store)
    jobs = JobProcess()
    try:
        found = await jobs.run(plan, problem, limit_s=60)
    finally:
        await jobs.close()
    assert isinstance(found, Plan)
    assert found == plan(problem)
    assert dict(found.begin)["rooms"] > 0
    assert found.store_kw > 0.0
