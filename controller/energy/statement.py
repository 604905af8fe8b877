"""What was used in a day or a month, with its money and its carbon: one road for pages, API and reports.

Nothing here is rounded: who shows it rounds, and says in which unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from controller.energy.baseline import Expected, Refusal, Sample, expected, fit
from controller.energy.bill import Bill, bill_of
from controller.energy.carbon import Emission, emission
from controller.energy.load import QUARTER_NS, Load
from controller.energy.meter import midnight_ns
from controller.energy.tariff import PERIODS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from controller.energy.baseline import Baseline
    from controller.energy.carbon import Factor
    from controller.energy.meter import Metering, Meters
    from controller.energy.tariff import TariffPlan
    from controller.point.model import Name

__all__ = [
    "KINDS",
    "Books",
    "Compared",
    "DayUse",
    "EndUse",
    "EndUseKwh",
    "Ledger",
    "Peak",
    "Statement",
    "last_of",
    "ledger",
    "make",
    "year_before",
]

KINDS = ("day", "month")


@dataclass(frozen=True, slots=True)
class EndUse:
    """What energy is used for, and the meters of it."""

    id: str
    name: Name
    meters: Meters


@dataclass(frozen=True, slots=True)
class Books:
    """What statements are made of: the meters of the site, its factors and its tariff."""

    zone: ZoneInfo
    main: Meters
    uses: tuple[EndUse, ...] = ()
    factors: tuple[Factor, ...] = ()
    tariff: TariffPlan | None = None
    outdoor: int | None = None
    """Number of the point of the outdoor temperature."""

    def is_working(self, day: date) -> bool:
        """Tell whether a day is one of work: Monday to Friday, and no off-peak day of the tariff."""
        table = None if self.tariff is None else self.tariff.table_of(day)
        return day.weekday() < 5 if table is None else table.day_type(day) == "weekday"


@dataclass(frozen=True, slots=True)
class Compared:
    """The energy of another span beside the statement's."""

    id: str
    """`day_before`, `week_before`, `month_before` or `year_before`."""
    kwh: float | None
    whole: bool
    """False: of a part of that span only; there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest demand of a span."""

    kw: float
    start_ns: int
    """Of its quarter of an hour."""


@dataclass(frozen=True, slots=True)
class DayUse:
    """One day of a month."""

    day: date
    kwh: float | None
    periods: Mapping[str, float]
    """kWh by period of the tariff; empty without a tariff."""
    peak: Peak | None
    missing: int


@dataclass(frozen=True, slots=True)
class EndUseKwh:
    """What an end use took."""

    id: str
    name: Name
    kwh: float | None
    whole: bool
    """False: at least so much."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the baseline says of the span."""

    model: Baseline | Refusal
    against: Expected | None
    """None: no model, or no day of the span that is over and known."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A day or a month, up to `until_ns`."""

    kind: str
    first: date
    start_ns: int
    end_ns: int
    until_ns: int
    """Up to where it goes: the end, or the last quarter that is over."""
    load: Load
    days: tuple[DayUse, ...]
    periods: Mapping[str, float]
    """kWh by period of the tariff, of the windows that are known; empty without a tariff."""
    peak: Peak | None
    bill: Bill | None
    """Of a month."""
    carbon: Emission | None
    uses: tuple[EndUseKwh, ...]
    before: tuple[Compared, ...]

    @property
    def over(self) -> bool:
        """Whether the span has ended."""
        return self.until_ns >= self.end_ns

    @property
    def quality(self) -> float | None:
        """Share of the quarter hours whose energy is known (資料品質); None where none is over yet."""
        return None if not len(self.load) else 1 - self.load.missing / len(self.load)


