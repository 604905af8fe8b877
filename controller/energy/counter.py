"""What a counter counted in a span: differences of readings, with resets and gaps said and never filled in.

Totals come from counter differences with resets detected, never from integrals over gaps of the power.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Counted", "counted"]


@dataclass(frozen=True, slots=True)
class Counted:
    """The answer of `counted`."""

    total: float | None
    """In the counter's unit; None when there are not two readings to take a difference of."""
    since_ns: int = 0
    until_ns: int = 0
    """Between which readings: the whole span, or less of it where readings are missing at its edges."""
    resets: int = 0
    """How often the counter went back; it then counts from zero, and what was lost between two readings is missing."""


def counted(time_ns: NDArray[np.int64], value: NDArray[np.float64]) -> Counted:
    """Return what a counter counted from its first to its last usable reading; the readings are in order."""
    good = np.isfinite(value)
    moments, values = time_ns[good], value[good]
    if len(values) < 2:
        return Counted(None)
    steps = np.diff(values)
    back = steps < 0
    steps = np.where(back, values[1:], steps)
    return Counted(float(steps.sum()), int(moments[0]), int(moments[-1]), int(np.count_nonzero(back)))
