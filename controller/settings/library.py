"""The profile library: what comes with Shifu under `config/profiles`, and the site's own, which take precedence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.settings.problem import Problem, nearest
from controller.share import share_dir
from drivers.errors import ProfileError
from drivers.profile import load_profile

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.profile import Profile

__all__ = ["Library"]


class Library:
    """Profiles by id, read when they are asked for and kept."""

    def __init__(self, folder: Path | None = None) -> None:
        """Look in the site's `folder / profiles` first, then in those that come along."""
        roots = [share_dir("config") / "profiles"]
        if folder is not None:
            roots.append(folder / "profiles")
        self._paths = {path.stem: path for root in roots for path in sorted(root.rglob("*.toml"))}
        self._read: dict[str, Profile] = {}

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
        """Return a profile, or what is wrong with it (place it with the file and line that asked for it)."""
        if name in self._read:
            return self._read[name]
        if name not in self._paths:
            close = nearest(name, self._paths)
            return Problem("", 0, "profile", f'"{name}"', "a profile that exists", close or "`shifu read` lists them.")
        try:
            profile = load_profile(self._paths[name])
        except ProfileError as error:
            return Problem(str(self._paths[name]), 0, "", "", f"a profile that can be used: {error}")
        if profile.id != name:
            return Problem(str(self._paths[name]), 0, "profile.id", f'"{profile.id}"', f'"{name}", the file\'s name')
        self._read[name] = profile
        return profile
