"""Properties of poll slots, back-off and the circuit breaker."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from drivers.supervision import SLOT_S, Backoff, Breaker, loss_limit_s, next_slot

periods = st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0]) | st.floats(0.1, 3600)


@given(st.floats(0, 1e7), periods)
def test_the_next_slot_is_after_now_on_the_grid_and_not_far(now: float, period: float) -> None:
    slot = next_slot(now, period)
    assert slot > now
    assert slot - now <= period + SLOT_S + 1e-5
    assert abs(slot / SLOT_S - round(slot / SLOT_S)) < 1e-3


@given(st.integers(0, 10**8), st.integers(0, 10**4), st.sampled_from([1.0, 2.0, 5.0, 10.0]))
def test_devices_of_one_period_meet_whenever_they_began(begin: int, later: int, period: float) -> None:
    late = (begin + later) / 100
    for start in (begin / 100, late):
        slot = next_slot(start, period)
        while slot <= late:
            slot = next_slot(slot, period)
        assert abs(slot - next_slot(late, period)) < 1e-5


@given(st.integers(0, 2**32), st.lists(st.floats(0, 120), min_size=1, max_size=60))
def test_back_off_stays_within_its_ceiling(seed: int, waits: list[float]) -> None:
    backoff, now, begin = Backoff(random.Random(seed)), 0.0, 0.0
    for attempt, wait in enumerate(waits):
        delay = backoff.failed(now)
        assert 0 <= delay <= min(2.0**attempt, 60.0)
        if now - begin < 600:
            assert delay <= 15.0
        now += wait
    backoff.reset()
    assert backoff.failed(now) <= 1.0


@given(st.integers(1, 200), st.booleans())
def test_a_dead_device_takes_less_than_a_tenth_of_the_time_of_its_mates(failures: int, mates: bool) -> None:
    breaker, spent, waited = Breaker(), 0.0, 0.0
    for count in range(3 + failures):
        spent += 0.3 if breaker.short else 1.0
        interval = breaker.failed(mates_answer=mates)
        if count >= 2:
            assert (10.0 <= interval <= 60.0) if mates else interval == 5.0
            waited += interval
    if mates:
        assert spent - 3.0 <= 0.1 * waited
    breaker.succeeded()
    assert not breaker.open
    assert breaker.failed(mates_answer=mates) == 0.0


@given(st.floats(0.1, 3600))
def test_loss_is_known_after_three_periods_or_ten_seconds(period: float) -> None:
    assert loss_limit_s(period) == max(10.0, 3 * period)
