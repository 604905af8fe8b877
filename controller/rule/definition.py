"""What a rule is before it is checked: inputs, one expression, and the virtual point that it makes."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.point.model import Equipment

__all__ = ["RuleDefinition", "RuleError", "RuleInput", "VirtualPoint"]


class RuleError(InvalidError):
    """A rule is wrong; the message has file, rule, line and column, what was got and what is wanted."""

    def __init__(self, message: str, definition: RuleDefinition, line: int | None = None, column: int = 1) -> None:
        self.rule = definition.id
        self.line = line
        """Line of the expression, from 1; None when the whole rule is meant."""
        self.column = column
        """Column in that line, in characters from 1."""
        where = f"{definition.file}:{definition.line}: " if definition.file else ""
        place = "" if line is None else f", expression line {line}, column {column}"
        super().__init__(f"{where}rule {definition.id}{place}: {message}")


@dataclass(frozen=True, slots=True)
class RuleInput:
    """One named input: a point, or a parameter of the equipment."""

    point: str = ""
    """Tag of a point of the same equipment, or, with dots, a whole address."""
    parameter: str = ""
    """Name of a number in the equipment's parameters."""
    unit: str = ""
    """Unit wanted; a point in another unit of the same quantity is converted."""
    window: str = ""
    """`<mean|min|max|rate>_<n><s|min|h>`, such as `mean_15min`; empty for the present value."""


@dataclass(frozen=True, slots=True)
class VirtualPoint:
    """The point that the rule makes on each of its equipment."""

    tag: str
    unit: str = ""
    kind: str = "analog"
    zh: str = ""
    en: str = ""
    low: float = -math.inf
    high: float = math.inf
    decimals: int = 1
    deadband: float = 0.0
    states: tuple[tuple[int, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RuleDefinition:
    """One rule of the site, for one class of equipment or for equipment by address pattern."""

    id: str
    inputs: Mapping[str, RuleInput]
    expression: str
    """See `controller.rule.parse` for the language."""
    point: VirtualPoint
    cls: str = ""
    """Class of equipment; empty when `equipment` names it."""
    equipment: str = ""
    """Address, with `*` for any text; empty when `cls` names it."""
    file: str = ""
    line: int = 1
    """Line of the file on which the rule begins, for messages."""

    def matched(self, equipment: Iterable[Equipment]) -> tuple[Equipment, ...]:
        """Return the pieces of equipment that the rule is for, in their order."""
        if self.cls:
            return tuple(piece for piece in equipment if piece.cls == self.cls)
        return tuple(piece for piece in equipment if fnmatch.fnmatchcase(piece.address, self.equipment))
