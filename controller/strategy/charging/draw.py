"""What a car really takes: less than it is offered is not offered for long, so that others can have it.

The ramp-down estimator of acnportal: when a car takes over 1 A less than its limit twice in a row, it is planned with
what it took and 1 A more; when it comes up to that, it is given room again, 2 A a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from controller.strategy.charging.demand import LEAST_A, PHASE_KV

__all__ = ["Draw", "watched"]

_LESS_A = 1.0
_TWICE = 2
_UP_A = 2.0
_NEAR_A = 0.5
_IDLE_KW = 0.2
_SINGLE_KW_A = 1.5 * PHASE_KV
"""Less power than this for one ampere of L1, kW: the car is on one phase."""
_SURE_A = 4.0


@dataclass(frozen=True, slots=True)
class Draw:
    """What is known of how a car draws."""

    cap_kw: float = math.inf
    """It takes no more than this."""
    below: int = 0
    """How often in a row it took less than it might."""
    idle: int = 0
    """How often in a row it took nothing although it might."""
    single: bool = False
    """It charges on one phase."""


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
        return Draw(draw.cap_kw, 0, draw.idle + 1, single)
    cap, below = draw.cap_kw, 0
    if power_kw < limit_kw - _LESS_A * kw_a:
        below = draw.below + 1
        if below >= _TWICE:
            cap = max(power_kw + _LESS_A * kw_a, LEAST_A * kw_a)
    elif power_kw >= cap - _NEAR_A * kw_a:
        cap += _UP_A * kw_a
    return Draw(cap, below, 0, single)
