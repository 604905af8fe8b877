"""What a Modbus driver refuses before it opens anything."""

from __future__ import annotations

import numpy as np
import pytest

from controller.clock import VirtualClock
from drivers.driver import Device, PolledDriver
from drivers.errors import ProfileError
from drivers.modbus.client import parse_endpoint, read_request
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.station import planned
from drivers.modbus.writer import write_request
from drivers.profile import Profile, parse_profile


def profile() -> Profile:
    head = {"id": "test", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}
    points = [{"tag": tag, "zh": "點", "en": tag, "wire": {"address": n}} for n, tag in enumerate("abc")]
    return parse_profile({"profile": head, "point": points}, "test.toml")


def device(made: Profile, endpoint: str = "tcp://h:502", unit: int = 1, numbers: int = 3) -> Device:
    return Device(f"d{unit}", made, endpoint, np.arange(numbers, dtype=np.int32), unit)


def test_it_is_a_polled_driver() -> None:
    assert isinstance(ModbusDriver([device(profile())], VirtualClock()), PolledDriver)


def test_devices_of_one_profile_share_its_plan() -> None:
    made = profile()
    assert planned(device(made, unit=1)) is planned(device(made, unit=2))
    assert planned(device(made)) is not planned(device(profile()))


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ([], "one endpoint"),
        ([("tcp://a:1", 1, 3), ("tcp://b:1", 2, 3)], "one endpoint"),
        ([("tcp://a:1", 256, 3)], "unit: got 256"),
        ([("tcp://a:1", 1, 2)], "2 point numbers for 3 points"),
        ([("udp://a:1", 1, 3)], "endpoint: got"),
    ],
)
def test_wrong_devices_are_refused(devices: list[tuple[str, int, int]], message: str) -> None:
    made = profile()
    with pytest.raises(ProfileError, match=message):
        ModbusDriver([device(made, *row) for row in devices], VirtualClock())


def test_endpoints() -> None:
    tcp = parse_endpoint("tcp://10.20.1.2")
    assert (tcp.kind, tcp.host, tcp.port, tcp.rtu) == ("tcp", "10.20.1.2", 502, False)
    gateway = parse_endpoint("rtu+tcp://gw.local:4001")
    assert (gateway.kind, gateway.host, gateway.port, gateway.rtu) == ("rtu+tcp", "gw.local", 4001, True)
    line = parse_endpoint("serial:/dev/ttyUSB0?baudrate=19200&parity=e&stopbits=2")
    assert (line.path, line.baudrate, line.parity, line.stopbits, line.rtu) == ("/dev/ttyUSB0", 19200, "E", 2, True)


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.1:502", "tcp://", "tcp://h:99999", "tcp://h:502/path", "serial:", "serial:/dev/t?baudrate=fast",
     "serial:/dev/t?parity=X", "serial:/dev/t?stopbits=3", "serial:/dev/t?speed=9600", "opc.tcp://h:4840"],
)  # fmt: skip
def test_wrong_endpoints(text: str) -> None:
    with pytest.raises(ProfileError, match="endpoint: got"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("function", "address", "words", "sent"),
    [
        (5, 0x00AC, (1,), "05 00 ac ff 00"),
        (5, 0x00AC, (0,), "05 00 ac 00 00"),
        (6, 0x0001, (3,), "06 00 01 00 03"),
        (15, 0x0013, (1, 0, 1, 1, 0, 0, 1, 1, 1, 0), "0f 00 13 00 0a 02 cd 01"),
        (16, 0x0001, (0x000A, 0x0102), "10 00 01 00 02 04 00 0a 01 02"),
    ],
)
def test_writes_are_those_of_the_specification(function: int, address: int, words: tuple[int, ...], sent: str) -> None:
    """MODBUS Application Protocol V1.1b3, sections 6.5, 6.6, 6.11, 6.12: the examples."""
    assert write_request(function, address, words) == bytes.fromhex(sent)


def test_reads_are_those_of_the_specification() -> None:
    """The same, sections 6.1 to 6.4."""
    assert read_request(1, 0x0013, 0x13) == bytes.fromhex("01 00 13 00 13")
    assert read_request(2, 0x00C4, 0x16) == bytes.fromhex("02 00 c4 00 16")
    assert read_request(3, 0x006B, 3) == bytes.fromhex("03 00 6b 00 03")
    assert read_request(4, 0x0008, 1) == bytes.fromhex("04 00 08 00 01")
