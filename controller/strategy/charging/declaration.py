"""What people said about cars at chargers: when one leaves, what it wants, first, later or not at all.

A word is of one session and ends with it. After a gap in looking - a restart, a strategy that was off - a car that is
found is taken for the same one when its charger proves it, and never against what the charger tells; a charger that
tells nothing is believed for ten minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from controller.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.strategy.charging.demand import Rank
    from controller.strategy.charging.session import Charged, Session

__all__ = [
    "MOST_H",
    "MOST_KWH",
    "Declarations",
    "Declared",
    "How",
    "belongs",
    "cheaper_ns",
    "check",
    "over",
    "recognised",
]

How = Literal["", "first", "later", "stop"]
"""`first` (優先): served before all others. `later` (延後): not before a time. `stop` (停止): not in this session."""
MOST_H = 7 * 24.0
MOST_KWH = 200.0
_COUNTER_KWH = 0.2
"""Counters of a session and of all time are read one after the other while energy flows."""
_AWAY_S = 600.0
_QUARTER_NS = 900_000_000_000
_SAME_PRICE = 1e-6
"""NT$/kWh."""
_LATE_S = 120.0
_CLOCK_END_S = 65_000.0
"""Session clocks of 16 bits stand still at their end."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What somebody said about the car at a charger."""

    since_ns: int
    """Of the session that it was said of: it dies with it."""
    leaves_ns: int | None = None
    kwh: float | None = None
    """Wanted from the beginning of the session."""
    rank: Rank | None = None
    full: bool = False
    """It is to be full, as far as its battery is known or assumed."""
    how: How = ""
    from_ns: int | None = None
    """With `later`: not before."""
    meter_kwh: float = math.nan
    """What the charger's counter of all time showed at the beginning of the session."""
    car: str = ""
    """The official car that it was; empty: none that is known."""
    made_ns: int = 0
    who: str = ""
    why: str = ""

    @property
    def waits_ns(self) -> int:
        """Return until when it is not to be charged; 0: it may be now."""
        return self.from_ns or 0 if self.how == "later" else 0


@dataclass(slots=True)
class Declarations:
    """One word a charger at the most."""

    by_charger: dict[str, Declared] = field(default_factory=dict)
    seen_ns: int = 0
    """When somebody last looked at the chargers, before the restart; 0: not known."""

    def of(self, charger: str) -> Declared | None:
        """Return what was said of the car at a charger; it may be of a session that is over."""
        return self.by_charger.get(charger)

    def say(self, charger: str, said: Declared, now_ns: int) -> None:
        """Keep it, in place of what was said before.

        Raises:
            InvalidError: see `check`.
        """
        check(said, now_ns)
        self.by_charger[charger] = said

    def forget(self, charger: str) -> None:
        """Go back to what is assumed."""
        self.by_charger.pop(charger, None)


def check(said: Declared, now_ns: int) -> None:
    """Return when a word can be kept.

    Raises:
        InvalidError: a departure that is past or more than a week away, an energy that no car takes, two wishes of
            energy, or a beginning that is past, a week away or not before the departure.
    """
    for name, time_ns in (("departure", said.leaves_ns), ("until", said.from_ns)):
        if time_ns is not None and not 0 < time_ns - now_ns <= MOST_H * 3.6e12:
            raise InvalidError(f"{name}: it is past, or more than 7 days away; give a time to come")
    if said.kwh is not None and not 0.0 <= said.kwh <= MOST_KWH:
        raise InvalidError(f"kwh: got {said.kwh:g}, wanted 0 to {MOST_KWH:g}")
    if said.full and said.kwh is not None:
        raise InvalidError("kwh and full: one of them; a car is to be full, or to have an energy")
    if (said.how == "later") != (said.from_ns is not None):
        raise InvalidError("until: it goes with the instruction later, and with no other")
    if said.from_ns is not None and said.leaves_ns is not None and said.from_ns >= said.leaves_ns:
        raise InvalidError("until: it is not before the departure, so nothing could be charged; say stop instead")


def belongs(said: Declared, session: Session, seen: Charged, now_ns: int, away_s: float) -> bool:
    """Tell whether what was said is of the car that is found at its charger after a gap in looking.

    Args:
        said: what was said.
        session: as it begins with this look.
        seen: what the charger shows.
        now_ns: now.
        away_s: how long nobody looked; infinite: not known.
    """
    if said.car and session.car is not None and session.car.id != said.car:
        return False
    proven = False
    if math.isfinite(seen.session_kwh) and math.isfinite(session.meter_kwh) and math.isfinite(said.meter_kwh):
        if abs(session.meter_kwh - said.meter_kwh) > _COUNTER_KWH:
            return False
        # Who got nothing leaves the counter as it is: only energy that this session got proves it.
        proven = seen.session_kwh > _COUNTER_KWH
    if 0.0 <= seen.session_s < _CLOCK_END_S:
        if now_ns - round(seen.session_s * 1e9) > said.made_ns + round(_LATE_S * 1e9):
            return False
        proven = True
    return proven or away_s <= _AWAY_S


def recognised(said: Declared | None, session: Session, seen: Charged, now_ns: int, away_s: float) -> Session:
    """Return a session that is found after a gap as the one that something was declared of, where it is that."""
    if said is None or not belongs(said, session, seen, now_ns, away_s):
        return session
    meter = said.meter_kwh if math.isfinite(said.meter_kwh) else session.meter_kwh
    counted = seen.energy_kwh - meter
    kwh = max(counted, 0.0) if math.isfinite(counted) else session.kwh
    return replace(session, since_ns=said.since_ns, meter_kwh=meter, kwh=kwh)


def over(said: Declared | None, session: Session | None, *, there: bool | None) -> bool:
    """Tell whether the session of a declaration has ended; while a charger is not heard, it may last."""
    return said is not None and there is not None and (session is None or session.since_ns != said.since_ns)


def cheaper_ns(price_at: Callable[[int], float], now_ns: int) -> int | None:
    """Return when energy becomes cheaper than now, the next quarter by the clock where it does, within a week.

    None where it never does, or no price is known now. `price_at` gives NT$/kWh at a time, NaN where none is known.
    """
    price = price_at(now_ns)
    first = (now_ns // _QUARTER_NS + 1) * _QUARTER_NS
    for quarter in range(round(MOST_H * 4.0) - 1):
        at = first + quarter * _QUARTER_NS
        if price_at(at) < price - _SAME_PRICE:
            return at
    return None
