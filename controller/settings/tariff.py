"""tariff.toml to the account and its price tables: shape, checks with file and line, and what the rest uses."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise, product
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from controller.energy.tariff import (
    DAY_MINUTES,
    DAY_TYPES,
    PERIODS,
    SEASONS,
    Account,
    Contract,
    ExcessTier,
    Hours,
    OffPeakDay,
    PowerFactorRule,
    Season,
    Tariff,
    TariffPlan,
    uncovered,
)
from controller.point.model import Name
from controller.settings.file import Long, NameRow, Short, Word  # noqa: TC001 - pydantic reads the annotations
from controller.settings.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.point.model import Equipment
    from controller.settings.energy import EnergyPlan
    from controller.settings.source import Source

    _Wrong = Callable[..., None]

__all__ = ["TARIFF_FORMS", "TariffFile", "TariffTableRow", "ended", "tariff_plan"]

_MONTH_DAY = r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
_SPAN = r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00) (peak|half_peak|saturday|off_peak)$"
TARIFF_FORMS = {
    _MONTH_DAY: "month and day such as 05-16",
    _SPAN: "from-to and period, such as 09:00-16:00 half_peak; periods are peak, half_peak, saturday, off_peak",
}
"""What a pattern asks for, for people."""
MonthDay = Annotated[str, StringConstraints(pattern=_MONTH_DAY)]
Span = Annotated[str, StringConstraints(pattern=_SPAN)]
Kind = Literal["two_section", "three_section"]
Voltage = Literal["high", "extra_high"]
Period = Literal["peak", "half_peak", "saturday", "off_peak"]
SeasonId = Literal["summer", "non_summer"]
Price = Annotated[FiniteFloat, Field(ge=0, le=100_000)]
Kilowatt = Annotated[FiniteFloat, Field(ge=0, le=1_000_000)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AccountRow(_Row):
    """`[account]`: the site's account with the utility."""

    kind: Kind
    voltage: Voltage = "high"
    regular_kw: Annotated[FiniteFloat, Field(gt=0, le=1_000_000)]
    """經常契約"""
    half_peak_kw: Kilowatt = 0.0
    """半尖峰契約; with two sections 非夏月契約"""
    saturday_kw: Kilowatt = 0.0
    """週六半尖峰契約"""
    off_peak_kw: Kilowatt = 0.0
    """離峰契約"""
    coefficient: Annotated[FiniteFloat, Field(gt=0, le=10)] = 1.0
    """電價調整係數 of the industry on the bill."""
    note: Short = ""


class SeasonRow(_Row):
    """`[[table.season]]`: a span of the year, both days included."""

    id: SeasonId
    first: MonthDay
    last: MonthDay


class HoursRow(_Row):
    """`[[table.hours]]`: the periods of a day; together the 24 hours, each once."""

    season: SeasonId
    day: Literal["weekday", "saturday", "off_peak_day"]
    spans: Annotated[list[Span], Field(min_length=1, max_length=24)]


class PriceRow(_Row):
    """`[[table.price]]`: the prices of a season, NT$."""

    season: SeasonId
    basic: Annotated[dict[Period, Price], Field(min_length=1)]
    """A kW and month: `peak` is the regular contract, `half_peak` also the non-summer one, `saturday` also off-peak."""
    energy: Annotated[dict[Period, Price], Field(min_length=1)]
    """A kWh."""


class TierRow(_Row):
    """A tier of over-contract: up to `share` of the contract at `times` the basic price; the last one has no share."""

    share: Annotated[FiniteFloat, Field(gt=0, le=10)] | None = None
    times: Annotated[FiniteFloat, Field(ge=0, le=100)]


class PowerFactorRow(_Row):
    """`power_factor`: above `base_percent` the bill falls by `step` a point up to `cap_percent`, below it rises."""

    base_percent: Annotated[int, Field(ge=0, le=100)]
    cap_percent: Annotated[int, Field(ge=0, le=100)]
    step: Annotated[FiniteFloat, Field(ge=0, le=0.1)]


