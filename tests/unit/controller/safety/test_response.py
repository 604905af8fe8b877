"""The response: what is held, when a stand-down is taken, and in which order everything is given back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.command.hold import ALL_HELD
from controller.errors import ConflictError
from controller.point.model import Name
from controller.safety.cause import Cause, Effect, FireTable
from controller.safety.effect import SightState, deviations, expected, look
from controller.safety.fire import FirePicture, FireStatus
from controller.safety.response import SCHEDULED, STRATEGIC, Phase, Response, advance, holds, stand_down, steps

NAME = Name("名", "name")
S = 1_000_000_000


def effect(kind: str, point: str, within_s: float = 30.0) -> Effect:
    return Effect(kind, NAME, point, 1.0, 1.0, within_s)


LIFT, FAN = effect("lift", "b.lift.l1.r"), effect("fan", "b.hvac.a2.off", 10.0)
TABLE = FireTable(
    "b.fire.panel",
    zones=("b.fire.z1", "b.fire.z2", "b.fire.z3"),
    causes=(
        Cause("one", NAME, ("b.fire.z1",), ("b.hvac.a1.fan", "b.hvac.a1.sp", "b.lift.l1.park"), (LIFT,)),
        Cause("two", NAME, ("b.fire.z2", "b.fire.z3"), ("b.hvac.a2.fan", "b.lift.l1.park"), (LIFT, FAN)),
    ),
    batch=1,
)  # fmt: skip
CALM = FirePicture(FireStatus.NORMAL, (), reset=True)


def fire(*places: int, unlocated: bool = False) -> FirePicture:
    return FirePicture(FireStatus.FIRE, (), evidence=True, burning=places, unlocated=unlocated)


def events(response: Response, *pictures: FirePicture) -> tuple[Response, list[str]]:
    said = []
    for second, picture in enumerate(pictures, 1):
        response, notes = advance(response, picture, TABLE, second * S)
        said += [note.event for note in notes]
    return response, said


def test_a_fire_holds_its_own_equipment_and_spreads() -> None:
    response, said = events(Response(), CALM, fire(0), fire(0), fire(0, 1), fire(1))
    assert said == ["began", "first", "spread"]
    assert response.phase is Phase.ACTIVE
    assert [(item.zone, item.since_ns // S) for item in response.zones] == [("b.fire.z1", 2), ("b.fire.z2", 4)]
    held = holds(response, TABLE, "why")
    assert list(held) == ["b.hvac.a1.fan", "b.hvac.a1.sp", "b.lift.l1.park", "b.hvac.a2.fan"]
    assert {hold.slots for hold in held.values()} == {ALL_HELD}


def test_a_fire_that_nobody_can_place_holds_everything() -> None:
    response, said = events(Response(), fire(), fire(unlocated=True))
    assert said == ["began", "unlocated"]
    assert set(holds(response, TABLE, "why")) == set(TABLE.points)


def test_only_a_panel_that_is_reset_is_stood_down_from_and_nothing_ends_by_itself() -> None:
    response, said = events(Response(), fire(0), CALM, replace(CALM, reset=False, status=FireStatus.UNKNOWN), CALM)
    assert said == ["began", "first", "reset", "reset_lost", "reset"]
    for picture in (fire(0), replace(CALM, reset=False, status=FireStatus.UNKNOWN)):
        with pytest.raises(ConflictError, match="not reset"):
            stand_down(response, picture, "officer", "over", 9 * S)
    with pytest.raises(ConflictError, match="nothing to stand down"):
        stand_down(Response(), CALM, "officer", "over", 9 * S)
    later, _ = advance(response, CALM, TABLE, 10_000 * S)
    assert later.phase is Phase.ACTIVE, "no return by time"
    down = stand_down(response, CALM, "officer", "over", 9 * S)
    assert (down.phase, down.stood_down_by) == (Phase.RESTORING, "officer")
    with pytest.raises(ConflictError, match="officer stood down already"):
        stand_down(down, CALM, "other", "over", 9 * S)


def test_it_is_given_back_to_people_and_schedule_machine_by_machine_and_last_to_strategies() -> None:
    response, _ = events(Response(), fire(0, 1), CALM)
    response = stand_down(response, CALM, "officer", "over", 9 * S)
    plan = steps(response, TABLE)
    assert [(step.slots, step.points) for step in plan] == [
        (SCHEDULED, ("b.hvac.a1.fan", "b.hvac.a1.sp")),
        (SCHEDULED, ("b.lift.l1.park",)),
        (SCHEDULED, ("b.hvac.a2.fan",)),
        (STRATEGIC, ("b.hvac.a1.fan", "b.hvac.a1.sp", "b.lift.l1.park", "b.hvac.a2.fan")),
    ]
    left = [holds(replace(response, given_back=done), TABLE, "why") for done in range(len(plan) + 1)]
    assert left[0]["b.hvac.a1.fan"].slots == ALL_HELD
    assert left[1]["b.hvac.a1.fan"].slots == STRATEGIC
    assert left[1]["b.hvac.a2.fan"].slots == ALL_HELD
    assert {hold.slots for hold in left[3].values()} == {STRATEGIC}
    assert left[4] == {}


def test_a_fire_while_it_is_given_back_takes_all_back() -> None:
    response, _ = events(Response(), fire(0), CALM)
    response = replace(stand_down(response, CALM, "officer", "over", 9 * S), given_back=2)
    again, notes = advance(response, fire(2), TABLE, 20 * S)
    assert [note.event for note in notes] == ["again", "first"]
    assert (again.phase, again.given_back, again.stood_down_by, again.id) == (Phase.ACTIVE, 0, "", response.id)
    held = holds(again, TABLE, "why")
    assert set(held) == set(TABLE.points), "what the first fire held is held again, beside what the new one calls for"
    assert {hold.slots for hold in held.values()} == {ALL_HELD}
    assert [(item.zone, item.since_ns // S) for item in again.zones] == [("b.fire.z3", 20)]
    sights = {sight.key: sight.since_ns // S for sight in expected(again, TABLE)}
    assert sights == {("lift", "b.lift.l1.r"): 20, ("fan", "b.hvac.a2.off"): 20}, "from the new fire's own moment"
    assert Response.from_json(again.to_json()) == again


def test_the_same_zone_in_fire_again_counts_from_its_new_moment() -> None:
    response, _ = events(Response(), fire(0), CALM)
    response = stand_down(response, CALM, "officer", "over", 9 * S)
    again, notes = advance(response, fire(0), TABLE, 20 * S)
    assert [note.event for note in notes] == ["again", "first"]
    assert [(item.zone, item.since_ns // S) for item in again.zones] == [("b.fire.z1", 20)]
    assert [sight.since_ns // S for sight in expected(again, TABLE)] == [20]


@pytest.mark.parametrize("between", [(), (replace(CALM, reset=False, status=FireStatus.PRE_ALARM),)])
def test_a_fire_after_the_reset_and_before_the_stand_down_is_a_new_one(between: tuple[FirePicture, ...]) -> None:
    """The building went back by its own wires at the reset, whatever came between."""
    response, said = events(Response(), fire(0), CALM, *between, fire(2), fire(1, 2))
    assert said[-3:] == ["again", "first", "spread"]
    assert [item.zone for item in response.zones] == ["b.fire.z3", "b.fire.z2"]
    assert set(holds(response, TABLE, "why")) == set(TABLE.points)
    assert {sight.key[0] for sight in expected(response, TABLE)} == {"lift", "fan"}
    assert not response.over


def test_what_was_held_because_nobody_knew_where_it_burns_stays_held_in_a_fire_that_is_known() -> None:
    response, _ = events(Response(), fire(unlocated=True), CALM)
    response = stand_down(response, CALM, "officer", "over", 9 * S)
    again, _ = advance(response, fire(0), TABLE, 20 * S)
    assert set(holds(again, TABLE, "why")) == set(TABLE.points)
    assert {sight.key[0] for sight in expected(again, TABLE)} == {"lift"}, "only the new fire's effects are expected"
    later, _ = advance(again, CALM, TABLE, 30 * S)
    down = stand_down(later, CALM, "officer", "over", 31 * S)
    assert {point for step in steps(down, TABLE) for point in step.points} == set(TABLE.points)


def test_it_survives_as_json() -> None:
    response, _ = events(Response(), fire(0, 1), CALM)
    assert Response.from_json(response.to_json()) == response
    for broken in ({}, {**response.to_json(), "phase": "gone"}, {**response.to_json(), "more": 1}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Response.from_json(broken)


def test_what_two_causes_expect_is_expected_once_from_the_earlier_fire_on() -> None:
    response, _ = events(Response(), fire(0), fire(0, 1))
    sights = {sight.key: sight for sight in expected(response, TABLE)}
    assert {key: sight.since_ns // S for key, sight in sights.items()} == {
        ("lift", "b.lift.l1.r"): 1,
        ("fan", "b.hvac.a2.off"): 2,
    }


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ([(1, 0.0)], SightState.WAITING),
        ([(1, None)], SightState.WAITING),
        ([(5, 1.0)], SightState.DONE),
        ([(5, 1.0), (50, 1.0)], SightState.DONE),
        ([(31, 0.0)], SightState.MISSING),
        ([(31, None)], SightState.UNKNOWN),
        ([(31, 0.0), (40, 1.0)], SightState.LATE),
        ([(5, 1.0), (9, 0.0)], SightState.DONE),
        ([(5, 1.0), (9, 0.0), (14, 0.0)], SightState.LOST),
        ([(5, 1.0), (9, 0.0), (12, 1.0), (14, 0.0)], SightState.DONE),
        ([(5, 1.0), (9, 0.0), (14, 0.0), (15, 1.0)], SightState.DONE),
        ([(5, 1.0), (9, None)], SightState.UNKNOWN),
        ([(5, 1.0), (9, None), (10, 1.0)], SightState.DONE),
    ],
)
def test_an_effect_is_done_only_when_it_is_seen(story: list[tuple[int, float | None]], state: SightState) -> None:
    response, _ = events(Response(), fire(0))
    (sight,) = expected(response, TABLE)
    for second, value in story:
        sight = look(sight, value, S + second * S)
    assert sight.state is state
    assert bool(deviations([sight])) == (state in {SightState.MISSING, SightState.LOST, SightState.UNKNOWN})
