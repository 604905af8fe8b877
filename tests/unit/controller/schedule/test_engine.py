"""The schedule engine: what it asks of the arbiter, what it only renews, and what it leaves alone."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.hold import ALL_HELD, Hold
from controller.command.order import Command, Order, Outcome
from controller.errors import UnavailableError
from controller.journal.entry import SlotRow
from controller.office import OfficeCalendar
from controller.point.model import Building, Equipment, Name, Point, Site, WriteSpec
from controller.schedule.booking import Booking
from controller.schedule.engine import LEASE_S, OWNER, ScheduleEngine
from controller.schedule.schedule import Mode, Schedule, Span
from controller.schedule.timetable import Timetable, Use

NAME = Name("名", "name")
TAIPEI = ZoneInfo("Asia/Taipei")
FANS = ("b.hvac.ahu_1", "b.hvac.ahu_2", "b.hvac.ahu_3")
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
ON = Mode("on", Name("上班", "Occupied"), {"fan_cmd": 1.0, "zone_temp_sp": 26.0})
OFF = Mode("off", Name("停機", "Off"), {"fan_cmd": 0.0})


def at(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=TAIPEI)
    return int(moment.astimezone(UTC).timestamp()) * 1_000_000_000


def schedule(**more: object) -> Schedule:
    given = {
        "id": "office",
        "name": Name("辦公", "Office"),
        "modes": {"on": ON, "off": OFF},
        "weekly": (Span(WORKDAYS, 450, 1080, "on"),),
        "equipment": FANS,
        "default": "off",
        "tags": ("fan_cmd", "zone_temp_sp"),
        **more,
    }
    return Schedule(**given)  # type: ignore[arg-type]


class Bench:
    """An engine over three air handlers, with hands that carry the arbiter's orders out."""

    def __init__(self, start: str, *schedules: Schedule) -> None:
        self.clock = VirtualClock(at(start))
        points = [
            Point(2 * place + row, f"{fan}.{tag}", kind, "", NAME, fan, device=fan[-5:], tag=tag, write=spec)
            for place, fan in enumerate(FANS)
            for row, (tag, kind, spec) in enumerate(
                (("fan_cmd", "binary", WriteSpec(0, 1)), ("zone_temp_sp", "analog", WriteSpec(18, 28)))
            )
        ]
        site = Site(
            "s", NAME, "Asia/Taipei", 1, {"b": Building("b", NAME, ())}, {},
            {fan: Equipment(fan, "ahu", NAME, "b", "hvac") for fan in FANS},
            {point.address: point for point in points},
        )  # fmt: skip
        self.recorded: list[Command] = []
        self.broken = False
        numbers = itertools.count(1)
        self.arbiter = Arbiter(site, self.clock, new_id=lambda: f"c{next(numbers)}", record=self._record)
        self.timetable = Timetable(TAIPEI, OfficeCalendar("TW"), {one.id: one for one in schedules or (schedule(),)})
        self.uses: list[Use] = []
        self.out: set[str] = set()
        self.starting: set[str] = set()
        self.changes = 0
        self.asked = 0
        self.engine = ScheduleEngine(
            timetable=lambda: self.timetable,
            used=self._used,
            site=lambda: site,
            arbiter=self.arbiter,
            out=lambda: self.out,
            ready=lambda device: device not in self.starting,
            clock=self.clock,
            changed=self._changed,
        )

    def _record(self, command: Command, slots: tuple[SlotRow, ...]) -> None:
        if self.broken and command.state == "accepted":
            raise UnavailableError("the journal is down")
        self.recorded.append(command)

    def _used(self, _start_ns: int, _end_ns: int) -> list[Use]:
        self.asked += 1
        return self.uses

    def _changed(self) -> None:
        self.changes += 1

    def look(self) -> list[tuple[str, float]]:
        """Look, carry out what comes, and return it as (tag with the machine's number, value)."""
        self.engine.look()
        orders = self.arbiter.step()
        for order in orders:
            self.done(order)
        return [(f"{order.point.equipment[-1]}.{order.point.tag}", order.value) for order in orders]

    def done(self, order: Order) -> None:
        self.arbiter.started(order, "pending")
        self.arbiter.completed(order, Outcome("done", order.value))

    def slot(self, fan: int, tag: str = "fan_cmd") -> float | None:
        slot = self.arbiter.slots(f"{FANS[fan]}.{tag}")[14]
        return None if slot is None else slot.value


