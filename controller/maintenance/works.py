"""Works: renovations and maintenance, and the equipment that they take out of service, as the state at a time.

Nothing here reacts to an edge: whoever asks gives the time and gets what holds then, so that a start or an end that was
missed (a stop of the controller, a clock set back) mends itself at the next question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KINDS", "Works", "outages", "phase"]

KINDS = ("renovation", "maintenance")
"""整修, 維護保養."""
_UNNAMED = Name("", "")


@dataclass(frozen=True, slots=True)
class Works:
    """One work order: where, when, by whom, why, and what it takes out of service."""

    id: str
    """Number of the work order, such as `114-0231`."""
    kind: str
    """One of `KINDS`."""
    title: Name
    start_ns: int
    end_ns: int
    """The first moment at which everything is back in service, ns UTC."""
    area: str = ""
    floors: tuple[str, ...] = ()
    equipment: tuple[str, ...] = ()
    """Addresses of what is there, sorted."""
    patterns: tuple[str, ...] = ()
    """Address patterns as they were given; with `area` and `floors` they name the equipment."""
    takes_out: bool = True
    """False for works beside which everything goes on working, such as those on a facade."""
    contractor: Name = _UNNAMED
    """A role or a firm, never a person."""
    reason: Name = _UNNAMED


def phase(works: Works, time_ns: int) -> str:
    """Return `planned`, `on` or `over`."""
    if time_ns < works.start_ns:
        return "planned"
    return "on" if time_ns < works.end_ns else "over"


def outages(all_works: Iterable[Works], time_ns: int) -> dict[str, Works]:
    """Return, by its address, each piece of equipment that is out of service and the works that keep it so longest."""
    found: dict[str, Works] = {}
    for works in all_works:
        if not works.takes_out or phase(works, time_ns) != "on":
            continue
        for address in works.equipment:
            other = found.get(address)
            if other is None or (works.end_ns, works.id) > (other.end_ns, other.id):
                found[address] = works
    return found
