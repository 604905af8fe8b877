"""Pieces of Markdown: tables, and what docstrings say."""
# ruff: noqa: INP001 - a part of docs/generate.py, not a package

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


__all__ = ["body", "fields", "first", "table"]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a head."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(item) for item in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(item: object) -> str:
    return str(item).replace("\n", " ").replace("|", "\\|").strip()


def first(text: str | None) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def fields(cls: type) -> dict[str, str]:
    """Return the docstrings behind the fields of a class, by name."""
    body = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]).body
    found = {}
    for item, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            text = ""
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                text = " ".join(str(following.value.value).split())
            found[item.target.id] = text
    return found


def body(module: Any) -> str:
    """Return a module's docstring as Markdown; rows of a table that go over two lines become one."""
    lines: list[str] = []
    for line in inspect.cleandoc(module.__doc__ or "").splitlines():
        if lines and lines[-1].startswith("|") and not lines[-1].endswith("|"):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "\n".join(lines)
