"""The bill of a month from quarter hours of energy, in Decimal, rounded half up once, at the total.

bill = (basic + energy + over-contract + power-factor adjustment) x coefficient of the industry.

A month in which season or price table changes has several **parts**: energy is priced day by day; basic charge and
over-contract charge of a part count by its share of the month's days, with the part's own prices and maxima. The tariff
book does not say more of such a month: compare the first one with a real bill.

Source: Taipower tariff book 電價表 in force from 1 October 2025, chapters 4 (power factor), 5 (prices, basic charge)
and 8 (over-contract).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from controller.energy.tariff import PERIODS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from controller.energy.load import Load
    from controller.energy.tariff import Account, Contract, PowerFactorRule, Tariff, TariffPlan

__all__ = ["Bill", "Line", "Part", "basic_charge", "bill_of", "excess_charge", "excesses", "month_bill", "month_parts"]

_ZERO = Decimal(0)
_KWH = Decimal("0.001")
"""Energy and demand are counted to a thousandth: what meters show."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """Days of a month with one season and one price table, and what was used in them."""

    table: Tariff
    season: str
    first: date
    days: int
    month_days: int
    kwh: Mapping[str, Decimal] = field(default_factory=dict)
    """By period; those that the days have, also with 0."""
    demand_kw: Mapping[str, Decimal] = field(default_factory=dict)
    """The highest mean of a quarter hour in each period, kW; periods without a known window are left out."""

    @property
    def share(self) -> Decimal:
        """Share of the month's days."""
        return Decimal(self.days) / Decimal(self.month_days)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill."""

    kind: str
    """`basic`, `energy`, `excess`."""
    season: str
    period: str
    """One of `PERIODS`; of a basic charge the contract capacity that it is for."""
    quantity: Decimal
    """kW or kWh."""
    price: Decimal
    """NT$ a kW and month, or a kWh; of an excess the basic price, before its multiple."""
    amount: Decimal
    """NT$, not rounded."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's bill, NT$."""

    month: date
    """Its first day."""
    parts: tuple[Part, ...]
    lines: tuple[Line, ...]
    basic: Decimal
    energy: Decimal
    excess: Decimal
    power_factor_percent: int | None
    """None: no reactive energy is known, and the adjustment is 0."""
    adjustment: Decimal
    """For the power factor; less than 0 is a rebate."""
    coefficient: Decimal
    total: int
    """What is paid, whole NT$."""
    kwh: Decimal
    windows: int
    """Quarter hours that the bill covers."""
    missing: int
    """Of these, without energy: nothing is billed for them here, so that the real bill is higher."""
    unchecked: bool
    """True: prices of days after the table's `checked_until`."""

    @property
    def subtotal(self) -> Decimal:
        """Before the coefficient."""
        return self.basic + self.energy + self.excess + self.adjustment

    def used(self) -> dict[str, Decimal]:
        """Return the energy by period over all parts."""
        found: dict[str, Decimal] = {}
        for part in self.parts:
            for period, kwh in part.kwh.items():
                found[period] = found.get(period, _ZERO) + kwh
        return {period: found[period] for period in PERIODS if period in found}

    def highest(self) -> dict[str, Decimal]:
        """Return the highest demand by period over all parts, kW."""
        found: dict[str, Decimal] = {}
        for part in self.parts:
            for period, demand in part.demand_kw.items():
                found[period] = max(found.get(period, demand), demand)
        return {period: found[period] for period in PERIODS if period in found}


def month_parts(plan: TariffPlan, month: date) -> list[Part]:
    """Return the parts of a month, without energy; empty when a day of it has no price table."""
    parts: list[Part] = []
    days = _days_of(month)
    for day in days:
        table = plan.table_of(day)
        if table is None:
            return []
        season = table.season_of(day)
        last = parts[-1] if parts else None
        if last is not None and last.table is table and last.season == season:
            parts[-1] = Part(table, season, last.first, last.days + 1, len(days))
        else:
            parts.append(Part(table, season, day, 1, len(days)))
    return parts


