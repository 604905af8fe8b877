"""`/phone`: the own phones that get push messages, the language of the own messages, and a test.

Everything here is the person's own, so it wants no right but to be signed in. A phone tells by a receipt, without a
session, that a message came.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, StringConstraints
from starlette.responses import Response

from controller.api.access import RuntimeDep, SignedIn
from controller.api.body import Body, Item, Line
from controller.api.change import audited
from controller.api.notification import TEST_BODY, TEST_TITLE, OutcomeReply
from controller.api.problem import Problem
from controller.api.render import Json, iso
from controller.api.runtime import Runtime
from controller.api.session import Visitor
from controller.errors import ConflictError, UnavailableError
from controller.identity.identity import Principal
from controller.notify.desk import NotifyDesk
from controller.notify.link import digest
from controller.notify.notice import Notice
from controller.notify.phone import Phone, check_endpoint

__all__ = ["router"]

router = APIRouter(prefix="/phone", tags=["phone"])
Someone = Annotated[Principal, Depends(SignedIn())]
PhoneId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{20,120}={0,2}$")]


class Keys(Body):
    """Keys of a push subscription, base64url."""

    p256dh: Key
    auth: Key


class SubscriptionBody(Body):
    """What the browser's `PushSubscription` says, and a name for the phone."""

    endpoint: Annotated[str, StringConstraints(min_length=10, max_length=1000)]
    keys: Keys
    label: Annotated[Line, StringConstraints(max_length=80)] = ""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "endpoint": "https://fcm.googleapis.com/fcm/send/example",
                    "keys": {
                        "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u",
                        "auth": "tBHItJI5svbpez7KI4CCXg",
                    },
                    "label": "Pixel 9",
                }
            ]
        }
    )


class LanguageBody(Body):
    """Language of the own messages."""

    language: Literal["zh", "en"]
    model_config = ConfigDict(json_schema_extra={"examples": [{"language": "zh"}]})


class ReceiptBody(Body):
    """What a push message carried for this."""

    receipt: Annotated[str, StringConstraints(min_length=10, max_length=60)]
    model_config = ConfigDict(json_schema_extra={"examples": [{"receipt": "3q2-7wAAAAAAAAAAAAAAAA"}]})


