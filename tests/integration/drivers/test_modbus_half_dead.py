"""A device of which one block is refused, garbled or silent for ever: visible, and no harm to the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from drivers.profile import Profile, parse_profile
from drivers.reading import Quality
from tests.services.modbus import Keeper, device, good, linked, register, rtu, serving, tcp

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[bytes], list[tuple[float, bytes]]]


def three_blocks(timeout_s: float = 0.1) -> Profile:
    """Registers 20, 30 and 40, each in a request of its own, with the bad one first."""
    return parse_profile(
        {
            "profile": {
                "id": "three-blocks", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m",
                "source": "this file", "wire": {"timeout_s": timeout_s},
            },
            "point": [
                {"tag": tag, "zh": tag, "en": tag, "wire": {"address": address}}
                for tag, address in (("twenty", 20), ("thirty", 30), ("forty", 40))
            ],
        },
        "three",
    )  # fmt: skip


def frame_of(frame: bytes, body: str, *, serial: bool) -> bytes:
    return rtu(body) if serial else tcp(frame, body)


def refused(frame: bytes, *, serial: bool) -> list[tuple[float, bytes]]:
    return [(0, frame_of(frame, "01 83 02", serial=serial))]


def garbled(frame: bytes, *, serial: bool) -> list[tuple[float, bytes]]:
    return [(0, b"\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad")]


def short(frame: bytes, *, serial: bool) -> list[tuple[float, bytes]]:
    return [(0, frame_of(frame, "01 03 01 14", serial=serial))]


def busy(frame: bytes, *, serial: bool) -> list[tuple[float, bytes]]:
    return [(0, frame_of(frame, "01 83 06", serial=serial))]


def silent(frame: bytes, *, serial: bool) -> list[tuple[float, bytes]]:
    return []


@pytest.mark.parametrize("serial", [False, True], ids=["tcp", "rtu"])
@pytest.mark.parametrize(
    ("fault", "quality", "said"),
    [
        (refused, Quality.BAD_CONFIG, "illegal address"),
        (garbled, Quality.BAD_CONFIG, ""),
        (short, Quality.BAD_CONFIG, "bytes"),
        (busy, Quality.BAD_COMM, "busy"),
        (silent, Quality.BAD_COMM, "no answer"),
    ],
)
async def test_one_bad_block_is_seen_and_the_others_are_good(
    fault: Callable[..., list[tuple[float, bytes]]], quality: Quality, said: str, serial: bool
) -> None:
    mended = False

    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        if register(frame) == 20 and not mended:
            return fault(frame, serial=serial)
        return [(0, frame_of(frame, good(frame), serial=serial))]

    sink = Keeper()
    begun = asyncio.get_running_loop().time()
    async with serving(answer, rtu=serial) as (server, endpoint):
        target = device(endpoint, made=three_blocks(), period_s=0.2)
        async with linked([target], sink) as link:

            def last(number: int) -> tuple[int, float] | None:
                for batch in reversed(sink.batches.get(target.id, [])):
                    for place, point in enumerate(batch.point.tolist()):
                        if point == number:
                            return int(batch.quality[place]), float(batch.value[place])
                return None

            health = link.health[target.id]
            await sink.until(lambda: (last(1) or (0, 0.0))[0] == quality)
            # Bad within three polls, and a poll more where the line had to be opened anew.
            assert health.polls <= 4
            await sink.until(lambda: last(2) == (Quality.GOOD, 30.0) and last(3) == (Quality.GOOD, 40.0))
            count = sink.count(target.id)
            await sink.until(lambda: sink.count(target.id) >= count + 3)
            assert last(2) == (Quality.GOOD, 30.0)
            assert last(3) == (Quality.GOOD, 40.0)
            assert health.state == "good"
            assert health.errors >= 3
            assert "twenty" in health.message
            assert said in health.message
            errors = health.errors
            count = sink.count(target.id)
            await sink.until(lambda: sink.count(target.id) >= count + 2)
            assert health.errors > errors
            if fault in (silent, busy):
                # It is left alone for some seconds, so that it does not cost the line its time-out at every poll.
                asked = sum(register(frame) == 20 for frame in server.requests)
                assert asked <= 4 + (asyncio.get_running_loop().time() - begun) / 2.0, "a loaded machine takes longer"
            mended = True
            await sink.until(lambda: last(1) == (Quality.GOOD, 20.0), 20.0)
            await sink.until(lambda: not health.message)
