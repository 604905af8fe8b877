"""What people declare of a car: first, later, stopped, until when; as long as its session lasts, and through a gap."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from controller.errors import InvalidError
from controller.point.model import Name
from controller.strategy.charging.bay import Bay, judged
from controller.strategy.charging.declaration import Declared, belongs, cheaper_ns, check, over
from controller.strategy.charging.demand import Rank
from controller.strategy.charging.outlook import Situation
from controller.strategy.charging.row import Row
from controller.strategy.charging.session import Car, Charged, Session
from controller.strategy.charging.strategy import Setting
from tests.unit.controller.strategy.charging.test_strategy import DT_S, NINE, ONE, House, visit
from tests.virtual.charging import BEGIN_H, DAY_NS, MAIN, price_at
from tests.virtual.charging_day import VIRTUAL, strategy_of

HOUR_NS = 3_600_000_000_000


def hour(of_day: float) -> int:
    """An hour of the model's first day, ns."""
    return DAY_NS + round((of_day - BEGIN_H) * HOUR_NS)


def bay(house: House, charger: str = NINE) -> Bay:
    detail = house.decision.detail
    assert isinstance(detail, Situation)
    return next(one for one in detail.bays if one.charger == charger)


def say(house: House, charger: str = NINE, **more: object) -> Declared:
    since = house.memory.sessions[charger].since_ns
    said = Declared(since, made_ns=house.model.now_ns, who="operator", why="出勤", **more)  # type: ignore[arg-type]
    house.said.say(charger, said, house.model.now_ns)
    return said


# -- the instructions ------------------------------------------------------------------------------------------------


def test_a_stopped_car_pauses_at_once_is_in_no_plan_and_says_who_stopped_it() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0)).run(0.2)
    assert house.power(NINE) > 5.0
    say(house, how="stop")
    house.run(3 * DT_S / 3600.0)
    assert house.target(NINE) == 0.0, "no dwell for what a person stops"
    assert house.power(NINE) == 0.0
    found = bay(house)
    assert (found.state, found.verdict) == ("halted", "stopped")
    assert math.isnan(found.wanted_kwh)
    assert found.why is not None
    assert (found.why.zh, found.why.en) == ("operator 指示停止充電：出勤", "stopped by operator: 出勤")
    assert house.memory.held is None, "nobody is left to plan for"
    house.said.forget(NINE)
    house.run(0.3)
    assert house.power(NINE) > 5.0, "taken back, it charges again"
    assert bay(house).verdict == "in_time"


def test_a_car_put_off_waits_until_then_although_energy_is_there() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 10.0)).run(0.1)
    before = house.model.spots[8].given_kwh
    say(house, how="later", from_ns=hour(8.0), leaves_ns=hour(11.0))
    house.run(8.0 - house.model.hour - 0.02)
    assert house.power(NINE) == 0.0
    assert house.model.spots[8].given_kwh - before < 0.2
    found = bay(house)
    assert (found.state, found.verdict, found.leaves_of) == ("later", "in_time", "declared")
    assert found.why is not None
    assert "08:00" in found.why.en
    house.run(2.5)
    assert house.model.spots[8].given_kwh == pytest.approx(10.0)


def test_a_departure_that_leaves_too_little_time_is_said_by_the_plan_and_not_before_it() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 40.0)).run(0.2)
    assert bay(house).verdict == "in_time"
    house.deaf_job = True
    say(house, leaves_ns=hour(7.0), kwh=40.0)
    house.decide()
    assert bay(house).verdict == "unknown", "the plan in force knows nothing of it"
    assert house.decision.job is not None, "asked for at once"
    house.deaf_job = False
    house.run(2 * DT_S / 3600.0)
    found = bay(house)
    assert (found.verdict, found.wanted_of, found.leaves_of) == ("short", "declared", "declared")
    assert found.short_kwh > 20.0


def test_who_is_declared_first_is_served_before_an_official_car_inside_the_same_limit() -> None:
    base = strategy_of(House().said, Setting(period_s=DT_S, effort=VIRTUAL))
    tight = replace(base.supplies[0], limit_kw=3009.0)
    strategy = replace(base, supplies=(tight, *base.supplies[1:]))
    house = House(visit(0, BEGIN_H + 0.05, 8.0, 20.0, "fleet"), visit(8, BEGIN_H + 0.05, 8.0, 20.0), strategy=strategy)
    house.said = house.strategy.said
    house.model.building_kw[:] = 3000.0
    house.run(0.06)
    for charger in (ONE, NINE):
        say(house, charger, leaves_ns=hour(7.9), kwh=14.0, how="first" if charger == NINE else "")
    most = 0.0
    for _ in range(60):
        house.run(DT_S / 3600.0)
        most = max(most, house.model.site_kw - tight.limit_kw)
    assert most <= 0.0
    assert (bay(house, NINE).rank, bay(house, NINE).who) == (Rank.FIRST, Rank.STAFF)
    assert (bay(house, NINE).verdict, bay(house, ONE).verdict) == ("in_time", "short")


