"""site-standard-fcu: node names, types, ranges and who may write, typed from the site standard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.driver import Device
from drivers.equipment import check_profile
from drivers.opcua.node import parse_nodes, resolve
from drivers.profile import load_profile

PROFILE = load_profile(Path(__file__).parents[2] / "config/profiles/fcu/site-standard-fcu.toml")
TABLE = [
    ("zone_temp", "ZoneTemp", "Double", "°C", None),
    ("zone_temp_sp", "ZoneTempSp", "Double", "°C", (18, 28)),
    ("fan_speed", "FanSpeed", "Enumeration", "", None),
    ("valve_open", "ValveOpen", "Boolean", "", None),
    ("occupied", "Occupied", "Boolean", "", None),
]


@pytest.mark.parametrize(("tag", "name", "kind", "unit", "write"), TABLE)
def test_fcu_point_is_where_the_standard_says(
    tag: str, name: str, kind: str, unit: str, write: tuple[float, float] | None
) -> None:
    point = PROFILE.point(tag)
    node = parse_nodes(PROFILE).nodes[PROFILE.index(tag)]
    device = Device(
        "f", PROFILE, "opc.tcp://x", np.zeros(len(PROFILE.points), np.int32), options={"node_prefix": "FCU/07"}
    )
    assert resolve(node, device) == f"FCU/07/{name}"
    assert (node.type, point.unit, node.namespace) == (kind, unit, "urn:taipei-city-hall:ddc")
    assert ((point.write.low, point.write.high) if point.write else None) == write


def test_fcu_has_every_point_of_the_standard_and_four_fan_speeds() -> None:
    check_profile(PROFILE)
    assert [point.tag for point in PROFILE.points] == [row[0] for row in TABLE]
    assert [value for value, _, _ in PROFILE.point("fan_speed").states] == [0, 1, 2, 3]
    # It has no watchdog: it keeps what it was told, and nobody writes a heartbeat to it.
    assert PROFILE.keepalive is None
    assert PROFILE.point("zone_temp_sp").write is not None
    assert PROFILE.point("zone_temp_sp").write.fail == "hold"  # type: ignore[union-attr]
