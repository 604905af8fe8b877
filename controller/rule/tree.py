"""The typed tree of a checked expression: built by `controller.rule.parse`, run by `controller.rule.compile`.

All numbers in the tree are in SI base units, except for temperatures on a scale, which are in °C: 26 °C stays 26.0, and
a value is not rounded by going through kelvin and back.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.point.unit import parse_unit

__all__ = [
    "LOGIC",
    "PURE",
    "STATE",
    "Call",
    "Choose",
    "Combine",
    "Compare",
    "Constant",
    "Input",
    "Join",
    "Negate",
    "Node",
    "Not",
    "Type",
    "scale",
]

Dimension = tuple[tuple[str, float], ...]
_KELVIN = 273.15


@dataclass(frozen=True, slots=True)
class Type:
    """What a part of an expression is: a yes/no value, a state, or a number of some quantity."""

    kind: str
    """`logic`, `state` or `number`."""
    dimension: Dimension = ()
    """Exponents of the base quantities, sorted; empty for a pure number."""
    absolute: bool = False
    """A temperature on a scale, which cannot be added to another or multiplied."""
    family: str = ""
    """`active`, `reactive` or `apparent` for electrical power and energy."""

    def describe(self) -> str:
        """Return the type in words, for messages."""
        if self.kind == "logic":
            return "a yes/no value"
        if self.kind == "state":
            return "a state"
        if self.absolute:
            return "a temperature on a scale (°C)"
        if not self.dimension:
            return "a pure number"
        words = "·".join(name.strip("[]") + (f"^{power:g}" if power != 1 else "") for name, power in self.dimension)
        return f"a quantity of {self.family + ' power or energy, ' if self.family else ''}{words}"

    def like(self, other: Type) -> bool:
        """Tell whether values of the two may be compared, added or chosen between."""
        same = (self.kind, self.dimension, self.absolute) == (other.kind, other.dimension, other.absolute)
        return same and (self.family == other.family or not self.family or not other.family)

    def times(self, other: Type, power: int = 1) -> Type:
        """Return the type of a product (`power` 1) or a quotient (-1)."""
        exponents = dict(self.dimension)
        for name, exponent in other.dimension:
            exponents[name] = exponents.get(name, 0.0) + power * exponent
        dimension = tuple(sorted((name, exponent) for name, exponent in exponents.items() if exponent))
        family = self.family if not other.dimension else other.family if not self.dimension and power > 0 else ""
        return Type("number", dimension, family=family)

    @classmethod
    def of_unit(cls, unit: str) -> Type:
        """Return the type of numbers in `unit`.

        Raises:
            UnitError: the unit is unknown.
        """
        known = parse_unit(unit)
        return cls("number", known.dimension, known.absolute, known.family)


LOGIC = Type("logic")
STATE = Type("state")
PURE = Type("number")


def scale(unit: str) -> tuple[float, float]:
    """Return (factor, shift) of `tree value = value × factor + shift` for values in `unit`.

    Raises:
        UnitError: the unit is unknown.
    """
    known = parse_unit(unit)
    return known.factor, known.offset - _KELVIN if known.absolute else 0.0


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, or 1.0 and 0.0 for yes and no."""

    type: Type
    value: float


@dataclass(frozen=True, slots=True)
class Input:
    """A named input, or `hour`, `weekday`, `workday`."""

    type: Type
    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """`not x`."""

    item: Node
    type: Type = LOGIC


@dataclass(frozen=True, slots=True)
class Join:
    """`a and b and …` (`every`) or `a or b or …`."""

    every: bool
    items: tuple[Node, ...]
    type: Type = LOGIC


@dataclass(frozen=True, slots=True)
class Compare:
    """`a < b`; the operator is one of `< <= > >= == !=`."""

    operator: str
    left: Node
    right: Node
    type: Type = LOGIC


@dataclass(frozen=True, slots=True)
class Negate:
    """`-x`."""

    type: Type
    item: Node


@dataclass(frozen=True, slots=True)
class Combine:
    """`a + b`; the operator is one of `+ - * /`."""

    type: Type
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Choose:
    """`yes if condition else no`."""

    type: Type
    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language."""

    type: Type
    function: str
    items: tuple[Node, ...]
    span_s: float = 0.0
    """Duration of `rate` and `for_at_least`."""


Node = Constant | Input | Not | Join | Compare | Negate | Combine | Choose | Call
