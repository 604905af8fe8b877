"""Files as they come: limits, encodings, CSV of contractors; and what absurd ones cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.settings.problem import SettingsError
from controller.settings.source import Source, read_csv, read_toml

Folder = Any
HEAD = "id,equipment,profile,endpoint,unit"
ROW = "m2,main.electrical.meter1,eastron-sdm630,tcp://192.0.2.1:502,3"


def toml(path: Path, text: str | bytes) -> Source:
    file = path / "a.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_toml(file, "a.toml")


def refused(path: Path, text: str | bytes) -> str:
    with pytest.raises(SettingsError) as caught:
        toml(path, text)
    return str(caught.value)


def test_lines_of_keys_tables_and_arrays_of_tables(tmp_path: Path) -> None:
    source = toml(
        tmp_path, 'a = 1\n[b]\nc = 2\n[[d]]\ne = 3\n\n[[d]]\ne = 4\ntext = """\ne = 9\n"""\nf = 5\n[d.g]\nh = 6\n'
    )

    assert source.line(("a",)) == 1
    assert source.line(("b", "c")) == 3
    assert source.line(("d", 0, "e")) == 5
    assert source.line(("d", 1, "e")) == 8
    assert source.line(("d", 1, "f")) == 12
    assert source.line(("d", 1, "g", "h")) == 14
    assert source.line(("d", 1, "missing")) == 7
    assert source.line(("nothing",)) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\na = 2\n", "a.toml:2: got a key or table that is there already"),
        ("[a]\n[a]\n", "a.toml:2: got a key or table that is there already"),
        ("a = yes\n", 'a.toml:1: got a line that is no TOML (Invalid value), wanted TOML 1.0. A text stands in quotes'),
        ("a: 1\n", "a.toml:1: got a line that is no TOML"),
        ("a = 1\nb = [1,\n", "a.toml:2: got a line that is no TOML"),
        ('a = "\x01"\n', "a.toml:1: got a line that is no TOML (Illegal character"),
        ("a = " + "[" * 5000 + "]" * 5000, "a.toml: got brackets in brackets, wanted at most 32 levels"),
        ("a = " + "[" * 40 + "]" * 40, "a.toml:1: got tables in tables, wanted at most 32 levels"),
        ("a = " + "{b = " * 40 + "1" + "}" * 40, "a.toml:1: got tables in tables, wanted at most 32 levels"),
        (".".join("a" * 40) + " = 1", "a.toml:1: got a key of many parts, wanted at most 32 parts"),
        ("\n[" + ".".join('"a"' for _ in range(40)) + "]", "a.toml:2: got a key of many parts"),
        ("a = {" + " . ".join("b" * 40) + " = 1}", "a.toml:1: got a key of many parts"),
        ("a = " + "9" * 5000, "a.toml: got Exceeds the limit"),
        ("a = 1\nb = 0x" + "f" * 5000, "a.toml:2: b: got a number beyond 64 bits"),
        ("a = 1\nb = [9223372036854775808]", "a.toml:2: b: got a number beyond 64 bits"),
        ("#" * (1 << 20) + "\n", "a.toml: got 1048577 bytes, wanted at most 1048576. Split the file."),
        ("a = 1\nb = 2\n".encode("utf-16"), "a.toml:1: got UTF-16, wanted UTF-8. Save the file as UTF-8."),
        (b"a = 1\nb = '\xa4\xa4'\n", "a.toml:2: got bytes that are no text (0xa4), wanted UTF-8."),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert refused(tmp_path, text).startswith(expected)


def test_byte_order_mark_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    source = toml(tmp_path, b"\xef\xbb\xbfa = 1\r\nb = '''x\r\ny'''\r\nc = 2\r\n")

    assert source.data == {"a": 1, "b": "x\ny", "c": 2}
    assert source.line(("c",)) == 4


def test_a_text_with_many_dots_is_no_key(tmp_path: Path) -> None:
    text = ". ".join("This is a sentence" for _ in range(60))

    assert toml(tmp_path, f'a = """{text}"""\nb = {list(range(50))}\nc = {[0.5] * 60}').data["a"] == text


def test_no_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for name, expected in (
        ("none.toml", "got No such file or directory"),
        (".", "got no file, but a folder or a device"),
        ("pipe.toml", "got no file, but a folder or a device"),
    ):
        with pytest.raises(SettingsError, match=expected):
            read_toml(tmp_path / name, name)


# -- CSV ---------------------------------------------------------------------------------------------------------------


def csv(path: Path, text: str | bytes) -> Source:
    file = path / "a.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_csv(file, "a.csv")


def test_columns_become_keys_with_their_kinds(tmp_path: Path) -> None:
    source = csv(
        tmp_path,
        "id,unit,period_s,urgent,omit,option.dev_eui,secret.user_env,parameter.rated_a,parameter.feeds,name.zh\n"
        "# a comment\n\n"
        'a,7,2.5,yes,"power, frequency",24000000,USER,630,lv1,甲\n'
        "b,,,,,,,,,\n",
    )

    assert source.data["device"] == [
        {
            "id": "a",
            "unit": 7,
            "period_s": 2.5,
            "urgent": True,
            "omit": ["power", "frequency"],
            "options": {"dev_eui": "24000000"},
            "secrets": {"user_env": "USER"},
            "parameters": {"rated_a": 630.0, "feeds": "lv1"},
            "name": {"zh": "甲"},
        },
        {"id": "b"},
    ]
    assert source.line(("device", 0, "unit")) == 4
    assert source.line(("device", 1)) == 5


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_byte_order_mark_and_windows_line_ends(tmp_path: Path, separator: str) -> None:
    text = "\ufeffid,unit\r\nm1,4\r\n".replace(",", separator)

    assert csv(tmp_path, text).data == {"device": [{"id": "m1", "unit": 4}]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.csv:1: got no header"),
        ("id,,unit\n", "a.csv:1: got no header"),
        ("id,unit,id\n", "a.csv:1: id: got this column twice, wanted each column once"),
        ("id,unit\nm1\n", "a.csv:2: got 1 cells, wanted 2, as in the header"),
        ("id,unit\nm1,1,2\n", "a.csv:2: got 3 cells, wanted 2, as in the header"),
        ('id,unit\nm1,"1\n', "a.csv:2: got no CSV (unexpected end of data), wanted closed quotes"),
        ("id,unit\n" + "x" * 140_000 + ",1\n", "a.csv:2: got no CSV (field larger than field limit (131072))"),
        (",".join(f"c{n}" for n in range(201)), "a.csv:1: got 201 columns, wanted at most 200"),
        ("id\n" + "m\n" * 10_001, "a.csv:10002: got more rows, wanted at most 10000"),
    ],
)
def test_what_csv_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        csv(tmp_path, text)

    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEAD},colour\n{ROW},red\n", "devices/x.csv:1: colour: got an unknown column, wanted one of id, equipment"),
        (f"{HEAD.replace('profile', 'profil')}\n{ROW}\n", "devices/x.csv:1: profil: got an unknown column"),
        (
            f"{HEAD.replace(',profile', '')}\n",
            "devices/x.csv:1: profile: got no such column, wanted a column profile in",
        ),
        (f"{HEAD}\n{ROW.replace('502,3', '502,three')}\n", 'devices/x.csv:2: device.unit: got "three", wanted a whole'),
        (f"{HEAD},for\n{ROW},1..2\n", "devices/x.csv:1: for: got an unknown column"),
        (f"{HEAD},urgent\n{ROW},maybe\n", 'devices/x.csv:2: device.urgent: got "maybe", wanted true or false'),
        (f"{HEAD}\nm\x00,{ROW}\n"[:200], "devices/x.csv:2: got 6 cells"),
        (f"{HEAD}\n,{ROW.partition(',')[2]}\n", "devices/x.csv:2: device.id: got nothing, wanted this key. Add it."),
    ],
)
def test_a_list_with_wrong_columns(folder: Folder, text: str, expected: str) -> None:
    folder.write("devices/x.csv", text)

    assert str(folder.problems()[0]).startswith(expected)


def test_equipment_as_a_list(folder: Folder) -> None:
    (folder.path / "equipment.toml").unlink()
    folder.write(
        "equipment.csv",
        "id;class;name.zh;name.en;floor;area;parameter.limit_kw\nmain.electrical.meter1;meter;總表;Main;B1;office;60\n",
    )

    (piece,) = folder.load().site.equipment.values()

    assert (piece.name.zh, piece.parameters) == ("總表", {"limit_kw": 60.0})


# -- what absurd files cost --------------------------------------------------------------------------------------------

ABSURD: dict[str, Callable[[], tuple[str, bytes]]] = {
    "50 MB": lambda: ("devices/a.toml", b"#" * 50_000_000),
    "a million rows": lambda: ("devices/a.csv", f"{HEAD}\n".encode() + b"a,b,c,d,1\n" * 1_000_000),
    "a megabyte of rows": lambda: ("devices/a.csv", f"{HEAD}\n".encode() + b"a,b,c,d,1\n" * 100_000),
    "a megabyte of wrong tables": lambda: ("devices/a.toml", b'[[device]]\nid="a"\n' * 58_000),
    "a megabyte of alarms": lambda: ("alarms.toml", b"[[alarm]]\n" * 100_000),
    "a megabyte of brackets": lambda: ("devices/a.toml", b"x=[" + b"[]," * 340_000 + b"]"),
    "a key of half a million parts": lambda: ("site.toml", b"a." * 500_000 + b"a=1"),
    "ten thousand good devices and a bad one": lambda: (
        "devices/a.toml",
        (
            b'[[device]]\nid="d{n}"\nfor={n="1..9999"}\nequipment="main.electrical.meter1"\nprofile="eastron-sdm630"\n'
            b'endpoint="tcp://10.0.{n//200}.1:502"\nunit="{n%200}"\n[[device]]\nid="x"\n'
        ),
    ),
    "a million repetitions": lambda: (
        "devices/a.toml",
        b'[[device]]\nid="d{n}{m}"\nfor={n="1..1000",m="1..1000"}\nequipment="main.electrical.meter1"\n',
    ),
    "a profile of a megabyte": lambda: (
        "profiles/eastron-sdm630.toml",
        b"[profile]\n" + b'[[point]]\ntag="a"\n' * 55_000,
    ),
}


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_file_is_refused_within_two_seconds_and_200_mib(folder: Folder, name: str) -> None:
    folder.write(*ABSURD[name]())
    code = (
        "import sys, time, json\n"
        "from pathlib import Path\n"
        "from controller.clock import SystemClock\n"
        "from controller.connection import check_devices\n"
        "from controller.point.registry import Registry\n"
        "from controller.settings.load import load\n"
        "from controller.settings.problem import SettingsError\n"
        "start = time.process_time()\n"
        "try:\n"
        "    load(Path(sys.argv[1]), Registry(), clock=SystemClock(), check_devices=check_devices)\n"
        "except SettingsError as error:\n"
        "    said = [[item.line, item.got, item.wanted] for item in error.problems]\n"
        "spent = time.process_time() - start\n"
        "high = next(row for row in open('/proc/self/status') if row.startswith('VmHWM'))\n"
        "print(json.dumps([spent, int(high.split()[1]) // 1024, said[:3]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder.path)], capture_output=True, text=True, timeout=60, check=True
    )
    spent, mebibytes, said = json.loads(done.stdout)

    line, got, wanted = said[0]
    assert line > 0 or "at most 1048576" in wanted or got == "55000 points; at most 2000"
    assert spent <= 2.0, f"{name}: {spent:.2f} s"
    assert mebibytes <= 200, f"{name}: {mebibytes} MiB"
