"""Who is at a charger: a session from the first to the last moment of a plug, as far as the charger tells.

No charger tells all: some count a session's energy and some only all that they ever gave; few know the state of charge,
none the departure. What is not told is assumed, openly: `Assumption` has the figures, and a session says what it
assumed. What people declare goes before what is assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from controller.strategy.charging.declaration import Declared
from controller.strategy.charging.demand import Demand, Rank
from controller.strategy.charging.draw import Draw, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from controller.strategy.charging.charger import Charger

__all__ = [
    "Assumption", "Calendar", "Car", "Charged", "Declared", "Garage", "Session", "Weekdays", "demand_of", "follow",
    "leaves_ns", "leaves_of", "present", "rank_of", "said_of", "shown", "wanted_of", "who_of",
]  # fmt: skip

FREE, CONNECTED, CHARGING, PAUSED, FULL, FAULT, UNAVAILABLE = range(7)
"""States of a charger, as the profiles have them."""
_S = 1_000_000_000
_HOUR_NS = 3600 * _S
_SOON_H = 0.5
"""A car that is still there after its time is taken to leave after this, again and again."""
_LAST_KWH = 0.1
"""A car that said what it wants and still draws wants this much at the least: it says itself when it is full."""
_IDLE = 6
"""Looks without any current at a car that may have it: it wants none."""


class Calendar(Protocol):
    """Which days are workdays."""

    def workday(self, day: datetime) -> bool:
        """Tell whether the offices are open on a local day."""


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Monday to Friday."""

    def workday(self, day: datetime) -> bool:
        """Tell whether it is none of a weekend."""
        return day.weekday() < 5


@dataclass(frozen=True, slots=True)
class Car:
    """An official car (公務車)."""

    id: str
    plate: str
    battery_kwh: float
    most_kw: float
    departure: int | None = None
    """Minutes after midnight of a workday; None without a fixed time."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """What is taken where nobody says."""

    fleet_charge: float = 0.4
    """State of charge with which an official car comes back, 0 to 1."""
    fleet_departure: int = 480
    """Of an official car without a time of its own, minutes after midnight."""
    commuter_until: int = 600
    """Who plugs in before this on a workday is taken to work here."""
    commuter_from: int = 360
    commuter_departure: int = 1050
    visit_h: float = 2.0
    kwh: float = 15.0
    """What a car that nobody knows wants."""
    more_kwh: float = 5.0
    """What a car wants at the least as long as it draws, whatever it had."""
    kw: float = 7.0
    """What a car that nobody knows takes of alternating current, until it takes more."""
    battery_kwh: float = 60.0
    """Of a car that nobody knows, where the charger tells its state of charge."""


@dataclass(frozen=True, slots=True)
class Garage:
    """The official cars and the assumptions about all others."""

    numbers: Mapping[int, Car] = field(default_factory=dict)
    """By the number that the camera over the bay tells."""
    cards: Mapping[int, Car] = field(default_factory=dict)
    """By charging card."""
    assumption: Assumption = field(default_factory=Assumption)
    calendar: Calendar = field(default_factory=Weekdays)


@dataclass(frozen=True, slots=True)
class Charged:
    """What a charger shows now; NaN where it does not show it or is not to be believed."""

    state: float = math.nan
    connected: float = math.nan
    power_kw: float = math.nan
    current_a: float = math.nan
    energy_kwh: float = math.nan
    """All that it ever gave."""
    session_kwh: float = math.nan
    session_s: float = math.nan
    charge: float = math.nan
    """State of charge, 0 to 1."""
    number: float = math.nan
    card: float = math.nan


@dataclass(frozen=True, slots=True)
class Session:
    """One plug."""

    charger: str
    since_ns: int
    kwh: float = 0.0
    """Delivered so far; counted, never less than before."""
    meter_kwh: float = math.nan
    """What the charger's counter showed at the beginning."""
    charge: float = math.nan
    car: Car | None = None
    draw: Draw = field(default_factory=Draw)
    full: bool = False
    on: bool = False
    """It was allowed to charge at the last look."""
    turned_ns: int = 0
    """When that last changed; 0: not yet, so that the first plan is free to choose."""
    switched_ns: tuple[int, ...] = ()
    """When it began and paused in the past hour: so often its contactors switched."""
    power_kw: float = math.nan
    """At the last look."""


def shown(value: Callable[[str], float], charger: str) -> Charged:
    """Return what a charger shows; `value` gives a point by its address, NaN where it is not to be believed."""
    return Charged(
        state=value(f"{charger}.state"),
        connected=value(f"{charger}.vehicle_connected"),
        power_kw=value(f"{charger}.power"),
        current_a=value(f"{charger}.current"),
        energy_kwh=value(f"{charger}.energy"),
        session_kwh=value(f"{charger}.session_energy"),
        session_s=value(f"{charger}.session_time"),
        charge=value(f"{charger}.soc") / 100.0,
        number=value(f"{charger}.vehicle"),
        card=value(f"{charger}.rfid"),
    )


