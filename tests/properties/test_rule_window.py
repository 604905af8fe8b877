"""Windows and durations against the plain definition over the whole past."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.rule.window import COVERAGE, Held, Window

SPAN = 60.0
STEP = st.tuples(st.sampled_from([0.0, 0.25, 1.0, 3.0, 7.5, 40.0, 200.0]), st.sampled_from([1.0, 2.0, 5.0, -3.0, None]))
STEPS = st.lists(STEP, min_size=1, max_size=40)


def history(steps: list[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    now, out = 0.0, []
    for passed, value in steps:
        now += passed
        out.append((now, value))
    return out


@settings(max_examples=300, deadline=None)
@given(STEPS, st.sampled_from(["mean", "min", "max"]))
def test_a_window_is_right_to_a_sixtieth(steps: list[tuple[float, float | None]], aggregate: str) -> None:
    window = Window(aggregate, SPAN, 1)
    past = history(steps)
    for at, value in past:
        window.update(at, np.array([math.nan if value is None else value]), np.array([value is not None]))
    now = past[-1][0]
    value_, known = window.result()

    def part(begin: float) -> list[tuple[float, float]]:
        """Return (seconds, value) of each known stretch since `begin`; the present counts as 0 s."""
        ends = [at for at, _ in past[1:]] + [now]
        pieces = []
        for (at, value), end in zip(past, ends, strict=True):
            length = end - max(at, begin)
            if value is not None and (length > 0 or (at == now and length == 0)):
                pieces.append((max(length, 0.0), value))
        return pieces

    # The far edge lies between the span and the span and one bucket.
    narrow, wide = part(now - SPAN), part(now - SPAN * 61 / 60)
    if sum(seconds for seconds, _ in wide) < COVERAGE * SPAN - 1e-6:
        assert not known[0]
        return
    if sum(seconds for seconds, _ in narrow) > COVERAGE * SPAN + 1e-6:
        assert known[0]
    if not known[0]:
        return
    if aggregate == "mean":
        total = sum(seconds for seconds, _ in narrow)
        mean = sum(seconds * value for seconds, value in narrow) / total
        assert value_[0] == pytest.approx(mean, abs=8.0 / (60 * COVERAGE) + 1e-9)
    else:
        choose = min if aggregate == "min" else max
        sign = 1 if aggregate == "min" else -1
        # A reading replaced in the same instant was there as well.
        instants = [value for at, value in past if value is not None and at >= now - SPAN * 61 / 60]
        loosest = choose([value for _, value in wide] + instants)
        tightest = choose([value for seconds, value in narrow if seconds > 0] or [loosest])
        assert sign * loosest <= sign * value_[0] <= sign * tightest


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.5, 1.0, 4.0, 9.5]), st.sampled_from("TFU")), min_size=1, max_size=30))
def test_held_is_what_its_words_say(steps: list[tuple[float, str]]) -> None:
    span = 10.0
    held = Held(span, 1, 0.0)
    now = 0.0
    past: list[tuple[float, float, str]] = [(-math.inf, 0.0, "U")]
    letter = "U"
    for passed, after in steps:
        past.append((now, now + passed, letter))
        now += passed
        letter = after
        value, known = held.update(now, np.array([letter == "T"]), np.array([letter != "U"]))
        seen = {state for begin, end, state in past if end > now - span and end > begin} | {letter}
        wanted = "F" if "F" in seen else "U" if "U" in seen else "T"
        assert ("U" if not known[0] else "FT"[int(value[0])]) == wanted
