"""`/strategies`: what each program does now and why, what it looks at, its last decisions; run, dry run or off."""

import hashlib
import math
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, StringConstraints

from controller.api.access import Allow, RuntimeDep, healthy, may
from controller.api.body import Address, Body, Item, Line, NameReply
from controller.api.change import replaced
from controller.api.limit import IfMatch, LimitChangeReply, match
from controller.api.render import Json, finite, iso, name_json
from controller.api.runtime import Runtime
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.point.reason import spoken
from controller.strategy.engine import StrategyStatus
from controller.strategy.strategy import Decision, Figure, Part

__all__ = ["router"]

router = APIRouter(prefix="/strategies", tags=["strategies"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
ModeWord = Literal["run", "dry_run", "off"]
StateWord = Literal["watching", "acting", "stepped_back"]
_SHOWN = 50
"""Decisions of the timeline in one answer."""


class FigureReply(Item):
    """A key number; `value` is null where it is not known."""

    id: str
    name: NameReply
    value: float | None
    unit: str


class PartReply(Item):
    """One thing that a strategy deals with: an item of the shed list, a car, a coil that asks for cold water."""

    id: str
    name: NameReply
    group: NameReply | None
    state: str
    points: list[str]
    note: NameReply | None
    figures: list[FigureReply]


class InputReply(Item):
    """A point without which the strategy steps back."""

    point: str
    name: NameReply
    """Of its equipment and of the point."""
    value: float | None
    unit: str
    quality: int
    age_s: float | None


class OutputReply(Item):
    """A point that the strategy holds, or in a dry run would hold."""

    point: str
    name: NameReply
    slot: int
    value: float
    unit: str
    held: bool
    """It is in the slot now; false in a dry run and where it was refused."""
    winner: int
    """The slot that wins; 0: the relinquish default."""
    why: NameReply
    refused: str
    """Why the arbiter did not take it; empty when it did."""


class SaidReply(Item):
    """A decision that changed something."""

    time: str | None
    mode: ModeWord
    state: StateWord
    why: NameReply
    outputs: int
    figures: list[FigureReply]


_FORECAST = {
    "id": "forecast",
    "name": {"zh": "本時段預測", "en": "Forecast of this window"},
    "value": 4995.0,
    "unit": "kW",
}
_WHY = {
    "zh": "本時段預測 4,995 kW，超過上限 4,900 kW；已卸載 12 項，約 96 kW",
    "en": "This window would reach 4,995 kW, above the limit of 4,900 kW; 12 items shed, about 96 kW",
}
_BRIEF: dict[str, Any] = {
    "id": "demand",
    "name": {"zh": "需量控制", "en": "Demand limiting"},
    "mode": "run",
    "state": "acting",
    "why": _WHY,
    "time": "2026-07-15T02:31:05.000Z",
    "slot": 9,
    "period_s": 5.0,
    "figures": [_FORECAST],
    "outputs": 12,
    "inputs_bad": 0,
    "change": None,
}
_DETAIL: dict[str, Any] = {
    **_BRIEF,
    "inputs": [
        {
            "point": "cityhall.electrical.main.power",
            "name": {"zh": "高壓總表 總有效功率", "en": "High-voltage main meter Total active power"},
            "value": 4988.0,
            "unit": "kW",
            "quality": 0,
            "age_s": 0.6,
        }
    ],
    "targets": [
        {
            "point": "cityhall.hvac.ahu_05f_w.zone_temp_sp",
            "name": {"zh": "5 樓西區空調箱 區域溫度設定值", "en": "Air handler 5F west Zone temperature set-point"},
            "slot": 9,
            "value": 27.0,
            "unit": "°C",
            "held": True,
            "winner": 9,
            "why": {"zh": "需量控制卸載：設定值 +1 K", "en": "demand limiting: set-point +1 K"},
            "refused": "",
        }
    ],
    "parts": [
        {
            "id": "cityhall.hvac.ahu_05f_w.zone_temp_sp",
            "name": {"zh": "5 樓西區空調箱", "en": "Air handler 5F west"},
            "group": {"zh": "區域溫度設定值", "en": "Room set-points"},
            "state": "shed",
            "points": ["cityhall.hvac.ahu_05f_w.zone_temp_sp"],
            "note": {"zh": "需量控制卸載：設定值 +1 K", "en": "demand limiting: set-point +1 K"},
            "figures": [{"id": "kw", "name": {"zh": "卸載（估計）", "en": "Shed"}, "value": 6.0, "unit": "kW"}],
        }
    ],
    "troubles": {},
    "said": [
        {
            "time": "2026-07-15T02:31:05.000Z",
            "mode": "run",
            "state": "acting",
            "why": _WHY,
            "outputs": 12,
            "figures": [_FORECAST],
        }
    ],
}


class StrategyReply(Item):
    """A strategy in a list."""

    id: str
    name: NameReply
    mode: ModeWord
    state: StateWord
    why: NameReply
    time: str | None
    """When it last decided."""
    slot: int
    period_s: float
    figures: list[FigureReply]
    outputs: int
    """Points that it holds."""
    inputs_bad: int
    """Inputs that are not known now."""
    change: LimitChangeReply | None
    """Who switched it on the screen; null: the mode of the files."""
    model_config = ConfigDict(json_schema_extra={"examples": [_BRIEF]})


class StrategyDetail(StrategyReply):
    """A strategy with everything that it looks at, does and said."""

    inputs: list[InputReply]
    targets: list[OutputReply]
    parts: list[PartReply]
    troubles: dict[str, NameReply]
    """Its own alarms that hold now, by word."""
    said: list[SaidReply]
    """Newest first, since the start of the controller."""
    model_config = ConfigDict(json_schema_extra={"examples": [_DETAIL]})


class StrategiesReply(Item):
    """All strategies of the site."""

    items: list[StrategyReply]
    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_BRIEF]}]})


