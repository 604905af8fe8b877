"""Devices that speak JSON by themselves: state when it changes and now and then, events as they happen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from simulators.fault import Board
from simulators.plant.device import Device, Occurrence, State
from simulators.site import SimulatedDevice
from simulators.wire.talker import StateTalker

_NOW = 1_772_413_200_000_000_000


def talker(**options: Any) -> tuple[StateTalker, np.ndarray, Device, Board]:
    table = np.zeros((1, 1))
    device = Device(SimulatedDevice("sos-1", "x", "p", "mqtt://b:1"), State({"pressed": 0}, table, 0))
    board = Board({"sos-1": device}, now_ns=lambda: _NOW)
    voice = StateTalker(
        board.views["sos-1"], "site/s/sos/1", lambda state: {"pressed": bool(state["pressed"])}, **options
    )
    return voice, table, device, board


def said(voice: StateTalker, at_s: float) -> list[dict[str, Any]]:
    return [json.loads(message.payload) for message in voice.speak(_NOW, at_s)]


def test_state_is_said_at_once_then_when_it_changes_and_every_heartbeat() -> None:
    voice, table, _, board = talker(heartbeat_s=60.0)

    assert [item["pressed"] for item in said(voice, 0.0)] == [False]
    assert said(voice, 1.0) == []
    table[0, 0] = 1.0
    board.step()
    assert [item["pressed"] for item in said(voice, 2.0)] == [True]
    assert said(voice, 61.0) == []
    assert [item["pressed"] for item in said(voice, 62.0)] == [True]


def test_an_event_is_said_once_with_a_number_that_rises() -> None:
    voice, _, device, board = talker(
        event_topic="site/s/sos/event", event=lambda what, seq: {"type": what.type, "seq": seq, **what.data}
    )
    said(voice, 0.0)
    device.occurrences.append(Occurrence(_NOW, "pressed", {"by": "hand"}))
    board.apply("event", "sos-1", ["tamper", "line=open"])

    assert said(voice, 1.0) == [
        {"type": "pressed", "seq": 1, "by": "hand"},
        {"type": "tamper", "seq": 2, "line": "open"},
    ]
    assert said(voice, 2.0) == []
