from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.clock import SystemClock, VirtualClock
from controller.history.cursor import START, Position
from controller.history.frame import decode
from controller.history.log import Committed, FrameLog
from controller.history.segment import LogReader, Segment, day_of, expired, segments
from drivers.reading import Readings

if TYPE_CHECKING:
    from pathlib import Path

T0 = 1_767_225_600_000_000_000


def batch(number: int, count: int = 3, *, late: bool = False) -> Readings:
    return Readings(
        np.arange(count, dtype=np.int32),
        np.full(count, float(number)),
        np.full(count, T0 + number * 10**9),
        np.zeros(count, np.uint8),
        late,
    )


def values(folder: Path) -> list[float]:
    reader = LogReader(folder)
    found = [float(decode(data).readings.value[0]) for _, data in reader.read(START, 10_000)]
    reader.close()
    return found


def test_live_and_late_go_into_frames_of_their_own_in_order(tmp_path: Path) -> None:
    heard: list[Committed] = []
    log = FrameLog(tmp_path, VirtualClock(), generation=7, committed=heard.append)
    log.start()
    log.append(batch(1))
    log.append(batch(2, late=True))
    log.append(batch(3))
    assert log.flush()
    log.append(batch(4))
    assert log.flush()
    log.close()
    reader = LogReader(tmp_path)
    frames = [decode(data) for _, data in reader.read(START, 100)]
    reader.close()
    assert [frame.readings.late for frame in frames] == [False, True, False]
    assert frames[0].readings.value.tolist() == [1, 1, 1, 3, 3, 3]
    assert {frame.generation for frame in frames} == {7}
    assert [(item.previous, item.position) for item in heard] == [
        (START, Position(1, 1)),
        (Position(1, 1), Position(1, 2)),
        (Position(1, 2), Position(1, 3)),
    ]
    assert log.status().written == 12
    assert log.status().pending == 0


def test_many_readings_are_committed_without_waiting_for_the_second(tmp_path: Path) -> None:
    done = threading.Event()
    log = FrameLog(tmp_path, SystemClock(), committed=lambda _: done.set())
    log.start()
    log.append(batch(1, 5000))
    assert done.wait(0.9)
    log.close()


def test_close_commits_what_is_pending_and_the_next_start_goes_on_in_the_file_of_the_day(tmp_path: Path) -> None:
    for number in range(3):
        log = FrameLog(tmp_path, VirtualClock())
        log.start()
        log.append(batch(number))
        log.close()
    assert len(segments(tmp_path)) == 1
    assert values(tmp_path) == [0, 1, 2]


def test_day_ends_closed_and_is_never_opened_again_even_when_the_clock_goes_back(tmp_path: Path) -> None:
    clock = VirtualClock(T0 + 3600 * 10**9)
    log = FrameLog(tmp_path, clock)
    log.start()
    for number, jump in enumerate((0, 86_400, -86_400, 0)):
        clock.jump(jump)
        log.append(batch(number))
        assert log.flush()
    day = day_of(T0)
    assert [(item.sequence, item.day) for item in segments(tmp_path)] == [(1, day), (2, day + 1), (3, day)]
    closed = segments(tmp_path)[0].path
    assert not closed.with_name(closed.name + "-wal").exists()
    log.close()
    assert values(tmp_path) == [0, 1, 2, 3]


def test_retention_keeps_what_a_reader_needs_and_never_the_open_file(tmp_path: Path) -> None:
    clock = VirtualClock(T0)
    needed = [Position(2, 1)]
    log = FrameLog(tmp_path, clock, keep_days=2, needed=lambda: needed[0])
    log.start()
    for number in range(6):
        log.append(batch(number))
        assert log.flush()
        clock.jump(86_400)
    assert [item.sequence for item in segments(tmp_path)] == [2, 3, 4, 5, 6]
    needed[0] = Position(6, 1)
    log.append(batch(6))
    assert log.flush()
    log.close()
    assert [item.sequence for item in segments(tmp_path)] == [5, 6, 7]
    assert log.status().expired == 4
    assert len(list(tmp_path.iterdir())) == 3  # nothing of the removed files stayed


