"""What is wrong with a file, said so that whoever reads it knows what to do.

InvalidError
└── SettingsError    one or more problems; nothing was changed
"""

from __future__ import annotations

import difflib
import itertools
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from controller.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["MOST", "Problem", "SettingsError", "nearest", "shown"]

_SHOWN = 20
MOST = 200
"""Mistakes after which the reading stops: more help nobody, and a file of a million wrong rows is refused at once."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake at one place."""

    file: str
    line: int
    """Counted from 1; 0 where no line can be named."""
    key: str
    got: str
    """What stands there; empty where only the wanted can be said."""
    wanted: str
    """Empty where `got` is a whole sentence that says both."""
    todo: str = ""
    """A sentence, where there is one thing to do; empty where changing the value is all."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f" {self.key}:" if self.key else ""
        got = "" if not self.got else f" got {self.got}" if self.wanted else f" {self.got}"
        wanted = f" wanted {self.wanted}" if self.wanted else ""
        todo = f". {self.todo}" if self.todo else ""
        text = f"{place}:{key}{got}{',' if got and wanted else ''}{wanted}{todo}"
        # A key of a file may hold a line end: a problem stays on one line, and cannot forge a second one.
        return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class SettingsError(InvalidError):
    """The files cannot be used as they are; the configuration that runs stays as it was."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            shown.append(f"… and {len(problems) - _SHOWN} more")
        super().__init__("\n".join(shown))


def shown(value: object) -> str:
    """Return a value as a message shows it: short, on one line."""
    try:
        text = f'"{value}"' if isinstance(value, str) else str(value) if isinstance(value, date) else repr(value)
    except (ValueError, RecursionError):
        text = "something too long to show"
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= 80 else text[:77] + "…"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the known name that is most like `name`, or an empty one."""
    close = difflib.get_close_matches(name[:100], list(itertools.islice(known, 5000)), 1, 0.5)
    return f'Did you mean "{close[0]}"?' if close else ""
