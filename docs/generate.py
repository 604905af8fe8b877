"""Writes `docs/reference/` from the code: command line, settings, profiles, rules, HTTP API, metrics, permissions.

    .venv/bin/python docs/generate.py            # write
    .venv/bin/python docs/generate.py --check    # say which page is out of date, and end with 1

Nothing here knows a fact of its own: a page that is wrong is mended in the code that it describes. API and metrics are
asked of a controller that really runs, on a free loopback port, over a small site in a temporary folder.
"""
# ruff: noqa: INP001, T201 - a script of the documentation, not a package

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script has only its own folder
from docs.page.command import command_line
from docs.page.interface import asked
from docs.page.profile import profile_format, profiles
from docs.page.rule import rules
from docs.page.setting import settings

FOLDER = Path(__file__).resolve().parent / "reference"
_MARK = "<!-- Written by docs/generate.py from the code. Do not edit. -->\n"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them; returns the exit code."""
    wanted = pages()
    stale = [name for name, text in wanted.items() if not _same(FOLDER / name, text)]
    stale += [path.name for path in sorted(FOLDER.glob("*.md")) if path.name not in wanted]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} is out of date; run docs/generate.py", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], "utf-8")
        else:
            (FOLDER / name).unlink()
        print(f"docs/reference/{name}")
    return 0


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    api, metrics, rights = asyncio.run(asked())
    made = {
        "command-line.md": command_line(),
        "settings.md": settings(),
        "profile-format.md": profile_format(),
        "profiles.md": profiles(),
        "rules.md": rules(),
        "http-api.md": api,
        "metrics.md": metrics,
        "permissions.md": rights,
    }
    return {name: _MARK + "\n" + text.strip() + "\n" for name, text in made.items()}


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
