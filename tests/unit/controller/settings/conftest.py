"""A site's folder to spoil: the packaged minimal one, and a reader that gives its problems."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.clock import VirtualClock
from controller.connection import check_devices
from controller.point.registry import Registry
from controller.settings.configuration import Configuration
from controller.settings.load import load
from controller.settings.problem import Problem, SettingsError
from controller.share import share_dir

DEVICE = """\
[[device]]
id = "meter1"
equipment = "main.electrical.meter1"
profile = "eastron-sdm630"
endpoint = "tcp://192.0.2.10:502"
unit = 1
"""


class Folder:
    """One site's folder; `write` replaces or adds a file, `load` and `problems` read it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.registry = Registry()

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def text(self, name: str) -> str:
        return (self.path / name).read_text("utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        text = self.text(name)
        assert old in text
        self.write(name, text.replace(old, new))

    def load(self, **more: Any) -> Configuration:
        arguments: dict[str, Any] = {"clock": VirtualClock(), "environment": {}, "check_devices": check_devices}
        return load(self.path, self.registry, **{**arguments, **more})

    def problems(self) -> tuple[Problem, ...]:
        with pytest.raises(SettingsError) as caught:
            self.load()
        return caught.value.problems

    def problem(self) -> str:
        """Return the text of the only problem."""
        (problem,) = self.problems()
        return str(problem)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    shutil.copytree(share_dir("config") / "minimal", tmp_path / "site")
    return Folder(tmp_path / "site")


@pytest.fixture
def devices(folder: Folder) -> Callable[..., Folder]:
    """Write devices/meter.toml from the plain device, with replacements and lines behind it."""

    def write(more: str = "", **replaced: str) -> Folder:
        text = DEVICE
        for key, value in replaced.items():
            lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in text.splitlines()]
            text = "\n".join(lines) + "\n"
        folder.write("devices/meter.toml", text + more)
        return folder

    return write
