"""What is installed: its version, and its data folders in a checkout or in a wheel."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

__all__ = ["product_version", "share_dir"]


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


def product_version() -> str:
    """Return the installed version."""
    return version("shifu-bms")
