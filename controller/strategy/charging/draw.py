"""What a car really takes: less than it is offered is not offered for long, so that others can have it.

The ramp-down estimator of acnportal: when a car takes much less than its limit twice in a row, it is planned with what
it took and a little more; when it comes up to that, it is given room again. Cars take half an ampere to two less
than they may (control reference, 9), so "much less" is more than that, or the limit would creep down with the car.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from controller.strategy.charging.demand import LEAST_A, PHASE_KV

__all__ = ["LOW", "Draw", "watched"]

_LESS_A = 2.5
_TWICE = 2
_UP = 1.2
"""A car that takes all of its cap may take a fifth more, again and again. Who is thought to take much more than it does
seems to have time."""
_TAKE = 0.93
"""Share of its limit that a car takes, before it has shown its own."""
_NEW = 0.2
LOW = 1.25
"""Up to so many times its least a car is taken to draw the same share of what it may; above that it leaves more."""
_IDLE_KW = 0.2
_SINGLE_KW_A = 1.5 * PHASE_KV
"""Less power than this for one ampere of L1, kW: the car is on one phase."""
_SURE_A = 4.0


@dataclass(frozen=True, slots=True)
class Draw:
    """What is known of how a car draws."""

    cap_kw: float = math.inf
    """It takes no more than this."""
    measured: bool = False
    """That was seen; else it is assumed, and given up as soon as it takes that much."""
    below: int = 0
    """How often in a row it took less than it might."""
    idle: int = 0
    """How often in a row it took nothing although it might."""
    single: bool = False
    """It charges on one phase."""
    take: float = _TAKE
    """Share of what it is offered that it takes, where the offer is what limits it."""
    low: float = 0.0
    """The largest such share that was seen near to its least; 0: none was."""


def watched(draw: Draw, limit_kw: float, power_kw: float, current_a: float = math.nan) -> Draw:
    """Return what is known after one more look at a car that has had its limit for a while.

    Args:
        draw: what was known.
        limit_kw: what it may take; 0 when it is paused, and then it tells nothing.
        power_kw: what it takes; NaN when unknown.
        current_a: of L1; NaN when unknown or when it charges with direct current.
    """
    if limit_kw <= 0.0 or not math.isfinite(power_kw):
        return replace(draw, below=0)
    single = draw.single
    if current_a > _SURE_A:
        single = power_kw < current_a * _SINGLE_KW_A
    kw_a = PHASE_KV * (1 if single else 3)
    if power_kw < _IDLE_KW:
        return replace(draw, below=0, idle=draw.idle + 1, single=single)
    spare_kw = _LESS_A * kw_a
    if power_kw < limit_kw - spare_kw:
        below = draw.below + 1
        if below < _TWICE:
            return replace(draw, below=below, idle=0, single=single)
        cap = max(power_kw + spare_kw, LEAST_A * kw_a)
        return replace(draw, cap_kw=cap, measured=True, below=below, idle=0, single=single)
    cap = draw.cap_kw
    if draw.measured:
        cap = max(cap, power_kw + spare_kw)
    elif limit_kw >= cap - spare_kw:
        cap *= _UP
    share = min(power_kw / limit_kw, 1.0)
    low = max(draw.low, share) if limit_kw <= LOW * LEAST_A * kw_a else draw.low
    return Draw(cap, draw.measured, 0, 0, single, draw.take + _NEW * (share - draw.take), low)
