"""Sends the log to InfluxDB 2: never loses a frame that the log has, never holds up anything else.

A thread of its own reads frames behind its cursors and moves them only after the server's 204. The backlog may use at
most half of the time, so that live readings are seconds late at most while hours are being caught up.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.history.delivery import LaterError, Writes, deliver
from controller.history.frame import FrameError, decode
from controller.history.lane import Lanes
from controller.history.line import LineBuilder
from controller.history.segment import LogReader, day_of, segments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from controller.history.cursor import Position
    from controller.history.delivery import Influx, Post, Refused
    from controller.history.log import Committed
    from drivers.driver import Clock

__all__ = ["InfluxStatus", "InfluxWriter"]

_log = logging.getLogger(__name__)

MAX_LINES = 10_000
"""Lines of a request at most, unless one frame alone has more. InfluxDB advises 5,000 and takes far more."""
MAX_FRAMES = 60
GAP_FRAMES = 60
"""Live frames behind which the rest becomes backlog: about a minute."""
SIDE_FILE_BYTES = 64 * 1024**2
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 5.0)


@dataclass(frozen=True, slots=True)
class InfluxStatus:
    """Numbers for health, metrics and the alarm."""

    healthy: bool
    reason: str
    """What the server said, and what to do; empty when it takes lines."""
    code: int
    """HTTP status of the failure; 0 when there was no answer or no failure."""
    pending_frames: int
    """Live frames not sent yet."""
    backlog_frames: int
    written: int
    """Readings that the server took."""
    quarantined: int
    """Lines that the server will never take; they are in the side file."""
    unknown: int
    """Readings whose point number has no address; not sent."""
    damaged: int
    """Frames of the log that could not be read."""
    missed_files: int
    """Day files that retention removed before they were sent."""
    failures: int
    lag_s: float
    """Age of the oldest live reading that is not sent yet; 0 when there is none."""


class InfluxWriter:
    """One reader of the log; use `start`, `on_committed`, `close`."""

    def __init__(
        self,
        folder: Path,
        log_folder: Path,
        influx: Influx,
        addresses: Mapping[int, str],
        clock: Clock,
        *,
        post: Post | None = None,
        back_off_s: Sequence[float] = BACK_OFF_S,
        gap_frames: int = GAP_FRAMES,
    ) -> None:
        """Keep cursors and the side file in `folder`; `post` replaces influxdb-client's request.

        Raises:
            OSError, sqlite3.OperationalError: the cursor file cannot be opened.
        """
        self._folder = folder
        self._log_folder = log_folder
        self._clock = clock
        self._writes = None if post is not None else Writes(influx)
        self._post: Post = post or self._writes  # type: ignore[assignment]
        self._builder = LineBuilder(addresses)
        self._back_off_s = tuple(back_off_s)
        self._gap = gap_frames
        self._lanes = Lanes(folder / "influx.db")
        self._live_reader = LogReader(log_folder)
        self._backlog_reader = LogReader(log_folder)
        self._wake = threading.Condition()
        self._notified = False
        self._stop = False
        self._attempts = 0
        self._answered = False
        self._backlog_from = 0.0
        self._healthy, self._reason, self._code = True, "", 0
        self._pending = self._backlog = self._written = self._quarantined = 0
        self._unknown = self._damaged = self._missed = self._failures = 0
        self._oldest_ns: int | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the sending thread."""
        self._thread = threading.Thread(target=self._work, name="history-influx", daemon=True)
        self._thread.start()

    def configure(self, addresses: Mapping[int, str]) -> None:
        """Use a new configuration's addresses from the next batch on."""
        self._builder = LineBuilder(addresses)

    def on_committed(self, item: Committed) -> None:
        """Hear from the log that there is more; returns at once."""
        with self._wake:
            if self._oldest_ns is None and len(item.readings) and not item.readings.late:
                self._oldest_ns = int(item.readings.time_ns[0])
            self._pending += 1
            self._notified = True
            self._wake.notify_all()

    def status(self) -> InfluxStatus:
        """Return the present numbers."""
        with self._wake:
            lag = 0.0 if self._oldest_ns is None else max(0.0, (self._clock.now_ns() - self._oldest_ns) / 1e9)
            return InfluxStatus(
                self._healthy,
                self._reason,
                self._code,
                self._pending,
                self._backlog,
                self._written,
                self._quarantined,
                self._unknown,
                self._damaged + self._live_reader.damaged + self._backlog_reader.damaged,
                self._missed,
                self._failures,
                lag,
            )

    def wait_until_sent(self, timeout_s: float) -> bool:
        """Wait until both lanes are empty; return whether they are. Blocks: not for the loop."""

        def sent() -> bool:
            return self._healthy and not self._notified and self._pending == 0 and self._backlog == 0

        with self._wake:
            self._notified = True
            self._wake.notify_all()
            return self._wake.wait_for(sent, timeout_s)

    def close(self) -> None:
        """Stop; what is not sent stays in the log. Blocks for one request at most."""
        with self._wake:
            self._stop = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._live_reader.close()
        self._backlog_reader.close()
        self._lanes.close()
        if self._writes is not None:
            self._writes.close()

    def _work(self) -> None:
        self._catch_up()
        while not self._stop:
            wait_s = 1.0
            self._answered = False
            with self._wake:
                self._notified = False
            try:
                more = self._step_live()
                now = self._clock.monotonic()
                if self._lanes.backlog and now >= self._backlog_from:
                    self._step_backlog()
                    spent = self._clock.monotonic() - now
                    # As long again for the live lane alone: the backlog has half of the time at most.
                    self._backlog_from = now + 2 * spent
                self._measure()
                if more:
                    continue
                if self._lanes.backlog:
                    wait_s = min(1.0, max(0.0, self._backlog_from - self._clock.monotonic()))
            except LaterError as error:
                wait_s = self._fail(str(error), error.status, error.retry_after_s)
            except (sqlite3.Error, OSError) as error:
                wait_s = self._fail(f"the log or the cursor cannot be read or written: {error}", 0, None)
            with self._wake:
                failing = not self._healthy
                self._wake.wait_for(lambda: self._stop or (self._notified and not failing), wait_s)  # noqa: B023 used at once

    def _catch_up(self) -> None:
        """Put what a long stop left behind into the backlog."""
        try:
            if self._live_reader.behind(self._lanes.live) > self._gap:
                self._lanes.split(self._live_reader.last())
        except (sqlite3.Error, OSError) as error:
            self._fail(f"the log cannot be read: {error}", 0, None)

    def _step_live(self) -> bool:
        """Send some live frames; return whether there are more."""
        frames = self._live_reader.read(self._lanes.live, MAX_FRAMES)
        if len(frames) >= MAX_FRAMES and self._live_reader.behind(self._lanes.live) > self._gap:
            self._lanes.split(self._live_reader.last())
            frames = self._live_reader.read(self._lanes.live, MAX_FRAMES)
        if not frames:
            return False
        self._note_missed(self._lanes.live, frames[0][0])
        last = self._send(frames)
        self._lanes.advance_live(last)
        with self._wake:
            self._oldest_ns = None
        return last != frames[-1][0]

    def _step_backlog(self) -> None:
        _, start, until = self._lanes.backlog[0]
        frames = self._backlog_reader.read(start, MAX_FRAMES, until)
        if not frames:
            self._lanes.advance_backlog(None)
            return
        self._note_missed(start, frames[0][0])
        self._lanes.advance_backlog(self._send(frames))

    def _send(self, frames: Sequence[tuple[Position, bytes]]) -> Position:
        """Send the first frames, up to the size of a request; return the last one's position.

        Raises:
            LaterError: the server does not take lines now.
        """
        bodies: list[bytes] = []
        count = unknown = damaged = 0
        last = frames[0][0]
        for position, data in frames:
            try:
                readings = decode(data).readings
            except FrameError as error:
                damaged += 1
                _log.error("log: frame %d of file %d cannot be read: %s", position.frame, position.sequence, error)
            else:
                if count and count + len(readings) > MAX_LINES:
                    break
                body, strange = self._builder.build(readings)
                bodies.append(body)
                count += len(readings) - strange
                unknown += strange
            last = position
        whole = b"".join(bodies)
        refused = deliver(whole, self._post, lambda: self._stop) if whole else []
        self._answered = self._answered or bool(whole)
        if refused:
            self._set_aside(refused)
        with self._wake:
            self._written += count - len(refused)
            self._quarantined += len(refused)
            self._unknown += unknown
            self._damaged += damaged
        return last

    def _set_aside(self, refused: Sequence[Refused]) -> None:
        """Append lines to the side file, on disk before the cursor moves; beyond its bound they are only counted."""
        path = self._folder / f"influx-refused-{day_of(self._clock.now_ns())}.lp"
        _log.error(
            "InfluxDB refuses %d lines, the first because: %s; they are in %s", len(refused), refused[0].reason, path
        )
        text = b"".join(b"# %s\n%s" % (item.reason.replace("\n", " ").encode(), item.line) for item in refused)
        with path.open("ab") as file:
            if file.tell() + len(text) <= SIDE_FILE_BYTES:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())

    def _note_missed(self, after: Position, first: Position) -> None:
        """Count day files that are gone although they were not sent."""
        there = {segment.sequence for segment in segments(self._log_folder)}
        gone = [number for number in range(max(1, after.sequence + 1), first.sequence) if number not in there]
        if after.sequence and gone:
            _log.error("InfluxDB was away longer than the log is kept: %d day files were never sent", len(gone))
        if after.sequence:
            with self._wake:
                self._missed += len(gone)

    def _measure(self) -> None:
        """Count what is left; the server is well when it took something."""
        pending = self._live_reader.behind(self._lanes.live)
        backlog = 0
        for _, start, until in self._lanes.backlog:
            backlog += max(0, self._backlog_reader.behind(start) - self._backlog_reader.behind(until))
        backlog = max(backlog, len(self._lanes.backlog))
        with self._wake:
            if self._answered:
                if not self._healthy:
                    _log.warning("InfluxDB takes lines again")
                self._healthy, self._reason, self._code = True, "", 0
                self._attempts = 0
            self._pending = pending
            self._backlog = backlog
            self._wake.notify_all()

    def _fail(self, reason: str, code: int, retry_after_s: float | None) -> float:
        """Note a failure and return how long to wait."""
        pause = self._back_off_s[min(self._attempts, len(self._back_off_s) - 1)]
        with self._wake:
            if self._healthy:
                _log.error("InfluxDB: %s", reason)
            self._attempts += 1
            self._failures += 1
            self._healthy, self._reason, self._code = False, reason, code
        return pause if retry_after_s is None else max(retry_after_s, pause)