def bill_of(plan: TariffPlan, month: date, load: Load, zone: ZoneInfo) -> Bill | None:
    """Return the bill of the windows of a month that `load` has.

    None without an account, a price table or one window that is known: the basic charge of a month that nobody measured
    would look like its bill.

    `load` holds quarter hours of the month alone, in order; of a month that is not over those that have been.
    """
    if plan.account is None or load.missing == len(load):
        return None
    parts = month_parts(plan, month)
    if not parts:
        return None
    kwh, kvarh = load.kwh, load.kvarh
    both = np.isfinite(kwh) & np.isfinite(kvarh)
    factor = _power_factor(float(kwh[both].sum()), float(kvarh[both].sum())) if both.any() else None
    used = [_with_use(part, load, zone) for part in parts]
    return month_bill(plan.account, month, used, factor, windows=len(load), missing=load.missing)


def month_bill(
    account: Account, month: date, parts: list[Part], power_factor_percent: int | None, *, windows: int = 0,
    missing: int = 0,
) -> Bill:  # fmt: skip
    """Return the bill of parts whose energy and demand are known."""
    contract = account.contract
    used = sum((kwh for part in parts for kwh in part.kwh.values()), _ZERO)
    unused = used == 0 and not missing and windows > 0 and not any(d for part in parts for d in part.demand_kw.values())
    lines: list[Line] = []
    for part in parts:
        half = Decimal("0.5") if unused else Decimal(1)
        for period, quantity, price in basic_charge(part.table, part.season, contract):
            lines.append(Line("basic", part.season, period, quantity, price, quantity * price * part.share * half))
        for period, kwh in part.kwh.items():
            price = part.table.energy[part.season][period]
            lines.append(Line("energy", part.season, period, kwh, price, kwh * price))
        for period, over in excesses(part.table.kind, part.season, part.demand_kw, contract).items():
            price = part.table.basic[part.season][_basic_period(part.table.kind, period)]
            charge = excess_charge(part.table, part.season, period, over, contract)
            lines.append(Line("excess", part.season, period, over, price, charge * part.share))
    basic, energy, excess = (
        sum((line.amount for line in lines if line.kind == kind), _ZERO) for kind in ("basic", "energy", "excess")
    )
    rule = parts[-1].table.power_factor
    adjustment = _ZERO
    if power_factor_percent is not None:
        adjustment = (basic + energy) * _adjustment_share(rule, power_factor_percent)
    total = (basic + energy + excess + adjustment) * account.coefficient
    return Bill(
        month=month,
        parts=tuple(parts),
        lines=tuple(lines),
        basic=basic,
        energy=energy,
        excess=excess,
        power_factor_percent=power_factor_percent,
        adjustment=adjustment,
        coefficient=account.coefficient,
        total=int(total.quantize(Decimal(1), ROUND_HALF_UP)),
        kwh=used,
        windows=windows,
        missing=missing,
        unchecked=any(part.first + timedelta(days=part.days - 1) > part.table.checked_until for part in parts),
    )


def basic_charge(table: Tariff, season: str, contract: Contract) -> list[tuple[str, Decimal, Decimal]]:
    """Return the terms of the basic charge of a whole month: (contract capacity, kW that count, NT$ a kW).

    Three sections: regular and half-peak; two sections: regular and, outside of summer, the non-summer contract. Both:
    Saturday and off-peak capacity count where they are more than half of the other two together.
    """
    prices = table.basic[season]
    terms = [("peak", contract.regular, prices["peak"])]
    if contract.half_peak and (table.kind == "three_section" or season == "non_summer"):
        terms.append(("half_peak", contract.half_peak, prices["half_peak"]))
    free = Decimal("0.5") * (contract.regular + contract.half_peak)
    beyond = contract.saturday + contract.off_peak - free
    if beyond > 0:
        terms.append(("saturday", beyond, prices["saturday"]))
    return terms


