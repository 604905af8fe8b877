"""What an OPC UA profile may say, and what it may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivers.driver import Device
from drivers.errors import ProfileError
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.node import family, parse_nodes, resolve
from drivers.profile import Profile, parse_profile


class StandingClock:
    def now_ns(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


def profile(point: dict[str, Any], wire: dict[str, Any] | None = None, **head: Any) -> Profile:
    rows = [{"tag": "temp", "zh": "溫度", "en": "Temperature", **point}]
    first = {
        "id": "one", "equipment": "ahu", "protocol": "opcua", "vendor": "v", "model": "m", "source": "test",
        "wire": {"namespace": "urn:x:y"} if wire is None else wire, **head,
    }  # fmt: skip
    return parse_profile({"profile": first, "point": rows}, "one.toml")


def device(of: Profile, **options: Any) -> Device:
    return Device("ahu-1", of, "opc.tcp://127.0.0.1:1", np.zeros(len(of.points), np.int32), options=options)


GOOD = {"node": "{node_prefix}/T", "type": "Double"}


def test_opcua_node_is_read_with_its_defaults() -> None:
    (node,) = parse_nodes(profile({"wire": GOOD})).nodes
    assert (node.namespace, node.type, node.deadband, node.scale, node.sampling_ms) == (
        "urn:x:y",
        "Double",
        0.0,
        1.0,
        None,
    )
    assert resolve(node, device(profile({"wire": GOOD}), node_prefix="AHU/01F-W")) == "AHU/01F-W/T"


def test_opcua_numeric_identifier() -> None:
    one = profile({"wire": {"node": "i=2258", "type": "UInt32"}})
    assert resolve(parse_nodes(one).nodes[0], device(one)) == 2258


@pytest.mark.parametrize(
    ("point", "wire", "message"),
    [
        ({"wire": GOOD}, {}, r"profile\.wire\.namespace: got None"),
        ({"wire": GOOD}, {"namespace": "nope"}, "wanted the URI"),
        ({"wire": GOOD}, {"namespace": "urn:x", "alife": "temp"}, r"alife: unknown key"),
        ({"wire": GOOD}, {"namespace": "urn:x", "alive": "watchdog"}, "'watchdog' is no point"),
        ({"wire": {"type": "Double"}}, None, r"wire\.node: got None"),
        ({"wire": {"node": "{a", "type": "Double"}}, None, r"wire\.node"),
        ({"wire": {"node": "T"}}, None, r"wire\.type: got None"),
        ({"wire": {"node": "T", "type": "String"}}, None, "got 'String', wanted one of Boolean"),
        ({"wire": GOOD | {"deadband": -1}}, None, r"deadband: got -1"),
        ({"wire": GOOD | {"deadband": True}}, None, r"deadband: got True"),
        ({"wire": GOOD | {"scale": 0}}, None, r"scale: got 0"),
        ({"wire": GOOD | {"sampling_ms": 1}}, None, r"sampling_ms: got 1"),
        ({"wire": GOOD | {"sampling": 100}}, None, r"wire\.sampling: unknown key"),
        ({"kind": "binary", "wire": GOOD}, None, "a binary point cannot be a Double"),
        ({"kind": "binary", "wire": {"node": "T", "type": "Boolean", "deadband": 1}}, None, "a Boolean has none"),
    ],
)
def test_opcua_wrong_profile_is_refused_with_its_key(
    point: dict[str, Any], wire: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        parse_nodes(profile(point, wire))


@pytest.mark.parametrize("options", [{}, {"node_prefix": ""}, {"node_prefix": True}, {"node_prefix": 1.5}])
def test_opcua_missing_option_is_named_with_the_device(options: dict[str, Any]) -> None:
    one = profile({"wire": GOOD})
    with pytest.raises(ProfileError, match=r"device ahu-1: point 'temp'.*node_prefix"):
        resolve(parse_nodes(one).nodes[0], device(one, **options))


def test_opcua_types_fall_into_three_families() -> None:
    assert [family(kind) for kind in ("Boolean", "Byte", "Enumeration", "Float")] == [
        "boolean",
        "integer",
        "integer",
        "float",
    ]


def test_opcua_devices_of_one_connection_must_agree() -> None:
    one = profile({"wire": {"node": "T", "type": "Double"}})
    first = device(one)
    for other, message in (
        (Device("b", one, "opc.tcp://127.0.0.1:2", first.numbers), "different endpoints"),
        (Device("b", one, first.endpoint, first.numbers, secrets={"user": "x"}), "different secrets"),
        (
            Device("b", one, first.endpoint, first.numbers, options={"security": "none"}),
            "different secrets or security",
        ),
    ):
        with pytest.raises(ProfileError, match=message):
            OpcUaDriver([first, other], StandingClock())
    with pytest.raises(ProfileError, match="option security: got 'off'"):
        OpcUaDriver([device(one, security="off")], StandingClock())
    with pytest.raises(ProfileError, match="at least one device"):
        OpcUaDriver([], StandingClock())
