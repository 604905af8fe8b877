"""What chargers get while nobody knows how much room there is: a safe current, a pause, or their own defaults.

Without the meter of the contract full rating would be a guess, and a pause leaves cars empty that could be charged. The
safe current (evcc has one in each charger; here `safe_a`, 8 A) is little enough to be certain, and every circuit that
is still known - transformers by their own meters, branches by amperes - binds as ever.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from controller.strategy.charging.demand import Demand, Rank
from controller.strategy.charging.session import said_of
from controller.strategy.charging.setpoint import Wish, settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.strategy.charging.charger import Charger
    from controller.strategy.charging.declaration import Declarations
    from controller.strategy.charging.demand import Circuit
    from controller.strategy.charging.session import Session

__all__ = ["StepBack", "fall_back"]

StepBack = Literal["safe", "pause", "default"]


def fall_back(
    chargers: Sequence[Charger],
    ranks: Mapping[str, Rank],
    sessions: Mapping[str, Session],
    said: Declarations,
    circuits: Sequence[Circuit],
    how: StepBack,
    safe_kw: float,
    now_ns: int,
    values: Mapping[str, float],
    since_s: Mapping[str, float],
) -> dict[str, float]:
    """Return each charger's value, in its unit; 0 for a pause. Not for `default`.

    Args:
        chargers: those that are heard and not held by a stronger slot.
        ranks: of the cars.
        sessions: the cars.
        said: what was declared: who is stopped or waits stays so.
        circuits: with what each has left now; a circuit that is not known has the safe power for each of its cars.
        how: the site's choice.
        safe_kw: of three phases.
        now_ns: now.
        values: what each was told last.
        since_s: since when, s.
    """
    wishes = []
    for charger in sorted(chargers, key=lambda one: (ranks.get(one.id, Rank.VISITOR), one.id)):
        session = sessions.get(charger.id)
        phases = charger.phases(single=session is not None and session.draw.single)
        count = 3 if charger.direct else sum(phases)
        told = None if session is None else said_of(session, said.of(charger.id))
        off = how == "pause" or (told is not None and (told.how == "stop" or told.waits_ns > now_ns))
        least = charger.least_kw(count)
        kw = 0.0 if off else max(safe_kw * count / 3.0, least) if session is not None else least
        demand = Demand(charger.id, 0.0, 24.0, charger.most_kw(count), least, Rank.VISITOR, phases)
        value, since = values.get(charger.id, 0.0), since_s.get(charger.id, math.inf)
        wishes.append(Wish(charger, demand, kw, value, since, spare=True))
    return {one.charger.id: value for one, value in zip(wishes, settle(wishes, circuits), strict=True)}
