"""Every Modbus profile against bytes typed by hand from the vendors' documents: tags, units, values, writes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.clock import VirtualClock
from controller.share import share_dir
from drivers.driver import Device
from drivers.equipment import check_profile
from drivers.errors import DeviceRefusedError, NotWritableError
from drivers.modbus.client import ReadConnection, parse_endpoint
from drivers.modbus.driver import ModbusDriver
from drivers.profile import Profile, load_profile
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILES = share_dir("config") / "profiles"
BAD = object()
"""The value is a sentinel: quality BAD_SENSOR."""


class Paper:
    """Stands in for a connection: answers from registers typed by hand, and keeps what was written."""

    connected = True

    def __init__(self, registers: Mapping[int, Mapping[int, str]]) -> None:
        self.words: dict[int, dict[int, bytes]] = {}
        for function, rows in registers.items():
            table = self.words.setdefault(function, {})
            for address, text in rows.items():
                for place, word in enumerate(text.split()):
                    table[address + place] = bytes.fromhex(word)
        self.asked: list[tuple[int, int, int]] = []
        self.written: list[str] = []

    async def read(self, unit: int, pdu: bytes, size: int, timeout_s: float) -> bytes:
        function, address, count = pdu[0], int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
        self.asked.append((function, address, count))
        if function not in self.words:
            raise DeviceRefusedError(f"function {function}", 1)
        if function in (1, 2):
            bits = sum(int(self.words[function].get(address + n, b"\0")[0] & 1) << n for n in range(count))
            return bits.to_bytes(size, "little")
        return b"".join(self.words[function].get(address + n, b"\0\0") for n in range(count))

    async def write(self, unit: int, pdu: bytes, timeout_s: float) -> None:
        self.written.append(pdu.hex(" "))


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for the pause that a device wants between two requests."""

    async def at_once(_seconds: float) -> None:
        return

    monkeypatch.setattr("drivers.modbus.driver.asyncio.sleep", at_once)


def load(profile_id: str) -> Profile:
    (path,) = PROFILES.glob(f"*/{profile_id}.toml")
    return load_profile(path)


def driver_on(profile: Profile, paper: Paper, **options: object) -> tuple[ModbusDriver, Device]:
    numbers = np.arange(len(profile.points), dtype=np.int32)
    device = Device("d", profile, "tcp://127.0.0.1:502", numbers, options=options)
    driver = ModbusDriver([device], VirtualClock())
    driver._connection = paper  # type: ignore[assignment]
    return driver, device


METER = {
    "V": "voltage_l1n voltage_l2n voltage_l3n voltage_l12 voltage_l23 voltage_l31",
    "A": "current_l1 current_l2 current_l3 current_n", "kW": "power_l1 power_l2 power_l3 power demand",
    "kvar": "reactive_power", "kVA": "apparent_power", "": "power_factor", "Hz": "frequency",
    "kWh": "energy_import energy_export", "kvarh": "reactive_energy_import",
    "%": "thd_v_l1 thd_v_l2 thd_v_l3 thd_i_l1 thd_i_l2 thd_i_l3",
}  # fmt: skip
FIRE = (
    "heartbeat panel_word fire pre_alarm fault disablement test silenced evacuation mains_fail battery_fault "
    "earth_fault zones_in_fire zones_in_fault"
)
FIRE_FLOOR = (
    "fire_door_1 fire_door_2 fire_door_3 smoke_damper_1 smoke_damper_2 smoke_damper_3 smoke_fan pressurisation "
    "door_release ahu_stop_1 ahu_stop_2"
)
VFD = {
    "": "run fault remote at_setpoint run_cmd",
    "%": "speed speed_cmd",
    "Hz": "frequency",
    "A": "current",
    "kW": "power",
}


def units(table: Mapping[str, str], without: str = "") -> dict[str, str]:
    left_out = without.split()
    return {tag: unit for unit, tags in table.items() for tag in tags.split() if tag not in left_out}


@dataclass
class Case:
    points: dict[str, str]
    """tag -> unit"""
    registers: dict[int, dict[int, str]]
    """function -> address -> registers as hex words; what is not here reads 0"""
    values: dict[str, float | object]
    requests: int
    writes: list[tuple[str, float, list[str]]] = field(default_factory=list)
    """tag, value, PDUs sent"""


SCHNEIDER = {
    0x0BB7: "42C8 0000", 0x0BBD: "3F80 0000", 0x0BCB: "43BE 0000", 0x0BD3: "435C 0000", 0x0BED: "41F0 0000",
    0x0BF3: "42C8 0000", 0x0BFB: "4248 0000", 0x0C03: "42DF 999A", 0x0C0B: "3F86 6666", 0x0C25: "4270 0000",
    0x0C83: "0000 0000 0012 D687", 0x0C87: "8000 0000 0000 0000", 0x0C93: "0000 0000 0000 03E8",
}  # fmt: skip
SCHNEIDER_VALUES: dict[str, float | object] = {
    "current_l1": 100.0, "voltage_l12": 380.0, "voltage_l1n": 220.0, "power_l1": 30.0,
    "power": 100.0, "reactive_power": 50.0, "apparent_power": 111.8, "power_factor": 0.95, "frequency": 60.0,
    "energy_import": 1234.567, "energy_export": BAD, "reactive_energy_import": 1.0,
}  # fmt: skip

