from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from controller.errors import ConflictError
from controller.journal.lock import FolderLock

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from controller.journal.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_second_controller_is_refused_by_pid_and_a_dead_one_leaves_no_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConflictError, match=rf"pid {holder.pid}\b"):
            FolderLock(tmp_path)
    finally:
        holder.kill()
        holder.wait()
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.close()
        holder.stdout.close()
    with FolderLock(tmp_path) as lock:
        assert (tmp_path / "controller.lock").exists()
        with pytest.raises(ConflictError, match="in use"):
            FolderLock(tmp_path)
        lock.release()
        FolderLock(tmp_path).release()


def test_folder_is_made(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_data_folder_that_it_makes_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with FolderLock(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
