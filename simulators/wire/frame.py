"""Modbus frames, encoded and decoded by hand: MBAP (Modbus TCP) and RTU, both over a TCP stream.

Sources: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3; MODBUS over Serial Line V1.02, sections
2.5.1 and 6.2.2 (CRC).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["FrameError", "Request", "crc16", "decode_mbap", "decode_rtu", "encode_mbap", "encode_rtu"]

_MBAP = struct.Struct(">HHHB")
_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 11: 4, 12: 4, 17: 4, 22: 10, 43: 7}
"""Length of an RTU request by function code, where it does not depend on a byte count."""
_COUNTED = {15, 16}
_LONGEST_PDU = 253


def _table() -> tuple[int, ...]:
    rows = []
    for start in range(256):
        value = start
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        rows.append(value)
    return tuple(rows)


_CRC = _table()


class FrameError(Exception):
    """The stream cannot be Modbus: a server closes the connection (TCP) or drops what it holds (RTU)."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: transaction id (0 on RTU), unit and PDU (function code and data)."""

    transaction: int
    unit: int
    pdu: bytes


def crc16(data: bytes | bytearray | memoryview) -> int:
    """Return the CRC of Modbus RTU (polynomial 0xA001, start 0xFFFF); it is sent low byte first."""
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ _CRC[(value ^ byte) & 0xFF]
    return value


def encode_mbap(transaction: int, unit: int, pdu: bytes) -> bytes:
    """Return a Modbus TCP frame."""
    return _MBAP.pack(transaction, 0, len(pdu) + 1, unit) + pdu


def encode_rtu(unit: int, pdu: bytes) -> bytes:
    """Return an RTU frame."""
    body = bytes((unit,)) + pdu
    return body + crc16(body).to_bytes(2, "little")


def decode_mbap(buffer: bytearray) -> Request | None:
    """Take one request off the front of `buffer`; None while it is not whole.

    Raises:
        FrameError: protocol id other than 0 or a length outside of 2..254.
    """
    if len(buffer) < 8:
        return None
    transaction, protocol, length, unit = _MBAP.unpack_from(buffer)
    if protocol != 0 or not 2 <= length <= _LONGEST_PDU + 1:
        raise FrameError(f"MBAP header with protocol {protocol}, length {length}; wanted protocol 0, length 2 to 254")
    if len(buffer) < 6 + length:
        return None
    pdu = bytes(buffer[7 : 6 + length])
    del buffer[: 6 + length]
    return Request(transaction, unit, pdu)


def decode_rtu(buffer: bytearray) -> Request | None:
    """Take one request off the front of `buffer`; None while it is not whole.

    On a real line 3.5 silent characters end a frame. A stream has none, so the length follows from the function code.

    Raises:
        FrameError: wrong CRC, or a function code of unknown length; what is in the buffer is lost.
    """
    if len(buffer) < 4:
        return None
    function = buffer[1]
    if function in _COUNTED:
        if len(buffer) < 7:
            return None
        length = 9 + buffer[6]
    else:
        length = _FIXED.get(function, len(buffer))
    if len(buffer) < length:
        return None
    frame = bytes(buffer[:length])
    if crc16(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
        raise FrameError(f"CRC of {frame.hex(' ')} is wrong")
    del buffer[:length]
    return Request(0, frame[0], frame[1:-2])