def present(seen: Charged) -> bool | None:
    """Tell whether a car is plugged in; None when the charger does not say, or is out of order."""
    if not math.isfinite(seen.state):
        return None
    state = round(seen.state)
    if state in (FAULT, UNAVAILABLE):
        return None if seen.connected != 0.0 else False
    return seen.connected == 1.0 if math.isfinite(seen.connected) else state != FREE


def follow(
    session: Session | None,
    charger: Charger,
    seen: Charged,
    limit_kw: float,
    now_ns: int,
    garage: Garage,
    *,
    steady: bool = True,
) -> Session | None:
    """Return the session after one more look; None when no car is there.

    Args:
        session: as it was after the last look.
        charger: the charger.
        seen: what it shows.
        limit_kw: what the car may take; 0: paused.
        now_ns: now.
        garage: official cars and assumptions.
        steady: it has had this limit for a while, so that what it takes tells what it can take.
    """
    there = present(seen)
    if there is None:
        # Out of order, or not heard: what is known is kept, and nothing is learnt from it.
        return session
    if not there:
        return None
    if session is None:
        since = now_ns - round(seen.session_s * _S) if seen.session_s >= 0.0 else now_ns
        before = seen.session_kwh if math.isfinite(seen.session_kwh) else 0.0
        draw = Draw(math.inf if charger.direct else garage.assumption.kw)
        session = Session(charger.id, since, meter_kwh=seen.energy_kwh - before, draw=draw, on=limit_kw > 0.0)
    car = garage.numbers.get(_whole(seen.number)) or garage.cards.get(_whole(seen.card)) or session.car
    counted = seen.energy_kwh - session.meter_kwh
    kwh = counted if math.isfinite(counted) else seen.session_kwh
    on = limit_kw > 0.0
    switched = tuple(one for one in session.switched_ns if now_ns - one < _HOUR_NS)
    draw = session.draw
    if steady:
        draw = watched(draw, limit_kw, seen.power_kw, math.nan if charger.direct else seen.current_a)
    return replace(
        session,
        car=car,
        kwh=max(session.kwh, kwh) if math.isfinite(kwh) else session.kwh,
        meter_kwh=session.meter_kwh if math.isfinite(session.meter_kwh) else seen.energy_kwh - session.kwh,
        charge=seen.charge if math.isfinite(seen.charge) else session.charge,
        draw=draw,
        full=round(seen.state) == FULL,
        on=on,
        turned_ns=session.turned_ns if on == session.on else now_ns,
        switched_ns=switched if on == session.on else (*switched, now_ns),
        power_kw=seen.power_kw,
    )


def demand_of(
    session: Session, charger: Charger, now_ns: int, zone: tzinfo, garage: Garage, said: Declared | None = None
) -> Demand | None:
    """Return what the plan is to give a session; None when it wants nothing."""
    phases = charger.phases(single=session.draw.single)
    count = 3 if charger.direct else sum(phases)
    cap = session.draw.cap_kw if session.draw.measured or session.car is None else session.car.most_kw
    if not session.draw.measured:
        cap = max(cap, _needed_kw(session, said))
    most = min(charger.most_kw(count), session.car.most_kw if session.car else math.inf, cap)
    least = charger.least_kw(count)
    wanted = _wanted(session, garage.assumption, said)
    told = said_of(session, said)
    if session.full or session.draw.idle >= _IDLE or (told is not None and told.how == "stop"):
        return None
    draws = session.power_kw > 0.2
    if draws:
        # Whatever was assumed or said, a car that still draws is not full. What it said counts until it has had that.
        known = wanted_of(session, said) != "assumed" and wanted > 0.0
        wanted = max(wanted, _LAST_KWH if known else garage.assumption.more_kwh)
    if wanted <= 0.0:
        return None
    leaves = leaves_ns(session, now_ns, zone, garage, said)
    comes = max(told.waits_ns, now_ns) if told is not None else now_ns
    if comes > now_ns:
        # A departure that is assumed or past is no reason to charge nothing at all.
        leaves = max(leaves, comes + round(_SOON_H * 3600.0) * _S)
    return Demand(
        charger.id,
        # What it has to be offered for that.
        wanted / session.draw.take,
        max((leaves - now_ns) / 3.6e12, 1.0 / 60.0),
        max(most, least),
        least,
        rank_of(session, charger, zone, garage, said),
        phases,
        (comes - now_ns) / 3.6e12,
        on=session.on,
        held_h=(now_ns - session.turned_ns) / 3.6e12,
        switched=len(session.switched_ns),
    )


