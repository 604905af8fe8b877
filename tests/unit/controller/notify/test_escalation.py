"""From an alarm to whom it is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from controller.alarm.definition import AlarmDefinition
from controller.notify.escalation import calls
from controller.notify.plan import Contact, NotifyPlan, Route, Step, Target
from controller.notify.roster import Duty, Hours, Shift
from controller.point.model import Name

ZONE = ZoneInfo("Asia/Taipei")
NAME = Name("", "")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1_000_000_000


def workday(day: Any) -> bool:
    return bool(day.weekday() < 5)


def alarm(**values: Any) -> AlarmDefinition:
    given = {
        "id": "a#high",
        "kind": "high",
        "number": 1,
        "limit": 1.0,
        "system": "plant",
        "area": "west",
        "floor": "B1",
    }
    return AlarmDefinition(**{**given, "priority": 2, **values})


def plan(*routes: Route) -> NotifyPlan:
    contacts = {name: Contact(name, NAME, ()) for name in ("day", "night", "chief", "room")}
    shifts = (Shift(Hours(("every",), 480, 1080), ("day",)), Shift(Hours(("every",), 1080, 480), ("night",)))
    return NotifyPlan(contacts, {"plant": Duty("plant", NAME, shifts, ("room",))}, routes)


DUTY, CHIEF = Target("duty", "plant"), Target("contact", "chief")
STEPS = (Step(0, (DUTY,)), Step(900, (DUTY, CHIEF)))


def told(one: NotifyPlan, definition: AlarmDefinition, moment: str = "2026-11-27T10:00") -> list[tuple[float, str]]:
    return [(call.after_s, call.contact) for call in calls(one, definition, at(moment), ZONE, workday)]


def test_steps_come_in_the_order_of_time() -> None:
    assert told(plan(Route("r", NAME, STEPS)), alarm()) == [(0, "day"), (900, "day"), (900, "chief")]


def test_who_is_on_duty_is_asked_for_the_time_of_the_step() -> None:
    assert told(plan(Route("r", NAME, STEPS)), alarm(), "2026-11-27T17:50") == [
        (0, "day"),
        (900, "night"),
        (900, "chief"),
    ]


def test_two_routes_tell_a_contact_once() -> None:
    both = plan(Route("r", NAME, STEPS), Route("s", NAME, (Step(0, (DUTY, CHIEF)),)))
    assert told(both, alarm()) == [(0, "day"), (0, "chief"), (900, "day"), (900, "chief")]


def test_filters_are_all_wanted_and_an_empty_one_takes_all() -> None:
    one = plan(Route("r", NAME, STEPS[:1], None, (1, 2), ("plant",), ("west", "east"), ("B1",)))
    assert told(one, alarm())
    for other in ({"priority": 3}, {"system": "hvac"}, {"area": "north"}, {"floor": "1F"}):
        assert told(one, alarm(**other)) == [], other


def test_life_safety_knows_no_priority_and_no_hours() -> None:
    night = Route("r", NAME, STEPS[:1], None, (1,), hours=Hours(("workday",), 1320, 360))
    assert told(plan(night), alarm(priority=1)) == []
    assert told(plan(night), alarm(priority=1), "2026-11-27T23:00") == [(0, "night")]
    assert told(plan(night), alarm(priority=3, life_safety=True)) == [(0, "day")]


def test_a_class_takes_its_own_alone() -> None:
    safety, rest = Route("s", NAME, STEPS[:1], True), Route("o", NAME, (Step(0, (CHIEF,)),), False)
    assert told(plan(safety, rest), alarm(life_safety=True)) == [(0, "day")]
    assert told(plan(safety, rest), alarm()) == [(0, "chief")]
