from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from controller.alarm.definition import AlarmDefinition, AlarmEntry, AlarmState, definition_id
from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from controller.point.model import Name
from drivers.reading import Quality

TEMP, BREAKER = 5, 9
HIGH = "hall.electrical.tx1.winding_temp_a#high"


def high(**changes: Any) -> AlarmDefinition:
    values: dict[str, Any] = {
        "id": HIGH,
        "kind": "high",
        "number": TEMP,
        "point": "hall.electrical.tx1.winding_temp_a",
        "device": "tx1-temp",
        "limit": 120.0,
        "unit": "°C",
        "priority": 2,
        "text": Name("TX-1 繞組溫度過高", "TX-1: winding temperature high"),
        "respond_s": 600.0,
        "equipment": "hall.electrical.tx1",
        "system": "electrical",
        "area": "substation",
        "floor": "B2",
    }
    return AlarmDefinition(**{**values, **changes})


def state_alarm(**changes: Any) -> AlarmDefinition:
    values: dict[str, Any] = {
        "id": "hall.electrical.tx1.mode#state",
        "kind": "state",
        "number": BREAKER,
        "states": (3, 7),
    }
    return AlarmDefinition(**{**values, **changes})


def lost(**changes: Any) -> AlarmDefinition:
    values: dict[str, Any] = {
        "id": "tx1-temp#communication",
        "kind": "communication",
        "device": "tx1-temp",
        "text": Name("TX-1 溫度計 通訊中斷", "TX-1 relay: communication lost"),
    }
    return AlarmDefinition(**{**values, **changes})


class Rig:
    def __init__(self, *definitions: AlarmDefinition) -> None:
        self.clock = VirtualClock()
        self.entries: list[AlarmEntry] = []
        self.broken = False
        self.alarms = AlarmEngine(definitions, self.clock, self.record)

    def record(self, entry: AlarmEntry) -> None:
        if self.broken:
            raise UnavailableError("the disk is full")
        self.entries.append(entry)

    def read(self, *values: float, number: int = TEMP, quality: int = 0) -> None:
        n = len(values)
        self.alarms.check(np.full(n, number, np.int32), np.array(values, np.float64), np.full(n, quality, np.uint8))

    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.alarms.tick()

    def state(self, id_: str = HIGH) -> str:
        return self.alarms.get(id_).state.state

    @property
    def moves(self) -> list[tuple[str, str, str]]:
        return [(entry.event, entry.from_state, entry.to_state) for entry in self.entries]


def test_an_alarm_comes_is_seen_and_goes() -> None:
    rig = Rig(high())
    rig.read(120.0)
    assert rig.state() == "normal"  # at the limit is not above it
    rig.read(120.5)
    assert rig.state() == "unacknowledged"
    [alarm] = rig.alarms.acknowledge([HIGH], "ming", "on my way")
    assert (alarm.state.state, alarm.state.acknowledged_by, alarm.state.comment) == (
        "acknowledged",
        "ming",
        "on my way",
    )
    rig.read(119.0)
    assert rig.state() == "normal"
    assert rig.moves == [
        ("raised", "normal", "unacknowledged"),
        ("acknowledged", "unacknowledged", "acknowledged"),
        ("returned", "acknowledged", "normal"),
    ]
    raised, seen, gone = rig.entries
    assert (raised.value, raised.limit, raised.source, raised.user) == (
        120.5,
        120.0,
        "hall.electrical.tx1.winding_temp_a",
        "",
    )
    assert (seen.user, seen.comment, gone.value) == ("ming", "on my way", 119.0)
    assert len({entry.occurrence for entry in rig.entries}) == 1
    assert len({entry.id for entry in rig.entries}) == 3
    assert rig.alarms.active() == []


@pytest.mark.parametrize(
    ("kind", "limit", "calm", "over", "inside_deadband"),
    [("high_high", 50.0, 40.0, 51.0, 49.0), ("low", 10.0, 20.0, 9.0, 11.0), ("low_low", -5.0, 0.0, -6.0, -4.0)],
)
def test_deadband(kind: str, limit: float, calm: float, over: float, inside_deadband: float) -> None:
    rig = Rig(high(kind=kind, limit=limit, deadband=2.0))
    rig.read(calm)
    rig.read(inside_deadband)
    assert rig.state() == "normal"
    rig.read(over)
    rig.read(inside_deadband)
    assert rig.state() == "unacknowledged"
    rig.read(calm)
    assert rig.state() == "returned"


