from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest
from isal import isal_zlib

from controller.clock import VirtualClock
from controller.errors import InvalidError
from controller.history.block import Columns, pack
from controller.history.embedded import EmbeddedHistory
from controller.history.importer import import_history
from controller.history.log import FrameLog
from controller.history.segment import LogReader
from controller.history.store import HOUR_NS
from drivers.reading import Readings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T0 = 1_767_225_600_000_000_000
S = 1_000_000_000


class Rig:
    """Log and embedded history in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.open()

    def open(self) -> None:
        self.history = EmbeddedHistory(self.folder / "history.db", self.folder / "log", self.clock)
        self.log = FrameLog(self.folder / "log", self.clock, committed=self.history.on_committed)
        self.log.start()
        self.history.start()

    def add(
        self, number: int, seconds: list[float], value: list[float], quality: int = 0, *, late: bool = False
    ) -> None:
        n = len(seconds)
        times = T0 + np.round(np.array(seconds) * S).astype(np.int64)
        batch = Readings(
            np.full(n, number, np.int32), np.array(value, float), times, np.full(n, quality, np.uint8), late
        )
        self.log.append(batch)
        assert self.log.flush()
        assert self.history.wait_until_current()

    def close(self) -> None:
        self.log.close()
        self.history.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


async def test_tail_and_blocks_answer_alike(rig: Rig) -> None:
    rig.add(1, [0, 10, 20], [1, 2, 3])
    rig.add(2, [5], [50])
    before = await rig.history.raw([1, 2], T0, T0 + 60 * S)
    assert rig.history.status().tail == 4
    assert rig.history.settle()
    assert rig.history.status().tail == 0
    after = await rig.history.raw([1, 2], T0, T0 + 60 * S)
    for one, two in zip(before, after, strict=True):
        assert one.time_ns.tolist() == two.time_ns.tolist()
        assert one.value.tolist() == two.value.tolist()
    assert [series.value.tolist() for series in after] == [[1, 2, 3], [50]]


async def test_late_readings_find_their_hour_and_the_later_copy_of_a_time_stays(rig: Rig) -> None:
    rig.add(1, [0, 3600, 7200], [1, 2, 3])
    assert rig.history.settle()
    rig.add(1, [1800, 3600], [1.5, 9], late=True)
    for settled in (False, True):
        if settled:
            assert rig.history.settle()
        (series,) = await rig.history.raw([1], T0, T0 + 3 * HOUR_NS)
        assert series.value.tolist() == [1, 1.5, 9, 3]
    assert rig.history.status().blocks_written == 5  # three hours, then two of them again


async def test_value_before_the_window(rig: Rig) -> None:
    rig.add(1, [0, 10], [1, 2])
    rig.add(1, [7200], [np.nan], 128)
    for _ in range(2):
        first, second, third, none = [
            (await rig.history.raw([1], T0 + at * S, T0 + (at + 1) * S))[0].before for at in (5, 3600, 9000, 0)
        ]
        assert first == (T0, 1.0, 0)
        assert second == (T0 + 10 * S, 2.0, 0)
        assert third is not None
        assert third[0] == T0 + 7200 * S
        assert np.isnan(third[1])
        assert none is None
        assert rig.history.settle()


async def test_aggregates_leave_bad_values_out_of_the_numbers_but_not_of_the_count(rig: Rig) -> None:
    rig.add(1, [0, 10, 20], [1, 2, 6])
    rig.add(1, [30], [np.nan], 130)
    rig.add(1, [40], [999.0], 128)
    rig.add(1, [50], [3.0], 64)
    rig.add(1, [7200], [np.nan], 128)
    for _ in range(2):
        (found,) = await rig.history.aggregate([1], T0, T0 + 3 * HOUR_NS, HOUR_NS)
        assert found.start_ns.tolist() == [T0, T0 + 2 * HOUR_NS]
        assert found.count.tolist() == [6, 1]
        assert found.minimum[0] == 1
        assert found.maximum[0] == 6
        assert found.mean[0] == 3
        assert found.last[0] == 3
        assert np.isnan([found.minimum[1], found.mean[1], found.last[1]]).all()
        assert found.good_share.tolist() == [0.5, 0]
        assert rig.history.settle()


async def test_whole_hours_are_answered_without_opening_blocks(rig: Rig) -> None:
    for hour in range(5):
        rig.add(1, [hour * 3600 + step for step in range(0, 3600, 600)], [hour] * 6)
    assert rig.history.settle()
    opened: list[int] = []
    data = rig.history._shelf.data
    rig.history._shelf.data = lambda number, row: opened.append(row.start_ns) or data(number, row)  # type: ignore[method-assign,func-returns-value]
    (found,) = await rig.history.aggregate([1], T0, T0 + 5 * HOUR_NS, HOUR_NS)
    assert found.mean.tolist() == [0, 1, 2, 3, 4]
    assert opened == []
    (found,) = await rig.history.aggregate([1], T0 + HOUR_NS // 2, T0 + 4 * HOUR_NS, HOUR_NS)
    assert found.count.tolist() == [6, 6, 6, 3]
    assert opened


async def test_restart_reads_the_tail_from_the_log_and_moves_the_cursor_with_the_blocks(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.add(1, [0, 1], [1, 2])
    assert rig.history.settle()
    cursor = rig.history.cursor
    rig.add(1, [2, 3], [3, 4])
    assert rig.history.cursor == cursor
    rig.log.close()
    # Not closed: as after kill -9, the tail in memory is gone.
    other = EmbeddedHistory(tmp_path / "history.db", tmp_path / "log", rig.clock)
    assert other.cursor == cursor
    other.start()
    assert other.wait_until_current()
    (series,) = await other.raw([1], T0, T0 + 60 * S)
    assert series.value.tolist() == [1, 2, 3, 4]
    assert other.status().tail == 2
    other.close()
    rig.history.close()


async def test_lost_history_file_is_filled_again_from_the_log(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.add(1, [0, 1], [1, 2])
    rig.close()
    (tmp_path / "history.db").write_bytes(b"rubbish" * 3000)
    rig.open()
    assert rig.history.wait_until_current()
    (series,) = await rig.history.raw([1], T0, T0 + 60 * S)
    assert series.value.tolist() == [1, 2]
    assert rig.history.status().quarantined.startswith("history.db.damaged-")
    rig.close()


async def test_failing_file_keeps_the_tail_says_so_and_recovers(rig: Rig) -> None:
    rig.add(1, [0], [1])
    other = sqlite3.connect(rig.folder / "history.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    rig.history._shelf._writer.execute("PRAGMA busy_timeout=10")
    assert not rig.history.settle(0.3)
    status = rig.history.status()
    assert not status.healthy
    assert "locked" in status.reason
    assert status.tail == 1
    (series,) = await rig.history.raw([1], T0, T0 + S)
    assert series.value.tolist() == [1]
    other.execute("ROLLBACK")
    other.close()
    assert rig.history.settle(10)
    assert rig.history.status().healthy
    assert rig.history.status().tail == 0


async def test_limit_and_wrong_windows(rig: Rig) -> None:
    rig.add(1, list(range(10)), list(range(10)))
    (series,) = await rig.history.raw([1], T0, T0 + 60 * S, limit=4)
    assert series.value.tolist() == [0, 1, 2, 3]
    assert series.truncated
    with pytest.raises(InvalidError, match="window"):
        await rig.history.raw([1], T0, T0)
    with pytest.raises(InvalidError, match="bucket"):
        await rig.history.aggregate([1], T0, T0 + 100 * HOUR_NS, S)
    (nothing,) = await rig.history.aggregate([77], T0, T0 + HOUR_NS, S)
    assert len(nothing.count) == 0


async def test_old_blocks_are_pruned(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.add(1, [0], [1])
    rig.clock.jump(900 * 86_400)
    rig.add(1, [900 * 86_400.0], [2])
    assert rig.history.settle()
    (series,) = await rig.history.raw([1], T0, T0 + 1000 * 86_400 * S)
    assert series.value.tolist() == [2]
    rig.close()


async def test_import_makes_days_that_live_readings_win_over(rig: Rig, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    value = random.random((30, 600)).round(3)
    value[3, 100:200] = np.nan
    time = T0 - 86_400 * S + np.arange(600, dtype=np.int64) * 300 * S
    names = [f"a.b.c{number}.d" for number in range(30)]
    np.savez(tmp_path / "past.npz", address=np.array([*names[:-1], "a.b.gone.d"]), time_ns=time, value=value)
    rig.add(5, [0], [123.0])
    shares: list[float] = []
    numbers = {name: number for number, name in enumerate(names)}
    done = import_history(tmp_path / "past.npz", numbers, rig.history, rig.log, shares.append)
    assert (done.points, done.readings, done.unknown) == (29, 29 * 600 - 100, ("a.b.gone.d",))
    assert shares[-1] == 1.0
    assert rig.log.flush()
    assert rig.history.settle()
    for _ in range(2):
        three, five = await rig.history.raw([3, 5], int(time[0]), int(time[-1]) + 1)
        assert len(three.value) == 500
        assert three.value.tolist() == value[3][~np.isnan(value[3])].tolist()
        expected = value[5].copy()
        expected[time == T0] = 123.0
        assert five.value.tolist() == expected.tolist()
        (hours,) = await rig.history.aggregate([5], int(time[0]), int(time[-1]) + 1, HOUR_NS)
        assert hours.count.tolist() == [12] * 50
        np.testing.assert_allclose(hours.mean, expected.reshape(50, 12).mean(axis=1))
        import_history(tmp_path / "past.npz", numbers, rig.history)
    reader = LogReader(tmp_path / "log")
    assert reader.last().frame > 1  # the imported frames are there for InfluxDB
    reader.close()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"address": np.array(["a"]), "time_ns": np.array([1])}, "value"),
        ({"address": np.array([1]), "time_ns": np.array([1]), "value": np.zeros((1, 1))}, "address: got int64"),
        ({"address": np.array(["a"]), "time_ns": np.array([2, 1]), "value": np.zeros((1, 2))}, "increasing"),
        ({"address": np.array(["a"]), "time_ns": np.array([1, 2]), "value": np.zeros((2, 1))}, "wanted float64 of"),
    ],
)
def test_wrong_history_file_is_named(
    rig: Rig,
    tmp_path: Path,
    arrays: dict[str, np.ndarray],
    words: str,
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match=words) as caught:
        import_history(tmp_path / "bad.npz", {"a": 1}, rig.history)
    assert "bad.npz" in str(caught.value)


def test_truncated_history_file_is_named(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(InvalidError, match=r"cut\.npz"):
        import_history(tmp_path / "cut.npz", {}, rig.history)


AGGREGATES = [
    *("count", "used", "good", "minimum", "maximum", "total"),
    *("first", "last", "first_ns", "last_ns", "last_value", "last_quality"),
]


@pytest.mark.parametrize("column", AGGREGATES)
async def test_a_damaged_aggregate_is_seen_counted_and_computed_again_from_its_block(rig: Rig, column: str) -> None:
    rig.add(1, [0, 10, 20], [1.0, 2.0, 6.0])
    rig.add(1, [3600, 3610], [3.0, 4.0])
    assert rig.history.settle()
    with sqlite3.connect(rig.folder / "history.db") as other:
        other.execute(f"UPDATE block SET {column} = {column} + 3 WHERE start_ns = ?", (T0,))
    other.close()
    (buckets,) = await rig.history.aggregate([1], T0, T0 + 2 * HOUR_NS, HOUR_NS)
    assert buckets.count.tolist() == [3, 2]
    assert buckets.minimum.tolist() == [1.0, 3.0]
    assert buckets.maximum.tolist() == [6.0, 4.0]
    assert buckets.mean.tolist() == [3.0, 3.5]
    assert buckets.last.tolist() == [6.0, 4.0]
    assert rig.history.status().damaged == 1
    assert await rig.history.before([1], T0 + 30 * S) == [(T0 + 20 * S, 6.0, 0)]


async def test_a_block_under_another_point_is_damage_and_not_that_points_reading(rig: Rig) -> None:
    rig.add(1, [0, 10], [1.0, 2.0])
    rig.add(2, [0, 10], [50.0, 60.0])
    assert rig.history.settle()
    with sqlite3.connect(rig.folder / "history.db") as other:
        other.execute("UPDATE block SET number = 3 WHERE number = 2")
    other.close()
    series = await rig.history.raw([1, 2, 3], T0, T0 + HOUR_NS)
    assert [item.value.tolist() for item in series] == [[1.0, 2.0], [], []]
    assert rig.history.status().damaged > 0


async def test_a_file_of_version_1_is_read_and_gets_its_seals_as_blocks_are_written(rig: Rig) -> None:
    rig.add(1, [0, 10, 20], [1.0, 2.0, 6.0])
    assert rig.history.settle()
    rig.close()
    whole = Columns(T0 + np.array([0, 10, 20]) * S, np.array([1.0, 2.0, 6.0]), np.zeros(3, np.uint8))
    with sqlite3.connect(rig.folder / "history.db") as other:
        # Version 1: no column for the seal, and blocks whose checksum has no key.
        data = bytearray(pack(whole, (1, T0, HOUR_NS)))
        data[0] = 1
        data[1:5] = isal_zlib.crc32(bytes(data[13:]), isal_zlib.crc32(bytes(data[5:13]))).to_bytes(4, "little")
        other.execute("UPDATE block SET data = ?", (bytes(data),))
        other.execute("ALTER TABLE block DROP COLUMN seal")
        other.execute("PRAGMA user_version = 1")
    other.close()
    rig.open()
    (buckets,) = await rig.history.aggregate([1], T0, T0 + HOUR_NS, HOUR_NS)
    assert (buckets.count.tolist(), buckets.mean.tolist()) == ([3], [3.0])
    rig.add(1, [30], [7.0])
    assert rig.history.settle()
    (buckets,) = await rig.history.aggregate([1], T0, T0 + HOUR_NS, HOUR_NS)
    assert (buckets.count.tolist(), buckets.mean.tolist()) == ([4], [4.0])
    assert rig.history.status().damaged == 0
    assert rig.history.status().quarantined == ""
    with sqlite3.connect(rig.folder / "history.db") as other:
        assert other.execute("SELECT count(*) FROM block WHERE seal IS NULL").fetchone() == (0,)
    other.close()
