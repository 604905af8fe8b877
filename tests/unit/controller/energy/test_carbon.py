"""Carbon by year with its factor, and what counters counted."""

from __future__ import annotations

import numpy as np
import pytest

from controller.energy.carbon import Factor, emission, factor_of
from controller.energy.counter import Counted, counted

FACTORS = (Factor(2023, 0.494, "a"), Factor(2024, 0.474, "b"))


@pytest.mark.parametrize(
    ("year", "factor", "provisional"),
    [(2023, 0.494, False), (2024, 0.474, False), (2026, 0.474, True), (2020, 0.494, True)],
)
def test_a_year_without_a_factor_takes_the_latest_and_says_so(year: int, factor: float, provisional: bool) -> None:
    used = factor_of(FACTORS, year)
    assert used is not None
    assert (used.factor.kg_per_kwh, used.provisional) == (factor, provisional)


def test_each_year_has_its_own_factor() -> None:
    found = emission(FACTORS, {2023: 1000.0, 2024: 1000.0})
    assert found is not None
    assert found.kg == pytest.approx(494.0 + 474.0)
    assert [one.factor.source for one in found.used] == ["a", "b"]
    assert emission((), {2024: 1.0}) is None


def test_a_counter_counts_differences_and_from_zero_after_a_reset() -> None:
    times = np.arange(6, dtype=np.int64)
    assert counted(times, np.array([100.0, 110.0, np.nan, 130.0, 5.0, 12.0])) == Counted(10 + 20 + 5 + 7, 0, 5, 1)
    assert counted(times[:1], np.array([100.0])).total is None
    assert counted(times[:2], np.array([np.nan, 3.0])).total is None
