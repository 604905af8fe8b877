"""Quarter hours from counters: gaps, resets and roll-overs are marked, and nothing is invented in them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from controller.clock import VirtualClock
from controller.energy.load import QUARTER_NS, Counter, load_of, steps
from controller.energy.meter import Metering, Meters, local_day, midnight_ns
from tests.unit.controller.energy.stock import TAIPEI, MemoryHistory, month_ns

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = month_ns(date(2026, 3, 1))[0]


def history_of(minutes: float, value: list[float] | np.ndarray[Any, Any], number: int = 1) -> MemoryHistory:
    history = MemoryHistory()
    history.readings[number] = (
        START + np.arange(len(value), dtype=np.int64) * round(minutes * MINUTE),
        np.asarray(value, float),
    )
    return history


def metering(history: MemoryHistory, now_ns: int = START + 40 * DAY) -> Metering:
    return Metering(history, VirtualClock(now_ns))


ONE = Meters((Counter(1, 1_000_000.0),))


@pytest.mark.parametrize("minutes", [5.0, 1 / 6, 1.0])
async def test_a_steady_load_has_the_same_energy_in_each_window(minutes: float) -> None:
    count = int(2 * 24 * 60 / minutes)
    history = history_of(minutes, 1_000 + np.arange(count) * 1_200 * minutes / 60)
    load = await metering(history).load(ONE, START, START + DAY)
    assert len(load) == 96
    assert load.start_ns[0] == START
    assert load.kwh == pytest.approx(np.full(96, 300.0))
    assert (load.missing, load.resets, load.unplaced_kwh) == (0, 0, 0.0)
    assert load.total_kwh == pytest.approx(28_800)


async def test_a_gap_is_marked_and_its_energy_belongs_to_no_window() -> None:
    value = 1_000 + np.arange(24 * 12) * 100.0
    value[40:52] = np.nan  # from 03:20 to 04:20 nothing was read
    history = history_of(5, value)
    load = await metering(history).load(ONE, START, START + 20 * HOUR)
    missing = np.flatnonzero(np.isnan(load.kwh)).tolist()
    assert missing == [13, 14, 15, 16, 17]  # 03:15 to 04:30: no edge between has a reading near
    assert load.unplaced_kwh == pytest.approx(5 * 300)
    assert load.total_kwh == pytest.approx(20 * 1_200)


async def test_two_missing_samples_are_no_gap_where_the_edge_lies_between_near_readings() -> None:
    value = 1_000 + np.arange(24 * 12) * 100.0
    value[39] = np.nan  # the very edge
    load = await metering(history_of(5, value)).load(ONE, START, START + 20 * HOUR)
    assert load.missing == 0
    assert load.kwh == pytest.approx(np.full(80, 300.0))


async def test_a_counter_that_stood_still_counted_nothing() -> None:
    history = MemoryHistory()
    history.readings[1] = (START + np.array([0, 10 * HOUR], np.int64), np.array([500.0, 500.0]))
    load = await metering(history).load(ONE, START, START + 10 * HOUR)
    assert load.missing == 0
    assert load.total_kwh == 0.0


async def test_a_roll_over_counts_on_and_a_reset_is_unknown() -> None:
    over = np.concatenate([999_100 + np.arange(9) * 100.0, np.arange(15) * 100.0])
    load = await metering(history_of(5, over)).load(ONE, START, START + 105 * MINUTE)
    assert load.missing == 0
    assert load.total_kwh == pytest.approx(2_100)
    reset = np.concatenate([500_000 + np.arange(9) * 100.0, np.arange(15) * 100.0])
    load = await metering(history_of(5, reset)).load(ONE, START, START + 105 * MINUTE)
    assert np.flatnonzero(np.isnan(load.kwh)).tolist() == [2]
    assert load.resets == 1
    assert load.unplaced_kwh == 0.0  # what was counted before the reset is lost
    assert load.total_kwh == pytest.approx(6 * 300)


async def test_a_reset_between_two_readings_of_one_minute_is_found() -> None:
    value = np.concatenate([500_000 + np.arange(1_925) * 1.0, np.arange(3_000) * 1.0])  # a reading a second
    history = history_of(1 / 60, value)
    load = await metering(history).load(ONE, START, START + HOUR)
    assert np.flatnonzero(np.isnan(load.kwh)).tolist() == [2]
    assert load.resets == 1


async def test_meters_are_added_and_one_that_is_silent_leaves_its_windows_unknown() -> None:
    value = 100 + np.arange(24 * 12) * 10.0
    history = history_of(5, value)
    silent = value.copy()
    silent[40:52] = np.nan
    history.readings[2] = (history.readings[1][0], silent)
    load = await metering(history).load(Meters((Counter(1), Counter(2))), START, START + 20 * HOUR)
    assert load.kwh[0] == pytest.approx(60.0)
    assert load.missing == 5
    assert load.total_kwh == pytest.approx(2 * 20 * 120)


async def test_only_windows_that_are_over_are_there() -> None:
    history = history_of(5, 1_000 + np.arange(24 * 12) * 100.0)
    load = await metering(history, START + 3 * HOUR + 14 * MINUTE).load(ONE, START, START + DAY)
    assert len(load) == 12
    assert len(await metering(history, START - HOUR).load(ONE, START, START + DAY)) == 0
    assert len(await metering(history).load(Meters(()), START, START + DAY)) == 0


async def test_reactive_energy_is_that_of_the_counter_or_else_of_the_mean_power() -> None:
    history = history_of(5, 1_000 + np.arange(24 * 12) * 100.0)
    history.readings[2] = (history.readings[1][0], 50 + np.arange(24 * 12) * 25.0)
    history.readings[3] = (history.readings[1][0], np.full(24 * 12, 400.0))
    counted = await metering(history).load(Meters((Counter(1),), reactive=(Counter(2),)), START, START + 2 * HOUR)
    assert counted.kvarh == pytest.approx(np.full(8, 75.0))
    power = await metering(history).load(Meters((Counter(1),), reactive_power=(3,)), START, START + 2 * HOUR)
    assert power.kvarh == pytest.approx(np.full(8, 100.0))
    assert np.isnan((await metering(history).load(ONE, START, START + HOUR)).kvarh).all()


async def test_days_that_are_over_are_asked_once_an_hour() -> None:
    history = history_of(5, 1_000 + np.arange(31 * 24 * 12) * 100.0)
    clock = VirtualClock(START + 30 * DAY + 3 * HOUR)
    meters = Metering(history, clock)
    first = await meters.load(ONE, START, START + 31 * DAY)
    asked = history.asked
    again = await meters.load(ONE, START, START + 31 * DAY)
    assert history.asked - asked == 1  # today alone
    assert asked == 31
    assert (first.kwh == again.kwh).all()
    clock.move(3_700)
    await meters.load(ONE, START, START + 31 * DAY)
    assert history.asked - asked > 30


async def test_days_have_energy_and_the_mean_of_their_temperature() -> None:
    count = 4 * 24 * 12
    history = history_of(5, 1_000 + np.arange(count) * 100.0)
    warm = np.repeat([20.0, 25.0, 30.0, 22.0], 24 * 12)
    warm[2 * 288 : 2 * 288 + 70] = np.nan  # more than four hours
    history.readings[9] = (history.readings[1][0], warm)
    days = await metering(history).days(ONE, 9, date(2026, 3, 1), 3, TAIPEI)
    assert [day.day for day in days] == [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)]
    assert [day.kwh for day in days] == pytest.approx([28_800.0] * 3)
    assert [day.temperature for day in days[:2]] == [20.0, 25.0]
    assert np.isnan(days[2].temperature)


def test_steps_of_a_counter() -> None:
    step, back = steps(np.array([1.0, 4.0, np.nan, 9.0, 2.0]))
    assert step[0] == 3.0
    assert np.isnan(step[1:]).all()
    assert back.tolist() == [False, False, False, True]


def test_a_load_without_counters_is_unknown() -> None:
    edges = START + np.arange(5, dtype=np.int64) * QUARTER_NS
    load = load_of(edges, [], np.full(4, np.nan))
    assert (len(load), load.missing, load.total_kwh) == (4, 4, None)


def test_days_are_those_of_the_site() -> None:
    assert midnight_ns(date(2026, 3, 1), TAIPEI) == START
    assert local_day(START, TAIPEI) == date(2026, 3, 1)
    assert local_day(START - 1_000, TAIPEI) == date(2026, 2, 28)


async def test_a_total_of_hours_is_that_of_the_quarter_hours() -> None:
    value = 1_000 + np.arange(24 * 12 + 1) * 100.0
    history = history_of(5, value)
    for end in (START + DAY, START + 7 * HOUR, START + 7 * HOUR + 45 * MINUTE):
        total = await metering(history).total(ONE, START, end)
        load = await metering(history).load(ONE, START, end)
        assert total.kwh == pytest.approx(load.total_kwh)
        assert total.whole
        assert load.whole


async def test_a_total_says_when_it_is_of_a_part() -> None:
    value = 1_000 + np.arange(24 * 12 + 1) * 100.0
    inside = value.copy()
    inside[100:150] = np.nan  # the counter went on: the total is known
    found = await metering(history_of(5, inside)).total(ONE, START, START + DAY)
    assert [found.kwh, found.whole] == [pytest.approx(28_800), True]
    late = value.copy()
    late[:30] = np.nan
    found = await metering(history_of(5, late)).total(ONE, START, START + DAY)
    assert [found.kwh, found.whole] == [pytest.approx(28_800 - 2.5 * 1_200), False]  # read from 02:30 on
    assert not (await metering(history_of(5, late)).load(ONE, START, START + DAY)).whole
    reset = np.concatenate([500_000 + value[:100], value[100:] - value[100]])
    found = await metering(history_of(5, reset)).total(ONE, START, START + DAY)
    assert not found.whole
    nothing = await metering(MemoryHistory()).total(ONE, START, START + DAY)
    assert (nothing.kwh, nothing.whole) == (None, False)
    both = Meters((Counter(1), Counter(2)))
    found = await metering(history_of(5, value)).total(both, START, START + DAY)
    assert [found.kwh, found.whole] == [pytest.approx(28_800), False]