def test_on_delay_counts_unbroken_time_only() -> None:
    rig = Rig(high(on_delay_s=60.0))
    rig.read(130.0)
    rig.wait(59.0)
    rig.read(100.0)
    rig.wait(2.0)
    assert rig.state() == "normal"
    rig.read(130.0)
    rig.wait(59.9)
    rig.read(131.0)
    assert rig.state() == "normal"
    rig.wait(0.1)
    assert rig.state() == "unacknowledged"
    assert rig.entries[0].value == 131.0


def test_off_delay() -> None:
    rig = Rig(high(off_delay_s=30.0))
    rig.read(130.0)
    rig.read(100.0)
    rig.wait(29.0)
    rig.read(130.0)
    rig.wait(29.0)
    rig.read(100.0)
    rig.wait(29.0)
    assert rig.state() == "unacknowledged"
    rig.wait(1.0)
    assert rig.state() == "returned"


def test_a_reading_after_the_delay_raises_without_a_tick() -> None:
    rig = Rig(high(on_delay_s=10.0))
    rig.read(130.0)
    rig.clock.move(11.0)
    rig.read(130.0)
    assert rig.state() == "unacknowledged"


def test_every_reading_of_a_batch_counts() -> None:
    rig = Rig(high())
    rig.read(100.0, 130.0, 100.0, 131.0, 101.0)
    assert [(entry.event, entry.value) for entry in rig.entries] == [
        ("raised", 130.0),
        ("returned", 100.0),
        ("raised", 131.0),
        ("returned", 101.0),
    ]
    assert rig.state() == "returned"
    assert rig.alarms.get(HIGH).state.count == 2


def test_of_very_many_readings_of_one_point_the_last_ones_count() -> None:
    rig = Rig(high())
    rig.read(*([130.0] * 200), 100.0)
    assert rig.state() == "returned"
    assert rig.alarms._conditions.collapsed == 201 - 64


def test_a_new_occurrence_while_the_first_is_unseen() -> None:
    rig = Rig(high())
    rig.read(130.0)
    first = rig.alarms.get(HIGH).state.occurrence
    rig.read(100.0)
    assert rig.state() == "returned"
    rig.clock.move(5.0)
    rig.read(140.0)
    state = rig.alarms.get(HIGH).state
    assert state.state == "unacknowledged"
    assert (state.count, state.value, state.returned_ns, state.raised_ns) == (2, 140.0, None, rig.clock.now_ns())
    assert state.occurrence != first
    rig.alarms.acknowledge([HIGH], "ming")
    rig.read(100.0)
    rig.read(150.0)
    assert rig.alarms.get(HIGH).state.count == 1  # it was normal in between


@pytest.mark.parametrize(
    "quality", [Quality.BAD_COMM, Quality.BAD_SENSOR, Quality.UNCERTAIN_STALE, Quality.UNCERTAIN_RANGE]
)
def test_what_is_not_good_neither_raises_nor_clears(quality: Quality) -> None:
    rig = Rig(high())
    rig.read(200.0, quality=quality)
    assert rig.state() == "normal"
    assert rig.alarms.get(HIGH).bad_input
    rig.read(130.0)
    assert not rig.alarms.get(HIGH).bad_input
    version = rig.alarms.version
    rig.read(20.0, quality=quality)
    assert rig.state() == "unacknowledged"
    assert [alarm.bad_input for alarm in rig.alarms.changed_since(version)[1]] == [True]
    rig.read(20.0)
    assert rig.state() == "returned"


def test_nan_called_good_is_bad_input() -> None:
    rig = Rig(high(), state_alarm())
    rig.read(math.nan)
    rig.read(math.inf)
    rig.read(math.nan, number=BREAKER)
    assert rig.entries == []
    assert rig.alarms.get(HIGH).bad_input


def test_a_delay_does_not_end_on_a_bad_input() -> None:
    rig = Rig(high(on_delay_s=60.0))
    rig.read(130.0)
    rig.wait(30.0)
    rig.read(math.nan, quality=Quality.BAD_COMM)
    rig.wait(300.0)
    assert rig.state() == "normal"
    rig.read(130.0)
    rig.wait(59.0)
    assert rig.state() == "normal"  # it began anew with the first good value
    rig.wait(1.0)
    assert rig.state() == "unacknowledged"


