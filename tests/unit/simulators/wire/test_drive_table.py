"""Drives: control words, references and what a drive that has tripped makes of them."""

from __future__ import annotations

from collections.abc import Callable

from simulators.wire.unit import Unit

Make = Callable[..., Unit]

_DRIVE = {
    "run": 0.0, "fault": 0.0, "remote": 1.0, "at_setpoint": 0.0, "speed": 0.0, "frequency": 0.0, "current": 0.0,
    "power": 0.0, "run_cmd": 0.0, "speed_cmd": 0.0,
}  # fmt: skip
_TURNING = {**_DRIVE, "run": 1.0, "run_cmd": 1.0, "speed": 80.0, "frequency": 48.0, "current": 12.34, "power": 5.67}
_WRITABLE = ("run_cmd", "speed_cmd")


def ask(unit: Unit, request: str) -> str:
    return unit.answer(bytes.fromhex(request)).hex(" ").upper()


def shown(unit: Unit, quantity: str) -> float:
    return unit.port.device.state[quantity]


def test_ach580_runs_at_80_percent_as_the_document_says(unit: Make) -> None:
    drive = unit("abb-ach580", **_DRIVE, writable=_WRITABLE)

    assert ask(drive, "10 00 00 00 02 04 04 7F 3E 80") == "10 00 00 00 02"
    assert (shown(drive, "run_cmd"), shown(drive, "speed_cmd")) == (1.0, 80.0)
    assert ask(drive, "03 00 00 00 02") == "03 04 04 7F 3E 80"
    assert ask(drive, "06 00 00 04 7E") == "06 00 00 04 7E"
    assert shown(drive, "run_cmd") == 0.0


def test_ach580_status_actual_and_parameters(unit: Make) -> None:
    drive = unit("abb-ach580", **_TURNING)

    assert ask(drive, "03 00 03 00 03") == "03 06 02 37 3E 80 3E 80"
    assert ask(drive, "03 00 69 00 02") == "03 04 12 C0 04 D2"  # 48.00 Hz, 12.34 A
    assert ask(drive, "03 00 71 00 01") == "03 02 02 37"  # 5.67 kW
    assert ask(drive, "03 4E F3 00 02") == "03 04 12 C0 00 00"  # 32 bit, LOW word first
    assert ask(drive, "03 00 0E 00 01") == "83 02"  # 400015
    assert ask(drive, "04 00 03 00 01") == "84 01"


def test_ach580_after_coast_is_inhibited_until_it_was_readied(unit: Make) -> None:
    drive = unit("abb-ach580", **_DRIVE, writable=_WRITABLE)

    ask(drive, "06 00 00 04 7D")  # OFF2
    ask(drive, "06 00 00 04 7F")
    assert shown(drive, "run_cmd") == 0.0
    assert ask(drive, "03 00 03 00 01") == "03 02 02 70"  # inhibited
    ask(drive, "06 00 00 04 7E")
    ask(drive, "06 00 00 04 7F")
    assert shown(drive, "run_cmd") == 1.0


def test_ach580_ignores_a_word_without_remote_and_a_tripped_one_stands(unit: Make) -> None:
    drive = unit("abb-ach580", **_DRIVE, writable=_WRITABLE)
    ask(drive, "06 00 00 00 7F")
    assert shown(drive, "run_cmd") == 0.0

    tripped = unit("abb-ach580", **{**_DRIVE, "fault": 1.0}, writable=_WRITABLE)
    ask(tripped, "06 00 00 04 7E")
    ask(tripped, "06 00 00 04 7F")
    assert shown(tripped, "run_cmd") == 0.0
    assert ask(tripped, "03 00 03 00 01") == "03 02 02 78"


def test_fc102_runs_at_50_percent_as_the_document_says(unit: Make) -> None:
    drive = unit("danfoss-fc102", **_DRIVE, writable=_WRITABLE)

    assert ask(drive, "06 C3 4F 04 7C") == "06 C3 4F 04 7C"
    assert ask(drive, "06 C3 59 20 00") == "06 C3 59 20 00"
    assert (shown(drive, "run_cmd"), shown(drive, "speed_cmd")) == (1.0, 50.0)
    ask(drive, "06 C3 4F 04 3C")
    assert shown(drive, "run_cmd") == 0.0
    assert ask(drive, "10 C3 4F 00 02 04 04 7C 20 00") == "90 02"  # ten apart: two writes


def test_fc102_without_data_valid_ignores_the_word(unit: Make) -> None:
    drive = unit("danfoss-fc102", **_DRIVE, writable=_WRITABLE)
    ask(drive, "06 C3 4F 00 7C")
    assert shown(drive, "run_cmd") == 0.0


def test_fc102_status_actual_parameters_and_coils(unit: Make) -> None:
    drive = unit("danfoss-fc102", **{**_TURNING, "speed": 50.0}, writable=_WRITABLE)

    assert ask(drive, "03 C4 17 00 01") == "03 02 0A 07"
    assert ask(drive, "03 C4 21 00 01") == "03 02 20 00"
    assert ask(drive, "03 3F 0B 00 02") == "03 04 00 00 04 D2"  # 16-14: 12.34 A
    assert ask(drive, "03 3F 01 00 01") == "03 02 01 E0"  # 16-13: 48.0 Hz
    assert ask(drive, "03 3F 0B 00 0B") == "83 03"
    assert ask(drive, "03 C4 18 00 01") == "83 02"
    assert ask(drive, "01 00 20 00 10") == "01 02 07 0A"  # coils 33-48: the status word
    assert ask(drive, "0F 00 00 00 10 02 3C 04") == "0F 00 00 00 10"  # coils 1-16: stop
    assert shown(drive, "run_cmd") == 0.0
    assert ask(drive, "05 00 06 FF 00") == "05 00 06 FF 00"  # coil 7: start
    assert shown(drive, "run_cmd") == 1.0
    assert ask(drive, "05 00 20 FF 00") == "85 02"
    assert ask(drive, "05 00 06 00 01") == "85 03"


def test_cp2000_runs_at_40_hz_as_the_document_says(unit: Make) -> None:
    drive = unit("delta-cp2000", **_DRIVE, writable=_WRITABLE)

    assert ask(drive, "10 20 00 00 02 04 00 12 0F A0") == "10 20 00 00 02"
    assert shown(drive, "run_cmd") == 1.0
    assert round(shown(drive, "speed_cmd"), 3) == 66.667  # of 60 Hz
    ask(drive, "06 20 00 00 01")
    assert shown(drive, "run_cmd") == 0.0


def test_cp2000_commands_cannot_be_read_and_eight_registers_are_the_limit(unit: Make) -> None:
    drive = unit("delta-cp2000", **_TURNING)

    assert ask(drive, "03 20 00 00 01") == "83 02"
    assert ask(drive, "03 21 01 00 01") == "03 02 04 03"  # running, by bus
    assert ask(drive, "03 21 03 00 01") == "03 02 12 C0"
    assert ask(drive, "03 21 00 00 07")[:5] == "03 0E"
    assert ask(drive, "03 21 00 00 09") == "83 03"
    assert ask(drive, "03 21 07 00 01") == "83 02"
    assert ask(drive, "10 20 00 00 09 12" + " 00 01" * 9) == "90 03"
