"""The table of ISA-18.2 transitions, written a second time, against every combination of state, event and guard."""

from __future__ import annotations

import itertools

import pytest

from controller.alarm.state import ANNUNCIATED, HIDDEN, TABLE, Event, State, Transition, step

LETTER = dict(zip("ABCDEFGHI", State, strict=True))
FLAGS = ("active", "latching", "automatic", "life_safety")

# from, event, conditions on the flags ("-" = must not), to; "!" = a new occurrence
WANTED = """
A RAISE       .                     B!
B ACKNOWLEDGE .                     C
B CLEAR       latching              E
B CLEAR       automatic,-latching   A
B CLEAR       -latching,-automatic  D
C CLEAR       latching              F
C CLEAR       -latching             A
C ESCALATE    .                     B
D ACKNOWLEDGE .                     A
D RAISE       .                     B!
E ACKNOWLEDGE .                     F
E RAISE       .                     B
E RESET       -active               D
F RAISE       .                     C
F RESET       -active               A
A SHELVE      -life_safety          G
B SHELVE      -life_safety          G
C SHELVE      -life_safety          G
D SHELVE      -life_safety          G
E SHELVE      -life_safety          G
F SHELVE      -life_safety          G
A SUPPRESS    -life_safety          H
B SUPPRESS    -life_safety          H
C SUPPRESS    -life_safety          H
D SUPPRESS    -life_safety          H
E SUPPRESS    -life_safety          H
F SUPPRESS    -life_safety          H
A REMOVE      -life_safety          I
B REMOVE      -life_safety          I
C REMOVE      -life_safety          I
D REMOVE      -life_safety          I
E REMOVE      -life_safety          I
F REMOVE      -life_safety          I
G REMOVE      -life_safety          I
H REMOVE      -life_safety          I
G RAISE       .                     G
G CLEAR       .                     G
G UNSHELVE    active                B!
G UNSHELVE    -active               A
H RAISE       .                     H
H CLEAR       .                     H
H UNSUPPRESS  active                B!
H UNSUPPRESS  -active               A
I RAISE       .                     I
I CLEAR       .                     I
I RESTORE     active                B!
I RESTORE     -active               A
"""


def wanted(state: State, event: Event, flags: dict[str, bool]) -> Transition | None:
    for line in WANTED.strip().splitlines():
        origin, name, conditions, to = line.split()
        if LETTER[origin] is not state or Event[name] is not event:
            continue
        terms = [] if conditions == "." else conditions.split(",")
        if all(flags[term.lstrip("-")] is not term.startswith("-") for term in terms):
            return Transition(LETTER[to[0]], to.endswith("!"))
    return None


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_transition(state: State, event: Event) -> None:
    for values in itertools.product((False, True), repeat=len(FLAGS)):
        flags = dict(zip(FLAGS, values, strict=True))
        assert step(state, event, **flags) == wanted(state, event, flags), flags


def test_the_table_has_no_row_twice_and_reaches_every_state() -> None:
    keys = [(row.state, row.event, row.guard) for row in TABLE]
    assert len(keys) == len(set(keys))
    assert {row.to for row in TABLE} == set(State)
    assert len(TABLE) == len(WANTED.strip().splitlines())


def test_a_life_safety_alarm_is_never_hidden() -> None:
    for state, event, active, latching in itertools.product(State, Event, (False, True), (False, True)):
        if state in HIDDEN:
            continue
        found = step(state, event, active=active, latching=latching, life_safety=True)
        assert found is None or found.to not in HIDDEN


def test_an_unseen_alarm_is_left_only_by_people_return_or_being_hidden() -> None:
    leave = {row.event for row in TABLE if row.state in ANNUNCIATED and row.to not in ANNUNCIATED}
    assert leave == {Event.ACKNOWLEDGE, Event.CLEAR, Event.RESET, Event.SHELVE, Event.SUPPRESS, Event.REMOVE}
