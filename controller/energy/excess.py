"""What one window above the contract costs the month, by the same rules as the bill."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from controller.energy.bill import excess_charge, excesses, month_parts

if TYPE_CHECKING:
    from controller.energy.tariff import TariffPlan

__all__ = ["ExcessPrice"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ExcessPrice:
    """Prices the excess of a window with the account and the table of its day."""

    plan: TariffPlan
    timezone: str

    def cost(self, now_ns: int, mean_kw: float) -> float:
        """Return what the month's bill rises by, NT$, if a window around `now_ns` is its highest and has this mean, kW.

        Season, period and tiers are those of its day; with the coefficient of the industry, and where the season or the
        table changes in the month with the share of its days (`controller.energy.bill`). 0: not above the account's
        capacity of that period. NaN: no account, or a day of the month without a price table.
        """
        account = self.plan.account
        moment = (_EPOCH + timedelta(microseconds=now_ns // 1000)).astimezone(ZoneInfo(self.timezone))
        day = moment.date()
        parts = month_parts(self.plan, day.replace(day=1)) if account is not None else []
        part = next((one for one in parts if one.first <= day < one.first + timedelta(days=one.days)), None)
        if account is None or part is None or not math.isfinite(mean_kw):
            return math.nan
        table, season = part.table, part.season
        period = table.period_at(day, moment.hour * 60 + moment.minute)
        over = excesses(table.kind, season, {period: Decimal(repr(mean_kw))}, account.contract)
        charge = sum(excess_charge(table, season, name, kw, account.contract) for name, kw in over.items())
        return float(charge * part.share * account.coefficient)