CASES = {
    "eastron-sdm630": Case(
        units(METER),
        {4: {0x00: "4366 3333", 0x06: "42C8 0000", 0x0C: "44BB 8000", 0x34: "44BB 8000", 0x38: "44BB 8000",
             0x3C: "C2C8 0000", 0x3E: "3F66 6666", 0x46: "4270 0000", 0x48: "4640 E400", 0x4A: "3F80 0000",
             0x4C: "4248 0000", 0x54: "44BB 8000", 0xC8: "43BE 0000", 0xE0: "3F80 0000", 0xEA: "4000 0000",
             0xF0: "7FC0 0000"}},
        {"voltage_l1n": 230.2, "current_l1": 100.0, "power_l1": 1.5, "power": 1.5, "apparent_power": 1.5,
         "reactive_power": -0.1, "power_factor": 0.9, "frequency": 60.0, "energy_import": 12345.0,
         "energy_export": 1.0, "reactive_energy_import": 50.0, "demand": 1.5, "voltage_l12": 380.0, "current_n": 1.0,
         "thd_v_l1": 2.0, "thd_i_l1": BAD, "voltage_l2n": 0.0},
        requests=3,
    ),
    "schneider-iem3155": Case(
        units(METER, "current_n demand thd_v_l1 thd_v_l2 thd_v_l3 thd_i_l1 thd_i_l2 thd_i_l3"),
        {3: SCHNEIDER}, SCHNEIDER_VALUES, requests=2,
    ),
    "schneider-pm5560": Case(
        units(METER),
        {3: {**SCHNEIDER, 0x0EB5: "42C8 0000", 0x5333: "4120 0000", 0x5351: "4000 0000"}},
        {**SCHNEIDER_VALUES, "current_n": 1.0, "demand": 100.0, "thd_i_l1": 10.0, "thd_v_l1": 2.0}, requests=5,
    ),
    "schneider-pm5320": Case(
        units(METER),
        {3: {**SCHNEIDER, 0x0C0B: "BF8C CCCD", 0x0EB5: "FFC0 0000"}},
        {**SCHNEIDER_VALUES, "power_factor": -0.9, "demand": BAD}, requests=5,
    ),
    "abb-b23": Case(
        units(METER, "demand reactive_energy_import thd_v_l1 thd_v_l2 thd_v_l3 thd_i_l1 thd_i_l2 thd_i_l3"),
        {3: {0x5000: "0000 0000 0012 D687", 0x5004: "FFFF FFFF FFFF FFFF", 0x5B00: "0000 08FE", 0x5B0C: "0000 2710",
             0x5B14: "0001 E240", 0x5B16: "7FFF FFFF", 0x5B2C: "1770", 0x5B3A: "FC4A"}},
        {"energy_import": 12345.67, "energy_export": BAD, "voltage_l1n": 230.2, "current_l1": 100.0, "power": 1.23456,
         "power_l1": BAD, "frequency": 60.0, "power_factor": -0.95},
        requests=3,
    ),
    "carlo-gavazzi-em24": Case(
        units(METER, "current_n voltage_l12 voltage_l23 voltage_l31 thd_v_l1 thd_v_l2 thd_v_l3 thd_i_l1 thd_i_l2 "
              "thd_i_l3"),
        {4: {0x00: "08FE 0000", 0x0C: "86A0 0001", 0x12: "FB2E FFFF", 0x28: "FB2E FFFF", 0x35: "03B6", 0x37: "0258",
             0x42: "E240 0001", 0x5C: "FFFF 7FFF"}},
        {"voltage_l1n": 230.2, "current_l1": 100.0, "power_l1": -0.1234, "power": -0.1234, "power_factor": 0.95,
         "frequency": 60.0, "energy_import": 12345.6, "energy_export": BAD},
        requests=7,
    ),
    "siemens-pac3200": Case(
        units(METER, "current_n reactive_energy_import"),
        {3: {1: "4366 3333", 7: "43BE 0000", 13: "42C8 0000", 25: "44BB 8000", 43: "4000 0000", 49: "4120 0000",
             55: "4270 0000", 63: "44BB 8000", 65: "44BB 8000", 67: "C2C8 0000", 69: "3F66 6666", 501: "44BB 8000",
             801: "408F 4000 0000 0000", 805: "409F 4000 0000 0000", 809: "7FF8 0000 0000 0000"}},
        {"voltage_l1n": 230.2, "voltage_l12": 380.0, "current_l1": 100.0, "power_l1": 1.5, "thd_v_l1": 2.0,
         "thd_i_l1": 10.0, "frequency": 60.0, "apparent_power": 1.5, "power": 1.5, "reactive_power": -0.1,
         "power_factor": 0.9, "demand": 1.5, "energy_import": 3.0, "energy_export": BAD},
        requests=3,
    ),
    "janitza-umg801": Case(
        units(METER, "demand reactive_energy_import"),
        {3: {19000: "4366 3333", 19012: "42C8 0000", 19020: "44BB 8000", 19026: "4640 E400", 19034: "46C0 E400",
             19042: "C2C8 0000", 19050: "4270 0000", 19062: "44BB 8000", 19070: "0000 0000", 19110: "4000 0000",
             19116: "4120 0000"}},
        {"voltage_l1n": 230.2, "current_l1": 100.0, "power_l1": 1.5, "power": 12.345, "apparent_power": 24.69,
         "power_factor": 0.5, "reactive_power": -0.1, "frequency": 60.0, "energy_import": 1.5, "energy_export": 0.0,
         "thd_v_l1": 2.0, "thd_i_l1": 10.0},
        requests=2,
    ),
    "delta-dpm-c530a": Case(
        units(METER, "demand thd_v_l1 thd_v_l2 thd_v_l3 thd_i_l1 thd_i_l2 thd_i_l3"),
        {3: {0x100: "4366 3333", 0x108: "43BE 0000", 0x120: "42C8 0000", 0x128: "3F80 0000", 0x132: "3F66 6666",
             0x142: "4270 0000", 0x144: "4236 6666", 0x146: "3F80 0000", 0x15C: "4640 E400"}},
        {"voltage_l1n": 230.2, "voltage_l12": 380.0, "current_l1": 100.0, "current_n": 1.0, "power_factor": 0.9,
         "frequency": 60.0, "power": 45.6, "power_l1": 1.0, "energy_import": 1234.5},
        requests=1,
    ),
    "tecsystem-nt935": Case(
        {**dict.fromkeys(["winding_temp_a", "winding_temp_b", "winding_temp_c", "core_temp"], "°C"),
         **dict.fromkeys(["temp_alarm", "temp_trip", "temp_fault", "fan_1", "fan_2"], "")},
        {3: {15: "000D", 25: "0055", 29: "FFF6", 33: "7FFF", 37: "002D"}},
        {"winding_temp_a": 85.0, "winding_temp_b": -10.0, "winding_temp_c": BAD, "core_temp": 45.0, "temp_alarm": 1.0,
         "temp_trip": 0.0, "temp_fault": 1.0, "fan_1": 1.0, "fan_2": 0.0},
        requests=1,
    ),
    "diel-mt200": Case(
        {**dict.fromkeys(["winding_temp_a", "winding_temp_b", "winding_temp_c", "core_temp"], "°C"),
         **dict.fromkeys(["temp_alarm", "temp_trip", "temp_fault", "fan_1", "fan_2"], "")},
        {3: {1: "2134", 2: "FC18", 3: "1770", 4: "8000", 9: "0004", 10: "000E", 22: "0002"}},
        {"winding_temp_a": 85.0, "winding_temp_b": -10.0, "winding_temp_c": BAD, "core_temp": BAD, "temp_trip": 0.0,
         "temp_alarm": 1.0, "temp_fault": 1.0, "fan_1": 1.0, "fan_2": 1.0},
        requests=2,
    ),
    "site-standard-cubicle": Case(
        dict.fromkeys(["breaker_closed", "breaker_tripped", "racked_in", "earth_switch_closed", "door_open",
                       "arc_relay", "remote", "dc_supply_ok", "tap_position", "fan_1_runs", "fan_2_runs"], ""),
        {2: {0: "01", 2: "01", 6: "01", 7: "01", 11: "01", 14: "01"}},
        {"breaker_closed": 1.0, "breaker_tripped": 0.0, "racked_in": 1.0, "earth_switch_closed": 0.0, "door_open": 0.0,
         "arc_relay": 0.0, "remote": 1.0, "dc_supply_ok": 1.0, "tap_position": 4.0, "fan_1_runs": 0.0,
         "fan_2_runs": 1.0},
        requests=1,
    ),
    "site-standard-chiller": Case(
        {**dict.fromkeys(
            ["state", "alarm", "alarm_low_evap", "alarm_high_cond", "alarm_oil", "alarm_flow_evap", "alarm_flow_cond",
             "alarm_motor", "alarm_freeze", "alarm_vsd", "alarm_sensor", "remote", "enable", "alarm_reset", "starts",
             "gateway_heartbeat", "controller_heartbeat"], ""),
         **dict.fromkeys(
            ["chw_supply_temp", "chw_return_temp", "cw_leaving_temp", "cw_entering_temp", "discharge_temp",
             "evap_sat_temp", "cond_sat_temp", "chw_setpoint", "effective_chw_setpoint"], "°C"),
         **dict.fromkeys(["chw_flow", "cw_flow"], "L/s"),
         **dict.fromkeys(["load", "motor_current", "vane", "demand_limit", "effective_demand_limit"], "%"),
         "power": "kW", **dict.fromkeys(["evap_pressure", "cond_pressure", "oil_pressure"], "kPa"), "energy": "kWh",
         "run_hours": "h", "start_wait": "s", "minimum_on_left": "s"},
        {3: {0: "0002 8009 0001 02BC 04B0 0DAC 0BB8 01F4 FFFF 0352 0000 7530 02EE 01F4 012C 0384 00FA 0258 8000 0E10",
             20: "0001 E240 0000 2710 0000 0064 0000 00B4 0001 FFFF", 100: "0001 02BC 0384 0000 FFFF 02BC 0384"}},
        {"state": 2.0, "alarm": 1.0, "alarm_low_evap": 1.0, "alarm_high_cond": 0.0, "alarm_flow_evap": 1.0,
         "remote": 1.0, "chw_supply_temp": 7.0, "chw_return_temp": 12.0, "cw_leaving_temp": 35.0,
         "cw_entering_temp": 30.0, "chw_flow": 50.0, "cw_flow": BAD, "load": 85.0, "power": 300.0,
         "motor_current": 75.0, "vane": 50.0, "evap_pressure": 300.0, "cond_pressure": 900.0, "oil_pressure": 250.0,
         "discharge_temp": 60.0, "evap_sat_temp": BAD, "cond_sat_temp": 36.0, "energy": 12345.6, "run_hours": 1000.0,
         "starts": 100.0, "start_wait": 0.0, "minimum_on_left": 180.0, "gateway_heartbeat": 131071.0, "enable": 1.0,
         "chw_setpoint": 7.0, "demand_limit": 90.0, "alarm_reset": 0.0, "controller_heartbeat": 65535.0,
         "effective_chw_setpoint": 7.0, "effective_demand_limit": 90.0},
        requests=2,
        writes=[("enable", 1.0, ["10 00 64 00 01 02 00 01"]), ("chw_setpoint", 8.5, ["10 00 65 00 01 02 03 52"]),
                ("demand_limit", 75.0, ["10 00 66 00 01 02 02 ee"]), ("alarm_reset", 1.0, ["10 00 67 00 01 02 00 01"]),
                ("controller_heartbeat", 41.0, ["10 00 68 00 01 02 00 29"])],
    ),
    "carrier-23xrv": Case(
        {**dict.fromkeys(["state", "alarm", "enable"], ""),
         **dict.fromkeys(["chw_supply_temp", "chw_return_temp", "cw_entering_temp", "cw_leaving_temp", "evap_sat_temp",
                          "chw_setpoint"], "°C"), "start_wait": "s", "minimum_on_left": "s", "demand_limit": "%"},
        {3: {0x28: "000B", 0x2A: "4000 0000", 0x2F: "0001", 0x30: "40E0 0000", 0x32: "0050"},
         4: {0x3B: "4140 0000"}},
        {"state": 11.0, "alarm": 1.0, "chw_return_temp": 12.0, "start_wait": 120.0, "enable": 1.0,
         "chw_setpoint": 7.0, "demand_limit": 80.0},
        requests=11,
        writes=[("enable", 0.0, ["10 00 2f 00 01 02 00 00"]), ("chw_setpoint", 7.0, ["10 00 30 00 02 04 40 e0 00 00"]),
                ("demand_limit", 80.0, ["10 00 32 00 01 02 00 50"])],
    ),
    "site-standard-plant-header": Case(
        {**dict.fromkeys(["chw_supply_temp", "chw_return_temp", "outdoor_temp", "wet_bulb_temp"], "°C"),
         **dict.fromkeys(["differential_pressure", "differential_pressure_setpoint"], "kPa"), "bypass_valve": "%",
         "bypass_valve_cmd": "%", "basin_level": "mm", "makeup_flow": "L/min", "conductivity": "µS/cm"},
        {4: {0: "02BC 04B0 05DC 0019 0141 8000 01C2 0078 0320"}, 3: {100: "001E 000F 05DC"}},
        {"chw_supply_temp": 7.0, "chw_return_temp": 12.0, "differential_pressure": 150.0, "bypass_valve": 25.0,
         "outdoor_temp": 32.1, "wet_bulb_temp": BAD, "basin_level": 450.0, "makeup_flow": 120.0, "conductivity": 800.0,
         "bypass_valve_cmd": 30.0, "differential_pressure_setpoint": 150.0},
        requests=2,
        writes=[("bypass_valve_cmd", 40.0, ["10 00 64 00 01 02 00 28"]),
                ("differential_pressure_setpoint", 120.0, ["10 00 66 00 01 02 04 b0"])],
    ),
    # 1-based 3x numbers: 2 CO2, 4 VOC % x 0.1, 6 degC x 0.1, 8 %RH x 0.1, 13 VOC ppb, 15 PM. The fast ones hold 9999.
    "aerasgard-rftm": Case(
        {"co2": "ppm", "voc_level": "%", "temperature": "°C", "humidity": "%", "tvoc": "ppb", "pm25": "µg/m³"},
        {4: {0: "270F 03A8 270F 007D 270F FFF6 270F 0258", 11: "270F 00FA 270F 0023"}},
        {"co2": 936.0, "voc_level": 12.5, "temperature": -1.0, "humidity": 60.0, "tvoc": 250.0, "pm25": 35.0},
        requests=2,
    ),
    # Word 14 = 0x0011: the sensors behind words 0 (temperature) and 4 (ozone) have failed, whatever those words hold.
    "site-standard-iaq-station": Case(
        {"temperature": "°C", "humidity": "%", "co2": "ppm", "co": "ppm", "o3": "ppb", "no2": "ppb", "hcho": "ppb",
         "tvoc": "ppb", "pm1": "µg/m³", "pm25": "µg/m³", "pm10": "µg/m³", "pressure": "hPa", "noise": "dB",
         "illuminance": "lx", "sensor_faults": "", "days_since_calibration": "d"},
        {4: {0: "00FA 0258 03A8 005A 001E 0012 0050 0230 0007 0023 004B 2794 01C2 01F4 0011 002A"}},
        {"temperature": BAD, "humidity": 60.0, "co2": 936.0, "co": 9.0, "o3": BAD, "no2": 18.0,
         "hcho": 80.0, "tvoc": 560.0, "pm1": 7.0, "pm25": 35.0, "pm10": 75.0, "pressure": 1013.2, "noise": 45.0,
         "illuminance": 500.0, "sensor_faults": 17.0, "days_since_calibration": 42.0},
        requests=1,
    ),
    "abb-ach580": Case(
        units(VFD),
        {3: {0: "047F 3E80 0000 0B07 3E7E", 105: "12C0 04D2", 113: "0226"}},
        {"run": 1.0, "fault": 0.0, "remote": 1.0, "at_setpoint": 1.0, "speed": 79.99, "frequency": 48.0,
         "current": 12.34, "power": 5.5, "run_cmd": 1.0, "speed_cmd": 80.0},
        requests=2,
        writes=[("speed_cmd", 80.0, ["10 00 01 00 01 02 3e 80"]), ("run_cmd", 0.0, ["10 00 00 00 01 02 04 7e"]),
                ("run_cmd", 1.0, ["10 00 00 00 01 02 04 7f"])],
    ),
    "abb-ach580-fan": Case(
        units({**VFD, "": f"{VFD['']} airflow"}),
        {3: {0: "047F 3E80 0000 0B07 3E7E 0000 0004", 105: "12C0 04D2", 113: "0226"}},
        {"run": 1.0, "fault": 0.0, "speed": 79.99, "airflow": 1.0, "power": 5.5, "speed_cmd": 80.0},
        requests=2,
        writes=[("speed_cmd", 30.0, ["10 00 01 00 01 02 17 70"]), ("run_cmd", 0.0, ["10 00 00 00 01 02 04 7e"])],
    ),
    "msr-polygard2-dgc06": Case(
        {"co": "ppm", "no2": "ppm", "co_fault": "", "no2_fault": "", "co_mean": "ppm", "no2_mean": "ppm"},
        # Register numbers count from 1: 1001 is wire 1000. Raw 305 of a range of 300 is 30.5 ppm; -16386 is an error.
        {3: {1000: "0131 BFFE", 3000: "00C8 FFFB"}},
        {"co": 30.5, "no2": BAD, "co_fault": 0.0, "no2_fault": 1.0, "co_mean": 20.0, "no2_mean": -0.05},
        requests=2,
    ),
    "alfen-ng910": Case(
        {"state": "", "vehicle_connected": "", "power": "kW", "current": "A", "voltage": "V", "energy": "kWh",
         "current_limit": "A", "current_limit_applied": "A", "limit_valid": "s", "safe_current": "A"},
        {3: {306: "4366 0000", 320: "4180 0000", 344: "462C 8000", 374: "4132 D687 0000 0000",
             1201: "4332 0000 0000 0000 0000 4180 0000 0000 002D 41A0 0000 4100 0000"}},
        {"state": 2.0, "vehicle_connected": 1.0, "power": 11.04, "current": 16.0, "voltage": 230.0, "energy": 1234.567,
         "current_limit_applied": 16.0, "limit_valid": 45.0, "current_limit": 20.0, "safe_current": 8.0},
        requests=5,
        writes=[("current_limit", 10.0, ["10 04 ba 00 02 04 41 20 00 00"]),
                ("current_limit", 0.0, ["10 04 ba 00 02 04 00 00 00 00"])],
    ),
    "keba-p30": Case(
        {"state": "", "vehicle_connected": "", "error_code": "", "power": "kW", "current": "A", "voltage": "V",
         "energy": "kWh", "session_energy": "kWh", "rfid": "", "current_limit": "A", "enable": "",
         "failsafe_timeout": "s"},
        {3: {1000: "0000 0003", 1004: "0000 0007", 1006: "0000 0000", 1008: "0000 3E80", 1020: "00A8 7500",
             1036: "00BC 6146", 1040: "0000 00E6", 1100: "0000 7D00", 1500: "F1EE 7001", 1502: "0001 E240",
             1602: "0000 001E"}},
        {"state": 2.0, "vehicle_connected": 1.0, "error_code": 0.0, "power": 11.04, "current": 16.0, "voltage": 230.0,
         "energy": 1234.567, "session_energy": 12.3456, "rfid": 4058935297.0, "current_limit": 32.0, "enable": 1.0,
         "failsafe_timeout": 30.0},
        requests=11,
        writes=[("current_limit", 16.0, ["06 13 8c 3e 80"]), ("enable", 0.0, ["06 13 96 00 00"]),
                ("failsafe_timeout", 30.0, ["06 13 9a 00 1e"])],
    ),
    "delta-ac-max": Case(
        {"state": "", "vehicle_connected": "", "voltage": "V", "power": "kW", "current": "A", "session_time": "s",
         "session_energy": "kWh", "power_limit": "kW"},
        {4: {1000: "0004", 1003: "435C 0000 0000 2AF8 4180 0000", 1017: "0000 0E10 0000 3039", 1600: "0000 55F0"}},
        {"state": 2.0, "vehicle_connected": 1.0, "voltage": 220.0, "power": 11.0, "current": 16.0,
         "session_time": 3600.0, "session_energy": 12.345, "power_limit": 22.0},
        requests=4,
        writes=[("power_limit", 11.0, ["10 06 40 00 02 04 00 00 2a f8"])],
    ),
    "alpitronic-hyc50": Case(
        {"state": "", "voltage": "V", "current": "A", "power": "kW", "session_time": "s", "session_energy": "kWh",
         "soc": "%", "max_power": "kW", "energy": "kWh", "power_limit": "kW"},
        {4: {100: "0003 0000 9C40 2710 0000 9C40 0708 03E8 157C 0001 0000 C350 0000 060B",
             132: "0000 0000 0012 D687"}, 3: {100: "0000 C350"}},
        {"state": 2.0, "voltage": 400.0, "current": 100.0, "power": 40.0, "session_time": 1800.0,
         "session_energy": 10.0, "soc": 55.0, "max_power": 50.0, "energy": 1234.567, "power_limit": 50.0},
        requests=2,
        writes=[("power_limit", 20.0, ["10 00 64 00 02 04 00 00 4e 20"])],
    ),
    "danfoss-fc102": Case(
        units(VFD),
        {3: {0xC34F: "047C", 0xC359: "2000", 0xC417: "0B07", 0xC421: "1FFE", 16129: "012C", 16139: "0000 04D2",
             16099: "0000 0226"}},
        {"run": 1.0, "fault": 0.0, "remote": 1.0, "at_setpoint": 1.0, "speed": 49.98779296875, "frequency": 30.0,
         "current": 12.34, "power": 5.5, "run_cmd": 1.0, "speed_cmd": 50.0},
        requests=7,
        writes=[("run_cmd", 1.0, ["06 c3 4f 04 7c"]), ("run_cmd", 0.0, ["06 c3 4f 04 3c"]),
                ("speed_cmd", 50.0, ["06 c3 59 20 00"])],
    ),
    "delta-cp2000": Case(
        units(VFD, "at_setpoint"),
        {3: {0x2100: "0500 0403 0FA0 0F9F 04D2", 0x2206: "0037"}},
        {"run": 1.0, "fault": 0.0, "remote": 1.0, "speed": 66.65, "frequency": 39.99, "current": 12.34, "power": 5.5,
         "run_cmd": 1.0, "speed_cmd": 66.66666666},
        requests=2,
        writes=[("run_cmd", 1.0, ["10 20 00 00 01 02 00 12"]), ("run_cmd", 0.0, ["10 20 00 00 01 02 00 01"]),
                ("speed_cmd", 66.66666666, ["10 20 01 00 01 02 0f a0"])],
    ),
    "site-standard-fire": Case(
        dict.fromkeys(FIRE.split(), "")
        | {f"zone_{n:02}_{what}": "" for what in ("state", "detector") for n in range(1, 65)}
        | {f"floor_{n:02}_{what}": "" for what in FIRE_FLOOR.split() for n in range(1, 17)}
        | {f"lift_recall_{n:02}": "" for n in range(1, 17)} | {f"gas_valve_{n}": "" for n in range(1, 9)},
        {3: {0: "04D2 0085 0001 0002", 111: "0002 0003", 211: "0007", 300: "0401", 301: "8001", 303: "0080",
             330: "0040"}},
        {"heartbeat": 1234.0, "panel_word": 133.0, "fire": 1.0, "pre_alarm": 0.0, "fault": 1.0, "mains_fail": 1.0,
         "earth_fault": 0.0, "zones_in_fire": 1.0, "zones_in_fault": 2.0, "zone_12_state": 2.0, "zone_13_state": 3.0,
         "zone_64_state": 0.0, "zone_12_detector": 7.0, "floor_01_fire_door_1": 1.0, "floor_01_ahu_stop_2": 1.0,
         "floor_01_smoke_fan": 0.0, "floor_16_smoke_fan": 1.0, "lift_recall_01": 1.0, "lift_recall_16": 1.0,
         "lift_recall_02": 0.0, "gas_valve_8": 1.0},
        requests=4,
    ),
    "site-standard-fire-relay": Case(
        {"fire": "", "fault": ""}, {2: {1: "01"}}, {"fire": 0.0, "fault": 1.0}, requests=1,
    ),
    "deep-sea-dse8xxx": Case(
        units({"kPa": "oil_pressure", "°C": "coolant_temp", "%": "fuel load", "rpm": "speed", "Hz": "frequency",
               "V": "battery_voltage voltage_l1n voltage_l2n voltage_l3n", "A": "current_l1 current_l2 current_l3",
               "kW": "power", "h": "run_time", "kWh": "energy",
               "": "mode state starts alarm_count low_oil_pressure high_coolant_temp fail_to_start low_fuel "
                   "test_start test_cancel"}),
        {3: {772: "0001", 1024: "019F 0056 FFFF 0052 0000 0119 0708 0258", 1032: "0000 089D", 1034: "FFFF FFFF",
             1036: "0000 089E", 1044: "0000 1B58", 1408: "0003", 1536: "0006 68A0", 1558: "020D", 1798: "0000 8CA0",
             1800: "0001 86A0", 1808: "0000 026A", 39424: "001C 1111 1131", 39431: "1121"}},
        {"mode": 1.0, "oil_pressure": 415.0, "coolant_temp": 86.0, "fuel": 82.0, "battery_voltage": 28.1,
         "speed": 1800.0, "frequency": 60.0, "voltage_l1n": 220.5, "voltage_l2n": BAD, "voltage_l3n": 220.6,
         "current_l1": 700.0, "state": 3.0, "power": 420.0, "load": 52.5, "run_time": 10.0, "energy": 10000.0,
         "starts": 618.0, "low_oil_pressure": 1.0, "high_coolant_temp": 1.0, "fail_to_start": 3.0, "low_fuel": 2.0,
         "test_start": 1.0, "test_cancel": 0.0},
        requests=6,
        writes=[("test_start", 1.0, ["10 10 08 00 02 04 8b 94 74 6b"]),
                ("test_cancel", 1.0, ["10 10 08 00 02 04 8b 95 74 6a"])],
    ),
    "site-standard-ats": Case(
        dict.fromkeys(["normal_source", "generator_source", "on_normal", "on_generator", "auto", "fault"], ""),
        {2: {0: "01", 2: "01", 4: "01"}},
        {"normal_source": 1.0, "generator_source": 0.0, "on_normal": 1.0, "on_generator": 0.0, "auto": 1.0,
         "fault": 0.0},
        requests=1,
    ),
    "apc-smart-ups": Case(
        units({"": "on_line on_battery bypass output_off fault input_bad test_runs battery_disconnected "
                   "replace_battery charger_fault test_passed test_failed", "s": "runtime",
               "%": "charge load load_apparent efficiency", "V": "battery_voltage output_voltage input_voltage",
               "°C": "battery_temp", "A": "output_current", "Hz": "output_frequency"}),
        {3: {0: "0000 0002", 22: "0004 0004", 128: "0000 0537", 130: "C800 1B40", 135: "0D80 2A00", 138: "FFFF",
             140: "0264", 142: "3700", 144: "1E00", 151: "36C0", 154: "2F00"}},
        {"on_line": 1.0, "on_battery": 0.0, "replace_battery": 1.0, "test_passed": 1.0, "runtime": 1335.0,
         "charge": 100.0, "battery_voltage": 218.0, "battery_temp": 27.0, "load": 42.0, "load_apparent": BAD,
         "output_current": 19.125, "output_voltage": 220.0, "output_frequency": 60.0, "input_voltage": 219.0,
         "efficiency": 94.0},
        requests=2,
    ),
    "site-standard-capacitor": Case(
        units({"": "breaker_closed breaker_tripped door_open auto step_1 step_2 step_3 step_4 step_5 step_6 "
                   "step_fault over_temperature"}),
        {2: {0: "01", 6: "01", 16: "01", 21: "01", 24: "01"}},
        {"breaker_closed": 1.0, "auto": 1.0, "step_1": 1.0, "step_2": 0.0, "step_6": 1.0, "step_fault": 1.0,
         "over_temperature": 0.0},
        requests=1,
    ),
    "site-standard-pulse-counter": Case(
        {f"ch_{n}_{what}": unit for n in range(1, 5)
         for what, unit in (("pulses", ""), ("overflow", ""), ("battery_low", ""), ("pause", "s"))},
        {4: {0: "0001 86A0 0004 003C", 48: "FFFF FFFF 0002 0000"}},
        {"ch_1_pulses": 100000.0, "ch_1_battery_low": 1.0, "ch_1_overflow": 0.0, "ch_1_pause": 60.0,
         "ch_4_pulses": 4294967295.0, "ch_4_overflow": 1.0, "ch_2_pulses": 0.0},
        requests=4,
    ),
}  # fmt: skip