def test_each_change_is_written_once_and_renewed_in_silence() -> None:
    bench = Bench("2026-11-27 07:29:00")
    assert bench.look() == [("1.fan_cmd", 0.0), ("2.fan_cmd", 0.0), ("3.fan_cmd", 0.0)]
    recorded = len(bench.recorded)
    for _ in range(10):
        bench.clock.move(5)
        assert bench.look() == []
    assert len(bench.recorded) == recorded
    bench.clock.move(10)  # 07:30
    assert sorted(bench.look()) == sorted(
        (f"{n}.{tag}", value) for n in "123" for tag, value in (("fan_cmd", 1.0), ("zone_temp_sp", 26.0))
    )
    assert bench.arbiter.present(f"{FANS[0]}.fan_cmd") == (1.0, 15)
    slot = bench.arbiter.slots(f"{FANS[0]}.fan_cmd")[14]
    assert slot is not None
    assert (slot.owner, slot.lease_s) == (OWNER, LEASE_S)
    assert slot.reason == "辦公：上班（平日時段）\nOffice: Occupied (weekly pattern)"


def test_what_a_mode_does_not_name_is_released() -> None:
    bench = Bench("2026-11-27 17:59:00")
    bench.look()
    assert bench.slot(0, "zone_temp_sp") == 26.0
    bench.clock.move(60)
    assert bench.look() == [("1.fan_cmd", 0.0), ("2.fan_cmd", 0.0), ("3.fan_cmd", 0.0)]
    assert bench.slot(0, "zone_temp_sp") is None


def test_a_missed_edge_mends_itself_and_a_clock_set_back_does_no_harm() -> None:
    bench = Bench("2026-11-27 05:00:00")
    bench.look()
    bench.clock.move(5 * 3600)  # nobody looked at 07:30; the leases are over
    bench.arbiter.step()
    assert bench.slot(0) is None
    bench.look()
    assert bench.slot(0) == 1.0
    bench.clock.jump(-3600)
    assert bench.look() == []
    assert bench.slot(0) == 1.0


def test_when_nobody_looks_any_more_the_slots_empty_themselves() -> None:
    bench = Bench("2026-11-27 12:00:00")
    bench.look()
    bench.clock.move(LEASE_S + 1)
    bench.arbiter.step()
    assert [bench.slot(n) for n in range(3)] == [None] * 3


def test_stronger_slots_keep_the_point_and_the_schedule_has_it_after_them() -> None:
    bench = Bench("2026-11-27 12:00:00")
    bench.arbiter.request(f"{FANS[0]}.fan_cmd", 8, 0.0, "operator", "filter")
    for order in bench.arbiter.step():
        bench.done(order)
    bench.look()
    assert bench.arbiter.present(f"{FANS[0]}.fan_cmd") == (0.0, 8)
    bench.arbiter.request(f"{FANS[0]}.fan_cmd", 8, None, "operator", "done")
    assert ("1.fan_cmd", 1.0) in bench.look()


def test_equipment_out_of_service_is_let_go_and_taken_up_again() -> None:
    bench = Bench("2026-11-27 12:00:00")
    bench.look()
    bench.out = {FANS[1]}
    bench.look()
    assert [bench.slot(n) for n in range(3)] == [1.0, None, 1.0]
    bench.out = set()
    bench.look()
    assert bench.slot(1) == 1.0


def test_a_device_that_was_not_tried_yet_gets_no_command_that_would_fail() -> None:
    bench = Bench("2026-11-27 12:00:00")
    bench.starting = {"ahu_3"}
    assert all(not tag.startswith("3") for tag, _ in bench.look())
    bench.starting = set()
    assert sorted(bench.look()) == [("3.fan_cmd", 1.0), ("3.zone_temp_sp", 26.0)]


