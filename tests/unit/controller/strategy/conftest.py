"""A building of a few lines for demand limiting: rooms that warm up while they are shed, and a meter."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.point.model import Name
from controller.strategy.demand import Demand
from controller.strategy.shed import Comfort, Group, Item
from controller.strategy.strategy import Seen
from drivers.reading import Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from controller.strategy.demand import DemandMemory
    from controller.strategy.strategy import Decision, JobResult

DAY_NS = 86_400_000_000_000
MIDNIGHT_NS = 1_784_044_800_000_000_000
"""2026-07-15 00:00 in Taipei, a Wednesday."""
METER = "b.electrical.main.power"
ROOMS = Group("rooms", Name("房間", "Rooms"), 2, "raise", (0.5, 1.0, 2.0), "K", kw=20.0, minutes_per_hour=20.0)
CHILLERS = Group(
    "chillers", Name("主機", "Chillers"), 3, "at_most", (90.0, 80.0, 70.0, 60.0), "%", kw_per_unit=2.0,
    step=10.0, step_s=60.0, minutes_per_hour=30.0, last=True,
)  # fmt: skip


class Price:
    """Twice NT$ 200 for each of the first 100 kW above 1,000, three times for those beyond."""

    def cost(self, now_ns: int, mean_kw: float) -> float:
        over = mean_kw - 1000.0
        return 200.0 * (2.0 * min(over, 100.0) + 3.0 * max(over - 100.0, 0.0))


def room(number: int, group: Group = ROOMS) -> Item:
    """An air handler with a room of its own."""
    home, name = f"b.hvac.ahu{number}", Name(f"{number} 號", f"room {number}")
    comfort = Comfort(name, f"{home}.zone_temp", f"{home}.zone_temp_sp", f"{home}.return_co2")
    return Item(f"{home}.zone_temp_sp", home, name, group, (comfort,), f"{home}.fan_run", low=18.0, high=28.0)


def chiller(number: int, guards: tuple[Item, ...]) -> Item:
    """A chiller whose limit touches every room of `guards`."""
    home = f"b.plant.ch{number}"
    comfort = tuple(one.comfort[0] for one in guards)
    name = Name(f"主機 {number}", f"chiller {number}")
    return Item(f"{home}.demand_limit", home, name, CHILLERS, comfort, power=f"{home}.power", low=40.0, high=100.0)


def demand(rooms: int = 6, chillers: int = 0, **more: object) -> Demand:
    """Demand limiting against 1,000 kW without margin, so that numbers are easy to read."""
    items = tuple(room(number) for number in range(1, rooms + 1))
    items += tuple(chiller(number, items) for number in range(1, chillers + 1))
    values = {"meter": METER, "contract_kw": 1000.0, "items": items, "margin_percent": 0.0, "price": Price()}
    return replace(Demand(METER, 1000.0, items), **{**values, **more})  # type: ignore[arg-type]


@dataclass
class Toy:
    """What a strategy sees; set anything."""

    strategy: Demand
    now_ns: int = MIDNIGHT_NS + 10 * 3_600_000_000_000
    now: float = 0.0
    dry: bool = False
    result: JobResult | None = None
    values: dict[str, float] = field(default_factory=dict)
    bases: dict[str, float] = field(default_factory=dict)
    stronger: set[str] = field(default_factory=set)
    kw: float = 800.0
    """What the house draws with nothing shed."""
    answers: bool = True
    """What is shed falls."""
    said: list[Decision] = field(default_factory=list)
    memory: DemandMemory = field(init=False)

    def __post_init__(self) -> None:
        for item in self.strategy.items:
            self.bases[item.point] = 26.0 if item.group.kind == "raise" else 100.0
            if item.running:
                self.values[item.running] = 1.0
            if item.power:
                self.values[item.power] = 200.0
            for comfort in item.comfort:
                self.values[comfort.temperature] = 25.0
                self.values[comfort.co2] = 700.0
        self.memory = self.strategy.begin(self, ())

    # -- the view

    def see(self, point: str) -> Seen:
        value = self.value(point)
        return Seen(value, int(Quality.GOOD if math.isfinite(value) else Quality.BAD_COMM), 1.0)

    def value(self, point: str) -> float:
        return self.values.get(point, math.nan)

    def base(self, point: str) -> float:
        return self.bases.get(point, math.nan)

    def usual(self, point: str, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(ahead_s), math.nan)

    def masked(self, point: str) -> bool:
        return point in self.stronger

    # -- time

    def decide(self) -> Decision:
        """Decide once, on what is there now."""
        decision, self.memory = self.strategy.decide(self, self.memory)
        self.said.append(decision)
        return decision

    def run(self, seconds: float, step_s: float = 5.0) -> Decision:
        """Let time pass with a decision a step; the meter shows the house less what is shed."""
        decision = self.said[-1] if self.said else None
        for _ in range(round(seconds / step_s)):
            self.now += step_s
            self.now_ns += round(step_s * 1e9)
            shed = sum(hold.kw for hold in self.memory.holds.values()) if self.answers and not self.dry else 0.0
            if METER in self.values or not self.said:
                self.values[METER] = max(0.0, self.kw - shed)
            decision = self.decide()
        assert decision is not None
        return decision
