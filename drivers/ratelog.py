"""A log that a fault cannot flood: so many lines a minute, and what was left out is counted and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

    from drivers.driver import Clock

__all__ = ["RateLog"]


class RateLog:
    """Passes at most `lines` lines a minute on to a logger, and as many at once."""

    def __init__(self, logger: logging.Logger, clock: Clock, lines: int = 30) -> None:
        """Begin with a full budget."""
        self._logger = logger
        self._clock = clock
        self._lines = lines
        self._budget = float(lines)
        self._at = clock.monotonic()
        self._dropped = 0

    def __call__(self, level: int, text: str, *args: object, fault: bool = False) -> None:
        """Log one line; `fault` adds the traceback of the exception that is being handled."""
        now = self._clock.monotonic()
        self._budget = min(float(self._lines), self._budget + (now - self._at) * self._lines / 60)
        self._at = now
        if self._budget < 1:
            self._dropped += 1
            return
        self._budget -= 1
        if self._dropped:
            text += f" ({self._dropped} log lines left out before)"
            self._dropped = 0
        self._logger.log(level, text, *args, exc_info=fault)
