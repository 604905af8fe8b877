"""The engine: what the screens are told and when, and who is counted by a card at an exit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.api.drill_record import musters_of
from controller.drill import course
from controller.drill.course import Cause, Phase
from controller.drill.engine import MOST_OPEN, MOST_TICKS
from controller.drill.muster import Status, Tick, TickKind, board
from controller.drill.scenario import Level
from controller.errors import ConflictError, NotFoundError
from drivers.event import Event
from tests.virtual.drill import DrillHouse, load_drill_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[DrillHouse]:
    opened = await DrillHouse.open(tmp_path, load_drill_site(tmp_path / "site"), 1)
    await opened.run(2.0)
    yield opened
    await opened.close()


def plan(house: DrillHouse, id_: str = "d-1", seconds: float = 600.0) -> None:
    now_ns = house.clock.now_ns()
    scenario = house.configuration.scenarios["tea"]
    end_ns = now_ns + round(seconds * 1e9)
    house.drills.add(course.plan(id_, scenario, Level.SIMULATED, end_ns, "officer", now_ns))


def begin(house: DrillHouse) -> None:
    plan(house)
    house.drills.request("d-1", "officer")
    house.drills.confirm("d-1", "duty")


def card(
    house: DrillHouse, key: str, door: str, direction: str, person: str = "p-1", type_: str = "access_granted"
) -> None:
    data = {"door": door, "direction": direction, "person": person}
    house.recorder.event(Event(key, "access-ctl", type_, house.clock.now_ns(), data))


def tick(house: DrillHouse, key: str) -> Tick:
    now_ns = house.clock.now_ns()
    return Tick(key, TickKind.PERSON, "w", now_ns, now_ns, now_ns, "east", "3F", "p-1", Status.MISSING)


async def test_a_card_at_an_exit_accounts_for_its_holder_and_one_at_a_floor_door_for_nobody(house: DrillHouse) -> None:
    for person in ("p-1", "p-2"):
        card(house, f"a-{person}", "e-ent-1", "in", person)
        card(house, f"b-{person}", "e-03f-1", "in", person)
    begin(house)
    assert house.drills.muster("d-1").expected == 2
    card(house, "c", "e-03f-1", "out")
    assert house.drills.muster("d-1").accounted == 0, "between two doors is not out"
    card(house, "d", "e-ent-1", "out")
    card(house, "d", "e-ent-1", "out")
    shown = house.drills.muster("d-1")
    assert (shown.accounted, shown.people[0].who) == (1, "card")


async def test_who_did_not_go_through_the_exit_or_came_back_in_is_not_accounted_for(house: DrillHouse) -> None:
    card(house, "a", "e-ent-1", "in")
    begin(house)
    await house.run(1.0)
    for key, door, direction, type_, accounted in (
        ("b", "e-ent-1", "out", "access_granted", 1),
        ("c", "e-ent-1", "out", "access_not_taken", 0),
        ("d", "e-ent-1", "out", "access_granted", 1),
        ("e", "e-ent-1", "in", "access_granted", 0),
        ("f", "e-03f-1", "in", "access_granted", 0),
    ):
        await house.run(1.0)
        card(house, key, door, direction, type_=type_)
        shown = house.drills.muster("d-1")
        assert (shown.accounted, shown.missing) == (accounted, 1 - accounted), (key, shown)
    kept = await musters_of(house.journal, ["d-1"])
    assert board(kept[0]["d-1"], kept[1]["d-1"]) == house.drills.muster("d-1"), "the journal tells the same"


async def test_what_a_warden_said_outlives_a_card_that_is_taken_back(house: DrillHouse) -> None:
    card(house, "a", "e-ent-1", "in")
    begin(house)
    now_ns = house.clock.now_ns()
    seen = Tick("w-1", TickKind.PERSON, "w", now_ns, now_ns, now_ns, "east", "1F", "p-1", Status.ACCOUNTED)
    house.drills.ticks("d-1", [seen])
    await house.run(1.0)
    card(house, "b", "e-ent-1", "out")
    await house.run(1.0)
    card(house, "c", "e-ent-1", "out", type_="access_not_taken")
    shown = house.drills.muster("d-1").people[0]
    assert (shown.status, shown.who, shown.conflict) == (Status.ACCOUNTED, "w", ())


async def test_what_was_counted_is_told_once_a_second_however_much_it_is(house: DrillHouse) -> None:
    begin(house)
    await house.run(2.0)
    before = house.told
    for number in range(100):
        house.drills.ticks("d-1", [tick(house, f"tick-{number:06}")])
        house.drills.turn()
    assert house.told == before + 1
    assert len(house.drills.muster("d-1").others) == 1


async def test_the_clock_of_a_drill_is_the_monotonic_one(house: DrillHouse) -> None:
    begin(house)
    house.clock.jump(86_400.0)
    await house.run(10.0)
    drill = house.drills.get("d-1")
    assert drill is not None
    assert (drill.phase, house.drills.elapsed_s(drill)) == (Phase.RUNNING, 10.0)
    house.clock.jump(-2 * 86_400.0)
    await house.run(595.0)
    drill = house.drills.get("d-1")
    assert drill is not None
    assert drill.cause is Cause.END_TIME


async def test_one_drill_at_a_time_and_not_too_many_open(house: DrillHouse) -> None:
    begin(house)
    plan(house, "d-2")
    with pytest.raises(ConflictError, match="d-1 is running"):
        house.drills.request("d-2", "officer")
    for number in range(MOST_OPEN - 2):
        plan(house, f"e-{number}")
    with pytest.raises(ConflictError, match="not closed"):
        plan(house, "d-3")
    with pytest.raises(NotFoundError):
        house.drills.confirm("d-4", "duty")


async def test_ticks_are_bounded_and_belong_to_a_drill_that_has_begun(house: DrillHouse) -> None:
    plan(house)
    with pytest.raises(ConflictError, match="has not begun"):
        house.drills.ticks("d-1", [tick(house, "tick-000001")])
    house.drills.request("d-1", "officer")
    house.drills.confirm("d-1", "duty")
    house.drills._ticks["d-1"] = dict.fromkeys(map(str, range(MOST_TICKS)), tick(house, "x"))
    with pytest.raises(ConflictError, match=str(MOST_TICKS)):
        house.drills.ticks("d-1", [tick(house, "tick-000001")])


async def test_a_request_that_nobody_confirms_lapses_by_itself(house: DrillHouse) -> None:
    plan(house)
    house.drills.request("d-1", "officer")
    assert house.drills.waits_s(house.drills.open[0]) == 300.0
    await house.run(301.0, 1.0)
    assert house.drills.open[0].phase is Phase.PLANNED
    assert house.drills.view()["drill"] is None


async def test_a_drill_is_told_as_unrecorded_while_the_disk_fails(
    house: DrillHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(house)
    monkeypatch.setattr(type(house.journal), "healthy", property(lambda _: False))
    before = house.told
    house.drills.turn()
    house.drills.turn()
    assert house.drills.view()["unrecorded"] is True
    assert house.told > before
