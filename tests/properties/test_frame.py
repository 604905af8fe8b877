from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.history.block import BlockError, Columns, merge, pack, unpack
from controller.history.frame import FrameError, decode, encode
from drivers.reading import Readings

READING = st.tuples(
    st.integers(0, 2**31 - 1),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 255),
)

KEY = (7, 1_767_225_600_000_000_000, 3_600_000_000_000)


def batch(rows: list[tuple[int, float, int, int]], *, late: bool = False) -> Readings:
    return Readings(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.uint8),
        late,
    )


@given(st.lists(READING, max_size=200), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_a_frame_gives_back_every_bit(
    rows: list[tuple[int, float, int, int]], late: bool, imported: bool, generation: int
) -> None:
    readings = batch(rows, late=late)
    frame = decode(encode(readings, generation, imported=imported))
    assert frame.readings.point.tobytes() == readings.point.tobytes()
    assert frame.readings.value.tobytes() == readings.value.tobytes()
    assert frame.readings.time_ns.tobytes() == readings.time_ns.tobytes()
    assert frame.readings.quality.tobytes() == readings.quality.tobytes()
    assert (frame.readings.late, frame.imported, frame.generation) == (late, imported, generation)


@given(st.lists(READING, min_size=1, max_size=50), st.data())
def test_any_changed_bit_or_cut_of_a_frame_is_refused(
    rows: list[tuple[int, float, int, int]], data: st.DataObject
) -> None:
    whole = encode(batch(rows), 1)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        decode(bytes(changed))
    with pytest.raises(FrameError):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(FrameError):
        decode(data)
    with pytest.raises(BlockError):
        unpack(data, KEY)


@settings(max_examples=60)
@given(st.lists(READING, min_size=1, max_size=100, unique_by=lambda row: row[2]), st.data())
def test_a_block_gives_back_every_bit_and_refuses_changes(
    rows: list[tuple[int, float, int, int]], data: st.DataObject
) -> None:
    readings = batch(sorted(rows, key=lambda row: row[2]))
    whole = pack(Columns(readings.time_ns, readings.value, readings.quality), KEY)
    back = unpack(whole, KEY)
    assert back.time_ns.tobytes() == readings.time_ns.tobytes()
    assert back.value.tobytes() == readings.value.tobytes()
    assert back.quality.tobytes() == readings.quality.tobytes()
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BlockError):
        unpack(bytes(changed), KEY)


@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=20), max_size=5))
def test_merging_keeps_each_time_once_and_the_latest_part_wins(parts: list[list[tuple[int, int]]]) -> None:
    columns = [
        Columns(
            np.array([time for time, _ in part], np.int64),
            np.array([value for _, value in part], np.float64),
            np.zeros(len(part), np.uint8),
        )
        for part in parts
    ]
    expected: dict[int, float] = {}
    for part in parts:
        expected.update({time: float(value) for time, value in part})
    merged = merge(columns)
    assert dict(zip(merged.time_ns.tolist(), merged.value.tolist(), strict=True)) == expected
    assert merged.time_ns.tolist() == sorted(expected)
