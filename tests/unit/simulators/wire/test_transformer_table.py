"""Temperature relays and cubicle contacts."""

from __future__ import annotations

from collections.abc import Callable

from simulators.wire.unit import Unit

Make = Callable[..., Unit]

_RELAY = {"winding_temp_a": 85.4, "winding_temp_b": 90.6, "winding_temp_c": 88.0, "core_temp": 71.0}
_BITS = {"temp_alarm": 0.0, "temp_trip": 0.0, "temp_fault": 0.0, "fan_1": 1.0, "fan_2": 0.0}


def ask(unit: Unit, request: str) -> str:
    return unit.answer(bytes.fromhex(request)).hex(" ").upper()


def test_nt935_channels_stand_four_apart_in_whole_degrees(unit: Make) -> None:
    relay = unit("tecsystem-nt935", address=3, **_RELAY, **_BITS)

    assert ask(relay, "03 00 19 00 10") == (
        "03 20 00 55 00 55 00 8C 00 96 00 5B 00 5B 00 8C 00 96 00 58 00 58 00 8C 00 96 00 47 00 47 00 8C 00 96"
    )
    assert ask(relay, "03 00 0F 00 01") == "03 02 00 08"  # fan 1
    assert ask(relay, "03 00 11 00 01") == "03 02 00 03"  # printed 17 is the unit's own address
    assert ask(relay, "03 00 29 00 01") == "83 02"
    assert ask(relay, "04 00 19 00 01") == "84 01"


def test_nt935_keeps_its_maximum_and_refuses_a_datum_in_silence(unit: Make) -> None:
    relay = unit("tecsystem-nt935", **_RELAY, **_BITS)
    ask(relay, "03 00 19 00 02")

    assert ask(relay, "06 00 1C 00 5A") == "06 00 1C 00 5A"  # trip 90 below alarm 140
    assert ask(relay, "03 00 1C 00 01") == "03 02 00 96"
    assert ask(relay, "03 00 07 00 01") == "03 02 00 01"
    assert ask(relay, "06 00 1C 00 A0") == "06 00 1C 00 A0"
    assert ask(relay, "03 00 1C 00 01") == "03 02 00 A0"
    assert ask(relay, "06 00 0A 00 C9") == "86 03"  # fan test every 201 h


def test_nt935_broken_sensor(unit: Make) -> None:
    relay = unit("tecsystem-nt935", **{**_RELAY, "winding_temp_a": float("nan")}, **{**_BITS, "temp_fault": 1.0})

    assert ask(relay, "03 00 19 00 01") == "03 02 7F FF"
    assert ask(relay, "03 00 0F 00 01") == "03 02 00 0C"


def test_mt200_counts_hundredths_and_its_bits_are_the_other_way_round(unit: Make) -> None:
    relay = unit("diel-mt200", **_RELAY, **{**_BITS, "temp_alarm": 1.0, "temp_trip": 0.0})

    assert ask(relay, "03 00 01 00 01") == "03 02 21 5C"
    assert ask(relay, "04 00 01 00 01") == "04 02 21 5C"
    assert ask(relay, "03 00 0A 00 01") == "03 02 00 0A"  # bit 1 pre-alarm, bit 3 fan
    assert ask(relay, "06 00 17 00 01") == "86 03"


def test_cubicle_answers_fc02_alone(unit: Make) -> None:
    cubicle = unit(
        "site-standard-cubicle", breaker_closed=1.0, racked_in=1.0, remote=1.0, dc_supply_ok=1.0, tap_position=3.0,
        fan_1_runs=1.0,
    )  # fmt: skip

    assert ask(cubicle, "02 00 00 00 10") == "02 02 C5 24"
    assert ask(cubicle, "02 00 08 00 05") == "02 01 04"  # exactly one tap
    assert ask(cubicle, "02 00 00 00 11") == "82 02"
    assert ask(cubicle, "01 00 00 00 01") == "81 01"
    assert ask(cubicle, "05 00 00 FF 00") == "85 01"
