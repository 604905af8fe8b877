from __future__ import annotations

import pytest

from controller.rule.definition import RuleDefinition, RuleError, RuleInput, VirtualPoint
from controller.rule.parse import FUNCTIONS, parse_expression
from controller.rule.tree import LOGIC, PURE, STATE, Call, Constant, Node, Type

INPUTS = {
    "t": Type.of_unit("degC"),
    "t2": Type.of_unit("degC"),
    "dt": Type.of_unit("K"),
    "p": Type.of_unit("kW"),
    "q": Type.of_unit("kvar"),
    "s": Type.of_unit("kVA"),
    "flow": Type.of_unit("L/s"),
    "x": PURE,
    "on": LOGIC,
    "off": LOGIC,
    "mode": STATE,
    "mode2": STATE,
}


def definition(expression: str, unit: str = "", kind: str = "analog") -> RuleDefinition:
    names = {name: RuleInput(point=name) for name in INPUTS}
    return RuleDefinition(
        "r1", names, expression, VirtualPoint("out", unit, kind), cls="thing", file="rules.toml", line=7
    )


def typed(expression: str, unit: str = "", kind: str = "analog") -> Node:
    return parse_expression(definition(expression, unit, kind)).typed(INPUTS)


@pytest.mark.parametrize(
    ("expression", "unit"),
    [
        ("t", "°C"),
        ("t + dt", "°C"),
        ("dt + t", "°C"),
        ("t - dt", "degC"),
        ("t - t2", "K"),
        ("-dt", "K"),
        ("+t", "°C"),
        ("t + K(2)", "°C"),
        ("max(t, t2, degC(20))", "°C"),
        ("mean(t, t2)", "°C"),
        ("rate(t, minutes(5))", "K/s"),
        ("p", "W"),
        ("p + RT(10)", "kW"),
        ("p * 2", "kW"),
        ("2 * q", "kvar"),
        ("p / 2", "kW"),
        ("p + 0", "kW"),
        ("p if on else 0", "kW"),
        ("max(0, p)", "kW"),
        ("p / s", "%"),
        ("sqrt(p * p)", "kW"),
        ("abs(p - kW(5))", "kW"),
        ("flow * quantity(4.186, 'kJ/L/K') * (t - t2)", "kW"),
        ("flow * quantity(4.186, 'kJ/L/K') * (t - t2) / p", ""),
        ("rate(p, minutes(5))", "kW/min"),
        ("p * hours(1)", "kWh"),
        ("otherwise(p, kW(3))", "kW"),
        ("provided(p, x > 0)", "kW"),
        ("hour + weekday", ""),
        ("percent(95)", "%"),
        ("(x\n  + 1)\n", ""),
        ("x  # the load\n + 1", ""),
        ("5e3", ""),
    ],
)
def test_numbers(expression: str, unit: str) -> None:
    assert typed(expression, unit).type.like(Type.of_unit(unit))


@pytest.mark.parametrize(
    "expression",
    [
        "on",
        "not on",
        "on and off or not on",
        "t > degC(26)",
        "t >= t2",
        "degF(70) < t <= degC(26.5)",
        "dt > 0",
        "p > 0",
        "0 == p",
        "p > kW(50) and on",
        "on == off",
        "on != True",
        "mode == 3",
        "4 != mode",
        "mode == mode2",
        "workday and 7.5 <= hour < 18 and weekday != 6",
        "for_at_least(t > degC(90), minutes(10))",
        "for_at_least(on, seconds(30))",
        "known(t) and known(mode) and known(on)",
        "otherwise(on, False)",
        "on if off else True",
        "x > 0.5",
        "x < -0.5",
    ],
)
def test_logic(expression: str) -> None:
    assert typed(expression, kind="binary").type == LOGIC


@pytest.mark.parametrize("expression", ["mode", "1 if on else 2", "mode if on else mode2", "otherwise(mode, mode2)"])
def test_states(expression: str) -> None:
    assert typed(expression, kind="multistate").type in (STATE, PURE)


