"""The strategy on a model of chargers: what each is told, and what it does when something is not to be believed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.point.model import Name
from controller.strategy.charging.declaration import Declarations
from controller.strategy.charging.demand import Rank
from controller.strategy.charging.plan import make_plan
from controller.strategy.charging.session import Declared
from controller.strategy.charging.strategy import ChargingStrategy, Memory, Setting
from controller.strategy.charging.supply import Supply
from controller.strategy.strategy import JobResult
from tests.virtual.charging import BEGIN_H, DAY_NS, MAIN, Model, Visit
from tests.virtual.charging_day import VIRTUAL, strategy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.strategy.strategy import Decision

ONE, NINE, TEN, DC = (f"hall.ev.charger{number:02}" for number in (1, 9, 10, 17))
DT_S = 30.0


def visit(charger: int, comes: float, leaves: float, kwh: float, kind: str = "staff", most: float = 11.0) -> Visit:
    return Visit(1, charger, kind, comes, leaves, kwh, most, 3, 1.0, 60.0, 0.3)


STANDARD = Setting()


class House:
    """The strategy, its memory and the model, moved together."""

    def __init__(self, *visits: Visit, strategy: ChargingStrategy | None = None, dt_s: float = DT_S) -> None:
        self.model = Model(1, visits)
        self.dt_s = dt_s
        self.said = Declarations()
        setting = Setting(period_s=dt_s, replan_s=10.0 * dt_s, effort=VIRTUAL, unbalance_a=math.inf)
        self.strategy = strategy or strategy_of(self.said, setting)
        self.memory: Memory = self.strategy.begin(self.model, ())
        self.job_error = ""
        self.deaf_job = False
        self.plans = 0
        self.written: list[tuple[float, str, float]] = []
        self.decision: Decision

    def run(self, hours: float, until: Callable[[], bool] = lambda: False) -> House:
        for _ in range(round(hours * 3600.0 / self.dt_s)):
            self.model.step(self.dt_s)
            self.decide()
            if until():
                break
        return self

    def decide(self) -> Decision:
        self.decision, self.memory = self.strategy.decide(self.model, self.memory)
        self.model.result = None
        if self.decision.job is not None and not self.deaf_job:
            self.plans += 1
            plan = None if self.job_error else make_plan(self.decision.job.argument)
            self.model.result = JobResult(plan, self.job_error)
        for target in self.decision.targets:
            self.written.append((self.model.now_s, target.point, target.value))
            self.model.tell(target.point, target.value)
        return self.decision

    def power(self, charger: str) -> float:
        return self.model.value(f"{charger}.power")

    def target(self, charger: str) -> float | None:
        found = [one.value for one in self.decision.targets if one.point.startswith(charger)]
        return found[0] if found else None

    def part(self, charger: str) -> str:
        return next(one.state for one in self.decision.parts if one.id == charger)


def test_chargers_without_cars_stand_ready_while_nothing_is_cheaper_soon() -> None:
    house = House()
    house.model.building_kw[:] = 3000.0
    house.model.now_s = (10.0 - BEGIN_H) * 3600.0
    house.run(0.01)
    assert house.decision.state == "acting"
    assert [house.target(one) for one in (ONE, NINE, DC)] == [32.0, 22.0, 5.0], "the DC one's branch has no more"
    assert house.decision.job is None
    assert {one.state for one in house.decision.parts} == {"free"}


def test_chargers_without_cars_wait_with_the_least_before_a_cheaper_hour() -> None:
    house = House()
    house.model.now_s = (17.0 - BEGIN_H) * 3600.0
    house.run(0.01)
    assert house.target(ONE) == 6.0
    assert house.target(NINE) == 4.0, "3.95 kW rounded up to what it knows"
    assert house.target(DC) == 5.0


def test_a_car_begins_at_once_gets_its_plan_and_is_full() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 8.0)).run(0.06)
    assert house.power(NINE) > 3.0, "before any plan"
    house.run(0.1)
    assert house.plans >= 1
    assert house.power(NINE) > 5.0
    assert house.part(NINE) == "charging"
    house.run(2.0)
    assert house.part(NINE) == "content"
    assert list(house.model.delivered.values()) == [pytest.approx(8.0)]


def short_contract(kw: float, setting: Setting = STANDARD) -> ChargingStrategy:
    """Return a strategy with this much left of its contract beside a building of 3,000 kW."""
    base = strategy_of(Declarations(), replace(setting, period_s=DT_S, effort=VIRTUAL))
    return replace(base, supplies=(replace(base.supplies[0], limit_kw=3000.0 + kw), *base.supplies[1:]))


def hurried_house(strategy: ChargingStrategy, *visits: Visit) -> House:
    """Return cars that said at 10:00 when they go and what they want, in a building of 3,000 kW."""
    house = House(*visits, strategy=strategy)
    house.model.building_kw[:] = 3000.0
    house.model.now_s = (10.0 - BEGIN_H) * 3600.0
    house.run(0.03)
    for one in visits:
        charger = f"hall.ev.charger{one.charger + 1:02}"
        leaves = DAY_NS + round((one.leaves_h - BEGIN_H) * 3.6e12)
        said = Declared(house.memory.sessions[charger].since_ns, leaves, one.kwh, Rank.VISITOR)
        house.strategy.said.say(charger, said, house.model.now_ns)
    return house


def test_room_that_a_full_car_leaves_is_used_at_once_by_who_waits() -> None:
    # 12 kW hold one of them at full rate. The first is full some time between two plans, and the other paused for it.
    first, other = visit(8, 10.0, 10.5, 3.2), visit(9, 10.0, 11.2, 7.2)
    house = hurried_house(short_contract(12.0, Setting(replan_s=3000.0)), first, other)
    idle = 0
    for _ in range(round(1.1 * 3600.0 / DT_S)):
        house.run(DT_S / 3600.0)
        idle = 0 if house.model.ev_kw > 5.0 or house.model.delivered.get(other, 0.0) >= 7.2 else idle + 1
        assert idle <= 3, "room lay idle for more than a minute and a half, and a car wanted it"
    assert house.model.delivered[first] == pytest.approx(3.2)
    assert house.model.delivered[other] == pytest.approx(7.2)


def test_a_car_with_no_time_to_lose_has_all_that_is_left_before_its_plan_comes() -> None:
    house = House(visit(8, 10.0, 11.0, 18.0, most=22.0), strategy=short_contract(100.0))
    house.deaf_job = True
    house.model.building_kw[:] = 3000.0
    house.model.now_s = (10.0 - BEGIN_H) * 3600.0
    house.run(0.03)
    assert house.memory.held is None
    assert house.power(NINE) > 20.0, "more than the 7 kW that are assumed of a car that nobody knows"


def test_who_comes_with_no_time_to_lose_is_not_behind_who_has_time() -> None:
    # 26 kW: the first takes 20 of it, and has hours. The other, as far as is known, cannot be full at what cars take.
    calm, hurried = visit(8, 10.0, 15.0, 20.0, most=22.0), visit(9, 10.2, 11.0, 12.0, most=22.0)
    house = House(calm, hurried, strategy=short_contract(26.0))
    house.model.building_kw[:] = 3000.0
    house.model.now_s = (10.0 - BEGIN_H) * 3600.0
    house.run(0.03)
    leaves = DAY_NS + round((calm.leaves_h - BEGIN_H) * 3.6e12)
    since_ns = house.memory.sessions[NINE].since_ns
    house.strategy.said.say(NINE, Declared(since_ns, leaves, calm.kwh, Rank.VISITOR), house.model.now_ns)
    house.run(0.5, until=lambda: house.model.value(f"{TEN}.state") > 0.0)
    assert house.power(NINE) > 18.0
    house.run(DT_S / 3600.0)
    assert house.power(TEN) > 18.0, "at once, before a plan and before it is known what it takes at the most"


def test_a_car_that_gains_by_waiting_gets_no_more_than_its_plan() -> None:
    house = House(visit(0, 17.5, 32.0, 12.0, "fleet"))
    house.model.now_s = (17.4 - BEGIN_H) * 3600.0
    house.run(0.5)
    assert house.target(ONE) == 0.0
    house = House(
        visit(0, 17.5, 32.0, 12.0, "fleet"), strategy=short_contract(2000.0, Setting(peak_price=400.0, peak_kw=3000.0))
    )
    house.model.now_s = (9.5 - BEGIN_H) * 3600.0
    assert house.strategy._cheap_h(house.model, {}) == 0.0, "where a peak costs, the plan alone knows what is cheap"


def test_an_official_car_waits_for_the_night_and_is_full_in_the_morning() -> None:
    house = House(visit(0, 17.5, 32.0, 12.0, "fleet"), dt_s=60.0)
    house.model.now_s = (17.4 - BEGIN_H) * 3600.0
    house.run(4.0)
    assert house.part(ONE) == "waiting"
    house.run(2.4)
    evening = house.model.quarter_kwh[: int((24.0 - BEGIN_H) * 4)].sum()
    assert evening < 1.0, "the first minutes alone, before it was known who came"
    house.run(2.0)
    assert list(house.model.delivered.values()) == [pytest.approx(12.0)]


@pytest.mark.parametrize("known_h", [0.0, 4.0])
def test_without_a_price_for_the_whole_plan_it_charges_early_and_says_so(known_h: float) -> None:
    class Prices:
        def at(self, time_ns: int) -> float:
            return 9.39 if time_ns < DAY_NS + (17.4 - BEGIN_H + known_h) * 3.6e12 else math.nan

    base = strategy_of(Declarations(), Setting(period_s=60.0, replan_s=600.0, effort=VIRTUAL))
    strategy = replace(base, prices=Prices())
    house = House(visit(0, 17.5, 32.0, 12.0, "fleet"), strategy=strategy, dt_s=60.0)
    house.model.now_s = (17.4 - BEGIN_H) * 3600.0
    house.run(1.0)
    assert house.decision.state == "acting"
    assert "無有效電價表" in house.decision.why.zh
    assert "no tariff is valid for all of the plan" in house.decision.why.en
    assert "NT$" not in house.decision.why.en
    assert "cost" not in {one.id for one in house.decision.figures}
    house.run(1.0)
    assert list(house.model.delivered.values()) == [pytest.approx(12.0)], "it does not wait for the night"


def test_without_the_meter_of_the_contract_it_steps_back_and_comes_back() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0)).run(0.3)
    house.model.lost = {MAIN}
    decision = house.decide()
    assert decision.state == "stepped_back"
    assert len(decision.targets) == 18, "the safe current, not full rating"
    assert MAIN in decision.why.zh
    assert MAIN in decision.why.en
    house.model.lost = set()
    house.run(0.1)
    assert house.decision.state == "acting"
    assert house.power(NINE) > 5.0
    assert len(house.memory.sessions) == 1


@pytest.mark.parametrize("lie", [math.nan, -40.0, 990.0])
def test_a_charger_whose_power_cannot_be_is_left_alone_and_counts_as_building(
    monkeypatch: pytest.MonkeyPatch, lie: float
) -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0), visit(9, BEGIN_H + 0.05, 12.0, 20.0)).run(0.3)
    true = Model.value
    monkeypatch.setattr(Model, "value", lambda self, point: lie if point == f"{NINE}.power" else true(self, point))
    house.run(0.05)
    assert house.target(NINE) is None
    assert house.target("hall.ev.charger10") is not None
    assert house.decision.state == "acting"
    quarter = house.memory.past[-1]
    room = house.strategy.supplies[0].limit_kw - (true(house.model, MAIN) - house.power("hall.ev.charger10"))
    assert house.memory.held is not None
    assert [one for one, _ in house.memory.held[0].cars] == ["hall.ev.charger10"]
    assert room < house.strategy.supplies[0].limit_kw - house.model.building_kw[int(house.model.now_s // 60)]
    assert quarter.count > 1


def test_a_charger_that_an_operator_holds_keeps_a_value_for_its_release() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0)).run(0.3)
    before = house.target(NINE)
    house.model.held = {f"{NINE}.power_limit"}
    house.decide()
    assert house.part(NINE) == "held"
    assert house.target(NINE) == before
    assert "掌握" in next(one.why.zh for one in house.decision.targets if one.point.startswith(NINE))
    assert next(one.value for one in house.decision.figures if one.id == "cars") == 0


def test_a_circuit_whose_meter_is_lost_gives_its_cars_the_safe_current() -> None:
    said = Declarations()
    base = strategy_of(said, Setting(period_s=DT_S, effort=VIRTUAL))
    transformer = Supply("tx", Name("變壓器", "Transformer"), frozenset({NINE}), 1000.0, "hall.tx.apparent_power")
    house = House(
        visit(8, BEGIN_H + 0.05, 12.0, 20.0), visit(9, BEGIN_H + 0.05, 12.0, 20.0),
        strategy=replace(base, supplies=(*base.supplies, transformer)),
    ).run(0.4)  # fmt: skip
    # 8 A of three phases are 5.27 kW; its meter is no point of the model, so it is never known.
    assert house.target(NINE) == pytest.approx(5.2)
    assert house.power("hall.ev.charger10") > 9.0


def test_without_a_plan_cars_are_served_by_rank_and_time_and_it_says_so() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0))
    house.job_error = "the job process took longer than 11 s"
    house.run(0.3)
    assert house.decision.trouble["plan"] == house.job_error
    assert "無計畫" in house.decision.why.zh
    assert house.power(NINE) > 9.0
    house.job_error = ""
    house.run(0.05)
    assert house.decision.trouble["plan"] == ""
    assert house.memory.held is not None


def test_one_plan_is_asked_for_at_a_time_until_it_comes() -> None:
    house = House(visit(8, BEGIN_H + 0.05, 12.0, 20.0))
    house.deaf_job = True
    house.run(0.2)
    first = house.decision.job
    house.run(0.2)
    assert first is not None
    assert house.decision.job is not None
    assert house.decision.job.argument is first.argument
    assert house.power(NINE) > 3.0, "the least meanwhile"


def test_a_short_contract_serves_the_fleet_and_names_who_lacks_what() -> None:
    base = strategy_of(Declarations(), Setting(period_s=DT_S, effort=VIRTUAL))
    tight = replace(base.supplies[0], limit_kw=3009.0)
    # 24 kWh within two hours need 12 kW; there are 9 kW.
    house = House(
        visit(0, BEGIN_H + 0.05, 8.0, 20.0, "fleet"), visit(8, BEGIN_H + 0.05, 8.0, 20.0),
        strategy=replace(base, supplies=(tight, *base.supplies[1:])),
    )  # fmt: skip
    house.model.building_kw[:] = 3000.0
    house.run(0.06)
    for charger, rank, kwh in ((ONE, Rank.FLEET, 10.0), (NINE, Rank.STAFF, 14.0)):
        since = house.memory.sessions[charger].since_ns
        leaves = DAY_NS + round(1.95 * 3.6e12)
        house.strategy.said.say(charger, Declared(since, leaves, kwh, rank), house.model.now_ns)
    most = 0.0
    for _ in range(60):
        house.run(DT_S / 3600.0)
        most = max(most, house.model.site_kw - tight.limit_kw)
    assert most <= 0.0
    text = house.decision.trouble["short"]
    assert "Charger 09 (staff)" in text
    assert "Charger 01" not in text
    assert house.part(NINE) == "short"
    assert "smoothness" in house.decision.why.en


def test_never_between_0_and_6_a_and_half_a_minute_between_changes() -> None:
    cars = [visit(at, BEGIN_H + 0.1 * at, 11.0, 15.0, most=11.0 if at % 2 else 22.0) for at in range(0, 18, 2)]
    house = House(*cars).run(1.8)
    last: dict[str, tuple[float, float]] = {}
    for at_s, point, value in house.written:
        if point.endswith("current_limit"):
            assert value == 0.0 or 6.0 <= value <= 32.0
        before = last.get(point)
        if before is not None and before[1] != value:
            assert at_s - before[0] >= 30.0
        if before is None or before[1] != value:
            last[point] = (at_s, value)
    assert house.model.overload_s == 0.0


def test_the_same_day_is_written_twice_in_the_same_way() -> None:
    cars = [visit(at, BEGIN_H + 0.1 * at, 12.0, 12.0) for at in range(8)]
    assert House(*cars).run(0.8).written == House(*cars).run(0.8).written


def test_it_names_what_it_needs_and_what_it_sets() -> None:
    strategy = House().strategy
    assert strategy.inputs == (MAIN,)
    assert len(strategy.outputs) == 18
    assert (strategy.id, strategy.slot) == ("charging", 12)
    assert {one.id for one in strategy.alarms} == {
        f"strategy#charging-{word}" for word in ("short", "unbalance", "plan")
    }
