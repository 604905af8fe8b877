"""What must be said beside the figures: missing data, unchecked prices, provisional factors, the baseline."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from controller.report.word import day_text, moment_text, number, percent, say

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["baseline_notes", "bill_line", "bill_notes", "carbon_notes", "notes", "quality_notes"]


def notes(data: Mapping[str, Any], language: str) -> list[str]:
    """Return all of them, in the order of the report."""
    statement = data["statement"]
    return [
        *quality_notes(data, language),
        *(bill_notes(statement["bill"], language) if statement["bill"] is not None else []),
        *carbon_notes(statement, language),
        *baseline_notes(data["baseline"], language),
    ]


def quality_notes(data: Mapping[str, Any], language: str) -> list[str]:
    """Return how much of the period is known."""
    statement = data["statement"]
    found = []
    if not statement["over"]:
        until = moment_text(language, statement["until"], ZoneInfo(data["timezone"]))
        found.append(say(language, "until", time=until))
    windows, missing = statement["windows"], statement["missing"]
    if missing == windows:
        return [*found, say(language, "quality.none")]
    key = "quality.missing" if missing else "quality.whole"
    share = say(language, "quality", share=percent(statement["quality"]))
    counts = say(language, key, windows=number(windows), missing=number(missing))
    found.append(f"{share}：{counts}" if language == "zh" else f"{share}: {counts}")
    if statement["unplaced_kwh"]:
        found.append(say(language, "quality.unplaced", kwh=number(statement["unplaced_kwh"])))
    if statement["resets"]:
        found.append(say(language, "quality.resets", count=number(statement["resets"])))
    return found


def bill_notes(bill: Mapping[str, Any], language: str) -> list[str]:
    """Return what a bill leaves open."""
    found = []
    if not bill["complete"]:
        found.append(say(language, "bill.incomplete"))
    if bill["unchecked"]:
        day = min(date.fromisoformat(table["checked_until"]) for table in bill["tables"])
        found.append(say(language, "bill.unchecked", day=day_text(language, day)))
    return found + [say(language, "bill.source", source=table["source"]) for table in bill["tables"]]


def carbon_notes(statement: Mapping[str, Any], language: str) -> list[str]:
    """Return how the carbon was worked out."""
    carbon = statement["carbon"]
    if carbon is None:
        return [] if statement["kwh"] is None else [say(language, "carbon.none")]
    found = []
    for factor in carbon["factors"]:
        used = _year(language, factor["factor_year"])
        kwh = number(statement["kwh"])
        found.append(say(language, "carbon.factor", kwh=kwh, factor=number(factor["kg_per_kwh"], 3), year=used))
        if factor["provisional"]:
            found.append(say(language, "carbon.provisional", year=_year(language, factor["year"]), used=used))
        found.append(say(language, "bill.source", source="，".join(filter(None, (factor["source"], factor["note"])))))
    return found


def baseline_notes(baseline: Mapping[str, Any] | None, language: str) -> list[str]:
    """Return the baseline with its quality, or why there is none."""
    if baseline is None:
        return []
    model, against = baseline["model"], baseline["against"]
    if model is None:
        needed = number(baseline["needed"])
        return [say(language, f"baseline.{baseline['refusal']}", days=number(baseline["days"]), needed=needed)]
    found = [
        say(
            language,
            "baseline.model",
            first=day_text(language, date.fromisoformat(model["first"])),
            last=day_text(language, date.fromisoformat(model["last"])),
            fitted=number(model["fitted"]),
            held=number(model["held_out"]),
            point=number(model["change_point"], 2),
            cvrmse=percent(model["cvrmse"]),
            nmbe=percent(model["nmbe"], sign=True),
        )
    ]
    if not model["good"]:
        limits = {"cvrmse": percent(model["most_cvrmse"], 0), "nmbe": percent(model["most_nmbe"], 0)}
        return [*found, say(language, "baseline.bad", **limits)]
    if against is not None:
        share = against["saved_kwh"] / against["expected_kwh"] if against["expected_kwh"] else None
        found.append(
            say(
                language,
                "baseline.against",
                days=number(against["days"]),
                measured=number(against["measured_kwh"]),
                expected=number(against["expected_kwh"]),
                saved=number(against["saved_kwh"]),
                share=percent(share, sign=True),
            )
        )
        if against["beyond"]:
            found.append(say(language, "baseline.beyond", count=number(against["beyond"])))
    return found


def bill_line(line: Mapping[str, Any], language: str) -> str:
    """Return what a line of a bill is for."""
    kind = "contract" if line["kind"] == "basic" else "period"
    period, season = say(language, f"{kind}.{line['period']}"), say(language, f"season.{line['season']}")
    name = say(language, f"bill.{line['kind']}")
    if language == "zh":
        return f"{name} {season}{period}"
    return f"{name}, {season} {period if line['period'] == 'saturday' else period.lower()}"


def _year(language: str, year: int) -> str:
    return str(year - 1911) if language == "zh" else str(year)
