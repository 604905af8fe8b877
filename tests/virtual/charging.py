"""A model of a day at eighteen chargers, to try charging strategies on: cars, chargers, the building, and its bill.

Its cars take half an ampere to two less than they may and less and less above a charge of 0.8, its building is not what
was expected, and a car that has what it wanted says so. It shares nothing with the strategy but the words of its view.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.strategy.strategy import JobResult, Seen
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "CHARGERS", "CONTRACT_KW", "DAY_NS", "FEEDER_A", "HOURS", "MAIN", "Model", "Post", "Spot", "Visit", "base_kw",
    "draw_visits", "feeder_of", "posts", "price_at", "read_visits", "write_visits",
]  # fmt: skip

CHARGERS = 18
_FLEET = 8
CONTRACT_KW = 5000.0
FEEDER_A = 100.0
"""Of each of the five feeders, for its chargers (assumed)."""
HOURS = 27
"""From 06:00 to 09:00 of the next day."""
BEGIN_H = 6.0
DAY_NS = 1_783_893_600_000_000_000
"""2026-07-13 (Monday) 06:00 in Taipei."""
MAIN = "hall.main.power"
_PHASE_KV = 0.38 / math.sqrt(3.0)
_FREE, _CONNECTED, _CHARGING, _PAUSED, _FULL = 0, 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Visit:
    """A car at a charger. Times are hours after midnight of the first day."""

    seed: int
    charger: int
    kind: str
    """`fleet`, `staff` or `visitor`."""
    comes_h: float
    leaves_h: float
    kwh: float
    most_kw: float
    phases: int
    less_a: float
    """It takes so much less than it may."""
    battery_kwh: float
    charge: float
    """When it comes, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Post:
    """A charger of the model."""

    number: int
    unit: str
    most: float
    phase: int
    direct: bool = False

    @property
    def id(self) -> str:
        """Return its address."""
        return f"hall.ev.charger{self.number + 1:02}"


def posts() -> list[Post]:
    """Return the chargers: eight and two in ampere, six in kW, two with direct current, as the site has them."""
    found = []
    for number in range(CHARGERS):
        if number >= 16:
            found.append(Post(number, "kW", 50.0, number % 3, direct=True))
        elif 8 <= number < 14:
            found.append(Post(number, "kW", 22.0, number % 3))
        else:
            found.append(Post(number, "A", 32.0, number % 3))
    return found


def feeder_of(charger: int) -> int:
    """Return the feeder, 0 to 4."""
    return charger % 5


def price_at(hour: float) -> float:
    """Return NT$/kWh of a summer weekday, three sections (Taipower, from 2025-10-01), by the hour of the day."""
    hour %= 24.0
    return 2.53 if hour < 9.0 else 9.39 if 16.0 <= hour < 22.0 else 5.85


_SHAPE = (
    (0, 1750),
    (5, 1700),
    (7, 2500),
    (9, 4250),
    (10, 4700),
    (14, 4870),
    (16, 4850),
    (18, 3900),
    (20, 2700),
    (24, 1750),
)


def base_kw(seed: int, day: int = 0) -> NDArray[np.float64]:
    """Return what the building draws beside the cars, kW, each minute of the model's day; `day` −1 is yesterday."""
    random = np.random.default_rng([seed, 77, day + 5])
    minutes = (BEGIN_H * 60.0 + np.arange(HOURS * 60)) / 60.0 % 24.0
    usual = np.interp(minutes, [hour for hour, _ in _SHAPE], [kw for _, kw in _SHAPE])
    noise = np.zeros(len(minutes))
    value = 0.0
    for at, shock in enumerate(random.normal(0.0, 4.0, len(minutes))):
        value = 0.97 * value + shock
        noise[at] = value
    return np.asarray(usual * (1.0 + random.normal(-0.004, 0.006)) + noise)


