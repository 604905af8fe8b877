"""What was planned and what was drawn, by quarters of the clock: the past half of "plan against actual"."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Quarter", "booked"]

_QUARTER_NS = 900_000_000_000
_KEPT = 96


@dataclass(frozen=True, slots=True)
class Quarter:
    """Means over one quarter, kW."""

    begin_ns: int
    planned_kw: float
    actual_kw: float
    room_kw: float
    """What the contract left for cars."""
    count: int = 1
    """Looks that are in the means."""


def booked(
    past: tuple[Quarter, ...], now_ns: int, planned_kw: float, actual_kw: float, room_kw: float
) -> tuple[Quarter, ...]:
    """Return the quarters with one more look; a day of them is kept, the oldest first."""
    begin = now_ns // _QUARTER_NS * _QUARTER_NS
    if not past or past[-1].begin_ns != begin:
        return (*past[-_KEPT + 1 :], Quarter(begin, planned_kw, actual_kw, room_kw))
    last = past[-1]
    share = 1.0 / (last.count + 1)
    return (
        *past[:-1],
        Quarter(
            begin,
            last.planned_kw + share * (planned_kw - last.planned_kw),
            last.actual_kw + share * (actual_kw - last.actual_kw),
            last.room_kw + share * (room_kw - last.room_kw),
            last.count + 1,
        ),
    )
