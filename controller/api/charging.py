"""`/charging`: the charging plan beside what was drawn, by quarters of the clock, and the cars that it serves."""

import math
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item, NameReply
from controller.api.charging_session import RankWord, SessionReply, charging_status, session_json
from controller.api.render import Json, finite, iso, name_json
from controller.api.runtime import Runtime
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.strategy.charging.outlook import Outlook, Situation

__all__ = ["router"]

router = APIRouter(prefix="/charging", tags=["charging"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]


class QuarterReply(Item):
    """A quarter that has begun: means of all chargers, kW."""

    begin: str | None
    planned_kw: float
    actual_kw: float
    room_kw: float
    """What the contract left for cars."""


class StepReply(Item):
    """A step of the plan; the first is what was left of a quarter."""

    begin: str | None
    end: str | None
    planned_kw: float
    room_kw: float
    """What the contract is expected to leave for cars."""
    others_kw: float | None
    """What the rest of the site is expected to draw."""
    price: float | None
    """NT$/kWh; null in all steps where no tariff is valid for the whole plan."""


class CarReply(Item):
    """A car of the plan."""

    charger: str
    rank: RankWord
    wanted_kwh: float
    """What it has to be offered from the beginning of the plan on."""
    leaves: str | None
    """As declared or listed, else assumed."""
    short_kwh: float
    """What it will lack then."""
    hopeless_kwh: float
    """Part of that which it could not take in its time whatever the limits."""
    power_kw: list[float]
    """In each step."""


class ChargingPlanReply(Item):
    """The plan in force."""

    time: str | None
    """Its beginning."""
    steps: list[StepReply]
    cars: list[CarReply]
    cost: float | None
    """NT$; null without a price."""
    method: Literal["optimal", "stopped", "rounded"]
    gap_percent: float | None
    """Distance from the best bound; null where none is known."""
    relaxed: list[str]
    """What gave way, the first first."""


_STEP: dict[str, Any] = {
    "begin": "2026-01-02T01:00:00.000Z",
    "end": "2026-01-02T01:15:00.000Z",
    "planned_kw": 33.0,
    "room_kw": 640.0,
    "others_kw": 4260.0,
    "price": 5.47,
}
_PAST: dict[str, Any] = {
    "begin": "2026-01-02T00:45:00.000Z",
    "planned_kw": 33.0,
    "actual_kw": 31.2,
    "room_kw": 655.0,
}
_CAR: dict[str, Any] = {
    "charger": "hall.ev.charger01",
    "rank": "fleet",
    "wanted_kwh": 21.5,
    "leaves": "2026-01-02T09:00:00.000Z",
    "short_kwh": 0.0,
    "hopeless_kwh": 0.0,
    "power_kw": [11.0],
}
_PLAN: dict[str, Any] = {
    "time": "2026-01-02T01:00:00.000Z",
    "steps": [_STEP],
    "cars": [_CAR],
    "cost": 117.6,
    "method": "optimal",
    "gap_percent": 0.01,
    "relaxed": [],
}


class ChargingReply(Item):
    """Plan against actual."""

    configured: bool
    """False: this site has no charging strategy."""
    mode: Literal["run", "dry_run", "off"] | None
    """Null: there is none."""
    state: Literal["watching", "acting", "stepped_back"] | None
    why: NameReply | None
    """What it does now and why; when it stepped back, what chargers get meanwhile."""
    sessions: list[SessionReply]
    """Every charger that one may see, with the car at it."""
    past: list[QuarterReply]
    """A day at the most, since the controller started, the oldest first."""
    plan: ChargingPlanReply | None
    """Null: nobody wants energy, or there is no plan."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "configured": True,
                    "mode": "run",
                    "state": "acting",
                    "why": {"zh": "1 輛車需充電，目前給 33 kW", "en": "1 car wants energy; it gets 33 kW"},
                    "sessions": [],
                    "past": [_PAST],
                    "plan": _PLAN,
                }
            ]
        }
    )


def _sees(runtime: Runtime, principal: Principal, charger: str) -> bool:
    piece = runtime.site().equipment.get(charger)
    return piece is not None and principal.permissions.allows(Action.VIEW, piece.area)


def _plan(runtime: Runtime, principal: Principal, outlook: Outlook) -> dict[str, Any]:
    plan = outlook.plan
    # To whole milliseconds, as times are told: a sum of hours is a little off the clock's quarters.
    ends = outlook.time_ns + np.cumsum(outlook.hours) * 3.6e12
    ends = (np.round(ends / 1e6) * 1e6).astype(np.int64)
    begins = [outlook.time_ns, *ends[:-1].tolist()]
    total = plan.power_kw.sum(axis=0)
    cars = []
    for at, demand in enumerate(outlook.demands):
        if not _sees(runtime, principal, demand.charger):
            continue
        leaves_ns = outlook.time_ns + round(demand.leaves_h * 3.6e12)
        cars.append(
            {
                "charger": demand.charger,
                "rank": demand.rank.name.lower(),
                "wanted_kwh": round(demand.kwh, 2),
                "leaves": iso(leaves_ns),
                "short_kwh": round(float(plan.short_kwh[at]), 2),
                "hopeless_kwh": round(float(plan.hopeless_kwh[at]), 2),
                "power_kw": [round(float(kw), 3) for kw in plan.power_kw[at]],
            }
        )
    return {
        "time": iso(outlook.time_ns),
        "steps": [
            {
                "begin": iso(begin),
                "end": iso(int(end)),
                "planned_kw": round(float(total[at]), 3),
                "room_kw": round(outlook.room_kw[at], 1),
                "others_kw": finite(outlook.others_kw[at]) if outlook.others_kw else None,
                "price": outlook.price[at] if outlook.price else None,
            }
            for at, (begin, end) in enumerate(zip(begins, ends, strict=True))
        ],
        "cars": cars,
        "cost": round(plan.cost, 2) if math.isfinite(plan.cost) else None,
        "method": plan.method,
        "gap_percent": round(100.0 * plan.gap, 4) if math.isfinite(plan.gap) else None,
        "relaxed": list(plan.relaxed),
    }


@router.get("", response_model=ChargingReply)
async def read_charging(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return the plan in force and the past day. Cars in areas that one may not see are left out, sums are of all."""
    status = charging_status(runtime)
    if status is None:
        return Json(
            {
                "configured": False,
                "mode": None,
                "state": None,
                "why": None,
                "sessions": [],
                "past": [],
                "plan": None,
            }
        )
    detail = status.decision.detail
    situation = detail if isinstance(detail, Situation) else Situation((), None)
    return Json(
        {
            "configured": True,
            "mode": status.mode,
            "state": status.decision.state,
            "why": name_json(status.decision.why),
            "sessions": [session_json(status, bay) for bay in situation.bays if _sees(runtime, principal, bay.charger)],
            "past": [
                {
                    "begin": iso(one.begin_ns),
                    "planned_kw": round(one.planned_kw, 2),
                    "actual_kw": round(one.actual_kw, 2),
                    "room_kw": round(one.room_kw, 1),
                }
                for one in situation.past
            ],
            "plan": None if situation.outlook is None else _plan(runtime, principal, situation.outlook),
        }
    )
