"""A hot working day of the simulated City Hall: undisturbed, under demand limiting, and with a whole group shed.

All three draw the same weather, people and restlessness of feeders, so that what differs is what was shed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from controller.strategy.demand import Demand
from controller.strategy.shed import survey, value_at, verdict
from controller.usual import through
from simulators.plant.layout import HANDLER_NAMES
from tests.virtual.shed import StrategyBuilding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from controller.strategy.shed import Item
    from controller.strategy.strategy import Entry, Mode, Usual

__all__ = [
    "BEGIN_H",
    "END_H",
    "WINDOWS",
    "Course",
    "Ours",
    "Response",
    "Undisturbed",
    "groups",
    "limited",
    "responses",
    "undisturbed",
]

CITY = Path(__file__).resolve().parents[2] / "config" / "taipei-city-hall"
DAY_NS = 1_784_044_800_000_000_000
"""2026-07-15 00:00 in Taipei, a Wednesday."""
BEGIN_H, END_H = 7.5, 18.0
WINDOWS = round((END_H - BEGIN_H) * 4)
_OPEN_H = (8.0, 17.5)
_WINDOW_S = 900.0
_WARM_C = 28.0
_APART_H = 1.25
_CHILLED_PUMPS = slice(0, 8)
_PULSES = ((9.75, "rooms"), (11.0, "fans"), (13.5, "rooms"), (14.75, "fans"))
_PULSED = ("fans", "rooms")


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A day on which nothing is shed, by window (W,) or item and window (I, W)."""

    demand: Demand
    kw: NDArray[np.float64]
    """(W,) mean power of the main meter."""
    kwh: float
    comfort_kh: float
    minutes: NDArray[np.float64]
    """(I, W) in which comfort and circumstances let an item be shed, 0 to 15."""
    power: NDArray[np.float64]
    """(I, W) mean kW: of the item's own meter, of the air handler's fan, or of all chilled-water pumps."""
    steps_kw: NDArray[np.float64]
    """(W·n,) the power step by step."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a group gives that is shed whole, in relation to the energy that its own machines drew meanwhile."""

    gain: float
    """kWh less than undisturbed, up to the moment after which the building takes it back; the greater of two sheds."""
    rebound: float
    """kWh taken back within the 75 minutes; the smaller of two."""


@dataclass(frozen=True, slots=True)
class Ours:
    """A day under demand limiting."""

    kw: NDArray[np.float64]
    left: tuple[int, ...]
    """By window: fans, rooms and chillers that could still have been shed a minute before its end."""
    kwh: float
    comfort_kh: float
    sheds: int
    commands: int
    item_minutes: float


