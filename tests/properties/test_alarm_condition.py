"""The array form of the alarm conditions against a plain one that looks at one reading after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.alarm.condition import Conditions
from controller.alarm.definition import AlarmDefinition

POINTS = 4
VALUES = st.sampled_from([-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 2.5, math.nan, math.inf])
DELAYS = st.sampled_from([0.0, 0.0, 2.0, 5.0])


@st.composite
def definition(draw: st.DrawFn, index: int) -> AlarmDefinition:
    kind = draw(st.sampled_from(["high", "low", "high_high", "state"]))
    return AlarmDefinition(
        id=str(index),
        kind=kind,
        number=draw(st.integers(0, POINTS - 1)),
        limit=math.nan if kind == "state" else draw(st.integers(-1, 5)),
        states=tuple(draw(st.sets(st.integers(0, 5), min_size=1))) if kind == "state" else (),
        deadband=draw(st.sampled_from([0.0, 0.5, 2.0])),
        on_delay_s=draw(DELAYS),
        off_delay_s=draw(DELAYS),
    )


DEFINITIONS = st.integers(0, 8).flatmap(lambda n: st.tuples(*(definition(i) for i in range(n))))
READING = st.tuples(st.integers(-1, POINTS + 1), VALUES, st.sampled_from([0, 0, 0, 0, 1, 64, 65, 128]))
STEP = st.tuples(st.lists(READING, max_size=8), st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0]))


@dataclass
class Plain:
    """One condition, the slow way."""

    definition: AlarmDefinition
    active: bool = False
    bad: bool = False
    since: float | None = None
    fired: list[tuple[bool, float]] = field(default_factory=list)
    value: float = math.nan

    def take(self, value: float, quality: int, now: float) -> None:
        if quality >= 64 or not math.isfinite(value):
            self.bad, self.since = True, None
            return
        self.bad, self.value = False, value
        limit, deadband = self.definition.limit, self.definition.deadband
        match self.definition.kind:
            case "state":
                holds = value in self.definition.states
            case "low":
                holds = value < limit or (self.active and value < limit + deadband)
            case _:
                holds = value > limit or (self.active and value > limit - deadband)
        if holds == self.active:
            self.since = None
            return
        if self.since is None:
            self.since = now
        self.end(now)

    def end(self, now: float) -> None:
        delay = self.definition.off_delay_s if self.active else self.definition.on_delay_s
        if self.since is not None and now >= self.since + delay:
            self.active, self.since = not self.active, None
            self.fired.append((self.active, self.value))


@settings(max_examples=400, deadline=None)
@given(definitions=DEFINITIONS, steps=st.lists(STEP, max_size=12))
def test_arrays_decide_as_one_reading_after_the_other(
    definitions: tuple[AlarmDefinition, ...], steps: list[tuple[list[tuple[int, float, int]], float]]
) -> None:
    conditions = Conditions(definitions)
    plain = [Plain(definition) for definition in definitions]
    fired: dict[int, list[tuple[bool, float]]] = {i: [] for i in range(len(definitions))}
    now = 0.0
    for readings, passed in steps:
        now += passed
        found = conditions.tick(now)
        for one in plain:
            one.end(now)
        number = np.array([reading[0] for reading in readings], np.int32)
        value = np.array([reading[1] for reading in readings], np.float64)
        quality = np.array([reading[2] for reading in readings], np.uint8)
        found += conditions.check(number, value, quality, now)
        for reading in readings:
            for one in plain:
                if one.definition.number == reading[0]:
                    one.take(reading[1], reading[2], now)
        for firing in found:
            fired[firing.place].append((firing.active, firing.value))
        assert conditions.active.tolist() == [one.active for one in plain]
        assert conditions.bad.tolist() == [one.bad for one in plain]
    assert [fired[i] for i in range(len(plain))] == [one.fired for one in plain]
