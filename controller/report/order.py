"""What the job process is given to make a report of, and what it gives back: plain data on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.report.word import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMATS", "File", "Order", "made"]

FORMATS = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Suffix and media type."""


@dataclass(frozen=True, slots=True)
class Order:
    """One report."""

    data: Mapping[str, Any]
    """`statement` and `baseline` (or null) as `controller.energy.figure` writes them; `site` (name in both languages),
    `timezone`, `made` (ISO 8601), `version`."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a report."""

    language: str
    format: str
    content: bytes


def made(order: Order) -> tuple[File, ...]:
    """Return the files of a report: PDF and XLSX in both languages. Takes about a second of CPU; for the job process.

    Raises:
        UnavailableError: there are no fonts.
    """
    # Typst and openpyxl are needed in the job process alone; the controller stays small without them.
    from controller.report.page import pages  # noqa: PLC0415
    from controller.report.sheet import workbook  # noqa: PLC0415

    return tuple(
        File(language, format_, write(order.data, language))
        for language in LANGUAGES
        for format_, write in (("pdf", pages), ("xlsx", workbook))
    )
