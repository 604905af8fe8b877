"""The arbiter: who wins, what is sent, and that nothing is ever sent twice."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.hold import Hold
from controller.command.order import Command, Order, Outcome
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnavailableError
from controller.journal.entry import SlotRow
from controller.point.model import Building, Equipment, Name, Point, Site, WriteSpec

NAME = Name("名", "name")
SP = "b.plant.ch1.chw_setpoint"
ENABLE = "b.plant.ch1.enable"
RESET = "b.plant.ch1.alarm_reset"


def _point(number: int, tag: str, kind: str, write: WriteSpec | None) -> Point:
    return Point(number, f"b.plant.ch1.{tag}", kind, "°C", NAME, "b.plant.ch1", device="ch1", tag=tag, write=write)


def _site(*points: Point) -> Site:
    return Site(
        "s",
        NAME,
        "Asia/Taipei",
        1,
        {"b": Building("b", NAME, ())},
        {},
        {"b.plant.ch1": Equipment("b.plant.ch1", "chiller", NAME, "b", "plant")},
        {point.address: point for point in points},
    )


SETPOINT = _point(1, "chw_setpoint", "analog", WriteSpec(5, 15, default=7.0))
SWITCH = _point(2, "enable", "binary", WriteSpec(0, 1, minimum_on_s=180, minimum_off_s=300))
PUSH = _point(3, "alarm_reset", "binary", WriteSpec(0, 1, momentary=True))
SENSOR = _point(4, "chw_supply_temp", "analog", None)


class Bench:
    """An arbiter with its clock, what it recorded, and hands that carry orders out."""

    def __init__(self, *points: Point) -> None:
        self.clock = VirtualClock()
        self.recorded: list[Command] = []
        self.slots: list[SlotRow] = []
        self.broken = False
        numbers = itertools.count(1)
        self.arbiter = Arbiter(
            _site(*(points or (SETPOINT, SWITCH, PUSH, SENSOR))),
            self.clock,
            new_id=lambda: f"c{next(numbers)}",
            record=self._record,
        )

    def _record(self, command: Command, slots: tuple[SlotRow, ...]) -> None:
        if self.broken and command.state == "accepted":
            raise UnavailableError("the journal is down")
        self.recorded.append(command)
        self.slots.extend(slots)

    def run(self, state: str = "done", readback: float | None = None) -> list[Order]:
        """Carry out everything that is due now, each with the same outcome."""
        orders = self.arbiter.step()
        for order in orders:
            self.arbiter.started(order, "pending")
            self.arbiter.completed(order, Outcome(state, order.value if readback is None else readback))
        return orders


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_is_written_at_the_start_even_with_a_relinquish_default(bench: Bench) -> None:
    assert bench.arbiter.step() == []


def test_a_request_is_sent_once_and_ends_done(bench: Bench) -> None:
    command = bench.arbiter.request(SP, 8, 6.0, "alice", "test")

    orders = bench.run()

    assert [(order.value, order.kind, order.command) for order in orders] == [(6.0, "command", command.id)]
    assert bench.arbiter.step() == []
    assert bench.arbiter.get(command.id).state == "done"
    assert [item.state for item in bench.recorded] == ["accepted", "pending", "done"]


@pytest.mark.parametrize("state", ["failed", "unknown", "expired"])
def test_an_order_that_went_wrong_is_not_sent_again(bench: Bench, state: str) -> None:
    command = bench.arbiter.request(SP, 8, 6.0, "alice", "test")
    bench.run(state, readback=9.0)
    bench.clock.move(3600)

    assert [order for order in bench.arbiter.step() if order.command == command.id] == []
    assert bench.arbiter.get(command.id).state == state


def test_only_one_order_of_a_point_is_out_at_a_time(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "first")
    first = bench.arbiter.step()
    bench.arbiter.request(SP, 8, 8.0, "alice", "second")

    assert bench.arbiter.step() == []

    bench.arbiter.completed(first[0], Outcome("done", 6.0))
    assert [order.value for order in bench.arbiter.step()] == [8.0]


def test_a_command_that_was_overtaken_before_it_was_sent_expires(bench: Bench) -> None:
    first = bench.arbiter.request(SP, 8, 6.0, "alice", "first")
    second = bench.arbiter.request(SP, 8, 8.0, "alice", "second")

    orders = bench.run()

    assert [order.value for order in orders] == [8.0]
    assert bench.arbiter.get(first.id).state == "expired"
    assert bench.arbiter.get(second.id).state == "done"


def test_the_lowest_filled_slot_wins_and_a_masked_request_takes_effect_later(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "by hand")
    bench.run()
    masked = bench.arbiter.request(SP, 12, 10.0, "reset", "trim and respond", lease_s=60)

    assert masked.state == "masked"
    assert bench.arbiter.step() == []

    bench.arbiter.request(SP, 8, None, "alice", "done testing")
    assert [order.value for order in bench.run()] == [10.0]
    assert bench.arbiter.present(SP) == (10.0, 12)


def test_release_of_the_last_slot_writes_the_relinquish_default(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "by hand")
    bench.run()
    bench.arbiter.request(SP, 8, None, "alice", "back to automatic")

    orders = bench.run()

    assert [(order.value, order.kind) for order in orders] == [(7.0, "release")]


def test_release_without_a_default_leaves_the_device_alone(bench: Bench) -> None:
    bench.arbiter.request(ENABLE, 8, 1.0, "alice", "by hand")
    bench.run()
    bench.clock.move(1000)
    bench.run()
    command = bench.arbiter.request(ENABLE, 8, None, "alice", "back")

    assert bench.arbiter.step() == []
    assert command.state == "done"


def test_releasing_an_empty_slot_is_refused(bench: Bench) -> None:
    with pytest.raises(ConflictError, match="already empty"):
        bench.arbiter.request(SP, 8, None, "alice", "nothing there")


def test_a_slot_empties_by_itself_when_its_time_is_over(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "for a minute", expires_s=60)
    bench.run()
    bench.clock.move(59)
    assert bench.arbiter.step() == []
    bench.clock.move(2)

    assert [order.value for order in bench.run()] == [7.0]
    assert bench.arbiter.slots(SP)[7] is None
    assert bench.slots[-1] == SlotRow(SP, 8, None)


def test_a_lease_that_is_not_renewed_ends_and_one_that_is_renewed_sends_nothing(bench: Bench) -> None:
    bench.arbiter.request(SP, 12, 9.0, "reset", "less load", lease_s=30)
    bench.run()
    for _ in range(5):
        bench.clock.move(20)
        assert bench.arbiter.request(SP, 12, 9.0, "reset", "less load", lease_s=30).message == "renewed"
        assert bench.arbiter.step() == []
    bench.clock.move(31)

    assert [order.value for order in bench.run()] == [7.0]


def test_a_change_of_the_calendar_moves_no_lease(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "an hour", expires_s=3600)
    bench.run()
    bench.clock.jump(30 * 86_400)

    assert bench.arbiter.step() == []


@pytest.mark.parametrize("slot", [1, 2, 6])
def test_the_slots_of_the_fire_panel_and_of_minimum_time_are_refused(bench: Bench, slot: int) -> None:
    with pytest.raises(ForbiddenError):
        bench.arbiter.request(SP, slot, 7.0, "alice", "no")
    assert bench.recorded == []


@pytest.mark.parametrize(
    ("point", "slot", "value", "reason", "match"),
    [
        (SP, 0, 7.0, "x", "1 to 16"),
        (SP, 17, 7.0, "x", "1 to 16"),
        (SP, 8, 4.9, "x", "5 to 15"),
        (SP, 8, 15.1, "x", "5 to 15"),
        (SP, 8, float("nan"), "x", "5 to 15"),
        (SP, 8, float("inf"), "x", "5 to 15"),
        (SP, 8, 7.0, "  ", "reason"),
        (SP, 8, 7.0, "x" * 501, "reason"),
        (ENABLE, 8, 0.5, "x", "0 or 1"),
    ],
)
def test_bad_requests_are_refused_with_a_sentence(
    bench: Bench, point: str, slot: int, value: float, reason: str, match: str
) -> None:
    with pytest.raises(InvalidError, match=match):
        bench.arbiter.request(point, slot, value, "alice", reason)
    assert bench.recorded == []


@pytest.mark.parametrize(
    ("expires", "lease", "slot"), [(0, None, 8), (float("nan"), None, 8), (None, 10, 8), (None, 4000, 12)]
)
def test_ends_that_make_no_sense_are_refused(
    bench: Bench, expires: float | None, lease: float | None, slot: int
) -> None:
    with pytest.raises(InvalidError):
        bench.arbiter.request(SP, slot, 7.0, "alice", "x", expires, lease)


@pytest.mark.parametrize("address", ["b.plant.ch1.chw_supply_temp", "nowhere"])
def test_a_point_that_cannot_be_commanded_is_not_found(bench: Bench, address: str) -> None:
    with pytest.raises(NotFoundError):
        bench.arbiter.request(address, 8, 7.0, "alice", "x")


def test_without_a_journal_a_request_is_refused_and_changes_nothing(bench: Bench) -> None:
    bench.broken = True
    with pytest.raises(UnavailableError):
        bench.arbiter.request(SP, 8, 6.0, "alice", "x")

    assert bench.arbiter.slots(SP)[7] is None
    assert bench.arbiter.step() == []


def test_minimum_on_time_holds_a_machine_on_at_slot_6(bench: Bench) -> None:
    bench.arbiter.request(ENABLE, 12, 1.0, "staging", "more load", lease_s=3000)
    bench.run()
    masked = bench.arbiter.request(ENABLE, 12, 0.0, "staging", "less load", lease_s=3000)
    assert masked.state == "masked"
    assert bench.arbiter.present(ENABLE) == (1.0, 6)
    bench.clock.move(181)

    assert [order.value for order in bench.run()] == [0.0]
    assert bench.arbiter.present(ENABLE) == (0.0, 6)


def test_protection_slots_override_the_minimum_time_at_once(bench: Bench) -> None:
    bench.arbiter.request(ENABLE, 12, 1.0, "staging", "more load", lease_s=3000)
    bench.run()
    bench.arbiter.request(ENABLE, 5, 0.0, "protection", "flow lost")

    assert [order.value for order in bench.run()] == [0.0]


def test_a_push_button_is_written_each_time_it_is_asked_and_holds_no_slot(bench: Bench) -> None:
    for _ in range(2):
        bench.arbiter.request(RESET, 8, 1.0, "alice", "reset the alarm")
        assert [order.value for order in bench.run()] == [1.0]
        assert bench.arbiter.slots(RESET) == (None,) * 16
    bench.clock.move(3600)
    bench.arbiter.device_back("ch1")

    assert bench.arbiter.step() == []
    assert bench.slots == []


def test_refresh_repeats_the_winner_and_is_counted_apart() -> None:
    bench = Bench(replace(SETPOINT, write=WriteSpec(5, 15, default=7.0, refresh_s=25)))
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    bench.run()
    bench.clock.move(26)

    assert [(order.kind, order.value, order.command) for order in bench.run()] == [("refresh", 6.0, "")]
    assert (bench.arbiter.counts.commands, bench.arbiter.counts.refreshes) == (1, 1)


def test_after_a_lost_link_the_winner_is_compared_first_and_not_again_for_ten_minutes(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    bench.run()
    bench.arbiter.device_back("ch1")
    assert [order.kind for order in bench.run()] == ["reassert"]
    bench.arbiter.device_back("ch1")
    assert bench.arbiter.step() == []
    bench.clock.move(601)
    bench.arbiter.device_back("ch1")

    assert [order.kind for order in bench.run()] == ["reassert"]


def test_a_device_that_comes_back_while_its_order_fails_is_compared_afterwards(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    (order,) = bench.arbiter.step()
    bench.arbiter.device_back("ch1")
    bench.arbiter.completed(order, Outcome("failed", None, "no connection to the device; nothing was sent"))

    assert [item.kind for item in bench.run()] == ["reassert"]
    assert bench.arbiter.step() == []


def test_a_restart_restores_operator_and_protection_slots_and_sends_no_command(bench: Bench) -> None:
    now = bench.clock.now_ns()
    bench.arbiter.restore(
        [
            SlotRow(SP, 8, 6.0, "alice", "x", now, now + 10**12),
            SlotRow(SP, 12, 9.0, "reset", "x", now),
            SlotRow(ENABLE, 5, 0.0, "protection", "x", now),
            SlotRow("gone", 8, 1.0, "alice", "x", now),
        ]
    )

    assert bench.arbiter.present(SP) == (6.0, 8)
    assert bench.arbiter.slots(SP)[11] is None
    assert {order.kind for order in bench.arbiter.step()} == {"reassert"}
    assert [(item.slot, item.value, item.state) for item in bench.recorded] == [(12, None, "done")]


def test_a_lease_of_the_run_before_ends_and_what_the_device_still_holds_is_compared_with_the_default(
    bench: Bench,
) -> None:
    bench.arbiter.request(SP, 9, 9.0, "strategy:demand", "x", lease_s=60)
    assert bench.slots == [SlotRow(SP, 9, 9.0, "strategy:demand", "x", bench.clock.now_ns())]
    kept = list(bench.slots)
    bench.slots.clear()
    bench.arbiter.restore(kept)  # as a new process does after kill -9

    assert bench.slots == [SlotRow(SP, 9, None)], "the next start does not compare it again"
    assert bench.arbiter.recent()[0].reason.endswith("held by strategy:demand")


def test_after_kill_9_the_default_is_written_where_the_device_still_holds_the_lease(bench: Bench) -> None:
    bench.arbiter.restore([SlotRow(SP, 9, 9.0, "strategy:demand", "x", bench.clock.now_ns())])

    assert bench.arbiter.present(SP) == (7.0, 0)
    assert [(order.kind, order.value) for order in bench.run()] == [("reassert", 7.0)]
    assert bench.arbiter.step() == []


def test_what_weaker_slots_ask_for_is_told_apart_from_what_wins(bench: Bench) -> None:
    bench.arbiter.request(SP, 9, 9.0, "strategy:demand", "x", lease_s=60)
    assert (bench.arbiter.present(SP), bench.arbiter.beneath(SP, 9)) == ((9.0, 9), 7.0)
    bench.arbiter.request(SP, 12, 8.0, "strategy:reset", "x", lease_s=60)
    assert (bench.arbiter.present(SP), bench.arbiter.beneath(SP, 9)) == ((9.0, 9), 8.0)
    with pytest.raises(NotFoundError):
        bench.arbiter.beneath("nowhere", 9)


def test_a_slot_whose_end_passed_while_the_controller_was_down_is_emptied(bench: Bench) -> None:
    now = bench.clock.now_ns()
    bench.arbiter.restore([SlotRow(SP, 8, 6.0, "alice", "x", now - 10**12, now - 1)])
    bench.run()

    assert bench.arbiter.slots(SP)[7] is None
    assert bench.slots == [SlotRow(SP, 8, None)]


def test_a_new_configuration_keeps_the_slots_of_points_that_stay(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    bench.run()
    bench.arbiter.migrate(_site(SETPOINT, SENSOR))

    assert bench.arbiter.present(SP) == (6.0, 8)
    with pytest.raises(NotFoundError):
        bench.arbiter.slots(ENABLE)


def test_what_could_not_be_compared_at_the_start_is_compared_when_the_device_is_there(bench: Bench) -> None:
    bench.arbiter.restore([SlotRow(SP, 8, 6.0, "alice", "x", bench.clock.now_ns())])
    (early,) = bench.arbiter.step()
    bench.arbiter.completed(early, Outcome("unknown", None, "not compared, nothing was written", sent=False))
    assert bench.arbiter.step() == []
    bench.clock.move(2)
    bench.arbiter.device_back("ch1")

    assert [(order.kind, order.value) for order in bench.run()] == [("reassert", 6.0)]
    assert bench.arbiter.step() == []


def test_a_slot_that_ended_while_nothing_could_be_compared_is_taken_back_at_the_device(bench: Bench) -> None:
    bench.arbiter.restore([SlotRow(SP, 8, 6.0, "alice", "x", bench.clock.now_ns(), bench.clock.now_ns() - 1)])
    (early,) = bench.arbiter.step()
    bench.arbiter.completed(early, Outcome("unknown", None, "not compared", sent=False))
    bench.arbiter.device_back("ch1")

    assert [(order.kind, order.value) for order in bench.run()] == [("reassert", 7.0)]


def test_a_comparison_that_failed_once_is_made_again_after_a_minute(bench: Bench) -> None:
    bench.arbiter.restore([SlotRow(SP, 8, 6.0, "alice", "x", bench.clock.now_ns())])
    (early,) = bench.arbiter.step()
    bench.arbiter.completed(early, Outcome("unknown", None, "no answer", sent=False))
    bench.clock.move(59)
    assert bench.arbiter.step() == []
    bench.clock.move(2)

    assert [order.kind for order in bench.arbiter.step()] == ["reassert"]


def test_a_set_point_that_keeps_being_lost_is_written_again_after_ten_minutes_without_another_loss(
    bench: Bench,
) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    bench.run()
    bench.arbiter.device_back("ch1")
    bench.run()
    bench.arbiter.device_back("ch1")
    assert bench.arbiter.step() == []
    bench.clock.move(601)

    assert [order.kind for order in bench.run()] == ["reassert"]


def test_a_comparison_that_agrees_wrote_nothing_and_does_not_count_as_a_write(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "x")
    bench.run()
    for _ in range(3):
        bench.arbiter.device_back("ch1")
        (order,) = bench.arbiter.step()
        bench.arbiter.completed(order, Outcome("done", 6.0, "the device holds it already", sent=False))

    assert bench.arbiter.counts.reasserts == 0
    assert [item.owner for item in bench.recorded] == ["alice"] * 3


def test_a_second_push_while_the_first_is_out_is_sent_after_it(bench: Bench) -> None:
    first = bench.arbiter.request(RESET, 8, 1.0, "alice", "reset")
    (order,) = bench.arbiter.step()
    second = bench.arbiter.request(RESET, 8, 1.0, "bob", "reset")
    bench.arbiter.completed(order, Outcome("done"))

    assert [item.command for item in bench.run()] == [second.id]
    assert {bench.arbiter.get(item.id).state for item in (first, second)} == {"done"}


def test_a_command_whose_slot_is_emptied_before_it_is_sent_ends_expired(bench: Bench) -> None:
    command = bench.arbiter.request(ENABLE, 8, 1.0, "alice", "on")
    bench.arbiter.request(ENABLE, 8, None, "alice", "no, off again")

    assert bench.run() == []
    assert bench.arbiter.get(command.id).state == "expired"


def test_a_command_never_carries_the_value_of_another_slot(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 6.0, "alice", "first")
    (order,) = bench.arbiter.step()
    late = bench.arbiter.request(SP, 8, 5.5, "alice", "for a second", expires_s=1)
    bench.clock.move(2)
    bench.arbiter.step()
    bench.arbiter.completed(order, Outcome("done", 6.0))

    assert [(item.value, item.automatic) for item in bench.run()] == [(7.0, True)]
    assert bench.arbiter.get(late.id).state == "expired"


def test_what_the_arbiter_writes_by_itself_is_recorded_with_its_result(bench: Bench) -> None:
    bench.arbiter.request(SP, 12, 9.0, "reset", "less load", lease_s=30)
    bench.run()
    bench.clock.move(31)
    (order,) = bench.run()

    written = [item for item in bench.recorded if item.id == order.command]
    assert [(item.owner, item.state) for item in written] == [
        ("arbiter", "pending"), ("arbiter", "done")
    ]  # fmt: skip
    assert written[0].reason == "all slots are empty: relinquish default"


def test_a_command_of_a_point_that_a_new_configuration_takes_away_ends(bench: Bench) -> None:
    command = bench.arbiter.request(ENABLE, 8, 1.0, "alice", "on")
    bench.arbiter.migrate(_site(SETPOINT, SENSOR))

    assert bench.arbiter.step() == []
    assert bench.arbiter.get(command.id).state == "expired"


def test_a_withdrawn_command_leaves_the_slot_as_it_was_and_is_not_sent(bench: Bench) -> None:
    first = bench.arbiter.request(SP, 8, 9.0, "alice", "x")
    bench.run()
    second = bench.arbiter.request(SP, 8, 11.0, "bob", "y")
    bench.arbiter.withdraw(second.id, "not recorded")

    assert bench.arbiter.step() == []
    assert bench.arbiter.get(second.id).state == "failed"
    assert bench.arbiter.withdrawn(second.id)
    held = bench.arbiter.slots(SP)[7]
    assert held is not None
    assert (held.owner, held.value) == ("alice", 9.0)
    assert bench.slots[-1].value == 9.0
    bench.arbiter.withdraw(first.id, "too late: it was sent")
    assert bench.arbiter.get(first.id).state == "done"
    assert bench.arbiter.present(SP) == (9.0, 8)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_several_of_one_slot_can_be_withdrawn_in_any_order(bench: Bench, order: tuple[int, ...]) -> None:
    made = [bench.arbiter.request(SP, 8, value, "alice", "x") for value in (9.0, None, 11.0)]
    for place in order:
        bench.arbiter.withdraw(made[place].id, "not recorded")

    assert bench.arbiter.slots(SP)[7] is None
    assert bench.arbiter.step() == []


def test_a_masked_command_and_a_release_are_withdrawn_too(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 9.0, "alice", "x")
    bench.run()
    masked = bench.arbiter.request(SP, 15, 12.0, "schedule", "y")
    released = bench.arbiter.request(SP, 8, None, "alice", "z")
    bench.arbiter.withdraw(masked.id, "not recorded")
    bench.arbiter.withdraw(released.id, "not recorded")

    assert bench.arbiter.present(SP) == (9.0, 8)
    assert bench.arbiter.slots(SP)[14] is None
    assert bench.arbiter.step() == []


def test_a_refused_start_is_not_sent_by_the_minimum_time_slot_either(bench: Bench) -> None:
    bench.arbiter.request(ENABLE, 8, 0.0, "alice", "x")
    bench.run()
    bench.clock.move(400)
    bench.arbiter.step()
    bench.arbiter.request(ENABLE, 8, 1.0, "alice", "x")
    (order,) = bench.arbiter.step()
    bench.arbiter.refused(order, "not recorded")

    assert bench.arbiter.slots(ENABLE)[5] is None
    assert bench.arbiter.step() == []
    assert bench.arbiter.present(ENABLE) == (0.0, 8)


def test_a_withdrawn_command_gives_way_to_the_one_it_came_before(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 9.0, "alice", "x")
    second = bench.arbiter.request(SP, 8, 11.0, "bob", "y")
    bench.arbiter.withdraw(second.id, "not recorded")

    assert [(order.kind, order.value) for order in bench.arbiter.step()] == [("reassert", 9.0)]


def test_a_hold_empties_refuses_and_gives_back(bench: Bench) -> None:
    arbiter = bench.arbiter
    arbiter.request(SP, 8, 9.0, "alice", "by hand")
    arbiter.request(SP, 15, 8.0, "schedule", "working hours")
    bench.run()
    waiting = arbiter.request(SWITCH.address, 12, 1.0, "staging", "more cooling", lease_s=60)
    gone = arbiter.hold({SP: Hold("fire", "zone 12"), SWITCH.address: Hold("fire", "zone 12")})

    assert [(address, slot.slot, slot.value) for address, slot in gone] == [
        (SP, 8, 9.0),
        (SP, 15, 8.0),
        (SWITCH.address, 12, 1.0),
    ]
    assert SlotRow(SP, 8, None) in bench.slots, "an operator's value does not come back with a restart"
    assert arbiter.get(waiting.id).state == "expired"
    assert bench.run() == [], "neither the default of 7 nor anything else is written"
    for slot in range(7, 17):
        with pytest.raises(ConflictError, match=f"slot {slot} is held empty by fire: zone 12"):
            arbiter.request(SP, slot, 9.0, "alice", "by hand")
    arbiter.device_back("ch1")
    assert bench.run() == []

    protection = arbiter.request(SP, 4, 15.0, "freeze", "water below 3 °C")
    assert [order.value for order in bench.run()] == [15.0], "protection is not held"
    arbiter.request(SP, 4, None, "freeze", "over")
    assert bench.run() == []
    assert arbiter.get(protection.id).state == "done"

    assert arbiter.hold({SP: Hold("fire", "giving back", frozenset({9, 12, 14}))}) == []
    arbiter.request(SP, 15, 8.0, "schedule", "working hours")
    with pytest.raises(ConflictError, match="slot 12"):
        arbiter.request(SP, 12, 9.0, "reset", "less cooling")
    assert [order.value for order in bench.run()] == [8.0]
    arbiter.hold({})
    arbiter.request(SP, 12, 9.0, "reset", "less cooling", lease_s=60)
    assert [order.value for order in bench.run()] == [9.0]


def test_in_a_fire_a_minimum_time_at_slot_6_goes_with_what_it_stood_for(bench: Bench) -> None:
    """Left there it would be the strongest value of a held point: wanted, refreshed, and written on its own."""
    arbiter = bench.arbiter
    arbiter.request(SWITCH.address, 8, 1.0, "alice", "by hand")
    bench.run()
    assert [slot.slot for slot in arbiter.slots(SWITCH.address) if slot] == [6, 8]
    gone = arbiter.hold({SWITCH.address: Hold("fire", "zone 12")})
    assert [(slot.slot, slot.reason) for _, slot in gone] == [(6, "minimum on time"), (8, "by hand")]
    assert arbiter.present(SWITCH.address) == (None, 0), "nobody wants anything of the machine"
    arbiter.device_back("ch1")
    assert bench.run() == []
    # Given back to people and schedule, with the rest still held, a minimum time counts again.
    arbiter.hold({SWITCH.address: Hold("fire", "giving back", frozenset({9, 10, 12, 14}))})
    arbiter.request(SWITCH.address, 8, 0.0, "alice", "by hand")
    bench.run()
    assert [slot.slot for slot in arbiter.slots(SWITCH.address) if slot] == [6, 8]
    assert arbiter.hold({SWITCH.address: Hold("fire", "giving back", frozenset({9, 12}))}) == []
    assert [slot.slot for slot in arbiter.slots(SWITCH.address) if slot] == [6, 8], "a hold without slot 16 leaves it"


def test_after_a_hold_a_default_is_compared_before_it_is_written(bench: Bench) -> None:
    bench.arbiter.request(SP, 8, 9.0, "alice", "by hand")
    bench.run()
    bench.arbiter.hold({SP: Hold("fire", "zone 12")})
    assert bench.run() == []
    bench.arbiter.hold({})
    assert [(order.kind, order.value) for order in bench.run()] == [("reassert", 7.0)]


def test_an_order_that_is_out_when_its_point_is_held_is_forbidden(bench: Bench) -> None:
    arbiter = bench.arbiter
    command = arbiter.request(SWITCH.address, 8, 1.0, "alice", "by hand")
    (order,) = arbiter.step()
    assert not arbiter.forbidden(order)
    arbiter.hold({SWITCH.address: Hold("fire", "zone 12")})
    assert arbiter.forbidden(order)
    arbiter.refused(order, "held since")
    assert arbiter.get(command.id).state == "failed"
    assert arbiter.slots(SWITCH.address) == (None,) * 16, "the minimum on time of a start that never was is gone too"


def test_a_pause_sends_nothing_and_forgets_nothing(bench: Bench) -> None:
    arbiter = bench.arbiter
    arbiter.pause([SP, ENABLE])
    command = arbiter.request(SP, 8, 9.0, "alice", "by hand")
    assert bench.run() == []
    assert arbiter.get(command.id).state == "accepted"
    arbiter.request(ENABLE, 5, 0.0, "flow", "no flow")
    assert [order.point.address for order in bench.run()] == [ENABLE], "protection does not wait"
    arbiter.pause(())
    assert [order.value for order in bench.run()] == [9.0]