class _Day:
    """The building from the morning on, and what is summed up of it."""

    def __init__(
        self, seed: int, step_s: float, mode: Mode, contract_kw: float = 1e6, usual: Usual | None = None
    ) -> None:
        def change(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
            return tuple(
                replace(entry, strategy=replace(entry.strategy, contract_kw=contract_kw), mode=mode)
                if isinstance(entry.strategy, Demand)
                else replace(entry, mode="off")
                for entry in entries
            )

        self.house = StrategyBuilding.open(CITY, seed=seed, start_ns=DAY_NS, change=change, usual=usual)
        self.house.world.step(BEGIN_H * 3600.0)
        self.house.clock.move(BEGIN_H * 3600.0)
        self.step_s = step_s
        self.per_window = round(_WINDOW_S / step_s)
        self.kw: list[float] = []
        self.comfort_kh = 0.0

    @property
    def demand(self) -> Demand:
        return next(entry.strategy for entry in self.house.entries if isinstance(entry.strategy, Demand))

    def hour(self) -> float:
        return (self.house.clock.now_ns() - DAY_NS) / 3.6e12

    def step(self) -> None:
        house = self.house
        house.run(self.step_s)
        self.kw.append(float(house.world.network.power[0]))
        if _OPEN_H[0] <= self.hour() <= _OPEN_H[1]:
            warm = (house.world.zones.air[:48] - _WARM_C).clip(0.0).mean()
            self.comfort_kh += float(warm) * self.step_s / 3600.0

    @property
    def steps(self) -> int:
        return WINDOWS * self.per_window

    def windows(self) -> NDArray[np.float64]:
        return np.asarray(np.mean(np.array(self.kw).reshape(WINDOWS, self.per_window), axis=1))

    def kwh(self) -> float:
        return sum(self.kw) * self.step_s / 3600.0


class Course:
    """What a controller would have learnt of the building: the mean of days that it has seen."""

    def __init__(self, days: Sequence[Undisturbed]) -> None:
        self.means = np.mean([day.kw for day in days], axis=0)

    def kw(self, point: str, now_ns: int, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return it at times after `now_ns`, NaN before and after the day's hours."""
        places = ((now_ns - DAY_NS) / 3.6e12 + ahead_s / 3600.0 - BEGIN_H) * 4.0
        first = np.floor(places).astype(int)
        known = np.concatenate(([np.nan], self.means, [np.nan, np.nan]))
        before, mean, after = (known[np.clip(first + k, -1, WINDOWS) + 1] for k in (-1, 0, 1))
        return through(before, mean, after, places - first)


class _Look:
    """What the strategy would see at slot 9."""

    def __init__(self, house: StrategyBuilding) -> None:
        self.house = house

    def value(self, point: str) -> float:
        return self.house.value(point)

    def base(self, point: str) -> float:
        value = self.house.arbiter.beneath(point, 9)
        return float("nan") if value is None else value

    def masked(self, point: str) -> bool:
        return 0 < self.house.arbiter.winner(point) < 9


def undisturbed(seed: int, step_s: float) -> Undisturbed:
    """Let the day pass with nothing shed, and note what could have been."""
    day = _Day(seed, step_s, "off")
    demand, house = day.demand, day.house
    items = demand.items
    minutes = np.zeros((len(items), WINDOWS))
    power = np.zeros((len(items), WINDOWS))
    fan = {name: column for column, name in enumerate(HANDLER_NAMES)}
    columns = [fan.get(house.site_points[item.point][0], -1) for item in items]
    every = round(60.0 / step_s)
    begun = np.full(len(items), -np.inf)
    view = _Look(house)
    for step in range(day.steps):
        day.step()
        if (step + 1) % every:
            continue
        window = step // day.per_window
        rooms = survey(items, view)  # type: ignore[arg-type]
        for at, item in enumerate(items):
            said = verdict(item, view, rooms)  # type: ignore[arg-type]
            # It may stay shed for so long only after a minute in which it may begin.
            minute = (step + 1) / every
            begun[at] = minute if said.may_begin else begun[at]
            minutes[at, window] += said.may_stay and minute - begun[at] <= item.group.minutes_per_hour
            if item.power:
                own = house.value(item.power)
            elif columns[at] >= 0:
                own = float(house.world.handlers.power_kw[columns[at]])
            else:
                own = float(house.world.plant.drives.power_kw[_CHILLED_PUMPS].sum())
            power[at, window] += own / 15.0
    return Undisturbed(
        demand, day.windows(), day.kwh(), day.comfort_kh, minutes, power, np.array(day.kw)
    )  # fmt: skip


def responses(seed: int, step_s: float, idle: Undisturbed) -> dict[str, Response]:
    """Shed one whole group after the other at its last level, as long as an hour allows, and see what comes of it.

    Each has 75 minutes for itself, rebound included, once in the morning and once in the afternoon.
    """
    day = _Day(seed, step_s, "off")
    demand, house = day.demand, day.house
    places = {group: at for group, at in groups(demand).items() if group in _PULSED}
    held = ""
    for _ in range(day.steps):
        hour = day.hour() + 1e-9
        now = ""
        for begin, group in _PULSES:
            length_h = demand.items[places[group][0]].group.minutes_per_hour / 60.0
            if begin <= hour < begin + length_h:
                now = group
        if now != held:
            for group, wanted in ((held, False), (now, True)):
                _hold(house, [demand.items[at] for at in places.get(group, [])], wanted=wanted)
            held = now
        day.step()
    less = (idle.steps_kw - np.array(day.kw)) * step_s / 3600.0
    found: dict[str, list[tuple[float, float]]] = {}
    for begin, group in _PULSES:
        first = round((begin - BEGIN_H) * 3600.0 / step_s)
        course = np.cumsum(less[first : first + round(_APART_H * 3600.0 / step_s)])
        top = int(np.argmax(course))
        own = np.repeat(idle.power[places[group]].sum(axis=0), day.per_window)
        length_s = demand.items[places[group][0]].group.minutes_per_hour * 60.0
        drawn = own[first : first + round(length_s / step_s)].sum() * step_s / 3600.0
        found.setdefault(group, []).append((course[top] / drawn, (course[top] - course[top:].min()) / drawn))
    return {
        group: Response(float(max(gain for gain, _ in row)), float(min(back for _, back in row)))
        for group, row in found.items()
    }


def _hold(house: StrategyBuilding, items: list[Item], *, wanted: bool) -> None:
    for item in items:
        base = house.arbiter.beneath(item.point, 9)
        assert base is not None
        value = value_at(item, len(item.group.levels), base) if wanted else None
        house.arbiter.request(item.point, 9, value, "test", "a pulse", lease_s=3600.0 if wanted else None)


def limited(seed: int, step_s: float, contract_kw: float, usual: Usual | None = None) -> Ours:
    """Let the day pass under demand limiting."""
    day = _Day(seed, step_s, "run", contract_kw, usual)
    house = day.house
    left: list[int] = []
    sheddable = {item.point for item in day.demand.items if item.comfort}
    sheds, before, minutes = 0, frozenset[str](), 0.0
    for step in range(day.steps):
        day.step()
        decision = house.engine.status("demand").decision
        held = frozenset(target.point for target in decision.targets)
        sheds += len(held - before)
        before = held
        minutes += len(held) * step_s / 60.0
        # A minute before its end; later nothing that is shed changes a window any more.
        if (step + 1) % day.per_window == day.per_window - round(60.0 / step_s):
            left.append(sum(part.state == "ready" and part.points[0] in sheddable for part in decision.parts))
    return Ours(day.windows(), tuple(left), day.kwh(), day.comfort_kh, sheds, len(house.written), minutes)


def groups(demand: Demand) -> Mapping[str, list[int]]:
    """Return the places of the items of each group."""
    found: dict[str, list[int]] = {}
    for at, item in enumerate(demand.items):
        found.setdefault(item.group.id, []).append(at)
    return found
