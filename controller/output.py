"""Logs: one line an event, for people on a terminal or as JSON for programs, with secrets masked."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["hush_libraries", "set_up_logging"]

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)|^pass$|secret|token|private_key|cookie|authorization|csrf", re.IGNORECASE
)
_SECRET_TEXT = re.compile(
    r"""(?ix)
    ( (?:password|passwd|secret|token|private_key|authorization|cookie|csrf) \w* ["']?
      \s*[=:]\s* (?:(?:bearer|basic)\s+)? )
    (?: "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | [^\s,;&"')\]}]+ )
    | (?<=://) [^/\s:@]+ : [^/\s@]+ (?=@)          # user and password in an address
    | shifu_[A-Za-z0-9_-]{16,}                      # a token of ours, wherever it stands
    """
)
_MASK = "***"


def mask(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put `***` in the place of secrets: in named fields, in tables and lists below them, and in the text."""
    for key, value in entry.items():
        entry[key] = _masked(key, value)
    return entry


def _masked(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key):
        return _MASK
    if isinstance(value, str):
        return _SECRET_TEXT.sub(lambda found: (found.group(1) or "") + _MASK, value)
    if isinstance(value, bytes):
        return _masked(key, value.decode(errors="replace"))
    if isinstance(value, Mapping):
        return {name: _masked(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(key, item) for item in value]
    return value


def one_line(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep an event on one line: control characters of foreign texts cannot forge a second one.

    Tracebacks are joined with ` | `.
    """
    for key, value in entry.items():
        if isinstance(value, str):
            text = " | ".join(value.splitlines()) if key == "exception" else value
            entry[key] = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return entry


def _in_text(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put a traceback behind its event; the renderer for people would put it below."""
    if "exception" in entry:
        entry["event"] = f"{entry.get('event', '')} | {entry.pop('exception')}"
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
    if not json:
        shared.append(_in_text)
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
    hush_libraries(logging.INFO if verbose else logging.WARNING)


def hush_libraries(level: int = logging.WARNING) -> None:
    """Have the libraries say no more than this; they speak of every request, and the drivers say what matters of it."""
    for name in ("uvicorn", "httpx", "apscheduler", "alembic"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    logging.getLogger("asyncua").setLevel(logging.ERROR)
