"""What a history store answers, and the shapes of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["HOUR_NS", "Before", "Buckets", "HistoryStore", "Series"]

HOUR_NS = 3_600_000_000_000

Before = tuple[int, float, int]
"""(time in ns since 1970 UTC, value, quality)"""


@dataclass(frozen=True, slots=True)
class Series:
    """The readings of one point, in the order of their times, each time once."""

    number: int
    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    before: Before | None
    """The last reading before the window: what a step-held line shows at its left edge."""
    truncated: bool = False
    """True when the window holds more readings than the limit; the first ones are here."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Aggregates of one point over equal spans of time; spans without a reading are left out.

    Minimum, maximum, mean and last are over finite values whose quality is not bad, and NaN where there is none. The
    mean weighs each reading alike.
    """

    number: int
    start_ns: NDArray[np.int64]
    count: NDArray[np.int64]
    """All readings, bad ones too."""
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    last: NDArray[np.float64]
    good_share: NDArray[np.float64]
    """Share of the readings that are good, 0..1."""


class HistoryStore(Protocol):
    """Reads of the past. Windows are `start_ns <= time < end_ns`; answers come in the order of `numbers`."""

    async def raw(self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000) -> list[Series]:
        """Return the readings of each point, at most `limit` of each.

        Raises:
            InvalidError: the window is empty or the limit is not positive.
            UnavailableError: the store does not answer now.
        """

    async def aggregate(self, numbers: Sequence[int], start_ns: int, end_ns: int, bucket_ns: int) -> list[Buckets]:
        """Return aggregates over spans of `bucket_ns`, the first of which begins at `start_ns`.

        Raises:
            InvalidError: the window is empty or holds more than 20,000 spans.
            UnavailableError: the store does not answer now.
        """

    async def before(self, numbers: Sequence[int], time_ns: int) -> list[Before | None]:
        """Return the last reading of each point before a time.

        Raises:
            UnavailableError: the store does not answer now.
        """
