"""Many look, one fetches: pictures are shared, kept for a second, and never more than a few are under way."""

from __future__ import annotations

import asyncio

import pytest

from controller.clock import VirtualClock
from controller.errors import UnavailableError
from controller.security.snapshot import AT_ONCE, KEEP_FAILURE_S, KEEP_S, WAITING, Snapshots
from drivers.errors import DeviceTimeoutError
from drivers.picture import Picture


class Cameras:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.under_way = self.most = 0
        self.go = asyncio.Event()
        self.fail = False

    async def fetch(self, device: str) -> Picture:
        self.asked.append(device)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
            if self.fail:
                raise DeviceTimeoutError(f"{device}: dark")
            return Picture(device.encode(), 1)
        finally:
            self.under_way -= 1


async def test_those_who_ask_together_share_one_fetch_and_the_second_after_it() -> None:
    clock, cameras = VirtualClock(0), Cameras()
    snapshots = Snapshots(cameras.fetch, clock)
    asking = [asyncio.create_task(snapshots.get("cam1")) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    cameras.go.set()
    answers = await asyncio.gather(*asking[1:])
    assert [picture.data for picture, _ in answers if picture] == [b"cam1"] * 4
    assert cameras.asked == ["cam1"], "whoever leaves does not take it from the others"
    await snapshots.get("cam1")
    assert cameras.asked == ["cam1"]
    await clock.advance(KEEP_S + 0.01)
    await snapshots.get("cam1")
    assert cameras.asked == ["cam1", "cam1"]


async def test_a_dark_camera_is_left_in_peace_for_a_while() -> None:
    clock, cameras = VirtualClock(0), Cameras()
    cameras.fail = True
    cameras.go.set()
    snapshots = Snapshots(cameras.fetch, clock)
    assert await snapshots.get("cam1") == (None, "cam1: dark")
    await clock.advance(KEEP_FAILURE_S - 0.1)
    assert await snapshots.get("cam1") == (None, "cam1: dark")
    assert len(cameras.asked) == 1
    assert (snapshots.fetched, snapshots.failed) == (0, 1)


async def test_a_crowd_is_served_in_turn_and_bounded() -> None:
    clock, cameras = VirtualClock(0), Cameras()
    snapshots = Snapshots(cameras.fetch, clock)
    asking = [asyncio.create_task(snapshots.get(f"cam{n}")) for n in range(WAITING)]
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="ask again"):
        await snapshots.get("one too many")
    cameras.go.set()
    await asyncio.gather(*asking)
    assert cameras.most == AT_ONCE