class PhoneReply(Item):
    """One phone."""

    id: str
    label: str
    added_at: str | None
    sent_at: str | None
    received_at: str | None
    """When the last message came, as the phone said."""
    gone_at: str | None
    """When its push service ended the subscription: the phone is to be set up again."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "5c1d0f0a1b2c3d4e",
                    "label": "Pixel 9",
                    "added_at": "2026-01-01T00:00:00.000Z",
                    "sent_at": "2026-01-01T08:00:00.000Z",
                    "received_at": "2026-01-01T08:00:01.000Z",
                    "gone_at": None,
                }
            ]
        }
    )


class PhonesReply(Item):
    """The own phones."""

    available: bool
    """notify.toml has a channel of kind push."""
    public_key: str
    """`applicationServerKey` for the browser."""
    language: Literal["zh", "en"] | None
    """Null: that of the contact."""
    contacts: list[str]
    """Contacts whose messages come to these phones."""
    items: list[PhoneReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "available": True,
                    "public_key": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u",
                    "language": "zh",
                    "contacts": ["control-room"],
                    "items": [],
                }
            ]
        }
    )


def _desk(runtime: Runtime) -> NotifyDesk:
    if runtime.notify.desk is None:
        raise UnavailableError("this server sends no messages; ask a running controller")
    return runtime.notify.desk


def _person(principal: Principal) -> str:
    if principal.token:
        raise ConflictError("a token has no phone; sign in as a person")
    if principal.must_set_password:
        raise Problem(403, "the password is still to be set", "Set one with POST /api/v1/session/password, then go on.")
    return principal.name


def _json(phone: Phone) -> dict[str, Any]:
    return {
        "id": phone.id,
        "label": phone.label,
        "added_at": iso(phone.created_ns),
        "sent_at": iso(phone.sent_ns),
        "received_at": iso(phone.received_ns),
        "gone_at": iso(phone.gone_ns),
    }


@router.get("", response_model=PhonesReply)
async def read_phones(runtime: RuntimeDep, principal: Someone) -> Json:
    """Return the own phones, and what a browser needs to become one."""
    user, desk, plan = _person(principal), _desk(runtime), runtime.notify.plan()
    push = {spec.id for spec in plan.channels.values() if spec.kind == "push"}
    return Json(
        {
            "available": bool(push),
            "public_key": desk.key.public,
            "language": (await desk.phones.languages([user])).get(user),
            "contacts": [
                contact.id
                for contact in plan.contacts.values()
                if user in desk.people.of(contact) and not push.isdisjoint(way.channel for way in contact.ways)
            ],
            "items": [_json(phone) for phone in await desk.phones.all_of(user)],
        }
    )


@router.put("/language", response_model=LanguageBody)
async def choose_language(request: Request, runtime: RuntimeDep, principal: Someone, body: LanguageBody) -> Json:
    """Choose the language of the own messages."""
    user, desk = _person(principal), _desk(runtime)

    async def act() -> tuple[dict[str, str], dict[str, Any]]:
        await desk.phones.speak(user, body.language)
        return {"language": body.language}, {"language": body.language}

    data = {"language": body.language}
    return Json(await audited(request, runtime, principal, "notify_language", user, reason="", data=data, act=act))


@router.post("/subscriptions", response_model=PhoneReply, status_code=201)
async def add_phone(request: Request, runtime: RuntimeDep, principal: Someone, body: SubscriptionBody) -> Json:
    """Have this browser get the own push messages."""
    user, desk = _person(principal), _desk(runtime)
    endpoint = check_endpoint(body.endpoint, runtime.notify.plan().hosts)

    async def act() -> tuple[dict[str, Any], dict[str, Any]]:
        phone = await desk.phones.add(user, body.label, endpoint, body.keys.p256dh, body.keys.auth)
        return _json(phone), {"phone": phone.id}

    data = {"label": body.label}
    made = await audited(request, runtime, principal, "phone_add", user, reason="", data=data, act=act)
    return Json(made, status_code=201)


@router.delete("/subscriptions/{phone_id}", status_code=204)
async def remove_phone(request: Request, runtime: RuntimeDep, principal: Someone, phone_id: PhoneId) -> Response:
    """Take an own phone away; it gets no more messages."""
    user, desk = _person(principal), _desk(runtime)

    async def act() -> tuple[None, dict[str, Any]]:
        await desk.phones.remove(user, phone_id)
        return None, {}

    await audited(request, runtime, principal, "phone_remove", phone_id, reason="", data={}, act=act)
    return Response(status_code=204)


@router.post("/test", response_model=OutcomeReply)
async def test_phones(runtime: RuntimeDep, principal: Someone) -> Json:
    """Send a test message to the own phones and return what their push services said."""
    user, desk = _person(principal), _desk(runtime)
    phones = await desk.phones.of([user])
    if not phones:
        raise ConflictError("no phone is set up; add this one first")
    if not desk.may_test(user):
        raise Problem(429, "a test was sent a moment ago", "Wait ten seconds.", {"Retry-After": "10"})
    now_ns = runtime.clock.now_ns()
    names = [{"zh": name.zh, "en": name.en} for name in (TEST_TITLE, TEST_BODY)]
    notice = Notice(f"test~{now_ns}~{user}", "test", user, now_ns, now_ns, data={"title": names[0], "body": names[1]})
    outcome = await desk.courier.push_to(notice, phones, await desk.phones.languages([user]))
    return Json({"state": outcome.state, "text": outcome.text})


@router.post("/receipts", status_code=204, dependencies=[Depends(Visitor())])
async def take_receipt(runtime: RuntimeDep, body: ReceiptBody) -> Response:
    """Note that a push message came; what nobody waits for is passed over without a word."""
    await _desk(runtime).phones.received(digest(body.receipt))
    return Response(status_code=204)
