"""`/notifications`: every message and what became of it; `/notification-channels`: the ways out, and a test of each.

The texts of alarms are shown where the alarm itself may be seen. Addresses of receivers and secrets are never shown.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, StringConstraints

from controller.api.access import Allow, RuntimeDep, may
from controller.api.body import Address, Body, Cursor, Item, Limit, NameReply, Page
from controller.api.change import audited
from controller.api.render import Json, iso, name_json
from controller.api.runtime import Runtime
from controller.errors import NotFoundError, UnavailableError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal import schema
from controller.journal.query import among, page
from controller.notify.message import mark
from controller.point.model import Name

__all__ = ["TEST_BODY", "TEST_TITLE", "NotificationReply", "OutcomeReply", "notification_json", "router"]

router = APIRouter(tags=["notifications"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
State = Literal["queued", "sending", "sent", "failed", "unknown", "withdrawn", "grouped"]
TEST_TITLE = Name("測試通知", "Test message")
TEST_BODY = Name(
    "這是市府控制器的測試通知，收到即表示此管道正常，不需任何處置。",
    "This is a test message of the building controller. The channel works; there is nothing to do.",
)


class StepReply(Item):
    """One change of a message."""

    time: str | None
    state: str
    channel: str
    text: str


class NotificationReply(Item):
    """One message to one contact."""

    id: int
    message: str
    kind: Literal["raised", "escalated", "cleared", "group", "post", "test"]
    contact: str
    contact_name: NameReply | None
    alarm: str | None
    title: NameReply
    priority: int
    life_safety: bool
    state: State
    channel: str
    attempt: int
    repeat: bool
    """It may have arrived already, and says so."""
    text: str
    count: int | None
    """Alarms of a message with a count."""
    created_at: str | None
    changed_at: str | None
    due_at: str | None
    """When it is tried next; null where nothing is to come."""
    history: list[StepReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 7,
                    "message": "1767225600000000000-1~0~engineer",
                    "kind": "raised",
                    "contact": "engineer",
                    "contact_name": {"zh": "值班工程師", "en": "Duty engineer"},
                    "alarm": "cityhall.electrical.tx1.winding_temp_a#high",
                    "title": {"zh": "高壓變壓器 1 號 繞組溫度過高", "en": "Transformer 1 Winding temperature high"},
                    "priority": 2,
                    "life_safety": False,
                    "state": "sent",
                    "channel": "mail",
                    "attempt": 1,
                    "repeat": False,
                    "text": "",
                    "count": None,
                    "created_at": "2026-01-01T00:00:00.100Z",
                    "changed_at": "2026-01-01T00:00:00.400Z",
                    "due_at": None,
                    "history": [{"time": "2026-01-01T00:00:00.400Z", "state": "sent", "channel": "mail", "text": ""}],
                }
            ]
        }
    )


class ChannelReply(Item):
    """One way out of the house."""

    id: str
    kind: Literal["push", "mail", "webhook", "app"]
    name: NameReply
    ready: bool
    missing: NameReply | None
    """Why it cannot be used here; null when it can."""
    trouble: str
    """Why its last message failed; empty while it works."""
    contacts: list[str]


class ChannelsReply(Item):
    """The channels, and how much waits."""

    items: list[ChannelReply]
    gateway: bool
    """Push and chat go out through one proxy."""
    links: bool
    """Messages carry links, because notify.toml has an address."""
    waiting: int
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "id": "mail",
                            "kind": "mail",
                            "name": {"zh": "電子郵件", "en": "E-mail"},
                            "ready": True,
                            "missing": None,
                            "trouble": "",
                            "contacts": ["engineer"],
                        }
                    ],
                    "gateway": False,
                    "links": True,
                    "waiting": 0,
                }
            ]
        }
    )


class ChannelTestBody(Body):
    """Who gets the test message."""

    contact: Id
    model_config = ConfigDict(json_schema_extra={"examples": [{"contact": "control-room"}]})


class OutcomeReply(Item):
    """What came of a test message."""

    state: Literal["sent", "failed", "unknown", "refused"]
    text: str
    """Why, without addresses and secrets; empty when it was taken."""
    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "sent", "text": ""}]})


def _title(row: Mapping[str, Any]) -> dict[str, str]:
    data = row["data"] or {}
    if row["kind"] in ("post", "test"):
        first = mark(data)
        return {language: first + str(data.get("title", {}).get(language, "")) for language in ("zh", "en")}
    if row["kind"] == "group":
        return {"zh": f"告警洪流：{data.get('count', 0)} 件", "en": f"Alarm flood: {data.get('count', 0)}"}
    where = (data.get("where") or [{}])[0]
    return {
        language: f"{where.get(language, '')} {data.get('text', {}).get(language, '')}".strip()
        for language in ("zh", "en")
    }


def notification_json(runtime: Runtime, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one message and what became of it."""
    contact = runtime.notify.plan().contacts.get(row["contact"])
    return {
        "id": row["id"],
        "message": row["message"],
        "kind": row["kind"],
        "contact": row["contact"],
        "contact_name": None if contact is None else name_json(contact.name),
        "alarm": row["alarm"] or None,
        "title": _title(row),
        "priority": row["priority"],
        "life_safety": row["life_safety"],
        "state": row["state"],
        "channel": row["channel"],
        "attempt": row["attempt"],
        "repeat": row["repeat"],
        "text": row["text"],
        "count": (row["data"] or {}).get("count"),
        "created_at": iso(row["created_ns"]),
        "changed_at": iso(row["changed_ns"]),
        "due_at": iso(row["due_ns"]) if row["state"] == "queued" else None,
        "history": [
            {"time": iso(line["time_ns"]), **{key: line[key] for key in ("state", "channel", "text")}}
            for line in row["history"] or ()
        ],
    }


