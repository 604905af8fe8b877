"""`shifu init`: a new site with one device, from the explained example in `config/minimal`."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from controller.errors import ConflictError, InvalidError
from controller.point.registry import Registry
from controller.settings.library import find_profile
from controller.settings.load import load
from controller.settings.option import template_options
from controller.settings.schema import write_schemas
from controller.share import share_dir

if TYPE_CHECKING:
    from drivers.driver import Clock
    from drivers.profile import Profile

__all__ = ["write_site"]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ENDPOINTS = {"modbus": "tcp://192.0.2.10:502", "opcua": "opc.tcp://192.0.2.10:4840", "mqtt": "mqtt://192.0.2.10:1883"}
_PLACEHOLDER = "change-me"


def write_site(
    folder: Path, profile: str, clock: Clock, *, endpoint: str = "", unit: int = 1, site_id: str | None = None
) -> list[Path]:
    """Write the files of a new site and return their paths; a site that `shifu check` would refuse is not written.

    `profile` is the id of one that comes along, or the path of one of your own, which is copied into the site.
    Without `endpoint` an address of the documentation range stands there.

    Raises:
        ConflictError: the folder exists and is not empty; nothing is overwritten.
        InvalidError: there is no such profile, or the id or the endpoint is not usable.
    """
    found, own = find_profile(profile)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConflictError(f"{folder} exists and is not empty; choose another folder")
    name = site_id or re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-")
    if not _ID.fullmatch(name):
        raise InvalidError(f'"{name}" is no id: lower-case letters, digits and hyphens; give one with --id')
    parent = folder.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".shifu-init-", dir=parent) as place:
        made = Path(place) / name
        shutil.copytree(share_dir("config") / "minimal", made)
        if own is not None:
            (made / "profiles").mkdir()
            shutil.copy(own, made / "profiles")
        write_schemas(made / "schema")
        _fill(made, found, name, endpoint or _ENDPOINTS[found.protocol], unit)
        load(made, Registry(), clock=clock)
        made.chmod(0o755)
        made.replace(folder)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _fill(folder: Path, profile: Profile, name: str, endpoint: str, unit: int) -> None:
    """Put the profile's words in the place of the example's."""
    for path in folder.rglob("*.toml"):
        _replace(path, {"#:schema ../": "#:schema "})  # the schemas stand in the site, one folder nearer
    _replace(folder / "site.toml", {'id = "minimal" ': f"id = {_text(name)} "})
    device = f"{profile.equipment.replace('_', '-')}1"
    file = folder / "devices" / f"{device}.toml"
    (folder / "devices" / "meter.toml").rename(file)
    options = "".join(f"{key} = {_text(_PLACEHOLDER)}, " for key in template_options(profile))
    _replace(
        file,
        {
            'id = "meter1" ': f"id = {_text(device)} ",
            "main.electrical.meter1": f"main.electrical.{device}",
            'profile = "eastron-sdm630" ': f"profile = {_text(profile.id)} ",
            "--profile eastron-sdm630": f"--profile {profile.id}",
            '"tcp://192.0.2.10:502"': _text(endpoint),
            "tcp://192.0.2.10:502": " ".join(endpoint.split()),
            "unit = 1 ": f"unit = {unit} ",
        },
    )
    if profile.protocol != "modbus":
        lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith(("unit =", "# Where"))]
        lines = [f"period_s = {profile.period_s:g}" if line.startswith("period_s") else line for line in lines]
        if options:
            lines.append(f"options = {{ {options.removesuffix(', ')} }}  # what the profile's addresses need")
        file.write_text("\n".join(lines) + "\n", "utf-8")
    _replace(
        folder / "equipment.toml",
        {
            "main.electrical.meter1": f"main.electrical.{device}",
            'class = "meter" ': f"class = {_text(profile.equipment)} ",
            'maker = "Eastron"': f"maker = {_text(profile.vendor)}",
            'model = "SDM630"': f"model = {_text(profile.model)}",
            '{ zh = "總電表", en = "Main meter" }': f"{{ zh = {_text(profile.model)}, en = {_text(profile.model)} }}",
        },
    )
    if profile.equipment != "meter" or all(point.tag != "power" for point in profile.points):
        (folder / "alarms.toml").unlink()


def _text(value: str) -> str:
    """Return a TOML text; its escapes are those of JSON."""
    return json.dumps(value, ensure_ascii=False)


def _replace(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text("utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
