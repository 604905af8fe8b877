"""What energy costs at a time, as the plan of a day asks it: the tariff in effect, by the calendar of the site."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

    from controller.energy.tariff import TariffPlan

__all__ = ["TariffPrices"]


@dataclass(frozen=True, slots=True)
class TariffPrices:
    """The energy prices of the account, before its coefficient: the same for all cars and hours, it moves no plan."""

    tariff: TariffPlan
    zone: tzinfo

    def at(self, time_ns: int) -> float:
        """Return NT$/kWh at a time; NaN on a day that no table of the account is valid on."""
        local = datetime.fromtimestamp(time_ns // 1_000_000_000, self.zone)
        day = local.date()
        table = self.tariff.table_of(day)
        if table is None:
            return math.nan
        return float(table.energy[table.season_of(day)][table.period_at(day, local.hour * 60 + local.minute)])
