"""A start that cannot be says why in a sentence, and leaves nothing open."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from controller.app import Controller, Options
from controller.errors import UnavailableError
from controller.journal.lock import FolderLock
from controller.share import share_dir

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_history_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    site, data = tmp_path / "site", tmp_path / "data"
    shutil.copytree(share_dir("config") / "minimal", site)
    (data / "history.db").mkdir(parents=True)
    controller = Controller(Options(site, data, "127.0.0.1", 0))

    with pytest.raises(UnavailableError, match=r"history\.db: cannot be opened: unable to open"):
        await controller.start()
    await controller.close()

    FolderLock(data).release()
