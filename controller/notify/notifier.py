"""Tells people of alarms: decides whom and when, step by step until somebody acknowledges, and puts it into the outbox.

    notifier = Notifier(…)
    await notifier.start()            # after a crash: what is of unknown fate, and what was never told
    notifier.tell(changed_alarms)     # by the recorder, when the journal has them; life safety at once
    await notifier.run()

The decisions are pure functions (`escalation`, `storm`, `notice`); this module joins them with time, and `dispatcher`
sends.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from controller.alarm.state import ANNUNCIATED, State
from controller.errors import ConflictError, NotFoundError, UnavailableError
from controller.notify import message
from controller.notify.escalation import Call, calls
from controller.notify.notice import OVER_TEXT, VOID_TEXT, Notice, crashed, group_id, notice_id, withdrawn
from controller.notify.roster import local
from controller.notify.storm import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from controller.alarm.definition import Alarm
    from controller.alarm.engine import AlarmEngine
    from controller.notify.dispatcher import Dispatcher
    from controller.notify.outbox import Outbox
    from controller.notify.plan import Contact, NotifyPlan, Target
    from controller.point.model import Name, Site
    from drivers.driver import Clock

__all__ = ["Notifier"]

_log = logging.getLogger(__name__)

TICK_S = 1.0
_TOLD = frozenset({"sent", "sending", "unknown"})
_HELD = "waits for the message with a count"
_HOLD_NS = 3_600_000_000_000
"""Longer than any group is open; what is held is found again after a restart by its text."""
_OVER = frozenset({State.NORMAL, State.RETURNED})
_DAY_S = 86_400.0
_REMEMBERED_NS = 30 * 86_400_000_000_000
"""How far back a start looks for whom messages reached."""


class Notifier:
    """One a controller."""

    def __init__(
        self,
        plan: Callable[[], NotifyPlan],
        site: Callable[[], Site],
        alarms: Callable[[], AlarmEngine],
        workday: Callable[[date], bool],
        outbox: Outbox,
        dispatcher: Dispatcher,
        clock: Clock,
    ) -> None:
        """Prepare; `plan`, `site` and `alarms` are asked anew each time, for `shifu apply` replaces them."""
        self._void: set[str] = set()
        """Occurrences of posts that were taken back while something of them was open."""
        self._plan = plan
        self._site = site
        self._alarms = alarms
        self._workday = workday
        self._outbox = outbox
        self._dispatcher = dispatcher
        dispatcher.wanted = self.waits
        dispatcher.gave_up = self._hurry
        dispatcher.void = self._void.__contains__
        self._clock = clock
        self._waiting: dict[str, tuple[Alarm, float, list[Call]]] = {}
        """By occurrence: an alarm that nobody has acknowledged, the monotonic time it was raised at, steps to come."""
        self._gates: dict[str, Gate] = {}
        self._groups: dict[str, list[Notice]] = {}
        """By contact: what waits for the message with a count."""

    # -- from the rest of the controller -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what the last run left, and find the alarms that nobody was told of yet.

        Raises:
            UnavailableError: the state database cannot be read.
        """
        states = self._alarms().states()
        self._dispatcher.remember(await self._outbox.last(self._clock.now_ns() - _REMEMBERED_NS))
        for notice in await self._outbox.read(state.occurrence for state in states):
            self._outbox.put(crashed(notice, self._clock.now_ns(), ways=len(self._dispatcher.ways(notice))))
        self.tell([self._alarms().get(state.definition) for state in states])
        now = self._clock.monotonic()
        for notice in list(self._outbox.open.values()):
            if notice.text == _HELD:
                gate = self._gates.setdefault(notice.contact, Gate())
                gate.due = gate.due or now + TICK_S
                self._groups.setdefault(notice.contact, []).append(notice)

    def tell(self, alarms: Sequence[Alarm]) -> None:
        """Take alarms that changed, as they stand now. Returns at once; the same alarm may be told again and again."""
        now = self._clock.monotonic()
        fresh: list[Notice] = []
        for alarm in alarms:
            occurrence = alarm.state.occurrence
            if not occurrence:
                continue
            if alarm.state.state in ANNUNCIATED:
                fresh += self._follow(alarm, now)
                continue
            self._waiting.pop(occurrence, None)
            if alarm.state.state in _OVER:
                fresh += self._clear(alarm)
        self._admit(fresh, now)
        self._dispatcher.wake()

    async def post(
        self,
        key: str,
        to: Iterable[Target],
        title: Name,
        body: Name,
        *,
        life_safety: bool = False,
        drill: bool = False,
        real: bool = False,
        see: str = "",
        attachments: Sequence[str] = (),
    ) -> list[str]:
        """Send a message that is not of an alarm (a report, a drill); returns the ids of its notices, one a contact.

        Args:
            key: what it is, such as `report/2026-11`; the same key is sent once to each contact.
            to: duties and contacts.
            title: first line, in both languages.
            body: the rest.
            life_safety: sent by every way at once and never held.
            drill: 演練 DRILL comes first in title and body, and every real message goes before it.
            real: 真實 REAL comes first: it takes the place of a drill.
            see: path of the control room where it is shown.
            attachments: paths of files, for channels that take them.

        Raises:
            NotFoundError: a duty or contact is unknown; nothing was sent.
            UnavailableError: the outbox cannot be read; nothing was sent. Life safety does not wait for it.
        """
        now_ns, plan = self._clock.now_ns(), self._plan()
        names: dict[str, None] = {}
        for target in to:
            known: Mapping[str, object] = plan.duties if target.kind == "duty" else plan.contacts
            if target.id not in known:
                raise NotFoundError(f"no {target.kind} {target.id!r} in notify.toml; known are {', '.join(known)}")
            zone = ZoneInfo(self._site().timezone)
            on = plan.duties[target.id].on(now_ns, zone, self._workday) if target.kind == "duty" else (target.id,)
            names |= dict.fromkeys(on)
        data = {
            "title": {"zh": title.zh, "en": title.en},
            "body": {"zh": body.zh, "en": body.en},
            "drill": drill,
            "real": real,
            "see": see,
            "attachments": list(attachments),
        }
        made = []
        for name in names:
            base = Notice(
                f"post~{key}~{name}", "post", name, now_ns, now_ns, f"post~{key}", priority=3, data=data,
                life_safety=life_safety,
            )  # fmt: skip
            made += self._by_way(base) if life_safety else [base]
        try:
            known_ids = await self._outbox.ids(f"post~{key}")
        except UnavailableError:
            if not life_safety:
                raise
            known_ids = set(self._outbox.known(f"post~{key}"))
        fresh = [notice for notice in made if notice.id not in known_ids]
        self._outbox.put(*fresh)
        self._dispatcher.wake()
        return [notice.id for notice in fresh]

    async def posted(self, key: str) -> bool:
        """Tell whether somebody was told of a key, or is going to be.

        Raises:
            UnavailableError: the outbox cannot be read.
        """
        return bool(await self._outbox.ids(f"post~{key}"))

    def withdraw(self, keys: str, *, but: str = "") -> None:
        """Take back every post whose key begins with `keys`, but for one, as far as it was not handed over yet.

        What is under way cannot be called back; it is not tried again. Returns at once.
        """
        now_ns = self._clock.now_ns()
        for notice in list(self._outbox.open.values()):
            if not notice.occurrence.startswith(f"post~{keys}") or notice.occurrence == f"post~{but}":
                continue
            self._void.add(notice.occurrence)
            if not self._dispatcher.under_way(notice.id):
                self._outbox.put(withdrawn(notice, now_ns, VOID_TEXT))

    def on_duty(self) -> dict[str, tuple[str, ...]]:
        """Return who is on each duty now."""
        plan, zone = self._plan(), ZoneInfo(self._site().timezone)
        now_ns = self._clock.now_ns()
        return {duty.id: duty.on(now_ns, zone, self._workday) for duty in plan.duties.values()}

    # -- whom --------------------------------------------------------------------------------------------------------

    def _follow(self, alarm: Alarm, now: float) -> list[Notice]:
        """Begin to wait for somebody to acknowledge, or go on; returns the notices that are due."""
        occurrence = alarm.state.occurrence
        entry = self._waiting.get(occurrence)
        if entry is None:
            raised_ns = alarm.state.raised_ns or self._clock.now_ns()
            # From here on the monotonic clock counts: a calendar that jumps hurries or delays no step.
            ago = max(0.0, (self._clock.now_ns() - raised_ns) / 1e9)
            zone = ZoneInfo(self._site().timezone)
            steps = calls(self._plan(), alarm.definition, raised_ns, zone, self._workday)
            entry = (alarm, now - ago, steps)
        self._waiting[occurrence] = (alarm, *entry[1:])
        return self._due(occurrence, now)

    def _due(self, occurrence: str, now: float) -> list[Notice]:
        alarm, since, steps = self._waiting[occurrence]
        due = [call for call in steps if since + call.after_s <= now]
        if not due:
            return []
        self._waiting[occurrence] = (alarm, since, [call for call in steps if call not in due])
        known = self._outbox.known(occurrence)
        made = []
        for call in due:
            contact = self._plan().contacts.get(call.contact)
            if contact is None:
                continue
            made += [notice for notice in self._notices(alarm, call, contact) if notice.id not in known]
        return made

    def _hurry(self, notice: Notice) -> None:
        """Have the next step come now when nobody of those before it could be reached."""
        entry = self._waiting.get(notice.occurrence)
        known = self._outbox.known(notice.occurrence)
        if entry is None or not entry[2] or any(state != "failed" for state in known.values()):
            return
        alarm, since, steps = entry
        self._waiting[notice.occurrence] = (alarm, min(since, self._clock.monotonic() - steps[0].after_s), steps)

    def _notices(self, alarm: Alarm, call: Call, contact: Contact) -> list[Notice]:
        definition, now_ns = alarm.definition, self._clock.now_ns()
        due_ns = now_ns
        zone = ZoneInfo(self._site().timezone)
        quiet = contact.quiet
        if (
            quiet is not None
            and not definition.life_safety
            and definition.priority in quiet.priorities
            and quiet.cover(local(now_ns, zone), self._workday)
        ):
            due_ns = quiet.end_ns(now_ns, zone, self._workday)
        base = Notice(
            id=notice_id(alarm.state.occurrence, contact.id, call.after_s),
            kind="escalated" if call.after_s > 0 else "raised",
            contact=contact.id,
            created_ns=now_ns,
            due_ns=due_ns,
            occurrence=alarm.state.occurrence,
            alarm=definition.id,
            area=definition.area,
            priority=definition.priority,
            life_safety=definition.life_safety,
            data=message.facts(alarm, self._site()),
        )
        return self._by_way(base) if definition.life_safety else [base]

    def _by_way(self, notice: Notice) -> list[Notice]:
        """Return one notice for each way that can be used: life safety goes by all of them at once."""
        usable = [way.channel for way in self._dispatcher.ways(notice)]
        return [replace(notice, id=f"{notice.id}~{name}", only=name) for name in usable] or [notice]

    def _clear(self, alarm: Alarm) -> list[Notice]:
        """Return the notices that say that it is over, to those who were told that it is not."""
        occurrence, plan, now_ns = alarm.state.occurrence, self._plan(), self._clock.now_ns()
        known = self._outbox.known(occurrence)
        told = {
            name.split("~")[2]
            for name, state in known.items()
            if state in _TOLD and name.count("~") >= 2 and not name.startswith(f"{occurrence}~cleared~")
        }
        made = []
        for name in sorted(told) if plan.cleared != "none" else ():
            contact = plan.contacts.get(name)
            ways = [way.channel for way in contact.ways] if contact is not None else []
            if plan.cleared == "push":
                ways = [way for way in ways if way in plan.channels and plan.channels[way].kind == "push"][:1]
            id_ = f"{occurrence}~cleared~{name}"
            if not ways or id_ in known:
                continue
            data = {**message.facts(alarm, self._site()), "returned_ns": alarm.state.returned_ns or now_ns}
            made.append(
                Notice(
                    id=id_,
                    kind="cleared",
                    contact=name,
                    created_ns=now_ns,
                    due_ns=now_ns,
                    occurrence=occurrence,
                    alarm=alarm.definition.id,
                    area=alarm.definition.area,
                    priority=alarm.definition.priority,
                    only=ways[0] if plan.cleared == "push" else "",
                    data=data,
                )
            )
        return made

    # -- not too many ------------------------------------------------------------------------------------------------

    def _admit(self, notices: Sequence[Notice], now: float) -> None:
        """Put new notices into the outbox, one by one or, where they are too many for a contact, as one."""
        singles = [notice for notice in notices if notice.life_safety]
        by_contact: dict[str, list[Notice]] = {}
        for notice in notices:
            if not notice.life_safety:
                by_contact.setdefault(notice.contact, []).append(notice)
        for contact, wanted in by_contact.items():
            gate = self._gates.setdefault(contact, Gate())
            critical = any(notice.priority == 1 for notice in wanted)
            if gate.take(self._plan().pace, now, len(wanted), critical=critical) == "single":
                singles += wanted
                continue
            # That an alarm is over is worth no line in a message with a count.
            self._hold(contact, [notice for notice in wanted if notice.kind != "cleared"])
        self._outbox.put(*singles)

    def _hold(self, contact: str, notices: Sequence[Notice]) -> None:
        """Keep notices for the message with a count; they are queued until it is made, and so survive a crash."""
        until = self._clock.now_ns() + _HOLD_NS
        held = [replace(notice, due_ns=until, text=_HELD) for notice in notices]
        self._groups.setdefault(contact, []).extend(held)
        self._outbox.put(*held)

    def _close_groups(self, now: float) -> None:
        """Make the message with a count for each contact whose group has waited long enough."""
        for contact, gate in self._gates.items():
            if gate.due is None or gate.due > now:
                continue
            gate.close()
            members = [notice for notice in self._groups.pop(contact, []) if self.waits(notice.occurrence)]
            gone = [notice for notice in self._outbox.open.values() if _is_held(notice, contact)]
            now_ns = self._clock.now_ns()
            over = [withdrawn(notice, now_ns, OVER_TEXT) for notice in gone if not self.waits(notice.occurrence)]
            if len(members) == 1:
                self._outbox.put(*over, replace(members[0], due_ns=now_ns, text=""))
            elif members:
                grouped = [replace(notice, state="grouped", changed_ns=now_ns, text="") for notice in members]
                # Together or not at all: what is grouped is in a message that exists.
                self._outbox.put(*over, *grouped, self._group(contact, members))
            else:
                self._outbox.put(*over)

    def _group(self, contact: str, members: Sequence[Notice]) -> Notice:
        now_ns = self._clock.now_ns()
        worst = sorted(members, key=lambda notice: (notice.priority, notice.created_ns))
        areas = {notice.area for notice in members}
        items = [{"priority": one.priority, "text": one.data["text"], "where": one.data["where"][:1]} for one in worst]
        return Notice(
            id=group_id(contact, now_ns),
            kind="group",
            contact=contact,
            created_ns=now_ns,
            due_ns=now_ns,
            area=areas.pop() if len(areas) == 1 else "",
            priority=worst[0].priority,
            data={"count": len(members), "items": items[:20]},
        )

    # -- time --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for steps that are due, once a second and whenever an alarm changed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep())
            while True:
                try:
                    self.look()
                except Exception:  # noqa: BLE001 - one bad alarm must not silence all that come after it
                    _log.exception("notifications: a look failed; the next one goes on")
                await self._clock.sleep(TICK_S)

    def look(self) -> None:
        """Do everything that is due now; nothing here waits."""
        now = self._clock.monotonic()
        fresh: list[Notice] = []
        for occurrence in list(self._waiting):
            fresh += self._due(occurrence, now)
        self._admit(fresh, now)
        self._close_groups(now)
        self._forget()
        self._dispatcher.wake()

    def waits(self, occurrence: str) -> bool:
        """Tell whether an alarm still waits for somebody to acknowledge it."""
        return occurrence in self._waiting

    async def _keep(self) -> None:
        while True:
            try:
                await self._outbox.prune(self._clock.now_ns())
            except (UnavailableError, ConflictError) as error:
                _log.warning("notifications: old ones are not taken away yet: %s", error)
            await self._clock.sleep(_DAY_S)

    def _forget(self) -> None:
        """Let go of what is over: its ids are needed no more once nothing of it is open."""
        live = {notice.occurrence for notice in self._outbox.open.values()}
        self._void &= live
        live |= {state.occurrence for state in self._alarms().states()}
        for occurrence in self._outbox.occurrences():
            if occurrence not in live:
                self._outbox.forget(occurrence)


def _is_held(notice: Notice, contact: str) -> bool:
    return notice.text == _HELD and notice.contact == contact
