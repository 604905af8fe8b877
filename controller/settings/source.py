"""Reads TOML and CSV files, within limits, and knows on which line a key stands.

`tomllib` gives values without places, so `Source.line` looks the key up again in the text: it follows table headers and
the keys that begin a line, which is how these files are written. A key inside an inline table has its table's line.

The limits are there because a file can be handed over by anyone: `tomllib` takes time with the square of the length of
a dotted key, and a few seconds for megabytes of brackets.
"""

from __future__ import annotations

import csv
import io
import re
import stat
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from controller.settings.problem import Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["MAX_ROWS", "Source", "read_csv", "read_text", "read_toml"]

MAX_ROWS = 10_000
"""Rows of one file, and rows that all files of a kind give after their templates were filled in."""
_MAX_BYTES = 1 << 20
_MAX_DEPTH = 32
_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*("[^"]+"|'[^']+'|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\s*=""")
_ERROR_LINE = re.compile(r"\(at line (\d+)")
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_LONG_KEY = re.compile(rf"(?<![\w-]){_PART}(?:\.[ \t]*+{_PART}){{{_MAX_DEPTH}}}")
_GROUPS = {
    "option": "options",
    "options": "options",
    "secret": "secrets",
    "secrets": "secrets",
    "parameter": "parameters",
    "parameters": "parameters",
    "name": "name",
}
_YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Source:
    """One file as read: its values, and where they stand."""

    name: str
    """As shown in messages: the path below the site's folder."""
    data: Mapping[str, Any]
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    """CSV alone: the keys of the header."""

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of the key at `path`, or of the nearest table around it; 0 when unknown."""
        place = tuple(path)
        while place:
            if place in self.lines:
                return self.lines[place]
            if (*place, 0) in self.lines:  # a whole array of tables: its first
                return self.lines[*place, 0]
            place = place[:-1]
        return 0


def read_toml(path: Path, name: str) -> Source:
    """Read a TOML file; a byte-order mark and Windows line ends are taken as they come.

    Raises:
        SettingsError: unreadable, larger than 1 MiB, not UTF-8, nested deeper than 32, or not TOML.
    """
    text = read_text(path, name).replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") >= _MAX_DEPTH and _LONG_KEY.search(line):
            raise SettingsError([Problem(name, number, "", "a key of many parts", f"at most {_MAX_DEPTH} parts")])
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([_no_toml(name, text, str(error))]) from error
    except RecursionError:
        raise SettingsError([Problem(name, 0, "", "brackets in brackets", f"at most {_MAX_DEPTH} levels")]) from None
    except ValueError as error:  # a number of thousands of digits is refused by Python, not by tomllib
        raise SettingsError([Problem(name, 0, "", str(error), "numbers of at most 18 digits")]) from error
    source = Source(name, data, _places(text))
    _inspect(source)
    return source


def _no_toml(name: str, text: str, message: str) -> Problem:
    """Say what tomllib found in the words of whoever wrote the file."""
    found = _ERROR_LINE.search(message)
    line = int(found.group(1)) if found else text.count("\n") + (not text.endswith("\n"))
    reason = message.partition(" (at ")[0]
    todo = ""
    if reason in ("Cannot overwrite a value", "Cannot mutate immutable namespace") or "Cannot declare" in reason:
        return Problem(name, line, "", f"a key or table that is there already ({reason})", "each key once")
    if reason == "Invalid value":
        todo = 'A text stands in quotes: key = "value".'
    elif "Expected '='" in reason or reason == "Invalid statement":
        todo = 'A line is key = "value", a [table], or a # comment.'
    return Problem(name, line, "", f"a line that is no TOML ({reason})", "TOML 1.0", todo)


def read_csv(path: Path, name: str, key: str = "device") -> Source:
    """Read a list as a contractor delivers it: a header line, then one row a line.

    The rows come as `data[key]`, as from TOML. A column `option.x` fills `options.x`; `secret.x`, `parameter.x`,
    `name.zh` and `name.en` likewise. Empty cells are left out, lines that begin with # are comments, cells are
    separated by commas, semicolons or tabs (whatever the header has). `unit`, `period_s`, `battery_kwh`, `max_kw` and
    parameters are numbers,
    `urgent` is true or false, `omit` a list with spaces between; a cell that is not stays a text, which is then
    reported at its place.

    Raises:
        SettingsError: unreadable, larger than 1 MiB, more than 10,000 rows, no or a double header, an open quote, or a
            row with another number of cells.
    """
    text = read_text(path, name)
    head = text.split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[dict[str, Any]] = []
    lines: dict[tuple[str | int, ...], int] = {(key,): 1}
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header, name)
        columns = [_column(column) for column in header]
        for cells in reader:
            if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
                continue
            if len(cells) != len(header):
                got, wanted = f"{len(cells)} cells", f"{len(header)}, as in the header"
                raise SettingsError([Problem(name, reader.line_num, "", got, wanted)])
            if len(rows) >= MAX_ROWS:
                raise SettingsError([Problem(name, reader.line_num, "", "more rows", f"at most {MAX_ROWS}")])
            lines[key, len(rows)] = reader.line_num
            rows.append(_row(columns, cells))
    except csv.Error as error:
        raise SettingsError([Problem(name, reader.line_num, "", f"no CSV ({error})", "closed quotes")]) from error
    return Source(name, {key: rows}, lines, tuple(dict.fromkeys(group or column for group, column in columns)))


def _check_header(header: list[str], name: str) -> None:
    if not header or any(not cell for cell in header):
        raise SettingsError([Problem(name, 1, "", "no header", "the names of the columns in the first line")])
    for cell in header:
        if header.count(cell) > 1:
            raise SettingsError([Problem(name, 1, cell, "this column twice", "each column once")])
        if len(header) > 200:
            raise SettingsError([Problem(name, 1, "", f"{len(header)} columns", "at most 200")])


def _column(name: str) -> tuple[str, str]:
    """Return the table and the key that a column fills; no table for most."""
    group, _, key = name.partition(".")
    return (_GROUPS[group], key) if key and group in _GROUPS else ("", name)


def _row(columns: Sequence[tuple[str, str]], cells: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for (group, column), cell in zip(columns, cells, strict=True):
        if value := cell.strip():
            if group:
                row.setdefault(group, {})[column] = _number(value, float) if group == "parameters" else value
            else:
                row[column] = _typed(column, value)
    return row


def _typed(column: str, value: str) -> Any:
    if column == "unit":
        return _number(value, int)
    if column in {"period_s", "battery_kwh", "max_kw"}:
        return _number(value, float)
    if column == "urgent":
        return _YES.get(value.lower(), value)
    if column == "omit":
        return [tag for tag in re.split(r"[\s,;]+", value) if tag]
    return value


def _number(value: str, kind: Callable[[str], int | float]) -> int | float | str:
    try:
        return kind(value) if len(value) <= 24 else value
    except ValueError:
        return value  # the field's own check says what is wrong


def read_text(path: Path, name: str) -> str:
    """Return the text of a file of at most 1 MiB.

    Raises:
        SettingsError: unreadable, too large, or not UTF-8.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError([Problem(name, 0, "", "no file, but a folder or a device", "a file")])
        if status.st_size > _MAX_BYTES:
            got, wanted = f"{status.st_size} bytes", f"at most {_MAX_BYTES}"
            raise SettingsError([Problem(name, 0, "", got, wanted, "Split the file.")])
        raw = path.read_bytes()
    except OSError as error:
        raise SettingsError([Problem(name, 0, "", str(error.strerror), "a file that can be read")]) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
        got = "UTF-16" if wide else f"bytes that are no text (0x{raw[error.start]:02x})"
        raise SettingsError([Problem(name, line, "", got, "UTF-8", "Save the file as UTF-8.")]) from error


