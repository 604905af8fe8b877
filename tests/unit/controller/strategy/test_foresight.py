"""The plan of demand limiting: what it begins, when, and what it keeps to."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from controller.strategy.foresight import BIN_S, BINS, Kind, Problem, Store, at_once, course_kw, effect_kw, plan
from controller.strategy.shed import Owed

ROOM = (6.0, 12.0, 6.0, -4.0, -8.0, -8.0, -4.0)
"""Gives 2 kWh in a quarter of an hour and takes it back in the next twenty minutes."""

OWED = Owed("b.water", k_per_kwh=0.08, hours=0.55, kw_per_k=9.0, most_k=4.0, most_kw=150.0)
CHILLERS = Store(0.0, 0.0, most_kw=150.0, how=OWED)


def kind(**more: object) -> Kind:
    return replace(Kind("rooms", ROOM, free=40, usable=40, today=120), **more)  # type: ignore[arg-type]


def problem(course: list[float], kinds: tuple[Kind, ...] = (), **more: object) -> Problem:
    """A window of 15 minutes at its begin; `course` by quarters, the last one goes on."""
    steps = [course[min(k // 3, len(course) - 1)] for k in range(BINS)]
    made = Problem(0.0, 0.0, tuple(steps), (0.0,) * BINS, 0.0, 1000.0, kinds or (kind(),))
    return replace(made, **more)  # type: ignore[arg-type]


def test_an_answer_is_the_mean_of_its_steps_and_nothing_before_and_after() -> None:
    assert effect_kw(ROOM, 0.0, 300.0) == 6.0
    assert effect_kw(ROOM, 150.0, 450.0) == 9.0
    assert effect_kw(ROOM, -300.0, 300.0) == 3.0
    assert effect_kw(ROOM, 7 * BIN_S, 9 * BIN_S) == 0.0
    assert effect_kw(ROOM, 100.0, 100.0) == 0.0


def test_the_course_is_the_usual_one_moved_by_what_is_drawn_more_now() -> None:
    assert list(course_kw([900.0, 1100.0], 800.0, 850.0)) == [950.0, 1150.0]
    assert list(course_kw([900.0, math.nan], 800.0, 850.0)) == [950.0, 850.0], "where it is not known, as now"
    assert list(course_kw([math.nan, math.nan], math.nan, 850.0)) == [850.0, 850.0]


def test_what_is_unusual_of_the_moment_passes_over_into_what_is_for_long() -> None:
    course = course_kw([900.0] * 24, 800.0, 1000.0, 50.0)
    assert course[0] == pytest.approx(950.0 + 150.0 * math.exp(-150.0 / 1200.0))
    assert course[-1] == pytest.approx(950.0, abs=1.0)
    assert list(course_kw([900.0], 800.0, 850.0, math.nan)) == [950.0]


def test_a_course_below_the_limit_begins_nothing() -> None:
    found = plan(problem([900.0, 990.0, 950.0]))
    assert found.begin == (("rooms", 0),)
    assert found.means_kw[:3] == pytest.approx((900.0, 990.0, 950.0))


def test_a_short_peak_is_moved_into_the_quiet_after_it_and_not_a_minute_too_early() -> None:
    peak = [900.0, 1060.0, 850.0]
    # A quarter ahead nothing is begun: what gives its kW at once need not begin before the window that needs it.
    assert plan(problem(peak)).begin == (("rooms", 0),)
    found = plan(problem([1060.0, 850.0]))
    mean = effect_kw(ROOM, 0.0, 900.0)
    assert dict(found.begin)["rooms"] == pytest.approx(60.0 / mean, abs=1.0)
    assert found.means_kw[0] <= 1000.5
    assert max(found.means_kw) <= 1000.5, "what is taken back fits"


def test_who_answers_slowly_begins_in_the_window_before() -> None:
    slow = kind(answer=(0.0, 0.0, 10.0, 10.0, 10.0, -5.0, -10.0, -10.0, -5.0))
    course = (900.0, 1080.0, 1080.0, 1080.0, *(800.0,) * (BINS - 4))
    ten_in = problem([900.0], (slow,), elapsed_s=600.0, used_kws=600.0 * 900.0, course_kw=course)
    assert dict(plan(ten_in).begin)["rooms"] > 0
    assert dict(plan(replace(ten_in, kinds=(kind(),))).begin)["rooms"] == 0, "who answers at once waits for the window"


def test_a_plateau_that_can_only_be_moved_along_does_not_use_up_the_day() -> None:
    # Three hours 20 kW above: whatever is shed comes back into the same plateau.
    found = plan(problem([1020.0]))
    assert dict(found.begin)["rooms"] <= 15
    assert max(found.means_kw) <= 1021.0, "and what comes back makes no window worse"


def test_what_can_be_shed_at_once_is_taken_first() -> None:
    assert dict(plan(problem([1060.0, 850.0], at_once_kw=70.0)).begin)["rooms"] == 0
    assert dict(plan(problem([1060.0, 850.0], at_once_kw=30.0)).begin)["rooms"] > 0


def test_the_present_window_counts_with_what_it_used() -> None:
    late = problem([1060.0, 850.0], elapsed_s=600.0, used_kws=600.0 * 900.0)
    assert plan(late).begin == (("rooms", 0),), "600 s at 900 kW leave 1,200 kW for the rest"
    worse = problem([1060.0, 850.0], elapsed_s=300.0, used_kws=300.0 * 1100.0)
    assert dict(plan(worse).begin)["rooms"] > 0


@pytest.mark.parametrize(
    ("more", "most"),
    [({"free": 3}, 3), ({"usable": 5, "free": 5}, 5), ({"today": 2}, 2), ({"ages_s": (600.0,) * 38}, 2)],
)
def test_no_more_begin_than_may(more: dict[str, object], most: int) -> None:
    found = plan(problem([1500.0, 850.0], (kind(**more),)))
    assert dict(found.begin)["rooms"] == most


def test_machines_that_are_limited_give_at_once_and_for_as_long_as_their_water_allows() -> None:
    found = plan(problem([1060.0, 1060.0, 850.0], (kind(free=0, usable=0),), store=CHILLERS))
    assert found.store_kw > 60.0, "what fans draw more is given, too"
    assert max(found.means_kw) <= 1000.5
    low = plan(problem([900.0], (kind(),), store=CHILLERS))
    assert low.store_kw == pytest.approx(0.0)


def test_what_is_owed_bounds_a_plateau_and_rooms_help_then() -> None:
    plateau = problem([1100.0], store=CHILLERS)
    found = plan(plateau)
    assert 0.0 < found.store_kw <= CHILLERS.most_kw
    assert found.means_kw[3] > 1000.0, "nobody can lower three hours by 100 kW with water that may rise by 4 K"
    assert max(found.means_kw) < 1100.0
    warm = plan(replace(plateau, store=CHILLERS._replace(kw=90.0, owed_k=4.0)))
    # In balance: what is forgotten in an hour is what is owed anew.
    most_kw = OWED.most_k / OWED.hours / OWED.k_per_kwh
    assert warm.store_kw <= most_kw + 5.0


def test_machines_are_let_go_where_there_is_room_and_held_where_there_is_none() -> None:
    owes = CHILLERS._replace(kw=80.0, owed_k=3.0)
    quiet = plan(problem([700.0], store=owes))
    assert -OWED.most_kw <= quiet.store_kw <= 5.0
    full = plan(problem([1000.0, 700.0], store=owes))
    assert full.store_kw >= 20.0, "this window has no room for what would come back"
    assert max(full.means_kw) <= 1000.5


def test_water_that_is_too_warm_by_itself_is_brought_back_slowly() -> None:
    found = plan(problem([1060.0, 850.0], store=CHILLERS._replace(kw=50.0, owed_k=7.0)))
    assert math.isfinite(found.store_kw), "more is owed than may be, and there is a plan"


def test_what_is_owed_is_no_quiet() -> None:
    assert problem([700.0], store=CHILLERS).quiet
    assert not problem([700.0], store=CHILLERS._replace(owed_k=1.0)).quiet


def test_what_was_begun_is_known() -> None:
    known = tuple(-60.0 if k in (3, 4, 5) else 0.0 for k in range(BINS))
    # 960 kW and what comes back of an earlier shed: 1,020 in the next window.
    slow = kind(answer=(0.0, 0.0, 0.0, *ROOM))
    assert dict(plan(problem([960.0], (slow,), known_kw=known)).begin)["rooms"] > 0
    assert dict(plan(problem([960.0], (slow,))).begin)["rooms"] == 0


def test_the_same_problem_has_the_same_plan() -> None:
    course = [1000.0 + 40.0 * math.sin(k) for k in range(12)]
    assert plan(problem(course)) == plan(problem(course))


def test_without_a_plan_as_many_begin_as_the_window_lacks() -> None:
    assert at_once(60.0, 900.0, kind()) == math.ceil(60.0 / float(np.mean(ROOM[:3])))
    assert at_once(60.0, 900.0, kind(free=2)) == 2
    assert at_once(-5.0, 900.0, kind()) == 0


def test_what_is_far_from_the_limit_for_three_hours_needs_no_plan() -> None:
    assert problem([900.0, 960.0]).quiet
    assert not problem([900.0, 980.0]).quiet
    assert not problem([900.0], known_kw=(0.0,) * 9 + (-80.0,) * (BINS - 9)).quiet, "what comes back counts"
    assert not problem([900.0], elapsed_s=300.0, used_kws=300.0 * 1100.0).quiet, "what the window used counts"
