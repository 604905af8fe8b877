"""Room for charging: what circuits have left, and how much the rest of the building is likely to leave them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from controller.strategy.charging.demand import Circuit, Demand

__all__ = ["QUARTER_S", "Room", "forecast", "grid"]

QUARTER_S = 900.0
"""Demand is billed by quarters of the clock, and plans go by them."""
_FADE_H = 2.0
"""A building that draws more than its usual course does so for about this long."""


class Room:
    """What is left on every circuit in one step, while cars are given their share one after the other."""

    def __init__(self, demands: Sequence[Demand], circuits: Sequence[Circuit], step: int = 0) -> None:
        """Begin with all that the circuits have in a step; below 0 counts as 0."""
        self._demands = demands
        self._of = [[c for c, circuit in enumerate(circuits) if one.charger in circuit.chargers] for one in demands]
        self._kw = np.array([max(circuit.room_kw[step], 0.0) for circuit in circuits])
        self._metered = np.array([circuit.metered for circuit in circuits], np.bool_)
        self._a = np.array([[max(circuit.room_a, 0.0)] * 3 for circuit in circuits]).reshape(-1, 3)

    def left(self, i: int, take: float = 1.0, told_kw: float = 0.0, drawn_kw: float = math.nan) -> float:
        """Return what a car may be given more, kW; infinite where no circuit holds it.

        Args:
            i: the car.
            take: share of it that it takes, as far as that counts: see `take`.
            told_kw: what it may take now.
            drawn_kw: what it takes of that; NaN: not known. Where there is room for this, a circuit with a meter has
                room for what it may take, and for as much more as is left beside.
        """
        one, circuits = self._demands[i], self._of[i]
        if not circuits:
            return math.inf
        metered = self._metered[circuits]
        kw = self._kw[circuits] / np.where(metered, take, 1.0)
        if drawn_kw < told_kw:
            kw += np.where(metered & (kw >= drawn_kw), told_kw - drawn_kw, 0.0)
        amperes = self._a[circuits][:, list(one.phases)]
        return float(max(min(kw.min(), amperes.min() * one.kw_a), 0.0))

    def take(self, i: int, kw: float, drawn_kw: float | None = None) -> None:
        """Use some of it; what is more than is left makes it negative, which counts as none.

        Args:
            i: the car.
            kw: what it may take.
            drawn_kw: what it is expected to take of it: this counts where a meter watches; None: all. It never does
                against the amperes of a branch, whose breaker knows no mean.
        """
        one, circuits = self._demands[i], self._of[i]
        self._kw[circuits] -= np.where(self._metered[circuits], kw if drawn_kw is None else drawn_kw, kw)
        self._a[circuits] -= np.array(one.phases) * kw / one.kw_a


def grid(time_s: float, until_s: float, most: int = 96) -> tuple[float, ...]:
    """Return the steps from now on, hours: what is left of the quarter by the clock, then whole quarters.

    Args:
        time_s: now, seconds since 1970; time zones are whole quarters away from UTC.
        until_s: the last one ends at this time or later.
        most: steps.
    """
    first = QUARTER_S - time_s % QUARTER_S
    # A sliver of a quarter would be a step of its own for nothing.
    first += QUARTER_S if first < 60.0 else 0.0
    more = math.ceil((until_s - time_s - first) / QUARTER_S - 1e-9)
    return (first / 3600.0, *[QUARTER_S / 3600.0] * min(max(more, 0), most - 1))


def forecast(usual_kw: NDArray[np.float64], hours: Sequence[float], now_kw: float) -> NDArray[np.float64]:
    """Return what the building draws beside the cars in each step, kW (T,).

    Its usual course, and beside it what it draws more or less than usual now, fading over two hours.

    Args:
        usual_kw: the usual course (T,); NaN where it is not known: the present value stands in.
        hours: the steps.
        now_kw: measured.
    """
    spans = np.asarray(hours)
    middle = np.cumsum(spans) - spans / 2.0
    excess = now_kw - usual_kw[0] if math.isfinite(usual_kw[0]) else 0.0
    return np.where(np.isfinite(usual_kw), usual_kw + excess * np.exp(-middle / _FADE_H), now_kw)
