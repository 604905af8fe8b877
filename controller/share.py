"""Finds the data folders in a checkout or in an installed wheel."""

from __future__ import annotations

from pathlib import Path

__all__ = ["share_dir"]


def share_dir(name: str) -> Path:
    """Return the folder `name` (`config` or `dashboards`).

    Raises:
        FileNotFoundError: neither the wheel nor the checkout has it.
    """
    package = Path(__file__).resolve().parent
    for base in (package / "_share", package.parent):
        if (base / name).is_dir():
            return base / name
    raise FileNotFoundError(f"no {name!r} folder beside {package} or in its _share")
