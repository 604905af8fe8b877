"""Bills of any month, tariff kind and load: nothing is lost, nothing is counted twice, more is never cheaper."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.energy.bill import Bill, bill_of, excess_charge, excesses
from controller.energy.load import Load
from controller.energy.tariff import KINDS, PERIODS, Account, Contract, TariffPlan
from tests.unit.controller.energy.stock import TAIPEI, every_table, quarters

MONTHS = st.builds(date, st.integers(2025, 2027), st.integers(1, 12), st.just(1))
KW = st.integers(1, 6_000).map(Decimal)
SOME_KW = st.integers(0, 3_000).map(Decimal)
CONTRACTS = st.builds(Contract, KW, SOME_KW, SOME_KW, SOME_KW)


def plans(kind: str, contract: Contract) -> TariffPlan:
    tables = tuple(table for table in every_table() if table.kind == kind)
    return TariffPlan(Account(kind, "high", contract, Decimal("1.017")), tables)


def load_of(month: date, seed: int, share: float = 0.0) -> Load:
    """Return a month of some energy; `share` of its windows are missing. PF is 1, so that the rebate is at its cap."""
    start = quarters(month)
    random = np.random.default_rng(seed)
    kwh = random.uniform(0, 1_500, len(start))
    kwh[random.random(len(start)) < share] = np.nan
    return Load(start, kwh, np.zeros(len(start)))


def billed(plan: TariffPlan, month: date, load: Load) -> Bill:
    bill = bill_of(plan, month, load, TAIPEI)
    assert bill is not None
    return bill


@given(MONTHS, st.sampled_from(KINDS), CONTRACTS, st.integers(0, 2**32), st.floats(0, 0.3))
@settings(max_examples=40, deadline=None)
def test_periods_are_the_whole_energy_and_lines_the_whole_bill(
    month: date, kind: str, contract: Contract, seed: int, share: float
) -> None:
    load = load_of(month, seed, share)
    bill = billed(plans(kind, contract), month, load)
    assert abs(float(bill.kwh) - float(np.nansum(load.kwh))) < 0.01
    assert bill.kwh == sum(bill.used().values())
    # A share of the month's days is no finite decimal: 28 digits are kept.
    together = sum((line.amount for line in bill.lines), Decimal(0))
    assert abs(together - (bill.basic + bill.energy + bill.excess)) < Decimal("1e-15")
    assert sum(part.days for part in bill.parts) * 96 == len(load) == bill.windows
    assert abs(bill.total - bill.subtotal * bill.coefficient) <= Decimal("0.5")
    assert bill.missing == int(np.isnan(load.kwh).sum())
    assert max(bill.highest().values()) == round(Decimal(repr(4 * float(np.nanmax(load.kwh)))), 3)


@given(MONTHS, st.sampled_from(KINDS), CONTRACTS, st.integers(0, 2**32), st.integers(0, 2_687), st.floats(0, 500))
@settings(max_examples=40, deadline=None)
def test_more_energy_is_never_cheaper(
    month: date, kind: str, contract: Contract, seed: int, window: int, more: float
) -> None:
    """At one power factor: kWh that come without kvarh raise it, and may pass a step of the rebate."""
    load = load_of(month, seed)
    kwh = load.kwh.copy()
    kwh[window] += more
    plan = plans(kind, contract)
    assert billed(plan, month, replace(load, kwh=kwh)).total >= billed(plan, month, load).total


@given(
    st.sampled_from(KINDS),
    st.sampled_from(("summer", "non_summer")),
    CONTRACTS,
    st.lists(SOME_KW, min_size=4, max_size=4),
)
@settings(max_examples=200, deadline=None)
def test_a_kilowatt_over_the_contract_is_paid_once(
    kind: str, season: str, contract: Contract, demands: list[Decimal]
) -> None:
    periods = [period for period in PERIODS if kind == "three_section" or period != "half_peak"]
    demand = {period: 3 * kw for period, kw in zip(periods, demands, strict=False)}
    found = excesses(kind, season, demand, contract)
    alone = [excesses(kind, season, {period: kw}, contract).get(period, Decimal(0)) for period, kw in demand.items()]
    assert sum(found.values(), Decimal(0)) == max(alone, default=Decimal(0))
    assert all(kw > 0 for kw in found.values())


@given(CONTRACTS, st.integers(0, 3_000), st.integers(1, 500))
@settings(max_examples=200, deadline=None)
def test_more_over_the_contract_costs_more(contract: Contract, over: int, more: int) -> None:
    (table,) = plans("three_section", contract).tables
    for period in PERIODS:
        less, much = (excess_charge(table, "summer", period, Decimal(kw), contract) for kw in (over, over + more))
        price = table.basic["summer"].get(period, table.basic["summer"]["saturday"])
        assert 2 * price * more <= much - less <= 3 * price * more
