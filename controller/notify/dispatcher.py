"""Sends what the outbox says is due: life safety first, each attempt durable before it is made.

With the journal down, messages of life safety go out unrecorded; all others wait until they can be kept.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, NotFoundError, UnavailableError
from controller.notify.notice import OVER_TEXT, VOID_TEXT, Notice, Outcome, after, sending, withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from controller.notify.courier import Courier
    from controller.notify.outbox import Outbox
    from controller.notify.plan import NotifyPlan, Way
    from controller.point.model import Name
    from drivers.driver import Clock

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)

TICK_S = 1.0
MOST_AT_ONCE = 64
"""Attempts under way at once; of one channel at most `_PER_CHANNEL`."""
_PER_CHANNEL = 8
DRILLS_PER_CHANNEL = 2
DRILLS_AT_ONCE = 8
"""Of these the messages of a drill may have so many: whatever they wait for, real ones find room beside them."""
_CLOSE_S = 3.0


class Dispatcher:
    """One a controller."""

    def __init__(self, plan: Callable[[], NotifyPlan], outbox: Outbox, courier: Courier, clock: Clock) -> None:
        """Prepare; `plan` is asked anew each time, for `shifu apply` replaces it."""
        self._plan = plan
        self._outbox = outbox
        self._courier = courier
        self._clock = clock
        self.wanted: Callable[[str], bool] = lambda _occurrence: False
        """Whether an alarm still waits for somebody; the notifier sets it."""
        self.gave_up: Callable[[Notice], None] = lambda _notice: None
        """Told of a message that no way took; the notifier sets it."""
        self.void: Callable[[str], bool] = lambda _occurrence: False
        """Whether a message was taken back; the notifier sets it."""
        self._vain: dict[str, dict[str, str]] = {}
        """By contact: the ways whose last message did not get through since one did by any way, and why."""
        self._under_way: dict[str, str] = {}
        """Channel by id of the notices that are being sent."""
        self._drills: set[str] = set()
        """Those of them that are of a drill."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self.trouble: dict[str, str] = {}
        """Channels whose last message failed for good, and why."""
        self.sent = 0
        self.failed = 0

    def remember(self, last: Iterable[Notice]) -> None:
        """Take over from the last run who was reached and who was not: what it sent last, oldest first."""
        for notice in last:
            if notice.state == "sent":
                self._reached(notice.contact)
            else:
                self._in_vain(notice)

    def wake(self) -> None:
        """Have the outbox looked at now."""
        self._wake.set()

    def under_way(self, id_: str) -> bool:
        """Tell whether an attempt has begun and is not over."""
        return id_ in self._under_way

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._look()

    async def close(self) -> None:
        """Wait for what is under way, at most 3 s, and let the channels go; what is cut off is of unknown fate."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        for task in self._tasks:
            task.cancel()
        self._courier.close()

    def ways(self, notice: Notice) -> list[Way]:
        """Return the ways of a notice that can be used here, in their order."""
        plan = self._plan()
        contact = plan.contacts.get(notice.contact)
        ways = [] if contact is None else list(contact.ways)
        if notice.only:
            ways = [way for way in ways if way.channel == notice.only]
        return self._usable(ways)

    def _usable(self, ways: Iterable[Way]) -> list[Way]:
        channels = self._plan().channels
        return [way for way in ways if way.channel in channels and not channels[way.channel].missing]

    async def test(self, channel: str, contact: str, title: Name, body: Name) -> Outcome:
        """Send one message by one channel now and return what came of it; it is in the outbox like any other.

        Raises:
            NotFoundError: there is no such contact, or it is not reached by this channel.
            UnavailableError: the outbox cannot be written.
        """
        plan, now_ns = self._plan(), self._clock.now_ns()
        if contact not in plan.contacts:
            raise NotFoundError(f"no contact {contact[:40]!r} in notify.toml")
        way = next((way for way in plan.contacts[contact].ways if way.channel == channel), None)
        if way is None:
            raise NotFoundError(f"contact {contact!r} is not reached by {channel[:40]!r}")
        data = {"title": {"zh": title.zh, "en": title.en}, "body": {"zh": body.zh, "en": body.en}}
        notice = Notice(f"test~{now_ns}~{contact}~{channel}", "test", contact, now_ns, now_ns, only=channel, data=data)
        begun = sending(notice, channel, now_ns)
        self._under_way[notice.id] = channel
        try:
            self._outbox.put(begun)
            await self._outbox.commit()
            outcome = await self._courier.deliver(begun, plan.contacts[contact], way)
            self._said(channel, outcome)
            if outcome.state == "sent":
                self._reached(contact)
            elif outcome.state != "unknown":
                self._in_vain(replace(begun, text=outcome.text))
            end: Any = outcome.state if outcome.state in ("sent", "unknown") else "failed"
            line = {"time_ns": self._clock.now_ns(), "state": end, "channel": channel, "text": outcome.text}
            done = replace(begun, state=end, text=outcome.text, changed_ns=line["time_ns"])
            self._outbox.put(replace(done, history=(*begun.history, line)))
            await self._outbox.commit()
        finally:
            self._under_way.pop(notice.id, None)
        return outcome

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_S)
            self._wake.set()

    def _look(self) -> None:
        """Begin every attempt that is due; nothing here waits."""
        now_ns = self._clock.now_ns()
        waiting = [n for n in self._outbox.open.values() if n.state == "queued" and n.due_ns <= now_ns]
        waiting.sort(key=_order)
        for notice in waiting:
            if len(self._under_way) >= MOST_AT_ONCE:
                return
            if notice.id in self._under_way:
                continue
            ways = self.ways(notice)
            name = ways[min(notice.way, len(ways) - 1)].channel if ways else ""
            if name and sum(used == name for used in self._under_way.values()) >= _PER_CHANNEL:
                continue
            if notice.drill and not self._room_for_drill(name):
                continue
            self._under_way[notice.id] = name
            if notice.drill:
                self._drills.add(notice.id)
            task = asyncio.create_task(self._send(notice, ways), name=f"notify {notice.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _room_for_drill(self, channel: str) -> bool:
        of_channel = sum(self._under_way[id_] == channel for id_ in self._drills)
        return len(self._drills) < DRILLS_AT_ONCE and of_channel < DRILLS_PER_CHANNEL

    async def _send(self, notice: Notice, ways: Sequence[Way]) -> None:
        try:
            await self._attempt(notice, ways)
        except Exception:  # noqa: BLE001 - the notice stays in the outbox; the task's owner says what broke
            _log.exception("notification %s could not be handled", notice.id)
        finally:
            self._under_way.pop(notice.id, None)
            self._drills.discard(notice.id)
            self._wake.set()

    async def _attempt(self, notice: Notice, ways: Sequence[Way]) -> None:
        if self._taken_back(notice):
            return
        contact = self._plan().contacts.get(notice.contact)
        if notice.kind in ("raised", "escalated") and not notice.life_safety and not self.wanted(notice.occurrence):
            self._outbox.put(withdrawn(notice, self._clock.now_ns(), OVER_TEXT))
            return
        if contact is None or not ways:
            text = "no way to this contact is set up" if contact else "this contact is no longer in notify.toml"
            begun = sending(notice, "", self._clock.now_ns())
            done = after(begun, Outcome("refused", text), self._clock.now_ns(), ways=0, wanted=False)
            self._outbox.put(done)
            self._fail(done)
            return
        way = ways[min(notice.way, len(ways) - 1)]
        begun = sending(notice, way.channel, self._clock.now_ns())
        self._outbox.put(begun)
        if not await self._durable(begun):
            # Not sent: the attempt does not count. It is tried again at the next second.
            self._outbox.put(replace(notice, due_ns=self._clock.now_ns() + 1_000_000_000))
            return
        if self._taken_back(begun):
            return
        outcome = await self._courier.deliver(begun, contact, way)
        done = after(begun, outcome, self._clock.now_ns(), ways=len(ways), wanted=self.wanted(begun.occurrence))
        self._outbox.put(done)
        self._count(begun, done, outcome)
        if done.state == "queued":
            self._taken_back(done)

    def _taken_back(self, notice: Notice) -> bool:
        if not self.void(notice.occurrence):
            return False
        self._outbox.put(withdrawn(notice, self._clock.now_ns(), VOID_TEXT))
        return True

    async def _durable(self, notice: Notice) -> bool:
        """Wait until the attempt is kept; life safety does not wait for a journal that is down."""
        try:
            await self._outbox.commit()
        except (UnavailableError, ConflictError) as error:
            if notice.life_safety:
                _log.error("message %s goes out unrecorded: %s", notice.id, error)
            return notice.life_safety
        return True

    def _count(self, begun: Notice, done: Notice, outcome: Outcome) -> None:
        if outcome.state == "sent":
            self.sent += 1
        gave_up = done.state in ("failed", "unknown") or done.way != begun.way or done.attempt < begun.attempt
        if outcome.state == "sent" or gave_up:
            self._said(begun.channel, outcome)
        if outcome.state == "sent":
            self._reached(done.contact)
        elif done.state == "failed":
            self._fail(done)
        elif outcome.state == "failed" and (done.way, done.attempt) == (0, 0):
            # Life safety begins again from its first way, for ever: nobody was reached all the same.
            self._in_vain(done)

    def _fail(self, notice: Notice) -> None:
        """Count a message that no way took."""
        self.failed += 1
        self._in_vain(notice)
        self.gave_up(notice)

    def _in_vain(self, notice: Notice) -> None:
        """Remember by which ways a contact was not reached; logged once, until it is again."""
        contact = self._plan().contacts.get(notice.contact)
        if contact is None:
            return
        before = contact.id in self.unreached()
        ways = [notice.only] if notice.only else [way.channel for way in contact.ways]
        self._vain.setdefault(notice.contact, {}).update(dict.fromkeys(ways, notice.text))
        if not before and notice.contact in self.unreached():
            _log.warning("contact %s cannot be reached by any way: %s", notice.contact, notice.text)

    def _reached(self, contact: str) -> None:
        before = contact in self.unreached()
        self._vain.pop(contact, None)
        if before:
            _log.info("contact %s is reached again", contact)

    def unreached(self) -> dict[str, str]:
        """Return the contacts whose last message no way took, and why; those that are in notify.toml no more are none.

        A way that is not set up takes nothing. Messages of life safety go by each way alone: such a contact is here
        when the last one of every way was in vain.
        """
        found = {}
        plan = self._plan()
        for name, vain in self._vain.items():
            contact = plan.contacts.get(name)
            if contact is None:
                continue
            usable = {way.channel for way in self._usable(contact.ways)}
            if usable <= vain.keys():
                found[name] = next(reversed(vain.values()))
        return found

    def _said(self, channel: str, outcome: Outcome) -> None:
        """Remember channels that do not work; one that takes a message again is well."""
        if outcome.state == "sent":
            self.trouble.pop(channel, None)
        elif outcome.state in ("failed", "unknown"):
            self.trouble[channel] = f"{channel}: {outcome.text}"


def _order(notice: Notice) -> tuple[bool, bool, int, int, str]:
    """Return what sorts messages: life safety first, a drill's last whatever its priority and age."""
    return (not notice.life_safety, notice.drill, notice.priority, notice.created_ns, notice.id)
