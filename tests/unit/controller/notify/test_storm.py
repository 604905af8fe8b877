"""A storm of alarms is one message with a count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.notify.plan import Pace
from controller.notify.storm import Gate

PACE = Pace(5, 600.0)


def test_five_come_one_by_one_and_the_sixth_as_a_group() -> None:
    gate = Gate()
    assert [gate.take(PACE, float(second), 1) for second in range(7)] == ["single"] * 5 + ["group"] * 2
    assert gate.due == 6.0


def test_many_at_once_are_a_group_from_the_first() -> None:
    gate = Gate()
    assert gate.take(PACE, 100.0, 500) == "group"
    assert gate.due == 101.0


def test_the_next_group_waits_ten_minutes_and_a_minute_with_a_critical_alarm() -> None:
    gate = Gate()
    gate.take(PACE, 0.0, 6)
    gate.close()
    gate.take(PACE, 10.0, 6)
    assert gate.due == 601.0
    gate.take(PACE, 20.0, 1, critical=True)
    assert gate.due == 61.0


def test_after_quiet_alarms_come_one_by_one_again() -> None:
    gate = Gate()
    for second in range(5):
        gate.take(PACE, float(second), 1)
    assert gate.take(PACE, 700.0, 1) == "single"


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 8)), max_size=120))
def test_no_contact_gets_more_than_its_pace_in_any_window(steps: list[tuple[float, int]]) -> None:
    gate, now, sent = Gate(), 0.0, []
    for pause, count in steps:
        now += pause
        if gate.due is not None and gate.due <= now:
            sent.append(gate.due)
            gate.close()
        if gate.take(PACE, now, count) == "single":
            sent += [now] * count
    for begin in sent:
        # Five one by one, and at either end of the window one message with a count.
        assert sum(begin <= one < begin + PACE.within_s for one in sent) <= PACE.most + 2
