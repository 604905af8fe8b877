from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from controller.clock import VirtualClock
from controller.point.model import Name, Point, Site
from controller.point.table import CounterReset, PointTable
from drivers.reading import Quality, Readings

T0 = 1_767_225_600_000_000_000
SECOND = 1_000_000_000


def point(number: int, **changes: Any) -> Point:
    values: dict[str, Any] = {
        "number": number,
        "address": f"hall.sys.eq.p{number}",
        "kind": "analog",
        "unit": "kW",
        "name": Name("點", "Point"),
        "equipment": "hall.sys.eq",
    }
    return Point(**{**values, **changes})


def site(*points: Point) -> Site:
    return Site("hall", Name("府", "Hall"), "Asia/Taipei", 1, {}, {}, {}, {one.address: one for one in points})


def table(*points: Point) -> tuple[PointTable, VirtualClock]:
    clock = VirtualClock(T0)
    return PointTable(site(*points), clock), clock


def test_before_anything_is_read() -> None:
    held, _ = table(point(2), point(5))
    assert held.size == 6
    assert held.quality.tolist() == [Quality.BAD_COMM] * 6
    assert np.isnan(held.value).all()
    assert np.isnan(held.good_value).all()
    assert held.time_ns.tolist() == [0] * 6
    assert np.isneginf(held.received).all()


def test_a_batch_is_held_and_told() -> None:
    held, clock = table(point(2), point(5))
    clock.move(7.5)
    assert held.apply(Readings.of([5, 2], [50.0, 20.0], T0 + 1)).tolist() == [5, 2]
    assert held.value[[2, 5]].tolist() == [20.0, 50.0]
    assert held.quality[[2, 5]].tolist() == [0, 0]
    assert held.time_ns[[2, 5]].tolist() == [T0 + 1] * 2
    assert held.received[[2, 5]].tolist() == [7.5, 7.5]
    assert held.good_value[[2, 5]].tolist() == [20.0, 50.0]
    assert held.good_time_ns[[2, 5]].tolist() == [T0 + 1] * 2
    assert held.apply(Readings.of([5, 2], [50.0, 21.0], T0 + 2)).tolist() == [2]
    assert held.counts.applied == 4


def test_an_empty_batch() -> None:
    held, _ = table(point(2))
    assert held.apply(Readings.of([], [], T0)).tolist() == []
    assert len(held.screened) == 0


def test_a_late_batch_is_refused() -> None:
    held, _ = table(point(2))
    with pytest.raises(ValueError, match="late readings go to history"):
        held.apply(Readings.of([2], [1.0], T0, late=True))
    assert math.isnan(held.value[2])


def test_unknown_numbers_are_counted() -> None:
    held, _ = table(point(2))
    changed = held.apply(Readings.of([-1, 0, 2, 1, 3, 2**31 - 1], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], T0))
    assert changed.tolist() == [2]
    assert held.counts.unknown == 5
    assert held.screened.point.tolist() == [2]
    assert held.apply(Readings.of([7], [1.0], T0)).tolist() == []
    assert PointTable(site(), VirtualClock()).apply(Readings.of([0, 1], [1.0, 1.0], T0)).tolist() == []


def test_a_negative_number_in_the_site_is_refused() -> None:
    with pytest.raises(ValueError, match=r"hall\.sys\.eq\.p-3: point number -3"):
        table(point(1), point(-3))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e301])
@pytest.mark.parametrize("quality", [Quality.GOOD, Quality.GOOD_OVERRIDDEN, Quality.UNCERTAIN_SUBSTITUTE])
def test_what_is_no_number_is_a_bad_sensor(value: float, quality: Quality) -> None:
    held, _ = table(point(2), point(3))
    held.apply(Readings.of([2, 3], [7.0, 8.0], T0))
    assert held.apply(Readings.of([2, 3], [value, 8.0], T0 + 1, [quality, 0])).tolist() == [2]
    assert held.quality[[2, 3]].tolist() == [Quality.BAD_SENSOR, Quality.GOOD]
    assert math.isnan(held.value[2])
    assert (held.good_value[2], held.good_time_ns[2]) == (7.0, T0)
    assert held.good_time_ns[3] == T0 + 1
    assert held.counts.non_finite == 1


