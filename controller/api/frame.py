"""The binary value frame of the stream, little-endian.

u32 magic `0x31554653` ("SFU1") · u32 sequence (per topic, from 1) · f64 server time, ms · u32 count · u32 flags (bit 0
= snapshot, bits 16–31 = topic id) · f64 value[count] · u32 number[count] · f32 age_s[count] · u8 quality[count].

The header is 24 bytes and values come first, so that a browser lays typed arrays over the buffer without copying.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAGIC", "SNAPSHOT", "encode_frame"]

MAGIC = 0x31554653
SNAPSHOT = 1

_HEADER = struct.Struct("<IIdII")


def encode_frame(
    numbers: NDArray[np.int32],
    value: NDArray[np.float64],
    quality: NDArray[np.uint8],
    time_ns: NDArray[np.int64],
    *,
    now_ns: int,
    sequence: int,
    topic: int,
    snapshot: bool,
) -> bytes:
    """Return one frame of the points `numbers`; the other arrays are as long as it.

    The age is server time minus source time in seconds, NaN for a point that was never read (source time 0). Infinite
    values travel as NaN, which means "none".
    """
    finite = np.where(np.isfinite(value), value, np.nan).astype("<f8")
    age = np.where(time_ns > 0, (now_ns - time_ns) / 1e9, np.nan).astype("<f4")
    flags = (SNAPSHOT if snapshot else 0) | (topic & 0xFFFF) << 16
    return b"".join(
        (
            _HEADER.pack(MAGIC, sequence & 0xFFFFFFFF, now_ns / 1e6, len(numbers), flags),
            finite.tobytes(),
            numbers.astype("<u4").tobytes(),
            age.tobytes(),
            quality.astype(np.uint8).tobytes(),
        )
    )