def test_every_modbus_profile_has_its_case() -> None:
    profiles = [load_profile(path) for path in sorted(PROFILES.glob("*/*.toml"))]
    assert {profile.id for profile in profiles if profile.protocol == "modbus"} == set(CASES)


@pytest.mark.parametrize("profile_id", CASES)
def test_points_and_units(profile_id: str) -> None:
    profile = load(profile_id)
    check_profile(profile)
    assert {point.tag: point.unit for point in profile.points} == CASES[profile_id].points
    for point in profile.points:
        assert point.zh != point.en or point.kind == "multistate"
        if point.kind == "binary":
            assert [value for value, _, _ in point.states] == [0, 1], point.tag


@pytest.mark.parametrize("profile_id", CASES)
async def test_documented_bytes_become_values(profile_id: str) -> None:
    profile, case = load(profile_id), CASES[profile_id]
    paper = Paper(case.registers)
    driver, device = driver_on(profile, paper)
    batch = await driver.poll(device)
    assert len(paper.asked) == case.requests
    got = {profile.points[number].tag: place for place, number in enumerate(batch.point.tolist())}
    assert set(got) == set(case.points)
    for tag, wanted in case.values.items():
        value, quality = batch.value[got[tag]], batch.quality[got[tag]]
        if wanted is BAD:
            assert quality == Quality.BAD_SENSOR, tag
            assert math.isnan(value), tag
        else:
            assert quality == Quality.GOOD, tag
            assert value == pytest.approx(wanted, rel=2e-7, abs=1e-9), tag


