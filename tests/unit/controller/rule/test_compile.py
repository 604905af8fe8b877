"""Three-valued logic by its tables: T true, F false, U unknown."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from controller.rule.compile import Frame, Pair, compile_tree
from controller.rule.definition import RuleDefinition, RuleInput, VirtualPoint
from controller.rule.parse import parse_expression
from controller.rule.tree import LOGIC, PURE, STATE, Call

TYPES = {"a": LOGIC, "b": LOGIC, "x": PURE, "y": PURE, "m": STATE}
U = math.nan


def logic(letters: str) -> Pair:
    return np.array([letter == "T" for letter in letters]), np.array([letter != "U" for letter in letters])


def number(*values: float) -> Pair:
    array = np.array(values)
    return array, ~np.isnan(array)


def run(expression: str, kind: str = "binary", now: float = 0.0, **inputs: Pair) -> list[float]:
    inputs_by_name = {name: RuleInput(point=name) for name in TYPES}
    rule = RuleDefinition("r", inputs_by_name, expression, VirtualPoint("out", "", kind), cls="c")
    size = max(len(pair[0]) for pair in inputs.values()) if inputs else 1
    program = compile_tree(parse_expression(rule).typed(TYPES), size, now)
    value, known = program.run(Frame(inputs, now))
    assert value.dtype == np.float64
    assert value.shape == known.shape == (size,)
    assert np.array_equal(np.isnan(value), ~known)
    return value.tolist()  # type: ignore[no-any-return]


def letters(values: list[float]) -> str:
    return "".join("U" if math.isnan(value) else "FT"[int(value)] for value in values)


# Every pair of a and b, in this order.
A = "TTTFFFUUU"
B = "TFUTFUTFU"


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("a and b", "TFUFFFUFU"),
        ("a or b", "TTTTFUTUU"),
        ("not a", "FFFTTTUUU"),
        ("not (a and b)", "FTUTTTUTU"),
        ("not a or not b", "FTUTTTUTU"),
        ("a == b", "TFUFTUUUU"),
        ("a != b", "FTUTFUUUU"),
        ("a and b and True", "TFUFFFUFU"),
        ("a and b and False", "FFFFFFFFF"),
        ("a or b or True", "TTTTTTTTT"),
        ("True if a else b", "TTTTFUTUU"),
        ("b if a else False", "TFUFFFUFU"),
        ("b if a else b", "TFUTFUTFU"),
        ("b if a else not b", "TFUFTUUUU"),
        ("known(a)", "TTTTTTFFF"),
        ("known(a) and a", "TTTFFFFFF"),
        ("otherwise(a, b)", "TTTFFFTFU"),
        ("otherwise(a, False)", "TTTFFFFFF"),
        ("provided(a, b)", "TUUFUUUUU"),
    ],
)
def test_logic(expression: str, wanted: str) -> None:
    assert letters(run(expression, a=logic(A), b=logic(B))) == wanted


def test_three_terms_are_as_two_by_two() -> None:
    triples = list(itertools.product("TFU", repeat=3))
    a, b, c = (logic("".join(triple[k] for triple in triples)) for k in range(3))
    TYPES["c"] = LOGIC
    for word in ("and", "or"):
        flat = run(f"a {word} b {word} c", a=a, b=b, c=c)
        left = run(f"(a {word} b) {word} c", a=a, b=b, c=c)
        right = run(f"a {word} (b {word} c)", a=a, b=b, c=c)
        assert letters(flat) == letters(left) == letters(right)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("x < y", "TFUU"),
        ("x <= y", "TFUU"),
        ("x > y", "FTUU"),
        ("x >= y", "FTUU"),
        ("x == y", "FFUU"),
        ("x != y", "TTUU"),
        ("0 < x < y", "TFUU"),
        ("x < y and x < 0", "FFUF"),
        ("not x < y", "FTUU"),
        ("x > y or x == 1", "TTUU"),
    ],
)
def test_comparison(expression: str, wanted: str) -> None:
    assert letters(run(expression, x=number(1, 3, U, 5), y=number(2, 2, 2, U))) == wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("x + y", [3, 1, U, U]),
        ("x - y", [-1, 5, U, U]),
        ("x * y", [2, -6, U, U]),
        ("x / y", [0.5, -1.5, U, U]),
        ("-x", [-1, -3, U, -5]),
        ("abs(y)", [2, 2, 2, U]),
        ("sqrt(y)", [math.sqrt(2), U, math.sqrt(2), U]),
        ("min(x, y)", [1, -2, U, U]),
        ("max(x, y, 2.5)", [2.5, 3, U, U]),
        ("mean(x, y)", [1.5, 0.5, U, U]),
        ("otherwise(x, y)", [1, 3, 2, 5]),
        ("provided(x, y > 0)", [1, U, U, U]),
        ("provided(x, x > 3)", [U, U, U, 5]),
        ("count(x > 1, y > 0, True)", [2, 2, U, U]),
        ("count(otherwise(x > 1, False), not known(y))", [0, 1, 0, 2]),
        ("x if y > 0 else y", [1, -2, U, U]),
        ("x if x > 0 else 7", [1, 3, U, 5]),
        ("7 if y > 0 else 7", [7, 7, 7, 7]),
        ("x / 0", [U, U, U, U]),
        ("1 / (y - 2)", [U, -0.25, U, U]),
        ("4.5", [4.5]),
        ("otherwise(x / 0, 9)", [9, 9, 9, 9]),
    ],
)
def test_arithmetic(expression: str, wanted: list[float]) -> None:
    x, y = number(1, 3, U, 5), number(2, -2, 2, U)
    found = run(expression, "analog") if expression == "4.5" else run(expression, "analog", x=x, y=y)
    np.testing.assert_allclose(np.array(found), np.array(wanted))


def test_no_comparison_takes_an_overflow_for_a_number() -> None:
    assert letters(run("x * x > 1 or x / 0 > 1", x=number(1e300, 2))) == "UT"


def test_states() -> None:
    assert letters(run("m == 3", m=number(3, 4, U))) == "TFU"
    assert run("m if m != 3 else 1", "multistate", m=number(3, 4, U))[:2] == [1, 4]
    assert run("2 if m == 3 else 1", "multistate", m=number(3, 4))[:2] == [2, 1]


def test_one_result_for_all_when_nothing_differs() -> None:
    rule = RuleDefinition("r", {}, "3 > 2", VirtualPoint("out", "", "binary"), cls="c")
    program = compile_tree(parse_expression(rule).typed({}), 4, 0.0)
    assert program.run(Frame({}, 0.0))[0].tolist() == [1.0] * 4


def test_duration_of_a_constant_condition() -> None:
    rule = RuleDefinition("r", {}, "for_at_least(True, seconds(10))", VirtualPoint("out", "", "binary"), cls="c")
    program = compile_tree(parse_expression(rule).typed({}), 2, 0.0)
    assert letters(program.run(Frame({}, 0.0))[0].tolist()) == "UU"
    assert letters(program.run(Frame({}, 9.0))[0].tolist()) == "UU"
    assert letters(program.run(Frame({}, 10.0))[0].tolist()) == "TT"


def test_rate_over_time() -> None:
    rule = RuleDefinition(
        "r", {"x": RuleInput(point="x")}, "rate(x, minutes(1)) * seconds(1)", VirtualPoint("o"), cls="c"
    )
    program = compile_tree(parse_expression(rule).typed({"x": PURE}), 2, 0.0)
    for at in range(0, 100, 5):
        value = program.run(Frame({"x": (np.array([at * 2.0, -at / 4]), np.array([True, True]))}, float(at)))[0]
    np.testing.assert_allclose(value, [2.0, -0.25])


def test_what_is_gained_counts_from_the_moment_that_the_condition_became_true() -> None:
    inputs = {"x": RuleInput(point="x"), "on": RuleInput(point="on")}
    rule = RuleDefinition("r", inputs, "gained(x, on)", VirtualPoint("o"), cls="c")
    program = compile_tree(parse_expression(rule).typed({"x": PURE, "on": LOGIC}), 1, 0.0)
    found = []
    # Already on at the start, off, on, a value is missing, still on, off, on with a counter that is set back.
    for on, x in ((1, 5), (0, 6), (1, 7), (1, U), (1, 9), (0, 10), (0, 12), (1, 12), (1, 3), (U, 4), (1, 15)):
        pair = (np.array([on == 1]), np.array([on == on]))  # noqa: PLR0124 - NaN is unknown
        value = program.run(Frame({"x": (np.array([float(x)]), np.array([x == x])), "on": pair}, 0.0))[0]  # noqa: PLR0124
        found.append(value[0])
    np.testing.assert_array_equal(found, [U, U, 0, 0, 2, 2, 2, 0, U, U, 3])


def test_a_function_without_code_is_an_error_at_load() -> None:
    with pytest.raises(ValueError, match="'median' is not compiled"):
        compile_tree(Call(PURE, "median", ()), 1, 0.0)