def test_overridden_is_good() -> None:
    rig = Rig(high())
    rig.read(130.0, quality=Quality.GOOD_OVERRIDDEN)
    assert rig.state() == "unacknowledged"


@pytest.mark.parametrize(
    ("states", "raising", "calm"),
    [
        ((3, 7), (3.0, 7.0), (0.0, 1.0, 5.0, 8.0, 3.5, -3.0, 1e9)),
        ((0,), (0.0,), (1.0, 2.0)),
        ((65_535,), (65_535.0,), (0.0,)),
    ],
)
def test_state_alarm(states: tuple[int, ...], raising: tuple[float, ...], calm: tuple[float, ...]) -> None:
    id_ = "hall.electrical.tx1.mode#state"
    for value in raising:
        for other in calm:
            rig = Rig(high(), state_alarm(states=states), high(id="z", number=BREAKER, limit=1e10))
            rig.read(other, number=BREAKER)
            assert rig.state(id_) == "normal"
            rig.read(value, number=BREAKER)
            assert rig.state(id_) == "unacknowledged"
            rig.read(other, number=BREAKER)
            assert rig.state(id_) == "returned"


def test_a_latched_alarm_waits_for_a_reset() -> None:
    rig = Rig(high(latching=True))
    rig.read(130.0)
    rig.read(100.0)
    assert rig.state() == "latched_unacknowledged"
    rig.alarms.acknowledge([HIGH], "ming")
    assert rig.state() == "latched_acknowledged"
    rig.read(130.0)
    assert rig.state() == "acknowledged"
    rig.alarms.reset([HIGH], "ming")
    assert rig.state() == "acknowledged"
    assert rig.alarms.undefined == 1
    rig.read(100.0)
    rig.alarms.reset([HIGH], "ming", "checked on site")
    assert rig.state() == "normal"
    assert rig.entries[-1].comment == "checked on site"


def test_a_low_priority_may_acknowledge_itself() -> None:
    rig = Rig(high(auto_acknowledge=True, priority=4))
    rig.read(130.0, 100.0)
    assert rig.state() == "normal"


def test_acknowledging_twice_or_a_normal_alarm_changes_nothing() -> None:
    rig = Rig(high())
    rig.alarms.acknowledge([HIGH], "ming")
    assert rig.entries == []
    rig.read(130.0)
    rig.alarms.acknowledge([HIGH], "ming")
    rig.alarms.acknowledge([HIGH], "mei")
    assert rig.alarms.get(HIGH).state.acknowledged_by == "ming"
    assert len(rig.entries) == 2
    assert rig.alarms.undefined == 2


def test_an_unknown_id_acknowledges_nothing() -> None:
    rig = Rig(high())
    rig.read(130.0)
    with pytest.raises(NotFoundError, match="'nothing#high'"):
        rig.alarms.acknowledge([HIGH, "nothing#high"], "ming")
    assert rig.state() == "unacknowledged"
    with pytest.raises(NotFoundError):
        rig.alarms.get("nothing#high")


def test_comment() -> None:
    rig = Rig(high())
    with pytest.raises(ConflictError, match="normal"):
        rig.alarms.comment(HIGH, "ming", "hello")
    rig.read(130.0)
    alarm = rig.alarms.comment(HIGH, "ming", "fan is off")
    assert alarm.state.comment == "fan is off"
    assert rig.moves[-1] == ("commented", "unacknowledged", "unacknowledged")
    rig.alarms.acknowledge([HIGH], "mei")
    assert rig.alarms.get(HIGH).state.comment == "fan is off"


def test_communication() -> None:
    rig = Rig(high(), lost(on_delay_s=5.0, off_delay_s=2.0))
    id_ = "tx1-temp#communication"
    rig.alarms.device("unwatched-device", True, "x")
    rig.alarms.device("tx1-temp", True, "connection refused")
    rig.alarms.device("tx1-temp", False)
    rig.wait(10.0)
    assert rig.state(id_) == "normal"
    rig.alarms.device("tx1-temp", True, "connection refused")
    rig.wait(3.0)
    rig.alarms.device("tx1-temp", True, "no route")
    rig.wait(2.0)
    alarm = rig.alarms.get(id_)
    assert alarm.state.state == "unacknowledged"
    assert alarm.reason() == "no route"
    assert alarm.to_json()["reason"] == {"zh": "no route", "en": "no route"}
    rig.alarms.device("tx1-temp", False)
    rig.clock.move(2.5)
    rig.alarms.device("tx1-temp", False)
    assert rig.state(id_) == "returned"
    assert rig.entries[0].value is None
    assert rig.entries[0].source == "tx1-temp"