def test_the_plausible_range() -> None:
    held, _ = table(point(2, low=-5.0, high=45.0))
    for value, quality in ((-5.0, 0), (45.0, 0), (45.1, 65), (-5.1, 65)):
        held.apply(Readings.of([2], [value], T0))
        assert (held.value[2], held.quality[2]) == (value, quality)
    assert held.good_value[2] == 45.0
    assert held.counts.out_of_range == 2
    held.apply(Readings.of([2], [99.0], T0, Quality.UNCERTAIN_SUBSTITUTE))
    assert held.quality[2] == Quality.UNCERTAIN_SUBSTITUTE
    held.apply(Readings.of([2], [99.0], T0, Quality.GOOD_OVERRIDDEN))
    assert held.quality[2] == Quality.UNCERTAIN_RANGE


def test_a_bad_reading_has_no_value_whatever_it_carries() -> None:
    held, _ = table(point(2))
    held.apply(Readings.of([2], [7.0], T0))
    assert held.apply(Readings.of([2], [5.0], T0 + 1, Quality.BAD_DEVICE)).tolist() == [2]
    assert math.isnan(held.value[2])
    assert held.quality[2] == Quality.BAD_DEVICE
    assert held.apply(Readings.of([2], [math.nan], T0 + 2, Quality.BAD_DEVICE)).tolist() == []
    assert held.apply(Readings.of([2], [math.nan], T0 + 3, Quality.BAD_CONFIG)).tolist() == [2]
    assert held.apply(Readings.of([2], [7.0], T0 + 4)).tolist() == [2]


def test_older_readings_are_not_applied() -> None:
    held, clock = table(point(2), point(3))
    clock.move(60.0)
    held.apply(Readings.of([2, 3], [1.0, 1.0], T0 + 10 * SECOND))
    batch = Readings(
        np.array([2, 3], np.int32),
        np.array([5.0, 6.0]),
        np.array([T0 + 9 * SECOND, T0 + 11 * SECOND]),
        np.zeros(2, np.uint8),
    )
    assert held.apply(batch).tolist() == [3]
    assert held.value[[2, 3]].tolist() == [1.0, 6.0]
    assert held.counts.out_of_order == 1
    assert held.screened.point.tolist() == [3]
    assert held.apply(Readings.of([2], [5.0], T0)).tolist() == []
    assert held.apply(Readings.of([2], [5.0], T0 + 10 * SECOND)).tolist() == [2]  # as old as the one held


def test_a_clock_set_back_does_not_freeze_values() -> None:
    held, clock = table(point(2))
    held.apply(Readings.of([2], [1.0], clock.now_ns()))
    clock.move(1.0)
    clock.jump(-3600.0)
    held.apply(Readings.of([2], [2.0], clock.now_ns()))
    assert held.value[2] == 2.0
    assert held.counts.out_of_order == 0


def test_of_several_readings_of_a_point_the_newest_counts() -> None:
    held, clock = table(point(2), point(3), point(4))
    clock.move(60.0)
    batch = Readings(
        np.array([3, 2, 3, 2, 4, 2], np.int32),
        np.array([30.0, 1.0, 31.0, 3.0, 4.0, 2.0]),
        T0 + np.array([1, 1, 1, 3, 1, 2]) * SECOND,
        np.zeros(6, np.uint8),
    )
    assert sorted(held.apply(batch).tolist()) == [2, 3, 4]
    assert held.value[[2, 3, 4]].tolist() == [3.0, 31.0, 4.0]
    assert held.time_ns[2] == T0 + 3 * SECOND
    assert (held.counts.duplicates, held.counts.out_of_order) == (2, 1)
    assert held.screened.value.tolist() == [30.0, 1.0, 31.0, 3.0, 4.0]  # alarms look at every one in order


def test_a_time_in_the_future_makes_no_later_reading_old() -> None:
    held, _ = table(point(2))
    batch = Readings(
        np.array([2, 2], np.int32), np.array([1.0, 2.0]), np.array([T0 + 3600 * SECOND, T0]), np.zeros(2, np.uint8)
    )
    held.apply(batch)
    assert (held.value[2], held.time_ns[2]) == (2.0, T0)


