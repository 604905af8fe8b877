"""Who passes which door and when: the day of everybody with a card, a pure function of seed and day.

Hours as in `simulators.plant.people`: Taipei offices, flexible start from 7:30 to 9:30, lunch from 12 to 13. Cards are
known by a keyed hash and people by a number: nobody in here has a name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.weather import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["DENIED", "IN", "OUT", "Badges", "Day", "Pass"]

IN, OUT, DENIED = 0, 1, 2
_GUARDS = 2
_ROUND_S = 240.0
"""A guard on the round is at a door this often, day and night."""
_STAY_S = 60.0
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Pass:
    """One card at one door."""

    second: float
    """Local second of the day."""
    person: int
    door: int
    kind: int
    """IN, OUT or DENIED."""


@dataclass(frozen=True, slots=True)
class Day:
    """All passes of one local day, in order."""

    seconds: NDArray[np.float64]
    passes: tuple[Pass, ...]

    def between(self, after: float, until: float) -> tuple[Pass, ...]:
        """Return the passes in (after, until]."""
        first, last = np.searchsorted(self.seconds, (after, until), side="right")
        return self.passes[int(first) : int(last)]


class Badges:
    """People with cards: their usual doors, and each day's passes in order."""

    def __init__(self, seed: int, entrances: Sequence[Sequence[int]], floors: Sequence[Sequence[int]]) -> None:
        """`entrances` and `floors` are the places of the doors of each wing; every wing has some of both."""
        self._seed = seed
        draw = stream(seed, "badge")
        homes = [(wing, door) for wing, doors in enumerate(floors) for door in doors]
        self.count = 6 * len(homes)
        choice = draw.integers(0, len(homes), self.count)
        self.home = np.array([homes[place][1] for place in choice], np.intp)
        self.entrance = np.array([_one(draw, entrances[homes[place][0]]) for place in choice], np.intp)
        self._rounds = [door for _, door in homes]
        self._day = lru_cache(maxsize=3)(self._make)

    @property
    def people(self) -> int:
        """Everybody with a card, the guards last."""
        return self.count + _GUARDS

    def day(self, day: int, *, workday: bool) -> Day:
        """Return the passes of one local day."""
        return self._day(day, workday)

    def person(self, number: int) -> str:
        """Return the neutral id of a person."""
        return f"p-{10_000 + number}"

    def credential(self, number: int) -> str:
        """Return the keyed hash of a person's card number."""
        key = f"site/{self._seed}".encode()
        return f"h:{hashlib.blake2s(f'card {number}'.encode(), key=key, digest_size=6).hexdigest()}"

    def _make(self, day: int, workday: bool) -> Day:  # noqa: FBT001 - one caller
        draw = stream(self._seed, "badge-day", day)
        n = self.count
        attend = draw.random(n) < (0.92 if workday else 0.05)
        arrive = np.clip(draw.normal(8.6, 0.45, n), 6.8, 10.5) * _HOUR
        leave = np.clip(draw.normal(17.9, 0.9, n), 15.0, 22.0) * _HOUR
        lunch = draw.random(n) < 0.35
        noon = draw.normal(12.1, 0.08, n) * _HOUR
        back = noon + np.clip(draw.normal(48.0, 8.0, n), 20.0, 75.0) * 60.0
        walk = draw.uniform(60.0, 240.0, n)
        expired = draw.random(n) < 0.008
        trip = np.sort(draw.uniform(9.2, 17.0, (n, 2)), axis=1) * _HOUR
        trip_s = draw.uniform(5.0, 35.0, (n, 2)) * 60.0
        found: list[Pass] = []
        for person in np.flatnonzero(attend).tolist():
            home, entrance = int(self.home[person]), int(self.entrance[person])
            come, go, foot = float(arrive[person]), float(leave[person]), float(walk[person])
            if expired[person]:
                # The desk at the entrance gives the card another year, and the second attempt works.
                found.append(Pass(come, person, entrance, DENIED))
                come += 180.0
            found += [Pass(come, person, entrance, IN), Pass(come + foot, person, home, IN)]
            away = [(float(noon[person]), float(back[person]), True)] if lunch[person] else []
            away += [(t, t + d, False) for t, d in zip(trip[person].tolist(), trip_s[person].tolist(), strict=True)]
            free = come + foot + 300.0
            for start, end, outside in sorted(away):
                if start < free or end > go - 900.0:
                    continue
                found += [Pass(start, person, home, OUT), Pass(end, person, home, IN)]
                if outside and end - start > 3.0 * foot:
                    found += [Pass(start + foot, person, entrance, OUT), Pass(end - foot, person, entrance, IN)]
                free = end + 300.0
            found += [Pass(go, person, home, OUT), Pass(go + foot, person, entrance, OUT)]
        for guard in range(n, n + _GUARDS):
            order = draw.permutation(len(self._rounds))
            start = float(draw.uniform(0.0, _ROUND_S))
            for stop in range(int(86_400 / _ROUND_S)):
                door, at = self._rounds[int(order[stop % len(order)])], start + stop * _ROUND_S
                found += [Pass(at, guard, door, IN), Pass(min(at + _STAY_S, 86_399.0), guard, door, OUT)]
        found.sort(key=lambda one: one.second)
        return Day(np.array([one.second for one in found]), tuple(found))


def _one(draw: Generator, doors: Sequence[int]) -> int:
    return int(doors[int(draw.integers(0, len(doors)))])
