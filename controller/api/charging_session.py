"""`/charging/sessions`: the car at a charger, whether it will be full in time, and what people declare of it.

A declaration is of one session: it is kept (overlay `charging/<charger>`) through a restart and ends with the session.
It never writes to a charger: the plan follows it, under the limits of the contract and of every circuit.
"""

import hashlib
import math
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Header, Request
from pydantic import ConfigDict, Field, StringConstraints

from controller.api.access import Allow, RuntimeDep, find_equipment, healthy, may
from controller.api.body import Address, Body, Finite, Item, Line, NameReply
from controller.api.change import audited
from controller.api.limit import match
from controller.api.render import Json, finite, iso, name_json, parse_time
from controller.api.runtime import Runtime
from controller.errors import ConflictError, NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.strategy.charging.bay import Bay
from controller.strategy.charging.declaration import MOST_KWH, Declarations, Declared, cheaper_ns, check
from controller.strategy.charging.outlook import Situation
from controller.strategy.charging.strategy import ChargingStrategy
from controller.strategy.engine import StrategyStatus

__all__ = ["RankWord", "SessionReply", "charging_status", "router", "session_json"]

router = APIRouter(prefix="/charging/sessions", tags=["charging"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Operator = Annotated[Principal, Depends(Allow(Action.COMMAND))]
RankWord = Literal["first", "fleet", "priority", "staff", "visitor"]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T[0-9:.]{4,15}(Z|[+-]\d{2}:\d{2})$")]


class DeclaredReply(Item):
    """What somebody declared of this session."""

    departure: str | None
    kwh: float | None
    """Wanted from the beginning of the session."""
    full: bool
    instruction: Literal["first", "later", "stop"] | None
    until: str | None
    """With `later`: not charged before."""
    owner: str
    reason: str
    time: str | None


_EXAMPLE: dict[str, Any] = {
    "charger": "hall.ev.charger01",
    "state": "charging",
    "plugged": True,
    "verdict": "in_time",
    "since": "2026-01-02T00:30:00.000Z",
    "delivered_kwh": 3.2,
    "wanted_kwh": 16.8,
    "wanted_of": "declared",
    "leaves": "2026-01-02T09:00:00.000Z",
    "leaves_of": "declared",
    "who": "staff",
    "rank": "first",
    "vehicle": "",
    "short_kwh": 0.0,
    "why": {"zh": "優先，尚需 16.8 kWh；計畫 11.0 kW，設 16 A", "en": "first, 16.8 kWh wanted"},
    "declared": {
        "departure": "2026-01-02T09:00:00.000Z",
        "kwh": 20.0,
        "full": False,
        "instruction": "first",
        "until": None,
        "owner": "operator",
        "reason": "下午出勤",
        "time": "2026-01-02T00:40:00.000Z",
    },
}


class SessionReply(Item):
    """A charger and the car at it, at the last decision of the strategy."""

    charger: str
    state: Literal["unknown", "held", "free", "halted", "later", "short", "charging", "waiting", "content"]
    plugged: bool | None
    """A car is plugged in; null: not known."""
    verdict: Literal["none", "in_time", "short", "stopped", "unknown"]
    """By the plan in force for this very session: `short` will lack energy when it leaves. `unknown`: no plan says."""
    since: str | None
    delivered_kwh: float | None
    wanted_kwh: float | None
    """Still wanted; null when not known, or when the car is stopped."""
    wanted_of: Literal["declared", "measured", "assumed"] | None
    leaves: str | None
    leaves_of: Literal["declared", "listed", "assumed"] | None
    who: RankWord | None
    rank: RankWord | None
    """Whom it is served with: `first` where that was declared."""
    vehicle: str
    """Id of the official car; empty: none that is known."""
    short_kwh: float | None
    """What it will lack by the plan; null when no plan says."""
    why: NameReply | None
    """Why the charger has its value; null where it is told none."""
    declared: DeclaredReply | None
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


class SessionDetail(SessionReply):
    """One of them, for a form."""

    cheaper: str | None
    """When energy becomes cheaper than now, within 7 days; null: never, or no price is known."""
    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "cheaper": "2026-01-02T14:00:00.000Z"}]})


