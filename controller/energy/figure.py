"""Statements as plain figures: what the API answers and what reports are made of, so that the two cannot differ.

Energy in kWh, power in kW, carbon in kg CO2e, money in NT$ (`total` is whole dollars, lines to the cent); times are ISO
8601 in UTC, days are those of the site; null is "not known".
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from controller.energy.baseline import MOST_CVRMSE, MOST_NMBE, Refusal

if TYPE_CHECKING:
    from controller.energy.bill import Bill
    from controller.energy.carbon import Used
    from controller.energy.statement import Books, Ledger, Peak, Statement

__all__ = ["factor_figures", "ledger_figures", "statement_figures"]

_CENT = Decimal("0.01")


def statement_figures(statement: Statement, books: Books) -> dict[str, Any]:
    """Return a statement as JSON."""
    load, carbon = statement.load, statement.carbon
    return {
        "kind": statement.kind,
        "first": statement.first.isoformat(),
        "start": _iso(statement.start_ns),
        "end": _iso(statement.end_ns),
        "until": _iso(statement.until_ns),
        "over": statement.over,
        "kwh": _energy(load.total_kwh),
        "unplaced_kwh": _energy(load.unplaced_kwh),
        "windows": len(load),
        "missing": load.missing,
        "quality": statement.quality,
        "whole": load.whole,
        "resets": load.resets,
        "periods": [{"period": period, "kwh": _energy(kwh)} for period, kwh in statement.periods.items()],
        "peak": _peak(statement.peak),
        "contract": _contract(books),
        "days": [
            {
                "day": day.day.isoformat(),
                "kwh": _energy(day.kwh),
                "periods": {period: _energy(kwh) for period, kwh in day.periods.items()},
                "peak_kw": None if day.peak is None else _energy(day.peak.kw),
                "missing": day.missing,
            }
            for day in statement.days
        ],
        "load": _load(statement),
        "before": [{"id": one.id, "kwh": _energy(one.kwh), "whole": one.whole} for one in statement.before],
        "uses": [
            {
                "id": use.id,
                "name": {"zh": use.name.zh, "en": use.name.en},
                "kwh": _energy(use.kwh),
                "whole": use.whole,
            }
            for use in statement.uses
        ],
        "carbon": None
        if carbon is None
        else {"kg": _energy(carbon.kg), "factors": [factor_figures(one) for one in carbon.used]},
        "bill": None if statement.bill is None else _bill(statement.bill, over=statement.over),
    }


def ledger_figures(ledger: Ledger) -> dict[str, Any]:
    """Return what the baseline says, or why there is none, as JSON."""
    model, against = ledger.model, ledger.against
    if isinstance(model, Refusal):
        return {"refusal": model.reason, "days": model.days, "needed": model.needed, "model": None, "against": None}
    return {
        "refusal": None,
        "days": model.fitted + model.held_out,
        "needed": None,
        "model": {
            "first": model.first.isoformat(),
            "last": model.last.isoformat(),
            "change_point": model.change_point,
            "base_kwh": {"working": model.base_kwh[0], "other": model.base_kwh[1]},
            "slope_kwh_per_k": {"working": model.slope_kwh_per_k[0], "other": model.slope_kwh_per_k[1]},
            "fitted": model.fitted,
            "held_out": model.held_out,
            "cvrmse": model.cvrmse,
            "nmbe": model.nmbe,
            "most_cvrmse": MOST_CVRMSE,
            "most_nmbe": MOST_NMBE,
            "good": model.good,
        },
        "against": None
        if against is None
        else {
            "days": against.days,
            "measured_kwh": _energy(against.measured_kwh),
            "expected_kwh": _energy(against.expected_kwh),
            "saved_kwh": _energy(against.saved_kwh),
            "beyond": against.beyond,
        },
    }


def factor_figures(used: Used) -> dict[str, Any]:
    """Return a carbon factor, and the year that it is used for, as JSON."""
    return {
        "year": used.year,
        "factor_year": used.factor.year,
        "kg_per_kwh": used.factor.kg_per_kwh,
        "source": used.factor.source,
        "note": used.factor.note,
        "provisional": used.provisional,
    }


def _load(statement: Statement) -> list[dict[str, Any]]:
    """Return the quarter hours of a day; a month has its days."""
    if statement.kind != "day":
        return []
    load = statement.load
    pairs = zip(load.start_ns.tolist(), load.kwh.tolist(), strict=True)
    return [{"start": _iso(start), "kw": _energy(4 * kwh)} for start, kwh in pairs]


def _contract(books: Books) -> dict[str, Any] | None:
    account = None if books.tariff is None else books.tariff.account
    if account is None:
        return None
    capacity = account.contract
    return {
        "kind": account.kind,
        "regular_kw": float(capacity.regular),
        "half_peak_kw": float(capacity.half_peak),
        "saturday_kw": float(capacity.saturday),
        "off_peak_kw": float(capacity.off_peak),
        "note": account.note,
    }


def _bill(bill: Bill, *, over: bool) -> dict[str, Any]:
    return {
        "total": bill.total,
        "basic": _money(bill.basic),
        "energy": _money(bill.energy),
        "excess": _money(bill.excess),
        "adjustment": _money(bill.adjustment),
        "subtotal": _money(bill.subtotal),
        "coefficient": float(bill.coefficient),
        "power_factor_percent": bill.power_factor_percent,
        "kwh": float(bill.kwh),
        "highest": [{"period": period, "kw": float(kw)} for period, kw in bill.highest().items()],
        "lines": [
            {
                "kind": line.kind,
                "season": line.season,
                "period": line.period,
                "quantity": float(line.quantity),
                "price": float(line.price),
                "amount": _money(line.amount),
            }
            for line in bill.lines
        ],
        "tables": [
            {
                "id": table.id,
                "source": table.source,
                "checked_until": table.checked_until.isoformat(),
                "note": table.note,
            }
            for table in {part.table.id: part.table for part in bill.parts}.values()
        ],
        "unchecked": bill.unchecked,
        "complete": over and not bill.missing,
    }


def _peak(peak: Peak | None) -> dict[str, Any] | None:
    return None if peak is None else {"kw": _energy(peak.kw), "start": _iso(peak.start_ns)}


def _money(value: Decimal) -> float:
    return float(value.quantize(_CENT, ROUND_HALF_UP))


def _energy(value: float | None) -> float | None:
    """Return kWh, kW or kg to a thousandth; None for what is not known."""
    return None if value is None or value != value else round(value, 3)  # noqa: PLR0124 - NaN


def _iso(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%S}.000Z"
