"""The frame: one batch of readings as bytes, in columns, compressed, with a checksum.

Layout, little-endian::

    0   4  magic 0x46554653 ("SFUF")
    4   1  version, 1
    5   1  flags: bit 0 late, bit 1 imported (the embedded history has it already)
    6   2  reserved, 0
    8   4  generation of the configuration whose point numbers these are
    12  4  count n of readings
    16  8  time of the first reading, ns since 1970 UTC
    24  4  CRC-32 of the 24 bytes before and the payload
    28  -  payload: zlib stream of n x i32 point, n x i64 time minus the reading before (first 0),
           the n x f64 values as 8 planes of n bytes (lowest byte first), n x u8 quality

Planes put the bytes that hardly change beside each other, which the compressor likes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from isal import isal_zlib

from controller.errors import InvalidError
from drivers.reading import Readings

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_READINGS", "VERSION", "Frame", "FrameError", "decode", "encode"]

VERSION = 1
MAX_READINGS = 1_000_000
"""Larger counts are refused in both directions: a damaged length must not allocate gigabytes."""

_MAGIC = 0x46554653
_HEADER = struct.Struct("<IBBHIIq")
_CHECKSUM = struct.Struct("<I")
_START = _HEADER.size + _CHECKSUM.size
_LATE = 1
_IMPORTED = 2
_BYTES = 4 + 8 + 8 + 1
_ZlibError: type[Exception] = isal_zlib.error  # type: ignore[assignment] # a plain object in its stub


class FrameError(InvalidError):
    """The bytes are not a whole frame of a version that this release reads."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame."""

    readings: Readings
    generation: int
    imported: bool = False


def encode(readings: Readings, generation: int, *, imported: bool = False) -> bytes:
    """Return the bytes of one batch.

    Raises:
        ValueError: more than `MAX_READINGS` readings.
    """
    n = len(readings)
    if n > MAX_READINGS:
        raise ValueError(f"a frame holds up to {MAX_READINGS} readings, got {n}")
    time = np.ascontiguousarray(readings.time_ns, "<i8")
    delta = np.empty(n, "<i8")
    first = 0
    if n:
        first = int(time[0])
        delta[0] = 0
        # Wraps around instead of failing when two times lie further apart than int64 can say; cumsum wraps back.
        np.subtract(time[1:], time[:-1], out=delta[1:])
    value = np.ascontiguousarray(readings.value, "<f8")
    payload = isal_zlib.compress(
        b"".join(
            (
                np.ascontiguousarray(readings.point, "<i4").tobytes(),
                delta.tobytes(),
                value.view(np.uint8).reshape(n, 8).T.tobytes(),
                np.ascontiguousarray(readings.quality, np.uint8).tobytes(),
            )
        ),
        isal_zlib.ISAL_BEST_SPEED,
    )
    flags = (_LATE if readings.late else 0) | (_IMPORTED if imported else 0)
    header = _HEADER.pack(_MAGIC, VERSION, flags, 0, generation & 0xFFFFFFFF, n, first)
    checksum = isal_zlib.crc32(payload, isal_zlib.crc32(header))
    return b"".join((header, _CHECKSUM.pack(checksum), payload))


def decode(data: bytes) -> Frame:
    """Return the batch that `encode` was given.

    Raises:
        FrameError: cut short, changed, or of a newer version.
    """
    if len(data) < _START:
        raise FrameError(f"frame: got {len(data)} bytes, a header alone has {_START}")
    magic, version, flags, _reserved, generation, n, first = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise FrameError(f"frame: begins with 0x{magic:08x}, wanted 0x{_MAGIC:08x}")
    if version != VERSION:
        raise FrameError(f"frame: version {version}; this release reads version {VERSION}")
    (checksum,) = _CHECKSUM.unpack_from(data, _HEADER.size)
    payload = memoryview(data)[_START:]
    if isal_zlib.crc32(payload, isal_zlib.crc32(data[: _HEADER.size])) != checksum:
        raise FrameError("frame: the checksum does not fit: the bytes were changed or cut")
    if n > MAX_READINGS:
        raise FrameError(f"frame: {n} readings, wanted up to {MAX_READINGS}")
    try:
        raw = isal_zlib.decompress(payload, bufsize=n * _BYTES + 1)
    except _ZlibError as error:
        raise FrameError(f"frame: cannot be decompressed: {error}") from error
    if len(raw) != n * _BYTES:
        raise FrameError(f"frame: {n} readings need {n * _BYTES} bytes, got {len(raw)}")
    point = np.frombuffer(raw, "<i4", n).astype(np.int32)
    time: NDArray[np.int64] = np.cumsum(np.frombuffer(raw, "<i8", n, 4 * n), dtype=np.int64)
    time += first
    planes = np.frombuffer(raw, np.uint8, 8 * n, 12 * n).reshape(8, n)
    value = np.ascontiguousarray(planes.T).view("<f8").reshape(n).astype(np.float64)
    quality = np.frombuffer(raw, np.uint8, n, 20 * n).copy()
    return Frame(Readings(point, value, time, quality, bool(flags & _LATE)), generation, bool(flags & _IMPORTED))
