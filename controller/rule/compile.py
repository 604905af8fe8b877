"""From a typed tree to closures over numpy arrays: one call computes a rule for all equipment of its class.

Every part yields a pair (value, known) of arrays that broadcast to the number of equipment. Logic has three values,
after Kleene: `False and unknown` is false, `True or unknown` is true, everything else with an unknown part is unknown.
An unknown yes/no value is kept as False, so that plain array operations give the right value where it is known.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from controller.rule.tree import Call, Choose, Combine, Compare, Constant, Input, Join, Negate, Not
from controller.rule.window import Gained, Held, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from controller.rule.tree import Node

__all__ = ["Frame", "Pair", "Program", "compile_tree"]

Pair = tuple[Any, Any]
"""(value, known): float64 or bool array and bool array, each of the size or a scalar of numpy."""
Step = Callable[["Frame"], Pair]

_YES, _NO = np.True_, np.False_
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_COMBINE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What a run is given: the inputs of one moment."""

    inputs: Mapping[str, Pair]
    """By name; numbers in the units of the tree, yes/no values as bool arrays that are False where unknown."""
    now: float
    """Monotonic s."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled rule. It remembers durations and rates from run to run."""

    step: Step
    size: int

    def run(self, frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return value (yes = 1.0, no = 0.0, unknown = NaN) and known, arrays of the size."""
        with np.errstate(all="ignore"):  # unknown values are NaN, and a division by zero is unknown
            value, known = self.step(frame)
            known = np.broadcast_to(known & np.isfinite(value), self.size)
            return np.where(known, value, np.nan).astype(np.float64, copy=False), known


def compile_tree(node: Node, size: int, now: float) -> Program:
    """Return the program of a tree for `size` pieces of equipment, beginning at `now` (monotonic s)."""
    return Program(_compile(node, size, now), size)


def _compile(node: Node, size: int, now: float) -> Step:
    match node:
        case Constant():
            value = np.bool_(node.value) if node.type.kind == "logic" else np.float64(node.value)
            return lambda _frame: (value, _YES)
        case Input():
            name = node.name
            return lambda frame: frame.inputs[name]
        case Not():
            return _not(_compile(node.item, size, now))
        case Join():
            return _join(every=node.every, steps=[_compile(item, size, now) for item in node.items])
        case Compare():
            return _compare(_COMPARE[node.operator], _compile(node.left, size, now), _compile(node.right, size, now))
        case Negate():
            return _negate(_compile(node.item, size, now))
        case Combine():
            return _combine(_COMBINE[node.operator], _compile(node.left, size, now), _compile(node.right, size, now))
        case Choose():
            return _choose(*(_compile(part, size, now) for part in (node.condition, node.yes, node.no)))
        case Call():
            return _call(node, [_compile(item, size, now) for item in node.items], size, now)


def _not(item: Step) -> Step:
    def run(frame: Frame) -> Pair:
        value, known = item(frame)
        return known & ~value, known

    return run


def _join(*, every: bool, steps: list[Step]) -> Step:
    def all_of(frame: Frame) -> Pair:
        value, known = steps[0](frame)
        for step in steps[1:]:
            more, more_known = step(frame)
            known = (known & more_known) | (known & ~value) | (more_known & ~more)
            value = value & more
        return value, known

    def any_of(frame: Frame) -> Pair:
        value, known = steps[0](frame)
        for step in steps[1:]:
            more, more_known = step(frame)
            known = (known & more_known) | value | more
            value = value | more
        return value, known

    return all_of if every else any_of


def _compare(compare: Callable[[Any, Any], Any], left: Step, right: Step) -> Step:
    def run(frame: Frame) -> Pair:
        a, a_known = left(frame)
        b, b_known = right(frame)
        known = a_known & b_known
        return compare(a, b) & known, known

    return run


def _negate(item: Step) -> Step:
    def run(frame: Frame) -> Pair:
        value, known = item(frame)
        return -value, known

    return run


def _combine(combine: Callable[[Any, Any], Any], left: Step, right: Step) -> Step:
    def run(frame: Frame) -> Pair:
        a, a_known = left(frame)
        b, b_known = right(frame)
        value = combine(a, b)
        # A division by zero or an overflow has no value; a comparison must not take infinity for one.
        return value, a_known & b_known & np.isfinite(value)

    return run


def _choose(condition: Step, yes: Step, no: Step) -> Step:
    def run(frame: Frame) -> Pair:
        test, test_known = condition(frame)
        a, a_known = yes(frame)
        b, b_known = no(frame)
        value: Any = np.where(test, a, b)  # an unknown test is False; then a and b are equal or the result is unknown
        known = np.where(test_known, np.where(test, a_known, b_known), a_known & b_known & (a == b))
        return (value & known if value.dtype == np.bool_ else value), known

    return run


def _call(node: Call, steps: list[Step], size: int, now: float) -> Step:
    match node.function:
        case "rate":
            return _rate(steps[0], Window("rate", node.span_s, size))
        case "for_at_least":
            return _held(steps[0], Held(node.span_s, size, now))
        case "gained":
            return _gained(steps[0], steps[1], Gained(size), size)
        case "known":
            return lambda frame: (steps[0](frame)[1] & _YES, _YES)
        case "otherwise":
            return _otherwise(steps[0], steps[1])
        case "provided":
            return _provided(steps[0], steps[1])
        case "abs":
            return _one(np.abs, steps[0])
        case "sqrt":
            return _one(np.sqrt, steps[0])
        case "count":
            return _many(lambda values: _fold(np.add, [np.asarray(value, np.float64) for value in values]), steps)
        case "mean":
            return _many(lambda values: sum(values) / len(values), steps)
        case "min":
            return _many(lambda values: _fold(np.minimum, values), steps)
        case "max":
            return _many(lambda values: _fold(np.maximum, values), steps)
        case other:
            raise ValueError(f"function {other!r} is not compiled")


def _one(function: Callable[[Any], Any], item: Step) -> Step:
    def run(frame: Frame) -> Pair:
        value, known = item(frame)
        result = function(value)
        return result, known & np.isfinite(result)

    return run


def _many(function: Callable[[list[Any]], Any], items: list[Step]) -> Step:
    def run(frame: Frame) -> Pair:
        pairs = [item(frame) for item in items]
        return function([value for value, _ in pairs]), _fold(np.logical_and, [known for _, known in pairs])

    return run


def _fold(function: Callable[[Any, Any], Any], values: list[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


def _otherwise(first: Step, second: Step) -> Step:
    def run(frame: Frame) -> Pair:
        a, a_known = first(frame)
        b, b_known = second(frame)
        value: Any = np.where(a_known, a, b)
        known = a_known | b_known
        return (value & known if value.dtype == np.bool_ else value), known

    return run


def _provided(item: Step, condition: Step) -> Step:
    def run(frame: Frame) -> Pair:
        value, known = item(frame)
        holds, holds_known = condition(frame)
        known = known & holds_known & holds
        return (value & known if np.asarray(value).dtype == np.bool_ else value), known

    return run


def _rate(item: Step, window: Window) -> Step:
    def run(frame: Frame) -> Pair:
        value, known = item(frame)
        window.update(frame.now, value, known)
        return window.result()

    return run


def _held(item: Step, held: Held) -> Step:
    def run(frame: Frame) -> Pair:
        value, known = item(frame)
        return held.update(frame.now, value, known)

    return run


def _gained(item: Step, condition: Step, gained: Gained, size: int) -> Step:
    def run(frame: Frame) -> Pair:
        parts = (*item(frame), *condition(frame))
        return gained.update(*(np.broadcast_to(part, size) for part in parts))

    return run
