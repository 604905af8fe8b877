"""The files behind plans and documents: those of the site's folder, and drawings that were uploaded, by their content.

What is handed out is what was checked: the bytes are compared with the digest that was taken when they were.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from typing import TYPE_CHECKING

from controller.errors import ConflictError, NotFoundError, UnavailableError
from controller.plan.picture import MEDIA, inspect
from controller.plan.plan import Drawing

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["MOST_BYTES", "MOST_FILES", "DrawingStore", "digest", "read_checked"]

MOST_FILES = 100
"""Uploaded drawings that are kept; the oldest that no plan uses makes room."""
MOST_BYTES = 200 << 20
_NAME = re.compile(r"[0-9a-f]{64}\.(svg|png)")
_ID = re.compile(r"[0-9a-f]{64}")


def digest(content: bytes) -> str:
    """Return the SHA-256 of a file in hex: its name, its ETag, and the proof that it is the one that was checked."""
    return hashlib.sha256(content).hexdigest()


def read_checked(path: Path, wanted: str) -> bytes:
    """Return a file if it is still the one that was checked.

    Raises:
        NotFoundError: it is gone.
        ConflictError: it is another one now.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFoundError(f"{path.name} cannot be read ({error.strerror}); `shifu check` says more") from error
    if digest(content) != wanted:
        raise ConflictError(f"{path.name} was changed on the disk and is not checked; `shifu apply` takes it over")
    return content


class DrawingStore:
    """Uploaded drawings in one folder. Blocks: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when the first drawing comes."""
        self._folder = folder

    def keep(self, content: bytes, used: Collection[str]) -> Drawing:
        """Check and keep a drawing; the same one twice is kept once. `used` are ids that may not make room.

        Raises:
            PictureError: it is not taken.
            ConflictError: there are too many, all in use.
            UnavailableError: the disk does not take it.
        """
        picture = inspect(content)
        name = digest(content)
        path = self._folder / f"{name}.{picture.kind}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                self._make_room(len(content), used)
                self._write(path, content)
        except OSError as error:
            raise UnavailableError(f"the drawing cannot be kept ({error.strerror}); free the disk") from error
        return Drawing(name, picture.kind, picture.width, picture.height)

    def find(self, name: str) -> Drawing:
        """Return a kept drawing.

        Raises:
            NotFoundError: there is none of this id.
        """
        kind, content = self._read(name)
        picture = inspect(content)
        return Drawing(name, kind, picture.width, picture.height)

    def read(self, name: str) -> tuple[str, bytes]:
        """Return media type and content of a kept drawing.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: it was changed on the disk.
        """
        kind, content = self._read(name)
        return MEDIA[kind], content

    def _read(self, name: str) -> tuple[str, bytes]:
        if _ID.fullmatch(name):  # a name of a request reaches the disk in this form alone
            for kind in MEDIA:
                path = self._folder / f"{name}.{kind}"
                if path.is_file():
                    return kind, read_checked(path, name)
        raise NotFoundError(f"no drawing {name[:80]!r}; upload it again")

    def _make_room(self, size: int, used: Collection[str]) -> None:
        files = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        kept = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in files)
        count, total = len(kept), sum(item[1] for item in kept)
        for _, length, path in kept:
            if count < MOST_FILES and total + size <= MOST_BYTES:
                return
            if path.stem not in used:
                path.unlink()
                count, total = count - 1, total - length
        if count >= MOST_FILES or total + size > MOST_BYTES:
            limits = f"{MOST_FILES} drawings or {MOST_BYTES >> 20} MiB"
            raise ConflictError(f"{limits} are uploaded and in use; set the plans of some floors back to the files")

    def _write(self, path: Path, content: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)  # noqa: PTH105 - the name is a text here
            except OSError:
                os.unlink(file.name)  # noqa: PTH108 - the same
                raise