def test_a_car_that_is_to_be_full_wants_what_its_battery_is_taken_to_lack() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 60.0)).run(0.1)
    assert bay(house).wanted_of == "assumed"
    say(house, full=True)
    house.decide()
    found = bay(house)
    assert found.wanted_of == "declared"
    assert found.wanted_kwh + found.kwh == pytest.approx(0.6 * 60.0, abs=0.1)


# -- as long as the session lasts ------------------------------------------------------------------------------------


def test_it_is_over_when_the_car_leaves_and_the_next_one_is_nobodys() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 6.5, 20.0), visit(8, 6.6, 12.0, 20.0)).run(0.1)
    said = say(house, how="stop")
    house.run(0.2)
    assert house.decision.detail.over == ()
    house.run(0.3, until=lambda: house.model.spots[8].visit is None)
    house.decide()
    assert house.decision.detail.over == ((NINE, said.made_ns),)
    house.run(0.2)
    assert house.power(NINE) > 3.0, "a word that is not ended yet stops nobody else"
    assert bay(house).said is None


def test_a_charger_that_is_not_heard_keeps_its_word_and_nobody_judges() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0)).run(0.2)
    say(house, how="first")
    house.model.lost = {f"{NINE}.state", f"{NINE}.power"}
    house.run(0.1)
    assert house.decision.detail.over == ()
    found = bay(house)
    assert (found.there, found.state, found.verdict) == (None, "unknown", "unknown")


def test_after_a_restart_the_same_session_goes_on() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0)).run(0.3)
    session = house.memory.sessions[NINE]
    said = say(house, kwh=12.0, meter_kwh=session.meter_kwh)
    house.said.seen_ns = house.model.now_ns
    house.memory = house.strategy.begin(house.model, ())
    house.model.lost = {f"{NINE}.state"}
    house.run(2 * DT_S / 3600.0)
    assert house.decision.detail.over == (), "not heard yet"
    house.model.lost = set()
    house.run(2 * DT_S / 3600.0)
    assert bay(house).said == said
    assert house.memory.sessions[NINE].since_ns == session.since_ns
    assert house.memory.sessions[NINE].kwh >= session.kwh, "what it got before counts"


def test_after_a_night_without_a_controller_a_charger_that_tells_nothing_is_not_believed() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0)).run(0.3)
    said = say(house, how="stop")
    house.said.seen_ns = house.model.now_ns - 8 * HOUR_NS
    house.memory = house.strategy.begin(house.model, ())
    house.decide()
    assert house.decision.detail.over == ((NINE, said.made_ns),)


AT = Session("c", 1000 * HOUR_NS, meter_kwh=500.0)
SAID = Declared(1000 * HOUR_NS, meter_kwh=500.0, made_ns=1000 * HOUR_NS + HOUR_NS)
NOW = 1002 * HOUR_NS


@pytest.mark.parametrize(
    ("session", "seen", "away_s", "wanted"),
    [
        (AT, Charged(), 30.0, True),
        (AT, Charged(), 3600.0, False),
        (AT, Charged(), math.inf, False),
        (AT, Charged(session_kwh=6.0, energy_kwh=506.0), math.inf, True),
        (replace(AT, meter_kwh=503.0), Charged(session_kwh=6.0, energy_kwh=509.0), 30.0, False),
        # Nothing flowed: the counter proves nothing.
        (AT, Charged(session_kwh=0.0, energy_kwh=500.0), 3600.0, False),
        (AT, Charged(session_s=7200.0), math.inf, True),
        (AT, Charged(session_s=600.0), 30.0, False),
        # A clock of 16 bits at its end tells nothing.
        (AT, Charged(session_s=65_535.0), 30.0, True),
        (replace(AT, car=Car("car-02", "B", 60.0, 11.0)), Charged(session_s=7200.0), 30.0, False),
    ],
)
def test_whose_word_it_is_after_a_gap(session: Session, seen: Charged, away_s: float, wanted: bool) -> None:
    assert belongs(replace(SAID, car="car-01"), session, seen, NOW, away_s) is wanted


