"""The lock of the data folder: one controller at a time."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from controller.errors import ConflictError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["FolderLock"]


class FolderLock:
    """Holds `<folder>/controller.lock` by `flock`; the kernel frees it when the process dies, so it is never stale."""

    def __init__(self, folder: Path) -> None:
        """Lock `folder`, which is made for its owner alone when it does not exist.

        Raises:
            ConflictError: another living process holds it; the message names its pid.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / "controller.lock"
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            self._descriptor = -1
            raise ConflictError(
                f"{folder}: in use by the controller with pid {holder}. Stop it first (kill {holder}), "
                "or give this one another data folder."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the folder free; safe to call twice. The file stays: removing it would let two lock different files."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