@pytest.mark.parametrize("profile_id", CASES)
async def test_plausible_ranges_hold_the_documented_values(profile_id: str) -> None:
    profile, case = load(profile_id), CASES[profile_id]
    for tag, value in case.values.items():
        if isinstance(value, float):
            point = profile.point(tag)
            assert point.low <= value <= point.high, tag


@pytest.mark.parametrize(
    ("profile_id", "tag", "value", "sent"),
    [(name, *write) for name, case in CASES.items() for write in case.writes],
)
async def test_a_write_sends_the_documented_bytes(profile_id: str, tag: str, value: float, sent: list[str]) -> None:
    paper = Paper(CASES[profile_id].registers)
    driver, device = driver_on(load(profile_id), paper)
    await driver.write(device, tag, value)
    assert paper.written == sent


@pytest.mark.parametrize("profile_id", CASES)
async def test_what_is_not_commandable_cannot_be_written(profile_id: str) -> None:
    profile, case = load(profile_id), CASES[profile_id]
    paper = Paper(case.registers)
    driver, device = driver_on(profile, paper)
    writable = {tag for tag, _, _ in case.writes}
    assert {point.tag for point in profile.points if point.write} == writable - {
        "controller_heartbeat",
        "failsafe_timeout",
    }
    for point in profile.points:
        if point.tag not in writable:
            with pytest.raises(NotWritableError):
                await driver.write(device, point.tag, 1.0)
        elif point.write:
            with pytest.raises(NotWritableError, match="wanted"):
                await driver.write(device, point.tag, point.write.high + 1.0)
    assert paper.written == []


