"""Readings: what a driver hands over, in columns, and the quality of each value.

A batch is one answer of one device. Nothing on the hot path is an object per value: a reader who looks for a
`Reading` class will not find one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Quality", "Readings", "is_bad", "is_good", "is_uncertain"]


class Quality(IntEnum):
    """Quality of a value, stored as uint8.

    The two high bits are the severity, as in an OPC UA status code: 0..63 good, 64..127 uncertain, 128..255 bad.
    Source of the mapping: OPC UA Part 8, tables 28-30.
    """

    GOOD = 0
    GOOD_OVERRIDDEN = 1
    UNCERTAIN_STALE = 64
    UNCERTAIN_RANGE = 65
    UNCERTAIN_SUBSTITUTE = 66
    BAD_COMM = 128
    """Never read, or the link is down and no last value exists."""
    BAD_DEVICE = 129
    """The device itself reports a failure (Modbus exception 4, 10, 11; a fault bit)."""
    BAD_SENSOR = 130
    """A sentinel, NaN or infinity instead of a measurement."""
    BAD_CONFIG = 131
    """The device refuses the address, or answers with another shape than the profile says."""
    BAD_OUT_OF_SERVICE = 132


def is_good(quality: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell for each quality whether it is good (severity bits 00)."""
    return quality < 64


def is_uncertain(quality: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell for each quality whether it is uncertain (severity bits 01)."""
    return (quality >= 64) & (quality < 128)


def is_bad(quality: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell for each quality whether it is bad (severity bit 1x)."""
    return quality >= 128


@dataclass(frozen=True, slots=True)
class Readings:
    """A columnar batch: four arrays of one length, in the order in which the values were taken.

    A bad reading carries NaN as its value; the point table keeps the last good one apart.
    """

    point: NDArray[np.int32]
    """Point numbers, as given to the driver in `Device.numbers`."""
    value: NDArray[np.float64]
    time_ns: NDArray[np.int64]
    """Source time, ns since 1970 UTC; the controller's own receive time where the device has no clock."""
    quality: NDArray[np.uint8]
    late: bool = False
    """True for values of the past (edge spool, LoRaWAN history record, replay): they go to history alone."""

    def __post_init__(self) -> None:
        n = len(self.point)
        if not (len(self.value) == len(self.time_ns) == len(self.quality) == n):
            raise ValueError(
                f"columns of different length: point {n}, value {len(self.value)}, "
                f"time_ns {len(self.time_ns)}, quality {len(self.quality)}"
            )

    def __len__(self) -> int:
        return len(self.point)

    @classmethod
    def of(
        cls,
        point: Sequence[int],
        value: Sequence[float],
        time_ns: int,
        quality: Sequence[int] | int = Quality.GOOD,
        *,
        late: bool = False,
    ) -> Readings:
        """Build a batch of one time stamp from plain sequences (drivers of few values, and tests)."""
        n = len(point)
        return cls(
            np.asarray(point, np.int32),
            np.asarray(value, np.float64),
            np.full(n, time_ns, np.int64),
            np.full(n, quality, np.uint8) if isinstance(quality, int) else np.asarray(quality, np.uint8),
            late,
        )

    @classmethod
    def bad(cls, point: NDArray[np.int32], time_ns: int, quality: Quality) -> Readings:
        """Build a batch that says of every point in it that no value could be had, and why."""
        n = len(point)
        return cls(point, np.full(n, np.nan), np.full(n, time_ns, np.int64), np.full(n, quality, np.uint8))

    @classmethod
    def join(cls, batches: Sequence[Readings]) -> Readings:
        """Concatenate batches of one lateness into one.

        Raises:
            ValueError: no batch, or late and live batches together.
        """
        if not batches:
            raise ValueError("nothing to join")
        if len(batches) == 1:
            return batches[0]
        late = batches[0].late
        if any(batch.late != late for batch in batches):
            raise ValueError("late and live readings never travel in one batch")
        return cls(
            np.concatenate([batch.point for batch in batches]),
            np.concatenate([batch.value for batch in batches]),
            np.concatenate([batch.time_ns for batch in batches]),
            np.concatenate([batch.quality for batch in batches]),
            late,
        )
