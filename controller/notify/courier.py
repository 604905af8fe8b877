"""Carries a notice to a contact by one way: finds the people, makes words and links, hands it to the channel."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol
from zoneinfo import ZoneInfo

from controller.errors import InvalidError, UnavailableError
from controller.notify.channel import Parcel
from controller.notify.chat import ChatChannel, prepare, warm
from controller.notify.link import digest
from controller.notify.message import Links, alarm_address, compose, push_payload
from controller.notify.notice import Outcome
from controller.notify.phone import check_endpoint
from controller.notify.push import GONE, PushChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.notify.channel import Channel
    from controller.notify.link import AcknowledgeLinks
    from controller.notify.notice import Notice
    from controller.notify.phone import Phone, PhoneBook
    from controller.notify.plan import ChannelSpec, Contact, NotifyPlan, Way
    from controller.notify.push import VapidKey
    from controller.point.model import Site

__all__ = ["Courier", "People"]

_BUTTONS: Mapping[str, Mapping[str, str]] = {
    "zh": {"acknowledge": "確認", "open": "詳情"},
    "en": {"acknowledge": "Acknowledge", "open": "Details"},
}
_LINKED = ("raised", "escalated")
DRILL_PHONES = 2
"""Phones that one message of a drill is sent to at once; `channel.THREADS` is what they share with real ones."""


class People(Protocol):
    """Accounts and their rights, as the courier asks for them."""

    def of(self, contact: Contact) -> list[str]:
        """Return the accounts that a contact means, without those that are disabled."""

    def may_see(self, user: str, area: str) -> bool:
        """Tell whether an account may see what is in an area; an empty one needs the right everywhere."""

    def may_acknowledge(self, user: str, area: str) -> bool:
        """Tell whether an account may acknowledge alarms of an area."""


class Courier:
    """The channels of the present configuration, and what a message needs to become words."""

    def __init__(
        self,
        plan: Callable[[], NotifyPlan],
        site: Callable[[], Site],
        people: People,
        phones: PhoneBook,
        links: AcknowledgeLinks,
        key: VapidKey,
    ) -> None:
        """Prepare; `people` knows the accounts that contacts mean, and their rights."""
        self._plan = plan
        self._site = site
        self._people = people
        self._phones = phones
        self._links = links
        self._key = key
        self._channels: dict[str, Channel] = {}
        self._made_of: NotifyPlan | None = None

    async def warm(self) -> None:
        """Make the channels and load their libraries, before the first message needs them."""
        plan = self._plan()
        self._renew(plan)
        if any(spec.kind != "push" and not spec.missing for spec in plan.channels.values()):
            await asyncio.to_thread(warm)

    def close(self) -> None:
        """Let the threads of all channels go."""
        for channel in self._channels.values():
            channel.close()
        self._channels = {}

    async def deliver(self, notice: Notice, contact: Contact, way: Way) -> Outcome:
        """Make one attempt by one way; never raises for what a receiver does."""
        plan = self._plan()
        self._renew(plan)
        spec = plan.channels[way.channel]
        channel = self._channels[way.channel]
        try:
            if spec.kind == "push":
                return await self._push(notice, contact, channel, plan)
            return await self._chat(notice, contact, way, channel, spec)
        except UnavailableError as error:
            return Outcome("failed", f"the state database cannot be read: {error}")

    async def push_to(self, notice: Notice, phones: Sequence[Phone], languages: Mapping[str, str]) -> Outcome:
        """Send a push message to these phones (the test of one's own phone)."""
        plan = self._plan()
        self._renew(plan)
        name = next((spec.id for spec in plan.channels.values() if spec.kind == "push"), "")
        channel = self._channels.get(name)
        if channel is None:
            return Outcome("refused", "notify.toml has no channel of kind push")
        sent = [self._to_phone(notice, phone, channel, plan, languages.get(phone.user, "zh")) for phone in phones]
        return _joined(await asyncio.gather(*sent))

    def _renew(self, plan: NotifyPlan) -> None:
        """Make the channels anew when the configuration was replaced; those that did not change stay."""
        old = self._made_of
        if plan is old:
            return
        if old is None or (old.gateway, old.hosts) != (plan.gateway, plan.hosts):
            prepare(plan.gateway, plan.hosts)
        kept = {
            name: channel
            for name, channel in self._channels.items()
            if old is not None
            and old.channels.get(name) == plan.channels.get(name)
            and (old.gateway, old.address) == (plan.gateway, plan.address)
        }
        for name, channel in self._channels.items():
            if name not in kept:
                channel.close()
        for name, spec in plan.channels.items():
            if name not in kept:
                kept[name] = self._channel(spec, plan)
        self._channels, self._made_of = kept, plan

    def _channel(self, spec: ChannelSpec, plan: NotifyPlan) -> Channel:
        if spec.kind == "push":
            return PushChannel(self._key, plan.address or "mailto:shifu@localhost.invalid", plan.gateway)
        return ChatChannel(spec)

    async def _chat(self, notice: Notice, contact: Contact, way: Way, channel: Channel, spec: ChannelSpec) -> Outcome:
        plan = self._plan()
        user = contact.user if contact.user in self._people.of(contact) else ""
        chosen = (await self._phones.languages([user])) if user else {}
        language = chosen.get(user, contact.language)
        see = alarm_address(plan.address, notice.alarm) if notice.alarm else ""
        if plan.address and (path := "/alarms" if notice.kind == "group" else notice.data.get("see", "")):
            see = f"{plan.address.rstrip('/')}{path}"
        acknowledge = ""
        if plan.address and user and notice.kind in _LINKED and self._people.may_acknowledge(user, notice.area):
            secret = self._links.make(user, notice.alarm, notice.occurrence, notice.id)
            acknowledge = f"{plan.address.rstrip('/')}/ack#token={secret}"
        said = compose(notice, language, ZoneInfo(self._site().timezone), Links(see, acknowledge))
        files = tuple(notice.data.get("attachments", ())) if spec.kind != "webhook" else ()
        return await channel.send(Parcel(notice.id, said.title, said.body, notice.urgent, way.to, files))

    async def _push(self, notice: Notice, contact: Contact, channel: Channel, plan: NotifyPlan) -> Outcome:
        users = self._people.of(contact)
        if notice.alarm:
            users = [user for user in users if self._people.may_see(user, notice.area)]
        phones = await self._phones.of(users)
        if not phones:
            return Outcome("refused", "nobody who may see this has set up a phone for this contact")
        languages = await self._phones.languages(users)
        # Two hundred wardens' phones would fill the channel's threads: a real alarm must find some free.
        gate = asyncio.Semaphore(DRILL_PHONES if notice.drill else len(phones))

        async def through(said: Notice, phone: Phone, language: str) -> Outcome:
            async with gate:
                return await self._to_phone(said, phone, channel, plan, language)

        sent = []
        for phone in phones:
            said = notice
            if notice.kind == "group" and not self._people.may_see(phone.user, notice.area):
                # How many there are may be known; which, only where the person may look.
                said = replace(notice, data={**notice.data, "items": []})
            sent.append(through(said, phone, languages.get(phone.user, contact.language)))
        return _joined(await asyncio.gather(*sent))

    async def _to_phone(
        self, notice: Notice, phone: Phone, channel: Channel, plan: NotifyPlan, language: str
    ) -> Outcome:
        try:
            check_endpoint(phone.endpoint, plan.hosts)
        except InvalidError as error:
            return Outcome("refused", str(error))
        tongue: Literal["zh", "en"] = "en" if language == "en" else "zh"
        acknowledge = ""
        if notice.kind in _LINKED and self._people.may_acknowledge(phone.user, notice.area):
            acknowledge = f"/ack#token={self._links.make(phone.user, notice.alarm, notice.occurrence, notice.id)}"
        other = "/phone" if notice.kind == "test" else notice.data.get("see") or "/alarms"
        see = alarm_address("/", notice.alarm) if notice.alarm else other
        receipt = secrets.token_urlsafe(16)
        payload = push_payload(notice, tongue, Links(see, acknowledge), receipt=receipt, names=_BUTTONS[tongue])
        keys = {"endpoint": phone.endpoint, "keys": {"p256dh": phone.p256dh, "auth": phone.auth}}
        self._phones.sent(phone, digest(receipt))
        outcome = await channel.send(
            Parcel(notice.id, payload["title"], payload["body"], notice.urgent, payload=payload, keys=keys)
        )
        if outcome.text == GONE:
            self._phones.gone(phone)
        return outcome


def _joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what came of a message to several phones: one that took it is enough."""
    for state in ("sent", "unknown", "failed"):
        found = next((outcome for outcome in outcomes if outcome.state == state), None)
        if found is not None:
            return found
    return outcomes[0]