async def test_a_stopped_abb_drive_is_made_ready_first() -> None:
    paper = Paper({3: {0: "047E 3E80 0000 0203 0000"}})
    driver, device = driver_on(load("abb-ach580"), paper)
    await driver.write(device, "run_cmd", 1.0)
    assert paper.written == ["10 00 00 00 01 02 04 7e", "10 00 00 00 01 02 04 7f"]


async def test_the_tap_is_bad_unless_exactly_one_contact_is_closed() -> None:
    for closed in ({}, {8: "01", 12: "01"}):
        driver, device = driver_on(load("site-standard-cubicle"), Paper({2: dict(closed)}))
        batch = await driver.poll(device)
        assert batch.quality[device.profile.index("tap_position")] == Quality.BAD_SENSOR


async def test_a_delta_meter_with_the_other_word_order_is_set_by_option() -> None:
    driver, device = driver_on(load("delta-dpm-c530a"), Paper({3: {0x144: "6666 4236"}}), word_order="le-word")
    assert await driver.read(device, "power") == pytest.approx(45.6, rel=1e-6)


async def test_a_temperature_relay_that_counts_from_one_is_set_by_option() -> None:
    driver, device = driver_on(load("tecsystem-nt935"), Paper({3: {24: "0055"}}), base=1)
    assert await driver.read(device, "winding_temp_a") == 85.0


