"""Which requests the arbiter takes at all: slots, ranges, reasons, ends. A pure decision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.command.priority import MINIMUM_TIME, NEVER_WRITTEN
from controller.errors import ForbiddenError, InvalidError

if TYPE_CHECKING:
    from controller.point.model import Point, WriteSpec

__all__ = ["Request", "admit"]

_MAX_SPAN_S = 366 * 86_400.0
_MAX_LEASE_S = 3600.0
_SLOTS_WITH_LEASE = (7, 9, 10, 11, 12, 13, 14, 15)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants of one slot."""

    slot: int
    value: float | None
    """None empties the slot."""
    reason: str
    expires_s: float | None = None
    lease_s: float | None = None


def admit(point: Point, spec: WriteSpec, request: Request) -> None:
    """Return when the request may be taken.

    Raises:
        InvalidError: a slot out of 1..16, a value out of range or of the wrong kind, no reason, an unusable end.
        ForbiddenError: slots 1, 2 and 6 are never written from outside.
    """
    address, slot, value = point.address, request.slot, request.value
    if not 1 <= slot <= 16:
        raise InvalidError(f"{address}: slot {slot}; wanted 1 to 16")
    if slot in NEVER_WRITTEN:
        raise ForbiddenError(f"{address}: slots 1 and 2 belong to the fire panel and the fire brigade")
    if slot == MINIMUM_TIME:
        raise ForbiddenError(f"{address}: slot 6 is written by the arbiter alone (minimum on and off time)")
    if not request.reason.strip() or len(request.reason) > 500:
        raise InvalidError(f"{address}: a command needs a reason of 1 to 500 characters")
    for name, span in (("expires_s", request.expires_s), ("lease_s", request.lease_s)):
        if span is not None and not (math.isfinite(span) and 0 < span <= _MAX_SPAN_S):
            raise InvalidError(f"{address}: {name} {span}; wanted more than 0 s and at most a year")
    if request.lease_s is not None and (slot not in _SLOTS_WITH_LEASE or request.lease_s > _MAX_LEASE_S):
        raise InvalidError(f"{address}: a lease of {request.lease_s} s at slot {slot}; wanted ≤ 1 h at 7, 9 to 15")
    if value is None:
        return
    if not math.isfinite(value) or not spec.low <= value <= spec.high:
        wanted = f"wanted {spec.low:g} to {spec.high:g} {point.unit}".rstrip()
        raise InvalidError(f"{address}: {value:g}; {wanted}")
    known = [number for number, _ in point.states]
    if point.kind == "binary" and value not in (0.0, 1.0):
        raise InvalidError(f"{address}: {value:g}; wanted 0 or 1")
    if point.kind == "multistate" and known and value not in known:
        raise InvalidError(f"{address}: {value:g}; wanted one of {', '.join(map(str, known))}")
