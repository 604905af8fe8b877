"""The course of a drill: who may do what when, and what every decision refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.drill import course
from controller.drill.course import CONFIRM_S, Cause, Drill, Phase
from controller.drill.scenario import Level, Scenario
from controller.drill.signal import Signal
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.point.model import Name
from tests.virtual.drill import load_drill_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = 1_784_044_800_000_000_000
MINUTE = 60_000_000_000
FIRE = Signal("fire", "hall.fire.zone24.state", Name("火警", "fire alarm"), place=Name("分區 24", "Zone 24"))


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return load_drill_site(tmp_path).scenarios["tea"]


@pytest.fixture
def planned(scenario: Scenario) -> Drill:
    return course.plan("d-1", scenario, Level.SIMULATED, NOW + 20 * MINUTE, "officer", NOW).drill


@pytest.fixture
def running(planned: Drill) -> Drill:
    asked = course.request(planned, "officer", NOW, ()).drill
    return course.confirm(asked, "duty", NOW, 1.0, ()).drill


def test_a_drill_goes_its_way_and_every_line_begins_with_its_mark(planned: Drill) -> None:
    moves = [course.request(planned, "officer", NOW, ())]
    moves.append(course.confirm(moves[-1].drill, "duty", NOW, 10.0, ()))
    given = course.tick(moves[-1].drill, 0.0, NOW, ())
    assert given is not None
    moves.append(given)
    moves.append(course.answer(moves[-1].drill, "detector", "duty", NOW + MINUTE, "119 told"))
    moves.append(course.note(moves[-1].drill, "duty", NOW, "a door was blocked"))
    moves.append(course.stand_down(moves[-1].drill, "officer", NOW + 2 * MINUTE, "goals reached"))
    moves.append(course.restore(moves[-1].drill, "officer", NOW, ["told"], ()))
    moves.append(course.report(moves[-1].drill, "officer", NOW, "well done"))

    last = moves[-1].drill
    assert (last.phase, last.cause, last.length_s) == (Phase.REPORTED, Cause.STOOD_DOWN, 1200.0)
    assert last.answers[0].after_s == 60.0
    entries = [entry for move in moves for entry in move.entries]
    assert [entry.kind for entry in entries] == [
        "requested", "started", "inject", "answer", "note", "ended", "restored", "reported",
    ]  # fmt: skip
    assert all(text.startswith("演練 DRILL ") for entry in entries for text in (entry.text.zh, entry.text.en))
    assert Drill.of_json(last.to_json()) == last


def test_the_second_person_is_another_one_and_comes_in_time(planned: Drill) -> None:
    asked = course.request(planned, "officer", NOW, ()).drill
    with pytest.raises(ForbiddenError, match="another person"):
        course.confirm(asked, "officer", NOW, 1.0, ())
    with pytest.raises(ConflictError, match="5 minutes"):
        course.confirm(asked, "duty", NOW, CONFIRM_S + 0.1, ())
    assert course.lapse(asked, NOW, CONFIRM_S) is None
    lapsed = course.lapse(asked, NOW, CONFIRM_S + 0.1)
    assert lapsed is not None
    assert (lapsed.drill.phase, lapsed.drill.requested_by) == (Phase.PLANNED, "")


def test_no_drill_begins_or_is_restored_beside_a_real_signal(planned: Drill, running: Drill) -> None:
    asked = course.request(planned, "officer", NOW, ()).drill
    ended = course.stand_down(running, "officer", NOW, "x").drill
    refusals: tuple[Callable[[], object], ...] = (
        lambda: course.request(planned, "officer", NOW, (FIRE,)),
        lambda: course.confirm(asked, "duty", NOW, 1.0, (FIRE,)),
        lambda: course.restore(ended, "officer", NOW, ["told"], (FIRE,)),
    )
    for refused in refusals:
        with pytest.raises(ConflictError, match="fire alarm at Zone 24"):
            refused()


def test_an_end_in_the_past_or_far_away_is_refused(scenario: Scenario, planned: Drill) -> None:
    with pytest.raises(InvalidError, match="lies in the past"):
        course.plan("d-2", scenario, Level.SIMULATED, NOW, "officer", NOW)
    with pytest.raises(InvalidError, match="lies in the past"):
        course.request(planned, "officer", NOW + 21 * MINUTE, ())
    far = course.plan("d-2", scenario, Level.SIMULATED, NOW + 9 * 60 * MINUTE, "officer", NOW).drill
    with pytest.raises(InvalidError, match=r"9\.0 hours away"):
        course.request(far, "officer", NOW, ())
    asked = course.request(planned, "officer", NOW, ()).drill
    with pytest.raises(InvalidError, match="lies in the past"):
        course.confirm(asked, "duty", NOW + 21 * MINUTE, 1.0, ())


def test_a_level_that_the_scenario_does_not_have_is_refused(scenario: Scenario) -> None:
    only = replace(scenario, levels=(Level.TABLE_TOP,))
    with pytest.raises(InvalidError, match="it has table_top"):
        course.plan("d-2", only, Level.SIMULATED, NOW + MINUTE, "officer", NOW)


def test_a_real_signal_comes_before_an_inject_and_before_the_end(running: Drill) -> None:
    for elapsed_s in (0.0, 1200.0):
        move = course.tick(running, elapsed_s, NOW, (FIRE,))
        assert move is not None
        assert (move.drill.phase, move.drill.cause, move.drill.given) == (Phase.STOOD_DOWN, Cause.REAL, ())
        assert move.drill.real == (FIRE,)
        assert "Zone 24 fire alarm" in move.entries[0].text.en


def test_injects_come_in_their_time_once_and_the_end_ends_it(running: Drill) -> None:
    first = course.tick(running, 0.0, NOW, ())
    assert first is not None
    assert [entry.data["inject"] for entry in first.entries] == ["detector"]
    assert course.tick(first.drill, 19.9, NOW, ()) is None
    both = course.tick(running, 20.0, NOW, ())
    assert both is not None
    assert [id_ for id_, _ in both.drill.given] == ["detector", "trapped"]
    end = course.tick(both.drill, 1200.0, NOW, ())
    assert end is not None
    assert end.drill.cause is Cause.END_TIME


def test_drill_values_are_there_only_while_a_simulated_drill_runs(running: Drill) -> None:
    given = course.tick(running, 0.0, NOW, ())
    assert given is not None
    assert given.drill.drill_values == {"hall.fire.zone24.state": 2.0}
    assert replace(given.drill, level=Level.TABLE_TOP).drill_values == {}
    assert course.abort(given.drill, "duty", NOW, "stop").drill.drill_values == {}


def test_a_restart_ends_what_runs_and_voids_what_waits(planned: Drill, running: Drill) -> None:
    ended = course.end_by_restart(running, NOW)
    assert ended is not None
    assert (ended.drill.phase, ended.drill.cause) == (Phase.STOOD_DOWN, Cause.RESTART)
    voided = course.end_by_restart(course.request(planned, "officer", NOW, ()).drill, NOW)
    assert voided is not None
    assert voided.drill == planned
    assert course.end_by_restart(planned, NOW) is None
    assert course.end_by_restart(ended.drill, NOW) is None


def test_every_step_is_checked_before_normal_operation_goes_on(running: Drill) -> None:
    ended = course.stand_down(running, "officer", NOW, "x").drill
    with pytest.raises(ConflictError, match="everybody is told"):
        course.restore(ended, "officer", NOW, [], ())
    with pytest.raises(InvalidError, match="'else'"):
        course.restore(ended, "officer", NOW, ["told", "else"], ())


def test_an_inject_is_answered_once_after_it_was_given(running: Drill) -> None:
    with pytest.raises(ConflictError, match="not given yet"):
        course.answer(running, "detector", "duty", NOW)
    given = course.give(running, "detector", "officer", NOW).drill
    with pytest.raises(ConflictError, match="given already"):
        course.give(given, "detector", "officer", NOW)
    answered = course.answer(given, "detector", "duty", NOW).drill
    with pytest.raises(ConflictError, match="answer already"):
        course.answer(answered, "detector", "duty", NOW)
    with pytest.raises(NotFoundError):
        course.answer(given, "nothing", "duty", NOW)
    trapped = course.give(given, "trapped", "officer", NOW).drill
    with pytest.raises(ConflictError, match="wants no answer"):
        course.answer(trapped, "trapped", "duty", NOW)


def test_what_is_out_of_turn_is_refused(planned: Drill, running: Drill) -> None:
    refusals: tuple[Callable[[], object], ...] = (
        lambda: course.stand_down(planned, "officer", NOW, "x"),
        lambda: course.abort(planned, "officer", NOW, "x"),
        lambda: course.cancel(running, "officer", NOW, "x"),
        lambda: course.request(running, "officer", NOW, ()),
        lambda: course.restore(running, "officer", NOW, ["told"], ()),
        lambda: course.report(running, "officer", NOW, "x"),
        lambda: course.note(planned, "officer", NOW, "x"),
    )
    for refused in refusals:
        with pytest.raises(ConflictError, match="drill d-1 is"):
            refused()
