"""Each Modbus profile against the simulator's register table, which was typed a second time from the same documents.

A word order, scale or address that is wrong on one side alone shows here.
"""

from __future__ import annotations

import numpy as np
import pytest

from controller.clock import VirtualClock
from controller.share import share_dir
from drivers.driver import Device
from drivers.errors import DeviceRefusedError
from drivers.modbus.driver import ModbusDriver
from drivers.profile import Profile, ProfilePoint, load_profile
from drivers.reading import Quality
from simulators.wire.table import TABLES
from simulators.wire.unit import Unit

PATHS = {path.stem: path for path in (share_dir("config") / "profiles").glob("*/*.toml")}
BINARY_ON = {"breaker_closed", "racked_in", "remote", "dc_supply_ok", "fan_1", "fan_1_runs", "temp_alarm", "run",
             "run_cmd", "at_setpoint", "enable", "alarm_oil", "alarm", "airflow", "vehicle_connected"}  # fmt: skip
NOT_SHOWN_THE_SAME = {
    "carrier-23xrv": {"state", "alarm"},  # the model has a list of states of its own
    "janitza-umg801": {"power_factor"},  # the quotient of two other quantities, compared on its own below
    "abb-ach580": {"run_cmd", "speed_cmd"},  # the words last written, compared with what is written below
    "danfoss-fc102": {"run_cmd", "speed_cmd"},
    "site-standard-chiller": {"alarm_reset"},  # clears itself
    "abb-ach580-fan": {"run_cmd", "speed_cmd"},
    "keba-p30": {"failsafe_timeout"},  # it is commissioned as 30 s
    "delta-cp2000": {"speed"},  # the output frequency as a share of 60 Hz
    "deep-sea-dse8xxx": {"test_start", "test_cancel"},  # what the engine does, from its state
    "site-standard-fire": {"panel_word"},  # all bits together
}


class Machine:
    """A device of the simulation that stands still, with a quantity for every point."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile.id
        self.commanded: dict[str, float] = {}
        self.state = {point.tag: self.quantity(place, point) for place, point in enumerate(profile.points)}

    def quantity(self, place: int, point: ProfilePoint) -> float:
        tag = point.tag
        if tag in BINARY_ON:
            return 1.0
        known = {"power_factor": 0.93, "frequency": 59.8, "tap_position": 2.0, "state": 2.0, "speed": 80.0,
                 "speed_cmd": 80.0, "reactive_power": 12.5, "chw_setpoint": 8.5, "demand_limit": 75.0,
                 "alarm": 1.0, "sensor_faults": 0.0, "current_n": 3.0, "power": 8.2, "current": 11.5}  # fmt: skip
        zero = tag.startswith("alarm_") or tag in (
            "breaker_tripped", "earth_switch_closed", "door_open", "arc_relay", "temp_trip", "temp_fault", "fan_2",
            "fan_2_runs", "fault", "co_fault", "no2_fault",
        )  # fmt: skip
        other = 20.0 + place
        if point.kind == "binary":
            other = float(place % 2)
        elif point.kind == "multistate":
            other = float(point.states[place % len(point.states)][0])
        return known.get(tag, 0.0 if zero else other)

    def heard(self) -> None:
        pass


class Port:
    tick = 1
    swapped = False

    def __init__(self, profile: Profile) -> None:
        self.device = Machine(profile)
        self.writes: list[tuple[str, float]] = []

    def state(self) -> dict[str, float]:
        return self.device.state

    def write(self, quantity: str, value: float) -> float:
        self.writes.append((quantity, value))
        self.device.commanded[quantity] = value
        return value

    def served(self) -> None:
        pass


class Inside:
    """A connection that ends in the simulator's unit, without a socket."""

    connected = True

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    async def read(self, unit: int, pdu: bytes, size: int, timeout_s: float) -> bytes:
        answer = self.unit.answer(pdu)
        if answer[0] & 0x80:
            raise DeviceRefusedError(f"exception {answer[1]} to {pdu.hex(' ')}", answer[1])
        assert answer[1] == size == len(answer) - 2
        return answer[2:]

    async def write(self, unit: int, pdu: bytes, timeout_s: float) -> None:
        answer = self.unit.answer(pdu)
        if answer[0] & 0x80:
            raise DeviceRefusedError(f"exception {answer[1]} to {pdu.hex(' ')}", answer[1])
        assert answer == pdu[:5]


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for the pause that a device wants between two requests."""

    async def at_once(_seconds: float) -> None:
        return

    monkeypatch.setattr("drivers.modbus.driver.asyncio.sleep", at_once)


def connect(name: str) -> tuple[ModbusDriver, Device, Port]:
    profile = load_profile(PATHS[name])
    port = Port(profile)
    device = Device("d", profile, "tcp://127.0.0.1:502", np.arange(len(profile.points), dtype=np.int32), 3)
    driver = ModbusDriver([device], VirtualClock())
    driver._connection = Inside(Unit(port, TABLES[name](3)))  # type: ignore[assignment, arg-type]
    return driver, device, port


@pytest.mark.parametrize("name", sorted(TABLES))
async def test_what_the_machine_shows_is_what_the_driver_reads(name: str) -> None:
    driver, device, port = connect(name)
    batch = await driver.poll(device)
    assert len(batch) == len(device.profile.points)
    for number, value, quality in zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
        point = device.profile.points[number]
        assert quality == Quality.GOOD, point.tag
        if point.tag not in NOT_SHOWN_THE_SAME.get(name, set()):
            step = max(abs(float(point.wire.get("scale", 1.0))), 1e-3)
            wanted = port.device.state[point.tag]
            assert value == pytest.approx(wanted, rel=1e-5, abs=step), point.tag


async def test_the_power_factor_of_the_main_meter_is_active_over_apparent_power() -> None:
    driver, device, port = connect("janitza-umg801")
    wanted = port.device.state["power"] / port.device.state["apparent_power"]
    assert await driver.read(device, "power_factor") == pytest.approx(wanted, rel=1e-6)


WRITES = [
    (name, point.tag)
    for name in sorted(TABLES)
    for point in load_profile(PATHS[name]).points
    if point.write is not None
]


@pytest.mark.parametrize(("name", "tag"), WRITES)
async def test_what_the_driver_writes_is_what_the_machine_takes(name: str, tag: str) -> None:
    driver, device, port = connect(name)
    point = device.profile.point(tag)
    assert point.write is not None
    wanted = 1.0 if point.kind == "binary" else round((point.write.low + point.write.high) / 2, 1)
    await driver.write(device, tag, wanted)
    assert port.writes[-1][0] == tag
    assert port.writes[-1][1] == pytest.approx(wanted, abs=max(0.01, abs(float(point.wire.get("scale", 0.0)))))


@pytest.mark.parametrize("name", ["abb-ach580", "danfoss-fc102"])
async def test_a_drive_gives_its_command_words_back(name: str) -> None:
    driver, device, _ = connect(name)
    await driver.write(device, "speed_cmd", 65.0)
    await driver.write(device, "run_cmd", 1.0)
    assert await driver.read(device, "run_cmd") == 1.0
    assert await driver.read(device, "speed_cmd") == pytest.approx(65.0, abs=0.01)
