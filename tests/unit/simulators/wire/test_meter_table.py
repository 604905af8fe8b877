"""The meters' tables against bytes typed by hand from the documents."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from simulators.wire.unit import Unit

Make = Callable[..., Unit]


def ask(unit: Unit, request: str) -> str:
    return unit.answer(bytes.fromhex(request)).hex(" ").upper()


def test_sdm630_prints_230_2_volt_as_the_document_does(unit: Make) -> None:
    assert ask(unit("eastron-sdm630", voltage_l1n=230.2), "04 00 00 00 02") == "04 04 43 66 33 33"


def test_sdm630_gives_settings_by_fc03_and_measures_by_fc04(unit: Make) -> None:
    meter = unit("eastron-sdm630", address=7, power=12.5, frequency=60.0, energy_import=1000.25)

    assert ask(meter, "04 00 34 00 02") == "04 04 46 43 50 00"  # 12500 W
    assert ask(meter, "04 00 46 00 04") == "04 08 42 70 00 00 44 7A 10 00"  # 60 Hz, 1000.25 kWh
    assert ask(meter, "03 00 14 00 02") == "03 04 40 E0 00 00"  # its own address as a float
    assert ask(meter, "04 00 00 00 51") == "84 03"  # 81 registers
    assert ask(meter, "04 00 90 00 02") == "84 02"
    assert ask(meter, "05 00 00 FF 00") == "85 01"


def test_schneider_counts_watt_hours_in_64_bit(unit: Make) -> None:
    for model in ("schneider-iem3155", "schneider-pm5320", "schneider-pm5560"):
        meter = unit(model, energy_import=1234.567)
        assert ask(meter, "03 0C 83 00 04") == "03 08 00 00 00 00 00 12 D6 87"
        assert ask(meter, "04 0C 83 00 04") == "84 01"


def test_schneider_power_is_in_kilowatt_and_what_is_missing_is_nan(unit: Make) -> None:
    meter = unit("schneider-iem3155", power=45.6, power_l1=15.25)

    assert ask(meter, "03 0B F3 00 02") == "03 04 42 36 66 66"
    assert ask(meter, "03 0B ED 00 02") == "03 04 41 74 00 00"
    assert ask(meter, "03 0B D3 00 02") == "03 04 FF C0 00 00"
    assert ask(meter, "03 0E B5 00 02") == "83 02"  # iEM3000 has no demand
    assert ask(unit("schneider-pm5560", demand=45.6), "03 0E B5 00 02") == "03 04 42 36 66 66"


@pytest.mark.parametrize(("factor", "reactive", "coded"), [(0.9, 10.0, 0.9), (0.9, -10.0, 1.1), (-0.9, -10.0, -1.1)])
def test_schneider_power_factor_is_coded_by_quadrant(unit: Make, factor: float, reactive: float, coded: float) -> None:
    answer = unit("schneider-pm5560", power_factor=factor, reactive_power=reactive).answer(
        bytes.fromhex("03 0C 0B 00 02")
    )
    assert struct.unpack(">f", answer[2:])[0] == pytest.approx(coded)


def test_b23_prints_1234_56_watt_as_the_document_does(unit: Make) -> None:
    meter = unit("abb-b23", power=1.23456, voltage_l1n=230.1, frequency=60.02, energy_import=123.45, power_factor=-0.95)

    assert ask(meter, "03 5B 14 00 02") == "03 04 00 01 E2 40"
    assert ask(meter, "03 5B 00 00 02") == "03 04 00 00 08 FD"
    assert ask(meter, "03 5B 2C 00 01") == "03 02 17 72"
    assert ask(meter, "03 50 00 00 04") == "03 08 00 00 00 00 00 00 30 39"
    assert ask(meter, "03 5B 3A 00 01") == "03 02 FC 4A"
    assert ask(meter, "03 5B 02 00 02") == "03 04 FF FF FF FF"  # V L2 not supported
    assert ask(meter, "03 5B 16 00 02") == "03 04 7F FF FF FF"


def test_em24_sends_the_low_word_first(unit: Make) -> None:
    meter = unit("carlo-gavazzi-em24", power=-0.1234, voltage_l1n=230.1, frequency=60.0)

    assert ask(meter, "04 00 28 00 02") == "04 04 FB 2E FF FF"
    assert ask(meter, "04 00 00 00 02") == "04 04 08 FD 00 00"
    assert ask(meter, "04 00 37 00 01") == "04 02 02 58"
    assert ask(meter, "04 00 02 00 02") == "04 04 FF FF 7F FF"


def test_em24_takes_eleven_registers_and_its_model_alone(unit: Make) -> None:
    meter = unit("carlo-gavazzi-em24", voltage_l31=398.0)

    assert ask(meter, "04 00 00 00 0B")[:5] == "04 16"
    assert ask(meter, "04 00 00 00 0C") == "84 03"
    assert ask(meter, "04 00 0B 00 01") == "04 02 00 47"
    assert ask(meter, "04 00 0A 00 02") == "04 04 0F 8C 00 00"  # 398.0 V: 0x0B is a half of it there


def test_pac3200_never_tears_a_value(unit: Make) -> None:
    meter = unit("siemens-pac3200", power=45.6, voltage_l1n=230.2, energy_import=1234.567, frequency=60.0)

    assert ask(meter, "03 00 01 00 02") == "03 04 43 66 33 33"
    assert ask(meter, "04 00 01 00 02") == "04 04 43 66 33 33"
    assert ask(meter, "03 00 41 00 02") == "03 04 47 32 20 00"  # 65: 45600 W
    assert ask(meter, "03 03 21 00 04") == "03 08 41 32 D6 87 00 00 00 00"  # 801: 1234567 Wh as float64
    assert ask(meter, "03 00 37 00 02") == "03 04 42 70 00 00"
    assert ask(meter, "03 00 02 00 02") == "83 02"  # begins inside
    assert ask(meter, "03 00 01 00 03") == "83 02"  # ends inside
    assert ask(meter, "03 00 00 00 02") == "83 02"
    assert ask(meter, "03 03 21 00 02") == "83 02"  # half of a float64


def test_umg801_counts_watts_from_19000(unit: Make) -> None:
    meter = unit("janitza-umg801", power=45.6, voltage_l1n=230.2, energy_import=1.5)

    assert ask(meter, "03 4A 38 00 02") == "03 04 43 66 33 33"
    assert ask(meter, "03 4A 52 00 02") == "03 04 47 32 20 00"
    assert ask(meter, "03 4A 76 00 02") == "03 04 44 BB 80 00"
    assert ask(meter, "04 4A 38 00 02") == "84 01"


def test_dpm_c530a_prints_45_6_as_the_document_does(unit: Make) -> None:
    meter = unit("delta-dpm-c530a", power=45.6, energy_import=100.0)

    assert ask(meter, "03 01 44 00 02") == "03 04 42 36 66 66"
    assert ask(meter, "03 00 06 00 01") == "03 02 00 07"
    assert ask(meter, "03 00 EB 00 01") == "03 02 00 03"  # energies in 0.1 kWh
    assert ask(meter, "03 01 5C 00 02") == "03 04 44 7A 00 00"
    assert ask(meter, "10 00 0E 00 01 02 00 01") == "90 01"  # FC06 alone writes
    assert ask(meter, "06 00 0E 00 01") == "86 02"


def test_a_broken_value_is_sent_as_the_sentinel_and_never_as_zero(unit: Make) -> None:
    nan = float("nan")
    assert ask(unit("schneider-pm5560", power=nan), "03 0B F3 00 02") == "03 04 FF C0 00 00"
    assert ask(unit("abb-b23", power=nan), "03 5B 14 00 02") == "03 04 7F FF FF FF"
    assert ask(unit("janitza-umg801", power=nan), "03 4A 52 00 02") == "03 04 7F C0 00 00"


def test_a_value_beyond_its_type_stays_at_the_end(unit: Make) -> None:
    assert ask(unit("abb-b23", frequency=1e9), "03 5B 2C 00 01") == "03 02 FF FF"
    assert ask(unit("janitza-umg801", power=1e300), "03 4A 52 00 02") == "03 04 7F 80 00 00"
