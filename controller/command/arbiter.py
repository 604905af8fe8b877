"""The arbiter: who asked for what, who wins, and what is sent to a device; once.

It decides and never does I/O: `step` returns orders, the caller carries them out (after the journal has them) and
hands back each outcome. There is no second way to write a point. A command is never repeated: after a restart or a lost
link the present winner is first compared with what the device holds, and written, as a new order, if they differ.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.command.admission import Request, admit
from controller.command.hold import emptied, refusal
from controller.command.order import Command, Order, Outcome, slot_row
from controller.command.priority import (
    EMPTY,
    MINIMUM_TIME,
    RECORDED,
    RESTORED,
    PriorityArray,
    Slot,
    expired,
    explained,
    filled,
    winner,
)
from controller.command.target import Counts, Target
from controller.errors import ConflictError, NotFoundError
from controller.journal.entry import SlotRow
from controller.point.reason import english

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from controller.command.hold import Hold
    from controller.point.model import Point, Site
    from drivers.driver import Clock

__all__ = ["Arbiter"]

_TIME_TO_LIVE_S = 10.0
"""An order that could not be sent within this time is dropped as expired; a late command is a surprise."""
_REASSERT_PAUSE_S = 600.0
"""A device that keeps losing its set-point is written at most this often (anti-flap)."""
_COMPARE_AGAIN_S = 60.0
"""A comparison that could not be made is tried again after this long, or when the device is back."""
_REASSERTED = "the device came back with another value than the one wanted"
_ENDED = Outcome("done", None, "released", sent=False)
_EMPTIED = Outcome("done", None, "released; nothing was sent", sent=False)
_KEPT = 2000
"""Finished commands kept in memory for the screens; the journal has all."""


class Arbiter:
    """All commandable points of the site. Owned by the cycle; called on the event loop only."""

    def __init__(
        self,
        site: Site,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        record: Callable[[Command, tuple[SlotRow, ...]], None],
    ) -> None:
        """Begin with every slot empty.

        `record` appends a state of a command, and the slots that it changed, to the journal in one transaction. It must
        not block; for a new command it may raise UnavailableError, and then nothing was changed. When it turns out
        later that the journal has not kept a new command, `withdraw` must be called.
        """
        self._clock = clock
        self._new_id = new_id
        self._record = record
        self._targets: dict[str, Target] = {}
        self._commands: dict[str, Command] = {}
        self._replaced: dict[str, Slot | None] = {}
        """What the slot of a command held before it, in the order of requests, until it is sent; for `withdraw`."""
        self._dirty: dict[str, None] = {}
        self._timed: dict[str, None] = {}
        """Points that time alone can change: a slot ends, a refresh or a postponed comparison is due."""
        self._holds: Mapping[str, Hold] = {}
        self._paused: Collection[str] = ()
        self.counts = Counts()
        self.migrate(site)

    def migrate(self, site: Site) -> None:
        """Take over a new configuration; slots of points that are still commandable stay."""
        old, self._targets = self._targets, {}
        for point in site.points.values():
            if point.write is None:
                continue
            target = old.get(point.address)
            if target is None:
                target = Target(point, point.write)
            target.point, target.spec = point, point.write
            self._targets[point.address] = target
            self._take(target, self._holds.get(point.address))
            self._watch(target)
        for address, gone in old.items():
            if address not in self._targets:
                self._timed.pop(address, None)
                self._supersede(gone, "the point can no longer be commanded; nothing was sent")

    def restore(self, rows: Iterable[SlotRow]) -> None:
        """Fill the slots that live through a restart; one whose end has passed stays empty.

        A slot held by lease ended with the run before. Its device may still have that value: what the point should have
        now is compared with it.
        """
        now_ns, now = self._clock.now_ns(), self._clock.monotonic()
        for row in list(rows):
            target = self._targets.get(row.point)
            if target is None or row.value is None:
                continue
            if row.slot not in RESTORED:
                self._forget_lease(target, row)
                continue
            if target.hold is not None and row.slot in target.hold.slots:
                continue
            # An end that has passed in the meantime is the next step's work, so that it is recorded like any other.
            ends = None if row.until_ns is None else now + (row.until_ns - now_ns) / 1e9
            slot = Slot(row.slot, row.value, row.owner, row.reason, row.since_ns, row.until_ns, ends)
            self._hold(target, filled(target.array, row.slot, slot))
            target.compare = True
            self._dirty[row.point] = None

    # -- holding -----------------------------------------------------------------------------------------------------

    def hold(self, holds: Mapping[str, Hold]) -> list[tuple[str, Slot]]:
        """Keep slots of these points empty from now on, in place of those held before; return what was emptied.

        What is in them is taken out, a command that was not sent yet ends, and whoever asks for one is refused. Slots
        that are held no longer may be filled again; a point whose relinquish default comes back is first compared.
        Nothing is written because of a hold, and while slot 16 is held nothing is written by a default either.
        """
        before, self._holds = self._holds, dict(holds)
        gone = []
        for address in {**before, **self._holds}:
            if before.get(address) != self._holds.get(address) and (target := self._targets.get(address)):
                gone += [(address, slot) for slot in self._take(target, self._holds.get(address))]
        return gone

    def held(self, point: str) -> Hold | None:
        """Return what holds slots of a point; None for most."""
        return self._holds.get(point)

    def pause(self, points: Collection[str]) -> None:
        """Send nothing to these points for now, protection (slots 3 to 6) apart; slots may be filled meanwhile."""
        self._paused = frozenset(points)

    def forbidden(self, order: Order) -> bool:
        """Tell whether an order must not go out any more: its point came to be held, or paused, since it was made."""
        address = order.point.address
        target = self._targets.get(address)
        if target is None or not (address in self._holds or address in self._paused):
            return False
        return self._waits(target) or target.wanted() != order.value

    # -- asking ------------------------------------------------------------------------------------------------------

    def request(
        self,
        point_address: str,
        slot: int,
        value: float | None,
        owner: str,
        reason: str,
        expires_s: float | None = None,
        lease_s: float | None = None,
    ) -> Command:
        """Fill or empty one slot; the command comes back `accepted` or, when a stronger slot holds the point, `masked`.

        The same owner asking again for the same value only renews its lease and end: nothing is sent.

        Raises:
            NotFoundError: no such point.
            InvalidError: not commandable, a slot out of 1..16, a value out of range, no reason.
            ForbiddenError: slots 1, 2 and 6 are never written from outside.
            ConflictError: releasing a slot that is empty, or asking for one that is held empty.
        """
        point = point_address
        target = self._target(point)
        admit(target.point, target.spec, Request(slot, value, reason, expires_s, lease_s))
        if target.hold is not None and slot in target.hold.slots:
            raise ConflictError(refusal(point, slot, target.hold))
        now, now_ns = self._clock.monotonic(), self._clock.now_ns()
        held = target.array[slot - 1]
        if value is None and held is None and not target.spec.momentary:
            raise ConflictError(f"{point}: slot {slot} is already empty; nothing to release")
        ends = min((now + span for span in (expires_s, lease_s) if span is not None), default=None)
        until_ns = None if expires_s is None else now_ns + round(expires_s * 1e9)
        command = Command(
            id=self._new_id(),
            point=point,
            slot=slot,
            value=value,
            previous=target.sent,
            owner=owner,
            reason=reason,
            state="accepted",
            message="",
            requested_ns=now_ns,
            until_ns=until_ns,
        )
        if value is None:
            new = None
        else:
            renewed = held is not None and held.owner == owner and held.value == value
            since_ns = held.since_ns if renewed and held is not None else now_ns
            new = Slot(slot, value, owner, reason, since_ns, until_ns, ends, lease_s)
            if renewed and lease_s is not None:
                self._hold(target, filled(target.array, slot, new))
                return replace(command, state="done", message="renewed", finished_ns=now_ns)
        array = filled(target.array, slot, new)
        top, before, wanted = winner(array), target.wanted(), target.wanted_of(array)
        send = False
        if top not in (slot, 0) and value is not None:
            command = replace(command, state="masked", message=f"slot {top} is stronger", finished_ns=now_ns)
        elif wanted is None:
            text = "released; the device keeps its last value"
            command = replace(command, state="done", message=text, finished_ns=now_ns)
        elif value is None and wanted == before:
            command = replace(command, state="done", message="released; nothing changes", finished_ns=now_ns)
        else:
            send = True
        kept = slot in RECORDED and not target.spec.momentary
        self._put(command, *([SlotRow(point, slot, value, owner, reason, now_ns, until_ns)] if kept else []))
        self._replaced[command.id] = held
        self._hold(target, array)
        self.counts.commands += 1
        self._dirty[point] = None
        if send:
            self._supersede(target, "a newer command came first")
            target.pending = command.id
        return command

    def slots(self, point: str) -> PriorityArray:
        """Return the 16 slots of a point.

        Raises:
            NotFoundError: no such commandable point.
        """
        return self._target(point).array

    def present(self, point: str) -> tuple[float | None, int]:
        """Return the wanted value and the slot that wins; slot 0 is the relinquish default.

        Raises:
            NotFoundError: no such commandable point.
        """
        target = self._target(point)
        return target.wanted(), winner(target.array)

    def beneath(self, point: str, slot: int) -> float | None:
        """Return what the point would have if only slots weaker than `slot` were filled; None leaves the device alone.

        Raises:
            NotFoundError: no such commandable point.
        """
        target = self._target(point)
        return target.wanted_of((None,) * slot + target.array[slot:])

    def winner(self, point: str) -> int:
        """Return the slot that wins; 0 is the relinquish default, or a point that is no longer there."""
        target = self._targets.get(point)
        return winner(target.array) if target is not None else 0

    def get(self, command: str) -> Command:
        """Return a command by its id.

        Raises:
            NotFoundError: unknown, or so old that only the journal has it.
        """
        try:
            return self._commands[command]
        except KeyError:
            raise NotFoundError(f'no command "{command}" in the last {_KEPT}; older ones are in the journal') from None

    def recent(self, point: str | None = None) -> list[Command]:
        """Return the last commands, newest first."""
        return [item for item in reversed(self._commands.values()) if point is None or item.point == point]

    # -- deciding ----------------------------------------------------------------------------------------------------

    def step(self) -> list[Order]:
        """Let ends pass, compute winners, and return what must be written now. At most one order a point is out."""
        now = self._clock.monotonic()
        for address in list(self._timed):
            target = self._targets[address]
            gone = expired(target.array, now)
            for number in gone:
                self._end(target, number)
            refresh = target.spec.refresh_s and now - target.sent_at >= target.spec.refresh_s
            if gone or refresh or (target.compare and now >= target.compare_at):
                self._dirty[address] = None
        orders = []
        for address in list(self._dirty):
            changed = self._targets.get(address)
            if changed is not None and (changed.busy or self._waits(changed)):
                continue
            del self._dirty[address]
            if changed is not None and (order := self._order(changed, now)):
                changed.busy = True
                orders.append(order)
        return orders

    def started(self, order: Order, state: str) -> None:
        """Note that an order is on its way (`pending`) or being read back (`verifying`)."""
        self._replaced.pop(order.command, None)
        command = self._commands.get(order.command)
        if command is not None and command.state != state:
            self._put(replace(command, state=state))

    def completed(self, order: Order, outcome: Outcome) -> None:
        """Take the outcome of an order. A failed or unknown write is not repeated; the slot stays as it is."""
        target = self._targets.get(order.point.address)
        if target is not None:
            target.busy = False
            now = self._clock.monotonic()
            compared = order.kind != "reassert" or outcome.sent or outcome.state == "done"
            if not compared:
                # The device comes back first, or the line had a bad moment: nothing was written, so ask again later.
                target.compare_at = now + _COMPARE_AGAIN_S
            elif order.kind == "reassert" or outcome.state == "done":
                target.compare = False
            if order.kind == "reassert" and outcome.sent:
                target.reasserted = now
                self.counts.reasserts += 1
            if outcome.state in ("done", "failed", "unknown") and compared:
                # What was asked counts as sent even when it failed: sending again would be a second attempt.
                target.sent, target.sent_at = order.value, now
            if target.spec.momentary:
                target.sent = None
                if not target.pending:
                    self._hold(target, EMPTY)
            if target.pending or not target.spec.momentary:
                self._dirty[order.point.address] = None
            self._watch(target)
        self.counts.outcomes[outcome.state] = self.counts.outcomes.get(outcome.state, 0) + 1
        if order.kind == "reassert" and outcome.sent:
            self._put(self._own(order.point, winner(target.array) if target else 0, order.value, _REASSERTED, outcome))
        if command := self._commands.get(order.command):
            self._put(
                replace(
                    command,
                    state=outcome.state,
                    message=outcome.message,
                    readback=outcome.readback,
                    finished_ns=self._clock.now_ns(),
                )
            )

    def refused(self, order: Order, message: str) -> None:
        """Take back an order that the journal could not keep: nothing was sent, and its command is withdrawn."""
        self.withdraw(order.command, message)
        self.counts.outcomes["failed"] = self.counts.outcomes.get("failed", 0) + 1
        target = self._targets.get(order.point.address)
        if target is None:
            return
        target.busy = False
        minimum = target.array[MINIMUM_TIME - 1]
        if minimum is not None and minimum.value == order.value != target.sent:
            # Slot 6 was filled for a change of state that did not come; left there it would send the value after all.
            self._hold(target, filled(target.array, MINIMUM_TIME, None))
        self._dirty[order.point.address] = None

    def withdraw(self, command: str, message: str) -> None:
        """Take back a command that the journal could not keep: its slot holds what it held before, nothing is sent.

        Whoever asked was told that it was refused, and can rely on that. One that was sent already stays as it is.
        """
        found = self._commands.get(command)
        if found is None or command not in self._replaced:
            return
        places = list(self._replaced)
        later = places[places.index(command) + 1 :]
        former = self._replaced.pop(command)
        commands = self._commands
        same = (item for item in later if (commands[item].point, commands[item].slot) == (found.point, found.slot))
        target, rows = self._targets.get(found.point), []
        if (follower := next(same, None)) is not None:
            self._replaced[follower] = former
        elif target is not None:
            held = target.array[found.slot - 1]
            if target.hold is not None and found.slot in target.hold.slots:
                former = None  # it was emptied meanwhile, and stays so
            if (held.owner, held.value) == (found.owner, found.value) if held else found.value is None:
                self._hold(target, filled(target.array, found.slot, former))
                if found.slot in RECORDED and not target.spec.momentary:
                    rows.append(slot_row(found.point, found.slot, former))
        if target is not None and target.pending == command:
            target.pending = ""
            if not target.spec.momentary and winner(target.array) and target.wanted() != target.sent:
                # It came before one that was not sent yet either, and now that one's slot wins again.
                target.compare, target.compare_at = True, -math.inf
                self._watch(target)
                self._dirty[found.point] = None
        self._put(replace(found, state="failed", message=message, finished_ns=self._clock.now_ns()), *rows)

    def withdrawn(self, command: str) -> bool:
        """Tell whether a command was taken back before it was sent."""
        found = self._commands.get(command)
        return found is not None and found.state == "failed"

    def knows(self, command: str) -> bool:
        """Tell whether a state of this command was recorded before; False while its first one is being recorded."""
        return command in self._commands

    def device_back(self, device: str) -> None:
        """A lost device answers again: compare its held points with what is wanted before anything is written."""
        for address, target in self._targets.items():
            if target.point.device != device or target.spec.momentary or target.wanted() is None:
                continue
            # A relinquish default that this controller never sent is nobody's wish.
            if winner(target.array) or target.sent is not None or target.compare:
                target.compare, target.compare_at = True, -math.inf
                self._dirty[address] = None
                self._watch(target)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _target(self, point: str) -> Target:
        try:
            return self._targets[point]
        except KeyError:
            raise NotFoundError(f'no commandable point "{point}"') from None

    def _waits(self, target: Target) -> bool:
        return target.point.address in self._paused and not target.protected

    def _take(self, target: Target, hold: Hold | None) -> tuple[Slot, ...]:
        """Put a hold into effect on one point, or end it; return what was emptied."""
        former, target.hold = target.hold, hold
        if hold == former:
            return ()
        address = target.point.address
        gone: tuple[Slot, ...] = ()
        if hold is not None:
            array, gone = emptied(target.array, hold)
            self._hold(target, array)
            for slot in gone:
                why = f"emptied for {hold.owner}: {hold.reason}; it was {slot.owner}: {english(slot.reason)}"[:500]
                self._put(self._own(target.point, slot.slot, None, why, _EMPTIED), SlotRow(address, slot.slot, None))
            waiting = self._commands.get(target.pending)
            if waiting is not None and waiting.slot in hold.slots:
                self._supersede(target, f"held empty by {hold.owner} before it was sent; nothing was sent")
        freed = former is not None and 16 in former.slots and not (hold is not None and 16 in hold.slots)
        if freed and target.wanted() is not None and not target.spec.momentary:
            # What the device did meanwhile is its own business and that of its wires: look before anything is written.
            target.compare, target.compare_at = True, -math.inf
            self._watch(target)
        self._dirty[address] = None
        return gone

    def _order(self, target: Target, now: float) -> Order | None:
        wanted = target.wanted()
        command = self._pending(target, wanted)
        if wanted is None:
            return None
        expires = now + _TIME_TO_LIVE_S
        if target.compare and not command:
            target.compare_at = max(target.compare_at, target.reasserted + _REASSERT_PAUSE_S)
            if now < target.compare_at:
                return None
            return Order(target.point, wanted, "reassert", "", expires)
        if command or (target.sent is not None and wanted != target.sent):
            top = winner(target.array)
            why = explained(target.array)
            self._minimum_time(target, wanted, now)
            kind = "command" if top else "release"
            if command:
                return Order(target.point, wanted, kind, command, expires)
            own = self._own(target.point, top, wanted, why)
            self._put(own)
            return Order(target.point, wanted, kind, own.id, expires, automatic=True)
        if target.spec.refresh_s and target.sent is not None and now - target.sent_at >= target.spec.refresh_s:
            self.counts.refreshes += 1
            return Order(target.point, wanted, "refresh", "", expires)
        return None

    def _pending(self, target: Target, wanted: float | None) -> str:
        """Take the command that waits to be sent; one whose value no longer wins ends here."""
        command = self._commands.get(target.pending)
        if command is not None and command.value is None and wanted is None:
            target.pending = ""
            text = "released; the device keeps its last value"
            self._put(replace(command, state="done", message=text, finished_ns=self._clock.now_ns()))
        elif command is not None and command.value is not None and wanted != command.value:
            self._supersede(target, "its slot was emptied or masked before it was sent; nothing was sent")
        pending, target.pending = target.pending, ""
        return pending

    def _own(
        self, point: Point, slot: int, value: float | None, reason: str, outcome: Outcome | None = None
    ) -> Command:
        """Return a command that nobody asked for now: what the arbiter does is in the journal like the rest."""
        now_ns = self._clock.now_ns()
        return Command(
            id=self._new_id(),
            point=point.address,
            slot=slot or 16,
            value=value,
            previous=None,
            owner="arbiter",
            reason=reason,
            state=outcome.state if outcome else "pending",
            message=outcome.message if outcome else "",
            requested_ns=now_ns,
            finished_ns=now_ns if outcome else None,
            readback=outcome.readback if outcome else None,
        )

    def _forget_lease(self, target: Target, row: SlotRow) -> None:
        address = target.point.address
        message = "released; the device keeps its last value"
        if target.spec.default is not None:
            message = "released; what the device holds is compared with what it should have"
            target.compare = True
            self._watch(target)
            self._dirty[address] = None
        reason = f"the controller was started anew while it was held by {row.owner}"[:500]
        own = self._own(target.point, row.slot, None, reason, Outcome("done", None, message))
        self._put(replace(own, previous=row.value), SlotRow(address, row.slot, None))

    def _hold(self, target: Target, array: PriorityArray) -> None:
        target.array = array
        self._watch(target)

    def _watch(self, target: Target) -> None:
        """Have `step` look at the point each time, or only when something is asked of it."""
        if target.timed():
            self._timed[target.point.address] = None
        else:
            self._timed.pop(target.point.address, None)

    def _minimum_time(self, target: Target, wanted: float, now: float) -> None:
        """Hold a new binary state at slot 6 for the minimum on or off time (clause 19.2.3)."""
        if target.point.kind != "binary" or wanted == target.sent:
            return
        hold = target.spec.minimum_on_s if wanted else target.spec.minimum_off_s
        if hold > 0:
            slot = Slot(
                MINIMUM_TIME,
                wanted,
                "arbiter",
                "minimum on time" if wanted else "minimum off time",
                self._clock.now_ns(),
                ends=now + hold,
            )
            self._hold(target, filled(target.array, MINIMUM_TIME, slot))

    def _end(self, target: Target, number: int) -> None:
        slot = target.array[number - 1]
        self._hold(target, filled(target.array, number, None))
        if slot is None or number == MINIMUM_TIME:
            return
        why = "lease ran out" if slot.lease_s is not None else "its time is over"
        over = replace(self._own(target.point, number, None, f"{why}: {slot.owner}", _ENDED), previous=slot.value)
        self._put(over, *([SlotRow(target.point.address, number, None)] if number in RECORDED else []))

    def _supersede(self, target: Target, why: str) -> None:
        """End the command of a point that was not sent yet."""
        pending, target.pending = target.pending, ""
        if old := self._commands.get(pending):
            self._put(replace(old, state="expired", message=why, finished_ns=self._clock.now_ns()))

    def _put(self, command: Command, *slots: SlotRow) -> None:
        self._record(command, slots)
        self._commands.pop(command.id, None)
        self._commands[command.id] = command
        while len(self._commands) > _KEPT:
            oldest = next(iter(self._commands))
            del self._commands[oldest]
            self._replaced.pop(oldest, None)
