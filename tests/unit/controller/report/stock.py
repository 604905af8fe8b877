"""A site with two months of readings in memory, one gap in them, and the report's data of a span."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from controller.clock import VirtualClock
from controller.energy.carbon import Factor
from controller.energy.figure import ledger_figures, statement_figures
from controller.energy.load import Counter
from controller.energy.meter import Metering, Meters
from controller.energy.statement import Books, EndUse, ledger, make
from controller.point.model import Name
from tests.unit.controller.energy.stock import TAIPEI, MemoryHistory, month_ns, plan

SITE = Name("市政大樓", "City Hall")
NOW_NS = month_ns(date(2025, 11, 1))[0] + 10 * 3_600 * 1_000_000_000
"""2025-11-01 10:00 in Taipei."""


def history() -> MemoryHistory:
    """Return September, October and the morning of 1 November 2025; nothing was read for 16 hours on 11 September."""
    made = MemoryHistory()
    time = np.arange(month_ns(date(2025, 9, 1))[0], NOW_NS, 300_000_000_000)
    hour = ((time // 3_600_000_000_000) + 8) % 24
    power = 1_500 + 3_200 * np.clip(np.sin((hour - 6) / 14 * np.pi), 0, 1)
    main = 1_000 + np.cumsum(power) / 12
    main[3_000:3_192] = np.nan
    made.readings[1] = (time, main)
    made.readings[2] = (time, 1_000 + np.cumsum(power * 0.4) / 12)
    made.readings[3] = (time, power * 0.3)
    return made


def books() -> Books:
    return Books(
        TAIPEI,
        Meters((Counter(1),), reactive_power=(3,)),
        (EndUse("cooling", Name("冰水系統", "Chilled water"), Meters((Counter(2),))),),
        (Factor(2024, 0.474, "經濟部能源署 114 年 4 月 14 日公告"),),
        plan(),
    )


def metering() -> Metering:
    return Metering(history(), VirtualClock(NOW_NS))


async def data(kind: str, first: date) -> dict[str, Any]:
    """Return what a report is made of."""
    meters = metering()
    statement = await make(meters, books(), kind, first)
    baseline = None
    if kind == "month":
        baseline = ledger_figures(await ledger(meters, books(), first, date(2025, 11, 1)))
    return {
        "statement": statement_figures(statement, books()),
        "baseline": baseline,
        "site": {"zh": SITE.zh, "en": SITE.en},
        "timezone": "Asia/Taipei",
        "made": "2025-11-01T02:00:00+00:00",
        "version": "0.1.0",
    }
