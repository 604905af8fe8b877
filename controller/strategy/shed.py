"""The shed list of demand limiting: what can be reduced, by how much, for how long, and never past whose comfort.

Pure functions over frozen values. The limits are those of the control reference 8.6: an equipment is shed so many
minutes in any hour and so many times a day, and never while a room that it serves is more than 2 K above its set-point
or above 1,000 ppm of CO2, or while that is not known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.strategy.strategy import View

__all__ = [
    "CO2_PPM",
    "Candidate",
    "Comfort",
    "Group",
    "Hold",
    "Item",
    "Owed",
    "Room",
    "Spell",
    "Stage",
    "Verdict",
    "answer",
    "choose",
    "closed",
    "eased",
    "further",
    "opened",
    "reduction",
    "shed_seconds",
    "staged",
    "starts_today",
    "survey",
    "tired",
    "value_at",
    "verdict",
]

CO2_PPM = 1000.0
"""室內空氣品質標準 (Ministry of Environment, 23 Nov 2012): CO2 8-hour mean; here it is the value of the moment."""
_ENTER_K, _LEAVE_K = 0.4, 0.1
"""So far from the limit of the temperature a shed may begin, and must end."""
_ENTER_PPM, _LEAVE_PPM = 100.0, 20.0
_IDLE_K = 0.5
"""So far below its set-point a room's cooling is at its least."""
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Comfort:
    """A room whose comfort an item touches."""

    name: Name
    temperature: str
    """Point address, °C."""
    setpoint: str
    """Point address of its set-point, °C: what it would be without the strategy counts."""
    co2: str = ""
    """Point address, ppm; empty where the room has no sensor."""
    above_k: float = 2.0
    """How far above its set-point the room may be at most."""


class Stage(NamedTuple):
    """A part of a planned shed."""

    minutes: float
    level: int
    """1 to the number of levels."""


class Owed(NamedTuple):
    """How machines that cool water catch up with what they were kept from doing."""

    water: str
    """Point with the temperature of the water, °C."""
    k_per_kwh: float
    """Kelvin that it warms up for each kWh that they draw less."""
    hours: float
    """In which 63 % of what is owed is forgotten: what air handlers get out of warmer water instead."""
    kw_per_k: float
    """kW that fans and pumps draw more for each kelvin."""
    most_k: float
    """So much warmer the water may become for it."""
    most_kw: float
    """What they may draw less at most, and more while they catch up."""


@dataclass(frozen=True, slots=True)
class Group:
    """Items of one kind, with their limits."""

    id: str
    name: Name
    priority: int
    """Lower ones are shed first and given back last among equals."""
    kind: Literal["raise", "at_most"]
    """`raise`: levels are added to the value beneath, as +0.5, +1, +2 K. `at_most`: caps, the last one lowest."""
    levels: tuple[float, ...]
    unit: str
    kw: float = 0.0
    """What one item gives at its last level, kW, before anything was measured."""
    kw_per_unit: float = 0.0
    """kW of one unit of the cap, for items whose power is measured: what is above the cap's kW is shed. 0: use `kw`."""
    step: float = math.inf
    """Largest change of one action, in the unit of the levels."""
    step_s: float = 0.0
    """Between two actions on one item: machines move 10 % a minute, a room's set-point 1 K in 15 minutes."""
    minutes_per_hour: float = 20.0
    times_per_day: int = 3
    least_s: float = 300.0
    """An item stays shed so long at least, unless comfort or a limit ends it."""
    rest_s: float = 900.0
    """An item rests so long after a shed."""
    last: bool = False
    """Given back after all others, step by step (chillers)."""
    answer: tuple[float, ...] = ()
    """kW that one item gives in each 5 minutes from its begin, below 0 what it takes back, with `stages` and what
    begins `beside` it. Given: the group is shed by plan (`controller.strategy.foresight`) and not when the need is
    there."""
    answer_full: tuple[float, ...] = ()
    """The same while the machines that cool do all they can: they cannot take anything back. Empty: as ever."""
    stages: tuple[Stage, ...] = ()
    """What a planned shed goes through, from its begin to its end."""
    beside: str = ""
    """Group whose item of the same equipment begins with it and goes through its own stages."""
    owed: Owed | None = None
    """Given: the limit of all its items together is moved by plan (`controller.strategy.throttle`), and what is
    `beside` it is held for as long."""
    follows: bool = False
    """It is held beside a group whose limit is moved."""

    @property
    def planned(self) -> bool:
        """Whether it is shed by plan and not when the need is there."""
        return bool(self.answer or self.stages) or self.owed is not None or self.follows


@dataclass(frozen=True, slots=True)
class Item:
    """One point that can be reduced."""

    point: str
    equipment: str
    name: Name
    group: Group
    comfort: tuple[Comfort, ...] = ()
    running: str = ""
    """Point that must be 1 for a shed to give anything; empty: always."""
    power: str = ""
    """Point with its power, kW."""
    low: float = -math.inf
    high: float = math.inf
    """Range that the point can be commanded to."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An item that is shed."""

    level: int
    """1 to the number of levels."""
    since: float
    """Monotonic s."""
    moved: float
    """When its level last changed."""
    window: int
    """Window of the last increase."""
    kw: float
    """What it was expected to give, kW."""
    why: Name


