"""The muster: the same whatever the order in which phones send, and nothing of it is lost."""

from __future__ import annotations

import random

import pytest

from controller.drill.muster import CARD, Status, Tick, TickKind, board
from controller.drill.presence import Person

EAST = [Person(f"p-{n}", "east", "3F", "door", 1) for n in range(3)]
WEST = [Person("p-9", "west", "2F", "door", 1), Person("p-8", "west", "", "door", 1)]


def tick(key: str, at: int, person: str = "p-0", status: Status | None = Status.ACCOUNTED, **more: object) -> Tick:
    values: dict[str, object] = {
        "kind": TickKind.PERSON, "who": "warden", "phone_ns": at, "received_ns": at + 5, "area": "east", "floor": "3F",
        "person": person, "status": status, **more,
    }  # fmt: skip
    return Tick(key=key, at_ns=at, **values)  # type: ignore[arg-type]


def test_zones_count_their_people_from_the_highest_floor_down() -> None:
    shown = board([*EAST, *WEST], [tick("a", 10), tick("b", 11, "p-1", Status.RESCUE, note="toilet")])

    assert [(zone.floor, zone.area) for zone in shown.zones] == [("3F", "east"), ("2F", "west"), ("", "west")]
    assert (shown.zones[0].expected, shown.zones[0].accounted, shown.zones[0].missing, shown.zones[0].rescue) == (
        3, 1, 1, 1,
    )  # fmt: skip
    assert (shown.expected, shown.accounted, shown.missing, shown.rescue) == (5, 1, 3, 1)
    assert shown.complete_ns is None


def test_the_last_word_by_the_wardens_clock_counts_whatever_the_order_of_arrival() -> None:
    ticks = [
        tick("a", 10, status=Status.MISSING),
        tick("b", 30, status=Status.ACCOUNTED),
        tick("c", 20, status=Status.RESCUE),
        tick("d", 25, "p-1"),
        tick("e", 26, "p-2"),
        tick("f", 40, "", None, kind=TickKind.SWEPT),
        tick("g", 12, "", None, kind=TickKind.HEADCOUNT, count=4),
        tick("h", 41, "", None, kind=TickKind.HEADCOUNT, count=6),
        tick("i", 42, "", None, kind=TickKind.HEADCOUNT, count=2, who="other"),
    ]
    wanted = board(EAST, ticks)
    assert wanted.zones[0].accounted == 3
    assert (wanted.zones[0].complete_ns, wanted.zones[0].swept_ns, wanted.zones[0].visitors) == (30, 40, 8)
    for seed in range(50):
        shuffled = [*ticks, *ticks]  # a phone that is not sure sends again
        random.Random(seed).shuffle(shuffled)
        assert board(EAST, shuffled) == wanted


def test_two_wardens_who_disagree_are_both_shown_until_they_agree() -> None:
    first, second = tick("a", 10, status=Status.MISSING, who="one"), tick("b", 20, who="two")
    (standing, *_) = board(EAST, [first, second]).people
    assert (standing.status, standing.who, standing.conflict) == (Status.ACCOUNTED, "two", ("one",))
    assert board(EAST, [first, second]).zones[0].conflicts == 1

    agreed = board(EAST, [first, second, tick("c", 30, who="one")])
    assert agreed.people[0].conflict == ()


def test_a_card_at_an_exit_contradicts_nobody() -> None:
    missing = tick("a", 30, status=Status.MISSING, who="one")
    shown = board(EAST, [tick("card/1", 10, who=CARD), missing]).people[0]
    assert (shown.status, shown.conflict) == (Status.MISSING, ())


def test_somebody_whom_no_card_had_brought_in_is_not_lost() -> None:
    shown = board(EAST, [tick("a", 10, "p-77")])
    assert [(one.person.id, one.status) for one in shown.others] == [("p-77", Status.ACCOUNTED)]
    assert shown.expected == 3


def test_a_tick_survives_the_journal() -> None:
    one = tick("a", 10, status=Status.RESCUE, note="3F 東梯", assembly="plaza")
    assert Tick.of_json(one.to_json()) == one
    swept = tick("b", 10, "", None, kind=TickKind.SWEPT)
    assert Tick.of_json(swept.to_json()) == swept


@pytest.mark.parametrize("ticks", [[], [tick("a", 1, "", None, kind=TickKind.SWEPT)]])
def test_an_empty_house_is_never_complete(ticks: list[Tick]) -> None:
    shown = board([], ticks)
    assert (shown.expected, shown.complete_ns) == (0, None)


def test_what_came_after_the_report_is_counted_and_changes_nothing() -> None:
    before, after = tick("a", 10, "p-1"), tick("b", 50, "p-2")
    closed = board(EAST, [before, after], ended_ns=20, closed_ns=40)
    assert closed.arrived_late == 1
    assert (closed.zones, closed.people) == (board(EAST, [before]).zones, board(EAST, [before]).people)
    opened = board(EAST, [before, after], ended_ns=20)
    assert [(one.person.id, one.late) for one in opened.people] == [("p-0", False), ("p-1", False), ("p-2", True)]
    assert (opened.zones[0].late, opened.arrived_late) == (1, 1)
