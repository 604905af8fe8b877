"""From the text of an expression to a typed tree. The text is read with `ast` and never run as Python.

The language, complete:

- inputs by name; `hour` (local, 7.5 is 07:30), `weekday` (1 Monday … 7 Sunday), `workday` (yes/no)
- numbers; constants with a unit as `kW(50)`, `degC(26)`, `K(2)`, `percent(95)`, and `quantity(4.186, "kJ/L/K")` where a
  unit is no single name; durations `seconds(30)`, `minutes(10)`, `hours(2)`; `True`, `False`
- `+ - * /`, `< <= > >= == !=` (also chained), `and or not`, `a if condition else b`, parentheses
- `mean(a, b, …)`, `min(a, b, …)`, `max(a, b, …)`, `abs(x)`, `sqrt(x)`
- `count(a, b, …)`: how many of the conditions are yes
- `rate(x, minutes(5))`: change a second over the duration
- `for_at_least(condition, minutes(10))`: the condition has held all that time
- `gained(x, condition)`: how much x has grown since the condition last became yes; unknown until that was seen
- `known(x)`: yes when x is known, never unknown itself; `otherwise(x, y)`: x where it is known, else y
- `provided(x, condition)`: x where the condition is yes, else unknown

Every part has a type. Units need not be equal, only of one quantity; 0 goes with every unit except for temperatures on
a scale. Differences of temperatures are in K; two temperatures on a scale cannot be added, nor one multiplied.
"""

from __future__ import annotations