class ModeBody(Body):
    """How it is to run, and why."""

    mode: ModeWord
    reason: Annotated[Line, StringConstraints(min_length=1)]
    model_config = ConfigDict(json_schema_extra={"examples": [{"mode": "off", "reason": "council night, no shedding"}]})


def _figure(figure: Figure) -> dict[str, Any]:
    value = figure.value if math.isfinite(figure.value) else None
    return {"id": figure.id, "name": name_json(figure.name), "value": value, "unit": figure.unit}


def _part(part: Part) -> dict[str, Any]:
    return {
        "id": part.id,
        "name": name_json(part.name),
        "group": None if part.group is None else name_json(part.group),
        "state": part.state,
        "points": list(part.points),
        "note": None if part.note is None else name_json(part.note),
        "figures": [_figure(figure) for figure in part.figures],
    }


def _sees(runtime: Runtime, principal: Principal, address: str) -> bool:
    point = runtime.site().points.get(address)
    return point is not None and principal.permissions.allows(Action.VIEW, point.area)


def _brief(runtime: Runtime, status: StrategyStatus) -> dict[str, Any]:
    strategy, decision = status.strategy, status.decision
    change = runtime.strategies.change(strategy.id)
    return {
        "id": strategy.id,
        "name": name_json(strategy.name),
        "mode": status.mode,
        "state": decision.state,
        "why": name_json(decision.why),
        "time": iso(status.time_ns) if status.time_ns else None,
        "slot": strategy.slot,
        "period_s": strategy.period_s,
        "figures": [_figure(figure) for figure in decision.figures],
        "outputs": len(status.held),
        "inputs_bad": sum(row["quality"] >= 64 for row in _inputs(runtime, status)),
        "change": None
        if change is None
        else {
            "owner": change.owner,
            "reason": change.reason,
            "since": iso(change.since_ns),
            "until": iso(change.until_ns),
        },
    }


def _name(runtime: Runtime, address: str) -> dict[str, str]:
    site = runtime.site()
    point = site.points.get(address)
    home = None if point is None else site.equipment.get(point.equipment)
    if point is None or home is None:
        return {"zh": address, "en": address}
    return {"zh": f"{home.name.zh} {point.name.zh}", "en": f"{home.name.en} {point.name.en}"}


