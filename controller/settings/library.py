"""The profile library: what comes with Shifu under `config/profiles`, and the site's own, which take precedence.

What every protocol shares is checked here; `controller.connection` has the protocol check its own part.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from controller.errors import InvalidError
from controller.settings.problem import Problem, SettingsError, nearest
from controller.settings.source import read_toml
from controller.share import share_dir
from drivers.equipment import check_profile
from drivers.errors import ProfileError
from drivers.profile import parse_profile

if TYPE_CHECKING:
    from controller.settings.source import Source
    from drivers.profile import Profile

__all__ = ["Library", "find_profile", "read_profile"]


_LISTED = "`shifu read --profiles` lists them."


class Library:
    """Profiles by id, read when they are asked for and kept."""

    def __init__(self, folder: Path | None = None) -> None:
        """Look in the site's `folder / profiles` first, then in those that come along."""
        self._folder = folder
        self._read: dict[str, Profile | Problem] = {}
        self._paths = self._found()

    def look_again(self) -> None:
        """Find profiles that came since; what was read stays as it was read, what was wrong may have been mended."""
        self._paths = self._found()
        self._read = {name: found for name, found in self._read.items() if not isinstance(found, Problem)}

    def _found(self) -> dict[str, Path]:
        roots = [share_dir("config") / "profiles"]
        if self._folder is not None:
            roots.append(self._folder / "profiles")
        return {path.stem: path for root in roots for path in sorted(root.rglob("*.toml"))}

    def names(self) -> tuple[str, ...]:
        """Return the ids of all profiles, sorted."""
        return tuple(sorted(self._paths))

    def path(self, name: str) -> Path:
        """Return the file of a profile.

        Raises:
            KeyError: there is none of that id.
        """
        return self._paths[name]

    def get(self, name: str) -> Profile | Problem:
        """Return a profile, or what is wrong with it; a problem without a file has the place of whoever asked."""
        if name in self._read:
            return self._read[name]
        if name not in self._paths:
            todo = nearest(name, self._paths) or _LISTED
            return Problem("", 0, "profile", f'"{name}"', "a profile that exists", todo)
        profile = read_profile(self._paths[name], self._shown(self._paths[name]))
        self._read[name] = profile
        return profile

    def _shown(self, path: Path) -> str:
        """Return a path as the other messages show it: below the site's folder where it is there."""
        if self._folder is not None and path.is_relative_to(self._folder):
            return str(path.relative_to(self._folder))
        return str(path)


def read_profile(path: Path, shown: str = "") -> Profile | Problem:
    """Read one profile file, or say what is wrong with it; `shown` is its name in messages."""
    shown = shown or str(path)
    try:
        source = read_toml(path, shown)
    except SettingsError as error:
        return error.problems[0]
    try:
        profile = parse_profile(source.data, shown)
        check_profile(profile)
    except ProfileError as error:
        text = str(error).removeprefix(f"{shown}: ").removeprefix(f"profile {path.stem}: ")
        return Problem(shown, _line(text, source), "", text, "")
    if profile.id != path.stem:
        line = source.line(("profile", "id"))
        return Problem(shown, line, "profile.id", f'"{profile.id}"', f'"{path.stem}", the file\'s name')
    return profile


def find_profile(name: str) -> tuple[Profile, Path | None]:
    """Return a profile by its id, or one of your own by its path, which then comes back too.

    Raises:
        InvalidError: there is none, or it cannot be used.
    """
    path = Path(name) if name.endswith(".toml") else None
    found = Library().get(name) if path is None else read_profile(path)
    if not isinstance(found, Problem):
        return found, path
    if found.file:
        raise InvalidError(str(found))
    raise InvalidError(f'no profile "{name}". {found.todo} A file of your own ends in .toml')


def _line(text: str, source: Source) -> int:
    """Return the line of what a message about a profile names: a point by its tag or place, or a key of the head."""
    points = source.data.get("point")
    if isinstance(points, list):
        if found := re.match(r"point\[(\d+)\]\.?(\w*)", text):
            return source.line(("point", int(found.group(1)), found.group(2)))
        if found := re.match(r'point "([^"]+)": (\w*)', text):
            tags = [row.get("tag") if isinstance(row, dict) else None for row in points]
            if found.group(1) in tags:
                return source.line(("point", tags.index(found.group(1)), found.group(2)))
    found = re.match(r"(profile(?:\.\w+)*)", text)
    return source.line(tuple(found.group(1).split("."))) if found else 0
