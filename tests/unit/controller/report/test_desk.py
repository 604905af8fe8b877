"""Reports on demand and by schedule: one at a time, each span once, and what fails is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from controller.clock import VirtualClock
from controller.energy.meter import Metering
from controller.errors import UnavailableError
from controller.report.desk import Desk, due
from controller.report.order import File, Order
from controller.report.shelf import Kept, KeptFile, Report
from controller.report.timetable import ReportPlan, Slot, Timetable
from tests.unit.controller.energy.stock import TAIPEI, MemoryHistory
from tests.unit.controller.report.stock import NOW_NS, SITE, books, history

DAY_NS = 86_400_000_000_000
BOTH = ReportPlan(Slot(0, 40, 92), Slot(1, 10, 60))


class Jobs:
    """Takes the work, and gives back what the test says."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, work: Callable[[Any], Any], argument: Any, *, limit_s: float) -> Any:
        assert limit_s > 0
        self.orders.append(argument)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return (File("zh", "pdf", b"%PDF-"),)


class House:
    def __init__(self, path: Path, now_ns: int = NOW_NS, readings: MemoryHistory | None = None) -> None:
        self.clock = VirtualClock(now_ns)
        self.jobs = Jobs()
        self.delivered: list[str] = []
        metering = Metering(readings or history(), self.clock)
        self.desk = Desk(path, metering, books, lambda: SITE, self.jobs, self.clock, "0.1.0", [self])

    async def deliver(self, kept: Kept, content: Callable[[str, str], bytes]) -> None:
        assert content("zh", "pdf") == b"%PDF-"
        self.delivered.append(kept.report.id)

    async def settle(self) -> None:
        """Wait until nothing is being made."""
        async with asyncio.timeout(10):
            while any(run.open for run in self.desk.runs()):  # noqa: ASYNC110 - it makes no event of its own
                await asyncio.sleep(0)


@asynccontextmanager
async def house(path: Path, **more: Any) -> AsyncIterator[House]:
    made = House(path, **more)
    task = asyncio.create_task(made.desk.run())
    try:
        yield made
    finally:
        task.cancel()


