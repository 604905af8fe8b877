"""What leaves and enters on this machine, beside the API and without a sign-in: history, and the site's model."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import datetime
from typing import TYPE_CHECKING, TextIO
from zoneinfo import ZoneInfo

from controller import recall
from controller.clock import SystemClock
from controller.errors import InvalidError, NotFoundError
from controller.history.embedded import EmbeddedHistory
from controller.history.importer import check_file, import_history
from controller.history.log import FrameLog
from controller.journal.journal import Journal
from controller.journal.lock import FolderLock
from controller.ontology.brick import brick_turtle
from controller.ontology.haystack import haystack_grid
from controller.point.registry import Registry
from controller.settings.load import load
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["export_csv", "export_model", "import_file"]


def export_model(site: Path, form: str) -> str:
    """Return the model of a site's folder: `haystack` (a JSON grid) or `brick` (Turtle).

    Raises:
        InvalidError: there is no such form, or the folder cannot be used.
    """
    forms = {"haystack": lambda model: json.dumps(haystack_grid(model), ensure_ascii=False), "brick": brick_turtle}
    if form not in forms:
        raise InvalidError(f'"{form}" is no form; wanted one of {", ".join(forms)}')
    return forms[form](load(site, Registry(), clock=SystemClock()).site)


async def export_csv(site: Path, data: Path, points: Sequence[str], start: str, end: str, out: TextIO) -> None:
    """Write time, address, value, unit and quality of every reading in [start, end).

    Raises:
        InvalidError: a time without a zone, or an end before its start.
        NotFoundError: the site has no such point, or the folder has no history.
    """
    first, last = _time(start), _time(end)
    if last <= first:
        raise InvalidError(f"the end {end} is not after the start {start}")
    if not (data / "state.db").exists():
        raise NotFoundError(f"{data} has no history: no state.db in it")
    clock = SystemClock()
    journal = await Journal.open(data / "state.db", clock)
    try:
        registry = Registry(await recall.point_numbers(journal))
    finally:
        await journal.close()
    model = load(site, registry, clock=clock).site
    zone = ZoneInfo(model.timezone)
    for address in points:
        if address not in model.points:
            raise NotFoundError(f'{site} has no point "{address}"')
    history = EmbeddedHistory(data / "history.db", data / "log", clock)
    history.start()
    try:
        await asyncio.to_thread(history.wait_until_current, 30.0)
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["time", "point", "value", "unit", "quality"])
        for address in points:
            point = model.points[address]
            (series,) = await history.raw([point.number], first, last, 10_000_000)
            for time_ns, value, quality in zip(
                series.time_ns.tolist(), series.value.tolist(), series.quality.tolist(), strict=True
            ):
                stamp = datetime.fromtimestamp(time_ns / 1e9, zone).isoformat(timespec="milliseconds")
                shown = "" if value != value else repr(value)  # noqa: PLR0124 - NaN is the only value unlike itself
                writer.writerow([stamp, address, shown, point.unit, Quality(quality).name.lower()])
    finally:
        await asyncio.to_thread(history.close)


async def import_file(site: Path, data: Path, file: Path, *, wait_s: float = 0.0) -> str:
    """Import a history file into a data folder whose controller does not run; return what was done.

    With `wait_s` the file may appear as late as that: what takes time before it is needed is done meanwhile.

    Raises:
        ConflictError: a controller runs on the folder.
        InvalidError: the file is no history file.
    """
    if not wait_s:
        check_file(file)
    clock = SystemClock()
    with FolderLock(data):
        journal = await Journal.open(data / "state.db", clock)
        registry = Registry(await recall.point_numbers(journal))
        model = load(site, registry, clock=clock).site
        await recall.keep_numbers(journal, registry.new, clock)
        await journal.close()
        deadline = clock.monotonic() + wait_s
        while not file.exists() and clock.monotonic() < deadline:
            await clock.sleep(0.05)
        check_file(file)
        history = EmbeddedHistory(data / "history.db", data / "log", clock)
        log = FrameLog(data / "log", clock, committed=history.on_committed, needed=lambda: history.cursor)
        log.start()
        history.start()
        try:
            numbers = {address: point.number for address, point in model.points.items()}
            done = await asyncio.to_thread(import_history, file, numbers, history, log)
        finally:
            await asyncio.to_thread(log.close)
            await asyncio.to_thread(history.close)
    left = f"; {len(done.unknown)} addresses are not in this site" if done.unknown else ""
    return f"{done.readings} readings of {done.points} points{left}"


def _time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidError(f'"{text}" is no time; wanted ISO 8601 such as 2026-01-01T00:00:00+08:00') from None
    if moment.tzinfo is None:
        raise InvalidError(f'"{text}" has no zone; wanted ISO 8601 such as 2026-01-01T00:00:00+08:00')
    return round(moment.timestamp() * 1e9)