class DeclarationBody(Body):
    """All that is declared of the session; what is left out is as assumed again. With nothing it is taken back."""

    departure: Moment | None = None
    """To come, within 7 days."""
    kwh: Annotated[Finite, Field(ge=0, le=MOST_KWH)] | None = None
    """Wanted from the beginning of the session."""
    full: bool = False
    """In place of `kwh`."""
    instruction: Literal["first", "later", "stop"] | None = None
    """`first`: served before all others when there is not enough. `later`: not before `until`. `stop`: not charged."""
    until: Moment | Literal["cheaper"] | None = None
    """With `later`; `cheaper`: when energy becomes cheaper than now."""
    reason: Annotated[Line, StringConstraints(min_length=1)]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "departure": "2026-01-02T17:00:00+08:00",
                    "kwh": 20.0,
                    "full": False,
                    "instruction": "first",
                    "until": None,
                    "reason": "下午出勤",
                }
            ]
        }
    )


def charging_status(runtime: Runtime) -> StrategyStatus | None:
    """Return the charging strategy as it is now; None where the site has none."""
    return next((one for one in runtime.strategies.statuses() if one.strategy.id == "charging"), None)


def _said(status: StrategyStatus, bay: Bay) -> Declared | None:
    """Return what is declared of a session now, also what the strategy has not looked at yet."""
    said: Declarations = status.strategy.said  # type: ignore[attr-defined]
    found = said.of(bay.charger)
    return found if found is not None and found.since_ns == bay.since_ns else None


def session_json(status: StrategyStatus, bay: Bay) -> dict[str, Any]:
    """Return a charger with its session as the API tells it."""
    said = _said(status, bay)
    there = bay.since_ns != 0
    return {
        "charger": bay.charger,
        "state": bay.state,
        "plugged": bay.there,
        "verdict": bay.verdict,
        "since": iso(bay.since_ns) if there else None,
        "delivered_kwh": _kwh(bay.kwh),
        "wanted_kwh": _kwh(bay.wanted_kwh),
        "wanted_of": bay.wanted_of or None,
        "leaves": iso(bay.leaves_ns) if bay.leaves_ns else None,
        "leaves_of": bay.leaves_of or None,
        "who": None if bay.who is None else bay.who.name.lower(),
        "rank": None if bay.rank is None else bay.rank.name.lower(),
        "vehicle": bay.car,
        "short_kwh": _kwh(bay.short_kwh),
        "why": None if bay.why is None else name_json(bay.why),
        "declared": None if said is None else _declared_json(said),
    }


def _kwh(value: float) -> float | None:
    return finite(round(value, 2)) if math.isfinite(value) else None


def _declared_json(said: Declared) -> dict[str, Any]:
    return {
        "departure": iso(said.leaves_ns),
        "kwh": said.kwh,
        "full": said.full,
        "instruction": said.how or None,
        "until": iso(said.from_ns),
        "owner": said.who,
        "reason": said.why,
        "time": iso(said.made_ns),
    }


def _etag(status: StrategyStatus, bay: Bay) -> str:
    """Name the session and what is declared of it: for another car in the same bay it is another."""
    said = _said(status, bay)
    state = [bay.charger, bay.since_ns, None if said is None else _declared_json(said)]
    return f'"{hashlib.sha256(orjson.dumps(state)).hexdigest()[:24]}"'


def _find(runtime: Runtime, principal: Principal, charger: str) -> tuple[StrategyStatus, Bay]:
    """Return a charger that the principal may see.

    Raises:
        NotFoundError: no charging strategy, or no such charger for these eyes.
        ConflictError: the strategy is off, so nobody follows the cars.
    """
    find_equipment(runtime, principal, charger)
    status = charging_status(runtime)
    if status is None:
        raise NotFoundError("this site has no charging strategy; strategy.toml is where it is set up")
    detail = status.decision.detail
    if status.mode == "off" or not isinstance(detail, Situation):
        raise ConflictError(
            "smart charging is off, or has not looked yet, so nobody follows the cars; switch it on first"
        )
    bay = next((one for one in detail.bays if one.charger == charger), None)
    if bay is None:
        raise NotFoundError(f"{charger[:100]!r} is no charger of the plan; GET /api/v1/charging lists them")
    return status, bay


