"""Answers spoiled on their way: each kind was seen on real lines (wrong unit, short data, torn frames, noise).

`stale` is apart: on RTU a late answer of the same unit, function and length cannot be told from the right one, so a
random choice never takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.wire.frame import encode_mbap, encode_rtu

if TYPE_CHECKING:
    from random import Random

    from simulators.wire.frame import Request

__all__ = ["KINDS", "spoil"]

_RANDOM = (
    "function", "unit", "transaction", "short", "long", "truncated", "garbage", "huge", "checksum", "echo", "noise",
)  # fmt: skip
KINDS = ("random", *_RANDOM, "stale", "duplicate", "split")
"""`split` sends a right answer in single bytes, `duplicate` sends it twice; the others are never a right answer."""


def spoil(
    kind: str, random: Random, request: Request, pdu: bytes, *, rtu: bool, previous: bytes | None = None
) -> list[bytes]:
    """Return the pieces that are sent instead of the answer `pdu`; each piece is a segment of its own.

    `previous` is the last answer PDU of this line (for `stale`).
    """
    if kind == "random":
        kind = random.choice(_RANDOM)
    transaction, unit = request.transaction, request.unit
    match kind:
        case "function":
            pdu = bytes((pdu[0] ^ 0x07,)) + pdu[1:]
        case "unit":
            unit = (unit + 1) % 248
        case "transaction" if not rtu:
            transaction = (transaction + 1) & 0xFFFF
        case "short" if len(pdu) >= 6:
            pdu = bytes((pdu[0], pdu[1] - 2)) + pdu[2:-2]
        case "long" if len(pdu) >= 4:
            pdu = bytes((pdu[0], (pdu[1] + 2) & 0xFF)) + pdu[2:] + b"\x01\x02"
        case "stale" if previous is not None:
            pdu = previous
        case _:
            pass
    frame = encode_rtu(unit, pdu) if rtu else encode_mbap(transaction, unit, pdu)
    match kind:
        case "truncated":
            return [frame[: max(1, len(frame) // 2)]]
        case "garbage":
            return [random.randbytes(len(frame))]
        case "huge":
            return [frame[:2] + b"\xff" + frame[3:] if rtu else frame[:4] + b"\xff\xff" + frame[6:]]
        case "checksum" | "transaction" if rtu:
            return [frame[:-1] + bytes((frame[-1] ^ 0x55,))]
        case "checksum":
            return [frame[:2] + b"\x12\x34" + frame[4:]]
        case "short" | "long" if len(pdu) < 4:
            return [frame[:-1]]
        case "echo":
            return [encode_rtu(unit, request.pdu) if rtu else encode_mbap(transaction, unit, request.pdu), frame]
        case "noise":
            return [b"\x00" + frame]
        case "duplicate":
            return [frame, frame]
        case "split":
            return [frame[at : at + 1] for at in range(len(frame))]
        case _:
            return [frame]
