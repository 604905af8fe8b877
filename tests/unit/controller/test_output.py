"""Logs: one line an event, secrets masked, whatever the texts are."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from controller.output import mask, set_up_logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter2", "hunter2"),
        ("password: hunter2, user: a", "hunter2"),
        ('{"password": "two words"}', "two words"),
        ("{'token': 'it\\'s here'}", "here"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("cookie=shifu=abcdef", "abcdef"),
        ("http://127.0.0.1:1/link#token=AbC-9_x", "AbC-9_x"),
        ("mqtt://me:geheim@10.0.0.1:1883 lost", "geheim"),
        ("used shifu_ABCDEFGHIJKLMNOPQRSTUV here", "ABCDEFGHIJKLMNOPQRSTUV"),
        ("SHIFU_SECRET_KEY = 12345", "12345"),
        ("csrf_token=xyz", "xyz"),
    ],
)
def test_secrets_in_texts_are_masked(text: str, secret: str) -> None:
    masked = mask(None, "", {"event": text, "detail": f"again {text}"})

    assert secret not in masked["event"]
    assert secret not in masked["detail"]
    assert "***" in masked["event"]


@pytest.mark.parametrize("text", ["10 tokens left", "password is wrong for wang.hm", "tcp://10.0.0.1:502: no answer"])
def test_texts_without_secrets_stay(text: str) -> None:
    assert mask(None, "", {"event": text}) == {"event": text}


def test_secrets_in_fields_tables_and_lists_are_masked() -> None:
    data = {"user": "u", "private_key": "k", "more": [{"token": "t"}, b"pass"]}
    entry = {"event": "a", "password": "x", "data": data}

    assert mask(None, "", entry) == {
        "event": "a",
        "password": "***",
        "data": {"user": "u", "private_key": "***", "more": [{"token": "***"}, "pass"]},
    }


@pytest.mark.parametrize("as_json", [True, False])
def test_an_event_is_one_line_and_cannot_forge_a_second(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    set_up_logging(json=as_json)
    log = logging.getLogger("shifu.test")
    log.info("topic %s", "a\n2026-01-01T00:00:00Z [error] all is lost\r\x1b[31m\u2028x")
    try:
        raise ValueError("first\nsecond password=hunter2")
    except ValueError:
        log.exception("failed")

    lines = capsys.readouterr().err.splitlines()

    assert len(lines) == 2
    assert "\x1b" not in lines[0]
    assert "ValueError: first" in lines[1]
    assert "hunter2" not in lines[1]


def test_json_has_time_level_logger_and_event(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(json=True)
    logging.getLogger("shifu.test").warning("溫度 %.1f", 21.5)

    entry = json.loads(capsys.readouterr().err)

    assert (entry["event"], entry["level"], entry["logger"]) == ("溫度 21.5", "warning", "shifu.test")
    assert entry["timestamp"].endswith("Z")


def test_libraries_speak_of_errors_alone_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(json=False)
    for name in ("pymodbus", "asyncua", "uvicorn", "alembic"):
        logging.getLogger(name).info("chatter")
    logging.getLogger("shifu.test").debug("detail")

    assert capsys.readouterr().err == ""
