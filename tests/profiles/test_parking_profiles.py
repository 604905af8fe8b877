"""Profiles of bays, gates, signs and charging bays: payloads typed from the document, and what the simulators say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from controller.share import share_dir
from drivers.driver import Device
from drivers.mqtt.route import Intake
from drivers.profile import load_profile
from drivers.reading import Quality
from simulators.fault import Board
from simulators.plant.device import Device as SimulatedThing
from simulators.plant.device import Occurrence, State
from simulators.site import SimulatedDevice
from simulators.wire.parking_talker import PARKING

NOW = 1_772_413_200_000_000_000
"""2026-03-02T01:00:00Z."""
OPTIONS: dict[str, dict[str, object]] = {
    "site-standard-parking-row": {"site": "cityhall", "level": "B2", "row": "3"},
    "site-standard-gate": {"site": "cityhall", "gate": "gate1"},
    "site-standard-guidance-sign": {"site": "cityhall", "level": "B2"},
    "site-standard-charging-bay": {"site": "cityhall", "charger": "EV07"},
}


def device(profile_id: str) -> Device:
    (path,) = (share_dir("config") / "profiles").glob(f"*/{profile_id}.toml")
    profile = load_profile(path)
    numbers = np.arange(len(profile.points), dtype=np.int32)
    return Device("d", profile, "mqtt://b:1883", numbers, period_s=3600.0, options=OPTIONS[profile_id])


def values(intake: Intake, one: Device, topic: str, payload: str, *, retained: bool = False) -> dict[str, Any]:
    parcels = intake.take(topic, payload.encode(), retained=retained, now_ns=NOW)
    return {
        one.profile.points[number].tag: value if quality == Quality.GOOD else None
        for parcel in parcels
        for batch in parcel.batches
        for number, value, quality in zip(
            batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
        )
    }


def test_each_bay_has_a_topic_of_its_own_and_a_message_speaks_for_one_bay() -> None:
    one = device("site-standard-parking-row")
    intake = Intake([one])
    assert len(intake.topics) == 21
    body = (
        '{"time":"2026-03-02T00:59:30Z","occupied":true,"since":"2026-03-02T00:10:00Z","battery":87,"charger":"EV07"}'
    )
    assert values(intake, one, "site/cityhall/parking/B2/bay/307", body, retained=True) == {"bay_07": 1.0}
    gateway = '{"time":"2026-03-02T00:59:30Z","battery":23,"bay":7}'
    assert values(intake, one, "site/cityhall/parking/B2/row/3", gateway) == {"battery": 23.0, "battery_bay": 7.0}
    assert values(intake, one, "site/cityhall/parking/B2/bay/407", body) == {}
    assert values(intake, one, "site/cityhall/parking/B2/bay/301", '{"occupied":"yes"}') == {}
    assert intake.counts.invalid == 1


def test_a_gate_tells_its_state_and_whose_plate_it_read_with_its_middle_covered() -> None:
    one = device("site-standard-gate")
    intake = Intake([one])
    state = '{"time":"2026-03-02T01:00:00Z","state":"fault","loop":true,"passages":1234}'
    found = values(intake, one, "site/cityhall/parking/gate/gate1", state)
    assert found == {"state": 3.0, "loop": 1.0, "passages": 1234.0}
    event = (
        '{"id":"g1-7","seq":7,"time":"2026-03-02T00:59:59Z","type":"plate_read","plate":"EAA-0107",'
        '"confidence":0.97,"lane":1,"dir":"in","vehicle":12}'
    )
    (parcel,) = intake.take("site/cityhall/parking/gate/gate1/event", event.encode(), retained=False, now_ns=NOW)
    (read,) = parcel.events
    assert (read.key, read.type, read.time_ns) == ("g1-7", "plate_read", NOW - 10**9)
    assert read.data == {"plate": "EA****07", "confidence": 0.97, "lane": 1, "dir": "in", "vehicle": 12}


def talk(profile_id: str, quantities: dict[str, float]) -> tuple[Any, SimulatedThing, np.ndarray, Board]:
    table = np.array([[value] for value in quantities.values()])
    rows = {tag: place for place, tag in enumerate(quantities)}
    made = SimulatedDevice("d", "x", profile_id, "mqtt://b:1883", options=OPTIONS[profile_id])
    thing = SimulatedThing(made, State(rows, table, 0))
    board = Board({"d": thing}, now_ns=lambda: NOW)
    return PARKING[profile_id](board.views["d"]), thing, table, board


ROW = {
    **{f"bay_{n:02}": float(n % 2) for n in range(1, 21)},
    **{f"battery_{n:02}": 50.0 + n for n in range(1, 21)},
    **{f"since_{n:02}": NOW / 1e9 - 60.0 for n in range(1, 21)},
    "chargers": 2.0, "battery": 51.0, "battery_bay": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("profile_id", "quantities", "wanted"),
    [
        ("site-standard-parking-row", ROW,
         {**{f"bay_{n:02}": float(n % 2) for n in range(1, 21)}, "battery": 51.0, "battery_bay": 1.0}),
        ("site-standard-gate", {"state": 1.0, "loop": 1.0, "passages": 77.0},
         {"state": 1.0, "loop": 1.0, "passages": 77.0}),
        ("site-standard-guidance-sign", {"free_shown": 37.0, "fault": 0.0}, {"free_shown": 37.0, "fault": 0.0}),
        ("site-standard-charging-bay", {"bay_occupied": 1.0, "vehicle": 12.0}, {"bay_occupied": 1.0, "vehicle": 12.0}),
    ],
)  # fmt: skip
def test_what_the_simulators_say_is_what_the_profile_reads(
    profile_id: str, quantities: dict[str, float], wanted: dict[str, float]
) -> None:
    voice, _, _, _ = talk(profile_id, quantities)
    one = device(profile_id)
    intake = Intake([one])
    found: dict[str, Any] = {}
    for message in voice.speak(NOW, 0.0):
        assert message.retain
        found |= values(intake, one, message.topic, message.payload.decode(), retained=True)
    assert found == wanted
    assert intake.counts.unknown_topic == intake.counts.invalid == intake.counts.fields == 0


def test_only_the_bay_that_changed_speaks_and_every_bay_once_an_hour() -> None:
    voice, _, table, board = talk("site-standard-parking-row", ROW)
    first = list(voice.speak(NOW, 0.0))
    assert len(first) == 21
    assert [json.loads(m.payload).get("charger") for m in first[1:4]] == ["EV01", "EV02", None]
    assert list(voice.speak(NOW, 1.0)) == []
    table[4, 0] = 0.0
    board.step()
    (message,) = voice.speak(NOW, 2.0)
    assert message.topic == "site/cityhall/parking/B2/bay/305"
    assert json.loads(message.payload)["occupied"] is False
    said = sum(len(list(voice.speak(NOW, float(at)))) for at in range(3, 3604, 10))
    assert 20 <= said <= 22
    board.apply("set", "d", ["bay_09", "0"])
    assert [m.topic[-3:] for m in voice.speak(NOW, 3604.0)] == ["309"]


def test_a_gate_event_has_a_number_that_rises_and_an_id_that_a_restart_does_not_repeat() -> None:
    voice, thing, _, _ = talk("site-standard-gate", {"state": 0.0, "loop": 0.0, "passages": 1.0})
    for k in range(2):
        thing.occurrences.append(Occurrence(NOW + k, "plate_read", {"plate": "IOA-0001", "lane": 1}))
    told = [json.loads(m.payload) for m in voice.speak(NOW, 0.0) if m.topic.endswith("/event")]
    assert [(one["seq"], one["type"], one["plate"]) for one in told] == [(k, "plate_read", "IOA-0001") for k in (1, 2)]
    assert len({one["id"] for one in told}) == 2
    again, thing, _, _ = talk("site-standard-gate", {"state": 0.0, "loop": 0.0, "passages": 1.0})
    thing.occurrences.append(Occurrence(NOW + 60 * 10**9, "plate_read", {}))
    assert json.loads(next(iter(again.speak(NOW, 0.0))).payload)["id"] not in {one["id"] for one in told}