def test_restart_restores_everything() -> None:
    rig = Rig(high(), state_alarm(), lost())
    rig.read(130.0, 100.0, 131.0)
    rig.alarms.acknowledge([HIGH], "ming", "seen")
    rig.read(3.0, 1.0, number=BREAKER)
    rig.alarms.device("tx1-temp", True, "gone")
    before = {state.definition: state for state in rig.alarms.states()}
    assert {state.state for state in before.values()} == {"acknowledged", "returned", "unacknowledged"}

    again = Rig(high(), state_alarm(), lost())
    again.alarms.restore([AlarmState.of(state) for state in before.values()])
    assert {state.definition: state for state in again.alarms.states()} == before
    assert again.entries == []
    assert {alarm.id for alarm in again.alarms.changed_since(0)[1]} == set(before)
    again.read(132.0)
    again.alarms.device("tx1-temp", True, "gone")
    assert again.entries == []  # still the same alarms
    again.read(100.0)
    assert again.state() == "normal"


def test_a_restored_state_without_definition_is_withdrawn() -> None:
    rig = Rig(high())
    rig.alarms.restore(
        [AlarmState("hall.old.thing.t#high", "1-1", "acknowledged", count=1), AlarmState(HIGH, "", "normal")]
    )
    assert rig.moves == [("withdrawn", "acknowledged", "normal")]
    assert rig.entries[0].state.state == "normal"
    assert rig.alarms.active() == []
    with pytest.raises(InvalidError, match="sleeping"):
        rig.alarms.restore([AlarmState(HIGH, "1-1", "sleeping")])


def test_a_new_configuration_keeps_states_and_delays() -> None:
    rig = Rig(high(on_delay_s=60.0), state_alarm(), lost())
    rig.read(3.0, number=BREAKER)
    rig.alarms.device("tx1-temp", True, "gone")
    rig.read(130.0)
    rig.clock.move(30.0)
    version = rig.alarms.version
    rig.alarms = rig.alarms.migrate([lost(priority=1), high(on_delay_s=60.0, priority=1), high(id="new", limit=50.0)])
    assert rig.alarms.version > version
    assert rig.moves[-1] == ("withdrawn", "unacknowledged", "normal")
    assert [alarm.id for alarm in rig.alarms.active()] == ["tx1-temp#communication"]
    rig.wait(30.0)
    assert rig.alarms.get(HIGH).definition.priority == 1
    assert rig.state() == "unacknowledged"


def test_a_changed_limit_begins_anew_but_keeps_the_state() -> None:
    rig = Rig(high())
    rig.read(130.0)
    rig.alarms.acknowledge([HIGH], "ming")
    rig.alarms = rig.alarms.migrate([high(limit=140.0)])
    assert rig.state() == "acknowledged"
    rig.read(130.0)
    assert rig.state() == "normal"


def test_the_list_is_sorted_by_severity() -> None:
    rig = Rig(
        high(id="c", number=1, priority=3),
        high(id="b", number=2, priority=1),
        high(id="a", number=3, priority=1),
        high(id="d", number=4, priority=4, life_safety=True),
        high(id="e", number=6, priority=1),
    )
    for number in (1, 2, 3, 4, 6):
        rig.clock.move(1.0)
        rig.read(130.0, number=number)
    rig.alarms.acknowledge(["e"], "ming")
    assert [alarm.id for alarm in rig.alarms.active()] == ["d", "a", "b", "e", "c"]


def test_changes_are_told_once_and_in_order() -> None:
    rig = Rig(high(id="a", number=1), high(id="b", number=2))
    rig.read(130.0, number=1)
    rig.read(130.0, number=2)
    version, alarms = rig.alarms.changed_since(0)
    assert [alarm.id for alarm in alarms] == ["a", "b"]
    assert rig.alarms.changed_since(version) == (version, [])
    rig.read(100.0, number=1)
    rig.alarms.acknowledge(["a"], "ming")
    later, alarms = rig.alarms.changed_since(version)
    assert [(alarm.id, alarm.state.state) for alarm in alarms] == [("a", "normal")]
    assert later > version


