"""Logs: one line an event, for people on a terminal or as JSON for programs, with secrets masked."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["set_up_logging"]

_SECRET_KEY = re.compile(r"pass(word|wd)?|secret|token|private_key|cookie|authorization|csrf", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?i)((?:password|passwd|secret|token|authorization|cookie)[\"']?\s*[=:]\s*(?:bearer\s+)?)[^\s,;&\"']+|shifu_[A-Za-z0-9_-]{16,}"
)
_MASK = "***"


def mask(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put `***` in the place of secrets, in named fields and in the text."""
    for key, value in entry.items():
        if _SECRET_KEY.search(key):
            entry[key] = _MASK
        elif isinstance(value, str):
            entry[key] = _SECRET_TEXT.sub(lambda found: (found.group(1) or "") + _MASK, value)
    return entry


def one_line(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep an event on one line: control characters of foreign texts cannot forge a second one."""
    event = entry.get("event")
    if isinstance(event, str):
        entry["event"] = "".join(char if char.isprintable() else repr(char)[1:-1] for char in event)
    return entry


def set_up_logging(*, json: bool, verbose: bool = False) -> None:
    """Send all logs to standard error, one line each: JSON for programs, else text for people."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask,
        one_line,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    # The libraries speak of every request; what matters of it is said by the drivers.
    for name in ("pymodbus", "asyncua", "uvicorn", "httpx", "apscheduler", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING if not verbose else logging.INFO)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    logging.getLogger("asyncua").setLevel(logging.ERROR)