async def test_a_report_on_demand_is_made_of_the_figures(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        run = found.desk.ask("month", date(2025, 10, 1), "lin.yc")
        assert run.state == "waiting"
        await found.settle()
        (order,) = found.jobs.orders
        assert order.data["statement"]["kwh"] > 1_900_000
        (kept,) = await found.desk.kept()
        assert kept.report.id == "month-2025-10-01"
        assert (kept.report.made_by, kept.report.over) == ("lin.yc", True)
        assert kept.report.total == order.data["statement"]["bill"]["total"]
        assert [(done.state, done.message) for done in found.desk.runs()] == [("done", "")]
        assert found.delivered == []  # whoever asked has it on the page


async def test_what_is_being_made_is_not_made_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        found.jobs.gate.clear()
        for _ in range(3):
            found.desk.ask("day", date(2025, 10, 9), "lin.yc")
            await asyncio.sleep(0)
        found.jobs.gate.set()
        await found.settle()
        assert len(found.jobs.orders) == 1


async def test_a_failure_is_said_and_the_next_is_made(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        found.jobs.error = RuntimeError("the child died")
        found.desk.ask("day", date(2025, 10, 9), "lin.yc")
        await found.settle()
        (run,) = found.desk.runs()
        assert (run.state, run.message) == ("failed", "RuntimeError: the child died")
        assert await found.desk.kept() == []
        found.jobs.error = None
        found.desk.ask("day", date(2025, 10, 9), "lin.yc")
        await found.settle()
        assert [run.state for run in found.desk.runs()] == ["done"]


async def test_the_line_is_bounded(tmp_path: Path) -> None:
    made = House(tmp_path)
    for day in range(1, 21):
        made.desk.ask("day", date(2025, 10, day), "lin.yc")
    with pytest.raises(UnavailableError, match="20 reports are waiting"):
        made.desk.ask("day", date(2025, 10, 21), "lin.yc")


async def test_what_is_due_is_made_once_and_delivered(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        table = Timetable(found.desk, found.clock)
        table.use(BOTH, TAIPEI)
        await table.look()
        await found.settle()
        assert sorted(found.delivered) == ["day-2025-10-31", "month-2025-10-01"]
        await table.look()
        await found.settle()
        assert len(found.jobs.orders) == 2
        found.clock.jump(86_400)  # the next day: what nobody looked at for a day is made up for
        await table.look("day")
        await found.settle()
        assert found.delivered[-1] == "day-2025-11-01"


async def test_a_report_from_before_the_end_of_its_span_is_made_again(tmp_path: Path) -> None:
    async with house(tmp_path, now_ns=NOW_NS - DAY_NS) as found:  # 31 October
        found.desk.ask("month", date(2025, 10, 1), "lin.yc")
        await found.settle()
        assert [kept.report.over for kept in await found.desk.kept()] == [False]
        found.clock.jump(86_400)
        await found.desk.catch_up(("month",))
        await found.settle()
        assert [(kept.report.over, kept.report.made_by) for kept in await found.desk.kept()] == [(True, "schedule")]


async def test_a_span_without_readings_is_not_made_by_schedule(tmp_path: Path) -> None:
    async with house(tmp_path, readings=MemoryHistory()) as found:
        await found.desk.catch_up(("day", "month"))
        await found.settle()
        assert found.jobs.orders == []
        assert await found.desk.kept() == []
        assert [run.state for run in found.desk.runs()] == ["done", "done"]


async def test_reports_that_are_too_old_go(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for day in range(1, 5):
            found.desk.ask("day", date(2025, 10, day), "lin.yc")
        await found.settle()
        assert await found.desk.prune({"day": 2}) == ["day-2025-10-02", "day-2025-10-01"]


@pytest.mark.parametrize(
    ("today", "wanted"),
    [
        (date(2026, 3, 1), [("day", date(2026, 2, 28)), ("month", date(2026, 2, 1))]),
        (date(2026, 1, 15), [("day", date(2026, 1, 14)), ("month", date(2025, 12, 1))]),
    ],
)
def test_the_last_whole_day_and_month_are_due(today: date, wanted: list[tuple[str, date]]) -> None:
    assert due(today, [], ("day", "month")) == wanted
    done = [
        Kept(Report(kind, first, 1, "x", over=True, quality=1.0, kwh=1.0, total=None), (KeptFile("zh", "pdf", 1, ""),))
        for kind, first in wanted
    ]
    assert due(today, done, ("day", "month")) == []
    assert due(today, done[1:], ("day",)) == wanted[:1]


async def test_the_schedule_follows_the_plan(tmp_path: Path) -> None:
    found = House(tmp_path)
    table = Timetable(found.desk, found.clock)
    task = asyncio.create_task(table.run())
    table.use(BOTH, TAIPEI)
    await asyncio.sleep(0)
    jobs = {job.id: job for job in table._scheduler.get_jobs()}
    assert sorted(jobs) == ["day", "month"]
    assert (jobs["month"].next_run_time.day, jobs["month"].next_run_time.hour) == (1, 1)
    assert (jobs["day"].next_run_time.hour, jobs["day"].next_run_time.minute) == (0, 40)
    assert jobs["day"].coalesce
    table.use(ReportPlan(Slot(6, 0, 10)), TAIPEI)
    assert [(job.id, job.next_run_time.hour) for job in table._scheduler.get_jobs()] == [("day", 6)]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_start_makes_up_for_what_was_missed(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        table = Timetable(found.desk, found.clock)
        table.use(BOTH, TAIPEI)
        task = asyncio.create_task(table.run())
        await found.clock.advance(59)
        assert found.desk.runs() == []
        await found.clock.advance(2)
        async with asyncio.timeout(10):
            while len(found.delivered) < 2:  # noqa: ASYNC110 - it makes no event of its own
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
