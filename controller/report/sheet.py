"""A statement as a workbook (XLSX) with charts; the one module that knows openpyxl.

Cells hold the figures of the API as they are, not rounded; how many digits are shown is the cell's format.
"""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from controller.report.note import bill_line, notes
from controller.report.word import day_text, moment_text, say, title_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["workbook"]

_KWH, _KW, _MONEY, _PRICE, _SHARE = "#,##0", "#,##0.0", "#,##0.00", "0.00", "0.0%"
_HEAD = PatternFill("solid", fgColor="E6E6E6")
_FONT = "Noto Sans TC"
_PERIODS = ("peak", "half_peak", "saturday", "off_peak")


def workbook(data: Mapping[str, Any], language: str) -> bytes:
    """Return the workbook of a report's data (`controller.report.order.Order.data`)."""
    statement = data["statement"]
    book = Workbook()
    summary = book.active
    assert summary is not None
    summary.title = say(language, "sheet.summary")
    _summary(summary, data, language)
    if statement["kind"] == "month":
        _days(book.create_sheet(say(language, "sheet.days")), statement, language)
    else:
        _load(book.create_sheet(say(language, "sheet.load")), statement, language, data["timezone"])
    if statement["bill"] is not None:
        _bill(book.create_sheet(say(language, "sheet.bill")), statement["bill"], language)
    if statement["uses"]:
        _uses(book.create_sheet(say(language, "sheet.uses")), statement, language)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _summary(sheet: Worksheet, data: Mapping[str, Any], language: str) -> None:
    statement, zone = data["statement"], ZoneInfo(data["timezone"])
    first = date.fromisoformat(statement["first"])
    sheet.append([title_text(language, data["site"][language], statement["kind"], first)])
    sheet["A1"].font = Font(name=_FONT, size=14, bold=True)
    sheet.append([say(language, "made", time=moment_text(language, data["made"], zone))])
    sheet.append([])
    _head(sheet, [say(language, key) for key in ("col.item", "col.value", "col.unit")])
    bill, peak, carbon, contract = (statement[key] for key in ("bill", "peak", "carbon", "contract"))
    rows: list[tuple[str, float | None, str, str]] = [
        (say(language, "tile.energy"), statement["kwh"], "kWh", _KWH),
        (say(language, "quality", share="").strip(), statement["quality"], "", _SHARE),
        (say(language, "tile.peak"), None if peak is None else peak["kw"], "kW", _KW),
    ]
    if contract is not None:
        rows.append((say(language, "load.contract"), contract["regular_kw"], "kW", _KW))
    if bill is not None:
        rows.append((say(language, "tile.bill"), bill["total"], say(language, "unit.money"), _KWH))
    rows.append((say(language, "tile.carbon"), None if carbon is None else carbon["kg"], "kg CO2e", _KWH))
    rows += [
        (
            f"{say(language, 'col.kwh').removesuffix(' kWh')} {say(language, 'period.' + one['period'])}",
            one["kwh"],
            "kWh",
            _KWH,
        )
        for one in statement["periods"]
    ]
    rows += [(say(language, f"compare.{one['id']}"), one["kwh"], "kWh", _KWH) for one in statement["before"]]
    for name, value, unit, shown in rows:
        _row(sheet, [name, say(language, "no") if value is None else value, unit], {2: shown})
    sheet.append([])
    for line in notes(data, language):
        sheet.append([line])
    _fit(sheet, [44, 18, 12])


def _days(sheet: Worksheet, statement: Mapping[str, Any], language: str) -> None:
    periods = [period for period in _PERIODS if any(period in day["periods"] for day in statement["days"])]
    head = [say(language, "col.day"), *(f"{say(language, 'period.' + period)} kWh" for period in periods)]
    _head(sheet, [*head, *(say(language, key) for key in ("col.kwh", "col.peak", "col.missing"))])
    for day in statement["days"]:
        at = date.fromisoformat(day["day"])
        known = day["kwh"] is not None
        values = [day["periods"].get(period) if known else None for period in periods]
        cells = [day_text(language, at), *values, day["kwh"], day["peak_kw"], day["missing"]]
        width = len(periods)
        _row(sheet, cells, {**dict.fromkeys(range(2, width + 3), _KWH), width + 3: _KW})
    count = len(statement["days"])
    if count:
        chart = BarChart()
        chart.grouping, chart.overlap = "stacked", 100
        chart.title, chart.y_axis.title = say(language, "days"), "kWh"
        last = len(periods) + 1 if periods else 2
        chart.add_data(Reference(sheet, min_col=2, max_col=last, min_row=1, max_row=count + 1), titles_from_data=True)
        _place(sheet, chart, count, f"{get_column_letter(len(periods) + 6)}2")
    _fit(sheet, [18, *[16] * (len(periods) + 3)])


