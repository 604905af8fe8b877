"""What is wrong with a file, said so that whoever reads it knows what to do.

InvalidError
└── SettingsError    one or more problems; nothing was changed
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Problem", "SettingsError", "nearest"]

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake at one place."""

    file: str
    line: int
    """Counted from 1; 0 where no line can be named."""
    key: str
    got: str
    wanted: str
    todo: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f" {self.key}:" if self.key else ""
        got = f" got {self.got}," if self.got else ""
        todo = f". {self.todo}" if self.todo else ""
        return f"{place}:{key}{got} wanted {self.wanted}{todo}"


class SettingsError(InvalidError):
    """The files cannot be used as they are; the configuration that runs stays as it was."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            shown.append(f"… and {len(problems) - _SHOWN} more")
        super().__init__("\n".join(shown))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the known name that is most like `name`, or an empty one."""
    close = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f'Did you mean "{close[0]}"?' if close else ""