@pytest.mark.parametrize(
    ("expression", "kind", "unit", "line", "column", "words"),
    [
        ("t + t2", "analog", "°C", 1, 1, "cannot be added"),
        ("dt - t", "analog", "K", 1, 1, "cannot be taken from a difference"),
        ("x + (t * 2)", "analog", "", 1, 6, "t - degC"),
        ("2 / t", "analog", "", 1, 5, "no meaning"),
        ("-t", "analog", "°C", 1, 1, "no negative"),
        ("abs(t)", "analog", "°C", 1, 5, "no meaning"),
        ("sqrt(t)", "analog", "°C", 1, 6, "no meaning"),
        ("t > 26", "binary", "", 1, 1, "give the number a unit"),
        ("t > 0", "binary", "", 1, 1, "give the number a unit"),
        ("t > K(26)", "binary", "", 1, 1, "on a scale"),
        ("p > 50", "binary", "", 1, 1, "kW\\(50\\)"),
        ("p + q", "analog", "kW", 1, 1, "reactive"),
        ("p > q", "binary", "", 1, 1, "reactive"),
        ("p + x", "analog", "kW", 1, 1, "a pure number"),
        ("p", "analog", "kvar", 1, 1, "the result is a quantity of active"),
        ("p", "analog", "", 1, 1, "wants a pure number"),
        ("x", "analog", "kW", 1, 1, "in kW"),
        ("t", "analog", "K", 1, 1, "wants a quantity of temperature in K"),
        ("x", "binary", "", 1, 1, "the binary point out wants a yes/no value"),
        ("p", "multistate", "", 1, 1, "wants a state"),
        ("on", "analog", "", 1, 1, "a yes/no value"),
        ("not x", "binary", "", 1, 5, "'not' wants a yes/no value"),
        ("on and x", "binary", "", 1, 8, "'and' wants a yes/no value"),
        ("x or on", "binary", "", 1, 1, "'or' wants a yes/no value"),
        ("1 if x else 2", "analog", "", 1, 6, "'if' wants"),
        ("p if on else t", "analog", "kW", 1, 1, "'if … else' of"),
        ("on + 1", "analog", "", 1, 1, "'\\+' wants a number, and this is a yes/no value"),
        ("-on", "analog", "", 1, 2, "a sign wants a number"),
        ("max(p, on)", "analog", "kW", 1, 8, "max wants a number"),
        ("max(p, x)", "analog", "kW", 1, 8, "max of"),
        ("max(p)", "analog", "kW", 1, 1, "1 arguments; it wants 2 to 10"),
        ("abs(p, p)", "analog", "kW", 1, 1, "2 arguments; it wants 1"),
        ("mode + 1", "analog", "", 1, 1, "this is a state"),
        ("mode > 1", "binary", "", 1, 1, "use == or !="),
        ("on < off", "binary", "", 1, 1, "use == or !="),
        ("mode == on", "binary", "", 1, 1, "of a state and a yes/no value"),
        ("p == on", "binary", "", 1, 1, "'==' of"),
        ("x in mode", "binary", "", 1, 1, "'in' and 'is'"),
        ("x ** 2", "analog", "", 1, 1, "there is no power"),
        ("x // 2", "analog", "", 1, 1, "only \\+ - \\* /"),
        ("~x", "analog", "", 1, 1, "'~' is not part"),
        ("tt > degC(3)", "binary", "", 1, 1, "'tt' is no input of this rule; did you mean t"),
        ("x and\nzzz", "binary", "", 2, 1, "'zzz' is no input of this rule; there are"),
        ("on and (\n    not\n  溫度)", "binary", "", 3, 3, "'溫度' is no input"),
        ("x + '溫度' + 1", "analog", "", 1, 5, "a text stands where a number"),
        ("'溫' + zzz", "analog", "", 1, 1, "a text"),
        ("None", "analog", "", 1, 1, "None stands"),
        ("1j", "analog", "", 1, 1, "1j stands"),
        ("1e400", "analog", "", 1, 1, "beyond"),
        ("9" * 40, "analog", "", 1, 1, "beyond"),
        ("x.real", "analog", "", 1, 1, "a dot is not part"),
        ("x[0]", "analog", "", 1, 1, "an index in brackets"),
        ("x, x", "analog", "", 1, 1, "a comma"),
        ("x for x in x", "analog", "", 1, 1, "GeneratorExp"),
        ("(y := 3)", "analog", "", 1, 2, "':='"),
        ("lambda: 3", "analog", "", 1, 1, "lambda"),
        ("[x for x in (1,)]", "analog", "", 1, 1, "ListComp"),
        ("f'{x}'", "analog", "", 1, 1, "a text"),
        ("x.__class__()", "analog", "", 1, 1, "only functions of the language"),
        ("max(1)(2)", "analog", "", 1, 1, "only functions of the language"),
        ("max(x, *x)", "analog", "", 1, 8, "Starred"),
        ("max(x, key=x)", "analog", "", 1, 1, "arguments have no names"),
        ("__import__('os')", "analog", "", 1, 1, "neither a function nor a unit"),
        ("maxx(x, 1)", "analog", "", 1, 1, "did you mean max"),
        ("eval(x)", "analog", "", 1, 1, "neither a function nor a unit"),
        ("kW(p)", "analog", "kW", 1, 4, "stands where a number is wanted"),
        ("kW(1, 2)", "analog", "kW", 1, 1, "kW wants one number"),
        ("kW(True)", "analog", "kW", 1, 4, "True stands"),
        ("quantity(1, kW)", "analog", "kW", 1, 13, "a unit in quotes"),
        ("quantity(1, 'RX')", "analog", "kW", 1, 1, "'RX' is unknown"),
        ("for_at_least(on, 10)", "binary", "", 1, 18, "a duration such as minutes"),
        ("for_at_least(on, kW(10))", "binary", "", 1, 18, "a duration"),
        ("for_at_least(on, minutes(x))", "binary", "", 1, 26, "number is wanted"),
        ("for_at_least(on, seconds(0))", "binary", "", 1, 18, "more than 0 s"),
        ("for_at_least(on, hours(25))", "binary", "", 1, 18, "at most 24 h"),
        ("for_at_least(x, minutes(1))", "binary", "", 1, 14, "for_at_least wants a yes/no value"),
        ("rate(on, minutes(1))", "analog", "", 1, 6, "rate wants a number"),
        ("rate(p)", "analog", "", 1, 1, "it wants 2"),
        ("otherwise(p, x)", "analog", "kW", 1, 1, "otherwise of"),
        ("provided(p, x)", "analog", "kW", 1, 13, "provided"),
    ],
)
def test_what_is_refused_and_where(expression: str, kind: str, unit: str, line: int, column: int, words: str) -> None:
    with pytest.raises(RuleError, match=words) as caught:
        typed(expression, unit, kind)
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert str(caught.value).startswith(f"rules.toml:7: rule r1, expression line {line}, column {column}: ")


