"""Whatever stands in the files: a configuration or a SettingsError, never anything else."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.clock import VirtualClock
from controller.connection import check_devices
from controller.point.registry import Registry
from controller.settings.load import load
from controller.settings.problem import SettingsError
from controller.settings.template import TemplateError, expand, fill
from controller.share import share_dir

FILES = ("site.toml", "server.toml", "equipment.toml", "alarms.toml", "rules.toml", "devices/meter.toml")
MINIMAL = share_dir("config") / "minimal"
RULES = """\
[[rule]]
id = "double"
class = "meter"
point = { tag = "double", unit = "kW", zh = "甲", en = "A" }
inputs = { p = { point = "power", unit = "kW" } }
expression = "p * 2"
"""
WORDS = st.sampled_from(
    [
        "for",
        "each",
        "id",
        "n",
        "unit",
        "equipment",
        "device",
        "rule",
        "alarm",
        "inputs",
        "point",
        "states",
        "options",
        "secrets",
        "omit",
        "class",
        "name",
        "zh",
        "en",
        "floors",
        "1",
        "{n}",
        "{n:02}",
        "{n*n}",
        "{m}",
        "1..3",
        "1..999999",
        "main.electrical.meter1",
        "eastron-sdm630",
        "tcp://10.0.0.1:502",
        "mqtt://h:1",
        "power",
        "kW",
        "limit_kw",
        "high",
        "state",
        "p+p",
        "B1",
        "office",
        "dev_eui",
        "word_order",
        "big",
    ]
)
TEXTS = st.one_of(WORDS, st.text(max_size=12), st.text("{}n:+-*/%()0123456789.", max_size=12))
SCALARS = st.one_of(
    st.integers(),
    st.sampled_from([2**63, 10**400, -1, 0, 256]),
    st.floats(),
    st.booleans(),
    TEXTS,
    st.sampled_from(["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z"]).map(_Raw := type("_Raw", (str,), {})),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
COLUMNS = st.sampled_from(["id", "equipment", "profile", "endpoint", "unit", "option.dev_eui", "name.zh", "x", "omit"])
PIECES = st.sampled_from([b"[", b"]", b'"', b"'''", b"{", b"\n", b"=", b"\xff", b"\0"])
FUZZ = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def written(value: Any) -> str:
    """Return a value as TOML; texts are written with escapes, so that every character gets through."""
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "nan" if math.isnan(value) else "inf" if value == math.inf else "-inf" if value < -1e300 else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value if not 0xD800 <= ord(char) <= 0xDFFF) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return "{" + ", ".join(f"{written(key)} = {written(item)}" for key, item in value.items()) + "}"


def outcome(changes: dict[str, bytes]) -> str:
    """Load the minimal site with some files replaced."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "site"
        shutil.copytree(MINIMAL, folder)
        (folder / "rules.toml").write_text(RULES, "utf-8")
        for name, content in changes.items():
            (folder / name).write_bytes(content)
        try:
            load(folder, Registry(), clock=VirtualClock(), environment={}, check_devices=check_devices)
        except SettingsError as error:
            problems = error.problems
        else:
            return "good"
    assert problems
    assert all(problem.file for problem in problems)
    assert all("\n" not in str(problem) for problem in problems)
    return "refused"


def test_the_site_that_is_spoilt_is_good() -> None:
    assert outcome({}) == "good"


@FUZZ
@given(st.sampled_from(FILES), st.data())
def test_one_value_replaced_by_anything(name: str, data: st.DataObject) -> None:
    text = RULES if name == "rules.toml" else (MINIMAL / name).read_text("utf-8")
    lines = text.splitlines()
    keys = [place for place, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    place = data.draw(st.sampled_from(keys))
    key = lines[place].partition(" = ")[0]
    lines[place] = f"{key} = {written(data.draw(VALUES))}"

    outcome({name: "\n".join(lines).encode()})


@FUZZ
@given(st.sampled_from(FILES), st.dictionaries(TEXTS, VALUES, max_size=5), st.booleans())
def test_a_file_of_anything(name: str, table: dict[str, Any], append: bool) -> None:
    text = "\n".join(f"{written(key)} = {written(value)}" for key, value in table.items())
    if append:
        base = RULES if name == "rules.toml" else (MINIMAL / name).read_text("utf-8")
        text = f"{base}\n{text}"

    outcome({name: text.encode()})


@FUZZ
@given(st.sampled_from(FILES), st.data())
def test_bytes_cut_doubled_and_turned(name: str, data: st.DataObject) -> None:
    raw = bytearray(RULES.encode() if name == "rules.toml" else (MINIMAL / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(("turn", "cut", "double", "put"))):
            case "turn":
                raw[place] = data.draw(st.integers(0, 255))
            case "cut":
                del raw[place : place + data.draw(st.integers(1, 40))]
            case "double":
                raw[place:place] = raw[place : place + data.draw(st.integers(1, 200))]
            case _:
                raw[place:place] = data.draw(PIECES)
        if not raw:
            break

    outcome({name: bytes(raw)})


@FUZZ
@given(
    st.lists(
        st.sampled_from(
            ["id", "equipment", "profile", "endpoint", "unit", "option.dev_eui", "name.zh", "x", "omit", "urgent"]
        )
    ),
    st.lists(st.lists(TEXTS, max_size=8), max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.binary(max_size=8),
)
def test_lists_of_anything(header: list[str], rows: list[list[str]], separator: str, end: str, more: bytes) -> None:
    text = end.join(separator.join(row) for row in [header, *rows])
    raw = text.encode(errors="replace") + more

    outcome({"devices/list.csv": raw})


@FUZZ
@given(VALUES, st.dictionaries(st.text("nmw", min_size=1, max_size=2), VALUES, max_size=3))
def test_templates_and_loops_of_anything(value: Any, loop: dict[str, Any]) -> None:
    try:
        for variables in expand(loop):
            fill(value, variables)
    except TemplateError:
        return
