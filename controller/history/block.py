"""The block: the readings of one point over one hour (or, imported, one day), as bytes with aggregates beside them.

Bytes, little-endian: u8 version 2 · u32 CRC-32 of the key and of all that follows · u32 length of the times · u32
length of the values · times and values as standalone `pcodec` streams · quality, either one byte for all or a zlib
stream of n bytes. The key is (point number, start, span) as three i64: a block found under another key is damage, and
not somebody else's readings. Version 1 had no key in its checksum and is still read.

The aggregates beside a block have a checksum of their own, `seal`: they are used without opening the block.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from isal import isal_zlib
from pcodec import ChunkConfig, standalone

from controller.errors import InvalidError
from drivers.reading import is_bad, is_good

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["BlockError", "Columns", "Key", "Summary", "merge", "pack", "seal", "summarise", "unpack"]

Key = tuple[int, int, int]
"""Point number, start and span in ns."""

_VERSION = 2
_UNKEYED = 1
_HEAD = struct.Struct("<BIII")
_KEY = struct.Struct("<qqq")
_SUMMARY = struct.Struct("<qqqdddddqqdq")
_LEVEL = 4
"""pcodec level: 8 gains nothing on an hour of a sensor and costs half as much again."""


class BlockError(InvalidError):
    """The bytes are not a whole block of a version that this release reads."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Readings of one point."""

    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def empty(cls) -> Columns:
        """Return no readings."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint8))

    def window(self, start_ns: int, end_ns: int) -> Columns:
        """Return the readings with `start_ns <= time < end_ns`; times must be in order."""
        low, high = np.searchsorted(self.time_ns, (start_ns, end_ns))
        return Columns(self.time_ns[low:high], self.value[low:high], self.quality[low:high])


@dataclass(frozen=True, slots=True)
class Summary:
    """Aggregates of a block. Used are the finite values whose quality is not bad."""

    count: int
    used: int
    good: int
    minimum: float
    maximum: float
    total: float
    first: float
    """First used value; NaN when none, as minimum, maximum and last."""
    last: float
    first_ns: int
    last_ns: int
    last_value: float
    """Value and quality of the last reading, used or not."""
    last_quality: int


def merge(parts: Sequence[Columns]) -> Columns:
    """Return all readings in the order of their times, each time once: the later part's reading stays."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return Columns.empty()
    joined = parts[0]
    if len(parts) > 1:
        joined = Columns(
            np.concatenate([part.time_ns for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.quality for part in parts]),
        )
    step = np.diff(joined.time_ns)
    if np.all(step > 0):
        return joined
    order = np.argsort(joined.time_ns, kind="stable")
    time = joined.time_ns[order]
    order = order[np.append(np.diff(time) != 0, True)]
    return Columns(joined.time_ns[order], joined.value[order], joined.quality[order])


def summarise(columns: Columns) -> Summary:
    """Compute the aggregates of one or more readings in the order of their times."""
    used = np.isfinite(columns.value) & ~is_bad(columns.quality)
    values = columns.value[used]
    some = len(values) > 0
    return Summary(
        len(columns),
        len(values),
        int(is_good(columns.quality).sum()),
        float(values.min()) if some else np.nan,
        float(values.max()) if some else np.nan,
        float(values.sum()) if some else 0.0,
        float(values[0]) if some else np.nan,
        float(values[-1]) if some else np.nan,
        int(columns.time_ns[0]),
        int(columns.time_ns[-1]),
        float(columns.value[-1]),
        int(columns.quality[-1]),
    )


def seal(key: Key, summary: Summary) -> int:
    """Return the CRC-32 of a block's key and aggregates; -0.0 as 0.0 and every NaN alike, as SQLite keeps them."""
    # Whole numbers stay whole: a time in ns has more digits than a float.
    values = (
        value if isinstance(value, int) else float(value) + 0.0 if value == value else np.nan  # noqa: PLR0124 - NaN
        for value in astuple(summary)
    )
    return int(isal_zlib.crc32(_SUMMARY.pack(*values), isal_zlib.crc32(_KEY.pack(*key))))


def pack(columns: Columns, key: Key) -> bytes:
    """Return the bytes of one or more readings, to be kept under a key."""
    config = ChunkConfig(compression_level=_LEVEL)
    time = standalone.simple_compress(np.ascontiguousarray(columns.time_ns), config)
    value = standalone.simple_compress(np.ascontiguousarray(columns.value), config)
    first = columns.quality[:1]
    alike = bool(np.all(columns.quality == first))
    quality = first.tobytes() if alike else isal_zlib.compress(columns.quality.tobytes())
    body = b"".join((time, value, quality))
    lengths = struct.pack("<II", len(time), len(value))
    checksum = isal_zlib.crc32(body, isal_zlib.crc32(lengths, isal_zlib.crc32(_KEY.pack(*key))))
    return _HEAD.pack(_VERSION, checksum, len(time), len(value)) + body


def unpack(data: bytes, key: Key) -> Columns:
    """Return what `pack` was given.

    Raises:
        BlockError: cut short, changed, of another key, or of a newer version.
    """
    if len(data) < _HEAD.size + 1:
        raise BlockError(f"block: got {len(data)} bytes, wanted more than {_HEAD.size}")
    version, checksum, time_size, value_size = _HEAD.unpack_from(data)
    if version not in (_VERSION, _UNKEYED):
        raise BlockError(f"block: version {version}; this release reads versions {_UNKEYED} and {_VERSION}")
    body = data[_HEAD.size :]
    begun = 0 if version == _UNKEYED else isal_zlib.crc32(_KEY.pack(*key))
    if isal_zlib.crc32(body, isal_zlib.crc32(data[5 : _HEAD.size], begun)) != checksum:
        raise BlockError("block: the checksum does not fit: the bytes were changed, cut, or belong elsewhere")
    time = _decompress(body[:time_size])
    value = _decompress(body[time_size : time_size + value_size])
    tail = body[time_size + value_size :]
    n = len(time)
    quality = np.full(n, tail[0], np.uint8) if len(tail) == 1 else np.frombuffer(isal_zlib.decompress(tail), np.uint8)
    if not len(value) == len(quality) == n:
        raise BlockError(f"block: {n} times, {len(value)} values, {len(quality)} qualities")
    return Columns(time, value, quality)


def _decompress(data: bytes) -> NDArray[Any]:
    try:
        array = standalone.simple_decompress(data)
    except RuntimeError as error:
        raise BlockError(f"block: cannot be decompressed: {error}") from error
    if array is None:
        raise BlockError("block: holds no readings")
    return np.asarray(array)