def test_the_change_is_seen_only_after_the_record() -> None:
    seen: list[int] = []
    clock = VirtualClock()

    def record(entry: AlarmEntry) -> None:
        seen.append(len(engine.changed_since(0)[1]))

    engine = AlarmEngine([high()], clock, record)
    engine.check(np.array([TEMP], np.int32), np.array([130.0]), np.zeros(1, np.uint8))
    assert seen == [0]
    assert len(engine.changed_since(0)[1]) == 1


def test_with_the_journal_down_alarms_are_raised_and_operators_refused() -> None:
    rig = Rig(high(), state_alarm())
    rig.read(3.0, number=BREAKER)
    rig.broken = True
    rig.read(130.0)
    rig.read(100.0)
    rig.read(1.0, number=BREAKER)
    assert rig.state() == "returned"
    assert rig.alarms.unrecorded == 3
    with pytest.raises(UnavailableError, match="3 wait"):
        rig.alarms.acknowledge([HIGH], "ming")
    assert rig.state() == "returned"
    rig.broken = False
    rig.alarms.tick()
    assert rig.alarms.unrecorded == 0
    assert [entry.event for entry in rig.entries] == ["raised", "raised", "returned", "returned"]
    rig.alarms.acknowledge([HIGH], "ming")
    assert rig.state() == "normal"


def test_an_operator_is_refused_when_only_his_entry_cannot_be_recorded() -> None:
    rig = Rig(high())
    rig.read(130.0)
    rig.broken = True
    with pytest.raises(UnavailableError, match="disk is full"):
        rig.alarms.acknowledge([HIGH], "ming")
    assert rig.state() == "unacknowledged"
    assert rig.alarms.unrecorded == 0


def test_unrecorded_entries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.alarm.engine._MAX_UNRECORDED", 4)
    rig = Rig(high())
    rig.broken = True
    rig.read(*([130.0, 100.0] * 5))
    assert rig.alarms.unrecorded == 4
    assert rig.alarms.dropped_entries == 6


def test_foreign_numbers_are_passed_over() -> None:
    rig = Rig(high())
    for number in (-1, 0, 4, 6, 10_000, 2**31 - 1):
        rig.read(500.0, number=number)
        rig.read(math.nan, number=number, quality=Quality.BAD_COMM)
    assert rig.entries == []
    rig.alarms.check(np.empty(0, np.int32), np.empty(0), np.empty(0, np.uint8))


def test_without_definitions() -> None:
    rig = Rig()
    rig.read(1.0, math.nan)
    rig.wait(1.0)
    assert rig.alarms.active() == []


def test_a_clock_jump_moves_nothing() -> None:
    rig = Rig(high(on_delay_s=60.0))
    rig.read(130.0)
    rig.clock.jump(3600.0)
    rig.alarms.tick()
    assert rig.state() == "normal"
    rig.clock.jump(-7200.0)
    rig.wait(60.0)
    assert rig.state() == "unacknowledged"


