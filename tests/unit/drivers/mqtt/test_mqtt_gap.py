"""Gaps in sequence numbers: asked for once in a while, filled late, and never confused with a sender that restarts."""

from __future__ import annotations

from drivers.mqtt.gap import ASK_EVERY_S, MOST_MISSING, TRIES, Gaps, Verdict

S = 1_000_000_000


def test_numbers_in_order_say_nothing() -> None:
    gaps = Gaps()
    assert [gaps.see(n, n * S, 0.0) for n in (7, 8, 9)] == [Verdict()] * 3


def test_a_gap_is_asked_for_from_its_first_number_and_what_fills_it_is_late() -> None:
    gaps = Gaps()
    gaps.see(1, 1 * S, 0.0)
    assert gaps.see(5, 5 * S, 1.0) == Verdict(lost=3, ask_from=2)
    assert [gaps.see(n, n * S, 1.5).late for n in (2, 3, 4)] == [True] * 3
    assert gaps.missing == 0
    assert gaps.see(5, 5 * S, 1.6) == Verdict(repeated=True), "the answer told the last one too"
    assert gaps.see(6, 6 * S, 2.0) == Verdict()


def test_an_answer_that_does_not_come_is_asked_for_again_and_then_given_up() -> None:
    gaps = Gaps()
    gaps.see(1, 1, 0.0)
    asked = [gaps.see(3, 3, 0.0).ask_from]
    for step in range(1, 8):
        asked += [gaps.see(3 + step, 3 + step, step * ASK_EVERY_S / 2).ask_from]
    assert [number for number in asked if number is not None] == [2] * TRIES
    assert gaps.see(2, 2, 100.0).late, "it is late all the same when it comes at last"


def test_a_sender_that_counts_from_one_again_is_not_late() -> None:
    gaps = Gaps()
    gaps.see(900, 10 * S, 0.0)
    gaps.see(905, 11 * S, 0.0)
    assert gaps.see(1, 12 * S, 1.0) == Verdict()
    assert gaps.missing == 0
    assert gaps.see(2, 13 * S, 2.0) == Verdict()
    assert gaps.see(3, 14 * S, 3.0) == Verdict()


def test_a_hole_of_a_million_costs_a_thousand() -> None:
    gaps = Gaps()
    gaps.see(1, 1, 0.0)
    verdict = gaps.see(1_000_001, 2, 0.0)
    assert (verdict.lost, gaps.missing) == (999_999, MOST_MISSING)
    assert verdict.ask_from == 1_000_001 - MOST_MISSING
    gaps.see(3_000_000, 3, 0.0)
    assert gaps.missing == MOST_MISSING
