"""Ten thousand events at once: the turn that takes them, until they are durable, and a text looked for among many.

python benchmarks/events.py [events in the journal]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import Text, func, insert, select
from sqlalchemy import cast as sql_cast

from controller.api.event import LOOK_BACK
from controller.api.stream import StreamHub
from controller.clock import SystemClock
from controller.journal.journal import Journal
from controller.journal.schema import event_entry
from controller.point.model import Name, Site
from controller.point.table import PointTable
from controller.recorder import Recorder
from drivers.event import Event

BURST = 10_000
LIMITS = {"one turn takes 10,000 events": 1.0, "10,000 events durable": 2.0, "a text among the newest": 1.0}


async def main(many: int) -> int:
    clock = SystemClock()
    site = Site("s", Name("市", "s"), "Asia/Taipei", 1, {}, {}, {}, {})
    with tempfile.TemporaryDirectory() as folder:
        journal = await Journal.open(Path(folder) / "state.db", clock)
        rows = [
            {
                "source": f"door{n % 200}",
                "key": f"old{n}",
                "type": "card_read",
                "time_ns": n,
                "received_ns": n,
                "late": False,
                "data": {"door": n % 200, "card": f"{n * 7919 % 100_000:08}"},
            }
            for n in range(many)
        ]
        for place in range(0, many, 1_000):
            await journal.write(insert(event_entry).values(rows[place : place + 1_000]))
        hub = StreamHub(
            site=lambda: site,
            table=lambda: PointTable(site, clock),
            clock=clock,
            version="",
            overview=tuple,
            alarms=tuple,
            devices=tuple,
            again=lambda principal: principal,
        )
        recorder = Recorder(journal, cast("Any", SimpleNamespace()), clock, lambda: site)
        recorder.hub = hub
        events = [
            Event(f"e{n}", f"door{n % 200}", "door_forced", clock.now_ns(), {"door": n % 200}) for n in range(BURST)
        ]
        start = time.perf_counter()
        for event in (*events, *events[:2_500]):
            recorder.event(event)
        recorder.tell_events()
        turn = time.perf_counter() - start
        await journal.commit()
        durable = time.perf_counter() - start
        text = event_entry.c.type + " " + event_entry.c.source + " " + sql_cast(event_entry.c.data, Text)
        newest = select(func.max(event_entry.c.id)).scalar_subquery()
        query = select(event_entry).where(event_entry.c.id > newest - LOOK_BACK, text.contains("no such text"))
        start = time.perf_counter()
        await journal.fetch(query.order_by(event_entry.c.id.desc()).limit(100))
        found = time.perf_counter() - start
        await journal.close()
    measured = dict(zip(LIMITS, (turn, durable, found), strict=True))
    print(f"{'':34} {'measured':>10} {'limit':>8}   ({many + BURST:,} events in the journal)")
    for name, seconds in measured.items():
        print(f"{name:34} {seconds:8.3f} s {LIMITS[name]:6.1f} s{'' if seconds <= LIMITS[name] else '   TOO SLOW'}")
    return int(any(seconds > LIMITS[name] for name, seconds in measured.items()))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)))
