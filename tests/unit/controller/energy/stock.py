"""The tariff of the site's files, and loads with given energy and demand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from controller.energy.load import QUARTER_NS, Load
from controller.energy.tariff import Account, Contract, Tariff, TariffPlan
from controller.history.bucket import Cells, fold
from controller.settings.energy import EnergyPlan
from controller.settings.problem import Problem
from controller.settings.source import read_toml
from controller.settings.tariff import TariffFile, tariff_plan
from controller.share import share_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.history.store import Before, Buckets, Series

TAIPEI = ZoneInfo("Asia/Taipei")


@lru_cache(maxsize=1)
def plan() -> TariffPlan:
    """Return the plan of the site's tariff.toml."""
    return _plan("three_section")


@lru_cache(maxsize=1)
def every_table() -> tuple[Tariff, ...]:
    """Return the tables of both kinds."""
    return (*plan().tables, *_plan("two_section").tables)


def _plan(kind: str) -> TariffPlan:
    source = read_toml(share_dir("config") / "taipei-city-hall" / "tariff.toml", "tariff.toml")
    data = {**source.data, "account": {**source.data["account"], "kind": kind}}
    problems: list[Problem] = []
    found = tariff_plan(TariffFile.model_validate(data), source, {}, EnergyPlan(), problems)
    assert not problems
    return found


def account(
    regular: str = "5000", half: str = "0", saturday: str = "0", off: str = "0", coefficient: str = "1.017"
) -> Account:
    contract = Contract(Decimal(regular), Decimal(half), Decimal(saturday), Decimal(off))
    return Account("three_section", "high", contract, Decimal(coefficient))


def with_account(of: Account) -> TariffPlan:
    return replace(plan(), account=of)


def month_ns(month: date) -> tuple[int, int]:
    begin = datetime(month.year, month.month, 1, tzinfo=TAIPEI)
    after = (begin + timedelta(days=32)).replace(day=1)
    return round(begin.timestamp()) * 1_000_000_000, round(after.timestamp()) * 1_000_000_000


def quarters(month: date) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(*month_ns(month), QUARTER_NS, dtype=np.int64)


def made(
    month: date,
    kwh: dict[tuple[str, str], float],
    demand_kw: dict[tuple[str, str], float],
    power_factor: float = 1.0,
    table: Tariff | None = None,
) -> Load:
    """Return a month's load with this energy and highest demand by (season, period), each spread evenly."""
    table = table or plan().tables[0]
    start = quarters(month)
    keys = []
    for moment in start.tolist():
        local = datetime.fromtimestamp(moment // 1_000_000_000, TAIPEI)
        keys.append((table.season_of(local.date()), table.period_at(local.date(), local.hour * 60 + local.minute)))
    value = np.full(len(start), np.nan)
    for key in set(keys):
        mine = [at for at, one in enumerate(keys) if one == key]
        top = demand_kw[key] / 4
        value[mine] = (kwh[key] - top) / (len(mine) - 1)
        value[mine[len(mine) // 2]] = top
        assert value[mine].max() == top
    reactive = value * np.sqrt(1 / power_factor**2 - 1)
    return Load(start, value, reactive)


class MemoryHistory:
    """Readings of points, answered in the shape of the contract; counts what it is asked."""

    def __init__(self) -> None:
        self.readings: dict[int, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
        self.asked = 0

    async def aggregate(self, numbers: Sequence[int], start_ns: int, end_ns: int, bucket_ns: int) -> list[Buckets]:
        found = []
        for number in numbers:
            self.asked += 1
            time, value = self.readings.get(number, (np.empty(0, np.int64), np.empty(0)))
            low, high = np.searchsorted(time, [start_ns, end_ns])
            time, value = time[low:high], value[low:high]
            count = np.ones(len(time), np.int64)
            cells = Cells(time, count, count, count, value, value, value, value)
            found.append(fold(number, [cells], start_ns, bucket_ns))
        return found

    async def raw(self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000) -> list[Series]:
        raise NotImplementedError

    async def before(self, numbers: Sequence[int], time_ns: int) -> list[Before | None]:
        raise NotImplementedError
