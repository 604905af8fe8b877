"""A statement as pages (PDF); the one module that knows typst.

Every text and number is written here; `statement.typ` lays them out. Fonts are those that the build of the control room
makes; nothing of the machine's own fonts is used, so that a report looks the same everywhere.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import typst

from controller.errors import UnavailableError
from controller.report.note import baseline_notes, bill_line, bill_notes, carbon_notes, quality_notes
from controller.report.word import moment_text, number, percent, say, span_text, title_text
from controller.share import share_dir

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["document", "font_folder", "pages", "pictures"]

_PERIODS = ("peak", "half_peak", "saturday", "off_peak")
_TEMPLATE = Path(__file__).with_name("statement.typ")


def font_folder() -> Path:
    """Return where the fonts of reports are: in the built control room, or beside its sources.

    Raises:
        UnavailableError: the control room was not built.
    """
    room = share_dir("dashboards") / "control_room"
    for folder in (room / "dist" / "generated" / "fonts", room / "public" / "generated" / "fonts"):
        if any(folder.glob("report-*.ttf")):
            return folder
    raise UnavailableError(
        f"{room}: no fonts for reports; build the control room (python build.py) or install the wheel"
    )


def pages(data: Mapping[str, Any], language: str) -> bytes:
    """Return the PDF of a report's data (`controller.report.order.Order.data`).

    Raises:
        UnavailableError: there are no fonts.
    """
    return _compiled(data, language, "pdf")[0]


def pictures(data: Mapping[str, Any], language: str) -> list[bytes]:
    """Return the pages as PNG, 110 dots an inch, to be looked at.

    Raises:
        UnavailableError: there are no fonts.
    """
    return _compiled(data, language, "png")


def _compiled(data: Mapping[str, Any], language: str, kind: Literal["pdf", "png"]) -> list[bytes]:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[font_folder()])
    made: bytes | list[bytes] = typst.compile(
        _TEMPLATE,
        font_paths=fonts,
        format=kind,
        ppi=110.0,
        sys_inputs={"data": json.dumps(document(data, language), ensure_ascii=False)},
        timestamp=round(datetime.fromisoformat(data["made"]).replace(tzinfo=UTC).timestamp()),
    )
    return made if isinstance(made, list) else [made]


def document(data: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Return what the template lays out."""
    statement, zone = data["statement"], ZoneInfo(data["timezone"])
    first = date.fromisoformat(statement["first"])
    span = span_text(language, statement["kind"], first)
    sections = [_comparison(statement, language)]
    sections += [_days(statement, language) if statement["kind"] == "month" else _load(statement, language, zone)]
    if statement["periods"]:
        sections.append(_periods(statement, language))
    if statement["bill"] is not None:
        sections.append(_bill(statement["bill"], language))
    if statement["uses"]:
        sections.append(_uses(statement, language))
    sections.append(_section(say(language, "carbon"), notes=carbon_notes(statement, language)))
    if data["baseline"] is not None:
        sections.append(_section(say(language, "baseline"), notes=baseline_notes(data["baseline"], language)))
    if statement["kind"] == "month":
        sections.append(_day_table(statement, language))
    return {
        "lang": language,
        "region": "TW" if language == "zh" else "GB",
        "title": title_text(language, data["site"][language], statement["kind"], first),
        "made": say(language, "made", time=moment_text(language, data["made"], zone)),
        "footer": f"Shifu 市府 {data['version']} · {data['site'][language]} · {span}",
        "page": say(language, "page", page="{page}", pages="{pages}"),
        "quality": quality_notes(data, language),
        "tiles": _tiles(statement, language, zone),
        "sections": [one for one in sections if one["chart"] or one["table"] or one["notes"]],
    }


