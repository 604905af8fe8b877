"""site-standard-ahu: node names, types, ranges and who may write, typed from the site standard's table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.driver import Device
from drivers.opcua.node import parse_nodes, resolve
from drivers.profile import load_profile

PROFILE = load_profile(Path(__file__).parents[2] / "config/profiles/ahu/site-standard-ahu.toml")

TABLE = [
    ("supply_air_temp", "SupplyAirTemp", "Double", "°C", None),
    ("return_air_temp", "ReturnAirTemp", "Double", "°C", None),
    ("mixed_air_temp", "MixedAirTemp", "Double", "°C", None),
    ("outdoor_air_temp", "OutdoorAirTemp", "Double", "°C", None),
    ("supply_air_temp_sp", "SupplyAirTempSp", "Double", "°C", (12, 26)),
    ("supply_static_pressure", "SupplyStaticPressure", "Double", "Pa", None),
    ("supply_static_pressure_sp", "SupplyStaticPressureSp", "Double", "Pa", (0, 800)),
    ("return_co2", "ReturnCO2", "Double", "ppm", None),
    ("return_humidity", "ReturnHumidity", "Double", "%", None),
    ("chw_valve_cmd", "ChwValveCmd", "Double", "%", (0, 100)),
    ("chw_valve_position", "ChwValvePosition", "Double", "%", None),
    ("zone_temp", "ZoneTemp", "Double", "°C", None),
    ("zone_temp_sp", "ZoneTempSp", "Double", "°C", (18, 28)),
    ("filter_dp", "FilterDP", "Double", "Pa", None),
    ("filter_dirty", "FilterDirty", "Boolean", "", None),
    ("freeze_stat", "FreezeStat", "Boolean", "", None),
    ("smoke_damper_closed", "SmokeDamperClosed", "Boolean", "", None),
    ("fan_run", "FanRun", "Boolean", "", None),
    ("fan_fault", "FanFault", "Boolean", "", None),
    ("fan_cmd", "FanCmd", "Boolean", "", (0, 1)),
    ("fan_speed_cmd", "FanSpeedCmd", "Double", "%", (25, 100)),
    ("outdoor_damper_cmd", "OutdoorDamperCmd", "Double", "%", (0, 100)),
    ("outdoor_damper_position", "OutdoorDamperPosition", "Double", "%", None),
    ("mode", "Mode", "Enumeration", "", (0, 2)),
    ("watchdog", "Watchdog", "UInt32", "", None),
    ("controller_alive", "ControllerAlive", "UInt32", "", None),
]


@pytest.mark.parametrize(("tag", "name", "kind", "unit", "write"), TABLE)
def test_ahu_point_is_where_the_standard_says(
    tag: str, name: str, kind: str, unit: str, write: tuple[float, float] | None
) -> None:
    point = PROFILE.point(tag)
    node = parse_nodes(PROFILE).nodes[PROFILE.index(tag)]
    device = Device(
        "a", PROFILE, "opc.tcp://x", np.zeros(len(PROFILE.points), np.int32), options={"node_prefix": "AHU/01F-W"}
    )
    assert resolve(node, device) == f"AHU/01F-W/{name}"
    assert (node.type, point.unit, node.namespace) == (kind, unit, "urn:taipei-city-hall:ddc")
    assert ((point.write.low, point.write.high) if point.write else None) == write
    assert (point.kind == "binary") == (kind == "Boolean")


def test_ahu_has_every_point_of_the_table_and_its_two_watchdogs() -> None:
    assert [point.tag for point in PROFILE.points] == [row[0] for row in TABLE]
    assert parse_nodes(PROFILE).alive == PROFILE.index("watchdog")
    assert PROFILE.keepalive is not None
    assert (PROFILE.keepalive.tag, PROFILE.keepalive.every_s, PROFILE.keepalive.mode) == (
        "controller_alive",
        30.0,
        "count",
    )


def test_ahu_falls_back_by_itself_and_fire_is_never_written() -> None:
    written = [point for point in PROFILE.points if point.write]
    assert {point.write.fail for point in written if point.write} == {"watchdog"}
    mode = PROFILE.point("mode")
    assert mode.write is not None
    assert mode.write.high < 3
    assert {value: en for value, _, en in mode.states}[3] == "fire"
