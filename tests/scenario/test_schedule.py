"""Schedules over the simulated building: the machines stop and start by them, and run on by themselves without them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.journal.dump import dump_text
from controller.point.model import Name
from controller.schedule.engine import ScheduleEngine
from controller.schedule.schedule import SpecialPeriod
from controller.schedule.timetable import uses
from tests.virtual.building import VirtualBuilding

if TYPE_CHECKING:
    from controller.schedule.timetable import Timetable, Use

CITY = Path(__file__).parents[2] / "config" / "taipei-city-hall"
DEVICES = ["ahu-02f-w", "ahu-03f-w", "fcu-37", "fan05-drive"]
START_NS = 1_784_087_700_000_000_000
"""2026-07-15 11:55 in Taipei, a Wednesday."""
SECOND, THIRD = "cityhall.hvac.ahu_02f_w", "cityhall.hvac.ahu_03f_w"
MINUTE = 60


class Scheduled:
    """A building with its schedule engine, and an exception at noon on that day."""

    def __init__(self, building: VirtualBuilding) -> None:
        self.building = building
        noon = SpecialPeriod(
            "noon", Name("午休停機", "Off at noon"), ("office-west",), date(2026, 7, 15), date(2026, 7, 15),
            "unoccupied", 12 * 60, 12 * 60 + 20,
        )  # fmt: skip
        timetable = building.configuration.timetable
        self.timetable: Timetable = replace(timetable, exceptions={"noon": noon})
        self.engine = ScheduleEngine(
            timetable=lambda: self.timetable,
            used=self._used,
            site=lambda: building.configuration.site,
            arbiter=building.parts.arbiter,
            out=tuple,
            ready=lambda device: device in DEVICES,
            clock=building.clock,
            changed=lambda: None,
        )

    def _used(self, start_ns: int, end_ns: int) -> list[Use]:
        calendar = self.building.configuration.calendar
        return uses(calendar.all_bookings(start_ns, end_ns), calendar.venues)


async def test_air_handlers_stop_and_start_by_the_schedule_and_by_themselves_when_it_is_dead(tmp_path: Path) -> None:
    building = await VirtualBuilding.open(tmp_path, CITY, seed=7, start_ns=START_NS, devices=DEVICES)
    scheduled = Scheduled(building)
    scheduled.engine.look()
    task = asyncio.create_task(scheduled.engine.run())
    arbiter, fan_cmd = building.parts.arbiter, f"{SECOND}.fan_cmd"
    try:
        await building.run(4 * MINUTE, 10.0)
        assert building.value(f"{SECOND}.fan_run") == 1.0
        assert building.value(f"{SECOND}.zone_temp_sp") == 26.0
        assert building.value("cityhall.hvac.fcu_37.zone_temp_sp") == 25.0
        assert building.value("cityhall.carpark.fan05.speed") == pytest.approx(30.0, abs=0.5)

        await building.run(6 * MINUTE, 10.0)  # its own time table would run on until 17:30
        for address in (SECOND, THIRD):
            assert building.value(f"{address}.fan_run") == 0.0
            assert building.value(f"{address}.no_airflow") == 0.0, "told to stop is no fault"
        slot = arbiter.slots(fan_cmd)[14]
        assert slot is not None
        assert slot.reason.endswith("Office air, west wing: Off (exception Off at noon)")

        await building.run(17 * MINUTE, 10.0)
        assert building.value(f"{SECOND}.fan_run") == 1.0
        assert arbiter.present(fan_cmd) == (1.0, 15)

        # An operator stops it until he gives it back; then the schedule has it again.
        arbiter.request(fan_cmd, 8, 0.0, "operator", "belt")
        await building.run(3 * MINUTE, 10.0)
        assert building.value(f"{SECOND}.fan_run") == 0.0
        arbiter.request(fan_cmd, 8, None, "operator", "mended")
        await building.run(3 * MINUTE, 10.0)
        assert building.value(f"{SECOND}.fan_run") == 1.0
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    # Nobody looks any more: the lease runs out, the slots are empty, and nothing new is sent.
    await building.run(4 * MINUTE, 10.0)
    assert arbiter.slots(fan_cmd) == (None,) * 16
    assert building.value(f"{SECOND}.fan_run") == 1.0
    assert building.cycle.counts.faults == 0
    await building.close()

    lines = [line for line in dump_text(tmp_path / "state.db").decode().splitlines() if '"owner":"schedule"' in line]
    sent = [line for line in lines if f'"point":"{fan_cmd}"' in line and '"state":"pending"' in line]
    assert len(sent) == 3, "on, off at noon, on again: each once, however often it was looked at"
    assert not any('"state":"failed"' in line or '"state":"unknown"' in line for line in lines)
