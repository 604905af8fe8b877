"""`/energy/statement`, `/energy/baseline`: a day or a month with money and carbon, and what it should have used."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item, NameReply
from controller.api.energy import FactorReply
from controller.api.render import Json
from controller.api.runtime import Runtime
from controller.energy.figure import ledger_figures, statement_figures
from controller.energy.meter import local_day
from controller.energy.statement import Books, ledger, make
from controller.errors import InvalidError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.settings.energy import books_of

__all__ = ["first_day", "router"]

router = APIRouter(prefix="/energy", tags=["energy"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Kind = Literal["day", "month"]
Day = Annotated[date | None, Query(description="the first day, such as 2026-01-01; the present span if left out")]
_EARLIEST = date(2000, 1, 1)


class PeriodKwhReply(Item):
    """Energy of a period of the tariff: `peak`, `half_peak`, `saturday`, `off_peak`."""

    period: str
    kwh: float


class PeakReply(Item):
    """The highest demand, and when its quarter of an hour began."""

    kw: float
    start: str


class ContractReply(Item):
    """The contract capacities of the account, kW."""

    kind: str
    regular_kw: float
    half_peak_kw: float
    saturday_kw: float
    off_peak_kw: float
    note: str


class DayReply(Item):
    """A day of a month; `kwh` is that of the quarter hours that are known."""

    day: str
    kwh: float | None
    periods: dict[str, float]
    peak_kw: float | None
    missing: int


class LoadReply(Item):
    """Mean power of a quarter of an hour; null where readings are missing."""

    start: str
    kw: float | None


class ComparedReply(Item):
    """The same stretch of another span: `day_before`, `week_before`, `month_before`, `year_before`."""

    id: str
    kwh: float | None
    whole: bool
    """False: of a part of that span; there is nothing to compare."""


class EndUseReply(Item):
    """What an end use took."""

    id: str
    name: NameReply
    kwh: float | None
    whole: bool
    """False: at least so much; readings are missing at an end of the span."""


class CarbonReply(Item):
    """Carbon, with the factors it was made with."""

    kg: float
    factors: list[FactorReply]


class PeriodKwReply(Item):
    """The highest demand in a period."""

    period: str
    kw: float


class LineReply(Item):
    """A line of a bill: `basic` (kW), `energy` (kWh), `excess` (kW over the contract, `price` before its multiple)."""

    kind: str
    season: str
    period: str
    quantity: float
    price: float
    amount: float


class TableReply(Item):
    """A price table that the bill is made with."""

    id: str
    source: str
    checked_until: str
    note: str


class BillReply(Item):
    """A month's bill so far, NT$: (basic + energy + excess + adjustment) x coefficient."""

    total: int
    basic: float
    energy: float
    excess: float
    adjustment: float
    """For the power factor; less than 0 is a rebate."""
    subtotal: float
    coefficient: float
    power_factor_percent: int | None
    kwh: float
    highest: list[PeriodKwReply]
    lines: list[LineReply]
    tables: list[TableReply]
    unchecked: bool
    """True: nobody compared the prices of the last days with the published ones."""
    complete: bool
    """False: the month is not over, or quarter hours are missing; nothing is billed for them here."""


_STATEMENT: dict[str, Any] = {
    "kind": "month",
    "first": "2026-01-01",
    "start": "2025-12-31T16:00:00.000Z",
    "end": "2026-01-31T16:00:00.000Z",
    "until": "2026-01-01T16:00:00.000Z",
    "over": False,
    "kwh": 28_800.0,
    "unplaced_kwh": 0.0,
    "windows": 96,
    "missing": 0,
    "quality": 1.0,
    "whole": True,
    "resets": 0,
    "periods": [{"period": "off_peak", "kwh": 28_800.0}],
    "peak": {"kw": 1_200.0, "start": "2025-12-31T16:00:00.000Z"},
    "contract": {
        "kind": "three_section",
        "regular_kw": 5_000.0,
        "half_peak_kw": 0.0,
        "saturday_kw": 0.0,
        "off_peak_kw": 0.0,
        "note": "",
    },
    "days": [
        {"day": "2026-01-01", "kwh": 28_800.0, "periods": {"off_peak": 28_800.0}, "peak_kw": 1_200.0, "missing": 0}
    ],
    "load": [],
    "before": [{"id": "month_before", "kwh": 28_100.0, "whole": True}],
    "uses": [{"id": "cooling", "name": {"zh": "冰水系統", "en": "Chilled water"}, "kwh": 9_000.0, "whole": True}],
    "carbon": {
        "kg": 13_449.6,
        "factors": [
            {
                "year": 2026,
                "factor_year": 2025,
                "kg_per_kwh": 0.467,
                "source": "經濟部能源署公告",
                "note": "",
                "provisional": True,
            }
        ],
    },
    "bill": {
        "total": 904_681,
        "basic": 834_500.0,
        "energy": 66_816.0,
        "excess": 0.0,
        "adjustment": -13_519.74,
        "subtotal": 887_796.26,
        "coefficient": 1.017,
        "power_factor_percent": 96,
        "kwh": 28_800.0,
        "highest": [{"period": "off_peak", "kw": 1_200.0}],
        "lines": [
            {
                "kind": "energy",
                "season": "non_summer",
                "period": "off_peak",
                "quantity": 28_800.0,
                "price": 2.32,
                "amount": 66_816.0,
            }
        ],
        "tables": [
            {"id": "hv-three-113-10", "source": "台灣電力公司電價表", "checked_until": "2025-11-17", "note": ""}
        ],
        "unchecked": True,
        "complete": False,
    },
}