def _inputs(runtime: Runtime, status: StrategyStatus) -> list[dict[str, Any]]:
    table, now = runtime.table(), runtime.clock.monotonic()
    rows: list[dict[str, Any]] = []
    for address in status.strategy.inputs:
        point = table.site.points.get(address)
        if point is None:
            rows.append(
                {
                    "point": address,
                    "name": _name(runtime, address),
                    "value": None,
                    "unit": "",
                    "quality": 131,
                    "age_s": None,
                }
            )
            continue
        number = point.number
        rows.append(
            {
                "point": address,
                "name": _name(runtime, address),
                "value": finite(float(table.value[number])),
                "unit": point.unit,
                "quality": int(table.quality[number]),
                "age_s": finite(now - float(table.received[number])),
            }
        )
    return rows


def _targets(runtime: Runtime, status: StrategyStatus) -> list[dict[str, Any]]:
    held, rows, site = set(status.held), [], runtime.site()
    for target in status.decision.targets:
        point = site.points.get(target.point)
        slots = runtime.arbiter.slots(target.point) if point is not None and point.write is not None else ()
        rows.append(
            {
                "point": target.point,
                "name": _name(runtime, target.point),
                "slot": status.strategy.slot,
                "value": target.value,
                "unit": "" if point is None else point.unit,
                "held": target.point in held,
                "winner": next((number for number, slot in enumerate(slots, 1) if slot is not None), 0),
                "why": name_json(target.why),
                "refused": status.refused.get(target.point, ""),
            }
        )
    return rows


def _said(decision: Decision) -> dict[str, Any]:
    return {
        "state": decision.state,
        "why": name_json(decision.why),
        "outputs": len(decision.targets),
        "figures": [_figure(figure) for figure in decision.figures],
    }


def _detail(runtime: Runtime, principal: Principal, status: StrategyStatus) -> dict[str, Any]:
    decision = status.decision
    return {
        **_brief(runtime, status),
        "inputs": [row for row in _inputs(runtime, status) if _sees(runtime, principal, row["point"])],
        "targets": [row for row in _targets(runtime, status) if _sees(runtime, principal, row["point"])],
        "parts": [
            _part(part) for part in decision.parts if all(_sees(runtime, principal, point) for point in part.points)
        ],
        "troubles": {word: name_json(spoken(reason)) for word, reason in decision.trouble.items() if reason},
        "said": [{"time": iso(one.time_ns), "mode": one.mode, **_said(one.decision)} for one in status.said[:_SHOWN]],
    }


def _etag(status: StrategyStatus) -> str:
    """Name the mode: what decides wanders, and is nobody's to change."""
    state = [status.strategy.id, status.mode]
    return f'"{hashlib.sha256(orjson.dumps(state)).hexdigest()[:24]}"'


@router.get("", response_model=StrategiesReply)
async def list_strategies(runtime: RuntimeDep, principal: Viewer) -> Json:  # noqa: ARG001 - the guard
    """Return all strategies: what each does now and why."""
    return Json({"items": [_brief(runtime, status) for status in runtime.strategies.statuses()]})


@router.get("/{strategy}", response_model=StrategyDetail)
async def read_strategy(runtime: RuntimeDep, principal: Viewer, strategy: Address) -> Json:
    """Return one strategy with inputs, outputs, its list and its last decisions; points one may not see are left out.

    The ETag names its mode, for switching it.
    """
    status = runtime.strategies.status(strategy)
    return Json(_detail(runtime, principal, status), headers={"ETag": _etag(status)})


@router.put("/{strategy}/mode", response_model=StrategyDetail)
async def switch_strategy(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    strategy: Address,
    body: ModeBody,
    if_match: IfMatch = None,
) -> Json:
    """Switch a strategy: run, dry run (it decides and writes nothing) or off. In effect at its next turn, and kept.

    Its slots in many areas need both rights of an engineer, everywhere. The mode of the files ends the change.
    """
    status = runtime.strategies.status(strategy)
    for action in (Action.CONFIGURE, Action.COMMAND):
        may(principal, action, "")
    healthy(runtime)
    status = await replaced(
        request,
        runtime,
        principal,
        "strategy_change",
        strategy,
        reason=body.reason,
        before=status.mode,
        wanted=body.mode,
        check=lambda: match(if_match, _etag(runtime.strategies.status(strategy))),
        keep=lambda: runtime.strategies.set_mode(strategy, body.mode, principal.actor, body.reason),
        after=lambda: (runtime.strategies.status(strategy), body.mode),
    )
    return Json(_detail(runtime, principal, status), headers={"ETag": _etag(status)})
