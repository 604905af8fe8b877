"""The conditions of all alarms at once: limits, states, deadbands and delays, in arrays.

Most readings of a building are calm: inside the band in which no alarm of their point can change. `Conditions.check`
finds the others with two look-ups and two comparisons a reading and looks closer at those alone. The band of a point is
empty while one of its alarms is active, is waiting for a delay, or has a bad input, so that nothing is missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from controller.alarm.definition import AlarmDefinition

__all__ = ["Conditions", "Firing"]

_UNCERTAIN = np.uint8(64)
_STATE_SPAN = 1 << 17
_MAX_ROUNDS = 64
"""Readings of one point in one batch that are looked at one after the other; of more the last ones count."""


class Firing(NamedTuple):
    """A condition that came or went, after its delay."""

    place: int
    """Index of the definition."""
    active: bool
    value: float
    """Value that decided; NaN for a communication alarm."""


class Conditions:
    """Whether each of `definitions` is active, on the monotonic clock that the caller passes as `now`."""

    def __init__(self, definitions: Sequence[AlarmDefinition]) -> None:
        n = len(definitions)
        self.active = np.zeros(n, np.bool_)
        """The condition holds, after its delays."""
        self.bad = np.zeros(n, np.bool_)
        """The input is not good now."""
        self.deadline = np.full(n, np.inf)
        """When a change of the condition counts, monotonic s; infinity where none waits."""
        self.value = np.full(n, np.nan)
        """The last good value that was looked at."""
        self.bad_changed = False
        """`bad` has changed somewhere since somebody set this to False."""
        self.collapsed = 0
        """Readings passed over because one point came too often in one batch."""
        self._on = np.array([d.on_delay_s for d in definitions], np.float64)
        self._off = np.array([d.off_delay_s for d in definitions], np.float64)
        # With the sign of low limits turned round, every limit is an upper one.
        self._sign = np.array([-1.0 if d.kind in ("low", "low_low") else 1.0 for d in definitions])
        limit = np.array([d.limit for d in definitions], np.float64)
        self._limit = self._sign * limit
        self._return = self._limit - np.array([d.deadband for d in definitions], np.float64)
        self._is_state = np.array([d.kind == "state" for d in definitions], np.bool_)
        self._any_state = bool(self._is_state.any())
        self._state_keys = np.array(
            sorted({i * _STATE_SPAN + s for i, d in enumerate(definitions) for s in d.states}), np.int64
        )

        # Definitions of point p are `_order[_first[p] : _first[p] + _count[p]]`; one spare row for foreign numbers.
        numbers = np.array([d.number for d in definitions], np.intp)
        of_point = (numbers >= 0).nonzero()[0]
        self._order = of_point[np.argsort(numbers[of_point], kind="stable")]
        self._size = int(numbers.max()) + 1 if len(of_point) else 0
        self._count = np.bincount(numbers[of_point], minlength=self._size + 1)
        self._first = np.concatenate([[0], np.cumsum(self._count)[:-1]])
        self._number = numbers
        self._mark = np.zeros(self._size + 1, np.bool_)
        self._place = np.zeros(self._size + 1, np.intp)
        # The widest band is finite, so that infinity is never calm.
        largest = float(np.finfo(np.float64).max)
        self._calm_low = np.full(self._size + 1, -largest)
        self._calm_high = np.full(self._size + 1, largest)
        for definition in definitions:
            if definition.number < 0:
                continue
            low, high = _calm(definition)
            self._calm_low[definition.number] = max(low, self._calm_low[definition.number])
            self._calm_high[definition.number] = min(high, self._calm_high[definition.number])
        self._low = self._calm_low.copy()
        self._high = self._calm_high.copy()

    def check(
        self, number: NDArray[np.int32], value: NDArray[np.float64], quality: NDArray[np.uint8], now: float
    ) -> list[Firing]:
        """Look at a batch of readings, in its order; return what came and went.

        Values of quality uncertain or bad, NaN and infinity neither raise nor clear: they mark the input bad and stop
        its delays, which begin anew with the next good value.
        """
        # Seen as unsigned, a negative number is a huge one; foreign numbers end in the spare row.
        index = np.minimum(number.view(np.uint32), self._size).astype(np.intp)
        busy = ~((value >= self._low[index]) & (value <= self._high[index]))
        if np.count_nonzero(quality):
            busy |= quality >= _UNCERTAIN
        if not np.count_nonzero(busy):
            return []
        # A calm reading that follows a busy one of the same point must be looked at as well.
        touched = index[busy]
        self._mark[touched] = True
        busy = self._mark[index]
        self._mark[touched] = False
        busy &= self._count[index] > 0
        index, value = index[busy], value[busy]
        good = (quality[busy] < _UNCERTAIN) & np.isfinite(value)
        n = len(index)
        place = np.arange(n)
        self._place[index] = place
        if not np.count_nonzero(self._place[index] != place):
            return self._round(index, value, good, now) if n else []

        order = np.argsort(index, kind="stable")
        last = np.searchsorted(index[order], index[order], side="right")
        turn = np.empty(n, np.intp)
        turn[order] = _MAX_ROUNDS - (last - place)  # the last reading of every point comes in the last round
        self.collapsed += int(np.count_nonzero(turn < 0))
        fired: list[Firing] = []
        for k in range(max(0, int(turn.min())), _MAX_ROUNDS):
            now_due = turn == k
            fired += self._round(index[now_due], value[now_due], good[now_due], now)
        return fired

    def tick(self, now: float) -> list[Firing]:
        """Let the delays that have ended by `now` take effect."""
        due = (self.deadline <= now).nonzero()[0]
        return self._fire(due) if len(due) else []

    def set(self, place: int, wanted: bool, now: float) -> list[Firing]:  # noqa: FBT001 - the condition itself
        """Say of a condition without a point whether it holds; its delays apply."""
        if bool(self.active[place]) == wanted:
            self.deadline[place] = np.inf
            return []
        delay = self._on[place] if wanted else self._off[place]
        self.deadline[place] = min(self.deadline[place], now + delay)
        return self._fire(np.array([place])) if self.deadline[place] <= now else []

    def restore(self, place: int, active: bool) -> None:  # noqa: FBT001 - the condition itself
        """Set a condition as it was before a restart, without delay or firing."""
        self.active[place] = active
        self._settle(np.array([place]))

    def forget(self, place: int) -> None:
        """Let go of a condition whose input says nothing any more; the next good value decides anew."""
        self.active[place] = False
        self.deadline[place] = np.inf
        self._settle(np.array([place]))

    def carry(self, place: int, other: Conditions, origin: int) -> None:
        """Take over what `other` knows of the same condition, so that delays go on through a new configuration."""
        for mine, theirs in (
            (self.active, other.active),
            (self.bad, other.bad),
            (self.deadline, other.deadline),
            (self.value, other.value),
        ):
            mine[place] = theirs[origin]
        self._settle(np.array([place]))

    def _round(
        self, index: NDArray[np.intp], value: NDArray[np.float64], good: NDArray[np.bool_], now: float
    ) -> list[Firing]:
        """Look at readings of which no two are of one point, and of whose points each has a definition."""
        count = self._count[index]
        start = np.cumsum(count) - count
        place = self._order[np.repeat(self._first[index] - start, count) + np.arange(int(start[-1] + count[-1]))]
        pair_good = np.repeat(good, count)
        if np.count_nonzero(pair_good) < len(pair_good):
            lost = place[~pair_good]
            self.bad_changed |= int(np.count_nonzero(self.bad[lost])) < len(lost)
            self.bad[lost] = True
            self.deadline[lost] = np.inf
            judged, seen = place[pair_good], np.repeat(value, count)[pair_good]
        else:
            judged, seen = place, np.repeat(value, count)

        self.bad_changed |= int(np.count_nonzero(self.bad[judged])) > 0
        self.bad[judged] = False
        self.value[judged] = seen
        signed = seen * self._sign[judged]
        active = self.active[judged]
        # NaN limits of state alarms compare false here and are decided below.
        holds = (signed > self._limit[judged]) | (active & (signed > self._return[judged]))
        if self._any_state and np.count_nonzero(states := self._is_state[judged]):
            holds[states] = self._in_states(judged[states], seen[states])
        delay = np.where(holds, self._on[judged], self._off[judged])
        deadline = np.where(holds != active, np.minimum(self.deadline[judged], now + delay), np.inf)
        self.deadline[judged] = deadline
        due = deadline <= now
        fired = self._fire(judged[due]) if np.count_nonzero(due) else []

        restless = self.active[place] | self.bad[place] | np.isfinite(self.deadline[place])
        busy = np.add.reduceat(restless, start, dtype=np.intp) > 0
        self._low[index] = np.where(busy, np.inf, self._calm_low[index])
        self._high[index] = np.where(busy, -np.inf, self._calm_high[index])
        return fired

    def _in_states(self, place: NDArray[np.intp], value: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell whether each value is one of the states of its definition; one between two numbers is none."""
        whole = np.where((value >= 0) & (value < _STATE_SPAN) & (value == np.floor(value)), value, -1).astype(np.int64)
        key = place * _STATE_SPAN + whole
        where = np.minimum(np.searchsorted(self._state_keys, key), len(self._state_keys) - 1)
        found: NDArray[np.bool_] = (self._state_keys[where] == key) & (whole >= 0)
        return found

    def _fire(self, places: NDArray[np.intp]) -> list[Firing]:
        self.active[places] = ~self.active[places]
        self.deadline[places] = np.inf
        self._settle(places)
        return [
            Firing(place, active, value)
            for place, active, value in zip(
                places.tolist(), self.active[places].tolist(), self.value[places].tolist(), strict=True
            )
        ]

    def _settle(self, places: NDArray[np.intp]) -> None:
        """Open or close the calm band of the points of some definitions."""
        for number in set(self._number[places].tolist()) - {-1}:
            mine = self._order[self._first[number] : self._first[number] + self._count[number]]
            busy = bool((self.active[mine] | self.bad[mine] | np.isfinite(self.deadline[mine])).any())
            self._low[number] = np.inf if busy else self._calm_low[number]
            self._high[number] = -np.inf if busy else self._calm_high[number]


def _calm(definition: AlarmDefinition) -> tuple[float, float]:
    """Return a band of values, ends included, that cannot raise the alarm (not the widest one for state alarms)."""
    if definition.kind in ("high", "high_high"):
        return -np.inf, definition.limit
    if definition.kind in ("low", "low_low"):
        return definition.limit, np.inf
    if 0 in definition.states:
        return max(definition.states) + 0.5, np.inf
    return -np.inf, min(definition.states) - 0.5