class StatementReply(Item):
    """A day or a month, up to `until`."""

    kind: str
    first: str
    start: str
    end: str
    until: str
    over: bool
    kwh: float | None
    """All that the counters counted; null where nothing is known."""
    unplaced_kwh: float
    """Of it, what was counted over gaps of readings and belongs to no quarter of an hour."""
    windows: int
    """Quarter hours that are over."""
    missing: int
    """Of them, without energy."""
    quality: float | None
    """Share of the quarter hours that are known."""
    whole: bool
    """False: `kwh` is of a part of the span, for readings are missing at an end of it, or a counter was reset."""
    resets: int
    periods: list[PeriodKwhReply]
    peak: PeakReply | None
    contract: ContractReply | None
    days: list[DayReply]
    load: list[LoadReply]
    """The quarter hours of a day; empty for a month."""
    before: list[ComparedReply]
    uses: list[EndUseReply]
    carbon: CarbonReply | None
    bill: BillReply | None
    """Of a month with a tariff."""
    model_config = ConfigDict(json_schema_extra={"examples": [_STATEMENT]})


class KindsReply(Item):
    """A figure for working days and for the others."""

    working: float
    other: float


class ModelReply(Item):
    """The change-point model, and its quality on days that it was not fitted to (shares, not per cent)."""

    first: str
    last: str
    change_point: float
    base_kwh: KindsReply
    slope_kwh_per_k: KindsReply
    fitted: int
    held_out: int
    cvrmse: float
    nmbe: float
    most_cvrmse: float
    most_nmbe: float
    good: bool
    """False: it is too far off to speak of savings."""


class AgainstReply(Item):
    """The month's days that are over and known, beside what the model says of them."""

    days: int
    measured_kwh: float
    expected_kwh: float
    saved_kwh: float
    """Less than 0: more was used."""
    beyond: int
    """Days with a temperature that the model has not seen."""


class BaselineReply(Item):
    """The baseline of the year before a month, or why there is none: `few_days` or `no_cooling`."""

    refusal: str | None
    days: int
    """Days with energy and temperature."""
    needed: int | None
    model: ModelReply | None
    against: AgainstReply | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"refusal": "few_days", "days": 7, "needed": 270, "model": None, "against": None},
                {
                    "refusal": None,
                    "days": 365,
                    "needed": None,
                    "model": {
                        "first": "2025-01-01",
                        "last": "2025-12-31",
                        "change_point": 19.0,
                        "base_kwh": {"working": 24_000.0, "other": 14_000.0},
                        "slope_kwh_per_k": {"working": 900.0, "other": 300.0},
                        "fitted": 292,
                        "held_out": 73,
                        "cvrmse": 0.062,
                        "nmbe": 0.004,
                        "most_cvrmse": 0.2,
                        "most_nmbe": 0.05,
                        "good": True,
                    },
                    "against": {
                        "days": 20,
                        "measured_kwh": 520_000.0,
                        "expected_kwh": 540_000.0,
                        "saved_kwh": 20_000.0,
                        "beyond": 0,
                    },
                },
            ]
        }
    )


def first_day(runtime: Runtime, books: Books, kind: str, day: date | None) -> date:
    """Return the first day of a span that was asked for.

    Raises:
        InvalidError: it is no first of a month, in the future, or before 2000.
    """
    today = local_day(runtime.clock.now_ns(), books.zone)
    if day is None:
        return today if kind == "day" else today.replace(day=1)
    if kind == "month" and day.day != 1:
        raise InvalidError(f"first: got {day}, wanted the first day of a month, such as {day.replace(day=1)}")
    if not _EARLIEST <= day <= today:
        raise InvalidError(f"first: got {day}, wanted a day from {_EARLIEST} to today, {today}")
    return day


def _books(runtime: Runtime, principal: Principal) -> Books:
    def visible(point: Any) -> bool:
        return principal.permissions.allows(Action.VIEW, point.area)

    return books_of(runtime.energy(), runtime.tariff(), runtime.site(), visible)


@router.get("/statement", response_model=StatementReply)
async def read_statement(runtime: RuntimeDep, principal: Viewer, kind: Kind = "month", first: Day = None) -> Json:
    """Return a day or a month: energy by period, demand, comparison, carbon, end uses, and of a month the bill.

    Meters outside of what one may see are left out; without all main meters there is no bill.
    """
    books = _books(runtime, principal)
    statement = await make(runtime.metering, books, kind, first_day(runtime, books, kind, first))
    return Json(statement_figures(statement, books))


@router.get("/baseline", response_model=BaselineReply)
async def read_baseline(runtime: RuntimeDep, principal: Viewer, first: Day = None) -> Json:
    """Return the weather baseline of the year before a month, its quality, and the month beside it."""
    books = _books(runtime, principal)
    month = first_day(runtime, books, "month", first)
    today = local_day(runtime.clock.now_ns(), books.zone)
    return Json(ledger_figures(await ledger(runtime.metering, books, month, today)))
