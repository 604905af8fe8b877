"""site-standard-lift: node names, types, states and who may write, typed from the site standard's text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.driver import Device
from drivers.equipment import check_profile
from drivers.opcua.node import parse_nodes, resolve
from drivers.profile import load_profile
from simulators.wire.lift import NAMESPACE, NODES

PROFILE = load_profile(Path(__file__).parents[2] / "config/profiles/lift/site-standard-lift.toml")

TABLE = [
    ("position", "Position", "Int16", None),
    ("direction", "Direction", "Int32", None),
    ("door", "Door", "Int32", None),
    ("load", "Load", "Double", None),
    ("mode", "Mode", "Int32", None),
    ("passenger_alarm", "PassengerAlarm", "Boolean", None),
    ("entrapment", "Entrapment", "Boolean", None),
    ("fault_code", "FaultCode", "UInt32", None),
    ("trips", "Trips", "UInt32", None),
    ("run_hours", "RunHours", "Double", None),
    ("door_cycles", "DoorCycles", "UInt32", None),
    ("energy", "Energy", "Double", None),
    ("park_floor", "ParkFloor", "Int16", (-3, 12)),
    ("service_request", "ServiceModeRequest", "Boolean", (0, 1)),
]


@pytest.mark.parametrize(("tag", "name", "kind", "write"), TABLE)
def test_lift_point_is_where_the_standard_says(
    tag: str, name: str, kind: str, write: tuple[float, float] | None
) -> None:
    point = PROFILE.point(tag)
    assert point.wire["node"] == f"{{node_prefix}}/{name}"
    assert point.wire["type"] == kind
    assert (None if point.write is None else (point.write.low, point.write.high)) == write


def test_lift_states_are_those_of_the_standard() -> None:
    check_profile(PROFILE)
    names = {tag: [en for _, _, en in PROFILE.point(tag).states] for tag in ("direction", "door", "mode")}
    assert names == {
        "direction": ["none", "up", "down"],
        "door": ["closed", "opening", "open", "closing", "fault"],
        "mode": ["normal", "inspection", "fire recall", "firefighter", "independent", "out of service", "earthquake",
                 "power fail"],
    }  # fmt: skip
    assert [value for value, _, _ in PROFILE.point("position").states] == [-3, -2, -1, *range(1, 13)]


def test_every_node_of_the_profile_is_one_of_the_server_and_only_the_commands_can_be_written() -> None:
    device = Device("l", PROFILE, "opc.tcp://127.0.0.1:4840", np.arange(14, dtype=np.int32),
                    options={"node_prefix": "Lift/L01"})  # fmt: skip
    served = {f"Lift/L01/{node.name}": node for node in NODES}
    nodes = parse_nodes(PROFILE).nodes
    assert {resolve(node, device) for node in nodes} == set(served)
    for node in nodes:
        other = served[str(resolve(node, device))]
        assert (node.namespace, node.type) == (NAMESPACE, other.kind)
        assert other.writable == (PROFILE.point(node.tag).write is not None)
