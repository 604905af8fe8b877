"""Frames against bytes printed in the vendors' documents."""

from __future__ import annotations

import pytest

from simulators.wire.frame import FrameError, Request, crc16, decode_mbap, decode_rtu, encode_mbap, encode_rtu


@pytest.mark.parametrize(
    "frame",
    [
        "01 04 00 00 00 02 71 CB",  # SDM630, V L1
        "01 03 0C 83 00 04 B6 B1",  # iEM3155, import
        "01 03 5B 14 00 02 97 2B",  # B23, total power
        "01 04 00 28 00 02 F1 C3",  # EM24, total power
        "01 03 01 44 00 02 85 E2",  # DPM-C530A, total power
        "01 10 00 00 00 02 04 04 7F 3E 80 D2 87",  # ACH580, run at 80 %
        "01 06 C3 4F 04 7C 87 78",  # FC 102, run
        "01 06 C3 59 20 00 7C 5D",  # FC 102, 50 %
        "01 03 C4 17 00 01 09 3E",  # FC 102, status
        "01 10 20 00 00 02 04 00 12 0F A0 CF E3",  # CP2000, run at 40 Hz
        "FE 04 00 03 00 01 D5 C5",  # Senseair S8
    ],
)
def test_rtu_requests_of_the_documents_are_taken_whole(frame: str) -> None:
    raw = bytes.fromhex(frame)
    buffer = bytearray(raw + b"\x01")

    assert decode_rtu(buffer) == Request(0, raw[0], raw[1:-2])
    assert buffer == b"\x01"
    assert encode_rtu(raw[0], raw[1:-2]) == raw


def test_a_request_in_pieces_waits_for_its_end() -> None:
    raw = bytes.fromhex("01 10 00 00 00 02 04 04 7F 3E 80 D2 87")
    buffer = bytearray()
    for byte in raw[:-1]:
        buffer.append(byte)
        assert decode_rtu(buffer) is None
    buffer.append(raw[-1])
    assert decode_rtu(buffer) is not None


def test_a_wrong_checksum_is_an_error() -> None:
    with pytest.raises(FrameError, match="CRC"):
        decode_rtu(bytearray.fromhex("01 04 00 00 00 02 71 CC"))


def test_checksum_of_the_serial_line_guide() -> None:
    # MODBUS over Serial Line V1.02, 6.2.2: 02 07 gives 41 12 on the wire
    assert crc16(b"\x02\x07").to_bytes(2, "little") == bytes.fromhex("41 12")


def test_two_requests_in_one_segment_are_two() -> None:
    buffer = bytearray.fromhex("00 07 00 00 00 06 01 03 00 00 00 0200 08 00 00 00 06 02 04 00 10 00 01")

    assert decode_mbap(buffer) == Request(7, 1, bytes.fromhex("03 00 00 00 02"))
    assert decode_mbap(buffer) == Request(8, 2, bytes.fromhex("04 00 10 00 01"))
    assert decode_mbap(buffer) is None


@pytest.mark.parametrize("head", ["00 01 00 01 00 06 01 03", "00 01 00 00 FF FF 01 03", "00 01 00 00 00 01 01 03"])
def test_another_protocol_or_length_is_an_error(head: str) -> None:
    with pytest.raises(FrameError):
        decode_mbap(bytearray.fromhex(head))


def test_mbap_answer() -> None:
    assert encode_mbap(7, 1, b"\x83\x02") == bytes.fromhex("00 07 00 00 00 03 01 83 02")
