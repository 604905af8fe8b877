"""`shifu init`: a new site with one device, from the explained example in `config/minimal`."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from controller.errors import ConflictError, InvalidError
from controller.settings.library import Library
from controller.settings.problem import Problem
from controller.share import share_dir

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_site"]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def write_site(folder: Path, profile: str, endpoint: str, unit: int, site_id: str | None = None) -> list[Path]:
    """Write the files of a new site and return their paths.

    Raises:
        ConflictError: the folder exists and is not empty; nothing is overwritten.
        InvalidError: there is no such profile, or the id is not usable.
    """
    found = Library().get(profile)
    if isinstance(found, Problem):
        raise InvalidError(f'no profile "{profile}". {found.todo} `shifu read --profiles` lists them.')
    if folder.exists() and any(folder.iterdir()):
        raise ConflictError(f"{folder} exists and is not empty; choose another folder")
    name = site_id or re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-")
    if not _ID.fullmatch(name):
        raise InvalidError(f'"{name}" is no id: lower-case letters, digits and hyphens; give one with --id')
    shutil.copytree(share_dir("config") / "minimal", folder, dirs_exist_ok=True)
    _replace(folder / "site.toml", {'id = "minimal" ': f'id = "{name}" '})
    device = f"{found.equipment.replace('_', '-')}1"
    _replace(
        folder / "devices" / "meter.toml",
        {
            'id = "meter1" ': f'id = "{device}" ',
            "main.electrical.meter1": f"main.electrical.{device}",
            'profile = "eastron-sdm630" ': f'profile = "{profile}" ',
            "--profile eastron-sdm630": f"--profile {profile}",
            "tcp://192.0.2.10:502": endpoint,
            "unit = 1 ": f"unit = {unit} ",
        },
    )
    _replace(
        folder / "equipment.toml",
        {
            "main.electrical.meter1": f"main.electrical.{device}",
            'class = "meter" ': f'class = "{found.equipment}" ',
            'maker = "Eastron"': f'maker = "{found.vendor}"',
            'model = "SDM630"': f'model = "{found.model}"',
            'name = { zh = "總電表", en = "Main meter" }': f'name = {{ zh = "{found.model}", en = "{found.model}" }}',
        },
    )
    if found.equipment != "meter" or all(point.tag != "power" for point in found.points):
        (folder / "alarms.toml").unlink()
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _replace(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text("utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
