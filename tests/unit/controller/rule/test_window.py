from __future__ import annotations

import math

import numpy as np
import pytest

from controller.rule.window import Held, Window, parse_window

YES = np.array([True])


def test_names() -> None:
    assert parse_window("mean_15min") == ("mean", 900.0)
    assert parse_window("max_1h") == ("max", 3600.0)
    assert parse_window("min_30s") == ("min", 30.0)
    assert parse_window("rate_24h") == ("rate", 86_400.0)


@pytest.mark.parametrize(
    "name", ["mean", "mean_0min", "sum_5min", "mean_5m", "mean_25h", "mean_-1h", "mean_15min ", "max_99999h"]
)
def test_wrong_names(name: str) -> None:
    with pytest.raises(ValueError, match="wanted is"):
        parse_window(name)


def feed(window: Window, readings: list[tuple[float, float | None]]) -> float:
    for at, value in readings:
        window.update(at, np.array([math.nan if value is None else value]), np.array([value is not None]))
    value_, known = window.result()
    assert known[0] == (not math.isnan(value_[0]))
    return float(value_[0])


def test_the_mean_is_weighted_by_time() -> None:
    assert feed(Window("mean", 60.0, 1), [(0.0, 10.0), (45.0, 50.0), (60.0, 0.0)]) == pytest.approx(20.0)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    for aggregate, wanted in (("mean", 5.0), ("min", 5.0), ("max", 5.0), ("rate", 0.0)):
        window = Window(aggregate, 60.0, 1)
        assert feed(window, [(0.0, 100.0), (10.0, -100.0), (20.0, 5.0), (90.0, 5.0)]) == wanted


def test_extremes_see_short_peaks() -> None:
    assert feed(Window("max", 60.0, 1), [(0.0, 1.0), (30.0, 9.0), (30.1, 1.0), (60.0, 1.0)]) == 9.0
    assert feed(Window("min", 60.0, 1), [(0.0, 1.0), (30.0, -9.0), (30.1, 1.0), (60.0, 1.0)]) == -9.0


def test_less_than_half_of_the_window_is_unknown() -> None:
    window = Window("mean", 60.0, 1)
    assert math.isnan(feed(window, [(0.0, 4.0), (29.0, 4.0)]))
    assert feed(window, [(30.0, 4.0)]) == 4.0
    assert feed(window, [(60.0, None)]) == 4.0  # bad now, but well covered
    assert feed(window, [(85.0, None)]) == 4.0
    assert math.isnan(feed(window, [(95.0, None)]))


def test_unknown_time_weighs_nothing() -> None:
    readings = [(0.0, 4.0), (20.0, None), (40.0, 8.0), (60.0, 8.0)]
    assert feed(Window("mean", 60.0, 1), readings) == pytest.approx(6.0)


def test_a_gap_without_updates_holds_the_value() -> None:
    assert feed(Window("mean", 60.0, 1), [(0.0, 4.0), (1000.0, 9.0)]) == pytest.approx(4.0)
    assert feed(Window("max", 60.0, 1), [(0.0, 4.0), (1000.0, 3.0)]) == 4.0


def test_rate_needs_a_known_present() -> None:
    window = Window("rate", 60.0, 1)
    assert feed(window, [(0.0, 0.0), (30.0, 60.0)]) == pytest.approx(2.0)
    assert math.isnan(feed(window, [(31.0, None)]))


def test_columns_are_apart() -> None:
    window = Window("mean", 10.0, 3)
    for at in range(11):
        window.update(float(at), np.array([1.0, 2.0, math.nan]), np.array([True, at > 2, False]))
    value, known = window.result()
    assert known.tolist() == [True, True, False]
    assert value[:2].tolist() == [1.0, 2.0]


def test_a_filled_window_goes_on_as_if_it_had_run() -> None:
    at = np.array([-100.0, -50.0, -30.0, -10.0])
    value = np.array([1.0, 2.0, 99.0, 4.0])
    known = np.array([True, True, False, True])
    for aggregate in ("mean", "min", "max", "rate"):
        run, filled = Window(aggregate, 60.0, 1), Window(aggregate, 60.0, 1)
        for moment, number, good in zip(at, value, known, strict=True):
            run.update(float(moment), np.array([number]), np.array([good]))
        filled.fill(0, at, value, known, 0.0)
        for moment in (0.0, 7.0, 20.0, 48.0, 49.5):
            for window in (run, filled):
                window.update(moment, np.array([6.0]), YES)
            np.testing.assert_allclose(filled.result()[0], run.result()[0], err_msg=f"{aggregate} at {moment}")


def test_filling() -> None:
    window = Window("mean", 60.0, 2)
    window.fill(0, np.empty(0), np.empty(0), np.empty(0, bool), 5.0)
    window.fill(1, np.array([-55.0]), np.array([3.0]), YES, 5.0)
    value, known = window.result()
    assert known.tolist() == [False, True]
    assert value[1] == 3.0


@pytest.mark.parametrize("aggregate", ["mean", "min", "max", "rate"])
def test_a_window_that_is_filled_late_is_the_same_as_one_that_was_filled_in_time(aggregate: str) -> None:
    at = np.array([-55.0, -20.0, 2.0, 7.0])
    value = np.array([3.0, 9.0, -50.0, 70.0])
    early, late = Window(aggregate, 60.0, 2), Window(aggregate, 60.0, 2)
    early.fill(1, at[:2], value[:2], np.array([True, True]), 1.0)
    for moment, number in ((1.0, 5.0), (4.0, 6.0), (9.0, 4.0)):
        for window in (early, late):
            window.update(moment, np.array([2.0, number]), np.array([True, True]))
            window.result()
    # History came late, and by then it had what the window has seen itself since 1.0: that is not counted twice.
    late.fill(1, at, value, np.ones(4, np.bool_), 9.0)
    for moment in (9.0, 30.0, 45.0, 66.0, 200.0):
        for window in (early, late):
            window.update(moment, np.array([2.0, 8.0]), np.array([True, True]))
        np.testing.assert_allclose(late.result()[0], early.result()[0], err_msg=f"at {moment}")


def test_a_window_that_has_run_for_its_whole_span_needs_no_past() -> None:
    window = Window("mean", 60.0, 1)
    for moment in (0.0, 50.0, 100.0):
        window.update(moment, np.array([4.0]), YES)
    window.fill(0, np.array([-50.0]), np.array([90.0]), YES, 100.0)
    assert window.result()[0] == 4.0


def held(span: float, states: list[tuple[float, str]]) -> str:
    memory = Held(span, 1, 0.0)
    found = ""
    for at, letter in states:
        value, known = memory.update(at, np.array([letter == "T"]), np.array([letter != "U"]))
        found += "U" if not known[0] else "FT"[int(value[0])]
    return found


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        ([(0, "T"), (5, "T"), (9, "T"), (10, "T"), (11, "T")], "UUUTT"),  # nothing is known of before the start
        ([(0, "F"), (1, "T"), (10, "T"), (11, "T")], "FFFT"),
        ([(20, "T"), (25, "F"), (26, "T"), (35, "T"), (36, "T")], "UFFFT"),
        ([(20, "T"), (25, "U"), (26, "T"), (35, "T"), (36, "T")], "UUUUT"),
        ([(20, "F"), (25, "U"), (26, "T"), (34, "T"), (36, "T")], "FFFFT"),
        ([(20, "U"), (25, "F"), (26, "U"), (40, "U"), (41, "T"), (51, "T")], "UFFUUT"),
    ],
)
def test_for_at_least(states: list[tuple[float, str]], wanted: str) -> None:
    assert held(10.0, states) == wanted