def test_a_word_is_over_only_when_that_is_known() -> None:
    assert not over(None, None, there=False)
    assert not over(SAID, None, there=None)
    assert not over(SAID, AT, there=True)
    assert over(SAID, None, there=False)
    assert over(SAID, replace(AT, since_ns=1), there=True)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (Declared(1, leaves_ns=NOW), "departure: it is past"),
        (Declared(1, leaves_ns=NOW + 169 * HOUR_NS), "more than 7 days"),
        (Declared(1, kwh=200.1), "wanted 0 to 200"),
        (Declared(1, kwh=-1.0), "wanted 0 to 200"),
        (Declared(1, kwh=1.0, full=True), "one of them"),
        (Declared(1, how="later"), "until: it goes with"),
        (Declared(1, how="first", from_ns=NOW + HOUR_NS), "until: it goes with"),
        (Declared(1, how="later", from_ns=NOW - 1), "until: it is past"),
        (Declared(1, NOW + HOUR_NS, how="later", from_ns=NOW + HOUR_NS), "not before the departure"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_to_do(said: Declared, text: str) -> None:
    with pytest.raises(InvalidError, match=text):
        check(said, NOW)


def test_the_next_cheaper_quarter_is_found_and_none_where_it_is_the_cheapest() -> None:
    def price(time_ns: int) -> float:
        return price_at(BEGIN_H + (time_ns - DAY_NS) / 3.6e12)

    assert cheaper_ns(price, hour(17.1)) == hour(22.0)
    assert cheaper_ns(price, hour(10.0)) == hour(24.0)
    assert cheaper_ns(price, hour(7.0)) is None
    assert cheaper_ns(lambda _: math.nan, hour(7.0)) is None


@pytest.mark.parametrize(
    ("state", "short", "wanted"),
    [
        ("free", math.nan, "none"),
        ("unknown", 0.0, "unknown"),
        ("held", 0.0, "unknown"),
        ("halted", 5.0, "stopped"),
        ("content", math.nan, "in_time"),
        ("charging", math.nan, "unknown"),
        ("charging", 0.49, "in_time"),
        ("waiting", 0.5, "short"),
    ],
)
def test_the_verdict_is_the_plans(state: str, short: float, wanted: str) -> None:
    assert judged(state, short) == wanted


# -- while the room is not known -------------------------------------------------------------------------------------


def test_without_the_meter_each_car_has_the_safe_current_and_who_is_stopped_stays_so() -> None:
    cars = [visit(at, BEGIN_H + 0.05, 12.0, 20.0) for at in (8, 9, 14)]
    house = House(*cars).run(0.3)
    say(house, NINE, how="stop")
    house.model.lost = {MAIN}
    house.run(4 * DT_S / 3600.0)
    assert house.decision.state == "stepped_back"
    assert house.target("hall.ev.charger15") == 8.0, "A"
    assert house.target("hall.ev.charger10") == 5.2, "kW of 8 A, rounded down"
    assert house.target("hall.ev.charger17") == 5.0, "the least of direct current, nobody there"
    assert house.target(ONE) == 6.0, "nobody there"
    assert house.target(NINE) == 0.0
    assert "安全電流（三相 5.3 kW）" in house.decision.why.zh
    assert bay(house, "hall.ev.charger10").verdict == "unknown", "there is no plan"
    house.model.lost = set()
    house.run(0.2)
    assert house.power("hall.ev.charger10") > 9.0


def test_a_site_may_pause_or_leave_chargers_to_their_defaults_instead() -> None:
    for how, value in (("pause", 0.0), ("default", None)):
        setting = Setting(period_s=DT_S, effort=VIRTUAL, step_back=how)  # type: ignore[arg-type]
        house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0), strategy=strategy_of(House().said, setting)).run(0.2)
        house.model.lost = {MAIN}
        house.run(3 * DT_S / 3600.0)
        assert house.decision.state == "stepped_back"
        assert house.target(NINE) == value
        assert ("暫停" if how == "pause" else "預設值") in house.decision.why.zh


def test_a_branch_that_is_known_binds_although_the_contract_is_not() -> None:
    base = strategy_of(House().said, Setting(period_s=DT_S, effort=VIRTUAL))
    # Chargers 9 and 14 hang on one feeder (8 and 13 in fives): 10 A are one safe current and no second.
    supplies = tuple(replace(one, limit_a=10.0) if one.id == "feeder3" else one for one in base.supplies)
    house = House(
        visit(8, BEGIN_H + 0.05, 12.0, 20.0), visit(13, BEGIN_H + 0.05, 12.0, 20.0),
        strategy=replace(base, supplies=supplies),
    ).run(0.2)  # fmt: skip
    house.model.lost = {MAIN}
    house.run(4 * DT_S / 3600.0)
    assert (house.target(NINE), house.target("hall.ev.charger14")) == (5.2, 0.0)


def test_a_car_that_takes_nothing_although_more_was_declared_is_not_called_in_time() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 3.0)).run(0.8)
    said = say(house, kwh=30.0)
    house.decide()
    assert bay(house).verdict == "in_time", "the charger says that it is full"
    session = replace(house.memory.sessions[NINE], full=False)
    row = Row(house.strategy.chargers[8], Name("", ""), there=True, masked=False, session=session, said=said)
    assert (row.state(), row.bay(None).verdict) == ("content", "unknown")