def test_a_refused_point_keeps_nothing_else_from_running(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench("2026-11-27 12:00:00")
    bench.broken = True
    assert bench.look() == []
    assert set(bench.engine.refused) == {f"{fan}.{tag}" for fan in FANS for tag in ("fan_cmd", "zone_temp_sp")}
    assert "journal" in bench.engine.refused[f"{FANS[0]}.fan_cmd"]
    bench.look()
    assert caplog.text.count("schedules cannot set 6 points, such as b.hvac.ahu_1.fan_cmd") == 1
    bench.broken = False
    assert len(bench.look()) == 6
    assert bench.engine.refused == {}


def test_a_fire_keeps_the_schedule_out_until_its_slots_are_given_back() -> None:
    bench = Bench("2026-11-27 12:00:00")
    bench.look()
    mine = f"{FANS[0]}.fan_cmd"
    bench.arbiter.hold({mine: Hold("fire", "fire in zone 3")})
    for _ in range(3):
        assert bench.look() == []
        bench.clock.move(60)
    assert bench.slot(0) is None
    assert "fire in zone 3" in bench.engine.refused[mine]
    assert bench.slot(1) == 1.0
    bench.arbiter.hold({mine: Hold("fire", "given back", ALL_HELD - {15, 16})})
    assert (f"{FANS[0][-1]}.fan_cmd", 1.0) in bench.look()
    assert bench.arbiter.present(mine) == (1.0, 15)
    assert bench.engine.refused == {}


def test_a_booking_switches_its_equipment_alone_with_lead_and_lag() -> None:
    bench = Bench("2026-11-28 09:29:00", schedule(booking_mode="on", lead_min=30, lag_min=15))  # a Saturday
    booking = Booking("b1", "hall", Name("展", "Show"), at("2026-11-28 10:00"), at("2026-11-28 12:00"))
    bench.uses = [Use(booking, frozenset({FANS[1]}))]
    bench.look()
    assert [bench.slot(n) for n in range(3)] == [0.0] * 3
    bench.clock.move(60)
    bench.look()
    assert [bench.slot(n) for n in range(3)] == [0.0, 1.0, 0.0]
    bench.clock.move(2 * 3600 + 44 * 60)
    bench.look()
    assert bench.slot(1) == 1.0
    bench.clock.move(60)
    bench.look()
    assert bench.slot(1) == 0.0


def test_a_schedule_that_is_switched_off_or_gone_lets_go() -> None:
    bench = Bench("2026-11-27 12:00:00")
    bench.look()
    bench.arbiter.request(f"{FANS[2]}.fan_cmd", 15, 0.0, "engineer", "by hand")
    bench.timetable = Timetable(TAIPEI, OfficeCalendar("TW"), {"office": schedule(enabled=False)})
    bench.look()
    assert [bench.slot(n) for n in range(3)] == [None, None, 0.0]  # what somebody else put there is his
    assert bench.engine.wishes == {}


def test_machines_start_one_after_the_other() -> None:
    bench = Bench("2026-11-27 07:29:30", schedule(stagger_s=5.0))
    bench.look()
    bench.clock.move(30)
    assert {tag[0] for tag, _ in bench.look()} == {"1"}
    bench.clock.move(5)
    assert {tag[0] for tag, _ in bench.look()} == {"2"}
    bench.clock.move(5)
    assert {tag[0] for tag, _ in bench.look()} == {"3"}


async def test_the_task_looks_at_each_minute_and_each_second_while_machines_start() -> None:
    bench = Bench("2026-11-27 07:29:40", schedule(stagger_s=5.0))
    bench.engine.look()
    task = asyncio.create_task(bench.engine.run())
    seen = []
    try:
        for _ in range(40):
            await bench.clock.advance(1.0)
            seen.append([bench.slot(n) for n in range(3)])
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen[18] == [0.0, 0.0, 0.0]
    assert seen[21] == [1.0, 0.0, 0.0]
    assert seen[26] == [1.0, 1.0, 0.0]
    assert seen[32] == [1.0, 1.0, 1.0]
    assert bench.asked == 2, "bookings are worked out once a minute, not at each machine"


async def test_it_looks_again_soon_while_devices_are_still_to_be_tried() -> None:
    bench = Bench("2026-11-27 12:00:05")
    bench.starting = {"ahu_3"}
    bench.engine.look()
    task = asyncio.create_task(bench.engine.run())
    try:
        await bench.clock.advance(3.0)
        bench.starting = set()
        await bench.clock.advance(3.0)
        assert bench.slot(2) == 1.0
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_look_that_fails_is_survived_and_the_next_one_mends_it(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench("2026-11-27 12:00:00")
    uses, bench.uses = bench.uses, None  # type: ignore[assignment]
    bench.timetable = Timetable(TAIPEI, OfficeCalendar("TW"), {"office": schedule(booking_mode="on")})
    bench.engine.look()
    assert bench.engine.faults == 1
    assert "could not be looked at" in caplog.text
    bench.uses = uses
    bench.engine.look()
    assert bench.slot(0) == 1.0


def test_machines_that_start_one_after_the_other_are_told_of_twice() -> None:
    bench = Bench("2026-11-27 07:29:00", schedule(stagger_s=5.0))
    bench.look()
    changes = bench.changes
    bench.clock.move(60)
    for _ in range(12):
        bench.look()
        bench.clock.move(1)
    assert bench.changes == changes + 2


def test_the_stream_is_told_of_changes_alone() -> None:
    bench = Bench("2026-11-27 07:00:00")
    bench.look()
    changes = bench.changes
    bench.clock.move(60)
    bench.look()
    assert bench.changes == changes
    bench.clock.move(30 * 60)
    bench.look()
    assert bench.changes == changes + 1
