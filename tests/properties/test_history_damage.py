"""Files of the log, the history and the journal, cut or with bits turned at random: all start and say what is lost."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import select

from controller.clock import VirtualClock
from controller.history.embedded import EmbeddedHistory
from controller.history.log import FrameLog
from controller.history.segment import segments
from controller.history.store import HOUR_NS
from controller.journal.entry import AlarmRow, AuditRow
from controller.journal.journal import InlineExecutor, Journal
from controller.journal.schema import alarm_entry
from drivers.reading import Readings

if TYPE_CHECKING:
    from pathlib import Path

T0 = 1_767_225_600_000_000_000
FRAMES = 40
SEEDS = 200


def damage(path: Path, seed: int) -> bool:
    """Cut the file or turn bits in it; return whether it is different from before."""
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    before = bytes(data)
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    else:
        for _ in range(chance.choice((1, 1, 8, 200))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return bytes(data) != before


def frame(number: int) -> Readings:
    values = np.random.default_rng(number).random(60)
    return Readings(np.arange(60, dtype=np.int32), values, np.full(60, T0 + number * 10**9), np.zeros(60, np.uint8))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    log = FrameLog(folder / "log", VirtualClock())
    log.start()
    for number in range(FRAMES):
        log.append(frame(number))
        assert log.flush()
    log.close()
    history = EmbeddedHistory(folder / "history.db", folder / "log", VirtualClock())
    history.start()
    assert history.settle()
    history.close()

    async def journal() -> None:
        state = await Journal.open(folder / "state.db", VirtualClock(), InlineExecutor())
        for number in range(300):
            state.alarm(AlarmRow(f"o{number}", "d", number, "raised", "normal", "unacknowledged", float(number)))
            state.audit(AuditRow(number, "op", "limit_change", data={"n": number}))
        await state.close()

    asyncio.run(journal())
    return folder


async def read_back(folder: Path) -> tuple[set[float], EmbeddedHistory, FrameLog]:
    history = EmbeddedHistory(folder / "history.db", folder / "log", VirtualClock())
    log = FrameLog(folder / "log", VirtualClock(), committed=history.on_committed)
    log.start()
    history.start()
    log.append(frame(FRAMES))
    assert log.flush()
    assert history.wait_until_current()
    series = await history.raw(list(range(60)), T0, T0 + 10**12)
    return {value for one in series for value in one.value.tolist()}, history, log


@pytest.mark.parametrize("part", range(8))
async def test_damaged_log_starts_gives_what_is_whole_and_counts_the_rest(
    original: Path, tmp_path: Path, part: int
) -> None:
    truth = {value for number in range(FRAMES + 1) for value in frame(number).value.tolist()}
    newest = set(frame(FRAMES).value.tolist())
    for seed in range(part, SEEDS, 8):
        folder = tmp_path / str(seed)
        shutil.copytree(original / "log", folder / "log")
        damage(segments(folder / "log")[0].path, seed)
        found, history, log = await read_back(folder)
        assert found <= truth, f"seed {seed}: values that nobody wrote"
        assert newest <= found, f"seed {seed}: the new frame was lost"
        if found != truth:
            said = history.status().damaged + len(log.status().damaged)
            cut = sum(item.size() for item in segments(folder / "log"))
            assert said or cut < 20_000, f"seed {seed}: {len(truth - found)} values are gone and nobody says so"
        log.close()
        history.close()
        shutil.rmtree(folder)


@pytest.mark.parametrize("part", range(8))
async def test_damaged_history_starts_and_never_gives_a_wrong_value(original: Path, tmp_path: Path, part: int) -> None:
    truth = {value for number in range(FRAMES + 1) for value in frame(number).value.tolist()}
    newest = set(frame(FRAMES).value.tolist())
    for seed in range(part, SEEDS, 8):
        folder = tmp_path / str(seed)
        shutil.copytree(original, folder)
        damage(folder / "history.db", seed)
        try:
            found, history, log = await read_back(folder)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        assert found <= truth, f"seed {seed}: values that nobody wrote"
        assert newest <= found, f"seed {seed}: the new frame was lost"
        log.close()
        history.close()
        shutil.rmtree(folder)


@pytest.mark.parametrize("part", range(8))
async def test_damaged_history_without_a_log_says_what_is_lost(original: Path, tmp_path: Path, part: int) -> None:
    """Nothing can be filled again here: a value that is gone, or an aggregate that is wrong, must be reported."""
    truth = {value for number in range(FRAMES) for value in frame(number).value.tolist()}
    columns = np.array([frame(number).value for number in range(FRAMES)])
    lost = 0
    for seed in range(part, SEEDS, 8):
        folder = tmp_path / str(seed)
        folder.mkdir()
        shutil.copy(original / "history.db", folder)
        changed = damage(folder / "history.db", seed)
        history = EmbeddedHistory(folder / "history.db", folder / "log", VirtualClock())
        history.start()
        assert history.wait_until_current()
        points = list(range(60))
        buckets = await history.aggregate(points, T0, T0 + HOUR_NS, HOUR_NS)
        found = {value for one in await history.raw(points, T0, T0 + 10**12) for value in one.value.tolist()}
        said = history.status()
        reported = said.damaged or said.quarantined
        assert found <= truth, f"seed {seed}: values that nobody wrote"
        assert found == truth or reported, f"seed {seed}: {len(truth - found)} values are gone and nobody says so"
        assert changed or not reported
        for one in buckets:
            right = columns[:, one.number]
            for name, wanted in (("minimum", right.min()), ("maximum", right.max()), ("mean", right.mean())):
                got = getattr(one, name).tolist()
                assert got == [] or got == [pytest.approx(wanted)], f"seed {seed}: {name} of point {one.number}"
            assert one.count.tolist() in ([], [FRAMES]), f"seed {seed}"
            assert one.count.tolist() or reported, f"seed {seed}"
        lost += found != truth
        history.close()
        shutil.rmtree(folder)
    assert lost, "the damage reached no value: the test proves nothing"


def test_each_damaged_block_is_counted_once(original: Path, tmp_path: Path) -> None:
    """One block, one count: nothing else is lost, and nothing is counted that was not."""
    path = tmp_path / "history.db"
    shutil.copy(original / "history.db", path)
    with sqlite3.connect(path) as other:
        for number in (3, 17, 40):
            data = bytearray(other.execute("SELECT data FROM block WHERE number = ?", (number,)).fetchone()[0])
            data[-20] ^= 4
            other.execute("UPDATE block SET data = ? WHERE number = ?", (bytes(data), number))
    other.close()
    history = EmbeddedHistory(path, tmp_path / "log", VirtualClock())
    series = asyncio.run(history.raw(list(range(60)), T0, T0 + 10**12))
    assert [item.number for item in series if not len(item.time_ns)] == [3, 17, 40]
    assert {len(item.time_ns) for item in series} == {0, FRAMES}
    assert history.status().damaged == 3
    history.close()


@pytest.mark.parametrize("part", range(8))
async def test_damaged_journal_starts_keeps_what_is_whole_and_the_chain_tells(
    original: Path, tmp_path: Path, part: int
) -> None:
    for seed in range(part, SEEDS, 8):
        path = tmp_path / str(seed) / "state.db"
        path.parent.mkdir()
        shutil.copy(original / "state.db", path)
        damage(path, seed)
        journal = await Journal.open(path, VirtualClock(), InlineExecutor())
        report = await journal.verify_audit()
        rows = await journal.fetch(select(alarm_entry))
        if report.entries < 300 and report.whole:
            # Everything of the audit was lost, its head too: the damaged file itself is what tells.
            assert journal.quarantined is not None, f"seed {seed}"
            assert report.entries == 0, f"seed {seed}"
        if len(rows) < 300:
            assert journal.quarantined is not None, f"seed {seed}: entries are gone and nobody says so"
        journal.alarm(AlarmRow("new", "d", 1, "raised", "normal", "unacknowledged"))
        await journal.commit()
        assert journal.healthy
        await journal.close()