@pytest.mark.parametrize(
    ("expression", "line", "column"),
    [("x +", 2, 1), ("x + * 2", 1, 5), ("x) + (x", 1, 1), ("x\ny z", 2, 1), ("x = 3", 1, 3), ("import os", 1, 1)],
)
def test_what_is_no_expression(expression: str, line: int, column: int) -> None:
    with pytest.raises(RuleError, match="not an expression") as caught:
        typed(expression)
    assert caught.value.line in (1, 2)
    assert caught.value.rule == "r1"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("# nothing", "empty"),
        ("x" + " + x" * 600, "at most 2000"),
        ("+".join(["x"] * 200), "levels deep"),
        ("(" * 150 + "x" + ")" * 150, None),
        ("(" * 900 + "x" + ")" * 900, "not an expression"),
        ("-" * 1900 + "x", "levels deep|not an expression"),
        (" or ".join(["on"] * 310), "parts"),
        ("x\0", "not an expression"),
        ("9" * 1900 + ".0", "beyond"),
        ("9" * 1900, "beyond"),
    ],
)
def test_expressions_are_bounded(expression: str, words: str | None) -> None:
    if words is None:
        assert typed(expression).type == PURE
        return
    with pytest.raises(RuleError, match=words):
        typed(expression)


@pytest.mark.parametrize("name", ["hour", "max", "minutes", "if", "quantity"])
def test_inputs_do_not_hide_the_language(name: str) -> None:
    rule = RuleDefinition("r1", {name: RuleInput(point="p")}, "1", VirtualPoint("out"), cls="thing")
    with pytest.raises(RuleError, match="a name of the language") as caught:
        parse_expression(rule)
    assert caught.value.line is None
    assert str(caught.value).startswith("rule r1: ")


def test_a_point_with_an_unknown_unit() -> None:
    with pytest.raises(RuleError, match="point out: unit 'foo' is unknown"):
        typed("x", "foo")


def test_constants_are_in_base_units() -> None:
    assert typed("kW(-2)", "kW") == Constant(Type.of_unit("kW"), -2e6)  # the base unit of mass is the gram
    assert typed("degC(26)", "°C") == Constant(Type.of_unit("°C"), 26.0)
    fahrenheit = typed("degF(50)", "°C")
    assert isinstance(fahrenheit, Constant)
    assert fahrenheit.value == pytest.approx(10.0, abs=1e-12)
    held = typed("for_at_least(on, minutes(10))", kind="binary")
    assert isinstance(held, Call)
    assert held.span_s == 600.0


def test_first_use_of_names() -> None:
    expression = parse_expression(definition("max(x, 1) + max(\n x, dt)"))
    assert {name: (node.lineno - 1, node.col_offset) for name, node in expression.names.items()} == {
        "x": (1, 4),
        "dt": (2, 4),
    }


def test_the_functions_are_documented() -> None:
    import controller.rule.parse as module

    assert module.__doc__ is not None
    for name in FUNCTIONS:
        assert f"`{name}(" in module.__doc__, name
