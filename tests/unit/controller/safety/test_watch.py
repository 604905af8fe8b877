"""The watch in a small house: at once, unrecorded while the journal is down, through restarts, by the panel alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.command.hold import ALL_HELD
from controller.errors import ConflictError
from controller.safety.alarm import EFFECTS, RESPONSE, STATUS
from controller.safety.cause import FireTable
from controller.safety.effect import SightState
from controller.safety.fire import FireStatus, Reason
from controller.safety.response import Phase
from drivers.reading import Readings
from tests.virtual.fire import FireHouse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.safety.effect import Sight

FAN, CHILLER = "cityhall.hvac.ahu_03f_n.fan_cmd", "cityhall.plant.ch1.chw_setpoint"


@pytest.fixture
async def house() -> AsyncIterator[FireHouse]:
    opened = await FireHouse(1).open()
    await opened.run(6.0)
    yield opened
    assert not opened.wrong
    await opened.kill()


def raised(house: FireHouse) -> set[str]:
    return {alarm.id for alarm in house.parts.alarms.active() if alarm.state.state == "unacknowledged"}


async def test_after_a_start_nothing_is_sent_before_the_status_was_known_twice() -> None:
    house = FireHouse(1)
    house.plant.deaf.add("fire-panel")
    await house.open()
    await house.run(20.0)
    assert house.fire.picture.status is FireStatus.UNKNOWN
    assert {entry.device for entry in house.plant.ledger.written if entry.address != "controller_alive"} <= {"ch1-unit"}
    house.plant.deaf.clear()
    await house.run(20.0)
    assert str(house.fire.picture.status) == "normal"
    assert "ahu-03f-n" in {entry.device for entry in house.plant.ledger.written}
    await house.kill()


async def test_a_panel_that_stays_silent_does_not_keep_the_building_for_ever() -> None:
    house = FireHouse(1)
    house.plant.deaf.add("fire-panel")
    await house.open()
    await house.run(12.0)
    assert house.fire.picture.status is FireStatus.UNKNOWN
    assert STATUS not in raised(house), "it may just not have been read yet"
    await house.run(8.0)
    assert STATUS in raised(house)
    await house.run(55.0)
    assert "ahu-03f-n" in {entry.device for entry in house.plant.ledger.written}
    assert STATUS in raised(house)
    await house.kill()


async def test_a_relay_that_is_not_heard_is_an_alarm_and_nobody_stands_down_meanwhile(house: FireHouse) -> None:
    assert house.fire.picture.status is FireStatus.NORMAL
    house.burn("3F")
    await house.run(3.0)
    house.plant.deaf.add("fire-relay")
    house.plant.panel.zone[:] = 0.0
    house.happen("reset")
    await house.run(30.0)
    assert (house.fire.picture.status, house.fire.picture.reasons) == (FireStatus.UNKNOWN, (Reason.RELAY_LOST,))
    assert STATUS in raised(house)
    assert not house.stand_down(), "the one source that is wired past the gateway is not known"
    house.plant.deaf.clear()
    await house.run(35.0)
    assert house.fire.picture.status is FireStatus.NORMAL
    assert house.stand_down()


async def test_a_fire_takes_its_floor_in_the_turn_that_sees_it_and_nothing_else(house: FireHouse) -> None:
    house.burn("3F")
    await house.run(1.0)
    assert house.fire.picture.status is FireStatus.FIRE
    arbiter = house.parts.arbiter
    assert arbiter.held(FAN) is not None
    assert arbiter.held("cityhall.lift.l01.park_floor") is not None
    assert arbiter.held("cityhall.hvac.ahu_04f_n.fan_cmd") is None
    assert arbiter.held(CHILLER) is None
    with pytest.raises(ConflictError, match=r"fire in Fire zone 3F .*; until the panel is reset"):
        arbiter.request(FAN, 8, 1.0, "operator", "by hand")
    assert RESPONSE in raised(house)
    taken = {(item.point, item.slot, item.owner) for item in house.fire.emptied}
    assert (FAN, 15, "schedule") in taken, "whoever stands down sees what was there"
    await house.run(4.0)
    assert not house.fire.unrecorded
    assert house.journal.fire_events[:2] == ["began", "first"]


async def test_with_the_journal_down_it_is_answered_at_once_and_marked_unrecorded(house: FireHouse) -> None:
    house.journal.down = True
    house.burn("3F")
    await house.run(1.0)
    assert house.fire.response.phase is Phase.ACTIVE
    assert house.parts.arbiter.held(FAN) is not None
    assert house.fire.unrecorded
    await house.run(5.0)
    assert house.fire.unrecorded
    assert house.journal.fire_events == []
    house.journal.down = False
    await house.run(3.0)
    assert not house.fire.unrecorded
    assert house.journal.fire_events[:2] == ["began", "first"]


async def test_a_restart_in_the_fire_comes_up_holding_even_when_the_panel_is_gone(house: FireHouse) -> None:
    house.burn("3F")
    await house.run(3.0)
    held = {address for address in house.made.table.points if house.parts.arbiter.held(address)}
    house.plant.deaf |= {"fire-panel", "fire-relay"}
    await house.restart()
    assert {address for address in house.made.table.points if house.parts.arbiter.held(address)} == held
    await house.run(90.0)
    assert (house.fire.picture.status, house.fire.response.phase) == (FireStatus.UNKNOWN, Phase.ACTIVE)
    assert not house.stand_down(), "nobody knows whether it is over"
    assert "restarted" in house.journal.fire_events


async def test_a_state_that_cannot_be_read_back_holds_everything(house: FireHouse) -> None:
    house.journal.fire_state = {"response": {"id": "x"}, "emptied": [], "seen": []}
    await house.restart()
    arbiter = house.parts.arbiter
    assert all(arbiter.held(address) for address in house.made.table.points)
    await house.run(8.0)
    assert house.stand_down()
    await house.run(20.0)
    assert house.fire.response.phase is Phase.IDLE
    assert not any(arbiter.held(address) for address in house.made.table.points)


async def test_a_restart_while_it_is_given_back_goes_on_where_it_was(house: FireHouse) -> None:
    house.burn("3F")
    await house.run(3.0)
    house.happen("reset")
    await house.run(3.0)
    assert house.stand_down()
    await house.run(0.5)
    done = house.fire.response.given_back
    assert done >= 1
    await house.restart()
    assert (house.fire.response.phase, house.fire.response.given_back) == (Phase.RESTORING, done)
    await house.run(15.0)
    assert house.fire.response.phase is Phase.IDLE
    assert house.journal.fire_state is None
    assert house.journal.fire_events[-1] == "ended"


GAS = ("gas_shut", "cityhall.fire.panel.gas_valve_1")


def sight_of(house: FireHouse, key: tuple[str, str]) -> Sight:
    return next(sight for sight in house.fire.sights if sight.key == key)


async def given_back_halfway(house: FireHouse) -> None:
    """A fire on 3F whose gas valve was seen shut, reset, stood down, and given back in part."""
    slow = replace(house.made.table, pause_s=6.0)
    house.fire._table_of = lambda: slow
    house.burn("3F")
    await house.run(14.0)
    assert sight_of(house, GAS).state is SightState.DONE
    house.happen("reset")
    await house.run(6.0)
    assert house.stand_down()
    await house.run(3.0)
    assert house.fire.response.given_back == 1
    hold = house.parts.arbiter.held(FAN)
    assert hold is not None
    assert 15 not in hold.slots
    assert house.parts.arbiter.slots(FAN)[14] is not None, "the schedule has it again"


async def test_a_fire_while_it_is_given_back_is_looked_at_anew(house: FireHouse) -> None:
    await given_back_halfway(house)
    house.happen("jam", output="gas_valve_1")
    house.burn("4F")
    await house.run(1.5)
    arbiter, response = house.parts.arbiter, house.fire.response
    assert (response.phase, response.given_back, response.stood_down_by) == (Phase.ACTIVE, 0, "")
    for address in (FAN, "cityhall.hvac.ahu_04f_n.fan_cmd"):
        hold = arbiter.held(address)
        assert hold is not None
        assert hold.slots == ALL_HELD
        assert not any(arbiter.slots(address)[6:])
    assert (FAN, 15) in {(item.point, item.slot) for item in house.fire.emptied}
    assert sight_of(house, GAS).state is SightState.WAITING, "that it was shut in the first fire counts no more"
    assert EFFECTS not in raised(house)
    await house.restart()
    assert sight_of(house, GAS).seen_ns is None
    await house.run(14.0)
    assert sight_of(house, GAS).state is SightState.MISSING
    assert EFFECTS in raised(house)
    assert house.fire.next_step_s() is None
    assert house.fire.response.phase is Phase.ACTIVE, "only a new stand-down gives it back"
    house.happen("reset")
    await house.run(6.0)
    assert house.fire.response.phase is Phase.ACTIVE
    assert house.stand_down()
    await house.run(30.0)
    assert str(house.fire.response.phase) == "idle"
    assert not any(house.parts.arbiter.held(address) for address in house.made.table.points)


async def test_what_was_seen_in_the_new_fire_survives_a_restart_and_nothing_older(house: FireHouse) -> None:
    await given_back_halfway(house)
    before = house.clock.now_ns()
    house.burn("3F")
    await house.run(14.0)
    seen_ns = sight_of(house, GAS).seen_ns
    assert seen_ns is not None
    assert seen_ns >= before
    assert all(sight.since_ns >= before for sight in house.fire.sights)
    await house.restart()
    assert (sight_of(house, GAS).state, sight_of(house, GAS).seen_ns) == (SightState.DONE, seen_ns)


async def test_a_clock_that_is_set_between_two_fires_moves_no_limit(house: FireHouse) -> None:
    await given_back_halfway(house)
    house.clock.jump(-3600.0)
    house.happen("jam", output="gas_valve_1")
    house.burn("4F")
    await house.run(2.0)
    assert sight_of(house, GAS).state is SightState.WAITING
    await house.run(12.0)
    assert sight_of(house, GAS).state is SightState.MISSING


async def test_after_the_reset_nothing_is_missed_that_the_building_took_back(house: FireHouse) -> None:
    """A link that is lost after the reset, or a pre-alarm, is no fire: what went back by its wires is no deviation."""
    house.burn("3F")
    await house.run(14.0)
    house.happen("reset")
    await house.run(6.0)
    house.happen("pre_alarm", zone=21)
    await house.run(20.0)
    assert house.fire.picture.status is FireStatus.PRE_ALARM
    assert house.fire.response.phase is Phase.ACTIVE
    assert not house.stand_down()
    assert sight_of(house, GAS).state is SightState.DONE
    assert EFFECTS not in raised(house)


async def test_an_effect_that_does_not_come_is_an_alarm_and_one_that_comes_late_ends_it(house: FireHouse) -> None:
    machine = house.plant.held.setdefault("ahu-03f-n", {})
    machine["fan_run"], machine["smoke_damper_closed"] = 1.0, 1.0
    house.happen("jam", output="floor_06_fire_door_2")
    await house.run(6.0)
    house.burn("3F")
    await house.run(45.0)
    states = {(sight.effect.kind, sight.effect.point): str(sight.state) for sight in house.fire.sights}
    assert states["ahu_damper", "cityhall.hvac.ahu_03f_n.smoke_damper_closed"] == "done"
    assert states["ahu_stopped", "cityhall.hvac.ahu_03f_n.fan_run"] == "waiting"
    assert states["fire_door", "cityhall.fire.floor06.fire_door_1"] == "done"
    assert states["fire_door", "cityhall.fire.floor06.fire_door_2"] == "missing"
    assert EFFECTS in raised(house)
    await house.run(20.0)
    stopped = [str(sight.state) for sight in house.fire.sights if sight.effect.kind == "ahu_stopped"]
    assert stopped == ["missing"]
    machine["fan_run"] = 0.0
    await house.run(6.0)
    stopped = [str(sight.state) for sight in house.fire.sights if sight.effect.kind == "ahu_stopped"]
    assert stopped == ["late"]


async def test_the_reason_of_a_spoof_does_not_matter_only_the_panels_own_points_are_read(house: FireHouse) -> None:
    """A batch that says "no fire" for points of other devices, or late, or of numbers nobody has, clears nothing."""
    house.burn("3F")
    await house.run(2.0)
    panel = house.made.site.points["cityhall.fire.panel.fire"].number
    others = [point.number for point in house.made.site.points.values() if not point.device.startswith("fire-")]
    late = Readings(np.array([panel], np.int32), np.zeros(1), np.zeros(1, np.int64), np.zeros(1, np.uint8), late=True)
    for batch in (Readings.of(others, [0.0] * len(others), house.clock.now_ns()), late):
        house.cycle._inbox.readings(house.made.devices[-1], batch)  # type: ignore[union-attr]
        house.cycle.step()
        assert house.fire.picture.status is FireStatus.FIRE
        assert house.fire.response.phase is Phase.ACTIVE


async def test_a_new_table_takes_effect_in_the_middle_of_a_fire(house: FireHouse) -> None:
    house.burn("3F")
    await house.run(2.0)
    floor = next(cause for cause in house.made.table.causes if cause.id == "floor-3f")
    wider = replace(floor, points=(*floor.points, CHILLER))
    causes = tuple(wider if cause is floor else cause for cause in house.made.table.causes)
    table = replace(house.made.table, causes=causes)
    house.fire._table_of = lambda: table
    await house.run(0.5)
    assert house.parts.arbiter.held(CHILLER) is not None
    assert house.parts.arbiter.held(FAN) is not None
    house.must_hold.discard("ch1-unit")


async def test_a_table_that_leaves_points_out_lets_go_of_nothing_before_a_stand_down(house: FireHouse) -> None:
    house.burn("3F")
    await house.run(2.0)
    held = {address for address in house.made.table.points if house.parts.arbiter.held(address)}
    assert FAN in held
    causes = tuple(cause for cause in house.made.table.causes if cause.id != "floor-3f")
    table = replace(house.made.table, causes=causes)
    for _ in range(2):
        house.fire._table_of = lambda: table
        await house.run(2.0)
        assert {address for address in held if house.parts.arbiter.held(address)} == held
        with pytest.raises(ConflictError, match="is held empty by fire"):
            house.parts.arbiter.request(FAN, 8, 1.0, "operator", "by hand")
        house.made = replace(house.made, table=table)
        await house.restart()  # what is held outlives a crash with the new table, too
    house.plant.panel.zone[:] = 0.0
    house.happen("reset")
    await house.run(8.0)
    assert house.stand_down()
    await house.run(20.0)
    assert house.fire.response.phase is Phase.IDLE
    assert not [address for address in held if house.parts.arbiter.held(address)]


async def test_files_without_a_panel_end_no_fire(house: FireHouse) -> None:
    house.burn("3F")
    await house.run(2.0)
    none = FireTable()
    house.fire._table_of = lambda: none
    await house.run(2.0)
    assert (house.fire.picture.status, house.fire.response.phase) == (FireStatus.FIRE, Phase.ACTIVE)
    house.plant.panel.zone[:] = 0.0
    house.happen("reset")
    await house.run(8.0)
    assert house.fire.picture.reset, "it is looked at until all is given back"
    assert house.stand_down()
    await house.run(20.0)
    assert house.parts.arbiter.held(FAN) is None
    assert (house.fire.table.panel, house.fire.picture.status) == ("", FireStatus.UNKNOWN)
