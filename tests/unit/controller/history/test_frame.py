from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from controller.history.block import BlockError, Columns, Summary, pack, seal, summarise, unpack
from controller.history.frame import MAX_READINGS, FrameError, decode, encode
from drivers.reading import Readings

T0 = 1_767_225_600_000_000_000

# Written by version 1; later releases must read them.
FRAME_V1 = bytes.fromhex(
    "53465546010300002a000000030000000000faed5172861814c395a57801edfd09801c45f9bf81f76637d7249b0440454552"
    "042009cc2ebb9b3b8124bbb9211749b80485de99de9d2633d343f74c368b08f15651c1fb5654c45b51f1160d898a3778df1a"
    "4505ef20aaa090fdff9ff7ad9ea9dddd70fafdfdbebfffdfcd6667babbaaea7ddf7aebad4fbdf55675b3e77995239a3c3ed3"
    "9f26f9eb79ff1ad21f6ff8cf1ecf5b70afb7f2aa3ddeb357fe7f0030ef0c2b"
)
BLOCK_V1 = bytes.fromhex(
    "0155c01c951d0000002f00000070636f210300c10401040200000010000000d06f8f9233c42c0040510070636f210300c104"
    "0106020000003200080000000000b00618000000000000700d3000000000000000fc7f00180000785e636068020000850083"
)

KEY = (7, 1_767_225_600_000_000_000, 3_600_000_000_000)


def sample(*, late: bool = False) -> Readings:
    return Readings(
        np.array([3, 70000, 3], np.int32),
        np.array([21.5, np.nan, -0.0]),
        np.array([T0, T0 + 1, T0 - 5]),
        np.array([0, 130, 64], np.uint8),
        late,
    )


def assert_same(a: Readings, b: Readings) -> None:
    assert a.point.tolist() == b.point.tolist()
    assert a.value.tobytes() == b.value.tobytes()
    assert a.time_ns.tolist() == b.time_ns.tolist()
    assert a.quality.tolist() == b.quality.tolist()
    assert a.late == b.late


def test_a_frame_of_version_1_is_read() -> None:
    frame = decode(FRAME_V1)
    assert_same(frame.readings, sample(late=True))
    assert frame.generation == 42
    assert frame.imported


def test_a_block_of_version_1_is_read() -> None:
    columns = unpack(BLOCK_V1, KEY)
    assert columns.time_ns.tolist() == [T0, T0 + 10, T0 + 20]
    assert columns.value[:2].tolist() == [21.5, 21.75]
    assert np.isnan(columns.value[2])
    assert columns.quality.tolist() == [0, 0, 130]


def test_newer_version_and_other_files_are_refused_by_name() -> None:
    newer = bytearray(FRAME_V1)
    newer[4] = 2
    with pytest.raises(FrameError, match="version 2"):
        decode(bytes(newer))
    with pytest.raises(FrameError, match="begins with"):
        decode(b"SQLite format 3\0" * 4)
    with pytest.raises(FrameError, match="header alone"):
        decode(b"")
    other = bytearray(BLOCK_V1)
    other[0] = 9
    with pytest.raises(BlockError, match="version 9"):
        unpack(bytes(other), KEY)


def test_empty_batch_and_times_at_the_ends_of_int64() -> None:
    empty = Readings(np.empty(0, np.int32), np.empty(0), np.empty(0, np.int64), np.empty(0, np.uint8))
    assert len(decode(encode(empty, 0)).readings) == 0
    ends = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max, 0, -1])
    batch = Readings(
        np.arange(4, dtype=np.int32), np.array([np.inf, -np.inf, 5e-324, 1e308]), ends, np.zeros(4, np.uint8)
    )
    assert_same(decode(encode(batch, 2**32 - 1)).readings, batch)


def test_too_many_readings_are_refused() -> None:
    n = MAX_READINGS + 1
    big = Readings(np.zeros(n, np.int32), np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.uint8))
    with pytest.raises(ValueError, match="up to 1000000"):
        encode(big, 0)


def test_block_of_one_reading() -> None:
    one = Columns(np.array([T0]), np.array([np.nan]), np.array([128], np.uint8))
    back = unpack(pack(one, KEY), KEY)
    assert back.time_ns.tolist() == [T0]
    assert back.quality.tolist() == [128]


def test_a_block_belongs_to_its_key_alone() -> None:
    one = Columns(np.array([T0]), np.array([21.5]), np.array([0], np.uint8))
    with pytest.raises(BlockError, match="belong elsewhere"):
        unpack(pack(one, KEY), (8, *KEY[1:]))


def test_the_seal_sees_every_aggregate() -> None:
    summary = summarise(Columns(np.array([T0, T0 + 1]), np.array([21.5, -0.0]), np.array([0, 0], np.uint8)))
    good = seal(KEY, summary)
    assert good == seal(KEY, replace(summary, last=0.0, minimum=0.0, last_value=0.0)), "SQLite keeps -0.0 as 0"
    for item in fields(Summary):
        assert seal(KEY, replace(summary, **{item.name: getattr(summary, item.name) + 1})) != good, item.name
    assert seal((*KEY[:2], 1), summary) != good
