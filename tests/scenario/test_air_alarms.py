"""What goes wrong in the air raises one alarm at its own element, and the act's means are those of the act.

In virtual time over the plant in memory: no sockets, hours in seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.rule.engine import RuleEngine
from controller.settings.load import load
from drivers.reading import Quality, Readings
from simulators.plant.device import Occurrence
from tests.virtual.building import VirtualBuilding

if TYPE_CHECKING:
    from collections.abc import Callable

CITY = Path(__file__).parents[2] / "config" / "taipei-city-hall"
MORNING_NS = 1_784_080_800_000_000_000
"""2026-07-15 02:00 UTC: a Wednesday in Taipei, 10:00."""
CR = "cityhall.hvac.control_room"


async def opened(folder: Path, *devices: str) -> VirtualBuilding:
    building = await VirtualBuilding.open(folder, CITY, seed=1, start_ns=MORNING_NS, devices=devices)
    await building.run(60.0, 5.0)
    return building


def active(building: VirtualBuilding) -> set[str]:
    """Alarms of the air; the rest of the building is silent here, and says so in time."""
    return {
        alarm.id for alarm in building.parts.alarms.active() if not alarm.id.startswith(("cityhall.fire.", "fire#"))
    }


def happen(building: VirtualBuilding, device: str, what: str) -> Callable[[], None]:
    return lambda: building.world.devices[device].occurrences.append(Occurrence(building.world.time_ns, what))


async def test_a_fan_that_trips_raises_one_alarm_at_its_machine(tmp_path: Path) -> None:
    building = await opened(tmp_path, "ahu-05f-sw", "ahu-06f-sw")
    assert not active(building)
    await building.run(300.0, 5.0, {0.0: happen(building, "ahu-05f-sw", "fan_trip")})
    assert active(building) == {"cityhall.hvac.ahu_05f_sw.fan_fault#state"}
    await building.close()


async def test_a_lost_belt_is_found_by_the_airflow_proof_and_a_machine_switched_off_is_not(tmp_path: Path) -> None:
    building = await opened(tmp_path, "ahu-05f-sw", "ahu-06f-sw")
    script: dict[float, Callable[[], object]] = {
        0.0: happen(building, "ahu-05f-sw", "belt_off"),
        1.0: lambda: building.world.devices["ahu-06f-sw"].write("mode", 0.0),
    }
    await building.run(85.0, 5.0, script)
    assert not active(building)
    await building.run(120.0, 5.0)
    assert active(building) == {"cityhall.hvac.ahu_05f_sw.no_airflow#state"}
    assert building.value("cityhall.hvac.ahu_06f_sw.no_airflow") == 0.0
    await building.close()


async def test_the_control_room_survives_one_machine_and_cries_without_both(tmp_path: Path) -> None:
    building = await opened(tmp_path, "ahu-cr-1", "ahu-cr-2")
    await building.run(1200.0, 10.0, {0.0: happen(building, "ahu-cr-1", "fan_trip")})
    assert active(building) == {"cityhall.hvac.ahu_cr_1.fan_fault#state"}
    assert building.value(f"{CR}.cooling_lost") == 0.0
    assert building.value(f"{CR}.room_temp") < 26.0
    await building.run(90.0, 5.0, {0.0: happen(building, "ahu-cr-2", "fan_trip")})
    assert f"{CR}.cooling_lost#state" in active(building)
    # No longer steps: a virtual point that is not given anew for 30 s is old, and a delay begins anew.
    await building.run(40 * 60.0, 20.0)
    assert {f"{CR}.room_temp#high", f"{CR}.cooling_lost#state"} <= active(building)
    priority = {alarm.id: alarm.priority for alarm in building.configuration.alarms}
    assert priority[f"{CR}.cooling_lost#state"] == priority[f"{CR}.room_temp#high_high"] == 1
    assert priority[f"{CR}.room_temp#high"] == 2
    await building.close()


async def test_one_dead_sensor_of_the_control_room_leaves_its_temperature_known(tmp_path: Path) -> None:
    building = await opened(tmp_path, "ahu-cr-1", "ahu-cr-2")
    building.deaf.add("ahu-cr-1")
    await building.run(120.0, 5.0)
    number = building.configuration.site.points[f"{CR}.room_temp"].number
    assert building.parts.table.quality[number] == Quality.GOOD
    assert "ahu-cr-1#communication" in active(building)
    await building.close()


async def test_a_zone_is_too_warm_only_when_its_machine_has_run_for_an_hour(tmp_path: Path) -> None:
    building = await opened(tmp_path, "ahu-05f-sw")
    unit = building.world.devices["ahu-05f-sw"]

    def stay(building: VirtualBuilding) -> None:
        building.world.zones.air[16] = 29.5
        unit.state.place("zone_temp")[0][unit.state.place("zone_temp")[1:]] = 29.5

    for minute in range(70):
        stay(building)
        await building.clock.advance(60.0)
        building.cycle.step()
        wanted = {"cityhall.hvac.ahu_05f_sw.comfort#state"} if minute > 61 else set()
        assert active(building) >= wanted
        if minute < 55:
            assert "cityhall.hvac.ahu_05f_sw.comfort#state" not in active(building)
    await building.close()


MEANS = [
    # equipment, tag of the reading, its value, hours, tag of the mean, what it must be
    ("iaq05", "co2", 1100.0, 8, "co2_8h", 1100.0),
    ("iaq05", "co", 12.0, 8, "co_8h", 12.0),
    ("iaq05", "o3", 70.0, 8, "o3_8h", 0.070),
    ("iaq05", "hcho", 90.0, 1, "hcho_1h", 0.090),
    ("iaq05", "tvoc", 600.0, 1, "tvoc_1h", 0.600),
    ("iaq05", "pm25", 40.0, 24, "pm25_24h", 40.0),
    ("iaq05", "pm10", 80.0, 24, "pm10_24h", 80.0),
    ("env005", "hcho", 0.1, 1, "hcho_1h", 0.0814),
    ("env005", "pm10", 80.0, 24, "pm10_24h", 80.0),
    ("wall03", "co2", 1200.0, 8, "co2_8h", 1200.0),
]


def test_each_mean_of_the_act_is_judged_over_its_own_time() -> None:
    clock = VirtualClock(MORNING_NS)
    site = load(CITY, Registry(), clock=clock)
    points = site.site.points
    table, rules = PointTable(site.site, clock), RuleEngine(site.rules, site.site, clock)
    alarms = AlarmEngine(site.alarms, clock, lambda _: None)
    address = {row: f"cityhall.environment.{row[0]}" for row in MEANS}
    number = np.array([points[f"{address[row]}.{row[1]}"].number for row in MEANS], np.int32)
    over = np.array([row[2] for row in MEANS])

    def look(value: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, tuple[float, bool]]:
        now = np.full(len(number), clock.now_ns(), np.int64)
        table.apply(Readings(number, value, now, np.zeros(len(number), np.uint8)))
        virtual = rules.evaluate(table)
        alarms.check(virtual.point, virtual.value, virtual.quality)
        alarms.tick()
        table.apply(virtual)
        raised = {alarm.id for alarm in alarms.active() if alarm.state.state == "unacknowledged"}
        found = {}
        for row in MEANS:
            mean = points[f"{address[row]}.{row[4]}"].number
            known = table.quality[mean] == Quality.GOOD
            found[f"{row[0]}.{row[4]}"] = (
                float(table.value[mean]) if known else np.nan,
                f"{address[row]}.{row[4]}#high" in raised,
            )
        return found

    seen = {}
    step_s = 300.0
    for turn in range(round(24 * 3600.0 / step_s) + 1):
        seen[turn * step_s / 3600.0] = look(over)
        clock.move(step_s)
    for name, _, value, hours, mean, wanted in MEANS:
        what = f"{name}.{mean} of {value}"
        early, late = seen[hours / 2 - 1 / 12][f"{name}.{mean}"], seen[float(hours)][f"{name}.{mean}"]
        assert np.isnan(early[0]), f"{what}: less than half of its time is known"
        assert not early[1], what
        assert late[0] == pytest.approx(wanted, rel=0.01), what
        assert late[1], f"{what}: no alarm"
    # Half the time at nothing halves the mean, and the alarm is over.
    clean = {}
    for turn in range(round(12 * 3600.0 / step_s) + 1):
        clean[turn * step_s / 3600.0] = look(over * 0.0)
        clock.move(step_s)
    for name, _, _, hours, mean, wanted in MEANS:
        value, raised = clean[hours / 2][f"{name}.{mean}"]
        assert value == pytest.approx(wanted / 2.0, rel=0.1), f"{name}.{mean}"
        assert not raised, f"{name}.{mean}"


async def test_a_failed_sensor_of_a_station_is_one_alarm_and_its_mean_becomes_unknown(tmp_path: Path) -> None:
    building = await opened(tmp_path, "iaq02-station")
    table, row, column = building.world.devices["iaq02-station"].state.place("sensor_faults")
    table[row, column] = 8.0
    for _ in range(6):
        await building.clock.advance(20.0)
        building.cycle.step()
    assert active(building) == {"cityhall.environment.iaq02.sensor_faults#high"}
    assert np.isfinite(building.value("cityhall.environment.iaq02.co2"))
    await building.close()
