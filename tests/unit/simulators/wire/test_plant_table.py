"""Chillers and the plant header."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulators.wire.unit import Unit

Make = Callable[..., Unit]

_WRITABLE = ("enable", "chw_setpoint", "demand_limit", "alarm_reset", "controller_heartbeat")
_CHILLER = {
    "state": 2.0, "alarm_oil": 1.0, "remote": 1.0, "chw_supply_temp": 7.05, "chw_return_temp": 12.2, "power": 345.6,
    "energy": 70000.1, "gateway_heartbeat": 70000.0, "enable": 1.0, "chw_setpoint": 7.0, "demand_limit": 100.0,
    "alarm_reset": 0.0, "controller_heartbeat": 5.0, "effective_chw_setpoint": 7.0, "effective_demand_limit": 100.0,
    "start_wait": 120.0, "minimum_on_left": 90.0, "cw_leaving_temp": 34.5, "cw_entering_temp": 29.0,
    "evap_sat_temp": 5.25,
}  # fmt: skip


def ask(unit: Unit, request: str) -> str:
    return unit.answer(bytes.fromhex(request)).hex(" ").upper()


def test_standard_chiller_reads_its_two_blocks_and_nothing_between(unit: Make) -> None:
    chiller = unit("site-standard-chiller", **_CHILLER)

    assert ask(chiller, "03 00 00 00 05") == "03 0A 00 02 80 04 00 01 02 C1 04 C4"
    assert ask(chiller, "03 00 0A 00 02") == "03 04 00 00 87 00"  # 345.6 kW in 10 W
    assert ask(chiller, "03 00 14 00 02") == "03 04 00 0A AE 61"
    assert ask(chiller, "03 00 1C 00 02") == "03 04 00 01 11 70"
    assert ask(chiller, "03 00 64 00 07") == "03 0E 00 01 02 BC 03 E8 00 00 00 05 02 BC 03 E8"
    assert ask(chiller, "03 00 00 00 3C")[:5] == "03 78"
    for refused in ("03 00 3C 00 01", "03 00 3B 00 02", "03 00 63 00 02", "03 00 78 00 01"):
        assert ask(chiller, refused) == "83 02", refused
    assert ask(chiller, "03 00 00 00 3D") == "83 03"
    assert ask(chiller, "04 00 00 00 01") == "84 01"
    assert ask(chiller, "06 00 64 00 01") == "86 01"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("10 00 65 00 01 02 01 F4", "10 00 65 00 01"),  # 5.00 °C
        ("10 00 65 00 01 02 05 DC", "10 00 65 00 01"),  # 15.00 °C
        ("10 00 65 00 01 02 01 F3", "90 03"),
        ("10 00 65 00 01 02 05 DD", "90 03"),
        ("10 00 66 00 01 02 01 8F", "90 03"),  # 39.9 %
        ("10 00 64 00 01 02 00 02", "90 03"),
        ("10 00 69 00 01 02 02 BC", "90 02"),  # effective set-point is read only
        ("10 00 00 00 01 02 00 00", "90 02"),
        ("10 00 64 00 01 04 00 01", "90 03"),  # byte count
        ("10 00 64 00 03 06 00 01 02 EE 02 58", "10 00 64 00 03"),
    ],
)
def test_standard_chiller_judges_writes(unit: Make, request_: str, answer: str) -> None:
    assert ask(unit("site-standard-chiller", **_CHILLER, writable=_WRITABLE), request_) == answer


def test_a_write_with_one_bad_register_changes_none(unit: Make) -> None:
    chiller = unit("site-standard-chiller", **_CHILLER, writable=_WRITABLE)

    assert ask(chiller, "10 00 64 00 03 06 00 00 02 EE 00 01") == "90 03"
    assert ask(chiller, "03 00 64 00 03") == "03 06 00 01 02 BC 03 E8"
    assert ask(chiller, "10 00 64 00 03 06 00 00 02 EE 02 58") == "10 00 64 00 03"
    assert ask(chiller, "03 00 64 00 03") == "03 06 00 00 02 EE 02 58"


def test_a_locked_machine_answers_exception_3(unit: Make) -> None:
    chiller = unit("site-standard-chiller", **_CHILLER, writable=_WRITABLE, locked=True)
    assert ask(chiller, "10 00 64 00 01 02 00 00") == "90 03"


def test_23xrv_floats_are_one_address_apart_and_asked_alone(unit: Make) -> None:
    chiller = unit("carrier-23xrv", **_CHILLER, writable=_WRITABLE)

    assert ask(chiller, "04 00 3B 00 02") == "04 04 41 43 33 33"  # entering 12.2
    assert ask(chiller, "04 00 3C 00 02") == "04 04 40 E1 99 9A"  # leaving 7.05
    assert ask(chiller, "03 00 28 00 01") == "03 02 00 07"  # running
    assert ask(chiller, "03 00 2A 00 02") == "03 04 40 00 00 00"  # 2 min to start
    assert ask(chiller, "03 00 30 00 02") == "03 04 40 E0 00 00"
    assert ask(chiller, "03 00 31 00 03") == "03 06 00 00 00 64 00 64"
    for refused in ("04 00 3B 00 04", "04 00 3B 00 01", "04 00 3F 00 02"):
        assert ask(chiller, refused) == "84 02", refused
    assert ask(chiller, "03 00 28 00 04") == "83 02"


def test_23xrv_takes_start_set_point_and_limit(unit: Make) -> None:
    chiller = unit("carrier-23xrv", **_CHILLER, writable=_WRITABLE)

    assert ask(chiller, "06 00 2F 00 00") == "06 00 2F 00 00"
    assert ask(chiller, "10 00 30 00 02 04 41 00 00 00") == "10 00 30 00 02"
    assert ask(chiller, "03 00 30 00 02") == "03 04 41 00 00 00"
    assert ask(chiller, "06 00 32 00 65") == "86 03"
    assert ask(chiller, "10 00 30 00 02 04 42 88 00 00") == "90 03"  # 68 °C
    assert ask(chiller, "10 00 30 00 02 04 7F C0 00 00") == "90 03"  # NaN


def test_header_reads_fc04_and_writes_fc16(unit: Make) -> None:
    header = unit(
        "site-standard-plant-header", chw_supply_temp=7.05, chw_return_temp=12.2, differential_pressure=98.7,
        bypass_valve=12.0, outdoor_temp=-0.5, bypass_valve_cmd=10.0, differential_pressure_setpoint=100.0,
        writable=("bypass_valve_cmd", "differential_pressure_setpoint"),
    )  # fmt: skip

    assert ask(header, "04 00 00 00 06") == "04 0C 02 C1 04 C4 03 DB 00 0C FF FB 80 00"
    assert ask(header, "10 00 64 00 01 02 00 32") == "10 00 64 00 01"
    assert ask(header, "10 00 66 00 01 02 04 B0") == "10 00 66 00 01"
    assert ask(header, "03 00 64 00 03") == "03 06 00 32 00 0F 04 B0"
    assert ask(header, "10 00 64 00 01 02 00 65") == "90 03"
    assert ask(header, "04 00 09 00 01") == "84 02"
    assert ask(header, "06 00 64 00 32") == "86 01"
