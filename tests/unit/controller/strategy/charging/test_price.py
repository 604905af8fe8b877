"""Prices of the plan: the tariff's season, kind of day and period, in the time of the site; none outside its dates."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from controller.energy.tariff import TariffPlan
from controller.strategy.charging.price import TariffPrices
from tests.unit.controller.energy.stock import TAIPEI, plan


def at(prices: TariffPrices, *when: int) -> float:
    return prices.at(round(datetime(*when, tzinfo=TAIPEI).timestamp() * 1e9))  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("when", "price"),
    [
        ((2026, 7, 13, 16), 9.39),
        ((2026, 7, 13, 15, 59), 5.85),
        ((2026, 7, 13, 21, 59), 9.39),
        ((2026, 7, 13, 22), 5.85),
        ((2026, 7, 13, 8, 59), 2.53),
        ((2026, 7, 18, 23, 59), 2.60),
        ((2026, 7, 19, 17), 2.53),
        ((2026, 10, 15, 17), 9.39),
        ((2026, 10, 16, 17), 5.47),
        ((2026, 1, 5, 12), 2.32),
        ((2026, 1, 1, 17), 2.32),
        ((2026, 5, 1, 17), 2.32),
    ],
)
def test_a_price_is_that_of_season_day_and_period(when: tuple[int, ...], price: float) -> None:
    assert at(TariffPrices(plan(), TAIPEI), *when) == price


def test_the_day_is_the_sites() -> None:
    # Sunday 23:30 in London's winter is Monday in Taipei; on the wall of the site it is 07:30.
    sunday = datetime(2026, 7, 12, 23, 30, tzinfo=UTC)
    assert TariffPrices(plan(), TAIPEI).at(round(sunday.timestamp() * 1e9)) == 2.53
    monday_9 = datetime(2026, 7, 13, 1, 0, tzinfo=UTC)
    assert TariffPrices(plan(), TAIPEI).at(round(monday_9.timestamp() * 1e9)) == 5.85


def test_outside_of_its_dates_there_is_no_price() -> None:
    (table,) = plan().tables
    ends = replace(plan(), tables=(replace(table, valid_to=date(2026, 7, 13)),))
    prices = TariffPrices(ends, TAIPEI)
    assert at(prices, 2026, 7, 13, 23, 59) == 5.85
    assert math.isnan(at(prices, 2026, 7, 14, 0))
    assert math.isnan(at(prices, 2024, 10, 15, 12))
    assert math.isnan(at(TariffPrices(TariffPlan(), TAIPEI), 2026, 7, 13, 12))
