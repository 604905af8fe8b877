"""What doors, zones, buttons and cameras say on the wire, and say again when asked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from simulators.fault import Board, View
from simulators.plant.device import Device, Occurrence, State
from simulators.site import SimulatedDevice
from simulators.wire.picture import draw
from simulators.wire.security_talker import VOICES, ControllerTalker, ulid

NOW = 1_772_414_122_410_000_000


def voice(profile: str, quantities: dict[str, float], **options: str) -> tuple[Any, Board, View]:
    table = np.array([[value] for value in quantities.values()])
    rows = {name: place for place, name in enumerate(quantities)}
    device = Device(SimulatedDevice("d", "x", profile, "mqtt://b:1", options=options), State(rows, table, 0))
    board = Board({"d": device}, now_ns=lambda: NOW)
    return VOICES[profile](board.views["d"]), board, board.views["d"]


def said(talker: Any, at_s: float) -> dict[str, Any]:
    return {message.topic: json.loads(message.payload) for message in talker.speak(NOW, at_s)}


def test_an_identifier_has_the_form_of_a_ulid_and_sorts_by_time() -> None:
    # github.com/ulid/spec: 26 characters of Crockford's base 32, the first ten are ms since 1970: 1469918176385 is
    # 01ARYZ6S41.
    first, later = ulid(1_469_918_176_385_000_000, "a"), ulid(1_469_918_176_386_000_000, "a")
    assert len(first) == 26
    assert first.startswith("01ARYZ6S41")
    assert later > first


def test_a_pressed_button_says_its_state_and_an_event_and_so_does_its_reset() -> None:
    talker, board, _ = voice("site-standard-sos", {"pressed": 0.0, "tamper": 0.0}, site="s", button="b1")
    assert said(talker, 0.0)["site/s/sos/b1/state"]["pressed"] is False
    assert said(talker, 0.1) == {}
    board.apply("set", "d", ["pressed", "1"])
    told = said(talker, 1.0)
    assert told["site/s/sos/b1/state"]["pressed"] is True
    assert (told["site/s/sos/b1/event"]["type"], told["site/s/sos/b1/event"]["seq"]) == ("pressed", 1)
    board.apply("clear", "d")
    assert said(talker, 2.0)["site/s/sos/b1/event"]["type"] == "reset"


@pytest.mark.parametrize(
    ("states", "codes"),
    [((3, 1), ["3401"]), ((1, 2, 0), ["1401"]), ((1, 4, 1), ["1130", "3130"]), ((0, 5, 0), ["1137", "3137"])],
)
def test_a_zone_speaks_contact_id(states: tuple[int, ...], codes: list[str]) -> None:
    talker, board, _ = voice(
        "site-standard-intrusion-zone", {"state": float(states[0]), "battery_low": 0.0}, site="s", zone="z"
    )
    said(talker, 0.0)
    told = []
    for step, state in enumerate(states[1:], 1):
        board.apply("set", "d", ["state", str(state)])
        event = said(talker, float(step)).get("site/s/intrusion/z/event")
        told += [event["code"]] if event else []
    assert told == codes


def test_a_door_controller_tells_again_from_a_number_on_and_leaves_a_will() -> None:
    talker, _, view = voice("site-standard-access-controller", {"online": 1.0, "duress": 0.0}, site="s", controller="w")
    assert isinstance(talker, ControllerTalker)
    assert talker.topics == ("site/s/access/w/cmd/replay",)
    for number in range(4):
        view.device.occurrences.append(Occurrence(NOW + number, "door_closed", {"door": f"w-{number}"}))
    first = [json.loads(m.payload)["seq"] for m in talker.speak(NOW, 0.0) if m.topic.endswith("/event")]
    assert first == [1, 2, 3, 4]
    again = talker.hear("site/s/access/w/cmd/replay", b'{"from":3}', NOW)
    assert [json.loads(m.payload)["door"] for m in again] == ["w-2", "w-3"]
    for nonsense in (b"", b"[]", b'{"from":"3"}', b'{"from":true}', b"\xff"):
        assert list(talker.hear("site/s/access/w/cmd/replay", nonsense, NOW)) == []
    (will,) = talker.lost(NOW)
    assert (will.topic, json.loads(will.payload)["state"], will.retain) == ("site/s/access/w/status", "offline", True)
    assert said(talker, 1.0)["site/s/access/w/status"]["state"] == "online", "back, it says so at once"


def test_frigate_speaks_in_bare_words_and_shows_a_picture_each_half_minute() -> None:
    talker, _, _ = voice("frigate", {"online": 1.0, "motion": 0.0}, camera="c1")
    topics: dict[str, list[bytes]] = {}
    for second in range(60):
        for message in talker.speak(NOW, float(second)):
            topics.setdefault(message.topic, []).append(message.payload)
    assert topics["frigate/c1/status/detect"][0] == b"online"
    assert topics["frigate/c1/motion"][0] == b"OFF"
    pictures = topics["frigate/c1/person/snapshot"]
    assert len(pictures) == 2
    assert all(data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9") for data in pictures)


def test_a_picture_moves_with_somebody_in_it_alone() -> None:
    quiet = [draw("cam-1", NOW + s * 1_000_000_000) for s in (0, 0)]
    assert quiet[0] == quiet[1]
    moving = draw("cam-1", NOW, motion=True)
    assert moving != quiet[0]
    assert draw("cam-1", NOW + 3_000_000_000, motion=True) != moving
    assert len({draw("cam-1", NOW, covered=True), draw("cam-1", NOW, lost=True), quiet[0]}) == 3
    assert len(moving) < 30_000
