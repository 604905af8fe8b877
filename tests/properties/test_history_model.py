"""The embedded history against the simplest model: a dictionary of every reading."""

from __future__ import annotations

import asyncio
import math
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.clock import VirtualClock
from controller.history.embedded import EmbeddedHistory
from controller.history.log import FrameLog
from controller.history.store import HOUR_NS
from drivers.reading import Readings

T0 = 1_767_225_600_000_000_000
MINUTE = 60_000_000_000

READING = st.tuples(
    st.integers(0, 2),
    st.integers(0, 5 * 60),
    st.sampled_from([1.0, 2.5, -3.0, math.nan]),
    st.sampled_from([0, 64, 130]),
)
STEP = st.one_of(
    st.lists(READING, min_size=1, max_size=25), st.just("settle"), st.just("restart"), st.lists(READING, max_size=3)
)


def expected_buckets(
    rows: list[tuple[int, float, int]], start: int, width: int
) -> list[tuple[int, int, float, float, float, float, float]]:
    found: dict[int, list[tuple[int, float, int]]] = {}
    for row in rows:
        found.setdefault((row[0] - start) // width, []).append(row)
    answer = []
    for bucket, members in sorted(found.items()):
        used = [value for _, value, quality in members if math.isfinite(value) and quality < 128]
        good = sum(quality < 64 for _, _, quality in members) / len(members)
        numbers = (min(used), max(used), sum(used) / len(used), used[-1]) if used else (math.nan,) * 4
        answer.append((start + bucket * width, len(members), *numbers, good))
    return answer


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(STEP, min_size=1, max_size=8),
    st.integers(0, 290),
    st.integers(1, 300),
    st.sampled_from([7 * MINUTE, HOUR_NS, 2 * HOUR_NS]),
    st.booleans(),
)
def test_raw_before_and_aggregates_are_those_of_the_model(
    steps: list[list[tuple[int, int, float, int]] | str], first: int, minutes: int, width: int, on_the_hour: bool
) -> None:
    start = T0 + (first // 60 * 60 if on_the_hour else first) * MINUTE
    end = start + minutes * MINUTE
    model: dict[int, dict[int, tuple[float, int]]] = {0: {}, 1: {}, 2: {}}
    clock = VirtualClock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def opened() -> tuple[EmbeddedHistory, FrameLog]:
            history = EmbeddedHistory(folder / "history.db", folder / "log", clock)
            log = FrameLog(folder / "log", clock, committed=history.on_committed)
            history.start()
            log.start()
            return history, log

        history, log = opened()
        for step in steps:
            if step == "settle":
                assert history.settle()
            elif step == "restart":
                log.close()
                history.close()
                history, log = opened()
            elif step:
                rows = [row for row in step if not isinstance(row, str)]
                for number, minute, value, quality in rows:
                    model[number][T0 + minute * MINUTE] = (value, quality)
                log.append(
                    Readings(
                        np.array([row[0] for row in rows], np.int32),
                        np.array([row[2] for row in rows]),
                        np.array([T0 + row[1] * MINUTE for row in rows]),
                        np.array([row[3] for row in rows], np.uint8),
                    )
                )
                assert log.flush()
        assert history.wait_until_current()

        async def ask() -> None:
            series = await history.raw([0, 1, 2], start, end)
            buckets = await history.aggregate([0, 1, 2], start, end, width)
            for number in range(3):
                rows = [(time, *model[number][time]) for time in sorted(model[number])]
                inside = [row for row in rows if start <= row[0] < end]
                one = series[number]
                np.testing.assert_array_equal(one.time_ns, [row[0] for row in inside])
                np.testing.assert_array_equal(one.value, [row[1] for row in inside])
                np.testing.assert_array_equal(one.quality, [row[2] for row in inside])
                earlier = [row for row in rows if row[0] < start]
                assert (one.before is None) == (not earlier)
                if one.before is not None:
                    np.testing.assert_array_equal(one.before, earlier[-1])
                wanted = expected_buckets(inside, start, width)
                two = buckets[number]
                columns = (two.start_ns, two.count, two.minimum, two.maximum, two.mean, two.last, two.good_share)
                for index, column in enumerate(columns):
                    np.testing.assert_allclose(column, [row[index] for row in wanted], rtol=1e-12)

        asyncio.run(ask())
        log.close()
        history.close()