async def test_the_fire_panel_is_read_in_full_at_once_when_its_bits_change_and_else_every_two_seconds() -> None:
    clock = VirtualClock()
    profile, paper = load("site-standard-fire"), Paper({3: {0: "0001 0000", 111: "0000"}})
    driver, device = driver_on(profile, paper)
    driver._clock = clock
    counts = []
    for second in range(8):
        if second == 5:
            paper.words[3][1] = b"\0\1"
        before = len(paper.asked)
        batch = await driver.poll(device)
        counts.append(len(paper.asked) - before)
        assert len(batch) == (14 if counts[-1] == 1 else len(profile.points))
        await clock.advance(0.5)
    assert counts == [4, 1, 1, 1, 4, 4, 1, 1]


async def test_no_write_can_leave_for_a_line_that_is_read_only() -> None:
    connection = ReadConnection(parse_endpoint("tcp://127.0.0.1:502"))
    assert not hasattr(connection, "write")
    for function in set(range(256)) - {1, 2, 3, 4}:
        with pytest.raises(NotWritableError, match=f"function {function} was not sent"):
            await connection.read(1, bytes([function]) + bytes.fromhex("00 64 00 02"), 2, 1.0)


async def test_no_request_is_longer_than_the_model_allows_or_touches_what_it_forbids() -> None:
    limits = {"eastron-sdm630": 80, "carlo-gavazzi-em24": 11, "site-standard-chiller": 60, "danfoss-fc102": 10,
              "delta-cp2000": 8, "keba-p30": 2, "alpitronic-hyc50": 36}  # fmt: skip
    for name, case in CASES.items():
        paper = Paper(case.registers)
        driver, device = driver_on(load(name), paper)
        await driver.poll(device)
        for function, address, count in paper.asked:
            assert count <= limits.get(name, 125), name
            touched = set(range(address, address + count))
            if name == "site-standard-chiller":
                assert not touched & set(range(60, 100))
            if name == "carlo-gavazzi-em24" and function == 4:
                assert 0x0B not in touched


@pytest.mark.parametrize(
    ("text", "state"),
    [("4100 0000 0000 0000 0000", 0.0), ("4231 0000 0000 0000 0000", 1.0), ("4500 0000 0000 0000 0000", 0.0),
     ("4620 2020 2020 2020 2020", 5.0), ("4331 0000 0000 0000 0000", 1.0), ("3F3F 0000 0000 0000 0000", BAD),
     ("0000 0000 0000 0000 0000", BAD)],
)  # fmt: skip
async def test_an_alfen_charger_spells_its_state(text: str, state: object) -> None:
    driver, device = driver_on(load("alfen-ng910"), Paper({3: {1201: text}}))
    batch = await driver.poll(device)
    place = device.profile.index("state")
    if state is BAD:
        assert batch.quality[place] == Quality.BAD_SENSOR
    else:
        assert batch.value[place] == state


async def test_a_charger_state_that_no_document_knows_is_bad_and_not_free() -> None:
    driver, device = driver_on(load("delta-ac-max"), Paper({4: {1000: "0063"}}))
    batch = await driver.poll(device)
    assert batch.quality[device.profile.index("state")] == Quality.BAD_SENSOR