def _inspect(source: Source) -> None:
    """Refuse what no field wants and what libraries fall over: deep nesting, and whole numbers beyond 64 bits."""
    stack: list[tuple[Any, tuple[str | int, ...]]] = [(source.data, ())]
    while stack:
        item, path = stack.pop()
        if len(path) > _MAX_DEPTH:
            got, wanted = "tables in tables", f"at most {_MAX_DEPTH} levels"
            raise SettingsError([Problem(source.name, source.line(path), "", got, wanted)])
        if isinstance(item, dict):
            stack.extend((child, (*path, key)) for key, child in item.items())
        elif isinstance(item, list):
            stack.extend((child, (*path, place)) for place, child in enumerate(item))
        elif isinstance(item, int) and abs(item) >= 1 << 63:
            key = ".".join(str(part) for part in path if not isinstance(part, int))
            raise SettingsError(
                [Problem(source.name, source.line(path), key, "a number beyond 64 bits", "a number that is possible")]
            )


def _places(text: str) -> dict[tuple[str | int, ...], int]:
    places: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    quotes = 0
    for number, line in enumerate(text.split("\n"), 1):
        if quotes % 2 == 0:
            if header := _HEADER.match(line):
                table = _resolve(tuple(_split(header.group(2))), counts, array=header.group(1) == "[[")
                places.setdefault(table, number)
            elif key := _KEY.match(line):
                places.setdefault((*table, *_split(key.group(1))), number)
        quotes += line.count('"""') + line.count("'''")
    return places


def _split(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in (name.split(".") if name[0] not in "\"'" else [name])]


def _resolve(names: tuple[str, ...], counts: dict[tuple[str | int, ...], int], *, array: bool) -> tuple[str | int, ...]:
    path: tuple[str | int, ...] = ()
    for place, name in enumerate(names):
        path = (*path, name)
        if place == len(names) - 1 and array:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
