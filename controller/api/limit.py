"""`/points/{address}/limits`: alarm limits over those of the files, changed with a reason and an ETag."""

import hashlib
import math
from itertools import pairwise
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Request
from pydantic import ConfigDict, Field, StringConstraints

from controller.api.access import Allow, RuntimeDep, find_point, healthy, may
from controller.api.body import Address, Body, Finite, Item, Line
from controller.api.change import audited
from controller.api.point import LimitsReply
from controller.api.problem import Problem
from controller.api.render import Json, finite, iso, limits_json
from controller.api.runtime import Runtime
from controller.errors import ConflictError, InvalidError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.point.model import Limits, Point

__all__ = ["IfMatch", "match", "router"]

router = APIRouter(prefix="/points", tags=["points"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
IfMatch = Annotated[str | None, Header(max_length=200)]
LONGEST_S = 366 * 86_400.0
_KINDS = ("high_high", "high", "low", "low_low")


class LimitsBody(Body):
    """The limits wanted, all four; null switches one off."""

    high_high: Finite | None
    high: Finite | None
    low: Finite | None
    low_low: Finite | None
    reason: Annotated[Line, StringConstraints(min_length=1)]
    expires_s: Annotated[Finite, Field(gt=0, le=LONGEST_S)] | None = None
    """Seconds after which the limits of the files are back; null: until somebody sets them back."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "high_high": 150.0,
                    "high": 125.0,
                    "low": None,
                    "low_low": None,
                    "reason": "summer load, as agreed with the maker",
                    "expires_s": 604800.0,
                }
            ]
        }
    )


class LimitChangeReply(Item):
    """Who laid limits over those of the files, why, and until when (null: until somebody sets them back)."""

    owner: str
    reason: str
    since: str | None
    until: str | None


class LimitsState(Item):
    """The limits in effect, those of the files (null when not known), and the change between them, if any."""

    point: str
    unit: str
    limits: LimitsReply
    base: LimitsReply | None
    change: LimitChangeReply | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "point": "cityhall.electrical.tx1.winding_temp_a",
                    "unit": "°C",
                    "limits": {"high_high": 150.0, "high": 125.0, "low": None, "low_low": None},
                    "base": {"high_high": 150.0, "high": 130.0, "low": None, "low_low": None},
                    "change": {
                        "owner": "lin.yc",
                        "reason": "summer load, as agreed with the maker",
                        "since": "2026-07-01T01:00:00.000Z",
                        "until": "2026-07-08T01:00:00.000Z",
                    },
                }
            ]
        }
    )


def _state(runtime: Runtime, point: Point) -> tuple[dict[str, Any], str]:
    base, change = runtime.base_limits(point.address), runtime.limit_change(point.address)
    state = {
        "point": point.address,
        "unit": point.unit,
        "limits": limits_json(point.limits),
        "base": None if base is None else limits_json(base),
        "change": None
        if change is None
        else {
            "owner": change.owner,
            "reason": change.reason,
            "since": iso(change.since_ns),
            "until": iso(change.until_ns),
        },
    }
    return state, f'"{hashlib.sha256(orjson.dumps(state)).hexdigest()[:24]}"'


def match(given: str | None, etag: str | None) -> None:
    """Return when If-Match names the present state; None is that of a thing that is not there, and wants no header.

    Raises:
        Problem: 428 without the header, 412 when the thing was changed or taken away meanwhile.
    """
    if etag is None:
        if given:
            raise Problem(412, "somebody took this away after you read it")
        return
    if not given:
        raise Problem(428, "the header If-Match is missing")
    if etag not in [part.strip() for part in given.split(",")]:
        raise Problem(412, "somebody changed this after you read it")


@router.get("/{address}/limits", response_model=LimitsState)
async def read_limits(runtime: RuntimeDep, principal: Viewer, address: Address) -> Json:
    """Return the limits in effect, with an ETag for changing them."""
    state, etag = _state(runtime, find_point(runtime, principal, address))
    return Json(state, headers={"ETag": etag})


@router.put("/{address}/limits", response_model=LimitsState)
async def change_limits(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    address: Address,
    body: LimitsBody,
    if_match: IfMatch = None,
) -> Json:
    """Change the limits of an analog point; they have effect at once and outlive a restart.

    The limits of the files end the change: the point then follows the files again.
    """
    point = find_point(runtime, principal, address)
    may(principal, Action.CONFIGURE, point.area)
    if point.kind not in {"analog", "counter"}:
        raise ConflictError(f"point {address!r} is {point.kind} and has no limits; analog points have")
    healthy(runtime)
    before, etag = _state(runtime, point)
    match(if_match, etag)
    wanted = {kind: getattr(body, kind) for kind in _KINDS}
    _check(point, wanted, runtime.base_limits(address))
    limits = Limits(**{kind: math.nan if value is None else value for kind, value in wanted.items()})
    until_ns = None if body.expires_s is None else runtime.clock.now_ns() + round(body.expires_s * 1e9)

    async def act() -> tuple[tuple[dict[str, Any], str], dict[str, Any]]:
        async with runtime.changing:
            # Once more, now that nobody else can come between.
            match(if_match, _state(runtime, find_point(runtime, principal, address))[1])
            await runtime.set_limits(address, limits, principal.actor, body.reason, until_ns)
        found = _state(runtime, find_point(runtime, principal, address))
        return found, {"before": before["limits"], "after": found[0]["limits"], "until": iso(until_ns)}

    state, etag = await audited(
        request,
        runtime,
        principal,
        "limit_change",
        address,
        reason=body.reason,
        data={"before": before["limits"], "after": wanted, "until": iso(until_ns)},
        act=act,
    )
    return Json(state, headers={"ETag": etag})


def _check(point: Point, wanted: dict[str, float | None], base: Limits | None) -> None:
    given = [(kind, value) for kind in reversed(_KINDS) if (value := wanted[kind]) is not None]
    for (lower, low), (upper, high) in pairwise(given):
        if not low < high:
            raise InvalidError(f"{lower} {low:g} is not below {upper} {high:g}; order low_low < low < high < high_high")
    for kind, value in given:
        if not point.low <= value <= point.high:
            raise InvalidError(
                f"{kind} {value:g} is outside of what the point can measure; "
                f"give {point.low:g} to {point.high:g} {point.unit}"
            )
        if base is not None and finite(getattr(base, kind)) is None:
            raise InvalidError(
                f"{point.address} has no {kind} alarm in the files, so its limit would do nothing; "
                "define the alarm in alarms.toml, or leave the limit null"
            )