def draw_visits(seed: int) -> list[Visit]:
    """Return the cars of a day (control reference, 9): normal times, visitors by a Poisson process."""
    random = np.random.default_rng([seed, 18])
    found: list[Visit] = []

    def add(charger: int, kind: str, comes: float, leaves: float) -> None:
        direct = charger >= 16
        post_kw = 50.0 if direct else 22.0 if 8 <= charger < 14 else 21.06
        most = float(random.choice((50.0, 100.0))) if direct else float(random.choice((7.04, 11.0, 11.0, 22.0)))
        phases = 1 if most < 7.5 else 3
        less = float(random.uniform(0.5, 2.0))
        kw_a = _PHASE_KV * phases
        effective = min(most, post_kw) if direct else min(most, 32.0 * kw_a, post_kw) - less * kw_a
        # What nothing but the car's own limits would let it have, less a tenth for its taper.
        reach = 0.9 * effective * (leaves - comes)
        kwh = float(min(np.clip(random.gamma(3.0, 5.0), 4.0, 45.0), reach))
        battery = float(random.choice((50.0, 60.0, 77.0)))
        charge = float(max(min(0.95 - kwh / battery, random.uniform(0.3, 0.7)), 0.02))
        row = Visit(
            seed, charger, kind, round(comes, 4), round(leaves, 4), round(kwh, 4), most, phases, round(less, 3),
            battery, round(charge, 3),
        )  # fmt: skip
        found.append(row)

    for charger in range(_FLEET):
        add(charger, "fleet", float(random.uniform(17.0, 18.0)), 24.0 + float(random.uniform(7.5, 8.5)))
    for charger in range(_FLEET, CHARGERS):
        free = 9.0
        if charger < 16 and random.random() < 0.6:
            comes = float(np.clip(random.normal(8.5, 1.2), BEGIN_H + 0.1, 11.0))
            leaves = float(np.clip(random.normal(17.8, 1.3), comes + 3.0, 22.0))
            add(charger, "staff", comes, leaves)
            free = leaves + 0.25
        at = free + float(random.exponential(1.2))
        while at < 17.0:
            stay = float(np.clip(random.lognormal(math.log(1.5), 0.5), 0.4, 6.0))
            add(charger, "visitor", at, at + stay)
            at += stay + 0.25 + float(random.exponential(1.2))
    return found


