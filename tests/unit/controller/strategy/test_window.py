"""The 15-minute clock window: worked out by hand, and what it does with gaps, jumps and ramps."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from controller.strategy.window import Track, advance, forecast

HOUR_NS = 3_600_000_000_000
WINDOW = 900.0


def run(
    kws: list[float], step_s: float = 5.0, *, start_s: float = 0.0, track: Track | None = None, now: float = 0.0
) -> Track:
    """Feed values `step_s` apart, the first at `start_s` seconds into a window."""
    for at, kw in enumerate(kws):
        seconds = start_s + at * step_s
        track = advance(track, HOUR_NS + round(seconds * 1e9), now + seconds, kw)
    assert track is not None
    return track


def test_half_a_window_at_400_kw_leaves_600_for_a_limit_of_500() -> None:
    track = run([400.0] * 91)  # 0 to 450 s
    seen = forecast(track, 500.0)

    assert (track.energy_kws, track.seen_s) == (180_000.0, 450.0)
    assert seen.elapsed_s == 450.0
    assert seen.power_kw == 400.0
    assert seen.mean_kw == pytest.approx(400.0)
    # (500 · 900 − 180,000) / 450
    assert seen.allowed_kw == pytest.approx(600.0)


def test_a_window_that_began_at_300_and_stands_at_900_is_forecast_from_both() -> None:
    track = run([300.0] * 61)  # to 300 s
    track = run([900.0] * 61, start_s=305.0, track=track)  # to 605 s
    seen = forecast(track, 500.0)
    # 300 s of 300, one 5 s step between, 300 s of 900.
    energy = 300.0 * 300.0 + 5.0 * 600.0 + 300.0 * 900.0
    assert track.energy_kws == pytest.approx(energy)
    assert 900.0 <= seen.power_kw <= 915.0, "of the step the slope remembers a little, capped"
    assert seen.mean_kw == pytest.approx((energy + seen.power_kw * 295.0) / WINDOW)
    assert seen.allowed_kw == pytest.approx((500.0 * WINDOW - energy) / 295.0)
    assert seen.allowed_kw < 500.0 < seen.mean_kw


def test_a_new_window_begins_at_the_clock_with_what_fell_into_it() -> None:
    track = run([600.0] * 181)  # 0 to 900 s: the last one is the first of the next window
    assert (track.window, track.energy_kws, track.seen_s) == (HOUR_NS // 900_000_000_000 + 1, 0.0, 0.0)
    track = advance(track, HOUR_NS + 904_000_000_000, 904.0, 600.0)
    assert [track.energy_kws, track.seen_s] == pytest.approx([2400.0, 4.0])

    early = run([600.0] * 180)  # to 895 s
    late = advance(early, HOUR_NS + 903_000_000_000, 903.0, 1000.0)
    # From 600 at 895 s to 1,000 at 903 s the edge at 900 s has 850; 3 s of (850 + 1,000) / 2.
    assert late.energy_kws == pytest.approx(3.0 * 925.0)


def test_a_start_in_the_middle_takes_the_unseen_part_to_be_like_the_rest() -> None:
    track = run([400.0] * 61, start_s=300.0)
    seen = forecast(track, 500.0)
    assert (seen.unseen_s, seen.elapsed_s) == (300.0, 600.0)
    assert seen.mean_kw == pytest.approx(400.0)
    assert seen.allowed_kw == pytest.approx((500.0 * 900.0 - 400.0 * 600.0) / 300.0)


def test_a_silence_is_not_bridged_with_what_was_before_it() -> None:
    track = run([400.0] * 21)  # to 100 s
    track = run([800.0] * 2, start_s=200.0, track=track)  # 100 s without a reading
    assert track.seen_s == pytest.approx(105.0)
    assert forecast(track, 500.0).unseen_s == pytest.approx(100.0)


def test_a_calendar_that_is_set_begins_its_window_anew() -> None:
    track = run([400.0] * 41)
    jumped = advance(track, HOUR_NS + 600_000_000_000, 205.0, 400.0)
    assert (jumped.energy_kws, jumped.seen_s) == (0.0, 0.0)
    assert forecast(jumped, 500.0).mean_kw == pytest.approx(400.0)
    # The monotonic clock alone tells how long something took.
    assert advance(jumped, HOUR_NS + 605_000_000_000, 210.0, 400.0).seen_s == pytest.approx(5.0)


def test_a_leap_of_one_reading_moves_the_forecast_little_and_a_ramp_is_seen_ahead() -> None:
    steady = run([500.0] * 60)
    leap = advance(steady, HOUR_NS + 300_000_000_000, 300.0, 5000.0)
    assert forecast(leap, 500.0).power_kw == pytest.approx(500.0, abs=1.0)

    ramp = run([400.0 + at for at in range(60)])  # 0.2 kW a second, now 459
    seen = forecast(ramp, 1000.0)
    assert seen.power_kw > 459.0 + 5.0
    assert seen.power_kw <= 459.0 + 0.03 * 1000.0, "what a ramp adds is capped"


def test_power_and_allowance_never_leave_the_numbers() -> None:
    track = None
    values = [0.0, 0.0, 1e5, 0.0, 3.0] * 60
    for at, kw in enumerate(values):
        track = advance(track, HOUR_NS + at * 7_000_000_000, at * 7.0, kw)
        seen = forecast(track, 100.0, -500.0)
        assert seen.power_kw >= 0.0
        assert math.isfinite(seen.mean_kw)
        assert math.isfinite(seen.allowed_kw)
    assert track is not None
    assert all(a[0] < b[0] for a, b in pairwise(track.samples))