class OffPeakDayRow(_Row):
    """`[[table.off_peak_day]]`: a day of the year, or a festival, that is off-peak as a whole."""

    name: NameRow
    day: MonthDay | None = None
    festival: Literal["lunar_new_year", "tomb_sweeping", "dragon_boat", "mid_autumn"] | None = None
    offset: Annotated[int, Field(ge=-15, le=15)] = 0
    """Days from it to the first day that is meant."""
    days: Annotated[int, Field(ge=1, le=15)] = 1


class TariffTableRow(_Row):
    """`[[table]]`: one price table with its dates."""

    id: Word
    kind: Kind
    voltage: Voltage = "high"
    valid_from: date
    valid_to: date | None = None
    """The last day; none until another table follows."""
    checked_until: date
    """Up to which day the prices were compared with the published ones; later bills say that they were not."""
    source: Long
    note: Short = ""
    season: Annotated[list[SeasonRow], Field(min_length=1, max_length=8)]
    hours: Annotated[list[HoursRow], Field(min_length=1, max_length=6)]
    price: Annotated[list[PriceRow], Field(min_length=1, max_length=2)]
    excess: Annotated[list[TierRow], Field(min_length=1, max_length=8)]
    power_factor: PowerFactorRow
    off_peak_day: Annotated[list[OffPeakDayRow], Field(max_length=60)] = []


class TariffFile(_Row):
    """tariff.toml."""

    account: AccountRow | None = None
    table: Annotated[list[TariffTableRow], Field(max_length=60)] = []


def tariff_plan(
    row: TariffFile, places: Source, equipment: Mapping[str, Equipment], energy: EnergyPlan, problems: list[Problem]
) -> TariffPlan:
    """Return what tariff.toml says; what is wrong is appended to `problems`."""
    before = len(problems)
    for at, table in enumerate(row.table):
        _check_table(table, at, places, problems)
    _check_dates(row, places, problems)
    account = row.account
    if account is None:
        if row.table:
            todo = "Say kind, regular_kw and coefficient in it."
            problems.append(Problem(places.name, 0, "account", "nothing", "a table [account]", todo))
        return TariffPlan()
    mine = [table for table in row.table if (table.kind, table.voltage) == (account.kind, account.voltage)]
    if not mine:
        got, line = f"{account.kind}, {account.voltage} voltage", places.line(("account", "kind"))
        problems.append(Problem(places.name, line, "account.kind", got, "the kind of a [[table]] of this file"))
    _check_contract(account, places, equipment, energy, problems)
    if len(problems) > before:
        return TariffPlan()
    contract = Contract(*(_decimal(kw) for kw in _capacities(account)))
    tables = sorted((_table(table) for table in mine), key=lambda table: table.valid_from)
    return TariffPlan(
        Account(account.kind, account.voltage, contract, _decimal(account.coefficient), account.note), tuple(tables)
    )


def ended(plan: TariffPlan, today: date) -> list[str]:
    """Return what should be known of a plan: that its last table has ended, so that nothing has a price."""
    if not plan.tables:
        return []
    last = plan.tables[-1]
    if last.valid_to is None or last.valid_to >= today:
        return []
    return [f"tariff.toml: table {last.id} ended on {last.valid_to} and none follows: there is no price since"]


def _capacities(account: AccountRow) -> tuple[float, float, float, float]:
    return account.regular_kw, account.half_peak_kw, account.saturday_kw, account.off_peak_kw


def _check_contract(
    account: AccountRow,
    places: Source,
    equipment: Mapping[str, Equipment],
    energy: EnergyPlan,
    problems: list[Problem],
) -> None:
    """Refuse a contract that the main meter's alarm knows otherwise: one of the two would watch the wrong limit."""
    for address in energy.main:
        piece = equipment.get(address.rpartition(".")[0])
        known = None if piece is None else piece.parameters.get("contract_kw")
        if len(energy.main) == 1 and isinstance(known, (int, float)) and float(known) != account.regular_kw:
            line = places.line(("account", "regular_kw"))
            wanted = f"{float(known):g}, as contract_kw of {address.rpartition('.')[0]}"
            got = f"{account.regular_kw:g}"
            problems.append(Problem(places.name, line, "account.regular_kw", got, wanted, "Change both together."))


