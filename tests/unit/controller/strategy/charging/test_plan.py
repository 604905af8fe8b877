"""Plans beside what a person works out by hand: prices, 6 A or off, limits, who is short, and in which order."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from controller.strategy.charging import plan as plan_module
from controller.strategy.charging.demand import ALL_PHASES, PHASE_KV, Circuit, Demand, Effort, Problem, Rank
from controller.strategy.charging.outlook import Outlook
from controller.strategy.charging.plan import ORDER, make_plan
from controller.strategy.charging.saying import unbalanced
from controller.strategy.highs import STOPPED, Model, Solution, solve
from tests.virtual.charging_day import crowd

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST = 18.0 * PHASE_KV
"""6 A on three phases, kW: 3.95."""


def car(
    name: str, kwh: float, leaves_h: float, rank: Rank = Rank.VISITOR, most_kw: float = 11.0, **more: Any
) -> Demand:
    return Demand(name, kwh, leaves_h, most_kw, rank=rank, **more)


def problem(demands: list[Demand], price: list[float], room: float | list[float] | None = None, **more: Any) -> Problem:
    circuits: tuple[Circuit, ...] = ()
    if room is not None:
        row = tuple(room) if isinstance(room, list) else (room,) * len(price)
        circuits = (Circuit("contract", frozenset(one.charger for one in demands), row),)
    return Problem((0.25,) * len(price), tuple(price), tuple(demands), circuits, **more)


def test_six_amperes_of_three_phases_are_3_95_kw() -> None:
    assert LEAST == pytest.approx(math.sqrt(3) * 0.38 * 6.0)


def test_a_car_charges_when_it_is_cheap_and_pays_what_the_hand_says() -> None:
    # 8 kWh at 11 kW: two cheap quarters hold 5.5, the rest of 2.5 goes to the earlier of two dear ones, at 10 kW.
    plan = make_plan(problem([car("a", 8.0, 1.0)], [10.0, 1.0, 1.0, 10.0]))
    assert plan.power_kw[0] == pytest.approx([10.0, 11.0, 11.0, 0.0], abs=1e-4)
    assert plan.cost == pytest.approx(2.5 * 10.0 + 5.5, abs=1e-3)
    assert (plan.method, plan.relaxed, plan.short_kwh.tolist()) == ("optimal", (), [0.0])


def test_without_a_price_it_charges_as_early_as_it_can_and_names_no_cost() -> None:
    plan = make_plan(Problem((0.25,) * 4, (), (car("a", 4.0, 1.0),), peak_kw=0.0, peak_price=100.0))
    assert plan.power_kw[0] == pytest.approx([11.0, 5.0, 0.0, 0.0], abs=1e-3)
    assert math.isnan(plan.cost)
    assert (plan.method, plan.relaxed) == ("optimal", ())


def test_two_cars_that_do_not_fit_beside_each_other_take_turns() -> None:
    # 6 kW hold one car at 3.95 to 6 kW but not two: 1.5 kWh each in a quarter of its own.
    plan = make_plan(problem([car("a", 1.5, 0.5), car("b", 1.5, 0.5)], [1.0, 1.0], 6.0))
    assert plan.power_kw.sum(axis=0) == pytest.approx([6.0, 6.0], abs=0.03)
    assert ((plan.power_kw > 0.0).sum(axis=0) == 1).all()
    assert plan.relaxed == ()


def test_a_car_that_wants_less_than_a_quarter_at_6_a_gets_its_least_and_stops_by_itself() -> None:
    plan = make_plan(problem([car("a", 0.3, 1.0)], [1.0, 2.0, 3.0, 4.0]))
    assert plan.power_kw[0] == pytest.approx([LEAST, 0.0, 0.0, 0.0], abs=1e-4)
    assert plan.short_kwh[0] == 0.0


def test_what_leaves_within_a_step_has_that_part_of_it() -> None:
    plan = make_plan(problem([car("a", 3.3, 0.3)], [1.0, 1.0]))
    # 0.25 h and 0.05 h at 11 kW.
    assert plan.power_kw[0] == pytest.approx([11.0, 11.0], abs=1e-3)
    assert plan.short_kwh[0] == pytest.approx(0.0, abs=0.02)


def test_what_no_plan_could_deliver_is_called_that_and_relaxes_nothing() -> None:
    plan = make_plan(problem([car("a", 10.0, 0.5)], [1.0, 1.0]))
    assert plan.power_kw[0] == pytest.approx([11.0, 11.0], abs=1e-4)
    assert plan.short_kwh[0] == pytest.approx(4.5, abs=1e-3)
    assert plan.hopeless_kwh[0] == pytest.approx(4.5)
    assert plan.relaxed == ()


def test_a_car_that_can_take_no_6_a_takes_nothing() -> None:
    plan = make_plan(problem([car("a", 2.0, 1.0, most_kw=3.0)], [1.0] * 4))
    assert plan.power_kw.sum() == 0.0
    assert plan.hopeless_kwh[0] == 2.0


def test_each_phase_of_a_feeder_keeps_its_amperes() -> None:
    single = 6.0 * PHASE_KV
    phases = [(True, False, False), (True, False, False), (False, True, False)]
    cars = [
        Demand(name, 2.0, 0.5, 32.0 * PHASE_KV, single, Rank.STAFF, on) for name, on in zip("abc", phases, strict=True)
    ]
    one = Problem((0.25, 0.25), (1.0, 1.0), tuple(cars), (Circuit("f", frozenset("abc"), (math.inf,) * 2, 40.0),))
    plan = make_plan(one)
    amperes = plan.power_kw / PHASE_KV
    assert (amperes[0] + amperes[1] <= 40.0 + 1e-6).all()
    # 40 A of L1 for half an hour are 4.39 kWh for two cars, 32 A of L2 are 3.51 kWh for the third.
    assert plan.short_kwh.sum() == pytest.approx(0.0, abs=0.02)


def test_demand_above_the_peak_costs_its_price() -> None:
    # Without a price of the peak all 5.5 kWh go into the cheap half-hour; at NT$ 10 a kW it pays to spread them: every
    # kW less saves 10 and moves 0.5 kWh from 1 to 3 NT$.
    cheap = problem([car("a", 5.5, 1.0)], [1.0, 1.0, 3.0, 3.0], other_kw=(90.0,) * 4, peak_kw=95.0)
    assert make_plan(cheap).power_kw[0] == pytest.approx([11.0, 11.0, 0.0, 0.0], abs=1e-3)
    plan = make_plan(replace(cheap, peak_price=10.0))
    assert plan.power_kw[0] == pytest.approx([5.5] * 4, abs=1e-3)
    assert plan.cost == pytest.approx(5.5 / 2 * 1.0 + 5.5 / 2 * 3.0 + 0.5 * 10.0, abs=0.01)


# -- who gives way ---------------------------------------------------------------------------------------------------


def test_the_fleet_is_served_before_a_visitor() -> None:
    cars = [car("v", 2.0, 0.5, Rank.VISITOR), car("f", 3.0, 0.5, Rank.FLEET)]
    plan = make_plan(problem(cars, [1.0, 1.0], 6.0))
    assert plan.short_kwh == pytest.approx([2.0, 0.0], abs=0.03)
    assert plan.relaxed == ORDER[:3]


def test_the_ranks_give_way_one_after_the_other() -> None:
    cars = [car(rank.name, 1.5, 0.5, rank) for rank in Rank if rank != Rank.FIRST]
    # Each fills a quarter at 6 kW. Less than that serves the fleet in two quarters, above its least, and nobody else.
    for room, short, relaxed in (
        ([12.0, 12.0], [0, 0, 0, 0], 0),
        ([12.0, 6.0], [0, 0, 0, 1.5], 3),
        ([6.0, 6.0], [0, 0, 1.5, 1.5], 4),
        ([4.5, 4.5], [0, 1.5, 1.5, 1.5], 5),
    ):
        plan = make_plan(problem(cars, [1.0, 1.0], room))
        assert plan.short_kwh == pytest.approx(short, abs=0.06), room
        assert plan.relaxed == ORDER[:relaxed]
    none = make_plan(problem(cars, [1.0, 1.0], 3.0))
    assert none.short_kwh == pytest.approx([1.5] * 4)
    assert none.relaxed == ORDER[:-1], "nobody was declared first"


def test_who_was_declared_first_goes_before_an_official_car_and_inside_the_same_limits() -> None:
    cars = [car("fleet", 1.5, 0.5, Rank.FLEET), car("first", 1.5, 0.5, Rank.FIRST)]
    asked = problem(cars, [1.0, 1.0], [6.0, 0.0])
    plan = make_plan(asked)
    assert plan.short_kwh == pytest.approx([1.5, 0.0], abs=0.06)
    assert plan.power_kw.sum(axis=0).max() <= 6.0
    assert plan.relaxed[-1] == "fleet"


def test_equals_are_short_by_the_same_share() -> None:
    single: dict[str, Any] = {"least_kw": 6.0 * PHASE_KV, "most_kw": 32.0 * PHASE_KV, "phases": (True, False, False)}
    plan = make_plan(problem([car("a", 6.0, 1.0, **single), car("b", 3.0, 1.0, **single)], [1.0] * 4, 6.0))
    # 6 kWh for 9: a third of each.
    assert plan.short_kwh == pytest.approx([2.0, 1.0], abs=0.12)


def test_smoothness_goes_first_and_only_when_it_must() -> None:
    smooth = problem([car("a", 5.5, 1.0)], [5.0, 1.0, 1.0, 5.0], ramp_kw=6.0)
    plan = make_plan(smooth)
    assert plan.relaxed == ()
    assert np.abs(np.diff(plan.power_kw[0])).max() <= 6.0 + 1e-3
    # A second car that comes later and must be charged at once steps up by 11 kW.
    late = car("b", 2.75, 0.75, comes_h=0.5)
    plan = make_plan(replace(smooth, demands=(car("a", 2.0, 0.25), late)))
    assert plan.relaxed == ("smoothness",)
    assert plan.short_kwh.tolist() == [0.0, 0.0]


def test_unbalance_goes_second() -> None:
    single = Demand("a", 1.7, 0.25, 32.0 * PHASE_KV, 6.0 * PHASE_KV, phases=(True, False, False))
    plan = make_plan(problem([single], [1.0], unbalance_a=20.0))
    assert plan.relaxed == ("smoothness", "unbalance")
    assert plan.short_kwh[0] == 0.0
    given_up = Outlook(0, (1.0,), (), (1.0,), (0.0,), (single,), plan)
    assert "balance of phases" in unbalanced(given_up), "and that is an alarm"
    assert unbalanced(replace(given_up, plan=replace(plan, relaxed=("smoothness",)))) == unbalanced(None) == ""
    longer = replace(single, leaves_h=0.5)
    plan = make_plan(problem([longer], [1.0, 1.0], unbalance_a=20.0))
    assert plan.relaxed == ()
    assert (plan.power_kw / PHASE_KV).max() <= 20.0


def test_a_car_that_began_goes_on_for_the_dwell_and_one_that_paused_waits() -> None:
    began = car("a", 3.0, 1.0, on=True, held_h=0.1)
    plan = make_plan(Problem((0.1, 0.25, 0.25), (9.0, 1.0, 1.0), (began,), dwell_h=0.25))
    assert plan.power_kw[0, 0] == pytest.approx(LEAST, abs=1e-3)
    paused = car("a", 2.0, 1.0, on=False, held_h=0.1)
    plan = make_plan(Problem((0.1, 0.25, 0.25), (1.0, 9.0, 9.0), (paused,), dwell_h=0.25))
    assert plan.power_kw[0, 0] == 0.0
    assert plan.relaxed == ()


def test_the_dwell_gives_way_to_a_limit() -> None:
    began = car("a", 3.0, 1.0, on=True, held_h=0.1)
    circuit = Circuit("contract", frozenset("a"), (-5.0, 20.0, 20.0))
    plan = make_plan(Problem((0.1, 0.25, 0.25), (1.0, 1.0, 1.0), (began,), (circuit,)))
    assert plan.relaxed == ("smoothness",)
    assert plan.power_kw[0, 0] == 0.0


# -- how long it searches --------------------------------------------------------------------------------------------


def test_the_same_problem_has_the_same_plan_also_in_another_process() -> None:
    asked = crowd(7)
    first, second = make_plan(asked), make_plan(pickle.loads(pickle.dumps(asked)))
    assert np.array_equal(first.power_kw, second.power_kw)
    assert (first.cost, first.gap, first.nodes) == (second.cost, second.gap, second.nodes)
    assert pickle.loads(pickle.dumps(first)).cost == first.cost


def test_the_gap_is_that_of_the_proven_bound() -> None:
    plan = make_plan(crowd(3))
    assert plan.method == "optimal"
    assert 0.0 <= plan.gap <= 5e-4


def _never(monkeypatch: pytest.MonkeyPatch, when: Callable[[dict[str, Any]], bool]) -> None:
    """Have the search for whole numbers end without an answer."""

    def stopped(model: Model, cost: Any, *, whole: bool, **more: Any) -> Solution:
        if whole and when(more):
            return Solution(STOPPED, np.empty(0), math.inf, math.inf, 0)
        return solve(model, cost, whole=whole, **more)

    monkeypatch.setattr(plan_module, "solve", stopped)


def test_without_an_answer_in_time_the_relaxation_is_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    best = make_plan(crowd(5))
    _never(monkeypatch, lambda _: True)
    plan = make_plan(crowd(5))
    assert plan.method == "rounded"
    assert math.isinf(plan.gap)
    asked = crowd(5)
    least = np.array([one.least_kw for one in asked.demands]).reshape(-1, 1)
    assert ((plan.power_kw == 0.0) | (plan.power_kw >= least - 1e-6)).all()
    assert (plan.power_kw.sum(axis=0) <= np.array(asked.circuits[0].room_kw) + 1e-6).all()
    assert plan.cost <= 1.1 * best.cost
    assert plan.short_kwh.sum() <= best.short_kwh.sum() + 1.0


def test_time_runs_out_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    # Near the relaxation there is no answer, and then no time is left: what HiGHS says of itself.
    _never(monkeypatch, lambda more: more.get("bounds") is not None)
    plan = make_plan(replace(crowd(5), effort=Effort(seconds=1e-3, nodes=None)))
    assert plan.method == "rounded"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: problem([car("a", -1.0, 1.0)], [1.0]),
        lambda: problem([car("a", 1.0, 0.0)], [1.0]),
        lambda: problem([car("a", math.nan, 1.0)], [1.0]),
        lambda: problem([car("a", 1.0, 1.0), car("a", 1.0, 2.0)], [1.0]),
        lambda: problem([car("a", 1.0, 1.0, phases=(False, False, False))], [1.0]),
        lambda: problem([], [math.nan]),
        lambda: Problem((), (), ()),
        lambda: Problem((0.25,), (1.0, 2.0), ()),
        lambda: problem([], [1.0], [math.nan]),
        lambda: make_plan(problem([], [1.0])),
    ],
)
def test_a_problem_that_cannot_be_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        wrong()
    assert ALL_PHASES == (True, True, True)
