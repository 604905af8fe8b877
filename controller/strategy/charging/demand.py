"""What the charging programme is asked: cars and their wishes, circuits and their room, prices; over steps of time.

Steps are of any length, as a rule a quarter of an hour by the clock with what is left of the present one in front.
Currents are of one phase; a car takes the same current from each of its phases, so that one ampere is
`PHASE_KV` kW a phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ALL_PHASES", "LEAST_A", "PHASE_KV", "Circuit", "Demand", "Effort", "Problem", "Rank"]

PHASE_KV = 0.38 / math.sqrt(3.0)
"""Phase to neutral of 380/220 V, kV."""
LEAST_A = 6.0
"""IEC 61851-1: the pilot knows no current below 6 A but none at all."""
ALL_PHASES = (True, True, True)


class Rank(IntEnum):
    """Who is served before whom when there is not enough; the last is short first (control reference, section 9)."""

    FIRST = -1
    """優先: somebody said that it goes before all others."""
    FLEET = 0
    """公務車: an official car that is needed."""
    PRIORITY = 1
    """Childcare and disabled people's bays."""
    STAFF = 2
    VISITOR = 3


@dataclass(frozen=True, slots=True)
class Demand:
    """One car at one charger, from now on."""

    charger: str
    kwh: float
    """Still wanted, ≥ 0."""
    leaves_h: float
    """Hours from now until it goes, > 0."""
    most_kw: float
    """What charger and car take at the most."""
    least_kw: float = 3.0 * PHASE_KV * LEAST_A
    """Below this there is no charging; between 0 and this lies nothing. Three phases: 3.95 kW."""
    rank: Rank = Rank.VISITOR
    phases: tuple[bool, bool, bool] = ALL_PHASES
    comes_h: float = 0.0
    """Hours from now until it is there: 0 but for a plan that knows the future."""
    on: bool = False
    """It charges now."""
    held_h: float = math.inf
    """Since when it has been on, or off."""
    switched: int = 0
    """How often it began or paused in the past hour."""

    @property
    def kw_a(self) -> float:
        """KW of one ampere."""
        return PHASE_KV * sum(self.phases)


@dataclass(frozen=True, slots=True)
class Circuit:
    """A limit that several chargers share: the contract, a transformer, a feeder. Limits nest freely."""

    id: str
    chargers: frozenset[str]
    room_kw: tuple[float, ...]
    """What charging may take in each step; below 0 counts as 0."""
    room_a: float = math.inf
    """Of each phase."""
    metered: bool = False
    """Its meter is believed: what cars take of what they may have counts. Without one all that they may have does."""


@dataclass(frozen=True, slots=True)
class Effort:
    """When the search ends.

    A live plan stops by time. Virtual time stops by nodes, for then the same question has the same answer on any
    machine, however busy.
    """

    gap: float = 1e-3
    """Relative distance from the best bound that is good enough."""
    nodes: int | None = 500
    seconds: float | None = None
    """Of the whole plan, wall clock."""


@dataclass(frozen=True, slots=True)
class Problem:
    """All that a plan depends on; picklable, and the same problem has the same plan."""

    hours: tuple[float, ...]
    """Length of each step."""
    price: tuple[float, ...]
    """NT$/kWh in each step; empty: not known, and then energy comes as early as it can, peaks whatever."""
    demands: tuple[Demand, ...]
    circuits: tuple[Circuit, ...] = ()
    other_kw: tuple[float, ...] = ()
    """What the site draws beside the cars, for the peak; empty: nothing."""
    peak_kw: float = math.inf
    """Demand of the site that costs nothing more: the contract, or this month's highest quarter."""
    peak_price: float = 0.0
    """NT$ for each kW above it."""
    ramp_kw: float = math.inf
    """Of all cars together, from step to step."""
    unbalance_a: float = math.inf
    """Between any two phases, of all cars together."""
    dwell_h: float = 0.25
    """A car that begins or pauses does so for at least this long."""
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        """Raise ValueError when the parts do not fit together or a figure cannot be."""
        steps = len(self.hours)
        if not steps or min(self.hours) <= 0.0:
            raise ValueError(f"hours: got {self.hours}, wanted one or more steps longer than 0")
        for name, row in (("price", self.price), ("other_kw", self.other_kw)):
            if row and (len(row) != steps or not all(map(math.isfinite, row))):
                raise ValueError(f"{name}: got {len(row)} values, wanted {steps} finite ones")
        for circuit in self.circuits:
            if len(circuit.room_kw) != steps or any(map(math.isnan, circuit.room_kw)):
                raise ValueError(f"circuit {circuit.id}: got {len(circuit.room_kw)} values, wanted {steps} numbers")
        if len({one.charger for one in self.demands if one.comes_h <= 0.0}) < sum(
            one.comes_h <= 0.0 for one in self.demands
        ):
            raise ValueError("demands: two cars at one charger")
        for one in self.demands:
            good = one.kwh >= 0.0 and one.leaves_h > one.comes_h >= 0.0 and one.most_kw > 0.0 and any(one.phases)
            if not good or not math.isfinite(one.kwh + one.most_kw) or one.least_kw < 0.0:
                raise ValueError(f"demand of {one.charger}: {one}")

    def prices(self) -> NDArray[np.float64]:
        """Return NT$/kWh in each step (T,); 0 where no price is known: all times are the same then."""
        return np.asarray(self.price or (0.0,) * len(self.hours), np.float64)

    def overlap(self) -> NDArray[np.float64]:
        """Return how long each car is there in each step, hours (N, T)."""
        ends = np.cumsum(self.hours)
        starts = ends - np.asarray(self.hours)
        comes = np.array([one.comes_h for one in self.demands]).reshape(-1, 1)
        leaves = np.array([one.leaves_h for one in self.demands]).reshape(-1, 1)
        found = np.clip(np.minimum(ends, leaves) - np.maximum(starts, comes), 0.0, None)
        return np.where(found > 1e-9, found, 0.0)
