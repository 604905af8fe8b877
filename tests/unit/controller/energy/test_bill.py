"""Bills from quarter hours, beside figures worked out by hand: docs/how-to/check-a-bill.md has each step."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from controller.energy.bill import bill_of, excesses, month_bill, month_parts
from controller.energy.load import Load
from controller.energy.tariff import Contract
from tests.unit.controller.energy.stock import TAIPEI, account, made, plan, quarters, with_account

SUMMER_PERIODS = ("peak", "half_peak", "saturday", "off_peak")


def by_season(season: str, **periods: float) -> dict[tuple[str, str], float]:
    return {(season, period): value for period, value in periods.items()}


def test_a_summer_month_to_the_dollar() -> None:
    kwh = by_season("summer", peak=300_000, half_peak=700_000, saturday=120_000, off_peak=480_000)
    demand = by_season("summer", peak=4_600, half_peak=4_950, saturday=2_000, off_peak=3_000)
    bill = bill_of(plan(), date(2025, 8, 1), made(date(2025, 8, 1), kwh, demand, 0.96), TAIPEI)
    assert bill is not None
    assert bill.basic == Decimal(1_118_000)
    assert bill.energy == Decimal(8_438_400)
    assert bill.excess == 0
    assert bill.power_factor_percent == 96
    assert bill.adjustment == Decimal(-143_346)
    assert bill.total == 9_573_076
    assert (bill.missing, bill.windows, bill.unchecked) == (0, 31 * 96, False)


def test_the_month_of_the_seasons_change_to_the_dollar() -> None:
    kwh = {
        **by_season("summer", peak=120_000, half_peak=280_000, saturday=40_000, off_peak=210_000),
        **by_season("non_summer", half_peak=330_000, saturday=45_000, off_peak=260_000),
    }
    demand = {
        **by_season("summer", peak=4_000, half_peak=4_500, saturday=1_800, off_peak=3_000),
        **by_season("non_summer", half_peak=3_600, saturday=3_400, off_peak=3_100),
    }
    bill = bill_of(plan(), date(2025, 10, 1), made(date(2025, 10, 1), kwh, demand, 0.90), TAIPEI)
    assert bill is not None
    assert [(part.season, part.days) for part in bill.parts] == [("summer", 15), ("non_summer", 16)]
    assert round(bill.basic, 4) == Decimal("971677.4194")
    assert bill.energy == Decimal(5_916_850)
    assert bill.power_factor_percent == 90
    assert round(bill.adjustment, 4) == Decimal("-68885.2742")
    assert bill.total == 6_935_576


def test_a_month_over_the_contract_to_the_dollar() -> None:
    kwh = by_season("summer", peak=400_000, half_peak=800_000, saturday=150_000, off_peak=500_000)
    demand = by_season("summer", peak=5_620, half_peak=5_900, saturday=5_100, off_peak=3_000)
    bill = bill_of(plan(), date(2025, 7, 1), made(date(2025, 7, 1), kwh, demand, 0.78), TAIPEI)
    assert bill is not None
    over = {line.period: (line.quantity, line.amount) for line in bill.lines if line.kind == "excess"}
    assert over == {"peak": (Decimal(620), Decimal(304_096)), "half_peak": (Decimal(280), Decimal(93_464))}
    assert bill.energy == Decimal(10_091_000)
    assert bill.adjustment == Decimal(22_418)
    assert bill.total == 11_826_671


def test_the_references_own_example() -> None:
    of = account("500")
    (part,) = month_parts(with_account(of), date(2025, 8, 1))
    use = dict(zip(SUMMER_PERIODS, map(Decimal, (10_000, 15_000, 5_000, 20_000)), strict=True))
    used = replace(part, kwh=use, demand_kw={"peak": Decimal(580), "half_peak": Decimal(600)})
    bill = month_bill(of, date(2025, 8, 1), [used], 95)
    assert [bill.basic, bill.energy, bill.excess] == [111_800, 245_250, 49_160]
    assert bill.adjustment == Decimal("-5355.75")
    assert bill.subtotal == Decimal("400854.25")
    assert bill.total == 407_669


def test_the_published_example_of_taipower_with_its_prices_of_then() -> None:
    """500 kW, 10,000/15,000/5,000/20,000 kWh at 4.41/2.76/1.78/1.26 and 223.60: NT$ 231,400, without coefficient."""
    table = plan().tables[0]
    prices = dict(zip(SUMMER_PERIODS, map(Decimal, ("4.41", "2.76", "1.78", "1.26")), strict=True))
    old = replace(table, energy={**table.energy, "summer": prices})
    of = account("500", coefficient="1")
    (part,) = month_parts(with_account(of), date(2025, 8, 1))
    use = dict(zip(SUMMER_PERIODS, map(Decimal, (10_000, 15_000, 5_000, 20_000)), strict=True))
    bill = month_bill(of, date(2025, 8, 1), [replace(part, table=old, kwh=use)], None)
    assert bill.total == 231_400


def test_each_kilowatt_over_the_contract_is_counted_once() -> None:
    contract = Contract(Decimal(100), Decimal(20), Decimal(10), Decimal(50))
    demand = {
        period: Decimal(kw) for period, kw in (("peak", 130), ("half_peak", 160), ("saturday", 175), ("off_peak", 250))
    }
    # Over: 30; 40 - 30; 45 - max(30, 40); 70 - max(30, 40, 45).
    assert excesses("three_section", "summer", demand, contract) == {
        "peak": 30,
        "half_peak": 10,
        "saturday": 5,
        "off_peak": 25,
    }
    assert excesses("two_section", "non_summer", {"peak": Decimal(130)}, contract) == {"peak": 10}
    assert excesses("two_section", "summer", {"peak": Decimal(130)}, contract) == {"peak": 30}


def test_saturday_and_off_peak_capacity_cost_beyond_half_of_the_others() -> None:
    of = account("100", "20", "40", "50")
    (part,) = month_parts(with_account(of), date(2025, 8, 1))
    bill = month_bill(of, date(2025, 8, 1), [part], None)
    assert bill.basic == Decimal("223.60") * 100 + Decimal("166.90") * 20 + Decimal("44.70") * (90 - 60)


def test_a_month_without_use_pays_half_of_the_basic_charge() -> None:
    start = quarters(date(2025, 8, 1))
    none = Load(start, np.zeros(len(start)), np.zeros(len(start)))
    bill = bill_of(plan(), date(2025, 8, 1), none, TAIPEI)
    assert bill is not None
    assert (bill.basic, bill.power_factor_percent) == (Decimal(559_000), None)
    # What is not known is no month without use.
    gaps = Load(start, np.where(start == start[5], np.nan, 0.0), np.zeros(len(start)))
    again = bill_of(plan(), date(2025, 8, 1), gaps, TAIPEI)
    assert again is not None
    assert (again.basic, again.missing) == (Decimal(1_118_000), 1)


def test_windows_that_are_missing_are_said_and_not_invented() -> None:
    start = quarters(date(2025, 8, 1))
    value = np.full(len(start), 100.0)
    value[10:20] = np.nan
    bill = bill_of(plan(), date(2025, 8, 1), Load(start, value, np.full(len(start), np.nan)), TAIPEI)
    assert bill is not None
    assert bill.missing == 10
    assert bill.kwh == (len(start) - 10) * 100
    assert (bill.power_factor_percent, bill.adjustment) == (None, Decimal(0))


def test_a_month_that_nobody_measured_has_no_bill() -> None:
    start = quarters(date(2025, 8, 1))
    unknown = Load(start, np.full(len(start), np.nan), np.full(len(start), np.nan))
    assert bill_of(plan(), date(2025, 8, 1), unknown, TAIPEI) is None
    assert bill_of(plan(), date(2025, 8, 1), Load(start[:0], unknown.kwh[:0], unknown.kvarh[:0]), TAIPEI) is None


def test_prices_that_nobody_compared_are_said() -> None:
    for month, unchecked in ((date(2025, 10, 1), False), (date(2025, 11, 1), True), (date(2026, 8, 1), True)):
        start = quarters(month)
        bill = bill_of(plan(), month, Load(start, np.ones(len(start)), np.zeros(len(start))), TAIPEI)
        assert bill is not None
        assert bill.unchecked is unchecked
    assert bill_of(plan(), date(2024, 9, 1), Load(start, np.ones(len(start)), np.zeros(len(start))), TAIPEI) is None


@pytest.mark.parametrize(("month", "days"), [(date(2024, 2, 1), 29), (date(2025, 2, 1), 28)])
def test_a_month_has_its_days(month: date, days: int) -> None:
    tables = tuple(replace(table, valid_from=date(2024, 1, 1)) for table in plan().tables)
    (part,) = month_parts(replace(plan(), tables=tables), month)
    assert [part.days, part.share] == [days, 1]