@router.get("/notifications", response_model=Page[NotificationReply])
async def list_notifications(
    runtime: RuntimeDep,
    principal: Viewer,
    state: Annotated[list[State] | None, Query(max_length=7)] = None,
    alarm: Annotated[Address, StringConstraints(max_length=300)] | None = None,
    contact: Id | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Json:
    """Return messages, newest first; of alarms those of the areas that may be seen."""
    rows = schema.notification
    where = []
    areas = principal.permissions.areas(Action.VIEW)
    if areas is not None:
        where.append(among(rows.c.area, areas))
    if state:
        where.append(among(rows.c.state, state))
    if alarm is not None:
        where.append(rows.c.alarm == alarm)
    if contact is not None:
        where.append(rows.c.contact == contact)
    result = await page(runtime.journal, rows, *where, cursor=cursor, limit=limit)
    return Json({"items": [notification_json(runtime, row) for row in result.items], "next": result.next})


@router.get("/notification-channels", response_model=ChannelsReply)
async def list_channels(runtime: RuntimeDep, principal: Viewer) -> Json:  # noqa: ARG001 - says nothing of any area
    """Return the channels of notify.toml, whether each is set up here, and what ails it."""
    plan, desk = runtime.notify.plan(), runtime.notify.desk
    trouble = {} if desk is None else desk.dispatcher.trouble
    return Json(
        {
            "items": [
                {
                    "id": spec.id,
                    "kind": spec.kind,
                    "name": name_json(spec.name),
                    "ready": not spec.missing,
                    "missing": name_json(spec.missing) if spec.missing else None,
                    "trouble": trouble.get(spec.id, ""),
                    "contacts": [
                        contact.id
                        for contact in plan.contacts.values()
                        if any(way.channel == spec.id for way in contact.ways)
                    ],
                }
                for spec in plan.channels.values()
            ],
            "gateway": bool(plan.gateway),
            "links": bool(plan.address),
            "waiting": 0 if desk is None else len(desk.outbox.open),
        }
    )


@router.post("/notification-channels/{channel_id}/test", response_model=OutcomeReply)
async def test_channel(
    request: Request, runtime: RuntimeDep, principal: Engineer, channel_id: Id, body: ChannelTestBody
) -> Json:
    """Send one test message to a contact by this channel and return what came of it, after 20 s at most."""
    may(principal, Action.CONFIGURE, "")
    desk, plan = runtime.notify.desk, runtime.notify.plan()
    if desk is None:
        raise UnavailableError("this server sends no messages; ask a running controller")
    if channel_id not in plan.channels:
        raise NotFoundError(f"no channel {channel_id!r}; GET /api/v1/notification-channels lists them")

    async def act() -> tuple[dict[str, str], dict[str, Any]]:
        outcome = await desk.dispatcher.test(channel_id, body.contact, TEST_TITLE, TEST_BODY)
        said = {"state": outcome.state, "text": outcome.text}
        return said, said

    done = await audited(
        request,
        runtime,
        principal,
        "channel_test",
        channel_id,
        reason="",
        data={"contact": body.contact},
        act=act,
    )
    return Json(done)