def excesses(kind: str, season: str, demand_kw: Mapping[str, Decimal], contract: Contract) -> dict[str, Decimal]:
    """Return the kW over the contract by period, each kW once: what an earlier period pays for is taken off.

    E2 -= E1; E3 -= max(E1, E2); E4 -= max(E1, E2, E3), with E2 and E3 before their own deductions; below 0 is 0.
    """
    found: dict[str, Decimal] = {}
    before = _ZERO
    for period in PERIODS:
        if period not in demand_kw:
            continue
        over = max(_ZERO, demand_kw[period] - capacity(kind, season, period, contract))
        if over > before:
            found[period] = over - before
        before = max(before, over)
    return found


def capacity(kind: str, season: str, period: str, contract: Contract) -> Decimal:
    """Return the contract capacity that a period has, kW: its own and those of the dearer periods."""
    if period == "peak":
        # With two sections the non-summer contract is there outside of summer, also at peak.
        extra = contract.half_peak if kind == "two_section" and season == "non_summer" else _ZERO
        return contract.regular + extra
    reached = contract.regular + contract.half_peak
    if period == "half_peak":
        return reached
    reached += contract.saturday
    return reached if period == "saturday" else reached + contract.off_peak


def excess_charge(table: Tariff, season: str, period: str, over: Decimal, contract: Contract) -> Decimal:
    """Return what kW over the contract cost a month, NT$: each tier up to its share of the period's capacity."""
    price = table.basic[season][_basic_period(table.kind, period)]
    base = capacity(table.kind, season, period, contract)
    charge, left, passed = _ZERO, over, _ZERO
    for tier in table.tiers:
        width = left if tier.share is None else min(left, max(_ZERO, tier.share * base - passed))
        charge += width * tier.times * price
        left -= width
        passed += width
    return charge


def _basic_period(kind: str, period: str) -> str:
    """Return the contract whose basic price an excess costs; off-peak has that of Saturday."""
    if period in ("saturday", "off_peak"):
        return "saturday"
    return "peak" if kind == "two_section" else period


def _power_factor(kwh: float, kvarh: float) -> int | None:
    """Return the month's mean power factor in whole per cent; None without energy."""
    apparent = sqrt(kwh * kwh + kvarh * kvarh)
    if apparent <= 0:
        return None
    return int(Decimal(str(100 * kwh / apparent)).quantize(Decimal(1), ROUND_HALF_UP))


def _adjustment_share(rule: PowerFactorRule, percent: int) -> Decimal:
    return rule.step * (rule.base_percent - min(percent, rule.cap_percent))


def _with_use(part: Part, load: Load, zone: ZoneInfo) -> Part:
    """Return the part with its windows' energy and highest demand by period."""
    energy: dict[str, float] = {}
    highest: dict[str, float] = {}
    for low, high, period in _stretches(part, load, zone):
        known = load.kwh[low:high]
        known = known[np.isfinite(known)]
        energy[period] = energy.get(period, 0.0) + float(known.sum())
        if len(known):
            highest[period] = max(highest.get(period, 0.0), 4 * float(known.max()))
    order = [period for period in PERIODS if period in energy]
    return Part(
        part.table,
        part.season,
        part.first,
        part.days,
        part.month_days,
        {period: _exact(energy[period]) for period in order},
        {period: _exact(highest[period]) for period in order if period in highest},
    )


def _stretches(part: Part, load: Load, zone: ZoneInfo) -> Iterator[tuple[int, int, str]]:
    """Yield (first window, behind the last, period) of each stretch of a part's days."""
    for at in range(part.days):
        day = part.first + timedelta(days=at)
        for begin, end, period in part.table.spans_of(day):
            edges = [_ns(day, minute, zone) for minute in (begin, end)]
            low, high = np.searchsorted(load.start_ns, edges).tolist()
            yield low, high, period


def _ns(day: date, minute: int, zone: ZoneInfo) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    return round((midnight - _EPOCH).total_seconds()) * 1_000_000_000


def _days_of(month: date) -> list[date]:
    first = month.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return [first + timedelta(days=at) for at in range((following - first).days)]


def _exact(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(_KWH, ROUND_HALF_UP)
