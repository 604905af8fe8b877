"""A charger as the plan uses it: what its limit is called, in which unit, and which values it knows."""

from __future__ import annotations

from dataclasses import dataclass

from controller.strategy.charging.demand import LEAST_A, PHASE_KV

__all__ = ["Charger"]


@dataclass(frozen=True, slots=True)
class Charger:
    """One charger with one socket."""

    id: str
    """Address of the equipment."""
    limit: str
    """Address of its set-point."""
    unit: str
    """`A` of each phase, or `kW`."""
    most: float
    """In `unit`."""
    least: float
    """The smallest value that charges, in `unit`."""
    pause: float | None = 0.0
    """The value that pauses it; None where `enable` does it instead."""
    enable: str = ""
    """Address of a point that is 0 for a pause and 1 otherwise; empty where there is none."""
    step: float = 1.0
    """Values are whole multiples of it, in `unit`."""
    values: tuple[float, ...] = ()
    """The values that it knows, rising, where these are few; they take the place of `step`."""
    phase: int = 0
    """On which phase of the building its L1 is, 0 to 2: where a car on one phase loads it."""
    direct: bool = False
    """Direct current: the car's phases do not matter."""
    priority: bool = False
    """A bay for childcare or disabled people."""

    def phases(self, *, single: bool) -> tuple[bool, bool, bool]:
        """Return which phases of the building a car on one phase, or on three, loads."""
        if not single or self.direct:
            return (True, True, True)
        return (self.phase == 0, self.phase == 1, self.phase == 2)

    def kw(self, value: float, phases: int = 3) -> float:
        """Return a value of its limit as power, kW; below the least there is none."""
        if value < self.least - 1e-9:
            return 0.0
        return value * PHASE_KV * phases if self.unit == "A" else value

    def least_kw(self, phases: int = 3) -> float:
        """Return the least power at which it charges."""
        return self.kw(self.least, phases) if self.unit == "A" or self.direct else LEAST_A * PHASE_KV * phases

    def most_kw(self, phases: int = 3) -> float:
        """Return the most that it gives; to a car on one phase a third of what it gives to one on three."""
        most = self.kw(self.most, phases)
        return most if self.unit == "A" or self.direct else most * phases / 3.0

    def down(self, kw: float, phases: int = 3) -> float:
        """Return the largest value of its limit that is no more than `kw`; 0 when that would be below its least."""
        value = kw / (PHASE_KV * phases) if self.unit == "A" else kw
        value = min(value, self.most if self.unit == "A" else self.most_kw(phases)) + 1e-9
        if self.values:
            value = max((one for one in self.values if one <= value), default=0.0)
        else:
            value = round(value // self.step * self.step, 6)
        least = max(self.least, self.least_kw(phases)) if self.unit == "kW" else self.least
        return value if value >= least - 1e-9 else 0.0

    def up(self, value: float, phases: int = 3) -> float:
        """Return the next value above; the same when there is none."""
        if value <= 0.0:
            first = next((one for one in self.values if one >= self.least), self.least)
            return self.down(self.kw(first, phases), phases) or self._ceil(self.least_kw(phases), phases)
        if self.values:
            return min((one for one in self.values if one > value + 1e-9), default=value)
        return min(round(value + self.step, 6), self.most)

    def _ceil(self, kw: float, phases: int) -> float:
        value = kw / (PHASE_KV * phases) if self.unit == "A" else kw
        return min(round(-(-value // self.step) * self.step, 6), self.most)