import ast
import difflib
import keyword
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from controller.point.unit import UnitError
from controller.rule.definition import RuleError
from controller.rule.tree import (
    LOGIC,
    PURE,
    STATE,
    Call,
    Choose,
    Combine,
    Compare,
    Constant,
    Input,
    Join,
    Negate,
    Node,
    Not,
    Type,
    scale,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.rule.definition import RuleDefinition

__all__ = ["CALENDAR", "FUNCTIONS", "Expression", "parse_expression"]

CALENDAR: Mapping[str, Type] = {"hour": PURE, "weekday": PURE, "workday": LOGIC}
"""Names that every rule has."""
DURATIONS = {"seconds": "s", "minutes": "min", "hours": "h"}
FUNCTIONS: Mapping[str, tuple[int, int]] = {
    "mean": (2, 10),
    "min": (2, 10),
    "max": (2, 10),
    "count": (1, 40),
    "abs": (1, 1),
    "sqrt": (1, 1),
    "rate": (2, 2),
    "for_at_least": (2, 2),
    "gained": (2, 2),
    "known": (1, 1),
    "otherwise": (2, 2),
    "provided": (2, 2),
    "quantity": (2, 2),
}
"""Functions and the least and largest number of their arguments."""

_MAX_LENGTH = 2_000
_MAX_NODES = 300
_MAX_DEPTH = 40
_MAX_NUMBER = 1e15
_MAX_SPAN_S = 86_400.0
_COMBINE = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as Python's grammar reads it, before its names are known."""

    definition: RuleDefinition
    body: ast.expr
    names: Mapping[str, ast.Name]
    """First use of each name that is no function."""

    def error(self, message: str, node: ast.expr | None = None) -> RuleError:
        """Return the error that points at `node`, or at the whole rule."""
        if node is None:
            return RuleError(message, self.definition)
        line = node.lineno - 1  # the text was read inside of a pair of parentheses that take one line
        text = self.definition.expression.splitlines()[line - 1]
        column = len(text.encode()[: node.col_offset].decode(errors="replace")) + 1
        return RuleError(message, self.definition, line, column)

    def typed(self, inputs: Mapping[str, Type]) -> Node:
        """Return the typed tree, its result fit for the rule's point.

        Args:
            inputs: type of every declared input.

        Raises:
            RuleError: a name, type, unit, number or form is wrong; it points at the place.
        """
        return _Reader(self, {**CALENDAR, **inputs}).read()


def parse_expression(definition: RuleDefinition) -> Expression:
    """Read the text of a rule's expression.

    Raises:
        RuleError: it is no expression, or too long or too deep.
    """
    text = definition.expression
    if len(text) > _MAX_LENGTH:
        raise RuleError(f"the expression has {len(text)} characters; at most {_MAX_LENGTH} are allowed", definition)
    if not text.strip():
        raise RuleError("the expression is empty", definition)
    for name in definition.inputs:
        if name in CALENDAR or name in FUNCTIONS or name in DURATIONS or keyword.iskeyword(name):
            raise RuleError(f"the input {name!r} has a name of the language; choose another", definition)
    try:
        # Parentheses let an expression go over several lines.
        body = ast.parse(f"(\n{text}\n)", mode="eval").body
    except SyntaxError as error:
        line = min(max((error.lineno or 2) - 1, 1), max(1, len(text.splitlines())))
        raise RuleError(f"not an expression: {error.msg}", definition, line, error.offset or 1) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise RuleError(f"not an expression that can be read: {error or 'too deep'}", definition) from error
    if isinstance(body, ast.Tuple) and not body.elts:
        raise RuleError("the expression is empty", definition)
    if body.lineno == 1:  # it took our parentheses for its own, or `a) + (b` has closed them
        own = isinstance(body, ast.Tuple | ast.GeneratorExp)
        message = f"{_form(body)} is no expression" if own else "not an expression: unmatched ')'"
        raise RuleError(message, definition, 1, 1)
    functions = {node.func for node in ast.walk(body) if isinstance(node, ast.Call)}
    names: dict[str, ast.Name] = {}
    uses = [node for node in ast.walk(body) if isinstance(node, ast.Name) and node not in functions]
    for use in sorted(uses, key=lambda node: (node.lineno, node.col_offset)):
        names.setdefault(use.id, use)
    return Expression(definition, body, names)


class _Reader:
    def __init__(self, expression: Expression, names: Mapping[str, Type]) -> None:
        self._error = expression.error
        self._definition = expression.definition
        self._body = expression.body
        self._names = names
        self._nodes = 0

    def read(self) -> Node:
        node = self._read(self._body, 0)
        point = self._definition.point
        if point.kind == "binary":
            self._want_logic(node, self._body, f"the binary point {point.tag}")
            return node
        if point.kind == "multistate":
            if node.type not in (STATE, PURE):
                self._fail(f"the result is {node.type.describe()}; {point.tag} wants a state", self._body)
            return node
        try:
            wanted = Type.of_unit(point.unit)
        except UnitError as error:
            self._fail(f"point {point.tag}: {error}")
        node = self._fit_zero(node, wanted)
        if not node.type.like(wanted):
            unit = f"{wanted.describe()} in {point.unit}" if point.unit else wanted.describe()
            self._fail(f"the result is {node.type.describe()}; the point {point.tag} wants {unit}", self._body)
        return node

    def _read(self, node: ast.expr, depth: int) -> Node:
        self._nodes += 1
        if depth > _MAX_DEPTH:
            self._fail(f"more than {_MAX_DEPTH} levels deep; make a virtual point of a part", node)
        if self._nodes > _MAX_NODES:
            self._fail(f"more than {_MAX_NODES} parts; make a virtual point of some of them", node)
        depth += 1
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node)
            case ast.UnaryOp(op=ast.Not()):
                item = self._read(node.operand, depth)
                self._want_logic(item, node.operand, "'not'")
                return Not(item)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                return self._signed(node, depth)
            case ast.BoolOp():
                items = tuple(self._read(item, depth) for item in node.values)
                word = "'and'" if isinstance(node.op, ast.And) else "'or'"
                for item, place in zip(items, node.values, strict=True):
                    self._want_logic(item, place, word)
                return Join(isinstance(node.op, ast.And), items)
            case ast.Compare():
                return self._compare(node, depth)
            case ast.BinOp():
                return self._combine(node, depth)
            case ast.IfExp():
                condition = self._read(node.test, depth)
                self._want_logic(condition, node.test, "'if'")
                yes, no = self._alike(node, self._read(node.body, depth), self._read(node.orelse, depth), "'if … else'")
                return Choose(yes.type, condition, yes, no)
            case ast.Call():
                return self._call(node, depth)
        raise self._error(f"{_form(node)} is not part of the language of rules", node)

    def _fail(self, message: str, node: ast.expr | None = None) -> NoReturn:
        raise self._error(message, node)

    def _constant(self, node: ast.Constant) -> Node:
        if isinstance(node.value, bool):
            return Constant(LOGIC, float(node.value))
        return Constant(PURE, self._number(node))

    def _number(self, node: ast.expr) -> float:
        """Return a number written in the expression, with or without a sign."""
        sign = 1.0
        while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            sign = -sign if isinstance(node.op, ast.USub) else sign
            node = node.operand
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fail(f"{_form(node)} stands where a number is wanted", node)
        if not abs(value) <= _MAX_NUMBER:  # infinity too; a whole number of any length can be compared
            self._fail(f"a number beyond ±{_MAX_NUMBER:g}", node)
        return sign * float(value)

    def _name(self, node: ast.Name) -> Node:
        kind = self._names.get(node.id)
        if kind is None:
            self._fail(f"{node.id!r} is no input of this rule{_near(node.id, self._names)}", node)
        return Input(kind, node.id)

    def _signed(self, node: ast.UnaryOp, depth: int) -> Node:
        item = self._read(node.operand, depth)
        self._want_number(item, node.operand, "a sign")
        if item.type.absolute and isinstance(node.op, ast.USub):
            self._fail("a temperature on a scale has no negative; write degC(-5) for five below zero", node)
        return Negate(item.type, item) if isinstance(node.op, ast.USub) else item

    def _compare(self, node: ast.Compare, depth: int) -> Node:
        places = [node.left, *node.comparators]
        items = [self._read(place, depth) for place in places]
        parts: list[Node] = []
        for k, operator in enumerate(node.ops):
            if type(operator) not in _COMPARE:
                self._fail("'in' and 'is' are not part of the language of rules", node)
            word = _COMPARE[type(operator)]
            left, right = items[k], items[k + 1]
            left, right = self._alike(node, left, right, f"'{word}'")
            if left.type.kind != "number" and word not in ("==", "!="):
                self._fail(f"'{word}' needs numbers, and this is {left.type.describe()}; use == or !=", places[k])
            parts.append(Compare(word, left, right))
        return parts[0] if len(parts) == 1 else Join(every=True, items=tuple(parts))

    def _combine(self, node: ast.BinOp, depth: int) -> Node:
        operator = _COMBINE.get(type(node.op))
        if operator is None:
            self._fail("only + - * / are operators of the language of rules (there is no power)", node)
        left, right = self._read(node.left, depth), self._read(node.right, depth)
        self._want_number(left, node.left, f"'{operator}'")
        self._want_number(right, node.right, f"'{operator}'")
        if operator in "*/":
            for item, place in ((left, node.left), (right, node.right)):
                if item.type.absolute:
                    self._fail(
                        f"'{operator}' with a temperature on a scale has no meaning; use a difference, such as "
                        f"t - degC(0)",
                        place,
                    )
            return Combine(left.type.times(right.type, 1 if operator == "*" else -1), operator, left, right)
        return Combine(self._sum(node, operator, left, right), operator, left, right)

    def _sum(self, node: ast.BinOp, operator: str, left: Node, right: Node) -> Type:
        """Return the type of a sum or difference."""
        a, b = self._fit_zero(left, right.type).type, self._fit_zero(right, left.type).type
        relative_a, relative_b = replace(a, absolute=False), replace(b, absolute=False)
        if not relative_a.like(relative_b):
            self._fail(f"'{operator}' of {a.describe()} and {b.describe()}", node)
        if a.absolute and b.absolute:
            if operator == "-":
                return relative_a
            self._fail("two temperatures on a scale cannot be added; one of them must be a difference in K", node)
        if b.absolute and operator == "-":
            self._fail("a temperature on a scale cannot be taken from a difference", node)
        return replace(a, absolute=a.absolute or b.absolute, family=a.family or b.family)

    def _call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name):
            self._fail("only functions of the language can be called", node)
        name = node.func.id
        if node.keywords:
            self._fail(f"{name}: arguments have no names in the language of rules", node)
        if name in DURATIONS or name not in FUNCTIONS:
            return self._with_unit(node, name)
        least, most = FUNCTIONS[name]
        if not least <= len(node.args) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            self._fail(f"{name} has {len(node.args)} arguments; it wants {wanted}", node)
        if name == "quantity":
            unit = node.args[1]
            if not (isinstance(unit, ast.Constant) and isinstance(unit.value, str)):
                self._fail('quantity wants a unit in quotes, such as quantity(4.186, "kJ/L/K")', unit)
            return self._in_unit(node, self._number(node.args[0]), unit.value)
        if name in ("rate", "for_at_least"):
            return self._over_time(node, name, depth)
        items = tuple(self._read(argument, depth) for argument in node.args)
        if name == "known":
            return Call(LOGIC, name, items)
        if name == "gained":
            self._want_number(items[0], node.args[0], name)
            self._want_logic(items[1], node.args[1], name)
            return Call(replace(items[0].type, absolute=False), name, items)
        if name == "otherwise":
            first, second = self._alike(node, items[0], items[1], name)
            return Call(first.type, name, (first, second))
        if name == "provided":
            self._want_logic(items[1], node.args[1], name)
            return Call(items[0].type, name, items)
        if name == "count":
            for item, place in zip(items, node.args, strict=True):
                self._want_logic(item, place, name)
            return Call(PURE, name, items)
        for item, place in zip(items, node.args, strict=True):
            self._want_number(item, place, name)
        if name == "abs":
            if items[0].type.absolute:
                self._fail("abs of a temperature on a scale has no meaning; use a difference", node.args[0])
            return Call(items[0].type, name, items)
        if name == "sqrt":
            if items[0].type.absolute:
                self._fail("sqrt of a temperature on a scale has no meaning", node.args[0])
            halves = tuple((quantity, power / 2) for quantity, power in items[0].type.dimension)
            return Call(Type("number", halves), name, items)
        first = next((item for item in items if item.type != PURE), items[0])
        fitted = []
        for item, place in zip(items, node.args, strict=True):
            fit = self._fit_zero(item, first.type)
            if not fit.type.like(first.type):
                self._fail(f"{name} of {first.type.describe()} and {fit.type.describe()}", place)
            fitted.append(fit)
        return Call(first.type, name, tuple(fitted))

    def _over_time(self, node: ast.Call, name: str, depth: int) -> Node:
        item, span = self._read(node.args[0], depth), self._read(node.args[1], depth)
        seconds = Type.of_unit("s")
        if not (isinstance(span, Constant) and span.type.like(seconds)):
            self._fail(f"{name} wants a duration such as minutes(10)", node.args[1])
        if not 0 < span.value <= _MAX_SPAN_S:
            self._fail(f"{name} over {span.value:g} s; more than 0 s and at most 24 h are wanted", node.args[1])
        if name == "for_at_least":
            self._want_logic(item, node.args[0], name)
            return Call(LOGIC, name, (item,), span.value)
        self._want_number(item, node.args[0], name)
        return Call(replace(item.type, absolute=False).times(seconds, -1), name, (item,), span.value)

    def _with_unit(self, node: ast.Call, name: str) -> Node:
        """Read `kW(50)` or `minutes(10)`."""
        if name not in DURATIONS:
            try:
                Type.of_unit(name)
            except UnitError:
                self._fail(f"{name!r} is neither a function nor a unit{_near(name, [*FUNCTIONS, *DURATIONS])}", node)
        if len(node.args) != 1:
            self._fail(f"{name} wants one number, such as {name}(10)", node)
        return self._in_unit(node, self._number(node.args[0]), DURATIONS.get(name, name))

    def _in_unit(self, node: ast.Call, number: float, unit: str) -> Node:
        try:
            factor, shift = scale(unit)
            return Constant(Type.of_unit(unit), number * factor + shift)
        except UnitError as error:
            self._fail(str(error), node)

    # --- what a place wants -------------------------------------------------------------------------------------------

    def _want_logic(self, item: Node, place: ast.expr, who: str) -> None:
        if item.type != LOGIC:
            self._fail(f"{who} wants a yes/no value, and this is {item.type.describe()}", place)

    def _want_number(self, item: Node, place: ast.expr, who: str) -> None:
        if item.type.kind != "number":
            self._fail(f"{who} wants a number, and this is {item.type.describe()}", place)

    def _fit_zero(self, item: Node, wanted: Type) -> Node:
        """Let a bare 0 have any unit; nothing and no change are the same in all of them."""
        zero = isinstance(item, Constant) and item.type == PURE and item.value == 0.0
        return replace(item, type=wanted) if zero and wanted.kind == "number" and not wanted.absolute else item

    def _fit_state(self, item: Node, wanted: Type) -> Node:
        """Let a bare number be a state beside a state."""
        return (
            replace(item, type=STATE) if isinstance(item, Constant) and item.type == PURE and wanted == STATE else item
        )

    def _alike(self, node: ast.expr, left: Node, right: Node, who: str) -> tuple[Node, Node]:
        left, right = self._fit_state(left, right.type), self._fit_state(right, left.type)
        left, right = self._fit_zero(left, right.type), self._fit_zero(right, left.type)
        if not left.type.like(right.type):
            bare = any(isinstance(item, Constant) and item.type == PURE for item in (left, right))
            hint = "; give the number a unit, such as kW(50), degC(26) or K(2)" if bare else ""
            self._fail(f"{who} of {left.type.describe()} and {right.type.describe()}{hint}", node)
        return left, right


def _near(name: str, known: Sequence[str] | Mapping[str, Type]) -> str:
    near = difflib.get_close_matches(name, list(known), n=2)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(sorted(known))}"


def _form(node: ast.AST) -> str:
    """Return the name of a form of Python's grammar, for people."""
    if isinstance(node, ast.Constant):
        return "a text" if isinstance(node.value, str | bytes) else f"{node.value!r}"
    names = {
        "Attribute": "a dot",
        "Subscript": "an index in brackets",
        "Lambda": "lambda",
        "NamedExpr": "':='",
        "Tuple": "a comma",
        "JoinedStr": "a text",
        "UnaryOp": "'~'",
    }
    return names.get(type(node).__name__, f"this form ({type(node).__name__})")
