"""Every error has a word that screens can say in their language."""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path

import pytest

from drivers.errors import (
    CAUSES,
    ConnectError,
    DecodeError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DriverError,
    NotSentError,
    NotTrustedError,
    ProfileError,
    cause_of,
)

WORDS = Path(__file__).parents[3] / "dashboards" / "control_room" / "src" / "lib" / "i18n"


def lost(error: BaseException) -> ConnectError:
    try:
        raise ConnectError("x") from error
    except ConnectError as made:
        return made


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (lost(ConnectionRefusedError(errno.ECONNREFUSED, "refused")), "closed"),
        (lost(OSError(errno.EHOSTUNREACH, "no route")), "unreachable"),
        (lost(FileNotFoundError(errno.ENOENT, "no such port")), "line"),
        (lost(socket.gaierror(-2, "unknown")), "name"),
        (lost(ConnectionResetError(errno.ECONNRESET, "reset")), "connection"),
        (lost(ValueError("x")), "connection"),
        (ConnectError("x"), "connection"),
        (ConnectError("x", cause="sign_in"), "sign_in"),
        (NotSentError("x"), "connection"),
        (NotTrustedError("x"), "trust"),
        (DeviceTimeoutError("x"), "silent"),
        (DeviceRefusedError("x", 2), "refused"),
        (DecodeError("x"), "shape"),
        (ProfileError("x"), "settings"),
        (DriverError("x"), "fault"),
        (KeyError("x"), "fault"),
    ],
)
def test_what_is_wrong_in_one_word(error: BaseException, word: str) -> None:
    assert cause_of(error) == word
    assert word in CAUSES


@pytest.mark.parametrize("language", ["zh-TW", "en"])
def test_screens_know_every_word(language: str) -> None:
    text = (WORDS / language / "system.ts").read_text("utf-8")

    assert re.findall(r"'devices\.cause\.(\w+)':", text) == list(CAUSES)
