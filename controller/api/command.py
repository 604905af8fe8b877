"""`/commands`: fill or empty a slot of a priority array, and see what became of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field, StringConstraints

from controller.api.access import Allow, RuntimeDep, address_of, find_point, healthy, may
from controller.api.body import Address, Body, Cursor, Finite, Item, Limit, Line, NameReply, Page, page_of
from controller.api.problem import Problem
from controller.api.render import Json, command_json
from controller.api.runtime import Runtime
from controller.command.order import Command
from controller.command.priority import MINIMUM_TIME, OPERATOR
from controller.errors import ConflictError, NotFoundError, ShifuError, UnavailableError
from controller.identity.identity import Principal
from controller.identity.permission import Action

__all__ = ["router"]

router = APIRouter(prefix="/commands", tags=["commands"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Commander = Annotated[Principal, Depends(Allow(Action.COMMAND, Action.SAFETY, Action.SECURITY))]
LONGEST_S = 366 * 86_400.0
_EMERGENCY = 7
_DOORS = "access"
"""The system whose points also those command who have `security`."""


class CommandBody(Body):
    """What is wanted; value null releases the slot."""

    point: Address
    value: Finite | None
    slot: Annotated[int, Field(ge=1, le=16)] = OPERATOR
    reason: Annotated[Line, StringConstraints(min_length=1)]
    expires_s: Annotated[Finite, Field(gt=0, le=LONGEST_S)] | None = None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "point": "cityhall.hvac.ahu_01f_w.zone_temp_sp",
                    "value": 25.0,
                    "slot": 8,
                    "reason": "council visits the west wing",
                    "expires_s": 10800.0,
                }
            ]
        }
    )


class CommandReply(Item):
    """One command and what became of it."""

    id: str
    point: str
    slot: int
    value: float | None
    previous: float | None
    owner: str
    reason: NameReply
    state: str
    message: str
    requested_at: str | None
    finished_at: str | None
    until: str | None
    readback: float | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "c-1767229200000-1",
                    "point": "cityhall.hvac.ahu_01f_w.zone_temp_sp",
                    "slot": 8,
                    "value": 25.0,
                    "previous": 26.0,
                    "owner": "wang.hm",
                    "reason": {"zh": "council visits the west wing", "en": "council visits the west wing"},
                    "state": "done",
                    "message": "",
                    "requested_at": "2026-01-01T01:00:00.000Z",
                    "finished_at": "2026-01-01T01:00:01.200Z",
                    "until": "2026-01-01T04:00:00.000Z",
                    "readback": 25.0,
                }
            ]
        }
    )


def _rights(slot: int, *, guard: bool = False) -> tuple[Action, ...]:
    """Return what a slot needs, as `controller.identity.permission` says; `guard` at a door."""
    if slot == OPERATOR and guard:
        return (Action.SECURITY,)
    if slot == OPERATOR:
        return (Action.COMMAND,)
    return (Action.SAFETY,) if slot == _EMERGENCY else (Action.COMMAND, Action.CONFIGURE)


@router.post("", status_code=202, response_model=CommandReply)
async def command(request: Request, runtime: RuntimeDep, principal: Commander, body: CommandBody) -> Json:
    """Fill or empty one slot. 202 means recorded and on its way; `state` tells the rest, also on the stream.

    Nothing is done that could not be audited: the audit entry is durable before the arbiter hears of it.
    """
    point = find_point(runtime, principal, body.point)
    equipment = runtime.site().equipment.get(point.equipment)
    door = equipment is not None and equipment.system == _DOORS
    for action in _rights(body.slot, guard=door and principal.permissions.allows(Action.SECURITY, point.area)):
        may(principal, action, point.area)
    if point.write is None:
        raise ConflictError(f"point {body.point!r} cannot be commanded; see `write` of the point")
    healthy(runtime)
    client = address_of(request)
    data = {"slot": body.slot, "value": body.value, "expires_s": body.expires_s}
    audit = runtime.identity.audit
    await audit(
        principal.actor, "command", body.point, outcome="requested", reason=body.reason, client=client, data=data
    )
    try:
        _left_to_the_panel(runtime, body)
        made = runtime.arbiter.request(
            body.point, body.slot, body.value, principal.actor, body.reason, body.expires_s, None
        )
    except UnavailableError:
        raise
    except ShifuError as error:
        await audit(principal.actor, "command", body.point, outcome="refused", reason=str(error), client=client)
        raise
    await _kept(runtime, made)
    return Json(command_json(made), 202)


def _left_to_the_panel(runtime: Runtime, body: CommandBody) -> None:
    """Leave a point that a fire has to the panel: protection (slots 3 to 5) goes on there, for programs alone.

    Raises:
        ConflictError: somebody fills such a slot by hand.
    """
    hold = runtime.arbiter.held(body.point)
    by_hand = body.value is not None and body.slot < MINIMUM_TIME
    if by_hand and hold is not None and OPERATOR in hold.slots:
        raise ConflictError(f"{body.point}: a fire has it, and slot {body.slot} is for programs alone: {hold.reason}")


async def _kept(runtime: Runtime, made: Command) -> None:
    """Return when the command is durable.

    Raises:
        Problem: 503; the sentence says whether it was taken back (always, but for slots of protection).
    """
    try:
        await runtime.journal.commit()
    except ConflictError:
        # What was refused may be somebody else's; ours is asked for by its name.
        if runtime.arbiter.withdrawn(made.id):
            raise
    except UnavailableError as error:
        if runtime.arbiter.withdrawn(made.id):
            raise
        raise Problem(
            503,
            f"command {made.id} was taken, for slot {made.slot} protects the plant, but it is not recorded ({error})",
            "Do not repeat it; read the slots of the point.",
            {"Retry-After": "5"},
        ) from error


def _sees(runtime: RuntimeDep, principal: Principal, made: Command) -> bool:
    point = runtime.site().points.get(made.point)
    return principal.permissions.allows(Action.VIEW, point.area if point else "")


@router.get("", response_model=Page[CommandReply])
async def list_commands(
    runtime: RuntimeDep,
    principal: Viewer,
    point: Address | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Json:
    """Return recent commands, newest first."""
    if point is not None:
        find_point(runtime, principal, point)
    found = [made for made in runtime.arbiter.recent(point) if _sees(runtime, principal, made)]
    items, following = page_of(found, cursor, limit, runtime.site().generation)
    return Json({"items": [command_json(made) for made in items], "next": following})


@router.get("/{command_id}", response_model=CommandReply)
async def read_command(runtime: RuntimeDep, principal: Viewer, command_id: Address) -> Json:
    """Return one command."""
    made = runtime.arbiter.get(command_id)
    if made is None or not _sees(runtime, principal, made):
        raise NotFoundError(f"no command {command_id[:80]!r}; GET /api/v1/commands lists recent ones")
    return Json(command_json(made))
