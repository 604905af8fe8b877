"""A charger and what is known of it, as lists and pages have it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from controller.point.model import Name
from controller.strategy.charging.bay import SHORT_KWH, Bay, judged
from controller.strategy.charging.demand import Rank
from controller.strategy.charging.saying import RANKS, figure
from controller.strategy.charging.session import leaves_ns, leaves_of, rank_of, said_of, wanted_of, who_of
from controller.strategy.strategy import Part, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from controller.strategy.charging.charger import Charger
    from controller.strategy.charging.declaration import Declared
    from controller.strategy.charging.demand import Demand
    from controller.strategy.charging.session import Garage, Session

__all__ = ["Row", "bays", "occupied", "told"]


@dataclass(frozen=True, slots=True)
class Row:
    """A charger and what is known of it."""

    charger: Charger
    name: Name
    there: bool | None
    """A car is plugged in; None: not known."""
    masked: bool
    """A stronger slot holds it."""
    session: Session | None = None
    demand: Demand | None = None
    rank: Rank | None = None
    who: Rank | None = None
    leaves_ns: int = 0
    planned_kw: float | None = None
    value: float | None = None
    """What it is told, in its unit."""
    short_kwh: float = math.nan
    """By the plan in force; NaN where it does not have this session."""
    said: Declared | None = None

    def state(self) -> str:
        """Return its word: `unknown`, `held`, `free`, `halted`, `later`, `short`, `charging`, `waiting`, `content`."""
        if self.there is None:
            return "unknown"
        if self.masked:
            return "held"
        if not self.there or self.session is None:
            return "free"
        told = said_of(self.session, self.said)
        if told is not None and told.how == "stop":
            return "halted"
        if self.demand is None:
            return "content"
        if self.demand.comes_h > 0.0:
            return "later"
        if self.short_kwh >= SHORT_KWH:
            return "short"
        return "charging" if self.value else "waiting"

    def part(self, zone: tzinfo, now_ns: int) -> Part:
        """Return it as a part of the decision."""
        session, demand = self.session, self.demand
        rows = []
        if session is not None:
            rows.append(figure("delivered", "已充", "delivered", session.kwh, "kWh"))
        if session is not None and demand is not None:
            rows.append(figure("wanted", "尚需", "still wanted", demand.kwh, "kWh"))
            rows.append(figure("leaves", "距離場", "leaves in", (self.leaves_ns - now_ns) / 3.6e12, "h"))
            rows.append(figure("planned", "計畫功率", "planned", self._planned(), "kW"))
            rows.append(figure("short", "將缺", "will lack", self.short_kwh, "kWh"))
        points = tuple(one for one in (self.charger.limit, self.charger.enable) if one)
        return Part(self.charger.id, self.name, self.state(), points, self._note(zone), tuple(rows))

    def bay(self, why: Name | None) -> Bay:
        """Return it as people ask for it."""
        state, session = self.state(), self.session
        if session is None:
            return Bay(self.charger.id, state, self.there, judged(state, math.nan), why=why)
        known = state not in ("unknown", "held")
        verdict, told = judged(state, self.short_kwh), said_of(session, self.said)
        if state == "content" and not session.full and told is not None and (told.kwh or 0.0) > session.kwh + SHORT_KWH:
            verdict = "unknown"  # it takes nothing although it may: why, nobody tells
        wanted = 0.0 if self.demand is None else self.demand.kwh * session.draw.take
        wanted_by = "measured" if state == "content" else wanted_of(session, self.said)
        return Bay(
            self.charger.id, state, self.there, verdict, session.since_ns, session.kwh,
            wanted if known and state != "halted" else math.nan, wanted_by, self.leaves_ns,
            leaves_of(session, self.said), self.who, self.rank, session.car.id if session.car else "",
            session.meter_kwh, self.short_kwh, why, told,
        )  # fmt: skip

    def _planned(self) -> float:
        return math.nan if self.planned_kw is None else self.planned_kw

    def _note(self, zone: tzinfo) -> Name | None:
        if self.session is None or self.rank is None or self.who is None:
            return None
        who, car = RANKS[self.who], self.session.car
        if self.rank == Rank.FIRST:
            who = Name(f"優先（{who.zh}）", f"first ({who.en})")
        plate = f" {car.plate}" if car is not None else ""
        leaves = datetime.fromtimestamp(self.leaves_ns // 1_000_000_000, zone).strftime("%m/%d %H:%M")
        return Name(f"{who.zh}{plate}，{leaves} 離場", f"{who.en}{plate}, leaves {leaves}")


def occupied(row: Row, session: Session, now_ns: int, zone: tzinfo, garage: Garage, said: Declared | None) -> Row:
    """Return the row of a charger with the car that is there."""
    return replace(
        row,
        session=session,
        rank=rank_of(session, row.charger, zone, garage, said),
        who=who_of(session, row.charger, zone, garage, said),
        leaves_ns=leaves_ns(session, now_ns, zone, garage, said),
        said=said,
    )


def bays(rows: Sequence[Row], targets: Sequence[Target]) -> tuple[Bay, ...]:
    """Return the chargers as people ask for them, each with why it has its value."""
    why = {target.point: target.why for target in targets}
    return tuple(row.bay(why.get(row.charger.limit)) for row in rows)


def told(charger: Charger, value: float, text: Name) -> list[Target]:
    """Return what a charger is told: a limit, or a pause in its own way."""
    if value > 0.0:
        found = [Target(charger.limit, value, text)]
        return [*found, Target(charger.enable, 1.0, text)] if charger.enable else found
    if charger.enable:
        return [Target(charger.limit, charger.least, text), Target(charger.enable, 0.0, text)]
    return [Target(charger.limit, charger.pause or 0.0, text)]
