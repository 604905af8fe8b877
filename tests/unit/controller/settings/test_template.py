"""Loops and templates: integer arithmetic over the names of `for`, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings.template import TemplateError, expand, fill


def test_product_of_ranges_and_lists_the_last_one_fastest() -> None:
    rows = list(expand({"n": "1..2", "w": ["w", "sw"]}))

    assert rows == [{"n": 1, "w": "w"}, {"n": 1, "w": "sw"}, {"n": 2, "w": "w"}, {"n": 2, "w": "sw"}]
    assert list(expand({})) == [{}]
    assert [row["n"] for row in expand({"n": "-1..1"})] == [-1, 0, 1]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{n}", 20),
        ("tx{n}", "tx20"),
        ("em{n:03}", "em020"),
        ("{n:04}", "0020"),
        ("10.20.3.{(n-1)//19+11}:502", "10.20.3.12:502"),
        ("{(n-1)%19+1}", 1),
        ("{n*2-1}", 39),
        ("{w}", "sw"),
        ("{w}-{w:03}", "sw-sw"),
        ("plain", "plain"),
        (7, 7),
        ({"a": ["{n}", 1.5], "b": {"c": "{w}{n}"}}, {"a": [20, 1.5], "b": {"c": "sw20"}}),
    ],
)
def test_fill(template: Any, expected: Any) -> None:
    assert fill(template, {"n": 20, "w": "sw"}) == expected


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{m}", 'unknown name "m"; known are n, w'),
        ("{n**9}", "only names, whole numbers"),
        ("{n/2}", "only names, whole numbers"),
        ("{-n}", "only names, whole numbers"),
        ("{1.5}", "only names, whole numbers"),
        ("{True}", "only names, whole numbers"),
        ("{__import__('os')}", "only names, whole numbers"),
        ("{n.real}", "only names, whole numbers"),
        ("{[n for n in (1,)]}", "only names, whole numbers"),
        ("{n if n else 1}", "only names, whole numbers"),
        ("{n//0}", "division by zero"),
        ("{n%0}", "division by zero"),
        ("{n+w}", "arithmetic with a text"),
        ("{n +}", "is no arithmetic"),
        ("{1n}", "is no arithmetic"),
        ("{" + "n+" * 60 + "n}", "is too long"),
        ("{n*n*n*n*n*n*n*n*n*n*n*n*n*n*n*n}", "a number above"),
        ("{9999999999999999}", "only names, whole numbers"),
        ("a{n", "brace"),
        ("a{}b", "brace"),
        ("{n:x}", "brace"),
        ("{{n}}", "brace"),
    ],
)
def test_what_is_no_template(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message.replace("(", r"\(").replace("*", r"\*")):
        fill(template, {"n": 20, "w": "sw"})


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        (3, "is no table"),
        ([1], "is no table"),
        ({"n": 5}, "neither a range nor a list"),
        ({"n": []}, "neither a range nor a list"),
        ({"n": [1.5]}, "neither a range nor a list"),
        ({"n": [True]}, "neither a range nor a list"),
        ({"n": [10**20]}, "neither a range nor a list"),
        ({"n": "1-5"}, "is no range"),
        ({"n": "1..9999999999999"}, "is no range"),
        ({"n": "5..1"}, "is empty"),
        ({"n": "1..1000000"}, "1000000 repetitions; at most 10000"),
        ({"n": "1..1000", "m": "1..1000"}, "1000000 repetitions; at most 10000"),
        ({"a b": "1..2"}, "is no name for a variable"),
        ({f"v{n}": "1..1" for n in range(9)}, "9 variables; at most 8"),
    ],
)
def test_what_is_no_loop(loop: object, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        list(expand(loop))


def test_differences_of_single_repetitions(folder: Any) -> None:
    folder.write("alarms.toml", "")
    folder.write(
        "equipment.toml",
        '[[equipment]]\nid = "main.electrical.meter{n}"\nfor = { n = "1..3" }\nclass = "meter"\n'
        'name = { zh = "電表 {n}", en = "Meter {n}" }\nparameters = { a = 1, b = 2 }\n'
        'each = { "2" = { floor = "1F", parameters = { b = 5 }, name = { en = "Second of {n}" } } }\n',
    )

    pieces = folder.load().site.equipment
    second = pieces["main.electrical.meter2"]

    assert (second.floor, second.name.en, second.name.zh) == ("1F", "Second of 2", "電表 2")
    assert second.parameters == {"a": 1, "b": 5}
    assert pieces["main.electrical.meter3"].parameters == {"a": 1, "b": 2}