def _load(sheet: Worksheet, statement: Mapping[str, Any], language: str, timezone: str) -> None:
    zone = ZoneInfo(timezone)
    contract = statement["contract"]
    head = [say(language, "col.time"), say(language, "col.kw")]
    _head(sheet, [*head, say(language, "load.contract") + " kW"] if contract else head)
    for window in statement["load"]:
        moment = datetime.fromisoformat(window["start"]).replace(tzinfo=UTC).astimezone(zone)
        cells = [f"{moment:%H:%M}", window["kw"], *([contract["regular_kw"]] if contract else [])]
        _row(sheet, cells, {2: _KW, 3: _KW})
    count = len(statement["load"])
    if count:
        chart = LineChart()
        chart.title, chart.y_axis.title = say(language, "load"), "kW"
        chart.add_data(
            Reference(sheet, min_col=2, max_col=3 if contract else 2, min_row=1, max_row=count + 1),
            titles_from_data=True,
        )
        _place(sheet, chart, count, "E2")
    _fit(sheet, [10, 14, 16])


def _bill(sheet: Worksheet, bill: Mapping[str, Any], language: str) -> None:
    _head(sheet, [say(language, key) for key in ("col.item", "col.quantity", "col.unit", "col.price", "col.amount")])
    for line in bill["lines"]:
        unit = "kWh" if line["kind"] == "energy" else "kW"
        _row(
            sheet,
            [bill_line(line, language), line["quantity"], unit, line["price"], line["amount"]],
            {2: _MONEY, 4: _PRICE, 5: _MONEY},
        )
    known = bill["power_factor_percent"]
    power = (
        say(language, "bill.adjustment.unknown")
        if known is None
        else say(language, "bill.adjustment", percent=str(known))
    )
    for name, amount, shown in (
        (power, bill["adjustment"], _MONEY),
        (say(language, "bill.subtotal"), bill["subtotal"], _MONEY),
        (say(language, "bill.coefficient"), bill["coefficient"], "0.000"),
        (say(language, "bill.total"), bill["total"], "#,##0"),
    ):
        _row(sheet, [name, None, None, None, amount], {5: shown})
    for cell in sheet[sheet.max_row]:
        cell.font = Font(name=_FONT, bold=True)
    _fit(sheet, [36, 16, 8, 12, 18])


def _uses(sheet: Worksheet, statement: Mapping[str, Any], language: str) -> None:
    _head(sheet, [say(language, key) for key in ("col.use", "col.kwh", "col.note")])
    for use in statement["uses"]:
        note = "" if use["whole"] else say(language, "no" if use["kwh"] is None else "partial")
        _row(sheet, [use["name"][language], use["kwh"], note], {2: _KWH})
    count = len(statement["uses"])
    chart = BarChart()
    chart.type, chart.title, chart.legend = "bar", say(language, "uses"), None
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=count + 1), titles_from_data=True)
    _place(sheet, chart, count, "E2")
    _fit(sheet, [28, 16, 12])


def _head(sheet: Worksheet, names: Sequence[str]) -> None:
    sheet.append(list(names))
    for cell in sheet[sheet.max_row]:
        cell.font, cell.fill = Font(name=_FONT, bold=True), _HEAD
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    if sheet.max_row == 1:
        sheet.freeze_panes = "A2"


def _row(sheet: Worksheet, values: Sequence[Any], formats: Mapping[int, str]) -> None:
    sheet.append(list(values))
    for column, shown in formats.items():
        sheet.cell(sheet.max_row, column).number_format = shown


def _place(sheet: Worksheet, chart: BarChart | LineChart, count: int, anchor: str) -> None:
    chart.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=count + 1))
    chart.width, chart.height = 24, 10
    # A chart of openpyxl hides its axes in newer programs unless it is told not to.
    chart.x_axis.delete = chart.y_axis.delete = False
    sheet.add_chart(chart, anchor)


def _fit(sheet: Worksheet, widths: Sequence[float]) -> None:
    for at, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(at)].width = width