def _tiles(statement: Mapping[str, Any], language: str, zone: ZoneInfo) -> list[dict[str, str]]:
    bill, peak, carbon, contract = (statement[key] for key in ("bill", "peak", "carbon", "contract"))
    tiles = [_tile(say(language, "tile.energy"), number(statement["kwh"]), "kWh", "")]
    if bill is not None:
        tiles.append(_tile(say(language, "tile.bill"), number(bill["total"]), say(language, "unit.money"), ""))
    at = "" if peak is None else say(language, "tile.peak.at", time=_hour(peak["start"], zone, statement["kind"]))
    of = "" if contract is None else say(language, "tile.peak.of", kw=number(contract["regular_kw"]))
    kw = None if peak is None else peak["kw"]
    tiles.append(_tile(say(language, "tile.peak"), number(kw), "kW", " · ".join(filter(None, (at, of)))))
    provisional = carbon is not None and any(factor["provisional"] for factor in carbon["factors"])
    note = {"zh": "暫用係數", "en": "provisional factor"}[language] if provisional else ""
    tiles.append(_tile(say(language, "tile.carbon"), number(None if carbon is None else carbon["kg"]), "kg CO2e", note))
    return tiles


def _comparison(statement: Mapping[str, Any], language: str) -> dict[str, Any]:
    now = statement["kwh"]
    rows = [_cells(say(language, "compare.this"), number(now), "")]
    for one in statement["before"]:
        if one["kwh"] is None or now is None:
            change = say(language, "no")
        elif one["whole"] and statement["whole"] and one["kwh"] > 0:
            change = percent((now - one["kwh"]) / one["kwh"], sign=True)
        else:
            change = say(language, "partial")
        rows.append(_cells(say(language, f"compare.{one['id']}"), number(one["kwh"]), change))
    head = [say(language, key) for key in ("compare.span", "col.kwh", "compare.change")]
    return _section(say(language, "compare"), table=_table(head, rows))


def _days(statement: Mapping[str, Any], language: str) -> dict[str, Any]:
    days = statement["days"]
    periods = [period for period in _PERIODS if any(period in day["periods"] for day in days)]
    bars = [
        {
            "label": str(date.fromisoformat(day["day"]).day),
            "parts": _parts(day, periods),
            "missing": day["missing"] > 0,
        }
        for day in days
    ]
    names = [say(language, f"period.{period}") for period in periods]
    return _section(say(language, "days"), chart=_chart(bars, names, "kWh", language))


def _day_table(statement: Mapping[str, Any], language: str) -> dict[str, Any]:
    head = [say(language, key) for key in ("col.day", "col.kwh", "col.peak", "col.missing")]
    rows = [
        _cells(_short(day["day"], language), number(day["kwh"]), number(day["peak_kw"]), number(day["missing"]))
        for day in statement["days"]
    ]
    return _section(say(language, "days.table"), table=_table(head, rows))


def _parts(day: Mapping[str, Any], periods: Sequence[str]) -> list[float]:
    if day["kwh"] is None:
        return []
    return [day["periods"].get(period, 0.0) for period in periods] if periods else [day["kwh"]]


def _load(statement: Mapping[str, Any], language: str, zone: ZoneInfo) -> dict[str, Any]:
    bars = []
    for window in statement["load"]:
        hour = _hour(window["start"], zone, "day")
        label = hour[:2] if hour.endswith(":00") and int(hour[:2]) % 2 == 0 else ""
        bars.append(
            {
                "label": label,
                "parts": [] if window["kw"] is None else [window["kw"]],
                "missing": window["kw"] is None,
            }
        )
    contract = statement["contract"]
    limit = None if contract is None else contract["regular_kw"]
    return _section(say(language, "load"), chart=_chart(bars, [], "kW", language, limit))


def _periods(statement: Mapping[str, Any], language: str) -> dict[str, Any]:
    whole = sum(one["kwh"] for one in statement["periods"])
    rows = [
        _cells(
            say(language, f"period.{one['period']}"), number(one["kwh"]), percent(one["kwh"] / whole if whole else None)
        )
        for one in statement["periods"]
    ]
    rows.append(_cells(say(language, "col.total"), number(whole), "", strong=True))
    head = [say(language, key) for key in ("col.period", "col.kwh", "col.share")]
    return _section(say(language, "periods"), table=_table(head, rows))


