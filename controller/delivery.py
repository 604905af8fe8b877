"""Sends the reports that were made by schedule to whom notify.toml names, through the outbox of notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.point.model import Name
from controller.report.word import say, span_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    from controller.notify.notifier import Notifier
    from controller.notify.plan import NotifyPlan
    from controller.report.shelf import Kept

__all__ = ["ReportDelivery"]


def _title(language: str, kind: str, first: date) -> str:
    """Return what a message calls a report: 能源月報 115年10月, or Monthly energy report, October 2026."""
    between = " " if language == "zh" else ", "
    return f"{say(language, f'title.{kind}')}{between}{span_text(language, kind, first)}"


class ReportDelivery:
    """What `controller.report.desk` hands a report to."""

    def __init__(self, folder: Path, plan: Callable[[], NotifyPlan], notifier: Notifier) -> None:
        """Take the folder of the shelf; `plan` is asked anew each time."""
        self._folder = folder
        self._plan = plan
        self._notifier = notifier

    async def deliver(self, kept: Kept, content: Callable[[str, str], bytes]) -> None:  # noqa: ARG002 - files by path
        """Put a report into the outbox, once; its files go with it where the channel takes files.

        Raises:
            NotFoundError: notify.toml names somebody who is gone.
            UnavailableError: the outbox cannot be read.
        """
        report, targets = kept.report, self._plan().reports
        if not targets:
            return
        used = "–" if report.kwh is None else f"{report.kwh:,.0f} kWh"
        title = Name(*(_title(language, report.kind, report.first) for language in ("zh", "en")))
        body = Name(
            f"用電 {used}。完整內容見附件，或中控室「報表」頁。",
            f"{used} used. The report is attached, and on the page Reports of the control room.",
        )
        files = [self._folder / report.id / f"{file.language}.{file.format}" for file in kept.files]
        await self._notifier.post(
            f"report/{report.id}", targets, title, body, attachments=[str(file) for file in files]
        )
