"""A writer killed at random moments: what was said to be durable is there, whole, and once."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.clock import SystemClock
from controller.history.cursor import START
from controller.history.embedded import EmbeddedHistory
from controller.history.frame import decode
from controller.history.log import FrameLog
from controller.history.segment import LogReader
from controller.journal.journal import Journal
from controller.journal.schema import alarm_entry

if TYPE_CHECKING:
    from pathlib import Path

T0 = 1_767_225_600_000_000_000

HISTORY = """
import sys
from pathlib import Path
import numpy as np
from controller.clock import SystemClock
from controller.history.embedded import EmbeddedHistory
from controller.history.log import FrameLog
from drivers.reading import Readings
folder = Path(sys.argv[1])
first = int(sys.argv[2])
history = EmbeddedHistory(folder / "history.db", folder / "log", SystemClock(), flush_s=0.02)
def committed(item):
    history.on_committed(item)
    print(int(item.readings.value.max()), flush=True)
log = FrameLog(folder / "log", SystemClock(), committed=committed)
history.start()
log.start()
number = first
while True:
    at = 1_767_225_600_000_000_000 + number * 1_000_000
    values = np.full(50, float(number))
    log.append(Readings(np.arange(50, dtype=np.int32), values, np.full(50, at), np.zeros(50, np.uint8)))
    log.flush()
    number += 1
"""

JOURNAL = """
import asyncio, sys
from pathlib import Path
from controller.clock import SystemClock
from controller.journal.entry import AlarmRow, AuditRow
from controller.journal.journal import Journal
async def main():
    journal = await Journal.open(Path(sys.argv[1]) / "state.db", SystemClock())
    number = int(sys.argv[2])
    while True:
        journal.alarm(AlarmRow(str(number), "d", number, "raised", "normal", "unacknowledged"))
        journal.audit(AuditRow(number, "op", "x"))
        await journal.commit()
        print(number, flush=True)
        number += 1
asyncio.run(main())
"""


def run_and_kill(program: str, folder: Path, first: int, lines: int) -> int:
    """Run until it said so many lines, kill it, and return the last number that it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    last = first - 1
    for _ in range(lines):
        line = process.stdout.readline()
        assert line, "the writer ended by itself"
        last = int(line)
    process.kill()
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    whole = rest.splitlines() if rest.endswith("\n") else rest.splitlines()[:-1]
    return int(whole[-1]) if whole else last


async def test_no_committed_frame_is_lost_and_blocks_and_cursor_agree(tmp_path: Path) -> None:
    said = -1
    for seed in range(10):
        said = run_and_kill(HISTORY, tmp_path, said + 1, random.Random(seed).randint(1, 40))
        reader = LogReader(tmp_path / "log")
        there = [int(decode(data).readings.value[0]) for _, data in reader.read(START, 100_000)]
        assert reader.damaged == 0
        reader.close()
        assert there[: said + 1] == list(range(said + 1)), f"seed {seed}"
        said = there[-1]
    history = EmbeddedHistory(tmp_path / "history.db", tmp_path / "log", SystemClock())
    log = FrameLog(tmp_path / "log", SystemClock(), committed=history.on_committed)
    history.start()
    log.start()
    assert history.wait_until_current()
    for series in await history.raw([0, 49], T0, T0 + 10**12):
        assert series.value.tolist() == list(range(said + 1))
    (hours,) = await history.aggregate([7], T0, T0 + 3600 * 10**9, 3600 * 10**9)
    assert hours.count.tolist() == [said + 1]
    assert history.status().quarantined == ""
    log.close()
    history.close()


@pytest.mark.parametrize("seed", range(10))
async def test_no_committed_entry_is_lost_and_the_chain_is_whole(tmp_path: Path, seed: int) -> None:
    said = run_and_kill(JOURNAL, tmp_path, 0, random.Random(seed).randint(1, 60))
    said = run_and_kill(JOURNAL, tmp_path, said + 2, random.Random(seed + 100).randint(1, 60))
    journal = await Journal.open(tmp_path / "state.db", SystemClock())
    assert journal.quarantined is None
    there = {row.time_ns for row in await journal.fetch(select(alarm_entry))}
    assert said in there
    report = await journal.verify_audit()
    assert report.whole, report.message
    assert report.entries == len(there)
    await journal.close()
