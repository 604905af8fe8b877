"""Trim and respond (ASHRAE Guideline 36, 5.1.14): a set-point creeps towards saving and is pulled back by requests.

Every T: SP += trim; if R > I: SP += respond · (R − I), at most `most` of it; then clamped. Trim and respond have
opposite signs. While what it serves is off, SP = SP0; T_d after its proven start it begins. While the plant changes its
stage the set-point is held (control reference 8.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

__all__ = ["PLANT_RESET", "Loop", "Request", "RequestMemory", "Trim", "requests", "trimmed"]

_LATCH_ON, _LATCH_OFF = 95.0, 85.0
"""A valve asks from 95 % open until it is below 85 %."""
_REQUEST_S = 120.0
_HUMID_S = 600.0


@dataclass(frozen=True, slots=True)
class Loop:
    """The constants of a trim-and-respond loop."""

    start: float
    """SP0."""
    low: float
    high: float
    delay_s: float
    """T_d."""
    period_s: float
    """T."""
    ignored: int
    """I."""
    trim: float
    respond: float
    most: float
    """Limit of one response, of the sign of `respond`."""


PLANT_RESET = Loop(1.0, 0.0, 1.0, 900.0, 300.0, 2, -0.02, 0.03, 0.07)
"""Chilled-water plant reset, 0 (warmest, lowest pressure) to 1 (coldest): table of the control reference 8.1."""


@dataclass(frozen=True, slots=True)
class Trim:
    """Where a loop stands."""

    value: float
    on_since: float = math.inf
    """Monotonic s; inf while off."""
    due: float = math.inf
    held_until: float = -math.inf
    stage: int = 0


def trimmed(loop: Loop, state: Trim, now: float, stage: int, asked: int, hold_s: float) -> Trim:
    """Return the loop after a look at `now`: `stage` machines run (0: off), `asked` requests."""
    if stage == 0:
        return Trim(loop.start)
    if math.isinf(state.on_since):
        return Trim(loop.start, now, now + loop.delay_s, -math.inf, stage)
    if stage != state.stage:
        state = replace(state, stage=stage, held_until=now + hold_s)
    if now < state.due:
        return state
    state = replace(state, due=now + loop.period_s)
    if now < state.held_until:
        return state
    value = state.value + loop.trim
    if asked > loop.ignored:
        response = loop.respond * (asked - loop.ignored)
        value += math.copysign(min(abs(response), abs(loop.most)), loop.respond)
    return replace(state, value=min(max(value, loop.low), loop.high))


@dataclass(frozen=True, slots=True)
class RequestMemory:
    """What a coil's requests depend on besides this moment."""

    warm2: float = math.inf
    """Since when its air is 2 K above its set-point; inf when it is not."""
    warm3: float = math.inf
    latched: bool = False
    humid: float = math.inf
    asked_s: float = 0.0
    seen_s: float = 0.0


class Request(NamedTuple):
    """How many requests a coil makes, and why."""

    number: int
    word: str
    """`none`, `valve`, `warm`, `humid`, `off` or `unknown`."""


def requests(
    memory: RequestMemory, now: float, valve: float, above_k: float, humidity: float, humid_limit: float
) -> tuple[Request, RequestMemory]:
    """Return the requests of a coil for colder water.

    3 if its supply air is 3 K above its set-point for 2 min, 2 if 2 K, 1 if its valve is open (8.1); and one more where
    its return air is too humid for 10 min, for warmer water dries less. NaN where something is not known; without the
    valve's position a coil asks for nothing.
    """
    if math.isnan(valve):
        return Request(0, "unknown"), replace(memory, warm2=math.inf, warm3=math.inf, latched=False, humid=math.inf)
    latched = valve > _LATCH_ON or (memory.latched and valve >= _LATCH_OFF)
    warm2 = min(memory.warm2, now) if above_k >= 2.0 else math.inf
    warm3 = min(memory.warm3, now) if above_k >= 3.0 else math.inf
    humid = min(memory.humid, now) if humidity > humid_limit else math.inf
    number, word = 0, "none"
    if now - warm3 >= _REQUEST_S:
        number, word = 3, "warm"
    elif now - warm2 >= _REQUEST_S:
        number, word = 2, "warm"
    elif latched:
        number, word = 1, "valve"
    if now - humid >= _HUMID_S:
        number, word = number + 1, word if number else "humid"
    return Request(number, word), replace(memory, warm2=warm2, warm3=warm3, latched=latched, humid=humid)
