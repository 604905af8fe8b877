"""What a window above the contract costs: by hand, and as the bill has it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from controller.energy.bill import month_bill, month_parts
from controller.energy.excess import ExcessPrice
from controller.energy.tariff import TariffPlan
from tests.unit.controller.energy.stock import TAIPEI, account, plan, with_account


def at(*moment: int) -> int:
    return round(datetime(*moment, tzinfo=TAIPEI).timestamp()) * 1_000_000_000  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("moment", "mean_kw", "cost"),
    [
        ((2026, 7, 15, 17), 5_620.0, 1.017 * 223.6 * (2 * 500 + 3 * 120)),  # peak in summer
        ((2026, 7, 15, 14), 5_100.0, 1.017 * 166.9 * 2 * 100),  # half-peak
        ((2026, 7, 19, 14), 5_100.0, 1.017 * 44.7 * 2 * 100),  # a Sunday: off-peak, the price of Saturday
        ((2026, 1, 14, 10), 5_100.0, 1.017 * 166.9 * 2 * 100),
        ((2026, 10, 14, 17), 5_100.0, 1.017 * 223.6 * 2 * 100 * 15 / 31),  # 15 of the 31 days are in summer
        ((2026, 7, 15, 17), 5_000.0, 0.0),
        ((2026, 7, 15, 17), 4_000.0, 0.0),
    ],
)
def test_the_cost_is_that_of_season_day_and_hour(moment: tuple[int, ...], mean_kw: float, cost: float) -> None:
    assert ExcessPrice(with_account(account()), "Asia/Taipei").cost(at(*moment), mean_kw) == pytest.approx(cost)


def test_it_is_what_the_bill_rises_by() -> None:
    of = account("5000", half="300", saturday="100")
    found = ExcessPrice(with_account(of), "Asia/Taipei").cost(at(2026, 10, 20, 15), 5_950.0)
    summer, winter = month_parts(with_account(of), date(2026, 10, 1))
    lower, higher = (
        month_bill(of, date(2026, 10, 1), [summer, replace(winter, demand_kw={"half_peak": Decimal(kw)})], None)
        for kw in (5_300, 5_950)
    )
    assert found == pytest.approx(float((higher.subtotal - lower.subtotal) * of.coefficient))
    assert higher.total - lower.total == round(found)


def test_without_an_account_or_a_table_of_the_day_it_is_not_known() -> None:
    assert math.isnan(ExcessPrice(TariffPlan(), "Asia/Taipei").cost(at(2026, 7, 15, 17), 5_620.0))
    assert math.isnan(ExcessPrice(plan(), "Asia/Taipei").cost(at(2020, 7, 15, 17), 5_620.0))
    assert math.isnan(ExcessPrice(plan(), "Asia/Taipei").cost(at(2026, 7, 15, 17), math.nan))