def write_visits(path: Path, visits: Sequence[Visit]) -> None:
    """Write a file of visits."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(Visit.__dataclass_fields__)
        out.writerows([getattr(visit, name) for name in Visit.__dataclass_fields__] for visit in visits)


def read_visits(path: Path) -> list[Visit]:
    """Return the visits of a file."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Visit(
                int(row["seed"]), int(row["charger"]), row["kind"], float(row["comes_h"]), float(row["leaves_h"]),
                float(row["kwh"]), float(row["most_kw"]), int(row["phases"]), float(row["less_a"]),
                float(row["battery_kwh"]), float(row["charge"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


@dataclass
class Spot:
    """One charger with whom it serves."""

    post: Post
    visits: list[Visit]
    value: float
    visit: Visit | None = None
    given_kwh: float = 0.0
    power_kw: float = 0.0
    total_kwh: float = 1000.0


@dataclass
class Model:
    """The day of one seed, in steps; it is the view of the strategy that steers it."""

    seed: int
    visits: Sequence[Visit]
    uncontrolled: bool = False
    now_s: float = 0.0
    result: JobResult | None = None
    lost: set[str] = field(default_factory=set)
    """Points that are not to be believed."""
    held: set[str] = field(default_factory=set)
    """Points that a stronger slot holds."""

    def __post_init__(self) -> None:
        """Begin with all chargers free and never limited."""
        self.building_kw = base_kw(self.seed)
        self.spots = [
            Spot(post, sorted((one for one in self.visits if one.charger == post.number), key=lambda one: one.comes_h),
                  post.most)
            for post in posts()
        ]  # fmt: skip
        self.delivered: dict[Visit, float] = {}
        self.quarter_kwh = np.zeros(HOURS * 4)
        self.base_kwh = np.zeros(HOURS * 4)
        self.feeder_a = np.zeros((5, 3))
        self.overload_s = 0.0
        self.most_feeder_a = 0.0

    # -- the view ----------------------------------------------------------------------------------------------------

    @property
    def hour(self) -> float:
        """Hours after midnight of the first day."""
        return BEGIN_H + self.now_s / 3600.0

    @property
    def now_ns(self) -> int:
        """Calendar time."""
        return DAY_NS + round(self.now_s * 1e9)

    @property
    def dry(self) -> bool:
        """Tell whether nothing is written; here everything is."""
        return False

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.now_s

    def value(self, point: str) -> float:
        """Return a point as the strategy reads it."""
        if point in self.lost:
            return math.nan
        if point == MAIN:
            return self.site_kw
        equipment, tag = point.rsplit(".", 1)
        if "charger" not in equipment:
            return math.nan
        return self._shown(self.spots[int(equipment[-2:]) - 1], tag)

    def see(self, point: str) -> Seen:
        """Return the same with its quality."""
        value = self.value(point)
        return Seen(value, int(Quality.GOOD), 0.0) if math.isfinite(value) else Seen()

    def base(self, point: str) -> float:
        """Return what a point has without the strategy."""
        del point
        return math.nan

    def usual(self, point: str, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(ahead_s), math.nan)

    def masked(self, point: str) -> bool:
        """Tell whether something stronger holds it."""
        return point in self.held

    def _shown(self, spot: Spot, tag: str) -> float:
        visit, direct = spot.visit, spot.post.direct
        if tag == "power":
            return spot.power_kw
        if tag == "energy":
            return spot.total_kwh
        if tag == "state":
            if visit is None:
                return _FREE
            if spot.given_kwh >= visit.kwh - 1e-6:
                return _FULL
            return _CHARGING if spot.power_kw > 0.05 else _PAUSED if spot.value <= 0.0 else _CONNECTED
        if tag == "current" and visit is not None and not direct:
            return spot.power_kw / (_PHASE_KV * visit.phases)
        if tag == "vehicle":
            return spot.post.number + 1.0 if visit is not None and visit.kind == "fleet" else 0.0
        return math.nan

    # -- the physics -------------------------------------------------------------------------------------------------

    @property
    def ev_kw(self) -> float:
        """Power of all chargers."""
        return sum(spot.power_kw for spot in self.spots)

    @property
    def site_kw(self) -> float:
        """What the main meter reads."""
        return float(self.building_kw[min(int(self.now_s // 60.0), len(self.building_kw) - 1)]) + self.ev_kw

    def tell(self, point: str, value: float) -> None:
        """Command a limit."""
        self.spots[int(point.rsplit(".", 1)[0][-2:]) - 1].value = value

    def step(self, dt_s: float) -> list[str]:
        """Advance; returns the chargers where a car came or left."""
        moved = []
        for spot in self.spots:
            if spot.visit is not None and self.hour >= spot.visit.leaves_h:
                spot.visit = None
                moved.append(spot.post.id)
            if spot.visit is None and spot.visits and self.hour >= spot.visits[0].comes_h:
                spot.visit, spot.given_kwh = spot.visits.pop(0), 0.0
                moved.append(spot.post.id)
            spot.power_kw = self._power(spot)
            kwh = spot.power_kw * dt_s / 3600.0
            if spot.visit is not None:
                kwh = min(kwh, max(spot.visit.kwh - spot.given_kwh, 0.0))
                spot.given_kwh += kwh
                self.delivered[spot.visit] = spot.given_kwh
            spot.total_kwh += kwh
            self.quarter_kwh[min(int(self.now_s // 900.0), HOURS * 4 - 1)] += kwh
        self._feeders(dt_s)
        self.base_kwh[min(int(self.now_s // 900.0), HOURS * 4 - 1)] += (self.site_kw - self.ev_kw) * dt_s / 3600.0
        self.now_s += dt_s
        return moved

    def _power(self, spot: Spot) -> float:
        visit = spot.visit
        if visit is None or spot.given_kwh >= visit.kwh - 1e-6:
            return 0.0
        return self.draw_kw(spot, spot.post.most if self.uncontrolled else spot.value)

    def draw_kw(self, spot: Spot, value: float) -> float:
        """Return what a charger would draw when it is told a value; a free one, what the value allows."""
        visit, post = spot.visit, spot.post
        if visit is None:
            return value * (3.0 * _PHASE_KV if post.unit == "A" else 1.0)
        charge = visit.charge + spot.given_kwh / visit.battery_kwh
        taper = 1.0 if charge <= 0.8 else max((1.0 - charge) / 0.2, 0.08)
        if post.direct:
            return 0.0 if value < 1.547 else min(value, visit.most_kw * taper)
        kw_a = _PHASE_KV * visit.phases
        amperes = value if post.unit == "A" else value / kw_a
        if amperes < 6.0 - 1e-9:
            return 0.0
        return (
            min(
                min(amperes, 32.0) - visit.less_a * (amperes > 7.0) - 0.4 * (amperes <= 7.0),
                visit.most_kw * taper / kw_a,
            )
            * kw_a
        )

    def _feeders(self, dt_s: float) -> None:
        self.feeder_a[:] = 0.0
        for spot in self.spots:
            if spot.visit is None or spot.power_kw <= 0.0:
                continue
            feeder = feeder_of(spot.post.number)
            if spot.post.direct or spot.visit.phases == 3:
                self.feeder_a[feeder] += spot.power_kw / (3.0 * _PHASE_KV)
            else:
                self.feeder_a[feeder, spot.post.phase] += spot.power_kw / _PHASE_KV
        self.most_feeder_a = max(self.most_feeder_a, float(self.feeder_a.max()))
        self.overload_s += dt_s * bool(self.feeder_a.max() > FEEDER_A + 0.01)

    # -- the bill ----------------------------------------------------------------------------------------------------

    def energy_cost(self) -> float:
        """NT$ of what the cars took."""
        return sum(kwh * price_at(BEGIN_H + (at + 0.5) / 4.0) for at, kwh in enumerate(self.quarter_kwh.tolist()))

    def peak_kw(self) -> float:
        """Return the highest quarter of the whole site."""
        return float((self.quarter_kwh + self.base_kwh).max() * 4.0)

    def excess_cost(self) -> float:
        """NT$ of the month's over-contract charge, were this its highest quarter: 2× up to 10 %, 3× beyond."""
        excess = max(self.peak_kw() - CONTRACT_KW, 0.0)
        first = min(excess, 0.1 * CONTRACT_KW)
        return 223.60 * (2.0 * first + 3.0 * (excess - first))