def test_json() -> None:
    rig = Rig(high(), lost(), state_alarm())
    rig.read(130.5)
    rig.clock.move(1.25)
    rig.alarms.acknowledge([HIGH], "ming")
    got = rig.alarms.get(HIGH).to_json()
    assert got == {
        "id": HIGH,
        "occurrence": "1767225600000000000-1",
        "state": "acknowledged",
        "priority": 2,
        "life_safety": False,
        "kind": "high",
        "point": "hall.electrical.tx1.winding_temp_a",
        "device": "tx1-temp",
        "equipment": "hall.electrical.tx1",
        "system": "electrical",
        "area": "substation",
        "floor": "B2",
        "text": {"zh": "TX-1 繞組溫度過高", "en": "TX-1: winding temperature high"},
        "reason": None,
        "consequence": {"zh": "", "en": ""},
        "action": {"zh": "", "en": ""},
        "respond_by": "2026-01-01T00:10:00.000Z",
        "value": 130.5,
        "limit": 120.0,
        "unit": "°C",
        "raised_at": "2026-01-01T00:00:00.000Z",
        "returned_at": None,
        "acknowledged_at": "2026-01-01T00:00:01.250Z",
        "acknowledged_by": "ming",
        "comment": None,
        "count": 1,
        "bad_input": False,
    }
    rig.read(3.0, number=BREAKER)
    got = rig.alarms.get("hall.electrical.tx1.mode#state").to_json()
    assert (got["value"], got["limit"], got["device"], got["respond_by"]) == (3.0, None, None, None)
    got = rig.alarms.get("tx1-temp#communication").to_json()
    assert (got["state"], got["occurrence"], got["point"], got["raised_at"], got["count"]) == (
        "normal",
        "",
        None,
        None,
        0,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "loud"}, "kind 'loud'"),
        ({"kind": "communication", "device": ""}, "needs the id of its device"),
        ({"number": -1}, "point number -1"),
        ({"limit": math.nan}, "limit nan"),
        ({"kind": "state"}, "no states"),
        ({"kind": "state", "states": (1, -2)}, "state -2"),
        ({"priority": 0}, "priority 0"),
        ({"on_delay_s": -1.0}, "on_delay_s -1"),
        ({"off_delay_s": math.inf}, "off_delay_s inf"),
        ({"deadband": math.nan}, "deadband nan"),
    ],
)
def test_a_wrong_definition_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidError, match=words):
        high(**changes)


def test_one_id_twice_is_refused() -> None:
    with pytest.raises(InvalidError, match=f"{HIGH} is defined twice"):
        Rig(high(), high(priority=1))


def test_ids() -> None:
    assert definition_id("high", point="a.b.c.d", device="x") == "a.b.c.d#high"
    assert definition_id("communication", device="x") == "x#communication"


def test_out_of_service_hides_alarms_and_they_come_back_by_themselves() -> None:
    rig = Rig(high(on_delay_s=5), lost(equipment="hall.electrical.tx1"), high(id="other#high", number=8, equipment="x"))
    rig.read(130.0)
    rig.wait(5)
    rig.alarms.acknowledge([HIGH], "ming")
    rig.alarms.take_out({"hall.electrical.tx1": "工單 114-0231"})
    assert (rig.state(), rig.state("tx1-temp#communication"), rig.state("other#high")) == (
        "out_of_service",
        "out_of_service",
        "normal",
    )
    assert rig.alarms.active() == []
    assert [alarm.reason() for alarm in rig.alarms.out_of_service()] == ["工單 114-0231"] * 2
    rig.alarms.take_out({"hall.electrical.tx1": "工單 114-0231"})
    assert len(rig.entries) == 4  # raised, acknowledged, twice removed; asking again changes nothing

    rig.read(200.0, quality=Quality.BAD_OUT_OF_SERVICE)
    rig.wait(60)
    rig.alarms.device("tx1-temp", True, "no answer")
    assert rig.alarms.active() == []

    rig.alarms.take_out({})
    # The relay is still silent: that alarm comes. The temperature is judged by its next good value, with its delay.
    assert [alarm.id for alarm in rig.alarms.active()] == ["tx1-temp#communication"]
    assert rig.alarms.get("tx1-temp#communication").reason() == "no answer"
    assert rig.state() == "normal"
    rig.read(130.0)
    assert rig.state() == "normal"
    rig.wait(5)
    assert rig.state() == "unacknowledged"


def test_life_safety_is_never_out_of_service() -> None:
    rig = Rig(high(life_safety=True))
    assert rig.alarms.life_safety_points == {TEMP}
    rig.read(130.0)
    rig.alarms.take_out({"hall.electrical.tx1": "工單 1"})
    assert rig.state() == "unacknowledged"


def test_out_of_service_lives_through_a_restart_and_a_journal_that_is_down() -> None:
    rig = Rig(high())
    rig.broken = True
    rig.alarms.take_out({"hall.electrical.tx1": "工單 1"})
    assert (rig.state(), rig.alarms.unrecorded) == ("out_of_service", 1)
    rig.broken = False
    rig.alarms.tick()
    assert rig.moves == [("removed", "normal", "out_of_service")]
    assert rig.entries[0].occurrence

    again = Rig(high())
    again.alarms.restore(rig.alarms.states())
    assert again.state() == "out_of_service"
    again.alarms.take_out({})
    assert (again.state(), again.moves) == ("normal", [("restored", "out_of_service", "normal")])
    assert again.alarms.get(HIGH).reason() == ""