def test_the_last_good_value_is_not_lost_in_a_batch() -> None:
    held, _ = table(point(2))
    held.apply(Readings.of([2, 2, 2], [1.0, 2.0, math.nan], T0, [0, 0, 130]))
    assert held.good_value[2] == 2.0
    assert held.quality[2] == Quality.BAD_SENSOR


def test_an_unordered_batch_without_repeats_has_no_duplicates() -> None:
    held, _ = table(*(point(n) for n in range(10)))
    numbers = [7, 3, 9, 0, 1, 8, 2]
    assert held.apply(Readings.of(numbers, [float(n) for n in numbers], T0)).tolist() == numbers
    assert held.counts.duplicates == 0
    assert held.value[numbers].tolist() == [float(n) for n in numbers]


def test_change_is_measured_from_what_was_told_last() -> None:
    held, _ = table(point(2, deadband=1.0))
    told = [
        len(held.apply(Readings.of([2], [value], T0))) for value in (10.0, 10.4, 10.8, 11.0, 11.2, 11.6, 10.2, 10.1)
    ]
    assert told == [1, 0, 0, 0, 1, 0, 0, 1]
    assert held.value[2] == 10.1


def test_a_change_of_quality_is_told_within_the_deadband() -> None:
    held, _ = table(point(2, deadband=100.0, high=50.0), point(3))
    held.apply(Readings.of([2, 3], [49.0, 1.0], T0))
    assert held.apply(Readings.of([2, 3], [51.0, 1.0], T0)).tolist() == [2]
    assert held.apply(Readings.of([2, 3], [49.0, 1.0], T0)).tolist() == [2]
    assert held.apply(Readings.of([2, 3], [49.0, 1.0], T0, [1, 0])).tolist() == [2]


def test_counters_wrap_and_are_reset() -> None:
    held, _ = table(
        point(1, kind="counter", unit="kWh", wrap_at=1000.0),
        point(2, kind="counter"),
        point(3),
        point(4, kind="counter"),
    )
    held.apply(Readings.of([1, 2, 3, 4], [990.0, 990.0, 990.0, 5.0], T0))
    held.apply(Readings.of([1, 2, 3, 4], [8.0, 8.0, 8.0, 5.0], T0))
    assert (held.counts.counter_wraps, held.counts.counter_resets) == (1, 1)
    assert held.drain_resets() == [CounterReset(2, 990.0, 8.0)]
    assert held.drain_resets() == []
    held.apply(Readings.of([1], [500.0], T0))
    held.apply(Readings.of([1], [3.0], T0))
    assert held.drain_resets() == [(1, 500.0, 3.0)]
    held.apply(Readings.of([4], [math.nan], T0, Quality.BAD_COMM))
    held.apply(Readings.of([4], [4.0], T0))
    assert held.drain_resets() == [(4, 5.0, 4.0)]  # the gap does not hide it
    held.apply(Readings.of([4], [1.0], T0, Quality.UNCERTAIN_SUBSTITUTE))
    assert held.drain_resets() == []


def test_undrained_resets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    held, _ = table(point(1, kind="counter"))
    for value in range(1_005, -1, -1):
        held.apply(Readings.of([1], [float(value)], T0))
    assert held.counts.counter_resets == 1_005
    assert held.counts.resets_dropped == 5
    resets = held.drain_resets()
    assert len(resets) == 1_000
    assert resets[-1] == (1, 1.0, 0.0)


def test_a_silent_point_becomes_stale_and_keeps_its_value() -> None:
    held, clock = table(
        point(1, stale_s=10.0), point(2, stale_s=60.0), point(3, stale_s=10.0), point(4, stale_s=10.0, high=5.0)
    )
    held.apply(Readings.of([1, 2, 4], [7.0, 8.0, 9.0], T0))
    held.apply(Readings.of([3], [1.0], T0, Quality.BAD_DEVICE))
    clock.move(10.0)
    clock.jump(86_400.0)
    assert held.expire().tolist() == []
    clock.move(0.1)
    assert held.expire().tolist() == [1, 4]
    assert held.expire().tolist() == []
    assert held.value[[1, 4]].tolist() == [7.0, 9.0]
    assert held.quality[[1, 2, 3, 4]].tolist() == [64, 0, 129, 64]
    assert held.good_value[1] == 7.0
    assert held.apply(Readings.of([1], [7.0], clock.now_ns())).tolist() == [1]  # fresh again: the quality is told
    assert held.quality[1] == Quality.GOOD