def _check_table(table: TariffTableRow, at: int, places: Source, problems: list[Problem]) -> None:
    def wrong(path: tuple[str | int, ...], got: str, wanted: str, todo: str = "") -> None:
        place = ("table", at, *path)
        key = ".".join(str(part) for part in place if not isinstance(part, int))
        problems.append(Problem(places.name, places.line(place), key, got, wanted, todo))

    if table.valid_to is not None and table.valid_to < table.valid_from:
        wrong(("valid_to",), str(table.valid_to), f"a day not before valid_from, {table.valid_from}")
    seasons = [Season(one.id, _month_day(one.first), _month_day(one.last)) for one in table.season]
    unreal = False
    for place, row in enumerate(table.season):
        for key, text in (("first", row.first), ("last", row.last)):
            if not _real(text, 2024):
                unreal = True
                wrong(("season", place, key), f'"{text}"', "a day of the year")
    leap = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    bad = next((day for day in leap if sum(one.has(day) for one in seasons) != 1), None)
    if bad is not None and not unreal:
        count = sum(one.has(bad) for one in seasons)
        got = f"{bad:%m-%d} in {'no season' if count == 0 else f'{count} seasons'}"
        wrong(("season",), got, "each day of the year in one season")
    prices = {one.season: one for one in table.price}
    for season in SEASONS:
        if season not in prices:
            wrong(("price",), f"no prices of {season}", "one [[table.price]] for each season")
    if len(prices) < len(table.price):
        wrong(("price",), "a season twice", "one [[table.price]] for each season")
    _check_hours(table, prices, wrong)
    for place, tier in enumerate(table.excess):
        if (tier.share is None) != (place == len(table.excess) - 1):
            wrong(("excess",), f"tier {place + 1} {'without' if tier.share is None else 'with'} a share",
                  "a share in every tier but the last")  # fmt: skip
            break
    for first, second in pairwise(table.excess):
        if first.share is not None and second.share is not None and second.share <= first.share:
            wrong(("excess",), f"{second.share:g} after {first.share:g}", "shares that rise")
    if table.power_factor.cap_percent < table.power_factor.base_percent:
        got = f"{table.power_factor.cap_percent} below {table.power_factor.base_percent}"
        wrong(("power_factor",), got, "cap_percent not below base_percent")
    for place, day in enumerate(table.off_peak_day):
        if (day.day is None) == (day.festival is None):
            got = "both" if day.day else "neither"
            wrong(("off_peak_day", place, "name"), got, 'exactly one of "day" and "festival"')
        elif day.day is not None and not _real(day.day, 2025):
            wrong(("off_peak_day", place, "day"), f'"{day.day}"', "a day that every year has")


def _check_hours(table: TariffTableRow, prices: Mapping[SeasonId, PriceRow], wrong: _Wrong) -> None:
    seen: dict[tuple[str, str], int] = {}
    for place, hours in enumerate(table.hours):
        where = ("hours", place, "spans")
        key = (hours.season, hours.day)
        if key in seen:
            wrong(where, f"{hours.season}, {hours.day} twice", "the hours of each season and day once")
        seen[key] = place
        spans = [_span(text) for text in hours.spans]
        empty = next((text for text, span in zip(hours.spans, spans, strict=True) if span[0] >= span[1]), None)
        if empty is not None:
            wrong(where, f'"{empty}"', "an end after its start")
            continue
        fault = uncovered(spans)
        if fault is not None:
            minute, kind = fault
            got = f"{'a gap' if kind == 'gap' else 'two periods'} at {minute // 60:02}:{minute % 60:02}"
            wrong(where, got, "the 24 hours, each once")
        for period in dict.fromkeys(period for _, _, period in spans):
            row = prices.get(hours.season)
            if row is not None and period not in row.energy:
                got = f"{period} in {hours.season}, which has no price"
                wrong(where, got, "periods with an energy price")
    for season, day in product(SEASONS, DAY_TYPES):
        if (season, day) not in seen:
            wrong(("hours",), f"no hours of {season}, {day}", "one [[table.hours]] for each season and day")
    for season, row in prices.items():
        needed = ["peak", "saturday", *(["half_peak"] if table.kind == "three_section" or season != "summer" else [])]
        for period in needed:
            if period not in row.basic:
                wrong(("price",), f"no basic price of {period} in {season}", "the price of every contract capacity")