class Spell(NamedTuple):
    """A time in which an equipment was shed, on the monotonic clock; `end` is inf while it is."""

    start: float
    end: float
    day: int
    """Ordinal of the local day on which it began."""


class Verdict(NamedTuple):
    """What comfort and circumstances say of an item now."""

    may_begin: bool
    may_stay: bool
    margin_k: float
    """Kelvin left to the nearest room's limit; inf where no room is touched, NaN unknown."""
    why: Name
    word: str
    """`ready`, `unknown`, `warm`, `co2`, `stopped`, `masked` or `none` (the value beneath is at the level already)."""


_READY = Name("可卸載", "ready")


class Room(NamedTuple):
    """How a room is now; NaN where it is not known."""

    left_k: float
    """Kelvin to its limit."""
    left_ppm: float
    """To the limit of CO2; inf without a sensor."""


def survey(items: Iterable[Item], view: View) -> dict[Comfort, Room]:
    """Return how every room is that the items touch, each looked at once."""
    rooms: dict[Comfort, Room] = {}
    for item in items:
        for room in item.comfort:
            if room not in rooms:
                limit = view.base(room.setpoint)
                if math.isnan(limit):
                    limit = view.value(room.setpoint)
                left = limit + room.above_k - view.value(room.temperature)
                rooms[room] = Room(left, CO2_PPM - view.value(room.co2) if room.co2 else math.inf)
    return rooms


def verdict(item: Item, view: View, rooms: Mapping[Comfort, Room]) -> Verdict:
    """Return whether an item may be shed, and if it is, stay so."""
    base = view.base(item.point)
    if view.masked(item.point):
        return Verdict(False, False, math.nan, Name("由更高優先權層控制", "a stronger slot holds it"), "masked")
    if math.isnan(base):
        return Verdict(False, False, math.nan, Name("沒有釋放預設值", "nobody says what it goes back to"), "unknown")
    if item.running and view.value(item.running) != 1.0:
        known = not math.isnan(view.value(item.running))
        said = Name("未運轉", "not running") if known else Name("運轉狀態不明", "not known whether it runs")
        return Verdict(False, False, math.nan, said, "stopped" if known else "unknown")
    margin, ppm, where = math.inf, math.inf, _READY
    for room in item.comfort:
        left, fresh = rooms[room]
        if math.isnan(left) or math.isnan(fresh):
            zh, en = f"{room.name.zh}溫度或 CO2 不明", f"temperature or CO2 of {room.name.en} unknown"
            return Verdict(False, False, math.nan, Name(zh, en), "unknown")
        if left < margin:
            margin, where = left, room.name
        ppm = min(ppm, fresh)
    if margin <= _LEAVE_K or ppm <= _LEAVE_PPM:
        word = "warm" if margin <= _LEAVE_K else "co2"
        said = Name(f"{where.zh}已達溫度上限", f"{where.en} is at its limit")
        if word == "co2":
            said = Name("CO2 已達上限", "CO2 at its limit")
        return Verdict(False, False, margin, said, word)
    if margin < _ENTER_K or ppm < _ENTER_PPM:
        word = "warm" if margin < _ENTER_K else "co2"
        said = Name(f"{where.zh}接近溫度上限", f"{where.en} is near its limit")
        if word == "co2":
            said = Name("CO2 接近上限", "CO2 near its limit")
        return Verdict(False, True, margin, said, word)
    return Verdict(True, True, margin, _READY, "ready")


def value_at(item: Item, level: int, base: float) -> float:
    """Return the value of the point at a level; never on the far side of what is beneath, never out of its range."""
    given = item.group.levels[level - 1]
    wanted = base + given if item.group.kind == "raise" else min(base, given)
    return min(max(wanted, item.low), item.high)


def reduction(item: Item, level: int, view: View, factor: float, held: Hold | None = None) -> float:
    """Return the kW that going to a level would take away now; 0 when its power is not known.

    `factor` is what the group was measured to give in relation to what its `kw` says.
    """
    group = item.group
    if group.kind == "raise" and item.comfort:
        # A room that is warmer than its raised set-point goes on being cooled as before: nothing is gained.
        room, raised = item.comfort[0], value_at(item, level, view.base(item.point))
        factor *= min(max(raised - view.value(room.temperature) + _IDLE_K, 0.0), 1.0)
        if math.isnan(factor):
            return 0.0
    if group.kw_per_unit > 0.0:
        power = view.value(item.power)
        cap = group.kw_per_unit * value_at(item, level, view.base(item.point))
        return 0.0 if math.isnan(power) else max(0.0, power - cap)
    whole = group.levels[-1] if group.kind == "raise" else float(len(group.levels))
    share = group.levels[level - 1] / whole if group.kind == "raise" else level / whole
    return max(0.0, group.kw * share * factor - (0.0 if held is None else held.kw))


