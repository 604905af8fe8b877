"""Giving back what is shed, so that what ends together does not come back together (control reference 8.6).

A shed that ends takes its kW, and a rebound, back into the window in which it ends. Many small items whose time began
together end together: they are given back in portions of kW, apart from each other, each as late as that allows. What
was begun counts as one of a few times a day: time of it that is not used is lost.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.strategy.shed import Item

__all__ = ["APART_S", "Ending", "due", "returning"]

APART_S = 60.0
"""Between two portions."""
_PORTION = 0.005
"""Of the contract capacity: so much comes back at once, a larger item alone, more only where time allows no less."""
_EARLY = 0.5
"""Of an item's time in an hour: all portions are within so much of its end."""


class Ending(NamedTuple):
    """An item that is shed and whose time ends."""

    left_s: float
    """Seconds of its time in this hour that are left."""
    item: Item
    kw: float
    """What it is expected to give, kW, at least 0."""


def due(endings: Sequence[Ending], contract_kw: float, slack_s: float) -> list[Item]:
    """Return the items to give back now, the first portion; none while all of them can still wait.

    `slack_s` is kept between the last moment of an item and its end. The caller leaves `APART_S` between two portions.
    """
    row = sorted((one for one in endings if math.isfinite(one.left_s)), key=lambda one: (one.left_s, one.item.point))
    if not row:
        return []
    places = max(1.0, _EARLY * row[0].item.group.minutes_per_hour * 60.0 / APART_S)
    portion = max(_PORTION * contract_kw, sum(one.kw for one in row) / places)
    first: list[Item] = []
    place, kw, waits = 0, 0.0, True
    for one in row:
        if kw > 0.0 and kw + one.kw > portion:
            place, kw = place + 1, 0.0
        kw += one.kw
        if place == 0:
            first.append(one.item)
        waits = waits and one.left_s > place * APART_S + slack_s
    return [] if waits else first


def returning(endings: Sequence[Ending], ahead_s: float) -> float:
    """Return the mean kW over the next `ahead_s` of what comes back in them because its time ends."""
    return sum(one.kw * (ahead_s - max(one.left_s, 0.0)) / ahead_s for one in endings if one.left_s < ahead_s)
