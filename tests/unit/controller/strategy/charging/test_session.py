"""Sessions: what chargers tell of a car, what is assumed where they do not, and what people said."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from controller.errors import InvalidError
from controller.strategy.charging.charger import Charger
from controller.strategy.charging.declaration import Declarations
from controller.strategy.charging.demand import PHASE_KV, Rank
from controller.strategy.charging.session import (
    Car,
    Charged,
    Declared,
    Garage,
    Session,
    demand_of,
    follow,
    leaves_ns,
    present,
    rank_of,
)

ZONE = timezone(timedelta(hours=8))
CAR = Car("car-04", "XEV-0004", 60.0, 11.0, 480)
GARAGE = Garage(numbers={4: CAR}, cards={0xF1EE7004: CAR})
AC = Charger("hall.ev.c1", "hall.ev.c1.current_limit", "A", 32.0, 6.0)
DC = Charger("hall.ev.c2", "hall.ev.c2.power_limit", "kW", 50.0, 5.0, 1.0, step=0.5, direct=True)
HERE = Charged(state=2.0, connected=1.0, power_kw=10.0, energy_kwh=500.0)


def at(day: int, hour: float) -> int:
    """Return a moment of July 2026; the 13th is a Monday."""
    return round((datetime(2026, 7, day, tzinfo=ZONE) + timedelta(hours=hour)).timestamp() * 1e9)


def begin(seen: Charged = HERE, charger: Charger = AC, now_ns: int = at(13, 8.5)) -> Session:
    found = follow(None, charger, seen, 10.0, now_ns, GARAGE)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("seen", "there"),
    [
        (Charged(), None),
        (Charged(state=0.0), False),
        (Charged(state=1.0), True),
        (Charged(state=4.0), True),
        (Charged(state=1.0, connected=0.0), False),
        (Charged(state=5.0, connected=1.0), None),
        (Charged(state=5.0), None),
        (Charged(state=6.0, connected=0.0), False),
    ],
)
def test_who_is_there(seen: Charged, there: bool | None) -> None:
    assert present(seen) is there


def test_a_counter_of_all_energy_counts_a_session() -> None:
    session = follow(begin(), AC, replace(HERE, energy_kwh=503.5), 10.0, at(13, 9), GARAGE)
    assert session is not None
    assert session.kwh == pytest.approx(3.5)
    back = follow(session, AC, replace(HERE, energy_kwh=1.0), 10.0, at(13, 9.1), GARAGE)
    assert back is not None
    assert back.kwh == pytest.approx(3.5), "a counter that goes back takes nothing away"


def test_a_car_found_at_the_start_has_what_the_charger_remembers() -> None:
    session = begin(Charged(state=2.0, power_kw=7.0, session_kwh=6.0, session_s=3600.0))
    assert session.since_ns == at(13, 7.5)
    assert session.kwh == 6.0
    both = begin(replace(HERE, session_kwh=6.0))
    assert both.kwh == pytest.approx(6.0)


def test_a_charger_that_is_not_heard_keeps_its_session_and_a_free_one_ends_it() -> None:
    session = begin()
    assert follow(session, AC, Charged(), 10.0, at(13, 9), GARAGE) == session
    assert follow(session, AC, Charged(state=0.0, connected=0.0), 10.0, at(13, 9), GARAGE) is None
    assert follow(None, AC, Charged(), 10.0, at(13, 9), GARAGE) is None


def test_official_cars_by_camera_and_by_card() -> None:
    assert begin(replace(HERE, number=4.0)).car == CAR
    assert begin(replace(HERE, card=float(0xF1EE7004))).car == CAR
    assert begin(replace(HERE, number=9.0)).car is None


def test_who_comes_in_the_morning_works_here_and_goes_in_the_evening() -> None:
    session = begin()
    assert rank_of(session, AC, ZONE, GARAGE) == Rank.STAFF
    assert leaves_ns(session, at(13, 9), ZONE, GARAGE) == at(13, 17.5)
    assert leaves_ns(session, at(13, 18), ZONE, GARAGE) == at(13, 18.5), "still there: soon, again and again"
    assert rank_of(begin(now_ns=at(12, 8.5)), AC, ZONE, GARAGE) == Rank.VISITOR, "on a Sunday"
    later = begin(now_ns=at(13, 10.0))
    assert rank_of(later, AC, ZONE, GARAGE) == Rank.VISITOR
    assert leaves_ns(later, at(13, 11), ZONE, GARAGE) == at(13, 12)
    assert rank_of(later, replace(AC, priority=True), ZONE, GARAGE) == Rank.PRIORITY


def test_an_official_car_leaves_on_its_next_workday() -> None:
    session = begin(replace(HERE, number=4.0), now_ns=at(17, 18))
    assert rank_of(session, AC, ZONE, GARAGE) == Rank.FLEET
    assert leaves_ns(session, at(17, 18), ZONE, GARAGE) == at(20, 8), "Friday evening to Monday"
    assert leaves_ns(session, at(20, 7.9), ZONE, GARAGE) == at(20, 8)


def test_what_it_wants_is_told_listed_or_assumed() -> None:
    def kwh(session: Session, charger: Charger = AC, said: Declared | None = None) -> float:
        demand = demand_of(session, charger, at(13, 9), ZONE, GARAGE, said)
        return 0.0 if demand is None else demand.kwh * session.draw.take

    quiet = replace(HERE, power_kw=0.0, state=1.0)
    assert kwh(begin(quiet)) == pytest.approx(15.0)
    assert kwh(begin(replace(quiet, number=4.0))) == pytest.approx(36.0), "from 40 to 100 % of 60 kWh"
    assert kwh(begin(replace(quiet, charge=0.75), DC), DC) == pytest.approx(15.0)
    had = replace(begin(quiet), kwh=15.0)
    assert kwh(had) == 0.0
    assert kwh(replace(had, power_kw=9.0)) == pytest.approx(5.0), "as long as it draws it is not full"
    assert kwh(replace(had, power_kw=9.0, full=True)) == 0.0
    said = Declared(had.since_ns, kwh=22.0)
    assert kwh(had, said=said) == pytest.approx(7.0)
    assert kwh(had, said=replace(said, since_ns=1)) == 0.0, "said of another car"


def test_a_car_that_said_what_it_wants_reserves_no_more_than_that_until_it_has_had_it() -> None:
    def kwh(had: float, declared: float | None) -> float:
        session = replace(begin(), kwh=had, power_kw=9.0)
        said = None if declared is None else Declared(session.since_ns, kwh=declared)
        found = demand_of(session, AC, at(13, 9), ZONE, GARAGE, said)
        assert found is not None
        return found.kwh * session.draw.take

    assert kwh(8.0, 9.0) == pytest.approx(1.0), "room that it does not want is others'"
    assert kwh(8.99, 9.0) == pytest.approx(0.1), "it says itself when it is full"
    assert kwh(9.0, 9.0) == pytest.approx(5.0), "it takes more than it said"
    assert kwh(14.0, None) == pytest.approx(5.0), "what is only assumed may be too little"


def test_what_it_may_take_is_the_least_of_charger_car_and_what_was_seen() -> None:
    unknown = demand_of(begin(replace(HERE, power_kw=4.0)), AC, at(13, 9), ZONE, GARAGE)
    official = demand_of(begin(replace(HERE, number=4.0)), AC, at(13, 9), ZONE, GARAGE)
    direct = demand_of(begin(charger=DC), DC, at(13, 9), ZONE, GARAGE)
    assert unknown is not None
    assert official is not None
    assert direct is not None
    assert (unknown.most_kw, official.most_kw, direct.most_kw) == (7.0, 11.0, 50.0)
    assert unknown.least_kw == pytest.approx(18.0 * PHASE_KV)
    assert (direct.least_kw, unknown.rank, unknown.leaves_h) == (5.0, Rank.STAFF, 8.5)
    single = replace(begin(), draw=replace(begin().draw, single=True))
    one = demand_of(single, replace(AC, phase=2), at(13, 9), ZONE, GARAGE)
    assert one is not None
    assert one.phases == (False, False, True)
    assert one.least_kw == pytest.approx(6.0 * PHASE_KV)


def test_on_and_off_are_timed_and_the_first_plan_is_free() -> None:
    session = begin()
    assert demand_of(session, AC, at(13, 8.5), ZONE, GARAGE).held_h > 1000.0  # type: ignore[union-attr]
    paused = follow(session, AC, replace(HERE, power_kw=0.0), 0.0, at(13, 9), GARAGE)
    assert paused is not None
    demand = demand_of(paused, AC, at(13, 9.1), ZONE, GARAGE)
    assert demand is not None
    assert not demand.on
    assert demand.held_h == pytest.approx(0.1)


def test_the_switchings_of_the_past_hour_are_counted() -> None:
    session = begin()
    for minutes, kw in ((0, 0.0), (10, 7.0), (20, 7.0), (30, 0.0)):
        after = follow(session, AC, HERE, kw, at(13, 9 + minutes / 60), GARAGE)
        assert after is not None
        session = after
    wanted = [3, 2, 1, 0]
    for minutes, count in zip((59, 60, 71, 91), wanted, strict=True):
        later = follow(session, AC, HERE, 0.0, at(13, 9 + minutes / 60), GARAGE)
        assert later is not None
        demand = demand_of(later, AC, at(13, 9 + minutes / 60), ZONE, GARAGE)
        assert demand is not None
        assert demand.switched == count


def test_who_declares_what_it_wants_and_until_when_is_taken_to_know_that_it_can_be_had() -> None:
    session = begin(replace(HERE, power_kw=0.0))

    def most_kw(kwh: float | None, leaves_ns: int | None, session: Session = session) -> float:
        said = Declared(session.since_ns, leaves_ns, kwh)
        demand = demand_of(session, AC, at(13, 9), ZONE, GARAGE, said)
        assert demand is not None
        return demand.most_kw

    assert most_kw(18.6, at(13, 10.5)) == pytest.approx(10.0), "18.6 kWh in two hours, of which it takes 93 %"
    assert most_kw(9.3, at(13, 10.5)) == 7.0, "what is assumed is enough"
    assert most_kw(18.6, None) == most_kw(None, at(13, 10.5)) == 7.0
    assert most_kw(18.6, at(13, 8.0)) == 7.0, "a time that is past says nothing"
    seen = replace(session, draw=replace(session.draw, cap_kw=8.0, measured=True))
    assert most_kw(18.6, at(13, 10.5), seen) == 8.0, "what was seen counts more"


def test_words_are_checked_and_forgotten() -> None:
    said = Declarations()
    now = at(13, 9)
    for wrong in (
        Declared(0, now),
        Declared(0, now + round(400 * 3.6e12)),
        Declared(0, kwh=-1.0),
        Declared(0, kwh=math.nan),
    ):
        with pytest.raises(InvalidError):
            said.say("c", wrong, now)
    said.say("c", Declared(0, at(13, 12), 10.0), now)
    assert said.of("c") == Declared(0, at(13, 12), 10.0)
    said.forget("c")
    said.forget("c")
    assert said.of("c") is None