def _check_dates(row: TariffFile, places: Source, problems: list[Problem]) -> None:
    """Refuse tables of one kind with a gap or an overlap between their dates, and an id that is there twice."""
    listed = list(enumerate(row.table))
    ids: dict[str, int] = {}
    for at, table in listed:
        line = places.line(("table", at, "id"))
        if table.id in ids:
            todo = f"It is at line {ids[table.id]} too."
            problems.append(Problem(places.name, line, "table.id", f'"{table.id}"', "an id of its own", todo))
        ids.setdefault(table.id, line)
    for kind in dict.fromkeys((table.kind, table.voltage) for table in row.table):
        mine = [(at, table) for at, table in listed if (table.kind, table.voltage) == kind]
        mine.sort(key=lambda item: item[1].valid_from)
        for (_, earlier), (at, later) in pairwise(mine):
            wanted = None if earlier.valid_to is None else earlier.valid_to + timedelta(days=1)
            if later.valid_from == wanted:
                continue
            line = places.line(("table", at, "valid_from"))
            if wanted is None:
                said, todo = f"a day after the end of {earlier.id}", f"Give {earlier.id} a valid_to."
            else:
                said, todo = f"{wanted}, the day after {earlier.id} ends", "Neither a gap nor an overlap of days."
            problems.append(Problem(places.name, line, "table.valid_from", str(later.valid_from), said, todo))


def _table(row: TariffTableRow) -> Tariff:
    return Tariff(
        id=row.id,
        kind=row.kind,
        voltage=row.voltage,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        checked_until=row.checked_until,
        source=row.source,
        note=row.note,
        seasons=tuple(Season(one.id, _month_day(one.first), _month_day(one.last)) for one in row.season),
        hours=tuple(Hours(one.season, one.day, tuple(sorted(_span(text) for text in one.spans))) for one in row.hours),
        basic={one.season: _prices(one.basic) for one in row.price},
        energy={one.season: _prices(one.energy) for one in row.price},
        tiers=tuple(ExcessTier(_maybe(one.share), _decimal(one.times)) for one in row.excess),
        power_factor=PowerFactorRule(
            row.power_factor.base_percent, row.power_factor.cap_percent, _decimal(row.power_factor.step)
        ),
        off_peak_days=tuple(_off_peak_day(one) for one in row.off_peak_day),
    )


def _off_peak_day(row: OffPeakDayRow) -> OffPeakDay:
    month, day = (0, 0) if row.day is None else _month_day(row.day)
    return OffPeakDay(Name(row.name.zh, row.name.en), month, day, row.festival or "", row.offset, row.days)


def _prices(prices: Mapping[Period, float]) -> dict[str, Decimal]:
    return {period: _decimal(prices[period]) for period in PERIODS if period in prices}  # type: ignore[index]


def _maybe(value: float | None) -> Decimal | None:
    return None if value is None else _decimal(value)


def _decimal(value: float) -> Decimal:
    """Return the decimal that was typed: the shortest text that gives this float."""
    return Decimal(repr(float(value)))


def _month_day(text: str) -> tuple[int, int]:
    month, _, day = text.partition("-")
    return int(month), int(day)


def _real(text: str, year: int) -> bool:
    month, day = _month_day(text)
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _span(text: str) -> tuple[int, int, str]:
    hours, _, period = text.partition(" ")
    begin, _, end = hours.partition("-")
    return _minute(begin), _minute(end), period


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return min(DAY_MINUTES, int(hour) * 60 + int(minute))
