"""All of notification, put together: what the composition root opens, runs and closes, and what the API works with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from controller.identity.permission import Action
from controller.notify.courier import Courier
from controller.notify.dispatcher import Dispatcher
from controller.notify.link import AcknowledgeLinks
from controller.notify.notifier import Notifier
from controller.notify.outbox import Outbox
from controller.notify.phone import PhoneBook
from controller.notify.push import VapidKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from controller.alarm.engine import AlarmEngine
    from controller.identity.account import User
    from controller.identity.identity import Identity
    from controller.journal.journal import Journal
    from controller.notify.courier import People
    from controller.notify.plan import Contact, NotifyPlan
    from controller.office import OfficeCalendar
    from controller.point.model import Site
    from drivers.driver import Clock

__all__ = ["NotifyDesk"]


TEST_S = 10.0
_MOST_NAMED = 5


class _Accounts:
    """The accounts of `Identity`, as the courier asks for them."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def of(self, contact: Contact) -> list[str]:
        users = self._identity.users
        named = [contact.user] if contact.user in users else []
        named += [user.name for user in users.values() if contact.role and user.role == contact.role]
        return [name for name in dict.fromkeys(named) if not users[name].disabled]

    def may_see(self, user: str, area: str) -> bool:
        found = self._user(user)
        return found is not None and found.permissions.allows(Action.VIEW, area)

    def may_acknowledge(self, user: str, area: str) -> bool:
        found = self._user(user)
        return found is not None and found.permissions.allows(Action.ACKNOWLEDGE, area)

    def _user(self, name: str) -> User | None:
        return self._identity.users.get(name)


class NotifyDesk:
    """One a controller; `open`, `start`, then `run` until `close`."""

    def __init__(
        self,
        plan: Callable[[], NotifyPlan],
        site: Callable[[], Site],
        office: Callable[[], OfficeCalendar],
        alarms: Callable[[], AlarmEngine],
        identity: Identity,
        journal: Journal,
        clock: Clock,
        key: VapidKey,
    ) -> None:
        """Put the parts together; nothing is read or sent yet."""
        self.plan = plan
        self.key = key
        self._clock = clock
        self._tested: dict[str, float] = {}
        """When each user last sent a test."""
        self.phones = PhoneBook(journal, clock)
        self.links = AcknowledgeLinks(journal, clock)
        self.outbox = Outbox(journal)
        self.people: People = _Accounts(identity)
        self.courier = Courier(plan, site, self.people, self.phones, self.links, key)
        self.dispatcher = Dispatcher(plan, self.outbox, self.courier, clock)
        self.notifier = Notifier(
            plan, site, alarms, lambda day: office().workday(day), self.outbox, self.dispatcher, clock
        )

    @classmethod
    def open(
        cls,
        folder: Path,
        plan: Callable[[], NotifyPlan],
        site: Callable[[], Site],
        office: Callable[[], OfficeCalendar],
        alarms: Callable[[], AlarmEngine],
        identity: Identity,
        journal: Journal,
        clock: Clock,
    ) -> NotifyDesk:
        """Read the VAPID key of the data folder, or make it.

        Raises:
            InvalidError: the file is no such key.
            OSError: it cannot be read or made.
        """
        return cls(plan, site, office, alarms, identity, journal, clock, VapidKey(folder / "vapid.pem"))

    async def start(self) -> None:
        """Take over the outbox of the last run.

        Raises:
            UnavailableError: the state database cannot be read.
        """
        await self.notifier.start()

    async def run(self) -> None:
        """Decide and send until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.courier.warm(), name="warm channels")
            group.create_task(self.notifier.run(), name="notifier")
            group.create_task(self.dispatcher.run(), name="dispatcher")

    async def close(self) -> None:
        """Let what is under way end, 3 s at most."""
        await self.dispatcher.close()

    def may_test(self, user: str) -> bool:
        """Tell whether a user may send a test to the own phones now; one in ten seconds."""
        now = self._clock.monotonic()
        if now - self._tested.get(user, -TEST_S) < TEST_S:
            return False
        self._tested[user] = now
        return True

    def trouble(self) -> str:
        """Return which channels do not take messages and which contacts nothing reaches; empty when all is well."""
        said = [self.dispatcher.trouble[name] for name in sorted(self.dispatcher.trouble)]
        lost = self.dispatcher.unreached()
        said += [f"contact {name} is reached by no way: {lost[name]}" for name in sorted(lost)[:_MOST_NAMED]]
        said += [f"and {len(lost) - _MOST_NAMED} contacts more"] if len(lost) > _MOST_NAMED else []
        return "; ".join(said)

    def gauges(self) -> Mapping[str, float]:
        """Return numbers for /metrics."""
        return {
            "notify_dropped_total": self.outbox.dropped,
            "notify_failed_total": self.dispatcher.failed,
            "notify_sent_total": self.dispatcher.sent,
            "notify_waiting": len(self.outbox.open),
        }
