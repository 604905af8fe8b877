"""The perfect foresight of demand limiting on days small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.controller.strategy.conftest import demand
from tests.virtual.demand_day import WINDOWS, Response, Undisturbed
from tests.virtual.demand_optimum import optimum

# Two rooms, 20 minutes an hour, each drawing 10 kW; with the quarter in the optimum's favour a room gives these 10 kW.
RESPONSES = {"rooms": Response(0.8, 0.0)}


def day(over: dict[int, float], *, minutes: float = 15.0) -> Undisturbed:
    """Return a day of 900 kW with windows that are so much above a contract of 1,000 kW."""
    kw = np.full(WINDOWS, 900.0)
    for window, more in over.items():
        kw[window] = 1000.0 + more
    items = np.ones((2, WINDOWS))
    return Undisturbed(demand(2), kw, float(kw.sum()) / 4.0, 0.0, minutes * items, 10.0 * items, kw)


@pytest.mark.parametrize(
    ("over", "above"),
    [
        ({}, 0),
        ({10: 20.0}, 0),  # both rooms for all of it
        ({10: 26.0}, 0),  # and five minutes of the window before, which show in this one
        ({10: 28.0}, 1),  # 20 minutes an hour are 26.7 kW in one window
        ({10: 10.0, 11: 10.0}, 0),
        ({10: 10.0, 11: 10.0, 12: 10.0, 13: 10.0}, 1),  # 7.5 minutes each: 20 an hour and 7.5 before are 3.7 of these
        ({4: 20.0, 12: 20.0, 20: 20.0, 28: 20.0, 36: 20.0}, 1),  # 60 minutes a day are four of these
    ],
)
def test_it_finds_the_fewest_windows(over: dict[int, float], above: int) -> None:
    found = optimum(day(over), RESPONSES, 1000.0)
    assert found.above == above
    assert sum(kw > 1000.0 + 1e-3 for kw in found.kw) == above


def test_without_comfort_it_sheds_nothing_and_what_is_taken_back_comes_behind() -> None:
    closed = optimum(day({10: 5.0}, minutes=0.0), RESPONSES, 1000.0)
    assert (closed.above, round(closed.over_kw, 3), closed.item_minutes) == (1, 5.0, 0.0)
    bound = optimum(day({10: 15.0}), {"rooms": Response(0.8, 0.8)}, 1000.0)
    assert bound.above == 0
    assert bound.kw[11:17].sum() == pytest.approx(6 * 900.0 + 15.0 * 0.75 / 1.25)
