"""The charging plan over the API: nothing configured, no plan, a plan; and only the cars that one may see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.identity.permission import Role
from controller.strategy.charging.demand import Demand, Problem, Rank
from controller.strategy.charging.ledger import Quarter
from controller.strategy.charging.outlook import Outlook, Situation
from controller.strategy.charging.plan import make_plan
from controller.strategy.charging.saying import NAME
from controller.strategy.engine import StrategyStatus
from controller.strategy.strategy import Decision

HOUR_NS = 3_600_000_000_000


class _Charging:
    id = "charging"
    name = NAME


def show(house: Any, detail: object) -> None:
    """Have the engine tell of a charging strategy with this detail."""
    decision = Decision("acting", NAME, detail=detail)
    status = StrategyStatus(_Charging(), "run", decision, 0, (), {}, ())  # type: ignore[arg-type]
    house.runtime.strategies = replace(house.runtime.strategies, statuses=lambda: [status])


def situation(house: Any, price: tuple[float, ...] = (5.85, 9.39)) -> Situation:
    """Two cars over two steps; equipment of the test site stands in for chargers."""
    cars = (
        Demand("hall.hvac.ahu1", 2.0, 0.5, 11.0, rank=Rank.FLEET),
        Demand("hall.plant.ch1", 9.0, 0.5, 11.0, rank=Rank.VISITOR),
    )
    problem = Problem((0.25, 0.25), price, cars, other_kw=(900.0, 910.0))
    now = house.clock.now_ns()
    outlook = Outlook(now, problem.hours, problem.price, (80.0, 70.0), problem.other_kw, cars, make_plan(problem))
    return Situation((Quarter(now - HOUR_NS, 11.0, 9.5, 75.0),), outlook)


async def test_a_site_without_it_and_one_without_a_plan(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    assert (await viewer("GET", "/charging")).json() == {
        "configured": False, "mode": None, "state": None, "why": None, "sessions": [], "past": [], "plan": None,
    }  # fmt: skip
    for detail in (None, Situation((), None)):
        show(house, detail)
        body = (await viewer("GET", "/charging")).json()
        assert (body["configured"], body["sessions"], body["past"], body["plan"]) == (True, [], [], None)
        assert (body["mode"], body["state"]) == ("run", "acting")


async def test_plan_against_actual(house: Any) -> None:
    show(house, situation(house))
    viewer = await house.user(Role.VIEWER)
    body = (await viewer("GET", "/charging")).json()
    assert [(row["planned_kw"], row["actual_kw"], row["room_kw"]) for row in body["past"]] == [(11.0, 9.5, 75.0)]
    plan = body["plan"]
    assert (plan["method"], plan["relaxed"]) == ("optimal", [])
    assert [step["price"] for step in plan["steps"]] == [5.85, 9.39]
    assert plan["steps"][0]["end"] == plan["steps"][1]["begin"]
    first, second = plan["cars"]
    assert (first["rank"], first["short_kwh"]) == ("fleet", 0.0)
    # 9 kWh wanted, 11 kW for half an hour: 3.5 kWh that no plan could deliver.
    assert (second["short_kwh"], second["hopeless_kwh"]) == (3.5, 3.5)
    assert second["power_kw"] == pytest.approx([11.0, 11.0], abs=1e-3)
    assert plan["steps"][0]["planned_kw"] == pytest.approx(first["power_kw"][0] + 11.0, abs=1e-3)


async def test_a_plan_without_a_tariff_has_neither_price_nor_cost(house: Any) -> None:
    show(house, situation(house, ()))
    plan = (await (await house.user(Role.VIEWER))("GET", "/charging")).json()["plan"]
    assert plan["cost"] is None
    assert [step["price"] for step in plan["steps"]] == [None, None]
    assert plan["cars"][0]["power_kw"] == pytest.approx([8.0, 0.0], abs=0.1)


async def test_cars_in_other_areas_are_left_out_and_the_sums_are_of_all(house: Any) -> None:
    show(house, situation(house))
    local = await house.user(Role.VIEWER, areas=("west",))
    plan = (await local("GET", "/charging")).json()["plan"]
    assert [car["charger"] for car in plan["cars"]] == ["hall.hvac.ahu1"]
    assert plan["steps"][1]["planned_kw"] >= 11.0 - 1e-3
