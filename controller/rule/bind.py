"""The inputs of a rule, checked against the site: which points or parameters, in which units, with what window."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.point.unit import UnitError, compatible
from controller.rule.tree import LOGIC, STATE, Type, scale
from controller.rule.window import Window, parse_window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from controller.point.model import Equipment, Point, Site
    from controller.rule.compile import Pair
    from controller.rule.definition import RuleInput
    from controller.rule.parse import Expression

__all__ = ["Bound", "bind"]

_UNCERTAIN = np.uint8(64)


@dataclass(slots=True)
class Bound:
    """One input of a rule, for all its equipment."""

    name: str
    type: Type
    numbers: NDArray[np.intp]
    factor: NDArray[np.float64]
    shift: NDArray[np.float64]
    window: Window | None = None
    constant: Pair | None = None
    """A parameter does not change."""

    def read(self, value: NDArray[np.float64], quality: NDArray[np.uint8], now: float) -> Pair:
        """Return the input's values in the units of the tree, and which are known."""
        if self.constant is not None:
            return self.constant
        known = quality[self.numbers] < _UNCERTAIN
        taken = value[self.numbers]
        if self.type == LOGIC:
            return (taken != 0.0) & known, known
        scaled = taken * self.factor + self.shift
        if self.window is None:
            return scaled, known
        self.window.update(now, scaled, known)
        return self.window.result()


def bind(site: Site, expression: Expression, name: str, wanted: RuleInput, pieces: list[Equipment]) -> Bound:
    """Return the input `name` of a rule for all its `pieces` of equipment.

    Raises:
        RuleError: a point or parameter is missing, or of another kind or unit; it points at the first use of the name.
    """
    place = expression.names[name]
    if bool(wanted.point) == bool(wanted.parameter):
        raise expression.error(f"input {name!r} wants either a point or a parameter", place)
    if wanted.parameter:
        return _parameter(expression, name, wanted, pieces)
    found = [_point(site, expression, name, wanted, piece) for piece in pieces]
    kinds = {_kind(point) for point in found}
    if len(kinds) > 1:
        odd = next(point for point in found if _kind(point) != _kind(found[0]))
        raise expression.error(
            f"input {name!r}: {found[0].address} is {found[0].kind} and {odd.address} is {odd.kind}", place
        )
    numbers = np.array([point.number for point in found], np.intp)
    size = len(found)
    kind = kinds.pop()
    if kind != "number":
        if wanted.unit or wanted.window:
            what = f"the unit {wanted.unit!r}" if wanted.unit else f"the window {wanted.window!r}"
            raise expression.error(
                f"input {name!r}: {found[0].address} is {found[0].kind}; {what} does not go with it", place
            )
        return Bound(name, LOGIC if kind == "logic" else STATE, numbers, np.ones(size), np.zeros(size))
    type_ = _unit(expression, name, wanted.unit)
    scales = [_scale(expression, name, wanted.unit, point) for point in found]
    factor, shift = (np.array(column) for column in zip(*scales, strict=True))
    window = None
    if wanted.window:
        try:
            aggregate, span_s = parse_window(wanted.window)
        except ValueError as error:
            raise expression.error(f"input {name!r}: {error}", place) from error
        window = Window(aggregate, span_s, size)
        if aggregate == "rate":
            type_ = Type("number", type_.dimension).times(Type.of_unit("s"), -1)
    return Bound(name, type_, numbers, factor, shift, window)


def _parameter(expression: Expression, name: str, wanted: RuleInput, pieces: list[Equipment]) -> Bound:
    place = expression.names[name]
    type_ = _unit(expression, name, wanted.unit)
    if wanted.window:
        raise expression.error(f"input {name!r}: a parameter has no window", place)
    factor, shift = scale(wanted.unit)
    values = []
    for piece in pieces:
        value = piece.parameters.get(wanted.parameter)
        if value is None:
            near = _near(wanted.parameter, piece.parameters)
            raise expression.error(
                f"input {name!r}: {piece.address} has no parameter {wanted.parameter!r}{near}", place
            )
        if isinstance(value, str):
            raise expression.error(
                f"input {name!r}: parameter {wanted.parameter} of {piece.address} is the text {value!r}; "
                f"a number is wanted",
                place,
            )
        values.append(float(value) * factor + shift)
    size = len(pieces)
    constant = (np.array(values), np.ones(size, np.bool_))
    return Bound(name, type_, np.empty(0, np.intp), np.ones(size), np.zeros(size), None, constant)


def _point(site: Site, expression: Expression, name: str, wanted: RuleInput, piece: Equipment) -> Point:
    address = wanted.point if "." in wanted.point else f"{piece.address}.{wanted.point}"
    point = site.points.get(address)
    if point is None:
        siblings = [one.address for one in site.of_equipment(address.rpartition(".")[0])]
        near = _near(address, siblings)
        raise expression.error(f"input {name!r}: there is no point {address}{near}", expression.names[name])
    return point


def _unit(expression: Expression, name: str, unit: str) -> Type:
    try:
        return Type.of_unit(unit)
    except UnitError as error:
        raise expression.error(f"input {name!r}: {error}", expression.names[name]) from error


def _scale(expression: Expression, name: str, unit: str, point: Point) -> tuple[float, float]:
    """Return how the point's values become tree values, if its unit suits the one wanted."""
    try:
        suits = compatible(point.unit, unit) and Type.of_unit(point.unit).absolute == Type.of_unit(unit).absolute
        if suits:
            return scale(point.unit)
    except UnitError as error:
        raise expression.error(f"input {name!r}: {point.address}: {error}", expression.names[name]) from error
    raise expression.error(
        f"input {name!r}: {point.address} is in {point.unit or 'no unit'}, which is not of the kind of "
        f"{unit or 'a pure number'}",
        expression.names[name],
    )


def _kind(point: Point) -> str:
    return {"binary": "logic", "multistate": "state"}.get(point.kind, "number")


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=2)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; it has {', '.join(sorted(names)[:12])}" if names else ""
