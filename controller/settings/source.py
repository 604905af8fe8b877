"""Reads TOML and CSV files, within limits, and knows on which line a key stands.

`tomllib` gives values without places, so `Source.line` looks the key up again in the text: it follows table headers and
the keys that begin a line, which is how these files are written. A key inside an inline table has its table's line.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from controller.settings.problem import Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Source", "read_csv", "read_toml"]

_MAX_BYTES = 5 << 20
_MAX_ROWS = 100_000
_MAX_DEPTH = 32
_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*("[^"]+"|'[^']+'|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\s*=""")
_ERROR_LINE = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, slots=True)
class Source:
    """One file as read: its values, and where they stand."""

    name: str
    """As shown in messages: the path below the site's folder."""
    data: Mapping[str, Any]
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of the key at `path`, or of the nearest table around it; 0 when unknown."""
        place = tuple(path)
        while place:
            if place in self.lines:
                return self.lines[place]
            place = place[:-1]
        return 0


def read_toml(path: Path, name: str) -> Source:
    """Read a TOML file.

    Raises:
        SettingsError: unreadable, larger than 5 MiB, not UTF-8, nested deeper than 32, or not TOML.
    """
    text = _text(path, name)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _ERROR_LINE.search(str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise SettingsError([Problem(name, line, "", f"a line that is no TOML ({error})", "TOML 1.0")]) from error
    except RecursionError:
        raise SettingsError([Problem(name, 0, "", "brackets in brackets", f"at most {_MAX_DEPTH} levels")]) from None
    if _depth(data) > _MAX_DEPTH:
        raise SettingsError([Problem(name, 0, "", "tables in tables", f"at most {_MAX_DEPTH} levels")])
    return Source(name, data, _places(text))


def read_csv(path: Path, name: str) -> Source:
    """Read a list as a contractor delivers it: a header line, then one device a line.

    The rows come as `data["device"]`, as from TOML; a column `option.x` fills `options.x`, `secret.x` fills
    `secrets.x`. Empty cells are left out.

    Raises:
        SettingsError: unreadable, too large, no header, or a row with another number of cells.
    """
    reader = csv.reader(io.StringIO(_text(path, name)))
    header = [cell.strip().lstrip("\ufeff") for cell in next(reader, [])]
    if not header or any(not cell for cell in header):
        raise SettingsError([Problem(name, 1, "", "no header", "the names of the columns in the first line")])
    rows: list[dict[str, Any]] = []
    lines: dict[tuple[str | int, ...], int] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
            continue
        if len(cells) != len(header):
            raise SettingsError(
                [Problem(name, reader.line_num, "", f"{len(cells)} cells", f"{len(header)}, as in the header")]
            )
        if len(rows) >= _MAX_ROWS:
            raise SettingsError([Problem(name, reader.line_num, "", "more rows", f"at most {_MAX_ROWS}")])
        row: dict[str, Any] = {}
        for column, cell in zip(header, cells, strict=True):
            if value := cell.strip():
                group, _, key = column.partition(".")
                if key and group in ("option", "secret"):
                    row.setdefault(f"{group}s", {})[key] = value
                else:
                    row[column] = value
        lines["device", len(rows)] = reader.line_num
        rows.append(row)
    return Source(name, {"device": rows}, lines)


def _text(path: Path, name: str) -> str:
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise SettingsError([Problem(name, 0, "", f"{size} bytes", f"at most {_MAX_BYTES}", "Split the file.")])
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise SettingsError([Problem(name, 0, "", str(error.strerror), "a file that can be read")]) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            [Problem(name, 0, "", f"bytes that are no text at {error.start}", "UTF-8", "Save the file as UTF-8.")]
        ) from error


def _depth(value: Any) -> int:
    deepest, stack = 0, [(value, 1)]
    while stack:
        item, level = stack.pop()
        deepest = max(deepest, level)
        if level > _MAX_DEPTH:
            return level
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        stack.extend((child, level + 1) for child in children)
    return deepest


def _places(text: str) -> dict[tuple[str | int, ...], int]:
    places: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    quotes = 0
    for number, line in enumerate(text.splitlines(), 1):
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
