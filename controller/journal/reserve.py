"""A file that only takes up space, to be given back when the disk is full.

On a full disk SQLite can neither insert nor delete: both need room in the write-ahead log. Deleting this file makes
that room, so that the alarms and the audit of the incident itself can still be written.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Reserve"]


class Reserve:
    """One pre-allocated file."""

    def __init__(self, path: Path, size: int = 4 * 1024 * 1024) -> None:
        """Keep `size` bytes at `path`."""
        self._path = path
        self._size = size

    @property
    def present(self) -> bool:
        """Tell whether the space is held."""
        try:
            return self._path.stat().st_size >= self._size
        except OSError:
            return False

    def hold(self) -> bool:
        """Allocate the file unless it exists or less than four times its size is free; return whether it is held."""
        if self.present:
            return True
        try:
            if shutil.disk_usage(self._path.parent).free < 4 * self._size:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Delete the file; return whether that gave space back."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