def rank_of(session: Session, charger: Charger, zone: tzinfo, garage: Garage, said: Declared | None = None) -> Rank:
    """Return whom it is served with: who was declared first goes before all, else as who it is."""
    told = said_of(session, said)
    if told is not None and told.how == "first":
        return Rank.FIRST
    return who_of(session, charger, zone, garage, said)


def who_of(session: Session, charger: Charger, zone: tzinfo, garage: Garage, said: Declared | None = None) -> Rank:
    """Return who it is: declared, an official car, a bay of its own kind, or by when it came."""
    said = said_of(session, said)
    if said is not None and said.rank is not None:
        return said.rank
    if session.car is not None:
        return Rank.FLEET
    if charger.priority:
        return Rank.PRIORITY
    return Rank.STAFF if _commutes(session, zone, garage) else Rank.VISITOR


def leaves_ns(session: Session, now_ns: int, zone: tzinfo, garage: Garage, said: Declared | None = None) -> int:
    """Return when it is taken to leave: declared, in the list of official cars, or assumed; always later than now."""
    assumed = garage.assumption
    said = said_of(session, said)
    if said is not None and said.leaves_ns is not None:
        leaves = said.leaves_ns
    elif session.car is not None:
        minute = session.car.departure if session.car.departure is not None else assumed.fleet_departure
        return _next_workday(now_ns, minute, zone, garage.calendar)
    elif _commutes(session, zone, garage):
        leaves = _at(_local(session.since_ns, zone), assumed.commuter_departure)
    else:
        leaves = session.since_ns + round(assumed.visit_h * 3600.0) * _S
    return leaves if leaves > now_ns else now_ns + round(_SOON_H * 3600.0) * _S


def leaves_of(session: Session, said: Declared | None = None) -> str:
    """Return how its departure is known: `declared`, `listed` with the official cars, or `assumed`."""
    told = said_of(session, said)
    if told is not None and told.leaves_ns is not None:
        return "declared"
    return "listed" if session.car is not None and session.car.departure is not None else "assumed"


def wanted_of(session: Session, said: Declared | None = None) -> str:
    """Return how its need is known: `declared`, `measured` by its state of charge, or `assumed`."""
    told = said_of(session, said)
    if told is not None and told.kwh is not None:
        return "declared"
    if session.charge > 0.0:
        return "measured"
    return "declared" if told is not None and told.full else "assumed"


def _wanted(session: Session, assumed: Assumption, said: Declared | None) -> float:
    said = said_of(session, said)
    if said is not None and said.kwh is not None:
        return max(said.kwh - session.kwh, 0.0)
    battery = session.car.battery_kwh if session.car else assumed.battery_kwh
    if session.charge > 0.0:
        return max(battery * (1.0 - session.charge), 0.0)
    if session.car is not None or (said is not None and said.full):
        return max(battery * (1.0 - assumed.fleet_charge) - session.kwh, 0.0)
    return max(assumed.kwh - session.kwh, 0.0)


def _needed_kw(session: Session, said: Declared | None) -> float:
    """Return the least power at which what was declared can be had: who declares it is taken to know that it can."""
    told = said_of(session, said)
    if told is None or told.kwh is None or told.leaves_ns is None:
        return 0.0
    hours = (told.leaves_ns - max(session.since_ns, told.waits_ns)) / 3.6e12
    return told.kwh / session.draw.take / hours if hours > 0.0 else 0.0


def said_of(session: Session, said: Declared | None) -> Declared | None:
    """Return what was said of this very session."""
    return said if said is not None and said.since_ns == session.since_ns else None


def _commutes(session: Session, zone: tzinfo, garage: Garage) -> bool:
    came = _local(session.since_ns, zone)
    minute = came.hour * 60 + came.minute
    assumed = garage.assumption
    return garage.calendar.workday(came) and assumed.commuter_from <= minute < assumed.commuter_until


def _local(time_ns: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(time_ns // _S, zone)


def _at(day: datetime, minute: int) -> int:
    moment = day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(minutes=minute)
    return int(moment.timestamp()) * _S


def _next_workday(now_ns: int, minute: int, zone: tzinfo, calendar: Calendar) -> int:
    today = _local(now_ns, zone)
    for ahead in range(15):
        day = today + timedelta(days=ahead)
        at = _at(day, minute)
        if at > now_ns and calendar.workday(day):
            return at
    return _at(today + timedelta(days=1), minute)


def _whole(value: float) -> int:
    return round(value) if math.isfinite(value) else 0
