"""Seasons, day types and periods of the site's tariff, against the tables of the tariff book."""

from __future__ import annotations

from datetime import date

import pytest

from controller.energy.festival import festival
from controller.energy.tariff import uncovered
from tests.unit.controller.energy.stock import plan


@pytest.mark.parametrize(
    ("day", "season"),
    [
        (date(2025, 5, 15), "non_summer"),
        (date(2025, 5, 16), "summer"),
        (date(2025, 10, 15), "summer"),
        (date(2025, 10, 16), "non_summer"),
        (date(2025, 1, 1), "non_summer"),
        (date(2024, 12, 31), "non_summer"),
    ],
)
def test_summer_is_from_16_may_to_15_october(day: date, season: str) -> None:
    assert plan().tables[0].season_of(day) == season


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2025, 8, 4), "weekday"),
        (date(2025, 8, 9), "saturday"),
        (date(2025, 8, 10), "off_peak_day"),  # Sunday
        (date(2025, 1, 26), "off_peak_day"),
        (date(2025, 1, 27), "off_peak_day"),  # the day before lunar New Year's Eve
        (date(2025, 1, 28), "off_peak_day"),  # the Eve
        (date(2025, 2, 2), "off_peak_day"),  # lunar 1/5
        (date(2025, 2, 3), "weekday"),
        (date(2025, 1, 24), "weekday"),
        (date(2024, 4, 4), "off_peak_day"),  # Children's and Tomb-Sweeping Day
        (date(2025, 4, 3), "weekday"),  # a substitute day off of the offices, not of the tariff
        (date(2025, 5, 1), "off_peak_day"),
        (date(2025, 5, 30), "weekday"),  # substitute for the Dragon Boat Festival
        (date(2025, 5, 31), "off_peak_day"),  # Saturday, lunar 5/5
        (date(2025, 10, 6), "off_peak_day"),  # lunar 8/15
        (date(2025, 9, 29), "weekday"),  # substitute for Teachers' Day
        (date(2025, 10, 24), "weekday"),  # substitute for 25 October
        (date(2025, 12, 25), "off_peak_day"),
        (date(2025, 2, 8), "saturday"),  # a make-up workday of the offices
    ],
)
def test_day_types_are_those_of_the_tariffs_own_list(day: date, kind: str) -> None:
    assert plan().tables[0].day_type(day) == kind


@pytest.mark.parametrize(
    ("day", "minute", "period"),
    [
        (date(2025, 8, 4), 8 * 60 + 59, "off_peak"),
        (date(2025, 8, 4), 9 * 60, "half_peak"),
        (date(2025, 8, 4), 16 * 60, "peak"),
        (date(2025, 8, 4), 22 * 60 - 1, "peak"),
        (date(2025, 8, 4), 22 * 60, "half_peak"),
        (date(2025, 8, 9), 9 * 60, "saturday"),
        (date(2025, 11, 4), 5 * 60 + 59, "off_peak"),
        (date(2025, 11, 4), 6 * 60, "half_peak"),
        (date(2025, 11, 4), 11 * 60, "off_peak"),
        (date(2025, 11, 4), 14 * 60, "half_peak"),
        (date(2025, 11, 8), 12 * 60, "off_peak"),
        (date(2025, 11, 8), 20 * 60, "saturday"),
        (date(2025, 11, 9), 20 * 60, "off_peak"),
    ],
)
def test_periods_of_the_three_section_tariff(day: date, minute: int, period: str) -> None:
    assert plan().tables[0].period_at(day, minute) == period


def test_a_day_is_a_partition_or_says_where_it_is_none() -> None:
    assert uncovered([(540, 1440, "peak"), (0, 540, "off_peak")]) is None
    assert uncovered([(0, 540, "off_peak"), (600, 1440, "peak")]) == (540, "gap")
    assert uncovered([(0, 540, "off_peak"), (480, 1440, "peak")]) == (480, "overlap")
    assert uncovered([(0, 540, "off_peak")]) == (540, "gap")
    assert uncovered([]) == (0, "gap")


def test_a_year_beyond_the_tables_of_the_moon_is_said() -> None:
    assert festival("mid_autumn", 2026) == date(2026, 9, 25)
    with pytest.raises(ValueError, match="dragon_boat of 2200"):
        festival("dragon_boat", 2200)
