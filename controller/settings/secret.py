"""Secrets: the files name where they are, never what they are.

`password_env = "NAME"` is the value of an environment variable, `password_file = "path"` the first line of a file.
Keys that are themselves files (`certificate`, `private_key`, `ca`) give the path, from either.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYS", "resolve"]

KEYS = ("user", "password", "certificate", "private_key", "ca", "token")
_PATHS = ("certificate", "private_key", "ca")


def resolve(
    named: Mapping[str, str], environment: Mapping[str, str], folder: Path
) -> tuple[dict[str, str], list[str], list[Name]]:
    """Look the secrets up; relative paths are below the site's folder.

    Returns:
        The secrets, the keys that cannot be used, and sentences about those that are not set here.
    """
    found: dict[str, str] = {}
    wrong: list[str] = []
    missing: list[Name] = []
    for key, where in named.items():
        name, _, source = key.rpartition("_")
        if name not in KEYS or source not in ("env", "file") or name in found:
            wrong.append(key)
        elif source == "env":
            value = environment.get(where)
            if value:
                found[name] = value
            else:
                missing.append(
                    Name(f"環境變數 {where}（{name}）未設定", f"environment variable {where} ({name}) is not set")
                )
        else:
            path = folder / where if not Path(where).is_absolute() else Path(where)
            if not path.is_file():
                missing.append(Name(f"檔案 {path}（{name}）不存在", f"file {path} ({name}) does not exist"))
            elif name in _PATHS:
                found[name] = str(path)
            elif value := _first_line(path):
                found[name] = value
            else:
                missing.append(
                    Name(
                        f"檔案 {path}（{name}）無法讀取，或第一行是空的",
                        f"file {path} ({name}) cannot be read, or its first line is empty",
                    )
                )
    return found, wrong, missing


def _first_line(path: Path) -> str:
    """Return the first line of a file; empty when it cannot be read as text."""
    try:
        with path.open("rb") as file:
            return file.readline(4096).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        return ""
