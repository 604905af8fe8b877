"""`/acknowledge-links`: the page behind the link of a message. Looking changes nothing; the button acknowledges, once.

Whoever holds the link acts with the rights of the account it was sent to, as they are now, on that one occurrence of
that one alarm. The secret is in the body, never in an address, so no log of a server or proxy has it.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, StringConstraints

from controller.alarm.definition import Alarm
from controller.api.access import RuntimeDep
from controller.api.alarm import AlarmReply
from controller.api.body import Body, Item, Line
from controller.api.change import audited
from controller.api.problem import Problem
from controller.api.render import Json, iso
from controller.api.runtime import Runtime
from controller.api.session import Visitor
from controller.errors import ConflictError, ForbiddenError, UnavailableError
from controller.identity.account import User
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.notify.desk import NotifyDesk
from controller.notify.link import AcknowledgeLink

__all__ = ["router"]

router = APIRouter(prefix="/acknowledge-links", tags=["notifications"], dependencies=[Depends(Visitor())])
Token = Annotated[str, StringConstraints(min_length=20, max_length=100)]


class LookBody(Body):
    """Token of the link."""

    token: Token
    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "dGhpcyBpcyBub3QgYSByZWFsIHRva2VuIGF0IGFsbA"}]})


class UseBody(LookBody):
    """Token of the link, and a comment for the journal."""

    comment: Line = ""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"token": "dGhpcyBpcyBub3QgYSByZWFsIHRva2VuIGF0IGFsbA", "comment": "on my way"}]
        }
    )


class LinkReply(Item):
    """What the link is for."""

    alarm: AlarmReply
    equipment_name: dict[str, str]
    user: str
    """Display name of the account it acts for."""
    expires_at: str | None
    current: bool
    """False: the alarm has come anew since, or is over; the link acknowledges nothing any more."""


def _desk(runtime: Runtime) -> NotifyDesk:
    if runtime.notify.desk is None:
        raise UnavailableError("this server sends no messages; ask a running controller")
    return runtime.notify.desk


async def _find(runtime: Runtime, token: str) -> tuple[AcknowledgeLink, User, Alarm]:
    link = await _desk(runtime).links.find(token)
    user = None if link is None else runtime.identity.users.get(link.user)
    if link is None or user is None or user.disabled:
        raise Problem(
            410,
            "this link was used already, or has expired",
            "Sign in to the control room and acknowledge there, or use the link of the newest message.",
        )
    alarm = runtime.alarms.get(link.alarm)
    if not user.permissions.allows(Action.VIEW, alarm.area):
        raise ForbiddenError(f"{user.name} may not see this alarm")
    return link, user, alarm


def _json(runtime: Runtime, link: AcknowledgeLink, user: User, alarm: Alarm) -> dict[str, Any]:
    piece = runtime.site().equipment.get(alarm.definition.equipment)
    return {
        "alarm": alarm.to_json(),
        "equipment_name": {"zh": piece.name.zh, "en": piece.name.en} if piece else {"zh": "", "en": ""},
        "user": user.display_name or user.name,
        "expires_at": iso(link.expires_ns),
        "current": alarm.state.occurrence == link.occurrence,
    }


@router.post("/look", response_model=LinkReply)
async def look(runtime: RuntimeDep, body: LookBody) -> Json:
    """Return the alarm of a link; nothing is changed and the link stays good."""
    return Json(_json(runtime, *await _find(runtime, body.token)))


@router.post("/use", response_model=LinkReply)
async def use(request: Request, runtime: RuntimeDep, body: UseBody) -> Json:
    """Acknowledge the alarm of a link; the link is used up."""
    link, user, alarm = await _find(runtime, body.token)
    if not user.permissions.allows(Action.ACKNOWLEDGE, alarm.area):
        raise ForbiddenError(f"{user.name} may not acknowledge in area {alarm.area!r}")
    if alarm.state.occurrence != link.occurrence:
        raise ConflictError("this alarm is over, or has come anew since: the newest message has the link for it")
    principal = Principal(user.name, user.display_name, user.role, user.permissions, "")

    async def act() -> tuple[Alarm, dict[str, Any]]:
        if not await _desk(runtime).links.use(link):
            raise ConflictError("this link was used a moment ago")
        (done,) = runtime.alarms.acknowledge([link.alarm], principal.actor, body.comment)
        return done, {"states": {done.id: done.state.state}}

    done = await audited(
        request,
        runtime,
        principal,
        "alarm_acknowledge",
        link.alarm,
        reason=body.comment,
        data={"by": "acknowledge link", "message": link.message},
        act=act,
    )
    return Json(_json(runtime, link, user, done))
