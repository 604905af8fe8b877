"""Expands one row of a file into many: `for = { n = "1..40" }` and `{n:02}` in its texts.

Inside braces stands integer arithmetic (`+ - * // %`, parentheses) over the names of `for`, read with `ast` and never
evaluated as Python. A list variable is a text.
"""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from controller.settings.problem import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["TemplateError", "expand", "fill"]

_RANGE = re.compile(r"\s*(-?[0-9]{1,9})\s*\.\.\s*(-?[0-9]{1,9})\s*")
_HOLE = re.compile(r"\{([^{}:]+)(?::([0-9]{1,2}))?\}")
_MAX_ROWS = 10_000
_MAX_VARIABLES = 8
_MAX_NUMBER = 10**15

Variable = int | str


class TemplateError(ValueError):
    """The loop or the template is wrong; the message says how, `key` where (empty: `for`), `wanted` what is right."""

    def __init__(self, message: str, *, key: str = "", wanted: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.wanted = wanted or 'a template such as "{n:02}" over `for = { n = "1..40" }`'


def expand(loop: object) -> Iterator[dict[str, Variable]]:
    """Yield the variables of each repetition: the product of all ranges and lists, the last one fastest.

    Raises:
        TemplateError: not a table, a range is not `a..b`, is empty, or the product is larger than 10,000.
    """
    if not isinstance(loop, dict):
        raise TemplateError(f"{shown(loop)} is no table")
    if len(loop) > _MAX_VARIABLES:
        raise TemplateError(f"{len(loop)} variables; at most {_MAX_VARIABLES}")
    names, values, total = list(loop), [], 1
    for name, given in loop.items():
        if not name.isidentifier():
            raise TemplateError(f"{shown(name)} is no name for a variable")
        if isinstance(given, str):
            match = _RANGE.fullmatch(given)
            if not match:
                raise TemplateError(f"{name} = {shown(given)} is no range")
            low, high = int(match.group(1)), int(match.group(2))
            if high < low:
                raise TemplateError(f"{name} = {shown(given)} is empty: its end is below its start")
            if high - low >= _MAX_ROWS:
                raise TemplateError(f"{name} = {shown(given)} is {high - low + 1} repetitions; at most {_MAX_ROWS}")
            choice: list[Variable] = list(range(low, high + 1))
        elif isinstance(given, list) and given and all(_usable(item) for item in given):
            choice = list(given)
        else:
            raise TemplateError(f"{name} = {shown(given)} is neither a range nor a list of texts and whole numbers")
        total *= len(choice)
        values.append(choice)
    if total > _MAX_ROWS:
        raise TemplateError(f"{total} repetitions; at most {_MAX_ROWS}")
    for combination in itertools.product(*values):
        yield dict(zip(names, combination, strict=True))


def _usable(item: object) -> bool:
    return isinstance(item, str) or (type(item) is int and abs(item) <= _MAX_NUMBER)


def fill(value: Any, variables: Mapping[str, Variable]) -> Any:
    """Return `value` with every template in its texts filled in, tables and lists included.

    A text that is one template without a format and gives a number is that number.

    Raises:
        TemplateError: a template names an unknown variable or is no integer arithmetic.
    """
    if isinstance(value, str):
        if "{" not in value:
            return value
        whole = _HOLE.fullmatch(value)
        if whole and not whole.group(2):
            return _compute(whole.group(1), variables)
        filled = _HOLE.sub(lambda hole: _format(hole, variables), value)
        if "{" in filled or "}" in filled:
            raise TemplateError(f"{shown(value)} has a brace without its partner, or nothing usable in between")
        return filled
    if isinstance(value, dict):
        return {key: fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, variables) for item in value]
    return value


def _format(hole: re.Match[str], variables: Mapping[str, Variable]) -> str:
    result = _compute(hole.group(1), variables)
    width = hole.group(2)
    if width and isinstance(result, int):
        return f"{result:{width}d}"
    return str(result)


def _compute(expression: str, variables: Mapping[str, Variable]) -> Variable:
    return _walk(_parse(expression.strip()), variables, expression)


@lru_cache(maxsize=1024)
def _parse(expression: str) -> ast.expr:
    if len(expression) > 80:
        raise TemplateError(f'"{{{expression[:20]}…}}" is too long for a template')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on its own syntax is not for whoever wrote the file
            return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TemplateError(f'"{{{expression}}}" is no arithmetic') from error


def _walk(node: ast.expr, variables: Mapping[str, Variable], text: str) -> Variable:
    if isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) <= _MAX_NUMBER:
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in variables:
            known = ", ".join(variables) or "none: the row has no `for`"
            raise TemplateError(f'"{{{text}}}": unknown name "{node.id}"; known are {known}')
        return variables[node.id]
    if isinstance(node, ast.BinOp):
        left, right = _walk(node.left, variables, text), _walk(node.right, variables, text)
        if not (isinstance(left, int) and isinstance(right, int)):
            raise TemplateError(f'"{{{text}}}": arithmetic with a text')
        if isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
            result = (
                left + right
                if isinstance(node.op, ast.Add)
                else left - right
                if isinstance(node.op, ast.Sub)
                else left * right
            )
            if abs(result) > _MAX_NUMBER:
                raise TemplateError(f'"{{{text}}}": a number above {_MAX_NUMBER}')
            return result
        if isinstance(node.op, ast.FloorDiv | ast.Mod):
            if right == 0:
                raise TemplateError(f'"{{{text}}}": division by zero')
            return left // right if isinstance(node.op, ast.FloorDiv) else left % right
    raise TemplateError(f'"{{{text}}}": only names, whole numbers, + - * // % and parentheses are allowed')
