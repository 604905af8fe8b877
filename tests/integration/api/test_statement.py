"""Statements and baselines over the API: figures from a counter, who may see them, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.identity.permission import Role
from tests.unit.controller.energy.stock import plan

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
MIDNIGHT_NS = 1_767_225_600_000_000_000 - 8 * HOUR_NS
"""2026-01-01 00:00 in Taipei; the clock of the house begins eight hours later."""


def counted(house: Any, kwh_a_day: float = 28_800.0, days: int = 3) -> None:
    """Put a counter's readings of the days before and of today in, one every five minutes."""
    number = house.site.points["hall.electrical.tx1.power"].number
    step = 300_000_000_000
    start = MIDNIGHT_NS - days * DAY_NS
    times = np.arange(start, MIDNIGHT_NS + DAY_NS, step)
    value = (times - start) / DAY_NS * kwh_a_day + 1_000
    house.history.readings[number] = [(int(t), float(v), 0) for t, v in zip(times, value, strict=True)]
    house.runtime.tariff = plan


async def test_a_day_has_its_quarter_hours_periods_and_carbon(house: Any) -> None:
    counted(house)
    viewer = await house.user(Role.VIEWER)
    house.clock.jump(3 * 3_600 + 17 * 60)  # 11:17
    found = (await viewer("GET", "/energy/statement", params={"kind": "day"})).json()
    assert found["first"] == "2026-01-01"
    assert found["until"] == "2026-01-01T03:15:00.000Z"
    assert (found["windows"], found["missing"], found["quality"], found["over"]) == (45, 0, 1.0, False)
    assert found["kwh"] == pytest.approx(45 * 300)
    assert found["load"][0] == {"start": "2025-12-31T16:00:00.000Z", "kw": pytest.approx(1_200)}
    assert found["periods"] == [{"period": "off_peak", "kwh": pytest.approx(13_500)}]  # 1 January is off-peak
    assert found["carbon"]["kg"] == pytest.approx(13_500 * 0.474)
    assert found["bill"] is None
    assert {one["id"]: one["kwh"] for one in found["before"]} == {
        "day_before": pytest.approx(13_500),
        "week_before": None,
        "year_before": None,
    }


async def test_a_month_that_runs_has_its_bill_so_far(house: Any) -> None:
    counted(house)
    viewer = await house.user(Role.VIEWER)
    found = (await viewer("GET", "/energy/statement")).json()
    bill = found["bill"]
    assert (found["first"], found["windows"], found["kwh"]) == ("2026-01-01", 32, pytest.approx(9_600))
    assert (bill["complete"], bill["unchecked"], bill["power_factor_percent"]) == (False, True, None)
    assert bill["basic"] == 5_000 * 166.9
    assert bill["energy"] == pytest.approx(9_600 * 2.32)
    assert bill["total"] == round((5_000 * 166.9 + 9_600 * 2.32) * 1.017)
    assert bill["tables"][0]["checked_until"] == "2025-11-17"
    december = (await viewer("GET", "/energy/statement", params={"first": "2025-12-01"})).json()
    assert december["over"] is True
    assert december["missing"] == 28 * 96
    assert december["bill"]["complete"] is False
    assert december["kwh"] == pytest.approx(3 * 28_800)
    assert [day["kwh"] for day in december["days"]][-3:] == [pytest.approx(28_800)] * 3
    assert december["days"][0]["kwh"] is None


async def test_who_does_not_see_the_main_meter_sees_no_bill(house: Any) -> None:
    counted(house)
    viewer = await house.user(Role.VIEWER, areas=("west",))
    found = (await viewer("GET", "/energy/statement")).json()
    assert (found["kwh"], found["bill"], found["carbon"], found["contract"]) == (None, None, None, None)
    baseline = (await viewer("GET", "/energy/baseline")).json()
    assert (baseline["refusal"], baseline["days"]) == ("few_days", 0)


async def test_a_baseline_is_refused_with_how_many_days_there_are(house: Any) -> None:
    counted(house)
    viewer = await house.user(Role.VIEWER)
    assert (await viewer("GET", "/energy/baseline")).json() == {
        "refusal": "few_days",
        "days": 0,
        "needed": 270,
        "model": None,
        "against": None,
    }


@pytest.mark.parametrize(
    ("first", "kind", "said"),
    [
        ("2026-01-15", "month", "wanted the first day of a month, such as 2026-01-01"),
        ("2026-02-01", "month", "wanted a day from 2000-01-01 to today, 2026-01-01"),
        ("2026-01-02", "day", "wanted a day from 2000-01-01 to today"),
        ("1999-12-01", "month", "wanted a day from 2000-01-01"),
        ("yesterday", "day", ""),
        ("2026-01-01", "year", ""),
    ],
)
async def test_a_span_that_cannot_be_is_refused(house: Any, first: str, kind: str, said: str) -> None:
    viewer = await house.user(Role.VIEWER)
    reply = await viewer("GET", "/energy/statement", params={"kind": kind, "first": first})
    assert reply.status_code in (400, 422)
    assert reply.headers["content-type"] == "application/problem+json"
    assert said in reply.text
