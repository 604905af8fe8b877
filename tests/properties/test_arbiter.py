"""The arbiter against a model, whatever operators, programs, devices, the clock and restarts do."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.hold import ALL_HELD, Hold
from controller.command.order import Command, Order, Outcome
from controller.command.priority import RESTORED
from controller.errors import ConflictError, ForbiddenError, UnavailableError
from controller.journal.entry import SlotRow
from controller.point.model import Building, Equipment, Name, Point, Site, WriteSpec

if TYPE_CHECKING:
    from controller.command.priority import PriorityArray

NAME = Name("名", "name")
FINAL = {"done", "failed", "unknown", "masked", "expired"}
SPECS = {
    "sp": ("analog", WriteSpec(0, 10, default=5.0)),
    "refreshed": ("analog", WriteSpec(0, 10, refresh_s=25)),
    "switch": ("binary", WriteSpec(0, 1, minimum_on_s=60, minimum_off_s=30)),
    "push": ("binary", WriteSpec(0, 1, momentary=True)),
}
POINTS = {
    f"b.p.e.{tag}": Point(n, f"b.p.e.{tag}", kind, "", NAME, "b.p.e", f"d{n % 2}", tag, write=spec)
    for n, (tag, (kind, spec)) in enumerate(SPECS.items())
}
SITE = Site(
    "s", NAME, "Asia/Taipei", 1, {"b": Building("b", NAME, ())}, {},
    {"b.p.e": Equipment("b.p.e", "pump", NAME, "b", "p")}, POINTS,
)  # fmt: skip

addresses = st.sampled_from(sorted(POINTS))
slots = st.sampled_from([3, 4, 5, 7, 8, 8, 8, 9, 12, 15, 16])
values = st.sampled_from([0.0, 1.0])
LEASED = {7, 9, 12, 15}


class ArbiterMachine(RuleBasedStateMachine):
    """Asks, steps, answers and restarts in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.ids = (f"c{n}" for n in itertools.count())
        self.journal_down = False
        self.rows: list[tuple[str, Command]] = []
        self.kept: dict[tuple[str, int], SlotRow] = {}
        self.out: dict[str, Order] = {}
        self.ordered: Counter[str] = Counter()
        self.life = 0
        self.ended: dict[str, str] = {}
        self.holds: dict[str, Hold] = {}
        self.arbiter = self._new()

    def _new(self) -> Arbiter:
        return Arbiter(SITE, self.clock, new_id=lambda: next(self.ids), record=self._record)

    def _record(self, command: Command, rows: tuple[SlotRow, ...]) -> None:
        if self.journal_down and command.state == "accepted":
            raise UnavailableError("down")
        assert command.id not in self.ended, f"{command.id} was {self.ended[command.id]} and becomes {command.state}"
        if command.state in FINAL and not rows:
            self.ended[command.id] = command.state
        self.rows.append((command.id, command))
        for row in rows:
            if row.value is None:
                self.kept.pop((row.point, row.slot), None)
            else:
                self.kept[row.point, row.slot] = row

    @rule(
        address=addresses, slot=slots, value=values, expires=st.sampled_from([None, None, 5.0, 60.0]), who=st.booleans()
    )
    def ask(self, address: str, slot: int, value: float, expires: float | None, who: bool) -> None:
        lease = 20.0 if slot in LEASED else None
        before = self.arbiter.slots(address)
        try:
            command = self.arbiter.request(address, slot, value, "ab"[who], "x", expires, lease)
        except UnavailableError:
            assert self.journal_down
            assert self.arbiter.slots(address) == before
            return
        except ConflictError:
            assert slot in self._held(address), "only a slot that is held is refused"
            assert self.arbiter.slots(address) == before
            return
        assert slot not in self._held(address)
        held = self.arbiter.slots(address)[slot - 1]
        assert held is not None
        assert (held.value, held.owner) == (value, "ab"[who])
        assert command.state in ("accepted", "masked", "done")

    @rule(address=addresses, slot=slots)
    def release(self, address: str, slot: int) -> None:
        try:
            self.arbiter.request(address, slot, None, "a", "x")
        except ConflictError:
            assert self.arbiter.slots(address)[slot - 1] is None
        except UnavailableError:
            assert self.journal_down
        else:
            assert self.arbiter.slots(address)[slot - 1] is None

    @rule(
        places=st.sets(addresses),
        slots=st.sampled_from([ALL_HELD, ALL_HELD, frozenset({9, 12, 14}), frozenset()]),
    )
    def hold(self, places: set[str], slots: frozenset[int]) -> None:
        before = {address: self.arbiter.slots(address) for address in POINTS}
        self.holds = {address: Hold("fire", "zone 1", slots) for address in places if slots}
        gone = self.arbiter.hold(self.holds)
        for address, array in before.items():
            taken = self._held(address) | ({6} if 16 in self._held(address) else set())
            assert {slot.slot for where, slot in gone if where == address} == {
                slot.slot for slot in array if slot is not None and slot.slot in taken
            }
            for number, old in enumerate(array, 1):
                assert self.arbiter.slots(address)[number - 1] == (None if number in taken else old)

    def _held(self, address: str) -> frozenset[int]:
        found = self.holds.get(address)
        return frozenset() if found is None else found.slots

    def _default(self, address: str) -> float | None:
        return None if 16 in self._held(address) else SPECS[address.rsplit(".", 1)[1]][1].default

    @rule(address=addresses, slot=st.sampled_from([1, 2, 6]), value=st.sampled_from([None, 0.0, 1.0]))
    def ask_what_nobody_may(self, address: str, slot: int, value: float | None) -> None:
        before = self.arbiter.slots(address)
        try:
            self.arbiter.request(address, slot, value, "a", "x")
        except ForbiddenError:
            assert self.arbiter.slots(address) == before
        else:
            raise AssertionError("it was taken")

    @rule()
    def step(self) -> None:
        for order in self.arbiter.step():
            address = order.point.address
            assert address not in self.out, "two orders of one point are out"
            assert 0.0 <= order.value <= 10.0
            wanted = _winner(self.arbiter.slots(address), self._default(address))
            assert order.value == wanted, "what is sent is what the lowest filled slot wants"
            assert not self.arbiter.forbidden(order)
            if order.command:
                self.ordered[order.command] += 1
                assert self.ordered[order.command] == 1, "a command made two orders"
                command = self.arbiter.get(order.command)
                assert command.value in (None, order.value)
                assert command.state not in FINAL
            self.out[address] = order

    @precondition(lambda self: self.out)
    @rule(
        which=st.integers(0, 3),
        state=st.sampled_from(["done", "done", "failed", "unknown", "expired"]),
        verifying=st.booleans(),
        sent=st.booleans(),
    )
    def answer(self, which: int, state: str, verifying: bool, sent: bool) -> None:
        address = sorted(self.out)[which % len(self.out)]
        order = self.out.pop(address)
        if self.arbiter.forbidden(order):
            assert self._held(address), "nothing but a hold keeps an order that is out from the device"
            self.arbiter.refused(order, "held since")
            return
        self.arbiter.started(order, "pending")
        if verifying:
            self.arbiter.started(order, "verifying")
        self.arbiter.completed(order, Outcome(state, order.value if state == "done" else None, sent=sent))
        if order.command:
            assert self.arbiter.get(order.command).state == state

    @rule(seconds=st.sampled_from([0.5, 4.0, 15.0, 40.0, 700.0]))
    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)

    @rule(seconds=st.sampled_from([-86_400.0, 3600.0, 86_400.0 * 30]))
    def set_the_calendar(self, seconds: float) -> None:
        before = {address: self.arbiter.slots(address) for address in POINTS}
        self.clock.jump(seconds)
        assert {address: self.arbiter.slots(address) for address in POINTS} == before

    @rule(device=st.sampled_from(["d0", "d1"]))
    def device_comes_back(self, device: str) -> None:
        self.arbiter.device_back(device)

    @rule()
    def journal_changes(self) -> None:
        self.journal_down = not self.journal_down

    @rule()
    def new_configuration(self) -> None:
        before = {address: self.arbiter.slots(address) for address in POINTS}
        self.arbiter.migrate(SITE)
        assert {address: self.arbiter.slots(address) for address in POINTS} == before

    @rule()
    def restart(self) -> None:
        held = {address: self.arbiter.slots(address) for address in POINTS}
        self.out.clear()
        self.arbiter = self._new()
        self.arbiter.hold(self.holds)
        self.arbiter.restore(self.kept.values())
        for address, array in held.items():
            again = self.arbiter.slots(address)
            for number in range(1, 17):
                old, new = array[number - 1], again[number - 1]
                if number in RESTORED and not SPECS[address.rsplit(".", 1)[1]][1].momentary:
                    assert (old and (old.value, old.owner, old.until_ns)) == (
                        new and (new.value, new.owner, new.until_ns)
                    )
                else:
                    assert new is None
        for order in self.arbiter.step():
            assert order.kind == "reassert", "nothing is sent again after a restart without a comparison"
            assert order.command == ""
            self.out[order.point.address] = order

    @invariant()
    def the_lowest_filled_slot_wins(self) -> None:
        for address in POINTS:
            array = self.arbiter.slots(address)
            value, slot = self.arbiter.present(address)
            filled = [number for number in range(1, 17) if array[number - 1] is not None]
            assert slot == (filled[0] if filled else 0)
            assert value == _winner(array, self._default(address))

    @invariant()
    def what_is_held_is_empty(self) -> None:
        for address, found in self.holds.items():
            array = self.arbiter.slots(address)
            assert all(array[number - 1] is None for number in found.slots)
            assert self.arbiter.held(address) == found

    @invariant()
    def slots_of_the_fire_panel_are_never_filled(self) -> None:
        for address in POINTS:
            array = self.arbiter.slots(address)
            assert array[0] is None
            assert array[1] is None
            assert array[5] is None or array[5].owner == "arbiter"

    def teardown(self) -> None:
        """Let everything that is open come to its end: no command may be left without one."""
        self.journal_down = False
        for _ in range(40):
            for order in list(self.out.values()):
                self.arbiter.completed(order, Outcome("done", order.value))
            self.out.clear()
            self.clock.move(30)
            for order in self.arbiter.step():
                self.out[order.point.address] = order
        open_now = {item.id for item in self.arbiter.recent() if item.state not in FINAL}
        assert open_now <= {order.command for order in self.out.values()}


def _winner(array: PriorityArray, default: float | None) -> float | None:
    return next((slot.value for slot in array if slot is not None), default)


TestArbiter = ArbiterMachine.TestCase
TestArbiter.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
