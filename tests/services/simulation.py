"""Simulators of a small site as a process of their own, for tests that kill the controller and not them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.services.city import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["simulated"]


@contextmanager
def simulated(folder: Path, texts: Mapping[str, str], *, ledger: bool = True) -> Iterator[Path]:
    """Yield `folder`, with the site's files in `site/` and its simulators running from `run/`.

    Args:
        folder: an empty one.
        texts: each file by its name below the site's folder, without `.toml`.
        ledger: every write to a device is kept in `ledger/`.
    """
    site = folder / "site"
    (site / "devices").mkdir(parents=True)
    for name, text in texts.items():
        (site / f"{name}.toml").write_text(text, "utf-8")
    log = folder / "simulators.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "simulators", "run", "--site", str(site), "--run-dir", str(folder / "run"),
                "--endpoints", str(folder / "endpoints.json"),
                *(("--ledger", str(folder / "ledger")) if ledger else ()),
            ],
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for((folder / "endpoints.json").exists, 60, lambda: log.read_text("utf-8", "replace")[-2000:])
        yield folder
    finally:
        process.terminate()
        process.wait(15)
