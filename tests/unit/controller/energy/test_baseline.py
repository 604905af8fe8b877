"""The cooling baseline: it finds what was put in, is judged on days it has not seen, and is refused with too few."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from controller.energy.baseline import Baseline, Refusal, Sample, expected, fit

FIRST = date(2025, 1, 1)


def year(noise: float = 0.0, days: int = 365, slope: float = 900.0) -> list[Sample]:
    """Return days of a year: 24,000 kWh below 19 °C on working days, 14,000 else, a slope of 900 and 300 above."""
    random = np.random.default_rng(7)
    made = []
    for at in range(days):
        day = FIRST + timedelta(days=at)
        warm = 22.0 - 8.0 * np.cos(2 * np.pi * (at - 20) / 365) + random.normal(0, 2)
        working = day.weekday() < 5
        above = max(0.0, warm - 19.0)
        kwh = 24_000 + slope * above if working else 14_000 + slope / 3 * above
        made.append(Sample(day, kwh + random.normal(0, noise) if noise else kwh, warm, working))
    return made


def test_it_finds_what_was_put_in() -> None:
    model = fit(year())
    assert isinstance(model, Baseline)
    assert model.change_point == 19.0
    assert model.base_kwh == pytest.approx((24_000, 14_000))
    assert model.slope_kwh_per_k == pytest.approx((900, 300))
    assert (model.fitted, model.held_out) == (292, 73)
    assert model.cvrmse == pytest.approx(0.0, abs=1e-9)
    assert model.good
    assert model.predict(29.0, working=True) == pytest.approx(33_000)
    assert model.predict(10.0, working=False) == pytest.approx(14_000)


def test_quality_is_that_of_the_days_held_out() -> None:
    samples = year()
    held = {sample.day for at, sample in enumerate(samples) if at % 5 == 4}
    other = [replace(day, kwh=1.1 * day.kwh) if day.day in held else day for day in samples]
    plain, model = fit(samples), fit(other)
    assert isinstance(plain, Baseline)
    assert isinstance(model, Baseline)
    # The fit has not seen them.
    assert model.base_kwh == pytest.approx(plain.base_kwh)
    assert model.slope_kwh_per_k == pytest.approx(plain.slope_kwh_per_k)
    # 10 % more than the model: the bias is 0.1 of 1.1, and each day is off by as much of itself.
    assert model.nmbe == pytest.approx(0.1 / 1.1)
    squares = [day.kwh**2 for day in samples if day.day in held]
    mean = 1.1 * sum(day.kwh for day in samples if day.day in held) / len(held)
    assert model.cvrmse == pytest.approx(0.1 * (sum(squares) / len(held)) ** 0.5 / mean)
    assert not model.good


def test_noise_is_found_again_as_cvrmse() -> None:
    model = fit(year(noise=1_500.0))
    assert isinstance(model, Baseline)
    mean = np.mean([day.kwh for at, day in enumerate(year()) if at % 5 == 4])
    assert model.cvrmse == pytest.approx(1_500 / mean, rel=0.25)
    assert abs(model.nmbe) < 0.03
    assert abs(model.change_point - 19.0) <= 2.0


def test_too_few_days_are_refused_with_how_many_there_are() -> None:
    assert fit(year(days=269)) == Refusal("few_days", 269, 270)
    assert fit([]) == Refusal("few_days", 0, 270)
    assert isinstance(fit(year(days=270)), Baseline)


def test_a_building_that_does_not_cool_has_no_model() -> None:
    assert fit(year(noise=2_000.0, slope=0.0)) == Refusal("no_cooling", 365, 270)
    assert fit(year(slope=-500.0)) == Refusal("no_cooling", 365, 270)


def test_expected_beside_measured_and_weather_beyond_the_model() -> None:
    model = fit(year())
    assert isinstance(model, Baseline)
    days = [Sample(date(2026, 1, 5), 20_000.0, 15.0, True), Sample(date(2026, 7, 6), 40_000.0, 45.0, True)]
    found = expected(model, days)
    assert found.measured_kwh == 60_000
    assert found.expected_kwh == pytest.approx(24_000 + 24_000 + 900 * 26)
    assert found.saved_kwh == pytest.approx(found.expected_kwh - 60_000)
    assert (found.days, found.beyond) == (2, 1)
