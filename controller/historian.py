"""The historian: the log of all readings and its readers, the embedded history and, where the site has one, InfluxDB.

Only here are the concrete stores named. Each has a thread of its own; whatever is asked of the loop returns at once.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from controller.errors import InvalidError, UnavailableError
from controller.gauge import store_gauges
from controller.history.embedded import EmbeddedHistory
from controller.history.log import FrameLog
from controller.selfcheck import influx_trouble, log_trouble
from controller.settings.secret import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from controller.history.delivery import Influx
    from controller.history.flux import InfluxHistory
    from controller.history.influx import InfluxWriter
    from controller.history.log import Committed
    from controller.history.store import HistoryStore
    from controller.point.model import Site
    from controller.settings.file import HistoryRow, InfluxRow
    from drivers.driver import Clock

__all__ = ["Historian", "opening"]


class Historian:
    """Log, embedded history, and the two ends of InfluxDB; None where the site has no server."""

    def __init__(self, data: Path, folder: Path, row: HistoryRow, site: Site, clock: Clock) -> None:
        """Open the files below `data`; nothing runs before `start`. Secrets of `row` are looked up from `folder`.

        Raises:
            InvalidError: the server has no token.
            UnavailableError: a file cannot be opened: no permission, no space, locked.
        """
        with opening(data / "history.db"):
            self.embedded = EmbeddedHistory(data / "history.db", data / "log", clock, keep_days=row.retention_days)
        self.influx: InfluxWriter | None = None
        self.reader: InfluxHistory | None = None
        if row.influx is not None:
            server = _server(row.influx, folder)
            with opening(data / "influx"):
                self.influx = _writer(server, data, site, clock)
            if row.reads == "influx":
                self.reader = _reader(server, site)
        self.log = FrameLog(
            data / "log",
            clock,
            generation=site.generation,
            committed=self._committed,
            needed=lambda: self.embedded.cursor,
        )

    @property
    def store(self) -> HistoryStore:
        """What answers questions of the past."""
        return self.reader or self.embedded

    def start(self) -> None:
        """Start the threads."""
        self.log.start()
        self.embedded.start()
        if self.influx is not None:
            self.influx.start()

    def close(self) -> None:
        """Commit what is pending, then stop the readers of the log. Blocks; also right when it was never started."""
        for part in (self.log, self.influx, self.embedded, self.reader):
            if part is not None:
                part.close()

    def configure(self, site: Site) -> None:
        """Write under another configuration's generation and addresses from the next frame on."""
        self.log.generation = site.generation
        for server in (self.influx, self.reader):
            if server is not None:
                server.configure(_addresses(site))

    def log_trouble(self) -> str:
        """Return why readings do not reach the disk; empty when they do."""
        return log_trouble(self.log.status(), self.embedded.status())

    def influx_trouble(self) -> str | None:
        """Return why the server takes no readings; empty when it does or there is none, None while it is not known."""
        return "" if self.influx is None else influx_trouble(self.influx.status())

    def gauges(self) -> dict[str, float]:
        """Return how log and stores are."""
        return store_gauges(self.log.status(), self.embedded.status(), self.influx)

    def _committed(self, item: Committed) -> None:
        """Tell both readers of the log about a durable frame (on the log's thread)."""
        self.embedded.on_committed(item)
        if self.influx is not None:
            self.influx.on_committed(item)


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Say in a sentence what cannot be opened; what is damaged is set aside elsewhere and keeps nothing from starting.

    Raises:
        UnavailableError: no permission, no space, locked.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise UnavailableError(f"{path}: cannot be opened: {error}") from error


def _server(row: InfluxRow, folder: Path) -> Influx:
    named = {f"token_{kind}": where for kind, where in (("env", row.token_env), ("file", row.token_file)) if where}
    found, _, missing = resolve(named, os.environ, folder)
    if "token" not in found:
        reason = missing[0].en if missing else "give token_env or token_file"
        raise InvalidError(f"server.toml: [history.influx] has no token: {reason}")
    from controller.history.delivery import Influx  # noqa: PLC0415 - 13 MB that a site without a server does without

    return Influx(row.url, row.org, row.bucket, found["token"])


def _writer(server: Influx, data: Path, site: Site, clock: Clock) -> InfluxWriter:
    from controller.history.influx import InfluxWriter  # noqa: PLC0415 - the same

    return InfluxWriter(data / "influx", data / "log", server, _addresses(site), clock)


def _reader(server: Influx, site: Site) -> InfluxHistory:
    from controller.history.flux import InfluxHistory  # noqa: PLC0415 - the same

    return InfluxHistory(server, _addresses(site))


def _addresses(site: Site) -> dict[int, str]:
    return {point.number: address for address, point in site.points.items()}