def _plugged(bay: Bay) -> None:
    """Return when a car is known to be there.

    Raises:
        ConflictError: none is, or nobody knows.
    """
    if bay.there is None:
        raise ConflictError(
            f"{bay.charger} is not heard or out of order, so nobody knows whether a car is there; look at the charger"
        )
    if not bay.there or not bay.since_ns:
        raise ConflictError(f"no car is plugged in at {bay.charger}; declare it when one is")


@router.get("/{charger}", response_model=SessionDetail)
async def read_session(runtime: RuntimeDep, principal: Viewer, charger: Address) -> Json:
    """Return a charger with the car at it, with an ETag for declaring something of it."""
    status, bay = _find(runtime, principal, charger)
    return Json(_detail(runtime, status, bay), headers={"ETag": _etag(status, bay)})


def _cheaper(runtime: Runtime, status: StrategyStatus) -> int | None:
    strategy = status.strategy
    return cheaper_ns(strategy.prices.at, runtime.clock.now_ns()) if isinstance(strategy, ChargingStrategy) else None


def _detail(runtime: Runtime, status: StrategyStatus, bay: Bay) -> dict[str, Any]:
    return {**session_json(status, bay), "cheaper": iso(_cheaper(runtime, status))}


def _word(runtime: Runtime, status: StrategyStatus, bay: Bay, principal: Principal, body: DeclarationBody) -> Declared:
    """Return what is to be kept.

    Raises:
        InvalidError: a time or an energy out of its range, or two that do not go together.
        ConflictError: nothing is cheaper to wait for.
    """
    now_ns = runtime.clock.now_ns()
    until_ns = None
    if body.until == "cheaper":
        until_ns = _cheaper(runtime, status)
        if until_ns is None:
            raise ConflictError("energy does not become cheaper than now within 7 days; give a time in place of it")
    elif body.until is not None:
        until_ns = parse_time(body.until, "until")
    said = Declared(
        bay.since_ns,
        None if body.departure is None else parse_time(body.departure, "departure"),
        body.kwh,
        full=body.full,
        how=body.instruction or "",
        from_ns=until_ns,
        meter_kwh=bay.meter_kwh,
        car=bay.car,
        who=principal.actor,
        why=body.reason,
    )
    check(said, now_ns)
    return said


@router.put("/{charger}", response_model=SessionDetail)
async def declare(
    request: Request,
    runtime: RuntimeDep,
    principal: Operator,
    charger: Address,
    body: DeclarationBody,
    if_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Json:
    """Declare a departure, an energy, first, later or stop of the car that is there; with nothing, take it back.

    Kept through a restart, as long as this session lasts. The plan is asked for again at once. Limits of the contract,
    of transformers and of branches hold whatever is declared. Needs the right to command in the charger's area.
    """
    piece = find_equipment(runtime, principal, charger)
    may(principal, Action.COMMAND, piece.area)
    status, bay = _find(runtime, principal, charger)
    healthy(runtime)
    _plugged(bay)
    match(if_match, _etag(status, bay))
    wanted = _word(runtime, status, bay, principal, body)
    nothing = wanted.leaves_ns is None and wanted.kwh is None and not wanted.full and not wanted.how
    said = _said(status, bay)
    before = None if said is None else _declared_json(said)
    after = None if nothing else {**_declared_json(wanted), "time": None}

    async def act() -> tuple[None, dict[str, Any]]:
        async with runtime.changing:
            # Once more, now that nobody else can come between: the car may have gone, too.
            now_status, now_bay = _find(runtime, principal, charger)
            _plugged(now_bay)
            match(if_match, _etag(now_status, now_bay))
            await runtime.strategies.declare(charger, None if nothing else wanted, principal.actor, body.reason)
        return None, {"before": before, "after": after}

    await audited(
        request,
        runtime,
        principal,
        "charging_declaration",
        charger,
        reason=body.reason,
        data={"before": before, "after": after},
        act=act,
    )
    status, bay = _find(runtime, principal, charger)
    return Json(_detail(runtime, status, bay), headers={"ETag": _etag(status, bay)})
