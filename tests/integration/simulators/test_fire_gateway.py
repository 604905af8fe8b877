"""The fire panel's gateway over a real socket: it is read, it refuses every write, and it notes who tried.

Frames typed by hand from the site standard: function 3 alone, any write is answered with exception 1.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from controller.clock import SystemClock
from controller.share import share_dir
from drivers.driver import Device
from drivers.errors import NotWritableError
from drivers.modbus.driver import ModbusDriver, modbus_driver
from drivers.profile import load_profile
from simulators.ledger import Ledger
from simulators.plant.device import Occurrence
from simulators.site import SimulatedSite, read_site
from simulators.wire.record import recording, writes_of
from simulators.world import World
from tests.integration.simulators.test_modbus_endpoint import Connect, listening

START_NS = 1_784_088_000_000_000_000
PROFILE = share_dir("config") / "profiles" / "fire-panel" / "site-standard-fire.toml"


@pytest.fixture(scope="module")
def site() -> SimulatedSite:
    whole = read_site(Path(__file__).parents[3] / "config" / "taipei-city-hall")
    return replace(whole, devices=tuple(row for row in whole.devices if row.id.startswith("fire-")))


async def test_the_gateway_shows_the_panel_and_answers_every_write_with_exception_one(
    site: SimulatedSite, master: Connect
) -> None:
    world = World(site, 1, START_NS, warm=False)
    ledger = Ledger()
    record = recording(ledger, lambda: world.time_ns)
    async with listening(world, record) as (board, lines):
        line = next(line for line in lines if line.endpoint.endswith("9.10:502"))
        world.devices["fire-panel"].occurrences.append(Occurrence(0, "fire", {"zone": "12", "detector": "7"}))
        world.step(1.0)
        board.step()
        client = await master(line.port)
        # Zone 12 is register 111, its first detector 211; panel bits: fire and evacuation.
        assert await client.ask("00 01 00 00 00 06 01 03 00 01 00 03", 15) == (
            "00 01 00 00 00 09 01 03 06 00 41 00 01 00 00"
        )
        assert await client.ask("00 02 00 00 00 06 01 03 00 6F 00 01", 11) == "00 02 00 00 00 05 01 03 02 00 02"
        assert await client.ask("00 03 00 00 00 06 01 03 00 D3 00 01", 11) == "00 03 00 00 00 05 01 03 02 00 07"
        assert writes_of(ledger, "fire-panel") == []

        assert await client.ask("00 04 00 00 00 06 01 06 00 01 00 00", 9) == "00 04 00 00 00 03 01 86 01"
        assert await client.ask("00 05 00 00 00 09 01 10 00 6F 00 01 02 00 00", 9) == "00 05 00 00 00 03 01 90 01"
        assert await client.ask("00 06 00 00 00 06 01 05 00 01 FF 00", 9) == "00 06 00 00 00 03 01 85 01"
        tried = writes_of(ledger, "fire-panel")
        assert [(entry["quantity"], entry["accepted"]) for entry in tried] == [
            ("register 1", False), ("register 111", False), ("register 1", False)
        ]  # fmt: skip
        assert world.devices["fire-panel"].state["zone_12_state"] == 2.0


async def test_the_driver_reads_all_of_the_panel_and_lets_no_write_leave(site: SimulatedSite) -> None:
    world = World(site, 1, START_NS, warm=False)
    ledger = Ledger()
    async with listening(world, recording(ledger, lambda: world.time_ns)) as (_, lines):
        line = next(line for line in lines if line.endpoint.endswith("9.10:502"))
        profile = load_profile(PROFILE)
        numbers = np.arange(len(profile.points), dtype=np.int32)
        device = Device("fire-panel", profile, f"tcp://127.0.0.1:{line.port}", numbers, period_s=0.5)
        driver = modbus_driver([device], SystemClock())
        await driver.connect()
        batch = await driver.poll(device)
        assert len(batch) == len(profile.points)
        assert not batch.quality.any()
        for tag in ("fire", "silenced", "zone_12_state", "floor_06_smoke_fan"):
            with pytest.raises(NotWritableError):
                await driver.write(device, tag, 0.0)
        assert not isinstance(driver, ModbusDriver)
        assert not hasattr(driver._connection, "write")
        for write in (
            "05 00 01 FF 00",
            "06 00 01 00 00",
            "0F 00 01 00 01 01 01",
            "10 00 01 00 01 02 00 00",
            "16 00 01",
        ):
            with pytest.raises(NotWritableError, match="was not sent"):
                await driver._connection.read(1, bytes.fromhex(write), 1, 1.0)
        await driver.close()
    assert writes_of(ledger, "fire-panel") == []
    assert ledger.written_total == 0
    assert math.isfinite(float(batch.value.sum()))
