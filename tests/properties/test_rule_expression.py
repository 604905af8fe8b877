"""Expressions: no text does harm, and arrays compute what plain three-valued arithmetic does for each equipment."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.rule.compile import Frame, compile_tree
from controller.rule.definition import RuleDefinition, RuleError, RuleInput, VirtualPoint
from controller.rule.parse import parse_expression
from controller.rule.tree import LOGIC, PURE, Node, Type

TYPES: dict[str, Type] = {"a": LOGIC, "b": LOGIC, "x": PURE, "y": PURE}
WORDS = st.sampled_from(
    ["a", "b", "x", "y", "t", "hour", "(", ")", " and ", " or ", " not ", " if ", " else ", "+", "-", "*", "/", "<",
     "==", ",", "kW(", "1", "0", "max(", "known(", "lambda:", "[", "]", ".", ":=", "'", "**", "\n", "#", "溫",
     "for_at_least("]
)  # fmt: skip


def rule(expression: str, kind: str) -> RuleDefinition:
    names = {name: RuleInput(point=name) for name in TYPES}
    return RuleDefinition("r", names, expression, VirtualPoint("out", "", kind), cls="c")


def read(text: str, kind: str) -> Node | RuleError:
    try:
        return parse_expression(rule(text, kind)).typed(TYPES)
    except RuleError as error:
        return error


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=25).map("".join)), st.sampled_from(["analog", "binary"])
)
def test_any_text_is_a_tree_or_an_error_with_a_place(text: str, kind: str) -> None:
    found = read(text, kind)
    if isinstance(found, RuleError):
        assert found.line is None or 1 <= found.line <= len(text.splitlines()) + 1
        assert found.column >= 1
    else:
        assert found.type.kind == ("logic" if kind == "binary" else "number")


def logics(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    leaves = st.one_of(
        st.sampled_from(["a", "b", "True", "False"]),
        st.tuples(numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(lambda one: f"(not {one})"),
            st.tuples(inner, st.sampled_from(["and", "or", "==", "!="]), inner).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            ),
            st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
            inner.map(lambda one: f"known({one})"),
            st.tuples(inner, inner).map(lambda t: f"otherwise({t[0]}, {t[1]})"),
        ),
        max_leaves=8,
    )


NUMBERS = st.recursive(
    st.sampled_from(["x", "y", "1", "0", "2.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda one: f"(-{one})"),
        inner.map(lambda one: f"abs({one})"),
        st.tuples(st.sampled_from(["min", "max", "mean"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=5,
)
LOGICS = logics(NUMBERS)

Maybe = bool | float | None
"""A value, or None for unknown."""


class Plain:
    """The language for one piece of equipment, written with Python's own grammar and no arrays."""

    def __init__(self, names: dict[str, Maybe]) -> None:
        self.names = names

    def of(self, text: str) -> Maybe:
        import ast

        return self.node(ast.parse(text, mode="eval").body)

    def node(self, node: object) -> Maybe:
        import ast

        match node:
            case ast.Constant(value=value):
                return value  # type: ignore[return-value]
            case ast.Name(id=name):
                return self.names[name]
            case ast.UnaryOp(op=ast.Not(), operand=item):
                value = self.node(item)
                return None if value is None else not value
            case ast.UnaryOp(operand=item):
                value = self.node(item)
                return None if value is None else -value
            case ast.BoolOp(op=op, values=items):
                values = [self.node(item) for item in items]
                decisive = isinstance(op, ast.Or)
                if any(value is not None and bool(value) is decisive for value in values):
                    return decisive
                return None if None in values else not decisive
            case ast.IfExp(test=test, body=body, orelse=orelse):
                chosen, yes, no = self.node(test), self.node(body), self.node(orelse)
                if chosen is None:
                    return yes if yes is not None and yes == no else None
                return yes if chosen else no
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(name, [self.node(item) for item in args])
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.two(type(op).__name__, self.node(left), self.node(right))
            case ast.BinOp(left=left, op=op, right=right):
                return self.two(type(op).__name__, self.node(left), self.node(right))
        raise AssertionError(node)

    @staticmethod
    def call(name: str, values: list[Maybe]) -> Maybe:
        if name == "known":
            return values[0] is not None
        if name == "otherwise":
            return values[1] if values[0] is None else values[0]
        known = [float(value) for value in values if value is not None]
        if len(known) < len(values):
            return None
        return {
            "abs": lambda: abs(known[0]),
            "min": lambda: min(known),
            "max": lambda: max(known),
            "mean": lambda: sum(known) / len(known),
        }[name]()

    @staticmethod
    def two(op: str, left: Maybe, right: Maybe) -> Maybe:
        if left is None or right is None:
            return None
        match op:
            case "Add":
                return left + right
            case "Sub":
                return left - right
            case "Mult":
                return left * right
            case "Div":
                return None if right == 0 else left / right
            case "Lt":
                return left < right
            case "LtE":
                return left <= right
            case "Gt":
                return left > right
            case "GtE":
                return left >= right
            case "Eq":
                return left == right
            case _:
                return left != right


LOGIC_VALUE = st.sampled_from([True, False, None])
NUMBER_VALUE = st.sampled_from([0.0, 1.0, -1.0, 2.5, 4.0, None])
ROWS = st.lists(st.tuples(LOGIC_VALUE, LOGIC_VALUE, NUMBER_VALUE, NUMBER_VALUE), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.one_of(LOGICS.map(lambda text: (text, "binary")), NUMBERS.map(lambda text: (text, "analog"))), ROWS)
def test_arrays_compute_as_plain_logic_does(
    expression: tuple[str, str], rows: list[tuple[bool | None, bool | None, float | None, float | None]]
) -> None:
    text, kind = expression
    tree = read(text, kind)
    if isinstance(tree, RuleError):
        assert "levels deep" in str(tree) or "parts" in str(tree)
        return
    inputs = {}
    for k, name in enumerate("abxy"):
        column = [row[k] for row in rows]
        known = np.array([value is not None for value in column])
        if name in "ab":
            inputs[name] = (np.array([value is True for value in column]), known)
        else:
            inputs[name] = (np.array([math.nan if value is None else value for value in column]), known)
    value, known = compile_tree(tree, len(rows), 0.0).run(Frame(inputs, 0.0))
    for row, got, is_known in zip(rows, value.tolist(), known.tolist(), strict=True):
        wanted = Plain(dict(zip("abxy", row, strict=True))).of(text)
        assert is_known == (wanted is not None), (text, row)
        if wanted is not None:
            assert got == float(wanted), (text, row)
