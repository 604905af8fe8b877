"""The messages of a drill on their way: once each, in their order, taken back when it is over, through a crash."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.clock import VirtualClock
from controller.drill import course
from controller.drill.messenger import MOST, Messenger
from controller.drill.scenario import Level
from controller.drill.signal import Signal
from controller.errors import UnavailableError
from controller.journal.journal import InlineExecutor, Journal
from controller.notify.notice import Outcome, sending
from controller.point.model import Name
from tests.unit.controller.notify.test_notifier import Bench
from tests.virtual.drill import load_drill_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.drill.course import Drill, Move

FIRE = Signal("fire", "p", Name("火警", "fire alarm"), place=Name("分區 24", "Zone 24"), floor="3F")


class Desk:
    """A messenger before a real outbox, and the drill that it tells of."""

    def __init__(self, bench: Bench, drill: Drill) -> None:
        self.bench, self.drill = bench, drill
        self.lost: list[str] = []
        self.begin()

    def begin(self) -> None:
        """Make the parts anew, as a restart does."""
        self.bench.begin()
        self.messenger = Messenger(
            lambda id_: self.drill if self.drill.id == id_ else None,
            lambda: "Asia/Taipei",
            self.bench.clock,
            lambda _drill, target: self.lost.append(target),
        )

    async def start(self) -> None:
        await self.bench.notifier.start()
        await self.messenger.start(self.bench.notifier, [self.drill])

    def take(self, move: Move | None) -> None:
        assert move is not None
        self.drill = move.drill
        self.messenger.take(move.drill, move.entries)

    async def tell(self, seconds: float = 1) -> None:
        """Let the messenger work through what waits, and the outbox send."""
        task = asyncio.create_task(self.messenger.run())
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.bench.pass_s(seconds)

    def sent(self) -> list[tuple[str, str, str]]:
        """Return what was handed over: the last part of its key, contact, channel."""
        pairs = zip(self.bench.courier.notices, self.bench.courier.sent, strict=True)
        return [(notice.occurrence.partition("/d-1/")[2], *where) for notice, where in pairs]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = VirtualClock()
    journal = await Journal.open(tmp_path / "state.db", clock, InlineExecutor())
    scenario = load_drill_site(tmp_path / "site").scenarios["tea"]
    first, second = scenario.injects
    scenario = replace(scenario, notify=("contact:duty",), injects=(replace(first, notify=("contact:chief",)), second))
    now_ns = clock.now_ns()
    planned = course.plan("d-1", scenario, Level.SIMULATED, now_ns + 600_000_000_000, "officer", now_ns).drill
    desk = Desk(Bench(journal, clock), course.request(planned, "officer", now_ns, ()).drill)
    await desk.start()
    yield desk
    await journal.close()


def begin(desk: Desk) -> None:
    desk.take(course.confirm(desk.drill, "duty", desk.bench.clock.now_ns(), 1.0, ()))


def end(desk: Desk) -> None:
    desk.take(course.stand_down(desk.drill, "officer", desk.bench.clock.now_ns(), "enough"))


async def test_start_inject_and_end_are_told_once_each_in_their_order(desk: Desk) -> None:
    begin(desk)
    await desk.tell()
    desk.take(course.give(desk.drill, "detector", "officer", desk.bench.clock.now_ns()))
    await desk.tell()
    end(desk)
    await desk.tell(3)
    assert desk.sent() == [
        ("start", "duty", "phone"),
        ("inject/detector", "chief", "phone"),
        ("end", "chief", "phone"),
        ("end", "duty", "phone"),
    ]
    assert all(notice.data["drill"] for notice in desk.bench.courier.notices)


async def test_what_waits_is_not_told_when_the_drill_is_over(desk: Desk) -> None:
    begin(desk)
    desk.take(course.give(desk.drill, "detector", "officer", desk.bench.clock.now_ns()))
    end(desk)
    await desk.tell()
    assert [what for what, *_ in desk.sent()] == ["end", "end"]


async def test_a_start_that_no_way_took_yet_is_taken_back_by_the_end(desk: Desk) -> None:
    desk.bench.courier.outcome = Outcome("failed", "no network")
    begin(desk)
    await desk.tell()
    desk.bench.courier.sent.clear()
    desk.bench.courier.notices.clear()
    desk.bench.courier.outcome = Outcome("sent")
    desk.take(course.tick(desk.drill, 5.0, desk.bench.clock.now_ns(), [FIRE]))
    await desk.tell(60)
    assert sorted(desk.sent()) == [("end", "duty", "mail"), ("end", "duty", "phone")], "life safety goes by every way"
    assert all(notice.data["real"] and notice.life_safety for notice in desk.bench.courier.notices)
    rows = await desk.bench.outbox.ids("post~exercise/d-1/start")
    assert rows, "it stays in the record"


async def test_after_a_crash_no_start_is_told_again_and_the_end_is_told_once(desk: Desk) -> None:
    begin(desk)
    await desk.tell()
    assert len(desk.sent()) == 1
    desk.begin()
    desk.take(course.end_by_restart(desk.drill, desk.bench.clock.now_ns()))
    await desk.start()
    await desk.tell(5)
    assert [what for what, *_ in desk.sent()] == ["start", "end"]
    desk.begin()
    await desk.start()
    await desk.tell(5)
    assert [what for what, *_ in desk.sent()] == ["start", "end"]


async def test_an_end_that_a_crash_cut_off_is_told_at_the_next_start(desk: Desk) -> None:
    begin(desk)
    await desk.tell()
    end(desk)
    desk.begin()
    await desk.start()
    await desk.tell(5)
    assert [what for what, *_ in desk.sent()] == ["start", "end"]


async def test_a_start_of_unknown_fate_goes_by_no_second_way_and_a_real_end_is_repeated_and_says_so(
    desk: Desk,
) -> None:
    begin(desk)
    await desk.messenger._tell(desk.messenger._queue[0])
    (start,) = desk.bench.outbox.open.values()
    desk.bench.outbox.put(sending(start, "phone", 1))
    desk.begin()
    desk.take(course.tick(desk.drill, 5.0, desk.bench.clock.now_ns(), [FIRE]))
    await desk.start()
    await desk.messenger._tell(desk.messenger._queue[0])
    assert desk.sent() == []
    real = [notice for notice in desk.bench.outbox.open.values() if notice.only == "mail"]
    assert [notice.occurrence for notice in real] == ["post~exercise/d-1/end"]
    desk.bench.outbox.put(sending(real[0], "mail", 2))
    desk.begin()
    await desk.start()
    await desk.tell(5)
    assert sorted((notice.only, notice.repeat) for notice in desk.bench.courier.notices) == [
        ("mail", True),
        ("phone", False),
    ]


async def test_somebody_who_is_gone_is_written_down_once_and_silences_nobody(desk: Desk) -> None:
    desk.drill = replace(
        desk.drill, scenario=replace(desk.drill.scenario, notify=("contact:gone", "duty:none", "contact:duty"))
    )
    begin(desk)
    await desk.tell()
    end(desk)
    await desk.tell()
    assert [(what, who) for what, who, _ in desk.sent()] == [("start", "duty"), ("end", "duty")]
    assert desk.lost == ["contact:gone", "duty:none"]


async def test_an_outbox_that_cannot_be_read_is_asked_again_and_the_real_end_does_not_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_occurrence: str) -> set[str]:
        raise UnavailableError("disk")

    monkeypatch.setattr(desk.bench.outbox, "ids", down)
    begin(desk)
    assert await desk.messenger._tell(desk.messenger._queue[0]) is False
    desk.take(course.tick(desk.drill, 5.0, desk.bench.clock.now_ns(), [FIRE]))
    await desk.tell(2)
    assert {what for what, *_ in desk.sent()} == {"end"}


async def test_too_many_are_counted_and_the_end_is_not_among_them(desk: Desk) -> None:
    begin(desk)
    start = desk.messenger._queue[0]
    desk.messenger._queue.extend([start] * (MOST - 1))
    desk.take(course.give(desk.drill, "detector", "officer", desk.bench.clock.now_ns()))
    end(desk)
    assert desk.messenger.dropped == 1
    assert desk.messenger._queue[-1].end
