from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.clock import SystemClock, VirtualClock
from controller.history.cursor import START, Position
from controller.history.delivery import Answer, Influx
from controller.history.influx import InfluxWriter
from controller.history.lane import Lanes
from controller.history.log import FrameLog
from controller.history.segment import segments
from drivers.reading import Readings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from controller.history.log import Committed

T0 = 1_767_225_600_000_000_000
NOWHERE = Influx("http://127.0.0.1:9", "o", "b", "t")


class Server:
    """Notes every line it took, in order; answers otherwise with what the test puts."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.default = Answer(204)
        self.taken: list[int] = []
        self.asked = threading.Semaphore(0)
        self.bodies: list[bytes] = []

    def __call__(self, body: bytes) -> Answer:
        answer = self.answers.pop(0) if self.answers else self.default
        if answer.status == 204:
            self.taken += [int(line.rsplit(b" ", 1)[1]) for line in body.splitlines()]
        self.bodies.append(body)
        self.asked.release()
        return answer


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server()
        self.clock = VirtualClock()
        self.log = FrameLog(folder / "log", self.clock, committed=self.heard)
        self.writer = self.make()
        self.log.start()

    def heard(self, item: Committed) -> None:
        self.writer.on_committed(item)

    def make(self) -> InfluxWriter:
        return InfluxWriter(
            self.folder / "state",
            self.folder / "log",
            NOWHERE,
            {0: "a.b.c.d"},
            SystemClock(),
            post=self.server,
            back_off_s=(0.01,),
            gap_frames=5,
        )

    def add(self, first: int, count: int = 1) -> None:
        for number in range(first, first + count):
            batch = Readings.of([0], [float(number)], T0 + number)
            self.log.append(batch)
            assert self.log.flush()

    def close(self) -> None:
        self.log.close()
        self.writer.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def times(first: int, count: int) -> list[int]:
    return [T0 + number for number in range(first, first + count)]


def test_frames_arrive_once_and_in_order(rig: Rig) -> None:
    rig.writer.start()
    rig.add(0, 20)
    assert rig.writer.wait_until_sent(10)
    assert rig.server.taken == times(0, 20)
    status = rig.writer.status()
    assert (status.written, status.pending_frames, status.lag_s) == (20, 0, 0.0)


@pytest.mark.parametrize("status", [0, 401, 404, 429, 500, 503])
def test_cursor_waits_for_the_server_and_the_status_says_why(rig: Rig, status: int) -> None:
    rig.server.default = Answer(status, "broken")
    rig.add(0, 3)
    rig.writer.start()
    for _ in range(3):
        assert rig.server.asked.acquire(timeout=10)
    found = rig.writer.status()
    assert not found.healthy
    assert found.code == status
    assert "broken" in found.reason
    assert found.written == 0
    rig.writer.close()
    rig.server.default = Answer(204)
    rig.writer = rig.make()
    rig.writer.start()
    assert rig.writer.wait_until_sent(10)
    assert rig.server.taken == times(0, 3)


def test_retry_after_is_kept(rig: Rig) -> None:
    rig.server.answers = [Answer(429, "slow down", 0.3)]
    rig.add(0)
    begin = SystemClock().monotonic()
    rig.writer.start()
    assert rig.writer.wait_until_sent(10)
    assert SystemClock().monotonic() - begin >= 0.3
    assert rig.server.taken == times(0, 1)


def test_refused_lines_go_to_the_side_file_with_the_reason(rig: Rig) -> None:
    rig.server.answers = [Answer(400, "unable to parse 'a b': x"), Answer(204), Answer(400, "unable to parse")]
    rig.add(0, 2)
    rig.writer.start()
    assert rig.writer.wait_until_sent(10)
    assert rig.server.taken == times(0, 1)
    (side,) = (rig.folder / "state").glob("influx-refused-*.lp")
    assert side.read_bytes() == b"# unable to parse\nb,building=a,equipment=c,point=d value=1.0,quality=0i %d\n" % (
        T0 + 1
    )
    status = rig.writer.status()
    assert (status.written, status.quarantined, status.healthy) == (1, 1, True)


def test_after_a_long_stop_live_readings_go_first_and_the_past_in_order(rig: Rig) -> None:
    rig.add(0, 200)
    entered, gate = threading.Event(), threading.Event()
    take = rig.server.__call__

    def post(body: bytes) -> Answer:
        entered.set()
        gate.wait(10)
        return take(body)

    rig.writer._post = post
    rig.writer.start()
    # What comes before the first request is under way still belongs to the past.
    assert entered.wait(10)
    rig.add(1000, 3)
    gate.set()
    assert rig.writer.wait_until_sent(20)
    taken = rig.server.taken
    past = [at for at in taken if at < T0 + 1000]
    live = [at for at in taken if at >= T0 + 1000]
    assert past == times(0, 200)
    assert live == times(1000, 3)
    # At most the request that was under way came before the live ones.
    assert taken.index(T0 + 1000) <= 60


def test_backlog_survives_a_restart_in_the_middle(rig: Rig) -> None:
    rig.add(0, 150)
    rig.server.answers = [Answer(204), Answer(503), Answer(503)]
    rig.writer.start()
    for _ in range(3):
        assert rig.server.asked.acquire(timeout=10)
    rig.writer.close()
    rig.server.answers = []
    rig.writer = rig.make()
    rig.writer.start()
    assert rig.writer.wait_until_sent(10)
    assert sorted(set(rig.server.taken)) == times(0, 150)


def test_days_that_retention_took_are_counted(rig: Rig) -> None:
    rig.add(0)
    rig.writer.start()
    assert rig.writer.wait_until_sent(10)
    rig.writer.close()
    for day in range(1, 5):
        rig.clock.jump(86_400)
        rig.add(day)
    for segment in segments(rig.folder / "log")[1:3]:
        segment.unlink()
    rig.writer = rig.make()
    rig.writer.start()
    assert rig.writer.wait_until_sent(10)
    assert rig.writer.status().missed_files == 2
    assert rig.server.taken == [T0, T0 + 3, T0 + 4]


def test_damaged_frame_is_counted_and_passed(rig: Rig) -> None:
    rig.add(0)
    connection = rig.log._connection
    assert connection is not None
    connection.execute("INSERT INTO frame (data) VALUES (?)", (b"rubbish",))
    rig.add(2)
    rig.writer.start()
    assert rig.writer.wait_until_sent(10)
    assert rig.server.taken == [T0, T0 + 2]
    assert rig.writer.status().damaged == 1


def test_unknown_points_and_new_addresses(rig: Rig) -> None:
    rig.writer.start()
    rig.log.append(Readings.of([1], [1.0], T0))
    assert rig.log.flush()
    assert rig.writer.wait_until_sent(10)
    assert rig.writer.status().unknown == 1
    rig.writer.configure({0: "a.b.c.d", 1: "a.b.c.e"})
    rig.log.append(Readings(np.array([1], np.int32), np.array([2.0]), np.array([T0 + 1]), np.zeros(1, np.uint8)))
    assert rig.log.flush()
    assert rig.writer.wait_until_sent(10)
    assert b"point=e" in rig.server.bodies[-1]


def test_lanes_join_ranges_that_touch_and_survive_damage(tmp_path: Path) -> None:
    lanes = Lanes(tmp_path / "influx.db")
    lanes.split(Position(1, 10))
    lanes.split(Position(1, 20))
    lanes.advance_live(Position(1, 25))
    lanes.split(Position(2, 5))
    assert [(start, until) for _, start, until in lanes.backlog] == [
        (START, Position(1, 20)),
        (Position(1, 25), Position(2, 5)),
    ]
    lanes.advance_backlog(Position(1, 7))
    lanes.close()
    lanes = Lanes(tmp_path / "influx.db")
    assert lanes.live == Position(2, 5)
    assert lanes.backlog[0][1] == Position(1, 7)
    lanes.advance_backlog(Position(1, 20))
    lanes.advance_backlog(None)
    assert lanes.backlog == []
    lanes.close()
    (tmp_path / "influx.db").write_bytes(b"rubbish" * 1000)
    lanes = Lanes(tmp_path / "influx.db")
    assert lanes.live == START
    assert lanes.quarantined is not None
    lanes.close()