def shed_seconds(spells: Sequence[Spell], now: float) -> float:
    """Return for how long an equipment was shed in the last hour, s."""
    return sum(max(0.0, min(spell.end, now) - max(spell.start, now - _HOUR_S)) for spell in spells)


def starts_today(spells: Sequence[Spell], day: int) -> int:
    """Return how often its shed began on a local day."""
    return sum(spell.day == day for spell in spells)


def tired(item: Item, spells: Sequence[Spell], ended: float, now: float, day: int) -> str:
    """Return why an item that is not shed may not be shed now: `hour`, `day`, `resting`, or empty."""
    group = item.group
    # While another point of the equipment is shed this is the same spell.
    fresh = not (spells and math.isinf(spells[-1].end))
    if fresh and starts_today(spells, day) >= group.times_per_day:
        return "day"
    lasts_s = sum(stage.minutes for stage in group.stages) * 60.0
    used_s = _hour_until(spells, now, lasts_s) if group.stages else shed_seconds(spells, now) + group.least_s
    if used_s > group.minutes_per_hour * 60.0:
        return "hour"
    if now - ended < group.rest_s or (fresh and spells and now - spells[-1].end < group.rest_s):
        return "resting"
    return ""


def _hour_until(spells: Sequence[Spell], now: float, lasts_s: float) -> float:
    """Return how long it would be shed in the hour that ends with a shed that begins now, s."""
    first = now + lasts_s - _HOUR_S
    return lasts_s + sum(max(0.0, min(spell.end, now) - max(spell.start, first)) for spell in spells)


def opened(spells: Sequence[Spell], now: float, day: int) -> tuple[Spell, ...]:
    """Return the spells with one that begins now, unless one is open; those that count no more are left out."""
    if spells and math.isinf(spells[-1].end):
        return tuple(spells)
    kept = [spell for spell in spells if spell.day == day or spell.end > now - _HOUR_S]
    return (*kept, Spell(now, math.inf, day))


def closed(spells: Sequence[Spell], now: float) -> tuple[Spell, ...]:
    """Return the spells with the open one ended now."""
    return tuple(spell._replace(end=now) if math.isinf(spell.end) else spell for spell in spells)


class Candidate(NamedTuple):
    """An item that may be shed, or shed further."""

    item: Item
    held: Hold | None
    verdict: Verdict
    levels: tuple[int, ...]
    """Levels that it may go to now, the mildest first."""
    ended: float
    """When its equipment's last shed ended; -inf when never."""


def choose(
    candidates: Iterable[Candidate], need_kw: float, view: View, factors: Mapping[str, float]
) -> tuple[list[tuple[Candidate, int, float]], float]:
    """Return what to shed for `need_kw`, as (candidate, level, kW), and the need that is left.

    By priority, then most comfort to spare (in half kelvins, so that rooms that are alike take turns), then longest
    not shed. The last one is shed no further than is needed.
    """
    chosen: list[tuple[Candidate, int, float]] = []
    for one in sorted(candidates, key=_rank):
        if need_kw <= 0.0:
            break
        factor = factors.get(one.item.group.id, 1.0)
        gains = [(level, reduction(one.item, level, view, factor, one.held)) for level in one.levels]
        enough = next(((level, kw) for level, kw in gains if kw >= need_kw), None)
        level, kw = enough or gains[-1]
        if kw < 0.1:
            continue
        chosen.append((one, level, kw))
        need_kw -= kw
    return chosen, max(0.0, need_kw)


def _rank(one: Candidate) -> tuple[float, float, float, str]:
    spare = one.verdict.margin_k
    return (one.item.group.priority, -math.floor(min(spare, 9.0) * 2.0), one.ended, one.item.point)


def further(item: Item, held: Hold | None, now: float, base: float) -> tuple[int, ...]:
    """Return the levels that an item may go to now by its rate: at most `step` an action, `step_s` apart."""
    group = item.group
    if held is not None and now - held.moved < group.step_s:
        return ()
    before = base if held is None else value_at(item, held.level, base)
    first = 1 if held is None else held.level + 1
    return tuple(
        level
        for level in range(first, len(group.levels) + 1)
        if abs(value_at(item, level, base) - before) <= group.step + 1e-9
        and abs(value_at(item, level, base) - before) > 1e-9
    )


def eased(hold: Hold, now: float) -> Hold | None:
    """Return a hold one level milder; None when it is given back with that."""
    return None if hold.level <= 1 else replace(hold, level=hold.level - 1, moved=now)


def answer(group: Group, *, full: bool) -> tuple[float, ...]:
    """Return what one item of a planned group gives in each 5 minutes, and takes back."""
    return group.answer_full if full and group.answer_full else group.answer


def staged(group: Group, age_s: float) -> int:
    """Return the level of a planned shed so long after its begin; 0 when it is over."""
    for stage in group.stages:
        if age_s < stage.minutes * 60.0:
            return stage.level
        age_s -= stage.minutes * 60.0
    return 0
