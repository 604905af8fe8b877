"""How many people are in each zone, and what they switch on. A pure function of seed and time.

Occupancy of a workday: Taipei offices, hour by hour; lights go out at lunch by house rule.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.weather import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.plant.calendar import Moment

__all__ = ["People", "light_share", "occupancy"]

_WORKDAY = (0, 0, 0, 0, 0, 0, 0, 0.10, 0.60, 0.95, 0.95, 0.95, 0.55, 0.85, 0.95, 0.95, 0.95, 0.60, 0.25, 0.12, 0.06,
            0.03, 0.03, 0.03)  # fmt: skip
_HOURS = np.arange(24) + 0.5
_SLOTS = 96


def occupancy(hour: float, *, workday: bool) -> float:
    """Return the share of the design head count that is in the house."""
    value = float(np.interp(hour, _HOURS, _WORKDAY, period=24.0))
    return value if workday else 0.06 * value


def light_share(hour: float, *, workday: bool) -> float:
    """Return the share of lamps that burn: few at night, off at lunch by house rule."""
    if not workday:
        return 0.07
    if 12.0 <= hour < 13.0:
        return 0.45
    return float(np.interp(hour, (6.5, 8.0, 17.5, 19.0, 22.0), (0.08, 0.95, 0.95, 0.40, 0.08)))


class People:
    """Head counts: binomial around the usual course, each quarter remembering 0.9 of the one before."""

    def __init__(self, seed: int, design: NDArray[np.float64]) -> None:
        """`design` (N,) is the head count of each zone at full occupancy."""
        self._seed = seed
        self._design = design
        self._day = lru_cache(maxsize=4)(self._make_day)

    def at(self, moment: Moment) -> NDArray[np.float64]:
        """Return the head count of each zone (N,); between two quarters it is interpolated."""
        place = moment.hour * 4.0
        slot = int(place)
        table = self._day(moment.day, int(moment.workday))
        return np.asarray(table[slot] + (table[slot + 1] - table[slot]) * (place - slot))

    def _make_day(self, day: int, workday: int) -> NDArray[np.float64]:
        draw = stream(self._seed, "people", day).standard_normal((_SLOTS + 1, len(self._design)))
        usual = np.array([occupancy(slot / 4.0 % 24.0, workday=bool(workday)) for slot in range(_SLOTS + 1)])
        noise = np.zeros(len(self._design))
        table = np.empty((_SLOTS + 1, len(self._design)))
        for slot in range(_SLOTS + 1):
            noise = 0.9 * noise + 0.436 * draw[slot]
            share = usual[slot]
            count = self._design * share + np.sqrt(self._design * share * (1.0 - share)) * noise
            table[slot] = np.clip(np.round(count), 0.0, self._design)
        return table