def test_size_bound_holds_within_a_day(tmp_path: Path) -> None:
    log = FrameLog(tmp_path, VirtualClock(T0), file_bytes=60_000, max_bytes=200_000)
    log.start()
    random = np.random.default_rng(1)
    for _ in range(40):
        noise = Readings(
            np.arange(2000, dtype=np.int32), random.random(2000), random.integers(0, T0, 2000), np.zeros(2000, np.uint8)
        )
        log.append(noise)
        assert log.flush()
    log.close()
    assert log.status().expired > 0
    assert sum(item.size() for item in segments(tmp_path)) < 350_000
    assert log.status().dropped == 0


def test_wrong_clock_does_not_make_retention_delete_or_keep_for_ever(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x" * 10)
    closed = [
        Segment(1, 100, tmp_path / "a"),
        Segment(2, 25_000, tmp_path / "b"),  # the clock was in 2038
        Segment(3, 101, tmp_path / "c"),
    ]
    end = Position(9, 0)
    assert expired(closed, 102, 7, 1000, end) == []
    assert [item.sequence for item in expired(closed, 120, 7, 1000, end)] == [1, 2, 3]
    assert [item.sequence for item in expired(closed, 102, 7, 25, end)] == [1]


def test_full_or_failing_disk_drops_the_oldest_counts_and_recovers_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.write_bytes(b"")  # a file where the folder should be: nothing can be written
    log = FrameLog(folder, SystemClock(), max_pending=30)
    log.start()
    for number in range(20):
        log.append(batch(number))
    assert not log.flush(0.2)
    status = log.status()
    assert not status.healthy
    assert status.reason
    assert status.failures >= 1
    assert status.dropped == 30
    assert status.pending == 30
    folder.unlink()
    assert log.flush(10)
    assert log.status().healthy
    log.close()
    reader = LogReader(folder)
    frame = decode(reader.read(START, 10)[0][1])
    reader.close()
    assert frame.readings.value.tolist() == np.repeat(np.arange(10.0, 20.0), 3).tolist()


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from controller.clock import SystemClock
from controller.history.log import FrameLog
from drivers.reading import Readings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
random = np.random.default_rng(1)
log = FrameLog(Path(sys.argv[1]), SystemClock())
log.start()
written = 0
while log.status().healthy:
    times = random.integers(0, 10**18, 500)
    log.append(Readings(np.arange(500, dtype=np.int32), random.random(500), times, np.zeros(500, np.uint8)))
    written += 500
    log.flush(0.5)
print(log.status().reason)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert log.flush(20)
log.close()
status = log.status()
print(status.healthy, status.written == written, status.dropped)
"""


def test_write_errors_in_the_middle_of_a_file_lose_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    reason, numbers = done.stdout.splitlines()
    assert reason in {"disk I/O error", "database or disk is full"}
    assert numbers == "True True 0"
    reader = LogReader(tmp_path)
    for _, data in reader.read(START, 10_000):
        decode(data)
    assert reader.damaged == 0
    reader.close()


def test_damaged_file_of_the_day_is_set_aside_and_said(tmp_path: Path) -> None:
    log = FrameLog(tmp_path, VirtualClock())
    log.start()
    log.append(batch(1))
    log.close()
    path = segments(tmp_path)[0].path
    path.write_bytes(b"rubbish" * 2000)
    log = FrameLog(tmp_path, VirtualClock())
    log.start()
    log.append(batch(2))
    assert log.flush()
    log.close()
    assert log.status().damaged == (path.name,)
    assert [item.path.name for item in segments(tmp_path)] == [path.name + ".damaged", f"00000002-{day_of(T0):08d}.db"]
    assert values(tmp_path) == [2]


def test_reader_beside_the_writer_sees_each_frame_once(tmp_path: Path) -> None:
    log = FrameLog(tmp_path, VirtualClock())
    log.start()
    reader = LogReader(tmp_path)
    position, seen = START, []
    for number in range(50):
        log.append(batch(number))
        assert log.flush()
        for at, data in reader.read(position, 7):
            position = at
            seen.append(float(decode(data).readings.value[0]))
        assert reader.behind(position) == 0
    assert seen == list(range(50))
    assert reader.last() == Position(1, 50)
    assert [at for at, _ in reader.read(Position(1, 10), 100, until=Position(1, 13))] == [
        Position(1, 11),
        Position(1, 12),
        Position(1, 13),
    ]
    reader.close()
    log.close()


def test_nothing_can_be_appended_to_a_removed_day(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        LogReader(tmp_path)._connection(Segment(1, 1, tmp_path / "00000001-00000001.db"))
    assert list(tmp_path.iterdir()) == []
