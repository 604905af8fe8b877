"""Rows as TOML text, to be read back by `controller.settings.source`; the standard library only reads TOML."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["to_toml"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
"""TOML 1.0.0, section String: basic strings and their escapes."""


def to_toml(noun: str, rows: Iterable[Mapping[str, Any]], head: Iterable[str] = ()) -> str:
    """Return a file of `[[noun]]` tables, with comment lines before them; tables in a row become inline tables."""
    parts = ["".join(f"# {_line(line)}\n" for line in head)]
    for row in rows:
        lines = "".join(f"{_key(key)} = {_value(value)}\n" for key, value in row.items())
        parts.append(f"[[{noun}]]\n{lines}")
    return "\n".join(part for part in parts if part)


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    return "[" + ", ".join(_value(item) for item in value) + "]"


def _text(text: str) -> str:
    def escaped(char: str) -> str:
        if char in _SHORT:
            return _SHORT[char]
        return char if char.isprintable() else (f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}")

    # A brace begins a template when the file is read; whoever wants one in a name cannot have it in a file.
    return '"' + "".join(escaped(char) for char in text) + '"'