def _bill(bill: Mapping[str, Any], language: str) -> dict[str, Any]:
    rows = []
    for line in bill["lines"]:
        unit = "kWh" if line["kind"] == "energy" else "kW"
        whole = unit == "kWh" or line["quantity"] == round(line["quantity"])
        quantity = f"{number(line['quantity'], 0 if whole else 1)} {unit}"
        rows.append(_cells(bill_line(line, language), quantity, number(line["price"], 2), number(line["amount"], 2)))
    known = bill["power_factor_percent"]
    power = (
        say(language, "bill.adjustment.unknown")
        if known is None
        else say(language, "bill.adjustment", percent=str(known))
    )
    rows += [
        _cells(power, "", "", number(bill["adjustment"], 2)),
        _cells(say(language, "bill.subtotal"), "", "", number(bill["subtotal"], 2)),
        _cells(say(language, "bill.coefficient"), "", "", f"× {number(bill['coefficient'], 3)}"),
        _cells(say(language, "bill.total"), "", "", number(bill["total"]), strong=True),
    ]
    head = [say(language, key) for key in ("col.item", "col.quantity", "col.price", "col.amount")]
    return _section(say(language, "bill"), table=_table(head, rows), notes=bill_notes(bill, language))


def _uses(statement: Mapping[str, Any], language: str) -> dict[str, Any]:
    whole, uses = statement["kwh"], statement["uses"]
    rows = [
        _cells(
            use["name"][language],
            number(use["kwh"]),
            percent(use["kwh"] / whole if whole and use["kwh"] is not None and use["whole"] else None),
            "" if use["whole"] else say(language, "no" if use["kwh"] is None else "partial"),
        )
        for use in sorted(uses, key=lambda use: -(use["kwh"] or 0.0))
    ]
    if whole and statement["whole"] and all(use["whole"] for use in uses):
        rest = whole - sum(use["kwh"] for use in uses)
        rows.append(_cells(say(language, "uses.rest"), number(rest), percent(rest / whole), ""))
    head = [say(language, key) for key in ("col.use", "col.kwh", "col.share", "col.note")]
    return _section(say(language, "uses"), table=_table(head, rows))


def _chart(
    bars: list[dict[str, Any]], names: list[str], unit: str, language: str, limit: float | None = None
) -> dict[str, Any] | None:
    highest = max((sum(bar["parts"]) for bar in bars), default=0.0)
    if highest <= 0:
        return None
    step = _round_step(max(highest, limit or 0.0) / 4)
    count = int(max(highest, limit or 0.0) / step) + 1
    note = {"zh": f"單位 {unit}；灰底為有缺值時段。", "en": f"{unit}; grey: readings are missing."}[language]
    if not any(bar["missing"] for bar in bars):
        note = unit
    named = None if limit is None else {"at": limit, "text": f"{say(language, 'load.contract')} {number(limit)} {unit}"}
    return {
        "top": step * count,
        "ticks": [{"at": step * at, "text": number(step * at)} for at in range(count + 1)],
        "bars": bars,
        "keys": names,
        "limit": named,
        "note": note,
    }


def _round_step(wanted: float) -> float:
    """Return the next of 1, 2, 5, 10, … that is not less."""
    size = 1.0
    while size * 10 < wanted:
        size *= 10
    return next(size * times for times in (1, 2, 5, 10) if size * times >= wanted)


def _section(
    heading: str,
    table: dict[str, Any] | None = None,
    chart: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    return {"heading": heading, "table": table, "chart": chart, "notes": list(notes)}


def _table(head: list[str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    sides = ["left", *["right"] * (len(head) - 1)]
    return {"head": head, "rows": rows, "align": sides, "widths": ["fill", *["auto"] * (len(head) - 1)]}


def _cells(*cells: str, strong: bool = False) -> dict[str, Any]:
    return {"cells": list(cells), "strong": strong}


def _tile(name: str, value: str, unit: str, note: str) -> dict[str, str]:
    return {"name": name, "value": value, "unit": unit, "note": note}


def _short(iso: str, language: str) -> str:
    day = date.fromisoformat(iso)
    names = {"zh": "一二三四五六日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}[language]
    name = names[day.weekday()]
    return f"{day.month}/{day.day}（{name}）" if language == "zh" else f"{day.day} {day:%b} ({name})"


def _hour(iso: str, zone: ZoneInfo, kind: str) -> str:
    moment = datetime.fromisoformat(iso).replace(tzinfo=UTC).astimezone(zone)
    return f"{moment:%H:%M}" if kind == "day" else f"{moment.month}/{moment.day} {moment:%H:%M}"
