"""Makes reports, one after another: figures from the history, files in the job process, the shelf, and who gets them.

On demand by `ask`, by schedule by `catch_up`, which makes what is due and not there: a day or a month that is over and
has no report that was made after its end. A run that was missed, because nothing ran or a clock was set, is made up for
at the next look, and no period is made twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from controller.energy.figure import ledger_figures, statement_figures
from controller.energy.meter import local_day
from controller.energy.statement import ledger, make
from controller.errors import ShifuError, UnavailableError
from controller.report.order import Order, made
from controller.report.shelf import Kept, Report, Shelf, report_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from controller.energy.meter import Metering
    from controller.energy.statement import Books
    from controller.job import Jobs
    from controller.point.model import Name
    from drivers.driver import Clock

__all__ = ["Delivery", "Desk", "Run", "due"]

_log = logging.getLogger(__name__)
_LIMIT_S = 120.0
"""Of one report in the job process; a month takes about a second."""
_MOST_WAITING = 20
_MOST_RUNS = 50
_SCHEDULE = "schedule"


class Delivery(Protocol):
    """Who gets a report that was made by schedule: the channels of notifications plug in here."""

    async def deliver(self, kept: Kept, content: Callable[[str, str], bytes]) -> None:
        """Send a report; `content(language, format)` reads one of its files (blocks). Errors are its own affair."""


@dataclass(frozen=True, slots=True)
class Run:
    """One making of a report, as a page shows it."""

    id: str
    """Of the report."""
    kind: str
    first: date
    by: str
    state: str
    """`waiting`, `reading`, `writing`, `done` or `failed`."""
    asked_ns: int
    ended_ns: int = 0
    message: str = ""
    """Why it failed."""

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state not in ("done", "failed")


def due(today: date, kept: Sequence[Kept], kinds: Sequence[str]) -> list[tuple[str, date]]:
    """Return the reports of the last whole day and month that are not there, or were made before the span's end."""
    final = {kept_.report.id for kept_ in kept if kept_.report.over}
    last = {"day": today - timedelta(days=1), "month": (today.replace(day=1) - timedelta(days=1)).replace(day=1)}
    return [(kind, last[kind]) for kind in kinds if report_id(kind, last[kind]) not in final]


class Desk:
    """Owns the shelf and the line of reports to be made."""

    def __init__(
        self,
        folder: Path,
        metering: Metering,
        books: Callable[[], Books],
        site: Callable[[], Name],
        jobs: Jobs,
        clock: Clock,
        version: str,
        deliveries: Sequence[Delivery] = (),
    ) -> None:
        self.shelf = Shelf(folder)
        self._metering = metering
        self._books = books
        self._site = site
        self._jobs = jobs
        self._clock = clock
        self._version = version
        self._deliveries = deliveries
        self._waiting: deque[Run] = deque()
        self._runs: dict[str, Run] = {}
        self._wake = asyncio.Event()

    def ask(self, kind: str, first: date, by: str) -> Run:
        """Have a report made; one that is being made already is not made twice.

        Raises:
            UnavailableError: too many are waiting.
        """
        id_ = report_id(kind, first)
        running = self._runs.get(id_)
        if running is not None and running.open:
            return running
        if len(self._waiting) >= _MOST_WAITING:
            raise UnavailableError(f"{_MOST_WAITING} reports are waiting to be made; try again in a minute")
        run = Run(id_, kind, first, by, "waiting", self._clock.now_ns())
        self._waiting.append(run)
        self._note(run)
        self._wake.set()
        return run

    def runs(self) -> list[Run]:
        """Return what is being made and what was made since the start, the newest first."""
        return sorted(self._runs.values(), key=lambda run: run.asked_ns, reverse=True)

    async def kept(self) -> list[Kept]:
        """Return the reports on the shelf, the newest first."""
        return await asyncio.to_thread(self.shelf.all)

    async def catch_up(self, kinds: Sequence[str]) -> list[Run]:
        """Ask for what is due: the last whole day and month, each once."""
        today = local_day(self._clock.now_ns(), self._books().zone)
        return [self.ask(kind, first, _SCHEDULE) for kind, first in due(today, await self.kept(), kinds)]

    async def prune(self, keep: dict[str, int]) -> list[str]:
        """Remove what is older than the newest `keep[kind]`."""
        gone = await asyncio.to_thread(self.shelf.prune, keep)
        if gone:
            _log.info("reports removed after their time: %s", ", ".join(gone))
        return gone

    async def run(self) -> None:
        """Make what is asked for, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._make(self._waiting.popleft())

    async def _make(self, run: Run) -> None:
        try:
            kept = await self._made(run)
        except ShifuError as error:
            self._end(run, "failed", str(error))
        except Exception as error:  # noqa: BLE001 - one report that fails is said, and the next ones are made
            self._end(run, "failed", f"{type(error).__name__}: {error}")
        else:
            self._end(run, "done")
            if run.by == _SCHEDULE and kept is not None:
                await self._deliver(kept)

    async def _made(self, run: Run) -> Kept | None:
        self._note(replace(run, state="reading"))
        data = await self._data(run.kind, run.first)
        statement = data["statement"]
        if run.by == _SCHEDULE and statement["missing"] == statement["windows"]:
            _log.info("report %s is not made: there are no readings of its span", run.id)
            return None
        self._note(replace(run, state="writing"))
        files = await self._jobs.run(made, Order(data), limit_s=_LIMIT_S)
        bill = statement["bill"]
        report = Report(
            kind=run.kind,
            first=run.first,
            made_ns=self._clock.now_ns(),
            made_by=run.by,
            over=statement["over"],
            quality=statement["quality"],
            kwh=statement["kwh"],
            total=None if bill is None else bill["total"],
        )
        return await asyncio.to_thread(self.shelf.put, report, files)

    async def _data(self, kind: str, first: date) -> dict[str, Any]:
        books, now_ns = self._books(), self._clock.now_ns()
        statement = await make(self._metering, books, kind, first)
        baseline = None
        if kind == "month":
            baseline = ledger_figures(await ledger(self._metering, books, first, local_day(now_ns, books.zone)))
        site = self._site()
        return {
            "statement": statement_figures(statement, books),
            "baseline": baseline,
            "site": {"zh": site.zh, "en": site.en},
            "timezone": books.zone.key,
            "made": datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).isoformat(),
            "version": self._version,
        }

    async def _deliver(self, kept: Kept) -> None:
        def content(language: str, format_: str) -> bytes:
            return self.shelf.content(kept.report.id, language, format_)

        for delivery in self._deliveries:
            with contextlib.suppress(ShifuError):
                await delivery.deliver(kept, content)

    def _end(self, run: Run, state: str, message: str = "") -> None:
        self._note(replace(run, state=state, ended_ns=self._clock.now_ns(), message=message))
        if state == "failed":
            _log.warning("report %s was not made: %s", run.id, message)

    def _note(self, run: Run) -> None:
        self._runs.pop(run.id, None)
        self._runs[run.id] = run
        ended = [id_ for id_, old in self._runs.items() if not old.open]
        for id_ in ended[: max(0, len(self._runs) - _MOST_RUNS)]:
            del self._runs[id_]