async def make(metering: Metering, books: Books, kind: str, first: date) -> Statement:
    """Return the statement of the day or month that begins with `first`.

    Raises:
        UnavailableError: the history does not answer now.
    """
    zone = books.zone
    start, end = midnight_ns(first, zone), midnight_ns(last_of(kind, first), zone)
    load = await metering.load(books.main, start, end)
    until = start + len(load) * QUARTER_NS
    days = tuple(_day(day, load, books) for day in _days(first, last_of(kind, first)) if midnight_ns(day, zone) < until)
    bill = None
    if kind == "month" and books.tariff is not None:
        bill = bill_of(books.tariff, first, load, zone)
    used: dict[str, float] = {}
    for day in days:
        for period, kwh in day.periods.items():
            used[period] = used.get(period, 0.0) + kwh
    total = load.total_kwh
    uses = []
    for use in books.uses:
        part = await metering.total(use.meters, start, until)
        uses.append(EndUseKwh(use.id, use.name, part.kwh, part.whole))
    before = [
        await _compared(metering, books, name, other, until - start) for name, other in _others(kind, first, zone)
    ]
    return Statement(
        kind=kind,
        first=first,
        start_ns=start,
        end_ns=end,
        until_ns=until,
        load=load,
        days=days,
        periods={period: used[period] for period in PERIODS if period in used},
        peak=_peak(load),
        bill=bill,
        carbon=None if total is None else emission(books.factors, {first.year: total}),
        uses=tuple(uses),
        before=tuple(before),
    )


async def ledger(metering: Metering, books: Books, first: date, today: date) -> Ledger:
    """Return what a year of days before a month says of the days of it that are over.

    Raises:
        UnavailableError: the history does not answer now.
    """
    begin = year_before(first)
    until = min(last_of("month", first), today)
    days = await metering.days(books.main, books.outdoor, begin, (until - begin).days, books.zone)
    known = [
        Sample(day.day, day.kwh, day.temperature, books.is_working(day.day))
        for day in days
        if np.isfinite(day.kwh) and np.isfinite(day.temperature)
    ]
    model = fit([sample for sample in known if sample.day < first])
    mine = [sample for sample in known if sample.day >= first]
    if isinstance(model, Refusal) or not mine:
        return Ledger(model, None)
    return Ledger(model, expected(model, mine))


def last_of(kind: str, first: date) -> date:
    """Return the day behind a span."""
    if kind == "day":
        return first + timedelta(days=1)
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)


def year_before(day: date) -> date:
    """Return the same day a year before; of 29 February the 28th."""
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def _others(kind: str, first: date, zone: ZoneInfo) -> list[tuple[str, tuple[int, int]]]:
    """Return the spans to compare with: (name, (begin, end) in ns UTC)."""
    if kind == "day":
        named = [("day_before", first - timedelta(days=1)), ("week_before", first - timedelta(days=7))]
    else:
        named = [("month_before", (first - timedelta(days=1)).replace(day=1))]
    named.append(("year_before", year_before(first)))
    return [(name, (midnight_ns(day, zone), midnight_ns(last_of(kind, day), zone))) for name, day in named]


async def _compared(metering: Metering, books: Books, name: str, span: tuple[int, int], length_ns: int) -> Compared:
    """Return the same stretch of another span: a month that runs is not compared with a whole one."""
    start, end = span
    found = await metering.total(books.main, start, min(end, start + length_ns))
    return Compared(name, found.kwh, found.whole)


def _day(day: date, load: Load, books: Books) -> DayUse:
    mine = _between(load, midnight_ns(day, books.zone), midnight_ns(day + timedelta(days=1), books.zone))
    table = None if books.tariff is None else books.tariff.table_of(day)
    periods: dict[str, float] = {}
    if table is not None:
        begin = midnight_ns(day, books.zone)
        for low, high, period in table.spans_of(day):
            part = _between(mine, begin + low * 60_000_000_000, begin + high * 60_000_000_000)
            if part.missing == len(part):
                continue
            periods[period] = periods.get(period, 0.0) + float(np.nansum(part.kwh))
    known = len(mine) - mine.missing
    return DayUse(
        day,
        float(np.nansum(mine.kwh)) if known else None,
        {period: periods[period] for period in PERIODS if period in periods},
        _peak(mine),
        mine.missing,
    )


def _peak(load: Load) -> Peak | None:
    if load.missing == len(load):
        return None
    at = int(np.nanargmax(load.kwh))
    return Peak(4 * float(load.kwh[at]), int(load.start_ns[at]))


def _between(load: Load, start_ns: int, end_ns: int) -> Load:
    low, high = np.searchsorted(load.start_ns, [start_ns, end_ns])
    return Load(load.start_ns[low:high], load.kwh[low:high], load.kvarh[low:high])


def _days(first: date, end: date) -> list[date]:
    return [first + timedelta(days=at) for at in range((end - first).days)]
