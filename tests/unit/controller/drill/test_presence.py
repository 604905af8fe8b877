"""Who is in the building, by the cards at the doors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.drill.presence import FORGET_S, MOST, Presence, zones_of
from tests.virtual.drill import load_drill_site

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3_600_000_000_000


@pytest.fixture
def presence(tmp_path: Path) -> Presence:
    site = load_drill_site(tmp_path).site
    return Presence(lambda: site)


def card(door: str, direction: str, person: str = "p-1") -> dict[str, str]:
    return {"door": door, "direction": direction, "person": person}


def where(presence: Presence, now_ns: int = HOUR) -> list[tuple[str, str, str]]:
    return [(person.id, person.floor, person.area) for person in presence.inside(now_ns)]


def test_zones_are_the_floors_behind_doors_of_the_building(tmp_path: Path) -> None:
    site = load_drill_site(tmp_path).site
    assert zones_of(site, "hall") == (("1F", "east"), ("2F", "west"), ("3F", "east"))
    assert zones_of(site, "other") == ()


def test_people_are_on_the_floor_of_the_last_door_that_let_them_in(presence: Presence) -> None:
    presence.take("access_granted", 1, card("e-ent-1", "in"))
    assert where(presence) == [("p-1", "1F", "east")]
    presence.take("access_granted", 2, card("e-03f-1", "in"))
    presence.take("access_granted", 3, card("e-02f-1", "in", "p-2"))
    assert where(presence) == [("p-2", "2F", "west"), ("p-1", "3F", "east")]
    presence.take("access_granted", 4, card("e-03f-1", "out"))
    assert ("p-1", "", "east") in where(presence), "between two doors is still in the building"
    presence.take("access_granted", 5, card("e-ent-1", "out"))
    assert where(presence) == [("p-2", "2F", "west")]


def test_a_door_that_was_not_passed_moves_nobody(presence: Presence) -> None:
    presence.take("access_granted", 1, card("e-ent-1", "in"))
    presence.take("access_granted", 2, card("e-03f-1", "in"))
    presence.take("access_not_taken", 3, card("e-03f-1", "in"))
    assert where(presence) == [("p-1", "1F", "east")]


def test_a_door_that_was_given_up_for_another_one_moves_nobody_back(presence: Presence) -> None:
    presence.take("access_granted", 1, card("e-ent-1", "in"))
    presence.take("access_granted", 2, card("e-02f-1", "in"))
    presence.take("access_granted", 3, card("e-03f-1", "in"))
    assert presence.take("access_not_taken", 4, card("e-02f-1", "in")) is None
    assert where(presence) == [("p-1", "3F", "east")]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("access_denied", card("e-ent-1", "in")),
        ("access_granted", card("no-such-door", "in")),
        ("access_granted", {"door": "e-ent-1", "direction": "in"}),
        ("access_granted", {"door": "e-ent-1", "direction": "in", "person": 7}),
        ("access_not_taken", card("e-ent-1", "in")),
    ],
)
def test_what_says_nothing_of_anybody_changes_nothing(presence: Presence, kind: str, data: dict[str, str]) -> None:
    assert presence.take(kind, 1, data) is None
    assert where(presence) == []


def test_an_event_that_comes_late_changes_nothing(presence: Presence) -> None:
    presence.take("access_granted", 10, card("e-ent-1", "out"))
    presence.take("access_granted", 5, card("e-03f-1", "in"))
    assert where(presence) == []


def test_a_card_that_was_not_seen_for_long_is_taken_for_gone(presence: Presence) -> None:
    presence.take("access_granted", HOUR, card("e-ent-1", "in"))
    assert where(presence, HOUR + round(FORGET_S * 1e9))
    assert not where(presence, HOUR + round(FORGET_S * 1e9) + 1)


def test_cards_are_bounded_and_those_forgotten_are_counted(presence: Presence) -> None:
    for number in range(MOST + 2):
        presence.take("access_granted", number, card("e-ent-1", "in", f"p-{number}"))
    assert presence.dropped == 2
    assert len(presence.inside(HOUR)) == MOST