def test_a_new_configuration_keeps_what_did_not_change() -> None:
    held, clock = table(point(1), point(2), point(3), point(4, stale_s=10.0), point(6, kind="counter"))
    held.apply(Readings.of([1, 2, 3, 4, 6], [1.0, 2.0, 3.0, 4.0, 9.0], T0))
    held.apply(Readings.of([6], [1.0], T0))
    held.apply(Readings.of([77], [1.0], T0))
    new = held.migrate(
        site(point(1, name=Name("新", "New"), high=0.5), point(2, unit="W"), point(4, stale_s=10.0), point(9))
    )
    assert new.size == 10
    assert new.value[[1, 4]].tolist() == [1.0, 4.0]
    assert new.quality[[1, 2, 4, 9]].tolist() == [0, Quality.BAD_COMM, 0, Quality.BAD_COMM]
    assert new.counts.unknown == 1
    assert new.drain_resets() == [(6, 9.0, 1.0)]
    assert new.apply(Readings.of([4, 3], [4.0, 3.0], T0)).tolist() == []  # nothing new of 4, 3 is gone
    clock.move(11.0)
    assert new.expire().tolist() == [4]
    assert held.quality[4] == Quality.GOOD  # the old table is as it was


def test_the_batch_given_is_never_changed() -> None:
    held, _ = table(point(1, high=5.0), point(2))
    batch = Readings.of([2, 1, 1], [math.nan, 9.0, 1.0], T0, [0, 0, 128])
    copy = [column.copy() for column in (batch.point, batch.value, batch.time_ns, batch.quality)]
    held.apply(batch)
    for before, after in zip(copy, (batch.point, batch.value, batch.time_ns, batch.quality), strict=True):
        np.testing.assert_array_equal(before, after)


def test_out_of_service_is_a_mask_over_whatever_arrives() -> None:
    held, clock = table(point(0, deadband=0.5), point(1))
    held.apply(Readings.of([0, 1], [20.0, 7.0], T0))
    assert held.take_out(np.array([0], np.int32)).tolist() == [0]
    assert (held.quality[0], held.value[0], held.quality[1]) == (Quality.BAD_OUT_OF_SERVICE, 20.0, 0)

    assert held.apply(Readings.of([0, 1], [20.2, 7.1], T0 + 1)).tolist() == [1]  # inside the deadband, as in service
    assert held.apply(Readings.of([0], [25.0], T0 + 2)).tolist() == [0]
    assert (held.quality[0], held.value[0], held.good_value[0]) == (Quality.BAD_OUT_OF_SERVICE, 25.0, 20.0)
    assert held.screened.quality.tolist() == [Quality.BAD_OUT_OF_SERVICE]
    assert held.apply(Readings.of([0], [math.nan], T0 + 3, Quality.BAD_COMM)).tolist() == [0]
    assert held.quality[0] == Quality.BAD_OUT_OF_SERVICE
    assert held.apply(Readings.of([0], [26.0], T0 + 4)).tolist() == [0]  # a value again, of the same quality

    clock.move(1_000)
    assert 0 not in held.expire().tolist()  # it is not stale, it is out of service
    assert held.migrate(held.site).out_of_service.tolist() == [0]

    assert held.take_out(np.array([], np.int32)).tolist() == [0]
    assert (held.quality[0], held.value[0]) == (0, 26.0)
    assert held.expire().tolist() == [0]  # nothing has come for long: old, and no more than that
    assert held.apply(Readings.of([0], [26.0], T0 + 5)).tolist() == [0]
    assert (held.quality[0], held.good_value[0]) == (0, 26.0)


def test_a_point_that_was_never_read_comes_back_as_never_read() -> None:
    held, _ = table(point(0))
    held.take_out(np.array([0], np.int32))
    held.take_out(np.array([], np.int32))
    assert held.quality[0] == Quality.BAD_COMM
    assert math.isnan(held.value[0])
