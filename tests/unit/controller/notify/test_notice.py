"""What becomes of a message: attempts, next ways, unknown fate."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.notify.notice import FINAL, Notice, Outcome, after, crashed, sending, withdrawn

S = 1_000_000_000
FAILED, REFUSED, UNKNOWN, SENT = (
    Outcome("failed", "x"),
    Outcome("refused", "x"),
    Outcome("unknown", "x"),
    Outcome("sent"),
)


def notice(*, life_safety: bool = False, priority: int = 2) -> Notice:
    return Notice("o~0~duty", "raised", "duty", 0, 0, "o", "a#high", life_safety=life_safety, priority=priority)


def walk(one: Notice, outcome: Outcome, ways: int, *, wanted: bool = True) -> list[tuple[float, int]]:
    """Return when (s) and by which way each attempt is made while each ends the same; 5 s an attempt."""
    now = 0
    made: list[tuple[float, int]] = []
    for _ in range(40):
        if one.state in FINAL:
            return made
        now = max(now, one.due_ns)
        made.append((now / S, one.way))
        now += 5 * S
        one = after(sending(one, f"way{one.way}", now), outcome, now, ways=ways, wanted=wanted)
    return made


def test_an_urgent_message_goes_by_the_second_way_within_a_minute() -> None:
    made = walk(notice(), FAILED, 2)
    assert [way for _, way in made] == [0, 0, 0, 1, 1, 1]
    assert made[3][0] <= 60


def test_an_ordinary_message_waits_longer_between_attempts() -> None:
    made = walk(notice(priority=3), FAILED, 1)
    assert [at for at, _ in made] == [0, 35, 160]


def test_what_a_channel_refuses_is_not_tried_there_again() -> None:
    assert walk(notice(), REFUSED, 3) == [(0, 0), (5, 1), (10, 2)]


def test_life_safety_begins_again_until_somebody_acknowledges() -> None:
    made = walk(notice(life_safety=True), FAILED, 2)
    assert len(made) == 40
    assert [way for _, way in made[:8]] == [0, 0, 0, 1, 1, 1, 0, 0]
    assert len(walk(notice(life_safety=True), FAILED, 2, wanted=False)) == 6


def test_life_safety_of_unknown_fate_is_sent_again_under_its_id_and_marked() -> None:
    again = crashed(sending(notice(life_safety=True), "mail", 1), 2, ways=2)
    assert (again.id, again.state, again.repeat, again.way, again.due_ns) == ("o~0~duty", "queued", True, 0, 2)
    assert [line["state"] for line in again.history] == ["sending", "unknown", "queued"]


def test_everything_else_of_unknown_fate_goes_by_the_next_way_or_nowhere() -> None:
    begun = sending(notice(), "mail", 1)
    other = crashed(begun, 2, ways=2)
    assert (other.state, other.way, other.repeat) == ("queued", 1, False)
    assert crashed(sending(other, "chat", 3), 4, ways=2).state == "unknown"
    assert crashed(begun, 2, ways=1).state == "unknown"


def test_a_channel_that_never_answers_does_not_get_life_safety_in_a_tight_loop() -> None:
    made = walk(notice(life_safety=True), UNKNOWN, 1)
    pauses = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(made)]
    assert min(pauses[1:]) >= 10
    assert max(pauses) <= 65


@pytest.mark.parametrize(
    "one", [withdrawn(notice(), 1, "over"), after(sending(notice(), "m", 1), SENT, 2, ways=1, wanted=True)]
)
def test_ends_are_final(one: Notice) -> None:
    assert one.state in FINAL


@given(
    st.lists(st.sampled_from([FAILED, REFUSED, UNKNOWN, SENT]), max_size=30),
    st.integers(1, 3),
    st.sampled_from([1, 2, 3, 4]),
)
def test_an_ordinary_message_ends_and_is_never_sent_by_a_way_that_may_have_delivered_it(
    outcomes: list[Outcome], ways: int, priority: int
) -> None:
    one, dead = notice(priority=priority), set()
    for turn, outcome in enumerate([*outcomes, *[FAILED] * 9]):
        if one.state in FINAL:
            break
        assert one.way not in dead
        if outcome is UNKNOWN:
            dead.add(one.way)
        one = after(sending(one, "c", turn), outcome, turn, ways=ways, wanted=True)
        assert not one.repeat
    assert one.state in FINAL
    assert len(one.history) <= 60
