"""Units: from what screens show (`°C`, `L/s`, `µg/m³`) to numbers that can be converted and compared.

The list is ours (`unit.txt`), read by pint. Active, reactive and apparent power have one dimension in physics, and yet
a kvar is never taken for a kW: `compatible` tells them apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pint

from controller.errors import InvalidError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Unit", "UnitError", "compatible", "convert", "dimension", "parse_unit"]

Value = TypeVar("Value", float, "NDArray[np.float64]")

_SHOWN = (("°", "deg"), ("µ", "u"), ("μ", "u"), ("³", "**3"), ("²", "**2"), ("·", "*"), ("%", "percent"))
_TERM = r"[A-Za-z][A-Za-z_]*(\*\*-?[1-9])?"
_TEXT = re.compile(rf"(1|{_TERM})([*/]{_TERM})*")
_MAX_LENGTH = 40
_FAMILIES = (("reactive", ("volt_ampere_reactive",)), ("apparent", ("volt_ampere",)), ("active", ("watt",)))


class UnitError(InvalidError):
    """A unit is unknown, or two units do not measure the same quantity."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit, as numbers: `base value = value × factor + offset`, in SI base units."""

    shown: str
    factor: float
    offset: float
    """Not 0 for temperatures on a scale (degC, degF)."""
    dimension: tuple[tuple[str, float], ...]
    """Exponents of the base quantities, sorted; empty for a pure number."""
    family: str
    """`active`, `reactive` or `apparent` for electrical power and energy, else empty."""

    @property
    def absolute(self) -> bool:
        """Tell whether it is a place on a scale (26 °C) and no amount (2 K)."""
        return self.offset != 0.0


@cache
def parse_unit(shown: str) -> Unit:
    """Return the unit that `shown` means; the empty text is a pure number.

    Raises:
        UnitError: it is unknown, or not written as names joined by `*` and `/` with powers.
    """
    if not shown:
        return Unit("", 1.0, 0.0, (), "")
    text = shown
    for sign, name in _SHOWN:
        text = text.replace(sign, name)
    if len(text) > _MAX_LENGTH or not _TEXT.fullmatch(text):
        raise UnitError(f"unit {shown[:_MAX_LENGTH]!r} cannot be read; wanted are names such as kW, °C, L/s, µg/m³")
    registry = _registry()
    try:
        unit = registry.parse_units(text)
    except pint.UndefinedUnitError as error:
        raise UnitError(f"unit {shown!r} is unknown; the known ones are in controller/point/unit.txt") from error
    except pint.PintError as error:
        raise UnitError(f"unit {shown!r} cannot be read: {error}") from error
    names = [name for name, _ in registry.Quantity(1.0, unit).unit_items()]
    exponents = tuple(sorted((str(name), float(str(power))) for name, power in unit.dimensionality.items()))
    if any("degree_" in name for name in names):
        # pint reads a scale in a product as a difference; nobody writes that on purpose.
        if len(names) > 1 or names[0].startswith("delta_"):
            raise UnitError(f"unit {shown!r}: a temperature scale is no factor of a unit; for differences write K")
        step = float(registry.Quantity(1.0, f"delta_{names[0]}").to_base_units().magnitude)
        zero = float(registry.Quantity(0.0, unit).to_base_units().magnitude)
        return Unit(shown, step, zero, exponents, "")
    factor = float(registry.Quantity(1.0, unit).to_base_units().magnitude)
    return Unit(shown, factor, 0.0, exponents, _family(names))


def compatible(first: str, second: str) -> bool:
    """Tell whether values in one unit can be converted to the other.

    Raises:
        UnitError: one of them is unknown.
    """
    a, b = parse_unit(first), parse_unit(second)
    return a.dimension == b.dimension and (a.family == b.family or not a.family or not b.family)


def dimension(unit: str) -> tuple[tuple[str, float], ...]:
    """Return the exponents of the base quantities, sorted; empty for a pure number.

    Raises:
        UnitError: the unit is unknown.
    """
    return parse_unit(unit).dimension


def convert(value: Value, source: str, target: str) -> Value:
    """Return `value`, a number or an array, given in `source`, in `target`.

    Raises:
        UnitError: a unit is unknown, or the two do not measure the same quantity.
    """
    if source == target:
        return value
    if not compatible(source, target):
        raise UnitError(f"{source or 'a pure number'} cannot be converted to {target or 'a pure number'}")
    a, b = parse_unit(source), parse_unit(target)
    return (value * a.factor + (a.offset - b.offset)) / b.factor


def _family(names: list[str]) -> str:
    for family, stems in _FAMILIES:
        if any(stem in name for stem in stems for name in names):
            return family
    return ""


@cache
def _registry() -> pint.UnitRegistry[float]:
    return pint.UnitRegistry(str(Path(__file__).with_name("unit.txt")))
