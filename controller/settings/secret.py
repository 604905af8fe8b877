"""Secrets: the files name where they are, never what they are.

`password_env = "NAME"` is the value of an environment variable, `password_file = "path"` the first line of a file.
Keys that are themselves files (`certificate`, `private_key`, `ca`) give the path, from either.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYS", "resolve"]

KEYS = ("user", "password", "certificate", "private_key", "ca", "token")
_PATHS = ("certificate", "private_key", "ca")


def resolve(
    named: Mapping[str, str], environment: Mapping[str, str], folder: Path
) -> tuple[dict[str, str], list[str], list[str]]:
    """Look the secrets up; relative paths are below the site's folder.

    Returns:
        The secrets, the keys that cannot be used, and sentences about those that are not set here.
    """
    found: dict[str, str] = {}
    wrong: list[str] = []
    missing: list[str] = []
    for key, where in named.items():
        name, _, source = key.rpartition("_")
        if name not in KEYS or source not in ("env", "file"):
            wrong.append(key)
        elif source == "env":
            value = environment.get(where)
            if value:
                found[name] = value
            else:
                missing.append(f"environment variable {where} ({name}) is not set")
        else:
            path = folder / where if not Path(where).is_absolute() else Path(where)
            if not path.is_file():
                missing.append(f"file {path} ({name}) does not exist")
            elif name in _PATHS:
                found[name] = str(path)
            else:
                found[name] = path.read_text("utf-8").split("\n", 1)[0].strip()
    return found, wrong, missing
