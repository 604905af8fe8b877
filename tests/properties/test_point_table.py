"""A batch leaves the table as its readings would, applied one after the other."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.clock import VirtualClock
from controller.point.model import Name, Point, Site
from controller.point.table import PointTable
from drivers.reading import Quality, Readings

POINTS = tuple(
    Point(
        n,
        f"a.b.c.p{n}",
        "counter" if n == 3 else "analog",
        "kW",
        Name("", ""),
        "a.b.c",
        low=-10.0,
        high=50.0 if n % 2 else math.inf,
        deadband=float(n),
        stale_s=5.0,
    )
    for n in range(1, 6)
)
SITE = Site("a", Name("", ""), "Asia/Taipei", 1, {}, {}, {}, {point.address: point for point in POINTS})
VALUE = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 2.0, 49.0, 51.0, -11.0]))
READING = st.tuples(
    st.integers(-1, 7), VALUE, st.integers(0, 4), st.sampled_from([0, 0, 0, *(int(q) for q in Quality)])
)


def batch(readings: list[tuple[int, float, int, int]], now: int) -> Readings:
    columns = list(zip(*readings, strict=True)) or [(), (), (), ()]
    return Readings(
        np.array(columns[0], np.int32),
        np.array(columns[1], np.float64),
        np.array([now - 4 + age for age in columns[2]], np.int64),
        np.array(columns[3], np.uint8),
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(READING, max_size=12), max_size=6))
def test_a_batch_is_the_sum_of_its_readings(batches: list[list[tuple[int, float, int, int]]]) -> None:
    clock = VirtualClock()
    whole, single = PointTable(SITE, clock), PointTable(SITE, clock)
    shown_value, shown_quality = whole.value.copy(), whole.quality.copy()
    for readings in batches:
        clock.move(2.0)
        told = whole.apply(batch(readings, clock.now_ns()))
        for reading in readings:
            single.apply(batch([reading], clock.now_ns()))
        stale = whole.expire()
        single.expire()
        for name in ("value", "quality", "time_ns", "received", "good_value", "good_time_ns"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(single, name), err_msg=name)

        # Whoever follows what is told never sees a wrong quality, nor a value further off than the deadband.
        numbers = np.concatenate([told, stale])
        shown_value[numbers], shown_quality[numbers] = whole.value[numbers], whole.quality[numbers]
        np.testing.assert_array_equal(shown_quality, whole.quality)
        for point in POINTS:
            off = abs(shown_value[point.number] - whole.value[point.number])
            assert math.isnan(off) or off <= point.deadband

        # Nothing that is no number is ever shown as good, nothing bad has a value.
        good = whole.quality < 64
        assert np.isfinite(whole.value[good]).all()
        assert np.isnan(whole.value[whole.quality >= 128]).all()
        assert (np.diff(np.stack([whole.good_time_ns, whole.time_ns]), axis=0) >= 0).all()
    counts = whole.counts
    total = sum(len(readings) for readings in batches)
    assert counts.applied + counts.unknown + counts.out_of_order + counts.duplicates == total
