"""What a simulator served and what it was told, in the order in which it happened.

Tests compare it with what the controller stored and commanded. In memory the last entries are kept, older ones are
dropped and counted; a file, where one is given, keeps all.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Ledger", "LedgerError", "Served", "Written", "read_ledger"]

_MAGIC = b"SFL1"
_HEAD = struct.Struct("<cqIHH?I")
_FLUSH_BYTES = 1 << 16
_LONGEST = 1 << 20


class LedgerError(Exception):
    """The file is no ledger, or its end is torn."""


class Served(NamedTuple):
    """One answer to a read: `items` registers, values or payload bytes from `address` on."""

    time_ns: int
    device: str
    address: str
    items: int
    raw: bytes


class Written(NamedTuple):
    """One write that came; `accepted` False where the device said no."""

    time_ns: int
    device: str
    address: str
    raw: bytes
    accepted: bool


class Ledger:
    """Append-only. One a simulator; not for several threads."""

    def __init__(self, path: Path | None = None, keep: int = 100_000) -> None:
        """Keep the last `keep` answers and the last `keep` writes in memory, and all of them in `path` if given.

        Raises:
            OSError: the file cannot be opened.
        """
        self.served: deque[Served] = deque(maxlen=keep)
        self.written: deque[Written] = deque(maxlen=keep)
        self.served_total = 0
        self.written_total = 0
        self._buffer = bytearray()
        self._file: BinaryIO | None = None
        if path is not None:
            self._file = path.open("ab")
            if self._file.tell() == 0:
                self._buffer += _MAGIC

    @property
    def dropped(self) -> int:
        """Return how many entries are no longer in memory."""
        return self.served_total - len(self.served) + self.written_total - len(self.written)

    def serve(self, time_ns: int, device: str, address: int | str, items: int, raw: bytes) -> None:
        """Note that `items` registers or values from `address` on were sent as `raw`."""
        entry = Served(time_ns, device, str(address), items, raw)
        self.served.append(entry)
        self.served_total += 1
        if self._file is not None:
            self._append(b"S", time_ns, device, entry.address, items, raw, accepted=True)

    def write(self, time_ns: int, device: str, address: int | str, raw: bytes, *, accepted: bool) -> None:
        """Note that `raw` was to be written to `address`."""
        entry = Written(time_ns, device, str(address), raw, accepted)
        self.written.append(entry)
        self.written_total += 1
        if self._file is not None:
            self._append(b"W", time_ns, device, entry.address, 0, raw, accepted=accepted)

    def _append(
        self, kind: bytes, time_ns: int, device: str, address: str, count: int, raw: bytes, *, accepted: bool
    ) -> None:
        name, place = device.encode(), address.encode()
        self._buffer += _HEAD.pack(kind, time_ns, count, len(name), len(place), accepted, len(raw))
        self._buffer += name
        self._buffer += place
        self._buffer += raw
        if len(self._buffer) >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the file.

        Raises:
            OSError: the disk is full or gone.
        """
        if self._file is not None:
            self._file.write(self._buffer)
            self._file.flush()
            self._buffer.clear()

    def close(self) -> None:
        """Flush and close the file; safe to call twice."""
        if self._file is not None:
            self.flush()
            self._file.close()
            self._file = None


def read_ledger(path: Path) -> Iterator[Served | Written]:
    """Yield the entries of a ledger file in order.

    Raises:
        LedgerError: no ledger, or the last entry is cut off (all before it were yielded).
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise LedgerError(f"{path}: not a ledger: wanted {_MAGIC!r} at the start")
        while head := file.read(_HEAD.size):
            if len(head) < _HEAD.size:
                raise LedgerError(f"{path}: cut off inside an entry")
            kind, time_ns, count, name, place, accepted, length = _HEAD.unpack(head)
            if kind not in {b"S", b"W"} or length > _LONGEST:
                raise LedgerError(f"{path}: damaged entry before byte {file.tell()}")
            body = file.read(name + place + length)
            if len(body) < name + place + length:
                raise LedgerError(f"{path}: cut off inside an entry")
            device, address, raw = body[:name].decode(), body[name : name + place].decode(), body[name + place :]
            if kind == b"S":
                yield Served(time_ns, device, address, count, raw)
            else:
                yield Written(time_ns, device, address, raw, accepted)
