"""The matrix: what is called, what is seen of it, what is at rest, and what could not be seen if it burned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from controller.point.model import Name
from controller.safety.cause import Cause, Effect, FireTable
from controller.safety.effect import Sight, expected, look
from controller.safety.fire import FirePicture, FireStatus, Reason, ZonePicture
from controller.safety.matrix import CellState, Matrix, matrix
from controller.safety.response import Burning, Phase, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

S = 1_000_000_000
NAME = Name("名", "name")
FANS = Name("空調箱停止", "Air handlers stopped")
LIFTS = Name("電梯歸位", "Lifts recalled")


def effect(kind: str, name: Name, point: str, within_s: float) -> Effect:
    return Effect(kind, name, point, 1.0, 1.0, within_s)


LIFT = effect("lift", LIFTS, "b.lift.l1.recalled", 90.0)
A1, A2 = (effect("fan", FANS, f"b.hvac.a{n}.off", 10.0 * n) for n in (1, 2))
TABLE = FireTable(
    "b.fire.panel",
    zones=("b.fire.z1", "b.fire.z2", "b.fire.z3"),
    causes=(
        Cause("one", NAME, ("b.fire.z1",), ("b.hvac.a1.fan",), (A1, A2, LIFT)),
        Cause("two", NAME, ("b.fire.z2", "b.fire.z3"), ("b.hvac.a2.fan",), (LIFT,)),
    ),
    zone_names=(NAME, NAME, NAME),
)
NORMAL = ZonePicture(FireStatus.NORMAL)
CALM = FirePicture(FireStatus.NORMAL, (), (NORMAL,) * 3, reset=True)
BURNS = FirePicture(FireStatus.FIRE, (), (ZonePicture(FireStatus.FIRE), NORMAL, NORMAL), True, (0,))
FIRE = Response("f", Phase.ACTIVE, 100 * S, (Burning("b.fire.z1", 100 * S),))
AT_REST = {"b.lift.l1.recalled": 0.0, "b.hvac.a1.off": 0.0, "b.hvac.a2.off": 0.0}


def seen(
    values: Mapping[str, float | None], after_s: float, before: tuple[Sight, ...] | None = None
) -> tuple[Sight, ...]:
    sights = expected(FIRE, TABLE) if before is None else before
    return tuple(look(one, values.get(one.effect.point), (100 * S) + round(after_s * S)) for one in sights)


def states(found: Matrix) -> dict[str, dict[str, str]]:
    return {row.cause.id: {cell.kind: str(cell.state) for cell in row.cells} for row in found.rows}


def test_at_rest_nothing_is_called_and_what_cannot_be_read_is_unknown() -> None:
    found = matrix(TABLE, CALM, Response(), (), {**AT_REST, "b.hvac.a2.off": None}.get)
    assert [kind.id for kind in found.kinds] == ["fan", "lift"]
    assert states(found) == {"one": {"fan": "unknown", "lift": "rest"}, "two": {"lift": "rest"}}
    assert [output.state for output in found.rows[0].cells[0].outputs] == [CellState.REST, CellState.UNKNOWN]
    assert [(row.called, row.since_ns) for row in found.rows] == [(False, None)] * 2
    assert found.watched


def test_a_kind_that_a_cause_does_not_call_for_has_no_cell() -> None:
    found = matrix(TABLE, CALM, Response(), (), AT_REST.get)
    assert [cell.kind for cell in found.rows[1].cells] == ["lift"]


def test_the_cause_that_burns_shows_what_is_awaited_seen_late_and_not_seen() -> None:
    sights = seen(AT_REST, 1)
    found = matrix(TABLE, BURNS, FIRE, sights, AT_REST.get)
    assert states(found) == {"one": {"fan": "waiting", "lift": "waiting"}, "two": {"lift": "rest"}}
    assert [(row.called, row.since_ns) for row in found.rows] == [(True, 100 * S), (False, None)]
    assert [line.picture.status for line in found.rows[0].zones] == [FireStatus.FIRE]

    moved = {**AT_REST, "b.hvac.a1.off": 1.0, "b.lift.l1.recalled": 1.0}
    sights = seen(moved, 4, sights)
    found = matrix(TABLE, BURNS, FIRE, sights, moved.get)
    one = found.rows[0].cells
    assert [(output.state, output.seen_after_s) for output in one[0].outputs] == [("done", 4.0), ("waiting", None)]
    assert (one[0].state, one[0].within_s, one[1].state) == ("waiting", 20.0, "done")
    assert states(found)["two"] == {"lift": "rest"}, "nothing calls for it there"

    sights = seen(moved, 21, sights)
    assert states(matrix(TABLE, BURNS, FIRE, sights, moved.get))["one"] == {"fan": "missing", "lift": "done"}
    moved["b.hvac.a2.off"] = 1.0
    sights = seen(moved, 25, sights)
    assert states(matrix(TABLE, BURNS, FIRE, sights, moved.get))["one"] == {"fan": "late", "lift": "done"}


def test_a_feedback_that_is_lost_in_the_fire_is_unknown_and_never_done() -> None:
    values: dict[str, float | None] = {**AT_REST, "b.lift.l1.recalled": 1.0}
    sights = seen(values, 2)
    values["b.lift.l1.recalled"] = None
    sights = seen(values, 3, sights)
    cell = matrix(TABLE, BURNS, FIRE, sights, values.get).rows[0].cells[1]
    assert (cell.state, cell.outputs[0].value) == (CellState.UNKNOWN, None)


def test_a_fire_that_nobody_can_place_calls_for_every_cause() -> None:
    lost = Response("f", Phase.ACTIVE, 100 * S, (), everywhere_ns=103 * S)
    found = matrix(TABLE, BURNS, lost, expected(lost, TABLE), AT_REST.get)
    assert [(row.called, row.since_ns) for row in found.rows] == [(True, 103 * S)] * 2


def test_what_an_earlier_fire_holds_is_held_and_not_called_for() -> None:
    again = Response("f", Phase.ACTIVE, 100 * S, (Burning("b.fire.z1", 100 * S),), earlier=("b.fire.z2", "b.fire.z1"))
    found = matrix(TABLE, CALM, again, (), AT_REST.get)
    assert [(row.cause.id, row.called, row.held) for row in found.rows] == [("one", True, True), ("two", False, True)]


def test_after_the_reset_it_is_said_that_nobody_watches_any_more() -> None:
    found = matrix(TABLE, CALM, replace(FIRE, reset_ns=130 * S, over=True), seen(AT_REST, 30), AT_REST.get)
    assert (found.watched, found.rows[0].called) == (False, True)


def test_after_the_stand_down_nothing_is_called_and_the_rest_is_still_held() -> None:
    found = matrix(
        TABLE, CALM, replace(FIRE, phase=Phase.RESTORING, reset_ns=130 * S, over=True), seen(AT_REST, 30), AT_REST.get
    )
    assert found.watched
    assert [(row.called, row.held, row.since_ns) for row in found.rows] == [(False, True, None), (False, False, None)]
    assert states(found)["one"] == {"fan": "rest", "lift": "rest"}


def test_a_zone_that_no_picture_has_yet_is_unknown() -> None:
    found = matrix(TABLE, FirePicture(), Response(), (), AT_REST.get)
    assert found.rows[0].zones[0].picture.status is FireStatus.UNKNOWN
    isolated = replace(CALM, zones=(ZonePicture(FireStatus.UNKNOWN, Reason.ISOLATED), NORMAL, NORMAL))
    assert matrix(TABLE, isolated, Response(), (), AT_REST.get).rows[0].zones[0].picture.reason is Reason.ISOLATED
